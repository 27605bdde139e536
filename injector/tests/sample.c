// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/tests/sample.h"

#define FUNCTION(name, code)                                                                       \
    asm(".pushsection .text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" code      \
        "\n.size " #name ", . - " #name "\n.popsection\n")

FUNCTION(sample_mov_registers, ".byte 0x48, 0x89, 0xc3\nret");
FUNCTION(sample_mov_narrow, ".byte 0x89, 0xc3\nret");
FUNCTION(sample_load, ".byte 0x48, 0x8b, 0x43, 0x10\nret");
FUNCTION(sample_store, ".byte 0x48, 0x89, 0x43, 0x10\nret");
FUNCTION(sample_load_stack, ".byte 0x48, 0x8b, 0x44, 0x24, 0x10\nret");
FUNCTION(sample_load_global, ".byte 0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00\nret");
FUNCTION(sample_zero, ".byte 0x31, 0xc0\nret");
FUNCTION(sample_lea, ".byte 0x48, 0x8d, 0x43, 0x10\nret");
FUNCTION(sample_indexed, ".byte 0x8b, 0x44, 0x8b, 0x10\nret");
FUNCTION(sample_compare, ".byte 0x48, 0x39, 0xd8\nret");
FUNCTION(sample_nops, ".byte 0x90, 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00\nret");
FUNCTION(sample_loop, ".byte 0x83, 0xe8, 0x01, 0x75, 0xfb, 0x7c, 0x00\nret");
FUNCTION(sample_entry, ".byte 0x48, 0x89, 0x7c, 0x24, 0x08, 0xc7, 0x04, 0x24, 0, 0, 0, 0, 0x48, 0x89, "
                       "0x7b, 0x08, 0x74, 0x00, 0x48, 0x89, 0x34, 0x24\nret");
FUNCTION(sample_order, ".byte 0x48, 0x39, 0xc3, 0x7c, 0x00, 0x48, 0x39, 0xc3, 0x89, 0xc3, 0x77, 0x00, 0x48, "
                       "0x39, 0xc3, 0x75, 0x00\nret");
FUNCTION(sample_call, ".byte 0x48, 0x89, 0xcf, 0x48, 0x89, 0xc7, 0xbe, 1, 0, 0, 0, 0x48, 0x89, 0xc3, 0xe8, 0, 0, "
                      "0, 0\nret");

FUNCTION(sample_joined, "cmp %rax, %rbx\n0: jl 1f\njmp 0b\n1: ret");
FUNCTION(sample_counted, "mov $6, %ecx\nmov $1, %esi\nrep stosq\ncall mutex_lock");
FUNCTION(mutex_lock, "ret");
FUNCTION(mutex_trylock, "ret");
FUNCTION(mutex_unlock, "jmp mutex_unlock");
FUNCTION(sample_locks, "call mutex_lock\ncall mutex_trylock\ncall mutex_lock + 1\nje mutex_lock\n"
                       "jmp mutex_lock + 1\njmp mutex_lock");

long sample_find(const struct sample_list *list, long key, long *ret)
{
    long steps = 0;

    for (; list; list = list->next, steps++) {
        if (list->key != key)
            continue;
        for (unsigned i = 0; i < 4; i++)
            ret[i] = list->value[i];
        return steps;
    }
    return -1;
}

void sample_sort(long *values, unsigned len)
{
    for (unsigned i = 1; i < len; i++) {
        long v = values[i];
        unsigned k = i;

        for (; k > 0 && values[k - 1] > v; k--)
            values[k] = values[k - 1];
        values[k] = v;
    }
}
