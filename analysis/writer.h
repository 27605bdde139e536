/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A query's rows in the formats that other programs read. */
#ifndef WCR_ANALYSIS_WRITER_H
#define WCR_ANALYSIS_WRITER_H

#include <stdio.h>

#include "analysis/result.h"
#include "lib/err.h"

enum export_format { EXPORT_CSV, EXPORT_JSON, EXPORT_MARKDOWN, EXPORT_LATEX };

/* "csv", "json", "markdown" ("md"), "latex" ("tex"); -1: none of them. */
int export_format_find(const char *name);

/*
 * csv: RFC 4180 with LF, a header line, empty for NULL, all digits of numbers.
 * json: an array of objects. markdown: a pipe table. latex: a tabular environment,
 * nothing around it. The latter two show four significant digits.
 */
int result_write(const struct result *r, enum export_format format, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
