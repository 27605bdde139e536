// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a specification. libyaml gives a tree of nodes with their lines; the
 * tables below say which keys a mapping has, of what type, in what range, and
 * where the value goes. Whatever is not in a table is an error with the line.
 */
#include "campaigns/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "campaigns/workload/status_layout.h"
#include "injector/plan.h"
#include "lib/share.h"

#define SPEC_FILE_MAX (1u << 20)

static const char *const mode_names[MODES] = {"enabled", "disabled", "cold"};

const char *reboot_mode_name(enum reboot_mode mode)
{
    return mode_names[mode];
}

int reboot_mode_find(const char *name)
{
    for (int m = 0; m < MODES; m++)
        if (!strcmp(name, mode_names[m]))
            return m;
    return -1;
}

struct reader {
    const char *path;
    yaml_document_t doc;
    struct err *err;
};

/* The place of a value: "classes[2].class". */
struct place {
    char text[96];
};

typedef int (*read_fn)(struct reader *rd, const yaml_node_t *node, const struct place *at,
                       void *to);

/* How to read one key of a mapping. */
struct field {
    const char *key;
    read_fn read;
    size_t offset;
    bool needed;
    uint64_t min, max;      /* numbers: the range; strings: max is the buffer's size */
    int (*check)(struct reader *rd, const yaml_node_t *node, const struct place *at,
                 const char *value);
    const struct field *fields;     /* sub-mapping; the table ends with a NULL key */
};

/* The field being read; the readers take their limits from it. */
struct target {
    const struct field *field;
    void *to;
};

__attribute__((format(printf, 4, 5))) static int fail(struct reader *rd, const yaml_node_t *node,
                                                      const struct place *at, const char *fmt, ...)
{
    char text[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(rd->err, EINVAL, "%s:%zu: %s%s%s", rd->path, node->start_mark.line + 1,
                   at ? at->text : "", at && *at->text ? ": " : "", text);
}

static struct place sub(const struct place *at, const char *key)
{
    struct place p;

    snprintf(p.text, sizeof(p.text), "%.60s%s%.30s", at->text, *at->text ? "." : "", key);
    return p;
}

static struct place item(const struct place *at, unsigned n)
{
    struct place p;

    snprintf(p.text, sizeof(p.text), "%.80s[%u]", at->text, n);
    return p;
}

static const char *node_kind(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return "a single value";
    case YAML_SEQUENCE_NODE:
        return "a list";
    case YAML_MAPPING_NODE:
        return "a mapping";
    default:
        return "nothing";
    }
}

static int scalar(struct reader *rd, const yaml_node_t *node, const struct place *at,
                  const char *expected, const char **ret)
{
    *ret = NULL;
    if (node->type != YAML_SCALAR_NODE)
        return fail(rd, node, at, "expected %s, found %s", expected, node_kind(node));
    *ret = (const char *)node->data.scalar.value;
    return 0;
}

static int number(struct reader *rd, const yaml_node_t *node, const struct place *at, uint64_t min,
                  uint64_t max, uint64_t *ret)
{
    const char *text;
    uint64_t value;
    char *end;
    int r;

    r = scalar(rd, node, at, "a whole number", &text);
    if (r)
        return r;
    errno = 0;
    value = strtoull(text, &end, 0);
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || end == text || *end ||
        *text < '0' || *text > '9')
        return fail(rd, node, at, "expected a whole number, found '%.40s'", text);
    if (errno == ERANGE || value < min || value > max)
        return fail(rd, node, at, "%.40s is out of range (%" PRIu64 " to %" PRIu64 ")", text, min,
                    max);
    *ret = value;
    return 0;
}

static int read_u32(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct target *t = to;
    uint64_t value;
    int r = number(rd, node, at, t->field->min, t->field->max, &value);

    if (!r)
        *(unsigned *)t->to = (unsigned)value;
    return r;
}

static int read_u64(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct target *t = to;

    return number(rd, node, at, t->field->min, t->field->max, t->to);
}

/* 0.05 or 5%; the field's maximum is in percent, and excluded, as 0 is. */
static int read_share(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct target *t = to;
    double value = 0;
    const char *text;
    int r = scalar(rd, node, at, "a share", &text);

    if (r)
        return r;
    if (!share_parse(text, &value) || value == 0 || value * 100 >= (double)t->field->max)
        return fail(rd, node, at, "expected a share above 0 and below %" PRIu64 "%%, as 0.05 or 5%%, found "
                    "'%.40s'", t->field->max, text);
    *(double *)t->to = value;
    return 0;
}

static int read_bool(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct target *t = to;
    const char *text;
    int r = scalar(rd, node, at, "true or false", &text);

    if (r)
        return r;
    if (strcmp(text, "true") && strcmp(text, "false"))
        return fail(rd, node, at, "expected true or false, found '%.40s'", text);
    *(bool *)t->to = !strcmp(text, "true");
    return 0;
}

static int read_string(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct target *t = to;
    const char *text;
    int r = scalar(rd, node, at, "a string", &text);

    if (r)
        return r;
    if (strlen(text) >= t->field->max)
        return fail(rd, node, at, "longer than %" PRIu64 " characters", t->field->max - 1);
    if (t->field->check) {
        r = t->field->check(rd, node, at, text);
        if (r)
            return r;
    }
    strcpy(t->to, text);
    return 0;
}

/* One number, or [lowest, highest]; goes to two adjacent members. */
static int range_nodes(struct reader *rd, const yaml_node_t *node, const struct place *at,
                       uint64_t min, uint64_t max, uint64_t ret[2])
{
    struct place p;
    int r = 0;

    if (node->type != YAML_SEQUENCE_NODE) {
        r = number(rd, node, at, min, max, &ret[0]);
        ret[1] = ret[0];
        return r;
    }
    if (node->data.sequence.items.top - node->data.sequence.items.start != 2)
        return fail(rd, node, at, "expected a number or [lowest, highest]");
    for (unsigned i = 0; i < 2 && !r; i++) {
        p = item(at, i);
        r = number(rd, yaml_document_get_node(&rd->doc, node->data.sequence.items.start[i]), &p,
                   min, max, &ret[i]);
    }
    if (!r && ret[0] > ret[1])
        return fail(rd, node, at, "the lowest value is above the highest");
    return r;
}

static int read_range_u32(struct reader *rd, const yaml_node_t *node, const struct place *at,
                          void *to)
{
    struct target *t = to;
    unsigned *pair = t->to;
    uint64_t v[2];
    int r = range_nodes(rd, node, at, t->field->min, t->field->max, v);

    if (!r) {
        pair[0] = (unsigned)v[0];
        pair[1] = (unsigned)v[1];
    }
    return r;
}

static int read_range_u64(struct reader *rd, const yaml_node_t *node, const struct place *at,
                          void *to)
{
    struct target *t = to;

    return range_nodes(rd, node, at, t->field->min, t->field->max, t->to);
}

static void list_keys(const struct field *fields, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (; fields->key && len < size; fields++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s", len ? ", " : "", fields->key);
}

static int read_pair(struct reader *rd, const yaml_node_pair_t *pair, const struct place *at,
                     const struct field *fields, void *base, uint64_t *seen)
{
    const yaml_node_t *key = yaml_document_get_node(&rd->doc, pair->key);
    const yaml_node_t *value = yaml_document_get_node(&rd->doc, pair->value);
    const struct field *f;
    char known[400];
    const char *name;
    struct place p;
    int r;

    r = scalar(rd, key, at, "a key", &name);
    if (r)
        return r;
    p = sub(at, name);
    for (f = fields; f->key && strcmp(f->key, name); f++)
        ;
    if (!f->key) {
        list_keys(fields, known, sizeof(known));
        return fail(rd, key, &p, "unknown key (known: %s)", known);
    }
    if (*seen & 1ULL << (f - fields))
        return fail(rd, key, &p, "given twice");
    *seen |= 1ULL << (f - fields);
    return f->read(rd, value, &p, &(struct target){f, (char *)base + f->offset});
}

static int read_fields(struct reader *rd, const yaml_node_t *node, const struct place *at,
                       const struct field *fields, void *base)
{
    uint64_t seen = 0;
    int r = 0;

    if (!node || node->type != YAML_MAPPING_NODE) {
        if (!node)
            return err_set(rd->err, EINVAL, "%s:1: the file is empty", rd->path);
        return fail(rd, node, at, "expected a mapping, found %s", node_kind(node));
    }
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top && !r; p++)
        r = read_pair(rd, p, at, fields, base, &seen);
    for (const struct field *f = fields; f->key && !r; f++)
        if (f->needed && !(seen & 1ULL << (f - fields)))
            r = fail(rd, node, at, "'%s' is missing", f->key);
    return r;
}

static int read_map(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct target *t = to;

    return read_fields(rd, node, at, t->field->fields, t->to);
}

static int read_modes(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    bool *modes = ((struct target *)to)->to;
    const yaml_node_item_t *it;
    int r;

    if (node->type != YAML_SEQUENCE_NODE)
        return fail(rd, node, at, "expected a list of modes, found %s", node_kind(node));
    if (node->data.sequence.items.start == node->data.sequence.items.top)
        return fail(rd, node, at, "the list is empty");
    memset(modes, 0, MODES * sizeof(*modes));
    for (it = node->data.sequence.items.start; it < node->data.sequence.items.top; it++) {
        const yaml_node_t *n = yaml_document_get_node(&rd->doc, *it);
        struct place p = item(at, (unsigned)(it - node->data.sequence.items.start));
        const char *name;
        int mode;

        r = scalar(rd, n, &p, "a mode", &name);
        if (r)
            return r;
        mode = reboot_mode_find(name);
        if (mode < 0)
            return fail(rd, n, &p, "unknown mode '%.40s' (known: enabled, disabled, cold)", name);
        if (modes[mode])
            return fail(rd, n, &p, "'%s' is listed twice", name);
        modes[mode] = true;
    }
    return 0;
}

static int check_class(struct reader *rd, const yaml_node_t *node, const struct place *at,
                       const char *value)
{
    char known[300];

    if (fault_class_find(value))
        return 0;
    fault_class_names(known, sizeof(known));
    return fail(rd, node, at, "unknown fault class '%.40s' (known: %s)", value, known);
}

static int check_target(struct reader *rd, const yaml_node_t *node, const struct place *at,
                        const char *value)
{
    static const char *const kinds[] = {"dir:", "file:", "func:", "range:"};

    if (!strcmp(value, "all"))
        return 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strncmp(value, kinds[i], strlen(kinds[i])) && value[strlen(kinds[i])])
            return 0;
    return fail(rd, node, at,
                "expected all, dir:DIRECTORY, file:FILE, func:NAME or range:FROM-TO, found '%.80s'",
                value);
}

static int check_name(struct reader *rd, const yaml_node_t *node, const struct place *at,
                      const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (*value && strspn(value, allowed) == strlen(value))
        return 0;
    return fail(rd, node, at, "'%.80s' is no name: use letters, digits, '.', '_' and '-'", value);
}

static int check_program(struct reader *rd, const yaml_node_t *node, const struct place *at,
                         const char *value)
{
    if (*value == '/' && !strpbrk(value, " \t\r\n\""))
        return 0;
    return fail(rd, node, at, "expected a program's path in the guest, as /bin/NAME, found '%.80s'", value);
}

static int check_filesystem(struct reader *rd, const yaml_node_t *node, const struct place *at,
                            const char *value)
{
    if (!strcmp(value, "ext4"))
        return 0;
    return fail(rd, node, at, "unknown file system '%.40s' (known: ext4)", value);
}

static const struct field class_fields[] = {
    {"class", read_string, offsetof(struct spec_class, class_name), true, 0, 16, check_class, NULL},
    {"trials", read_u32, offsetof(struct spec_class, trials), false, 1, 1000000, NULL, NULL},
    {"weight", read_u32, offsetof(struct spec_class, weight), false, 1, 1000000, NULL, NULL},
    {"target", read_string, offsetof(struct spec_class, target), false, 0, 128, check_target, NULL},
    {"rate", read_range_u64, offsetof(struct spec_class, rate_lo), false, 1, 1000000000, NULL,
     NULL},
    {0},
};

static int add_class(struct reader *rd, const yaml_node_t *node, const struct place *at,
                     struct spec *spec)
{
    struct spec_class *classes, *c;
    int r;

    classes = reallocarray(spec->classes, spec->classes_len + 1, sizeof(*classes));
    if (!classes)
        return err_set(rd->err, ENOMEM, "out of memory");
    spec->classes = classes;
    c = &classes[spec->classes_len];
    memset(c, 0, sizeof(*c));
    r = read_fields(rd, node, at, class_fields, c);
    if (r)
        return r;
    if (!c->trials == !c->weight)
        return fail(rd, node, at, c->trials ? "'trials' and 'weight' exclude each other"
                                            : "'trials' is missing (or 'weight', a share of the "
                                              "campaign's)");
    if (c->rate_hi && !fault_class_find(c->class_name)->rated)
        return fail(rd, node, at, "class %s has no rate", c->class_name);
    for (unsigned i = 0; i < spec->classes_len; i++)
        if (!strcmp(classes[i].class_name, c->class_name))
            return fail(rd, node, at, "class %s is listed twice; raise 'trials' instead",
                        c->class_name);
    spec->classes_len++;
    return 0;
}

static int read_classes(struct reader *rd, const yaml_node_t *node, const struct place *at,
                        void *to)
{
    struct spec *spec = ((struct target *)to)->to;
    const yaml_node_item_t *it;

    if (node->type != YAML_SEQUENCE_NODE)
        return fail(rd, node, at, "expected a list of classes, found %s", node_kind(node));
    for (it = node->data.sequence.items.start; it < node->data.sequence.items.top; it++) {
        struct place p = item(at, (unsigned)(it - node->data.sequence.items.start));
        int r = add_class(rd, yaml_document_get_node(&rd->doc, *it), &p, spec);

        if (r)
            return r;
    }
    return 0;
}

/* They become a word of the guest's kernel command line. */
static int check_options(struct reader *rd, const yaml_node_t *node, const struct place *at,
                         const char *value)
{
    if (!strpbrk(value, " \t\r\n\""))
        return 0;
    return fail(rd, node, at, "'%.80s' holds a space or a quote", value);
}

/* The ranges of both are the agent's, so that none is found out by a booted machine. */
static const struct field guest_fields[] = {
    {"memory_mb", read_u32, offsetof(struct spec, guest.memory_mb), false, 64, 16384, NULL, NULL},
    {"vcpus", read_u32, offsetof(struct spec, guest.vcpus), false, 1, 32, NULL, NULL},
    {0},
};

static const struct field workload_fields[] = {
    {"files", read_u32, offsetof(struct spec, workload.files), false, 1, STATUS_FILES_MAX, NULL,
     NULL},
    {"blocks_per_file", read_u32, offsetof(struct spec, workload.blocks_per_file), false, 1,
     STATUS_BLOCKS_MAX, NULL, NULL},
    {"seed", read_u64, offsetof(struct spec, workload.seed), false, 0, INT64_MAX, NULL, NULL},
    {"filesystem", read_string, offsetof(struct spec, workload.filesystem), false, 0, 16,
     check_filesystem, NULL},
    {"mount_options", read_string, offsetof(struct spec, workload.mount_options), false, 0, 128,
     check_options, NULL},
    {"program", read_string, offsetof(struct spec, workload.program), false, 0, 128, check_program, NULL},
    {0},
};

/* An interval's half-width is never above 0.5. */
static const struct field stop_fields[] = {
    {"half_width", read_share, offsetof(struct spec, stop.half_width), false, 0, 50, NULL, NULL},
    {"rate_below", read_share, offsetof(struct spec, stop.rate_below), false, 0, 100, NULL, NULL},
    {0},
};

static int read_stop(struct reader *rd, const yaml_node_t *node, const struct place *at, void *to)
{
    struct spec *spec = ((struct target *)to)->to;
    int r = read_map(rd, node, at, to);

    if (!r && !spec_has_stop(spec))
        r = fail(rd, node, at, "expected half_width, rate_below or both");
    return r;
}

/* What is at the top for the classes: the target of those that name none, trials to share. */
struct spec_root {
    struct spec spec;
    char target[128];
    unsigned trials;
};

#define U32(key, member, min, max)                                                                 \
    {key, read_u32, offsetof(struct spec_root, spec.member), false, min, max, NULL, NULL}

static const struct field root_fields[] = {
    {"name", read_string, offsetof(struct spec_root, spec.name), true, 0, 64, check_name, NULL},
    {"seed", read_u64, offsetof(struct spec_root, spec.seed), true, 0, INT64_MAX / 2, NULL, NULL},
    {"classes", read_classes, offsetof(struct spec_root, spec), true, 0, 0, NULL, NULL},
    {"trials", read_u32, offsetof(struct spec_root, trials), false, 1, 1000000, NULL, NULL},
    {"target", read_string, offsetof(struct spec_root, target), false, 0, 128, check_target, NULL},
    {"modes", read_modes, offsetof(struct spec_root, spec.modes), false, 0, 0, NULL, NULL},
    U32("golden", golden, 0, 100000),
    U32("golden_run_ms", golden_run_ms, 1, 3600000),
    /* More than one would hide which of them did it, and no executor does it yet. */
    U32("faults_per_trial", faults_per_trial, 1, 1),
    {"require_activation", read_bool, offsetof(struct spec_root, spec.require_activation), false,
     0, 0, NULL, NULL},
    {"executed", read_bool, offsetof(struct spec_root, spec.executed), false, 0, 0, NULL, NULL},
    {"module", read_string, offsetof(struct spec_root, spec.module), false, 0, 256, NULL, NULL},
    U32("redraws", redraws, 1, 1000),
    U32("deadline_ms", deadline_ms, 1, 3600000),
    U32("activation_ms", activation_ms, 1, 3600000),
    U32("boot_deadline_ms", boot_deadline_ms, 100, 3600000),
    {"delay_ms", read_range_u32, offsetof(struct spec_root, spec.delay_min_ms), false, 0, 3600000,
     NULL, NULL},
    U32("retries", retries, 0, 100),
    {"stop", read_stop, offsetof(struct spec_root, spec), false, 0, 0, NULL, stop_fields},
    {"guest", read_map, offsetof(struct spec_root, spec), false, 0, 0, NULL, guest_fields},
    {"workload", read_map, offsetof(struct spec_root, spec), false, 0, 0, NULL, workload_fields},
    {0},
};

static const struct spec defaults = {
    .modes = {[MODE_ENABLED] = true, [MODE_DISABLED] = true},
    .golden = 1,
    .golden_run_ms = 2000,
    .faults_per_trial = 1,
    .redraws = 10,
    .deadline_ms = 20000,
    .activation_ms = 2000,
    .boot_deadline_ms = 60000,
    .delay_min_ms = 100,
    .delay_max_ms = 1000,
    .retries = 2,
    .guest = {.memory_mb = 256, .vcpus = 1},
    .workload = {.files = 64, .blocks_per_file = 64, .seed = 1, .filesystem = "ext4"},
};

/*
 * Each trial goes to the class that is furthest behind its share (Webster's method): more of
 * them later take none away from any.
 */
static void share_trials(struct spec *spec, unsigned trials)
{
    for (unsigned n = 0; n < trials; n++) {
        struct spec_class *next = NULL;

        for (unsigned i = 0; i < spec->classes_len; i++) {
            struct spec_class *c = &spec->classes[i];

            if (c->weight && (!next || (uint64_t)c->weight * (2 * next->trials + 1) >
                                           (uint64_t)next->weight * (2 * c->trials + 1)))
                next = c;
        }
        next->trials++;
    }
}

static int check_weights(struct reader *rd, struct spec_root *root)
{
    struct spec *spec = &root->spec;
    unsigned weights = 0;

    for (unsigned i = 0; i < spec->classes_len; i++)
        weights += !!spec->classes[i].weight;
    if (!weights != !root->trials)
        return err_set(rd->err, EINVAL, weights ? "%s: 'trials' is missing: how many are shared by the "
                                                  "classes with a weight"
                                                : "%s: 'trials': no class has a weight to share them by",
                       rd->path);
    share_trials(spec, root->trials);
    return 0;
}

static int check_whole(struct reader *rd, struct spec_root *root)
{
    struct spec *spec = &root->spec;
    int r = check_weights(rd, root);

    if (r)
        return r;
    for (unsigned i = 0; i < spec->classes_len; i++)
        if (!*spec->classes[i].target)
            strcpy(spec->classes[i].target, *root->target ? root->target : "all");
    if (!spec->classes_len && !spec->golden)
        return err_set(rd->err, EINVAL, "%s: neither classes nor golden runs: nothing to do",
                       rd->path);
    if (spec_has_stop(spec) && !spec->modes[MODE_ENABLED])
        return err_set(rd->err, EINVAL, "%s: stop: the rule is about mode enabled, which 'modes' does not "
                       "have", rd->path);
    if (*spec->module && spec->executed)
        return err_set(rd->err, EINVAL, "%s: module: what is executed is known of the kernel only; leave out "
                       "'executed'", rd->path);
    if (*spec->module && !spec_changes_text(spec))
        return err_set(rd->err, EINVAL, "%s: module: no class changes text", rd->path);
    /* The cache must fit into the guest, next to its kernel. */
    if ((uint64_t)spec->workload.files * spec->workload.blocks_per_file * 4096 / 1048576 >
        spec->guest.memory_mb / 2)
        return err_set(rd->err, EINVAL,
                       "%s: workload: %u files of %u blocks (4 KiB) are more than half of the "
                       "guest's %u MiB",
                       rd->path, spec->workload.files, spec->workload.blocks_per_file,
                       spec->guest.memory_mb);
    return 0;
}

static int parser_error(const yaml_parser_t *p, const char *path, struct err *err)
{
    const yaml_mark_t *mark = p->problem_mark.line ? &p->problem_mark : &p->context_mark;

    if (p->error == YAML_MEMORY_ERROR)
        return err_set(err, ENOMEM, "%s: out of memory", path);
    return err_set(err, EINVAL, "%s:%zu: not YAML: %s%s%s", path, mark->line + 1,
                   p->problem ? p->problem : "unknown problem", p->context ? ", " : "",
                   p->context ? p->context : "");
}

int spec_parse(const char *path, const char *text, struct spec *ret, struct err *err)
{
    struct spec_root root = {.spec = defaults};
    struct reader rd = {.path = path, .err = err};
    struct place top = {""};
    yaml_parser_t parser;
    bool loaded = false;
    int r;

    if (!yaml_parser_initialize(&parser))
        return err_set(err, ENOMEM, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    if (!yaml_parser_load(&parser, &rd.doc)) {
        r = parser_error(&parser, path, err);
        goto out;
    }
    loaded = true;
    r = read_fields(&rd, yaml_document_get_root_node(&rd.doc), &top, root_fields, &root);
    if (!r)
        r = check_whole(&rd, &root);
    if (r)
        goto out;
    root.spec.path = strdup(path);
    root.spec.text = strdup(text);
    if (!root.spec.path || !root.spec.text)
        r = err_set(err, ENOMEM, "out of memory");
out:
    if (loaded)
        yaml_document_delete(&rd.doc);
    yaml_parser_delete(&parser);
    if (r)
        spec_done(&root.spec);
    else
        *ret = root.spec;
    return r;
}

int spec_load(const char *path, struct spec *ret, struct err *err)
{
    char *text = calloc(1, SPEC_FILE_MAX + 1);
    FILE *f = NULL;
    size_t len;
    int r;

    if (!text)
        return err_set(err, ENOMEM, "out of memory");
    f = fopen(path, "re");
    if (!f) {
        r = err_set(err, errno, "%s: %s", path, strerror(errno));
        goto out;
    }
    len = fread(text, 1, SPEC_FILE_MAX + 1, f);
    if (ferror(f))
        r = err_set(err, EIO, "%s: cannot read: %s", path, strerror(errno));
    else if (len > SPEC_FILE_MAX)
        r = err_set(err, EINVAL, "%s: larger than %u bytes", path, SPEC_FILE_MAX);
    else if (strlen(text) != len)
        r = err_set(err, EINVAL, "%s: not a text file", path);
    else
        r = spec_parse(path, text, ret, err);
out:
    if (f)
        fclose(f);
    free(text);
    return r;
}

void spec_done(struct spec *spec)
{
    free(spec->classes);
    free(spec->path);
    free(spec->text);
    memset(spec, 0, sizeof(*spec));
}

json_t *spec_to_json(const struct spec *s)
{
    json_t *classes = json_array(), *modes = json_array(), *ret;

    for (unsigned i = 0; i < s->classes_len; i++) {
        const struct spec_class *c = &s->classes[i];

        json_array_append_new(classes, json_pack("{s:s, s:s, s:[I, I]}", "class", c->class_name,
                                                 "target", c->target, "rate",
                                                 (json_int_t)c->rate_lo, (json_int_t)c->rate_hi));
    }
    for (int m = 0; m < MODES; m++)
        if (s->modes[m])
            json_array_append_new(modes, json_string(mode_names[m]));
    ret = json_pack(
        "{s:s, s:I, s:o, s:o, s:i, s:i, s:b, s:i, s:i, s:i, s:i, s:[i, i], s:{s:i, s:i}, "
        "s:{s:i, s:i, s:I, s:s, s:s}}",
        "name", s->name, "seed", (json_int_t)s->seed, "classes", classes, "modes", modes,
        "golden_run_ms", (int)s->golden_run_ms, "faults_per_trial", (int)s->faults_per_trial,
        "require_activation", (int)s->require_activation, "redraws", (int)s->redraws,
        "deadline_ms", (int)s->deadline_ms, "activation_ms", (int)s->activation_ms,
        "boot_deadline_ms", (int)s->boot_deadline_ms,
        "delay_ms", (int)s->delay_min_ms, (int)s->delay_max_ms, "guest", "memory_mb",
        (int)s->guest.memory_mb, "vcpus", (int)s->guest.vcpus, "workload", "files",
        (int)s->workload.files, "blocks_per_file", (int)s->workload.blocks_per_file, "seed",
        (json_int_t)s->workload.seed, "filesystem", s->workload.filesystem, "mount_options",
        s->workload.mount_options);
    /* What a campaign that was begun before has none of. */
    if (ret && s->executed)
        json_object_set_new(ret, "executed", json_true());
    if (ret && *s->module)
        json_object_set_new(ret, "module", json_string(basename(s->module)));
    if (ret && *s->workload.program)
        json_object_set_new(json_object_get(ret, "workload"), "program", json_string(s->workload.program));
    return ret;
}

bool spec_has_stop(const struct spec *spec)
{
    return spec->stop.half_width || spec->stop.rate_below;
}

bool spec_changes_text(const struct spec *spec)
{
    for (unsigned i = 0; i < spec->classes_len; i++)
        if (fault_class_find(spec->classes[i].class_name)->kind == FAULT_TEXT)
            return true;
    return false;
}

bool spec_needs_profile(const struct spec *spec)
{
    return spec->executed && spec_changes_text(spec);
}

unsigned spec_trials(const struct spec *spec)
{
    unsigned modes = 0, trials = spec->golden;

    for (int m = 0; m < MODES; m++)
        modes += spec->modes[m];
    for (unsigned i = 0; i < spec->classes_len; i++)
        trials += spec->classes[i].trials;
    return trials * modes;
}
