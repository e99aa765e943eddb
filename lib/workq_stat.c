// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Work queues: how they are, and who has what. */

#include <string.h>

#include "workq_private.h"

int shmchan_workq_get_stat(struct shmchan_workq *q,
			   struct shmchan_workq_stat *stat)
{
	const struct shmchan_workq_control *c;
	uint32_t n[8] = { 0 }, pos;
	int err = shmchan__workq_usable_for(q, stat);

	if (err)
		return err;
	(void)shmchan_region_poll_members(q->region);
	shmchan__workq_bury(q);
	for (pos = 0; pos <= q->mask; pos++)
		n[shmchan_workq_state(shmchan_load_relaxed(
				shmchan__workq_cell(q, pos)))]++;
	c = q->control;
	memset(stat, 0, sizeof(*stat));
	stat->nr_items = q->mask + 1;
	stat->item_size = q->item_size;
	stat->max_attempts = q->max_attempts;
	stat->free = n[SHMCHAN_WORKQ_FREE];
	stat->writing = n[SHMCHAN_WORKQ_WRITING];
	stat->ready = n[SHMCHAN_WORKQ_READY];
	stat->claimed = n[SHMCHAN_WORKQ_CLAIMED];
	stat->dead = n[SHMCHAN_WORKQ_DEAD] + n[SHMCHAN_WORKQ_EXAMINED];
	stat->high_water = (uint32_t)shmchan_load_relaxed(&c->high_water);
	stat->redelivered = shmchan_load_relaxed(&c->redelivered);
	stat->dead_lettered = shmchan_load_relaxed(&c->dead_lettered);
	return shmchan_region_check(q->region);
}

int shmchan_workq_claims(struct shmchan_workq *q,
			 struct shmchan_workq_claim *claims, unsigned int room)
{
	unsigned int n = 0;
	uint32_t pos;
	uint64_t word;
	int err = shmchan__workq_usable(q);

	if (!err && room)
		err = shmchan__workq_usable_for(q, claims);
	if (err)
		return err;
	for (pos = 0; n < room && pos <= q->mask; pos++) {
		word = shmchan_load_relaxed(shmchan__workq_cell(q, pos));
		if (!shmchan_workq_owned(word))
			continue;
		claims[n++] = (struct shmchan_workq_claim){
			.index = pos,
			.state = shmchan_workq_state(word),
			.slot = shmchan_cell_slot(word),
			.generation = shmchan_cell_generation(word),
			.attempts = shmchan_workq_attempts(word),
			.lives = (uint32_t)shmchan_cell_lives(q->slots,
							q->nr_slots, word),
		};
	}
	err = shmchan_region_check(q->region);
	return err ? err : (int)n;
}
