// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's disks and command line. QEMU runs in the testbed's directory and names
 * everything relative to it, so that neither commas and colons in a user's path
 * nor the short limit of a unix socket's name matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testbed/private.h"

#define QEMU "qemu-system-x86_64"
#define STATUS_DISK_SIZE "16M"

#define XEN_CMDLINE                                                                                \
    "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=512M,max:512M "             \
    "spec-ctrl=no xpti=no pv-l1tf=no warmcache=1"
#define DOM0_CMDLINE                                                                               \
    "console=hvc0 root=/dev/vda rw init=/sbin/wcr-dom0-init xen_blkback.feature_persistent=0"

static int link_file(int dirfd, const char *target, const char *name, struct err *err)
{
    char *real = realpath(target, NULL);
    int r = 0;

    if (!real)
        return err_set(err, errno, "%s: %s", target, strerror(errno));
    if (unlinkat(dirfd, name, 0) && errno != ENOENT)
        r = err_set(err, errno, "%s: %s", name, strerror(errno));
    else if (symlinkat(real, dirfd, name))
        r = err_set(err, errno, "cannot link %s to %s: %s", name, real, strerror(errno));
    free(real);
    return r;
}

/* In the child: no signals of ours, in the directory, output to @log. */
static void child_prepare(int dirfd, const char *log)
{
    sigset_t none;
    int fd;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    setsid();
    if (fchdir(dirfd))
        _exit(127);
    fd = open("/dev/null", O_RDONLY);
    if (fd >= 0)
        dup2(fd, 0);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
}

/* The first line of a log in the directory, for a message. */
static void first_line(int dirfd, const char *name, char *ret, size_t size)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

    ret[n > 0 ? n : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static int run_qemu_img(int dirfd, const char *const argv[], struct err *err)
{
    char text[400];
    int status;
    pid_t pid;

    unlinkat(dirfd, "qemu-img.log", 0);
    pid = fork();
    if (pid < 0)
        return err_set(err, errno, "fork: %s", strerror(errno));
    if (pid == 0) {
        child_prepare(dirfd, "qemu-img.log");
        execvp(argv[0], (char *const *)argv);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    first_line(dirfd, "qemu-img.log", text, sizeof(text));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ENOENT, "%s (install qemu-utils; 'wcr doctor' tells more)", text);
    return err_set(err, EIO, "qemu-img failed: %s", text);
}

static const char *image_format(const char *path)
{
    char magic[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, magic, sizeof(magic));

    if (fd >= 0)
        close(fd);
    return n == 4 && !memcmp(magic, "QFI\xfb", 4) ? "qcow2" : "raw";
}

/* @mb 0: as large as the image. */
static int overlay(int dirfd, const char *image, const char *base, const char *name, unsigned mb,
                   struct err *err)
{
    char size[16];
    const char *argv[] = {"qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", image_format(image),
                          name, mb ? size : NULL, NULL};
    int r;

    snprintf(size, sizeof(size), "%uM", mb);
    r = link_file(dirfd, image, base, err);
    return r ? r : run_qemu_img(dirfd, argv, err);
}

int testbed_overlays_create(const struct testbed_config *config, unsigned data_mb, int dirfd,
                            struct err *err)
{
    const char *status[] = {"qemu-img", "create", "-q",           "-f",
                            "qcow2",    "status.qcow2", STATUS_DISK_SIZE, NULL};
    int r;

    r = overlay(dirfd, config->dom0_image, "dom0.base", "dom0.qcow2", 0, err);
    if (!r)
        r = overlay(dirfd, config->data_image, "data.base", "data.qcow2", data_mb, err);
    if (!r)
        r = run_qemu_img(dirfd, status, err);
    return r;
}

static const char *const overlays[] = {"dom0.qcow2", "data.qcow2", "status.qcow2"};

#define OVERLAYS (sizeof(overlays) / sizeof(overlays[0]))

uint64_t testbed_overlays_bytes(int dirfd)
{
    uint64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < OVERLAYS; i++)
        if (!fstatat(dirfd, overlays[i], &st, 0))
            bytes += (uint64_t)st.st_blocks * 512;
    return bytes;
}

int testbed_overlays_forget(int dirfd, const char *snapshot, struct err *err)
{
    for (size_t i = 0; i < OVERLAYS; i++) {
        const char *argv[] = {"qemu-img", "snapshot", "-q", "-d", snapshot, overlays[i], NULL};
        int r = run_qemu_img(dirfd, argv, err);

        /* Where disks are logged, QEMU makes each twice. */
        if (!r)
            r = run_qemu_img(dirfd, argv, err);
        if (r)
            return r;
    }
    return 0;
}

struct args {
    char *v[96];
    unsigned n;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct args *a, const char *fmt, ...)
{
    va_list ap;

    if (a->n + 1 >= sizeof(a->v) / sizeof(a->v[0])) {
        a->failed = true;
        return;
    }
    va_start(ap, fmt);
    if (vasprintf(&a->v[a->n], fmt, ap) < 0) {
        a->v[a->n] = NULL;
        a->failed = true;
    } else {
        a->n++;
    }
    va_end(ap);
}

static void args_free(struct args *a)
{
    for (unsigned i = 0; i < a->n; i++)
        free(a->v[i]);
}

/* In the argument of -initrd a comma separates modules; doubled, it is a comma. */
static char *double_commas(const char *s)
{
    char *ret = malloc(2 * strlen(s) + 1), *p = ret;

    if (!ret)
        return NULL;
    for (; *s; s++) {
        *p++ = *s;
        if (*s == ',')
            *p++ = ',';
    }
    *p = '\0';
    return ret;
}

static void add_disk(struct args *a, const char *name, const char *access, bool logged)
{
    if (logged) {
        add(a, "-drive");
        add(a, "driver=blkreplay,if=none,image=%s,id=%s-log%s", name, name, access);
    }
    add(a, "-device");
    add(a, "virtio-blk-pci,drive=%s%s", name, logged ? "-log" : "");
}

/* Nothing here is meant to survive a power failure: no flushes. */
static void add_drive(struct args *a, const char *name, const char *options, bool logged)
{
    add(a, "-drive");
    add(a, "file=%s.qcow2,if=none,id=%s,format=qcow2,cache=unsafe%s", name, name, options);
    add_disk(a, name, "", logged);
}

static void add_image(struct args *a, const char *name, const char *image, bool logged)
{
    add(a, "-drive");
    add(a, "file=%s.base,if=none,id=%s,format=%s,readonly=on", name, name, image_format(image));
    add_disk(a, name, ",readonly=on", logged);
}

static void add_port(struct args *a, const char *name, const char *chardev, unsigned nr)
{
    add(a, "-device");
    add(a, "virtserialport,bus=serial.0,nr=%u,chardev=%s,name=wcr.%s", nr, chardev, name);
}

/*
 * The console and the two ports of domain 0. QEMU logs only what comes from a device that
 * -serial made; the first four of those are UARTs, so the agent's is the fifth.
 */
static void add_serial(struct args *a, enum testbed_log log)
{
    static const char *const agent[] = {
        [TESTBED_UNLOGGED] = "unix:" SOCKET_AGENT ",server=on,wait=off",
        [TESTBED_RECORD] = "pipe:" FIFO_AGENT,
        [TESTBED_REPLAY] = "file:" TESTBED_AGENT_REPLAYED,
    };

    add(a, "-serial");
    add(a, "file:%s", log == TESTBED_REPLAY ? TESTBED_CONSOLE_REPLAYED : TESTBED_CONSOLE);
    for (int i = 1; i < 4; i++) {
        add(a, "-serial");
        add(a, "null");
    }
    add(a, "-serial");
    add(a, "%s", agent[log]);
    add(a, "-chardev");
    add(a, "socket,id=shell,path=%s,server=on,wait=off", SOCKET_SHELL);
    add(a, "-device");
    add(a, "virtio-serial-pci,id=serial");
    add_port(a, "shell", "shell", 1);
    add_port(a, "agent", "serial4", 2);
}

static void add_clock(struct args *a, const struct testbed_options *o)
{
    add(a, "-icount");
    if (o->log)
        add(a, "shift=1,rr=%s,rrfile=%s,rrsnapshot=%s", o->log == TESTBED_RECORD ? "record" : "replay",
            FILE_LOG, SNAPSHOT_START);
    else
        add(a, "shift=1,sleep=%s", o->idle_waits ? "on" : "off");
}

static void build_args(struct args *a, const struct testbed_config *config,
                       const struct testbed_options *o, const char *dom0_append)
{
    static const char *const fixed[] = {
        QEMU, "-M", "pc", "-cpu", "Westmere", "-rtc", "base=2026-01-01T00:00:00,clock=vm",
        "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-kernel", "xen.base",
        /* Help for 32-bit Windows, with which a replay that goes backwards waits for itself. */
        "-global", "apic.vapic=off",
    };
    bool parallel = o->cpus > 1;

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        add(a, "%s", fixed[i]);
    add(a, "-accel");
    add(a, "tcg,thread=%s", parallel ? "multi" : "single");
    add(a, "-smp");
    add(a, "%u", parallel ? o->cpus : 1);
    add(a, "-m");
    add(a, "%u", o->memory_mb ? o->memory_mb : TESTBED_MEMORY_MB);
    if (!o->real_time && !parallel)
        add_clock(a, o);
    add(a, "-append");
    add(a, "%s%s%s", XEN_CMDLINE, o->xen_append ? " " : "", o->xen_append ? o->xen_append : "");
    add(a, "-initrd");
    add(a, "kernel.base %s%s%s%s%s", DOM0_CMDLINE, o->detached ? " wcr.shell=1" : "",
        config->stock ? " wcr.agent=--no-warmcache" : "", *dom0_append ? " " : "", dom0_append);
    add_drive(a, "dom0", "", o->log);
    add_drive(a, "data", ",discard=unmap", o->log);
    add_drive(a, "status", "", o->log);
    add_image(a, "tools", config->tools_image, o->log);
    if (o->disk)
        add_image(a, "disk", o->disk, o->log);
    add(a, "-qmp");
    add(a, "unix:%s,server=on,wait=off", SOCKET_QMP);
    add_serial(a, o->log);
    if (o->gdb) {
        add(a, "-gdb");
        add(a, "unix:%s,server=on,wait=off", TESTBED_GDB);
    }
    if (o->loadvm) {
        add(a, "-loadvm");
        add(a, "%s", o->loadvm);
    }
}

/* For people: how this QEMU was started. */
static void write_command(int dirfd, const struct args *a)
{
    int fd = openat(dirfd, FILE_COMMAND, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    for (unsigned i = 0; i < a->n; i++)
        dprintf(fd, strpbrk(a->v[i], " *") ? "%s'%s'" : "%s%s", i ? " " : "", a->v[i]);
    dprintf(fd, "\n");
    close(fd);
}

static void write_pid(int dirfd, pid_t pid)
{
    int fd = openat(dirfd, FILE_PID, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    dprintf(fd, "%d\n", (int)pid);
    close(fd);
}

static void exec_qemu(const struct args *a, const struct testbed_options *options, int dirfd,
                      pid_t parent)
{
    if (!options->detached) {
        /* The parent may have died before this took effect. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
    }
    child_prepare(dirfd, FILE_QEMU_LOG);
    /* The lock on the directory goes with it. */
    fcntl(dirfd, F_SETFD, 0);
    execvp(a->v[0], a->v);
    dprintf(2, "%s: %s (install qemu-system-x86; 'wcr doctor' tells more)\n", a->v[0],
            strerror(errno));
    _exit(127);
}

/* A replay has those of its recording. */
static int link_images(const struct testbed_config *config, const struct testbed_options *options,
                       const char *xen, int dirfd, struct err *err)
{
    int r;

    if (options->log == TESTBED_REPLAY)
        return 0;
    r = link_file(dirfd, xen, "xen.base", err);
    if (!r)
        r = link_file(dirfd, config->kernel, "kernel.base", err);
    if (!r)
        r = link_file(dirfd, config->tools_image, "tools.base", err);
    return !r && options->disk ? link_file(dirfd, options->disk, "disk.base", err) : r;
}

int testbed_qemu_spawn(const struct testbed_config *config, const struct testbed_options *options,
                       int dirfd, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    const char *xen = options->debug ? config->debug_xen : config->xen;
    char *append = double_commas(options->dom0_append ? options->dom0_append : "");
    pid_t parent = getpid(), pid;
    struct args a = {.n = 0};
    int r;

    if (!append)
        return err_set(err, ENOMEM, "out of memory");
    if (!xen || !*xen) {
        r = err_set(err, ENOENT, "there is no debug build of Xen: run 'make testbed'");
        goto out;
    }
    r = link_images(config, options, xen, dirfd, err);
    if (r)
        goto out;
    build_args(&a, config, options, append);
    if (a.failed) {
        r = err_set(err, ENOMEM, "out of memory");
        goto out;
    }
    write_command(dirfd, &a);
    pid = fork();
    if (pid < 0) {
        r = err_set(err, errno, "fork: %s", strerror(errno));
        goto out;
    }
    if (pid == 0)
        exec_qemu(&a, options, dirfd, parent);
    *ret_pid = pid;
    *ret_pidfd = pidfd_open(pid, 0);
    if (*ret_pidfd < 0) {
        r = err_set(err, errno, "pidfd_open: %s", strerror(errno));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        goto out;
    }
    write_pid(dirfd, pid);
out:
    args_free(&a);
    free(append);
    return r;
}
