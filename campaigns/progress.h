/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a running campaign shows: lines for people, or JSON events. */
#ifndef WCR_CAMPAIGNS_PROGRESS_H
#define WCR_CAMPAIGNS_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style { PROGRESS_PLAIN, PROGRESS_TERMINAL, PROGRESS_JSON };

struct progress_worker {
    char what[64];          /* "TEXT 17 reboot"; empty: idle */
};

struct progress {
    FILE *out;
    enum progress_style style;
    unsigned total, skipped, done, errors, retried, redrawn;
    int64_t start_ms;       /* CLOCK_MONOTONIC; when the first worker was ready: rates begin here */
    int64_t shown_ms;
    bool line_shown;
    unsigned workers_len;
    struct progress_worker *workers;
};

/* "3 s", "12 min", "2 h 05 min". Returns @buf. */
char *progress_duration(double seconds, char *buf, size_t size);

/* The one-line state at @now_ms, at most @width columns. Returns @buf. */
char *progress_format(const struct progress *p, int64_t now_ms, unsigned width, char *buf,
                      size_t size);

/* Trials per hour since the first worker was ready; 0 when unknown. */
double progress_rate(const struct progress *p, int64_t now_ms);

/* A line that stays; with JSON, an event instead: @event is stolen, may be NULL. */
void progress_line(struct progress *p, json_t *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Refresh the state line of a terminal, at most every 200 ms. */
void progress_show(struct progress *p, int64_t now_ms);

/* Remove the state line. */
void progress_clear(struct progress *p);

#endif
