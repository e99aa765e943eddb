/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_COPIES_H
#define SHMCHAN_ATTACK_COPIES_H

/*
 * The kernel as the hand that writes: every system call with an answer, given
 * a place that the caller may only read.  Each is done first on the caller's own
 * window, where it has to change something.
 */

#include <arpa/inet.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/stat.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/utsname.h>

#include "attack_scene.h"
#include "test_uring.h"

/* Where it is to write. */
static char *at(const struct attempt *a)
{
	if (a->target == AT_OWN)
		return aim(a, me.own);
	if (a->target == AT_OWN_CONTROL)
		return aim(a, me.own_control);
	return aim(a, view(a->target));
}

/* A file with something in it, read from the start. */
static int something(void)
{
	static char bytes[PAGE];
	int fd = memfd_create("something", MFD_CLOEXEC);

	memset(bytes, 's', sizeof(bytes));
	(void)!write(fd, bytes, sizeof(bytes));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int full_pipe(int fds[2])
{
	static const char bytes[64] = "pipe pipe pipe pipe pipe";

	if (pipe(fds))
		return -errno;
	return write(fds[1], bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : -EIO;
}

static void close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static long copy_read(const struct attempt *a)
{
	int fd = something();
	long ret = result(read(fd, at(a), 64));

	close(fd);
	return ret;
}

static long copy_pread(const struct attempt *a)
{
	int fd = something();
	long ret = result(pread(fd, at(a), 64, 8));

	close(fd);
	return ret;
}

static long copy_readv(const struct attempt *a)
{
	struct iovec iov = { at(a), 64 };
	int fd = something();
	long ret;

	switch (a->route->arg) {
	case 0:
		ret = result(readv(fd, &iov, 1));
		break;
	case 1:
		ret = result(preadv(fd, &iov, 1, 8));
		break;
	default:
		ret = result(preadv2(fd, &iov, 1, 8, RWF_HIPRI));
		break;
	}
	close(fd);
	return ret;
}

static long copy_pipe_read(const struct attempt *a)
{
	int fds[2];
	long ret = full_pipe(fds);

	if (ret)
		return ret;
	ret = result(read(fds[0], at(a), 64));
	close_both(fds);
	return ret;
}

/* The other way round from what it is known for. */
static long copy_vmsplice(const struct attempt *a)
{
	struct iovec iov = { at(a), 64 };
	int fds[2];
	long ret = full_pipe(fds);

	if (ret)
		return ret;
	ret = result(vmsplice(fds[0], &iov, 1, 0));
	close_both(fds);
	return ret;
}

enum receiving {
	RECV, RECVFROM_NAME, RECVMSG, RECVMSG_NAME, RECVMSG_CONTROL, RECVMMSG,
	GETSOCKNAME, GETPEERNAME, GETSOCKOPT, ACCEPT_NAME,
};

static long copy_socket(const struct attempt *a)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(name);
	char byte = 'b', *p = at(a);
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr many = {};
	int socks[2], other = -1, one = 1;
	bool named = a->route->arg == RECVFROM_NAME ||
		     a->route->arg == RECVMSG_NAME ||
		     a->route->arg == ACCEPT_NAME ||
		     a->route->arg == GETPEERNAME;
	long ret;

	if (socketpair(AF_UNIX, named ? SOCK_DGRAM : SOCK_SEQPACKET, 0, socks))
		return -errno;
	if (named) {
		/* An abstract name of the sender's. */
		close_both(socks);
		socks[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
		socks[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (bind(socks[0], (void *)&name, sizeof(sa_family_t)) ||
		    bind(socks[1], (void *)&name, sizeof(sa_family_t)) ||
		    getsockname(socks[0], (void *)&name, &length) ||
		    connect(socks[1], (void *)&name, length))
			return -errno;
	}
	setsockopt(socks[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	if (send(socks[1], &byte, 1, 0) != 1)
		return -errno;
	length = sizeof(name);
	switch (a->route->arg) {
	case RECV:
		ret = recv(socks[0], p, 1, 0);
		break;
	case RECVFROM_NAME:
		ret = recvfrom(socks[0], &byte, 1, 0, (void *)p, &length);
		break;
	case RECVMSG:
		iov.iov_base = p;
		ret = recvmsg(socks[0], &msg, 0);
		break;
	case RECVMSG_NAME:
		msg.msg_name = p;
		msg.msg_namelen = sizeof(name);
		ret = recvmsg(socks[0], &msg, 0);
		break;
	case RECVMSG_CONTROL:
		msg.msg_control = p;
		msg.msg_controllen = 64;
		ret = recvmsg(socks[0], &msg, 0);
		break;
	case RECVMMSG:
		iov.iov_base = p;
		many.msg_hdr = msg;
		ret = recvmmsg(socks[0], &many, 1, 0, NULL);
		break;
	case GETSOCKNAME:
		ret = getsockname(socks[0], (void *)p, &length);
		break;
	case GETPEERNAME:
		ret = getpeername(socks[1], (void *)p, &length);
		break;
	case GETSOCKOPT:
		length = 4;
		ret = getsockopt(socks[0], SOL_SOCKET, SO_SNDBUF, p, &length);
		break;
	default:
		close_both(socks);
		socks[0] = socket(AF_UNIX, SOCK_STREAM, 0);
		socks[1] = socket(AF_UNIX, SOCK_STREAM, 0);
		length = sizeof(name);
		if (bind(socks[0], (void *)&name, sizeof(sa_family_t)) ||
		    bind(socks[1], (void *)&name, sizeof(sa_family_t)) ||
		    getsockname(socks[0], (void *)&name, &length) ||
		    listen(socks[0], 1) ||
		    connect(socks[1], (void *)&name, length))
			return -errno;
		length = sizeof(name);
		ret = accept(socks[0], (void *)p, &length);
		other = ret;
		break;
	}
	ret = result(ret);
	close_both(socks);
	if (other >= 0)
		close(other);
	return ret;
}

/* Calls whose only effect is their answer. */
enum answering {
	GETRANDOM, GETCWD, UNAME, SYSINFO, GETRUSAGE, CLOCK_GETTIME,
	CLOCK_GETRES, GETTIMEOFDAY, TIME, TIMES, READLINK, GETDENTS, STAT,
	FSTAT, LSTAT, NEWFSTATAT, STATX, STATFS, FSTATFS, SIGACTION,
	SIGPROCMASK, SIGALTSTACK, SETITIMER, GETITIMER, SCHED_GETAFFINITY,
	SCHED_GETATTR, SCHED_RR_INTERVAL, GETRESUID, GETRESGID, CAPGET,
	GET_NAME, GET_DEATHSIG, GET_FS, ROBUST_LIST, ROBUST_LENGTH, GETCPU,
	GETRLIMIT, PRLIMIT, MINCORE, MOVE_STATUS, ADJTIMEX,
	CLOCK_ADJTIME, IO_SETUP, URING_PARAMS, SYSFS, CACHESTAT, PIPE,
	SOCKETPAIR, TIMER_CREATE, USTAT, GETSIGINFO,
};

static long copy_answer(const struct attempt *a)
{
	struct __user_cap_header_struct cap = { _LINUX_CAPABILITY_VERSION_3 };
	static char aligned[2 * PAGE];
	struct itimerval timer = { .it_value.tv_sec = 100 };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct { uint64_t off, len; } range = { 0, PAGE };
	int fd = -1, status;
	void *pages[1] = { aligned };
	struct stat st;
	char *p = at(a);
	long ret;

	switch (a->route->arg) {
	case GETRANDOM:
		return sys(SYS_getrandom, p, 64, 0);
	case GETCWD:
		return sys(SYS_getcwd, p, 64);
	case UNAME:
		return sys(SYS_uname, p);
	case SYSINFO:
		return sys(SYS_sysinfo, p);
	case GETRUSAGE:
		return sys(SYS_getrusage, RUSAGE_SELF, p);
	case CLOCK_GETTIME:
		return sys(SYS_clock_gettime, CLOCK_REALTIME, p);
	case CLOCK_GETRES:
		return sys(SYS_clock_getres, CLOCK_MONOTONIC, p);
	case GETTIMEOFDAY:
		return sys(SYS_gettimeofday, p, NULL);
	case TIME:
		return sys(SYS_time, p);
	case TIMES:
		return sys(SYS_times, p);
	case READLINK:
		return sys(SYS_readlink, "/proc/self/exe", p, 64);
	case GETDENTS:
		fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
		ret = sys(SYS_getdents64, fd, p, 256);
		break;
	case STAT:
		return sys(SYS_stat, "/proc", p);
	case FSTAT:
		return sys(SYS_fstat, me.dev, p);
	case LSTAT:
		return sys(SYS_lstat, "/proc/self", p);
	case NEWFSTATAT:
		return sys(SYS_newfstatat, AT_FDCWD, "/proc", p, 0);
	case STATX:
		return sys(SYS_statx, AT_FDCWD, "/proc", 0, STATX_ALL, p);
	case STATFS:
		return sys(SYS_statfs, "/proc", p);
	case FSTATFS:
		return sys(SYS_fstatfs, me.dev, p);
	case SIGACTION:
		return sys(SYS_rt_sigaction, SIGSEGV, NULL, p, 8);
	case SIGPROCMASK: {
		uint64_t set = 1ULL << (SIGUSR1 - 1);

		syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
		ret = sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8);
		syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, 8);
		return ret;
	}
	case SIGALTSTACK:
		return sys(SYS_sigaltstack, NULL, p);
	case SETITIMER:
		syscall(SYS_setitimer, ITIMER_VIRTUAL, &timer, NULL);
		ret = sys(SYS_setitimer, ITIMER_VIRTUAL, &timer, p);
		timer.it_value.tv_sec = 0;
		syscall(SYS_setitimer, ITIMER_VIRTUAL, &timer, NULL);
		return ret;
	case GETITIMER:
		syscall(SYS_setitimer, ITIMER_VIRTUAL, &timer, NULL);
		ret = sys(SYS_getitimer, ITIMER_VIRTUAL, p);
		timer.it_value.tv_sec = 0;
		syscall(SYS_setitimer, ITIMER_VIRTUAL, &timer, NULL);
		return ret;
	case SCHED_GETAFFINITY:
		return sys(SYS_sched_getaffinity, 0, 64, p);
	case SCHED_GETATTR:
		return sys(SYS_sched_getattr, 0, p, 48, 0);
	case SCHED_RR_INTERVAL:
		return sys(SYS_sched_rr_get_interval, 0, p);
	case GETRESUID:
		return sys(SYS_getresuid, p, p + 4, p + 8);
	case GETRESGID:
		return sys(SYS_getresgid, p, p + 4, p + 8);
	case CAPGET:
		/* No capabilities: zeros, so where bytes are not. */
		return sys(SYS_capget, &cap, p);
	case GET_NAME:
		return sys(SYS_prctl, PR_GET_NAME, p);
	case GET_DEATHSIG:
		return sys(SYS_prctl, PR_GET_PDEATHSIG, p);
	case GET_FS:
		return sys(SYS_arch_prctl, 0x1003, p);
	case ROBUST_LIST:
		return sys(SYS_get_robust_list, 0, p, &range);
	case ROBUST_LENGTH:
		return sys(SYS_get_robust_list, 0, &range, p);
	case GETCPU:
		return sys(SYS_getcpu, &status, p, NULL);
	case GETRLIMIT:
		return sys(SYS_getrlimit, RLIMIT_NOFILE, p);
	case PRLIMIT:
		return sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, p);
	case MINCORE:
		*(volatile char *)(aligned + PAGE) = 1;
		return sys(SYS_mincore, (ptr(aligned) + PAGE) & ~(PAGE - 1),
			   PAGE, p);
	case MOVE_STATUS:
		return sys(SYS_move_pages, 0, 1, pages, NULL, p, 0);
	case ADJTIMEX:
		return sys(SYS_adjtimex, p);
	case CLOCK_ADJTIME:
		return sys(SYS_clock_adjtime, CLOCK_REALTIME, p);
	case IO_SETUP:
		ret = sys(SYS_io_setup, 4, p);
		if (!ret)
			syscall(SYS_io_destroy, *(aio_context_t *)p);
		return ret;
	case URING_PARAMS:
		fd = ret = sys(SYS_io_uring_setup, 4, p);
		break;
	case SYSFS:
		return sys(SYS_sysfs, 2, 1, p);
	case CACHESTAT:
		fd = something();
		ret = sys(451, fd, &range, p, 0);
		break;
	case PIPE:
		ret = sys(SYS_pipe2, p, O_CLOEXEC);
		if (!ret)
			close_both((int *)p);
		return ret;
	case SOCKETPAIR:
		ret = sys(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, p);
		if (!ret)
			close_both((int *)p);
		return ret;
	case TIMER_CREATE:
		/* The first number is 0. */
		return sys(SYS_timer_create, CLOCK_MONOTONIC, &none, p);
	case USTAT:
		if (stat("/", &st))
			return -errno;
		return sys(SYS_ustat, (unsigned int)st.st_dev, p);
	case GETSIGINFO: {
		sigset_t set;
		struct timespec soon = {};
		union sigval value = { .sival_int = 1 };

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigqueue(getpid(), SIGUSR1, value);
		ret = sys(SYS_rt_sigtimedwait, &set, p, &soon, 8);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		return ret;
	}
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Calls that write an argument back which they have read. */
enum writing_back {
	SPLICE_IN, SPLICE_OUT, SENDFILE, COPY_RANGE_IN, COPY_RANGE_OUT, POLL,
	FIONREAD_IOCTL, TIMERFD_OLD, TIMER_OLD, EPOLL_WAIT, WAIT4,
	WAIT4_USAGE, WAITID, PIDFD_PARENT, GETOWN_EX,
};

static long copy_back(const struct attempt *a)
{
	struct itimerspec in = { .it_value.tv_sec = 100 };
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = ~0ULL };
	int from = something(), to = something(), fds[2], fd = -1, status;
	char *p = at(a);
	timer_t timer;
	siginfo_t info;
	long ret;
	pid_t pid;

	if (full_pipe(fds))
		return -errno;
	switch (a->route->arg) {
	case SPLICE_IN:
		ret = sys(SYS_splice, from, p, fds[1], NULL, 8, 0);
		break;
	case SPLICE_OUT:
		ret = sys(SYS_splice, fds[0], NULL, to, p, 8, 0);
		break;
	case SENDFILE:
		ret = sys(SYS_sendfile, to, from, p, 8);
		break;
	case COPY_RANGE_IN:
		ret = sys(SYS_copy_file_range, from, p, to, NULL, 8, 0);
		break;
	case COPY_RANGE_OUT:
		ret = sys(SYS_copy_file_range, from, NULL, to, p, 8, 0);
		break;
	case POLL: {
		/* File 0 is not open, or readable: a bit is set for it. */
		dup2(fds[0], 0);
		ret = sys(SYS_poll, p, 1, 0);
		close(0);
		break;
	}
	case FIONREAD_IOCTL:
		ret = sys(SYS_ioctl, fds[0], 0x541b, p);
		break;
	case TIMERFD_OLD:
		fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		timerfd_settime(fd, 0, &in, NULL);
		ret = sys(SYS_timerfd_settime, fd, 0, &in, p);
		break;
	case TIMER_OLD: {
		struct sigevent none = { .sigev_notify = SIGEV_NONE };

		if (timer_create(CLOCK_MONOTONIC, &none, &timer))
			return -errno;
		timer_settime(timer, 0, &in, NULL);
		ret = timer_gettime(timer, (void *)p) ? -errno : 0;
		timer_delete(timer);
		break;
	}
	case EPOLL_WAIT:
		fd = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(fd, EPOLL_CTL_ADD, fds[0], &event);
		ret = sys(SYS_epoll_wait, fd, p, 1, 0);
		/* It says 0 events, and goes on, after a fault. */
		if (!ret)
			ret = -EFAULT;
		break;
	case WAIT4:
	case WAIT4_USAGE:
	case WAITID:
		pid = fork();
		if (!pid)
			_exit(7);
		if (a->route->arg == WAIT4)
			ret = sys(SYS_wait4, pid, p, 0, NULL);
		else if (a->route->arg == WAIT4_USAGE)
			ret = sys(SYS_wait4, pid, &status, 0, p);
		else
			ret = sys(SYS_waitid, P_PID, pid, p, WEXITED, NULL);
		waitid(P_PID, pid, &info, WEXITED);
		break;
	case PIDFD_PARENT:
		/* pidfd of a clone(): where the parent's thread id goes, too. */
		pid = syscall(SYS_clone, 0x1000 | SIGCHLD, NULL, p, NULL, 0);
		if (!pid)
			_exit(0);
		ret = result(pid);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		break;
	case GETOWN_EX: {
		struct { int type; int pid; } own = { 1, getpid() };

		fcntl(fds[0], F_SETOWN_EX, &own);
		ret = sys(SYS_fcntl, fds[0], F_GETOWN_EX, p);
		break;
	}
	default:
		return -ENOSYS;
	}
	close(from);
	close(to);
	close_both(fds);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* System V and POSIX message queues, semaphores, shared memory. */
enum ipc { MSGRCV, MSG_STAT_OF, SEM_STAT_OF, SEM_VALUES, SHM_STAT_OF,
	SHM_INFO_OF, MQ_RECEIVE, MQ_ATTR };

static long copy_ipc(const struct attempt *a)
{
	struct { long type; char text[16]; } msg = { 1, "message" };
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 16 };
	static unsigned int nr;
	char name[32], *p = at(a);
	long ret;
	int id;

	switch (a->route->arg) {
	case MSGRCV:
	case MSG_STAT_OF:
		id = msgget(IPC_PRIVATE, 0600);
		if (id < 0)
			return -errno;
		if (a->route->arg == MSGRCV) {
			msgsnd(id, &msg, sizeof(msg.text), 0);
			ret = sys(SYS_msgrcv, id, p, 16, 0, IPC_NOWAIT);
		} else {
			ret = sys(SYS_msgctl, id, IPC_STAT, p);
		}
		msgctl(id, IPC_RMID, NULL);
		return ret;
	case SEM_STAT_OF:
	case SEM_VALUES: {
		unsigned short values[4] = { 1, 2, 3, 4 };

		id = semget(IPC_PRIVATE, 4, 0600);
		if (id < 0)
			return -errno;
		syscall(SYS_semctl, id, 0, SETALL, values);
		ret = sys(SYS_semctl, id, 0, a->route->arg == SEM_VALUES ?
			  GETALL : IPC_STAT, p);
		semctl(id, 0, IPC_RMID);
		return ret;
	}
	case SHM_STAT_OF:
	case SHM_INFO_OF:
		id = shmget(IPC_PRIVATE, PAGE, 0600);
		if (id < 0)
			return -errno;
		ret = sys(SYS_shmctl, id, a->route->arg == SHM_STAT_OF ?
			  IPC_STAT : IPC_INFO, p);
		shmctl(id, IPC_RMID, NULL);
		return ret;
	default:
		snprintf(name, sizeof(name), "attack-%d-%u", getpid(), nr++);
		id = syscall(SYS_mq_open, name, O_RDWR | O_CREAT, 0600, &attr);
		if (id < 0)
			return -errno;
		if (a->route->arg == MQ_RECEIVE) {
			syscall(SYS_mq_timedsend, id, "text", 4, 1, NULL);
			ret = sys(SYS_mq_timedreceive, id, p, 16, NULL, NULL);
		} else {
			ret = sys(SYS_mq_getsetattr, id, NULL, p);
		}
		syscall(SYS_mq_unlink, name);
		close(id);
		return ret;
	}
}

/* The module's own answers. */
enum own_answer { LIST_ENTRIES, WINDOWS_OF, BELLS_OF, EXTENTS_OF, USERS_OF,
	EVENTS_OF };

static long copy_shmchan(const struct attempt *a)
{
	struct shmchan_list l = {
		.size = sizeof(l), .nr_entries = 1,
		.entries = ptr(at(a)),
		.entry_size = sizeof(struct shmchan_list_entry),
	};
	struct shmchan_query q = { .size = sizeof(q) };
	struct shmchan_extents e = {
		.size = sizeof(e), .extents = ptr(at(a)), .nr_extents = 1,
		.extent_size = sizeof(struct shmchan_extent),
	};
	struct shmchan_list_users u = {
		.size = sizeof(u), .nr_entries = 1, .entries = ptr(at(a)),
		.entry_size = sizeof(struct shmchan_user_entry),
	};
	struct layout mine = layout_default(SHMCHAN_CREATE_SMALL, false);
	long ret;
	int fd;

	switch (a->route->arg) {
	case LIST_ENTRIES:
		return call(me.dev, SHMCHAN_IOC_LIST, &l);
	case WINDOWS_OF:
		q.windows = ptr(at(a));
		/* The second one's offset is not zero. */
		q.nr_windows = 2;
		return call(me.fd, SHMCHAN_IOC_QUERY, &q);
	case BELLS_OF:
		q.doorbells = ptr(at(a));
		q.room_doorbells = 2;
		return call(me.fd, SHMCHAN_IOC_QUERY, &q);
	case EXTENTS_OF:
		return call(me.fd, SHMCHAN_IOC_EXTENTS, &e);
	case USERS_OF:
		fd = create_region(&mine);
		ret = call(me.dev, SHMCHAN_IOC_LIST_USERS, &u);
		close(fd);
		return ret;
	default:
		ret = subscribe(me.fd, BELL_COMMON, 0);
		if (ret)
			return ret;
		ring(me.fd, BELL_COMMON, 0);
		ret = result(read(me.fd, at(a), sizeof(struct shmchan_event)));
		subscribe(me.fd, BELL_COMMON, SHMCHAN_SUBSCRIBE_END);
		return ret;
	}
}

/* Futexes that change their word. */
static long copy_futex(const struct attempt *a)
{
	uint32_t other = 0;
	char *p = at(a);
	long ret;

	switch (a->route->arg) {
	case FUTEX_WAKE_OP:
		/* word = 0x123 */
		return sys(SYS_futex, &other, FUTEX_WAKE_OP, 0, 0, p,
			   FUTEX_OP(FUTEX_OP_SET, 0x123, FUTEX_OP_CMP_EQ, 0));
	case FUTEX_LOCK_PI:
	case FUTEX_TRYLOCK_PI:
		return sys(SYS_futex, p, a->route->arg, 0, NULL, NULL, 0);
	case FUTEX_CMP_REQUEUE_PI:
		ret = sys(SYS_futex, &other, FUTEX_CMP_REQUEUE_PI, 1, 1, p, 0);
		return ret;
	}
	return -ENOSYS;
}

/* A thread of the attacker's, as its last or its first act. */
enum of_thread { SET_PARENT_TID, SET_CHILD_TID, CLEAR_CHILD_TID, SET_TID_ADDRESS,
	ROBUST_DEATH, RSEQ_AREA, ALT_STACK };

static char thread_stack[65536] __attribute__((aligned(16)));
static volatile long thread_result;

static int thread_body(void *arg)
{
	const struct attempt *a = arg;
	/* struct robust_list_head, and its only entry, which is itself. */
	static struct { void *next; long offset; void *pending; } robust;
	struct sigaction act = { .sa_handler = SIG_DFL };
	char *p = at(a);
	stack_t stack = {
		.ss_sp = (void *)(ptr(p) & ~(PAGE - 1)),
		.ss_size = PAGE,
	};
	uint32_t tid = syscall(SYS_gettid);
	cpu_set_t last;

	/* Handlers would go on in its parent's place. */
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	switch (a->route->arg) {
	case SET_TID_ADDRESS:
		syscall(SYS_set_tid_address, p);
		break;
	case ROBUST_DEATH:
		/* As if it held a lock in that word. */
		if (a->target == AT_OWN)
			*(uint32_t *)p = tid;
		robust.offset = p - (char *)&robust;
		robust.next = &robust;
		robust.pending = &robust;
		thread_result = sys(SYS_set_robust_list, &robust,
				    sizeof(robust));
		if (a->target != AT_OWN)
			ask(STORE_TID, tid);
		break;
	case RSEQ_AREA:
		/* What it is told is on which processor it is: not 0. */
		CPU_ZERO(&last);
		CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
		if (CPU_ISSET(0, &last) || sched_setaffinity(0, sizeof(last),
							     &last)) {
			thread_result = -ENOSYS;
			break;
		}
		thread_result = sys(SYS_rseq, (ptr(p) + 31) & ~31UL, 32, 0,
				    0x53053053);
		if (!thread_result)
			syscall(SYS_sched_yield);
		break;
	case ALT_STACK:
		thread_result = sys(SYS_sigaltstack, &stack, NULL);
		if (!thread_result)
			syscall(SYS_tgkill, syscall(SYS_getpid), tid, SIGUSR2);
		break;
	}
	/* Not exit(): the address space is its parent's. */
	syscall(SYS_exit, 0);
	return 0;
}

static void just_return(int sig)
{
	(void)sig;
}

static long copy_thread(const struct attempt *a)
{
	struct sigaction act = { .sa_handler = just_return,
				 .sa_flags = SA_ONSTACK };
	int flags = CLONE_VM | SIGCHLD, status;
	char *p = at(a);
	pid_t pid;

	thread_result = 0;
	if (a->route->arg == SET_PARENT_TID)
		flags |= CLONE_PARENT_SETTID;
	if (a->route->arg == SET_CHILD_TID)
		flags |= CLONE_CHILD_SETTID;
	if (a->route->arg == CLEAR_CHILD_TID)
		flags |= CLONE_CHILD_CLEARTID;
	if (a->route->arg == ALT_STACK)
		sigaction(SIGUSR2, &act, NULL);
	pid = clone(thread_body, thread_stack + sizeof(thread_stack), flags,
		    (void *)a, p, NULL, p);
	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (a->route->arg == ROBUST_DEATH) {
		bool died = *(volatile uint32_t *)p & FUTEX_OWNER_DIED;

		if (a->target != AT_OWN)
			ask(STORE_TID, 0);
		else if (!died)
			*(volatile uint32_t *)p = 0;
		return died ? 1 : -EFAULT;
	}
	if (thread_result)
		return thread_result;
	return WIFEXITED(status) ? -EPERM : -EFAULT;
}

/* What a debugger is told of its own child. */
enum of_tracee { REGS, FPREGS, REGSET, SIGINFO, SIGMASK, EVENTMSG, PEEKUSER,
	READ_BY_VM };

static long copy_ptrace(const struct attempt *a)
{
	char *p = at(a);
	struct iovec iov = { p, 64 };
	static char child_bytes[64] = "what the child has";
	struct iovec remote = { child_bytes, sizeof(child_bytes) };
	pid_t pid = fork();
	int status;
	long ret;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -ECHILD;
	switch (a->route->arg) {
	case REGS:
		ret = sys(SYS_ptrace, PTRACE_GETREGS, pid, 0, p);
		break;
	case FPREGS:
		ret = sys(SYS_ptrace, PTRACE_GETFPREGS, pid, 0, p);
		break;
	case REGSET:
		ret = sys(SYS_ptrace, PTRACE_GETREGSET, pid, 1, &iov);
		break;
	case SIGINFO:
		ret = sys(SYS_ptrace, PTRACE_GETSIGINFO, pid, 0, p);
		break;
	case SIGMASK:
		ret = sys(SYS_ptrace, PTRACE_GETSIGMASK, pid, 8, p);
		break;
	case EVENTMSG:
		ret = sys(SYS_ptrace, PTRACE_GETEVENTMSG, pid, 0, p);
		break;
	case PEEKUSER:
		ret = sys(SYS_ptrace, PTRACE_PEEKUSER, pid, 16 * 8, p);
		break;
	default:
		ret = result(process_vm_readv(pid, &iov, 1, &remote, 1, 0));
		break;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return ret;
}

/* I/O that is done by others, or later. */
enum later { URING_READ, URING_READV, URING_FIXED, URING_RECV, URING_STATX,
	URING_SELECT, AIO_READ, AIO_EVENTS, DIRECT_READ,
	DIRECT_AIO };

static long copy_uring(const struct attempt *a, char *p)
{
	struct iovec iov = { p, 64 }, window = {
		(void *)(ptr(p) & ~(PAGE - 1)), PAGE,
	};
	struct io_uring_sqe sqe = { .fd = something(), .len = 64,
				    .addr = ptr(p) };
	int socks[2] = { -1, -1 };
	struct uring ring;
	long ret = uring_setup(&ring);

	/* It may be forbidden altogether. */
	if (ret)
		return ret == -EPERM ? -ENOSYS : ret;
	switch (a->route->arg) {
	case URING_READ:
		sqe.opcode = IORING_OP_READ;
		break;
	case URING_READV:
		sqe.opcode = IORING_OP_READV;
		sqe.addr = ptr(&iov);
		sqe.len = 1;
		break;
	case URING_FIXED:
		sqe.opcode = IORING_OP_READ_FIXED;
		ret = uring_register(&ring, &window, 1);
		/* An old kernel takes no such memory at all. */
		if (ret == -EOPNOTSUPP)
			ret = -ENOSYS;
		break;
	case URING_RECV:
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks) ||
		    send(socks[1], "received", 8, 0) != 8)
			return -errno;
		close(sqe.fd);
		sqe.fd = socks[0];
		sqe.opcode = IORING_OP_RECV;
		break;
	case URING_STATX: {
		static const char path[] = "/proc";

		sqe.opcode = IORING_OP_STATX;
		sqe.fd = AT_FDCWD;
		sqe.addr = ptr(path);
		sqe.len = STATX_ALL;
		sqe.off = ptr(p);
		break;
	}
	case URING_SELECT: {
		struct io_uring_sqe give = {
			.opcode = IORING_OP_PROVIDE_BUFFERS,
			.fd = 1, .addr = ptr(p), .len = 64,
		};

		ret = uring_do(&ring, &give);
		sqe.opcode = IORING_OP_READ;
		sqe.flags = IOSQE_BUFFER_SELECT;
		sqe.addr = 0;
		break;
	}
	}
	if (ret >= 0)
		ret = uring_do(&ring, &sqe);
	close(ring.fd);
	if (sqe.fd >= 0)
		close(sqe.fd);
	if (socks[1] >= 0)
		close(socks[1]);
	return ret;
}

static long copy_aio(const struct attempt *a, char *p)
{
	bool direct = a->route->arg == DIRECT_AIO;
	aio_context_t ctx = 0;
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = direct ? me.disk : something(),
		.aio_buf = ptr(p), .aio_nbytes = direct ? 512 : 64,
	}, *cbs[1] = { &cb };
	static char elsewhere[64];
	struct io_event event = {};
	long ret;

	if (direct)
		cb.aio_buf = ptr(p) & ~511UL;
	if (a->route->arg == AIO_EVENTS)
		cb.aio_buf = ptr(elsewhere);
	if (syscall(SYS_io_setup, 4, &ctx))
		return -errno;
	ret = sys(SYS_io_submit, ctx, 1, cbs);
	if (ret == 1) {
		ret = sys(SYS_io_getevents, ctx, 1, 1, a->route->arg ==
			  AIO_EVENTS ? (void *)p : &event, NULL);
		if (ret == 1 && a->route->arg != AIO_EVENTS)
			ret = event.res;
	}
	syscall(SYS_io_destroy, ctx);
	if (!direct)
		close(cb.aio_fildes);
	return ret;
}

static long copy_later(const struct attempt *a)
{
	char *p = at(a);

	switch (a->route->arg) {
	case AIO_READ:
	case AIO_EVENTS:
		return copy_aio(a, p);
	case DIRECT_READ:
		if (me.disk < 0)
			return -ENOSYS;
		return result(pread(me.disk, (void *)(ptr(p) & ~511UL), 512,
				    0));
	case DIRECT_AIO:
		return me.disk < 0 ? -ENOSYS : copy_aio(a, p);
	default:
		return copy_uring(a, p);
	}
}

#define COPY_WANT(_want, _flags, _name, _attack, _arg)			\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = IS(MEMBER), .targets = ALL_OF(VICTIM) |		\
	  ALL_OF(VICTIM_CONTROL) | ALL_OF(STATUS) | ALL_OF(DMABUF),	\
	  .want = (_want),	\
	  .flags = PROVEN | (_flags) },					\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = IS(READER), .targets = ALL_OF(VICTIM),		\
	  .want = (_want), .flags = (_flags) },				\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = IS(LEFT) | IS(REVOKED), .targets = ALL_OF(OWN),	\
	  .want = ANYHOW, .flags = (_flags) }
#define COPY_IF(...)	COPY_WANT(0, __VA_ARGS__)
#define COPY(...)	COPY_IF(0, __VA_ARGS__)

static const struct route read_routes[] = {
	COPY("read", copy_read, 0),
	COPY("pread", copy_pread, 0),
	COPY("readv", copy_readv, 0),
	COPY("preadv", copy_readv, 1),
	COPY("read-pipe", copy_pipe_read, 0),
	COPY("vmsplice", copy_vmsplice, 0),
	COPY("recv", copy_socket, RECV),
	COPY("recvfrom-name", copy_socket, RECVFROM_NAME),
	COPY("recvmsg", copy_socket, RECVMSG),
	COPY("recvmsg-name", copy_socket, RECVMSG_NAME),
	/* Where there is no room it says MSG_CTRUNC. */
	COPY_WANT(ANYHOW, 0, "recvmsg-control", copy_socket, RECVMSG_CONTROL),
	COPY("recvmmsg", copy_socket, RECVMMSG),
	COPY("getsockname", copy_socket, GETSOCKNAME),
	COPY("getpeername", copy_socket, GETPEERNAME),
	COPY("getsockopt", copy_socket, GETSOCKOPT),
	COPY("accept", copy_socket, ACCEPT_NAME),
};

static const struct route answer_routes[] = {
	COPY("getrandom", copy_answer, GETRANDOM),
	COPY("getcwd", copy_answer, GETCWD),
	COPY("uname", copy_answer, UNAME),
	COPY("sysinfo", copy_answer, SYSINFO),
	COPY("getrusage", copy_answer, GETRUSAGE),
	COPY("clock_gettime", copy_answer, CLOCK_GETTIME),
	COPY("clock_getres", copy_answer, CLOCK_GETRES),
	COPY("gettimeofday", copy_answer, GETTIMEOFDAY),
	COPY("time", copy_answer, TIME),
	COPY("times", copy_answer, TIMES),
	COPY("readlink", copy_answer, READLINK),
	COPY("getdents", copy_answer, GETDENTS),
	COPY("stat", copy_answer, STAT),
	COPY("fstat", copy_answer, FSTAT),
	COPY("lstat", copy_answer, LSTAT),
	COPY("newfstatat", copy_answer, NEWFSTATAT),
	COPY("statx", copy_answer, STATX),
	COPY("statfs", copy_answer, STATFS),
	COPY("fstatfs", copy_answer, FSTATFS),
	COPY("rt_sigaction", copy_answer, SIGACTION),
	COPY("rt_sigprocmask", copy_answer, SIGPROCMASK),
	COPY("sigaltstack", copy_answer, SIGALTSTACK),
	COPY("rt_sigtimedwait", copy_answer, GETSIGINFO),
	COPY("setitimer", copy_answer, SETITIMER),
	COPY("getitimer", copy_answer, GETITIMER),
	COPY("sched_getaffinity", copy_answer, SCHED_GETAFFINITY),
	COPY("sched_getattr", copy_answer, SCHED_GETATTR),
	COPY_IF(ON_DATA, "sched_rr_get_interval", copy_answer, SCHED_RR_INTERVAL),
	COPY("getresuid", copy_answer, GETRESUID),
	COPY("getresgid", copy_answer, GETRESGID),
	COPY_IF(ON_DATA, "capget", copy_answer, CAPGET),
	COPY("prctl-name", copy_answer, GET_NAME),
	COPY("prctl-pdeathsig", copy_answer, GET_DEATHSIG),
	COPY("arch_prctl", copy_answer, GET_FS),
	COPY("get_robust_list", copy_answer, ROBUST_LIST),
	COPY("get_robust_list-length", copy_answer, ROBUST_LENGTH),
	COPY_IF(ON_DATA, "getcpu", copy_answer, GETCPU),
	COPY("getrlimit", copy_answer, GETRLIMIT),
	COPY("prlimit64", copy_answer, PRLIMIT),
	COPY("mincore", copy_answer, MINCORE),
	COPY_IF(ON_DATA, "move_pages", copy_answer, MOVE_STATUS),
	COPY("adjtimex", copy_answer, ADJTIMEX),
	COPY("clock_adjtime", copy_answer, CLOCK_ADJTIME),
	COPY("io_setup", copy_answer, IO_SETUP),
	COPY("io_uring_setup", copy_answer, URING_PARAMS),
	COPY("cachestat", copy_answer, CACHESTAT),
	COPY("pipe2", copy_answer, PIPE),
	COPY("socketpair", copy_answer, SOCKETPAIR),
	COPY_IF(ON_DATA, "timer_create", copy_answer, TIMER_CREATE),
	COPY("ustat", copy_answer, USTAT),
	COPY("sysfs", copy_answer, SYSFS),
	COPY("msgrcv", copy_ipc, MSGRCV),
	COPY("msgctl", copy_ipc, MSG_STAT_OF),
	COPY("semctl", copy_ipc, SEM_STAT_OF),
	COPY("semctl-values", copy_ipc, SEM_VALUES),
	COPY("shmctl", copy_ipc, SHM_STAT_OF),
	COPY("shmctl-info", copy_ipc, SHM_INFO_OF),
	COPY("mq_timedreceive", copy_ipc, MQ_RECEIVE),
	COPY("mq_getsetattr", copy_ipc, MQ_ATTR),
};

static const struct route back_routes[] = {
	COPY("splice-in", copy_back, SPLICE_IN),
	COPY("splice-out", copy_back, SPLICE_OUT),
	COPY("sendfile", copy_back, SENDFILE),
	COPY("copy_file_range-in", copy_back, COPY_RANGE_IN),
	COPY("copy_file_range-out", copy_back, COPY_RANGE_OUT),
	COPY_IF(ON_DATA, "poll", copy_back, POLL),
	COPY("fionread", copy_back, FIONREAD_IOCTL),
	COPY("timerfd_settime", copy_back, TIMERFD_OLD),
	COPY("timer_gettime", copy_back, TIMER_OLD),
	COPY("epoll_wait", copy_back, EPOLL_WAIT),
	COPY("wait4", copy_back, WAIT4),
	COPY("wait4-rusage", copy_back, WAIT4_USAGE),
	COPY("waitid", copy_back, WAITID),
	COPY("clone-pidfd", copy_back, PIDFD_PARENT),
	COPY("fcntl-owner", copy_back, GETOWN_EX),
};

static const struct route own_answer_routes[] = {
	COPY("list", copy_shmchan, LIST_ENTRIES),
	COPY("query-windows", copy_shmchan, WINDOWS_OF),
	COPY("query-doorbells", copy_shmchan, BELLS_OF),
	COPY("extents", copy_shmchan, EXTENTS_OF),
	COPY("list-users", copy_shmchan, USERS_OF),
	{ .name = "read-events", .attack = copy_shmchan, .arg = EVENTS_OF,
	  .roles = IS(MEMBER), .targets = ALL_OF(VICTIM) | ALL_OF(STATUS),
	  .flags = PROVEN },
};

static const struct route futex_routes[] = {
	COPY("wake-op", copy_futex, FUTEX_WAKE_OP),
	COPY("lock-pi", copy_futex, FUTEX_LOCK_PI),
	COPY("trylock-pi", copy_futex, FUTEX_TRYLOCK_PI),
};

static const struct route thread_routes[] = {
	COPY("parent-tid", copy_thread, SET_PARENT_TID),
	COPY("child-tid", copy_thread, SET_CHILD_TID),
	COPY_IF(ON_DATA, "clear-child-tid", copy_thread, CLEAR_CHILD_TID),
	COPY_IF(ON_DATA, "set_tid_address", copy_thread, SET_TID_ADDRESS),
	COPY("rseq", copy_thread, RSEQ_AREA),
	COPY("signal-stack", copy_thread, ALT_STACK),
	{ .name = "robust-list", .attack = copy_thread, .arg = ROBUST_DEATH,
	  .roles = IS(MEMBER) | IS(READER), .targets = ALL_OF(VICTIM),
	  .flags = PROVEN },
};

static const struct route tracer_routes[] = {
	COPY("registers", copy_ptrace, REGS),
	COPY("fp-registers", copy_ptrace, FPREGS),
	COPY("register-set", copy_ptrace, REGSET),
	COPY("siginfo", copy_ptrace, SIGINFO),
	COPY("peek", copy_ptrace, PEEKUSER),
	COPY("process_vm_readv", copy_ptrace, READ_BY_VM),
};

static const struct route later_routes[] = {
	COPY("io_uring-read", copy_later, URING_READ),
	COPY("io_uring-readv", copy_later, URING_READV),
	COPY("io_uring-fixed", copy_later, URING_FIXED),
	COPY("io_uring-recv", copy_later, URING_RECV),
	COPY("io_uring-statx", copy_later, URING_STATX),
	COPY("io_uring-provided", copy_later, URING_SELECT),
	COPY("aio-read", copy_later, AIO_READ),
	COPY("aio-events", copy_later, AIO_EVENTS),
	COPY_IF(ON_DATA, "direct-read", copy_later, DIRECT_READ),
	COPY_IF(ON_DATA, "direct-aio", copy_later, DIRECT_AIO),
};

#define COPY_WHY							\
	"the kernel writes through the caller's mapping, and that cannot be "\
	"written; after its end a member has none of the region's memory"

static const struct family copy_families[] = {
	FAMILY("read", read_routes,
	       "files, pipes and sockets read into what one may not write",
	       COPY_WHY),
	FAMILY("answer", answer_routes,
	       "system calls that answer there", COPY_WHY),
	FAMILY("back", back_routes,
	       "system calls that write an argument back there", COPY_WHY),
	FAMILY("shmchan", own_answer_routes,
	       "the module's own calls that answer there",
	       "copy_to_user is all that they use"),
	FAMILY("futex", futex_routes,
	       "futex operations that change the word",
	       "they write through the caller's mapping"),
	FAMILY("thread", thread_routes,
	       "what the kernel writes for a thread that begins, ends, migrates "
	       "or gets a signal", "the same; who cannot be told is killed"),
	FAMILY("tracer", tracer_routes,
	       "what a debugger is told of its child, written there", COPY_WHY),
	FAMILY("later", later_routes,
	       "asynchronous and direct I/O into it",
	       "pages are pinned for writing only where they are mapped so"),
};

#endif /* SHMCHAN_ATTACK_COPIES_H */
