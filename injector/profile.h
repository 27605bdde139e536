/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which basic blocks of a kernel a fault-free run of a workload executed. As JSON (one object;
 * a file of `wcr run --profile` holds one):
 *
 *   build_id   of the kernel; build_id_va: where a guest that runs it has it
 *   targets    what was watched, as targets of plans
 *   blocks     how many that were
 *   executed   those that were executed: addresses, as in addresses.h
 */
#ifndef WCR_INJECTOR_PROFILE_H
#define WCR_INJECTOR_PROFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct profile {
    char build_id[41];
    char id[17];            /* of what was executed: part of every plan drawn with it */
    uint64_t blocks;
    uint64_t *executed;     /* ascending */
    size_t len;
};

/* -EINVAL: not such an object; -ENOENT and others of open(). */
int profile_from_json(const json_t *json, struct profile **ret, struct err *err);
int profile_load(const char *path, struct profile **ret, struct err *err);
/* The object in the file, as it is. */
int profile_load_json(const char *path, json_t **ret, struct err *err);
void profile_free(struct profile *profile);

bool profile_has(const struct profile *profile, uint64_t va);

#endif
