/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of db/ expect of a call. After cmocka.h. */
#ifndef WCR_DB_TESTS_EXPECT_H
#define WCR_DB_TESTS_EXPECT_H

#include <string.h>

#include "lib/err.h"

#define ok(call)                                            \
    do {                                                    \
        struct err e_ = {0}, *err = &e_;                    \
        if (call)                                           \
            fail_msg("%s: %s", #call, e_.msg);              \
    } while (0)

static inline void refused(int r, int code, const struct err *err, const char *words)
{
    assert_int_equal(r, -code);
    assert_int_equal(err->code, code);
    if (!strstr(err->msg, words))
        fail_msg("'%s' does not say '%s'", err->msg, words);
}

#endif
