// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the server: replies. */

#include <errno.h>

#include "rpc_private.h"

static int too_long(const struct shmchan_rpc__seat *seat, size_t length)
{
	return shmchan__fail(EMSGSIZE,
			     "rpc: a reply of %zu bytes; in %s it may have %zu (reply_capacity / 4, less 24)",
			     length, shmchan__name_of(seat->region),
			     shmchan_rpc_max_reply(seat->region));
}

static int gone(const struct shmchan_rpc__seat *seat, int how)
{
	return shmchan__fail(-how,
			     "rpc: client %u of %s %s: nobody waits for the reply",
			     seat->slot, shmchan__name_of(seat->region),
			     how == -EPIPE ? "closed" : "died");
}

static int not_open(const struct shmchan_rpc_call *call, const char *name)
{
	return shmchan__fail(EINVAL,
			     "rpc: call %u of client %u (generation %u) of %s is not open: it was answered before, or was never taken",
			     call->id, call->client, call->generation, name);
}

static int taken_back(struct shmchan_rpc__seat *seat, uint32_t id)
{
	if (seat->open[PLACE(id)] == id)
		seat->open[PLACE(id)] = 0;
	seat->taken_back[PLACE(id)] = 0;
	return shmchan__fail(ECANCELED,
			     "rpc: client %u of %s has taken call %u back: nobody waits for the reply",
			     seat->slot, shmchan__name_of(seat->region), id);
}

/* The seat of a call that is open, and whose client is there. */
static int find(struct shmchan_rpc_server *s,
		const struct shmchan_rpc_call *call,
		struct shmchan_rpc__seat **found)
{
	const char *name = shmchan__name_of(s->region);
	struct shmchan_rpc__seat *seat;
	int err = shmchan_region_check(s->region);

	if (err)
		return err;
	if (!call->client || call->client > s->header.nr_clients || !call->id)
		return not_open(call, name);
	*found = seat = &s->seats[call->client - 1];
	if (seat->generation != call->generation) {
		if (call->generation && call->generation == seat->last)
			return gone(seat, seat->last_end);
		if (call->generation && call->generation < seat->last)
			return gone(seat, -EOWNERDEAD);
		return not_open(call, name);
	}
	if (shmchan_load_acquire((uint64_t *)seat->word) != seat->live_word)
		return gone(seat, shmchan__rpc_seat_end(seat));
	if (seat->open[PLACE(call->id)] == call->id)
		return shmchan__rpc_seat_taken_back(seat, call->id) ?
		       taken_back(seat, call->id) : 0;
	if (seat->taken_back[PLACE(call->id)] == call->id)
		return taken_back(seat, call->id);
	return not_open(call, name);
}

/* Until when this reply may wait for room; 0: not at all.  *drop: and what then. */
static uint64_t patience(struct shmchan_rpc__seat *seat, int64_t timeout_ns,
			 int *drop)
{
	int64_t after = seat->s->header.drop_after_ns;
	uint64_t until = timeout_ns ? shmchan_deadline(timeout_ns) : 0, last;

	*drop = 0;
	if (!after)
		return until;
	if (!seat->full_since)
		seat->full_since = shmchan__now();
	last = seat->full_since + (after > 0 ? (uint64_t)after : 0);
	if (after < 0 || shmchan__now() >= last) {
		*drop = 1;
		return 0;
	}
	if (until > last) {
		*drop = 1;
		until = last;
	}
	return until;
}

/* For room, for the client's end, or until it takes a call back. */
static int wait_room(struct shmchan_rpc__seat *seat, uint64_t pos,
		     uint64_t cancelled, uint64_t until)
{
	struct shmchan_wait_elem elems[3];

	elems[0] = shmchan_elem64(BELL_SERVER, seat->reply_cursor, pos);
	elems[1] = shmchan_elem_slot(seat->region, seat->slot, seat->live_word);
	elems[2] = shmchan_elem64(BELL_SERVER, seat->cancelled_word, cancelled);
	seat->s->stats.waits++;
	/* What the client may be waiting for, before we sleep. */
	shmchan_lane_publish(&seat->r);
	return shmchan__bell_wait_others(seat->region, elems, 3, until);
}

/* There was no room at first. */
static int put_later(struct shmchan_rpc__seat *seat,
		     const struct shmchan_rpc_call *call, uint32_t flags,
		     int32_t status, const void *reply, size_t length,
		     int64_t timeout_ns)
{
	struct shmchan_lane_cursor *cursor =
		shmchan_lane_cursor(&seat->w.lane, 0);
	struct shmchan_rpc__seat *unused;
	uint64_t until, pos, cancelled;
	int drop, err;

	until = patience(seat, timeout_ns, &drop);
	while (until) {
		/* As it is before we look. */
		pos = shmchan_load_acquire(&cursor->pos);
		cancelled = shmchan_load_acquire((uint64_t *)
						 &seat->client->cancelled);
		err = find(seat->s, call, &unused);
		if (!err)
			err = shmchan__rpc_seat_put(seat, call->id, flags,
						    status, reply, length);
		if (err != -EAGAIN)
			return err;
		/* However its client moves the cursor, time is up when it is. */
		if (until != SHMCHAN_FOREVER && shmchan__now() >= until)
			err = shmchan__fail(ETIMEDOUT,
					    "rpc: client %u of %s made no room for the reply in time",
					    seat->slot,
					    shmchan__name_of(seat->region));
		else
			err = wait_room(seat, pos, cancelled, until);
		if (err == -ETIMEDOUT && drop)
			break;
		if (err)
			return err;
	}
	if (!drop)
		return shmchan__fail_lazily(EAGAIN,
			"rpc: client %llu has no room for the reply to call %llu",
			(unsigned long long)seat->slot,
			(unsigned long long)call->id);
	/* Its client may have gone while we waited. */
	err = find(seat->s, call, &unused);
	if (err)
		return err;
	shmchan__rpc_seat_drop(seat, call->id);
	seat->open[PLACE(call->id)] = 0;
	return shmchan__fail(EOVERFLOW,
			     "rpc: client %u of %s does not read its replies: call %u was dropped, %llu of all clients so far",
			     seat->slot, shmchan__name_of(seat->region),
			     call->id,
			     (unsigned long long)seat->s->stats.dropped);
}

static int reply_to(struct shmchan_rpc_server *s,
		    const struct shmchan_rpc_call *call, uint32_t flags,
		    int32_t status, const void *reply, size_t length,
		    int64_t timeout_ns)
{
	struct shmchan_rpc__seat *seat;
	int err = find(s, call, &seat);

	if (err)
		return err;
	if (length > seat->w.max_payload -
		     sizeof(struct shmchan_wire_rpc_reply))
		return too_long(seat, length);
	err = shmchan__rpc_seat_put(seat, call->id, flags, status, reply,
				    length);
	if (err == -EAGAIN)
		err = put_later(seat, call, flags, status, reply, length,
				timeout_ns);
	if (err == -EBADMSG) {
		shmchan__rpc_seat_bad(seat);
		seat->open[PLACE(call->id)] = 0;
	}
	if (err)
		return err;
	seat->full_since = 0;
	s->stats.replies++;
	if (!(flags & SHMCHAN_WIRE_RPC_MORE))
		seat->open[PLACE(call->id)] = 0;
	return 0;
}

static int reply_with(struct shmchan_rpc_server *s,
		      const struct shmchan_rpc_call *call, uint32_t flags,
		      int32_t status, const void *reply, size_t length,
		      int64_t timeout_ns)
{
	int err = rpc_begin(s);

	if (err)
		return err;
	err = call ? reply_to(s, call, flags, status, reply, length,
			      timeout_ns) :
		     shmchan__fail(EINVAL, "rpc: a reply to no call: NULL");
	shmchan__leave(&s->busy);
	return err;
}

int shmchan_rpc_reply(struct shmchan_rpc_server *s,
		      const struct shmchan_rpc_call *call, int32_t status,
		      const void *reply, size_t length, int64_t timeout_ns)
{
	return reply_with(s, call, 0, status, reply, length, timeout_ns);
}

int shmchan_rpc_reply_part(struct shmchan_rpc_server *s,
			   const struct shmchan_rpc_call *call, int32_t status,
			   const void *reply, size_t length,
			   int64_t timeout_ns)
{
	return reply_with(s, call, SHMCHAN_WIRE_RPC_MORE, status, reply, length,
			  timeout_ns);
}

int shmchan_rpc_cancelled(const struct shmchan_rpc_server *s,
			  const struct shmchan_rpc_call *call)
{
	const struct shmchan_rpc__seat *seat;

	if (!s || !call || !s->region || shmchan__usable(s->region) ||
	    !call->client || call->client > s->header.nr_clients)
		return 1;
	seat = &s->seats[call->client - 1];
	return seat->generation != call->generation ||
	       shmchan_load_acquire((uint64_t *)seat->word) !=
	       seat->live_word ||
	       seat->open[PLACE(call->id)] != call->id ||
	       shmchan__rpc_seat_taken_back(seat, call->id) ||
	       (call->deadline != SHMCHAN_FOREVER &&
		shmchan__now() >= call->deadline);
}
