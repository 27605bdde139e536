// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/policy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/yaml_file.h"

/* ---- values ---- */

/*
 * The upper bound of a rate is never 0, however many trials there were: such a rule could
 * not be passed.
 */
static YAML_READER(read_bound)
{
    int r = yaml_read_share(rd, node, at, field, to);

    if (!r && *(double *)to == 0)
        r = yaml_fail(rd, node, at, "expected more than 0: no number of trials shows that a rate is 0 "
                      "(max_corrupt_trials: 0 asks for none)");
    return r;
}

static YAML_READER(read_confidence)
{
    int r = yaml_read_share(rd, node, at, field, to);

    if (!r && (*(double *)to < 0.5 || *(double *)to > 0.999999))
        r = yaml_fail(rd, node, at, "expected at least 0.5 and less than 1");
    return r;
}

static int check_mode(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                      const char *value)
{
    if (!strcmp(value, "enabled") || !strcmp(value, "disabled") || !strcmp(value, "cold"))
        return 0;
    return yaml_fail(rd, node, at, "expected one of enabled, disabled, cold, found '%.40s'", value);
}

static YAML_READER(read_golden)
{
    bool *required = to;
    const char *text;
    int r = yaml_scalar(rd, node, at, "required or optional", &text);

    (void)field;
    if (r)
        return r;
    *required = !strcmp(text, "required");
    if (!*required && strcmp(text, "optional"))
        return yaml_fail(rd, node, at, "expected required or optional, found '%.40s'", text);
    return 0;
}

/* ---- mappings ---- */

/* What the whole has, and a single class; @of is where in the structure. */
#define RULE(structure, of, name, read)                                                            \
    {#name, read, offsetof(structure, of name), false, 0, 1000000000, NULL, NULL}
#define RULES(structure, of)                                                                       \
    RULE(structure, of, min_trials, yaml_read_u64),                                                \
    RULE(structure, of, max_corrupt_trials, yaml_read_u64),                                        \
    RULE(structure, of, max_corrupt_rate, read_bound),                                             \
    RULE(structure, of, max_inconsistent_trials, yaml_read_u64),                                   \
    RULE(structure, of, max_inconsistent_rate, read_bound),                                        \
    RULE(structure, of, min_reuse, yaml_read_share),                                               \
    RULE(structure, of, max_not_activated_share, yaml_read_share)

static void rules_init(struct policy_rules *rules)
{
    *rules = (struct policy_rules){-1, -1, -1, NAN, NAN, NAN, NAN};
}

static int add_class(struct yaml_reader *rd, const yaml_node_t *key, const char *name, const yaml_node_t *value,
                     const struct yaml_place *at, void *ctx)
{
    static const struct yaml_field fields[] = {RULES(struct policy_rules, ), {0}};
    struct policy *policy = ctx;
    struct policy_class *classes, *c;

    if (!*name || strlen(name) >= sizeof(c->name))
        return yaml_fail(rd, key, at, "no name of a fault class");
    classes = reallocarray(policy->classes, policy->classes_len + 1, sizeof(*classes));
    if (!classes)
        return err_set(rd->err, ENOMEM, "out of memory");
    policy->classes = classes;
    c = &classes[policy->classes_len++];
    snprintf(c->name, sizeof(c->name), "%s", name);
    rules_init(&c->rules);
    return yaml_fields(rd, value, at, fields, &c->rules);
}

static YAML_READER(read_classes)
{
    (void)field;
    return yaml_each_pair(rd, node, at, "names of fault classes with rules", add_class, to);
}

static const struct yaml_field policy_fields[] = {
    {"mode", yaml_read_string, offsetof(struct policy, mode), false, 0, 16, check_mode, NULL},
    {"confidence", read_confidence, offsetof(struct policy, confidence), false, 0, 0, NULL, NULL},
    {"golden", read_golden, offsetof(struct policy, golden_required), false, 0, 0, NULL, NULL},
    {"max_error_share", yaml_read_share, offsetof(struct policy, max_error_share), false, 0, 0, NULL, NULL},
    {"classes", read_classes, 0, false, 0, 0, NULL, NULL},
    RULES(struct policy, overall.),
    {0},
};

/* ---- files ---- */

static bool any_rule(const struct policy_rules *r)
{
    return r->min_trials >= 0 || r->max_corrupt_trials >= 0 || r->max_inconsistent_trials >= 0 ||
           !isnan(r->max_corrupt_rate) || !isnan(r->max_inconsistent_rate) ||
           !isnan(r->min_reuse) || !isnan(r->max_not_activated_share);
}

static bool can_fail(const struct policy *p)
{
    bool any = any_rule(&p->overall) || p->golden_required || !isnan(p->max_error_share);

    for (unsigned i = 0; i < p->classes_len; i++)
        any = any || any_rule(&p->classes[i].rules);
    return any;
}

int policy_parse(const char *path, const char *text, size_t len, struct policy *ret,
                 struct err *err)
{
    int r;

    *ret = (struct policy){.mode = "enabled", .confidence = 0.95, .max_error_share = NAN};
    rules_init(&ret->overall);
    r = yaml_file_parse(path, text, len, policy_fields, ret, err);
    if (!r && !can_fail(ret))
        r = err_set(err, EINVAL, "%s: it has no rule, so nothing could fail", path);
    if (r)
        policy_done(ret);
    return r;
}

int policy_load(const char *path, struct policy *ret, struct err *err)
{
    char *text;
    size_t len;
    int r = yaml_file_text(path, &text, &len, err);

    if (r)
        return r;
    r = policy_parse(path, text, len, ret, err);
    free(text);
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
