/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When is a throughput back? */
#ifndef WCR_CAMPAIGNS_EXPERIMENTS_RECOVERY_H
#define WCR_CAMPAIGNS_EXPERIMENTS_RECOVERY_H

#include <stddef.h>

/* A counter, read at @at seconds. */
struct sample {
    double at, bytes;
};

/* Bytes a second between the first and the last. 0 of fewer than two. */
double recovery_mean(const struct sample *s, size_t len);

/*
 * The first sample's time from which on, for @window_s, at least @wanted bytes a second came, on
 * average; negative: it did not come to that.
 */
double recovery_at(const struct sample *s, size_t len, double wanted, double window_s);

#endif
