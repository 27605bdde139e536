// SPDX-License-Identifier: GPL-2.0-or-later
/* The port may carry anything; the agent answers, and goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "campaigns/agent/guest_xml.h"
#include "campaigns/agent/proto.h"

static struct proto_reader reader;
static char line[PROTO_LINE_MAX];

static void feed(const char *bytes, size_t n)
{
    while (n) {
        size_t room;
        char *to = proto_reader_room(&reader, &room);

        assert_true(room > 0);
        if (room > n)
            room = n;
        memcpy(to, bytes, room);
        proto_reader_added(&reader, room);
        bytes += room;
        n -= room;
    }
}

static int reset(void **state)
{
    (void)state;
    memset(&reader, 0, sizeof(reader));
    return 0;
}

static void lines_are_cut(void **state)
{
    (void)state;
    feed("one\r\ntw", 7);
    assert_int_equal(proto_reader_line(&reader, line), 1);
    assert_string_equal(line, "one");
    assert_int_equal(proto_reader_line(&reader, line), 0);
    feed("o\n\n", 3);
    assert_int_equal(proto_reader_line(&reader, line), 1);
    assert_string_equal(line, "two");
    assert_int_equal(proto_reader_line(&reader, line), 1);
    assert_string_equal(line, "");
    assert_int_equal(proto_reader_line(&reader, line), 0);
}

static void overlong_lines_are_dropped_whole(void **state)
{
    static char big[3 * PROTO_LINE_MAX];

    (void)state;
    memset(big, 'x', sizeof(big));
    feed(big, sizeof(big));
    assert_int_equal(proto_reader_line(&reader, line), 0);
    feed("tail\nnext\n", 10);
    assert_int_equal(proto_reader_line(&reader, line), -E2BIG);
    assert_int_equal(proto_reader_line(&reader, line), 1);
    assert_string_equal(line, "next");
}

static void nul_bytes_do_not_hide(void **state)
{
    (void)state;
    feed("{}\0{}\n", 6);
    assert_int_equal(proto_reader_line(&reader, line), -EILSEQ);
    feed("{}\n", 3);
    assert_int_equal(proto_reader_line(&reader, line), 1);
    assert_string_equal(line, "{}");
}

static void bad_requests(void **state)
{
    static const struct { const char *text; json_int_t id; } bad[] = {
        {"", -1}, {"x", -1}, {"[]", -1}, {"1", -1}, {"{", -1}, {"{}", -1}, {"{\"id\":1}", 1},
        {"{\"id\":2,\"cmd\":3}", 2}, {"{\"id\":-1,\"cmd\":\"hello\"}", -1},
        {"{\"id\":\"1\",\"cmd\":\"hello\"}", -1}, {"{\"id\":1.5,\"cmd\":\"hello\"}", -1},
        {"{\"id\":1,\"id\":2,\"cmd\":\"hello\"}", -1}, {"{\"id\":1,\"cmd\":\"hello\"} x", -1},
        {"{\"id\":99999999999999999999,\"cmd\":\"hello\"}", -1}, {"{\"id\":1,\"cmd\":\"\\ud800\"}", -1},
        {"\xff\xfe", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        struct request q;
        json_t *reply;
        char *text;

        assert_int_equal(request_parse(bad[i].text, &q, &err), -EINVAL);
        assert_int_equal(q.id, bad[i].id);
        assert_true(err.msg[0]);
        reply = reply_error(q.id, &err);
        text = json_dumps(reply, JSON_COMPACT);
        assert_non_null(text);
        assert_non_null(strstr(text, "\"ok\":false"));
        free(text);
        json_decref(reply);
        request_done(&q);
    }
}

static void deep_nesting(void **state)
{
    static char deep[60001];
    struct err err = {0};
    struct request q;

    (void)state;
    memset(deep, '[', sizeof(deep) - 1);
    assert_int_equal(request_parse(deep, &q, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "nested"));
    /* Brackets inside strings are text. */
    assert_int_equal(request_parse("{\"id\":1,\"cmd\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}",
                                   &q, &err), 0);
    request_done(&q);
}

static void mutations(void **state)
{
    static const char good[] = "{\"id\":7,\"cmd\":\"inject\",\"params\":{\"lo\":1000},\"x\":[1,null,true]}";
    char text[sizeof(good)];

    (void)state;
    srand(2);
    for (int i = 0; i < 50000; i++) {
        struct err err = {0};
        struct request q;

        memcpy(text, good, sizeof(good));
        for (int n = 1 + rand() % 4; n; n--)
            text[rand() % (int)(sizeof(good) - 1)] = (char)(rand() % 256);
        if (request_parse(text, &q, &err) == 0)
            assert_true(q.id >= 0 && q.cmd);
        request_done(&q);
    }
}

static void parameters(void **state)
{
    json_t *o = json_pack("{s:i, s:b, s:b, s:s, s:f, s:n, s:I}", "n", 5, "yes", 1, "no", 0, "s", "abc", "f", 1.5, "null", "seed",
                          (json_int_t)-1);
    struct err err = {0};
    uint64_t v;
    bool b = true;
    char s[4];

    (void)state;
    assert_int_equal(request_bool(o, "absent", &b, &err), 0);
    assert_false(b);
    assert_int_equal(request_bool(o, "yes", &b, &err), 0);
    assert_true(b);
    assert_int_equal(request_bool(o, "no", &b, &err), 0);
    assert_false(b);
    assert_int_equal(request_bool(o, "n", &b, &err), -EINVAL);
    assert_int_equal(request_bool(o, "s", &b, &err), -EINVAL);
    assert_int_equal(request_uint(o, "n", 1, 1, 10, &v, &err), 0);
    assert_int_equal(v, 5);
    assert_int_equal(request_uint(o, "absent", 3, 1, 10, &v, &err), 0);
    assert_int_equal(v, 3);
    assert_int_equal(request_uint(o, "null", 4, 1, 10, &v, &err), 0);
    assert_int_equal(request_uint(o, "n", 1, 6, 10, &v, &err), -ERANGE);
    assert_int_equal(request_uint(o, "s", 1, 1, 10, &v, &err), -EINVAL);
    assert_int_equal(request_uint(o, "f", 1, 1, 10, &v, &err), -EINVAL);
    assert_int_equal(request_uint(o, "seed", 1, 0, 100, &v, &err), -ERANGE);
    assert_int_equal(request_uint(o, "seed", 1, 0, UINT64_MAX, &v, &err), 0);
    assert_int_equal(request_string(o, "s", NULL, s, sizeof(s), &err), 0);
    assert_string_equal(s, "abc");
    assert_int_equal(request_string(o, "s", NULL, s, 3, &err), -ENAMETOOLONG);
    assert_int_equal(request_string(o, "n", NULL, s, sizeof(s), &err), -EINVAL);
    assert_int_equal(request_string(o, "absent", NULL, s, sizeof(s), &err), -EINVAL);
    json_decref(o);
}

/* A device name or a word of the command line must not become XML. */
static void xml_is_escaped(void **state)
{
    struct agent_options opt = {
        .domain_name = "a<b", .domain_uuid = "u", .data_disk = "/dev/x'/><evil/>",
        .status_disk = "/dev/y", .kernel = "k&k", .initrd = "i", .cmdline = "\"q\" <c>",
    };
    struct guest_params params = {.memory_mb = 256, .vcpus = 1, .partition = 2, .filesystem = "ext4",
                                  .mount_options = "data=journal", .program = "/bin/<p>", .cmdline = "<d>"};
    char *xml = guest_xml(&opt, &params, "run", 42);

    (void)state;
    assert_non_null(xml);
    assert_null(strstr(xml, "<evil/>"));
    assert_null(strstr(xml, "<c>"));
    assert_non_null(strstr(xml, " &quot;q&quot; &lt;c&gt; &lt;d&gt;</cmdline>"));
    assert_non_null(strstr(xml, "<name>a&lt;b</name>"));
    assert_non_null(strstr(xml, "k&amp;k"));
    assert_non_null(strstr(xml, "wcr.mode=run wcr.run_id=42 "));
    assert_non_null(strstr(xml, "wcr.fsopts=data=journal"));
    assert_non_null(strstr(xml, " wcr.program=/bin/&lt;p&gt; "));
    assert_non_null(strstr(xml, " wcr.device=/dev/xvda2 "));
    assert_null(strstr(xml, "<interface"));
    assert_null(strstr(xml, "wcr.address"));
    free(xml);
}

static void a_network_is_an_interface_and_an_address(void **state)
{
    struct agent_options opt = {
        .domain_name = "g", .domain_uuid = "u", .data_disk = "/dev/x", .status_disk = "/dev/y", .kernel = "k",
        .initrd = "i",
    };
    struct guest_params params = {.memory_mb = 256, .vcpus = 1, .network = true, .filesystem = "ext4"};
    char *xml = guest_xml(&opt, &params, "run", 42);

    (void)state;
    assert_non_null(xml);
    assert_non_null(strstr(xml, "<interface type='bridge'>"));
    assert_non_null(strstr(xml, "<source bridge='xenbr0'/>"));
    assert_non_null(strstr(xml, " wcr.address=10.77.0.2/24"));
    free(xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_are_cut, reset),
        cmocka_unit_test_setup(overlong_lines_are_dropped_whole, reset),
        cmocka_unit_test_setup(nul_bytes_do_not_hide, reset),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(mutations),
        cmocka_unit_test(parameters),
        cmocka_unit_test(xml_is_escaped),
        cmocka_unit_test(a_network_is_an_interface_and_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
