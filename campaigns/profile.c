// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each block costs a stop of the guest: of its own time nearly none, of ours a lot. */
#define WALL_MS 600000

static int workload_run(const struct spec *spec, const struct executor_ops *ops, void *executor,
                        const json_t *profile, const char *blocks, json_t **ret, struct err *err)
{
    json_t *request = json_pack("{s:s, s:i, s:s, s:O, s:O}", "cmd", "golden", "run_ms",
                                (int)(spec->delay_max_ms + spec->deadline_ms), "blocks", blocks,
                                "build_id", json_object_get(profile, "build_id"), "build_id_va",
                                json_object_get(profile, "build_id_va"));
    json_t *reply = NULL;
    const char *outcome;
    bool cold;
    int r = request ? ops->restore(executor, POINT_WARM, &cold, err)
                    : err_set(err, ENOMEM, "out of memory");

    if (!r)
        r = ops->call(executor, request, WALL_MS, &reply, err);
    outcome = json_string_value(json_object_get(reply, "outcome"));
    *ret = json_object_get(reply, "executed");
    if (!r && (!outcome || strcmp(outcome, "no_crash") != 0))
        r = err_set(err, EIO, "the run without a fault ended with '%s'", outcome ? outcome : "");
    if (!r && !json_is_string(*ret))
        r = err_set(err, EPROTO, "agent, 'golden': the reply has no 'executed'");
    if (!r)
        json_incref(*ret);
    json_decref(request);
    json_decref(reply);
    return r;
}

int profile_make(const struct spec *spec, const struct executor_ops *ops,
                 const struct executor_params *params, struct planner *planner, json_t **ret,
                 struct err *err)
{
    json_t *profile, *executed;
    void *executor;
    char *blocks;
    int r = planner_blocks(planner, spec, &profile, &blocks, err);

    if (r)
        return r;
    r = ops->open(params, spec, &executor, err);
    if (!r) {
        r = workload_run(spec, ops, executor, profile, blocks, &executed, err);
        ops->close(executor);
    }
    free(blocks);
    if (r) {
        json_decref(profile);
        return err_prefix(err, "profile of the workload");
    }
    json_object_set_new(profile, "executed", executed);
    *ret = profile;
    return 0;
}
