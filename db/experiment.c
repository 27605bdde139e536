// SPDX-License-Identifier: GPL-2.0-or-later
#include "db/experiment.h"

#include "db/private.h"

int db_experiment_begin(struct db *db, const char *experiment, const char *disk,
                        const char *facts_json, int64_t *ret_run, struct err *err)
{
    int r = db_begin(db, err);

    if (r)
        return r;
    r = db_exec(db, err, "INSERT INTO experiment_run (experiment, disk, facts_json) VALUES (?, ?, ?)",
                "ttt", experiment, disk, facts_json);
    *ret_run = sqlite3_last_insert_rowid(db->sql);
    return db_end(db, r, err);
}

int db_experiment_put(struct db *db, int64_t run, const struct db_experiment_value *values,
                      size_t len, struct err *err)
{
    int r = db_begin(db, err);

    if (r)
        return r;
    for (size_t i = 0; i < len && !r; i++)
        r = db_exec(db, err, "INSERT INTO experiment_value VALUES (?, ?, ?, ?, ?, ?)", "ittidt", run,
                    values[i].configuration, values[i].metric, values[i].ordinal, values[i].value,
                    values[i].unit);
    return db_end(db, r, err);
}

int db_experiment_finish(struct db *db, int64_t run, struct err *err)
{
    int r = db_begin(db, err);

    if (r)
        return r;
    r = db_exec(db, err, "UPDATE experiment_run SET finished_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') "
                "WHERE run_id = ?", "i", run);
    return db_end(db, r, err);
}
