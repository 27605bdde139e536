/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One way to fail. A function that can fail returns 0 or -errno and takes a
 * `struct err *`; the place that knows fills the message, once, saying what,
 * where and what to do. Callers only pass it up. `err` may be NULL.
 */
#ifndef WCR_ERR_H
#define WCR_ERR_H

struct err {
    int code;           /* the errno returned, positive; 0: no error */
    char msg[1000];     /* one line for a person, no newline */
};

/* Fill the message; returns -code so that `return err_set(e, EINVAL, ...)` works. */
int err_set(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "text: " before the message already there; returns -code. */
int err_prefix(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
