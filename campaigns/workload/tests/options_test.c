// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest that reads its command line wrongly runs another experiment than was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "campaigns/workload/guest.h"

static struct guest_options o;

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(guest_options_parse("", &o), 0);
    assert_string_equal(o.mode, "run");
    assert_string_equal(o.fs, "ext4");
    assert_string_equal(o.device, "/dev/xvda");
    assert_int_equal(o.cold_files_in_four, 3);
    assert_int_equal(o.address, 0);
}

static void words(void **state)
{
    (void)state;
    assert_int_equal(guest_options_parse("console=hvc0 wcr=1 wcr.mode=verify wcr.files=7 wcr.blocks=504 "
                                         "wcr.seed=18446744073709551615 wcr.run_id=5 wcr.device=/dev/xvda2 wcr.later=x\n", &o), 0);
    assert_string_equal(o.mode, "verify");
    assert_int_equal(o.files, 7);
    assert_int_equal(o.blocks, 504);
    assert_true(o.seed == UINT64_MAX);
    assert_int_equal(o.run_id, 5);
    assert_string_equal(o.device, "/dev/xvda2");
}

static void addresses(void **state)
{
    (void)state;
    assert_int_equal(guest_options_parse("wcr.address=10.77.0.2/24", &o), 0);
    assert_memory_equal(&o.address, "\x0a\x4d\x00\x02", 4);
    assert_int_equal(o.prefix_bits, 24);
}

static void bad_values(void **state)
{
    static const char *const bad[] = {
        "wcr.files=0", "wcr.files=4097", "wcr.files=", "wcr.files=7x", "wcr.blocks=99999999999",
        "wcr.address=10.77.0.2", "wcr.address=10.77.0/24", "wcr.address=10.77.0.2/", "wcr.address=10.77.0.2/32",
        "wcr.address=0.0.0.0/8", "wcr.address=/24", "wcr.address=10.77.0.2.10.77.0.2/24",
        "wcr.workers=9", "wcr.seed=18446744073709551616", "wcr.mode=abcdefghijklmnopqrst",
    };
    static char long_line[5000];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(guest_options_parse(bad[i], &o) < 0);
    memset(long_line, 'x', sizeof(long_line) - 1);
    assert_int_equal(guest_options_parse(long_line, &o), -E2BIG);
}

static void table_geometry(void **state)
{
    (void)state;
    assert_int_equal(status_pages_per_file(1), 1);
    assert_int_equal(status_pages_per_file(STATUS_BLOCKS_PER_PAGE), 1);
    assert_int_equal(status_pages_per_file(STATUS_BLOCKS_PER_PAGE + 1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(words), cmocka_unit_test(addresses), cmocka_unit_test(bad_values),
        cmocka_unit_test(table_geometry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
