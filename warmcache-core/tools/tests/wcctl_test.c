// SPDX-License-Identifier: GPL-2.0-or-later
/* wcctl and its hypercalls against a hypervisor made of arrays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "warmcache-core/tools/wcctl.h"

#define CACHES_MAX 3
#define PAGES_MAX  700
#define LIVE_UUID  "01234567-89ab-cdef-0123-456789abcdef"
#define DEAD_UUID  "ffffffff-0000-1111-2222-333333333333"

/* What the hypervisor is, and how it misbehaves. */
static struct hypervisor {
    struct wcr_cache_info caches[CACHES_MAX];
    unsigned int n_caches;
    struct wcr_page_info pages[PAGES_MAX];
    unsigned int n_pages;
    long refuse;                /* the answer to everything but version */
    long version;
    bool stuck;                 /* WCR_OP_pages does not get on */
    unsigned int calls, dropped;
} hv;

static struct wcr_cache_info *cache_of(const uint8_t uuid[16])
{
    for (unsigned int i = 0; i < hv.n_caches; i++)
        if (!memcmp(hv.caches[i].uuid, uuid, 16))
            return &hv.caches[i];
    return NULL;
}

static long op_set_policy(const struct wcr_policy *op)
{
    struct wcr_cache_info *info = cache_of(op->uuid);

    if (!info && hv.n_caches == CACHES_MAX)
        return -ENOSPC;
    if (!info) {
        info = &hv.caches[hv.n_caches++];
        memset(info, 0, sizeof(*info));
        memcpy(info->uuid, op->uuid, 16);
        info->domid = WCR_DOMID_NONE;
    }
    info->mode = op->mode;
    info->max_pages = op->max_pages;
    info->max_age = op->max_age;
    return 0;
}

static long op_list(struct wcr_list *op)
{
    struct wcr_cache_info *to = (void *)(uintptr_t)op->entries;
    uint32_t room = op->nr;

    op->nr = hv.n_caches < room ? hv.n_caches : room;
    memcpy(to, hv.caches, op->nr * sizeof(*to));
    return hv.n_caches;
}

static long op_pages(struct wcr_pages *op)
{
    struct wcr_page_info *to = (void *)(uintptr_t)op->entries;
    uint32_t room = op->nr;

    if (!cache_of(op->uuid))
        return -ENOENT;
    op->nr = 0;
    for (unsigned int i = 0; i < hv.n_pages && op->nr < room; i++)
        if (hv.pages[i].pfn >= op->first_pfn)
            to[op->nr++] = hv.pages[i];
    if (op->nr && !hv.stuck)
        op->first_pfn = to[op->nr - 1].pfn + 1;
    return 0;
}

static long op_drop(const struct wcr_drop *op)
{
    struct wcr_cache_info *info = cache_of(op->uuid);

    if (!info)
        return -ENOENT;
    *info = hv.caches[--hv.n_caches];
    hv.dropped++;
    return 0;
}

static long op_read(const struct wcr_read_retained *op)
{
    for (unsigned int i = 0; i < hv.n_pages; i++)
        if (hv.pages[i].pfn == op->pfn && hv.pages[i].flags & WCR_PAGE_RETAINED) {
            memset((void *)(uintptr_t)op->buffer, (int)op->pfn, WCR_PAGE_BYTES);
            return 0;
        }
    return -ENOENT;
}

static long fake_call(void *ctx, unsigned int cmd, void *arg)
{
    (void)ctx;
    hv.calls++;
    if (cmd == WCR_OP_version)
        return hv.version;
    if (hv.refuse)
        return hv.refuse;
    switch (cmd) {
    case WCR_OP_set_policy:
        return op_set_policy(arg);
    case WCR_OP_list:
        return op_list(arg);
    case WCR_OP_pages:
        return op_pages(arg);
    case WCR_OP_drop:
        return op_drop(arg);
    case WCR_OP_read_retained:
        return op_read(arg);
    default:
        return -ENOSYS;
    }
}

static int open_fake(struct wcr_call **ret, struct err *err)
{
    return wcr_call_open_fake(fake_call, NULL, ret, err);
}

static int hypervisor_setup(void **state)
{
    (void)state;
    memset(&hv, 0, sizeof(hv));
    hv.version = WCR_ABI_VERSION;
    hv.n_caches = 2;
    hv.caches[0] = (struct wcr_cache_info){
        .domid = 7, .mode = WCR_MODE_ENABLED, .pages_mapped = 900, .pages_reusable = 800,
        .reuse_ok = 3, .reuse_stale = 1,
    };
    hv.caches[1] = (struct wcr_cache_info){
        .domid = WCR_DOMID_NONE, .mode = WCR_MODE_COLD, .max_pages = 5000,
    };
    assert_int_equal(wcr_uuid_parse(LIVE_UUID, hv.caches[0].uuid, NULL), 0);
    assert_int_equal(wcr_uuid_parse(DEAD_UUID, hv.caches[1].uuid, NULL), 0);
    hv.n_pages = PAGES_MAX;
    for (unsigned int i = 0; i < PAGES_MAX; i++)
        hv.pages[i] = (struct wcr_page_info){
            .pfn = 3 * i, .mfn = 0x1000 + i, .inode = 12, .index = i, .sector = 8 * i,
            .vbd = 51712, .fs_id = 202 << 20,
            .flags = WCR_PAGE_MAPPED | (i % 7 ? WCR_PAGE_REUSABLE : WCR_PAGE_RETAINED),
        };
    return 0;
}

/* ---- running wcctl -------------------------------------------------- */

static char *out_text, *err_text;

static int outputs_free(void **state)
{
    (void)state;
    free(out_text);
    free(err_text);
    out_text = err_text = NULL;
    return 0;
}

static int run_words(const char *const *words)
{
    char *argv[16] = {(char *)"wcctl"};
    size_t out_size, err_size;
    FILE *out, *errors;
    int argc = 1, r;

    for (; *words; words++)
        argv[argc++] = (char *)*words;
    outputs_free(NULL);
    out = open_memstream(&out_text, &out_size);
    errors = open_memstream(&err_text, &err_size);
    r = wcctl_run(argc, argv, open_fake, out, errors);
    fclose(out);
    fclose(errors);
    return r;
}

#define run(...) run_words((const char *const[]){__VA_ARGS__, NULL})

static json_t *run_json_words(const char *const *words)
{
    json_error_t error;
    json_t *ret;

    assert_int_equal(run_words(words), 0);
    ret = json_loads(out_text, 0, &error);
    if (!ret)
        fail_msg("%s: %s", error.text, out_text);
    return ret;
}

#define run_json(...) run_json_words((const char *const[]){__VA_ARGS__, "--json", NULL})

#define assert_contains(text, part) \
    do { \
        if (!strstr(text, part)) \
            fail_msg("'%s' is not in: %s", part, text); \
    } while (0)

/* ---- list, stats ---------------------------------------------------- */

static void list_shows_every_cache(void **state)
{
    (void)state;
    assert_int_equal(run("list"), 0);
    assert_contains(out_text, LIVE_UUID "      7 enabled         900        800          0          -");
    assert_contains(out_text, DEAD_UUID "      - cold ");
    assert_contains(out_text, "5000");
    assert_string_equal(err_text, "");
}

static void list_json_has_every_counter(void **state)
{
    json_t *list = run_json("list"), *live;

    (void)state;
    assert_int_equal(json_array_size(list), 2);
    live = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(live, "uuid")), LIVE_UUID);
    assert_int_equal(json_integer_value(json_object_get(live, "domid")), 7);
    assert_string_equal(json_string_value(json_object_get(live, "mode")), "enabled");
    assert_int_equal(json_integer_value(json_object_get(live, "pages_reusable")), 800);
    assert_int_equal(json_integer_value(json_object_get(live, "reuse_stale")), 1);
    assert_int_equal(json_object_size(live), 23);
    assert_int_equal(json_object_size(json_object_get(live, "not_kept")), WCR_WHY_NR);
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "domid")));
    json_decref(list);
}

static void list_without_caches_is_empty(void **state)
{
    json_t *list;

    (void)state;
    hv.n_caches = 0;
    list = run_json("list");
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
}

static void stats_finds_by_uuid_and_domid(void **state)
{
    json_t *list = run_json("stats", "7");

    (void)state;
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    assert_int_equal(run("stats", LIVE_UUID), 0);
    assert_contains(out_text, "reuse rate");
    assert_contains(out_text, "75.0%");
    assert_int_equal(run("stats"), 0);
    assert_contains(out_text, DEAD_UUID);
}

static void stats_of_nothing_fails(void **state)
{
    (void)state;
    assert_int_equal(run("stats", "8"), 2);
    assert_contains(err_text, "wcctl: domain 8 has no warm cache");
    assert_int_equal(run("stats", "11111111-0000-1111-2222-333333333333"), 2);
    assert_contains(err_text, "no warm cache under this UUID");
    assert_int_equal(run("stats", "guest"), 2);
    assert_contains(err_text, "UUID 'guest': expected 32 hexadecimal digits");
}

/* ---- pages ---------------------------------------------------------- */

static void pages_walks_all_batches(void **state)
{
    json_t *list = run_json("pages", "7"), *page;

    (void)state;
    assert_int_equal(json_array_size(list), PAGES_MAX);
    page = json_array_get(list, PAGES_MAX - 1);
    assert_int_equal(json_integer_value(json_object_get(page, "pfn")), 3 * (PAGES_MAX - 1));
    assert_int_equal(json_array_size(json_object_get(page, "flags")), 2);
    json_decref(list);
}

static void pages_only_filters(void **state)
{
    json_t *list = run_json("pages", "7", "--only", "mapped,retained");

    (void)state;
    assert_int_equal(json_array_size(list), PAGES_MAX / 7);
    json_decref(list);
    list = run_json("pages", "7", "--only", "written");
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    assert_int_equal(run("pages", "7", "--only", "mapped,dirty"), 2);
    assert_contains(err_text, "--only 'dirty': expected mapped, reusable");
}

static void pages_table_names_disk_and_fs(void **state)
{
    (void)state;
    hv.n_pages = 1;
    hv.pages[0].why = WCR_WHY_STORED;
    assert_int_equal(run("pages", LIVE_UUID), 0);
    assert_contains(out_text, "xvda");
    assert_contains(out_text, "202:0");
    assert_contains(out_text, "mapped,retained not reusable: stored\n");
}

static void pages_ends_on_nonsense(void **state)
{
    (void)state;
    hv.stuck = true;
    assert_int_equal(run("pages", "7"), 2);
    assert_contains(err_text, "makes no sense");
}

/* ---- policy, drop --------------------------------------------------- */

static void policy_creates_changes_and_keeps_the_limit(void **state)
{
    static const char fresh[] = "11111111000011112222333333333333";

    (void)state;
    assert_int_equal(run("policy", fresh, "enabled"), 0);
    assert_string_equal(out_text, "enabled\n");
    assert_int_equal(hv.n_caches, 3);

    assert_int_equal(run("policy", DEAD_UUID, "disabled"), 0);
    assert_string_equal(out_text, "disabled --max-pages 5000\n");
    assert_int_equal(run("policy", DEAD_UUID, "--max-pages", "0"), 0);
    assert_string_equal(out_text, "disabled\n");
    assert_int_equal(hv.caches[1].max_pages, 0);
}

static void policy_takes_an_age(void **state)
{
    (void)state;
    assert_int_equal(run("policy", DEAD_UUID, "--max-age", "60"), 0);
    assert_int_equal(hv.caches[1].max_age, 60);
    assert_contains(out_text, "--max-age 60");
    assert_int_equal(run("policy", DEAD_UUID, "enabled"), 0);
    assert_int_equal(hv.caches[1].max_age, 60);
    assert_int_equal(run("policy", DEAD_UUID, "--max-age", "99999999999"), 2);
    assert_contains(err_text, "expected seconds");
}

static void policy_alone_changes_nothing(void **state)
{
    struct wcr_cache_info before = hv.caches[1];

    (void)state;
    assert_int_equal(run("policy", DEAD_UUID), 0);
    assert_string_equal(out_text, "cold --max-pages 5000\n");
    assert_memory_equal(&before, &hv.caches[1], sizeof(before));
    assert_int_equal(run("policy", "00000000-0000-1111-2222-333333333333"), 2);
    assert_int_equal(hv.n_caches, 2);
}

static void policy_refuses_bad_words_before_any_call(void **state)
{
    (void)state;
    assert_int_equal(run("policy", LIVE_UUID, "on"), 2);
    assert_contains(err_text, "mode 'on': expected enabled, disabled or cold");
    assert_int_equal(run("policy", LIVE_UUID, "cold", "--max-pages", "-1"), 2);
    assert_contains(err_text, "--max-pages '-1': expected a number");
    assert_int_equal(run("policy", LIVE_UUID, "cold", "--max-pages"), 2);
    assert_contains(err_text, "needs a value");
    assert_int_equal(hv.calls, 0);
}

static void policy_tells_a_full_host(void **state)
{
    (void)state;
    assert_int_equal(run("policy", "11111111000011112222333333333333", "cold"), 0);
    assert_int_equal(run("policy", "21111111000011112222333333333333", "cold"), 2);
    assert_contains(err_text, "as many warm caches as it can");
}

static void drop_one_and_all(void **state)
{
    (void)state;
    assert_int_equal(run("drop", LIVE_UUID), 0);
    assert_int_equal(hv.n_caches, 1);
    assert_int_equal(run("drop", LIVE_UUID), 2);
    assert_contains(err_text, LIVE_UUID ": ");
    assert_int_equal(run("drop", "--all"), 0);
    assert_int_equal(hv.n_caches, 0);
    assert_int_equal(hv.dropped, 2);
}

static void drop_wants_to_know_what(void **state)
{
    (void)state;
    assert_int_equal(run("drop"), 2);
    assert_int_equal(run("drop", "--all", "7"), 2);
    assert_contains(err_text, "expected DOMAINs or --all");
    assert_int_equal(hv.n_caches, 2);
}

/* ---- the rest of the command line ----------------------------------- */

static void errors_of_usage(void **state)
{
    (void)state;
    assert_int_equal(run_words((const char *const[]){NULL}), 2);
    assert_int_equal(run("lists"), 2);
    assert_contains(err_text, "no such command: lists");
    assert_int_equal(run("list", "7"), 2);
    assert_contains(err_text, "usage: wcctl list");
    assert_int_equal(run("list", "--all"), 2);
    assert_contains(err_text, "no such option: --all");
    assert_int_equal(run("list", "--max-pages", "3"), 2);
    assert_contains(err_text, "no such option: --max-pages");
    assert_int_equal(run("list", "--frobnicate"), 2);
    assert_contains(err_text, "no such option: --frobnicate");
    assert_int_equal(run("list", "--max-pages=3"), 2);
    assert_int_equal(run("pages"), 2);
    assert_int_equal(hv.calls, 0);
}

static void help_needs_no_hypervisor(void **state)
{
    (void)state;
    hv.refuse = -ENOSYS;
    assert_int_equal(run("--help"), 0);
    assert_contains(out_text, "usage: wcctl COMMAND");
    assert_int_equal(run("pages", "--help"), 0);
    assert_int_equal(hv.calls, 0);
}

static void refusals_are_explained(void **state)
{
    (void)state;
    hv.refuse = -ENOSYS;
    assert_int_equal(run("list"), 2);
    assert_contains(err_text, "warmcache=1");
    hv.refuse = -EPERM;
    assert_int_equal(run("list"), 2);
    assert_contains(err_text, "only domain 0");
}

static void version_must_match(void **state)
{
    (void)state;
    assert_int_equal(run("version", "--json"), 0);
    assert_string_equal(out_text, "{\"abi\": 2}\n");
    hv.version = WCR_ABI_VERSION + 1;
    assert_int_equal(run("version"), 2);
    assert_contains(err_text, "speaks version 3");
}

/* ---- wcr_call ------------------------------------------------------- */

static void read_retained_gives_bytes(void **state)
{
    uint8_t page[WCR_PAGE_BYTES];
    struct wcr_call *call;
    struct err err;

    (void)state;
    assert_int_equal(open_fake(&call, &err), 0);
    assert_int_equal(wcr_call_read_retained(call, hv.caches[0].uuid, 21, page, &err), 0);
    assert_int_equal(page[4095], 21);
    assert_int_equal(wcr_call_read_retained(call, hv.caches[0].uuid, 3, page, &err), -ENOENT);
    assert_contains(err.msg, "no page is retained at PFN 3");
    wcr_call_close(call);
}

static void uuid_round_trip_and_refusal(void **state)
{
    static const char *const bad[] = {
        "", "0", "01234567-89ab-cdef-0123-456789abcde", "01234567-89ab-cdef-0123-456789abcdef0",
        "01234567--89ab-cdef-0123-456789abcdef", "0123-4567-89ab-cdef-0123-456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdeg", "01234567-89ab-cdef-0123-456789abcdef-",
    };
    char text[WCR_UUID_TEXT];
    uint8_t uuid[16];

    (void)state;
    assert_int_equal(wcr_uuid_parse("0123456789ABCDEF0123456789abcdef", uuid, NULL), 0);
    wcr_uuid_format(uuid, text);
    assert_string_equal(text, LIVE_UUID);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (wcr_uuid_parse(bad[i], uuid, NULL) != -EINVAL)
            fail_msg("'%s' was taken for a UUID", bad[i]);
}

#define wcctl_test(fn) cmocka_unit_test_setup_teardown(fn, hypervisor_setup, outputs_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        wcctl_test(list_shows_every_cache),
        wcctl_test(list_json_has_every_counter),
        wcctl_test(list_without_caches_is_empty),
        wcctl_test(stats_finds_by_uuid_and_domid),
        wcctl_test(stats_of_nothing_fails),
        wcctl_test(pages_walks_all_batches),
        wcctl_test(pages_only_filters),
        wcctl_test(pages_table_names_disk_and_fs),
        wcctl_test(pages_ends_on_nonsense),
        wcctl_test(policy_creates_changes_and_keeps_the_limit),
        wcctl_test(policy_takes_an_age),
        wcctl_test(policy_alone_changes_nothing),
        wcctl_test(policy_refuses_bad_words_before_any_call),
        wcctl_test(policy_tells_a_full_host),
        wcctl_test(drop_one_and_all),
        wcctl_test(drop_wants_to_know_what),
        wcctl_test(errors_of_usage),
        wcctl_test(help_needs_no_hypervisor),
        wcctl_test(refusals_are_explained),
        wcctl_test(version_must_match),
        wcctl_test(read_retained_gives_bytes),
        wcctl_test(uuid_round_trip_and_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
