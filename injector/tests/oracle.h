/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each text class says, told with another disassembler (Capstone) than the one that
 * chooses the mutations (Zydis): where it strikes, and what an instruction becomes.
 */
#ifndef WCR_INJECTOR_TESTS_ORACLE_H
#define WCR_INJECTOR_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "injector/image.h"

/* A kernel with symbols for tests to read: $WCR_VMLINUX, the testbed's, the cache's; or NULL. */
const char *oracle_vmlinux(void);

struct oracle;

/* Never NULL: it aborts. @image outlives it. */
struct oracle *oracle_new(const struct image *image);
void oracle_free(struct oracle *oracle);

/* From here on it is about @f. NULL, or why it cannot be. */
const char *oracle_enter(struct oracle *oracle, const struct image_function *f);

/*
 * NULL if the @len bytes @new are what @class may make of the instruction at @va, else what
 * is wrong with them.
 */
const char *oracle_judge(struct oracle *oracle, const char *class, uint64_t va, const uint8_t *new,
                         unsigned len);

/*
 * Whether the instruction at @va is a candidate of @class. Only for classes that change an
 * instruction in at most one way (oracle_decides).
 */
bool oracle_wants(struct oracle *oracle, const char *class, uint64_t va);
bool oracle_decides(const char *class);

/* The instruction in Capstone's words, for messages; till the next call. */
const char *oracle_text(struct oracle *oracle, uint64_t va, const uint8_t *bytes, unsigned len);

#endif
