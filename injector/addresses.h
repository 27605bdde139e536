/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many ascending addresses as text: the first in hexadecimal, then the distance of each from
 * the one before, separated by single blanks.
 */
#ifndef WCR_INJECTOR_ADDRESSES_H
#define WCR_INJECTOR_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* The caller's to free; NULL: out of memory. */
char *addresses_format(const uint64_t *va, size_t n);

/* @ret is the caller's to free. -EINVAL: not such a text, or none ascends. */
int addresses_parse(const char *text, uint64_t **ret, size_t *ret_n, struct err *err);

#endif
