// SPDX-License-Identifier: GPL-2.0-only

/* Making, opening, describing and leaving regions. */

#include "region_fixture.h"

TEST(geometry_and_query)
{
	struct shmchan_window windows[16] = {};
	struct shmchan_doorbell bells[FIX_BELLS] = {};
	struct shmchan_region *r = fix_create(test_name("geo"));
	struct shmchan_query q = {
		.windows = (uintptr_t)windows, .nr_windows = 16,
		.doorbells = (uintptr_t)bells, .room_doorbells = FIX_BELLS,
	};
	const struct shmchan_status *s;

	CHECK_EQ((uintptr_t)r->base % SHMCHAN_HUGE, 0);
	CHECK_EQ(r->data_size, FIX_DATA);
	CHECK_EQ(r->control_offset, SHMCHAN_CONTROL_OFFSET(FIX_DATA));
	CHECK_EQ(r->status_offset,
		 SHMCHAN_STATUS_OFFSET(FIX_DATA, FIX_CONTROL));
	CHECK_EQ(r->slot, 0);
	CHECK_EQ(r->generation, 1);
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.nr_windows, 8);
	CHECK(!memcmp(windows, fix_windows, sizeof(fix_windows)));
	CHECK(!memcmp(bells, fix_bells, sizeof(fix_bells)));
	CHECK_EQ(q.nr_doorbells, FIX_BELLS);
	CHECK_EQ(q.mode, 0600);
	CHECK_EQ(q.uid, geteuid());
	CHECK_EQ(q.gid, getegid());
	CHECK_EQ(q.slot, 0);
	CHECK_EQ(q.data_folio_size, 4096);
	CHECK_EQ(q.create_flags, SHMCHAN_CREATE_SMALL);
	CHECK_STR(q.name, test_name("geo"));
	/* With no room for them only the counts come. */
	q = (struct shmchan_query){ .size = 0 };
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.nr_windows, 8);

	s = (const struct shmchan_status *)shmchan_region_at(r,
							     r->status_offset);
	CHECK_EQ(s->version, 1);
	CHECK_EQ(s->nr_slots, FIX_SLOTS);
	CHECK_EQ(s->nr_doorbells, FIX_BELLS + 1);
	CHECK_EQ(r->status_offset + s->slots_offset, shmchan_slot_offset(r, 0));
	CHECK_EQ(r->status_offset + s->doorbells_offset,
		 (uint8_t *)shmchan_doorbell_status(r, 0) - r->base);
	CHECK_EQ(s->doorbell_stride, sizeof(struct shmchan_doorbell_status));
	CHECK_EQ(s->members_seq, 1);
	shmchan_region_close(r);
}

TEST(memory_is_zero_but_for_the_header)
{
	struct shmchan_region *r = fix_create(NULL);
	const uint8_t *header = (const uint8_t *)
		shmchan_region_at(r, r->control_offset);
	uint64_t i;

	for (i = 0; i < r->data_size; i++)
		CHECK(!r->base[i]);
	CHECK(!memcmp(header, fix_header, sizeof(fix_header)));
	for (i = sizeof(fix_header); i < r->control_size; i++)
		CHECK(!header[i]);
	shmchan_region_close(r);
}

TEST(bytes_are_shared)
{
	const char *name = test_name("bytes");
	struct shmchan_region *r = fix_create(name);
	pid_t pid;

	r->base[0] = 17;
	pid = child_fork();
	if (!pid) {
		struct shmchan_region *mine = fix_open(name, 1);

		CHECK_EQ(mine->base[0], 17);
		mine->base[4096] = 34;
		shmchan_store_seq_cst(fix_word(mine, 0), 1);
		child_done();
	}
	fix_await(r, 0, 0);
	CHECK_EQ(r->base[4096], 34);
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

static int writable(const struct shmchan_region *r, uint64_t offset)
{
	uint32_t slot = r->slot, rights = r->rights;
	const char *name = r->name;
	int status;
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_open_opts opts =
			SHMCHAN_OPEN_OPTS(.slot = slot, .rights = rights);
		struct shmchan_region *mine;

		/* A sanitizer's handler would make an exit status of it. */
		signal(SIGSEGV, SIG_DFL);
		CHECK_EQ(shmchan_region_open(&mine, name, &opts), 0);
		*(volatile uint8_t *)shmchan_region_at(mine, offset) = 1;
		shmchan_region_close(mine);
		child_done();
	}
	status = child_wait(pid);
	if (status && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV))
		FAIL("writing at %#llx: wait status %#x",
		     (unsigned long long)offset, (unsigned int)status);
	return !status;
}

TEST(only_our_windows_are_writable)
{
	struct shmchan_region *r = fix_create(test_name("win"));
	/* A description of the member that the helper becomes. */
	struct shmchan_region as = *r;

	as.slot = 1;
	CHECK(!writable(&as, 0));
	CHECK(writable(&as, 4096));
	CHECK(!writable(&as, 8192));
	CHECK(writable(&as, 12288));
	CHECK(!writable(&as, r->control_offset));
	CHECK(!writable(&as, FIX_PAGE(0)));
	CHECK(writable(&as, FIX_PAGE(1)));
	CHECK(!writable(&as, FIX_PAGE(2)));
	CHECK(writable(&as, FIX_SHARED));
	/* Without the right, none. */
	as.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT;
	CHECK(!writable(&as, 4096));
	CHECK(!writable(&as, 12288));
	CHECK(!writable(&as, FIX_PAGE(1)));
	CHECK(!writable(&as, FIX_SHARED));
	shmchan_region_close(r);
}

TEST(status_is_read_only)
{
	struct shmchan_region *r, as;

	KMOD_ONLY("the status area is kept by the members themselves");
	r = fix_create(test_name("status"));
	as = *r;
	as.slot = 1;
	CHECK(!writable(&as, r->status_offset));
	shmchan_region_close(r);
}

TEST(taken_name)
{
	const char *name = test_name("taken");
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r = fix_create(name), *r2;

	CHECK_EQ(shmchan_region_create(&r2, name, &opts), -EEXIST);
	CHECK_SAYS(shmchan_error_detail(), "is taken");
	CHECK_SAYS(shmchan_error_detail(), name);
	shmchan_region_close(r);
	/* It went with its last member. */
	CHECK_EQ(shmchan_region_open(&r2, name, NULL), -ENOENT);
	r = fix_create(name);
	shmchan_region_close(r);
}

TEST(name_outlives_the_creator)
{
	const char *name = test_name("outlive");
	struct shmchan_region *r = fix_create(name), *r2, *r3;

	r2 = fix_open(name, SHMCHAN_SLOT_ANY);
	r->base[0] = 9;
	shmchan_region_close(r);
	r3 = fix_open(name, SHMCHAN_SLOT_ANY);
	CHECK_EQ(r3->base[0], 9);
	shmchan_region_close(r2);
	shmchan_region_close(r3);
	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
}

TEST(slots_run_out)
{
	const char *name = test_name("slots");
	struct shmchan_region *r[FIX_SLOTS], *more;
	struct shmchan_open_opts two = SHMCHAN_OPEN_OPTS(.slot = 2);
	uint32_t i;

	r[0] = fix_create(name);
	for (i = 1; i < FIX_SLOTS; i++) {
		r[i] = fix_open(name, SHMCHAN_SLOT_ANY);
		CHECK_EQ(r[i]->slot, i);
	}
	CHECK_EQ(shmchan_region_open(&more, name, NULL), -EUSERS);
	CHECK_SAYS(shmchan_error_detail(), "slots of");
	CHECK_EQ(shmchan_region_open(&more, name, &two), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "slot 2 of");
	shmchan_region_close(r[2]);
	more = fix_open(name, SHMCHAN_SLOT_ANY);
	CHECK_EQ(more->slot, 2);
	CHECK_EQ(more->generation, 2);
	shmchan_region_close(more);
	shmchan_region_close(r[0]);
	shmchan_region_close(r[1]);
	shmchan_region_close(r[3]);
}

TEST(generations_grow)
{
	const char *name = test_name("gen");
	struct shmchan_region *r = fix_create(name), *r2;
	uint32_t i;

	for (i = 1; i <= 20; i++) {
		r2 = fix_open(name, 3);
		CHECK_EQ(r2->generation, i);
		CHECK_EQ(shmchan_slot_word(r, 3),
			 (uint64_t)i << 32 | SHMCHAN_SLOT_LIVE);
		shmchan_region_close(r2);
		CHECK_EQ(shmchan_slot_word(r, 3),
			 (uint64_t)i << 32 | SHMCHAN_SLOT_LEFT);
	}
	shmchan_region_close(r);
}

TEST(who_holds_a_slot)
{
	const char *name = test_name("who");
	struct shmchan_region *r = fix_create(name), *r2;
	struct shmchan_member_info info;

	CHECK_EQ(shmchan_region_member(r, 0, &info), 0);
	CHECK_EQ(info.current_holder.generation, 1);
	CHECK_EQ(info.current_holder.state, SHMCHAN_SLOT_LIVE);
	CHECK_EQ(info.current_holder.pid, getpid());
	CHECK_EQ(info.current_holder.uid, geteuid());
	CHECK_EQ(info.current_holder.gid, getegid());
	CHECK_EQ(info.previous_holder.generation, 0);
	CHECK_EQ(shmchan_region_member(r, 1, &info), 0);
	CHECK_EQ(info.current_holder.generation, 0);
	r2 = fix_open(name, 1);
	shmchan_region_close(r2);
	r2 = fix_open(name, 1);
	CHECK_EQ(shmchan_region_member(r, 1, &info), 0);
	CHECK_EQ(info.current_holder.generation, 2);
	CHECK_EQ(info.previous_holder.generation, 1);
	CHECK_EQ(info.previous_holder.state, SHMCHAN_SLOT_LEFT);
	shmchan_region_close(r2);
	CHECK_EQ(shmchan_region_member(r, 1, &info), 0);
	CHECK_EQ(info.current_holder.generation, 2);
	CHECK_EQ(info.current_holder.state, SHMCHAN_SLOT_LEFT);
	CHECK_EQ(shmchan_region_member(r, FIX_SLOTS, &info), -EINVAL);
	CHECK_EQ(shmchan_region_member(r, 0, NULL), -EINVAL);
	shmchan_region_close(r);
}

struct seen {
	const char *name;
	int times;
	int stop;
	struct shmchan_list_entry entry;
};

static int see(const struct shmchan_list_entry *entry, void *arg)
{
	struct seen *s = (struct seen *)arg;

	if (!strcmp(entry->name, s->name)) {
		s->times++;
		s->entry = *entry;
	}
	return s->stop;
}

TEST(listing)
{
	const char *name = test_name("list");
	struct shmchan_region *r = fix_create(name), *r2 = fix_open(name, 2);
	struct seen s = { .name = name };

	CHECK_EQ(shmchan_region_list(SHMCHAN_BACKEND_AUTO, see, &s), 0);
	CHECK_EQ(s.times, 1);
	CHECK_EQ(s.entry.data_size, FIX_DATA);
	CHECK_EQ(s.entry.control_size, FIX_CONTROL);
	CHECK_EQ(s.entry.uid, geteuid());
	CHECK_EQ(s.entry.mode, 0600);
	CHECK_EQ(s.entry.nr_slots, FIX_SLOTS);
	CHECK_EQ(s.entry.nr_live, 2);
	s.stop = 77;
	CHECK_EQ(shmchan_region_list(SHMCHAN_BACKEND_AUTO, see, &s), 77);
	CHECK_EQ(shmchan_region_list(SHMCHAN_BACKEND_AUTO, NULL, NULL),
		 -EINVAL);
	shmchan_region_close(r2);
	shmchan_region_close(r);
	s = (struct seen){ .name = name };
	CHECK_EQ(shmchan_region_list(SHMCHAN_BACKEND_AUTO, see, &s), 0);
	CHECK_EQ(s.times, 0);
}

TEST(files_that_poll)
{
	struct shmchan_region *r = fix_create(NULL);

	if (on_kmod()) {
		CHECK_GE(shmchan_region_fd(r), 0);
	} else {
		CHECK_EQ(shmchan_region_fd(r), -ENOTSUP);
		CHECK_SAYS(shmchan_error_detail(), "shmchan_bell_wait");
		CHECK_EQ(shmchan_bell_subscribe(r, 1), -ENOTSUP);
		CHECK_EQ(shmchan_bell_arm(r, 1, NULL, 0), -ENOTSUP);
	}
	shmchan_region_close(r);
}

TEST(largest_counts)
{
	const char *name = test_name("largest");
	struct shmchan_doorbell *bells = (struct shmchan_doorbell *)
		calloc(SHMCHAN_MAX_DOORBELLS, sizeof(*bells));
	struct shmchan_window *windows = (struct shmchan_window *)
		calloc(SHMCHAN_MAX_WINDOWS, sizeof(*windows));
	struct shmchan_region_opts o = SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL,
		.control_size = 4096ULL * (1 + SHMCHAN_MAX_WINDOWS),
		.slot = SHMCHAN_MAX_SLOTS - 1,
		.nr_slots = SHMCHAN_MAX_SLOTS,
		.nr_doorbells = SHMCHAN_MAX_DOORBELLS, .doorbells = bells,
		.nr_windows = SHMCHAN_MAX_WINDOWS, .windows = windows);
	struct shmchan_region *r, *r2;
	uint32_t i;

	CHECK(bells && windows);
	for (i = 0; i < SHMCHAN_MAX_DOORBELLS; i++)
		bells[i].owner = SHMCHAN_MAX_SLOTS - 1 - i % 2;
	for (i = 0; i < SHMCHAN_MAX_WINDOWS; i++) {
		windows[i].offset = SHMCHAN_CONTROL_OFFSET(0) + 4096ULL * (i + 1);
		windows[i].length = 4096;
		windows[i].slot = i;
	}
	CHECK_EQ(shmchan_region_create(&r, name, &o), 0);
	CHECK_EQ(r->slot, SHMCHAN_MAX_SLOTS - 1);
	*(uint8_t *)shmchan_region_at(r, windows[SHMCHAN_MAX_SLOTS - 1].offset) = 1;
	CHECK_EQ(shmchan_region_open(&r2, name, NULL), 0);
	CHECK_EQ(r2->slot, 0);
	CHECK_EQ(shmchan_bell_ring(r2, SHMCHAN_MAX_DOORBELLS, 0), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
	free(bells);
	free(windows);
}

TEST_MAIN
