// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/tests/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "db/db.h"

#define CAMPAIGN "sample"

static const char *const classes[] = {"TEXT", "NOP",  "INIT", "DST",  "SRC",   "PTR",   "BR",
                                      "LOOP", "OBO",  "I/F",  "LOCK", "PANIC", "STACK", "ALLOC",
                                      "FREE", "LEAK", "COPY", "SIZE", "IRQ"};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static const char *const signatures[] = {
    "page_fault ext4_mark_iloc_dirty",
    "general protection fault jbd2_journal_add_journal_head",
    "BUG at fs/ext4/inode.c:2714!",
    "invalid_opcode ext4_da_write_begin",
    "page_fault ext4_map_blocks",
    "stack_segment ext4_file_write_iter",
    "panic: stack-protector: Kernel stack is corrupted in: ext4_writepages"};

static const char console[] =
    "[   12.403817] BUG: unable to handle page fault for address: ffff888107e1f0b8\r\n"
    "[   12.403820] #PF: supervisor write access in kernel mode\r\n"
    "[   12.403822] Oops: 0002 [#1] PREEMPT SMP NOPTI\r\n"
    "[   12.403840] RIP: e030:ext4_mark_iloc_dirty+0x2b7/0x7d0\r\n"
    "[   12.403870] Call Trace:\r\n"
    "[   12.403874]  ext4_dirty_inode+0x5c/0x80\r\n"
    "[   12.403880]  __mark_inode_dirty+0x5b/0x330\r\n" SAMPLE_HOSTILE "\r\n"
    "[   12.403890] Kernel panic - not syncing: Fatal exception\r\n";

static uint64_t state;

/* SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014). */
static unsigned draw(unsigned below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (unsigned)((z ^ z >> 31) % below);
}

static void must(int r, const struct err *err)
{
    if (r)
        fail_msg("%s", err->msg);
}

struct crash {
    const char *class, *outcome, *signature;
    unsigned seed;
    int activated;
    char id[32], plan[400];
};

static struct crash crash_draw(unsigned class, unsigned seed)
{
    static const char *const ends[] = {"no_crash",     "process_crash", "kernel_crash",
                                       "kernel_crash", "kernel_crash",  "hang"};
    struct crash c = {.class = classes[class], .seed = seed, .activated = draw(12) ? 1 : -1};

    c.outcome = !strcmp(c.class, "PANIC") ? "kernel_crash" : ends[draw(6)];
    if (!strcmp(c.outcome, "no_crash") && draw(3) == 0)
        c.activated = 0;
    if (!strcmp(c.outcome, "kernel_crash"))
        c.signature = strcmp(c.class, "PANIC") ? signatures[draw(7)] : "panic: wcr: PANIC";
    snprintf(c.id, sizeof(c.id), "%s-%u-0", c.class, seed);
    if (class < 11)
        snprintf(
            c.plan, sizeof(c.plan),
            "{\"class\":\"%s\",\"target\":\"dir:fs/ext4\",\"va\":\"0xffffffff811cc9%02x\","
            "\"symbol\":\"ext4_mark_iloc_dirty\",\"offset\":695,\"source\":"
            "\"fs/ext4/inode.c:5712\",\"old\":\"410fb706\",\"new\":\"410fb701\",\"old_asm\":"
            "\"movzxw (%%r14), %%eax\",\"new_asm\":\"movzxw (%%r9), %%eax\",\"candidates\":%u}",
            c.class, seed, 400 + 531 * class);
    else
        snprintf(c.plan, sizeof(c.plan),
                 "{\"class\":\"%s\",\"params\":{\"lo\":20,\"hi\":200,"
                 "\"seed\":%u}}",
                 c.class, seed);
    return c;
}

/* Pages that were wrong: with the mechanism only those that its disk did not get. */
static void pages_draw(struct db_trial *t, const struct crash *c, const char *mode,
                       struct db_page *page)
{
    bool off = !strcmp(mode, "disabled");
    int64_t bad = off && strcmp(c->outcome, "no_crash") && draw(10) < 7 ? 1 + draw(60) : 0;

    if (!off && !strcmp(c->class, "DST") && c->seed == 3)
        bad = 2;
    t->at_reboot.mapped = 4030;
    t->at_reboot.reused = 3800 + draw(140);
    t->at_reboot.checked = t->at_reboot.reused - draw(20);
    t->at_reboot.corrupt = off && bad && draw(3) == 0 ? 1 : 0;
    t->at_reboot.stale_disk = bad - t->at_reboot.corrupt;
    t->at_reboot.unknown = 0;
    t->at_reboot.inconsistent = bad;
    t->at_reboot.consistent = t->at_reboot.checked - bad;
    t->reboot_ns = 700000000 + draw(300000000);
    t->verify_ns = 30000000;
    t->read_sectors = 800 + draw(500);
    if (bad) {
        *page = (struct db_page){"reboot",
                                 41000 + draw(900),
                                 20 + draw(40),
                                 draw(64),
                                 8 * draw(30000),
                                 t->at_reboot.corrupt ? "corrupt" : "stale_disk",
                                 "memory: file 23 block 4 version 17; disk: version 16"};
        t->pages = page;
        t->pages_len = 1;
    }
}

static void trial_add(struct db *db, int64_t campaign, int64_t environment, const struct crash *c,
                      const char *mode, unsigned nth)
{
    const struct db_event events[] = {{"console", console, NULL},
                                      {"reboot_reason", "no sign of life for 60 s", NULL},
                                      {"reboot_console", "[    0.91] VFS: cannot mount\n", NULL}};
    struct db_measurement steps[] = {
        {"restore_warm", 0.9 + draw(40) / 100.0, "s"}, {"inject", 0.5 + draw(300) / 100.0, "s"},
        {"verify_crash", 0.4 + draw(20) / 100.0, "s"}, {"reboot", 2.6 + draw(90) / 100.0, "s"},
        {"verify", 0.5 + draw(20) / 100.0, "s"},       {"guest_read_ns", 3e8, "ns"},
        {"save_crash", 0.3 + draw(9) / 100.0, "s"},    {"restore_crash", 0.8, "s"}};
    bool golden = !strcmp(c->class, DB_GOLDEN);
    bool lost = !golden && !strcmp(c->outcome, "kernel_crash") && draw(40) == 0;
    struct db_page page;
    struct err err = {0};
    struct db_trial t;

    db_trial_init(&t);
    t.campaign = campaign;
    t.environment = environment;
    t.plan = (struct db_plan){c->class, c->seed, 0, NULL, golden ? NULL : c->plan};
    t.mode = mode;
    t.pair = "snapshot";
    t.crash_id = c->id;
    t.crash_outcome = c->outcome;
    t.outcome = lost ? "no_reboot" : c->outcome;
    t.activated = golden ? -1 : c->activated;
    t.signature = c->signature;
    t.at_crash = (struct db_counts){.mapped = 4030,
                                    .reusable = 3950,
                                    .checked = 3950,
                                    .consistent = 3950,
                                    .inconsistent = 0,
                                    .corrupt = 0};
    t.inject_ns = 1500000000;
    if (strcmp(c->outcome, "no_crash") && c->activated)
        t.detect_ns = 200000 + (int64_t)draw(1000) * draw(1000) * 900;
    t.wall_ns = 5000000000 + (int64_t)draw(3000) * 1000000;
    if (!lost)
        pages_draw(&t, c, mode, &page);
    t.events = events;
    t.events_len = lost ? 3 : c->signature ? 1 : 0;
    t.measurements = steps;
    t.measurements_len = nth ? 5 : 8;
    must(db_trial_record(db, &t, NULL, NULL, &err), &err);
}

/* As if it had been recorded trial by trial, with a pause. */
static void times_spread(struct db *db)
{
    static const char sql[] =
        "UPDATE campaign SET created_at = '2025-03-01T08:00:00Z';"
        "UPDATE trial SET recorded_at = strftime('%Y-%m-%dT%H:%M:%SZ', '2025-03-01T08:01:00Z', "
        "format('+%d seconds', trial_id * 11 + (trial_id > 500) * 2700));"
        "UPDATE event SET at = '2025-03-01T08:00:40Z';"
        "UPDATE environment SET first_seen_at = '2025-03-01T08:00:50Z';"
        "UPDATE attempt_error SET at = '2025-03-01T09:10:00Z';";

    if (sqlite3_exec(db_handle(db), sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db_handle(db)));
}

static void errors_add(struct db *db, int64_t campaign)
{
    const struct db_plan plan = {"STACK", 1000, 0, NULL, "{}"};
    struct err err = {0};

    for (unsigned i = 0; i < 9; i++)
        must(db_plan_reject(db, campaign, &(struct db_plan){classes[i], 900 + i, 0, NULL, "{}"},
                            i % 4 ? "not_activated" : "refused", NULL, &err),
             &err);
    for (unsigned i = 0; i < 3; i++)
        must(db_attempt_error(db, campaign, plan.fault_class, plan.seed, 0,
                              "agent, 'reboot': no answer for 120 s", SAMPLE_HOSTILE, &err),
             &err);
    must(db_trial_error(db, campaign, &plan, "enabled", 3, "agent, 'reboot': no answer for 120 s",
                        NULL, &err),
         &err);
}

void sample_write(const char *path, unsigned trials)
{
    static const struct db_campaign about = {
        CAMPAIGN,
        "# All fault classes, both modes.\nname: " CAMPAIGN
        "\nseed: 1\nmodes: [enabled, disabled]\n"
        "golden: 6\ntarget: dir:fs/ext4\nexecuted: true\nclasses:\n  - {class: TEXT, trials: 24}\n",
        NULL, "testbed", "0.1"};
    static const char facts[] =
        "{\"xen\":\"4.17.5 "
        "sha256:0b1f6a3c5d7e9f1b3d5f7a9c1e3f5b7d9f1a3c5e7f9b1d3f5a7c9e1f3b5d7f91\","
        "\"kernel\":\"6.1.140 "
        "sha256:97c1d0a4\",\"qemu\":\"7.2.17\",\"clock\":\"icount\",\"memory_mb\":256}";
    static const char *const modes[] = {"enabled", "disabled"};
    const struct db_event profile = {"profile", NULL,
                                     "{\"build_id\":\"2f7e1d\",\"targets\":[\"dir:fs/"
                                     "ext4\"],\"blocks\":16002,\"executed\":\"\"}"};
    struct err err = {0};
    int64_t campaign, environment;
    struct db *db;

    state = 1;
    must(db_open(path, DB_WRITE, &db, &err), &err);
    must(db_campaign_open(db, &about, &campaign, &err), &err);
    must(db_environment_put(db, campaign, facts, &environment, &err), &err);
    must(db_event_put(db, campaign, &profile, &err), &err);
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct crash golden = {.class = DB_GOLDEN, .outcome = "no_crash", .seed = seed};

        snprintf(golden.id, sizeof(golden.id), "GOLDEN-%u-0", seed);
        for (unsigned m = 0; m < 2; m++)
            trial_add(db, campaign, environment, &golden, modes[m], m);
    }
    for (unsigned seed = 1; seed <= trials; seed++)
        for (unsigned class = 0; class < CLASSES; class ++) {
            struct crash c = crash_draw(class, seed);

            for (unsigned m = 0; m < 2; m++)
                trial_add(db, campaign, environment, &c, modes[m], m);
        }
    errors_add(db, campaign);
    times_spread(db);
    db_close(db);
}
