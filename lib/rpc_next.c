// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the server: the next request, of whichever client. */

#include <errno.h>
#include <string.h>

#include "lane_private.h"
#include "rpc_private.h"

/* Requests of one client in a row: one look around serves so many. */
#define TURNS		8
/* Requests that one look at a client passes over. */
#define SKIP_MAX	256

/* Where a request is to go. */
struct request_sink {
	struct shmchan_rpc_call *call;
	void *buf;
	size_t capacity;
};

static int bad_request(struct shmchan_rpc__seat *seat, const char *what,
		       unsigned long long value)
{
	shmchan__rpc_seat_bad(seat);
	return shmchan__fail(EBADMSG,
			     "rpc: client %u of %s (generation %u) breaks the rules: %s (%llu): nothing is heard of it any more",
			     seat->slot, shmchan__name_of(seat->region),
			     seat->generation, what, value);
}

/* Its deadline is over: it is not begun, and who still waits is told. */
static void expire(struct shmchan_rpc__seat *seat, uint32_t id)
{
	seat->s->stats.skipped++;
	if (shmchan__rpc_seat_put(seat, id, SHMCHAN_WIRE_RPC_EXPIRED, 0, NULL,
				  0) == -EAGAIN)
		shmchan__rpc_seat_drop(seat, id);
}

/* Not for us, or nobody waits for it: 1.  0, or EBADMSG. */
static int passed_over(struct shmchan_rpc__seat *seat,
		       const struct shmchan_wire_rpc_request *head, uint32_t id)
{
	if (head->server != seat->region->generation ||
	    head->client != seat->generation) {
		seat->s->stats.stale++;
		return 1;
	}
	if (!id || head->flags)
		return bad_request(seat, id ? "unknown flags" :
					      "a call without a number",
				   head->flags);
	if (seat->open[PLACE(id)] == id)
		return bad_request(seat, "a number of a call that is open", id);
	if (shmchan__rpc_seat_taken_back(seat, id)) {
		seat->s->stats.skipped++;
		return 1;
	}
	if (head->deadline != SHMCHAN_FOREVER &&
	    shmchan__now() >= head->deadline) {
		expire(seat, id);
		return 1;
	}
	return 0;
}

/* Read once; then it is only the copy that counts. */
static void read_head(struct shmchan_wire_rpc_request *head, const uint8_t *data)
{
	uint64_t words[sizeof(*head) / 8];
	size_t i;

	for (i = 0; i < sizeof(*head) / 8; i++)
		words[i] = shmchan_load_relaxed((uint64_t *)(uintptr_t)data + i);
	memcpy(head, words, sizeof(*head));
}

static int too_large(const struct request_sink *sink, size_t length)
{
	sink->call->length = length;
	return shmchan__fail(EMSGSIZE,
			     "rpc: a request of %zu bytes, the buffer has %zu",
			     length, sink->capacity);
}

/* To the caller; *end is where the lane goes on. */
static int hand_over(struct shmchan_rpc__seat *seat,
		     const struct request_sink *sink,
		     const struct shmchan_wire_rpc_request *head, uint32_t id,
		     const uint8_t *payload, size_t length, uint64_t end)
{
	struct shmchan_rpc_call *call = sink->call;
	uint32_t *open = &seat->open[PLACE(id)];

	call->client = seat->slot;
	call->generation = seat->generation;
	call->id = id;
	call->method = head->method;
	call->deadline = head->deadline;
	if (sink->buf && length > sink->capacity)
		return too_large(sink, length);
	call->length = length;
	call->data = payload;
	if (sink->buf) {
		shmchan_lane__copy_out(sink->buf, payload, length);
		call->data = sink->buf;
	}
	if (shmchan_lane_reader_check(&seat->r))
		return -ESTALE;
	if (!sink->buf) {
		seat->r.nr_held = 1;
		seat->r.held = seat->r.pos;
		seat->s->held = seat;
	}
	shmchan_lane__advance(&seat->r, end);
	/* Its client has used the place again: it waits no more. */
	if (*open)
		seat->taken_back[PLACE(id)] = *open;
	*open = id;
	seat->s->stats.calls++;
	return 0;
}

/*
 * There was nothing.  A lane that is jumped over is one that is being repaired, which
 * its client has done before we came to know it; else we should wait beside a
 * record that is there.
 */
static int nothing(struct shmchan_rpc__seat *seat, uint64_t pos)
{
	uint64_t header = shmchan_load_relaxed(shmchan_lane__from(&seat->r,
								  pos));

	if (seat->r.pos == pos && !seat->r.run_left &&
	    lane_header_jumps(header))
		return bad_request(seat, "a jump to nowhere at position", pos);
	return -EAGAIN;
}

/* Of a client that we know.  0, EAGAIN, EBADMSG, EMSGSIZE, ESTALE. */
static int take_request(struct shmchan_rpc__seat *seat,
			const struct request_sink *sink)
{
	struct shmchan_wire_rpc_request head;
	const uint8_t *data = NULL;
	uint64_t end = 0, pos;
	uint32_t length = 0, id = 0;
	int i, err;

	for (i = 0; i < SKIP_MAX; i++) {
		pos = seat->r.pos;
		err = shmchan_lane__front(&seat->r, &data, &length, &id, &end);
		if (err == -EBADMSG && seat->r.pos == pos)
			return bad_request(seat, "a header at position", pos);
		/* Between the records of two clients, or a jump over nonsense. */
		if (err == -EPIPE || err == -EOWNERDEAD || err == -EBADMSG) {
			if (seat->r.pos != pos)
				continue;
			return -EAGAIN;
		}
		if (err)
			return err == -EAGAIN ? nothing(seat, pos) : err;
		if (length < sizeof(head))
			return bad_request(seat, "a request too short", length);
		read_head(&head, data);
		err = passed_over(seat, &head, id);
		if (err < 0)
			return err;
		if (!err)
			return hand_over(seat, sink, &head, id,
					 data + sizeof(head),
					 length - sizeof(head), end);
		if (shmchan_lane_reader_check(&seat->r))
			return -ESTALE;
		shmchan_lane__advance(&seat->r, end);
	}
	return -EAGAIN;
}

/* Found out by a look at its lanes, or by a reply; told here, once. */
static int tell_bad(struct shmchan_rpc__seat *seat, int err,
		    struct shmchan_rpc_call *call)
{
	seat->bad = 2;
	call->client = seat->slot;
	call->generation = seat->generation;
	if (err == -EBADMSG)
		return err;
	return shmchan__fail(EBADMSG,
			     "rpc: client %u of %s (generation %u) breaks the rules: its cursor of replies is nonsense: nothing is heard of it any more",
			     seat->slot, shmchan__name_of(seat->region),
			     seat->generation);
}

/* What one client has for us: as next(), for it alone. */
static int look_at(struct shmchan_rpc__seat *seat,
		   const struct request_sink *sink)
{
	uint32_t known = seat->generation;
	int err = shmchan__rpc_seat_look(seat);

	if (err == -EOWNERDEAD || err == -EPIPE) {
		sink->call->client = seat->slot;
		sink->call->generation = known;
		return shmchan__fail(-err, "rpc: client %u of %s %s",
				     seat->slot, shmchan__name_of(seat->region),
				     err == -EPIPE ? "closed" : "died");
	}
	if (!err && !seat->bad)
		err = take_request(seat, sink);
	if (seat->bad == 1)
		return tell_bad(seat, err, sink->call);
	return err || !seat->bad ? err : -EAGAIN;
}

/* Who is there, or was when we looked last.  members first: see <shmchan/bell.h>. */
static void find_members(struct shmchan_rpc_server *s)
{
	uint64_t members = shmchan_members_seq(s->region), word;
	struct shmchan_rpc__seat *seat;
	uint32_t i, n = 0;

	if (members == s->members)
		return;
	for (i = 0; i < s->header.nr_clients; i++) {
		seat = &s->seats[i];
		word = shmchan_load_acquire((uint64_t *)seat->word);
		if (seat->generation ||
		    SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE)
			s->live[n++] = i;
	}
	s->nr_live = n;
	s->members = members;
	if (s->at >= n)
		s->at = 0;
}

/* Each client once, from the one whose turn it is. */
static int look_around(struct shmchan_rpc_server *s,
		       const struct request_sink *sink)
{
	uint32_t i;
	int err;

	for (i = 0; i < s->nr_live; i++) {
		err = look_at(&s->seats[s->live[s->at]], sink);
		if (!err && s->turns) {
			s->turns--;
			return 0;
		}
		/* Also if what it asks is too large: others are not to wait for that. */
		s->turns = TURNS - 1;
		if (++s->at >= s->nr_live)
			s->at = 0;
		if (err != -EAGAIN)
			return err;
	}
	return -EAGAIN;
}

static int next(struct shmchan_rpc_server *s, const struct request_sink *sink,
		int64_t timeout_ns)
{
	uint64_t until = 0;
	int err;

	if (s->held) {
		err = shmchan_lane_release(&s->held->r);
		s->held = NULL;
		if (err)
			return err;
	}
	for (;;) {
		find_members(s);
		err = look_around(s, sink);
		if (err != -EAGAIN)
			return err;
		err = shmchan_region_check(s->region);
		if (err)
			return err;
		if (!timeout_ns) {
			/* Who never sleeps has to look for the dead. */
			(void)shmchan_region_poll_members(s->region);
			return shmchan__fail_lazily(EAGAIN,
				"rpc: none of %llu clients has a request",
				(unsigned long long)s->nr_live);
		}
		if (!until)
			until = shmchan_deadline(timeout_ns);
		err = shmchan__rpc_wait_for_any(s, until);
		if (err)
			return err;
	}
}

int shmchan_rpc_next(struct shmchan_rpc_server *s,
		     struct shmchan_rpc_call *call, void *buf, size_t capacity,
		     int64_t timeout_ns)
{
	const struct request_sink sink = { call, buf, capacity };
	int err;

	if (!call)
		return shmchan__fail(EINVAL,
				     "rpc: nowhere to put the call: NULL");
	memset(call, 0, sizeof(*call));
	err = rpc_begin(s);
	if (err)
		return err;
	err = next(s, &sink, timeout_ns);
	shmchan__leave(&s->busy);
	return err;
}
