/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_CALLS_H
#define SHMCHAN_ATTACK_CALLS_H

/*
 * The module's own calls: each by everybody who has a file, on everything.
 * What somebody may do is done as well, and has to succeed: so it is known that
 * the others are refused for what they are, and not for how they ask.
 */

#include "attack_scene.h"
#include "test_uring.h"

enum kind {
	MEMBER_CALL,
	ACCESS_CALL,	/* on a capability that has not joined, too */
	JOIN_CALL,
	ANY_CALL,
};

/* Who may make a call; errors are what it gives to those who have the rights. */
struct shot {
	enum kind kind;
	unsigned int needs;
	int error;		/* 0: they may; NOT_TRIED */
	int range;		/* beyond the range: in place of that */
	int victim;		/* the victim */
};

#define MAPS	SHMCHAN_RIGHT_MAP_READ
#define WRITES	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE)
#define WAITS	(SHMCHAN_RIGHT_WAIT | SHMCHAN_RIGHT_MAP_READ)

static int want_call(const struct attempt *a)
{
	const struct shot *s = a->route->data;
	const struct role_info *r = &roles[a->role];
	bool has = !(s->needs & ~r->rights);
	int error = s->error;

	if (a->role == ROLE_RANGE && s->range)
		error = s->range;
	if (a->role == ROLE_VICTIM)
		return s->victim ? NOT_TRIED : 0;
	if (s->kind == ANY_CALL)
		return error;
	switch (r->standing) {
	case NOT_JOINED:
		if (s->kind == MEMBER_CALL)
			return ENOTCONN;
		return has ? error : EACCES;
	case JOINED:
		return has ? error : EACCES;
	case ENDED:
		return ESTALE;
	default:
		return EPERM;
	}
}

static int want_join(const struct attempt *a)
{
	const struct shot *s = a->route->data;

	if (roles[a->role].standing == NOT_JOINED)
		return a->role == ROLE_NARROW ? s->range : s->error;
	return a->role == ROLE_REVOKED ? ESTALE : EISCONN;
}

/* MINT that narrows the capability itself. */
static int want_mint_self(const struct attempt *a)
{
	switch (roles[a->role].standing) {
	case NOT_JOINED:
		return EACCES;
	case JOINED:
		return EISCONN;
	case ENDED:
		return ESTALE;
	default:
		return EPERM;
	}
}

/* Of a name that ADMIN may take away. */
static int want_withdraw(const struct attempt *a)
{
	if (roles[a->role].rights & SHMCHAN_RIGHT_ADMIN)
		return NOT_TRIED;
	/* Where it is there is no such name. */
	return a->role == ROLE_GUEST ? ENOENT : want_call(a);
}

/* Mapping. */

static long attack_map(const struct attempt *a)
{
	uint64_t at = target_at(a->target, a->role);
	size_t size = target_size(a->target);
	volatile char *p;
	char was;

	p = mmap(NULL, size, a->route->arg, MAP_SHARED, me.fd, at);
	if (p == MAP_FAILED)
		return -errno;
	if (a->route->arg & PROT_WRITE) {
		was = *p;
		*p = a->role == ROLE_VICTIM ? was : ~was;
	}
	if (a->route->arg & PROT_READ)
		loot_memory(p, size);
	munmap((void *)p, size);
	return 0;
}

/* Of its own and what lies behind it: all, and a page of either. */
static long attack_map_across(const struct attempt *a)
{
	enum window w = roles[a->role].window;
	size_t part = a->route->arg ? PAGE : scene->folio;
	uint64_t at = window_at(w) + scene->folio - part;
	char *p;

	if (a->target == AT_OWN_CONTROL) {
		part = PAGE;
		at = window_control_at(w);
	}
	p = map(me.fd, at, 2 * part, RW);
	if (p == MAP_FAILED)
		return -errno;
	p[part] = ~p[part];
	munmap(p, 2 * part);
	return 0;
}

static const struct shot shot_map_read = {
	MEMBER_CALL, MAPS, 0, EACCES, 0,
};
static const struct shot shot_map_head = {
	MEMBER_CALL, MAPS, 0, 0, 0,
};
static const struct shot shot_map_write = {
	MEMBER_CALL, WRITES, EACCES, EACCES, NOT_TRIED,
};
static const struct shot shot_map_victim = {
	MEMBER_CALL, WRITES, EACCES, EACCES, 0,
};

#define HAS_CAPABILITY							\
	(IS(VICTIM) | IS(READER) | IS(RINGER) | IS(WAITER) | IS(WRITER) |\
	 IS(ADMIN) | IS(PUBLISHER) | IS(MEMBER) | IS(RANGE) |		\
	 IS(UNJOINED) | IS(NARROW) | IS(LEFT) | IS(REVOKED) |		\
	 IS(CHILD) | IS(PASSED) | IS(ORPHAN) | IS(EXECED) | IS(GUEST))
#define HAS_WINDOW							\
	(IS(MEMBER) | IS(RANGE) | IS(LEFT) | IS(REVOKED) | IS(CHILD) |	\
	 IS(PASSED) | IS(ORPHAN) | IS(EXECED))
#define WINDOWS	(ALL_OF(VICTIM) | ALL_OF(VICTIM_CONTROL))
#define OTHERS	(ALL_OF(NOBODY) | ALL_OF(NOBODY_CONTROL) |		\
		 ALL_OF(VACANT) | ALL_OF(VACANT_CONTROL))

#define CALL_AS(_roles, _wanted, _name, _attack, _arg, _targets, _shot, ...)\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = HAS_CAPABILITY & (_roles), .targets = (_targets),	\
	  .wanted = (_wanted), .data = &(_shot), __VA_ARGS__ }
#define CALL(...)	CALL_AS(~0UL, want_call, __VA_ARGS__)
#define CALL_BY(_roles, ...)	CALL_AS(_roles, want_call, __VA_ARGS__)

static const struct route map_routes[] = {
	CALL("read", attack_map, PROT_READ, WINDOWS | OTHERS, shot_map_read),
	CALL("read-head", attack_map, PROT_READ,
	     ALL_OF(HEADER) | ALL_OF(STATUS), shot_map_head),
	CALL("read-write", attack_map, RW, WINDOWS, shot_map_victim),
	CALL("read-write-other", attack_map, RW,
	     OTHERS | ALL_OF(HEADER) | ALL_OF(STATUS), shot_map_write),
	CALL("write", attack_map, PROT_WRITE, WINDOWS, shot_map_victim),
	CALL_BY(HAS_WINDOW, "own-and-next", attack_map_across, 0,
		ALL_OF(OWN) | ALL_OF(OWN_CONTROL), shot_map_write),
	CALL_BY(HAS_WINDOW, "last-page-and-next", attack_map_across, 1,
		ALL_OF(OWN), shot_map_write),
};

/* Its own window, by those who are no longer, or not, its member. */
static const struct shot shot_map_own = {
	MEMBER_CALL, WRITES, NOT_TRIED, 0, NOT_TRIED,
};

#define HAD_WINDOW	(HAS_WINDOW & ~IS(MEMBER) & ~IS(RANGE))

static const struct route map_own_routes[] = {
	CALL_BY(HAD_WINDOW, "read-write", attack_map, RW,
		ALL_OF(OWN) | ALL_OF(OWN_CONTROL) | ALL_OF(COMMON),
		shot_map_own),
	CALL_BY(HAD_WINDOW, "read", attack_map, PROT_READ,
		ALL_OF(OWN) | ALL_OF(COMMON), shot_map_own),
};

/* Waiting. */

static unsigned int own_bell(const struct attempt *a)
{
	return a->role == ROLE_VICTIM ? BELL_VICTIM :
					BELL_OF(roles[a->role].slot);
}

/* A word that is not what it is expected to be: the call returns at once. */
static struct shmchan_wait_elem loud(unsigned int bell, uint64_t offset)
{
	struct shmchan_wait_elem e = elem64(-1, bell, offset, 0);

	/* Neither a secret, nor zero, nor the sleeper's word. */
	e.value = 0x6c6f75646c6f7564;
	return e;
}

static long attack_wait_bell(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_VICTIM, a->target == AT_STATUS ?
					  scene->status : scene->word);

	return wait_until(me.fd, &e, 1, 1);
}

/* A good element, and one of the victim's doorbell; many, with arg of them. */
static long attack_wait_behind(const struct attempt *a)
{
	struct shmchan_wait_elem e[SHMCHAN_MAX_ELEMS];
	long i;

	for (i = 0; i < a->route->arg; i++)
		e[i] = loud(own_bell(a), scene->status);
	e[i - 1].doorbell = BELL_VICTIM;
	return wait_until(me.fd, e, i, 1);
}

static long attack_wait_word(const struct attempt *a)
{
	uint64_t at = target_at(a->target, a->role) + 64;
	struct shmchan_wait_elem e;
	uint64_t guess = 0;
	long ret, bit;

	e = a->route->arg ? elem32(-1, BELL_COMMON, at, 0) :
			    loud(BELL_COMMON, at);
	ret = wait_until(me.fd, &e, 1, 1);
	if (ret < 0)
		return ret == -ETIMEDOUT ? 0 : ret;
	/* An oracle: bit by bit. */
	for (bit = 0; bit < 64; bit++) {
		e = elem64(-1, BELL_COMMON, at, 0);
		e.mask = 1ULL << bit;
		if (!wait_until(me.fd, &e, 1, 1))
			guess |= 1ULL << bit;
	}
	keep_loot(&guess, sizeof(guess));
	return 0;
}

enum nowhere {
	UNALIGNED, IN_THE_GAP, BEHIND_CONTROL, BEHIND_STATUS, FAR_AWAY,
	NEGATIVE,
};

static long attack_wait_nowhere(const struct attempt *a)
{
	const uint64_t offsets[] = {
		[UNALIGNED] = target_at(AT_OWN, ROLE_MEMBER) + 4,
		[IN_THE_GAP] = scene->data_size == scene->control ?
			       ~7ULL : scene->data_size,
		[BEHIND_CONTROL] = scene->control + scene->control_size,
		[BEHIND_STATUS] = scene->status + scene->status_size,
		[FAR_AWAY] = 1ULL << 50,
		[NEGATIVE] = -8ULL,
	};
	struct shmchan_wait_elem e = loud(BELL_COMMON, offsets[a->route->arg]);

	return wait_until(me.fd, &e, 1, 1);
}

enum wrong_file { A_DEVICE, A_PIPE, VICTIMS_NUMBER, AT_CWD };

static long attack_wait_file(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_COMMON, scene->status);
	int fds[2];
	long ret;

	if (pipe(fds))
		return -errno;
	/* So that the victim's number is not one of ours. */
	switch (a->route->arg) {
	case A_DEVICE:
		e.fd = me.dev;
		break;
	case A_PIPE:
		e.fd = fds[0];
		break;
	case VICTIMS_NUMBER:
		e.fd = 900 + scene->victim_fd;
		break;
	case AT_CWD:
		e.fd = AT_FDCWD;
		break;
	}
	ret = wait_until(me.fd, &e, 1, 1);
	close(fds[0]);
	close(fds[1]);
	return ret;
}

static long attack_arm(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_VICTIM, scene->word);

	return arm(me.fd, BELL_VICTIM, &e, a->route->arg, 0);
}

static long attack_disarm(const struct attempt *a)
{
	(void)a;
	return arm(me.fd, BELL_VICTIM, NULL, 0, SHMCHAN_ARM_DISARM);
}

static long attack_arm_word(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_COMMON,
					  target_at(a->target, a->role) + 64);

	return arm(me.fd, BELL_COMMON, &e, 1, 0);
}

static long attack_subscribe(const struct attempt *a)
{
	long ret = subscribe(me.fd, BELL_VICTIM, 0);

	if (!ret)
		subscribe(me.fd, BELL_VICTIM, SHMCHAN_SUBSCRIBE_END);
	(void)a;
	return ret;
}

static long attack_unsubscribe(const struct attempt *a)
{
	(void)a;
	return subscribe(me.fd, BELL_VICTIM, SHMCHAN_SUBSCRIBE_END);
}

/* To have it rung at each message. */
static long attack_bind_eventfd(const struct attempt *a)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	long ret = bind_eventfd(me.fd, BELL_VICTIM, efd);

	(void)a;
	if (!ret)
		unbind_eventfd(me.fd, BELL_VICTIM);
	close(efd);
	return ret;
}

static long attack_unbind_eventfd(const struct attempt *a)
{
	(void)a;
	return unbind_eventfd(me.fd, BELL_VICTIM);
}

static long attack_read_events(const struct attempt *a)
{
	struct shmchan_event events[16];
	long n = read(me.fd, events, sizeof(events));

	(void)a;
	if (n < 0)
		return -errno;
	keep_loot(events, n);
	return n;
}

static const struct shot shot_wait_bell = {
	MEMBER_CALL, WAITS, EACCES, 0, 0,
};
static const struct shot shot_wait_behind = {
	MEMBER_CALL, WAITS, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_wait_word = {
	MEMBER_CALL, WAITS, 0, EACCES, 0,
};
static const struct shot shot_wait_nowhere = {
	MEMBER_CALL, WAITS, EINVAL, 0, NOT_TRIED,
};
static const struct shot shot_wait_file = {
	MEMBER_CALL, WAITS, EBADF, 0, NOT_TRIED,
};
/* The same as requests of io_uring, where the kernel has such. */
static long attack_uring(const struct io_uring_sqe *sqe)
{
	struct uring ring;
	long ret;

	if (uring_setup(&ring))
		return -ENOSYS;
	ret = uring_do(&ring, sqe);
	uring_close(&ring);
	return ret == -EOPNOTSUPP ? -ENOSYS : ret;
}

static long attack_uring_wait(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_VICTIM, scene->status);
	struct shmchan_wait w = uring_wait_args(&e, 1);
	struct io_uring_sqe sqe = uring_wait_sqe(me.fd, &w);

	(void)a;
	w.deadline = 1;
	return attack_uring(&sqe);
}

static long attack_uring_word(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_COMMON,
					  target_at(a->target, a->role) + 64);
	struct shmchan_wait w = uring_wait_args(&e, 1);
	struct io_uring_sqe sqe = uring_wait_sqe(me.fd, &w);
	long ret;

	w.deadline = 1;
	ret = attack_uring(&sqe);
	return ret == -ETIMEDOUT ? 0 : ret;
}

static const struct shot shot_arm = {
	MEMBER_CALL, WAITS, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_arm_word = {
	MEMBER_CALL, WAITS, ENOENT, EACCES, NOT_TRIED,
};
static const struct shot shot_subscribe = {
	MEMBER_CALL, SHMCHAN_RIGHT_WAIT, EACCES, 0, 0,
};
static const struct shot shot_unsubscribe = {
	MEMBER_CALL, SHMCHAN_RIGHT_WAIT, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_read = {
	MEMBER_CALL, SHMCHAN_RIGHT_WAIT, NOT_TRIED, 0, NOT_TRIED,
};

static const struct route wait_routes[] = {
	CALL("on-its-doorbell", attack_wait_bell, 0, ALL_OF(VICTIM_CONTROL),
	     shot_wait_bell),
	CALL("on-its-doorbell-for-a-slot", attack_wait_bell, 0, ALL_OF(STATUS),
	     shot_wait_bell),
	CALL("on-its-doorbell-by-io_uring", attack_uring_wait, 0, ALL_OF(STATUS),
	     shot_wait_bell),
	CALL("behind-a-good-element", attack_wait_behind, 2, ONLY,
	     shot_wait_behind),
	CALL("behind-many", attack_wait_behind, SHMCHAN_MAX_ELEMS, ONLY,
	     shot_wait_behind),
	CALL("arm", attack_arm, 0, ONLY, shot_arm),
	CALL("arm-with-element", attack_arm, 1, ONLY, shot_arm),
	CALL("disarm", attack_disarm, 0, ONLY, shot_arm),
	CALL("subscribe", attack_subscribe, 0, ONLY, shot_subscribe),
	CALL("unsubscribe", attack_unsubscribe, 0, ONLY, shot_unsubscribe),
	CALL("bind-eventfd", attack_bind_eventfd, 0, ONLY, shot_subscribe),
	CALL("unbind-eventfd", attack_unbind_eventfd, 0, ONLY,
	     shot_unsubscribe),
	CALL("read-events", attack_read_events, 0, ONLY, shot_read),
};

static const struct route oracle_routes[] = {
	CALL("wait-64", attack_wait_word, 0, WINDOWS | OTHERS, shot_wait_word),
	CALL("wait-32", attack_wait_word, 1, WINDOWS, shot_wait_word),
	CALL("wait-by-io_uring", attack_uring_word, 0, WINDOWS, shot_wait_word),
	CALL("arm", attack_arm_word, 0, WINDOWS | OTHERS, shot_arm_word),
};

static const struct route nowhere_routes[] = {
	CALL("unaligned", attack_wait_nowhere, UNALIGNED, ONLY,
	     shot_wait_nowhere),
	CALL("between-areas", attack_wait_nowhere, IN_THE_GAP, ONLY,
	     shot_wait_nowhere),
	CALL("behind-control", attack_wait_nowhere, BEHIND_CONTROL, ONLY,
	     shot_wait_nowhere),
	CALL("behind-status", attack_wait_nowhere, BEHIND_STATUS, ONLY,
	     shot_wait_nowhere),
	CALL("far-away", attack_wait_nowhere, FAR_AWAY, ONLY,
	     shot_wait_nowhere),
	CALL("negative", attack_wait_nowhere, NEGATIVE, ONLY,
	     shot_wait_nowhere),
	CALL("file-of-the-device", attack_wait_file, A_DEVICE, ONLY,
	     shot_wait_file),
	CALL("file-of-a-pipe", attack_wait_file, A_PIPE, ONLY, shot_wait_file),
	CALL("number-of-the-victim's-file", attack_wait_file, VICTIMS_NUMBER,
	     ONLY, shot_wait_file),
	CALL("working-directory", attack_wait_file, AT_CWD, ONLY,
	     shot_wait_file),
};

/* Ringing. */

static long attack_ring(const struct attempt *a)
{
	return ring(me.fd, a->route->arg, 0);
}

enum bad_set { SET_KERNEL, SET_BEYOND, SET_LONG, SET_FAULT };

/* Nothing is rung, not even the good one before the bad. */
static long attack_ring_set(const struct attempt *a)
{
	uint32_t set[SHMCHAN_MAX_ELEMS + 1] = { BELL_COMMON, BELL_VICTIM };
	struct shmchan_ring r = {
		.size = sizeof(r),
		.flags = SHMCHAN_RING_SET,
		.doorbells = ptr(set),
		.nr_doorbells = 3,
	};
	unsigned int i;

	for (i = 2; i < COUNT(set); i++)
		set[i] = BELL_COMMON;
	switch (a->route->arg) {
	case SET_KERNEL:
		set[2] = SHMCHAN_DOORBELL_MEMBERS;
		break;
	case SET_BEYOND:
		set[2] = BELL_BEYOND;
		break;
	case SET_LONG:
		r.nr_doorbells = COUNT(set);
		break;
	case SET_FAULT:
		r.doorbells = 8;
		break;
	}
	return call(me.fd, SHMCHAN_IOC_RING, &r);
}

/* What it would wait for is not its to wait for; what it rings, may be. */
static long attack_ring_wait(const struct attempt *a)
{
	struct shmchan_wait_elem e = loud(BELL_VICTIM, scene->word);
	struct shmchan_ring_wait rw = {
		.size = sizeof(rw),
		.doorbell = a->route->arg,
		.wait = {
			.size = sizeof(rw.wait),
			.elems = ptr(&e),
			.nr_elems = 1,
			.clockid = CLOCK_MONOTONIC,
			.deadline = 1,
		},
	};

	return call(me.fd, SHMCHAN_IOC_RING_WAIT, &rw);
}

static long attack_uring_ring(const struct attempt *a)
{
	struct io_uring_sqe sqe = uring_ring_sqe(me.fd, a->route->arg, 0);

	return attack_uring(&sqe);
}

#define RINGS	SHMCHAN_RIGHT_RING

static const struct shot shot_ring = { MEMBER_CALL, RINGS, 0, 0, 0 };
static const struct shot shot_ring_kernel = {
	MEMBER_CALL, RINGS, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_ring_beyond = {
	MEMBER_CALL, RINGS, EINVAL, 0, NOT_TRIED,
};
static const struct shot shot_ring_long = {
	MEMBER_CALL, RINGS, E2BIG, 0, NOT_TRIED,
};
static const struct shot shot_ring_fault = {
	MEMBER_CALL, RINGS, EFAULT, 0, NOT_TRIED,
};

static const struct route ring_routes[] = {
	CALL("its-doorbell", attack_ring, BELL_VICTIM, ONLY, shot_ring),
	CALL("the-shared-one", attack_ring, BELL_COMMON, ONLY, shot_ring),
	CALL("the-kernel's", attack_ring, SHMCHAN_DOORBELL_MEMBERS, ONLY,
	     shot_ring_kernel),
	CALL("beyond-the-last", attack_ring, BELL_BEYOND, ONLY,
	     shot_ring_beyond),
	CALL("the-largest-number", attack_ring, 0xffffffff, ONLY,
	     shot_ring_beyond),
	CALL("its-doorbell-by-io_uring", attack_uring_ring, BELL_VICTIM, ONLY,
	     shot_ring),
	CALL("the-kernel's-by-io_uring", attack_uring_ring,
	     SHMCHAN_DOORBELL_MEMBERS, ONLY, shot_ring_kernel),
	CALL("beyond-the-last-by-io_uring", attack_uring_ring, BELL_BEYOND,
	     ONLY, shot_ring_beyond),
	CALL("set-with-the-kernel's", attack_ring_set, SET_KERNEL, ONLY,
	     shot_ring_kernel, .flags = NO_RING),
	CALL("set-beyond-the-last", attack_ring_set, SET_BEYOND, ONLY,
	     shot_ring_beyond, .flags = NO_RING),
	CALL("set-too-long", attack_ring_set, SET_LONG, ONLY, shot_ring_long,
	     .flags = NO_RING),
	CALL("set-not-there", attack_ring_set, SET_FAULT, ONLY,
	     shot_ring_fault, .flags = NO_RING),
	CALL("ring-and-wait-on-its-doorbell", attack_ring_wait, BELL_COMMON,
	     ONLY, shot_ring_kernel),
	CALL("ring-the-kernel's-and-wait", attack_ring_wait,
	     SHMCHAN_DOORBELL_MEMBERS, ONLY, shot_ring_kernel,
	     .flags = NO_RING),
};

/* dma-bufs. */

static long attack_export(const struct attempt *a)
{
	size_t size = target_size(a->target);
	volatile char *p;
	int fd;

	fd = export_dmabuf(me.fd, target_at(a->target, a->role), size,
			   a->route->arg);
	if (fd < 0)
		return fd;
	p = map(fd, 0, size, a->route->arg ? RW : PROT_READ);
	if (p != MAP_FAILED) {
		if (a->route->arg && a->role != ROLE_VICTIM)
			p[0] = ~p[0];
		loot_memory(p, size);
		munmap((void *)p, size);
	}
	close(fd);
	return 0;
}

static long attack_export_across(const struct attempt *a)
{
	long fd = export_dmabuf(me.fd, window_at(roles[a->role].window),
				2 * scene->folio, SHMCHAN_EXPORT_WRITE);

	if (fd >= 0)
		close(fd);
	return fd;
}

static const struct shot shot_export_read = {
	MEMBER_CALL, MAPS, 0, EACCES, 0,
};
static const struct shot shot_export_victim = {
	MEMBER_CALL, WRITES, EACCES, 0, 0,
};
static const struct shot shot_export_write = {
	MEMBER_CALL, WRITES, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_export_status = {
	MEMBER_CALL, MAPS, EINVAL, 0, NOT_TRIED,
};

static const struct route export_routes[] = {
	CALL("read", attack_export, 0, WINDOWS | OTHERS, shot_export_read),
	CALL("read-status", attack_export, 0, ALL_OF(STATUS),
	     shot_export_status),
	CALL("write", attack_export, SHMCHAN_EXPORT_WRITE, WINDOWS,
	     shot_export_victim),
	CALL("write-other", attack_export, SHMCHAN_EXPORT_WRITE,
	     OTHERS | ALL_OF(HEADER), shot_export_write),
	CALL_BY(HAS_WINDOW, "write-own-and-next", attack_export_across, 0,
		ALL_OF(OWN), shot_export_write),
};

/* Rights, and those of others. */

static long attack_mint(const struct attempt *a)
{
	struct shmchan_mint m = {
		.flags = a->route->arg,
		.rights = roles[a->role].rights,
	};
	long fd = mint_args(me.fd, &m);

	if (fd >= 0)
		close(fd);
	return fd;
}

static long attack_mint_more(const struct attempt *a)
{
	long fd = mint(me.fd, a->route->arg | roles[a->role].rights);

	if (fd >= 0)
		close(fd);
	return fd;
}

enum widening { MORE_RIGHTS, MORE_DATA, MORE_CONTROL, ANOTHER_SLOT };

static long attack_mint_self(const struct attempt *a)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_SELF | SHMCHAN_MINT_RANGE,
		.rights = SHMCHAN_RIGHT_RING,
	};

	switch (a->route->arg) {
	case MORE_RIGHTS:
		m.rights = SHMCHAN_RIGHT_ALL;
		break;
	case MORE_DATA:
		m.data.length = scene->data_size;
		break;
	case MORE_CONTROL:
		m.control.offset = scene->control;
		m.control.length = scene->control_size;
		break;
	case ANOTHER_SLOT:
		m.flags |= SHMCHAN_MINT_SLOT;
		m.slot = SLOT_VICTIM;
		break;
	}
	return mint_args(me.fd, &m);
}

/* A name that lets all in. */
static long attack_publish(const struct attempt *a)
{
	char name[48];
	long ret;

	snprintf(name, sizeof(name), "%s-by-%d", scene->name, getpid());
	ret = publish(me.fd, name, 0666, a->route->arg ? a->route->arg :
		      roles[a->role].rights);
	if (!ret)
		withdraw(me.fd, name);
	return ret;
}

static long attack_publish_over(const struct attempt *a)
{
	return publish(me.fd, scene->name, 0666, roles[a->role].rights);
}

static long attack_withdraw(const struct attempt *a)
{
	return a->route->arg ? withdraw_published(me.fd) :
			       withdraw(me.fd, scene->name);
}

static long attack_setattr(const struct attempt *a)
{
	const struct shmchan_setattr *with = (const void *)a->route->arg;
	struct shmchan_setattr s = *with;

	s.size = sizeof(s);
	return call(me.fd, SHMCHAN_IOC_SETATTR, &s);
}

static long attack_seal(const struct attempt *a)
{
	return seal(me.fd, a->route->arg);
}

static long attack_revoke(const struct attempt *a)
{
	return a->route->arg ? revoke_uid(me.fd, UID_VICTIM) :
			       revoke_slot(me.fd, SLOT_VICTIM, 0);
}

#define ADMIN	SHMCHAN_RIGHT_ADMIN

static const struct shot shot_mint = {
	ACCESS_CALL, SHMCHAN_RIGHT_PUBLISH, 0, 0, NOT_TRIED,
};
static const struct shot shot_mint_more = {
	ACCESS_CALL, SHMCHAN_RIGHT_PUBLISH, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_publish_over = {
	ACCESS_CALL, SHMCHAN_RIGHT_PUBLISH, EEXIST, 0, NOT_TRIED,
};
static const struct shot shot_withdraw = {
	ACCESS_CALL, 0, EACCES, 0, NOT_TRIED,
};
static const struct shot shot_harmless = {
	ACCESS_CALL, ADMIN, 0, 0, NOT_TRIED,
};
static const struct shot shot_harmful = {
	ACCESS_CALL, ADMIN, NOT_TRIED, 0, NOT_TRIED,
};
static const struct shot shot_chown = {
	ACCESS_CALL, ADMIN, EPERM, 0, NOT_TRIED,
};

static const struct shmchan_setattr same_mode = {
	.flags = SHMCHAN_SETATTR_MODE, .mode = 0660,
};
static const struct shmchan_setattr open_mode = {
	.flags = SHMCHAN_SETATTR_MODE, .mode = 0666,
};
static const struct shmchan_setattr to_root = {
	.flags = SHMCHAN_SETATTR_UID, .uid = 0,
};
static const struct shmchan_setattr to_attacker = {
	.flags = SHMCHAN_SETATTR_UID, .uid = UID_ATTACKER,
};
static const struct shmchan_setattr to_roots_group = {
	.flags = SHMCHAN_SETATTR_GID, .gid = 0,
};
static const struct shmchan_setattr to_own_group = {
	.flags = SHMCHAN_SETATTR_GID, .gid = UID_ATTACKER,
};

static const struct route more_rights_routes[] = {
	CALL("mint", attack_mint, 0, ONLY, shot_mint),
	CALL("mint-with-write", attack_mint_more, SHMCHAN_RIGHT_MAP_WRITE,
	     ONLY, shot_mint_more),
	CALL("mint-with-admin", attack_mint_more, ADMIN, ONLY, shot_mint_more),
	CALL("mint-with-all", attack_mint_more, SHMCHAN_RIGHT_ALL, ONLY,
	     shot_mint_more),
	CALL("publish", attack_publish, 0, ONLY, shot_mint),
	CALL("publish-with-all", attack_publish, SHMCHAN_RIGHT_ALL, ONLY,
	     shot_mint_more),
	CALL("publish-with-read", attack_publish, SHMCHAN_RIGHT_MAP_READ, ONLY,
	     shot_mint_more),
	CALL("publish-the-victim's-name", attack_publish_over, 0, ONLY,
	     shot_publish_over),
};

#define SELF(_name, _arg, _roles)					\
	CALL_AS(~IS(VICTIM) & (_roles), want_mint_self, _name,		\
		attack_mint_self, _arg, ONLY, shot_harmful)

static const struct route widen_routes[] = {
	SELF("rights", MORE_RIGHTS, ~0UL),
	SELF("data", MORE_DATA, ~IS(UNJOINED)),
	SELF("control", MORE_CONTROL, ~IS(UNJOINED)),
	SELF("slot", ANOTHER_SLOT, ~IS(UNJOINED)),
};

static const struct route admin_routes[] = {
	CALL_AS(~0UL, want_withdraw, "withdraw-the-name", attack_withdraw, 0,
		ONLY, shot_withdraw),
	CALL("withdraw-all", attack_withdraw, 1, ONLY, shot_harmless),
	CALL("keep-the-mode", attack_setattr, (long)&same_mode, ONLY,
	     shot_harmless),
	CALL("open-the-mode", attack_setattr, (long)&open_mode, ONLY,
	     shot_harmful),
	CALL("give-to-root", attack_setattr, (long)&to_root, ONLY, shot_chown),
	CALL("give-to-itself", attack_setattr, (long)&to_attacker, ONLY,
	     shot_chown),
	CALL("give-to-root's-group", attack_setattr, (long)&to_roots_group,
	     ONLY, shot_chown),
	CALL("give-to-its-own-group", attack_setattr, (long)&to_own_group,
	     ONLY, shot_chown),
	CALL("seal-members", attack_seal, SHMCHAN_SEAL_MEMBERS, ONLY,
	     shot_harmful),
	CALL("seal-names", attack_seal, SHMCHAN_SEAL_PUBLISH, ONLY,
	     shot_harmful),
	CALL("revoke-the-slot", attack_revoke, 0, ONLY, shot_harmful),
	CALL("revoke-the-user", attack_revoke, 1, ONLY, shot_harmful),
};

/* Seats. */

static long attack_join(const struct attempt *a)
{
	return join(me.fd, a->route->arg);
}

static long attack_leave(const struct attempt *a)
{
	(void)a;
	return leave(me.fd);
}

static long attack_member_info(const struct attempt *a)
{
	struct shmchan_member_info info;
	long ret = member_info(me.fd, SLOT_VICTIM, &info);

	(void)a;
	if (!ret)
		keep_loot(&info, sizeof(info));
	return ret;
}

static const struct shot shot_join_held = { JOIN_CALL, 0, EBUSY, EACCES, 0 };
static const struct shot shot_join_reserved = {
	JOIN_CALL, 0, EACCES, EACCES, 0,
};
static const struct shot shot_leave = {
	MEMBER_CALL, 0, NOT_TRIED, 0, NOT_TRIED,
};
static const struct shot shot_info = { MEMBER_CALL, 0, 0, 0, 0 };

#define JOIN(_name, _slot, _shot, _roles)				\
	CALL_AS(~IS(VICTIM) & (_roles), want_join, _name, attack_join, _slot,\
		ONLY, _shot)

static const struct route seat_routes[] = {
	JOIN("the-victim's", SLOT_VICTIM, shot_join_held, ~0UL),
	JOIN("reserved-for-its-user", SLOT_VACANT, shot_join_reserved, ~0UL),
	JOIN("its-user's-before", SLOT_SAME_UID, shot_join_reserved, ~0UL),
	JOIN("any-once-more", SHMCHAN_SLOT_ANY, shot_join_held,
	     ~IS(UNJOINED) & ~IS(NARROW)),
	CALL("leave", attack_leave, 0, ONLY, shot_leave),
	CALL("who-is-the-victim", attack_member_info, 0, ONLY, shot_info),
};

/* Where memory lies. */

static long attack_extents(const struct attempt *a)
{
	struct shmchan_extent e[16];
	uint64_t start = 0;
	long ret = extents_page(me.fd, &start, e, COUNT(e), a->route->arg);

	if (ret > 0)
		keep_loot(e, ret * sizeof(e[0]));
	return ret;
}

static const struct shot shot_phys = { ANY_CALL, 0, EPERM, 0, NOT_TRIED };

static const struct route extent_routes[] = {
	CALL("addresses", attack_extents, SHMCHAN_EXTENTS_PHYS, ONLY,
	     shot_phys),
};

static const struct family call_families[] = {
	FAMILY("map", map_routes,
	       "mmap of what is not its to map, or to write",
	       "mmap asks for the rights and the range of the capability, and "
	       "for windows of its slot; so do the kernel's own checks of a "
	       "file that was opened for reading"),
	FAMILY("map-again", map_own_routes,
	       "mmap by those who are no members, of what was theirs",
	       "only a member that lives maps, in the address space that "
	       "joined"),
	FAMILY("wait", wait_routes,
	       "to sleep on another's doorbell, so that it has to be rung, or "
	       "to be told of its rings",
	       "a doorbell has an owner, who alone waits, arms, subscribes and "
	       "binds; "
	       "everything is checked before anything is queued"),
	FAMILY("oracle", oracle_routes,
	       "to find out words by waiting for them",
	       "waiting takes MAP_READ, and the word has to lie in the range "
	       "of the capability"),
	FAMILY("nowhere", nowhere_routes,
	       "words where there is no memory, and elements of other files",
	       "a word has to lie in one area, aligned, and the file has to be "
	       "a member's"),
	FAMILY("ring", ring_routes,
	       "to ring without the right, the kernel's own doorbell, or one "
	       "that does not exist",
	       "RING is a right; doorbell 0 is rung by the kernel alone; of a "
	       "set all are checked before the first is rung"),
	FAMILY("export", export_routes,
	       "a dma-buf of what is not its to read, or to write",
	       "an export takes the rights of a mapping of the same bytes, in "
	       "the same range; one that can be written takes windows"),
	FAMILY("more-rights", more_rights_routes,
	       "capabilities and names that allow more, or at all",
	       "PUBLISH is a right, and nothing comes of a capability that "
	       "allows more than it"),
	FAMILY("widen", widen_routes,
	       "to make its own capability wider by narrowing it",
	       "only what is narrower is taken, and only before it joins"),
	FAMILY("administer", admin_routes,
	       "to withdraw, give away, open, seal and revoke",
	       "ADMIN is a right; who has it can give the region to nobody "
	       "else without CAP_CHOWN"),
	FAMILY("seat", seat_routes,
	       "to take the victim's slot, or one that is kept for its user; "
	       "to join twice; to end a member from outside; to learn who is "
	       "there",
	       "a slot has one holder; reservations are by user; a capability "
	       "joins once in its life; members' calls are for the address "
	       "space that joined"),
	FAMILY("extents", extent_routes,
	       "to learn where the memory is in the machine",
	       "that takes CAP_SYS_ADMIN in the initial user namespace"),
};

#endif /* SHMCHAN_ATTACK_CALLS_H */
