// SPDX-License-Identifier: GPL-2.0-only
/* A model of kmod/doorbell.c.  See kmod.h. */
#include "kmod.h"
#include "kmod_private.h"

const struct k_wait *k_waits[K_THREADS];

static uint64_t *mem(unsigned int i)
{
	return (uint64_t *)(explorer_memory + 8UL * i);
}

uint64_t *k_data(unsigned int i)
{
	return mem(i);
}

uint64_t *k_lock_word(unsigned int i)
{
	return mem(16 + i);
}

uint64_t *k_members_seq(void)
{
	return mem(24);
}

uint64_t *k_seat_lock(void)
{
	return mem(25);
}

uint64_t *k_slot(unsigned int member)
{
	return mem(28 + member);
}

uint64_t *k_bell(unsigned int bell, unsigned int field)
{
	return mem(32 + 16 * bell + field);
}

uint64_t *k_member(unsigned int member, unsigned int field)
{
	return mem(96 + 16 * member + field);
}

uint64_t *k_waiter(unsigned int me, unsigned int field)
{
	return mem(160 + 16 * me + field);
}

uint64_t *k_count(unsigned int bell)
{
	return k_bell(bell, BELL_COUNT);
}

uint64_t *k_seq(unsigned int bell)
{
	return k_bell(bell, BELL_SEQ);
}

int k_flaw(enum k_flaw flaw)
{
	return explorer_model->arg == (int)flaw;
}

void k_setup(void)
{
	unsigned int m;

	for (m = 0; m < K_THREADS; m++)
		k_waits[m] = NULL;
	for (m = 0; m < K_MEMBERS; m++)
		*k_slot(m) = K_SLOT_LIVE;
	k_subs_setup();
}

void k_setup_wait(unsigned int me, const struct k_wait *wait)
{
	k_waits[me] = wait;
}

void k_lock(uint64_t *lock)
{
	explorer_lock(lock);
}

void k_unlock(uint64_t *lock)
{
	explorer_unlock(lock);
}

void k_mb(void)
{
	shmchan_fence_seq_cst();
}

int k_cmpxchg(uint64_t *p, uint64_t old, uint64_t value)
{
	int done;

	k_mb();
	done = explorer_cas(EXPLORER_SITE(EXPLORER_CAS, EXPLORER_RLX), p,
			    sizeof(*p), &old, value);
	k_mb();
	return done;
}

uint64_t k_plain_load(uint64_t *p)
{
	return EXPLORER_LOAD_(p, EXPLORER_PLAIN);
}

void k_plain_store(uint64_t *p, uint64_t value)
{
	EXPLORER_STORE_(p, value, EXPLORER_PLAIN);
}

void k_publish(unsigned int bell)
{
	shmchan_store_relaxed(k_count(bell),
			      shmchan_load_relaxed(k_bell(bell, BELL_NR)));
}

void k_add(uint64_t *p, uint64_t n)
{
	shmchan_store_relaxed(p, shmchan_load_relaxed(p) + n);
}

static uint64_t *word_of(const struct k_elem *e)
{
	return e->word(e->i);
}

/* Has an element of this doorbell changed?  Which, or -1. */
int k_first_changed(unsigned int me, int bell)
{
	const struct k_wait *w = k_waits[me];
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		if (bell >= 0 && w->elem[i].bell != (unsigned int)bell)
			continue;
		if (shmchan_load_relaxed(word_of(&w->elem[i])) !=
		    shmchan_load_relaxed(k_waiter(me, WAITER_BELIEVED(i))))
			return (int)i;
	}
	return -1;
}

static void wake_up_process(unsigned int me)
{
	if (!k_flaw(K_WAKE_NO_BARRIER))
		k_mb();
	if (shmchan_load_relaxed(k_waiter(me, WAITER_TASK)))
		shmchan_store_release(k_waiter(me, WAITER_TASK), 0);
}

/* Where races are what the model is about no more, but what comes of them. */
static int races_allowed(void)
{
	return k_flaw(K_RING_NO_LOCK) || k_flaw(K_STORE_WOKEN) ||
	       k_flaw(K_WON_ALWAYS) || k_flaw(K_CLAIM_LOAD);
}

/* Whose memory a waker touches: it may not be gone. */
void k_touch(unsigned int me)
{
	if (!races_allowed())
		(void)k_plain_load(k_waiter(me, WAITER_MEMORY));
}

/* Wake who sleeps in WAIT, or have the task complete what it submitted. */
static void wake(unsigned int me)
{
	if (k_waits[me]->async)
		k_async_end(me);
	else
		wake_up_process(me);
}

/* To be woken, or completed, is for one only. */
int k_claim(unsigned int me)
{
	uint64_t *woken = k_waiter(me, WAITER_WOKEN);

	if (k_flaw(K_STORE_WOKEN)) {
		int first = !shmchan_load_relaxed(woken);

		shmchan_store_relaxed(woken, 1);
		return first;
	}
	if (k_cmpxchg(woken, 0, 1))
		return 1;
	explorer_cover("somebody else was quicker");
	return k_flaw(K_WON_ALWAYS);
}

static int wake_entry(unsigned int me, unsigned int bell)
{
	int i;

	k_touch(me);
	i = k_first_changed(me, (int)bell);
	if (i < 0)
		return 0;
	shmchan_store_relaxed(k_bell(bell, BELL_QUEUED(me)), 0);
	k_add(k_bell(bell, BELL_NR), -1ULL);
	if (k_flaw(K_WOKEN_LATE))
		wake(me);
	if (!k_claim(me))
		return 0;
	if (!races_allowed()) {
		k_plain_store(k_waiter(me, WAITER_INDEX), (uint64_t)i);
		k_plain_store(k_waiter(me, WAITER_CHOSEN), bell);
	}
	if (!k_flaw(K_WOKEN_LATE))
		wake(me);
	return 1;
}

unsigned int k_ring(unsigned int bell, unsigned int max_wake)
{
	unsigned int woken = 0, i, back = 0;

	explorer_syscall();
	if (max_wake)
		back = explorer_choose(2);
	if (!k_flaw(K_RING_NO_LOCK))
		k_lock(k_bell(bell, BELL_LOCK));
	k_subs_ring(bell);
	for (i = 0; i < K_THREADS; i++) {
		unsigned int me = back ? K_THREADS - 1 - i : i;

		if (!k_waits[me] ||
		    !shmchan_load_relaxed(k_bell(bell, BELL_QUEUED(me))))
			continue;
		if (wake_entry(me, bell) && ++woken == max_wake)
			break;
	}
	k_publish(bell);
	if (!k_flaw(K_RING_NO_LOCK))
		k_unlock(k_bell(bell, BELL_LOCK));
	k_subs_rung(bell);
	explorer_sysret();
	return woken;
}

void k_member_end(unsigned int member)
{
	unsigned int me;

	if (!k_flaw(K_STATE_LATE))
		(void)k_cmpxchg(k_member(member, MEMBER_ENDED), 0, 1);
	k_lock(k_member(member, MEMBER_LOCK));
	for (me = 0; me < K_THREADS; me++) {
		if (!k_waits[me] || k_waits[me]->member != member ||
		    !shmchan_load_relaxed(k_member(member, MEMBER_WAITS(me))))
			continue;
		k_touch(me);
		shmchan_store_relaxed(k_waiter(me, WAITER_STALE), 1);
		wake(me);
		explorer_cover("an end finds a sleeper");
	}
	k_unlock(k_member(member, MEMBER_LOCK));
	if (k_flaw(K_STATE_LATE))
		(void)k_cmpxchg(k_member(member, MEMBER_ENDED), 0, 1);
	k_subs_end(member);
}

static void seat(unsigned int member, uint64_t word)
{
	k_lock(k_seat_lock());
	shmchan_store_relaxed(k_slot(member), word);
	if (word == K_SLOT_CLAIMING) {
		k_unlock(k_seat_lock());
		return;
	}
	/* Who sees that something changed sees what. */
	if (k_flaw(K_MEMBERS_RELAXED) || k_flaw(K_MEMBERS_CLAIMING))
		k_add(k_members_seq(), 1);
	else
		shmchan_store_release(k_members_seq(), 1 +
				shmchan_load_relaxed(k_members_seq()));
	k_unlock(k_seat_lock());
}

void k_member_gone(unsigned int member)
{
	/* The cmpxchg of its state, or the last mmput() of its memory. */
	if (!k_flaw(K_GONE_NO_BARRIER))
		k_mb();
	if (!k_flaw(K_SLOT_LATE))
		seat(member, K_SLOT_ENDED);
	(void)k_ring(0, 0);
	if (k_flaw(K_SLOT_LATE))
		seat(member, K_SLOT_ENDED);
}

void k_member_joins(unsigned int member, uint64_t word)
{
	if (k_flaw(K_MEMBERS_CLAIMING)) {
		seat(member, K_SLOT_CLAIMING);
		/* To unlock, then to lock: orders all but a store and a load. */
		EXPLORER_FENCE_(EXPLORER_ACQ_REL);
	}
	seat(member, word);
	(void)k_ring(0, 0);
}

void k_dequeue(unsigned int me, unsigned int bell)
{
	unsigned int m = k_waits[me]->member;
	uint64_t *queued = k_bell(bell, BELL_QUEUED(me));
	int lock = !k_flaw(K_NO_DEQUEUE_LOCK) || shmchan_load_relaxed(queued);

	if (lock)
		k_lock(k_bell(bell, BELL_LOCK));
	if (shmchan_load_relaxed(queued)) {
		shmchan_store_relaxed(queued, 0);
		k_add(k_bell(bell, BELL_NR), -1ULL);
		k_publish(bell);
	}
	if (lock)
		k_unlock(k_bell(bell, BELL_LOCK));

	k_lock(k_member(m, MEMBER_LOCK));
	k_add(k_member(m, MEMBER_WAITS(me)), -1ULL);
	k_unlock(k_member(m, MEMBER_LOCK));
}

/* 0: this member has ended. */
int k_enqueue(unsigned int me, unsigned int bell)
{
	unsigned int m = k_waits[me]->member;
	uint64_t *ended = k_member(m, MEMBER_ENDED);
	uint64_t over = 0;

	if (k_flaw(K_STATE_EARLY))
		over = shmchan_load_relaxed(ended);
	k_lock(k_member(m, MEMBER_LOCK));
	if (!k_flaw(K_STATE_EARLY))
		over = shmchan_load_relaxed(ended);
	if (!over)
		k_add(k_member(m, MEMBER_WAITS(me)), 1);
	k_unlock(k_member(m, MEMBER_LOCK));
	if (over)
		return 0;

	k_lock(k_bell(bell, BELL_LOCK));
	shmchan_store_relaxed(k_bell(bell, BELL_QUEUED(me)), 1);
	k_add(k_bell(bell, BELL_NR), 1);
	if (!k_flaw(K_COUNT_LATE) && !k_flaw(K_QUEUE_NO_COUNT))
		k_publish(bell);
	k_unlock(k_bell(bell, BELL_LOCK));
	return 1;
}

struct sleep {
	int index;
	int killed;
	int timed_out;
};

static enum k_ret sleep_waiter(unsigned int me, struct sleep *s)
{
	const struct k_wait *w = k_waits[me];
	enum k_ret ret;

	for (;;) {
		shmchan_store_relaxed(k_waiter(me, WAITER_TASK), 1);
		if (!k_flaw(K_NO_STATE_BARRIER))
			k_mb();
		ret = K_OK;
		if (shmchan_load_relaxed(k_waiter(me, WAITER_WOKEN)))
			break;
		if (shmchan_load_relaxed(k_waiter(me, WAITER_STALE))) {
			ret = K_ESTALE;
			break;
		}
		s->index = k_flaw(K_NO_COMPARE) ? -1 : k_first_changed(me, -1);
		if (s->index >= 0) {
			explorer_cover("changed before it slept");
			if (k_flaw(K_SHARED_INDEX))
				k_plain_store(k_waiter(me, WAITER_INDEX),
					      (uint64_t)s->index);
			break;
		}
		if (k_flaw(K_COUNT_LATE)) {
			k_lock(k_bell(w->elem[0].bell, BELL_LOCK));
			k_publish(w->elem[0].bell);
			k_unlock(k_bell(w->elem[0].bell, BELL_LOCK));
		}
		ret = K_ETIMEDOUT;
		if (s->timed_out)
			break;
		ret = K_EINTR;
		if (s->killed)
			break;
		if (w->may_time_out)
			s->timed_out = (int)explorer_choose(2);
		if (w->may_be_killed)
			s->killed = (int)explorer_choose(2);
		if (s->timed_out || s->killed)
			continue;
		explorer_await(k_waiter(me, WAITER_TASK), EXPLORER_ACQ, 0);
		explorer_cover("slept and was woken");
	}
	shmchan_store_relaxed(k_waiter(me, WAITER_TASK), 0);
	return ret;
}

static int of_no_use(unsigned int me, const struct sleep *s)
{
	if (!shmchan_load_relaxed(k_waiter(me, WAITER_WOKEN)))
		return 0;
	if (shmchan_load_relaxed(k_waiter(me, WAITER_STALE)))
		return 1;
	return s->killed && !k_flaw(K_HAND_ON_STALE_ONLY);
}

static void hand_on(unsigned int me)
{
	if (k_flaw(K_NO_HAND_ON))
		return;
	explorer_cover("hands the ring on");
	(void)k_ring((unsigned int)k_plain_load(k_waiter(me, WAITER_CHOSEN)),
		     1);
}

static enum k_ret run_waiter(unsigned int me, struct sleep *s)
{
	const struct k_wait *w = k_waits[me];
	enum k_ret ret = K_OK;
	unsigned int i, n = 0;
	uint64_t woken;
	int early = 0;

	for (i = 0; i < w->nr && ret == K_OK; i++) {
		if (i && w->elem[i].bell == w->elem[i - 1].bell)
			continue;
		if (!k_enqueue(me, w->elem[i].bell))
			ret = K_ESTALE;
		else
			n = i + 1;
	}
	if (ret == K_OK)
		ret = sleep_waiter(me, s);
	if (k_flaw(K_HAND_ON_EARLY))
		early = of_no_use(me, s);
	for (i = n; i--;)
		if (!i || w->elem[i].bell != w->elem[i - 1].bell)
			k_dequeue(me, w->elem[i].bell);
	/* It may be killed after it slept, too. */
	if (w->may_be_killed && !s->killed)
		s->killed = (int)explorer_choose(2);

	woken = shmchan_load_relaxed(k_waiter(me, WAITER_WOKEN));
	if (k_flaw(K_HAND_ON_EARLY) ? early : of_no_use(me, s))
		hand_on(me);
	if (shmchan_load_relaxed(k_waiter(me, WAITER_STALE)))
		return K_ESTALE;
	if (woken && s->killed)
		return K_EINTR;
	if (woken && !races_allowed())
		s->index = (int)k_plain_load(k_waiter(me, WAITER_INDEX));
	if (k_flaw(K_TIMEOUT_BEATS))
		return ret;
	if (woken && ret == K_ETIMEDOUT)
		explorer_cover("a ring beats a timeout");
	return woken ? K_OK : ret;
}

enum k_ret k_wait(unsigned int me, const uint64_t *believed,
		  unsigned int *index)
{
	const struct k_wait *w = k_waits[me];
	struct sleep s = { .index = -1 };
	enum k_ret ret;
	unsigned int i;

	explorer_syscall();
	/* Its memory is new, so nobody is there to see these. */
	k_plain_store(k_waiter(me, WAITER_MEMORY), 1);
	shmchan_store_relaxed(k_waiter(me, WAITER_WOKEN), 0);
	shmchan_store_relaxed(k_waiter(me, WAITER_STALE), 0);
	for (i = 0; i < w->nr; i++)
		shmchan_store_relaxed(k_waiter(me, WAITER_BELIEVED(i)),
				      believed[i]);
	s.index = k_first_changed(me, -1);
	ret = s.index >= 0 ? K_OK : run_waiter(me, &s);
	/* ... and is freed. */
	k_plain_store(k_waiter(me, WAITER_MEMORY), 0);
	explorer_sysret();
	if (index)
		*index = s.index < 0 ? 0 : (unsigned int)s.index;
	return ret;
}

void k_produce(uint64_t *word, uint64_t value, unsigned int bell,
	       unsigned int max_wake)
{
	uint64_t waiters = 0;

	if (k_flaw(K_LOAD_FIRST))
		waiters = shmchan_load_seq_cst(k_count(bell));
	if (k_flaw(K_STORE_RELEASE))
		shmchan_store_release(word, value);
	else
		shmchan_store_seq_cst(word, value);
	shmchan_crash_fence();
	if (!k_flaw(K_LOAD_FIRST))
		waiters = shmchan_load_seq_cst(k_count(bell));
	if (waiters) {
		explorer_cover("rings");
		(void)k_ring(bell, max_wake);
	} else {
		explorer_cover("nobody waits");
	}
}
