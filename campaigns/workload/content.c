// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/workload/content.h"

#include <stddef.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WORDS (CONTENT_BLOCK_SIZE / sizeof(uint64_t))
#define HEADER_WORDS (sizeof(struct content_header) / sizeof(uint64_t))

_Static_assert(sizeof(struct content_header) == 40, "no holes in the header");

/* splitmix64's output function: any two seeds give unrelated streams. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* XXH64 as if the checksum field were 0, without touching the block. */
static uint64_t block_checksum(const void *block)
{
    static const uint64_t zero;
    const size_t at = offsetof(struct content_header, checksum);
    const char *p = block;
    XXH64_state_t state;

    XXH64_reset(&state, 0);
    XXH64_update(&state, p, at);
    XXH64_update(&state, &zero, sizeof(zero));
    XXH64_update(&state, p + at + sizeof(zero), CONTENT_BLOCK_SIZE - at - sizeof(zero));
    return XXH64_digest(&state);
}

void content_fill(void *block, uint64_t seed, uint32_t file, uint32_t block_index,
                  uint32_t version)
{
    struct content_header h = {
        .magic = CONTENT_MAGIC,
        .seed = seed,
        .file = file,
        .block = block_index,
        .version = version,
    };
    uint64_t *words = block;
    uint64_t x = mix(seed ^ mix(((uint64_t)file << 32 | block_index) ^ mix(version)));

    for (size_t i = HEADER_WORDS; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = x;
    }
    memcpy(block, &h, sizeof(h));
    h.checksum = block_checksum(block);
    memcpy(block, &h, sizeof(h));
}

static bool is_zero(const void *block)
{
    const char *p = block;

    return p[0] == 0 && memcmp(p, p + 1, CONTENT_BLOCK_SIZE - 1) == 0;
}

enum content_kind content_identify(const void *block, struct content_header *ret)
{
    struct content_header h;

    memcpy(&h, block, sizeof(h));
    if (ret)
        *ret = h;
    if (h.magic != CONTENT_MAGIC)
        return is_zero(block) ? CONTENT_ZERO : CONTENT_FOREIGN;
    return h.checksum == block_checksum(block) ? CONTENT_VALID : CONTENT_BROKEN;
}

enum content_judgement content_judge(const void *block, const struct content_expect *expect)
{
    struct content_header h;

    switch (content_identify(block, &h)) {
    case CONTENT_VALID:
        if (h.seed != expect->seed || h.file != expect->file || h.block != expect->block)
            return CONTENT_MISPLACED;
        if (h.version > expect->issued)
            return CONTENT_FUTURE;
        return h.version < expect->acked ? CONTENT_LOST : CONTENT_OK;
    case CONTENT_ZERO:
        return expect->acked ? CONTENT_LOST : CONTENT_OK;
    case CONTENT_BROKEN:
    case CONTENT_FOREIGN:
        break;
    }
    return CONTENT_DAMAGED;
}

const char *content_judgement_name(enum content_judgement j)
{
    static const char *const names[] = {
        [CONTENT_OK] = "ok", [CONTENT_LOST] = "lost", [CONTENT_FUTURE] = "future",
        [CONTENT_MISPLACED] = "misplaced", [CONTENT_DAMAGED] = "damaged",
    };

    return names[j];
}
