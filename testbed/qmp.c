// SPDX-License-Identifier: GPL-2.0-or-later
#include "testbed/qmp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What QEMU says when it would do it a moment later, such as a snapshot while a recording's disk is at work. */
#define PUT_OFF "Try once more later"
#define RETRY_MS 20

static void qmp_event(struct qmp *q, const json_t *message)
{
    const char *name = json_string_value(json_object_get(message, "event"));

    if (name && q->event)
        q->event(q->event_ctx, name, message);
}

static int parse_greeting(struct qmp *q, const json_t *greeting, struct err *err)
{
    const json_t *v = json_object_get(json_object_get(greeting, "QMP"), "version");
    const json_t *n = json_object_get(v, "qemu");

    if (!json_is_object(n))
        return err_set(err, EPROTO, "QEMU's monitor did not greet as expected");
    snprintf(q->version, sizeof(q->version), "%d.%d.%d",
             (int)json_integer_value(json_object_get(n, "major")),
             (int)json_integer_value(json_object_get(n, "minor")),
             (int)json_integer_value(json_object_get(n, "micro")));
    return 0;
}

int qmp_open(struct qmp *q, int fd, int watch, int64_t deadline, struct err *err)
{
    json_t *greeting = NULL;
    int r;

    q->next_id = 1;
    jsonl_init(&q->line, fd, fd, watch);
    r = jsonl_recv(&q->line, deadline, &greeting, err);
    if (r)
        return r;
    r = parse_greeting(q, greeting, err);
    json_decref(greeting);
    if (r)
        return r;
    return qmp_command(q, "qmp_capabilities", NULL, deadline, NULL, err);
}

void qmp_done(struct qmp *q)
{
    jsonl_done(&q->line);
}

/* 1: the answer to @id, taken apart; 0: something else; or -errno. */
static int qmp_answer(struct qmp *q, const json_t *message, uint64_t id, const char *command,
                      json_t **ret, struct err *err)
{
    const json_t *error = json_object_get(message, "error");
    json_t *value = json_object_get(message, "return");
    const json_t *mid = json_object_get(message, "id");
    const char *text;

    if (json_object_get(message, "event")) {
        qmp_event(q, message);
        return 0;
    }
    /* An error without an id is about a request that QEMU could not even parse. */
    if (mid ? (uint64_t)json_integer_value(mid) != id : !error)
        return 0;
    if (error) {
        text = json_string_value(json_object_get(error, "desc"));
        return err_set(err, EREMOTEIO, "QEMU refused '%s': %s", command, text ? text : "no reason");
    }
    if (!value)
        return err_set(err, EPROTO, "QEMU answered '%s' with neither result nor error", command);
    if (ret)
        *ret = json_incref(value);
    return 1;
}

int qmp_command(struct qmp *q, const char *command, json_t *args, int64_t deadline, json_t **ret,
                struct err *err)
{
    uint64_t id = q->next_id++;
    json_t *request, *message;
    int r;

    request = json_pack("{s:s, s:I, s:o*}", "execute", command, "id", (json_int_t)id, "arguments",
                        args);
    if (!request)
        return err_set(err, ENOMEM, "out of memory");
    r = jsonl_send(&q->line, request, deadline, err);
    json_decref(request);
    while (!r) {
        r = jsonl_recv(&q->line, deadline, &message, err);
        if (r)
            break;
        r = qmp_answer(q, message, id, command, ret, err);
        json_decref(message);
        if (r == 1)
            return 0;
    }
    if (r == -EREMOTEIO)
        return r;
    return err_prefix(err, "QEMU monitor, '%s'", command);
}

static int human_once(struct qmp *q, const char *line, int64_t deadline, struct err *err)
{
    json_t *ret = NULL;
    const char *text;
    size_t len;
    int r;

    r = qmp_command(q, "human-monitor-command", json_pack("{s:s}", "command-line", line), deadline,
                    &ret, err);
    if (r)
        return r;
    text = json_string_value(ret);
    len = text ? strcspn(text, "\r\n") : 0;
    if (len)
        r = err_set(err, strstr(text, PUT_OFF) ? EAGAIN : EREMOTEIO, "QEMU, '%s': %.*s", line, (int)len, text);
    json_decref(ret);
    return r;
}

int qmp_human(struct qmp *q, const char *line, int64_t deadline, struct err *err)
{
    int r;

    while ((r = human_once(q, line, deadline, err)) == -EAGAIN) {
        if (wall_ms() >= deadline)
            return -EREMOTEIO;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000}, NULL);
    }
    return r;
}

int qmp_poll(struct qmp *q, struct err *err)
{
    for (;;) {
        json_t *message;
        int r = jsonl_recv(&q->line, 0, &message, err);

        if (r == -ETIMEDOUT)
            return 0;
        if (r)
            return r;
        if (json_object_get(message, "event"))
            qmp_event(q, message);
        json_decref(message);
    }
}
