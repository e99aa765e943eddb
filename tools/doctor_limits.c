// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan doctor: how much memory regions may have, have, and who has it. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <shmchan/stat.h>

#include "doctor.h"

#define UNLIMITED	(~0ULL)
#define MOST_USERS	10

/* More than nine tenths are in use. */
static int nearly(uint64_t used, uint64_t limit)
{
	return limit != UNLIMITED && used >= limit - limit / 10;
}

static void look_at_user(struct doctor *d,
			 const struct shmchan_query_device *q)
{
	char used[SIZE_WORD], limit[SIZE_WORD];

	size_word(used, q->user_bytes);
	if (q->user_limit == UNLIMITED) {
		doctor_good("user_mb: you hold %s, and have no limit (CAP_IPC_LOCK)",
			    used);
		return;
	}
	size_word(limit, q->user_limit);
	if (!nearly(q->user_bytes, q->user_limit)) {
		doctor_good("user_mb: you hold %s of %s that a user may have",
			    used, limit);
		return;
	}
	doctor_problem(d, "user_mb: you hold %s of %s that a user may have",
		       used, limit);
	doctor_advice("end what holds it (shmchan ls -l), raise it (echo MIB > " DOCTOR_PARAMETERS "user_mb), or have CAP_IPC_LOCK");
}

static void look_at_total(struct doctor *d,
			  const struct shmchan_query_device *q)
{
	char used[SIZE_WORD], limit[SIZE_WORD];

	size_word(limit, q->total_limit);
	/* Told to CAP_SYS_ADMIN only; the kernel has nothing without users. */
	if (!q->total_bytes) {
		doctor_good("total_mb: all together may hold %s", limit);
		return;
	}
	size_word(used, q->total_bytes);
	if (!nearly(q->total_bytes, q->total_limit)) {
		doctor_good("total_mb: all together hold %s of %s", used,
			    limit);
		return;
	}
	doctor_problem(d, "total_mb: all together hold %s of %s", used, limit);
	doctor_advice("end what holds it (see who does), or raise it: echo MIB > " DOCTOR_PARAMETERS "total_mb");
}

struct users {
	struct shmchan_user_entry *entry;
	size_t nr;
};

static int keep_user(const struct shmchan_user_entry *entry, void *arg)
{
	struct users *u = arg;
	struct shmchan_user_entry *more;

	more = realloc(u->entry, (u->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	u->entry = more;
	u->entry[u->nr++] = *entry;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct shmchan_user_entry *x = a, *y = b;

	return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

/* Without CAP_SYS_ADMIN it is oneself alone, which was told already. */
static void look_at_users(void)
{
	char user[USER_WORD], bytes[SIZE_WORD];
	struct users u = { 0 };
	size_t i;

	if (shmchan_users_list(keep_user, &u)) {
		doctor_note("who holds it: %s", shmchan_error_detail());
		free(u.entry);
		return;
	}
	if (u.nr)
		qsort(u.entry, u.nr, sizeof(u.entry[0]), by_size);
	else
		doctor_good("nobody that you may see holds any of it");
	for (i = 0; i < u.nr && i < MOST_USERS; i++)
		doctor_note("user %s holds %s in %" PRIu32 " region%s",
			    user_word(user, u.entry[i].uid),
			    size_word(bytes, u.entry[i].bytes),
			    u.entry[i].nr_regions,
			    u.entry[i].nr_regions == 1 ? "" : "s");
	if (u.nr > MOST_USERS)
		doctor_note("and %zu users hold less", u.nr - MOST_USERS);
	free(u.entry);
}

/* Region memory cannot be reclaimed: what is left is what can be had. */
static void look_at_cgroup(void)
{
	static struct shmchan_cgroup_limit limit;
	char word[SIZE_WORD], of[SIZE_WORD];

	if (shmchan_cgroup_limit(&limit))
		return;
	if (limit.max == UNLIMITED)
		doctor_good("memory.max: the memory cgroup sets no limit");
	else
		doctor_note("memory.max: the memory cgroup %s has %s left of %s. Regions are charged to it, and creating one fails beyond that: raise it (echo BYTES > /sys/fs/cgroup%s/memory.max; MemoryMax= of a systemd unit; docker --memory)",
			    limit.path, size_word(word, limit.left),
			    size_word(of, limit.max),
			    strcmp(limit.path, "/") != 0 ? limit.path : "");
}

void doctor_limits(struct doctor *d)
{
	struct shmchan_query_device q;

	doctor_title("limits (to change one: echo N > " DOCTOR_PARAMETERS "NAME)");
	if (d->kmod_works && !shmchan_device_query(&q)) {
		look_at_user(d, &q);
		look_at_total(d, &q);
		look_at_users();
	}
	look_at_cgroup();
}
