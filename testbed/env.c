// SPDX-License-Identifier: GPL-2.0-or-later
#include "testbed/env.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct env_pair {
    char *name, *value;
};

struct env_file {
    char *path;
    struct env_pair *pairs;
    unsigned len;
};

void env_file_free(struct env_file *env)
{
    if (!env)
        return;
    for (unsigned i = 0; i < env->len; i++) {
        free(env->pairs[i].name);
        free(env->pairs[i].value);
    }
    free(env->pairs);
    free(env->path);
    free(env);
}

static char *trim(char *s)
{
    char *end;

    while (isspace((unsigned char)*s))
        s++;
    end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return s;
}

/* NAME=VALUE; the two are returned as pointers into @line. */
static int parse_pair(char *line, char **ret_name, char **ret_value)
{
    char *eq = strchr(line, '='), *name, *value;
    size_t len;

    if (!eq)
        return -EINVAL;
    *eq = '\0';
    name = trim(line);
    value = trim(eq + 1);
    if (!*name || isdigit((unsigned char)*name))
        return -EINVAL;
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return -EINVAL;
    len = strlen(value);
    if (*value == '"' || *value == '\'') {
        if (len < 2 || value[len - 1] != *value)
            return -EINVAL;
        value[len - 1] = '\0';
        value++;
    }
    *ret_name = name;
    *ret_value = value;
    return 0;
}

static int env_file_add(struct env_file *env, const char *name, const char *value)
{
    struct env_pair *pairs = reallocarray(env->pairs, env->len + 1, sizeof(*pairs));

    if (!pairs)
        return -ENOMEM;
    env->pairs = pairs;
    pairs += env->len;
    pairs->name = strdup(name);
    pairs->value = strdup(value);
    env->len++;
    return pairs->name && pairs->value ? 0 : -ENOMEM;
}

int env_file_load(const char *path, struct env_file **ret, struct err *err)
{
    struct env_file *env = NULL;
    unsigned number = 0;
    char *line = NULL;
    size_t size = 0;
    FILE *f;
    int r;

    f = fopen(path, "re");
    if (!f)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    env = calloc(1, sizeof(*env));
    if (!env || !(env->path = strdup(path))) {
        r = err_set(err, ENOMEM, "%s: out of memory", path);
        goto out;
    }
    while (getline(&line, &size, f) >= 0) {
        char *s = trim(line), *name, *value;

        number++;
        if (!*s || *s == '#')
            continue;
        if (parse_pair(s, &name, &value)) {
            r = err_set(err, EINVAL, "%s:%u: expected NAME=VALUE", path, number);
            goto out;
        }
        r = env_file_add(env, name, value);
        if (r) {
            err_set(err, -r, "%s: out of memory", path);
            goto out;
        }
    }
    r = ferror(f) ? err_set(err, EIO, "%s: cannot read", path) : 0;
out:
    free(line);
    fclose(f);
    if (r)
        env_file_free(env);
    else
        *ret = env;
    return r;
}

const char *env_file_get(const struct env_file *env, const char *name)
{
    /* The last one counts, as in a shell. */
    for (unsigned i = env->len; i-- > 0;)
        if (!strcmp(env->pairs[i].name, name))
            return env->pairs[i].value;
    return NULL;
}

int env_file_need(const struct env_file *env, const char *name, const char **ret, struct err *err)
{
    const char *value = env_file_get(env, name);

    if (!value || !*value)
        return err_set(err, ENOENT, "%s: %s is not set; run 'make testbed'", env->path, name);
    *ret = value;
    return 0;
}

const char *env_file_name(const struct env_file *env, unsigned n, const char **value)
{
    if (n >= env->len)
        return NULL;
    if (value)
        *value = env->pairs[n].value;
    return env->pairs[n].name;
}

const char *env_file_path(const struct env_file *env)
{
    return env->path;
}
