// SPDX-License-Identifier: GPL-2.0-only

/* Capabilities: less of one, and what a member by it can do and see. */

#include <fcntl.h>
#include <setjmp.h>

#include "access_fixture.h"
#include "region_fixture.h"

static int open_all(const char *name)
{
	return open_capability(name, SHMCHAN_RIGHT_ALL);
}

static int mint(int from, uint32_t rights)
{
	struct shmchan_mint_opts opts = SHMCHAN_MINT_OPTS(.rights = rights);
	int fd = shmchan_capability_mint(from, &opts);

	CHECK_GE(fd, 0);
	return fd;
}

static struct shmchan_region *adopt(int capability)
{
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_adopt(&r, capability, NULL), 0);
	return r;
}

/* Is there memory at an address, and can it be written? */
static sigjmp_buf fault;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(fault, 1);
}

static int touch(const struct shmchan_region *r, uint64_t offset, int write)
{
	volatile uint8_t *p = (volatile uint8_t *)shmchan_region_at(r, offset);
	struct sigaction action = { .sa_handler = on_fault };

	CHECK(!sigaction(SIGSEGV, &action, NULL));
	CHECK(!sigaction(SIGBUS, &action, NULL));
	if (sigsetjmp(fault, 1))
		return 0;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 1;
}

#define CHECK_READS(r, offset, yes)	CHECK_EQ(touch((r), (offset), 0), (yes))
#define CHECK_WRITES(r, offset, yes)	CHECK_EQ(touch((r), (offset), 1), (yes))

TEST(local_backend_has_none)
{
	struct shmchan_capability_opts opts = SHMCHAN_CAPABILITY_OPTS(
		.backend = SHMCHAN_BACKEND_LOCAL);
	struct shmchan_region_opts ropts = fix_opts();
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(.rights = 1);
	struct shmchan_region *r, *other;
	struct shmchan_query q = { .size = 0 };

	ropts.backend = SHMCHAN_BACKEND_LOCAL;
	CHECK_EQ(shmchan_region_create(&r, test_name("local"), &ropts), 0);
	CHECK_EQ(shmchan_capability_open(test_name("local"), &opts), -ENOTSUP);
	CHECK_SAYS(shmchan_error_detail(), "load the module");
	CHECK_EQ(shmchan_capability_mint(shmchan_region_fd(r), &less),
		 -ENOTSUP);
	CHECK_SAYS(shmchan_error_detail(), "local backend");
	CHECK_EQ(shmchan_region_adopt(&other, shmchan_region_fd(r), NULL),
		 -ENOTSUP);
	CHECK_EQ(shmchan_capability_seal(shmchan_region_fd(r),
					 SHMCHAN_SEAL_MEMBERS), -ENOTSUP);
	CHECK_EQ(shmchan_capability_revoke_slot(shmchan_region_fd(r), 0, 0,
						NULL), -ENOTSUP);
	CHECK_EQ(shmchan_capability_query(shmchan_region_fd(r), &q), -ENOTSUP);
	shmchan_region_close(r);
}

TEST(what_is_no_capability)
{
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(.rights = 1);
	struct shmchan_region *r;
	struct shmchan_query q = { .size = 0 };
	int fds[2];

	CHECK_EQ(shmchan_capability_query(-1, &q), -EBADF);
	CHECK_SAYS(shmchan_error_detail(), "should be a file");
	CHECK_EQ(shmchan_capability_mint(999, &less), -EBADF);
	CHECK_SAYS(shmchan_error_detail(), "999");
	CHECK(!pipe(fds));
	CHECK_EQ(shmchan_capability_query(fds[0], &q), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "no capability of shmchan");
	CHECK_EQ(shmchan_region_adopt(&r, fds[0], NULL), -EPROTO);
	CHECK(!r);
	CHECK_EQ(shmchan_capability_publish(fds[0], "x", NULL), -EPROTO);
}

TEST(opened_and_adopted)
{
	struct shmchan_capability_opts none = SHMCHAN_CAPABILITY_OPTS(
		.rights = 1U << 9);
	const char *name = test_name("adopt");
	struct shmchan_region *r, *other, *again;
	struct shmchan_query q = { .size = 0 };
	int fd;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = shmchan_capability_open(name, NULL);
	CHECK_GE(fd, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(shmchan_capability_query(fd, &q), 0);
	CHECK_EQ(q.slot, SHMCHAN_SLOT_NONE);
	CHECK_EQ(q.rights, RIGHTS_MEMBER);
	CHECK_EQ(q.join_slot, SHMCHAN_SLOT_ANY);
	CHECK_STR(q.name, name);
	other = adopt(fd);
	CHECK_EQ(other->slot, 1);
	CHECK_EQ(other->generation, 1);
	CHECK_EQ(other->nr_slots, FIX_SLOTS);
	CHECK_STR(other->name, name);
	CHECK_EQ(shmchan_region_fd(other), fd);
	shmchan_store_seq_cst(fix_word(other, 0), 77);
	CHECK_EQ(shmchan_load_seq_cst(fix_word(r, 0)), 77);
	/* Good for one member. */
	CHECK_EQ(shmchan_region_adopt(&again, fd, NULL), -EISCONN);
	CHECK_SAYS(shmchan_error_detail(), "mint another");
	shmchan_region_close(other);
	/* The file was the region's. */
	CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);

	CHECK_EQ(shmchan_capability_open("no.such.name", NULL), -ENOENT);
	CHECK_EQ(shmchan_capability_open("a/b", NULL), -EINVAL);
	CHECK_EQ(shmchan_capability_open(name, &none), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "read write ring wait admin publish");
	shmchan_region_close(r);
}

TEST(adopting_by_slot)
{
	struct shmchan_adopt_opts two = SHMCHAN_ADOPT_OPTS(.slot = 2);
	struct shmchan_adopt_opts zero = SHMCHAN_ADOPT_OPTS(.slot = 0);
	struct shmchan_adopt_opts far = SHMCHAN_ADOPT_OPTS(.slot = 77);
	struct shmchan_adopt_opts flags = SHMCHAN_ADOPT_OPTS(.join_flags = 9);
	struct shmchan_mint_opts for_two = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_MEMBER, .slot = 2);
	const char *name = test_name("slots");
	struct shmchan_region *r, *other;
	struct shmchan_query q = { .size = 0 };
	int all, fd;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	all = open_all(name);
	fd = mint(all, RIGHTS_MEMBER);
	CHECK_EQ(shmchan_region_adopt(&other, fd, &zero), -EBUSY);
	CHECK_EQ(shmchan_region_adopt(&other, fd, &far), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "has no slot 77: it has 0 to 3");
	CHECK_EQ(shmchan_region_adopt(&other, fd, &flags), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_JOIN_SIGBUS");
	/* After all that it is still ours, and good. */
	CHECK_EQ(shmchan_region_adopt(&other, fd, &two), 0);
	CHECK_EQ(other->slot, 2);
	shmchan_region_close(other);

	fd = shmchan_capability_mint(all, &for_two);
	CHECK_GE(fd, 0);
	CHECK_EQ(shmchan_capability_query(fd, &q), 0);
	CHECK_EQ(q.join_slot, 2);
	CHECK_EQ(shmchan_region_adopt(&other, fd, &zero), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "for slot 2");
	other = adopt(fd);
	CHECK_EQ(other->slot, 2);
	CHECK_EQ(other->generation, 2);
	shmchan_region_close(other);
	close(all);
	shmchan_region_close(r);
}

TEST(read_only)
{
	const char *name = test_name("ro");
	struct shmchan_region *r, *ro;
	struct shmchan_wait_elem e;
	int all, fd;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	all = open_all(name);
	fd = mint(all, RIGHTS_READ);
	ro = adopt(fd);
	CHECK_EQ(ro->rights, RIGHTS_READ);
	CHECK_READS(ro, 0, 1);
	CHECK_READS(ro, FIX_SHARED, 1);
	CHECK_WRITES(ro, 4096ULL * 3, 0);
	CHECK_WRITES(ro, FIX_SHARED, 0);
	CHECK_WRITES(ro, FIX_PAGE(1), 0);
	CHECK_EQ(shmchan_bell_ring(ro, FIX_BELL_SHARED, 0), -EACCES);
	/* It waits, and is woken. */
	e = fix_elem(FIX_BELL_SHARED, 0, 0);
	CHECK_EQ(shmchan_bell_wait(ro, &e, 1, shmchan_deadline(1000000), NULL),
		 -ETIMEDOUT);
	shmchan_store_seq_cst(fix_word(r, 0), 5);
	CHECK_EQ(shmchan_bell_wait(ro, &e, 1, SHMCHAN_FOREVER, NULL), 0);
	/* Without PUBLISH it makes no other. */
	CHECK_EQ(shmchan_capability_mint(shmchan_region_fd(ro), NULL), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "MINT takes the right publish");
	CHECK_SAYS(shmchan_error_detail(), "has read wait");
	shmchan_region_close(ro);

	/* Not even to look: that is no member. */
	fd = mint(all, SHMCHAN_RIGHT_RING);
	CHECK_EQ(shmchan_region_adopt(&ro, fd, NULL), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "needs the right read");
	close(fd);
	close(all);
	shmchan_region_close(r);
}

/* A member mints too: by the capability that it has joined with. */
TEST(a_member_mints)
{
	const char *name = test_name("member");
	struct shmchan_region *r, *other;
	int fd;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = mint(shmchan_region_fd(r), RIGHTS_MEMBER);
	other = adopt(fd);
	CHECK_EQ(other->slot, 1);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

static int mint_ranges(int from, const struct shmchan_range *data,
		       const struct shmchan_range *control)
{
	struct shmchan_mint_opts opts = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_MEMBER | SHMCHAN_RIGHT_PUBLISH);

	opts.data = data;
	opts.control = control;
	return shmchan_capability_mint(from, &opts);
}

TEST(parts_of_the_memory)
{
	struct shmchan_range data = { 4096, 8192 }, none = { 0, 0 };
	struct shmchan_range control = { FIX_PAGE(1), 2 * 4096 };
	const char *name = test_name("parts");
	struct shmchan_region *r, *part;
	struct shmchan_wait_elem e;
	struct shmchan_query q = { .size = 0 };
	int all, fd;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	all = open_all(name);
	fd = mint_ranges(all, &data, &control);
	CHECK_GE(fd, 0);
	part = adopt(fd);
	CHECK_EQ(part->slot, 1);
	CHECK_EQ(shmchan_region_query(part, &q), 0);
	CHECK_EQ(q.data.offset, 4096);
	CHECK_EQ(q.data.length, 8192);
	CHECK_EQ(q.control.offset, FIX_PAGE(1));
	/* Of the data the pages 1 (slot 1's window) and 2. */
	CHECK_READS(part, 0, 0);
	CHECK_WRITES(part, 4096, 1);
	CHECK_READS(part, 8192, 1);
	CHECK_WRITES(part, 8192, 0);
	CHECK_READS(part, 3 * 4096, 0);
	/* Of control the header page, and the pages of slots 1 and 2. */
	CHECK(!memcmp(shmchan_region_at(part, FIX_CONTROL_AT), fix_header,
		      sizeof(fix_header)));
	CHECK_READS(part, FIX_PAGE(0), 0);
	CHECK_WRITES(part, FIX_PAGE(1), 1);
	CHECK_READS(part, FIX_PAGE(2), 1);
	CHECK_WRITES(part, FIX_PAGE(2), 0);
	CHECK_READS(part, FIX_SHARED, 0);
	CHECK_EQ(shmchan_region_check(part), 0);
	/* What it cannot see it cannot wait for, nor pass on. */
	e = fix_elem(FIX_BELL_SHARED, 0, 0);
	CHECK_EQ(shmchan_bell_wait(part, &e, 1, 0, NULL), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "beyond what our capability reaches");
	CHECK_EQ(shmchan_region_export(part, 0, 4096, 0), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "beyond what our capability reaches");
	shmchan_region_close(part);

	fd = mint_ranges(all, &none, &none);
	CHECK_GE(fd, 0);
	part = adopt(fd);
	CHECK_READS(part, 0, 0);
	CHECK_READS(part, 3 * 4096, 0);
	CHECK_READS(part, FIX_CONTROL_AT, 1);
	CHECK_READS(part, FIX_PAGE(1), 0);
	CHECK_READS(part, part->status_offset, 1);
	shmchan_region_close(part);

	/* One of the two: the other as it was. */
	fd = mint_ranges(all, &none, NULL);
	part = adopt(fd);
	CHECK_READS(part, 0, 0);
	CHECK_WRITES(part, FIX_SHARED, 1);
	shmchan_region_close(part);
	close(all);
	shmchan_region_close(r);
}

/* A window of 2 MiB pages, cut where it is not whole. */
TEST(parts_of_huge_pages)
{
	struct shmchan_window window = { .length = 4 << 20, .slot = 1 };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.data_size = 4 << 20, .control_size = 4096, .nr_slots = 2,
		.nr_windows = 1, .windows = &window);
	struct shmchan_range data = { (1 << 20) + 4096, 2 << 20 };
	struct shmchan_region *r, *part;
	int fd;

	KMOD_ONLY("no capabilities");
	CHECK_EQ(shmchan_region_create(&r, NULL, &opts), 0);
	fd = mint_ranges(shmchan_region_fd(r), &data, NULL);
	CHECK_GE(fd, 0);
	part = adopt(fd);
	CHECK_EQ(part->name[0], 0);
	CHECK_READS(part, 1 << 20, 0);
	CHECK_WRITES(part, (1 << 20) + 4096, 1);
	CHECK_WRITES(part, (3 << 20) + 4095, 1);
	CHECK_READS(part, (3 << 20) + 4096, 0);
	CHECK_EQ(*(uint8_t *)shmchan_region_at(r, (1 << 20) + 4096), 1);
	CHECK_EQ(*(uint8_t *)shmchan_region_at(r, (3 << 20) + 4095), 1);
	shmchan_region_close(part);
	shmchan_region_close(r);
}

/* The next one is made, and refused, from what this one has. */
#define CHECK_REFUSED(ret, err, says)					\
	do {								\
		CHECK_EQ((ret), -(err));				\
		CHECK_SAYS(shmchan_error_detail(), (says));		\
	} while (0)

static int mint_opts(int from, uint32_t rights, uint32_t slot)
{
	struct shmchan_mint_opts opts = SHMCHAN_MINT_OPTS(.rights = rights);

	opts.slot = slot;
	return shmchan_capability_mint(from, &opts);
}

TEST(bad_input)
{
	struct shmchan_range odd = { 100, 4096 }, beyond = { 4096, FIX_DATA };
	struct shmchan_range placed = { 4096, 0 }, in_data = { 0, 4096 };
	struct shmchan_range first = { 0, 4096 }, second = { 4096, 4096 };
	struct shmchan_mint_opts short_opts = { .size = 4 };
	const char *name = test_name("bad");
	struct shmchan_region *r;
	int all, part, i, next;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	all = open_all(name);
	CHECK_REFUSED(shmchan_capability_mint(all, NULL), EINVAL, "SHMCHAN_MINT_OPTS");
	CHECK_REFUSED(shmchan_capability_mint(all, &short_opts), EINVAL,
		      "SHMCHAN_MINT_OPTS");
	CHECK_REFUSED(mint_opts(all, 0, SHMCHAN_SLOT_ANY), EINVAL,
		      "rights is 0: at least one");
	CHECK_REFUSED(mint_opts(all, 1 << 6, SHMCHAN_SLOT_ANY), EINVAL,
		      "rights is 0x40");
	CHECK_REFUSED(mint_opts(all, 1, FIX_SLOTS), EINVAL,
		      "slot is 4: should be below 4");
	CHECK_REFUSED(mint_ranges(all, &odd, NULL), EINVAL,
		      "multiples of 4 KiB; 8192 at 0 would do");
	CHECK_REFUSED(mint_ranges(all, &beyond, NULL), EINVAL,
		      "data is 16384 bytes at 0x1000, not within that area");
	CHECK_REFUSED(mint_ranges(all, &placed, NULL), EINVAL, "{0, 0}");
	CHECK_REFUSED(mint_ranges(all, NULL, &in_data), EINVAL,
		      "control is 4096 bytes at 0, not within that area");
	part = mint_ranges(all, &first, NULL);
	CHECK_GE(part, 0);
	CHECK_REFUSED(mint_ranges(part, &second, NULL), EACCES,
		      "beyond what this capability reaches: should be within 4096 bytes at 0");
	CHECK_REFUSED(mint_opts(part, SHMCHAN_RIGHT_ADMIN, SHMCHAN_SLOT_ANY),
		      EACCES, "rights has admin, which this capability has not");
	close(part);
	part = mint_opts(all, SHMCHAN_RIGHT_ALL, 3);
	CHECK_GE(part, 0);
	CHECK_REFUSED(mint_opts(part, 1, 2), EACCES, "is for slot 3");
	close(part);
	/* One from the other, and so on. */
	part = all;
	for (i = 0; i < 2 * SHMCHAN_MAX_DEPTH; i++) {
		next = mint_opts(part, SHMCHAN_RIGHT_ALL, SHMCHAN_SLOT_ANY);
		if (part != all)
			close(part);
		part = next;
		if (next < 0)
			break;
	}
	CHECK_REFUSED(next, EMLINK, "mint from an earlier one");
	CHECK_GE(i, SHMCHAN_MAX_DEPTH - 1);
	close(all);
	shmchan_region_close(r);
}

TEST(narrowing)
{
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_READ, .slot = 3);
	struct shmchan_mint_opts more = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_MEMBER);
	const char *name = test_name("narrow");
	struct shmchan_region *r, *ro;
	struct shmchan_query q = { .size = 0 };
	int fd;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	/* Without PUBLISH: it becomes no two. */
	fd = open_capability(name, RIGHTS_MEMBER);
	CHECK_EQ(shmchan_capability_narrow(fd, &less), 0);
	CHECK_EQ(shmchan_capability_query(fd, &q), 0);
	CHECK_EQ(q.rights, RIGHTS_READ);
	CHECK_EQ(q.join_slot, 3);
	CHECK_REFUSED(shmchan_capability_narrow(fd, &more), EACCES,
		      "rights only get less");
	ro = adopt(fd);
	CHECK_EQ(ro->slot, 3);
	CHECK_WRITES(ro, FIX_PAGE(3), 0);
	CHECK_REFUSED(shmchan_capability_narrow(fd, &less), EISCONN,
		      "narrow before joining");
	shmchan_region_close(ro);
	shmchan_region_close(r);
}

/* One that has joined is of no use to another process, and says so. */
TEST(bound_to_its_process)
{
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(.rights = 1);
	const char *name = test_name("bound");
	struct shmchan_region *r, *other;
	int fd, copy;
	pid_t pid;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = open_all(name);
	CHECK_EQ(shmchan_region_adopt(&other, fd, NULL), 0);
	/* What a fork handler closes is the region's own file. */
	copy = dup(fd);
	CHECK_GE(copy, 0);
	pid = child_fork();
	if (!pid) {
		CHECK_REFUSED(shmchan_capability_mint(copy, &less), EPERM,
			      "as another process");
		CHECK_REFUSED(shmchan_capability_seal(copy,
				SHMCHAN_SEAL_MEMBERS), EPERM,
			      "as another process");
		CHECK_REFUSED(shmchan_capability_publish(copy, "x", NULL),
			      EPERM, "mint one for this one");
		CHECK_REFUSED(shmchan_capability_revoke_slot(copy, 0, 0, NULL),
			      EPERM, "as another process");
		CHECK_REFUSED(shmchan_region_adopt(&r, copy, NULL), EISCONN,
			      "mint another");
		child_done();
	}
	CHECK_CHILD_OK(pid);
	close(copy);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

TEST_MAIN
