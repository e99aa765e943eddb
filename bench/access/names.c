// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a call costs while many names are there.
 *
 * One process fills an IPC namespace; at some sizes it does each call many
 * times, and so does another process there, whose file table is small, and a
 * third one in a namespace of its own with one name.  Then the same with
 * regions that have no names: what grows there as well is not the names'.
 *
 * Names come in no order, as they do from services; ids in that of creation.
 */

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"

#define ROUNDS	301

/* Entries of LIST at a time, so that the fewest names have as many. */
#define LIST_NR	32

#define MAX_RESULTS	1024

/* A prime, so that multiples of another number give each one once. */
#define NUMBERS	1000003UL
#define STEP	616243UL

enum op {
	CREATE, DROP, CREATE_UNNAMED, DROP_UNNAMED, OPEN, CLOSE, OPEN_NONE,
	CREATE_TAKEN, LIST_FIRST, LIST_MIDDLE, LIST_LAST, LIST_PAGE, PUBLISH,
	WITHDRAW, NR_OPS,
};

static const char * const op_names[NR_OPS] = {
	[CREATE] = "create",
	[DROP] = "drop",
	[CREATE_UNNAMED] = "create, unnamed",
	[DROP_UNNAMED] = "drop, unnamed",
	[OPEN] = "open",
	[CLOSE] = "close",
	[OPEN_NONE] = "open, no such name",
	[CREATE_TAKEN] = "create, taken",
	[LIST_FIRST] = "list, an entry, oldest",
	[LIST_MIDDLE] = "list, an entry, middle",
	[LIST_LAST] = "list, an entry, newest",
	[LIST_PAGE] = "list, page of 1024",
	[PUBLISH] = "publish",
	[WITHDRAW] = "withdraw",
};

struct result {
	char who[40];
	unsigned long present;
	enum op op;
	struct summary summary;
};

/* In memory that all processes share. */
static struct {
	size_t nr;
	struct result v[MAX_RESULTS];
} *results;

static unsigned long opt_names = 100000;

/* The name of number @i, and ones that are its neighbours. */
static const char *name_of(unsigned long i, const char *suffix)
{
	static char name[SHMCHAN_NAME_LEN];

	snprintf(name, sizeof(name), "orders-%07lu%s", i * STEP % NUMBERS,
		 suffix);
	return name;
}

static unsigned long random_below(unsigned long limit)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return (x * 0x2545f4914f6cdd1d >> 16) % limit;
}

/* The smallest that there can be: a page of control and one of status. */
static int create(const char *name)
{
	const struct shape s = {
		.name = name,
		.mode = 0600,
		.flags = SHMCHAN_CREATE_SMALL,
		.control_size = PAGE,
		.nr_slots = 1,
	};

	return region_create(&s);
}

static void note(const char *who, unsigned long present, enum op op,
		 struct costs *c)
{
	struct result *r = &results->v[results->nr];

	if (!c->nr)
		return;
	if (results->nr == MAX_RESULTS)
		die("too many results");
	snprintf(r->who, sizeof(r->who), "%s", who);
	r->present = present;
	r->op = op;
	r->summary = costs_summary(c);
	c->nr = 0;
	results->nr++;
}

static int timed_create(struct costs *c, const char *name)
{
	uint64_t start = count();
	int fd = create(name);

	costs_add(c, count() - start);
	return fd;
}

static void timed_close(struct costs *c, int fd)
{
	uint64_t start = count();

	close(fd);
	costs_add(c, count() - start);
}

/* Names that others keep: 0 to @names - 1. */
static void do_lookups(struct costs *c, unsigned long names)
{
	unsigned int i;
	uint64_t start;
	const char *name;
	int fd;

	for (i = 0; i < ROUNDS; i++) {
		name = name_of(random_below(names), "");
		start = count();
		fd = region_open(name, RIGHTS_RW);
		costs_add(&c[OPEN], count() - start);
		timed_close(&c[CLOSE], must(fd, name));

		name = name_of(random_below(names), "-n");
		start = count();
		fd = region_open(name, RIGHTS_RW);
		costs_add(&c[OPEN_NONE], count() - start);
		if (fd != -ENOENT)
			die("OPEN of no name: %d", fd);

		if (timed_create(&c[CREATE_TAKEN],
				 name_of(random_below(names), "")) != -EEXIST)
			die("CREATE of a taken name");
	}
}

static void timed_list(struct costs *c, uint64_t cursor, unsigned int nr,
		       unsigned int divisor)
{
	static struct shmchan_list_entry entries[1024];
	unsigned int i;
	uint64_t start, from;
	int got;

	for (i = 0; i < ROUNDS / 3; i++) {
		from = cursor;
		start = count();
		got = list_names(&from, entries, nr);
		costs_add(c, (count() - start) / divisor);
		if (got != (int)nr)
			die("LIST: %d of %u", got, nr);
	}
}

/* The cursor behind which there are all but @skip names. */
static uint64_t find_cursor(unsigned long skip)
{
	static struct shmchan_list_entry entries[1024];
	uint64_t cursor = 0;
	unsigned long nr;
	int got;

	for (; skip; skip -= (unsigned long)got) {
		nr = skip < COUNT(entries) ? skip : COUNT(entries);
		got = must(list_names(&cursor, entries,
				      (unsigned int)nr), "LIST");
		if (!got)
			die("LIST ends too early");
	}
	return cursor;
}

static void do_lists(struct costs *c, unsigned long names)
{
	uint64_t middle;

	if (names < LIST_NR) {
		timed_list(&c[LIST_FIRST], 0, (unsigned int)names,
			   (unsigned int)names);
		return;
	}
	middle = find_cursor((names - LIST_NR) / 2);
	timed_list(&c[LIST_FIRST], 0, LIST_NR, LIST_NR);
	timed_list(&c[LIST_MIDDLE], middle, LIST_NR, LIST_NR);
	timed_list(&c[LIST_LAST], find_cursor(names - LIST_NR), LIST_NR,
		   LIST_NR);
	if (names / 2 > 1024)
		timed_list(&c[LIST_PAGE], middle, 1024, 1);
}

static void do_changes(struct costs *c)
{
	int region = must(create(NULL), "CREATE");
	unsigned int i;
	uint64_t start;
	const char *name;
	int fd, ret;

	for (i = 0; i < ROUNDS; i++) {
		name = name_of(random_below(NUMBERS), "-x");
		fd = must(timed_create(&c[CREATE], name), name);
		timed_close(&c[DROP], fd);
		fd = must(timed_create(&c[CREATE_UNNAMED], NULL), "CREATE");
		timed_close(&c[DROP_UNNAMED], fd);

		name = name_of(random_below(NUMBERS), "-p");
		start = count();
		ret = publish(region, name);
		costs_add(&c[PUBLISH], count() - start);
		must(ret, name);
		start = count();
		ret = withdraw(region, name);
		costs_add(&c[WITHDRAW], count() - start);
		must(ret, name);
	}
	close(region);
}

/* In any process.  @names: how many there are that others keep. */
static void measure(const char *who, unsigned long present, unsigned long names)
{
	static struct costs c[NR_OPS];
	int round;
	enum op op;

	/* The first time warms up: pages, lists of the CPU, the code itself. */
	for (round = 0; round < 2; round++) {
		memset(c, 0, sizeof(c));
		if (names) {
			do_lookups(c, names);
			do_lists(c, names);
		}
		do_changes(c);
	}
	for (op = 0; op < NR_OPS; op++)
		note(who, present, op, &c[op]);
}

/* --- other processes ----------------------------------------------------- */

static long beside(long present, long named)
{
	measure(named ? "beside" : "beside, unnamed", (unsigned long)present,
		named ? (unsigned long)present : 0);
	return 0;
}

static long begin_foreign(long a, long b)
{
	(void)a;
	(void)b;
	if (unshare(CLONE_NEWIPC))
		return -errno;
	return must(create(name_of(0, "")), "CREATE");
}

static long foreign(long present, long named)
{
	measure(named ? "foreign" : "foreign, unnamed",
		(unsigned long)present, 1);
	return 0;
}

/* --- filling ------------------------------------------------------------- */

static const unsigned long levels[] = { 100, 1000, 10000, 100000 };

static struct {
	int *fds;
	unsigned long nr;
} filler;

/* A table that has its size, so that no step of its growth is measured. */
static long begin_fill(long a, long b)
{
	(void)a;
	(void)b;
	filler.fds = calloc(opt_names, sizeof(filler.fds[0]));
	if (!filler.fds || dup2(dev, (int)opt_names + 500) < 0)
		return -errno;
	close((int)opt_names + 500);
	return 0;
}

static long fill(long present, long named)
{
	const char *name;
	int fd;

	while (filler.nr < (unsigned long)present) {
		name = named ? name_of(filler.nr, "") : NULL;
		fd = create(name);
		if (fd < 0)
			return fd;
		filler.fds[filler.nr++] = fd;
	}
	return 0;
}

static long measure_fill(long present, long named)
{
	measure(named ? "same" : "same, unnamed", (unsigned long)present,
		named ? (unsigned long)present : 0);
	return 0;
}

/* All of it, in no order: the first ones and the last ones are measured. */
static long empty(long present, long named)
{
	static struct costs first, last;
	const char *who = named ? "emptying" : "emptying, unnamed";
	unsigned long i, k;

	(void)present;
	for (i = filler.nr; i; i--) {
		k = random_below(i);
		if (filler.nr - i < ROUNDS)
			timed_close(&first, filler.fds[k]);
		else if (i <= 100)
			timed_close(&last, filler.fds[k]);
		else
			close(filler.fds[k]);
		filler.fds[k] = filler.fds[i - 1];
	}
	note(who, filler.nr, DROP, &first);
	note(who, 100, DROP, &last);
	filler.nr = 0;
	return 0;
}

static void run(const struct peer *stranger, bool named)
{
	struct peer same, other;
	size_t i;

	peer_start(&same, 0);
	peer_start(&other, 0);
	peer_call(&same, begin_fill, 0, 0);
	for (i = 0; i < COUNT(levels) && levels[i] <= opt_names; i++) {
		long present = (long)levels[i];

		fprintf(stderr, "%ld regions, %s\n", present,
			named ? "named" : "unnamed");
		peer_call(&same, fill, present, named);
		peer_call(&same, measure_fill, present, named);
		peer_call(&other, beside, present, named);
		peer_call(stranger, foreign, present, named);
	}
	peer_call(&same, empty, 0, named);
	peer_stop(&other);
	peer_stop(&same);
}

/* One call at one size; NULL: it was not done. */
static const struct result *find_result(const char *who, enum op op,
					unsigned long present)
{
	size_t i;

	for (i = 0; i < results->nr; i++) {
		const struct result *r = &results->v[i];

		if (!strcmp(r->who, who) && r->op == op &&
		    r->present == present)
			return r;
	}
	return NULL;
}

/* Instructions repeat, times do not: the least is where nobody came between. */
static void print_call(const char *who, enum op op)
{
	const struct result *r;
	size_t i;

	printf("%-24s", op_names[op]);
	for (i = 0; i <= COUNT(levels); i++) {
		r = find_result(who, op, i ? levels[i - 1] : 0);
		if (r)
			printf(" %10llu", (unsigned long long)
			       (instructions ? r->summary.median :
					       r->summary.min));
		else
			printf(" %10s", "-");
	}
	putchar('\n');
}

/* All that one process found: a line for each call that it did. */
static void print_process(const char *who)
{
	enum op op;
	size_t i;

	printf("\n%-24s %10s", who, "none");
	for (i = 0; i < COUNT(levels); i++)
		printf(" %10lu", levels[i]);
	putchar('\n');
	for (op = 0; op < NR_OPS; op++) {
		for (i = 0; i < results->nr; i++)
			if (!strcmp(results->v[i].who, who) &&
			    results->v[i].op == op)
				break;
		if (i < results->nr)
			print_call(who, op);
	}
}

static void print_results(void)
{
	size_t i, k;

	printf("%s, by how many regions are there\n",
	       instructions ? "instructions, medians" :
			      "nanoseconds, the least");
	for (i = 0; i < results->nr; i++) {
		for (k = 0; k < i; k++)
			if (!strcmp(results->v[k].who, results->v[i].who))
				break;
		if (k == i)
			print_process(results->v[i].who);
	}
}

static void write_results(const char *path)
{
	FILE *csv = fopen(path, "we");
	size_t i;

	if (!csv)
		die("%s: %s", path, strerror(errno));
	fputs("who,present,call,times,min,median,mean\n", csv);
	for (i = 0; i < results->nr; i++) {
		const struct result *r = &results->v[i];

		fprintf(csv, "\"%s\",%lu,\"%s\",%zu,%llu,%llu,%.1f\n", r->who,
			r->present, op_names[r->op], r->summary.nr,
			(unsigned long long)r->summary.min,
			(unsigned long long)r->summary.median,
			r->summary.mean);
	}
	fclose(csv);
}

int main(int argc, char **argv)
{
	const char *csv = NULL;
	struct peer stranger;
	int opt;

	while ((opt = getopt(argc, argv, "in:o:")) != -1) {
		switch (opt) {
		case 'i':
			instructions = true;
			break;
		case 'n':
			opt_names = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			csv = optarg;
			break;
		default:
			fputs("usage: names [-i] [-n NAMES] [-o CSV]\n",
			      stderr);
			return 2;
		}
	}
	if (opt_names < levels[0] || opt_names > levels[COUNT(levels) - 1])
		die("between %lu and %lu names, please", levels[0],
		    levels[COUNT(levels) - 1]);
	raise_files(opt_names + 1000);
	results = shared_memory(sizeof(*results));

	peer_start(&stranger, 0);
	peer_call(&stranger, begin_foreign, 0, 0);
	peer_call(&stranger, foreign, 0, 1);
	run(&stranger, true);
	run(&stranger, false);
	peer_stop(&stranger);

	print_results();
	if (csv)
		write_results(csv);
	return 0;
}
