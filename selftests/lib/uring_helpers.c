// SPDX-License-Identifier: GPL-2.0-only

/* <shmchan/uring.h>: ring, wait, poll and read by io_uring. */

#include "region_fixture.h"
#include "spsc_fixture.h"

#if __has_include(<liburing.h>)

#include <shmchan/uring.h>

static void start(struct io_uring *ring)
{
	int err = shmchan_uring_check();

	if (err)
		SKIP("%s", shmchan_error_detail());
	CHECK_EQ(io_uring_queue_init(8, ring, 0), 0);
}

struct completion {
	uint64_t user_data;
	int res;
	uint32_t flags;
};

/* The next completion; there has to be one soon. */
static struct completion next_cqe(struct io_uring *ring)
{
	struct __kernel_timespec ts = { .tv_sec = 20 };
	struct completion copy;
	struct io_uring_cqe *cqe;
	int err;

	do
		err = io_uring_wait_cqe_timeout(ring, &cqe, &ts);
	while (err == -EINTR);
	CHECK_EQ(err, 0);
	copy.user_data = cqe->user_data;
	copy.res = cqe->res;
	copy.flags = cqe->flags;
	io_uring_cqe_seen(ring, cqe);
	return copy;
}

static int none_yet(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	return io_uring_peek_cqe(ring, &cqe) == -EAGAIN;
}

static void submit(struct io_uring *ring, struct io_uring_sqe *sqe,
		   uint64_t data)
{
	io_uring_sqe_set_data64(sqe, data);
	CHECK_EQ(io_uring_submit(ring), 1);
}

TEST(says_what_there_is)
{
	int err = shmchan_uring_check();

	CHECK(!err || err == -EPERM || err == -ENOSYS);
	if (err)
		CHECK_SAYS(shmchan_error_detail(), "use epoll");
	if (err || !on_kmod()) {
		/* With the local backend the module may be there or not. */
		CHECK(!err || shmchan_uring_can_ring() == 0);
		CHECK(!err || shmchan_uring_can_wait() == 0);
	}
}

TEST(local_regions_have_no_file)
{
	struct shmchan_event events[1];
	struct shmchan_wait wait;
	struct shmchan_region *r;
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	LOCAL_ONLY("they have one");
	start(&ring);
	r = fix_create(test_name("local"));
	sqe = io_uring_get_sqe(&ring);
	CHECK_EQ(shmchan_uring_prep_ring(sqe, r, 1, 0), -ENOTSUP);
	CHECK_EQ(shmchan_uring_prep_poll(sqe, r), -ENOTSUP);
	shmchan_uring_init_wait(&wait, NULL, 0);
	CHECK_EQ(shmchan_uring_prep_wait(sqe, r, &wait), -ENOTSUP);
	CHECK_EQ(shmchan_uring_prep_read_events(sqe, r, events, 1), -ENOTSUP);
	CHECK_SAYS(shmchan_error_detail(), "shmchan_set_fd");
	/* What is left is a no-op. */
	submit(&ring, sqe, 1);
	CHECK_EQ(next_cqe(&ring).res, 0);
	io_uring_queue_exit(&ring);
	shmchan_region_close(r);
}

/* The file of a set is one to poll, on both backends. */
TEST(polls_a_set)
{
	struct shmchan_region *r;
	struct shmchan_wait_elem e;
	struct shmchan_set *set;
	struct shmchan_ready ready;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int fd;

	start(&ring);
	r = fix_create(test_name("set"));
	e = fix_elem(FIX_BELL(r->slot), 0, 0);
	CHECK_EQ(shmchan_set_create(&set), 0);
	fd = shmchan_set_fd(set);
	if (fd == -ENOTSUP || shmchan_set_add(set, r, &e, NULL) == -ENOTSUP)
		SKIP("%s", shmchan_error_detail());
	while (shmchan_set_arm(set) == -EAGAIN)
		;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	submit(&ring, sqe, 1);
	shmchan_store_seq_cst(fix_word(r, 0), 1);
	CHECK_GE(shmchan_bell_notify(r, FIX_BELL(r->slot)), 0);
	CHECK_EQ(next_cqe(&ring).res, POLLIN);
	CHECK_EQ(shmchan_set_ack(set), 0);
	CHECK_EQ(shmchan_set_wait(set, &ready, 1, 0), 1);
	io_uring_queue_exit(&ring);
	shmchan_set_close(set);
	shmchan_region_close(r);
}

TEST(polls_and_reads_events)
{
	const char *name = test_name("poll");
	struct shmchan_region *r, *other;
	struct shmchan_event events[4];
	struct io_uring_sqe *sqe;
	struct completion cqe;
	struct io_uring ring;
	unsigned int i;

	KMOD_ONLY("regions have no file");
	start(&ring);
	r = fix_create(name);
	other = fix_open(name, 1);
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL(0)), 0);
	sqe = io_uring_get_sqe(&ring);
	CHECK_EQ(shmchan_uring_prep_poll(sqe, r), 0);
	submit(&ring, sqe, 1);
	for (i = 1; i <= 3; i++) {
		CHECK_EQ(shmchan_bell_arm(r, FIX_BELL(0), NULL, 0), 0);
		CHECK(none_yet(&ring));
		CHECK_GE(shmchan_bell_notify(other, FIX_BELL(0)), 0);
		cqe = next_cqe(&ring);
		CHECK_EQ(cqe.user_data, 1);
		CHECK(cqe.res & POLLIN);
		CHECK(cqe.flags & IORING_CQE_F_MORE);
		sqe = io_uring_get_sqe(&ring);
		CHECK_EQ(shmchan_uring_prep_read_events(sqe, r, events, 4), 0);
		submit(&ring, sqe, 2);
		cqe = next_cqe(&ring);
		CHECK_EQ(cqe.user_data, 2);
		CHECK_EQ(cqe.res, sizeof(events[0]));
		CHECK_EQ(events[0].doorbell, FIX_BELL(0));
		CHECK_EQ(events[0].count, 1);
	}
	/* Without any it does not wait for one. */
	sqe = io_uring_get_sqe(&ring);
	CHECK_EQ(shmchan_uring_prep_read_events(sqe, r, events, 4), 0);
	submit(&ring, sqe, 3);
	cqe = next_cqe(&ring);
	CHECK_EQ(cqe.user_data, 3);
	CHECK_EQ(cqe.res, -EAGAIN);
	CHECK_GE(shmchan_bell_ring(other, FIX_BELL(0), 0), 0);
	CHECK_EQ(shmchan_bell_events(r, events, 4), 1);
	io_uring_queue_exit(&ring);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

TEST(rings_a_doorbell)
{
	const char *name = test_name("ring");
	struct shmchan_region *r, *other;
	struct io_uring_sqe *sqe;
	struct shmchan_event e;
	struct io_uring ring;

	KMOD_ONLY("regions have no file");
	start(&ring);
	if (!shmchan_uring_can_ring())
		SKIP("this module does not ring by io_uring");
	r = fix_create(name);
	other = fix_open(name, 1);
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL(0)), 0);
	sqe = io_uring_get_sqe(&ring);
	CHECK_EQ(shmchan_uring_prep_ring(sqe, other, FIX_BELL(0), 0), 0);
	submit(&ring, sqe, 1);
	CHECK_EQ(next_cqe(&ring).res, 0);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 1);
	CHECK_EQ(e.doorbell, FIX_BELL(0));
	/* The kernel's own is nobody's to ring. */
	sqe = io_uring_get_sqe(&ring);
	CHECK_EQ(shmchan_uring_prep_ring(sqe, other, 0, 0), 0);
	submit(&ring, sqe, 1);
	CHECK_EQ(next_cqe(&ring).res, -EACCES);
	io_uring_queue_exit(&ring);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

TEST(waits_for_a_channel)
{
	struct __kernel_timespec ts = { .tv_nsec = 20 * MS };
	struct shmchan_cond conds[SHMCHAN_SPSC_CONDS];
	struct shmchan_wait_elem elems[SHMCHAN_SPSC_CONDS];
	struct io_uring_sqe *sqe;
	struct shmchan_spsc tx, rx;
	struct shmchan_wait wait;
	struct completion cqe;
	struct io_uring ring;
	uint64_t value = 5;
	int i, j;

	KMOD_ONLY("regions have no file");
	start(&ring);
	if (!shmchan_uring_can_wait())
		SKIP("this module does not wait by io_uring");
	open_as(&rx, "wait", SHMCHAN_RECEIVER, 4096, -1);
	open_as(&tx, "wait", SHMCHAN_SENDER, 4096, -1);
	for (i = 0; i < 4; i++) {
		while (shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, 0) !=
		       -EAGAIN || shmchan_spsc_conds(&rx, conds) == -EAGAIN)
			;
		for (j = 0; j < SHMCHAN_SPSC_CONDS; j++)
			elems[j] = conds[j].elem;
		shmchan_uring_init_wait(&wait, elems, SHMCHAN_SPSC_CONDS);
		sqe = io_uring_get_sqe(&ring);
		CHECK_EQ(shmchan_uring_prep_wait(sqe, rx.region, &wait), 0);
		submit(&ring, sqe, 1);
		/* They may go when it has been submitted. */
		memset(&wait, 0xff, sizeof(wait));
		memset(elems, 0xff, sizeof(elems));
		CHECK(none_yet(&ring));
		/* A deadline is a submission beside it. */
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_timeout(sqe, &ts, 0, 0);
		submit(&ring, sqe, 2);
		cqe = next_cqe(&ring);
		CHECK_EQ(cqe.user_data, 2);
		CHECK_EQ(cqe.res, -ETIME);
		/* The last one is still waiting when the ring goes. */
		if (i == 3)
			break;
		CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
		CHECK_EQ(tx.rings, i + 1);
		cqe = next_cqe(&ring);
		CHECK_EQ(cqe.user_data, 1);
		CHECK_EQ(cqe.res, 0);
	}
	io_uring_queue_exit(&ring);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

#else

TEST(uring_helpers)
{
	SKIP("built without liburing's headers (liburing-dev)");
}

#endif

TEST_MAIN
