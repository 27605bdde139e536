// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/executor.h"

#include <string.h>

const struct executor_ops *executor_find(const char *name)
{
    static const struct executor_ops *const all[] = {&testbed_executor, &xen_executor};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    return NULL;
}

json_t *executor_guest_start(const struct spec *spec)
{
    return json_pack("{s:s, s:i, s:i, s:s, s:i, s:i, s:I, s:s, s:s, s:s, s:i}", "cmd", "guest_start",
                     "memory_mb", (int)spec->guest.memory_mb, "vcpus", (int)spec->guest.vcpus,
                     "policy", "enabled", "files", (int)spec->workload.files, "blocks_per_file",
                     (int)spec->workload.blocks_per_file, "seed",
                     (json_int_t)spec->workload.seed, "filesystem", spec->workload.filesystem,
                     "mount_options", spec->workload.mount_options, "program",
                     spec->workload.program, "deadline_ms", (int)spec->boot_deadline_ms);
}
