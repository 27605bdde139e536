/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a module of the code that it is linked with (module.mk): its name, and functions of which all
 * or some is written by whoever loads or runs them.
 */
.macro function name
	.type	\name, @function
\name:
.endm

.macro end name
	.size	\name, . - \name
.endm

.macro site section, at
	.pushsection \section, "a"
	.long	\at - .
	.popsection
.endm

	.section .modinfo, "a"
	.string	"license=GPL"
	.string	"name=sample_module"

	.section __versions, "a"
	.zero	64

	/* All of it is rewritten. */
	.text
function module_patched
1:	call	__fentry__
	.pushsection __mcount_loc, "a"
	.quad	1b
	.popsection
2:	call	__SCT__sample
	site	.static_call_sites, 2b
	.pushsection .static_call_sites, "a"
	.long	0
	.popsection
3:	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	.pushsection __jump_table, "aw"
	.long	3b - ., 0
	.quad	0
	.popsection
4:	lock; incl (%rdi)
	site	.smp_locks, 4b
5:	rep; bsf %edi, %eax
	.pushsection .altinstructions, "a"
	.long	5b - ., 0
	.word	0, 0
	.byte	4, 0
	.popsection
6:	call	__x86_indirect_thunk_rax
	site	.retpoline_sites, 6b
7:	jmp	__x86_return_thunk; int3
	site	.return_sites, 7b
end module_patched

	/* Each but the last has bytes that only the loader knows. */
function module_relocated
	movq	$sample_string, %rdi
	movl	sample_number(%rip), %esi
	addl	$1, sample_number(%rip)
	call	_raw_spin_lock
	call	_raw_spin_lock + 1
	jz	module_rare
	jmp	sample_elsewhere
	nop
end module_relocated

	.section .text.unlikely, "ax"
	.balign	64
function module_rare
	movq	%rdi, %rbx
	ret
end module_rare

	.section .init.text, "ax"
function module_begin
	movq	%rdi, %rbx
	ret
end module_begin

	.section .data, "aw"
sample_number:
	.long	0

	.section .rodata.str1.1, "aMS", @progbits, 1
sample_string:
	.string	"sample"

	.section .note.GNU-stack, "", @progbits
