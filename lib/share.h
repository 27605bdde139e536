/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_SHARE_H
#define WCR_SHARE_H

#include <stdbool.h>

/* A share as people write it, 0.05 or 5%: from 0 to 1. False: it is none. */
bool share_parse(const char *text, double *ret);

#endif
