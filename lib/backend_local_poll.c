// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Local regions: bells that poll.
 *
 * Who rings wakes futexes, and nothing else: nobody can reach a file of ours.  But
 * the kernel can sleep on futexes for us, as a submission of io_uring, and write
 * to an eventfd when it is woken.  So there is no thread, and a ring costs the
 * same as for a sleeper.
 *
 *	arm	bells are raised and looked behind as before sleeping; then
 *		FUTEX_WAITV of what their seq was.  What rang since is found by
 *		that comparison: it completes at once.
 *	wake	completes it; the eventfd is written, in the context of who woke
 *		(DEFER_TASKRUN): nobody of ours is interrupted.
 *	ack	takes the completion out.
 *
 * A wait that is still pending when we arm again is as good as a new one: every
 * ring since then that found the flag up would have completed it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "backend_local_poll.h"
#include "uring_raw.h"

#define ENTRIES	4

/* What a completion is of. */
enum { OF_BELLS = 1, OF_TIME };

struct local_poll {
	uint32_t token;			/* of the process */
	struct shmchan__file ring;
	struct shmchan__file event;
	struct io_uring_params params;
	void *rings;			/* queue heads, tails and completions */
	size_t rings_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
	uint32_t nr_queued;
	int waiting;			/* the kernel has a wait of ours ... */
	int ticking;			/* ... and a timeout */
	int error;			/* of the last wait; 0 */
};

static uint32_t *at(const struct local_poll *poll, uint32_t offset)
{
	return (uint32_t *)((uint8_t *)poll->rings + offset);
}

static void drop_ring(struct local_poll *poll)
{
	if (poll->rings)
		munmap(poll->rings, poll->rings_size);
	if (poll->sqes)
		munmap(poll->sqes, poll->sqes_size);
	poll->rings = NULL;
	poll->sqes = NULL;
	/* What it still waits for is cancelled. */
	shmchan__file_close(&poll->ring);
	poll->waiting = 0;
	poll->ticking = 0;
	poll->nr_queued = 0;
}

static int no_uring(int err)
{
	return shmchan__fail(ENOTSUP,
		"the local backend polls by io_uring: %s; %s; or load the module, or wait with shmchan_set_wait()",
		shmchan__errstr(err),
		err == EPERM ? "it is forbidden here (kernel.io_uring_disabled, or the seccomp filter of a container)" :
		err == ENOSYS ? "this kernel has none, or a seccomp filter hides it" :
		"FUTEX_WAITV by io_uring takes Linux 6.7");
}

/* Does it have FUTEX_WAITV? */
static int probe(int fd)
{
	struct {
		struct io_uring_probe head;
		struct io_uring_probe_op ops[URING_OP_FUTEX_WAITV + 1];
	} p;

	memset(&p, 0, sizeof(p));
	if (uring_register(fd, IORING_REGISTER_PROBE, &p,
			   URING_OP_FUTEX_WAITV + 1))
		return 0;
	return p.head.ops_len > URING_OP_FUTEX_WAITV &&
	       p.ops[URING_OP_FUTEX_WAITV].flags & IO_URING_OP_SUPPORTED;
}

/* A forked child must not have them: its parent's queues would be its own. */
static void *map(const struct local_poll *poll, size_t size, uint64_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, poll->ring.fd, (off_t)what);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_DONTFORK);
	return p;
}

static int map_ring(struct local_poll *poll)
{
	const struct io_uring_params *p = &poll->params;
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	/* Kernels with FUTEX_WAITV have IORING_FEAT_SINGLE_MMAP. */
	poll->rings_size = sq > cq ? sq : cq;
	poll->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
	poll->rings = map(poll, poll->rings_size, IORING_OFF_SQ_RING);
	poll->sqes = map(poll, poll->sqes_size, IORING_OFF_SQES);
	return poll->rings && poll->sqes ? 0 : -ENOMEM;
}

static int make_ring(struct local_poll *poll)
{
	int fd, err;

	memset(&poll->params, 0, sizeof(poll->params));
	poll->params.flags = URING_SINGLE_ISSUER | URING_DEFER_TASKRUN;
	fd = uring_setup(ENTRIES, &poll->params);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return shmchan__fail(errno, "io_uring_setup: %s",
				     shmchan__errstr(errno));
	if (fd < 0)
		return no_uring(errno);
	shmchan__file_adopt(&poll->ring, fd);
	if (!probe(fd)) {
		err = no_uring(EOPNOTSUPP);
	} else {
		err = map_ring(poll);
		if (!err && uring_register(fd, IORING_REGISTER_EVENTFD,
					   &poll->event.fd, 1))
			err = -errno;
		if (err)
			shmchan__fail(-err, "setting io_uring up: %s",
				      shmchan__errstr(-err));
	}
	if (err)
		drop_ring(poll);
	return err;
}

int local_poll_open(struct local_poll **poll)
{
	struct local_poll *p = calloc(1, sizeof(*p));
	int fd, err;

	if (!p)
		return shmchan__fail(ENOMEM, "no memory for a file that polls");
	p->token = shmchan__process_token();
	p->ring.fd = -1;
	p->event.fd = -1;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0) {
		err = shmchan__fail(errno, "eventfd: %s", shmchan__errstr(errno));
		free(p);
		return err;
	}
	shmchan__file_adopt(&p->event, fd);
	err = make_ring(p);
	if (err) {
		local_poll_close(p);
		return err;
	}
	*poll = p;
	return 0;
}

void local_poll_close(struct local_poll *poll)
{
	/* In a forked child it has neither the files nor the mappings. */
	if (shmchan__process_is(poll->token)) {
		drop_ring(poll);
		shmchan__file_close(&poll->event);
	}
	free(poll);
}

int local_poll_fd(const struct local_poll *poll)
{
	return poll->event.fd;
}

void local_poll_changed(struct local_poll *poll)
{
	/* Cheaper means are not worth it: it is seldom. */
	drop_ring(poll);
}

static void take_completions(struct local_poll *poll)
{
	const struct io_cqring_offsets *off = &poll->params.cq_off;
	const struct io_uring_cqe *cqes = (struct io_uring_cqe *)
		at(poll, off->cqes);
	uint32_t *head = at(poll, off->head), mask = *at(poll, off->ring_mask);
	uint32_t pos = *head, tail = shmchan_load_acquire(at(poll, off->tail));

	for (; pos != tail; pos++) {
		const struct io_uring_cqe *c = &cqes[pos & mask];

		if (c->user_data == OF_TIME) {
			poll->ticking = 0;
			continue;
		}
		poll->waiting = 0;
		poll->error = c->res >= 0 || c->res == -EAGAIN ||
			      c->res == -EINTR || c->res == -ECANCELED ?
			      0 : -c->res;
	}
	shmchan_store_release(head, pos);
}

void local_poll_ack(struct local_poll *poll)
{
	uint64_t count;

	if (read(poll->event.fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	if (poll->ring.fd < 0)
		return;
	/* Runs what who woke us has left to do; EEXIST: another thread armed. */
	if (uring_enter(poll->ring.fd, 0, IORING_ENTER_GETEVENTS) < 0 &&
	    errno == EEXIST)
		drop_ring(poll);
	else
		take_completions(poll);
}

static struct io_uring_sqe *queue(struct local_poll *poll)
{
	const struct io_sqring_offsets *off = &poll->params.sq_off;
	uint32_t mask = *at(poll, off->ring_mask);
	uint32_t i = (*at(poll, off->tail) + poll->nr_queued++) & mask;
	struct io_uring_sqe *sqe = &poll->sqes[i];

	at(poll, off->array)[i] = i;
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

static int submit(struct local_poll *poll)
{
	uint32_t *tail = at(poll, poll->params.sq_off.tail);
	uint32_t nr = poll->nr_queued;
	int n;

	shmchan_store_release(tail, *tail + nr);
	poll->nr_queued = 0;
	do
		n = uring_enter(poll->ring.fd, nr, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == (int)nr ? 0 : -EIO;
}

int local_poll_arm(struct local_poll *poll, const struct local_bell *bells,
		   uint32_t nr, uint64_t until)
{
	struct local_waitv v[SHMCHAN_MAX_ELEMS];
	struct __kernel_timespec ts = {
		.tv_sec = (int64_t)(until / 1000000000ULL),
		.tv_nsec = (long long)(until % 1000000000ULL),
	};
	struct io_uring_sqe *sqe;
	uint32_t i;
	int err = 0;

	local_poll_ack(poll);
	if (poll->ring.fd < 0)
		err = make_ring(poll);
	if (err)
		return err;
	if (poll->error)
		return shmchan__fail(poll->error, "FUTEX_WAITV by io_uring: %s",
				     shmchan__errstr(poll->error));
	for (i = 0; i < nr; i++)
		v[i] = local_bell_futex(&bells[i]);
	if (!poll->waiting) {
		sqe = queue(poll);
		sqe->opcode = URING_OP_FUTEX_WAITV;
		sqe->addr = (uintptr_t)v;
		sqe->len = nr;
		sqe->user_data = OF_BELLS;
	}
	if (!poll->ticking) {
		sqe = queue(poll);
		sqe->opcode = IORING_OP_TIMEOUT;
		sqe->fd = -1;
		sqe->addr = (uintptr_t)&ts;
		sqe->len = 1;
		sqe->timeout_flags = IORING_TIMEOUT_ABS;
		sqe->user_data = OF_TIME;
	}
	if (!poll->nr_queued)
		return 0;
	poll->waiting = poll->ticking = 1;
	err = submit(poll);
	if (!err)
		return 0;
	drop_ring(poll);
	return shmchan__fail(-err, "io_uring_enter: %s", shmchan__errstr(-err));
}
