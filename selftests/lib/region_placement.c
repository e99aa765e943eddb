// SPDX-License-Identifier: GPL-2.0-only

/* Where a region's memory lies is where it was asked to lie, and is told. */

#include <fcntl.h>
#include <grp.h>

#include "region_fixture.h"

#define MIB		(1ULL << 20)
#define HAS_MEMORY	"/sys/devices/system/node/has_memory"
#define PARAMETERS	"/sys/module/shmchan/parameters/"
#define NR(a)		(sizeof(a) / sizeof((a)[0]))

/* Data that all members may write, and nothing else. */
static struct shmchan_region_opts huge_opts(uint64_t data_size, uint32_t flags)
{
	static struct shmchan_window window;

	window = (struct shmchan_window){
		.length = data_size, .slot = SHMCHAN_SLOT_SHARED,
	};
	return SHMCHAN_REGION_OPTS(
		.flags = flags, .data_size = data_size, .control_size = 4096,
		.nr_slots = 1, .nr_windows = 1, .windows = &window);
}

static struct shmchan_region *make(const struct shmchan_region_opts *opts)
{
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_create(&r, NULL, opts), 0);
	return r;
}

static int refused(const struct shmchan_region_opts *opts)
{
	struct shmchan_region *r;
	int err = shmchan_region_create(&r, NULL, opts);

	CHECK_LT(err, 0);
	note("%s", shmchan_error_detail());
	return err;
}

/* All extents, read so many at a time; checks that they cover the data. */
static uint32_t read_extents(const struct shmchan_region *r, uint32_t flags,
			     uint32_t at_a_time, struct shmchan_extent *e,
			     uint32_t room)
{
	uint64_t start = 0, end = 0;
	uint32_t nr = 0, i;
	int n;

	do {
		CHECK_LE(nr + at_a_time, room);
		n = shmchan_region_extents(r, flags, &start, e + nr, at_a_time);
		CHECK_GE(n, 0);
		CHECK_LE(n, at_a_time);
		nr += (uint32_t)n;
	} while (n);
	for (i = 0; i < nr; i++) {
		CHECK_EQ(e[i].offset, end);
		CHECK(e[i].length && !(e[i].length % 4096));
		CHECK_EQ(e[i].reserved, 0);
		end += e[i].length;
	}
	CHECK_EQ(end, r->data_size);
	CHECK_EQ(start, end);
	return nr;
}

static uint32_t nr_extents(const struct shmchan_region *r)
{
	struct shmchan_query q = { 0 };

	CHECK_EQ(shmchan_region_query(r, &q), 0);
	return q.nr_extents;
}

/* The nodes that this machine has memory on, as their numbers. */
static uint32_t read_nodes(uint32_t *nodes, uint32_t room)
{
	char line[256] = "", *at = line;
	FILE *f = fopen(HAS_MEMORY, "re");
	uint32_t nr = 0, first, last;

	if (!f || !fgets(line, sizeof(line), f))
		SKIP("no " HAS_MEMORY ": a kernel without NUMA");
	fclose(f);
	while (*at >= '0' && *at <= '9') {
		first = (uint32_t)strtoul(at, &at, 10);
		last = *at == '-' ? (uint32_t)strtoul(at + 1, &at, 10) : first;
		for (; first <= last && nr < room; first++)
			nodes[nr++] = first;
		at += *at == ',';
	}
	CHECK_GT(nr, 0);
	return nr;
}

TEST(extents_cover_the_data)
{
	static struct shmchan_extent once[2048], bit_by_bit[2048];
	const struct {
		uint64_t size;
		uint32_t flags;
	} cases[] = {
		{ 4096, SHMCHAN_CREATE_SMALL },
		{ 3 * MIB, SHMCHAN_CREATE_SMALL },
		{ 2 * MIB, 0 }, { 10 * MIB, 0 },
	};
	struct shmchan_region_opts o;
	struct shmchan_region *r;
	uint32_t i, nr;

	KMOD_ONLY("the module knows where memory lies");
	for (i = 0; i < NR(cases); i++) {
		o = huge_opts(cases[i].size, cases[i].flags);
		r = make(&o);
		nr = read_extents(r, 0, 1024, once, NR(once));
		note("%llu bytes: %u extents",
		     (unsigned long long)cases[i].size, nr);
		CHECK_EQ(nr, nr_extents(r));
		CHECK_EQ(read_extents(r, 0, 1, bit_by_bit, NR(bit_by_bit)), nr);
		CHECK(!memcmp(once, bit_by_bit, nr * sizeof(once[0])));
		CHECK_EQ(once[0].phys, 0);
		shmchan_region_close(r);
	}
}

TEST(nothing_has_no_extents)
{
	struct shmchan_region_opts o = huge_opts(0, 0);
	struct shmchan_extent e;
	struct shmchan_region *r;
	uint64_t start = 0;

	KMOD_ONLY("the module knows where memory lies");
	o.nr_windows = 0;
	r = make(&o);
	CHECK_EQ(nr_extents(r), 0);
	CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 1), 0);
	shmchan_region_close(r);
}

TEST(bad_extents_calls)
{
	struct shmchan_region *r = fix_create(NULL);
	struct shmchan_extent e;
	uint64_t start = 0;

	CHECK_EQ(shmchan_region_extents(NULL, 0, &start, &e, 1), -EINVAL);
	CHECK_EQ(shmchan_region_extents(r, 0, NULL, &e, 1), -EINVAL);
	CHECK_EQ(shmchan_region_extents(r, 0, &start, NULL, 1), -EINVAL);
	CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 0), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "room be 1 or more");
	CHECK_EQ(shmchan_region_extents(r, 2, &start, &e, 1), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_EXTENTS_PHYS");
	start = 100;
	CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 1), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "*start is 0x64");
	start = r->data_size + 4096;
	CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 1), -EINVAL);
	start = 0;
	if (!on_kmod()) {
		CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 1), -ENOTSUP);
		CHECK_SAYS(shmchan_error_detail(), "only the module");
	}
	shmchan_region_close(r);
}

TEST(no_extents_for_a_forked_child)
{
	struct shmchan_region *r = fix_create(NULL);
	struct shmchan_extent e;
	uint64_t start = 0;
	pid_t pid = child_fork();

	if (!pid) {
		CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 1),
			 -EOWNERDEAD);
		CHECK_EQ(shmchan_region_export(r, 0, 4096, 0), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

/* The page table says what the extents say. */
static void check_physical(const struct shmchan_region *r,
			   const struct shmchan_extent *e, uint32_t nr)
{
	uint64_t entry, at;
	uint32_t i;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	CHECK_GE(fd, 0);
	for (i = 0; i < nr; i++) {
		CHECK(e[i].phys);
		for (at = 0; at < e[i].length; at += 4096) {
			uintptr_t addr = (uintptr_t)r->base + e[i].offset + at;

			*(volatile uint8_t *)addr = 1;
			CHECK_EQ(pread(fd, &entry, sizeof(entry),
				       (off_t)(addr / 4096 * sizeof(entry))),
				 (ssize_t)sizeof(entry));
			CHECK_EQ((entry & ((1ULL << 55) - 1)) << 12,
				 e[i].phys + at);
		}
		/* Else they would be one. */
		if (i)
			CHECK(e[i].node != e[i - 1].node || e[i].phys !=
			      e[i - 1].phys + e[i - 1].length);
	}
	close(fd);
}

TEST(physical_addresses_are_right)
{
	static struct shmchan_extent e[2048];
	struct shmchan_region_opts o;
	struct shmchan_region *r;

	KMOD_ONLY("the module knows where memory lies");
	NEEDS_ROOT();
	o = huge_opts(2 * MIB, SHMCHAN_CREATE_SMALL);
	r = make(&o);
	check_physical(r, e, read_extents(r, SHMCHAN_EXTENTS_PHYS, 1024, e,
					  NR(e)));
	shmchan_region_close(r);
	o = huge_opts(8 * MIB, 0);
	r = make(&o);
	check_physical(r, e, read_extents(r, SHMCHAN_EXTENTS_PHYS, 1024, e,
					  NR(e)));
	shmchan_region_close(r);
}

TEST(physical_addresses_are_a_privilege)
{
	struct shmchan_region_opts o = huge_opts(2 * MIB, 0);
	struct shmchan_extent e;
	struct shmchan_region *r;
	uint64_t start = 0;

	KMOD_ONLY("the module knows where memory lies");
	NEEDS_ROOT();
	become(FIX_UID_A);
	r = make(&o);
	CHECK_EQ(shmchan_region_extents(r, SHMCHAN_EXTENTS_PHYS, &start, &e, 1),
		 -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "CAP_SYS_ADMIN");
	CHECK_EQ(start, 0);
	CHECK_EQ(shmchan_region_extents(r, 0, &start, &e, 1), 1);
	CHECK_EQ(e.phys, 0);
	shmchan_region_close(r);
}

TEST_LIMIT(contig_is_one_extent, 120)
{
	struct shmchan_region_opts o = huge_opts(32 * MIB,
						 SHMCHAN_CREATE_CONTIG);
	struct shmchan_query q = { 0 };
	static struct shmchan_extent e[64];
	const uint64_t *word;
	struct shmchan_region *r;
	uint64_t at;

	KMOD_ONLY("the module has contiguous memory");
	NEEDS_ROOT();
	r = make(&o);
	CHECK_EQ(read_extents(r, SHMCHAN_EXTENTS_PHYS, 16, e, NR(e)), 1);
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.nr_extents, 1);
	CHECK_EQ(q.data_folio_size, 2 * MIB);
	CHECK(q.create_flags & SHMCHAN_CREATE_CONTIG);
	word = shmchan_region_at(r, 0);
	for (at = 0; at < r->data_size / sizeof(*word); at++)
		CHECK_EQ(word[at], 0);
	check_physical(r, e, 1);
	shmchan_region_close(r);
}

/* As any user; what a group may beyond that is for the group. */
TEST_LIMIT(contig_beyond_4_mib_is_a_privilege, 120)
{
	struct shmchan_region_opts o = huge_opts(4 * MIB,
						 SHMCHAN_CREATE_CONTIG);
	struct shmchan_query_device d;

	KMOD_ONLY("the module has contiguous memory");
	NEEDS_ROOT();
	CHECK_EQ(setgroups(0, NULL), 0);
	become(FIX_UID_A);
	CHECK_EQ(shmchan_device_query(&d), 0);
	CHECK_EQ(d.contig_limit, 4 * MIB);
	shmchan_region_close(make(&o));
	o = huge_opts(6 * MIB, SHMCHAN_CREATE_CONTIG);
	CHECK_EQ(refused(&o), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "of 6 MiB: you may ask for 4 MiB");
	CHECK_SAYS(shmchan_error_detail(), "CAP_SYS_RESOURCE");
	CHECK_SAYS(shmchan_error_detail(), "contig_gid, now no group");
}

static void set_parameter(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	f = fopen(path, "we");
	CHECK(f);
	CHECK(fputs(value, f) >= 0);
	CHECK_EQ(fclose(f), 0);
}

TEST_LIMIT(contig_gid_is_the_group_that_may, 120)
{
	struct shmchan_region_opts o = huge_opts(6 * MIB,
						 SHMCHAN_CREATE_CONTIG);
	const gid_t group = 4242;
	int status;
	pid_t pid;

	KMOD_ONLY("the module has contiguous memory");
	NEEDS_ROOT();
	set_parameter("contig_gid", "4242");
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(setgroups(0, NULL), 0);
		become(FIX_UID_A);
		CHECK_EQ(refused(&o), -EPERM);
		CHECK_SAYS(shmchan_error_detail(), "contig_gid, now 4242");
		child_done();
	}
	status = child_wait(pid);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(setgroups(1, &group), 0);
		become(FIX_UID_A);
		shmchan_region_close(make(&o));
		child_done();
	}
	status |= child_wait(pid);
	set_parameter("contig_gid", "-1");
	CHECK_EQ(status, 0);
}

/* The message tells what there is, and what would help. */
TEST_LIMIT(contig_that_cannot_be_had, 300)
{
	struct shmchan_region_opts o;
	struct shmchan_query_device d;
	uint64_t size;
	int status;
	pid_t pid;

	KMOD_ONLY("the module has contiguous memory");
	NEEDS_ROOT();
	/* All that all may have: holes of the machine are in it. */
	CHECK_EQ(shmchan_device_query(&d), 0);
	size = (d.total_limit - d.total_bytes - MIB) & ~(2 * MIB - 1);
	o = huge_opts(size, SHMCHAN_CREATE_CONTIG);
	set_parameter("contig_ms", "1");
	set_parameter("contig_migrate", "N");
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(refused(&o), -ENOMEM);
		CHECK_SAYS(shmchan_error_detail(), "contig_ms, 1,");
		CHECK_SAYS(shmchan_error_detail(), "contig_migrate is N");
		CHECK_SAYS(shmchan_error_detail(), "pool_mb=");
		child_done();
	}
	status = child_wait(pid);
	set_parameter("contig_migrate", "Y");
	set_parameter("contig_ms", "10000");
	CHECK_EQ(status, 0);
}

static void check_all_on(const struct shmchan_region *r, uint32_t node)
{
	static struct shmchan_extent e[2048];
	uint32_t nr = read_extents(r, 0, 1024, e, NR(e)), i;

	for (i = 0; i < nr; i++)
		CHECK_EQ(e[i].node, node);
}

TEST_LIMIT(bind_and_prefer_take_the_node, 120)
{
	static const uint32_t policies[] = {
		SHMCHAN_NUMA_BIND, SHMCHAN_NUMA_PREFER,
	};
	const uint32_t flags[] = {
		0, SHMCHAN_CREATE_SMALL, SHMCHAN_CREATE_CONTIG,
	};
	uint32_t nodes[64], nr, i, j, k;
	struct shmchan_query q;
	struct shmchan_region *r;

	KMOD_ONLY("the module places memory");
	nr = read_nodes(nodes, NR(nodes));
	note("%u nodes", nr);
	for (i = 0; i < nr; i++)
		for (j = 0; j < NR(policies); j++)
			for (k = 0; k < NR(flags); k++) {
				struct shmchan_region_opts o =
					huge_opts(4 * MIB, flags[k]);

				o.numa_policy = policies[j];
				o.nr_nodes = 1;
				o.nodes = &nodes[i];
				r = make(&o);
				check_all_on(r, nodes[i]);
				memset(&q, 0, sizeof(q));
				CHECK_EQ(shmchan_region_query(r, &q), 0);
				CHECK_EQ(q.numa_policy, policies[j]);
				shmchan_region_close(r);
			}
}

/* A node that is given twice gets twice as much. */
TEST(interleave_takes_turns)
{
	static struct shmchan_extent e[64];
	struct shmchan_region_opts o = huge_opts(12 * MIB, 0);
	uint32_t nodes[64], order[3], nr, i;
	struct shmchan_region *r;
	uint64_t at;

	KMOD_ONLY("the module places memory");
	nr = read_nodes(nodes, NR(nodes));
	if (nr < 2)
		SKIP("one memory node (scripts/vm --numa 2 has more)");
	order[0] = nodes[1];
	order[1] = nodes[0];
	order[2] = nodes[1];
	o.numa_policy = SHMCHAN_NUMA_INTERLEAVE;
	o.nr_nodes = NR(order);
	o.nodes = order;
	r = make(&o);
	nr = read_extents(r, 0, 32, e, NR(e));
	for (i = 0; i < nr; i++)
		for (at = 0; at < e[i].length; at += 2 * MIB)
			CHECK_EQ(e[i].node,
				 order[(e[i].offset + at) / (2 * MIB) % 3]);
	shmchan_region_close(r);
}

TEST(wrong_nodes)
{
	struct shmchan_region_opts o = huge_opts(2 * MIB, 0);
	uint32_t nodes[64], given[2];
	char list[16];

	KMOD_ONLY("the module places memory");
	read_nodes(nodes, NR(nodes));
	given[0] = nodes[0];
	given[1] = 77;
	o.numa_policy = SHMCHAN_NUMA_BIND;
	o.nr_nodes = 2;
	o.nodes = given;
	CHECK_EQ(refused(&o), -ENXIO);
	CHECK_SAYS(shmchan_error_detail(), "nodes[1] is 77");
	snprintf(list, sizeof(list), "are %u", nodes[0]);
	CHECK_SAYS(shmchan_error_detail(), list);
	given[1] = UINT32_MAX;
	CHECK_EQ(refused(&o), -ENXIO);
}

/* Nodes that are there, and not for this process. */
TEST(cpuset_forbids_a_node)
{
	struct shmchan_region_opts o = huge_opts(2 * MIB, 0);
	char group[] = "/sys/fs/cgroup/test.XXXXXX";
	uint32_t nodes[64], nr;
	char command[256];
	pid_t pid;
	int status;

	KMOD_ONLY("the module places memory");
	NEEDS_ROOT();
	nr = read_nodes(nodes, NR(nodes));
	if (nr < 2)
		SKIP("one memory node (scripts/vm --numa 2 has more)");
	if (!mkdtemp(group))
		SKIP("no cgroup can be made: %s", strerror(errno));
	snprintf(command, sizeof(command), "echo %u >%s/cpuset.mems", nodes[0],
		 group);
	if (system(command)) {
		rmdir(group);
		SKIP("no cpuset.mems in a cgroup");
	}
	o.numa_policy = SHMCHAN_NUMA_BIND;
	o.nr_nodes = 1;
	pid = child_fork();
	if (!pid) {
		snprintf(command, sizeof(command), "echo %d >%s/cgroup.procs",
			 (int)getpid(), group);
		CHECK_EQ(system(command), 0);
		o.nodes = &nodes[0];
		shmchan_region_close(make(&o));
		o.nodes = &nodes[1];
		CHECK_EQ(refused(&o), -ENXIO);
		CHECK_SAYS(shmchan_error_detail(), "cpuset");
		child_done();
	}
	status = child_wait(pid);
	rmdir(group);
	CHECK_EQ(status, 0);
}

TEST_MAIN
