// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "injector/addresses.h"

int profile_from_json(const json_t *json, struct profile **ret, struct err *err)
{
    const char *build_id = json_string_value(json_object_get(json, "build_id"));
    const char *executed = json_string_value(json_object_get(json, "executed"));
    const json_t *blocks = json_object_get(json, "blocks");
    struct profile *p;
    int r;

    if (!build_id || !*build_id || !executed || !json_is_integer(blocks) ||
        strlen(build_id) >= sizeof(p->build_id))
        return err_set(err, EINVAL, "not a profile: 'build_id', 'blocks' and 'executed' expected, "
                       "as 'wcr run SPEC --profile FILE' writes them");
    p = calloc(1, sizeof(*p));
    if (!p)
        return err_set(err, ENOMEM, "out of memory");
    strcpy(p->build_id, build_id);
    snprintf(p->id, sizeof(p->id), "%016" PRIx64, (uint64_t)XXH64(executed, strlen(executed), 0));
    p->blocks = (uint64_t)json_integer_value(blocks);
    r = addresses_parse(executed, &p->executed, &p->len, err);
    if (r) {
        free(p);
        return err_prefix(err, "'executed'");
    }
    *ret = p;
    return 0;
}

int profile_load_json(const char *path, json_t **ret, struct err *err)
{
    FILE *f = fopen(path, "r");
    json_error_t error;

    if (!f)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    *ret = json_loadf(f, 0, &error);
    fclose(f);
    return *ret ? 0 : err_set(err, EINVAL, "%s:%d: %s", path, error.line, error.text);
}

int profile_load(const char *path, struct profile **ret, struct err *err)
{
    json_t *json;
    int r = profile_load_json(path, &json, err);

    if (r)
        return r;
    r = profile_from_json(json, ret, err);
    json_decref(json);
    return r ? err_prefix(err, "%s", path) : 0;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    free(p->executed);
    free(p);
}

bool profile_has(const struct profile *p, uint64_t va)
{
    size_t lo = 0, hi = p->len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->executed[mid] < va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->len && p->executed[lo] == va;
}
