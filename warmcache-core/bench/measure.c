// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/testbed.h"
#include "warmcache-core/bench/cost.h"

#define BOOT_MS 240000
#define CALL_MS 300000
#define GUEST_MS 120000
#define SNAPSHOT "bench"
/* No workers: nothing else runs in the guest. */
#define NO_WORKERS "wcr.agent=--cmdline=wcr.workers=0"

const struct machine_config machine_configs[MACHINES] = {
    [MACHINE_STOCK] = {"stock", "stock Xen and Linux", true, NULL, NO_WORKERS, "none"},
    [MACHINE_OFF] = {"off", "patched, Xen booted without warmcache", false, "warmcache=0",
                     NO_WORKERS " wcr.agent=--no-warmcache", "none"},
    [MACHINE_NONE] = {"none", "patched, the guest has no warm cache", false, NULL, NO_WORKERS,
                      "none"},
    [MACHINE_ENABLED] = {"enabled", "patched, policy enabled", false, NULL, NO_WORKERS, "enabled"},
};

const struct workload workloads[] = {
    {"nothing", 4096, 0},
    {"read-cold", 4096, 1.05}, {"read-cold", 131072, 1.05},
    {"read-cached", 4096, 1.0}, {"read-cached", 131072, 1.0},
    {"random-read-cold", 4096, 1.05}, {"random-read-cold", 131072, 1.05},
    {"random-read-cached", 4096, 1.0}, {"random-read-cached", 131072, 1.0},
    {"write-fsync", 4096, 1.05}, {"write-fsync", 131072, 1.05},
    {"overwrite", 4096, 1.15}, {"overwrite", 131072, 1.15},
    {"overwrite-fsync", 4096, 0}, {"overwrite-fsync", 131072, 0},
    {"append-fsync", 4096, 0}, {"append-fsync", 65536, 0},
    {"mmap-write", 4096, 0},
    {"create-delete", 4096, 0},
    {"mix", 4096, 0},
};
const unsigned workloads_len = sizeof(workloads) / sizeof(workloads[0]);
_Static_assert(sizeof(workloads) / sizeof(workloads[0]) <= WORKLOADS_MAX, "room for every workload");

const char *const counter_names[COUNTERS] = {
    "disk_reads", "disk_writes", "io_reads", "io_writes", "io_requests", "io_calls",
    "map_entries", "map_calls", "protect_refused", "stores_seen",
};

struct command_result {
    uint64_t dom0_ns, guest_ns;     /* running time */
    char answer[128];
};

static uint64_t number(const json_t *o, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(o, name));
}

static int guest_command(struct testbed *tb, const char *line, struct command_result *ret,
                         struct err *err)
{
    json_t *q = json_pack("{s:s, s:s, s:i}", "cmd", "guest_command", "line", line, "deadline_ms",
                          GUEST_MS);
    json_t *reply = NULL;
    const char *answer;
    int r = testbed_agent_call(tb, q, CALL_MS, &reply, err);

    json_decref(q);
    if (r)
        return r;
    answer = json_string_value(json_object_get(reply, "answer"));
    if (number(reply, "rc"))
        r = err_set(err, EREMOTEIO, "the guest's '%s' failed: rc=%" PRId64, line,
                    (int64_t)number(reply, "rc"));
    if (ret) {
        ret->dom0_ns = number(reply, "dom0_cpu_ns");
        ret->guest_ns = number(reply, "guest_cpu_ns");
        snprintf(ret->answer, sizeof(ret->answer), "%s", answer ? answer : "");
    }
    json_decref(reply);
    return r;
}

static int counters_read(struct testbed *tb, int64_t ret[COUNTERS], struct err *err)
{
    json_t *q = json_pack("{s:s}", "cmd", "counters"), *reply = NULL;
    int r = testbed_agent_call(tb, q, CALL_MS, &reply, err);

    json_decref(q);
    for (unsigned i = 0; i < COUNTERS && !r; i++)
        ret[i] = (int64_t)number(reply, counter_names[i]);
    json_decref(reply);
    return r;
}

/* Boot up to a guest whose files are there, and keep that. */
static int machine_up(const struct machine_config *m, const struct testbed_config *config,
                      struct testbed **ret, struct err *err)
{
    struct testbed_options options = {
        .idle_waits = true, .xen_append = m->xen_append, .dom0_append = m->dom0_append,
    };
    json_t *q;
    int r = testbed_start(config, &options, ret, err);

    if (!r)
        r = testbed_wait_agent(*ret, BOOT_MS, NULL, err);
    if (r)
        return r;
    q = json_pack("{s:s, s:s, s:i, s:i, s:s}", "cmd", "guest_start", "policy", m->policy, "files", 1,
                  "blocks_per_file", 1, "mount_options", "commit=600");
    r = testbed_agent_call(*ret, q, CALL_MS, NULL, err);
    json_decref(q);
    if (!r)
        r = guest_command(*ret, "bench setup", NULL, err);
    if (!r)
        r = testbed_snapshot_save(*ret, SNAPSHOT, err);
    return r;
}

/* Every repeat begins at the same snapshot. */
static int measure_once(struct testbed *tb, const struct workload *w, struct cost *c,
                        struct err *err)
{
    struct sample *s = &c->sample[c->repeats];
    struct command_result got;
    int64_t before[COUNTERS], after[COUNTERS];
    char line[96];
    int r = testbed_snapshot_load(tb, SNAPSHOT, err);

    snprintf(line, sizeof(line), "bench prepare %s %" PRIu32, w->name, w->size);
    if (!r)
        r = guest_command(tb, line, NULL, err);
    if (!r)
        r = counters_read(tb, before, err);
    snprintf(line, sizeof(line), "bench run %s %" PRIu32, w->name, w->size);
    if (!r)
        r = guest_command(tb, line, &got, err);
    if (!r)
        r = counters_read(tb, after, err);
    if (r)
        return r;
    if (sscanf(got.answer, "ops=%" SCNu64 " ns=%" SCNu64, &c->ops, &s->ns) != 2 || !c->ops)
        return err_set(err, EPROTO, "'%s' answered '%s'", line, got.answer);
    s->guest = got.guest_ns / NS_PER_INSTRUCTION;
    s->total = (got.guest_ns + got.dom0_ns) / NS_PER_INSTRUCTION;
    for (unsigned i = 0; i < COUNTERS; i++)
        c->counter[i] = after[i] - before[i];
    c->repeats++;
    return 0;
}

static int compare_samples(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;

    return x->total < y->total ? -1 : x->total > y->total;
}

/* What disturbs a repeat only adds to it. */
static void summarise(struct cost *c)
{
    qsort(c->sample, c->repeats, sizeof(c->sample[0]), compare_samples);
    c->best = c->sample[0];
    if (c->repeats > 1)
        c->noise = (double)(c->sample[1].total - c->best.total) / (double)c->best.total;
}

/* What a command that does nothing takes is no workload's. */
static void take_off(struct cost *c, const struct sample *nothing)
{
    for (unsigned i = 0; i < c->repeats; i++) {
        struct sample *s = &c->sample[i];

        s->guest -= s->guest < nothing->guest ? s->guest : nothing->guest;
        s->total -= s->total < nothing->total ? s->total : nothing->total;
    }
}

int measure_machine(enum machine_kind kind, const char *env, unsigned repeats, const bool *wanted,
                    struct cost *ret, struct err *err)
{
    struct testbed_config config;
    struct testbed *tb = NULL;
    int r = testbed_config_load(env, &config, err);

    if (r)
        return r;
    if (config.stock != machine_configs[kind].stock)
        r = err_set(err, EINVAL, "%s: built %s the mechanism, which is not what is wanted here",
                    env ? env : testbed_config_path(NULL), config.stock ? "without" : "with");
    if (!r)
        r = machine_up(&machine_configs[kind], &config, &tb, err);
    for (unsigned w = 0; w < workloads_len && !r; w++) {
        for (unsigned i = 0; i < repeats && wanted[w] && !r; i++)
            r = measure_once(tb, &workloads[w], &ret[w], err);
        if (r || !wanted[w])
            continue;
        if (w)
            take_off(&ret[w], &ret[0].best);
        summarise(&ret[w]);
        fprintf(stderr, "%s: %s %" PRIu32 ": %" PRIu64 " instructions, noise %.2f%%\n",
                machine_configs[kind].name, workloads[w].name, workloads[w].size,
                ret[w].best.total, 100 * ret[w].noise);
    }
    testbed_stop(tb);
    testbed_config_done(&config);
    return r;
}
