// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/coverage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "injector/debug.h"
#include "injector/domctl.h"

#define PAGE 4096ul
#define INT3 0xcc
#define TRAP_INT3 3
/*
 * The hypervisor tells nobody of an int3: it must be asked. Stops come in bursts: where the
 * guest gets to new code, block follows block.
 */
#define NAP_NS 50000
#define NAP_MAX_NS 1000000
#define BURST 200       /* stops handled before anybody else is looked after */

struct block {
    uint64_t va;
    uint8_t *byte;              /* in the guest's memory, as mapped here */
    uint8_t old;
    bool hit;
};

struct coverage {
    struct debug d;
    struct block *blocks;
    size_t len;
    uint8_t *text;              /* the pages that blocks are on */
    size_t pages;
    bool armed;
};

static struct block *block_at(const struct coverage *c, uint64_t va)
{
    size_t lo = 0, hi = c->len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->blocks[mid].va < va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->len && c->blocks[lo].va == va ? &c->blocks[lo] : NULL;
}

/* The frames of the pages that blocks are on, which ascend as they do. */
static int frames_find(struct coverage *c, xen_pfn_t *frames, struct err *err)
{
    uint64_t page = 0;

    for (size_t i = 0; i < c->len; i++) {
        uint64_t va = c->blocks[i].va;

        if (i && va <= c->blocks[i - 1].va)
            return err_set(err, EINVAL, "blocks: 0x%" PRIx64 " does not ascend", va);
        if (!c->pages || va / PAGE != page) {
            page = va / PAGE;
            errno = 0;
            frames[c->pages] = xc_translate_foreign_address(c->d.xc, c->d.domid, 0, va);
            if (!frames[c->pages++])
                return err_set(err, EFAULT, "0x%" PRIx64 ": not mapped in the guest", va);
        }
    }
    return 0;
}

static int text_map(struct coverage *c, struct err *err)
{
    xen_pfn_t *frames = calloc(c->len, sizeof(*frames));
    uint8_t *page;
    int r;

    if (!frames)
        return err_set(err, ENOMEM, "out of memory");
    r = frames_find(c, frames, err);
    if (!r) {
        c->text = xenforeignmemory_map(c->d.fm, c->d.domid, PROT_READ | PROT_WRITE, c->pages,
                                       frames, NULL);
        if (!c->text)
            r = err_set(err, EFAULT, "the kernel's text cannot be mapped: %s", strerror(errno));
    }
    free(frames);
    page = c->text;
    for (size_t i = 0; !r && i < c->len; i++) {
        struct block *b = &c->blocks[i];

        if (i && b->va / PAGE != b[-1].va / PAGE)
            page += PAGE;
        b->byte = page + b->va % PAGE;
        b->old = *b->byte;
    }
    return r;
}

static void free_all(struct coverage *c)
{
    if (c->text)
        xenforeignmemory_unmap(c->d.fm, c->text, c->pages);
    debug_close(&c->d);
    free(c->blocks);
    free(c);
}

static int begin(struct coverage *c, const struct guest_kernel *kernel, struct err *err)
{
    unsigned vcpu, trap;
    int r = debug_check(&c->d, err), r2;

    if (r)
        return r;
    r = debug_pause(&c->d, err);
    if (r)
        return r;
    r = domctl_debug_event(c->d.call, c->d.domid, &vcpu, &trap, err);
    if (r >= 0)
        r = debug_kernel_check(&c->d, kernel, err);
    if (!r)
        r = text_map(c, err);
    if (!r)
        r = debug_attach(&c->d, true, err);
    for (size_t i = 0; !r && i < c->len; i++)
        *c->blocks[i].byte = INT3;
    c->armed = !r;
    r2 = debug_unpause(&c->d, r ? NULL : err);
    return r ? r : r2;
}

int coverage_begin(uint32_t domid, const struct guest_kernel *kernel, const uint64_t *va, size_t n,
                   struct coverage **ret, struct err *err)
{
    struct coverage *c;
    int r;

    if (!n)
        return err_set(err, EINVAL, "no blocks to watch");
    c = calloc(1, sizeof(*c));
    if (c)
        c->blocks = calloc(n, sizeof(*c->blocks));
    if (!c || !c->blocks) {
        free(c);
        return err_set(err, ENOMEM, "out of memory");
    }
    c->d.domid = domid;
    c->len = n;
    for (size_t i = 0; i < n; i++)
        c->blocks[i].va = va[i];
    r = debug_open(&c->d, err);
    if (!r)
        r = begin(c, kernel, err);
    if (r) {
        if (c->armed)
            coverage_end(c, NULL, NULL);
        else
            free_all(c);
        return r;
    }
    *ret = c;
    return 0;
}

/*
 * A vCPU has executed an int3: back to it, where the instruction is again. Somebody else's is
 * the kernel's own while it changes its code: it will have gone when it is executed again.
 */
static int resolve(struct coverage *c, unsigned vcpu, struct err *err)
{
    vcpu_guest_context_any_t context;
    struct block *b;
    int r = debug_context_get(&c->d, vcpu, &context, err);

    if (r)
        return r;
    b = block_at(c, --context.x64.user_regs.rip);
    if (b && b->old != INT3) {
        *b->byte = b->old;
        b->hit = true;
    }
    return debug_context_set(&c->d, vcpu, &context, err);
}

/* Every stop paused the domain once. Returns how many there were. */
static int resolve_all(struct coverage *c, struct err *err)
{
    unsigned vcpu, trap;
    int n = 0, r;

    while ((r = domctl_debug_event(c->d.call, c->d.domid, &vcpu, &trap, err)) == 1) {
        r = trap == TRAP_INT3 ? resolve(c, vcpu, err) : 0;
        if (!r)
            r = debug_unpause(&c->d, err);
        if (r)
            break;
        n++;
    }
    return r ? r : n;
}

int coverage_poll(struct coverage *c, struct err *err)
{
    struct timespec nap = {0, NAP_NS};
    int stops = 0, r;

    do {
        r = resolve_all(c, err);
        if (r < 0)
            return r;
        stops += r;
        nap.tv_nsec = r ? NAP_NS : 2 * nap.tv_nsec;
        nanosleep(&nap, NULL);
    } while (nap.tv_nsec < NAP_MAX_NS && stops < BURST);
    return 0;
}

int coverage_end(struct coverage *c, bool *hit, struct err *err)
{
    xc_dominfo_t info;
    int n, r = 0, r2;

    if (!c)
        return 0;
    n = xc_domain_getinfo(c->d.xc, c->d.domid, 1, &info);
    if (n == 1 && info.domid == c->d.domid && !info.dying) {
        r = debug_pause(&c->d, err);
        for (size_t i = 0; i < c->len; i++)
            *c->blocks[i].byte = c->blocks[i].old;
        r2 = resolve_all(c, r ? NULL : err);
        r = r ? r : r2 < 0 ? r2 : 0;
        r2 = debug_attach(&c->d, false, r ? NULL : err);
        r = r ? r : r2;
        r2 = debug_unpause(&c->d, r ? NULL : err);
        r = r ? r : r2;
    }
    for (size_t i = 0; hit && i < c->len; i++)
        hit[i] = c->blocks[i].hit;
    free_all(c);
    return r;
}
