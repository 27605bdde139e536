// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare every page of interest with its block on the disk. Pages are taken in the order
 * of their sectors, so that the disk is read in long runs; memory is mapped read-only.
 */
#define _GNU_SOURCE
#include "campaigns/agent/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaigns/agent/clock.h"
#include "campaigns/agent/proto.h"
#include "campaigns/agent/verdict.h"

#define DATA_VBD 51712
#define PAGE 4096
#define RUN_PAGES 64            /* blocks read from the disk at once */
#define MAP_PAGES 64            /* frames mapped at once */
#define LISTED_MAX 256          /* pages named in the reply */
#define PAGES_MAX (1u << 22)    /* 16 GiB of cache */
#define LOOKS_MAX 3             /* at pages before the reboot */

struct page {
    uint64_t pfn, mfn, inode, index, sector;
};

struct verify {
    struct agent *a;
    bool reboot;                /* reused pages after it, else reusable pages before */
    int disk_fd;
    char *run;                  /* RUN_PAGES blocks from the disk */
    uint64_t run_sector;
    size_t run_pages;           /* valid in `run` */
    struct page *pages;
    size_t len, cap;
    json_t *listed;
    struct {
        uint64_t mapped, reusable, reused, retained, checked, modified, unreadable;
        uint64_t by_verdict[4];
    } count;
};

static int page_add(struct verify *v, const struct wcr_page_info *p, struct err *err)
{
    if (v->len == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 4096;
        struct page *more = cap <= PAGES_MAX ? realloc(v->pages, cap * sizeof(*more)) : NULL;

        if (!more)
            return err_set(err, ENOMEM, "verify: no memory for %zu pages", cap);
        v->pages = more;
        v->cap = cap;
    }
    v->pages[v->len++] = (struct page){p->pfn, p->mfn, p->inode, p->index, p->sector};
    return 0;
}

static int page_take(void *ctx, const struct wcr_page_info *p, struct err *err)
{
    struct verify *v = ctx;
    bool reused = p->flags & WCR_PAGE_REUSED;

    v->count.mapped += !!(p->flags & WCR_PAGE_MAPPED);
    v->count.reusable += !!(p->flags & WCR_PAGE_REUSABLE);
    v->count.retained += !!(p->flags & WCR_PAGE_RETAINED);
    v->count.reused += reused;
    if (v->reboot ? !reused : !(p->flags & WCR_PAGE_REUSABLE))
        return 0;
    if (v->reboot && p->flags & WCR_PAGE_WRITTEN) {
        v->count.modified++;
        return 0;
    }
    if (p->vbd != DATA_VBD) {
        v->count.unreadable++;
        return 0;
    }
    return page_add(v, p, err);
}

static int by_sector(const void *a, const void *b)
{
    const struct page *x = a, *y = b;

    if (x->sector != y->sector)
        return x->sector < y->sector ? -1 : 1;
    return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* The block at @sector, from the run that was read or a new one; NULL: unreadable. */
static const char *block_get(struct verify *v, uint64_t sector)
{
    uint64_t off = sector - v->run_sector;
    ssize_t n;

    if (sector >= v->run_sector && off % WCR_BLOCK_SECTORS == 0 &&
        off / WCR_BLOCK_SECTORS < v->run_pages)
        return v->run + off / WCR_BLOCK_SECTORS * PAGE;
    v->run_pages = 0;
    if (sector > INT64_MAX / 512)
        return NULL;
    do
        n = pread(v->disk_fd, v->run, RUN_PAGES * PAGE, (off_t)sector * 512);
    while (n < 0 && errno == EINTR);
    if (n < PAGE)
        return NULL;
    v->run_sector = sector;
    v->run_pages = (size_t)n / PAGE;
    return v->run;
}

static void page_list(struct verify *v, const struct page *p, const char *verdict,
                      const char *detail)
{
    if (json_array_size(v->listed) >= LISTED_MAX)
        return;
    json_array_append_new(v->listed, json_pack("{s:I, s:I, s:I, s:I, s:s, s:s}", "pfn",
                          (json_int_t)p->pfn, "inode", (json_int_t)p->inode, "index",
                          (json_int_t)p->index, "sector", (json_int_t)p->sector, "verdict", verdict,
                          "detail", detail));
}

static void page_check(struct verify *v, const struct page *p, const void *memory)
{
    const char *disk = memory ? block_get(v, p->sector) : NULL;
    struct content_expect expect;
    enum verdict verdict;
    char detail[400];
    bool known;

    if (!disk) {
        v->count.unreadable++;
        page_list(v, p, "unknown", memory ? "the disk cannot be read there" :
                  "the frame cannot be mapped");
        return;
    }
    known = status_expect(&v->a->status, p->inode, p->index, &expect);
    verdict = verdict_judge(memory, disk, known ? &expect : NULL, detail, sizeof(detail));
    v->count.checked++;
    v->count.by_verdict[verdict]++;
    if (verdict != VERDICT_CONSISTENT)
        page_list(v, p, verdict_name(verdict), detail);
}

static int batch_check(struct verify *v, const struct page *p, size_t n, struct err *err)
{
    uint64_t mfns[MAP_PAGES];
    int errors[MAP_PAGES];
    char *memory;

    for (size_t i = 0; i < n; i++)
        mfns[i] = p[i].mfn;
    memory = xen_map(v->a->xen, v->a->domid, mfns, n, errors);
    if (!memory)
        return err_set(err, errno ? errno : EIO, "verify: cannot map the guest's memory: %s",
                       strerror(errno));
    for (size_t i = 0; i < n; i++)
        page_check(v, &p[i], errors[i] ? NULL : memory + i * PAGE);
    xen_unmap(v->a->xen, memory, n);
    return 0;
}

static int disk_open(struct verify *v, struct err *err)
{
    v->run = aligned_alloc(PAGE, RUN_PAGES * PAGE);
    if (!v->run)
        return err_set(err, ENOMEM, "out of memory");
    v->disk_fd = open(v->a->opt.data_disk, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (v->disk_fd < 0)
        return err_set(err, errno, "data disk %s: %s", v->a->opt.data_disk, strerror(errno));
    return 0;
}

static int all_check(struct verify *v, struct err *err)
{
    int r;

    qsort(v->pages, v->len, sizeof(*v->pages), by_sector);
    for (size_t i = 0; i < v->len; i += MAP_PAGES) {
        r = batch_check(v, v->pages + i, v->len - i < MAP_PAGES ? v->len - i : MAP_PAGES, err);
        if (r)
            return r;
    }
    return 0;
}

static json_t *verify_reply(struct verify *v, uint64_t start_ns)
{
    const uint64_t *n = v->count.by_verdict;
    json_t *o = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}",
        "pages_mapped", (json_int_t)v->count.mapped,
        "pages_reusable", (json_int_t)v->count.reusable,
        "pages_reused", (json_int_t)v->count.reused,
        "pages_retained", (json_int_t)v->count.retained,
        "pages_checked", (json_int_t)v->count.checked,
        "pages_consistent", (json_int_t)n[VERDICT_CONSISTENT],
        "pages_inconsistent", (json_int_t)(v->count.checked - n[VERDICT_CONSISTENT]),
        "pages_corrupt", (json_int_t)n[VERDICT_CORRUPT],
        "pages_stale_disk", (json_int_t)n[VERDICT_STALE_DISK],
        "pages_unknown", (json_int_t)(n[VERDICT_UNKNOWN]),
        "pages_unreadable", (json_int_t)v->count.unreadable,
        "pages_modified", (json_int_t)v->count.modified,
        "verify_ns", (json_int_t)(clock_ns() - start_ns),
        "pages", v->listed);

    return o;
}

/* The list is of one instant, the blocks are read after it. */
static int look(struct verify *v, struct err *err)
{
    int r;

    memset(&v->count, 0, sizeof(v->count));
    json_array_clear(v->listed);
    v->len = v->run_pages = 0;
    r = v->a->mech ? wcr_call_pages(v->a->mech, v->a->uuid, page_take, v, err) : 0;
    return r ? r : all_check(v, err);
}

static bool all_consistent(const struct verify *v)
{
    return v->count.by_verdict[VERDICT_CONSISTENT] == v->count.checked;
}

/*
 * What a guest that was paused, not crashed, had asked of its disk is done all the same: a block may
 * be written through another page after its page was listed, and that is reusable no more. So what
 * differs is looked at again; a page that should not be reusable still is.
 */
static int verify_run(struct verify *v, json_t **ret, struct err *err)
{
    struct agent *a = v->a;
    uint64_t start = clock_ns();
    int r = guest_freeze(a, err), looks = 0;

    if (!r)
        r = status_reader_tables(&a->status, a->params.files, a->params.blocks, a->params.seed,
                                 v->reboot, err);
    if (!r)
        r = disk_open(v, err);
    if (r)
        return r;
    do
        r = look(v, err);
    while (!r && !v->reboot && !all_consistent(v) && ++looks < LOOKS_MAX);
    if (!r)
        *ret = verify_reply(v, start);
    return r;
}

int guest_verify(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct verify v = {.a = a, .disk_fd = -1};
    char when[16];
    int r;

    r = request_string(q, "when", NULL, when, sizeof(when), err);
    if (!r && strcmp(when, "crash") != 0 && strcmp(when, "reboot") != 0)
        r = err_set(err, EINVAL, "'when': expected crash or reboot");
    if (!r)
        r = guest_require(a, err);
    if (r)
        return r;
    v.reboot = strcmp(when, "reboot") == 0;
    if (!a->started || v.reboot != a->rebooted)
        return err_set(err, EBUSY, "verify '%s': the guest is in its %s life", when,
                       a->rebooted ? "second" : "first");
    v.listed = json_array();
    r = verify_run(&v, ret, err);
    json_decref(v.listed);
    free(v.pages);
    free(v.run);
    if (v.disk_fd >= 0)
        close(v.disk_fd);
    return r;
}
