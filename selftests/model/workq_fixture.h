/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_WORKQ_FIXTURE_H
#define MODEL_WORKQ_FIXTURE_H

/*
 * Work queues for models: the library's cells and sleep as they are, over the
 * kernel of kernel.h.  Each thread is a member of its own, in the slot of its
 * number.
 */

#include <shmchan/bell.h>

#include "explorer.h"
#include "kernel.h"

/* The library's calls, of these models alone. */
#define shmchan_bell_wait	workq_model_wait
#define shmchan_bell_ring	workq_model_ring
#define shmchan__now		workq_model_now

int workq_model_wait(const struct shmchan_region *region,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		     uint64_t deadline, uint32_t *index);
int workq_model_ring(const struct shmchan_region *region, uint32_t doorbell,
		     uint32_t max_wake);
uint64_t workq_model_now(void);

#endif /* MODEL_WORKQ_FIXTURE_H */
