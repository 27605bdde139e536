// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/debug.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "injector/domctl.h"

#define PAGE 4096ul
#define VCPUS_MAX 64
#define MODULES_MAX 4096

int debug_open(struct debug *d, struct err *err)
{
    xenevtchn_port_or_error_t port;

    d->xc = xc_interface_open(NULL, NULL, 0);
    if (!d->xc)
        return err_set(err, errno ? errno : EIO, "cannot open the hypervisor: %s",
                       strerror(errno));
    d->fm = xenforeignmemory_open(NULL, 0);
    if (!d->fm)
        return err_set(err, errno ? errno : EIO, "cannot map memory of domains: %s",
                       strerror(errno));
    d->call = xencall_open(NULL, 0);
    if (!d->call)
        return err_set(err, errno ? errno : EIO, "cannot open the hypervisor: %s",
                       strerror(errno));
    /* Only to be woken early; somebody else may hold it. */
    d->evtchn = xenevtchn_open(NULL, 0);
    port = d->evtchn ? xenevtchn_bind_virq(d->evtchn, VIRQ_DEBUGGER) : -1;
    if (port < 0 && d->evtchn) {
        xenevtchn_close(d->evtchn);
        d->evtchn = NULL;
    }
    return 0;
}

void debug_close(struct debug *d)
{
    if (d->evtchn)
        xenevtchn_close(d->evtchn);
    if (d->call)
        xencall_close(d->call);
    if (d->fm)
        xenforeignmemory_close(d->fm);
    if (d->xc)
        xc_interface_close(d->xc);
}

int debug_check(struct debug *d, struct err *err)
{
    xc_dominfo_t info;
    int n;

    if (!d->domid)
        return err_set(err, EINVAL, "domain 0 would stop before it could put a fault into itself");
    n = xc_domain_getinfo(d->xc, d->domid, 1, &info);
    if (n < 1 || info.domid != d->domid)
        return err_set(err, ESRCH, "domain %" PRIu32 ": no such domain", d->domid);
    if (info.hvm)
        return err_set(err, EOPNOTSUPP, "domain %" PRIu32 ": not a PV domain", d->domid);
    if (info.dying || info.crashed || info.shutdown)
        return err_set(err, ESRCH, "domain %" PRIu32 ": it has ended", d->domid);
    if (!d->vcpus || d->vcpus > info.max_vcpu_id + 1)
        d->vcpus = info.max_vcpu_id + 1;
    if (d->vcpus > VCPUS_MAX)
        return err_set(err, EOPNOTSUPP, "domain %" PRIu32 ": more than %d vCPUs", d->domid,
                       VCPUS_MAX);
    return 0;
}

int debug_memory(struct debug *d, uint64_t va, uint8_t *buf, size_t len, bool write,
                 struct err *err)
{
    while (len) {
        size_t off = va & (PAGE - 1), n = PAGE - off < len ? PAGE - off : len;
        unsigned long mfn;
        xen_pfn_t frame;
        uint8_t *p;

        errno = 0;
        mfn = xc_translate_foreign_address(d->xc, d->domid, 0, va);
        if (!mfn)
            return err_set(err, EFAULT, "0x%" PRIx64 ": not mapped in the guest", va);
        frame = mfn;
        p = xenforeignmemory_map(d->fm, d->domid, write ? PROT_READ | PROT_WRITE : PROT_READ, 1,
                                 &frame, NULL);
        if (!p)
            return err_set(err, EFAULT, "0x%" PRIx64 ": frame 0x%lx cannot be mapped: %s", va, mfn,
                           strerror(errno));
        if (write)
            memcpy(p + off, buf, n);
        else
            memcpy(buf, p + off, n);
        xenforeignmemory_unmap(d->fm, p, 1);
        va += n;
        buf += n;
        len -= n;
    }
    return 0;
}

void debug_hex(char *ret, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        sprintf(ret + 2 * i, "%02x", bytes[i]);
}

/* Whether @bytes are @build_id; if not, there is @another. */
static int build_id_check(const uint8_t *bytes, const uint8_t *build_id, const char *another,
                          struct err *err)
{
    char is[2 * BUILD_ID_BYTES + 1], wanted[2 * BUILD_ID_BYTES + 1];

    if (memcmp(bytes, build_id, BUILD_ID_BYTES) == 0)
        return 0;
    debug_hex(is, bytes, BUILD_ID_BYTES);
    debug_hex(wanted, build_id, BUILD_ID_BYTES);
    return err_set(err, ESTALE, "%s than the plan's: build id %s, expected %s", another, is, wanted);
}

int debug_kernel_check(struct debug *d, const struct guest_kernel *kernel, struct err *err)
{
    uint8_t bytes[BUILD_ID_BYTES];

    if (!kernel->build_id_va)
        return 0;
    if (debug_memory(d, kernel->build_id_va, bytes, BUILD_ID_BYTES, false, err))
        return err_set(err, ESTALE, "the guest runs another kernel than the plan's: its build id "
                       "cannot be read at 0x%" PRIx64, kernel->build_id_va);
    return build_id_check(bytes, kernel->build_id, "the guest runs another kernel", err);
}

static int pointer_read(struct debug *d, uint64_t va, uint64_t *ret, struct err *err)
{
    return debug_memory(d, va, (uint8_t *)ret, sizeof(*ret), false, err);
}

/* The guest's struct module of that name. */
static int module_named(struct debug *d, const struct guest_module *m, uint64_t *ret, struct err *err)
{
    uint64_t at = m->list_va;
    char name[GUEST_MODULE_NAME];

    for (unsigned i = 0; i < MODULES_MAX; i++) {
        int r = pointer_read(d, at, &at, err);

        if (!r && at == m->list_va)
            return err_set(err, ESTALE, "the guest has no module '%s' loaded", m->name);
        if (!r)
            r = debug_memory(d, at - m->list + m->name_at, (uint8_t *)name, strlen(m->name) + 1,
                             false, err);
        if (r)
            return r;
        if (!memcmp(name, m->name, strlen(m->name) + 1)) {
            *ret = at - m->list;
            return 0;
        }
    }
    return err_set(err, ESTALE, "the guest's list of modules has no end");
}

int debug_module_find(struct debug *d, const struct guest_module *m, uint64_t *ret, struct err *err)
{
    uint8_t bytes[BUILD_ID_BYTES];
    uint64_t module = 0, rodata = 0;
    char another[128];
    int r = module_named(d, m, &module, err);

    if (!r)
        r = pointer_read(d, module + m->code, ret, err);
    if (!r)
        r = pointer_read(d, module + m->rodata, &rodata, err);
    if (!r)
        r = debug_memory(d, rodata + m->build_id_at, bytes, BUILD_ID_BYTES, false, err);
    if (r)
        return r;
    snprintf(another, sizeof(another), "the guest loaded another build of '%s'", m->name);
    return build_id_check(bytes, m->build_id, another, err);
}

int debug_context_get(struct debug *d, unsigned vcpu, vcpu_guest_context_any_t *ret,
                      struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    if (xc_vcpu_getcontext(d->xc, d->domid, vcpu, ret) < 0)
        /* ENODATA: a vCPU that the guest never brought up, which reaches nothing. */
        return err_set(errno == ENODATA ? NULL : err, errno,
                       "domain %" PRIu32 ", vCPU %u: cannot read its context: %s", d->domid, vcpu,
                       strerror(errno));
    return 0;
}

int debug_context_set(struct debug *d, unsigned vcpu, vcpu_guest_context_any_t *context,
                      struct err *err)
{
    struct xstate *state;
    int r = xstate_save(d->call, d->domid, vcpu, &state, err);

    if (r)
        return r;
    if (xc_vcpu_setcontext(d->xc, d->domid, vcpu, context) < 0)
        r = err_set(err, errno, "domain %" PRIu32 ", vCPU %u: cannot write its context: %s",
                    d->domid, vcpu, strerror(errno));
    else
        r = xstate_restore(state, err);
    xstate_free(state);
    return r;
}

int debug_attach(struct debug *d, bool on, struct err *err)
{
    if (xc_domain_setdebugging(d->xc, d->domid, on) < 0)
        return err_set(err, errno, "domain %" PRIu32 ": cannot switch debugging %s: %s", d->domid,
                       on ? "on" : "off", strerror(errno));
    return 0;
}

int debug_pause(struct debug *d, struct err *err)
{
    if (xc_domain_pause(d->xc, d->domid) < 0)
        return err_set(err, errno, "domain %" PRIu32 ": cannot pause: %s", d->domid,
                       strerror(errno));
    return 0;
}

int debug_unpause(struct debug *d, struct err *err)
{
    if (xc_domain_unpause(d->xc, d->domid) < 0)
        return err_set(err, errno, "domain %" PRIu32 ": cannot unpause: %s", d->domid,
                       strerror(errno));
    return 0;
}

int debug_fd(const struct debug *d)
{
    return d->evtchn ? xenevtchn_fd(d->evtchn) : -1;
}

void debug_drain(struct debug *d)
{
    struct pollfd p = {.events = POLLIN};

    if (!d->evtchn)
        return;
    p.fd = xenevtchn_fd(d->evtchn);
    while (poll(&p, 1, 0) == 1) {
        xenevtchn_port_or_error_t port = xenevtchn_pending(d->evtchn);

        if (port < 0)
            break;
        xenevtchn_unmask(d->evtchn, (evtchn_port_t)port);
    }
}
