/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in a kernel faults may go. */
#ifndef WCR_INJECTOR_TARGET_H
#define WCR_INJECTOR_TARGET_H

#include "injector/image.h"

enum target_kind { TARGET_ALL, TARGET_DIRECTORY, TARGET_FILE, TARGET_FUNCTION, TARGET_RANGE };

struct target {
    enum target_kind kind;
    char name[128];
    uint64_t start, end;
};

/* "all", "dir:D", "file:F", "func:N", "range:A-B". -EINVAL tells what is allowed. */
int target_parse(const char *text, struct target *ret, struct err *err);

/* Needs the image's DWARF loaded. */
bool target_needs_dwarf(const struct target *target);

/*
 * Whether faults may go into @f. Entry code and code that may not be instrumented only when
 * named by function or range, code freed after boot never; what reports a crash not with
 * "all".
 */
bool target_has_function(const struct target *target, const struct image *image,
                         const struct image_function *f);

/* For a function that is in: whether this instruction is. */
bool target_has_va(const struct target *target, uint64_t va);

/* -ENOENT: why @target, which matched nothing, did so. */
int target_explain(const struct target *target, const struct image *image, struct err *err);

#endif
