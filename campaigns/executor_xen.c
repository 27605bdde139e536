// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trials on a Xen host: an agent process, local or at the other end of a command
 * such as ssh, speaks the protocol over its standard input and output. There are no
 * snapshots: the guest is started anew for each trial.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaigns/executor.h"
#include "testbed/jsonl.h"

#define HELLO_TIMEOUT_MS 60000
#define HELLO_AGAIN_MS 3000
#define GUEST_TIMEOUT_MS 300000
#define STOP_GRACE_MS 5000

struct xen_context {
    const struct spec *spec;
    char *command, *connect;
    pid_t pid;
    int pidfd, fd;
    struct jsonl line;
    uint64_t next_id;
    bool running, lost;
    bool warm;              /* untouched since the guest was started */
    json_t *hello;
};

static void agent_stop(struct xen_context *c)
{
    siginfo_t info;
    json_t *unused;

    if (!c->running)
        return;
    /* End of input asks it to leave; then it is made to. */
    shutdown(c->fd, SHUT_WR);
    for (int64_t deadline = wall_deadline(c->lost ? 0 : STOP_GRACE_MS);;) {
        int r = jsonl_recv(&c->line, deadline, &unused, NULL);

        if (!r)
            json_decref(unused);
        else if (r != -EPROTO)
            break;
    }
    pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0);
    kill(-c->pid, SIGKILL);
    while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0 && errno == EINTR)
        ;
    jsonl_done(&c->line);
    close(c->fd);
    close(c->pidfd);
    json_decref(c->hello);
    c->hello = NULL;
    c->running = false;
}

static void exec_agent(const struct xen_context *c, int fd, pid_t parent)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(fd, 0);
    dup2(fd, 1);
    execl("/bin/sh", "sh", "-c", c->command, (char *)NULL);
    _exit(127);
}

static int agent_call(struct xen_context *c, json_t *request, int64_t timeout_ms, json_t **ret,
                      struct err *err);

/* Said again until it is answered: an agent that is being restarted loses what it was sent. */
static int agent_hello(struct xen_context *c, json_t *hello, struct err *err)
{
    int64_t deadline = wall_deadline(HELLO_TIMEOUT_MS);
    int r;

    for (;;) {
        r = agent_call(c, hello, HELLO_AGAIN_MS, &c->hello, err);
        if (r != -ETIMEDOUT || wall_ms() >= deadline)
            return r;
        c->lost = false;
    }
}

static int agent_start(struct xen_context *c, struct err *err)
{
    json_t *hello = json_pack("{s:s, s:s*}", "cmd", "hello", "connect", c->connect);
    pid_t parent = getpid();
    int pair[2], r;

    agent_stop(c);
    if (!hello)
        return err_set(err, ENOMEM, "out of memory");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        r = err_set(err, errno, "socketpair: %s", strerror(errno));
        goto out;
    }
    c->pid = fork();
    if (c->pid == 0)
        exec_agent(c, pair[1], parent);
    close(pair[1]);
    c->pidfd = c->pid < 0 ? -1 : pidfd_open(c->pid, 0);
    if (c->pidfd < 0) {
        r = err_set(err, errno, "cannot start '%s': %s", c->command, strerror(errno));
        close(pair[0]);
        goto out;
    }
    c->fd = pair[0];
    c->running = true;
    c->lost = false;
    jsonl_init(&c->line, c->fd, c->fd, c->pidfd);
    r = agent_hello(c, hello, err);
    if (r)
        err_prefix(err, "agent '%s'", c->command);
out:
    json_decref(hello);
    return r;
}

static int agent_receive(struct xen_context *c, uint64_t id, int64_t deadline, json_t **ret,
                         struct err *err)
{
    for (;;) {
        json_t *m;
        int r = jsonl_recv(&c->line, deadline, &m, err);

        if (r == -EPROTO)
            continue;
        if (r)
            return r;
        if (json_object_get(m, "ok") &&
            (uint64_t)json_integer_value(json_object_get(m, "id")) == id) {
            *ret = m;
            return 0;
        }
        json_decref(m);
    }
}

static int agent_call(struct xen_context *c, json_t *request, int64_t timeout_ms, json_t **ret,
                      struct err *err)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    int64_t deadline = wall_deadline(timeout_ms);
    uint64_t id = ++c->next_id;
    const char *error;
    json_t *reply;
    int r;

    json_object_set_new(request, "id", json_integer((json_int_t)id));
    r = jsonl_send(&c->line, request, deadline, err);
    if (!r)
        r = agent_receive(c, id, deadline, &reply, err);
    if (r) {
        c->lost = true;
        return err_prefix(err, "agent, '%s'", cmd);
    }
    if (!json_is_true(json_object_get(reply, "ok"))) {
        error = json_string_value(json_object_get(reply, "error"));
        r = err_set(err, json_is_true(json_object_get(reply, "refused")) ? ESTALE : EREMOTEIO,
                    "agent, '%s': %s",
                    cmd, error ? error : "failed without a reason");
        json_decref(reply);
        return r;
    }
    if (ret)
        *ret = reply;
    else
        json_decref(reply);
    return 0;
}

static int xen_open(const struct executor_params *params, const struct spec *spec, void **ret,
                    struct err *err)
{
    struct xen_context *c = calloc(1, sizeof(*c));

    if (c) {
        c->spec = spec;
        c->command = strdup(params->agent ? params->agent : "wcr-agent --stdio");
        c->connect = params->connect ? strdup(params->connect) : NULL;
    }
    if (!c || !c->command || (params->connect && !c->connect)) {
        if (c)
            free(c->command);
        free(c);
        return err_set(err, ENOMEM, "out of memory");
    }
    *ret = c;
    return 0;
}

static int simple(struct xen_context *c, const char *cmd, int64_t timeout_ms, struct err *err)
{
    json_t *request = json_pack("{s:s}", "cmd", cmd);
    int r;

    if (!request)
        return err_set(err, ENOMEM, "out of memory");
    r = agent_call(c, request, timeout_ms, NULL, err);
    json_decref(request);
    return r;
}

static void xen_close(void *ctx)
{
    struct xen_context *c = ctx;

    if (c->running && !c->lost)
        simple(c, "shutdown", GUEST_TIMEOUT_MS, NULL);
    agent_stop(c);
    free(c->command);
    free(c->connect);
    free(c);
}

/* The agent replaces a guest that is still there by a fresh one. */
static int xen_restore(void *ctx, enum executor_point point, bool *ret_cold, struct err *err)
{
    struct xen_context *c = ctx;
    json_t *request;
    int r = 0;

    if (point != POINT_WARM)
        return err_set(err, ENOTSUP, "a Xen host has no snapshots");
    *ret_cold = !c->warm;
    if (c->warm)
        return 0;
    if (!c->running || c->lost)
        r = agent_start(c, err);
    if (r)
        return r;
    request = executor_guest_start(c->spec);
    if (!request)
        return err_set(err, ENOMEM, "out of memory");
    r = agent_call(c, request, GUEST_TIMEOUT_MS, NULL, err);
    json_decref(request);
    c->warm = !r;
    return r;
}

static int xen_save(void *ctx, enum executor_point point, struct err *err)
{
    (void)ctx;
    (void)point;
    return err_set(err, ENOTSUP, "a Xen host has no snapshots");
}

static int xen_call(void *ctx, json_t *request, int64_t timeout_ms, json_t **ret, struct err *err)
{
    ((struct xen_context *)ctx)->warm = false;
    return agent_call(ctx, request, timeout_ms, ret, err);
}

static json_t *xen_describe(void *ctx)
{
    static const char *const names[] = {"xen", "kernel", "abi"};
    struct xen_context *c = ctx;
    json_t *ret = json_object();

    json_object_set_new(ret, "clock", json_string("real"));
    json_object_set(ret, "agent", json_object_get(c->hello, "version"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_object_set(ret, names[i], json_object_get(c->hello, names[i]));
    if (c->connect)
        json_object_set_new(ret, "connect", json_string(c->connect));
    return ret;
}

static char *xen_console(void *ctx, unsigned lines)
{
    (void)ctx;
    (void)lines;
    return NULL;
}

const struct executor_ops xen_executor = {
    .name = "xen",
    .snapshots = false,
    .open = xen_open,
    .close = xen_close,
    .restore = xen_restore,
    .save = xen_save,
    .call = xen_call,
    .describe = xen_describe,
    .console = xen_console,
};
