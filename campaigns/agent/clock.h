/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_AGENT_CLOCK_H
#define WCR_AGENT_CLOCK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define POLL_MS 20

static inline uint64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline uint64_t ms_to_ns(uint64_t ms)
{
    return ms * 1000000;
}

static inline bool deadline_over(uint64_t deadline_ns)
{
    return clock_ns() >= deadline_ns;
}

/* Sleeps @ms, or until @fd can be read (-1: none). */
static inline void nap(int ms, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    poll(&p, fd >= 0, ms);
}

#endif
