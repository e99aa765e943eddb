// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan bench: options, processes, and what is said. */

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "message.h"

#define SIZE_MOST	(1U << 20)

static const char help[] =
	"bench [OPTION]...\n\n"
	"Measures channels on this machine, between processes that it starts: the time of a\n"
	"message there and back, in nanoseconds and as a multiple of what two processes\n"
	"take to pass a bare cache line to and fro in the same run; and messages per second.\n\n"
	"  -p, --pattern WHICH  spsc: one to one; fanin: two senders, one receiver; pubsub:\n"
	"                       one sender, two receivers; rpc: calls, for messages per\n"
	"                       second 64 at once (spsc)\n"
	"  -s, --size N         bytes of a message, up to 1M (64)\n"
	"      --seconds S      for each of the two figures (1)\n"
	"  -j, --json           as JSON\n"
	"  -b, --backend WHICH  auto, kmod or local\n"
	"  -h, --help           this\n";

enum { OPT_SECONDS = 256 };

static const struct option options[] = {
	{ "pattern", required_argument, NULL, 'p' },
	{ "size", required_argument, NULL, 's' },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "json", no_argument, NULL, 'j' },
	{ "backend", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *const patterns[] = {
	[BENCH_SPSC] = "spsc", [BENCH_FANIN] = "fanin",
	[BENCH_PUBSUB] = "pubsub", [BENCH_RPC] = "rpc",
};

static int take_pattern(struct bench *b, const char *arg)
{
	int i;

	for (i = 0; i <= BENCH_RPC; i++) {
		if (!strcmp(arg, patterns[i])) {
			b->pattern = (enum bench_pattern)i;
			return -1;
		}
	}
	return tool_usage(b->command,
			  "--pattern is '%s': should be spsc, fanin, pubsub or rpc",
			  arg);
}

static int take(struct bench *b, int letter, const char *arg)
{
	switch (letter) {
	case 'p':
		return take_pattern(b, arg);
	case 's':
		if (parse_size(arg, &b->size) || b->size > SIZE_MOST)
			return tool_usage(b->command,
				"--size is '%s': should be bytes, up to 1M",
				arg);
		return -1;
	case OPT_SECONDS:
		if (parse_seconds(arg, &b->ns) || !b->ns)
			return tool_usage(b->command,
				"--seconds is '%s': should be more than 0, as in 2 or 0.5",
				arg);
		return -1;
	case 'j':
		b->json = 1;
		return -1;
	case 'b':
		if (parse_backend(arg, &b->backend))
			return tool_usage(b->command,
				"--backend is '%s': should be auto, kmod or local",
				arg);
		return -1;
	case 'h':
		return tool_help(b->command);
	default:
		return tool_try_help(b->command);
	}
}

static int parse(struct bench *b, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv, "p:s:jb:h",
						   options, NULL)) != -1)
		status = take(b, letter, optarg);
	if (status < 0 && optind < argc)
		status = tool_usage(b->command,
			"'%s' is too many: bench makes channels of its own",
			argv[optind]);
	return status;
}

/* The first CPUs that we may use; with fewer, processes share. */
static void find_cpus(struct bench *b)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE && b->nr_cpus < BENCH_CPUS; cpu++)
		if (CPU_ISSET(cpu, &set))
			b->cpus[b->nr_cpus++] = cpu;
}

void bench_pin(const struct bench *b, int i)
{
	cpu_set_t set;

	/* Two that share one by order of ours would never meet elsewhere. */
	if (i >= b->nr_cpus)
		return;
	CPU_ZERO(&set);
	CPU_SET(b->cpus[i], &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

int bench_fork(struct bench *b, int cpu, int (*fn)(struct bench *b, int arg),
	       int arg, int *pid)
{
	const pid_t parent = getpid();

	*pid = fork();
	if (*pid < 0)
		return tool_fail(b->command, "fork: %s", strerror(errno));
	if (*pid)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(TOOL_FAILED);
	bench_pin(b, cpu);
	_exit(fn(b, arg));
}

int bench_reap(int pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return TOOL_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_FAILED;
}

/* The first so many; the others are as they are. */
void bench_sample(struct bench_samples *s, uint64_t ns)
{
	if (s->nr < BENCH_SAMPLES)
		s->ns[s->nr++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double quantile(const struct bench_samples *s, double q)
{
	return s->nr ? s->ns[(uint32_t)(q * (s->nr - 1))] : 0;
}

struct figures {
	double raw50, raw99, trip50, trip99, ratio50, ratio99;
};

static struct figures figures_of(struct bench *b)
{
	struct figures f;

	qsort(b->raw.ns, b->raw.nr, sizeof(*b->raw.ns), by_size);
	qsort(b->trips.ns, b->trips.nr, sizeof(*b->trips.ns), by_size);
	f.raw50 = quantile(&b->raw, 0.5);
	f.raw99 = quantile(&b->raw, 0.99);
	f.trip50 = quantile(&b->trips, 0.5);
	f.trip99 = quantile(&b->trips, 0.99);
	f.ratio50 = f.raw50 > 0 ? f.trip50 / f.raw50 : 0;
	f.ratio99 = f.raw99 > 0 ? f.trip99 / f.raw99 : 0;
	return f;
}

static void show(const struct bench *b, const struct figures *f)
{
	char rate[SIZE_WORD];
	int i;

	printf("pattern     %s, messages of %" PRIu64 " bytes, %s backend, ",
	       patterns[b->pattern], b->size, shmchan_backend_name(b->backend));
	for (i = 0; i < b->nr_cpus; i++)
		printf("%s%d", i ? ", " : b->nr_cpus > 1 ? "CPUs " : "CPU ",
		       b->cpus[i]);
	printf("\nround trip  %.0f ns (p50), %.0f ns (p99), of %" PRIu32 "\n"
	       "cache line  %.0f ns (p50), %.0f ns (p99), to and fro\n"
	       "ratio       %.2f (p50), %.2f (p99)\n"
	       "messages    %.0f per second, %s/s\n",
	       f->trip50, f->trip99, b->trips.nr, f->raw50, f->raw99,
	       f->ratio50, f->ratio99, b->per_second,
	       size_word(rate, (uint64_t)(b->per_second * (double)b->size)));
	puts("\nAll but the ratio drifts with the machine and what else it does: compare only\n"
	     "figures that were measured side by side.");
	if (b->nr_cpus < 2)
		puts("With one CPU the processes take turns: this measures the scheduler.");
}

static void show_json(const struct bench *b, const struct figures *f)
{
	int i;

	printf("{\"pattern\":\"%s\",\"size\":%" PRIu64 ",\"backend\":\"%s\",\"cpus\":[",
	       patterns[b->pattern], b->size, shmchan_backend_name(b->backend));
	for (i = 0; i < b->nr_cpus; i++)
		printf("%s%d", i ? "," : "", b->cpus[i]);
	printf("],\"seconds\":%.3f,\"round_trips\":%" PRIu32 ",\"round_trip_ns\":{\"p50\":%.0f,\"p99\":%.0f},\"cache_line_ns\":{\"p50\":%.0f,\"p99\":%.0f},\"ratio\":{\"p50\":%.3f,\"p99\":%.3f},\"messages_per_second\":%.0f,\"bytes_per_second\":%.0f}\n",
	       (double)b->ns / 1e9, b->trips.nr, f->trip50, f->trip99,
	       f->raw50, f->raw99, f->ratio50, f->ratio99, b->per_second,
	       b->per_second * (double)b->size);
}

static int get_memory(struct bench *b)
{
	b->shared = mmap(NULL, sizeof(*b->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	b->raw.ns = calloc(BENCH_SAMPLES, sizeof(*b->raw.ns));
	b->trips.ns = calloc(BENCH_SAMPLES, sizeof(*b->trips.ns));
	b->buffer = calloc(b->size + 8, 1);
	if (b->shared == MAP_FAILED || !b->raw.ns || !b->trips.ns || !b->buffer)
		return tool_fail(b->command, "no memory");
	return 0;
}

static int run(int argc, char **argv)
{
	struct bench b = {
		.command = &bench_command, .size = 64, .ns = 1000000000,
	};
	int status = parse(&b, argc, argv);
	struct figures f;

	if (status >= 0)
		return status;
	if (b.backend == SHMCHAN_BACKEND_AUTO)
		b.backend = shmchan_backend_default();
	find_cpus(&b);
	status = get_memory(&b);
	bench_pin(&b, 0);
	/* Half of it before and half behind, as the machine changes meanwhile. */
	if (!status)
		status = bench_raw(&b, b.ns / 8);
	if (!status)
		status = bench_trips(&b);
	if (!status)
		status = bench_raw(&b, b.ns / 8);
	if (!status)
		status = bench_rate(&b);
	if (!status) {
		f = figures_of(&b);
		if (b.json)
			show_json(&b, &f);
		else
			show(&b, &f);
		status = tool_flush(b.command);
	}
	free(b.raw.ns);
	free(b.trips.ns);
	free(b.buffer);
	return status;
}

const struct command bench_command = {
	"bench", run, "measure channels on this machine", help,
};
