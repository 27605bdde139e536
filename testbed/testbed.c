// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "testbed/private.h"

/* Wall time for QEMU itself to answer; it may have to write its memory out. */
#define QMP_TIMEOUT_MS 120000
#define START_TIMEOUT_MS 30000
#define HELLO_RETRY_MS 5000
#define FINISH_TIMEOUT_MS 60000
#define TAIL_LINES 6

static int open_at(int dirfd, const char *name)
{
    return openat(dirfd, name, O_RDONLY | O_CLOEXEC);
}

/* The last @lines lines of a file, trimmed; malloc'ed; "" if there are none. */
static char *file_tail(int dirfd, const char *name, unsigned lines)
{
    int fd = open_at(dirfd, name);
    size_t max = 200 * (size_t)lines;
    char *buf = calloc(1, max + 1), *p;
    ssize_t n = -1;
    off_t size;

    if (fd >= 0 && buf) {
        size = lseek(fd, 0, SEEK_END);
        n = pread(fd, buf, max, size > (off_t)max ? size - (off_t)max : 0);
    }
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return buf;
    while (n && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
        buf[--n] = '\0';
    for (p = buf + n; p > buf; p--)
        if (p[-1] == '\n' && --lines == 0)
            break;
    memmove(buf, p, strlen(p) + 1);
    return buf;
}

char *testbed_console_tail(const struct testbed *tb, unsigned lines)
{
    return file_tail(tb->dirfd, TESTBED_CONSOLE, lines);
}

/* One line: newlines to " | ", other control characters (colours) dropped. */
static void flatten(char *s)
{
    char *to = s;

    for (; *s; s++)
        if (*s == '\n')
            *to++ = '|';
        else if ((unsigned char)*s >= ' ')
            *to++ = *s;
    *to = '\0';
}

void testbed_explain(const struct testbed *tb, struct err *err)
{
    char *log = file_tail(tb->dirfd, FILE_QEMU_LOG, 2);
    char *console = file_tail(tb->dirfd, TESTBED_CONSOLE, TAIL_LINES);
    struct err old;

    if (err && log && console) {
        old = *err;
        flatten(log);
        flatten(console);
        err_set(err, old.code, "%.300s%s%s%s%.200s; console: %.450s", old.msg,
                *tb->shutdown ? "; QEMU shut down: " : "", tb->shutdown, *log ? "; QEMU: " : "",
                log, *console ? console : "(nothing)");
    }
    free(log);
    free(console);
}

/* Errors after which the machine is gone or silent deserve the console's end. */
static int explained(const struct testbed *tb, int r, struct err *err)
{
    if (r == -EPIPE) {
        if (err)
            err->code = ESRCH;
        r = -ESRCH;
    }
    if (r == -ESRCH && err)
        err_prefix(err, "QEMU is dead");
    if (r == -ESRCH || r == -ETIMEDOUT)
        testbed_explain(tb, err);
    return r;
}

static void on_qmp_event(void *ctx, const char *name, const json_t *event)
{
    struct testbed *tb = ctx;
    const char *reason;

    if (strcmp(name, "SHUTDOWN"))
        return;
    reason = json_string_value(json_object_get(json_object_get(event, "data"), "reason"));
    snprintf(tb->shutdown, sizeof(tb->shutdown), "%s", reason ? reason : "unknown");
}

static int connect_at(int dirfd, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd, r;

    /* The directory's own path may be longer than a socket's name can be. */
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dirfd, name);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int testbed_connect(int dirfd, const char *name, int pidfd, int64_t deadline, int *ret_fd,
                    struct err *err)
{
    for (;;) {
        int fd = connect_at(dirfd, name);

        if (fd >= 0) {
            *ret_fd = fd;
            return 0;
        }
        if (fd != -ENOENT && fd != -ECONNREFUSED)
            return err_set(err, -fd, "%s: %s", name, strerror(-fd));
        if (pidfd >= 0 && !pidfd_send_signal(pidfd, 0, NULL, 0) && wall_ms() < deadline) {
            siginfo_t info = {.si_pid = 0};

            /* A zombie still takes signals. */
            if (!waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid)
                return err_set(err, ESRCH, "it ended while starting");
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
            continue;
        }
        if (wall_ms() >= deadline)
            return err_set(err, ETIMEDOUT, "%s: QEMU does not listen", name);
        return err_set(err, ESRCH, "it ended while starting");
    }
}

static int connect_all(struct testbed *tb, struct err *err)
{
    int64_t deadline = wall_deadline(START_TIMEOUT_MS);
    int r;

    r = testbed_connect(tb->dirfd, SOCKET_QMP, tb->pidfd, deadline, &tb->qmp_fd, err);
    if (r)
        return r;
    tb->qmp.event = on_qmp_event;
    tb->qmp.event_ctx = tb;
    r = qmp_open(&tb->qmp, tb->qmp_fd, tb->pidfd, deadline, err);
    if (r)
        return r;
    if (tb->log == TESTBED_UNLOGGED)
        r = testbed_connect(tb->dirfd, SOCKET_AGENT, tb->pidfd, deadline, &tb->agent_fd, err);
    if (!r)
        jsonl_init(&tb->agent, tb->agent_fd, tb->agent_out < 0 ? tb->agent_fd : tb->agent_out,
                   tb->pidfd);
    return r;
}

/* Before QEMU starts: opened for both directions, they wait for nobody. */
static int open_fifos(struct testbed *tb, struct err *err)
{
    static const char *const names[] = {FIFO_AGENT ".out", FIFO_AGENT ".in"};
    int *fds[] = {&tb->agent_fd, &tb->agent_out};

    for (size_t i = 0; i < 2; i++) {
        if (mkfifoat(tb->dirfd, names[i], 0600) && errno != EEXIST)
            return err_set(err, errno, "%s/%s: %s", tb->dir, names[i], strerror(errno));
        *fds[i] = openat(tb->dirfd, names[i], O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (*fds[i] < 0)
            return err_set(err, errno, "%s/%s: %s", tb->dir, names[i], strerror(errno));
    }
    return 0;
}

static struct testbed *testbed_new(void)
{
    struct testbed *tb = calloc(1, sizeof(*tb));
    struct timespec ts;

    if (!tb)
        return NULL;
    tb->dirfd = tb->pidfd = tb->qmp_fd = tb->agent_fd = tb->agent_out = -1;
    /* Ids never repeat, not even between two programs that talk to one agent. */
    clock_gettime(CLOCK_REALTIME, &ts);
    tb->next_id = ((uint64_t)ts.tv_sec << 20) & 0xfffffffffffff;
    return tb;
}

static void testbed_free(struct testbed *tb)
{
    qmp_done(&tb->qmp);
    jsonl_done(&tb->agent);
    if (tb->qmp_fd >= 0)
        close(tb->qmp_fd);
    if (tb->agent_fd >= 0)
        close(tb->agent_fd);
    if (tb->agent_out >= 0)
        close(tb->agent_out);
    if (tb->pidfd >= 0)
        close(tb->pidfd);
    if (tb->dirfd >= 0)
        close(tb->dirfd);
    free(tb->dir);
    free(tb);
}

int testbed_start(const struct testbed_config *config, const struct testbed_options *options,
                  struct testbed **ret, struct err *err)
{
    static const struct testbed_options none;
    struct testbed *tb = testbed_new();
    int r;

    if (!tb)
        return err_set(err, ENOMEM, "out of memory");
    if (!options)
        options = &none;
    tb->own_dir = !options->dir;
    tb->log = options->log;
    r = testbed_dir_make(options->dir, &tb->dir, &tb->dirfd, err);
    if (r)
        goto out;
    if (!options->loadvm && options->log != TESTBED_REPLAY)
        r = testbed_overlays_create(config, options->data_mb, tb->dirfd, err);
    if (!r && options->log == TESTBED_RECORD)
        r = open_fifos(tb, err);
    if (r)
        goto out;
    r = testbed_qemu_spawn(config, options, tb->dirfd, &tb->pid, &tb->pidfd, err);
    if (r)
        goto out;
    tb->running = true;
    r = connect_all(tb, err);
    if (r)
        r = explained(tb, r, err);
out:
    if (r)
        testbed_stop(tb);
    else
        *ret = tb;
    return r;
}

static void reap(struct testbed *tb)
{
    siginfo_t info;

    if (tb->pidfd < 0)
        return;
    pidfd_send_signal(tb->pidfd, SIGKILL, NULL, 0);
    while (waitid(P_PIDFD, (id_t)tb->pidfd, &info, WEXITED) < 0 && errno == EINTR)
        ;
}

void testbed_stop(struct testbed *tb)
{
    if (!tb)
        return;
    reap(tb);
    if (tb->dir && tb->own_dir)
        testbed_dir_remove(tb->dir, true);
    testbed_free(tb);
}

int testbed_wait_end(struct testbed *tb, int64_t timeout_ms, struct err *err)
{
    int64_t deadline = wall_deadline(timeout_ms);
    struct pollfd p = {.fd = tb->pidfd, .events = POLLIN};
    siginfo_t info = {.si_pid = 0};
    int64_t left;

    do {
        left = deadline - wall_ms();
        if (left > 0 && poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) < 0)
            return err_set(err, errno, "poll: %s", strerror(errno));
    } while (!p.revents && left > 0);
    if (!p.revents) {
        err_set(err, ETIMEDOUT, "QEMU did not end within %lld s", (long long)timeout_ms / 1000);
        return explained(tb, -ETIMEDOUT, err);
    }
    if (waitid(P_PIDFD, (id_t)tb->pidfd, &info, WEXITED | WNOWAIT))
        return err_set(err, errno, "waitid: %s", strerror(errno));
    if (info.si_code == CLD_EXITED && info.si_status == 0)
        return 0;
    err_set(err, EIO, "QEMU ended with %s %d", info.si_code == CLD_EXITED ? "status" : "signal",
            info.si_status);
    testbed_explain(tb, err);
    return -EIO;
}

/* Poll: no event tells why a machine that is stopped was stopped. */
static int wait_stopped(struct testbed *tb, int64_t deadline, struct err *err)
{
    for (;;) {
        json_t *status = NULL;
        int r = qmp_command(&tb->qmp, "query-status", NULL, deadline, &status, err);
        bool running = json_is_true(json_object_get(status, "running"));

        json_decref(status);
        if (r || !running)
            return r;
        if (wall_ms() >= deadline)
            return err_set(err, ETIMEDOUT, "the replay does not go on");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

int testbed_replay_some(struct testbed *tb, int64_t instructions, struct err *err)
{
    int64_t deadline = wall_deadline(QMP_TIMEOUT_MS);
    json_t *info = NULL;
    int r = qmp_command(&tb->qmp, "query-replay", NULL, deadline, &info, err);

    if (!r)
        r = qmp_command(&tb->qmp, "replay-break",
                        json_pack("{s:I}", "icount",
                                  json_integer_value(json_object_get(info, "icount")) + instructions),
                        deadline, NULL, err);
    json_decref(info);
    if (!r)
        r = wait_stopped(tb, deadline, err);
    return r ? explained(tb, r, err) : 0;
}

int testbed_finish(struct testbed *tb, const char *forget, struct err *err)
{
    int r = qmp_command(&tb->qmp, "quit", NULL, wall_deadline(QMP_TIMEOUT_MS), NULL, err);

    if (r)
        return explained(tb, r, err);
    r = testbed_wait_end(tb, FINISH_TIMEOUT_MS, err);
    return !r && forget ? testbed_overlays_forget(tb->dirfd, forget, err) : r;
}

void testbed_detach(struct testbed *tb)
{
    if (tb)
        testbed_free(tb);
}

int testbed_pause(struct testbed *tb, struct err *err)
{
    int r;

    /* A log does not tell of stops, nor does a replay stand them. */
    if (!tb->running || tb->log == TESTBED_RECORD)
        return 0;
    r = qmp_command(&tb->qmp, "stop", NULL, wall_deadline(QMP_TIMEOUT_MS), NULL, err);
    if (r)
        return explained(tb, r, err);
    tb->running = false;
    return 0;
}

int testbed_resume(struct testbed *tb, struct err *err)
{
    int r;

    if (tb->running)
        return 0;
    r = qmp_command(&tb->qmp, "cont", NULL, wall_deadline(QMP_TIMEOUT_MS), NULL, err);
    if (r)
        return explained(tb, r, err);
    tb->running = true;
    return 0;
}

static int snapshot(struct testbed *tb, const char *verb, const char *name, struct err *err)
{
    char line[128];
    int r;

    r = testbed_pause(tb, err);
    if (r)
        return r;
    snprintf(line, sizeof(line), "%s %s", verb, name);
    r = qmp_human(&tb->qmp, line, wall_deadline(QMP_TIMEOUT_MS), err);
    return r ? explained(tb, r, err) : 0;
}

int testbed_snapshot_save(struct testbed *tb, const char *name, struct err *err)
{
    return snapshot(tb, "savevm", name, err);
}

/* What the agent said in a past that no longer happened, half lines included. */
static void discard_agent(struct testbed *tb)
{
    char buf[4096];

    while (recv(tb->agent_fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
    jsonl_done(&tb->agent);
    jsonl_init(&tb->agent, tb->agent_fd, tb->agent_fd, tb->pidfd);
}

int testbed_snapshot_load(struct testbed *tb, const char *name, struct err *err)
{
    int r = snapshot(tb, "loadvm", name, err);

    if (!r)
        discard_agent(tb);
    return r;
}

void testbed_on_event(struct testbed *tb, void (*event)(void *ctx, const json_t *event), void *ctx)
{
    tb->event = event;
    tb->event_ctx = ctx;
}

/* Wait for the reply with @id; others are not ours any more. */
static int agent_reply(struct testbed *tb, uint64_t id, int64_t deadline, json_t **ret,
                       struct err *err)
{
    for (;;) {
        json_t *message;
        int r;

        r = jsonl_recv(&tb->agent, deadline, &message, err);
        if (r == -EPROTO)
            continue;
        if (r) {
            struct err unused;

            if (r == -ESRCH || r == -EPIPE)
                qmp_poll(&tb->qmp, &unused);    /* why it shut down */
            return r;
        }
        if (json_object_get(message, "event") && tb->event)
            tb->event(tb->event_ctx, message);
        if (json_object_get(message, "ok") &&
            (uint64_t)json_integer_value(json_object_get(message, "id")) == id) {
            *ret = message;
            return 0;
        }
        json_decref(message);
    }
}

static int agent_exchange(struct testbed *tb, json_t *request, int64_t timeout_ms, json_t **ret,
                          struct err *err)
{
    int64_t deadline = wall_deadline(timeout_ms);
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    uint64_t id = tb->next_id++;
    const char *error;
    json_t *reply;
    int r;

    json_object_set_new(request, "id", json_integer((json_int_t)id));
    r = jsonl_send(&tb->agent, request, deadline, err);
    if (!r)
        r = agent_reply(tb, id, deadline, &reply, err);
    if (r) {
        err_prefix(err, "agent, '%s'", cmd ? cmd : "?");
        return explained(tb, r, err);
    }
    if (!json_is_true(json_object_get(reply, "ok"))) {
        error = json_string_value(json_object_get(reply, "error"));
        r = err_set(err, json_is_true(json_object_get(reply, "refused")) ? ESTALE : EREMOTEIO,
                    "agent, '%s': %s",
                    cmd ? cmd : "?", error ? error : "failed without a reason");
        json_decref(reply);
        return r;
    }
    if (ret)
        *ret = reply;
    else
        json_decref(reply);
    return 0;
}

int testbed_agent_call(struct testbed *tb, json_t *request, int64_t timeout_ms, json_t **ret,
                       struct err *err)
{
    struct err unused;
    json_t *reply = NULL;
    int r, r2;

    r = testbed_resume(tb, err);
    if (r)
        return r;
    r = agent_exchange(tb, request, timeout_ms, &reply, err);
    /* Paused also after an error, without covering it. */
    r2 = testbed_pause(tb, r ? &unused : err);
    if (!r)
        r = r2;
    if (!r && ret)
        *ret = reply;
    else
        json_decref(reply);
    return r;
}

int testbed_wait_agent(struct testbed *tb, int64_t timeout_ms, json_t **ret, struct err *err)
{
    int64_t deadline = wall_deadline(timeout_ms);

    for (;;) {
        int64_t left = deadline - wall_ms();
        json_t *hello;
        int r;

        r = testbed_resume(tb, err);
        if (r)
            return r;
        hello = json_pack("{s:s}", "cmd", "hello");
        if (!hello)
            return err_set(err, ENOMEM, "out of memory");
        r = agent_exchange(tb, hello, left < HELLO_RETRY_MS ? left : HELLO_RETRY_MS, ret, err);
        json_decref(hello);
        if (!r)
            return testbed_pause(tb, err);
        if (r != -ETIMEDOUT)
            return r;
        if (wall_ms() >= deadline) {
            err_set(err, ETIMEDOUT, "no agent in domain 0 after %lld s",
                    (long long)(timeout_ms / 1000));
            testbed_explain(tb, err);
            return -ETIMEDOUT;
        }
    }
}

bool testbed_alive(struct testbed *tb)
{
    siginfo_t info = {.si_pid = 0};

    return !waitid(P_PIDFD, (id_t)tb->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

const char *testbed_dir(const struct testbed *tb)
{
    return tb->dir;
}

int testbed_pid(const struct testbed *tb)
{
    return (int)tb->pid;
}

const char *testbed_qemu_version(const struct testbed *tb)
{
    return tb->qmp.version;
}

uint64_t testbed_disk_bytes(const struct testbed *tb)
{
    return testbed_overlays_bytes(tb->dirfd);
}
