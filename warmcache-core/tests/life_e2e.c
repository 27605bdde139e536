// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything that a toolstack, or the guest itself, does to a domain's life, around the pages
 * that its cache keeps. Catches: pages kept where they may not be, or lost where they need not;
 * a guest that does not survive; memory that does not come back.
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

#include "testbed/jsonl.h"
#include "testbed/tests/machine.h"

#define FILES 64
#define BLOCKS 64
#define PAGES (FILES * BLOCKS)
#define MOST (PAGES * 9 / 10)   /* of them are reusable while the workers stand still */
#define MEMORY_MB 128
#define PAGES_PER_MB 256
#define REBOOTS 20
#define GONE_MS 30000
#define LEAK_PAGES 64
#define UUID "77637200-6775-4573-8000-000000000001"
#define GUEST "$(virsh domid wcr-guest)"

/* Of the hypervisor's heap, before there was a guest that tests look at. */
static int64_t free_at_first;

/* ---- the cache, as wcctl sees it ------------------------------------ */

/* NULL: there is none. */
static json_t *cache_of(const char *uuid)
{
    json_t *list, *ret;
    char *text;

    if (machine_try(&text, "wcctl stats --json %s", uuid)) {
        free(text);
        return NULL;
    }
    list = json_loads(text, 0, NULL);
    ret = json_incref(json_array_get(list, 0));
    json_decref(list);
    free(text);
    assert_non_null(ret);
    return ret;
}

static int64_t cache_number_of(const char *uuid, const char *name)
{
    json_t *c = cache_of(uuid);
    int64_t ret;

    assert_non_null(c);
    ret = machine_number(c, name);
    json_decref(c);
    return ret;
}

static int64_t cache_number(const char *name)
{
    return cache_number_of(UUID, name);
}

static int64_t not_kept(const char *why)
{
    json_t *c = cache_of(UUID);
    int64_t ret;

    assert_non_null(c);
    ret = machine_number(json_object_get(c, "not_kept"), why);
    json_decref(c);
    return ret;
}

/* A shell command of domain 0's comes true, in its time. */
static void becomes_true(const char *command)
{
    machine_exec("for i in $(seq 100); do { %s; } && exit 0; sleep 0.3; done; exit 1", command);
}

/* ---- the guest ------------------------------------------------------ */

/* No domain is left; what is free then. */
static int64_t all_gone(int64_t wanted)
{
    int64_t end = wall_ms() + GONE_MS, domains, pages;

    do {
        json_t *reply = machine_call(0, "{s:s}", "cmd", "host");

        domains = machine_number(reply, "domains");
        pages = machine_number(reply, "free_pages");
        json_decref(reply);
    } while ((domains || pages < wanted) && wall_ms() < end);
    assert_int_equal(domains, 0);
    return pages;
}

static void guest_start(int memory_mb)
{
    json_decref(machine_call(0, "{s:s, s:i, s:i, s:i}", "cmd", "guest_start", "files", FILES,
                             "blocks_per_file", BLOCKS, "memory_mb", memory_mb));
}

static void guest_stop(void)
{
    json_decref(machine_call(0, "{s:s}", "cmd", "guest_stop"));
}

static void destroy(void)
{
    machine_exec("virsh destroy wcr-guest");
    all_gone(0);
}

static int64_t crash_and_destroy(void)
{
    machine_guest_quiet();
    machine_exec("domctl_test crash " GUEST " now");
    destroy();
    return cache_number("pages_retained");
}

/* The workload does something, and right. */
static void works(void)
{
    json_t *reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 1000);
    int64_t ops = machine_number(reply, "ops");

    json_decref(reply);
    reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 1000);
    if (strcmp(machine_text(reply, "outcome"), "no_crash"))
        fail_msg("%s: %s", machine_text(reply, "outcome"), machine_text(reply, "console"));
    assert_true(machine_number(reply, "ops") > ops);
    assert_int_equal(machine_number(reply, "op_errors"), 0);
    assert_int_equal(machine_number(reply, "content_errors"), 0);
    json_decref(reply);
}

/* The workers may have truncated the files that are theirs, which are a quarter. */
static void is_right(const struct machine_life *l)
{
    assert_true(l->blocks >= PAGES * 3 / 4);
    assert_int_equal(l->files_missing, 0);
    assert_int_equal(l->read_errors, 0);
    assert_int_equal(l->content_errors, 0);
    assert_int_equal(l->inconsistent, 0);
}

/* The next life, which must be right; how many pages it reused. */
static int64_t next_life(int64_t *ret_blocks)
{
    struct machine_life l = machine_reboot("enabled");

    is_right(&l);
    *ret_blocks = l.blocks;
    machine_life_done(&l);
    return l.reused;
}

static void next_life_is_warm(void)
{
    int64_t blocks, reused = next_life(&blocks);

    assert_true(reused >= blocks * 9 / 10);
}

/* And right, and the one after it has all again. */
static void next_life_is_cold(void)
{
    int64_t blocks;

    assert_int_equal(next_life(&blocks), 0);
    next_life_is_warm();
}

static void next_life_has(int64_t least, int64_t most)
{
    int64_t blocks;

    assert_in_range(next_life(&blocks), least, most);
}

/* ---- how a life ends ------------------------------------------------ */

static void guest_ends(const char *how)
{
    json_t *reply;

    machine_guest_quiet();
    machine_guest("end %s", how);
    reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 20000);
    assert_string_equal(machine_text(reply, "shutdown_reason"), how);
    json_decref(reply);
    destroy();
}

/* Catches: a reboot on purpose, which is what rejuvenates a guest, that loses the cache. */
static void reboot_by_the_guest_keeps(void **state)
{
    (void)state;
    guest_ends("reboot");
    assert_true(cache_number("pages_retained") >= MOST);
    next_life_is_warm();
}

/* Catches: memory that stays with a domain that is not to come back. */
static void poweroff_keeps_nothing(void **state)
{
    (void)state;
    guest_ends("poweroff");
    assert_int_equal(cache_number("pages_retained"), 0);
    next_life_is_cold();
}

/* Catches: the same of a domain that was running, and maybe in the middle of a store. */
static void destroying_a_running_guest_keeps_nothing(void **state)
{
    (void)state;
    machine_exec("xl unpause wcr-guest && virsh destroy wcr-guest");
    all_gone(0);
    assert_int_equal(cache_number("pages_retained"), 0);
    next_life_is_cold();
}

static int64_t disk_reads(void)
{
    json_t *reply = machine_call(0, "{s:s}", "cmd", "counters");
    int64_t ret = machine_number(reply, "disk_reads");

    json_decref(reply);
    return ret;
}

/*
 * Catches: what was kept and is not there until somebody asks for it; a page that is adopted
 * though it was damaged, or for a file that is gone.
 */
static void adopted(void **state)
{
    static struct machine_file files[FILES];
    json_t *reply;
    int64_t reads;

    (void)state;
    machine_guest_quiet();
    machine_guest("unlink 0 sync");
    machine_guest("poke store %" PRId64 " 5 100 165", machine_guest_number("inode", "inode 1"));
    json_decref(machine_call(0, "{s:s, s:s, s:s, s:i}", "cmd", "reboot", "mode", "enabled", "cmdline",
                             "wcr.adopt=1", "read", 0));
    machine_guest("stream adopted");
    reply = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "reboot");
    assert_true(machine_number(reply, "pages_reused") >= MOST - BLOCKS);
    assert_int_equal(machine_number(reply, "pages_inconsistent"), 0);
    json_decref(reply);
    reads = disk_reads();
    machine_survey(&(struct machine_life){0}, files, FILES);
    assert_in_range(disk_reads() - reads, 1, BLOCKS);
    assert_false(files[0].there);
    for (unsigned f = 1; f < FILES; f++)
        assert_int_equal(files[f].bad, 0);
}

/* Catches: pages, or the hypervisor's memory, lost a little at a time. */
static void many_reboots(void **state)
{
    int64_t after;

    (void)state;
    machine_guest_quiet();
    for (int i = 0; i < REBOOTS; i++)
        next_life_is_warm();
    guest_stop();
    machine_exec("wcctl drop --all");
    after = all_gone(free_at_first - LEAK_PAGES);
    print_message("# free pages: %" PRId64 " at first, %" PRId64 " after\n", free_at_first, after);
    assert_true(after >= free_at_first - LEAK_PAGES);
}

/* Catches: a guest that Xen watched, and that another domain goes on as, unwatched. */
static void save_and_restore(void **state)
{
    int64_t kept;

    (void)state;
    kept = cache_number("retained");
    machine_exec("xl unpause wcr-guest && virsh save wcr-guest /tmp/image");
    all_gone(0);
    assert_int_equal(cache_number("pages_retained"), 0);
    assert_int_equal(cache_number("retained"), kept);
    machine_exec("virsh restore /tmp/image && rm /tmp/image");
    works();
    machine_guest_quiet();
    /* What it had cached is nobody's now; what it reads from now on is its new domain's. */
    machine_guest("drop_caches");
    for (int f = 0; f < FILES; f++)
        machine_guest("read %d", f);
    next_life_is_warm();
}

/* Catches: a store, or a page, lost while the processors stand still. */
static void pause_and_resume(void **state)
{
    (void)state;
    machine_exec("xl unpause wcr-guest && virsh suspend wcr-guest && virsh resume wcr-guest");
    works();
    machine_guest_quiet();
    next_life_is_warm();
}

/* ---- what the toolstack does to a living guest ----------------------- */

/* Catches: dirty bits looked for in tables that the processor does not walk. */
static void log_dirty_is_not_trusted(void **state)
{
    char *console;

    (void)state;
    machine_exec("domctl_test logdirty " GUEST " on");
    works();
    machine_exec("domctl_test logdirty " GUEST " off");
    works();
    console = testbed_console_tail(machine, 1000000);
    assert_non_null(strstr(console, "shadow page tables: its cache is not kept"));
    free(console);
    machine_guest_quiet();
    next_life_is_cold();
    assert_true(not_kept("untrusted") >= PAGES / 2);
}

/* Catches: a store by domain 0 that nobody sees. */
static void foreign_mappings_are_stores(void **state)
{
    static const char *const how[] = {"", "write"};
    struct machine_file file[FILES];
    struct machine_life l;

    (void)state;
    machine_guest_quiet();
    for (int f = 0; f < 2; f++)
        machine_exec("d=" GUEST " n=0; for m in $(wcctl pages " UUID " --only mapped,reusable | "
                     "awk '$6 == %" PRId64 " && $7 < 16 { print $2 }'); do "
                     "domctl_test map $d 0x$m %s || exit 1; n=$((n + 1)); done; [ $n = 16 ]",
                     machine_guest_number("inode", "inode %d", f), how[f]);
    l = machine_reboot("enabled");
    is_right(&l);
    machine_survey(&l, file, FILES);
    machine_life_done(&l);
    assert_int_equal(file[0].reused, BLOCKS - 16);
    assert_int_equal(file[1].reused, BLOCKS - 16);
    assert_int_equal(file[2].reused, BLOCKS);
}

/* Catches: pages believed to be the guest's while the host has them. */
static void ballooning(void **state)
{
    int64_t blocks, reused;

    (void)state;
    machine_exec("xl unpause wcr-guest && virsh setmem wcr-guest 64M");
    becomes_true("[ $(xl list wcr-guest | awk 'NR == 2 { print $3 }') -le 65 ]");
    machine_exec("virsh setmem wcr-guest 128M");
    becomes_true("[ $(xl list wcr-guest | awk 'NR == 2 { print $3 }') -ge 127 ]");
    works();
    machine_guest_quiet();
    /* What the balloon squeezed out of the cache is not all read again by then. */
    reused = next_life(&blocks);
    assert_true(reused >= blocks / 2);
}

/* Catches: a change of a block through another virtual disk than the one it is cached from. */
static void second_disk_on_the_same_device(void **state)
{
    struct machine_file file[FILES];
    struct machine_life l;

    (void)state;
    machine_guest_quiet();
    machine_exec("xl block-attach wcr-guest phy:/dev/vdb xvdc w");
    for (int64_t end = wall_ms() + GONE_MS; machine_guest_try("cat /sys/block/xvdc/size");)
        assert_true(wall_ms() < end);
    machine_guest("device write 0 8 16 /dev/xvdc");
    machine_save("changed");

    l = machine_reboot("disabled");
    machine_survey(&l, file, FILES);
    machine_life_done(&l);
    assert_int_equal(file[0].inconsistent, 16);

    machine_restore("changed");
    l = machine_reboot("enabled");
    is_right(&l);
    machine_survey(&l, file, FILES);
    machine_life_done(&l);
    assert_int_equal(file[0].reused, BLOCKS - 16);
    assert_int_equal(file[1].reused, BLOCKS);
}

/* ---- two guests ------------------------------------------------------ */

/* Catches: a guest that gets another's pages, or loses its own to what the other does. */
static void two_guests(void **state)
{
    const int64_t pages = MACHINE_OTHER_FILES * MACHINE_OTHER_BLOCKS;
    int64_t reused;

    (void)state;
    machine_exec("xl unpause wcr-guest");
    machine_other_start("run", 1);
    works();
    machine_guest_quiet();
    machine_other("quiesce");
    machine_exec("domctl_test crash $(xl domid other) now && domctl_test crash " GUEST " now");
    machine_exec("xl destroy other && virsh destroy wcr-guest");
    all_gone(0);
    assert_true(cache_number("pages_retained") >= MOST);
    assert_true(cache_number_of(MACHINE_OTHER_UUID, "pages_retained") >= pages * 9 / 10);
    machine_other_start("read", 1);
    machine_other_says("wcr: done.* 0 bad");
    reused = cache_number_of(MACHINE_OTHER_UUID, "reuse_ok");
    print_message("# the other's %" PRId64 " pages: %" PRId64 " reused\n", pages, reused);
    assert_true(reused >= pages * 9 / 10);
    next_life_is_warm();
    machine_exec("xl destroy other && wcctl drop " MACHINE_OTHER_UUID);
}

/* ---- kept pages and the host's memory ------------------------------- */

/* Catches: pages kept for ever. */
static void age(void **state)
{
    int64_t kept;

    (void)state;
    machine_exec("wcctl policy " UUID " --max-age 5");
    kept = crash_and_destroy();
    assert_true(kept >= MOST);
    becomes_true("wcctl stats --json " UUID " | grep -q '\"pages_retained\": 0,'");
    assert_true(cache_number("given_up") >= kept);
    next_life_is_cold();
}

/* Catches: a bound that bounds nothing. */
static void most_pages(void **state)
{
    (void)state;
    machine_exec("wcctl policy " UUID " --max-pages 1000");
    assert_int_equal(crash_and_destroy(), 1000);
    assert_true(not_kept("limit") >= MOST - 1000);
    next_life_has(900, 1000);
}

/* Catches: pages of a cache that nobody knows any more. */
static void drop(void **state)
{
    (void)state;
    assert_true(crash_and_destroy() >= MOST);
    machine_exec("wcctl drop " UUID);
    assert_null(cache_of(UUID));
    assert_true(all_gone(0) >= free_at_first - LEAK_PAGES);
    next_life_is_cold();
}

/* A domain of somebody else's that never runs; what it may have is as much as @max_mb. */
static void other_domain(int64_t memory_mb, int64_t max_mb)
{
    machine_exec("cat >/tmp/other <<E\n"
                 "name = \"other\"\ntype = \"pv\"\nkernel = \"/tools/guest-vmlinuz\"\n"
                 "memory = %" PRId64 "\nmaxmem = %" PRId64 "\non_crash = \"preserve\"\nE\n"
                 "xl create -p -e /tmp/other", memory_mb, max_mb);
}

static int64_t host_free(void)
{
    json_t *reply = machine_call(0, "{s:s}", "cmd", "host");
    int64_t ret = machine_number(reply, "free_pages");

    json_decref(reply);
    return ret;
}

/* Catches: memory that is reported as free, and that a claim does not get. */
static void claim_evicts(void **state)
{
    const char *claim = "domctl_test claim $(xl domid other) %" PRId64;
    int64_t kept, left, pages;

    (void)state;
    kept = crash_and_destroy();
    other_domain(64, 64);
    assert_int_equal(cache_number("pages_retained"), kept);
    pages = 64 * PAGES_PER_MB + host_free();
    machine_exec(claim, pages - kept / 2);
    left = cache_number("pages_retained");
    print_message("# %" PRId64 " kept, %" PRId64 " after the claim\n", kept, left);
    assert_in_range(left, kept / 2 - 64, kept / 2);
    machine_exec(claim, (int64_t)0);
    /* One that there is no memory for costs nobody a page. */
    assert_int_not_equal(machine_try(NULL, claim, pages + PAGES_PER_MB), 0);
    assert_int_equal(cache_number("pages_retained"), left);
    machine_exec("xl destroy other");
    next_life_has(1, left);
}

/*
 * Catches: a domain that cannot be built because of pages that wait for another, or more of them given
 * up for it than it needs.
 */
static void building_evicts(void **state)
{
    int64_t kept, left, pages;

    (void)state;
    kept = crash_and_destroy();
    machine_exec("echo claim_mode=0 >>/etc/xen/xl.conf");
    pages = host_free() - kept / 2;
    other_domain(pages / PAGES_PER_MB, pages / PAGES_PER_MB);
    left = cache_number("pages_retained");
    print_message("# %" PRId64 " kept, %" PRId64 " after another was built\n", kept, left);
    assert_in_range(left, kept / 4, kept - 1);
    machine_exec("xl destroy other");
    next_life_has(0, left);
    next_life_is_warm();
}

/* ---- the guest's memory --------------------------------------------- */

/* Catches: a page of the last life at a place that this one does not have. */
static void less_and_more_memory(void **state)
{
    struct machine_life l;
    int64_t below;
    char *text;

    (void)state;
    machine_guest_quiet();
    /* 96 MiB: PFNs below 0x6000 */
    assert_int_equal(machine_try(&text, "wcctl pages " UUID " --only mapped,reusable | awk "
                                 "'NR > 1 && (length($1) < 4 || length($1) == 4 && "
                                 "$1 < \"6000\")' | wc -l"), 0);
    below = atoll(text);
    free(text);
    l = machine_reboot_as("{s:s, s:s, s:i}", "cmd", "reboot", "mode", "enabled", "memory_mb", 96);
    print_message("# %" PRId64 " pages lie in what is left\n", below);
    is_right(&l);
    assert_in_range(l.reused, below * 9 / 10, below);
    machine_life_done(&l);
    assert_int_equal(cache_number("pages_retained"), 0);

    l = machine_reboot_as("{s:s, s:s, s:i}", "cmd", "reboot", "mode", "enabled", "memory_mb", 192);
    is_right(&l);
    assert_true(l.reused >= MOST);
    machine_life_done(&l);
}

/* "NAME NUMBER" or "NAME: NUMBER" in a file of the guest's. */
static int64_t guest_file_number(const char *path, const char *name)
{
    json_t *reply = machine_guest_reply("cat %s", path);
    const char *at = strstr(machine_text(reply, "answer"), name);
    int64_t ret;

    if (!at)
        fail_msg("no %s in %s: %s", name, path, machine_text(reply, "answer"));
    ret = strtoll(at + strlen(name) + (at[strlen(name)] == ':'), NULL, 10);
    json_decref(reply);
    return ret;
}

/* Catches: a guest that kills for memory while pages wait that nobody asked for. */
static void memory_pressure_releases(void **state)
{
    static const char stats[] = "/sys/kernel/debug/xen_wcr/stats";
    int64_t left, available;

    (void)state;
    machine_guest_quiet();
    json_decref(machine_call(0, "{s:s, s:s, s:i}", "cmd", "reboot", "mode", "enabled", "read", 0));
    left = guest_file_number(stats, "left");
    assert_true(left >= MOST);
    assert_int_equal(guest_file_number(stats, "released"), 0);
    available = guest_file_number("/proc/meminfo", "MemAvailable");
    /* What is kept back for emergencies, and not available, is a few MiB. */
    machine_guest("alloc %" PRId64, available / 1024 + 12);
    assert_true(guest_file_number(stats, "released") > PAGES_PER_MB);
    for (int f = 0; f < FILES; f += 7)
        assert_int_equal(machine_guest_number("bad", "read %d", f), 0);
}

/* Catches: a frame number, or a size, that does not fit. */
static void large_guest(void **state)
{
    (void)state;
    guest_start(2048);
    machine_guest_quiet();
    next_life_is_warm();
    next_life_is_warm();
    guest_stop();
    all_gone(0);
}

/* Catches: a kept page that makes room for a large extent, which its own guest can do without. */
static void fragmented_host(void **state)
{
    int64_t pages;

    (void)state;
    other_domain(64, 64);
    pages = host_free();
    machine_exec("domctl_test fragment $(xl domid other) %" PRId64, pages);
    print_message("# %" PRId64 " pages free, in fragments %" PRId64 "\n", pages, host_free());
    assert_in_range(host_free(), pages * 2 / 5, pages * 3 / 5);
    guest_start(MEMORY_MB);
    machine_guest_quiet();
    next_life_is_warm();
    next_life_is_warm();
}

/* ---- setting up ----------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    if (machine_boot(NULL))
        return -1;
    /* Once before, so that what domain 0 keeps for the next guest is kept already. */
    guest_start(MEMORY_MB);
    guest_stop();
    free_at_first = all_gone(0);
    guest_start(MEMORY_MB);
    machine_save("warm");
    return 0;
}

static int setup_large(void **state)
{
    const struct testbed_options options = {.memory_mb = 3072};

    (void)state;
    return machine_boot(&options);
}

int main(void)
{
#define LIFE(test) cmocka_unit_test_setup(test, machine_from_warm)
    const struct CMUnitTest tests[] = {
        LIFE(reboot_by_the_guest_keeps),
        LIFE(poweroff_keeps_nothing),
        LIFE(destroying_a_running_guest_keeps_nothing),
        LIFE(adopted),
        LIFE(many_reboots),
        LIFE(save_and_restore),
        LIFE(pause_and_resume),
        LIFE(log_dirty_is_not_trusted),
        LIFE(foreign_mappings_are_stores),
        LIFE(ballooning),
        LIFE(second_disk_on_the_same_device),
        LIFE(two_guests),
        LIFE(age),
        LIFE(most_pages),
        LIFE(drop),
        LIFE(claim_evicts),
        LIFE(building_evicts),
        LIFE(less_and_more_memory),
        LIFE(memory_pressure_releases),
    };
    const struct CMUnitTest large[] = {
        cmocka_unit_test(large_guest),
        cmocka_unit_test(fragmented_host),
    };
    int failed;

    /* One of them alone, by its name. */
    if (getenv("WCR_TEST"))
        cmocka_set_test_filter(getenv("WCR_TEST"));
    failed = cmocka_run_group_tests_name("a guest's life, end to end", tests, setup, machine_down);
    return failed + cmocka_run_group_tests_name("a large guest's", large, setup_large, machine_down);
}
