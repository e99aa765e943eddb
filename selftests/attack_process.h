/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_PROCESS_H
#define SHMCHAN_ATTACK_PROCESS_H

/*
 * The victim as a process: its memory, its files, its life.  What ptrace allows
 * is allowed to who may ptrace, and to nobody else: see attacker.c.
 */

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include <linux/kcmp.h>
#include <linux/perf_event.h>

#include "attack_scene.h"

#define BY_UIDS		(IS(STRANGER) | IS(NSROOT))
#define BY_ALL		(BY_UIDS | IS(SAMEUID))

#define AGAINST(_roles, _name, _attack, _arg, _want)			\
	{ .name = (_name), .attack = (_attack), .arg = (long)(_arg),	\
	  .roles = (_roles), .targets = ONLY, .want = (_want) }

/* What is in /proc about it. */

static const char *of_victim(const char *file)
{
	static char path[80];

	snprintf(path, sizeof(path), "/proc/%d/%s", scene->victim, file);
	return path;
}

static long victim_read(const struct attempt *a)
{
	char buf[4096];
	int fd = open(of_victim((const char *)a->route->arg),
		      O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf));
	if (n < 0)
		n = -errno;
	if (n > 0)
		keep_loot(buf, n);
	close(fd);
	return n;
}

static long victim_write_file(const struct attempt *a)
{
	return write_text(of_victim((const char *)a->route->arg), "0");
}

static long victim_readlink(const struct attempt *a)
{
	char buf[256];
	long n = sys(SYS_readlink, of_victim((const char *)a->route->arg), buf,
		     sizeof(buf));

	if (n > 0)
		keep_loot(buf, n);
	return n;
}

enum file_of_victim { THE_MEMBER, ITS_MEMFD, ITS_PIPE };

static int number_of(long which)
{
	return which == THE_MEMBER ? scene->victim_fd :
	       which == ITS_MEMFD ? scene->victim_memfd : scene->victim_pipe;
}

/* What a file of the victim's is good for. */
static long use_file(long which, int fd)
{
	char buf[PAGE / 2];
	long ret = 0;
	char *p;

	if (fd < 0)
		return fd;
	switch (which) {
	case THE_MEMBER:
		p = map(fd, window_at(WINDOW_VICTIM), PAGE, RW);
		ret = p == MAP_FAILED ? -errno : 0;
		if (p != MAP_FAILED) {
			p[64] = ~p[64];
			munmap(p, PAGE);
		}
		break;
	case ITS_MEMFD:
		ret = result(pread(fd, buf, sizeof(buf), 0));
		if (ret > 0)
			keep_loot(buf, ret);
		break;
	default:
		ret = result(write(fd, "x", 1));
		break;
	}
	close(fd);
	return ret;
}

static long victim_open_fd(const struct attempt *a)
{
	char file[32];

	snprintf(file, sizeof(file), "fd/%d", number_of(a->route->arg));
	return use_file(a->route->arg,
			sys(SYS_open, of_victim(file), a->route->arg ==
			    ITS_PIPE ? O_WRONLY | O_NONBLOCK : O_RDWR));
}

static long victim_fdinfo(const struct attempt *a)
{
	struct attempt b = *a;
	struct route r = *a->route;
	char file[32];

	snprintf(file, sizeof(file), "fdinfo/%d", scene->victim_fd);
	r.arg = (long)file;
	b.route = &r;
	return victim_read(&b);
}

static long victim_map_files(const struct attempt *a)
{
	char file[64];

	snprintf(file, sizeof(file), "map_files/%lx-%lx",
		 (long)scene->victim_own,
		 (long)scene->victim_own + scene->folio);
	(void)a;
	return use_file(THE_MEMBER, sys(SYS_open, of_victim(file), O_RDWR));
}

#define READ_OF(_name)	AGAINST(BY_ALL, _name, victim_read, _name, 0)
#define LINK_OF(_name)	AGAINST(BY_ALL, _name, victim_readlink, _name, 0)
#define WRITE_OF(_name)	AGAINST(BY_ALL, "write-" _name, victim_write_file, _name, 0)

static const struct route proc_routes[] = {
	READ_OF("maps"),
	READ_OF("smaps"),
	READ_OF("smaps_rollup"),
	READ_OF("numa_maps"),
	READ_OF("pagemap"),
	READ_OF("environ"),
	READ_OF("auxv"),
	READ_OF("syscall"),
	READ_OF("stack"),
	READ_OF("personality"),
	READ_OF("io"),
	READ_OF("timerslack_ns"),
	LINK_OF("cwd"),
	LINK_OF("exe"),
	LINK_OF("root"),
	LINK_OF("ns/ipc"),
	LINK_OF("ns/user"),
	AGAINST(BY_ALL, "fdinfo", victim_fdinfo, 0, 0),
	WRITE_OF("clear_refs"),
	WRITE_OF("coredump_filter"),
	WRITE_OF("oom_score_adj"),
	WRITE_OF("comm"),
	WRITE_OF("sched"),
	WRITE_OF("timerslack_ns"),
	WRITE_OF("uid_map"),
	WRITE_OF("setgroups"),
};

/* As a debugger, with and without ptrace itself. */

static long victim_attach(const struct attempt *a)
{
	int status;

	if (a->route->arg ? ptrace(PTRACE_SEIZE, scene->victim, 0, 0) :
			    ptrace(PTRACE_ATTACH, scene->victim, 0, 0))
		return -errno;
	if (a->route->arg)
		ptrace(PTRACE_INTERRUPT, scene->victim, 0, 0);
	waitpid(scene->victim, &status, __WALL);
	ptrace(PTRACE_POKEDATA, scene->victim, scene->victim_own + 64,
	       0x706f6b6564706f6b);
	ptrace(PTRACE_DETACH, scene->victim, 0, 0);
	return 0;
}

static long victim_mem(const struct attempt *a)
{
	char buf[64] = "written by /proc/PID/mem";
	int fd = open(of_victim("mem"), O_RDWR | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	if (a->route->arg) {
		ret = result(pwrite(fd, buf, sizeof(buf),
				    (off_t)ptr(scene->victim_own + 64)));
	} else {
		ret = result(pread(fd, buf, sizeof(buf),
				   (off_t)ptr(scene->victim_secret)));
		if (ret > 0)
			keep_loot(buf, ret);
	}
	close(fd);
	return ret;
}

static long victim_vm(const struct attempt *a)
{
	char buf[64] = "written by process_vm_writev";
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = {
		(a->route->arg ? scene->victim_own : scene->victim_secret) + 64,
		sizeof(buf),
	};
	long ret;

	if (a->route->arg)
		return sys(SYS_process_vm_writev, scene->victim, &local, 1,
			   &remote, 1, 0);
	ret = sys(SYS_process_vm_readv, scene->victim, &local, 1, &remote, 1,
		  0);
	if (ret > 0)
		keep_loot(buf, ret);
	return ret;
}

static long victim_getfd(const struct attempt *a)
{
	int pidfd = syscall(SYS_pidfd_open, scene->victim, 0);
	long ret;

	if (pidfd < 0)
		return -errno;
	ret = sys(SYS_pidfd_getfd, pidfd, number_of(a->route->arg), 0);
	close(pidfd);
	return use_file(a->route->arg, ret);
}

enum by_pid { KCMP_VM_OF, KCMP_FILE_OF, MOVE_PAGES_OF, MIGRATE_OF, MADVISE_OF,
	MRELEASE, ROBUST_LIST_OF, PERF_OF };

static long victim_by_pid(const struct attempt *a)
{
	struct iovec own = { scene->victim_own, scene->folio };
	struct perf_event_attr perf = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(perf),
		.config = PERF_COUNT_SW_PAGE_FAULTS, .sample_period = 1,
		.sample_type = PERF_SAMPLE_ADDR | PERF_SAMPLE_IP,
		.exclude_kernel = 1,
	};
	int pidfd = syscall(SYS_pidfd_open, scene->victim, 0), node = 0, status;
	unsigned long nodes = 1, length;
	void *pages[1] = { scene->victim_own }, *head;
	long ret = -ENOSYS;

	switch (a->route->arg) {
	case KCMP_VM_OF:
		ret = sys(SYS_kcmp, getpid(), scene->victim, KCMP_VM, 0, 0);
		break;
	case KCMP_FILE_OF:
		ret = sys(SYS_kcmp, getpid(), scene->victim, KCMP_FILE, me.dev,
			  scene->victim_fd);
		break;
	case MOVE_PAGES_OF:
		ret = sys(SYS_move_pages, scene->victim, 1, pages, &node,
			  &status, 2);
		break;
	case MIGRATE_OF:
		ret = sys(SYS_migrate_pages, scene->victim, 64, &nodes, &nodes);
		break;
	case MADVISE_OF:
		ret = sys(SYS_process_madvise, pidfd, &own, 1, 21, 0);
		break;
	case MRELEASE:
		ret = sys(448, pidfd, 0);
		break;
	case ROBUST_LIST_OF:
		ret = sys(SYS_get_robust_list, scene->victim, &head, &length);
		break;
	case PERF_OF:
		ret = sys(SYS_perf_event_open, &perf, scene->victim, -1, -1, 0);
		break;
	}
	close(pidfd);
	return ret;
}

static const struct route debug_routes[] = {
	AGAINST(BY_ALL, "ptrace-attach", victim_attach, 0, EPERM),
	AGAINST(BY_ALL, "ptrace-seize", victim_attach, 1, EPERM),
	AGAINST(BY_ALL, "mem-read", victim_mem, 0, EACCES),
	AGAINST(BY_ALL, "mem-write", victim_mem, 1, EACCES),
	AGAINST(BY_ALL, "process_vm_readv", victim_vm, 0, EPERM),
	AGAINST(BY_ALL, "process_vm_writev", victim_vm, 1, EPERM),
	AGAINST(BY_ALL, "pidfd_getfd-member", victim_getfd, THE_MEMBER, EPERM),
	AGAINST(BY_ALL, "pidfd_getfd-memfd", victim_getfd, ITS_MEMFD, EPERM),
	AGAINST(BY_ALL, "pidfd_getfd-pipe", victim_getfd, ITS_PIPE, EPERM),
	AGAINST(BY_ALL, "fd-member", victim_open_fd, THE_MEMBER, EACCES),
	AGAINST(BY_ALL, "fd-memfd", victim_open_fd, ITS_MEMFD, EACCES),
	AGAINST(BY_ALL, "fd-pipe", victim_open_fd, ITS_PIPE, EACCES),
	AGAINST(BY_ALL, "map_files", victim_map_files, 0, 0),
	AGAINST(BY_ALL, "kcmp-memory", victim_by_pid, KCMP_VM_OF, 0),
	AGAINST(BY_ALL, "kcmp-file", victim_by_pid, KCMP_FILE_OF, 0),
	AGAINST(BY_ALL, "move_pages", victim_by_pid, MOVE_PAGES_OF, 0),
	AGAINST(BY_ALL, "migrate_pages", victim_by_pid, MIGRATE_OF, 0),
	AGAINST(BY_ALL, "process_madvise", victim_by_pid, MADVISE_OF, 0),
	AGAINST(BY_ALL, "process_mrelease", victim_by_pid, MRELEASE, 0),
	AGAINST(BY_ALL, "get_robust_list", victim_by_pid, ROBUST_LIST_OF, 0),
	AGAINST(BY_ALL, "perf_event_open", victim_by_pid, PERF_OF, 0),
};

/* Its life: by other users, since who has the same user may signal it. */

enum by_signal { KILL, STOP, TGKILL, SIGQUEUE, PIDFD_SIGNAL, SIGIO_KILL,
	TIMER_THREAD, KILL_GROUP };

static long victim_signal(const struct attempt *a)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	int pidfd = syscall(SYS_pidfd_open, scene->victim, 0), socks[2];
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGKILL,
	};
	int timer;
	long ret = -ENOSYS;

	switch (a->route->arg) {
	case KILL:
		ret = sys(SYS_kill, scene->victim, SIGKILL);
		break;
	case STOP:
		ret = sys(SYS_kill, scene->victim, SIGSTOP);
		break;
	case TGKILL:
		ret = sys(SYS_tgkill, scene->victim, scene->sleeper, SIGUSR1);
		break;
	case SIGQUEUE:
		ret = sys(SYS_rt_sigqueueinfo, scene->victim, SIGUSR1, &info);
		break;
	case PIDFD_SIGNAL:
		ret = sys(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		break;
	case SIGIO_KILL:
		/* When a file becomes readable: its owner is told. */
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
			return -errno;
		fcntl(socks[0], F_SETSIG, SIGKILL);
		fcntl(socks[0], F_SETOWN, scene->victim);
		fcntl(socks[0], F_SETFL, O_ASYNC);
		ret = result(write(socks[1], "x", 1));
		close(socks[0]);
		close(socks[1]);
		break;
	case TIMER_THREAD:
		event._sigev_un._tid = scene->sleeper;
		ret = sys(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
		break;
	case KILL_GROUP:
		ret = sys(SYS_kill, -scene->victim, SIGKILL);
		break;
	}
	close(pidfd);
	return ret;
}

enum by_priority { PRIORITY, AFFINITY, SCHEDULER, SCHED_PARAM, SCHED_ATTR,
	IOPRIO, PGID, LIMIT_AS, LIMIT_FILES, INTO_CGROUP };

static long victim_slow_down(const struct attempt *a)
{
	struct sched_param idle = {};
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = { 48, SCHED_IDLE };
	struct rlimit none = { 0, 0 };
	unsigned long cpu = 1;
	char pid[16];

	switch (a->route->arg) {
	case PRIORITY:
		return sys(SYS_setpriority, PRIO_PROCESS, scene->victim, 19);
	case AFFINITY:
		return sys(SYS_sched_setaffinity, scene->sleeper, sizeof(cpu),
			   &cpu);
	case SCHEDULER:
		return sys(SYS_sched_setscheduler, scene->sleeper, SCHED_IDLE,
			   &idle);
	case SCHED_PARAM:
		return sys(SYS_sched_setparam, scene->sleeper, &idle);
	case SCHED_ATTR:
		return sys(SYS_sched_setattr, scene->sleeper, &attr, 0);
	case IOPRIO:
		return sys(SYS_ioprio_set, 1, scene->victim, 3 << 13);
	case PGID:
		return sys(SYS_setpgid, scene->victim, 0);
	case LIMIT_AS:
		return sys(SYS_prlimit64, scene->victim, RLIMIT_AS, &none, NULL);
	case LIMIT_FILES:
		return sys(SYS_prlimit64, scene->victim, RLIMIT_NOFILE, &none,
			   NULL);
	default:
		snprintf(pid, sizeof(pid), "%d", scene->victim);
		return write_text(CGROUP "/cgroup.procs", pid);
	}
}

static const struct route life_routes[] = {
	AGAINST(BY_UIDS, "kill", victim_signal, KILL, EPERM),
	AGAINST(BY_UIDS, "stop", victim_signal, STOP, EPERM),
	AGAINST(BY_UIDS, "signal-to-the-sleeper", victim_signal, TGKILL,
		EPERM),
	AGAINST(BY_UIDS, "sigqueue", victim_signal, SIGQUEUE, EPERM),
	AGAINST(BY_UIDS, "pidfd_send_signal", victim_signal, PIDFD_SIGNAL,
		EPERM),
	AGAINST(BY_UIDS, "kill-by-sigio", victim_signal, SIGIO_KILL, ANYHOW),
	AGAINST(BY_UIDS, "timer-to-the-sleeper", victim_signal, TIMER_THREAD,
		0),
	AGAINST(BY_UIDS, "kill-the-group", victim_signal, KILL_GROUP, 0),
	AGAINST(BY_UIDS, "setpriority", victim_slow_down, PRIORITY, 0),
	AGAINST(BY_UIDS, "sched_setaffinity", victim_slow_down, AFFINITY, 0),
	AGAINST(BY_UIDS, "sched_setscheduler", victim_slow_down, SCHEDULER, 0),
	AGAINST(BY_UIDS, "sched_setparam", victim_slow_down, SCHED_PARAM, 0),
	AGAINST(BY_UIDS, "sched_setattr", victim_slow_down, SCHED_ATTR, 0),
	AGAINST(BY_UIDS, "ioprio_set", victim_slow_down, IOPRIO, 0),
	AGAINST(BY_UIDS, "setpgid", victim_slow_down, PGID, 0),
	AGAINST(BY_UIDS, "limit-of-memory", victim_slow_down, LIMIT_AS, EPERM),
	AGAINST(BY_UIDS, "limit-of-files", victim_slow_down, LIMIT_FILES,
		EPERM),
	AGAINST(BY_UIDS, "move-to-a-cgroup", victim_slow_down, INTO_CGROUP, 0),
};

#define PTRACE_WHY							\
	"it takes the right to ptrace: another user has it not, and nobody "\
	"without CAP_SYS_PTRACE has it on a process that is not dumpable"

static const struct family process_families[] = {
	FAMILY("proc", proc_routes,
	       "what /proc has about the victim, which is not dumpable",
	       PTRACE_WHY),
	FAMILY("debug", debug_routes,
	       "to write, read, or take files, as a debugger may", PTRACE_WHY),
	FAMILY("life", life_routes,
	       "to kill, stop, slow down or confine it, by another user",
	       "the kernel's own checks: a signal takes the same user"),
};

/*
 * What ptrace allows, to the same user, on a process that is dumpable, and where
 * no LSM is in the way: the victim's hands write.  The first ones write.
 */
#define PTRACE(_name, _attack, _arg)					\
	AGAINST(IS(SAMEUID) | IS(STRANGER), _name, _attack, _arg, 0)

static const struct route ptrace_write_routes[] = {
	PTRACE("ptrace-attach", victim_attach, 0),
	PTRACE("ptrace-seize", victim_attach, 1),
	PTRACE("mem-write", victim_mem, 1),
	PTRACE("process_vm_writev", victim_vm, 1),
};

static const struct route ptrace_read_routes[] = {
	PTRACE("mem-read", victim_mem, 0),
	PTRACE("process_vm_readv", victim_vm, 0),
	PTRACE("pidfd_getfd-memfd", victim_getfd, ITS_MEMFD),
	PTRACE("fd-memfd", victim_open_fd, ITS_MEMFD),
};

/* And what it does not, since a member is an address space and no file. */
static const struct route not_ptrace_routes[] = {
	PTRACE("pidfd_getfd-member", victim_getfd, THE_MEMBER),
	PTRACE("fd-member", victim_open_fd, THE_MEMBER),
	PTRACE("map_files-of-the-member", victim_map_files, 0),
};

static const struct family ptrace_families[] = {
	FAMILY("write", ptrace_write_routes,
	       "to write the victim's window as a debugger",
	       "the victim's own mapping can be written, and who may ptrace it "
	       "can do all that it can"),
	FAMILY("read", ptrace_read_routes,
	       "to read its other memory, to take its other files", "the same"),
	FAMILY("not-even-so", not_ptrace_routes,
	       "to use the file of the victim's member",
	       "this does not work: the file is of no use in another address "
	       "space, and cannot be opened again"),
};

#endif /* SHMCHAN_ATTACK_PROCESS_H */
