/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Performance experiments in the database. Errors are db.h's. */
#ifndef WCR_DB_EXPERIMENT_H
#define WCR_DB_EXPERIMENT_H

#include "db/db.h"

struct db_experiment_value {
    const char *configuration;
    const char *metric;         /* with its ordinal, unique in a run and configuration */
    int64_t ordinal;            /* which of several, or its place on an axis */
    double value;
    const char *unit;           /* "MB/s", "s", "instructions", ... */
};

/* @facts_json: parameters and what the machine was made of. */
int db_experiment_begin(struct db *db, const char *experiment, const char *disk,
                        const char *facts_json, int64_t *ret_run, struct err *err)
    __attribute__((warn_unused_result));

/* All of them or none. */
int db_experiment_put(struct db *db, int64_t run, const struct db_experiment_value *values,
                      size_t len, struct err *err) __attribute__((warn_unused_result));

/* Only a run that is finished is shown. */
int db_experiment_finish(struct db *db, int64_t run, struct err *err)
    __attribute__((warn_unused_result));

#endif
