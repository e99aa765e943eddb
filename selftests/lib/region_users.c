// SPDX-License-Identifier: GPL-2.0-only

/* Regions between users: permissions, expected owners, reserved slots. */

#include "region_fixture.h"

/* Helpers tell what they got by their exit status: an errno, or 0. */
static int as_user(uint32_t uid, const char *name,
		   const struct shmchan_open_opts *opts, const char *says)
{
	struct shmchan_region *r;
	pid_t pid = child_fork();
	int status;

	if (!pid) {
		int err;

		become(uid);
		err = shmchan_region_open(&r, name, opts);
		if (err && !strstr(shmchan_error_detail(), says))
			FAIL("\"%s\" does not say \"%s\"",
			     shmchan_error_detail(), says);
		shmchan_region_close(r);
		_exit(-err);
	}
	status = child_wait(pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A region of a user, held by a helper for as long as the test runs. */
static void user_region(uint32_t uid, const char *name, uint32_t mode)
{
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	struct shmchan_region_opts opts = fix_opts();

	opts.mode = mode;
	if (!child_fork()) {
		struct shmchan_region *r;

		become(uid);
		umask(0);
		CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
		shmchan_store_seq_cst(ready, 1);
		for (;;)
			pause();
	}
	while (!shmchan_load_seq_cst(ready))
		sleep_ms(1);
}

TEST(mode_decides)
{
	struct shmchan_open_opts any = SHMCHAN_OPEN_OPTS(.any_owner = 1);
	const char *name = test_name("mode");

	NEEDS_ROOT();
	user_region(FIX_UID_A, name, 0600);
	CHECK_EQ(as_user(FIX_UID_B, name, &any, "mode"), EACCES);
	CHECK_EQ(as_user(FIX_UID_A, name, &any, ""), 0);
	/* Root is not asked. */
	CHECK_EQ(as_user(0, name, &any, ""), 0);
}

TEST(mode_for_all)
{
	struct shmchan_open_opts any = SHMCHAN_OPEN_OPTS(.any_owner = 1);
	const char *name = test_name("all");

	NEEDS_ROOT();
	user_region(FIX_UID_A, name, 0666);
	CHECK_EQ(as_user(FIX_UID_B, name, &any, ""), 0);
}

TEST(reading_only)
{
	struct shmchan_open_opts any = SHMCHAN_OPEN_OPTS(.any_owner = 1);
	const char *name = test_name("ro");

	NEEDS_ROOT();
	KMOD_ONLY("a member needs write permission of the file");
	user_region(FIX_UID_A, name, 0644);
	CHECK_EQ(as_user(FIX_UID_B, name, &any, "rights"), EACCES);
	any.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT;
	CHECK_EQ(as_user(FIX_UID_B, name, &any, ""), 0);
}

TEST(umask_applies)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_query q = { .size = 0 };
	struct shmchan_region *r;

	umask(027);
	opts.mode = 0666;
	CHECK_EQ(shmchan_region_create(&r, NULL, &opts), 0);
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.mode, 0640);
	shmchan_region_close(r);
}

TEST(somebody_elses_name_is_refused)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS();
	const char *name = test_name("squat");

	NEEDS_ROOT();
	user_region(FIX_UID_A, name, 0666);
	/* A squatter's region would be opened gladly, were it not for this. */
	CHECK_EQ(as_user(FIX_UID_B, name, NULL, "any_owner"), EPERM);
	CHECK_EQ(as_user(FIX_UID_A, name, NULL, ""), 0);
	CHECK_EQ(as_user(0, name, NULL, "any_owner"), EPERM);
	opts.has_owner_uid = 1;
	opts.owner_uid = FIX_UID_B;
	CHECK_EQ(as_user(0, name, &opts, "owner"), EPERM);
	opts.owner_uid = FIX_UID_A;
	CHECK_EQ(as_user(0, name, &opts, ""), 0);
	CHECK_EQ(as_user(FIX_UID_B, name, &opts, ""), 0);
}

TEST(roots_name_is_trusted)
{
	const char *name = test_name("root");

	NEEDS_ROOT();
	user_region(0, name, 0666);
	CHECK_EQ(as_user(FIX_UID_A, name, NULL, ""), 0);
}

TEST(name_of_another_cannot_be_taken)
{
	struct shmchan_region_opts opts = fix_opts();
	const char *name = test_name("other");
	struct shmchan_region *r;
	pid_t pid;

	NEEDS_ROOT();
	user_region(FIX_UID_A, name, 0600);
	pid = child_fork();
	if (!pid) {
		become(FIX_UID_B);
		CHECK_EQ(shmchan_region_create(&r, name, &opts), -EEXIST);
		child_done();
	}
	CHECK_CHILD_OK(pid);
}

TEST(slots_reserved_for_a_user)
{
	struct shmchan_open_opts one = SHMCHAN_OPEN_OPTS(.slot = 1);
	struct shmchan_open_opts two = SHMCHAN_OPEN_OPTS(.slot = 2);
	struct shmchan_slot slots[FIX_SLOTS] = {
		[1] = { .flags = SHMCHAN_SLOT_FLAG_UID, .uid = FIX_UID_A },
		[2] = { .flags = SHMCHAN_SLOT_FLAG_SAME_UID },
		[3] = { .flags = SHMCHAN_SLOT_FLAG_UID, .uid = FIX_UID_A },
	};
	struct shmchan_region_opts opts = fix_opts();
	const char *name = test_name("reserved");
	struct shmchan_region *r;

	NEEDS_ROOT();
	umask(0);
	opts.slots = slots;
	opts.mode = 0666;
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	CHECK_EQ(as_user(FIX_UID_B, name, &one, ""), EACCES);
	CHECK_EQ(as_user(FIX_UID_A, name, &one, ""), 0);
	/* Of the first that held it from then on. */
	CHECK_EQ(as_user(FIX_UID_B, name, &two, ""), 0);
	CHECK_EQ(as_user(FIX_UID_A, name, &two, ""), EACCES);
	CHECK_EQ(as_user(FIX_UID_B, name, &two, ""), 0);
	/* Any: the free one that is not reserved, or the news that there is. */
	CHECK_EQ(as_user(FIX_UID_B, name, NULL, ""), 0);
	CHECK_EQ(as_user(1002, name, NULL, ""), EACCES);
	shmchan_region_close(r);
}

TEST(limit_of_a_user_is_told)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_query_device q;
	struct shmchan_region *r;
	char says[80];
	pid_t pid;

	KMOD_ONLY("no limits but the folder's size");
	NEEDS_ROOT();
	pid = child_fork();
	if (!pid) {
		become(FIX_UID_A);
		CHECK_EQ(shmchan_device_query(&q), 0);
		CHECK_LE(q.user_limit, 1ULL << 40);
		opts.data_size = q.user_limit;
		CHECK_EQ(shmchan_region_create(&r, NULL, &opts), -EDQUOT);
		snprintf(says, sizeof(says), "your limit is %llu MiB",
			 (unsigned long long)q.user_limit >> 20);
		CHECK_SAYS(shmchan_error_detail(), says);
		CHECK_SAYS(shmchan_error_detail(), "user_mb");
		child_done();
	}
	CHECK_CHILD_OK(pid);
}

TEST_MAIN
