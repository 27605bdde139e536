// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/libvirt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

static void silent(void *ctx, virErrorPtr e)
{
    (void)ctx, (void)e;
}

void libvirt_init(void)
{
    virInitialize();
    virSetErrorFunc(NULL, silent);
}

void libvirt_close(struct agent *a)
{
    if (a->libvirt)
        virConnectClose(a->libvirt);
    a->libvirt = NULL;
}

static int failed(struct err *err, const char *what)
{
    return err_set(err, EIO, "libvirt: %s: %s", what, virGetLastErrorMessage());
}

/* The daemon may have been restarted since the last request. */
static int connection(struct agent *a, struct err *err)
{
    if (a->libvirt && virConnectIsAlive(a->libvirt) != 1)
        libvirt_close(a);
    if (!a->libvirt)
        a->libvirt = virConnectOpen(a->opt.connect);
    return a->libvirt ? 0 : failed(err, a->opt.connect);
}

int libvirt_create(struct agent *a, const char *xml, struct err *err)
{
    virDomainPtr dom;
    unsigned id;
    int r = connection(a, err);

    if (r)
        return r;
    dom = virDomainCreateXML(a->libvirt, xml, 0);
    if (!dom)
        return failed(err, "cannot create the guest");
    id = virDomainGetID(dom);
    virDomainFree(dom);
    if (!id || id == (unsigned)-1)
        return err_set(err, EIO, "libvirt: the guest ended while it was created");
    a->domid = id;
    return 0;
}

int libvirt_destroy(struct agent *a, struct err *err)
{
    virDomainPtr dom;
    int r = connection(a, err);

    if (r)
        return r;
    dom = virDomainLookupByUUIDString(a->libvirt, a->opt.domain_uuid);
    if (!dom) {
        virErrorPtr e = virGetLastError();

        return e && e->code == VIR_ERR_NO_DOMAIN ? 0 : failed(err, "cannot look up the guest");
    }
    if (virDomainIsActive(dom) == 1 && virDomainDestroy(dom) < 0)
        r = failed(err, "cannot destroy the guest");
    virDomainFree(dom);
    return r;
}
