// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/share.h"

#include <stdlib.h>
#include <string.h>

bool share_parse(const char *text, double *ret)
{
    char *end;
    double d = strtod(text, &end);

    if (end == text)
        return false;
    if (!strcmp(end, "%"))
        d /= 100;
    else if (*end)
        return false;
    *ret = d;
    return d >= 0 && d <= 1;
}
