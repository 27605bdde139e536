/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables for people: aligned columns, colour where it says something. */
#ifndef WCR_ANALYSIS_TABLE_H
#define WCR_ANALYSIS_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct libscols_table;

/*
 * @titles: NULL-terminated; one that begins with '>' is aligned right. Text goes to
 * @out; it is coloured and cut to the width only on a terminal. NULL: no memory.
 */
struct libscols_table *table_new(FILE *out, const char *const *titles);

/* A row; cells are set by number. Failures are remembered and told by table_print. */
struct libscols_line *table_row(struct libscols_table *t);
void table_cell(struct libscols_line *row, unsigned column, const char *color, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Print and free. 0 or -errno. */
int table_print(struct libscols_table *t);

/* May colours be written to it? */
bool table_colors(FILE *out);

#endif
