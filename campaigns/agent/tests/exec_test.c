// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: commands that outlive their deadline, block the agent, or say more than fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "campaigns/agent/clock.h"
#include "campaigns/agent/exec.h"

#define LONG_MS 60000

static struct exec_result result;

static int run(const char *line, uint64_t ms)
{
    struct err err = {0};

    return exec_shell(line, clock_ns() + ms_to_ns(ms), &result, &err);
}

static void status_and_both_outputs_come_back(void **state)
{
    (void)state;
    assert_int_equal(run("echo one; echo two >&2; exit 3", LONG_MS), 0);
    assert_int_equal(result.rc, 3);
    assert_string_equal(result.output, "one\ntwo\n");
    assert_int_equal(run("kill -9 $$", LONG_MS), 0);
    assert_int_equal(result.rc, 128 + 9);
    assert_string_equal(result.output, "");
}

static void only_the_tail_is_kept_and_it_is_text(void **state)
{
    (void)state;
    assert_int_equal(run("head -c 100000 /dev/zero | tr '\\0' x; printf 'a\\0\\377z'", LONG_MS), 0);
    assert_int_equal(result.len, EXEC_OUTPUT);
    assert_string_equal(result.output + EXEC_OUTPUT - 5, "xa??z");
}

/* Also what the shell started must be gone: it would hold this FIFO open. */
static void a_deadline_ends_all_of_it(void **state)
{
    char dir[] = "/tmp/exec_test.XXXXXX", line[256];
    uint64_t start = clock_ns();

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(line, sizeof(line), "cd %s && (echo $$ >pid; sleep 300; touch late) | sleep 300", dir);
    assert_int_equal(run(line, 300), -ETIMEDOUT);
    assert_true(clock_ns() - start < ms_to_ns(LONG_MS));
    snprintf(line, sizeof(line), "p=$(cat %s/pid); while kill -0 -- -$p 2>/dev/null; do sleep 0.05; "
             "done; ls %s; rm -r %s", dir, dir, dir);
    assert_int_equal(run(line, LONG_MS), 0);
    assert_string_equal(result.output, "pid\n");
}

static void what_runs_on_in_the_background_is_not_waited_for(void **state)
{
    uint64_t start = clock_ns();

    (void)state;
    assert_int_equal(run("sleep 120 & echo $!", LONG_MS), 0);
    assert_true(clock_ns() - start < ms_to_ns(LONG_MS));
    assert_int_equal(kill(atoi(result.output), SIGKILL), 0);
}

static void no_input_and_no_blocked_pipe(void **state)
{
    (void)state;
    assert_int_equal(run("cat; yes | head -1", LONG_MS), 0);
    assert_string_equal(result.output, "y\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_and_both_outputs_come_back),
        cmocka_unit_test(only_the_tail_is_kept_and_it_is_text),
        cmocka_unit_test(a_deadline_ends_all_of_it),
        cmocka_unit_test(what_runs_on_in_the_background_is_not_waited_for),
        cmocka_unit_test(no_input_and_no_blocked_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
