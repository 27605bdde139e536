// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every way in which a disk block changes behind the page that caches it, or in which a file's page
 * comes to cache another block, each on files of its own, on one guest; then one crash, and two next
 * lives: with consistency off, which must show the harm that a way can do, and with it on, which must
 * not, and must still reuse all else. Catches: a change of a block that is not announced, announced
 * late, or that spoils too much.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/tests/machine.h"

/* Half of them are for the changes in the second life. */
#define FILES_PER_LIFE 44
#define FILES (2 * FILES_PER_LIFE)
#define BLOCKS 32
#define NAMES_TOLD (FILES - 2)
#define DISK "/dev/dm-0"

enum harm {
    NO_HARM,
    STALE,          /* memory and disk differ, and either may be right */
    WRONG,          /* the guest reads what never was in that place, or no longer may be */
};

struct life {
    struct machine_life all;
    struct machine_file file[FILES];
};

/* Changes, and the two next lives after them. */
struct run {
    const char *name;
    unsigned first_file;
    unsigned only, without;     /* flags */
    struct life off, on;
};

struct way {
    const char *name;
    void (*change)(unsigned file);
    enum harm harm;             /* where consistency is off */
    unsigned least, most;       /* pages of the file that are reused where it is on */
    unsigned flags;
};

#define SECOND  1               /* changes the file after it, too */
#define DIRTY   2               /* leaves something that no sync may come after */
#define EXTENTS 4               /* only where files are made of extents */

/* ---- the ways ------------------------------------------------------- */

static void nothing(unsigned f)
{
    (void)f;
}

/* Reading ahead finds pages to take over next to pages to read. */
static void every_second_dropped(unsigned f)
{
    machine_guest("drop %u 0 %u 2", f, BLOCKS);
}

static void direct_overwrite(unsigned f)
{
    machine_guest("write %u 8 16 direct sync", f);
}

static void device_write(unsigned f)
{
    machine_guest("device write %u 8 16", f);
}

static void device_write_parts(unsigned f)
{
    machine_guest("device parts %u 8 16", f);
}

static void device_zero(unsigned f)
{
    machine_guest("device zero %u 8 16", f);
}

static void device_discard(unsigned f)
{
    machine_guest("device discard %u 0 %u", f, BLOCKS);
}

static void write_synced(unsigned f)
{
    machine_guest("write %u 8 16 sync", f);
}

static void mmap_synced(unsigned f)
{
    machine_guest("write %u 8 16 mmap msync sync", f);
}

/* The mapping stays, clean and read-only, while the page is reusable. */
static void mmap_kept_synced(unsigned f)
{
    machine_guest("write %u 8 16 keep msync sync", f);
}

static void mmap_kept_dirty(unsigned f)
{
    machine_guest("write %u 8 16 keep msync sync", f);
    machine_guest("write %u 8 16 keep", f);
}

static void mmap_dirty(unsigned f)
{
    machine_guest("write %u 8 16 mmap", f);
}

static void write_dirty(unsigned f)
{
    machine_guest("write %u 8 16", f);
}

static void punch_hole(unsigned f)
{
    machine_guest("punch %u 8 16", f);
}

static void zero_range(unsigned f)
{
    machine_guest("zero %u 8 16", f);
}

static void rename_over(unsigned f)
{
    machine_guest("replace %u", f);
}

/* The pages have moved to other blocks, and nothing was stored into them. */
static void defragmented(unsigned f)
{
    machine_guest("defrag %u", f);
}

/* No other block is free when the file is written than those that the other one had. */
static void block_reuse(unsigned f)
{
    int64_t was = machine_guest_number("sector", "sector %u 0", f + 1);
    bool taken = false;

    machine_guest("set /sys/fs/ext4/xvda/reserved_clusters 0");
    machine_guest("unlink %u sync", f);
    machine_guest("sync");
    machine_guest("fill");
    machine_guest("truncate %u 0 sync", f + 1);
    machine_guest("create %u", f);
    machine_guest("write %u 0 %u sync", f, BLOCKS);
    machine_guest("fill undo");
    for (unsigned b = 0; b < BLOCKS; b++)
        taken |= machine_guest_number("sector", "sector %u %u", f, b) == was;
    assert_true(taken);
}

/* And what it held is discarded. */
static void unlink_and_trim(unsigned f)
{
    machine_guest("unlink %u sync", f);
    machine_guest("sync");
    assert_true(machine_guest_number("trimmed", "trim") > 0);
}

/* The pages of the file become the target of another file's direct read. */
static void direct_read_into_mapping(unsigned f)
{
    machine_guest("steal %u 8 16 0", f);
}

/*
 * Data in place, metadata not: the file's blocks are new ones on the disk, its old ones again after
 * the crash.
 */
static void rewritten_not_committed(unsigned f)
{
    machine_guest("truncate %u 0", f);
    machine_guest("write %u 0 %u data", f, BLOCKS);
}

/* What lay behind is cached further up, where it will not be after the crash. */
static void collapsed_not_committed(unsigned f)
{
    machine_guest("collapse %u 8 8", f);
    machine_guest("read %u", f);
}

/* The same with a new file, whose inode was another's: what is cached for that inode is not its file's. */
static void inode_of_another_not_committed(unsigned f)
{
    int64_t inode = machine_guest_number("inode", "inode %u", f);

    machine_guest("unlink %u", f);
    machine_guest("create %u", f + 1);
    assert_int_equal(machine_guest_number("inode", "inode %u", f + 1), inode);
    machine_guest("write %u 0 %u data", f + 1, BLOCKS);
}

/* No free inode comes before that of @f, and the file after it is gone. */
static void inodes_in_order(unsigned f)
{
    int64_t inode = machine_guest_number("inode", "inode %u", f), next;

    machine_guest("unlink %u", f + 1);
    for (unsigned spare = f;; spare--) {
        machine_guest("create %u", f + 1);
        next = machine_guest_number("inode", "inode %u", f + 1);
        machine_guest("unlink %u", f + 1);
        if (next > inode)
            break;
        machine_guest("create %u spare", spare);
    }
    machine_guest("sync");
}

/* ---- a disk that fails ---------------------------------------------- */

/* The blocks of @f, which lie together, cannot be read or written. */
static void disk_fails_at(unsigned f)
{
    int64_t first = machine_guest_number("sector", "sector %u 0", f);
    int64_t last = machine_guest_number("sector", "sector %u %u", f, BLOCKS - 1);
    int64_t end = last + 8;

    assert_int_equal(last - first, (BLOCKS - 1) * 8);
    machine_exec("n=$(blockdev --getsz /dev/vdb) && dmsetup suspend data && dmsetup load data <<E\n"
                 "0 %" PRId64 " linear /dev/vdb 0\n"
                 "%" PRId64 " %" PRId64 " error\n"
                 "%" PRId64 " $((n - %" PRId64 ")) linear /dev/vdb %" PRId64 "\n"
                 "E\ndmsetup resume data", first, first, end - first, end, end, end);
}

static void disk_is_well(void)
{
    machine_exec("dmsetup suspend data && dmsetup load data --table "
                 "\"0 $(blockdev --getsz /dev/vdb) linear /dev/vdb 0\" && dmsetup resume data");
}

static void failed_write(unsigned f)
{
    disk_fails_at(f);
    assert_int_equal(machine_guest_try("write %u 8 16 sync", f), -EIO);
    disk_is_well();
}

static void failed_read(unsigned f)
{
    machine_guest("drop %u 0 %u 1", f, BLOCKS);
    disk_fails_at(f);
    assert_int_equal(machine_guest_try("read %u", f), -EIO);
    disk_is_well();
}

static void failed_read_then_good(unsigned f)
{
    failed_read(f);
    assert_int_equal(machine_guest_number("bad", "read %u", f), 0);
}

/* ---- all of them, then the crash ------------------------------------ */

#define WAY(name, harm, least, most, flags) {#name, name, harm, least, most, flags}

static const struct way ways[] = {
    WAY(nothing, NO_HARM, BLOCKS, BLOCKS, 0),
    WAY(every_second_dropped, NO_HARM, BLOCKS / 2, BLOCKS / 2, 0),
    WAY(direct_overwrite, NO_HARM, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(device_write, WRONG, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(device_write_parts, WRONG, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(device_zero, WRONG, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(device_discard, STALE, 0, 0, 0),
    WAY(write_synced, NO_HARM, BLOCKS, BLOCKS, 0),
    WAY(mmap_synced, NO_HARM, BLOCKS, BLOCKS, 0),
    WAY(mmap_kept_synced, NO_HARM, BLOCKS, BLOCKS, 0),
    WAY(punch_hole, NO_HARM, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(zero_range, NO_HARM, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(rename_over, NO_HARM, BLOCKS, BLOCKS, 0),
    WAY(defragmented, NO_HARM, BLOCKS, BLOCKS, EXTENTS),
    WAY(block_reuse, NO_HARM, BLOCKS, BLOCKS, SECOND),
    WAY(unlink_and_trim, NO_HARM, 0, 0, 0),
    WAY(failed_read, WRONG, 0, 0, 0),
    WAY(failed_read_then_good, NO_HARM, BLOCKS, BLOCKS, 0),
    WAY(failed_write, STALE, BLOCKS - 16, BLOCKS - 16, 0),
    WAY(mmap_kept_dirty, STALE, BLOCKS - 16, BLOCKS - 16, DIRTY),
    WAY(mmap_dirty, STALE, BLOCKS - 16, BLOCKS - 16, DIRTY),
    WAY(write_dirty, STALE, BLOCKS - 16, BLOCKS - 16, DIRTY),
    WAY(direct_read_into_mapping, WRONG, BLOCKS - 16, BLOCKS - 16, DIRTY),
    WAY(collapsed_not_committed, WRONG, 8, 8, DIRTY | EXTENTS),
    WAY(rewritten_not_committed, STALE, 0, 0, DIRTY),
    WAY(inode_of_another_not_committed, WRONG, 0, 0, SECOND | DIRTY),
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* The workers write every fourth file: leave these alone. */
static unsigned next_file(unsigned f)
{
    return f % 4 == 3 ? f + 1 : f;
}

/* The file that is changed in the first life. */
static unsigned file_of(const struct way *w)
{
    unsigned f = 0;

    for (const struct way *v = ways;; v++) {
        f = next_file(f);
        /* Two of one way lie side by side. */
        if (v->flags & SECOND && f % 4 == 2)
            f += 2;
        assert_true(f + 1 < FILES_PER_LIFE);
        if (v == w)
            return f;
        f += v->flags & SECOND ? 2 : 1;
    }
}

/* From here on nothing is written back, or committed, by itself. */
static void before_dirty(unsigned base)
{
    inodes_in_order(base + file_of(&ways[WAYS - 1]));
    machine_guest_no_writeback();
}

static struct run runs[] = {
    {.name = "", .first_file = 0},
    /* In the second life, to reused pages. */
    {.name = "reused_", .first_file = FILES_PER_LIFE},
    /* Whose data is ordered before the metadata, and allocated when it is written. */
    {.name = "ext3_", .first_file = 0, .only = DIRTY, .without = EXTENTS},
};

#define RUNS (sizeof(runs) / sizeof(runs[0]))

static bool is_part_of(const struct way *w, const struct run *r)
{
    return (w->flags & r->only) == r->only && !(w->flags & r->without);
}

static void change_all(const struct run *r)
{
    for (const struct way *w = ways; w < ways + WAYS; w++) {
        if (!is_part_of(w, r))
            continue;
        if (w->flags & DIRTY && !(w[-1].flags & DIRTY))
            before_dirty(r->first_file);
        w->change(r->first_file + file_of(w));
    }
}

static void life_take(struct life *l, const char *mode)
{
    l->all = machine_reboot(mode);
    machine_survey(&l->all, l->file, FILES);
    machine_life_done(&l->all);
}

/* Both next lives of one crash. The one with consistency on goes on. */
static void crash(struct run *r)
{
    /* What is cached has a name at the hypervisor's when one of its pages is freed, at the latest. */
    machine_guest("drop %u 0 1 1", NAMES_TOLD);
    machine_save("crash");
    life_take(&r->off, "disabled");
    machine_restore("crash");
    life_take(&r->on, "enabled");
}

/* Whatever is reusable before the crash equals the disk. */
static void verify_reusable(void)
{
    json_t *reply = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "crash");

    assert_true(machine_number(reply, "pages_checked") > FILES * BLOCKS / 2);
    assert_int_equal(machine_number(reply, "pages_inconsistent"), 0);
    json_decref(reply);
}

/* On a small file system, so that it can be filled; nothing is committed by itself. */
static void start(const char *type)
{
    machine_exec("/sbin/mke2fs -q -t %s -b 4096 -J size=4 -m 0 " DISK " 24M", type);
    json_decref(machine_call(0, "{s:s, s:i, s:i, s:s, s:s}", "cmd", "guest_start", "files", FILES,
                             "blocks_per_file", BLOCKS, "filesystem", type, "mount_options",
                             "commit=300"));
    machine_guest_quiet();
}

static int setup(void **state)
{
    static const struct testbed_options options = {
        .dom0_append = "wcr.agent=--data-disk wcr.agent=" DISK,
    };

    (void)state;
    if (machine_boot(&options))
        return -1;
    machine_exec("dmsetup create data --noudevsync --table "
                 "\"0 $(blockdev --getsz /dev/vdb) linear /dev/vdb 0\"");
    machine_save("bare");
    start("ext4");
    change_all(&runs[0]);
    verify_reusable();
    crash(&runs[0]);
    change_all(&runs[1]);
    crash(&runs[1]);
    machine_restore("bare");
    start("ext3");
    change_all(&runs[2]);
    verify_reusable();
    crash(&runs[2]);
    return 0;
}

/* ---- what was found ------------------------------------------------- */

struct result {
    const struct way *way;
    const struct run *run;
    char name[80];
};

static void change_is_seen(void **state)
{
    const struct result *r = *state;
    const struct way *w = r->way;
    unsigned f = r->run->first_file + file_of(w);
    const struct machine_file *was = &r->run->off.file[f], *is = &r->run->on.file[f];

    print_message("# off: %u blocks, %u bad, %u inconsistent, %u reused; on: %u, %u, %u, %u\n",
                  was->blocks, was->bad, was->inconsistent, was->reused, is->blocks, is->bad,
                  is->inconsistent, is->reused);
    if (w->harm == WRONG)
        assert_true(was->bad > 0);
    if (w->harm != NO_HARM)
        assert_true(was->inconsistent > 0);
    assert_int_equal(is->bad, 0);
    assert_int_equal(is->inconsistent, 0);
    assert_in_range(is->reused, w->least, w->most);
}

/* No file but those that the workers write, or a change was about, may lose a page. */
static void nothing_else_happens(void **state)
{
    (void)state;
    for (const struct run *r = runs; r < runs + RUNS; r++) {
        assert_int_equal(r->on.all.content_errors, 0);
        assert_int_equal(r->on.all.read_errors, 0);
        assert_int_equal(r->on.all.inconsistent, 0);
        for (unsigned f = r->first_file + file_of(&ways[WAYS - 1]) + 2; f < NAMES_TOLD; f++)
            if (f % 4 != 3)
                assert_int_equal(r->on.file[f].reused, BLOCKS);
    }
}

int main(void)
{
    static struct result results[RUNS * WAYS];
    struct CMUnitTest tests[RUNS * WAYS + 1];
    size_t n = 0;

    for (const struct run *r = runs; r < runs + RUNS; r++)
        for (const struct way *w = ways; w < ways + WAYS; w++) {
            struct result *to = &results[n];

            if (!is_part_of(w, r))
                continue;
            *to = (struct result){.way = w, .run = r};
            snprintf(to->name, sizeof(to->name), "%s%s", r->name, w->name);
            tests[n++] = (struct CMUnitTest){.name = to->name, .test_func = change_is_seen,
                                             .initial_state = to};
        }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(nothing_else_happens);
    return _cmocka_run_group_tests("changes behind the cache, end to end", tests, n, setup,
                                   machine_down);
}
