// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a gate that passes what it should fail, or for want of data; an exit status that
 * a CI script would misread; JUnit that is no XML or hides what was not judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/gate.h"
#include "analysis/tests/fixture.h"
#include "cli/commands.h"

static const char *policy_write(const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/policy.yaml", fixture_dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

/* The exit status, and that standard output or error says @words. */
static void judged(const char *policy, int status, const char *words)
{
    char *out, *err, *both;
    int found = fixture_command(cmd_gate, &out, &err, "gate", fixture_path, "--policy",
                                policy_write(policy), NULL);

    assert_true(asprintf(&both, "%s%s", out, err) >= 0);
    if (found != status)
        fail_msg("%s: exit status %d, not %d:\n%s", policy, found, status, both);
    fixture_contains(both, words);
    free(both);
    free(out);
    free(err);
}

static void good(unsigned trials)
{
    struct fixture_trial t[64] = {{"GOLDEN", 1, "enabled", "no_crash", -1, 98, 0, 0}};

    for (unsigned i = 1; i <= trials; i++)
        t[i] = (struct fixture_trial){"PTR", i, "enabled", "kernel_crash", 1, 95, 0, 0};
    fixture_write("good", t, trials + 1);
}

static void each_rule_both_ways(void **state)
{
    (void)state;
    /* enabled, of DST and PTR: 5 trials, 4 rated, 1 inconsistent, 0 corrupt, 452 of 500 pages. */
    fixture_write_quick();
    judged("max_corrupt_trials: 0\n", WCR_EXIT_OK, "0 of 5 verified trials");
    judged("mode: disabled\nmax_corrupt_trials: 1\n", WCR_EXIT_FAIL, "2 trials, at most 1");
    judged("mode: disabled\nmax_corrupt_trials: 2\n", WCR_EXIT_OK, "2 of 4 verified");
    judged("max_inconsistent_trials: 0\n", WCR_EXIT_FAIL, "1 trials, at most 0");
    judged("max_inconsistent_trials: 1\n", WCR_EXIT_OK, "pass");
    judged("max_inconsistent_rate: 20%\n", WCR_EXIT_FAIL, "1 of 4 trials (25%), at most 20%");
    judged("max_inconsistent_rate: 80%\n", WCR_EXIT_OK, "so below 75.14%");
    judged("min_reuse: 90%\n", WCR_EXIT_OK, "452 of 500 reusable pages were reused (90.4%)");
    judged("min_reuse: 0.904\n", WCR_EXIT_OK, "452 of 500");
    judged("min_reuse: 91%\n", WCR_EXIT_FAIL, "452 of 500");
    judged("max_error_share: 7%\n", WCR_EXIT_FAIL, "1 of 14 trials");
    judged("max_error_share: 8%\n", WCR_EXIT_OK, "1 of 14 trials");
    judged("max_not_activated_share: 19%\n", WCR_EXIT_FAIL, "1 of 5 trials (20%)");
    judged("max_not_activated_share: 20%\n", WCR_EXIT_OK, "1 of 5 trials (20%)");
    judged("golden: required\n", WCR_EXIT_OK, "98 pages reused, all consistent");
    judged("min_trials: 2\n", WCR_EXIT_OK, "2 of 2 trials that count");
}

/* Without a failure, the upper bound falls below 25% with the 11th trial. */
static void enough_data(void **state)
{
    (void)state;
    good(10);
    judged("max_corrupt_rate: 25%\n", WCR_EXIT_NO_DATA, "11 trials without a failure would do");
    remove(fixture_path);
    good(11);
    judged("max_corrupt_rate: 25%\n", WCR_EXIT_OK, "0 of 11 trials");
    judged("max_corrupt_rate: 25%\nconfidence: 99%\n", WCR_EXIT_NO_DATA, "17 trials");
    judged("min_trials: 12\n", WCR_EXIT_NO_DATA, "11 of 12 trials that count");
}

/* What failed stays failed, whatever else there is too little of. */
static void failure_outweighs_want_of_data(void **state)
{
    (void)state;
    fixture_write_quick();
    judged("max_inconsistent_trials: 0\nmin_trials: 50\n", WCR_EXIT_FAIL, "no data");
    judged("max_corrupt_rate: 1%\nmin_reuse: 99%\n", WCR_EXIT_FAIL, "fail");
}

static void nothing_done(void **state)
{
    (void)state;
    fixture_write("empty", NULL, 0);
    judged("max_corrupt_trials: 0\n", WCR_EXIT_NO_DATA, "0 of 0 verified");
    judged("min_trials: 1\n", WCR_EXIT_NO_DATA, "no trial yet");
    judged("min_reuse: 1%\n", WCR_EXIT_NO_DATA, "no trial was verified");
    judged("max_error_share: 0\n", WCR_EXIT_NO_DATA, "0 of 0");
    judged("golden: required\n", WCR_EXIT_NO_DATA, "no fault-free trial");
    judged("max_corrupt_rate: 10%\n", WCR_EXIT_NO_DATA, "100%");
}

static void classes(void **state)
{
    (void)state;
    fixture_write_quick();
    judged("classes:\n  DST:\n    max_inconsistent_trials: 0\n", WCR_EXIT_FAIL, "DST");
    judged("classes:\n  PTR:\n    max_inconsistent_trials: 0\n", WCR_EXIT_OK, "PTR");
    /* A class's min_trials replaces that of all. */
    judged("min_trials: 9\nclasses:\n  PTR: {min_trials: 1}\n  DST: {min_trials: 2}\n", WCR_EXIT_OK,
           "2 of 1 trials");
    judged("classes:\n  DTS:\n    max_corrupt_trials: 0\n", WCR_EXIT_NO_DATA,
           "the campaign has no such trial");
}

static void golden_runs(void **state)
{
    static const struct fixture_trial crashed[] = {
        {"GOLDEN", 1, "enabled", "no_crash", -1, 98, 0, 0},
        {"GOLDEN", 1, "disabled", "hang", -1, 98, 0, 0}};
    static const struct fixture_trial cold[] = {{"GOLDEN", 1, "enabled", "no_crash", -1, 0, 0, 0}};
    static const struct fixture_trial wrong[] = {{"GOLDEN", 1, "enabled", "no_crash", -1, 9, 1, 0}};
    /* With consistency off a sound guest's dirty pages are reused, too. */
    static const struct fixture_trial dirty[] = {
        {"GOLDEN", 1, "enabled", "no_crash", -1, 98, 0, 0},
        {"GOLDEN", 1, "disabled", "no_crash", -1, 98, 1, 0}};

    (void)state;
    fixture_write("g", crashed, 2);
    judged("golden: required\n", WCR_EXIT_FAIL, "1 fault-free trials crashed");
    remove(fixture_path);
    fixture_write("g", cold, 1);
    judged("golden: required\n", WCR_EXIT_FAIL, "no page was reused");
    remove(fixture_path);
    fixture_write("g", wrong, 1);
    judged("golden: required\n", WCR_EXIT_FAIL, "1 reused inconsistent pages");
    remove(fixture_path);
    fixture_write("g", dirty, 2);
    judged("golden: required\n", WCR_EXIT_OK, "98 pages reused, all consistent");
}

/* A mechanism that keeps nothing is safe, and worth nothing. */
static void nothing_reused(void **state)
{
    static const struct fixture_trial t[] = {{"PTR", 1, "enabled", "kernel_crash", 1, 0, 0, 0}};

    (void)state;
    fixture_write("n", t, 1);
    judged("min_reuse: 1%\n", WCR_EXIT_FAIL, "0 of 100 reusable pages");
}

static void errors(void **state)
{
    char *out, *err;

    (void)state;
    judged("max_corrupt_trials: 0\n", WCR_EXIT_ERROR, "no such file");
    fixture_write_quick();
    judged("max_corrupt_trials: 0\nmax_corupt_rate: 1%\n", WCR_EXIT_ERROR,
           "policy.yaml:2: max_corupt_rate: unknown");
    judged("", WCR_EXIT_ERROR, "policy.yaml:1: the file is empty");
    assert_int_equal(fixture_command(cmd_gate, &out, &err, "gate", fixture_path, NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, "which policy?");
    free(out);
    free(err);
    assert_int_equal(fixture_command(cmd_gate, &out, &err, "gate", fixture_path, "--policy",
                                     "/nonexistent.yaml", NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, "/nonexistent.yaml: No such file");
    free(out);
    free(err);
}

/* ---- reports ---- */

static void json(void **state)
{
    char *out, *err;
    json_t *all;

    (void)state;
    fixture_write_quick();
    assert_int_equal(
        fixture_command(cmd_gate, &out, &err, "gate", fixture_path, "--json", "--policy",
                        policy_write("max_inconsistent_trials: 0\nmin_trials: 2\n"), NULL),
        WCR_EXIT_FAIL);
    all = json_loads(out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(all, "campaign")), "quick");
    assert_string_equal(json_string_value(json_object_get(all, "verdict")), "fail");
    assert_int_equal(json_array_size(json_object_get(all, "checks")), 3);
    json_decref(all);
    free(out);
    free(err);
}

static char *junit(const char *policy, int status)
{
    char path[128], *out, *err, *text;

    snprintf(path, sizeof(path), "%s/junit.xml", fixture_dir);
    assert_int_equal(fixture_command(cmd_gate, &out, &err, "gate", fixture_path, "--policy",
                                     policy_write(policy), "--junit", path, NULL),
                     status);
    free(out);
    free(err);
    text = fixture_read(path);
    fixture_contains(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites ");
    fixture_contains(text, "</testsuites>\n");
    return text;
}

static void junit_tells_apart(void **state)
{
    char *text;

    (void)state;
    fixture_write_quick();
    text =
        junit("max_corrupt_trials: 0\nmax_inconsistent_trials: 0\nmin_trials: 3\n", WCR_EXIT_FAIL);
    fixture_contains(text, "<testsuite name=\"quick\" tests=\"4\" failures=\"1\" errors=\"2\">");
    fixture_contains(text,
                     "<testcase classname=\"wcr.quick.all\" name=\"max_corrupt_trials\">\n      "
                     "<system-out>");
    fixture_contains(text, "<failure type=\"policy\" message=\"1 trials, at most 0 allowed\"/>");
    fixture_contains(text,
                     "<error type=\"not enough data\" message=\"2 of 3 trials that count\"/>");
    free(text);
}

/* A name that is markup stays a name, and one that is no text becomes one. */
static void junit_escapes(void **state)
{
    static const struct fixture_trial t[] = {{"PTR", 1, "enabled", "kernel_crash", 1, 9, 0, 0}};
    char *text;

    (void)state;
    fixture_write("a<b>&\"c\"\x01\xff", t, 1);
    text = junit("max_corrupt_trials: 0\n", WCR_EXIT_OK);
    fixture_contains(text, "<testsuite name=\"a&lt;b&gt;&amp;&quot;c&quot;??\"");
    free(text);
}

/* CI that reads only the file must not find an older one's success. */
static void junit_of_an_error(void **state)
{
    char *text;

    (void)state;
    good(1);
    text = junit("max_corrupt_trials: 0\n", WCR_EXIT_OK);
    fixture_contains(text, "failures=\"0\" errors=\"0\"");
    free(text);
    text = junit("max_corrupt: 0\n", WCR_EXIT_ERROR);
    fixture_contains(text, "errors=\"1\"");
    fixture_contains(text, "policy.yaml:1: max_corrupt: unknown");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_rule_both_ways), TEST(enough_data),   TEST(failure_outweighs_want_of_data),
        TEST(nothing_done),        TEST(classes),       TEST(golden_runs),
        TEST(nothing_reused),      TEST(errors),        TEST(json),
        TEST(junit_tells_apart),   TEST(junit_escapes), TEST(junit_of_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
