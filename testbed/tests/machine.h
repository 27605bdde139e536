/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One testbed for all tests of a program: a machine with a warm guest, saved as "warm".
 * Whatever fails here fails the test that runs, with the testbed's own message.
 */
#ifndef WCR_TESTBED_TESTS_MACHINE_H
#define WCR_TESTBED_TESTS_MACHINE_H

#include <jansson.h>
#include <stdint.h>

#include "testbed/testbed.h"

extern struct testbed_config machine_config;
extern struct testbed *machine;

/*
 * Boot the machine alone; with @options, which may be NULL. For group setups: 0 or -1.
 * What comes then, like a file system made by machine_exec and "guest_start" by machine_call, fails
 * like a test.
 */
int machine_boot(const struct testbed_options *options);
/* Boot, start a guest with @files of @blocks, save. */
int machine_up(int files, int blocks);
/* The group's teardown. */
int machine_down(void **state);
/* A test's setup: back to "warm". */
int machine_from_warm(void **state);

void machine_restore(const char *name);
void machine_save(const char *name);

/*
 * A request in jansson's pack format, which must fail with @expect if that is not 0.
 * The reply is the caller's.
 */
json_t *machine_call(int expect, const char *fmt, ...);

/*
 * A shell command in domain 0. The first returns its exit status, the second fails the test
 * with the command's output if that is not 0. @ret_output (may be NULL), the caller's to free.
 */
int machine_try(char **ret_output, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void machine_exec(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * A command of the guest's init (campaigns/workload/command.c): the reply; what it returned; or it must succeed;
 * or it must and the number behind "KEY=", or "KEY ", in its answer is wanted.
 */
json_t *machine_guest_reply(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int machine_guest_try(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void machine_guest(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t machine_guest_number(const char *key, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The workers stand still, and everything cached is clean. */
void machine_guest_quiet(void);
/* From now on dirty pages stay dirty until they are synced. */
void machine_guest_no_writeback(void);

/*
 * Another guest, the domain "other", with a cache of its own, on RAM disks of domain 0's. @mode
 * "run": it fills files of the same names as the first guest's, and works on them; "read": its next
 * life reads them. Its end is domain 0's to bring about.
 */
#define MACHINE_OTHER_UUID "77637200-6775-4573-8000-000000000002"
#define MACHINE_OTHER_CONSOLE "/var/log/xen/console/guest-other.log"
#define MACHINE_OTHER_FILES 32
#define MACHINE_OTHER_BLOCKS 32
void machine_other_start(const char *mode, int vcpus);
/* A command of its init's, which must succeed. */
void machine_other(const char *command);
/* Its console says, or comes to say, what matches. */
void machine_other_says(const char *what);

/* What the next life found. */
struct machine_life {
    int64_t blocks;             /* of all files, each read once */
    int64_t files_missing, read_errors, content_errors;
    int64_t reused, inconsistent, corrupt;
    int64_t read_sectors;
    json_t *pages;              /* those not consistent, as in verify's reply */
};

/* End the guest as a crash, boot it again in @mode and verify; both must succeed. */
struct machine_life machine_reboot(const char *mode);
/* The same, by a request of its own, in jansson's pack format. */
struct machine_life machine_reboot_as(const char *fmt, ...);
void machine_life_done(struct machine_life *life);

/* What it found of one file. */
struct machine_file {
    bool there;
    unsigned blocks, bad, reused;
    unsigned inconsistent;      /* of the reused pages */
    int error;                  /* why it could not be read, an errno; the survey goes on */
    int64_t inode;
};

/* Of the files numbered 0 to @n - 1, in the guest's second life, which is @life. */
void machine_survey(const struct machine_life *life, struct machine_file *ret, unsigned n);

/* A field of a reply; "" where there is no such text. */
const char *machine_text(const json_t *reply, const char *name);
int64_t machine_number(const json_t *reply, const char *name);

#endif
