// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "db/private.h"

int db_busy_ms = 15000;

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list ap)
{
    int rc = SQLITE_OK;

    for (int i = 1; types[i - 1] && rc == SQLITE_OK; i++) {
        if (types[i - 1] == 't') {
            rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else if (types[i - 1] == 'd') {
            rc = sqlite3_bind_double(stmt, i, va_arg(ap, double));
        } else {
            int64_t v = va_arg(ap, int64_t);

            rc = v == DB_UNKNOWN ? sqlite3_bind_null(stmt, i) : sqlite3_bind_int64(stmt, i, v);
        }
    }
    return rc;
}

static int prepare(struct db *db, sqlite3_stmt **ret, struct err *err, const char *sql,
                   const char *types, va_list ap)
{
    *ret = NULL;
    if (sqlite3_prepare_v2(db->sql, sql, -1, ret, NULL) != SQLITE_OK ||
        bind_all(*ret, types, ap) != SQLITE_OK) {
        int r = db_fail(db, NULL, err);

        sqlite3_finalize(*ret);
        *ret = NULL;
        return r;
    }
    return 0;
}

int db_prepare(struct db *db, sqlite3_stmt **ret, struct err *err, const char *sql,
               const char *types, ...)
{
    va_list ap;
    int r;

    va_start(ap, types);
    r = prepare(db, ret, err, sql, types, ap);
    va_end(ap);
    return r;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : db_fail(db, NULL, err);
}

int db_exec(struct db *db, struct err *err, const char *sql, const char *types, ...)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    va_list ap;
    int r;

    va_start(ap, types);
    r = prepare(db, &stmt, err, sql, types, ap);
    va_end(ap);
    if (r)
        return r;
    do
        r = db_step(db, stmt, err);
    while (r > 0);
    return r;
}

int db_value(struct db *db, int64_t *ret, bool *ret_found, struct err *err, const char *sql,
             const char *types, ...)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    va_list ap;
    int r;

    va_start(ap, types);
    r = prepare(db, &stmt, err, sql, types, ap);
    va_end(ap);
    if (r)
        return r;
    r = db_step(db, stmt, err);
    if (r < 0)
        return r;
    *ret_found = r > 0;
    *ret = r > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL ? sqlite3_column_int64(stmt, 0)
                                                                : DB_UNKNOWN;
    return 0;
}

int db_begin(struct db *db, struct err *err)
{
    return db_exec(db, err, "BEGIN IMMEDIATE", "");
}

int db_end(struct db *db, int r, struct err *err)
{
    if (!r)
        r = db_exec(db, err, "COMMIT", "");
    /* Some errors roll back by themselves. */
    if (!sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* An I/O error that the system explained: a full disk shows up as one with shared memory. */
static int io_errno(sqlite3 *sql)
{
    int code = sqlite3_system_errno(sql);

    return code == ENOSPC || code == EDQUOT || code == EROFS || code == EACCES || code == ENOENT
               ? code
               : EIO;
}

static int code_of(sqlite3 *sql)
{
    switch (sqlite3_errcode(sql)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return EACCES;
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return EINVAL;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return io_errno(sql);
    default:
        return EIO;
    }
}

static const char *advice_of(sqlite3 *sql, int code)
{
    switch (code) {
    case EBUSY:
        return "locked by another program for too long; is another wcr, or a sqlite3 shell with "
               "an open transaction, at work on it?";
    case ENOSPC:
    case EDQUOT:
        return "no space left on its file system; nothing that was recorded is lost: make room "
               "and run the same command again";
    case EROFS:
        return "cannot be written: the file, its directory or its file system is read-only";
    case EACCES:
        return "permission denied, to it or to its directory";
    default:
        break;
    }
    switch (sqlite3_errcode(sql)) {
    case SQLITE_NOTADB:
        return "not an SQLite database";
    case SQLITE_CORRUPT:
        return "the database is damaged; 'sqlite3 FILE .recover' saves what can be read";
    default:
        return NULL;
    }
}

int db_fail(struct db *db, const char *what, struct err *err)
{
    int code = code_of(db->sql);
    const char *advice = advice_of(db->sql, code);

    err_set(err, code, "%s: %s%s%s%s%s", db->path, what ? what : "", what ? ": " : "",
            advice ? advice : sqlite3_errmsg(db->sql),
            advice && code == EIO ? ": " : "", advice && code == EIO ? sqlite3_errmsg(db->sql) : "");
    return -code;
}
