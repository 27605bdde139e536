// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of db/schema/, as they are. */
#include "db/private.h"
#include "lib/embed.h"

EMBED(db_schema_0001, "db/schema/0001.sql");
EMBED(db_schema_0002, "db/schema/0002.sql");

static const char *const migrations[] = {
    db_schema_0001,
    db_schema_0002,
};

const struct db_schema db_schema = {migrations, sizeof(migrations) / sizeof(migrations[0])};
