// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/vmlinux.h"

#include <errno.h>

#include "injector/profile.h"
#include "testbed/env.h"
#include "testbed/testbed.h"

static int narrow(struct plan_source *source, const char *path, struct err *err)
{
    struct profile *profile;
    int r = profile_load(path, &profile, err);

    return r ? r : plan_source_set_profile(source, profile, err);
}

static int open_any(const char *vmlinux, const char *testbed, struct plan_source **ret,
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

int vmlinux_open(const char *vmlinux, const char *testbed, const char *profile, const char *module,
                 struct plan_source **ret, struct err *err)
{
    int r;

    *ret = NULL;
    if (profile && module)
        return err_set(err, EINVAL, "a profile is of the kernel, not of its modules: leave out "
                       "--profile or --module");
    r = open_any(vmlinux, testbed, ret, err);
    if (!r && profile)
        r = narrow(*ret, profile, err);
    if (!r && module)
        r = plan_source_use_module(*ret, module, err);
    if (r) {
        plan_source_free(*ret);
        *ret = NULL;
    }
    return r;
}
