// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/progress.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SHOW_EVERY_MS 200

char *progress_duration(double seconds, char *buf, size_t size)
{
    unsigned long s = seconds < 0 ? 0 : (unsigned long)(seconds + 0.5);

    if (s < 100)
        snprintf(buf, size, "%lu s", s);
    else if (s < 100 * 60)
        snprintf(buf, size, "%lu min", (s + 30) / 60);
    else
        snprintf(buf, size, "%lu h %02lu min", s / 3600, s % 3600 / 60);
    return buf;
}

double progress_rate(const struct progress *p, int64_t now_ms)
{
    if (!p->start_ms || now_ms <= p->start_ms || !p->done)
        return 0;
    return (double)p->done * 3600000.0 / (double)(now_ms - p->start_ms);
}

__attribute__((format(printf, 4, 5))) static void append(char *buf, size_t size, size_t *len,
                                                         const char *fmt, ...)
{
    va_list ap;
    int n;

    if (*len >= size)
        return;
    va_start(ap, fmt);
    n = vsnprintf(buf + *len, size - *len, fmt, ap);
    va_end(ap);
    if (n > 0)
        *len += (size_t)n;
}

char *progress_format(const struct progress *p, int64_t now_ms, unsigned width, char *buf,
                      size_t size)
{
    unsigned finished = p->skipped + p->done + p->errors;
    double rate = progress_rate(p, now_ms);
    size_t len = 0;
    char eta[32];

    append(buf, size, &len, "%u/%u trials", finished, p->total);
    if (rate > 0) {
        append(buf, size, &len, "  %.0f/h  ETA %s", rate,
               progress_duration((p->total - finished) * 3600.0 / rate, eta, sizeof(eta)));
    }
    if (p->errors)
        append(buf, size, &len, "  errors %u", p->errors);
    if (p->retried)
        append(buf, size, &len, "  retried %u", p->retried);
    for (unsigned i = 0; i < p->workers_len; i++)
        if (*p->workers[i].what)
            append(buf, size, &len, "  [%s]", p->workers[i].what);
    if (len >= size)
        len = size - 1;
    if (width && len > width)
        buf[width] = '\0';
    return buf;
}

void progress_clear(struct progress *p)
{
    if (p->line_shown)
        fputs("\r\033[K", p->out);
    p->line_shown = false;
    fflush(p->out);
}

void progress_line(struct progress *p, json_t *event, const char *fmt, ...)
{
    char text[1200], stamp[16];
    struct tm tm;
    time_t now;
    va_list ap;

    if (p->style == PROGRESS_JSON) {
        if (event) {
            json_dumpf(event, p->out, JSON_COMPACT);
            fputc('\n', p->out);
            fflush(p->out);
        }
        json_decref(event);
        return;
    }
    json_decref(event);
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    progress_clear(p);
    now = time(NULL);
    localtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%H:%M:%S", &tm);
    fprintf(p->out, "%s %s\n", stamp, text);
    fflush(p->out);
}

void progress_show(struct progress *p, int64_t now_ms)
{
    struct winsize size;
    char buf[512];
    unsigned width = 79;

    if (p->style != PROGRESS_TERMINAL || now_ms - p->shown_ms < SHOW_EVERY_MS)
        return;
    if (!ioctl(fileno(p->out), TIOCGWINSZ, &size) && size.ws_col > 20)
        width = size.ws_col - 1u;
    fprintf(p->out, "\r\033[K%s", progress_format(p, now_ms, width, buf, sizeof(buf)));
    fflush(p->out);
    p->line_shown = true;
    p->shown_ms = now_ms;
}
