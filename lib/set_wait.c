// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sets: looking who is ready, waiting, arming, events.
 *
 * Waiting is shmchan_wait_many() with what the members wait for at the moment.
 *
 * Armed stays a doorbell until it is rung, and then its file polls readable.  So
 * one whose count of rings is still what it was before it was armed needs no call.
 */

#include <errno.h>
#include <sys/epoll.h>

#include "asym.h"
#include "set_private.h"

/* What may be counted as members' ends that nobody has seen yet. */
#define STALE_TRIES	1000

/* What it waits for: 0; 1: nothing, it is ready; or an error. */
static int conds_of(const struct set_member *m, struct shmchan_cond *conds)
{
	int ready;

	if (m->kind)
		return m->kind->conds(m->object, conds);
	ready = shmchan__differs(shmchan__private(m->region), &m->elem);
	/* Behind the look. */
	if (shmchan_region_check(m->region))
		return -ESTALE;
	conds->region = m->region;
	conds->elem = m->elem;
	return ready;
}

/*
 * All members, beginning with whose turn it is: up to nr that are ready, and how
 * many; or 0, and what to wait for.
 */
static uint32_t look(struct shmchan_set *set, struct shmchan_ready *ready,
		     uint32_t nr, struct shmchan_cond *conds)
{
	uint32_t i, id, n = 0;
	int ret;

	for (i = 0; i < set->nr_ids && n < nr; i++) {
		id = (set->next + i) % set->nr_ids;
		const struct set_member *m = &set->members[id];

		if (!m->region)
			continue;
		ret = conds_of(m, conds);
		if (!ret) {
			conds += set_weight(m);
			continue;
		}
		/* No place is used by one that is ready: n or conds counts. */
		ready[n++] = (struct shmchan_ready){
			.id = (int)id, .error = ret < 0 ? ret : 0,
			.data = m->data,
		};
	}
	if (n)
		set->next = (uint32_t)ready[n - 1].id + 1;
	return n;
}

static int wait_for_any(struct shmchan_set *set, struct shmchan_ready *ready,
			uint32_t nr, int64_t timeout_ns)
{
	struct shmchan_cond conds[SET_MAX];
	uint64_t deadline = 0;
	int tries = 0, err;
	uint32_t n;

	if (!ready || !nr)
		return shmchan__fail(EINVAL,
			"room for %u that are ready at %p: should be for one or more",
			nr, (void *)ready);
	if (!set->nr_ids)
		return shmchan__fail(EINVAL,
			"the set is empty: nothing would wake us");
	for (;;) {
		n = look(set, ready, nr, conds);
		if (n)
			return (int)n;
		if (!timeout_ns)
			return shmchan__fail(EAGAIN, "nothing is ready");
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan_wait_many(conds, set->nr_conds, deadline, NULL);
		/* However often we are woken for nothing, time is up when it is. */
		if (!err && deadline != SHMCHAN_FOREVER &&
		    shmchan__now() >= deadline)
			err = shmchan__fail(ETIMEDOUT,
					    "nothing became ready in time");
		/* Which one it is, the words tell a moment later. */
		if (err == -ESTALE && ++tries < STALE_TRIES)
			continue;
		/* What woke us, and came too late for us, must not go to nobody. */
		if (err == -ETIMEDOUT) {
			n = look(set, ready, nr, conds);
			if (n)
				return (int)n;
		}
		if (err)
			return err;
	}
}

int shmchan_set_wait(struct shmchan_set *set, struct shmchan_ready *ready,
		     uint32_t nr, int64_t timeout_ns)
{
	int err = shmchan__set_enter(set);

	return err ? err :
	       set_leave(set, wait_for_any(set, ready, nr, timeout_ns));
}

/* Arming. */

static int again(void)
{
	return shmchan__fail(EAGAIN, "something is ready: look again");
}

static uint64_t rings(const struct set_sub *s)
{
	return shmchan_load_seq_cst(
		&shmchan_doorbell_status(s->region, s->doorbell)->seq);
}

/* Conditions on doorbells that are armed already need no call but a look. */
static int arm_cond(struct shmchan_set *set, const struct shmchan_cond *cond)
{
	struct set_sub *s = shmchan__set_find_sub(set, cond->region,
						  cond->elem.doorbell);
	uint64_t seq = rings(s);
	int err;

	if (s->armed && s->seq == seq)
		return 0;
	s->armed = 0;
	err = shmchan_bell_arm(cond->region, cond->elem.doorbell, &cond->elem, 1);
	if (!err || err == -EAGAIN) {
		s->armed = 1;
		s->seq = seq;
	}
	return err;
}

static int arm_kmod(struct shmchan_set *set, const struct shmchan_cond *conds)
{
	uint32_t i;
	int err;

	for (i = 0; i < set->nr_conds; i++) {
		/* Who comes and goes makes the file readable, armed or not. */
		if (conds[i].elem.doorbell == SHMCHAN_DOORBELL_MEMBERS)
			continue;
		err = arm_cond(set, &conds[i]);
		/* That one is ready, with that error. */
		if (err == -ESTALE)
			return again();
		if (err)
			return err;
	}
	return 0;
}

static int arm_local(struct shmchan_set *set, const struct shmchan_cond *conds)
{
	struct local_bell bells[SET_MAX];
	uint32_t i, nr = local_collect(bells, conds, set->nr_conds);
	int dead = 0, passed = 0, without;
	uint64_t now = shmchan__now();

	without = local_bells_raise(bells, nr, 1, &passed);
	for (i = 0; i < set->nr_conds; i++)
		if (shmchan__differs(shmchan__private(conds[i].region),
				     &conds[i].elem) ||
		    shmchan_region_check(conds[i].region))
			return again();
	for (i = 0; i < nr; i++)
		dead += local_reap(bells[i].p, now);
	if (dead)
		return again();
	return local_poll_arm(set->poll, bells, nr,
			      local_bells_due(bells, nr, now, without));
}

static int arm(struct shmchan_set *set)
{
	struct shmchan_cond conds[SET_MAX];
	struct shmchan_ready ready;
	uint32_t next;
	int err;

	if (set->epoll.fd < 0)
		return shmchan__fail(EINVAL,
			"this set has no file to arm: ask for it first, with shmchan_set_fd()");
	if (!set->nr_ids)
		return 0;
	/* Whose turn it is does not change by that. */
	next = set->next;
	if (look(set, &ready, 1, conds)) {
		set->next = next;
		return again();
	}
	set->next = next;
	if (set->poll)
		return arm_local(set, conds);
	err = arm_kmod(set, conds);
	/* The words that have been armed for long have not been looked at since. */
	if (!err && look(set, &ready, 1, conds))
		err = again();
	set->next = next;
	return err;
}

int shmchan_set_arm(struct shmchan_set *set)
{
	int err = shmchan__set_enter(set);

	return err ? err : set_leave(set, arm(set));
}

/* Events. */

static int events_kmod(struct shmchan_set *set,
		       struct shmchan_set_event *events, uint32_t nr)
{
	struct epoll_event files[SET_MAX];
	struct shmchan_event got[16];
	uint32_t total = 0, room;
	int i, j, n, k;

	n = epoll_wait(set->epoll.fd, files, SET_MAX, 0);
	for (i = 0; i < n && total < nr; i++) {
		const struct shmchan_region *region = files[i].data.ptr;

		do {
			room = nr - total < 16 ? nr - total : 16;
			k = shmchan_bell_events(region, got, room);
			for (j = 0; j < k; j++) {
				events[total].region = region;
				events[total++].event = got[j];
			}
		} while (k == (int)room && total < nr);
	}
	return (int)total;
}

static int events_local(struct shmchan_set *set,
			struct shmchan_set_event *events, uint32_t nr)
{
	const struct shmchan_region *last = NULL;
	uint32_t id, total = 0;
	struct shmchan_event e;

	for (id = 0; id < set->nr_ids && total < nr; id++) {
		const struct shmchan_region *region = set->members[id].region;

		if (!region || region == last)
			continue;
		last = region;
		while (total < nr && shmchan_bell_events(region, &e, 1) == 1) {
			events[total].region = region;
			events[total++].event = e;
		}
	}
	return (int)total;
}

static int check_file(const struct shmchan_set *set)
{
	if (set->epoll.fd >= 0)
		return 0;
	return shmchan__fail(EINVAL,
		"this set has no file: ask for it first, with shmchan_set_fd()");
}

static int take_events(struct shmchan_set *set,
		       struct shmchan_set_event *events, uint32_t nr)
{
	int err = check_file(set);

	if (err)
		return err;
	if (!events || !nr || nr > INT32_MAX)
		return shmchan__fail(EINVAL,
			"room for %u events at %p: should be for one or more",
			nr, (void *)events);
	if (set->backend == SHMCHAN_BACKEND_KMOD)
		return events_kmod(set, events, nr);
	if (set->poll)
		local_poll_ack(set->poll);
	return events_local(set, events, nr);
}

int shmchan_set_events(struct shmchan_set *set,
		       struct shmchan_set_event *events, uint32_t nr)
{
	int err = shmchan__set_enter(set);

	return err ? err : set_leave(set, take_events(set, events, nr));
}

static int ack(struct shmchan_set *set)
{
	struct shmchan_set_event events[32];
	int turns, err = check_file(set);

	if (err)
		return err;
	if (set->poll) {
		local_poll_ack(set->poll);
		return 0;
	}
	/* Each file once or twice: who rings all the time must not keep us. */
	for (turns = 0; turns < SET_MAX / 8; turns++)
		if (take_events(set, events, 32) <= 0)
			break;
	return 0;
}

int shmchan_set_ack(struct shmchan_set *set)
{
	int err = shmchan__set_enter(set);

	return err ? err : set_leave(set, ack(set));
}
