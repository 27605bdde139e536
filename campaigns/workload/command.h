/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between command.c, which knows the console, and file_command.c, which knows files. */
#ifndef WCR_WORKLOAD_COMMAND_H
#define WCR_WORKLOAD_COMMAND_H

#include "campaigns/workload/guest.h"

struct command {
    const char *name;
    int (*run)(struct guest *g, int argc, char **argv);
};

/* One line of the answer. */
void command_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends with a NULL name. */
extern const struct command file_commands[];

#endif
