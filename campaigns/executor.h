/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where trials happen. An executor brings a machine to the point where a fault can
 * be injected ("warm": the guest runs, its cache is full), and speaks the agent
 * protocol (campaigns/protocol.md) to it.
 *
 * Errors are experiment errors: -errno and a message, never a result.
 */
#ifndef WCR_CAMPAIGNS_EXECUTOR_H
#define WCR_CAMPAIGNS_EXECUTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaigns/spec.h"
#include "lib/err.h"

struct executor_params {
    const char *testbed_env;    /* testbed: NULL is the default place */
    const char *connect;        /* xen: libvirt URI given to the agent; may be NULL */
    const char *agent;          /* xen: command that starts the agent; NULL: wcr-agent --stdio */
    const char *record;         /* testbed: from POINT_WARM on, all is recorded in this empty
                                   directory; no snapshots then. NULL: nothing is */
    unsigned worker;            /* number of the worker, from 0 */
    bool verbose;
};

enum executor_point { POINT_WARM, POINT_CRASH };

struct executor_ops {
    const char *name;
    /* save(POINT_CRASH) and restore(POINT_CRASH) work: one crash serves all modes. */
    bool snapshots;

    int (*open)(const struct executor_params *params, const struct spec *spec, void **ret,
                struct err *err);
    /* Always succeeds; nothing is left running. */
    void (*close)(void *ctx);

    /*
     * Bring the machine to @point. POINT_WARM always works: the first time, or after
     * an error, it boots; otherwise it restores. @ret_cold tells that it booted.
     */
    int (*restore)(void *ctx, enum executor_point point, bool *ret_cold, struct err *err);
    int (*save)(void *ctx, enum executor_point point, struct err *err);

    /*
     * One request of the agent protocol. @request is borrowed. -ESTALE: the guest's
     * memory is not what the plan says; another plan is wanted.
     */
    int (*call)(void *ctx, json_t *request, int64_t timeout_ms, json_t **ret, struct err *err);

    /* Versions and facts for the database, valid once warm; new reference. */
    json_t *(*describe)(void *ctx);

    /* The console's last lines for an error record, malloc'ed; may be NULL. */
    char *(*console)(void *ctx, unsigned lines);
};

extern const struct executor_ops testbed_executor;
extern const struct executor_ops xen_executor;

/* The agent's guest_start request for this campaign; NULL: out of memory. */
json_t *executor_guest_start(const struct spec *spec);

/* NULL when there is none of that name. */
const struct executor_ops *executor_find(const char *name);

#endif
