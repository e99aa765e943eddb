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
 * The ring's side is always 8-byte aligned, and goes on in whole words: the
 * bytes between the end of a payload and its word's are written too (as zero,
 * where words are used), and may be read.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <shmchan/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_LANE_SMALL	64	/* bytes; more is memcpy()'s business */

/* Plain copies of payload; the model checker has its own. */
#ifndef SHMCHAN_EXPLORER
#define shmchan_copy_in(ring, src, n)	memcpy((ring), (src), (n))
#define shmchan_copy_out(dst, ring, n)	memcpy((dst), (ring), (n))
#endif

/* Where races are looked for, plain copies are plain at any size. */
#if defined(SHMCHAN_EXPLORER) || defined(SHMCHAN_TSAN)
#define SHMCHAN_LANE_PLAIN(n)	((void)(n), 1)
#else
#define SHMCHAN_LANE_PLAIN(n)	((n) > SHMCHAN_LANE_SMALL)
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

/* Payload into the ring; passable as in the lane's flags. */
static inline void shmchan_lane__copy_in(void *ring, const void *src, size_t n,
					 uint32_t passable)
{
	if (passable)
		shmchan_lane__racy_in((uint64_t *)ring, (const uint8_t *)src,
				      n);
	else if (SHMCHAN_LANE_PLAIN(n))
		shmchan_copy_in(ring, src, n);
	else
		shmchan_lane__words_in((uint64_t *)ring, (const uint8_t *)src,
				       n);
}

/* Payload out of the ring of a lane that is not passable. */
static inline void
shmchan_lane__copy_out(void *dst, const void *ring, size_t n)
{
	if (SHMCHAN_LANE_PLAIN(n))
		shmchan_copy_out(dst, ring, n);
	else
		shmchan_lane__words_out((uint8_t *)dst, (const uint64_t *)ring,
					n);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_COPY_H */
