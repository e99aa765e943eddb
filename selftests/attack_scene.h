/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_SCENE_H
#define SHMCHAN_ATTACK_SCENE_H

/*
 * Where the attacks take place: a region with a victim in it, a referee who
 * sees all of it, and attackers in their roles.
 *
 * The test itself is the referee, and the owner of the region.  The victim and
 * each attacker are processes of their own.  They all have a piece of memory in
 * common, the scene, so that an attacker knows everything: offsets, addresses,
 * numbers of files and processes.  It puts there whatever it could read, and
 * the referee looks whether that is something it should not have.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>

#include "test_memory.h"
#include "test_peer.h"

#define RW		(PROT_READ | PROT_WRITE)
#define UID_VICTIM	1000
#define UID_ATTACKER	1001

enum slot {
	SLOT_VICTIM,
	SLOT_MEMBER,
	SLOT_RANGE,
	SLOT_LEFT,
	SLOT_REVOKED,
	SLOT_CHILD,
	SLOT_PASSED,
	SLOT_ORPHAN,
	SLOT_EXECED,
	SLOT_GUEST,
	SLOT_READER,
	SLOT_RINGER,
	SLOT_WAITER,
	SLOT_WRITER,
	SLOT_ADMIN,
	SLOT_PUBLISHER,
	SLOT_REFEREE,
	SLOT_VACANT,		/* reserved for the victim's user */
	SLOT_SAME_UID,		/* the victim's user had it first */
	SLOT_SPARE,		/* nobody's yet */
	NR_SLOTS,
};

/* Doorbells: one for each slot, and one for all. */
#define BELL_VICTIM	BELL_OF(SLOT_VICTIM)
#define BELL_COMMON	BELL_OF(NR_SLOTS)
#define BELL_BEYOND	(NR_SLOTS + 2)

/* Windows, in the order of their offsets in either area. */
enum window {
	WINDOW_MEMBER,
	WINDOW_VICTIM,		/* behind an attacker's */
	WINDOW_COMMON,
	WINDOW_NOBODY,		/* not a window at all */
	WINDOW_RANGE,
	WINDOW_VACANT,		/* behind the other attacker's */
	WINDOW_LEFT,
	WINDOW_REVOKED,
	WINDOW_CHILD,
	WINDOW_PASSED,
	WINDOW_ORPHAN,
	WINDOW_EXECED,
	WINDOW_GUEST,
	NR_WINDOWS,
};

static const uint32_t window_owners[NR_WINDOWS] = {
	[WINDOW_MEMBER] = SLOT_MEMBER,
	[WINDOW_VICTIM] = SLOT_VICTIM,
	[WINDOW_COMMON] = SHMCHAN_SLOT_SHARED,
	[WINDOW_NOBODY] = SHMCHAN_SLOT_NONE,
	[WINDOW_RANGE] = SLOT_RANGE,
	[WINDOW_VACANT] = SLOT_VACANT,
	[WINDOW_LEFT] = SLOT_LEFT,
	[WINDOW_REVOKED] = SLOT_REVOKED,
	[WINDOW_CHILD] = SLOT_CHILD,
	[WINDOW_PASSED] = SLOT_PASSED,
	[WINDOW_ORPHAN] = SLOT_ORPHAN,
	[WINDOW_EXECED] = SLOT_EXECED,
	[WINDOW_GUEST] = SLOT_GUEST,
};

/* What an attack is aimed at. */
enum target {
	AT_NONE,		/* nothing in particular */
	AT_OWN,			/* the attacker's own window */
	AT_OWN_CONTROL,
	AT_VICTIM,
	AT_VICTIM_CONTROL,
	AT_NOBODY,
	AT_NOBODY_CONTROL,
	AT_VACANT,
	AT_VACANT_CONTROL,
	AT_COMMON,
	AT_HEADER,
	AT_STATUS,
	AT_DMABUF,		/* the victim's window in a read-only dma-buf */
	NR_TARGETS,
};

static const char *const target_names[NR_TARGETS] = {
	[AT_NONE] = "-",
	[AT_OWN] = "own",
	[AT_OWN_CONTROL] = "own-control",
	[AT_VICTIM] = "victim",
	[AT_VICTIM_CONTROL] = "victim-control",
	[AT_NOBODY] = "nobody",
	[AT_NOBODY_CONTROL] = "nobody-control",
	[AT_VACANT] = "vacant",
	[AT_VACANT_CONTROL] = "vacant-control",
	[AT_COMMON] = "shared",
	[AT_HEADER] = "header",
	[AT_STATUS] = "status",
	[AT_DMABUF] = "dma-buf",
};

enum role {
	ROLE_VICTIM,		/* no attacker: shows that the route works */
	ROLE_STRANGER,
	ROLE_OUTSIDER,
	ROLE_NSROOT,
	ROLE_GUEST,
	ROLE_SAMEUID,
	ROLE_READER,
	ROLE_RINGER,
	ROLE_WAITER,
	ROLE_WRITER,
	ROLE_ADMIN,
	ROLE_PUBLISHER,
	ROLE_MEMBER,
	ROLE_RANGE,
	ROLE_UNJOINED,
	ROLE_NARROW,
	ROLE_LEFT,
	ROLE_REVOKED,
	ROLE_CHILD,
	ROLE_PASSED,
	ROLE_ORPHAN,
	ROLE_EXECED,
	NR_ROLES,
};

/* How a role stands to its capability. */
enum standing {
	NO_CAPABILITY,
	NOT_JOINED,
	JOINED,
	ENDED,
	NOT_THE_MEMBER,		/* another address space's */
};

struct role_info {
	const char *name;
	const char *is;
	unsigned int uid;
	enum standing standing;
	unsigned int rights;
	enum slot slot;
	enum window window;	/* NR_WINDOWS: none */
};

static const struct role_info roles[NR_ROLES] = {
	[ROLE_VICTIM] = {
		"victim", "the victim itself",
		UID_VICTIM, JOINED, RIGHTS_RW, SLOT_VICTIM, WINDOW_VICTIM,
	},
	[ROLE_STRANGER] = {
		"stranger", "another user in the victim's namespaces, whom the "
		"name does not let in",
		UID_ATTACKER, NO_CAPABILITY, 0, NR_SLOTS, NR_WINDOWS,
	},
	[ROLE_OUTSIDER] = {
		"outsider", "the victim's own user, in another IPC namespace",
		UID_VICTIM, NO_CAPABILITY, 0, NR_SLOTS, NR_WINDOWS,
	},
	[ROLE_NSROOT] = {
		"nsroot", "another user, with all capabilities in a user "
		"namespace of its own, in the victim's IPC namespace",
		UID_ATTACKER, NO_CAPABILITY, 0, NR_SLOTS, NR_WINDOWS,
	},
	[ROLE_GUEST] = {
		"guest", "a member from other IPC, user and PID namespaces, "
		"where it is root",
		UID_ATTACKER, JOINED, RIGHTS_RW, SLOT_GUEST, WINDOW_GUEST,
	},
	[ROLE_SAMEUID] = {
		"same-uid", "another process of the victim's user",
		UID_VICTIM, NO_CAPABILITY, 0, NR_SLOTS, NR_WINDOWS,
	},
	[ROLE_READER] = {
		"reader", "a member with the right MAP_READ alone",
		UID_ATTACKER, JOINED, SHMCHAN_RIGHT_MAP_READ, SLOT_READER,
		NR_WINDOWS,
	},
	[ROLE_RINGER] = {
		"ringer", "a member with the right RING alone",
		UID_ATTACKER, JOINED, SHMCHAN_RIGHT_RING, SLOT_RINGER,
		NR_WINDOWS,
	},
	[ROLE_WAITER] = {
		"waiter", "a member with the right WAIT alone",
		UID_ATTACKER, JOINED, SHMCHAN_RIGHT_WAIT, SLOT_WAITER,
		NR_WINDOWS,
	},
	[ROLE_WRITER] = {
		"writer", "a member with the right MAP_WRITE alone",
		UID_ATTACKER, JOINED, SHMCHAN_RIGHT_MAP_WRITE, SLOT_WRITER,
		NR_WINDOWS,
	},
	[ROLE_ADMIN] = {
		"admin", "a member with the right ADMIN alone",
		UID_ATTACKER, JOINED, SHMCHAN_RIGHT_ADMIN, SLOT_ADMIN,
		NR_WINDOWS,
	},
	[ROLE_PUBLISHER] = {
		"publisher", "a member with the right PUBLISH alone",
		UID_ATTACKER, JOINED, SHMCHAN_RIGHT_PUBLISH, SLOT_PUBLISHER,
		NR_WINDOWS,
	},
	[ROLE_MEMBER] = {
		"member", "the holder of another slot, with all rights but "
		"ADMIN and PUBLISH",
		UID_ATTACKER, JOINED, RIGHTS_RW, SLOT_MEMBER, WINDOW_MEMBER,
	},
	[ROLE_RANGE] = {
		"range", "the same, with a capability that was minted for its "
		"own windows only",
		UID_ATTACKER, JOINED, RIGHTS_RW, SLOT_RANGE, WINDOW_RANGE,
	},
	[ROLE_UNJOINED] = {
		"unjoined", "the holder of a capability that has not joined",
		UID_ATTACKER, NOT_JOINED, RIGHTS_RW, NR_SLOTS, NR_WINDOWS,
	},
	[ROLE_NARROW] = {
		"narrow", "the same, and it is for one slot and a range",
		UID_ATTACKER, NOT_JOINED, RIGHTS_RW, NR_SLOTS, NR_WINDOWS,
	},
	[ROLE_LEFT] = {
		"left", "a member that has left, with its mappings in place",
		UID_ATTACKER, ENDED, RIGHTS_RW, SLOT_LEFT, WINDOW_LEFT,
	},
	[ROLE_REVOKED] = {
		"revoked", "a member that was revoked, with its mappings in "
		"place",
		UID_ATTACKER, ENDED, RIGHTS_RW, SLOT_REVOKED, WINDOW_REVOKED,
	},
	[ROLE_CHILD] = {
		"child", "a forked child of a member that lives",
		UID_ATTACKER, NOT_THE_MEMBER, RIGHTS_RW, SLOT_CHILD,
		WINDOW_CHILD,
	},
	[ROLE_PASSED] = {
		"passed", "a process that a member passed its file to",
		UID_ATTACKER, NOT_THE_MEMBER, RIGHTS_RW, SLOT_PASSED,
		WINDOW_PASSED,
	},
	[ROLE_ORPHAN] = {
		"orphan", "a process with the file of a member that died",
		UID_ATTACKER, NOT_THE_MEMBER, RIGHTS_RW, SLOT_ORPHAN,
		WINDOW_ORPHAN,
	},
	[ROLE_EXECED] = {
		"execed", "a member that has called execve() and kept the file",
		UID_ATTACKER, NOT_THE_MEMBER, RIGHTS_RW, SLOT_EXECED,
		WINDOW_EXECED,
	},
};

#define IS(role)	(1UL << ROLE_##role)
#define ALL_OF(t)	(1UL << AT_##t)
#define ONLY		ALL_OF(NONE)

struct attempt;

/* A way to attack.  With its roles and targets it makes attempts. */
struct route {
	const char *name;
	/* In the attacker: returns -errno, or something else. */
	long (*attack)(const struct attempt *a);
	long arg;
	unsigned long roles;
	unsigned long targets;
	/* An errno, ANYHOW, or 0: any. */
	int want;
	unsigned int flags;
	/* In place of @want; 0: that role may do it, and then it must succeed. */
	int (*wanted)(const struct attempt *a);
	/* For @wanted and @attack. */
	const void *data;
};

/* Whatever it returns: what counts is what it has done. */
#define ANYHOW		(-1)
/* From @wanted: not an attempt, and it is not to be done. */
#define NOT_TRIED	(-2)

#define MAY_DIE		(1U << 0)	/* the attacker may */
#define MAY_JOIN	(1U << 1)	/* it may come and go */
#define SPOILS		(1U << 2)	/* and needs a fresh process after it */
#define PROVEN		(1U << 3)	/* first on the attacker's own memory */
#define ON_DATA		(1U << 4)	/* where bytes are not zero */
#define NO_RING		(1U << 5)	/* not by those with the right either */
#define MAY_READ	(1U << 6)	/* it has been given what to read */

/* Routes that are tried for one purpose, and fail for one reason. */
struct family {
	const char *name;
	const char *tries;
	const char *why;
	const struct route *routes;
	unsigned int nr;
};

struct topic {
	const char *name;
	const char *is;
	const struct family *families;
	unsigned int nr;
	/* No attempts: what works, and has to be told. */
	bool works;
};

struct attempt {
	const struct topic *topic;
	const struct family *family;
	const struct route *route;
	enum role role;
	enum target target;
};

#define FAMILY(_name, _routes, _tries, _why) {				\
	.name = (_name), .tries = (_tries), .why = (_why),		\
	.routes = (_routes), .nr = COUNT(_routes),			\
}

/* Asked of the referee by an attacker in the midst of an attack. */
enum favour {
	NO_FAVOUR,
	STORE_TID,		/* the victim stores a number in its window */
	LIVE_ON,		/* everybody else does what they always do */
	REVOKE_ME,		/* the slot; and watch its window */
	WATCH_ME,		/* watch the window */
	NEW_HOLDER,		/* somebody else takes the slot */
	OPEN_BY_NAME,		/* the victim's user opens the name in loot */
	TIME_RING,		/* how long does a ring of that doorbell take? */
	WAKE_FUTEX,		/* the victim wakes one who waits for its word */
	LEND,			/* another region, of which to pass a file */
	TAKE_BACK,		/* the end of that region: is it charged still? */
	IS_CHARGED,		/* the same, later */
};

/* Files that attackers are given. */
enum given {
	GIVEN_CAPABILITY,
	GIVEN_IPC,		/* the victim's IPC namespace */
	GIVEN_DISK,		/* to read from without a cache */
	GIVEN_SCENE,
	GIVEN_DMABUF,
	NR_GIVEN,
};

#define LOOT_SIZE	65536
#define LENT_SIZE	(2 * HUGE)

struct scene {
	char name[32];
	unsigned int flags;		/* SHMCHAN_CREATE_* */
	size_t folio;
	uint64_t data_size;
	uint64_t control;
	uint64_t control_size;
	uint64_t status;
	uint64_t status_size;

	pid_t referee;
	pid_t victim;
	pid_t sleeper;			/* a thread of the victim's */
	int victim_fd;
	int victim_pipe;		/* another file of its */
	int victim_memfd;		/* the same */
	char *victim_own;
	char *victim_control;
	char *victim_secret;		/* memory that nobody shares */
	uint64_t word;			/* that the sleeper waits for */
	volatile bool asleep;
	volatile unsigned int woken;

	uint64_t secret[NR_WINDOWS];
	uint64_t header_secret;
	uint64_t own_secret;		/* in victim_secret */

	volatile unsigned int favour;
	volatile long favour_arg;
	volatile long favour_answer;

	int given[NR_GIVEN];

	volatile int signal;
	volatile size_t loot_len;
	unsigned char loot[LOOT_SIZE];
};

static struct scene *scene;

/* Where a window begins, in one area or the other. */
static inline uint64_t window_at(enum window w)
{
	return w * scene->folio;
}

static inline uint64_t window_control_at(enum window w)
{
	return scene->control + (1 + w) * PAGE;
}

static inline uint64_t target_at(enum target t, enum role role)
{
	switch (t) {
	case AT_OWN:
		return window_at(roles[role].window);
	case AT_OWN_CONTROL:
		return window_control_at(roles[role].window);
	case AT_VICTIM:
		return window_at(WINDOW_VICTIM);
	case AT_VICTIM_CONTROL:
		return window_control_at(WINDOW_VICTIM);
	case AT_NOBODY:
		return window_at(WINDOW_NOBODY);
	case AT_NOBODY_CONTROL:
		return window_control_at(WINDOW_NOBODY);
	case AT_VACANT:
		return window_at(WINDOW_VACANT);
	case AT_VACANT_CONTROL:
		return window_control_at(WINDOW_VACANT);
	case AT_COMMON:
		return window_at(WINDOW_COMMON);
	case AT_HEADER:
		return scene->control;
	case AT_STATUS:
		return scene->status;
	default:
		return 0;
	}
}

static inline size_t target_size(enum target t)
{
	switch (t) {
	case AT_OWN:
	case AT_VICTIM:
	case AT_NOBODY:
	case AT_VACANT:
	case AT_COMMON:
	case AT_DMABUF:
		return scene->folio;
	case AT_STATUS:
		return scene->status_size;
	default:
		return PAGE;
	}
}

/*
 * The first half of a window has its secret, over and over; the second is
 * zero.  So are the last bytes of the status area.
 */
static inline void fill_secret(char *p, size_t size, uint64_t secret)
{
	uint64_t *words = (uint64_t *)p;
	size_t i;

	for (i = 0; i < size / 2 / sizeof(*words); i++)
		words[i] = secret;
}

/* In the attacker. */

static struct {
	enum role role;
	int dev;
	int fd;			/* -1: none */
	int ipc;		/* the victim's IPC namespace */
	int disk;		/* to read without a cache; -1: none */
	int dmabuf;
	int exe;
	char *own;
	char *own_control;
	char *views[NR_TARGETS];
} me;

static inline bool keep_loot(const void *p, size_t size)
{
	if (size > LOOT_SIZE - scene->loot_len)
		size = LOOT_SIZE - scene->loot_len;
	memcpy(scene->loot + scene->loot_len, p, size);
	scene->loot_len += size;
	return true;
}

/* All that can be read there. */
static inline void loot_memory(const volatile char *p, size_t size)
{
	char buf[256];
	size_t i;

	if (size > sizeof(buf))
		size = sizeof(buf);
	if (probe_read(p) || probe_read(p + size - 1))
		return;
	for (i = 0; i < size; i++)
		buf[i] = p[i];
	keep_loot(buf, size);
}

static inline int target_file(enum target t)
{
	return t == AT_DMABUF ? me.dmabuf : me.fd;
}

/* A read-only mapping that stays; or NULL with errno. */
static inline char *view(enum target t)
{
	char *p;

	if (me.views[t])
		return me.views[t];
	p = map(target_file(t), target_at(t, me.role), target_size(t),
		PROT_READ);
	if (p == MAP_FAILED)
		return NULL;
	me.views[t] = p;
	return p;
}

/* One that is made for an attempt alone; 4 KiB or all of it. */
static inline char *fresh(const struct attempt *a, int prot)
{
	char *p = map(target_file(a->target), target_at(a->target, a->role),
		      target_size(a->target), prot);

	return p == MAP_FAILED ? NULL : p;
}

static inline void drop(const struct attempt *a, char *p)
{
	munmap(p, target_size(a->target));
}

/* Where in it to write: bytes that are zero, or that are not. */
static inline char *aim(const struct attempt *a, char *p)
{
	size_t size = target_size(a->target);

	if (a->route->flags & ON_DATA)
		return p + 64;
	return a->target == AT_STATUS ? p + size - 512 : p + size / 2 + 64;
}

/* Asks the referee; returns what it says. */
static inline long ask(enum favour favour, long arg)
{
	scene->favour_arg = arg;
	__atomic_store_n(&scene->favour, favour, __ATOMIC_RELEASE);
	while (__atomic_load_n(&scene->favour, __ATOMIC_ACQUIRE))
		usleep(200);
	return scene->favour_answer;
}

/* -errno of a system call's result. */
static inline long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

#define sys(...)	result(syscall(__VA_ARGS__))

#endif /* SHMCHAN_ATTACK_SCENE_H */
