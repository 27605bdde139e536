// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/image_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct image_section *image_section(const struct image *image, const char *name)
{
    for (size_t i = 0; i < image->sections_len; i++)
        if (!strcmp(image->sections[i].name, name))
            return &image->sections[i];
    return NULL;
}

const struct image_section *image_section_numbered(const struct image *image, size_t index)
{
    for (size_t i = 0; i < image->sections_len; i++)
        if (image->sections[i].index == index)
            return &image->sections[i];
    return NULL;
}

static const struct image_section *section_of(const struct image *image, uint64_t va,
                                              uint64_t len)
{
    for (size_t i = 0; i < image->sections_len; i++) {
        const struct image_section *s = &image->sections[i];

        if (va >= s->va && va - s->va < s->size && len <= s->size - (va - s->va))
            return s;
    }
    return NULL;
}

const uint8_t *image_at(const struct image *image, uint64_t va, uint64_t len)
{
    const struct image_section *s = section_of(image, va, len);

    return s && s->bytes ? s->bytes + (va - s->va) : NULL;
}

static int sections_load(struct image *image, bool module, struct err *err)
{
    size_t names, n;
    Elf_Scn *scn = NULL;

    if (elf_getshdrnum(image->elf, &n) || elf_getshdrstrndx(image->elf, &names))
        return err_set(err, ENOEXEC, "no section headers");
    image->sections = calloc(n ? n : 1, sizeof(*image->sections));
    if (!image->sections)
        return err_set(err, ENOMEM, "out of memory");
    while ((scn = elf_nextscn(image->elf, scn))) {
        struct image_section *s = &image->sections[image->sections_len];
        const char *name;
        GElf_Shdr sh;
        Elf_Data *data;

        if (!gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_ALLOC) || (!sh.sh_addr && !module))
            continue;
        name = elf_strptr(image->elf, names, sh.sh_name);
        snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
        s->index = elf_ndxscn(scn);
        s->va = sh.sh_addr;
        s->size = sh.sh_size;
        s->align = sh.sh_addralign;
        s->code = sh.sh_flags & SHF_EXECINSTR;
        s->writable = sh.sh_flags & SHF_WRITE;
        data = sh.sh_type == SHT_NOBITS ? NULL : elf_rawdata(scn, NULL);
        s->bytes = data && data->d_size == sh.sh_size ? data->d_buf : NULL;
        image->sections_len++;
    }
    return 0;
}

typedef void symbol_fn(void *ctx, const char *name, const GElf_Sym *sym);

static bool symbols_each(const struct image *image, symbol_fn *fn, void *ctx)
{
    Elf_Scn *scn = NULL;

    while ((scn = elf_nextscn(image->elf, scn))) {
        GElf_Shdr sh;
        Elf_Data *data;

        if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_SYMTAB)
            continue;
        data = elf_getdata(scn, NULL);
        for (int i = 0; data && i < (int)(sh.sh_size / sh.sh_entsize); i++) {
            GElf_Sym sym;
            const char *name;

            if (!gelf_getsym(data, i, &sym) || sym.st_shndx == SHN_UNDEF)
                continue;
            name = elf_strptr(image->elf, sh.sh_link, sym.st_name);
            if (*image->module) {
                const struct image_section *s = image_section_numbered(image, sym.st_shndx);

                sym.st_value += s ? s->va : 0;
            }
            if (name && *name)
                fn(ctx, name, &sym);
        }
        return data;
    }
    return false;
}

struct symbol_query {
    const char *name;
    uint64_t va;
    bool found;
};

static void symbol_match(void *ctx, const char *name, const GElf_Sym *sym)
{
    struct symbol_query *q = ctx;

    if (!q->found && !strcmp(name, q->name)) {
        q->va = sym->st_value;
        q->found = true;
    }
}

bool image_symbol(const struct image *image, const char *name, uint64_t *ret)
{
    struct symbol_query q = {.name = name};

    symbols_each(image, symbol_match, &q);
    *ret = q.va;
    return q.found;
}

/* Marks of the linker script around code that is not to be touched. */
static const struct region_mark {
    const char *start, *end;
    enum image_region region;
} region_marks[] = {
    {"__entry_text_start", "__entry_text_end", REGION_ENTRY},
    {"__noinstr_text_start", "__noinstr_text_end", REGION_ENTRY},
    {"__irqentry_text_start", "__irqentry_text_end", REGION_ENTRY},
    {"__kprobes_text_start", "__kprobes_text_end", REGION_ENTRY},
    {"__cpuidle_text_start", "__cpuidle_text_end", REGION_ENTRY},
};

#define MARKS (sizeof(region_marks) / sizeof(region_marks[0]))

struct function_load {
    struct image *image;
    size_t cap;
    bool no_memory;
    uint64_t start[MARKS], end[MARKS];
};

static enum image_region region_of(const struct function_load *l, const char *section,
                                   uint64_t va)
{
    /* Of a module, ".text.unlikely" and the like stand apart. */
    if (strcmp(section, ".text") != 0 && strncmp(section, ".text.", 6) != 0)
        return REGION_INIT;
    for (size_t i = 0; i < MARKS; i++)
        if (va >= l->start[i] && va < l->end[i])
            return region_marks[i].region;
    return REGION_TEXT;
}

static void function_add(void *ctx, const char *name, const GElf_Sym *sym)
{
    struct function_load *l = ctx;
    struct image *image = l->image;
    const struct image_section *s;
    struct image_function *f;

    for (size_t i = 0; i < MARKS; i++) {
        if (!strcmp(name, region_marks[i].start))
            l->start[i] = sym->st_value;
        if (!strcmp(name, region_marks[i].end))
            l->end[i] = sym->st_value;
    }
    if (GELF_ST_TYPE(sym->st_info) != STT_FUNC || !sym->st_size)
        return;
    s = section_of(image, sym->st_value, sym->st_size);
    if (!s || !s->code || !s->bytes)
        return;
    if (image->functions_len == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 4096;

        f = reallocarray(image->functions, cap, sizeof(*f));
        if (!f) {
            l->no_memory = true;
            return;
        }
        image->functions = f;
        l->cap = cap;
    }
    image->functions[image->functions_len++] = (struct image_function){
        .va = sym->st_value,
        .size = sym->st_size,
        .name = name,
        .bytes = s->bytes + (sym->st_value - s->va),
    };
}

/* By address; of several names for one place, the one kept comes first. */
static int function_cmp(const void *a, const void *b)
{
    const struct image_function *x = a, *y = b;

    if (x->va != y->va)
        return x->va < y->va ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (strlen(x->name) != strlen(y->name))
        return strlen(x->name) < strlen(y->name) ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int functions_load(struct image *image, struct err *err)
{
    struct function_load l = {.image = image};
    struct image_function *f;
    size_t n = 0;

    if (!symbols_each(image, function_add, &l))
        return err_set(err, ENOEXEC, "no symbol table (stripped?)");
    if (l.no_memory)
        return err_set(err, ENOMEM, "out of memory");
    f = image->functions;
    if (image->functions_len)
        qsort(f, image->functions_len, sizeof(*f), function_cmp);
    for (size_t i = 0; i < image->functions_len; i++) {
        if (n && f[i].va == f[n - 1].va)
            continue;
        f[n++] = f[i];
    }
    image->functions_len = n;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && f[i].va + f[i].size > f[i + 1].va)
            f[i].size = f[i + 1].va - f[i].va;
        f[i].region = region_of(&l, section_of(image, f[i].va, 1)->name, f[i].va);
    }
    if (!n)
        return err_set(err, ENOEXEC, "no functions in its symbol table");
    return 0;
}

/* NT_GNU_BUILD_ID in .notes (or the like), which the running kernel keeps in memory. */
static int build_id_load(struct image *image, struct err *err)
{
    Elf_Scn *scn = NULL;

    while ((scn = elf_nextscn(image->elf, scn))) {
        size_t off = 0, name, desc;
        const struct image_section *s;
        Elf_Data *data;
        GElf_Shdr sh;
        GElf_Nhdr nh;

        if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_NOTE)
            continue;
        s = image_section_numbered(image, elf_ndxscn(scn));
        data = elf_getdata(scn, NULL);
        while (data && (off = gelf_getnote(data, off, &nh, &name, &desc)) > 0) {
            const uint8_t *p = (const uint8_t *)data->d_buf;

            if (nh.n_type != NT_GNU_BUILD_ID || nh.n_namesz != 4 || nh.n_descsz != 20 ||
                memcmp(p + name, "GNU", 4) != 0)
                continue;
            for (unsigned i = 0; i < 20; i++)
                snprintf(image->build_id + 2 * i, 3, "%02x", p[desc + i]);
            image->build_id_va = s ? s->va + desc : 0;
            return 0;
        }
    }
    return err_set(err, ENOEXEC, "no build id (link with --build-id=sha1)");
}

static int image_load(struct image *image, bool module, struct err *err)
{
    GElf_Ehdr eh;
    int r;

    elf_version(EV_CURRENT);
    /* Private: what is relocated is not the file. */
    image->elf = elf_begin(image->fd, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (!image->elf || elf_kind(image->elf) != ELF_K_ELF || !gelf_getehdr(image->elf, &eh))
        return err_set(err, ENOEXEC, "not an ELF file (%s)", module ? "a .ko is wanted; a .ko.xz or "
                       ".ko.zst has to be unpacked" : "a vmlinux is wanted, not a bzImage");
    if (eh.e_machine != EM_X86_64 ||
        (module ? eh.e_type != ET_REL : eh.e_type != ET_EXEC && eh.e_type != ET_DYN))
        return err_set(err, ENOEXEC, "not an x86-64 %s", module ? "module (.ko)" : eh.e_type == ET_REL ?
                       "kernel (a module goes with --module)" : "executable");
    r = sections_load(image, module, err);
    if (!r && module)
        r = image_module_layout(image, err);
    if (!r)
        r = functions_load(image, err);
    if (!r)
        r = build_id_load(image, err);
    if (!r && module)
        r = image_module_relocate(image, err);
    if (!r)
        r = image_patch_load(image, err);
    return r;
}

static int open_any(const char *path, bool module, struct image **ret, struct err *err)
{
    struct image *image = calloc(1, sizeof(*image));
    int r;

    if (!image)
        return err_set(err, ENOMEM, "out of memory");
    image->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (image->fd < 0) {
        r = err_set(err, errno, "%s: %s", path, strerror(errno));
    } else {
        r = image_load(image, module, err);
        if (r)
            err_prefix(err, "%s", path);
    }
    if (r) {
        image_free(image);
        return r;
    }
    *ret = image;
    return 0;
}

int image_open(const char *path, struct image **ret, struct err *err)
{
    return open_any(path, false, ret, err);
}

int image_open_module(const char *path, struct image **ret, struct err *err)
{
    return open_any(path, true, ret, err);
}

void image_free(struct image *image)
{
    if (!image)
        return;
    image_dwarf_free(image);
    free(image->relocations);
    free(image->patched);
    free(image->functions);
    free(image->sections);
    if (image->elf)
        elf_end(image->elf);
    if (image->fd >= 0)
        close(image->fd);
    free(image);
}

const char *image_build_id(const struct image *image)
{
    return image->build_id;
}

uint64_t image_build_id_va(const struct image *image)
{
    return image->build_id_va;
}

const struct image_function *image_functions(const struct image *image, size_t *ret_len)
{
    *ret_len = image->functions_len;
    return image->functions;
}

const struct image_function *image_function_at(const struct image *image, uint64_t va)
{
    size_t lo = 0, hi = image->functions_len;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct image_function *f = &image->functions[mid];

        if (va < f->va)
            hi = mid;
        else if (va - f->va >= f->size)
            lo = mid + 1;
        else
            return f;
    }
    return NULL;
}
