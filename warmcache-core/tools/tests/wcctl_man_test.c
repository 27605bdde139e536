// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The man page of wcctl against the program's tables.
 * Catches: a command, option, flag, counter or reason that only one of both has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* For its tables. */
#include "warmcache-core/tools/wcctl.c"

#define MAN_PAGE "docs/man/wcctl.8"

static char page[32 * 1024];

/* As it is read, that is without the backslash of '\-'. */
static int page_setup(void **state)
{
    FILE *f = fopen(MAN_PAGE, "r");
    size_t n = 0;
    int c;

    (void)state;
    if (!f)
        return -1;
    while ((c = getc(f)) != EOF && n < sizeof(page) - 1)
        if (c != '\\')
            page[n++] = (char)c;
    fclose(f);
    return 0;
}

/* The part with this heading, up to the next; *ret_end is its end. */
static const char *part(const char *heading, const char **ret_end)
{
    char line[64];
    const char *start, *end;

    snprintf(line, sizeof(line), "\n.SH %s\n", heading);
    start = strstr(page, line);
    if (!start)
        fail_msg("%s has no part %s", MAN_PAGE, heading);
    start += strlen(line) - 1;
    end = strstr(start, "\n.SH ");
    *ret_end = end ? end : start + strlen(start);
    return start;
}

/* How many words of the lines behind .TP in this part are @word; NULL: all words. */
static unsigned int tags(const char *heading, const char *word)
{
    const char *end, *p = part(heading, &end);
    unsigned int n = 0;

    while ((p = strstr(p, "\n.TP\n")) && p < end) {
        const char *stop;

        p += strlen("\n.TP\n.B");
        stop = p + strcspn(p, "\n");
        while (p < stop) {
            size_t len = strspn(p, "-_abcdefghijklmnopqrstuvwxyz");

            n += len > 1 && (!word || (strlen(word) == len && !strncmp(p, word, len)));
            p += len ? len : 1;
        }
    }
    return n;
}

static void explained(const char *heading, const char *word)
{
    if (tags(heading, word) != 1)
        fail_msg("%s: '%s' is explained %u times in %s", MAN_PAGE, word, tags(heading, word),
                 heading);
}

static void commands_are_explained(void **state)
{
    unsigned int parts = 0;

    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        char heading[32];

        snprintf(heading, sizeof(heading), "\n.SS wcctl %s\n", commands[i].name);
        if (!strstr(page, heading))
            fail_msg("%s has no part on %s", MAN_PAGE, commands[i].name);
    }
    for (const char *p = page; (p = strstr(p, "\n.SS ")); p++)
        parts++;
    assert_int_equal(parts, COMMANDS);
}

static void options_and_flags_are_explained(void **state)
{
    size_t options = sizeof(long_options) / sizeof(long_options[0]) - 1;

    (void)state;
    for (size_t i = 0; i < options; i++) {
        char word[32];

        snprintf(word, sizeof(word), "--%s", long_options[i].name);
        explained("OPTIONS", word);
    }
    for (size_t i = 0; i < FLAGS; i++)
        explained("OPTIONS", flags[i].name);
    assert_int_equal(tags("OPTIONS", NULL), options + FLAGS + 1);      /* -h */
}

static void counters_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTERS; i++)
        explained("COUNTERS", counters[i].name);
    assert_int_equal(tags("COUNTERS", NULL), COUNTERS + 1);     /* max_age is none */
}

static void reasons_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < WCR_WHY_NR; i++)
        explained("WHY NOT", whys[i].name);
    assert_int_equal(tags("WHY NOT", NULL), WCR_WHY_NR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_explained),
        cmocka_unit_test(options_and_flags_are_explained),
        cmocka_unit_test(counters_are_explained),
        cmocka_unit_test(reasons_are_explained),
    };

    return cmocka_run_group_tests(tests, page_setup, NULL);
}
