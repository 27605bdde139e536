// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libvirt call returns when the daemon answers, which may be never. So calls are made
 * by a thread: the agent waits for it with a deadline, and refuses further work while
 * one that missed its deadline is still out.
 */
#include "campaigns/agent/libvirt.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "campaigns/agent/clock.h"

#define CALL_MS 120000

/* Lives as long as its thread or its waiter, whichever ends last. */
struct call {
    int (*run)(struct call *c);
    char uri[256], uuid[64];
    char *xml;
    unsigned domid;
    struct err err;
    int result;
    bool done, abandoned;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished;
static virConnectPtr connection;    /* used by the one call that runs */
static bool busy;

static void silent(void *ctx, virErrorPtr e)
{
    (void)ctx, (void)e;
}

void libvirt_init(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&finished, &attr);
    virInitialize();
    virSetErrorFunc(NULL, silent);
}

static void call_free(struct call *c)
{
    free(c->xml);
    free(c);
}

static int failed(struct call *c, const char *what)
{
    return err_set(&c->err, EIO, "libvirt: %s: %s", what, virGetLastErrorMessage());
}

/* The daemon may have been restarted since the last request. */
static int connect_ready(struct call *c)
{
    if (connection && virConnectIsAlive(connection) != 1) {
        virConnectClose(connection);
        connection = NULL;
    }
    if (!connection)
        connection = virConnectOpen(c->uri);
    return connection ? 0 : failed(c, c->uri);
}

static int create_run(struct call *c)
{
    virDomainPtr dom;
    int r = connect_ready(c);

    if (r)
        return r;
    dom = virDomainCreateXML(connection, c->xml, 0);
    if (!dom)
        return failed(c, "cannot create the guest");
    c->domid = virDomainGetID(dom);
    virDomainFree(dom);
    if (!c->domid || c->domid == (unsigned)-1)
        return err_set(&c->err, EIO, "libvirt: the guest ended while it was created");
    return 0;
}

static int destroy_run(struct call *c)
{
    virDomainPtr dom;
    int r = connect_ready(c);

    if (r)
        return r;
    dom = virDomainLookupByUUIDString(connection, c->uuid);
    if (!dom) {
        virErrorPtr e = virGetLastError();

        return e && e->code == VIR_ERR_NO_DOMAIN ? 0 : failed(c, "cannot look up the guest");
    }
    if (virDomainIsActive(dom) == 1 && virDomainDestroy(dom) < 0)
        r = failed(c, "cannot destroy the guest");
    virDomainFree(dom);
    return r;
}

static int close_run(struct call *c)
{
    (void)c;
    if (connection)
        virConnectClose(connection);
    connection = NULL;
    return 0;
}

static void *thread_main(void *arg)
{
    struct call *c = arg;
    int r = c->run(c);

    pthread_mutex_lock(&lock);
    c->result = r;
    c->done = true;
    busy = false;
    if (c->abandoned)
        call_free(c);
    else
        pthread_cond_signal(&finished);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int call_start(struct call *c, struct err *err)
{
    pthread_t thread;
    int r;

    if (busy)
        return err_set(err, EBUSY, "libvirt: the daemon has not answered an earlier call yet");
    r = pthread_create(&thread, NULL, thread_main, c);
    if (r)
        return err_set(err, r, "cannot start a thread: %s", strerror(r));
    pthread_detach(thread);
    busy = true;
    return 0;
}

/* Consumes @c. */
static int call_run(struct call *c, unsigned *ret_domid, struct err *err)
{
    uint64_t end = clock_ns() + ms_to_ns(CALL_MS);
    struct timespec ts = {(time_t)(end / 1000000000), (long)(end % 1000000000)};
    int r, waited = 0;

    pthread_mutex_lock(&lock);
    r = call_start(c, err);
    if (r) {
        call_free(c);
        goto out;
    }
    while (!c->done && !waited)
        waited = pthread_cond_timedwait(&finished, &lock, &ts);
    if (!c->done) {
        c->abandoned = true;
        r = err_set(err, ETIMEDOUT, "libvirt: no answer in %d ms", CALL_MS);
        goto out;
    }
    r = c->result;
    if (r && err)
        *err = c->err;
    if (ret_domid)
        *ret_domid = c->domid;
    call_free(c);
out:
    pthread_mutex_unlock(&lock);
    return r;
}

static struct call *call_new(struct agent *a, int (*run)(struct call *), const char *xml)
{
    struct call *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->run = run;
    snprintf(c->uri, sizeof(c->uri), "%s", a->opt.connect);
    snprintf(c->uuid, sizeof(c->uuid), "%s", a->opt.domain_uuid);
    if (xml && !(c->xml = strdup(xml))) {
        free(c);
        return NULL;
    }
    return c;
}

int libvirt_create(struct agent *a, const char *xml, struct err *err)
{
    struct call *c = call_new(a, create_run, xml);
    unsigned domid = 0;
    int r = c ? call_run(c, &domid, err) : err_set(err, ENOMEM, "out of memory");

    if (!r)
        a->domid = domid;
    return r;
}

int libvirt_destroy(struct agent *a, struct err *err)
{
    struct call *c = call_new(a, destroy_run, NULL);

    return c ? call_run(c, NULL, err) : err_set(err, ENOMEM, "out of memory");
}

void libvirt_close(struct agent *a)
{
    struct call *c = call_new(a, close_run, NULL);

    if (c)
        call_run(c, NULL, NULL);
}
