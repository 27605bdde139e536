/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions to be mutated, linked into the tests, whose own executable then serves as
 * the kernel. The addresses are those in the file: only names are looked up.
 */
#ifndef WCR_INJECTOR_TESTS_SAMPLE_H
#define WCR_INJECTOR_TESTS_SAMPLE_H

/* One instruction known by its bytes, then ret. */
void sample_mov_registers(void);        /* 48 89 c3           mov %rax, %rbx */
void sample_mov_narrow(void);           /* 89 c3              mov %eax, %ebx */
void sample_load(void);                 /* 48 8b 43 10        mov 0x10(%rbx), %rax */
void sample_store(void);                /* 48 89 43 10        mov %rax, 0x10(%rbx) */
void sample_load_stack(void);           /* 48 8b 44 24 10     mov 0x10(%rsp), %rax */
void sample_load_global(void);          /* 48 8b 05 ...       mov x(%rip), %rax */
void sample_zero(void);                 /* 31 c0              xor %eax, %eax */
void sample_lea(void);                  /* 48 8d 43 10        lea 0x10(%rbx), %rax */
void sample_indexed(void);              /* 8b 44 8b 10        mov 0x10(%rbx,%rcx,4), %eax */
void sample_compare(void);              /* 48 39 d8           cmp %rbx, %rax */
void sample_nops(void);                 /* nop, nopw: nothing but TEXT */
void sample_loop(void);                 /* 0: sub $1, %eax; jne 0b; jl 1f; 1: */
void sample_entry(void);                /* mov %rdi, 8(%rsp); movl $0, (%rsp); mov %rdi, 8(%rbx); je 1f;
                                           1: mov %rsi, (%rsp) */
void sample_order(void);                /* cmp; jl; cmp; mov %eax, %ebx; ja; cmp; jne */
void sample_call(void);                 /* mov %rcx, %rdi; mov %rax, %rdi; mov $1, %esi;
                                           mov %rax, %rbx; call */
void sample_joined(void);               /* cmp; 0: jl 1f; jmp 0b; 1: ret */
void sample_counted(void);              /* mov $6, %ecx; mov $1, %esi; rep stosq; call */
void sample_locks(void);                /* call mutex_lock; call mutex_trylock; call into the middle of
                                           mutex_lock; je mutex_lock; jmp into its middle;
                                           jmp mutex_lock */
void mutex_unlock(void);                /* jmp to itself */

/* Compiled C. */
struct sample_list {
    struct sample_list *next;
    long key, value[4];
};

long sample_find(const struct sample_list *list, long key, long *ret);
void sample_sort(long *values, unsigned len);

#endif
