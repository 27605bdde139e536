// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/tests/oracle.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testbed/env.h"

const char *oracle_vmlinux(void)
{
    static char path[512];
    const char *value = getenv("WCR_VMLINUX"), *cache = getenv("WCR_CACHE"), *home = getenv("HOME");
    struct env_file *env;
    struct err err;
    glob_t found;

    if (!value && !env_file_load("build/testbed.env", &env, &err)) {
        value = env_file_get(env, "WCR_VMLINUX");
        snprintf(path, sizeof(path), "%s", value ? value : "");
        env_file_free(env);
        value = *path ? path : NULL;
    }
    if (value)
        return access(value, R_OK) ? NULL : value;
    if (cache)
        snprintf(path, sizeof(path), "%s/linux-*/build/vmlinux", cache);
    else
        snprintf(path, sizeof(path), "%s/.cache/wcr/linux-*/build/vmlinux", home ? home : "");
    if (glob(path, 0, NULL, &found))
        return NULL;
    snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
    globfree(&found);
    return path;
}

const char *oracle_text(const uint8_t *old, const uint8_t *new, unsigned len)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < len; i++)
        bits += (unsigned)__builtin_popcount((unsigned)(old[i] ^ new[i]));
    return bits == 1 ? NULL : "not exactly one bit differs";
}

#define PARTS 5

/* "mov %rax, 0x8(%rbx,%rcx,4)": the mnemonic with its prefixes, then operands. */
struct line {
    char text[PARTS][96];
    unsigned parts;
};

static struct line split(const char *text)
{
    const char *rest = text;
    struct line l = {.parts = 1};
    unsigned depth = 0, n = 0;

    /* Prefixes are words, too: the operands begin at the first of $ % * ( 0-9 or -. */
    while (*rest && !(rest > text && rest[-1] == ' ' && strchr("$%*(0123456789-", *rest)))
        rest++;
    snprintf(l.text[0], sizeof(l.text[0]), "%.*s", (int)(rest - text), text);
    for (; *rest; rest++) {
        if (*rest == '(')
            depth++;
        if (*rest == ')')
            depth--;
        if (l.parts == 1)
            l.parts = 2;
        if (*rest == ',' && !depth) {
            if (l.parts == PARTS)
                break;
            l.parts++;
            n = 0;
            continue;
        }
        if (*rest != ' ' && n < sizeof(l.text[0]) - 1)
            l.text[l.parts - 1][n++] = *rest;
    }
    return l;
}

static bool is_memory(const char *operand)
{
    return strchr(operand, '(') || operand[strcspn(operand, "%$")] == '\0' || strchr(operand, ':');
}

/* The base register of an operand, and the text around it. */
static void base_of(const char *operand, char *ret_base, char *ret_rest)
{
    const char *open = strchr(operand, '(');
    size_t len = open ? strcspn(open + 1, ",)") : 0;

    snprintf(ret_base, 96, "%.*s", (int)len, open ? open + 1 : "");
    snprintf(ret_rest, 96, "%s", open ? open + 1 + len : "");
}

static void displacement_of(const char *operand, char *ret)
{
    const char *open = strchr(operand, '(');

    snprintf(ret, 96, "%.*s", (int)(open ? open - operand : (long)strlen(operand)), operand);
}

/* Either the base or the displacement, not both, and nothing else. */
static const char *memory_changed(const char *old, const char *new)
{
    char base[2][96], rest[2][96], displacement[2][96];

    if (!is_memory(old) || !is_memory(new))
        return "an operand changed its kind";
    base_of(old, base[0], rest[0]);
    base_of(new, base[1], rest[1]);
    displacement_of(old, displacement[0]);
    displacement_of(new, displacement[1]);
    if (strcmp(rest[0], rest[1]) != 0)
        return "the index changed";
    if (!strcmp(base[1], "%rsp") && strcmp(base[0], "%rsp") != 0)
        return "the stack pointer became the base";
    if (!strcmp(base[0], base[1]) == !strcmp(displacement[0], displacement[1]))
        return "not exactly one of base and displacement changed";
    return NULL;
}

/* Which operands differ, as a bit mask; bit 0 is the mnemonic. */
static unsigned differing(const struct line *a, const struct line *b)
{
    unsigned mask = 0;

    if (a->parts != b->parts)
        return ~0u;
    for (unsigned i = 0; i < a->parts; i++)
        if (strcmp(a->text[i], b->text[i]) != 0)
            mask |= 1u << i;
    return mask;
}

/* What names one register twice because it assigns zero or tests it. */
static bool is_twin(const struct line *l)
{
    return l->parts == 3 && !strcmp(l->text[1], l->text[2]) && l->text[1][0] == '%' &&
           (!strncmp(l->text[0], "xor", 3) || !strncmp(l->text[0], "sub", 3) ||
            !strncmp(l->text[0], "test", 4));
}

/* Instructions that write their last operand only, however they are suffixed. */
static bool writes_last(const char *mnemonic)
{
    static const char *const names[] = {"mov", "lea", "add", "sub",  "and", "or",
                                        "xor", "shl", "shr", "sar",  "inc", "dec",
                                        "not", "neg", "set", "cmov", "imul"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strncmp(mnemonic, names[i], strlen(names[i])))
            return true;
    return false;
}

static const char *one_changed(const struct line *a, const struct line *b, unsigned *ret)
{
    unsigned mask = differing(a, b);

    if (mask == ~0u || (mask & 1))
        return "it is another instruction";
    if (!mask || (mask & (mask - 1)))
        return "not exactly one operand changed";
    *ret = (unsigned)__builtin_ctz(mask);
    return NULL;
}

const char *oracle_dst(const char *old_asm, const char *new_asm)
{
    struct line a = split(old_asm), b = split(new_asm);
    const char *bad;
    unsigned op;

    if (is_twin(&a))
        return is_twin(&b) && differing(&a, &b) == 6 ? NULL : "a twin lost its other half";
    bad = one_changed(&a, &b, &op);
    if (bad)
        return bad;
    if (writes_last(a.text[0]) && op != a.parts - 1)
        return "not the written operand changed";
    if (a.text[op][0] == '%' && !strchr(a.text[op], ':'))
        return b.text[op][0] == '%' ? NULL : "an operand changed its kind";
    return memory_changed(a.text[op], b.text[op]);
}

const char *oracle_ptr(const char *old_asm, const char *new_asm)
{
    struct line a = split(old_asm), b = split(new_asm);
    unsigned op;
    const char *bad = one_changed(&a, &b, &op);
    char base[96], rest[96];

    if (bad)
        return bad;
    base_of(a.text[op][0] == '*' ? a.text[op] + 1 : a.text[op], base, rest);
    if (!*base || !strcmp(base, "%rsp") || !strcmp(base, "%rip"))
        return "no pointer changed";
    return memory_changed(a.text[op], b.text[op]);
}

const char *oracle_plan(const struct plan *p)
{
    if (!p->len || p->len > 15)
        return "no instruction has this length";
    if (!memcmp(p->old_bytes, p->new_bytes, p->len))
        return "nothing changed";
    if (!strcmp(p->class_name, "TEXT"))
        return oracle_text(p->old_bytes, p->new_bytes, p->len);
    if (strstr(p->new_asm, "(bad)") || strchr(p->new_asm, ';'))
        return "it is no longer one instruction";
    return !strcmp(p->class_name, "DST") ? oracle_dst(p->old_asm, p->new_asm)
                                         : oracle_ptr(p->old_asm, p->new_asm);
}
