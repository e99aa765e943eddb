// SPDX-License-Identifier: GPL-2.0-only

/* Regions, bells, capabilities and sets: NULL where something has to be, in words. */

#include <shmchan/shmchan.h>

#include "harness.h"

static struct shmchan_region *r;

static void forget(void)
{
	shmchan_set_close(NULL);
	CHECK_EQ(shmchan_sync_open(NULL, "x", NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "sync: nowhere to put it");
}

#define REFUSED(err, call, says) \
	do { \
		forget(); \
		CHECK_EQ((call), -(err)); \
		CHECK_SAYS(shmchan_error_detail(), (says)); \
	} while (0)

#define NOTHING(call)	REFUSED(EINVAL, call, "NULL")

static void open_one(const char *name)
{
	const struct shmchan_doorbell bell = { SHMCHAN_SLOT_SHARED, 0 };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.nr_slots = 2, .nr_doorbells = 1, .doorbells = &bell,
		.control_size = 4096);

	CHECK_EQ(shmchan_region_create(&r, test_name(name), &opts), 0);
}

TEST(regions)
{
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS();
	struct shmchan_region_info *info;
	struct shmchan_member_info member;
	struct shmchan_extent extent;
	struct shmchan_query query;
	uint64_t start = 0;

	NOTHING(shmchan_region_create(NULL, "a", &opts));
	NOTHING(shmchan_region_create(&r, "a", NULL));
	NOTHING(shmchan_region_open(NULL, "a", NULL));
	NOTHING(shmchan_region_open(&r, NULL, NULL));
	NOTHING(shmchan_region_adopt(NULL, 0, NULL));
	NOTHING(shmchan_region_fd(NULL));
	NOTHING(shmchan_region_member(NULL, 0, &member));
	NOTHING(shmchan_region_query(NULL, &query));
	NOTHING(shmchan_region_extents(NULL, 0, &start, &extent, 1));
	NOTHING(shmchan_region_export(NULL, 0, 4096, 0));
	NOTHING(shmchan_region_poll_members(NULL));
	NOTHING(shmchan_region_list(SHMCHAN_BACKEND_AUTO, NULL, NULL));
	NOTHING(shmchan_users_list(NULL, NULL));
	NOTHING(shmchan_device_query(NULL));
	NOTHING(shmchan_local_stale(NULL, NULL));
	NOTHING(shmchan_cgroup_limit(NULL));
	NOTHING(shmchan_region_stat(NULL, SHMCHAN_BACKEND_AUTO, "a"));
	NOTHING(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, NULL));
	shmchan_region_info_free(NULL);
	shmchan_region_close(NULL);
	open_one("r");
	NOTHING(shmchan_region_member(r, 0, NULL));
	REFUSED(EINVAL, shmchan_region_member(r, 2, &member), "slot is 2");
	NOTHING(shmchan_region_query(r, NULL));
	if (on_kmod()) {
		NOTHING(shmchan_region_extents(r, 0, NULL, &extent, 1));
		NOTHING(shmchan_region_extents(r, 0, &start, NULL, 1));
	}
	shmchan_region_close(r);
}

TEST(bells)
{
	struct shmchan_wait_elem elem = shmchan_elem64(1, 0, 0);
	struct shmchan_event event;

	NOTHING(shmchan_bell_wait(NULL, &elem, 1, 0, NULL));
	NOTHING(shmchan_bell_ring(NULL, 1, 0));
	NOTHING(shmchan_bell_ring_wait(NULL, 1, 0, &elem, 1, 0, NULL));
	NOTHING(shmchan_bell_subscribe(NULL, 1));
	NOTHING(shmchan_bell_subscribe_members(NULL));
	NOTHING(shmchan_bell_unsubscribe(NULL, 1));
	NOTHING(shmchan_bell_arm(NULL, 1, &elem, 1));
	NOTHING(shmchan_bell_events(NULL, &event, 1));
	NOTHING(shmchan_bell_bind_eventfd(NULL, 1, 0));
	open_one("b");
	REFUSED(EINVAL, shmchan_bell_wait(r, NULL, 1, 0, NULL), "1 elements");
	REFUSED(EINVAL, shmchan_bell_wait(r, &elem, 0, 0, NULL), "0 elements");
	REFUSED(EINVAL, shmchan_bell_ring(r, 2, 0), "doorbell 2");
	REFUSED(EACCES, shmchan_bell_ring(r, 0, 0), "doorbell 0");
	REFUSED(EINVAL, shmchan_bell_events(r, NULL, 1), "room for 1");
	shmchan_region_close(r);
}

/* What they are of is looked at after that. */
TEST(capabilities)
{
	struct shmchan_member_info member;
	struct shmchan_query query;

	NOTHING(shmchan_capability_open(NULL, NULL));
	NOTHING(shmchan_capability_query(-1, NULL));
	NOTHING(shmchan_capability_member(-1, 0, NULL));
	NOTHING(shmchan_capability_publish(-1, NULL, NULL));
	NOTHING(shmchan_capability_withdraw(-1, NULL));
	REFUSED(EBADF, shmchan_capability_query(-1, &query),
		"capability is -1");
	REFUSED(EBADF, shmchan_capability_member(-1, 0, &member),
		"capability is -1");
	REFUSED(EBADF, shmchan_capability_mint(-1, NULL), "capability is -1");
	REFUSED(EBADF, shmchan_capability_narrow(-1, NULL),
		"capability is -1");
	REFUSED(EBADF, shmchan_capability_send(0, -1), "capability is -1");
	REFUSED(EBADF, shmchan_capability_withdraw_all(-1),
		"capability is -1");
	REFUSED(EBADF, shmchan_capability_receive(-1), "file -1");
	REFUSED(EINVAL, shmchan_capability_chmod(-1, 0777), "0777");
	REFUSED(EINVAL, shmchan_capability_chown(-1, ~0U, ~0U), "-1");
	REFUSED(EINVAL, shmchan_capability_seal(-1, 0), "seals is 0");
	REFUSED(EBADF, shmchan_capability_revoke_slot(-1, 0, 0, NULL),
		"capability is -1");
	REFUSED(EBADF, shmchan_capability_revoke_uid(-1, 0, NULL),
		"capability is -1");
}

TEST(sets)
{
	struct shmchan_wait_elem elem = shmchan_elem64(1, 0, 0);
	static struct shmchan_receiver closed_rx;
	static struct shmchan_spsc closed;
	struct shmchan_set_event event;
	struct shmchan_cond cond = { 0 };
	struct shmchan_ready ready;
	struct shmchan_set *set;

	NOTHING(shmchan_set_create(NULL));
	NOTHING(shmchan_set_add(NULL, NULL, &elem, NULL));
	NOTHING(shmchan_set_add_spsc(NULL, &closed, NULL));
	NOTHING(shmchan_set_add_receiver(NULL, &closed_rx, NULL));
	NOTHING(shmchan_set_remove(NULL, 0));
	NOTHING(shmchan_set_expect(NULL, 0, 0));
	NOTHING(shmchan_set_wait(NULL, &ready, 1, 0));
	NOTHING(shmchan_set_fd(NULL));
	NOTHING(shmchan_set_arm(NULL));
	NOTHING(shmchan_set_ack(NULL));
	NOTHING(shmchan_set_events(NULL, &event, 1));
	REFUSED(EINVAL, shmchan_wait_many(NULL, 1, 0, NULL), "1 conditions");
	NOTHING(shmchan_wait_many(&cond, 1, 0, NULL));
	CHECK_EQ(shmchan_set_create(&set), 0);
	open_one("s");
	NOTHING(shmchan_set_add(set, NULL, &elem, NULL));
	NOTHING(shmchan_set_add(set, r, NULL, NULL));
	REFUSED(EINVAL, shmchan_set_add_spsc(set, NULL, NULL), "not open");
	REFUSED(EINVAL, shmchan_set_add_spsc(set, &closed, NULL), "not open");
	NOTHING(shmchan_set_add_receiver(set, NULL, NULL));
	REFUSED(EINVAL, shmchan_set_add_receiver(set, &closed_rx, NULL),
		"not open");
	REFUSED(EINVAL, shmchan_set_wait(set, NULL, 1, 0), "room for 1");
	REFUSED(EINVAL, shmchan_set_wait(set, &ready, 1, 0), "empty");
	REFUSED(ENOENT, shmchan_set_remove(set, 0), "no number 0");
	REFUSED(ENOENT, shmchan_set_expect(set, 7, 0), "no number 7");
	REFUSED(EINVAL, shmchan_set_arm(set), "no file");
	REFUSED(EINVAL, shmchan_set_ack(set), "no file");
	shmchan_region_close(r);
	shmchan_set_close(set);
}

TEST(sets_of_locks)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(.create = 1);
	static struct shmchan_sync s, none;
	struct shmchan_place place;

	NOTHING(shmchan_sync_open(NULL, "a", &opts));
	REFUSED(EINVAL, shmchan_sync_open(&s, "a", NULL), "SHMCHAN_SYNC_OPTS");
	REFUSED(EINVAL, shmchan_sync_place(NULL, 0, &place), "not open");
	REFUSED(EINVAL, shmchan_sync_place(&none, 0, &place), "not open");
	CHECK_EQ(shmchan_sync_open(&s, test_name("l"), &opts), 0);
	NOTHING(shmchan_sync_place(&s, 0, NULL));
	REFUSED(EINVAL, shmchan_sync_place(&s, 64, &place), "object 64");
	shmchan_sync_close(&s);
	REFUSED(EINVAL, shmchan_sync_place(&s, 0, &place), "not open");
	shmchan_sync_close(&s);
	shmchan_sync_close(NULL);
}

TEST_MAIN
