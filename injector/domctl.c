// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/domctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xen/domctl.h>

#define PAGE 4096ul

struct xstate {
    struct xencall_handle *call;
    uint32_t domid;
    unsigned vcpu;
    uint64_t size, mask;
    size_t pages;
    void *buffer;       /* memory that hypercalls may use */
};

static int domctl(struct xencall_handle *call, struct xen_domctl *op)
{
    struct xen_domctl *shared = xencall_alloc_buffer(call, sizeof(*op));
    int r, code;

    if (!shared) {
        errno = ENOMEM;
        return -1;
    }
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    *shared = *op;
    r = xencall1(call, __HYPERVISOR_domctl, (uintptr_t)shared);
    code = errno;
    *op = *shared;
    xencall_free_buffer(call, shared);
    errno = code;
    return r;
}

int domctl_debug_event(struct xencall_handle *call, uint32_t domid, unsigned *ret_vcpu,
                       unsigned *ret_trap, struct err *err)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_gdbsx_domstatus, .domain = (domid_t)domid};
    const struct xen_domctl_gdbsx_domstatus *status = &op.u.gdbsx_domstatus;

    if (domctl(call, &op) >= 0) {
        *ret_vcpu = status->vcpu_id;
        *ret_trap = status->vcpu_ev;
        return status->paused && status->vcpu_id != ~0u;
    }
    if (errno == ENOSYS || errno == EOPNOTSUPP)
        return err_set(err, EOPNOTSUPP, "the hypervisor was built without guest debugging "
                       "(CONFIG_GDBSX): it cannot tell what the guest reaches; a fault can be "
                       "written at once");
    return err_set(err, errno, "domain %u: cannot ask for its debugging state: %s", domid,
                   strerror(errno));
}

static struct xen_domctl xstate_op(const struct xstate *s, uint32_t cmd)
{
    struct xen_domctl op = {.cmd = cmd, .domain = (domid_t)s->domid};

    op.u.vcpuextstate.vcpu = s->vcpu;
    op.u.vcpuextstate.size = s->size;
    op.u.vcpuextstate.xfeature_mask = s->mask;
    set_xen_guest_handle_raw(op.u.vcpuextstate.buffer, (uint64_t *)s->buffer);
    return op;
}

int xstate_save(struct xencall_handle *call, uint32_t domid, unsigned vcpu, struct xstate **ret,
                struct err *err)
{
    struct xstate *s = calloc(1, sizeof(*s));
    struct xen_domctl op;

    if (!s)
        return err_set(err, ENOMEM, "out of memory");
    *s = (struct xstate){.call = call, .domid = domid, .vcpu = vcpu};
    op = xstate_op(s, XEN_DOMCTL_getvcpuextstate);
    if (domctl(call, &op) < 0)
        goto failed;
    s->mask = op.u.vcpuextstate.xfeature_mask;
    s->size = op.u.vcpuextstate.size;
    s->pages = (s->size + PAGE - 1) / PAGE;
    s->buffer = xencall_alloc_buffer_pages(call, s->pages ? s->pages : 1);
    if (!s->buffer)
        goto failed;
    op = xstate_op(s, XEN_DOMCTL_getvcpuextstate);
    if (domctl(call, &op) < 0)
        goto failed;
    s->size = op.u.vcpuextstate.size;
    *ret = s;
    return 0;

failed:
    err_set(err, errno ? errno : ENOMEM, "domain %u, vCPU %u: cannot read its processor state: %s",
            domid, vcpu, strerror(errno));
    xstate_free(s);
    return err ? -err->code : -EIO;
}

int xstate_restore(struct xstate *s, struct err *err)
{
    struct xen_domctl op = xstate_op(s, XEN_DOMCTL_setvcpuextstate);
    const uint64_t *xcr0 = s->buffer;

    /* A processor without XSAVE, or a vCPU that never used it: nothing was lost. */
    if (s->size <= 2 * sizeof(uint64_t) || !xcr0[1])
        return 0;
    if (domctl(s->call, &op) < 0)
        return err_set(err, errno, "domain %u, vCPU %u: cannot restore its processor state: %s",
                       s->domid, s->vcpu, strerror(errno));
    return 0;
}

void xstate_free(struct xstate *s)
{
    if (!s)
        return;
    if (s->buffer)
        xencall_free_buffer_pages(s->call, s->buffer, s->pages ? s->pages : 1);
    free(s);
}
