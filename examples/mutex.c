// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A count that several processes keep, any of which may be killed at any instant.
 * Run it as often as you like at once, and kill -9 some:
 *
 *	./mutex & ./mutex & ./mutex
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>

#include <shmchan/mutex.h>

struct shared {
	unsigned long count;
	unsigned long squares;	/* always the sum of the squares up to it */
};

int main(void)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 8, .nr_objects = 1,
		.data_size = sizeof(struct shared));
	struct shmchan_sync sync;
	struct shmchan_mutex m;
	struct shared *s;
	int i, ret;

	if (shmchan_sync_open(&sync, "count", &opts) ||
	    shmchan_mutex_at(&m, &sync, 0))
		errx(1, "%s", shmchan_error_detail());
	s = (struct shared *)sync.data;
	for (i = 0; i < 100000; i++) {
		ret = shmchan_mutex_lock(&m);
		if (ret == -EOWNERDEAD) {
			/* Somebody died in the middle: make it true again. */
			unsigned long n = s->count;

			printf("%s\n", shmchan_error_detail());
			s->squares = n * (n + 1) * (2 * n + 1) / 6;
			ret = shmchan_mutex_consistent(&m);
		}
		if (ret)
			errx(1, "%s", shmchan_error_detail());
		s->count++;
		s->squares += s->count * s->count;
		shmchan_mutex_unlock(&m);
	}
	shmchan_mutex_lock(&m);
	printf("%lu counted, the sum of squares is %lu\n", s->count, s->squares);
	shmchan_mutex_unlock(&m);
	shmchan_sync_close(&sync);
	return 0;
}
