// SPDX-License-Identifier: GPL-2.0-or-later
#include "testbed/jsonl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t wall_deadline(int64_t ms)
{
    return ms < 0 ? JSONL_FOREVER : wall_ms() + ms;
}

void jsonl_init(struct jsonl *j, int in, int out, int watch)
{
    *j = (struct jsonl){.in = in, .out = out, .watch = watch};
}

void jsonl_done(struct jsonl *j)
{
    free(j->buf);
    j->buf = NULL;
    j->pos = j->len = j->size = 0;
}

/* Wait for @events on @fd; data that is there wins over the peer's death. */
static int wait_for(struct jsonl *j, int fd, short events, int64_t deadline, struct err *err)
{
    struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = j->watch, .events = POLLIN}};

    for (;;) {
        int64_t left = deadline == JSONL_FOREVER ? -1 : deadline - wall_ms();
        int r;

        if (deadline != JSONL_FOREVER && left < 0)
            left = 0;
        r = poll(p, 2, left > 1000000 ? 1000000 : (int)left);
        if (r < 0 && errno != EINTR)
            return err_set(err, errno, "poll: %s", strerror(errno));
        if (r > 0 && p[0].revents)
            return 0;
        if (r > 0 && p[1].revents)
            return err_set(err, ESRCH, "the process at the other end died");
        if (r < 0)
            return err_set(err, EINTR, "interrupted");
        if (r == 0 && deadline != JSONL_FOREVER && wall_ms() >= deadline)
            return err_set(err, ETIMEDOUT, "timed out");
    }
}

int jsonl_send(struct jsonl *j, const json_t *value, int64_t deadline, struct err *err)
{
    char *text = json_dumps(value, JSON_COMPACT);
    size_t len, done = 0;
    int r = 0;

    if (!text)
        return err_set(err, ENOMEM, "out of memory");
    len = strlen(text);
    text[len++] = '\n';     /* in place of the NUL */
    while (done < len) {
        ssize_t n = send(j->out, text + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == ENOTSOCK)
            n = write(j->out, text + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            r = wait_for(j, j->out, POLLOUT, deadline, err);
            if (r)
                break;
            continue;
        }
        if (errno == ECONNRESET)
            errno = EPIPE;
        r = err_set(err, errno, "cannot send: %s", strerror(errno));
        break;
    }
    free(text);
    return r;
}

int jsonl_pending(const struct jsonl *j)
{
    return j->len > j->pos && memchr(j->buf + j->pos, '\n', j->len - j->pos) != NULL;
}

static int fill(struct jsonl *j, int64_t deadline, struct err *err)
{
    ssize_t n;
    int r;

    if (j->pos) {
        memmove(j->buf, j->buf + j->pos, j->len - j->pos);
        j->len -= j->pos;
        j->pos = 0;
    }
    if (j->len >= JSONL_LINE_MAX)
        return err_set(err, EPROTO, "a line longer than %u bytes", JSONL_LINE_MAX);
    if (j->size - j->len < 4096) {
        size_t size = j->size ? j->size * 2 : 16384;
        char *buf = realloc(j->buf, size);

        if (!buf)
            return err_set(err, ENOMEM, "out of memory");
        j->buf = buf;
        j->size = size;
    }
    r = wait_for(j, j->in, POLLIN, deadline, err);
    if (r)
        return r;
    n = read(j->in, j->buf + j->len, j->size - j->len);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return 0;
        if (errno == ECONNRESET)
            return err_set(err, EPIPE, "the other end closed the connection");
        return err_set(err, errno, "cannot receive: %s", strerror(errno));
    }
    if (n == 0)
        return err_set(err, EPIPE, "the other end closed the connection");
    j->len += (size_t)n;
    return 0;
}

/* A short printable beginning of a line, for a message. */
static void sample(const char *line, size_t len, char *ret, size_t size)
{
    size_t n = 0;

    for (; n < len && n < size - 1; n++)
        ret[n] = line[n] >= ' ' && line[n] <= '~' ? line[n] : '?';
    ret[n] = '\0';
}

int jsonl_recv(struct jsonl *j, int64_t deadline, json_t **ret, struct err *err)
{
    for (;;) {
        char *start = j->buf ? j->buf + j->pos : NULL;
        char *end = j->len > j->pos ? memchr(start, '\n', j->len - j->pos) : NULL;
        json_error_t error;
        char text[80];
        size_t len;
        int r;

        if (!end) {
            r = fill(j, deadline, err);
            if (r)
                return r;
            continue;
        }
        len = (size_t)(end - start);
        j->pos += len + 1;
        while (len && (start[len - 1] == '\r' || start[len - 1] == ' '))
            len--;
        if (!len)
            continue;
        *ret = json_loadb(start, len, 0, &error);
        if (*ret)
            return 0;
        sample(start, len, text, sizeof(text));
        return err_set(err, EPROTO, "not JSON (%s): %s", error.text, text);
    }
}
