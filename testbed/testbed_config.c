// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testbed/testbed.h"

const char *testbed_config_path(const char *option)
{
    static char beside[4096];
    const char *env, *here = "build/testbed.env";
    char *slash;
    ssize_t n;

    if (option)
        return option;
    env = getenv("WCR_TESTBED");
    if (env && *env)
        return env;
    if (!access(here, F_OK))
        return here;
    /* The program is in build/ too. */
    n = readlink("/proc/self/exe", beside, sizeof(beside) - sizeof("/testbed.env"));
    if (n <= 0)
        return here;
    beside[n] = '\0';
    slash = strrchr(beside, '/');
    if (!slash)
        return here;
    strcpy(slash, "/testbed.env");
    return access(beside, F_OK) ? here : beside;
}

int testbed_config_load(const char *path, struct testbed_config *ret, struct err *err)
{
    const struct {
        const char *name;
        const char **value;
        bool needed;
    } fields[] = {
        {"WCR_XEN", &ret->xen, true},
        {"WCR_KERNEL", &ret->kernel, true},
        {"WCR_DOM0_IMAGE", &ret->dom0_image, true},
        {"WCR_TOOLS_IMAGE", &ret->tools_image, true},
        {"WCR_DATA_IMAGE", &ret->data_image, true},
        {"WCR_VMLINUX", &ret->vmlinux, true},
        {"WCR_GUEST_INITRD", &ret->guest_initrd, false},
        {"WCR_KERNEL_BUILD", &ret->kernel_build, false},
        {"WCR_STAP", &ret->stap_dir, false},
        {"WCR_DEBUG_XEN", &ret->debug_xen, false},
    };
    const char *stock;
    int r;

    memset(ret, 0, sizeof(*ret));
    path = testbed_config_path(path);
    r = env_file_load(path, &ret->env, err);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "%s is not there: run 'make testbed' first", path);
    if (r)
        return r;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        *fields[i].value = env_file_get(ret->env, fields[i].name);
        if (!fields[i].needed)
            continue;
        r = env_file_need(ret->env, fields[i].name, fields[i].value, err);
        if (!r && access(*fields[i].value, R_OK))
            r = err_set(err, errno, "%s: %s names %s: %s; run 'make testbed'", path, fields[i].name,
                        *fields[i].value, strerror(errno));
        if (r) {
            testbed_config_done(ret);
            return r;
        }
    }
    stock = env_file_get(ret->env, "WCR_STOCK");
    ret->stock = stock && !strcmp(stock, "1");
    return 0;
}

void testbed_config_done(struct testbed_config *config)
{
    env_file_free(config->env);
    memset(config, 0, sizeof(*config));
}
