// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Work queues: the cells, and the steps that they take.
 * <shmchan/workq_layout.h> has the picture.
 *
 * The ring of cells is that of many bounded queues (D. Vyukov's MPMC queue, 2010,
 * is the one that most are measured by), without what makes them fall over a
 * kill: nobody draws a number that others then wait for.  Positions count without
 * end; a producer begins to look for a FREE cell at tail, a worker for a READY
 * one at head, each goes on until it finds one, and moves the hint on behind it.
 * A hint that is wrong, because who should have moved it was killed or was late,
 * costs looks, and order, and nothing else.
 */

#include "workq_private.h"

/* Cells that are looked at from a hint on, before all are. */
#define LOOKS		128
/* Each that fails, somebody else's has succeeded. */
#define HINT_TRIES	4

static int cell_cas(struct shmchan_workq *q, uint64_t pos, uint64_t old,
		    uint64_t word)
{
	return shmchan_cas(shmchan__workq_cell(q, pos), &old, word);
}

static struct shmchan_workq_item_header *
header_of(const struct shmchan_workq *q, uint64_t index)
{
	return (struct shmchan_workq_item_header *)
		(q->items + index * q->item_stride);
}

/*
 * The next producer begins at pos.  Others move it on, too; whoever is behind them
 * all leaves it.
 */
static void advance_tail(struct shmchan_workq *q, uint64_t seen, uint64_t pos)
{
	int tries;

	for (tries = 0; tries < HINT_TRIES; tries++)
		if ((int64_t)(pos - seen) <= 0 ||
		    shmchan_cas(&q->control->tail, &seen, pos))
			break;
}

/* Unless it has moved: it may have been moved back, and must not be passed. */
static void advance_head(struct shmchan_workq *q, uint64_t seen, uint64_t pos)
{
	if ((int64_t)(pos - seen) > 0)
		(void)shmchan_cas(&q->control->head, &seen, pos);
}

/*
 * Something is READY again, or late, where workers may have passed: have them
 * begin there.  If it lies before them they will come to it.
 */
static void retreat(struct shmchan_workq *q, uint32_t index)
{
	struct shmchan_workq_control *c = q->control;
	uint64_t head = shmchan_load_relaxed(&c->head);
	uint64_t tail = shmchan_load_relaxed(&c->tail);
	uint64_t behind = (head - index) & q->mask;

	if (behind && (int64_t)(tail - (head - behind + q->mask + 1)) <= 0)
		(void)shmchan_cas(&c->head, &head, head - behind);
}

/* One step, from what was seen.  Whether it was we: 1 or 0. */
static unsigned int take_cell(struct shmchan_workq *q, uint64_t pos,
			      uint64_t old, uint32_t state,
			      struct shmchan_workq_item *item)
{
	uint32_t attempts = shmchan_workq_attempts(old), length;
	uint64_t index = pos & q->mask;

	/*
	 * Counted before it is begun, so that it is counted whatever comes: of a
	 * work item that kills its workers nothing else would be.
	 */
	if (state == SHMCHAN_WORKQ_CLAIMED &&
	    attempts < SHMCHAN_WORKQ_MAX_ATTEMPTS)
		attempts++;
	item->ticket = shmchan_workq_taken(old, q->owner, state, attempts);
	/* Acquires: what its producer, or its last worker, has written. */
	if (!cell_cas(q, pos, old, item->ticket))
		return 0;
	item->index = (uint32_t)index;
	item->attempts = attempts;
	item->data = header_of(q, index) + 1;
	item->length = q->item_size;
	if (state == SHMCHAN_WORKQ_WRITING)
		return 1;
	length = shmchan_load_relaxed(&header_of(q, index)->length);
	if (length < item->length)
		item->length = length;
	return 1;
}

uint32_t shmchan__workq_after(const struct shmchan_workq *q, uint64_t word)
{
	switch (shmchan_workq_state(word)) {
	case SHMCHAN_WORKQ_CLAIMED:
		return shmchan_workq_attempts(word) < q->max_attempts ?
			SHMCHAN_WORKQ_READY : SHMCHAN_WORKQ_DEAD;
	case SHMCHAN_WORKQ_EXAMINED:
		return SHMCHAN_WORKQ_DEAD;
	default:
		return SHMCHAN_WORKQ_FREE;
	}
}

/*
 * If the owner of a cell is dead, give back what it had.  Any member may, and
 * several may try: the word names the owner and its generation, so it cannot
 * have become another owner's, or this one's again.  Returns the cell as it is
 * then.
 */
static uint64_t bury_cell(struct shmchan_workq *q, uint64_t pos, uint64_t word)
{
	struct shmchan_workq_control *c = q->control;
	uint32_t state;

	if (!shmchan_workq_owned(word) ||
	    shmchan_cell_lives(q->slots, q->nr_slots, word))
		return word;
	state = shmchan__workq_after(q, word);
	if (!cell_cas(q, pos, word, shmchan_workq_left(word, state,
						state == SHMCHAN_WORKQ_FREE ?
						0 : shmchan_workq_attempts(word))))
		return shmchan_load_relaxed(shmchan__workq_cell(q, pos));
	switch (state) {
	case SHMCHAN_WORKQ_READY:
		shmchan_fetch_add(&c->redelivered, 1);
		retreat(q, (uint32_t)pos & q->mask);
		shmchan__workq_tell(q, WORKQ_WORK);
		break;
	case SHMCHAN_WORKQ_FREE:
		shmchan__workq_tell(q, WORKQ_ROOM);
		break;
	default:
		if (shmchan_workq_state(word) == SHMCHAN_WORKQ_CLAIMED)
			shmchan_fetch_add(&c->dead_lettered, 1);
		break;
	}
	return shmchan_load_relaxed(shmchan__workq_cell(q, pos));
}

void shmchan__workq_bury(struct shmchan_workq *q)
{
	uint64_t members = shmchan_members_seq(q->region), pos;

	if (members == shmchan_load_relaxed(&q->members_seen))
		return;
	for (pos = 0; pos <= q->mask; pos++)
		bury_cell(q, pos, shmchan_load_relaxed(
				shmchan__workq_cell(q, pos)));
	/* Behind it: another thread of ours may rely on that it was done. */
	shmchan_store_release(&q->members_seen, members);
}

static uint64_t looks(const struct shmchan_workq *q)
{
	return q->mask < LOOKS ? q->mask + 1ULL : LOOKS;
}

static unsigned int try_room(struct shmchan_workq *q,
			     struct shmchan_workq_item *item)
{
	uint64_t tail = shmchan_load_relaxed(&q->control->tail);
	uint64_t pos, word;

	for (pos = tail; pos - tail < looks(q); pos++) {
		word = shmchan_load_relaxed(shmchan__workq_cell(q, pos));
		if (shmchan_workq_state(word) != SHMCHAN_WORKQ_FREE ||
		    !take_cell(q, pos, word, SHMCHAN_WORKQ_WRITING, item))
			continue;
		/* Before it is written: workers are to see that it is coming. */
		advance_tail(q, tail, pos + 1);
		return 1;
	}
	return 0;
}

/*
 * A FREE cell: was it acknowledged, or is it where producers are?  They and their
 * line are asked at the first one only.
 */
static int at_tail(const struct shmchan_workq *q, uint64_t pos,
		   uint64_t *tail, int *asked)
{
	if (!*asked)
		*tail = shmchan_load_relaxed(&q->control->tail);
	*asked = 1;
	return (int64_t)(*tail - pos) <= 0;
}

/*
 * The hint goes on behind what was had, and all before it that is nobody's or
 * claimed; but waits for what is being written, up to WORKQ_LAG behind.
 */
static unsigned int try_work(struct shmchan_workq *q,
			     struct shmchan_workq_item *items, unsigned int n)
{
	uint64_t head = shmchan_load_relaxed(&q->control->head);
	uint64_t pos, word, tail = 0, hold = 0;
	unsigned int got = 0;
	int asked = 0, held = 0;
	uint32_t state;

	for (pos = head; got < n && pos - head < looks(q); pos++) {
		word = shmchan_load_relaxed(shmchan__workq_cell(q, pos));
		state = shmchan_workq_state(word);
		if (state == SHMCHAN_WORKQ_READY) {
			got += take_cell(q, pos, word, SHMCHAN_WORKQ_CLAIMED,
					 &items[got]);
		} else if (state == SHMCHAN_WORKQ_WRITING && !held) {
			held = 1;
			hold = pos;
		} else if (state == SHMCHAN_WORKQ_FREE &&
			   at_tail(q, pos, &tail, &asked)) {
			break;
		}
	}
	if (held)
		pos = pos - hold > WORKQ_LAG ? pos - WORKQ_LAG : hold;
	advance_head(q, head, pos);
	return got;
}

unsigned int shmchan__workq_try(struct shmchan_workq *q,
				enum shmchan__workq_side side,
				struct shmchan_workq_item *items,
				unsigned int n)
{
	shmchan__workq_bury(q);
	return side == WORKQ_WORK ? try_work(q, items, n) : try_room(q, items);
}

unsigned int shmchan__workq_look(struct shmchan_workq *q,
				 enum shmchan__workq_side side,
				 struct shmchan_workq_item *items,
				 unsigned int n)
{
	struct shmchan_workq_control *c = q->control;
	const uint32_t from = side == WORKQ_WORK ? SHMCHAN_WORKQ_READY :
						   SHMCHAN_WORKQ_FREE;
	const uint32_t to = side == WORKQ_WORK ? SHMCHAN_WORKQ_CLAIMED :
						 SHMCHAN_WORKQ_WRITING;
	uint64_t begin = shmchan_load_relaxed(side == WORKQ_WORK ? &c->head :
							       &c->tail);
	unsigned int got = 0;
	uint64_t pos, word;

	for (pos = begin; got < n && pos - begin <= q->mask; pos++) {
		word = shmchan_load_relaxed(shmchan__workq_cell(q, pos));
		word = bury_cell(q, pos, word);
		if (shmchan_workq_state(word) == from)
			got += take_cell(q, pos, word, to,
						       &items[got]);
	}
	/* The next one goes behind it. */
	if (got && side == WORKQ_ROOM)
		advance_tail(q, begin, pos);
	return got;
}

int shmchan__workq_any(struct shmchan_workq *q)
{
	uint64_t begin = shmchan_load_relaxed(&q->control->head), pos, word;

	for (pos = begin; pos - begin <= q->mask; pos++) {
		word = shmchan_load_relaxed(shmchan__workq_cell(q, pos));
		word = bury_cell(q, pos, word);
		if (shmchan_workq_state(word) == SHMCHAN_WORKQ_READY)
			return 1;
	}
	return 0;
}

unsigned int shmchan__workq_exhume(struct shmchan_workq *q,
				   struct shmchan_workq_item *item)
{
	uint64_t pos, word;

	for (pos = 0; pos <= q->mask; pos++) {
		word = shmchan_load_relaxed(shmchan__workq_cell(q, pos));
		word = bury_cell(q, pos, word);
		if (shmchan_workq_state(word) == SHMCHAN_WORKQ_DEAD &&
		    take_cell(q, pos, word, SHMCHAN_WORKQ_EXAMINED, item))
			return 1;
	}
	return 0;
}

int shmchan__workq_move(struct shmchan_workq *q,
			const struct shmchan_workq_item *item, uint32_t state,
			uint32_t attempts)
{
	/*
	 * Releases what we have written, to whoever takes it next; and what we
	 * have read of it is read.
	 */
	if (!cell_cas(q, item->index, item->ticket,
		      shmchan_workq_left(item->ticket, state, attempts)))
		return 1;
	if (state == SHMCHAN_WORKQ_READY)
		shmchan__workq_tell(q, WORKQ_WORK);
	else if (state == SHMCHAN_WORKQ_FREE)
		shmchan__workq_tell(q, WORKQ_ROOM);
	return 0;
}

int shmchan__workq_publish(struct shmchan_workq *q,
			   const struct shmchan_workq_item *item,
			   uint32_t length)
{
	struct shmchan_workq_control *c = q->control;
	uint64_t tail;

	/* A ticket that was used already: the bytes may be another's by now. */
	if (shmchan_load_relaxed(shmchan__workq_cell(q, item->index)) !=
	    item->ticket)
		return 1;
	shmchan_store_relaxed(&header_of(q, item->index)->length, length);
	if (!cell_cas(q, item->index, item->ticket,
		      shmchan_workq_left(item->ticket, SHMCHAN_WORKQ_READY, 0)))
		return 1;
	/* So late that workers no longer hold for it?  Then tell them. */
	tail = shmchan_load_relaxed(&c->tail);
	if (((tail - 1 - item->index) & q->mask) >= WORKQ_LAG)
		retreat(q, item->index);
	shmchan__workq_tell(q, WORKQ_WORK);
	return 0;
}
