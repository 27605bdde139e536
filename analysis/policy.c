// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/policy.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/share.h"

#define POLICY_MAX_BYTES (1 << 20)

struct parser {
    const char *path;
    yaml_document_t document;
    struct policy *policy;
};

static int fail_at(const struct parser *p, const yaml_node_t *node, struct err *err,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int fail_at(const struct parser *p, const yaml_node_t *node, struct err *err,
                   const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(err, EINVAL, "%s:%zu: %s", p->path, node->start_mark.line + 1, text);
}

/* A scalar's text, or NULL: not a scalar, or one with NUL bytes in it. */
static const char *scalar(const yaml_node_t *node)
{
    const char *value;

    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    value = (const char *)node->data.scalar.value;
    return strlen(value) == node->data.scalar.length ? value : NULL;
}

/* ---- values ---- */

static int set_text(const struct parser *p, const yaml_node_t *value, const char *key, char *ret,
                    size_t size, const char *const *allowed, struct err *err)
{
    const char *text = scalar(value);
    char list[100] = "";

    for (size_t i = 0; allowed[i]; i++) {
        if (text && !strcmp(text, allowed[i])) {
            snprintf(ret, size, "%s", text);
            return 0;
        }
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
                 allowed[i]);
    }
    return fail_at(p, value, err, "%s: expected one of %s%s%.40s%s", key, list,
                   text ? ", not '" : "", text ? text : "", text ? "'" : "");
}

/* 0.05 or 5%, from 0 to 1. */
static int set_share(const struct parser *p, const yaml_node_t *value, const char *key, double *ret,
                     struct err *err)
{
    const char *text = scalar(value);

    if (!text || !share_parse(text, ret))
        return fail_at(p, value, err,
                       "%s: expected a share from 0 to 1, or from 0%% to 100%%%s%.40s%s", key,
                       text ? ", not '" : "", text ? text : "", text ? "'" : "");
    return 0;
}

static int set_count(const struct parser *p, const yaml_node_t *value, const char *key,
                     int64_t *ret, struct err *err)
{
    const char *text = scalar(value);
    char *end = NULL;
    long long n;

    errno = 0;
    n = text && *text ? strtoll(text, &end, 10) : -1;
    if (!end || *end || errno || n < 0 || n > 1000000000)
        return fail_at(p, value, err, "%s: expected a number from 0 to 1000000000%s%.40s%s", key,
                       text ? ", not '" : "", text ? text : "", text ? "'" : "");
    *ret = n;
    return 0;
}

/*
 * The upper bound of a rate is never 0, however many trials there were: such a rule could
 * not be passed.
 */
static int set_bound(const struct parser *p, const yaml_node_t *value, const char *key, double *ret,
                     struct err *err)
{
    int r = set_share(p, value, key, ret, err);

    return r || *ret > 0 ? r
                         : fail_at(p, value, err,
                                   "%s: expected more than 0: no number of trials "
                                   "shows that a rate is 0 (max_corrupt_trials: 0 asks for none)",
                                   key);
}

/* ---- mappings ---- */

enum known { NOT_A_RULE = 1 };

/* A rule that the whole and a single class have. NOT_A_RULE: it is none. */
static int set_rule(const struct parser *p, const char *key, const yaml_node_t *value,
                    struct policy_rules *rules, struct err *err)
{
    const struct {
        const char *name;
        int64_t *count;
        double *bound, *share;
    } known[] = {
        {.name = "min_trials", .count = &rules->min_trials},
        {.name = "max_corrupt_trials", .count = &rules->max_corrupt_trials},
        {.name = "max_inconsistent_trials", .count = &rules->max_inconsistent_trials},
        {.name = "max_corrupt_rate", .bound = &rules->max_corrupt_rate},
        {.name = "max_inconsistent_rate", .bound = &rules->max_inconsistent_rate},
        {.name = "min_reuse", .share = &rules->min_reuse},
        {.name = "max_not_activated_share", .share = &rules->max_not_activated_share},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(key, known[i].name))
            return known[i].count   ? set_count(p, value, key, known[i].count, err)
                   : known[i].bound ? set_bound(p, value, key, known[i].bound, err)
                                    : set_share(p, value, key, known[i].share, err);
    return NOT_A_RULE;
}

#define RULE_NAMES                                                                                 \
    "min_trials, max_corrupt_trials, max_corrupt_rate, max_inconsistent_trials, "                  \
    "max_inconsistent_rate, min_reuse, max_not_activated_share"

typedef int (*pair_fn)(struct parser *p, const char *key, const yaml_node_t *key_node,
                       const yaml_node_t *value, void *ctx, struct err *err);

/* Each pair of a mapping; a key that is no text, or there twice, is an error. */
static int each_pair(struct parser *p, const yaml_node_t *map, pair_fn fn, void *ctx,
                     struct err *err)
{
    const yaml_node_pair_t *start = map->data.mapping.pairs.start;
    int r = 0;

    for (const yaml_node_pair_t *i = start; i < map->data.mapping.pairs.top && !r; i++) {
        const yaml_node_t *key = yaml_document_get_node(&p->document, i->key);
        const yaml_node_t *value = yaml_document_get_node(&p->document, i->value);
        const char *name = scalar(key);

        if (!name)
            return fail_at(p, key, err, "expected a name");
        for (const yaml_node_pair_t *j = start; j < i; j++)
            if (!strcmp(name, scalar(yaml_document_get_node(&p->document, j->key))))
                return fail_at(p, key, err, "%.40s is there twice", name);
        r = fn(p, name, key, value, ctx, err);
    }
    return r;
}

static void rules_init(struct policy_rules *rules)
{
    *rules = (struct policy_rules){-1, -1, -1, NAN, NAN, NAN, NAN};
}

static int class_pair(struct parser *p, const char *key, const yaml_node_t *key_node,
                      const yaml_node_t *value, void *ctx, struct err *err)
{
    int r = set_rule(p, key, value, ctx, err);

    return r == NOT_A_RULE
               ? fail_at(p, key_node, err, "%.40s: no rule of a class (known: " RULE_NAMES ")", key)
               : r;
}

static int classes_pair(struct parser *p, const char *key, const yaml_node_t *key_node,
                        const yaml_node_t *value, void *ctx, struct err *err)
{
    struct policy_class *classes, *c;

    (void)ctx;
    if (!*key || strlen(key) >= sizeof(c->name))
        return fail_at(p, key_node, err, "'%.40s': no name of a fault class", key);
    if (value->type != YAML_MAPPING_NODE)
        return fail_at(p, value, err, "classes.%s: expected rules, such as 'min_trials: 30'", key);
    classes = reallocarray(p->policy->classes, p->policy->classes_len + 1, sizeof(*classes));
    if (!classes)
        return err_set(err, ENOMEM, "out of memory");
    p->policy->classes = classes;
    c = &classes[p->policy->classes_len++];
    snprintf(c->name, sizeof(c->name), "%s", key);
    rules_init(&c->rules);
    return each_pair(p, value, class_pair, &c->rules, err);
}

static int top_pair(struct parser *p, const char *key, const yaml_node_t *key_node,
                    const yaml_node_t *value, void *ctx, struct err *err)
{
    static const char *const modes[] = {"enabled", "disabled", "cold", NULL};
    static const char *const golden[] = {"required", "optional", NULL};
    struct policy *policy = p->policy;
    char text[16];
    int r;

    (void)ctx;
    if (!strcmp(key, "mode"))
        return set_text(p, value, key, policy->mode, sizeof(policy->mode), modes, err);
    if (!strcmp(key, "confidence")) {
        r = set_share(p, value, key, &policy->confidence, err);
        if (!r && (policy->confidence < 0.5 || policy->confidence > 0.999999))
            r = fail_at(p, value, err, "confidence: expected at least 0.5 and less than 1");
        return r;
    }
    if (!strcmp(key, "golden")) {
        r = set_text(p, value, key, text, sizeof(text), golden, err);
        policy->golden_required = !r && !strcmp(text, "required");
        return r;
    }
    if (!strcmp(key, "max_error_share"))
        return set_share(p, value, key, &policy->max_error_share, err);
    if (!strcmp(key, "classes")) {
        if (value->type != YAML_MAPPING_NODE)
            return fail_at(p, value, err, "classes: expected names of fault classes with rules");
        return each_pair(p, value, classes_pair, NULL, err);
    }
    r = set_rule(p, key, value, &policy->overall, err);
    return r == NOT_A_RULE
               ? fail_at(p, key_node, err,
                         "%.40s: unknown (known: mode, confidence, golden, max_error_share, "
                         "classes, " RULE_NAMES ")",
                         key)
               : r;
}

/* ---- documents ---- */

static int yaml_failed(const char *path, const yaml_parser_t *y, struct err *err)
{
    if (y->error == YAML_MEMORY_ERROR)
        return err_set(err, ENOMEM, "out of memory");
    return err_set(err, EINVAL, "%s:%zu: not valid YAML: %s", path, y->problem_mark.line + 1,
                   y->problem ? y->problem : "unreadable");
}

static bool any_rule(const struct policy_rules *r)
{
    return r->min_trials >= 0 || r->max_corrupt_trials >= 0 || r->max_inconsistent_trials >= 0 ||
           !isnan(r->max_corrupt_rate) || !isnan(r->max_inconsistent_rate) ||
           !isnan(r->min_reuse) || !isnan(r->max_not_activated_share);
}

static int fill(struct parser *p, struct err *err)
{
    const yaml_node_t *root = yaml_document_get_root_node(&p->document);
    bool any;
    int r;

    if (!root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
        return err_set(err, EINVAL, "%s: empty: a policy needs at least one rule", p->path);
    if (root->type != YAML_MAPPING_NODE)
        return fail_at(p, root, err, "expected rules, such as 'max_corrupt_trials: 0'");
    r = each_pair(p, root, top_pair, NULL, err);
    if (r)
        return r;
    any = any_rule(&p->policy->overall) || p->policy->golden_required ||
          !isnan(p->policy->max_error_share);
    for (unsigned i = 0; i < p->policy->classes_len; i++)
        any = any || any_rule(&p->policy->classes[i].rules);
    return any ? 0 : err_set(err, EINVAL, "%s: it has no rule, so nothing could fail", p->path);
}

static int load_document(struct parser *p, yaml_parser_t *y, struct err *err)
{
    yaml_document_t second;
    int r;

    if (!yaml_parser_load(y, &p->document))
        return yaml_failed(p->path, y, err);
    r = fill(p, err);
    yaml_document_delete(&p->document);
    if (r)
        return r;
    if (!yaml_parser_load(y, &second))
        return yaml_failed(p->path, y, err);
    if (yaml_document_get_root_node(&second))
        r = err_set(err, EINVAL, "%s:%zu: a second document: one policy a file", p->path,
                    second.start_mark.line + 1);
    yaml_document_delete(&second);
    return r;
}

int policy_parse(const char *path, const char *text, size_t len, struct policy *ret,
                 struct err *err)
{
    struct parser p = {.path = path, .policy = ret};
    yaml_parser_t y;
    int r;

    *ret = (struct policy){.mode = "enabled", .confidence = 0.95, .max_error_share = NAN};
    rules_init(&ret->overall);
    if (!yaml_parser_initialize(&y))
        return err_set(err, ENOMEM, "out of memory");
    yaml_parser_set_input_string(&y, (const unsigned char *)text, len);
    r = load_document(&p, &y, err);
    yaml_parser_delete(&y);
    if (r)
        policy_done(ret);
    return r;
}

int policy_load(const char *path, struct policy *ret, struct err *err)
{
    FILE *f = fopen(path, "re");
    char *text;
    size_t len;
    int r;

    if (!f)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    text = malloc(POLICY_MAX_BYTES + 1);
    if (!text) {
        fclose(f);
        return err_set(err, ENOMEM, "out of memory");
    }
    len = fread(text, 1, POLICY_MAX_BYTES + 1, f);
    if (ferror(f))
        r = err_set(err, errno, "%s: %s", path, strerror(errno));
    else if (len > POLICY_MAX_BYTES)
        r = err_set(err, EFBIG, "%s: too large for a policy", path);
    else
        r = policy_parse(path, text, len, ret, err);
    free(text);
    fclose(f);
    return r;
}

void policy_done(struct policy *policy)
{
    free(policy->classes);
    policy->classes = NULL;
    policy->classes_len = 0;
}

const struct policy_rules *policy_class_find(const struct policy *policy, const char *name)
{
    for (unsigned i = 0; i < policy->classes_len; i++)
        if (!strcmp(policy->classes[i].name, name))
            return &policy->classes[i].rules;
    return NULL;
}
