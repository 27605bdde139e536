// SPDX-License-Identifier: GPL-2.0-or-later
/* wcctl: look at and administer the warm caches of a running hypervisor. */
#include "warmcache-core/tools/wcctl.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct wcctl {
    struct wcr_call *call;
    FILE *out;
    struct err err;
    /* options */
    bool json, all, limited, aged;
    uint64_t max_pages, max_age;
    uint32_t only;              /* WCR_PAGE_* */
    /* what is left of the command line */
    int argc;
    char **argv;
};

struct command {
    const char *name, *arguments, *help;
    const char *options;        /* the long options it knows, a letter each */
    int min, max;               /* arguments */
    int (*run)(struct wcctl *w);
};

/* ---- words ---------------------------------------------------------- */

static const struct flag {
    uint32_t bit;
    const char *name, *meaning;
} flags[] = {
    {WCR_PAGE_MAPPED, "mapped", "the guest's page cache has it"},
    {WCR_PAGE_REUSABLE, "reusable", "known to equal its disk block"},
    {WCR_PAGE_IN_FLIGHT, "in-flight", "I/O is under way"},
    {WCR_PAGE_RETAINED, "retained", "comes from the last life of the domain"},
    {WCR_PAGE_REUSED, "reused", "the guest took it without reading the disk"},
    {WCR_PAGE_WRITTEN, "written", "stored to since it was reused"},
};

#define FLAGS (sizeof(flags) / sizeof(flags[0]))

/* By enum wcr_why. */
static const struct { const char *name, *meaning; } whys[WCR_WHY_NR] = {
    [WCR_WHY_NOT_READ] = {"not-read", "not read from or written to the disk yet"},
    [WCR_WHY_STORED] = {"stored", "stored to, and not written back"},
    [WCR_WHY_WRITABLE] = {"writable", "could be written through another mapping"},
    [WCR_WHY_CHANGED] = {"changed", "its block was changed by something else"},
    [WCR_WHY_FAILED] = {"failed", "its I/O failed"},
    [WCR_WHY_PARTIAL] = {"partial", "its I/O was not of a whole, aligned block"},
    [WCR_WHY_OVERLAP] = {"overlap", "it was in two I/Os that contradict each other"},
    [WCR_WHY_IN_FLIGHT] = {"in-flight", "its I/O had not ended"},
    [WCR_WHY_LIMIT] = {"limit", "as many as the policy allows were kept"},
    [WCR_WHY_UNTRUSTED] = {"untrusted", "the domain ran on shadow page tables"},
};

static const char *why_name(const struct wcr_page_info *page)
{
    if (page->flags & (WCR_PAGE_REUSABLE | WCR_PAGE_IN_FLIGHT) ||
        !(page->flags & WCR_PAGE_MAPPED) || page->why >= WCR_WHY_NR)
        return NULL;
    return whys[page->why].name;
}

static void flags_format(uint32_t set, char *ret, size_t size)
{
    size_t used = 0;

    snprintf(ret, size, "-");
    for (size_t i = 0; i < FLAGS && used < size; i++)
        if (set & flags[i].bit)
            used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? "," : "",
                                     flags[i].name);
}

static int flags_parse(const char *text, uint32_t *ret, struct err *err)
{
    while (*text) {
        size_t len = strcspn(text, ","), i;

        for (i = 0; i < FLAGS; i++)
            if (strlen(flags[i].name) == len && !strncmp(text, flags[i].name, len))
                break;
        if (i == FLAGS)
            return err_set(err, EINVAL,
                           "--only '%.*s': expected mapped, reusable, in-flight, "
                           "retained, reused or written",
                           (int)len, text);
        *ret |= flags[i].bit;
        text += len + (text[len] == ',');
    }
    return 0;
}

static int number_parse(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno || *end || text[0] < '0' || text[0] > '9' ? -EINVAL : 0;
}

/* The name Linux gives the disk: xvda is 51712. */
static void vbd_format(uint32_t vbd, char *ret, size_t size)
{
    uint32_t disk, partition;

    if (vbd >> 28 == 1) {
        disk = (vbd >> 8) & 0xfffff;
        partition = vbd & 0xff;
    } else if (vbd >> 8 == 202) {
        disk = (vbd & 0xff) >> 4;
        partition = vbd & 0xf;
    } else {
        disk = partition = ~0u;
    }
    if (disk >= 26)
        snprintf(ret, size, "%" PRIu32, vbd);
    else if (partition)
        snprintf(ret, size, "xvd%c%" PRIu32, 'a' + (int)disk, partition);
    else
        snprintf(ret, size, "xvd%c", 'a' + (int)disk);
}

static void domid_format(const struct wcr_cache_info *info, char *ret, size_t size)
{
    if (info->domid == WCR_DOMID_NONE)
        snprintf(ret, size, "-");
    else
        snprintf(ret, size, "%" PRIu32, info->domid);
}

static int page_skip(void *ctx, const struct wcr_page_info *page, struct err *err)
{
    (void)ctx, (void)page, (void)err;
    return 0;
}

/* Every cache, up to date: of a live domain's pages the counters know what was looked at. */
static int caches_list(struct wcctl *w, struct wcr_cache_info **ret)
{
    int n = wcr_call_list(w->call, ret, &w->err);

    for (int i = 0; i < n; i++) {
        if ((*ret)[i].domid == WCR_DOMID_NONE)
            continue;
        /* One that is gone meanwhile is missing from the list below. */
        wcr_call_pages(w->call, (*ret)[i].uuid, page_skip, NULL, &(struct err){0});
    }
    if (n < 0)
        return n;
    free(*ret);
    return wcr_call_list(w->call, ret, &w->err);
}

/* A UUID, or the number of a domain that has a cache. */
static int cache_find(struct wcctl *w, const char *name, struct wcr_cache_info *ret)
{
    struct wcr_cache_info *caches;
    uint8_t uuid[16];
    uint64_t domid;
    int i, n;

    if (strlen(name) > 5 || number_parse(name, &domid) != 0) {
        n = wcr_uuid_parse(name, uuid, &w->err);
        return n ? n : wcr_call_info(w->call, uuid, ret, &w->err);
    }
    n = caches_list(w, &caches);
    if (n < 0)
        return n;
    for (i = 0; i < n; i++)
        if (caches[i].domid == domid)
            break;
    if (i < n)
        *ret = caches[i];
    free(caches);
    return i < n ? 0 : err_set(&w->err, ENOENT, "domain %s has no warm cache", name);
}

/* ---- JSON ----------------------------------------------------------- */

/* Takes `value`; NULL: out of memory. */
static int json_print(struct wcctl *w, json_t *value, size_t how)
{
    int r = value ? json_dumpf(value, w->out, how) : -1;

    json_decref(value);
    return r ? err_set(&w->err, value ? EIO : ENOMEM, "cannot write: %s",
                       strerror(value ? EIO : ENOMEM)) : 0;
}

static const struct counter {
    const char *name, *meaning;
    size_t offset;
} counters[] = {
#define COUNTER(field, meaning) {#field, meaning, offsetof(struct wcr_cache_info, field)}
    COUNTER(max_pages, "most pages to retain; 0: no limit of its own"),
    COUNTER(pages_mapped, "pages in the cache-mapping table"),
    COUNTER(pages_reusable, "of these known to equal their disk block"),
    COUNTER(pages_retained, "pages kept now, owned by no domain"),
    COUNTER(io_reads, "pages read, as announced by the backend"),
    COUNTER(io_writes, "pages written, as announced by the backend"),
    COUNTER(io_requests, "requests announced by the backend"),
    COUNTER(io_calls, "hypercalls that it took for them"),
    COUNTER(map_entries, "changes of the cache-mapping table by the guest"),
    COUNTER(map_calls, "hypercalls that it took for them"),
    COUNTER(protect_refused, "pages not watched during I/O: another writable mapping"),
    COUNTER(stores_seen, "reusable pages spoiled by a store or an alias"),
    COUNTER(retained, "pages kept when a domain died"),
    COUNTER(returned, "of these handed back to the next life"),
    COUNTER(overwritten, "of these overwritten before they were claimed"),
    COUNTER(given_up, "kept and then freed: age, the host's memory, dropped"),
    COUNTER(reuse_ok, "pages the guest reused without I/O"),
    COUNTER(reuse_stale, "pages the guest asked for and had to read"),
#undef COUNTER
};

#define COUNTERS (sizeof(counters) / sizeof(counters[0]))

static uint64_t counter_get(const struct wcr_cache_info *info, const struct counter *c)
{
    uint64_t value;

    memcpy(&value, (const char *)info + c->offset, sizeof(value));
    return value;
}

static json_t *info_to_json(const struct wcr_cache_info *info)
{
    json_t *ret, *not_kept = json_object();
    char uuid[WCR_UUID_TEXT];

    wcr_uuid_format(info->uuid, uuid);
    ret = json_pack("{s:s, s:o, s:s}", "uuid", uuid, "domid",
                    info->domid == WCR_DOMID_NONE ? json_null() : json_integer(info->domid),
                    "mode", wcr_mode_name(info->mode));
    for (size_t i = 0; ret && i < COUNTERS; i++)
        if (json_object_set_new(ret, counters[i].name,
                                json_integer((json_int_t)counter_get(info, &counters[i])))) {
            json_decref(ret);
            ret = NULL;
        }
    if (ret && json_object_set_new(ret, "max_age", json_integer(info->max_age)))
        json_object_clear(ret);
    for (size_t i = 0; not_kept && i < WCR_WHY_NR; i++)
        json_object_set_new(not_kept, whys[i].name, json_integer((json_int_t)info->not_kept[i]));
    if (ret)
        json_object_set_new(ret, "not_kept", not_kept);
    return ret;
}

static json_t *page_to_json(const struct wcr_page_info *page)
{
    json_t *list = json_array(), *ret;

    for (size_t i = 0; list && i < FLAGS; i++)
        if (page->flags & flags[i].bit && json_array_append_new(list, json_string(flags[i].name))) {
            json_decref(list);
            return NULL;
        }
    ret = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s?}", "pfn", (json_int_t)page->pfn,
                    "mfn", (json_int_t)page->mfn, "vbd", (json_int_t)page->vbd, "sector",
                    (json_int_t)page->sector, "fs_id", (json_int_t)page->fs_id, "inode",
                    (json_int_t)page->inode, "index", (json_int_t)page->index, "flags", list,
                    "why", why_name(page));
    return ret;
}

static int infos_print_json(struct wcctl *w, const struct wcr_cache_info *infos, int n)
{
    json_t *list = json_array();

    for (int i = 0; list && i < n; i++)
        if (json_array_append_new(list, info_to_json(&infos[i]))) {
            json_decref(list);
            list = NULL;
        }
    n = json_print(w, list, JSON_INDENT(2));
    if (!n)
        fputc('\n', w->out);
    return n;
}

/* ---- commands ------------------------------------------------------- */

static int run_list(struct wcctl *w)
{
    struct wcr_cache_info *infos;
    int n = caches_list(w, &infos), r = 0;

    if (n < 0)
        return n;
    if (w->json) {
        r = infos_print_json(w, infos, n);
    } else {
        fprintf(w->out, "%-36s %6s %-8s %10s %10s %10s %10s\n", "UUID", "DOMAIN", "MODE",
                "MAPPED", "REUSABLE", "RETAINED", "LIMIT");
        for (int i = 0; i < n; i++) {
            char uuid[WCR_UUID_TEXT], domid[12], limit[24] = "-";

            wcr_uuid_format(infos[i].uuid, uuid);
            domid_format(&infos[i], domid, sizeof(domid));
            if (infos[i].max_pages)
                snprintf(limit, sizeof(limit), "%" PRIu64, infos[i].max_pages);
            fprintf(w->out, "%-36s %6s %-8s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10s\n",
                    uuid, domid, wcr_mode_name(infos[i].mode), infos[i].pages_mapped,
                    infos[i].pages_reusable, infos[i].pages_retained, limit);
        }
    }
    free(infos);
    return r;
}

static void info_print(struct wcctl *w, const struct wcr_cache_info *info)
{
    char uuid[WCR_UUID_TEXT], domid[12];
    uint64_t asked = info->reuse_ok + info->reuse_stale;

    wcr_uuid_format(info->uuid, uuid);
    domid_format(info, domid, sizeof(domid));
    fprintf(w->out, "%s  domain %s  mode %s\n", uuid, domid, wcr_mode_name(info->mode));
    for (size_t i = 0; i < COUNTERS; i++)
        fprintf(w->out, "  %-16s %12" PRIu64 "  %s\n", counters[i].name,
                counter_get(info, &counters[i]), counters[i].meaning);
    for (size_t i = 0; i < WCR_WHY_NR; i++)
        if (info->not_kept[i])
            fprintf(w->out, "  %-16s %12" PRIu64 "  of the pages not kept: %s\n", whys[i].name,
                    info->not_kept[i], whys[i].meaning);
    if (asked)
        fprintf(w->out, "  %-16s %11.1f%%  of the pages asked for\n", "reuse rate",
                100.0 * (double)info->reuse_ok / (double)asked);
}

static int run_stats(struct wcctl *w)
{
    struct wcr_cache_info *infos = NULL, one;
    int n = 1, r;

    if (w->argc) {
        r = cache_find(w, w->argv[0], &one);
        if (r)
            return r;
    } else {
        n = caches_list(w, &infos);
        if (n < 0)
            return n;
    }
    r = 0;
    if (w->json)
        r = infos_print_json(w, infos ? infos : &one, n);
    else
        for (int i = 0; i < n; i++)
            info_print(w, infos ? &infos[i] : &one);
    free(infos);
    return r;
}

struct page_walk {
    struct wcctl *w;
    uint64_t printed;
};

static int page_print(void *ctx, const struct wcr_page_info *page, struct err *err)
{
    struct page_walk *walk = ctx;
    struct wcctl *w = walk->w;
    char disk[16], fs[24], names[96];

    (void)err;
    if ((page->flags & w->only) != w->only)
        return 0;
    if (w->json) {
        fputs(walk->printed++ ? ",\n  " : "\n  ", w->out);
        return json_print(w, page_to_json(page), JSON_COMPACT);
    }
    if (!walk->printed++)
        fprintf(w->out, "%10s %10s %-6s %12s %-9s %10s %10s %s\n", "PFN", "MFN", "DISK",
                "SECTOR", "FS", "INODE", "INDEX", "FLAGS, OR WHY NOT REUSABLE");
    vbd_format(page->vbd, disk, sizeof(disk));
    snprintf(fs, sizeof(fs), "%" PRIu32 ":%" PRIu32, page->fs_id >> 20, page->fs_id & 0xfffff);
    flags_format(page->flags, names, sizeof(names));
    fprintf(w->out,
            "%10" PRIx64 " %10" PRIx64 " %-6s %12" PRIu64 " %-9s %10" PRIu64 " %10" PRIu64
            " %s%s%s\n",
            page->pfn, page->mfn, disk, page->sector, fs, page->inode, page->index, names,
            why_name(page) ? " not reusable: " : "", why_name(page) ? why_name(page) : "");
    return 0;
}

static int run_pages(struct wcctl *w)
{
    struct page_walk walk = {.w = w};
    struct wcr_cache_info info;
    int r = cache_find(w, w->argv[0], &info);

    if (r)
        return r;
    if (w->json)
        fputc('[', w->out);
    r = wcr_call_pages(w->call, info.uuid, page_print, &walk, &w->err);
    if (w->json && !r)
        fputs(walk.printed ? "\n]\n" : "]\n", w->out);
    return r;
}

static int run_policy(struct wcctl *w)
{
    struct wcr_cache_info info = {.domid = WCR_DOMID_NONE};
    enum wcr_mode mode = WCR_MODE_COLD;
    int r;

    if (w->argc > 1) {
        r = wcr_mode_parse(w->argv[1], &mode, &w->err);
        if (r)
            return r;
    }
    r = cache_find(w, w->argv[0], &info);
    /* A mode given to a UUID that has no cache makes it one. */
    if (r == -ENOENT && w->argc > 1 && strlen(w->argv[0]) > 5)
        r = wcr_uuid_parse(w->argv[0], info.uuid, &w->err);
    if (r)
        return r;
    if (w->argc < 2)
        mode = info.mode;
    if (w->limited)
        info.max_pages = w->max_pages;
    if (w->aged)
        info.max_age = (uint32_t)w->max_age;
    if (w->argc > 1 || w->limited || w->aged) {
        r = wcr_call_set_policy(w->call, info.uuid, mode, info.max_pages, info.max_age, &w->err);
        if (!r)
            r = wcr_call_info(w->call, info.uuid, &info, &w->err);
        if (r)
            return r;
    }
    if (w->json)
        return infos_print_json(w, &info, 1);
    fprintf(w->out, "%s", wcr_mode_name(info.mode));
    if (info.max_pages)
        fprintf(w->out, " --max-pages %" PRIu64, info.max_pages);
    if (info.max_age)
        fprintf(w->out, " --max-age %" PRIu32, info.max_age);
    fputc('\n', w->out);
    return 0;
}

static int run_drop(struct wcctl *w)
{
    struct wcr_cache_info *infos = NULL, one;
    int n, r = 0;

    if (!w->all == !w->argc)
        return err_set(&w->err, EINVAL, "drop: expected DOMAINs or --all, and not both");
    if (w->all) {
        n = wcr_call_list(w->call, &infos, &w->err);
        for (int i = 0; i < n && !r; i++)
            r = wcr_call_drop(w->call, infos[i].uuid, &w->err);
        free(infos);
        return n < 0 ? n : r;
    }
    for (int i = 0; i < w->argc && !r; i++) {
        r = cache_find(w, w->argv[i], &one);
        if (!r)
            r = wcr_call_drop(w->call, one.uuid, &w->err);
        if (r)
            err_prefix(&w->err, "%s", w->argv[i]);
    }
    return r;
}

static int run_version(struct wcctl *w)
{
    int version, r = wcr_call_version(w->call, &version, &w->err);

    if (r)
        return r;
    fprintf(w->out, w->json ? "{\"abi\": %d}\n" : "warm-cache interface version %d\n", version);
    return 0;
}

static const struct command commands[] = {
    {"list", "", "list the warm caches of this host", "j", 0, 0, run_list},
    {"stats", "[DOMAIN]", "print the counters of one cache, or of all", "j", 0, 1, run_stats},
    {"pages", "DOMAIN [--only FLAG,...]", "print the state of every page of a cache", "jo", 1, 1,
     run_pages},
    {"policy", "DOMAIN [MODE] [--max-pages N] [--max-age S]", "print or set what a cache may do", "jmt", 1, 2,
     run_policy},
    {"drop", "DOMAIN... | --all", "forget caches and free what they retain", "a", 0, INT32_MAX,
     run_drop},
    {"version", "", "tell whether this hypervisor has warm caches", "j", 0, 0, run_version},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- command line --------------------------------------------------- */

static void help(FILE *f)
{
    fputs("usage: wcctl COMMAND [ARGUMENT...]\n\n"
          "Look at and administer the warm caches of this Xen host. For root in domain 0.\n\n"
          "Commands:\n",
          f);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(f, "  %-7s %-44s %s\n", commands[i].name, commands[i].arguments,
                commands[i].help);
    fputs("\nDOMAIN is a UUID, or the number of a running domain that has a cache.\n\n"
          "MODE:\n"
          "  enabled       keep and reuse the pages known to equal the disk\n"
          "  cold          track pages, but keep none\n"
          "  disabled      consistency off: keep and reuse every mapped page. For experiments;\n"
          "                the guest can read wrong data.\n"
          "A policy given to a UUID survives its domain, and may be given before there is one.\n\n"
          "Options:\n"
          "  --json        print JSON\n"
          "  --only FLAG,...  pages that have all of these flags:\n",
          f);
    for (size_t i = 0; i < FLAGS; i++)
        fprintf(f, "      %-11s %s\n", flags[i].name, flags[i].meaning);
    fputs("  --max-pages N  retain at most N pages; 0: no limit of its own\n"
          "  --max-age S   free what is kept S seconds after the domain went; 0: the host's\n"
          "                warmcache_age, 600 unless Xen was booted with another\n"
          "  --all         every cache\n"
          "  -h, --help    this text\n\n"
          "Exit status: 0 success; 2 an error.\n",
          f);
}

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    {"only", required_argument, NULL, 'o'},
    {"max-pages", required_argument, NULL, 'm'},
    {"max-age", required_argument, NULL, 't'},
    {"all", no_argument, NULL, 'a'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* 1: help was asked for. */
static int options_parse(struct wcctl *w, const struct command *cmd, int argc, char **argv)
{
    int opt;

    optind = 0;     /* afresh, also for tests */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (opt == 'h')
            return 1;
        if (opt == ':')
            return err_set(&w->err, EINVAL, "%s: %s needs a value", cmd->name, argv[optind - 1]);
        if (opt == '?' || !strchr(cmd->options, opt))
            return err_set(&w->err, EINVAL, "%s: no such option: %s", cmd->name,
                           argv[optind - (strchr("omt", opt) ? 2 : 1)]);
        if (opt == 'j')
            w->json = true;
        if (opt == 'a')
            w->all = true;
        if (opt == 'o' && flags_parse(optarg, &w->only, &w->err))
            return -EINVAL;
        if (opt == 'm') {
            if (number_parse(optarg, &w->max_pages))
                return err_set(&w->err, EINVAL, "--max-pages '%s': expected a number", optarg);
            w->limited = true;
        }
        if (opt == 't') {
            if (number_parse(optarg, &w->max_age) || w->max_age > UINT32_MAX)
                return err_set(&w->err, EINVAL, "--max-age '%s': expected seconds", optarg);
            w->aged = true;
        }
    }
    w->argc = argc - optind;
    w->argv = argv + optind;
    if (w->argc < cmd->min || w->argc > cmd->max)
        return err_set(&w->err, EINVAL, "usage: wcctl %s %s", cmd->name, cmd->arguments);
    return 0;
}

int wcctl_run(int argc, char **argv, int (*open_call)(struct wcr_call **, struct err *),
              FILE *out, FILE *errors)
{
    struct wcctl w = {.out = out};
    const struct command *cmd = NULL;
    const char *name = argc > 1 ? argv[1] : NULL;
    int r;

    if (name && (!strcmp(name, "-h") || !strcmp(name, "--help") || !strcmp(name, "help"))) {
        help(out);
        return 0;
    }
    for (size_t i = 0; name && i < COMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            cmd = &commands[i];
    if (!cmd) {
        if (name)
            fprintf(errors, "wcctl: no such command: %s\n", name);
        fputs("Try: wcctl --help\n", errors);
        return 2;
    }
    r = options_parse(&w, cmd, argc - 1, argv + 1);
    if (r == 1) {
        help(out);
        return 0;
    }
    if (!r)
        r = open_call(&w.call, &w.err);
    if (!r)
        r = cmd->run(&w);
    wcr_call_close(w.call);
    if (!r && (fflush(out) || ferror(out)))
        r = err_set(&w.err, EIO, "cannot write: %s", strerror(errno));
    if (r)
        fprintf(errors, "wcctl: %s\n", w.err.msg);
    return r ? 2 : 0;
}
