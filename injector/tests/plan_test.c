// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: plans that depend on anything but build id, target, class, seed and index; fields
 * that scripts rely on and that are missing or of another type; silent loss of a class.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "injector/plan.h"
#include "injector/tests/oracle.h"

#define SELF "/proc/self/exe"
#define SAMPLE "file:injector/tests/sample.c"
#define RECORDED "injector/tests/recorded.txt"

static struct plan_source *source_open(const char *path)
{
    struct plan_source *s;
    struct err err = {0};

    if (plan_source_open(path, &s, &err))
        fail_msg("%s", err.msg);
    return s;
}

static struct plan draw(struct plan_source *s, const char *class, const char *target, uint64_t seed,
                        unsigned index)
{
    struct err err = {0};
    struct plan p;

    if (plan_draw(s, class, target, seed, index, &p, &err))
        fail_msg("%s %s: %s", class, target, err.msg);
    return p;
}

static void plans_equal(const struct plan *a, const struct plan *b)
{
    json_t *x = plan_to_json(a), *y = plan_to_json(b);

    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

/* Another process, another order of questions, other classes between. */
static void same_seed_same_plan(void **state)
{
    struct plan_source *a = source_open(SELF), *b = source_open(SELF);

    (void)state;
    for (size_t c = 0; c < fault_classes_len; c++) {
        const char *class = fault_classes[c].name;
        struct err err;
        struct plan p;

        for (unsigned seed = 0; seed < 20; seed++) {
            if (plan_draw(a, class, "all", seed, 3, &p, &err))
                continue; /* a class that this program has no candidate of */
            draw(b, "TEXT", "func:main", seed, 0);
            struct plan q = draw(b, class, "all", seed, 3);

            plans_equal(&p, &q);
        }
    }
    plan_source_free(a);
    plan_source_free(b);
}

static void other_seed_other_plan(void **state)
{
    struct plan_source *s = source_open(SELF);
    struct plan p = draw(s, "TEXT", "all", 7, 0), q = draw(s, "TEXT", "all", 8, 0);
    struct plan r = draw(s, "TEXT", "all", 7, 1), t = draw(s, "TEXT", SAMPLE, 7, 0);
    struct plan x = draw(NULL, "ALLOC", "all", 7, 0), y = draw(NULL, "ALLOC", "all", 8, 0);

    (void)state;
    assert_true(p.va != q.va || memcmp(p.new_bytes, q.new_bytes, p.len) != 0);
    assert_true(p.va != r.va || memcmp(p.new_bytes, r.new_bytes, p.len) != 0);
    assert_true(p.va != t.va);
    assert_true(x.param_seed != y.param_seed);
    plan_source_free(s);
}

/* The draw of run-time classes is recorded in databases: it may never change. */
static void runtime_plans_are_for_ever(void **state)
{
    struct plan p = draw(NULL, "PANIC", "all", 1, 0), q = draw(NULL, "ALLOC", "all", 7, 2);

    (void)state;
    assert_int_equal(p.delay_ms, 537);
    assert_int_equal(p.param_seed, 4255891078660948483);
    assert_int_equal(q.delay_ms, 776);
    assert_int_equal(q.param_seed, 4601040234264351216);
    assert_int_equal(q.rate_lo, 1000);
    assert_int_equal(q.rate_hi, 4000);
    assert_int_equal(p.rate_hi, 0);
}

/* "PTR 2 recorded_sort+0x3c 48895308 48895309 after 537 ms, one of 12" */
static void recorded_line(const struct plan *p, char *ret, size_t size)
{
    char old[2 * PLAN_BYTES + 1] = "", new[2 * PLAN_BYTES + 1] = "";

    for (unsigned i = 0; i < p->len; i++) {
        snprintf(old + 2 * i, 3, "%02x", p->old_bytes[i]);
        snprintf(new + 2 * i, 3, "%02x", p->new_bytes[i]);
    }
    snprintf(ret, size, "%s %llu %s+0x%llx %s %s after %u ms, one of %llu\n", p->class_name,
             (unsigned long long)p->seed, p->symbol, (unsigned long long)p->offset, old, new,
             p->delay_ms, (unsigned long long)p->candidates);
}

/*
 * Every class over a kernel that is the same on every machine, and over a module. What was drawn is
 * left in build/tests/recorded.txt: it replaces RECORDED when plans are meant to be others.
 */
static void text_plans_are_for_ever(void **state)
{
    struct plan_source *kernel = source_open("build/tests/recorded");
    struct plan_source *module = source_open("build/tests/kernel-core");
    struct err err;
    FILE *recorded = fopen(RECORDED, "r"), *drawn = fopen("build/tests/recorded.txt", "w");
    char wanted[256], line[256], first[600] = "";

    (void)state;
    assert_non_null(recorded);
    assert_non_null(drawn);
    assert_int_equal(plan_source_use_module(module, "build/tests/recorded.ko", &err), 0);
    for (size_t c = 0; c < 2 * fault_classes_len; c++) {
        const struct fault_class *class = &fault_classes[c % fault_classes_len];

        if (class->kind != FAULT_TEXT)
            continue;
        for (unsigned seed = 1; seed <= 5; seed++) {
            struct plan p = draw(c < fault_classes_len ? kernel : module, class->name, "all", seed, 0);

            recorded_line(&p, line, sizeof(line));
            fputs(line, drawn);
            if (!fgets(wanted, sizeof(wanted), recorded))
                *wanted = '\0';
            if (!*first && strcmp(wanted, line) != 0)
                snprintf(first, sizeof(first), "recorded: %sdrawn:    %s", wanted, line);
        }
    }
    if (!*first && fgets(wanted, sizeof(wanted), recorded))
        snprintf(first, sizeof(first), "recorded, and not drawn: %s", wanted);
    fclose(recorded);
    fclose(drawn);
    plan_source_free(kernel);
    plan_source_free(module);
    if (*first)
        fail_msg("%s: %s", RECORDED, first);
}

static bool is_hex(const char *text)
{
    return *text && !text[strspn(text, "0123456789abcdef")];
}

static void json_of_text_faults(void **state)
{
    static const char *const names[] = {"class",   "symbol",  "source", "old",      "new",
                                        "old_asm", "new_asm", "target", "build_id", "va"};
    static const char *const numbers[] = {"seed", "index", "offset", "candidates", "delay_ms"};
    struct plan_source *s = source_open(SELF);
    struct plan p = draw(s, "PTR", "func:sample_sort", 5, 2);
    json_t *json = plan_to_json(&p);
    const char *va, *old, *new;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!json_is_string(json_object_get(json, names[i])))
            fail_msg("no text '%s'", names[i]);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (!json_is_integer(json_object_get(json, numbers[i])))
            fail_msg("no number '%s'", numbers[i]);
    va = json_string_value(json_object_get(json, "va"));
    old = json_string_value(json_object_get(json, "old"));
    new = json_string_value(json_object_get(json, "new"));
    assert_true(!strncmp(va, "0x", 2) && is_hex(va + 2));
    assert_true(is_hex(old) && is_hex(new));
    assert_int_equal(strlen(old), 2 * p.len);
    assert_int_equal(strlen(new), strlen(old));
    assert_int_equal(p.seed, 5);
    assert_int_equal(p.index, 2);
    assert_true(!strncmp(p.source, "injector/tests/sample.c:", 24));
    assert_true(!strncmp(p.symbol, "sample_", 7));
    assert_int_equal(strlen(p.build_id), 40);
    assert_string_equal(p.build_id, plan_source_build_id(s));
    json_decref(json);
    plan_source_free(s);
}

static void json_of_runtime_faults(void **state)
{
    struct plan p = draw(NULL, "LEAK", "all", 3, 1), q = draw(NULL, "STACK", "all", 3, 1);
    json_t *rated = plan_to_json(&p), *plain = plan_to_json(&q);
    json_t *params = json_object_get(rated, "params");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(rated, "class")), "LEAK");
    assert_string_equal(json_string_value(json_object_get(rated, "kind")), "runtime");
    assert_null(json_object_get(rated, "va"));
    assert_int_equal(json_integer_value(json_object_get(params, "lo")), 1000);
    assert_int_equal(json_integer_value(json_object_get(params, "hi")), 4000);
    assert_true(json_is_integer(json_object_get(params, "seed")));
    /* A module refuses parameters that it does not have. */
    params = json_object_get(plain, "params");
    assert_int_equal(json_object_size(params), 1);
    assert_true(json_is_integer(json_object_get(params, "seed")));
    json_decref(rated);
    json_decref(plain);
}

static void targets(void **state)
{
    struct plan_source *s = source_open(SELF);
    char range[96];
    struct plan p;

    (void)state;
    for (unsigned seed = 0; seed < 50; seed++) {
        p = draw(s, "TEXT", "func:sample_sort", seed, 0);
        assert_true(!strncmp(p.symbol, "sample_sort", 11));
        /* The sanitizer puts a constructor and a destructor into every file. */
        p = draw(s, "DST", SAMPLE, seed, 0);
        assert_true(!strncmp(p.symbol, "sample_", 7) || strstr(p.symbol, "_sub_"));
    }
    snprintf(range, sizeof(range), "range:0x%llx-0x%llx", (unsigned long long)p.va,
             (unsigned long long)p.va + 1);
    assert_int_equal(draw(s, "TEXT", range, 1, 0).va, p.va);
    assert_int_equal(draw(s, "TEXT", range, 1, 0).candidates, 1);
    plan_source_free(s);
}

/* By chance alone each of these 2 sites is drawn 500 times of 1000: 5 sigma are 79. */
static void draws_are_uniform_over_sites(void **state)
{
    struct plan_source *s = source_open(SELF);
    unsigned first = 0;

    (void)state;
    for (unsigned seed = 0; seed < 1000; seed++) {
        struct plan p = draw(s, "TEXT", "func:sample_mov_registers", seed, 0);

        assert_int_equal(p.candidates, 2);
        first += p.offset == 0;
        assert_true(p.delay_ms >= PLAN_DELAY_MIN_MS && p.delay_ms <= PLAN_DELAY_MAX_MS);
    }
    assert_in_range(first, 421, 579);
    plan_source_free(s);
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

static void errors(void **state)
{
    struct plan_source *s = source_open(SELF), *none;
    struct err err;

    (void)state;
    refused(s, "TXET", "all", EINVAL, "known: TEXT");
    refused(NULL, "TEXT", "all", EINVAL, "vmlinux");
    refused(s, "TEXT", "fs/ext4", EINVAL, "dir:");
    refused(s, "TEXT", "module:ext4", EINVAL, "--module FILE");
    refused(s, "TEXT", "range:10-10", EINVAL, "range:START-END");
    refused(NULL, "PANIC", "nonsense", EINVAL, "unknown target");
    refused(s, "TEXT", "dir:fs/ext4", ENOENT, "no function");
    refused(s, "TEXT", "func:no_such_function", ENOENT, "no_such_function");
    /* A class without a candidate is an error, never an empty result. */
    refused(s, "PTR", "func:sample_mov_registers", ENODATA, "no candidate");
    plan_source_free(s);
    assert_int_equal(plan_source_open("/nonexistent/vmlinux", &none, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/nonexistent/vmlinux"));
    assert_int_equal(plan_source_open("Makefile", &none, &err), -ENOEXEC);
    assert_non_null(strstr(err.msg, "vmlinux is wanted"));
}

static const char *judge(struct oracle *oracle, const struct image *image, const struct plan *p)
{
    const struct image_function *f = image_function_at(image, p->va);
    const char *bad = f ? oracle_enter(oracle, f) : "no function there";

    return bad ? bad : oracle_judge(oracle, p->class_name, p->va, p->new_bytes, p->len);
}

/* The subsystem that the default campaign aims at, with two kernels opened apart. */
static void every_class_in_a_kernel(void **state)
{
    const char *path = oracle_vmlinux();
    struct plan_source *a, *b;
    struct oracle *oracle;
    struct image *image;
    struct err err = {0};

    (void)state;
    if (!path)
        skip();
    a = source_open(path);
    b = source_open(path);
    assert_int_equal(image_open(path, &image, &err), 0);
    oracle = oracle_new(image);
    for (size_t c = 0; c < fault_classes_len; c++) {
        const char *class = fault_classes[c].name;
        uint64_t n;

        if (fault_classes[c].kind != FAULT_TEXT)
            continue;
        assert_int_equal(plan_count(a, class, "dir:fs/ext4", &n, &err), 0);
        assert_true(n > 0);
        for (unsigned seed = 0; seed < 100; seed++) {
            struct plan p = draw(a, class, "dir:fs/ext4", seed, seed % 3);
            struct plan q = draw(b, class, "dir:fs/ext4", seed, seed % 3);
            const char *bad = judge(oracle, image, &p);

            if (bad)
                fail_msg("%s at %s: '%s' became '%s': %s", class, p.source, p.old_asm, p.new_asm,
                         bad);
            plans_equal(&p, &q);
            assert_int_equal(p.candidates, n);
            assert_true(p.va >= 0xffffffff80000000 && p.build_id_va >= 0xffffffff80000000);
        }
    }
    oracle_free(oracle);
    image_free(image);
    plan_source_free(a);
    plan_source_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_plan),          cmocka_unit_test(other_seed_other_plan),
        cmocka_unit_test(runtime_plans_are_for_ever),   cmocka_unit_test(text_plans_are_for_ever),
        cmocka_unit_test(json_of_text_faults),
        cmocka_unit_test(json_of_runtime_faults),       cmocka_unit_test(targets),
        cmocka_unit_test(draws_are_uniform_over_sites), cmocka_unit_test(errors),
        cmocka_unit_test(every_class_in_a_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
