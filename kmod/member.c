// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members: joining, and ending exactly once.
 *
 * A member is bound to an address space, not to a task or a file table: what
 * has to be known is when nobody can store through it any more, and that is
 * when its mmu_notifier is released, whatever else still holds the file.
 *
 * A member ends at the first of LEAVE, the end of its address space, and the
 * last close.  Whoever changes its state from BOUND to ENDED does the work.
 */

#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

static void shmchan_member_end(struct shmchan_member *member, u32 how);

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
	list_for_each_entry(member, &smm->members, mm_node)
		shmchan_member_end(member, SHMCHAN_SLOT_DIED);
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
 * signal.  The caller undoes what it did and lets the system call be restarted;
 * so nothing that takes long should come before.
 *
 * Return: a reference, to be given to shmchan_mm_put(), or an ERR_PTR() of
 * -EPERM (a kernel thread), -ENOMEM, -EINTR (a fatal signal), -ERESTARTNOINTR.
 */
struct shmchan_mm *shmchan_mm_get(void)
{
	struct mm_struct *mm = current->mm;
	struct mmu_notifier *mn = ERR_PTR(-EINTR);

	if (!mm)
		return ERR_PTR(-EPERM);
	if (!mmap_write_lock_killable(mm)) {
		mn = mmu_notifier_get_locked(&shmchan_mm_ops, mm);
		mmap_write_unlock(mm);
	}
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

/**
 * shmchan_member_new - make a capability
 * @region: what for
 * @rights: what to allow
 *
 * Return: it, to be given to shmchan_member_release() through its file, or to
 * kfree(); NULL without memory.
 */
struct shmchan_member *shmchan_member_new(struct shmchan_region *region,
					  u32 rights)
{
	struct shmchan_member *member;

	member = kzalloc(sizeof(*member), GFP_KERNEL_ACCOUNT);
	if (!member)
		return NULL;
	member->region = region;
	member->rights = rights;
	member->map_start = U64_MAX;
	spin_lock_init(&member->lock);
	INIT_LIST_HEAD(&member->mm_node);
	INIT_LIST_HEAD(&member->waits);
	INIT_LIST_HEAD(&member->subs);
	mutex_init(&member->read_lock);
	init_waitqueue_head(&member->poll);
	return member;
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
	/* pairs with the release in shmchan_member_join() */
	u32 state = smp_load_acquire(&member->state);

	if (state < SHMCHAN_BOUND)
		return -ENOTCONN;
	if (member->mm->mn.mm != current->mm)
		return -EPERM;
	if (state == SHMCHAN_ENDED)
		return -ESTALE;
	if (rights & ~member->rights)
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
	WRITE_ONCE(region->status->members_seq, ++region->members_seq);
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
static int fence_windows(struct shmchan_region *region, u32 slot)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < region->nr_windows && !ret; i++) {
		const struct shmchan_window *w = &region->windows[i];

		if (w->slot == slot)
			ret = shmchan_memory_fence(region, w->offset,
						   w->length);
	}
	return ret;
}

/* Take one seat for the caller: it is LIVE when this returns 0. */
static int seat_claim(struct shmchan_member *member, u32 slot, u32 flags)
{
	struct shmchan_region *region = member->region;
	struct shmchan_seat *seat = &region->seats[slot];
	struct pid *old;
	u32 was;
	int ret;

	spin_lock(&region->seat_lock);
	ret = seat_test(region, seat);
	if (ret) {
		spin_unlock(&region->seat_lock);
		return ret;
	}
	was = seat->cur.state;
	seat->cur.state = SHMCHAN_SLOT_CLAIMING;
	seat_publish(region, seat, 0);
	spin_unlock(&region->seat_lock);

	/* The fence sleeps; CLAIMING keeps others out meanwhile. */
	if (was != SHMCHAN_SLOT_FREE)
		ret = fence_windows(region, slot);

	spin_lock(&region->seat_lock);
	if (ret) {
		seat->cur.state = was;
		seat_publish(region, seat, 0);
		spin_unlock(&region->seat_lock);
		/* Somebody may have seen CLAIMING and wait for its end. */
		shmchan_bell_ring(&region->bells[SHMCHAN_DOORBELL_MEMBERS], 0);
		return ret;
	}
	old = seat->prev.pid;
	seat->prev = seat->cur;
	seat->prev.state = was;
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
	seat_publish(region, seat, flags & SHMCHAN_JOIN_ASYM ?
				   SHMCHAN_SLOT_WORD_ASYM : 0);
	members_changed(region);
	member->slot = slot;
	member->generation = seat->cur.generation;
	spin_unlock(&region->seat_lock);
	put_pid(old);
	return 0;
}

/* Any seat: first one that nobody ever held, since it needs no fence. */
static int seat_claim_any(struct shmchan_member *member, u32 flags)
{
	struct shmchan_region *region = member->region;
	int ret, result = -EUSERS;
	bool used = false;
	u32 slot;

	do {
		for (slot = 0; slot < region->nr_seats; slot++) {
			/* A hint; seat_claim() looks again under the lock. */
			if (!READ_ONCE(region->seats[slot].cur.generation) ==
			    used)
				continue;
			ret = seat_claim(member, slot, flags);
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
	region->nr_live--;
	seat_publish(region, seat, 0);
	members_changed(region);
	spin_unlock(&region->seat_lock);
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
	struct shmchan_mm *smm;
	int ret;

	if (flags & ~SHMCHAN_JOIN_ASYM)
		return -EINVAL;
	if (slot != SHMCHAN_SLOT_ANY && slot >= region->nr_seats)
		return -EINVAL;
	if (cmpxchg(&member->state, SHMCHAN_UNBOUND, SHMCHAN_JOINING) !=
	    SHMCHAN_UNBOUND)
		return -EISCONN;

	smm = shmchan_mm_get();
	if (IS_ERR(smm)) {
		ret = PTR_ERR(smm);
		goto err_unbind;
	}
	if (slot == SHMCHAN_SLOT_ANY)
		ret = seat_claim_any(member, flags);
	else
		ret = seat_claim(member,
				 array_index_nospec(slot, region->nr_seats),
				 flags);
	if (ret)
		goto err_mm;

	/* Nothing fails from here on. */
	shmchan_name_hold(member);
	member->mm = smm;
	mutex_lock(&smm->lock);
	list_add(&member->mm_node, &smm->members);
	mutex_unlock(&smm->lock);
	/* Slot, generation and mm before the state that says they are valid. */
	smp_store_release(&member->state, SHMCHAN_BOUND);
	shmchan_bell_ring(&region->bells[SHMCHAN_DOORBELL_MEMBERS], 0);
	return 0;

err_mm:
	shmchan_mm_put(smm);
err_unbind:
	/* Nobody acts on a capability that is JOINING: no order is needed. */
	WRITE_ONCE(member->state, SHMCHAN_UNBOUND);
	return ret;
}

/*
 * End a member, once.  @how is SHMCHAN_SLOT_LEFT or _DIED.  May sleep.
 *
 * Taking its mappings away: see memory.c.  With the address space gone there
 * are none, and with none ever made, or all unmapped, there are none either:
 * the cmpxchg is a full barrier, and pairs with the increment of nr_vmas in
 * shmchan_member_mmap(), which looks at the state after it.
 */
static void shmchan_member_end(struct shmchan_member *member, u32 how)
{
	struct shmchan_region *region = member->region;

	if (cmpxchg(&member->state, SHMCHAN_BOUND, SHMCHAN_ENDED) !=
	    SHMCHAN_BOUND)
		return;
	if (how != SHMCHAN_SLOT_DIED && atomic_read(&member->nr_vmas)) {
		/* The count, then the range: as shmchan_member_mmap() has it. */
		smp_rmb();
		shmchan_memory_unmap(member);
	}
	shmchan_bells_end(member);
	seat_release(member, how);
	shmchan_bell_ring(&region->bells[SHMCHAN_DOORBELL_MEMBERS], 0);
	shmchan_name_put(member);
}

/**
 * shmchan_member_release - the last close of a capability
 * @member: of the file; freed
 */
void shmchan_member_release(struct shmchan_member *member)
{
	struct shmchan_mm *smm = member->mm;

	shmchan_member_end(member, SHMCHAN_SLOT_LEFT);
	shmchan_name_put(member);
	if (smm) {
		/* Waits for a release of the mm that is still at this member. */
		mutex_lock(&smm->lock);
		list_del(&member->mm_node);
		mutex_unlock(&smm->lock);
		shmchan_mm_put(smm);
	}
	kfree(member);
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
	return shmchan_respond(call, sizeof(*j));
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
	shmchan_member_end(member, SHMCHAN_SLOT_LEFT);
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
	return shmchan_respond(call, sizeof(*info));
}
