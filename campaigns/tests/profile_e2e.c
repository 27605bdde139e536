// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the workload executes, found by breakpoints in a running guest. Catches: code that is
 * executed and not told of, or the other way round; a guest that notices; text that is not what it
 * was before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "injector/addresses.h"
#include "injector/plan.h"
#include "testbed/tests/machine.h"

/* In the order of nothing. The workload writes and syncs files, and resizes no file system. */
static const char *const targets[] = {"func:ext4_file_write_iter", "func:ext4_sync_file",
                                      "func:ext4_resize_fs", "func:ext4_swap_extents"};
#define TARGETS (sizeof(targets) / sizeof(targets[0]))
#define EXECUTED 2

static struct plan_source *source;

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* What of @watched is executed in a while, which the guest must not notice. */
static char *executed(const char *watched)
{
    json_t *reply = machine_call(0, "{s:s, s:i, s:s}", "cmd", "golden", "run_ms", 1000, "blocks",
                                 watched);
    char *ret = strdup(machine_text(reply, "executed"));

    if (strcmp(machine_text(reply, "outcome"), "no_crash"))
        fail_msg("%s: %s", machine_text(reply, "outcome"), machine_text(reply, "console"));
    assert_true(machine_number(reply, "ops") > 0);
    assert_int_equal(machine_number(reply, "op_errors"), 0);
    assert_int_equal(machine_number(reply, "content_errors"), 0);
    json_decref(reply);
    return ret;
}

static void what_runs_is_told(void **state)
{
    uint64_t entry[TARGETS], all[TARGETS], *told;
    char *watched, *once, *again;
    struct err err = {0};
    size_t n;

    (void)state;
    for (size_t i = 0; i < TARGETS; i++) {
        uint64_t *blocks;

        if (plan_blocks(source, targets[i], &blocks, &n, &err))
            fail_msg("%s", err.msg);
        entry[i] = all[i] = blocks[0];
        free(blocks);
    }
    qsort(all, TARGETS, sizeof(all[0]), compare);
    watched = addresses_format(all, TARGETS);
    once = executed(watched);
    assert_int_equal(addresses_parse(once, &told, &n, &err), 0);
    assert_int_equal(n, EXECUTED);
    for (size_t i = 0; i < TARGETS; i++)
        assert_int_equal(bsearch(&entry[i], told, n, sizeof(*told), compare) != NULL, i < EXECUTED);
    again = executed(watched);
    assert_string_equal(again, once);
    free(told);
    free(watched);
    free(once);
    free(again);
}

/* Where nothing runs a plan changes nothing, but the agent compares what it says was there. */
static void the_text_is_what_it_was(void **state)
{
    struct err err = {0};

    (void)state;
    for (size_t i = EXECUTED; i < TARGETS; i++) {
        char *watched, *told;
        uint64_t *blocks;
        struct plan plan;
        size_t n;

        assert_int_equal(plan_blocks(source, targets[i], &blocks, &n, &err), 0);
        watched = addresses_format(blocks, n);
        told = executed(watched);
        assert_string_equal(told, "");
        free(told);
        free(watched);
        free(blocks);
        for (unsigned index = 0; index < 5; index++) {
            assert_int_equal(plan_draw(source, "NOP", targets[i], 1, index, &plan, &err), 0);
            json_decref(machine_call(0, "{s:s, s:s, s:o, s:i, s:i}", "cmd", "inject", "class", "NOP",
                                     "plan", plan_to_json(&plan), "deadline_ms", 1, "activation_ms",
                                     1));
        }
    }
}

/* Catches: an int3 in the middle of an instruction. */
static void another_kernel_is_refused(void **state)
{
    char build_id[64], va[24];

    (void)state;
    snprintf(build_id, sizeof(build_id), "%s", plan_source_build_id(source));
    snprintf(va, sizeof(va), "0x%" PRIx64, plan_source_build_id_va(source));
    build_id[0] = build_id[0] == '0' ? '1' : '0';
    json_decref(machine_call(-ESTALE, "{s:s, s:i, s:s, s:s, s:s}", "cmd", "golden", "run_ms", 100, "blocks",
                             "ffffffff81000010", "build_id", build_id, "build_id_va", va));
    json_decref(machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 500));
}

static int setup(void **state)
{
    struct err err = {0};

    (void)state;
    if (machine_up(16, 16))
        return -1;
    if (plan_source_open(machine_config.vmlinux, &source, &err)) {
        print_error("%s\n", err.msg);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    plan_source_free(source);
    return machine_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_runs_is_told, machine_from_warm),
        cmocka_unit_test_setup(the_text_is_what_it_was, machine_from_warm),
        cmocka_unit_test_setup(another_kernel_is_refused, machine_from_warm),
    };

    return cmocka_run_group_tests_name("what is executed, end to end", tests, setup, teardown);
}
