// SPDX-License-Identifier: GPL-2.0-or-later
#include "testbed/tests/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "testbed/jsonl.h"

#define BOOT_MS 240000
#define CALL_MS 300000

struct testbed_config machine_config;
struct testbed *machine;

static void must(int r, const struct err *err)
{
    if (r)
        fail_msg("%s", err->msg);
}

json_t *machine_call(int expect, const char *fmt, ...)
{
    struct err err = {0};
    json_t *request, *reply = NULL;
    va_list ap;
    int r;

    va_start(ap, fmt);
    request = json_vpack_ex(NULL, 0, fmt, ap);
    va_end(ap);
    assert_non_null(request);
    r = testbed_agent_call(machine, request, CALL_MS, &reply, &err);
    json_decref(request);
    if (!expect)
        must(r, &err);
    else if (r != expect)
        fail_msg("expected error %d, got %d: %s", expect, r, r ? err.msg : "no error");
    return reply;
}

const char *machine_text(const json_t *reply, const char *name)
{
    const char *s = json_string_value(json_object_get(reply, name));

    return s ? s : "";
}

int64_t machine_number(const json_t *reply, const char *name)
{
    const json_t *v = json_object_get(reply, name);

    if (!json_is_integer(v))
        fail_msg("the reply has no number '%s'", name);
    return json_integer_value(v);
}

void machine_restore(const char *name)
{
    struct err err = {0};

    must(testbed_snapshot_load(machine, name, &err), &err);
}

void machine_save(const char *name)
{
    struct err err = {0};

    must(testbed_snapshot_save(machine, name, &err), &err);
}

int machine_up(int files, int blocks)
{
    int64_t start = wall_ms(), booted;
    struct err err = {0};
    json_t *reply = NULL;
    int r = testbed_config_load(NULL, &machine_config, &err);

    if (!r)
        r = testbed_start(&machine_config, NULL, &machine, &err);
    if (!r)
        r = testbed_wait_agent(machine, BOOT_MS, &reply, &err);
    json_decref(reply);
    if (r) {
        print_error("%s\n", err.msg);
        return -1;
    }
    booted = wall_ms();
    json_decref(machine_call(0, "{s:s, s:i, s:i}", "cmd", "guest_start", "files", files,
                             "blocks_per_file", blocks));
    machine_save("warm");
    print_message("# machine up after %.1f s, guest warm and saved %.1f s later\n",
                  (double)(booted - start) / 1000, (double)(wall_ms() - booted) / 1000);
    return 0;
}

int machine_down(void **state)
{
    (void)state;
    testbed_stop(machine);
    testbed_config_done(&machine_config);
    return 0;
}

int machine_from_warm(void **state)
{
    (void)state;
    machine_restore("warm");
    return 0;
}
