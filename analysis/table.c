// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

bool table_colors(FILE *out)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
    int fd = fileno(out);

    return fd >= 0 && isatty(fd) && !(off && *off) && term && *term;
}

struct libscols_table *table_new(FILE *out, const char *const *titles)
{
    struct libscols_table *t = scols_new_table();

    if (!t)
        return NULL;
    scols_table_set_stream(t, out);
    scols_table_enable_colors(t, table_colors(out));
    scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
    scols_table_set_column_separator(t, "  ");
    for (; *titles; titles++) {
        bool right = **titles == '>';

        if (!scols_table_new_column(t, *titles + right, 0, right ? SCOLS_FL_RIGHT : 0)) {
            scols_unref_table(t);
            return NULL;
        }
    }
    return t;
}

struct libscols_line *table_row(struct libscols_table *t)
{
    return scols_table_new_line(t, NULL);
}

void table_cell(struct libscols_line *row, unsigned column, const char *color, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    if (!row)
        return;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    if (text && scols_line_refer_data(row, column, text))
        free(text);
    if (color)
        scols_cell_set_color(scols_line_get_cell(row, column), color);
}

int table_print(struct libscols_table *t)
{
    int r = scols_print_table(t);

    scols_unref_table(t);
    return r;
}
