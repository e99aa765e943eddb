// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what a member that subscribed is told, by poll and read.
 *
 * What is pending is a difference: of a sequence number, and of what this member
 * has seen of it.  So nobody consumes the event of another, and rings and ends
 * leave nothing behind that somebody would have to fetch.
 *
 * Of a doorbell the number is that of its rings.  Of the ends of members it is
 * the region's: each seat keeps its last end and the number of that, and the
 * region has its seats in that order; whatever has a higher number than the
 * subscriber has seen is pending.  How many holders a seat has lost is the
 * difference of two generations, so a subscriber keeps one for each.
 */

#include <linux/poll.h>
#include <linux/uio.h>

#include "doorbell.h"
#include "shmchan.h"

/* Events that read() looks for at a time. */
#define SHMCHAN_FEW_EVENTS	16

/**
 * shmchan_ends_begin - a subscriber knows of all that have ended so far
 * @sub: new, to members that end; the caller holds its member's lock
 */
void shmchan_ends_begin(struct shmchan_sub *sub)
{
	struct shmchan_region *region = sub->member->region;
	u32 i;

	lockdep_assert_held(&sub->member->lock);
	spin_lock(&region->seat_lock);
	sub->seen = region->nr_ends;
	sub->told = region->nr_ends;
	for (i = 0; i < region->nr_seats; i++)
		sub->ended[i] = region->seats[i].end_generation;
	spin_unlock(&region->seat_lock);
}

/* What @seen of a subscription would be if the member looked now. */
static u64 now(const struct shmchan_sub *sub)
{
	return sub->members ? READ_ONCE(sub->member->region->nr_ends) :
			      READ_ONCE(sub->bell->seq);
}

/**
 * shmchan_member_poll - readable: there is an event
 * @file: a capability
 * @table: who polls
 *
 * Return: EPOLLERR before JOIN; EPOLLHUP too once the member has ended.
 */
__poll_t shmchan_member_poll(struct file *file, poll_table *table)
{
	struct shmchan_member *member = file->private_data;
	struct shmchan_sub *sub;
	__poll_t mask = 0;
	u32 state;

	poll_wait(file, &member->poll, table);
	/* pairs with the release in bind() of member.c */
	state = smp_load_acquire(&member->state);
	if (state >= SHMCHAN_ENDED)
		return EPOLLIN | EPOLLERR | EPOLLHUP;
	if (state != SHMCHAN_BOUND)
		return EPOLLERR;

	spin_lock(&member->lock);
	list_for_each_entry(sub, &member->subs, member_node) {
		if (!sub->eventfd && now(sub) != sub->seen) {
			mask = EPOLLIN | EPOLLRDNORM;
			break;
		}
	}
	spin_unlock(&member->lock);
	return mask;
}

/* So many holders a slot has had since; none has the number 0. */
static u32 holders_between(u32 since, u32 now)
{
	return now < since ? now - since - 1 : now - since;
}

/* Slots are told of in the order of their last ends. */
static u32 peek_ends(const struct shmchan_sub *sub,
		     struct shmchan_event *events, u64 *seqs, u32 max)
{
	struct shmchan_region *region = sub->member->region;
	const struct shmchan_seat *seat;
	struct list_head *pos;
	u32 slot, nr = 0;

	lockdep_assert_held(&sub->member->lock);
	spin_lock(&region->seat_lock);
	/* The last one that has been seen: mostly it is not far. */
	list_for_each_prev(pos, &region->ends) {
		seat = list_entry(pos, struct shmchan_seat, end_node);
		if (seat->end_seq <= sub->seen)
			break;
	}
	for (pos = pos->next; pos != &region->ends && nr < max;
	     pos = pos->next) {
		seat = list_entry(pos, struct shmchan_seat, end_node);
		slot = seat - region->seats;
		seqs[nr] = seat->end_seq;
		events[nr] = (struct shmchan_event) {
			.kind = SHMCHAN_EVENT_ENDED,
			.doorbell = sub->doorbell,
			.count = holders_between(sub->ended[slot],
						 seat->end_generation),
			.slot = slot,
			.generation = seat->end_generation,
			.state = seat->end_state,
		};
		nr++;
	}
	spin_unlock(&region->seat_lock);
	return nr;
}

/*
 * Up to @max events that are pending, and the sequence number of each: the
 * doorbell's or the end's; nothing is marked as seen yet.
 */
static u32 peek_events(struct shmchan_member *member,
		       struct shmchan_event *events, u64 *seqs, u32 max)
{
	struct shmchan_sub *sub;
	u32 nr = 0;

	spin_lock(&member->lock);
	list_for_each_entry(sub, &member->subs, member_node) {
		if (nr == max)
			break;
		if (sub->eventfd)
			continue;
		seqs[nr] = now(sub);
		if (seqs[nr] == sub->seen)
			continue;
		if (sub->members) {
			nr += peek_ends(sub, &events[nr], &seqs[nr], max - nr);
			continue;
		}
		events[nr] = (struct shmchan_event) {
			.kind = SHMCHAN_EVENT_RUNG,
			.doorbell = sub->doorbell,
			.count = seqs[nr] - sub->seen,
		};
		nr++;
	}
	spin_unlock(&member->lock);
	return nr;
}

/* The reader has them: read_lock kept others from taking them meanwhile. */
static void mark_seen(struct shmchan_member *member,
		      const struct shmchan_event *events, const u64 *seqs,
		      u32 nr)
{
	struct shmchan_sub *sub;
	u32 i;

	spin_lock(&member->lock);
	for (i = 0; i < nr; i++) {
		bool ended = events[i].kind == SHMCHAN_EVENT_ENDED;

		sub = shmchan_sub_find(member, events[i].doorbell, false);
		/* Not if it was ended and made anew: that has seen more. */
		if (!sub || sub->members != ended ||
		    (s64)(seqs[i] - sub->seen) <= 0)
			continue;
		sub->seen = seqs[i];
		if (ended)
			sub->ended[events[i].slot] = events[i].generation;
		/* Next time the others come first. */
		list_move_tail(&sub->member_node, &member->subs);
	}
	spin_unlock(&member->lock);
}

/**
 * shmchan_member_read - which doorbells were rung, which members have ended
 * @iocb: of a member's file
 * @to: room for struct shmchan_event, as many as fit
 *
 * Return: bytes, or -EAGAIN, -EINVAL, -EFAULT, -EINTR, and what a member's
 * calls give.
 */
ssize_t shmchan_member_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct shmchan_member *member = iocb->ki_filp->private_data;
	struct shmchan_event events[SHMCHAN_FEW_EVENTS];
	u64 seqs[SHMCHAN_FEW_EVENTS];
	ssize_t done = 0;
	int ret;
	u32 nr;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_WAIT);
	if (ret)
		return ret;
	if (iov_iter_count(to) < sizeof(events[0]))
		return -EINVAL;

	/* Whoever holds it may sleep in a fault for as long as it likes. */
	if (iocb->ki_flags & IOCB_NOWAIT) {
		if (!mutex_trylock(&member->read_lock))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&member->read_lock)) {
		return -EINTR;
	}
	do {
		nr = min_t(size_t, iov_iter_count(to) / sizeof(events[0]),
			   ARRAY_SIZE(events));
		nr = peek_events(member, events, seqs, nr);
		if (!nr)
			break;
		if (copy_to_iter(events, nr * sizeof(events[0]), to) !=
		    nr * sizeof(events[0])) {
			ret = -EFAULT;
			break;
		}
		mark_seen(member, events, seqs, nr);
		done += nr * sizeof(events[0]);
	} while (nr == ARRAY_SIZE(events));
	mutex_unlock(&member->read_lock);

	if (done)
		return done;
	return ret ? ret : -EAGAIN;
}
