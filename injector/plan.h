/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault classes and fault plans.
 *
 * A plan is a fault as data: which bytes of the kernel's text become which others, or with
 * which parameters a run-time fault is loaded. It follows from (build id of the kernel or module,
 * target, class, seed, index) alone; for run-time classes from (class, seed, index).
 *
 * classes.c holds the class table and needs nothing else; plan.c and what is below it need
 * a kernel with symbols, Zydis and elfutils.
 */
#ifndef WCR_INJECTOR_PLAN_H
#define WCR_INJECTOR_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "injector/guest_kernel.h"
#include "injector/profile.h"
#include "lib/err.h"

enum fault_kind {
    FAULT_TEXT,         /* changes instructions; applied from domain 0 */
    FAULT_RUNTIME,      /* a module loaded into the guest */
};

struct fault_class {
    const char *name;       /* as in plans, campaigns and the database */
    enum fault_kind kind;
    bool rated;             /* run-time: strikes once every lo to hi calls */
    const char *emulates;   /* the mistake of a programmer or machine that it stands for */
    const char *does;       /* what happens to the kernel, one line */
};

extern const struct fault_class fault_classes[];
extern const size_t fault_classes_len;

/* NULL when there is no such class. Names are matched exactly. */
const struct fault_class *fault_class_find(const char *name);

/* "PANIC, STACK, ..." for messages. */
void fault_class_names(char *ret, size_t size);

#define PLAN_BYTES 16       /* no instruction is longer than 15 */
#define PLAN_RATE_LO 1000   /* the Rio paper's figure */
#define PLAN_RATE_HI 4000
#define PLAN_DELAY_MIN_MS 100
#define PLAN_DELAY_MAX_MS 1000

struct plan {
    char class_name[16];
    char target[128];
    uint64_t seed;
    unsigned index;
    bool text;
    uint32_t delay_ms;              /* from the running workload to the injection */
    /* text faults */
    struct guest_module module;     /* unless nameless, va counts from its code on */
    uint64_t va;                    /* of the instruction's first byte */
    char symbol[128];
    uint64_t offset;                /* of va in symbol */
    char source[256];               /* "fs/ext4/inode.c:123"; empty when unknown */
    uint8_t old_bytes[PLAN_BYTES], new_bytes[PLAN_BYTES];
    unsigned len;
    uint16_t relocated;             /* bit i: the module's loader writes old_bytes[i] */
    char old_asm[96], new_asm[96];
    uint64_t candidates;            /* sites the draw was made from */
    char profile[17];               /* the id of what they were limited to; empty: nothing */
    char build_id[41];              /* hexadecimal */
    uint64_t build_id_va;           /* where the running kernel holds it */
    /* run-time faults */
    uint64_t rate_lo, rate_hi;      /* 0: the class has no rate */
    uint64_t param_seed;            /* what the module draws from */
};

struct plan_source;

/*
 * Open a kernel image with symbols (and, for file names and lines, DWARF). -ENOENT and
 * others of open(); -ENOEXEC when it is no x86-64 kernel with a symbol table and build id.
 */
int plan_source_open(const char *vmlinux, struct plan_source **ret, struct err *err);
void plan_source_free(struct plan_source *source);
const char *plan_source_build_id(const struct plan_source *source);
uint64_t plan_source_build_id_va(const struct plan_source *source);   /* where a guest has it */

/*
 * From now on plans are for the module @path, of that kernel, of which DWARF tells how a guest is asked
 * where it loaded the module. Errors as for plan_source_open; -ENODATA: no DWARF.
 */
int plan_source_use_module(struct plan_source *source, const char *path, struct err *err);

/*
 * From now on only what @profile (stolen; NULL: none) says was executed is a candidate.
 * -ESTALE: it is of another kernel.
 */
int plan_source_set_profile(struct plan_source *source, struct profile *profile, struct err *err);

/*
 * The basic blocks of a target, for a profile: the first address of each that the kernel does
 * not rewrite itself, ascending. The caller's to free. Errors as for plan_draw.
 */
int plan_blocks(struct plan_source *source, const char *target, uint64_t **ret, size_t *ret_n,
                struct err *err);

/*
 * Draw plan number @index of (@class_name, @target, @seed). Targets: "all", "dir:fs/ext4",
 * "file:fs/ext4/inode.c", "func:ext4_readpage", "range:0xffff...-0xffff...".
 * @source may be NULL for run-time classes, which have no target.
 *
 * -EINVAL unknown class, malformed target; -ENOENT target matches no function;
 * -ENODATA no candidate of the class in the target.
 */
int plan_draw(struct plan_source *source, const char *class_name, const char *target,
              uint64_t seed, unsigned index, struct plan *ret, struct err *err);

/* Candidates of a text class in a target; errors as for plan_draw, but 0 is no error. */
int plan_count(struct plan_source *source, const char *class_name, const char *target,
               uint64_t *ret, struct err *err);

/* A new reference; NULL only when out of memory. */
json_t *plan_to_json(const struct plan *plan);

#endif
