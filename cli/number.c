// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int option_number(const char *command, const char *option, const char *text, uint64_t max,
                  uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 0);
    if (!errno && end != text && !*end && *text != '-' && *ret <= max)
        return 0;
    fprintf(stderr, "wcr %s: %s '%s': expected a number from 0 to %" PRIu64 "\n", command, option,
            text, max);
    return -EINVAL;
}
