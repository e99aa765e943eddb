/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EXPLORER_ATOMIC_H
#define EXPLORER_ATOMIC_H

/*
 * The explorer's definitions of every name of <shmchan/atomic.h>, which
 * includes this file under -DSHMCHAN_EXPLORER.  Each use is a *site*: a static
 * record that the linker collects, so that the explorer can list all of them,
 * count how often each ran, and weaken them one at a time.
 *
 * Addresses outside the explored memory (handles, locals) are accessed as
 * they are and make no event.
 */

#include <stddef.h>
#include <stdint.h>

enum explorer_order {
	EXPLORER_NONE,		/* a fence that is not there */
	EXPLORER_PLAIN,		/* not atomic: races are reported */
	EXPLORER_RLX,
	EXPLORER_ACQ,
	EXPLORER_REL,
	EXPLORER_ACQ_REL,
	EXPLORER_SC,
};

enum explorer_kind {
	EXPLORER_LOAD,
	EXPLORER_STORE,
	EXPLORER_ADD,
	EXPLORER_XCHG,
	EXPLORER_CAS,
	EXPLORER_FENCE,
	EXPLORER_CRASH_FENCE,
};

struct explorer_site {
	const char *file;
	const char *func;
	int line;
	enum explorer_kind kind;
	enum explorer_order order;	/* as written */
	enum explorer_order as;		/* as explored: weakened, maybe */
	unsigned long hits;
};

#define EXPLORER_SITE(k, o) (__extension__({ \
	static struct explorer_site site_ = \
		{ __FILE__, 0, __LINE__, (k), (o), (o), 0 }; \
	static struct explorer_site *const listed_ \
		__attribute__((section("explorer_sites"), used)) = &site_; \
	site_.func = __func__; \
	&site_; }))

uint64_t explorer_load(struct explorer_site *site, const volatile void *p,
		       size_t size);
void explorer_store(struct explorer_site *site, volatile void *p, size_t size,
		    uint64_t value);
uint64_t explorer_add(struct explorer_site *site, volatile void *p,
		      size_t size, uint64_t value);
uint64_t explorer_xchg(struct explorer_site *site, volatile void *p,
		       size_t size, uint64_t value);
int explorer_cas(struct explorer_site *site, volatile void *p, size_t size,
		 volatile void *expected, uint64_t value);
void explorer_fence(struct explorer_site *site);
void explorer_relax(void);
void explorer_copy_in(struct explorer_site *site, void *dst, const void *src,
		      size_t n);
void explorer_copy_out(struct explorer_site *site, void *dst, const void *src,
		       size_t n);

#define EXPLORER_LOAD_(p, o) \
	((__typeof__(*(p) + 0))explorer_load( \
		EXPLORER_SITE(EXPLORER_LOAD, o), (p), sizeof(*(p))))
#define EXPLORER_STORE_(p, v, o) \
	explorer_store(EXPLORER_SITE(EXPLORER_STORE, o), (p), sizeof(*(p)), \
		       (uint64_t)(v))
#define EXPLORER_FENCE_(o) \
	explorer_fence(EXPLORER_SITE(EXPLORER_FENCE, o))

#define shmchan_load_relaxed(p)		EXPLORER_LOAD_(p, EXPLORER_RLX)
#define shmchan_load_acquire(p)		EXPLORER_LOAD_(p, EXPLORER_ACQ)
#define shmchan_load_seq_cst(p)		EXPLORER_LOAD_(p, EXPLORER_SC)

#define shmchan_store_relaxed(p, v)	EXPLORER_STORE_(p, v, EXPLORER_RLX)
#define shmchan_store_release(p, v)	EXPLORER_STORE_(p, v, EXPLORER_REL)
#define shmchan_store_seq_cst(p, v)	EXPLORER_STORE_(p, v, EXPLORER_SC)

#define shmchan_fetch_add(p, v) \
	__extension__({ (__typeof__(*(p) + 0))explorer_add( \
		EXPLORER_SITE(EXPLORER_ADD, EXPLORER_SC), (p), sizeof(*(p)), \
		(uint64_t)(v)); })
#define shmchan_fetch_sub(p, v) \
	__extension__({ (__typeof__(*(p) + 0))explorer_add( \
		EXPLORER_SITE(EXPLORER_ADD, EXPLORER_SC), (p), sizeof(*(p)), \
		-(uint64_t)(v)); })
#define shmchan_exchange(p, v) \
	__extension__({ (__typeof__(*(p) + 0))explorer_xchg( \
		EXPLORER_SITE(EXPLORER_XCHG, EXPLORER_SC), (p), sizeof(*(p)), \
		(uint64_t)(v)); })
#define shmchan_cas(p, expected, v) \
	explorer_cas(EXPLORER_SITE(EXPLORER_CAS, EXPLORER_SC), (p), \
		     sizeof(*(p)), (expected), (uint64_t)(v))

#define shmchan_fence_acquire()		EXPLORER_FENCE_(EXPLORER_ACQ)
#define shmchan_fence_release()		EXPLORER_FENCE_(EXPLORER_REL)
#define shmchan_fence_seq_cst()		EXPLORER_FENCE_(EXPLORER_SC)

#define shmchan_crash_fence() \
	explorer_fence(EXPLORER_SITE(EXPLORER_CRASH_FENCE, EXPLORER_SC))

#define shmchan_cpu_relax()		explorer_relax()

/* Not in atomic.h: payload that is copied with plain accesses. */
#define shmchan_copy_in(dst, src, n) \
	explorer_copy_in(EXPLORER_SITE(EXPLORER_STORE, EXPLORER_PLAIN), \
			 (dst), (src), (n))
#define shmchan_copy_out(dst, src, n) \
	explorer_copy_out(EXPLORER_SITE(EXPLORER_LOAD, EXPLORER_PLAIN), \
			  (dst), (src), (n))

#endif /* EXPLORER_ATOMIC_H */
