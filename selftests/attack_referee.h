/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_REFEREE_H
#define SHMCHAN_ATTACK_REFEREE_H

/*
 * The referee: sets the scene, lets an attacker make an attempt, and looks
 * whether anything has come of it.  Comes after the harness.
 */

#include "attack_roles.h"

#define MAX_ATTEMPTS	8192
#define MAX_NAMES	64
#define STATUS_MAX	(2 * PAGE)
#define UFFD_SETTING	"/proc/sys/vm/unprivileged_userfaultfd"

/* Of everything that no attacker may change. */
struct snapshot {
	struct shmchan_query query;
	struct shmchan_list_entry names[MAX_NAMES];
	unsigned int nr_names;
	uint64_t victim_bytes;
	uint64_t frame;
	unsigned int woken;
	unsigned char status[STATUS_MAX];
};

static struct {
	int admin;		/* a capability with all rights */
	int fd;			/* the referee's own member */
	char *data;
	char *control;
	struct status status;
	struct peer victim;
	struct peer peers[NR_ROLES];
	bool is_up[NR_ROLES];
	unsigned char *data_was[NR_WINDOWS];
	unsigned char control_was[(1 + NR_WINDOWS) * PAGE];
	struct snapshot before;
	bool is_before;		/* ... the next attempt */
	int ipc;
	int pid_ns;
	int disk;
	int scene;
	int dmabuf;		/* of the victim's window, read-only */
	char uffd[8];		/* what a setting was */
	const struct peer *attacker;
	int lent;		/* a region of the victim's user */
	uint64_t charged;	/* to that user without it */
	enum window watched;	/* whose holder has ended; NR_WINDOWS: none */
} arena;

static struct attempt attempts[MAX_ATTEMPTS];
static unsigned int nr_attempts;
/* By attempt: the kernel has no such thing. */
static bool not_here[MAX_ATTEMPTS];

static inline void as_user(unsigned int uid)
{
	if (uid) {
		syscall(SYS_setresgid, -1, uid, -1);
		syscall(SYS_setresuid, -1, uid, -1);
	} else {
		syscall(SYS_setresuid, -1, 0, -1);
		syscall(SYS_setresgid, -1, 0, -1);
	}
}

/* Makes the region as the victim's user; returns 0 or -errno. */
static inline int make_region(unsigned int flags)
{
	struct shmchan_window windows[2 * NR_WINDOWS];
	struct shmchan_doorbell bells[NR_SLOTS + 1] = {};
	struct shmchan_slot slots[NR_SLOTS] = {};
	uint64_t header[PAGE / 8] = {};
	struct shmchan_create c = {
		.size = sizeof(c),
		.flags = flags,
		.name = ptr(scene->name),
		.name_len = strlen(scene->name),
		.mode = 0660,
		.data_size = scene->data_size,
		.control_size = scene->control_size,
		.header = ptr(header),
		.header_len = sizeof(header),
		.nr_slots = NR_SLOTS,
		.slots = ptr(slots),
		.doorbells = ptr(bells),
		.nr_doorbells = COUNT(bells),
		.windows = ptr(windows),
	};
	unsigned int i, area;
	int dev, ret;

	for (area = 0; area < 2; area++)
		for (i = 0; i < NR_WINDOWS; i++)
			if (i != WINDOW_NOBODY)
				windows[c.nr_windows++] =
					(struct shmchan_window) {
					.offset = area ? window_control_at(i) :
							 window_at(i),
					.length = area ? PAGE : scene->folio,
					.slot = window_owners[i],
				};
	for (i = 0; i < NR_SLOTS; i++)
		bells[i].owner = i;
	bells[NR_SLOTS].owner = SHMCHAN_SLOT_SHARED;
	slots[SLOT_VACANT].flags = SHMCHAN_SLOT_FLAG_UID;
	slots[SLOT_VACANT].uid = UID_VICTIM;
	slots[SLOT_SAME_UID].flags = SHMCHAN_SLOT_FLAG_SAME_UID;
	fill_secret((char *)header, PAGE, scene->header_secret);

	umask(0);
	as_user(UID_VICTIM);
	dev = open_device();
	ret = dev < 0 ? dev : call(dev, SHMCHAN_IOC_CREATE, &c);
	as_user(0);
	if (dev >= 0)
		close(dev);
	arena.admin = c.fd;
	return ret;
}

/* A slot that the victim's user has had. */
static inline int use_slot(enum slot slot, enum window w)
{
	int fd = mint(arena.admin, RIGHTS_RW);
	char *p;
	int ret;

	if (fd < 0)
		return fd;
	as_user(UID_VICTIM);
	ret = join(fd, slot);
	as_user(0);
	if (ret > 0 && w < NR_WINDOWS) {
		p = map(fd, window_at(w), scene->folio, RW);
		fill_secret(p, scene->folio, scene->secret[w]);
		munmap(p, scene->folio);
		p = map(fd, window_control_at(w), PAGE, RW);
		fill_secret(p, PAGE, scene->secret[w]);
		munmap(p, PAGE);
	}
	close(fd);
	return ret > 0 ? 0 : ret;
}

/* What is there now is what has to stay. */
static inline void remember_window(enum window w)
{
	memcpy(arena.data_was[w], arena.data + window_at(w), scene->folio);
	memcpy(arena.control_was + (1 + w) * PAGE,
	       arena.control + (1 + w) * PAGE, PAGE);
}

static inline void make_secrets(void)
{
	(void)!getrandom(scene->secret, sizeof(scene->secret), 0);
	(void)!getrandom(&scene->header_secret, sizeof(uint64_t), 0);
	(void)!getrandom(&scene->own_secret, sizeof(uint64_t), 0);
}

/* Returns NULL, or what did not work. */
static inline const char *set_scene(unsigned int flags)
{
	const char *disk = getenv("SHMCHAN_TEST_DISK");
	unsigned int i;
	long theirs;

	arena.scene = memfd_create("scene", 0);
	if (arena.scene < 0 || ftruncate(arena.scene, sizeof(*scene)))
		return "no memory for the scene";
	scene = mmap(NULL, sizeof(*scene), RW, MAP_SHARED, arena.scene, 0);
	if (scene == MAP_FAILED)
		return "no memory for the scene";
	snprintf(scene->name, sizeof(scene->name), "victim-%d-%08x", getpid(),
		 (unsigned int)now_ns());
	scene->flags = flags;
	scene->folio = flags & SHMCHAN_CREATE_SMALL ? PAGE : HUGE;
	scene->data_size = NR_WINDOWS * scene->folio;
	scene->control = SHMCHAN_CONTROL_OFFSET(scene->data_size);
	scene->control_size = (1 + NR_WINDOWS) * PAGE;
	scene->status = SHMCHAN_STATUS_OFFSET(scene->data_size,
					      scene->control_size);
	scene->status_size = SHMCHAN_STATUS_SIZE(NR_SLOTS, NR_SLOTS + 1);
	scene->referee = getpid();
	make_secrets();
	/* Attackers may stop the kernel where it touches their memory. */
	read_text(UFFD_SETTING, arena.uffd, sizeof(arena.uffd));
	write_text(UFFD_SETTING, "1");

	arena.ipc = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	arena.pid_ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	arena.disk = disk ? open(disk, O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
	if (peer_start(&arena.victim))
		return "no process for the victim";
	if (make_region(flags))
		return "no region";
	if (use_slot(SLOT_VACANT, WINDOW_VACANT) ||
	    use_slot(SLOT_SAME_UID, NR_WINDOWS))
		return "no vacant slots";
	arena.fd = mint(arena.admin, SHMCHAN_RIGHT_MAP_READ |
			SHMCHAN_RIGHT_WAIT | SHMCHAN_RIGHT_RING);
	if (arena.fd < 0 || join(arena.fd, SLOT_REFEREE) < 0 ||
	    map_status(arena.fd, &arena.status))
		return "no member for the referee";
	arena.data = map(arena.fd, 0, scene->data_size, PROT_READ);
	arena.control = map(arena.fd, scene->control, scene->control_size,
			    PROT_READ);
	if (arena.data == MAP_FAILED || arena.control == MAP_FAILED)
		return "no mapping for the referee";

	theirs = mint(arena.admin, RIGHTS_RW);
	scene->victim = arena.victim.pid;
	if (theirs < 0 ||
	    peer_call(&arena.victim, begin_victim,
		      peer_give(&arena.victim, theirs), 0))
		return "no member for the victim";
	close(theirs);
	if (!eventually(arena.status.bells[BELL_VICTIM].waiters == 1))
		return "the victim does not sleep";
	arena.dmabuf = export_dmabuf(arena.fd, window_at(WINDOW_VICTIM),
				     scene->folio, 0);
	if (arena.dmabuf < 0)
		return "no dma-buf";
	for (i = 0; i < NR_WINDOWS; i++) {
		arena.data_was[i] = malloc(scene->folio);
		remember_window(i);
	}
	memcpy(arena.control_was, arena.control, PAGE);
	return NULL;
}

static inline void stop_role(enum role role)
{
	arena.is_before = false;
	if (arena.is_up[role])
		peer_kill(&arena.peers[role]);
	arena.is_up[role] = false;
}

/* What a role is given; -1: nothing. */
static inline int role_capability(enum role role)
{
	struct shmchan_mint m = { .rights = roles[role].rights };

	if (!m.rights)
		return -1;
	if (role == ROLE_LEFT || role == ROLE_REVOKED)
		m.rights |= SHMCHAN_RIGHT_PUBLISH;
	if (role == ROLE_RANGE || role == ROLE_NARROW) {
		enum window w = role == ROLE_RANGE ? WINDOW_RANGE :
						     WINDOW_COMMON;

		m.flags = SHMCHAN_MINT_RANGE | SHMCHAN_MINT_SLOT;
		m.slot = role == ROLE_RANGE ? SLOT_RANGE : SLOT_SPARE;
		m.data.offset = window_at(w);
		m.data.length = scene->folio;
		m.control.offset = window_control_at(w);
		m.control.length = PAGE;
	}
	return mint_args(arena.admin, &m);
}

/* Returns 0 or -errno. */
static inline long start_role(enum role role)
{
	struct peer *p = &arena.peers[role];
	int files[NR_GIVEN] = {
		role_capability(role), arena.ipc, arena.disk, arena.scene,
		arena.dmabuf,
	};
	unsigned int i;
	long ret;

	if (role == ROLE_GUEST)
		unshare(CLONE_NEWPID);
	arena.is_before = false;
	ret = peer_start(p);
	if (role == ROLE_GUEST)
		setns(arena.pid_ns, CLONE_NEWPID);
	if (ret)
		return ret;
	arena.is_up[role] = true;
	for (i = 0; i < NR_GIVEN; i++)
		scene->given[i] = files[i] < 0 ? -1 : peer_give(p, files[i]);
	close(files[GIVEN_CAPABILITY]);
	ret = peer_call(p, begin_role, role, 0);
	if (!ret && role == ROLE_REVOKED)
		ret = revoke_slot(arena.admin, SLOT_REVOKED, 0) == 1 ? 0 : -EIO;
	if (ret)
		stop_role(role);
	else if (roles[role].window < NR_WINDOWS)
		remember_window(roles[role].window);
	return ret;
}

static inline void clear_arena(void)
{
	unsigned int i;

	for (i = 0; i < NR_ROLES; i++)
		stop_role(i);
	if (arena.victim.pid)
		peer_kill(&arena.victim);
	if (arena.uffd[0])
		write_text(UFFD_SETTING, arena.uffd);
}

/* Everything else that nobody may change. */
static inline void take_snapshot(struct snapshot *s)
{
	struct shmchan_list l = {
		.size = sizeof(l),
		.entries = ptr(s->names),
		.nr_entries = MAX_NAMES,
		.entry_size = sizeof(s->names[0]),
	};
	struct shmchan_user_entry users[16] = {};
	struct shmchan_list_users u = {
		.size = sizeof(u),
		.entries = ptr(users),
		.nr_entries = COUNT(users),
		.entry_size = sizeof(users[0]),
	};
	unsigned int i;
	int dev = open_device();

	memset(s, 0, sizeof(*s));
	query(arena.admin, &s->query);
	call(dev, SHMCHAN_IOC_LIST, &l);
	s->nr_names = l.nr_entries;
	for (i = 0; i < s->nr_names; i++)
		s->names[i].nr_live = 0;
	if (!call(dev, SHMCHAN_IOC_LIST_USERS, &u))
		for (i = 0; i < u.nr_entries; i++)
			if (users[i].uid == UID_VICTIM)
				s->victim_bytes = users[i].bytes;
	close(dev);
	probe_read(arena.data + window_at(WINDOW_VICTIM));
	s->frame = phys_of(arena.data + window_at(WINDOW_VICTIM));
	s->woken = scene->woken;
	memcpy(s->status, (void *)arena.status.head, scene->status_size);
}

/* Each time a part of each page, where attacks are aimed; at last all of it. */
#define LOOK	192

static inline bool same_window(enum window w, size_t look)
{
	const char *now = arena.data + window_at(w);
	size_t at;

	for (at = 0; at < scene->folio; at += PAGE)
		if (memcmp(arena.data_was[w] + at, now + at, look) ||
		    memcmp(arena.data_was[w] + at + PAGE / 2,
			   now + at + PAGE / 2, look / 2))
			return false;
	return !memcmp(arena.control_was + (1 + w) * PAGE,
		       arena.control + (1 + w) * PAGE, PAGE);
}

static inline const char *window_harmed(enum window w, size_t look)
{
	static char text[64];

	if (same_window(w, look))
		return NULL;
	snprintf(text, sizeof(text), "bytes of window %u have changed", w);
	remember_window(w);
	return text;
}

static inline bool may_ring(const struct attempt *a)
{
	return roles[a->role].standing == JOINED &&
	       roles[a->role].rights & SHMCHAN_RIGHT_RING &&
	       !(a->route->flags & NO_RING);
}

static inline const char *status_harmed(const struct attempt *a)
{
	static const enum slot kept[] = {
		SLOT_VICTIM, SLOT_REFEREE, SLOT_VACANT, SLOT_SAME_UID,
	};
	const unsigned char *was = arena.before.status;
	const struct shmchan_doorbell_status *bells =
		(const void *)(was + arena.status.head->doorbells_offset);
	const uint64_t *slots =
		(const void *)(was + arena.status.head->slots_offset);
	unsigned int i;

	for (i = 0; i < COUNT(kept); i++)
		if (slots[kept[i]] != arena.status.slots[kept[i]])
			return "the word of a slot has changed";
	/* Nor that of the member whose file it has. */
	if (roles[a->role].standing == NOT_THE_MEMBER &&
	    slots[roles[a->role].slot] !=
	    arena.status.slots[roles[a->role].slot])
		return "the member was ended by another";
	if (!(a->route->flags & MAY_JOIN) &&
	    bells[0].seq != arena.status.bells[0].seq)
		return "doorbell 0 was rung";
	for (i = 1; i < arena.status.head->nr_doorbells; i++)
		if (!may_ring(a) && bells[i].seq != arena.status.bells[i].seq)
			return "a doorbell was rung";
	if (arena.status.bells[0].waiters ||
	    arena.status.bells[BELL_OF(SLOT_REFEREE)].waiters ||
	    !eventually(arena.status.bells[BELL_VICTIM].waiters == 1))
		return "the number of waiters has changed";
	/* Its last field grows with each join and each end. */
	if (memcmp(was, (void *)arena.status.head,
		   offsetof(struct shmchan_status, members_seq)) ||
	    !all_bytes((void *)arena.status.head->reserved,
		       sizeof(arena.status.head->reserved), 0))
		return "the head of the status area has changed";
	return NULL;
}

/* May that role have read these bytes, or know that name? */
static inline bool may_read(enum role role)
{
	return roles[role].standing == JOINED &&
	       roles[role].rights & SHMCHAN_RIGHT_MAP_READ &&
	       role != ROLE_RANGE;
}

static inline bool in_loot(const void *what, size_t size)
{
	return memmem(scene->loot, scene->loot_len, what, size);
}

static inline const char *loot_harms(const struct attempt *a)
{
	enum role role = a->role;
	static const enum window secret[] = {
		WINDOW_VICTIM, WINDOW_VACANT,
	};
	const uint64_t *words = (const uint64_t *)scene->loot;
	unsigned int i;

	for (i = 0; i < COUNT(secret) && !may_read(role) &&
		    !(a->route->flags & MAY_READ); i++)
		if (in_loot(&scene->secret[secret[i]], sizeof(uint64_t)))
			return "it has read what it may not";
	if (in_loot(&scene->own_secret, sizeof(uint64_t)))
		return "it has read the victim's own memory";
	if (!may_read(role) && role != ROLE_RANGE &&
	    in_loot(&scene->header_secret, sizeof(uint64_t)))
		return "it has read the header page";
	if ((role == ROLE_OUTSIDER || role == ROLE_GUEST) &&
	    in_loot(scene->name, strlen(scene->name)))
		return "it has learned a name of another namespace";
	for (i = 0; i < scene->loot_len / sizeof(*words); i++)
		if ((words[i] >> 44 >= 0xffff8 && words[i] >> 44 < 0xffffe) ||
		    (words[i] >> 32 == 0xffffffff && words[i] >> 31 & 1 &&
		     (words[i] & 0xffffffff) < 0xff000000))
			return "it has got an address of the kernel's";
	return NULL;
}

/* Has the attempt done anything that it should not? */
static inline const char *harm(const struct attempt *a)
{
	static struct snapshot now;
	const struct snapshot *was = &arena.before;
	enum window w = roles[a->role].window;
	const char *what;

	arena.is_before = false;
	what = status_harmed(a);
	if (what)
		return what;
	what = window_harmed(WINDOW_VICTIM, LOOK);
	if (!what)
		what = window_harmed(WINDOW_NOBODY, LOOK);
	if (!what)
		what = window_harmed(WINDOW_VACANT, LOOK);
	if (!what && w < NR_WINDOWS && roles[a->role].standing != JOINED)
		what = window_harmed(w, LOOK);
	if (!what && arena.watched < NR_WINDOWS)
		what = window_harmed(arena.watched, PAGE);
	if (what)
		return what;
	if (memcmp(arena.control_was, arena.control, PAGE))
		return "the header page has changed";

	take_snapshot(&now);
	if (memcmp(&now.query, &was->query, sizeof(now.query)))
		return "what QUERY tells has changed";
	if (now.nr_names != was->nr_names ||
	    memcmp(now.names, was->names, sizeof(now.names)))
		return "the names have changed";
	if (now.victim_bytes != was->victim_bytes)
		return "the victim's user is charged another amount";
	if (now.frame != was->frame)
		return "the memory has been moved";
	if (now.woken != was->woken)
		return "the victim's sleeper was woken";
	if (!scene->asleep)
		return "the victim's sleeper sleeps no more";
	if (waitpid(arena.victim.pid, NULL, WNOHANG | WUNTRACED))
		return "the victim was stopped or killed";
	arena.before = now;
	arena.is_before = true;
	return loot_harms(a);
}

/* At the end: every byte. */
static inline const char *all_harm(void)
{
	const char *what = window_harmed(WINDOW_VICTIM, PAGE);

	if (!what)
		what = window_harmed(WINDOW_NOBODY, PAGE);
	return what ? what : window_harmed(WINDOW_VACANT, PAGE);
}

/* The victim, and others like it, do what they do. */
static inline const char *live_on(void)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_COMMON, scene->word, 0);
	unsigned int woken = scene->woken;
	int fd, ret;

	if (arena.is_before && woken != arena.before.woken)
		return "the victim's sleeper was woken";
	/* The value is another each time. */
	if (peer_call(&arena.victim, victim_wake, now_ns(), 0) != 1)
		return "the victim does not wake its sleeper";
	if (!eventually(scene->woken == woken + 1 &&
			arena.status.bells[BELL_VICTIM].waiters == 1))
		return "the victim's sleeper does not wake";
	remember_window(WINDOW_VICTIM);
	if (wait_until(arena.fd, &e, 1, 1))
		return "a member cannot look at a word";
	e.value = *(volatile uint64_t *)(arena.control +
					 (1 + WINDOW_VICTIM) * PAGE + PAGE - 8);
	ret = wait_until(arena.fd, &e, 1, 1);
	if (ret != -ETIMEDOUT)
		return "a member cannot wait on the shared doorbell";
	if (ring(arena.fd, BELL_COMMON, 0) < 0)
		return "a member cannot ring";
	as_user(UID_VICTIM);
	fd = open_region(scene->name, RIGHTS_RW);
	ret = fd < 0 ? fd : join(fd, SLOT_VACANT);
	as_user(0);
	if (fd >= 0)
		close(fd);
	if (ret < 0)
		return "nobody can join the vacant slot";
	as_user(UID_VICTIM);
	fd = create_shared(PAGE, SHMCHAN_CREATE_SMALL);
	as_user(0);
	if (fd < 0)
		return "the victim's user can make no region";
	close(fd);
	/* That is what it has changed itself. */
	arena.before.woken = scene->woken;
	memcpy(arena.before.status, (void *)arena.status.head,
	       scene->status_size);
	return NULL;
}

/* The region's next member: takes a slot whose holder has gone. */
static inline long new_holder(enum slot slot)
{
	int fd = mint(arena.admin, RIGHTS_RW);
	long ret = fd < 0 ? fd : join(fd, slot);

	if (fd >= 0)
		close(fd);
	return ret;
}

/* As the library does: it expects a region of its own user, or of root. */
static inline long open_by_name(void)
{
	struct shmchan_open o = {
		.size = sizeof(o),
		.flags = SHMCHAN_OPEN_OWNER_SELF,
		.name = ptr(scene->loot),
		.name_len = strlen((char *)scene->loot),
		.rights = SHMCHAN_RIGHT_MAP_READ,
	};
	int dev = open_device();
	long ret;

	as_user(UID_VICTIM);
	ret = call(dev, SHMCHAN_IOC_OPEN, &o);
	as_user(0);
	if (!ret)
		close(o.fd);
	close(dev);
	return ret;
}

/* The shortest of some, in nanoseconds. */
static inline long time_ring(unsigned int bell)
{
	uint64_t start, took, least = ~0ULL;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		start = now_ns();
		ring(arena.fd, bell, 0);
		took = now_ns() - start;
		if (took < least)
			least = took;
	}
	memcpy(arena.before.status, (void *)arena.status.head,
	       scene->status_size);
	return least;
}

/* How much the victim's user holds. */
static inline uint64_t victim_bytes(void)
{
	static struct snapshot s;

	take_snapshot(&s);
	return s.victim_bytes;
}

/* A region that nobody else has, and an attacker that may read it. */
static inline long lend_region(void)
{
	int fd;
	long ret;

	arena.charged = victim_bytes();
	as_user(UID_VICTIM);
	arena.lent = create_shared(LENT_SIZE, 0);
	as_user(0);
	fd = arena.lent < 0 ? arena.lent :
			      mint(arena.lent, SHMCHAN_RIGHT_MAP_READ);
	if (fd < 0)
		return fd;
	ret = send_fd(arena.attacker->sock, fd);
	close(fd);
	return ret;
}

/* All that its owner can do: revoke whoever has it, and close it. */
static inline long take_back(void)
{
	long ret = revoke_slot(arena.lent, 0, 0);

	close(arena.lent);
	return ret < 0 ? ret : victim_bytes() > arena.charged;
}

/* From now on nothing of that slot's window may change. */
static inline long watch_slot(enum slot slot)
{
	long ret = 0;
	unsigned int i;

	if (scene->favour == REVOKE_ME)
		ret = revoke_slot(arena.admin, slot, 0);
	for (i = 0; i < NR_WINDOWS; i++)
		if (window_owners[i] == slot) {
			remember_window(i);
			arena.watched = i;
		}
	return ret;
}

static inline long do_favour(void)
{
	switch (scene->favour) {
	case STORE_TID:
		return peer_call(&arena.victim, victim_store,
				 scene->favour_arg, 0);
	case LIVE_ON:
		return live_on() ? -EIO : 0;
	case REVOKE_ME:
	case WATCH_ME:
		return watch_slot(scene->favour_arg);
	case NEW_HOLDER:
		return new_holder(scene->favour_arg);
	case LEND:
		return lend_region();
	case TAKE_BACK:
		return take_back();
	case IS_CHARGED:
		return victim_bytes() > arena.charged;
	case WAKE_FUTEX:
		return peer_call(&arena.victim, victim_wake_futex, 0, 0);
	case TIME_RING:
		return time_ring(scene->favour_arg);
	case OPEN_BY_NAME:
		return open_by_name();
	default:
		return -EINVAL;
	}
}

/* In the attacker. */

static sigjmp_buf attack_env;

static inline void attack_fault(int sig)
{
	scene->signal = sig;
	siglongjmp(attack_env, 1);
}

/* A fault is an answer like others. */
static inline long make_attempt(const struct attempt *a)
{
	struct sigaction act = { .sa_handler = attack_fault };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	if (sigsetjmp(attack_env, 1))
		return -EFAULT;
	return a->route->attack(a);
}

static inline long serve_attempt(long nr, long b)
{
	(void)b;
	return make_attempt(&attempts[nr]);
}

/*
 * The same on the attacker's own window: does the route lead anywhere?  Returns
 * 1 if it has changed something there, or what the attack returned.
 */
static inline long serve_proof(long nr, long b)
{
	struct attempt a = attempts[nr];
	char was[PAGE], *at;
	long ret;

	(void)b;
	a.role = me.role;
	a.target = a.target == AT_VICTIM_CONTROL ? AT_OWN_CONTROL : AT_OWN;
	at = aim(&a, a.target == AT_OWN ? me.own : me.own_control);
	at = (char *)(ptr(at) & ~(PAGE - 1));
	memcpy(was, at, sizeof(was));
	ret = make_attempt(&a);
	if (!memcmp(was, at, sizeof(was)))
		return ret < 0 ? ret : 0;
	memcpy(at, was, sizeof(was));
	return 1;
}

/* Waits for the attacker, and does it a favour if it asks. */
static inline long await_attacker(const struct peer *p)
{
	uint64_t until = now_ns() + 2 * PATIENCE_MS * MSEC;
	long ret;

	arena.attacker = p;
	do {
		ret = peer_answer(p, 3);
		if (__atomic_load_n(&scene->favour, __ATOMIC_ACQUIRE)) {
			scene->favour_answer = do_favour();
			__atomic_store_n(&scene->favour, 0, __ATOMIC_RELEASE);
		}
	} while (ret == PEER_BUSY && now_ns() < until);
	return ret;
}

static inline int wanted(const struct attempt *a)
{
	return a->route->wanted ? a->route->wanted(a) : a->route->want;
}

/* For messages. */
static inline const char *attempt_name(const struct attempt *a)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s %s/%s %s", roles[a->role].name,
		 a->family->name, a->route->name, target_names[a->target]);
	return text;
}

static inline const char *complain(const char *format, long value)
{
	static char text[128];

	snprintf(text, sizeof(text), format, value,
		 value < 0 && value > -4096 ? strerror(-value) : "");
	return text;
}

/* What an attempt's return value says; NULL: nothing bad. */
static inline const char *judge_answer(const struct attempt *a, bool may,
				       long ret)
{
	int want = wanted(a);

	/* What this kernel has not cannot be tried; the module never says so. */
	if (ret == -ENOSYS)
		return NULL;
	if (may)
		return ret < 0 ? complain("is refused, and it may: %ld %s",
					  ret) : NULL;
	if (want == ANYHOW)
		return NULL;
	if (ret >= 0)
		return complain("is not refused: %ld %s", ret);
	if (want && ret != -want)
		return complain("is refused with another error: %ld %s", ret);
	return NULL;
}

/* Lets an attacker make an attempt, and no more.  Returns its answer. */
static inline long only_attempt(unsigned int nr)
{
	const struct attempt *a = &attempts[nr];
	long ret;

	if (!arena.is_up[a->role]) {
		ret = start_role(a->role);
		if (ret)
			return ret;
	}
	scene->loot_len = 0;
	scene->favour = NO_FAVOUR;
	arena.is_before = false;
	peer_send(&arena.peers[a->role], serve_attempt, nr, 0);
	return await_attacker(&arena.peers[a->role]);
}

/*
 * Makes an attempt.  @may: that one may do it, and it shows that it can be
 * done.  Returns NULL, or what is wrong.
 */
static inline const char *run_attempt(unsigned int nr, bool may)
{
	const struct attempt *a = &attempts[nr];
	const struct peer *p = a->role == ROLE_VICTIM ? &arena.victim :
							&arena.peers[a->role];
	const char *wrong;
	long ret;

	if (a->role != ROLE_VICTIM && !arena.is_up[a->role]) {
		ret = start_role(a->role);
		if (ret)
			return complain("has nobody to make it: %ld %s", ret);
	}
	scene->loot_len = 0;
	scene->favour = NO_FAVOUR;
	arena.watched = NR_WINDOWS;
	if (!arena.is_before)
		take_snapshot(&arena.before);
	arena.is_before = true;
	peer_send(p, serve_attempt, nr, 0);
	ret = await_attacker(p);
	if (ret == PEER_BUSY) {
		stop_role(a->role);
		return "does not end";
	}
	if (ret == PEER_DEAD) {
		stop_role(a->role);
		if (!(a->route->flags & MAY_DIE))
			return "has killed the attacker";
		ret = -EFAULT;
	}
	wrong = judge_answer(a, may, ret);
	if (!wrong)
		wrong = harm(a);
	if (a->route->flags & SPOILS)
		stop_role(a->role);
	not_here[nr] = ret == -ENOSYS;
	return wrong;
}

/* Is the route one at all?  Returns NULL, or that it is not. */
static inline const char *prove_attempt(unsigned int nr)
{
	long ret;

	if (!arena.is_up[ROLE_MEMBER]) {
		ret = start_role(ROLE_MEMBER);
		if (ret)
			return complain("has nobody to make it: %ld %s", ret);
	}
	peer_send(&arena.peers[ROLE_MEMBER], serve_proof, nr, 0);
	ret = await_attacker(&arena.peers[ROLE_MEMBER]);
	if (ret == PEER_BUSY || ret == PEER_DEAD)
		stop_role(ROLE_MEMBER);
	not_here[nr] = ret == -ENOSYS;
	if (ret == 1 || ret == -ENOSYS)
		return NULL;
	return complain("does not change the attacker's own memory: %ld %s",
			ret);
}

#endif /* SHMCHAN_ATTACK_REFEREE_H */
