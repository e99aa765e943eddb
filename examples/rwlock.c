// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * A table that many read and one writes, until that one is killed in the middle of
 * it: the next writer is told, and repairs.
 */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/rwlock.h>

#define SLOTS	4

/* Behind the lock, in the same page.  The two are always equal, if all is well. */
struct table {
	uint64_t bid;
	uint64_t ask;
};

static struct shmchan_region *create(const char *name)
{
	const struct shmchan_window window = {
		.offset = SHMCHAN_CONTROL_OFFSET(0) + 4096, .length = 4096,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	const struct shmchan_doorbell bell = { .owner = SHMCHAN_SLOT_SHARED };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.control_size = 2 * 4096, .nr_slots = SLOTS,
		.nr_doorbells = 1, .doorbells = &bell,
		.nr_windows = 1, .windows = &window);
	struct shmchan_region *r;

	if (shmchan_region_create(&r, name, &opts))
		errx(1, "%s: %s", name, shmchan_error_detail());
	return r;
}

static struct shmchan_region *join(const char *name)
{
	struct shmchan_region *r;

	if (shmchan_region_open(&r, name, NULL))
		errx(1, "%s: %s", name, shmchan_error_detail());
	return r;
}

static struct table *attach(struct shmchan_rwlock *l, struct shmchan_region *r)
{
	struct shmchan_place place = {
		.region = r, .offset = r->control_offset + 4096, .doorbell = 1,
	};

	if (shmchan_rwlock_attach(l, &place, NULL))
		errx(1, "%s", shmchan_error_detail());
	return shmchan_region_at(r, place.offset + SHMCHAN_RWLOCK_SIZE(SLOTS));
}

/* Writes a while, and dies in the middle. */
static void write_and_die(const char *name)
{
	struct shmchan_rwlock l;
	struct table *t = attach(&l, join(name));
	int i;

	for (i = 0; i < 1000; i++) {
		if (shmchan_rwlock_wrlock(&l))
			errx(1, "%s", shmchan_error_detail());
		t->bid++;
		shmchan_crash_fence();
		if (i == 999)
			raise(SIGKILL);
		t->ask++;
		shmchan_rwlock_wrunlock(&l);
	}
}

int main(void)
{
	struct shmchan_region *r;
	struct shmchan_rwlock l;
	unsigned long reads = 0;
	char name[64];
	struct table *t;
	pid_t pid;
	int ret;

	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	r = create(name);
	t = attach(&l, r);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		write_and_die(name);
		_exit(1);
	}
	while (!(ret = shmchan_rwlock_rdlock(&l))) {
		if (t->bid != t->ask)
			errx(1, "bid %llu, ask %llu",
			     (unsigned long long)t->bid,
			     (unsigned long long)t->ask);
		reads++;
		shmchan_rwlock_rdunlock(&l);
	}
	printf("%lu reads, then: %s\n", reads, shmchan_error_detail());
	if (ret != -EOWNERDEAD)
		return 1;
	waitpid(pid, NULL, 0);

	ret = shmchan_rwlock_wrlock(&l);
	if (ret != -EOWNERDEAD)
		return 1;
	printf("bid %llu, ask %llu: repaired\n", (unsigned long long)t->bid,
	       (unsigned long long)t->ask);
	t->ask = t->bid;
	if (shmchan_rwlock_consistent(&l) || shmchan_rwlock_wrunlock(&l) ||
	    shmchan_rwlock_rdlock(&l))
		errx(1, "%s", shmchan_error_detail());
	shmchan_rwlock_rdunlock(&l);
	shmchan_region_close(r);
	return 0;
}
