/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mutation did, told from the text of both disassemblies: other code than that
 * which chose the mutation.
 */
#ifndef WCR_INJECTOR_TESTS_ORACLE_H
#define WCR_INJECTOR_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "injector/plan.h"

/* A kernel with symbols for tests to read: $WCR_VMLINUX, the testbed's, the cache's; or NULL. */
const char *oracle_vmlinux(void);

/* NULL if the change is what its class says, else what is wrong with it. */
const char *oracle_text(const uint8_t *old, const uint8_t *new, unsigned len);
const char *oracle_dst(const char *old_asm, const char *new_asm);
const char *oracle_ptr(const char *old_asm, const char *new_asm);

/* The same for a whole plan of one of the three classes. */
const char *oracle_plan(const struct plan *plan);

#endif
