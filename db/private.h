/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside db/ only. */
#ifndef WCR_DB_PRIVATE_H
#define WCR_DB_PRIVATE_H

#include <sqlite3.h>

#include "db/db.h"

#define DB_APPLICATION_ID 0x77637264    /* "wcrd", in the file's header */

/* Schemas up to number @version; @migrations[i] takes schema i to i + 1, without foreign keys. */
struct db_schema {
    const char *const *migrations;
    int version;
};

extern const struct db_schema db_schema;

struct db {
    sqlite3 *sql;
    char *path;
    const struct db_schema *schema;
    int claim_fd;           /* -1: nothing is claimed */
};

/* db_open, as a wcr with other schemas would: for the tests of migrations. */
int db_open_schema(const char *path, enum db_access access, const struct db_schema *schema,
                   struct db **ret, struct err *err) __attribute__((warn_unused_result));

extern int db_busy_ms;                      /* how long to wait for another program */

/*
 * Prepare @sql and bind its parameters in order, by the letters of @types:
 *   t const char * (NULL is NULL)   i int64_t (DB_UNKNOWN is NULL)   d double
 * Text must live until the statement is finalized. @ret is NULL after an error.
 */
int db_prepare(struct db *db, sqlite3_stmt **ret, struct err *err, const char *sql,
               const char *types, ...) __attribute__((warn_unused_result));

/* db_prepare, run to its end, throw rows away. */
int db_exec(struct db *db, struct err *err, const char *sql, const char *types, ...)
    __attribute__((warn_unused_result));

/* One step: 1 a row, 0 the end, -errno. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err)
    __attribute__((warn_unused_result));

/* The first row's first column; *ret_found tells if there was a row. NULL reads as DB_UNKNOWN. */
int db_value(struct db *db, int64_t *ret, bool *ret_found, struct err *err, const char *sql,
             const char *types, ...) __attribute__((warn_unused_result));

/* BEGIN IMMEDIATE: waits for other writers here, not at the commit. */
int db_begin(struct db *db, struct err *err) __attribute__((warn_unused_result));
/* Commits if @r is 0, else rolls back; returns the first error. */
int db_end(struct db *db, int r, struct err *err) __attribute__((warn_unused_result));

/* Replace @schema ("main" or an attached one) of @to by what @from holds, its log included. */
int db_copy(struct db *from, struct db *to, const char *schema, struct err *err)
    __attribute__((warn_unused_result));

/* The intervals that the views look up from now on, of one class or, with NULL, of all. */
int db_intervals_put(struct db *db, int64_t campaign, const char *fault_class, struct err *err)
    __attribute__((warn_unused_result));

/* Where two JSON texts first differ, as "classes[2].trials". False: nowhere, or not known. */
bool db_json_difference(const char *a, const char *b, char *ret_where, size_t size);

static inline void stmt_cleanup(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}
#define cleanup_stmt __attribute__((cleanup(stmt_cleanup)))

#endif
