/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent: the one program that knows the guest. It serves one request at a time; what
 * it holds between two is here.
 */
#ifndef WCR_AGENT_AGENT_H
#define WCR_AGENT_AGENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaigns/agent/console.h"
#include "campaigns/agent/status.h"
#include "campaigns/agent/xen.h"
#include "lib/err.h"
#include "warmcache-core/tools/wcr_call.h"

#define AGENT_VERSION "0.1"

struct agent_options {
    const char *connect;        /* libvirt URI */
    const char *domain_name;
    const char *domain_uuid;
    const char *data_disk, *status_disk;
    const char *kernel, *initrd;
    const char *cmdline;        /* added to the guest's */
    const char *console_dir;
    bool no_warmcache;          /* go on, cold, where the hypervisor has no mechanism */
    unsigned hang_ms;           /* a heartbeat that stands still for so long is a hang */
    unsigned settle_ms;         /* after an oops, watch so long for what follows */
};

struct guest_params {
    unsigned memory_mb, vcpus;
    unsigned partition;         /* of the data disk; 0: all of it */
    uint32_t files, blocks;
    uint64_t seed;
    bool network;               /* on domain 0's bridge */
    char filesystem[16], mount_options[128];
    char program[128];          /* runs instead of the workers; "": these */
    char cmdline[128];      /* more of the kernel's, of the life that is to come */
};

struct coverage;
struct injection;

struct agent {
    struct agent_options opt;
    uint8_t uuid[16];
    struct xen *xen;
    struct wcr_call *mech;          /* NULL: stock hypervisor and no_warmcache */
    struct status status;
    struct console console;
    struct guest_params params;
    bool started;               /* params are valid, there was a guest_start */
    bool rebooted;              /* the domain is in mode verify */
    uint32_t domid;             /* 0: no domain */
    uint64_t run_id;            /* of the boot that runs or ran last */
    struct injection *injection;    /* a text fault that is applied or armed; NULL: none */
    bool injection_blind;           /* this hypervisor does not tell when it is reached */
    struct coverage *coverage;      /* of the blocks that are watched instead; NULL: none are */
    uint64_t *blocks;
    size_t blocks_len;
};

/* Requests; @ret gets the reply's fields. */
int guest_start(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_stop(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_reboot(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_resume(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_command(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_counters(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_golden(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_inject(struct agent *a, const json_t *request, json_t **ret, struct err *err);
int guest_verify(struct agent *a, const json_t *request, json_t **ret, struct err *err);

/* Send one line to the guest's init; its answer comes through a->console. */
int guest_send(struct agent *a, const char *line, struct err *err);
void guest_destroy(struct agent *a);

#endif
