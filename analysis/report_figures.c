// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "analysis/gnuplot.h"
#include "analysis/html.h"
#include "analysis/report_int.h"

/* As wide as a phone, so that its text is large enough there. */
#define WIDTH 360
#define ROW 27
/* Above the rows, and below them for the axis. */
#define TOP 8
#define BOTTOM 30

/*
 * In the order in which bars are stacked. Their lightness (CIELAB) is 91, 77, 41, 62 and 13, so
 * that they are told apart in grey, too, and whatever colours an eye sees.
 */
static const struct {
    const char *name, *color;
} outcomes[] = {{"no_crash", "#e6e6e6"},
                {"process_crash", "#8cc4ea"},
                {"kernel_crash", "#20649f"},
                {"hang", "#e07b28"},
                {"no_reboot", "#2a1a3e"}};

#define OUTCOMES (sizeof(outcomes) / sizeof(outcomes[0]))

static int figure_end(struct gnuplot *g, const char *title, const char *description, FILE *out,
                      struct err *err)
{
    int ret;

    fputs("<figure>\n", out);
    html_element(out, "figcaption", "%s", title);
    ret = gnuplot_end(g, title, description, out, err);
    fputs("</figure>\n", out);
    return ret;
}

void report_legend(FILE *out)
{
    fputs("<ul class=\"legend\">\n", out);
    for (size_t i = 0; i < OUTCOMES; i++)
        fprintf(out, "<li><span style=\"background:%s\"></span>%s</li>\n", outcomes[i].color,
                outcome_words(outcomes[i].name));
    fputs("</ul>\n", out);
}

/* Classes from top to bottom, as they are in the table. */
static bool shown(const struct result *r, unsigned row, const char *mode)
{
    return result_is(r, row, "mode", mode) && !result_is(r, row, "fault_class", DB_GOLDEN);
}

static unsigned rows_of(const struct report *r, const char *mode)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->c.classes.rows; i++)
        n += shown(&r->c.classes, i, mode);
    return n;
}

static int64_t outcome_count(const struct result *outcomes_of, const char *class, const char *mode,
                             const char *outcome, const char *column)
{
    for (unsigned i = 0; i < outcomes_of->rows; i++)
        if (result_is(outcomes_of, i, "fault_class", class) &&
            result_is(outcomes_of, i, "mode", mode) &&
            result_is(outcomes_of, i, "outcome", outcome))
            return result_int(outcomes_of, i, column);
    return 0;
}

/* One class's bar: "FROM TO Y COLOR" for each outcome, of @of in all. */
static void stack(struct gnuplot *g, const struct result *outcomes_of, const char *class,
                  const char *mode, const char *column, int64_t of, unsigned y)
{
    int64_t from = 0;

    for (size_t i = 0; i < OUTCOMES; i++) {
        int64_t n = outcome_count(outcomes_of, class, mode, outcomes[i].name, column);

        if (n > 0)
            fprintf(g->script, "%.6f %.6f %u 0x%s\n", 100 * (double)from / (double)of,
                    100 * (double)(from + n) / (double)of, y, outcomes[i].color + 1);
        from += n;
    }
}

static void blocks(struct gnuplot *g, const struct report *r, const char *mode)
{
    static const char *const columns[][3] = {{"all", "trials", "trials"},
                                             {"bad", "rated_inconsistent", "rated"}};
    const struct result *c = &r->c.classes;

    for (size_t k = 0; k < 2; k++) {
        unsigned y = 0;

        fprintf(g->script, "$%s << EOD\n", columns[k][0]);
        for (unsigned i = 0; i < c->rows; i++)
            if (shown(c, i, mode))
                stack(g, &r->c.outcomes, result_text(c, i, "fault_class"), mode, columns[k][1],
                      result_int(c, i, columns[k][2]), y++);
        /* What is not on the canvas: a plot of nothing would fail. */
        fputs("-9 -8 0 0\nEOD\n", g->script);
    }
    fputs("$rate << EOD\n", g->script);
    for (unsigned i = 0, y = 0; i < c->rows; i++) {
        if (!shown(c, i, mode))
            continue;
        gnuplot_word(g, result_text(c, i, "fault_class"));
        /* Nothing is known of none. */
        fprintf(g->script, " %u %.6f %.6f %" PRId64 "/%" PRId64 "\n", y++,
                result_int(c, i, "rated") ? 100 * result_real(c, i, "ci_low") : 0,
                result_int(c, i, "rated") ? 100 * result_real(c, i, "ci_high") : 100,
                result_int(c, i, "rated_inconsistent"), result_int(c, i, "rated"));
    }
    fputs("EOD\n", g->script);
}

/* A figure of @rows rows, the first on top; between @left and @right is the canvas. */
static int rows_begin(struct gnuplot *g, const char *name, unsigned rows, double left, double right,
                      struct err *err)
{
    unsigned height = rows * ROW + TOP + BOTTOM;
    int ret = gnuplot_begin(g, name, WIDTH, height, err);

    if (ret)
        return ret;
    fprintf(g->script,
            "set lmargin at screen %g\n"
            "set rmargin at screen %g\n"
            "set tmargin at screen %.6f\n"
            "set bmargin at screen %.6f\n"
            "set yrange [%u.5:-0.5]\n"
            "set grid xtics lt 1 lc rgb '#a0a0a0' lw 0.5\n"
            "set xtics scale 0\n"
            "set ytics scale 0\n"
            "set border 0\n"
            "set style fill solid 1 border lc rgb 'black'\n",
            left, right, 1 - (double)TOP / height, (double)BOTTOM / height, rows - 1);
    return 0;
}

static void draw_mode(struct gnuplot *g)
{
    fputs("set xrange [0:100]\n"
          "set xtics 0,25,100 format '%.0f%%'\n"
          "plot $rate using (-9):2:ytic(1) with dots lc rgb 'black', \\\n"
          "  $all using 1:3:1:2:($3-0.40):($3-0.12):4 with boxxyerror lw 0.5 fc rgb variable, \\\n"
          "  $bad using 1:3:1:2:($3-0.08):($3+0.36):4 with boxxyerror lw 0.5 fc rgb variable, \\\n"
          "  for [halo in 'white black'] for [k=0:2] $rate \\\n"
          "    using (k == 2 ? $4 : $3):(k ? $2+0.06 : $2+0.15): \\\n"
          "    (k ? 0 : $4-$3):(k ? 0.18 : 0) \\\n"
          "    with vectors nohead lc rgb halo lw (halo eq 'white' ? 3 : 1.2), \\\n"
          "  $rate using (100):2:5 with labels left offset 0.7,0\n",
          g->script);
}

int report_figure_mode(const struct report *r, const char *mode, FILE *out, struct err *err)
{
    unsigned rows = rows_of(r, mode);
    struct class_row all = comparison_total(&r->c, mode);
    char title[96], text[200];
    struct gnuplot g;
    int ret;

    if (!rows)
        return 0;
    snprintf(title, sizeof(title), "Reuse of inconsistent cache, mechanism %s", mode);
    snprintf(text, sizeof(text),
             "%" PRId64 " of %" PRId64 " trials of %u fault classes reused inconsistent cache. "
             "The table of the same numbers follows the figures.",
             all.inconsistent, all.rated, rows);
    ret = rows_begin(&g, mode, rows, 0.17, 0.83, err);
    if (ret)
        return ret;
    blocks(&g, r, mode);
    draw_mode(&g);
    return figure_end(&g, title, text, out, err);
}

/* ---- time ---- */

int report_figure_steps(const struct report *r, FILE *out, struct err *err)
{
    unsigned rows = r->steps.rows;
    struct gnuplot g;
    int ret;

    if (!rows)
        return 0;
    ret = rows_begin(&g, "steps", rows, 0.3, 0.88, err);
    if (ret)
        return ret;
    fputs("$step << EOD\n", g.script);
    for (unsigned i = 0; i < rows; i++) {
        gnuplot_word(&g, result_text(&r->steps, i, "step"));
        fprintf(g.script, " %u %.6g %.3g\n", i, result_real(&r->steps, i, "median_s"),
                result_real(&r->steps, i, "median_s"));
    }
    fputs("EOD\n"
          "set xrange [0:*]\n"
          "plot $step using (0):2:(0):3:($2-0.3):($2+0.3):ytic(1) with boxxyerror lw 0.5 "
          "fc rgb '#8cc4ea', \\\n"
          "  $step using 3:2:4 with labels left offset 0.5,0\n",
          g.script);
    return figure_end(&g, "Where a trial's time goes: median seconds of each step",
                      "The table of the same numbers follows.", out, err);
}

/* The unit in which an axis has few digits. */
static const char *time_unit(double seconds, double *ret_s)
{
    *ret_s = seconds < 7200 ? 60 : seconds < 259200 ? 3600 : 86400;
    return *ret_s == 60 ? "minutes" : *ret_s == 3600 ? "hours" : "days";
}

int report_figure_progress(const struct report *r, FILE *out, struct err *err)
{
    const struct result *p = &r->progress;
    char title[96];
    const char *unit;
    struct gnuplot g;
    double unit_s;
    int ret;

    /* Times that are none. */
    if (result_null(p, 0, "until_s"))
        return 0;
    ret = gnuplot_begin(&g, "progress", WIDTH, 300, err);
    if (ret)
        return ret;
    unit = time_unit(result_real(p, p->rows - 1, "until_s"), &unit_s);
    fputs("$done << EOD\n0 0\n", g.script);
    for (unsigned i = 0; i < p->rows; i++)
        fprintf(g.script, "%.6g %" PRId64 "\n", result_real(p, i, "until_s") / unit_s,
                result_int(p, i, "done"));
    fputs("EOD\n$rate << EOD\n", g.script);
    for (unsigned i = 0; i < p->rows; i++)
        fprintf(g.script, "%.6g %.6g 0 %.6g\n",
                (result_real(p, i, "until_s") - result_real(p, i, "width_s")) / unit_s,
                result_real(p, i, "until_s") / unit_s,
                (double)result_int(p, i, "trials") * 3600 / result_real(p, i, "width_s"));
    fprintf(g.script,
            "EOD\n"
            "set lmargin at screen 0.17\n"
            "set rmargin at screen 0.96\n"
            "set grid lt 1 lc rgb '#a0a0a0' lw 0.5\n"
            "set border 3\n"
            "set xrange [0:%.6g]\n"
            "set yrange [0:*]\n"
            "set ytics nomirror scale 0.5\n"
            "set xtics nomirror scale 0.5\n"
            "set multiplot\n"
            "set tmargin at screen 0.92\n"
            "set bmargin at screen 0.56\n"
            "set label 1 'trials done' at graph 0, graph 1.1\n"
            "set format x ''\n"
            "plot $done using 1:2 with lines lw 2 lc rgb '#20649f'\n"
            "set tmargin at screen 0.46\n"
            "set bmargin at screen 0.1\n"
            "set label 1 'trials an hour'\n"
            "set format x\n"
            "plot $rate using 1:4:1:2:3:4 with boxxyerror fs solid 1 noborder fc rgb '#8cc4ea'\n"
            "unset multiplot\n",
            result_real(p, p->rows - 1, "until_s") / unit_s);
    snprintf(title, sizeof(title), "Trials over time: %s since the campaign was made", unit);
    return figure_end(&g, title, "Above the trials done until then, below how many an hour.", out,
                      err);
}
