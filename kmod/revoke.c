// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking capabilities back.
 *
 * First the grants that are meant are marked, then everything that comes of one
 * of them ends: members with their mappings and calls, capabilities that have not
 * joined, names, mappings of dma-bufs.  Nothing new can come of a marked grant:
 * whoever makes something from one looks at it under the same lock.
 *
 * How a member's mappings vanish is told at the top of memory.c.
 */

#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

/**
 * struct shmchan_revocation - a REVOKE under way
 * @arg: what is asked for, and how many ended
 * @caller: the grant of who asks: neither that is meant, nor what it comes of
 * @uid: whose are meant, with SHMCHAN_REVOKE_UID
 * @generation: which is meant, with SHMCHAN_REVOKE_SLOT
 * @nr_marked: grants that were marked
 * @error: why a grant that is meant was not
 * @ended: struct shmchan_member by victim_node: to be finished
 * @ending: the same, of those that somebody else finishes
 * @unjoined: the same, of those that have never joined
 * @start: what of the region has to be unmapped
 * @end: the end of that
 */
struct shmchan_revocation {
	struct shmchan_revoke *arg;
	const struct shmchan_grant *caller;
	kuid_t uid;
	u32 generation;
	unsigned int nr_marked;
	int error;
	struct list_head ended;
	struct list_head ending;
	struct list_head unjoined;
	u64 start;
	u64 end;
};

static void mark(struct shmchan_grant *grant, struct shmchan_revocation *rv)
{
	WRITE_ONCE(grant->revoked, true);
	rv->nr_marked++;
}

static void mark_if_slot(struct shmchan_grant *grant, void *arg)
{
	struct shmchan_revocation *rv = arg;

	/* More than one if a slot had all generations there are. */
	if (grant->generation != rv->generation ||
	    grant->slot != rv->arg->slot || shmchan_grant_revoked(grant))
		return;
	if (grant == rv->caller)
		rv->error = -EINVAL;
	else if (shmchan_grant_comes_of(rv->caller, grant))
		rv->error = -EPERM;
	else
		mark(grant, rv);
}

/* The generation that holds a slot now, or 0. */
static u32 holder_of(struct shmchan_region *region, u32 slot)
{
	const struct shmchan_seat *seat;
	u32 generation = 0;

	seat = &region->seats[array_index_nospec(slot, region->nr_seats)];
	spin_lock(&region->seat_lock);
	if (seat->cur.state == SHMCHAN_SLOT_LIVE)
		generation = seat->cur.generation;
	spin_unlock(&region->seat_lock);
	return generation;
}

static int mark_slot(struct shmchan_region *region,
		     struct shmchan_revocation *rv)
{
	lockdep_assert_held(&region->caps_lock);
	rv->generation = rv->arg->generation;
	if (!rv->generation)
		rv->generation = holder_of(region, rv->arg->slot);
	if (rv->generation)
		shmchan_grants_walk(region, mark_if_slot, rv);
	if (rv->nr_marked)
		return 0;
	return rv->error ? rv->error : -ESRCH;
}

static void mark_if_uid(struct shmchan_grant *grant, void *arg)
{
	struct shmchan_revocation *rv = arg;

	if (!uid_eq(grant->uid, rv->uid) &&
	    !(grant->generation && uid_eq(grant->joined_uid, rv->uid)))
		return;
	if (!shmchan_grant_comes_of(rv->caller, grant) &&
	    !shmchan_grant_revoked(grant))
		mark(grant, rv);
}

static int mark_uid(struct shmchan_region *region,
		    struct shmchan_revocation *rv)
{
	lockdep_assert_held(&region->caps_lock);
	rv->uid = make_kuid(current_user_ns(), rv->arg->uid);
	if (!uid_valid(rv->uid))
		return -EINVAL;
	shmchan_grants_walk(region, mark_if_uid, rv);
	return 0;
}

/*
 * Marks one that comes of a marked grant as ended.  One that is at JOIN finds
 * out by itself, before it is a member.  What another is about to unmap is
 * unmapped here as well: that one may take its time, or be the victim itself.
 */
static void end_marked(struct shmchan_member *member, void *arg)
{
	struct shmchan_revocation *rv = arg;
	struct list_head *list;
	u32 state;

	if (!shmchan_grant_revoked(member->grant))
		return;
	if (READ_ONCE(member->state) == SHMCHAN_UNBOUND) {
		shmchan_member_void(member);
		rv->arg->nr_unjoined++;
		list = &rv->unjoined;
	} else if (shmchan_member_revoke(member)) {
		rv->arg->nr_members++;
		list = &rv->ended;
	} else {
		/* Pairs with the cmpxchg() of who ended it: what it has mapped. */
		state = smp_load_acquire(&member->state);
		if (state < SHMCHAN_ENDED || member->gone)
			return;
		list = &rv->ending;
	}
	if (list != &rv->unjoined && atomic_read(&member->nr_vmas)) {
		/* As in member_end() of member.c. */
		smp_rmb();
		rv->start = min(rv->start, READ_ONCE(member->map_start));
		rv->end = max(rv->end, READ_ONCE(member->map_end));
	}
	refcount_inc(&member->refs);
	list_add_tail(&member->victim_node, list);
}

/* The first of a list, taken off; or NULL. */
static struct shmchan_member *next_victim(struct list_head *list)
{
	struct shmchan_member *member;

	member = list_first_entry_or_null(list, struct shmchan_member,
					  victim_node);
	if (member)
		list_del(&member->victim_node);
	return member;
}

/*
 * What needs no caps_lock any more, and may take long: one walk over the memory
 * for all of them.
 */
static void finish(struct shmchan_region *region, struct shmchan_revocation *rv)
{
	struct shmchan_member *member;

	/*
	 * Pairs with the barrier in make_file() of dmabuf.c: either we see the
	 * export, or that one sees that its maker has ended.
	 */
	smp_mb();
	if (atomic_read(&region->nr_exports)) {
		rv->start = 0;
		rv->end = max(rv->end, region->status_offset);
	}
	if (rv->start < rv->end)
		shmchan_memory_unmap(region, rv->start, rv->end);

	while ((member = next_victim(&rv->ended))) {
		shmchan_member_finish(member, SHMCHAN_SLOT_REVOKED);
		shmchan_member_put(member);
		cond_resched();
	}
	shmchan_members_tell(region);
	while ((member = next_victim(&rv->unjoined))) {
		shmchan_presence_set(member, NULL);
		shmchan_poll_wake(member);
		shmchan_member_put(member);
		cond_resched();
	}
	while ((member = next_victim(&rv->ending))) {
		shmchan_bells_end(member);
		shmchan_member_put(member);
		cond_resched();
	}
}

/* The caller holds revoke_lock: members are in one list of victims at a time. */
static int revoke(struct shmchan_member *caller, struct shmchan_revocation *rv)
{
	struct shmchan_region *region = caller->region;
	int ret;

	ret = shmchan_access_begin(caller, SHMCHAN_RIGHT_ADMIN);
	if (ret)
		return ret;
	if (rv->arg->flags == SHMCHAN_REVOKE_SLOT)
		ret = mark_slot(region, rv);
	else
		ret = mark_uid(region, rv);
	/*
	 * Without a new mark there is nothing to do: what comes of an older one has
	 * ended, or is still being made and finds out by itself.
	 */
	if (rv->nr_marked) {
		shmchan_members_walk(region, end_marked, rv);
		shmchan_names_drop(region, shmchan_grant_revoked);
	}
	shmchan_access_end(caller);
	if (rv->nr_marked)
		finish(region, rv);
	return ret;
}

/**
 * shmchan_revoke_ioctl - SHMCHAN_IOC_REVOKE
 * @call: the call
 *
 * Return: see struct shmchan_revoke.
 */
int shmchan_revoke_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *caller = call->file->private_data;
	struct shmchan_region *region = caller->region;
	struct shmchan_revoke *r = call->arg;
	struct shmchan_revocation rv = {
		.arg = r,
		.caller = caller->grant,
		.ended = LIST_HEAD_INIT(rv.ended),
		.ending = LIST_HEAD_INIT(rv.ending),
		.unjoined = LIST_HEAD_INIT(rv.unjoined),
		.start = U64_MAX,
	};
	bool by_slot = r->flags == SHMCHAN_REVOKE_SLOT;
	int ret;

	if ((!by_slot && r->flags != SHMCHAN_REVOKE_UID) || r->reserved)
		return -EINVAL;
	if (by_slot ? r->slot >= region->nr_seats || r->uid :
		      r->slot || r->generation)
		return -EINVAL;
	r->nr_members = 0;
	r->nr_unjoined = 0;
	/* Who may not is told so before it waits for who may. */
	ret = shmchan_access_begin(caller, SHMCHAN_RIGHT_ADMIN);
	if (ret)
		return ret;
	shmchan_access_end(caller);
	if (mutex_lock_killable(&region->revoke_lock))
		return -EINTR;
	ret = revoke(caller, &rv);
	mutex_unlock(&region->revoke_lock);
	return ret ? ret : shmchan_respond(call);
}
