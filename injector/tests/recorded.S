/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel of a few functions that is the same wherever it is assembled (module.mk gives it
 * its address and build id). recorded.txt has plans that were drawn from it.
 */
.macro function name
	.globl	\name
	.type	\name, @function
\name:
.endm

.macro end name
	.size	\name, . - \name
.endm

	.text
function mutex_lock
	lock; incl (%rdi)
	ret
end mutex_lock

function mutex_unlock
	movl	$0, (%rdi)
	ret
end mutex_unlock

/* What gcc 12 -O2 makes of sample_sort(). */
function recorded_sort
	cmpl	$1, %esi
	jbe	4f
	pushq	%rbp
	leaq	8(%rdi), %r9
	movq	%rdi, %rbp
	movl	$1, %r11d
	pushq	%rbx
	xorl	%r10d, %r10d
	movl	%esi, %ebx
0:	leaq	0(,%r10,8), %rax
	leaq	-8(%r9), %rsi
	movq	%r10, %r8
	movq	(%r9), %rdi
	subq	%rax, %rsi
	subq	%r11, %r8
	movq	%r9, %rax
	jmp	2f
1:	movq	%rdx, (%rax)
	leaq	-8(%rcx), %rax
	cmpq	%rsi, %rax
	je	3f
2:	movq	(%rax,%r8,8), %rdx
	movq	%rax, %rcx
	cmpq	%rdi, %rdx
	jg	1b
5:	addq	$1, %r11
	movq	%rdi, (%rcx)
	addq	$1, %r10
	addq	$8, %r9
	cmpq	%rbx, %r11
	jne	0b
	popq	%rbx
	popq	%rbp
	ret
3:	movq	%rbp, %rcx
	jmp	5b
4:	ret
end recorded_sort

/* Locals that are initialised, calls with arguments, locks. */
function recorded_update
	pushq	%rbx
	movq	%rdi, %rbx
	subq	$24, %rsp
	movq	$0, 8(%rsp)
	movl	%esi, 4(%rsp)
	leaq	64(%rbx), %rdi
	call	mutex_lock
	movl	4(%rsp), %esi
	cmpl	%esi, 24(%rbx)
	jae	0f
	movq	16(%rbx), %rdi
	call	recorded_sort
0:	leaq	64(%rbx), %rdi
	call	mutex_unlock
	movq	8(%rsp), %rax
	addq	$24, %rsp
	popq	%rbx
	ret
end recorded_update

	.section .note.GNU-stack, "", @progbits
