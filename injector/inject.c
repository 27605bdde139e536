// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/inject.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "injector/debug.h"
#include "injector/domctl.h"

/*
 * DR0 holds the address; L0 and G0 of DR7 enable it, zeroes in R/W0 and LEN0 mean execution; B0
 * of DR6 tells a hit.
 */
#define DR6_DEFAULT 0xffff0ff0u
#define DR6_HIT_0 0x1u
#define DR7_DEFAULT 0x400u
#define DR7_ENABLE_0 0x3u
#define DR7_ENABLE_ANY 0xffu

struct injection {
    struct debug d;
    struct text_fault fault;
    uint64_t va;                /* of the site, in the guest */
    bool armed;                 /* debug registers set, debugging on */
    bool activated;
};

static int bytes_check(struct injection *in, struct err *err)
{
    const struct text_fault *f = &in->fault;
    char is[2 * TEXT_FAULT_BYTES + 1], wanted[2 * TEXT_FAULT_BYTES + 1];
    uint8_t bytes[TEXT_FAULT_BYTES];
    bool same = true;
    int r = debug_memory(&in->d, in->va, bytes, f->len, false, err);

    if (r)
        return r;
    for (unsigned i = 0; i < f->len; i++)
        same = same && (f->any[i] || bytes[i] == f->old_bytes[i]);
    if (same)
        return 0;
    debug_hex(is, bytes, f->len);
    debug_hex(wanted, f->old_bytes, f->len);
    for (unsigned i = 0; i < f->len; i++)
        if (f->any[i])
            memcpy(wanted + 2 * i, "??", 2);
    return err_set(err, ESTALE, "0x%" PRIx64 ": the guest has %s where the plan expects %s: its "
                   "kernel patched this site", in->va, is, wanted);
}

/* Is it that kernel, and that module; where in it is the site, and what? */
static int memory_check(struct injection *in, struct err *err)
{
    const struct text_fault *f = &in->fault;
    uint64_t code = 0;
    int r = debug_kernel_check(&in->d, &f->kernel, err);

    if (!r && *f->module.name)
        r = debug_module_find(&in->d, &f->module, &code, err);
    in->va = code + f->va;
    return r ? r : bytes_check(in, err);
}

static int memory_write(struct injection *in, struct err *err)
{
    return debug_memory(&in->d, in->va, in->fault.new_bytes, in->fault.len, true, err);
}

static int breakpoint_set(struct injection *in, unsigned vcpu, struct err *err)
{
    vcpu_guest_context_any_t any;
    uint64_t *dr = any.x64.debugreg;
    int r = debug_context_get(&in->d, vcpu, &any, err);

    if (r)
        return r == -ENODATA ? 0 : r;
    if (dr[7] & DR7_ENABLE_ANY)
        return err_set(err, EBUSY, "domain %" PRIu32 ", vCPU %u: the guest uses hardware "
                       "breakpoints itself, or another injection waits", in->d.domid, vcpu);
    dr[0] = in->va;
    dr[6] = DR6_DEFAULT;
    dr[7] = DR7_DEFAULT | DR7_ENABLE_0;
    r = debug_context_set(&in->d, vcpu, &any, err);
    if (!r)
        r = debug_context_get(&in->d, vcpu, &any, err);
    /* A hypervisor takes a context and leaves out what it does not like. */
    if (!r && (dr[0] != in->va || !(dr[7] & DR7_ENABLE_0)))
        r = err_set(err, EOPNOTSUPP, "domain %" PRIu32 ", vCPU %u: the hypervisor refused the "
                    "breakpoint at 0x%" PRIx64, in->d.domid, vcpu, in->va);
    return r;
}

static int breakpoint_clear(struct injection *in, unsigned vcpu, struct err *err)
{
    vcpu_guest_context_any_t any;
    uint64_t *dr = any.x64.debugreg;
    int r = debug_context_get(&in->d, vcpu, &any, err);

    if (r)
        return r == -ENODATA ? 0 : r;
    if (dr[0] != in->va)
        return 0;
    dr[0] = 0;
    dr[6] = DR6_DEFAULT;
    dr[7] = DR7_DEFAULT;
    return debug_context_set(&in->d, vcpu, &any, err);
}

static int breakpoints_set(struct injection *in, struct err *err)
{
    int r = 0;

    for (unsigned v = 0; !r && v < in->d.vcpus; v++)
        r = breakpoint_set(in, v, err);
    return r;
}

/* All that can be cleared; the first error. */
static int breakpoints_clear(struct injection *in, struct err *err)
{
    int ret = 0;

    for (unsigned v = 0; v < in->d.vcpus; v++) {
        int r = breakpoint_clear(in, v, ret ? NULL : err);

        ret = ret ? ret : r;
    }
    return ret;
}

/* vCPUs that stand at the site. The domain is paused. */
static int hits_count(struct injection *in, unsigned *ret, struct err *err)
{
    *ret = 0;
    for (unsigned v = 0; v < in->d.vcpus; v++) {
        vcpu_guest_context_any_t any;
        int r = debug_context_get(&in->d, v, &any, err);

        if (r && r != -ENODATA)
            return r;
        if (!r && (any.x64.debugreg[6] & DR6_HIT_0) && any.x64.user_regs.rip == in->va)
            ++*ret;
    }
    return 0;
}

static int disarm(struct injection *in, struct err *err)
{
    int r = breakpoints_clear(in, err);
    int r2 = debug_attach(&in->d, false, r ? NULL : err);

    in->armed = false;
    return r ? r : r2;
}

static int arm(struct injection *in, struct err *err)
{
    unsigned vcpu, trap;
    int r = domctl_debug_event(in->d.call, in->d.domid, &vcpu, &trap, err);

    if (r >= 0)
        r = debug_attach(&in->d, true, err);
    if (!r)
        r = breakpoints_set(in, err);
    if (r)
        disarm(in, NULL);
    else
        in->armed = true;
    return r;
}

static int begin(struct injection *in, enum injection_mode mode, struct err *err)
{
    int r = debug_check(&in->d, err), r2;

    if (r)
        return r;
    r = debug_pause(&in->d, err);
    if (r)
        return r;
    r = memory_check(in, err);
    if (!r)
        r = mode == INJECTION_AT_HIT ? arm(in, err) : memory_write(in, err);
    r2 = debug_unpause(&in->d, r ? NULL : err);
    return r ? r : r2;
}

int inject_text_begin(uint32_t domid, unsigned vcpus, const struct text_fault *fault,
                      enum injection_mode mode, struct injection **ret, struct err *err)
{
    struct injection *in;
    int r;

    if (!fault->len || fault->len > TEXT_FAULT_BYTES)
        return err_set(err, EINVAL, "a text fault has 1 to %d bytes", TEXT_FAULT_BYTES);
    in = calloc(1, sizeof(*in));
    if (!in)
        return err_set(err, ENOMEM, "out of memory");
    in->d.domid = domid;
    in->d.vcpus = vcpus;
    in->fault = *fault;
    r = debug_open(&in->d, err);
    if (!r)
        r = begin(in, mode, err);
    if (r) {
        debug_close(&in->d);
        free(in);
        return r;
    }
    *ret = in;
    return 0;
}

int inject_fd(const struct injection *in)
{
    return debug_fd(&in->d);
}

/* The domain is paused by us, and by the hypervisor once for each hit. */
static int resolve(struct injection *in, unsigned *ret_hits, struct err *err)
{
    int r = hits_count(in, ret_hits, err);

    if (r || !*ret_hits)
        return r;
    /* A module may have gone meanwhile, and another come in its place. */
    r = bytes_check(in, err);
    if (!r)
        r = memory_write(in, err);
    if (!r)
        r = disarm(in, err);
    for (unsigned i = 0; !r && i < *ret_hits; i++)
        r = debug_unpause(&in->d, err);
    return r;
}

int inject_poll(struct injection *in, bool *ret_activated, struct err *err)
{
    unsigned hits = 0;
    xc_dominfo_t info;
    int n, r;

    *ret_activated = in->activated;
    if (!in->armed)
        return 0;
    debug_drain(&in->d);
    n = xc_domain_getinfo(in->d.xc, in->d.domid, 1, &info);
    if (n < 1 || info.domid != in->d.domid || !info.paused || info.dying)
        return 0;
    /* Paused, by the hypervisor or by somebody else. Wait until every vCPU stands. */
    r = debug_pause(&in->d, err);
    if (r)
        return r;
    r = resolve(in, &hits, err);
    if (hits) {
        in->activated = true;
        *ret_activated = true;
    }
    /* With an error the domain stays where it is. */
    return r ? r : debug_unpause(&in->d, err);
}

int inject_end(struct injection *in, struct err *err)
{
    xc_dominfo_t info;
    int n, r = 0;

    if (!in)
        return 0;
    n = in->armed ? xc_domain_getinfo(in->d.xc, in->d.domid, 1, &info) : 0;
    if (n == 1 && info.domid == in->d.domid && !info.dying) {
        unsigned hits = 0;
        int r2;

        r = debug_pause(&in->d, err);
        if (!r) {
            /* A hit that nobody polled for: let it go on unharmed. */
            r = hits_count(in, &hits, err);
            r2 = disarm(in, r ? NULL : err);
            r = r ? r : r2;
            for (unsigned i = 0; i < hits + 1; i++) {
                r2 = debug_unpause(&in->d, r ? NULL : err);
                r = r ? r : r2;
            }
        }
    }
    debug_close(&in->d);
    free(in);
    return r;
}
