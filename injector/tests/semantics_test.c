// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a text class that does something else than it says, anywhere in compiled code:
 * every way of every candidate, and every candidate that is left out, judged by another
 * disassembler.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "injector/mutate.h"
#include "injector/plan.h"
#include "injector/target.h"
#include "injector/tests/oracle.h"

struct judged {
    struct image *image;
    struct oracle *oracle;
    struct code code;
    uint64_t functions, unknown, candidates, ways;
};

static void judged_open(struct judged *j, const char *path)
{
    struct err err = {0};

    *j = (struct judged){0};
    if (image_open(path, &j->image, &err))
        fail_msg("%s", err.msg);
    j->oracle = oracle_new(j->image);
    code_init(&j->code, j->image);
}

static void judged_close(struct judged *j)
{
    code_done(&j->code);
    oracle_free(j->oracle);
    image_free(j->image);
}

static void complain(struct judged *j, const char *class, const struct insn *insn,
                     const uint8_t *new, const char *bad)
{
    char old[192];

    snprintf(old, sizeof(old), "%s", oracle_text(j->oracle, insn->va, insn->bytes,
                                                 insn->d.length));
    fail_msg("%s at %s+0x%" PRIx64 ": '%s' became '%s': %s", class, j->code.function->name,
             insn->va - j->code.function->va, old,
             new ? oracle_text(j->oracle, insn->va, new, insn->d.length) : "nothing", bad);
}

static void judge_instruction(struct judged *j, const struct mutate_class *class, unsigned i)
{
    const struct insn *insn = &j->code.insns[i];
    uint8_t bytes[PLAN_BYTES];
    unsigned n = 0, ways = 0;

    for (; class->variant(&j->code, i, &n, bytes); ways++) {
        const char *bad = oracle_judge(j->oracle, class->name, insn->va, bytes, insn->d.length);

        if (bad)
            complain(j, class->name, insn, bytes, bad);
    }
    if (oracle_decides(class->name) &&
        ways != oracle_wants(j->oracle, class->name, insn->va))
        complain(j, class->name, insn, NULL, "it is a candidate, with one way");
    j->candidates += ways > 0;
    j->ways += ways;
}

static void judge_function(struct judged *j, const struct mutate_class *class,
                           const struct image_function *f)
{
    struct err err = {0};
    const char *bad = oracle_enter(j->oracle, f);

    j->functions++;
    if (bad) {
        printf("# %s: %s\n", f->name, bad);
        j->unknown++;
        return;
    }
    if (code_decode(&j->code, f, &err))
        fail_msg("%s", err.msg);
    for (unsigned i = 0; i < j->code.len; i++)
        judge_instruction(j, class, i);
}

/* Class @only, or each text class when it is NULL, over a target; all have candidates. */
static void judge_target(const char *path, const char *text, const char *only)
{
    const struct image_function *f;
    struct target target;
    struct err err = {0};
    struct judged j;
    size_t n;

    judged_open(&j, path);
    if (target_parse(text, &target, &err) || image_load_dwarf(j.image, &err))
        fail_msg("%s", err.msg);
    f = image_functions(j.image, &n);
    for (size_t c = 0; c < fault_classes_len; c++) {
        if (fault_classes[c].kind != FAULT_TEXT ||
            (only && strcmp(fault_classes[c].name, only) != 0))
            continue;
        j.functions = j.unknown = j.candidates = j.ways = 0;
        for (size_t i = 0; i < n; i++)
            if (target_has_function(&target, j.image, &f[i]))
                judge_function(&j, mutate_class_find(fault_classes[c].name), &f[i]);
        printf("# %s: %s: %" PRIu64 " candidates, %" PRIu64 " ways\n", text, fault_classes[c].name,
               j.candidates, j.ways);
        /* Capstone 4 does not know a few privileged instructions. */
        assert_true(j.unknown * 1000 < j.functions);
        if (!j.candidates)
            fail_msg("%s: no candidate of %s", text, fault_classes[c].name);
    }
    judged_close(&j);
}

static void of_samples(void **state)
{
    (void)state;
    judge_target("/proc/self/exe", "file:injector/tests/sample.c", NULL);
}

static const char *kernel(void)
{
    const char *path = oracle_vmlinux();

    if (!path) {
        print_message("no vmlinux: set WCR_VMLINUX, or run 'make testbed'\n");
        skip();
    }
    return path;
}

static void of_ext4(void **state)
{
    (void)state;
    judge_target(kernel(), "dir:fs/ext4", NULL);
}

/* What ext4 does not call is called elsewhere. */
static void locks_of_a_kernel(void **state)
{
    (void)state;
    judge_target(kernel(), "all", "LOCK");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_samples),
        cmocka_unit_test(of_ext4),
        cmocka_unit_test(locks_of_a_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
