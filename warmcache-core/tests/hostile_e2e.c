// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two hostile guests (tests/hostile) at once, of two processors each, against a debug hypervisor.
 * Catches: an assertion, a crash or a stall that a guest can cause through the warm-cache
 * interface, a command of domain 0's that a guest may call, memory written outside of its
 * buffers, memory or a domain that stays when it is gone, a page believed to equal the disk that
 * does not.
 *
 * WCR_HOSTILE_CALLS hypercalls are made by both, or so many as there is time for in
 * WCR_HOSTILE_SECONDS; WCR_HOSTILE_SEED begins them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/jsonl.h"
#include "testbed/tests/machine.h"

#define CALLS 1000000
#define SECONDS 120
#define RUN_MS 2000             /* of the guest, between two looks at it */
#define SLOW 10                 /* times as long as it should take */
#define GONE_MS 60000
#define LONGEST_CALL_NS 5000000000  /* other processes may have the processor meanwhile */
#define LEAK_PAGES 64
#define FILES 16
#define BLOCKS 32

static int64_t env_number(const char *name, int64_t otherwise)
{
    const char *s = getenv(name);

    return s && *s ? strtoll(s, NULL, 0) : otherwise;
}

/* "NAME=NUMBER" in the report. */
static int64_t reported(const char *report, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = report; (at = strstr(at, name)); at += len)
        if ((at == report || at[-1] == '\n') && at[len] == '=')
            return strtoll(at + len + 1, NULL, 10);
    fail_msg("no '%s' in the fuzzer's report: %s", name, report);
    return -1;
}

/* "RESULT=COUNT" in the line of a command. */
static int64_t results(const char *report, const char *command, int result)
{
    const char *line, *end, *at;
    char word[64];

    snprintf(word, sizeof(word), "\n%s ", command);
    line = strstr(report, word);
    if (!line)
        fail_msg("no '%s' in the fuzzer's report: %s", command, report);
    line++;
    end = line + strcspn(line, "\n");
    snprintf(word, sizeof(word), " %d=", result);
    at = strstr(line, word);
    return at && at < end ? strtoll(at + strlen(word), NULL, 10) : 0;
}

static json_t *host(void)
{
    return machine_call(0, "{s:s}", "cmd", "host");
}

/* Everything that the hypervisor printed; the caller's. */
static char *console(void)
{
    char *text = testbed_console_tail(machine, 1000000);

    assert_non_null(text);
    return text;
}

static void hypervisor_is_well(void)
{
    static const char *const bad[] = {
        "Assertion", "ASSERT", "BUG", "Xen call trace", "WARN_ON", "Xen WARN", "Panic on CPU",
        "FATAL", "Watchdog",
    };
    char *text = console();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *at = strstr(text, bad[i]);

        if (at)
            fail_msg("the hypervisor said '%s': %.1500s", bad[i], at - text > 300 ? at - 300 : text);
    }
    free(text);
}

static void guest_start(void)
{
    json_decref(machine_call(0, "{s:s, s:i, s:i, s:i}", "cmd", "guest_start", "vcpus", 2, "files",
                             FILES, "blocks_per_file", BLOCKS));
}

static void guest_stop(void)
{
    json_decref(machine_call(0, "{s:s}", "cmd", "guest_stop"));
}

/* No domain is left; what is free then. */
static int64_t free_pages(int64_t wanted)
{
    int64_t end = wall_ms() + GONE_MS, domains, pages;

    do {
        json_t *reply = host();

        domains = machine_number(reply, "domains");
        pages = machine_number(reply, "free_pages");
        json_decref(reply);
    } while ((domains || pages < wanted) && wall_ms() < end);
    if (domains)
        fail_msg("%" PRId64 " domains are still there %d ms after the last was destroyed", domains,
                 GONE_MS);
    return pages;
}

/* What debugfs' wcr_fuzz says; the text is the reply's. */
static json_t *report_read(const char **ret_report)
{
    json_t *reply = machine_guest_reply("cat /sys/kernel/debug/wcr_fuzz");

    assert_int_equal(machine_number(reply, "rc"), 0);
    *ret_report = machine_text(reply, "answer");
    return reply;
}

/* The other guest's fuzzer comes to an end, and nothing happened to it. */
static void other_is_done(int64_t end)
{
    do {
        assert_true(wall_ms() < end);
        machine_other("cat /sys/kernel/debug/wcr_fuzz");
    } while (machine_try(NULL, "grep -q done=1 " MACHINE_OTHER_CONSOLE));
    machine_exec("grep -q violations=0 %s && ! grep 'violations=[1-9]' %s", MACHINE_OTHER_CONSOLE,
                 MACHINE_OTHER_CONSOLE);
}

/* The workloads run on while the fuzzers do; the first one's report when that is done. */
static json_t *fuzz(const char **ret_report)
{
    int64_t seconds = env_number("WCR_HOSTILE_SECONDS", SECONDS), start = wall_ms();
    int64_t seed = env_number("WCR_HOSTILE_SEED", 1);
    char load[128];
    json_t *reply;

    for (int i = 0; i < 2; i++) {
        snprintf(load, sizeof(load), "load wcr_fuzz calls=%" PRId64 " seconds=%" PRId64 " seed=%" PRId64,
                 env_number("WCR_HOSTILE_CALLS", CALLS) / 2, seconds, seed + i);
        if (i)
            machine_guest("%s", load);
        else
            machine_other(load);
    }
    for (;;) {
        reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", RUN_MS);
        hypervisor_is_well();
        if (strcmp(machine_text(reply, "outcome"), "no_crash"))
            fail_msg("%s of the guest: %s", machine_text(reply, "outcome"),
                     machine_text(reply, "console"));
        assert_int_equal(machine_number(reply, "content_errors"), 0);
        json_decref(reply);
        reply = report_read(ret_report);
        if (reported(*ret_report, "done"))
            break;
        if (wall_ms() - start > SLOW * seconds * 1000)
            fail_msg("not done after %d times its %" PRId64 " s: %s", SLOW, seconds, *ret_report);
        json_decref(reply);
    }
    other_is_done(start + SLOW * seconds * 1000);
    hypervisor_is_well();
    print_message("# %.1f s\n# %s\n", (double)(wall_ms() - start) / 1000, *ret_report);
    return reply;
}

static void hostile_guests_harm_nobody(void **state)
{
    int64_t before, after;
    const char *report;
    json_t *reply;

    (void)state;
    /* Once without, so that what domain 0 keeps for the next guest is kept already. */
    guest_start();
    guest_stop();
    before = free_pages(0);
    guest_start();
    machine_other_start("run", 2);
    reply = fuzz(&report);
    if (reported(report, "violations"))
        fail_msg("%s", report);
    if (reported(report, "max_ns") > LONGEST_CALL_NS)
        fail_msg("a call took too long: %s", report);
    /* It has teeth: calls came through, and pages were on their way. */
    assert_true(results(report, "map_update", 0) > 100);
    assert_true(results(report, "set_policy", -1) > 100);
    assert_true(reported(report, "watched") > 10 && reported(report, "pin") > 10 && reported(report, "balloon") > 10 &&
                reported(report, "read") > 10 && reported(report, "write") > 10);
    json_decref(reply);

    machine_guest_quiet();
    reply = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "crash");
    assert_true(machine_number(reply, "pages_checked") > 0);
    assert_int_equal(machine_number(reply, "pages_inconsistent"), 0);
    json_decref(reply);

    machine_exec("xl destroy other && wcctl drop " MACHINE_OTHER_UUID);
    guest_stop();
    after = free_pages(before);
    print_message("# free pages: %" PRId64 " before, %" PRId64 " after\n", before, after);
    assert_true(after >= before - LEAK_PAGES);
    hypervisor_is_well();
}

static int setup(void **state)
{
    const struct testbed_options options = {
        .cpus = 2,
        .debug = true,
        /* What a guest makes Xen say of itself is not of interest here, and slow. */
        .xen_append = "dom0_max_vcpus=1 guest_loglvl=error/error",
    };

    (void)state;
    return machine_boot(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_guests_harm_nobody),
    };

    return cmocka_run_group_tests_name("hostile guests, end to end", tests, setup, machine_down);
}
