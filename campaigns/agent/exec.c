// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "campaigns/agent/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaigns/agent/clock.h"

/* In the child of a process with threads: nothing but system calls. */
static _Noreturn void child(const char *line, int out)
{
    int null = open("/dev/null", O_RDONLY);

    /* A group of its own, so that all of it can be killed. */
    setsid();
    signal(SIGPIPE, SIG_DFL);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

/* What can be read now; the oldest bytes give way. */
static void output_take(struct exec_result *r, int fd)
{
    char buf[4096];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        size_t over = r->len + (size_t)n > EXEC_OUTPUT ? r->len + (size_t)n - EXEC_OUTPUT : 0;

        memmove(r->output, r->output + over, r->len - over);
        memcpy(r->output + r->len - over, buf, (size_t)n);
        r->len += (size_t)n - over;
    }
}

/* A command may print anything; what is sent on is text. */
static void output_clean(struct exec_result *r)
{
    for (size_t i = 0; i < r->len; i++) {
        unsigned char c = (unsigned char)r->output[i];

        if ((c < 0x20 && c != '\n' && c != '\t') || c > 0x7e)
            r->output[i] = '?';
    }
    r->output[r->len] = '\0';
}

static int shell_wait(pid_t pid, int fd, uint64_t deadline_ns, struct exec_result *r)
{
    int status;

    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);

        output_take(r, fd);
        if (got == pid) {
            r->rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return 0;
        }
        if (got < 0 && errno != EINTR)
            return -errno;
        if (deadline_over(deadline_ns)) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -ETIMEDOUT;
        }
        nap(POLL_MS, -1);
    }
}

int exec_shell(const char *line, uint64_t deadline_ns, struct exec_result *ret, struct err *err)
{
    int fds[2], r;
    pid_t pid;

    ret->rc = 0;
    ret->len = 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set(err, errno, "exec: pipe: %s", strerror(errno));
    pid = fork();
    if (pid == 0)
        child(line, fds[1]);
    close(fds[1]);
    if (pid < 0) {
        r = err_set(err, errno, "exec: fork: %s", strerror(errno));
    } else {
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        r = shell_wait(pid, fds[0], deadline_ns, ret);
        output_clean(ret);
        if (r)
            err_set(err, -r, "exec: '%.200s': %s: %.200s", line, strerror(-r), ret->output);
    }
    close(fds[0]);
    return r;
}
