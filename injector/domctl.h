/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two things the hypervisor offers and libxenctrl does not. */
#ifndef WCR_INJECTOR_DOMCTL_H
#define WCR_INJECTOR_DOMCTL_H

#include <stdint.h>

#include "lib/err.h"

struct xencall_handle;

/*
 * 1: a vCPU of the paused domain stopped at a breakpoint; which one, and at what (a trap's
 * number). It is told once. 0: none. -EOPNOTSUPP: the hypervisor was built without guest
 * debugging (CONFIG_GDBSX).
 */
int domctl_debug_event(struct xencall_handle *call, uint32_t domid, unsigned *ret_vcpu,
                       unsigned *ret_trap, struct err *err);

/*
 * A vCPU's extended processor state (AVX and later), which a context read and written back
 * through libxenctrl loses. The domain is paused. xstate_free(NULL) is fine.
 */
struct xstate;
int xstate_save(struct xencall_handle *call, uint32_t domid, unsigned vcpu, struct xstate **ret,
                struct err *err);
int xstate_restore(struct xstate *state, struct err *err);
void xstate_free(struct xstate *state);

#endif
