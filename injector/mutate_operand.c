// SPDX-License-Identifier: GPL-2.0-or-later
/* DST, SRC and PTR: another register, another base, another displacement. */
#include "injector/mutate.h"

#include <string.h>

/* Ways are numbered operand by operand: 16 registers or bases, then 32 displacement bits. */
#define BASE_WAYS 16
#define WAYS (BASE_WAYS + 32)

/* A wrong variable lies near the right one: no further than this. */
#define NEAR_BITS 12

/*
 * Bits of a displacement that lead to another variable, aligned as the access is. The sign
 * of a one-byte displacement is left alone: it leads out of the structure.
 */
static bool bit_is_near(const struct insn *i, const ZydisDecodedOperand *op, unsigned bit)
{
    unsigned bytes = op->size / 8, limit = i->d.raw.disp.size == 8 ? 7 : NEAR_BITS;

    return (1u << bit) >= (bytes > 8 ? 8 : bytes) && bit < limit;
}

static bool way(const struct code *code, const struct insn *i, unsigned op, unsigned w,
                bool any_bit, uint8_t *bytes)
{
    const ZydisDecodedOperand *o = &i->op[op];
    unsigned bit = w - BASE_WAYS;

    memcpy(bytes, i->bytes, i->d.length);
    /* Both halves at once, as one operand, the first. */
    if (insn_is_twin(i))
        return op == 0 && w < BASE_WAYS && change_register(i, 0, w, bytes) &&
               change_register(i, 1, w, bytes) && change_is_twin(code, i, bytes);
    if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
        return w < BASE_WAYS && change_register(i, op, w, bytes) &&
               change_is_only(code, i, bytes, op, PART_REGISTER);
    if (w < BASE_WAYS)
        return o->mem.base != ZYDIS_REGISTER_RSP && change_base(i, op, w, bytes) &&
               change_is_only(code, i, bytes, op, PART_BASE);
    return (any_bit || bit_is_near(i, o, bit)) && change_displacement_bit(i, bit, bytes) &&
           change_is_only(code, i, bytes, op, PART_DISPLACEMENT);
}

typedef bool operand_fn(const ZydisDecodedOperand *op);

static bool next_way(const struct code *code, const struct insn *i, operand_fn *wanted,
                     bool any_bit, unsigned *n, uint8_t *bytes)
{
    while (*n < i->d.operand_count_visible * WAYS) {
        unsigned op = *n / WAYS;

        if (!wanted(&i->op[op])) {
            *n = (op + 1) * WAYS;
            continue;
        }
        if (way(code, i, op, (*n)++ % WAYS, any_bit, bytes))
            return true;
    }
    return false;
}

static bool is_stack_pointer(ZydisRegister reg)
{
    return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg) ==
           ZYDIS_REGISTER_RSP;
}

/* Statements: not what moves the stack or the flow, and not what does nothing. */
static bool is_statement(const struct insn *i)
{
    return i->d.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && !insn_is_branch(i) &&
           !insn_is_call(i) && !insn_is_nop(i) && i->d.meta.category != ZYDIS_CATEGORY_PUSH &&
           i->d.meta.category != ZYDIS_CATEGORY_POP;
}

static bool register_or_access(const ZydisDecodedOperand *op)
{
    return operand_is_gpr(op) ? !is_stack_pointer(op->reg.value) : operand_is_access(op);
}

static bool is_written(const ZydisDecodedOperand *op)
{
    return (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) && register_or_access(op);
}

static bool is_only_read(const ZydisDecodedOperand *op)
{
    return (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
           !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) && register_or_access(op);
}

bool mutate_dst(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    return is_statement(insn) && next_way(code, insn, is_written, false, n, bytes);
}

bool mutate_src(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    return is_statement(insn) && next_way(code, insn, is_only_read, false, n, bytes);
}

static bool is_pointed_to(const ZydisDecodedOperand *op)
{
    return operand_is_access(op) && op->mem.base != ZYDIS_REGISTER_NONE &&
           op->mem.base != ZYDIS_REGISTER_RSP && op->mem.base != ZYDIS_REGISTER_RIP;
}

/* Any bit of the displacement: this is an accident, not a mistake. */
bool mutate_ptr(const struct code *code, unsigned i, unsigned *n, uint8_t *bytes)
{
    const struct insn *insn = &code->insns[i];

    return !insn_is_nop(insn) && next_way(code, insn, is_pointed_to, true, n, bytes);
}
