/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ABI_CALLS_H
#define SHMCHAN_ABI_CALLS_H

/*
 * Every ioctl, with a valid argument for it; the abi_* tests spoil these one
 * way at a time.  And a snapshot of all that a failed call must not change.
 */

#include <sys/eventfd.h>

#include "shmchan_test.h"

#define ABI_LIST	8

/* Where the calls are made. */
struct abi {
	int dev;
	int fd;			/* member, slot 0 */
	int efd;
	uint64_t word;		/* region offset of a word, zero for ever */
	char name[32];
	char second[40];	/* a name to be published */
	char third[40];		/* one that is */
	struct layout layout;
	struct shmchan_wait_elem elem;
	struct shmchan_list_entry entries[ABI_LIST];
	struct shmchan_user_entry users[ABI_LIST];
	struct shmchan_extent extents[ABI_LIST];
	struct status status;
};

union abi_arg {
	uint32_t size;
	struct shmchan_query_device query_device;
	struct shmchan_create create;
	struct shmchan_open open;
	struct shmchan_list list;
	struct shmchan_list_users list_users;
	struct shmchan_query query;
	struct shmchan_join join;
	struct shmchan_extents extents;
	struct shmchan_mint mint;
	struct shmchan_publish publish;
	struct shmchan_withdraw withdraw;
	struct shmchan_setattr setattr;
	struct shmchan_seal seal;
	struct shmchan_revoke revoke;
	struct shmchan_leave leave;
	struct shmchan_member_info member_info;
	struct shmchan_wait wait;
	struct shmchan_ring ring;
	struct shmchan_ring_wait ring_wait;
	struct shmchan_arm arm;
	struct shmchan_subscribe subscribe;
	struct shmchan_export_dmabuf export_dmabuf;
	struct shmchan_bind_eventfd bind_eventfd;
	unsigned char bytes[2 * 4096];
};

enum abi_on {
	ON_DEVICE,
	ON_CAPABILITY,		/* any */
	ON_UNBOUND,		/* one that has not joined */
	ON_ALIVE,		/* one that has not ended */
	ON_NEW,			/* the same, of a region that nobody needs */
	ON_MEMBER,
	ON_LEAVING,		/* a member that nobody needs any more */
};

struct abi_call {
	const char *name;
	unsigned long cmd;
	uint32_t size;		/* of the first version */
	enum abi_on on;
	bool answers;		/* writes its structure back */
	bool acts_first;	/* has acted when it cannot write it back */
	void (*fill)(struct abi *abi, union abi_arg *arg);
};

static void fill_query_device(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	(void)arg;
}

static void fill_create(struct abi *abi, union abi_arg *arg)
{
	arg->create = create_args(&abi->layout);
}

static void fill_open(struct abi *abi, union abi_arg *arg)
{
	arg->open.name = ptr(abi->name);
	arg->open.name_len = strlen(abi->name);
	arg->open.rights = RIGHTS_RW;
}

static void fill_list(struct abi *abi, union abi_arg *arg)
{
	arg->list.entries = ptr(abi->entries);
	arg->list.nr_entries = ABI_LIST;
	arg->list.entry_size = sizeof(abi->entries[0]);
}

static void fill_list_users(struct abi *abi, union abi_arg *arg)
{
	arg->list_users.entries = ptr(abi->users);
	arg->list_users.nr_entries = ABI_LIST;
	arg->list_users.entry_size = sizeof(abi->users[0]);
}

static void fill_query(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	(void)arg;
}

static void fill_join(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->join.slot = SHMCHAN_SLOT_ANY;
}

static void fill_extents(struct abi *abi, union abi_arg *arg)
{
	arg->extents.extents = ptr(abi->extents);
	arg->extents.nr_extents = ABI_LIST;
	arg->extents.extent_size = sizeof(abi->extents[0]);
}

static void fill_mint(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->mint.rights = SHMCHAN_RIGHT_MAP_READ;
}

static void fill_publish(struct abi *abi, union abi_arg *arg)
{
	arg->publish.name = ptr(abi->second);
	arg->publish.name_len = strlen(abi->second);
	arg->publish.mode = 0600;
	arg->publish.rights = SHMCHAN_RIGHT_MAP_READ;
}

static void fill_withdraw(struct abi *abi, union abi_arg *arg)
{
	/* It is there after a call that failed. */
	publish(abi->fd, abi->third, 0600, SHMCHAN_RIGHT_MAP_READ);
	arg->withdraw.name = ptr(abi->third);
	arg->withdraw.name_len = strlen(abi->third);
}

static void fill_setattr(struct abi *abi, union abi_arg *arg)
{
	arg->setattr.flags = SHMCHAN_SETATTR_MODE;
	arg->setattr.mode = abi->layout.mode;
}

static void fill_seal(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->seal.seals = SHMCHAN_SEAL_PUBLISH;
}

/* Of somebody who has nothing of it. */
static void fill_revoke(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->revoke.flags = SHMCHAN_REVOKE_UID;
	arg->revoke.uid = 4242;
}

static void fill_leave(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	(void)arg;
}

static void fill_member_info(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	(void)arg;
}

/* The element is not quiet, so that the call returns at once. */
static void fill_wait(struct abi *abi, union abi_arg *arg)
{
	abi->elem = elem64(-1, BELL_OF(0), abi->word, 1);
	arg->wait.elems = ptr(&abi->elem);
	arg->wait.nr_elems = 1;
	arg->wait.clockid = CLOCK_MONOTONIC;
	arg->wait.deadline = SHMCHAN_FOREVER;
}

static void fill_ring(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->ring.doorbell = BELL_SHARED;
}

static void fill_ring_wait(struct abi *abi, union abi_arg *arg)
{
	arg->ring_wait.doorbell = BELL_SHARED;
	abi->elem = elem64(-1, BELL_OF(0), abi->word, 1);
	arg->ring_wait.wait = (struct shmchan_wait) {
		.size = sizeof(arg->ring_wait.wait),
		.elems = ptr(&abi->elem),
		.nr_elems = 1,
		.clockid = CLOCK_MONOTONIC,
		.deadline = SHMCHAN_FOREVER,
	};
}

/* Disarming needs no second call to undo it. */
static void fill_arm(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->arm.doorbell = BELL_OF(0);
	arg->arm.flags = SHMCHAN_ARM_DISARM;
}

static void fill_subscribe(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->subscribe.doorbell = BELL_SHARED;
}

static void fill_export_dmabuf(struct abi *abi, union abi_arg *arg)
{
	(void)abi;
	arg->export_dmabuf.length = PAGE;
	arg->export_dmabuf.flags = SHMCHAN_EXPORT_WRITE;
}

static void fill_bind_eventfd(struct abi *abi, union abi_arg *arg)
{
	arg->bind_eventfd.doorbell = BELL_SHARED;
	arg->bind_eventfd.fd = abi->efd;
}

#define ABI_CALL(_cmd, _name, _on, ...)					\
	{ .name = #_cmd, .cmd = SHMCHAN_IOC_##_cmd,			\
	  .size = sizeof(struct shmchan_##_name), .on = (_on),		\
	  .fill = fill_##_name, __VA_ARGS__ }

enum abi_index {
	ABI_QUERY_DEVICE, ABI_CREATE, ABI_OPEN, ABI_LIST_NAMES, ABI_LIST_USERS,
	ABI_QUERY, ABI_JOIN, ABI_EXTENTS, ABI_MINT, ABI_PUBLISH, ABI_WITHDRAW,
	ABI_SETATTR, ABI_SEAL, ABI_REVOKE, ABI_LEAVE, ABI_MEMBER_INFO, ABI_WAIT,
	ABI_RING, ABI_RING_WAIT, ABI_ARM, ABI_SUBSCRIBE, ABI_EXPORT_DMABUF,
	ABI_BIND_EVENTFD,
	ABI_NR,
};

static const struct abi_call abi_calls[ABI_NR] = {
	ABI_CALL(QUERY_DEVICE, query_device, ON_DEVICE, .answers = true),
	ABI_CALL(CREATE, create, ON_DEVICE, .answers = true),
	ABI_CALL(OPEN, open, ON_DEVICE, .answers = true),
	ABI_CALL(LIST, list, ON_DEVICE, .answers = true),
	ABI_CALL(LIST_USERS, list_users, ON_DEVICE, .answers = true),
	ABI_CALL(QUERY, query, ON_CAPABILITY, .answers = true),
	ABI_CALL(JOIN, join, ON_UNBOUND, .answers = true, .acts_first = true),
	ABI_CALL(EXTENTS, extents, ON_CAPABILITY, .answers = true),
	ABI_CALL(MINT, mint, ON_ALIVE, .answers = true),
	ABI_CALL(PUBLISH, publish, ON_ALIVE),
	ABI_CALL(WITHDRAW, withdraw, ON_ALIVE, .answers = true,
		 .acts_first = true),
	ABI_CALL(SETATTR, setattr, ON_ALIVE),
	ABI_CALL(SEAL, seal, ON_NEW),
	ABI_CALL(REVOKE, revoke, ON_ALIVE, .answers = true, .acts_first = true),
	ABI_CALL(LEAVE, leave, ON_LEAVING),
	ABI_CALL(MEMBER_INFO, member_info, ON_MEMBER, .answers = true),
	ABI_CALL(WAIT, wait, ON_MEMBER, .answers = true),
	ABI_CALL(RING, ring, ON_MEMBER, .answers = true, .acts_first = true),
	ABI_CALL(RING_WAIT, ring_wait, ON_MEMBER, .answers = true,
		 .acts_first = true),
	ABI_CALL(ARM, arm, ON_MEMBER),
	ABI_CALL(SUBSCRIBE, subscribe, ON_MEMBER),
	ABI_CALL(EXPORT_DMABUF, export_dmabuf, ON_MEMBER, .answers = true),
	ABI_CALL(BIND_EVENTFD, bind_eventfd, ON_MEMBER),
};

/* Returns 0, or the line that failed, so that the fixture can say which. */
static inline int abi_prepare(struct abi *abi)
{
	memset(abi, 0, sizeof(*abi));
	snprintf(abi->name, sizeof(abi->name), "%s", own_name());
	snprintf(abi->second, sizeof(abi->second), "%s-2", own_name());
	snprintf(abi->third, sizeof(abi->third), "%s-3", own_name());
	abi->layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	abi->layout.name = abi->name;
	abi->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (abi->efd < 0)
		return __LINE__;
	abi->dev = open_device();
	if (abi->dev < 0)
		return __LINE__;
	abi->fd = create_joined(&abi->layout, 0);
	if (abi->fd < 0)
		return __LINE__;
	if (map_status(abi->fd, &abi->status))
		return __LINE__;
	if (subscribe(abi->fd, BELL_OF(0), 0))
		return __LINE__;
	/* CREATE of the table makes an unnamed one. */
	abi->layout.name = NULL;
	abi->word = control_at(&abi->layout, FOLIO_NOBODY);
	return 0;
}

/* A file on which the call is valid, to be closed by the caller. */
static inline int abi_file(struct abi *abi, const struct abi_call *c)
{
	switch (c->on) {
	case ON_DEVICE:
		return dup(abi->dev);
	case ON_CAPABILITY:
	case ON_ALIVE:
	case ON_MEMBER:
		return dup(abi->fd);
	case ON_NEW:
		return create_region(&abi->layout);
	case ON_UNBOUND:
		return open_region(abi->name, RIGHTS_RW);
	case ON_LEAVING:
		return open_joined(abi->name, SHMCHAN_SLOT_ANY);
	}
	return -1;
}

static inline void abi_fill(struct abi *abi, const struct abi_call *c,
			    union abi_arg *arg)
{
	memset(arg, 0, sizeof(*arg));
	c->fill(abi, arg);
	arg->size = c->size;
}

/* Takes back what a call that succeeded has done beside its file. */
static inline void abi_undo(struct abi *abi, const struct abi_call *c,
			    const union abi_arg *arg)
{
	if (c->cmd == SHMCHAN_IOC_CREATE)
		close(arg->create.fd);
	else if (c->cmd == SHMCHAN_IOC_OPEN)
		close(arg->open.fd);
	else if (c->cmd == SHMCHAN_IOC_EXPORT_DMABUF)
		close(arg->export_dmabuf.fd);
	else if (c->cmd == SHMCHAN_IOC_MINT)
		close(arg->mint.fd);
	else if (c->cmd == SHMCHAN_IOC_PUBLISH)
		withdraw(abi->fd, abi->second);
	else if (c->cmd == SHMCHAN_IOC_SUBSCRIBE)
		subscribe(abi->fd, arg->subscribe.doorbell,
			  SHMCHAN_SUBSCRIBE_END);
	else if (c->cmd == SHMCHAN_IOC_BIND_EVENTFD)
		unbind_eventfd(abi->fd, arg->bind_eventfd.doorbell);
}

/* All that can be seen of the region, the names, the quota and the files. */
struct abi_snapshot {
	struct shmchan_query query;
	struct shmchan_member_info info;
	struct shmchan_list_entry entries[ABI_LIST];
	uint32_t nr_entries;
	uint64_t user_bytes;
	int nr_files;
	unsigned char status[2 * 4096];
};

/* @seqs: whether the doorbells' sequence numbers count. */
static inline void abi_snapshot(struct abi *abi, struct abi_snapshot *s,
				bool seqs)
{
	struct shmchan_list l = {
		.size = sizeof(l),
		.entries = ptr(s->entries),
		.nr_entries = ABI_LIST,
		.entry_size = sizeof(s->entries[0]),
	};
	struct shmchan_doorbell_status *bells;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	query(abi->fd, &s->query);
	member_info(abi->fd, 1, &s->info);
	call(abi->dev, SHMCHAN_IOC_LIST, &l);
	s->nr_entries = l.nr_entries;
	s->user_bytes = user_bytes();
	s->nr_files = count_files();
	memcpy(s->status, (void *)abi->status.head, abi->status.size);
	bells = (void *)(s->status + abi->status.head->doorbells_offset);
	for (i = 0; !seqs && i < abi->status.head->nr_doorbells; i++)
		bells[i].seq = 0;
}

#endif /* SHMCHAN_ABI_CALLS_H */
