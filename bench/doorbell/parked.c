// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a consumer that waits takes of a processor: while nothing comes, and
 * while a thousand messages a second do.
 */

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/spsc.h>

#include "doorbell.h"

#define NAME	"parked"

static void open_channel(struct shmchan_spsc *ch, enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = 65536);

	must(shmchan_spsc_open(ch, NAME, &opts), shmchan_error_detail());
}

/* In nanoseconds, and in ticks as getrusage() has them. */
static uint64_t run_time(pid_t pid)
{
	unsigned long long run;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu", &run) != 1)
		die("%s: %s", path, strerror(errno));
	fclose(f);
	return run;
}

static unsigned long ticks(pid_t pid)
{
	unsigned long user, system;
	char path[64], line[1024];
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		die("%s: %s", path, strerror(errno));
	fclose(f);
	p = strrchr(line, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			 &user, &system) != 2)
		die("%s: %s", path, line);
	return user + system;
}

static void consumer(void)
{
	struct shmchan_spsc ch;
	uint64_t v;

	open_channel(&ch, SHMCHAN_RECEIVER);
	while (!shmchan_spsc_recv(&ch, &v, sizeof(v), NULL, NULL, -1))
		;
}

static void until(struct timespec *at, long ns)
{
	at->tv_nsec += ns;
	while (at->tv_nsec >= 1000000000L) {
		at->tv_nsec -= 1000000000L;
		at->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL);
}

void measure_parked(void)
{
	struct switches before, after;
	struct shmchan_spsc ch;
	struct timespec at;
	unsigned long t;
	uint64_t run, i;
	pid_t pid;

	heading("what a consumer in shmchan_spsc_recv() takes of a processor");
	pid = start_child();
	if (!pid) {
		consumer();
		_exit(0);
	}
	open_channel(&ch, SHMCHAN_SENDER);
	must(shmchan_spsc_wait_peer(&ch, -1), "wait_peer");
	await_sleep(pid);
	usleep(100000);

	before = switches_of(pid);
	t = ticks(pid);
	run = run_time(pid);
	sleep(10);
	wanted_exactly("10 s of nothing: ns that it ran",
		       (double)(run_time(pid) - run), 0, 0);
	wanted_exactly("10 s of nothing: utime + stime, ticks",
		       (double)(ticks(pid) - t), 0, 0);
	after = switches_of(pid);
	wanted_exactly("10 s of nothing: switches",
		       (double)(after.voluntary - before.voluntary), 0, 0);

	run = run_time(pid);
	t = ticks(pid);
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (i = 0; i < 10000; i++) {
		until(&at, 1000000);
		must(shmchan_spsc_send(&ch, &i, sizeof(i), 0, 0, -1), "send");
	}
	wanted_most("1,000 messages a second for 10 s: %",
		    (double)(run_time(pid) - run) / 1e8, 3, 3);
	value("1,000 messages a second for 10 s: utime + stime, ticks",
	      (double)(ticks(pid) - t), 0);
	shmchan_spsc_close(&ch);
	end_child(pid);
}
