/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_KMOD_PRIVATE_H
#define MODEL_KMOD_PRIVATE_H

/* What kmod.c (doorbell.c) and kmod_subs.c (subscribe.c) share: the memory. */

#include "kmod.h"

#define BELL_LOCK		0U
#define BELL_NR			1U	/* waiting or armed; BELL_LOCK */
#define BELL_COUNT		2U	/* the same, as published */
#define BELL_SEQ		3U
#define BELL_BOUND		4U	/* an eventfd; BELL_LOCK */
#define BELL_EVENTFD_LOCK	5U
#define BELL_EVENTFD		6U
#define BELL_QUEUED(me)		(8U + (me))	/* BELL_LOCK */

#define MEMBER_LOCK		0U
#define MEMBER_ENDED		1U
#define MEMBER_WAITS(me)	(2U + (me))	/* entries; MEMBER_LOCK */
#define MEMBER_ARMED		6U	/* BELL_LOCK */
#define MEMBER_SEEN		7U	/* MEMBER_LOCK */
#define MEMBER_READ_LOCK	8U
#define MEMBER_POLL_LOCK	9U
#define MEMBER_POLLS(me)	(10U + (me))	/* MEMBER_POLL_LOCK */
#define MEMBER_NO_SUB		14U	/* ended; MEMBER_LOCK */

#define WAITER_TASK		0U	/* 1: asleep, or about to be */
#define WAITER_WOKEN		1U
#define WAITER_STALE		2U
#define WAITER_INDEX		3U	/* plain: by the ring that won */
#define WAITER_CHOSEN		4U	/* the same */
#define WAITER_MEMORY		5U	/* plain: made and freed */
#define WAITER_TRIGGERED	6U	/* of poll */
#define WAITER_WORK		7U	/* of io_uring: how often posted */
#define WAITER_STATE		11U
#define WAITER_COMPLETIONS	12U
#define WAITER_BELIEVED(i)	(8U + (i))

extern const struct k_wait *k_waits[K_THREADS];

uint64_t *k_bell(unsigned int bell, unsigned int field);
uint64_t *k_member(unsigned int member, unsigned int field);
uint64_t *k_waiter(unsigned int me, unsigned int field);
uint64_t *k_seat_lock(void);

uint64_t k_plain_load(uint64_t *p);
void k_plain_store(uint64_t *p, uint64_t value);
void k_add(uint64_t *p, uint64_t n);
void k_publish(unsigned int bell);
int k_first_changed(unsigned int me, int bell);
void k_touch(unsigned int me);
int k_claim(unsigned int me);
int k_enqueue(unsigned int me, unsigned int bell);
void k_dequeue(unsigned int me, unsigned int bell);

void k_async_end(unsigned int me);

void k_subs_setup(void);
void k_subs_ring(unsigned int bell);
void k_subs_rung(unsigned int bell);
void k_subs_end(unsigned int member);

#endif /* MODEL_KMOD_PRIVATE_H */
