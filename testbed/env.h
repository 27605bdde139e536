/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAME=VALUE files, such as build/testbed.env: one per line, '#' comments,
 * optional double or single quotes around the value, no expansion.
 */
#ifndef WCR_TESTBED_ENV_H
#define WCR_TESTBED_ENV_H

#include "lib/err.h"

struct env_file;

/* Read and parse @path. Errors: -ENOENT and others of open(); -EINVAL with file:line. */
int env_file_load(const char *path, struct env_file **ret, struct err *err);
void env_file_free(struct env_file *env);

/* The value of @name, owned by @env, or NULL. */
const char *env_file_get(const struct env_file *env, const char *name);

/* Like env_file_get, but a missing or empty value is -ENOENT naming the file. */
int env_file_need(const struct env_file *env, const char *name, const char **ret, struct err *err);

/* The n-th pair (file order); NULL past the end. */
const char *env_file_name(const struct env_file *env, unsigned n, const char **value);

/* The path it was read from. */
const char *env_file_path(const struct env_file *env);

#endif
