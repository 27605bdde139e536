// SPDX-License-Identifier: GPL-2.0-or-later
/* Campaigns, environments, and what belongs to no trial. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "db/private.h"

#define HASH_SIZE 33

static void hash_text(const char *text, char ret[HASH_SIZE])
{
    XXH128_hash_t h = XXH3_128bits(text, strlen(text));

    snprintf(ret, HASH_SIZE, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
}

/* Equal values give equal texts. NULL: not JSON, or no memory. */
static char *canonical(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    char *ret = value ? json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    json_decref(value);
    return ret;
}

static json_t *child(json_t *v, const char *key, size_t i)
{
    return json_is_object(v) ? json_object_get(v, key) : json_array_get(v, i);
}

/* Where two values first differ, as "classes[2].trials". False: nowhere. */
static bool find_difference(json_t *a, json_t *b, char *path, size_t size)
{
    size_t len = strlen(path);
    const char *key;
    json_t *value;
    size_t i;

    if (json_equal(a, b))
        return false;
    if (json_is_object(a) && json_is_object(b)) {
        json_object_foreach(a, key, value) {
            snprintf(path + len, size - len, "%s%s", len ? "." : "", key);
            if (find_difference(value, child(b, key, 0), path, size))
                return true;
        }
        json_object_foreach(b, key, value) {
            snprintf(path + len, size - len, "%s%s", len ? "." : "", key);
            if (!child(a, key, 0))
                return true;
        }
    } else if (json_is_array(a) && json_array_size(a) == json_array_size(b)) {
        json_array_foreach(a, i, value) {
            snprintf(path + len, size - len, "[%zu]", i);
            if (find_difference(value, child(b, NULL, i), path, size))
                return true;
        }
    }
    path[len] = '\0';
    return true;
}

bool db_json_difference(const char *a, const char *b, char *ret_where, size_t size)
{
    json_t *x = a ? json_loads(a, JSON_DECODE_ANY, NULL) : NULL;
    json_t *y = b ? json_loads(b, JSON_DECODE_ANY, NULL) : NULL;
    bool differ;

    *ret_where = '\0';
    differ = x && y && find_difference(x, y, ret_where, size);
    json_decref(x);
    json_decref(y);
    return differ;
}

static int other_spec(struct db *db, const char *name, const char *was, const char *is,
                      struct err *err)
{
    char where[200];

    db_json_difference(was, is, where, sizeof(where));
    return err_set(err, EEXIST,
                   "%s: campaign '%s' was begun with another specification%s%s%s: its trials would "
                   "not be comparable; give the new one another name or another --db",
                   db->path, name, *where ? " ('" : "", where, *where ? "' differs)" : "");
}

static int campaign_put(struct db *db, const struct db_campaign *c, const char *json,
                        int64_t *ret_id, struct err *err)
{
    cleanup_stmt sqlite3_stmt *find = NULL;
    char hash[HASH_SIZE];
    int r;

    hash_text(json ? json : c->spec_text, hash);
    r = db_prepare(db, &find, err,
                   "SELECT campaign_id, spec_hash, spec_json FROM campaign WHERE name = ?", "t",
                   c->name);
    if (!r)
        r = db_step(db, find, err);
    if (r < 0)
        return r;
    if (r) {
        *ret_id = sqlite3_column_int64(find, 0);
        if (!strcmp((const char *)sqlite3_column_text(find, 1), hash))
            return 0;
        return other_spec(db, c->name, (const char *)sqlite3_column_text(find, 2), json, err);
    }
    r = db_exec(db, err,
                "INSERT INTO campaign (name, spec_text, spec_json, spec_hash, executor, wcr_version) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                "tttttt", c->name, c->spec_text, json, hash, c->executor, c->version);
    *ret_id = sqlite3_last_insert_rowid(db->sql);
    return r;
}

int db_campaign_open(struct db *db, const struct db_campaign *campaign, int64_t *ret_id,
                     struct err *err)
{
    char *json = NULL;
    int r;

    if (campaign->spec_json) {
        json = canonical(campaign->spec_json);
        if (!json)
            return err_set(err, EINVAL, "campaign '%s': its specification is not valid JSON",
                           campaign->name);
    }
    r = db_begin(db, err);
    if (!r)
        r = db_end(db, campaign_put(db, campaign, json, ret_id, err), err);
    free(json);
    return r;
}

static int no_such_campaign(struct db *db, const char *name, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    char list[600] = "";
    size_t len = 0;
    int r;

    r = db_prepare(db, &stmt, err, "SELECT name FROM campaign ORDER BY name", "");
    if (r)
        return r;
    while ((r = db_step(db, stmt, err)) > 0 && len < sizeof(list))
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s'%s'", len ? ", " : "",
                                (const char *)sqlite3_column_text(stmt, 0));
    if (r < 0)
        return r;
    if (!len)
        return err_set(err, ENOENT, "%s: no campaign in it; 'wcr run SPEC --db %s' records one",
                       db->path, db->path);
    if (name)
        return err_set(err, ENOENT, "%s: no campaign '%s' in it; there is %s", db->path, name, list);
    return err_set(err, ENOENT, "%s: several campaigns in it, choose with --campaign: %s", db->path,
                   list);
}

int db_campaign_find(struct db *db, const char *name, int64_t *ret_id, struct err *err)
{
    int64_t several = 0;
    bool found;
    int r;

    r = db_value(db, ret_id, &found, err,
                 "SELECT campaign_id FROM campaign WHERE name = ?1 OR ?1 IS NULL LIMIT 2", "t", name);
    if (!r && found && !name)
        r = db_value(db, &several, &found, err, "SELECT count(*) FROM campaign", "");
    if (r)
        return r;
    return found && several < 2 ? 0 : no_such_campaign(db, name, err);
}

/* Times and sizes are measured, not chosen: two workers with other times are alike. */
static bool is_measurement(const char *name, const json_t *value)
{
    static const char *const endings[] = {"_s", "_ms", "_ns", "_bytes"};
    size_t len = strlen(name);

    if (json_is_real(value))
        return true;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t e = strlen(endings[i]);

        if (json_is_number(value) && len > e && !strcmp(name + len - e, endings[i]))
            return true;
    }
    return false;
}

static int facts_put(struct db *db, int64_t environment, json_t *facts, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(facts, name, value) {
        char *text = json_is_string(value) ? strdup(json_string_value(value))
                                           : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        int r;

        if (!text)
            return err_set(err, ENOMEM, "out of memory");
        r = db_exec(db, err,
                    "INSERT INTO environment_fact (environment_id, name, value) VALUES (?, ?, ?)",
                    "itt", environment, name, text);
        free(text);
        if (r)
            return r;
    }
    return 0;
}

static int environment_put(struct db *db, int64_t campaign, json_t *facts, const char *hash,
                           const char *all, int64_t *ret_id, struct err *err)
{
    bool found;
    int r;

    r = db_value(db, ret_id, &found, err,
                 "SELECT environment_id FROM environment WHERE campaign_id = ? AND hash = ?", "it",
                 campaign, hash);
    if (!r && !found) {
        r = db_exec(db, err, "INSERT INTO environment (campaign_id, hash) VALUES (?, ?)", "it",
                    campaign, hash);
        *ret_id = sqlite3_last_insert_rowid(db->sql);
        if (!r)
            r = facts_put(db, *ret_id, facts, err);
    }
    if (!r)
        r = db_exec(db, err,
                    "INSERT INTO event (campaign_id, kind, data_json) VALUES (?, 'worker_ready', ?)",
                    "it", campaign, all);
    return r;
}

int db_environment_put(struct db *db, int64_t campaign, const char *facts_json, int64_t *ret_id,
                       struct err *err)
{
    json_t *facts = json_loads(facts_json, 0, NULL), *value;
    char hash[HASH_SIZE], *text = NULL;
    const char *name;
    void *next;
    int r;

    if (!json_is_object(facts)) {
        json_decref(facts);
        return err_set(err, EINVAL, "the facts of an environment must be a JSON object");
    }
    json_object_foreach_safe(facts, next, name, value)
        if (is_measurement(name, value))
            json_object_del(facts, name);
    text = json_dumps(facts, JSON_SORT_KEYS | JSON_COMPACT);
    if (!text) {
        json_decref(facts);
        return err_set(err, ENOMEM, "out of memory");
    }
    hash_text(text, hash);
    r = db_begin(db, err);
    if (!r)
        r = db_end(db, environment_put(db, campaign, facts, hash, facts_json, ret_id, err), err);
    free(text);
    json_decref(facts);
    return r;
}

int db_event_put(struct db *db, int64_t campaign, const struct db_event *event, struct err *err)
{
    return db_exec(db, err,
                   "INSERT INTO event (campaign_id, kind, text, data_json) SELECT ?1, ?2, ?3, ?4 "
                   "WHERE NOT EXISTS (SELECT 1 FROM event WHERE trial_id IS NULL AND "
                   "(campaign_id, kind, text, data_json) IS (?1, ?2, ?3, ?4))",
                   "ittt", campaign, event->kind, event->text, event->json);
}

int db_event_get(struct db *db, int64_t campaign, const char *kind, char **ret_json,
                 struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    int r = db_prepare(db, &stmt, err,
                       "SELECT data_json FROM event WHERE campaign_id = ? AND kind = ? "
                       "ORDER BY event_id LIMIT 1", "it", campaign, kind);

    *ret_json = NULL;
    if (r)
        return r;
    r = db_step(db, stmt, err);
    if (r != 1)
        return r;
    *ret_json = strdup((const char *)sqlite3_column_text(stmt, 0));
    return *ret_json ? 0 : err_set(err, ENOMEM, "out of memory");
}
