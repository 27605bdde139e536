/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_WCCTL_H
#define WCR_WCCTL_H

#include <stdio.h>

#include "warmcache-core/tools/wcr_call.h"

/*
 * The whole of wcctl but for where its hypercalls go: `open_call` is called at
 * most once. Returns the exit status: 0, or 2 after a message to `errors`.
 */
int wcctl_run(int argc, char **argv,
              int (*open_call)(struct wcr_call **ret, struct err *err), FILE *out,
              FILE *errors);

#endif
