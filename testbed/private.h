/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the testbed library only. */
#ifndef WCR_TESTBED_PRIVATE_H
#define WCR_TESTBED_PRIVATE_H

#include <sys/types.h>

#include "testbed/qmp.h"
#include "testbed/testbed.h"

/* Names inside a testbed's directory. */
#define FILE_QEMU_LOG "qemu.log"
#define FILE_PID "qemu.pid"
#define FILE_COMMAND "command"
#define SOCKET_QMP "qmp.sock"
#define SOCKET_AGENT "agent.sock"
#define SOCKET_SHELL "shell.sock"
/* While it is recorded, the agent's port is a pair of fifos, which never connect or hang up. */
#define FIFO_AGENT "agent"
#define FILE_LOG "replay.log"
#define SNAPSHOT_START "start"      /* where the log begins */

struct testbed {
    char *dir;
    int dirfd;              /* holds the lock; QEMU inherits it */
    bool own_dir, running;
    enum testbed_log log;
    pid_t pid;
    int pidfd, qmp_fd, agent_fd;
    int agent_out;          /* of a fifo's two; -1: agent_fd is both */
    struct qmp qmp;
    struct jsonl agent;
    uint64_t next_id;
    char shutdown[64];      /* reason of a SHUTDOWN event */
    void (*event)(void *ctx, const json_t *event);
    void *event_ctx;
};

/* testbed_dir.c: a locked directory; @dir NULL: a new one below testbed_tmp_dir(). */
int testbed_dir_make(const char *dir, char **ret_dir, int *ret_fd, struct err *err);
/* Remove everything below, and the directory itself if @itself. */
void testbed_dir_remove(const char *dir, bool itself);

/* testbed_qemu.c */
int testbed_overlays_create(const struct testbed_config *config, unsigned data_mb, int dirfd,
                            struct err *err);
/* What they occupy on the disk, with their snapshots. */
uint64_t testbed_overlays_bytes(int dirfd);
/* Remove a snapshot that a recording QEMU made. */
int testbed_overlays_forget(int dirfd, const char *snapshot, struct err *err);
int testbed_qemu_spawn(const struct testbed_config *config, const struct testbed_options *options,
                       int dirfd, pid_t *ret_pid, int *ret_pidfd, struct err *err);

/* Connect to a unix socket in the directory, waiting for it to appear. */
int testbed_connect(int dirfd, const char *name, int pidfd, int64_t deadline, int *ret_fd,
                    struct err *err);

/* Add the end of QEMU's own log or of the console to @err. */
void testbed_explain(const struct testbed *tb, struct err *err);

#endif
