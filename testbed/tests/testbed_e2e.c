// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The testbed, end to end, booted once. Catches: a machine or a guest that does not start,
 * snapshots that do not bring the past back, outcomes that are told wrongly, a fault written
 * where the memory is not what its plan says, a dead QEMU that is waited for, and anything
 * left behind by an owner that was killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "injector/image.h"
#include "testbed/jsonl.h"
#include "testbed/tests/machine.h"

#define FILES 16
#define BLOCKS 32
#define CALL_MS 300000
#define GONE_MS 20000

static void must(int r, const struct err *err)
{
    if (r)
        fail_msg("%s", err->msg);
}

/* Run without a fault; returns the operations of the workload. */
static int64_t golden(const char *outcome)
{
    json_t *reply = machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 1500);
    int64_t ops = machine_number(reply, "ops");

    if (strcmp(machine_text(reply, "outcome"), outcome))
        fail_msg("expected %s, got %s: %s", outcome, machine_text(reply, "outcome"),
                 machine_text(reply, "console"));
    assert_int_equal(machine_number(reply, "content_errors"), 0);
    json_decref(reply);
    return ops;
}

/* An instruction that is overwritten with @with, from its first byte, in @function. */
static json_t *text_plan(const char *function, const char *with, bool wrong_old)
{
    size_t functions, len = strlen(with) / 2;
    struct image *image = NULL;
    struct err err = {0};
    json_t *plan = NULL;

    must(image_open(machine_config.vmlinux, &image, &err), &err);
    for (size_t i = 0; i < (image_functions(image, &functions), functions); i++) {
        const struct image_function *f = image_functions(image, &functions) + i;
        char old[17] = "", va[24], id_va[24];

        if (strcmp(f->name, function))
            continue;
        assert_false(image_patched(image, f->va, (unsigned)len));
        for (size_t b = 0; b < len; b++)
            sprintf(old + 2 * b, "%02x", f->bytes[b] ^ (wrong_old ? 0x10 : 0));
        snprintf(va, sizeof(va), "0x%" PRIx64, f->va);
        snprintf(id_va, sizeof(id_va), "0x%" PRIx64, image_build_id_va(image));
        plan = json_pack("{s:s, s:s, s:s, s:s, s:s}", "va", va, "old", old, "new", with,
                         "build_id", image_build_id(image), "build_id_va", id_va);
    }
    if (!plan)
        fail_msg("%s has no function %s", machine_config.vmlinux, function);
    image_free(image);
    return plan;
}

static json_t *inject_text(int expect, const char *function, const char *with, bool wrong_old)
{
    return machine_call(expect, "{s:s, s:s, s:o, s:i}", "cmd", "inject", "class", "TEXT", "plan",
                text_plan(function, with, wrong_old), "deadline_ms", 4000);
}

static void hello_says_who_answers(void **state)
{
    json_t *hello = machine_call(0, "{s:s}", "cmd", "hello");

    (void)state;
    assert_true(strlen(machine_text(hello, "version")) > 0);
    assert_true(!strncmp(machine_text(hello, "xen"), "4.17", 4));
    assert_true(!strncmp(machine_text(hello, "kernel"), "6.1", 3));
    assert_int_equal(machine_number(hello, "abi") > 0, !machine_config.stock);
    json_decref(hello);
    assert_true(testbed_alive(machine));
}

static void commands_run_in_domain_0(void **state)
{
    json_t *hello = machine_call(0, "{s:s}", "cmd", "hello");
    char *output;

    (void)state;
    assert_int_equal(machine_try(&output, "uname -r; exit %d", 3), 3);
    assert_int_equal(strcspn(output, "\n"), strlen(machine_text(hello, "kernel")));
    assert_memory_equal(output, machine_text(hello, "kernel"), strlen(machine_text(hello, "kernel")));
    free(output);
    json_decref(hello);
    machine_exec("test -b /dev/vdb && wcctl list");
    machine_call(-EREMOTEIO, "{s:s, s:s, s:i}", "cmd", "exec", "line", "sleep 60", "deadline_ms", 50);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    machine_call(-EREMOTEIO, "{s:s}", "cmd", "nonsense");
    machine_call(-EREMOTEIO, "{s:s, s:s}", "cmd", "verify", "when", "never");
    machine_call(-EREMOTEIO, "{s:s, s:i}", "cmd", "guest_start", "memory_mb", -1);
    machine_call(-EREMOTEIO, "{s:s, s:s}", "cmd", "reboot", "mode", "lukewarm");
    machine_call(-EREMOTEIO, "{s:s, s:s}", "cmd", "inject", "class", "no such class");
    json_decref(machine_call(0, "{s:s}", "cmd", "hello"));
}

/* The workload's numbers repeat, and what happened after the snapshot did not happen. */
static void a_snapshot_brings_the_past_back(void **state)
{
    int64_t first = golden("no_crash"), again;
    json_t *reply;

    (void)state;
    assert_true(first > 0);
    reply = machine_call(0, "{s:s, s:s}", "cmd", "guest_command", "line", "kill 0");
    assert_int_equal(machine_number(reply, "rc"), 0);
    json_decref(reply);
    golden("process_crash");
    machine_restore("warm");
    again = golden("no_crash");
    print_message("# operations in the same 1.5 s, twice: %" PRId64 ", %" PRId64 "\n", first,
                  again);
}

static void a_panic_is_a_kernel_crash(void **state)
{
    json_t *reply = machine_call(0, "{s:s, s:s, s:{s:i}, s:i}", "cmd", "inject", "class", "PANIC",
                         "params", "seed", 1, "deadline_ms", 5000);

    (void)state;
    assert_string_equal(machine_text(reply, "outcome"), "kernel_crash");
    assert_string_equal(machine_text(reply, "shutdown_reason"), "crash");
    assert_true(json_is_true(json_object_get(reply, "activated")));
    assert_true(strstr(machine_text(reply, "signature"), "panic"));
    json_decref(reply);
    json_decref(machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "crash"));
    reply = machine_call(0, "{s:s, s:s}", "cmd", "reboot", "mode", "cold");
    if (!json_is_true(json_object_get(reply, "booted")))
        fail_msg("the guest did not boot again: %s", machine_text(reply, "reason"));
    assert_int_equal(machine_number(reply, "files_read"), FILES);
    assert_int_equal(machine_number(reply, "files_missing"), 0);
    assert_int_equal(machine_number(reply, "content_errors"), 0);
    assert_true(machine_number(reply, "read_sectors") > FILES * BLOCKS / 2 * 8);
    json_decref(reply);
    json_decref(machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "reboot"));
}

/* jmp to itself, where every read of a file begins. */
static void a_loop_is_a_hang(void **state)
{
    json_t *reply = inject_text(0, "vfs_read", "ebfe", false);

    (void)state;
    assert_string_equal(machine_text(reply, "outcome"), "hang");
    assert_true(json_is_true(json_object_get(reply, "activated")));
    assert_true(machine_number(reply, "activated_ns") >= machine_number(reply, "inject_ns"));
    json_decref(reply);
}

/* ud2 in a system call that only workers make: an oops that kills them, and not init. */
static void an_oops_is_a_process_crash(void **state)
{
    json_t *reply = inject_text(0, "__x64_sys_ftruncate", "0f0b", false);

    (void)state;
    if (strcmp(machine_text(reply, "outcome"), "process_crash"))
        fail_msg("expected process_crash, got %s: %s", machine_text(reply, "outcome"),
                 machine_text(reply, "console"));
    assert_true(json_is_true(json_object_get(reply, "activated")));
    assert_true(strstr(machine_text(reply, "signature"), "__x64_sys_ftruncate"));
    json_decref(reply);
}

static void a_site_that_is_never_reached_is_told(void **state)
{
    json_t *reply = inject_text(0, "ext4_resize_fs", "0f0b", false);

    (void)state;
    assert_string_equal(machine_text(reply, "outcome"), "no_crash");
    assert_true(json_is_false(json_object_get(reply, "activated")));
    json_decref(reply);
    /* And left as it was: the guest lives on. */
    golden("no_crash");
}

static void memory_that_contradicts_the_plan_is_refused(void **state)
{
    (void)state;
    inject_text(-ESTALE, "vfs_read", "0f0b", true);
    golden("no_crash");
}

/* Last: there is no machine after it. */
static void a_dead_machine_is_noticed_at_once(void **state)
{
    json_t *request = json_pack("{s:s}", "cmd", "hello");
    int64_t start = wall_ms();
    struct err err = {0};

    (void)state;
    kill(testbed_pid(machine), SIGKILL);
    assert_int_equal(testbed_agent_call(machine, request, CALL_MS, NULL, &err), -ESRCH);
    assert_non_null(strstr(err.msg, "QEMU is dead"));
    /* Its sockets close a moment before it is gone. */
    while (testbed_alive(machine) && wall_ms() - start < GONE_MS)
        poll(NULL, 0, 10);
    assert_true(wall_ms() - start < GONE_MS);
    json_decref(request);
}

/* In a child: start a machine, tell its process and directory, wait to be killed. */
static _Noreturn void owner(int out)
{
    struct testbed *mine = NULL;
    struct err err = {0};

    if (testbed_start(&machine_config, NULL, &mine, &err))
        dprintf(out, "0 %s\n", err.msg);
    else
        dprintf(out, "%d %s\n", testbed_pid(mine), testbed_dir(mine));
    pause();
    _exit(1);
}

static void a_killed_owner_leaves_nothing_behind(void **state)
{
    struct pollfd gone = {.events = POLLIN};
    char line[600] = "", dir[500];
    int pipes[2], qemu;
    struct stat st;
    pid_t child;
    FILE *f;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        close(pipes[0]);
        owner(pipes[1]);
    }
    close(pipes[1]);
    f = fdopen(pipes[0], "r");
    assert_non_null(f);
    if (!fgets(line, sizeof(line), f) || sscanf(line, "%d %499s", &qemu, dir) != 2 || qemu <= 0)
        fail_msg("no machine: %s", line);
    fclose(f);
    gone.fd = pidfd_open(qemu, 0);
    assert_true(gone.fd >= 0);
    /* While its owner lives nobody takes it for a leftover. */
    testbed_clean_leftovers();
    assert_int_equal(stat(dir, &st), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (poll(&gone, 1, GONE_MS) != 1)
        fail_msg("QEMU (process %d) lives %d ms after its owner was killed", qemu, GONE_MS);
    close(gone.fd);
    /* The lock goes with the process, a moment after its exit can be seen. */
    for (int64_t end = wall_ms() + GONE_MS; !stat(dir, &st) && wall_ms() < end; poll(NULL, 0, 20))
        testbed_clean_leftovers();
    assert_int_equal(stat(dir, &st), -1);
}

static int setup(void **state)
{
    (void)state;
    return machine_up(FILES, BLOCKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_owner_leaves_nothing_behind),
        cmocka_unit_test(hello_says_who_answers),
        cmocka_unit_test(commands_run_in_domain_0),
        cmocka_unit_test(requests_that_make_no_sense_are_refused),
        cmocka_unit_test_setup(a_snapshot_brings_the_past_back, machine_from_warm),
        cmocka_unit_test_setup(a_panic_is_a_kernel_crash, machine_from_warm),
        cmocka_unit_test_setup(a_loop_is_a_hang, machine_from_warm),
        cmocka_unit_test_setup(an_oops_is_a_process_crash, machine_from_warm),
        cmocka_unit_test_setup(a_site_that_is_never_reached_is_told, machine_from_warm),
        cmocka_unit_test_setup(memory_that_contradicts_the_plan_is_refused, machine_from_warm),
        cmocka_unit_test(a_dead_machine_is_noticed_at_once),
    };

    return cmocka_run_group_tests_name("testbed, end to end", tests, setup, machine_down);
}
