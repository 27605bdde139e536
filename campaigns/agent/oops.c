// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/oops.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* "[2026-01-01 00:00:09] " and "[    1.234567] ", in any number. */
const char *console_text(const char *line)
{
    for (;;) {
        const char *p = line;

        while (*p == ' ' || *p == '\r')
            p++;
        if (*p != '[')
            return p;
        for (p++; *p && strchr("0123456789-: .", *p); p++)
            ;
        if (*p != ']')
            return line;
        line = p + 1;
    }
}

static void copy(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        len = size - 1;
    for (size_t i = 0; i < len; i++)
        to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
    to[len] = '\0';
}

static void kind_set(struct oops *o, const char *kind, size_t len)
{
    if (!o->kind[0])
        copy(o->kind, sizeof(o->kind), kind, len);
    if (!o->seen)
        o->count++;
    o->seen = true;
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* "invalid opcode: 0000 [#1] PREEMPT": the trap's name, then an error code and a count. */
static bool trap_line(struct oops *o, const char *t)
{
    const char *colon = strchr(t, ':'), *mark = strstr(t, " [#"), *comma = strchr(t, ',');
    size_t len;

    if (!colon || !mark || colon > mark || !islower((unsigned char)*t))
        return false;
    len = (size_t)(colon - t);
    if (comma && comma < colon)
        len = (size_t)(comma - t);
    kind_set(o, t, len);
    return true;
}

static bool bug_line(struct oops *o, const char *t)
{
    static const struct { const char *text, *kind; } known[] = {
        {"BUG: kernel NULL pointer dereference", "null-dereference"},
        {"BUG: unable to handle page fault", "page-fault"},
        {"BUG: unable to handle kernel", "page-fault"},
        {"BUG: stack guard page was hit", "stack-overflow"},
        {"BUG: scheduling while atomic", "scheduling-while-atomic"},
        {"BUG: soft lockup", "soft-lockup"},
        {"watchdog: BUG: soft lockup", "soft-lockup"},
        {"PANIC: double fault", "double-fault"},
        {"traps: PANIC: double fault", "double-fault"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (starts(t, known[i].text)) {
            kind_set(o, known[i].kind, strlen(known[i].kind));
            return true;
        }
    if (starts(t, "kernel BUG at ")) {
        char kind[sizeof(o->kind)];

        snprintf(kind, sizeof(kind), "BUG %.70s", t + strlen("kernel BUG at "));
        kind[strcspn(kind, "!")] = '\0';
        kind_set(o, kind, strlen(kind));
        return true;
    }
    if (starts(t, "BUG: ")) {
        kind_set(o, t, strcspn(t, "0123456789"));
        return true;
    }
    return false;
}

/* "RIP: e030:ext4_writepages+0x12/0x40" of the first oops. */
static void rip_line(struct oops *o, const char *t)
{
    const char *p = strchr(t + strlen("RIP: "), ':');

    if (!o->seen || o->symbol[0])
        return;
    p = p ? p + 1 : t + strlen("RIP: ");
    copy(o->symbol, sizeof(o->symbol), p, strcspn(p, "/ "));
}

void oops_line(struct oops *o, const char *line)
{
    static const char panic[] = "Kernel panic - not syncing: ";
    const char *t = console_text(line);

    if (starts(t, panic)) {
        o->panic = o->seen = true;
        if (!o->panic_text[0])
            copy(o->panic_text, sizeof(o->panic_text), t + sizeof(panic) - 1,
                 strlen(t + sizeof(panic) - 1));
    } else if (bug_line(o, t) || trap_line(o, t)) {
        ;
    } else if (starts(t, "Oops: ") || starts(t, "general protection fault")) {
        kind_set(o, t, strcspn(t, ":,"));
    } else if (starts(t, "RIP: ")) {
        rip_line(o, t);
    } else if (starts(t, "EXT4-fs error") || starts(t, "EXT4-fs (xvda): Remounting") ||
               starts(t, "JBD2: Detected IO errors") || starts(t, "Aborting journal")) {
        o->fs_error = true;
    } else if (starts(t, "Out of memory: Killed process")) {
        o->oom = true;
    } else if (starts(t, "wcr: worker ") && strstr(t, " died")) {
        o->worker_died = true;
    }
}

void oops_signature(const struct oops *o, char *ret, size_t size)
{
    if (!o->seen)
        ret[0] = '\0';
    else if (!o->kind[0])
        snprintf(ret, size, "panic: %s", o->panic_text);
    else if (!o->symbol[0])
        snprintf(ret, size, "%s", o->kind);
    else
        snprintf(ret, size, "%s %s", o->kind, o->symbol);
}
