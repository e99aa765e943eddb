// SPDX-License-Identifier: GPL-2.0-only
/* Objects that are opened once and put back before each execution. */

#include <malloc.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backend_local.h"
#include "kept.h"

/*
 * Time goes on by what is done: each look at the clock takes a millisecond.  So who
 * waits for a time that is up comes to its end at once, and each execution is the
 * same as the last.
 */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	static uint64_t ms = 1000000;

	(void)clock;
	ms++;
	ts->tv_sec = (time_t)(ms / 1000);
	ts->tv_nsec = (long)(ms % 1000) * 1000000;
	return 0;
}

const char *fuzz_name(void)
{
	static char name[64];
	static int nr;

	setenv("SHMCHAN_BACKEND", "local", 1);
	snprintf(name, sizeof(name), "fuzz.%d.%d", (int)getpid(), nr++);
	return name;
}

void fuzz_keep(struct fuzz_kept *kept, void *p, size_t size)
{
	FUZZ_CHECK(kept->nr < FUZZ_KEPT && p);
	kept->parts[kept->nr].at = p;
	kept->parts[kept->nr].size = size;
	kept->parts[kept->nr].copy = malloc(size);
	FUZZ_CHECK(kept->parts[kept->nr].copy);
	memcpy(kept->parts[kept->nr++].copy, p, size);
}

void fuzz_keep_heap(struct fuzz_kept *kept, void *p)
{
	fuzz_keep(kept, p, malloc_usable_size(p));
}

void fuzz_keep_named_region(struct fuzz_kept *kept, struct shmchan_region *r)
{
	struct shmchan__local *local = shmchan__private(r)->local;

	kept->all = mmap(NULL, local->at.size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, shmchan__private(r)->file.fd, 0);
	FUZZ_CHECK(kept->all != MAP_FAILED);
	kept->slots = (uint64_t *)(void *)(kept->all +
					   shmchan_slot_offset(r, 0));
	kept->members_seq = (uint64_t *)(void *)(kept->all + r->status_offset +
				offsetof(struct shmchan_status, members_seq));
	if (r->data_size)
		fuzz_keep(kept, kept->all, r->data_size);
	fuzz_keep(kept, kept->all + r->control_offset, r->control_size);
	fuzz_keep(kept, kept->all + r->status_offset, r->status_size);
}

void fuzz_keep_region(struct fuzz_kept *kept, struct shmchan_region *r)
{
	fuzz_keep_named_region(kept, r);
	FUZZ_CHECK(!unlink(shmchan__private(r)->local->path));
}

void fuzz_put_back(const struct fuzz_kept *kept)
{
	unsigned int i;

	for (i = 0; i < kept->nr; i++)
		memcpy(kept->parts[i].at, kept->parts[i].copy,
		       kept->parts[i].size);
}
