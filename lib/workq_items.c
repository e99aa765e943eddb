// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Work queues: the calls that put, take and acknowledge. */

#include <errno.h>
#include <string.h>

#include "workq_private.h"

/* Looks between two looks at the clock, while we spin. */
#define LOOKS	16

/* 0: nothing came. */
static unsigned int spin(struct shmchan_workq *q,
			 enum shmchan__workq_side side,
			 struct shmchan_workq_item *items, unsigned int n,
			 uint64_t deadline)
{
	uint64_t begin = shmchan__now(), now = begin, until = now + q->spin_ns;
	unsigned int got, i;

	if (until > deadline)
		until = deadline;
	while (now < until) {
		for (i = 0; i < LOOKS; i++) {
			shmchan_cpu_relax();
			got = shmchan__workq_try(q, side, items, n);
			if (got)
				return got;
		}
		now = shmchan__now();
		shmchan__spin_bury(q->region, begin, now);
	}
	return 0;
}

/* A call that found nothing and does not wait: then it looks at everything. */
static int look_once(struct shmchan_workq *q, enum shmchan__workq_side side,
		     struct shmchan_workq_item *items, unsigned int n)
{
	unsigned int got = shmchan__workq_look(q, side, items, n);

	/* Who never sleeps: nobody else may be there to see that one has died. */
	if (!got && shmchan_region_poll_members(q->region) > 0)
		got = shmchan__workq_look(q, side, items, n);
	if (got)
		return (int)got;
	return shmchan_region_check(q->region) ? -ESTALE : -EAGAIN;
}

static int get(struct shmchan_workq *q, enum shmchan__workq_side side,
	       struct shmchan_workq_item *items, unsigned int n,
	       int64_t timeout_ns)
{
	int ret = (int)shmchan__workq_try(q, side, items, n);
	uint64_t deadline;

	if (!ret && !timeout_ns) {
		ret = look_once(q, side, items, n);
	} else if (!ret) {
		deadline = shmchan_deadline(timeout_ns);
		if (q->spin_ns)
			ret = (int)spin(q, side, items, n, deadline);
		if (!ret)
			ret = shmchan__workq_sleep(q, side, items, n, deadline);
	}
	/* What we had of zeros, that were no queue any more. */
	if (ret > 0 && shmchan_region_check(q->region))
		return -ESTALE;
	return ret;
}

static int says_nothing(struct shmchan_workq *q, int ret)
{
	if (ret == -EAGAIN)
		return shmchan__fail_lazily(EAGAIN,
			"workq: none of %llu items is ready to be taken",
			q->mask + 1ULL);
	if (ret == -ETIMEDOUT)
		return shmchan__fail(ETIMEDOUT,
			"workq: none of the %u items of %s was ready to be taken in time",
			q->mask + 1, shmchan__name_of(q->region));
	return ret;
}

static int says_full(struct shmchan_workq *q, int err)
{
	struct shmchan_workq_stat stat;

	if ((err != -EAGAIN && err != -ETIMEDOUT) ||
	    shmchan_workq_get_stat(q, &stat))
		return err;
	return shmchan__fail(-err,
		"workq: %s is full: of %u items %u are ready, %u claimed by workers, %u reserved by producers, %u dead letters",
		shmchan__name_of(q->region), stat.nr_items, stat.ready,
		stat.claimed, stat.writing, stat.dead);
}

/* How many wait for workers: as far as hints tell. */
static void note_depth(struct shmchan_workq *q)
{
	struct shmchan_workq_control *c = q->control;
	uint64_t tail = shmchan_load_relaxed(&c->tail);
	uint64_t head = shmchan_load_relaxed(&q->head_seen);
	uint64_t most = shmchan_load_relaxed(&c->high_water), depth;

	if ((int64_t)(tail - head) <= (int64_t)most)
		return;
	/* The workers' line: asked only when it may be a new mark. */
	head = shmchan_load_relaxed(&c->head);
	shmchan_store_relaxed(&q->head_seen, head);
	depth = tail - head;
	if ((int64_t)depth <= 0)
		return;
	if (depth > (uint64_t)q->mask + 1)
		depth = (uint64_t)q->mask + 1;
	if (depth > most)
		(void)shmchan_cas(&c->high_water, &most, depth);
}

int shmchan_workq_reserve(struct shmchan_workq *q,
			  struct shmchan_workq_item *item, int64_t timeout_ns)
{
	int ret = shmchan__workq_usable_for(q, item);

	if (ret)
		return ret;
	ret = get(q, WORKQ_ROOM, item, 1, timeout_ns);
	if (ret < 0)
		return says_full(q, ret);
	note_depth(q);
	return 0;
}

static const char *const state_words[8] = {
	"free", "reserved", "ready", "claimed", "a dead letter", "examined",
	"nonsense", "nonsense",
};

/* Can this be a ticket of ours, for a cell in one of these states? */
static int check_ticket(const struct shmchan_workq *q,
			const struct shmchan_workq_item *item, const char *what,
			uint32_t state, uint32_t state2)
{
	uint32_t its = shmchan_workq_state(item->ticket);

	if (item->index > q->mask ||
	    shmchan_cell_generation(item->ticket ^ q->owner) ||
	    shmchan_cell_slot(item->ticket ^ q->owner))
		return shmchan__fail(EINVAL,
			"workq: %s: this is no item of ours: cell %u of %u, ticket %#llx of slot %u, generation %u; we are slot %u, generation %u",
			what, item->index, q->mask + 1,
			(unsigned long long)item->ticket,
			shmchan_cell_slot(item->ticket),
			shmchan_cell_generation(item->ticket), q->region->slot,
			q->region->generation);
	if (its != state && its != state2)
		return shmchan__fail(EINVAL,
			"workq: %s: item %u is %s: it has to be %s%s%s", what,
			item->index, state_words[its], state_words[state],
			state == state2 ? "" : " or ",
			state == state2 ? "" : state_words[state2]);
	return 0;
}

static int not_ours_now(const struct shmchan_workq *q,
			const struct shmchan_workq_item *item, const char *what)
{
	uint64_t now = shmchan_load_relaxed(shmchan__workq_cell(q, item->index));

	if (shmchan_region_check(q->region))
		return -ESTALE;
	return shmchan__fail(ESTALE,
		"workq: %s: item %u is no longer as the ticket says: it was acknowledged, committed or given back already (its cell is now %s, slot %u, generation %u)",
		what, item->index, state_words[shmchan_workq_state(now)],
		shmchan_cell_slot(now), shmchan_cell_generation(now));
}

int shmchan_workq_commit(struct shmchan_workq *q,
			 const struct shmchan_workq_item *item, size_t length)
{
	int err = shmchan__workq_usable_for(q, item);

	if (!err)
		err = check_ticket(q, item, "commit", SHMCHAN_WORKQ_WRITING,
				   SHMCHAN_WORKQ_WRITING);
	if (err)
		return err;
	if (length > q->item_size)
		return shmchan__fail(EMSGSIZE,
			"workq: commit: %zu bytes: items of %s have at most %u",
			length, shmchan__name_of(q->region), q->item_size);
	if (shmchan__workq_publish(q, item, (uint32_t)length))
		return not_ours_now(q, item, "commit");
	return shmchan_region_check(q->region);
}

int shmchan_workq_abort(struct shmchan_workq *q,
			const struct shmchan_workq_item *item)
{
	int err = shmchan__workq_usable_for(q, item);

	if (!err)
		err = check_ticket(q, item, "abort", SHMCHAN_WORKQ_WRITING,
				   SHMCHAN_WORKQ_WRITING);
	if (err)
		return err;
	if (shmchan__workq_move(q, item, SHMCHAN_WORKQ_FREE, 0))
		return not_ours_now(q, item, "abort");
	return shmchan_region_check(q->region);
}

int shmchan_workq_put(struct shmchan_workq *q, const void *data, size_t length,
		      int64_t timeout_ns)
{
	struct shmchan_workq_item item;
	int err = shmchan__workq_usable(q);

	if (err)
		return err;
	if (!data && length)
		return shmchan__fail(EINVAL,
			"workq: put: %zu bytes at NULL", length);
	if (length > q->item_size)
		return shmchan__fail(EMSGSIZE,
			"workq: put: %zu bytes: items of %s have at most %u",
			length, shmchan__name_of(q->region), q->item_size);
	err = shmchan_workq_reserve(q, &item, timeout_ns);
	if (err)
		return err;
	if (length)
		memcpy(item.data, data, length);
	if (shmchan__workq_publish(q, &item, (uint32_t)length))
		return not_ours_now(q, &item, "put");
	return shmchan_region_check(q->region);
}

int shmchan_workq_take_n(struct shmchan_workq *q,
			 struct shmchan_workq_item *items, unsigned int n,
			 int64_t timeout_ns)
{
	int err = shmchan__workq_usable_for(q, items);

	if (err)
		return err;
	if (!n || n > SHMCHAN_WORKQ_MAX_TAKE)
		return shmchan__fail(EINVAL,
			"workq: take_n: %u items: 1 to %d at a time", n,
			SHMCHAN_WORKQ_MAX_TAKE);
	return says_nothing(q, get(q, WORKQ_WORK, items, n, timeout_ns));
}

int shmchan_workq_take(struct shmchan_workq *q,
		       struct shmchan_workq_item *item, int64_t timeout_ns)
{
	int ret = shmchan_workq_take_n(q, item, 1, timeout_ns);

	return ret < 0 ? ret : 0;
}

int shmchan_workq_take_dead(struct shmchan_workq *q,
			    struct shmchan_workq_item *item)
{
	int err = shmchan__workq_usable_for(q, item);
	unsigned int got;

	if (err)
		return err;
	got = shmchan__workq_exhume(q, item);
	if (!got && shmchan_region_poll_members(q->region) > 0)
		got = shmchan__workq_exhume(q, item);
	err = shmchan_region_check(q->region);
	if (err)
		return err;
	return got ? 0 : shmchan__fail_lazily(EAGAIN,
		"workq: there is no dead letter among %llu items",
		q->mask + 1ULL);
}

int shmchan_workq_ack(struct shmchan_workq *q,
		      const struct shmchan_workq_item *item)
{
	int err = shmchan__workq_usable_for(q, item);

	if (!err)
		err = check_ticket(q, item, "ack", SHMCHAN_WORKQ_CLAIMED,
				   SHMCHAN_WORKQ_EXAMINED);
	if (err)
		return err;
	if (shmchan__workq_move(q, item, SHMCHAN_WORKQ_FREE, 0))
		return not_ours_now(q, item, "ack");
	return shmchan_region_check(q->region);
}

int shmchan_workq_ack_n(struct shmchan_workq *q,
			const struct shmchan_workq_item *items, unsigned int n)
{
	unsigned int i;
	int first = shmchan__workq_usable_for(q, n ? (const void *)items : q);
	int err;

	if (first)
		return first;
	for (i = 0; i < n; i++) {
		err = shmchan_workq_ack(q, &items[i]);
		if (!first)
			first = err;
	}
	return first;
}

int shmchan_workq_nack(struct shmchan_workq *q,
		       const struct shmchan_workq_item *item,
		       unsigned int flags)
{
	uint32_t attempts, state;
	int dead, err = shmchan__workq_usable_for(q, item);

	if (!err)
		err = check_ticket(q, item, "nack", SHMCHAN_WORKQ_CLAIMED,
				   SHMCHAN_WORKQ_EXAMINED);
	if (err)
		return err;
	attempts = shmchan_workq_attempts(item->ticket);
	dead = shmchan_workq_state(item->ticket) == SHMCHAN_WORKQ_EXAMINED;
	if (flags & ~(dead ? SHMCHAN_WORKQ_AFRESH : SHMCHAN_WORKQ_UNCOUNTED))
		return shmchan__fail(EINVAL,
			"workq: nack: flags are %#x: of %s only %s is known",
			flags, dead ? "a dead letter" : "an item",
			dead ? "SHMCHAN_WORKQ_AFRESH" :
			       "SHMCHAN_WORKQ_UNCOUNTED");
	state = shmchan__workq_after(q, item->ticket);
	if (flags) {
		state = SHMCHAN_WORKQ_READY;
		attempts = dead || !attempts ? 0 : attempts - 1;
	}
	if (shmchan__workq_move(q, item, state, attempts))
		return not_ours_now(q, item, "nack");
	if (state == SHMCHAN_WORKQ_READY)
		shmchan_fetch_add(&q->control->redelivered, 1);
	else if (!dead)
		shmchan_fetch_add(&q->control->dead_lettered, 1);
	return shmchan_region_check(q->region);
}
