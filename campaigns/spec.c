// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/workload/status_layout.h"
#include "injector/plan.h"
#include "lib/share.h"
#include "lib/yaml_file.h"

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

/* 0.05 or 5%; the field's maximum is in percent, and excluded, as 0 is. */
static YAML_READER(read_part)
{
    double value = 0;
    const char *text;
    int r = yaml_scalar(rd, node, at, "a share", &text);

    if (r)
        return r;
    if (!share_parse(text, &value) || value == 0 || value * 100 >= (double)field->max)
        return yaml_fail(rd, node, at, "expected a share above 0 and below %" PRIu64 "%%, as 0.05 or 5%%, found "
                         "'%.40s'", field->max, text);
    *(double *)to = value;
    return 0;
}

static int read_mode(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, void *ctx)
{
    bool *modes = ctx;
    const char *name;
    int mode, r = yaml_scalar(rd, node, at, "a mode", &name);

    if (r)
        return r;
    mode = reboot_mode_find(name);
    if (mode < 0)
        return yaml_fail(rd, node, at, "unknown mode '%.40s' (known: enabled, disabled, cold)", name);
    if (modes[mode])
        return yaml_fail(rd, node, at, "'%s' is listed twice", name);
    modes[mode] = true;
    return 0;
}

static YAML_READER(read_modes)
{
    bool modes[MODES] = {false};
    int r = yaml_each_item(rd, node, at, "a list of modes", read_mode, modes);

    (void)field;
    if (!r && !memchr(modes, true, sizeof(modes)))
        r = yaml_fail(rd, node, at, "the list is empty");
    if (!r)
        memcpy(to, modes, sizeof(modes));
    return r;
}

static int check_class(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                       const char *value)
{
    char known[300];

    if (fault_class_find(value))
        return 0;
    fault_class_names(known, sizeof(known));
    return yaml_fail(rd, node, at, "unknown fault class '%.40s' (known: %s)", value, known);
}

static int check_target(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                        const char *value)
{
    static const char *const kinds[] = {"dir:", "file:", "func:", "range:"};

    if (!strcmp(value, "all"))
        return 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strncmp(value, kinds[i], strlen(kinds[i])) && value[strlen(kinds[i])])
            return 0;
    return yaml_fail(rd, node, at,
                "expected all, dir:DIRECTORY, file:FILE, func:NAME or range:FROM-TO, found '%.80s'",
                value);
}

static int check_name(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                      const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (*value && strspn(value, allowed) == strlen(value))
        return 0;
    return yaml_fail(rd, node, at, "'%.80s' is no name: use letters, digits, '.', '_' and '-'", value);
}

static int check_program(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                         const char *value)
{
    if (*value == '/' && !strpbrk(value, " \t\r\n\""))
        return 0;
    return yaml_fail(rd, node, at, "expected a program's path in the guest, as /bin/NAME, found '%.80s'", value);
}

static int check_filesystem(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                            const char *value)
{
    if (!strcmp(value, "ext4"))
        return 0;
    return yaml_fail(rd, node, at, "unknown file system '%.40s' (known: ext4)", value);
}

static const struct yaml_field class_fields[] = {
    {"class", yaml_read_string, offsetof(struct spec_class, class_name), true, 0, 16, check_class, NULL},
    {"trials", yaml_read_u32, offsetof(struct spec_class, trials), false, 1, 1000000, NULL, NULL},
    {"weight", yaml_read_u32, offsetof(struct spec_class, weight), false, 1, 1000000, NULL, NULL},
    {"target", yaml_read_string, offsetof(struct spec_class, target), false, 0, 128, check_target, NULL},
    {"rate", yaml_read_u64_range, offsetof(struct spec_class, rate_lo), false, 1, 1000000000, NULL,
     NULL},
    {0},
};

static int add_class(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at, void *ctx)
{
    struct spec *spec = ctx;
    struct spec_class *classes, *c;
    int r;

    classes = reallocarray(spec->classes, spec->classes_len + 1, sizeof(*classes));
    if (!classes)
        return err_set(rd->err, ENOMEM, "out of memory");
    spec->classes = classes;
    c = &classes[spec->classes_len];
    memset(c, 0, sizeof(*c));
    r = yaml_fields(rd, node, at, class_fields, c);
    if (r)
        return r;
    if (!c->trials == !c->weight)
        return yaml_fail(rd, node, at, c->trials ? "'trials' and 'weight' exclude each other"
                                            : "'trials' is missing (or 'weight', a share of the "
                                              "campaign's)");
    if (c->rate_hi && !fault_class_find(c->class_name)->rated)
        return yaml_fail(rd, node, at, "class %s has no rate", c->class_name);
    for (unsigned i = 0; i < spec->classes_len; i++)
        if (!strcmp(classes[i].class_name, c->class_name))
            return yaml_fail(rd, node, at, "class %s is listed twice; raise 'trials' instead",
                        c->class_name);
    spec->classes_len++;
    return 0;
}

static YAML_READER(read_classes)
{
    (void)field;
    return yaml_each_item(rd, node, at, "a list of classes", add_class, to);
}

/* They become a word of the guest's kernel command line. */
static int check_options(struct yaml_reader *rd, const yaml_node_t *node, const struct yaml_place *at,
                         const char *value)
{
    if (!strpbrk(value, " \t\r\n\""))
        return 0;
    return yaml_fail(rd, node, at, "'%.80s' holds a space or a quote", value);
}

/* The ranges of both are the agent's, so that none is found out by a booted machine. */
static const struct yaml_field guest_fields[] = {
    {"memory_mb", yaml_read_u32, offsetof(struct spec, guest.memory_mb), false, 64, 16384, NULL, NULL},
    {"vcpus", yaml_read_u32, offsetof(struct spec, guest.vcpus), false, 1, 32, NULL, NULL},
    {0},
};

static const struct yaml_field workload_fields[] = {
    {"files", yaml_read_u32, offsetof(struct spec, workload.files), false, 1, STATUS_FILES_MAX, NULL,
     NULL},
    {"blocks_per_file", yaml_read_u32, offsetof(struct spec, workload.blocks_per_file), false, 1,
     STATUS_BLOCKS_MAX, NULL, NULL},
    {"seed", yaml_read_u64, offsetof(struct spec, workload.seed), false, 0, INT64_MAX, NULL, NULL},
    {"filesystem", yaml_read_string, offsetof(struct spec, workload.filesystem), false, 0, 16,
     check_filesystem, NULL},
    {"mount_options", yaml_read_string, offsetof(struct spec, workload.mount_options), false, 0, 128,
     check_options, NULL},
    {"program", yaml_read_string, offsetof(struct spec, workload.program), false, 0, 128, check_program, NULL},
    {0},
};

/* An interval's half-width is never above 0.5. */
static const struct yaml_field stop_fields[] = {
    {"half_width", read_part, offsetof(struct spec, stop.half_width), false, 0, 50, NULL, NULL},
    {"rate_below", read_part, offsetof(struct spec, stop.rate_below), false, 0, 100, NULL, NULL},
    {0},
};

static YAML_READER(read_stop)
{
    int r = yaml_read_map(rd, node, at, field, to);

    if (!r && !spec_has_stop(to))
        r = yaml_fail(rd, node, at, "expected half_width, rate_below or both");
    return r;
}

/* What is at the top for the classes: the target of those that name none, trials to share. */
struct spec_root {
    struct spec spec;
    char target[128];
    unsigned trials;
};

#define U32(key, member, min, max)                                                                 \
    {key, yaml_read_u32, offsetof(struct spec_root, spec.member), false, min, max, NULL, NULL}

static const struct yaml_field root_fields[] = {
    {"name", yaml_read_string, offsetof(struct spec_root, spec.name), true, 0, 64, check_name, NULL},
    {"seed", yaml_read_u64, offsetof(struct spec_root, spec.seed), true, 0, INT64_MAX / 2, NULL, NULL},
    {"classes", read_classes, offsetof(struct spec_root, spec), true, 0, 0, NULL, NULL},
    {"trials", yaml_read_u32, offsetof(struct spec_root, trials), false, 1, 1000000, NULL, NULL},
    {"target", yaml_read_string, offsetof(struct spec_root, target), false, 0, 128, check_target, NULL},
    {"modes", read_modes, offsetof(struct spec_root, spec.modes), false, 0, 0, NULL, NULL},
    U32("golden", golden, 0, 100000),
    U32("golden_run_ms", golden_run_ms, 1, 3600000),
    /* More than one would hide which of them did it, and no executor does it yet. */
    U32("faults_per_trial", faults_per_trial, 1, 1),
    {"require_activation", yaml_read_bool, offsetof(struct spec_root, spec.require_activation), false,
     0, 0, NULL, NULL},
    {"executed", yaml_read_bool, offsetof(struct spec_root, spec.executed), false, 0, 0, NULL, NULL},
    {"module", yaml_read_string, offsetof(struct spec_root, spec.module), false, 0, 256, NULL, NULL},
    U32("redraws", redraws, 1, 1000),
    U32("deadline_ms", deadline_ms, 1, 3600000),
    U32("activation_ms", activation_ms, 1, 3600000),
    U32("boot_deadline_ms", boot_deadline_ms, 100, 3600000),
    {"delay_ms", yaml_read_u32_range, offsetof(struct spec_root, spec.delay_min_ms), false, 0, 3600000,
     NULL, NULL},
    U32("retries", retries, 0, 100),
    {"stop", read_stop, offsetof(struct spec_root, spec), false, 0, 0, NULL, stop_fields},
    {"guest", yaml_read_map, offsetof(struct spec_root, spec), false, 0, 0, NULL, guest_fields},
    {"workload", yaml_read_map, offsetof(struct spec_root, spec), false, 0, 0, NULL, workload_fields},
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

static int check_weights(const char *path, struct spec_root *root, struct err *err)
{
    struct spec *spec = &root->spec;
    unsigned weights = 0;

    for (unsigned i = 0; i < spec->classes_len; i++)
        weights += !!spec->classes[i].weight;
    if (!weights != !root->trials)
        return err_set(err, EINVAL, weights ? "%s: 'trials' is missing: how many are shared by the "
                                                  "classes with a weight"
                                                : "%s: 'trials': no class has a weight to share them by",
                       path);
    share_trials(spec, root->trials);
    return 0;
}

static int check_whole(const char *path, struct spec_root *root, struct err *err)
{
    struct spec *spec = &root->spec;
    int r = check_weights(path, root, err);

    if (r)
        return r;
    for (unsigned i = 0; i < spec->classes_len; i++)
        if (!*spec->classes[i].target)
            strcpy(spec->classes[i].target, *root->target ? root->target : "all");
    if (!spec->classes_len && !spec->golden)
        return err_set(err, EINVAL, "%s: neither classes nor golden runs: nothing to do",
                       path);
    if (spec_has_stop(spec) && !spec->modes[MODE_ENABLED])
        return err_set(err, EINVAL, "%s: stop: the rule is about mode enabled, which 'modes' does not "
                       "have", path);
    if (*spec->module && spec->executed)
        return err_set(err, EINVAL, "%s: module: what is executed is known of the kernel only; leave out "
                       "'executed'", path);
    if (*spec->module && !spec_changes_text(spec))
        return err_set(err, EINVAL, "%s: module: no class changes text", path);
    /* The cache must fit into the guest, next to its kernel. */
    if ((uint64_t)spec->workload.files * spec->workload.blocks_per_file * 4096 / 1048576 >
        spec->guest.memory_mb / 2)
        return err_set(err, EINVAL,
                       "%s: workload: %u files of %u blocks (4 KiB) are more than half of the "
                       "guest's %u MiB",
                       path, spec->workload.files, spec->workload.blocks_per_file,
                       spec->guest.memory_mb);
    return 0;
}

int spec_parse(const char *path, const char *text, struct spec *ret, struct err *err)
{
    struct spec_root root = {.spec = defaults};
    int r = yaml_file_parse(path, text, strlen(text), root_fields, &root, err);

    if (!r)
        r = check_whole(path, &root, err);
    if (!r) {
        root.spec.path = strdup(path);
        root.spec.text = strdup(text);
        if (!root.spec.path || !root.spec.text)
            r = err_set(err, ENOMEM, "out of memory");
    }
    if (r)
        spec_done(&root.spec);
    else
        *ret = root.spec;
    return r;
}

int spec_load(const char *path, struct spec *ret, struct err *err)
{
    char *text;
    size_t len;
    int r = yaml_file_text(path, &text, &len, err);

    if (r)
        return r;
    r = spec_parse(path, text, ret, err);
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
