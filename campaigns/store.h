/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a campaign's results go. store_open() gives the one in the database; the
 * runner's tests have others. Each call is one transaction.
 */
#ifndef WCR_CAMPAIGNS_STORE_H
#define WCR_CAMPAIGNS_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaigns/spec.h"
#include "db/db.h"
#include "lib/err.h"

/* Which trial: (campaign), class, seed, mode; and the plan's index, which is a result of redraws. */
struct trial_key {
    const char *class_name;
    uint64_t seed;
    unsigned index;
};

struct store_ops {
    /*
     * What is there of (class, seed): modes that are done, and the index to go on with:
     * that of the done ones, or the one after the last that was not activated.
     */
    int (*resume)(void *ctx, const char *class_name, uint64_t seed, bool done[MODES],
                  unsigned *ret_index, struct err *err);
    /* A finished trial: @message as campaigns/trial.h describes it. */
    int (*trial)(void *ctx, const struct trial_key *key, const json_t *plan, const json_t *message,
                 unsigned attempts, struct err *err);
    /* A trial that could not be carried out, after its retries. */
    int (*error)(void *ctx, const struct trial_key *key, const json_t *plan, enum reboot_mode mode,
                 unsigned attempts, const char *text, const char *console, struct err *err);
    /* A plan that was drawn but not activated, or refused by the guest's memory. */
    int (*redraw)(void *ctx, const struct trial_key *key, const json_t *plan,
                  const json_t *message, struct err *err);
    /* What is known of a class's rate with the mechanism enabled. */
    int (*rate)(void *ctx, const char *class_name, struct db_rate *ret, struct err *err);
    /* What a worker's machine is made of: names and values. */
    int (*environment)(void *ctx, const json_t *facts, struct err *err);
    /* Something worth keeping that is no trial: an attempt that failed, a worker that died. */
    int (*event)(void *ctx, const char *kind, const json_t *data, struct err *err);
    /* The data of the first event of that kind; NULL: there is none. A new reference. */
    int (*event_get)(void *ctx, const char *kind, json_t **ret, struct err *err);
};

struct store {
    const struct store_ops *ops;
    void *ctx;
};

/* Open or create the database and the campaign in it. -EEXIST: another campaign of that name. */
int store_open(const char *db_path, const struct spec *spec, const char *executor,
               struct store *ret, struct err *err);
void store_close(struct store *store);

#endif
