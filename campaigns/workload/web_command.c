// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A real server, for experiments with performance.
 *
 *   web
 *	The server of the tree DATA_DIR/web (domain 0's /usr/share/wcr/web), with that as its root: it
 *	serves the files in DATA_DIR/web/www. When this returns it takes connections: "ns=N" after
 *	it was asked for, by the guest's clock. It runs until the guest ends.
 */
#define _GNU_SOURCE
#include "campaigns/workload/command.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TREE DATA_DIR "/web"
#define PROGRAM "/usr/sbin/lighttpd"
#define LIMIT_NS UINT64_C(60000000000)

static bool listens(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;

    if (fd >= 0)
        close(fd);
    return yes;
}

static _Noreturn void server(void)
{
    char *argv[] = {PROGRAM, "-D", "-f", "/lighttpd.conf", NULL}, *env[] = {NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Unlike init it may be killed for its memory. */
    if (file_write("/proc/self/oom_score_adj", "0") == 0 && chroot(TREE) == 0 && chdir("/") == 0)
        execve(PROGRAM, argv, env);
    _exit(127);
}

static int cmd_web(struct guest *g, int argc, char **argv)
{
    struct timespec nap = {0, 1000000};
    uint64_t start = now_ns();
    pid_t pid;

    (void)argv;
    if (argc != 1)
        return -EINVAL;
    if (listens())
        return -EADDRINUSE;
    if (access(TREE PROGRAM, X_OK) < 0 || mount("/dev", TREE "/dev", NULL, MS_BIND, NULL) < 0)
        return -errno;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        server();
    while (!listens()) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return -ECHILD;     /* the console has its last words */
        if (now_ns() - start > LIMIT_NS) {
            kill(pid, SIGKILL);
            return -ETIMEDOUT;
        }
        nanosleep(&nap, NULL);
        init_heartbeat(g);
    }
    command_say("ns=%llu", (unsigned long long)(now_ns() - start));
    return 0;
}

const struct command web_commands[] = {
    {"web", cmd_web},
    {0},
};
