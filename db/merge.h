/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Databases of one campaign, such as those of its shards, become one. */
#ifndef WCR_DB_MERGE_H
#define WCR_DB_MERGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct db_merge {
    int64_t trials;         /* done */
    int64_t twice;          /* of them in more than one file, and the same there */
    int64_t errors;         /* trials that ended as experiment errors */
    int64_t shards;         /* into how many the campaign was cut; 0: not, or not always alike */
    json_t *missing;        /* numbers of those that were not given */
    json_t *differing;      /* names of facts in which the trials' machines differ */
};

/*
 * Join the campaign @campaign (NULL: the only one) of the @len files @paths into the new file
 * @out, which appears when it is complete. The files are only read, also those of an older schema
 * or with a log beside them. A trial that several have must be the same in all of them; a result
 * wins over an experiment error.
 *
 * -EEXIST: @out is there; the files are not of one campaign, or have different plans or results
 * for the same trial: the message says which. Others as db.h.
 */
int db_merge(const char *out, const char *const *paths, size_t len, const char *campaign,
             struct db_merge *ret, struct err *err) __attribute__((warn_unused_result));

void db_merge_done(struct db_merge *merge);

#endif
