/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which basic blocks a running PV guest executes, seen from domain 0.
 *
 * Each block begins with an int3. The first time that a vCPU gets there Xen pauses the domain;
 * then the byte is what it was again, and the guest goes on where it stood: a block costs once.
 * Needs a hypervisor with CONFIG_GDBSX, and a guest that uses no int3 itself meanwhile.
 */
#ifndef WCR_INJECTOR_COVERAGE_H
#define WCR_INJECTOR_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "injector/guest_kernel.h"
#include "lib/err.h"

struct coverage;

/*
 * Watch @n addresses of the kernel's text, ascending, each an instruction's first byte. An
 * int3 that is there already stays, and is not told of. Nothing was changed on an error, such as
 * -ESTALE: the guest runs another kernel.
 */
int coverage_begin(uint32_t domid, const struct guest_kernel *kernel, const uint64_t *va, size_t n,
                   struct coverage **ret, struct err *err);

/* To be called often: lets vCPUs that stand at a block go on. Takes milliseconds. */
int coverage_poll(struct coverage *coverage, struct err *err);

/*
 * Everything is as it was before; @hit (may be NULL) has @n answers. Frees in any case; NULL
 * is fine.
 */
int coverage_end(struct coverage *coverage, bool *hit, struct err *err);

#endif
