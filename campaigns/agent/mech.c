// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/mech.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>

#define LIST_MAX 64
#define PAGES_MAX 256

/* Arguments live in memory that the hypervisor can rely on while it reads them. */
struct mech {
    xencall_handle *call;
    union {
        struct wcr_policy policy;
        struct wcr_list list;
        struct wcr_pages pages;
    } *arg;
    void *entries;
    size_t entries_pages;
};

void mech_close(struct mech *m)
{
    if (!m)
        return;
    if (m->arg)
        xencall_free_buffer(m->call, m->arg);
    if (m->entries)
        xencall_free_buffer_pages(m->call, m->entries, m->entries_pages);
    if (m->call)
        xencall_close(m->call);
    free(m);
}

int mech_open(struct mech **ret, struct err *err)
{
    struct mech *m = calloc(1, sizeof(*m));

    if (!m)
        return err_set(err, ENOMEM, "out of memory");
    m->entries_pages = (PAGES_MAX * sizeof(struct wcr_page_info) + 4095) / 4096;
    m->call = xencall_open(NULL, 0);
    if (m->call) {
        m->arg = xencall_alloc_buffer(m->call, sizeof(*m->arg));
        m->entries = xencall_alloc_buffer_pages(m->call, m->entries_pages);
    }
    if (!m->arg || !m->entries) {
        int code = errno ? errno : EIO;

        mech_close(m);
        return err_set(err, code, "cannot make hypercalls: %s", strerror(code));
    }
    *ret = m;
    return 0;
}

static int op(struct mech *m, unsigned cmd, const void *arg)
{
    int r = xencall2(m->call, WCR_HYPERCALL, cmd, (uint64_t)(uintptr_t)arg);

    return r < 0 ? -errno : r;
}

static int failed(struct err *err, int r, const char *what)
{
    if (r == -ENOSYS)
        return err_set(err, ENOSYS, "%s: this hypervisor has no warm caches", what);
    return err_set(err, -r, "%s: %s", what, strerror(-r));
}

int mech_version(struct mech *m)
{
    return op(m, WCR_OP_version, NULL);
}

int mech_set_policy(struct mech *m, const uint8_t uuid[16], enum wcr_mode mode, struct err *err)
{
    int r;

    m->arg->policy = (struct wcr_policy){.mode = mode};
    memcpy(m->arg->policy.uuid, uuid, 16);
    r = op(m, WCR_OP_set_policy, m->arg);
    return r < 0 ? failed(err, r, "set_policy") : 0;
}

int mech_info(struct mech *m, const uint8_t uuid[16], struct wcr_cache_info *ret, struct err *err)
{
    struct wcr_cache_info *list = m->entries;
    int r;

    m->arg->list = (struct wcr_list){.entries = (uintptr_t)list, .nr = LIST_MAX};
    r = op(m, WCR_OP_list, m->arg);
    if (r < 0)
        return failed(err, r, "list");
    for (uint32_t i = 0; i < m->arg->list.nr && i < LIST_MAX; i++)
        if (memcmp(list[i].uuid, uuid, 16) == 0) {
            *ret = list[i];
            return 0;
        }
    return err_set(err, ENOENT, "list: the guest has no warm cache");
}

int mech_pages(struct mech *m, const uint8_t uuid[16], mech_page_fn take, void *ctx,
               struct err *err)
{
    struct wcr_page_info *pages = m->entries;
    uint64_t next = 0;

    for (;;) {
        int r;

        m->arg->pages = (struct wcr_pages){
            .first_pfn = next, .entries = (uintptr_t)pages, .nr = PAGES_MAX,
        };
        memcpy(m->arg->pages.uuid, uuid, 16);
        r = op(m, WCR_OP_pages, m->arg);
        if (r < 0)
            return failed(err, r, "pages");
        if (!m->arg->pages.nr)
            return 0;
        for (uint32_t i = 0; i < m->arg->pages.nr && i < PAGES_MAX; i++) {
            r = take(ctx, &pages[i], err);
            if (r)
                return r;
        }
        if (m->arg->pages.first_pfn <= next)
            return err_set(err, EPROTO, "pages: the hypervisor does not get on");
        next = m->arg->pages.first_pfn;
    }
}

int mech_mode_parse(const char *name, enum wcr_mode *ret, struct err *err)
{
    if (strcmp(name, "enabled") == 0)
        *ret = WCR_MODE_ENABLED;
    else if (strcmp(name, "disabled") == 0)
        *ret = WCR_MODE_DISABLED;
    else if (strcmp(name, "cold") == 0)
        *ret = WCR_MODE_COLD;
    else
        return err_set(err, EINVAL, "mode '%s': expected enabled, disabled or cold", name);
    return 0;
}
