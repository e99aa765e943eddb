// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Local regions: slots, their holders, and noticing that one has died.
 *
 * Slot words change in two ways.  Claims and leaves are made under the gate.
 * A death is written by whoever notices it, with a compare-and-swap of the
 * very word that was seen before its lock byte was found free: a holder has
 * its byte locked before its word says LIVE, so a fresh one is never hit.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend_local.h"

static struct shmchan_status *status(const struct shmchan_region_private *p)
{
	return shmchan_region_at(&p->pub, p->pub.status_offset);
}

/* After a slot word has changed: tell those who asked. */
static void members_changed(struct shmchan_region_private *p, uint32_t nr)
{
	shmchan_fetch_add(&status(p)->members_seq, nr);
	local_ring_members(p);
}

/* A pid means something in its own pid namespace only. */
static uint64_t pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : (uint64_t)st.st_ino;
}

/*
 * Identities are read without a lock, beside the word that dates them.  The
 * generation comes first: a writer that is killed half way leaves one that
 * no word will show, until the next claim of the slot.
 */
static void store_identity(struct local_identity *to, struct local_identity id)
{
	shmchan_store_relaxed(&to->generation, id.generation);
	shmchan_fence_release();
	shmchan_store_relaxed(&to->pid, id.pid);
	shmchan_store_relaxed(&to->pid_ns, id.pid_ns);
	shmchan_store_relaxed(&to->uid, id.uid);
	shmchan_store_relaxed(&to->gid, id.gid);
	shmchan_store_relaxed(&to->state, id.state);
	shmchan_fence_release();
}

static struct local_identity load_identity(const struct local_identity *from)
{
	return (struct local_identity){
		.generation = shmchan_load_relaxed(&from->generation),
		.pid = shmchan_load_relaxed(&from->pid),
		.pid_ns = shmchan_load_relaxed(&from->pid_ns),
		.uid = shmchan_load_relaxed(&from->uid),
		.gid = shmchan_load_relaxed(&from->gid),
		.state = shmchan_load_relaxed(&from->state),
	};
}

/* Which users may hold a slot; kept by convention only. */
static int reserved(const struct shmchan_region_private *p, uint32_t slot)
{
	const struct shmchan_slot *s = local_meta(p, p->local->at.slots);

	return s[slot].flags & SHMCHAN_SLOT_FLAG_UID && s[slot].uid != geteuid();
}

static void reserve_for_us(const struct shmchan_region_private *p,
			   uint32_t slot)
{
	struct shmchan_slot *s = local_meta(p, p->local->at.slots);

	if (!(s[slot].flags & SHMCHAN_SLOT_FLAG_SAME_UID))
		return;
	s[slot].uid = geteuid();
	s[slot].flags |= SHMCHAN_SLOT_FLAG_UID;
}

/* A word of a holder who is no more: its flags go with it. */
static uint64_t ended(uint64_t word, uint32_t state)
{
	return (uint64_t)SHMCHAN_SLOT_WORD_GEN(word) << 32 | state;
}

/* If the holder of this word has died, say so.  Returns whether we did. */
static int bury(struct shmchan_region_private *p, uint32_t slot, uint64_t word)
{
	uint64_t died = ended(word, SHMCHAN_SLOT_DIED);

	if (SHMCHAN_SLOT_WORD_STATE(word) != SHMCHAN_SLOT_LIVE ||
	    local_slot_held(p->file.fd, slot))
		return 0;
	return shmchan_cas(local_word(p, slot), &word, died);
}

/* Take one slot: 0, -EBUSY, -EACCES.  Under the gate. */
static int claim_one(struct shmchan_region_private *p, uint32_t slot)
{
	struct local_holders *h = local_holders(p, slot);
	uint64_t word = shmchan_load_acquire(local_word(p, slot));
	uint32_t generation, changes = 1;
	struct local_identity last;
	int err;

	if (bury(p, slot, word))
		members_changed(p, 1);
	if (reserved(p, slot))
		return -EACCES;
	err = local_slot_lock(p->file.fd, slot);
	if (err)
		return err;
	/* Whatever it says now, its holder is gone: we have the lock. */
	word = shmchan_load_acquire(local_word(p, slot));
	if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE) {
		word = ended(word, SHMCHAN_SLOT_DIED);
		changes++;
	}
	generation = SHMCHAN_SLOT_WORD_GEN(word) + 1;
	/* 0 says that nobody ever held it. */
	if (!generation)
		generation = 1;
	/* Unless a claim was killed here: then it has been kept before. */
	last = load_identity(&h->now);
	last.state = SHMCHAN_SLOT_WORD_STATE(word);
	if (last.generation == SHMCHAN_SLOT_WORD_GEN(word))
		store_identity(&h->before, last);
	store_identity(&h->now, (struct local_identity){
		.generation = generation,
		.pid = (uint32_t)getpid(),
		.pid_ns = pid_namespace(),
		.uid = geteuid(),
		.gid = getegid(),
	});
	reserve_for_us(p, slot);
	p->pub.slot = slot;
	p->pub.generation = generation;
	shmchan_store_seq_cst(local_word(p, slot),
			      (uint64_t)generation << 32 | SHMCHAN_SLOT_LIVE |
			      (p->join_flags & SHMCHAN_JOIN_ASYM ?
			       SHMCHAN_SLOT_WORD_ASYM : 0));
	members_changed(p, changes);
	return 0;
}

/* First one that nobody ever held, as the kernel does. */
static int claim_any(struct shmchan_region_private *p)
{
	int result = -EUSERS, used, err;
	uint32_t slot;

	for (used = 0; used < 2; used++) {
		for (slot = 0; slot < p->pub.nr_slots; slot++) {
			uint64_t word = shmchan_load_acquire(local_word(p, slot));

			if ((SHMCHAN_SLOT_WORD_GEN(word) != 0) != used)
				continue;
			err = claim_one(p, slot);
			if (!err)
				return 0;
			/* Reserved is more telling than taken. */
			if (err != -EBUSY)
				result = err;
		}
	}
	return result;
}

/*
 * Take a slot, or SHMCHAN_SLOT_ANY.  The caller holds the gate, or is the only
 * one who knows of the file.
 */
int local_claim(struct shmchan_region_private *p, uint32_t slot)
{
	struct local_identity holder;
	int err;

	if (slot != SHMCHAN_SLOT_ANY && slot >= p->pub.nr_slots)
		return shmchan__fail(EINVAL,
			"%s has no slot %u: it has 0 to %u",
			shmchan__label(p), slot, p->pub.nr_slots - 1);
	err = slot == SHMCHAN_SLOT_ANY ? claim_any(p) : claim_one(p, slot);
	switch (err) {
	case 0:
		return 0;
	case -EBUSY:
		holder = load_identity(&local_holders(p, slot)->now);
		return shmchan__fail(EBUSY,
			"slot %u of %s is held, by process %u",
			slot, shmchan__label(p), holder.pid);
	case -EUSERS:
		return shmchan__fail(EUSERS,
			"all %u slots of %s are held: it was created with too few, or somebody should leave",
			p->pub.nr_slots, shmchan__label(p));
	case -EACCES:
		if (slot == SHMCHAN_SLOT_ANY)
			return shmchan__fail(EACCES,
				"the free slots of %s are reserved for other users (slots[].uid), we are %u",
				shmchan__label(p), geteuid());
		return shmchan__fail(EACCES,
			"slot %d of %s is reserved for another user (slots[].uid), we are %u",
			(int)slot, shmchan__label(p), geteuid());
	default:
		return shmchan__fail(-err, "locking slot %d of %s: %s",
			(int)slot, shmchan__label(p), shmchan__errstr(-err));
	}
}

/* Give our slot back.  Best under the gate. */
void local_leave(struct shmchan_region_private *p)
{
	uint64_t *word = local_word(p, p->pub.slot);
	uint64_t ours = shmchan_load_acquire(word);

	if (shmchan__word_live(ours, p->pub.generation) &&
	    shmchan_cas(word, &ours, ended(ours, SHMCHAN_SLOT_LEFT)))
		members_changed(p, 1);
	local_slot_unlock(p->file.fd, p->pub.slot);
}

/*
 * Who changes a slot word counts that in the next step.  If it is killed between the
 * two, or stopped, nobody else would; but the words tell how often they have changed.
 * What is missing at two looks in a row is not just about to be counted.  Returns
 * whether something was.
 */
static int settle(struct shmchan_region_private *p, uint64_t changes)
{
	uint64_t seq = shmchan_load_seq_cst(&status(p)->members_seq);
	struct shmchan__local *l = p->local;
	int owed = (int64_t)(changes - seq) > 0 &&
		   shmchan_load_relaxed(&l->changes_seen) == changes &&
		   shmchan_load_relaxed(&l->seq_seen) == seq;

	shmchan_store_relaxed(&l->changes_seen, changes);
	shmchan_store_relaxed(&l->seq_seen, seq);
	if (owed)
		members_changed(p, (uint32_t)(changes - seq));
	return owed;
}

/*
 * Look for members that have died, if nobody did for a slice.  Returns how
 * many were found.
 *
 * All members share the stamp, so that the cost does not grow with their
 * number; whoever swaps it looks.  If that one dies at once, the next looks a
 * slice later.  A stamp from the future is one of another time namespace.
 */
int local_reap(struct shmchan_region_private *p, uint64_t now)
{
	uint64_t *stamp = &p->local->super->reaped;
	uint64_t last = shmchan_load_relaxed(stamp), changes = 0, word;
	uint32_t slot;
	int nr = 0;

	if (now - last < (uint64_t)SHMCHAN_LOCAL_SLICE_NS ||
	    !shmchan_cas(stamp, &last, now))
		return 0;
	for (slot = 0; slot < p->pub.nr_slots; slot++) {
		word = shmchan_load_acquire(local_word(p, slot));
		if (slot != p->pub.slot && bury(p, slot, word)) {
			word = ended(word, SHMCHAN_SLOT_DIED);
			members_changed(p, 1);
			nr++;
		}
		changes += 2ULL * SHMCHAN_SLOT_WORD_GEN(word) -
			   (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE);
	}
	return nr + settle(p, changes);
}

static void show(struct shmchan_identity *to, struct local_identity id,
		 uint32_t state)
{
	to->generation = id.generation;
	to->state = state;
	to->uid = id.uid;
	to->gid = id.gid;
	/* As the kernel's backend: nothing where it is gone or not visible. */
	if (state == SHMCHAN_SLOT_LIVE && id.pid_ns == pid_namespace())
		to->pid = id.pid;
}

int local_member(const struct shmchan_region_private *p, uint32_t slot,
		 struct shmchan_member_info *info)
{
	const struct local_holders *h = local_holders(p, slot);
	struct local_identity now, before;
	uint32_t generation, state;
	uint64_t word, again;
	int tries = 0;

	/* Slots change hands seldom: a hundred times is a scribbler's work. */
	do {
		word = shmchan_load_acquire(local_word(p, slot));
		now = load_identity(&h->now);
		before = load_identity(&h->before);
		shmchan_fence_acquire();
		again = shmchan_load_relaxed(local_word(p, slot));
	} while (word != again && ++tries < 100);

	generation = SHMCHAN_SLOT_WORD_GEN(word);
	state = SHMCHAN_SLOT_WORD_STATE(word);
	/* Nobody ever held it. */
	if (!generation)
		return 0;
	if (now.generation == generation) {
		show(&info->current_holder, now, state);
		if (before.generation && before.generation != generation)
			show(&info->previous_holder, before, before.state);
	} else {
		/* A claim is under way, or was killed: see claim_one(). */
		before.generation = generation;
		show(&info->current_holder, before, state);
	}
	return 0;
}
