/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel image with symbols: its functions, their bytes, what the kernel patches at boot,
 * and, from DWARF when it is there, file names and lines. Read-only once opened, but for
 * DWARF, which is read when first asked for. Addresses are those of the link, which a PV guest's are.
 *
 * Or a loadable module: then addresses count from where its code is loaded.
 */
#ifndef WCR_INJECTOR_IMAGE_H
#define WCR_INJECTOR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "injector/guest_kernel.h"
#include "lib/err.h"

enum image_region {
    REGION_TEXT,        /* ordinary code */
    REGION_ENTRY,       /* entry code, and code that may not be instrumented */
    REGION_INIT,        /* freed after boot, or never run */
};

struct image_function {
    uint64_t va, size;
    const char *name;           /* owned by the image */
    const uint8_t *bytes;
    enum image_region region;
};

struct image_range {
    uint64_t start, end;        /* [start, end) */
};

struct image;

int image_open(const char *path, struct image **ret, struct err *err);
int image_open_module(const char *path, struct image **ret, struct err *err);
void image_free(struct image *image);

const char *image_build_id(const struct image *image);      /* hexadecimal */
uint64_t image_build_id_va(const struct image *image);

/* Sorted by address; they do not overlap. */
const struct image_function *image_functions(const struct image *image, size_t *ret_len);

/* The function that @va is in, or NULL. */
const struct image_function *image_function_at(const struct image *image, uint64_t va);

/* Whether the kernel rewrites any of [va, va + len) at boot or later. */
bool image_patched(const struct image *image, uint64_t va, unsigned len);

/* The module's name; NULL: it is a kernel. */
const char *image_module(const struct image *image);

/*
 * Whether the loader of a module writes an address into [va, va + len): the symbol's whose it is, ""
 * if it has no name or it is an address near it. Else NULL.
 */
const char *image_relocated(const struct image *image, uint64_t va, unsigned len);

/*
 * How a guest with that @kernel is asked where it loaded @module. Takes source file names of
 * @module, if it has DWARF, to be relative to the tree that the kernel's are. -ENODATA: the
 * kernel's DWARF does not tell; -EOPNOTSUPP: its modules are not like any known here.
 */
int image_module_find(struct image *module, struct image *kernel, struct guest_module *ret,
                      struct err *err);

/* -ENODATA when the image has no DWARF. */
int image_load_dwarf(struct image *image, struct err *err);

/* "fs/ext4/inode.c", the compile unit @va is of; NULL when unknown. After image_load_dwarf. */
const char *image_unit(const struct image *image, uint64_t va);

/* "fs/ext4/inode.c:123"; an empty string when unknown. After image_load_dwarf. */
void image_source(const struct image *image, uint64_t va, char *ret, size_t size);

#endif
