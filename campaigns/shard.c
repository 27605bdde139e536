// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int shard_parse(const char *text, struct shard *ret, struct err *err)
{
    char end;

    if (*text >= '0' && *text <= '9' &&
        sscanf(text, "%5u/%5u%c", &ret->number, &ret->of, &end) == 2 && ret->number >= 1 &&
        ret->number <= ret->of && ret->of <= SHARDS_MAX)
        return 0;
    return err_set(err, EINVAL, "--shard '%s': expected K/N, the K-th of N parts: 1 <= K <= N <= %u",
                   text, SHARDS_MAX);
}

bool shard_has(const struct shard *shard, unsigned class_number, unsigned n)
{
    return !shard->of || (class_number + n) % shard->of == shard->number - 1;
}

/* What was begun: *ret_begun false if nothing was; of 0 is all of the campaign. */
static int begun_with(const struct store *store, struct shard *ret, bool *ret_begun, struct err *err)
{
    json_t *recorded, *ready = NULL;
    int r = store->ops->event_get(store->ctx, "shard", &recorded, err);

    if (!r && !recorded)
        r = store->ops->event_get(store->ctx, "worker_ready", &ready, err);
    if (r)
        return r;
    ret->number = (unsigned)json_integer_value(json_object_get(recorded, "shard"));
    ret->of = (unsigned)json_integer_value(json_object_get(recorded, "of"));
    *ret_begun = recorded || ready;
    json_decref(recorded);
    json_decref(ready);
    return 0;
}

static int begin(const struct shard *shard, const struct store *store, struct err *err)
{
    json_t *data = json_pack("{s:i, s:i}", "shard", (int)shard->number, "of", (int)shard->of);
    int r = data ? store->ops->event(store->ctx, "shard", data, err)
                 : err_set(err, ENOMEM, "out of memory");

    json_decref(data);
    return r;
}

int shard_use(const struct shard *shard, const struct store *store, struct err *err)
{
    struct shard was;
    bool begun;
    int r = begun_with(store, &was, &begun, err);

    if (!r && !begun) {
        if (!shard->of)
            return 0;
        r = begin(shard, store, err);
        /* Another process may have been first. */
        if (!r)
            r = begun_with(store, &was, &begun, err);
    }
    if (r || (was.number == shard->number && was.of == shard->of))
        return r;
    if (!was.of)
        return err_set(err, EEXIST, "the database holds all of this campaign, not one shard: leave "
                       "--shard out, or give this shard a --db of its own");
    return err_set(err, EEXIST, "the database holds shard %u/%u of this campaign: give --shard %u/%u, "
                   "or another --db", was.number, was.of, was.number, was.of);
}
