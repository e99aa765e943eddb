// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What REVOKE itself takes, by whom is there and what is mapped; and what it
 * makes others fault in again.
 */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

#define NAME		"revoked"
#define DATA		(64 * MIB)
#define ROUNDS		15
#define CROWD		1000L
#define SLOT_VICTIM	1U

static struct plan plan;

static struct {
	int fd;
	char *data;
	char *status;
} honest;

/* --- other processes ----------------------------------------------------- */

static struct {
	int fd;
	char *map;
	size_t length;
} victim;

static long victim_join(long length, long b)
{
	(void)b;
	victim.fd = must(region_join(NAME, SLOT_VICTIM), "JOIN");
	victim.length = (size_t)length;
	if (length) {
		victim.map = map_range(victim.fd, 0, victim.length, PROT_READ);
		touch(victim.map, victim.length, HUGE);
	}
	return 0;
}

static long victim_leave(long a, long b)
{
	(void)a;
	(void)b;
	if (victim.length)
		munmap(victim.map, victim.length);
	close(victim.fd);
	return 0;
}

/* Members of one process; @length: how much each one maps, and touches. */
static long crowd_join(long nr, long length)
{
	long i;
	char *map;
	int fd;

	for (i = 0; i < nr; i++) {
		fd = must(region_join(NAME, SHMCHAN_SLOT_ANY), "JOIN");
		if (!length)
			continue;
		map = map_range(fd, 0, (size_t)length, PROT_READ);
		touch(map, (size_t)length, HUGE);
	}
	return 0;
}

static long crowd_open(long nr, long b)
{
	(void)b;
	while (nr--)
		must(region_open(NAME, RIGHTS_RW), "OPEN");
	return 0;
}

static long crowd_export(long a, long b)
{
	int fd = must(region_join(NAME, SHMCHAN_SLOT_ANY), "JOIN");

	(void)a;
	(void)b;
	must(export_dmabuf(fd, HUGE), "EXPORT_DMABUF");
	return 0;
}

/* --- the honest one ------------------------------------------------------ */

static void honest_start(void)
{
	plan_region(&plan, NAME, DATA, 1200, PLAN_READONLY);
	honest.fd = plan_create(&plan);
	must(member_join(honest.fd, 0), "JOIN");
	honest.data = map_range(honest.fd, 0, DATA, PROT_READ);
	honest.status = map_range(honest.fd, plan.status, plan.status_size,
				  PROT_READ);
	waits_plan(&plan);
}

static void honest_stop(void)
{
	must(member_leave(honest.fd), "LEAVE");
	munmap(honest.data, DATA);
	munmap(honest.status, plan.status_size);
	close(honest.fd);
}

/* One member by its slot, again and again; the others stay. */
static void revoke_one(const char *others, peer_fn fn, long a, long b,
		       size_t length)
{
	static struct costs c;
	struct peer crowd, p;
	char attack[64];
	long faults = 0;
	unsigned int i;
	uint64_t start;
	int ret;

	snprintf(attack, sizeof(attack), "one, %zu MiB; %s", length / MIB,
		 others);
	honest_start();
	peer_start(&p, HOSTILE_UID);
	peer_start(&crowd, CROWD_UID);
	/* Its slot first, before the crowd takes any. */
	for (i = 0; i < ROUNDS; i++) {
		peer_call(&p, victim_join, (long)length, 0);
		if (!i && fn)
			peer_call(&crowd, fn, a, b);
		touch(honest.data, DATA, HUGE);
		start = count();
		ret = revoke_slot(honest.fd, SLOT_VICTIM);
		costs_add(&c, count() - start);
		if (ret != 1)
			die("REVOKE: %d", ret);
		faults = touch_faults(honest.data, DATA, HUGE);
		peer_call(&p, victim_leave, 0, 0);
	}
	row(attack, "REVOKE", &c);
	row_number(attack, "faults of the honest", (double)faults);
	peer_stop(&p);
	peer_stop(&crowd);
	honest_stop();
}

/* Without what those do that it wakes, where there is one CPU. */
static uint64_t cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/*
 * Ends all members of a user.  @c gets what that takes until it returns, @own
 * the caller's part of it, and some of reading that clock.
 */
static void timed_revoke(long nr, struct costs *c, struct costs *own)
{
	uint64_t began, start, nothing;
	int ret;

	began = cpu_time();
	nothing = cpu_time() - began;

	began = cpu_time();
	start = count();
	ret = revoke_uid(honest.fd, CROWD_UID);
	costs_add(c, count() - start);
	costs_add(own, cpu_time() - began - nothing);
	if (ret != nr)
		die("REVOKE: %d of %ld", ret, nr);
}

/*
 * All members of a user at once.  If some of them sleep they run before it
 * returns, as there is one CPU; else that is the better figure.
 */
static void revoke_all(const char *what, long nr, peer_fn fn, long a, long b)
{
	static struct costs c, own;
	struct peer crowd;
	char attack[64];
	long faults = 0;
	unsigned int i;

	snprintf(attack, sizeof(attack), "%ld, %s", nr, what);
	for (i = 0; i < 3; i++) {
		honest_start();
		peer_start(&crowd, CROWD_UID);
		peer_call(&crowd, fn, a, b);
		/* Those who wait are asleep by then. */
		usleep(200000);
		touch(honest.data, DATA, HUGE);
		timed_revoke(nr, &c, &own);
		faults = touch_faults(honest.data, DATA, HUGE);
		peer_stop(&crowd);
		honest_stop();
	}
	if (fn != waits_start)
		own = c;
	row_number(attack, "REVOKE, a member",
		   (double)costs_median(&own) / (double)nr);
	row(attack, "REVOKE", &own);
	c.nr = 0;
	row_number(attack, "faults of the honest", (double)faults);
}

void measure_revoke(void)
{
	static const size_t lengths[] = { 0, HUGE, DATA };
	size_t i;
	long nr;

	heading("REVOKE of one member, while others are there");
	for (i = 0; i < COUNT(lengths); i++)
		revoke_one("nobody else", NULL, 0, 0, lengths[i]);
	for (i = 0; i < COUNT(lengths); i++)
		revoke_one("1000 members", crowd_join, CROWD, 0, lengths[i]);
	revoke_one("1000 members, 64 MiB each", crowd_join, CROWD, DATA, 0);
	revoke_one("1000 members, 64 MiB each", crowd_join, CROWD, DATA, DATA);
	revoke_one("1000 strangers' files", crowd_open, 1000, 0, 0);
	revoke_one("10000 strangers' files", crowd_open, 10000, 0, 0);
	revoke_one("one dma-buf of 2 MiB", crowd_export, 0, 0, 0);

	heading("REVOKE of all members of a user");
	for (nr = 1; nr <= CROWD; nr *= CROWD) {
		revoke_all("nothing mapped", nr, crowd_join, nr, 0);
		revoke_all("2 MiB each", nr, crowd_join, nr, HUGE);
		revoke_all("64 MiB each", nr, crowd_join, nr, DATA);
	}
	for (nr = 1; nr <= 100; nr *= 10)
		revoke_all("512 conditions each, doorbell 0", nr, waits_start,
			   WAITS_MEMBERS, nr);
}
