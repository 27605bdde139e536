/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting a plan's fault into the running guest, or watching what it executes. */
#ifndef WCR_AGENT_FAULT_H
#define WCR_AGENT_FAULT_H

#include "campaigns/agent/guest.h"

/* Apply the fault that @request names. Errors are experiment errors. */
int fault_inject(struct agent *a, const json_t *request, struct err *err);

/*
 * Watch the blocks that @request names (addresses.h), until fault_executed says which of them
 * were reached: a string of the same kind.
 */
int fault_watch(struct agent *a, const json_t *request, struct err *err);
int fault_executed(struct agent *a, json_t **ret, struct err *err);

/* Called while the guest is watched: bring @act up to date; let the guest go on. */
int fault_poll(struct agent *a, struct activation *act, struct err *err);

/*
 * A descriptor that becomes readable when fault_poll has something to do; -1: none.
 * @ret_impatient: there is none, yet something to wait for: poll often.
 */
int fault_fd(struct agent *a, bool *ret_impatient);

/* Drop what injection or watching hold (breakpoints, maps); the mutation stays. */
void fault_release(struct agent *a);

#endif
