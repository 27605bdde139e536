// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: mutations that change the length, another operand or more than one bit; ways
 * left out or invented for instructions known by heart; faults put into what does nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "injector/mutate.h"
#include "injector/plan.h"
#include "injector/tests/oracle.h"

static const char *const classes[] = {"TEXT", "PTR", "DST"};

static struct image *image;
static struct oracle *oracle;
static struct code code;

static int setup(void **state)
{
    struct err err = {0};

    (void)state;
    if (image_open("/proc/self/exe", &image, &err))
        return -1;
    oracle = oracle_new(image);
    code_init(&code, image);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    code_done(&code);
    oracle_free(oracle);
    image_free(image);
    return 0;
}

static const struct image_function *function(const char *name)
{
    size_t n;
    const struct image_function *f = image_functions(image, &n);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(f[i].name, name))
            return &f[i];
    fail_msg("no function %s in the test's own symbols", name);
    return NULL;
}

static void decode(const char *name)
{
    struct err err = {0};

    assert_int_equal(code_decode(&code, function(name), &err), 0);
    assert_int_equal(code.undecoded, 0);
    assert_null(oracle_enter(oracle, code.function));
}

/* All ways of a class to change instruction @i, each checked; their number. */
static unsigned ways(const char *class, unsigned i, char (*ret_asm)[96])
{
    const struct mutate_class *c = mutate_class_find(class);
    const struct insn *insn = &code.insns[i];
    uint8_t bytes[PLAN_BYTES];
    unsigned n = 0, len = 0;

    assert_non_null(c);
    while (c->variant(&code, i, &n, bytes)) {
        const char *bad = oracle_judge(oracle, class, insn->va, bytes, insn->d.length);

        if (bad)
            fail_msg("%s: '%s': %s", class,
                     oracle_text(oracle, insn->va, bytes, insn->d.length), bad);
        if (ret_asm)
            code_format(&code.decoder, bytes, insn->d.length, insn->va, ret_asm[len],
                        sizeof(ret_asm[len]));
        len++;
    }
    return len;
}

/* Numbers of ways counted by hand from the encodings. */
static void known_instructions(void **state)
{
    static const struct {
        const char *function;
        unsigned text, dst, ptr;
    } known[] = {
        /* REX reaches 16 registers; not itself, never rsp. */
        {"sample_mov_registers", 24, 14, 0},
        /* No REX: 8. */
        {"sample_mov_narrow", 16, 6, 0},
        /* Bases: 16 but itself, and rsp and r12, which need a SIB byte; 8 displacement bits. */
        {"sample_load", 32, 14, 13 + 8},
        /* Of 8 bytes: bits 3 to 6 lead to an aligned neighbour without turning back. */
        {"sample_store", 32, 13 + 4, 13 + 8},
        {"sample_load_stack", 40, 14, 0},
        {"sample_load_global", 56, 14, 0},
        {"sample_zero", 16, 6, 0},
        {"sample_lea", 32, 14, 0},
        /* No REX: 8 bases but itself and rsp. */
        {"sample_indexed", 32, 6, 6 + 8},
        {"sample_compare", 24, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        unsigned found[3];

        decode(known[i].function);
        for (unsigned c = 0; c < 3; c++)
            found[c] = ways(classes[c], 0, NULL);
        if (found[0] != known[i].text || found[1] != known[i].ptr || found[2] != known[i].dst)
            fail_msg("%s: TEXT %u PTR %u DST %u", known[i].function, found[0], found[1], found[2]);
    }
}

static bool among(char (*list)[96], unsigned len, const char *text)
{
    for (unsigned i = 0; i < len; i++)
        if (!strcmp(list[i], text))
            return true;
    return false;
}

static void ways_in_words(void **state)
{
    char list[64][96];
    unsigned n;

    (void)state;
    decode("sample_load");
    n = ways("PTR", 0, list);
    assert_true(among(list, n, "mov 0x10(%r13), %rax"));
    assert_true(among(list, n, "mov (%rbx), %rax") || among(list, n, "mov 0x00(%rbx), %rax"));
    assert_true(among(list, n, "mov -0x70(%rbx), %rax"));
    assert_false(among(list, n, "mov 0x10(%rsp), %rax"));
    n = ways("DST", 0, list);
    assert_true(among(list, n, "mov 0x10(%rbx), %r15"));
    assert_false(among(list, n, "mov 0x10(%rbx), %rsp"));
    decode("sample_zero");
    n = ways("DST", 0, list);
    assert_true(among(list, n, "xor %edi, %edi"));
}

static void nops_and_returns_are_left_alone(void **state)
{
    (void)state;
    decode("sample_nops");
    assert_int_equal(code.len, 3);
    for (unsigned i = 0; i < code.len; i++) {
        assert_int_equal(ways("PTR", i, NULL), 0);
        assert_int_equal(ways("DST", i, NULL), 0);
        assert_int_equal(ways("TEXT", i, NULL), 8 * code.insns[i].d.length);
    }
}

/* sub, jne back, jl on: branches of every kind that is told apart. */
static void branches(void **state)
{
    unsigned n = 0;
    uint8_t bytes[PLAN_BYTES];

    (void)state;
    decode("sample_loop");
    assert_int_equal(code.len, 4);
    assert_true(code.insns[0].target);
    assert_true(mutate_loop(&code, 1, &n, bytes));
    assert_memory_equal(bytes, "\x74\xfb", 2);
    n = 0;
    assert_false(mutate_loop(&code, 2, &n, bytes));
    n = 0;
    assert_true(mutate_br(&code, 2, &n, bytes));
    assert_memory_equal(bytes, "\x66\x90", 2);
    assert_false(mutate_br(&code, 2, &n, bytes));
    /* sub sets the flags, and is no compare. */
    n = 0;
    assert_false(mutate_obo(&code, 2, &n, bytes));
}

/* One way, which makes @new of instruction @i; NULL: none. */
static void only_way(const char *class, unsigned i, const char *new)
{
    mutate_variant_fn *variant = mutate_class_find(class)->variant;
    uint8_t bytes[PLAN_BYTES];
    unsigned n = 0;

    if (variant(&code, i, &n, bytes) != !!new)
        fail_msg("%s, instruction %u: %s", class, i, new ? "left out" : "a candidate");
    if (!new)
        return;
    assert_memory_equal(bytes, new, code.insns[i].d.length);
    assert_false(variant(&code, i, &n, bytes));
}

#define NOP_3 "\x0f\x1f\x00"
#define NOP_5 "\x0f\x1f\x44\x00\x00"
#define NOP_7 "\x0f\x1f\x80\x00\x00\x00\x00"

/* Stores to the stack before the first branch: not that of rbx, not that behind je. */
static void stores_at_the_entry(void **state)
{
    (void)state;
    decode("sample_entry");
    assert_int_equal(code.len, 6);
    only_way("INIT", 0, NOP_5);
    only_way("INIT", 1, NOP_7);
    for (unsigned i = 2; i < 6; i++)
        only_way("INIT", i, NULL);
    only_way("NOP", 1, NOP_7);
    decode("sample_nops");
    only_way("NOP", 0, NULL);
}

/* jl and ja behind a compare, with a mov between that leaves the flags; jne orders nothing. */
static void orderings(void **state)
{
    (void)state;
    decode("sample_order");
    assert_int_equal(code.len, 8);
    only_way("OBO", 1, "\x7e\x00");
    only_way("OBO", 4, "\x73\x00");
    only_way("OBO", 6, NULL);
    /* Whoever jumps to the branch brings other flags. */
    decode("sample_joined");
    only_way("OBO", 1, NULL);
}

/* The last to set rdi, and what sets esi; not the first, and not rbx. */
static void arguments(void **state)
{
    (void)state;
    decode("sample_call");
    assert_int_equal(code.len, 6);
    only_way("I/F", 0, NULL);
    only_way("I/F", 1, NOP_3);
    only_way("I/F", 2, NOP_5);
    only_way("I/F", 3, NULL);
    only_way("I/F", 4, NULL);
}

/* What is read, in words; a zero is no source. */
static void sources(void **state)
{
    const struct mutate_class *c = mutate_class_find("SRC");
    uint8_t bytes[PLAN_BYTES];
    unsigned n = 0, ways = 0;
    char text[96];

    (void)state;
    decode("sample_mov_registers");
    while (c->variant(&code, 0, &n, bytes)) {
        code_format(&code.decoder, bytes, 3, code.insns[0].va, text, sizeof(text));
        assert_string_equal(strchr(text, ','), ", %rbx");
        ways++;
    }
    assert_int_equal(ways, 14);
    decode("sample_zero");
    only_way("SRC", 0, NULL);
}

/* rep stos counts in ecx: that is no argument. */
static void arguments_that_are_used_up(void **state)
{
    (void)state;
    decode("sample_counted");
    only_way("I/F", 0, NULL);
    only_way("I/F", 1, NOP_5);
}

/* Not one whose answer is used, nor into the middle; of jumps only what is a call and a return. */
static void locks(void **state)
{
    (void)state;
    decode("sample_locks");
    assert_int_equal(code.len, 6);
    only_way("LOCK", 0, NOP_5);
    for (unsigned i = 1; i < 5; i++)
        only_way("LOCK", i, NULL);
    only_way("LOCK", 5, "\xc3\xcc\xcc\xcc\xcc");
    decode("mutex_unlock");
    only_way("LOCK", 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instructions),
        cmocka_unit_test(ways_in_words),
        cmocka_unit_test(nops_and_returns_are_left_alone),
        cmocka_unit_test(branches),
        cmocka_unit_test(stores_at_the_entry),
        cmocka_unit_test(orderings),
        cmocka_unit_test(arguments),
        cmocka_unit_test(sources),
        cmocka_unit_test(arguments_that_are_used_up),
        cmocka_unit_test(locks),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
