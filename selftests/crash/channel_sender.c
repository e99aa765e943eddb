// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of channels of many: a sender is killed.  Receivers, awake or
 * asleep, get what it had committed, once and in order, and its end behind that,
 * once; what they lose is counted exactly; the other sender goes on, and whoever
 * takes the dead one's seat.
 */

#include "channel_stage.h"

struct job {
	size_t length;
	int n;
	enum kind kind;
	int sleeper;		/* one more receiver, in a helper, sleeps */
	uint32_t hole;		/* it may be missing, if the operation has not ended */
	int closes;		/* when it has ended, it has closed */
	void (*op)(struct shmchan_sender *tx, const struct job *job);
};

/* What the victim has to say. */
struct story {
	uint32_t before, after;	/* so many messages, when it has ended */
	int parts;		/* it may be some of them */
	struct reader sleeper;
	int told;		/* ... of the end of the victim */
};

#define story	((struct story *)crash_scratch)

static struct shmchan_receiver peer;
static struct shmchan_sender other;
static struct reader seen;
static pid_t helper;
static uint8_t payload[8192];

static void sleeping_receiver(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_receiver rx;
	struct reader rd = reader_of_all(job->kind);

	rd.hole = job->hole;
	open_rx(&rx, job->kind, SHMCHAN_FROM_NOW);
	while (!rd.ends[0])
		CHECK_EQ(reader_one(&rx, &rd, 2 * CRASH_PATIENCE_NS), 0);
	shmchan_store_release(&story->told, 1);
	/* The victim's end, its successor's, and the other sender's. */
	reader_until(&rx, &rd, 2, 1);
	story->sleeper = rd;
	shmchan_receiver_close(&rx);
}

static void tx_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	seen = reader_of_all(job->kind);
	seen.hole = job->hole;
	memset(&peer, 0, sizeof(peer));
	if (!job->sleeper || job->kind != DURABLE)
		open_rx(&peer, job->kind, SHMCHAN_FROM_NOW);
	helper = 0;
	if (job->sleeper) {
		helper = crash_helper(sleeping_receiver, s);
		crash_until_asleep(helper);
	}
	open_tx(&other, job->kind, 1);
}

static void sent(void)
{
	story->before++;
	story->after++;
}

static void tx_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_sender tx;

	open_tx(&tx, job->kind, 0);
	CHECK_EQ(send_seed(&tx, 24, FIRST, 0), 0);
	sent();
	if (helper)
		crash_until_asleep(helper);
	job->op(&tx, job);
}

static void judge_end(const struct reader *rd, const struct job *job)
{
	uint32_t n = rd->at_end - FIRST;

	if (crash_ended())
		CHECK(!rd->missing);
	if (crash_ended())
		CHECK_EQ(rd->first_end, job->closes ? -EPIPE : -EOWNERDEAD);
	else if (!job->closes)
		CHECK_EQ(rd->first_end, -EOWNERDEAD);
	if (n == story->after)
		return;
	if (!crash_ended() && n == story->before)
		return;
	if (!crash_ended() && story->parts && n > story->before &&
	    n < story->after)
		return;
	FAIL("%u messages before the end, where %u were before and %u are to be after the operation, which had %sended",
	     n, story->before, story->after, crash_ended() ? "" : "not ");
}

static void successor(const struct job *job)
{
	struct shmchan_sender tx;
	uint32_t i;

	open_tx(&tx, job->kind, 0);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(send_seed(&tx, 150, LATER + i, CRASH_PATIENCE_NS), 0);
		if (i < 10)
			CHECK_EQ(send_seed(&other, 40, FIRST + i,
					   CRASH_PATIENCE_NS), 0);
		if (peer.region && i >= 2)
			reader_drain(&peer, &seen);
	}
	shmchan_sender_close(&tx);
	shmchan_sender_close(&other);
}

static void all_of_it(const struct reader *rd, const struct job *job)
{
	judge_end(rd, job);
	CHECK_EQ(rd->next[0], LATER + 40);
	CHECK_EQ(rd->next[1], FIRST + 10);
}

static void until_told(void)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;

	while (!shmchan_load_acquire(&story->told)) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
}

/* Way 0: the end is told first.  Way 1: somebody has the seat at once. */
static void tx_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	crash_look(TAG, other.region);
	if (peer.region && !crash_way()) {
		reader_until(&peer, &seen, 1, 0);
		judge_end(&seen, job);
	}
	if (helper && !crash_way())
		until_told();
	successor(job);
	if (peer.region) {
		reader_until(&peer, &seen, 2, 1);
		all_of_it(&seen, job);
	}
	if (helper) {
		crash_helper_ok(helper);
		all_of_it(&story->sleeper, job);
	}
	shmchan_receiver_close(&peer);
	crash_no_trace(TAG);
}

#define SENDER_WAYS(what, ways_, ...)					\
	CRASH("channel " what, .setup = tx_setup, .victim = tx_victim,	\
	      .survive = tx_survive, .ways = (ways_),			\
	      .arg = &(const struct job){ __VA_ARGS__ })
#define SENDER(what, ...)	SENDER_WAYS(what, 2, __VA_ARGS__)

static void send_one(struct shmchan_sender *tx, const struct job *job)
{
	int ret;

	story->after++;
	message_fill(payload, job->length, FIRST + story->before);
	crash_begin();
	ret = shmchan_send(tx, payload, job->length, 1, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("send, 8 bytes", .length = 8, .op = send_one);
SENDER("send, to one awake and one who sleeps", .length = 100, .sleeper = 1,
       .op = send_one);
SENDER("send, durable", .length = 100, .kind = DURABLE, .op = send_one);
SENDER("send, durable, to one who sleeps", .length = 100, .kind = DURABLE,
       .sleeper = 1, .op = send_one);
SENDER("send, OVERWRITE", .length = 100, .kind = OVERWRITE, .op = send_one);
SENDER("send, latest", .length = 100, .kind = LATEST, .op = send_one);
SENDER_WAYS("send, latest, to one who sleeps", 1, .length = 100,
	    .kind = LATEST, .sleeper = 1, .op = send_one);

static void send_more(struct shmchan_sender *tx, const struct job *job)
{
	uint8_t second[256];
	int ret;

	story->after += 2;
	story->parts = 1;
	message_fill(payload, job->length, FIRST + story->before);
	message_fill(second, job->length, FIRST + story->before + 1);
	crash_begin();
	ret = shmchan_send(tx, payload, job->length, 1, SHMCHAN_MORE, -1);
	ret |= shmchan_send(tx, second, job->length, 1, SHMCHAN_MORE, -1);
	ret |= shmchan_flush(tx);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("send MORE, and flush", .length = 8, .sleeper = 1, .op = send_more);

static void send_batch(struct shmchan_sender *tx, const struct job *job)
{
	int i, ret;

	story->parts = 1;
	story->after += (uint32_t)job->n;
	for (i = 0; i < job->n; i++)
		message_fill(payload + (size_t)i * job->length, job->length,
			     FIRST + story->before + (uint32_t)i);
	crash_begin();
	ret = shmchan_send_n(tx, payload, job->length, (size_t)job->n, 1, -1);
	crash_end();
	CHECK_EQ(ret, job->n);
}

SENDER("send_n", .length = 8, .n = 20, .sleeper = 1, .op = send_batch);

static void send_pieces(struct shmchan_sender *tx, const struct job *job)
{
	const struct iovec iov[] = {
		{ payload, 3 }, { payload + 3, 70 },
		{ payload + 73, job->length - 73 },
	};
	int ret;

	story->after++;
	message_fill(payload, job->length, FIRST + story->before);
	crash_begin();
	ret = shmchan_sendv(tx, iov, 3, 1, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("sendv", .length = 100, .sleeper = 1, .op = send_pieces);

static void commit_one(struct shmchan_sender *tx, const struct job *job)
{
	struct shmchan_reservation rsv, aborted;
	int ret;

	story->after++;
	message_fill(payload, job->length, FIRST + story->before);
	crash_begin();
	ret = shmchan_reserve(tx, 200, &rsv, -1);
	ret |= shmchan_reserve(tx, 40, &aborted, -1);
	shmchan_fill(tx, &rsv, 0, payload, job->length);
	ret |= shmchan_abort(tx, &aborted);
	ret |= shmchan_commit(tx, &rsv, job->length, 1, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("reserve, abort, commit", .length = 48, .sleeper = 1, .op = commit_one);
SENDER("reserve, abort, commit, OVERWRITE", .length = 48, .kind = OVERWRITE,
       .op = commit_one);

/*
 * The second is committed first: it is seen when the first is, or when it is
 * certain that the first never will be.
 */
static void commit_two(struct shmchan_sender *tx, const struct job *job)
{
	struct shmchan_reservation rsv, second;
	int ret;

	story->parts = 1;
	story->after += 2;
	CHECK_EQ(shmchan_reserve(tx, job->length, &rsv, 0), 0);
	CHECK_EQ(shmchan_reserve(tx, job->length, &second, 0), 0);
	message_fill(payload, job->length, FIRST + story->before);
	shmchan_fill(tx, &rsv, 0, payload, job->length);
	message_fill(payload, job->length, FIRST + story->before + 1);
	shmchan_fill(tx, &second, 0, payload, job->length);
	crash_begin();
	ret = shmchan_commit(tx, &second, job->length, 1, 0);
	ret |= shmchan_commit(tx, &rsv, job->length, 1, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("commit out of order", .length = 48, .hole = FIRST + 1, .sleeper = 1, .op = commit_two);

static void tx_close(struct shmchan_sender *tx, const struct job *job)
{
	struct shmchan_reservation rsv;

	if (job->n)
		CHECK_EQ(shmchan_reserve(tx, 40, &rsv, 0), 0);
	crash_begin();
	shmchan_sender_close(tx);
	crash_end();
}

SENDER("close by a sender", .closes = 1, .sleeper = 1, .op = tx_close);
SENDER("close by a sender, a reservation is open", .n = 1, .closes = 1,
       .op = tx_close);
SENDER("close by a sender, durable", .kind = DURABLE, .closes = 1,
       .sleeper = 1, .op = tx_close);

/* Receivers that do not read are passed on the way. */
static void send_past(struct shmchan_sender *tx, const struct job *job)
{
	uint32_t seed = FIRST + story->before;
	int i, ret = 0;

	while (story->before < 33) {
		CHECK_EQ(send_seed(tx, job->length, seed++, 0), 0);
		sent();
	}
	story->parts = 1;
	story->after += (uint32_t)job->n;
	for (i = 0; i < job->n; i++)
		message_fill(payload + (size_t)i * 512, job->length,
			     seed + (uint32_t)i);
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_send(tx, payload + (size_t)i * 512, job->length,
				    1, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER_WAYS("send, passes a slow receiver", 1, .length = 100, .n = 8,
	    .kind = EVICT, .op = send_past);
SENDER_WAYS("send, passes a slow receiver and not one who sleeps", 1,
	    .length = 100, .n = 8, .kind = EVICT, .sleeper = 1,
	    .op = send_past);
SENDER_WAYS("send, overwrites", 1, .length = 100, .n = 8, .kind = OVERWRITE,
	    .op = send_past);
SENDER_WAYS("send, overwrites, who asks for the newest", 1, .length = 100,
	    .n = 8, .kind = LATEST, .op = send_past);

/* It sleeps for want of room, until there is some. */
static void send_blocked(struct shmchan_sender *tx, const struct job *job)
{
	int ret;

	while (!(ret = send_seed(tx, job->length, FIRST + story->before, 0)))
		sent();
	CHECK_EQ(ret, -EAGAIN);
	story->after++;
	message_fill(payload, job->length, FIRST + story->before);
	crash_begin();
	ret = shmchan_send(tx, payload, job->length, 1, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

/* An eighth and more. */
static void make_room(const struct crash_scenario *s)
{
	int i;

	(void)s;
	for (i = 0; i < 12; i++)
		CHECK_EQ(reader_one(&peer, &seen, 0), 0);
}

CRASH("channel send, waits for room", .setup = tx_setup, .victim = tx_victim,
      .survive = tx_survive, .release = make_room,
      .arg = &(const struct job){ .length = 100, .op = send_blocked });
CRASH("channel send, durable, waits for room", .setup = tx_setup,
      .victim = tx_victim, .survive = tx_survive, .release = make_room,
      .arg = &(const struct job){ .length = 100, .kind = DURABLE,
				  .op = send_blocked });
SENDER_WAYS("send, waits for room in vain", 1, .length = 100,
	    .op = send_blocked);

static void wait_peers(struct shmchan_sender *tx, const struct job *job)
{
	int ret;

	(void)job;
	crash_begin();
	ret = shmchan_sender_wait_peers(tx, 2, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER_WAYS("wait_peers by a sender, in vain", 1, .op = wait_peers);

/*
 * A receiver in the same process, which was passed, goes on: it dies with the
 * sender.
 */
static void recv_passed(struct shmchan_sender *tx, const struct job *job)
{
	struct shmchan_msg msg;
	struct shmchan_receiver rx;
	int i, ret = 0;

	open_rx(&rx, job->kind, SHMCHAN_FROM_OLDEST);
	while (story->before < 60) {
		CHECK_EQ(send_seed(tx, 100, FIRST + story->before, 0), 0);
		sent();
	}
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret = shmchan_recv(&rx, payload, sizeof(payload), &msg, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER_WAYS("recv, was passed", 1, .n = 4, .kind = EVICT, .op = recv_passed);
SENDER_WAYS("recv, was overwritten", 1, .n = 4, .kind = OVERWRITE,
	    .op = recv_passed);

/* --- opening --------------------------------------------------------------- */

/* Before the victim there was one who died with the seat. */
static void first_sender(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_reservation rsv;
	struct shmchan_sender tx;

	open_tx(&tx, job->kind, 0);
	CHECK_EQ(send_seed(&tx, 100, FIRST, 0), 0);
	sent();
	CHECK_EQ(shmchan_reserve(&tx, 100, &rsv, 0), 0);
	CHECK_EQ(send_seed(&tx, 100, FIRST + 1, 0), 0);
	_exit(0);
}

static void open_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	tx_setup(s);
	if (job->n) {
		crash_helper_ok(crash_helper(first_sender, s));
		crash_until_dead(TAG, other.region, 0);
	}
	if (helper)
		crash_until_asleep(helper);
}

static void open_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_channel_opts opts = opts_of(job->kind, 0);
	const char *name = crash_name(TAG);
	struct shmchan_sender tx;
	int ret;

	crash_begin();
	ret = shmchan_sender_open(&tx, name, &opts);
	crash_end();
	CHECK_EQ(ret, 0);
}

/*
 * The end of the first is told, and of the victim if it came so far; of the dead
 * without a message one end may stand for both.
 */
static void open_ends(const struct reader *rd, const struct job *job)
{
	int least = 1 + !!job->n, most = least + 1;

	if (crash_ended() && !job->n)
		least = most;
	CHECK(rd->ends[0] >= least && rd->ends[0] <= most);
	CHECK_EQ(rd->ends[1], 1);
	if (job->n)
		CHECK_EQ(rd->at_end, FIRST + 2);
}

static void open_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_sender tx;
	uint32_t i;

	crash_look(TAG, other.region);
	if (!crash_way())
		reader_drain(&peer, &seen);
	open_tx(&tx, job->kind, 0);
	for (i = 0; i < 40; i++) {
		/* What was told of the dead, or was not, makes no difference. */
		reader_drain(&peer, &seen);
		seen.next[0] = LATER + i;
		CHECK_EQ(send_seed(&tx, 150, LATER + i, CRASH_PATIENCE_NS), 0);
	}
	CHECK_EQ(send_seed(&other, 40, FIRST, CRASH_PATIENCE_NS), 0);
	shmchan_sender_close(&tx);
	shmchan_sender_close(&other);
	while (!seen.ends[1] || seen.next[0] != LATER + 40)
		CHECK_EQ(reader_one(&peer, &seen, CRASH_PATIENCE_NS), 0);
	reader_drain(&peer, &seen);
	open_ends(&seen, job);
	shmchan_receiver_close(&peer);
	crash_no_trace(TAG);
}

CRASH("channel open by a sender", .setup = open_setup, .victim = open_victim,
      .survive = open_survive, .ways = 2, .arg = &(const struct job){ 0 });
CRASH("channel open by a sender, in a dead one's seat", .setup = open_setup,
      .victim = open_victim, .survive = open_survive, .ways = 2,
      .arg = &(const struct job){ .n = 1 });
CRASH("channel open by a sender, in a dead one's seat, durable",
      .setup = open_setup, .victim = open_victim, .survive = open_survive,
      .ways = 2, .arg = &(const struct job){ .n = 1, .kind = DURABLE });
CRASH("channel open by a sender, in a dead one's seat, OVERWRITE",
      .setup = open_setup, .victim = open_victim, .survive = open_survive,
      .ways = 2, .arg = &(const struct job){ .n = 1, .kind = OVERWRITE });

static void create_setup(const struct crash_scenario *s)
{
	(void)s;
}

/* Whatever it has left, the name can be used, and all works. */
static void create_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	crash_look(TAG, NULL);
	seen = reader_of_all(job->kind);
	seen.ends[0] = 1;
	seen.next[0] = LATER;
	open_rx(&peer, job->kind, SHMCHAN_FROM_NOW);
	open_tx(&other, job->kind, 1);
	successor(job);
	reader_until(&peer, &seen, 2, 1);
	CHECK_EQ(seen.next[0], LATER + 40);
	shmchan_receiver_close(&peer);
	crash_no_trace(TAG);
}

CRASH("channel open, a sender creates", .setup = create_setup,
      .victim = open_victim, .survive = create_survive,
      .arg = &(const struct job){ 0 });
