// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A half-width that is reached exactly is not missed by rounding. */
#define ROUNDING 1e-12

const char *stop_reached(const struct spec *spec, const struct db_rate *rate)
{
    if (spec->stop.rate_below && !rate->failures && rate->upper <= spec->stop.rate_below)
        return "rate_below";
    if (spec->stop.half_width && (rate->high - rate->low) / 2 <= spec->stop.half_width + ROUNDING)
        return "half_width";
    return NULL;
}

char *stop_text(const struct spec *spec, const char *rule, const struct db_rate *rate, char *buf,
                size_t size)
{
    char known[100];

    if (!strcmp(rule, "rate_below"))
        snprintf(known, sizeof(known), "a rate below %.3g%% (bound %.3g%%)",
                 100 * spec->stop.rate_below, 100 * rate->upper);
    else
        snprintf(known, sizeof(known), "the rate to within %.3g points (%.3g to %.3g%%)",
                 100 * spec->stop.half_width, 100 * rate->low, 100 * rate->high);
    snprintf(buf, size, "%" PRId64 " of %" PRId64 " trials with an inconsistent page, mechanism enabled, "
             "show %s", rate->failures, rate->trials, known);
    return buf;
}
