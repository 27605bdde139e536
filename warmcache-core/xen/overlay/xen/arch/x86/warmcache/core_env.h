/* SPDX-License-Identifier: MIT */
/* What the core needs of its surroundings, in the hypervisor. */
#ifndef WCR_CORE_ENV_H
#define WCR_CORE_ENV_H

#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/string.h>
#include <xen/types.h>

/* In the ABI, and absent from Xen's list; the value is Linux's. */
#ifndef ESTALE
#define ESTALE 116
#endif
#ifndef UINT16_MAX
#define UINT16_MAX ((uint16_t)~0)
#endif

#endif
