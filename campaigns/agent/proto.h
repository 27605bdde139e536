/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's side of campaigns/protocol.md: lines in, requests out of them, and the
 * parameters of a request with their limits checked.
 */
#ifndef WCR_AGENT_PROTO_H
#define WCR_AGENT_PROTO_H

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define PROTO_LINE_MAX 4194304   /* the blocks of a whole kernel fit */
#define PROTO_DEPTH_MAX 32
#define PROTO_REFUSED ESTALE

/* Bytes from the port, cut into lines. A line that is too long is dropped whole. */
struct proto_reader {
    char buf[PROTO_LINE_MAX];
    size_t len;
    bool overlong;          /* inside a line that did not fit */
};

/*
 * Where to put more bytes, and how many fit (never 0). Then tell how many came and take
 * lines until there is none.
 */
char *proto_reader_room(struct proto_reader *r, size_t *ret_room);
void proto_reader_added(struct proto_reader *r, size_t n);

/*
 * The next complete line without its end, copied to @line (PROTO_LINE_MAX bytes).
 * 1: a line. 0: none. -E2BIG: too long, -EILSEQ: it holds a NUL; it was dropped.
 */
int proto_reader_line(struct proto_reader *r, char *line);

struct request {
    json_t *json;           /* the object */
    json_int_t id;          /* -1: not readable from a bad request */
    const char *cmd;
};

/* Takes any bytes. On error ret->id is set when it could be read. */
int request_parse(const char *line, struct request *ret, struct err *err);
void request_done(struct request *r);

/* Parameters: absent gives @fallback, wrong type or outside [lo, hi] is an error. */
int request_uint(const json_t *o, const char *name, uint64_t fallback, uint64_t lo, uint64_t hi,
                 uint64_t *ret, struct err *err);
/* As true or false; absent is false. */
int request_bool(const json_t *o, const char *name, bool *ret, struct err *err);
/* Copied; absent gives @fallback (NULL: it is required). */
int request_string(const json_t *o, const char *name, const char *fallback, char *ret, size_t size,
                   struct err *err);

/* Replies, new references. @fields (may be NULL) is consumed. */
json_t *reply_ok(json_int_t id, json_t *fields);
/*
 * An error with the code PROTO_REFUSED says "refused" too: this plan does not fit this
 * guest's memory, and another one should be drawn.
 */
json_t *reply_error(json_int_t id, const struct err *err);

#endif
