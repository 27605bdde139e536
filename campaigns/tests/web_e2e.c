// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest with a network serves the web from its own disk. Catches: an interface that does not
 * come up, or not again after a reboot; content that is wrong when the server reads it
 * from kept pages; and a guest that is called frozen while its disk works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/tests/machine.h"

#define DISK "/dev/mapper/data"
#define PAGE_BYTES 1000000
#define URL "http://10.77.0.2:80/page"

/* The server's program is on the guest's disk, too. */
static void make_site(void)
{
    machine_exec("/sbin/mke2fs -q -t ext4 -b 4096 " DISK " && mkdir /tmp/site && "
                 "mount -t ext4 " DISK " /tmp/site && cp -a /usr/share/wcr/web /tmp/site/ && "
                 "head -c %d /dev/urandom >/tmp/page && cp /tmp/page /tmp/site/web/www/ && umount /tmp/site", PAGE_BYTES);
}

static int64_t disk_reads(void)
{
    json_t *reply = machine_call(0, "{s:s}", "cmd", "counters");
    int64_t ret = machine_number(reply, "disk_reads");

    json_decref(reply);
    return ret;
}

/* Returns the requests to the guest's disk that it took. */
static int64_t serve(void)
{
    int64_t before = disk_reads(), requests = 0;
    char *output, *line;

    json_decref(machine_call(0, "{s:s}", "cmd", "guest_resume"));
    machine_guest("web");
    machine_exec("wget -q -O /tmp/got " URL " && cmp /tmp/got /tmp/page");
    assert_int_equal(machine_try(&output, "wrk -t 1 -c 4 -d 1s " URL), 0);
    line = strstr(output, " requests in ");
    while (line && line > output && line[-1] != '\n')
        line--;
    if (line)
        requests = strtoll(line, NULL, 10);
    if (requests <= 0 || strstr(output, "Socket errors") || strstr(output, "Non-2xx"))
        fail_msg("%s", output);
    print_message("# %d requests, %d reads of the disk\n", (int)requests, (int)(disk_reads() - before));
    free(output);
    return disk_reads() - before;
}

static void a_guest_serves_the_web_and_again_after_a_warm_reboot(void **state)
{
    int64_t first = serve(), second;
    struct machine_life life = machine_reboot("enabled");
    json_t *verify;

    (void)state;
    machine_life_done(&life);
    second = serve();
    assert_true(second < first);
    verify = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "reboot");
    assert_true(machine_number(verify, "pages_reused") > PAGE_BYTES / 4096);
    assert_int_equal(machine_number(verify, "pages_inconsistent"), 0);
    json_decref(verify);
}

/* Without an end to the connections: nobody tells domain 0 that a guest crashed. */
static void load_finds_the_server_again(void **state)
{
    (void)state;
    json_decref(machine_call(0, "{s:s}", "cmd", "guest_resume"));
    machine_guest("web");
    machine_exec("wcr-load " URL " 4 10 >/tmp/load 2>&1 & sleep 1; cat /proc/uptime >/tmp/crash");
    json_decref(machine_call(0, "{s:s, s:s, s:i}", "cmd", "reboot", "mode", "enabled", "read", 0));
    json_decref(machine_call(0, "{s:s}", "cmd", "guest_resume"));
    machine_guest("web");
    machine_exec("cat /proc/uptime >/tmp/back; sleep 2; "
                 "awk -v crash=$(cut -d' ' -f1 /tmp/crash) -v back=$(cut -d' ' -f1 /tmp/back) '"
                 "{ n = $2 - last; last = $2 } NR == 1 { next } $1 < crash { before += n } "
                 "$1 > back { after += n } n < 1000 { silent++ } "
                 "END { print before, silent, after; exit !(before > %d && silent > 5 && after > %d) }' /tmp/load",
                 PAGE_BYTES, PAGE_BYTES);
}

static void there_is_one_server_and_it_has_a_tree(void **state)
{
    (void)state;
    machine_guest("web");
    assert_int_equal(machine_guest_try("web"), -EADDRINUSE);
    json_decref(machine_call(0, "{s:s}", "cmd", "guest_stop"));
    machine_exec("/sbin/mke2fs -q -F -t ext4 -b 4096 " DISK);
    json_decref(machine_call(0, "{s:s, s:b}", "cmd", "guest_start", "network", 1));
    assert_int_equal(machine_guest_try("web"), -ENOENT);
}

/* The disk's name is not that of its device, and it is slow: the writes of the workload are under way. */
static void a_frozen_guest_has_nothing_under_way(void **state)
{
    (void)state;
    machine_exec("mkdir /run/blkio && mount -t cgroup -o blkio blkio /run/blkio && "
                 "echo $(cat /sys/block/vdb/dev) 1000000 >/run/blkio/blkio.throttle.write_bps_device");
    json_decref(machine_call(0, "{s:s, s:i}", "cmd", "golden", "run_ms", 500));
    machine_exec("cd /sys/block/dm-0 && read r w <inflight && echo $r $w under way && [ $((r + w)) -eq 0 ]");
}

static int setup(void **state)
{
    static const struct testbed_options options = {
        .dom0_append = "wcr.agent=--data-disk=" DISK,
    };

    (void)state;
    if (machine_boot(&options))
        return -1;
    machine_exec("dmsetup create data --noudevsync --table \"0 $(blockdev --getsz /dev/vdb) linear /dev/vdb 0\" && "
                 "dmsetup mknodes");
    make_site();
    json_decref(machine_call(0, "{s:s, s:b, s:i, s:i}", "cmd", "guest_start", "network", 1, "files", 16,
                             "blocks_per_file", 32));
    machine_save("warm");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_guest_serves_the_web_and_again_after_a_warm_reboot, machine_from_warm),
        cmocka_unit_test_setup(load_finds_the_server_again, machine_from_warm),
        cmocka_unit_test_setup(there_is_one_server_and_it_has_a_tree, machine_from_warm),
        cmocka_unit_test_setup(a_frozen_guest_has_nothing_under_way, machine_from_warm),
    };

    return cmocka_run_group_tests_name("web, end to end", tests, setup, machine_down);
}
