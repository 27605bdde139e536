/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of unknown origin, such as a crashed guest's console, made fit to be shown. */
#ifndef WCR_ANALYSIS_UTF8_H
#define WCR_ANALYSIS_UTF8_H

#include <stddef.h>

/* The length of the valid UTF-8 sequence at @s (1 to 4), or 0. */
size_t utf8_length(const char *s);

/* A malloc'ed copy with every byte that is not part of valid UTF-8 as '?'. NULL: no memory. */
char *utf8_clean(const char *s);

#endif
