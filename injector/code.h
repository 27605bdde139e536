/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function's instructions, and changing one of them. */
#ifndef WCR_INJECTOR_CODE_H
#define WCR_INJECTOR_CODE_H

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stdint.h>

#include "injector/image.h"

#define OPERANDS ZYDIS_MAX_OPERAND_COUNT_VISIBLE

struct insn {
    uint64_t va;
    const uint8_t *bytes;
    ZydisDecodedInstruction d;
    ZydisDecodedOperand op[OPERANDS];   /* d.operand_count_visible of them */
    bool target;                        /* a branch of the function leads here */
};

struct code {
    const struct image *image;
    ZydisDecoder decoder;
    const struct image_function *function;
    struct insn *insns;
    unsigned len, cap;
    uint64_t undecoded;                 /* bytes at the end that are no instruction */
};

/* Of functions of @image, which outlives it. */
void code_init(struct code *code, const struct image *image);
void code_done(struct code *code);

/* Decode @f from its start. -ENOMEM. */
int code_decode(struct code *code, const struct image_function *f, struct err *err);

/* The index of the instruction at @va; -1: none begins there. */
int code_index(const struct code *code, uint64_t va);

/* Decode one instruction that is exactly @len bytes long. */
bool insn_decode(const ZydisDecoder *decoder, const uint8_t *bytes, unsigned len, uint64_t va,
                 struct insn *ret);

/* "mov %rax, 0x8(%rbx)"; several joined by "; " if @bytes hold more; "(bad)" where undecodable. */
void code_format(const ZydisDecoder *decoder, const uint8_t *bytes, unsigned len, uint64_t va,
                 char *ret, size_t size);

/* Plain kinds. */
bool insn_is_conditional(const struct insn *i);     /* jcc, with a relative target */
bool insn_is_branch(const struct insn *i);          /* leaves the straight line: jmp, jcc, ret, ... */
bool insn_is_call(const struct insn *i);
bool insn_is_nop(const struct insn *i);
/* Control may come here from elsewhere than the instruction before. */
bool code_begins_block(const struct code *code, unsigned i);
uint64_t insn_branch_target(const struct insn *i);  /* 0: not relative */
/* The function that a direct call or jump leads to the begin of; NULL: none, or not known. */
const char *code_callee(const struct code *code, const struct insn *i);
/* A direct jump to another function instead of a call and a return; where it leads code_callee() says. */
bool code_is_tail_call(const struct code *code, const struct insn *i);
bool operand_is_gpr(const ZydisDecodedOperand *op);
/* xor r,r and sub r,r, which assign zero; test r,r, which reads r: one operand, named twice. */
bool insn_is_twin(const struct insn *i);
/* A memory operand that is accessed (lea's is not). */
bool operand_is_access(const ZydisDecodedOperand *op);

/*
 * Changes. Each writes into @bytes, a copy of the instruction, and is false when the
 * encoding has no such field or value.
 */
bool change_register(const struct insn *i, unsigned op, unsigned number, uint8_t *bytes);
bool change_base(const struct insn *i, unsigned op, unsigned number, uint8_t *bytes);
bool change_displacement_bit(const struct insn *i, unsigned bit, uint8_t *bytes);
void change_to_nop(const struct insn *i, uint8_t *bytes);
/* And traps up to its end, which are never reached. */
void change_to_return(const struct insn *i, uint8_t *bytes);

enum operand_part { PART_REGISTER, PART_BASE, PART_DISPLACEMENT };

/*
 * Whether @bytes are the same instruction, of the same length, but for @part of operand
 * @op, which differs and is of the same kind (size and class of the register; never rsp).
 */
bool change_is_only(const struct code *code, const struct insn *i, const uint8_t *bytes,
                    unsigned op, enum operand_part part);
/* Whether @bytes are the same twin (see insn_is_twin) with another register. */
bool change_is_twin(const struct code *code, const struct insn *i, const uint8_t *bytes);

#endif
