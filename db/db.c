// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening, checking and migrating. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/interval.h"
#include "db/private.h"

/* clopper_pearson_low(k, n), clopper_pearson_high(k, n[, confidence]): on our connections. */
static void sql_interval(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const bool *high = sqlite3_user_data(context);
    double confidence = argc > 2 ? sqlite3_value_double(argv[2]) : 0.95;
    struct interval i;

    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return;
    if (!(confidence > 0 && confidence < 1)) {
        sqlite3_result_error(context, "the confidence must be between 0 and 1", -1);
        return;
    }
    i = clopper_pearson(sqlite3_value_int64(argv[0]), sqlite3_value_int64(argv[1]), confidence);
    sqlite3_result_double(context, *high ? i.high : i.low);
}

static int add_functions(struct db *db, struct err *err)
{
    static const bool high[] = {false, true};
    static const char *const names[] = {"clopper_pearson_low", "clopper_pearson_high"};

    for (int i = 0; i < 2; i++)
        for (int args = 2; args <= 3; args++)
            if (sqlite3_create_function(db->sql, names[i], args,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                        (void *)&high[i], sql_interval, NULL, NULL) != SQLITE_OK)
                return db_fail(db, NULL, err);
    return 0;
}

static int pragma(struct db *db, const char *name, int64_t *ret, struct err *err)
{
    char sql[64];
    bool found;

    snprintf(sql, sizeof(sql), "PRAGMA %s", name);
    return db_value(db, ret, &found, err, sql, "");
}

/*
 * Is it one of ours, of a schema we know? *ret_version is 0 for an empty one. A
 * database of somebody else is left exactly as it is.
 */
static int check_ours(struct db *db, int64_t *ret_version, struct err *err)
{
    int64_t id, objects;
    bool found;
    int r;

    r = pragma(db, "application_id", &id, err);
    if (!r)
        r = pragma(db, "user_version", ret_version, err);
    if (!r)
        r = db_value(db, &objects, &found, err, "SELECT count(*) FROM sqlite_schema", "");
    if (r)
        return r;
    if (id != DB_APPLICATION_ID && (objects || id || *ret_version))
        return err_set(err, EINVAL, "%s: an SQLite database, but not one of wcr", db->path);
    if (*ret_version > db->schema->version)
        return err_set(err, ENOTSUP,
                       "%s: written by a newer wcr (schema %lld; this one knows up to %d): use "
                       "that wcr, or another file",
                       db->path, (long long)*ret_version, db->schema->version);
    if (*ret_version < 0)
        return err_set(err, EINVAL, "%s: its schema number, %lld, is none of wcr's", db->path,
                       (long long)*ret_version);
    return 0;
}

static int run_script(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db, NULL, err);
}

/* Foreign keys are off meanwhile, so that a migration can make a table anew. */
static int check_references(struct db *db, struct err *err)
{
    bool broken;
    int64_t n;
    int r = db_value(db, &n, &broken, err, "SELECT rowid FROM pragma_foreign_key_check", "");

    return !r && broken ? err_set(err, EINVAL, "%s: rows refer to others that are not there", db->path)
                        : r;
}

static int migrate(struct db *db, struct err *err)
{
    int64_t version;
    char sql[96];
    int r;

    r = db_begin(db, err);
    if (r)
        return r;
    /* Another process may have done it while we waited. */
    r = check_ours(db, &version, err);
    for (; !r && version < db->schema->version; version++) {
        r = run_script(db, db->schema->migrations[version], err);
        snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 DB_APPLICATION_ID, (int)version + 1);
        if (!r)
            r = run_script(db, sql, err);
        if (!r)
            r = check_references(db, err);
        if (r)
            err_prefix(err, "migrating to schema %d", (int)version + 1);
    }
    return db_end(db, r, err);
}

static int connect_file(struct db *db, const char *name, int flags, struct err *err)
{
    int rc = sqlite3_open_v2(name, &db->sql, flags, NULL);

    if (!db->sql)
        return err_set(err, ENOMEM, "out of memory");
    if (rc != SQLITE_OK)
        return db_fail(db, NULL, err);
    sqlite3_extended_result_codes(db->sql, 0);
    sqlite3_busy_timeout(db->sql, db_busy_ms);
    /*
     * A file from elsewhere may hold any view or trigger. All they can call is SQLite's
     * own functions and ours, which have no effects. (An untrusted schema could not use
     * JSON functions in SQLite 3.40.)
     */
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return add_functions(db, err);
}

static int open_write(struct db *db, struct err *err)
{
    int64_t version;
    int r;

    r = connect_file(db, db->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (r)
        return r;
    if (sqlite3_db_readonly(db->sql, "main") == 1)
        return err_set(err, EROFS, "%s: cannot be written: the file or its file system is read-only",
                       db->path);
    r = check_ours(db, &version, err);
    if (r)
        return r;
    /* FULL: what was reported as recorded survives a loss of power, too. */
    r = run_script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err);
    if (!r && version < db->schema->version)
        r = migrate(db, err);
    return r ? r : run_script(db, "PRAGMA foreign_keys = ON", err);
}

int db_copy(struct db *from, struct db *to, const char *schema, struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->sql, schema, from->sql, "main");
    int rc;

    if (!backup)
        return db_fail(to, NULL, err);
    rc = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    /* The error is the target's, whichever of both failed. */
    return rc == SQLITE_DONE ? 0 : db_fail(to, from->path, err);
}

/* An old schema is brought up to date in memory; the file stays as it is. */
static int copy_to_memory(struct db *db, struct err *err)
{
    struct db memory = {.path = db->path, .schema = db->schema};
    int r;

    r = connect_file(&memory, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (!r)
        r = db_copy(db, &memory, "main", err);
    if (!r)
        r = migrate(&memory, err);
    if (r) {
        sqlite3_close(memory.sql);
        return r;
    }
    sqlite3_close(db->sql);
    db->sql = memory.sql;
    return 0;
}

/* Percent-encode what a file: URI treats as special. */
static char *immutable_uri(const char *path)
{
    size_t len = strlen(path);
    char *uri = malloc(len * 3 + 32), *p = uri;

    if (!uri)
        return NULL;
    p += sprintf(p, "file:");
    for (const char *c = path; *c; c++)
        p += *c == '%' || *c == '?' || *c == '#' ? sprintf(p, "%%%02X", (unsigned char)*c)
                                                 : sprintf(p, "%c", *c);
    sprintf(p, "?immutable=1");
    return uri;
}

/* How SQLite fails where it may not write beside a file, or neither there nor into it. */
static bool is_unwritable(const struct db *db)
{
    int rc = sqlite3_errcode(db->sql);

    return rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY;
}

/*
 * A reader of a WAL database writes an index beside it. Where it may not, and no
 * log is left behind, the file is complete by itself.
 */
static int reopen_immutable(struct db *db, struct err *err)
{
    struct stat st;
    char *uri, *wal;
    bool has_log;
    int r;

    if (asprintf(&wal, "%s-wal", db->path) < 0)
        return err_set(err, ENOMEM, "out of memory");
    has_log = !stat(wal, &st) && st.st_size > 0;
    free(wal);
    if (has_log)
        return err_set(err, EROFS,
                       "%s: was not closed properly, and its directory cannot be written: copy it "
                       "together with %s-wal to a place that can",
                       db->path, db->path);
    uri = immutable_uri(db->path);
    if (!uri)
        return err_set(err, ENOMEM, "out of memory");
    sqlite3_close(db->sql);
    db->sql = NULL;
    r = connect_file(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    free(uri);
    return r;
}

static int open_read(struct db *db, struct err *err)
{
    struct err first = {0};
    int64_t version;
    int r;

    /* Of a WAL database, only who might write takes away what it needed beside it. */
    r = connect_file(db, db->path, SQLITE_OPEN_READWRITE, err);
    if (!r)
        r = run_script(db, "PRAGMA query_only = ON", err);
    if (r)
        return r;
    r = check_ours(db, &version, &first);
    if (r && is_unwritable(db)) {
        r = reopen_immutable(db, &first);
        if (!r)
            r = check_ours(db, &version, &first);
    }
    if (r) {
        if (err)
            *err = first;
        return r;
    }
    if (!version)
        return err_set(err, ENOENT, "%s: empty; 'wcr run SPEC --db %s' records a campaign", db->path,
                       db->path);
    return version < db->schema->version ? copy_to_memory(db, err) : 0;
}

static int check_file(const char *path, enum db_access access, struct err *err)
{
    struct stat st;

    if (!*path)
        return err_set(err, EINVAL, "the database's name is empty");
    if (stat(path, &st)) {
        if (errno != ENOENT)
            return err_set(err, errno, "%s: %s", path, strerror(errno));
        if (access == DB_READ)
            return err_set(err, ENOENT, "%s: no such file; 'wcr run SPEC --db %s' makes it", path,
                           path);
        return 0;
    }
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "%s: not a file", path);
    return 0;
}

/* SQLite only says that it cannot open; the usual reason is a directory that is not there. */
static int explain_create(const char *path, int r, struct err *err)
{
    char *slash, *dir;
    struct stat st;

    if (!stat(path, &st))
        return r;
    dir = strdup(path);
    slash = dir ? strrchr(dir, '/') : NULL;
    if (slash && slash != dir) {
        *slash = '\0';
        if (stat(dir, &st) || !S_ISDIR(st.st_mode))
            r = err_set(err, ENOENT, "%s: cannot be made: there is no directory %s", path, dir);
    }
    free(dir);
    return r;
}

int db_open(const char *path, enum db_access access, struct db **ret, struct err *err)
{
    return db_open_schema(path, access, &db_schema, ret, err);
}

int db_open_schema(const char *path, enum db_access access, const struct db_schema *schema,
                   struct db **ret, struct err *err)
{
    struct db *db;
    int r;

    *ret = NULL;
    r = check_file(path, access, err);
    if (r)
        return r;
    db = calloc(1, sizeof(*db));
    if (db)
        db->claim_fd = -1;
    if (db)
        db->path = strdup(path);
    if (!db || !db->path) {
        free(db);
        return err_set(err, ENOMEM, "out of memory");
    }
    db->schema = schema;
    r = access == DB_WRITE ? open_write(db, err) : open_read(db, err);
    if (r) {
        db_close(db);
        return access == DB_WRITE ? explain_create(path, r, err) : r;
    }
    *ret = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    sqlite3_close(db->sql);
    /* Not before: closing it drops SQLite's locks on the file, too. */
    if (db->claim_fd >= 0)
        close(db->claim_fd);
    free(db->path);
    free(db);
}

sqlite3 *db_handle(struct db *db)
{
    return db->sql;
}

const char *db_path(const struct db *db)
{
    return db->path;
}
