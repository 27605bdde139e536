/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part of a campaign, to be run on a machine of its own into a database of its own. `wcr
 * merge` joins them: every (class, seed) is in one of the parts, with all of its modes.
 */
#ifndef WCR_CAMPAIGNS_SHARD_H
#define WCR_CAMPAIGNS_SHARD_H

#include <stdbool.h>

#include "campaigns/store.h"
#include "lib/err.h"

#define SHARDS_MAX 10000

struct shard {
    unsigned number, of;    /* from 1; of 0: all of the campaign */
};

/* "2/4". */
int shard_parse(const char *text, struct shard *ret, struct err *err);

/*
 * Is the @n-th trial of the campaign's class number @class in it? Each class is dealt out in turn,
 * beginning at another part than the class before. A campaign that is made longer later leaves
 * what it had where it was.
 */
bool shard_has(const struct shard *shard, unsigned class_number, unsigned n);

/*
 * Begin, or go on with, this part of the campaign in @store. -EEXIST: it was begun with another
 * part, or with all of it.
 */
int shard_use(const struct shard *shard, const struct store *store, struct err *err);

#endif
