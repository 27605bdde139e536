/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When enough is known of a fault class: the rule of the specification, on numbers of the database. */
#ifndef WCR_CAMPAIGNS_STOP_H
#define WCR_CAMPAIGNS_STOP_H

#include <stdbool.h>

#include "campaigns/spec.h"
#include "db/db.h"

/* The key of the rule that is reached, "rate_below" or "half_width"; NULL: none yet. */
const char *stop_reached(const struct spec *spec, const struct db_rate *rate);

/* "0 of 299 ... show a rate below 1% (bound 0.997%)". Returns @buf. */
char *stop_text(const struct spec *spec, const char *rule, const struct db_rate *rate, char *buf,
                size_t size);

#endif
