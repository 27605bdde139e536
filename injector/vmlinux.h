/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kernel the commands speak of. */
#ifndef WCR_INJECTOR_VMLINUX_H
#define WCR_INJECTOR_VMLINUX_H

#include "injector/plan.h"

/*
 * Open @vmlinux or, when it is NULL, the WCR_VMLINUX of the testbed that @testbed (may be
 * NULL) or the environment names; of it only what the file @profile (may be NULL) says was
 * executed; or, of it, the file @module (may be NULL).
 */
int vmlinux_open(const char *vmlinux, const char *testbed, const char *profile, const char *module,
                 struct plan_source **ret, struct err *err);

#endif
