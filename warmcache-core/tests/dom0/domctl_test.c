// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a toolstack can do to a domain, a call at a time, for tests:
 *
 *   domctl_test crash DOMID now
 *   domctl_test logdirty DOMID on|off    shadow page tables, as for a live migration
 *   domctl_test claim DOMID PAGES        memory that the host must have for it; 0: no longer
 *   domctl_test fragment DOMID PAGES     it takes so many, if there are, and gives every second back
 *   domctl_test map DOMID MFN [write]    map its frame writable; write: and a byte of it, as it was
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#define SHADOW_MB 16
#define KIB_PER_PAGE 4

static int logdirty(xc_interface *xc, uint32_t domid, const char *how)
{
    unsigned int mb = SHADOW_MB;

    if (strcmp(how, "on") != 0)
        return xc_shadow_control(xc, domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
    return xc_shadow_control(xc, domid, XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, &mb, 0) < 0 ? -1 :
           xc_shadow_control(xc, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0);
}

/* It may have no more than its maximum. */
static int claim(xc_interface *xc, uint32_t domid, unsigned long pages)
{
    int r = pages ? xc_domain_setmaxmem(xc, domid, (pages + 1) * KIB_PER_PAGE) : 0;

    return r ? r : xc_domain_claim_pages(xc, domid, pages);
}

/* At PFNs that it has not. */
static int fragment(xc_interface *xc, uint32_t domid, unsigned long pages)
{
    xen_pfn_t *frames = calloc(pages, sizeof(*frames));
    int r = frames ? xc_domain_setmaxmem(xc, domid, UINT64_MAX) : -1;

    for (unsigned long i = 0; i < pages && !r; i++)
        frames[i] = (1UL << 24) + i;
    if (!r)
        r = xc_domain_populate_physmap(xc, domid, pages, 0, 0, frames);
    for (int i = 0; i < r / 2; i++)
        frames[i] = frames[2 * i];
    r = r > 1 ? xc_domain_decrease_reservation_exact(xc, domid, (unsigned long)r / 2, 0, frames) : -1;
    free(frames);
    return r;
}

static int map(uint32_t domid, unsigned long mfn, bool write)
{
    xenforeignmemory_handle *fm = xenforeignmemory_open(NULL, 0);
    volatile char *p;
    xen_pfn_t frame = mfn;
    int error = -1;

    p = fm ? xenforeignmemory_map(fm, domid, PROT_READ | PROT_WRITE, 1, &frame, &error) : NULL;
    if (!p || error)
        return -1;
    if (write)
        *p = *p;
    return xenforeignmemory_unmap(fm, (void *)p, 1);
}

int main(int argc, char **argv)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    const char *what = argc > 3 ? argv[1] : "";
    unsigned long number;
    uint32_t domid;
    int r;

    if (!xc || argc < 4)
        return 2;
    domid = (uint32_t)strtoul(argv[2], NULL, 10);
    number = strtoul(argv[3], NULL, 0);
    if (strcmp(what, "crash") == 0)
        r = xc_domain_shutdown(xc, domid, SHUTDOWN_crash);
    else if (strcmp(what, "logdirty") == 0)
        r = logdirty(xc, domid, argv[3]);
    else if (strcmp(what, "claim") == 0)
        r = claim(xc, domid, number);
    else if (strcmp(what, "fragment") == 0)
        r = fragment(xc, domid, number);
    else if (strcmp(what, "map") == 0)
        r = map(domid, number, argc > 4);
    else
        return 2;
    if (r < 0)
        perror(what);
    return r < 0;
}
