// SPDX-License-Identifier: GPL-2.0-only

/*
 * Locks and the like: handles of nothing, places of something else, and who it is
 * that keeps a try from what it wants.  All in words.
 */

#include <shmchan/condvar.h>
#include <shmchan/mutex.h>
#include <shmchan/once.h>

#include "party_fixture.h"

static struct shmchan_region *r, *r2;

static void forget(void)
{
	struct shmchan_region *none;

	CHECK_EQ(shmchan_region_open(&none, NULL, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no name (NULL) to open");
}

#define REFUSED(err, call, says) \
	do { \
		forget(); \
		CHECK_EQ((call), -(err)); \
		CHECK_SAYS(shmchan_error_detail(), (says)); \
	} while (0)

#define NOTHING(call)	REFUSED(EINVAL, call, "attach it first")

/* By a thread that has used locks before, and by one that has not. */
static void all_of_nothing(void)
{
	static struct shmchan_condvar cv;
	static struct shmchan_barrier b;
	static struct shmchan_permits p;
	static struct shmchan_rwlock l;
	static struct shmchan_signal s;
	static struct shmchan_mutex m;
	static struct shmchan_once o;
	uint32_t permit;

	NOTHING(shmchan_mutex_lock(&m));
	NOTHING(shmchan_mutex_trylock(&m));
	NOTHING(shmchan_mutex_timedlock(&m, MS));
	NOTHING(shmchan_mutex_unlock(&m));
	NOTHING(shmchan_mutex_consistent(&m));
	NOTHING(shmchan_mutex_consistent(NULL));
	NOTHING(shmchan_condvar_wait(&cv, &m));
	NOTHING(shmchan_condvar_timedwait(NULL, &m, 0));
	NOTHING(shmchan_condvar_signal(&cv));
	NOTHING(shmchan_condvar_broadcast(&cv));
	NOTHING(shmchan_once_begin(&o));
	NOTHING(shmchan_once_trybegin(&o));
	NOTHING(shmchan_once_end(&o));
	NOTHING(shmchan_once_end(NULL));
	NOTHING(shmchan_once_abandon(&o));
	REFUSED(EINVAL, shmchan_once_call(&o, NULL, NULL), "NULL");
	REFUSED(EINVAL, shmchan_once_call(NULL, NULL, NULL), "NULL");
	NOTHING(shmchan_rwlock_rdlock(&l));
	NOTHING(shmchan_rwlock_tryrdlock(NULL));
	NOTHING(shmchan_rwlock_rdunlock(&l));
	NOTHING(shmchan_rwlock_rdunlock(NULL));
	NOTHING(shmchan_rwlock_wrlock(&l));
	NOTHING(shmchan_rwlock_trywrlock(NULL));
	NOTHING(shmchan_rwlock_wrunlock(&l));
	NOTHING(shmchan_rwlock_wrunlock(NULL));
	NOTHING(shmchan_rwlock_consistent(&l));
	NOTHING(shmchan_rwlock_consistent(NULL));
	NOTHING(shmchan_permits_acquire(&p, &permit));
	NOTHING(shmchan_permits_tryacquire(NULL, &permit));
	NOTHING(shmchan_permits_release(&p, 0));
	NOTHING(shmchan_permits_release(NULL, 0));
	NOTHING(shmchan_permits_available(&p));
	NOTHING(shmchan_permits_available(NULL));
	NOTHING(shmchan_signal_post(&s, 1));
	NOTHING(shmchan_signal_post(NULL, 1));
	NOTHING(shmchan_signal_wait(&s));
	NOTHING(shmchan_signal_trywait(NULL));
	REFUSED(0, shmchan_signal_count(&s), "attach it first");
	NOTHING(shmchan_barrier_register(&b));
	NOTHING(shmchan_barrier_register(NULL));
	NOTHING(shmchan_barrier_unregister(&b));
	NOTHING(shmchan_barrier_unregister(NULL));
	NOTHING(shmchan_barrier_arrive(&b));
	NOTHING(shmchan_barrier_arrive(NULL));
	NOTHING(shmchan_barrier_arrive_and_wait(&b));
	NOTHING(shmchan_barrier_timedwait(NULL, 0));
	REFUSED(0, shmchan_barrier_phase(&b), "attach it first");
}

TEST(handles_of_nothing)
{
	struct shmchan_place place;
	struct shmchan_mutex m;

	all_of_nothing();
	r = pf_create(test_name("nothing"));
	place = pf_place(r, 0);
	CHECK_EQ(shmchan_mutex_attach(&m, &place), 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	all_of_nothing();
	shmchan_region_close(r);
}

union lock {
	struct shmchan_sync_object o;
	struct shmchan_mutex mutex;
	struct shmchan_condvar condvar;
	struct shmchan_once once;
	struct shmchan_rwlock rwlock;
	struct shmchan_permits permits;
	struct shmchan_signal signal;
	struct shmchan_barrier barrier;
};

static int mutex(union lock *l, const struct shmchan_place *place)
{
	return shmchan_mutex_attach(l ? &l->mutex : NULL, place);
}

static int condvar(union lock *l, const struct shmchan_place *place)
{
	return shmchan_condvar_attach(l ? &l->condvar : NULL, place);
}

static int once(union lock *l, const struct shmchan_place *place)
{
	return shmchan_once_attach(l ? &l->once : NULL, place);
}

static int rwlock(union lock *l, const struct shmchan_place *place)
{
	return shmchan_rwlock_attach(l ? &l->rwlock : NULL, place, NULL);
}

static int permits(union lock *l, const struct shmchan_place *place)
{
	return shmchan_permits_attach(l ? &l->permits : NULL, place, 3);
}

static int signals(union lock *l, const struct shmchan_place *place)
{
	return shmchan_signal_attach(l ? &l->signal : NULL, place);
}

static int barrier(union lock *l, const struct shmchan_place *place)
{
	return shmchan_barrier_attach(l ? &l->barrier : NULL, place, NULL);
}

static const struct type {
	const char *name;
	int (*attach)(union lock *l, const struct shmchan_place *place);
} types[] = {
	{ "mutex", mutex },
	{ "condition variable", condvar },
	{ "once", once },
	{ "rwlock", rwlock },
	{ "set of permits", permits },
	{ "signal", signals },
	{ "barrier", barrier },
};

#define NR		(sizeof(types) / sizeof(types[0]))
#define FOR_EACH(t)	for ((t) = types; (t) < types + NR; (t)++)

/* Whichever is refused leaves nothing, neither there nor in the handle. */
static void check_nothing(const union lock *l)
{
	const uint64_t *line = shmchan_region_at(r, PF_OBJECTS);
	int i;

	CHECK(!l->o.region);
	CHECK(!l->o.line);
	for (i = 0; i < 4 * 1024 / 8; i++)
		CHECK_EQ(line[i], 0);
}

TEST(places_of_all_types)
{
	struct shmchan_place good, place;
	const struct type *t;
	union lock l;

	r = pf_create(test_name("place"));
	good = pf_place(r, 0);
	FOR_EACH(t) {
		REFUSED(EINVAL, t->attach(NULL, &good), "NULL");
		REFUSED(EINVAL, t->attach(&l, NULL), "place is NULL");
		place = good;
		place.region = NULL;
		REFUSED(EINVAL, t->attach(&l, &place), "NULL");
		place = good;
		place.offset += 8;
		REFUSED(EINVAL, t->attach(&l, &place), "multiple of 64");
		check_nothing(&l);
		place = good;
		place.offset = ~63ULL;
		REFUSED(EINVAL, t->attach(&l, &place), "not in");
		place.offset = PF_CONTROL_AT;
		REFUSED(EACCES, t->attach(&l, &place), "SHMCHAN_SLOT_SHARED");
		place = good;
		place.doorbell = 0;
		REFUSED(EINVAL, t->attach(&l, &place), "doorbell 0");
		place.doorbell = PF_BELLS + 1;
		REFUSED(EINVAL, t->attach(&l, &place), "doorbell 5");
		check_nothing(&l);
	}
	shmchan_region_close(r);
}

TEST(each_type_as_every_other)
{
	struct shmchan_place place;
	const struct type *is, *as;
	union lock l, l2;

	FOR_EACH(is) {
		r = pf_create(test_name("type"));
		place = pf_place(r, 1);
		CHECK_EQ(is->attach(&l, &place), 0);
		FOR_EACH(as) {
			if (as == is) {
				CHECK_EQ(as->attach(&l2, &place), 0);
				continue;
			}
			REFUSED(EPROTO, as->attach(&l2, &place), is->name);
			CHECK_SAYS(shmchan_error_detail(), as->name);
			CHECK(!l2.o.region);
		}
		place.doorbell = 3;
		REFUSED(EPROTO, is->attach(&l2, &place),
			"doorbell 2 with the others, not 3");
		l.o.line->config += 1 << 8;
		place.doorbell = 2;
		REFUSED(EPROTO, is->attach(&l2, &place),
			"version 2, this program has version 1");
		shmchan_region_close(r);
	}
}

TEST(numbers_of_permits_and_parties)
{
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(.parties = 2);
	struct shmchan_place place;
	struct shmchan_permits p;
	struct shmchan_barrier b;

	r = pf_create(test_name("numbers"));
	place = pf_place(r, 0);
	REFUSED(EINVAL, shmchan_permits_attach(&p, &place, 0), "0 of them");
	REFUSED(EINVAL, shmchan_permits_attach(&p, &place,
					       SHMCHAN_PERMITS_MAX + 1),
		"4097 of them");
	CHECK_EQ(shmchan_permits_attach(&p, &place, 3), 0);
	REFUSED(EPROTO, shmchan_permits_attach(&p, &place, 4),
		"made for 3, not for 4");
	place = pf_place(r, 1);
	opts.parties = PF_SLOTS + 1;
	REFUSED(EINVAL, shmchan_barrier_attach(&b, &place, &opts), "9 parties");
	opts.parties = 2;
	CHECK_EQ(shmchan_barrier_attach(&b, &place, &opts), 0);
	opts.parties = 3;
	REFUSED(EPROTO, shmchan_barrier_attach(&b, &place, &opts),
		"made for 2, not for 3");
	shmchan_region_close(r);
}

/* Where cells cannot be, nothing is made: who comes next makes what it wants. */
TEST(cells_are_checked_first)
{
	static const struct {
		uint64_t offset;
		uint32_t stride;
		int err;
		const char *says;
	} bad[] = {
		{ 0, 64, EINVAL, "without cells_offset" },
		{ PF_PAGE(0) + 8, 4096, EINVAL, "multiple of 64" },
		{ PF_PAGE(0), 96, EINVAL, "power of two" },
		{ PF_PAGE(0), 0, EINVAL, "power of two" },
		{ PF_PAGE(1), 4096, EINVAL, "not in one area" },
		{ PF_CONTROL_AT + 64, 64, EACCES, "no window that we may" },
	};
	struct shmchan_place place;
	size_t i;

	r = pf_create(test_name("cells"));
	place = pf_place(r, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct shmchan_rwlock_opts ro = SHMCHAN_RWLOCK_OPTS(
			.cells_offset = bad[i].offset,
			.cells_stride = bad[i].stride);
		struct shmchan_barrier_opts bo = SHMCHAN_BARRIER_OPTS(
			.cells_offset = bad[i].offset,
			.cells_stride = bad[i].stride);
		union lock l;

		REFUSED(bad[i].err, shmchan_rwlock_attach(&l.rwlock, &place,
							  &ro), bad[i].says);
		check_nothing(&l);
		REFUSED(bad[i].err, shmchan_barrier_attach(&l.barrier, &place,
							   &bo), bad[i].says);
		check_nothing(&l);
	}
	shmchan_region_close(r);
}

/* Who holds what: this thread of the other member, which is slot 1. */

static struct shmchan_place place_of(struct shmchan_region *region)
{
	return pf_place(region, 0);
}

static char owner[64];

static const char *named(const char *before, const char *after)
{
	snprintf(owner, sizeof(owner), "%sslot %u (generation %u)%s", before,
		 r2->slot, r2->generation, after);
	return owner;
}

static void two_members(const char *name)
{
	r = pf_create(test_name(name));
	r2 = pf_open(test_name(name));
}

static void no_members(void)
{
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(a_try_says_who_has_it)
{
	struct shmchan_place place, place2;
	struct shmchan_mutex m, m2;
	struct shmchan_rwlock l, l2;
	struct shmchan_once o, o2;

	two_members("mutex");
	place = place_of(r);
	place2 = place_of(r2);
	CHECK_EQ(shmchan_mutex_attach(&m, &place), 0);
	CHECK_EQ(shmchan_mutex_attach(&m2, &place2), 0);
	CHECK_EQ(shmchan_mutex_lock(&m2), 0);
	REFUSED(EAGAIN, shmchan_mutex_trylock(&m),
		named("mutex: ", ", thread 1 has it"));
	REFUSED(ETIMEDOUT, shmchan_mutex_timedlock(&m, MS),
		named("mutex: ", ", thread 1 has it"));
	/* What comes later is not mixed up with that. */
	CHECK_EQ(shmchan_mutex_trylock(&m), -EAGAIN);
	REFUSED(EPERM, shmchan_mutex_unlock(&m), "unlock by slot 0");
	CHECK_EQ(shmchan_mutex_unlock(&m2), 0);
	no_members();

	two_members("once");
	place = place_of(r);
	place2 = place_of(r2);
	CHECK_EQ(shmchan_once_attach(&o, &place), 0);
	CHECK_EQ(shmchan_once_attach(&o2, &place2), 0);
	CHECK_EQ(shmchan_once_begin(&o2), SHMCHAN_ONCE_RUN);
	REFUSED(EAGAIN, shmchan_once_trybegin(&o),
		named("once: ", ", thread 1 is at it"));
	REFUSED(ETIMEDOUT, shmchan_once_timedbegin(&o, MS),
		named("once: ", ", thread 1 is at it"));
	CHECK_EQ(shmchan_once_end(&o2), 0);
	no_members();

	two_members("rwlock");
	place = place_of(r);
	place2 = place_of(r2);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, NULL), 0);
	CHECK_EQ(shmchan_rwlock_attach(&l2, &place2, NULL), 0);
	CHECK_EQ(shmchan_rwlock_wrlock(&l2), 0);
	REFUSED(EAGAIN, shmchan_rwlock_tryrdlock(&l), named("rwlock: ", ""));
	CHECK_SAYS(shmchan_error_detail(), "thread 1 has it for writing");
	REFUSED(ETIMEDOUT, shmchan_rwlock_timedrdlock(&l, MS),
		named("rwlock: ", ""));
	REFUSED(EAGAIN, shmchan_rwlock_trywrlock(&l), named("rwlock: ", ""));
	REFUSED(ETIMEDOUT, shmchan_rwlock_timedwrlock(&l, MS),
		named("rwlock: ", ""));
	CHECK_EQ(shmchan_rwlock_wrunlock(&l2), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&l2), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&l2), 0);
	REFUSED(EAGAIN, shmchan_rwlock_trywrlock(&l),
		named("rwlock: ", " has it for reading, 2 times"));
	REFUSED(ETIMEDOUT, shmchan_rwlock_timedwrlock(&l, MS),
		named("rwlock: ", " has it for reading, 2 times"));
	CHECK_EQ(shmchan_rwlock_rdunlock(&l2), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l2), 0);
	no_members();
}

TEST(a_try_says_what_is_missing)
{
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(.parties = 2);
	struct shmchan_place place, place2;
	struct shmchan_barrier b, b2;
	struct shmchan_permits p, p2;
	struct shmchan_signal s;
	uint32_t permit, other;

	two_members("permits");
	place = place_of(r);
	place2 = place_of(r2);
	CHECK_EQ(shmchan_permits_attach(&p, &place, 1), 0);
	CHECK_EQ(shmchan_permits_attach(&p2, &place2, 1), 0);
	CHECK_EQ(shmchan_permits_acquire(&p2, &other), 0);
	REFUSED(EAGAIN, shmchan_permits_tryacquire(&p, &permit),
		"all 1 are taken");
	REFUSED(ETIMEDOUT, shmchan_permits_timedacquire(&p, &permit, MS),
		"all 1 are taken");
	REFUSED(EINVAL, shmchan_permits_acquire(&p, NULL), "NULL");
	REFUSED(EPERM, shmchan_permits_release(&p, 0), "another has it");
	REFUSED(EINVAL, shmchan_permits_release(&p, 1), "no permit 1");
	CHECK_EQ(shmchan_permits_release(&p2, other), 0);
	/* Twice. */
	REFUSED(EPERM, shmchan_permits_release(&p2, other), "nobody has it");
	no_members();

	two_members("signal");
	place = place_of(r);
	CHECK_EQ(shmchan_signal_attach(&s, &place), 0);
	REFUSED(EAGAIN, shmchan_signal_trywait(&s), "count is 0");
	REFUSED(ETIMEDOUT, shmchan_signal_timedwait(&s, MS), "count was 0");
	no_members();

	two_members("barrier");
	place = place_of(r);
	place2 = place_of(r2);
	CHECK_EQ(shmchan_barrier_attach(&b, &place, &opts), 0);
	CHECK_EQ(shmchan_barrier_attach(&b2, &place2, &opts), 0);
	REFUSED(EPERM, shmchan_barrier_arrive(&b), "not a party");
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	REFUSED(EBUSY, shmchan_barrier_register(&b), "a party already");
	REFUSED(EAGAIN, shmchan_barrier_timedwait(&b, 0),
		"not so many have registered as it begins with, 2");
	CHECK_EQ(shmchan_barrier_register(&b2), 0);
	REFUSED(EAGAIN, shmchan_barrier_timedwait(&b, 0), "slot 1, for one");
	REFUSED(ETIMEDOUT, shmchan_barrier_timedwait(&b, MS),
		"slot 1, for one");
	CHECK_EQ(shmchan_barrier_arrive(&b2), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), 0);
	no_members();
}

TEST(a_child_of_fork)
{
	struct shmchan_place place;
	struct shmchan_barrier b;
	struct shmchan_signal s;
	pid_t pid;

	r = pf_create(test_name("child"));
	place = pf_place(r, 0);
	CHECK_EQ(shmchan_signal_attach(&s, &place), 0);
	place = pf_place(r, 1);
	CHECK_EQ(shmchan_barrier_attach(&b, &place, NULL), 0);
	/* By a thread without a number, too. */
	CHECK_EQ(shmchan_signal_count(&s), 0);
	CHECK_EQ(shmchan_barrier_phase(&b), 0);
	CHECK_EQ(shmchan_signal_post(&s, 5), 0);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), 0);
	CHECK_EQ(shmchan_signal_count(&s), 5);
	CHECK_EQ(shmchan_barrier_phase(&b), 1);
	pid = child_fork();
	if (!pid) {
		REFUSED(0, shmchan_signal_count(&s), "before fork");
		REFUSED(0, shmchan_barrier_phase(&b), "before fork");
		REFUSED(EOWNERDEAD, shmchan_signal_post(&s, 1), "before fork");
		REFUSED(EOWNERDEAD, shmchan_signal_trywait(&s), "before fork");
		REFUSED(EOWNERDEAD, shmchan_barrier_arrive(&b), "before fork");
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_signal_count(&s), 5);
	shmchan_region_close(r);
}

TEST_MAIN
