// SPDX-License-Identifier: GPL-2.0-only

/*
 * Locks and their kin, of which all words may be anything: members trust each
 * other, but a mad one crashes nobody, and keeps nobody busy for ever.
 */

#include <shmchan/barrier.h>
#include <shmchan/condvar.h>
#include <shmchan/mutex.h>
#include <shmchan/once.h>
#include <shmchan/permits.h>
#include <shmchan/rwlock.h>
#include <shmchan/signal.h>

#include "kept.h"

#define OBJECTS		7
#define MEMBERS		3
#define PERMITS		8

struct member {
	struct shmchan_sync sync;
	struct shmchan_mutex mutex;
	struct shmchan_condvar cv;
	struct shmchan_rwlock rw;
	struct shmchan_permits permits;
	struct shmchan_barrier barrier;
	struct shmchan_once once;
	struct shmchan_signal signal;
};

static struct fuzz_kept kept;
static struct member members[MEMBERS];

static void enter(struct member *m, const char *name)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = MEMBERS, .nr_objects = OBJECTS,
		.spin_ns = -1);
	struct shmchan_barrier_opts parties = SHMCHAN_BARRIER_OPTS(.parties = 2);
	struct shmchan_place place;

	FUZZ_CHECK(!shmchan_sync_open(&m->sync, name, &opts));
	FUZZ_CHECK(!shmchan_mutex_at(&m->mutex, &m->sync, 0));
	FUZZ_CHECK(!shmchan_condvar_at(&m->cv, &m->sync, 1));
	FUZZ_CHECK(!shmchan_sync_place(&m->sync, 2, &place));
	FUZZ_CHECK(!shmchan_rwlock_attach(&m->rw, &place, NULL));
	FUZZ_CHECK(!shmchan_sync_place(&m->sync, 3, &place));
	FUZZ_CHECK(!shmchan_permits_attach(&m->permits, &place, PERMITS));
	FUZZ_CHECK(!shmchan_sync_place(&m->sync, 4, &place));
	FUZZ_CHECK(!shmchan_barrier_attach(&m->barrier, &place, &parties));
	FUZZ_CHECK(!shmchan_once_at(&m->once, &m->sync, 5));
	FUZZ_CHECK(!shmchan_sync_place(&m->sync, 6, &place));
	FUZZ_CHECK(!shmchan_signal_attach(&m->signal, &place));
}

static void prepare(void)
{
	const char *name = fuzz_name();
	int i;

	for (i = 0; i < MEMBERS; i++)
		enter(&members[i], name);
	fuzz_keep(&kept, members, sizeof(members));
	fuzz_keep_region(&kept, members[0].sync.region);
}

/*
 * Locking again has no limit: a mutex that a mad peer takes while a waiter is without
 * it is waited for until that peer ends, and here none does.
 */
static int condvar_wait(struct member *m)
{
	/* The peer has a view of its own. */
	const uint8_t *mutex = kept.all + m->mutex.o.offset;
	const uint8_t *where = (const uint8_t *)fuzz.where;

	if (fuzz.countdown && where >= mutex && where < mutex + SHMCHAN_MUTEX_SIZE)
		fuzz.countdown = 0;
	return shmchan_condvar_timedwait(&m->cv, &m->mutex, 0);
}

/* The thread and so all that it has is the same in all of them. */
static void call(struct member *m, uint8_t op, uint8_t arg)
{
	uint32_t permit = 0;
	int err;

	switch (op % 20) {
	case 0:
		err = shmchan_mutex_trylock(&m->mutex);
		break;
	case 1:
		err = shmchan_mutex_unlock(&m->mutex);
		break;
	case 2:
		err = shmchan_mutex_consistent(&m->mutex);
		break;
	case 3:
		err = condvar_wait(m);
		break;
	case 4:
		err = shmchan_condvar_broadcast(&m->cv);
		break;
	case 5:
		err = shmchan_rwlock_tryrdlock(&m->rw);
		break;
	case 6:
		err = shmchan_rwlock_rdunlock(&m->rw);
		break;
	case 7:
		err = shmchan_rwlock_trywrlock(&m->rw);
		break;
	case 8:
		err = shmchan_rwlock_wrunlock(&m->rw);
		break;
	case 9:
		err = shmchan_rwlock_consistent(&m->rw);
		break;
	case 10:
		err = shmchan_permits_tryacquire(&m->permits, &permit);
		FUZZ_CHECK(err || permit < PERMITS);
		break;
	case 11:
		err = shmchan_permits_release(&m->permits, arg % (PERMITS + 1));
		break;
	case 12:
		err = shmchan_permits_available(&m->permits);
		FUZZ_CHECK(err <= PERMITS);
		break;
	case 13:
		err = shmchan_barrier_register(&m->barrier);
		break;
	case 14:
		err = shmchan_barrier_unregister(&m->barrier);
		break;
	case 15:
		err = arg & 1 ? shmchan_barrier_arrive(&m->barrier) :
		      shmchan_barrier_timedwait(&m->barrier, 0);
		break;
	case 16:
		err = shmchan_once_trybegin(&m->once);
		break;
	case 17:
		err = arg & 1 ? shmchan_once_end(&m->once) :
		      shmchan_once_abandon(&m->once);
		break;
	case 18:
		err = shmchan_signal_post(&m->signal, arg);
		break;
	default:
		err = shmchan_signal_timedwait(&m->signal, 0);
		break;
	}
	FUZZ_ERRORS(err, EAGAIN, EPERM, EDEADLK, EOWNERDEAD, ENOTRECOVERABLE,
		    EINVAL, EBUSY, EBADMSG, EOVERFLOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	const struct shmchan_sync *s = &members[1].sync;
	uint8_t op;
	int i;

	if (!kept.all)
		prepare();
	fuzz_put_back(&kept);
	fuzz_begin();
	for (i = 0; i < OBJECTS; i++)
		fuzz_hostile(kept.all + s->objects_offset +
			     s->stride * (uint64_t)i, s->stride);
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		if (op >= 0xf0)
			fuzz_slot(&kept, 2, op & 1 ? SHMCHAN_SLOT_LIVE :
				  SHMCHAN_SLOT_DIED);
		else if (op < 0xa0 || !shmchan_region_check(
					members[2].sync.region))
			call(&members[op / 80], op % 80, fuzz_u8(&in));
	}
	return 0;
}
