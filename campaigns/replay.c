// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/replay.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaigns/trial.h"
#include "testbed/testbed.h"

#define ABOUT "trial.json"
#define GDB_SCRIPT "trial.gdb"
/*
 * Instructions before gdb comes: a machine that was asleep where its log begins would not wake up
 * under it. Some tenths of a second, and far from the fault.
 */
#define AWAKE 20000000
/* Replaying takes about as long as recording did, which took a few minutes at most. */
#define REPLAY_LIMIT_MS 3600000

/* ---- once more ---- */

static int take_message(void *ctx, json_t *message, struct err *err)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    json_t **ret = ctx;

    (void)err;
    if (type && !strcmp(type, "trial"))
        *ret = message;
    else
        json_decref(message);
    return 0;
}

int replay_run(const struct spec *spec, const struct executor_ops *ops,
               const struct executor_params *params, const char *fault_class, const char *mode,
               json_t *plan, json_t **ret_message, struct err *err)
{
    struct trial_runner t = {.ops = ops, .spec = spec, .emit = take_message, .emit_ctx = ret_message};
    json_t *job = json_pack("{s:i, s:s, s:[s], s:b, s:O?}", "job", 0, "class", fault_class, "modes",
                            mode, "golden", !plan, "plan", plan);
    int r;

    *ret_message = NULL;
    if (!job)
        return err_set(err, ENOMEM, "out of memory");
    r = ops->open(params, spec, &t.executor, err);
    if (!r) {
        r = trial_run(&t, job, err);
        ops->close(t.executor);
    }
    json_decref(job);
    return r;
}

/* ---- what is in a directory ---- */

static int path_in(const char *dir, const char *name, char **ret, struct err *err)
{
    if (asprintf(ret, "%s/%s", dir, name) >= 0)
        return 0;
    *ret = NULL;
    return err_set(err, ENOMEM, "out of memory");
}

int replay_describe(const char *dir, json_t *about, struct err *err)
{
    char *path;
    int r = path_in(dir, ABOUT, &path, err);

    if (r)
        return r;
    if (json_dump_file(about, path, JSON_INDENT(1) | JSON_PRESERVE_ORDER))
        r = err_set(err, errno, "%s: cannot be written: %s", path, strerror(errno));
    free(path);
    return r;
}

static int replay_about(const char *dir, json_t **ret_about, struct err *err)
{
    json_error_t error;
    char *path;
    int r = path_in(dir, ABOUT, &path, err);

    if (r)
        return r;
    *ret_about = json_load_file(path, 0, &error);
    if (!*ret_about)
        r = err_set(err, EINVAL, "%s: %s ('wcr replay TRIAL --record %s' makes one)", path, error.text,
                    dir);
    free(path);
    return r;
}

static int copy_all(const char *path, FILE *to, struct err *err)
{
    FILE *in = fopen(path, "re");
    char buf[65536];
    size_t n;
    int r = 0;

    if (!in)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    while ((n = fread(buf, 1, sizeof(buf), in)))
        fwrite(buf, 1, n, to);
    if (ferror(in))
        r = err_set(err, errno, "%s: %s", path, strerror(errno));
    fclose(in);
    return r;
}

/* *ret is the caller's to free, also after an error. */
static int read_all(const char *dir, const char *name, char **ret, size_t *ret_len, struct err *err)
{
    FILE *to = open_memstream(ret, ret_len);
    char *path;
    int r;

    if (!to)
        return err_set(err, ENOMEM, "out of memory");
    r = path_in(dir, name, &path, err);
    if (!r) {
        r = copy_all(path, to, err);
        free(path);
    }
    if (fclose(to) && !r)
        r = err_set(err, ENOMEM, "out of memory");
    return r;
}

static int compare_consoles(const char *dir, int64_t *ret_bytes, struct err *err)
{
    size_t recorded_len = 0, replayed_len = 0, same = 0;
    char *recorded = NULL, *replayed = NULL;
    int r = read_all(dir, TESTBED_CONSOLE, &recorded, &recorded_len, err);

    if (!r)
        r = read_all(dir, TESTBED_CONSOLE_REPLAYED, &replayed, &replayed_len, err);
    if (!r) {
        while (same < recorded_len && same < replayed_len && recorded[same] == replayed[same])
            same++;
        *ret_bytes = (int64_t)same;
        if (same != recorded_len || same != replayed_len)
            r = err_set(err, EILSEQ, "%s: the console differs from byte %zu on (%zu recorded, %zu replayed)",
                        dir, same, recorded_len, replayed_len);
    }
    free(recorded);
    free(replayed);
    return r;
}

/* What the agent told then, in the order of a trial, and what it tells now. */
static int compare_replies(const char *dir, const json_t *then, const char *lines, struct err *err)
{
    static const char *const names[] = {"inject", "crash", "reboot", "verify"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *reply = json_object_get(then, names[i]);
        const char *end = strchr(lines, '\n');
        json_t *now;
        bool same;

        if (!json_is_object(reply))
            continue;
        now = end ? json_loadb(lines, (size_t)(end - lines), 0, NULL) : NULL;
        same = json_equal(reply, now);
        json_decref(now);
        if (!same)
            return err_set(err, EILSEQ, "%s: the agent's reply '%s' differs", dir, names[i]);
        lines = end + 1;
    }
    return 0;
}

static int compare(const char *dir, const json_t *about, int64_t *ret_bytes, struct err *err)
{
    char *lines = NULL;
    size_t len;
    int r = compare_consoles(dir, ret_bytes, err);

    if (!r)
        r = read_all(dir, TESTBED_AGENT_REPLAYED, &lines, &len, err);
    if (!r)
        r = compare_replies(dir, json_object_get(about, "replies"), lines, err);
    if (!r)
        *ret_bytes += (int64_t)len;
    free(lines);
    return r;
}

static int replay_start(const char *dir, const char *testbed_env, bool gdb, struct testbed **ret,
                        struct err *err)
{
    struct testbed_options o = {.dir = dir, .log = TESTBED_REPLAY, .gdb = gdb};
    struct testbed_config config;
    int r = testbed_config_load(testbed_env, &config, err);

    if (r)
        return r;
    r = testbed_start(&config, &o, ret, err);
    testbed_config_done(&config);
    return r;
}

int replay_again(const char *dir, const char *testbed_env, int64_t *ret_bytes, struct err *err)
{
    struct testbed *tb = NULL;
    json_t *about = NULL;
    int r = replay_about(dir, &about, err);

    if (!r)
        r = replay_start(dir, testbed_env, false, &tb, err);
    if (!r)
        r = testbed_wait_end(tb, REPLAY_LIMIT_MS, err);
    testbed_stop(tb);
    if (!r)
        r = compare(dir, about, ret_bytes, err);
    json_decref(about);
    return r;
}

/* ---- under gdb ---- */

/* Domain 0 runs the same kernel: the first byte that the fault changes tells the guest's from it. */
static void break_at_site(FILE *f, const json_t *plan)
{
    const char *va = json_string_value(json_object_get(plan, "va"));
    const char *old = json_string_value(json_object_get(plan, "old"));
    const char *new = json_string_value(json_object_get(plan, "new"));
    size_t i = 0;

    if (!va || !old || !new)
        return;
    while (old[i] && old[i] == new[i])
        i++;
    i /= 2;
    fprintf(f, "break *%s if *(unsigned char *)(%s + %zu) == 0x%.2s\n", va, va, i, new + 2 * i);
}

static int write_script(const char *dir, const json_t *about, const char *path, struct err *err)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    fprintf(f, "set pagination off\nset confirm off\ntarget remote %s/%s\n", dir, TESTBED_GDB);
    break_at_site(f, json_object_get(about, "plan"));
    fprintf(f, "break panic\ncontinue\n");
    return fclose(f) ? err_set(err, errno, "%s: %s", path, strerror(errno)) : 0;
}

static int run_gdb(const char *vmlinux, const char *begin, const char *script, int *ret_status,
                   struct err *err)
{
    const char *argv[] = {"gdb", "-q", "-nx", "-x", begin, vmlinux, NULL, NULL, NULL, NULL};
    int status;
    pid_t pid;

    if (script) {
        argv[6] = "-batch";
        argv[7] = "-x";
        argv[8] = script;
    }
    pid = fork();
    if (pid < 0)
        return err_set(err, errno, "fork: %s", strerror(errno));
    if (pid == 0) {
        execvp(argv[0], (char *const *)argv);
        fprintf(stderr, "gdb: %s (install gdb)\n", strerror(errno));
        _exit(127);
    }
    /* An interrupt is for gdb alone. */
    signal(SIGINT, SIG_IGN);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    signal(SIGINT, SIG_DFL);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

int replay_gdb(const char *dir, const char *testbed_env, const char *script, int *ret_status,
               struct err *err)
{
    struct testbed *tb = NULL;
    json_t *about = NULL;
    char *begin = NULL;
    int r = replay_about(dir, &about, err);

    if (!r)
        r = path_in(dir, GDB_SCRIPT, &begin, err);
    if (!r)
        r = write_script(dir, about, begin, err);
    if (!r)
        r = replay_start(dir, testbed_env, true, &tb, err);
    if (!r)
        r = testbed_replay_some(tb, AWAKE, err);
    if (!r)
        r = run_gdb(json_string_value(json_object_get(about, "vmlinux")), begin, script, ret_status,
                    err);
    testbed_stop(tb);
    free(begin);
    json_decref(about);
    return r;
}
