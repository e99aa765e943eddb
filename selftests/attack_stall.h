/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_STALL_H
#define SHMCHAN_ATTACK_STALL_H

/*
 * To hold others up: by what is counted, by floods, and by calls of the module
 * that are made to sleep where they touch the caller's memory.  In the midst of
 * it the referee asks the victim, and others, to go on.
 */

#include <poll.h>

#include "attack_scene.h"

/* What others can do decides. */
static long others_live_on(void)
{
	return ask(LIVE_ON, 0) ? 1 : -EPERM;
}

/* Floods. */

enum flooding { RINGS_AT_VICTIM, RINGS_OF_ONE, RINGS_OF_SETS, REFUSED_CALLS,
	JOINS, MINTED_MANY, NAMES_MANY, REGIONS_MANY, RUNS_MANY,
	MAPPINGS_MANY, DMABUFS_MANY, POLLERS };

static long flood_rings(long how)
{
	uint32_t set[SHMCHAN_MAX_ELEMS];
	struct shmchan_ring r = {
		.size = sizeof(r), .flags = SHMCHAN_RING_SET,
		.doorbells = ptr(set), .nr_doorbells = COUNT(set),
	};
	unsigned int i;
	long ret = 0;

	for (i = 0; i < COUNT(set); i++)
		set[i] = i % 2 ? BELL_VICTIM : BELL_COMMON;
	for (i = 0; i < 500 && ret >= 0; i++)
		ret = how == RINGS_OF_SETS ?
		      call(me.fd, SHMCHAN_IOC_RING, &r) :
		      ring(me.fd, BELL_VICTIM, how == RINGS_OF_ONE);
	return ret < 0 ? ret : others_live_on();
}

static long flood_refused(void)
{
	struct shmchan_wait_elem e = loud(BELL_VICTIM, scene->word);
	unsigned int i;

	for (i = 0; i < 500; i++) {
		wait_until(me.fd, &e, 1, 1);
		leave(me.dev);
		ring(me.fd, SHMCHAN_DOORBELL_MEMBERS, 0);
		set_mode(me.fd, 0666);
	}
	return others_live_on();
}

/* By who may mint: members that come and go. */
static long flood_joins(void)
{
	unsigned int i;
	long ret = 0;
	int fd;

	for (i = 0; i < 50 && ret >= 0; i++) {
		fd = mint(me.fd, SHMCHAN_RIGHT_PUBLISH);
		ret = fd < 0 ? fd : join(fd, SHMCHAN_SLOT_ANY);
		if (fd >= 0)
			close(fd);
	}
	return ret < 0 ? ret : others_live_on();
}

/*
 * As many files as it can have.  Of contiguous memory there may be none: nobody
 * is promised that.  Then there are no regions to stall others with, only the
 * attempt.
 */
static long flood_files(long how)
{
	static int fds[900];
	char name[32];
	unsigned int i, nr = 0;
	long ret;

	for (i = 0; i < COUNT(fds); i++) {
		switch (how) {
		case MINTED_MANY:
			fds[nr] = mint(me.fd, SHMCHAN_RIGHT_PUBLISH);
			break;
		case NAMES_MANY:
			snprintf(name, sizeof(name), "flood-%d-%u", getpid(),
				 i);
			fds[nr] = own_region(name, 0600);
			break;
		case REGIONS_MANY:
			fds[nr] = create_shared(HUGE, 0);
			break;
		case RUNS_MANY:
			fds[nr] = create_shared(2 * HUGE,
						SHMCHAN_CREATE_CONTIG);
			break;
		default:
			fds[nr] = export_dmabuf(me.fd, target_at(AT_OWN,
						me.role), PAGE,
						SHMCHAN_EXPORT_WRITE);
			break;
		}
		if (fds[nr] < 0)
			break;
		nr++;
	}
	ret = nr || (how == RUNS_MANY && fds[nr] == -ENOMEM) ?
	      others_live_on() : fds[nr];
	while (nr--)
		close(fds[nr]);
	return ret;
}

/* A page of the victim's window, mapped many times: nothing merges. */
static long flood_mappings(void)
{
	static char *maps[3000];
	unsigned int i, nr = 0;
	long ret;

	for (i = 0; i < COUNT(maps); i++) {
		maps[nr] = map(me.fd, window_at(i % 2 ? WINDOW_VICTIM :
						WINDOW_VACANT), PAGE,
			       PROT_READ);
		if (maps[nr] == MAP_FAILED)
			break;
		probe_read(maps[nr++]);
	}
	ret = others_live_on();
	while (nr--)
		munmap(maps[nr], PAGE);
	return ret;
}

/*
 * Its file, polled by very many, of a doorbell that others have to ring.  What
 * a ring costs may be a few times as much, but does not grow with them.
 */
static long flood_pollers(void)
{
	struct rlimit files = { 4096, 4096 };
	struct epoll_event event = { .events = EPOLLIN };
	int epolls[100], copies[200];
	unsigned int i, j, nr = 0;
	long before, after;

	setrlimit(RLIMIT_NOFILE, &files);
	subscribe(me.fd, BELL_COMMON, 0);
	before = ask(TIME_RING, BELL_COMMON);
	for (i = 0; i < COUNT(copies); i++)
		copies[i] = dup(me.fd);
	for (i = 0; i < COUNT(epolls); i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		for (j = 0; j < COUNT(copies); j++)
			nr += !epoll_ctl(epolls[i], EPOLL_CTL_ADD, copies[j],
					 &event);
	}
	after = ask(TIME_RING, BELL_COMMON);
	for (i = 0; i < COUNT(epolls); i++)
		close(epolls[i]);
	for (i = 0; i < COUNT(copies); i++)
		close(copies[i]);
	subscribe(me.fd, BELL_COMMON, SHMCHAN_SUBSCRIBE_END);
	if (nr < 10000)
		return -ENOSYS;
	return after > 100 * before ? 1 : -EPERM;
}

static long stall_flood(const struct attempt *a)
{
	switch (a->route->arg) {
	case RINGS_AT_VICTIM:
	case RINGS_OF_ONE:
	case RINGS_OF_SETS:
		return flood_rings(a->route->arg);
	case REFUSED_CALLS:
		return flood_refused();
	case JOINS:
		return flood_joins();
	case MAPPINGS_MANY:
		return flood_mappings();
	case POLLERS:
		return flood_pollers();
	default:
		return flood_files(a->route->arg);
	}
}

/* Places of which there are not many. */

static void *full_wait(void *arg)
{
	struct shmchan_wait_elem e[SHMCHAN_MAX_ELEMS];
	unsigned int i;

	for (i = 0; i < COUNT(e); i++)
		/* Different words, all of them quiet. */
		e[i] = elem64(-1, BELL_COMMON, window_at(WINDOW_NOBODY) + 8 * i,
			      0);
	*(long *)arg = wait_until(me.fd, e, COUNT(e), SHMCHAN_FOREVER);
	return NULL;
}

/* As many conditions on the shared doorbell as it gets. */
static long stall_waits(const struct attempt *a)
{
	static long results[6];
	unsigned int i;
	pthread_t thread;

	(void)a;
	for (i = 0; i < COUNT(results); i++) {
		results[i] = PEER_BUSY;
		if (pthread_create(&thread, NULL, full_wait, &results[i]))
			return -EAGAIN;
		usleep(10000);
	}
	/* It gets no more than its share. */
	for (i = 0; i < COUNT(results); i++)
		if (results[i] == -EUSERS)
			return others_live_on();
	return 1;
}

static long stall_subscriptions(const struct attempt *a)
{
	unsigned int i, nr = 0;
	long ret;

	(void)a;
	for (i = 0; i < BELL_BEYOND; i++)
		nr += !subscribe(me.fd, i, 0);
	for (i = 0; i < BELL_BEYOND; i++)
		arm(me.fd, i, NULL, 0, 0);
	ret = nr <= 3 ? others_live_on() : 1;
	for (i = 0; i < BELL_BEYOND; i++)
		subscribe(me.fd, i, SHMCHAN_SUBSCRIBE_END);
	return ret;
}

/* Each of its rings signals as many as one can have. */
static long stall_eventfds(const struct attempt *a)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };
	unsigned int i, nr = 0;
	int sets[500];
	long ret;

	(void)a;
	for (i = 0; i < COUNT(sets); i++) {
		sets[i] = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(sets[i], EPOLL_CTL_ADD, efd, &e);
	}
	for (i = 0; i < BELL_BEYOND; i++)
		nr += !bind_eventfd(me.fd, i, efd);
	ret = nr <= 3 ? others_live_on() : 1;
	for (i = 0; i < BELL_BEYOND; i++)
		unbind_eventfd(me.fd, i);
	for (i = 0; i < COUNT(sets); i++)
		close(sets[i]);
	close(efd);
	return ret;
}

/* Stopped, or dead, in the midst of it. */

enum stopping { STOPPED, STOPPED_IN_WAIT, STOPPED_AND_REVOKED };

static void *wait_for_ever(void *arg)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_COMMON,
					    window_at(WINDOW_NOBODY), 0);

	(void)arg;
	wait_until(me.fd, &e, 1, SHMCHAN_FOREVER);
	return NULL;
}

static bool is_stopped(pid_t pid)
{
	char path[32], text[256], *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_text(path, text, sizeof(text)) < 0)
		return false;
	state = strrchr(text, ')');
	return state && state[2] == 'T';
}

/* A child asks in its place, and lets it go on. */
static long stall_stopped(const struct attempt *a)
{
	pid_t parent = getpid(), pid;
	pthread_t thread;
	int status;
	long ret;

	if (a->route->arg == STOPPED_IN_WAIT &&
	    pthread_create(&thread, NULL, wait_for_ever, NULL))
		return -EAGAIN;
	usleep(10000);
	pid = fork();
	if (!pid) {
		(void)!eventually(is_stopped(parent));
		ret = a->route->arg == STOPPED_AND_REVOKED ?
		      ask(REVOKE_ME, SLOT_MEMBER) : 0;
		if (ret >= 0)
			ret = ask(LIVE_ON, 0);
		kill(parent, SIGCONT);
		_exit(ret ? 1 : 0);
	}
	raise(SIGSTOP);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? -EPERM : 1;
}

/* Its file is in a socket that is in itself; then it dies. */
static long stall_in_flight(const struct attempt *a)
{
	int socks[2], status;
	pid_t pid = fork();
	long ret;

	(void)a;
	if (!pid) {
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, socks) ||
		    join(me.fd, SLOT_SPARE) < 0)
			_exit(1);
		send_fd(socks[0], me.fd);
		send_fd(socks[0], socks[0]);
		send_fd(socks[1], socks[1]);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return -ECHILD;
	/* The slot is free for the next one. */
	ret = ask(NEW_HOLDER, SLOT_SPARE);
	return ret > 0 ? -EPERM : 1;
}

/* Calls that sleep on the caller's memory: others' are not behind them. */

enum sleeping {
	AT_QUERY, AT_QUERY_WINDOWS, AT_QUERY_BELLS, AT_LIST, AT_LIST_ENTRIES,
	AT_USERS, AT_USERS_ENTRIES, AT_DEVICE, AT_EXTENTS, AT_EXTENTS_ARRAY,
	AT_INFO, AT_RING, AT_RING_SET, AT_WAIT, AT_WAIT_ELEMS, AT_ARM_ELEMS,
	AT_EXPORT, AT_READ, AT_MINT, AT_MINT_SELF, AT_PUBLISH_NAME, AT_WITHDRAW,
	AT_REVOKE, AT_OPEN_NAME, AT_OPEN, AT_OPEN_JOIN, AT_CREATE_NAME,
	AT_CREATE_HEADER, AT_CREATE_WINDOWS, AT_CREATE_BELLS, AT_CREATE_SLOTS,
	AT_CREATE, AT_CREATE_JOIN, AT_JOIN, AT_SIZE,
};

static struct {
	long how;
	char *arg;		/* a page that can be slow */
	char *array;		/* another */
	const char *name;
	volatile long ret;
} slow;

static void *slow_call(void *unused)
{
	union abi {
		struct shmchan_query query;
		struct shmchan_list list;
		struct shmchan_list_users users;
		struct shmchan_query_device device;
		struct shmchan_extents extents;
		struct shmchan_member_info info;
		struct shmchan_ring ring;
		struct shmchan_wait wait;
		struct shmchan_arm arm;
		struct shmchan_export_dmabuf export;
		struct shmchan_mint mint;
		struct shmchan_publish publish;
		struct shmchan_withdraw withdraw;
		struct shmchan_revoke revoke;
		struct shmchan_open open;
		struct shmchan_create create;
		struct shmchan_join join;
		struct shmchan_leave leave;
	};
	static const unsigned long calls[] = {
		[AT_QUERY] = SHMCHAN_IOC_QUERY,
		[AT_QUERY_WINDOWS] = SHMCHAN_IOC_QUERY,
		[AT_QUERY_BELLS] = SHMCHAN_IOC_QUERY,
		[AT_LIST] = SHMCHAN_IOC_LIST,
		[AT_LIST_ENTRIES] = SHMCHAN_IOC_LIST,
		[AT_USERS] = SHMCHAN_IOC_LIST_USERS,
		[AT_USERS_ENTRIES] = SHMCHAN_IOC_LIST_USERS,
		[AT_DEVICE] = SHMCHAN_IOC_QUERY_DEVICE,
		[AT_EXTENTS] = SHMCHAN_IOC_EXTENTS,
		[AT_EXTENTS_ARRAY] = SHMCHAN_IOC_EXTENTS,
		[AT_INFO] = SHMCHAN_IOC_MEMBER_INFO,
		[AT_RING] = SHMCHAN_IOC_RING,
		[AT_RING_SET] = SHMCHAN_IOC_RING,
		[AT_WAIT] = SHMCHAN_IOC_WAIT,
		[AT_WAIT_ELEMS] = SHMCHAN_IOC_WAIT,
		[AT_ARM_ELEMS] = SHMCHAN_IOC_ARM,
		[AT_EXPORT] = SHMCHAN_IOC_EXPORT_DMABUF,
		[AT_READ] = 0,
		[AT_MINT] = SHMCHAN_IOC_MINT,
		[AT_MINT_SELF] = SHMCHAN_IOC_MINT,
		[AT_PUBLISH_NAME] = SHMCHAN_IOC_PUBLISH,
		[AT_WITHDRAW] = SHMCHAN_IOC_WITHDRAW,
		[AT_REVOKE] = SHMCHAN_IOC_REVOKE,
		[AT_OPEN_NAME] = SHMCHAN_IOC_OPEN,
		[AT_OPEN] = SHMCHAN_IOC_OPEN,
		[AT_OPEN_JOIN] = SHMCHAN_IOC_OPEN,
		[AT_CREATE_NAME] = SHMCHAN_IOC_CREATE,
		[AT_CREATE_HEADER] = SHMCHAN_IOC_CREATE,
		[AT_CREATE_WINDOWS] = SHMCHAN_IOC_CREATE,
		[AT_CREATE_BELLS] = SHMCHAN_IOC_CREATE,
		[AT_CREATE_SLOTS] = SHMCHAN_IOC_CREATE,
		[AT_CREATE] = SHMCHAN_IOC_CREATE,
		[AT_CREATE_JOIN] = SHMCHAN_IOC_CREATE,
		[AT_JOIN] = SHMCHAN_IOC_JOIN,
		[AT_SIZE] = SHMCHAN_IOC_QUERY,
	};
	unsigned long cmd = calls[slow.how];
	bool on_device = _IOC_NR(cmd) < SHMCHAN_CMD_QUERY;

	(void)unused;
	if (slow.how == AT_READ)
		slow.ret = result(read(me.fd, slow.arg,
				       sizeof(struct shmchan_event)));
	else
		slow.ret = call(on_device ? me.dev : me.fd, cmd, slow.arg);
	return NULL;
}

/* Is it to sleep at its argument's answer, or at an array? */
static bool slow_fill(void)
{
	uint64_t array = ptr(slow.array);
	struct layout mine = layout_default(SHMCHAN_CREATE_SMALL, true);
	char own_region_name[32];
	struct shmchan_wait_elem e = loud(BELL_COMMON, scene->status);
	uint32_t set[1] = { BELL_COMMON };

	switch (slow.how) {
	case AT_QUERY:
	case AT_QUERY_WINDOWS:
	case AT_QUERY_BELLS: {
		struct shmchan_query *q = (void *)slow.arg;

		q->size = sizeof(*q);
		if (slow.how == AT_QUERY)
			return false;
		q->nr_windows = 4;
		q->room_doorbells = 4;
		if (slow.how == AT_QUERY_WINDOWS)
			q->windows = array;
		else
			q->doorbells = array;
		return true;
	}
	case AT_LIST:
	case AT_LIST_ENTRIES: {
		struct shmchan_list *l = (void *)slow.arg;

		*l = (struct shmchan_list) {
			.size = sizeof(*l), .nr_entries = 1, .entries = array,
			.entry_size = sizeof(struct shmchan_list_entry),
		};
		return slow.how == AT_LIST_ENTRIES;
	}
	case AT_USERS:
	case AT_USERS_ENTRIES: {
		struct shmchan_list_users *u = (void *)slow.arg;

		*u = (struct shmchan_list_users) {
			.size = sizeof(*u), .nr_entries = 1, .entries = array,
			.entry_size = sizeof(struct shmchan_user_entry),
		};
		return slow.how == AT_USERS_ENTRIES;
	}
	case AT_DEVICE:
		*(uint32_t *)slow.arg = sizeof(struct shmchan_query_device);
		return false;
	case AT_EXTENTS:
	case AT_EXTENTS_ARRAY: {
		struct shmchan_extents *x = (void *)slow.arg;

		*x = (struct shmchan_extents) {
			.size = sizeof(*x), .nr_extents = 1, .extents = array,
			.extent_size = sizeof(struct shmchan_extent),
		};
		return slow.how == AT_EXTENTS_ARRAY;
	}
	case AT_INFO:
		*(struct shmchan_member_info *)slow.arg =
			(struct shmchan_member_info) {
			.size = sizeof(struct shmchan_member_info),
		};
		return false;
	case AT_RING:
	case AT_RING_SET: {
		struct shmchan_ring *r = (void *)slow.arg;

		*r = (struct shmchan_ring) { .size = sizeof(*r) };
		if (slow.how == AT_RING) {
			r->doorbell = BELL_COMMON;
			return false;
		}
		memcpy(slow.array, set, sizeof(set));
		r->flags = SHMCHAN_RING_SET;
		r->doorbells = array;
		r->nr_doorbells = 1;
		return true;
	}
	case AT_WAIT:
	case AT_WAIT_ELEMS: {
		struct shmchan_wait *w = (void *)slow.arg;

		memcpy(slow.array, &e, sizeof(e));
		*w = (struct shmchan_wait) {
			.size = sizeof(*w), .elems = array, .nr_elems = 1,
			.clockid = CLOCK_MONOTONIC,
			.deadline = SHMCHAN_FOREVER,
		};
		return slow.how == AT_WAIT_ELEMS;
	}
	case AT_ARM_ELEMS: {
		struct shmchan_arm *x = (void *)slow.arg;

		memcpy(slow.array, &e, sizeof(e));
		*x = (struct shmchan_arm) {
			.size = sizeof(*x), .doorbell = BELL_COMMON,
			.nr_elems = 1, .elems = array,
		};
		return true;
	}
	case AT_EXPORT:
		*(struct shmchan_export_dmabuf *)slow.arg =
			(struct shmchan_export_dmabuf) {
			.size = sizeof(struct shmchan_export_dmabuf),
			.offset = target_at(AT_OWN, me.role), .length = PAGE,
		};
		return false;
	case AT_READ:
		subscribe(me.fd, BELL_COMMON, 0);
		ring(me.fd, BELL_COMMON, 0);
		return false;
	case AT_MINT:
	case AT_MINT_SELF:
		*(struct shmchan_mint *)slow.arg = (struct shmchan_mint) {
			.size = sizeof(struct shmchan_mint),
			.flags = slow.how == AT_MINT_SELF ? SHMCHAN_MINT_SELF :
							    0,
			.rights = slow.how == AT_MINT_SELF ?
				  SHMCHAN_RIGHT_MAP_READ :
				  SHMCHAN_RIGHT_PUBLISH,
		};
		return false;
	case AT_PUBLISH_NAME:
		strcpy(slow.array, "slowly");
		*(struct shmchan_publish *)slow.arg = (struct shmchan_publish) {
			.size = sizeof(struct shmchan_publish), .name = array,
			/* Which is refused: it is to leave nothing. */
			.name_len = 6, .rights = SHMCHAN_RIGHT_ALL,
		};
		return true;
	case AT_WITHDRAW:
		*(struct shmchan_withdraw *)slow.arg =
			(struct shmchan_withdraw) {
			.size = sizeof(struct shmchan_withdraw),
			.flags = SHMCHAN_WITHDRAW_PUBLISHED,
		};
		return false;
	case AT_REVOKE:
		*(struct shmchan_revoke *)slow.arg = (struct shmchan_revoke) {
			.size = sizeof(struct shmchan_revoke),
			.flags = SHMCHAN_REVOKE_UID, .uid = 4242,
		};
		return false;
	case AT_OPEN_NAME:
	case AT_OPEN:
	case AT_OPEN_JOIN:
		strcpy(slow.array, scene->name);
		*(struct shmchan_open *)slow.arg = (struct shmchan_open) {
			.size = sizeof(struct shmchan_open), .name = array,
			.name_len = strlen(scene->name),
			.rights = SHMCHAN_RIGHT_MAP_READ,
			.flags = slow.how == AT_OPEN_JOIN ? SHMCHAN_OPEN_JOIN :
							    0,
			.join_slot = slow.how == AT_OPEN_JOIN ? SLOT_SPARE : 0,
		};
		return slow.how == AT_OPEN_NAME;
	case AT_JOIN:
		*(struct shmchan_join *)slow.arg = (struct shmchan_join) {
			.size = sizeof(struct shmchan_join), .slot = SLOT_SPARE,
		};
		return false;
	case AT_SIZE:
		/* The argument itself is not there yet. */
		*(uint32_t *)slow.array = sizeof(struct shmchan_query);
		slow.arg = slow.array;
		return true;
	default: {
		struct shmchan_create *c = (void *)slow.arg;

		snprintf(own_region_name, sizeof(own_region_name), "slow-%d",
			 getpid());
		mine.name = own_region_name;
		*c = create_args(&mine);
		/* Everything that it points to, in the first page. */
		memcpy(slow.arg + 512, mine.windows, sizeof(mine.windows));
		memcpy(slow.arg + 1536, mine.bells, sizeof(mine.bells));
		memcpy(slow.arg + 2048, mine.name, sizeof(own_region_name));
		c->windows = ptr(slow.arg + 512);
		c->doorbells = ptr(slow.arg + 1536);
		c->name = ptr(slow.arg + 2048);
		if (slow.how == AT_CREATE)
			return false;
		if (slow.how == AT_CREATE_JOIN) {
			c->flags |= SHMCHAN_CREATE_JOIN;
			return false;
		}
		memset(slow.array, 0, PAGE);
		switch (slow.how) {
		case AT_CREATE_NAME:
			memcpy(slow.array, mine.name, c->name_len);
			c->name = array;
			break;
		case AT_CREATE_HEADER:
			c->header = array;
			c->header_len = PAGE;
			break;
		case AT_CREATE_WINDOWS:
			memcpy(slow.array, mine.windows, sizeof(mine.windows));
			c->windows = array;
			break;
		case AT_CREATE_BELLS:
			memcpy(slow.array, mine.bells, sizeof(mine.bells));
			c->doorbells = array;
			break;
		case AT_CREATE_SLOTS:
			c->slots = array;
			break;
		}
		return true;
	}
	}
}

static int full_uffd(void)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	/* The scene lets everybody have one that stops the kernel, too. */
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return -ENOSYS;
	return fd;
}

static long set_wp(int uffd, char *p, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { ptr(p), PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return result(ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
}

static long stall_slow(const struct attempt *a)
{
	static char there[2 * PAGE], *page;
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = { .range = { ptr(p), PAGE } };
	struct uffdio_copy copy = { .dst = ptr(p), .len = PAGE };
	int uffd = full_uffd();
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;
	pthread_t thread;
	bool missing, slept;
	long ret, others;

	if (uffd < 0)
		return uffd;
	madvise(p, 2 * PAGE, MADV_NOHUGEPAGE);
	page = (char *)((ptr(there) + PAGE - 1) & ~(PAGE - 1));
	memset(p, 0, 2 * PAGE);
	slow.how = a->route->arg;
	slow.ret = PEER_BUSY;
	slow.arg = p;
	slow.array = p + PAGE;
	missing = slow_fill();
	if (missing) {
		/* What it reads, or writes, is in a page that is not there. */
		memcpy(page, slow.array, PAGE);
		munmap(p + PAGE, PAGE);
		mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		     MAP_FIXED, -1, 0);
		reg.range.start += PAGE;
		copy.dst += PAGE;
		copy.src = ptr(page);
		reg.mode = UFFDIO_REGISTER_MODE_MISSING;
		ret = result(ioctl(uffd, UFFDIO_REGISTER, &reg));
	} else {
		/* What it answers goes to a page that cannot be written. */
		reg.mode = UFFDIO_REGISTER_MODE_WP;
		ret = result(ioctl(uffd, UFFDIO_REGISTER, &reg));
		if (!ret)
			ret = set_wp(uffd, p, true);
	}
	if (ret)
		return -ENOSYS;
	if (pthread_create(&thread, NULL, slow_call, NULL))
		return -EAGAIN;
	slept = poll(&pfd, 1, PATIENCE_MS) == 1 &&
		read(uffd, &msg, sizeof(msg)) == sizeof(msg);
	others = slept ? others_live_on() : 2;
	if (missing)
		ioctl(uffd, UFFDIO_COPY, &copy);
	else
		set_wp(uffd, p, false);
	pthread_join(thread, NULL);
	close(uffd);
	if (slow.how == AT_READ)
		subscribe(me.fd, BELL_COMMON, SHMCHAN_SUBSCRIBE_END);
	if (!slow.ret && slow.how >= AT_CREATE_NAME && slow.how < AT_JOIN)
		close(((struct shmchan_create *)p)->fd);
	munmap(p, 2 * PAGE);
	return others;
}

#define STALL_BY(_roles, _name, _attack, _arg, _flags)			\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = (_roles), .targets = ONLY, .want = EPERM,		\
	  .flags = (_flags) }
#define FLOOD(_roles, _name, _arg)					\
	STALL_BY(_roles, _name, stall_flood, _arg, MAY_JOIN)

static const struct route flood_routes[] = {
	FLOOD(IS(MEMBER) | IS(RINGER), "rings", RINGS_AT_VICTIM),
	FLOOD(IS(MEMBER) | IS(RINGER), "rings-for-one", RINGS_OF_ONE),
	FLOOD(IS(MEMBER) | IS(RINGER), "rings-of-sets", RINGS_OF_SETS),
	FLOOD(IS(MEMBER) | IS(READER), "refused-calls", REFUSED_CALLS),
	FLOOD(IS(PUBLISHER), "joins", JOINS),
	FLOOD(IS(PUBLISHER), "minted", MINTED_MANY),
	FLOOD(IS(STRANGER) | IS(NSROOT), "names", NAMES_MANY),
	FLOOD(IS(STRANGER) | IS(NSROOT), "regions", REGIONS_MANY),
	FLOOD(IS(STRANGER) | IS(NSROOT), "contiguous-regions", RUNS_MANY),
	FLOOD(IS(MEMBER), "mappings", MAPPINGS_MANY),
	FLOOD(IS(MEMBER), "dma-bufs", DMABUFS_MANY),
	FLOOD(IS(MEMBER), "pollers", POLLERS),
};

static const struct route place_routes[] = {
	STALL_BY(IS(MEMBER) | IS(GUEST), "waits", stall_waits, 0, SPOILS),
	STALL_BY(IS(MEMBER) | IS(GUEST), "subscriptions", stall_subscriptions,
		 0, SPOILS),
	STALL_BY(IS(MEMBER) | IS(GUEST), "eventfds", stall_eventfds, 0,
		 SPOILS),
};

static const struct route stopped_routes[] = {
	STALL_BY(IS(MEMBER), "stopped", stall_stopped, STOPPED, SPOILS),
	STALL_BY(IS(MEMBER), "stopped-in-wait", stall_stopped,
		 STOPPED_IN_WAIT, SPOILS),
	STALL_BY(IS(MEMBER), "stopped-and-revoked", stall_stopped,
		 STOPPED_AND_REVOKED, SPOILS | MAY_JOIN),
	STALL_BY(IS(UNJOINED), "file-in-flight", stall_in_flight, 0,
		 SPOILS | MAY_JOIN),
};

#define SLOW(_roles, _name, _how)					\
	STALL_BY(_roles, _name, stall_slow, _how, MAY_JOIN)

static const struct route slow_routes[] = {
	SLOW(IS(MEMBER), "query", AT_QUERY),
	SLOW(IS(MEMBER), "query-windows", AT_QUERY_WINDOWS),
	SLOW(IS(MEMBER), "query-doorbells", AT_QUERY_BELLS),
	SLOW(IS(MEMBER), "size", AT_SIZE),
	SLOW(IS(STRANGER), "list", AT_LIST),
	SLOW(IS(STRANGER), "list-entries", AT_LIST_ENTRIES),
	SLOW(IS(STRANGER), "list-users", AT_USERS),
	SLOW(IS(SAMEUID), "list-users-entries", AT_USERS_ENTRIES),
	SLOW(IS(STRANGER), "query-device", AT_DEVICE),
	SLOW(IS(MEMBER), "extents", AT_EXTENTS),
	SLOW(IS(MEMBER), "extents-array", AT_EXTENTS_ARRAY),
	SLOW(IS(MEMBER), "member-info", AT_INFO),
	SLOW(IS(MEMBER), "ring", AT_RING),
	SLOW(IS(MEMBER), "ring-set", AT_RING_SET),
	SLOW(IS(MEMBER), "wait", AT_WAIT),
	SLOW(IS(MEMBER), "wait-elements", AT_WAIT_ELEMS),
	SLOW(IS(MEMBER), "arm-elements", AT_ARM_ELEMS),
	SLOW(IS(MEMBER), "export", AT_EXPORT),
	SLOW(IS(MEMBER), "read", AT_READ),
	SLOW(IS(PUBLISHER), "mint", AT_MINT),
	STALL_BY(IS(UNJOINED), "mint-self", stall_slow, AT_MINT_SELF, SPOILS),
	SLOW(IS(PUBLISHER), "publish-name", AT_PUBLISH_NAME),
	SLOW(IS(ADMIN), "withdraw", AT_WITHDRAW),
	SLOW(IS(ADMIN), "revoke", AT_REVOKE),
	SLOW(IS(STRANGER), "open-name", AT_OPEN_NAME),
	STALL_BY(IS(SAMEUID), "open", stall_slow, AT_OPEN, SPOILS | MAY_JOIN),
	STALL_BY(IS(SAMEUID), "open-and-join", stall_slow, AT_OPEN_JOIN,
		 SPOILS | MAY_JOIN),
	SLOW(IS(STRANGER), "create-name", AT_CREATE_NAME),
	SLOW(IS(STRANGER), "create-header", AT_CREATE_HEADER),
	SLOW(IS(STRANGER), "create-windows", AT_CREATE_WINDOWS),
	SLOW(IS(STRANGER), "create-doorbells", AT_CREATE_BELLS),
	SLOW(IS(STRANGER), "create-slots", AT_CREATE_SLOTS),
	SLOW(IS(STRANGER), "create", AT_CREATE),
	SLOW(IS(STRANGER), "create-and-join", AT_CREATE_JOIN),
	STALL_BY(IS(UNJOINED), "join", stall_slow, AT_JOIN, SPOILS | MAY_JOIN),
};

static const struct family stall_families[] = {
	FAMILY("flood", flood_routes,
	       "to take what there is, or the time of others, by doing very "
	       "much of what one may",
	       "a ring evaluates the sleeper's own condition and wakes nobody "
	       "without it; memory counts for the user who has it; names and "
	       "slots are looked up in trees and by number"),
	FAMILY("places", place_routes,
	       "to take all places in the queues that all share",
	       "each member has its own share of a shared doorbell, and no "
	       "place on another's"),
	FAMILY("stopped", stopped_routes,
	       "to stop, or die, where others would have to wait for it",
	       "nobody waits for a member; what is revoked is unmapped by who "
	       "revokes"),
	FAMILY("slow", slow_routes,
	       "to let the module's own calls sleep in page faults that last "
	       "for ever",
	       "no lock that is another's as well is held where the caller's "
	       "memory is touched"),
};

#endif /* SHMCHAN_ATTACK_STALL_H */
