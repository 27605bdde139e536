// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a wrong specification accepted, or refused without saying where and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "campaigns/spec.h"

#define HEAD "name: x\nseed: 7\n"
#define CLASSES "classes:\n- class: PANIC\n  trials: 2\n"

static void minimal_gets_defaults(void **state)
{
    struct err err = {0};
    struct spec s;

    (void)state;
    assert_int_equal(spec_parse("a.yaml", HEAD CLASSES, &s, &err), 0);
    assert_string_equal(s.name, "x");
    assert_int_equal(s.seed, 7);
    assert_int_equal(s.classes_len, 1);
    assert_string_equal(s.classes[0].class_name, "PANIC");
    assert_string_equal(s.classes[0].target, "all");
    assert_true(s.modes[MODE_ENABLED] && s.modes[MODE_DISABLED] && !s.modes[MODE_COLD]);
    assert_int_equal(s.golden, 1);
    assert_int_equal(s.faults_per_trial, 1);
    assert_false(s.require_activation);
    assert_int_equal(spec_trials(&s), 6);
    assert_true(s.stop.half_width == 0 && s.stop.rate_below == 0);
    spec_done(&s);
}

static void everything_is_read(void **state)
{
    static const char text[] = HEAD
        "target: dir:mm\n"
        "classes:\n"
        "- {class: TEXT, trials: 0x10, target: 'func:vfs_read'}\n"
        "- {class: ALLOC, trials: 3, rate: [10, 20]}\n"
        "- {class: LEAK, trials: 1, rate: 5}\n"
        "modes: [cold, enabled]\ngolden: 0\ngolden_run_ms: 10\nfaults_per_trial: 1\n"
        "require_activation: true\nactivation_ms: 70\nredraws: 4\ndeadline_ms: 100\nboot_deadline_ms: 200\n"
        "delay_ms: 30\nretries: 0\nstop: {half_width: 2.5%, rate_below: 0.01}\n"
        "guest: {memory_mb: 128, vcpus: 2}\n"
        "workload: {files: 3, blocks_per_file: 4, seed: 5, filesystem: ext4, "
        "mount_options: data=writeback, program: /bin/own}\nmodule: ../m/fs.ko\n";
    struct err err = {0};
    struct spec s;
    json_t *j;

    (void)state;
    assert_int_equal(spec_parse("a.yaml", text, &s, &err), 0);
    assert_string_equal(s.classes[0].target, "func:vfs_read");
    assert_int_equal(s.classes[0].trials, 16);
    assert_string_equal(s.classes[1].target, "dir:mm");
    assert_int_equal(s.classes[1].rate_lo, 10);
    assert_int_equal(s.classes[1].rate_hi, 20);
    assert_int_equal(s.classes[2].rate_hi, 5);
    assert_true(s.modes[MODE_COLD] && s.modes[MODE_ENABLED] && !s.modes[MODE_DISABLED]);
    assert_true(s.require_activation);
    assert_int_equal(s.activation_ms, 70);
    assert_int_equal(s.delay_min_ms, 30);
    assert_int_equal(s.delay_max_ms, 30);
    assert_true(s.stop.half_width == 0.025 && s.stop.rate_below == 0.01);
    assert_int_equal(s.guest.vcpus, 2);
    assert_string_equal(s.workload.mount_options, "data=writeback");
    assert_string_equal(s.workload.program, "/bin/own");
    assert_string_equal(s.module, "../m/fs.ko");
    j = spec_to_json(&s);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "workload"), "files")),
                     3);
    /* Where a module lies makes no other campaign. */
    assert_string_equal(json_string_value(json_object_get(j, "module")), "fs.ko");
    json_decref(j);
    spec_done(&s);
}

static const struct {
    const char *text, *message;
} wrong[] = {
    {HEAD "classes:\n- class: PANIC\n  trials: 1\n- class: FOO\n  trials: 1\n",
     "a.yaml:6: classes[1].class: unknown fault class 'FOO' (known: "},
    {HEAD CLASSES "colour: red\n", "a.yaml:6: colour: unknown key (known: name, seed, "},
    {HEAD "classes:\n- class: PANIC\n  trails: 1\n",
     "a.yaml:5: classes[0].trails: unknown key (known: class, trials, weight, target, rate)"},
    {HEAD "classes:\n- class: PANIC\n", "a.yaml:4: classes[0]: 'trials' is missing"},
    {"seed: 1\n" CLASSES, "a.yaml:1: 'name' is missing"},
    {"name: x\n" CLASSES, "a.yaml:1: 'seed' is missing"},
    {HEAD, "a.yaml:1: 'classes' is missing"},
    {HEAD "classes:\n- {class: PANIC, trials: 1, weight: 1}\n",
     "a.yaml:4: classes[0]: 'trials' and 'weight' exclude each other"},
    {HEAD "classes:\n- {class: PANIC, weight: 0}\n",
     "a.yaml:4: classes[0].weight: 0 is out of range (1 to 1000000)"},
    {HEAD "classes:\n- {class: PANIC, weight: 1}\n", "a.yaml: 'trials' is missing: how many"},
    {HEAD CLASSES "trials: 5\n", "a.yaml: 'trials': no class has a weight"},
    {HEAD "classes:\n- class: PANIC\n  trials: many\n",
     "a.yaml:5: classes[0].trials: expected a whole number, found 'many'"},
    {HEAD "classes:\n- class: PANIC\n  trials: '3'\n",
     "a.yaml:5: classes[0].trials: expected a whole number, found '3'"},
    {HEAD "classes:\n- class: PANIC\n  trials: 0\n",
     "a.yaml:5: classes[0].trials: 0 is out of range (1 to 1000000)"},
    {HEAD "classes:\n- class: PANIC\n  trials: -1\n",
     "a.yaml:5: classes[0].trials: expected a whole number, found '-1'"},
    {HEAD "classes:\n- class: PANIC\n  trials: 99999999999999999999\n", "is out of range"},
    {HEAD "classes:\n- class: PANIC\n  trials: [1]\n",
     "a.yaml:5: classes[0].trials: expected a whole number, found a list"},
    {HEAD "classes: PANIC\n", "a.yaml:3: classes: expected a list of classes, found a single value"},
    {HEAD "classes:\n- PANIC\n", "a.yaml:4: classes[0]: expected a mapping, found a single value"},
    {HEAD CLASSES "- class: PANIC\n  trials: 1\n",
     "a.yaml:6: classes[1]: class PANIC is listed twice"},
    {HEAD CLASSES "modes: []\n", "a.yaml:6: modes: the list is empty"},
    {HEAD CLASSES "modes: [enabled, warm]\n",
     "a.yaml:6: modes[1]: unknown mode 'warm' (known: enabled, disabled, cold)"},
    {HEAD CLASSES "modes: [enabled, enabled]\n", "a.yaml:6: modes[1]: 'enabled' is listed twice"},
    {HEAD CLASSES "seed: 8\n", "a.yaml:6: seed: given twice"},
    {HEAD CLASSES "require_activation: yes\n",
     "a.yaml:6: require_activation: expected true or false, found 'yes'"},
    {HEAD CLASSES "delay_ms: [5, 3]\n", "a.yaml:6: delay_ms: the lowest value is above the highest"},
    {HEAD CLASSES "delay_ms: [5]\n", "a.yaml:6: delay_ms: expected a number or [lowest, highest]"},
    {HEAD CLASSES "guest:\n  memory_mb: 16\n",
     "a.yaml:7: guest.memory_mb: 16 is out of range (64 to 16384)"},
    {HEAD CLASSES "guest: 5\n", "a.yaml:6: guest: expected a mapping, found a single value"},
    {HEAD CLASSES "workload: {filesystem: fat}\n",
     "a.yaml:6: workload.filesystem: unknown file system 'fat' (known: ext4)"},
    {HEAD CLASSES "workload: {files: 4000, blocks_per_file: 100}\n", "more than half"},
    {HEAD CLASSES "workload: {files: 4097}\n",
     "a.yaml:6: workload.files: 4097 is out of range (1 to 4096)"},
    {HEAD CLASSES "workload: {mount_options: 'data=journal, noatime'}\n",
     "a.yaml:6: workload.mount_options: 'data=journal, noatime' holds a space or a quote"},
    {HEAD CLASSES "workload: {program: mix}\n",
     "a.yaml:6: workload.program: expected a program's path in the guest, as /bin/NAME, found 'mix'"},
    {HEAD CLASSES "module: m.ko\n", "a.yaml: module: no class changes text"},
    {HEAD "classes:\n- {class: TEXT, trials: 1}\nmodule: m.ko\nexecuted: true\n",
     "a.yaml: module: what is executed is known of the kernel only"},
    {HEAD "classes:\n- {class: PANIC, trials: 1, rate: 5}\n",
     "a.yaml:4: classes[0]: class PANIC has no rate"},
    {HEAD CLASSES "target: ext4\n", "a.yaml:6: target: expected all, dir:DIRECTORY, file:FILE"},
    {HEAD CLASSES "faults_per_trial: 20\n", "a.yaml:6: faults_per_trial: 20 is out of range"},
    {HEAD CLASSES "stop: {}\n", "a.yaml:6: stop: expected half_width, rate_below or both"},
    {HEAD CLASSES "stop: 5\n", "a.yaml:6: stop: expected a mapping, found a single value"},
    {HEAD CLASSES "stop:\n  half_width: 0.5\n",
     "a.yaml:7: stop.half_width: expected a share above 0 and below 50%, as 0.05 or 5%, found '0.5'"},
    {HEAD CLASSES "stop: {rate_below: 0}\n", "a.yaml:6: stop.rate_below: expected a share above 0"},
    {HEAD CLASSES "stop: {rate_below: 100%}\n", "and below 100%, as 0.05 or 5%, found '100%'"},
    {HEAD CLASSES "stop: {rate_below: nan}\n", "found 'nan'"},
    {HEAD CLASSES "stop: {rate_below: 1e-3x}\n", "found '1e-3x'"},
    {HEAD CLASSES "stop: {trials: 3}\n",
     "a.yaml:6: stop.trials: unknown key (known: half_width, rate_below)"},
    {HEAD CLASSES "modes: [disabled]\nstop: {rate_below: 0.1}\n", "a.yaml: stop: the rule is about mode enabled"},
    {"name: a b\nseed: 1\n" CLASSES, "a.yaml:1: name: 'a b' is no name"},
    {HEAD "classes: []\ngolden: 0\n", "nothing to do"},
    {"", "a.yaml:1: the file is empty"},
    {"- 1\n", "a.yaml:1: expected a mapping, found a list"},
    {HEAD "classes: [\n", "a.yaml:4: not YAML: "},
    {"name: x\n\tseed: 1\n", "a.yaml:2: not YAML: "},
    {"name: \"\xff\xfe\"\n", "not YAML: "},
};

static void errors_name_line_and_place(void **state)
{
    struct spec s;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = {0};

        assert_int_equal(spec_parse("a.yaml", wrong[i].text, &s, &err), -EINVAL);
        if (!strstr(err.msg, wrong[i].message))
            fail_msg("expected '%s', found '%s'", wrong[i].message, err.msg);
    }
}

static void missing_file_is_named(void **state)
{
    struct err err = {0};
    struct spec s;

    (void)state;
    assert_int_equal(spec_load("/nonexistent.yaml", &s, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/nonexistent.yaml: No such file"));
}

static void shipped_specs_load(void **state)
{
    static const struct {
        const char *path;
        unsigned trials;
    } specs[] = {{"campaigns/specs/quick.yaml", 26}, {"campaigns/specs/field-study.yaml", 802},
                 {"campaigns/specs/file-systems.yaml", 802}};

    (void)state;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        struct err err = {0};
        struct spec s;

        if (spec_load(specs[i].path, &s, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(spec_trials(&s), specs[i].trials);
        spec_done(&s);
    }
}

/* Catches: shares that are not those of the weights, and trials that a longer campaign loses. */
static void weights_share_trials(void **state)
{
    static const unsigned weights[] = {50, 30, 15, 5};
    unsigned before[4] = {0};

    (void)state;
    for (unsigned trials = 1; trials <= 200; trials++) {
        struct err err = {0};
        unsigned sum = 0;
        char text[512];
        struct spec s;

        snprintf(text, sizeof(text), HEAD "trials: %u\nclasses:\n- {class: BR, weight: 50}\n"
                 "- {class: NOP, weight: 30}\n- {class: DST, weight: 15}\n"
                 "- {class: LOCK, weight: 5}\n- {class: PANIC, trials: 7}\n", trials);
        if (spec_parse("a.yaml", text, &s, &err))
            fail_msg("%s", err.msg);
        for (unsigned i = 0; i < 4; i++) {
            unsigned n = s.classes[i].trials;

            assert_true(n >= before[i]);
            assert_true(100 * n + 100 > weights[i] * trials && 100 * n < weights[i] * trials + 100);
            sum += before[i] = n;
        }
        assert_int_equal(sum, trials);
        assert_int_equal(s.classes[4].trials, 7);
        spec_done(&s);
    }
}

/* Every key that an error message offers has a row in the page. */
static void page_has_the_fields(void **state)
{
    static const char *const unknown[] = {
        HEAD CLASSES "x: 1\n", HEAD "classes:\n- x: 1\n", HEAD CLASSES "guest: {x: 1}\n",
        HEAD CLASSES "workload: {x: 1}\n", HEAD CLASSES "stop: {x: 1}\n",
    };
    static const char *const inside[] = {"", "classes[].", "guest.", "workload.", "stop."};
    FILE *f = fopen("docs/campaigns.md", "r");
    char *page = NULL, row[64], *save = NULL;
    size_t size = 0;

    (void)state;
    assert_non_null(f);
    assert_true(getdelim(&page, &size, '\0', f) > 0);
    fclose(f);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct err err = {0};
        struct spec s;
        char *keys;

        assert_int_equal(spec_parse("a.yaml", unknown[i], &s, &err), -EINVAL);
        keys = strstr(err.msg, "(known: ");
        assert_non_null(keys);
        for (char *k = strtok_r(keys + 8, ", )", &save); k; k = strtok_r(NULL, ", )", &save)) {
            snprintf(row, sizeof(row), "\n| `%s%s` |", inside[i], k);
            if (!strstr(page, row))
                fail_msg("no row of '%s%s'", inside[i], k);
        }
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minimal_gets_defaults),      cmocka_unit_test(everything_is_read),
        cmocka_unit_test(errors_name_line_and_place), cmocka_unit_test(missing_file_is_named),
        cmocka_unit_test(shipped_specs_load), cmocka_unit_test(weights_share_trials),         cmocka_unit_test(page_has_the_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
