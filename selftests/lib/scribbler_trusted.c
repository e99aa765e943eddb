// SPDX-License-Identifier: GPL-2.0-only

/*
 * A work queue and locks beside a member that has gone mad: members trust each other,
 * so a call may say anything that it documents; but none crashes, hangs, or looks
 * beyond the object.
 */

#include <shmchan/barrier.h>
#include <shmchan/condvar.h>
#include <shmchan/mutex.h>
#include <shmchan/once.h>
#include <shmchan/permits.h>
#include <shmchan/rwlock.h>
#include <shmchan/signal.h>
#include <shmchan/workq.h>

#include "scribbler.h"

#define ITEMS		16U
#define SIZE		64U
#define SHORTLY		100000	/* ns */

/* ---- The work queue ---- */

static void open_queue(struct shmchan_workq *q, const char *tag)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = ITEMS, .item_size = SIZE,
		.nr_members = 4, .spin_ns = -1);

	CHECK_EQ(shmchan_workq_open(q, test_name(tag), &opts), 0);
}

static void mad_worker(struct scribbler *s, const char *tag)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	uint8_t bytes[SIZE] = { 0 };

	open_queue(&q, tag);
	scribbler_await(s);
	scribbler_aim(s, q.control, sizeof(*q.control));
	scribbler_aim(s, q.cells, 8ULL * ITEMS);
	scribbler_aim(s, q.items, q.item_stride * ITEMS);
	for (;;) {
		(void)shmchan_workq_put(&q, bytes, scribbler_pick(&s->rnd, SIZE),
					0);
		scribbler_fire(s, 0);
		if (!shmchan_workq_take(&q, &item, 0))
			(void)shmchan_workq_ack(&q, &item);
		scribbler_fire(s, 0);
	}
}

static void look_at(const struct shmchan_workq *q,
		    const struct shmchan_workq_item *item)
{
	CHECK((uint8_t *)item->data >= q->items);
	CHECK((uint8_t *)item->data + item->length <=
	      q->items + q->item_stride * ITEMS);
	CHECK_LE(item->length, SIZE);
	scribbler_look(item->data, item->length);
}

/* 0 if something was put or taken. */
static int work_once(struct scribbler_round *r, struct shmchan_workq *q,
		     struct shmchan_workq_item *items)
{
	struct shmchan_workq_item *item = &items[scribbler_choose(r, ITEMS)];
	int64_t timeout = scribbler_choose(r, 64) ? 0 : SHORTLY;
	struct shmchan_workq_claim claims[ITEMS];
	struct shmchan_workq_stat stat;
	uint8_t bytes[SIZE] = { 0 };
	int err;

	switch (scribbler_choose(r, 10)) {
	case 0:
	case 1:
		err = shmchan_workq_put(q, bytes, scribbler_choose(r, SIZE),
					timeout);
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT, ESTALE);
		return err;
	case 2:
		err = shmchan_workq_reserve(q, item, timeout);
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT);
		if (!err)
			look_at(q, item);
		return err;
	case 3:
		err = shmchan_workq_commit(q, item, scribbler_choose(r, SIZE));
		break;
	case 4:
		err = shmchan_workq_abort(q, item);
		break;
	case 5:
	case 6:
		err = shmchan_workq_take(q, item, timeout);
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT);
		if (!err)
			look_at(q, item);
		return err;
	case 7:
		err = shmchan_workq_nack(q, item, 0);
		break;
	case 8:
		err = shmchan_workq_claims(q, claims, ITEMS);
		CHECK_LE(err, (int)ITEMS);
		CHECK_EQ(shmchan_workq_get_stat(q, &stat), 0);
		return -EAGAIN;
	default:
		err = shmchan_workq_ack(q, item);
		break;
	}
	SCRIBBLER_ERRORS(err, EMSGSIZE, EINVAL, ESTALE);
	return -EAGAIN;
}

static void workers(struct scribbler_round *r)
{
	struct shmchan_workq_item items[2][ITEMS] = { 0 };
	struct shmchan_workq q[2];
	uint32_t i;

	open_queue(&q[0], r->tag);
	open_queue(&q[1], r->tag);
	scribbler_are_there(r);
	while (scribbler_goes_on(r)) {
		i = scribbler_choose(r, 2);
		if (!work_once(r, &q[i], items[i]))
			scribbler_done(r);
	}
	shmchan_workq_close(&q[0]);
	shmchan_workq_close(&q[1]);
}

TEST_LIMIT(work_queues, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"member of a work queue", mad_worker, workers });
}

/* ---- Locks ---- */

#define PERMITS		8U
#define UNDER_FIRE	7U	/* objects, the first ones ... */
#define OBJECTS		(UNDER_FIRE + 1)	/* ... and one that is not */

struct member {
	struct shmchan_sync sync;
	struct shmchan_mutex mutex, spared;
	struct shmchan_condvar cv;
	struct shmchan_rwlock rw;
	struct shmchan_permits permits;
	struct shmchan_barrier barrier;
	struct shmchan_once once;
	struct shmchan_signal signal;
};

static void enter(struct member *m, const char *tag)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 4, .nr_objects = OBJECTS,
		.spin_ns = -1);
	struct shmchan_barrier_opts parties = SHMCHAN_BARRIER_OPTS(.parties = 2);
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_open(&m->sync, test_name(tag), &opts), 0);
	CHECK_EQ(shmchan_mutex_at(&m->mutex, &m->sync, 0), 0);
	CHECK_EQ(shmchan_condvar_at(&m->cv, &m->sync, 1), 0);
	CHECK_EQ(shmchan_sync_place(&m->sync, 2, &place), 0);
	CHECK_EQ(shmchan_rwlock_attach(&m->rw, &place, NULL), 0);
	CHECK_EQ(shmchan_sync_place(&m->sync, 3, &place), 0);
	CHECK_EQ(shmchan_permits_attach(&m->permits, &place, PERMITS), 0);
	CHECK_EQ(shmchan_sync_place(&m->sync, 4, &place), 0);
	CHECK_EQ(shmchan_barrier_attach(&m->barrier, &place, &parties), 0);
	CHECK_EQ(shmchan_once_at(&m->once, &m->sync, 5), 0);
	CHECK_EQ(shmchan_sync_place(&m->sync, 6, &place), 0);
	CHECK_EQ(shmchan_signal_attach(&m->signal, &place), 0);
	CHECK_EQ(shmchan_mutex_at(&m->spared, &m->sync, UNDER_FIRE), 0);
}

/*
 * The mutex of a wait is locked again without a limit: under fire it could be a living
 * member's that has never heard of it.
 */
static int wait_for_condition(struct member *m, int64_t timeout)
{
	int err = shmchan_mutex_trylock(&m->spared);

	if (err)
		return err;
	err = shmchan_condvar_timedwait(&m->cv, &m->spared, timeout);
	CHECK_EQ(shmchan_mutex_unlock(&m->spared), 0);
	return err;
}

static int call(struct member *m, uint32_t what, uint32_t arg, int64_t timeout)
{
	uint32_t permit = 0;
	int err;

	switch (what % 20) {
	case 0:
		return shmchan_mutex_timedlock(&m->mutex, timeout);
	case 1:
		return shmchan_mutex_unlock(&m->mutex);
	case 2:
		return shmchan_mutex_consistent(&m->mutex);
	case 3:
		return wait_for_condition(m, timeout);
	case 4:
		return shmchan_condvar_broadcast(&m->cv);
	case 5:
		return shmchan_rwlock_timedrdlock(&m->rw, timeout);
	case 6:
		return shmchan_rwlock_rdunlock(&m->rw);
	case 7:
		return shmchan_rwlock_timedwrlock(&m->rw, timeout);
	case 8:
		return shmchan_rwlock_wrunlock(&m->rw);
	case 9:
		return shmchan_rwlock_consistent(&m->rw);
	case 10:
		err = shmchan_permits_timedacquire(&m->permits, &permit,
						   timeout);
		CHECK(err || permit < PERMITS);
		return err;
	case 11:
		return shmchan_permits_release(&m->permits, arg % (PERMITS + 1));
	case 12:
		err = shmchan_permits_available(&m->permits);
		CHECK_LE(err, (int)PERMITS);
		return err < 0 ? err : -EAGAIN;
	case 13:
		return shmchan_barrier_register(&m->barrier);
	case 14:
		return shmchan_barrier_unregister(&m->barrier);
	case 15:
		return shmchan_barrier_timedwait(&m->barrier, timeout);
	case 16:
		err = shmchan_once_timedbegin(&m->once, timeout);
		return err > 0 ? 0 : err;
	case 17:
		return arg % 2 ? shmchan_once_end(&m->once) :
				 shmchan_once_abandon(&m->once);
	case 18:
		return shmchan_signal_post(&m->signal, arg % 8);
	default:
		return shmchan_signal_timedwait(&m->signal, timeout);
	}
}

static void mad_member(struct scribbler *s, const char *tag)
{
	static struct member m;

	enter(&m, tag);
	/* What an object is, is looked at as one attaches. */
	scribbler_await(s);
	scribbler_aim(s, shmchan_region_at(m.sync.region,
					   m.sync.objects_offset),
		      m.sync.stride * UNDER_FIRE);
	for (;;) {
		uint32_t what = scribbler_pick(&s->rnd, 20);

		if (what != 3)
			(void)call(&m, what, what, 0);
		scribbler_fire(s, 0);
	}
}

static void sync_members(struct scribbler_round *r)
{
	static struct member m[2];
	int err;

	enter(&m[0], r->tag);
	enter(&m[1], r->tag);
	scribbler_are_there(r);
	while (scribbler_goes_on(r)) {
		err = call(&m[scribbler_choose(r, 2)], scribbler_choose(r, 20),
			   scribbler_choose(r, 16),
			   scribbler_choose(r, 64) ? 0 : SHORTLY);
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT, EPERM, EDEADLK,
				 EOWNERDEAD, ENOTRECOVERABLE, EINVAL, EBUSY,
				 EBADMSG, EOVERFLOW);
		if (!err)
			scribbler_done(r);
	}
	shmchan_sync_close(&m[0].sync);
	shmchan_sync_close(&m[1].sync);
}

TEST_LIMIT(locks, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"member of locks", mad_member, sync_members });
}

TEST_MAIN
