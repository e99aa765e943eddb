// SPDX-License-Identifier: GPL-2.0-only

/*
 * Files in event loops: drain, arm, sleep, with epoll, level- and edge-triggered;
 * those of sets on both backends, those of channels on kmod.
 */

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#include <shmchan/loop.h>

#include "forbid.h"
#include "region_fixture.h"
#include "spsc_fixture.h"

#define NR	3

static const char *tag_of(unsigned int i)
{
	static char tags[NR][8];

	snprintf(tags[i], sizeof(tags[i]), "lp%u", i);
	return tags[i];
}

static struct shmchan_set *new_set(void)
{
	struct shmchan_set *set;

	CHECK_EQ(shmchan_set_create(&set), 0);
	return set;
}

/* The file of a set, if there can be one here. */
static int file_of(struct shmchan_set *set)
{
	int fd = shmchan_set_fd(set);

	if (fd == -ENOTSUP && !on_kmod())
		SKIP("%s", shmchan_error_detail());
	CHECK_GE(fd, 0);
	return fd;
}

static int readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n;
}

static void send_u64(struct shmchan_spsc *tx, uint64_t value)
{
	CHECK_EQ(shmchan_spsc_send(tx, &value, 8, 0, 0, -1), 0);
}

static int try_recv(struct shmchan_spsc *rx)
{
	uint64_t value;

	return shmchan_spsc_recv(rx, &value, 8, NULL, NULL, 0);
}

static int ready_now(struct shmchan_set *set)
{
	struct shmchan_ready ready;
	int n = shmchan_set_wait(set, &ready, 1, 0);

	CHECK(n == 1 || n == -EAGAIN);
	return n == 1;
}

/* The local backend's file becomes readable now and then: look, arm again. */
static void arm_set(struct shmchan_set *set)
{
	int err;

	CHECK_EQ(shmchan_set_ack(set), 0);
	while ((err = shmchan_set_arm(set)) == -EAGAIN)
		CHECK(!ready_now(set));
	CHECK_EQ(err, 0);
}

/* Sleep on the file until something is ready. */
static void await_set(struct shmchan_set *set, int fd)
{
	uint64_t begin = now_ns();

	while (!ready_now(set)) {
		CHECK_LE(now_ns() - begin, 20000 * MS);
		if (shmchan_set_arm(set) == -EAGAIN)
			continue;
		CHECK_EQ(readable(fd, 20000), 1);
		CHECK_EQ(shmchan_set_ack(set), 0);
	}
}

TEST(a_ring_makes_it_readable)
{
	struct shmchan_set *set = new_set();
	struct shmchan_spsc tx[NR], rx[NR];
	int fd = file_of(set);
	unsigned int i;

	CHECK_EQ(shmchan_set_arm(set), 0);
	for (i = 0; i < NR; i++) {
		open_as(&rx[i], tag_of(i), SHMCHAN_RECEIVER, 4096, -1);
		if (shmchan_set_add_spsc(set, &rx[i], NULL) == -ENOTSUP)
			SKIP("%s", shmchan_error_detail());
		open_as(&tx[i], tag_of(i), SHMCHAN_SENDER, 4096, -1);
		while (!try_recv(&rx[i]))
			;
	}
	CHECK_EQ(shmchan_set_fd(set), fd);
	for (i = 0; i < NR; i++) {
		arm_set(set);
		send_u64(&tx[i], i);
		CHECK_EQ(tx[i].rings, 1);
		CHECK_EQ(readable(fd, 10000), 1);
		/* Until ack, and once: who has rung does not ring again. */
		CHECK_EQ(readable(fd, 0), 1);
		CHECK_EQ(shmchan_set_ack(set), 0);
		send_u64(&tx[i], i);
		CHECK_EQ(tx[i].rings, 1);
		/* The local backend's may be readable now, to look for the dead. */
		if (on_kmod())
			CHECK_EQ(readable(fd, 0), 0);
		/* Something is there, which arm tells. */
		CHECK_EQ(shmchan_set_arm(set), -EAGAIN);
		CHECK(ready_now(set));
		CHECK_EQ(try_recv(&rx[i]), 0);
		CHECK_EQ(shmchan_set_arm(set), -EAGAIN);
		CHECK_EQ(try_recv(&rx[i]), 0);
		CHECK(!ready_now(set));
	}
	shmchan_set_close(set);
	for (i = 0; i < NR; i++) {
		shmchan_spsc_close(&tx[i]);
		shmchan_spsc_close(&rx[i]);
	}
}

TEST(needs_its_file_first)
{
	struct shmchan_set *set = new_set();
	struct shmchan_set_event e;

	CHECK_EQ(shmchan_set_arm(set), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "shmchan_set_fd");
	CHECK_EQ(shmchan_set_ack(set), -EINVAL);
	CHECK_EQ(shmchan_set_events(set, &e, 1), -EINVAL);
	CHECK_EQ(shmchan_set_fd(NULL), -EINVAL);
	shmchan_set_close(set);
}

/* Members that come and go while it is armed, and words. */
TEST(members_change)
{
	struct shmchan_region *r = fix_create(test_name("words"));
	uint32_t bell = FIX_BELL(r->slot);
	struct shmchan_wait_elem e[2] = {
		fix_elem(bell, 0, 0), fix_elem(FIX_BELL_SHARED, 1, 0),
	};
	struct shmchan_set *set = new_set();
	int fd = file_of(set), id = shmchan_set_add(set, r, &e[0], NULL);

	if (id == -ENOTSUP)
		SKIP("%s", shmchan_error_detail());
	CHECK_EQ(id, 0);
	arm_set(set);
	CHECK_EQ(shmchan_set_add(set, r, &e[1], NULL), 1);
	arm_set(set);
	shmchan_store_seq_cst(fix_word(r, 1), 1);
	CHECK_GE(shmchan_bell_notify(r, FIX_BELL_SHARED), 0);
	await_set(set, fd);
	CHECK_EQ(shmchan_set_expect(set, 1, 1), 0);
	CHECK(!ready_now(set));
	arm_set(set);
	CHECK_EQ(shmchan_set_remove(set, 0), 0);
	/* Nobody waits for that any more. */
	arm_set(set);
	shmchan_store_seq_cst(fix_word(r, 0), 1);
	if (on_kmod()) {
		CHECK(!shmchan_bell_wanted(r, bell));
		CHECK_GE(shmchan_bell_ring(r, bell, 0), 0);
		CHECK_EQ(readable(fd, 0), 0);
	}
	shmchan_store_seq_cst(fix_word(r, 1), 2);
	CHECK_GE(shmchan_bell_notify(r, FIX_BELL_SHARED), 0);
	await_set(set, fd);
	CHECK_EQ(shmchan_set_remove(set, 1), 0);
	/* Empty: it sleeps for ever, and is used again. */
	CHECK_EQ(shmchan_set_ack(set), 0);
	CHECK_EQ(shmchan_set_arm(set), 0);
	CHECK_EQ(readable(fd, 0), 0);
	CHECK_EQ(shmchan_set_expect(set, 0, 0), -ENOENT);
	CHECK_EQ(shmchan_set_add(set, r, &e[0], NULL), 0);
	await_set(set, fd);
	shmchan_set_close(set);
	shmchan_region_close(r);
}

TEST(a_sender_that_dies)
{
	struct shmchan_set *set = new_set();
	struct shmchan_set_event e;
	struct shmchan_spsc rx, tx;
	int fd = file_of(set), n;
	pid_t pid;

	open_as(&rx, "dies", SHMCHAN_RECEIVER, 4096, -1);
	if (shmchan_set_add_spsc(set, &rx, NULL) == -ENOTSUP)
		SKIP("%s", shmchan_error_detail());
	pid = child_fork();
	if (!pid) {
		open_as(&tx, "dies", SHMCHAN_SENDER, 4096, -1);
		send_u64(&tx, 1);
		for (;;)
			pause();
	}
	await_set(set, fd);
	while (try_recv(&rx))
		await_set(set, fd);
	CHECK(!ready_now(set));
	arm_set(set);
	kill(pid, SIGKILL);
	child_wait(pid);
	if (on_kmod()) {
		/* It says whose end it was. */
		CHECK_EQ(readable(fd, 10000), 1);
		n = shmchan_set_events(set, &e, 1);
		CHECK_EQ(n, 1);
		CHECK(e.region == rx.region);
		CHECK_EQ(e.event.kind, SHMCHAN_EVENT_ENDED);
		CHECK_EQ(e.event.slot, SHMCHAN_SENDER);
		CHECK_EQ(e.event.state, SHMCHAN_SLOT_DIED);
	}
	await_set(set, fd);
	CHECK_EQ(try_recv(&rx), -EOWNERDEAD);
	arm_set(set);
	shmchan_set_close(set);
	shmchan_spsc_close(&rx);
}

static void stream(const char *tag, uint64_t count, uint32_t join_flags)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .spin_ns = -1,
		.join_flags = join_flags);
	struct shmchan_spsc tx;
	uint64_t j;

	CHECK_EQ(shmchan_spsc_open(&tx, test_name(tag), &opts), 0);
	for (j = 0; j < count; j++) {
		send_u64(&tx, j);
		/* So that the receiver sleeps now and then. */
		if (j % 64 == 63)
			sched_yield();
	}
	shmchan_spsc_close(&tx);
}

/* Senders as fast as they can; a loop that sleeps in epoll. */
static void many(uint32_t events, uint32_t join_flags)
{
	uint64_t count = (uint64_t)HARNESS_ROUNDS(20000), next[NR] = { 0 };
	struct epoll_event ev = { .events = events };
	int loop = epoll_create1(EPOLL_CLOEXEC), n, fd, err;
	struct shmchan_set *set = new_set();
	struct shmchan_ready ready[NR];
	struct shmchan_spsc rx[NR];
	unsigned int i, open = NR;
	uint64_t value;
	pid_t pids[NR];

	fd = file_of(set);
	CHECK_EQ(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &ev), 0);
	for (i = 0; i < NR; i++) {
		open_as(&rx[i], tag_of(i), SHMCHAN_RECEIVER, 4096, -1);
		if (shmchan_set_add_spsc(set, &rx[i], NULL) == -ENOTSUP)
			SKIP("%s", shmchan_error_detail());
		pids[i] = child_fork();
		if (!pids[i]) {
			stream(tag_of(i), count, join_flags);
			child_done();
		}
	}
	while (open) {
		while ((n = shmchan_set_wait(set, ready, NR, 0)) > 0) {
			i = (unsigned int)ready[0].id;
			while (!(err = shmchan_spsc_recv(&rx[i], &value, 8, NULL,
							 NULL, 0)))
				CHECK_EQ(value, next[i]++);
			if (err == -EAGAIN)
				continue;
			CHECK_EQ(err, -EPIPE);
			CHECK_EQ(next[i], count);
			CHECK_EQ(shmchan_set_remove(set, (int)i), 0);
			if (!--open)
				break;
		}
		if (!open || shmchan_set_arm(set) == -EAGAIN)
			continue;
		do
			n = epoll_wait(loop, &ev, 1, 20000);
		while (n < 0 && errno == EINTR);
		CHECK_EQ(n, 1);
		/* An edge needs none. */
		if (!(events & EPOLLET))
			CHECK_EQ(shmchan_set_ack(set), 0);
	}
	shmchan_set_close(set);
	for (i = 0; i < NR; i++) {
		CHECK_CHILD_OK(pids[i]);
		shmchan_spsc_close(&rx[i]);
	}
	close(loop);
}

TEST_LIMIT(streams_level_triggered, 120)
{
	many(EPOLLIN, 0);
}

TEST_LIMIT(streams_edge_triggered, 120)
{
	many(EPOLLIN | EPOLLET, 0);
}

/* Senders without a fence: arm has the barrier passed through them. */
TEST_LIMIT(streams_of_asym_senders, 120)
{
	many(EPOLLIN, SHMCHAN_JOIN_ASYM);
}

/* Armed by one thread, then by another. */
static void *in_thread(void *arg)
{
	struct shmchan_set *set = arg;

	arm_set(set);
	return NULL;
}

TEST(another_thread_goes_on)
{
	struct shmchan_region *r = fix_create(test_name("words"));
	struct shmchan_wait_elem e = fix_elem(FIX_BELL(r->slot), 0, 0);
	struct shmchan_set *set = new_set();
	int fd = file_of(set);
	pthread_t thread;

	if (shmchan_set_add(set, r, &e, NULL) == -ENOTSUP)
		SKIP("%s", shmchan_error_detail());
	arm_set(set);
	CHECK_EQ(pthread_create(&thread, NULL, in_thread, set), 0);
	pthread_join(thread, NULL);
	arm_set(set);
	shmchan_store_seq_cst(fix_word(r, 0), 1);
	CHECK_GE(shmchan_bell_notify(r, FIX_BELL(r->slot)), 0);
	await_set(set, fd);
	shmchan_set_close(set);
	shmchan_region_close(r);
}

/* As in most containers: says so, and what works works. */
static void without_uring(int err)
{
	struct shmchan_region *r = fix_create(test_name("words"));
	struct shmchan_wait_elem e = fix_elem(FIX_BELL(r->slot), 0, 0);
	struct shmchan_set *set = new_set(), *other = new_set();
	struct shmchan_ready ready;

	/* io_uring_setup() */
	forbid(425, err);
	CHECK_EQ(shmchan_uring_check(), -err);
	CHECK_SAYS(shmchan_error_detail(), "seccomp filter");
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), 0);
	CHECK_EQ(shmchan_set_wait(set, &ready, 1, MS), -ETIMEDOUT);
	if (on_kmod()) {
		/* It needs none. */
		CHECK_GE(shmchan_set_fd(set), 0);
		CHECK_EQ(shmchan_set_arm(set), 0);
	} else {
		CHECK_EQ(shmchan_set_fd(set), -ENOTSUP);
		CHECK_SAYS(shmchan_error_detail(), "seccomp filter");
		CHECK_SAYS(shmchan_error_detail(), "shmchan_set_wait");
		CHECK_EQ(shmchan_set_arm(set), -EINVAL);
		CHECK_EQ(shmchan_set_wait(set, &ready, 1, 0), -EAGAIN);
		/* An empty set does not know yet. */
		CHECK_GE(shmchan_set_fd(other), 0);
		CHECK_EQ(shmchan_set_add(other, r, &e, NULL), -ENOTSUP);
	}
	shmchan_set_close(other);
	shmchan_set_close(set);
	shmchan_region_close(r);
}

TEST(container_without_uring)
{
	without_uring(EPERM);
}

TEST(kernel_without_uring)
{
	without_uring(ENOSYS);
}

TEST(a_channel_of_its_own)
{
	struct shmchan_spsc tx, rx;
	int fd, err;

	open_as(&rx, "own", SHMCHAN_RECEIVER, 4096, -1);
	open_as(&tx, "own", SHMCHAN_SENDER, 4096, -1);
	if (!on_kmod()) {
		CHECK_EQ(shmchan_spsc_arm(&rx), -ENOTSUP);
		CHECK_SAYS(shmchan_error_detail(), "shmchan_set_fd");
		CHECK_EQ(shmchan_spsc_ack(&rx), -ENOTSUP);
		SKIP("local backend: channels have no file of their own");
	}
	fd = shmchan_region_fd(rx.region);
	while ((err = shmchan_spsc_arm(&rx)) == -EAGAIN)
		CHECK_EQ(try_recv(&rx), -EAGAIN);
	CHECK_EQ(err, 0);
	CHECK_EQ(shmchan_spsc_ack(&rx), 0);
	CHECK_EQ(readable(fd, 0), 0);
	send_u64(&tx, 1);
	send_u64(&tx, 2);
	CHECK_EQ(tx.rings, 1);
	CHECK_EQ(readable(fd, 10000), 1);
	CHECK_EQ(shmchan_spsc_ack(&rx), 0);
	CHECK_EQ(readable(fd, 0), 0);
	CHECK_EQ(try_recv(&rx), 0);
	CHECK_EQ(shmchan_spsc_arm(&rx), -EAGAIN);
	CHECK_EQ(try_recv(&rx), 0);
	/* That was armed all the same, or not: both will do. */
	while (shmchan_spsc_arm(&rx) == -EAGAIN)
		CHECK_EQ(try_recv(&rx), -EAGAIN);
	CHECK_EQ(shmchan_spsc_arm(&tx), -EINVAL);
	CHECK_EQ(shmchan_spsc_arm_room(&rx, 8), -EINVAL);
	shmchan_spsc_close(&tx);
	CHECK_EQ(readable(fd, 10000), 1);
	CHECK_EQ(shmchan_spsc_ack(&rx), 0);
	CHECK_EQ(shmchan_spsc_arm(&rx), -EAGAIN);
	CHECK_EQ(try_recv(&rx), -EPIPE);
	CHECK_EQ(shmchan_spsc_arm(&rx), 0);
	shmchan_spsc_close(&rx);
}

TEST(a_sender_waits_for_room)
{
	struct shmchan_spsc tx, rx;
	uint64_t value = 0;
	int fd;

	KMOD_ONLY("channels have no file of their own");
	open_as(&rx, "room", SHMCHAN_RECEIVER, 4096, -1);
	open_as(&tx, "room", SHMCHAN_SENDER, 4096, -1);
	fd = shmchan_region_fd(tx.region);
	CHECK_EQ(shmchan_spsc_arm_room(&tx, 8), -EAGAIN);
	while (!shmchan_spsc_send(&tx, &value, 8, 0, 0, 0))
		value++;
	CHECK_EQ(shmchan_spsc_ack(&tx), 0);
	CHECK_EQ(shmchan_spsc_arm_room(&tx, 8), 0);
	CHECK_EQ(readable(fd, 0), 0);
	while (!try_recv(&rx))
		;
	CHECK_EQ(shmchan_spsc_arm(&rx), 0);
	CHECK_EQ(readable(fd, 10000), 1);
	CHECK_EQ(shmchan_spsc_ack(&tx), 0);
	CHECK_EQ(shmchan_spsc_arm_room(&tx, 8), -EAGAIN);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
	/* The end of the receiver wakes it as well. */
	while (!shmchan_spsc_send(&tx, &value, 8, 0, 0, 0))
		;
	CHECK_EQ(shmchan_spsc_arm_room(&tx, 8), 0);
	shmchan_spsc_close(&rx);
	CHECK_EQ(readable(fd, 10000), 1);
	CHECK_EQ(shmchan_spsc_ack(&tx), 0);
	CHECK_EQ(shmchan_spsc_arm_room(&tx, 8), -EAGAIN);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), -EPIPE);
	shmchan_spsc_close(&tx);
}

/* Two threads, an epoll file each, one region's file: exclusive. */
struct waiter {
	int fd;
	pthread_t thread;
	uint32_t asleep;
	uint32_t woken;
};

static void *exclusive(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int loop = epoll_create1(EPOLL_CLOEXEC), n;
	struct waiter *w = arg;

	CHECK_EQ(epoll_ctl(loop, EPOLL_CTL_ADD, w->fd, &ev), 0);
	shmchan_store_seq_cst(&w->asleep, 1);
	do
		n = epoll_wait(loop, &ev, 1, 20000);
	while (n < 0 && errno == EINTR);
	CHECK_EQ(n, 1);
	shmchan_store_seq_cst(&w->woken, 1);
	close(loop);
	return NULL;
}

TEST(exclusive_waiters)
{
	struct shmchan_region *r;
	struct waiter w[2] = { 0 };
	struct shmchan_event e;
	uint64_t begin;
	uint32_t bell;
	int i, woken;

	KMOD_ONLY("regions have no file");
	r = fix_create(test_name("excl"));
	bell = FIX_BELL(r->slot);
	CHECK_EQ(shmchan_bell_subscribe(r, bell), 0);
	CHECK_EQ(shmchan_bell_arm(r, bell, NULL, 0), 0);
	for (i = 0; i < 2; i++) {
		w[i].fd = shmchan_region_fd(r);
		CHECK_EQ(pthread_create(&w[i].thread, NULL, exclusive, &w[i]), 0);
		while (!shmchan_load_seq_cst(&w[i].asleep))
			sleep_ms(1);
	}
	sleep_ms(50);
	CHECK_GE(shmchan_bell_ring(r, bell, 0), 0);
	begin = now_ns();
	do {
		CHECK_LE(now_ns() - begin, 20000 * MS);
		sleep_ms(5);
		woken = (int)(shmchan_load_seq_cst(&w[0].woken) +
			      shmchan_load_seq_cst(&w[1].woken));
	} while (!woken);
	/* One or, where both had not fallen asleep yet, two; the rest follow. */
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 1);
	CHECK_EQ(shmchan_bell_arm(r, bell, NULL, 0), 0);
	CHECK_GE(shmchan_bell_ring(r, bell, 0), 0);
	for (i = 0; i < 2; i++)
		pthread_join(w[i].thread, NULL);
	shmchan_region_close(r);
}

TEST_MAIN
