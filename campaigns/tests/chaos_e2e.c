// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A campaign on the testbed in which, over and over, something is killed: the runner from outside,
 * and by a worker itself, in the middle of a trial, its QEMU, the agent, or the worker.
 * Catches: a trial lost, recorded twice, or recorded with another's result; a damaged database;
 * a QEMU or a directory left behind; a runner that gives up or waits for ever.
 *
 * WCR_CHAOS_KILLS of them (default 4); WCR_CHAOS_SEED begins them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaigns/runner.h"
#include "testbed/jsonl.h"
#include "testbed/testbed.h"

#define KILLS 4
#define JOBS 2
/* One in so many steps of a trial, of which it has about eight, ends badly. */
#define STEPS_PER_KILL 4
/* Of the runner, at once or after so long at most. */
#define RUNNER_LIFE_MS 60000

enum victim { VICTIM_RUNNER, VICTIM_WORKER, VICTIM_QEMU, VICTIM_AGENT, VICTIMS };
static const char *const victim_names[] = {"runner", "worker", "QEMU", "agent"};

/* Of all processes. */
static struct shared {
    atomic_uint kills[VICTIMS], all;
    unsigned wanted;
} *shared;

static char work[] = "/var/tmp/wcr-chaos-XXXXXX";
static char db[64], spec_text[1000];
static unsigned short dice[3];

static unsigned draw(unsigned n)
{
    return (unsigned)(nrand48(dice) % n);
}

static unsigned env_number(const char *name, unsigned otherwise)
{
    const char *s = getenv(name);

    return s && *s ? (unsigned)strtoul(s, NULL, 0) : otherwise;
}

/* One kill more, if there is one left. */
static bool take(enum victim v)
{
    if (atomic_fetch_add(&shared->all, 1) >= shared->wanted)
        return false;
    atomic_fetch_add(&shared->kills[v], 1);
    return true;
}

/* ---- the testbed, with an enemy inside --------------------------------- */

/* QEMU is the only child of a worker. */
static void kill_qemu(void)
{
    char path[64];
    pid_t pid;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    f = fopen(path, "re");
    if (f && fscanf(f, "%d", &pid) == 1)
        kill(pid, SIGKILL);
    if (f)
        fclose(f);
}

static int kill_agent(void *ctx, struct err *err)
{
    json_t *request = json_pack("{s:s, s:s}", "cmd", "exec", "line", "kill -9 $PPID");
    int r = testbed_executor.call(ctx, request, 5000, NULL, err);

    json_decref(request);
    return r;
}

static int call(void *ctx, json_t *request, int64_t timeout_ms, json_t **ret, struct err *err)
{
    enum victim v = 1 + draw(VICTIMS - 1);

    if (draw(STEPS_PER_KILL) || !take(v))
        return testbed_executor.call(ctx, request, timeout_ms, ret, err);
    switch (v) {
    case VICTIM_WORKER:
        raise(SIGKILL);
        break;
    case VICTIM_AGENT:
        return kill_agent(ctx, err) ?: err_set(err, EPROTO, "the agent outlived its end");
    default:
        kill_qemu();
    }
    return testbed_executor.call(ctx, request, timeout_ms, ret, err);
}

static int open_executor(const struct executor_params *params, const struct spec *spec, void **ret,
                         struct err *err)
{
    /* Workers are forks of one process. */
    dice[2] = (unsigned short)getpid();
    return testbed_executor.open(params, spec, ret, err);
}

/* ---- runners --------------------------------------------------------- */

static int run(void)
{
    struct executor_ops ops = testbed_executor;
    struct runner_options o = {.executor = &ops, .jobs = JOBS, .style = PROGRESS_PLAIN, .out = stdout};
    struct runner_result result;
    struct err err = {0};
    struct spec spec;
    int r;

    ops.call = call;
    ops.open = open_executor;
    r = spec_parse("chaos", spec_text, &spec, &err);
    if (!r)
        r = planner_open(NULL, NULL, &o.planner, &err);
    if (!r)
        r = store_open(db, &spec, ops.name, &o.store, &err);
    if (!r) {
        testbed_clean_leftovers();
        r = runner_run(&spec, &o, &result, &err);
        testbed_clean_leftovers();
        store_close(&o.store);
    }
    if (r)
        fprintf(stderr, "runner: %s\n", err.msg);
    fflush(NULL);
    return r || result.errors ? 1 : 0;
}

/* Until it ends; false: it was killed. */
static bool run_once(void)
{
    struct pollfd p = {.events = POLLIN};
    siginfo_t info = {.si_pid = 0};
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run());
    p.fd = pidfd_open(pid, 0);
    assert_true(p.fd >= 0);
    if (shared->all < shared->wanted && poll(&p, 1, (int)draw(RUNNER_LIFE_MS)) == 0 &&
        take(VICTIM_RUNNER))
        kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PIDFD, (id_t)p.fd, &info, WEXITED), 0);
    close(p.fd);
    if (info.si_code == CLD_EXITED)
        assert_int_equal(info.si_status, 0);
    return info.si_code == CLD_EXITED;
}

/* ---- what is left ------------------------------------------------------ */

static int64_t ask(const char *sql)
{
    sqlite3_stmt *s;
    sqlite3 *c;
    int64_t n;

    assert_int_equal(sqlite3_open_v2(db, &c, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(c, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(c);
    return n;
}

static void nothing_is_left(void)
{
    char line[200];
    int n;
    FILE *f;

    /* A process lives in its directory. */
    snprintf(line, sizeof(line), "{ ls -d %s/tmp/*; find /proc -maxdepth 2 -name cwd -lname '%s/tmp/*'; } "
             "2>/dev/null | wc -l", work, work);
    f = popen(line, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    assert_int_equal(n, 0);
}

static void no_trial_is_lost_doubled_or_wrong(void **state)
{
    unsigned planned, runs = 1;
    struct err err = {0};
    struct spec spec;

    (void)state;
    assert_int_equal(spec_parse("chaos", spec_text, &spec, &err), 0);
    planned = spec_trials(&spec);
    spec_done(&spec);
    while (!run_once()) {
        runs++;
        assert_int_equal(ask("SELECT count(*) FROM pragma_integrity_check "
                             "WHERE integrity_check = 'ok'"), 1);
    }
    print_message("# %u runs of %u trials; killed:", runs, planned);
    for (int v = 0; v < VICTIMS; v++)
        print_message(" %s %u", victim_names[v], shared->kills[v]);
    print_message("\n");

    assert_true(shared->all >= shared->wanted);
    assert_int_equal(ask("SELECT count(*) FROM trial WHERE status = 'done'"), planned);
    assert_int_equal(ask("SELECT count(*) FROM (SELECT DISTINCT fault_class, seed, mode FROM trial)"),
                     planned);
    /* Whatever was killed looks like none of these. */
    assert_int_equal(ask("SELECT count(*) FROM trial WHERE outcome <> "
                         "iif(fault_class = 'PANIC', 'kernel_crash', 'no_crash')"), 0);
    assert_int_equal(ask("SELECT count(*) FROM trial WHERE pages_reused IS NULL"), 0);
    assert_int_equal(ask("SELECT count(*) FROM trial WHERE mode = 'enabled' AND pages_inconsistent > 0"), 0);
    /* One plan for both modes. */
    assert_int_equal(ask("SELECT count(*) FROM (SELECT 1 FROM trial GROUP BY fault_class, seed "
                         "HAVING count(DISTINCT plan_id) > 1)"), 0);
    nothing_is_left();
}

static int setup(void **state)
{
    char tmp[64];

    (void)state;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !mkdtemp(work))
        return -1;
    shared->wanted = env_number("WCR_CHAOS_KILLS", KILLS);
    dice[0] = (unsigned short)env_number("WCR_CHAOS_SEED", 1);
    snprintf(db, sizeof(db), "%s/db", work);
    snprintf(tmp, sizeof(tmp), "%s/tmp", work);
    /* So many that the kills are spent before the end. */
    snprintf(spec_text, sizeof(spec_text),
             "name: chaos\nseed: 1\nmodes: [enabled, disabled]\ngolden: 1\ngolden_run_ms: 200\n"
             "retries: 50\nclasses:\n  - class: PANIC\n    trials: %u\ndelay_ms: [50, 100]\n"
             "deadline_ms: 2000\nworkload:\n  files: 8\n  blocks_per_file: 16\n", 2 + shared->wanted / 2);
    return mkdir(tmp, 0700) || setenv("TMPDIR", tmp, 1) ? -1 : 0;
}

static int teardown(void **state)
{
    char line[100];

    (void)state;
    snprintf(line, sizeof(line), "rm -rf %s", work);
    return system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_trial_is_lost_doubled_or_wrong),
    };

    return cmocka_run_group_tests_name("kills in a campaign, end to end", tests, setup, teardown);
}
