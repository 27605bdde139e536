// SPDX-License-Identifier: GPL-2.0-or-later
/* Drawing plans. */
#include "injector/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "injector/mutate.h"
#include "injector/rng.h"
#include "injector/target.h"

/* Ways of one instruction to be changed: more than any class has. */
#define WAYS_MAX 512

/* An instruction: its function and where in it. */
struct site {
    uint32_t function, offset;
};

struct sites {
    char class_name[16], target[128];
    struct site *p;
    size_t len, cap;
};

struct plan_source {
    struct image *image;        /* that faults go into */
    struct image *kernel;       /* the same, or that of the module */
    struct guest_module module;
    struct code code;
    struct sites sites;         /* of the last class and target asked for */
    struct profile *profile;      /* NULL: everything is executed */
    bool dwarf_tried;
};

int plan_source_open(const char *vmlinux, struct plan_source **ret, struct err *err)
{
    struct plan_source *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return err_set(err, ENOMEM, "out of memory");
    r = image_open(vmlinux, &s->image, err);
    if (r) {
        free(s);
        return r;
    }
    s->kernel = s->image;
    code_init(&s->code, s->image);
    *ret = s;
    return 0;
}

int plan_source_use_module(struct plan_source *s, const char *path, struct err *err)
{
    struct image *module;
    int r = image_open_module(path, &module, err);

    if (r)
        return r;
    r = image_module_find(module, s->kernel, &s->module, err);
    if (r) {
        image_free(module);
        return r;
    }
    code_done(&s->code);
    if (s->image != s->kernel)
        image_free(s->image);
    s->image = module;
    code_init(&s->code, s->image);
    s->sites.class_name[0] = '\0';
    s->dwarf_tried = false;
    return 0;
}

void plan_source_free(struct plan_source *s)
{
    if (!s)
        return;
    code_done(&s->code);
    free(s->sites.p);
    profile_free(s->profile);
    if (s->image != s->kernel)
        image_free(s->image);
    image_free(s->kernel);
    free(s);
}

int plan_source_set_profile(struct plan_source *s, struct profile *profile, struct err *err)
{
    if (profile && strcmp(profile->build_id, image_build_id(s->image)) != 0) {
        err_set(err, ESTALE, "the profile is of the kernel %s, not of %s: make it anew with "
                "'wcr run SPEC --profile FILE'", profile->build_id, image_build_id(s->image));
        profile_free(profile);
        return -ESTALE;
    }
    profile_free(s->profile);
    s->profile = profile;
    s->sites.class_name[0] = '\0';
    return 0;
}

const char *plan_source_build_id(const struct plan_source *s)
{
    return image_build_id(s->image);
}

uint64_t plan_source_build_id_va(const struct plan_source *s)
{
    return image_build_id_va(s->image);
}

static int site_add(struct sites *sites, uint32_t function, uint32_t offset, struct err *err)
{
    if (sites->len == sites->cap) {
        size_t cap = sites->cap ? 2 * sites->cap : 4096;
        struct site *p = reallocarray(sites->p, cap, sizeof(*p));

        if (!p)
            return err_set(err, ENOMEM, "out of memory");
        sites->p = p;
        sites->cap = cap;
    }
    sites->p[sites->len++] = (struct site){function, offset};
    return 0;
}

/* Where a block that begins with instruction @i is watched; 0: the kernel rewrites all of it. */
static uint64_t block_watched(const struct plan_source *s, unsigned i)
{
    const struct insn *insns = s->code.insns;

    do {
        if (!image_patched(s->image, insns[i].va, insns[i].d.length))
            return insns[i].va;
    } while (++i < s->code.len && !code_begins_block(&s->code, i));
    return 0;
}

/*
 * What the kernel rewrites is not known, and of what a module's loader completes only what stays:
 * to delete it is all that can be told.
 */
static bool is_known(const struct plan_source *s, const struct mutate_class *class,
                     const struct insn *insn)
{
    return !image_patched(s->image, insn->va, insn->d.length) &&
           (class->deletes || !image_relocated(s->image, insn->va, insn->d.length));
}

static int function_enumerate(struct plan_source *s, const struct mutate_class *class,
                              const struct target *target, uint32_t number, struct err *err)
{
    bool executed = true;
    int r = 0;

    for (unsigned i = 0; !r && i < s->code.len; i++) {
        const struct insn *insn = &s->code.insns[i];
        uint8_t bytes[PLAN_BYTES];
        unsigned n = 0;

        if (s->profile && code_begins_block(&s->code, i))
            executed = profile_has(s->profile, block_watched(s, i));
        if (executed && target_has_va(target, insn->va) && class->variant(&s->code, i, &n, bytes) &&
            is_known(s, class, insn))
            r = site_add(&s->sites, number, (uint32_t)(insn->va - s->code.function->va), err);
    }
    return r;
}

static int function_blocks(struct plan_source *s, const struct target *target, uint32_t number,
                           struct err *err)
{
    int r = 0;

    for (unsigned i = 0; !r && i < s->code.len; i++) {
        uint64_t va = code_begins_block(&s->code, i) ? block_watched(s, i) : 0;

        if (va && target_has_va(target, va))
            r = site_add(&s->sites, number, (uint32_t)(va - s->code.function->va), err);
    }
    return r;
}

/* Without DWARF everything works but targets by file, and plans name no line. */
static int dwarf_load(struct plan_source *s, const struct target *target, struct err *err)
{
    struct err ignored;

    if (target_needs_dwarf(target))
        return image_load_dwarf(s->image, err);
    if (!s->dwarf_tried)
        image_load_dwarf(s->image, &ignored);
    s->dwarf_tried = true;
    return 0;
}

/* All candidates of @class in the target or, where that is NULL, all watched places of blocks. */
static int target_enumerate(struct plan_source *s, const struct mutate_class *class,
                            const char *text, struct err *err)
{
    const struct image_function *f;
    struct target target;
    size_t n, matched = 0;
    int r = target_parse(text, &target, err);

    if (!r)
        r = dwarf_load(s, &target, err);
    if (r)
        return r;
    s->sites.len = 0;
    s->sites.class_name[0] = '\0';
    f = image_functions(s->image, &n);
    for (size_t i = 0; !r && i < n; i++) {
        if (!target_has_function(&target, s->image, &f[i]))
            continue;
        matched++;
        r = code_decode(&s->code, &f[i], err);
        if (!r)
            r = class ? function_enumerate(s, class, &target, (uint32_t)i, err)
                      : function_blocks(s, &target, (uint32_t)i, err);
    }
    return r || matched ? r : target_explain(&target, s->image, err);
}

static int enumerate(struct plan_source *s, const struct mutate_class *class, const char *text,
                     struct err *err)
{
    int r;

    if (!strcmp(s->sites.class_name, class->name) && !strcmp(s->sites.target, text))
        return 0;
    r = target_enumerate(s, class, text, err);
    if (r)
        return r;
    snprintf(s->sites.class_name, sizeof(s->sites.class_name), "%s", class->name);
    snprintf(s->sites.target, sizeof(s->sites.target), "%s", text);
    return 0;
}

int plan_blocks(struct plan_source *s, const char *target, uint64_t **ret, size_t *ret_n,
                struct err *err)
{
    int r = target_enumerate(s, NULL, target, err);
    size_t n;

    if (r)
        return r;
    *ret = calloc(s->sites.len ? s->sites.len : 1, sizeof(**ret));
    if (!*ret)
        return err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < s->sites.len; i++)
        (*ret)[i] = image_functions(s->image, &n)[s->sites.p[i].function].va + s->sites.p[i].offset;
    *ret_n = s->sites.len;
    return 0;
}

static int class_find(const char *name, const struct fault_class **ret, struct err *err)
{
    char known[256];

    *ret = fault_class_find(name);
    if (*ret)
        return 0;
    fault_class_names(known, sizeof(known));
    return err_set(err, EINVAL, "unknown fault class '%s' (known: %s)", name, known);
}

static int text_class_find(struct plan_source *s, const char *name,
                           const struct mutate_class **ret, struct err *err)
{
    if (!s)
        return err_set(err, EINVAL, "class '%s' changes the kernel's text: a vmlinux is needed",
                       name);
    *ret = mutate_class_find(name);
    return *ret ? 0 : err_set(err, EINVAL, "class '%s' does not change text", name);
}

int plan_count(struct plan_source *s, const char *class_name, const char *target, uint64_t *ret,
               struct err *err)
{
    const struct mutate_class *mutate;
    int r = text_class_find(s, class_name, &mutate, err);

    if (!r)
        r = enumerate(s, mutate, target, err);
    if (!r)
        *ret = s->sites.len;
    return r;
}

/*
 * The stream of numbers a plan is made of. What may not change, or plans recorded once are
 * not those drawn again: this key, the order of candidates (by address) and of their ways
 * (mutate.h), and the order of draws below.
 */
static struct rng stream(const char *build_id, const char *profile, const char *target,
                         const char *class_name, uint64_t seed, unsigned index)
{
    char key[512];
    int len = snprintf(key, sizeof(key), "%s%s%s\n%s\n%s\n%llu\n%u", build_id,
                       *profile ? "\n" : "", profile, target, class_name,
                       (unsigned long long)seed, index);

    return (struct rng){XXH64(key, (size_t)len, 0)};
}

static void text_fill(struct plan_source *s, const struct mutate_class *mutate, unsigned i,
                      struct rng *rng, struct plan *ret)
{
    const struct insn *insn = &s->code.insns[i];
    uint8_t ways[WAYS_MAX][PLAN_BYTES];
    unsigned n = 0, len = 0;
    const char *symbol;

    while (len < WAYS_MAX && mutate->variant(&s->code, i, &n, ways[len]))
        len++;
    ret->va = insn->va;
    ret->len = insn->d.length;
    memcpy(ret->old_bytes, insn->bytes, ret->len);
    memcpy(ret->new_bytes, ways[rng_below(rng, len)], ret->len);
    snprintf(ret->symbol, sizeof(ret->symbol), "%s", s->code.function->name);
    ret->offset = insn->va - s->code.function->va;
    for (unsigned k = 0; k < ret->len; k++)
        ret->relocated |= (uint16_t)(!!image_relocated(s->image, ret->va + k, 1) << k);
    code_format(&s->code.decoder, ret->old_bytes, ret->len, ret->va, ret->old_asm,
                sizeof(ret->old_asm));
    symbol = image_relocated(s->image, ret->va, ret->len);
    if (symbol && *symbol)
        snprintf(ret->old_asm + strlen(ret->old_asm), sizeof(ret->old_asm) - strlen(ret->old_asm),
                 "  <%s>", symbol);
    code_format(&s->code.decoder, ret->new_bytes, ret->len, ret->va, ret->new_asm,
                sizeof(ret->new_asm));
    image_source(s->image, ret->va, ret->source, sizeof(ret->source));
}

static int text_draw(struct plan_source *s, const char *class_name, const char *target,
                     struct plan *ret, struct err *err)
{
    const struct mutate_class *mutate;
    const struct image_function *f;
    struct site site;
    struct rng rng;
    size_t n;
    int i, r = text_class_find(s, class_name, &mutate, err);

    if (!r)
        r = enumerate(s, mutate, target, err);
    if (r)
        return r;
    if (!s->sites.len)
        return err_set(err, ENODATA, "class '%s' has no candidate in target '%s'%s", class_name,
                       target, s->profile ? " that the profile says is executed" : "");
    if (s->profile)
        strcpy(ret->profile, s->profile->id);
    rng = stream(image_build_id(s->image), ret->profile, target, class_name, ret->seed, ret->index);
    site = s->sites.p[rng_below(&rng, s->sites.len)];
    f = &image_functions(s->image, &n)[site.function];
    r = code_decode(&s->code, f, err);
    if (r)
        return r;
    i = code_index(&s->code, f->va + site.offset);
    if (i < 0)
        return err_set(err, EIO, "%s+0x%x: no longer an instruction", f->name, site.offset);
    ret->text = true;
    ret->candidates = s->sites.len;
    snprintf(ret->build_id, sizeof(ret->build_id), "%s", image_build_id(s->kernel));
    ret->build_id_va = image_build_id_va(s->kernel);
    ret->module = s->module;
    text_fill(s, mutate, (unsigned)i, &rng, ret);
    ret->delay_ms = PLAN_DELAY_MIN_MS +
                    (uint32_t)rng_below(&rng, PLAN_DELAY_MAX_MS - PLAN_DELAY_MIN_MS + 1);
    return 0;
}

static void runtime_draw(const struct fault_class *class, struct plan *ret)
{
    struct rng rng = stream("", "", "", class->name, ret->seed, ret->index);

    if (class->rated) {
        ret->rate_lo = PLAN_RATE_LO;
        ret->rate_hi = PLAN_RATE_HI;
    }
    /* What stap's long parameters and JSON's integers both hold. */
    ret->param_seed = rng_next(&rng) >> 2;
    ret->delay_ms = PLAN_DELAY_MIN_MS +
                    (uint32_t)rng_below(&rng, PLAN_DELAY_MAX_MS - PLAN_DELAY_MIN_MS + 1);
}

int plan_draw(struct plan_source *s, const char *class_name, const char *target, uint64_t seed,
              unsigned index, struct plan *ret, struct err *err)
{
    const struct fault_class *class;
    struct target parsed;
    int r = class_find(class_name, &class, err);

    if (!r)
        r = target_parse(target, &parsed, err);
    if (r)
        return r;
    *ret = (struct plan){.seed = seed, .index = index};
    snprintf(ret->class_name, sizeof(ret->class_name), "%s", class->name);
    snprintf(ret->target, sizeof(ret->target), "%s", target);
    if (class->kind == FAULT_TEXT)
        return text_draw(s, class->name, target, ret, err);
    runtime_draw(class, ret);
    return 0;
}
