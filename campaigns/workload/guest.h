/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's only program: PID 1, its workers, and the reader after a reboot. All
 * memory is taken and locked before the workload starts; after that nothing forks
 * (but for the commands that load a module) and nothing allocates, so that a fault in
 * the kernel's allocator shows in the kernel and not here.
 */
#ifndef WCR_WORKLOAD_GUEST_H
#define WCR_WORKLOAD_GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/workload/content.h"
#include "campaigns/workload/status_layout.h"

#define DATA_DIR "/data"
#define FILES_DIR DATA_DIR "/w"

struct guest_options {      /* from the kernel command line, wcr.NAME= */
    char mode[16];          /* run, verify, or idle: verify without reading */
    char fs[16];
    char fsopts[128];
    char device[32];        /* that holds the file system */
    char program[128];      /* run this instead of the built-in workers */
    uint32_t address;       /* eth0's, in network order; 0: there is no network */
    uint32_t prefix_bits;   /* of its network */
    uint32_t files, blocks, workers, pace_us, cold_files_in_four;
    uint64_t seed, run_id;
};

/* Shared by init and its workers. */
struct guest {
    struct guest_options opt;
    int status_fd;
    uint32_t pages_per_file;
    struct status_head *head;
    char *worker_pages;             /* [STATUS_WORKERS], see status_worker_of */
    struct status_file *table;      /* [files * pages_per_file] */
    int32_t worker_pid[STATUS_WORKERS];
    uint64_t head_last_ns;          /* when page 0 was written last */
    _Atomic bool quiesce;
};

uint64_t now_ns(void);
int guest_options_parse(const char *cmdline, struct guest_options *ret);

/* status_io.c: the status disk. All return 0 or -errno. */
int status_open(struct guest *g);
int status_head_write(struct guest *g);
void status_phase_set(struct guest *g, enum status_phase phase);
int status_worker_write(struct guest *g, unsigned worker);
/* The table page that holds @block of @file. */
int status_file_write(struct guest *g, uint32_t file, uint32_t block);
int status_file_write_all(struct guest *g, uint32_t file);
/* Read the tables of the run before; pages that are not sound are made "nothing known". */
int status_tables_load(struct guest *g);
void status_tables_init(struct guest *g);
/* command.c: the file, with parameters as insmod takes them. */
int module_load(const char *path, const char *parameters);

/* Called now and then by whatever takes long in init. */
void init_heartbeat(struct guest *g);

static inline struct status_worker *status_worker_of(struct guest *g, unsigned worker)
{
    return (void *)(g->worker_pages + (size_t)worker * STATUS_PAGE_SIZE);
}

static inline struct status_block *status_block_of(struct guest *g, uint32_t file, uint32_t block)
{
    return &g->table[file * g->pages_per_file + block / STATUS_BLOCKS_PER_PAGE]
                .blocks[block % STATUS_BLOCKS_PER_PAGE];
}

/* versions.c: the table in memory and on the status disk. All return 0 or -errno. */
/* New versions for @count blocks, made known before they are used. */
int versions_issue(struct guest *g, uint32_t file, uint32_t first, uint32_t count);
/* Nothing is promised about blocks from @first on: they are about to be cut off. */
int versions_disown(struct guest *g, uint32_t file, uint32_t first);
/* Durably zero: no version at all may be found there. */
int versions_zero(struct guest *g, uint32_t file, uint32_t first, uint32_t count);
/* The versions issued are durable. Blocks that no file has are left out. */
int versions_acknowledge(struct guest *g, uint32_t file, uint32_t first, uint32_t count);

/* files.c: names and whole files. A file has one of two names, and moves between them. */
void file_path(char ret[64], uint32_t file, char letter);
int file_open(struct guest *g, uint32_t file, int flags, char *ret_letter);
/* The inode of the file's pages from now on; @fd -1: none. */
int file_inode_set(struct guest *g, uint32_t file, int fd);
int files_dir_sync(void);
int files_fill(struct guest *g);
int files_warm(struct guest *g);

/* worker.c: never returns. */
_Noreturn void worker_main(struct guest *g, unsigned index);

/* network.c: give eth0, which is there, and the loopback device their addresses. 0 or -errno. */
int network_up(uint32_t address, uint32_t prefix_bits);

/* reader.c: read and judge every file, fill the head's results. */
int reader_run(struct guest *g);

/* bench.c: see there. */
struct bench_result {
    uint32_t ops;
    uint64_t ns;
};
int bench_setup(void);
int bench_do(const char *step, const char *name, uint32_t size, struct bench_result *ret);

/* command.c: one line from the console. */
void command_run(struct guest *g, char *line);

#endif
