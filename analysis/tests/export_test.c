// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: text that breaks out of its field in csv, markdown or latex, NULL that becomes 0
 * or an empty text, digits lost, a file that is half written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/export.h"
#include "analysis/tests/fixture.h"
#include "cli/commands.h"

/* ---- formats, on a result made by hand ---- */

static const struct result *nasty(void)
{
    static char *names[] = {"plain", "a_b", "n"};
    static struct cell cells[] = {
        {.type = CELL_TEXT, .text = "comma, quote \" and\nline"},
        {.type = CELL_TEXT, .text = "p|q_r<s>&50%$#{}\\~^"},
        {.type = CELL_REAL, .d = 1.0 / 3},
        {.type = CELL_TEXT, .text = ""},
        {.type = CELL_NULL},
        {.type = CELL_INT, .i = INT64_MAX, .d = 9.2e18},
        {.type = CELL_TEXT, .text = "caf\xc3\xa9"},
        {.type = CELL_TEXT, .text = "a\tb\x1b[31m"},
        {.type = CELL_REAL, .d = NAN},
    };
    static const struct result r = {.columns = 3, .rows = 3, .names = names, .cells = cells};

    return &r;
}

static int write_as(FILE *out, void *ctx)
{
    struct err err = {0};

    return result_write(nasty(), *(enum export_format *)ctx, out, &err);
}

static char *written(enum export_format format)
{
    int ret;
    char *text = fixture_capture(write_as, &format, &ret);

    assert_int_equal(ret, 0);
    return text;
}

static void csv_quotes(void **state)
{
    char *text = written(EXPORT_CSV);

    (void)state;
    assert_string_equal(text,
                        "plain,a_b,n\n"
                        "\"comma, quote \"\" and\nline\",p|q_r<s>&50%$#{}\\~^,0.333333333333333\n"
                        "\"\",,9223372036854775807\n"
                        "caf\xc3\xa9,a\tb\x1b[31m,nan\n");
    free(text);
}

static void json_is_read_back(void **state)
{
    char *text = written(EXPORT_JSON);
    json_t *all = json_loads(text, 0, NULL), *row;

    (void)state;
    assert_int_equal(json_array_size(all), 3);
    row = json_array_get(all, 0);
    assert_string_equal(json_string_value(json_object_get(row, "plain")),
                        "comma, quote \" and\nline");
    assert_true(json_real_value(json_object_get(row, "n")) == 1.0 / 3);
    row = json_array_get(all, 1);
    assert_string_equal(json_string_value(json_object_get(row, "plain")), "");
    assert_true(json_is_null(json_object_get(row, "a_b")));
    assert_true(json_integer_value(json_object_get(row, "n")) == INT64_MAX);
    /* JSON has no number that is none. */
    assert_true(json_is_null(json_object_get(json_array_get(all, 2), "n")));
    json_decref(all);
    free(text);
}

static void markdown_escapes(void **state)
{
    char *text = written(EXPORT_MARKDOWN);

    (void)state;
    assert_string_equal(text, "| plain | a\\_b | n |\n|---|---|---:|\n"
                              "| comma, quote \" and<br>line | "
                              "p\\|q\\_r&lt;s&gt;&amp;50%$#{}\\\\\\~^ | 0.3333 |\n"
                              "|  |  | 9223372036854775807 |\n"
                              "| caf\xc3\xa9 | a b\\[31m | nan |\n");
    free(text);
}

static void latex_escapes(void **state)
{
    char *text = written(EXPORT_LATEX);

    (void)state;
    fixture_contains(text, "\\begin{tabular}{llr}\n\\hline\nplain & a\\_b & n \\\\\n\\hline\n");
    fixture_contains(text,
                     "p\\textbar{}q\\_r\\textless{}s\\textgreater{}\\&50\\%\\$\\#\\{\\}"
                     "\\textbackslash{}\\textasciitilde{}\\textasciicircum{} & 0.3333 \\\\\n");
    fixture_contains(text, "\\hline\n\\end{tabular}\n");
    assert_null(strchr(text, '\033'));
    free(text);
}

/* ---- the command ---- */

static char *exported(const char *option, const char *value, const char *option2,
                      const char *value2)
{
    char *out, *err;

    if (fixture_command(cmd_export, &out, &err, "export", fixture_path, option, value, option2,
                        value2, NULL))
        fail_msg("%s", err);
    assert_string_equal(err, "");
    free(err);
    return out;
}

static unsigned lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void tables(void **state)
{
    char *text;

    (void)state;
    fixture_write_quick();
    text =
        exported("--table", "compare", "--columns", "mode,fault_class,rated_corrupt,rate,ci_low");
    fixture_contains(text, "mode,fault_class,rated_corrupt,rate,ci_low\n");
    fixture_contains(text, "disabled,PTR,2,1,0.158113883008");
    fixture_contains(text, "enabled,PTR,0,0,0\n");
    assert_int_equal(lines(text), 1 + 7);
    free(text);
    text = exported("--table", "trials", "--format", "csv");
    fixture_contains(
        text, "trial_id,campaign,fault_class,seed,mode,status,outcome,activated,pages_mapped");
    /* The trial that was given up is there, and has no outcome. */
    fixture_contains(text, "quick,DST,3,enabled,error,,");
    assert_int_equal(lines(text), 1 + 14);
    free(text);
    text = exported("--table", "outcomes", "--columns", "fault_class,outcome,mode,trials");
    fixture_contains(text, "DST,no_reboot,disabled,1\n");
    free(text);
    /* Each crash once, whatever modes it was rebooted in; the median of those seen. */
    text = exported("--table", "effects", "--format", "csv");
    fixture_contains(text, "fault_class,candidates,injections,drawn_again,activated,unknown,no_crash,"
                           "process_crash,kernel_crash,hang,median_ms\n");
    fixture_contains(text, "PTR,5000,3,1,2,0,0,0,2,0,2.5\n");
    fixture_contains(text, "DST,5000,2,0,2,0,0,1,0,1,2.5\n");
    assert_int_equal(lines(text), 1 + 2);
    free(text);
    text = exported("--table", "pairs", "--format", "markdown");
    fixture_contains(text, "| PTR | 2 | 2 | 0 | 0 | 0.5 |\n");
    free(text);
}

static void to_a_file(void **state)
{
    char path[128], *out, *err, *text;
    glob_t left;

    (void)state;
    fixture_write_quick();
    snprintf(path, sizeof(path), "%s/out.json", fixture_dir);
    out = exported("--format", "json", "--output", path);
    assert_string_equal(out, "");
    free(out);
    text = fixture_read(path);
    fixture_contains(text, "\"fault_class\": \"PTR\"");
    free(text);
    /* A failure leaves the old file alone, and none of its own behind. */
    assert_int_equal(fixture_command(cmd_export, &out, &err, "export", fixture_path, "--columns",
                                     "nonsense", "--output", path, NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, "unknown column 'nonsense' (known: ");
    free(out);
    free(err);
    text = fixture_read(path);
    fixture_contains(text, "\"fault_class\": \"PTR\"");
    free(text);
    strcat(path, ".*");
    assert_int_equal(glob(path, 0, NULL, &left), GLOB_NOMATCH);
}

static void fails_with(const char *option, const char *value, const char *words)
{
    char *out, *err;

    assert_int_equal(
        fixture_command(cmd_export, &out, &err, "export", fixture_path, option, value, NULL),
        WCR_EXIT_ERROR);
    fixture_contains(err, words);
    free(out);
    free(err);
}

static void mistakes(void **state)
{
    (void)state;
    fails_with("--format", "csv", "no such file");
    fixture_write_quick();
    fails_with("--format", "xml", "unknown format 'xml' (known: csv");
    fails_with("--table", "trail", "unknown table 'trail' (known: compare");
    fails_with("--output", "/nonexistent/x", "cannot write /nonexistent/x");
    fails_with("--campaign", "other", "other");
}

/* A disk that is full must not look like success. */
static void full_disk(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    struct err err = {0};
    int r;

    (void)state;
    if (!full)
        skip();
    setvbuf(full, NULL, _IONBF, 0);
    r = result_write(nasty(), EXPORT_CSV, full, &err);
    fclose(full);
    assert_true(r < 0);
    fixture_contains(err.msg, "cannot write");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes),
        cmocka_unit_test(json_is_read_back),
        cmocka_unit_test(markdown_escapes),
        cmocka_unit_test(latex_escapes),
        TEST(tables),
        TEST(to_a_file),
        TEST(mistakes),
        cmocka_unit_test(full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
