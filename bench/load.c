// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * load: how late messages are and what both sides' CPUs do, against how many
 * there are a second, for channels that never spin, that spin for a fixed time
 * and that decide by themselves.
 *
 *	load [-b local|kmod] [-t MS] [-r RATE,...] [-s SPIN_NS] [-c CPU,CPU] [-a]
 *	     [-o CSV]
 *
 * The sender sends 64 bytes at the times of a schedule, sleeping in between
 * where there are 100 us and more, else spinning: that is the price of keeping
 * the time, and is measured without sending and taken off its CPU.  A message
 * is late by the time from when it was due; so if the sender cannot keep up, it
 * shows.  Rate 0 is as fast as it goes: what is shown then is how many, and how
 * long each lies in the ring.  All modes of a rate follow each other, three
 * times over; the figures are medians.  -a: the sender joins as ASYM.
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/spsc.h>

#define SIZE		64
#define MOST		(1U << 20)	/* messages of a run whose lateness is kept */
#define ROUNDS		3
#define RATES		32
#define SLEEP_FROM_NS	100000

enum mode { NEVER, FIXED, ADAPTIVE, NR_MODES };

static const char *const mode_names[] = { "never", "fixed", "adaptive" };

/* What a run found. */
struct figures {
	double rate;		/* got, messages per second */
	double p50, p99;	/* ns late */
	double send_cpu, recv_cpu;	/* per cent of a CPU */
	double rings, waits;	/* per message */
};

/* In memory of both. */
struct shared {
	uint64_t begin;
	int ready;
	double send_cpu;
	uint64_t rings, sent;
};

static struct {
	enum shmchan_backend backend;
	unsigned int ms;
	int64_t spin_ns;
	int cpus[2];
	int asym;
} opt = { SHMCHAN_BACKEND_LOCAL, 300, SHMCHAN_SPIN_DEFAULT_NS, { -1, -1 }, 0 };

static struct shared *shared;
static uint32_t *late;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, shmchan_error_detail());
	exit(1);
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("load: sched_setaffinity");
		exit(4);
	}
}

static void open_channel(struct shmchan_spsc *ch, const char *name,
			 enum shmchan_spsc_role role, enum mode mode)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .backend = opt.backend, .create = 1,
		.capacity = 1 << 16,
		.spin_ns = mode == NEVER ? -1 : mode == FIXED ? opt.spin_ns : 0,
		.join_flags = opt.asym && role == SHMCHAN_SENDER ?
			      SHMCHAN_JOIN_ASYM : 0);

	if (shmchan_spsc_open(ch, name, &opts))
		die(name);
}

/* Until then.  What it costs to keep a schedule is the same for all. */
static void until(uint64_t due, uint64_t gap)
{
	struct timespec ts = {
		.tv_sec = (time_t)(due / 1000000000ULL),
		.tv_nsec = (long)(due % 1000000000ULL),
	};

	if (gap >= SLEEP_FROM_NS)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	while (now_ns() < due)
		;
}

/* ch NULL: keep the schedule only.  Returns per cent of a CPU. */
static double send_all(struct shmchan_spsc *ch, uint64_t begin, uint64_t gap,
		       uint64_t ns, uint64_t *sent)
{
	uint64_t message[SIZE / 8] = { 0 }, cpu = cpu_ns(), i = 0, due, wall;

	for (;;) {
		due = gap ? begin + i * gap : now_ns();
		if (due - begin >= ns)
			break;
		if (gap)
			until(due, gap);
		message[0] = due;
		if (ch && shmchan_spsc_send(ch, message, SIZE, 0, 0, -1))
			die("send");
		i++;
	}
	*sent = i;
	wall = now_ns() - begin;
	return (double)(cpu_ns() - cpu) * 100 / (double)wall;
}

static void sender(const char *name, enum mode mode, uint64_t gap)
{
	uint64_t ns = opt.ms * 1000000ULL, none;
	struct shmchan_spsc_stats stats;
	struct shmchan_spsc ch;
	double idle;

	bind_to(opt.cpus[1]);
	prctl(PR_SET_TIMERSLACK, 1);
	open_channel(&ch, name, SHMCHAN_SENDER, mode);
	if (shmchan_spsc_wait_peer(&ch, 5000000000LL))
		die("no receiver");
	idle = gap ? send_all(NULL, now_ns(), gap, ns / 4, &none) : 0;
	shared->begin = now_ns();
	shared->send_cpu = send_all(&ch, shared->begin, gap, ns, &shared->sent) -
			   idle;
	shmchan_spsc_get_stats(&ch, &stats);
	shared->rings = stats.rings;
	shmchan_spsc_close(&ch);
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static struct figures run(enum mode mode, unsigned int rate)
{
	uint64_t message[SIZE / 8], n = 0, begin = 0, end, cpu = 0, late_ns;
	uint64_t gap = rate ? 1000000000ULL / rate : 0;
	struct figures f = { 0 };
	struct shmchan_spsc_stats stats;
	struct shmchan_spsc ch;
	char name[64];
	int err, status;
	pid_t pid;

	snprintf(name, sizeof(name), "bench-load-%d", (int)getpid());
	open_channel(&ch, name, SHMCHAN_RECEIVER, mode);
	pid = fork();
	if (!pid)
		sender(name, mode, gap);
	for (;;) {
		err = shmchan_spsc_recv(&ch, message, SIZE, NULL, NULL, -1);
		if (err)
			break;
		end = now_ns();
		if (!n) {
			begin = end;
			cpu = cpu_ns();
		}
		late_ns = end - message[0];
		/* The last ones of a long run stand for the first. */
		late[n++ % MOST] = late_ns > UINT32_MAX ? UINT32_MAX :
							  (uint32_t)late_ns;
	}
	end = now_ns();
	cpu = cpu_ns() - cpu;
	if (err != -EPIPE || waitpid(pid, &status, 0) != pid || status ||
	    n != shared->sent || n < 2)
		die("the run failed");
	shmchan_spsc_get_stats(&ch, &stats);
	shmchan_spsc_close(&ch);
	f.rate = (double)n * 1e9 / (double)(end - begin);
	f.recv_cpu = (double)cpu * 100 / (double)(end - begin);
	f.send_cpu = shared->send_cpu > 0 ? shared->send_cpu : 0;
	f.rings = (double)shared->rings / (double)n;
	f.waits = (double)stats.waits / (double)n;
	if (n > MOST)
		n = MOST;
	qsort(late, n, sizeof(late[0]), by_value);
	f.p50 = late[n / 2];
	f.p99 = late[n - 1 - n / 100];
	return f;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Each figure's own median over the rounds. */
static struct figures middle(const struct figures *runs)
{
	double all[ROUNDS], out[sizeof(struct figures) / sizeof(double)];
	struct figures f;
	size_t i, k;

	for (i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		for (k = 0; k < ROUNDS; k++)
			memcpy(&all[k], (const char *)&runs[k] +
			       i * sizeof(double), sizeof(double));
		qsort(all, ROUNDS, sizeof(all[0]), by_double);
		out[i] = all[ROUNDS / 2];
	}
	memcpy(&f, out, sizeof(f));
	return f;
}

static void busy(FILE *csv)
{
	double load = -1;

	if (getloadavg(&load, 1) != 1)
		load = -1;
	printf("load average %.2f, %ld CPUs\n", load,
	       sysconf(_SC_NPROCESSORS_ONLN));
	if (csv)
		fprintf(csv, "# load average %.2f\n", load);
}

static void one_rate(unsigned int rate, FILE *csv)
{
	struct figures runs[NR_MODES][ROUNDS], f;
	int mode, k;

	for (k = 0; k < ROUNDS; k++)
		for (mode = 0; mode < NR_MODES; mode++)
			runs[mode][k] = run((enum mode)mode, rate);
	for (mode = 0; mode < NR_MODES; mode++) {
		f = middle(runs[mode]);
		printf("%9u %-9s %10.0f %9.2f %9.2f %7.1f %7.1f %7.3f %7.3f\n",
		       rate, mode_names[mode], f.rate, f.p50 / 1000,
		       f.p99 / 1000, f.send_cpu, f.recv_cpu, f.rings, f.waits);
		if (csv)
			fprintf(csv, "%u,%s,%.0f,%.0f,%.0f,%.2f,%.2f,%.4f,%.4f\n",
				rate, mode_names[mode], f.rate, f.p50, f.p99,
				f.send_cpu, f.recv_cpu, f.rings, f.waits);
	}
	fflush(stdout);
}

static unsigned int parse_list(const char *arg, unsigned int *to, unsigned int n)
{
	unsigned int nr = 0;
	char *end;

	while (nr < n) {
		to[nr++] = (unsigned int)strtoul(arg, &end, 10);
		if (*end != ',')
			break;
		arg = end + 1;
	}
	return nr;
}

int main(int argc, char **argv)
{
	unsigned int rates[RATES] = {
		1000, 3000, 10000, 20000, 30000, 50000, 100000, 200000, 500000,
		1000000, 0,
	};
	unsigned int nr = 11, i, cpus[2];
	FILE *csv = NULL;
	int c;

	while ((c = getopt(argc, argv, "ab:c:o:r:s:t:")) != -1) {
		switch (c) {
		case 'a':
			opt.asym = 1;
			break;
		case 'b':
			opt.backend = strcmp(optarg, "kmod") ?
				SHMCHAN_BACKEND_LOCAL : SHMCHAN_BACKEND_KMOD;
			break;
		case 'c':
			if (parse_list(optarg, cpus, 2) != 2)
				return 2;
			opt.cpus[0] = (int)cpus[0];
			opt.cpus[1] = (int)cpus[1];
			break;
		case 'o':
			csv = fopen(optarg, "w");
			if (!csv) {
				perror(optarg);
				return 1;
			}
			break;
		case 'r':
			nr = parse_list(optarg, rates, RATES);
			break;
		case 's':
			opt.spin_ns = strtoll(optarg, NULL, 10);
			break;
		case 't':
			opt.ms = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	late = malloc(MOST * sizeof(*late));
	if (shared == MAP_FAILED || !late)
		return 1;
	bind_to(opt.cpus[0]);
	busy(csv);
	printf("%9s %-9s %10s %9s %9s %7s %7s %7s %7s\n", "rate", "spins",
	       "got", "p50 us", "p99 us", "send %", "recv %", "rings", "sleeps");
	if (csv)
		fprintf(csv, "rate,spins,got,p50_ns,p99_ns,send_cpu,recv_cpu,rings,sleeps\n");
	for (i = 0; i < nr; i++)
		one_rate(rates[i], csv);
	busy(csv);
	if (csv && fclose(csv))
		return 1;
	return 0;
}
