// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of channels of many: a receiver is killed.  It holds nobody any
 * more, the other one loses nothing, and its seat can be taken; in a durable
 * channel senders are told, and the next one goes on where it was.
 */

#include "channel_stage.h"

struct job {
	int n;
	enum kind kind;
	int sleeper;		/* a sender in a helper sleeps for room */
	int nothing;		/* nothing was sent yet */
	void (*op)(struct shmchan_receiver *rx, const struct job *job);
};

struct story {
	uint32_t begun[2];	/* the next one begins no later than this */
	int filled;		/* the sleeper is about to sleep */
	int joined;		/* the next receiver is in the lane */
	int told;		/* durable: of the end of the victim */
	uint32_t sent;		/* by the sleeper: all before this */
};

#define story	((struct story *)crash_scratch)
#define NR	12U		/* messages of each sender, of 100 bytes */

static struct shmchan_receiver peer;
static struct shmchan_sender tx[2];
static uint32_t next[2];
static struct reader seen;
static pid_t helper;
static uint8_t payload[4096];

static void sleeping_sender(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_sender mine;
	uint32_t seed = FIRST, i;
	int err;

	open_tx(&mine, job->kind, 0);
	CHECK_EQ(shmchan_sender_wait_peers(&mine, 1, 2 * CRASH_PATIENCE_NS), 0);
	while (!(err = send_seed(&mine, 100, seed, 0)))
		seed++;
	CHECK_EQ(err, -EAGAIN);
	shmchan_store_release(&story->filled, 1);
	/* It goes on when there is room: here, or because nobody holds it. */
	while (!(err = send_seed(&mine, 100, seed, 2 * CRASH_PATIENCE_NS)) &&
	       seed < FIRST + 100)
		seed++;
	if (job->kind == DURABLE) {
		CHECK(err == -EOWNERDEAD || err == -EPIPE);
		shmchan_store_release(&story->told, err);
	} else {
		CHECK_EQ(err, 0);
		seed++;
	}
	/* A seat is taken before its lane is entered. */
	while (!shmchan_load_acquire(&story->joined))
		sleep_ms(1);
	do
		err = shmchan_sender_wait_peers(&mine, 1, CRASH_PATIENCE_NS);
	while (!err && (err = send_seed(&mine, 100, seed, CRASH_PATIENCE_NS)) &&
	       (err == -EOWNERDEAD || err == -EPIPE));
	CHECK_EQ(err, 0);
	for (i = 0; i < 10; i++)
		CHECK_EQ(send_seed(&mine, 100, ++seed, CRASH_PATIENCE_NS), 0);
	story->sent = seed + 1;
	shmchan_sender_close(&mine);
}

static void rx_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i, k;

	seen = reader_of_all(job->kind);
	helper = 0;
	if (job->sleeper) {
		helper = crash_helper(sleeping_sender, s);
		crash_until_asleep(helper);
		return;
	}
	if (job->kind != DURABLE)
		open_rx(&peer, job->kind, SHMCHAN_FROM_NOW);
	for (k = 0; k < 2; k++) {
		open_tx(&tx[k], job->kind, k);
		next[k] = FIRST;
		for (i = 0; i < NR && !job->nothing; i++)
			CHECK_EQ(send_seed(&tx[k], 100, next[k]++, 0), 0);
	}
}

static void rx_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_receiver rx;

	story->begun[0] = story->begun[1] = FIRST;
	open_rx(&rx, job->kind, SHMCHAN_FROM_OLDEST);
	while (helper && !shmchan_load_acquire(&story->filled))
		sleep_ms(1);
	if (helper)
		crash_until_asleep(helper);
	job->op(&rx, job);
}

static void survive_asleep(const struct job *job)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct reader rd = { .ends = { 1, 0 } };
	struct shmchan_receiver rx;

	crash_look(TAG, NULL);
	while (job->kind == DURABLE && !shmchan_load_acquire(&story->told)) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
	open_rx(&rx, job->kind, job->kind == DURABLE ? SHMCHAN_FROM_CURSOR :
						       SHMCHAN_FROM_OLDEST);
	shmchan_store_release(&story->joined, 1);
	CHECK_EQ(reader_one(&rx, &rd, CRASH_PATIENCE_NS), 0);
	if (job->kind == DURABLE)
		CHECK_LE(rd.next[0] - 1, story->begun[0]);
	reader_until(&rx, &rd, 2, 0);
	crash_helper_ok(helper);
	CHECK_EQ(rd.next[0], story->sent);
	shmchan_receiver_close(&rx);
}

static void survive_durable(const struct job *job)
{
	struct reader rd = { .newest = 0 };
	struct shmchan_receiver rx;
	uint32_t k;
	int err;

	for (k = 0; k < 2; k++) {
		/* Told, at the latest when it wants room. */
		while (!(err = send_seed(&tx[k], 100, next[k],
					 CRASH_PATIENCE_NS)))
			next[k]++;
		CHECK(err == -EOWNERDEAD || err == -EPIPE);
	}
	open_rx(&rx, job->kind, SHMCHAN_FROM_CURSOR);
	/* So that something comes of each, also where all was received. */
	for (k = 0; k < 2; k++)
		if (story->begun[k] == next[k])
			CHECK_EQ(send_seed(&tx[k], 100, next[k]++,
					   CRASH_PATIENCE_NS), 0);
	while (!rd.next[0] || !rd.next[1]) {
		struct reader was = rd;

		CHECK_EQ(reader_one(&rx, &rd, CRASH_PATIENCE_NS), 0);
		for (k = 0; k < 2; k++)
			if (!was.next[k] && rd.next[k])
				CHECK_LE(rd.next[k] - 1, story->begun[k]);
	}
	reader_drain(&rx, &rd);
	for (k = 0; k < 2; k++) {
		CHECK_EQ(rd.next[k], next[k]);
		CHECK_EQ(send_seed(&tx[k], 100, next[k]++, CRASH_PATIENCE_NS),
			 0);
	}
	/* An end would count from LATER: ours has no dead before it. */
	shmchan_sender_close(&tx[0]);
	shmchan_sender_close(&tx[1]);
	reader_until(&rx, &rd, 1, 1);
	CHECK_EQ(rd.at_end, next[0]);
	CHECK_EQ(rd.next[1], next[1]);
	shmchan_receiver_close(&rx);
}

static void survive_awake(const struct job *job)
{
	struct reader late = { .newest = job->kind == LATEST };
	struct shmchan_receiver rx;
	uint32_t i, k;

	/* More than a lap: the dead does not hold anybody. */
	for (i = 0; i < 50; i++) {
		for (k = 0; k < 2; k++)
			CHECK_EQ(send_seed(&tx[k], 100, next[k]++,
					   CRASH_PATIENCE_NS), 0);
		reader_drain(&peer, &seen);
	}
	CHECK_EQ(seen.next[0], next[0]);
	CHECK_EQ(seen.next[1], next[1]);
	open_rx(&rx, job->kind, SHMCHAN_FROM_OLDEST);
	for (k = 0; k < 2; k++) {
		CHECK_EQ(send_seed(&tx[k], 100, next[k]++, CRASH_PATIENCE_NS),
			 0);
		shmchan_sender_close(&tx[k]);
	}
	reader_until(&peer, &seen, 1, 1);
	reader_until(&rx, &late, 1, 1);
	CHECK_EQ(seen.at_end, next[0]);
	CHECK_EQ(late.at_end, next[0]);
	CHECK_EQ(seen.next[1], next[1]);
	CHECK_EQ(late.next[1], next[1]);
	shmchan_receiver_close(&rx);
	shmchan_receiver_close(&peer);
}

static void rx_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (helper) {
		survive_asleep(job);
	} else {
		crash_look(TAG, tx[0].region);
		if (job->kind == DURABLE)
			survive_durable(job);
		else
			survive_awake(job);
	}
	crash_no_trace(TAG);
}

#define RECEIVER(what, ...)						\
	CRASH("channel " what, .setup = rx_setup, .victim = rx_victim,	\
	      .survive = rx_survive,					\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void recv_some(struct shmchan_receiver *rx, const struct job *job)
{
	volatile uint32_t *begun = story->begun;
	struct shmchan_msg msg = { 0 };
	int i, ret = 0;

	crash_begin();
	for (i = 0; i < job->n; i++) {
		ret |= shmchan_recv(rx, payload, sizeof(payload), &msg, -1);
		begun[msg.slot] = begun[msg.slot] + 1;
	}
	crash_end();
	CHECK_EQ(ret, 0);
}

RECEIVER("recv", .n = 1, .op = recv_some);
RECEIVER("recv, of both senders", .n = 20, .op = recv_some);
RECEIVER("recv, durable, of both senders", .n = 20, .kind = DURABLE,
	 .op = recv_some);
RECEIVER("recv, EVICT", .n = 14, .kind = EVICT, .op = recv_some);
RECEIVER("recv, OVERWRITE", .n = 14, .kind = OVERWRITE, .op = recv_some);
RECEIVER("recv, a sender sleeps for room", .n = 12, .sleeper = 1,
	 .op = recv_some);
RECEIVER("recv, durable, a sender sleeps for room", .n = 12, .sleeper = 1,
	 .kind = DURABLE, .op = recv_some);

static void recv_pieces(struct shmchan_receiver *rx, const struct job *job)
{
	const struct iovec iov[] = { { payload, 10 }, { payload + 10, 500 } };
	struct shmchan_msg msg;
	int ret;

	crash_begin();
	ret = shmchan_recvv(rx, iov, 2, &msg, -1);
	crash_end();
	CHECK_EQ(ret, 0);
	(void)job;
}

RECEIVER("recvv", .op = recv_pieces);
RECEIVER("recvv, EVICT", .kind = EVICT, .op = recv_pieces);

static void recv_batch(struct shmchan_receiver *rx, const struct job *job)
{
	struct shmchan_msg msg;
	int ret;

	story->begun[0] += (uint32_t)job->n;
	crash_begin();
	ret = shmchan_recv_n(rx, payload, 100, (size_t)job->n, &msg, -1);
	crash_end();
	CHECK_EQ(ret, job->n);
}

RECEIVER("recv_n", .n = 8, .op = recv_batch);
RECEIVER("recv_n, durable", .n = 8, .kind = DURABLE, .op = recv_batch);
RECEIVER("recv_n, a sender sleeps for room", .n = 12, .sleeper = 1,
	 .op = recv_batch);

static void recv_newest(struct shmchan_receiver *rx, const struct job *job)
{
	struct shmchan_msg msg;
	int i, ret = 0;

	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_recv_newest(rx, payload, sizeof(payload), &msg,
					   -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

RECEIVER("recv_newest, of both senders", .n = 2, .kind = LATEST,
	 .op = recv_newest);

/* All was looked at; given back from behind. */
static void peek_release(struct shmchan_receiver *rx, const struct job *job)
{
	struct shmchan_view view[32];
	int i, ret = 0;

	story->begun[0] += NR;
	story->begun[1] += NR;
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_peek(rx, &view[i], -1);
	for (i = 1; i < job->n; i += 2)
		ret |= shmchan_release(rx, &view[i]);
	for (i = job->n - 1 - (job->n - 1) % 2; i >= 0; i -= 2)
		ret |= shmchan_release(rx, &view[i]);
	crash_end();
	CHECK_EQ(ret, 0);
}

RECEIVER("peek, release out of order", .n = 15, .op = peek_release);
RECEIVER("peek, release out of order, durable", .n = 15, .kind = DURABLE,
	 .op = peek_release);
RECEIVER("peek, release out of order, a sender sleeps", .n = 12, .sleeper = 1,
	 .op = peek_release);

static void rx_close(struct shmchan_receiver *rx, const struct job *job)
{
	struct shmchan_msg msg;
	int i;

	for (i = 0; i < job->n; i++) {
		CHECK_EQ(shmchan_recv(rx, payload, sizeof(payload), &msg, 0),
			 0);
		story->begun[msg.slot]++;
	}
	crash_begin();
	shmchan_receiver_close(rx);
	crash_end();
}

RECEIVER("close by a receiver", .n = 3, .op = rx_close);
RECEIVER("close by a receiver, durable", .n = 3, .kind = DURABLE,
	 .op = rx_close);
RECEIVER("close by a receiver, a sender sleeps for room", .n = 3, .sleeper = 1,
	 .op = rx_close);
RECEIVER("close by a receiver, latest", .kind = LATEST, .op = rx_close);

static void answer(const struct crash_scenario *s)
{
	(void)s;
	CHECK_EQ(send_seed(&tx[1], 100, next[1]++, 0), 0);
}

CRASH("channel recv, sleeps on both lanes", .setup = rx_setup,
      .victim = rx_victim, .survive = rx_survive, .release = answer,
      .arg = &(const struct job){ .n = 1, .nothing = 1, .op = recv_some });
CRASH("channel recv, EVICT, sleeps on both lanes", .setup = rx_setup,
      .victim = rx_victim, .survive = rx_survive, .release = answer,
      .arg = &(const struct job){ .n = 1, .nothing = 1, .kind = EVICT,
				  .op = recv_some });

/* --- opening --------------------------------------------------------------- */

static void open_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_channel_opts opts = opts_of(job->kind,
						   SHMCHAN_SLOT_ANY);
	const char *name = crash_name(TAG);
	struct shmchan_receiver rx;
	int ret;

	story->begun[0] = story->begun[1] = FIRST;
	opts.from = job->kind == DURABLE ? SHMCHAN_FROM_CURSOR :
					   SHMCHAN_FROM_OLDEST;
	crash_begin();
	ret = shmchan_receiver_open(&rx, name, &opts);
	crash_end();
	CHECK_EQ(ret, 0);
}

CRASH("channel open by a receiver", .setup = rx_setup, .victim = open_victim,
      .survive = rx_survive, .arg = &(const struct job){ 0 });
CRASH("channel open by a receiver, latest", .setup = rx_setup,
      .victim = open_victim, .survive = rx_survive,
      .arg = &(const struct job){ .kind = LATEST });

static void no_setup(const struct crash_scenario *s)
{
	(void)s;
}

static void create_survive(const struct crash_scenario *s)
{
	crash_look(TAG, NULL);
	rx_setup(s);
	survive_awake(s->arg);
	crash_no_trace(TAG);
}

CRASH("channel open, a receiver creates", .setup = no_setup,
      .victim = open_victim, .survive = create_survive,
      .arg = &(const struct job){ 0 });
