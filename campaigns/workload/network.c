// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/workload/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int request(int fd, const char *device, unsigned long what, struct ifreq *q)
{
    strcpy(q->ifr_name, device);
    return ioctl(fd, what, q) < 0 ? -errno : 0;
}

static int address_set(int fd, unsigned long what, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    struct ifreq q = {0};

    memcpy(&q.ifr_addr, &in, sizeof(in));
    return request(fd, "eth0", what, &q);
}

static int device_up(int fd, const char *device)
{
    struct ifreq q = {.ifr_flags = IFF_UP};

    return request(fd, device, SIOCSIFFLAGS, &q);
}

/*
 * What a machine that comes up says to its neighbours: one that asked for it while it was away
 * would wait a second until it asks again.
 */
static int announce(void)
{
    return file_write("/proc/sys/net/ipv4/conf/eth0/arp_notify", "1");
}

int network_up(uint32_t address, uint32_t prefix_bits)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

    if (fd < 0)
        return -errno;
    r = announce() ?: device_up(fd, "lo") ?: address_set(fd, SIOCSIFADDR, address) ?:
        address_set(fd, SIOCSIFNETMASK, htonl(UINT32_MAX << (32 - prefix_bits))) ?: device_up(fd, "eth0");
    close(fd);
    return r;
}
