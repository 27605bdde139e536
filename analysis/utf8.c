// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t utf8_length(const char *s)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)s;
    size_t len = u[0] < 0x80 ? 1 : u[0] >> 5 == 6 ? 2 : u[0] >> 4 == 14 ? 3 : u[0] >> 3 == 30 ? 4 : 0;
    uint32_t c = len > 1 ? u[0] & (0x7f >> len) : u[0];

    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3f);
    }
    if (len > 1 && (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
        return 0;
    return len;
}

char *utf8_clean(const char *s)
{
    char *copy = strdup(s);

    for (char *p = copy; p && *p;) {
        size_t len = utf8_length(p);

        if (!len)
            *p = '?';
        p += len ? len : 1;
    }
    return copy;
}
