// SPDX-License-Identifier: GPL-2.0-or-later
#include "injector/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bit i of @unknown: "??". */
static json_t *bytes_json(const uint8_t *bytes, unsigned len, unsigned unknown)
{
    char text[2 * BUILD_ID_BYTES + 1] = "";

    for (unsigned i = 0; i < len; i++)
        if (unknown >> i & 1)
            strcpy(text + 2 * i, "??");
        else
            snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

static json_t *address_json(uint64_t va)
{
    char text[20];

    snprintf(text, sizeof(text), "0x%" PRIx64, va);
    return json_string(text);
}

static json_t *module_json(const struct guest_module *m)
{
    return json_pack("{s:s, s:o, s:I, s:o, s:i, s:i, s:i, s:i}", "name", m->name, "build_id",
                     bytes_json(m->build_id, BUILD_ID_BYTES, 0), "build_id_at",
                     (json_int_t)m->build_id_at, "list_va", address_json(m->list_va), "list",
                     (int)m->list, "name_at", (int)m->name_at, "code", (int)m->code, "rodata",
                     (int)m->rodata);
}

static int text_set(json_t *o, const struct plan *p)
{
    return json_object_set_new(o, "target", json_string(p->target)) |
           (*p->module.name && json_object_set_new(o, "module", module_json(&p->module))) |
           json_object_set_new(o, "va", address_json(p->va)) |
           json_object_set_new(o, "symbol", json_string(p->symbol)) |
           json_object_set_new(o, "offset", json_integer((json_int_t)p->offset)) |
           json_object_set_new(o, "source", json_string(p->source)) |
           json_object_set_new(o, "old", bytes_json(p->old_bytes, p->len, p->relocated)) |
           json_object_set_new(o, "new", bytes_json(p->new_bytes, p->len, 0)) |
           json_object_set_new(o, "old_asm", json_string(p->old_asm)) |
           json_object_set_new(o, "new_asm", json_string(p->new_asm)) |
           json_object_set_new(o, "candidates", json_integer((json_int_t)p->candidates)) |
           (p->profile[0] && json_object_set_new(o, "profile", json_string(p->profile))) |
           json_object_set_new(o, "build_id", json_string(p->build_id)) |
           json_object_set_new(o, "build_id_va", address_json(p->build_id_va));
}

static int params_set(json_t *o, const struct plan *p)
{
    const struct fault_class *class = fault_class_find(p->class_name);
    json_t *params = json_object();
    int r = json_object_set_new(o, "params", params);

    /* A module refuses parameters it does not have. */
    if (class && class->rated)
        r |= json_object_set_new(params, "lo", json_integer((json_int_t)p->rate_lo)) |
             json_object_set_new(params, "hi", json_integer((json_int_t)p->rate_hi));
    return r | json_object_set_new(params, "seed", json_integer((json_int_t)p->param_seed));
}

json_t *plan_to_json(const struct plan *p)
{
    json_t *o = json_object();
    int r = json_object_set_new(o, "class", json_string(p->class_name)) |
            json_object_set_new(o, "kind", json_string(p->text ? "text" : "runtime")) |
            json_object_set_new(o, "seed", json_integer((json_int_t)p->seed)) |
            json_object_set_new(o, "index", json_integer(p->index)) |
            json_object_set_new(o, "delay_ms", json_integer(p->delay_ms));

    r |= p->text ? text_set(o, p) : params_set(o, p);
    if (r) {
        json_decref(o);
        return NULL;
    }
    return o;
}
