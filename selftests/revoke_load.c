// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members are revoked and come back, thousands of times, while they do at full
 * speed all that could keep something: they read, write, fault, sleep, fork,
 * move mappings, pin memory for I/O, pass their files on.  Nothing survives:
 * no mapping, no store into the window of the slot's next holder, no memory.
 *
 * Each holder marks its window with its own generation and looks whether it
 * finds another's there that was not there when it came.  The revoker looks
 * whether the window still changes, and who maps it.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_kmsg.h"
#include "test_peer.h"
#include "test_uring.h"

#define RW		(PROT_READ | PROT_WRITE)
#define DELAY		PARAMETERS "fault_delay_ms"
#define VICTIMS		3
#define PAGES		16	/* of a window that are marked */

static struct layout layout;
static size_t folio;

static void set_delay(int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", ms);
	write_text(DELAY, text);
}

static unsigned int rounds(void)
{
	const char *text = getenv("SHMCHAN_ROUNDS");

	return text ? atoi(text) : 10000;
}

static struct layout make_layout(unsigned int flags)
{
	struct layout l = {
		.flags = flags,
		.mode = 0600,
		.name = own_name(),
		.control_size = 2 * PAGE,
		.nr_slots = 1 + VICTIMS,
		.nr_bells = 1 + VICTIMS,
	};
	unsigned int i, size;

	/* A folio of 2 MiB, or pages one by one. */
	size = flags & SHMCHAN_CREATE_SMALL ? PAGES * PAGE : HUGE;
	l.data_size = (1 + VICTIMS) * (uint64_t)size;
	for (i = 0; i < l.nr_slots; i++) {
		l.windows[i] = (struct shmchan_window) {
			.offset = i * (uint64_t)size,
			.length = size,
			.slot = i,
		};
		l.bells[i].owner = i;
	}
	l.nr_windows = l.nr_slots;
	return l;
}

static uint64_t window_at(unsigned int slot)
{
	return layout.windows[slot].offset;
}

static size_t window_size(void)
{
	return layout.windows[0].length;
}

/* The words that a holder marks: in each of some pages, two. */
static volatile uint64_t *mark_at(char *window, unsigned int page,
				  unsigned int word)
{
	return (volatile uint64_t *)(window + page * (window_size() / PAGES)) +
	       word;
}

/* --- the victims ----------------------------------------------------------- */

/* One holding of the slot. */
struct session {
	unsigned int slot;
	unsigned int generation;
	uint64_t mark;
	int fd;
	char *own;
	char *foreign;
	char *moving;		/* of the main thread's alone */
	struct uring ring;
	bool pinned;
	volatile bool over;
	const char *wrong;	/* what must not have happened */
};

static struct session session;
static int no_uring;
static int stamp_file;		/* the mark, to be read into the window */

/* The kernel told it; touching memory tells nothing. */
static bool is_over(int ret)
{
	if (ret == -ESTALE)
		session.over = true;
	return session.over;
}

/* A mark of nobody's but ours, now that we have wiped the window. */
static void look(unsigned int page, unsigned int word)
{
	uint64_t is = *mark_at(session.own, page, word);

	/* Once it is revoked, it sees a page of its own in all places. */
	if (is && is != session.mark)
		session.wrong = "a foreign mark in a holder's window";
}

static void *touch(void *arg)
{
	unsigned int page;
	volatile char sum = 0;

	(void)arg;
	while (!session.over) {
		for (page = 0; page < PAGES; page++) {
			look(page, 0);
			look(page, 1);
			*mark_at(session.own, page, 0) = session.mark;
			sum += session.foreign[page * (window_size() / PAGES)];
		}
		/* So that there are faults. */
		madvise(session.own, window_size(), MADV_DONTNEED);
		madvise(session.foreign, window_size(), MADV_DONTNEED);
	}
	return NULL;
}

static void *sleep_and_sleep(void *arg)
{
	struct shmchan_wait_elem elem;
	int ret;

	(void)arg;
	do {
		elem = elem64(-1, BELL_OF(session.slot),
			      window_at(session.slot), 0);
		elem.mask = 0;
		ret = wait_ms(session.fd, &elem, 1, 1000);
	} while (!is_over(ret));
	return NULL;
}

/* A child is no member, and neither is whoever has the file. */
static void fork_and_try(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (map_error(session.fd, 0, PAGE, PROT_READ, MAP_SHARED) !=
		    EPERM)
			_exit(1);
		if (ring(session.fd, BELL_OF(0), 0) != -EPERM)
			_exit(2);
		_exit(!probe_write(session.own));
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	/* ESTALE is for who joined; a child is told EPERM as ever. */
	if (pid > 0 && status)
		session.wrong = "a child that acted as a member";
}

static void move_mapping(void)
{
	size_t size = window_size();
	char *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	if (to == MAP_FAILED)
		return;
	if (mremap(session.moving, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to) == MAP_FAILED)
		munmap(to, size);
	else
		session.moving = to;
	*mark_at(session.moving, 2, 0) = session.mark;
}

/* I/O into the window through pins, which outlive the revocation. */
static void pin_and_read(void)
{
	struct iovec iov = { session.own, window_size() };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = stamp_file,
		.addr = ptr((void *)mark_at(session.own, 1, 1)),
		.len = 8,
	};
	int ret;

	if (no_uring)
		return;
	if (!session.pinned) {
		ret = uring_register(&session.ring, &iov, 1);
		if (ret == -EOPNOTSUPP)
			no_uring = 1;
		session.pinned = !ret;
	}
	if (session.pinned)
		uring_do(&session.ring, &sqe);
}

static void unpin(void)
{
	if (session.pinned)
		uring_unregister(&session.ring);
	session.pinned = false;
}

/* To itself, through a socket; it comes back, or is lost there. */
static void pass_on(int *socks)
{
	int fd;

	if (send_fd(socks[0], session.fd))
		return;
	fd = recv_fd(socks[1]);
	if (fd >= 0)
		close(fd);
}

static void unmap_all(void)
{
	char *maps[] = { session.own, session.foreign, session.moving };
	unsigned int i;

	for (i = 0; i < COUNT(maps); i++)
		if (maps[i] != MAP_FAILED)
			munmap(maps[i], window_size());
}

static bool wipe(void)
{
	unsigned int page;

	for (page = 0; page < PAGES; page++) {
		*mark_at(session.own, page, 0) = 0;
		*mark_at(session.own, page, 1) = 0;
	}
	return true;
}

/* Returns false if there is no coming in any more. */
static bool begin_session(unsigned int slot)
{
	uint64_t until = now_ns() + PATIENCE_MS / 2 * MSEC;
	int fd, ret;

	do {
		fd = open_region(layout.name, RIGHTS_RW);
		if (fd < 0) {
			if (fd != -ENOENT)
				session.wrong = strerror(-fd);
			return false;
		}
		ret = join(fd, slot);
		/* Pins of before, or the batches of a CPU. */
		if (ret == -EBUSY) {
			close(fd);
			usleep(500);
		}
		if (ret == -EBUSY && now_ns() > until) {
			session.wrong = "its window is pinned for ever";
			return false;
		}
	} while (ret == -EBUSY);
	if (ret < 0) {
		if (ret != -ECONNREFUSED)
			session.wrong = strerror(-ret);
		close(fd);
		return false;
	}
	session.slot = slot;
	session.generation = ret;
	session.mark = (uint64_t)session.generation << 8 | slot;
	session.fd = fd;
	session.over = false;
	session.own = map(fd, window_at(slot), window_size(), RW);
	session.foreign = map(fd, window_at(slot % VICTIMS + 1), window_size(),
			      PROT_READ);
	session.moving = map(fd, window_at(slot), window_size(), RW);
	if (session.own == MAP_FAILED || session.foreign == MAP_FAILED ||
	    session.moving == MAP_FAILED) {
		/* It may have been revoked by now. */
		unmap_all();
		session.own = NULL;
		close(fd);
		return true;
	}
	pwrite(stamp_file, &session.mark, sizeof(session.mark), 0);
	return wipe();
}

/* In a peer: holds the slot until it is revoked, again and again. */
static long live(long slot, long b)
{
	pthread_t toucher, sleeper;
	int socks[2];
	unsigned int i, held = 0;

	(void)b;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks))
		return -errno;
	stamp_file = memfd_create("stamp", MFD_CLOEXEC);
	no_uring = uring_setup(&session.ring) != 0;
	while (!session.wrong && begin_session(slot)) {
		if (!session.own)
			continue;
		held++;
		pthread_create(&toucher, NULL, touch, NULL);
		pthread_create(&sleeper, NULL, sleep_and_sleep, NULL);
		for (i = slot + held; !is_over(ring(session.fd, BELL_OF(0), 0));
		     i++) {
			if (i % 7 == 0)
				pin_and_read();
			if (i % 3 == 0)
				move_mapping();
			if (i % 11 == 0)
				pass_on(socks);
			if (i % 31 == 0)
				fork_and_try();
			if (i % 13 == 0)
				unpin();
		}
		pthread_join(toucher, NULL);
		pthread_join(sleeper, NULL);
		/* Pins last longer than the holding. */
		if (session.pinned)
			pin_and_read();
		unmap_all();
		unpin();
		close(session.fd);
	}
	if (session.wrong)
		fprintf(stderr, "# slot %ld: %s\n", slot, session.wrong);
	return session.wrong ? -1 : (long)held;
}

/* --- the revoker ----------------------------------------------------------- */

FIXTURE(load) {
	struct peer victims[VICTIMS];
	struct status status;
	char *windows[1 + VICTIMS];
	int fd;
	int kmsg;
	int64_t before;
};

FIXTURE_VARIANT(load) {
	unsigned int flags;
	unsigned int delay_ms;
	unsigned int share;	/* of the rounds, in percent */
};

FIXTURE_VARIANT_ADD(load, huge) {
	.share = 45,
};

FIXTURE_VARIANT_ADD(load, small) {
	.flags = SHMCHAN_CREATE_SMALL,
	.share = 45,
};

/* With a delay between the look at the member and its new mapping. */
FIXTURE_VARIANT_ADD(load, slow_faults) {
	.delay_ms = 1,
	.share = 10,
};

FIXTURE_SETUP(load)
{
	unsigned int i;

	if (access(DELAY, W_OK))
		SKIP(return, "the module has no test hooks");
	self->before = total_bytes();
	self->kmsg = kmsg_open();
	layout = make_layout(variant->flags);
	folio = folio_size(&layout);
	for (i = 0; i < VICTIMS; i++)
		ASSERT_EQ(0, peer_start(&self->victims[i]));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	for (i = 1; i <= VICTIMS; i++) {
		self->windows[i] = map(self->fd, window_at(i), window_size(),
				       PROT_READ);
		ASSERT_NE(MAP_FAILED, self->windows[i]);
	}
	set_delay(variant->delay_ms);
}

FIXTURE_TEARDOWN(load)
{
	unsigned int i;

	set_delay(0);
	for (i = 0; i < VICTIMS; i++)
		if (self->victims[i].pid)
			peer_kill(&self->victims[i]);
}

/* The sum of what its holder marks with plain stores. */
static uint64_t sample(char *window)
{
	uint64_t sum = 0;
	unsigned int page;

	for (page = 0; page < PAGES; page++)
		sum = sum * 31 + *mark_at(window, page, 0);
	return sum;
}

/* Who still holds, and is to be revoked: waits for it.  0: it is not coming. */
static uint64_t wait_for_holder(const struct status *s, unsigned int slot)
{
	if (!eventually(slot_state(s, slot) == SHMCHAN_SLOT_LIVE))
		return 0;
	return s->slots[slot];
}

TEST_F_TIMEOUT(load, revoke_and_rejoin, 3000)
{
	unsigned int nr = rounds() * variant->share / 100;
	unsigned int round, slot, i, quiet = 0;
	uint64_t word, first, second;
	char text[512];
	long held;
	int ret;

	for (i = 0; i < VICTIMS; i++)
		peer_send(&self->victims[i], live, i + 1, 0);
	for (round = 0; round < nr; round++) {
		slot = 1 + round % VICTIMS;
		word = wait_for_holder(&self->status, slot);
		ASSERT_NE(0, word)
			TH_LOG("slot %u does not come back in round %u", slot,
			       round);
		if (round % 5 == 0)
			usleep(round % 1000);
		ret = revoke_slot(self->fd, slot, SHMCHAN_SLOT_WORD_GEN(word));
		ASSERT_EQ(1, ret);
		word = (word & ~0xffULL) | SHMCHAN_SLOT_REVOKED;
		first = sample(self->windows[slot]);
		if (round % 8 == 0)
			usleep(200);
		else
			sched_yield();
		second = sample(self->windows[slot]);
		/* Unless its next holder is there by now. */
		if (self->status.slots[slot] == word) {
			ASSERT_EQ(first, second)
				TH_LOG("somebody still writes, round %u", round);
			quiet++;
		}
	}
	/* Now nobody comes in any more. */
	set_delay(0);
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_MEMBERS));
	for (slot = 1; slot <= VICTIMS; slot++)
		revoke_slot(self->fd, slot, 0);
	ASSERT_EQ(0, withdraw(self->fd, layout.name));
	for (i = 0; i < VICTIMS; i++) {
		held = peer_answer(&self->victims[i], PATIENCE_MS);
		EXPECT_LE(0, held);
		TH_LOG("slot %u was held %ld times", i + 1, held);
	}
	EXPECT_LT(nr / 100, quiet);
	TH_LOG("%u rounds, %u times looked at before the next holder", round,
	       quiet);
	for (i = 0; i < VICTIMS; i++)
		peer_kill(&self->victims[i]);

	/* No memory is lost, and the kernel said nothing. */
	munmap((void *)self->status.head, self->status.size);
	for (i = 1; i <= VICTIMS; i++)
		munmap(self->windows[i], window_size());
	close(self->fd);
	EXPECT_TRUE(eventually(total_bytes() == self->before));
	if (self->kmsg >= 0)
		EXPECT_EQ(0, kmsg_noise(self->kmsg, text, sizeof(text)))
			TH_LOG("the kernel said: %s", text);
}

TEST_HARNESS_MAIN
