// SPDX-License-Identifier: GPL-2.0-or-later
/* LOCK: a lock that is not taken, or not given back. */
#include "injector/mutate.h"

#include <stdlib.h>
#include <string.h>

/* Sorted. They return nothing: a call whose result is used cannot just go. */
static const char *const locks[] = {
    "_raw_read_lock",       "_raw_read_lock_bh",         "_raw_read_lock_irq",
    "_raw_read_unlock",     "_raw_read_unlock_bh",       "_raw_read_unlock_irq",
    "_raw_read_unlock_irqrestore",
    "_raw_spin_lock",       "_raw_spin_lock_bh",         "_raw_spin_lock_irq",
    "_raw_spin_unlock",     "_raw_spin_unlock_bh",       "_raw_spin_unlock_irq",
    "_raw_spin_unlock_irqrestore",
    "_raw_write_lock",      "_raw_write_lock_bh",        "_raw_write_lock_irq",
    "_raw_write_unlock",    "_raw_write_unlock_bh",      "_raw_write_unlock_irq",
    "_raw_write_unlock_irqrestore",
    "down",                 "down_read",                 "down_write",
    "mutex_lock",           "mutex_lock_io",             "mutex_unlock",
    "up",                   "up_read",                   "up_write",
};

static int name_cmp(const void *name, const void *lock)
{
    return strcmp(name, *(const char *const *)lock);
}

bool mutate_lock(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];
    const char *callee = code_callee(code, insn);

    if (*n || !callee ||
        !bsearch(callee, locks, sizeof(locks) / sizeof(locks[0]), sizeof(locks[0]), name_cmp))
        return false;
    if (insn_is_call(insn))
        change_to_nop(insn, bytes);
    else if (code_is_tail_call(code, insn))
        change_to_return(insn, bytes);
    else
        return false;
    *n = 1;
    return true;
}
