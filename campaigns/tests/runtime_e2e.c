// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Run-time faults, end to end, in a guest whose allocator is told to check itself (slub_debug).
 * Catches: a class that strikes never, or not at its rate, or that does something else than its
 * name says.
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

#include "testbed/tests/machine.h"

#define LOG "/var/log/xen/console/guest-wcr-guest.log"
#define RUN_MS 3000
#define LEAK_KIB 32
#define STACKS 8
#define COPIES 8
#define CALL_MS 300000

/* The console says, or comes to say, what matches; what follows it on that line, the caller's to free. */
static char *says(const char *what)
{
    char *output;

    if (machine_try(&output, "for i in $(seq 50); do grep -E '%s' " LOG " && exit 0; sleep 0.1; done; exit 1", what)) {
        machine_try(&output, "grep -v systemd " LOG " | tail -n 25 | cut -c 24-140");
        fail_msg("the guest does not say '%s': %s", what, output);
    }
    return output;
}

static void silent(const char *what)
{
    char *output;

    if (!machine_try(&output, "grep -E '%s' " LOG, what))
        fail_msg("the guest says %s", output);
    free(output);
}

static int64_t run(int ms)
{
    json_t *reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", ms);
    int64_t errors = machine_number(reply, "op_errors");

    print_message("# %s, %d operations, %d errors\n", machine_text(reply, "outcome"),
                  (int)machine_number(reply, "ops"), (int)errors);
    json_decref(reply);
    return errors;
}

static void attach(const char *class_name, unsigned rate)
{
    machine_guest("stap %s lo=%u hi=%u seed=1", class_name, rate, rate);
}

/* Take the fault out again; how often it struck, which must be once every @rate calls. */
static unsigned detach(const char *class_name, unsigned rate)
{
    unsigned strikes, calls;
    char *said;

    free(says("wcr: fault activated"));
    machine_guest("unload %s", class_name);
    said = says("wcr: struck");
    assert_int_equal(sscanf(strstr(said, "wcr: struck"), "wcr: struck %u times in %u calls", &strikes, &calls), 2);
    print_message("# %s struck %u times in %u calls\n", class_name, strikes, calls);
    free(said);
    assert_true(strikes > 0);
    assert_int_equal(strikes, calls / rate);
    return strikes;
}

static void without_a_fault_nothing_is_told(void **state)
{
    (void)state;
    assert_int_equal(run(RUN_MS), 0);
    silent("BUG|WARNING:");
}

static void alloc_returns_nothing(void **state)
{
    (void)state;
    attach("ALLOC", 50);
    assert_true(run(RUN_MS) > 0);
    detach("ALLOC", 50);
    silent("BUG");
}

static void free_frees_what_is_used(void **state)
{
    (void)state;
    attach("FREE", 20);
    run(RUN_MS);
    free(says("BUG kmalloc-.*(already free|Poison overwritten)"));
}

static int64_t slab_kib(void)
{
    return machine_guest_number("SUnreclaim:", "cat /proc/meminfo");
}

static void leak_loses_memory(void **state)
{
    int64_t before = slab_kib(), without, with;

    (void)state;
    run(RUN_MS);
    without = slab_kib() - before;
    attach("LEAK", 1);
    before = slab_kib();
    run(RUN_MS);
    with = slab_kib() - before;
    detach("LEAK", 1);
    print_message("# slab memory grew by %d KiB, with the leak by %d KiB\n", (int)without, (int)with);
    assert_true(with > 4 * without && with > LEAK_KIB);
}

static void size_allocates_too_little(void **state)
{
    (void)state;
    attach("SIZE", 5);
    run(RUN_MS);
    free(says("BUG"));
}

/* A process that is to become a program begins with such a structure, of some 400 bytes. */
static void size_allocates_too_little_for_a_structure(void **state)
{
    unsigned half, whole, cache = 8;
    char overrun[64], *said;

    (void)state;
    machine_guest("quiesce");
    machine_guest("sync");
    attach("SIZE", 1);
    machine_guest_try("stap NONE");
    said = says("wcr: fault activated SIZE .* by kmalloc_trace, .* for alloc_bprm");
    assert_int_equal(sscanf(strstr(said, "SIZE"), "SIZE %u of %u bytes", &half, &whole), 2);
    free(said);
    assert_int_equal(half, whole / 2);
    while (cache < half)
        cache *= 2;
    snprintf(overrun, sizeof(overrun), "BUG kmalloc-%u .*: Right Redzone overwritten", cache);
    free(says(overrun));
}

/* Its own work is not what a fault is for: at this rate it would be the first that is struck. */
static void the_loader_is_spared(void **state)
{
    char *said;

    (void)state;
    attach("SIZE", 1);
    run(RUN_MS);
    said = says("wcr: fault activated");
    assert_null(strstr(said, "comm stap"));
    free(said);
}

static void irq_leaves_interrupts_off(void **state)
{
    (void)state;
    attach("IRQ", 20);
    run(RUN_MS);
    free(says("wcr: fault activated IRQ interrupts off"));
    detach("IRQ", 20);
}

/*
 * Where a copy runs on to, and whether that is ever looked at, nobody knows; and a guest that
 * dies of it may take the message along.
 */
static void copy_runs_on_behind_its_end(void **state)
{
    unsigned told = 0, harmed = 0;

    for (unsigned seed = 1; seed <= COPIES; seed++) {
        json_t *reply;

        machine_from_warm(state);
        reply = machine_call(0, "{s:s, s:s, s:{s:i, s:i, s:i}, s:i}", "cmd", "inject", "class", "COPY",
                             "params", "lo", 300, "hi", 300, "seed", (int)seed, "deadline_ms", RUN_MS);
        told += !machine_try(NULL, "grep -E 'wcr: fault activated COPY [0-9]+ \\+ [0-9]+ bytes' " LOG);
        harmed += strcmp(machine_text(reply, "outcome"), "no_crash") ||
                  !machine_try(NULL, "grep -E 'BUG .*(Redzone|Poison|padding) overwritten' " LOG);
        json_decref(reply);
    }
    print_message("# of %d guests %u told of a copy, %u were harmed\n", COPIES, told, harmed);
    assert_true(told >= COPIES / 2 && harmed > 0);
}

/* Whether the guest's memory holds the byte: a plan that says so is not refused. */
static bool guest_holds(const char *va, const char *byte)
{
    json_t *request = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:i}", "cmd", "inject", "class", "TEXT", "plan",
                                "va", va, "old", byte, "new", byte, "deadline_ms", 1);
    struct err err = {0};
    int r = testbed_agent_call(machine, request, CALL_MS, NULL, &err);

    json_decref(request);
    if (r && r != -ESTALE)
        fail_msg("%s", err.msg);
    return !r;
}

/* A task that ran since may have written there: not all flips are still to be seen. */
static void stack_flips_a_bit(void **state)
{
    unsigned seen = 0;

    for (unsigned seed = 1; seed <= STACKS; seed++) {
        char va[24], byte[3], *said;

        machine_from_warm(state);
        machine_guest("quiesce");
        if (machine_guest_try("stap STACK seed=%u", seed))
            continue;
        said = says("wcr: fault activated STACK");
        assert_int_equal(sscanf(strstr(said, ", 0x") + 2, "%23s is 0x%2s", va, byte), 2);
        seen += guest_holds(va, byte);
        free(said);
    }
    print_message("# %u of %d flips seen from domain 0\n", seen, STACKS);
    assert_true(seen >= STACKS / 2);
}

static void panic_panics(void **state)
{
    (void)state;
    /* The guest ends before it could answer. */
    json_decref(machine_call(0, "{s:s, s:s, s:{s:i}, s:i}", "cmd", "inject", "class", "PANIC", "params",
                             "seed", 1, "deadline_ms", 5000));
    free(says("Kernel panic - not syncing: wcr: injected"));
}

static int setup(void **state)
{
    struct testbed_options options = {.dom0_append = "wcr.agent=--cmdline=slub_debug=FZPU"};

    (void)state;
    if (machine_boot(&options))
        return -1;
    json_decref(machine_call(0, "{s:s, s:i, s:i}", "cmd", "guest_start", "files", 16, "blocks_per_file", 32));
    machine_save("warm");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_fault_nothing_is_told, machine_from_warm),
        cmocka_unit_test_setup(alloc_returns_nothing, machine_from_warm),
        cmocka_unit_test_setup(free_frees_what_is_used, machine_from_warm),
        cmocka_unit_test_setup(leak_loses_memory, machine_from_warm),
        cmocka_unit_test_setup(size_allocates_too_little, machine_from_warm),
        cmocka_unit_test_setup(size_allocates_too_little_for_a_structure, machine_from_warm),
        cmocka_unit_test_setup(the_loader_is_spared, machine_from_warm),
        cmocka_unit_test_setup(irq_leaves_interrupts_off, machine_from_warm),
        cmocka_unit_test(copy_runs_on_behind_its_end),
        cmocka_unit_test(stack_flips_a_bit),
        cmocka_unit_test_setup(panic_panics, machine_from_warm),
    };

    return cmocka_run_group_tests_name("run-time faults, end to end", tests, setup, machine_down);
}
