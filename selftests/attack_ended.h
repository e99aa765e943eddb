/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_ENDED_H
#define SHMCHAN_ATTACK_ENDED_H

/*
 * Members that are none any more: what they still map, what they have made
 * before, and who was never one but has a member's file or mappings.
 */

#include <poll.h>

#include "attack_scene.h"

/* What was there when it was a member. */
static char *old_mapping(enum target t)
{
	return t == AT_OWN ? me.own : t == AT_OWN_CONTROL ? me.own_control :
	       me.views[t];
}

/* Refused, by a fault: or it went nowhere, which the referee sees. */
static long ended_store(const struct attempt *a)
{
	char *p = old_mapping(a->target);

	p[64] = ~p[64];
	return 0;
}

static long ended_load(const struct attempt *a)
{
	char *p = old_mapping(a->target);

	loot_memory(p, target_size(a->target));
	loot_memory(p + target_size(a->target) - 256, 256);
	return probe_read(p) ? -EFAULT : 0;
}

/* Nothing of what a page was before, either. */
static long ended_load_zeros(const struct attempt *a)
{
	char *p = old_mapping(a->target);
	size_t at, size = target_size(a->target);

	for (at = 0; at < size; at += PAGE)
		if (!all_bytes(p + at, PAGE, 0))
			return 1;
	return -EPERM;
}

static long ended_mprotect(const struct attempt *a)
{
	char *p = old_mapping(a->target);
	long ret = result(mprotect(p, target_size(a->target), RW));

	if (!ret)
		p[64] = ~p[64];
	return ret;
}

enum made_before { OWN_NONE, OWN_READ, DMABUF_OWN, DMABUF_VICTIM,
	DMABUF_OWN_AGAIN, DMABUF_VICTIM_AGAIN, DMABUF_CHILD, MINTED, MINTED_MINT,
	MINTED_PUBLISH, THE_WAIT, THE_POLL, THE_EPOLL, NEXT_HOLDER };

static long ended_made_before(const struct attempt *a)
{
	struct pollfd pfd = { .fd = me.fd, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	struct shmchan_event got[4];
	char *p = NULL;
	int status;
	pid_t pid;
	long ret;

	switch (a->route->arg) {
	case OWN_NONE:
	case OWN_READ:
		p = a->route->arg == OWN_NONE ? relics.own_none :
						relics.own_read;
		ret = result(mprotect(p, scene->folio, RW));
		if (!ret)
			p[64] = ~p[64];
		return ret;
	case DMABUF_OWN:
		p = relics.dmabuf_own_map;
		p[64] = ~p[64];
		return 0;
	case DMABUF_VICTIM:
		loot_memory(relics.dmabuf_victim_map, scene->folio);
		return probe_read(relics.dmabuf_victim_map) ? -EFAULT : 0;
	case DMABUF_OWN_AGAIN:
	case DMABUF_VICTIM_AGAIN:
		p = map(a->route->arg == DMABUF_OWN_AGAIN ? relics.dmabuf_own :
			relics.dmabuf_victim, 0, scene->folio,
			a->route->arg == DMABUF_OWN_AGAIN ? RW : PROT_READ);
		if (p == MAP_FAILED)
			return -errno;
		loot_memory(p, scene->folio);
		return 0;
	case DMABUF_CHILD:
		/* These mappings are inherited. */
		pid = fork();
		if (!pid)
			_exit(probe_write(relics.dmabuf_own_map + 64) ? 1 : 0);
		waitpid(pid, &status, 0);
		return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EFAULT;
	case MINTED:
		return join(relics.minted, SLOT_SPARE);
	case MINTED_MINT:
		return mint(relics.minted, SHMCHAN_RIGHT_MAP_READ);
	case MINTED_PUBLISH:
		return publish(relics.minted, "after", 0666,
			       SHMCHAN_RIGHT_MAP_READ);
	case THE_WAIT:
		(void)!eventually(relics.wait_result != PEER_BUSY);
		return relics.wait_result;
	case THE_POLL:
		poll(&pfd, 1, 0);
		/* It says that this is the end, and of no event. */
		return pfd.revents & POLLHUP ? -ESTALE : 1;
	case THE_EPOLL:
		ret = result(epoll_ctl(relics.epoll, EPOLL_CTL_ADD, me.fd,
				       &event));
		ret = result(read(me.fd, got, sizeof(got)));
		return ret;
	case NEXT_HOLDER:
		/* What it may still write is given to nobody else. */
		return ask(NEW_HOLDER, roles[a->role].slot);
	}
	return -ENOSYS;
}

static long ended_inherit(const struct attempt *a)
{
	char *p = old_mapping(a->target);
	int status;
	pid_t pid;

	madvise(p, target_size(a->target), MADV_DOFORK);
	pid = fork();
	if (!pid) {
		if (!probe_write(p + 64))
			_exit(0);
		_exit(probe_read(p) ? 1 : 2);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? -EFAULT : 1;
}

enum by_others { BY_SELF_MEM, BY_VM_WRITEV, BY_POPULATE, BY_DONTNEED, BY_MREMAP,
	BY_URING_REGISTER, BY_VMSPLICE, BY_FUTEX, BY_MLOCK, BY_MOVE,
	BY_REMAP_PAGES, BY_SPLIT };

/* In other ways than by a store; then by a store. */
static long ended_otherwise(const struct attempt *a)
{
	char bytes[64] = "bytes of another", *p = old_mapping(a->target), *q;
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec remote = { p + 64, sizeof(bytes) };
	size_t size = target_size(a->target);
	struct uring ring;
	void *pages[1] = { p };
	int fds[2], fd, node = 0, status = 0;
	long ret = -ENOSYS;

	switch (a->route->arg) {
	case BY_SELF_MEM:
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		ret = result(pwrite(fd, bytes, sizeof(bytes),
				    (off_t)ptr(p + 64)));
		if (pread(fd, bytes, sizeof(bytes), (off_t)ptr(p)) > 0)
			keep_loot(bytes, sizeof(bytes));
		close(fd);
		return ret;
	case BY_VM_WRITEV:
		ret = sys(SYS_process_vm_writev, getpid(), &local, 1, &remote,
			  1, 0);
		if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) > 0)
			keep_loot(bytes, sizeof(bytes));
		return ret;
	case BY_POPULATE:
		ret = result(madvise(p, size, 23));
		break;
	case BY_DONTNEED:
		ret = result(madvise(p, size, MADV_DONTNEED));
		break;
	case BY_MREMAP:
		q = mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			   mmap(NULL, size, PROT_NONE, MAP_PRIVATE |
				MAP_ANONYMOUS, -1, 0));
		if (q == MAP_FAILED)
			return -errno;
		p = q;
		ret = 0;
		break;
	case BY_URING_REGISTER:
		local.iov_base = p;
		local.iov_len = size;
		if (uring_setup(&ring))
			return -ENOSYS;
		ret = uring_register(&ring, &local, 1);
		close(ring.fd);
		break;
	case BY_VMSPLICE:
		if (pipe(fds))
			return -errno;
		local.iov_base = p;
		ret = result(vmsplice(fds[1], &local, 1, 0));
		if (ret > 0 && read(fds[0], bytes, sizeof(bytes)) > 0)
			keep_loot(bytes, sizeof(bytes));
		close(fds[0]);
		close(fds[1]);
		break;
	case BY_FUTEX: {
		struct timespec soon = { 0, 1000000 };

		/* As a word of shared memory: wait, wake. */
		ret = sys(SYS_futex, p, 0, 0, &soon, NULL, 0);
		syscall(SYS_futex, p, 1, 1, NULL, NULL, 0);
		break;
	}
	case BY_MLOCK:
		ret = result(mlock(p, size));
		munlock(p, size);
		break;
	case BY_MOVE:
		ret = sys(SYS_move_pages, 0, 1, pages, &node, &status, 2);
		break;
	case BY_REMAP_PAGES:
		ret = sys(SYS_remap_file_pages, p, PAGE, 0,
			  window_at(WINDOW_VICTIM) / PAGE, 0);
		break;
	case BY_SPLIT:
		ret = result(munmap(p, PAGE));
		if (size == PAGE)
			return ret;
		p += PAGE;
		break;
	}
	/* A fault ends it here. */
	p[64] = ~p[64];
	loot_memory(p, 256);
	return ret;
}

/* Threads that go on to write while it is ended. */
enum racing { STORES, VM_WRITES, SELF_MEM, READS_INTO, REFAULTS, REMAPS,
	NEW_MAPS };

static struct {
	volatile bool stop;
	long how;
	char *own;
} race;

static sigjmp_buf race_env;

static void race_fault(int sig)
{
	(void)sig;
	siglongjmp(race_env, 1);
}

static void race_once(unsigned char value)
{
	char bytes[64], *p = race.own, *q;
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec remote = { p + 64, sizeof(bytes) };
	int fd;

	memset(bytes, value, sizeof(bytes));
	switch (race.how) {
	case STORES:
		memset(p + 64, value, 64);
		break;
	case VM_WRITES:
		(void)!process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
		break;
	case SELF_MEM:
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		(void)!pwrite(fd, bytes, sizeof(bytes), (off_t)ptr(p + 64));
		close(fd);
		break;
	case READS_INTO:
		(void)!getrandom(p + 64, 64, 0);
		break;
	case REFAULTS:
		madvise(p, scene->folio, MADV_DONTNEED);
		memset(p + 64, value, 64);
		break;
	case REMAPS:
		mprotect(p, scene->folio, PROT_READ);
		mprotect(p, scene->folio, RW);
		memset(p + 64, value, 64);
		break;
	case NEW_MAPS:
		q = map(me.fd, target_at(AT_OWN, me.role), scene->folio, RW);
		if (q == MAP_FAILED)
			break;
		memset(q + 64, value, 64);
		munmap(q, scene->folio);
		break;
	}
}

static void *race_thread(void *arg)
{
	struct sigaction act = { .sa_handler = race_fault,
				 .sa_flags = SA_NODEFER };
	volatile unsigned char value = 0;

	(void)arg;
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	(void)!sigsetjmp(race_env, 1);
	while (!race.stop)
		race_once(++value);
	return NULL;
}

static long ended_race(const struct attempt *a)
{
	bool leaves = a->route->arg >= 100;
	pthread_t thread;
	long ret;

	race.how = a->route->arg % 100;
	race.own = me.own;
	if (pthread_create(&thread, NULL, race_thread, NULL))
		return -EAGAIN;
	usleep(20000);
	if (leaves) {
		ret = leave(me.fd);
		if (!ret)
			ret = ask(WATCH_ME, SLOT_MEMBER);
	} else {
		ret = ask(REVOKE_ME, SLOT_MEMBER);
	}
	usleep(30000);
	/* It goes on while the referee looks, and ends with the process. */
	return ret < 0 ? ret : 0;
}

#define HAS_ENDED	(IS(LEFT) | IS(REVOKED))

#define ENDED_AS(_roles, _targets, _name, _attack, _arg, _want, ...)	\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = (_roles), .targets = (_targets), .want = (_want),	\
	  __VA_ARGS__ }
#define OWN_BOTH	(ALL_OF(OWN) | ALL_OF(OWN_CONTROL))
#define MAPPED		(ALL_OF(OWN) | ALL_OF(OWN_CONTROL) |		\
			 ALL_OF(VICTIM) | ALL_OF(VICTIM_CONTROL) |	\
			 ALL_OF(VACANT) | ALL_OF(HEADER) | ALL_OF(STATUS))

static const struct route mapping_routes[] = {
	ENDED_AS(IS(LEFT), MAPPED, "store", ended_store, 0, EFAULT),
	ENDED_AS(IS(LEFT), MAPPED, "load", ended_load, 0, EFAULT),
	ENDED_AS(IS(REVOKED), OWN_BOTH, "store", ended_store, 0, ANYHOW),
	ENDED_AS(IS(REVOKED), MAPPED & ~OWN_BOTH, "store", ended_store, 0,
		 EFAULT),
	ENDED_AS(IS(REVOKED), MAPPED, "load", ended_load, 0, ANYHOW),
	ENDED_AS(IS(REVOKED), MAPPED & ~OWN_BOTH, "load-all",
		 ended_load_zeros, 0, EPERM),
	ENDED_AS(HAS_ENDED, MAPPED & ~OWN_BOTH, "mprotect", ended_mprotect, 0,
		 EACCES),
	ENDED_AS(HAS_ENDED, ALL_OF(OWN), "what-had-no-access",
		 ended_made_before, OWN_NONE, ANYHOW),
	ENDED_AS(HAS_ENDED, ALL_OF(OWN), "what-was-read-only",
		 ended_made_before, OWN_READ, ANYHOW),
	ENDED_AS(HAS_ENDED, MAPPED, "inherit", ended_inherit, 0, EFAULT),
};

#define OTHERWISE(_name, _how)						\
	ENDED_AS(HAS_ENDED, ALL_OF(OWN) | ALL_OF(OWN_CONTROL) |		\
		 ALL_OF(VICTIM) | ALL_OF(STATUS), _name, ended_otherwise,\
		 _how, ANYHOW)

static const struct route otherwise_routes[] = {
	OTHERWISE("self-mem", BY_SELF_MEM),
	OTHERWISE("process_vm_writev", BY_VM_WRITEV),
	OTHERWISE("populate", BY_POPULATE),
	OTHERWISE("dontneed", BY_DONTNEED),
	OTHERWISE("io_uring-register", BY_URING_REGISTER),
	OTHERWISE("vmsplice", BY_VMSPLICE),
	OTHERWISE("futex", BY_FUTEX),
	OTHERWISE("mlock", BY_MLOCK),
	OTHERWISE("move_pages", BY_MOVE),
	OTHERWISE("remap_file_pages", BY_REMAP_PAGES),
	ENDED_AS(HAS_ENDED, ALL_OF(OWN) | ALL_OF(VICTIM), "mremap",
		 ended_otherwise, BY_MREMAP, ANYHOW, .flags = SPOILS),
	ENDED_AS(HAS_ENDED, ALL_OF(OWN) | ALL_OF(VICTIM), "unmap-a-page",
		 ended_otherwise, BY_SPLIT, ANYHOW, .flags = SPOILS),
};

#define BEFORE(_roles, _name, _what, _want)				\
	ENDED_AS(_roles, ONLY, _name, ended_made_before, _what, _want)

static const struct route before_routes[] = {
	BEFORE(IS(REVOKED), "dma-buf-of-its-own-window", DMABUF_OWN, EFAULT),
	BEFORE(IS(REVOKED), "dma-buf-of-the-victim's", DMABUF_VICTIM, EFAULT),
	BEFORE(IS(REVOKED), "map-the-first-again", DMABUF_OWN_AGAIN, ESTALE),
	BEFORE(IS(REVOKED), "map-the-second-again", DMABUF_VICTIM_AGAIN,
	       ESTALE),
	BEFORE(IS(REVOKED), "dma-buf-in-a-child", DMABUF_CHILD, EFAULT),
	BEFORE(IS(REVOKED), "minted-joins", MINTED, ESTALE),
	BEFORE(IS(REVOKED), "minted-mints", MINTED_MINT, ESTALE),
	BEFORE(IS(REVOKED), "minted-publishes", MINTED_PUBLISH, ESTALE),
	BEFORE(HAS_ENDED, "sleep-on", THE_WAIT, ESTALE),
	BEFORE(HAS_ENDED, "poll", THE_POLL, ESTALE),
	BEFORE(HAS_ENDED, "epoll-and-read", THE_EPOLL, ESTALE),
	ENDED_AS(HAS_ENDED, ONLY, "write-the-next-holder's", ended_made_before,
		 NEXT_HOLDER, EBUSY, .flags = MAY_JOIN),
};

#define RACE(_name, _how)						\
	ENDED_AS(IS(MEMBER), ALL_OF(OWN), "revoked-" _name, ended_race,	\
		 _how, ANYHOW, .flags = SPOILS | MAY_JOIN),		\
	ENDED_AS(IS(MEMBER), ALL_OF(OWN), "leaving-" _name, ended_race,	\
		 100 + (_how), ANYHOW, .flags = SPOILS | MAY_JOIN)

static const struct route race_routes[] = {
	RACE("stores", STORES),
	RACE("process_vm_writev", VM_WRITES),
	RACE("self-mem", SELF_MEM),
	RACE("system-calls", READS_INTO),
	RACE("refaults", REFAULTS),
	RACE("mprotect", REMAPS),
	RACE("mmap", NEW_MAPS),
};

/* Who has a member's file, or its mappings, and is none. */

enum passing { PASSED_TOUCH, PASSED_LOAD, PASSED_MPROTECT, PASSED_POPULATE,
	PASSED_VM, PASSED_MEM, PASSED_VMSPLICE, PASSED_GRANDCHILD };

static long passed_mapping(const struct attempt *a)
{
	char bytes[64] = "x", *p = old_mapping(a->target);
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec remote = { p, sizeof(bytes) };
	int fds[2], status, fd;
	pid_t pid;
	long ret = -ENOSYS;

	switch (a->route->arg) {
	case PASSED_TOUCH:
		p[64] = ~p[64];
		return 0;
	case PASSED_LOAD:
		loot_memory(p, 256);
		return probe_read(p) ? -EFAULT : 0;
	case PASSED_MPROTECT:
		ret = result(mprotect(p, PAGE, RW));
		return !ret && probe_write(p + 64) ? -EFAULT : ret;
	case PASSED_POPULATE:
		return result(madvise(p, PAGE, 22));
	case PASSED_VM:
		ret = result(process_vm_readv(getpid(), &local, 1, &remote, 1,
					      0));
		if (ret > 0)
			keep_loot(bytes, ret);
		return ret;
	case PASSED_MEM:
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		ret = result(pwrite(fd, bytes, sizeof(bytes),
				    (off_t)ptr(p + 64)));
		close(fd);
		return ret;
	case PASSED_VMSPLICE:
		if (pipe(fds))
			return -errno;
		ret = result(vmsplice(fds[1], &remote, 1, 0));
		close(fds[0]);
		close(fds[1]);
		return ret;
	case PASSED_GRANDCHILD:
		madvise(p, PAGE, MADV_DOFORK);
		pid = fork();
		if (!pid)
			_exit(probe_read(p) ? 1 : 0);
		waitpid(pid, &status, 0);
		return WIFEXITED(status) && WEXITSTATUS(status) == 1 ?
		       -EFAULT : 1;
	}
	return ret;
}

enum with_file { FILE_POLL, FILE_DUP_CLOSE, FILE_CLOSE, FILE_SEND_BACK,
	FILE_SQPOLL, FILE_RING_READ, FILE_FDINFO };

static long passed_file(const struct attempt *a)
{
	struct io_uring_params params = {};
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ, .fd = me.fd, .len = 64,
	};
	struct pollfd pfd = { .fd = me.fd, .events = POLLIN | POLLOUT };
	char text[512];
	struct uring ring;
	int socks[2], fd;
	long ret;

	switch (a->route->arg) {
	case FILE_POLL:
		ret = result(poll(&pfd, 1, 0));
		keep_loot(&pfd, sizeof(pfd));
		return ret;
	case FILE_DUP_CLOSE:
		fd = dup(me.fd);
		return result(close(fd));
	case FILE_CLOSE:
		return result(close(me.fd));
	case FILE_SEND_BACK:
		/* By a socket it is the same file. */
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, socks) ||
		    send_fd(socks[0], me.fd))
			return -errno;
		fd = recv_fd(socks[1]);
		close(socks[0]);
		close(socks[1]);
		ret = map_error(fd, window_at(roles[a->role].window), PAGE, RW,
				MAP_SHARED);
		close(fd);
		return -ret;
	case FILE_SQPOLL:
		/* A thread of the kernel's reads; it has our memory. */
		params.flags = IORING_SETUP_SQPOLL;
		fd = sys(SYS_io_uring_setup, 4, &params);
		if (fd < 0)
			return -ENOSYS;
		close(fd);
		/* fall through */
	case FILE_RING_READ:
		if (uring_setup(&ring))
			return -ENOSYS;
		sqe.addr = ptr(text);
		ret = uring_try(&ring, &sqe);
		close(ring.fd);
		return ret;
	case FILE_FDINFO:
		snprintf(text, sizeof(text), "/proc/self/fdinfo/%d", me.fd);
		ret = read_text(text, text, sizeof(text));
		if (ret > 0)
			keep_loot(text, ret);
		return ret;
	}
	return -ENOSYS;
}

/* One capability, two who join with it at once. */
static void *second_join(void *arg)
{
	*(long *)arg = join(me.fd, SLOT_SPARE);
	return NULL;
}

static long join_twice(const struct attempt *a)
{
	long mine, theirs = 0;
	pthread_t thread;
	int status;
	pid_t pid;

	if (a->route->arg) {
		pid = fork();
		if (!pid) {
			mine = join(me.fd, SLOT_SPARE);
			usleep(50000);
			_exit(mine > 0);
		}
		mine = join(me.fd, SLOT_SPARE);
		waitpid(pid, &status, 0);
		theirs = WIFEXITED(status) && WEXITSTATUS(status);
	} else {
		if (pthread_create(&thread, NULL, second_join, &theirs))
			return -EAGAIN;
		mine = join(me.fd, SLOT_SPARE);
		pthread_join(thread, NULL);
		theirs = theirs > 0;
	}
	/* One of them, and no more. */
	return (mine > 0) + theirs == 1 ? -EISCONN : 1;
}

#define PASSING(_roles, _targets, _name, _attack, _arg, _want)		\
	ENDED_AS(_roles, _targets, _name, _attack, _arg, _want)
#define INHERITED	(ALL_OF(OWN) | ALL_OF(OWN_CONTROL) |		\
			 ALL_OF(VICTIM) | ALL_OF(STATUS))
#define NOT_MEMBERS	(IS(CHILD) | IS(PASSED) | IS(ORPHAN) | IS(EXECED))

static const struct route inherited_routes[] = {
	PASSING(IS(CHILD), INHERITED, "store", passed_mapping, PASSED_TOUCH,
		EFAULT),
	PASSING(IS(CHILD), INHERITED, "load", passed_mapping, PASSED_LOAD,
		EFAULT),
	PASSING(IS(CHILD), INHERITED, "mprotect", passed_mapping,
		PASSED_MPROTECT, 0),
	PASSING(IS(CHILD), INHERITED, "populate", passed_mapping,
		PASSED_POPULATE, 0),
	PASSING(IS(CHILD), INHERITED, "process_vm_readv", passed_mapping,
		PASSED_VM, EFAULT),
	PASSING(IS(CHILD), INHERITED, "self-mem", passed_mapping, PASSED_MEM,
		EIO),
	PASSING(IS(CHILD), INHERITED, "vmsplice", passed_mapping,
		PASSED_VMSPLICE, EFAULT),
	PASSING(IS(CHILD), INHERITED, "grandchild", passed_mapping,
		PASSED_GRANDCHILD, EFAULT),
};

static const struct route passed_routes[] = {
	PASSING(NOT_MEMBERS, ONLY, "poll", passed_file, FILE_POLL, ANYHOW),
	PASSING(NOT_MEMBERS, ONLY, "fdinfo", passed_file, FILE_FDINFO, ANYHOW),
	PASSING(NOT_MEMBERS, ONLY, "close-a-copy", passed_file,
		FILE_DUP_CLOSE, ANYHOW),
	PASSING(NOT_MEMBERS, ALL_OF(OWN), "send-once-more", passed_file,
		FILE_SEND_BACK, EPERM),
	PASSING(NOT_MEMBERS, ONLY, "io_uring-read", passed_file,
		FILE_RING_READ, 0),
	PASSING(NOT_MEMBERS, ONLY, "io_uring-read-polled", passed_file,
		FILE_SQPOLL, 0),
	ENDED_AS(IS(CHILD) | IS(PASSED), ONLY, "close-it", passed_file,
		 FILE_CLOSE, ANYHOW, .flags = SPOILS),
	ENDED_AS(IS(UNJOINED), ONLY, "two-threads-join", join_twice, 0,
		 EISCONN, .flags = SPOILS | MAY_JOIN),
	ENDED_AS(IS(UNJOINED), ONLY, "two-processes-join", join_twice, 1,
		 EISCONN, .flags = SPOILS | MAY_JOIN),
};

static const struct family ended_families[] = {
	FAMILY("mappings", mapping_routes,
	       "mappings that a member has kept",
	       "after LEAVE they fault; after REVOKE they are zeros, or memory "
	       "of its own"),
	FAMILY("otherwise", otherwise_routes,
	       "the same by calls of the kernel that touch, pin, move or drop "
	       "pages", "they end in the same fault"),
	FAMILY("made-before", before_routes,
	       "dma-bufs, minted capabilities, calls that sleep, polls, pins of "
	       "its own window",
	       "all of it hangs on the grant that was revoked, or on the "
	       "member; a slot whose window is pinned is given to nobody"),
	FAMILY("race", race_routes,
	       "to write while it is ended, in all the ways that there are",
	       "->fault looks under the folio lock, and who ends the member "
	       "takes that lock before it unmaps"),
};

static const struct family passing_families[] = {
	FAMILY("inherited", inherited_routes,
	       "a child's mappings, which MADV_DOFORK has made it inherit",
	       "page tables are not copied, and ->fault asks for the address "
	       "space that joined"),
	FAMILY("file", passed_routes,
	       "a member's file in another process: inherited, passed, kept "
	       "over execve, left by the dead",
	       "a member's calls are for its address space; what somebody else "
	       "does with the file does not end it; JOIN binds once"),
};

#endif /* SHMCHAN_ATTACK_ENDED_H */
