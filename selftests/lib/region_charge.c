// SPDX-License-Identifier: GPL-2.0-only

/* Who pays for a region's memory is told; and what ends it, by which limit. */

#include "region_fixture.h"

#include <shmchan/stat.h>

#define MIB	(1ULL << 20)

/* What one user is listed with; called for each. */
struct sum {
	uint32_t uid;
	uint64_t bytes;
	uint32_t nr_regions;
	unsigned int nr_users;
	unsigned int stop_after;
};

static int add(const struct shmchan_user_entry *entry, void *arg)
{
	struct sum *s = arg;

	s->nr_users++;
	if (entry->uid == s->uid) {
		s->bytes += entry->bytes;
		s->nr_regions += entry->nr_regions;
	}
	return s->stop_after && s->nr_users >= s->stop_after ? 17 : 0;
}

static struct sum users(uint32_t uid)
{
	struct sum s = { .uid = uid };

	CHECK_EQ(shmchan_users_list(add, &s), 0);
	return s;
}

TEST(a_user_is_listed_with_what_it_holds)
{
	struct shmchan_query_device d;
	struct shmchan_query q = { 0 };
	struct shmchan_region *r;
	struct sum before, s;

	KMOD_ONLY("no limit is kept");
	before = users(geteuid());
	r = fix_create(NULL);
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.charged_uid, geteuid());
	CHECK_GE(q.charged_bytes, q.data_size + q.control_size + q.status_size);
	s = users(geteuid());
	CHECK_EQ(s.bytes, before.bytes + q.charged_bytes);
	CHECK_EQ(s.nr_regions, before.nr_regions + 1);
	CHECK_EQ(shmchan_device_query(&d), 0);
	CHECK_EQ(d.user_bytes, s.bytes);
	shmchan_region_close(r);
	s = users(geteuid());
	CHECK_EQ(s.bytes, before.bytes);
	CHECK_EQ(s.nr_regions, before.nr_regions);
}

TEST(the_list_of_users_ends_when_told)
{
	struct sum s = { .stop_after = 1 };
	struct shmchan_region *r = fix_create(NULL);

	CHECK_EQ(shmchan_users_list(NULL, NULL), -EINVAL);
	if (!on_kmod()) {
		if (!access("/dev/shmchan", F_OK))
			SKIP("local backend, and /dev/shmchan is there");
		CHECK_EQ(shmchan_users_list(add, &s), -ENODEV);
		CHECK_SAYS(shmchan_error_detail(), "modprobe shmchan");
	} else {
		CHECK_EQ(shmchan_users_list(add, &s), 17);
	}
	shmchan_region_close(r);
}

/* Root sees both; they see themselves, as nobody else's business. */
TEST(a_user_sees_itself_alone)
{
	struct shmchan_region *r;
	pid_t pid;

	KMOD_ONLY("no limit is kept");
	NEEDS_ROOT();
	r = fix_create(NULL);
	pid = child_fork();
	if (!pid) {
		struct shmchan_region *own;
		struct sum s;

		become(FIX_UID_A);
		s = users(FIX_UID_A);
		CHECK_EQ(s.nr_users, s.nr_regions ? 1 : 0);
		own = fix_create(NULL);
		s = users(FIX_UID_A);
		CHECK_EQ(s.nr_users, 1);
		CHECK_GE(s.nr_regions, 1);
		CHECK_EQ(users(0).nr_regions, 0);
		shmchan_region_close(own);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_GE(users(0).nr_regions, 1);
	shmchan_region_close(r);
}

static struct shmchan_region_opts small_opts(uint64_t size)
{
	return SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL, .data_size = size,
		.control_size = 4096, .nr_slots = 1);
}

static int refused(uint64_t size)
{
	struct shmchan_region_opts o = small_opts(size);
	struct shmchan_region *r;
	int err = shmchan_region_create(&r, NULL, &o);

	CHECK(!r);
	CHECK_LT(err, 0);
	note("%s", shmchan_error_detail());
	return err;
}

/* At once, and without having taken what there is. */
TEST(larger_than_memory)
{
	uint64_t size = (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096 * 2;
	uint64_t began = now_ns();
	int err;

	if (on_kmod())
		NEEDS_ROOT();
	err = refused(size);
	CHECK(err == -ENOSPC || err == -ENOMEM);
	CHECK_SAYS(shmchan_error_detail(), "MiB");
	if (on_kmod())
		CHECK_SAYS(shmchan_error_detail(), "total_mb");
	CHECK_LT((now_ns() - began) / 1000000, 2000);
}

TEST(over_the_limit_of_a_user)
{
	struct shmchan_query_device d;

	KMOD_ONLY("no limit is kept");
	NEEDS_ROOT();
	become(FIX_UID_A);
	CHECK_EQ(shmchan_device_query(&d), 0);
	CHECK_NE(d.user_limit, ~0ULL);
	CHECK_EQ(refused(d.user_limit), -EDQUOT);
	CHECK_SAYS(shmchan_error_detail(), "user_mb");
	CHECK_SAYS(shmchan_error_detail(), "CAP_IPC_LOCK");
}

/* A memory cgroup with this limit, or none: then the test cannot run. */
static char *limited_cgroup(const char *max)
{
	static char group[] = "/sys/fs/cgroup/test.XXXXXX";
	char command[256];

	NEEDS_ROOT();
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK))
		SKIP("cgroups of the first version");
	if (!mkdtemp(group))
		SKIP("no cgroup can be made: %s", strerror(errno));
	snprintf(command, sizeof(command),
		 "test -e %s/memory.max && echo %s >%s/memory.max", group, max,
		 group);
	if (system(command)) {
		rmdir(group);
		SKIP("no memory.max in a cgroup");
	}
	return group;
}

static void enter(const char *group)
{
	char command[256];

	snprintf(command, sizeof(command), "echo %d >%s/cgroup.procs",
		 (int)getpid(), group);
	CHECK_EQ(system(command), 0);
}

/* Neither backend lets it come to an OOM kill. */
TEST(larger_than_the_memory_cgroup)
{
	const char *group = limited_cgroup("16M");
	struct shmchan_cgroup_limit limit;
	int status;
	pid_t pid;

	pid = child_fork();
	if (!pid) {
		enter(group);
		CHECK_EQ(shmchan_cgroup_limit(&limit), 0);
		CHECK_EQ(limit.max, 16 * MIB);
		CHECK_STR(limit.path, strrchr(group, '/'));
		CHECK_LE(limit.left, 16 * MIB);
		CHECK_GT(limit.left, 4 * MIB);
		CHECK_EQ(refused(32 * MIB), -ENOMEM);
		CHECK_SAYS(shmchan_error_detail(), strrchr(group, '/'));
		CHECK_SAYS(shmchan_error_detail(), "memory.max");
		child_done();
	}
	status = child_wait(pid);
	rmdir(group);
	CHECK_EQ(status, 0);
}

/* The cgroup is told by its path, to those who can see it. */
TEST(the_cgroup_that_pays)
{
	const char *group = limited_cgroup("64M");
	struct shmchan_region_info *info;
	const char *name = test_name("pays");
	struct shmchan_region_opts o = small_opts(MIB);
	struct shmchan_region *r;
	int status;
	pid_t pid;

	if (!on_kmod()) {
		rmdir(group);
		SKIP("local backend: a tmpfs does not tell");
	}
	pid = child_fork();
	if (!pid) {
		enter(group);
		CHECK_EQ(shmchan_region_create(&r, name, &o), 0);
		CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, name),
			 0);
		CHECK(info->cgroup);
		CHECK_STR(info->cgroup, strrchr(group, '/'));
		CHECK(info->query.cgroup);
		CHECK_EQ(info->query.charged_uid, 0);
		shmchan_region_info_free(info);
		shmchan_region_close(r);
		child_done();
	}
	status = child_wait(pid);
	rmdir(group);
	CHECK_EQ(status, 0);
}

TEST(cgroup_limit_needs_room)
{
	CHECK_EQ(shmchan_cgroup_limit(NULL), -EINVAL);
}

TEST_MAIN
