// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/yaml_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/share.h"

#define FILE_MAX (1u << 20)

int yaml_fail(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *fmt, ...)
{
    char text[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(rd->err, EINVAL, "%s:%zu: %s%s%s", rd->path, node->start_mark.line + 1, at->text,
                   *at->text ? ": " : "", text);
}

struct yaml_place yaml_key(const struct yaml_place *at, const char *key)
{
    struct yaml_place p;

    snprintf(p.text, sizeof(p.text), "%.60s%s%.30s", at->text, *at->text ? "." : "", key);
    return p;
}

struct yaml_place yaml_item(const struct yaml_place *at, unsigned n)
{
    struct yaml_place p;

    snprintf(p.text, sizeof(p.text), "%.80s[%u]", at->text, n);
    return p;
}

/* ---- values --------------------------------------------------------- */

static int expected_other(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                          const char *expected)
{
    static const char *const kinds[] = {
        [YAML_NO_NODE] = "nothing", [YAML_SCALAR_NODE] = "a single value", [YAML_SEQUENCE_NODE] = "a list",
        [YAML_MAPPING_NODE] = "a mapping",
    };

    return yaml_fail(rd, node, at, "expected %s, found %s", expected, kinds[node->type]);
}

int yaml_scalar(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *expected,
                const char **ret)
{
    *ret = NULL;
    if (node->type != YAML_SCALAR_NODE)
        return expected_other(rd, node, at, expected);
    if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
        return yaml_fail(rd, node, at, "expected %s, found a text with a zero byte", expected);
    *ret = (const char *)node->data.scalar.value;
    return 0;
}

static int number(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                  const struct yaml_field *field, uint64_t *ret)
{
    const char *text;
    uint64_t value;
    char *end;
    int r = yaml_scalar(rd, node, at, "a whole number", &text);

    if (r)
        return r;
    errno = 0;
    value = strtoull(text, &end, 0);
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || end == text || *end || *text < '0' || *text > '9')
        return yaml_fail(rd, node, at, "expected a whole number, found '%.40s'", text);
    if (errno == ERANGE || value < field->min || value > field->max)
        return yaml_fail(rd, node, at, "%.40s is out of range (%" PRIu64 " to %" PRIu64 ")", text, field->min,
                         field->max);
    *ret = value;
    return 0;
}

static int range(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                 const struct yaml_field *field, uint64_t ret[2])
{
    int r = 0;

    if (node->type != YAML_SEQUENCE_NODE) {
        r = number(rd, node, at, field, &ret[0]);
        ret[1] = ret[0];
        return r;
    }
    if (node->data.sequence.items.top - node->data.sequence.items.start != 2)
        return yaml_fail(rd, node, at, "expected a number or [lowest, highest]");
    for (unsigned i = 0; i < 2 && !r; i++) {
        struct yaml_place p = yaml_item(at, i);

        r = number(rd, yaml_document_get_node(&rd->doc, node->data.sequence.items.start[i]), &p, field, &ret[i]);
    }
    if (!r && ret[0] > ret[1])
        return yaml_fail(rd, node, at, "the lowest value is above the highest");
    return r;
}

YAML_READER(yaml_read_u32)
{
    uint64_t value;
    int r = number(rd, node, at, field, &value);

    if (!r)
        *(unsigned *)to = (unsigned)value;
    return r;
}

YAML_READER(yaml_read_u64)
{
    return number(rd, node, at, field, to);
}

YAML_READER(yaml_read_u32_range)
{
    unsigned *pair = to;
    uint64_t v[2];
    int r = range(rd, node, at, field, v);

    if (!r) {
        pair[0] = (unsigned)v[0];
        pair[1] = (unsigned)v[1];
    }
    return r;
}

YAML_READER(yaml_read_u64_range)
{
    return range(rd, node, at, field, to);
}

YAML_READER(yaml_read_share)
{
    const char *text;
    int r = yaml_scalar(rd, node, at, "a share", &text);

    (void)field;
    if (!r && !share_parse(text, to))
        r = yaml_fail(rd, node, at, "expected a share from 0 to 1, as 0.05 or 5%%, found '%.40s'", text);
    return r;
}

YAML_READER(yaml_read_bool)
{
    const char *text;
    int r = yaml_scalar(rd, node, at, "true or false", &text);

    (void)field;
    if (r)
        return r;
    if (strcmp(text, "true") && strcmp(text, "false"))
        return yaml_fail(rd, node, at, "expected true or false, found '%.40s'", text);
    *(bool *)to = !strcmp(text, "true");
    return 0;
}

YAML_READER(yaml_read_string)
{
    const char *text;
    int r = yaml_scalar(rd, node, at, "a string", &text);

    if (!r && strlen(text) >= field->max)
        r = yaml_fail(rd, node, at, "longer than %" PRIu64 " characters", field->max - 1);
    if (!r && field->check)
        r = field->check(rd, node, at, text);
    if (!r)
        strcpy(to, text);
    return r;
}

YAML_READER(yaml_read_map)
{
    return yaml_fields(rd, node, at, field->fields, to);
}

/* ---- lists and mappings --------------------------------------------- */

int yaml_each_item(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *expected,
                   int (*fn)(struct yaml_reader *rd, const yaml_node_t *item, const struct yaml_place *at, void *ctx),
                   void *ctx)
{
    int r = 0;

    if (node->type != YAML_SEQUENCE_NODE)
        return expected_other(rd, node, at, expected);
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top && !r; i++) {
        struct yaml_place p = yaml_item(at, (unsigned)(i - node->data.sequence.items.start));

        r = fn(rd, yaml_document_get_node(&rd->doc, *i), &p, ctx);
    }
    return r;
}

int yaml_each_pair(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, const char *expected,
                   int (*fn)(struct yaml_reader *rd, const yaml_node_t *key, const char *name,
                             const yaml_node_t *value, const struct yaml_place *at, void *ctx), void *ctx)
{
    yaml_node_pair_t *start;
    int r = 0;

    if (node->type != YAML_MAPPING_NODE)
        return expected_other(rd, node, at, expected);
    start = node->data.mapping.pairs.start;
    for (yaml_node_pair_t *i = start; i < node->data.mapping.pairs.top && !r; i++) {
        const yaml_node_t *key = yaml_document_get_node(&rd->doc, i->key);
        struct yaml_place p;
        const char *name;

        r = yaml_scalar(rd, key, at, "a key", &name);
        if (r)
            return r;
        p = yaml_key(at, name);
        for (yaml_node_pair_t *j = start; j < i; j++)
            if (!strcmp(name, (const char *)yaml_document_get_node(&rd->doc, j->key)->data.scalar.value))
                return yaml_fail(rd, key, &p, "given twice");
        r = fn(rd, key, name, yaml_document_get_node(&rd->doc, i->value), &p, ctx);
    }
    return r;
}

struct filling {
    const struct yaml_field *fields;
    void *base;
    uint64_t seen;      /* bit by bit, of the fields */
};

static int fill(struct yaml_reader *rd, const yaml_node_t *key, const char *name, const yaml_node_t *value,
                const struct yaml_place *at, void *ctx)
{
    struct filling *f = ctx;
    const struct yaml_field *i = f->fields;
    char known[400] = "";

    while (i->key && strcmp(i->key, name))
        i++;
    if (i->key) {
        f->seen |= 1ULL << (i - f->fields);
        return i->read(rd, value, at, i, (char *)f->base + i->offset);
    }
    for (i = f->fields; i->key; i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", *known ? ", " : "", i->key);
    return yaml_fail(rd, key, at, "unknown key (known: %s)", known);
}

int yaml_fields(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                const struct yaml_field *fields, void *base)
{
    struct filling f = {.fields = fields, .base = base};
    int r = yaml_each_pair(rd, node, at, "a mapping", fill, &f);

    for (const struct yaml_field *i = fields; i->key && !r; i++)
        if (i->needed && !(f.seen & 1ULL << (i - fields)))
            r = yaml_fail(rd, node, at, "'%s' is missing", i->key);
    return r;
}

/* ---- files ---------------------------------------------------------- */

static int no_yaml(const yaml_parser_t *p, const char *path, struct err *err)
{
    const yaml_mark_t *mark = p->problem_mark.line ? &p->problem_mark : &p->context_mark;

    if (p->error == YAML_MEMORY_ERROR)
        return err_set(err, ENOMEM, "out of memory");
    return err_set(err, EINVAL, "%s:%zu: not YAML: %s%s%s", path, mark->line + 1,
                   p->problem ? p->problem : "unreadable", p->context ? ", " : "", p->context ? p->context : "");
}

static int no_more(const char *path, yaml_parser_t *parser, struct err *err)
{
    yaml_document_t second;
    int r = 0;

    if (!yaml_parser_load(parser, &second))
        return no_yaml(parser, path, err);
    if (yaml_document_get_root_node(&second))
        r = err_set(err, EINVAL, "%s:%zu: a second document: one a file", path, second.start_mark.line + 1);
    yaml_document_delete(&second);
    return r;
}

int yaml_file_parse(const char *path, const char *text, size_t len, const struct yaml_field *fields, void *base,
                    struct err *err)
{
    struct yaml_reader rd = {.path = path, .err = err};
    const struct yaml_place top = {""};
    const yaml_node_t *root;
    yaml_parser_t parser;
    int r;

    if (!yaml_parser_initialize(&parser))
        return err_set(err, ENOMEM, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &rd.doc)) {
        r = no_yaml(&parser, path, err);
    } else {
        root = yaml_document_get_root_node(&rd.doc);
        r = root ? yaml_fields(&rd, root, &top, fields, base) : err_set(err, EINVAL, "%s:1: the file is empty", path);
        yaml_document_delete(&rd.doc);
        if (!r)
            r = no_more(path, &parser, err);
    }
    yaml_parser_delete(&parser);
    return r;
}

int yaml_file_text(const char *path, char **ret, size_t *ret_len, struct err *err)
{
    FILE *f = fopen(path, "re");
    char *text = f ? calloc(1, FILE_MAX + 1) : NULL;
    size_t len;
    int r = 0;

    if (!f)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    len = text ? fread(text, 1, FILE_MAX + 1, f) : 0;
    if (!text)
        r = err_set(err, ENOMEM, "out of memory");
    else if (ferror(f))
        r = err_set(err, EIO, "%s: cannot read: %s", path, strerror(errno));
    else if (len > FILE_MAX)
        r = err_set(err, EINVAL, "%s: larger than %u bytes", path, FILE_MAX);
    else if (strlen(text) != len)
        r = err_set(err, EINVAL, "%s: not a text file", path);
    fclose(f);
    if (r)
        free(text);
    *ret = r ? NULL : text;
    *ret_len = len;
    return r;
}
