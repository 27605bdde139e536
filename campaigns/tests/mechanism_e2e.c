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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/tests/machine.h"

#define FILES 16
#define BLOCKS 64
#define ALL_BLOCKS (FILES * BLOCKS)
#define SECTORS_PER_BLOCK 8

/* What the next life found. */
struct result {
    int64_t blocks;         /* of all files, each read once: the workload may have cut some */
    int64_t reused, corrupt, inconsistent, read_sectors, content_errors;
};

/* A command of the guest that must succeed. *ret_value: the number behind "KEY=" in its answer. */
static void guest(const char *line, const char *key, int64_t *ret_value)
{
    json_t *reply = machine_call(0, "{s:s, s:s}", "cmd", "guest_command", "line", line);
    const char *answer = machine_text(reply, "answer");
    const char *at = key ? strstr(answer, key) : NULL;
    int64_t rc = machine_number(reply, "rc");

    if (rc)
        fail_msg("the guest's '%s' failed: rc=%" PRId64 " %s", line, rc, answer);
    if (key) {
        assert_non_null(at);
        *ret_value = strtoll(at + strlen(key), NULL, 10);
    }
    json_decref(reply);
}

static int64_t inode_of(unsigned file)
{
    char line[32];
    int64_t inode;

    snprintf(line, sizeof(line), "inode %u", file);
    guest(line, "inode=", &inode);
    return inode;
}

/* The workers stand still, and everything cached is clean. */
static void quiet(void)
{
    guest("quiesce", NULL, NULL);
    guest("sync", NULL, NULL);
}

static struct result reboot(const char *mode)
{
    json_t *reboot = machine_call(0, "{s:s, s:s}", "cmd", "reboot", "mode", mode);
    json_t *verify;
    struct result r;

    if (!json_is_true(json_object_get(reboot, "booted")))
        fail_msg("%s: the guest did not boot again: %s", mode,
                 machine_text(reboot, "reason"));
    verify = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "reboot");
    r = (struct result){
        .blocks = machine_number(reboot, "blocks_read"),
        .reused = machine_number(verify, "pages_reused"),
        .corrupt = machine_number(verify, "pages_corrupt"),
        .inconsistent = machine_number(verify, "pages_inconsistent"),
        .read_sectors = machine_number(reboot, "read_sectors"),
        .content_errors = machine_number(reboot, "content_errors"),
    };
    assert_true(r.blocks >= ALL_BLOCKS / 2);
    print_message("# %s: %" PRId64 " pages reused, %" PRId64 " corrupt, %" PRId64
                  " sectors read, %" PRId64 " wrong blocks seen by the guest\n", mode, r.reused,
                  r.corrupt, r.read_sectors, r.content_errors);
    json_decref(reboot);
    json_decref(verify);
    return r;
}

/*
 * The same instant rebooted both ways: wrong data where consistency is off, never where
 * it is on, and there the other pages are still reused.
 */
static void harms_only_disabled(void)
{
    struct result off, on;

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
    struct result r;

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
    struct result warm, cold;

    (void)state;
    quiet();
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

static void poke(const char *what, int64_t inode)
{
    char line[128];

    snprintf(line, sizeof(line), "poke %s %" PRId64 " 5 100 165", what, inode);
    guest(line, NULL, NULL);
}

/* Catches: a store into a clean page that goes unseen. */
static void wild_store(void **state)
{
    (void)state;
    quiet();
    poke("store", inode_of(1));
    harms_only_disabled();
}

/* Catches: a store while the page is being read from the disk that goes unseen. */
static void store_in_flight_read(void **state)
{
    (void)state;
    quiet();
    guest("drop_caches 1", NULL, NULL);
    poke("store_inflight_read", inode_of(1));
    for (unsigned f = 0; f < FILES; f++) {
        char line[32];

        snprintf(line, sizeof(line), "read %u", f);
        guest(line, NULL, NULL);
    }
    harms_only_disabled();
}

/* Catches: a store while the page is being written to the disk that goes unseen. */
static void store_in_flight_write(void **state)
{
    (void)state;
    quiet();
    poke("store_inflight_write", inode_of(3));
    guest("rewrite 3", NULL, NULL);
    harms_only_disabled();
}

/* Catches: a wrong entry in the cache-mapping table that is believed. */
static void wrong_mapping(void **state)
{
    char line[128];

    (void)state;
    quiet();
    snprintf(line, sizeof(line), "poke badmap %" PRId64 " 5 %" PRId64 " 5", inode_of(1),
             inode_of(2));
    guest(line, NULL, NULL);
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
