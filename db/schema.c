// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of db/schema/, as they are. The compiler runs in the root of the tree. */
#include "db/private.h"

#define EMBED(symbol, file)                             \
    __asm__(".pushsection .rodata\n"                    \
            ".hidden " #symbol "\n"                     \
            ".globl " #symbol "\n"                      \
            ".type " #symbol ", @object\n"              \
            #symbol ":\n"                               \
            ".incbin \"" file "\"\n"                    \
            ".byte 0\n"                                 \
            ".size " #symbol ", . - " #symbol "\n"      \
            ".popsection\n");                           \
    extern const char symbol[]

EMBED(db_schema_0001, "db/schema/0001.sql");

const char *const db_migrations[] = {
    db_schema_0001,
};

const int db_schema_version = sizeof(db_migrations) / sizeof(db_migrations[0]);
