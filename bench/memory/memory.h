/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

/*
 * What the measurements of memory share.  They run as root in a guest of
 * their own: they fill its memory, and read it page by page.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PAGE	((size_t)4096)
#define HUGE	((size_t)2 << 20)
#define MIB	((size_t)1 << 20)

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* util.c */

/* Something does not work at all, as opposed to: it is slow or scarce. */
__attribute__((format(printf, 1, 2), noreturn))
void die(const char *fmt, ...);

double now(void);
uint64_t random_below(uint64_t limit);
int compare_doubles(const void *a, const void *b);
/* Of a sorted array: between the two in the middle if there are two. */
double median(const double *sorted, size_t nr);

/* The number behind "NAME:" or "NAME " at the start of a line; -1: none. */
long proc_number(const char *path, const char *name);
long meminfo_kb(const char *name);
/* Return 0 or -errno. */
int write_file(const char *path, const char *text);
int read_file(const char *path, char *text, size_t size);

/* state.c: what physical memory looks like */

enum page_kind {
	KIND_HOLE,
	KIND_FREE,
	KIND_ANON,		/* shmem, too */
	KIND_FILE,
	KIND_SLAB,
	KIND_PGTABLE,
	KIND_KERNEL,		/* all else, pipe buffers among it */
	NR_KINDS,
};

/* A page block: what the buddy allocator groups pages by mobility in. */
struct block {
	uint16_t nr[NR_KINDS];
};

#define BLOCK_PAGES	(HUGE / PAGE)

struct state {
	size_t nr_blocks;
	struct block *blocks;
	uint64_t pages[NR_KINDS];
	uint64_t spoilt;	/* blocks with a page that cannot be moved */
	uint64_t slightly;	/* of these, those with at most 8 */
	uint64_t windows_64;	/* starts of 64 MiB without such a page */
	uint64_t windows_256;
};

void state_read(struct state *s);
void state_free(struct state *s);
void state_print(const struct state *s, FILE *out);
/* One character for each block, 64 to the line. */
void state_print_map(const struct state *s, FILE *out);
/* Free blocks of 2 MiB, or of twice that, in all zones. */
uint64_t free_blocks(unsigned int order);

/* mapping.c: what a mapping got */

/* A field of /proc/self/smaps, of the mapping that holds an address, in KiB. */
long smaps_kb(const void *addr, const char *field);
/* Physically contiguous runs of a mapping; @size: a multiple of 2 MiB. */
size_t physical_runs(const char *addr, size_t size);

/* fragment.c: other people's memory */

struct fragment;

/* Fills memory and frees every second page.  @dir: on a real file system. */
struct fragment *fragment_memory(const char *dir);
/* Fills what is free, and frees other pages in its place. */
void fragment_again(struct fragment *f);

/* peers.c: ways to get memory */

struct claim {
	size_t size;
	int fd;
	char *map;
	char *room;		/* address space that holds the mapping */
	size_t room_size;
	int error;		/* 0, or why there is nothing at all */
	double create;		/* seconds */
	double mapping;
	double touch;		/* until each page was there */
	double drop;
	size_t huge;		/* how many bytes are in huge pages */
	size_t runs;		/* physically contiguous ones */
	long faults;
};

struct peer {
	const char *name;
	const char *what;
	/* Before the clock runs; may be NULL. */
	void (*prepare)(size_t size);
	int (*create)(struct claim *c);
	/* Before the pages are touched; may be NULL. */
	void (*advise)(struct claim *c);
	/* Where smaps counts its huge pages; NULL: it has no others. */
	const char *huge_field;
	/* How many runs it says it has; may be NULL. */
	int (*extents)(int fd);
	void (*finish)(void);
};

extern const struct peer peers[];
extern const size_t nr_peers;

const struct peer *find_peer(const char *name);
/* @stride: how many bytes apart the pages are written to. */
void peer_claim(const struct peer *peer, struct claim *c, size_t size,
		size_t stride);
void peer_drop(const struct peer *peer, struct claim *c);

/* shmchan.c: the module's calls; they return -errno */

int region_create(size_t size, unsigned int flags);
int region_join(int fd);
int region_extents(int fd);
/* What it counts for against its user's limit. */
int64_t region_charged(int fd);
int64_t regions_total(void);

#endif /* BENCH_MEMORY_H */
