/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and tables of an HTML page. Whatever is given is text: nothing in it becomes markup. */
#ifndef WCR_ANALYSIS_HTML_H
#define WCR_ANALYSIS_HTML_H

#include <stdio.h>

#include "analysis/result.h"

void html_text(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* <TAG>text</TAG>, and a line feed. */
void html_element(FILE *out, const char *tag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct html_table {
    FILE *out;
    const char *const *titles;
    unsigned column;
};

/* @titles: NULL-terminated; one that begins with '>' is of a column aligned right. */
void html_table_begin(struct html_table *t, FILE *out, const char *id, const char *caption,
                      const char *const *titles);
void html_row(struct html_table *t);
/* The row's next cell. @class: of style, or NULL. */
void html_cell(struct html_table *t, const char *class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void html_table_end(struct html_table *t);

/* A table of some columns, whose names separated by blanks are its titles. */
void html_result(FILE *out, const char *id, const char *caption, const struct result *r,
                 const char *columns);

#endif
