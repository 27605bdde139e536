// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an oops and a panic run through: a fault there hides the crash, not its cause. */
static const char *const reporters[] = {
    "kernel/panic.c",      "kernel/printk/",         "arch/x86/kernel/dumpstack",
    "kernel/stacktrace.c", "arch/x86/kernel/unwind", "drivers/tty/hvc/",
    "lib/bug.c",           "lib/dump_stack.c",
};

static int range_parse(const char *text, struct target *ret)
{
    char *end;

    errno = 0;
    ret->start = strtoull(text, &end, 16);
    if (errno || end == text || *end != '-')
        return -EINVAL;
    text = end + 1;
    ret->end = strtoull(text, &end, 16);
    return errno || end == text || *end || ret->end <= ret->start ? -EINVAL : 0;
}

int target_parse(const char *text, struct target *ret, struct err *err)
{
    static const struct {
        const char *prefix;
        enum target_kind kind;
    } kinds[] = {{"dir:", TARGET_DIRECTORY}, {"file:", TARGET_FILE}, {"func:", TARGET_FUNCTION},
                 {"range:", TARGET_RANGE}};

    *ret = (struct target){.kind = TARGET_ALL};
    if (!strcmp(text, "all"))
        return 0;
    if (!strncmp(text, "module:", 7))
        return err_set(err, EINVAL, "target '%s': a module is named by its file, with --module FILE; "
                       "the target is where in it", text);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].prefix);

        if (strncmp(text, kinds[i].prefix, len) != 0)
            continue;
        ret->kind = kinds[i].kind;
        text += len;
        if (ret->kind == TARGET_RANGE && range_parse(text, ret))
            return err_set(err, EINVAL, "target 'range:%s': expected range:START-END, two "
                           "hexadecimal addresses, END the first one outside", text);
        if (!*text || strlen(text) >= sizeof(ret->name))
            return err_set(err, EINVAL, "target '%s': the name is empty or too long",
                           kinds[i].prefix);
        strcpy(ret->name, text);
        /* "fs/ext4/" and "./fs/ext4" are "fs/ext4". */
        if (ret->kind == TARGET_DIRECTORY || ret->kind == TARGET_FILE) {
            size_t n = strlen(ret->name);

            while (n > 1 && ret->name[n - 1] == '/')
                ret->name[--n] = '\0';
            if (!strncmp(ret->name, "./", 2))
                memmove(ret->name, ret->name + 2, n - 1);
        }
        return 0;
    }
    return err_set(err, EINVAL, "unknown target '%s' (expected all, dir:DIRECTORY, file:FILE, "
                   "func:NAME or range:START-END)", text);
}

bool target_needs_dwarf(const struct target *target)
{
    return target->kind == TARGET_DIRECTORY || target->kind == TARGET_FILE;
}

/* "f", and what the compiler split off: "f.cold", "f.part.0", "f.constprop.0.isra.0" */
static bool name_matches(const char *name, const char *wanted)
{
    size_t len = strlen(wanted);

    return !strncmp(name, wanted, len) && (!name[len] || name[len] == '.');
}

static bool unit_matches(const struct target *t, const char *unit)
{
    size_t len = strlen(t->name);

    if (!unit)
        return false;
    if (t->kind == TARGET_FILE)
        return !strcmp(unit, t->name);
    return !strcmp(t->name, ".") || (!strncmp(unit, t->name, len) && unit[len] == '/');
}

static bool is_reporter(const struct image *image, const struct image_function *f)
{
    const char *unit = image_unit(image, f->va);

    for (size_t i = 0; unit && i < sizeof(reporters) / sizeof(reporters[0]); i++)
        if (!strncmp(unit, reporters[i], strlen(reporters[i])))
            return true;
    return false;
}

bool target_has_function(const struct target *t, const struct image *image,
                         const struct image_function *f)
{
    if (f->region == REGION_INIT)
        return false;
    switch (t->kind) {
    case TARGET_ALL:
        return f->region == REGION_TEXT && !is_reporter(image, f);
    case TARGET_DIRECTORY:
    case TARGET_FILE:
        return f->region == REGION_TEXT && unit_matches(t, image_unit(image, f->va));
    case TARGET_FUNCTION:
        return name_matches(f->name, t->name);
    case TARGET_RANGE:
        return f->va < t->end && f->va + f->size > t->start;
    }
    return false;
}

bool target_has_va(const struct target *t, uint64_t va)
{
    return t->kind != TARGET_RANGE || (va >= t->start && va < t->end);
}

int target_explain(const struct target *t, const struct image *image, struct err *err)
{
    const char *what = image_module(image) ? "module" : "kernel";
    size_t n;
    const struct image_function *f = image_functions(image, &n);

    switch (t->kind) {
    case TARGET_DIRECTORY:
        return err_set(err, ENOENT, "target 'dir:%s': no function of this %s comes from there "
                       "(directories are relative to the source tree, as in dir:fs/ext4)",
                       t->name, what);
    case TARGET_FILE:
        return err_set(err, ENOENT, "target 'file:%s': no function of this %s was compiled "
                       "from that file (files are relative to the source tree, as in "
                       "file:fs/ext4/inode.c)", t->name, what);
    case TARGET_FUNCTION:
        for (size_t i = 0; i < n; i++)
            if (name_matches(f[i].name, t->name))
                return err_set(err, ENOENT, "target 'func:%s': its code is freed after boot or "
                               "never runs", t->name);
        return err_set(err, ENOENT, "target 'func:%s': this %s has no function of that name "
                       "(it may have been inlined into its callers)", t->name, what);
    case TARGET_RANGE:
        return err_set(err, ENOENT, "target 'range:%" PRIx64 "-%" PRIx64 "': no function there",
                       t->start, t->end);
    default:
        return err_set(err, ENOENT, "the %s has no functions", what);
    }
}
