// SPDX-License-Identifier: GPL-2.0-or-later
/* Trials on the testbed: boot once, snapshot the warm machine, restore it for each trial. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/executor.h"
#include "testbed/jsonl.h"
#include "testbed/testbed.h"

#define BOOT_TIMEOUT_MS 240000
#define GUEST_TIMEOUT_MS 300000
#define PING_TIMEOUT_MS 30000

struct testbed_context {
    struct testbed_config config;
    const struct spec *spec;
    const char *record;
    struct testbed *tb;
    bool doubtful;          /* something went wrong since the last restore */
    json_t *hello, *guest;
    double boot_s, guest_s, save_s;
};

static int context_open(const struct executor_params *params, const struct spec *spec, void **ret,
                        struct err *err)
{
    struct testbed_context *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return err_set(err, ENOMEM, "out of memory");
    c->spec = spec;
    c->record = params->record;
    r = testbed_config_load(params->testbed_env, &c->config, err);
    if (r)
        free(c);
    else
        *ret = c;
    return r;
}

static void machine_stop(struct testbed_context *c)
{
    struct err unused;

    if (c->record && c->tb)
        testbed_finish(c->tb, "warm", &unused);
    testbed_stop(c->tb);
    c->tb = NULL;
    json_decref(c->hello);
    json_decref(c->guest);
    c->hello = c->guest = NULL;
}

static void context_close(void *ctx)
{
    struct testbed_context *c = ctx;

    machine_stop(c);
    testbed_config_done(&c->config);
    free(c);
}

static double since(int64_t start)
{
    return (double)(wall_ms() - start) / 1000;
}

/* The same machine goes on in another QEMU, whose log begins here. */
static int record(struct testbed_context *c, struct err *err)
{
    struct testbed_options o = {.dir = c->record, .loadvm = "warm", .log = TESTBED_RECORD};
    int r = testbed_finish(c->tb, NULL, err);

    testbed_stop(c->tb);
    c->tb = NULL;
    return r ? r : testbed_start(&c->config, &o, &c->tb, err);
}

static int machine_boot(struct testbed_context *c, struct err *err)
{
    struct testbed_options o = {.dir = c->record, .log = c->record ? TESTBED_RECORD : TESTBED_UNLOGGED};
    int64_t start = wall_ms();
    json_t *request;
    int r;

    machine_stop(c);
    r = testbed_start(&c->config, &o, &c->tb, err);
    if (r)
        return err_prefix(err, "cannot start the testbed");
    r = testbed_wait_agent(c->tb, BOOT_TIMEOUT_MS, &c->hello, err);
    if (r)
        return r;
    c->boot_s = since(start);
    start = wall_ms();
    request = executor_guest_start(c->spec);
    if (!request)
        return err_set(err, ENOMEM, "out of memory");
    r = testbed_agent_call(c->tb, request, GUEST_TIMEOUT_MS, &c->guest, err);
    json_decref(request);
    if (r)
        return r;
    c->guest_s = since(start);
    start = wall_ms();
    r = testbed_snapshot_save(c->tb, "warm", err);
    c->save_s = since(start);
    return !r && c->record ? record(c, err) : r;
}

/* After trouble: is the machine that was restored one that answers? */
static int ping(struct testbed_context *c, struct err *err)
{
    json_t *hello = json_pack("{s:s}", "cmd", "hello");
    int r;

    if (!hello)
        return err_set(err, ENOMEM, "out of memory");
    r = testbed_agent_call(c->tb, hello, PING_TIMEOUT_MS, NULL, err);
    json_decref(hello);
    return r ? r : testbed_snapshot_load(c->tb, "warm", err);
}

static int context_restore(void *ctx, enum executor_point point, bool *ret_cold, struct err *err)
{
    struct testbed_context *c = ctx;
    struct err unused;
    int r;

    *ret_cold = false;
    if (point == POINT_CRASH) {
        r = testbed_snapshot_load(c->tb, "crash", err);
        c->doubtful |= r != 0;
        return r;
    }
    if (c->tb && testbed_alive(c->tb) && !testbed_snapshot_load(c->tb, "warm", &unused) &&
        (!c->doubtful || !ping(c, &unused))) {
        c->doubtful = false;
        return 0;
    }
    *ret_cold = true;
    r = machine_boot(c, err);
    if (r)
        machine_stop(c);
    c->doubtful = false;
    return r;
}

static int context_save(void *ctx, enum executor_point point, struct err *err)
{
    struct testbed_context *c = ctx;
    int r = testbed_snapshot_save(c->tb, point == POINT_WARM ? "warm" : "crash", err);

    c->doubtful |= r != 0;
    return r;
}

static int context_call(void *ctx, json_t *request, int64_t timeout_ms, json_t **ret,
                        struct err *err)
{
    struct testbed_context *c = ctx;
    int r = testbed_agent_call(c->tb, request, timeout_ms, ret, err);

    c->doubtful |= r != 0;
    return r;
}

/* Every hash that the build wrote, what the agent says of itself, and QEMU. */
static json_t *context_describe(void *ctx)
{
    struct testbed_context *c = ctx;
    json_t *ret = json_object();
    const char *name, *value;

    for (unsigned i = 0; (name = env_file_name(c->config.env, i, &value)); i++)
        if (strlen(name) > 5 && !strcmp(name + strlen(name) - 5, "_HASH"))
            json_object_set_new(ret, name, json_string(value));
    if (c->tb)
        json_object_set_new(ret, "qemu", json_string(testbed_qemu_version(c->tb)));
    json_object_set_new(ret, "clock", json_string("icount shift=1, sleep=off"));
    if (c->hello) {
        json_object_set(ret, "agent", json_object_get(c->hello, "version"));
        json_object_set(ret, "xen", json_object_get(c->hello, "xen"));
        json_object_set(ret, "kernel", json_object_get(c->hello, "kernel"));
        json_object_set(ret, "abi", json_object_get(c->hello, "abi"));
    }
    json_object_set_new(ret, "boot_s", json_real(c->boot_s));
    json_object_set_new(ret, "guest_start_s", json_real(c->guest_s));
    json_object_set_new(ret, "save_warm_s", json_real(c->save_s));
    if (c->tb)
        json_object_set_new(ret, "disk_bytes", json_integer((json_int_t)testbed_disk_bytes(c->tb)));
    return ret;
}

static char *context_console(void *ctx, unsigned lines)
{
    struct testbed_context *c = ctx;

    return c->tb ? testbed_console_tail(c->tb, lines) : NULL;
}

const struct executor_ops testbed_executor = {
    .name = "testbed",
    .snapshots = true,
    .open = context_open,
    .close = context_close,
    .restore = context_restore,
    .save = context_save,
    .call = context_call,
    .describe = context_describe,
    .console = context_console,
};
