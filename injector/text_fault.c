// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int address_get(const json_t *plan, const char *name, uint64_t *ret, struct err *err)
{
    const char *text = json_string_value(json_object_get(plan, name));
    char *end;

    errno = 0;
    if (text && !strncmp(text, "0x", 2) && text[2]) {
        *ret = strtoull(text, &end, 16);
        if (!errno && !*end)
            return 0;
    }
    return err_set(err, EINVAL, "plan, '%s': expected an address such as \"0xffffffff81000000\"",
                   name);
}

/* "??" is a byte that may be any, where there is a @ret_any. */
static int bytes_get(const json_t *plan, const char *name, unsigned max, uint8_t *ret, bool *ret_any,
                     unsigned *ret_len, struct err *err)
{
    const char *text = json_string_value(json_object_get(plan, name));
    size_t len = text ? strlen(text) : 0;

    if (!len || len % 2 || len / 2 > max)
        return err_set(err, EINVAL, "plan, '%s': expected 1 to %u bytes in hexadecimal", name, max);
    for (size_t i = 0; i < len; i += 2) {
        int hi = hex_value(text[i]), lo = hex_value(text[i + 1]);

        if (ret_any && !strncmp(text + i, "??", 2)) {
            ret_any[i / 2] = true;
            continue;
        }
        if (hi < 0 || lo < 0)
            return err_set(err, EINVAL, "plan, '%s': '%.2s' is no hexadecimal byte", name,
                           text + i);
        ret[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    *ret_len = (unsigned)(len / 2);
    return 0;
}

static int build_id_get(const json_t *json, uint8_t *ret, struct err *err)
{
    unsigned len;
    int r = bytes_get(json, "build_id", BUILD_ID_BYTES, ret, NULL, &len, err);

    return r || len == BUILD_ID_BYTES
               ? r
               : err_set(err, EINVAL, "plan, 'build_id': expected %u bytes", BUILD_ID_BYTES);
}

int guest_kernel_from_json(const json_t *json, struct guest_kernel *ret, struct err *err)
{
    int r;

    *ret = (struct guest_kernel){0};
    if (!json_object_get(json, "build_id_va"))
        return 0;
    r = address_get(json, "build_id_va", &ret->build_id_va, err);
    return r ? r : build_id_get(json, ret->build_id, err);
}

static int module_get(const json_t *plan, struct guest_module *ret, struct err *err)
{
    json_t *json = json_object_get(plan, "module");
    json_int_t build_id_at;
    const char *name;
    json_error_t error;
    int r;

    if (!json)
        return 0;
    if (json_unpack_ex(json, &error, 0, "{s:s, s:I, s:i, s:i, s:i, s:i}", "name", &name,
                       "build_id_at", &build_id_at, "list", &ret->list, "name_at", &ret->name_at,
                       "code", &ret->code, "rodata", &ret->rodata))
        return err_set(err, EINVAL, "plan, 'module': %s", error.text);
    if (!*name || strlen(name) >= sizeof(ret->name))
        return err_set(err, EINVAL, "plan, 'module': its name is empty or too long");
    strcpy(ret->name, name);
    ret->build_id_at = (uint64_t)build_id_at;
    r = address_get(json, "list_va", &ret->list_va, err);
    if (!r)
        r = build_id_get(json, ret->build_id, err);
    return r ? err_prefix(err, "'module'") : 0;
}

int text_fault_from_json(const json_t *plan, struct text_fault *ret, struct err *err)
{
    struct text_fault f = {0};
    unsigned len = 0;
    int r;

    if (!json_is_object(plan))
        return err_set(err, EINVAL, "plan: expected an object");
    r = address_get(plan, "va", &f.va, err);
    if (!r)
        r = bytes_get(plan, "old", TEXT_FAULT_BYTES, f.old_bytes, f.any, &f.len, err);
    if (!r)
        r = bytes_get(plan, "new", TEXT_FAULT_BYTES, f.new_bytes, NULL, &len, err);
    if (!r && len != f.len)
        r = err_set(err, EINVAL, "plan: 'old' has %u bytes, 'new' %u", f.len, len);
    if (!r)
        r = guest_kernel_from_json(plan, &f.kernel, err);
    if (!r)
        r = module_get(plan, &f.module, err);
    if (!r)
        *ret = f;
    return r;
}
