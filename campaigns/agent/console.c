// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "campaigns/agent/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "campaigns/agent/clock.h"

#define ACTIVATED "wcr: fault activated"

void console_init(struct console *c)
{
    memset(c, 0, sizeof(*c));
    c->log_fd = c->pty_fd = -1;
}

void console_done(struct console *c)
{
    if (c->log_fd >= 0)
        close(c->log_fd);
    if (c->pty_fd >= 0)
        close(c->pty_fd);
    console_init(c);
}

void console_attach(struct console *c, const char *log_dir, const char *domain_name)
{
    struct stat st;

    console_done(c);
    snprintf(c->log_path, sizeof(c->log_path), "%s/guest-%s.log", log_dir, domain_name);
    if (stat(c->log_path, &st) == 0)
        c->pos = st.st_size;
}

void console_mark(struct console *c)
{
    memset(&c->oops, 0, sizeof(c->oops));
    c->tail_len = 0;
    c->activated_ns = 0;
}

static void tail_add(struct console *c, const char *line, size_t len)
{
    if (len + 1 > sizeof(c->tail))
        len = sizeof(c->tail) - 1;
    if (c->tail_len + len + 1 > sizeof(c->tail)) {
        size_t cut = c->tail_len + len + 1 - sizeof(c->tail);
        char *end = memchr(c->tail + cut, '\n', c->tail_len - cut);

        cut = end ? (size_t)(end + 1 - c->tail) : c->tail_len;
        memmove(c->tail, c->tail + cut, c->tail_len - cut);
        c->tail_len -= cut;
    }
    memcpy(c->tail + c->tail_len, line, len);
    c->tail_len += len;
    c->tail[c->tail_len++] = '\n';
}

void console_last(const struct console *c, char *ret, size_t n)
{
    size_t len = c->tail_len ? c->tail_len - 1 : 0, skip = len < n ? 0 : len - (n - 1);

    if (!len) {
        snprintf(ret, n, "nothing");
        return;
    }
    memcpy(ret, c->tail + skip, len - skip);
    ret[len - skip] = '\0';
    for (char *p = ret; (p = strchr(p, '\n')); )
        *p = '|';
}

static void answer_add(struct console *c, const char *text)
{
    size_t len = strlen(text), room = sizeof(c->answer) - 1 - c->answer_len;

    if (len + 1 > room)
        return;
    memcpy(c->answer + c->answer_len, text, len);
    c->answer_len += len;
    c->answer[c->answer_len++] = '\n';
    c->answer[c->answer_len] = '\0';
}

/* "wcr: @7 | text" or, last, "wcr: @7 poke rc=0"; the kernel may have spoken before it. */
static void answer_line(struct console *c, const char *text)
{
    char mark[32];
    const char *p, *rc;

    snprintf(mark, sizeof(mark), "wcr: @%u ", c->tag);
    p = strstr(text, mark);
    if (!p || c->answered)
        return;
    p += strlen(mark);
    if (p[0] == '|') {
        answer_add(c, p[1] == ' ' ? p + 2 : p + 1);
        return;
    }
    rc = strstr(p, "rc=");
    if (!rc)
        return;
    c->answer_rc = atoi(rc + 3);
    c->answered = true;
}

void console_take_line(struct console *c, const char *line)
{
    tail_add(c, line, strlen(line));
    oops_line(&c->oops, line);
    if (c->tag)
        answer_line(c, line);
    if (!c->activated_ns && strstr(line, ACTIVATED))
        c->activated_ns = clock_ns();
}

static void bytes_take(struct console *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char ch = p[i];

        if (ch == '\n' || c->line_len == sizeof(c->line) - 1) {
            c->line[c->line_len] = '\0';
            if (c->line_len)
                console_take_line(c, c->line);
            c->line_len = 0;
        }
        /* What a dying kernel prints need not be text; what we send is. */
        if (ch != '\n' && ch != '\r')
            c->line[c->line_len++] = (unsigned char)ch < 0x20 || (unsigned char)ch > 0x7e ? '?' : ch;
    }
}

void console_poll(struct console *c)
{
    char buf[4096];
    ssize_t n;

    /*
     * Nobody else reads the pty: keep its buffer from filling up. What came there is in the
     * log by then, so console_wait sleeps over nothing.
     */
    if (c->pty_fd >= 0)
        while (read(c->pty_fd, buf, sizeof(buf)) > 0)
            ;
    if (c->log_fd < 0)
        c->log_fd = open(c->log_path, O_RDONLY | O_CLOEXEC);
    if (c->log_fd < 0)
        return;
    while ((n = pread(c->log_fd, buf, sizeof(buf), c->pos)) > 0) {
        c->pos += n;
        bytes_take(c, buf, (size_t)n);
    }
}

void console_wait(struct console *c, int ms)
{
    struct pollfd p = {.fd = c->pty_fd, .events = POLLIN};

    /* Nobody at the other end is no news. */
    if (poll(&p, 1, ms) > 0 && !(p.revents & POLLIN))
        nap(POLL_MS, -1);
}

static int pty_open(struct console *c, const char *pty, struct err *err)
{
    struct termios t;

    if (c->pty_fd >= 0)
        return 0;
    c->pty_fd = open(pty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (c->pty_fd < 0)
        return err_set(err, errno, "guest console %s: %s", pty, strerror(errno));
    if (tcgetattr(c->pty_fd, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(c->pty_fd, TCSANOW, &t);
    }
    return 0;
}

int console_command(struct console *c, const char *pty, const char *text, struct err *err)
{
    char line[CONSOLE_LINE];
    int len, r;

    if (strpbrk(text, "\r\n"))
        return err_set(err, EINVAL, "a command is one line");
    r = pty_open(c, pty, err);
    if (r)
        return r;
    c->tag++;
    c->answered = false;
    c->answer_len = 0;
    c->answer[0] = '\0';
    len = snprintf(line, sizeof(line), "@%u %s\n", c->tag, text);
    if (len >= (int)sizeof(line))
        return err_set(err, E2BIG, "command longer than %zu bytes", sizeof(line) - 16);
    if (write(c->pty_fd, line, (size_t)len) != len)
        return err_set(err, errno ? errno : EIO, "guest console %s: cannot write", pty);
    return 0;
}
