// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr inject */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "campaigns/agent/clock.h"
#include "campaigns/agent/xen.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "injector/inject.h"
#include "injector/plan_cli.h"
#include "injector/vmlinux.h"

#define IMPATIENT_MS 2
#define WAIT_MAX_S 86400

struct options {
    const char *domain, *class_name, *plan, *target, *profile, *module, *vmlinux;
    uint64_t seed, index, wait_s;
    bool json, at_once;
};

/* What came of it. */
struct result {
    uint32_t domid;
    struct domain_info domain;
    bool activated;
    uint64_t start_ns, activated_ns, end_ns;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static void usage(FILE *f)
{
    fputs("usage: wcr inject --domain DOMAIN --class CLASS [OPTION...]\n"
          "       wcr inject --domain DOMAIN --plan FILE [OPTION...]\n\n"
          "Put a text fault into a running PV guest. Run it as root in domain 0. The plan is\n"
          "the one 'wcr plan' prints for the same kernel, class, target, seed and index. It\n"
          "waits until the guest gets to the instruction and changes it just before it is\n"
          "executed; a guest that does not get there in time, or Ctrl-C, leaves the guest as\n"
          "it was. Then it watches what becomes of the guest.\n\n"
          "  -d, --domain DOMAIN    name or number of the guest\n"
          "  -c, --class CLASS      fault class; 'wcr faults' lists them\n"
          "  -t, --target TARGET    where, as for 'wcr plan' (default: all)\n"
          "  -p, --profile FILE     only what 'wcr run --profile' saw executed\n"
          "  -m, --module FILE      into this module (.ko), which the guest has loaded\n"
          "  -s, --seed SEED        (default: 1)\n"
          "      --index I          number of the plan of this seed (default: 0)\n"
          "      --vmlinux FILE     the guest's kernel with symbols (default: the testbed's)\n"
          "      --plan FILE        what 'wcr plan --json' printed, here or elsewhere; '-':\n"
          "                         standard input\n"
          "  -w, --wait SECONDS     wait for the instruction, and watch, so long (default: 10)\n"
          "      --at-once          change it now, whoever executes it when\n"
          "  -j, --json             one object\n"
          "  -h, --help\n\n"
          "Exit status: 0 the instruction was changed and, but for --at-once, executed; 1 it was\n"
          "not reached, and the guest is as it was; 2 an error; refused are plans that the\n"
          "guest's memory contradicts (another kernel, or one that patched the instruction when\n"
          "it booted: try another --index; a module that is another or not loaded), guests that are not PV or use hardware breakpoints\n"
          "themselves, and, but for --at-once, a Xen built without CONFIG_GDBSX.\n",
          f);
}

static int options_check(const struct options *o, struct err *err)
{
    if (!o->domain)
        return err_set(err, EINVAL, "--domain is needed: the name or number of a running guest");
    if (!o->class_name && !o->plan)
        return err_set(err, EINVAL, "--class is needed; 'wcr faults' lists the classes");
    if (o->plan && (o->class_name || o->target || o->profile || o->module || o->vmlinux))
        return err_set(err, EINVAL, "--plan says all: without --class, --target, --profile, --module and "
                       "--vmlinux");
    return 0;
}

/* A run-time fault is code in the guest, which domain 0 cannot put there. */
static int module_advise(const json_t *plan, struct err *err)
{
    const char *class = json_string_value(json_object_get(plan, "class")) ?: "CLASS";
    json_int_t seed = 0, lo = 0, hi = 0;
    char rate[64] = "";

    json_unpack((json_t *)plan, "{s:{s:I, s?I, s?I}}", "params", "seed", &seed, "lo", &lo, "hi", &hi);
    if (hi)
        snprintf(rate, sizeof(rate), " lo=%" JSON_INTEGER_FORMAT " hi=%" JSON_INTEGER_FORMAT, lo, hi);
    return err_set(err, EOPNOTSUPP,
                   "class '%s' is a module that the guest loads itself: build it with "
                   "'injector/stap/build.sh KERNEL_BUILD . %s', KERNEL_BUILD being the build tree "
                   "of the guest's kernel, and load it in the guest with 'staprun -L %s.ko%s "
                   "seed=%" JSON_INTEGER_FORMAT "'; it says 'wcr: fault activated' on the guest's "
                   "console when it strikes first, and 'staprun -d %s' ends it",
                   class, class, class, rate, seed, class);
}

static int plan_make(const struct options *o, json_t **ret, struct err *err)
{
    const struct fault_class *class = fault_class_find(o->class_name);
    struct plan_source *source = NULL;
    struct plan plan;
    int r = 0;

    /* An unknown class is told by plan_draw, without a kernel. */
    if (class && class->kind == FAULT_TEXT)
        r = vmlinux_open(o->vmlinux, NULL, o->profile, o->module, &source, err);
    if (!r)
        r = plan_draw(source, o->class_name, o->target ? o->target : "all", o->seed,
                      (unsigned)o->index, &plan, err);
    plan_source_free(source);
    if (r)
        return r;
    *ret = plan_to_json(&plan);
    return *ret ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int plan_load(const char *path, json_t **ret, struct err *err)
{
    bool in = !strcmp(path, "-");
    json_error_t error;

    *ret = in ? json_loadf(stdin, 0, &error) : json_load_file(path, 0, &error);
    if (*ret)
        return 0;
    if (error.line < 0)
        return err_set(err, ENOENT, "%s", error.text);
    return err_set(err, EINVAL, "%s:%d: %s (expected one plan, as 'wcr plan --json' prints it)", path,
                   error.line, error.text);
}

/* The plan, and the fault that it is. */
static int plan_get(const struct options *o, json_t **ret, struct text_fault *ret_fault, struct err *err)
{
    int r = o->plan ? plan_load(o->plan, ret, err) : plan_make(o, ret, err);

    if (!r && json_object_get(*ret, "params"))
        r = module_advise(*ret, err);
    if (!r)
        r = text_fault_from_json(*ret, ret_fault, err);
    return r && o->plan && r != -EOPNOTSUPP ? err_prefix(err, "--plan") : r;
}

static bool ended(const struct result *t)
{
    return t->domain.state != DOMAIN_RUNNING && t->domain.state != DOMAIN_PAUSED;
}

/* Until the domain ends, the time is over, or somebody wants to have an end. */
static int watch(struct xen *xen, struct injection *in, uint64_t wait_s, struct result *ret,
                 struct err *err)
{
    uint64_t deadline = ret->start_ns + wait_s * 1000000000;
    int r;

    for (;;) {
        bool activated, over = stop || deadline_over(deadline);
        int fd, ms = POLL_MS;

        r = inject_poll(in, &activated, err);
        if (r)
            return err_prefix(err, "domain %" PRIu32 " is left paused before the instruction",
                              ret->domid);
        if (activated && !ret->activated)
            ret->activated_ns = clock_ns();
        ret->activated = activated;
        r = xen_domain_info(xen, ret->domid, &ret->domain, err);
        if (r || over || ended(ret))
            break;
        fd = activated ? xen_watch_fd(xen) : inject_fd(in);
        if (fd < 0)
            ms = IMPATIENT_MS;
        nap(ms, fd);
        xen_watch_drain(xen);
    }
    ret->end_ns = clock_ns();
    return r;
}

static int inject(const struct options *o, const struct text_fault *fault, struct xen *xen,
                  struct result *ret, struct err *err)
{
    struct injection *in = NULL;
    int r = inject_text_begin(ret->domid, 0, fault, o->at_once ? INJECTION_AT_ONCE : INJECTION_AT_HIT,
                              &in, err), r2;

    if (r)
        return r;
    ret->start_ns = clock_ns();
    if (!o->json) {
        printf(o->at_once ? "changed; watching for %" PRIu64 " s\n" :
               "waiting for the guest to get there, for %" PRIu64 " s; Ctrl-C: leave it as it is\n",
               o->wait_s);
        fflush(stdout);
    }
    r = watch(xen, in, o->wait_s, ret, err);
    r2 = inject_end(in, r ? NULL : err);
    return r ? r : r2;
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
    return (double)(to_ns - from_ns) / 1e9;
}

static void result_print(const struct options *o, const struct result *t)
{
    const char *reason = xen_shutdown_name(t->domain.shutdown_reason);
    bool shutdown = t->domain.state == DOMAIN_SHUTDOWN;

    if (t->activated)
        printf("reached after %.3f s, and changed\n", seconds(t->start_ns, t->activated_ns));
    else if (!o->at_once)
        puts(ended(t) ? "not reached: the guest ended before" : "not reached: the guest is as it was");
    printf("domain %" PRIu32 ": %s%s%s after %.3f s\n", t->domid, xen_state_name(t->domain.state),
           shutdown ? ", " : "", shutdown ? reason : "", seconds(t->start_ns, t->end_ns));
}

static int result_json(const struct options *o, json_t *plan, const struct result *t,
                       struct err *err)
{
    bool has_reason = t->domain.state == DOMAIN_CRASHED || t->domain.state == DOMAIN_SHUTDOWN;
    json_int_t after_ns = (json_int_t)(t->activated_ns - t->start_ns);
    json_t *json = json_pack(
        "{s:O, s:I, s:b, s:o, s:o, s:s, s:s?, s:I}", "plan", plan,
        "domain", (json_int_t)t->domid, "changed", t->activated || o->at_once,
        "activated", o->at_once ? json_null() : json_boolean(t->activated),
        "activated_ns", t->activated ? json_integer(after_ns) : json_null(),
        "state", xen_state_name(t->domain.state),
        "shutdown_reason", has_reason ? xen_shutdown_name(t->domain.shutdown_reason) : NULL,
        "watched_ns", (json_int_t)(t->end_ns - t->start_ns));

    if (!json)
        return err_set(err, ENOMEM, "out of memory");
    json_dumpf(json, stdout, JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(json);
    return 0;
}

/* 1: done, and the guest is as it was. */
static int run(const struct options *o, struct err *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct result result = {0};
    struct text_fault fault;
    struct xen *xen = NULL;
    json_t *plan = NULL;
    int r = plan_get(o, &plan, &fault, err);

    if (!r)
        r = xen_open(&xen, err);
    if (!r)
        r = xen_domain_named(xen, o->domain, &result.domid, err);
    if (!r && !o->json) {
        const char *class = json_string_value(json_object_get(plan, "class")) ?: "a fault";

        printf("%s seed %" JSON_INTEGER_FORMAT " index %" JSON_INTEGER_FORMAT " into %s (domain %" PRIu32
               ")\n", class, json_integer_value(json_object_get(plan, "seed")),
               json_integer_value(json_object_get(plan, "index")), o->domain, result.domid);
        plan_print(plan);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!r)
        r = inject(o, &fault, xen, &result, err);
    xen_close(xen);
    if (!r && o->json)
        r = result_json(o, plan, &result, err);
    else if (!r)
        result_print(o, &result);
    json_decref(plan);
    return r ? r : !result.activated && !o->at_once;
}

int cmd_inject(int argc, char **argv)
{
    struct options o = {.seed = 1, .wait_s = 10};
    const struct cli_option options[] = {
        {.name = "domain", .letter = 'd', .value = &o.domain},
        {.name = "class", .letter = 'c', .value = &o.class_name},
        {.name = "target", .letter = 't', .value = &o.target},
        {.name = "profile", .letter = 'p', .value = &o.profile},
        {.name = "module", .letter = 'm', .value = &o.module},
        {.name = "seed", .letter = 's', .number = &o.seed, .max = INT64_MAX},
        {.name = "index", .number = &o.index, .max = UINT32_MAX},
        {.name = "vmlinux", .value = &o.vmlinux},
        {.name = "plan", .value = &o.plan},
        {.name = "wait", .letter = 'w', .number = &o.wait_s, .max = WAIT_MAX_S},
        {.name = "at-once", .flag = &o.at_once},
        {.name = "json", .letter = 'j', .flag = &o.json},
        {0},
    };
    int r, status = cli_parse_all("inject", usage, options, argc, argv);
    struct err err = {0};

    if (status >= 0)
        return status;
    r = options_check(&o, &err);
    if (!r)
        r = run(&o, &err);
    if (r < 0)
        fprintf(stderr, "wcr inject: %s\n", err.msg);
    return r < 0 ? WCR_EXIT_ERROR : r ? WCR_EXIT_FAIL : WCR_EXIT_OK;
}
