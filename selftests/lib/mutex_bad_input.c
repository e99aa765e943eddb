// SPDX-License-Identifier: GPL-2.0-only

/* Attaching to what is no mutex, or not ours to use: an error with words. */

#include "sync_fixture.h"

static struct shmchan_region *r;
static struct shmchan_mutex m;

static void refused(const struct shmchan_place *place, int err,
		    const char *words)
{
	CHECK_EQ(shmchan_mutex_attach(&m, place), -err);
	CHECK_SAYS(shmchan_error_detail(), words);
	/* And the handle is of no use. */
	CHECK_EQ(m.o.region == NULL, 1);
}

TEST(places)
{
	struct shmchan_place place;

	r = syn_create(test_name("bad"));
	CHECK_EQ(shmchan_mutex_attach(NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_mutex_attach(&m, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "place");
	place = syn_place(r, 0);
	place.region = NULL;
	refused(&place, EINVAL, "NULL");
	place = syn_place(r, 0);
	place.offset += 8;
	refused(&place, EINVAL, "multiple of 64");
	place.offset = SYN_CONTROL_AT + 4 * 4096;
	refused(&place, EINVAL, "not in");
	place.offset = ~63ULL;
	refused(&place, EINVAL, "not in");
	place.offset = r->status_offset;
	refused(&place, EINVAL, "not in");
	place.offset = SYN_CONTROL_AT;
	refused(&place, EACCES, "SHMCHAN_SLOT_SHARED");
	place.offset = SYN_PAGE_OF_0;
	refused(&place, EACCES, "SHMCHAN_SLOT_SHARED");
	place = syn_place(r, 0);
	place.doorbell = 0;
	refused(&place, EINVAL, "doorbell 0");
	place.doorbell = SYN_BELL_OF_0 + 1;
	refused(&place, EINVAL, "doorbell 10");
	place.doorbell = SYN_BELL_OF_0;
	refused(&place, EACCES, "SHMCHAN_SLOT_SHARED");
	/* Nothing of that has left anything. */
	CHECK_EQ(((uint64_t *)shmchan_region_at(r, SYN_OBJECTS))[1], 0);
	shmchan_region_close(r);
}

TEST(rights)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT);
	struct shmchan_region *reader;
	struct shmchan_place place;

	r = syn_create(test_name("bad"));
	CHECK_EQ(shmchan_region_open(&reader, test_name("bad"), &opts), 0);
	place = syn_place(reader, 0);
	refused(&place, EACCES, "read, write, ring and wait");
	shmchan_region_close(reader);
	shmchan_region_close(r);
}

TEST(something_else)
{
	struct shmchan_place place;
	struct shmchan_condvar cv;
	uint64_t *config;

	r = syn_create(test_name("bad"));
	syn_condvar(&cv, r, 0);
	place = syn_place(r, 0);
	refused(&place, EPROTO, "condition variable (type 2), not a mutex (type 1)");
	place = syn_place(r, 1);
	CHECK_EQ(shmchan_mutex_attach(&m, &place), 0);
	place.doorbell = 3;
	refused(&place, EPROTO, "doorbell 2 with the others, not 3");
	place = syn_place(r, 1);
	config = (uint64_t *)shmchan_region_at(r, place.offset + 8);
	*config += 1 << 8;
	refused(&place, EPROTO, "version 2, this program has version 1");
	*config = 0x1234;
	refused(&place, EPROTO, "no synchronisation object");
	*config = 0;
	CHECK_EQ(shmchan_mutex_attach(&m, &place), 0);
	shmchan_region_close(r);
}

TEST(not_attached)
{
	struct shmchan_condvar cv;

	memset(&m, 0, sizeof(m));
	memset(&cv, 0, sizeof(cv));
	CHECK_EQ(shmchan_mutex_consistent(&m), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "not attached");
	CHECK_EQ(shmchan_condvar_wait(&cv, &m), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "not attached");
}

/* Whatever bytes are in the word: an answer, and no crash. */
TEST(nonsense_in_the_word)
{
	unsigned int seed = 1;
	int i, err;

	r = syn_create(test_name("bad"));
	syn_mutex(&m, r, 0);
	for (i = 0; i < HARNESS_ROUNDS(20000); i++) {
		m.o.line->word = (uint64_t)rand_r(&seed) << 34 ^
				 (uint64_t)rand_r(&seed) << 8 ^
				 ((uint64_t)rand_r(&seed) & 0xff);
		err = shmchan_mutex_trylock(&m);
		CHECK(!err || err == -EOWNERDEAD || err == -EAGAIN ||
		      err == -ENOTRECOVERABLE || err == -EDEADLK);
		if (err == -EOWNERDEAD)
			CHECK_EQ(shmchan_mutex_consistent(&m), 0);
		if (!err || err == -EOWNERDEAD)
			CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	}
	shmchan_region_close(r);
}

/* Also by a thread that has used others before. */
TEST(handle_of_nothing)
{
	struct shmchan_region *r = syn_create(test_name("nothing"));
	struct shmchan_condvar cv = {};
	struct shmchan_mutex m, none = {};
	struct shmchan_once once = {};

	syn_mutex(&m, r, 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	CHECK_EQ(shmchan_mutex_lock(&none), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "attach");
	CHECK_EQ(shmchan_mutex_unlock(&none), -EINVAL);
	CHECK_EQ(shmchan_condvar_signal(&cv), -EINVAL);
	CHECK_EQ(shmchan_once_begin(&once), -EINVAL);
	shmchan_region_close(r);
}

TEST_MAIN
