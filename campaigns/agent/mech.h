/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The warm-cache hypercalls the agent makes. */
#ifndef WCR_AGENT_MECH_H
#define WCR_AGENT_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "warmcache-core/include/wcr_abi.h"

struct mech;

int mech_open(struct mech **ret, struct err *err);
void mech_close(struct mech *m);

/* WCR_ABI_VERSION, or -ENOSYS on a hypervisor without the mechanism. */
int mech_version(struct mech *m);

int mech_set_policy(struct mech *m, const uint8_t uuid[16], enum wcr_mode mode, struct err *err);
int mech_info(struct mech *m, const uint8_t uuid[16], struct wcr_cache_info *ret, struct err *err);

/*
 * Every page of a cache, in PFN order. @take returns 0 to go on, or a negative errno
 * that ends the walk.
 */
typedef int (*mech_page_fn)(void *ctx, const struct wcr_page_info *page, struct err *err);
int mech_pages(struct mech *m, const uint8_t uuid[16], mech_page_fn take, void *ctx,
               struct err *err);

/* "enabled", "disabled", "cold"; -EINVAL. */
int mech_mode_parse(const char *name, enum wcr_mode *ret, struct err *err);

#endif
