// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/proto.h"

#include <errno.h>
#include <string.h>

char *proto_reader_room(struct proto_reader *r, size_t *ret_room)
{
    if (r->len == sizeof(r->buf)) {
        r->len = 0;
        r->overlong = true;
    }
    *ret_room = sizeof(r->buf) - r->len;
    return r->buf + r->len;
}

void proto_reader_added(struct proto_reader *r, size_t n)
{
    r->len += n;
}

int proto_reader_line(struct proto_reader *r, char *line)
{
    char *end = memchr(r->buf, '\n', r->len);
    size_t n;
    bool dropped = r->overlong, nul = false;

    if (!end)
        return 0;
    n = (size_t)(end - r->buf);
    if (!dropped) {
        memcpy(line, r->buf, n);
        if (n && line[n - 1] == '\r')
            n--;
        line[n] = '\0';
        nul = memchr(line, '\0', n) != NULL;
    }
    r->overlong = false;
    r->len -= (size_t)(end + 1 - r->buf);
    memmove(r->buf, end + 1, r->len);
    /* A NUL would hide the rest of the line: JSON has none. */
    return dropped ? -E2BIG : nul ? -EILSEQ : 1;
}

/* jansson recurses: do not let a line of brackets choose the depth of the stack. */
static bool too_deep(const char *s)
{
    unsigned depth = 0;
    bool quoted = false;

    for (; *s; s++) {
        if (quoted) {
            if (*s == '\\' && s[1])
                s++;
            else if (*s == '"')
                quoted = false;
        } else if (*s == '"') {
            quoted = true;
        } else if (*s == '{' || *s == '[') {
            if (++depth > PROTO_DEPTH_MAX)
                return true;
        } else if ((*s == '}' || *s == ']') && depth) {
            depth--;
        }
    }
    return false;
}

int request_parse(const char *line, struct request *ret, struct err *err)
{
    json_error_t je;
    json_t *id, *cmd;

    *ret = (struct request){.id = -1};
    if (too_deep(line))
        return err_set(err, EINVAL, "request: nested deeper than %d", PROTO_DEPTH_MAX);
    ret->json = json_loads(line, JSON_REJECT_DUPLICATES, &je);
    if (!ret->json)
        return err_set(err, EINVAL, "request: not JSON: %s (column %d)", je.text, je.column);
    if (!json_is_object(ret->json)) {
        request_done(ret);
        return err_set(err, EINVAL, "request: expected an object");
    }
    id = json_object_get(ret->json, "id");
    if (json_is_integer(id) && json_integer_value(id) >= 0)
        ret->id = json_integer_value(id);
    cmd = json_object_get(ret->json, "cmd");
    if (ret->id < 0)
        err_set(err, EINVAL, "request: 'id' must be an integer, 0 or more");
    else if (!json_is_string(cmd))
        err_set(err, EINVAL, "request: 'cmd' must be a string");
    else {
        ret->cmd = json_string_value(cmd);
        return 0;
    }
    json_decref(ret->json);
    ret->json = NULL;
    return -EINVAL;
}

void request_done(struct request *r)
{
    json_decref(r->json);
    r->json = NULL;
    r->cmd = NULL;
}

int request_uint(const json_t *o, const char *name, uint64_t fallback, uint64_t lo, uint64_t hi,
                 uint64_t *ret, struct err *err)
{
    const json_t *v = json_object_get(o, name);
    uint64_t n;

    if (!v || json_is_null(v)) {
        *ret = fallback;
        return 0;
    }
    if (!json_is_integer(v))
        return err_set(err, EINVAL, "'%s': expected an integer", name);
    /* Seeds use all 64 bits; JSON as read here has signed integers. */
    n = (uint64_t)json_integer_value(v);
    if (n < lo || n > hi)
        return err_set(err, ERANGE, "'%s': %lld is not in %llu..%llu", name,
                       (long long)json_integer_value(v), (unsigned long long)lo,
                       (unsigned long long)hi);
    *ret = n;
    return 0;
}

int request_bool(const json_t *o, const char *name, bool *ret, struct err *err)
{
    const json_t *v = json_object_get(o, name);

    if (v && !json_is_null(v) && !json_is_boolean(v))
        return err_set(err, EINVAL, "'%s': expected true or false", name);
    *ret = json_is_true(v);
    return 0;
}

int request_string(const json_t *o, const char *name, const char *fallback, char *ret, size_t size,
                   struct err *err)
{
    const json_t *v = json_object_get(o, name);
    const char *s = fallback;

    if (v && !json_is_null(v)) {
        if (!json_is_string(v))
            return err_set(err, EINVAL, "'%s': expected a string", name);
        s = json_string_value(v);
    }
    if (!s)
        return err_set(err, EINVAL, "'%s' is missing", name);
    if (strlen(s) >= size)
        return err_set(err, ENAMETOOLONG, "'%s': longer than %zu bytes", name, size - 1);
    strcpy(ret, s);
    return 0;
}

static json_t *reply(json_int_t id, bool ok)
{
    json_t *r = json_object();

    json_object_set_new(r, "id", id < 0 ? json_null() : json_integer(id));
    json_object_set_new(r, "ok", json_boolean(ok));
    return r;
}

json_t *reply_ok(json_int_t id, json_t *fields)
{
    json_t *r = reply(id, true);

    if (fields) {
        json_object_update(r, fields);
        json_decref(fields);
    }
    return r;
}

json_t *reply_error(json_int_t id, const struct err *err)
{
    json_t *r = reply(id, false), *text;
    char ascii[sizeof(err->msg)];

    /* A message may quote what came in, which may not be UTF-8. */
    strcpy(ascii, err->msg[0] ? err->msg : "unknown error");
    for (char *p = ascii; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    text = json_string(err->msg[0] ? err->msg : ascii) ?: json_string(ascii);
    json_object_set_new(r, "error", text);
    if (err->code == PROTO_REFUSED)
        json_object_set_new(r, "refused", json_true());
    return r;
}
