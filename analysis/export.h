/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_ANALYSIS_EXPORT_H
#define WCR_ANALYSIS_EXPORT_H

#include "analysis/writer.h"

enum export_table { EXPORT_COMPARE, EXPORT_OUTCOMES, EXPORT_EFFECTS, EXPORT_PAIRS, EXPORT_TRIALS };

/* "compare", "outcomes", "effects", "pairs", "trials"; -1: none of them. */
int export_table_find(const char *name);

/*
 * Write one table of @campaign (NULL: the only one). @columns: names separated by
 * commas; NULL is all of them in csv and json, and those that fit on a page in
 * markdown and latex.
 */
int export_write(const char *db_path, const char *campaign, enum export_table table,
                 enum export_format format, const char *columns, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
