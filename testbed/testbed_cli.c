// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr testbed: a testbed for people, detached, in a state directory. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "testbed/private.h"

#define ESCAPE 0x1d     /* Ctrl-] */
#define MARK "WCR-SHELL"
#define SHELL_TIMEOUT_MS 15000

struct cli {
    const char *dir, *env, *command, *xen_append, *dom0_append, *argument;
    uint64_t memory_mb;     /* 0: as campaigns have it */
    bool deterministic, follow;
};

static void usage(FILE *f)
{
    fputs("usage: wcr testbed up [--memory MB] [--deterministic] [--xen-args WORDS]\n"
          "                      [--dom0-args WORDS] [--testbed FILE]\n"
          "       wcr testbed shell [-c COMMAND]\n"
          "       wcr testbed call JSON\n"
          "       wcr testbed agent\n"
          "       wcr testbed console [--follow]\n"
          "       wcr testbed status\n"
          "       wcr testbed down\n\n"
          "A testbed to look around in: Xen with domain 0 and its agent in QEMU, left\n"
          "running in the background. Campaigns do not use it; they start their own.\n\n"
          "  up        start it and wait until the agent answers\n"
          "  shell     a root shell in domain 0 (leave with Ctrl-]), or one command\n"
          "  call      one request of the agent's protocol, such as '{\"cmd\":\"hello\"}'\n"
          "  agent     standard input and output connected to the agent, so that\n"
          "            wcr run --executor xen --agent 'wcr testbed agent' works\n"
          "  console   what Xen and domain 0 printed\n"
          "  status    whether it runs, and what it uses\n"
          "  down      stop it and remove its directory\n\n"
          "Options:\n"
          "  --dir DIR          its directory (default ~/.local/state/wcr/testbed)\n"
          "  --testbed FILE     what 'make testbed' built (default $WCR_TESTBED, else\n"
          "                     build/testbed.env)\n"
          "  --deterministic    the clock of campaigns, which skips idle time and keeps\n"
          "                     one processor busy\n"
          "  --memory MB        memory of the whole machine (default 1536)\n"
          "  --xen-args, --dom0-args WORDS   added to the command lines\n"
          "  -c, --command COMMAND   run it in domain 0; its status is the exit status\n"
          "  -f, --follow       go on as it grows\n",
          f);
}

static int complain(const struct err *err)
{
    fprintf(stderr, "wcr testbed: %s\n", err->msg);
    return WCR_EXIT_ERROR;
}

static char *default_dir(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *dir = NULL;

    if (state && *state)
        return asprintf(&dir, "%s/wcr/testbed", state) < 0 ? NULL : dir;
    return asprintf(&dir, "%s/.local/state/wcr/testbed", home ? home : "/root") < 0 ? NULL : dir;
}

static int make_dirs(const char *path, struct err *err)
{
    char *p = strdupa(path);

    for (char *s = p + 1;; s++) {
        char c = *s;

        if (c && c != '/')
            continue;
        *s = '\0';
        if (mkdir(p, 0700) && errno != EEXIST)
            return err_set(err, errno, "cannot make %s: %s", p, strerror(errno));
        *s = c;
        if (!c)
            return 0;
    }
}

static int cmd_up(const struct cli *cli)
{
    struct testbed_options options = {
        .dir = cli->dir,
        .memory_mb = (unsigned)cli->memory_mb,
        .detached = true,
        .real_time = !cli->deterministic,
        .xen_append = cli->xen_append,
        .dom0_append = cli->dom0_append,
    };
    struct testbed_config config;
    struct testbed *tb = NULL;
    int64_t start = wall_ms();
    struct err err = {0};
    int r;

    r = testbed_config_load(cli->env, &config, &err);
    if (r)
        return complain(&err);
    r = make_dirs(cli->dir, &err);
    if (!r && (r = testbed_start(&config, &options, &tb, &err)) == 0)
        r = testbed_wait_agent(tb, 180000, NULL, &err);
    if (!r)
        r = testbed_resume(tb, &err);
    testbed_config_done(&config);
    if (r) {
        testbed_stop(tb);
        return complain(&err);
    }
    printf("up after %.1f s, process %d, in %s\n", (double)(wall_ms() - start) / 1000,
           testbed_pid(tb), cli->dir);
    testbed_detach(tb);
    return WCR_EXIT_OK;
}

/* Connect to one of its sockets; a negative return was complained about. */
static int open_socket(const struct cli *cli, const char *name)
{
    struct err err = {0};
    int dirfd, fd, r;

    dirfd = open(cli->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0) {
        fprintf(stderr, "wcr testbed: no testbed in %s: 'wcr testbed up' starts one\n", cli->dir);
        return -ENOENT;
    }
    r = testbed_connect(dirfd, name, -1, 0, &fd, &err);
    close(dirfd);
    if (r)
        fprintf(stderr, "wcr testbed: the testbed in %s is not running\n", cli->dir);
    return r ? r : fd;
}

static struct termios saved_terminal;

static void restore_terminal(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

/* Copy both ways until Ctrl-], the end of input, or QEMU's end. */
static int converse(int fd)
{
    struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    char buf[4096];
    ssize_t n;

    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (p[1].revents) {
            n = read(fd, buf, sizeof(buf));
            if (n <= 0)
                return -EPIPE;
            if (write(STDOUT_FILENO, buf, (size_t)n) < 0)
                return -errno;
        }
        if (p[0].revents) {
            n = read(STDIN_FILENO, buf, sizeof(buf));
            if (n <= 0 || memchr(buf, ESCAPE, (size_t)n))
                return 0;
            if (write(fd, buf, (size_t)n) < 0)
                return -errno;
        }
    }
}

/* The agent serves one at a time, and stays when this one leaves. */
static int cmd_agent(const struct cli *cli)
{
    int fd = open_socket(cli, SOCKET_AGENT), r;

    if (fd < 0)
        return WCR_EXIT_ERROR;
    r = converse(fd);
    close(fd);
    return r ? WCR_EXIT_ERROR : WCR_EXIT_OK;
}

static int interactive(int fd)
{
    bool terminal = isatty(STDIN_FILENO);
    int r;

    if (terminal) {
        struct termios raw;

        tcgetattr(STDIN_FILENO, &saved_terminal);
        raw = saved_terminal;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST | ONLCR;
        /* The port is no terminal: nobody else echoes or ends lines. */
        raw.c_lflag |= ECHO | ICANON;
        raw.c_iflag |= ICRNL;
        raw.c_cc[VEOL] = ESCAPE;
        atexit(restore_terminal);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        fputs("Root shell in domain 0. Ctrl-] leaves it.\n", stderr);
        if (write(fd, "\n", 1) != 1)
            return -EPIPE;
    }
    r = converse(fd);
    if (terminal)
        fputc('\n', stderr);
    return r;
}

/* One request to the agent, its answer and the events before it. */
static int cmd_call(const struct cli *cli)
{
    struct err err = {0};
    json_error_t error;
    struct jsonl line;
    json_t *m;
    int fd, r;

    m = json_loads(cli->argument, 0, &error);
    if (!json_is_object(m)) {
        fprintf(stderr, "wcr testbed: call: expected a JSON object such as {\"cmd\":\"hello\"}\n");
        json_decref(m);
        return WCR_EXIT_ERROR;
    }
    fd = open_socket(cli, SOCKET_AGENT);
    if (fd < 0) {
        json_decref(m);
        return WCR_EXIT_ERROR;
    }
    if (!json_object_get(m, "id"))
        json_object_set_new(m, "id", json_integer(wall_ms()));
    jsonl_init(&line, fd, fd, -1);
    r = jsonl_send(&line, m, JSONL_FOREVER, &err);
    json_decref(m);
    while (!r) {
        bool ok, answer;

        r = jsonl_recv(&line, JSONL_FOREVER, &m, &err);
        if (r)
            break;
        answer = json_object_get(m, "ok");
        ok = json_is_true(json_object_get(m, "ok"));
        json_dumpf(m, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(m);
        if (answer) {
            r = ok ? 0 : -EREMOTEIO;
            break;
        }
    }
    jsonl_done(&line);
    close(fd);
    return !r ? WCR_EXIT_OK : r == -EREMOTEIO ? WCR_EXIT_FAIL : complain(&err);
}

/* Read into @buf until @mark, and the end of its line, are there. */
static int read_until(int fd, const char *mark, int64_t deadline, char *buf, size_t size,
                      size_t *len)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = deadline == JSONL_FOREVER ? -1 : deadline - wall_ms();
        char *found;
        ssize_t n;

        buf[*len] = '\0';
        found = strstr(buf, mark);
        if (found && strchr(found + 1, '\n'))
            return 0;
        if (*len == size - 1)
            return -E2BIG;
        if (deadline != JSONL_FOREVER && left <= 0)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        n = read(fd, buf + *len, size - 1 - *len);
        if (n <= 0)
            return -EPIPE;
        *len += (size_t)n;
    }
}

/*
 * A shell that listens. The last user's may still be ending, and the port with it;
 * so nothing is said before one has answered.
 */
static int open_shell(const struct cli *cli)
{
    int64_t deadline = wall_deadline(SHELL_TIMEOUT_MS);
    static char buf[65536];

    for (;;) {
        int fd = open_socket(cli, SOCKET_SHELL), r;
        size_t len = 0;

        if (fd < 0)
            return fd;
        /* Written so that an echo of the line does not contain the mark. */
        dprintf(fd, "\necho %s''-READY\n", MARK);
        r = read_until(fd, MARK "-READY", wall_deadline(2000), buf, sizeof(buf), &len);
        if (!r)
            return fd;
        close(fd);
        if (wall_ms() >= deadline) {
            fprintf(stderr, "wcr testbed: no shell answers in domain 0\n");
            return -ETIMEDOUT;
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
}

/* Everything between the two marks of the shell's answer goes to standard output. */
static int one_command(int fd, const char *command, int *ret_status)
{
    static char buf[1 << 20];
    char *begin, *end;
    size_t len = 0;
    int r;

    dprintf(fd, "echo; echo %s''-BEGIN; ( %s\n); s=$?; echo; echo %s''-END $s\n", MARK, command,
            MARK);
    r = read_until(fd, "\n" MARK "-END ", JSONL_FOREVER, buf, sizeof(buf), &len);
    if (r)
        return r;
    begin = strstr(buf, MARK "-BEGIN");
    end = strstr(buf, "\n" MARK "-END ");
    *ret_status = atoi(end + strlen("\n" MARK "-END "));
    begin = begin ? strchr(begin, '\n') : NULL;
    if (begin && begin < end)
        fwrite(begin + 1, 1, (size_t)(end - begin - 1), stdout);
    return 0;
}

static int cmd_shell(const struct cli *cli)
{
    int fd, r, status = 0;

    fd = open_shell(cli);
    if (fd < 0)
        return WCR_EXIT_ERROR;
    r = cli->command ? one_command(fd, cli->command, &status) : interactive(fd);
    close(fd);
    if (r) {
        fprintf(stderr, "wcr testbed: the shell is gone: %s\n", strerror(-r));
        return WCR_EXIT_ERROR;
    }
    return status;
}

static int cmd_console(const struct cli *cli)
{
    char *path, buf[65536];
    size_t n;
    FILE *f;

    if (asprintf(&path, "%s/%s", cli->dir, TESTBED_CONSOLE) < 0)
        return WCR_EXIT_ERROR;
    f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "wcr testbed: %s: %s\n", path, strerror(errno));
        free(path);
        return WCR_EXIT_ERROR;
    }
    free(path);
    for (;;) {
        while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
            if (fwrite(buf, 1, n, stdout) != n)
                break;
        if (!cli->follow || ferror(stdout) || fflush(stdout))
            break;
        clearerr(f);
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    fclose(f);
    return WCR_EXIT_OK;
}

/* The lock is held by QEMU alone: if it is free, nothing runs there. */
static pid_t running_pid(const char *dir)
{
    char *path, text[32] = "";
    pid_t pid = 0;
    FILE *f;
    int fd;

    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (!flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return 0;
    }
    close(fd);
    if (asprintf(&path, "%s/%s", dir, FILE_PID) < 0)
        return 0;
    f = fopen(path, "re");
    free(path);
    if (!f)
        return 0;
    if (fgets(text, sizeof(text), f))
        pid = atoi(text);
    fclose(f);
    return pid;
}

static int cmd_down(const struct cli *cli)
{
    pid_t pid = running_pid(cli->dir);
    int pidfd;

    if (pid > 0) {
        struct pollfd p = {.events = POLLIN};

        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0 || pidfd_send_signal(pidfd, SIGKILL, NULL, 0)) {
            fprintf(stderr, "wcr testbed: cannot stop process %d: %s\n", (int)pid, strerror(errno));
            return WCR_EXIT_ERROR;
        }
        p.fd = pidfd;
        poll(&p, 1, 10000);
        close(pidfd);
    } else if (access(cli->dir, F_OK)) {
        printf("nothing runs in %s\n", cli->dir);
        return WCR_EXIT_OK;
    }
    testbed_dir_remove(cli->dir, true);
    puts(pid > 0 ? "stopped" : "was not running; removed what it left");
    return WCR_EXIT_OK;
}

static int cmd_status(const struct cli *cli)
{
    pid_t pid = running_pid(cli->dir);
    uint64_t bytes;
    int dirfd;

    if (pid <= 0) {
        printf("not running (%s)\n", cli->dir);
        return WCR_EXIT_FAIL;
    }
    dirfd = open(cli->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bytes = testbed_overlays_bytes(dirfd);
    if (dirfd >= 0)
        close(dirfd);
    printf("running: process %d, disks %llu MiB, in %s\n", (int)pid, (unsigned long long)bytes >> 20,
           cli->dir);
    return WCR_EXIT_OK;
}

int cmd_testbed(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cli *cli);
        int arguments;
    } verbs[] = {
        {"up", cmd_up, 0},           {"shell", cmd_shell, 0},   {"call", cmd_call, 1},
        {"agent", cmd_agent, 0},     {"console", cmd_console, 0}, {"status", cmd_status, 0},
        {"down", cmd_down, 0},
    };
    char *dir = default_dir();
    struct cli cli = {.dir = dir};
    const struct cli_option options[] = {
        {.name = "dir", .value = &cli.dir},
        {.name = "testbed", .value = &cli.env},
        {.name = "memory", .number = &cli.memory_mb, .min = 1024, .max = 65536},
        {.name = "deterministic", .flag = &cli.deterministic},
        {.name = "xen-args", .value = &cli.xen_append},
        {.name = "dom0-args", .value = &cli.dom0_append},
        {.name = "command", .letter = 'c', .value = &cli.command},
        {.name = "follow", .letter = 'f', .flag = &cli.follow},
        {0},
    };
    int status = cli_parse("testbed", usage, options, argc, argv);

    if (status >= 0)
        goto out;
    status = WCR_EXIT_ERROR;
    if (optind == argc) {
        usage(stderr);
        goto out;
    }
    cli.argument = argv[optind + 1];
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[optind], verbs[i].name))
            continue;
        if (argc - optind - 1 != verbs[i].arguments)
            usage(stderr);
        else
            status = verbs[i].run(&cli);
        goto out;
    }
    fprintf(stderr, "wcr testbed: unknown verb '%s' (up, shell, call, agent, console, status, down)\n",
            argv[optind]);
out:
    free(dir);
    return status;
}
