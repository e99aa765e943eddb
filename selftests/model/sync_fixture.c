// SPDX-License-Identifier: GPL-2.0-only
/* The library's side of synchronisation objects in models.  See sync_fixture.h. */
#include <string.h>

#include "lib/sync_private.h"
#include "sync_fixture.h"

#define PLAIN_OFFSET	(16 << 10)

enum sync_flaw sync_flaw;
uint32_t sync_bells;

static struct shmchan_region regions[EXPLORER_THREADS];

void sync_setup(void)
{
	uint32_t i;

	kernel_setup();
	sync_flaw = SYNC_RIGHT;
	sync_bells = 1;
	for (i = 0; i < EXPLORER_THREADS; i++)
		regions[i] = (struct shmchan_region){
			.base = explorer_memory,
			.status_offset = KERNEL_STATUS,
			.nr_slots = KERNEL_SLOTS, .nr_doorbells = 2,
			.slot = i, .generation = 1,
		};
}

void sync_attach(struct shmchan_sync_object *o, uint32_t slot, uint64_t offset,
		 uint32_t doorbell)
{
	memset(o, 0, sizeof(*o));
	o->region = &regions[slot];
	o->offset = offset;
	o->line = shmchan_region_at(o->region, offset);
	o->slots = kernel_slot_word(0);
	o->doorbell = doorbell;
	o->self = shmchan_cell(1, slot, 0, 0);
}

static uint64_t *plain(unsigned int i)
{
	return (uint64_t *)(explorer_memory + PLAIN_OFFSET + 64UL * i);
}

uint64_t sync_plain_get(unsigned int i)
{
	uint64_t value;

	shmchan_copy_out(&value, plain(i), 8);
	return value;
}

void sync_plain_set(unsigned int i, uint64_t value)
{
	shmchan_copy_in(plain(i), &value, 8);
}

uint64_t sync_plain_final(unsigned int i)
{
	return explorer_final(plain(i), 8);
}

/* The kernel. */

#define SLEEPERS	3
#define ELEMS		3
#define QUEUE_OFFSET	(24 << 10)

struct elem {
	const uint64_t *word;
	uint64_t believed;
};

static uint64_t *bell_lock(uint32_t bell)
{
	return (uint64_t *)(explorer_memory + QUEUE_OFFSET + 1024UL * bell);
}

/* Of a sleeper: 0 if it is awake, else its number of conditions; and those. */
static uint64_t *queued(uint32_t bell, unsigned int me)
{
	return bell_lock(bell) + 16 + 8UL * me;
}

static void count(uint32_t bell, int by)
{
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_RLX),
		     kernel_waiters(bell), 4, (uint64_t)by);
}

static void off_queue(uint32_t bell, unsigned int me)
{
	shmchan_store_release(queued(bell, me), 0);
	count(bell, -1);
}

static int changed(const struct elem *elem, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (shmchan_load_relaxed((uint64_t *)elem[i].word) !=
		    elem[i].believed)
			return 1;
	return 0;
}

/* Returns whether the time was up. */
static int kernel_sleep(uint32_t bell, unsigned int me,
			const struct elem *elem, uint32_t nr, int ends)
{
	int over = 0;
	uint32_t i;

	explorer_syscall();
	explorer_lock(bell_lock(bell));
	for (i = 0; i < nr; i++) {
		shmchan_store_relaxed(queued(bell, me) + 1 + 2 * i,
				      (const uint8_t *)elem[i].word -
				      explorer_memory);
		shmchan_store_relaxed(queued(bell, me) + 2 + 2 * i,
				      elem[i].believed);
	}
	shmchan_store_relaxed(queued(bell, me), nr);
	count(bell, 1);
	shmchan_fence_seq_cst();
	if (changed(elem, nr)) {
		explorer_cover("changed before it slept");
		off_queue(bell, me);
		explorer_unlock(bell_lock(bell));
	} else if (ends) {
		explorer_unlock(bell_lock(bell));
		explorer_lock(bell_lock(bell));
		/* That a wake-up beats the end is not reckoned with. */
		if (shmchan_load_relaxed(queued(bell, me)))
			off_queue(bell, me);
		over = 1;
		explorer_unlock(bell_lock(bell));
	} else {
		explorer_unlock(bell_lock(bell));
		explorer_await(queued(bell, me), EXPLORER_ACQ, 0);
		explorer_cover("slept and was woken");
	}
	explorer_sysret();
	return over;
}

static int wake(uint32_t bell, unsigned int me)
{
	uint64_t nr = shmchan_load_relaxed(queued(bell, me));
	struct elem elem[ELEMS];
	unsigned int i;

	for (i = 0; i < nr && i < ELEMS; i++) {
		elem[i].word = (uint64_t *)(explorer_memory +
			shmchan_load_relaxed(queued(bell, me) + 1 + 2 * i));
		elem[i].believed =
			shmchan_load_relaxed(queued(bell, me) + 2 + 2 * i);
	}
	if (!changed(elem, i))
		return 0;
	off_queue(bell, me);
	return 1;
}

/* back: which one has slept longest, if two do. */
static void walk(uint32_t bell, uint32_t max_wake, unsigned int back)
{
	uint32_t woken = 0;
	unsigned int i;

	explorer_lock(bell_lock(bell));
	for (i = 0; i < SLEEPERS; i++)
		if (wake(bell, back ? SLEEPERS - 1 - i : i) &&
		    ++woken == max_wake)
			break;
	explorer_unlock(bell_lock(bell));
}

static uint64_t *members_seq(void)
{
	return (uint64_t *)(explorer_memory + KERNEL_STATUS +
			    offsetof(struct shmchan_status, members_seq));
}

void sync_dies(uint32_t slot)
{
	uint32_t bell;

	for (bell = 1; bell <= sync_bells; bell++) {
		explorer_lock(bell_lock(bell));
		if (shmchan_load_relaxed(queued(bell, slot))) {
			explorer_cover("killed while it slept");
			off_queue(bell, slot);
		}
		explorer_unlock(bell_lock(bell));
	}
	shmchan_store_release(kernel_slot_word(slot),
			      kernel_slot_value(1, SHMCHAN_SLOT_DIED));
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_REL), members_seq(),
		     8, 1);
	shmchan_fence_seq_cst();
	for (bell = 1; bell <= sync_bells; bell++)
		walk(bell, 0, 0);
}

void sync_returned(void)
{
	shmchan_crash_fence();
}

/* The library's, for models. */

int shmchan__sync_enter(struct shmchan_sync_object *o)
{
	(void)o;
	return 0;
}

uint64_t shmchan_deadline(int64_t timeout_ns)
{
	return timeout_ns < 0 ? SHMCHAN_FOREVER : 1;
}

/* All that is alive before a wait, and behind it. */
struct waiting {
	uint64_t phase;
	uint64_t seen[SHMCHAN__SYNC_WORDS];
	uint64_t members;
	uint64_t deadline;
};

struct waited {
	uint64_t phase;
	uint64_t err;
	uint64_t seen;
};

int shmchan__sync_wait(struct shmchan_sync_object *o,
		       const struct shmchan__seen *seen, uint32_t nr,
		       uint64_t members, uint64_t deadline)
{
	struct waiting before = {
		.phase = o->waits, .members = members, .deadline = deadline,
	};
	struct waited w = { .phase = o->waits };
	struct elem elem[ELEMS];
	uint32_t i;

	for (i = 0; i < nr; i++) {
		before.seen[i] = seen[i].value;
		elem[i] = (struct elem){
			seen[i].word, seen[i].value,
		};
	}
	explorer_settle(&before);
	if (sync_flaw != SYNC_NO_MEMBERS)
		elem[nr++] = (struct elem){ members_seq(), members };
	w.err = (uint64_t)kernel_sleep(o->doorbell, o->region->slot, elem, nr,
				       deadline != SHMCHAN_FOREVER &&
				       explorer_choose(2));
	w.seen = w.err ? seen[0].value : 0;
	explorer_settle(&w);
	if (w.err)
		explorer_cover("the time is up");
	return w.err ? -ETIMEDOUT : 0;
}

int shmchan_sync__ring(struct shmchan_sync_object *o, uint32_t max_wake)
{
	explorer_syscall();
	explorer_cover("rings");
	walk(o->doorbell, max_wake, max_wake ? explorer_choose(2) : 0);
	explorer_sysret();
	return 0;
}
