// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a command or option that bash completion or the man page does not know, or that
 * they still have and the program has not; a command line that fails with the wrong status.
 */
#define main wcr_main
#include "cli/main.c"
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/tests/fixture.h"
#include "injector/plan.h"

#define MAN_PAGE "docs/man/wcr.1"

/* ---- words, one a line ---- */

struct words {
    char text[4096];
};

static bool words_have(const struct words *w, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = w->text; *p; p += strcspn(p, "\n") + 1)
        if (strcspn(p, "\n") == len && !strncmp(p, word, len))
            return true;
    return false;
}

static void words_add(struct words *w, const char *word, size_t len)
{
    char one[64];

    snprintf(one, sizeof(one), "%.*s", (int)len, word);
    if (words_have(w, one))
        return;
    assert_true(strlen(w->text) + len + 2 < sizeof(w->text));
    strcat(strcat(w->text, one), "\n");
}

static void words_equal(const struct words *a, const struct words *b, const char *what)
{
    const struct words *pair[2][2] = {{a, b}, {b, a}};

    for (int i = 0; i < 2; i++) {
        const char *p = pair[i][0]->text;

        for (; *p; p += strcspn(p, "\n") + 1) {
            char one[64];

            snprintf(one, sizeof(one), "%.*s", (int)strcspn(p, "\n"), p);
            if (!words_have(pair[i][1], one))
                fail_msg("%s: only one of both has '%s'", what, one);
        }
    }
}

/* Long options in @line, but --help; '\-' of man pages is a '-'. */
static void options_of_line(struct words *w, const char *line, size_t len)
{
    char plain[256];
    size_t n = 0;

    for (size_t i = 0; i < len && n < sizeof(plain) - 1; i++)
        if (line[i] != '\\')
            plain[n++] = line[i];
    plain[n] = '\0';
    for (char *p = plain; (p = strstr(p, "--"));) {
        size_t name = 2;

        while (islower((unsigned char)p[name]) || isdigit((unsigned char)p[name]) || p[name] == '-')
            name++;
        if (strncmp(p, "--help", name) != 0)
            words_add(w, p, name);
        p += name;
    }
}

/* Lines that define options begin with blanks and a '-'; what they do is two blanks away. */
static struct words options_of_help(const char *help)
{
    struct words w = {""};

    for (const char *line = help; *line; line += strcspn(line, "\n") + 1) {
        size_t blanks = strspn(line, " "), len = strcspn(line, "\n");
        const char *gap;

        if (blanks < 2 || line[blanks] != '-')
            continue;
        gap = memmem(line + blanks, len - blanks, "  ", 2);
        options_of_line(&w, line + blanks, gap ? (size_t)(gap - line) - blanks : len - blanks);
    }
    return w;
}

static struct words options_of(const struct command *c)
{
    char *out, *err;
    struct words w;

    assert_int_equal(fixture_command(c->entry, &out, &err, c->name, "--help", NULL), 0);
    assert_string_equal(err, "");
    assert_true(!strncmp(out, "usage: wcr ", 11));
    w = options_of_help(out);
    free(out);
    free(err);
    return w;
}

/* What is offered after "wcr WORDS", the last of which is being typed. */
static struct words completed(const char *words, unsigned number)
{
    struct words w = {""};
    char command[512], line[256];
    FILE *f;

    snprintf(command, sizeof(command),
             "bash -c '. cli/wcr-completion.bash; COMP_WORDS=(wcr %s); COMP_CWORD=%u; _wcr; "
             "printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
             words, number);
    f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (strcmp(line, "--help\n") != 0)
            words_add(&w, line, strcspn(line, "\n"));
    assert_int_equal(pclose(f), 0);
    return w;
}

static void completion_has_the_commands(void **state)
{
    struct words table = {""}, found = completed("\"\"", 1), helped = completed("help \"\"", 2);

    (void)state;
    for (size_t i = 0; i < COMMANDS; i++)
        words_add(&table, commands[i].name, strlen(commands[i].name));
    words_equal(&table, &helped, "wcr help <TAB>");
    words_add(&table, "help", 4);
    words_equal(&table, &found, "wcr <TAB>");
}

static void completion_has_the_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        struct words help = options_of(&commands[i]), found;
        char typed[64];

        snprintf(typed, sizeof(typed), "%s --", commands[i].name);
        found = completed(typed, 2);
        words_equal(&help, &found, typed);
    }
}

static void completion_of_values(void **state)
{
    struct words w = completed("export x.db --format m", 4);

    (void)state;
    assert_string_equal(w.text, "markdown\n");
    w = completed("testbed c", 2);
    assert_string_equal(w.text, "call\nconsole\n");
    w = completed("gate --policy analysis/policies/def", 3);
    assert_string_equal(w.text, "analysis/policies/default.yaml\n");
}

/* The man page's part on one command: from its heading to the next. */
static char *man_part(const char *page, const char *name)
{
    char heading[64];
    const char *start, *end;

    snprintf(heading, sizeof(heading), "\n.SS wcr %s\n", name);
    start = strstr(page, heading);
    if (!start)
        fail_msg("%s has no part on %s", MAN_PAGE, name);
    start += strlen(heading);
    end = strstr(start, "\n.S");
    return strndup(start, end ? (size_t)(end - start) : strlen(start));
}

/* Options are defined by the line after .TP, or .TQ. */
static struct words options_of_man(const char *part)
{
    struct words w = {""};
    bool tag = false;

    for (const char *line = part; *line;) {
        size_t len = strcspn(line, "\n");

        if (tag)
            options_of_line(&w, line, len);
        tag = len == 3 && (!strncmp(line, ".TP", 3) || !strncmp(line, ".TQ", 3));
        line += len + (line[len] == '\n');
    }
    return w;
}

static void man_page_has_everything(void **state)
{
    char *page = fixture_read(MAN_PAGE);
    unsigned parts = 0;

    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        struct words help = options_of(&commands[i]), found;
        char *part = man_part(page, commands[i].name);

        found = options_of_man(part);
        words_equal(&help, &found, commands[i].name);
        free(part);
    }
    for (const char *p = page; (p = strstr(p, "\n.SS wcr ")); p++)
        parts++;
    assert_int_equal(parts, COMMANDS);
    free(page);
}

static int wcr(char **ret_out, char **ret_err, const char *a, const char *b)
{
    return fixture_command(wcr_main, ret_out, ret_err, "wcr", a, b, NULL);
}

static void command_lines(void **state)
{
    static const struct {
        const char *a, *b;
        int status;
        const char *out, *err;
    } lines[] = {
        {NULL, NULL, WCR_EXIT_ERROR, "", "usage: wcr COMMAND"},
        {"--version", NULL, WCR_EXIT_OK, "wcr " WCR_VERSION, ""},
        {"help", NULL, WCR_EXIT_OK, "  compare    compare", ""},
        {"--help", NULL, WCR_EXIT_OK, "Exit status: 0 success; 1 a negative verdict", ""},
        {"help", "gate", WCR_EXIT_OK, "usage: wcr gate", ""},
        {"gate", "--help", WCR_EXIT_OK, "usage: wcr gate", ""},
        {"comapre", NULL, WCR_EXIT_ERROR, "", "unknown command 'comapre'; did you mean 'compare'?"},
        {"expo", NULL, WCR_EXIT_ERROR, "", "did you mean 'export'?"},
        {"xyzzyxyzzy", NULL, WCR_EXIT_ERROR, "", "'wcr help' lists them"},
        {"help", "gat", WCR_EXIT_ERROR, "", "did you mean 'gate'?"},
        {"", NULL, WCR_EXIT_ERROR, "", "unknown command ''"},
        {"gate", "--nonsense", WCR_EXIT_ERROR, "", "wcr gate: unknown option '--nonsense'\nTry 'wcr gate --help'"},
        {"plan", "--seed", WCR_EXIT_ERROR, "", "wcr plan: option '--seed' wants a value\nTry 'wcr plan --help'"},
        {"plan", "--seed=x", WCR_EXIT_ERROR, "", "wcr plan: --seed 'x': expected a number from 0 to "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *out, *err;

        assert_int_equal(wcr(&out, &err, lines[i].a, lines[i].b), lines[i].status);
        if (!strstr(out, lines[i].out) || !strstr(err, lines[i].err) || !*lines[i].err != !*err)
            fail_msg("wcr %s %s:\n%s%s", lines[i].a ? lines[i].a : "", lines[i].b ? lines[i].b : "",
                     out, err);
        free(out);
        free(err);
    }
}

static void every_command_refuses_unknown_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        char *out, *err;

        assert_int_equal(wcr(&out, &err, commands[i].name, "--no-such-option"), WCR_EXIT_ERROR);
        assert_non_null(strstr(err, "no-such-option"));
        assert_string_equal(out, "");
        free(out);
        free(err);
    }
}

static void sizes_of_campaigns(void **state)
{
    static const struct {
        const char *words[6];
        int status;
        const char *said;
    } lines[] = {
        {{"--below", "0.01"}, WCR_EXIT_OK, "299 trials, 0 of them failures, show"},
        {{"--below", "0.05", "--failures", "2"}, WCR_EXIT_OK, "124 trials, 2 of them failures"},
        {{"--half-width", "0.05", "--rate", "0", "--json"}, WCR_EXIT_OK, "{\"trials\": 36}"},
        {{"--only-disabled", "1"}, WCR_EXIT_OK, "6 pairs show the difference"},
        {{NULL}, WCR_EXIT_ERROR, "one of --below, --half-width and --only-disabled"},
        {{"--below", "0.1", "--half-width", "0.1"}, WCR_EXIT_ERROR, "one of --below"},
        {{"--below", "2"}, WCR_EXIT_ERROR, "--below '2': expected a number from 0 to 1"},
        {{"--below", "0"}, WCR_EXIT_ERROR, "more than 1000000 trials, or no number"},
        {{"--below", "0.1", "--failures", "-1"}, WCR_EXIT_ERROR, "--failures '-1'"},
        {{"--below", "0.1", "--confidence", "x"}, WCR_EXIT_ERROR, "--confidence 'x'"},
        {{"--only-disabled", "0.6", "--only-enabled", "0.6"}, WCR_EXIT_ERROR, "more than all pairs"},
        {{"--only-disabled", "0.1", "--only-enabled", "0.1"}, WCR_EXIT_ERROR, "no number of them"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *const *w = lines[i].words;
        char *out, *err;
        int status = fixture_command(cmd_plan_size, &out, &err, "plan-size", w[0], w[1], w[2], w[3], w[4],
                                     w[5], NULL);

        if (status != lines[i].status || !strstr(status ? err : out, lines[i].said))
            fail_msg("%s %s: status %d: %s%s", w[0] ? w[0] : "", w[1] ? w[1] : "", status, out, err);
        free(out);
        free(err);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void run_says(const char *expected, const char *const *w)
{
    char *out, *err;

    assert_int_equal(fixture_command(cmd_run, &out, &err, "run", w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7],
                                     w[8], NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, expected);
    free(out);
    free(err);
}

#define RUN_SAYS(expected, ...) run_says(expected, (const char *const[9]){__VA_ARGS__})

/* What is told before a machine is started. */
static void runs_that_cannot_be(void **state)
{
    char db[96], text[96], panic[96], profile[96];

    (void)state;
    snprintf(db, sizeof(db), "%s/run.db", fixture_dir);
    snprintf(text, sizeof(text), "%s/text.yaml", fixture_dir);
    snprintf(panic, sizeof(panic), "%s/panic.yaml", fixture_dir);
    snprintf(profile, sizeof(profile), "%s/profile.json", fixture_dir);
    write_file(text, "name: x\nseed: 1\nexecuted: true\nclasses: [{class: TEXT, trials: 2}]\n");
    write_file(panic, "name: x\nseed: 1\nexecuted: true\nclasses: [{class: PANIC, trials: 2}]\n");
    write_file(profile, "{\"a\": 1}");
    RUN_SAYS("--db FILE is missing", text);
    RUN_SAYS("--db FILE is missing", text, "--shard", "1/2");
    RUN_SAYS("--db FILE is missing", text, "--shard", "1/2", "--profile", profile);
    RUN_SAYS("--shard '3/2': expected K/N", text, "--db", db, "--shard", "3/2");
    RUN_SAYS("all shards must draw from the same profile", text, "--db", db, "--shard", "1/2");
    RUN_SAYS("its plans need no profile", panic, "--db", db, "--profile", profile);
    RUN_SAYS("/no/such: No such file", text, "--db", db, "--profile", "/no/such");
    RUN_SAYS("/no/vmlinux", text, "--db", db, "--profile", profile, "--vmlinux", "/no/vmlinux");
    /* A profile that cannot be used was not kept, nor that it was to be all of the campaign. */
    write_file(profile, "{\"a\": 2}");
    RUN_SAYS("/no/vmlinux", text, "--db", db, "--profile", profile, "--vmlinux", "/no/vmlinux", "--shard", "2/2");
    RUN_SAYS("run.db: the database holds shard 2/2 of this campaign", text, "--db", db, "--profile", profile,
             "--shard", "1/2");
}

/* What is told before a hypervisor is needed. */
static void injections_that_cannot_be(void **state)
{
    static const struct {
        const char *words[6], *err;
    } lines[] = {
        {{NULL}, "--domain is needed"},
        {{"--class", "NOP"}, "--domain is needed"},
        {{"--domain", "web"}, "--class is needed; 'wcr faults' lists"},
        {{"-d", "web", "-c", "NOPE"}, "unknown fault class 'NOPE' (known: TEXT, NOP, "},
        {{"-d", "web", "-c", "NOP", "--seed", "x"}, "--seed 'x': expected a number from 0 to "},
        {{"-d", "web", "-c", "NOP", "--wait", "86401"}, "--wait '86401': expected a number from 0 to 86400"},
        {{"-d", "web", "-c", "NOP", "--index", "-1"}, "--index '-1': expected a number from 0 to 4294967295"},
        {{"-d", "web", "-c", "NOP", "PTR"}, "unexpected argument 'PTR'"},
        {{"-d", "web", "-c", "NOP", "--vmlinux", "/no/such"}, "/no/such: No such file"},
        {{"-d", "web", "-c", "NOP", "--vmlinux", "Makefile"}, "Makefile: "},
        {{"-d", "web", "-c", "LEAK", "-s", "7"}, "'staprun -L LEAK.ko lo=1000 hi=4000 seed="},
        {{"-d", "web", "-c", "PANIC"}, "'staprun -L PANIC.ko seed="},
        {{"-d", "web", "-c", "NOP", "--plan", "x"}, "--plan says all"},
        {{"-d", "web", "--plan", "/no/such"}, "--plan: unable to open /no/such: No such file"},
        {{"-d", "web", "--plan", "Makefile"}, "--plan: Makefile:1: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *const *w = lines[i].words;
        char *out, *err;

        assert_int_equal(fixture_command(cmd_inject, &out, &err, "inject", w[0], w[1], w[2], w[3], w[4],
                                         w[5], NULL),
                         WCR_EXIT_ERROR);
        fixture_contains(err, "wcr inject: ");
        fixture_contains(err, lines[i].err);
        assert_string_equal(out, "");
        free(out);
        free(err);
    }
}

/* Who reads both sees one word for one kind. */
static void faults_and_plans_name_kinds_alike(void **state)
{
    char *out, *err;

    (void)state;
    assert_int_equal(fixture_command(cmd_faults, &out, &err, "faults", "--json", NULL), 0);
    fixture_contains(out, "{\"class\": \"PANIC\", \"kind\": \"runtime\"");
    fixture_contains(out, "{\"class\": \"TEXT\", \"kind\": \"text\"");
    free(out);
    free(err);
    assert_int_equal(fixture_command(cmd_plan, &out, &err, "plan", "--class", "PANIC", "--json",
                                     NULL),
                     0);
    fixture_contains(out, "{\"class\": \"PANIC\", \"kind\": \"runtime\"");
    free(out);
    free(err);
}

/* A row for each class. */
static void page_has_the_fault_classes(void **state)
{
    char *page = fixture_read("docs/faults.md");

    (void)state;
    for (size_t i = 0; i < fault_classes_len; i++) {
        char row[32];

        snprintf(row, sizeof(row), "\n| %s |", fault_classes[i].name);
        fixture_contains(page, row);
    }
    free(page);
}

/* What is told before a machine is booted. */
static void replays_that_cannot_be(void **state)
{
    char dir[96], recording[112], about[128], script[128], *out, *err;
    struct {
        const char *words[6], *err;
    } lines[] = {
        {{NULL}, "one trial, please: 'wcr replay 1 --db DB'"},
        {{"1", "2"}, "one trial, please"},
        {{"1", "--gdb"}, "--gdb needs --from"},
        {{"1", "--from", dir}, "--from DIR stands alone"},
        {{"--from", dir, "--record", "x"}, "--from DIR stands alone"},
        {{"--from", dir, "--script", "x"}, "--from DIR stands alone"},
        {{"--from", dir, "--gdb"}, "('wcr replay TRIAL --record "},
        {{"--from", dir}, "trial.json: unable to open "},
        {{"--from", recording, "--gdb"}, "trial.gdb: Is a directory"},
        {{"999", "--db", fixture_path}, "no trial 999 (they have the numbers 1 to "},
        {{"PTR:1:enabled", "--db", "/no/such"}, "/no/such: "},
        {{"DST:3:enabled", "--db", fixture_path}, "ended in an experiment error"},
        {{"OLD:1:enabled", "--db", fixture_path}, "no trial OLD:1:enabled (CLASS:SEED:MODE; "},
    };

    FILE *f;

    (void)state;
    fixture_write_quick();
    snprintf(dir, sizeof(dir), "%s", fixture_dir);
    snprintf(recording, sizeof(recording), "%s/recording", dir);
    snprintf(about, sizeof(about), "%s/trial.json", recording);
    snprintf(script, sizeof(script), "%s/trial.gdb", recording);
    assert_int_equal(mkdir(recording, 0700) | mkdir(script, 0700), 0);
    f = fopen(about, "w");
    assert_non_null(f);
    fputs("{}\n", f);
    fclose(f);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *const *w = lines[i].words;

        assert_int_equal(fixture_command(cmd_replay, &out, &err, "replay", w[0], w[1], w[2], w[3], w[4],
                                         w[5], NULL), WCR_EXIT_ERROR);
        fixture_contains(err, lines[i].err);
        assert_string_equal(out, "");
        free(out);
        free(err);
    }
    assert_int_equal(unlink(about) | rmdir(script) | rmdir(recording), 0);
}

/* What the page shows, indented by 4, stands in the file that it named last. */
static void block_check(const char *name, const char *block)
{
    char *file = fixture_read(name);

    if (!strstr(file, block))
        fail_msg("%s has no longer: %s", name, block);
    free(file);
}

static void page_shows_the_source(void **state)
{
    char *page = fixture_read("docs/adding-a-class.md"), *rest = page, *line;
    char name[64] = "", block[2048] = "";
    unsigned blocks = 0, lines = 0;

    (void)state;
    while ((line = strsep(&rest, "\n"))) {
        const char *file = line;
        bool shown = !strncmp(line, "    ", 4);

        lines++;
        if (shown || (!*line && *block && rest && !strncmp(rest, "    ", 4)))
            snprintf(block + strlen(block), sizeof(block) - strlen(block), "%s\n",
                     shown ? line + 4 : "");
        else if (*block) {
            assert_int_not_equal(*name, '\0');
            block_check(name, block);
            blocks++;
            *block = '\0';
        }
        while ((file = strstr(file, "`injector/"))) {
            file++;
            snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "`"), file);
        }
    }
    assert_int_equal(blocks, 7);
    assert_true(lines < 100);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion_has_the_commands),
        cmocka_unit_test(completion_has_the_options),
        cmocka_unit_test(completion_of_values),
        cmocka_unit_test(man_page_has_everything),
        cmocka_unit_test(command_lines),
        cmocka_unit_test(every_command_refuses_unknown_options),
        cmocka_unit_test(runs_that_cannot_be),
        cmocka_unit_test(injections_that_cannot_be),
        cmocka_unit_test(sizes_of_campaigns),
        cmocka_unit_test(faults_and_plans_name_kinds_alike),
        cmocka_unit_test(replays_that_cannot_be),
        cmocka_unit_test(page_shows_the_source),
        cmocka_unit_test(page_has_the_fault_classes),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
