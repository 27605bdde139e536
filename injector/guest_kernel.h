/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kernel a plan or a profile is of, to be compared with the guest's, and which of its modules. */
#ifndef WCR_INJECTOR_GUEST_KERNEL_H
#define WCR_INJECTOR_GUEST_KERNEL_H

#include <jansson.h>
#include <stdint.h>

#include "lib/err.h"

#define BUILD_ID_BYTES 20
#define GUEST_MODULE_NAME 64    /* MODULE_NAME_LEN is less */

struct guest_kernel {
    uint8_t build_id[BUILD_ID_BYTES];
    uint64_t build_id_va;           /* where the guest holds it; 0: not compared */
};

/* A loaded module, and how it is found: in the list that begins at list_va. */
struct guest_module {
    char name[GUEST_MODULE_NAME];   /* "": none is meant, but the kernel itself */
    uint8_t build_id[BUILD_ID_BYTES];
    uint64_t list_va;
    /* In struct module: its list_head and name, and what points at code and read-only data. */
    unsigned list, name_at, code, rodata;
    uint64_t build_id_at;           /* from the read-only data on */
};

/* From "build_id" and "build_id_va", if they are there. -EINVAL. */
int guest_kernel_from_json(const json_t *json, struct guest_kernel *ret, struct err *err);

#endif
