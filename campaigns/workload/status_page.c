// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/workload/status_layout.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t page_checksum(const void *page)
{
    return XXH64((const char *)page + sizeof(struct status_mark),
                 STATUS_PAGE_SIZE - sizeof(struct status_mark), 0);
}

void status_page_seal(void *page)
{
    struct status_mark *mark = page;

    mark->magic = STATUS_MAGIC;
    mark->checksum = page_checksum(page);
}

int status_page_sealed(const void *page)
{
    const struct status_mark *mark = page;

    return mark->magic == STATUS_MAGIC && mark->checksum == page_checksum(page);
}
