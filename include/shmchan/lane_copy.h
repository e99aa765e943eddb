/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LANE_COPY_H
#define SHMCHAN_LANE_COPY_H

/*
 * Copies into and out of a lane.
 *
 * Where the writer may pass a reader, both touch the same bytes at once, and
 * only atomics (or code that the compiler cannot look into) may do that: words
 * up to 512 bytes, and a string instruction beyond where there is one.  Where
 * it cannot, memcpy() is right, and lets ThreadSanitizer prove it.
 *
 * The ring's side is always 8-byte aligned, and atomics work on whole words: the
 * bytes between the end of a payload and its word's are written as zero then.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <shmchan/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Plain copies of payload; the model checker has its own. */
#ifndef SHMCHAN_EXPLORER
#define shmchan_copy_in(ring, src, n)	memcpy((ring), (src), (n))
#define shmchan_copy_out(dst, ring, n)	memcpy((dst), (ring), (n))
#endif

static inline void
shmchan_lane__words_in(uint64_t *ring, const uint8_t *src, size_t n)
{
	uint64_t word;

	for (; n >= 8; n -= 8, src += 8) {
		memcpy(&word, src, 8);
		shmchan_store_relaxed(ring++, word);
	}
	if (n) {
		word = 0;
		memcpy(&word, src, n);
		shmchan_store_relaxed(ring, word);
	}
}

static inline void
shmchan_lane__words_out(uint8_t *dst, const uint64_t *ring, size_t n)
{
	uint64_t word;

	for (; n >= 8; n -= 8, dst += 8) {
		word = shmchan_load_relaxed(ring++);
		memcpy(dst, &word, 8);
	}
	if (n) {
		word = shmchan_load_relaxed(ring);
		memcpy(dst, &word, n);
	}
}

#if defined(SHMCHAN_EXPLORER) || defined(SHMCHAN_TSAN) || !defined(__x86_64__)
#define shmchan_lane__racy_in	shmchan_lane__words_in
#define shmchan_lane__racy_out	shmchan_lane__words_out
#else
static inline void shmchan_lane__string(void *dst, const void *src, size_t n)
{
	__asm__ __volatile__("rep movsb"
			     : "+D"(dst), "+S"(src), "+c"(n)
			     : : "memory");
}

static inline void
shmchan_lane__racy_in(uint64_t *ring, const uint8_t *src, size_t n)
{
	if (n > 512)
		shmchan_lane__string(ring, src, n);
	else
		shmchan_lane__words_in(ring, src, n);
}

static inline void
shmchan_lane__racy_out(uint8_t *dst, const uint64_t *ring, size_t n)
{
	if (n > 512)
		shmchan_lane__string(dst, ring, n);
	else
		shmchan_lane__words_out(dst, ring, n);
}
#endif

/*
 * memcpy() of a length that is not known before, without a call up to 64
 * bytes: two moves that overlap where the length is not that of one.
 */
static inline void shmchan_lane__plain(void *to, const void *from, size_t n)
{
	uint8_t *dst = (uint8_t *)to;
	const uint8_t *src = (const uint8_t *)from;

	if (__builtin_constant_p(n) || n > 64) {
		memcpy(dst, src, n);
	} else if (n == 8) {
		memcpy(dst, src, 8);
	} else if (n >= 32) {
		memcpy(dst, src, 32);
		memcpy(dst + n - 32, src + n - 32, 32);
	} else if (n >= 16) {
		memcpy(dst, src, 16);
		memcpy(dst + n - 16, src + n - 16, 16);
	} else if (n > 8) {
		memcpy(dst, src, 8);
		memcpy(dst + n - 8, src + n - 8, 8);
	} else if (n >= 4) {
		memcpy(dst, src, 4);
		memcpy(dst + n - 4, src + n - 4, 4);
	} else if (n) {
		dst[0] = src[0];
		dst[n >> 1] = src[n >> 1];
		dst[n - 1] = src[n - 1];
	}
}

/*
 * Into the ring: what lies behind the first 64 bytes goes first.  The reader
 * looks at the header all the time, which is in the line of the first bytes; so
 * that line is written last, in one go with the header, and is fetched from
 * the reader once and not twice.
 */
static inline void
shmchan_lane__plain_in(void *to, const void *from, size_t n)
{
	uint8_t *dst = (uint8_t *)to;
	const uint8_t *src = (const uint8_t *)from;

	if (n <= 64) {
		shmchan_lane__plain(dst, src, n);
		return;
	}
	__builtin_prefetch(dst, 1);
	memcpy(dst + 64, src + 64, n - 64);
	/* Only the compiler could undo the order; the CPU keeps it anyway. */
	shmchan_crash_fence();
	memcpy(dst, src, 64);
}

/* Payload into the ring; passable as in the lane's flags. */
static inline void shmchan_lane__copy_in(void *ring, const void *src, size_t n,
					 uint32_t passable)
{
	if (__builtin_expect(passable, 0) ||
	    (__builtin_constant_p(n) && n <= 8))
		shmchan_lane__racy_in((uint64_t *)ring, (const uint8_t *)src,
				      n);
	else
#if defined(SHMCHAN_EXPLORER) || defined(SHMCHAN_TSAN)
		shmchan_copy_in(ring, src, n);
#else
		shmchan_lane__plain_in(ring, src, n);
#endif
}

/* Payload out of the ring of a lane that is not passable. */
static inline void
shmchan_lane__copy_out(void *dst, const void *ring, size_t n)
{
#if defined(SHMCHAN_EXPLORER) || defined(SHMCHAN_TSAN)
	shmchan_copy_out(dst, ring, n);
#else
	shmchan_lane__plain(dst, ring, n);
#endif
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_COPY_H */
