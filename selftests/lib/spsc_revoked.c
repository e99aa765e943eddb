// SPDX-License-Identifier: GPL-2.0-only

/* Channels of who is revoked: every call says so, and nothing else. */

#include <setjmp.h>
#include <sys/uio.h>

#include "access_fixture.h"
#include "spsc_fixture.h"

#define SAYS_STALE(call)						\
	do {								\
		CHECK_EQ((call), -ESTALE);				\
		CHECK_SAYS(shmchan_error_detail(), "no longer a member"); \
	} while (0)

/* What any member can call. */
static void region_is_told(const struct shmchan_region *r)
{
	struct shmchan_wait_elem elem = shmchan_elem_slot(r, 0, 0);
	struct shmchan_query query = { .size = 0 };
	struct shmchan_member_info info;
	struct shmchan_extent extent;
	uint64_t start = 0;
	int err;

	SAYS_STALE(shmchan_region_check(r));
	SAYS_STALE(shmchan_region_member(r, 0, &info));
	SAYS_STALE(shmchan_region_query(r, &query));
	SAYS_STALE(shmchan_region_poll_members(r));
	SAYS_STALE(shmchan_bell_notify(r, 1));
	SAYS_STALE(shmchan_bell_ring(r, 1, 0));
	SAYS_STALE(shmchan_bell_wait(r, &elem, 1, SHMCHAN_FOREVER, NULL));
	SAYS_STALE(shmchan_bell_ring_wait(r, 1, 0, &elem, 1, SHMCHAN_FOREVER,
					  NULL));
	if (r->backend != SHMCHAN_BACKEND_KMOD)
		return;
	SAYS_STALE(shmchan_bell_subscribe(r, 0));
	SAYS_STALE(shmchan_bell_arm(r, 0, NULL, 0));
	SAYS_STALE(shmchan_region_extents(r, 0, &start, &extent, 1));
	err = shmchan_region_export(r, 0, 4096, 0);
	CHECK(err == -ESTALE || err == -ENOTSUP);
}

static void sender_is_told(struct shmchan_spsc *tx, int64_t timeout_ns)
{
	struct shmchan_reservation rsv;
	uint64_t value = 1;
	struct iovec iov = { &value, 8 };
	int i;

	for (i = 0; i < 2; i++) {
		SAYS_STALE(shmchan_spsc_send(tx, &value, 8, 0, 0, timeout_ns));
		SAYS_STALE(shmchan_spsc_send(tx, &value, 8, 0, SHMCHAN_MORE,
					     timeout_ns));
		SAYS_STALE(shmchan_spsc_sendv(tx, &iov, 1, 0, 0, timeout_ns));
		SAYS_STALE(shmchan_spsc_send_n(tx, &value, 8, 1, 0,
					       timeout_ns));
		SAYS_STALE(shmchan_spsc_reserve(tx, 8, &rsv, timeout_ns));
		SAYS_STALE(shmchan_spsc_flush(tx));
		SAYS_STALE(shmchan_spsc_check(tx));
		SAYS_STALE(shmchan_spsc_wait_peer(tx, timeout_ns));
	}
	region_is_told(tx->region);
}

static void receiver_is_told(struct shmchan_spsc *rx, int64_t timeout_ns)
{
	struct shmchan_origin sender;
	const void *data;
	uint64_t values[4];
	int i;

	for (i = 0; i < 2; i++) {
		SAYS_STALE(shmchan_spsc_recv(rx, values, sizeof(values), NULL,
					     NULL, timeout_ns));
		SAYS_STALE(shmchan_spsc_recv_n(rx, values, 8, 4, NULL,
					       timeout_ns));
		SAYS_STALE(shmchan_spsc_release(rx));
		SAYS_STALE(shmchan_spsc_check(rx));
		SAYS_STALE(shmchan_spsc_wait_peer(rx, timeout_ns));
		SAYS_STALE(shmchan_spsc_sender(rx, &sender));
		/* Of records that it had looked at, it may be given the next. */
		SAYS_STALE(shmchan_spsc_peek(rx, &data, NULL, NULL,
					     timeout_ns));
	}
	region_is_told(rx->region);
}

enum state { NO_PEER, IDLE, RECORDS, FULL, OPEN, PEER_LEFT, STATES };

static void revoked(enum shmchan_spsc_role role, enum state state,
		    int64_t timeout_ns)
{
	struct shmchan_reservation a, b;
	struct shmchan_spsc tx, rx;
	uint64_t value = 7;
	int there = state != NO_PEER, i;

	if (role == SHMCHAN_SENDER || there)
		open_as(&tx, "revoked", SHMCHAN_SENDER, 4096, -1);
	if (role == SHMCHAN_RECEIVER || there)
		open_as(&rx, "revoked", SHMCHAN_RECEIVER, 4096, -1);
	if (state == RECORDS)
		for (i = 0; i < 5; i++)
			CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
	if (state == FULL)
		while (!shmchan_spsc_send(&tx, &value, 8, 0, 0, 0))
			;
	if (state == OPEN) {
		CHECK_EQ(shmchan_spsc_reserve(&tx, 8, &a, 0), 0);
		CHECK_EQ(shmchan_spsc_reserve(&tx, 8, &b, 0), 0);
	}
	if (role == SHMCHAN_SENDER) {
		if (state == PEER_LEFT)
			shmchan_spsc_close(&rx);
		revoke_us(tx.region);
		if (state == OPEN) {
			SAYS_STALE(shmchan_spsc_commit(&tx, &a, 8, 0, 0));
			SAYS_STALE(shmchan_spsc_abort(&tx, &b));
		}
		sender_is_told(&tx, timeout_ns);
		shmchan_spsc_close(&tx);
		if (there && state != PEER_LEFT)
			shmchan_spsc_close(&rx);
	} else {
		if (state == PEER_LEFT)
			shmchan_spsc_close(&tx);
		revoke_us(rx.region);
		receiver_is_told(&rx, timeout_ns);
		shmchan_spsc_close(&rx);
		if (there && state != PEER_LEFT)
			shmchan_spsc_close(&tx);
	}
}

TEST(senders_in_every_state)
{
	int state;

	for (state = 0; state < STATES; state++) {
		revoked(SHMCHAN_SENDER, (enum state)state, 0);
		revoked(SHMCHAN_SENDER, (enum state)state, -1);
		revoked(SHMCHAN_SENDER, (enum state)state, 10 * MS);
	}
}

TEST(receivers_in_every_state)
{
	int state;

	for (state = 0; state < STATES; state++) {
		revoked(SHMCHAN_RECEIVER, (enum state)state, 0);
		revoked(SHMCHAN_RECEIVER, (enum state)state, -1);
		revoked(SHMCHAN_RECEIVER, (enum state)state, 10 * MS);
	}
}

/* What was looked at was there until now; and then it is said. */
TEST(a_look_that_is_void)
{
	struct shmchan_spsc tx, rx;
	uint64_t value = 7;
	const void *data;

	open_as(&tx, "void", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "void", SHMCHAN_RECEIVER, 4096, -1);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
	CHECK_EQ(shmchan_spsc_peek(&rx, &data, NULL, NULL, 0), 0);
	CHECK_EQ(shmchan_spsc_check(&rx), 0);
	CHECK_EQ(*(const uint64_t *)data, 7);
	revoke_us(rx.region);
	CHECK_EQ(*(const uint64_t *)data, 0);
	SAYS_STALE(shmchan_spsc_check(&rx));
	SAYS_STALE(shmchan_spsc_release(&rx));
	shmchan_spsc_close(&rx);
	shmchan_spsc_close(&tx);
}

static void sleeps(struct shmchan_spsc *ch, int wait_peer)
{
	uint64_t value = 0;
	int err;

	if (wait_peer)
		err = shmchan_spsc_wait_peer(ch, -1);
	else if (ch->role == SHMCHAN_RECEIVER)
		err = shmchan_spsc_recv(ch, &value, 8, NULL, NULL, -1);
	else
		do
			err = shmchan_spsc_send(ch, &value, 8, 0, 0, -1);
		while (!err);
	CHECK_EQ(err, -ESTALE);
}

static void woken(enum shmchan_spsc_role role, int wait_peer)
{
	struct shmchan_spsc ch, peer = { .region = NULL };
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	pid_t pid;

	/* Named by us, for both. */
	test_name("sleeps");
	pid = child_fork();
	if (!pid) {
		open_as(&ch, "sleeps", role, 4096, -1);
		shmchan_store_seq_cst(ready, 1);
		sleeps(&ch, wait_peer);
		shmchan_spsc_close(&ch);
		child_done();
	}
	while (!shmchan_load_seq_cst(ready))
		sleep_ms(1);
	if (!wait_peer)
		open_as(&peer, "sleeps", role == SHMCHAN_SENDER ?
			SHMCHAN_RECEIVER : SHMCHAN_SENDER, 4096, -1);
	sleep_ms(100);
	revoke_slot(test_name("sleeps"), role);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&peer);
}

TEST(sleepers_are_woken)
{
	KMOD_ONLY("nobody else can revoke");
	woken(SHMCHAN_SENDER, 0);
	woken(SHMCHAN_RECEIVER, 0);
	woken(SHMCHAN_SENDER, 1);
	woken(SHMCHAN_RECEIVER, 1);
}

/* Children and what they did. */
struct account {
	uint32_t ready;
	uint32_t pad;
	uint64_t sent;		/* calls that said so */
	uint64_t got;
};

static void send_until_told(struct account *a, int reserve)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx;
	uint64_t value;
	int err = 0;

	open_as(&tx, "account", SHMCHAN_SENDER, 65536, -1);
	for (value = 0; !err; value++) {
		if (reserve) {
			err = shmchan_spsc_reserve(&tx, 8, &rsv, -1);
			if (err)
				break;
			*(uint64_t *)rsv.data = value;
			err = shmchan_spsc_commit(&tx, &rsv, 8, 0, 0);
		} else {
			err = shmchan_spsc_send(&tx, &value, 8, 0, 0, -1);
		}
		if (!err)
			shmchan_store_relaxed(&a->sent, value + 1);
		if (value == 100)
			shmchan_store_seq_cst(&a->ready, 1);
	}
	CHECK_EQ(err, -ESTALE);
	shmchan_spsc_close(&tx);
	child_done();
}

static void accounts_are_true(int reserve, unsigned int us)
{
	struct account *a = (struct account *)shared_alloc(sizeof(*a));
	struct shmchan_spsc rx;
	uint64_t value, end;
	pid_t pid, revoker;
	int err;

	open_as(&rx, "account", SHMCHAN_RECEIVER, 65536, -1);
	pid = child_fork();
	if (!pid)
		send_until_told(a, reserve);
	revoker = child_fork();
	if (!revoker) {
		while (!shmchan_load_seq_cst(&a->ready))
			;
		for (end = now_ns() + us * 1000ULL; now_ns() < end;)
			;
		revoke_slot(test_name("account"), SHMCHAN_SENDER);
		child_done();
	}
	while (!(err = shmchan_spsc_recv(&rx, &value, 8, NULL, NULL,
					 20000 * MS))) {
		CHECK_EQ(value, a->got);
		a->got++;
	}
	/* To the others it is as dead. */
	CHECK_EQ(err, -EOWNERDEAD);
	CHECK_CHILD_OK(pid);
	CHECK_CHILD_OK(revoker);
	/* What was committed has arrived; of what was sent, all but the last. */
	CHECK_GE(a->got + !reserve, a->sent);
	/* And perhaps what ESTALE was said to. */
	CHECK_LE(a->got, a->sent + 1);
	shmchan_spsc_close(&rx);
	munmap(a, sizeof(*a));
}

TEST_LIMIT(what_was_sent_has_arrived, 120)
{
	unsigned int i;

	KMOD_ONLY("nobody else can revoke");
	for (i = 0; i < (unsigned int)HARNESS_ROUNDS(400); i++)
		accounts_are_true(i & 1, i * 37 % 1000);
}

#define LONG_WORDS	120

static void receive_until_told(struct account *a)
{
	struct shmchan_spsc rx;
	uint64_t buf[LONG_WORDS];
	uint32_t meta;
	size_t len, i;
	int err;

	open_as(&rx, "torn", SHMCHAN_RECEIVER, 4096, -1);
	while (!(err = shmchan_spsc_recv(&rx, buf, sizeof(buf), &len, &meta,
					 -1))) {
		CHECK_EQ(len, sizeof(buf));
		for (i = 0; i < LONG_WORDS; i++)
			CHECK_EQ(buf[i], meta);
		if (++a->got == 10)
			shmchan_store_seq_cst(&a->ready, 1);
	}
	CHECK_EQ(err, -ESTALE);
	shmchan_spsc_close(&rx);
	child_done();
}

/* A receiver is revoked while it copies: what it is given is what was sent. */
TEST_LIMIT(nothing_torn_passes, 120)
{
	unsigned int round, rounds = (unsigned int)HARNESS_ROUNDS(400);
	uint64_t buf[LONG_WORDS], end;
	struct shmchan_spsc tx;
	struct account *a;
	pid_t pid, revoker;
	uint32_t n;
	int err, i;

	KMOD_ONLY("nobody else can revoke");
	a = (struct account *)shared_alloc(sizeof(*a));
	for (round = 0; round < rounds; round++) {
		memset(a, 0, sizeof(*a));
		open_as(&tx, "torn", SHMCHAN_SENDER, 4096, -1);
		pid = child_fork();
		if (!pid)
			receive_until_told(a);
		revoker = child_fork();
		if (!revoker) {
			while (!shmchan_load_seq_cst(&a->ready))
				;
			end = now_ns() + round * 37 % 1000 * 1000ULL;
			while (now_ns() < end)
				;
			revoke_slot(test_name("torn"), SHMCHAN_RECEIVER);
			child_done();
		}
		for (n = 1, err = 0; !err; n++) {
			for (i = 0; i < LONG_WORDS; i++)
				buf[i] = n;
			err = shmchan_spsc_send(&tx, buf, sizeof(buf), n, 0,
						20000 * MS);
		}
		CHECK_EQ(err, -EOWNERDEAD);
		CHECK_CHILD_OK(pid);
		CHECK_CHILD_OK(revoker);
		shmchan_spsc_close(&tx);
	}
}

static sigjmp_buf bus;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(bus, 1);
}

TEST(who_would_rather_have_a_signal)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096,
		.join_flags = SHMCHAN_JOIN_SIGBUS);
	struct sigaction action = { .sa_handler = on_bus };
	struct shmchan_spsc tx;
	uint64_t value = 1;

	KMOD_ONLY("nobody can revoke");
	CHECK_EQ(shmchan_spsc_open(&tx, test_name("bus"), &opts), 0);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
	revoke_slot(test_name("bus"), SHMCHAN_SENDER);
	CHECK(!sigaction(SIGBUS, &action, NULL));
	if (!sigsetjmp(bus, 1)) {
		shmchan_spsc_send(&tx, &value, 8, 0, 0, 0);
		FAIL("no SIGBUS");
	}
	/* What makes a call says it all the same. */
	CHECK_EQ(shmchan_bell_ring(tx.region, 1, 0), -ESTALE);
	opts.join_flags = 99;
	CHECK_EQ(shmchan_spsc_open(&tx, test_name("other"), &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_JOIN_SIGBUS");
}

TEST_MAIN
