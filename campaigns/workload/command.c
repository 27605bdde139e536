// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands from the console, one a line: "[@TAG] COMMAND ARGS". What a command says
 * goes out as "wcr: [@TAG] | text" lines, and the last line is
 * "wcr: [@TAG] COMMAND ... rc=N"; the tag is how the agent tells answers apart.
 */
#include "campaigns/workload/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MODULE_DIR "/lib/wcr"
#define STAP_DIR MODULE_DIR "/stap"
#define POKE_FILE "/sys/kernel/debug/xen_wcr/poke"
#define CHILD_LIMIT_NS UINT64_C(60000000000)
#define ARGS_MAX 32
#define MIB (1024ul * 1024)

static char tag_text[32];

void command_say(const char *fmt, ...)
{
    va_list ap;

    printf("wcr: %s| ", tag_text);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

int file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n;
    int r = 0;

    if (fd < 0)
        return -errno;
    n = write(fd, text, strlen(text));
    if (n < 0)
        r = -errno;
    close(fd);
    return r;
}

/* A line, or all there is, up to 16 KiB. */
static int cmd_cat(struct guest *g, int argc, char **argv)
{
    static char text[16384];
    char *save = NULL;
    size_t len = 0;
    ssize_t n;
    int fd;

    (void)g;
    if (argc != 2)
        return -EINVAL;
    fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    text[len] = '\0';
    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        command_say("%s", l);
    return 0;
}

/* set PATH WORD: into a file that is there. */
static int cmd_set(struct guest *g, int argc, char **argv)
{
    (void)g;
    return argc == 3 ? file_write(argv[1], argv[2]) : -EINVAL;
}

static void join(int argc, char **argv, char *ret, size_t size)
{
    size_t len = 0;

    *ret = '\0';
    for (int i = 0; i < argc && len < size; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? " " : "", argv[i]);
}

static int cmd_poke(struct guest *g, int argc, char **argv)
{
    char text[512];

    (void)g;
    join(argc - 1, argv + 1, text, sizeof(text));
    return file_write(POKE_FILE, text);
}

int module_load(const char *path, const char *parameters)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    r = syscall(SYS_finit_module, fd, parameters, 0) < 0 ? -errno : 0;
    close(fd);
    return r;
}

/* load MODULE NAME=VALUE... */
static int cmd_load(struct guest *g, int argc, char **argv)
{
    char path[256], text[512];

    (void)g;
    if (argc < 2 || strchr(argv[1], '/'))
        return -EINVAL;
    snprintf(path, sizeof(path), MODULE_DIR "/%s.ko", argv[1]);
    join(argc - 2, argv + 2, text, sizeof(text));
    return module_load(path, text);
}

/* unload MODULE */
static int cmd_unload(struct guest *g, int argc, char **argv)
{
    (void)g;
    if (argc != 2)
        return -EINVAL;
    return syscall(SYS_delete_module, argv[1], O_NONBLOCK) < 0 ? -errno : 0;
}

static int child_wait(struct guest *g, pid_t pid)
{
    uint64_t start = now_ns();
    struct timespec nap = {0, 10000000};
    int status;

    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);

        if (got == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (now_ns() - start > CHILD_LIMIT_NS) {
            kill(pid, SIGKILL);
            return -ETIMEDOUT;
        }
        nanosleep(&nap, NULL);
        init_heartbeat(g);
    }
}

/* stap CLASS NAME=VALUE...: load the module and leave it running. */
static int cmd_stap(struct guest *g, int argc, char **argv)
{
    char path[256], *args[ARGS_MAX + 8];
    int n = 0, r;
    pid_t pid;

    if (argc < 2 || strchr(argv[1], '/'))
        return -EINVAL;
    snprintf(path, sizeof(path), STAP_DIR "/%s.ko", argv[1]);
    args[n++] = "staprun";
    args[n++] = "-b1";
    args[n++] = "-L";
    args[n++] = path;
    for (int i = 2; i < argc; i++)
        args[n++] = argv[i];
    args[n] = NULL;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        execvp(args[0], args);
        _exit(127);
    }
    r = child_wait(g, pid);
    printf("wcr: %sstap %s loaded rc=%d\n", tag_text, argv[1], r);
    return r;
}

static int cmd_drop_caches(struct guest *g, int argc, char **argv)
{
    (void)g;
    return file_write("/proc/sys/vm/drop_caches", argc > 1 ? argv[1] : "1");
}

static int cmd_sync(struct guest *g, int argc, char **argv)
{
    (void)g, (void)argc, (void)argv;
    sync();
    return 0;
}

/* Waits until every living worker stands between two operations. */
static int cmd_quiesce(struct guest *g, int argc, char **argv)
{
    struct timespec nap = {0, 10000000};
    uint64_t start = now_ns();
    bool moving = true;

    (void)argc, (void)argv;
    g->quiesce = true;
    while (moving && now_ns() - start < CHILD_LIMIT_NS) {
        moving = false;
        for (unsigned i = 0; i < g->opt.workers; i++)
            moving |= g->worker_pid[i] > 0 && status_worker_of(g, i)->state == WORKER_RUNS;
        nanosleep(&nap, NULL);
        init_heartbeat(g);
    }
    return moving ? -EBUSY : 0;
}

static int cmd_resume(struct guest *g, int argc, char **argv)
{
    (void)argc, (void)argv;
    g->quiesce = false;
    return 0;
}

/* Kill a worker as a fault would: what a process crash looks like, for tests. */
static int cmd_kill(struct guest *g, int argc, char **argv)
{
    unsigned worker = argc > 1 ? (unsigned)atoi(argv[1]) : 0;

    if (worker >= g->opt.workers || g->worker_pid[worker] <= 0)
        return -ESRCH;
    return kill(g->worker_pid[worker], SIGSEGV) < 0 ? -errno : 0;
}

/* end reboot | end poweroff: the whole guest, once this was answered. */
static int cmd_end(struct guest *g, int argc, char **argv)
{
    struct timespec nap = {0, 100000000};
    bool again = argc == 2 && strcmp(argv[1], "reboot") == 0;
    pid_t pid;

    (void)g;
    if (!again && (argc != 2 || strcmp(argv[1], "poweroff") != 0))
        return -EINVAL;
    pid = fork();
    if (pid == 0) {
        nanosleep(&nap, NULL);
        reboot(again ? RB_AUTOBOOT : RB_POWER_OFF);
        _exit(1);
    }
    return pid < 0 ? -errno : 0;
}

/*
 * alloc MIB: a process, which the kernel may kill for it, takes so much memory and ends.
 * 128 + SIGKILL: it was killed.
 */
static int cmd_alloc(struct guest *g, int argc, char **argv)
{
    size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) * MIB : 0;
    pid_t pid;

    if (!size)
        return -EINVAL;
    pid = fork();
    if (pid == 0) {
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED || file_write("/proc/self/oom_score_adj", "0"))
            _exit(1);
        for (size_t at = 0; at < size; at += CONTENT_BLOCK_SIZE)
            ((volatile char *)p)[at] = 1;
        _exit(0);
    }
    return pid < 0 ? -errno : child_wait(g, pid);
}

/* bench setup | bench prepare NAME SIZE | bench run NAME SIZE */
static int cmd_bench(struct guest *g, int argc, char **argv)
{
    struct bench_result result;
    int r;

    (void)g;
    if (argc == 2 && strcmp(argv[1], "setup") == 0)
        return bench_setup();
    if (argc != 4)
        return -EINVAL;
    r = bench_do(argv[1], argv[2], (uint32_t)atoi(argv[3]), &result);
    if (!r && result.ops)
        printf("wcr: %s| ops=%u ns=%llu\n", tag_text, result.ops, (unsigned long long)result.ns);
    return r;
}

static int cmd_ping(struct guest *g, int argc, char **argv)
{
    (void)g, (void)argc, (void)argv;
    return 0;
}

static const struct command commands[] = {
    {"alloc", cmd_alloc},   {"bench", cmd_bench}, {"cat", cmd_cat},
    {"drop_caches", cmd_drop_caches}, {"end", cmd_end},
    {"kill", cmd_kill},     {"load", cmd_load}, {"ping", cmd_ping},
    {"poke", cmd_poke},     {"quiesce", cmd_quiesce}, {"resume", cmd_resume},
    {"set", cmd_set},       {"stap", cmd_stap}, {"sync", cmd_sync},
    {"unload", cmd_unload},
    {0},
};

/* NULL: there is none of that name. */
static const struct command *find(const struct command *c, const char *name)
{
    while (c->name && strcmp(c->name, name) != 0)
        c++;
    return c->name ? c : NULL;
}

void command_run(struct guest *g, char *line)
{
    char *argv[ARGS_MAX], *save = NULL;
    const struct command *c;
    int argc = 0, r;

    tag_text[0] = '\0';
    for (char *w = strtok_r(line, " \t\r\n", &save); w && argc < ARGS_MAX;
         w = strtok_r(NULL, " \t\r\n", &save)) {
        if (argc == 0 && w[0] == '@' && !tag_text[0])
            snprintf(tag_text, sizeof(tag_text), "%.28s ", w);
        else
            argv[argc++] = w;
    }
    if (!argc)
        return;
    c = find(commands, argv[0]) ?: find(file_commands, argv[0]) ?:
        find(look_commands, argv[0]) ?: find(stream_commands, argv[0]) ?:
        find(web_commands, argv[0]);
    r = c ? c->run(g, argc, argv) : -ENOSYS;
    if (strcmp(argv[0], "stap") != 0)
        printf("wcr: %s%s rc=%d\n", tag_text, argv[0], r);
}
