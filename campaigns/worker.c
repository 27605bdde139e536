// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaigns/trial.h"

#define CONSOLE_LINES 40

/* Interrupts whatever waits: everything fails with EINTR, and the loop ends. */
static void on_terminate(int signal)
{
    (void)signal;
}

static int send_message(void *ctx, json_t *message, struct err *err)
{
    int r = jsonl_send(ctx, message, JSONL_FOREVER, err);

    json_decref(message);
    return r;
}

/* Console output need not be UTF-8, and ends its lines twice. */
static void printable(char *s)
{
    char *to = s;

    for (; *s; s++)
        if (*s != '\r')
            *to++ = *s == '\n' || (*s >= ' ' && *s <= '~') ? *s : '?';
    *to = '\0';
}

static int report_error(struct jsonl *line, const struct trial_runner *t, const json_t *job,
                        const struct err *err)
{
    char *console = t->ops->console(t->executor, CONSOLE_LINES);
    json_t *m;
    struct err unused;

    m = json_pack("{s:s, s:O, s:s, s:i}", "type", "error", "job", json_object_get(job, "job"),
                  "error", err->msg, "code", err->code);
    if (console)
        printable(console);
    if (m && console)
        json_object_set_new(m, "console", json_string(console));
    free(console);
    return m ? send_message(line, m, &unused) : -ENOMEM;
}

static int work(struct jsonl *line, const struct trial_runner *t)
{
    struct err err;
    json_t *job;
    int r;

    for (;;) {
        err = (struct err){0};
        r = jsonl_recv(line, JSONL_FOREVER, &job, &err);
        if (r)
            return r;
        r = trial_run(t, job, &err);
        if (r == -EINTR || r == -EPIPE) {
            json_decref(job);
            return r;
        }
        if (r)
            r = report_error(line, t, job, &err);
        else
            r = send_message(line,
                             json_pack("{s:s, s:O}", "type", "done", "job",
                                       json_object_get(job, "job")),
                             &err);
        json_decref(job);
        if (r)
            return r;
    }
}

static int become_warm(struct jsonl *line, const struct trial_runner *t, struct err *err)
{
    bool cold;
    int r;

    r = t->ops->restore(t->executor, POINT_WARM, &cold, err);
    if (r)
        return r;
    return send_message(line,
                        json_pack("{s:s, s:o}", "type", "ready", "facts",
                                  t->ops->describe(t->executor)),
                        err);
}

static int worker_main(int fd, const struct executor_ops *ops,
                       const struct executor_params *params, const struct spec *spec)
{
    struct sigaction action = {.sa_handler = on_terminate};
    struct trial_runner t = {.ops = ops, .spec = spec, .emit = send_message};
    struct jsonl line;
    struct err err = {0};
    int r;

    sigaction(SIGTERM, &action, NULL);
    signal(SIGINT, SIG_IGN);
    jsonl_init(&line, fd, fd, -1);
    t.emit_ctx = &line;
    r = ops->open(params, spec, &t.executor, &err);
    if (!r) {
        r = become_warm(&line, &t, &err);
        if (!r)
            work(&line, &t);
        ops->close(t.executor);
    }
    if (r)
        send_message(&line, json_pack("{s:s, s:s}", "type", "failed", "error", err.msg), &err);
    jsonl_done(&line);
    return r ? 1 : 0;
}

int worker_start(struct worker *w, const struct executor_ops *ops,
                 const struct executor_params *params, const struct spec *spec,
                 const int *close_fds, unsigned close_len, struct err *err)
{
    pid_t parent = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return err_set(err, errno, "socketpair: %s", strerror(errno));
    w->pid = fork();
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(pair[0]);
        for (unsigned i = 0; i < close_len; i++)
            if (close_fds[i] >= 0)
                close(close_fds[i]);
        _exit(worker_main(pair[1], ops, params, spec));
    }
    close(pair[1]);
    w->pidfd = w->pid < 0 ? -1 : pidfd_open(w->pid, 0);
    if (w->pidfd < 0) {
        int r = err_set(err, errno, "cannot start a worker: %s", strerror(errno));

        close(pair[0]);
        if (w->pid > 0) {
            kill(w->pid, SIGKILL);
            waitpid(w->pid, NULL, 0);
        }
        w->pid = 0;
        return r;
    }
    w->fd = pair[0];
    jsonl_init(&w->line, w->fd, w->fd, w->pidfd);
    return 0;
}

void worker_stop(struct worker *w, int64_t grace_ms)
{
    struct pollfd p = {.fd = w->pidfd, .events = POLLIN};
    siginfo_t info;

    if (!w->pid)
        return;
    /* End of input ends an idle one, the signal a busy one. */
    shutdown(w->fd, SHUT_RDWR);
    pidfd_send_signal(w->pidfd, SIGTERM, NULL, 0);
    poll(&p, 1, (int)grace_ms);
    pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
    while (waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED) < 0 && errno == EINTR)
        ;
    jsonl_done(&w->line);
    close(w->fd);
    close(w->pidfd);
    w->pid = 0;
}
