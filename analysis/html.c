// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/xml.h"

static void text_va(FILE *out, const char *fmt, va_list ap)
{
    char *text;

    if (vasprintf(&text, fmt, ap) < 0)
        return;
    xml_text(out, text);
    free(text);
}

void html_text(FILE *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    text_va(out, fmt, ap);
    va_end(ap);
}

void html_element(FILE *out, const char *tag, const char *fmt, ...)
{
    va_list ap;

    fprintf(out, "<%s>", tag);
    va_start(ap, fmt);
    text_va(out, fmt, ap);
    va_end(ap);
    fprintf(out, "</%s>\n", tag);
}

void html_table_begin(struct html_table *t, FILE *out, const char *id, const char *caption,
                      const char *const *titles)
{
    *t = (struct html_table){.out = out, .titles = titles};
    fprintf(out, "<p class=\"caption\" id=\"%s-name\">", id);
    xml_text(out, caption);
    /* What is wider than the page scrolls by itself, by keyboard, too. */
    fprintf(
        out,
        "</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"%s-name\">\n"
        "<table id=\"%s\" aria-labelledby=\"%s-name\">\n<thead><tr>",
        id, id, id);
    for (; *titles; titles++) {
        bool right = **titles == '>';

        fprintf(out, "<th scope=\"col\"%s>", right ? " class=\"n\"" : "");
        xml_text(out, *titles + right);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_row(struct html_table *t)
{
    t->column = 0;
    fputs("<tr>", t->out);
}

void html_cell(struct html_table *t, const char *class, const char *fmt, ...)
{
    bool number = *t->titles[t->column] == '>', first = !t->column;
    va_list ap;

    fprintf(t->out, "<%s class=\"%s%s%s\">", first ? "th scope=\"row\"" : "td", number ? "n" : "",
            number && class ? " " : "", class ? class : "");
    va_start(ap, fmt);
    text_va(t->out, fmt, ap);
    va_end(ap);
    fputs(first ? "</th>" : "</td>", t->out);
    if (!t->titles[++t->column])
        fputs("</tr>\n", t->out);
}

void html_table_end(struct html_table *t)
{
    fputs("</tbody>\n</table>\n</div>\n", t->out);
}

/* ---- a result as it is ---- */

static void cell(struct html_table *t, const struct cell *c)
{
    switch (c->type) {
    case CELL_NULL:
        html_cell(t, NULL, "-");
        break;
    case CELL_INT:
        html_cell(t, NULL, "%" PRId64, c->i);
        break;
    case CELL_REAL:
        html_cell(t, NULL, "%.4g", c->d);
        break;
    case CELL_TEXT:
        html_cell(t, NULL, "%s", c->text);
        break;
    }
}

static bool has_text(const struct result *r, const char *column)
{
    for (unsigned i = 0; i < r->rows; i++)
        if (result_cell(r, i, column)->type == CELL_TEXT)
            return true;
    return false;
}

void html_result(FILE *out, const char *id, const char *caption, const struct result *r,
                 const char *columns)
{
    char *list = strdupa(columns), *name;
    char titles[24][40];
    const char *names[24], *shown[25];
    struct html_table t;
    unsigned n = 0;

    while ((name = strsep(&list, " ")) && n < 24) {
        names[n] = name;
        shown[n] = titles[n];
        snprintf(titles[n], sizeof(titles[n]), "%s%s", has_text(r, name) ? "" : ">", name);
        for (char *p = titles[n]; *p; p++)
            if (*p == '_')
                *p = ' ';
        n++;
    }
    shown[n] = NULL;
    html_table_begin(&t, out, id, caption, shown);
    for (unsigned i = 0; i < r->rows; i++) {
        html_row(&t);
        for (unsigned k = 0; k < n; k++)
            cell(&t, result_cell(r, i, names[k]));
    }
    html_table_end(&t);
}
