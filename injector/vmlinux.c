// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/vmlinux.h"

#include "testbed/env.h"
#include "testbed/testbed.h"

int vmlinux_open(const char *vmlinux, const char *testbed, struct plan_source **ret,
                 struct err *err)
{
    struct env_file *env = NULL;
    int r;

    if (vmlinux)
        return plan_source_open(vmlinux, ret, err);
    r = env_file_load(testbed_config_path(testbed), &env, err);
    if (!r)
        r = env_file_need(env, "WCR_VMLINUX", &vmlinux, err);
    if (r)
        err_prefix(err, "no kernel given (--vmlinux) and no testbed built ('make testbed')");
    else
        r = plan_source_open(vmlinux, ret, err);
    env_file_free(env);
    return r;
}
