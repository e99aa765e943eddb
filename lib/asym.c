// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Producers without a fence: who is one, and the barrier for those who sleep.
 * Why nothing is lost is told in asym.h.
 */

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "asym.h"

static int membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0) < 0 ? -errno : 0;
}

/*
 * Registration is of the address space: threads share it, a forked child
 * inherits it, exec ends it.  Once more costs next to nothing.
 */
uint32_t shmchan__asym_prepare(uint32_t join_flags)
{
	if (join_flags & SHMCHAN_JOIN_ASYM &&
	    membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
		join_flags &= ~SHMCHAN_JOIN_ASYM;
	return join_flags;
}

void shmchan__asym_joined(struct shmchan_region_private *p)
{
	p->pub.asym = p->pub.own_live & SHMCHAN_SLOT_WORD_ASYM &&
		      p->pub.nr_slots <= SHMCHAN__ASYM_SLOTS;
	/* The bit is shown; from here on counts of waiters may be loaded. */
	shmchan_fence_seq_cst();
}

int shmchan__asym_barrier(void)
{
	return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

/* Is, or may soon be, the holder of this word one?  Who has ended is none. */
static int may_be_asym(uint64_t word)
{
	switch (SHMCHAN_SLOT_WORD_STATE(word)) {
	case SHMCHAN_SLOT_CLAIMING:
		return 1;
	case SHMCHAN_SLOT_LIVE:
		return !!(word & SHMCHAN_SLOT_WORD_ASYM);
	default:
		return 0;
	}
}

static int scan(const struct shmchan_region_private *p)
{
	uint32_t slot;

	for (slot = 0; slot < p->pub.nr_slots; slot++)
		if (slot != p->pub.slot &&
		    may_be_asym(shmchan_slot_word(&p->pub, slot)))
			return 1;
	return 0;
}

/*
 * That there is none is kept, with the members_seq that it was found at.  A slot
 * word that has become ASYM with members_seq to follow is no matter: its holder
 * is still joining, and then comes its fence.
 */
int shmchan__asym_any(struct shmchan_region_private *p, int own, uint64_t *seq)
{
	const struct shmchan_status *status =
		shmchan_region_at(&p->pub, p->pub.status_offset);
	uint64_t now = shmchan_load_acquire((uint64_t *)&status->members_seq);
	uint64_t seen = shmchan_load_relaxed(&p->asym_seen);
	int any;

	*seq = now;
	if (p->pub.nr_slots > SHMCHAN__ASYM_SLOTS)
		return 0;
	if (own && p->pub.asym)
		return 1;
	/* The lowest bit says that something was found out. */
	if (seen & 1 && seen >> 1 == (now & ~0ULL >> 1))
		return 0;
	any = scan(p);
	if (!any)
		shmchan_store_relaxed(&p->asym_seen, now << 1 | 1);
	return any;
}

int shmchan__asym_named(const struct shmchan_region_private *p,
			const struct shmchan_wait_elem *elems,
			uint32_t nr_elems)
{
	uint64_t first = shmchan_slot_offset(&p->pub, 0), named = 0, bit;
	uint32_t i, nr = p->pub.nr_slots;
	uint64_t slot;

	if (nr > SHMCHAN__ASYM_SLOTS)
		return 1;
	for (i = 0; i < nr_elems; i++) {
		if (elems[i].fd != -1 || elems[i].flags ||
		    elems[i].mask != ~0ULL || elems[i].offset < first ||
		    may_be_asym(elems[i].value))
			continue;
		slot = (elems[i].offset - first) / 8;
		if (slot < nr)
			named |= 1ULL << slot;
	}
	bit = 1ULL << p->pub.slot;
	return (named | bit) == (nr == 64 ? ~0ULL : (1ULL << nr) - 1);
}
