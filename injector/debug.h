/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PV domain as a debugger in domain 0 has it. While one is attached, the guest's own int3
 * (kprobes, SystemTap) stops the domain, too: one at a time, and never with a SystemTap module.
 */
#ifndef WCR_INJECTOR_DEBUG_H
#define WCR_INJECTOR_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "injector/guest_kernel.h"
#include "lib/err.h"

struct debug {
    xc_interface *xc;
    xenforeignmemory_handle *fm;
    xencall_handle *call;
    xenevtchn_handle *evtchn;   /* NULL: poll */
    uint32_t domid;
    unsigned vcpus;             /* 0: all of them, until debug_check */
};

/* The handles; @domid and @vcpus are the caller's. To be closed also after an error. */
int debug_open(struct debug *d, struct err *err);
void debug_close(struct debug *d);

/* Whether the domain is one that text can be changed in; counts its vCPUs. */
int debug_check(struct debug *d, struct err *err);

/* Xen counts: a domain that was paused before stays paused. */
int debug_pause(struct debug *d, struct err *err);
int debug_unpause(struct debug *d, struct err *err);

/* While on, a breakpoint that a vCPU reaches pauses the domain. */
int debug_attach(struct debug *d, bool on, struct err *err);
/* Readable when one may have been; -1: poll. */
int debug_fd(const struct debug *d);
void debug_drain(struct debug *d);

/* Copy between the guest's memory and @buf. The domain is paused. */
int debug_memory(struct debug *d, uint64_t va, uint8_t *buf, size_t len, bool write,
                 struct err *err);

/* Whether the paused guest runs that kernel: -ESTALE. */
int debug_kernel_check(struct debug *d, const struct guest_kernel *kernel, struct err *err);

/* Where the paused guest has that module's code. -ESTALE: it has none, or one of another build. */
int debug_module_find(struct debug *d, const struct guest_module *module, uint64_t *ret,
                      struct err *err);

/* Lower-case digits, and an end. */
void debug_hex(char *ret, const uint8_t *bytes, unsigned len);

/*
 * A vCPU's registers; -ENODATA, and no message: the guest never brought it up. The whole of
 * them goes back: the domain is paused, and nothing may run between the two.
 */
int debug_context_get(struct debug *d, unsigned vcpu, vcpu_guest_context_any_t *ret,
                      struct err *err);
int debug_context_set(struct debug *d, unsigned vcpu, vcpu_guest_context_any_t *context,
                      struct err *err);

#endif
