// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel command line: wcr.NAME=VALUE words, the rest is not ours. */
#include "campaigns/workload/guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(const char *value, uint64_t lo, uint64_t hi, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(value, &end, 0);
    if (errno || end == value || *end || *ret < lo || *ret > hi)
        return -EINVAL;
    return 0;
}

static int number32(const char *value, uint32_t lo, uint32_t hi, uint32_t *ret)
{
    uint64_t v;
    int r = number(value, lo, hi, &v);

    if (!r)
        *ret = (uint32_t)v;
    return r;
}

/* A.B.C.D/BITS */
static int network(const char *value, struct guest_options *o)
{
    const char *slash = strchr(value, '/');
    char address[INET_ADDRSTRLEN];

    if (!slash || slash - value >= (long)sizeof(address))
        return -EINVAL;
    snprintf(address, sizeof(address), "%.*s", (int)(slash - value), value);
    if (inet_pton(AF_INET, address, &o->address) != 1 || !o->address)
        return -EINVAL;
    return number32(slash + 1, 1, 31, &o->prefix_bits);
}

static int word_take(struct guest_options *o, const char *name, const char *value)
{
    static const char *const own[] = {"mode", "fs", "fsopts", "device", "program"};
    char *const to[] = {o->mode, o->fs, o->fsopts, o->device, o->program};
    const size_t room[] = {sizeof(o->mode), sizeof(o->fs), sizeof(o->fsopts), sizeof(o->device),
                           sizeof(o->program)};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(name, own[i]) != 0)
            continue;
        if (strlen(value) >= room[i])
            return -ENAMETOOLONG;
        strcpy(to[i], value);
        return 0;
    }
    if (strcmp(name, "address") == 0)
        return network(value, o);
    if (strcmp(name, "files") == 0)
        return number32(value, 1, STATUS_FILES_MAX, &o->files);
    if (strcmp(name, "blocks") == 0)
        return number32(value, 1, STATUS_BLOCKS_MAX, &o->blocks);
    if (strcmp(name, "workers") == 0)
        return number32(value, 0, STATUS_WORKERS, &o->workers);
    if (strcmp(name, "pace_us") == 0)
        return number32(value, 0, 10000000, &o->pace_us);
    if (strcmp(name, "cold_files_in_four") == 0)
        return number32(value, 0, 4, &o->cold_files_in_four);
    if (strcmp(name, "seed") == 0)
        return number(value, 0, UINT64_MAX, &o->seed);
    if (strcmp(name, "run_id") == 0)
        return number(value, 0, UINT64_MAX, &o->run_id);
    return 0;   /* a newer agent's word */
}

int guest_options_parse(const char *cmdline, struct guest_options *ret)
{
    char copy[4096], *save = NULL;

    *ret = (struct guest_options){
        .mode = "run", .fs = "ext4", .device = "/dev/xvda", .files = 64, .blocks = 64, .workers = 2, .pace_us = 1000,
        .cold_files_in_four = 3, .seed = 1,
    };
    if (snprintf(copy, sizeof(copy), "%s", cmdline) >= (int)sizeof(copy))
        return -E2BIG;
    for (char *w = strtok_r(copy, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
        char *eq = strchr(w, '=');
        int r;

        if (strncmp(w, "wcr.", 4) != 0 || !eq)
            continue;
        *eq = '\0';
        r = word_take(ret, w + 4, eq + 1);
        if (r) {
            fprintf(stderr, "wcr: bad value on the kernel command line: %s=%s\n", w, eq + 1);
            return r;
        }
    }
    return 0;
}
