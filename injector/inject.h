/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text faults into a running PV domain, from domain 0.
 *
 * A hardware execution breakpoint (DR0 of every vCPU) waits at the site. When a vCPU gets
 * there Xen pauses the domain, before the instruction; then the fault is written over it,
 * the breakpoints are removed and the domain goes on. A site that is never reached is never
 * changed. Needs a hypervisor with CONFIG_GDBSX; a fault written at once does not.
 *
 * One injection a domain at a time, by one thread. While it is armed the guest's own int3
 * (kprobes, SystemTap) would be taken for ours: never together.
 */
#ifndef WCR_INJECTOR_INJECT_H
#define WCR_INJECTOR_INJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "injector/guest_kernel.h"
#include "lib/err.h"

#define TEXT_FAULT_BYTES 16

struct text_fault {
    uint64_t va;                    /* of the instruction's first byte; in the module, if one is named */
    uint8_t old_bytes[TEXT_FAULT_BYTES], new_bytes[TEXT_FAULT_BYTES];
    bool any[TEXT_FAULT_BYTES];     /* not compared: old bytes that the module's loader writes */
    unsigned len;
    struct guest_kernel kernel;
    struct guest_module module;
};

/* From a plan's JSON: "va", "old", "new", the kernel, and the module if there is one. -EINVAL. */
int text_fault_from_json(const json_t *plan, struct text_fault *ret, struct err *err);

struct injection;

enum injection_mode {
    INJECTION_AT_HIT,       /* armed; written when the site is first reached */
    INJECTION_AT_ONCE,      /* written now; nobody learns whether it is ever reached */
};

/*
 * Compare the guest's memory with the fault's old bytes and build id, then arm or write it.
 * The domain may be running or paused, and is afterwards as it was before.
 * @vcpus: 0: all of them.
 *
 * -ESTALE: the memory is not what the plan says (the kernel patched the site, or is another
 * one, or has another such module or none); -EFAULT: it cannot be read; -EOPNOTSUPP: the hypervisor cannot tell of the hit, or
 * the domain is not PV; -EBUSY: the guest uses its breakpoints itself; and errors of Xen's.
 * Nothing was changed then.
 */
int inject_text_begin(uint32_t domid, unsigned vcpus, const struct text_fault *fault,
                      enum injection_mode mode, struct injection **ret, struct err *err);

/* Readable when inject_poll may have something to do; -1: poll every few milliseconds. */
int inject_fd(const struct injection *injection);

/*
 * Never waits. At the first hit: write the fault, remove the breakpoints, let the domain go
 * on, and set @ret_activated (true ever after). Errors leave the domain paused at the site.
 */
int inject_poll(struct injection *injection, bool *ret_activated, struct err *err);

/*
 * Remove the breakpoints if the site was never reached (the guest is then as if nothing had
 * happened), and free. The domain may have crashed or be gone. What was written stays.
 * Frees in any case; NULL is fine.
 */
int inject_end(struct injection *injection, struct err *err);

#endif
