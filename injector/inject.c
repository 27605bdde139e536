// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/inject.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "injector/domctl.h"

#define PAGE 4096ul
#define VCPUS_MAX 64

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
    xc_interface *xc;
    xenforeignmemory_handle *fm;
    xencall_handle *call;
    xenevtchn_handle *evtchn;   /* NULL: poll */
    uint32_t domid;
    unsigned vcpus;
    struct text_fault fault;
    bool armed;                 /* debug registers set, debugging on */
    bool activated;
};

static int handles_open(struct injection *in, struct err *err)
{
    xenevtchn_port_or_error_t port;

    in->xc = xc_interface_open(NULL, NULL, 0);
    if (!in->xc)
        return err_set(err, errno ? errno : EIO, "cannot open the hypervisor: %s",
                       strerror(errno));
    in->fm = xenforeignmemory_open(NULL, 0);
    if (!in->fm)
        return err_set(err, errno ? errno : EIO, "cannot map memory of domains: %s",
                       strerror(errno));
    in->call = xencall_open(NULL, 0);
    if (!in->call)
        return err_set(err, errno ? errno : EIO, "cannot open the hypervisor: %s",
                       strerror(errno));
    /* Only to be woken early; somebody else may hold it. */
    in->evtchn = xenevtchn_open(NULL, 0);
    port = in->evtchn ? xenevtchn_bind_virq(in->evtchn, VIRQ_DEBUGGER) : -1;
    if (port < 0 && in->evtchn) {
        xenevtchn_close(in->evtchn);
        in->evtchn = NULL;
    }
    return 0;
}

static void handles_close(struct injection *in)
{
    if (in->evtchn)
        xenevtchn_close(in->evtchn);
    if (in->call)
        xencall_close(in->call);
    if (in->fm)
        xenforeignmemory_close(in->fm);
    if (in->xc)
        xc_interface_close(in->xc);
}

/* Whether the domain is one that text can be changed in; counts its vCPUs. */
static int domain_check(struct injection *in, struct err *err)
{
    xc_dominfo_t info;
    int n;

    if (!in->domid)
        return err_set(err, EINVAL, "domain 0 would stop before it could put a fault into itself");
    n = xc_domain_getinfo(in->xc, in->domid, 1, &info);
    if (n < 1 || info.domid != in->domid)
        return err_set(err, ESRCH, "domain %" PRIu32 ": no such domain", in->domid);
    if (info.hvm)
        return err_set(err, EOPNOTSUPP, "domain %" PRIu32 ": not a PV domain", in->domid);
    if (info.dying || info.crashed || info.shutdown)
        return err_set(err, ESRCH, "domain %" PRIu32 ": it has ended", in->domid);
    if (!in->vcpus || in->vcpus > info.max_vcpu_id + 1)
        in->vcpus = info.max_vcpu_id + 1;
    if (in->vcpus > VCPUS_MAX)
        return err_set(err, EOPNOTSUPP, "domain %" PRIu32 ": more than %d vCPUs", in->domid,
                       VCPUS_MAX);
    return 0;
}

/* Copy between the guest's memory and @buf. The domain is paused. */
static int memory_copy(struct injection *in, uint64_t va, uint8_t *buf, size_t len, bool write,
                       struct err *err)
{
    while (len) {
        size_t off = va & (PAGE - 1), n = PAGE - off < len ? PAGE - off : len;
        unsigned long mfn;
        xen_pfn_t frame;
        uint8_t *p;

        errno = 0;
        mfn = xc_translate_foreign_address(in->xc, in->domid, 0, va);
        if (!mfn)
            return err_set(err, EFAULT, "0x%" PRIx64 ": not mapped in the guest", va);
        frame = mfn;
        p = xenforeignmemory_map(in->fm, in->domid, write ? PROT_READ | PROT_WRITE : PROT_READ, 1,
                                 &frame, NULL);
        if (!p)
            return err_set(err, EFAULT, "0x%" PRIx64 ": frame 0x%lx cannot be mapped: %s", va, mfn,
                           strerror(errno));
        if (write)
            memcpy(p + off, buf, n);
        else
            memcpy(buf, p + off, n);
        xenforeignmemory_unmap(in->fm, p, 1);
        va += n;
        buf += n;
        len -= n;
    }
    return 0;
}

static void hex(char *ret, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        sprintf(ret + 2 * i, "%02x", bytes[i]);
}

static int memory_check(struct injection *in, struct err *err)
{
    const struct text_fault *f = &in->fault;
    char is[2 * TEXT_FAULT_BUILD_ID + 1] = "", wanted[2 * TEXT_FAULT_BUILD_ID + 1] = "";
    uint8_t bytes[TEXT_FAULT_BUILD_ID];
    int r;

    if (f->build_id_va) {
        r = memory_copy(in, f->build_id_va, bytes, TEXT_FAULT_BUILD_ID, false, err);
        if (r)
            return err_set(err, ESTALE, "the guest runs another kernel than the plan's: its build "
                           "id cannot be read at 0x%" PRIx64, f->build_id_va);
        if (memcmp(bytes, f->build_id, TEXT_FAULT_BUILD_ID) != 0) {
            hex(is, bytes, TEXT_FAULT_BUILD_ID);
            hex(wanted, f->build_id, TEXT_FAULT_BUILD_ID);
            return err_set(err, ESTALE, "the guest runs another kernel than the plan's: build id "
                           "%s, expected %s", is, wanted);
        }
    }
    r = memory_copy(in, f->va, bytes, f->len, false, err);
    if (r)
        return r;
    if (memcmp(bytes, f->old_bytes, f->len) != 0) {
        hex(is, bytes, f->len);
        hex(wanted, f->old_bytes, f->len);
        return err_set(err, ESTALE, "0x%" PRIx64 ": the guest has %s where the plan expects %s: its "
                       "kernel patched this site", f->va, is, wanted);
    }
    return 0;
}

static int memory_write(struct injection *in, struct err *err)
{
    return memory_copy(in, in->fault.va, in->fault.new_bytes, in->fault.len, true, err);
}

static int context_get(struct injection *in, unsigned vcpu, vcpu_guest_context_any_t *ret,
                       struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    if (xc_vcpu_getcontext(in->xc, in->domid, vcpu, ret) < 0)
        /* ENODATA: a vCPU that the guest never brought up, which reaches nothing. */
        return err_set(errno == ENODATA ? NULL : err, errno,
                       "domain %" PRIu32 ", vCPU %u: cannot read its context: %s", in->domid, vcpu,
                       strerror(errno));
    return 0;
}

/* The whole context goes back: the domain is paused, and nothing may run between. */
static int context_set(struct injection *in, unsigned vcpu, vcpu_guest_context_any_t *context,
                       struct err *err)
{
    struct xstate *state;
    int r = xstate_save(in->call, in->domid, vcpu, &state, err);

    if (r)
        return r;
    if (xc_vcpu_setcontext(in->xc, in->domid, vcpu, context) < 0)
        r = err_set(err, errno, "domain %" PRIu32 ", vCPU %u: cannot write its context: %s",
                    in->domid, vcpu, strerror(errno));
    else
        r = xstate_restore(state, err);
    xstate_free(state);
    return r;
}

static int breakpoint_set(struct injection *in, unsigned vcpu, struct err *err)
{
    vcpu_guest_context_any_t any;
    uint64_t *dr = any.x64.debugreg;
    int r = context_get(in, vcpu, &any, err);

    if (r)
        return r == -ENODATA ? 0 : r;
    if (dr[7] & DR7_ENABLE_ANY)
        return err_set(err, EBUSY, "domain %" PRIu32 ", vCPU %u: the guest uses hardware "
                       "breakpoints itself, or another injection waits", in->domid, vcpu);
    dr[0] = in->fault.va;
    dr[6] = DR6_DEFAULT;
    dr[7] = DR7_DEFAULT | DR7_ENABLE_0;
    r = context_set(in, vcpu, &any, err);
    if (!r)
        r = context_get(in, vcpu, &any, err);
    /* A hypervisor takes a context and leaves out what it does not like. */
    if (!r && (dr[0] != in->fault.va || !(dr[7] & DR7_ENABLE_0)))
        r = err_set(err, EOPNOTSUPP, "domain %" PRIu32 ", vCPU %u: the hypervisor refused the "
                    "breakpoint at 0x%" PRIx64, in->domid, vcpu, in->fault.va);
    return r;
}

static int breakpoint_clear(struct injection *in, unsigned vcpu, struct err *err)
{
    vcpu_guest_context_any_t any;
    uint64_t *dr = any.x64.debugreg;
    int r = context_get(in, vcpu, &any, err);

    if (r)
        return r == -ENODATA ? 0 : r;
    if (dr[0] != in->fault.va)
        return 0;
    dr[0] = 0;
    dr[6] = DR6_DEFAULT;
    dr[7] = DR7_DEFAULT;
    return context_set(in, vcpu, &any, err);
}

static int breakpoints_set(struct injection *in, struct err *err)
{
    int r = 0;

    for (unsigned v = 0; !r && v < in->vcpus; v++)
        r = breakpoint_set(in, v, err);
    return r;
}

/* All that can be cleared; the first error. */
static int breakpoints_clear(struct injection *in, struct err *err)
{
    int ret = 0;

    for (unsigned v = 0; v < in->vcpus; v++) {
        int r = breakpoint_clear(in, v, ret ? NULL : err);

        ret = ret ? ret : r;
    }
    return ret;
}

/* vCPUs that stand at the site. The domain is paused. */
static int hits_count(struct injection *in, unsigned *ret, struct err *err)
{
    *ret = 0;
    for (unsigned v = 0; v < in->vcpus; v++) {
        vcpu_guest_context_any_t any;
        int r = context_get(in, v, &any, err);

        if (r && r != -ENODATA)
            return r;
        if (!r && (any.x64.debugreg[6] & DR6_HIT_0) && any.x64.user_regs.rip == in->fault.va)
            ++*ret;
    }
    return 0;
}

static int debugging_set(struct injection *in, bool on, struct err *err)
{
    if (xc_domain_setdebugging(in->xc, in->domid, on) < 0)
        return err_set(err, errno, "domain %" PRIu32 ": cannot switch debugging %s: %s", in->domid,
                       on ? "on" : "off", strerror(errno));
    return 0;
}

static int disarm(struct injection *in, struct err *err)
{
    int r = breakpoints_clear(in, err);
    int r2 = debugging_set(in, false, r ? NULL : err);

    in->armed = false;
    return r ? r : r2;
}

static int arm(struct injection *in, struct err *err)
{
    int r = domctl_gdbsx_check(in->call, in->domid, err);

    if (!r)
        r = debugging_set(in, true, err);
    if (!r)
        r = breakpoints_set(in, err);
    if (r)
        disarm(in, NULL);
    else
        in->armed = true;
    return r;
}

static int domain_pause(struct injection *in, struct err *err)
{
    if (xc_domain_pause(in->xc, in->domid) < 0)
        return err_set(err, errno, "domain %" PRIu32 ": cannot pause: %s", in->domid,
                       strerror(errno));
    return 0;
}

static int domain_unpause(struct injection *in, struct err *err)
{
    if (xc_domain_unpause(in->xc, in->domid) < 0)
        return err_set(err, errno, "domain %" PRIu32 ": cannot unpause: %s", in->domid,
                       strerror(errno));
    return 0;
}

static int begin(struct injection *in, enum injection_mode mode, struct err *err)
{
    int r = domain_check(in, err), r2;

    if (r)
        return r;
    /* Xen counts: a domain that was paused stays paused. */
    r = domain_pause(in, err);
    if (r)
        return r;
    r = memory_check(in, err);
    if (!r)
        r = mode == INJECTION_AT_HIT ? arm(in, err) : memory_write(in, err);
    r2 = domain_unpause(in, r ? NULL : err);
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
    in->domid = domid;
    in->vcpus = vcpus;
    in->fault = *fault;
    r = handles_open(in, err);
    if (!r)
        r = begin(in, mode, err);
    if (r) {
        handles_close(in);
        free(in);
        return r;
    }
    *ret = in;
    return 0;
}

int inject_fd(const struct injection *in)
{
    return in->evtchn ? xenevtchn_fd(in->evtchn) : -1;
}

static void events_drain(struct injection *in)
{
    struct pollfd p = {.events = POLLIN};

    if (!in->evtchn)
        return;
    p.fd = xenevtchn_fd(in->evtchn);
    while (poll(&p, 1, 0) == 1) {
        xenevtchn_port_or_error_t port = xenevtchn_pending(in->evtchn);

        if (port < 0)
            break;
        xenevtchn_unmask(in->evtchn, (evtchn_port_t)port);
    }
}

/* The domain is paused by us, and by the hypervisor once for each hit. */
static int resolve(struct injection *in, unsigned *ret_hits, struct err *err)
{
    int r = hits_count(in, ret_hits, err);

    if (r || !*ret_hits)
        return r;
    r = memory_write(in, err);
    if (!r)
        r = disarm(in, err);
    for (unsigned i = 0; !r && i < *ret_hits; i++)
        r = domain_unpause(in, err);
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
    events_drain(in);
    n = xc_domain_getinfo(in->xc, in->domid, 1, &info);
    if (n < 1 || info.domid != in->domid || !info.paused || info.dying)
        return 0;
    /* Paused, by the hypervisor or by somebody else. Wait until every vCPU stands. */
    r = domain_pause(in, err);
    if (r)
        return r;
    r = resolve(in, &hits, err);
    if (hits) {
        in->activated = true;
        *ret_activated = true;
    }
    /* With an error the domain stays where it is. */
    return r ? r : domain_unpause(in, err);
}

int inject_end(struct injection *in, struct err *err)
{
    xc_dominfo_t info;
    int n, r = 0;

    if (!in)
        return 0;
    n = in->armed ? xc_domain_getinfo(in->xc, in->domid, 1, &info) : 0;
    if (n == 1 && info.domid == in->domid && !info.dying) {
        unsigned hits = 0;
        int r2;

        r = domain_pause(in, err);
        if (!r) {
            /* A hit that nobody polled for: let it go on unharmed. */
            r = hits_count(in, &hits, err);
            r2 = disarm(in, r ? NULL : err);
            r = r ? r : r2;
            for (unsigned i = 0; i < hits + 1; i++) {
                r2 = domain_unpause(in, r ? NULL : err);
                r = r ? r : r2;
            }
        }
    }
    handles_close(in);
    free(in);
    return r;
}
