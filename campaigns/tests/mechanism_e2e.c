// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mechanism, end to end, on one testbed: a warm guest is snapshotted once and every
 * test starts from there. Catches: pages lost over a crash, a page reused although
 * it no longer equals the disk (the one thing that must never happen), and a comparison
 * without teeth: each attack must do harm where consistency is off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>

#include "testbed/tests/machine.h"

#define FILES 16
#define BLOCKS 64
#define ALL_BLOCKS (FILES * BLOCKS)
#define SECTORS_PER_BLOCK 8

static struct machine_life reboot(const char *mode)
{
    struct machine_life life = machine_reboot(mode);

    /* The workload may have cut some. */
    assert_true(life.blocks >= ALL_BLOCKS / 2);
    machine_life_done(&life);
    return life;
}

/*
 * The same instant rebooted both ways: wrong data where consistency is off, never where
 * it is on, and there the other pages are still reused.
 */
static void harms_only_disabled(void)
{
    struct machine_life off, on;

    machine_save("attack");
    off = reboot("disabled");
    machine_restore("attack");
    on = reboot("enabled");
    assert_true(off.corrupt > 0);
    assert_true(off.content_errors > 0);
    assert_int_equal(on.inconsistent, 0);
    assert_int_equal(on.content_errors, 0);
    assert_true(on.reused >= on.blocks * 8 / 10);
}

/* Catches: faults, crashes or wrong pages where nothing was injected. */
static void golden_run_is_clean(void **state)
{
    json_t *reply;
    struct machine_life r;

    (void)state;
    reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 1000);
    assert_string_equal(machine_text(reply, "outcome"), "no_crash");
    assert_int_equal(machine_number(reply, "content_errors"), 0);
    assert_true(machine_number(reply, "ops") > 0);
    json_decref(reply);
    reply = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "crash");
    assert_true(machine_number(reply, "pages_checked") > 0);
    assert_int_equal(machine_number(reply, "pages_inconsistent"), 0);
    json_decref(reply);
    r = reboot("enabled");
    assert_true(r.reused > 0);
    assert_int_equal(r.inconsistent, 0);
    assert_int_equal(r.content_errors, 0);
}

/* Catches: a warm reboot that reads what it has, or that only seems not to. */
static void panic_keeps_the_cache(void **state)
{
    json_t *reply;
    struct machine_life warm, cold;

    (void)state;
    machine_guest_quiet();
    reply = machine_call(0, "{s:s, s:s, s:{}, s:i}", "cmd", "inject", "class", "PANIC", "params",
                 "deadline_ms", 10000);
    assert_string_equal(machine_text(reply, "outcome"), "kernel_crash");
    json_decref(reply);
    machine_save("panic");
    warm = reboot("enabled");
    machine_restore("panic");
    cold = reboot("cold");
    assert_int_equal(warm.inconsistent, 0);
    assert_int_equal(warm.content_errors, 0);
    assert_true(warm.reused >= warm.blocks * 8 / 10);
    assert_int_equal(cold.reused, 0);
    assert_int_equal(cold.content_errors, 0);
    /* The disk tells the same, past all our counters. */
    assert_true(cold.read_sectors >= cold.blocks * SECTORS_PER_BLOCK);
    assert_true(cold.read_sectors - warm.read_sectors >=
                warm.blocks * SECTORS_PER_BLOCK * 8 / 10);
}

static int64_t inode_of(unsigned file)
{
    return machine_guest_number("inode", "inode %u", file);
}

static void poke(const char *what, unsigned file)
{
    machine_guest("poke %s %" PRId64 " 5 100 165", what, inode_of(file));
}

/* Catches: a store into a clean page that goes unseen. */
static void wild_store(void **state)
{
    (void)state;
    machine_guest_quiet();
    poke("store", 1);
    harms_only_disabled();
}

/* Catches: a store while the page is being read from the disk that goes unseen. */
static void store_in_flight_read(void **state)
{
    (void)state;
    machine_guest_quiet();
    machine_guest("drop_caches 1");
    poke("store_inflight_read", 1);
    for (unsigned f = 0; f < FILES; f++)
        machine_guest("read %u", f);
    harms_only_disabled();
}

/* Catches: a store while the page is being written to the disk that goes unseen. */
static void store_in_flight_write(void **state)
{
    (void)state;
    machine_guest_quiet();
    poke("store_inflight_write", 3);
    machine_guest("rewrite 3");
    harms_only_disabled();
}

/* Catches: a wrong entry in the cache-mapping table that is believed. */
static void wrong_mapping(void **state)
{
    (void)state;
    machine_guest_quiet();
    machine_guest("poke badmap %" PRId64 " 5 %" PRId64 " 5", inode_of(1), inode_of(2));
    harms_only_disabled();
}

static int setup(void **state)
{
    (void)state;
    return machine_up(FILES, BLOCKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(golden_run_is_clean, machine_from_warm),
        cmocka_unit_test_setup(panic_keeps_the_cache, machine_from_warm),
        cmocka_unit_test_setup(wild_store, machine_from_warm),
        cmocka_unit_test_setup(store_in_flight_read, machine_from_warm),
        cmocka_unit_test_setup(store_in_flight_write, machine_from_warm),
        cmocka_unit_test_setup(wrong_mapping, machine_from_warm),
    };

    return cmocka_run_group_tests_name("mechanism, end to end", tests, setup, machine_down);
}
