/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The testbed: one QEMU running Xen, domain 0 with its agent, and a guest.
 *
 * Each testbed has a directory of its own (overlays, sockets, logs), locked as
 * long as its QEMU lives; directories of dead ones are removed by
 * testbed_clean_leftovers(). QEMU dies with the thread that started it, unless
 * it was started detached.
 *
 * Timeouts are wall time in milliseconds, negative: none. Every error about a
 * dead or silent testbed carries the end of its console log. Functions return 0
 * or -errno: -ESRCH QEMU is dead, -ETIMEDOUT, -EREMOTEIO QEMU or the agent
 * answered with an error. One thread at a time.
 */
#ifndef WCR_TESTBED_TESTBED_H
#define WCR_TESTBED_TESTBED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "testbed/env.h"

/* What `make testbed` built. The strings belong to env. */
struct testbed_config {
    struct env_file *env;
    const char *xen, *kernel, *vmlinux, *kernel_build;
    const char *dom0_image, *tools_image, *data_image, *guest_initrd;
    const char *stap_dir;           /* NULL: not named */
    const char *debug_xen;          /* Xen with its assertions; "" where that was not built */
    bool stock;                     /* Xen and Linux without the mechanism */
};

/* The path in use: @option, else $WCR_TESTBED, else build/testbed.env here or beside the program. */
const char *testbed_config_path(const char *option);

/* Read it and check that every file named is there. @path NULL: testbed_config_path(NULL). */
int testbed_config_load(const char *path, struct testbed_config *ret, struct err *err);
void testbed_config_done(struct testbed_config *config);

#define TESTBED_MEMORY_MB 1536

/*
 * Whether all that comes to the machine from outside (input, ends of disk requests, time) goes
 * to a log in its directory, or comes from it: then the same happens again, instruction by
 * instruction.
 */
enum testbed_log { TESTBED_UNLOGGED, TESTBED_RECORD, TESTBED_REPLAY };

struct testbed_options {
    const char *dir;                /* existing and empty; NULL: one is made, removed at stop */
    unsigned memory_mb;             /* 0: TESTBED_MEMORY_MB */
    unsigned cpus;                  /* above 1: in parallel, and in real time; 0: 1 */
    bool debug;                     /* with debug_xen */
    bool detached;                  /* outlives this process; see testbed_detach */
    bool real_time;                 /* no deterministic clock: for people */
    /*
     * Idle time is not skipped: a wait for a disk is then not full of timers that came due, and
     * instruction counts repeat best.
     */
    bool idle_waits;
    const char *xen_append;         /* more words for Xen's command line; may be NULL */
    const char *dom0_append;        /* more words for domain 0's; may be NULL */
    unsigned data_mb;               /* size of the data disk; 0: as built, with a file system */
    const char *disk;               /* one more of domain 0's, read-only: /dev/vde; may be NULL */
    const char *loadvm;             /* start from this snapshot of the overlays in dir */
    /*
     * RECORD: with dir; from a snapshot only if that was itself recorded, since QEMU then knows
     * how many instructions went before. REPLAY: with that dir.
     */
    enum testbed_log log;
    bool gdb;                       /* waits for one, see TESTBED_GDB */
};

/* In the directory: */
#define TESTBED_GDB "gdb.sock"                  /* where gdb finds the machine */
#define TESTBED_CONSOLE "console.log"
#define TESTBED_CONSOLE_REPLAYED "console.replayed"
#define TESTBED_AGENT_REPLAYED "agent.replayed" /* all that the agent sent */

struct testbed;

/* Start QEMU and speak to its monitor. The machine is running; see testbed_wait_agent. */
int testbed_start(const struct testbed_config *config, const struct testbed_options *options,
                  struct testbed **ret, struct err *err);

/* Let go of a testbed that was started detached without stopping it. */
void testbed_detach(struct testbed *tb);

/* Kill QEMU, remove its directory (unless the caller named it), free. NULL is fine. */
void testbed_stop(struct testbed *tb);

/*
 * Ask QEMU to end, and wait for it. What was recorded is complete only then; @forget (may be NULL),
 * a snapshot that it was recorded from, is removed: a replay that goes backwards begins at the
 * nearest one. testbed_stop is still to be called.
 */
int testbed_finish(struct testbed *tb, const char *forget, struct err *err);

/* Wait until QEMU ends by itself, as a replay does where its log ends; -EIO: with an error. */
int testbed_wait_end(struct testbed *tb, int64_t timeout_ms, struct err *err);

/* Let a replay go on for so many instructions; then it is stopped. */
int testbed_replay_some(struct testbed *tb, int64_t instructions, struct err *err);

/* Wait until the agent answers hello; @ret (may be NULL) receives its answer. */
int testbed_wait_agent(struct testbed *tb, int64_t timeout_ms, json_t **ret, struct err *err);

int testbed_pause(struct testbed *tb, struct err *err);
int testbed_resume(struct testbed *tb, struct err *err);

/* The machine is left paused. An existing snapshot of that name is replaced. */
int testbed_snapshot_save(struct testbed *tb, const char *name, struct err *err);
int testbed_snapshot_load(struct testbed *tb, const char *name, struct err *err);

/*
 * Resume, send @request (borrowed; "id" is set), wait for the reply with that id,
 * pause. Replies to other ids (from before a snapshot was loaded) and lines that
 * are no JSON are dropped. {"ok":false,"error":E} is -EREMOTEIO with E as message, and
 * -ESTALE if it says "refused": the guest's memory is not what the plan says.
 * After -ETIMEDOUT the machine is paused and the agent must be taken for lost until
 * a snapshot is loaded.
 */
int testbed_agent_call(struct testbed *tb, json_t *request, int64_t timeout_ms, json_t **ret,
                       struct err *err);

/* Called for {"event":...} lines of the agent; may be NULL. */
void testbed_on_event(struct testbed *tb, void (*event)(void *ctx, const json_t *event), void *ctx);

bool testbed_alive(struct testbed *tb);
const char *testbed_dir(const struct testbed *tb);
int testbed_pid(const struct testbed *tb);
const char *testbed_qemu_version(const struct testbed *tb);

/* Bytes that the overlays occupy on disk (snapshots are in there). */
uint64_t testbed_disk_bytes(const struct testbed *tb);

/* The last @lines lines of the console, malloc'ed; never NULL unless out of memory. */
char *testbed_console_tail(const struct testbed *tb, unsigned lines);

/* Where directories are made: $TMPDIR, else /var/tmp. */
const char *testbed_tmp_dir(void);

/* Remove directories whose QEMU and owner are dead; the number removed. */
unsigned testbed_clean_leftovers(void);

#endif
