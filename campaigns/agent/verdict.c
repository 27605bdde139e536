// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/verdict.h"

#include <stdio.h>
#include <string.h>

struct side {
    enum content_kind kind;
    enum content_judgement judgement;
    struct content_header header;
};

static void side_read(struct side *s, const void *page, const struct content_expect *expect)
{
    static const struct content_expect nothing = {.issued = UINT32_MAX};

    s->kind = content_identify(page, &s->header);
    s->judgement = content_judge(page, expect ? expect : &nothing);
}

static void side_describe(const struct side *s, const char *name, char *to, size_t size)
{
    static const char *const kinds[] = {
        [CONTENT_VALID] = "valid", [CONTENT_ZERO] = "zero", [CONTENT_BROKEN] = "broken",
        [CONTENT_FOREIGN] = "foreign",
    };

    if (s->kind == CONTENT_VALID || s->kind == CONTENT_BROKEN)
        snprintf(to, size, "%s %s file %u block %u version %u", name, kinds[s->kind],
                 s->header.file, s->header.block, s->header.version);
    else
        snprintf(to, size, "%s %s", name, kinds[s->kind]);
}

/* Both in the right place, differing: the version decides. */
static enum verdict by_version(const struct side *memory, const struct side *disk)
{
    if (memory->header.version > disk->header.version)
        return VERDICT_STALE_DISK;
    return memory->header.version < disk->header.version ? VERDICT_CORRUPT : VERDICT_UNKNOWN;
}

static bool in_place(const struct side *s)
{
    return s->kind == CONTENT_VALID && s->judgement != CONTENT_MISPLACED;
}

static enum verdict judge(const struct side *memory, const struct side *disk)
{
    /* A version that nobody issued, with a good checksum: forged or a lost table. */
    if (memory->judgement == CONTENT_FUTURE)
        return VERDICT_UNKNOWN;
    if (in_place(memory)) {
        if (in_place(disk))
            return by_version(memory, disk);
        /* The disk holds something else altogether. */
        return memory->judgement == CONTENT_LOST ? VERDICT_CORRUPT : VERDICT_STALE_DISK;
    }
    if (memory->judgement == CONTENT_MISPLACED)
        return VERDICT_CORRUPT;
    /* Zero, broken or foreign memory is wrong where the disk is right. */
    if (in_place(disk))
        return VERDICT_CORRUPT;
    /* Zero on the disk where nothing is promised is right too. */
    if (disk->judgement == CONTENT_OK && memory->judgement == CONTENT_DAMAGED)
        return VERDICT_CORRUPT;
    return VERDICT_UNKNOWN;
}

enum verdict verdict_judge(const void *memory, const void *disk,
                           const struct content_expect *expect, char *detail, size_t size)
{
    struct side m, d;
    char left[100], right[100];
    enum verdict v;

    if (size)
        detail[0] = '\0';
    if (memcmp(memory, disk, CONTENT_BLOCK_SIZE) == 0)
        return VERDICT_CONSISTENT;
    side_read(&m, memory, expect);
    side_read(&d, disk, expect);
    v = expect ? judge(&m, &d) : VERDICT_UNKNOWN;
    side_describe(&m, "memory", left, sizeof(left));
    side_describe(&d, "disk", right, sizeof(right));
    if (expect)
        snprintf(detail, size, "%s; %s; expected file %u block %u acknowledged %u issued %u", left,
                 right, expect->file, expect->block, expect->acked, expect->issued);
    else
        snprintf(detail, size, "%s; %s; not a file of the workload", left, right);
    return v;
}

const char *verdict_name(enum verdict v)
{
    static const char *const names[] = {
        [VERDICT_CONSISTENT] = "consistent", [VERDICT_CORRUPT] = "corrupt",
        [VERDICT_STALE_DISK] = "stale_disk", [VERDICT_UNKNOWN] = "unknown",
    };

    return names[v];
}
