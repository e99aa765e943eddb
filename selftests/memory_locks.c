// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared futexes work in a region, and so does what the C library makes of
 * them for several processes.
 */

#include "../kselftest_harness.h"

#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>

#include "test_window.h"

/* In the shared window. */
struct objects {
	uint32_t word;
	uint32_t go;
	pthread_mutex_t mutex;
	pthread_mutex_t robust;
	pthread_mutex_t robust_pi;
	pthread_cond_t cond;
	pthread_rwlock_t rwlock;
	pthread_barrier_t barrier;
	sem_t sem;
};

/* In its last page, so that the folio's first page is not enough. */
static struct objects *objects(char *shared)
{
	return (struct objects *)(shared + folio - PAGE);
}

/* In the peer. */
static struct objects *theirs(void)
{
	return objects(peer_shared);
}

static struct timespec patience(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += PATIENCE_MS / 1000;
	return ts;
}

static int make_mutex(pthread_mutex_t *mutex, bool robust, int protocol)
{
	pthread_mutexattr_t attr;

	return pthread_mutexattr_init(&attr) ||
	       pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ||
	       pthread_mutexattr_setprotocol(&attr, protocol) ||
	       pthread_mutexattr_setrobust(&attr, robust ?
		       PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED) ||
	       pthread_mutex_init(mutex, &attr);
}

static int make_objects(struct objects *o)
{
	pthread_condattr_t cond;
	pthread_rwlockattr_t rwlock;
	pthread_barrierattr_t barrier;

	return make_mutex(&o->mutex, false, PTHREAD_PRIO_NONE) ||
	       make_mutex(&o->robust, true, PTHREAD_PRIO_NONE) ||
	       make_mutex(&o->robust_pi, true, PTHREAD_PRIO_INHERIT) ||
	       pthread_condattr_init(&cond) ||
	       pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED) ||
	       pthread_cond_init(&o->cond, &cond) ||
	       pthread_rwlockattr_init(&rwlock) ||
	       pthread_rwlockattr_setpshared(&rwlock,
					     PTHREAD_PROCESS_SHARED) ||
	       pthread_rwlock_init(&o->rwlock, &rwlock) ||
	       pthread_barrierattr_init(&barrier) ||
	       pthread_barrierattr_setpshared(&barrier,
					      PTHREAD_PROCESS_SHARED) ||
	       pthread_barrier_init(&o->barrier, &barrier, 2) ||
	       sem_init(&o->sem, 1, 0);
}

static long peer_futex_wait(long value, long b)
{
	uint32_t *word = &theirs()->word;

	(void)b;
	if (syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0))
		return -errno;
	return *word;
}

TEST_F(memory, futex)
{
	uint32_t *word = &objects(self->shared)->word;

	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	EXPECT_EQ(-EAGAIN, peer_call(&self->peer, peer_futex_wait, 1, 0));
	peer_send(&self->peer, peer_futex_wait, 0, 0);
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	__atomic_store_n(word, 5, __ATOMIC_SEQ_CST);
	EXPECT_TRUE(eventually(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL,
				       NULL, 0) == 1));
	EXPECT_EQ(5, peer_answer(&self->peer, PATIENCE_MS));
}

/* In the peer: the mutex that lies so far into the objects. */
static pthread_mutex_t *mutex_at(long at)
{
	return (pthread_mutex_t *)((char *)theirs() + at);
}

static long peer_lock(long at, long b)
{
	(void)b;
	return pthread_mutex_lock(mutex_at(at));
}

static long peer_unlock(long at, long b)
{
	(void)b;
	return pthread_mutex_unlock(mutex_at(at));
}

#define expect_mutex(mutex, at) do {					\
	struct timespec _until = patience();				\
									\
	EXPECT_EQ(0, pthread_mutex_lock(mutex));			\
	peer_send(&self->peer, peer_lock, at, 0);			\
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));		\
	EXPECT_EQ(0, pthread_mutex_unlock(mutex));			\
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));		\
	EXPECT_EQ(EBUSY, pthread_mutex_trylock(mutex));			\
	EXPECT_EQ(0, peer_call(&self->peer, peer_unlock, at, 0));	\
	EXPECT_EQ(0, pthread_mutex_timedlock(mutex, &_until));		\
	EXPECT_EQ(0, pthread_mutex_unlock(mutex));			\
} while (0)

TEST_F(memory, mutex)
{
	struct objects *o = objects(self->shared);

	ASSERT_EQ(0, make_objects(o));
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	expect_mutex(&o->mutex, offsetof(struct objects, mutex));
	expect_mutex(&o->robust, offsetof(struct objects, robust));
	expect_mutex(&o->robust_pi, offsetof(struct objects, robust_pi));
}

static void *kill_soon(void *arg)
{
	usleep(50000);
	kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

/* The owner is killed: before somebody wants the mutex, or meanwhile. */
#define expect_owner_died(mutex, at) do {				\
	struct timespec _until = patience();				\
	pthread_t _killer;						\
									\
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));		\
	ASSERT_EQ(0, peer_call(&self->peer, peer_lock, at, 0));		\
	peer_kill(&self->peer);						\
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_timedlock(mutex, &_until));	\
	EXPECT_EQ(0, pthread_mutex_consistent(mutex));			\
	EXPECT_EQ(0, pthread_mutex_unlock(mutex));			\
									\
	ASSERT_EQ(0, peer_start(&self->peer));				\
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));		\
	ASSERT_EQ(0, peer_call(&self->peer, peer_lock, at, 0));		\
	ASSERT_EQ(0, pthread_create(&_killer, NULL, kill_soon,		\
				    &self->peer.pid));			\
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_timedlock(mutex, &_until));	\
	EXPECT_EQ(0, pthread_mutex_consistent(mutex));			\
	EXPECT_EQ(0, pthread_mutex_unlock(mutex));			\
	EXPECT_EQ(0, pthread_mutex_lock(mutex));			\
	EXPECT_EQ(0, pthread_mutex_unlock(mutex));			\
	EXPECT_EQ(0, pthread_join(_killer, NULL));			\
	peer_reap(&self->peer);						\
} while (0)

TEST_F(memory, mutex_of_the_dead)
{
	struct objects *o = objects(self->shared);

	ASSERT_EQ(0, make_objects(o));
	expect_owner_died(&o->robust, offsetof(struct objects, robust));
	ASSERT_EQ(0, peer_start(&self->peer));
	expect_owner_died(&o->robust_pi, offsetof(struct objects, robust_pi));
}

/* In the peer: until @go is @value. */
static long peer_cond_wait(long value, long b)
{
	struct objects *o = theirs();
	int ret;

	(void)b;
	ret = pthread_mutex_lock(&o->mutex);
	while (!ret && o->go != value)
		ret = pthread_cond_wait(&o->cond, &o->mutex);
	if (!ret)
		ret = pthread_mutex_unlock(&o->mutex);
	return ret;
}

static long peer_cond_signal(long value, long b)
{
	struct objects *o = theirs();
	int ret;

	(void)b;
	ret = pthread_mutex_lock(&o->mutex);
	if (ret)
		return ret;
	o->go = value;
	ret = pthread_cond_signal(&o->cond);
	return ret ? ret : pthread_mutex_unlock(&o->mutex);
}

TEST_F(memory, condition)
{
	struct objects *o = objects(self->shared);
	struct timespec until = patience();

	ASSERT_EQ(0, make_objects(o));
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	peer_send(&self->peer, peer_cond_wait, 1, 0);
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	EXPECT_EQ(0, pthread_mutex_timedlock(&o->mutex, &until));
	o->go = 1;
	EXPECT_EQ(0, pthread_cond_broadcast(&o->cond));
	EXPECT_EQ(0, pthread_mutex_unlock(&o->mutex));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));

	EXPECT_EQ(0, pthread_mutex_lock(&o->mutex));
	peer_send(&self->peer, peer_cond_signal, 2, 0);
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	while (o->go != 2)
		ASSERT_EQ(0, pthread_cond_timedwait(&o->cond, &o->mutex,
						    &until));
	EXPECT_EQ(0, pthread_mutex_unlock(&o->mutex));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

static long peer_rdlock(long a, long b)
{
	(void)a;
	(void)b;
	return pthread_rwlock_rdlock(&theirs()->rwlock);
}

static long peer_wrlock(long a, long b)
{
	(void)a;
	(void)b;
	return pthread_rwlock_wrlock(&theirs()->rwlock);
}

static long peer_rwunlock(long a, long b)
{
	(void)a;
	(void)b;
	return pthread_rwlock_unlock(&theirs()->rwlock);
}

TEST_F(memory, rwlock)
{
	struct objects *o = objects(self->shared);
	struct timespec until = patience();

	ASSERT_EQ(0, make_objects(o));
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	EXPECT_EQ(0, pthread_rwlock_rdlock(&o->rwlock));
	EXPECT_EQ(0, peer_call(&self->peer, peer_rdlock, 0, 0));
	EXPECT_EQ(EBUSY, pthread_rwlock_trywrlock(&o->rwlock));
	EXPECT_EQ(0, peer_call(&self->peer, peer_rwunlock, 0, 0));
	peer_send(&self->peer, peer_wrlock, 0, 0);
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	EXPECT_EQ(0, pthread_rwlock_unlock(&o->rwlock));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(EBUSY, pthread_rwlock_tryrdlock(&o->rwlock));
	EXPECT_EQ(0, peer_call(&self->peer, peer_rwunlock, 0, 0));
	EXPECT_EQ(0, pthread_rwlock_timedwrlock(&o->rwlock, &until));
	EXPECT_EQ(0, pthread_rwlock_unlock(&o->rwlock));
}

static long peer_barrier(long a, long b)
{
	(void)a;
	(void)b;
	return pthread_barrier_wait(&theirs()->barrier);
}

TEST_F(memory, barrier)
{
	struct objects *o = objects(self->shared);
	long here, there;
	int round;

	ASSERT_EQ(0, make_objects(o));
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	for (round = 0; round < 3; round++) {
		peer_send(&self->peer, peer_barrier, 0, 0);
		EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 20));
		here = pthread_barrier_wait(&o->barrier);
		there = peer_answer(&self->peer, PATIENCE_MS);
		/* One of them is told that it was the one. */
		EXPECT_EQ(PTHREAD_BARRIER_SERIAL_THREAD, here + there);
	}
}

static long peer_sem_wait(long a, long b)
{
	(void)a;
	(void)b;
	return sem_wait(&theirs()->sem) ? -errno : 0;
}

static long peer_sem_post(long a, long b)
{
	(void)a;
	(void)b;
	return sem_post(&theirs()->sem) ? -errno : 0;
}

TEST_F(memory, semaphore)
{
	struct objects *o = objects(self->shared);
	struct timespec until = patience();

	ASSERT_EQ(0, make_objects(o));
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	peer_send(&self->peer, peer_sem_wait, 0, 0);
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	EXPECT_EQ(0, sem_post(&o->sem));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(-1, sem_trywait(&o->sem));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, peer_call(&self->peer, peer_sem_post, 0, 0));
	EXPECT_EQ(0, sem_timedwait(&o->sem, &until));
}

TEST_HARNESS_MAIN
