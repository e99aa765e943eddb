/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_POOL_H
#define SHMCHAN_FUZZ_POOL_H

/* A pool of two classes of buffers, its owner and two holders. */

#include "kept.h"
#include "pool_private.h"

#define BUFFERS		6
#define CELLS		4

struct fuzz_pool {
	struct fuzz_kept kept;
	struct shmchan_pool *owner;
	struct shmchan_pool *holder[2];
};

static inline void fuzz_pool_new(struct fuzz_pool *f)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1, .nr_holders = 2,
		.nr_cells = CELLS, .classes = {{ 64, 4 }, { 1000, 2 }});
	const char *name = fuzz_name();
	int i;

	FUZZ_CHECK(!shmchan_pool_open(&f->owner, name, &opts));
	opts.role = SHMCHAN_POOL_HOLDER;
	for (i = 0; i < 2; i++) {
		FUZZ_CHECK(!shmchan_pool_open(&f->holder[i], name, &opts));
		fuzz_keep_heap(&f->kept, f->holder[i]);
		fuzz_keep_heap(&f->kept, f->holder[i]->handles);
		fuzz_keep_heap(&f->kept, f->holder[i]->idle);
	}
	fuzz_keep_heap(&f->kept, f->owner);
	fuzz_keep_heap(&f->kept, f->owner->handles);
	fuzz_keep_heap(&f->kept, f->owner->idle);
	fuzz_keep_heap(&f->kept, f->owner->buffers);
	fuzz_keep_heap(&f->kept, f->owner->free);
	fuzz_keep_heap(&f->kept, f->owner->dropped);
	fuzz_keep_region(&f->kept, f->owner->region);
}

#endif /* SHMCHAN_FUZZ_POOL_H */
