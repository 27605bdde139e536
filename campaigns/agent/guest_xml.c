// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/guest_xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What testbed/dom0/init makes; the same MAC in every life, so that nobody's ARP table is wrong. */
#define NETWORK_BRIDGE "xenbr0"
#define NETWORK_ADDRESS "10.77.0.2/24"
#define NETWORK_MAC "00:16:3e:77:63:02"

static void escaped(FILE *f, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<':  fputs("&lt;", f); break;
        case '>':  fputs("&gt;", f); break;
        case '&':  fputs("&amp;", f); break;
        case '\'': fputs("&apos;", f); break;
        case '"':  fputs("&quot;", f); break;
        default:   fputc(*s, f);
        }
}

static void element(FILE *f, const char *name, const char *text)
{
    fprintf(f, "<%s>", name);
    escaped(f, text);
    fprintf(f, "</%s>\n", name);
}

static void disk(FILE *f, const char *source, const char *target)
{
    fputs("<disk type='block' device='disk'><driver name='phy' type='raw'/><source dev='", f);
    escaped(f, source);
    fprintf(f, "'/><target dev='%s' bus='xen'/></disk>\n", target);
}

/*
 * panic=-1: a panic ends the domain at once. The backend maps the page cache's own pages only
 * without persistent grants.
 */
static void cmdline(FILE *f, const struct agent_options *opt, const struct guest_params *p,
                    const char *mode, uint64_t run_id)
{
    fputs("<cmdline>console=hvc0 panic=-1 xen_blkfront.feature_persistent=0 wcr=1", f);
    fprintf(f, " wcr.mode=%s wcr.run_id=%" PRIu64 " wcr.files=%" PRIu32 " wcr.blocks=%" PRIu32
            " wcr.seed=%" PRIu64 " wcr.fs=", mode, run_id, p->files, p->blocks, p->seed);
    escaped(f, p->filesystem);
    if (p->partition)
        fprintf(f, " wcr.device=/dev/xvda%u", p->partition);
    if (p->mount_options[0]) {
        fputs(" wcr.fsopts=", f);
        escaped(f, p->mount_options);
    }
    if (p->program[0]) {
        fputs(" wcr.program=", f);
        escaped(f, p->program);
    }
    if (p->network)
        fputs(" wcr.address=" NETWORK_ADDRESS, f);
    if (opt->cmdline && opt->cmdline[0]) {
        fputc(' ', f);
        escaped(f, opt->cmdline);
    }
    if (p->cmdline[0]) {
        fputc(' ', f);
        escaped(f, p->cmdline);
    }
    fputs("</cmdline>\n", f);
}

char *guest_xml(const struct agent_options *opt, const struct guest_params *params,
                const char *mode, uint64_t run_id)
{
    char *ret = NULL;
    size_t size;
    FILE *f = open_memstream(&ret, &size);

    if (!f)
        return NULL;
    fputs("<domain type='xen'>\n", f);
    element(f, "name", opt->domain_name);
    element(f, "uuid", opt->domain_uuid);
    fprintf(f, "<memory unit='MiB'>%u</memory>\n<vcpu>%u</vcpu>\n", params->memory_mb,
            params->vcpus);
    fputs("<os><type arch='x86_64' machine='xenpv'>linux</type>\n", f);
    element(f, "kernel", opt->kernel);
    element(f, "initrd", opt->initrd);
    cmdline(f, opt, params, mode, run_id);
    fputs("</os>\n<on_poweroff>preserve</on_poweroff><on_reboot>preserve</on_reboot>"
          "<on_crash>preserve</on_crash>\n<devices>\n", f);
    disk(f, opt->data_disk, "xvda");
    disk(f, opt->status_disk, "xvdb");
    if (params->network)
        fputs("<interface type='bridge'><mac address='" NETWORK_MAC "'/><source bridge='" NETWORK_BRIDGE
              "'/></interface>\n", f);
    fputs("<console type='pty'><target type='xen' port='0'/></console>\n"
          "</devices>\n</domain>\n", f);
    if (fclose(f) != 0) {
        free(ret);
        return NULL;
    }
    return ret;
}
