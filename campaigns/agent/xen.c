// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/xen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>

#define MAP_MAX 512
#define DOMAINS_MAX 64

struct xen {
    xc_interface *xc;
    xenforeignmemory_handle *fm;
    struct xs_handle *xs;
};

void xen_close(struct xen *x)
{
    if (!x)
        return;
    if (x->xs)
        xs_close(x->xs);
    if (x->fm)
        xenforeignmemory_close(x->fm);
    if (x->xc)
        xc_interface_close(x->xc);
    free(x);
}

int xen_open(struct xen **ret, struct err *err)
{
    struct xen *x = calloc(1, sizeof(*x));
    const char *what;

    if (!x)
        return err_set(err, ENOMEM, "out of memory");
    what = "the hypervisor (is this domain 0 of a Xen host?)";
    x->xc = xc_interface_open(NULL, NULL, 0);
    if (x->xc) {
        what = "/dev/xen/privcmd";
        x->fm = xenforeignmemory_open(NULL, 0);
    }
    if (x->fm) {
        what = "xenstored";
        x->xs = xs_open(0);
    }
    if (!x->xs) {
        int code = errno ? errno : EIO;

        xen_close(x);
        return err_set(err, code, "cannot open %s: %s", what, strerror(code));
    }
    xs_watch(x->xs, "@releaseDomain", "release");
    *ret = x;
    return 0;
}

void xen_version(struct xen *x, char *ret, size_t size)
{
    xen_extraversion_t extra = "";
    int v = xc_version(x->xc, XENVER_version, NULL);

    xc_version(x->xc, XENVER_extraversion, &extra);
    extra[sizeof(extra) - 1] = '\0';
    snprintf(ret, size, "%d.%d%s", v >> 16, v & 0xffff, extra);
}

int xen_watch_fd(struct xen *x)
{
    return xs_fileno(x->xs);
}

void xen_watch_drain(struct xen *x)
{
    char **event;

    while ((event = xs_check_watch(x->xs)))
        free(event);
}

int xen_host_info(struct xen *x, uint64_t *ret_free_pages, unsigned *ret_domains, struct err *err)
{
    xc_dominfo_t domains[DOMAINS_MAX];
    xc_physinfo_t host = {0};
    int n;

    if (xc_physinfo(x->xc, &host) < 0)
        return err_set(err, errno, "cannot read the host's memory: %s", strerror(errno));
    n = xc_domain_getinfo(x->xc, 1, DOMAINS_MAX, domains);
    if (n < 0 && errno != ESRCH)
        return err_set(err, errno, "cannot list domains: %s", strerror(errno));
    *ret_free_pages = host.free_pages;
    *ret_domains = n > 0 ? (unsigned)n : 0;
    return 0;
}

int xen_domain_info(struct xen *x, uint32_t domid, struct domain_info *ret, struct err *err)
{
    xc_dominfo_t info;
    int n = xc_domain_getinfo(x->xc, domid, 1, &info);

    *ret = (struct domain_info){.state = DOMAIN_GONE};
    if (n < 0 && errno != ESRCH)
        return err_set(err, errno, "domain %u: cannot read its state: %s", domid, strerror(errno));
    /* The call returns the next domain when this one is not there. */
    if (n < 1 || info.domid != domid)
        return 0;
    ret->dying = info.dying;
    ret->cpu_ns = info.cpu_time;
    ret->shutdown_reason = info.crashed ? SHUTDOWN_crash : info.shutdown_reason;
    ret->state = info.crashed ? DOMAIN_CRASHED :
                 info.shutdown ? DOMAIN_SHUTDOWN :
                 info.paused ? DOMAIN_PAUSED : DOMAIN_RUNNING;
    return 0;
}

uint32_t xen_domain_find(struct xen *x, const uint8_t uuid[16])
{
    xc_dominfo_t domains[DOMAINS_MAX];
    int n = xc_domain_getinfo(x->xc, 1, DOMAINS_MAX, domains);

    for (int i = 0; i < n; i++)
        if (!domains[i].dying && memcmp(domains[i].handle, uuid, 16) == 0)
            return domains[i].domid;
    return 0;
}

static bool domain_has_name(struct xen *x, const char *domid, const char *name)
{
    char path[64], found[256];

    snprintf(path, sizeof(path), "/local/domain/%s/name", domid);
    return !xen_store_read(x, path, found, sizeof(found)) && !strcmp(found, name);
}

int xen_domain_named(struct xen *x, const char *domain, uint32_t *ret, struct err *err)
{
    unsigned n = 0, i;
    char *end, **domids;

    *ret = (uint32_t)strtoul(domain, &end, 10);
    if (end != domain && !*end)
        return 0;
    domids = xs_directory(x->xs, XBT_NULL, "/local/domain", &n);
    for (i = 0; i < n && !domain_has_name(x, domids[i], domain); i++)
        ;
    if (i < n)
        *ret = (uint32_t)strtoul(domids[i], NULL, 10);
    free(domids);
    return i < n ? 0 : err_set(err, ESRCH, "domain '%s': no such domain", domain);
}

int xen_domain_pause(struct xen *x, uint32_t domid, struct err *err)
{
    if (xc_domain_pause(x->xc, domid) < 0)
        return err_set(err, errno, "domain %u: cannot pause: %s", domid, strerror(errno));
    return 0;
}

int xen_domain_unpause(struct xen *x, uint32_t domid, struct err *err)
{
    if (xc_domain_unpause(x->xc, domid) < 0)
        return err_set(err, errno, "domain %u: cannot unpause: %s", domid, strerror(errno));
    return 0;
}

int xen_domain_crash(struct xen *x, uint32_t domid, struct err *err)
{
    if (xc_domain_shutdown(x->xc, domid, SHUTDOWN_crash) < 0)
        return err_set(err, errno, "domain %u: cannot force a crash: %s", domid, strerror(errno));
    return 0;
}

const char *xen_state_name(enum domain_state state)
{
    static const char *const names[] = {
        [DOMAIN_GONE] = "gone", [DOMAIN_RUNNING] = "running", [DOMAIN_PAUSED] = "paused",
        [DOMAIN_CRASHED] = "crashed", [DOMAIN_SHUTDOWN] = "shutdown",
    };

    return names[state];
}

const char *xen_shutdown_name(unsigned reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:   return "poweroff";
    case SHUTDOWN_reboot:     return "reboot";
    case SHUTDOWN_suspend:    return "suspend";
    case SHUTDOWN_crash:      return "crash";
    case SHUTDOWN_watchdog:   return "watchdog";
    case SHUTDOWN_soft_reset: return "soft_reset";
    }
    return "unknown";
}

int xen_store_read(struct xen *x, const char *path, char *ret, size_t size)
{
    unsigned len;
    char *value = xs_read(x->xs, XBT_NULL, path, &len);

    if (!value)
        return errno ? -errno : -ENOENT;
    snprintf(ret, size, "%.*s", (int)len, value);
    free(value);
    return 0;
}

void *xen_map(struct xen *x, uint32_t domid, const uint64_t *mfns, size_t nr, int *errors)
{
    xen_pfn_t frames[MAP_MAX];

    if (!nr || nr > MAP_MAX)
        return NULL;
    for (size_t i = 0; i < nr; i++)
        frames[i] = mfns[i];
    return xenforeignmemory_map(x->fm, domid, PROT_READ, nr, frames, errors);
}

void xen_unmap(struct xen *x, void *p, size_t nr)
{
    xenforeignmemory_unmap(x->fm, p, nr);
}
