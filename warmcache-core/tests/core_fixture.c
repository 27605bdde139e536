// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "warmcache-core/tests/core_fixture.h"

const uint8_t fixture_uuid[16] = {1, 2, 3};

static void *fixture_alloc_page(void *ctx)
{
    struct fixture_memory *memory = ctx;

    if (++memory->asked == memory->fail_at)
        return NULL;
    if (memory->fail_percent) {
        memory->state = memory->state * 6364136223846793005u + 1442695040888963407u;
        if ((memory->state >> 33) % 100 < memory->fail_percent)
            return NULL;
    }
    memory->allocated++;
    return calloc(1, 4096);
}

static void fixture_free_page(void *ctx, void *page)
{
    struct fixture_memory *memory = ctx;

    memory->allocated--;
    free(page);
}

const struct wcr_core_ops fixture_ops = {
    .alloc_page = fixture_alloc_page,
    .free_page = fixture_free_page,
};

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->cache = cache_create(&fixture_ops, &f->memory, fixture_uuid);
    assert_non_null(f->cache);
    assert_int_equal(cache_set_capacity(f->cache, FIXTURE_CAPACITY), 0);
    assert_int_equal(cache_set_mode(f->cache, WCR_MODE_ENABLED, 0), 0);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    uint64_t mfn;
    int rc;

    while (cache_drop_next(f->cache, &mfn))
        ;
    cache_destroy(f->cache);
    rc = f->memory.allocated ? -1 : 0;
    free(f);
    return rc;
}

int map_page(struct wcr_cache *c, uint64_t pfn)
{
    struct wcr_key key = {.inode = 5, .index = pfn, .fs_id = 1};

    return cache_map_add(c, pfn, fixture_mfn(pfn), &key);
}

bool unmap_page(struct wcr_cache *c, uint64_t pfn)
{
    uint64_t mfn;

    return cache_map_remove(c, pfn, &mfn) && mfn == fixture_mfn(pfn);
}

bool begin_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector, unsigned int op)
{
    return cache_io_begin(c, pfn, fixture_mfn(pfn), FIXTURE_VBD, sector, op, true) !=
           WCR_BEGIN_IGNORE;
}

bool end_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector, unsigned int op)
{
    return cache_io_end(c, pfn, fixture_mfn(pfn), FIXTURE_VBD, sector, op, true);
}

static bool do_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector, unsigned int op)
{
    bool reusable;

    cache_io_range_begin(c, FIXTURE_VBD, sector, WCR_BLOCK_SECTORS, op);
    begin_page(c, pfn, sector, op);
    reusable = end_page(c, pfn, sector, op);
    cache_io_range_end(c, FIXTURE_VBD, sector, WCR_BLOCK_SECTORS, op);
    return reusable;
}

bool read_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector)
{
    return do_page(c, pfn, sector, WCR_IO_READ);
}

bool write_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector)
{
    return do_page(c, pfn, sector, WCR_IO_WRITE);
}

void change_begin(struct wcr_cache *c, uint64_t sector, uint64_t sectors)
{
    cache_io_range_begin(c, FIXTURE_VBD, sector, sectors, WCR_IO_DISCARD);
}

void change_end(struct wcr_cache *c, uint64_t sector, uint64_t sectors)
{
    cache_io_range_end(c, FIXTURE_VBD, sector, sectors, WCR_IO_DISCARD);
}

void store(struct wcr_cache *c, uint64_t pfn)
{
    cache_store_seen(c, pfn, fixture_mfn(pfn));
}

bool retain(struct wcr_cache *c, uint64_t pfn)
{
    return cache_retain(c, pfn, fixture_mfn(pfn));
}

int reuse(struct wcr_cache *c, uint64_t pfn, uint64_t sector)
{
    return cache_reuse(c, pfn, fixture_mfn(pfn), FIXTURE_VBD, sector);
}

uint32_t page_flags(const struct wcr_cache *c, uint64_t pfn)
{
    struct wcr_page_info page;

    return cache_page(c, pfn, &page) ? page.flags : 0;
}

struct wcr_cache_info cache_counters(const struct wcr_cache *c)
{
    struct wcr_cache_info info;

    cache_info(c, &info);
    return info;
}
