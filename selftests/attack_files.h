/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_FILES_H
#define SHMCHAN_ATTACK_FILES_H

/*
 * All that can be done to a file: to a member's, whose inode is the region's,
 * and to a dma-buf of it.
 */

#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include <linux/fs.h>

#include "attack_scene.h"
#include "test_uring.h"

/* On which file: the capability, or the dma-buf. */
static int file_of(const struct attempt *a)
{
	return target_file(a->target);
}

static const char *proc_path(int fd)
{
	static char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/* Something to write. */
static const char scribble[64] = "scribble";

/*
 * One request, on a ring that is fresh.  What would wait for ever is given up:
 * a file that can be polled and never is writable keeps a write waiting.
 */
static long uring_try(struct uring *r, struct io_uring_sqe *sqe)
{
	const volatile struct io_uring_cqe *cqe = &r->cqes[0];
	unsigned int tries;

	sqe->user_data = 0x7472795f;
	r->sqes[0] = *sqe;
	r->sq_array[0] = 0;
	__atomic_store_n(r->sq_tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) != 1)
		return -errno;
	for (tries = 0; tries < 100; tries++) {
		if (cqe->user_data == sqe->user_data)
			return cqe->res;
		usleep(1000);
		syscall(SYS_io_uring_enter, r->fd, 0, 0, IORING_ENTER_GETEVENTS,
			NULL, 0);
	}
	return -ETIME;
}

enum writing { WRITE, PWRITE, WRITEV, PWRITEV2, SENDFILE_TO, SPLICE_TO,
	COPY_TO, URING_WRITE, URING_WRITEV, SENDFILE_FROM,
	SPLICE_FROM, COPY_FROM, READ_AT, LSEEK, READAHEAD };

static long file_write(const struct attempt *a)
{
	struct iovec iov = { (char *)scribble, sizeof(scribble) };
	struct io_uring_sqe sqe = { .len = sizeof(scribble),
				    .addr = ptr(scribble) };
	int fd = file_of(a), from = something(), to = something(), fds[2];
	loff_t off = window_at(WINDOW_VICTIM);
	struct uring ring;
	char got[64] = "";
	long ret;

	if (full_pipe(fds))
		return -errno;
	switch (a->route->arg) {
	case WRITE:
		ret = sys(SYS_write, fd, scribble, sizeof(scribble));
		break;
	case PWRITE:
		ret = sys(SYS_pwrite64, fd, scribble, sizeof(scribble), off);
		break;
	case WRITEV:
		ret = sys(SYS_writev, fd, &iov, 1);
		break;
	case PWRITEV2:
		ret = sys(SYS_pwritev2, fd, &iov, 1, off, 0, RWF_APPEND);
		break;
	case SENDFILE_TO:
		ret = sys(SYS_sendfile, fd, from, NULL, 64);
		break;
	case SPLICE_TO:
		ret = sys(SYS_splice, fds[0], NULL, fd, &off, 64, 0);
		if (ret == -ESPIPE)
			ret = sys(SYS_splice, fds[0], NULL, fd, NULL, 64, 0);
		break;
	case COPY_TO:
		ret = sys(SYS_copy_file_range, from, NULL, fd, &off, 64, 0);
		break;
	case URING_WRITE:
	case URING_WRITEV:
		ret = uring_setup(&ring);
		if (ret) {
			ret = -ENOSYS;
			break;
		}
		sqe.opcode = IORING_OP_WRITE;
		if (a->route->arg == URING_WRITEV) {
			sqe.opcode = IORING_OP_WRITEV;
			sqe.addr = ptr(&iov);
			sqe.len = 1;
		}
		sqe.fd = fd;
		sqe.off = off;
		ret = uring_try(&ring, &sqe);
		close(ring.fd);
		break;
	case SENDFILE_FROM:
		ret = sys(SYS_sendfile, to, fd, &off, 64);
		break;
	case SPLICE_FROM:
		ret = sys(SYS_splice, fd, &off, fds[1], NULL, 64, 0);
		if (ret == -ESPIPE)
			ret = sys(SYS_splice, fd, NULL, fds[1], NULL, 64, 0);
		break;
	case COPY_FROM:
		ret = sys(SYS_copy_file_range, fd, &off, to, NULL, 64, 0);
		break;
	case READ_AT:
		ret = sys(SYS_pread64, fd, got, sizeof(got), off);
		if (ret > 0)
			keep_loot(got, ret);
		break;
	case LSEEK:
		ret = sys(SYS_lseek, fd, off, SEEK_SET);
		break;
	default:
		ret = sys(SYS_readahead, fd, off, PAGE);
		break;
	}
	if (ret >= 0 && a->route->arg >= SENDFILE_FROM) {
		lseek(to, 0, SEEK_SET);
		if (read(to, got, sizeof(got)) == sizeof(got))
			keep_loot(got, sizeof(got));
	}
	close(from);
	close(to);
	close_both(fds);
	return ret;
}

/* Its size, its owner, its times, its attributes. */
enum changing { FTRUNCATE, FTRUNCATE_GROW, TRUNCATE_PATH, FCHMOD, CHMOD_PATH,
	FCHMODAT2, FCHOWN, CHOWN_PATH, FUTIMENS, UTIMES_PATH, SETX_USER,
	SETX_SECURITY, SETX_TRUSTED, SETX_ACL, REMOVEX, SETFLAGS, SETXATTR_IOCTL,
	VERITY, ENCRYPT, UNLINK_PATH, RENAME_PATH, LINK_PATH, LINK_EMPTY };

static long file_change(const struct attempt *a)
{
	int fd = file_of(a), flags = FS_IMMUTABLE_FL;
	const char *path = proc_path(fd);
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	struct timeval old[2] = { { 1, 0 }, { 1, 0 } };
	char attr[128] = "";

	switch (a->route->arg) {
	case FTRUNCATE:
		return sys(SYS_ftruncate, fd, 0);
	case FTRUNCATE_GROW:
		return sys(SYS_ftruncate, fd, 1L << 40);
	case TRUNCATE_PATH:
		return sys(SYS_truncate, path, 0);
	case FCHMOD:
		return sys(SYS_fchmod, fd, 0777);
	case CHMOD_PATH:
		return sys(SYS_chmod, path, 0777);
	case FCHMODAT2:
		return sys(452, fd, "", 0777, AT_EMPTY_PATH);
	case FCHOWN:
		return sys(SYS_fchown, fd, geteuid(), getegid());
	case CHOWN_PATH:
		return sys(SYS_chown, path, geteuid(), getegid());
	case FUTIMENS:
		return sys(SYS_utimensat, fd, NULL, times, 0);
	case UTIMES_PATH:
		return sys(SYS_utimes, path, old);
	case SETX_USER:
		return sys(SYS_fsetxattr, fd, "user.a", "b", 1, 0);
	case SETX_SECURITY:
		return sys(SYS_fsetxattr, fd, "security.a", "b", 1, 0);
	case SETX_TRUSTED:
		return sys(SYS_fsetxattr, fd, "trusted.a", "b", 1, 0);
	case SETX_ACL:
		attr[0] = 2;
		return sys(SYS_fsetxattr, fd, "system.posix_acl_access", attr,
			   4, 0);
	case REMOVEX:
		return sys(SYS_fremovexattr, fd, "user.a");
	case SETFLAGS:
		return sys(SYS_ioctl, fd, FS_IOC_SETFLAGS, &flags);
	case SETXATTR_IOCTL:
		return sys(SYS_ioctl, fd, FS_IOC_FSSETXATTR, attr);
	case VERITY:
		return sys(SYS_ioctl, fd, 0x40806685, attr);
	case ENCRYPT:
		return sys(SYS_ioctl, fd, 0x800c6613, attr);
	case UNLINK_PATH:
		return sys(SYS_unlink, path);
	case RENAME_PATH:
		return sys(SYS_rename, path, "/tmp/stolen");
	case LINK_PATH:
		return sys(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "/tmp/stolen",
			   AT_SYMLINK_FOLLOW);
	default:
		return sys(SYS_linkat, fd, "", AT_FDCWD, "/tmp/stolen",
			   AT_EMPTY_PATH);
	}
}

static long file_fallocate(const struct attempt *a)
{
	return sys(SYS_fallocate, file_of(a), a->route->arg,
		   window_at(WINDOW_VICTIM), scene->folio);
}

/* The same inode by another file, with other rights. */
enum reopening { REOPEN_RW, REOPEN_WRITE, REOPEN_READ, REOPEN_TRUNC, REOPEN_PATH,
	REOPEN_OPENAT2, REOPEN_MAP_FILES, REOPEN_HANDLE, REOPEN_DEV_FD,
	REOPEN_THREAD, REOPEN_URING, BIND_MOUNT, OPEN_TREE, EXECVEAT, FANOTIFY,
	INOTIFY_PATH, SETFL_RDWR };

static long use_reopened(long fd)
{
	char *p;

	if (fd < 0)
		return fd;
	p = map(fd, window_at(WINDOW_VICTIM), PAGE, RW);
	if (p != MAP_FAILED) {
		p[64] = ~p[64];
		munmap(p, PAGE);
	}
	close(fd);
	return 0;
}

static long file_reopen(const struct attempt *a)
{
	int fd = file_of(a), flags, notify;
	struct { uint64_t flags, mode, resolve; } how = { .flags = O_RDWR };
	struct { unsigned int bytes; int type; char handle[128]; } handle = {
		.bytes = sizeof(handle.handle),
	};
	const char *path = proc_path(fd);
	char *argv[] = { "x", NULL }, other[64], *p;
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = ptr(path),
		.open_flags = O_RDWR,
	};
	struct uring ring;
	long ret;
	int id;

	switch (a->route->arg) {
	case REOPEN_RW:
		return use_reopened(sys(SYS_open, path, O_RDWR));
	case REOPEN_WRITE:
		return use_reopened(sys(SYS_open, path, O_WRONLY));
	case REOPEN_READ:
		return use_reopened(sys(SYS_open, path, O_RDONLY));
	case REOPEN_TRUNC:
		return use_reopened(sys(SYS_open, path, O_RDWR | O_TRUNC));
	case REOPEN_PATH:
		/* That much is possible; then it is opened by that. */
		flags = sys(SYS_open, path, O_PATH);
		if (flags < 0)
			return flags;
		ret = sys(SYS_openat, flags, "", O_RDWR | 0x1000);
		if (ret < 0)
			ret = use_reopened(sys(SYS_open, proc_path(flags),
					       O_RDWR));
		close(flags);
		return ret;
	case REOPEN_OPENAT2:
		return use_reopened(sys(SYS_openat2, AT_FDCWD, path, &how,
					sizeof(how)));
	case REOPEN_MAP_FILES:
		p = me.own ? me.own : view(AT_VICTIM);
		if (!p)
			return -ENXIO;
		snprintf(other, sizeof(other), "/proc/self/map_files/%lx-%lx",
			 (long)p, (long)p + scene->folio);
		return use_reopened(sys(SYS_open, other, O_RDWR));
	case REOPEN_HANDLE:
		ret = sys(SYS_name_to_handle_at, fd, "", &handle, &id,
			  AT_EMPTY_PATH);
		if (ret == -EOPNOTSUPP || ret == -EOVERFLOW)
			ret = sys(SYS_name_to_handle_at, fd, "", &handle, &id,
				  AT_EMPTY_PATH | 0x200);
		if (ret < 0)
			return ret;
		return use_reopened(sys(SYS_open_by_handle_at, fd, &handle,
					O_RDWR));
	case REOPEN_DEV_FD:
		snprintf(other, sizeof(other), "/proc/%d/fd/%d", getpid(), fd);
		return use_reopened(sys(SYS_open, other, O_RDWR));
	case REOPEN_THREAD:
		snprintf(other, sizeof(other), "/proc/thread-self/fd/%d", fd);
		return use_reopened(sys(SYS_open, other, O_RDWR));
	case REOPEN_URING:
		if (uring_setup(&ring))
			return -ENOSYS;
		ret = uring_try(&ring, &sqe);
		close(ring.fd);
		return use_reopened(ret);
	case BIND_MOUNT:
		return sys(SYS_mount, path, "/tmp", NULL, MS_BIND, NULL);
	case OPEN_TREE:
		return use_reopened(sys(SYS_open_tree, fd, "",
					AT_EMPTY_PATH | 1));
	case EXECVEAT:
		return sys(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
	case FANOTIFY:
		notify = syscall(SYS_fanotify_init, 0x200, O_RDONLY);
		if (notify < 0)
			return -errno;
		ret = sys(SYS_fanotify_mark, notify, FAN_MARK_ADD, FAN_OPEN,
			  AT_FDCWD, path);
		close(notify);
		return ret;
	case INOTIFY_PATH:
		notify = inotify_init1(IN_CLOEXEC);
		ret = result(inotify_add_watch(notify, path, IN_ALL_EVENTS));
		close(notify);
		return ret;
	case SETFL_RDWR:
		/* The mode of access is not to be changed. */
		flags = fcntl(fd, F_GETFL);
		fcntl(fd, F_SETFL, O_RDWR);
		ret = fcntl(fd, F_GETFL) == flags ? -EPERM : 1;
		return ret;
	default:
		return -ENOSYS;
	}
}

/* Locks, leases, signals, seals. */
enum control { FLOCK_EX, OFD_LOCK, POSIX_LOCK, SETLEASE, DNOTIFY, ADD_SEALS,
	GET_SEALS, RW_HINT, FILE_RW_HINT, SETFL, ASYNC, SETOWN_VICTIM, SETSIG,
	PIPE_SIZE, ASYNC_IOCTL, SIZE_OF_FILE, SIZE_OF_BLOCK, FIBMAP_IOCTL, FREEZE, THAW,
	TRIM, FIEMAP, CLONE_FROM, DEDUPE, BLKFLS, RESVSP, GETFLAGS, FSYNC,
	FDATASYNC, SYNC_RANGE, SYNCFS, CACHESTAT_OF };

static long file_control(const struct attempt *a)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = file_of(a), from = something(), number = 0, flags;
	uint64_t hint = 5, range[8] = { 0, PAGE };
	char big[512] = "";
	long ret;

	switch (a->route->arg) {
	case FLOCK_EX:
		ret = sys(SYS_flock, fd, LOCK_EX | LOCK_NB);
		flock(fd, LOCK_UN);
		break;
	case OFD_LOCK:
		ret = sys(SYS_fcntl, fd, F_OFD_SETLK, &lock);
		lock.l_type = F_UNLCK;
		fcntl(fd, F_OFD_SETLK, &lock);
		break;
	case POSIX_LOCK:
		ret = sys(SYS_fcntl, fd, F_SETLK, &lock);
		lock.l_type = F_UNLCK;
		fcntl(fd, F_SETLK, &lock);
		break;
	case SETLEASE:
		ret = sys(SYS_fcntl, fd, F_SETLEASE, F_WRLCK);
		break;
	case DNOTIFY:
		ret = sys(SYS_fcntl, fd, F_NOTIFY, 0x1f);
		break;
	case ADD_SEALS:
		ret = sys(SYS_fcntl, fd, F_ADD_SEALS, 0xf);
		break;
	case GET_SEALS:
		ret = sys(SYS_fcntl, fd, F_GET_SEALS, 0);
		break;
	case RW_HINT:
		ret = sys(SYS_fcntl, fd, 1036, &hint);
		break;
	case FILE_RW_HINT:
		ret = sys(SYS_fcntl, fd, 1038, &hint);
		break;
	case SETFL:
		flags = fcntl(fd, F_GETFL);
		ret = sys(SYS_fcntl, fd, F_SETFL, O_APPEND | O_NONBLOCK |
			  O_DIRECT | O_NOATIME);
		fcntl(fd, F_SETFL, flags);
		break;
	case ASYNC:
		flags = fcntl(fd, F_GETFL);
		ret = sys(SYS_fcntl, fd, F_SETFL, O_ASYNC);
		fcntl(fd, F_SETFL, flags);
		break;
	case SETOWN_VICTIM:
		ret = sys(SYS_fcntl, fd, F_SETOWN, scene->victim);
		fcntl(fd, F_SETOWN, 0);
		break;
	case SETSIG:
		ret = sys(SYS_fcntl, fd, F_SETSIG, SIGKILL);
		fcntl(fd, F_SETSIG, 0);
		break;
	case PIPE_SIZE:
		ret = sys(SYS_fcntl, fd, F_SETPIPE_SZ, 4096);
		break;
	case ASYNC_IOCTL:
		number = 1;
		ret = sys(SYS_ioctl, fd, 0x5452, &number);
		break;
	case SIZE_OF_FILE:
		ret = sys(SYS_ioctl, fd, 0x5460, range);
		break;
	case SIZE_OF_BLOCK:
		ret = sys(SYS_ioctl, fd, 2, &number);
		break;
	case FIBMAP_IOCTL:
		ret = sys(SYS_ioctl, fd, 1, &number);
		break;
	case FREEZE:
		ret = sys(SYS_ioctl, fd, FIFREEZE, 0);
		break;
	case THAW:
		ret = sys(SYS_ioctl, fd, FITHAW, 0);
		break;
	case TRIM:
		ret = sys(SYS_ioctl, fd, FITRIM, range);
		break;
	case FIEMAP:
		ret = sys(SYS_ioctl, fd, 0xc020660b, big);
		break;
	case CLONE_FROM:
		ret = sys(SYS_ioctl, fd, FICLONE, from);
		break;
	case DEDUPE:
		range[1] = PAGE;
		ret = sys(SYS_ioctl, from, FIDEDUPERANGE, big);
		if (ret >= 0)
			ret = -EINVAL;
		break;
	case BLKFLS:
		ret = sys(SYS_ioctl, fd, BLKFLSBUF, 0);
		break;
	case RESVSP:
		ret = sys(SYS_ioctl, fd, 0x40305828, big);
		break;
	case GETFLAGS:
		ret = sys(SYS_ioctl, fd, FS_IOC_GETFLAGS, &number);
		break;
	case FSYNC:
		ret = sys(SYS_fsync, fd);
		break;
	case FDATASYNC:
		ret = sys(SYS_fdatasync, fd);
		break;
	case SYNC_RANGE:
		ret = sys(SYS_sync_file_range, fd, 0, scene->data_size, 7);
		break;
	case SYNCFS:
		ret = sys(SYS_syncfs, fd);
		break;
	case CACHESTAT_OF:
		range[0] = window_at(WINDOW_VICTIM);
		ret = sys(451, fd, range, big, 0);
		if (!ret)
			keep_loot(big, 40);
		break;
	default:
		return -ENOSYS;
	}
	close(from);
	return ret;
}

/* As something that it is not. */
enum mistaken { AS_DIRECTORY, AS_NAMESPACE, AS_PIDFD, AS_PIDFD_GETFD, AS_EPOLL,
	AS_INOTIFY, AS_TIMERFD, AS_SIGNALFD, AS_USERFAULTFD, AS_URING, AS_SOCKET,
	AS_LISTENER, AS_MQUEUE, AS_FANOTIFY, AS_FSCONFIG, AS_MODULE, AS_KEXEC,
	AS_SWAP, AS_ACCT, AS_ROOT, AS_LANDLOCK, AS_SECCOMP, AS_PERF, AS_DMABUF,
	AS_TTY, AS_LOOP, AS_QUOTA, AS_VMSPLICE };

static long file_mistaken(const struct attempt *a)
{
	struct itimerspec timer = {};
	struct epoll_event event = {};
	struct uffdio_api api = { .api = UFFD_API };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_RW };
	struct iovec iov = { (char *)scribble, sizeof(scribble) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	char page[256] = "";
	uint64_t set = 0;
	int fd = file_of(a);

	switch (a->route->arg) {
	case AS_DIRECTORY:
		return sys(SYS_fchdir, fd);
	case AS_NAMESPACE:
		return sys(SYS_setns, fd, 0);
	case AS_PIDFD:
		return sys(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
	case AS_PIDFD_GETFD:
		return sys(SYS_pidfd_getfd, fd, 0, 0);
	case AS_EPOLL:
		return sys(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, me.dev, &event);
	case AS_INOTIFY:
		return sys(SYS_inotify_add_watch, fd, "/", IN_OPEN);
	case AS_TIMERFD:
		return sys(SYS_timerfd_settime, fd, 0, &timer, NULL);
	case AS_SIGNALFD:
		return sys(SYS_signalfd4, fd, &set, 8, 0);
	case AS_USERFAULTFD:
		return sys(SYS_ioctl, fd, UFFDIO_API, &api);
	case AS_URING:
		return sys(SYS_io_uring_enter, fd, 1, 0, 0, NULL, 0);
	case AS_SOCKET:
		return sys(SYS_sendmsg, fd, &msg, 0);
	case AS_LISTENER:
		return sys(SYS_accept4, fd, NULL, NULL, 0);
	case AS_MQUEUE:
		return sys(SYS_mq_timedsend, fd, "x", 1, 0, NULL);
	case AS_FANOTIFY:
		return sys(SYS_fanotify_mark, fd, FAN_MARK_ADD, FAN_OPEN,
			   AT_FDCWD, "/");
	case AS_FSCONFIG:
		return sys(SYS_fsconfig, fd, 0, "ro", NULL, 0);
	case AS_MODULE:
		return sys(SYS_finit_module, fd, "", 0);
	case AS_KEXEC:
		return sys(SYS_kexec_file_load, fd, fd, 0, "", 0);
	case AS_SWAP:
		return sys(SYS_swapon, proc_path(fd), 0);
	case AS_ACCT:
		return sys(SYS_acct, proc_path(fd));
	case AS_ROOT:
		return sys(SYS_chroot, proc_path(fd));
	case AS_LANDLOCK:
		return sys(SYS_landlock_restrict_self, fd, 0);
	case AS_SECCOMP:
		return sys(SYS_ioctl, fd, 0xc0502100, page);
	case AS_PERF:
		return sys(SYS_ioctl, fd, 0x2400, 0);
	case AS_DMABUF:
		return sys(SYS_ioctl, fd, DMA_BUF_IOCTL_SYNC, &sync);
	case AS_TTY:
		return sys(SYS_ioctl, fd, 0x5412, "x");
	case AS_LOOP:
		return sys(SYS_ioctl, fd, 0x4c00, fd);
	case AS_QUOTA:
		return sys(443, fd, 0, 0, page);
	case AS_VMSPLICE:
		return sys(SYS_vmsplice, fd, &iov, 1, 0);
	default:
		return -ENOSYS;
	}
}

/* Numbers that no call has, or has in another form. */
static long file_unknown_calls(const struct attempt *a)
{
	uint32_t arg[1024] = { sizeof(arg) };
	static const unsigned char known[] = {
		0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x40,
		0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
	};
	unsigned int nr;
	long ret = -ENOTTY;

	for (nr = 0; nr < 256 && ret == -ENOTTY; nr++) {
		if (a->route->arg == 0 && memchr(known, nr, sizeof(known)))
			continue;
		ret = sys(SYS_ioctl, file_of(a),
			  a->route->arg == 0 ? _IO(SHMCHAN_IOC_TYPE, nr) :
			  a->route->arg == 1 ?
			  _IOC(_IOC_READ | _IOC_WRITE, SHMCHAN_IOC_TYPE, nr,
			       64) :
			  _IO(SHMCHAN_IOC_TYPE - 1, nr), arg);
	}
	return ret;
}

static long file_uring(const struct attempt *a)
{
	struct io_uring_sqe sqe = {
		.opcode = a->route->arg, .fd = file_of(a),
		.len = PAGE, .off = 0, .addr = ptr(scribble),
	};
	struct uring ring;
	long ret;

	if (uring_setup(&ring))
		return -ENOSYS;
	switch (a->route->arg) {
	case IORING_OP_FALLOCATE:
		sqe.addr = PAGE;
		sqe.len = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
		break;
	case IORING_OP_FADVISE:
		sqe.addr = 0;
		sqe.fadvise_advice = POSIX_FADV_DONTNEED;
		break;
	case IORING_OP_URING_CMD:
		sqe.addr = 0;
		sqe.len = 0;
		sqe.off = SHMCHAN_IOC_LEAVE;
		break;
	case IORING_OP_SYNC_FILE_RANGE:
	case IORING_OP_FSYNC:
		sqe.addr = 0;
		break;
	case IORING_OP_SENDMSG:
	case IORING_OP_ACCEPT:
		sqe.len = 0;
		break;
	}
	ret = uring_try(&ring, &sqe);
	close(ring.fd);
	return ret;
}

/* The same file in the table of a ring. */
static long file_registered(const struct attempt *a)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_WRITE, .fd = 0, .len = 64,
		.addr = ptr(scribble), .flags = IOSQE_FIXED_FILE,
	};
	int files[1] = { file_of(a) };
	struct uring ring;
	long ret;

	if (uring_setup(&ring))
		return -ENOSYS;
	ret = sys(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, files,
		  1);
	if (!ret)
		ret = uring_try(&ring, &sqe);
	close(ring.fd);
	return ret;
}

#define FILE_ROLES	(IS(MEMBER) | IS(READER) | IS(PASSED) | IS(UNJOINED))

/* A dma-buf has an inode of its own, of which its holder may change a little. */
#define ON_FILE(_name, _attack, _arg, _want)				\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = FILE_ROLES, .targets = ONLY, .want = (_want) },	\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = IS(STRANGER), .targets = ALL_OF(DMABUF),		\
	  .want = ANYHOW }

static const struct route file_write_routes[] = {
	ON_FILE("write", file_write, WRITE, 0),
	ON_FILE("pwrite", file_write, PWRITE, 0),
	ON_FILE("writev", file_write, WRITEV, 0),
	ON_FILE("pwritev2-append", file_write, PWRITEV2, 0),
	ON_FILE("sendfile", file_write, SENDFILE_TO, 0),
	ON_FILE("splice", file_write, SPLICE_TO, 0),
	ON_FILE("copy_file_range", file_write, COPY_TO, 0),
	ON_FILE("io_uring-write", file_write, URING_WRITE, 0),
	ON_FILE("io_uring-writev", file_write, URING_WRITEV, 0),
	ON_FILE("io_uring-registered", file_registered, 0, 0),
	ON_FILE("sendfile-from", file_write, SENDFILE_FROM, 0),
	ON_FILE("splice-from", file_write, SPLICE_FROM, 0),
	ON_FILE("copy_file_range-from", file_write, COPY_FROM, 0),
	ON_FILE("pread", file_write, READ_AT, 0),
	ON_FILE("lseek", file_write, LSEEK, 0),
	ON_FILE("readahead", file_write, READAHEAD, 0),
};

static const struct route file_change_routes[] = {
	ON_FILE("ftruncate", file_change, FTRUNCATE, 0),
	ON_FILE("ftruncate-larger", file_change, FTRUNCATE_GROW, 0),
	ON_FILE("truncate-by-path", file_change, TRUNCATE_PATH, 0),
	ON_FILE("fchmod", file_change, FCHMOD, 0),
	ON_FILE("chmod-by-path", file_change, CHMOD_PATH, 0),
	ON_FILE("fchmodat2", file_change, FCHMODAT2, 0),
	ON_FILE("fchown", file_change, FCHOWN, 0),
	ON_FILE("chown-by-path", file_change, CHOWN_PATH, 0),
	ON_FILE("futimens", file_change, FUTIMENS, 0),
	ON_FILE("utimes-by-path", file_change, UTIMES_PATH, 0),
	ON_FILE("fsetxattr-user", file_change, SETX_USER, 0),
	ON_FILE("fsetxattr-security", file_change, SETX_SECURITY, 0),
	ON_FILE("fsetxattr-trusted", file_change, SETX_TRUSTED, 0),
	ON_FILE("fsetxattr-acl", file_change, SETX_ACL, 0),
	ON_FILE("fremovexattr", file_change, REMOVEX, 0),
	ON_FILE("setflags", file_change, SETFLAGS, 0),
	ON_FILE("fssetxattr", file_change, SETXATTR_IOCTL, 0),
	ON_FILE("verity", file_change, VERITY, 0),
	ON_FILE("encryption", file_change, ENCRYPT, 0),
	ON_FILE("unlink-by-path", file_change, UNLINK_PATH, 0),
	ON_FILE("rename-by-path", file_change, RENAME_PATH, 0),
	ON_FILE("link-by-path", file_change, LINK_PATH, 0),
	ON_FILE("link", file_change, LINK_EMPTY, 0),
	ON_FILE("fallocate", file_fallocate, 0, 0),
	ON_FILE("fallocate-keep-size", file_fallocate, 1, 0),
	ON_FILE("fallocate-punch-hole", file_fallocate, 3, 0),
	ON_FILE("fallocate-collapse", file_fallocate, 8, 0),
	ON_FILE("fallocate-zero", file_fallocate, 16, 0),
	ON_FILE("fallocate-insert", file_fallocate, 32, 0),
	ON_FILE("fallocate-unshare", file_fallocate, 64, 0),
};

static const struct route reopen_routes[] = {
	ON_FILE("read-write", file_reopen, REOPEN_RW, EACCES),
	ON_FILE("write", file_reopen, REOPEN_WRITE, EACCES),
	ON_FILE("read", file_reopen, REOPEN_READ, EACCES),
	ON_FILE("truncate", file_reopen, REOPEN_TRUNC, EACCES),
	ON_FILE("by-o_path", file_reopen, REOPEN_PATH, 0),
	ON_FILE("openat2", file_reopen, REOPEN_OPENAT2, EACCES),
	ON_FILE("map_files", file_reopen, REOPEN_MAP_FILES, 0),
	ON_FILE("handle", file_reopen, REOPEN_HANDLE, 0),
	ON_FILE("by-pid", file_reopen, REOPEN_DEV_FD, EACCES),
	ON_FILE("by-thread", file_reopen, REOPEN_THREAD, EACCES),
	ON_FILE("by-io_uring", file_reopen, REOPEN_URING, EACCES),
	ON_FILE("bind-mount", file_reopen, BIND_MOUNT, 0),
	ON_FILE("open_tree", file_reopen, OPEN_TREE, 0),
	ON_FILE("execveat", file_reopen, EXECVEAT, 0),
	ON_FILE("fanotify", file_reopen, FANOTIFY, 0),
	ON_FILE("inotify", file_reopen, INOTIFY_PATH, EACCES),
	ON_FILE("setfl", file_reopen, SETFL_RDWR, 0),
};

static const struct route file_control_routes[] = {
	ON_FILE("flock", file_control, FLOCK_EX, ANYHOW),
	ON_FILE("ofd-lock", file_control, OFD_LOCK, ANYHOW),
	ON_FILE("posix-lock", file_control, POSIX_LOCK, ANYHOW),
	ON_FILE("lease", file_control, SETLEASE, 0),
	ON_FILE("dnotify", file_control, DNOTIFY, 0),
	ON_FILE("add-seals", file_control, ADD_SEALS, 0),
	ON_FILE("get-seals", file_control, GET_SEALS, 0),
	ON_FILE("write-hint", file_control, RW_HINT, ANYHOW),
	ON_FILE("file-write-hint", file_control, FILE_RW_HINT, ANYHOW),
	ON_FILE("setfl", file_control, SETFL, ANYHOW),
	ON_FILE("async", file_control, ASYNC, ANYHOW),
	ON_FILE("owner-victim", file_control, SETOWN_VICTIM, ANYHOW),
	ON_FILE("signal-kill", file_control, SETSIG, ANYHOW),
	ON_FILE("pipe-size", file_control, PIPE_SIZE, 0),
	ON_FILE("fioasync", file_control, ASYNC_IOCTL, 0),
	ON_FILE("fioqsize", file_control, SIZE_OF_FILE, 0),
	ON_FILE("figetbsz", file_control, SIZE_OF_BLOCK, ANYHOW),
	ON_FILE("fibmap", file_control, FIBMAP_IOCTL, 0),
	ON_FILE("freeze", file_control, FREEZE, 0),
	ON_FILE("thaw", file_control, THAW, 0),
	ON_FILE("trim", file_control, TRIM, 0),
	ON_FILE("fiemap", file_control, FIEMAP, 0),
	ON_FILE("reflink", file_control, CLONE_FROM, 0),
	ON_FILE("dedupe", file_control, DEDUPE, 0),
	ON_FILE("flush-buffers", file_control, BLKFLS, 0),
	ON_FILE("reserve-space", file_control, RESVSP, 0),
	ON_FILE("getflags", file_control, GETFLAGS, 0),
	ON_FILE("fsync", file_control, FSYNC, 0),
	ON_FILE("fdatasync", file_control, FDATASYNC, 0),
	ON_FILE("sync_file_range", file_control, SYNC_RANGE, 0),
	ON_FILE("syncfs", file_control, SYNCFS, ANYHOW),
	ON_FILE("cachestat", file_control, CACHESTAT_OF, ANYHOW),
	ON_FILE("unknown-calls", file_unknown_calls, 0, ENOTTY),
	ON_FILE("calls-with-a-size", file_unknown_calls, 1, ENOTTY),
	ON_FILE("another's-calls", file_unknown_calls, 2, ENOTTY),
};

static const struct route mistaken_routes[] = {
	ON_FILE("directory", file_mistaken, AS_DIRECTORY, 0),
	ON_FILE("namespace", file_mistaken, AS_NAMESPACE, 0),
	ON_FILE("pidfd", file_mistaken, AS_PIDFD, 0),
	ON_FILE("pidfd_getfd", file_mistaken, AS_PIDFD_GETFD, 0),
	ON_FILE("epoll", file_mistaken, AS_EPOLL, 0),
	ON_FILE("inotify", file_mistaken, AS_INOTIFY, 0),
	ON_FILE("timerfd", file_mistaken, AS_TIMERFD, 0),
	ON_FILE("signalfd", file_mistaken, AS_SIGNALFD, 0),
	ON_FILE("userfaultfd", file_mistaken, AS_USERFAULTFD, 0),
	ON_FILE("io_uring", file_mistaken, AS_URING, 0),
	ON_FILE("socket", file_mistaken, AS_SOCKET, 0),
	ON_FILE("listener", file_mistaken, AS_LISTENER, 0),
	ON_FILE("mqueue", file_mistaken, AS_MQUEUE, 0),
	ON_FILE("fanotify", file_mistaken, AS_FANOTIFY, 0),
	ON_FILE("fsconfig", file_mistaken, AS_FSCONFIG, 0),
	ON_FILE("module", file_mistaken, AS_MODULE, 0),
	ON_FILE("kexec", file_mistaken, AS_KEXEC, 0),
	ON_FILE("swap", file_mistaken, AS_SWAP, 0),
	ON_FILE("accounting", file_mistaken, AS_ACCT, 0),
	ON_FILE("root", file_mistaken, AS_ROOT, 0),
	ON_FILE("landlock", file_mistaken, AS_LANDLOCK, 0),
	ON_FILE("seccomp", file_mistaken, AS_SECCOMP, 0),
	ON_FILE("perf", file_mistaken, AS_PERF, 0),
	ON_FILE("dma-buf", file_mistaken, AS_DMABUF, 0),
	ON_FILE("terminal", file_mistaken, AS_TTY, 0),
	ON_FILE("loop", file_mistaken, AS_LOOP, 0),
	ON_FILE("quota", file_mistaken, AS_QUOTA, 0),
	ON_FILE("pipe", file_mistaken, AS_VMSPLICE, 0),
};

static const struct route file_uring_routes[] = {
	ON_FILE("fallocate", file_uring, IORING_OP_FALLOCATE, 0),
	ON_FILE("fadvise", file_uring, IORING_OP_FADVISE, ANYHOW),
	ON_FILE("fsync", file_uring, IORING_OP_FSYNC, 0),
	ON_FILE("sync-range", file_uring, IORING_OP_SYNC_FILE_RANGE, 0),
	ON_FILE("command", file_uring, IORING_OP_URING_CMD, 0),
	ON_FILE("send", file_uring, IORING_OP_SEND, 0),
	ON_FILE("recv", file_uring, IORING_OP_RECV, 0),
	ON_FILE("sendmsg", file_uring, IORING_OP_SENDMSG, 0),
	ON_FILE("accept", file_uring, IORING_OP_ACCEPT, 0),
	ON_FILE("connect", file_uring, IORING_OP_CONNECT, 0),
	ON_FILE("splice", file_uring, IORING_OP_SPLICE, 0),
	ON_FILE("tee", file_uring, IORING_OP_TEE, 0),
	ON_FILE("fsetxattr", file_uring, IORING_OP_FSETXATTR, 0),
	ON_FILE("msg-ring", file_uring, IORING_OP_MSG_RING, 0),
};

static const struct family file_families[] = {
	FAMILY("write", file_write_routes,
	       "to write and read the region by its file",
	       "the file has neither a ->write_iter nor a ->splice_read; read(2) "
	       "gives a member its doorbells' events and nothing else"),
	FAMILY("change", file_change_routes,
	       "to change the inode: its size, owner, mode, times, attributes, "
	       "names, blocks",
	       "->setattr and ->permission refuse everything to everybody, and "
	       "it is no regular file"),
	FAMILY("reopen", reopen_routes,
	       "another file on the same inode, with more access; watches on it",
	       "->permission of the inode refuses; it has no ->open, no handle "
	       "and no name in any tree"),
	FAMILY("control", file_control_routes,
	       "locks, leases, signals, seals, flushing, unknown calls",
	       "what is not refused is about the caller's own file, and nothing "
	       "in the module looks at it"),
	FAMILY("mistaken", mistaken_routes,
	       "the file where a file of another kind is expected",
	       "who takes a file looks at what kind it is"),
	FAMILY("io_uring", file_uring_routes,
	       "the operations of io_uring on the file",
	       "they end in the same functions; ->uring_cmd knows RING and WAIT"),
};

#endif /* SHMCHAN_ATTACK_FILES_H */
