/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_REGION_FIXTURE_H
#define SHMCHAN_TEST_REGION_FIXTURE_H

/*
 * A region for tests, small and with one of everything:
 *
 *	data	4 pages: slot 0's, slot 1's, nobody's, shared
 *	control	the header page; then a page for each slot; then a shared one
 *	bells	1 to FIX_SLOTS: of slots 0 and up; FIX_BELL_SHARED
 */

#include <sys/stat.h>

#include <shmchan/bell.h>

#include "harness.h"

#define FIX_SLOTS	4
#define FIX_DATA	(4 * 4096)
#define FIX_CONTROL	((1 + FIX_SLOTS + 1) * 4096)
#define FIX_BELLS	(FIX_SLOTS + 1)
#define FIX_BELL(slot)	((slot) + 1)
#define FIX_BELL_SHARED	(FIX_SLOTS + 1)

#define FIX_CONTROL_AT	SHMCHAN_CONTROL_OFFSET(FIX_DATA)
#define FIX_PAGE(slot)	(FIX_CONTROL_AT + 4096ULL * (1 + (slot)))
#define FIX_SHARED	(FIX_CONTROL_AT + 4096ULL * (1 + FIX_SLOTS))

static const char fix_header[] = "a header, as long as this";

/* In static memory, for the options point into it. */
static struct shmchan_window fix_windows[2 + 1 + FIX_SLOTS + 1];
static struct shmchan_doorbell fix_bells[FIX_BELLS];

static inline struct shmchan_region_opts fix_opts(void)
{
	struct shmchan_window *w = fix_windows;
	uint32_t i;

	for (i = 0; i < 2; i++)
		*w++ = (struct shmchan_window){
			.offset = 4096ULL * i, .length = 4096, .slot = i,
		};
	*w++ = (struct shmchan_window){
		.offset = 4096ULL * 3, .length = 4096,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	for (i = 0; i < FIX_SLOTS; i++) {
		*w++ = (struct shmchan_window){
			.offset = FIX_PAGE(i), .length = 4096, .slot = i,
		};
		fix_bells[i].owner = i;
	}
	*w++ = (struct shmchan_window){
		.offset = FIX_SHARED, .length = 4096,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	fix_bells[FIX_SLOTS].owner = SHMCHAN_SLOT_SHARED;
	return SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL,
		.data_size = FIX_DATA, .control_size = FIX_CONTROL,
		.nr_slots = FIX_SLOTS,
		.nr_doorbells = FIX_BELLS, .doorbells = fix_bells,
		.nr_windows = (uint32_t)(w - fix_windows),
		.windows = fix_windows,
		.header = fix_header, .header_len = sizeof(fix_header));
}

static inline struct shmchan_region *fix_create(const char *name)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	return r;
}

static inline struct shmchan_region *fix_open(const char *name, uint32_t slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = slot);
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_open(&r, name, &opts), 0);
	return r;
}

/* A word in the shared control page. */
static inline uint64_t *fix_word(const struct shmchan_region *r, unsigned int i)
{
	return (uint64_t *)shmchan_region_at(r, FIX_SHARED + 8ULL * i);
}

static inline struct shmchan_wait_elem
fix_elem(uint32_t doorbell, unsigned int word, uint64_t value)
{
	return shmchan_elem64(doorbell, FIX_SHARED + 8ULL * word, value);
}

/* Sleep until a word of the shared page is no longer that; on any doorbell. */
static inline void fix_await(const struct shmchan_region *r, unsigned int word,
			     uint64_t value)
{
	while (shmchan_load_seq_cst(fix_word(r, word)) == value)
		sleep_ms(1);
}

/* Run something as another user; only root can. */
#define FIX_UID_A	1000
#define FIX_UID_B	1001

static inline void become(uint32_t uid)
{
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		FAIL("setresuid(%u): %s", uid, strerror(errno));
	/* Changing ids clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

#define NEEDS_ROOT()							\
	do {								\
		if (geteuid())						\
			SKIP("needs root, to be two users");		\
	} while (0)

/* Until a death is noticed: a slice, and what a busy machine adds. */
#define FIX_NOTICE_NS	(SHMCHAN_LOCAL_SLICE_NS + 450000000ULL)

/* Wait until a slot's word is not that; returns what it is then. */
static inline uint64_t fix_await_slot(const struct shmchan_region *r,
				      uint32_t slot, uint64_t word)
{
	struct shmchan_wait_elem e = shmchan_elem_slot(r, slot, word);

	CHECK_EQ(shmchan_bell_wait(r, &e, 1, shmchan_deadline(5000000000LL),
				   NULL), 0);
	return shmchan_slot_word(r, slot);
}

#endif /* SHMCHAN_TEST_REGION_FIXTURE_H */
