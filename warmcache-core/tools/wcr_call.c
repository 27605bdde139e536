// SPDX-License-Identifier: GPL-2.0-or-later
#include "warmcache-core/tools/wcr_call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xentoollog.h>

#define PAGES_AT_ONCE   256
#define LIST_MAX        WCR_BATCH_MAX

/* Arguments live in memory that the hypervisor can rely on while it reads them. */
union argument {
    struct wcr_policy policy;
    struct wcr_list list;
    struct wcr_pages pages;
    struct wcr_drop drop;
    struct wcr_read_retained read;
};

/* What the arguments point at. */
union buffer {
    struct wcr_cache_info list[LIST_MAX];
    struct wcr_page_info pages[PAGES_AT_ONCE];
    uint8_t bytes[WCR_PAGE_BYTES];
};

#define BUFFER_PAGES    ((sizeof(union buffer) + WCR_PAGE_BYTES - 1) / WCR_PAGE_BYTES)

struct wcr_call {
    xencall_handle *xen;        /* NULL: a fake */
    wcr_call_fn fn;
    void *ctx;
    union argument *arg;
    union buffer *buffer;
};

void wcr_call_close(struct wcr_call *c)
{
    if (!c)
        return;
    if (c->xen) {
        if (c->arg)
            xencall_free_buffer(c->xen, c->arg);
        if (c->buffer)
            xencall_free_buffer_pages(c->xen, c->buffer, BUFFER_PAGES);
        xencall_close(c->xen);
    } else {
        free(c->arg);
        free(c->buffer);
    }
    free(c);
}

/* A library does not log: what failed is in `err`. */
static void quiet_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                          const char *context, const char *format, va_list al)
{
    (void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)al;
}

static struct xentoollog_logger quiet = {.vmessage = quiet_message};

int wcr_call_open(struct wcr_call **ret, struct err *err)
{
    struct wcr_call *c = calloc(1, sizeof(*c));
    int code;

    if (!c)
        return err_set(err, ENOMEM, "out of memory");
    errno = 0;
    c->xen = xencall_open(&quiet, 0);
    if (!c->xen) {
        code = errno ? errno : ENOENT;
        free(c);
        return err_set(err, code,
                       "cannot make hypercalls: %s (only root in domain 0 of a Xen host can)",
                       strerror(code));
    }
    c->arg = xencall_alloc_buffer(c->xen, sizeof(*c->arg));
    c->buffer = c->arg ? xencall_alloc_buffer_pages(c->xen, BUFFER_PAGES) : NULL;
    if (!c->buffer) {
        code = errno ? errno : ENOMEM;
        wcr_call_close(c);
        return err_set(err, code, "no memory for hypercalls: %s", strerror(code));
    }
    *ret = c;
    return 0;
}

int wcr_call_open_fake(wcr_call_fn fn, void *ctx, struct wcr_call **ret, struct err *err)
{
    struct wcr_call *c = calloc(1, sizeof(*c));

    if (c) {
        c->fn = fn;
        c->ctx = ctx;
        c->arg = calloc(1, sizeof(*c->arg));
        c->buffer = calloc(1, sizeof(*c->buffer));
    }
    if (!c || !c->arg || !c->buffer) {
        wcr_call_close(c);
        return err_set(err, ENOMEM, "out of memory");
    }
    *ret = c;
    return 0;
}

/* The hypercall's own result, negative errno when it failed. */
static long call(struct wcr_call *c, unsigned int cmd, void *arg)
{
    long r;

    if (!c->xen)
        return c->fn(c->ctx, cmd, arg);
    r = xencall2(c->xen, WCR_HYPERCALL, cmd, (uint64_t)(uintptr_t)arg);
    return r == -1 ? -errno : r;
}

static int failed(struct err *err, long r, const char *what)
{
    int code = (int)-r;

    switch (code) {
    case ENOSYS:
        return err_set(err, code,
                       "%s: this hypervisor has no warm caches, or was booted without warmcache=1",
                       what);
    case ENOENT:
        return err_set(err, code, "%s: no warm cache under this UUID", what);
    case EPERM:
    case EACCES:
        return err_set(err, code, "%s: not permitted, only domain 0 may", what);
    case ENOSPC:
        return err_set(err, code, "%s: the host has as many warm caches as it can", what);
    default:
        return err_set(err, code, "%s: %s", what, strerror(code));
    }
}

int wcr_call_version(struct wcr_call *c, int *ret, struct err *err)
{
    long r = call(c, WCR_OP_version, NULL);

    *ret = r > 0 ? (int)r : 0;
    if (r < 0)
        return failed(err, r, "version");
    if (r != WCR_ABI_VERSION)
        return err_set(err, EPROTO,
                       "the hypervisor speaks version %ld of the warm-cache interface, this "
                       "program version %d",
                       r, WCR_ABI_VERSION);
    return 0;
}

int wcr_call_set_policy(struct wcr_call *c, const uint8_t uuid[16], enum wcr_mode mode,
                        uint64_t max_pages, uint32_t max_age, struct err *err)
{
    long r;

    c->arg->policy = (struct wcr_policy){
        .mode = mode, .max_pages = max_pages, .max_age = max_age,
    };
    memcpy(c->arg->policy.uuid, uuid, 16);
    r = call(c, WCR_OP_set_policy, c->arg);
    return r < 0 ? failed(err, r, "policy") : 0;
}

/* Into c->buffer; returns how many. */
static int list(struct wcr_call *c, struct err *err)
{
    long r;

    c->arg->list = (struct wcr_list){.entries = (uintptr_t)c->buffer, .nr = LIST_MAX};
    r = call(c, WCR_OP_list, c->arg);
    if (r < 0)
        return failed(err, r, "list");
    if (c->arg->list.nr > LIST_MAX)
        return err_set(err, EPROTO, "list: the hypervisor wrote more caches than there was room");
    if ((unsigned long)r > c->arg->list.nr)
        return err_set(err, EOVERFLOW, "list: more than %d caches", LIST_MAX);
    return (int)c->arg->list.nr;
}

int wcr_call_list(struct wcr_call *c, struct wcr_cache_info **ret, struct err *err)
{
    int n = list(c, err);

    if (n < 0)
        return n;
    *ret = calloc((size_t)n + 1, sizeof(**ret));
    if (!*ret)
        return err_set(err, ENOMEM, "out of memory");
    memcpy(*ret, c->buffer->list, (size_t)n * sizeof(**ret));
    return n;
}

int wcr_call_info(struct wcr_call *c, const uint8_t uuid[16], struct wcr_cache_info *ret,
                  struct err *err)
{
    int i, n = list(c, err);

    for (i = 0; i < n; i++)
        if (!memcmp(c->buffer->list[i].uuid, uuid, 16)) {
            *ret = c->buffer->list[i];
            return 0;
        }
    return n < 0 ? n : failed(err, -ENOENT, "list");
}

int wcr_call_pages(struct wcr_call *c, const uint8_t uuid[16], wcr_page_fn take, void *ctx,
                   struct err *err)
{
    /* `take` may use the handle, too. */
    struct wcr_page_info *pages = calloc(PAGES_AT_ONCE, sizeof(*pages));
    uint64_t next = 0;
    int result = 0;

    if (!pages)
        return err_set(err, ENOMEM, "out of memory");
    while (!result) {
        uint32_t i, nr;
        long r;

        c->arg->pages = (struct wcr_pages){
            .first_pfn = next, .entries = (uintptr_t)c->buffer, .nr = PAGES_AT_ONCE,
        };
        memcpy(c->arg->pages.uuid, uuid, 16);
        r = call(c, WCR_OP_pages, c->arg);
        nr = c->arg->pages.nr;
        if (r < 0) {
            result = failed(err, r, "pages");
            break;
        }
        if (!nr)
            break;
        if (nr > PAGES_AT_ONCE || c->arg->pages.first_pfn <= next) {
            result = err_set(err, EPROTO, "pages: the hypervisor's answer makes no sense");
            break;
        }
        next = c->arg->pages.first_pfn;
        memcpy(pages, c->buffer->pages, nr * sizeof(*pages));
        for (i = 0; i < nr && !result; i++)
            result = take(ctx, &pages[i], err);
    }
    free(pages);
    return result;
}

int wcr_call_drop(struct wcr_call *c, const uint8_t uuid[16], struct err *err)
{
    long r;

    memcpy(c->arg->drop.uuid, uuid, 16);
    r = call(c, WCR_OP_drop, c->arg);
    return r < 0 ? failed(err, r, "drop") : 0;
}

int wcr_call_read_retained(struct wcr_call *c, const uint8_t uuid[16], uint64_t pfn,
                           void *ret_page, struct err *err)
{
    long r;

    c->arg->read = (struct wcr_read_retained){.pfn = pfn, .buffer = (uintptr_t)c->buffer};
    memcpy(c->arg->read.uuid, uuid, 16);
    r = call(c, WCR_OP_read_retained, c->arg);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "read: no page is retained at PFN %llu",
                       (unsigned long long)pfn);
    if (r < 0)
        return failed(err, r, "read");
    memcpy(ret_page, c->buffer->bytes, WCR_PAGE_BYTES);
    return 0;
}

/* ---- words ---------------------------------------------------------- */

static const char *const modes[] = {
    [WCR_MODE_COLD] = "cold",
    [WCR_MODE_ENABLED] = "enabled",
    [WCR_MODE_DISABLED] = "disabled",
};

int wcr_mode_parse(const char *name, enum wcr_mode *ret, struct err *err)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (!strcmp(name, modes[i])) {
            *ret = (enum wcr_mode)i;
            return 0;
        }
    return err_set(err, EINVAL, "mode '%s': expected enabled, disabled or cold", name);
}

const char *wcr_mode_name(uint32_t mode)
{
    return mode < sizeof(modes) / sizeof(modes[0]) ? modes[mode] : "unknown";
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

int wcr_uuid_parse(const char *text, uint8_t ret[16], struct err *err)
{
    unsigned int digits = 0;
    const char *p;

    for (p = text; *p && digits <= 32; p++) {
        int digit = hex_digit(*p);

        if (*p == '-' && digits >= 8 && digits <= 20 && digits % 4 == 0 && p[-1] != '-')
            continue;
        if (digit < 0 || digits == 32)
            break;
        ret[digits / 2] = (uint8_t)(digits % 2 ? ret[digits / 2] | digit : digit << 4);
        digits++;
    }
    if (*p || digits != 32)
        return err_set(err, EINVAL,
                       "UUID '%s': expected 32 hexadecimal digits, such as "
                       "01234567-89ab-cdef-0123-456789abcdef",
                       text);
    return 0;
}

void wcr_uuid_format(const uint8_t uuid[16], char ret[WCR_UUID_TEXT])
{
    char *p = ret;

    for (unsigned int i = 0; i < 16; i++)
        p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}
