// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of db/schema/, as they are. */
#include "db/private.h"
#include "lib/embed.h"

EMBED(db_schema_0001, "db/schema/0001.sql");

const char *const db_migrations[] = {
    db_schema_0001,
};

const int db_schema_version = sizeof(db_migrations) / sizeof(db_migrations[0]);
