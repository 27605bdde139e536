/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gate policies: YAML, checked with file:line messages. docs/gate.md tells what each
 * rule means; analysis/policies/default.yaml shows every one.
 */
#ifndef WCR_ANALYSIS_POLICY_H
#define WCR_ANALYSIS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* Rules for all classes together, or for one. Unset: NaN, or -1. */
struct policy_rules {
    int64_t min_trials;             /* of each class */
    int64_t max_corrupt_trials, max_inconsistent_trials;
    double max_corrupt_rate, max_inconsistent_rate;
    double min_reuse;
    double max_not_activated_share;
};

struct policy_class {
    char name[32];
    struct policy_rules rules;
};

struct policy {
    char mode[16];                  /* the mode that is judged: "enabled" */
    double confidence;              /* of upper bounds, one-sided: 0.95 */
    bool golden_required;
    double max_error_share;         /* NaN: unset */
    struct policy_rules overall;
    struct policy_class *classes;
    unsigned classes_len;
};

int policy_load(const char *path, struct policy *ret, struct err *err)
    __attribute__((warn_unused_result));
/* The same from memory; @path is used in messages only. */
int policy_parse(const char *path, const char *text, size_t len, struct policy *ret,
                 struct err *err) __attribute__((warn_unused_result));
void policy_done(struct policy *policy);

/* The rules of a class, or NULL. */
const struct policy_rules *policy_class_find(const struct policy *policy, const char *name);

#endif
