/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the mechanism costs a guest: the same workloads on several machines, in
 * instructions of domain 0 and the guest, the hypervisor's on their behalf included.
 */
#ifndef WCR_BENCH_COST_H
#define WCR_BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

#define REPEATS_MAX 9
#define NS_PER_INSTRUCTION 2    /* QEMU's -icount shift=1 */

/* Stock comes first: the others are compared with it. */
enum machine_kind { MACHINE_STOCK, MACHINE_OFF, MACHINE_NONE, MACHINE_ENABLED, MACHINES };

struct machine_config {
    const char *name, *title;
    bool stock;
    const char *xen_append, *dom0_append;
    const char *policy;
};

struct workload {
    const char *name;           /* as the guest knows it; first "nothing" */
    uint32_t size;              /* bytes an operation */
    double target;              /* of ENABLED / STOCK; 0: none */
};

enum counter { DISK_READS, DISK_WRITES, IO_READS, IO_WRITES, IO_REQUESTS, IO_CALLS, MAP_ENTRIES,
    MAP_CALLS, PROTECT_REFUSED, STORES_SEEN, COUNTERS };

struct sample {
    uint64_t guest, total;      /* instructions; the empty command's are taken off */
    uint64_t ns;                /* by the guest's clock */
};

/* One workload on one machine. */
struct cost {
    unsigned repeats;           /* 0: not measured */
    uint64_t ops;
    struct sample sample[REPEATS_MAX];  /* the least total first */
    struct sample best;                 /* the least */
    double noise;                       /* how far the second is from it, as a part of it */
    int64_t counter[COUNTERS];  /* of one repeat */
};

extern const struct machine_config machine_configs[MACHINES];
extern const struct workload workloads[];
extern const unsigned workloads_len;
extern const char *const counter_names[COUNTERS];

#define WORKLOADS_MAX 32
typedef struct cost cost_table[MACHINES][WORKLOADS_MAX];

/* measure.c: boot that machine, do every workload whose @wanted is set, stop it. */
int measure_machine(enum machine_kind kind, const char *env, unsigned repeats, const bool *wanted,
                    struct cost *ret, struct err *err);

/* report.c */
int report_tables(FILE *out, const cost_table *costs);
int report_json(FILE *out, const cost_table *costs);

#endif
