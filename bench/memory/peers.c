// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Ways to get shared memory in huge pages.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/shmchan.h>

#include "memory.h"

#define MIGRATE		"/sys/module/shmchan/parameters/contig_migrate"
#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

static void set(const char *path, const char *text)
{
	int ret = write_file(path, text);

	if (ret)
		die("%s > %s: %s", text, path, strerror(-ret));
}

/* --- regions ------------------------------------------------------------- */

static void may_migrate(size_t size)
{
	(void)size;
	set(MIGRATE, "Y");
}

static void must_not_migrate(size_t size)
{
	(void)size;
	set(MIGRATE, "N");
}

static int create_region(struct claim *c, unsigned int flags)
{
	int ret;

	c->fd = region_create(c->size, flags);
	if (c->fd < 0)
		return c->fd;
	ret = region_join(c->fd);
	if (ret)
		die("join a region: %s", strerror(-ret));
	return 0;
}

static int create_contig(struct claim *c)
{
	return create_region(c, SHMCHAN_CREATE_CONTIG);
}

static int create_huge(struct claim *c)
{
	return create_region(c, 0);
}

/* --- memfd --------------------------------------------------------------- */

static int create_memfd(struct claim *c, unsigned int flags)
{
	c->fd = memfd_create("bench", MFD_CLOEXEC | flags);
	if (c->fd < 0 || ftruncate(c->fd, (off_t)c->size))
		die("memfd: %s", strerror(errno));
	return 0;
}

static int create_small(struct claim *c)
{
	return create_memfd(c, 0);
}

static void offer_huge_shmem(size_t size)
{
	(void)size;
	set(SHMEM_HUGE, "advise");
}

static void take_huge_shmem(struct claim *c)
{
	if (madvise(c->map, c->size, MADV_HUGEPAGE))
		die("MADV_HUGEPAGE: %s", strerror(errno));
}

/* --- hugetlbfs ----------------------------------------------------------- */

static void set_hugepages(size_t nr)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", nr);
	set(NR_HUGEPAGES, text);
}

static void reserve_hugepages(size_t size)
{
	set_hugepages(size / HUGE);
}

static void give_hugepages_back(void)
{
	set_hugepages(0);
}

/* Without enough of them mmap() fails: a smaller one shows what there is. */
static int create_hugetlb(struct claim *c)
{
	long nr = meminfo_kb("HugePages_Free");

	if (nr <= 0)
		return -ENOMEM;
	if ((size_t)nr * HUGE < c->size)
		c->size = (size_t)nr * HUGE;
	return create_memfd(c, MFD_HUGETLB);
}

static int create_hugetlb_now(struct claim *c)
{
	set_hugepages(c->size / HUGE);
	return create_hugetlb(c);
}

/* ------------------------------------------------------------------------- */

const struct peer peers[] = {
	{ "contig", "shmchan CONTIG",
	  may_migrate, create_contig, NULL, "FilePmdMapped", region_extents,
	  NULL },
	{ "contig-buddy", "shmchan CONTIG, contig_migrate=N",
	  must_not_migrate, create_contig, NULL, "FilePmdMapped",
	  region_extents, NULL },
	{ "huge", "shmchan",
	  NULL, create_huge, NULL, "FilePmdMapped", region_extents, NULL },
	{ "hugetlb", "hugetlbfs at run time",
	  NULL, create_hugetlb_now, NULL, NULL, NULL, give_hugepages_back },
	{ "thp", "memfd, THP",
	  offer_huge_shmem, create_small, take_huge_shmem, "ShmemPmdMapped",
	  NULL, NULL },
	{ "reserved", "hugetlbfs, reserved before",
	  reserve_hugepages, create_hugetlb, NULL, NULL, NULL,
	  give_hugepages_back },
	{ "small", "memfd",
	  NULL, create_small, NULL, "ShmemPmdMapped", NULL, NULL },
};

const size_t nr_peers = COUNT(peers);

const struct peer *find_peer(const char *name)
{
	size_t i;

	for (i = 0; i < nr_peers; i++)
		if (!strcmp(peers[i].name, name))
			return &peers[i];
	die("no such peer: %s", name);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Aligned, for not every kernel cares for that with shmem. */
static void map_claim(const struct peer *peer, struct claim *c)
{
	char *room = mmap(NULL, c->size + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = room + -(uintptr_t)room % HUGE;

	if (room == MAP_FAILED)
		die("no address space: %s", strerror(errno));
	c->room = room;
	c->room_size = c->size + HUGE;
	c->map = mmap(at, c->size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, c->fd, 0);
	if (c->map == MAP_FAILED)
		die("%s: map: %s", peer->name, strerror(errno));
	if (peer->advise)
		peer->advise(c);
}

static void look_at(const struct peer *peer, struct claim *c)
{
	long kb = peer->huge_field ? smaps_kb(c->map, peer->huge_field) :
		smaps_kb(c->map, "Shared_Hugetlb") +
		smaps_kb(c->map, "Private_Hugetlb");

	if (kb < 0)
		die("%s: smaps does not know of it", peer->name);
	c->huge = (size_t)kb * 1024;
	c->runs = physical_runs(c->map, c->size);
	if (peer->extents && peer->extents(c->fd) != (int)c->runs)
		die("%s: EXTENTS says %d runs, /proc/self/pagemap %zu",
		    peer->name, peer->extents(c->fd), c->runs);
}

void peer_claim(const struct peer *peer, struct claim *c, size_t size,
		size_t stride)
{
	double start;
	size_t i;

	*c = (struct claim) { .size = size, .fd = -1 };
	if (peer->prepare)
		peer->prepare(size);
	start = now();
	c->error = peer->create(c);
	c->create = now() - start;
	if (c->error)
		return;
	c->faults = minor_faults();
	start = now();
	map_claim(peer, c);
	c->mapping = now() - start;
	start = now();
	for (i = 0; i < c->size; i += stride)
		*(volatile char *)(c->map + i) = 1;
	c->touch = now() - start;
	c->faults = minor_faults() - c->faults;
	look_at(peer, c);
}

void peer_drop(const struct peer *peer, struct claim *c)
{
	double start = now();

	if (c->fd >= 0) {
		munmap(c->room, c->room_size);
		close(c->fd);
	}
	c->drop = now() - start;
	if (peer->finish)
		peer->finish();
}
