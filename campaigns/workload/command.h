/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between command.c, which knows the console, file_command.c, which changes files,
 * look_command.c, which looks at them, stream_command.c, which times a large one, and web_command.c,
 * which serves them.
 */
#ifndef WCR_WORKLOAD_COMMAND_H
#define WCR_WORKLOAD_COMMAND_H

#include "campaigns/workload/guest.h"

struct command {
    const char *name;
    int (*run)(struct guest *g, int argc, char **argv);
};

/* One line of the answer. */
void command_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Into a file that is there. */
int file_write(const char *path, const char *text);

/* The file whose number is argv[@at], opened. */
int command_file(struct guest *g, int argc, char **argv, int at, int flags, unsigned *ret_file);
/* Where the block of the file is on the data disk, in bytes; 0: nowhere. */
int command_place(int fd, unsigned block, uint64_t *ret);

/* These end with a NULL name. */
extern const struct command file_commands[], look_commands[], stream_commands[], web_commands[];

#endif
