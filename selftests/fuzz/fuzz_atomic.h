/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_ATOMIC_H
#define SHMCHAN_FUZZ_ATOMIC_H

/*
 * What of <shmchan/atomic.h> looks at words, when the library is compiled for the
 * fuzzer: before each one, a peer may change what is about to be looked at, and too
 * many of them in one call are a hang.  fuzz.h has the other side.
 */

extern void shmchan_fuzz_load(const void *p);

#define SHMCHAN_FUZZ_LOAD(p, order) __extension__ ({ \
	__auto_type shmchan__p = (p); \
	shmchan_fuzz_load((const void *)shmchan__p); \
	__atomic_load_n(shmchan__p, (order)); })

#define shmchan_load_relaxed(p)	SHMCHAN_FUZZ_LOAD((p), __ATOMIC_RELAXED)
#define shmchan_load_acquire(p)	SHMCHAN_FUZZ_LOAD((p), __ATOMIC_ACQUIRE)
#define shmchan_load_seq_cst(p)	SHMCHAN_FUZZ_LOAD((p), __ATOMIC_SEQ_CST)

#define SHMCHAN_FUZZ_CHANGE(change, p, v) __extension__ ({ \
	__auto_type shmchan__p = (p); \
	shmchan_fuzz_load((const void *)shmchan__p); \
	change(shmchan__p, (v), __ATOMIC_SEQ_CST); })

#define shmchan_fetch_add(p, v)	SHMCHAN_FUZZ_CHANGE(__atomic_fetch_add, p, v)
#define shmchan_fetch_sub(p, v)	SHMCHAN_FUZZ_CHANGE(__atomic_fetch_sub, p, v)
#define shmchan_exchange(p, v)	SHMCHAN_FUZZ_CHANGE(__atomic_exchange_n, p, v)

#define shmchan_cas(p, expected, v) __extension__ ({ \
	__auto_type shmchan__p = (p); \
	shmchan_fuzz_load((const void *)shmchan__p); \
	__atomic_compare_exchange_n(shmchan__p, (expected), (v), 0, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); })

#endif /* SHMCHAN_FUZZ_ATOMIC_H */
