/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures for a page, drawn by gnuplot. */
#ifndef WCR_ANALYSIS_GNUPLOT_H
#define WCR_ANALYSIS_GNUPLOT_H

#include <stdio.h>

#include "lib/err.h"

struct gnuplot {
    FILE *script; /* for gnuplot's commands */
    const char *name;
    unsigned width, height;
};

/* @name: unique on the page; letters. Sizes are in units that the page may scale. */
int gnuplot_begin(struct gnuplot *g, const char *name, unsigned width, unsigned height,
                  struct err *err) __attribute__((warn_unused_result));

/*
 * Run the script and write an <svg> element to @out; the texts are for who cannot see it.
 * -ENOENT: there is no gnuplot. What gnuplot complains of is on standard error. Always ends @g.
 */
int gnuplot_end(struct gnuplot *g, const char *title, const char *description, FILE *out,
                struct err *err) __attribute__((warn_unused_result));

/* @text as a word of a data block: what could mean something to gnuplot becomes '_'. */
void gnuplot_word(struct gnuplot *g, const char *text);

#endif
