// SPDX-License-Identifier: GPL-2.0-or-later
/* A verdict that blames the wrong side, or none, would make the campaign's table a lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "campaigns/agent/verdict.h"

#define SEED 11
#define FILE_ID 3
#define BLOCK 5

static _Alignas(4096) char memory[CONTENT_BLOCK_SIZE], disk[CONTENT_BLOCK_SIZE];
static char detail[400];

static const struct content_expect expect = {
    .seed = SEED, .file = FILE_ID, .block = BLOCK, .issued = 9, .acked = 6,
};

static void fill(void *to, uint32_t version)
{
    content_fill(to, SEED, FILE_ID, BLOCK, version);
}

static enum verdict judge(const struct content_expect *e)
{
    return verdict_judge(memory, disk, e, detail, sizeof(detail));
}

static void equal_is_consistent(void **state)
{
    (void)state;
    fill(memory, 7);
    fill(disk, 7);
    assert_int_equal(judge(&expect), VERDICT_CONSISTENT);
    assert_int_equal(judge(NULL), VERDICT_CONSISTENT);
    memset(memory, 0xa5, sizeof(memory));
    memset(disk, 0xa5, sizeof(disk));
    assert_int_equal(judge(&expect), VERDICT_CONSISTENT);
}

static void one_flipped_bit_is_corrupt(void **state)
{
    (void)state;
    for (unsigned at = 0; at < CONTENT_BLOCK_SIZE; at += 61) {
        fill(memory, 7);
        fill(disk, 7);
        memory[at] ^= 0x10;
        assert_int_not_equal(judge(&expect), VERDICT_CONSISTENT);
        /* The magic's own bytes make it foreign, any other broken: wrong all the same. */
        assert_int_equal(judge(&expect), VERDICT_CORRUPT);
    }
}

static void newer_memory_is_a_stale_disk(void **state)
{
    (void)state;
    fill(memory, 8);
    fill(disk, 7);
    assert_int_equal(judge(&expect), VERDICT_STALE_DISK);
    /* Acknowledged, and the disk has not even the place right. */
    content_fill(disk, SEED, FILE_ID + 1, BLOCK, 2);
    assert_int_equal(judge(&expect), VERDICT_STALE_DISK);
    memset(disk, 0, sizeof(disk));
    assert_int_equal(judge(&expect), VERDICT_STALE_DISK);
    memset(disk, 1, sizeof(disk));
    assert_int_equal(judge(&expect), VERDICT_STALE_DISK);
}

static void older_memory_is_corrupt(void **state)
{
    (void)state;
    fill(memory, 6);
    fill(disk, 7);
    assert_int_equal(judge(&expect), VERDICT_CORRUPT);
    /* Older than acknowledged, and the disk is no help: the memory is wrong still. */
    fill(memory, 2);
    memset(disk, 1, sizeof(disk));
    assert_int_equal(judge(&expect), VERDICT_CORRUPT);
}

static void another_place_is_corrupt(void **state)
{
    (void)state;
    fill(disk, 7);
    content_fill(memory, SEED, FILE_ID + 1, BLOCK, 7);
    assert_int_equal(judge(&expect), VERDICT_CORRUPT);
    content_fill(memory, SEED, FILE_ID, BLOCK + 1, 7);
    assert_int_equal(judge(&expect), VERDICT_CORRUPT);
    content_fill(memory, SEED + 1, FILE_ID, BLOCK, 7);
    assert_int_equal(judge(&expect), VERDICT_CORRUPT);
    assert_non_null(strstr(detail, "expected file 3 block 5"));
}

static void zero_memory(void **state)
{
    struct content_expect nothing = expect;

    (void)state;
    nothing.acked = 0;
    memset(memory, 0, sizeof(memory));
    fill(disk, 7);
    assert_int_equal(judge(&expect), VERDICT_CORRUPT);
    memset(disk, 1, sizeof(disk));
    assert_int_equal(judge(&nothing), VERDICT_UNKNOWN);
}

static void damaged_memory_over_a_promised_hole(void **state)
{
    struct content_expect nothing = expect;

    (void)state;
    nothing.acked = 0;
    memset(memory, 1, sizeof(memory));
    memset(disk, 0, sizeof(disk));
    assert_int_equal(judge(&nothing), VERDICT_CORRUPT);
    assert_int_equal(judge(&expect), VERDICT_UNKNOWN);
}

static void both_damaged_is_unknown(void **state)
{
    (void)state;
    memset(memory, 1, sizeof(memory));
    memset(disk, 2, sizeof(disk));
    assert_int_equal(judge(&expect), VERDICT_UNKNOWN);
}

static void a_version_nobody_issued_is_unknown(void **state)
{
    (void)state;
    fill(memory, 10);
    fill(disk, 7);
    assert_int_equal(judge(&expect), VERDICT_UNKNOWN);
}

static void other_inodes_are_only_compared(void **state)
{
    (void)state;
    memset(memory, 1, sizeof(memory));
    fill(disk, 7);
    assert_int_equal(judge(NULL), VERDICT_UNKNOWN);
    assert_non_null(strstr(detail, "not a file of the workload"));
}

static void judgements(void **state)
{
    struct content_expect e = expect;

    (void)state;
    fill(memory, 6);
    assert_int_equal(content_judge(memory, &e), CONTENT_OK);
    fill(memory, 9);
    assert_int_equal(content_judge(memory, &e), CONTENT_OK);
    fill(memory, 5);
    assert_int_equal(content_judge(memory, &e), CONTENT_LOST);
    fill(memory, 10);
    assert_int_equal(content_judge(memory, &e), CONTENT_FUTURE);
    memory[1000] ^= 1;
    assert_int_equal(content_judge(memory, &e), CONTENT_DAMAGED);
    content_fill(memory, SEED, FILE_ID, BLOCK + 1, 7);
    assert_int_equal(content_judge(memory, &e), CONTENT_MISPLACED);
    memset(memory, 0, sizeof(memory));
    assert_int_equal(content_judge(memory, &e), CONTENT_LOST);
    e.acked = 0;
    assert_int_equal(content_judge(memory, &e), CONTENT_OK);
}

static void fills_differ(void **state)
{
    (void)state;
    fill(memory, 7);
    fill(disk, 8);
    /* Any 64 bytes tell two versions apart, so that a torn write is seen by eye too. */
    for (unsigned at = 64; at < CONTENT_BLOCK_SIZE; at += 64)
        assert_memory_not_equal(memory + at, disk + at, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_is_consistent),
        cmocka_unit_test(one_flipped_bit_is_corrupt),
        cmocka_unit_test(newer_memory_is_a_stale_disk),
        cmocka_unit_test(older_memory_is_corrupt),
        cmocka_unit_test(another_place_is_corrupt),
        cmocka_unit_test(zero_memory),
        cmocka_unit_test(damaged_memory_over_a_promised_hole),
        cmocka_unit_test(both_damaged_is_unknown),
        cmocka_unit_test(a_version_nobody_issued_is_unknown),
        cmocka_unit_test(other_inodes_are_only_compared),
        cmocka_unit_test(judgements),
        cmocka_unit_test(fills_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
