// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/experiments.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/gnuplot.h"
#include "analysis/html.h"
#include "analysis/report_int.h"
#include "cli/version.h"

#define WIDTH 360
#define HEIGHT 260

/* ---- queries -------------------------------------------------------- */

/* What was published, and what is wanted; at most. Of several numbers, the largest. */
static const char query_targets[] =
    "WITH goal(ordinal, question, experiment, configuration, metric, factor, unit, published, target) AS (VALUES "
    "(1, 'first read of a file after a warm reboot: slower by', 'file-read', 'warm', 'degradation', 100, '%', 16, 5), "
    "(2, 'the same on a file-backed disk', 'file-read', 'file-backed-warm', 'degradation', 100, '%', 46, 10), "
    "(3, 'the same after a planned reboot', 'file-read', 'warm-planned', 'degradation', 100, '%', NULL, 5), "
    "(4, 'time after the server listens until 95% of the throughput is back, of the boot time', 'web', 'warm', "
    "'recovery_share', 100, '%', NULL, 5), "
    "(5, 'what a neighbour on the same disk loses until the server is back', 'neighbour', 'warm', "
    "'neighbour_loss', 100, '%', NULL, 5), "
    "(6, 'what a kept page adds to a boot, in guests as large as their caches want', 'service', 'warm-fitted', "
    "'added', 1, 'instructions', NULL, 3000), "
    "(7, 'the same in one large guest, whose cache is small', 'service', 'warm', 'added', 1, 'instructions', NULL, "
    "3000)) "
    "SELECT question, disk, iif(value * factor < 1000, round(value * factor, 1) + 0.0, "
    "cast(round(value * factor) AS INTEGER)) AS measured, g.unit AS unit, published, target, "
    "CASE WHEN round(value * factor, 1) <= target THEN 'met' ELSE 'missed' END AS verdict, max(v.value) "
    "FROM goal AS g JOIN experiment_latest AS v USING (experiment, configuration, metric) "
    "GROUP BY g.ordinal, disk ORDER BY g.ordinal, v.run_id";

#define VALUE(metric, ordinal)                                                                     \
    "max(value) FILTER (WHERE metric = '" metric "' AND ordinal = " #ordinal ")"
#define PLACE                                                                                      \
    "instr(',normal,normal-fitted,prefetch,file-backed,unchecked,warm-on-demand,warm,warm-fitted,warm-planned," \
    "file-backed-warm,', " \
    "',' || configuration || ',')"

static const char query_reads[] =
    "SELECT disk, configuration, round(" VALUE("read", -1) ") AS before, round(" VALUE("read", 0) ") AS first, "
    "round(" VALUE("read", 1) ") AS second, round(" VALUE("read", 2) ") AS third, "
    "round(100 * " VALUE("degradation", 0) ", 1) + 0.0 AS first_slower_by_percent, "
    "round(" VALUE("reboot", 0) ", 2) AS reboot_s, round(" VALUE("warm_up", 0) ", 2) AS warm_up_s, "
    "cast(" VALUE("disk_reads", 0) " AS INTEGER) AS disk_reads, "
    "cast(" VALUE("pages_retained", 0) " AS INTEGER) AS pages_kept FROM experiment_latest "
    "WHERE experiment = 'file-read' GROUP BY run_id, configuration ORDER BY run_id, " PLACE;

static const char query_disks[] =
    "SELECT DISTINCT experiment, disk, run_id FROM experiment_latest ORDER BY run_id";

/* Seconds since the crash. The disk has its limit for the last five before it. */
#define LINES(metric)                                                                              \
    "SELECT configuration AS series, ordinal / 1000.0 AS x, value AS y FROM experiment_latest "    \
    "WHERE run_id = ?1 AND metric = '" metric "' AND ordinal > -5000 ORDER BY " PLACE ", x"

static const char query_web_lines[] = LINES("throughput");
static const char query_neighbour_lines[] = LINES("neighbour");

#define WEB(experiment)                                                                                   \
    "SELECT disk, configuration, round(" VALUE("before", 0) ", 1) AS before, "                            \
    "round(" VALUE("boot", 0) ", 2) AS boot_s, round(" VALUE("first_second", 0) ", 1) AS first_second, "  \
    "round(" VALUE("clients_came", 0) ", 2) AS clients_after_s, "                                         \
    "round(" VALUE("recovered", 0) ", 2) AS back_after_s, "                                               \
    "round(100 * " VALUE("recovery_share", 0) ", 1) AS percent_of_boot, "                                 \
    "round(" VALUE("lost", 0) ") AS lost_mb, "                                                            \
    "round(" VALUE("neighbour_before", 0) ", 1) AS neighbour_before, "                                    \
    "round(100 * " VALUE("neighbour_loss", 0) ", 1) + 0.0 AS neighbour_lost_percent, "                    \
    "round(" VALUE("neighbour_lost", 0) ", 1) + 0.0 AS neighbour_lost_mb "                                \
    "FROM experiment_latest WHERE experiment = '" experiment "' GROUP BY run_id, configuration "          \
    "ORDER BY run_id, " PLACE

static const char query_web[] = WEB("web");
static const char query_neighbour[] = WEB("neighbour");

/* Reads 1 to 3 before the reboot, 4 to 6 after. */
static const char query_read_lines[] =
    "SELECT configuration AS series, ordinal + 4 AS x, value AS y FROM experiment_latest "
    "WHERE run_id = ?1 AND metric = 'read' AND configuration IN "
    "('normal', 'prefetch', 'file-backed', 'warm-on-demand', 'warm') ORDER BY " PLACE ", x";

static const char query_service[] =
    "SELECT ordinal AS cache_mb, configuration, round(" "max(value) FILTER (WHERE metric = 'detect'), 3) AS detect_s, "
    "round(max(value) FILTER (WHERE metric = 'destroy'), 3) AS destroy_s, "
    "round(max(value) FILTER (WHERE metric = 'create'), 3) AS create_s, "
    "round(max(value) FILTER (WHERE metric = 'kernel'), 3) AS kernel_s, "
    "round(max(value) FILTER (WHERE metric = 'mount'), 3) AS mount_s, "
    "round(max(value) FILTER (WHERE metric = 'first-read'), 4) AS first_read_s, "
    "round(max(value) FILTER (WHERE metric = 'total'), 3) AS reboot_s, "
    "cast(max(value) FILTER (WHERE metric = 'pages_retained') AS INTEGER) AS pages_kept, "
    "cast(round(max(value) FILTER (WHERE metric = 'added')) AS INTEGER) AS instructions_a_page FROM experiment_latest "
    "WHERE experiment = 'service' GROUP BY ordinal, configuration ORDER BY ordinal, " PLACE;

static const char query_service_lines[] =
    "SELECT configuration AS series, ordinal AS x, value AS y FROM experiment_latest "
    "WHERE experiment = 'service' AND metric = 'total' ORDER BY " PLACE ", x";

static const char query_facts[] =
    "SELECT f.key AS name, f.value, group_concat(r.experiment || ' ' || r.disk, ', ') AS of "
    "FROM experiment_run AS r, json_each(r.facts_json) AS f "
    "WHERE r.run_id IN (SELECT run_id FROM experiment_latest) GROUP BY name, f.value ORDER BY name, r.run_id";

static const char query_runs[] =
    "SELECT r.experiment, r.disk, r.started_at, r.finished_at FROM experiment_run AS r "
    "WHERE r.run_id IN (SELECT run_id FROM experiment_latest) ORDER BY r.run_id";

/* ---- figures -------------------------------------------------------- */

static const char *const colors[] = {"#2a1a3e", "#e07b28", "#8cc4ea", "#7a7a7a", "#20649f", "#3c8d40"};

#define COLORS (sizeof(colors) / sizeof(colors[0]))

/* @points has series, x, y, the points of a series together. Returns how many series. */
static unsigned series_write(struct gnuplot *g, const struct result *points)
{
    unsigned n = 0;

    for (unsigned i = 0; i < points->rows; i++) {
        if (!i || strcmp(result_text(points, i, "series"), result_text(points, i - 1, "series")))
            fprintf(g->script, "%s$s%u << EOD\n", i ? "EOD\n" : "", n++);
        fprintf(g->script, "%.9g %.9g\n", result_real(points, i, "x"), result_real(points, i, "y"));
    }
    fputs("EOD\n", g->script);
    return n;
}

static void legend(const struct result *points, FILE *out)
{
    unsigned n = 0;

    fputs("<ul class=\"legend\">\n", out);
    for (unsigned i = 0; i < points->rows; i++) {
        if (i && !strcmp(result_text(points, i, "series"), result_text(points, i - 1, "series")))
            continue;
        fprintf(out, "<li><span style=\"background:%s\"></span>", colors[n++ % COLORS]);
        html_text(out, "%s", result_text(points, i, "series"));
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

struct figure {
    const char *name, *title, *description;
    const char *x, *y;          /* what is on the axes */
    const char *settings;       /* more of gnuplot's; may be "" */
};

static int figure_lines(struct db *db, const struct figure *f, const char *sql, int64_t arg, FILE *out,
                        struct err *err)
{
    struct result points;
    struct gnuplot g;
    unsigned n;
    int r = result_query(db, sql, arg, &points, err);

    if (r)
        return r;
    r = points.rows ? gnuplot_begin(&g, f->name, WIDTH, HEIGHT, err) : 0;
    if (r || !points.rows)
        goto out;
    fputs("<figure>\n", out);
    html_element(out, "figcaption", "%s", f->title);
    n = series_write(&g, &points);
    fprintf(g.script, "set border 3\nset grid ytics lt 1 lc rgb '#a0a0a0' lw 0.5\nset xtics nomirror\n"
            "set ytics nomirror\nset yrange [0:*]\nset xlabel '%s'\nset ylabel '%s'\n%s\nplot ", f->x, f->y,
            f->settings);
    for (unsigned i = 0; i < n; i++)
        fprintf(g.script, "%s$s%u with linespoints lw 2 pt 7 ps 0.4 lc rgb '%s'", i ? ", " : "", i,
                colors[i % COLORS]);
    fputc('\n', g.script);
    r = gnuplot_end(&g, f->title, f->description, out, err);
    legend(&points, out);
    fputs("</figure>\n", out);
out:
    result_done(&points);
    return r;
}

/* ---- the page ------------------------------------------------------- */

static int table(struct db *db, const char *id, const char *caption, const char *sql, const char *columns,
                 FILE *out, struct err *err)
{
    struct result rows;
    int r = result_query(db, sql, 0, &rows, err);

    if (r)
        return r;
    if (rows.rows)
        html_result(out, id, caption, &rows, columns);
    else
        fputs("<p>Not measured.</p>\n", out);
    result_done(&rows);
    return 0;
}

/* One of @experiment's for each disk. */
static int disk_figures(struct db *db, const char *experiment, const struct figure *of, const char *sql,
                        FILE *out, struct err *err)
{
    struct result disks;
    int r = result_query(db, query_disks, 0, &disks, err);

    if (r)
        return r;
    fputs("<div class=\"figures\">\n", out);
    for (unsigned i = 0; i < disks.rows && !r; i++) {
        char name[48], title[96];
        struct figure f = *of;

        if (!result_is(&disks, i, "experiment", experiment))
            continue;
        snprintf(name, sizeof(name), "%s%u", of->name, i);
        snprintf(title, sizeof(title), "%s, disk '%s'", of->title, result_text(&disks, i, "disk"));
        f.name = name;
        f.title = title;
        r = figure_lines(db, &f, sql, result_int(&disks, i, "run_id"), out, err);
    }
    fputs("</div>\n", out);
    result_done(&disks);
    return r;
}

static int service_figure(struct db *db, FILE *out, struct err *err)
{
    static const struct figure f = {
        .name = "service", .title = "From destroying the guest to its first byte", .x = "MiB cached at the crash",
        .y = "s", .description = "The table of the same numbers follows.", .settings = "set logscale x 2",
    };
    int r;

    fputs("<div class=\"figures\">\n", out);
    r = figure_lines(db, &f, query_service_lines, 0, out, err);
    fputs("</div>\n", out);
    return r;
}

static const struct figure reads = {
    .name = "reads", .title = "Reading a cached file", .x = "reads: three before the reboot, three after",
    .y = "MB/s", .description = "The table of the same numbers follows.",
    .settings = "set xtics 1\nset xrange [0.8:6.2]",
};

static const struct figure neighbour = {
    .name = "neighbour", .title = "What a neighbour reads", .x = "s after the crash", .y = "MB/s",
    .description = "The table of the same reboots follows.", .settings = "",
};

static const struct figure web = {
    .name = "web", .title = "A web server", .x = "s after the crash", .y = "MB/s",
    .description = "The table of the same reboots follows.", .settings = "",
};

static int page(struct db *db, FILE *out, struct err *err)
{
    int r;

    report_page_begin(out, "wcr: performance recovery");
    html_element(out, "h1", "Performance recovery after a reboot");
    r = table(db, "targets", "Against what was published, and against the targets", query_targets,
              "question disk measured unit published target verdict", out, err);
    fputs("<p class=\"note\">Time is counted in instructions: ratios within one run mean something, MB/s do not. "
          "docs/experiments.md tells of the machine, its disks and the configurations.</p>\n<main>\n", out);
    fputs("<h2 id=\"file-read\">Reading a file</h2>\n", out);
    if (!r)
        r = disk_figures(db, "file-read", &reads, query_read_lines, out, err);
    if (!r)
        r = table(db, "reads", "MB/s of the last read before and of those after", query_reads,
                  "disk configuration before first second third first_slower_by_percent reboot_s warm_up_s "
                  "disk_reads pages_kept", out, err);
    fputs("<h2 id=\"web\">A web server</h2>\n", out);
    if (!r)
        r = disk_figures(db, "web", &web, query_web_lines, out, err);
    if (!r)
        r = table(db, "webs", "MB/s before the crash, and how soon 95% of it was back after the server listened", query_web,
                  "disk configuration before boot_s clients_after_s first_second back_after_s percent_of_boot lost_mb", out, err);
    fputs("<h2 id=\"neighbour\">A neighbour on the same disk</h2>\n", out);
    if (!r)
        r = disk_figures(db, "neighbour", &neighbour, query_neighbour_lines, out, err);
    if (!r)
        r = table(db, "neighbours", "MB/s that the server sends and the neighbour reads before the crash, and what "
                  "the neighbour loses until the server is back", query_neighbour,
                  "disk configuration before neighbour_before boot_s back_after_s neighbour_lost_percent "
                  "neighbour_lost_mb", out, err);
    fputs("<h2 id=\"service\">From a crash to service</h2>\n", out);
    if (!r)
        r = service_figure(db, out, err);
    if (!r)
        r = table(db, "services", "Where the time goes, and what keeping the cache adds", query_service,
                  "cache_mb configuration detect_s destroy_s create_s kernel_s mount_s first_read_s reboot_s "
                  "pages_kept instructions_a_page", out, err);
    fputs("<h2 id=\"provenance\">Provenance</h2>\n", out);
    html_element(out, "p", "This page was written by wcr %s.", WCR_VERSION);
    if (!r)
        r = table(db, "facts", "Parameters, and what the machine was made of", query_facts,
                  "name value of", out, err);
    if (!r)
        r = table(db, "runs", "Runs", query_runs, "experiment disk started_at finished_at", out, err);
    fputs("</main>\n</body>\n</html>\n", out);
    return r;
}

static int any(const char *path, struct db *db, struct err *err)
{
    struct result rows;
    int r = result_query(db, "SELECT count(*) AS n FROM experiment_latest", 0, &rows, err);

    if (r)
        return r;
    if (!result_int(&rows, 0, "n"))
        r = err_set(err, ENODATA, "%s: no experiment is finished yet; 'wcr experiment --db %s' runs them", path,
                    path);
    result_done(&rows);
    return r;
}

int experiments_write(const char *path, FILE *out, struct err *err)
{
    char *text = NULL;
    struct db *db;
    size_t size;
    FILE *whole;
    int r = db_open(path, DB_READ, &db, err);

    if (r)
        return r;
    whole = open_memstream(&text, &size);
    r = whole ? any(path, db, err) : err_set(err, ENOMEM, "out of memory");
    if (!r)
        r = page(db, whole, err);
    if (whole && fclose(whole) && !r)
        r = err_set(err, ENOMEM, "out of memory");
    if (!r && (fwrite(text, 1, size, out) != size || fflush(out)))
        r = err_set(err, errno, "cannot write: %s", strerror(errno));
    free(text);
    db_close(db);
    return r;
}
