/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Performance experiments: what they share, and one function for each. docs/experiments.md. */
#ifndef WCR_CAMPAIGNS_EXPERIMENTS_EXPERIMENT_H
#define WCR_CAMPAIGNS_EXPERIMENTS_EXPERIMENT_H

#include "campaigns/experiments/bed.h"
#include "db/experiment.h"

/* A disk is as fast as a share of what the guest reads from its cache. */
struct disk {
    const char *name;
    double share;           /* 0: no limit but the emulated machine's */
};

#define NUMBERS_MAX 1024

/* Of one configuration, until they are recorded. The names are not copied. */
struct numbers {
    const char *configuration;
    struct db_experiment_value value[NUMBERS_MAX];
    size_t len;
};

void number(struct numbers *n, const char *metric, int64_t ordinal, double value, const char *unit);

/* One invocation. */
struct session {
    struct bed bed;
    struct db *db;
    unsigned file_mb, guest_mb;
    const struct disk *disks;   /* those wanted */
    unsigned disks_len;
    int64_t run[8];             /* of the experiment at work, on each of the disks */
};

/* The memory of a guest that caches a file of so many MB, unless another is asked for. */
unsigned session_guest_mb(unsigned file_mb);

/* Record a configuration's numbers on the disk numbered @disk, and say so. */
int session_record(struct session *s, unsigned disk, const struct numbers *n, struct err *err);

struct experiment {
    const char *name, *help;
    int (*run)(struct session *s, struct err *err);
    bool unlimited;         /* of no interest on a slow disk: only on one without a limit */
};

int experiment_service(struct session *s, struct err *err);
int experiment_neighbour(struct session *s, struct err *err);
int experiment_web(struct session *s, struct err *err);
int experiment_file_read(struct session *s, struct err *err);

#endif
