// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a progress line that lies about rate, rest or errors, or overruns the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/progress.h"

static void durations(void **state)
{
    char buf[32];

    (void)state;
    assert_string_equal(progress_duration(-1, buf, sizeof(buf)), "0 s");
    assert_string_equal(progress_duration(59.6, buf, sizeof(buf)), "60 s");
    assert_string_equal(progress_duration(150, buf, sizeof(buf)), "3 min");
    assert_string_equal(progress_duration(7500, buf, sizeof(buf)), "2 h 05 min");
}

static void before_the_first_trial(void **state)
{
    struct progress p = {.total = 26, .skipped = 4};
    char buf[200];

    (void)state;
    assert_string_equal(progress_format(&p, 5000, 0, buf, sizeof(buf)), "4/26 trials");
    assert_true(progress_rate(&p, 5000) == 0);
}

static void rate_leaves_out_what_was_skipped(void **state)
{
    struct progress_worker workers[2] = {{"TEXT 3 reboot"}, {""}};
    struct progress p = {.total = 30,
                         .skipped = 10,
                         .done = 10,
                         .errors = 1,
                         .retried = 2,
                         .start_ms = 1000,
                         .workers = workers,
                         .workers_len = 2};
    char buf[200];

    (void)state;
    assert_string_equal(progress_format(&p, 1000 + 60000, 0, buf, sizeof(buf)),
                        "21/30 trials  600/h  ETA 54 s  errors 1  retried 2  [TEXT 3 reboot]");
}

static void never_wider_than_the_terminal(void **state)
{
    struct progress p = {.total = 4000000000u, .done = 1000, .errors = 5, .start_ms = 1};
    char buf[200], small[10];

    (void)state;
    assert_int_equal(strlen(progress_format(&p, 1000000, 20, buf, sizeof(buf))), 20);
    assert_true(strlen(progress_format(&p, 1000000, 20, small, sizeof(small))) < sizeof(small));
}

static void json_events_are_lines(void **state)
{
    char *text = NULL;
    size_t size;
    struct progress p = {.style = PROGRESS_JSON, .out = open_memstream(&text, &size)};

    (void)state;
    progress_line(&p, json_pack("{s:s}", "event", "trial"), "not shown");
    progress_line(&p, NULL, "not shown");
    progress_show(&p, 1000000);
    fclose(p.out);
    assert_string_equal(text, "{\"event\":\"trial\"}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(before_the_first_trial),
        cmocka_unit_test(rate_leaves_out_what_was_skipped),
        cmocka_unit_test(never_wider_than_the_terminal),
        cmocka_unit_test(json_events_are_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
