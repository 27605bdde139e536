// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mechanism over several file systems, on one machine. Catches: one that gets no warm cache, or
 * wrong pages from it; parts of pages, or large requests, that are taken for what they are not;
 * a journal that is written to files behind their pages when it is replayed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/tests/machine.h"

#define FILES 8
#define BLOCKS 128
#define DISK "/dev/dm-0"
/* Where the old DOS began: nothing is aligned to anything. */
#define PARTITION_SECTOR 63
/* Of a request without indirect descriptors: 11 pages. */
#define DIRECT_SECTORS 88

#define JOURNALLED 1        /* an unclean end loses nothing that was synced, and mixes up no data */
#define LARGE      2        /* makes folios of more than a page */
#define SMALL      4        /* blocks of a KiB */
#define PARTITION  8        /* on a partition */
#define COMPACTED  16       /* the kernel moves pages about before the panic */

struct kind {
    const char *name, *mkfs, *type, *options;
    int vcpus;
    unsigned flags;
};

#define EXT(version, blocksize) "/sbin/mke2fs -q -F -t ext" version " -b " blocksize

static const struct kind kinds[] = {
    {"ext2", EXT("2", "4096"), "ext2", "", 1, 0},
    {"ext3_ordered", EXT("3", "4096"), "ext3", "data=ordered", 1, JOURNALLED},
    {"ext3_writeback", EXT("3", "4096"), "ext3", "data=writeback", 1, 0},
    {"ext3_journal", EXT("3", "4096"), "ext3", "data=journal", 1, JOURNALLED},
    {"ext4_ordered", EXT("4", "4096"), "ext4", "data=ordered,discard", 2, JOURNALLED},
    {"ext4_writeback", EXT("4", "4096"), "ext4", "data=writeback", 1, COMPACTED},
    {"ext4_journal", EXT("4", "4096"), "ext4", "data=journal", 1, JOURNALLED},
    {"ext4_1k", EXT("4", "1024"), "ext4", "", 1, JOURNALLED | SMALL},
    {"ext4_partition", EXT("4", "4096") " -E offset=32256", "ext4", "", 1, JOURNALLED | PARTITION},
    {"xfs", "mkfs.xfs --unsupported -q -f", "xfs", "", 1, JOURNALLED | LARGE},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The guest's disk from now on; @how: create, or load while it is suspended. */
static void disk_set(const char *how, const char *target, const char *parameters)
{
    machine_exec("%s --table \"0 $(blockdev --getsz /dev/vdb) %s /dev/vdb %s\"", how, target,
                 parameters);
}

/* A guest on a new file system, standing still, its journal empty and its cache filled by reading. */
static void start(const struct kind *k)
{
    bool partition = k->flags & PARTITION;

    machine_restore("bare");
    /* One entry of type Linux: first sector and number of sectors. */
    if (partition)
        machine_exec("printf '\\0\\0\\0\\0\\203\\0\\0\\0\\%o\\0\\0\\0\\0\\0\\3\\0' | "
                     "dd of=" DISK " bs=1 seek=446 conv=notrunc 2>/dev/null && "
                     "printf '\\125\\252' | dd of=" DISK " bs=1 seek=510 conv=notrunc 2>/dev/null",
                     PARTITION_SECTOR);
    machine_exec("%s " DISK "%s", k->mkfs, partition ? " 64M" : "");
    json_decref(machine_call(0, "{s:s, s:i, s:i, s:s, s:s, s:i, s:i}", "cmd", "guest_start", "files",
                             FILES, "blocks_per_file", BLOCKS, "filesystem", k->type,
                             "mount_options", k->options, "vcpus", k->vcpus, "partition", partition));
    machine_guest_quiet();
    machine_guest("checkpoint");
    machine_guest("drop_caches 1");
}

static int64_t backend_count(const char *name)
{
    int64_t n;
    char *text;

    assert_int_equal(machine_try(&text, "cat /sys/bus/xen-backend/devices/vbd-*-51712/statistics/%s",
                                 name), 0);
    n = strtoll(text, NULL, 10);
    free(text);
    return n;
}

/* Into the cache, in requests that need indirect descriptors. */
static void read_all(void)
{
    int64_t sectors = backend_count("rd_sect"), requests = backend_count("rd_req");

    for (unsigned f = 0; f < FILES; f++)
        assert_int_equal(machine_guest_number("bad", "read %u", f), 0);
    sectors = backend_count("rd_sect") - sectors;
    requests = backend_count("rd_req") - requests;
    assert_true(sectors > FILES * BLOCKS / 2 * 8);
    assert_true(sectors > requests * DIRECT_SECTORS);
}

/* Pages whose parts lie in several places on the disk: written so, and read so. */
static void scatter(void)
{
    assert_int_equal(machine_guest_number("scattered", "scatter 2"), BLOCKS);
    assert_int_equal(machine_guest_number("scattered", "scatter 4"), BLOCKS);
    machine_guest("drop 4 0 %d 1", BLOCKS);
    machine_guest("read 4");
}

static int64_t migrated(void)
{
    return machine_guest_number("pgmigrate_success", "cat /proc/vmstat");
}

/* Copied pages are not the ones that were read: which ones are moved, nobody knows. */
static void compact(void)
{
    int64_t before = migrated();

    machine_guest("set /proc/sys/vm/compact_memory 1");
    assert_true(migrated() > before);
}

/* Returns how many operations of the workload had failed. */
static int64_t panic(int delay_ms)
{
    json_t *reply = machine_call(0, "{s:s, s:s, s:{}, s:i}", "cmd", "inject", "class", "PANIC",
                                 "params", "delay_ms", delay_ms);
    int64_t errors;

    assert_string_equal(machine_text(reply, "outcome"), "kernel_crash");
    assert_int_equal(machine_number(reply, "content_errors"), 0);
    errors = machine_number(reply, "op_errors");
    json_decref(reply);
    return errors;
}

static void verify_crash(void)
{
    json_t *reply = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "crash");

    assert_true(machine_number(reply, "pages_checked") > FILES * BLOCKS / 2);
    assert_int_equal(machine_number(reply, "pages_inconsistent"), 0);
    json_decref(reply);
}

static void next_life(const char *mode, struct machine_life *life, struct machine_file *file)
{
    *life = machine_reboot(mode);
    machine_survey(life, file, FILES);
    machine_life_done(life);
}

/* A file that no worker writes. */
static bool is_cold(unsigned f)
{
    return f % 4 != 3;
}

static unsigned expected_reuse(const struct kind *k, unsigned f)
{
    return k->flags & SMALL && (f == 2 || f == 4) ? 0 : BLOCKS;
}

/* What the disk alone has lost is no fault of the cache: a cold life of the same crash tells. */
static void same_as_cold(const struct machine_life *warm, const struct machine_file *file)
{
    struct machine_file cold_file[FILES];
    struct machine_life cold;

    machine_restore("crash");
    next_life("cold", &cold, cold_file);
    assert_int_equal(cold.reused, 0);
    assert_int_equal(warm->read_errors, cold.read_errors);
    assert_int_equal(warm->content_errors, cold.content_errors);
    for (unsigned f = 0; f < FILES; f++) {
        assert_int_equal(file[f].error, cold_file[f].error);
        assert_int_equal(file[f].there, cold_file[f].there);
        assert_int_equal(file[f].blocks, cold_file[f].blocks);
        assert_int_equal(file[f].bad, cold_file[f].bad);
    }
}

static void survives_a_panic(void **state)
{
    const struct kind *k = *state;
    struct machine_file file[FILES];
    struct machine_life warm;

    start(k);
    read_all();
    if (k->flags & SMALL)
        scatter();
    assert_int_equal(machine_guest_number("large", "folios 0") > 0, !!(k->flags & LARGE));
    if (k->flags & COMPACTED)
        compact();
    machine_guest("resume");
    panic(300);
    verify_crash();
    machine_save("crash");
    next_life("enabled", &warm, file);
    assert_int_equal(warm.inconsistent, 0);
    /* What nobody wrote is all there. */
    for (unsigned f = 0; f < FILES; f++) {
        if (!is_cold(f))
            continue;
        assert_int_equal(file[f].error, 0);
        assert_int_equal(file[f].blocks, BLOCKS);
        assert_int_equal(file[f].bad, 0);
        if (!(k->flags & COMPACTED))
            assert_int_equal(file[f].reused, expected_reuse(k, f));
    }
    if (k->flags & JOURNALLED) {
        assert_int_equal(warm.read_errors, 0);
        assert_int_equal(warm.content_errors, 0);
    } else {
        same_as_cold(&warm, file);
    }
}

/* ---- a disk that fails ---------------------------------------------- */

/* Every other second, reads and writes alike, also of the journal. */
static void disk_fails_under_load(void **state)
{
    static const struct kind k = {"", EXT("4", "4096"), "ext4", "", 1, 0};
    struct machine_file file[FILES];
    struct machine_life warm;

    (void)state;
    start(&k);
    read_all();
    disk_set("dmsetup suspend data && dmsetup load data", "flakey", "0 1 1");
    machine_exec("dmsetup resume data");
    machine_guest("resume");
    assert_true(panic(4000) > 0);
    disk_set("dmsetup suspend data && dmsetup load data", "linear", "0");
    machine_exec("dmsetup resume data");
    verify_crash();
    machine_save("crash");
    next_life("enabled", &warm, file);
    assert_int_equal(warm.inconsistent, 0);
    same_as_cold(&warm, file);
}

/* ---- the journal ---------------------------------------------------- */

/* Of the block of the workload's that lies at @sector, past every cache. */
static int64_t version_on_disk(int64_t sector)
{
    int64_t version;
    char *text;

    assert_int_equal(machine_try(&text, "echo 3 >/proc/sys/vm/drop_caches; dd if=" DISK
                                 " bs=512 count=1 skip=%" PRId64 " 2>/dev/null | "
                                 "od -A n -t u4 -j 24 -N 4", sector), 0);
    version = strtoll(text, NULL, 10);
    free(text);
    return version;
}

enum { UNTOUCHED = 0, IN_PLACE = 1, IN_JOURNAL = 2, TWICE = 4, NOT_COMMITTED = 5 };

/*
 * Files whose blocks the journal holds, with what is in place already and without. The pages were
 * written last to the journal, or equal their block until the replay writes it.
 */
static void replay_writes_behind_pages(void **state)
{
    struct machine_file off_file[FILES], file[FILES];
    struct machine_life off, on;
    int64_t in_place, in_journal;
    static const struct kind k = {"", EXT("4", "4096"), "ext4", "data=journal,commit=300", 1, 0};

    (void)state;
    start(&k);
    read_all();
    /* Asked for now: it empties the journal. */
    in_place = machine_guest_number("sector", "sector %d 8", IN_PLACE);
    in_journal = machine_guest_number("sector", "sector %d 8", IN_JOURNAL);
    machine_guest_no_writeback();
    machine_guest("write %d 8 16 sync", IN_PLACE);
    machine_guest("sync");
    machine_guest("write %d 8 16 sync", IN_JOURNAL);
    machine_guest("write %d 8 16 sync", TWICE);
    machine_guest("write %d 8 16 sync", TWICE);
    machine_guest("write %d 8 16 sync", NOT_COMMITTED);
    machine_guest("write %d 8 16", NOT_COMMITTED);
    assert_int_equal(version_on_disk(in_place), 2);
    assert_int_equal(version_on_disk(in_journal), 1);
    verify_crash();
    machine_save("crash");

    next_life("disabled", &off, off_file);
    assert_int_equal(off_file[NOT_COMMITTED].inconsistent, 16);
    machine_restore("crash");
    next_life("enabled", &on, file);
    assert_int_equal(on.inconsistent, 0);
    assert_int_equal(on.read_errors, 0);
    assert_int_equal(on.content_errors, 0);
    assert_int_equal(version_on_disk(in_journal), 2);
    assert_int_equal(file[UNTOUCHED].reused, BLOCKS);
    assert_int_equal(file[IN_PLACE].reused, BLOCKS - 16);
    assert_int_equal(file[IN_JOURNAL].reused, BLOCKS - 16);
    assert_int_equal(file[TWICE].reused, BLOCKS - 16);
    assert_int_equal(file[NOT_COMMITTED].reused, BLOCKS - 16);
}

static int setup(void **state)
{
    static const struct testbed_options options = {
        .dom0_append = "wcr.agent=--data-disk wcr.agent=" DISK,
    };

    (void)state;
    if (machine_boot(&options))
        return -1;
    disk_set("dmsetup create data --noudevsync", "linear", "0");
    machine_save("bare");
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[KINDS + 2] = {
        cmocka_unit_test(replay_writes_behind_pages),
        cmocka_unit_test(disk_fails_under_load),
    };

    for (size_t i = 0; i < KINDS; i++)
        tests[2 + i] = (struct CMUnitTest){.name = kinds[i].name, .test_func = survives_a_panic,
                                           .initial_state = (void *)&kinds[i]};
    return cmocka_run_group_tests_name("file systems, end to end", tests, setup, machine_down);
}
