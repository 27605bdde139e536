// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loadable modules: the layout that Linux's loader gives them, and the relocations that it applies.
 *
 * kernel/module/main.c, layout_sections(): in the order of the file, all code, then on a page of
 * its own what is read-only, then the rest; apart from what is freed when the module has begun, and
 * what the loader only reads. Up to 6.3 it is one piece of memory, since 6.4 one of each kind.
 */
#include "injector/image_int.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ul
#define MOD_RODATA 2            /* enum mod_mem_type */

const char *image_module(const struct image *image)
{
    return *image->module ? image->module : NULL;
}

static uint64_t align_up(uint64_t va, uint64_t align)
{
    return align ? (va + align - 1) / align * align : va;
}

enum part { PART_CODE, PART_RODATA, PART_REST, PARTS };

static enum part part_of(const struct image_section *s)
{
    if (!strncmp(s->name, ".init", 5) || !strcmp(s->name, ".modinfo") ||
        !strcmp(s->name, "__versions"))
        return PART_REST;
    return s->code ? PART_CODE : s->writable ? PART_REST : PART_RODATA;
}

/* "name=ext4" among the strings of .modinfo. */
static int name_find(struct image *image, struct err *err)
{
    const struct image_section *s = image_section(image, ".modinfo");
    const char *p = s ? (const char *)s->bytes : NULL, *end = p ? p + s->size : NULL;

    if (!p || !s->size || end[-1])
        return err_set(err, ENOEXEC, "no kernel module (it has no .modinfo)");
    for (; p < end; p += strlen(p) + 1) {
        if (strncmp(p, "name=", 5) != 0 || !p[5] || strlen(p + 5) >= sizeof(image->module))
            continue;
        strcpy(image->module, p + 5);
        return 0;
    }
    return err_set(err, ENOEXEC, "its .modinfo does not name the module");
}

int image_module_layout(struct image *image, struct err *err)
{
    const struct image_section *text = image_section(image, ".text");
    uint64_t va = 0;

    if (!text || !text->size)
        return err_set(err, ENOEXEC, "the module has no code (.text)");
    if (!text->bytes)
        return err_set(err, ENOEXEC, "it only has the module's debugging information, and no code: "
                       "name the module itself");
    for (enum part part = 0; part < PARTS; part++) {
        for (size_t i = 0; i < image->sections_len; i++) {
            struct image_section *s = &image->sections[i];

            if (part_of(s) != part)
                continue;
            s->va = align_up(va, s->align);
            va = s->va + s->size;
        }
        if (part == PART_CODE)
            image->rodata = va = align_up(va, PAGE);
    }
    return name_find(image, err);
}

/* --- relocations ------------------------------------------------------------------------ */

static int relocation_add(struct image *image, size_t *cap, uint64_t va, unsigned len,
                          const char *symbol, struct err *err)
{
    if (image->relocations_len == *cap) {
        size_t n = *cap ? 2 * *cap : 1024;
        struct image_relocation *p = reallocarray(image->relocations, n, sizeof(*p));

        if (!p)
            return err_set(err, ENOMEM, "out of memory");
        image->relocations = p;
        *cap = n;
    }
    image->relocations[image->relocations_len++] = (struct image_relocation){va, len, symbol};
    return 0;
}

static int relocation_cmp(const void *a, const void *b)
{
    const struct image_relocation *x = a, *y = b;

    return x->va < y->va ? -1 : x->va > y->va;
}

static unsigned relocation_len(unsigned type)
{
    return type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
}

static bool is_relative(unsigned type)
{
    return type == R_X86_64_PC32 || type == R_X86_64_PLT32 || type == R_X86_64_PC64;
}

/* Of the symbol itself, not of what is near it: what is relative ends with its instruction. */
static bool is_plain(const GElf_Rela *rela)
{
    return rela->r_addend == (is_relative(GELF_R_TYPE(rela->r_info)) ? -4 : 0);
}

struct relocate {
    struct image *image;
    Elf_Data *symbols;
    size_t strings, cap;
};

/* In a section of which the bytes are wanted as the loader, or the linker, makes them. */
static void apply(const struct relocate *c, Elf_Data *data, uint64_t va, const GElf_Rela *rela,
                  const GElf_Sym *sym)
{
    const struct image_section *s = image_section_numbered(c->image, sym->st_shndx);
    unsigned type = GELF_R_TYPE(rela->r_info), len = relocation_len(type);
    uint64_t value = (s ? s->va : 0) + sym->st_value + (uint64_t)rela->r_addend;

    /* Another module's, or the kernel's. */
    if (sym->st_shndx == SHN_UNDEF || rela->r_offset > data->d_size ||
        len > data->d_size - rela->r_offset)
        return;
    if (is_relative(type))
        value -= va + rela->r_offset;
    memcpy((uint8_t *)data->d_buf + rela->r_offset, &value, len);
}

/* Code stays as the file has it, for that is what can be compared, but it is known what is not. */
static int section_relocate(struct relocate *c, Elf_Scn *scn, const GElf_Shdr *sh, struct err *err)
{
    const struct image_section *s = image_section_numbered(c->image, sh->sh_info);
    Elf_Scn *to = elf_getscn(c->image->elf, sh->sh_info);
    Elf_Data *entries = elf_getdata(scn, NULL), *data;
    GElf_Shdr to_sh;
    int r = 0;

    if (!to || !gelf_getshdr(to, &to_sh) || !entries)
        return 0;
    if (to_sh.sh_flags & SHF_COMPRESSED)
        elf_compress(to, 0, 0);
    data = elf_rawdata(to, NULL);
    for (int i = 0; !r && data && data->d_buf && i < (int)(sh->sh_size / sh->sh_entsize); i++) {
        const char *name;
        GElf_Rela rela;
        GElf_Sym sym;

        if (!gelf_getrela(entries, i, &rela) || GELF_R_TYPE(rela.r_info) == R_X86_64_NONE ||
            !gelf_getsym(c->symbols, (int)GELF_R_SYM(rela.r_info), &sym))
            continue;
        if (!s || !s->code) {
            apply(c, data, s ? s->va : 0, &rela, &sym);
            continue;
        }
        name = is_plain(&rela) ? elf_strptr(c->image->elf, c->strings, sym.st_name) : NULL;
        r = relocation_add(c->image, &c->cap, s->va + rela.r_offset,
                           relocation_len(GELF_R_TYPE(rela.r_info)), name ? name : "", err);
    }
    return r;
}

int image_module_relocate(struct image *image, struct err *err)
{
    struct relocate c = {.image = image};
    Elf_Scn *scn = NULL;
    GElf_Shdr sh;
    int r = 0;

    while ((scn = elf_nextscn(image->elf, scn)))
        if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_SYMTAB) {
            c.symbols = elf_getdata(scn, NULL);
            c.strings = sh.sh_link;
        }
    while (!r && (scn = elf_nextscn(image->elf, scn)))
        if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_RELA)
            r = section_relocate(&c, scn, &sh, err);
    if (image->relocations_len)
        qsort(image->relocations, image->relocations_len, sizeof(*image->relocations),
              relocation_cmp);
    return r;
}

const char *image_relocated(const struct image *image, uint64_t va, unsigned len)
{
    size_t lo = 0, hi = image->relocations_len;
    const struct image_relocation *p = image->relocations;

    /* The first that ends behind va. */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (p[mid].va + p[mid].len <= va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < image->relocations_len && p[lo].va < va + len ? p[lo].symbol : NULL;
}

/* --- where a guest has it --------------------------------------------------------------- */

/* The structure's definition, in the first unit that has it. */
static bool struct_find(Dwarf *dwarf, const char *name, Dwarf_Die *ret)
{
    Dwarf_Off off = 0, next;
    size_t header;

    for (; dwarf_nextcu(dwarf, off, &next, &header, NULL, NULL, NULL) == 0; off = next) {
        Dwarf_Die cu;

        if (!dwarf_offdie(dwarf, off + header, &cu) || dwarf_child(&cu, ret) != 0)
            continue;
        do {
            const char *is = dwarf_tag(ret) == DW_TAG_structure_type ? dwarf_diename(ret) : NULL;

            if (is && !strcmp(is, name) && !dwarf_hasattr(ret, DW_AT_declaration))
                return true;
        } while (dwarf_siblingof(ret, ret) == 0);
    }
    return false;
}

/* @ret_type, which may be NULL: of an array's elements. */
static bool member_find(Dwarf_Die *type, const char *name, unsigned *ret_offset, Dwarf_Die *ret_type)
{
    Dwarf_Die member;
    Dwarf_Attribute attr;
    Dwarf_Word offset;

    if (dwarf_child(type, &member) != 0)
        return false;
    do {
        const char *is = dwarf_tag(&member) == DW_TAG_member ? dwarf_diename(&member) : NULL;

        if (!is || strcmp(is, name) != 0)
            continue;
        if (dwarf_formudata(dwarf_attr(&member, DW_AT_data_member_location, &attr), &offset))
            return false;
        *ret_offset = (unsigned)offset;
        while (ret_type && dwarf_formref_die(dwarf_attr(&member, DW_AT_type, &attr), &member)) {
            *ret_type = member;
            if (dwarf_tag(&member) == DW_TAG_structure_type)
                break;
        }
        return true;
    } while (dwarf_siblingof(&member, &member) == 0);
    return false;
}

/* The pointers to code and to read-only data. */
static bool layout_find(const struct image *image, Dwarf_Die *module, struct guest_module *ret)
{
    unsigned at, base;
    Dwarf_Die type;

    if (member_find(module, "mem", &at, &type) && member_find(&type, "base", &base, NULL)) {
        ret->code = at + base;
        ret->rodata = at + MOD_RODATA * (unsigned)dwarf_bytesize(&type) + base;
        ret->build_id_at = image->build_id_va - image->rodata;
        return true;
    }
    if (member_find(module, "core_layout", &at, &type) &&
        member_find(&type, "base", &base, NULL)) {
        ret->code = ret->rodata = at + base;
        ret->build_id_at = image->build_id_va;
        return true;
    }
    return false;
}

int image_module_find(struct image *image, struct image *kernel, struct guest_module *ret,
                      struct err *err)
{
    Dwarf_Die module;
    int r = image_load_dwarf(kernel, err);

    if (r)
        return err_prefix(err, "where a guest keeps its modules");
    *ret = (struct guest_module){0};
    strcpy(ret->name, image->module);
    strcpy(image->root, kernel->root);
    for (unsigned i = 0; i < BUILD_ID_BYTES; i++)
        sscanf(image->build_id + 2 * i, "%2hhx", &ret->build_id[i]);
    if (!image_symbol(kernel, "modules", &ret->list_va) ||
        !struct_find(kernel->dwarf, "module", &module))
        return err_set(err, ENODATA, "the kernel was built without modules");
    if (!member_find(&module, "list", &ret->list, NULL) ||
        !member_find(&module, "name", &ret->name_at, NULL) ||
        !layout_find(image, &module, ret))
        return err_set(err, EOPNOTSUPP, "the kernel keeps its modules in a way that is not known "
                       "here");
    return 0;
}
