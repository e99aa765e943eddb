/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_ROLES_H
#define SHMCHAN_ATTACK_ROLES_H

/* How a process becomes the victim, or an attacker. */

#include <sys/uio.h>

#include <linux/dma-buf.h>

#include "attack_scene.h"
#include "test_uring.h"

#ifndef MADV_DOFORK
#define MADV_DOFORK	11
#endif

/* What a member has made before its end, in the hope to use it after. */
static struct {
	int pipe[2];		/* pages of the victim's window, by reference */
	int own_pipe[2];	/* of its own */
	struct uring ring;
	bool has_ring;		/* with its own window as a fixed buffer */
	int dmabuf_own;		/* writable */
	int dmabuf_victim;
	char *dmabuf_own_map;
	char *dmabuf_victim_map;
	char *own_none;		/* its own window, without any access */
	char *own_read;		/* ... read-only */
	int minted;
	pthread_t waiter;
	volatile long wait_result;
	int epoll;
} relics;

static inline void *relic_wait(void *arg)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(roles[me.role].slot),
					    target_at(AT_OWN_CONTROL, me.role) +
					    PAGE - 8, 0);

	(void)arg;
	relics.wait_result = wait_until(me.fd, &e, 1, SHMCHAN_FOREVER);
	return NULL;
}

static inline long make_relics(void)
{
	/* The page that the victim stores numbers in. */
	struct iovec victim = {
		(void *)(ptr(view(AT_VICTIM) + scene->folio / 2) & ~(PAGE - 1)),
		PAGE,
	};
	struct iovec own = { me.own, scene->folio };
	struct iovec own_page = { me.own, PAGE };
	struct shmchan_mint m = { .rights = SHMCHAN_RIGHT_MAP_READ };

	if (pipe(relics.pipe) || pipe(relics.own_pipe))
		return -errno;
	if (vmsplice(relics.pipe[1], &victim, 1, 0) < 0 ||
	    vmsplice(relics.own_pipe[1], &own_page, 1, 0) < 0)
		return -errno;
	relics.has_ring = !uring_setup(&relics.ring) &&
			  !uring_register(&relics.ring, &own, 1);
	relics.dmabuf_own = export_dmabuf(me.fd, target_at(AT_OWN, me.role),
					  scene->folio, SHMCHAN_EXPORT_WRITE);
	relics.dmabuf_victim = export_dmabuf(me.fd,
					     target_at(AT_VICTIM, me.role),
					     scene->folio, 0);
	if (relics.dmabuf_own >= 0)
		relics.dmabuf_own_map = map(relics.dmabuf_own, 0, scene->folio,
					    RW);
	if (relics.dmabuf_victim >= 0)
		relics.dmabuf_victim_map = map(relics.dmabuf_victim, 0,
					       scene->folio, PROT_READ);
	if (relics.dmabuf_own_map == MAP_FAILED ||
	    relics.dmabuf_victim_map == MAP_FAILED)
		return -errno;
	if (relics.dmabuf_own_map)
		*relics.dmabuf_own_map = 1;
	if (relics.dmabuf_victim_map)
		probe_read(relics.dmabuf_victim_map);
	relics.own_none = map(me.fd, target_at(AT_OWN, me.role), scene->folio,
			      PROT_NONE);
	relics.own_read = map(me.fd, target_at(AT_OWN, me.role), scene->folio,
			      PROT_READ);
	if (relics.own_none == MAP_FAILED || relics.own_read == MAP_FAILED)
		return -errno;
	probe_read(relics.own_read);
	relics.minted = mint_args(me.fd, &m);
	relics.epoll = epoll_create1(EPOLL_CLOEXEC);
	relics.wait_result = PEER_BUSY;
	if (pthread_create(&relics.waiter, NULL, relic_wait, NULL))
		return -EAGAIN;
	return 0;
}

/* One that came before may still be on its way out. */
static inline long join_patiently(enum slot slot)
{
	long ret;

	(void)!eventually((ret = join(me.fd, slot)) != -EBUSY);
	return ret < 0 ? ret : 0;
}

/* Joins, and maps its windows, and the victim's to read, if it may. */
static inline long settle(void)
{
	const struct role_info *r = &roles[me.role];
	static const enum target seen[] = {
		AT_VICTIM, AT_VICTIM_CONTROL, AT_NOBODY, AT_NOBODY_CONTROL,
		AT_VACANT, AT_VACANT_CONTROL, AT_COMMON, AT_HEADER, AT_STATUS,
	};
	unsigned int i;
	long ret;

	ret = join_patiently(r->slot);
	if (ret || r->window == NR_WINDOWS)
		return ret;
	me.own = map(me.fd, target_at(AT_OWN, me.role), scene->folio, RW);
	me.own_control = map(me.fd, target_at(AT_OWN_CONTROL, me.role), PAGE,
			     RW);
	if (me.own == MAP_FAILED || me.own_control == MAP_FAILED)
		return -errno;
	fill_secret(me.own, scene->folio, scene->secret[r->window]);
	memset(me.own + scene->folio / 2, 0, scene->folio / 2);
	fill_secret(me.own_control, PAGE, scene->secret[r->window]);
	memset(me.own_control + PAGE / 2, 0, PAGE / 2);
	if (me.role == ROLE_RANGE)
		return 0;
	for (i = 0; i < COUNT(seen); i++) {
		if (!view(seen[i]))
			return -errno;
		probe_read(me.views[seen[i]]);
	}
	return 0;
}

/* A new process; the old one goes on to live.  Returns in the new one. */
static inline long split_off(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid) {
		for (;;)
			pause();
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

static inline long begin_child(void)
{
	static const enum target seen[] = { AT_VICTIM, AT_COMMON, AT_STATUS };
	unsigned int i;
	long ret;

	ret = settle();
	if (ret)
		return ret;
	/* Where this is refused the mappings are not there at all. */
	madvise(me.own, scene->folio, MADV_DOFORK);
	madvise(me.own_control, PAGE, MADV_DOFORK);
	for (i = 0; i < COUNT(seen); i++)
		madvise(view(seen[i]), target_size(seen[i]), MADV_DOFORK);
	return split_off();
}

static inline long begin_passed(void)
{
	int socks[2];
	pid_t pid;
	long ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		return -errno;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ret = settle();
		if (!ret)
			send_fd(socks[1], me.fd);
		close(socks[1]);
		for (;;)
			pause();
	}
	close(socks[1]);
	close(me.fd);
	me.fd = recv_fd(socks[0]);
	close(socks[0]);
	return me.fd < 0 ? me.fd : 0;
}

static inline long begin_orphan(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(-settle());
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

/* The new program answers in place of this one. */
static inline long begin_execed(void)
{
	char numbers[7][16], *argv[10] = { "attacker", "--execed" };
	const int fds[] = {
		peer_sock, scene->given[GIVEN_SCENE], me.fd, me.dev, me.ipc,
		me.disk, me.dmabuf,
	};
	unsigned int i;
	long ret = settle();

	if (ret)
		return ret;
	for (i = 0; i < COUNT(fds); i++) {
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFD, 0);
		snprintf(numbers[i], sizeof(numbers[i]), "%d", fds[i]);
		argv[2 + i] = numbers[i];
	}
	return sys(SYS_execveat, me.exe, "", argv, environ, 0x1000);
}

/* Root of a user namespace of its own. */
static inline long become_nsroot(int flags)
{
	char map[32];
	unsigned int uid = geteuid(), gid = getegid();
	long ret = peer_unshare(CLONE_NEWUSER | flags, 0);

	if (ret)
		return ret;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	ret = write_text("/proc/self/uid_map", map);
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", gid);
	if (!ret)
		ret = write_text("/proc/self/gid_map", map);
	return ret;
}

/* In the attacker: becomes what its role says. */
static inline long begin_role(long role, long b)
{
	const struct role_info *r = &roles[role];
	long ret = 0;

	(void)b;
	me.role = role;
	me.fd = scene->given[GIVEN_CAPABILITY];
	me.ipc = scene->given[GIVEN_IPC];
	me.disk = scene->given[GIVEN_DISK];
	me.dmabuf = scene->given[GIVEN_DMABUF];
	me.exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (role == ROLE_OUTSIDER)
		ret = peer_unshare(CLONE_NEWIPC, 0);
	if (!ret)
		ret = peer_become(r->uid, r->uid);
	/* To be allowed its own files in /proc again. */
	prctl(PR_SET_DUMPABLE, 1);
	if (!ret && role == ROLE_NSROOT)
		ret = become_nsroot(CLONE_NEWNS);
	if (!ret && role == ROLE_GUEST)
		ret = become_nsroot(CLONE_NEWIPC);
	if (ret)
		return ret;
	me.dev = open_device();
	if (me.dev < 0)
		return me.dev;

	switch (role) {
	case ROLE_CHILD:
		return begin_child();
	case ROLE_PASSED:
		return begin_passed();
	case ROLE_ORPHAN:
		return begin_orphan();
	case ROLE_EXECED:
		return begin_execed();
	case ROLE_LEFT:
		ret = settle();
		if (!ret)
			ret = make_relics();
		return ret ? ret : leave(me.fd);
	case ROLE_REVOKED:
		ret = settle();
		return ret ? ret : make_relics();
	default:
		return r->standing == JOINED ? settle() : 0;
	}
}

/* In the victim. */

static pthread_t sleeper;

static inline void *victim_sleep(void *arg)
{
	uint64_t *word = (uint64_t *)(scene->victim_control +
				      (scene->word & (PAGE - 1)));
	struct shmchan_wait_elem e = elem64(-1, BELL_VICTIM, scene->word, 0);

	(void)arg;
	scene->sleeper = syscall(SYS_gettid);
	for (;;) {
		e.value = *word;
		scene->asleep = true;
		if (wait_until(me.fd, &e, 1, SHMCHAN_FOREVER) < 0)
			break;
		scene->woken++;
	}
	scene->asleep = false;
	return NULL;
}

/* In the victim: takes its place. */
static inline long begin_victim(long fd, long b)
{
	int fds[2];
	long ret;

	(void)b;
	me.role = ROLE_VICTIM;
	me.fd = fd;
	ret = peer_become(UID_VICTIM, UID_VICTIM);
	me.dev = open_device();
	if (!ret)
		ret = settle();
	if (ret)
		return ret;
	prctl(PR_SET_DUMPABLE, 0);
	scene->victim_fd = fd;
	scene->victim_own = me.own;
	scene->victim_control = me.own_control;
	scene->victim_secret = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);
	fill_secret(scene->victim_secret, PAGE, scene->own_secret);
	scene->victim_memfd = memfd_create("secret", 0);
	if (write(scene->victim_memfd, scene->victim_secret, PAGE / 2) !=
	    PAGE / 2 || pipe(fds))
		return -errno;
	scene->victim_pipe = fds[1];
	scene->word = target_at(AT_VICTIM_CONTROL, ROLE_VICTIM) + PAGE - 8;
	return pthread_create(&sleeper, NULL, victim_sleep, NULL) ? -EAGAIN : 0;
}

/* In the victim: wakes its own sleeper.  Returns how many it woke. */
static inline long victim_wake(long value, long b)
{
	(void)b;
	*(volatile uint64_t *)(me.own_control + PAGE - 8) = value;
	return ring(me.fd, BELL_VICTIM, 0);
}

/* In the victim: stores a number in the half of its window that is zero. */
static inline long victim_store(long value, long b)
{
	(void)b;
	*(volatile uint32_t *)(me.own + scene->folio / 2 + 64) = value;
	return 0;
}

/* In the victim: wakes one who waits for its word as a futex. */
static inline long victim_wake_futex(long a, long b)
{
	(void)a;
	(void)b;
	return sys(SYS_futex, me.own + scene->folio / 2 + 64, 1, 1, NULL, NULL,
		   0);
}

/* In the victim: its window as it was at first. */
static inline long victim_mend(long a, long b)
{
	(void)a;
	(void)b;
	fill_secret(me.own, scene->folio, scene->secret[WINDOW_VICTIM]);
	memset(me.own + scene->folio / 2, 0, scene->folio / 2);
	return 0;
}

static inline long victim_dumpable(long is, long b)
{
	(void)b;
	return prctl(PR_SET_DUMPABLE, is) ? -errno : 0;
}

#endif /* SHMCHAN_ATTACK_ROLES_H */
