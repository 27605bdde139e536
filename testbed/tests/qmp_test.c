// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: QMP answers mixed up with events or with older answers, errors lost, a
 * dead or silent peer not noticed. The other end is scripted: everything QEMU will
 * say is in the socket before the first question.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testbed/qmp.h"

#define GREETING                                                                                   \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "             \
    "\"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define CAPABLE "{\"return\": {}, \"id\": 1}\r\n"

struct peer {
    int fd, other;
    struct qmp qmp;
    char events[200];
};

static void note_event(void *ctx, const char *name, const json_t *event)
{
    struct peer *p = ctx;

    (void)event;
    strcat(p->events, name);
    strcat(p->events, " ");
}

static void says(struct peer *p, const char *text)
{
    assert_int_equal(write(p->other, text, strlen(text)), strlen(text));
}

static int setup(void **state)
{
    struct peer *p = calloc(1, sizeof(*p));
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return -1;
    p->fd = pair[0];
    p->other = pair[1];
    p->qmp.event = note_event;
    p->qmp.event_ctx = p;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct peer *p = *state;

    qmp_done(&p->qmp);
    close(p->fd);
    if (p->other >= 0)
        close(p->other);
    free(p);
    return 0;
}

static void open_with(struct peer *p, const char *more)
{
    struct err err = {0};

    says(p, GREETING CAPABLE);
    says(p, more);
    assert_int_equal(qmp_open(&p->qmp, p->fd, -1, wall_deadline(1000), &err), 0);
}

static void greeting_gives_the_version(void **state)
{
    struct peer *p = *state;
    char sent[200];
    ssize_t n;

    open_with(p, "");
    assert_string_equal(p->qmp.version, "7.2.22");
    n = read(p->other, sent, sizeof(sent) - 1);
    sent[n] = '\0';
    assert_string_equal(sent, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
}

static void not_a_greeting(void **state)
{
    struct peer *p = *state;
    struct err err = {0};

    says(p, "{\"hello\": 1}\n");
    assert_int_equal(qmp_open(&p->qmp, p->fd, -1, wall_deadline(1000), &err), -EPROTO);
}

static void events_come_between(void **state)
{
    struct peer *p = *state;
    struct err err = {0};
    json_t *ret;

    open_with(p, "{\"event\": \"STOP\", \"timestamp\": {}}\r\n"
                 "{\"return\": {\"stale\": 1}, \"id\": 1}\r\n"
                 "{\"return\": {\"running\": true}, \"id\": 2}\r\n"
                 "{\"event\": \"RESUME\"}\r\n{\"event\": \"SHUTDOWN\"}\r\n");
    assert_int_equal(qmp_command(&p->qmp, "query-status", NULL, wall_deadline(1000), &ret, &err), 0);
    assert_true(json_is_true(json_object_get(ret, "running")));
    json_decref(ret);
    assert_string_equal(p->events, "STOP ");
    assert_int_equal(qmp_poll(&p->qmp, &err), 0);
    assert_string_equal(p->events, "STOP RESUME SHUTDOWN ");
}

static void refusal_carries_its_text(void **state)
{
    struct peer *p = *state;
    struct err err = {0};

    open_with(p, "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"no such "
                 "thing\"}}\r\n");
    assert_int_equal(qmp_command(&p->qmp, "stop", json_object(), wall_deadline(1000), NULL, &err),
                     -EREMOTEIO);
    assert_string_equal(err.msg, "QEMU refused 'stop': no such thing");
}

static void human_monitor_output_is_an_error(void **state)
{
    struct peer *p = *state;
    struct err err = {0};

    open_with(p, "{\"return\": \"\", \"id\": 2}\r\n"
                 "{\"return\": \"Error: Snapshot 'x' does not exist\\r\\n\", \"id\": 3}\r\n");
    assert_int_equal(qmp_human(&p->qmp, "savevm x", wall_deadline(1000), &err), 0);
    assert_int_equal(qmp_human(&p->qmp, "loadvm x", wall_deadline(1000), &err), -EREMOTEIO);
    assert_string_equal(err.msg, "QEMU, 'loadvm x': Error: Snapshot 'x' does not exist");
}

/* A recording has moments, while its disk is at work, in which QEMU takes no snapshot. */
static void what_qemu_puts_off_is_asked_again(void **state)
{
    static const char later[] = "Error: Record/replay does not allow making snapshot right now. "
                                "Try once more later.";
    struct peer *p = *state;
    struct err err = {0};
    char line[200];

    open_with(p, "");
    for (int id = 2; id < 4; id++) {
        snprintf(line, sizeof(line), "{\"return\": \"%s\\r\\n\", \"id\": %d}\r\n", later, id);
        says(p, line);
    }
    says(p, "{\"return\": \"\", \"id\": 4}\r\n");
    assert_int_equal(qmp_human(&p->qmp, "savevm x", wall_deadline(10000), &err), 0);

    snprintf(line, sizeof(line), "{\"return\": \"%s\\r\\n\", \"id\": 5}\r\n", later);
    says(p, line);
    assert_int_equal(qmp_human(&p->qmp, "savevm x", wall_deadline(0), &err), -EREMOTEIO);
    assert_non_null(strstr(err.msg, later));
}

static void half_a_line_is_no_answer(void **state)
{
    struct peer *p = *state;
    struct err err = {0};

    open_with(p, "{\"return\": {}, ");
    assert_int_equal(qmp_command(&p->qmp, "stop", NULL, wall_deadline(50), NULL, &err), -ETIMEDOUT);
    says(p, "\"id\": 2}\n{\"return\": {}, \"id\": 3}\n");
    assert_int_equal(qmp_command(&p->qmp, "cont", NULL, wall_deadline(1000), NULL, &err), 0);
}

static void garbage_is_reported(void **state)
{
    struct peer *p = *state;
    struct err err = {0};

    open_with(p, "qemu: what?\n");
    assert_int_equal(qmp_command(&p->qmp, "stop", NULL, wall_deadline(1000), NULL, &err), -EPROTO);
    assert_non_null(strstr(err.msg, "qemu: what?"));
}

static void closed_connection(void **state)
{
    struct peer *p = *state;
    struct err err = {0};
    int r;

    open_with(p, "");
    close(p->other);
    p->other = -1;
    r = qmp_command(&p->qmp, "stop", NULL, wall_deadline(60000), NULL, &err);
    assert_int_equal(r, -EPIPE);
}

/* The descriptor stays open elsewhere: only the process tells. */
static void dead_process_is_noticed_at_once(void **state)
{
    struct peer *p = *state;
    struct err err = {0};
    int64_t start;
    pid_t pid;
    int pidfd;

    open_with(p, "");
    pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    pidfd = pidfd_open(pid, 0);
    p->qmp.line.watch = pidfd;
    kill(pid, SIGKILL);
    start = wall_ms();
    assert_int_equal(qmp_command(&p->qmp, "stop", NULL, wall_deadline(60000), NULL, &err), -ESRCH);
    assert_true(wall_ms() - start < 5000);
    waitpid(pid, NULL, 0);
    close(pidfd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(greeting_gives_the_version),
        TEST(not_a_greeting),
        TEST(events_come_between),
        TEST(refusal_carries_its_text),
        TEST(human_monitor_output_is_an_error),
        TEST(what_qemu_puts_off_is_asked_again),
        TEST(half_a_line_is_no_answer),
        TEST(garbage_is_reported),
        TEST(closed_connection),
        TEST(dead_process_is_noticed_at_once),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
