// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Numbers for the threads of this process that own cells.
 *
 * A cell has twelve bits for the thread, and only the member itself looks at them.
 * So they are a process's own affair: a bitmap of the numbers that are taken, from
 * 1 up; a thread that needs one takes the first that is free, and its end gives it
 * back.  A child of fork has one thread, whose number is its own again to take.
 */

#include <errno.h>
#include <pthread.h>

#include "sync_private.h"

#define NUMBERS		(SHMCHAN_CELL_MAX_THREAD + 1)
#define WORDS		(NUMBERS / 64)

__thread uint32_t shmchan_sync__thread_number;

static uint64_t taken[WORDS];		/* bit 0 of all is nobody's number */
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int no_key;

static void give_back(void *unused)
{
	uint32_t number = shmchan_sync__thread_number;
	uint64_t *word = &taken[number / 64], old;

	(void)unused;
	if (!number)
		return;
	/* A destructor that comes after us and locks is given another. */
	shmchan_sync__thread_number = 0;
	old = shmchan_load_relaxed(word);
	while (!shmchan_cas(word, &old, old & ~(1ULL << number % 64)))
		;
}

/* Those who had the other numbers are not here. */
static void after_fork_child(void)
{
	uint32_t i;

	shmchan_sync__thread_number = 0;
	for (i = 0; i < WORDS; i++)
		shmchan_store_relaxed(&taken[i], 0);
}

static void prepare(void)
{
	no_key = pthread_key_create(&key, give_back);
	pthread_atfork(NULL, NULL, after_fork_child);
}

/* The first free one; 0: there is none. */
static uint32_t take(void)
{
	uint64_t old, free;
	uint32_t i;

	for (i = 0; i < WORDS; i++) {
		old = shmchan_load_relaxed(&taken[i]);
		for (;;) {
			free = ~old & (i ? ~0ULL : ~1ULL);
			if (!free)
				break;
			free &= -free;
			if (shmchan_cas(&taken[i], &old, old | free))
				return 64 * i + (uint32_t)__builtin_ctzll(free);
		}
	}
	return 0;
}

int shmchan__thread_number(void)
{
	uint32_t number = shmchan_sync__thread_number;

	if (number)
		return 0;
	pthread_once(&once, prepare);
	number = take();
	if (!number)
		return shmchan__fail(EUSERS,
			"sync: %u threads of this process have used locks and not ended: no more can",
			NUMBERS - 1);
	/* Without a key it is not given back when the thread ends. */
	if (!no_key)
		pthread_setspecific(key, &taken[number / 64]);
	shmchan_sync__thread_number = number;
	return 0;
}
