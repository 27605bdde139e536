/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that experiments run on: a testbed whose waits for a disk take as long as the disk
 * is said to need, by the clock of the machine itself, which counts instructions.
 *
 * All functions return 0 or -errno.
 */
#ifndef WCR_CAMPAIGNS_EXPERIMENTS_BED_H
#define WCR_CAMPAIGNS_EXPERIMENTS_BED_H

#include <jansson.h>

#include "testbed/testbed.h"

#define BED_NS_PER_INSTRUCTION 2        /* QEMU's icount shift=1 */
#define BED_ANSWER 256

/* Where the guest's disk comes from, in domain 0. */
enum bed_disk {
    BED_DEVICE,             /* a device of its own */
    BED_FILE,               /* a file, which domain 0 caches */
    BED_SHARED,             /* half a device, whose other half is a neighbour's */
};

struct bed {
    struct testbed_config config;
    struct testbed *tb;
    const char *disk;       /* the guest's, as domain 0 calls it */
    unsigned neighbour;     /* its domain; 0: there is none */
};

struct bed_machine {
    unsigned dom0_mb, guest_mb;
    unsigned disk_mb;       /* of the device */
    enum bed_disk disk;
    bool network;
};

/* Power on, and make the guest's disk. bed_off in any case. */
int bed_on(struct bed *b, const struct bed_machine *machine, struct err *err);
void bed_off(struct bed *b);

/* With no files but a small one, and nothing that writes. It is paused. */
int bed_start_guest(struct bed *b, const struct bed_machine *machine, struct err *err);

/*
 * On BED_SHARED: another guest, which reads its disk without an end, bypassing every cache, from now
 * on. It has nothing to do with warm caches, and is never paused.
 */
int bed_start_neighbour(struct bed *b, struct err *err);

/*
 * Crash the guest, if it lives, and boot it again with more words on its command line; then it reads
 * its small file if @read_file. The agent's reply is the caller's.
 */
int bed_reboot(struct bed *b, const char *mode, const char *cmdline, bool read_file, json_t **ret,
               struct err *err);

int bed_save(struct bed *b, const char *snapshot, struct err *err);
int bed_load(struct bed *b, const char *snapshot, struct err *err);

/* A request to the agent, in jansson's pack format. @ret may be NULL. */
int bed_ask(struct bed *b, json_t **ret, struct err *err, const char *fmt, ...);

/*
 * In domain 0, by its shell; it must succeed. @ret_output (may be NULL) receives the last 8 KiB that
 * it said, the caller's to free.
 */
int bed_exec(struct bed *b, char **ret_output, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A command of the guest's init, which must succeed. @answer may be NULL. */
int bed_guest(struct bed *b, char answer[BED_ANSWER], struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* From now on the disk moves so many MB (10^6 bytes) a second in either direction; 0: no limit. */
int bed_disk_limit(struct bed *b, double mb_per_s, struct err *err);

/* A field of a reply; 0 where it is not there. */
double bed_number(const json_t *reply, const char *name);

#endif
