/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of ours in YAML. A table says which keys a mapping has, of what type, in what range, and where
 * the value goes; whatever is in no table is an error. Messages name file, line and place:
 *
 *   quick.yaml:12: classes[2].class: unknown fault class 'FOO' (known: ...)
 *
 * All functions return 0 or -errno.
 */
#ifndef WCR_LIB_YAML_FILE_H
#define WCR_LIB_YAML_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "lib/err.h"

struct yaml_reader {
    const char *path;
    yaml_document_t doc;
    struct err *err;
};

/* The place of a value: "classes[2].class". */
struct yaml_place {
    char text[96];
};

/* One key of a mapping. A table ends with a NULL key, and has at most 64. */
struct yaml_field {
    const char *key;
    int (*read)(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                const struct yaml_field *field, void *to);
    size_t offset;          /* of what read() fills in the structure */
    bool needed;
    uint64_t min, max;      /* numbers: the range; strings: max is the buffer's size */
    int (*check)(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                 const char *value);
    const struct yaml_field *fields;    /* of a mapping */
};

/* The one document of a text, a mapping, goes to @base. @path is used in messages only. */
int yaml_file_parse(const char *path, const char *text, size_t len, const struct yaml_field *fields, void *base,
                    struct err *err) __attribute__((warn_unused_result));

/* A file's text, the caller's to free. */
int yaml_file_text(const char *path, char **ret, size_t *ret_len, struct err *err)
    __attribute__((warn_unused_result));

/* For tables. Strings and ranges need room for what they read: char[max], two adjacent members. */
#define YAML_READER(name)                                                                          \
    int name(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,         \
             const struct yaml_field *field, void *to)
YAML_READER(yaml_read_u32);
YAML_READER(yaml_read_u64);
YAML_READER(yaml_read_u32_range);   /* one number, or [lowest, highest] */
YAML_READER(yaml_read_u64_range);
YAML_READER(yaml_read_share);       /* 0.05 or 5%, from 0 to 1: a double */
YAML_READER(yaml_read_bool);
YAML_READER(yaml_read_string);
YAML_READER(yaml_read_map);         /* @fields, relative to the member */

/* For readers of one's own. */
int yaml_fail(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
struct yaml_place yaml_key(const struct yaml_place *at, const char *key);
struct yaml_place yaml_item(const struct yaml_place *at, unsigned n);
/* @expected: in words, for the message. *ret belongs to the document. */
int yaml_scalar(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *expected,
                const char **ret);
int yaml_fields(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                const struct yaml_field *fields, void *base);

/* Each item of a list, each pair of a mapping; a key that is there twice is an error. */
int yaml_each_item(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *expected,
                   int (*fn)(struct yaml_reader *rd, const yaml_node_t *item, const struct yaml_place *at, void *ctx),
                   void *ctx);
int yaml_each_pair(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *expected,
                   int (*fn)(struct yaml_reader *rd, const yaml_node_t *key, const char *name,
                             const yaml_node_t *value, const struct yaml_place *at, void *ctx), void *ctx);

#endif
