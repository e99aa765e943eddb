// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Other people's memory: what a machine looks like that has been up for long.
 *
 * All of memory is taken by 4 KiB pages: in turn a pair of anonymous ones, two
 * more of these, and six of the page cache of a file system, read for the most
 * part (what is written has buffer heads, too).  Then one page of each pair is
 * given back, a random one: what is free lies in pieces of one page or two.
 *
 * Kernel pages come in bursts, as they do where services start, connections
 * storm in or somebody walks through a file tree: inside of a burst there are
 * three for every ten of the others.  Then a third of them goes.  Where the
 * kernel puts them, and what stays free of them, is up to its grouping by
 * mobility, and is reported.  They are pipe buffers, sockets with data in
 * them, page tables, inodes and dentries.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

/* A group: two pages of which one is always free, and others that stay. */
#define PAIR_PAGES	2
#define ANON_PAGES	4
#define CACHED_PAGES	6

/* One file of so many is written, the others are read. */
#define WRITTEN_FILES	4
#define FILE_PAGES	(1024 * CACHED_PAGES)
#define MAX_FILES	256
#define PIPE_PAGES	16
#define MAX_FDS		200000

#define NR_BURSTS	10
#define KERNEL_PERCENT	8	/* of memory; a third goes again */
#define KERNEL_PAGES	3	/* in a burst, for each group */

/* What stays free when all is filled, lest the kernel reclaim page cache. */
#define SPARE_PERCENT	3
#define SPARE_KB	(64L << 10)

/* So many pipes lose a page and get another in each round. */
#define CHURNED_PIPES	128

/* Read back at a time. */
#define READ_PAGES	64

struct cached_file {
	int fd;
	char *map;		/* for mincore(2), never touched */
	size_t nr_pages;	/* read or written so far */
};

struct pipe {
	int fds[2];
	unsigned int nr_pages;
};

struct fragment {
	char *anon;
	size_t nr_groups;
	uint8_t *absent;	/* which page of each pair */
	struct cached_file files[MAX_FILES];
	size_t nr_files, at_file;
	struct pipe *pipes;
	size_t nr_pipes;
	int (*sockets)[2];
	size_t nr_sockets;
	char *tables;		/* sparse: a page table per 2 MiB */
	size_t nr_tables;
	size_t nr_names;
};

static const char pages[CACHED_PAGES * PAGE] = { 1 };

static void *reserve(size_t size, int prot)
{
	char *p = mmap(NULL, size + HUGE, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("no address space: %s", strerror(errno));
	p += -(uintptr_t)p % HUGE;
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

/* --- what the bursts consist of ----------------------------------------- */

static void add_pipe_page(struct fragment *f)
{
	struct pipe *p = &f->pipes[f->nr_pipes - 1];

	if (!f->nr_pipes || p->nr_pages == PIPE_PAGES) {
		p = &f->pipes[f->nr_pipes++];
		if (pipe2(p->fds, O_CLOEXEC | O_NONBLOCK))
			die("pipe: %s", strerror(errno));
	}
	if (write(p->fds[1], pages, PAGE) != (ssize_t)PAGE)
		die("pipe: %s", strerror(errno));
	p->nr_pages++;
}

static void add_sockets(struct fragment *f)
{
	int *fds = f->sockets[f->nr_sockets++];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) ||
	    send(fds[0], pages, PAGE / 2, 0) < 0)
		die("socket: %s", strerror(errno));
}

/* Reading maps the zero page: the table is all that is allocated. */
static void add_page_table(struct fragment *f)
{
	(void)*(volatile char *)(f->tables + f->nr_tables++ * HUGE);
}

/* Three inodes of ext4 fill a page, and twenty dentries. */
static void add_names(struct fragment *f, bool exist)
{
	unsigned int i, nr = exist ? 3 : 20;
	struct stat st;
	char name[64];
	int fd;

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "names/%zu", f->nr_names / 256);
		if (f->nr_names % 256 == 0 && mkdir(name, 0700))
			die("%s: %s", name, strerror(errno));
		snprintf(name, sizeof(name), "names/%zu/%zu",
			 f->nr_names / 256, f->nr_names);
		f->nr_names++;
		if (!exist) {
			stat(name, &st);
			continue;
		}
		fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0)
			die("%s: %s", name, strerror(errno));
		close(fd);
	}
}

static void add_kernel_page(struct fragment *f)
{
	switch (random_below(8)) {
	case 0:
		return add_sockets(f);
	case 1:
		return add_names(f, true);
	case 2:
		return add_names(f, false);
	case 3:
	case 4:
		return add_page_table(f);
	default:
		return add_pipe_page(f);
	}
}

static void drop_pipe_page(struct pipe *p)
{
	char buf[PAGE];

	if (p->nr_pages && read(p->fds[0], buf, PAGE) == (ssize_t)PAGE)
		p->nr_pages--;
}

static void drop_third_of_kernel(struct fragment *f)
{
	size_t i, k;

	for (i = 0; i < f->nr_pipes; i++)
		for (k = 0; k < PIPE_PAGES / 3; k++)
			drop_pipe_page(&f->pipes[i]);
	for (i = 0; i < f->nr_sockets; i += 3) {
		close(f->sockets[i][0]);
		close(f->sockets[i][1]);
	}
}

/* --- the page cache ------------------------------------------------------ */

static bool is_written(size_t nr)
{
	return nr % WRITTEN_FILES == 0;
}

/* What is to be read has to be on the disk, and not in memory. */
static void write_ahead(int fd)
{
	size_t i;

	for (i = 0; i < FILE_PAGES / CACHED_PAGES; i++)
		if (write(fd, pages, sizeof(pages)) != (ssize_t)sizeof(pages))
			die("write: %s", strerror(errno));
	if (fdatasync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fdatasync: %s", strerror(errno));
}

static void make_files(struct fragment *f, size_t nr_pages)
{
	char name[64];
	int fd;

	for (; f->nr_files * FILE_PAGES < nr_pages; f->nr_files++) {
		if (f->nr_files == MAX_FILES)
			die("too much memory for the files");
		snprintf(name, sizeof(name), "file-%zu", f->nr_files);
		fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0)
			die("%s: %s", name, strerror(errno));
		if (!is_written(f->nr_files))
			write_ahead(fd);
		/* Otherwise more is read than is asked for. */
		posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
		f->files[f->nr_files].fd = fd;
	}
}

/* Reads or writes the next pages: both leave them in the page cache. */
static void cache_pages(struct fragment *f)
{
	struct cached_file *file = &f->files[f->at_file];
	off_t at = (off_t)(file->nr_pages * PAGE);
	char buf[sizeof(pages)];
	ssize_t n;

	n = is_written(f->at_file) ? pwrite(file->fd, pages, sizeof(pages), at) :
		pread(file->fd, buf, sizeof(buf), at);
	if (n != (ssize_t)sizeof(pages))
		die("page cache: %s", strerror(errno));
	file->nr_pages += CACHED_PAGES;
	f->at_file += file->nr_pages == FILE_PAGES;
}

static void map_files(struct fragment *f)
{
	struct cached_file *file;
	size_t i;

	for (i = 0; i < f->nr_files; i++) {
		file = &f->files[i];
		if (fdatasync(file->fd))
			die("fdatasync: %s", strerror(errno));
		file->map = mmap(NULL, file->nr_pages * PAGE, PROT_READ,
				 MAP_SHARED, file->fd, 0);
		if (file->map == MAP_FAILED)
			die("map a file: %s", strerror(errno));
	}
}

/* Reads again what the kernel has reclaimed. */
static void refill_file(struct cached_file *file)
{
	static unsigned char resident[FILE_PAGES];
	static char buf[READ_PAGES * PAGE];
	size_t i = 0, nr_reads = 0;

	if (mincore(file->map, file->nr_pages * PAGE, resident))
		die("mincore: %s", strerror(errno));
	while (i < file->nr_pages) {
		if (resident[i] & 1) {
			i++;
			continue;
		}
		if (nr_reads++ % 4 == 0 && meminfo_kb("MemFree") < SPARE_KB)
			return;
		if (pread(file->fd, buf, sizeof(buf), (off_t)(i * PAGE)) < 0)
			die("read: %s", strerror(errno));
		i += READ_PAGES;
	}
}

/* --- the anonymous pages -------------------------------------------------- */

static char *anon_page(struct fragment *f, size_t group, size_t i)
{
	return f->anon + (group * ANON_PAGES + i) * PAGE;
}

static void touch(char *p)
{
	*(volatile char *)p = 1;
}

static void touch_group(struct fragment *f)
{
	size_t i;

	for (i = 0; i < ANON_PAGES; i++)
		touch(anon_page(f, f->nr_groups, i));
	f->nr_groups++;
}

static void refill_pairs(struct fragment *f)
{
	size_t i;

	for (i = 0; i < f->nr_groups; i++)
		touch(anon_page(f, i, f->absent[i]));
}

/* In one thread: others would be interrupted for each page, for their TLB. */
static void free_half(struct fragment *f)
{
	size_t i;

	for (i = 0; i < f->nr_groups; i++) {
		f->absent[i] = (uint8_t)random_below(PAIR_PAGES);
		madvise(anon_page(f, i, f->absent[i]), PAGE, MADV_DONTNEED);
	}
}

/* --- together ------------------------------------------------------------ */

static struct fragment *prepare(const char *dir, size_t nr_pages)
{
	struct rlimit limit = { MAX_FDS, MAX_FDS };
	struct fragment *f = calloc(1, sizeof(*f));

	if (!f || chdir(dir) || mkdir("names", 0700) ||
	    setrlimit(RLIMIT_NOFILE, &limit))
		die("%s: %s", dir, strerror(errno));
	f->anon = reserve(nr_pages * PAGE, PROT_READ | PROT_WRITE);
	f->absent = malloc(nr_pages / ANON_PAGES);
	f->pipes = calloc(nr_pages / PIPE_PAGES, sizeof(*f->pipes));
	f->sockets = calloc(nr_pages, sizeof(*f->sockets));
	f->tables = reserve(nr_pages * HUGE / 8, PROT_READ);
	if (!f->absent || !f->pipes || !f->sockets)
		die("no memory");
	return f;
}

static void fill(struct fragment *f, size_t nr_pages)
{
	size_t kernel = nr_pages * KERNEL_PERCENT / 100 / NR_BURSTS;
	size_t steps = nr_pages * (100 - KERNEL_PERCENT - SPARE_PERCENT) / 100 /
			 (ANON_PAGES + CACHED_PAGES);
	size_t starts[NR_BURSTS], step, i, left = 0;

	make_files(f, steps * CACHED_PAGES);
	for (i = 0; i < NR_BURSTS; i++)
		starts[i] = random_below(steps);
	for (step = 0; step < steps; step++) {
		touch_group(f);
		cache_pages(f);
		for (i = 0; i < NR_BURSTS; i++)
			if (starts[i] == step)
				left += kernel;
		for (i = 0; i < KERNEL_PAGES && left; i++, left--)
			add_kernel_page(f);
	}
}

struct fragment *fragment_memory(const char *dir)
{
	size_t nr_pages = (size_t)meminfo_kb("MemFree") * 1024 / PAGE;
	struct fragment *f = prepare(dir, nr_pages);

	fill(f, nr_pages);
	map_files(f);
	drop_third_of_kernel(f);
	free_half(f);
	return f;
}

void fragment_again(struct fragment *f)
{
	struct pipe *churned[CHURNED_PIPES];
	size_t i;

	for (i = 0; i < CHURNED_PIPES; i++) {
		churned[i] = &f->pipes[random_below(f->nr_pipes)];
		drop_pipe_page(churned[i]);
	}
	refill_pairs(f);
	for (i = 0; i < CHURNED_PIPES; i++) {
		if (churned[i]->nr_pages < PIPE_PAGES &&
		    write(churned[i]->fds[1], pages, PAGE) == (ssize_t)PAGE)
			churned[i]->nr_pages++;
	}
	for (i = 0; i < f->nr_files; i++)
		refill_file(&f->files[i]);
	free_half(f);
}
