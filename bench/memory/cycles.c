// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does anything stay behind?  Regions are made, mapped, touched and dropped
 * many times, and the kernel's accounts of before and after are compared; and
 * what a region is charged for is compared to its size.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/shmchan.h>

#include "memory.h"

#define GROUP	"/sys/fs/cgroup/bench"

/* Caches of CPUs fill up first. */
#define WARM_UP	300

/*
 * Per cycle: what the kernel's accounts waver by is below it, with a thousand
 * cycles and more, and the smallest thing that can be forgotten above.
 */
#define ALLOWED_BYTES	64
#define WAVER_BYTES	(2 * (int64_t)MIB)

struct kind {
	const char *what;
	size_t size;
	unsigned int flags;
};

static const struct kind kinds[] = {
	{ "4 MiB, CONTIG", 4 * MIB, SHMCHAN_CREATE_CONTIG },
	{ "2 MiB", 2 * MIB, 0 },
	{ "64 KiB, SMALL", 64 * 1024, SHMCHAN_CREATE_SMALL },
};

/* --- the accounts -------------------------------------------------------- */

enum account {
	USED, SLAB, SLAB_OBJECTS, SUNRECLAIM, PERCPU, UNEVICTABLE,
	VMSTAT_UNEVICTABLE, REGIONS, CGROUP, NR_ACCOUNTS,
};

static const struct {
	const char *what;
	bool exact;		/* has to be what it was */
} accounts[NR_ACCOUNTS] = {
	[USED] = { "in use", false },
	[SLAB] = { "Slab", false },
	[SLAB_OBJECTS] = { "objects in slabinfo", false },
	[SUNRECLAIM] = { "SUnreclaim", false },
	[PERCPU] = { "Percpu", false },
	[UNEVICTABLE] = { "Unevictable", true },
	[VMSTAT_UNEVICTABLE] = { "nr_unevictable", true },
	[REGIONS] = { "total_bytes of the module", true },
	[CGROUP] = { "memory.current", false },
};

static int64_t kib(const char *name)
{
	return meminfo_kb(name) * 1024L;
}

/* Free, too, but on the lists of CPUs: "count: N" for each zone and CPU. */
static int64_t free_on_cpus(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	int64_t sum = 0;
	long nr;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &nr) == 1)
			sum += nr * (int64_t)PAGE;
	if (f)
		fclose(f);
	return sum;
}

static int64_t slab_objects(void)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	unsigned long active, all, size;
	int64_t sum = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %lu %lu %lu", &active, &all, &size) == 3)
			sum += (int64_t)(active * size);
	if (f)
		fclose(f);
	return sum;
}

static int64_t memory_current(void)
{
	char text[64];
	int ret = read_file(GROUP "/memory.current", text, sizeof(text));

	if (ret)
		die("memory.current: %s", strerror(-ret));
	return strtoll(text, NULL, 10);
}

/* What is freed late has been by then, and what CPUs count apart is added. */
static void read_accounts(int64_t *values)
{
	sleep(2);
	write_file("/proc/sys/vm/stat_refresh", "1");
	values[USED] = kib("MemTotal") - kib("MemFree") - free_on_cpus();
	values[SLAB] = kib("Slab");
	values[SLAB_OBJECTS] = slab_objects();
	values[SUNRECLAIM] = kib("SUnreclaim");
	values[PERCPU] = kib("Percpu");
	values[UNEVICTABLE] = kib("Unevictable");
	values[VMSTAT_UNEVICTABLE] =
		proc_number("/proc/vmstat", "nr_unevictable") * (int64_t)PAGE;
	values[REGIONS] = regions_total();
	values[CGROUP] = memory_current();
}

/* --- the cycles ---------------------------------------------------------- */

static void cycle(const struct kind *kind)
{
	int fd = region_create(kind->size, kind->flags);
	size_t i;
	int ret;
	char *p;

	if (fd < 0)
		die("%s: %s", kind->what, strerror(-fd));
	ret = region_join(fd);
	if (ret)
		die("join: %s", strerror(-ret));
	p = mmap(NULL, kind->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("map: %s", strerror(errno));
	for (i = 0; i < kind->size; i += HUGE)
		*(volatile char *)(p + i) = 1;
	munmap(p, kind->size);
	close(fd);
}

/* Is it more than wavering? */
static bool grew(enum account a, int64_t growth, unsigned long nr)
{
	if (accounts[a].exact)
		return growth != 0;
	return growth > WAVER_BYTES && growth > (int64_t)nr * ALLOWED_BYTES;
}

static int run_cycles(const struct kind *kind, unsigned long nr, FILE *csv)
{
	int64_t before[NR_ACCOUNTS], after[NR_ACCOUNTS], growth;
	unsigned long i;
	double start;
	size_t a;
	int wrong = 0;

	read_accounts(before);
	start = now();
	for (i = 0; i < nr; i++)
		cycle(kind);
	start = now() - start;
	read_accounts(after);

	printf("\n%lu cycles, %s: %.2f ms each\n", nr, kind->what,
	       1e3 * start / (double)nr);
	printf("    %-28s %12s %12s %10s %8s\n", "KiB", "before", "after",
	       "growth", "B/cycle");
	for (a = 0; a < NR_ACCOUNTS; a++) {
		growth = after[a] - before[a];
		printf("    %-28s %12.0f %12.0f %10.0f %8.1f%s\n",
		       accounts[a].what, (double)before[a] / 1024,
		       (double)after[a] / 1024, (double)growth / 1024,
		       (double)growth / (double)nr,
		       grew(a, growth, nr) ? "  LEAK" : "");
		fprintf(csv, "%s,%lu,%s,%lld,%lld\n", kind->what, nr,
			accounts[a].what, (long long)before[a],
			(long long)after[a]);
		wrong |= grew(a, growth, nr);
	}
	fflush(stdout);
	return wrong;
}

/* --- charges ------------------------------------------------------------- */

/*
 * The cgroup is charged in batches of 64 pages per CPU, so that it can be off
 * by that much, either way: many small regions show what one of them costs.
 */
#define BATCH		((int64_t)(64 * PAGE))
#define MAX_REGIONS	64

/* What a region of default shape may count for beyond its size. */
#define ALLOWED_OVERHEAD	((int64_t)(8 * PAGE))

/* What a region of @size counts for, by the module and by the cgroup. */
static int compare_charge(size_t size, unsigned int flags, int nr, FILE *csv)
{
	int64_t before, group, own = 0;
	int fds[MAX_REGIONS], i;
	bool wrong;

	before = memory_current();
	for (i = 0; i < nr; i++) {
		fds[i] = region_create(size, flags);
		if (fds[i] < 0)
			die("%zu bytes: %s", size, strerror(-fds[i]));
		own = region_charged(fds[i]);
	}
	group = (memory_current() - before) / nr;
	for (i = 0; i < nr; i++)
		close(fds[i]);
	wrong = own < (int64_t)size || own > (int64_t)size + ALLOWED_OVERHEAD ||
		llabs(group - own) > ALLOWED_OVERHEAD + 2 * BATCH / nr;
	printf("    %10zu %8d %14lld %16lld%s\n", size / 1024, nr,
	       (long long)own / 1024, (long long)group / 1024,
	       wrong ? "  WRONG" : "");
	fprintf(csv, "charge,%zu,%s,%lld,%lld\n", size,
		flags & SHMCHAN_CREATE_CONTIG ? "CONTIG" :
		flags & SHMCHAN_CREATE_SMALL ? "SMALL" : "",
		(long long)own, (long long)group);
	return wrong;
}

static int compare_charges(FILE *csv)
{
	int wrong = 0;

	printf("    %10s %8s %14s %16s\n", "KiB", "regions",
	       "charged_bytes", "memory.current");
	wrong |= compare_charge(64 * 1024, SHMCHAN_CREATE_SMALL, 64, csv);
	wrong |= compare_charge(MIB, SHMCHAN_CREATE_SMALL, 64, csv);
	wrong |= compare_charge(2 * MIB, 0, 64, csv);
	wrong |= compare_charge(64 * MIB, 0, 1, csv);
	wrong |= compare_charge(64 * MIB, SHMCHAN_CREATE_CONTIG, 1, csv);
	wrong |= compare_charge(256 * MIB, SHMCHAN_CREATE_CONTIG, 1, csv);
	return wrong;
}

int main(int argc, char **argv)
{
	unsigned long nr = 10000;
	FILE *csv = NULL;
	int opt, wrong;
	unsigned int warm;
	size_t i;

	while ((opt = getopt(argc, argv, "n:o:")) != -1) {
		switch (opt) {
		case 'n':
			nr = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			csv = fopen(optarg, "we");
			break;
		default:
			fputs("usage: cycles [-n CYCLES] [-o CSV]\n", stderr);
			return 2;
		}
	}
	if (!csv)
		csv = fopen("/dev/null", "we");
	if (!csv || !nr)
		die("no file to write to, or no cycles");
	if ((mkdir(GROUP, 0755) && errno != EEXIST) ||
	    write_file(GROUP "/cgroup.procs", "0"))
		die("%s: %s", GROUP, strerror(errno));

	fputs("what,nr,account,before,after\n", csv);
	puts("what a region is charged for, by the module and the memory cgroup");
	wrong = compare_charges(csv);
	for (i = 0; i < COUNT(kinds); i++)
		for (warm = 0; warm < WARM_UP; warm++)
			cycle(&kinds[i]);
	for (i = 0; i < COUNT(kinds); i++)
		wrong |= run_cycles(&kinds[i], nr, csv);
	fclose(csv);
	if (wrong)
		puts("\nsomething stays behind: see above");
	return wrong;
}
