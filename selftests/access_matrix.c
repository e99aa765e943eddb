// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what: every subject, in every IPC namespace, by every way in, with
 * every right, every call.  What is expected is in access_table.h, which was
 * written from docs/access-policy.md; here it is only looked up and tried.
 *
 * A variant is a subject in a namespace; a test is a way in.
 */

#include "../kselftest_harness.h"

#include "access_subject.h"

FIXTURE(access) {
	struct peer subject;
	int cap;		/* of the region, not joined, all rights */
	int publisher;		/* of the region, keeps the names published */
	int members[2];		/* there to be revoked */
	int wrong;		/* results so far */
};

FIXTURE_VARIANT(access) {
	enum subject who;
	enum place where;
};

#define VARIANT(_name, _who, _where)					\
	FIXTURE_VARIANT_ADD(access, _name##_##_where) {			\
		.who = (_who), .where = _where,				\
	}
#define VARIANTS(_name, _who)						\
	VARIANT(_name, _who, FIRST);					\
	VARIANT(_name, _who, CHILD);					\
	VARIANT(_name, _who, FOREIGN)

VARIANTS(owner, OWNER);
VARIANTS(member, MEMBER);
VARIANTS(other, OTHER);
VARIANTS(publisher, PUBLISHER);
VARIANTS(colleague, COLLEAGUE);
VARIANTS(root, ROOT);
VARIANTS(bare_root, BARE_ROOT);
VARIANTS(ipc_owner, IPC_OWNER);
VARIANTS(no_ipc_owner, NO_IPC_OWNER);
VARIANTS(chown, CHOWN);
VARIANTS(sys_admin, SYS_ADMIN);
VARIANTS(maker, MAKER);
VARIANTS(child_root, CHILD_ROOT);
VARIANTS(child_owner, CHILD_OWNER);
VARIANTS(below_root, BELOW_ROOT);

/* --- the stage ---------------------------------------------------------- */

/* Shared with the peers, and so there before them. */
static void make_scene(void)
{
	scene = mmap(NULL, sizeof(*scene), RW, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (scene == MAP_FAILED)
		return;
	snprintf(scene->created, sizeof(scene->created), "%s", own_name());
	snprintf(scene->published[0], sizeof(scene->published[0]), "%s-1",
		 own_name());
	snprintf(scene->published[1], sizeof(scene->published[1]), "%s-2",
		 own_name());
	snprintf(scene->foreign, sizeof(scene->foreign), "%s-x", own_name());
	snprintf(scene->own, sizeof(scene->own), "%s-o", own_name());
}

/*
 * Before all tests: the namespaces are as good for the next one.  And on one
 * processor: a test and its subject take turns, and to wake another one takes
 * longer than most calls, on emulated ones above all.
 */
static int no_namespaces;

static void __attribute__((constructor)) prepare_all(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	no_namespaces = make_namespaces();
}

FIXTURE_SETUP(access)
{
	if (geteuid())
		SKIP(return, "only root can become others");
	if (no_namespaces)
		SKIP(return, "cannot make namespaces");
	umask(0);
	self->cap = self->publisher = -1;
	self->members[0] = self->members[1] = -1;
	make_layout();
	make_scene();
	ASSERT_NE(MAP_FAILED, scene);
	ASSERT_EQ(0, subject_start(&self->subject, variant->who,
				   variant->where));
	ASSERT_LE(0, create_as(UID_PUBLISHER, variant->where, scene->foreign,
			       0666));
}

FIXTURE_TEARDOWN(access)
{
	if (self->subject.pid)
		peer_kill(&self->subject);
}

static void close_all(int *fds, unsigned int nr)
{
	while (nr--) {
		if (fds[nr] >= 0)
			close(fds[nr]);
		fds[nr] = -1;
	}
}

static void end_region(FIXTURE_DATA(access) *self)
{
	close_all(&self->cap, 1);
	close_all(&self->publisher, 1);
	close_all(self->members, COUNT(self->members));
}

/* So that everybody has something to try. */
#define MODE_FOR_ALL	0666

/* A region with all that the table needs.  Returns 0 or -errno. */
static int make_region(FIXTURE_DATA(access) *self, enum place home,
		       enum place where)
{
	int i, ret;

	self->cap = create_as(UID_OWNER, home, scene->created, MODE_FOR_ALL);
	if (self->cap < 0)
		return self->cap;
	self->members[0] = join_as(0, self->cap, SLOT_VICTIM);
	self->members[1] = join_as(UID_VICTIM, self->cap, SLOT_OF_USER);
	self->publisher = mint(self->cap, SHMCHAN_RIGHT_ALL);
	if (self->members[0] < 0 || self->members[1] < 0 ||
	    self->publisher < 0)
		return -EBADF;
	for (i = 0; i < 2; i++) {
		ret = publish_as(UID_PUBLISHER, where, self->publisher,
				 scene->published[i], MODE_FOR_ALL,
				 SHMCHAN_RIGHT_ALL);
		if (ret)
			return ret;
	}
	return 0;
}

/* A capability as a column has it, and @more rights. */
static int mint_column(int fd, const struct column *c, unsigned int more)
{
	struct shmchan_mint m = { .rights = rights_of(c->rights) | more };

	if (c->part == ONE_SLOT) {
		m.flags = SHMCHAN_MINT_SLOT;
		m.slot = 1;
	} else if (c->part == ONE_FOLIO) {
		m.flags = SHMCHAN_MINT_RANGE;
		m.data.length = PAGE;
	}
	return mint_args(fd, &m);
}

/* --- comparing ---------------------------------------------------------- */

static const char *result_name(long result)
{
	if (!result)
		return "that it works";
	if (result == -ENODATA)
		return "not to be told";
	return result < -4096 ? "no capability" : strerrorname_np(-result);
}

/* Enough to see what it is about. */
#define MOST_COMPLAINTS	20

static void compare(struct __test_metadata *_metadata,
		    FIXTURE_DATA(access) *self,
		    const FIXTURE_VARIANT(access) *variant, const char *how,
		    const char *what, long expected, long got)
{
	if (got == expected || self->wrong++ >= MOST_COMPLAINTS)
		return;
	TH_LOG("%s, %s: %s, %s: expected %s, got %s",
	       casts[variant->who].name, place_name[variant->where], how, what,
	       result_name(expected), result_name(got));
}

/* One capability, all calls. */
static void check_rows(struct __test_metadata *_metadata,
		       FIXTURE_DATA(access) *self,
		       const FIXTURE_VARIANT(access) *variant, enum place home,
		       enum state state, unsigned int column)
{
	const struct row *row;
	char letter, how[80];
	long got;

	snprintf(how, sizeof(how), "%s with %s%s, %s", way_name[scene->way],
		 columns[column].rights,
		 columns[column].part == ONE_SLOT ? " for a slot" :
		 columns[column].part == ONE_FOLIO ? " of a folio" : "",
		 state_name[state]);
	for (row = capability_rows;
	     row < capability_rows + COUNT(capability_rows); row++) {
		if (!row_applies(row, home == variant->where))
			continue;
		letter = expected_letter(row, state, column, variant->who);
		if (letter == '/')
			continue;
		got = scene->results[row - capability_rows];
		compare(_metadata, self, variant, how, row->what,
			result_of(letter, got), got);
	}
}

/* Where the region is created for a subject that comes in by that way. */
static enum place home_of(enum way way, enum place where)
{
	return way == BY_CREATED_NAME ? where : FIRST;
}

/*
 * Is a column tried by this way?  No name that CREATE gave is for a part of the
 * region.  And what rights do together is left to the capabilities that are
 * passed: all ways with all of them would take minutes.
 */
static bool can_come(enum way way, unsigned int column)
{
	const struct column *c = &columns[column];
	unsigned int rights = rights_of(c->rights);

	if (way == PASSED)
		return true;
	if (c->part != WHOLE)
		return way == BY_PUBLISHED_NAME;
	return rights == SHMCHAN_RIGHT_ALL || !(rights & (rights - 1));
}

static void set_scene(enum way way, enum state state, unsigned int column)
{
	scene->way = way;
	scene->state = state;
	scene->rights = rights_of(columns[column].rights);
	scene->slot = columns[column].part == ONE_SLOT ? 1 : 0;
}

/* The name by which the subject is to come in, if it is to.  0 or -errno. */
static int prepare_way(FIXTURE_DATA(access) *self, enum way way,
		       enum place where, unsigned int column, int *door)
{
	const struct column *c = &columns[column];
	int ret;

	*door = -1;
	if (way == BY_CREATED_NAME)
		strcpy(scene->door, scene->created);
	if (way != BY_PUBLISHED_NAME)
		return 0;
	snprintf(scene->door, sizeof(scene->door), "%s-3", own_name());
	*door = mint_column(self->cap, c, SHMCHAN_RIGHT_PUBLISH);
	if (*door < 0)
		return *door;
	ret = publish_as(UID_PUBLISHER, where, *door, scene->door,
			 MODE_FOR_ALL, rights_of(c->rights));
	if (ret)
		close_all(door, 1);
	return ret;
}

/* Only the subject has them then: the last close ends a member. */
static long pass_caps(FIXTURE_DATA(access) *self, int *fds)
{
	int ret;

	peer_send(&self->subject, take_caps, 0, 0);
	ret = send_many(self->subject.sock, fds, COUNT(capability_rows));
	close_all(fds, COUNT(capability_rows));
	return ret ? ret : peer_answer(&self->subject, PATIENCE_MS);
}

static long give_column(FIXTURE_DATA(access) *self, unsigned int column)
{
	int fds[COUNT(capability_rows)];
	unsigned int i;

	if (scene->way != PASSED)
		return peer_call(&self->subject, open_caps, 0, 0);
	for (i = 0; i < COUNT(fds); i++)
		fds[i] = mint_column(self->cap, &columns[column], 0);
	return pass_caps(self, fds);
}

/* All calls with each capability that the subject can have by that way. */
static void check_way(struct __test_metadata *_metadata,
		      FIXTURE_DATA(access) *self,
		      const FIXTURE_VARIANT(access) *variant, enum way way,
		      unsigned int granted)
{
	enum place home = home_of(way, variant->where);
	enum state state;
	unsigned int column;
	int door;

	for (column = 0; column < NR_COLUMNS; column++) {
		if (!can_come(way, column) ||
		    rights_of(columns[column].rights) & ~granted)
			continue;
		for (state = A_MEMBER; state <= UNBOUND; state++) {
			ASSERT_EQ(0, make_region(self, home, variant->where));
			set_scene(way, state, column);
			ASSERT_EQ(0, prepare_way(self, way, variant->where,
						 column, &door));
			ASSERT_EQ(0, give_column(self, column));
			ASSERT_EQ(0, peer_call(&self->subject, play,
					       home == variant->where, 0));
			check_rows(_metadata, self, variant, home, state,
				   column);
			close_all(&door, 1);
			end_region(self);
		}
	}
	EXPECT_EQ(0, self->wrong);
}

/* --- the tests ---------------------------------------------------------- */

/* All 63 sets of rights, or those that are columns. */
static uint64_t all_sets(void)
{
	return ~1ULL;
}

static uint64_t column_sets(void)
{
	unsigned int column;
	uint64_t sets = 0;

	for (column = 0; column < NR_COLUMNS; column++)
		sets |= 1ULL << rights_of(columns[column].rights);
	return sets;
}

/* Of all rights that are granted, or less: those that are asked for. */
static uint64_t sets_within(unsigned int granted)
{
	unsigned int rights;
	uint64_t sets = 0;

	for (rights = 1; rights <= SHMCHAN_RIGHT_ALL; rights++)
		if (!(rights & ~granted))
			sets |= 1ULL << rights;
	return sets & scene->sets;
}

static void check_open(struct __test_metadata *_metadata,
		       FIXTURE_DATA(access) *self,
		       const FIXTURE_VARIANT(access) *variant,
		       const char *what, unsigned int mode,
		       unsigned int granted)
{
	unsigned int rights;
	uint64_t wrong;

	ASSERT_EQ(0, peer_call(&self->subject, play_open, 0, 0));
	wrong = scene->granted ^ sets_within(granted);
	if (!wrong || self->wrong++ >= MOST_COMPLAINTS)
		return;
	/* The first set that is not as it should be. */
	rights = __builtin_ctzll(wrong);
	TH_LOG("%s, %s: a name %s, mode %04o: OPEN with rights %#x: expected %s",
	       casts[variant->who].name, place_name[variant->where], what,
	       mode, rights,
	       sets_within(granted) & wrong ? "that it works" : "EACCES");
}

/* A name in the subject's namespace, of every mode. */
TEST_F_TIMEOUT(access, created_names, 120)
{
	const struct name_row *row = ROWS_FOR(created_rows, variant->who,
					      variant->where);
	unsigned int m;
	int fd;

	ASSERT_NE(NULL, row);
	scene->sets = all_sets();
	strcpy(scene->door, scene->created);
	for (m = 0; m < NR_MODES; m++) {
		fd = create_as(UID_OWNER, variant->where, scene->created,
			       modes[m]);
		ASSERT_LE(0, fd);
		check_open(_metadata, self, variant, "from CREATE",
			   modes[m], rights_of(row->rights[m]));
		close(fd);
	}
	EXPECT_EQ(0, self->wrong);
}

/* ... and not there: nothing is told of it, whatever the mode. */
TEST_F_TIMEOUT(access, names_elsewhere, 120)
{
	enum place home;
	int fd;

	scene->sets = all_sets();
	strcpy(scene->door, scene->created);
	for (home = FIRST; home < NR_PLACES; home++) {
		if (home == variant->where)
			continue;
		fd = create_as(UID_OWNER, home, scene->created, 0666);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-ENOENT, peer_call(&self->subject, play_open, 0, 0));
		EXPECT_EQ(0, scene->granted);
		close(fd);
	}
}

/* One that was published there, with all rights, and of less. */
TEST_F_TIMEOUT(access, published_names, 120)
{
	const struct name_row *row = ROWS_FOR(published_rows, variant->who,
					      variant->where);
	unsigned int m, column, rights;
	char what[40];
	int fd;

	ASSERT_NE(NULL, row);
	scene->sets = column_sets();
	snprintf(scene->door, sizeof(scene->door), "%s-3", own_name());
	self->cap = create_as(UID_OWNER, FIRST, scene->created, 0600);
	ASSERT_LE(0, self->cap);
	for (m = 0; m < NR_MODES; m++) {
		for (column = 0; column < NR_COLUMNS; column++) {
			if (columns[column].part != WHOLE)
				continue;
			rights = rights_of(columns[column].rights);
			fd = mint(self->cap, SHMCHAN_RIGHT_ALL);
			ASSERT_LE(0, fd);
			ASSERT_EQ(0, publish_as(UID_PUBLISHER, variant->where,
						fd, scene->door, modes[m],
						rights));
			/* It gives no more than it was made with. */
			snprintf(what, sizeof(what), "published with %s",
				 columns[column].rights);
			check_open(_metadata, self, variant, what, modes[m],
				   rights & rights_of(row->rights[m]));
			ASSERT_EQ(0, act_as(0, variant->where));
			ASSERT_EQ(0, withdraw(fd, scene->door));
			ASSERT_EQ(0, act_end());
			close(fd);
		}
	}
	EXPECT_EQ(0, self->wrong);
}

TEST_F_TIMEOUT(access, by_created_name, 120)
{
	const struct name_row *row = ROWS_FOR(created_rows, variant->who,
					      variant->where);

	ASSERT_NE(NULL, row);
	check_way(_metadata, self, variant, BY_CREATED_NAME,
		  rights_of(row->rights[mode_nr(MODE_FOR_ALL)]));
}

TEST_F_TIMEOUT(access, by_published_name, 120)
{
	const struct name_row *row = ROWS_FOR(published_rows, variant->who,
					      variant->where);

	ASSERT_NE(NULL, row);
	check_way(_metadata, self, variant, BY_PUBLISHED_NAME,
		  rights_of(row->rights[mode_nr(MODE_FOR_ALL)]));
}

/* Whoever has a capability can do what it allows: who that is plays no part. */
TEST_F_TIMEOUT(access, passed, 120)
{
	check_way(_metadata, self, variant, PASSED, SHMCHAN_RIGHT_ALL);
}

/* Fills in what the subject is passed; the file that it comes of, or -errno. */
static int prepare_state(FIXTURE_DATA(access) *self, enum state state, int *fds)
{
	int from = mint(self->cap, SHMCHAN_RIGHT_ALL);
	unsigned int i;
	int ret = from;

	if (from >= 0 && state != LEFT)
		ret = join(from, 0);
	for (i = 0; ret >= 0 && i < COUNT(capability_rows); i++)
		ret = fds[i] = state == ANOTHERS ?
			       fcntl(from, F_DUPFD_CLOEXEC, 3) :
			       mint(from, SHMCHAN_RIGHT_ALL);
	if (ret >= 0 && state == REVOKED)
		ret = revoke_slot(self->cap, 0, 0);
	return ret < 0 ? ret : from;
}

TEST_F_TIMEOUT(access, of_no_use, 120)
{
	enum place home = FIRST;
	int fds[COUNT(capability_rows)], from;
	enum state state;

	for (state = ANOTHERS; state <= REVOKED; state++) {
		ASSERT_EQ(0, make_region(self, home, variant->where));
		set_scene(PASSED, state, 0);
		from = prepare_state(self, state, fds);
		ASSERT_LE(0, from);
		ASSERT_EQ(0, pass_caps(self, fds));
		ASSERT_EQ(0, peer_call(&self->subject, play,
				       home == variant->where, 0));
		check_rows(_metadata, self, variant, home, state, 0);
		close(from);
		end_region(self);
	}
	EXPECT_EQ(0, self->wrong);
}

TEST_F_TIMEOUT(access, device, 120)
{
	const struct row *row;
	enum place home;
	long got;

	for (home = FIRST; home < NR_PLACES; home++) {
		ASSERT_EQ(0, make_region(self, home, variant->where));
		ASSERT_EQ(0, peer_call(&self->subject, play_device,
				       home == variant->where, 0));
		for (row = device_rows;
		     row < device_rows + COUNT(device_rows); row++) {
			if (!row_applies(row, home == variant->where))
				continue;
			got = scene->results[row - device_rows];
			compare(_metadata, self, variant, DEVICE, row->what,
				result_of(letter_at(row->who, variant->who),
					  got), got);
		}
		end_region(self);
	}
	EXPECT_EQ(0, self->wrong);
}

static bool in_file(const char *path, const char *what)
{
	static char text[65536];

	return read_text(path, text, sizeof(text)) < 0 || strstr(text, what);
}

/* In the subject, in a namespace where the region has no name. */
static long tells_name(long fd, long b)
{
	struct shmchan_query q;
	char path[64];

	(void)b;
	if (query(fd, &q) || q.name[0])
		return 1;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%ld", fd);
	if (in_file(path, scene->created))
		return 2;
	if (op_listed(fd, CREATED, 0) != -ENODATA)
		return 3;
	if (join(fd, 0) < 0 || map(fd, WINDOW0, PAGE, RO) == MAP_FAILED)
		return -EBADMSG;
	return in_file("/proc/self/maps", scene->created) ? 4 : 0;
}

/* Nor does a capability tell what the region is called elsewhere. */
TEST_F(access, no_name_with_a_capability)
{
	enum place home;
	long fd;

	for (home = FIRST; home < NR_PLACES; home++) {
		if (home == variant->where)
			continue;
		self->cap = create_as(UID_OWNER, home, scene->created, 0666);
		ASSERT_LE(0, self->cap);
		fd = peer_give(&self->subject, self->cap);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, peer_call(&self->subject, tells_name, fd, 0));
		ASSERT_EQ(0, peer_call(&self->subject, peer_close, fd, 0));
		end_region(self);
	}
}

/* In the subject. */
static long publish_there(long fd, long b)
{
	(void)b;
	return publish(fd, scene->published[0], 0666, SHMCHAN_RIGHT_ALL);
}

/* What a subject publishes is to be seen where it is, and nowhere else. */
TEST_F(access, publishes_where_it_is)
{
	enum place place;
	int minted;
	long fd;

	self->cap = create_as(UID_OWNER, FIRST, scene->created, 0600);
	ASSERT_LE(0, self->cap);
	/* The one from CREATE keeps a name in the first namespace already. */
	fd = peer_give(&self->subject, self->cap);
	ASSERT_LE(0, fd);
	EXPECT_EQ(variant->where == FIRST ? 0 : -EXDEV,
		  peer_call(&self->subject, publish_there, fd, 0));
	ASSERT_LE(0, withdraw_published(self->cap));

	minted = mint(self->cap, SHMCHAN_RIGHT_ALL);
	ASSERT_LE(0, minted);
	fd = peer_give(&self->subject, minted);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_call(&self->subject, publish_there, fd, 0));
	for (place = FIRST; place < NR_PLACES; place++) {
		ASSERT_EQ(0, act_as(0, place));
		EXPECT_EQ(place == variant->where ? 0 : -ENODATA,
			  op_listed(-1, PUBLISHED, 0));
		ASSERT_EQ(0, act_end());
	}
}

/* --- the table itself --------------------------------------------------- */

/* Nothing is left out, and nothing is there twice. */
TEST(table_is_whole)
{
	enum subject who;
	enum place where;

	for (who = 0; who < NR_SUBJECTS; who++) {
		for (where = 0; where < NR_PLACES; where++) {
			EXPECT_EQ(1, rows_for(created_rows,
					      COUNT(created_rows), who, where))
				TH_LOG("%s, %s", casts[who].name,
				       place_name[where]);
			EXPECT_EQ(1, rows_for(published_rows,
					      COUNT(published_rows), who,
					      where))
				TH_LOG("%s, %s", casts[who].name,
				       place_name[where]);
		}
	}
	EXPECT_STREQ("", first_bad_row());
	EXPECT_GE(MANY_FDS, COUNT(capability_rows));
}

TEST_HARNESS_MAIN
