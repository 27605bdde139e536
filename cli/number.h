/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_CLI_NUMBER_H
#define WCR_CLI_NUMBER_H

#include <stdint.h>

/*
 * The value @text of a command's option, a number from 0 to @max, which is INT64_MAX at most: what
 * JSON and the database hold. -EINVAL, told on standard error.
 */
int option_number(const char *command, const char *option, const char *text, uint64_t max,
                  uint64_t *ret);

#endif
