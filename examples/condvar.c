// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * One process gives out work, others sleep until there is some: a mutex, a
 * condition variable, and something that is set up once.  Run it twice or more:
 *
 *	./condvar wait & ./condvar wait & ./condvar give
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <shmchan/condvar.h>
#include <shmchan/once.h>

struct shared {
	int price;		/* set up once */
	int pieces;		/* of work, that wait for somebody */
};

enum object { MUTEX, CONDVAR, ONCE, OBJECTS };

static int set_up(void *arg, int after_death)
{
	struct shared *s = (struct shared *)arg;

	(void)after_death;	/* whoever died here: it is just done again */
	s->price = 42;
	return 0;
}

/* Whatever a dead owner was doing: one number is always in order. */
static void locked(struct shmchan_mutex *m, int ret)
{
	if (ret == -EOWNERDEAD)
		ret = shmchan_mutex_consistent(m);
	if (ret)
		errx(1, "%s", shmchan_error_detail());
}

int main(int argc, char **argv)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 8, .nr_objects = OBJECTS,
		.data_size = sizeof(struct shared));
	int give = argc > 1 && !strcmp(argv[1], "give"), ret = 0;
	struct shmchan_condvar cv;
	struct shmchan_once once;
	struct shmchan_sync sync;
	struct shmchan_mutex m;
	struct shared *s;

	if (shmchan_sync_open(&sync, "work", &opts) ||
	    shmchan_mutex_at(&m, &sync, MUTEX) ||
	    shmchan_condvar_at(&cv, &sync, CONDVAR) ||
	    shmchan_once_at(&once, &sync, ONCE))
		errx(1, "%s", shmchan_error_detail());
	s = (struct shared *)sync.data;
	if (shmchan_once_call(&once, set_up, s))
		errx(1, "%s", shmchan_error_detail());

	locked(&m, shmchan_mutex_lock(&m));
	if (give) {
		s->pieces += 2;
	} else {
		/* Five seconds, then we have waited long enough. */
		while (!s->pieces && ret != -ETIMEDOUT) {
			ret = shmchan_condvar_timedwait(&cv, &m, 5000000000LL);
			if (ret != -ETIMEDOUT)
				locked(&m, ret);
		}
		if (s->pieces) {
			s->pieces--;
			printf("a piece of work, for %d\n", s->price);
		}
	}
	shmchan_mutex_unlock(&m);
	if (give)
		shmchan_condvar_broadcast(&cv);
	shmchan_sync_close(&sync);
	return 0;
}
