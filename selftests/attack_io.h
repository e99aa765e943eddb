/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_IO_H
#define SHMCHAN_ATTACK_IO_H

/* I/O that gets hold of pages: rings, pipes, devices; and dma-bufs. */

#include <sys/sendfile.h>

#include <linux/dma-buf.h>

#include "attack_scene.h"

#ifndef DMA_BUF_SET_NAME_B
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)
#endif

enum pinning { REGISTER, REGISTER_SPARSE, PBUF_RING, RING_MEMORY, FIXED_OUTSIDE,
	FIXED_ACROSS, EVENTFD_OF_RING, EVENTFD_OF_AIO, XDP_UMEM };

static long io_xdp_umem(char *p)
{
	struct { uint64_t addr, len; uint32_t chunk, headroom, flags, pad; } reg = {
		ptr(p), PAGE, PAGE, 0, 0, 0,
	};
	long ret;
	int fd;

	/* In a network of its own it may. */
	if (peer_unshare(CLONE_NEWUSER | CLONE_NEWNET, 0))
		return -ENOSYS;
	fd = socket(44, SOCK_RAW, 0);
	if (fd < 0)
		return -ENOSYS;
	ret = result(setsockopt(fd, 283, 4, &reg, sizeof(reg)));
	close(fd);
	return ret;
}

static long io_pin(const struct attempt *a)
{
	char *p = view(a->target), *own = me.own;
	struct iovec seen = { p, PAGE }, mine = { own, PAGE };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED, .len = 64,
	};
	struct { uint64_t addr; uint32_t entries; uint16_t bgid, flags;
		 uint64_t resv[3]; } pbuf = { ptr(p), 8, 1, 0, { 0 } };
	struct io_uring_params params = { .flags = 1U << 14 };
	struct { uint32_t nr, flags; uint64_t resv, data, tags; } sparse = {
		1, 0, 0, ptr(&seen), 0,
	};
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD, .aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = me.fd, .aio_nbytes = 64, .aio_buf = ptr(own),
	}, *cbs[1] = { &cb };
	aio_context_t ctx = 0;
	struct uring ring;
	long ret;

	if (a->route->arg == XDP_UMEM)
		return io_xdp_umem(p);
	if (uring_setup(&ring))
		return -ENOSYS;
	sqe.fd = something();
	switch (a->route->arg) {
	case REGISTER:
		ret = uring_register(&ring, &seen, 1);
		break;
	case REGISTER_SPARSE:
		ret = sys(SYS_io_uring_register, ring.fd, 15, &sparse,
			  sizeof(sparse));
		break;
	case PBUF_RING:
		ret = sys(SYS_io_uring_register, ring.fd, 22, &pbuf, 1);
		break;
	case RING_MEMORY:
		/* Its rings, in the victim's window. */
		*(uint64_t *)((char *)&params.sq_off + 32) = ptr(p);
		*(uint64_t *)((char *)&params.cq_off + 32) = ptr(p);
		ret = sys(SYS_io_uring_setup, 4, &params);
		break;
	case FIXED_OUTSIDE:
	case FIXED_ACROSS:
		ret = uring_register(&ring, &mine, 1);
		if (ret) {
			ret = ret == -EOPNOTSUPP ? -ENOSYS : ret;
			break;
		}
		sqe.addr = a->route->arg == FIXED_OUTSIDE ?
			   ptr(p) : ptr(own) + PAGE - 32;
		ret = uring_try(&ring, &sqe);
		break;
	case EVENTFD_OF_RING:
		ret = sys(SYS_io_uring_register, ring.fd, 4, &me.fd, 1);
		break;
	default:
		cb.aio_fildes = sqe.fd;
		if (syscall(SYS_io_setup, 4, &ctx))
			return -ENOSYS;
		ret = sys(SYS_io_submit, ctx, 1, cbs);
		syscall(SYS_io_destroy, ctx);
		break;
	}
	close(sqe.fd);
	close(ring.fd);
	return ret;
}

/* Pages in a pipe: written by what is written to the pipe, or given away. */
enum piping { DIRTY_PIPE, DIRTY_PIPE_TEE, GIFT, GIFT_TO_FILE, MOVE_TO_FILE,
	TO_SOCKET };

static long io_pipe(const struct attempt *a)
{
	char *p = view(a->target);
	struct iovec iov = { p + 64, 1 }, page = { p, PAGE };
	int fds[2], more[2], file, socks[2];
	char got[64];
	long ret;

	if (pipe(fds) || pipe(more))
		return -errno;
	file = memfd_create("stolen", MFD_CLOEXEC);
	switch (a->route->arg) {
	case DIRTY_PIPE:
	case DIRTY_PIPE_TEE:
		/* A byte of the page; what is written next may join it. */
		ret = sys(SYS_vmsplice, fds[1], &iov, 1, 0);
		if (ret < 0)
			break;
		if (a->route->arg == DIRTY_PIPE_TEE) {
			ret = sys(SYS_tee, fds[0], more[1], 1, 0);
			ret = result(write(more[1], "dirty pipe", 10));
		}
		ret = result(write(fds[1], "dirty pipe", 10));
		break;
	case GIFT:
	case GIFT_TO_FILE:
	case MOVE_TO_FILE:
		ret = sys(SYS_vmsplice, fds[1], &page, 1, a->route->arg ==
			  MOVE_TO_FILE ? 0 : 8);
		if (ret < 0 || a->route->arg == GIFT)
			break;
		ret = sys(SYS_splice, fds[0], NULL, file, NULL, PAGE, 1);
		/* If the page has moved there, this writes to it. */
		if (pwrite(file, "stolen page", 11, 64) != 11)
			ret = -EIO;
		break;
	case TO_SOCKET:
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
			return -errno;
		ret = sys(SYS_vmsplice, fds[1], &page, 1, 0);
		if (ret > 0)
			ret = sys(SYS_splice, fds[0], NULL, socks[0], NULL, 64,
				  0);
		if (ret > 0)
			ret = result(read(socks[1], got, sizeof(got)));
		close(socks[0]);
		close(socks[1]);
		break;
	default:
		ret = -ENOSYS;
		break;
	}
	close_both(fds);
	close_both(more);
	close(file);
	return ret;
}

/* What was its own window is the victim's when the answer comes. */
enum pending { PENDING_READ, PENDING_URING, PENDING_WAIT, PENDING_RECV };

static struct {
	long how;
	char *at;
	int fd;
	volatile long ret;
	struct shmchan_wait_elem elem;
} pending;

static void *pending_thread(void *arg)
{
	struct iovec iov = { pending.at, 64 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	(void)arg;
	switch (pending.how) {
	case PENDING_READ:
		pending.ret = result(read(pending.fd, pending.at, 64));
		break;
	case PENDING_RECV:
		pending.ret = result(recvmsg(pending.fd, &msg, 0));
		break;
	case PENDING_WAIT:
		pending.ret = call(me.fd, SHMCHAN_IOC_WAIT, pending.at);
		break;
	}
	return NULL;
}

static long io_pending(const struct attempt *a)
{
	char *p = map(me.fd, target_at(AT_OWN, a->role), scene->folio, RW);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_READ, .len = 64 };
	struct shmchan_wait *w;
	struct uring u;
	pthread_t thread;
	int fds[2];
	long ret;

	if (p == MAP_FAILED)
		return -errno;
	if (a->route->arg == PENDING_RECV ?
	    socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds))
		return -errno;
	pending.how = a->route->arg;
	pending.at = p + 64;
	pending.fd = fds[0];
	pending.ret = PEER_BUSY;
	*pending.at = 0;
	if (a->route->arg == PENDING_WAIT) {
		w = (void *)pending.at;
		pending.elem = elem64(-1, BELL_OF(SLOT_MEMBER),
				      target_at(AT_OWN_CONTROL, a->role) +
				      PAGE - 8, 0);
		*(volatile uint64_t *)(me.own_control + PAGE - 8) = 0;
		*w = (struct shmchan_wait) {
			.size = sizeof(*w), .elems = ptr(&pending.elem),
			.nr_elems = 1, .clockid = CLOCK_MONOTONIC,
			.deadline = SHMCHAN_FOREVER, .index = 7,
		};
	}
	if (a->route->arg == PENDING_URING) {
		if (uring_setup(&u))
			return -ENOSYS;
		sqe.fd = fds[0];
		sqe.addr = ptr(pending.at);
		u.sqes[0] = sqe;
		u.sq_array[0] = 0;
		__atomic_store_n(u.sq_tail, 1, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, u.fd, 1, 0, 0, NULL, 0) != 1)
			return -errno;
	} else if (pthread_create(&thread, NULL, pending_thread, NULL)) {
		return -EAGAIN;
	}
	usleep(20000);
	if (mmap(p, scene->folio, PROT_READ, MAP_SHARED | MAP_FIXED, me.fd,
		 target_at(AT_VICTIM, a->role)) == MAP_FAILED)
		return -errno;
	if (a->route->arg == PENDING_WAIT) {
		*(volatile uint64_t *)(me.own_control + PAGE - 8) = 1;
		ring(me.fd, BELL_OF(SLOT_MEMBER), 0);
	} else if (write(fds[1], "pending pending ", 16) != 16) {
		return -errno;
	}
	if (a->route->arg == PENDING_URING) {
		syscall(SYS_io_uring_enter, u.fd, 0, 1,
			IORING_ENTER_GETEVENTS, NULL, 0);
		ret = u.cqes[0].res;
		close(u.fd);
	} else {
		pthread_join(thread, NULL);
		ret = pending.ret;
	}
	close_both(fds);
	munmap(p, scene->folio);
	return ret;
}

#define PIN_AT(_roles, _targets, _name, _attack, _arg, _want, ...)	\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = (_roles), .targets = (_targets), .want = (_want),	\
	  __VA_ARGS__ }
#define SEEN_BY_RING	(ALL_OF(VICTIM) | ALL_OF(VICTIM_CONTROL) |	\
			 ALL_OF(STATUS) | ALL_OF(DMABUF))

static const struct route pin_routes[] = {
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "register", io_pin,
	       REGISTER, 0),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "register-2", io_pin,
	       REGISTER_SPARSE, 0),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "buffer-ring", io_pin,
	       PBUF_RING, 0),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "ring-itself", io_pin,
	       RING_MEMORY, 0),
	PIN_AT(IS(MEMBER), SEEN_BY_RING, "fixed-buffer-elsewhere", io_pin,
	       FIXED_OUTSIDE, 0),
	PIN_AT(IS(MEMBER), ALL_OF(VICTIM), "fixed-buffer-and-next", io_pin,
	       FIXED_ACROSS, 0),
	PIN_AT(IS(MEMBER), ALL_OF(VICTIM), "eventfd-of-a-ring", io_pin,
	       EVENTFD_OF_RING, 0),
	PIN_AT(IS(MEMBER), ALL_OF(VICTIM), "eventfd-of-aio", io_pin,
	       EVENTFD_OF_AIO, 0),
	PIN_AT(IS(MEMBER), ALL_OF(VICTIM) | ALL_OF(VICTIM_CONTROL),
	       "packet-memory", io_pin, XDP_UMEM, 0, .flags = SPOILS),
};

static const struct route pipe_routes[] = {
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "dirty-pipe", io_pipe,
	       DIRTY_PIPE, ANYHOW),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "dirty-pipe-by-tee",
	       io_pipe, DIRTY_PIPE_TEE, ANYHOW),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "gift", io_pipe, GIFT,
	       ANYHOW),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "gift-to-a-file",
	       io_pipe, GIFT_TO_FILE, ANYHOW),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "move-to-a-file",
	       io_pipe, MOVE_TO_FILE, ANYHOW),
	PIN_AT(IS(MEMBER) | IS(READER), SEEN_BY_RING, "to-a-socket", io_pipe,
	       TO_SOCKET, ANYHOW),
};

#define PENDING(_name, _how)						\
	PIN_AT(IS(MEMBER), ALL_OF(VICTIM), _name, io_pending, _how, EFAULT)

static const struct route pending_routes[] = {
	PENDING("read", PENDING_READ),
	PENDING("recvmsg", PENDING_RECV),
	PENDING("io_uring", PENDING_URING),
	PENDING("wait", PENDING_WAIT),
};

/* A dma-buf in the hands of a process that is no member at all. */

enum with_dmabuf { MAP_BEYOND, MAP_LONGER, MAP_NEGATIVE, SYNC_WRITE, SYNC_BAD,
	NAME_IT, SYNC_FILE_EXPORT, SYNC_FILE_IMPORT, SEEK_BEYOND, CALL_LEAVE,
	CALL_RING, CALL_QUERY, CALL_JOIN, CALL_MINT, MAP_CHILD, WAIT_ELEM,
	MAP_FILES_OF };

static long io_dmabuf(const struct attempt *a)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	};
	struct { uint32_t flags; int32_t fd; } file = { 3, -1 };
	struct shmchan_wait_elem e = loud(BELL_COMMON, scene->status);
	struct shmchan_query q;
	char *p, path[96];
	int fd = me.dmabuf, status;
	pid_t pid;
	long ret;

	switch (a->route->arg) {
	case MAP_BEYOND:
		return -map_error(fd, scene->folio, PAGE, PROT_READ,
				  MAP_SHARED);
	case MAP_LONGER:
		return -map_error(fd, 0, scene->folio + PAGE, PROT_READ,
				  MAP_SHARED);
	case MAP_NEGATIVE:
		return -map_error(fd, -(int64_t)PAGE, 2 * PAGE, PROT_READ,
				  MAP_SHARED);
	case SYNC_WRITE:
		ret = sys(SYS_ioctl, fd, DMA_BUF_IOCTL_SYNC, &sync);
		sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
		ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
		return ret;
	case SYNC_BAD:
		sync.flags = ~0ULL;
		return sys(SYS_ioctl, fd, DMA_BUF_IOCTL_SYNC, &sync);
	case NAME_IT:
		return sys(SYS_ioctl, fd, DMA_BUF_SET_NAME_B, "attacked");
	case SYNC_FILE_EXPORT:
		ret = sys(SYS_ioctl, fd, _IOWR(DMA_BUF_BASE, 2, uint64_t),
			  &file);
		if (!ret)
			close(file.fd);
		return ret;
	case SYNC_FILE_IMPORT:
		return sys(SYS_ioctl, fd, _IOW(DMA_BUF_BASE, 3, uint64_t),
			   &file);
	case SEEK_BEYOND:
		return sys(SYS_lseek, fd, 2 * scene->folio, SEEK_SET);
	case CALL_LEAVE:
		return leave(fd);
	case CALL_RING:
		return ring(fd, BELL_VICTIM, 0);
	case CALL_QUERY:
		return query(fd, &q);
	case CALL_JOIN:
		return join(fd, SLOT_SPARE);
	case CALL_MINT:
		return mint(fd, SHMCHAN_RIGHT_MAP_READ);
	case MAP_CHILD:
		p = map(fd, 0, PAGE, PROT_READ);
		pid = fork();
		if (!pid)
			_exit(mprotect(p, PAGE, RW) && probe_write(p + 64));
		waitpid(pid, &status, 0);
		munmap(p, PAGE);
		return WIFEXITED(status) && WEXITSTATUS(status) ? -EACCES : 1;
	case WAIT_ELEM:
		e.fd = fd;
		return wait_until(me.fd, &e, 1, 1);
	case MAP_FILES_OF:
		p = map(fd, 0, scene->folio, PROT_READ);
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
			 (long)p, (long)p + scene->folio);
		ret = use_reopened(sys(SYS_open, path, O_RDWR));
		munmap(p, scene->folio);
		return ret;
	}
	return -ENOSYS;
}

#define DMABUF_BY(_roles, _name, _arg, _want)				\
	PIN_AT(_roles, ALL_OF(DMABUF), _name, io_dmabuf, _arg, _want,	\
	       .flags = MAY_READ)
#define HOLDERS	(IS(STRANGER) | IS(GUEST) | IS(RANGE))

static const struct route dmabuf_routes[] = {
	DMABUF_BY(HOLDERS, "mmap-beyond", MAP_BEYOND, EINVAL),
	DMABUF_BY(HOLDERS, "mmap-longer", MAP_LONGER, EINVAL),
	DMABUF_BY(HOLDERS, "mmap-negative", MAP_NEGATIVE, 0),
	DMABUF_BY(HOLDERS, "sync-for-writing", SYNC_WRITE, ANYHOW),
	DMABUF_BY(HOLDERS, "sync-for-anything", SYNC_BAD, EINVAL),
	DMABUF_BY(HOLDERS, "name", NAME_IT, ANYHOW),
	DMABUF_BY(HOLDERS, "export-fences", SYNC_FILE_EXPORT, ANYHOW),
	DMABUF_BY(HOLDERS, "import-fences", SYNC_FILE_IMPORT, 0),
	DMABUF_BY(HOLDERS, "lseek-beyond", SEEK_BEYOND, EINVAL),
	DMABUF_BY(HOLDERS, "leave", CALL_LEAVE, ENOTTY),
	DMABUF_BY(HOLDERS, "ring", CALL_RING, ENOTTY),
	DMABUF_BY(HOLDERS, "query", CALL_QUERY, ENOTTY),
	DMABUF_BY(HOLDERS, "join", CALL_JOIN, ENOTTY),
	DMABUF_BY(HOLDERS, "mint", CALL_MINT, ENOTTY),
	DMABUF_BY(HOLDERS, "write-in-a-child", MAP_CHILD, EACCES),
	DMABUF_BY(HOLDERS, "map_files", MAP_FILES_OF, 0),
	DMABUF_BY(IS(MEMBER), "wait-by-it", WAIT_ELEM, EBADF),
};

static const struct family io_families[] = {
	FAMILY("pins", pin_routes,
	       "to have pages pinned for writing that one may only read",
	       "pinning for writing takes a mapping that can be written; a "
	       "fixed buffer ends where it was registered"),
	FAMILY("pipes", pipe_routes,
	       "to change pages by way of a pipe that refers to them",
	       "references in pipes are read-only, are not merged with, and "
	       "pages in a page cache are not moved out of it"),
	FAMILY("exchange", pending_routes,
	       "to put the victim's window where an answer is under way to",
	       "who writes the answer uses the mapping that is there then"),
	FAMILY("dma-buf", dmabuf_routes,
	       "more of a dma-buf than was exported, by who was passed it",
	       "its mappings are read-only and end where it ends; it takes none "
	       "of the module's calls"),
};

#endif /* SHMCHAN_ATTACK_IO_H */
