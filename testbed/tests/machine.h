/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One testbed for all tests of a program: a machine with a warm guest, saved as "warm".
 * Whatever fails here fails the test that runs, with the testbed's own message.
 */
#ifndef WCR_TESTBED_TESTS_MACHINE_H
#define WCR_TESTBED_TESTS_MACHINE_H

#include <jansson.h>
#include <stdint.h>

#include "testbed/testbed.h"

extern struct testbed_config machine_config;
extern struct testbed *machine;

/* Boot, start a guest with @files of @blocks, save. For group setups: 0 or -1. */
int machine_up(int files, int blocks);
/* The group's teardown. */
int machine_down(void **state);
/* A test's setup: back to "warm". */
int machine_from_warm(void **state);

void machine_restore(const char *name);
void machine_save(const char *name);

/*
 * A request in jansson's pack format, which must fail with @expect if that is not 0.
 * The reply is the caller's.
 */
json_t *machine_call(int expect, const char *fmt, ...);

/* A field of a reply; "" where there is no such text. */
const char *machine_text(const json_t *reply, const char *name);
int64_t machine_number(const json_t *reply, const char *name);

#endif
