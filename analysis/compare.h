/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mechanism enabled and disabled, side by side. */
#ifndef WCR_ANALYSIS_COMPARE_H
#define WCR_ANALYSIS_COMPARE_H

#include <stdio.h>

#include "lib/err.h"

enum compare_format { COMPARE_TABLE, COMPARE_JSON };

/*
 * Print the comparison of @campaign (NULL: the only one) in the database @db_path.
 * Colours are used only if @out is a terminal and NO_COLOR is not set. -ENODATA: no
 * trial is done yet; that is said on @out, too.
 */
int compare_print(const char *db_path, const char *campaign, enum compare_format format, FILE *out,
                  struct err *err);

#endif
