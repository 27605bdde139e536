// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes as decisions of the property model: whatever order of calls they spell, the core
 * must not read or write where it should not, nor call a page reusable that is not.
 */
#include <stdio.h>
#include <stdlib.h>

#include "warmcache-core/tests/core_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned int flags[] = {0, MODEL_HOSTILE, MODEL_HOSTILE | MODEL_NO_MEMORY,
                                         MODEL_QUIET};
    struct model_choices choices = {.bytes = data + 1, .size = size - 1, .state = size};
    struct model_result result;

    if (!size)
        return 0;
    model_run(&choices, flags[data[0] % 4], 5000, &result);
    if (result.error[0]) {
        fprintf(stderr, "step %lu: %s\n", result.steps, result.error);
        abort();
    }
    return 0;
}
