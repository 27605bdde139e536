// SPDX-License-Identifier: GPL-2.0-or-later
/* A status disk written by a faulty kernel: torn pages, other runs, wild numbers. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "campaigns/agent/status.h"

#define FILES 4
#define BLOCKS 600      /* two table pages a file */
#define RUN_ID 77

static char path[64];
static int fd;
static struct status status;

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/wcr-status-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    if (status_reader_open(path, &status, NULL) == -EINVAL) {
        /* A file system without O_DIRECT. */
        status.buffer = aligned_alloc(STATUS_PAGE_SIZE, (1 + STATUS_WORKERS) * STATUS_PAGE_SIZE);
        status.fd = open(path, O_RDONLY);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    status_reader_close(&status);
    close(fd);
    unlink(path);
    return 0;
}

static void page_put(const void *page, unsigned index)
{
    assert_int_equal(pwrite(fd, page, STATUS_PAGE_SIZE, (off_t)index * STATUS_PAGE_SIZE),
                     STATUS_PAGE_SIZE);
    fsync(fd);
}

static union {
    struct status_head head;
    struct status_worker worker;
    struct status_file file;
    char bytes[STATUS_PAGE_SIZE];
} page;

static void head_put(uint64_t run_id, uint64_t heartbeat, uint32_t workers)
{
    memset(&page, 0, sizeof(page));
    page.head.run_id = run_id;
    page.head.heartbeat = heartbeat;
    page.head.workers = workers;
    memset(page.head.message, 'x', sizeof(page.head.message));
    status_page_seal(&page);
    page_put(&page, 0);
}

static void file_put(uint32_t file, uint32_t part, uint64_t inode, uint64_t after)
{
    memset(&page, 0, sizeof(page));
    page.file.file = file;
    page.file.inode = inode;
    page.file.inode_after = after;
    for (unsigned i = 0; i < STATUS_BLOCKS_PER_PAGE; i++)
        page.file.blocks[i] = (struct status_block){file * 1000 + part * 100 + 2, 1};
    status_page_seal(&page);
    page_put(&page, STATUS_FILES_PAGE + file * 2 + part);
}

static void empty_disk(void **state)
{
    struct content_expect e;

    (void)state;
    assert_int_equal(status_reader_poll(&status, RUN_ID, NULL), 0);
    assert_int_equal(status.head.phase, PHASE_NONE);
    assert_int_equal(status_reader_tables(&status, FILES, BLOCKS, 1, false, NULL), 0);
    assert_false(status_expect(&status, 0, 0, &e));
    assert_false(status_expect(&status, 12, 0, &e));
}

static void only_this_run_counts(void **state)
{
    (void)state;
    head_put(RUN_ID - 1, 5, 2);
    assert_int_equal(status_reader_poll(&status, RUN_ID, NULL), 0);
    assert_int_equal(status.head.heartbeat, 0);
    head_put(RUN_ID, 6, 1000);
    assert_int_equal(status_reader_poll(&status, RUN_ID, NULL), 0);
    assert_int_equal(status.head.heartbeat, 6);
    assert_int_equal(status.head.workers, STATUS_WORKERS);
    assert_int_equal(strlen(status.head.message), sizeof(status.head.message) - 1);
}

static void torn_pages_keep_the_last(void **state)
{
    (void)state;
    head_put(RUN_ID, 6, 2);
    assert_int_equal(status_reader_poll(&status, RUN_ID, NULL), 0);
    head_put(RUN_ID, 7, 2);
    page.bytes[300] ^= 1;
    page_put(&page, 0);
    assert_int_equal(status_reader_poll(&status, RUN_ID, NULL), 0);
    assert_int_equal(status.head.heartbeat, 6);
}

static void tables(void **state)
{
    struct content_expect e;

    (void)state;
    for (uint32_t f = 0; f < FILES; f++) {
        file_put(f, 0, 20 - f, f == 2 ? 0 : 30 + f);
        file_put(f, 1, 20 - f, f == 2 ? 0 : 30 + f);
    }
    assert_int_equal(status_reader_tables(&status, FILES, BLOCKS, 9, false, NULL), 0);
    assert_true(status_expect(&status, 18, 3, &e));
    assert_int_equal(e.file, 2);
    assert_int_equal(e.block, 3);
    assert_int_equal(e.issued, 2002);
    assert_int_equal(e.acked, 1);
    assert_int_equal(e.seed, 9);
    assert_true(status_expect(&status, 18, STATUS_BLOCKS_PER_PAGE, &e));
    assert_int_equal(e.issued, 2102);
    assert_false(status_expect(&status, 18, BLOCKS, &e));
    assert_false(status_expect(&status, 18, UINT64_MAX, &e));
    assert_int_equal(status_reader_tables(&status, FILES, BLOCKS, 9, true, NULL), 0);
    assert_false(status_expect(&status, 18, 3, &e));
    assert_true(status_expect(&status, 33, 3, &e));
    assert_int_equal(e.file, 3);
}

static void damaged_table_promises_nothing(void **state)
{
    struct content_expect e;

    (void)state;
    file_put(1, 0, 50, 0);
    file_put(1, 1, 50, 0);
    page.bytes[2000] ^= 4;
    page_put(&page, STATUS_FILES_PAGE + 3);
    assert_int_equal(status_reader_tables(&status, FILES, BLOCKS, 9, false, NULL), 0);
    assert_true(status_expect(&status, 50, STATUS_BLOCKS_PER_PAGE + 1, &e));
    assert_int_equal(e.acked, 0);
    assert_int_equal(e.issued, UINT32_MAX);
}

static void limits(void **state)
{
    (void)state;
    assert_int_equal(status_reader_tables(&status, 0, 1, 1, false, NULL), -EINVAL);
    assert_int_equal(status_reader_tables(&status, STATUS_FILES_MAX + 1, 1, 1, false, NULL), -EINVAL);
    assert_int_equal(status_reader_tables(&status, 1, STATUS_BLOCKS_MAX + 1, 1, false, NULL), -EINVAL);
    /* More than the disk holds. */
    assert_int_equal(status_reader_tables(&status, 4096, 8, 1, false, NULL), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(only_this_run_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_pages_keep_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(tables, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_table_promises_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
