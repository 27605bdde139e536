// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a rule that is misread or silently ignored, an error that names another line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/policy.h"

static int parse(const char *text, struct policy *ret, struct err *err)
{
    return policy_parse("p.yaml", text, strlen(text), ret, err);
}

static void everything(void **state)
{
    struct err err = {0};
    struct policy p;
    const struct policy_rules *dst;

    (void)state;
    assert_int_equal(
        parse("mode: disabled\nconfidence: 99%\ngolden: required\nmin_trials: 3\n"
              "max_corrupt_trials: 0\nmax_corrupt_rate: 5%\n"
              "max_inconsistent_trials: 7\nmax_inconsistent_rate: 0.5\n"
              "min_reuse: 100%\nmax_error_share: 0\nmax_not_activated_share: 1\n"
              "classes:\n  DST:\n    min_trials: 30\n  I/F: {max_corrupt_rate: 1e-2}\n",
              &p, &err),
        0);
    assert_string_equal(p.mode, "disabled");
    assert_true(p.confidence == 0.99);
    assert_true(p.golden_required);
    assert_int_equal(p.overall.min_trials, 3);
    assert_int_equal(p.overall.max_corrupt_trials, 0);
    assert_true(p.overall.max_corrupt_rate == 0.05);
    assert_int_equal(p.overall.max_inconsistent_trials, 7);
    assert_true(p.overall.max_inconsistent_rate == 0.5);
    assert_true(p.overall.min_reuse == 1);
    assert_true(p.overall.max_not_activated_share == 1);
    assert_true(p.max_error_share == 0);
    dst = policy_class_find(&p, "DST");
    assert_non_null(dst);
    assert_int_equal(dst->min_trials, 30);
    assert_int_equal(dst->max_corrupt_trials, -1);
    assert_true(isnan(dst->min_reuse));
    assert_true(policy_class_find(&p, "I/F")->max_corrupt_rate == 0.01);
    assert_null(policy_class_find(&p, "PTR"));
    policy_done(&p);
}

static void defaults(void **state)
{
    struct err err = {0};
    struct policy p;

    (void)state;
    assert_int_equal(parse("max_corrupt_trials: 0\n", &p, &err), 0);
    assert_string_equal(p.mode, "enabled");
    assert_true(p.confidence == 0.95);
    assert_false(p.golden_required);
    assert_int_equal(p.overall.min_trials, -1);
    assert_true(isnan(p.max_error_share));
    policy_done(&p);
}

static void mistakes_are_located(void **state)
{
    static const struct {
        const char *text, *message;
    } mistakes[] = {
        {"", "p.yaml:1: the file is empty"},
        {"# nothing\n", "p.yaml:1: the file is empty"},
        {"- 1\n", "p.yaml:1: expected a mapping, found a list"},
        {"mode: enabled\n", "p.yaml: it has no rule"},
        {"golden: optional\nclasses:\n  PTR: {}\n", "p.yaml: it has no rule"},
        {"min_trials: 1\nmax_corupt_trials: 0\n", "p.yaml:2: max_corupt_trials: unknown key (known: mode, "},
        {"min_trials: 1\n\nmode: on\n", "p.yaml:3: mode: expected one of enabled, disabled, cold, "
                                        "found 'on'"},
        {"min_trials: -1\n", "p.yaml:1: min_trials: expected a whole number, found '-1'"},
        {"min_trials: 1.5\n", "p.yaml:1: min_trials: expected a whole number"},
        {"min_trials: 1\nmin_trials: 2\n", "p.yaml:2: min_trials: given twice"},
        {"min_reuse: 120%\n", "p.yaml:1: min_reuse: expected a share"},
        {"min_reuse: much\n", "p.yaml:1: min_reuse: expected a share from 0 to 1, as 0.05 or 5%, "
                              "found 'much'"},
        {"min_reuse: [1]\n", "p.yaml:1: min_reuse: expected a share"},
        {"min_reuse: nan\n", "p.yaml:1: min_reuse: expected a share"},
        {"max_corrupt_rate: 0\n", "p.yaml:1: max_corrupt_rate: expected more than 0"},
        {"min_trials: 1\nconfidence: 0.2\n", "p.yaml:2: confidence: expected at least 0.5"},
        {"min_trials: 1\nconfidence: 1\n", "p.yaml:2: confidence: expected"},
        {"golden: yes\n", "p.yaml:1: golden: expected required or optional, found 'yes'"},
        {"classes: PTR\n", "p.yaml:1: classes: expected names"},
        {"classes:\n  PTR: 3\n", "p.yaml:2: classes.PTR: expected a mapping, found a single value"},
        {"classes:\n  PTR:\n    golden: required\n", "p.yaml:3: classes.PTR.golden: unknown key (known: min_trials, "},
        {"min_trials: 1\n---\nmin_trials: 2\n", "p.yaml:2: a second document"},
        {"min_trials: [\n", "p.yaml:2: not YAML: "},
        {"min_trials: \"1\\0\"\n", "p.yaml:1: min_trials"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct err err = {0};
        struct policy p;

        assert_int_equal(parse(mistakes[i].text, &p, &err), -EINVAL);
        if (!strstr(err.msg, mistakes[i].message))
            fail_msg("'%s': '%s' does not say '%s'", mistakes[i].text, err.msg,
                     mistakes[i].message);
    }
}

/* The example that everybody copies: it must load, and say what its comments say. */
static void default_policy_loads(void **state)
{
    struct err err = {0};
    struct policy p;

    (void)state;
    if (policy_load("analysis/policies/default.yaml", &p, &err))
        fail_msg("%s", err.msg);
    assert_true(p.golden_required);
    assert_int_equal(p.overall.max_corrupt_trials, 0);
    policy_done(&p);
    assert_int_equal(policy_load("/nonexistent.yaml", &p, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/nonexistent.yaml"));
    assert_true(policy_load("/tmp", &p, &err) < 0);
    assert_non_null(strstr(err.msg, "/tmp"));
}

/* Every rule that an error message offers is described. */
static void page_has_the_rules(const char *path)
{
    struct err err = {0};
    struct policy p;
    char *page = NULL, *rules, *save = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "r");
    unsigned n = 0;

    assert_non_null(f);
    assert_true(getdelim(&page, &size, '\0', f) > 0);
    fclose(f);
    assert_int_equal(parse("x: 1\n", &p, &err), -EINVAL);
    rules = strstr(err.msg, "(known: ");
    assert_non_null(rules);
    for (char *r = strtok_r(rules + 8, ", )", &save); r; r = strtok_r(NULL, ", )", &save), n++)
        if (!strstr(page, r))
            fail_msg("%s does not describe '%s'", path, r);
    assert_int_equal(n, 12);
    free(page);
}

static void pages_have_the_rules(void **state)
{
    (void)state;
    page_has_the_rules("docs/man/wcr.1");
    page_has_the_rules("docs/gate.md");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),
        cmocka_unit_test(defaults),
        cmocka_unit_test(mistakes_are_located),
        cmocka_unit_test(default_policy_loads),
        cmocka_unit_test(pages_have_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
