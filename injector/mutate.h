/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text classes. Each says, for an instruction in its function, in which ways it can be
 * changed; an instruction that can be changed in at least one way is a candidate.
 * docs/adding-a-class.md tells how to add one.
 */
#ifndef WCR_INJECTOR_MUTATE_H
#define WCR_INJECTOR_MUTATE_H

#include "injector/code.h"

/*
 * Find the first way from number *@n on to change instruction @i. If there is one, @bytes
 * (a copy of the instruction) becomes it and *@n is the number after it; else false, and
 * @bytes are undefined. The same input always finds the same ways in the same order.
 */
typedef bool mutate_variant_fn(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes);

struct mutate_class {
    const char *name;
    mutate_variant_fn *variant;
    bool deletes;       /* all of the instruction, whatever its operands are */
};

const struct mutate_class *mutate_class_find(const char *name);

mutate_variant_fn mutate_text, mutate_nop, mutate_init, mutate_dst, mutate_src, mutate_ptr,
    mutate_br, mutate_loop, mutate_obo, mutate_if, mutate_lock;

#endif
