// SPDX-License-Identifier: GPL-2.0-or-later
#include "warmcache-core/tests/core_model.h"

#include <stdio.h>
#include <string.h>

#include "warmcache-core/tests/core_fixture.h"

#define FRAMES        40
#define PFNS          24
#define PFN_STEP      37        /* so that the PFNs lie in several pages of entries */
#define CAPACITY      ((uint64_t)PFNS * PFN_STEP)
#define FIRST_MFN     1000u
#define SECTORS       8         /* of a page */

/* Two disks of two areas each, whose blocks share the core's hash buckets. */
#define VBDS          2
#define AREA          96u       /* sectors */
#define FAR_AREA      (512ULL * 1024 * SECTORS)
#define DISK          (2 * AREA)

#define IOS           24
#define SEGS          3

enum owner { POOL, GUEST, DYING, HELD };

struct frame {
    enum owner owner;
    uint64_t pfn;               /* where the guest has it */
    uint64_t known;             /* the glue's word: PFN + 1, or 0 */
    uint32_t bytes[SECTORS];    /* the version of each sector's worth */
    unsigned int reads, writes; /* mappings of the backend */
    bool watched;               /* a store shows in the dirty bit, or is told */
    bool dirty;                 /* stored to since; the core may not know yet */
    bool touched;               /* since it was last held */
    bool miscounted;            /* I/O began before the core knew the frame */
    bool witness;               /* granted as what it holds, in ENABLED mode */
    bool expected;              /* quiet: must be reusable, as this block */
    unsigned int expected_vbd;
    uint64_t expected_sector;
};

struct seg {
    unsigned int frame, offset, sectors;
    uint64_t sector;
    bool told;                  /* io_begin was called */
};

enum io_state { FREE, FLYING, UNMAPPED };

struct io {
    enum io_state state;
    unsigned int op, vbd, segs;
    uint64_t sector, sectors;   /* of the range */
    struct seg seg[SEGS];
    unsigned int life;
    bool valid, ok;
};

struct model {
    struct model_choices *choices;
    struct model_result *result;
    unsigned int flags;
    struct fixture_memory memory;
    struct wcr_cache *cache;
    struct frame frame[FRAMES];
    struct io io[IOS];
    uint32_t disk[VBDS][DISK];
    uint32_t version;
    unsigned int life;
    bool dying;
};

static const unsigned int vbd_number[VBDS] = {51712, 51728};

#define CHECK(m, cond, ...) \
    do { \
        if (!(cond) && !(m)->result->error[0]) \
            snprintf((m)->result->error, sizeof((m)->result->error), __VA_ARGS__); \
    } while (0)

/* What happens, for whoever replays a seed. */
#define NOTE(...) \
    do { \
        if (model_trace) \
            fprintf(model_trace, __VA_ARGS__); \
    } while (0)

FILE *model_trace;

/* ---- choices -------------------------------------------------------- */

static bool choices_left(const struct model_choices *choices)
{
    return choices->size || choices->endless;
}

static uint32_t draw(struct model *m, uint32_t n)
{
    struct model_choices *choices = m->choices;
    uint32_t value;

    if (choices->size) {
        value = *choices->bytes++;
        choices->size--;
        if (n > 256 && choices->size) {
            value |= (uint32_t)*choices->bytes++ << 8;
            choices->size--;
        }
        return value % n;
    }
    if (!choices->endless)
        return 0;
    choices->state = choices->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(choices->state >> 33) % n;
}

static bool chance(struct model *m, uint32_t percent)
{
    return draw(m, 100) < percent;
}

/* ---- contents ------------------------------------------------------- */

static uint32_t *disk_at(struct model *m, unsigned int vbd, uint64_t sector)
{
    if (sector < AREA)
        return &m->disk[vbd][sector];
    if (sector >= FAR_AREA && sector - FAR_AREA < AREA)
        return &m->disk[vbd][AREA + (sector - FAR_AREA)];
    return NULL;
}

static uint64_t draw_sector(struct model *m)
{
    static const uint64_t wild[] = {~0ULL, ~0ULL - 3, ~0ULL - 7, ~0ULL - 8, 1ULL << 63, AREA - 3};
    uint64_t sector = draw(m, AREA / SECTORS) * SECTORS;

    if (m->flags & MODEL_HOSTILE && chance(m, 5))
        return wild[draw(m, sizeof(wild) / sizeof(wild[0]))];
    if (chance(m, 15))
        sector += draw(m, SECTORS);         /* a partition that begins at an odd sector */
    return chance(m, 25) ? sector + FAR_AREA : sector;
}

static bool range_valid(struct model *m, uint64_t sector, uint64_t sectors)
{
    for (uint64_t i = 0; i < sectors; i++)
        if (!disk_at(m, 0, sector + i) || sector + i < sector)
            return false;
    return true;
}

static bool bytes_equal_block(struct model *m, const struct frame *f, uint32_t vbd, uint64_t sector)
{
    unsigned int v = vbd == vbd_number[1];

    if (vbd != vbd_number[v] || !range_valid(m, sector, SECTORS))
        return false;
    for (unsigned int i = 0; i < SECTORS; i++)
        if (f->bytes[i] != *disk_at(m, v, sector + i))
            return false;
    return true;
}

static uint64_t mfn_of(unsigned int frame)
{
    return FIRST_MFN + frame;
}

static void frame_scribble(struct model *m, struct frame *f)
{
    for (unsigned int i = 0; i < SECTORS; i++)
        f->bytes[i] = ++m->version;
}

/* ---- the glue's part ------------------------------------------------ */

static void frame_store(struct model *m, unsigned int n)
{
    struct frame *f = &m->frame[n];

    f->touched = true;
    f->expected = false;
    if (f->watched && chance(m, 60)) {
        NOTE("store frame %u, through the direct map\n", n);
        f->dirty = true;
        return;
    }
    NOTE("store frame %u, %s\n", n, f->watched ? "through another mapping" : "unseen");
    if (f->watched && f->known) {
        cache_store_seen(m->cache, f->known - 1, mfn_of(n));
        m->result->stores_seen++;
    }
    f->watched = false;
}

/* Before anybody relies on what the core knows of a page. */
static void frame_look(struct model *m, unsigned int n)
{
    struct frame *f = &m->frame[n];

    if (f->known && f->dirty && (f->owner == GUEST || f->owner == DYING)) {
        cache_store_seen(m->cache, f->known - 1, mfn_of(n));
        m->result->stores_seen++;
    }
}

/* The last reference went. */
static void frame_free(struct model *m, unsigned int n, bool may_keep)
{
    struct frame *f = &m->frame[n];
    bool keep = false;

    frame_look(m, n);           /* its entry in the page tables went before */
    if (f->known && f->owner != POOL) {
        keep = may_keep && cache_retain(m->cache, f->known - 1, mfn_of(n));
        if (!keep)
            cache_forget(m->cache, f->known - 1);
    }
    NOTE("free frame %u known %d, %s\n", n, (int)f->known - 1, keep ? "kept" : "not kept");
    if (keep) {
        CHECK(m, cache_holds(m->cache, f->known - 1), "frame %u retained and not held", n);
        CHECK(m, cache_mode(m->cache) != WCR_MODE_COLD, "frame %u retained in a cold cache", n);
        f->owner = HELD;
        f->touched = false;
        m->result->held++;
        return;
    }
    frame_scribble(m, f);
    memset(&f->watched, 0, sizeof(*f) - offsetof(struct frame, watched));
    f->owner = POOL;
    f->known = 0;
}

/* Whoever was kept from going by the backend's mappings goes now. */
static void frame_unmapped(struct model *m, unsigned int n, unsigned int life)
{
    struct frame *f = &m->frame[n];

    if (f->owner != DYING || f->reads || f->writes)
        return;
    if (life == m->life && m->dying) {
        frame_free(m, n, true);
    } else {
        f->known = 0;           /* its domain's cache is another's by now */
        frame_free(m, n, false);
    }
}

static bool frame_in_cache(struct model *m, unsigned int n)
{
    struct wcr_page_info page;

    return m->frame[n].known && cache_page(m->cache, m->frame[n].known - 1, &page) &&
           page.mfn == mfn_of(n);
}

static int draw_frame(struct model *m, enum owner owner)
{
    unsigned int n = draw(m, FRAMES);

    for (unsigned int i = 0; i < FRAMES; i++, n = (n + 1) % FRAMES)
        if (m->frame[n].owner == owner)
            return (int)n;
    return -1;
}

/* ---- the cache-mapping table ---------------------------------------- */

static void map_add(struct model *m, unsigned int n, uint64_t pfn)
{
    struct wcr_key key = {.inode = 1 + draw(m, 5), .index = draw(m, 50), .fs_id = 7};
    struct frame *f = &m->frame[n];
    int rc;

    if (f->known && f->known != pfn + 1)
        return;
    rc = cache_map_add(m->cache, pfn, mfn_of(n), &key);
    NOTE("map_add pfn %d frame %u: %d\n", (int)pfn, n, rc);
    CHECK(m, rc == 0 || rc == -EINVAL || rc == -ENOMEM, "map_add: %d", rc);
    CHECK(m, rc != -ENOMEM || m->flags & MODEL_NO_MEMORY, "map_add: no memory");
    CHECK(m, rc == 0 || !(m->flags & MODEL_QUIET), "map_add of an honest guest: %d", rc);
    if (!rc)
        f->known = pfn + 1;
}

static void step_map(struct model *m)
{
    static const uint64_t wild[] = {~0ULL, CAPACITY, WCR_MAX_FRAMES, 1ULL << 32, ~0ULL - 1};
    static const struct wcr_key key;
    int n = draw_frame(m, GUEST);
    uint64_t pfn, mfn;

    if (n < 0)
        return;
    if (m->flags & MODEL_HOSTILE && chance(m, 10)) {
        pfn = wild[draw(m, sizeof(wild) / sizeof(wild[0]))];
        CHECK(m, cache_map_add(m->cache, pfn, mfn_of((unsigned int)n), &key) == -EINVAL,
              "map_add took a wild PFN");
        CHECK(m, !cache_map_remove(m->cache, pfn, &mfn), "map_remove took a wild PFN");
        return;
    }
    pfn = m->frame[n].pfn;
    if (m->flags & MODEL_HOSTILE && chance(m, 15))
        pfn = draw(m, PFNS) * PFN_STEP;     /* the M2P is the guest's to write */
    if (chance(m, 75)) {
        map_add(m, (unsigned int)n, pfn);
        return;
    }
    NOTE("map_remove pfn %d\n", (int)pfn);
    if (!cache_map_remove(m->cache, pfn, &mfn))
        return;
    CHECK(m, mfn >= FIRST_MFN && mfn - FIRST_MFN < FRAMES, "map_remove of no frame of ours");
    if (m->frame[mfn - FIRST_MFN].known == pfn + 1)
        m->frame[mfn - FIRST_MFN].known = 0;
    m->frame[mfn - FIRST_MFN].expected = false;
}

/* ---- I/O ------------------------------------------------------------ */

static void seg_begin(struct model *m, struct io *io, struct seg *seg)
{
    struct frame *f = &m->frame[seg->frame];
    bool whole = seg->sectors == SECTORS && !seg->offset, stored = f->dirty;
    enum wcr_begin begin;
    uint64_t pfn;

    if (io->op == WCR_IO_READ)
        f->reads++;
    else
        f->writes++;
    if (io->op == WCR_IO_READ)
        f->expected = false;
    pfn = f->known ? f->known - 1 : f->pfn;
    begin = cache_io_begin(m->cache, pfn, mfn_of(seg->frame), vbd_number[io->vbd],
                           seg->sector, io->op, whole);
    NOTE("  frame %u pfn %d sector %llu+%u offset %u: %s\n", seg->frame, (int)pfn,
         (unsigned long long)seg->sector, seg->sectors, seg->offset, begin ? "watch" : "no");
    seg->told = cache_knows(m->cache, pfn, mfn_of(seg->frame));
    if (seg->told)
        f->known = pfn + 1;
    else
        f->miscounted = true;
    if (begin == WCR_BEGIN_IGNORE)
        return;
    f->dirty = false;
    if (begin == WCR_BEGIN_TELL && stored)
        cache_stored_before(m->cache, f->known - 1, mfn_of(seg->frame));
    if (m->flags & MODEL_QUIET || chance(m, 95))
        f->watched = true;
    else
        cache_spoil(m->cache, f->known - 1, mfn_of(seg->frame));
    /* What the core cannot know the glue sees: another mapping of the backend's. */
    if (f->miscounted && f->reads > (io->op == WCR_IO_READ))
        cache_spoil(m->cache, f->known - 1, mfn_of(seg->frame));
}

static void seg_land(struct model *m, struct io *io, struct seg *seg, unsigned int i)
{
    struct frame *f = &m->frame[seg->frame];
    uint32_t *at = disk_at(m, io->vbd, seg->sector + i);

    if (!at)
        return;
    if (io->op == WCR_IO_READ) {
        f->bytes[seg->offset + i] = *at;
        f->touched = true;
    } else {
        *at = f->bytes[seg->offset + i];
    }
}

static void io_land(struct model *m, struct io *io, bool all)
{
    if (!io->valid)
        return;
    if (io->op == WCR_IO_DISCARD) {
        for (uint64_t i = 0; i < DISK; i++) {
            uint64_t sector = i < AREA ? i : FAR_AREA + i - AREA;

            if (sector >= io->sector && sector - io->sector < io->sectors &&
                (all || chance(m, 30)))
                m->disk[io->vbd][i] = ++m->version;
        }
        return;
    }
    for (unsigned int s = 0; s < io->segs; s++)
        for (unsigned int i = 0; i < io->seg[s].sectors; i++)
            if (all || chance(m, 30))
                seg_land(m, io, &io->seg[s], i);
}

static struct io *io_free_slot(struct model *m)
{
    for (unsigned int i = 0; i < IOS; i++)
        if (m->io[i].state == FREE)
            return &m->io[i];
    return NULL;
}

static struct io *io_begin(struct model *m)
{
    struct io *io = io_free_slot(m);
    uint32_t kind = draw(m, 10);
    unsigned int segs = 1 + draw(m, SEGS);

    if (!io)
        return NULL;
    *io = (struct io){.op = kind < 5 ? WCR_IO_READ : kind < 9 ? WCR_IO_WRITE : WCR_IO_DISCARD,
                      .vbd = draw(m, VBDS), .sector = draw_sector(m), .life = m->life};
    if (io->op == WCR_IO_DISCARD) {
        io->sectors = 1 + draw(m, 40);
        if (m->flags & MODEL_HOSTILE && chance(m, 10))
            io->sectors = ~0ULL;
        if (m->flags & MODEL_HOSTILE && chance(m, 5))
            io->sectors = 0;
    }
    for (unsigned int i = 0; io->op != WCR_IO_DISCARD && i < segs; i++) {
        struct seg *seg = &io->seg[io->segs];
        int frame = draw_frame(m, GUEST);

        if (frame < 0)
            break;
        *seg = (struct seg){.frame = (unsigned int)frame, .sectors = SECTORS,
                            .sector = io->sector + io->sectors};
        if (chance(m, 12)) {
            seg->sectors = 1 + draw(m, SECTORS);
            seg->offset = draw(m, SECTORS - seg->sectors + 1);
        }
        io->sectors += seg->sectors;
        io->segs++;
        if (!m->frame[frame].known && chance(m, 70))
            map_add(m, seg->frame, m->frame[frame].pfn);
    }
    io->state = FLYING;
    io->valid = io->op == WCR_IO_DISCARD || range_valid(m, io->sector, io->sectors);
    io->ok = io->valid && chance(m, 90);
    NOTE("io %d begins: op %u vbd %u sector %llu+%llu, will be %s\n", (int)(io - m->io), io->op,
         io->vbd, (unsigned long long)io->sector, (unsigned long long)io->sectors,
         io->ok ? "ok" : "bad");
    cache_io_range_begin(m->cache, vbd_number[io->vbd], io->sector, io->sectors, io->op);
    for (unsigned int i = 0; i < io->segs; i++)
        seg_begin(m, io, &io->seg[i]);
    return io;
}

static void io_unmap(struct model *m, struct io *io)
{
    NOTE("io %d unmapped\n", (int)(io - m->io));
    io_land(m, io, io->ok);
    io->state = UNMAPPED;
    for (unsigned int i = 0; i < io->segs; i++) {
        struct frame *f = &m->frame[io->seg[i].frame];

        if (io->op == WCR_IO_READ)
            f->reads--;
        else
            f->writes--;
        frame_unmapped(m, io->seg[i].frame, io->life);
    }
}

static void seg_end(struct model *m, struct io *io, struct seg *seg)
{
    struct frame *f = &m->frame[seg->frame];
    bool whole = seg->sectors == SECTORS && !seg->offset;

    if (!f->known || (f->owner != GUEST && f->owner != DYING))
        return;
    if (!seg->told)
        f->miscounted = true;
    if (!cache_io_end(m->cache, f->known - 1, mfn_of(seg->frame), vbd_number[io->vbd],
                      seg->sector, io->op, io->ok && whole))
        return;
    NOTE("  frame %u reusable\n", seg->frame);
    m->result->became_reusable++;
    if (!f->watched || (f->miscounted && f->reads))
        cache_spoil(m->cache, f->known - 1, mfn_of(seg->frame));
}

static void io_end(struct model *m, struct io *io)
{
    NOTE("io %d ends\n", (int)(io - m->io));
    /* Of an earlier life's I/O only the range is told. */
    for (unsigned int i = 0; io->life == m->life && i < io->segs; i++)
        seg_end(m, io, &io->seg[i]);
    cache_io_range_end(m->cache, vbd_number[io->vbd], io->sector, io->sectors, io->op);
    io->state = FREE;
}

static struct io *draw_io(struct model *m)
{
    unsigned int n = draw(m, IOS);

    for (unsigned int i = 0; i < IOS; i++, n = (n + 1) % IOS)
        if (m->io[n].state != FREE)
            return &m->io[n];
    return NULL;
}

static void step_io(struct model *m)
{
    unsigned int busy = 0;
    struct io *io;

    for (unsigned int i = 0; i < IOS; i++)
        busy += m->io[i].state != FREE;
    if (!busy || chance(m, busy < 4 ? 40 : 20)) {
        if (!m->dying && !(m->flags & MODEL_QUIET))
            io_begin(m);
        return;
    }
    io = draw_io(m);
    if (io->state == FLYING && chance(m, 25))
        io_land(m, io, false);
    else if (io->state == FLYING)
        io_unmap(m, io);
    else if (chance(m, 97) || io->life != m->life)
        io_end(m, io);
    else
        io->state = FREE;       /* the backend never tells */
}

/* Quiet: one request at a time, from begin to end; what must come out is known. */
static void step_quiet_io(struct model *m)
{
    struct io *io = io_begin(m);
    bool alone;

    if (!io)
        return;
    io_unmap(m, io);
    io_end(m, io);
    for (unsigned int n = 0; n < FRAMES && io->op != WCR_IO_READ; n++) {
        struct frame *f = &m->frame[n];

        if (f->expected_vbd == io->vbd && f->expected_sector < io->sector + io->sectors &&
            io->sector < f->expected_sector + SECTORS)
            f->expected = false;
    }
    for (unsigned int i = 0; i < io->segs; i++) {
        struct seg *seg = &io->seg[i];
        struct frame *f = &m->frame[seg->frame];

        alone = true;
        for (unsigned int j = 0; j < io->segs; j++)
            alone &= i == j || seg->frame != io->seg[j].frame;
        f->expected_vbd = io->vbd;
        f->expected_sector = seg->sector;
        f->expected = io->ok && alone && seg->sectors == SECTORS && !seg->offset;
    }
}

/* ---- the guest ------------------------------------------------------ */

static void step_store(struct model *m)
{
    int n = draw_frame(m, GUEST);

    if (n < 0)
        return;
    frame_store(m, (unsigned int)n);
    if (chance(m, 80))          /* else only a mapping through which it might */
        m->frame[n].bytes[draw(m, SECTORS)] = ++m->version;
}

static void step_reuse(struct model *m)
{
    int n = draw_frame(m, GUEST), rc;
    struct wcr_page_info page;
    struct frame *f;

    if (n < 0 || m->dying)
        return;
    f = &m->frame[n];
    if (!f->known || !cache_page(m->cache, f->known - 1, &page) || page.mfn != mfn_of((unsigned int)n))
        return;
    if (chance(m, 20))
        page.sector = draw_sector(m);
    if (chance(m, 5))
        page.vbd = vbd_number[draw(m, VBDS)];
    frame_look(m, (unsigned int)n);
    rc = cache_reuse(m->cache, page.pfn, page.mfn, page.vbd, page.sector);
    CHECK(m, rc == 0 || rc == -ESTALE, "reuse: %d", rc);
    NOTE("reuse frame %d vbd %u sector %llu: %d\n", n, page.vbd,
         (unsigned long long)page.sector, rc);
    if (rc)
        return;
    CHECK(m, cache_mode(m->cache) != WCR_MODE_COLD, "a cold cache granted frame %d", n);
    CHECK(m, !f->touched, "frame %d was granted and had been touched", n);
    f->witness = cache_mode(m->cache) == WCR_MODE_ENABLED;
    f->expected &= f->witness;      /* taken as any block, it is no longer its own */
    CHECK(m, !f->witness || bytes_equal_block(m, f, page.vbd, page.sector),
          "frame %d was granted as sector %llu and differs", n, (unsigned long long)page.sector);
    m->result->granted++;
}

/* An honest guest returns frames to the hypervisor, and gets others. */
static void step_balloon(struct model *m)
{
    int n = draw_frame(m, GUEST);

    if (n >= 0 && !m->frame[n].reads && !m->frame[n].writes)
        frame_free(m, (unsigned int)n, false);
}

static bool pfn_populated(const struct model *m, uint64_t pfn)
{
    for (unsigned int n = 0; n < FRAMES; n++)
        if (m->frame[n].owner == GUEST && m->frame[n].pfn == pfn)
            return true;
    return false;
}

static void populate(struct model *m, uint64_t pfn)
{
    uint64_t mfn = 0;
    bool taken;
    int n;

    if (m->dying || pfn_populated(m, pfn))
        return;
    taken = cache_take(m->cache, pfn, &mfn);
    n = taken ? (int)(mfn - FIRST_MFN) : draw_frame(m, POOL);
    if (n < 0)
        return;
    CHECK(m, m->frame[n].owner == (taken ? HELD : POOL), "frame %d was taken from elsewhere", n);
    m->frame[n].owner = GUEST;
    m->frame[n].pfn = pfn;
    m->frame[n].witness = false;
    NOTE("populate pfn %d with frame %d, %s\n", (int)pfn, n, taken ? "taken" : "fresh");
    if (taken) {
        m->frame[n].watched = true;
        m->frame[n].dirty = false;      /* its new entry starts without the bit */
        if (chance(m, 3)) {     /* could not be assigned */
            cache_forget(m->cache, pfn);
            m->frame[n].known = 0;
            frame_free(m, (unsigned int)n, false);
        }
    }
}

/* ---- lives ---------------------------------------------------------- */

static void crash(struct model *m)
{
    unsigned int n = draw(m, FRAMES);

    NOTE("crash\n");
    m->dying = true;
    for (unsigned int i = 0; i < FRAMES; i++, n = (n + 1) % FRAMES) {
        if (m->frame[n].owner != GUEST)
            continue;
        m->frame[n].owner = DYING;
        frame_unmapped(m, n, m->life);
    }
}

static void next_life(struct model *m)
{
    NOTE("next life\n");
    cache_begin_life(m->cache);
    m->dying = false;
    m->life++;
    m->result->lives++;
    for (unsigned int i = 0; i < IOS; i++)
        if (m->io[i].state != FREE && m->io[i].life + 2 <= m->life) {
            /* Lost in the backend: no longer believed in, so it must not happen. */
            if (m->io[i].state == FLYING) {
                m->io[i].ok = false;
                for (unsigned int s = 0; s < m->io[i].segs; s++)
                    m->io[i].seg[s].sectors = 0;
                if (m->io[i].op == WCR_IO_DISCARD)
                    m->io[i].sectors = 0;
                io_unmap(m, &m->io[i]);
            }
            m->io[i].state = FREE;
        }
    for (unsigned int p = 0; p < PFNS; p++)
        if (chance(m, 85))
            populate(m, p * PFN_STEP);
}

static void step_life(struct model *m)
{
    if (!m->dying)
        crash(m);
    else
        next_life(m);
}

static void step_admin(struct model *m)
{
    uint64_t mfn;

    if (chance(m, 40)) {
        uint32_t mode = chance(m, 70) ? WCR_MODE_ENABLED : draw(m, 3);

        CHECK(m, cache_set_mode(m->cache, mode, chance(m, 20) ? 1 + draw(m, 12) : 0) == 0, "set_mode");
        CHECK(m, cache_set_mode(m->cache, 3, 0) == -EINVAL, "set_mode took mode 3");
        return;
    }
    if (!cache_drop_next(m->cache, &mfn))
        return;
    CHECK(m, mfn - FIRST_MFN < FRAMES && m->frame[mfn - FIRST_MFN].owner == HELD,
          "dropped what was not held: %llu", (unsigned long long)mfn);
    m->frame[mfn - FIRST_MFN].known = 0;
    frame_free(m, (unsigned int)(mfn - FIRST_MFN), false);
}

/* ---- what must hold ------------------------------------------------- */

static void check_page(struct model *m, const struct wcr_page_info *page)
{
    unsigned int n = (unsigned int)(page->mfn - FIRST_MFN);
    const struct frame *f = &m->frame[n];

    CHECK(m, n < FRAMES, "PFN %llu has no frame of ours", (unsigned long long)page->pfn);
    if (n >= FRAMES)
        return;
    CHECK(m, !(page->flags & WCR_PAGE_HELD) || f->owner == HELD, "frame %u is not ours to hold", n);
    CHECK(m, page->flags & WCR_PAGE_HELD || f->owner != HELD || f->known != page->pfn + 1,
          "frame %u is not held any more", n);
    if (page->flags & WCR_PAGE_REUSABLE) {
        CHECK(m, f->owner != POOL, "frame %u is reusable and free", n);
        CHECK(m, f->watched, "frame %u is reusable and a store would not be seen", n);
        CHECK(m, !(page->flags & WCR_PAGE_IN_FLIGHT), "frame %u is reusable and in flight", n);
        CHECK(m, f->dirty || bytes_equal_block(m, f, page->vbd, page->sector),
              "frame %u is reusable as sector %llu and differs", n, (unsigned long long)page->sector);
    }
    if (f->owner == GUEST && f->witness &&
        (page->flags & (WCR_PAGE_REUSED | WCR_PAGE_WRITTEN)) == WCR_PAGE_REUSED)
        CHECK(m, f->dirty || bytes_equal_block(m, f, page->vbd, page->sector),
              "frame %u was reused, and differs with nothing written", n);
}

static void check_counters(struct model *m)
{
    uint64_t mapped = 0, reusable = 0, unclaimed = 0, held = 0, next = 0, at, ours = 0;
    struct wcr_cache_info info;
    struct wcr_page_info page;

    while (next != WCR_NO_PFN) {
        at = cache_next(m->cache, next, 0, &page, &next);
        if (at == WCR_NO_PFN)
            continue;
        CHECK(m, at == page.pfn && next == at + 1, "cache_next skips");
        mapped += !!(page.flags & WCR_PAGE_MAPPED);
        reusable += !!(page.flags & WCR_PAGE_REUSABLE);
        unclaimed += (page.flags & (WCR_PAGE_RETAINED | WCR_PAGE_REUSED | WCR_PAGE_HELD)) ==
                     WCR_PAGE_RETAINED;
        held += !!(page.flags & WCR_PAGE_HELD);
        check_page(m, &page);
    }
    for (unsigned int n = 0; n < FRAMES; n++)
        ours += m->frame[n].owner == HELD;
    cache_info(m->cache, &info);
    CHECK(m, info.pages_mapped == mapped, "pages_mapped");
    CHECK(m, info.pages_reusable == reusable, "pages_reusable");
    CHECK(m, cache_pages_unclaimed(m->cache) == unclaimed, "pages unclaimed");
    CHECK(m, info.pages_retained == held && cache_pages_held(m->cache) == held, "pages_retained");
    CHECK(m, held == ours, "%llu pages held, of %llu given", (unsigned long long)held,
          (unsigned long long)ours);
}

static void check_frames(struct model *m)
{
    struct wcr_page_info page;

    for (unsigned int n = 0; n < FRAMES; n++) {
        const struct frame *f = &m->frame[n];
        bool in = frame_in_cache(m, n) && cache_page(m->cache, f->known - 1, &page);

        if (in)
            check_page(m, &page);
        if (m->flags & MODEL_QUIET && !(m->flags & MODEL_NO_MEMORY) && f->owner == GUEST)
            CHECK(m, !f->expected || (in && page.flags & WCR_PAGE_REUSABLE),
                  "frame %u should be reusable", n);
    }
}

static void step(struct model *m)
{
    uint32_t what = draw(m, 200);

    if (what < 100)
        m->flags & MODEL_QUIET && !m->dying ? step_quiet_io(m) : step_io(m);
    else if (what < 145)
        step_map(m);
    else if (what < 155)
        step_store(m);
    else if (what < 175)
        step_reuse(m);
    else if (what < 179)
        step_balloon(m);
    else if (what < 187)
        populate(m, draw(m, PFNS) * PFN_STEP);
    else if (what < 189 || m->dying)
        step_life(m);
    else if (what < 193)
        step_admin(m);
    check_frames(m);
}

static void finish(struct model *m)
{
    uint64_t mfn;

    check_counters(m);
    while (cache_drop_next(m->cache, &mfn)) {
        CHECK(m, mfn - FIRST_MFN < FRAMES && m->frame[mfn - FIRST_MFN].owner == HELD, "last drop");
        if (m->result->error[0])
            break;
        m->frame[mfn - FIRST_MFN].owner = POOL;
    }
    check_counters(m);
    cache_destroy(m->cache);
    CHECK(m, !m->memory.allocated, "%lu pages of memory lost", m->memory.allocated);
}

void model_run(struct model_choices *choices, unsigned int flags, unsigned long steps,
               struct model_result *ret_result)
{
    static struct model world;
    struct model *m = &world;

    memset(m, 0, sizeof(*m));
    memset(ret_result, 0, sizeof(*ret_result));
    m->choices = choices;
    m->result = ret_result;
    m->flags = flags;
    m->memory.state = choices->state;
    m->memory.fail_percent = flags & MODEL_NO_MEMORY ? 20 : 0;
    m->cache = cache_create(&fixture_ops, &m->memory, fixture_uuid);
    if (!m->cache) {
        CHECK(m, flags & MODEL_NO_MEMORY, "cache_create");
        CHECK(m, !m->memory.allocated, "cache_create lost memory");
        return;
    }
    for (unsigned int v = 0; v < VBDS; v++)
        for (unsigned int i = 0; i < DISK; i++)
            m->disk[v][i] = ++m->version;
    for (unsigned int n = 0; n < FRAMES; n++)
        frame_scribble(m, &m->frame[n]);
    CHECK(m, cache_set_capacity(m->cache, CAPACITY) == 0, "set_capacity");
    CHECK(m, cache_set_mode(m->cache, WCR_MODE_ENABLED, 0) == 0, "set_mode");
    for (unsigned int p = 0; p < PFNS; p++)
        populate(m, p * PFN_STEP);
    for (; ret_result->steps < steps && choices_left(choices) && !ret_result->error[0];
         ret_result->steps++) {
        step(m);
        if (ret_result->steps % 16 == 0)
            check_counters(m);
    }
    finish(m);
}
