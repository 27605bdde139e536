/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Campaign specifications: YAML, checked with file:line messages.
 *
 *   quick.yaml:12: classes[2].class: unknown fault class 'FOO' (known: ...)
 *
 * campaigns/specs/quick.yaml shows every field with its default.
 */
#ifndef WCR_CAMPAIGNS_SPEC_H
#define WCR_CAMPAIGNS_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

enum reboot_mode { MODE_ENABLED, MODE_DISABLED, MODE_COLD, MODES };

/* 'enabled', 'disabled', 'cold': the names used everywhere. */
const char *reboot_mode_name(enum reboot_mode mode);
int reboot_mode_find(const char *name);     /* -1: no such mode */

/* The class name under which fault-free runs are recorded. */
#define GOLDEN_CLASS "GOLDEN"

struct spec_class {
    char class_name[16];
    unsigned trials;
    unsigned weight;            /* its share of the campaign's trials; 0: it has its own */
    char target[128];           /* as plan_draw takes it; only text classes have one */
    uint64_t rate_lo, rate_hi;  /* run-time classes: once every N calls; 0: the class's own */
};

struct spec {
    char *path;                 /* as given, for messages */
    char *text;                 /* the file as read: kept in the database */
    char name[64];
    uint64_t seed;              /* the n-th trial of a class has seed + n */
    struct spec_class *classes;
    unsigned classes_len;
    bool modes[MODES];
    unsigned golden;            /* fault-free trials */
    unsigned golden_run_ms;     /* virtual time */
    unsigned faults_per_trial;
    bool require_activation;
    bool executed;              /* text faults only where a fault-free run gets to */
    char module[256];           /* text faults go into this file (.ko); "": into the kernel */
    unsigned redraws;           /* plans tried for one trial, at most, when activation is required */
    unsigned deadline_ms;       /* virtual time from injection to "no crash" */
    unsigned activation_ms;     /* where activation is required: not executed by then, redraw */
    unsigned boot_deadline_ms;  /* virtual time for the guest to boot and read everything */
    unsigned delay_min_ms, delay_max_ms;
    unsigned retries;           /* of experiment errors, per trial */
    struct {                    /* a class is over when one of them is reached; 0: not asked for */
        double half_width;      /* of the interval of its rate */
        double rate_below;      /* the bound of its rate, without a failure */
    } stop;
    struct {
        unsigned memory_mb, vcpus;
    } guest;
    struct {
        unsigned files, blocks_per_file;
        uint64_t seed;
        char filesystem[16];
        char mount_options[128];
        char program[128];      /* in the guest, instead of its workers; "": these */
    } workload;
};

int spec_load(const char *path, struct spec *ret, struct err *err);
/* As spec_load, from memory; @path is used in messages only. */
int spec_parse(const char *path, const char *text, struct spec *ret, struct err *err);
void spec_done(struct spec *spec);

/*
 * Every field that decides what a trial is, with defaults filled in. How many there are
 * (trials, golden, retries, stop) is left out: a campaign can be made longer.
 */
json_t *spec_to_json(const struct spec *spec);

/* Is there a rule that ends a class before all of its trials are done? */
bool spec_has_stop(const struct spec *spec);

/* Does any class change text? */
bool spec_changes_text(const struct spec *spec);

/* Are plans drawn from what the workload executes? Not if no class changes text. */
bool spec_needs_profile(const struct spec *spec);

/* Trials in all: golden runs and classes, times modes. */
unsigned spec_trials(const struct spec *spec);

#endif
