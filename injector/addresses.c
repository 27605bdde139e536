// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/addresses.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *addresses_format(const uint64_t *va, size_t n)
{
    char *ret = NULL;
    size_t size;
    FILE *f = open_memstream(&ret, &size);

    if (!f)
        return NULL;
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%" PRIx64, i ? " " : "", i ? va[i] - va[i - 1] : va[i]);
    if (fclose(f) == 0)
        return ret;
    free(ret);
    return NULL;
}

int addresses_parse(const char *text, uint64_t **ret, size_t *ret_n, struct err *err)
{
    size_t n = 0, most = strlen(text) / 2 + 1;
    uint64_t *va = calloc(most, sizeof(*va)), last = 0;
    const char *at = text;

    if (!va)
        return err_set(err, ENOMEM, "out of memory");
    while (*at) {
        size_t digits = strspn(at, "0123456789abcdef");
        uint64_t step = digits && digits <= 16 ? strtoull(at, NULL, 16) : 0;
        const char *end = at + digits;

        if (!step || last + step < last || (*end && (*end != ' ' || !end[1]))) {
            free(va);
            return err_set(err, EINVAL, "addresses: hexadecimal distances, not 0, expected at "
                           "character %zu", (size_t)(at - text));
        }
        last += step;
        va[n++] = last;
        at = *end ? end + 1 : end;
    }
    *ret = va;
    *ret_n = n;
    return 0;
}
