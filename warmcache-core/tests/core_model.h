/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world in which the core can be wrong: a disk and frames with contents, I/O
 * that takes effect a sector at a time at any instant between begin and end, a guest
 * that stores where it likes, a backend that fails or forgets, crashes, next lives.
 * It does what the hypervisor's glue does and no more, and after every step
 * compares what the core says with what the bytes are.
 */
#ifndef WCR_CORE_MODEL_H
#define WCR_CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where the model's decisions come from: bytes, then (if seeded) a generator. */
struct model_choices {
    const uint8_t *bytes;
    size_t size;
    uint64_t state;
    bool endless;               /* go on with the generator when bytes are out */
};

enum {
    MODEL_HOSTILE = 1,          /* wild numbers, frames under wrong PFNs */
    MODEL_NO_MEMORY = 2,        /* allocations fail now and then */
    MODEL_QUIET = 4,            /* nothing overlaps in time: REUSABLE is exactly predicted */
};

struct model_result {
    char error[256];            /* empty: the core was right throughout */
    unsigned long steps;
    unsigned long became_reusable, held, granted, lives, stores_seen;
};

/* Where to tell what happens; NULL, the default: nowhere. */
extern FILE *model_trace;

/* Run until the choices are out or `steps` are done. */
void model_run(struct model_choices *choices, unsigned int flags, unsigned long steps,
               struct model_result *ret_result);

#endif
