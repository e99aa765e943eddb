/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_WINDOW_H
#define SHMCHAN_TEST_WINDOW_H

/*
 * What the tests of region memory share: a region of either kind, of which the
 * test holds slot 0 and has filled its first window with a pattern; and a peer
 * that can join as slot 1.  Comes after the harness.
 */

#include "test_memory.h"
#include "test_peer.h"
#include "test_smaps.h"

#define RW	(PROT_READ | PROT_WRITE)

static struct layout layout;
static size_t folio;

FIXTURE(memory) {
	struct peer peer;
	int fd;
	char *own;	/* the pattern */
	char *shared;	/* zeros */
};

FIXTURE_VARIANT(memory) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(memory, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(memory, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

/* What byte @at of the test's window is. */
static inline unsigned char pattern(size_t at)
{
	return at % 251 + 1;
}

static inline void fill_pattern(char *p)
{
	size_t at;

	for (at = 0; at < folio; at++)
		p[at] = pattern(at);
}

static inline bool intact(const char *p)
{
	size_t at;

	for (at = 0; at < folio; at++)
		if ((unsigned char)p[at] != pattern(at))
			return false;
	return true;
}

FIXTURE_SETUP(memory)
{
	layout = layout_default(variant->flags, true);
	layout.name = own_name();
	folio = folio_size(&layout);
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->own = map(self->fd, FOLIO_OWN * folio, folio, RW);
	self->shared = map(self->fd, FOLIO_SHARED * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, self->own);
	ASSERT_NE(MAP_FAILED, self->shared);
	fill_pattern(self->own);
}

FIXTURE_TEARDOWN(memory)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* In the peer. */
static char *peer_own __attribute__((unused));	/* the pattern, read-only */
static char *peer_shared __attribute__((unused));

/* In the peer: joins slot 1 and maps both; says where the shared one is. */
static inline long peer_map(long a, long b)
{
	int fd = open_joined(layout.name, 1);

	(void)a;
	(void)b;
	if (fd < 0)
		return fd;
	peer_own = map(fd, FOLIO_OWN * folio, folio, PROT_READ);
	peer_shared = map(fd, FOLIO_SHARED * folio, folio, RW);
	if (peer_own == MAP_FAILED || peer_shared == MAP_FAILED)
		return -errno;
	return (long)peer_shared;
}

static inline long peer_where_own(long a, long b)
{
	(void)a;
	(void)b;
	return (long)peer_own;
}

/*
 * The physical pages of @nr pages of mapped memory; 0 where that is not told.
 * Returns whether they all are.
 */
static inline bool frames_of(const void *p, size_t nr, uint64_t *frames)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool all = fd >= 0;
	size_t i;

	for (i = 0; i < nr; i++)
		(void)*((const volatile char *)p + i * PAGE);
	memset(frames, 0, nr * sizeof(*frames));
	if (all)
		all = pread(fd, frames, nr * sizeof(*frames),
			    (uintptr_t)p / PAGE * sizeof(*frames)) ==
		      (ssize_t)(nr * sizeof(*frames));
	close(fd);
	for (i = 0; i < nr; i++) {
		frames[i] = frames[i] >> 63 ? frames[i] & ((1ULL << 55) - 1) : 0;
		all = all && frames[i];
	}
	return all;
}

static inline uint64_t frame_of(const void *p)
{
	probe_read(p);
	return phys_of(p) / PAGE;
}

#endif /* SHMCHAN_TEST_WINDOW_H */
