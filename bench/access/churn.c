// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Joining and leaving in a loop: what others fault in again, in how many
 * processes and with what pages; and what JOIN of any slot has to go through.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hostile.h"

#define NAME	"churned"
#define ROUNDS	31

static struct plan plan;
static size_t folio;

/* --- refaults ------------------------------------------------------------ */

#define MAX_READERS	8

static struct peer readers[MAX_READERS];
static char *reader_map;

static long reader_start(long a, long b)
{
	int fd = must(region_join(NAME, SHMCHAN_SLOT_ANY), "JOIN");

	(void)a;
	(void)b;
	reader_map = map_range(fd, 0, plan.shape.data_size, PROT_READ);
	touch(reader_map, plan.shape.data_size, folio);
	return 0;
}

/* Reads all of it; gives what that took. */
static long reader_read(long a, long b)
{
	uint64_t start = count();

	(void)a;
	(void)b;
	touch(reader_map, plan.shape.data_size, folio);
	return (long)(count() - start);
}

static long reader_faults(long a, long b)
{
	(void)a;
	(void)b;
	return touch_faults(reader_map, plan.shape.data_size, folio);
}

/* What its end has to unmap from the others is in LEAVE. */
static long hostile_round(long a, long b)
{
	uint64_t start = count();
	int fd = must(region_join(NAME, SHMCHAN_SLOT_ANY), "JOIN");
	char *map = map_range(fd, 0, plan.shape.data_size, PROT_READ);

	(void)a;
	(void)b;
	must(member_leave(fd), "LEAVE");
	munmap(map, plan.shape.data_size);
	close(fd);
	return (long)(count() - start);
}

static void with_readers(const char *what, unsigned int nr, uint64_t size,
			 unsigned int flags)
{
	static struct costs own, again, usual;
	struct peer hostile;
	char attack[64];
	long faults = 0;
	unsigned int i, k;
	int fd;

	snprintf(attack, sizeof(attack), "%s, readers: %u", what, nr);
	folio = flags & PLAN_SMALL ? PAGE : HUGE;
	plan_region(&plan, NAME, size, 16, flags | PLAN_READONLY);
	fd = plan_create(&plan);
	for (i = 0; i < nr; i++) {
		peer_start(&readers[i], 0);
		peer_call(&readers[i], reader_start, 0, 0);
	}
	peer_start(&hostile, HOSTILE_UID);
	for (k = 0; k < ROUNDS; k++) {
		for (i = 0; i < nr; i++)
			costs_add(&usual, (uint64_t)peer_call(&readers[i],
							reader_read, 0, 0));
		costs_add(&own, (uint64_t)peer_call(&hostile, hostile_round,
						    0, 0));
		for (i = 0; i < nr; i++)
			costs_add(&again, (uint64_t)peer_call(&readers[i],
							reader_read, 0, 0));
	}
	peer_call(&hostile, hostile_round, 0, 0);
	for (i = 0; i < nr; i++)
		faults += peer_call(&readers[i], reader_faults, 0, 0);
	row(attack, "itself", &own);
	row_number(attack, "faults of all readers", (double)faults);
	row(attack, "a reader, usually", &usual);
	row(attack, "a reader, after it", &again);
	peer_stop(&hostile);
	for (i = 0; i < nr; i++)
		peer_stop(&readers[i]);
	close(fd);
}

/* --- JOIN of any slot ---------------------------------------------------- */

enum slots {
	FRESH,		/* nobody was ever there */
	USED,		/* a hostile one has been in each */
	HELD,		/* the same, and holds all but the last one */
	PINNED,		/* the same, and pins the pages of all but the last */
};

/* Each slot once. */
static long use_slots(long a, long b)
{
	unsigned int i;

	(void)a;
	(void)b;
	for (i = 0; i < plan.shape.nr_slots; i++)
		close(must(region_join(NAME, i), "JOIN"));
	return 0;
}

static long hold_slots(long nr, long b)
{
	long i;

	(void)b;
	for (i = 0; i < nr; i++)
		must(region_join(NAME, (unsigned int)i), "JOIN");
	return 0;
}

#define PIPE_PAGES	256L	/* as many as a user may have in a pipe */

/* Reading is enough to pin: a page in a pipe is not let go. */
static long pin_slots(long nr, long b)
{
	struct iovec iov[PIPE_PAGES];
	int fd, fds[2];
	char *map;
	long i;

	(void)b;
	/* It ends, and the pins stay. */
	fd = must(region_join(NAME, plan.shape.nr_slots - 1), "JOIN");
	map = map_range(fd, plan.pages, (size_t)nr * PAGE, PROT_READ);
	for (i = 0; i < nr; i++) {
		if (!(i % PIPE_PAGES) &&
		    (pipe(fds) || fcntl(fds[1], F_SETPIPE_SZ,
					PIPE_PAGES * (long)PAGE) < 0))
			return -errno;
		iov[0] = (struct iovec) { map + i * (long)PAGE, 1 };
		if (vmsplice(fds[1], iov, 1, 0) != 1)
			return -errno;
	}
	must(member_leave(fd), "LEAVE");
	munmap(map, (size_t)nr * PAGE);
	close(fd);
	return 0;
}

static void time_join_any(const char *attack, struct costs *c,
			  unsigned int rounds)
{
	unsigned int i;
	int fd;

	for (i = 0; i < rounds; i++) {
		fd = must(region_open(NAME, RIGHTS_RW), "OPEN");
		TIMED(c, must(member_join(fd, SHMCHAN_SLOT_ANY), "JOIN"));
		close(fd);
	}
	if (attack)
		row(attack, "JOIN ANY", c);
}

/* @members: of another process, with 512 conditions each on doorbell 0. */
static void join_any(const char *what, enum slots slots, unsigned int nr,
		     long members)
{
	static struct costs c;
	struct peer hostile, waiting;
	char attack[64];
	unsigned int i;
	int fd;

	snprintf(attack, sizeof(attack), "%s, of %u", what, nr);
	for (i = 0; i < (slots == FRESH ? 5U : 1U); i++) {
		plan_region(&plan, NAME, 0, nr, PLAN_PAGES);
		fd = plan_create(&plan);
		waits_plan(&plan);
		peer_start(&hostile, HOSTILE_UID);
		peer_start(&waiting, HOSTILE_UID);
		if (slots != FRESH)
			peer_call(&hostile, use_slots, 0, 0);
		if (slots == HELD)
			peer_call(&hostile, hold_slots, nr - 1, 0);
		if (members) {
			peer_call(&waiting, waits_start, WAITS_MEMBERS,
				  members);
			usleep(200000);
		}
		if (slots == PINNED)
			peer_call(&hostile, pin_slots, nr - 1, 0);
		/* Of a fresh one only the first JOIN has it so. */
		time_join_any(slots == FRESH ? NULL : attack, &c,
			      slots == FRESH ? 1 : 3);
		peer_stop(&hostile);
		peer_stop(&waiting);
		close(fd);
	}
	if (slots == FRESH)
		row(attack, "JOIN ANY", &c);
}

/* --- members in many namespaces ------------------------------------------ */

/* One process can be in as many, one after the other. */
static long join_elsewhere(long nr, long b)
{
	int fds[1000];
	long i;

	(void)b;
	for (i = 0; i < nr; i++)
		fds[i] = must(region_open(NAME, RIGHTS_RW), "OPEN");
	for (i = 0; i < nr; i++) {
		if (unshare(CLONE_NEWIPC))
			return -errno;
		must(member_join(fds[i], SHMCHAN_SLOT_ANY), "JOIN");
	}
	return 0;
}

static void with_namespaces(long nr)
{
	static struct costs opening, joining;
	struct peer hostile;
	char attack[64];
	unsigned int i;
	int fd, own;

	snprintf(attack, sizeof(attack), "members in %ld namespaces", nr);
	plan_region(&plan, NAME, 0, 1100, 0);
	own = plan_create(&plan);
	peer_start(&hostile, 0);
	peer_call(&hostile, join_elsewhere, nr, 0);
	for (i = 0; i < ROUNDS; i++) {
		TIMED(&opening, fd = region_open(NAME, RIGHTS_RW));
		TIMED(&joining, must(member_join(must(fd, "OPEN"), 1090),
				     "JOIN"));
		close(fd);
	}
	row(attack, "OPEN", &opening);
	row(attack, "JOIN", &joining);
	peer_stop(&hostile);
	close(own);
}

void measure_churn(void)
{
	/* Windows have a bound, too, and one is the page of words. */
	static const long spaces[] = { 0, 100, 1000 };
	static const unsigned int sizes[] = { 64, SHMCHAN_MAX_WINDOWS - 1 };
	size_t i;

	heading("JOIN, LEAVE with all of the data area mapped: what readers "
		"of it fault in again");
	with_readers("2 MiB", 1, HUGE, 0);
	with_readers("64 MiB", 1, 64 * MIB, 0);
	with_readers("64 MiB", 8, 64 * MIB, 0);
	with_readers("4 MiB of 4 KiB folios", 1, 4 * MIB, PLAN_SMALL);
	with_readers("4 MiB of 4 KiB folios", 8, 4 * MIB, PLAN_SMALL);

	heading("JOIN ANY");
	for (i = 0; i < COUNT(sizes); i++) {
		join_any("slots fresh", FRESH, sizes[i], 0);
		join_any("slots used", USED, sizes[i], 0);
		join_any("all but one held", HELD, sizes[i], 0);
		join_any("all but one pinned", PINNED, sizes[i], 0);
	}
	join_any("pinned, 8 x 512 on doorbell 0", PINNED, 64, 8);
	join_any("pinned, 64 x 512 on doorbell 0", PINNED, 1024, 64);

	heading("JOIN, with members in many IPC namespaces");
	for (i = 0; i < COUNT(spaces); i++)
		with_namespaces(spaces[i]);
}
