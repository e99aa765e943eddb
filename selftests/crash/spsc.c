// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of channels from one sender to one receiver: either is killed,
 * the other is awake or asleep.  It is told, it has lost nothing that was
 * committed, and goes on with whoever takes the seat.
 */

#include <shmchan/spsc.h>

#include <sys/uio.h>

#include "records.h"

#define TAG	"spsc"
#define RING	4096

struct job {
	size_t length;
	int n;
	int sleeper;		/* the other side sleeps in a helper */
	int alone;		/* there is no other side */
	enum shmchan_spsc_role role;
	void (*op)(struct shmchan_spsc *ch, const struct job *job);
};

static struct shmchan_spsc peer;	/* the other side, in the driver */
static pid_t helper;
static uint8_t payload[8192];

static int try_open(struct shmchan_spsc *ch, enum shmchan_spsc_role role,
		    int create)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = create, .capacity = RING,
		.spin_ns = -1);

	return shmchan_spsc_open(ch, crash_name(TAG), &opts);
}

static void open_as(struct shmchan_spsc *ch, enum shmchan_spsc_role role)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	/* The seat of somebody who has just died may take a moment. */
	do
		err = try_open(ch, role, 1);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
}

static int send_seed(struct shmchan_spsc *ch, size_t n, uint32_t seed,
		     int64_t timeout)
{
	uint8_t buf[1024];

	record_fill(buf, n, seed);
	return shmchan_spsc_send(ch, buf, n, seed, 0, timeout);
}

static int recv_seed(struct shmchan_spsc *ch, uint32_t *seed, int64_t timeout)
{
	uint8_t buf[1024];
	size_t len;
	int err;

	err = shmchan_spsc_recv(ch, buf, sizeof(buf), &len, seed, timeout);
	if (!err)
		record_check(buf, len, *seed);
	return err;
}

/* Both sides are there: all works, for more than a lap. */
static void works(struct shmchan_spsc *tx, struct shmchan_spsc *rx)
{
	uint32_t i, seed;

	for (i = 0; i < 40; i++) {
		CHECK_EQ(send_seed(tx, 150, 7000 + i, 0), 0);
		CHECK_EQ(recv_seed(rx, &seed, 0), 0);
		CHECK_EQ(seed, 7000 + i);
	}
	CHECK_EQ(recv_seed(rx, &seed, 0), -EAGAIN);
}

/* All there is to receive, and the error at last. */
static int receive_all(struct shmchan_spsc *rx, struct records *got,
		       int64_t timeout)
{
	uint32_t seed;
	int err;

	while (!(err = recv_seed(rx, &seed, timeout)))
		add(got, seed);
	return err;
}

/* --- the sender is killed -------------------------------------------------- */

static void sleeping_receiver(const struct crash_scenario *s)
{
	struct shmchan_spsc rx;
	struct records got = { 0 };
	int err;

	(void)s;
	open_as(&rx, SHMCHAN_RECEIVER);
	err = receive_all(&rx, &got, -1);
	found->got = got;
	shmchan_store_release(&found->told, err);
	/* A successor is received from by whoever slept. */
	got.nr = 0;
	do {
		CHECK_EQ(shmchan_spsc_wait_peer(&rx, CRASH_PATIENCE_NS), 0);
		err = receive_all(&rx, &got, CRASH_PATIENCE_NS);
	} while ((err == -EOWNERDEAD || err == -EPIPE) && !got.nr);
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(got.nr, 1);
	CHECK_EQ(got.seed[0], 77);
	shmchan_spsc_close(&rx);
}

static void tx_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (job->sleeper) {
		helper = crash_helper(sleeping_receiver, s);
		crash_until_asleep(helper);
	} else if (!job->alone) {
		open_as(&peer, SHMCHAN_RECEIVER);
	}
}

static void tx_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_spsc tx;

	open_as(&tx, SHMCHAN_SENDER);
	if (job->sleeper) {
		/* It has woken because we came. */
		crash_until_asleep(helper);
	} else if (!job->alone) {
		both(900);
		CHECK_EQ(send_seed(&tx, 24, 900, 0), 0);
	}
	job->op(&tx, job);
}

static void tx_survive_asleep(void)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct shmchan_spsc tx;

	crash_look(TAG, NULL);
	while (!shmchan_load_acquire(&found->told) && now_ns() < end)
		sleep_ms(1);
	CHECK(found->told == -EOWNERDEAD || found->told == -EPIPE);
	judge(&found->got);
	open_as(&tx, SHMCHAN_SENDER);
	CHECK_EQ(send_seed(&tx, 50, 77, CRASH_PATIENCE_NS), 0);
	shmchan_spsc_close(&tx);
	crash_helper_ok(helper);
}

static void tx_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct records got = { 0 };
	struct shmchan_spsc tx;
	int err;

	if (job->sleeper) {
		tx_survive_asleep();
		crash_no_trace(TAG);
		return;
	}
	if (job->alone) {
		open_as(&peer, SHMCHAN_RECEIVER);
	} else {
		crash_look(TAG, peer.region);
		err = receive_all(&peer, &got, CRASH_PATIENCE_NS);
		CHECK(err == -EOWNERDEAD || err == -EPIPE);
		judge(&got);
		/* It is told again to who asks again. */
		CHECK_EQ(receive_all(&peer, &got, 0), err);
	}
	open_as(&tx, SHMCHAN_SENDER);
	works(&tx, &peer);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&peer);
	crash_no_trace(TAG);
}

#define SENDER(what, ...)						\
	CRASH("spsc " what, .setup = tx_setup, .victim = tx_victim,	\
	      .survive = tx_survive,					\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void send_one(struct shmchan_spsc *ch, const struct job *job)
{
	int ret;

	add(&found->after, 901);
	record_fill(payload, job->length, 901);
	crash_begin();
	ret = shmchan_spsc_send(ch, payload, job->length, 901, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("send, 8 bytes", .length = 8, .op = send_one);
SENDER("send, 100 bytes", .length = 100, .op = send_one);
SENDER("send, to one who sleeps", .length = 100, .sleeper = 1, .op = send_one);

static void send_more(struct shmchan_spsc *ch, const struct job *job)
{
	int ret;

	add(&found->after, 901);
	add(&found->after, 902);
	found->parts = 1;
	crash_begin();
	record_fill(payload, job->length, 901);
	ret = shmchan_spsc_send(ch, payload, job->length, 901, SHMCHAN_MORE,
				-1);
	record_fill(payload, job->length, 902);
	ret |= shmchan_spsc_send(ch, payload, job->length, 902, SHMCHAN_MORE,
				 -1);
	ret |= shmchan_spsc_flush(ch);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("send MORE, and flush", .length = 8, .op = send_more);
SENDER("send MORE, and flush, to one who sleeps", .length = 8, .sleeper = 1,
       .op = send_more);

static void commit_one(struct shmchan_spsc *ch, const struct job *job)
{
	struct shmchan_reservation rsv, other;
	int ret;

	add(&found->after, 901);
	record_fill(payload, job->length, 901);
	crash_begin();
	ret = shmchan_spsc_reserve(ch, 200, &rsv, -1);
	ret |= shmchan_spsc_reserve(ch, 40, &other, -1);
	memcpy(rsv.data, payload, job->length);
	ret |= shmchan_spsc_abort(ch, &other);
	ret |= shmchan_spsc_commit(ch, &rsv, job->length, 901, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("reserve, abort, commit", .length = 50, .op = commit_one);
SENDER("reserve, abort, commit, to one who sleeps", .length = 50, .sleeper = 1,
       .op = commit_one);

static void send_batch(struct shmchan_spsc *ch, const struct job *job)
{
	int i, ret;

	found->parts = 1;
	for (i = 0; i < job->n; i++) {
		add(&found->after, 901);
		record_fill(payload + (size_t)i * job->length, job->length, 901);
	}
	crash_begin();
	ret = shmchan_spsc_send_n(ch, payload, job->length, (size_t)job->n, 901,
				  -1);
	crash_end();
	CHECK_EQ(ret, job->n);
}

SENDER("send_n", .length = 8, .n = 20, .op = send_batch);
SENDER("send_n, to one who sleeps", .length = 8, .n = 20, .sleeper = 1,
       .op = send_batch);

static void send_pieces(struct shmchan_spsc *ch, const struct job *job)
{
	const struct iovec iov[] = {
		{ payload, 3 }, { payload + 3, 70 },
		{ payload + 73, job->length - 73 },
	};
	int ret;

	add(&found->after, 901);
	record_fill(payload, job->length, 901);
	crash_begin();
	ret = shmchan_spsc_sendv(ch, iov, 3, 901, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("sendv", .length = 100, .op = send_pieces);

static void tx_close(struct shmchan_spsc *ch, const struct job *job)
{
	struct shmchan_reservation rsv;

	if (job->n)
		CHECK_EQ(shmchan_spsc_reserve(ch, 40, &rsv, 0), 0);
	crash_begin();
	shmchan_spsc_close(ch);
	crash_end();
}

SENDER("close by the sender", .op = tx_close);
SENDER("close by the sender, a reservation is open", .n = 1, .op = tx_close);
SENDER("close by the sender, the receiver sleeps", .sleeper = 1,
       .op = tx_close);

/* It sleeps for want of room, until there is some. */
static void send_blocked(struct shmchan_spsc *ch, const struct job *job)
{
	uint32_t seed = 1000;
	int ret;

	while (!(ret = send_seed(ch, job->length, seed, 0)))
		both(seed++);
	CHECK_EQ(ret, -EAGAIN);
	add(&found->after, seed);
	record_fill(payload, job->length, seed);
	crash_begin();
	ret = shmchan_spsc_send(ch, payload, job->length, seed, 0, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

/* An eighth and more, so that there is room; it counts as received. */
static void make_room(const struct crash_scenario *s)
{
	uint32_t seed;
	int i;

	(void)s;
	for (i = 0; i < 12; i++) {
		CHECK_EQ(recv_seed(&peer, &seed, 0), 0);
		CHECK_EQ(seed, found->before.seed[i]);
	}
}

/* The first were received by make_room(), if it came to that. */
static void blocked_survive(const struct crash_scenario *s)
{
	struct records got = { 0 };
	struct shmchan_spsc tx;
	int err, nr = (int)peer.r.records;

	(void)s;
	memcpy(got.seed, found->before.seed, (size_t)nr * sizeof(got.seed[0]));
	got.nr = nr;
	crash_look(TAG, peer.region);
	err = receive_all(&peer, &got, CRASH_PATIENCE_NS);
	CHECK_EQ(err, -EOWNERDEAD);
	judge(&got);
	open_as(&tx, SHMCHAN_SENDER);
	works(&tx, &peer);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&peer);
	crash_no_trace(TAG);
}

CRASH("spsc send, waits for room", .setup = tx_setup, .victim = tx_victim,
      .survive = blocked_survive, .release = make_room,
      .arg = &(const struct job){ .length = 100, .op = send_blocked });
CRASH("spsc send, waits for room in vain", .setup = tx_setup,
      .victim = tx_victim, .survive = blocked_survive,
      .arg = &(const struct job){ .length = 100, .op = send_blocked });

static void wait_peer(struct shmchan_spsc *ch, const struct job *job)
{
	int ret;

	(void)job;
	crash_begin();
	ret = shmchan_spsc_wait_peer(ch, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SENDER("wait_peer, in vain", .alone = 1, .op = wait_peer);

/* --- the receiver is killed ------------------------------------------------ */

#define FIRST	1000U

struct progress {
	uint32_t begun;		/* the next one begins no later than this */
	uint32_t ended;		/* ... or, when the operation had ended, this */
	uint32_t sent;		/* by the sender: all before this */
	int told;		/* the error that the sender got */
};

#define progress	((struct progress *)crash_scratch)

/* It fills the ring and goes on when it can, until it is told. */
static void sleeping_sender(const struct crash_scenario *s)
{
	struct shmchan_spsc tx;
	uint32_t seed = FIRST;
	int err, i;

	(void)s;
	open_as(&tx, SHMCHAN_SENDER);
	while (!(err = send_seed(&tx, 100, seed, -1)))
		seed++;
	progress->sent = seed;
	shmchan_store_release(&progress->told, err);
	/* And with whoever comes then. */
	do
		err = shmchan_spsc_wait_peer(&tx, CRASH_PATIENCE_NS);
	while (!err && (err = send_seed(&tx, 100, seed, CRASH_PATIENCE_NS)) &&
	       (err == -EOWNERDEAD || err == -EPIPE));
	CHECK_EQ(err, 0);
	for (i = 0; i < 5; i++)
		CHECK_EQ(send_seed(&tx, 100, ++seed, CRASH_PATIENCE_NS), 0);
	progress->sent = seed + 1;
	shmchan_spsc_close(&tx);
}

static void rx_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	if (job->sleeper) {
		helper = crash_helper(sleeping_sender, s);
		crash_until_asleep(helper);
		return;
	}
	open_as(&peer, SHMCHAN_SENDER);
	for (i = 0; i < (job->alone ? 0 : 12); i++)
		CHECK_EQ(send_seed(&peer, 100, FIRST + i, 0), 0);
	progress->sent = FIRST + i;
}

static void rx_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_spsc rx;

	progress->begun = progress->ended = FIRST;
	open_as(&rx, SHMCHAN_RECEIVER);
	if (job->sleeper)
		crash_until_asleep(helper);
	job->op(&rx, job);
}

/* The next receiver gets all that was not received, and all that follows. */
static void next_receiver(struct shmchan_spsc *rx, uint32_t *seed)
{
	uint32_t most = crash_ended() ? progress->ended : progress->begun;
	int err;

	open_as(rx, SHMCHAN_RECEIVER);
	*seed = FIRST - 1;
	if (progress->sent == FIRST)
		return;
	err = recv_seed(rx, seed, CRASH_PATIENCE_NS);
	CHECK_EQ(err, 0);
	if (*seed > most)
		FAIL("the next receiver begins at %u, but only what is before %u was received",
		     *seed, most);
}

static void rx_survive_asleep(void)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct shmchan_spsc rx;
	uint32_t seed, next;
	int err;

	crash_look(TAG, NULL);
	while (!shmchan_load_acquire(&progress->told) && now_ns() < end)
		sleep_ms(1);
	CHECK(progress->told == -EOWNERDEAD || progress->told == -EPIPE);
	next_receiver(&rx, &seed);
	for (; !(err = recv_seed(&rx, &next, CRASH_PATIENCE_NS)); seed = next)
		CHECK_EQ(next, seed + 1);
	CHECK_EQ(err, -EPIPE);
	crash_helper_ok(helper);
	CHECK_EQ(seed + 1, progress->sent);
	shmchan_spsc_close(&rx);
}

static void rx_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_spsc rx;
	uint32_t seed, next;
	int err;

	if (job->sleeper) {
		rx_survive_asleep();
		crash_no_trace(TAG);
		return;
	}
	crash_look(TAG, peer.region);
	/* The sender is told, at the latest when it wants room. */
	while (!(err = send_seed(&peer, 100, progress->sent,
				 CRASH_PATIENCE_NS)))
		progress->sent++;
	CHECK(err == -EOWNERDEAD || err == -EPIPE);
	next_receiver(&rx, &seed);
	for (; seed + 1 < progress->sent; seed = next) {
		CHECK_EQ(recv_seed(&rx, &next, 0), 0);
		CHECK_EQ(next, seed + 1);
	}
	works(&peer, &rx);
	shmchan_spsc_close(&rx);
	shmchan_spsc_close(&peer);
	crash_no_trace(TAG);
}

#define RECEIVER(what, ...)						\
	CRASH("spsc " what, .setup = rx_setup, .victim = rx_victim,	\
	      .survive = rx_survive,					\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void recv_some(struct shmchan_spsc *ch, const struct job *job)
{
	volatile uint32_t *begun = &progress->begun;
	uint32_t meta = 0;
	size_t len = 0;
	int i, ret = 0;

	/* What is not handed out yet is there for the next one. */
	progress->ended += (uint32_t)job->n;
	crash_begin();
	for (i = 0; i < job->n; i++) {
		ret |= shmchan_spsc_recv(ch, payload, sizeof(payload), &len,
					 &meta, -1);
		*begun = *begun + 1;
	}
	crash_end();
	CHECK_EQ(ret, 0);
}

RECEIVER("recv", .n = 1, .op = recv_some);
RECEIVER("recv, many", .n = 11, .op = recv_some);
RECEIVER("recv, many, the sender sleeps", .n = 11, .sleeper = 1,
	 .op = recv_some);

static void recv_batch(struct shmchan_spsc *ch, const struct job *job)
{
	uint32_t meta = 0;
	int ret;

	progress->ended += (uint32_t)job->n;
	crash_begin();
	/* Of one meta each. */
	ret = shmchan_spsc_recv_n(ch, payload, 100, (size_t)job->n, &meta, -1);
	crash_end();
	CHECK_EQ(ret, 1);
}

RECEIVER("recv_n", .n = 1, .op = recv_batch);

static void peek_release(struct shmchan_spsc *ch, const struct job *job)
{
	const void *data;
	uint32_t meta = 0;
	size_t len = 0;
	int i, ret = 0;

	/* All was looked at before the release that gives it back. */
	progress->begun += (uint32_t)job->n;
	progress->ended += (uint32_t)job->n;
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_spsc_peek(ch, &data, &len, &meta, -1);
	ret |= shmchan_spsc_release(ch);
	crash_end();
	CHECK_EQ(ret, 0);
}

RECEIVER("peek and release", .n = 3, .op = peek_release);
RECEIVER("peek and release, the sender sleeps", .n = 11, .sleeper = 1,
	 .op = peek_release);

static void rx_close(struct shmchan_spsc *ch, const struct job *job)
{
	int i;
	uint32_t seed;

	for (i = 0; i < job->n; i++)
		CHECK_EQ(recv_seed(ch, &seed, 0), 0);
	progress->begun += (uint32_t)job->n;
	progress->ended += (uint32_t)job->n;
	crash_begin();
	shmchan_spsc_close(ch);
	crash_end();
}

RECEIVER("close by the receiver", .n = 2, .op = rx_close);
RECEIVER("close by the receiver, the sender sleeps", .n = 2, .sleeper = 1,
	 .op = rx_close);

static void answer(const struct crash_scenario *s)
{
	(void)s;
	CHECK_EQ(send_seed(&peer, 100, progress->sent, 0), 0);
	progress->sent++;
}

CRASH("spsc recv, waits for a message", .setup = rx_setup,
      .victim = rx_victim, .survive = rx_survive, .release = answer,
      .arg = &(const struct job){ .n = 1, .alone = 1, .op = recv_some });
RECEIVER("recv, waits in vain", .n = 1, .alone = 1, .op = recv_some);

/* --- opening --------------------------------------------------------------- */

static void open_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (!job->alone)
		open_as(&peer, job->role == SHMCHAN_SENDER ? SHMCHAN_RECEIVER :
							     SHMCHAN_SENDER);
}

static void open_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_spsc ch;
	int ret;

	(void)crash_name(TAG);
	crash_begin();
	ret = try_open(&ch, job->role, job->alone);
	crash_end();
	CHECK_EQ(ret, 0);
}

/* Whatever the dead has left, the seats can be taken, and all works. */
static void open_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_spsc ch;

	if (job->alone) {
		/* Nobody is in it, so there is none. */
		CHECK_EQ(try_open(&ch, job->role, 0), -ENOENT);
		open_as(&peer, job->role == SHMCHAN_SENDER ? SHMCHAN_RECEIVER :
							     SHMCHAN_SENDER);
	} else {
		crash_look(TAG, peer.region);
	}
	open_as(&ch, job->role);
	if (job->role == SHMCHAN_SENDER) {
		/* If the dead came so far, its end is told: once. */
		struct records none = { 0 };

		(void)receive_all(&peer, &none, 0);
		CHECK_EQ(none.nr, 0);
		works(&ch, &peer);
	} else {
		works(&peer, &ch);
	}
	shmchan_spsc_close(&ch);
	shmchan_spsc_close(&peer);
	crash_no_trace(TAG);
}

#define OPEN(what, ...)							\
	CRASH("spsc open" what, .setup = open_setup,			\
	      .victim = open_victim, .survive = open_survive,		\
	      .arg = &(const struct job){ __VA_ARGS__ })

OPEN(", the sender creates", .role = SHMCHAN_SENDER, .alone = 1);
OPEN(", the receiver creates", .role = SHMCHAN_RECEIVER, .alone = 1);
OPEN(" by the sender", .role = SHMCHAN_SENDER);
OPEN(" by the receiver", .role = SHMCHAN_RECEIVER);
