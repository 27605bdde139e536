// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A report in a browser, as wide as a phone and as a desk's screen. Catches: a number on the page
 * that is not the database's, a bar that is not as long as its number, text that is cut off or too
 * small to read, a page that must be moved sideways, a guest's console that becomes part of the
 * page.
 *
 * usage: report_e2e [DIR]: leave the database, the page, and what it looks like, in DIR.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/tests/sample.h"

#define TRIALS 16

/* No sandbox: tests may run as root, and the page is ours. */
#define CHROMIUM                                                                                   \
    "chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars"

static char dir[200];
static char *seen[2]; /* what each width's page says of itself, a fact a line */
static const int widths[] = {360, 1200};

/*
 * Runs in a copy of the page, in a frame of that width, once all of it is open. Every cell of a
 * table by its heading and its row's first one, two or three cells; the texts of the figures; their
 * bars, by row, upper or lower, and length in percent.
 */
static const char script[] =
    "for (const d of document.querySelectorAll('details')) d.open = true;\n"
    "const say = [], text = e => e.textContent.trim();\n"
    "for (const t of document.querySelectorAll('table')) {\n"
    "  const heads = [...t.querySelectorAll('thead th')].map(text);\n"
    "  for (const r of t.querySelectorAll('tbody tr')) {\n"
    "    const cells = [...r.children].map(text);\n"
    "    for (let k = 1; k < 4; k++)\n"
    "      cells.forEach((c, i) => say.push([t.id, ...cells.slice(0, k), heads[i] + '=' + "
    "c].join('|')));\n"
    "  }\n"
    "}\n"
    "let smallest = 99;\n"
    "for (const s of document.querySelectorAll('svg')) {\n"
    "  const name = s.querySelector('title').id.replace('-title', ''), bars = {}, box = "
    "s.viewBox.baseVal;\n"
    "  const rows = s.querySelectorAll('text').length, edge = s.getBoundingClientRect();\n"
    "  for (const x of s.querySelectorAll('text')) {\n"
    "    const b = x.getBoundingClientRect();\n"
    "    smallest = Math.min(smallest, parseFloat(getComputedStyle(x).fontSize) * edge.width / "
    "box.width);\n"
    "    say.push(['label', name, text(x)].join('|'));\n"
    "    if (b.left < edge.left - 1 || b.right > edge.right + 1 || b.bottom > edge.bottom + 1)\n"
    "      say.push('cut off|' + name + '|' + text(x));\n"
    "  }\n"
    "  for (const p of s.querySelectorAll('polygon')) {\n"
    "    const b = p.getBBox(), classes = CLASSES, high = (box.height - 38) / classes;\n"
    "    const y = (b.y + b.height / 2 - 8) / high, n = Math.floor(y);\n"
    "    const key = [name, n, y - n < 0.5 ? 'upper' : 'lower'].join('|');\n"
    "    if (b.x >= 0) bars[key] = (bars[key] || 0) + b.width;\n"
    "  }\n"
    "  for (const key in bars) say.push('bar|' + key + '|' + (100 * bars[key] / (0.66 * "
    "box.width)).toFixed(2));\n"
    "}\n"
    "say.push('verdict|' + text(document.getElementById('verdict')), 'title|' + document.title,\n"
    "  'width|' + innerWidth, 'wider by|' + (document.documentElement.scrollWidth - innerWidth),\n"
    "  'figures|' + document.querySelectorAll('svg').length, 'smallest text|' + (smallest >= 9),\n"
    "  'scripts|' + document.scripts.length, 'images|' + document.images.length,\n"
    "  'fetched|' + performance.getEntriesByType('resource').length);\n"
    "parent.postMessage(say.join('\\n'), '*');\n";

static void must_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void must_run(const char *fmt, ...)
{
    char command[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    if (system(command))
        fail_msg("%s: failed", command);
}

static char *file_read(const char *name)
{
    char path[300], *text = NULL;
    size_t size = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "r");
    if (!f || getdelim(&text, &size, '\0', f) < 0)
        fail_msg("%s: nothing to read", path);
    fclose(f);
    return text;
}

static FILE *file_create(const char *name)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f)
        fail_msg("%s: cannot be written", path);
    return f;
}

/* SQLite's own printf() rounds a half up, C's to even. */
static void sql_percent(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    char text[32];

    (void)argc;
    snprintf(text, sizeof(text), "%.1f", 100 * sqlite3_value_double(argv[0]));
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static sqlite3 *database(void)
{
    char path[300];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/sample.db", dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_create_function(db, "percent", 1, SQLITE_UTF8, NULL, sql_percent, NULL, NULL);
    return db;
}

/* The page's policy allows no script: the copy has none of it. */
static void copy_write(const char *page)
{
    const char *policy = strstr(page, "<meta http-equiv=\"Content-Security-Policy\"");
    const char *end = policy ? strchr(policy, '\n') : NULL, *classes = strstr(script, "CLASSES");
    FILE *f = file_create("copy.html");

    assert_non_null(end);
    fwrite(page, 1, (size_t)(policy - page), f);
    fputs(end, f);
    fprintf(f, "<script>%.*s19%s</script>\n", (int)(classes - script), script,
            classes + strlen("CLASSES"));
    fclose(f);
}

static char *look(int width)
{
    char name[32], *all, *begin, *end;
    FILE *f;

    snprintf(name, sizeof(name), "%d.html", width);
    f = file_create(name);
    fprintf(
        f,
        "<body style='margin:0'><iframe src=copy.html style='border:0;width:%dpx;height:900px'>"
        "</iframe><script>onmessage = e => { const p = document.createElement('pre');"
        "p.textContent = 'BEGIN\\n' + e.data + '\\nEND\\n'; document.body.append(p); }</script>",
        width);
    fclose(f);
    must_run(CHROMIUM
             " --virtual-time-budget=20000 --dump-dom 'file://%s/%s' >'%s/%d.out' 2>'%s/log'",
             dir, name, dir, width, dir);
    snprintf(name, sizeof(name), "%d.out", width);
    all = file_read(name);
    /* Of the last: the frame's script has these words, too. */
    begin = strstr(all, "<pre>BEGIN\n");
    end = begin ? strstr(begin, "\nEND\n") : NULL;
    if (!end)
        fail_msg("the browser said nothing of the page %d wide: %s", width, all);
    end[1] = '\0';
    begin = strdup(begin + strlen("<pre>BEGIN"));
    free(all);
    return begin;
}

static int group_setup(void **state)
{
    char path[300], *page;

    (void)state;
    snprintf(path, sizeof(path), "%s/sample.db", dir);
    unlink(path);
    sample_write(path, TRIALS);
    must_run("build/wcr report '%s' --output '%s/report.html'", path, dir);
    page = file_read("report.html");
    copy_write(page);
    free(page);
    for (int i = 0; i < 2; i++)
        seen[i] = look(widths[i]);
    return 0;
}

/* Each row of @sql is a line that the page must have, at both widths. */
static void says(const char *sql, int rows)
{
    sqlite3 *db = database();
    sqlite3_stmt *stmt;
    int n = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    for (; sqlite3_step(stmt) == SQLITE_ROW; n++) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        char line[1000];

        assert_non_null(text);
        snprintf(line, sizeof(line), "\n%s\n", text);
        for (int i = 0; i < 2; i++)
            if (!strstr(seen[i], line))
                fail_msg("the page %d wide does not say '%s'", widths[i], text);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    if (n != rows)
        fail_msg("%s: %d rows, not %d", sql, n, rows);
}

static void comparison(void **state)
{
    (void)state;
    says("WITH f(h, v) AS (VALUES ('TRIALS', 'trials'), ('EXECUTED', 'activated'), ('CRASHES', "
         "'crashes'), "
         "('CORRUPT', 'corrupt'), ('STALE DISK', 'stale'), ('PAGES REUSED', 'reused')) "
         "SELECT 'compare|' || fault_class || '|' || mode || '|' || h || '=' || CASE v "
         "WHEN 'trials' THEN trials WHEN 'activated' THEN activated WHEN 'crashes' THEN crashes "
         "WHEN 'corrupt' THEN corrupt_trials WHEN 'stale' THEN stale_disk_trials ELSE pages_reused "
         "END "
         "FROM class_rates, f",
         20 * 2 * 6);
    says("SELECT 'compare|' || fault_class || '|' || mode || '|INCONSISTENT=' || "
         "rated_inconsistent || '/' || "
         "rated FROM class_rates",
         20 * 2);
    says("SELECT 'compare|' || fault_class || '|' || mode || '|RATE=' || percent(rate) || '%' "
         "FROM class_rates",
         20 * 2);
    says("SELECT 'compare|' || fault_class || '|' || mode || '|95% INTERVAL=' || percent(ci_low) "
         "|| '-' || "
         "percent(ci_high) || '%' FROM class_rates",
         20 * 2);
    says("SELECT 'compare|all|' || mode || '|INCONSISTENT=' || sum(rated_inconsistent) || '/' || "
         "sum(rated) "
         "FROM class_rates WHERE fault_class <> 'GOLDEN' GROUP BY mode",
         2);
    says(
        "SELECT 'outcomes|' || fault_class || '|' || outcome || '|' || mode || '|rated "
        "inconsistent=' || "
        "rated_inconsistent FROM outcome_compare WHERE outcome IN ('no_crash', 'kernel_crash') AND "
        "fault_class IN ('PTR', 'DST', 'I/F')",
        12);
    says("SELECT 'pairs|' || fault_class || '|only disabled=' || sum(rated AND "
         "disabled_inconsistent > 0 AND "
         "enabled_inconsistent = 0) FROM pair_summary GROUP BY fault_class",
         20);
}

static void verdict(void **state)
{
    char *words = strstr(seen[0], "\nverdict|"), line[200];
    sqlite3_stmt *stmt;
    sqlite3 *db = database();

    (void)state;
    assert_non_null(words);
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT mode || ' ' || sum(pages_inconsistent > 0 AND activated IS NOT 0) || ' of ' "
            "|| sum(pages_reused IS NOT NULL AND activated IS NOT 0) || ' trials reused' "
            "FROM trial WHERE fault_class <> 'GOLDEN' AND status = 'done' GROUP BY mode",
            -1, &stmt, NULL),
        SQLITE_OK);
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(words + 1, "\n"), words + 1);
    for (int n = 0; n < 2; n++) {
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        if (!strstr(line, (const char *)sqlite3_column_text(stmt, 0)))
            fail_msg("no '%s' in '%s'", sqlite3_column_text(stmt, 0), line);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void figures(void **state)
{
    (void)state;
    says("SELECT 'label|' || mode || '|' || rated_inconsistent || '/' || rated FROM class_rates "
         "WHERE fault_class <> 'GOLDEN'",
         19 * 2);
    says("SELECT 'label|steps|' || name FROM measurement WHERE unit = 's' GROUP BY name", 7);
    says("SELECT 'figures|4'", 1);
    for (int i = 0; i < 2; i++)
        if (strstr(seen[i], "\ncut off|"))
            fail_msg("%d wide:%.80s", widths[i], strstr(seen[i], "\ncut off|"));
    says("SELECT 'smallest text|true'", 1);
}

/* Trials that ended somehow: all of them. Of those that count, the rate. */
static void bars(void **state)
{
    sqlite3 *db = database();
    sqlite3_stmt *stmt;
    int n = 0;

    (void)state;
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "WITH row AS (SELECT *, row_number() OVER (PARTITION BY mode ORDER BY fault_class) "
            "- 1 AS n FROM class_rates WHERE fault_class <> 'GOLDEN') "
            "SELECT 'bar|' || mode || '|' || n || '|upper|', 100 FROM row UNION ALL "
            "SELECT 'bar|' || mode || '|' || n || '|lower|', 100 * rate FROM row WHERE rate > 0",
            -1, &stmt, NULL),
        SQLITE_OK);
    for (; sqlite3_step(stmt) == SQLITE_ROW; n++) {
        const char *bar = (const char *)sqlite3_column_text(stmt, 0);

        for (int i = 0; i < 2; i++) {
            const char *found = strstr(seen[i], bar);
            double length = found ? atof(found + strlen(bar)) : 0;

            if (length < sqlite3_column_double(stmt, 1) - 0.2 ||
                length > sqlite3_column_double(stmt, 1) + 0.2)
                fail_msg("%s is %g long, not %g", bar, length, sqlite3_column_double(stmt, 1));
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    assert_int_equal(n, 19 * 2 + 20);
}

static void triage(void **state)
{
    (void)state;
    says("SELECT 'crashes|' || signature || '|crashes=' || count(DISTINCT crash_id) FROM trial "
         "WHERE signature IS NOT NULL GROUP BY signature",
         8);
    says("SELECT 'effects|' || fault_class || '|kernel crash=' || count(DISTINCT crash_id) FROM "
         "trial "
         "WHERE crash_outcome = 'kernel_crash' AND activated IS NOT 0 GROUP BY fault_class",
         19);
    says("SELECT 'violations|' || trial_id || '|stale disk=' || pages_stale_disk FROM trial "
         "WHERE mode = 'enabled' AND pages_inconsistent > 0",
         1);
    says("SELECT 'errors|' || text || '|times=' || (count(*) + 1) FROM attempt_error GROUP BY text",
         1);
    says("SELECT 'facts|' || environment_id || '|' || name || '|value=' || value FROM "
         "environment_fact",
         5);
}

/* Whatever a guest wrote on its console. The one script is ours. */
static void only_text(void **state)
{
    (void)state;
    says("VALUES ('title|wcr: campaign sample'), ('scripts|1'), ('images|0'), ('fetched|0')", 4);
}

static void fits(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char line[64];

        snprintf(line, sizeof(line), "\nwidth|%d\nwider by|0\n", widths[i]);
        if (!strstr(seen[i], line))
            fail_msg("not '%s', but '%.40s'", line, strstr(seen[i], "\nwidth|"));
    }
}

static int group_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        free(seen[i]);
    return 0;
}

/* For people. */
static void pictures(void)
{
    for (int i = 0; i < 2; i++)
        must_run("cd '%s' && sed -i 's/height:900px/height:12000px/' %d.html && " CHROMIUM
                 " --screenshot=%d.png --window-size=%d,12000 'file://%s/%d.html' 2>>log",
                 dir, widths[i], widths[i], widths[i], dir, widths[i]);
    must_run("cd '%s' && " CHROMIUM " --no-pdf-header-footer --print-to-pdf=report.pdf "
             "'file://%s/report.html' 2>>log",
             dir, dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparison), cmocka_unit_test(verdict), cmocka_unit_test(figures),
        cmocka_unit_test(bars),       cmocka_unit_test(triage),  cmocka_unit_test(only_text),
        cmocka_unit_test(fits),
    };
    char command[300];
    int failed;

    if (system("chromium --version >/dev/null 2>&1")) {
        puts("no chromium to look at a report: apt-get install chromium");
        return 77;
    }
    if (argc > 1 ? !realpath(argv[1], dir) : !mkdtemp(strcpy(dir, "/tmp/wcr-report-XXXXXX"))) {
        perror(argc > 1 ? argv[1] : dir);
        return 2;
    }
    failed = cmocka_run_group_tests(tests, group_setup, group_teardown);
    if (argc > 1) {
        pictures();
        return failed;
    }
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) || failed;
}
