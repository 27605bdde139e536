// SPDX-License-Identifier: GPL-2.0-or-later
/* Compile units and lines. */
#include "injector/image_int.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_load {
    struct image *image;
    size_t units_cap, paths_cap;
};

/* "x/./a//b/../c" to "x/a/c", in place; leading ".." stay. */
static void path_normalise(char *path)
{
    bool absolute = path[0] == '/';
    char *parts[64], *save = NULL, copy[512], *out = path;
    unsigned n = 0;

    if (strlen(path) >= sizeof(copy))
        return;
    strcpy(copy, path);
    for (char *p = strtok_r(copy, "/", &save); p && n < 64; p = strtok_r(NULL, "/", &save)) {
        if (!strcmp(p, "."))
            continue;
        if (!strcmp(p, "..") && n && strcmp(parts[n - 1], "..") != 0)
            n--;
        else
            parts[n++] = p;
    }
    if (absolute)
        *out++ = '/';
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(parts[i]);

        if (i)
            *out++ = '/';
        memcpy(out, parts[i], len);
        out += len;
    }
    *out = '\0';
}

/* The path as the tree's owner would say it: relative to the tree's root. */
static const char *path_relative(const struct image *image, const char *path)
{
    size_t len = strlen(image->root);

    return strncmp(path, image->root, len) == 0 ? path + len : path;
}

static char *unit_path(struct unit_load *l, Dwarf_Die *cu)
{
    struct image *image = l->image;
    const char *name = dwarf_diename(cu);
    char *path;

    if (!name)
        return NULL;
    if (image->unit_paths_len == l->paths_cap) {
        size_t cap = l->paths_cap ? 2 * l->paths_cap : 1024;
        char **p = reallocarray(image->unit_paths, cap, sizeof(*p));

        if (!p)
            return NULL;
        image->unit_paths = p;
        l->paths_cap = cap;
    }
    path = strdup(name);
    if (!path)
        return NULL;
    path_normalise(path);
    image->unit_paths[image->unit_paths_len++] = path;
    return path;
}

static int unit_add(struct unit_load *l, Dwarf_Die *cu, const char *path, struct err *err)
{
    struct image *image = l->image;
    Dwarf_Addr base, start, end;
    ptrdiff_t off = 0;

    while ((off = dwarf_ranges(cu, off, &base, &start, &end)) > 0) {
        if (end <= start)
            continue;
        if (image->units_len == l->units_cap) {
            size_t cap = l->units_cap ? 2 * l->units_cap : 4096;
            struct image_unit *u = reallocarray(image->units, cap, sizeof(*u));

            if (!u)
                return err_set(err, ENOMEM, "out of memory");
            image->units = u;
            l->units_cap = cap;
        }
        image->units[image->units_len++] =
            (struct image_unit){start, end, dwarf_dieoffset(cu), path};
    }
    return 0;
}

static int unit_cmp(const void *a, const void *b)
{
    const struct image_unit *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

/*
 * A kernel built in its own tree names its files relative to the root; one built elsewhere,
 * with a prefix that all share. init/main.c is in every kernel and tells the prefix.
 */
static void root_find(struct image *image)
{
    static const char mark[] = "init/main.c";
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < image->unit_paths_len; i++) {
        const char *path = image->unit_paths[i];
        size_t len = strlen(path);

        if (len < sizeof(mark) - 1 || strcmp(path + len - (sizeof(mark) - 1), mark) != 0)
            continue;
        len -= sizeof(mark) - 1;
        if (len < best && len < sizeof(image->root) && (!len || path[len - 1] == '/')) {
            best = len;
            memcpy(image->root, path, len);
            image->root[len] = '\0';
        }
    }
}

int image_load_dwarf(struct image *image, struct err *err)
{
    struct unit_load l = {.image = image};
    Dwarf_Off off = 0, next;
    size_t header;
    int r = 0;

    if (image->dwarf)
        return image->units_len ? 0 : err_set(err, ENODATA, "the kernel has no DWARF");
    image->dwarf = dwarf_begin_elf(image->elf, DWARF_C_READ, NULL);
    if (!image->dwarf)
        return err_set(err, ENODATA, "the kernel has no debugging information (DWARF), which "
                       "tells source files: build it with CONFIG_DEBUG_INFO");
    while (!r && dwarf_nextcu(image->dwarf, off, &next, &header, NULL, NULL, NULL) == 0) {
        Dwarf_Die cu;
        const char *path;

        if (dwarf_offdie(image->dwarf, off + header, &cu) && (path = unit_path(&l, &cu)))
            r = unit_add(&l, &cu, path, err);
        off = next;
    }
    if (!r && !image->units_len)
        r = err_set(err, ENODATA, "the kernel has no DWARF");
    if (!r) {
        qsort(image->units, image->units_len, sizeof(*image->units), unit_cmp);
        /* A module's is its kernel's. */
        if (!image_module(image))
            root_find(image);
    }
    return r;
}

static const struct image_unit *unit_at(const struct image *image, uint64_t va)
{
    size_t lo = 0, hi = image->units_len;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (image->units[mid].start <= va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && va < image->units[lo - 1].end ? &image->units[lo - 1] : NULL;
}

const char *image_unit(const struct image *image, uint64_t va)
{
    const struct image_unit *u = unit_at(image, va);

    return u ? path_relative(image, u->path) : NULL;
}

void image_source(const struct image *image, uint64_t va, char *ret, size_t size)
{
    const struct image_unit *u = unit_at(image, va);
    const char *file = NULL;
    Dwarf_Line *line;
    Dwarf_Die cu;
    char path[512];
    int number = 0;

    *ret = '\0';
    if (!u || !dwarf_offdie(image->dwarf, u->die, &cu))
        return;
    line = dwarf_getsrc_die(&cu, va);
    if (line) {
        file = dwarf_linesrc(line, NULL, NULL);
        dwarf_lineno(line, &number);
    }
    snprintf(path, sizeof(path), "%s", file ? file : u->path);
    path_normalise(path);
    /* Lines name files with the directory of the compilation before them. */
    if (path[0] == '/' && image->root[0] != '/') {
        Dwarf_Attribute attr;
        const char *dir = dwarf_formstring(dwarf_attr(&cu, DW_AT_comp_dir, &attr));
        size_t len = dir ? strlen(dir) : 0;

        if (len && !strncmp(path, dir, len) && path[len] == '/')
            memmove(path, path + len + 1, strlen(path + len + 1) + 1);
    }
    if (number)
        snprintf(ret, size, "%.*s:%d", (int)size - 16, path_relative(image, path), number);
    else
        snprintf(ret, size, "%s", path_relative(image, path));
}

void image_dwarf_free(struct image *image)
{
    for (size_t i = 0; i < image->unit_paths_len; i++)
        free(image->unit_paths[i]);
    free(image->unit_paths);
    free(image->units);
    if (image->dwarf)
        dwarf_end(image->dwarf);
}
