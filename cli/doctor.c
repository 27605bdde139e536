// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr doctor: what is missing on this machine, and how to get it. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "testbed/testbed.h"

#define BUILD_MIB 12000         /* sources, objects and images of a build from nothing */
#define WORKER_DISK_MIB 2500    /* overlays and snapshots of one worker */
#define WORKER_MEMORY_MIB 2200  /* the machine's memory, QEMU's translations, the worker */

struct doctor {
    json_t *checks;
    bool json;
    unsigned problems, warnings;
};

enum verdict { FINE, WARNING, PROBLEM };

/* One finding. @fix: what to do about it; NULL when fine. */
__attribute__((format(printf, 5, 6))) static void tell(struct doctor *d, enum verdict v,
                                                       const char *name, const char *fix,
                                                       const char *fmt, ...)
{
    static const char *const words[] = {"ok", "warning", "missing"};
    char text[1500];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->problems += v == PROBLEM;
    d->warnings += v == WARNING;
    if (d->json) {
        json_array_append_new(d->checks, json_pack("{s:s, s:s, s:s, s:s?}", "check", name, "status",
                                                   words[v], "detail", text, "fix", fix));
        return;
    }
    printf("%-8s %-12s %s\n", words[v], name, text);
    if (fix)
        printf("%-21s -> %s\n", "", fix);
}

/* A file of the source tree: below the current directory, or beside the program. */
static char *tree_file(const char *name)
{
    char exe[4096], *slash, *path = NULL;
    ssize_t n;

    if (!access(name, R_OK))
        return strdup(name);
    n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n <= 0)
        return NULL;
    exe[n] = '\0';
    for (int up = 0; up < 2; up++) {
        slash = strrchr(exe, '/');
        if (!slash)
            return NULL;
        *slash = '\0';
        if (asprintf(&path, "%s/%s", exe, name) < 0)
            return NULL;
        if (!access(path, R_OK))
            return path;
        free(path);
    }
    return NULL;
}

static void check_system(struct doctor *d)
{
    struct env_file *os = NULL;
    struct utsname u;
    const char *id = NULL, *version = NULL;

    uname(&u);
    if (strcmp(u.machine, "x86_64"))
        tell(d, PROBLEM, "processor", "use an x86-64 machine", "%s is not supported", u.machine);
    else
        tell(d, FINE, "processor", NULL, "%s, %d online", u.machine, get_nprocs());
    if (!env_file_load("/etc/os-release", &os, NULL)) {
        id = env_file_get(os, "ID");
        version = env_file_get(os, "VERSION_ID");
    }
    if (id && version && !strcmp(id, "debian") && !strcmp(version, "12"))
        tell(d, FINE, "system", NULL, "Debian 12");
    else
        tell(d, WARNING, "system", "build and run in a Debian 12 container or machine",
             "%s %s: only Debian 12 is tested", id ? id : "unknown", version ? version : "");
    env_file_free(os);
    if (geteuid())
        tell(d, WARNING, "root", "run 'make testbed' as root; 'wcr run' itself needs no root",
             "not root: the images cannot be built");
    else
        tell(d, FINE, "root", NULL, "yes");
}

static bool package_installed(const char *name)
{
    char command[300], status[64] = "";
    FILE *p;

    snprintf(command, sizeof(command), "dpkg-query -W -f '${db:Status-Status}' '%s' 2>/dev/null",
             name);
    p = popen(command, "re");
    if (!p)
        return false;
    if (!fgets(status, sizeof(status), p))
        status[0] = '\0';
    pclose(p);
    return !strcmp(status, "installed");
}

static void check_packages(struct doctor *d)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.+-:";
    char *path = tree_file("testbed/packages/host.txt");
    char line[200], missing[1200] = "", fix[1400];
    unsigned total = 0, absent = 0;
    size_t len = 0;
    FILE *f = path ? fopen(path, "re") : NULL;

    if (!f) {
        tell(d, WARNING, "packages", "run it from the source tree",
             "testbed/packages/host.txt is not here: packages are not checked");
        free(path);
        return;
    }
    while (fgets(line, sizeof(line), f)) {
        char *name = strtok(line, " \t\r\n#");

        if (line[0] == '#' || !name || strspn(name, allowed) != strlen(name))
            continue;
        total++;
        if (package_installed(name))
            continue;
        absent++;
        if (len < sizeof(missing))
            len += (size_t)snprintf(missing + len, sizeof(missing) - len, " %s", name);
    }
    fclose(f);
    free(path);
    snprintf(fix, sizeof(fix), "apt-get install%s", missing);
    if (absent)
        tell(d, PROBLEM, "packages", fix, "%u of %u are not installed", absent, total);
    else
        tell(d, FINE, "packages", NULL, "all %u are installed", total);
}

/* The nearest directory above that exists: where the space will be taken. */
static int space_mib(const char *path, unsigned long *ret)
{
    char *p = strdupa(path), *slash;
    struct statvfs st;

    while (statvfs(p, &st)) {
        slash = strrchr(p, '/');
        if (!slash)
            return -errno;
        if (slash == p)
            slash++;
        if (!*slash)
            return -errno;
        *slash = '\0';
    }
    *ret = (unsigned long)((unsigned long long)st.f_bavail * st.f_frsize >> 20);
    return 0;
}

static void check_space(struct doctor *d, bool built)
{
    const char *cache = getenv("WCR_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[4096];
    unsigned long mib;

    if (cache && *cache)
        snprintf(path, sizeof(path), "%s", cache);
    else if (xdg && *xdg)
        snprintf(path, sizeof(path), "%s/wcr", xdg);
    else
        snprintf(path, sizeof(path), "%s/.cache/wcr", home ? home : "/root");
    if (space_mib(path, &mib))
        tell(d, WARNING, "cache", "set WCR_CACHE", "%s: cannot tell the free space", path);
    else if (mib < BUILD_MIB && !built)
        tell(d, PROBLEM, "cache", "free some space, or set WCR_CACHE to another place",
             "%lu MiB free for %s; a build takes %d", mib, path, BUILD_MIB);
    else
        tell(d, FINE, "cache", NULL, "%lu MiB free for %s", mib, path);
    if (space_mib(testbed_tmp_dir(), &mib) || mib < WORKER_DISK_MIB)
        tell(d, PROBLEM, "temporary", "free some space, or set TMPDIR to another place",
             "%lu MiB free in %s; each worker takes %d", mib, testbed_tmp_dir(), WORKER_DISK_MIB);
    else
        tell(d, FINE, "temporary", NULL, "%lu MiB free in %s: room for %lu workers", mib,
             testbed_tmp_dir(), mib / WORKER_DISK_MIB);
}

static void check_memory(struct doctor *d)
{
    unsigned long available = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %lu kB", &available) == 1)
            break;
    if (f)
        fclose(f);
    available /= 1024;
    if (available < WORKER_MEMORY_MIB)
        tell(d, PROBLEM, "memory", "close other programs, or use a larger machine",
             "%lu MiB available; each worker takes about %d", available, WORKER_MEMORY_MIB);
    else
        tell(d, FINE, "memory", NULL, "%lu MiB available: room for %lu workers", available,
             available / WORKER_MEMORY_MIB);
}

/* @command tells its version in one line. @v: what it is if it does not run, which means @why. */
static void check_program(struct doctor *d, const char *name, const char *command, enum verdict v,
                          const char *fix, const char *why)
{
    char line[200] = "";
    FILE *p = popen(command, "re");

    if (p && !fgets(line, sizeof(line), p))
        line[0] = '\0';
    if (p)
        pclose(p);
    line[strcspn(line, "\n")] = '\0';
    if (*line)
        tell(d, FINE, name, NULL, "%s", line);
    else
        tell(d, v, name, fix, "%s", why);
}

static bool check_testbed(struct doctor *d, const char *env)
{
    struct testbed_config config;
    struct err err = {0};

    if (testbed_config_load(env, &config, &err)) {
        tell(d, PROBLEM, "testbed", "make testbed", "%s", err.msg);
        return false;
    }
    tell(d, FINE, "testbed", NULL, "%s", env_file_path(config.env));
    testbed_config_done(&config);
    return true;
}

static void usage(FILE *f)
{
    fputs("usage: wcr doctor [--json] [--testbed FILE]\n\n"
          "Checks this machine for what building and running campaigns needs, and tells\n"
          "how to get what is missing. Exit status: 0 nothing is missing, 1 something is.\n\n"
          "  --json            one JSON object\n"
          "  --testbed FILE    what 'make testbed' built (default $WCR_TESTBED, else\n"
          "                    build/testbed.env)\n",
          f);
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor d = {0};
    const char *env = NULL;
    const struct cli_option options[] = {
        {.name = "json", .flag = &d.json}, {.name = "testbed", .value = &env}, {0},
    };
    int status = cli_parse_all("doctor", usage, options, argc, argv);
    bool built;

    if (status >= 0)
        return status;
    d.checks = json_array();
    check_system(&d);
    check_packages(&d);
    check_program(&d, "qemu", "qemu-system-x86_64 --version 2>/dev/null", PROBLEM,
                  "apt-get install qemu-system-x86 qemu-utils", "qemu-system-x86_64 does not run");
    check_program(&d, "gnuplot", "gnuplot --version 2>/dev/null", WARNING,
                  "apt-get install gnuplot-nox", "gnuplot does not run: 'wcr report' needs it");
    check_memory(&d);
    built = check_testbed(&d, env);
    check_space(&d, built);
    if (d.json) {
        json_t *all = json_pack("{s:b, s:i, s:i, s:o}", "ok", !d.problems, "problems",
                                (int)d.problems, "warnings", (int)d.warnings, "checks", d.checks);

        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else {
        json_decref(d.checks);
        if (d.problems)
            printf("%u missing\n", d.problems);
        else
            puts("ready");
    }
    return d.problems ? WCR_EXIT_FAIL : WCR_EXIT_OK;
}
