/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A campaign judged by a policy. Every rule of the policy becomes one check for all
 * classes together, or one for each class; what cannot be told from the trials there
 * are is neither passed nor failed.
 */
#ifndef WCR_ANALYSIS_GATE_H
#define WCR_ANALYSIS_GATE_H

#include <stdio.h>

#include "analysis/policy.h"
#include "lib/err.h"

enum verdict { VERDICT_PASS, VERDICT_NO_DATA, VERDICT_FAIL };     /* from good to bad */

struct check {
    enum verdict verdict;
    char scope[32];         /* "all", or a fault class */
    char rule[32];          /* as in the policy */
    char text[240];         /* what was found, for people */
};

struct gate {
    char campaign[128];
    struct check *checks;
    unsigned len;
};

/* Judge @campaign (NULL: the only one) in the database @db_path. */
int gate_judge(const char *db_path, const char *campaign, const struct policy *policy,
               struct gate *ret, struct err *err) __attribute__((warn_unused_result));
void gate_done(struct gate *gate);

/* The worst verdict of its checks. */
enum verdict gate_verdict(const struct gate *gate);
const char *verdict_name(enum verdict verdict);     /* "pass", "no data", "fail" */

int gate_print(const struct gate *gate, FILE *out, struct err *err)
    __attribute__((warn_unused_result));
int gate_print_json(const struct gate *gate, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

/*
 * JUnit XML: a test case for each check. Not enough data is an error there, not a skip,
 * which many readers take for success.
 */
void gate_print_junit(const struct gate *gate, FILE *out);
/* The same for a gate that could not judge, so that no older file stays in its place. */
void gate_print_junit_error(const char *message, FILE *out);

#endif
