// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr-agent: serves the protocol of campaigns/protocol.md on one port. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "campaigns/agent/agent.h"
#include "campaigns/agent/clock.h"
#include "campaigns/agent/exec.h"
#include "campaigns/agent/fault.h"
#include "campaigns/agent/libvirt.h"
#include "campaigns/agent/proto.h"

#define WRITE_MS 30000
#define STRING2(x) #x
#define STRING(x) STRING2(x)

struct port {
    int in, out;
    bool stdio;             /* the end of input is the end of the agent */
    struct proto_reader reader;
};

struct handler {
    const char *cmd;
    int (*run)(struct agent *a, const json_t *request, json_t **ret, struct err *err);
    bool alone;             /* does without the guest's devices and the mechanism */
};

static bool leave;

/*
 * What needs the hypervisor is opened when a request first needs it, so that the reply
 * can say why not. a->mech stays NULL without an error when it is not to be had.
 */
static int xen_ready(struct agent *a, int *ret_abi, struct err *err)
{
    int r = 0;

    *ret_abi = WCR_ABI_VERSION;
    if (!a->xen)
        r = xen_open(&a->xen, err);
    if (r || a->mech)
        return r;
    r = wcr_call_open(&a->mech, err);
    if (!r && wcr_call_version(a->mech, ret_abi, NULL)) {
        wcr_call_close(a->mech);
        a->mech = NULL;
    }
    return r;
}

static int agent_ready(struct agent *a, struct err *err)
{
    int abi, r = xen_ready(a, &abi, err);

    if (!r && !a->mech && abi > 0)
        r = err_set(err, EPROTO, "the hypervisor speaks version %d of the warm-cache "
                    "interface, this agent version %d", abi, WCR_ABI_VERSION);
    else if (!r && !a->mech && !a->opt.no_warmcache)
        r = err_set(err, ENOSYS, "this hypervisor has no warm caches (--no-warmcache goes on "
                    "without)");
    if (!r && !a->status.buffer)
        r = status_reader_open(a->opt.status_disk, &a->status, err);
    return r;
}

/* The caller's libvirt URI, if it has one, instead of that of the command line. */
static int connect_take(struct agent *a, const json_t *q, struct err *err)
{
    static char uri[256];
    char wanted[sizeof(uri)];
    int r = request_string(q, "connect", a->opt.connect, wanted, sizeof(wanted), err);

    if (r || !strcmp(wanted, a->opt.connect))
        return r;
    libvirt_close(a);
    strcpy(uri, wanted);
    a->opt.connect = uri;
    return 0;
}

static int cmd_hello(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct utsname uts;
    char xen[64];
    int abi, r = connect_take(a, q, err);

    if (!r)
        r = xen_ready(a, &abi, err);
    if (r)
        return r;
    xen_version(a->xen, xen, sizeof(xen));
    uname(&uts);
    *ret = json_pack("{s:s, s:s, s:s, s:i}", "version", AGENT_VERSION, "xen", xen, "kernel",
                     uts.release, "abi", abi);
    return 0;
}

static int cmd_exec(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    static struct exec_result result;
    uint64_t deadline_ms;
    char line[4096];
    int r;

    (void)a;
    r = request_string(q, "line", NULL, line, sizeof(line), err);
    if (!r)
        r = request_uint(q, "deadline_ms", 60000, 1, 3600000, &deadline_ms, err);
    if (!r)
        r = exec_shell(line, clock_ns() + ms_to_ns(deadline_ms), &result, err);
    if (!r)
        *ret = json_pack("{s:i, s:s}", "rc", result.rc, "output", result.output);
    return r;
}

static int cmd_host(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    uint64_t free_pages;
    unsigned domains;
    int r = xen_host_info(a->xen, &free_pages, &domains, err);

    (void)q;
    if (!r)
        *ret = json_pack("{s:I, s:i}", "free_pages", (json_int_t)free_pages, "domains",
                         (int)domains);
    return r;
}

static int cmd_shutdown(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    (void)q, (void)ret, (void)err;
    if (a->xen)
        guest_destroy(a);
    leave = true;
    return 0;
}

static const struct handler handlers[] = {
    {"hello", cmd_hello, true},
    {"exec", cmd_exec, true},
    {"guest_start", guest_start, false},
    {"golden", guest_golden, false},
    {"inject", guest_inject, false},
    {"verify", guest_verify, false},
    {"reboot", guest_reboot, false},
    {"guest_resume", guest_resume, false},
    {"guest_command", guest_command, false},
    {"counters", guest_counters, false},
    {"guest_stop", guest_stop, false},
    {"host", cmd_host, false},
    {"shutdown", cmd_shutdown, true},
};

static json_t *serve_request(struct agent *a, const char *line)
{
    struct request q;
    struct err err = {0};
    json_t *fields = NULL, *reply;
    int r = request_parse(line, &q, &err);

    if (!r) {
        const struct handler *h = NULL;

        for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
            if (strcmp(handlers[i].cmd, q.cmd) == 0)
                h = &handlers[i];
        if (!h)
            r = err_set(&err, ENOSYS, "unknown command '%.40s'", q.cmd);
        else if (!h->alone)
            r = agent_ready(a, &err);
        if (!r)
            r = h->run(a, q.json, &fields, &err);
    }
    if (r) {
        json_decref(fields);
        reply = reply_error(q.id, &err);
    } else {
        reply = reply_ok(q.id, fields);
    }
    request_done(&q);
    return reply;
}

static int port_write(struct port *p, const char *text, size_t len)
{
    uint64_t deadline = clock_ns() + ms_to_ns(WRITE_MS);

    while (len) {
        struct pollfd fd = {.fd = p->out, .events = POLLOUT};
        ssize_t n = write(p->out, text, len);

        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        } else if (deadline_over(deadline)) {
            return -ETIMEDOUT;
        } else {
            poll(&fd, 1, POLL_MS);
        }
    }
    return 0;
}

static void port_reply(struct port *p, json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    size_t len;

    json_decref(reply);
    if (!text)
        return;
    len = strlen(text);
    text[len] = '\n';   /* in the place of the end */
    if (port_write(p, text, len + 1) < 0)
        fprintf(stderr, "wcr-agent: a reply could not be delivered\n");
    free(text);
}

static void port_lines(struct agent *a, struct port *p)
{
    static char line[PROTO_LINE_MAX];
    int r;

    while (!leave && (r = proto_reader_line(&p->reader, line)) != 0) {
        struct err err = {0};

        if (r < 0)
            err_set(&err, -r, r == -EILSEQ ? "request with a NUL in it" :
                    "request longer than " STRING(PROTO_LINE_MAX) " bytes");
        if (r < 0)
            port_reply(p, reply_error(-1, &err));
        else if (line[0])
            port_reply(p, serve_request(a, line));
    }
}

static void serve(struct agent *a, struct port *p)
{
    while (!leave) {
        struct pollfd fd = {.fd = p->in, .events = POLLIN};
        size_t room;
        char *to;
        ssize_t n;

        poll(&fd, 1, 1000);
        if (!(fd.revents & POLLIN)) {
            /* Nobody is at the other end of a virtio port: it says so, at once, for ever. */
            if (fd.revents) {
                if (p->stdio)
                    return;
                nap(POLL_MS, -1);
            }
            continue;
        }
        to = proto_reader_room(&p->reader, &room);
        n = read(p->in, to, room);
        if (n > 0) {
            proto_reader_added(&p->reader, (size_t)n);
            port_lines(a, p);
        } else if (p->stdio && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
            return;
        } else {
            nap(POLL_MS, -1);
        }
    }
}

static const char usage[] =
    "usage: wcr-agent --port PATH | --stdio [options]\n"
    "  --connect URI         libvirt (xen:///system)\n"
    "  --domain NAME         the guest's name (wcr-guest)\n"
    "  --uuid UUID           and UUID: names its warm cache\n"
    "  --data-disk DEV       backing device of the guest's xvda (/dev/vdb)\n"
    "  --status-disk DEV     and xvdb (/dev/vdc)\n"
    "  --kernel FILE --initrd FILE    of the guest (/usr/lib/wcr/guest-vmlinuz, guest-initrd.img)\n"
    "  --cmdline WORDS       added to the guest's kernel command line\n"
    "  --console-dir DIR     where xenconsoled keeps its logs (/var/log/xen/console)\n"
    "  --hang-ms N           a heartbeat that stands still so long is a hang (2000)\n"
    "  --settle-ms N         after an oops, wait so long for what follows (2000)\n"
    "  --no-warmcache        go on, cold, on a hypervisor without the mechanism\n";

enum { OPT_PORT = 256, OPT_STDIO, OPT_CONNECT, OPT_DOMAIN, OPT_UUID, OPT_DATA, OPT_STATUS, OPT_KERNEL,
       OPT_INITRD, OPT_CMDLINE, OPT_CONSOLE, OPT_HANG, OPT_SETTLE, OPT_COLD, OPT_HELP };

static const struct option options[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"stdio", no_argument, NULL, OPT_STDIO},
    {"connect", required_argument, NULL, OPT_CONNECT},
    {"domain", required_argument, NULL, OPT_DOMAIN},
    {"uuid", required_argument, NULL, OPT_UUID},
    {"data-disk", required_argument, NULL, OPT_DATA},
    {"status-disk", required_argument, NULL, OPT_STATUS},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"initrd", required_argument, NULL, OPT_INITRD},
    {"cmdline", required_argument, NULL, OPT_CMDLINE},
    {"console-dir", required_argument, NULL, OPT_CONSOLE},
    {"hang-ms", required_argument, NULL, OPT_HANG},
    {"settle-ms", required_argument, NULL, OPT_SETTLE},
    {"no-warmcache", no_argument, NULL, OPT_COLD},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int milliseconds(const char *text, unsigned *ret)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (end == text || *end || v < 1 || v > 3600000)
        return -EINVAL;
    *ret = (unsigned)v;
    return 0;
}

static int options_take(int argc, char **argv, struct agent_options *o, struct port *p,
                        const char **ret_port)
{
    int c, r = 0;

    while (!r && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case OPT_PORT:    *ret_port = optarg; break;
        case OPT_STDIO:   p->stdio = true; break;
        case OPT_CONNECT: o->connect = optarg; break;
        case OPT_DOMAIN:  o->domain_name = optarg; break;
        case OPT_UUID:    o->domain_uuid = optarg; break;
        case OPT_DATA:    o->data_disk = optarg; break;
        case OPT_STATUS:  o->status_disk = optarg; break;
        case OPT_KERNEL:  o->kernel = optarg; break;
        case OPT_INITRD:  o->initrd = optarg; break;
        case OPT_CMDLINE: o->cmdline = optarg; break;
        case OPT_CONSOLE: o->console_dir = optarg; break;
        case OPT_HANG:    r = milliseconds(optarg, &o->hang_ms); break;
        case OPT_SETTLE:  r = milliseconds(optarg, &o->settle_ms); break;
        case OPT_COLD:    o->no_warmcache = true; break;
        case OPT_HELP:    fputs(usage, stdout); exit(0);
        default:          r = -EINVAL;
        }
    }
    if (!r && (optind != argc || !*ret_port == !p->stdio))
        r = -EINVAL;
    return r;
}

static int port_open(struct port *p, const char *path)
{
    p->in = 0;
    p->out = 1;
    if (!p->stdio)
        p->in = p->out = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (p->in < 0)
        return -errno;
    return 0;
}

int main(int argc, char **argv)
{
    static struct port port;
    static struct agent agent = {
        .opt = {
            .connect = "xen:///system", .domain_name = "wcr-guest",
            .domain_uuid = "77637200-6775-4573-8000-000000000001",
            .data_disk = "/dev/vdb", .status_disk = "/dev/vdc",
            .kernel = "/usr/lib/wcr/guest-vmlinuz", .initrd = "/usr/lib/wcr/guest-initrd.img",
            .console_dir = "/var/log/xen/console", .hang_ms = 2000, .settle_ms = 2000,
        },
    };
    const char *path = NULL;
    struct err err;
    int r;

    if (options_take(argc, argv, &agent.opt, &port, &path)) {
        fputs(usage, stderr);
        return 2;
    }
    if (wcr_uuid_parse(agent.opt.domain_uuid, agent.uuid, &err)) {
        fprintf(stderr, "wcr-agent: --uuid: %s\n", err.msg);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    r = port_open(&port, path);
    if (r) {
        fprintf(stderr, "wcr-agent: %s: %s\n", path, strerror(-r));
        return 2;
    }
    libvirt_init();
    console_init(&agent.console);
    agent.status.fd = -1;
    serve(&agent, &port);
    fault_release(&agent);
    console_done(&agent.console);
    status_reader_close(&agent.status);
    libvirt_close(&agent);
    wcr_call_close(agent.mech);
    xen_close(agent.xen);
    return 0;
}
