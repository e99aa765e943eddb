// SPDX-License-Identifier: GPL-2.0-only

/* Whatever is wrong with a call is refused, with an error that tells what. */

#include "region_fixture.h"

static int create(const char *name, const struct shmchan_region_opts *opts)
{
	struct shmchan_region *r = (struct shmchan_region *)1;
	int err = shmchan_region_create(&r, name, opts);

	if (err) {
		CHECK(!r);
		return err;
	}
	shmchan_region_close(r);
	return 0;
}

/* One option set wrong gives this error, and this in its detail. */
#define REFUSED(assignment, error, says)				\
	do {								\
		struct shmchan_region_opts o = fix_opts();		\
		o.assignment;						\
		note("%s", #assignment);				\
		CHECK_EQ(create(NULL, &o), -(error));			\
		CHECK_SAYS(shmchan_error_detail(), says);		\
	} while (0)

TEST(bad_create_options)
{
	struct shmchan_region_opts good = fix_opts();

	CHECK_EQ(create(NULL, &good), 0);
	CHECK_EQ(create(NULL, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_REGION_OPTS");
	CHECK_EQ(shmchan_region_create(NULL, NULL, &good), -EINVAL);
	REFUSED(size = 0, EINVAL, "SHMCHAN_REGION_OPTS");
	REFUSED(size = 5000, EINVAL, "opts.size");
	REFUSED(backend = (enum shmchan_backend)7, EINVAL, "backend is 7");
	REFUSED(flags = SHMCHAN_CREATE_JOIN, EINVAL, "flags is 0x4");
	REFUSED(flags = 1U << 31, EINVAL, "flags is 0x80000000");
	REFUSED(mode = 0777, EINVAL, "mode is 0777");
	REFUSED(nr_slots = 0, EINVAL, "nr_slots is 0: should be 1 to 4096");
	REFUSED(nr_slots = 4097, EINVAL, "should be 1 to 4096");
	REFUSED(nr_doorbells = 4096, EINVAL, "nr_doorbells is 4096");
	REFUSED(doorbells = NULL, EINVAL, "doorbells is NULL");
	REFUSED(nr_windows = 4097, EINVAL, "nr_windows is 4097");
	REFUSED(windows = NULL, EINVAL, "windows is NULL");
	REFUSED(header = NULL, EINVAL, "header is NULL");
	REFUSED(header_len = 4097, EINVAL, "header_len is 4097");
	REFUSED(slot = FIX_SLOTS, EINVAL, "below nr_slots, 4");
	REFUSED(slot = SHMCHAN_SLOT_SHARED, EINVAL, "SHMCHAN_SLOT_ANY");
	REFUSED(data_size = 4097, EINVAL, "8192 would do");
	REFUSED(data_size = 1ULL << 60, ENOSPC, "no machine");
	REFUSED(control_size = 0, EINVAL, "4096 would do");
	REFUSED(control_size = 5000, EINVAL, "8192 would do");
	REFUSED(flags = 0, EINVAL, "multiple of 2 MiB");
}

/* What contradicts itself is refused alike by both backends. */
TEST(bad_placement_options)
{
	const uint32_t nodes[SHMCHAN_MAX_NODES + 1] = { 0 };
	const uint32_t contig = SHMCHAN_CREATE_CONTIG;
	struct shmchan_region_opts o;

	REFUSED(flags |= contig, EINVAL, "take one of the two");
	REFUSED(flags = contig, EINVAL, "multiple of 2 MiB");
	REFUSED(numa_policy = 4, EINVAL, "numa_policy is 4");
	REFUSED(nr_nodes = 1, EINVAL, "which policy are the nodes for?");
	REFUSED(nodes = nodes, EINVAL, "which policy are the nodes for?");
	REFUSED(numa_policy = SHMCHAN_NUMA_BIND, EINVAL, "should be 1 to 64");

	o = fix_opts();
	o.numa_policy = SHMCHAN_NUMA_PREFER;
	o.nr_nodes = 2;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "nr_nodes is 2, but nodes is NULL");
	o.nodes = nodes;
	o.nr_nodes = SHMCHAN_MAX_NODES + 1;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(),
		   "nr_nodes is 65: should be 1 to 64");

	o = fix_opts();
	o.flags = contig;
	o.data_size = 0;
	o.nr_windows = 0;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "data_size is 0");
	o.data_size = 2 << 20;
	o.numa_policy = SHMCHAN_NUMA_INTERLEAVE;
	o.nodes = nodes;
	o.nr_nodes = 1;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "one run lies on one node");
}

/* It must not look as if that had been done. */
TEST(local_places_nothing)
{
	struct shmchan_region_opts o = fix_opts();
	const uint32_t node = 0;

	LOCAL_ONLY("the module places memory");
	o.numa_policy = SHMCHAN_NUMA_BIND;
	o.nodes = &node;
	o.nr_nodes = 1;
	CHECK_EQ(create(NULL, &o), -EOPNOTSUPP);
	CHECK_SAYS(shmchan_error_detail(), "only the module places memory");
	o = fix_opts();
	o.flags = SHMCHAN_CREATE_CONTIG;
	o.data_size = 2 << 20;
	o.nr_windows = 0;
	CHECK_EQ(create(NULL, &o), -EOPNOTSUPP);
	CHECK_SAYS(shmchan_error_detail(), "only the module places memory");
}

TEST(bad_windows)
{
	const uint64_t control = FIX_CONTROL_AT;
	const struct {
		struct shmchan_window w[2];
		const char *says;
	} cases[] = {
		{ { { .offset = 1, .length = 4096 } }, "multiples of 4096" },
		{ { { .offset = 0, .length = 100 } }, "multiples of 4096" },
		{ { { .offset = 0, .length = 0 } }, "length not 0" },
		{ { { .offset = 0, .length = 4096, .slot = FIX_SLOTS } },
		  "slot below 4" },
		{ { { .offset = 0, .length = 4096, .slot = SHMCHAN_SLOT_ANY } },
		  "slot below 4" },
		{ { { .offset = 0, .length = 4096, .flags = 1 } }, "flags" },
		{ { { .offset = 0, .length = 2 * FIX_DATA } }, "data area" },
		{ { { .offset = FIX_DATA, .length = 4096 } }, "data area" },
		{ { { .offset = 0, .length = -4096ULL } }, "data area" },
		{ { { .offset = control, .length = 4096 } }, "header page" },
		{ { { .offset = control + FIX_CONTROL, .length = 4096 } },
		  "control area" },
		{ { { .offset = control + 4096, .length = FIX_CONTROL } },
		  "control area" },
		{ { { .offset = -4096ULL, .length = 8192 } }, "control area" },
		{ { { .offset = 0, .length = 8192 },
		    { .offset = 4096, .length = 4096 } }, "not overlap" },
		{ { { .offset = 4096, .length = 4096 },
		    { .offset = 0, .length = 4096 } }, "come by offset" },
	};
	struct shmchan_region_opts o = fix_opts();
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.windows = cases[i].w;
		o.nr_windows = cases[i].w[1].length ? 2 : 1;
		note("case %u: %s", i, cases[i].says);
		CHECK_EQ(create(NULL, &o), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), cases[i].says);
		CHECK_SAYS(shmchan_error_detail(), o.nr_windows == 2 ?
			   "windows[1]" : "windows[0]");
	}
}

TEST(data_windows_are_whole_huge_folios)
{
	struct shmchan_window w = { .offset = 4096, .length = 4096 };
	struct shmchan_region_opts o = SHMCHAN_REGION_OPTS(
		.data_size = 2 << 20, .control_size = 4096, .nr_slots = 1,
		.nr_windows = 1, .windows = &w);

	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "2097152");
}

TEST(bad_doorbells_and_slots)
{
	struct shmchan_doorbell bell = { .owner = FIX_SLOTS };
	struct shmchan_slot slots[FIX_SLOTS] = {};
	struct shmchan_region_opts o = fix_opts();

	o.nr_doorbells = 1;
	o.doorbells = &bell;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "doorbells[0].owner is 4");
	bell = (struct shmchan_doorbell){ .owner = 0, .flags = 1 };
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "doorbells[0].flags");

	o = fix_opts();
	o.slots = slots;
	slots[2].flags = 4;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "slots[2].flags");
	slots[2] = (struct shmchan_slot){ .uid = 5 };
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "slots[2].uid is 5 without");
	slots[2] = (struct shmchan_slot){
		.flags = SHMCHAN_SLOT_FLAG_UID, .uid = UINT32_MAX,
	};
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no user");
}

TEST(options_of_a_later_version)
{
	struct {
		struct shmchan_region_opts o;
		uint64_t later;
	} big = { .o = fix_opts() };

	big.o.size = sizeof(big);
	CHECK_EQ(create(NULL, &big.o), 0);
	big.later = 1;
	CHECK_EQ(create(NULL, &big.o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "a newer one is needed");
}

/* What an earlier version did not have is as if it were 0. */
TEST(options_of_an_earlier_version)
{
	struct shmchan_region_opts o = fix_opts();

	o.numa_policy = 77;
	o.nr_nodes = 77;
	o.size = offsetof(struct shmchan_region_opts, numa_policy);
	CHECK_EQ(create(NULL, &o), 0);
	o.size--;
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "begin with SHMCHAN_REGION_OPTS");
}

TEST(names)
{
	char longest[SHMCHAN_NAME_LEN + 1], c[] = "a?b";
	struct shmchan_region_opts o = fix_opts();
	struct shmchan_region *r;
	unsigned int i;

	/* Unnamed in both ways. */
	CHECK_EQ(create(NULL, &o), 0);
	CHECK_EQ(create("", &o), 0);
	for (i = 1; i < 256; i++) {
		c[1] = (char)i;
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
			   (int)i)) {
			CHECK_EQ(create(c, &o), 0);
			continue;
		}
		CHECK_EQ(create(c, &o), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "at 1 of the name");
		CHECK_EQ(shmchan_region_open(&r, c, NULL), -EINVAL);
	}
	memset(longest, 'n', sizeof(longest));
	longest[SHMCHAN_NAME_LEN] = 0;
	CHECK_EQ(create(longest, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "at most 63 bytes");
	longest[SHMCHAN_NAME_LEN - 1] = 0;
	CHECK_EQ(create(longest, &o), 0);
	/* Names of folders that are not. */
	CHECK_EQ(create(".", &o), 0);
	CHECK_EQ(create("..", &o), 0);
}

TEST(bad_open_options)
{
	struct shmchan_open_opts o = SHMCHAN_OPEN_OPTS();
	const char *name = test_name("open");
	struct shmchan_region *r = fix_create(name), *r2;

	CHECK_EQ(shmchan_region_open(NULL, name, NULL), -EINVAL);
	CHECK_EQ(shmchan_region_open(&r2, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_region_open(&r2, "", NULL), -EINVAL);
	o.size = 8;
	CHECK_EQ(shmchan_region_open(&r2, name, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_OPEN_OPTS");
	o = SHMCHAN_OPEN_OPTS(.rights = 1U << 20);
	CHECK_EQ(shmchan_region_open(&r2, name, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "rights");
	o = SHMCHAN_OPEN_OPTS(.rights = SHMCHAN_RIGHT_RING);
	CHECK_EQ(shmchan_region_open(&r2, name, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_RIGHT_MAP_READ");
	o = SHMCHAN_OPEN_OPTS(.slot = FIX_SLOTS);
	CHECK_EQ(shmchan_region_open(&r2, name, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no slot 4");
	o = SHMCHAN_OPEN_OPTS(.slot = SHMCHAN_SLOT_SHARED);
	CHECK_EQ(shmchan_region_open(&r2, name, &o), -EINVAL);
	o = SHMCHAN_OPEN_OPTS(.owner_uid = 7);
	CHECK_EQ(shmchan_region_open(&r2, name, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "has_owner_uid");
	CHECK_EQ(shmchan_region_open(&r2, test_name("nowhere"), NULL), -ENOENT);
	CHECK_SAYS(shmchan_error_detail(), "there is no");
	CHECK(!r2);
	/* None of that has taken a slot. */
	r2 = fix_open(test_name("open"), 1);
	CHECK_EQ(r2->generation, 1);
	shmchan_region_close(r2);
	shmchan_region_close(r);
	shmchan_region_close(NULL);
}

TEST(backend_from_environment)
{
	struct shmchan_region_opts o = fix_opts();
	enum shmchan_backend here = shmchan_backend_default();

	CHECK(here == SHMCHAN_BACKEND_KMOD || here == SHMCHAN_BACKEND_LOCAL);
	CHECK_STR(shmchan_backend_name(SHMCHAN_BACKEND_KMOD), "kmod");
	CHECK_STR(shmchan_backend_name(SHMCHAN_BACKEND_LOCAL), "local");
	setenv("SHMCHAN_BACKEND", "postal", 1);
	CHECK_EQ(create(NULL, &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "postal");
	/* The option has the last word. */
	o.backend = here;
	CHECK_EQ(create(NULL, &o), 0);
	setenv("SHMCHAN_BACKEND", "auto", 1);
	o.backend = SHMCHAN_BACKEND_AUTO;
	CHECK_EQ(create(NULL, &o), 0);
}

TEST(no_module_is_enodev)
{
	struct shmchan_region_opts o = fix_opts();
	struct shmchan_query_device q;

	if (!access("/dev/shmchan", F_OK))
		SKIP("/dev/shmchan is there");
	o.backend = SHMCHAN_BACKEND_KMOD;
	CHECK_EQ(create(NULL, &o), -ENODEV);
	CHECK_SAYS(shmchan_error_detail(), "modprobe shmchan");
	CHECK_EQ(shmchan_device_query(&q), -ENODEV);
	unsetenv("SHMCHAN_BACKEND");
	CHECK_EQ(shmchan_backend_default(), SHMCHAN_BACKEND_LOCAL);
}

TEST_MAIN
