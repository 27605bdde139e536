// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void code_init(struct code *code, const struct image *image)
{
    memset(code, 0, sizeof(*code));
    code->image = image;
    ZydisDecoderInit(&code->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

void code_done(struct code *code)
{
    free(code->insns);
    code->insns = NULL;
    code->len = code->cap = 0;
}

static bool decode(const ZydisDecoder *decoder, const uint8_t *bytes, size_t room, uint64_t va,
                   struct insn *ret)
{
    ZydisDecoderContext ctx;

    ret->va = va;
    ret->bytes = bytes;
    ret->target = false;
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, &ctx, bytes, room, &ret->d)) &&
           ret->d.operand_count_visible <= OPERANDS &&
           ZYAN_SUCCESS(ZydisDecoderDecodeOperands(decoder, &ctx, &ret->d, ret->op,
                                                   ret->d.operand_count_visible));
}

bool insn_decode(const ZydisDecoder *decoder, const uint8_t *bytes, unsigned len, uint64_t va,
                 struct insn *ret)
{
    return decode(decoder, bytes, len, va, ret) && ret->d.length == len;
}

int code_index(const struct code *code, uint64_t va)
{
    unsigned lo = 0, hi = code->len;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (code->insns[mid].va < va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < code->len && code->insns[lo].va == va ? (int)lo : -1;
}

int code_decode(struct code *code, const struct image_function *f, struct err *err)
{
    uint64_t off = 0;

    code->function = f;
    code->len = 0;
    while (off < f->size) {
        if (code->len == code->cap) {
            unsigned cap = code->cap ? 2 * code->cap : 1024;
            struct insn *p = reallocarray(code->insns, cap, sizeof(*p));

            if (!p)
                return err_set(err, ENOMEM, "out of memory");
            code->insns = p;
            code->cap = cap;
        }
        if (!decode(&code->decoder, f->bytes + off, f->size - off, f->va + off,
                    &code->insns[code->len]))
            break;
        off += code->insns[code->len++].d.length;
    }
    code->undecoded = f->size - off;
    for (unsigned i = 0; i < code->len; i++) {
        uint64_t va = insn_branch_target(&code->insns[i]);
        int to = va ? code_index(code, va) : -1;

        if (to >= 0 && !insn_is_call(&code->insns[i]))
            code->insns[to].target = true;
    }
    return 0;
}

void code_format(const ZydisDecoder *decoder, const uint8_t *bytes, unsigned len, uint64_t va,
                 char *ret, size_t size)
{
    ZydisFormatter formatter;
    size_t n = 0;

    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
    *ret = '\0';
    for (unsigned off = 0; off < len && n + 1 < size;) {
        ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
        ZydisDecodedInstruction d;
        char text[96];

        if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, bytes + off, len - off, &d, op)) ||
            ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &d, op,
                                                        d.operand_count_visible, text,
                                                        sizeof(text), va + off, NULL))) {
            snprintf(ret + n, size - n, "%s(bad)", off ? "; " : "");
            return;
        }
        n += (size_t)snprintf(ret + n, size - n, "%s%s", off ? "; " : "", text);
        off += d.length;
    }
}

bool insn_is_conditional(const struct insn *i)
{
    return i->d.meta.category == ZYDIS_CATEGORY_COND_BR &&
           i->d.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE &&
           ((i->d.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (i->d.opcode & 0xf0) == 0x70) ||
            (i->d.opcode_map == ZYDIS_OPCODE_MAP_0F && (i->d.opcode & 0xf0) == 0x80));
}

bool insn_is_branch(const struct insn *i)
{
    switch (i->d.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
        return true;
    default:
        return i->d.mnemonic == ZYDIS_MNEMONIC_UD2;
    }
}

bool insn_is_call(const struct insn *i)
{
    return i->d.meta.category == ZYDIS_CATEGORY_CALL;
}

bool insn_is_nop(const struct insn *i)
{
    return i->d.meta.category == ZYDIS_CATEGORY_NOP ||
           i->d.meta.category == ZYDIS_CATEGORY_WIDENOP || i->d.mnemonic == ZYDIS_MNEMONIC_NOP ||
           i->d.mnemonic == ZYDIS_MNEMONIC_ENDBR64;
}

bool code_begins_block(const struct code *code, unsigned i)
{
    return !i || code->insns[i].target || insn_is_branch(&code->insns[i - 1]);
}

uint64_t insn_branch_target(const struct insn *i)
{
    ZyanU64 va;

    if (!(i->d.attributes & ZYDIS_ATTRIB_IS_RELATIVE) || i->d.operand_count_visible != 1 ||
        i->op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
        ZYAN_FAILED(ZydisCalcAbsoluteAddress(&i->d, &i->op[0], i->va, &va)))
        return 0;
    return va;
}

const char *code_callee(const struct code *code, const struct insn *i)
{
    const char *symbol = image_relocated(code->image, i->va, i->d.length);
    uint64_t va = insn_branch_target(i);
    const struct image_function *f;

    if (symbol)
        return va ? symbol : NULL;
    f = va ? image_function_at(code->image, va) : NULL;
    return f && f->va == va ? f->name : NULL;
}

bool code_is_tail_call(const struct code *code, const struct insn *i)
{
    /* A loop may go round to its function's begin. */
    return i->d.mnemonic == ZYDIS_MNEMONIC_JMP && code_callee(code, i) &&
           insn_branch_target(i) != code->function->va;
}

bool operand_is_gpr(const ZydisDecodedOperand *op)
{
    if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    switch (ZydisRegisterGetClass(op->reg.value)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        return true;
    default:
        return false;
    }
}

bool operand_is_access(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM;
}

/* Put a register's number into a field of @byte and, for its fourth bit, into REX. */
static bool field_set(const struct insn *i, uint8_t *bytes, unsigned byte, unsigned shift,
                      unsigned rex_bit, unsigned number)
{
    bool rex = i->d.attributes & ZYDIS_ATTRIB_HAS_REX;
    unsigned at = i->d.raw.rex.offset;

    if (number > 7 && !rex)
        return false;
    bytes[byte] = (uint8_t)((bytes[byte] & ~(7u << shift)) | (number & 7) << shift);
    if (rex)
        bytes[at] = (uint8_t)((bytes[at] & ~(1u << rex_bit)) | (number >> 3) << rex_bit);
    return true;
}

bool change_register(const struct insn *i, unsigned op, unsigned number, uint8_t *bytes)
{
    const ZydisDecodedOperand *o = &i->op[op];

    if (i->d.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || !operand_is_gpr(o))
        return false;
    switch (o->encoding) {
    case ZYDIS_OPERAND_ENCODING_MODRM_REG:
        return field_set(i, bytes, i->d.raw.modrm.offset, 3, 2, number);
    case ZYDIS_OPERAND_ENCODING_MODRM_RM:
        return field_set(i, bytes, i->d.raw.modrm.offset, 0, 0, number);
    case ZYDIS_OPERAND_ENCODING_OPCODE:
        /* The opcode's last byte stands before the immediate, or at the end. */
        return field_set(i, bytes, (i->d.raw.imm[0].size ? i->d.raw.imm[0].offset : i->d.length) - 1,
                         0, 0, number);
    default:
        return false;
    }
}

bool change_base(const struct insn *i, unsigned op, unsigned number, uint8_t *bytes)
{
    const ZydisDecodedOperand *o = &i->op[op];

    if (i->d.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
        o->type != ZYDIS_OPERAND_TYPE_MEMORY || o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM ||
        o->mem.base == ZYDIS_REGISTER_NONE || o->mem.base == ZYDIS_REGISTER_RIP)
        return false;
    if (i->d.attributes & ZYDIS_ATTRIB_HAS_SIB)
        return field_set(i, bytes, i->d.raw.sib.offset, 0, 0, number);
    return field_set(i, bytes, i->d.raw.modrm.offset, 0, 0, number);
}

bool change_displacement_bit(const struct insn *i, unsigned bit, uint8_t *bytes)
{
    if (i->d.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || bit >= i->d.raw.disp.size ||
        !(i->d.attributes & ZYDIS_ATTRIB_HAS_MODRM))
        return false;
    bytes[i->d.raw.disp.offset + bit / 8] ^= (uint8_t)(1u << bit % 8);
    return true;
}

/* The forms that the processors' manuals recommend, and prefixes for what is longer. */
void change_to_nop(const struct insn *i, uint8_t *bytes)
{
    static const uint8_t nop[9][9] = {
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    unsigned len = i->d.length, plain = len < 9 ? len : 9;

    memset(bytes, 0x66, len - plain);
    memcpy(bytes + len - plain, nop[plain - 1], plain);
}

void change_to_return(const struct insn *i, uint8_t *bytes)
{
    memset(bytes, 0xcc, i->d.length);
    bytes[0] = 0xc3;
}

static bool register_alike(ZydisRegister a, ZydisRegister b)
{
    return a != b && ZydisRegisterGetClass(a) == ZydisRegisterGetClass(b) &&
           ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, b) != ZYDIS_REGISTER_RSP;
}

static bool memory_same(const ZydisDecodedOperandMem *a, const ZydisDecodedOperandMem *b,
                        bool base, bool displacement)
{
    /* rbp and rsp as a base bring the stack segment with them; in 64-bit mode all are flat. */
    bool flat = a->segment != ZYDIS_REGISTER_FS && a->segment != ZYDIS_REGISTER_GS &&
                b->segment != ZYDIS_REGISTER_FS && b->segment != ZYDIS_REGISTER_GS;

    return a->type == b->type && (a->segment == b->segment || flat) && a->index == b->index &&
           a->scale == b->scale && a->disp.has_displacement == b->disp.has_displacement &&
           (a->base == b->base) == base && (a->disp.value == b->disp.value) == displacement;
}

static bool operand_same(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b)
{
    if (a->type != b->type || a->size != b->size || a->actions != b->actions)
        return false;
    switch (a->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return a->reg.value == b->reg.value;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return memory_same(&a->mem, &b->mem, true, true);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return a->imm.value.u == b->imm.value.u;
    default:
        return a->ptr.segment == b->ptr.segment && a->ptr.offset == b->ptr.offset;
    }
}

static bool operand_differs(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b,
                            enum operand_part part)
{
    if (a->type != b->type || a->size != b->size || a->actions != b->actions)
        return false;
    switch (part) {
    case PART_REGISTER:
        return operand_is_gpr(a) && register_alike(a->reg.value, b->reg.value);
    case PART_BASE:
        return a->type == ZYDIS_OPERAND_TYPE_MEMORY &&
               register_alike(a->mem.base, b->mem.base) &&
               memory_same(&a->mem, &b->mem, false, true);
    case PART_DISPLACEMENT:
        return a->type == ZYDIS_OPERAND_TYPE_MEMORY && memory_same(&a->mem, &b->mem, true, false);
    }
    return false;
}

bool insn_is_twin(const struct insn *i)
{
    return i->d.operand_count_visible == 2 && operand_is_gpr(&i->op[0]) &&
           operand_is_gpr(&i->op[1]) && i->op[0].reg.value == i->op[1].reg.value &&
           (i->d.mnemonic == ZYDIS_MNEMONIC_XOR || i->d.mnemonic == ZYDIS_MNEMONIC_SUB ||
            i->d.mnemonic == ZYDIS_MNEMONIC_TEST);
}

static bool same_instruction(const struct code *code, const struct insn *i, const uint8_t *bytes,
                             struct insn *ret)
{
    return insn_decode(&code->decoder, bytes, i->d.length, i->va, ret) &&
           ret->d.mnemonic == i->d.mnemonic &&
           ret->d.operand_count_visible == i->d.operand_count_visible &&
           ret->d.operand_width == i->d.operand_width &&
           ret->d.address_width == i->d.address_width;
}

bool change_is_twin(const struct code *code, const struct insn *i, const uint8_t *bytes)
{
    struct insn n;

    return same_instruction(code, i, bytes, &n) && insn_is_twin(&n) &&
           operand_differs(&i->op[0], &n.op[0], PART_REGISTER);
}

bool change_is_only(const struct code *code, const struct insn *i, const uint8_t *bytes,
                    unsigned op, enum operand_part part)
{
    struct insn n;

    if (!same_instruction(code, i, bytes, &n))
        return false;
    for (unsigned k = 0; k < i->d.operand_count_visible; k++) {
        if (k == op ? !operand_differs(&i->op[k], &n.op[k], part) :
                      !operand_same(&i->op[k], &n.op[k]))
            return false;
    }
    return true;
}
