/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the core's tests have in common: memory that counts, and fails when told. */
#ifndef WCR_CORE_FIXTURE_H
#define WCR_CORE_FIXTURE_H

#include <stdlib.h>

#include "warmcache-core/include/core.h"

#define FIXTURE_CAPACITY 100000
#define FIXTURE_VBD      51712

struct fixture_memory {
    unsigned long allocated;    /* pages now */
    unsigned long asked;        /* calls so far */
    unsigned long fail_at;      /* this call fails (from 1), 0: none */
    unsigned int fail_percent;  /* and these, drawn from `state` */
    uint64_t state;
};

extern const struct wcr_core_ops fixture_ops;   /* on a struct fixture_memory */
extern const uint8_t fixture_uuid[16];

/* For cmocka: *state is a struct fixture; teardown checks that no memory is lost. */
struct fixture {
    struct fixture_memory memory;
    struct wcr_cache *cache;    /* ENABLED, of FIXTURE_CAPACITY frames */
};
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The machine frame that these tests have at a PFN. */
static inline uint64_t fixture_mfn(uint64_t pfn)
{
    return pfn + 7000000;
}

/* Shorthands on one frame, its own mfn and FIXTURE_VBD. */
int map_page(struct wcr_cache *c, uint64_t pfn);
bool unmap_page(struct wcr_cache *c, uint64_t pfn);
bool begin_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector, unsigned int op);
bool end_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector, unsigned int op);
/* A whole request of one block, from begin to end; true: REUSABLE. */
bool read_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector);
bool write_page(struct wcr_cache *c, uint64_t pfn, uint64_t sector);
void change_begin(struct wcr_cache *c, uint64_t sector, uint64_t sectors);
void change_end(struct wcr_cache *c, uint64_t sector, uint64_t sectors);
void store(struct wcr_cache *c, uint64_t pfn);
bool retain(struct wcr_cache *c, uint64_t pfn);
int reuse(struct wcr_cache *c, uint64_t pfn, uint64_t sector);

/* WCR_PAGE_* of a frame, 0 for one that nothing is known of. */
uint32_t page_flags(const struct wcr_cache *c, uint64_t pfn);
struct wcr_cache_info cache_counters(const struct wcr_cache *c);

#endif
