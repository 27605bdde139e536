/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The toolstack calls the agent needs, below libvirt. */
#ifndef WCR_AGENT_XEN_H
#define WCR_AGENT_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct xen;

enum domain_state { DOMAIN_GONE, DOMAIN_RUNNING, DOMAIN_PAUSED, DOMAIN_CRASHED, DOMAIN_SHUTDOWN };

struct domain_info {
    enum domain_state state;
    bool dying;
    unsigned shutdown_reason;   /* SHUTDOWN_*; valid when CRASHED or SHUTDOWN */
    uint64_t cpu_ns;
};

int xen_open(struct xen **ret, struct err *err);
void xen_close(struct xen *x);

/* "4.17.5" */
void xen_version(struct xen *x, char *ret, size_t size);

/* Readable when a domain was shut down, crashed or released. Drain with xen_watch_drain. */
int xen_watch_fd(struct xen *x);
void xen_watch_drain(struct xen *x);

/* Free memory, and how many domains there are beside domain 0, dying ones included. */
int xen_host_info(struct xen *x, uint64_t *ret_free_pages, unsigned *ret_domains, struct err *err);

int xen_domain_info(struct xen *x, uint32_t domid, struct domain_info *ret, struct err *err);
/* The domain that bears the UUID and is not dying; 0: there is none, or nobody can tell. */
uint32_t xen_domain_find(struct xen *x, const uint8_t uuid[16]);
/* By its number, or the name that the toolstack gave it. -ESRCH. */
int xen_domain_named(struct xen *x, const char *domain, uint32_t *ret, struct err *err);
int xen_domain_pause(struct xen *x, uint32_t domid, struct err *err);
int xen_domain_unpause(struct xen *x, uint32_t domid, struct err *err);
int xen_domain_crash(struct xen *x, uint32_t domid, struct err *err);

/* "running", "paused", "crashed", "shutdown", "gone" */
const char *xen_state_name(enum domain_state state);
/* "poweroff", "reboot", "crash", ... */
const char *xen_shutdown_name(unsigned reason);

/* XenStore, at most @size - 1 bytes; -ENOENT when absent. */
int xen_store_read(struct xen *x, const char *path, char *ret, size_t size);

/*
 * Map machine frames of a PV domain read-only. @errors[i] is 0 or negative for each;
 * frames that failed are holes. NULL when nothing could be mapped at all.
 */
void *xen_map(struct xen *x, uint32_t domid, const uint64_t *mfns, size_t nr, int *errors);
void xen_unmap(struct xen *x, void *p, size_t nr);

#endif
