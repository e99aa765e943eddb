// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members: joining, and ending exactly once.
 *
 * A member is bound to an address space, not to a task or a file table: what
 * has to be known is when nobody can store through it any more, and that is
 * when its mmu_notifier is released, whatever else still holds the file.
 *
 * A member ends at the first of LEAVE, REVOKE, the end of its address space, and
 * the last close.  Whoever changes its state from BOUND does the work.
 */

#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

/* So often JOIN waits a millisecond or two for an end that is under way. */
#define SHMCHAN_FENCE_TRIES	30

static bool member_end(struct shmchan_member *member, u32 how);

/* Address spaces that are watched; module exit waits for none. */
static atomic_t nr_mms = ATOMIC_INIT(0);

static struct mmu_notifier *shmchan_mm_alloc(struct mm_struct *mm)
{
	struct shmchan_mm *smm;

	/* No charge: mmap_lock is held for writing, and reclaim is enough. */
	smm = kzalloc(sizeof(*smm), GFP_KERNEL);
	if (!smm)
		return ERR_PTR(-ENOMEM);
	mutex_init(&smm->lock);
	INIT_LIST_HEAD(&smm->members);
	atomic_inc(&nr_mms);
	return &smm->mn;
}

static void shmchan_mm_free(struct mmu_notifier *mn)
{
	kfree(container_of(mn, struct shmchan_mm, mn));
	if (atomic_dec_and_test(&nr_mms))
		wake_up_var(&nr_mms);
}

/* The last user of the address space has gone: nobody can store any more. */
static void shmchan_mm_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct shmchan_mm *smm = container_of(mn, struct shmchan_mm, mn);
	struct shmchan_member *member;

	mutex_lock(&smm->lock);
	list_for_each_entry(member, &smm->members, mm_node) {
		member_end(member, SHMCHAN_SLOT_DIED);
		/* Of one that has not joined: its names were kept from here. */
		shmchan_presence_set(member, NULL);
		cond_resched();
	}
	/* Once for each region, however many members of it have died. */
	list_for_each_entry(member, &smm->members, mm_node) {
		shmchan_members_tell(member->region);
		cond_resched();
	}
	mutex_unlock(&smm->lock);
}

/* Release only: unmapping and the like cost a joined process nothing. */
static const struct mmu_notifier_ops shmchan_mm_ops = {
	.alloc_notifier	= shmchan_mm_alloc,
	.free_notifier	= shmchan_mm_free,
	.release	= shmchan_mm_release,
};

/**
 * shmchan_mm_get - watch the end of the caller's address space
 *
 * The first time in a process takes all its locks, and gives up at any pending
 * signal.  Where signals come faster than that is done, a restart would meet
 * the next one, for ever: so they wait until it is done.  What cannot wait (a
 * stop, a tracer, work of the task's own) still ends it.  The caller undoes
 * what it did and lets the system call be restarted; so nothing that takes long
 * should come before.
 *
 * Return: a reference, to be given to shmchan_mm_put(), or an ERR_PTR() of
 * -EPERM (a kernel thread), -ENOMEM, -EINTR (a fatal signal), -ERESTARTNOINTR.
 */
struct shmchan_mm *shmchan_mm_get(void)
{
	struct mm_struct *mm = current->mm;
	struct mmu_notifier *mn;
	sigset_t others, old;

	if (!mm)
		return ERR_PTR(-EPERM);
	siginitsetinv(&others, sigmask(SIGKILL) | sigmask(SIGSTOP));
	do {
		mn = ERR_PTR(-EINTR);
		/* No user memory is touched: a fault's signal would kill. */
		sigprocmask(SIG_BLOCK, &others, &old);
		if (!mmap_write_lock_killable(mm)) {
			mn = mmu_notifier_get_locked(&shmchan_mm_ops, mm);
			mmap_write_unlock(mm);
		}
		sigprocmask(SIG_SETMASK, &old, NULL);
		/* Nothing is restarted unless something is pending still. */
	} while (mn == ERR_PTR(-EINTR) && !signal_pending(current));
	if (mn == ERR_PTR(-EINTR) && !fatal_signal_pending(current))
		return ERR_PTR(-ERESTARTNOINTR);
	if (IS_ERR(mn))
		return ERR_CAST(mn);
	return container_of(mn, struct shmchan_mm, mn);
}

/**
 * shmchan_mm_put - give back a reference of shmchan_mm_get()
 * @smm: the reference
 */
void shmchan_mm_put(struct shmchan_mm *smm)
{
	mmu_notifier_put(&smm->mn);
}

/**
 * shmchan_members_exit - wait until nothing of ours is left in an mm
 */
void shmchan_members_exit(void)
{
	/*
	 * mmu_notifier_synchronize() is a grace period, but what is freed after
	 * one may be freed on another CPU; and then that function has to return.
	 */
	wait_var_event(&nr_mms, !atomic_read(&nr_mms));
	mmu_notifier_synchronize();
}

static struct shmchan_member *member_new(struct shmchan_region *region)
{
	struct shmchan_member *member;

	member = kzalloc(sizeof(*member), GFP_KERNEL_ACCOUNT);
	if (!member)
		return NULL;
	refcount_set(&member->refs, 1);
	member->region = region;
	member->map_start = U64_MAX;
	spin_lock_init(&member->lock);
	INIT_LIST_HEAD(&member->mm_node);
	INIT_LIST_HEAD(&member->waits);
	INIT_LIST_HEAD(&member->subs);
	mutex_init(&member->read_lock);
	init_waitqueue_head(&member->poll);
	INIT_WORK(&member->poll_work, shmchan_poll_work);
	spin_lock_init(&member->poll_busy);
	member->poll_slow = true;
	return member;
}

/**
 * shmchan_member_file - make a file for a region: a capability
 * @region: what for
 * @rights: that it will have; without MAP_WRITE the file is read-only
 * @parent: what it comes of; NULL: of nothing but the caller's own right
 *
 * REVOKE finds it from now on.  It allows nothing until it gets its terms.
 *
 * Return: the file, whose ->release is shmchan_member_release(); or an
 * ERR_PTR() of -EMLINK, -ENOMEM or -ENFILE.
 */
struct file *shmchan_member_file(struct shmchan_region *region, u32 rights,
				 struct shmchan_grant *parent)
{
	struct shmchan_member *member;
	struct shmchan_grant *grant;
	struct file *file;

	grant = shmchan_grant_new(region, parent);
	if (IS_ERR(grant))
		return ERR_CAST(grant);
	member = member_new(region);
	if (!member) {
		file = ERR_PTR(-ENOMEM);
		goto err_grant;
	}
	member->grant = grant;
	file = shmchan_memory_file(region, &shmchan_member_fops, member,
				   rights & SHMCHAN_RIGHT_MAP_WRITE ?
				   O_RDWR : O_RDONLY);
	if (IS_ERR(file))
		goto err_member;
	/* Its ->read_iter knows IOCB_NOWAIT: io_uring need not use a thread. */
	file->f_mode |= FMODE_NOWAIT;
	spin_lock(&region->list_lock);
	list_add(&member->caps_node, &region->caps);
	spin_unlock(&region->list_lock);
	return file;

err_member:
	kfree(member);
err_grant:
	shmchan_grant_put(grant);
	return file;
}

/**
 * shmchan_member_put - one reference less
 * @member: which, or NULL
 */
void shmchan_member_put(struct shmchan_member *member)
{
	/* Whoever finds it in the list may take a reference. */
	if (!member || !refcount_dec_and_lock(&member->refs,
					      &member->region->list_lock))
		return;
	list_del(&member->caps_node);
	spin_unlock(&member->region->list_lock);
	/* It has no subscription any more, so nobody queues it again. */
	cancel_work_sync(&member->poll_work);
	/* Not waited for: see struct shmchan_signals. */
	shmchan_signals_put(member->signals);
	if (member->zeros)
		put_page(member->zeros);
	if (member->scratch)
		put_page(member->scratch);
	shmchan_grant_put(member->grant);
	kfree(member);
}

/**
 * shmchan_members_walk - look at every capability of a region
 * @region: the region
 * @fn: called with list_lock held
 * @arg: for @fn
 *
 * What is added meanwhile may be passed over.
 */
void shmchan_members_walk(struct shmchan_region *region,
			  void (*fn)(struct shmchan_member *member, void *arg),
			  void *arg)
{
	struct shmchan_member *member, *held = NULL;
	unsigned int nr = 0;

	spin_lock(&region->list_lock);
	list_for_each_entry(member, &region->caps, caps_node) {
		fn(member, arg);
		if (++nr % SHMCHAN_WALK_BATCH)
			continue;
		/* A reference keeps it in the list. */
		refcount_inc(&member->refs);
		spin_unlock(&region->list_lock);
		shmchan_member_put(held);
		held = member;
		cond_resched();
		spin_lock(&region->list_lock);
	}
	spin_unlock(&region->list_lock);
	shmchan_member_put(held);
}

/**
 * shmchan_member_check - may the caller do this with this member?
 * @member: of the file that was called on
 * @rights: needed
 *
 * Return: 0, -ENOTCONN, -EPERM, -ESTALE or -EACCES.
 */
int shmchan_member_check(const struct shmchan_member *member, u32 rights)
{
	/* pairs with the release in bind() */
	u32 state = smp_load_acquire(&member->state);

	if (state < SHMCHAN_BOUND)
		return -ENOTCONN;
	/* Revoked before it joined. */
	if (state == SHMCHAN_REVOKED && !member->generation)
		return -ESTALE;
	if (member->mm->mn.mm != current->mm)
		return -EPERM;
	if (state >= SHMCHAN_ENDED)
		return -ESTALE;
	if (rights & ~member->terms.rights)
		return -EACCES;
	return 0;
}

/* Show what a seat is now; says so to those who asked. */
static void seat_publish(struct shmchan_region *region,
			 struct shmchan_seat *seat, u32 flags)
{
	lockdep_assert_held(&region->seat_lock);
	WRITE_ONCE(*seat->word, (u64)seat->cur.generation << 32 | flags |
				seat->cur.state);
}

static void members_changed(struct shmchan_region *region)
{
	lockdep_assert_held(&region->seat_lock);
	/* Who sees it, by a load that acquires, sees the slot words as well. */
	smp_store_release(&region->status->members_seq, ++region->members_seq);
}

/**
 * shmchan_members_tell - wake who waits for a change of members
 * @region: where there may have been some
 *
 * Rings doorbell 0, unless that has been done since the last change.
 */
void shmchan_members_tell(struct shmchan_region *region)
{
	u64 seq;
	bool told;

	spin_lock(&region->seat_lock);
	seq = region->members_seq;
	told = region->members_told == seq;
	spin_unlock(&region->seat_lock);
	if (told)
		return;
	shmchan_bell_ring(&region->bells[SHMCHAN_DOORBELL_MEMBERS], 0);
	spin_lock(&region->seat_lock);
	region->members_told = max(region->members_told, seq);
	spin_unlock(&region->seat_lock);
}

/* May the caller take it, as far as its state and its reservation go? */
static int seat_test(const struct shmchan_region *region,
		     const struct shmchan_seat *seat)
{
	lockdep_assert_held(&region->seat_lock);
	if (seat->cur.state == SHMCHAN_SLOT_LIVE ||
	    seat->cur.state == SHMCHAN_SLOT_CLAIMING)
		return -EBUSY;
	if (uid_valid(seat->uid) && !uid_eq(seat->uid, current_euid()))
		return -EACCES;
	return 0;
}

/* Is nobody left who could write to what the slot's next holder will own? */
static int fence_windows(struct shmchan_region *region, u32 slot,
			 unsigned int *tries)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < region->nr_windows && !ret; i++) {
		const struct shmchan_window *w = &region->windows[i];

		if (w->slot == slot)
			ret = shmchan_memory_fence(region, w->offset,
						   w->length, tries);
	}
	return ret;
}

/* It is nobody's, as before. */
static void seat_unclaim(struct shmchan_region *region, u32 slot)
{
	struct shmchan_seat *seat = &region->seats[slot];

	spin_lock(&region->seat_lock);
	seat->cur.state = seat->was;
	seat_publish(region, seat, 0);
	spin_unlock(&region->seat_lock);
	/* Somebody may have seen CLAIMING and wait for its end. */
	shmchan_bell_ring(&region->bells[SHMCHAN_DOORBELL_MEMBERS], 0);
}

/*
 * Take one seat for the caller: when this returns 0 it is CLAIMING, nobody else
 * can write to its windows, and seat_hold() or seat_unclaim() comes next.
 */
static int seat_claim(struct shmchan_region *region, u32 slot,
		      unsigned int *tries)
{
	struct shmchan_seat *seat = &region->seats[slot];
	int ret;

	spin_lock(&region->seat_lock);
	ret = seat_test(region, seat);
	if (!ret) {
		seat->was = seat->cur.state;
		seat->cur.state = SHMCHAN_SLOT_CLAIMING;
		seat_publish(region, seat, 0);
	}
	spin_unlock(&region->seat_lock);
	/* The fence sleeps; CLAIMING keeps others out meanwhile. */
	if (!ret && seat->was != SHMCHAN_SLOT_FREE) {
		ret = fence_windows(region, slot, tries);
		if (ret)
			seat_unclaim(region, slot);
	}
	return ret;
}

/* It is the member's now, and LIVE. */
static void seat_hold(struct shmchan_member *member, u32 slot, u32 flags)
{
	struct shmchan_region *region = member->region;
	struct shmchan_seat *seat = &region->seats[slot];
	struct pid *old;

	spin_lock(&region->seat_lock);
	old = seat->prev.pid;
	seat->prev = seat->cur;
	seat->prev.state = seat->was;
	seat->cur.pid = get_task_pid(current, PIDTYPE_TGID);
	seat->cur.uid = current_euid();
	seat->cur.gid = current_egid();
	/* 0 says that nobody ever held it. */
	if (!++seat->cur.generation)
		seat->cur.generation = 1;
	seat->cur.state = SHMCHAN_SLOT_LIVE;
	if (seat->flags & SHMCHAN_SLOT_FLAG_SAME_UID)
		seat->uid = seat->cur.uid;
	region->nr_live++;
	/* Looked at without the lock: see shmchan_waiter_asym(). */
	if (flags & SHMCHAN_JOIN_ASYM)
		WRITE_ONCE(region->nr_asym, region->nr_asym + 1);
	seat_publish(region, seat, flags & SHMCHAN_JOIN_ASYM ?
				   SHMCHAN_SLOT_WORD_ASYM : 0);
	members_changed(region);
	member->slot = slot;
	member->generation = seat->cur.generation;
	spin_unlock(&region->seat_lock);
	put_pid(old);
}

/* Any seat: first one that nobody ever held, since it needs no fence. */
static int seat_claim_any(struct shmchan_region *region, u32 *slot,
			  unsigned int *tries)
{
	int ret, result = -EUSERS;
	bool used = false;
	u32 i;

	do {
		for (i = 0; i < region->nr_seats; i++) {
			/* A hint; seat_claim() looks again under the lock. */
			if (!READ_ONCE(region->seats[i].cur.generation) == used)
				continue;
			ret = seat_claim(region, i, tries);
			*slot = i;
			if (!ret || ret == -EINTR)
				return ret;
			/* Reserved is more telling than taken. */
			if (ret == -EACCES)
				result = ret;
			cond_resched();
		}
		used = !used;
	} while (used);
	return result;
}

/* The seat of a member that ended has no holder any more. */
static void seat_release(struct shmchan_member *member, u32 how)
{
	struct shmchan_region *region = member->region;
	struct shmchan_seat *seat = &region->seats[member->slot];

	spin_lock(&region->seat_lock);
	seat->cur.state = how;
	/* With that, before anybody can take it. */
	seat->end_generation = seat->cur.generation;
	seat->end_state = how;
	seat->end_seq = region->nr_ends + 1;
	list_move_tail(&seat->end_node, &region->ends);
	/* Looked at without the lock. */
	WRITE_ONCE(region->nr_ends, seat->end_seq);
	region->nr_live--;
	if (member->join_flags & SHMCHAN_JOIN_ASYM)
		WRITE_ONCE(region->nr_asym, region->nr_asym - 1);
	seat_publish(region, seat, 0);
	members_changed(region);
	spin_unlock(&region->seat_lock);
}

/**
 * shmchan_member_keep - an address space keeps what a capability has named
 * @member: the capability, which only the caller changes
 * @smm: that of the caller; the reference becomes @member's
 */
void shmchan_member_keep(struct shmchan_member *member, struct shmchan_mm *smm)
{
	struct shmchan_mm *old = member->mm;

	if (old) {
		mutex_lock(&old->lock);
		list_del(&member->mm_node);
		mutex_unlock(&old->lock);
		shmchan_mm_put(old);
	}
	member->mm = smm;
	mutex_lock(&smm->lock);
	list_add(&member->mm_node, &smm->members);
	mutex_unlock(&smm->lock);
}

/**
 * shmchan_member_void - a capability is revoked that never was a member
 * @member: UNBOUND or JOINING; the caller holds region.caps_lock
 */
void shmchan_member_void(struct shmchan_member *member)
{
	lockdep_assert_held(&member->region->caps_lock);
	/* It has nothing that could be left. */
	WRITE_ONCE(member->gone, true);
	/* Pairs with shmchan_member_check(), which looks at the generation. */
	smp_store_release(&member->state, SHMCHAN_REVOKED);
}

/* Begin to join, if the capability and its region allow it. */
static int join_begin(struct shmchan_member *member, u32 *slot)
{
	struct shmchan_region *region = member->region;
	u32 only = member->terms.slot;
	int ret = 0;

	if (mutex_lock_killable(&region->caps_lock))
		return -EINTR;
	if (member->state == SHMCHAN_JOINING)
		ret = -EALREADY;
	else if (shmchan_grant_revoked(member->grant))
		ret = -ESTALE;
	else if (member->state != SHMCHAN_UNBOUND)
		ret = -EISCONN;
	else if (region->seals & SHMCHAN_SEAL_MEMBERS)
		ret = -ECONNREFUSED;
	else if (only != SHMCHAN_SLOT_ANY && *slot == SHMCHAN_SLOT_ANY)
		*slot = only;
	else if (only != SHMCHAN_SLOT_ANY && *slot != only)
		ret = -EACCES;
	if (!ret)
		WRITE_ONCE(member->state, SHMCHAN_JOINING);
	mutex_unlock(&region->caps_lock);
	return ret;
}

/* It failed: another may try.  But what came of a revoked one stays so. */
static void join_abort(struct shmchan_member *member)
{
	struct shmchan_region *region = member->region;
	bool revoked;

	mutex_lock(&region->caps_lock);
	revoked = shmchan_grant_revoked(member->grant);
	if (revoked) {
		shmchan_member_void(member);
		shmchan_presence_set(member, NULL);
	} else {
		WRITE_ONCE(member->state, SHMCHAN_UNBOUND);
	}
	mutex_unlock(&region->caps_lock);
	/* REVOKE has passed it over, so it has told nobody. */
	if (revoked)
		shmchan_poll_wake(member);
}

/*
 * It has claimed a seat: now it is a member, unless it was revoked or the region
 * sealed meanwhile.  The references become its own if it is.
 */
static int bind(struct shmchan_member *member, u32 slot, u32 flags,
		struct shmchan_mm *smm, struct shmchan_presence *presence)
{
	struct shmchan_region *region = member->region;
	int ret = 0;

	mutex_lock(&region->caps_lock);
	if (shmchan_grant_revoked(member->grant))
		ret = -ESTALE;
	else if (region->seals & SHMCHAN_SEAL_MEMBERS)
		ret = -ECONNREFUSED;
	if (!ret) {
		seat_hold(member, slot, flags);
		member->join_flags = flags;
		member->grant->joined_uid = current_euid();
		member->grant->slot = slot;
		member->grant->generation = member->generation;
		shmchan_member_keep(member, smm);
		shmchan_presence_set(member, presence);
		/* All of it before the state that says it is valid. */
		smp_store_release(&member->state, SHMCHAN_BOUND);
	}
	mutex_unlock(&region->caps_lock);
	return ret;
}

/**
 * shmchan_member_join - bind a capability to the caller's address space
 * @member: the capability
 * @slot: wanted, or SHMCHAN_SLOT_ANY
 * @flags: SHMCHAN_JOIN_*
 *
 * Return: see struct shmchan_join.
 */
int shmchan_member_join(struct shmchan_member *member, u32 slot, u32 flags)
{
	struct shmchan_region *region = member->region;
	struct shmchan_presence *presence;
	unsigned int tries = SHMCHAN_FENCE_TRIES;
	struct shmchan_mm *smm;
	int ret;

	if (flags & ~(SHMCHAN_JOIN_ASYM | SHMCHAN_JOIN_SIGBUS))
		return -EINVAL;
	if (slot != SHMCHAN_SLOT_ANY && slot >= region->nr_seats)
		return -EINVAL;
	ret = join_begin(member, &slot);
	if (ret)
		return ret;

	smm = shmchan_mm_get();
	if (IS_ERR(smm)) {
		ret = PTR_ERR(smm);
		goto err_abort;
	}
	presence = shmchan_presence_get(region);
	if (!presence) {
		ret = -ENOMEM;
		goto err_mm;
	}
	if (slot == SHMCHAN_SLOT_ANY) {
		ret = seat_claim_any(region, &slot, &tries);
	} else {
		slot = array_index_nospec(slot, region->nr_seats);
		ret = seat_claim(region, slot, &tries);
	}
	if (ret)
		goto err_presence;
	ret = bind(member, slot, flags, smm, presence);
	if (ret)
		goto err_seat;
	shmchan_members_tell(region);
	return 0;

err_seat:
	seat_unclaim(region, slot);
err_presence:
	shmchan_presence_put(presence);
err_mm:
	shmchan_mm_put(smm);
err_abort:
	join_abort(member);
	return ret;
}

/**
 * shmchan_member_revoke - begin to end a member
 * @member: in any state
 *
 * The caller then unmaps what it may have mapped, and finishes it.
 *
 * Return: whether it is this call that ends it.
 */
bool shmchan_member_revoke(struct shmchan_member *member)
{
	return cmpxchg(&member->state, SHMCHAN_BOUND, SHMCHAN_REVOKED) ==
	       SHMCHAN_BOUND;
}

/**
 * shmchan_member_finish - all that the end of a member takes
 * @member: by who ended it; it maps nothing any more
 * @how: SHMCHAN_SLOT_LEFT, _DIED or _REVOKED
 *
 * But for shmchan_members_tell(), which is good for many.
 */
void shmchan_member_finish(struct shmchan_member *member, u32 how)
{
	shmchan_trace_end(member, how);
	shmchan_bells_end(member);
	seat_release(member, how);
	shmchan_presence_set(member, NULL);
	/* Pairs with is_gone() of memory.c. */
	smp_store_release(&member->gone, true);
	/* Between that and the look at who waits, in wait_var_event(). */
	smp_mb();
	wake_up_var(&member->gone);
}

/*
 * End a member, once, by LEFT or DIED.  May sleep.
 *
 * Taking its mappings away: see memory.c.  With the address space gone there are
 * none, and with none ever made, or all unmapped, there are none either: the
 * cmpxchg is a full barrier, and pairs with the increment of nr_vmas in
 * map_area(), which looks at the state after it.
 *
 * Returns whether it was this call that ended it; then the caller tells.
 */
static bool member_end(struct shmchan_member *member, u32 how)
{
	if (cmpxchg(&member->state, SHMCHAN_BOUND, SHMCHAN_ENDED) !=
	    SHMCHAN_BOUND)
		return false;
	if (how != SHMCHAN_SLOT_DIED && atomic_read(&member->nr_vmas)) {
		/* The count, then the range: as map_area() has it. */
		smp_rmb();
		shmchan_memory_unmap(member->region,
				     READ_ONCE(member->map_start),
				     READ_ONCE(member->map_end));
	}
	shmchan_member_finish(member, how);
	return true;
}

/**
 * shmchan_member_release - the last close of a capability
 * @member: of the file, whose reference goes
 */
void shmchan_member_release(struct shmchan_member *member)
{
	struct shmchan_mm *smm = member->mm;

	if (member_end(member, SHMCHAN_SLOT_LEFT))
		shmchan_members_tell(member->region);
	shmchan_presence_set(member, NULL);
	if (smm) {
		/* Waits for a release of the mm that is still at this member. */
		mutex_lock(&smm->lock);
		list_del(&member->mm_node);
		mutex_unlock(&smm->lock);
		shmchan_mm_put(smm);
	}
	/* REVOKE may be at it still; it has a file on the region itself. */
	shmchan_member_put(member);
	shmchan_memory_unpin();
}

/**
 * shmchan_join_ioctl - SHMCHAN_IOC_JOIN
 * @call: the call
 *
 * Return: see struct shmchan_join.
 */
int shmchan_join_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	struct shmchan_join *j = call->arg;
	int ret;

	ret = shmchan_member_join(member, j->slot, j->flags);
	if (ret)
		return ret;
	j->slot = member->slot;
	j->generation = member->generation;
	/* Too late to undo; QUERY tells as well. */
	return shmchan_respond(call);
}

/**
 * shmchan_leave_ioctl - SHMCHAN_IOC_LEAVE
 * @call: the call
 *
 * Return: see struct shmchan_leave.
 */
int shmchan_leave_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	const struct shmchan_leave *l = call->arg;
	int ret;

	if (l->flags)
		return -EINVAL;
	ret = shmchan_member_check(member, 0);
	if (ret)
		return ret;
	if (member_end(member, SHMCHAN_SLOT_LEFT))
		shmchan_members_tell(member->region);
	return 0;
}

static void fill_identity(struct shmchan_identity *id,
			  const struct shmchan_holder *holder, struct pid *pid)
{
	memset(id, 0, sizeof(*id));
	if (!holder->generation)
		return;
	id->generation = holder->generation;
	id->state = holder->state;
	/* The number of one that is gone may be a stranger's by now. */
	rcu_read_lock();
	if (pid_task(pid, PIDTYPE_TGID))
		id->pid = pid_vnr(pid);
	rcu_read_unlock();
	id->uid = from_kuid_munged(current_user_ns(), holder->uid);
	id->gid = from_kgid_munged(current_user_ns(), holder->gid);
}

/**
 * shmchan_member_info_ioctl - SHMCHAN_IOC_MEMBER_INFO
 * @call: the call
 *
 * Return: see struct shmchan_member_info.
 */
int shmchan_member_info_ioctl(struct shmchan_call *call)
{
	const struct shmchan_member *member = call->file->private_data;
	struct shmchan_region *region = member->region;
	struct shmchan_member_info *info = call->arg;
	struct shmchan_holder cur, prev;
	struct shmchan_seat *seat;
	int ret;

	/* A capability that does not join may know if it could end them. */
	if (READ_ONCE(member->state) == SHMCHAN_UNBOUND &&
	    READ_ONCE(member->terms.rights) & SHMCHAN_RIGHT_ADMIN)
		ret = 0;
	else
		ret = shmchan_member_check(member, 0);
	if (ret)
		return ret;
	if (info->flags || info->reserved || info->slot >= region->nr_seats)
		return -EINVAL;
	seat = &region->seats[array_index_nospec(info->slot, region->nr_seats)];

	spin_lock(&region->seat_lock);
	cur = seat->cur;
	prev = seat->prev;
	get_pid(cur.pid);
	get_pid(prev.pid);
	spin_unlock(&region->seat_lock);

	fill_identity(&info->current_holder, &cur, cur.pid);
	fill_identity(&info->previous_holder, &prev, prev.pid);
	put_pid(cur.pid);
	put_pid(prev.pid);
	return shmchan_respond(call);
}
