/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The administrator's side of the warm-cache hypercall (wcr_abi.h), from
 * domain 0's user space. One handle serves one thread.
 *
 * Functions return 0 (or what they say) or -errno, and fill `err`, which may
 * be NULL. -ENOSYS: this hypervisor has no warm caches, or they are off;
 * -ENOENT: no cache under that UUID; -EPERM: not domain 0.
 */
#ifndef WCR_CALL_H
#define WCR_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "warmcache-core/include/wcr_abi.h"

#define WCR_UUID_TEXT   37      /* with the closing NUL */
#define WCR_PAGE_BYTES  4096
#define WCR_DOMID_NONE  0x7ff4u /* wcr_cache_info.domid: no domain now */

struct wcr_call;

/* -ENOENT or -EACCES: not in domain 0, or not root. */
int wcr_call_open(struct wcr_call **ret, struct err *err);
/* NULL is fine. */
void wcr_call_close(struct wcr_call *c);

/* A hypervisor of one's own, for tests: `fn` returns as the hypercall does. */
typedef long (*wcr_call_fn)(void *ctx, unsigned int cmd, void *arg);
int wcr_call_open_fake(wcr_call_fn fn, void *ctx, struct wcr_call **ret, struct err *err);

/*
 * The ABI version that the hypervisor speaks, 0: none. -EPROTO: not the one of
 * wcr_abi.h; *ret is set nevertheless.
 */
int wcr_call_version(struct wcr_call *c, int *ret, struct err *err);

/*
 * Create the cache of a UUID or change it. max_pages 0: no limit of its own; max_age, in
 * seconds, 0: the host's.
 */
int wcr_call_set_policy(struct wcr_call *c, const uint8_t uuid[16], enum wcr_mode mode,
                        uint64_t max_pages, uint32_t max_age, struct err *err);

/* Every cache of the host: `*ret` is the caller's to free. Returns how many. */
int wcr_call_list(struct wcr_call *c, struct wcr_cache_info **ret, struct err *err);

/* The cache of one UUID. */
int wcr_call_info(struct wcr_call *c, const uint8_t uuid[16], struct wcr_cache_info *ret,
                  struct err *err);

/*
 * Every page that a cache knows, in PFN order; a live domain goes on changing
 * them meanwhile. `take` returns 0 to go on; anything else ends the walk and
 * is returned.
 */
typedef int (*wcr_page_fn)(void *ctx, const struct wcr_page_info *page, struct err *err);
int wcr_call_pages(struct wcr_call *c, const uint8_t uuid[16], wcr_page_fn take, void *ctx,
                   struct err *err);

/* Forget a cache; what it retains is scrubbed and given back to the host. */
int wcr_call_drop(struct wcr_call *c, const uint8_t uuid[16], struct err *err);

/* The bytes of a page that waits for its domain. -ENOENT: none at this PFN. */
int wcr_call_read_retained(struct wcr_call *c, const uint8_t uuid[16], uint64_t pfn,
                           void *ret_page, struct err *err);

/* "enabled", "disabled" or "cold". */
int wcr_mode_parse(const char *name, enum wcr_mode *ret, struct err *err);
/* "unknown" for what is none. */
const char *wcr_mode_name(uint32_t mode);

/* Hexadecimal digits, with or without hyphens. */
int wcr_uuid_parse(const char *text, uint8_t ret[16], struct err *err);
void wcr_uuid_format(const uint8_t uuid[16], char ret[WCR_UUID_TEXT]);

#endif
