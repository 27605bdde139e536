// SPDX-License-Identifier: GPL-2.0-or-later
#include "err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;

        err->code = code;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
    }
    return -code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    char old[sizeof(err->msg)];
    va_list ap;
    int len;

    if (!err)
        return 0;
    snprintf(old, sizeof(old), "%s", err->msg);
    va_start(ap, fmt);
    len = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    if (len >= 0 && (size_t)len < sizeof(err->msg))
        snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
    return -err->code;
}
