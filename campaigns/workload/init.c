// SPDX-License-Identifier: GPL-2.0-or-later
/* PID 1 of the guest. */
#define _GNU_SOURCE
#include "campaigns/workload/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define BOOT_MODULES "/lib/wcr/boot"

static struct guest *guest;

static void mounts(void)
{
    static const struct { const char *type, *dir; } list[] = {
        {"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"},
        {"debugfs", "/sys/kernel/debug"},
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        mkdir(list[i].dir, 0755);
        mount(list[i].type, list[i].dir, list[i].type, 0, NULL);
    }
    mkdir(DATA_DIR, 0755);
    mkdir("/run", 0755);
}

/* The console in lines, without echo: what it shows is then only what was said. */
static int console_open(void)
{
    struct termios t;
    int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY);

    if (fd < 0)
        fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (tcgetattr(fd, &t) == 0) {
        t.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
        t.c_lflag |= ICANON;
        tcsetattr(fd, TCSANOW, &t);
    }
    for (int i = 0; i < 3; i++)
        dup2(fd, i);
    if (fd > 2)
        close(fd);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    return 0;
}

static int cmdline_read(char *buf, size_t size)
{
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = read(fd, buf, size - 1);
    close(fd);
    if (n < 0)
        return -errno;
    buf[n] = '\0';
    return 0;
}

static void oom_exempt(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, "-1000", 5) != 5)
        fprintf(stderr, "wcr: cannot leave the OOM killer's list\n");
    close(fd);
}

static _Noreturn void forever(struct guest *g)
{
    for (;;) {
        if (g)
            init_heartbeat(g);
        poll(NULL, 0, 100);
    }
}

/* PID 1 must not return: that would be a kernel panic that no fault caused. */
static _Noreturn void fail(struct guest *g, const char *what, int error)
{
    printf("wcr: failed: %s: %s\n", what, strerror(-error));
    if (g && g->head) {
        snprintf(g->head->message, sizeof(g->head->message), "%s: %s", what, strerror(-error));
        status_phase_set(g, PHASE_FAILED);
    }
    forever(g && g->head ? g : NULL);
}

/* What a kernel that was not built for this guest needs for its disks, in the order of names. */
static int modules_load(void)
{
    struct dirent **list;
    int n = scandir(BOOT_MODULES, &list, NULL, alphasort), r = 0;

    for (int i = 0; i < n; i++) {
        char path[sizeof(BOOT_MODULES "/") + NAME_MAX];

        snprintf(path, sizeof(path), BOOT_MODULES "/%s", list[i]->d_name);
        if (!r && list[i]->d_name[0] != '.')
            r = module_load(path, "");
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return r;
}

/* The devices appear when their backend connects. */
static int device_wait(const char *path)
{
    for (int i = 0; i < 1000; i++) {
        if (access(path, F_OK) == 0)
            return 0;
        poll(NULL, 0, 10);
    }
    return -ENODEV;
}

static int network_start(const struct guest_options *o)
{
    return o->address ? device_wait("/sys/class/net/eth0") ?: network_up(o->address, o->prefix_bits) : 0;
}

static int data_mount(struct guest *g)
{
    if (mount(g->opt.device, DATA_DIR, g->opt.fs, MS_NOATIME, g->opt.fsopts[0] ? g->opt.fsopts : NULL) < 0)
        return -errno;
    return 0;
}

static void program_exec(struct guest *g)
{
    char *argv[] = {g->opt.program, FILES_DIR, NULL};

    execv(argv[0], argv);
    _exit(127);
}

static int workers_start(struct guest *g)
{
    unsigned n = g->opt.program[0] ? 1 : g->opt.workers;

    g->head->workers = n;
    fflush(stdout);
    for (unsigned i = 0; i < n; i++) {
        struct status_worker *s = status_worker_of(g, i);
        pid_t pid;

        s->run_id = g->opt.run_id;
        /* A program of somebody else's has no heartbeat that could stand still. */
        s->state = g->opt.program[0] ? WORKER_QUIET : WORKER_RUNS;
        status_worker_write(g, i);
        pid = fork();
        if (pid < 0)
            return -errno;
        if (pid == 0) {
            sigset_t none;

            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
            if (g->opt.program[0])
                program_exec(g);
            worker_main(g, i);
        }
        g->worker_pid[i] = pid;
    }
    return 0;
}

static void children_reap(struct guest *g)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < g->head->workers; i++) {
            struct status_worker *s = status_worker_of(g, i);

            if (g->worker_pid[i] != pid)
                continue;
            g->worker_pid[i] = 0;
            s->state = WORKER_DEAD;
            s->wait_status = status;
            status_worker_write(g, i);
            printf("wcr: worker %u died, %s %d\n", i, WIFSIGNALED(status) ? "signal" : "exit",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
}

static void console_read(struct guest *g)
{
    static char line[1024];
    static size_t len;
    ssize_t n = read(0, line + len, sizeof(line) - 1 - len);
    char *end;

    if (n <= 0)
        return;
    len += (size_t)n;
    line[len] = '\0';
    while ((end = strchr(line, '\n'))) {
        char one[sizeof(line)];

        *end = '\0';
        snprintf(one, sizeof(one), "%s", line);
        len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, len + 1);
        command_run(g, one);
    }
    if (len == sizeof(line) - 1)
        len = 0;    /* a line that never ends */
}

static _Noreturn void serve(struct guest *g)
{
    struct pollfd fds[2] = {{.fd = 0, .events = POLLIN}, {.events = POLLIN}};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    fds[1].fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    for (;;) {
        struct signalfd_siginfo info;

        poll(fds, 2, 100);
        if (fds[1].revents & POLLIN && read(fds[1].fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
            fds[1].fd = -1;
        if (fds[0].revents & POLLIN)
            console_read(g);
        children_reap(g);
        init_heartbeat(g);
    }
}

static void run(struct guest *g)
{
    int r;

    if (g->opt.program[0] && access(g->opt.program, X_OK) < 0)
        fail(g, g->opt.program, -errno);
    status_tables_init(g);
    status_phase_set(g, PHASE_FILL);
    r = files_fill(g);
    if (r)
        fail(g, "writing the files", r);
    status_phase_set(g, PHASE_WARM);
    r = files_warm(g);
    if (r)
        fail(g, "reading the files", r);
    r = workers_start(g);
    if (r)
        fail(g, "starting the workers", r);
    status_phase_set(g, PHASE_RUNNING);
    printf("wcr: running: %u files of %u blocks\n", g->opt.files, g->opt.blocks);
}

static void verify(struct guest *g)
{
    int r;

    status_phase_set(g, PHASE_READING);
    r = strcmp(g->opt.mode, "idle") ? reader_run(g) : status_tables_load(g);
    if (r)
        fail(g, "reading the status disk", r);
    status_phase_set(g, PHASE_DONE);
    printf("wcr: done: %llu files, %llu blocks, %llu bad\n",
           (unsigned long long)g->head->files_read, (unsigned long long)g->head->blocks_read,
           (unsigned long long)g->head->content_errors);
}

int main(void)
{
    static char cmdline[4096];
    sigset_t set;
    int r;

    mounts();
    console_open();
    oom_exempt();
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    guest = mmap(NULL, sizeof(*guest), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (guest == MAP_FAILED)
        fail(NULL, "memory", -ENOMEM);
    r = cmdline_read(cmdline, sizeof(cmdline)) ?: guest_options_parse(cmdline, &guest->opt);
    if (r)
        fail(NULL, "kernel command line", r);
    r = modules_load();
    if (r)
        fail(NULL, "loading modules from " BOOT_MODULES, r);
    r = device_wait(guest->opt.device) ?: device_wait("/dev/xvdb") ?: status_open(guest);
    if (r)
        fail(guest, "status disk", r);
    mlockall(MCL_CURRENT | MCL_FUTURE);
    status_phase_set(guest, PHASE_BOOT);
    r = network_start(&guest->opt);
    if (r)
        fail(guest, "network", r);
    r = data_mount(guest);
    if (r)
        fail(guest, "mounting the data disk", r);
    if (strcmp(guest->opt.mode, "run") == 0)
        run(guest);
    else
        verify(guest);
    serve(guest);
}
