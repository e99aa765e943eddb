// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What one operation of a hostile member adds to those of the others, and what
 * bounds that.  See hostile.h.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostile.h"

static FILE *csv;
static const char *part;

static const struct {
	const char *name;
	void (*fn)(void);
} parts[] = {
	{ "operations", measure_operations },
	{ "churn", measure_churn },
	{ "waits", measure_waits },
	{ "revoke", measure_revoke },
};

void plan_region(struct plan *p, const char *name, uint64_t data_size,
		 unsigned int nr_slots, unsigned int flags)
{
	struct shape *s = &p->shape;
	unsigned int i, owned = nr_slots < OWNED_BELLS ? nr_slots : OWNED_BELLS;

	memset(p, 0, sizeof(*p));
	s->name = name;
	s->mode = 0666;
	s->flags = flags & PLAN_SMALL ? SHMCHAN_CREATE_SMALL : 0;
	s->data_size = data_size;
	s->control_size = 2 * PAGE;
	s->nr_slots = nr_slots;
	s->windows = p->windows;
	s->bells = p->bells;
	p->words = SHMCHAN_CONTROL_OFFSET(data_size) + PAGE;
	p->pages = p->words + PAGE;

	for (i = 0; !(flags & (PLAN_SMALL | PLAN_READONLY)) &&
		    i < nr_slots && i < data_size / HUGE; i++)
		p->windows[s->nr_windows++] = (struct shmchan_window) {
			.offset = i * HUGE,
			.length = HUGE,
			.slot = i,
		};
	p->windows[s->nr_windows++] = (struct shmchan_window) {
		.offset = p->words,
		.length = PAGE,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	for (i = 0; flags & PLAN_PAGES && i < nr_slots; i++) {
		p->windows[s->nr_windows++] = (struct shmchan_window) {
			.offset = p->pages + i * PAGE,
			.length = PAGE,
			.slot = i,
		};
		s->control_size += PAGE;
	}
	for (i = 0; i < owned; i++)
		p->bells[i].owner = i;
	for (; i < owned + 2; i++)
		p->bells[i].owner = SHMCHAN_SLOT_SHARED;
	s->nr_bells = i;
	p->shared = owned + 1;
	p->status = SHMCHAN_STATUS_OFFSET(data_size, s->control_size);
	p->status_size = SHMCHAN_STATUS_SIZE(nr_slots, s->nr_bells);
}

int plan_create(const struct plan *p)
{
	return must(region_create(&p->shape), p->shape.name);
}

char *map_range(int fd, uint64_t offset, size_t length, int prot)
{
	char *p = mmap(NULL, length, prot, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		die("mapping %zu bytes at %llu: %s", length,
		    (unsigned long long)offset, strerror(errno));
	return p;
}

uint64_t slot_word(const struct plan *p, unsigned int slot)
{
	return p->status + SHMCHAN_STATUS_SLOTS_OFFSET + 8ULL * slot;
}

uint32_t waiters(const struct plan *p, const char *status, unsigned int bell)
{
	uint64_t at = SHMCHAN_STATUS_DOORBELLS_OFFSET(p->shape.nr_slots) +
		      sizeof(struct shmchan_doorbell_status) * bell;

	return __atomic_load_n((const uint32_t *)(const void *)(status + at),
			       __ATOMIC_SEQ_CST);
}

void await_waiters(const struct plan *p, const char *status, unsigned int bell,
		   uint32_t nr)
{
	unsigned int patience = 100000;

	while (waiters(p, status, bell) != nr && --patience)
		usleep(1000);
	if (!patience)
		die("doorbell %u: %u sleep, not %u", bell,
		    waiters(p, status, bell), nr);
	/* Counted is not asleep yet: it looks once more. */
	usleep(20000);
}

void touch(const char *map, size_t length, size_t stride)
{
	size_t i;

	for (i = 0; i < length; i += stride)
		(void)*(const volatile char *)(map + i);
}

long touch_faults(const char *map, size_t length, size_t stride)
{
	long before = page_faults();

	touch(map, length, stride);
	return page_faults() - before;
}

void heading(const char *text)
{
	printf("\n%s\n\n", text);
}

void record(const char *attack, const char *what, struct costs *c)
{
	struct summary s = costs_summary(c);

	fprintf(csv, "%s,\"%s\",\"%s\",%zu,%llu,%llu,%.1f\n", part, attack,
		what, s.nr, (unsigned long long)s.min,
		(unsigned long long)s.median, s.mean);
	c->nr = 0;
}

void record_number(const char *attack, const char *what, double value)
{
	fprintf(csv, "%s,\"%s\",\"%s\",1,%.8g,%.8g,%.8g\n", part, attack,
		what, value, value, value);
}

void row(const char *attack, const char *what, struct costs *c)
{
	printf("%-46s %-32s %10llu\n", attack, what,
	       (unsigned long long)costs_median(c));
	fflush(stdout);
	record(attack, what, c);
}

void row_number(const char *attack, const char *what, double value)
{
	printf("%-46s %-32s %10.8g\n", attack, what, value);
	fflush(stdout);
	record_number(attack, what, value);
}

int main(int argc, char **argv)
{
	const char *only = NULL, *path = "/dev/null";
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "ip:o:")) != -1) {
		switch (opt) {
		case 'i':
			instructions = true;
			break;
		case 'p':
			only = optarg;
			break;
		case 'o':
			path = optarg;
			break;
		default:
			fputs("usage: hostile [-i] [-p PART] [-o CSV]\n"
			      "PART: operations, churn, waits or revoke\n",
			      stderr);
			return 2;
		}
	}
	csv = fopen(path, "we");
	if (!csv)
		die("%s: %s", path, strerror(errno));
	fputs("part,attack,what,times,min,median,mean\n", csv);
	raise_files(20000);
	umask(0);
	must(open_device(), "/dev/shmchan");
	for (i = 0; i < COUNT(parts); i++) {
		if (only && strcmp(only, parts[i].name))
			continue;
		part = parts[i].name;
		fprintf(stderr, "%s\n", part);
		parts[i].fn();
	}
	fclose(csv);
	return 0;
}
