/* SPDX-License-Identifier: MIT */
/* What the core needs of its surroundings, in userland. The hypervisor has its own. */
#ifndef WCR_CORE_ENV_H
#define WCR_CORE_ENV_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#endif
