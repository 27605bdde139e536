/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The campaign database: one SQLite file, WAL, STRICT tables, foreign keys, a
 * schema number in user_version. It is the contract between what runs trials and
 * what judges them; docs/database.md describes tables and views.
 *
 * Every function that writes is one transaction: after a kill at any moment, what
 * it was to record is there completely or not at all. A handle belongs to one
 * process and one thread; it must not be carried over fork().
 *
 * Errors: 0 or -errno with a message that names the file.
 *   -ENOENT   no such file, campaign or trial
 *   -EEXIST   a campaign of this name with another spec
 *   -EINVAL   not a database of ours; a value that the schema refuses
 *   -ENOTSUP  written by a newer wcr
 *   -EBUSY    locked by another program for too long
 *   -ENOSPC, -EROFS, -EACCES, -EIO, -ENOMEM
 */
#ifndef WCR_DB_DB_H
#define WCR_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct sqlite3;
struct db;

enum db_access {
    DB_READ,    /* must exist and is never changed; an older schema is brought up to date in memory */
    DB_WRITE,   /* made if missing, migrated if old */
};

int db_open(const char *path, enum db_access access, struct db **ret, struct err *err)
    __attribute__((warn_unused_result));
void db_close(struct db *db);           /* NULL is fine */

/* The connection, for queries; owned by @db. */
struct sqlite3 *db_handle(struct db *db);
const char *db_path(const struct db *db);

/* Fill @err from the connection's last error; @what: what was being done. Returns -errno. */
int db_fail(struct db *db, const char *what, struct err *err);

/* Not known: NULL in the table. */
#define DB_UNKNOWN INT64_MIN

/* ---- campaigns ---- */

struct db_campaign {
    const char *name;
    const char *spec_text;      /* the file as it was read */
    const char *spec_json;      /* all that decides what a trial is, defaults filled in;
                                   NULL: the text itself decides whether two specs are equal */
    const char *executor;       /* "testbed" or "xen" */
    const char *version;        /* of wcr; may be NULL */
};

/* Find it or create it. -EEXIST: there is one of this name with another spec. */
int db_campaign_open(struct db *db, const struct db_campaign *campaign, int64_t *ret_id,
                     struct err *err) __attribute__((warn_unused_result));

/*
 * Claim it for this handle, until that is closed and all forks of this process have ended. -EBUSY:
 * it is another's, after @wait_ms still. The database can be read and written nevertheless.
 */
int db_campaign_claim(struct db *db, int64_t campaign, int wait_ms, struct err *err)
    __attribute__((warn_unused_result));

/*
 * The campaign called @name; with NULL the only one there is. -ENOENT: none, or
 * several and no name; the message lists them.
 */
int db_campaign_find(struct db *db, const char *name, int64_t *ret_id, struct err *err)
    __attribute__((warn_unused_result));

/* ---- environments: what a trial's machine was made of ---- */

/*
 * @facts_json: an object of names and values (versions, hashes of artefacts, the
 * worker's machine). Equal facts share one id; numbers with a fraction and those named
 * *_s, *_ms, *_ns, *_bytes are measurements: kept as an event, not compared.
 */
int db_environment_put(struct db *db, int64_t campaign, const char *facts_json, int64_t *ret_id,
                       struct err *err) __attribute__((warn_unused_result));

/* ---- trials ---- */

#define DB_GOLDEN "GOLDEN"      /* the class of fault-free trials */

/* One plan: (class, seed, index). A trial that needs another plan takes the next index. */
struct db_plan {
    const char *fault_class;
    uint64_t seed;              /* at most INT64_MAX: -EINVAL */
    unsigned index;
    const char *target;         /* may be NULL: that of @json, if any */
    const char *json;           /* as `wcr plan --json` prints it; NULL: a golden run */
};

struct db_page {
    const char *when;           /* "crash" or "reboot" */
    int64_t pfn, inode, index, sector;
    const char *verdict;        /* "corrupt", "stale_disk", "unknown", "consistent" */
    const char *detail;         /* may be NULL */
};

struct db_event {
    const char *kind;           /* "console", "signature", "reboot_console", "retry", ...: free */
    const char *text;           /* may be NULL */
    const char *json;           /* may be NULL */
};

struct db_measurement {
    const char *name;           /* "restore_warm", "reboot", ...; unique in a trial */
    double value;
    const char *unit;           /* "s", "ns", "sectors", ... */
};

/* What verification counted; DB_UNKNOWN where it was not done. */
struct db_counts {
    int64_t mapped, reusable, reused, retained, checked, consistent, inconsistent, corrupt,
        stale_disk, unknown, unreadable, modified;
};

/*
 * A finished trial. (campaign, class, seed, mode) is its address: there is one row
 * of each, whatever index its plan had.
 */
struct db_trial {
    int64_t campaign, environment;      /* environment: 0 if not known */
    struct db_plan plan;
    const char *mode;                   /* "enabled", "disabled", "cold" */
    const char *pair;                   /* "snapshot", "two_runs", or NULL: none */
    /*
     * Names the crash that this trial rebooted from. Trials with one plan and one
     * crash_id are an exact pair; with pair "snapshot" but different ids (a run was
     * killed between two modes) they count as two runs. NULL: not an exact pair.
     */
    const char *crash_id;
    const char *outcome;                /* what is shown: "no_reboot" wins over the one at the crash */
    const char *crash_outcome;          /* "no_crash", "process_crash", "kernel_crash", "hang" */
    int activated;                      /* 1, 0, or -1: nobody can tell */
    unsigned attempts;                  /* this one included */
    struct db_counts at_crash, at_reboot;
    int64_t inject_ns, activated_ns, detect_ns, reboot_ns, verify_ns, wall_ns;
    int64_t read_sectors, files_read, read_errors, content_errors;
    const char *signature, *shutdown_reason;    /* may be NULL */
    const char *reply_json;             /* all that the agent said, for what has no column; may be NULL */
    const struct db_page *pages;
    size_t pages_len;
    const struct db_event *events;
    size_t events_len;
    const struct db_measurement *measurements;
    size_t measurements_len;
};

/* Everything DB_UNKNOWN or NULL, activated -1, attempts 1. */
void db_trial_init(struct db_trial *trial);

/*
 * Record it, with all that belongs to it. Recording a trial that is already done
 * changes nothing and is no error (*ret_new false); one that ended in an error
 * before is replaced under its old id. @ret_id, @ret_new may be NULL.
 */
int db_trial_record(struct db *db, const struct db_trial *trial, int64_t *ret_id, bool *ret_new,
                    struct err *err) __attribute__((warn_unused_result));

/*
 * A trial that could not be carried out, after its retries: status 'error'. Does
 * nothing if the trial is done. @console may be NULL.
 */
int db_trial_error(struct db *db, int64_t campaign, const struct db_plan *plan, const char *mode,
                   unsigned attempts, const char *text, const char *console, struct err *err)
    __attribute__((warn_unused_result));

/* A plan that led to no trial: @why is "not_activated" or "refused"; @detail_json may be NULL. */
int db_plan_reject(struct db *db, int64_t campaign, const struct db_plan *plan, const char *why,
                   const char *detail_json, struct err *err) __attribute__((warn_unused_result));

/* An attempt that failed and will be made again. Kept apart from results; @console may be NULL. */
int db_attempt_error(struct db *db, int64_t campaign, const char *fault_class, uint64_t seed,
                     unsigned index, const char *text, const char *console, struct err *err)
    __attribute__((warn_unused_result));

/* Something worth keeping that belongs to no trial; once, however often it is put. */
int db_event_put(struct db *db, int64_t campaign, const struct db_event *event, struct err *err)
    __attribute__((warn_unused_result));

/* The JSON of a campaign's first event of that kind, the caller's to free; NULL: there is none. */
int db_event_get(struct db *db, int64_t campaign, const char *kind, char **ret_json,
                 struct err *err) __attribute__((warn_unused_result));

/*
 * How often trials of a class reused an inconsistent page, of those that were rated (the rate of
 * the view class_compare), and how well that is known, at 95%. Nothing is known of none: 0 to 1.
 */
struct db_rate {
    int64_t failures, trials;
    double low, high;       /* the two-sided interval */
    double upper;           /* the one-sided bound */
};

int db_class_rate(struct db *db, int64_t campaign, const char *fault_class, const char *mode,
                  struct db_rate *ret, struct err *err) __attribute__((warn_unused_result));

/* ---- going on ---- */

struct db_resume {
    bool done[3];       /* enabled, disabled, cold */
    /*
     * The plan to go on with: that of the modes already done (a pair has one plan),
     * or else the one after the last that was rejected.
     */
    unsigned index;
};

int db_trial_resume(struct db *db, int64_t campaign, const char *fault_class, uint64_t seed,
                    struct db_resume *ret, struct err *err) __attribute__((warn_unused_result));

/*
 * Every trial of the campaign that is done, in the order of class, seed, mode.
 * A callback that returns other than 0 ends the listing with that value.
 */
typedef int (*db_done_fn)(void *ctx, const char *fault_class, uint64_t seed, unsigned index,
                          const char *mode);
int db_trial_each_done(struct db *db, int64_t campaign, db_done_fn fn, void *ctx, struct err *err)
    __attribute__((warn_unused_result));

#endif
