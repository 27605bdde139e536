// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: faults in a module at what is not known before it is loaded, or changes afterwards; a place
 * that is not where a guest has it; another kind of file taken for a module.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "injector/plan.h"
#include "injector/tests/oracle.h"

#define TESTS "build/tests/"
#define MODULE TESTS "sample.ko"    /* of sample.c and sample_module.S */
#define BUILD_ID "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"

static struct plan_source *open_module(const char *kernel, const char *module)
{
    struct plan_source *s;
    struct err err = {0};

    if (plan_source_open(kernel, &s, &err) || plan_source_use_module(s, module, &err))
        fail_msg("%s", err.msg);
    return s;
}

static struct plan_source *source(void)
{
    return open_module(TESTS "kernel-core", MODULE);
}

static struct plan draw(struct plan_source *s, const char *class, const char *target, uint64_t seed)
{
    struct err err = {0};
    struct plan p;

    if (plan_draw(s, class, target, seed, 0, &p, &err))
        fail_msg("%s %s: %s", class, target, err.msg);
    return p;
}

static void refused(struct plan_source *s, const char *class, const char *target, int code,
                    const char *words)
{
    struct err err = {0};
    struct plan p;

    assert_int_equal(plan_draw(s, class, target, 1, 0, &p, &err), -code);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
}

/* struct module of module_kernel.c; the note's description is 16 bytes from its begin. */
static void a_guest_is_asked(void **state)
{
    struct plan_source *core = source(), *mem = open_module(TESTS "kernel-mem", MODULE);
    struct plan a = draw(core, "NOP", "all", 1), b = draw(mem, "NOP", "all", 1);

    (void)state;
    assert_string_equal(a.module.name, "sample_module");
    assert_memory_equal(a.module.build_id, BUILD_ID, BUILD_ID_BYTES);
    assert_string_equal(a.build_id, plan_source_build_id(core));
    assert_true(a.module.list_va > 0xffffffff80000000 && b.module.list_va > 0xffffffff80000000);
    assert_int_equal(a.module.list, 8);
    assert_int_equal(a.module.name_at, 24);
    assert_int_equal(a.module.code, 80 + 8);
    assert_int_equal(a.module.rodata, a.module.code);
    assert_int_equal(b.module.code, 80 + 8);
    assert_int_equal(b.module.rodata, 80 + 2 * 24 + 8);
    /* Read-only data begins on a page behind the code. */
    assert_true(a.module.build_id_at > b.module.build_id_at);
    assert_int_equal((a.module.build_id_at - b.module.build_id_at) % 4096, 0);
    assert_int_equal(b.module.build_id_at, 16);
    /* The fault is the same whatever kernel it goes into. */
    assert_int_equal(a.va, b.va);
    assert_memory_equal(a.new_bytes, b.new_bytes, a.len);
    plan_source_free(core);
    plan_source_free(mem);
}

static void what_the_kernel_rewrites_is_no_candidate(void **state)
{
    struct plan_source *s = source();

    (void)state;
    refused(s, "TEXT", "func:module_patched", ENODATA, "no candidate");
    refused(s, "NOP", "func:module_patched", ENODATA, "no candidate");
    refused(s, "NOP", "func:module_begin", ENOENT, "freed after boot");
    assert_int_equal(draw(s, "NOP", "func:module_rare", 1).va % 64, 0);
    plan_source_free(s);
}

/* What is deleted need not be known; all else is nothing but the nop at the end. */
static void what_the_loader_writes_is_only_deleted(void **state)
{
    struct plan_source *s = source();
    bool seen[64] = {false};
    unsigned sites = 0;
    struct plan p;

    (void)state;
    assert_int_equal(draw(s, "TEXT", "func:module_relocated", 1).candidates, 1);
    refused(s, "DST", "func:module_relocated", ENODATA, "no candidate");
    refused(s, "PTR", "func:module_relocated", ENODATA, "no candidate");
    for (unsigned seed = 0; seed < 200; seed++) {
        p = draw(s, "NOP", "func:module_relocated", seed);
        assert_true(p.offset < sizeof(seen));
        sites += !seen[p.offset];
        seen[p.offset] = true;
        assert_true(p.relocated != 0 && p.relocated >> p.len == 0);
    }
    assert_int_equal(sites, 7);
    assert_int_equal(p.candidates, 7);
    p = draw(s, "LOCK", "func:module_relocated", 1);
    assert_int_equal(p.candidates, 1);
    assert_int_equal(p.old_bytes[0], 0xe8);
    assert_int_equal(p.relocated, 0x1e);
    assert_non_null(strstr(p.old_asm, "<_raw_spin_lock>"));
    p = draw(s, "BR", "func:module_relocated", 1);
    assert_int_equal(p.candidates, 1);
    assert_int_equal(p.relocated, 0x3c);
    plan_source_free(s);
}

static void json(void **state)
{
    struct plan_source *s = source();
    struct plan p = draw(s, "LOCK", "func:module_relocated", 1);
    json_t *plan = plan_to_json(&p), *module = json_object_get(plan, "module");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(plan, "old")), "e8????????");
    assert_string_equal(json_string_value(json_object_get(plan, "new")), "0f1f440000");
    assert_string_equal(json_string_value(json_object_get(module, "name")), "sample_module");
    assert_string_equal(json_string_value(json_object_get(module, "build_id")),
                        "0102030405060708090a0b0c0d0e0f1011121314");
    assert_int_equal(json_integer_value(json_object_get(module, "code")), p.module.code);
    json_decref(plan);
    plan_source_free(s);
}

static void sources_are_known(void **state)
{
    struct plan_source *s = source();
    struct plan p;

    (void)state;
    for (unsigned seed = 0; seed < 50; seed++) {
        p = draw(s, "DST", "file:injector/tests/sample.c", seed);
        assert_true(!strncmp(p.symbol, "sample_", 7));
        p = draw(s, "DST", "func:sample_sort", seed);
        assert_true(!strncmp(p.source, "injector/tests/sample.c:", 24) && atoi(p.source + 24) > 40);
    }
    refused(s, "NOP", "file:fs/ext4/inode.c", ENOENT, "this module");
    plan_source_free(s);
}

/* --- any module, against what libelf and Capstone say --------------------------------- */

/* The module's .rela.text, while .text is the first of its code. */
struct relocations {
    int fd;
    Elf *elf;
    Elf_Data *data;
    size_t n;
};

static struct relocations relocations_open(const char *path)
{
    struct relocations r = {.fd = open(path, O_RDONLY)};
    Elf_Scn *scn = NULL;
    size_t names;
    GElf_Shdr sh;

    elf_version(EV_CURRENT);
    r.elf = elf_begin(r.fd, ELF_C_READ, NULL);
    assert_int_equal(elf_getshdrstrndx(r.elf, &names), 0);
    while ((scn = elf_nextscn(r.elf, scn)) && gelf_getshdr(scn, &sh))
        if (!strcmp(elf_strptr(r.elf, names, sh.sh_name), ".rela.text")) {
            r.data = elf_getdata(scn, NULL);
            r.n = sh.sh_size / sh.sh_entsize;
        }
    assert_true(r.n > 0);
    return r;
}

static bool relocated(const struct relocations *r, uint64_t va, unsigned len)
{
    for (size_t i = 0; i < r->n; i++) {
        GElf_Rela rela;

        assert_non_null(gelf_getrela(r->data, (int)i, &rela));
        if (rela.r_offset < va + len && va < rela.r_offset + 4)
            return true;
    }
    return false;
}

static bool deletes(const char *class)
{
    static const char *const names[] = {"NOP", "INIT", "BR", "I/F", "LOCK"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], class))
            return true;
    return false;
}

static void judge_plan(const struct relocations *r, struct oracle *oracle, const struct image *image,
                       const struct plan *p)
{
    const struct image_function *f = image_function_at(image, p->va);
    const char *bad = f ? oracle_enter(oracle, f) : "no function there";

    bad = bad ? bad : oracle_judge(oracle, p->class_name, p->va, p->new_bytes, p->len);
    if (!bad && strstr(f->name, ".cold"))
        return;     /* not in .text */
    if (!bad && relocated(r, p->va, p->len) != (p->relocated != 0))
        bad = "it is not as the file's relocations say";
    if (!bad && p->relocated && !deletes(p->class_name))
        bad = "its operand is the loader's";
    if (bad)
        fail_msg("%s at %s+0x%llx: '%s' became '%s': %s", p->class_name, p->symbol,
                 (unsigned long long)p->offset, p->old_asm, p->new_asm, bad);
}

static void judge_module(const char *path)
{
    struct plan_source *a = open_module(TESTS "kernel-core", path), *b = open_module(TESTS "kernel-mem", path);
    struct relocations r = relocations_open(path);
    struct oracle *oracle;
    struct image *image;
    struct err err = {0};

    assert_int_equal(image_open_module(path, &image, &err), 0);
    oracle = oracle_new(image);
    for (size_t c = 0; c < fault_classes_len; c++) {
        const char *class = fault_classes[c].name;
        uint64_t n;

        if (fault_classes[c].kind != FAULT_TEXT)
            continue;
        assert_int_equal(plan_count(a, class, "all", &n, &err), 0);
        printf("# %s: %s: %llu candidates\n", path, class, (unsigned long long)n);
        for (unsigned seed = 0; n && seed < 300; seed++) {
            struct plan p = draw(a, class, "all", seed), q = draw(b, class, "all", seed);

            judge_plan(&r, oracle, image, &p);
            assert_int_equal(p.va, q.va);
            assert_memory_equal(p.new_bytes, q.new_bytes, p.len);
        }
    }
    oracle_free(oracle);
    image_free(image);
    elf_end(r.elf);
    close(r.fd);
    plan_source_free(a);
    plan_source_free(b);
}

static void every_class_in_the_sample(void **state)
{
    (void)state;
    judge_module(MODULE);
}

/* That of the hostile guest, and with 'make testbed-debian' one of Debian's. */
static void every_class_in_real_modules(void **state)
{
    static const char *const kinds[] = {"hostile-*/*.ko", "debian-*/modules/*.ko"};
    const char *cache = getenv("WCR_CACHE"), *home = getenv("HOME");
    unsigned judged = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char pattern[512];
        glob_t found;

        snprintf(pattern, sizeof(pattern), "%s%s/%s", cache ? cache : home ? home : "",
                 cache ? "" : "/.cache/wcr", kinds[i]);
        if (glob(pattern, 0, NULL, &found))
            continue;
        judge_module(found.gl_pathv[0]);
        judged++;
        globfree(&found);
    }
    if (!judged)
        skip();
}

/* --- what is no module ------------------------------------------------------------------- */

static void not_a_module(const char *kernel, const char *path, int code, const char *words)
{
    struct plan_source *s;
    struct err err = {0};

    if (plan_source_open(kernel, &s, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(plan_source_use_module(s, path, &err), -code);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
    /* It goes on with the kernel. */
    assert_int_equal(plan_draw(s, "TEXT", "all", 1, 0, &(struct plan){0}, &err), 0);
    plan_source_free(s);
}

static void errors(void **state)
{
    static const char kernel[] = TESTS "kernel-core";
    struct plan_source *s;
    struct err err;

    (void)state;
    not_a_module(kernel, "/nonexistent.ko", ENOENT, "/nonexistent.ko");
    not_a_module(kernel, "Makefile", ENOEXEC, "a .ko is wanted");
    not_a_module(kernel, kernel, ENOEXEC, "not an x86-64 module");
    assert_int_equal(system("cd " TESTS " && objcopy --only-keep-debug sample.ko debug.ko && "
                            "objcopy -R .modinfo sample.ko object.ko && strip -o stripped.ko sample.ko && "
                            "objcopy -R .note.gnu.build-id sample.ko anonymous.ko"), 0);
    not_a_module(kernel, TESTS "debug.ko", ENOEXEC, "name the module itself");
    not_a_module(kernel, TESTS "object.ko", ENOEXEC, "no kernel module");
    not_a_module(kernel, TESTS "stripped.ko", ENOEXEC, "no symbol table");
    not_a_module(kernel, TESTS "anonymous.ko", ENOEXEC, "no build id");
    not_a_module(TESTS "recorded", MODULE, ENODATA, "where a guest keeps its modules");
    assert_int_equal(plan_source_open(MODULE, &s, &err), -ENOEXEC);
    assert_non_null(strstr(err.msg, "--module"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_is_asked),
        cmocka_unit_test(what_the_kernel_rewrites_is_no_candidate),
        cmocka_unit_test(what_the_loader_writes_is_only_deleted),
        cmocka_unit_test(json),
        cmocka_unit_test(sources_are_known),
        cmocka_unit_test(every_class_in_the_sample),
        cmocka_unit_test(every_class_in_real_modules),
        cmocka_unit_test(errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
