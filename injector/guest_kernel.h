/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kernel a plan or a profile is of, to be compared with the guest's. */
#ifndef WCR_INJECTOR_GUEST_KERNEL_H
#define WCR_INJECTOR_GUEST_KERNEL_H

#include <jansson.h>
#include <stdint.h>

#include "lib/err.h"

#define BUILD_ID_BYTES 20

struct guest_kernel {
    uint8_t build_id[BUILD_ID_BYTES];
    uint64_t build_id_va;           /* where the guest holds it; 0: not compared */
};

/* From "build_id" and "build_id_va", if they are there. -EINVAL. */
int guest_kernel_from_json(const json_t *json, struct guest_kernel *ret, struct err *err);

#endif
