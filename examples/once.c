// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A table that takes long to fill: the first process that needs it does that, and
 * the others wait until it has.  If it is killed meanwhile, another one begins anew.
 * Run it as often as you like, at once.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/once.h>

#define NUMBERS	1000U

struct table {
	uint32_t primes[NUMBERS];
	pid_t by;
};

static int fill(void *arg, int after_death)
{
	struct table *t = (struct table *)arg;
	uint32_t n, i, nr = 0;

	/* What the dead one has left may be anything. */
	if (after_death)
		memset(t, 0, sizeof(*t));
	for (n = 2; nr < NUMBERS; n++) {
		for (i = 0; i < nr && n % t->primes[i]; i++)
			;
		if (i == nr)
			t->primes[nr++] = n;
	}
	t->by = getpid();
	return 0;
}

int main(void)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 16, .nr_objects = 1,
		.data_size = sizeof(struct table));
	struct shmchan_once once;
	struct shmchan_sync sync;
	const struct table *t;

	if (shmchan_sync_open(&sync, "example-primes", &opts) ||
	    shmchan_once_at(&once, &sync, 0) ||
	    shmchan_once_call(&once, fill, sync.data))
		errx(1, "%s", shmchan_error_detail());
	t = (const struct table *)sync.data;
	printf("number %u is %u, found by %ld\n", NUMBERS, t->primes[NUMBERS - 1],
	       (long)t->by);
	shmchan_sync_close(&sync);
	return 0;
}
