// SPDX-License-Identifier: GPL-2.0-or-later
/* Oops signatures, answers of the guest's init, and consoles full of rubbish. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "campaigns/agent/console.h"

static void feed(struct oops *o, const char *const *lines)
{
    for (; *lines; lines++)
        oops_line(o, *lines);
}

static void expect_signature(const char *const *lines, const char *want)
{
    struct oops o = {0};
    char got[256];

    feed(&o, lines);
    oops_signature(&o, got, sizeof(got));
    assert_string_equal(got, want);
}

static void signatures(void **state)
{
    static const char *const null_deref[] = {
        "[2026-01-01 00:00:09] [    1.420000] BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "[2026-01-01 00:00:09] [    1.420100] #PF: supervisor write access in kernel mode",
        "[2026-01-01 00:00:09] [    1.420200] Oops: 0002 [#1] SMP",
        "[2026-01-01 00:00:09] [    1.420300] RIP: e030:ext4_writepages+0x12/0x40",
        "[2026-01-01 00:00:09] [    1.420400] RIP: 0033:0x43efe3",
        "[2026-01-01 00:00:09] [    1.420500] Kernel panic - not syncing: Fatal exception", NULL,
    };
    static const char *const gpf[] = {
        "[    9.1] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP NOPTI",
        "[    9.1] RIP: e030:__kmalloc+0x9c/0x180", NULL,
    };
    static const char *const bug[] = {
        "[    9.1] ------------[ cut here ]------------",
        "[    9.1] kernel BUG at fs/ext4/inode.c:2772!",
        "[    9.1] invalid opcode: 0000 [#1] SMP",
        "[    9.1] RIP: e030:ext4_do_writepages+0xabc/0xd00", NULL,
    };
    static const char *const opcode[] = {
        "[    9.1] invalid opcode: 0000 [#1] SMP", "[    9.1] RIP: e030:foo.cold+0x1/0x2", NULL,
    };
    static const char *const panic[] = {
        "[    9.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b", NULL,
    };
    static const char *const stack[] = {
        "[    9.1] Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1", NULL,
    };
    static const char *const lockup[] = {
        "[   30.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:40]",
        "[   30.1] RIP: e030:queued_spin_lock_slowpath+0x40/0x200", NULL,
    };
    static const char *const scheduling[] = {
        "[    9.1] BUG: Bad page state in process init  pfn:01234", NULL,
    };
    static const char *const warning[] = {
        "[    9.1] WARNING: CPU: 0 PID: 1 at fs/ext4/super.c:12 x+0x1/0x2",
        "[    9.1] RIP: e030:x+0x1/0x2", "wcr: running: 64 files", NULL,
    };

    (void)state;
    expect_signature(null_deref, "null-dereference ext4_writepages+0x12");
    expect_signature(gpf, "general protection fault __kmalloc+0x9c");
    expect_signature(bug, "BUG fs/ext4/inode.c:2772 ext4_do_writepages+0xabc");
    expect_signature(opcode, "invalid opcode foo.cold+0x1");
    expect_signature(panic, "panic: Attempted to kill init! exitcode=0x0000000b");
    expect_signature(stack, "panic: stack-protector: Kernel stack is corrupted in: f+0x1");
    expect_signature(lockup, "soft-lockup queued_spin_lock_slowpath+0x40");
    expect_signature(scheduling, "BUG: Bad page state in process init  pfn:");
    expect_signature(warning, "");
}

static void flags(void **state)
{
    static const char *const lines[] = {
        "[2026-01-01 00:00:09] [ 1.0] EXT4-fs error (device xvda): ext4_lookup:1855: inode #2",
        "[2026-01-01 00:00:09] [ 1.0] Out of memory: Killed process 40 (init)",
        "[2026-01-01 00:00:09] wcr: worker 1 died, signal 11", NULL,
    };
    struct oops o = {0};

    (void)state;
    feed(&o, lines);
    assert_true(o.fs_error && o.oom && o.worker_died);
    assert_false(o.seen || o.panic);
}

static void time_stamps(void **state)
{
    (void)state;
    assert_string_equal(console_text("[2026-01-01 00:00:09] [    1.25] text"), "text");
    assert_string_equal(console_text("text"), "text");
    assert_string_equal(console_text("[text] x"), "[text] x");
    assert_string_equal(console_text("["), "[");
    assert_string_equal(console_text(""), "");
    assert_string_equal(console_text("[1.0]"), "");
}

static void answers(void **state)
{
    struct console c;

    (void)state;
    console_init(&c);
    c.tag = 7;
    console_take_line(&c, "[2026-01-01 00:00:09] wcr: @6 poke rc=0");
    assert_false(c.answered);
    console_take_line(&c, "[2026-01-01 00:00:09] wcr: @7 | first");
    console_take_line(&c, "[ 1.0] noise wcr: @7 | second");
    console_take_line(&c, "[2026-01-01 00:00:09] wcr: @7 cat rc=-2");
    assert_true(c.answered);
    assert_int_equal(c.answer_rc, -2);
    assert_string_equal(c.answer, "first\nsecond\n");
    /* A late line of the same command changes nothing. */
    console_take_line(&c, "wcr: @7 cat rc=5");
    assert_int_equal(c.answer_rc, -2);
}

static void activation(void **state)
{
    struct console c;

    (void)state;
    console_init(&c);
    console_take_line(&c, "[ 1.0] wcr: fault activated ALLOC");
    assert_true(c.activated_ns);
    console_mark(&c);
    assert_false(c.activated_ns);
}

/* The excerpt keeps the newest lines whole, whatever comes. */
static void tail_is_bounded(void **state)
{
    char line[CONSOLE_LINE];
    struct console c;

    (void)state;
    console_init(&c);
    for (unsigned i = 0; i < 2000; i++) {
        memset(line, 'x', sizeof(line));
        snprintf(line + i % 900, sizeof(line) - i % 900, "line %u", i);
        console_take_line(&c, line);
        assert_true(c.tail_len <= CONSOLE_TAIL);
    }
    assert_memory_equal(c.tail + c.tail_len - 10, "line 1999\n", 10);
    memset(line, 'y', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < 100; i++)
        console_take_line(&c, line);
    assert_int_equal(c.tail[c.tail_len - 1], '\n');
}

static void rubbish(void **state)
{
    char line[400];
    struct oops o = {0};
    char got[256];

    (void)state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % (sizeof(line) - 1);
        static const char *const heads[] = {"BUG: ", "RIP: ", "RIP: :", "kernel BUG at ", "[", "Oops: ",
                                            "Kernel panic - not syncing: ", "x: [#", "wcr: @"};
        const char *head = heads[rand() % 9];

        for (size_t j = 0; j < n; j++)
            line[j] = (char)(1 + rand() % 255);
        line[n] = '\0';
        if (rand() % 2 && strlen(head) < n)
            memcpy(line, head, strlen(head));
        oops_line(&o, line);
        oops_signature(&o, got, sizeof(got));
        for (const char *p = got; *p; p++)
            assert_true(*p >= 0x20 && *p < 0x7f);
        if (i % 50 == 0)
            memset(&o, 0, sizeof(o));
    }
}

static void log_is_followed(void **state)
{
    char dir[] = "/tmp/wcr-console-XXXXXX", path[64];
    struct console c;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/guest-g.log", dir);
    f = fopen(path, "w");
    fputs("[ 1.0] Kernel panic - not syncing: of an earlier life\n", f);
    fflush(f);
    console_init(&c);
    console_attach(&c, dir, "g");
    console_poll(&c);
    assert_false(c.oops.seen);
    fputs("[ 2.0] half a li", f);
    fflush(f);
    console_poll(&c);
    assert_int_equal(c.tail_len, 0);
    fputs("ne\n\x01\xff[ 2.1] Kernel panic - not syncing: now\n", f);
    fflush(f);
    console_poll(&c);
    assert_non_null(memmem(c.tail, c.tail_len, "half a line\n", 12));
    assert_non_null(memmem(c.tail, c.tail_len, "??[ 2.1]", 8));
    fclose(f);
    unlink(path);
    rmdir(dir);
    console_done(&c);
}

static void last_words(void **state)
{
    struct console c;
    char all[64], some[8];

    (void)state;
    console_init(&c);
    console_last(&c, all, sizeof(all));
    assert_string_equal(all, "nothing");
    console_take_line(&c, "one");
    console_take_line(&c, "[ 2.1] two");
    console_last(&c, all, sizeof(all));
    assert_string_equal(all, "one|[ 2.1] two");
    console_last(&c, some, sizeof(some));
    assert_string_equal(some, ".1] two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),      cmocka_unit_test(flags),
        cmocka_unit_test(time_stamps),     cmocka_unit_test(answers),
        cmocka_unit_test(activation),      cmocka_unit_test(tail_is_bounded),
        cmocka_unit_test(rubbish),         cmocka_unit_test(log_is_followed),
        cmocka_unit_test(last_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
