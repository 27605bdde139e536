/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by image.c, image_patch.c, image_dwarf.c and image_module.c. */
#ifndef WCR_INJECTOR_IMAGE_INT_H
#define WCR_INJECTOR_IMAGE_INT_H

#include "injector/image.h"

#include <elfutils/libdw.h>
#include <gelf.h>

struct image_section {
    char name[32];
    size_t index;               /* in the file */
    uint64_t va, size, align;
    const uint8_t *bytes;       /* NULL: none in the file */
    bool code, writable;
};

struct image_unit {
    uint64_t start, end;
    Dwarf_Off die;
    const char *path;
};

/* What the loader writes into a module's code. */
struct image_relocation {
    uint64_t va;
    unsigned len;
    const char *symbol;
};

struct image {
    int fd;
    Elf *elf;
    struct image_section *sections;
    size_t sections_len;
    struct image_function *functions;
    size_t functions_len;
    struct image_range *patched;        /* sorted, disjoint */
    size_t patched_len;
    char module[GUEST_MODULE_NAME];     /* its name; "": a kernel */
    uint64_t rodata;                    /* of a module: where its read-only data begins */
    struct image_relocation *relocations;   /* sorted */
    size_t relocations_len;
    char build_id[41];
    uint64_t build_id_va;
    Dwarf *dwarf;
    struct image_unit *units;           /* sorted by start */
    size_t units_len;
    char **unit_paths;
    size_t unit_paths_len;
    char root[256];                     /* of the source tree, as the units name it; "" or "x/" */
};

const struct image_section *image_section(const struct image *image, const char *name);

/* NULL where the file's section @index has no address. */
const struct image_section *image_section_numbered(const struct image *image, size_t index);

/* @len bytes of the file's data at @va; NULL when there are none. */
const uint8_t *image_at(const struct image *image, uint64_t va, uint64_t len);

/* false: no such symbol. */
bool image_symbol(const struct image *image, const char *name, uint64_t *ret);

/* Collect what the kernel patches into image->patched. */
int image_patch_load(struct image *image, struct err *err);

/* Addresses for a module's sections, before its symbols; and what follows from them. */
int image_module_layout(struct image *image, struct err *err);
int image_module_relocate(struct image *image, struct err *err);

void image_dwarf_free(struct image *image);

#endif
