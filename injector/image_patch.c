// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What Linux rewrites in its own text: alternatives, paravirt calls, lock prefixes, static
 * calls, jump labels, ftrace, retpolines and return thunks; and Xen's hypercall page.
 */
#include "injector/image_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CALL_LEN 5      /* of call and jmp rel32, the longest that static calls and labels patch */

struct table {
    const uint8_t *p;
    uint64_t va, size;
};

struct collect {
    struct image *image;
    size_t cap;
};

static int range_add(struct collect *c, uint64_t start, uint64_t len, struct err *err)
{
    struct image *image = c->image;

    if (image->patched_len == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 4096;
        struct image_range *r = reallocarray(image->patched, cap, sizeof(*r));

        if (!r)
            return err_set(err, ENOMEM, "out of memory");
        image->patched = r;
        c->cap = cap;
    }
    image->patched[image->patched_len++] = (struct image_range){start, start + len};
    return 0;
}

static int32_t s32_at(const uint8_t *p)
{
    int32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* The address that a 32-bit value at @off holds relative to itself. */
static uint64_t relative(const struct table *t, uint64_t off)
{
    return t->va + off + (uint64_t)(int64_t)s32_at(t->p + off);
}

static bool table_section(const struct image *image, const char *name, struct table *ret)
{
    const struct image_section *s = image_section(image, name);

    if (!s || !s->bytes)
        return false;
    *ret = (struct table){s->bytes, s->va, s->size};
    return true;
}

/* A table of the kernel's, between two symbols, or a module's section. */
static bool table_symbols(const struct image *image, const char *start, const char *end,
                          const char *section, struct table *ret)
{
    uint64_t a, b;

    if (image_module(image))
        return table_section(image, section, ret);
    if (!image_symbol(image, start, &a) || !image_symbol(image, end, &b) || b <= a)
        return false;
    *ret = (struct table){image_at(image, a, b - a), a, b - a};
    return ret->p;
}

static bool in_code(const struct image *image, uint64_t va)
{
    for (size_t i = 0; i < image->sections_len; i++) {
        const struct image_section *s = &image->sections[i];

        if (s->code && va >= s->va && va - s->va < s->size)
            return true;
    }
    return false;
}

/* struct alt_instr has been 12, 13 and 14 bytes long: lengths are its last two, or last three. */
static bool alternatives_fit(const struct image *image, const struct table *t, unsigned entry)
{
    if (t->size % entry)
        return false;
    for (uint64_t i = 0; i < t->size; i += entry)
        if (!in_code(image, relative(t, i)))
            return false;
    return true;
}

static int alternatives(struct collect *c, struct err *err)
{
    static const struct {
        unsigned entry, len_at;
    } layouts[] = {{12, 10}, {14, 12}, {13, 10}};
    struct table t;
    int r = 0;

    if (!table_section(c->image, ".altinstructions", &t))
        return 0;
    for (size_t l = 0; l < sizeof(layouts) / sizeof(layouts[0]); l++) {
        if (!alternatives_fit(c->image, &t, layouts[l].entry))
            continue;
        for (uint64_t i = 0; !r && i < t.size; i += layouts[l].entry)
            r = range_add(c, relative(&t, i), t.p[i + layouts[l].len_at], err);
        return r;
    }
    return err_set(err, ENOEXEC, ".altinstructions has a layout that is not known here");
}

/* struct paravirt_patch_site: address, type, length; 16 bytes. */
static int paravirt(struct collect *c, struct err *err)
{
    struct table t;
    int r = 0;

    if (!table_section(c->image, ".parainstructions", &t))
        return 0;
    for (uint64_t i = 0; !r && i + 16 <= t.size; i += 16) {
        uint64_t va;

        memcpy(&va, t.p + i, sizeof(va));
        if (va)
            r = range_add(c, va, t.p[i + 9], err);
    }
    return r;
}

/* Tables whose entries begin with a relative address; @len bytes there are patched. */
static int relative_table(struct collect *c, const struct table *t, unsigned entry, unsigned len,
                          struct err *err)
{
    int r = 0;

    for (uint64_t i = 0; !r && i + entry <= t->size; i += entry) {
        /* Padding, and a section that was rounded up to a page, holds zeroes. */
        if (s32_at(t->p + i) && in_code(c->image, relative(t, i)))
            r = range_add(c, relative(t, i), len, err);
    }
    return r;
}

static int mcount(struct collect *c, struct err *err)
{
    struct table t;
    int r = 0;

    if (!table_symbols(c->image, "__start_mcount_loc", "__stop_mcount_loc", "__mcount_loc", &t))
        return 0;
    for (uint64_t i = 0; !r && i + 8 <= t.size; i += 8) {
        uint64_t va;

        memcpy(&va, t.p + i, sizeof(va));
        r = range_add(c, va, CALL_LEN, err);
    }
    return r;
}

/* Trampolines are jumps that are rewritten; their functions are told by their names. */
static int trampolines(struct collect *c, struct err *err)
{
    const struct image *image = c->image;
    uint64_t page;
    int r = 0;

    for (size_t i = 0; !r && i < image->functions_len; i++) {
        const struct image_function *f = &image->functions[i];

        if (!strncmp(f->name, "__SCT__", 7) || !strncmp(f->name, "__x86_indirect_", 15) ||
            !strcmp(f->name, "__x86_return_thunk"))
            r = range_add(c, f->va, f->size, err);
    }
    /* The hypervisor writes this one. */
    if (!r && image_symbol(image, "hypercall_page", &page))
        r = range_add(c, page, 4096, err);
    return r;
}

static int range_cmp(const void *a, const void *b)
{
    const struct image_range *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static void ranges_merge(struct image *image)
{
    struct image_range *p = image->patched;
    size_t n = 0;

    if (!image->patched_len)
        return;
    qsort(p, image->patched_len, sizeof(*p), range_cmp);
    for (size_t i = 1; i < image->patched_len; i++) {
        if (p[i].start > p[n].end)
            p[++n] = p[i];
        else if (p[i].end > p[n].end)
            p[n].end = p[i].end;
    }
    image->patched_len = n + 1;
}

int image_patch_load(struct image *image, struct err *err)
{
    static const char *const thunks[] = {".retpoline_sites", ".return_sites", ".call_sites",
                                         ".ibt_endbr_seal"};
    struct collect c = {.image = image};
    struct table t;
    int r = alternatives(&c, err);

    if (!r)
        r = paravirt(&c, err);
    if (!r && table_section(image, ".smp_locks", &t))
        r = relative_table(&c, &t, 4, 1, err);
    for (size_t i = 0; !r && i < sizeof(thunks) / sizeof(thunks[0]); i++)
        if (table_section(image, thunks[i], &t))
            r = relative_table(&c, &t, 4, CALL_LEN + 1, err);
    if (!r && table_symbols(image, "__start_static_call_sites", "__stop_static_call_sites",
                            ".static_call_sites", &t))
        r = relative_table(&c, &t, 8, CALL_LEN, err);
    if (!r && table_symbols(image, "__start___jump_table", "__stop___jump_table", "__jump_table",
                            &t))
        r = relative_table(&c, &t, 16, CALL_LEN, err);
    if (!r)
        r = mcount(&c, err);
    if (!r)
        r = trampolines(&c, err);
    ranges_merge(image);
    return r;
}

bool image_patched(const struct image *image, uint64_t va, unsigned len)
{
    size_t lo = 0, hi = image->patched_len;

    /* The first range that ends behind va. */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (image->patched[mid].end <= va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < image->patched_len && image->patched[lo].start < va + len;
}
