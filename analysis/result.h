/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a query, in memory: what compare, export, gate and show have in
 * common. The queries are in result.c, once each, so that all of them show the
 * same numbers.
 */
#ifndef WCR_ANALYSIS_RESULT_H
#define WCR_ANALYSIS_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "lib/err.h"

enum cell_type { CELL_NULL, CELL_INT, CELL_REAL, CELL_TEXT };

struct cell {
    enum cell_type type;
    int64_t i;
    double d;
    char *text;             /* valid UTF-8 */
};

struct result {
    unsigned columns, rows;
    char **names;           /* [columns] */
    struct cell *cells;     /* [rows * columns] */
};

/*
 * Run @sql with ?1 bound to @arg; SQL may use mcnemar_p(b, c) and the functions
 * that db/ adds.
 */
int result_query(struct db *db, const char *sql, int64_t arg, struct result *ret, struct err *err)
    __attribute__((warn_unused_result));
/* Keep only the columns named in @list, separated by commas, in that order. */
int result_select(struct result *r, const char *list, struct err *err)
    __attribute__((warn_unused_result));
void result_done(struct result *result);

/* By name; a column that is not there is a bug: abort. Rows must be in range. */
const struct cell *result_cell(const struct result *r, unsigned row, const char *column);
int64_t result_int(const struct result *r, unsigned row, const char *column);      /* NULL: 0 */
double result_real(const struct result *r, unsigned row, const char *column);      /* NULL: NaN */
const char *result_text(const struct result *r, unsigned row, const char *column); /* NULL: "" */
bool result_is(const struct result *r, unsigned row, const char *column, const char *text);
bool result_null(const struct result *r, unsigned row, const char *column);

/* An array of objects; numbers that are not finite are null. NULL: out of memory. */
json_t *result_json(const struct result *r);
json_t *result_row_json(const struct result *r, unsigned row);

/* Queries; ?1 is the campaign's id. */
extern const char query_classes[];      /* class x mode, with the pair test */
extern const char query_outcomes[];     /* class x outcome x mode */
extern const char query_trials[];       /* one row for each trial */
extern const char query_effects[];      /* class: executed or not, outcomes, how soon */
extern const char query_pairs[];        /* class: paired results and p */
extern const char query_errors[];       /* class x mode: experiment errors */
extern const char query_campaign[];     /* one row about the campaign */

#endif
