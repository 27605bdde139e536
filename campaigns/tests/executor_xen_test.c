// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: an agent given up because it lost the first request; the libvirt URI kept from
 * it; a refused plan taken for a broken experiment. The agent is a shell script.
 */
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

#include "campaigns/executor.h"

/* Loses $1 lines, then answers each with its id and $2; keeps all of them in $3. */
static const char script[] =
    "lose=$1; while read -r line; do printf '%s\\n' \"$line\" >>\"$3\"; "
    "[ $lose -gt 0 ] && { lose=$((lose - 1)); continue; }; "
    "id=${line##*\\\"id\\\":}; printf '{\"id\":%d, %s}\\n' ${id%%[,\\}]*} \"$2\"; done";

static char path[64];

json_t *executor_guest_start(const struct spec *spec)
{
    (void)spec;
    return json_pack("{s:s}", "cmd", "guest_start");
}

static void *open_agent(unsigned lose, const char *answer)
{
    struct executor_params params = {.connect = "xen:///elsewhere"};
    char command[1024], file[64];
    struct err err = {0};
    FILE *f;
    void *ret;

    snprintf(file, sizeof(file), "%s.sh", path);
    f = fopen(file, "w");
    assert_non_null(f);
    assert_true(fputs(script, f) >= 0);
    fclose(f);
    snprintf(command, sizeof(command), "sh %s %u '%s' %s", file, lose, answer, path);
    params.agent = command;
    if (xen_executor.open(&params, NULL, &ret, &err))
        fail_msg("%s", err.msg);
    return ret;
}

static void heard(const char *words)
{
    char text[4096] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    if (!strstr(text, words))
        fail_msg("no '%s' in:\n%s", words, text);
}

static int setup(void **state)
{
    int fd;

    (void)state;
    strcpy(path, "/tmp/wcr-executor-test-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    char file[96];

    (void)state;
    snprintf(file, sizeof(file), "%s.sh", path);
    unlink(file);
    return unlink(path);
}

static void a_lost_hello_is_said_again(void **state)
{
    void *c = open_agent(1, "\"ok\":true");
    struct err err = {0};
    bool cold;

    (void)state;
    if (xen_executor.restore(c, POINT_WARM, &cold, &err))
        fail_msg("%s", err.msg);
    assert_true(cold);
    heard("\"connect\":\"xen:///elsewhere\"");
    heard("\"cmd\":\"guest_start\"");
    xen_executor.close(c);
    heard("\"cmd\":\"shutdown\"");
}

static void errors_and_refusals_are_told_apart(void **state)
{
    static const struct {
        const char *answer;
        int r;
    } cases[] = {
        {"\"ok\":false, \"error\":\"it broke\"", -EREMOTEIO},
        {"\"ok\":false, \"error\":\"it broke\", \"refused\":true", -ESTALE},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        void *c = open_agent(0, cases[i].answer);
        struct err err = {0};
        bool cold;

        assert_int_equal(xen_executor.restore(c, POINT_WARM, &cold, &err), cases[i].r);
        assert_non_null(strstr(err.msg, "it broke"));
        xen_executor.close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lost_hello_is_said_again, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_and_refusals_are_told_apart, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
