/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's life: parts shared by guest.c, observe.c and verify.c. */
#ifndef WCR_AGENT_GUEST_H
#define WCR_AGENT_GUEST_H

#include "campaigns/agent/agent.h"

/*
 * Wait until the guest reports @phase. -ETIMEDOUT, or -ECONNABORTED when the domain
 * ended or the guest reported that it cannot go on.
 */
int guest_wait_phase(struct agent *a, enum status_phase phase, uint64_t deadline_ns,
                     struct err *err);

/* Stop the vCPUs of a living domain, then wait until its last I/O came back. */
int guest_freeze(struct agent *a, struct err *err);

/* The opposite. -ESRCH: the domain lives no more. */
int guest_thaw(struct agent *a, struct err *err);

/* The backing disks work on something of the guest's. */
bool guest_io_pending(const struct agent *a);

/* -ENOENT with a message when there is no domain. */
int guest_require(struct agent *a, struct err *err);

struct activation {
    bool known;             /* false: nobody can tell */
    bool exact;             /* seen by the hypervisor, not told by the guest */
    bool activated;
    uint64_t activated_ns;
    uint64_t deadline_ns;   /* not executed by then: it need not be waited for; 0: none */
};

struct observation {
    const char *outcome;    /* database name */
    uint64_t event_ns;      /* of the crash, oops, or last sign of life */
    struct domain_info domain;
};

/*
 * Watch the running guest until something happened or @deadline_ns, then freeze it.
 * @act (may be NULL) is kept up to date by the injection.
 */
int observe(struct agent *a, uint64_t deadline_ns, struct activation *act,
            struct observation *ret, struct err *err);

#endif
