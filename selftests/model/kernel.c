// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's side of doorbells.  See kernel.h. */
#include <string.h>

#include <linux/shmchan.h>

#include "kernel.h"

#define BELLS		2
#define ELEMS		3

#define NOTE_INSIDE	28

enum kernel_flaw kernel_flaw;

/* Private words: one line each. */
static uint64_t *private_word(unsigned int i)
{
	return (uint64_t *)(explorer_memory + KERNEL_STATUS + 8192 + 64UL * i);
}

static uint64_t *lock_of(uint32_t bell)
{
	return private_word(bell - 1);
}

/* Entries: a queue is small, and its order is of no interest. */
static uint64_t *entry(uint32_t bell, unsigned int me, unsigned int field)
{
	return private_word(BELLS + (((bell - 1) * KERNEL_SLEEPERS + me) << 3) +
			    field);
}

#define WOKEN		0U
#define QUEUED		1U
#define OFFSET(i)	(2U + 2 * (i))	/* of the word; 0: no element */
#define BELIEVED(i)	(3U + 2 * (i))

static void lock(uint32_t bell)
{
	explorer_lock(lock_of(bell));
}

static void unlock(uint32_t bell)
{
	explorer_unlock(lock_of(bell));
}

uint64_t kernel_slot_value(uint32_t generation, uint32_t state)
{
	return (uint64_t)generation << 32 | state;
}

uint64_t *kernel_slot_word(uint32_t slot)
{
	return (uint64_t *)(explorer_memory + KERNEL_STATUS +
			    SHMCHAN_STATUS_SLOTS_OFFSET + 8UL * slot);
}

uint64_t *kernel_members_seq(void)
{
	return (uint64_t *)(explorer_memory + KERNEL_STATUS +
			    offsetof(struct shmchan_status, members_seq));
}

uint32_t *kernel_waiters(uint32_t bell)
{
	return (uint32_t *)(explorer_memory + KERNEL_STATUS +
			    SHMCHAN_STATUS_DOORBELLS_OFFSET(KERNEL_SLOTS) +
			    sizeof(struct shmchan_doorbell_status) * bell);
}

void kernel_setup(void)
{
	uint32_t i;

	for (i = 0; i < KERNEL_SLOTS; i++)
		*kernel_slot_word(i) = kernel_slot_value(1, SHMCHAN_SLOT_LIVE);
	kernel_flaw = KERNEL_RIGHT;
}

static void count(uint32_t bell, int by)
{
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_RLX),
		     kernel_waiters(bell), 4, (uint64_t)by);
}

static void enqueue(uint32_t bell, unsigned int me,
		    const struct kernel_elem *elem, unsigned int n)
{
	unsigned int i;

	lock(bell);
	shmchan_store_relaxed(entry(bell, me, WOKEN), 0);
	for (i = 0; i < n; i++) {
		shmchan_store_relaxed(entry(bell, me, OFFSET(i)),
				      (uint8_t *)elem[i].word -
				      explorer_memory);
		shmchan_store_relaxed(entry(bell, me, BELIEVED(i)),
				      elem[i].believed);
	}
	shmchan_store_relaxed(entry(bell, me, QUEUED), n);
	unlock(bell);
}

static void dequeue(uint32_t bell, unsigned int me)
{
	lock(bell);
	shmchan_store_relaxed(entry(bell, me, QUEUED), 0);
	unlock(bell);
	count(bell, -1);
}

static int changed(const struct kernel_elem *elem, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (shmchan_load_relaxed(elem[i].word) != elem[i].believed)
			return 1;
	return 0;
}

void kernel_wait(uint32_t bell, unsigned int me,
		 const struct kernel_elem *elem, unsigned int n)
{
	explorer_syscall();
	enqueue(bell, me, elem, n);
	if (kernel_flaw != KERNEL_COUNT_LATE)
		count(bell, 1);
	explorer_note(NOTE_INSIDE + me, bell);
	if (kernel_flaw != KERNEL_NO_BARRIER)
		shmchan_fence_seq_cst();
	if (kernel_flaw != KERNEL_NO_RECHECK && changed(elem, n)) {
		explorer_cover("changed before it slept");
		if (kernel_flaw == KERNEL_COUNT_LATE)
			count(bell, 1);
	} else {
		if (kernel_flaw == KERNEL_COUNT_LATE)
			count(bell, 1);
		explorer_await(entry(bell, me, WOKEN), EXPLORER_ACQ, 1);
		explorer_cover("slept and was woken");
	}
	dequeue(bell, me);
	explorer_note(NOTE_INSIDE + me, 0);
	explorer_sysret();
}

void kernel_wait_killed(uint32_t bell, unsigned int me)
{
	if (explorer_notes[NOTE_INSIDE + me] != bell)
		return;
	explorer_cover("killed while it slept");
	dequeue(bell, me);
	explorer_note(NOTE_INSIDE + me, 0);
}

/* Wake a sleeper one of whose words changed.  Returns whether. */
static int wake(uint32_t bell, unsigned int me)
{
	uint64_t n = shmchan_load_relaxed(entry(bell, me, QUEUED));
	unsigned int i;

	for (i = 0; i < n && i < ELEMS; i++) {
		uint64_t offset = shmchan_load_relaxed(
				entry(bell, me, OFFSET(i)));
		uint64_t believed = shmchan_load_relaxed(
				entry(bell, me, BELIEVED(i)));
		uint64_t *word = (uint64_t *)(explorer_memory + offset);

		if (shmchan_load_relaxed(word) == believed)
			continue;
		shmchan_store_relaxed(entry(bell, me, QUEUED), 0);
		shmchan_store_release(entry(bell, me, WOKEN), 1);
		return 1;
	}
	return 0;
}

static void walk(uint32_t bell)
{
	unsigned int me;

	lock(bell);
	for (me = 0; me < KERNEL_SLEEPERS; me++)
		wake(bell, me);
	unlock(bell);
}

void kernel_ring(uint32_t bell)
{
	explorer_syscall();
	explorer_cover("rings");
	walk(bell);
	explorer_sysret();
}

void kernel_ring_one(uint32_t bell)
{
	unsigned int first, i;

	explorer_syscall();
	explorer_cover("rings");
	/* The longest asleep, which may be any of them. */
	first = explorer_choose(KERNEL_SLEEPERS);
	lock(bell);
	for (i = 0; i < KERNEL_SLEEPERS; i++)
		if (wake(bell, (first + i) % KERNEL_SLEEPERS))
			break;
	unlock(bell);
	explorer_sysret();
}

void kernel_member_ends(uint32_t slot, uint64_t word)
{
	uint32_t bell;

	shmchan_store_release(kernel_slot_word(slot), word);
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_REL),
		     kernel_members_seq(), 8, 1);
	shmchan_fence_seq_cst();
	for (bell = 1; bell <= BELLS; bell++)
		walk(bell);
}
