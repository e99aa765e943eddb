// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What lies where in physical memory.  /proc/kpageflags has the flags of each
 * page, but shows neither the tails of a free block nor what is on a list of
 * free pages of a CPU: these look like pages of the kernel.  The reference
 * count tells them apart, and that is in the page's descriptor, in
 * /proc/kcore.  Where descriptors lie is fixed with nokaslr.
 */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

/* Both have 64 bytes in 6.1 and 6.12, and the count at the same place. */
#define VMEMMAP			0xffffea0000000000ULL
#define DESCRIPTOR		64
#define DESCRIPTOR_REFCOUNT	52

/* linux/kernel-page-flags.h */
#define FLAG(bit)		(1ULL << (bit))
#define FLAG_LRU		FLAG(5)
#define FLAG_SLAB		FLAG(7)
#define FLAG_BUDDY		FLAG(10)
#define FLAG_ANON		FLAG(12)
#define FLAG_SWAPBACKED		FLAG(14)
#define FLAG_TAIL		FLAG(16)
#define FLAG_HUGE		FLAG(17)
#define FLAG_NOPAGE		FLAG(20)
#define FLAG_PGTABLE		FLAG(26)

/* Fewer pages than this, and a block is not lost yet: somebody strayed. */
#define SLIGHTLY		8

struct reader {
	int flags;
	int kcore;
	off_t vmemmap;		/* where in kcore it would begin */
	uint64_t end;		/* of what kcore has of it, as an address */
};

static void open_kcore(struct reader *r)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;
	unsigned int i;

	r->kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (r->kcore < 0 ||
	    pread(r->kcore, &head, sizeof(head), 0) != sizeof(head))
		die("/proc/kcore: %s", strerror(errno));
	for (i = 0; i < head.e_phnum; i++) {
		if (pread(r->kcore, &part, sizeof(part),
			  (off_t)(head.e_phoff + i * sizeof(part))) !=
		    sizeof(part))
			break;
		if (part.p_vaddr <= VMEMMAP &&
		    VMEMMAP < part.p_vaddr + part.p_memsz) {
			r->vmemmap = (off_t)(part.p_offset + VMEMMAP -
					     part.p_vaddr);
			return;
		}
	}
	die("no page descriptors in /proc/kcore: is this nokaslr?");
}

static enum page_kind kind_of(uint64_t flags, int32_t refcount)
{
	if (flags & FLAG_NOPAGE)
		return KIND_HOLE;
	if (flags & FLAG_SLAB)
		return KIND_SLAB;
	if (flags & FLAG_BUDDY || (!refcount && !(flags & FLAG_TAIL)))
		return KIND_FREE;
	if (flags & FLAG_PGTABLE)
		return KIND_PGTABLE;
	if (flags & (FLAG_LRU | FLAG_ANON | FLAG_HUGE))
		return flags & (FLAG_ANON | FLAG_SWAPBACKED | FLAG_HUGE) ?
			KIND_ANON : KIND_FILE;
	return KIND_KERNEL;
}

/* The 512 pages from a page frame on. */
static void read_block(struct reader *r, uint64_t pfn, struct block *b)
{
	static char descriptors[BLOCK_PAGES * DESCRIPTOR];
	uint64_t flags[BLOCK_PAGES];
	enum page_kind kind = KIND_HOLE;
	int32_t refcount;
	size_t i;

	memset(b, 0, sizeof(*b));
	if (pread(r->flags, flags, sizeof(flags),
		  (off_t)(pfn * sizeof(flags[0]))) != sizeof(flags) ||
	    pread(r->kcore, descriptors, sizeof(descriptors),
		  r->vmemmap + (off_t)(pfn * DESCRIPTOR)) !=
	    sizeof(descriptors)) {
		b->nr[KIND_HOLE] = BLOCK_PAGES;
		return;
	}
	for (i = 0; i < BLOCK_PAGES; i++) {
		memcpy(&refcount,
		       descriptors + i * DESCRIPTOR + DESCRIPTOR_REFCOUNT,
		       sizeof(refcount));
		/* A tail is what its head is. */
		if (!(flags[i] & FLAG_TAIL) || flags[i] & FLAG_SLAB)
			kind = kind_of(flags[i], refcount);
		b->nr[kind]++;
	}
}

static unsigned int unmovable(const struct block *b)
{
	return b->nr[KIND_SLAB] + b->nr[KIND_PGTABLE] + b->nr[KIND_KERNEL];
}

static bool spoilt(const struct block *b)
{
	return b->nr[KIND_HOLE] || unmovable(b);
}

static uint64_t windows(const struct state *s, size_t size)
{
	size_t i, run = 0;
	uint64_t nr = 0;

	for (i = 0; i < s->nr_blocks; i++) {
		run = spoilt(&s->blocks[i]) ? 0 : run + 1;
		nr += run >= size / HUGE;
	}
	return nr;
}

/* The end of memory, in bytes. */
static uint64_t end_of_memory(void)
{
	FILE *f = fopen("/proc/iomem", "re");
	unsigned long long start, last;
	uint64_t end = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "System RAM") &&
		    sscanf(line, "%llx-%llx", &start, &last) == 2)
			end = last + 1;
	if (f)
		fclose(f);
	return end;
}

void state_read(struct state *s)
{
	struct reader r = { .flags = open("/proc/kpageflags",
					  O_RDONLY | O_CLOEXEC) };
	struct block *b;
	size_t i, k;

	if (r.flags < 0)
		die("/proc/kpageflags: %s", strerror(errno));
	open_kcore(&r);
	memset(s, 0, sizeof(*s));
	s->nr_blocks = end_of_memory() / HUGE;
	s->blocks = calloc(s->nr_blocks, sizeof(*s->blocks));
	if (!s->nr_blocks || !s->blocks)
		die("no list of memory");
	for (i = 0; i < s->nr_blocks; i++) {
		b = &s->blocks[i];
		read_block(&r, i * BLOCK_PAGES, b);
		for (k = 0; k < NR_KINDS; k++)
			s->pages[k] += b->nr[k];
		s->spoilt += !b->nr[KIND_HOLE] && unmovable(b);
		s->slightly += !b->nr[KIND_HOLE] && unmovable(b) &&
			       unmovable(b) <= SLIGHTLY;
	}
	s->windows_64 = windows(s, 64 * MIB);
	s->windows_256 = windows(s, 256 * MIB);
	close(r.kcore);
	close(r.flags);
}

void state_free(struct state *s)
{
	free(s->blocks);
}

void state_print(const struct state *s, FILE *out)
{
	static const char * const names[NR_KINDS] = {
		[KIND_HOLE] = "hole", [KIND_FREE] = "free",
		[KIND_ANON] = "anonymous", [KIND_FILE] = "page cache",
		[KIND_SLAB] = "slab", [KIND_PGTABLE] = "page tables",
		[KIND_KERNEL] = "other kernel pages",
	};
	uint64_t all = 0;
	size_t k;

	for (k = KIND_FREE; k < NR_KINDS; k++)
		all += s->pages[k];
	fprintf(out, "%llu MiB:", (unsigned long long)(all * PAGE / MIB));
	for (k = KIND_FREE; k < NR_KINDS; k++)
		fprintf(out, "%s %s %.1f %%", k == KIND_FREE ? "" : ",",
			names[k], 100.0 * (double)s->pages[k] / (double)all);
	fprintf(out, "\n%llu of %llu blocks of 2 MiB hold kernel pages, %llu at most %d\n",
		(unsigned long long)s->spoilt,
		(unsigned long long)(all / BLOCK_PAGES),
		(unsigned long long)s->slightly, SLIGHTLY);
	fprintf(out, "places without any: %llu for 64 MiB, %llu for 256 MiB\n",
		(unsigned long long)s->windows_64,
		(unsigned long long)s->windows_256);
}

void state_print_map(const struct state *s, FILE *out)
{
	const struct block *b;
	size_t i;
	char c;

	fputs("each character 2 MiB: _ empty, . movable pages only, + up to 8 kernel pages, # more\n",
	      out);
	for (i = 0; i < s->nr_blocks; i++) {
		b = &s->blocks[i];
		if (i % 64 == 0)
			fprintf(out, "%s%5zu MiB ", i ? "\n" : "",
				i * HUGE / MIB);
		if (b->nr[KIND_HOLE])
			c = ' ';
		else if (unmovable(b))
			c = unmovable(b) <= SLIGHTLY ? '+' : '#';
		else
			c = b->nr[KIND_FREE] == BLOCK_PAGES ? '_' : '.';
		fputc(c, out);
	}
	fputc('\n', out);
}

uint64_t free_blocks(unsigned int order)
{
	FILE *f = fopen("/proc/buddyinfo", "re");
	uint64_t nr = 0;
	unsigned int i;
	char line[512], *p;

	while (f && fgets(line, sizeof(line), f)) {
		p = strstr(line, "zone");
		if (!p)
			continue;
		p += strcspn(p, " ");
		p += strspn(p, " ");
		p += strcspn(p, " ");	/* the zone's name */
		for (i = 0; i < order; i++)
			strtoull(p, &p, 10);
		nr += strtoull(p, &p, 10);
	}
	if (f)
		fclose(f);
	return nr;
}
