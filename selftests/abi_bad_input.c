// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every field of every call, out of its range: the documented error, nothing
 * changed, nothing in the kernel's log.
 */

#include "../kselftest_harness.h"
#include "abi_calls.h"
#include "test_kmsg.h"
#include "test_uring.h"

FIXTURE(abi) {
	struct abi abi;
	struct abi_snapshot before;
	struct abi_snapshot after;
	union abi_arg arg;
	struct shmchan_window windows[3];
	struct shmchan_doorbell bells[2];
	struct shmchan_slot slots[4];
	struct shmchan_wait_elem elems[SHMCHAN_MAX_ELEMS + 1];
	uint32_t set[SHMCHAN_MAX_ELEMS + 1];
	unsigned char *guarded;	/* a page, and nothing behind it */
	int kmsg;
};

FIXTURE_SETUP(abi)
{
	self->kmsg = kmsg_open();
	ASSERT_EQ(0, abi_prepare(&self->abi));
	self->guarded = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->guarded);
	ASSERT_EQ(0, munmap(self->guarded + PAGE, PAGE));
}

FIXTURE_TEARDOWN(abi)
{
	char text[512];

	if (self->kmsg >= 0) {
		EXPECT_EQ(0, kmsg_noise(self->kmsg, text, sizeof(text)))
			TH_LOG("the kernel said: %s", text);
	}
}

/* The valid argument of a call, to be spoiled. */
#define fill(index) \
	abi_fill(&self->abi, &abi_calls[index], &self->arg)

/* Calls with what self->arg is now. */
#define submit(err, index, seqs, text) do {				\
	const struct abi_call *_c = &abi_calls[index];			\
	int _fd = abi_file(&self->abi, _c);				\
	int _ret;							\
									\
	ASSERT_LE(0, _fd);						\
	abi_snapshot(&self->abi, &self->before, seqs);			\
	_ret = call(_fd, _c->cmd, &self->arg);				\
	abi_snapshot(&self->abi, &self->after, seqs);			\
	EXPECT_EQ(-(err), _ret)						\
		TH_LOG("%s: %s", _c->name, text);			\
	EXPECT_EQ(0, memcmp(&self->before, &self->after,		\
			    sizeof(self->before)))			\
		TH_LOG("%s: %s changed something", _c->name, text);	\
	close(_fd);							\
} while (0)

/* A valid argument but for what is assigned in @spoil. */
#define bad(err, index, spoil) do {					\
	fill(index);							\
	spoil;								\
	submit(err, index, true, #spoil);				\
} while (0)

/* The same for RING_WAIT, which has rung when it looks at its second half. */
#define bad_after_ring(err, spoil) do {					\
	fill(ABI_RING_WAIT);						\
	spoil;								\
	submit(err, ABI_RING_WAIT, false, #spoil);			\
} while (0)

/* Each bit of a field that has no meaning, alone. */
#define bad_bits(index, field, known) do {				\
	unsigned int _bit;						\
									\
	for (_bit = 0; _bit < 8 * sizeof(self->arg.field); _bit++) {	\
		if ((known) & 1ULL << _bit)				\
			continue;					\
		fill(index);						\
		self->arg.field |= 1ULL << _bit;			\
		submit(EINVAL, index, true, #field);			\
	}								\
} while (0)

TEST_F_TIMEOUT(abi, flags_and_reserved, 180)
{
	bad_bits(ABI_QUERY_DEVICE, query_device.flags, 0);
	bad_bits(ABI_CREATE, create.flags, 0xf);
	bad_bits(ABI_CREATE, create.mode, 0666);
	bad_bits(ABI_OPEN, open.flags, 0x7);
	bad_bits(ABI_OPEN, open.reserved, 0);
	bad_bits(ABI_OPEN, open.rights, SHMCHAN_RIGHT_ALL);
	bad_bits(ABI_LIST_NAMES, list.flags, 0);
	bad_bits(ABI_LIST_USERS, list_users.flags, 0);
	bad_bits(ABI_QUERY, query.flags, 0);
	bad_bits(ABI_JOIN, join.flags, SHMCHAN_JOIN_ASYM | SHMCHAN_JOIN_SIGBUS);
	bad_bits(ABI_MINT, mint.flags, 0x7);
	bad_bits(ABI_MINT, mint.rights, SHMCHAN_RIGHT_ALL);
	bad_bits(ABI_MINT, mint.slot, 0);
	bad_bits(ABI_MINT, mint.data.offset, 0);
	bad_bits(ABI_MINT, mint.data.length, 0);
	bad_bits(ABI_MINT, mint.control.offset, 0);
	bad_bits(ABI_MINT, mint.control.length, 0);
	bad_bits(ABI_MINT, mint.reserved, 0);
	bad_bits(ABI_PUBLISH, publish.flags, 0);
	bad_bits(ABI_PUBLISH, publish.mode, 0666);
	bad_bits(ABI_PUBLISH, publish.rights, SHMCHAN_RIGHT_ALL);
	bad_bits(ABI_PUBLISH, publish.reserved, 0);
	bad_bits(ABI_WITHDRAW, withdraw.flags, 0);
	bad_bits(ABI_SETATTR, setattr.flags, 0x7);
	bad_bits(ABI_SETATTR, setattr.mode, 0666);
	bad_bits(ABI_SETATTR, setattr.uid, 0);
	bad_bits(ABI_SETATTR, setattr.gid, 0);
	bad_bits(ABI_SETATTR, setattr.reserved, 0);
	bad_bits(ABI_SEAL, seal.flags, 0);
	bad_bits(ABI_SEAL, seal.seals, 0x3);
	bad_bits(ABI_SEAL, seal.reserved, 0);
	bad_bits(ABI_REVOKE, revoke.flags, SHMCHAN_REVOKE_UID);
	bad_bits(ABI_REVOKE, revoke.slot, 0);
	bad_bits(ABI_REVOKE, revoke.generation, 0);
	bad_bits(ABI_REVOKE, revoke.reserved, 0);
	bad_bits(ABI_EXTENTS, extents.flags, SHMCHAN_EXTENTS_PHYS);
	bad_bits(ABI_LEAVE, leave.flags, 0);
	bad_bits(ABI_MEMBER_INFO, member_info.flags, 0);
	bad_bits(ABI_MEMBER_INFO, member_info.reserved, 0);
	bad_bits(ABI_WAIT, wait.flags, SHMCHAN_WAIT_FENCED);
	bad_bits(ABI_WAIT, wait.reserved, 0);
	bad_bits(ABI_RING, ring.flags, SHMCHAN_RING_SET);
	bad_bits(ABI_RING_WAIT, ring_wait.flags, 0);
	bad_bits(ABI_ARM, arm.flags, SHMCHAN_ARM_DISARM);
	/* MEMBERS is wrong, too, on this doorbell. */
	bad_bits(ABI_SUBSCRIBE, subscribe.flags, SHMCHAN_SUBSCRIBE_END);
	bad_bits(ABI_SUBSCRIBE, subscribe.reserved, 0);
	bad_bits(ABI_EXPORT_DMABUF, export_dmabuf.flags, SHMCHAN_EXPORT_WRITE);
	bad_bits(ABI_EXPORT_DMABUF, export_dmabuf.reserved, 0);
	/* END is wrong, too, with an eventfd. */
	bad_bits(ABI_BIND_EVENTFD, bind_eventfd.flags, 0);
}

TEST_F_TIMEOUT(abi, mint, 120)
{
	struct shmchan_mint *m = &self->arg.mint;
	const struct layout *l = &self->abi.layout;
	uint64_t control = SHMCHAN_CONTROL_OFFSET(l->data_size);

	bad(EINVAL, ABI_MINT, m->rights = 0);
	bad(EINVAL, ABI_MINT, (m->flags = SHMCHAN_MINT_SLOT, m->slot = 4));
	bad(EINVAL, ABI_MINT, (m->flags = SHMCHAN_MINT_SLOT,
			       m->slot = SHMCHAN_SLOT_ANY));
	bad(EISCONN, ABI_MINT, m->flags = SHMCHAN_MINT_SELF);
#define range(err, area, _offset, _length)				\
	bad(err, ABI_MINT, (m->flags = SHMCHAN_MINT_RANGE,		\
			    m->area.offset = (_offset),			\
			    m->area.length = (_length)))
	range(EINVAL, data, 0, 1);
	range(EINVAL, data, 1, PAGE);
	range(EINVAL, data, PAGE, 0);
	range(EINVAL, data, 0, l->data_size + PAGE);
	range(EINVAL, data, l->data_size, PAGE);
	range(EINVAL, data, PAGE, -PAGE);
	range(EINVAL, data, -PAGE, PAGE);
	range(EINVAL, data, -PAGE, 2 * PAGE);
	range(EINVAL, data, 0, -PAGE);
	range(EINVAL, data, control, PAGE);
	range(EINVAL, control, control - PAGE, PAGE);
	range(EINVAL, control, 0, PAGE);
	range(EINVAL, control, control, l->control_size + PAGE);
	range(EINVAL, control, control + 1, PAGE);
	range(EINVAL, control, control + PAGE, -PAGE);
	range(EINVAL, control, control, 0);
	range(EINVAL, control, SHMCHAN_STATUS_OFFSET(l->data_size,
						     l->control_size), PAGE);
#undef range
}

TEST_F(abi, publish_and_withdraw)
{
	struct shmchan_publish *p = &self->arg.publish;
	struct shmchan_withdraw *w = &self->arg.withdraw;

	bad(EINVAL, ABI_PUBLISH, p->rights = 0);
	bad(EINVAL, ABI_PUBLISH, p->name_len = 0);
	bad(EINVAL, ABI_PUBLISH, p->name_len = SHMCHAN_NAME_LEN);
	bad(EFAULT, ABI_PUBLISH, p->name = 0);
	bad(EINVAL, ABI_PUBLISH, p->name = ptr("a/b"));
	bad(EEXIST, ABI_PUBLISH, (p->name = ptr(self->abi.name),
				  p->name_len = strlen(self->abi.name)));
	bad(EINVAL, ABI_WITHDRAW, w->name_len = 0);
	bad(EFAULT, ABI_WITHDRAW, w->name = 0);
	bad(ENOENT, ABI_WITHDRAW, (w->name = ptr("no-such"), w->name_len = 7));
	bad(EINVAL, ABI_WITHDRAW, w->flags = SHMCHAN_WITHDRAW_PUBLISHED);
}

TEST_F(abi, setattr_seal_revoke)
{
	struct shmchan_setattr *s = &self->arg.setattr;
	struct shmchan_revoke *r = &self->arg.revoke;

	bad(EINVAL, ABI_SETATTR, s->flags = 0);
	bad(EINVAL, ABI_SETATTR, (s->flags = 0, s->mode = 0));
	bad(EINVAL, ABI_SETATTR, (s->flags = SHMCHAN_SETATTR_UID,
				  s->mode = 0, s->uid = -1));
	bad(EINVAL, ABI_SETATTR, (s->flags = SHMCHAN_SETATTR_GID,
				  s->mode = 0, s->gid = -1));
	bad(EINVAL, ABI_SEAL, self->arg.seal.seals = 0);
	bad(EINVAL, ABI_REVOKE, r->flags = 0);
	bad(EINVAL, ABI_REVOKE, r->flags = 3);
	bad(EINVAL, ABI_REVOKE, r->uid = -1);
#define by_slot(err, _slot, _generation, _uid)				\
	bad(err, ABI_REVOKE, (r->flags = SHMCHAN_REVOKE_SLOT,		\
			      r->uid = (_uid), r->slot = (_slot),	\
			      r->generation = (_generation)))
	by_slot(EINVAL, 4, 0, 0);
	by_slot(EINVAL, SHMCHAN_SLOT_ANY, 0, 0);
	by_slot(EINVAL, 1, 0, 1);
	by_slot(ESRCH, 1, 0, 0);
	by_slot(ESRCH, 0, 2, 0);
	/* Its own. */
	by_slot(EINVAL, 0, 0, 0);
	by_slot(EINVAL, 0, 1, 0);
#undef by_slot
}

TEST_F(abi, create_numbers)
{
	struct shmchan_create *c = &self->arg.create;

	bad(EINVAL, ABI_CREATE, c->data_size += 1);
	bad(EINVAL, ABI_CREATE, c->data_size += 2048);
	bad(EINVAL, ABI_CREATE, c->flags = 0);	/* not of 2 MiB then */
	bad(EINVAL, ABI_CREATE, c->data_size = ~0ULL);
	bad(ENOSPC, ABI_CREATE, (c->data_size = ~0ULL << 12,
				 c->nr_windows = 0));
	bad(ENOSPC, ABI_CREATE, (c->data_size = 1ULL << 63,
				 c->nr_windows = 0));
	bad(ENOSPC, ABI_CREATE, (c->data_size = 1ULL << 49,
				 c->nr_windows = 0));
	bad(EINVAL, ABI_CREATE, c->control_size = 0);
	bad(EINVAL, ABI_CREATE, c->control_size += 1);
	bad(EINVAL, ABI_CREATE, c->control_size = ~0ULL);
	bad(ENOSPC, ABI_CREATE, c->control_size = ~0ULL << 12);
	bad(ENOSPC, ABI_CREATE, c->control_size = 1ULL << 63);
	bad(ENOSPC, ABI_CREATE, (c->data_size = 1ULL << 63,
				 c->control_size = 1ULL << 63));
	bad(EINVAL, ABI_CREATE, c->nr_slots = 0);
	bad(E2BIG, ABI_CREATE, c->nr_slots = SHMCHAN_MAX_SLOTS + 1);
	bad(E2BIG, ABI_CREATE, c->nr_slots = ~0U);
	bad(E2BIG, ABI_CREATE, c->nr_doorbells = SHMCHAN_MAX_DOORBELLS + 1);
	bad(E2BIG, ABI_CREATE, c->nr_doorbells = ~0U);
	bad(E2BIG, ABI_CREATE, c->nr_windows = SHMCHAN_MAX_WINDOWS + 1);
	bad(E2BIG, ABI_CREATE, c->nr_windows = ~0U);
	bad(E2BIG, ABI_CREATE, c->header_len = 4097);
	bad(E2BIG, ABI_CREATE, c->header_len = ~0U);
	/* What belongs to JOIN, without it. */
	bad(EINVAL, ABI_CREATE, c->join_flags = SHMCHAN_JOIN_ASYM);
	bad(EINVAL, ABI_CREATE, c->join_slot = 1);
	/* And with it. */
	bad(EINVAL, ABI_CREATE, (c->flags |= SHMCHAN_CREATE_JOIN,
				 c->join_flags = 4));
	bad(EINVAL, ABI_CREATE, (c->flags |= SHMCHAN_CREATE_JOIN,
				 c->join_slot = 4));
	bad(EINVAL, ABI_CREATE, (c->flags |= SHMCHAN_CREATE_JOIN,
				 c->join_slot = SHMCHAN_SLOT_SHARED));
	/* A name that is a number, or a length alone. */
	bad(EFAULT, ABI_CREATE, c->name_len = 3);
	bad(EINVAL, ABI_CREATE, c->name = ptr("name"));
	bad(EEXIST, ABI_CREATE, (c->name = ptr(self->abi.name),
				 c->name_len = strlen(self->abi.name)));
}

TEST_F(abi, create_contig)
{
	struct shmchan_create *c = &self->arg.create;
	uint32_t node = 0;

	self->abi.layout = layout_default(SHMCHAN_CREATE_CONTIG, true);
	bad(EINVAL, ABI_CREATE, c->flags |= SHMCHAN_CREATE_SMALL);
	bad(EINVAL, ABI_CREATE, c->data_size += PAGE);
	bad(EINVAL, ABI_CREATE, (c->data_size = 0, c->nr_windows = 0));
	bad(EINVAL, ABI_CREATE, (c->numa_policy = SHMCHAN_NUMA_INTERLEAVE,
				 c->numa_nodes = ptr(&node),
				 c->nr_nodes = 1));
	bad(ENOSPC, ABI_CREATE, (c->data_size = 1ULL << 49,
				 c->nr_windows = 0));
}

/* A policy, and so many of the nodes at self->set. */
#define bad_numa(err, policy, nr, spoil)				\
	bad(err, ABI_CREATE, (c->numa_policy = (policy),		\
			      c->nr_nodes = (nr),			\
			      c->numa_nodes = ptr(self->set), spoil))

TEST_F(abi, create_numa)
{
	static const uint32_t nowhere[] = {
		63, 64, 1023, 1024, 4096, 0x7fffffff, 0x80000000, ~0U,
	};
	struct shmchan_create *c = &self->arg.create;
	uint64_t edge = ptr(self->guarded + PAGE);
	uint32_t policy;
	unsigned int i;

	memset(self->set, 0, sizeof(self->set));
	bad(EINVAL, ABI_CREATE, c->numa_policy = SHMCHAN_NUMA_INTERLEAVE + 1);
	bad(EINVAL, ABI_CREATE, c->numa_policy = ~0U);
	bad(EINVAL, ABI_CREATE, c->nr_nodes = 1);
	bad(EINVAL, ABI_CREATE, c->numa_nodes = ptr(self->set));
	bad_numa(EINVAL, SHMCHAN_NUMA_DEFAULT, 1, (void)0);
	for (policy = SHMCHAN_NUMA_BIND; policy <= SHMCHAN_NUMA_INTERLEAVE;
	     policy++) {
		bad_numa(EINVAL, policy, 0, (void)0);
		bad_numa(E2BIG, policy, SHMCHAN_MAX_NODES + 1, (void)0);
		bad_numa(E2BIG, policy, ~0U, (void)0);
		bad_numa(EFAULT, policy, 1, c->numa_nodes = 0);
		bad_numa(EFAULT, policy, 2, c->numa_nodes = edge - 4);
		bad_numa(EFAULT, policy, 1, c->numa_nodes = 1ULL << 63);
		for (i = 0; i < COUNT(nowhere); i++) {
			bad_numa(ENXIO, policy, 1, self->set[0] = nowhere[i]);
			self->set[0] = 0;
			/* One that is there does not help. */
			bad_numa(ENXIO, policy, 2, self->set[1] = nowhere[i]);
			self->set[1] = 0;
		}
	}
}

TEST_F(abi, create_pointers)
{
	struct shmchan_create *c = &self->arg.create;
	uint64_t edge = ptr(self->guarded + PAGE);

	bad(EFAULT, ABI_CREATE, (c->name = edge, c->name_len = 4));
	bad(EFAULT, ABI_CREATE, (c->name = edge - 3, c->name_len = 4));
	bad(EFAULT, ABI_CREATE, (c->name = ~0ULL - 8, c->name_len = 4));
	bad(EFAULT, ABI_CREATE, c->windows = 0);
	bad(EFAULT, ABI_CREATE, c->windows = edge);
	bad(EFAULT, ABI_CREATE, c->windows = edge - 8);
	bad(EFAULT, ABI_CREATE, c->windows = ~0ULL << 12);
	bad(EFAULT, ABI_CREATE, c->doorbells = 0);
	bad(EFAULT, ABI_CREATE, c->doorbells = edge);
	bad(EFAULT, ABI_CREATE, c->doorbells = edge - 32);
	bad(EFAULT, ABI_CREATE, c->doorbells = 1ULL << 63);
	bad(EFAULT, ABI_CREATE, c->slots = edge);
	bad(EFAULT, ABI_CREATE, c->slots = edge - 24);
	bad(EFAULT, ABI_CREATE, c->slots = 8);
	bad(EFAULT, ABI_CREATE, c->header_len = 1);
	bad(EFAULT, ABI_CREATE, (c->header = edge, c->header_len = 1));
	bad(EFAULT, ABI_CREATE, (c->header = edge - 4095,
				 c->header_len = 4096));
}

/* CREATE with these windows. */
#define bad_windows(err, nr, ...) do {					\
	struct shmchan_window _w[] = { __VA_ARGS__ };			\
									\
	memcpy(self->windows, _w, sizeof(_w));				\
	fill(ABI_CREATE);						\
	self->arg.create.windows = ptr(self->windows);			\
	self->arg.create.nr_windows = nr;				\
	submit(err, ABI_CREATE, true, #__VA_ARGS__);			\
} while (0)

TEST_F(abi, windows)
{
	const struct layout *l = &self->abi.layout;
	uint64_t control = SHMCHAN_CONTROL_OFFSET(l->data_size);
	uint64_t status = SHMCHAN_STATUS_OFFSET(l->data_size, l->control_size);
	uint64_t huge = 0;

	bad_windows(EINVAL, 1, { 0, 0, 0, 0 });
	bad_windows(EINVAL, 1, { 0, 1, 0, 0 });
	bad_windows(EINVAL, 1, { 0, PAGE + 1, 0, 0 });
	bad_windows(EINVAL, 1, { 1, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { 0, PAGE, 0, 1 });
	bad_windows(EINVAL, 1, { 0, PAGE, 0, 1U << 31 });
	/* No such slot. */
	bad_windows(EINVAL, 1, { 0, PAGE, 4, 0 });
	bad_windows(EINVAL, 1, { 0, PAGE, SHMCHAN_SLOT_ANY, 0 });
	bad_windows(EINVAL, 1, { 0, PAGE, SHMCHAN_SLOT_NONE, 0 });
	/* Not in one area, or in none. */
	bad_windows(EINVAL, 1, { 0, l->data_size + PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { l->data_size, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { 0, ~0ULL << 12, 0, 0 });
	bad_windows(EINVAL, 1, { PAGE, ~0ULL << 12, 0, 0 });
	bad_windows(EINVAL, 1, { ~0ULL << 12, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { ~0ULL << 12, 2 * PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { control + l->control_size, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { control + PAGE, l->control_size, 0, 0 });
	/* The header page. */
	bad_windows(EINVAL, 1, { control, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { control, 2 * PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { control, PAGE, SHMCHAN_SLOT_SHARED, 0 });
	/* The status area. */
	bad_windows(EINVAL, 1, { status, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { status, PAGE, SHMCHAN_SLOT_SHARED, 0 });
	/* Overlap, and a wrong order. */
	bad_windows(EINVAL, 2, { 0, PAGE, 0, 0 }, { 0, PAGE, 1, 0 });
	bad_windows(EINVAL, 2, { 0, 2 * PAGE, 0, 0 }, { PAGE, PAGE, 1, 0 });
	bad_windows(EINVAL, 2, { PAGE, PAGE, 0, 0 }, { 0, PAGE, 1, 0 });
	bad_windows(EINVAL, 3, { 0, PAGE, 0, 0 }, { PAGE, PAGE, 1, 0 },
		    { PAGE, PAGE, 0, 0 });
	/* Half a folio. */
	huge = self->abi.layout.data_size = 2 * HUGE;
	self->abi.layout.flags = 0;
	bad_windows(EINVAL, 1, { 0, PAGE, 0, 0 });
	bad_windows(EINVAL, 1, { PAGE, HUGE, 0, 0 });
	bad_windows(EINVAL, 1, { HUGE / 2, HUGE, 0, 0 });
	bad_windows(EINVAL, 1, { 0, HUGE + HUGE / 2, 0, 0 });
	bad_windows(EINVAL, 1, { 0, huge + HUGE, 0, 0 });
}

TEST_F(abi, doorbells_and_slots)
{
	struct shmchan_create *c = &self->arg.create;
	struct shmchan_doorbell *b = self->bells;
	struct shmchan_slot *s = self->slots;

#define bad_bell(spoil) \
	bad(EINVAL, ABI_CREATE, (memset(b, 0, sizeof(self->bells)), spoil, \
				 c->doorbells = ptr(b), c->nr_doorbells = 2))
	bad_bell(b[1].flags = 1);
	bad_bell(b[1].flags = 1U << 31);
	bad_bell(b[1].owner = 4);
	bad_bell(b[0].owner = SHMCHAN_SLOT_ANY);
	bad_bell(b[0].owner = SHMCHAN_SLOT_NONE);

#define bad_slot(spoil) \
	bad(EINVAL, ABI_CREATE, (memset(s, 0, sizeof(self->slots)), spoil, \
				 c->slots = ptr(s)))
	bad_slot(s[3].flags = 4);
	bad_slot(s[3].flags = 1U << 31);
	bad_slot(s[3].uid = 1);		/* without the flag */
	bad_slot((s[0].flags = SHMCHAN_SLOT_FLAG_UID, s[0].uid = ~0U));
}

TEST_F(abi, open)
{
	struct shmchan_open *o = &self->arg.open;
	uint64_t edge = ptr(self->guarded + PAGE);

	bad(EINVAL, ABI_OPEN, o->rights = 0);
	bad(EINVAL, ABI_OPEN, o->name_len = 0);
	bad(EINVAL, ABI_OPEN, o->name_len = SHMCHAN_NAME_LEN);
	bad(EINVAL, ABI_OPEN, o->name_len = ~0U);
	bad(EFAULT, ABI_OPEN, o->name = 0);
	bad(EFAULT, ABI_OPEN, o->name = edge);
	bad(EFAULT, ABI_OPEN, o->name = edge - 1);
	bad(ENOENT, ABI_OPEN, o->name = ptr("abcdefghijklmnopqrstuvwxyz"));
	/* With its terminating zero. */
	bad(EINVAL, ABI_OPEN, o->name_len += 1);
	bad(EINVAL, ABI_OPEN, o->owner_uid = 1);
	bad(EINVAL, ABI_OPEN, o->join_flags = SHMCHAN_JOIN_ASYM);
	bad(EINVAL, ABI_OPEN, o->join_slot = 1);
	bad(EINVAL, ABI_OPEN, (o->flags = SHMCHAN_OPEN_JOIN,
			       o->join_flags = 4, o->join_slot = 1));
	bad(EINVAL, ABI_OPEN, (o->flags = SHMCHAN_OPEN_JOIN,
			       o->join_slot = 4));
	bad(EBUSY, ABI_OPEN, o->flags = SHMCHAN_OPEN_JOIN);
	bad(EPERM, ABI_OPEN, (o->flags = SHMCHAN_OPEN_OWNER_UID,
			      o->owner_uid = 4242));
	/* No uid at all. */
	bad(EPERM, ABI_OPEN, (o->flags = SHMCHAN_OPEN_OWNER_UID,
			      o->owner_uid = ~0U));
}

TEST_F(abi, list)
{
	struct shmchan_list *l = &self->arg.list;
	uint64_t edge = ptr(self->guarded + PAGE);

	bad(EINVAL, ABI_LIST_NAMES, l->nr_entries = 0);
	bad(E2BIG, ABI_LIST_NAMES, l->nr_entries = 1025);
	bad(E2BIG, ABI_LIST_NAMES, l->nr_entries = ~0U);
	bad(EINVAL, ABI_LIST_NAMES, l->entry_size = 0);
	bad(EINVAL, ABI_LIST_NAMES, l->entry_size -= 8);
	bad(EINVAL, ABI_LIST_NAMES, l->entry_size += 8);
	bad(EFAULT, ABI_LIST_NAMES, l->entries = 0);
	bad(EFAULT, ABI_LIST_NAMES, l->entries = edge);
	bad(EFAULT, ABI_LIST_NAMES, l->entries = edge - 96);
	bad(EFAULT, ABI_LIST_NAMES, l->entries = ~0ULL << 12);
	mprotect(self->guarded, PAGE, PROT_READ);
	bad(EFAULT, ABI_LIST_NAMES, l->entries = ptr(self->guarded));
	bad(EFAULT, ABI_QUERY, (self->arg.query.windows = ptr(self->guarded),
				self->arg.query.nr_windows = 1));
	bad(EFAULT, ABI_QUERY, (self->arg.query.doorbells = ptr(self->guarded),
				self->arg.query.room_doorbells = 1));
	bad(EFAULT, ABI_QUERY, (self->arg.query.windows = edge - 16,
				self->arg.query.nr_windows = 1));
	bad(EFAULT, ABI_QUERY, (self->arg.query.doorbells = edge - 4,
				self->arg.query.room_doorbells = 1));
}

TEST_F(abi, list_users)
{
	struct shmchan_list_users *l = &self->arg.list_users;
	uint64_t edge = ptr(self->guarded + PAGE);

	bad(EINVAL, ABI_LIST_USERS, l->nr_entries = 0);
	bad(E2BIG, ABI_LIST_USERS, l->nr_entries = 1025);
	bad(E2BIG, ABI_LIST_USERS, l->nr_entries = ~0U);
	bad(EINVAL, ABI_LIST_USERS, l->entry_size = 0);
	bad(EINVAL, ABI_LIST_USERS, l->entry_size -= 8);
	bad(EINVAL, ABI_LIST_USERS, l->entry_size += 8);
	bad(EFAULT, ABI_LIST_USERS, l->entries = 0);
	bad(EFAULT, ABI_LIST_USERS, l->entries = edge);
	bad(EFAULT, ABI_LIST_USERS, l->entries = edge - 8);
	bad(EFAULT, ABI_LIST_USERS, l->entries = ~0ULL << 12);
}

TEST_F(abi, extents)
{
	struct shmchan_extents *x = &self->arg.extents;
	uint64_t edge = ptr(self->guarded + PAGE);
	uint64_t end = self->abi.layout.data_size;

	bad(EINVAL, ABI_EXTENTS, x->nr_extents = 0);
	bad(E2BIG, ABI_EXTENTS, x->nr_extents = 1025);
	bad(E2BIG, ABI_EXTENTS, x->nr_extents = ~0U);
	bad(EINVAL, ABI_EXTENTS, x->extent_size = 0);
	bad(EINVAL, ABI_EXTENTS, x->extent_size -= 8);
	bad(EINVAL, ABI_EXTENTS, x->extent_size += 8);
	bad(EINVAL, ABI_EXTENTS, x->start = 1);
	bad(EINVAL, ABI_EXTENTS, x->start = PAGE / 2);
	bad(EINVAL, ABI_EXTENTS, x->start = end + PAGE);
	bad(EINVAL, ABI_EXTENTS, x->start =
	    SHMCHAN_CONTROL_OFFSET(end));
	bad(EINVAL, ABI_EXTENTS, x->start = 1ULL << 63);
	bad(EINVAL, ABI_EXTENTS, x->start = ~0ULL << 12);
	bad(EFAULT, ABI_EXTENTS, x->extents = 0);
	bad(EFAULT, ABI_EXTENTS, x->extents = edge);
	bad(EFAULT, ABI_EXTENTS, x->extents = edge - 16);
	bad(EFAULT, ABI_EXTENTS, x->extents = ~0ULL << 12);
}

TEST_F(abi, export_dmabuf)
{
	struct shmchan_export_dmabuf *x = &self->arg.export_dmabuf;
	const struct layout *l = &self->abi.layout;
	uint64_t control = SHMCHAN_CONTROL_OFFSET(l->data_size);
	uint64_t status = self->abi.status.offset;

#define bad_export(err, at, len) \
	bad(err, ABI_EXPORT_DMABUF, (x->flags = 0, x->offset = (at), \
				     x->length = (len)))
	bad_export(EINVAL, 0, 0);
	bad_export(EINVAL, 0, 1);
	bad_export(EINVAL, 0, PAGE + 8);
	bad_export(EINVAL, 1, PAGE);
	bad_export(EINVAL, PAGE / 2, PAGE);
	/* Not wholly in one area. */
	bad_export(EINVAL, 0, l->data_size + PAGE);
	bad_export(EINVAL, l->data_size, PAGE);
	bad_export(EINVAL, l->data_size - PAGE, 2 * PAGE);
	bad_export(EINVAL, 0, control + PAGE);
	bad_export(EINVAL, control, l->control_size + PAGE);
	bad_export(EINVAL, control - PAGE, 2 * PAGE);
	bad_export(EINVAL, 0, ~0ULL << 12);
	bad_export(EINVAL, ~0ULL << 12, PAGE);
	bad_export(EINVAL, ~0ULL << 12, 2 * PAGE);
	bad_export(EINVAL, 1ULL << 63, 1ULL << 63);
	/* The kernel's own. */
	bad_export(EINVAL, status, PAGE);
	bad_export(EINVAL, control, status - control + PAGE);
	/* Not all of it is writable to the caller. */
	bad(EACCES, ABI_EXPORT_DMABUF, x->offset = FOLIO_FOREIGN * PAGE);
	bad(EACCES, ABI_EXPORT_DMABUF, x->offset = FOLIO_NOBODY * PAGE);
	bad(EACCES, ABI_EXPORT_DMABUF, x->length = 2 * PAGE);
	bad(EACCES, ABI_EXPORT_DMABUF, x->offset = control);
	bad(EACCES, ABI_EXPORT_DMABUF, (x->offset = FOLIO_FOREIGN * PAGE,
					x->length = 2 * PAGE));
}

TEST_F(abi, members)
{
	bad(EINVAL, ABI_JOIN, self->arg.join.slot = 4);
	bad(EINVAL, ABI_JOIN, self->arg.join.slot = SHMCHAN_SLOT_SHARED);
	bad(EINVAL, ABI_JOIN, self->arg.join.slot = SHMCHAN_SLOT_NONE);
	bad(EINVAL, ABI_JOIN, self->arg.join.slot = 1U << 31);
	bad(EBUSY, ABI_JOIN, self->arg.join.slot = 0);
	bad(EINVAL, ABI_MEMBER_INFO, self->arg.member_info.slot = 4);
	bad(EINVAL, ABI_MEMBER_INFO, self->arg.member_info.slot = ~0U);
}

/* What WAIT and the second half of RING_WAIT have in common. */
#define bad_wait(err, spoil) do {					\
	w = &self->arg.wait;						\
	bad(err, ABI_WAIT, spoil);					\
	w = &self->arg.ring_wait.wait;					\
	bad_after_ring(err, spoil);					\
} while (0)

TEST_F(abi, wait)
{
	uint64_t edge = ptr(self->guarded + PAGE);
	struct shmchan_wait *w;

	bad_wait(EINVAL, w->clockid = CLOCK_REALTIME);
	bad_wait(EINVAL, w->clockid = CLOCK_BOOTTIME);
	bad_wait(EINVAL, w->clockid = ~0U);
	bad_wait(EINVAL, w->nr_elems = 0);
	bad_wait(E2BIG, w->nr_elems = SHMCHAN_MAX_ELEMS + 1);
	bad_wait(E2BIG, w->nr_elems = ~0U);
	bad_wait(EINVAL, w->deadline = SHMCHAN_FOREVER + 1);
	bad_wait(EINVAL, w->deadline = ~0ULL);
	bad_wait(EFAULT, w->elems = 0);
	bad_wait(EFAULT, w->elems = edge);
	bad_wait(EFAULT, w->elems = edge - 32);
	bad_wait(EFAULT, w->elems = ~0ULL << 12);
	bad_after_ring(EINVAL, w->flags = 2);
	bad_after_ring(EINVAL, w->reserved = 1);
	/* Its size counts for itself, and there is room for one only. */
	bad(EINVAL, ABI_RING_WAIT, self->arg.ring_wait.wait.size = 0);
	bad(EINVAL, ABI_RING_WAIT, self->arg.ring_wait.wait.size -= 8);
	bad(EINVAL, ABI_RING_WAIT, self->arg.ring_wait.wait.size += 8);
}

/* One element, in front of a good one and behind it. */
#define bad_elem(err, spoil) do {					\
	struct shmchan_wait_elem good, *e;				\
	unsigned int _at;						\
									\
	for (_at = 0; _at < 2; _at++) {					\
		fill(ABI_WAIT);						\
		good = self->abi.elem;					\
		self->elems[0] = self->elems[1] = good;			\
		e = &self->elems[_at];					\
		spoil;							\
		self->arg.wait.elems = ptr(self->elems);		\
		self->arg.wait.nr_elems = 2;				\
		submit(err, ABI_WAIT, true, #spoil);			\
	}								\
} while (0)

TEST_F(abi, wait_elements)
{
	const struct layout *l = &self->abi.layout;
	uint64_t status = self->abi.status.offset;
	unsigned int i;

	for (i = 1; i < 32; i++)
		bad_elem(EINVAL, e->flags = 1U << i);
	bad_elem(EINVAL, e->reserved = 1);
	bad_elem(EINVAL, e->reserved = 1U << 31);
	bad_elem(EBADF, e->fd = -2);
	bad_elem(EBADF, e->fd = INT32_MIN);
	bad_elem(EBADF, e->fd = 1000);
	bad_elem(EBADF, e->fd = self->abi.dev);
	bad_elem(EBADF, e->fd = STDIN_FILENO);
	bad_elem(EINVAL, e->doorbell = 6);
	bad_elem(EINVAL, e->doorbell = ~0U);
	bad_elem(EACCES, e->doorbell = BELL_OF(1));
	bad_elem(EINVAL, e->offset += 1);
	bad_elem(EINVAL, e->offset += 4);
	bad_elem(EINVAL, (e->offset += 2, e->flags = SHMCHAN_ELEM_32));
	bad_elem(EINVAL, e->offset = l->data_size);
	bad_elem(EINVAL, e->offset = status - 8);
	bad_elem(EINVAL, e->offset = status + self->abi.status.size);
	bad_elem(EINVAL, e->offset = ~0ULL << 3);
	bad_elem(EINVAL, e->offset = 1ULL << 63);
	bad_elem(EINVAL, e->offset = 1ULL << 44);
	/* Bits that a 32-bit word does not have. */
	bad_elem(EINVAL, (e->flags = SHMCHAN_ELEM_32,
			  e->mask = 1ULL << 32, e->value = 0));
	bad_elem(EINVAL, (e->flags = SHMCHAN_ELEM_32,
			  e->mask = ~0U, e->value = 1ULL << 32));
}

TEST_F(abi, ring)
{
	struct shmchan_ring *r = &self->arg.ring;
	uint64_t edge = ptr(self->guarded + PAGE);
	unsigned int i;

	bad(EINVAL, ABI_RING, r->doorbell = 6);
	bad(EINVAL, ABI_RING, r->doorbell = ~0U);
	bad(EACCES, ABI_RING, r->doorbell = SHMCHAN_DOORBELL_MEMBERS);
	bad(EINVAL, ABI_RING, r->nr_doorbells = 1);
	bad(EINVAL, ABI_RING, r->doorbells = ptr(self->set));
	bad(EINVAL, ABI_RING_WAIT, self->arg.ring_wait.doorbell = 6);
	bad(EACCES, ABI_RING_WAIT, self->arg.ring_wait.doorbell = 0);

	for (i = 0; i < COUNT(self->set); i++)
		self->set[i] = BELL_SHARED;
#define bad_set(err, spoil) \
	bad(err, ABI_RING, (r->flags = SHMCHAN_RING_SET, r->doorbell = 0, \
			    r->doorbells = ptr(self->set), \
			    r->nr_doorbells = 4, spoil))
	bad_set(EINVAL, r->doorbell = 1);
	bad_set(EINVAL, r->nr_doorbells = 0);
	bad_set(E2BIG, r->nr_doorbells = SHMCHAN_MAX_ELEMS + 1);
	bad_set(E2BIG, r->nr_doorbells = ~0U);
	bad_set(EFAULT, r->doorbells = 0);
	bad_set(EFAULT, r->doorbells = edge - 12);
	/* All or none: the first three are not rung. */
	bad_set(EINVAL, self->set[3] = 6);
	bad_set(EINVAL, self->set[3] = ~0U);
	bad_set(EACCES, self->set[3] = SHMCHAN_DOORBELL_MEMBERS);
}

TEST_F(abi, arm_and_subscribe)
{
	struct shmchan_arm *a = &self->arg.arm;
	struct shmchan_subscribe *s = &self->arg.subscribe;
	uint64_t edge = ptr(self->guarded + PAGE);
	struct shmchan_wait_elem *e = self->elems;
	uint64_t word = self->abi.word;

	bad(EINVAL, ABI_ARM, a->doorbell = 6);
	bad(EINVAL, ABI_ARM, a->doorbell = ~0U);
	bad(EACCES, ABI_ARM, a->doorbell = BELL_OF(1));
	bad(ENOENT, ABI_ARM, a->doorbell = BELL_SHARED);
	bad(EINVAL, ABI_ARM, a->nr_elems = 1);	/* with DISARM */
#define bad_arm(err, spoil) \
	bad(err, ABI_ARM, (e[0] = elem64(-1, BELL_OF(0), word, 0), \
			   e[1] = e[0], a->flags = 0, a->nr_elems = 2, \
			   a->elems = ptr(e), spoil))
	bad_arm(E2BIG, a->nr_elems = SHMCHAN_MAX_ELEMS + 1);
	bad_arm(E2BIG, a->nr_elems = ~0U);
	bad_arm(EFAULT, a->elems = 0);
	bad_arm(EFAULT, (memcpy(self->guarded + PAGE - 40, e, 40),
			 a->elems = edge - 40));
	bad_arm(ENOENT, (a->doorbell = BELL_SHARED,
			 e[0].doorbell = BELL_SHARED,
			 e[1].doorbell = BELL_SHARED));
	/* This file and this doorbell only. */
	bad_arm(EINVAL, e[1].fd = self->abi.fd);
	bad_arm(EINVAL, e[1].doorbell = BELL_SHARED);
	bad_arm(EINVAL, e[1].flags = 2);
	bad_arm(EINVAL, e[1].reserved = 1);
	bad_arm(EINVAL, e[1].offset += 4);
	bad_arm(EINVAL, e[1].offset = 1ULL << 44);

	bad(EINVAL, ABI_SUBSCRIBE, s->doorbell = 6);
	bad(EINVAL, ABI_SUBSCRIBE, s->doorbell = ~0U);
	bad(EACCES, ABI_SUBSCRIBE, s->doorbell = BELL_OF(1));
	bad(EEXIST, ABI_SUBSCRIBE, s->doorbell = BELL_OF(0));
	bad(ENOENT, ABI_SUBSCRIBE, s->flags = SHMCHAN_SUBSCRIBE_END);
	/* Members end at one doorbell only. */
#define bad_members(err, spoil) \
	bad(err, ABI_SUBSCRIBE, (s->flags = SHMCHAN_SUBSCRIBE_MEMBERS, \
				 s->doorbell = SHMCHAN_DOORBELL_MEMBERS, \
				 spoil))
	bad_members(EINVAL, s->doorbell = BELL_OF(0));
	bad_members(EINVAL, s->doorbell = BELL_OF(1));
	bad_members(EINVAL, s->doorbell = BELL_SHARED);
	bad_members(EINVAL, s->doorbell = 6);
	bad_members(EINVAL, s->flags |= SHMCHAN_SUBSCRIBE_END);
	bad_members(EINVAL, s->reserved = 1);
	ASSERT_EQ(0, subscribe_members(self->abi.fd));
	bad_members(EEXIST, (void)0);
	bad_members(EEXIST, s->flags = 0);
}

TEST_F(abi, bind_eventfd)
{
	struct shmchan_bind_eventfd *b = &self->arg.bind_eventfd;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	bad(EINVAL, ABI_BIND_EVENTFD, b->doorbell = 6);
	bad(EINVAL, ABI_BIND_EVENTFD, b->doorbell = ~0U);
	bad(EACCES, ABI_BIND_EVENTFD, b->doorbell = BELL_OF(1));
	bad(EBADF, ABI_BIND_EVENTFD, b->fd = -1);
	bad(EBADF, ABI_BIND_EVENTFD, b->fd = 12345);
	bad(EBADF, ABI_BIND_EVENTFD, b->fd = 0x7fffffff);
	bad(EINVAL, ABI_BIND_EVENTFD, b->fd = pipes[0]);
	bad(EINVAL, ABI_BIND_EVENTFD, b->fd = self->abi.fd);
	bad(EINVAL, ABI_BIND_EVENTFD, b->fd = self->abi.dev);
#define bad_unbind(err, spoil) \
	bad(err, ABI_BIND_EVENTFD, (b->flags = SHMCHAN_BIND_END, b->fd = -1, \
				    spoil))
	bad_unbind(ENOENT, (void)0);
	bad_unbind(ENOENT, b->doorbell = BELL_OF(0));
	bad_unbind(EINVAL, b->doorbell = 6);
	bad_unbind(EACCES, b->doorbell = BELL_OF(1));
	bad_unbind(EINVAL, b->fd = self->abi.efd);
	bad_unbind(EINVAL, b->fd = 0);
	bad_unbind(EINVAL, b->flags |= 2);
	ASSERT_EQ(0, bind_eventfd(self->abi.fd, BELL_SHARED, self->abi.efd));
	bad(EEXIST, ABI_BIND_EVENTFD, (void)0);
}

TEST_F(abi, read)
{
	struct shmchan_event event;

	ASSERT_LE(0, ring(self->abi.fd, BELL_OF(0), 0));
	EXPECT_EQ(-1, read(self->abi.fd, &event, sizeof(event) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->abi.fd, &event, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->abi.fd, self->guarded + PAGE, sizeof(event)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->abi.fd, self->guarded + PAGE - 8,
			   sizeof(event)));
	EXPECT_EQ(EFAULT, errno);
	/* None of that took the event. */
	EXPECT_EQ(sizeof(event), read(self->abi.fd, &event, sizeof(event)));
	EXPECT_EQ(BELL_OF(0), event.doorbell);
	EXPECT_EQ(1, event.count);
	EXPECT_EQ(SHMCHAN_EVENT_RUNG, event.kind);
	EXPECT_EQ(0, event.slot | event.generation | event.state);
	EXPECT_EQ(0, event.reserved);
}

/* What io_uring brings; more of it is in uring_ring and uring_wait. */
TEST_F(abi, uring)
{
	struct shmchan_wait w = uring_wait_args(self->elems, 1);
	struct io_uring_sqe sqe;
	unsigned int bit, op;
	struct uring r;
	int ret;

	ret = uring_setup(&r);
	if (ret)
		SKIP(return, "no io_uring: %s", strerror(-ret));
	self->elems[0] = elem64(-1, BELL_OF(0), self->abi.word, 0);
	abi_snapshot(&self->abi, &self->before, true);
	for (bit = 0; bit < 64; bit++) {
		/* The last word of the command is reserved. */
		sqe = uring_ring_sqe(self->abi.fd, BELL_OF(0), 0);
		((uint64_t *)&sqe)[7] = 1ULL << bit;
		EXPECT_EQ(-EINVAL, uring_do(&r, &sqe));
		sqe = uring_wait_sqe(self->abi.fd, &w);
		((uint64_t *)&sqe)[7] = 1ULL << bit;
		ret = uring_do(&r, &sqe);
		EXPECT_TRUE(ret == -EINVAL || ret == -EOPNOTSUPP);
	}
	for (op = 0; op < 64; op++) {
		sqe = uring_ring_sqe(self->abi.fd, BELL_OF(0), 0);
		sqe.off = _IO(SHMCHAN_IOC_TYPE, op);
		if (sqe.off == SHMCHAN_IOC_RING || sqe.off == SHMCHAN_IOC_WAIT)
			continue;
		EXPECT_EQ(-EOPNOTSUPP, uring_do(&r, &sqe));
	}
	/* No flag of the request has a meaning; bit 0: buffers, of which are none. */
	for (bit = 1; bit < 32; bit++) {
		sqe = uring_ring_sqe(self->abi.fd, BELL_OF(0), 0);
		sqe.rw_flags = 1U << bit;
		EXPECT_EQ(-EINVAL, uring_do(&r, &sqe));
		/* Where the next one is known, it goes with this one. */
		sqe.flags |= IOSQE_BUFFER_SELECT;
		EXPECT_GT(0, uring_do(&r, &sqe));
	}
	abi_snapshot(&self->abi, &self->after, true);
	EXPECT_EQ(0, memcmp(&self->before, &self->after,
			    sizeof(self->before)));
}

TEST_HARNESS_MAIN
