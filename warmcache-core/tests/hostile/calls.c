// SPDX-License-Identifier: GPL-2.0
/*
 * One hypercall: a command, an argument somewhere, a buffer somewhere, and
 * what may come back.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <xen/interface/wcr_abi.h>
#include <xen/wcr.h>

#include "fuzz.h"

#define ARENA_PAGES	8	/* a page that is not there follows */
#define ARENA		(ARENA_PAGES * PAGE_SIZE)
#define CANARY		0xc5
#define ARG_ROOM	128

/* Domain 0's commands; the header keeps this range for them. */
#define PRIVILEGED(cmd)	((cmd) >= WCR_OP_set_policy && (cmd) < WCR_OP_version)

static const struct {
	const char *name;
	unsigned int nr;
} commands[] = {
#define COMMAND(op) { #op, WCR_OP_##op },
#include "commands.h"
#undef COMMAND
	{ "unknown", 0 },
};

const unsigned int calls_commands = ARRAY_SIZE(commands);

struct call {
	unsigned int command;	/* of commands[] */
	unsigned int nr;
	u8 *arg;
	u8 *buffer;		/* what of it is in the arena */
	size_t arg_len, buffer_len;
	bool unreadable;	/* the argument */
	bool whole;		/* argument and buffer are all there, and apart */
	u8 before[ARG_ROOM];	/* the argument as it was */
};

const char *calls_name(unsigned int command)
{
	return commands[command].name;
}

static bool known(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < calls_commands - 1; i++)
		if (commands[i].nr == nr)
			return true;
	return false;
}

static const u8 constant[ARG_ROOM] = "not to be written";

/* Addresses where the guest has nothing, or nothing that may be written. */
static u64 draw_bad_address(struct thread *t)
{
	switch (draw(t, 9)) {
	case 0: return 0;
	case 1: return (unsigned long)constant;
	case 2: return (unsigned long)schedule;
	case 3: return 0xffff800000000000ULL + (draw64(t) & 0x7ffffffffffULL);
	case 4: return 0x0000800000000000ULL + (draw64(t) >> 17);
	case 5: return 0x00007ffffffff000ULL + draw(t, PAGE_SIZE);
	case 6: return 0xffff800000000000ULL - 1 - draw(t, PAGE_SIZE);
	case 7: return (unsigned long)t->arena + ARENA + draw(t, PAGE_SIZE / 2);
	default: return ~0ULL - draw(t, 8);
	}
}

static void place_argument(struct thread *t, struct call *c)
{
	c->unreadable = false;
	c->whole = false;
	switch (draw(t, 24)) {
	case 0:
		c->arg = (u8 *)draw_bad_address(t);
		c->unreadable = c->arg != constant && c->arg != (u8 *)schedule;
		break;
	case 1:		/* over the end of the arena */
		c->arg = t->arena + ARENA - 1 - draw(t, 4);
		c->unreadable = true;
		break;
	case 2:		/* over the end of a page */
		c->arg = t->arena + PAGE_SIZE - 4;
		c->whole = true;
		break;
	default:
		c->arg = t->arena + ARG_ROOM + draw(t, 16);
		c->whole = true;
	}
}

/* A place for a buffer: behind the argument, at the end of the arena, over it, nowhere. */
static u64 place_buffer(struct thread *t, struct call *c, size_t len)
{
	u8 *at = t->arena + PAGE_SIZE + ARG_ROOM + draw(t, PAGE_SIZE), *end = t->arena + ARENA;
	u64 bad;

	switch (draw(t, 16)) {
	case 0:
		bad = draw_bad_address(t);
		c->whole = false;
		return bad;
	case 1:
		at = end - 1 - draw(t, 256);
		break;
	case 2:
		at = c->whole ? c->arg : at;
		c->whole = false;
		break;
	case 3:
		at = end - min_t(size_t, len, ARENA - PAGE_SIZE - ARG_ROOM);
		break;
	}
	c->buffer = at;
	c->buffer_len = min_t(size_t, len, end - at);
	c->whole = c->whole && c->buffer_len == len;
	return (unsigned long)at;
}

static u32 draw_nr(struct thread *t)
{
	switch (draw(t, 128)) {
	case 0: return WCR_BATCH_MAX + 1 + draw(t, 64);
	case 1: return prandom_u32_state(&t->rnd);
	case 2: return WCR_BATCH_MAX;
	case 3: return 0;
	default: return 1 + draw(t, 8);
	}
}

static u64 draw_pfn(struct thread *t)
{
	u64 pfn, mfn;

	if (!draw(t, 4))
		return draw64(t) >> draw(t, 64);
	work_draw_frame(t, &pfn, &mfn);
	return pfn;
}

/* Fields of an argument at another place than its own alignment. */
#define PUT(c, type, field, value) do {					\
	typeof(((struct type *)0)->field) v_ = (value);			\
	memcpy((c)->before + offsetof(struct type, field), &v_, sizeof(v_)); \
} while (0)
#define GET(from, type, field) ({					\
	typeof(((struct type *)0)->field) v_;				\
	memcpy(&v_, (from) + offsetof(struct type, field), sizeof(v_));	\
	v_; })

static void fill_register(struct thread *t, struct call *c)
{
	u64 base = PAGE_OFFSET, capacity = get_num_physpages();

	c->arg_len = sizeof(struct wcr_register);
	/* Another base that is accepted would be this kernel's end. */
	if (!draw(t, 4))
		base = draw_bad_address(t) & ~(1ULL << 63);
	else if (!draw(t, 4))
		base += 1 + draw(t, PAGE_SIZE - 1);
	if (!draw(t, 2))
		capacity = draw64(t) >> draw(t, 64);
	PUT(c, wcr_register, version, draw(t, 4) ? WCR_ABI_VERSION : draw(t, 4));
	PUT(c, wcr_register, direct_map_base, base);
	PUT(c, wcr_register, capacity, capacity);
}

static void fill_map_update(struct thread *t, struct call *c)
{
	struct wcr_map_entry entry;
	u32 i;

	c->nr = draw_nr(t);
	c->arg_len = sizeof(struct wcr_map_update);
	PUT(c, wcr_map_update, nr, c->nr);
	PUT(c, wcr_map_update, entries, place_buffer(t, c, (size_t)c->nr * sizeof(entry)));
	for (i = 0; (i + 1) * sizeof(entry) <= c->buffer_len; i++) {
		u64 other;

		work_draw_frame(t, &entry.pfn, &entry.mfn);
		if (!draw(t, 8))
			work_draw_frame(t, &other, &entry.mfn);
		entry.inode = draw(t, 16);
		entry.index = draw(t, 64);
		entry.fs_id = draw(t, 4);
		entry.op = draw(t, 4) ? WCR_MAP_ADD : draw(t, 8) ? WCR_MAP_REMOVE : draw64(t);
		memcpy(c->buffer + i * sizeof(entry), &entry, sizeof(entry));
	}
}

static void fill_retained_list(struct thread *t, struct call *c)
{
	c->nr = draw_nr(t);
	c->arg_len = sizeof(struct wcr_retained_list);
	PUT(c, wcr_retained_list, nr, c->nr);
	PUT(c, wcr_retained_list, first_pfn, draw(t, 2) ? 0 : draw_pfn(t));
	PUT(c, wcr_retained_list, entries,
	    place_buffer(t, c, (size_t)c->nr * sizeof(struct wcr_map_entry)));
}

static void fill_reuse(struct thread *t, struct call *c)
{
	struct wcr_reuse_entry entry;
	u32 i;

	c->nr = draw_nr(t);
	c->arg_len = sizeof(struct wcr_reuse);
	PUT(c, wcr_reuse, nr, c->nr);
	PUT(c, wcr_reuse, vbd, draw(t, 4) ? 51712 : draw64(t));
	PUT(c, wcr_reuse, entries, place_buffer(t, c, (size_t)c->nr * sizeof(entry)));
	for (i = 0; (i + 1) * sizeof(entry) <= c->buffer_len; i++) {
		entry.pfn = draw_pfn(t);
		entry.sector = work_draw_sector(t);
		entry.status = 1;
		entry.pad = i;
		memcpy(c->buffer + i * sizeof(entry), &entry, sizeof(entry));
	}
}

/* Not ours to call, or nobody's: whatever it points at must not matter. */
static void fill_anything(struct thread *t, struct call *c)
{
	c->arg_len = ARG_ROOM / 2;
	prandom_bytes_state(&t->rnd, c->before, c->arg_len);
}

static void fill(struct thread *t, struct call *c, unsigned int nr)
{
	memset(c->before, 0, sizeof(c->before));
	c->buffer = NULL;
	c->buffer_len = 0;
	c->nr = 0;
	place_argument(t, c);
	switch (nr) {
	case WCR_OP_register:      fill_register(t, c); break;
	case WCR_OP_map_update:    fill_map_update(t, c); break;
	case WCR_OP_retained_list: fill_retained_list(t, c); break;
	case WCR_OP_reuse:         fill_reuse(t, c); break;
	default:                   fill_anything(t, c); break;
	}
	if (c->arg >= t->arena && c->arg < t->arena + ARENA - c->arg_len)
		memcpy(c->arg, c->before, c->arg_len);
}

/* ---- what may come back --------------------------------------------- */

static bool rc_allowed(const struct call *c, unsigned int nr, long rc)
{
	if (PRIVILEGED(nr))
		return rc == -EPERM || (!known(nr) && rc == -ENOSYS);
	if (!known(nr))
		return rc == -ENOSYS;
	if (nr == WCR_OP_version)
		return rc == WCR_ABI_VERSION;
	if (nr == WCR_OP_boot_done)
		return rc == 0 || rc == -ENOENT;
	if (c->unreadable)
		return rc == -EFAULT;
	if (c->whole && c->nr > WCR_BATCH_MAX)
		return rc == -E2BIG;
	switch (rc) {
	case 0: case -EFAULT: case -ENOENT: case -E2BIG:
		return true;
	case -EINVAL: case -ENOMEM:
		return nr == WCR_OP_register || nr == WCR_OP_map_update;
	}
	return false;
}

static void judge_retained_list(struct thread *t, const struct call *c)
{
	u32 nr = GET(c->arg, wcr_retained_list, nr), i;
	struct wcr_map_entry entry;

	if (nr > c->nr)
		return violation(t, "retained_list: %u entries where %u fit", nr, c->nr);
	for (i = 0; i < nr; i++) {
		memcpy(&entry, c->buffer + i * sizeof(entry), sizeof(entry));
		if (entry.op & ~0x7fU)
			violation(t, "retained_list: flags %#x", entry.op);
	}
	if (memchr_inv(c->buffer + nr * sizeof(entry), CANARY, (c->nr - nr) * sizeof(entry)))
		violation(t, "retained_list: written behind its %u entries", nr);
}

static void judge_reuse(struct thread *t, const struct call *c)
{
	struct wcr_reuse_entry entry;
	u32 i;

	for (i = 0; i < c->nr; i++) {
		memcpy(&entry, c->buffer + i * sizeof(entry), sizeof(entry));
		if ((entry.status && entry.status != -ESTALE) || entry.pad != i)
			violation(t, "reuse: status %d of entry %u", entry.status, i);
	}
}

static void judge_register(struct thread *t, const struct call *c)
{
	if (GET(c->arg, wcr_register, mode) > WCR_MODE_DISABLED ||
	    GET(c->arg, wcr_register, retained) > 2 * get_num_physpages())
		violation(t, "register: mode %u, %llu pages retained",
			  GET(c->arg, wcr_register, mode), GET(c->arg, wcr_register, retained));
}

/* Only what the header calls an output may have changed. */
static bool arg_unchanged(const struct call *c, unsigned int nr, long rc)
{
	u8 expect[ARG_ROOM];

	memcpy(expect, c->before, sizeof(expect));
	if (!rc && nr == WCR_OP_register) {
		memcpy(expect + offsetof(struct wcr_register, mode),
		       c->arg + offsetof(struct wcr_register, mode), sizeof(u32));
		memcpy(expect + offsetof(struct wcr_register, retained),
		       c->arg + offsetof(struct wcr_register, retained), sizeof(u64));
	} else if (nr == WCR_OP_retained_list) {
		/* Moves on also where the call fails later. */
		memcpy(expect + offsetof(struct wcr_retained_list, first_pfn),
		       c->arg + offsetof(struct wcr_retained_list, first_pfn), sizeof(u64));
		if (!rc)
			memcpy(expect + offsetof(struct wcr_retained_list, nr),
			       c->arg + offsetof(struct wcr_retained_list, nr), sizeof(u32));
	}
	return !memcmp(expect, c->arg, c->arg_len);
}

static void judge(struct thread *t, const struct call *c, unsigned int nr, long rc)
{
	if (!rc_allowed(c, nr, rc))
		violation(t, "command %u returned %ld%s", nr, rc,
			  c->unreadable ? ", bad argument" : "");
	if (!c->whole)
		return;
	if (!arg_unchanged(c, nr, rc))
		violation(t, "command %u (%ld) wrote to an input", nr, rc);
	if (rc)
		return;
	switch (nr) {
	case WCR_OP_register:      judge_register(t, c); break;
	case WCR_OP_retained_list: judge_retained_list(t, c); break;
	case WCR_OP_reuse:         judge_reuse(t, c); break;
	}
}

/* Bring back the canaries; what was written elsewhere shows. */
static void arena_check(struct thread *t, const struct call *c)
{
	u8 *end = t->arena + ARENA;

	if (c->arg >= t->arena && c->arg < end)
		memset(c->arg, CANARY, min_t(size_t, ARG_ROOM, end - c->arg));
	if (c->buffer)
		memset(c->buffer, CANARY, c->buffer_len);
	/* All of it now and then, and always where most is. */
	if (t->calls % 512)
		end = t->arena + 2 * ARG_ROOM;
	if (memchr_inv(t->arena, CANARY, end - t->arena)) {
		violation(t, "%s wrote outside of its buffers", calls_name(c->command));
		memset(t->arena, CANARY, ARENA);
	}
}

void calls_one(struct thread *t)
{
	struct call c;
	unsigned int nr;
	u64 start, ns;
	long rc;

	/* What looks at little, or at every frame, less often. */
	do {
		c.command = draw(t, calls_commands);
		nr = commands[c.command].nr;
	} while (nr != WCR_OP_map_update && nr != WCR_OP_reuse && draw(t, 8));
	if (c.command == calls_commands - 1) {
		nr = draw(t, 2) ? draw(t, 64) : prandom_u32_state(&t->rnd);
		if (known(nr))
			nr += 0x100;
	}
	fill(t, &c, nr);
	start = ktime_get_ns();
	rc = wcr_hypercall(nr, c.arg);
	ns = ktime_get_ns() - start;
	if (ns > t->max_ns) {
		t->max_ns = ns;
		t->max_cmd = c.command;
	}
	t->calls++;
	t->results[c.command][rc < 0 && rc > -FUZZ_ERRORS ? -rc : 0]++;
	judge(t, &c, nr, rc);
	arena_check(t, &c);
}

int calls_init(struct thread *t)
{
	t->arena = vmalloc(ARENA);
	t->results = kcalloc(calls_commands, sizeof(*t->results), GFP_KERNEL);
	if (!t->arena || !t->results)
		return -ENOMEM;
	memset(t->arena, CANARY, ARENA);
	return 0;
}
