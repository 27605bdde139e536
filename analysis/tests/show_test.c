// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: the wrong trial shown, something recorded that is not, escape sequences of a
 * guest's console that reach the terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/tests/fixture.h"
#include "cli/commands.h"

static char *show(const char *address, const char *option)
{
    char *out, *err;

    if (fixture_command(cmd_show, &out, &err, "show", address, "--db", fixture_path, option, NULL))
        fail_msg("%s", err);
    free(err);
    return out;
}

static void everything_for_people(void **state)
{
    static const char *const parts[] = {
        "Trial 4: PTR, seed 1, disabled (campaign quick, testbed, recorded ",
        "0xffffffff81000010 ext4_read+0x10  fs/ext4/inode.c:7",
        "4889c8                   mov rax, rcx",
        "4889c1                   mov rcx, rax",
        "5000 in all",
        "wcr plan --class PTR --target all --seed 1 --index 0",
        "outcome           kernel_crash",
        "fault executed    yes",
        "signature         BUG ext4_read+0x10",
        "injection               0.001000 s",
        "detection               0.002500 s",
        "wall clock, all         4.000000 s",
        "bytes 0-3 differ",
        "trial 3     enabled    kernel_crash, 95 pages reused, 0 inconsistent, 0 corrupt (from the "
        "same crash)",
        "restore_warm      0.5 s",
        "    BUG: unable to handle\n    Oops: 0002\n",
    };
    char *out;

    (void)state;
    fixture_write_quick();
    out = show("4", NULL);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        fixture_contains(out, parts[i]);
    free(out);
}

static void other_kinds(void **state)
{
    char *out;

    (void)state;
    fixture_write_quick();
    out = show("GOLDEN:1:enabled", NULL);
    fixture_contains(out, "Trial 1: GOLDEN, seed 1, enabled");
    fixture_contains(out, "No fault: a golden run");
    free(out);
    out = show("DST:3:enabled", NULL);
    fixture_contains(out, "error             the worker died");
    fixture_contains(out, "Attempts that failed (no results)");
    fixture_contains(out, "    tail");
    free(out);
    out = show("DST:2:disabled", NULL);
    fixture_contains(out, "outcome           no_reboot");
    fixture_contains(out, "at the crash      kernel_crash");
    free(out);
    out = show("PTR:3:enabled", NULL);
    fixture_contains(out, "fault executed    no");
    free(out);
}

static void as_json(void **state)
{
    char *out;
    json_t *all, *trial, *plan;

    (void)state;
    fixture_write_quick();
    out = show("PTR:1:disabled", "--json");
    all = json_loads(out, 0, NULL);
    assert_non_null(all);
    trial = json_object_get(all, "trial");
    assert_int_equal(json_integer_value(json_object_get(trial, "trial_id")), 4);
    assert_string_equal(json_string_value(json_object_get(trial, "outcome")), "kernel_crash");
    assert_true(json_is_null(json_object_get(trial, "reboot_reason")) ||
                !json_object_get(trial, "reboot_reason"));
    /* The plan as it was drawn, as an object, not as text. */
    plan = json_object_get(json_object_get(all, "plan"), "plan");
    assert_string_equal(json_string_value(json_object_get(plan, "symbol")), "ext4_read");
    assert_int_equal(json_integer_value(json_object_get(plan, "candidates")), 5000);
    assert_int_equal(json_array_size(json_object_get(all, "pages")), 1);
    assert_int_equal(json_array_size(json_object_get(all, "events")), 1);
    assert_int_equal(json_array_size(json_object_get(all, "measurements")), 1);
    assert_int_equal(json_array_size(json_object_get(all, "same_plan")), 1);
    assert_true(json_is_object(json_object_get(all, "environment")));
    json_decref(all);
    free(out);
}

static void console_is_tamed(void **state)
{
    static const struct db_event event = {"console", "red \x1b[31m\x07 \xff end\r\n", NULL};
    const struct db_campaign c = {"c", "x", NULL, "testbed", NULL};
    struct err err = {0};
    struct db_trial t;
    struct db *db;
    char *out;

    (void)state;
    assert_int_equal(db_open(fixture_path, DB_WRITE, &db, &err), 0);
    db_trial_init(&t);
    assert_int_equal(db_campaign_open(db, &c, &t.campaign, &err), 0);
    t.plan =
        (struct db_plan){.fault_class = "PANIC", .seed = 1, .json = "{\"params\":{\"seed\":5}}"};
    t.mode = "enabled";
    t.outcome = t.crash_outcome = "kernel_crash";
    t.events = &event;
    t.events_len = 1;
    assert_int_equal(db_trial_record(db, &t, NULL, NULL, &err), 0);
    db_close(db);
    out = show("1", NULL);
    fixture_contains(out, "    red ?[31m? ? end\n");
    fixture_contains(out, "parameters        {\"seed\":5}");
    fixture_contains(out, "fault executed    nobody can tell");
    assert_null(strchr(out, '\033'));
    free(out);
}

static void fails_with(const char *address, const char *words)
{
    char *out, *err;

    assert_int_equal(
        fixture_command(cmd_show, &out, &err, "show", "--db", fixture_path, address, NULL),
        WCR_EXIT_ERROR);
    fixture_contains(err, "wcr show: ");
    fixture_contains(err, words);
    assert_string_equal(out, "");
    free(out);
    free(err);
}

static void mistakes(void **state)
{
    (void)state;
    fails_with("1", "no such file");
    fixture_write("empty", NULL, 0);
    fails_with("1", "no trial yet");
    remove(fixture_path);
    fixture_write_quick();
    fails_with("99", "no trial 99 (they have the numbers 1 to 14;");
    fails_with("PTR:9:enabled", "no trial PTR:9:enabled (CLASS:SEED:MODE;");
    fails_with("four", "'four': expected a trial's number");
    fails_with("4x", "'4x': expected a trial's number");
    fails_with("99999999999999999999", "expected a trial's number");
    fails_with(NULL, "which trial?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_for_people), TEST(other_kinds), TEST(as_json),
        TEST(console_is_tamed),      TEST(mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
