// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/tests/oracle.h"

#include <capstone/capstone.h>
#include <fnmatch.h>
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

struct oracle {
    csh cs;
    const struct image *image;
    const struct image_function *f;
    cs_insn *insns;
    size_t len;
    bool *jumped_to;            /* by the function's own branches */
    cs_insn *changed;           /* the last one judged */
    char text[192];
};

struct oracle *oracle_new(const struct image *image)
{
    struct oracle *o = calloc(1, sizeof(*o));

    if (!o || cs_open(CS_ARCH_X86, CS_MODE_64, &o->cs) ||
        cs_option(o->cs, CS_OPT_DETAIL, CS_OPT_ON)) {
        fprintf(stderr, "Capstone cannot be opened\n");
        abort();
    }
    o->image = image;
    o->changed = cs_malloc(o->cs);
    return o;
}

static void leave(struct oracle *o)
{
    if (o->len)
        cs_free(o->insns, o->len);
    free(o->jumped_to);
    o->jumped_to = NULL;
    o->insns = NULL;
    o->len = 0;
}

void oracle_free(struct oracle *o)
{
    if (!o)
        return;
    leave(o);
    cs_free(o->changed, 1);
    cs_close(&o->cs);
    free(o);
}

static const cs_x86 *x86(const cs_insn *i)
{
    return &i->detail->x86;
}

static bool in_group(const cs_insn *i, uint8_t group)
{
    for (unsigned k = 0; k < i->detail->groups_count; k++)
        if (i->detail->groups[k] == group)
            return true;
    return false;
}

/* The instruction at @va; NULL: none begins there. */
static const cs_insn *at(const struct oracle *o, uint64_t va)
{
    size_t lo = 0, hi = o->len;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (o->insns[mid].address < va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < o->len && o->insns[lo].address == va ? &o->insns[lo] : NULL;
}

/* 0: it has none, or it is computed. */
static uint64_t destination(const cs_insn *i)
{
    return (in_group(i, X86_GRP_JUMP) || in_group(i, X86_GRP_CALL)) && x86(i)->op_count == 1 &&
           x86(i)->operands[0].type == X86_OP_IMM ? (uint64_t)x86(i)->operands[0].imm : 0;
}

const char *oracle_enter(struct oracle *o, const struct image_function *f)
{
    leave(o);
    o->f = f;
    o->len = cs_disasm(o->cs, f->bytes, f->size, f->va, 0, &o->insns);
    o->jumped_to = calloc(o->len + 1, sizeof(*o->jumped_to));
    if (!o->len || o->insns[o->len - 1].address + o->insns[o->len - 1].size != f->va + f->size)
        return "not all of the function can be disassembled";
    for (size_t i = 0; i < o->len; i++) {
        const cs_insn *to = at(o, destination(&o->insns[i]));

        if (to && !in_group(&o->insns[i], X86_GRP_CALL))
            o->jumped_to[to - o->insns] = true;
    }
    return NULL;
}

const char *oracle_text(struct oracle *o, uint64_t va, const uint8_t *bytes, unsigned len)
{
    size_t left = len;

    if (cs_disasm_iter(o->cs, &bytes, &left, &va, o->changed) && !left)
        snprintf(o->text, sizeof(o->text), "%s %s", o->changed->mnemonic, o->changed->op_str);
    else
        snprintf(o->text, sizeof(o->text), "(bad)");
    return o->text;
}

/* --- registers --------------------------------------------------------------------- */

static const x86_reg families[16][5] = {
    {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
    {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
    {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
    {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
    {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
    {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
    {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
    {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
    {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
    {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
    {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
    {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
    {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
    {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
    {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
    {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

enum { RCX = 1, RDX, RSP = 4, RSI = 6, RDI, R8, R9 };

/* The register's number; -1: not a general one. */
static int family(unsigned reg)
{
    for (int f = 0; f < 16; f++)
        for (unsigned k = 0; k < 5; k++)
            if (reg != X86_REG_INVALID && reg == families[f][k])
                return f;
    return -1;
}

static bool writes_register(const struct oracle *o, const cs_insn *i, int wanted)
{
    cs_regs read, written;
    uint8_t reads, writes;

    if (cs_regs_access(o->cs, i, read, &reads, written, &writes))
        return true;
    for (unsigned k = 0; k < writes; k++)
        if (family(written[k]) == wanted)
            return true;
    return false;
}

/* --- where each class strikes --------------------------------------------------------- */

static bool does_nothing(const cs_insn *i)
{
    return i->id == X86_INS_NOP;
}

static bool leaves(const cs_insn *i)
{
    return in_group(i, X86_GRP_JUMP) || in_group(i, X86_GRP_RET) || in_group(i, X86_GRP_INT) ||
           in_group(i, X86_GRP_IRET) || i->id == X86_INS_UD2;
}

/* Conditions of jcc, each beside its negation. */
static const unsigned negations[][2] = {
    {X86_INS_JO, X86_INS_JNO}, {X86_INS_JB, X86_INS_JAE}, {X86_INS_JE, X86_INS_JNE},
    {X86_INS_JBE, X86_INS_JA}, {X86_INS_JS, X86_INS_JNS}, {X86_INS_JP, X86_INS_JNP},
    {X86_INS_JL, X86_INS_JGE}, {X86_INS_JLE, X86_INS_JG},
};

/* Those that differ in whether equal counts. */
static const unsigned bounds[][2] = {
    {X86_INS_JB, X86_INS_JBE}, {X86_INS_JA, X86_INS_JAE},
    {X86_INS_JL, X86_INS_JLE}, {X86_INS_JG, X86_INS_JGE},
};

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The other one of @id's pair; 0: it is in none. */
static unsigned partner(const unsigned (*pairs)[2], size_t len, unsigned id)
{
    for (size_t k = 0; k < len; k++)
        for (unsigned side = 0; side < 2; side++)
            if (pairs[k][side] == id)
                return pairs[k][!side];
    return 0;
}

static bool wants_any(const struct oracle *o, const cs_insn *i)
{
    (void)o;
    return i->id != X86_INS_INT3 && !does_nothing(i);
}

static bool wants_init(const struct oracle *o, const cs_insn *i)
{
    const cs_x86_op *op = x86(i)->operands;

    if (i->id != X86_INS_MOV || op[0].type != X86_OP_MEM || op[0].mem.base != X86_REG_RSP ||
        (op[1].type != X86_OP_IMM && family(op[1].reg) < 0) || strstr(o->f->name, ".cold"))
        return false;
    for (const cs_insn *k = o->insns; k < i; k++)
        if (leaves(k))
            return false;
    return true;
}

static bool wants_br(const struct oracle *o, const cs_insn *i)
{
    (void)o;
    return partner(negations, LEN(negations), i->id);
}

static bool wants_loop(const struct oracle *o, const cs_insn *i)
{
    return wants_br(o, i) && destination(i) <= i->address && destination(i) >= o->f->va;
}

#define EACH_FLAG(kind)                                                                            \
    (X86_EFLAGS_##kind##_CF | X86_EFLAGS_##kind##_PF | X86_EFLAGS_##kind##_AF |                    \
     X86_EFLAGS_##kind##_ZF | X86_EFLAGS_##kind##_SF | X86_EFLAGS_##kind##_OF)

static bool writes_flags(const cs_insn *i)
{
    return x86(i)->eflags & (EACH_FLAG(MODIFY) | EACH_FLAG(RESET) | EACH_FLAG(UNDEFINED) |
                             X86_EFLAGS_SET_CF | X86_EFLAGS_SET_ZF);
}

/* Nobody jumps in, nothing leaves, and the last to write flags was cmp. */
static bool wants_obo(const struct oracle *o, const cs_insn *i)
{
    if (!partner(bounds, LEN(bounds), i->id))
        return false;
    while (i > o->insns && !o->jumped_to[i - o->insns]) {
        i--;
        if (i->id == X86_INS_CMP)
            return true;
        if (writes_flags(i) || leaves(i) || in_group(i, X86_GRP_CALL))
            return false;
    }
    return false;
}

static bool wants_if(const struct oracle *o, const cs_insn *i)
{
    const cs_x86_op *op = x86(i)->operands;
    int reg = x86(i)->op_count && op[0].type == X86_OP_REG ? family(op[0].reg) : -1;

    if ((reg != RDI && reg != RSI && reg != RDX && reg != RCX && reg != R8 && reg != R9) ||
        !writes_register(o, i, reg) || i->id == X86_INS_POP)
        return false;
    /* What sets another one as well is no assignment of an argument. */
    for (unsigned k = 1; k < x86(i)->op_count; k++)
        if (op[k].access & CS_AC_WRITE)
            return false;
    for (const cs_insn *k = i + 1; k < o->insns + o->len; k++) {
        if (o->jumped_to[k - o->insns])
            return false;
        if (in_group(k, X86_GRP_CALL))
            return true;
        if (leaves(k) || writes_register(o, k, reg))
            return false;
    }
    return false;
}

/* The function that a call goes to, or a jump in its place, also in a module that is not loaded; NULL: unknown. */
static const char *callee(const struct oracle *o, const cs_insn *i)
{
    const char *symbol = image_relocated(o->image, i->address, i->size);
    const struct image_function *f = image_function_at(o->image, destination(i));

    if (!in_group(i, X86_GRP_CALL) && (i->id != X86_INS_JMP || destination(i) == o->f->va))
        return NULL;
    return symbol ? symbol : f && f->va == destination(i) ? f->name : NULL;
}

/* By their names, and not those whose answer matters. */
static bool wants_lock(const struct oracle *o, const cs_insn *i)
{
    static const char *const locks[] = {"_raw_*_lock*", "_raw_*_unlock*", "mutex_lock*",
                                        "mutex_unlock*", "down*", "up", "up_read", "up_write"};
    static const char *const answer[] = {"*_irqsave", "*_interruptible", "*_killable", "*_timeout",
                                         "*trylock*", "downgrade_*", "*_nested", "*.cold"};
    const char *name = callee(o, i);
    bool found = false;

    if (!name)
        return false;
    for (size_t k = 0; k < LEN(locks); k++)
        found |= !fnmatch(locks[k], name, 0);
    for (size_t k = 0; k < LEN(answer); k++)
        found &= fnmatch(answer[k], name, 0) != 0;
    return found;
}

/* --- what an instruction becomes -------------------------------------------------------- */

static const char *is_deleted(const cs_insn *old, const cs_insn *new)
{
    (void)old;
    return does_nothing(new) ? NULL : "it is not deleted";
}

static const char *is_not_called(const cs_insn *old, const cs_insn *new)
{
    if (in_group(old, X86_GRP_CALL))
        return is_deleted(old, new);
    return new->id == X86_INS_RET && !x86(new)->op_count ? NULL : "it does not return";
}

static const char *is_partner(const unsigned (*pairs)[2], size_t len, const cs_insn *old,
                              const cs_insn *new)
{
    if (new->id != partner(pairs, len, old->id))
        return "it has the wrong condition";
    return destination(new) == destination(old) ? NULL : "it goes elsewhere";
}

static const char *is_negated(const cs_insn *old, const cs_insn *new)
{
    return is_partner(negations, LEN(negations), old, new);
}

static const char *is_off_by_one(const cs_insn *old, const cs_insn *new)
{
    return is_partner(bounds, LEN(bounds), old, new);
}

/* CS_AC_READ, CS_AC_WRITE. Of some instructions Capstone 4 does not know it, or knows it wrong. */
static unsigned access_of(const cs_insn *i, int k)
{
    switch (i->id) {
    case X86_INS_TEST: return CS_AC_READ;
    case X86_INS_CMPXCHG: return k ? CS_AC_READ : CS_AC_READ | CS_AC_WRITE;
    case X86_INS_SETB: return CS_AC_WRITE;
    default: return x86(i)->operands[k].access;
    }
}

static bool same_memory(const x86_op_mem *a, const x86_op_mem *b)
{
    return a->segment == b->segment && a->base == b->base && a->index == b->index &&
           a->scale == b->scale && a->disp == b->disp;
}

static bool same_operand(const cs_x86_op *a, const cs_x86_op *b)
{
    if (a->type != b->type || a->size != b->size || a->access != b->access)
        return false;
    switch (a->type) {
    case X86_OP_REG: return a->reg == b->reg;
    case X86_OP_IMM: return a->imm == b->imm;
    default: return same_memory(&a->mem, &b->mem);
    }
}

/* The one operand that differs; -1: not one, or it is another instruction. */
static int differing(const cs_insn *old, const cs_insn *new)
{
    int found = -1;

    if (old->id != new->id || x86(old)->op_count != x86(new)->op_count ||
        memcmp(x86(old)->prefix, x86(new)->prefix, sizeof(x86(old)->prefix)) != 0)
        return -1;
    for (int k = 0; k < x86(old)->op_count; k++) {
        if (same_operand(&x86(old)->operands[k], &x86(new)->operands[k]))
            continue;
        if (found >= 0)
            return -1;
        found = k;
    }
    return found;
}

static const char *is_other_register(unsigned old, unsigned new)
{
    if (family(old) < 0 || family(new) < 0)
        return "it is no general register";
    if (family(old) == RSP || family(new) == RSP)
        return "the stack pointer is touched";
    return old != new ? NULL : "the register is the same";
}

/* Another base, or a displacement with one bit flipped; @near: of a neighbour. */
static const char *is_other_place(const cs_x86_op *a, const cs_x86_op *b, bool near)
{
    x86_op_mem base = b->mem, displacement = b->mem;
    int64_t away = b->mem.disp - a->mem.disp;

    base.base = a->mem.base;
    if (same_memory(&a->mem, &base))
        return is_other_register(a->mem.base, b->mem.base);
    displacement.disp = a->mem.disp;
    if (!same_memory(&a->mem, &displacement))
        return "more than the base or the displacement changed";
    away = away < 0 ? -away : away;
    if (away & (away - 1))
        return "the displacement changed by more than a bit";
    if (near && (away >= 4096 || (away < a->size && away < 8) ||
                 (a->mem.disp < 0) != (b->mem.disp < 0)))
        return "this is no neighbour";
    return NULL;
}

static const char *is_other_operand(const cs_x86_op *a, const cs_x86_op *b, bool near)
{
    if (a->type != b->type || a->size != b->size || a->access != b->access)
        return "an operand changed its kind";
    return a->type == X86_OP_REG ? is_other_register(a->reg, b->reg) : is_other_place(a, b, near);
}

/* xor r,r and sub r,r assign zero, test r,r asks one register. */
static bool is_twin(const cs_insn *i)
{
    const cs_x86_op *op = x86(i)->operands;

    return (i->id == X86_INS_XOR || i->id == X86_INS_SUB || i->id == X86_INS_TEST) &&
           op[0].type == X86_OP_REG && op[1].type == X86_OP_REG && op[0].reg == op[1].reg;
}

static const char *is_other_twin(const cs_insn *old, const cs_insn *new)
{
    return new->id == old->id && is_twin(new) ?
           is_other_register(x86(old)->operands[0].reg, x86(new)->operands[0].reg) :
           "a twin lost its other half";
}

static const char *is_written_elsewhere(const cs_insn *old, const cs_insn *new)
{
    int k = differing(old, new);

    if (is_twin(old))
        return old->id == X86_INS_TEST ? "nothing is written" : is_other_twin(old, new);
    if (k < 0)
        return "not just one operand changed";
    if (!(access_of(old, k) & CS_AC_WRITE))
        return "the operand is not written";
    return is_other_operand(&x86(old)->operands[k], &x86(new)->operands[k], true);
}

static const char *is_read_elsewhere(const cs_insn *old, const cs_insn *new)
{
    int k = differing(old, new);

    if (is_twin(old))
        return old->id == X86_INS_TEST ? is_other_twin(old, new) : "a zero is no source";
    if (k < 0)
        return "not just one operand changed";
    if (access_of(old, k) != CS_AC_READ)
        return "the operand is not only read";
    return is_other_operand(&x86(old)->operands[k], &x86(new)->operands[k], true);
}

static const char *is_lost_pointer(const cs_insn *old, const cs_insn *new)
{
    int k = differing(old, new);
    const cs_x86_op *op = &x86(old)->operands[k < 0 ? 0 : k];

    if (k < 0)
        return "not just one operand changed";
    if (op->type != X86_OP_MEM || old->id == X86_INS_LEA || family(op->mem.base) < 0 ||
        family(op->mem.base) == RSP)
        return "no pointer is followed there";
    return is_other_operand(op, &x86(new)->operands[k], false);
}

/* --- the classes ----------------------------------------------------------------------- */

static const struct rule {
    const char *class;
    bool (*wants)(const struct oracle *o, const cs_insn *i);        /* NULL: see becomes */
    const char *(*becomes)(const cs_insn *old, const cs_insn *new);
} rules[] = {
    {"NOP", wants_any, is_deleted},
    {"INIT", wants_init, is_deleted},
    {"DST", NULL, is_written_elsewhere},
    {"SRC", NULL, is_read_elsewhere},
    {"PTR", NULL, is_lost_pointer},
    {"BR", wants_br, is_deleted},
    {"LOOP", wants_loop, is_negated},
    {"OBO", wants_obo, is_off_by_one},
    {"I/F", wants_if, is_deleted},
    {"LOCK", wants_lock, is_not_called},
};

static const struct rule *rule_of(const char *class)
{
    for (size_t i = 0; i < LEN(rules); i++)
        if (!strcmp(rules[i].class, class))
            return &rules[i];
    return NULL;
}

bool oracle_decides(const char *class)
{
    const struct rule *rule = rule_of(class);

    return rule && rule->wants;
}

bool oracle_wants(struct oracle *o, const char *class, uint64_t va)
{
    const cs_insn *i = at(o, va);

    return i && rule_of(class)->wants(o, i);
}

static unsigned bits_differing(const uint8_t *a, const uint8_t *b, unsigned len)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < len; i++)
        bits += (unsigned)__builtin_popcount((unsigned)(a[i] ^ b[i]));
    return bits;
}

const char *oracle_judge(struct oracle *o, const char *class, uint64_t va, const uint8_t *new,
                         unsigned len)
{
    const cs_insn *old = at(o, va);
    const struct rule *rule = rule_of(class);
    const uint8_t *p = new;
    uint64_t pc = va;
    size_t left = len;

    if (!old)
        return "no instruction begins there";
    if (old->size != len)
        return "the length changed";
    if (!memcmp(old->bytes, new, len))
        return "nothing changed";
    if (!strcmp(class, "TEXT"))
        return bits_differing(old->bytes, new, len) == 1 ? NULL : "not exactly one bit differs";
    if (!rule)
        return "nobody has said what this class does";
    if (!cs_disasm_iter(o->cs, &p, &left, &pc, o->changed))
        return "it is no instruction";
    /* What stands behind a return is no part of it. */
    while (left && o->changed->id == X86_INS_RET && *p == 0xcc)
        p++, left--;
    if (left)
        return "it is no longer one instruction";
    if (rule->wants && !rule->wants(o, old))
        return "the class does not strike here";
    return rule->becomes(old, o->changed);
}
