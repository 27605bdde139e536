// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

int export_format_find(const char *name)
{
    static const struct {
        const char *name;
        enum export_format format;
    } names[] = {{"csv", EXPORT_CSV},     {"json", EXPORT_JSON},   {"markdown", EXPORT_MARKDOWN},
                 {"md", EXPORT_MARKDOWN}, {"latex", EXPORT_LATEX}, {"tex", EXPORT_LATEX}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i].name, name))
            return names[i].format;
    return -1;
}

static const struct cell *cell_at(const struct result *r, unsigned row, unsigned column)
{
    return &r->cells[(size_t)row * r->columns + column];
}

/* ---- csv ---- */

static void csv_text(FILE *out, const char *s)
{
    if (!*s || !s[strcspn(s, ",\"\r\n")]) {
        /* A field that is empty, not NULL, is quoted. */
        fputs(*s ? s : "\"\"", out);
        return;
    }
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"')
            fputc('"', out);
        fputc(*s, out);
    }
    fputc('"', out);
}

static void csv_cell(FILE *out, const struct cell *c)
{
    switch (c->type) {
    case CELL_NULL:
        break;
    case CELL_INT:
        fprintf(out, "%" PRId64, c->i);
        break;
    case CELL_REAL:
        fprintf(out, "%.15g", c->d);
        break;
    case CELL_TEXT:
        csv_text(out, c->text);
        break;
    }
}

static void write_csv(const struct result *r, FILE *out)
{
    for (unsigned i = 0; i < r->columns; i++) {
        fputs(i ? "," : "", out);
        csv_text(out, r->names[i]);
    }
    fputc('\n', out);
    for (unsigned row = 0; row < r->rows; row++) {
        for (unsigned i = 0; i < r->columns; i++) {
            fputs(i ? "," : "", out);
            csv_cell(out, cell_at(r, row, i));
        }
        fputc('\n', out);
    }
}

/* ---- markdown and latex ---- */

/* A character's replacement, or NULL. */
typedef const char *(*escape_fn)(char c);

static const char *escape_markdown(char c)
{
    switch (c) {
    case '\n':
        return "<br>";
    case '\r':
    case '\t':
        return " ";
    case '|':
        return "\\|";
    case '\\':
        return "\\\\";
    case '`':
        return "\\`";
    case '*':
        return "\\*";
    case '_':
        return "\\_";
    case '[':
        return "\\[";
    case ']':
        return "\\]";
    case '~':
        return "\\~";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    default:
        return NULL;
    }
}

static const char *escape_latex(char c)
{
    switch (c) {
    case '\\':
        return "\\textbackslash{}";
    case '{':
        return "\\{";
    case '}':
        return "\\}";
    case '$':
        return "\\$";
    case '&':
        return "\\&";
    case '#':
        return "\\#";
    case '_':
        return "\\_";
    case '%':
        return "\\%";
    case '~':
        return "\\textasciitilde{}";
    case '^':
        return "\\textasciicircum{}";
    case '<':
        return "\\textless{}";
    case '>':
        return "\\textgreater{}";
    case '|':
        return "\\textbar{}";
    case '"':
        return "\\textquotedbl{}";
    case '-':
        return "{-}";
    case '\n':
    case '\r':
    case '\t':
        return " ";
    default:
        return NULL;
    }
}

static void escaped(FILE *out, const char *s, escape_fn escape)
{
    for (; *s; s++) {
        const char *other = escape(*s);

        if (other)
            fputs(other, out);
        else if ((unsigned char)*s >= ' ' && *s != 0x7f)
            fputc(*s, out);
    }
}

static void shown_cell(FILE *out, const struct cell *c, escape_fn escape)
{
    switch (c->type) {
    case CELL_NULL:
        break;
    case CELL_INT:
        fprintf(out, "%" PRId64, c->i);
        break;
    case CELL_REAL:
        fprintf(out, "%.4g", c->d);
        break;
    case CELL_TEXT:
        escaped(out, c->text, escape);
        break;
    }
}

/* Numbers are aligned right: a column is one of them if none of its cells is text. */
static bool numeric(const struct result *r, unsigned column)
{
    for (unsigned i = 0; i < r->rows; i++)
        if (cell_at(r, i, column)->type == CELL_TEXT)
            return false;
    return true;
}

static void write_rows(const struct result *r, FILE *out, escape_fn escape, const char *begin,
                       const char *between, const char *end)
{
    for (unsigned row = 0; row < r->rows; row++) {
        fputs(begin, out);
        for (unsigned i = 0; i < r->columns; i++) {
            fputs(i ? between : "", out);
            shown_cell(out, cell_at(r, row, i), escape);
        }
        fputs(end, out);
    }
}

static void write_names(const struct result *r, FILE *out, escape_fn escape, const char *begin,
                        const char *between, const char *end)
{
    fputs(begin, out);
    for (unsigned i = 0; i < r->columns; i++) {
        fputs(i ? between : "", out);
        escaped(out, r->names[i], escape);
    }
    fputs(end, out);
}

static void write_markdown(const struct result *r, FILE *out)
{
    write_names(r, out, escape_markdown, "| ", " | ", " |\n");
    for (unsigned i = 0; i < r->columns; i++)
        fputs(numeric(r, i) ? "|---:" : "|---", out);
    fputs("|\n", out);
    write_rows(r, out, escape_markdown, "| ", " | ", " |\n");
}

static void write_latex(const struct result *r, FILE *out)
{
    fputs("\\begin{tabular}{", out);
    for (unsigned i = 0; i < r->columns; i++)
        fputc(numeric(r, i) ? 'r' : 'l', out);
    fputs("}\n\\hline\n", out);
    write_names(r, out, escape_latex, "", " & ", " \\\\\n\\hline\n");
    write_rows(r, out, escape_latex, "", " & ", " \\\\\n");
    fputs("\\hline\n\\end{tabular}\n", out);
}

static int write_json(const struct result *r, FILE *out, struct err *err)
{
    json_t *all = result_json(r);
    int failed = all ? json_dumpf(all, out, JSON_INDENT(2)) : -1;

    json_decref(all);
    if (failed && !ferror(out))
        return err_set(err, ENOMEM, "out of memory");
    fputc('\n', out);
    return 0;
}

int result_write(const struct result *r, enum export_format format, FILE *out, struct err *err)
{
    int ret = 0;

    switch (format) {
    case EXPORT_CSV:
        write_csv(r, out);
        break;
    case EXPORT_JSON:
        ret = write_json(r, out, err);
        break;
    case EXPORT_MARKDOWN:
        write_markdown(r, out);
        break;
    case EXPORT_LATEX:
        write_latex(r, out);
        break;
    }
    if (!ret && ferror(out))
        ret = err_set(err, EIO, "cannot write: %s", strerror(errno ? errno : EIO));
    return ret;
}
