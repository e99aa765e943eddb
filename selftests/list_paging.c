// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIST in pages of any size: every name that stays is told once, oldest first.
 */

#include "../kselftest_harness.h"
#include <sys/stat.h>

#include "test_peer.h"

#define NR_NAMES	40

FIXTURE(list) {
	struct layout layout;
	int dev;
	int fds[NR_NAMES];
	struct shmchan_list_entry entries[2 * NR_NAMES];
};

static int create_numbered(struct layout *layout, int nr)
{
	char text[SHMCHAN_NAME_LEN];

	snprintf(text, sizeof(text), "name-%d", nr);
	layout->name = text;
	return create_region(layout);
}

FIXTURE_SETUP(list)
{
	int i;

	/* Names of other processes are none of ours. */
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	self->layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	self->dev = open_device();
	ASSERT_LE(0, self->dev);
	for (i = 0; i < NR_NAMES; i++) {
		self->fds[i] = create_numbered(&self->layout, i);
		ASSERT_LE(0, self->fds[i]);
	}
}

FIXTURE_TEARDOWN(list)
{
}

/* One page; returns how many it had, or -errno. */
static int list_page(int dev, uint64_t *cursor,
		     struct shmchan_list_entry *entries, unsigned int room)
{
	struct shmchan_list l = {
		.size = sizeof(l),
		.cursor = *cursor,
		.entries = ptr(entries),
		.nr_entries = room,
		.entry_size = sizeof(*entries),
	};
	int ret = call(dev, SHMCHAN_IOC_LIST, &l);

	*cursor = l.cursor;
	return ret ? ret : (int)l.nr_entries;
}

static int number_of(const struct shmchan_list_entry *e)
{
	int nr;

	return sscanf(e->name, "name-%d", &nr) == 1 ? nr : -1;
}

TEST_F(list, pages)
{
	static const unsigned int rooms[] = { 1, 7, NR_NAMES - 1, NR_NAMES,
					      NR_NAMES + 1, 2 * NR_NAMES };
	uint64_t cursor;
	unsigned int i;
	int nr, got, k;

	for (i = 0; i < COUNT(rooms); i++) {
		cursor = 0;
		nr = 0;
		while ((got = list_page(self->dev, &cursor, self->entries,
					rooms[i])) > 0) {
			ASSERT_GE(rooms[i], got);
			for (k = 0; k < got; k++)
				EXPECT_EQ(nr + k, number_of(&self->entries[k]));
			nr += got;
			ASSERT_GE(NR_NAMES, nr);
		}
		EXPECT_EQ(0, got);
		EXPECT_EQ(NR_NAMES, nr);
		/* And so again. */
		EXPECT_EQ(0, list_page(self->dev, &cursor, self->entries, 1));
	}
}

/* A cursor that nobody was given is the end, or some place in between. */
TEST_F(list, any_cursor)
{
	static const uint64_t cursors[] = {
		1, 1000, INT32_MAX, UINT32_MAX, 1ULL << 32, 1ULL << 63, ~0ULL,
	};
	uint64_t cursor;
	unsigned int i;
	int got;

	for (i = 0; i < COUNT(cursors); i++) {
		cursor = cursors[i];
		got = list_page(self->dev, &cursor, self->entries,
				2 * NR_NAMES);
		EXPECT_LE(0, got);
		EXPECT_GE(NR_NAMES, got);
		if (got)
			EXPECT_EQ(NR_NAMES - 1,
				  number_of(&self->entries[got - 1]));
	}
}

TEST_F(list, largest_page)
{
	size_t size = 1024 * sizeof(self->entries[0]);
	struct shmchan_list_entry *entries = malloc(size + 8);
	uint64_t cursor = 0;

	ASSERT_NE(NULL, entries);
	memset(entries, 0x5a, size);
	EXPECT_EQ(NR_NAMES, list_page(self->dev, &cursor, entries, 1024));
	/* Nothing is written behind the last. */
	EXPECT_TRUE(all_bytes(&entries[NR_NAMES],
			      (1024 - NR_NAMES) * sizeof(entries[0]), 0x5a));
	free(entries);
}

TEST_F(list, entries)
{
	struct layout odd = layout_default(SHMCHAN_CREATE_SMALL, true);
	struct shmchan_list_entry *e;
	uint64_t cursor = 0;
	int fd;

	umask(0);
	odd.name = "The_odd.one-0";
	odd.mode = 0642;
	odd.nr_slots = 17;
	fd = create_joined(&odd, 3);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, open_joined(odd.name, 9));
	EXPECT_EQ(NR_NAMES + 1, list_page(self->dev, &cursor, self->entries,
					  2 * NR_NAMES));
	e = &self->entries[NR_NAMES];
	EXPECT_STREQ(odd.name, e->name);
	EXPECT_TRUE(all_bytes(e->name + strlen(odd.name),
			      sizeof(e->name) - strlen(odd.name), 0));
	EXPECT_EQ(odd.data_size, e->data_size);
	EXPECT_EQ(odd.control_size, e->control_size);
	EXPECT_EQ(geteuid(), e->uid);
	EXPECT_EQ(getegid(), e->gid);
	EXPECT_EQ(0642, e->mode);
	EXPECT_EQ(17, e->nr_slots);
	EXPECT_EQ(2, e->nr_live);
	EXPECT_EQ(0, e->flags);
	ASSERT_EQ(0, leave(fd));
	cursor = 0;
	ASSERT_EQ(NR_NAMES + 1, list_page(self->dev, &cursor, self->entries,
					  2 * NR_NAMES));
	EXPECT_EQ(1, self->entries[NR_NAMES].nr_live);
}

/* Names come and go between the pages: those that stay are told once. */
TEST_F(list, changes_between_pages)
{
	int told[3 * NR_NAMES] = {};
	int next = NR_NAMES, gone = 0;
	uint64_t cursor = 0;
	int got, i;

	while ((got = list_page(self->dev, &cursor, self->entries, 3)) > 0) {
		for (i = 0; i < got; i++) {
			ASSERT_LE(0, number_of(&self->entries[i]));
			told[number_of(&self->entries[i])]++;
		}
		/* Two that have been told go, one that has not, one comes. */
		if (gone < NR_NAMES / 4) {
			close(self->fds[gone++]);
			close(self->fds[NR_NAMES - gone]);
			ASSERT_LE(0, create_numbered(&self->layout, next++));
		}
	}
	EXPECT_EQ(0, got);
	for (i = gone; i < NR_NAMES - gone; i++)
		EXPECT_EQ(1, told[i])
			TH_LOG("name-%d", i);
	for (i = 0; i < next; i++)
		EXPECT_GE(1, told[i])
			TH_LOG("name-%d", i);
}

TEST_HARNESS_MAIN
