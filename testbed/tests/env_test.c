// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: testbed.env misread, or a broken line accepted silently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testbed/env.h"

static int load(const char *text, struct env_file **ret, struct err *err)
{
    char path[] = "/tmp/wcr-env-test-XXXXXX";
    int fd = mkstemp(path), r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    r = env_file_load(path, ret, err);
    unlink(path);
    return r;
}

static void values_comments_and_quotes(void **state)
{
    struct env_file *env;
    struct err err = {0};
    const char *value;

    (void)state;
    assert_int_equal(load("# comment\n\nA=1\n  B = \"two words\" \nC='x=y'\nA=3\nD=\n", &env, &err),
                     0);
    assert_string_equal(env_file_get(env, "A"), "3");
    assert_string_equal(env_file_get(env, "B"), "two words");
    assert_string_equal(env_file_get(env, "C"), "x=y");
    assert_string_equal(env_file_get(env, "D"), "");
    assert_null(env_file_get(env, "E"));
    assert_string_equal(env_file_name(env, 1, &value), "B");
    assert_string_equal(value, "two words");
    assert_null(env_file_name(env, 5, &value));
    assert_int_equal(env_file_need(env, "D", &value, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "D is not set"));
    env_file_free(env);
}

static void broken_lines_are_named(void **state)
{
    static const char *const broken[] = {"A=1\nB\n", "A=1\n1B=2\n", "A=1\nB C=2\n", "A=1\nB=\"x\n",
                                         "A=1\n=2\n"};
    struct env_file *env;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(load(broken[i], &env, &err), -EINVAL);
        assert_non_null(strstr(err.msg, ":2: expected NAME=VALUE"));
    }
}

static void missing_file(void **state)
{
    struct env_file *env;
    struct err err;

    (void)state;
    assert_int_equal(env_file_load("/nonexistent/testbed.env", &env, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/nonexistent/testbed.env"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_comments_and_quotes),
        cmocka_unit_test(broken_lines_are_named),
        cmocka_unit_test(missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
