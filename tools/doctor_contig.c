// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan doctor: contiguous memory, who may have it, and the pool. */

#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define UNLIMITED	(~0ULL)

/* A parameter of the module; NULL: it cannot be read. */
static char *parameter(const char *name, char *buffer, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), DOCTOR_PARAMETERS "%.32s", name);
	return doctor_line(path, buffer, size);
}

static void look_at_right(const struct shmchan_query_device *q)
{
	char limit[SIZE_WORD], gid[32], group[USER_WORD];
	const char *whose = "nobody's, -1";

	if (q->contig_limit == UNLIMITED) {
		doctor_good("you may ask for any amount in one run (CAP_SYS_RESOURCE, or the group contig_gid)");
		return;
	}
	if (parameter("contig_gid", gid, sizeof(gid)) && gid[0] != '-')
		whose = group_word(group,
				   (uint32_t)strtoul(gid, NULL, 10));
	doctor_good("you may ask for %s in one run. More takes CAP_SYS_RESOURCE, or the group contig_gid, which is %s (to name one: echo GID > " DOCTOR_PARAMETERS "contig_gid)",
		    size_word(limit, q->contig_limit), whose);
}

static void look_at_search(void)
{
	char value[32];

	if (parameter("contig_ms", value, sizeof(value)))
		doctor_good("contig_ms: one request looks for %s ms at most (to change it: echo MS > " DOCTOR_PARAMETERS "contig_ms)",
			    value);
	if (parameter("contig_migrate", value, sizeof(value)) &&
	    value[0] == 'N')
		doctor_note("contig_migrate is N: only memory that lies free in one run is found, and none is moved to make one (echo Y > " DOCTOR_PARAMETERS "contig_migrate)");
}

static void look_at_pool(const struct shmchan_query_device *q)
{
	char state[96], total[SIZE_WORD], left[SIZE_WORD];

	if (!q->pool_bytes) {
		doctor_good("no pool: contiguous memory is searched for when it is asked for (modprobe shmchan pool_mb=MIB sets some aside)");
		return;
	}
	if (q->contig_limit != UNLIMITED) {
		doctor_good("pool: total %s, for those who may have more than %s in one run",
			    size_word(total, q->pool_bytes),
			    size_word(left, q->contig_limit));
		return;
	}
	if (parameter("pool_state", state, sizeof(state)))
		doctor_good("pool: %s", state);
	else
		doctor_good("pool: total %s, free %s",
			    size_word(total, q->pool_bytes),
			    size_word(left, q->pool_free));
	if (!q->pool_free)
		doctor_note("the pool is used up: what is contiguous is searched for now, and memory that comes back is gathered again later");
}

void doctor_contig(struct doctor *d)
{
	struct shmchan_query_device q;

	if (!d->kmod_works || shmchan_device_query(&q))
		return;
	doctor_title("contiguous memory");
	if (!(q.features & SHMCHAN_FEATURE_CONTIG)) {
		doctor_note("this module has none beyond a page of 2 MiB");
		return;
	}
	look_at_right(&q);
	look_at_search();
	look_at_pool(&q);
}
