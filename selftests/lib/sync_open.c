// SPDX-License-Identifier: GPL-2.0-only

/* Regions of objects: found, made, full, or something else. */

#include <shmchan/spsc.h>

#include "sync_fixture.h"

TEST(objects_by_number)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 3, .nr_objects = 5,
		.data_size = 100);
	struct shmchan_sync_opts more = opts, less = SHMCHAN_SYNC_OPTS();
	struct shmchan_sync a, b, c, d;
	struct shmchan_condvar cv;
	struct shmchan_once once;
	struct shmchan_mutex m;

	CHECK_EQ(shmchan_sync_open(&a, test_name("s"), &less), -ENOENT);
	less.wait_ns = 20 * SYN_MS;
	CHECK_EQ(shmchan_sync_open(&a, test_name("s"), &less), -ETIMEDOUT);
	CHECK_EQ(shmchan_sync_open(&a, test_name("s"), &opts), 0);
	CHECK_EQ(a.nr_members, 3);
	CHECK_EQ(a.nr_objects, 5);
	CHECK_EQ(a.data_size, 100);
	CHECK_EQ(((char *)a.data)[99], 0);
	CHECK_EQ(shmchan_sync_open(&b, test_name("s"), &less), 0);
	CHECK_EQ(b.nr_objects, 5);
	((char *)b.data)[99] = 7;
	CHECK_EQ(((char *)a.data)[99], 7);

	CHECK_EQ(shmchan_mutex_at(&m, &a, 4), 0);
	CHECK_EQ(shmchan_condvar_at(&cv, &a, 3), 0);
	CHECK_EQ(shmchan_once_at(&once, &b, 0), 0);
	CHECK_EQ(shmchan_mutex_at(&m, &b, 4), 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	CHECK_EQ(shmchan_mutex_at(&m, &b, 3), -EPROTO);
	CHECK_EQ(shmchan_mutex_at(&m, &a, 5), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "0 to 4");

	opts.exclusive = 1;
	CHECK_EQ(shmchan_sync_open(&c, test_name("s"), &opts), -EEXIST);
	more.nr_objects = 6;
	CHECK_EQ(shmchan_sync_open(&c, test_name("s"), &more), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "3 members, 5 objects");
	CHECK_EQ(shmchan_sync_open(&c, test_name("s"), &less), 0);
	CHECK_EQ(shmchan_sync_open(&d, test_name("s"), &less), -EUSERS);
	shmchan_sync_close(&c);
	shmchan_sync_close(&c);
	shmchan_sync_close(&d);
	CHECK_EQ(shmchan_mutex_at(&m, &c, 0), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "not open");
	shmchan_sync_close(&b);
	shmchan_sync_close(&a);
	shmchan_sync_close(NULL);
}

TEST(bad_options)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_objects = 5000);
	struct shmchan_sync s;

	CHECK_EQ(shmchan_sync_open(&s, test_name("s"), NULL), -EINVAL);
	CHECK_EQ(shmchan_sync_open(&s, test_name("s"), &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "nr_objects is 5000: at most 4095");
	opts.nr_objects = 1;
	opts.nr_members = 5000;
	CHECK_EQ(shmchan_sync_open(&s, test_name("s"), &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "nr_members is 5000");
	opts.nr_members = 1;
	opts.data_size = ~0ULL;
	CHECK_EQ(shmchan_sync_open(&s, test_name("s"), &opts), -EINVAL);
	opts.data_size = 0;
	CHECK_EQ(shmchan_sync_open(&s, NULL, &opts), -EINVAL);
	CHECK_EQ(shmchan_sync_open(&s, "a/b", &opts), -EINVAL);
	CHECK_EQ(shmchan_sync_open(NULL, "a", &opts), -EINVAL);
}

TEST(something_else)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(.create = 1);
	struct shmchan_spsc_opts copts = SHMCHAN_SPSC_OPTS(.create = 1);
	struct shmchan_region *r;
	struct shmchan_spsc ch;
	struct shmchan_sync s;

	CHECK_EQ(shmchan_spsc_open(&ch, test_name("ch"), &copts), 0);
	CHECK_EQ(shmchan_sync_open(&s, test_name("ch"), &opts), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "channel");
	CHECK_SAYS(shmchan_error_detail(), "set of locks");
	shmchan_spsc_close(&ch);
	r = syn_create(test_name("r"));
	CHECK_EQ(shmchan_sync_open(&s, test_name("r"), &opts), -EPROTO);
	shmchan_region_close(r);
}

TEST_MAIN
