// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/mutate.h"

#include <string.h>

static const struct mutate_class classes[] = {
    {"TEXT", mutate_text, false}, {"NOP", mutate_nop, true},    {"INIT", mutate_init, true},
    {"DST", mutate_dst, false},   {"SRC", mutate_src, false},   {"PTR", mutate_ptr, false},
    {"BR", mutate_br, true},      {"LOOP", mutate_loop, false}, {"OBO", mutate_obo, false},
    {"I/F", mutate_if, true},     {"LOCK", mutate_lock, true},
};

const struct mutate_class *mutate_class_find(const char *name)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (!strcmp(classes[i].name, name))
            return &classes[i];
    return NULL;
}

/*
 * One random bit of one instruction. What comes out may be longer, shorter or no instruction
 * at all, as with a real bit error: only the bytes are the same number.
 */
bool mutate_text(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    if (*n >= 8u * insn->d.length)
        return false;
    memcpy(bytes, insn->bytes, insn->d.length);
    bytes[*n / 8] ^= (uint8_t)(1u << *n % 8);
    ++*n;
    return true;
}

static bool delete(const struct insn *insn, unsigned *n, uint8_t *bytes)
{
    if (*n)
        return false;
    change_to_nop(insn, bytes);
    *n = 1;
    return true;
}

/* Any instruction but one that already does nothing. */
bool mutate_nop(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    return !insn_is_nop(insn) && insn->d.mnemonic != ZYDIS_MNEMONIC_INT3 &&
           delete(insn, n, bytes);
}

/*
 * A store of an immediate or register to the stack, before the function's first branch. No
 * frame pointer: locals are relative to rsp. (Saving registers is done by push.)
 */
bool mutate_init(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    if (insn->d.mnemonic != ZYDIS_MNEMONIC_MOV || insn->op[0].type != ZYDIS_OPERAND_TYPE_MEMORY ||
        insn->op[0].mem.base != ZYDIS_REGISTER_RSP ||
        (insn->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE && !operand_is_gpr(&insn->op[1])))
        return false;
    /* What the compiler split off as unlikely is entered in the middle. */
    if (strstr(code->function->name, ".cold"))
        return false;
    for (unsigned k = 0; k < i; k++)
        if (insn_is_branch(&code->insns[k]))
            return false;
    return delete(insn, n, bytes);
}

bool mutate_br(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    return insn_is_conditional(&code->insns[i]) && delete(&code->insns[i], n, bytes);
}

/* The condition is the low half of the opcode's last byte; its lowest bit negates it. */
static void condition_change(const struct insn *insn, unsigned mask, uint8_t *bytes)
{
    memcpy(bytes, insn->bytes, insn->d.length);
    bytes[insn->d.raw.imm[0].offset - 1] ^= (uint8_t)mask;
}

/* Backward within the function: the branch that goes round. */
bool mutate_loop(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];
    uint64_t to;

    if (*n || !insn_is_conditional(insn))
        return false;
    to = insn_branch_target(insn);
    if (to > insn->va || to < code->function->va)
        return false;
    condition_change(insn, 1, bytes);
    *n = 1;
    return true;
}

/* The flags come from a compare, with nothing that writes flags between. */
static bool after_compare(const struct code *code, unsigned i)
{
    while (i > 0) {
        const struct insn *p = &code->insns[i - 1];

        if (code->insns[i].target)
            return false;
        if (p->d.mnemonic == ZYDIS_MNEMONIC_CMP)
            return true;
        if (insn_is_branch(p) || insn_is_call(p) ||
            (p->d.cpu_flags && (p->d.cpu_flags->modified | p->d.cpu_flags->set_0 |
                                p->d.cpu_flags->set_1 | p->d.cpu_flags->undefined)))
            return false;
        i--;
    }
    return false;
}

/* b and be, ae and a, l and le, ge and g: they differ in whether equal counts. */
bool mutate_obo(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    /* By condition: what to flip; 0: not an ordering. */
    static const uint8_t flip[16] = {[0x2] = 4, [0x3] = 4, [0x6] = 4, [0x7] = 4,
                                     [0xc] = 2, [0xd] = 2, [0xe] = 2, [0xf] = 2};
    const struct insn *insn = &code->insns[i];

    if (*n || !insn_is_conditional(insn) || !flip[insn->d.opcode & 15] || !after_compare(code, i))
        return false;
    condition_change(insn, flip[insn->d.opcode & 15], bytes);
    *n = 1;
    return true;
}

static bool is_argument(ZydisRegister reg)
{
    switch (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg)) {
    case ZYDIS_REGISTER_RDI:
    case ZYDIS_REGISTER_RSI:
    case ZYDIS_REGISTER_RDX:
    case ZYDIS_REGISTER_RCX:
    case ZYDIS_REGISTER_R8:
    case ZYDIS_REGISTER_R9:
        return true;
    default:
        return false;
    }
}

/* Also unnamed, as rep stos writes rcx and rdi, and div writes rdx. */
static bool writes(const struct code *code, const struct insn *insn, ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction d;

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&code->decoder, insn->bytes, insn->d.length, &d, op)))
        return true;
    for (unsigned k = 0; k < d.operand_count; k++)
        if ((op[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) && operand_is_gpr(&op[k]) &&
            ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op[k].reg.value) == whole)
            return true;
    return false;
}

/*
 * The last instruction in the call's straight line that sets an argument register. Which
 * registers the callee reads is not known: some that only look like arguments are among them.
 */
bool mutate_if(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    if (*n || !insn->d.operand_count_visible || !operand_is_gpr(&insn->op[0]) ||
        !(insn->op[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
        !is_argument(insn->op[0].reg.value) || insn->d.mnemonic == ZYDIS_MNEMONIC_POP)
        return false;
    for (unsigned k = 1; k < insn->d.operand_count_visible; k++)
        if (insn->op[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
            return false;
    for (unsigned k = i + 1; k < code->len; k++) {
        const struct insn *next = &code->insns[k];

        if (next->target)
            return false;
        if (insn_is_call(next))
            return delete(insn, n, bytes);
        if (insn_is_branch(next) || writes(code, next, insn->op[0].reg.value))
            return false;
    }
    return false;
}
