// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a plan misread on its way to the guest's memory, or a broken one accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "injector/inject.h"

#define SITE "\"va\": \"0xffffffff81234567\""
#define BYTES "\"old\": \"488b4310\", \"new\": \"498b4310\""

static int parse(const char *text, struct text_fault *ret, struct err *err)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    int r;

    if (!json)
        fail_msg("%s: %s", text, error.text);
    r = text_fault_from_json(json, ret, err);
    json_decref(json);
    return r;
}

static void whole_plan(void **state)
{
    struct text_fault f;
    struct err err = {0};

    (void)state;
    assert_int_equal(parse("{" SITE ", " BYTES ", \"class\": \"PTR\", \"symbol\": \"ext4_read\", "
                           "\"build_id\": \"000102030405060708090a0b0c0d0e0f10111213\", "
                           "\"build_id_va\": \"0xffffffff82000010\"}",
                           &f, &err),
                     0);
    assert_int_equal(f.va, 0xffffffff81234567);
    assert_int_equal(f.len, 4);
    assert_memory_equal(f.old_bytes, "\x48\x8b\x43\x10", 4);
    assert_memory_equal(f.new_bytes, "\x49\x8b\x43\x10", 4);
    assert_int_equal(f.kernel.build_id_va, 0xffffffff82000010);
    for (uint8_t i = 0; i < BUILD_ID_BYTES; i++)
        assert_int_equal(f.kernel.build_id[i], i);
}

static void without_build_id(void **state)
{
    struct text_fault f;
    struct err err = {0};

    (void)state;
    assert_int_equal(parse("{" SITE ", " BYTES "}", &f, &err), 0);
    assert_int_equal(f.kernel.build_id_va, 0);
}

#define KEY "\"build_id\": \"000102030405060708090a0b0c0d0e0f10111213\""
#define PLACE "\"build_id_at\": 4112, \"list_va\": \"0xffffffff82000020\", \"list\": 8, \"name_at\": 24, " \
    "\"code\": 320, \"rodata\": 376"

static void in_a_module(void **state)
{
    struct text_fault f;
    struct err err = {0};

    (void)state;
    assert_int_equal(parse("{\"va\": \"0x0\", \"old\": \"e8????????\", \"new\": \"0f1f440000\", \"module\": "
                           "{\"name\": \"ext4\", " KEY ", " PLACE "}}", &f, &err), 0);
    assert_int_equal(f.va, 0);
    assert_int_equal(f.old_bytes[0], 0xe8);
    assert_false(f.any[0]);
    for (unsigned i = 1; i < 5; i++)
        assert_true(f.any[i]);
    assert_string_equal(f.module.name, "ext4");
    assert_int_equal(f.module.build_id[19], 0x13);
    assert_int_equal(f.module.build_id_at, 4112);
    assert_int_equal(f.module.list_va, 0xffffffff82000020);
    assert_int_equal(f.module.list, 8);
    assert_int_equal(f.module.name_at, 24);
    assert_int_equal(f.module.code, 320);
    assert_int_equal(f.module.rodata, 376);
}

static void longest_instruction(void **state)
{
    struct text_fault f;
    struct err err = {0};

    (void)state;
    assert_int_equal(parse("{" SITE ", \"old\": \"000102030405060708090a0b0c0d0e\", "
                           "\"new\": \"000102030405060708090a0b0c0d0f\"}",
                           &f, &err),
                     0);
    assert_int_equal(f.len, 15);
    assert_int_equal(f.new_bytes[14], 15);
}

static void broken_plans(void **state)
{
    static const struct {
        const char *plan, *words;
    } broken[] = {
        {"[]", "expected an object"},
        {"{" BYTES "}", "'va'"},
        {"{\"va\": 5, " BYTES "}", "'va'"},
        {"{\"va\": \"ffffffff81234567\", " BYTES "}", "'va'"},
        {"{\"va\": \"0x\", " BYTES "}", "'va'"},
        {"{\"va\": \"0xffffffff8123456g\", " BYTES "}", "'va'"},
        {"{\"va\": \"0x1ffffffff81234567\", " BYTES "}", "'va'"},
        {"{" SITE ", \"new\": \"90\"}", "'old'"},
        {"{" SITE ", \"old\": \"90\"}", "'new'"},
        {"{" SITE ", \"old\": \"\", \"new\": \"\"}", "'old'"},
        {"{" SITE ", \"old\": \"909\", \"new\": \"909\"}", "'old'"},
        {"{" SITE ", \"old\": \"9G\", \"new\": \"90\"}", "no hexadecimal byte"},
        {"{" SITE ", \"old\": \"9090\", \"new\": \"90\"}", "'old' has 2 bytes, 'new' 1"},
        {"{" SITE ", \"old\": \"90\", \"new\": \"9090\"}", "'old' has 1 bytes, 'new' 2"},
        {"{" SITE ", \"old\": \"000102030405060708090a0b0c0d0e0f10\", \"new\": \"90\"}", "1 to 16"},
        {"{" SITE ", " BYTES ", \"build_id_va\": \"0x10\"}", "'build_id'"},
        {"{" SITE ", " BYTES ", \"build_id_va\": \"0x10\", \"build_id\": \"0102\"}", "expected 20"},
        {"{" SITE ", \"old\": \"9?\", \"new\": \"90\"}", "no hexadecimal byte"},
        {"{" SITE ", \"old\": \"90\", \"new\": \"??\"}", "no hexadecimal byte"},
        {"{" SITE ", " BYTES ", \"module\": \"ext4\"}", "'module'"},
        {"{" SITE ", " BYTES ", \"module\": {\"name\": \"ext4\", " KEY "}}", "'module'"},
        {"{" SITE ", " BYTES ", \"module\": {\"name\": \"\", " KEY ", " PLACE "}}", "empty"},
        {"{" SITE ", " BYTES ", \"module\": {\"name\": \"ext4\", " PLACE "}}", "'build_id'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct text_fault f = {.len = 99};
        struct err err = {0};

        assert_int_equal(parse(broken[i].plan, &f, &err), -EINVAL);
        if (!strstr(err.msg, broken[i].words))
            fail_msg("%s: '%s' does not say '%s'", broken[i].plan, err.msg, broken[i].words);
        assert_int_equal(f.len, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_plan),
        cmocka_unit_test(without_build_id),
        cmocka_unit_test(in_a_module),
        cmocka_unit_test(longest_instruction),
        cmocka_unit_test(broken_plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
