/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_RECORDS_H
#define SHMCHAN_TEST_RECORDS_H

/*
 * What receivers may find when a sender was killed: records are told by seeds.
 * The one list if the operation had no effect, the other if it had, and of a
 * batch the latter as far as it came.
 */

#include "crash.h"

#define RECORDS_MAX	400

struct records {
	int nr;
	uint32_t seed[RECORDS_MAX];
};

struct found {
	struct records before, after;
	int parts;		/* it is a batch */
	int writers;		/* who ended; each end may be told: 0 means 1 */
	struct records got;	/* by a helper, */
	int told;		/* ... and the error that it got at last */
};

#define found	((struct found *)crash_scratch)

static inline void add(struct records *l, uint32_t seed)
{
	CHECK_LT(l->nr, RECORDS_MAX);
	l->seed[l->nr++] = seed;
}

/* In both: committed before the operation. */
static inline void both(uint32_t seed)
{
	add(&found->before, seed);
	add(&found->after, seed);
}

static inline int same(const struct records *a, const struct records *b, int n)
{
	return !memcmp(a->seed, b->seed, (size_t)n * sizeof(a->seed[0]));
}

static inline void judge(const struct records *got)
{
	const struct records *a = &found->before, *b = &found->after;
	int i;

	if (got->nr == b->nr && same(got, b, b->nr))
		return;
	if (!crash_ended() && got->nr == a->nr && same(got, a, a->nr))
		return;
	if (!crash_ended() && found->parts && got->nr > a->nr &&
	    got->nr < b->nr && same(got, b, got->nr))
		return;
	note("%d records were found, where %d were before and %d are to be after the operation, which had %sended:",
	     got->nr, a->nr, b->nr, crash_ended() ? "" : "not ");
	for (i = 0; i < got->nr; i++)
		note(" %d: %u", i, got->seed[i]);
	FAIL("what was committed is not what was delivered");
}

/* Payload bytes that depend on all of it, so that a torn one shows. */
static inline uint8_t record_byte(uint64_t seed, size_t length, size_t i)
{
	uint64_t x = (seed * 0x9e3779b97f4a7c15ULL + length + 1) ^
		     i * 0x2545f4914f6cdd1dULL;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return (uint8_t)(x >> 32);
}

static inline void record_fill(void *to, size_t n, uint64_t seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		((uint8_t *)to)[i] = record_byte(seed, n, i);
}

static inline void record_check(const void *from, size_t n, uint64_t seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (((const uint8_t *)from)[i] != record_byte(seed, n, i))
			FAIL("record %llu of %zu bytes is torn",
			     (unsigned long long)seed, n);
}

#endif /* SHMCHAN_TEST_RECORDS_H */
