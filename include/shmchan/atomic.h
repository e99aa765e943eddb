/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_ATOMIC_H
#define SHMCHAN_ATOMIC_H

/*
 * The few atomic operations that shmchan's algorithms are written in.
 *
 * They work on plain uint32_t and uint64_t, because the memory is shared with
 * the kernel and with C++; the names say the order, so that each one in an
 * algorithm reads as a claim that a comment there must defend.  Everything in
 * the hot paths goes through these names, and through nothing else: the model
 * checker (selftests/model) compiles the very same headers with its own
 * definitions of them.
 *
 * There are two kinds of order, and they must not be confused:
 *
 *  - between CPUs: acquire, release, seq_cst;
 *  - against a kill: a process that dies has executed a prefix of its
 *    program, so what must be in memory first needs the *compiler* to keep
 *    the order and costs nothing: shmchan_crash_fence().
 */

#include <stdint.h>

/* What must hold of what is in shared memory, whoever compiles it. */
#ifdef __cplusplus
#define SHMCHAN__ASSERT(x)	static_assert(x, #x)
#else
#define SHMCHAN__ASSERT(x)	_Static_assert(x, #x)
#endif

#ifdef SHMCHAN_EXPLORER
#include "explorer_atomic.h"
#else

#ifdef SHMCHAN_FUZZ
/* What is looked at may change right before (selftests/fuzz). */
#include "fuzz_atomic.h"
#else
#define shmchan_load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define shmchan_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define shmchan_load_seq_cst(p)		__atomic_load_n((p), __ATOMIC_SEQ_CST)

/* Returns what was there; all seq_cst. */
#define shmchan_fetch_add(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define shmchan_fetch_sub(p, v)		__atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define shmchan_exchange(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

/* *expected is a pointer; returns whether it was swapped; seq_cst. */
#define shmchan_cas(p, expected, v) \
	__atomic_compare_exchange_n((p), (expected), (v), 0, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#endif

#define shmchan_store_relaxed(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define shmchan_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define shmchan_store_seq_cst(p, v)	__atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#if defined(__SANITIZE_THREAD__)
#define SHMCHAN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHMCHAN_TSAN 1
#endif
#endif

/*
 * ThreadSanitizer does not know fences and gcc says so with a warning; code
 * that needs one there uses stronger accesses beside it under SHMCHAN_TSAN.
 */
#ifdef SHMCHAN_TSAN
#define shmchan_fence_acquire()		__atomic_signal_fence(__ATOMIC_SEQ_CST)
#define shmchan_fence_release()		__atomic_signal_fence(__ATOMIC_SEQ_CST)
static inline void shmchan_fence_seq_cst(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("mfence" ::: "memory");
#else
	static uint32_t word;

	__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#endif
}
#else
#define shmchan_fence_acquire()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define shmchan_fence_release()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define shmchan_fence_seq_cst()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* What is above is in memory before what is below if we are killed here. */
#define shmchan_crash_fence()		__atomic_signal_fence(__ATOMIC_SEQ_CST)

/* One turn of a spin loop. */
static inline void shmchan_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#else
	__asm__ __volatile__("" ::: "memory");
#endif
}

#endif /* SHMCHAN_EXPLORER */

#endif /* SHMCHAN_ATOMIC_H */
