// SPDX-License-Identifier: GPL-2.0-only

/* Channels from one sender to one receiver: sleeping, waking, timeouts. */

#include <shmchan/loop.h>
#include <shmchan/spsc.h>

#include "harness.h"

#define MS	1000000LL

static void open_as(struct shmchan_spsc *ch, const char *tag,
		    enum shmchan_spsc_role role, uint64_t capacity, int poll,
		    int64_t spin_ns)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = capacity, .poll = poll,
		.spin_ns = spin_ns);

	CHECK_EQ(shmchan_spsc_open(ch, test_name(tag), &opts), 0);
}

TEST(timeouts)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx, rx;
	uint64_t begin, took, value = 0;
	const void *data;

	open_as(&tx, "timeout", SHMCHAN_SENDER, 4096, 0, 0);
	open_as(&rx, "timeout", SHMCHAN_RECEIVER, 4096, 0, 0);
#define TAKES_80_MS(call) \
	do { \
		begin = now_ns(); \
		CHECK_EQ(call, -ETIMEDOUT); \
		took = now_ns() - begin; \
		CHECK_GE(took, 80 * MS); \
		CHECK_LE(took, 5000 * MS); \
	} while (0)
	TAKES_80_MS(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, 80 * MS));
	TAKES_80_MS(shmchan_spsc_peek(&rx, &data, NULL, NULL, 80 * MS));
	TAKES_80_MS(shmchan_spsc_recv_n(&rx, &value, 8, 1, NULL, 80 * MS));
	while (!shmchan_spsc_send(&tx, &value, 8, 0, 0, 0))
		;
	TAKES_80_MS(shmchan_spsc_send(&tx, &value, 8, 0, 0, 80 * MS));
	TAKES_80_MS(shmchan_spsc_reserve(&tx, 8, &rsv, 80 * MS));
	TAKES_80_MS(shmchan_spsc_send_n(&tx, &value, 8, 1, 0, 80 * MS));
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	open_as(&tx, "timeout", SHMCHAN_SENDER, 4096, 0, 0);
	TAKES_80_MS(shmchan_spsc_wait_peer(&tx, 80 * MS));
	CHECK_EQ(shmchan_spsc_wait_peer(&tx, 0), -EAGAIN);
	shmchan_spsc_close(&tx);
	/* Those who never sleep know the time as well. */
	open_as(&rx, "timeout2", SHMCHAN_RECEIVER, 4096, 1, 0);
	TAKES_80_MS(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, 80 * MS));
	shmchan_spsc_close(&rx);
#undef TAKES_80_MS
}

static void sender(const char *tag, uint64_t n, uint64_t capacity, int poll,
		   int64_t spin_ns, int how, int slow)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx;
	uint64_t i, rest = 0, values[64];
	int err, k;

	open_as(&tx, tag, SHMCHAN_SENDER, capacity, poll, spin_ns);
	for (i = 0; i < n;) {
		if (slow && i >= rest) {
			sleep_ms(2);
			rest = i + 1000;
		}
		switch (how) {
		case 0:
			err = shmchan_spsc_send(&tx, &i, 8, (uint32_t)i, 0, -1);
			CHECK_EQ(err, 0);
			i++;
			break;
		case 1:
			err = shmchan_spsc_send(&tx, &i, 8, (uint32_t)i,
				(i + 1) % 16 && i + 1 < n ? SHMCHAN_MORE : 0,
				-1);
			CHECK_EQ(err, 0);
			i++;
			break;
		case 2:
			err = shmchan_spsc_reserve(&tx, 64, &rsv, -1);
			CHECK_EQ(err, 0);
			memcpy(rsv.data, &i, 8);
			CHECK_EQ(shmchan_spsc_commit(&tx, &rsv, 8, (uint32_t)i,
						     0), 0);
			i++;
			break;
		default:
			for (k = 0; k < 64 && i + (uint64_t)k < n; k++)
				values[k] = i + (uint64_t)k;
			CHECK_EQ(shmchan_spsc_send_n(&tx, values, 8, (size_t)k,
						     0, -1), k);
			i += (uint64_t)k;
		}
	}
	shmchan_spsc_close(&tx);
	child_done();
}

static void stream(const char *tag, uint64_t n, uint64_t capacity, int poll,
		   int64_t spin_ns, int how, int slow_tx, int slow_rx)
{
	struct shmchan_spsc_stats stats;
	struct shmchan_spsc rx;
	uint64_t i = 0, rest = 0, values[40];
	const void *data;
	pid_t pid;
	int err, k;

	open_as(&rx, tag, SHMCHAN_RECEIVER, capacity, poll, spin_ns);
	pid = child_fork();
	if (!pid)
		sender(tag, n, capacity, poll, spin_ns, how, slow_tx);
	for (;;) {
		if (slow_rx && i >= rest) {
			sleep_ms(2);
			rest = i + 1000;
		}
		switch (how) {
		case 2:
			err = shmchan_spsc_peek(&rx, &data, NULL, NULL, -1);
			if (err)
				break;
			CHECK(!memcmp(data, &i, 8));
			i++;
			shmchan_spsc_release(&rx);
			break;
		case 3:
			err = shmchan_spsc_recv_n(&rx, values, 8, 40, NULL, -1);
			for (k = 0; k < err; k++)
				CHECK_EQ(values[k], i++);
			if (err > 0)
				err = 0;
			break;
		default:
			err = shmchan_spsc_recv(&rx, values, 8, NULL, NULL, -1);
			if (!err)
				CHECK_EQ(values[0], i++);
		}
		if (err)
			break;
	}
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(i, n);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_get_stats(&rx, &stats);
	CHECK_EQ(stats.records, n);
	note("how %d, slow %d %d: receiver slept %llu times and rang %llu times",
	     how, slow_tx, slow_rx, (unsigned long long)stats.waits,
	     (unsigned long long)stats.rings);
	shmchan_spsc_close(&rx);
}

TEST_LIMIT(streams, 120)
{
	int how;

	for (how = 0; how < 4; how++)
		stream("stream", HARNESS_ROUNDS(300000), 65536, 0, 0, how, 0, 0);
}

TEST_LIMIT(streams_that_wait_for_the_sender, 120)
{
	int how;

	for (how = 0; how < 4; how++)
		stream("slowtx", HARNESS_ROUNDS(50000), 4096, 0, -1, how, 1, 0);
}

TEST_LIMIT(streams_that_wait_for_the_receiver, 120)
{
	int how;

	for (how = 0; how < 4; how++)
		stream("slowrx", HARNESS_ROUNDS(50000), 4096, 0, -1, how, 0, 1);
}

TEST_LIMIT(streams_that_never_sleep, 120)
{
	stream("poll", HARNESS_ROUNDS(100000), 65536, 1, 0, 0, 0, 0);
	stream("poll", HARNESS_ROUNDS(100000), 65536, 1, 0, 3, 0, 0);
}

/* Question and answer, each side asleep when the other answers. */
static void ping_pong(int64_t spin_ns, uint64_t rounds)
{
	struct shmchan_spsc there, back;
	uint64_t i, value;
	pid_t pid;

	/* The name is that of the process which asks for it first. */
	(void)test_name("");
	pid = child_fork();
	open_as(&there, "there", pid ? SHMCHAN_SENDER : SHMCHAN_RECEIVER, 4096,
		0, spin_ns);
	open_as(&back, "back", pid ? SHMCHAN_RECEIVER : SHMCHAN_SENDER, 4096, 0,
		spin_ns);
	for (i = 0; i < rounds; i++) {
		if (pid)
			CHECK_EQ(shmchan_spsc_send(&there, &i, 8, 0, 0, -1), 0);
		else
			CHECK_EQ(shmchan_spsc_recv(&there, &value, 8, NULL,
						   NULL, -1), 0);
		if (pid) {
			CHECK_EQ(shmchan_spsc_recv(&back, &value, 8, NULL, NULL,
						   -1), 0);
			CHECK_EQ(value, i);
		} else {
			CHECK_EQ(shmchan_spsc_send(&back, &value, 8, 0, 0, -1),
				 0);
		}
	}
	if (!pid) {
		/* Closing first would end what the other still waits for. */
		CHECK_EQ(shmchan_spsc_recv(&there, &value, 8, NULL, NULL, -1),
			 -EPIPE);
		shmchan_spsc_close(&there);
		shmchan_spsc_close(&back);
		child_done();
	}
	shmchan_spsc_close(&there);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&back);
}

TEST_LIMIT(question_and_answer, 120)
{
	ping_pong(0, HARNESS_ROUNDS(30000));
}

TEST_LIMIT(question_and_answer_asleep, 120)
{
	ping_pong(-1, HARNESS_ROUNDS(10000));
}

TEST(receiver_waits_for_a_sender_to_come)
{
	struct shmchan_spsc tx, rx;
	uint64_t value = 0;
	pid_t pid;

	open_as(&rx, "come", SHMCHAN_RECEIVER, 4096, 0, 0);
	pid = child_fork();
	if (!pid) {
		sleep_ms(100);
		open_as(&tx, "come", SHMCHAN_SENDER, 4096, 0, 0);
		CHECK_EQ(shmchan_spsc_wait_peer(&tx, -1), 0);
		value = 42;
		CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, -1), 0);
		shmchan_spsc_close(&tx);
		child_done();
	}
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, -1), 0);
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
	CHECK_EQ(value, 42);
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), -EPIPE);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&rx);
}

TEST(sender_waits_for_a_receiver_to_come)
{
	struct shmchan_spsc tx, rx;
	uint64_t value, got;
	pid_t pid;

	open_as(&tx, "come", SHMCHAN_SENDER, 4096, 0, 0);
	pid = child_fork();
	if (!pid) {
		sleep_ms(100);
		open_as(&rx, "come", SHMCHAN_RECEIVER, 4096, 0, 0);
		for (value = 0; value < 1000; value++) {
			CHECK_EQ(shmchan_spsc_recv(&rx, &got, 8, NULL, NULL,
						   -1), 0);
			CHECK_EQ(got, value);
		}
		CHECK_EQ(shmchan_spsc_recv(&rx, &got, 8, NULL, NULL, -1),
			 -EPIPE);
		shmchan_spsc_close(&rx);
		child_done();
	}
	for (value = 0; value < 1000; value++)
		CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, -1), 0);
	CHECK_GT(tx.waits, 0);
	shmchan_spsc_close(&tx);
	CHECK_CHILD_OK(pid);
}

/* Full of what was sent with MORE: who waits for room rings for that first. */
TEST(more_and_then_many)
{
	struct shmchan_spsc tx, rx;
	struct shmchan_set *set;
	uint64_t big[127] = { 0 };
	int i, id;

	open_as(&tx, "many", SHMCHAN_SENDER, 4096, 0, -1);
	open_as(&rx, "many", SHMCHAN_RECEIVER, 4096, 0, -1);
	/* Counted among those who sleep. */
	CHECK_EQ(shmchan_set_create(&set), 0);
	id = shmchan_set_add_spsc(set, &rx, NULL);
	CHECK_GE(id, 0);
	if (shmchan_set_fd(set) == -ENOTSUP)
		SKIP("no file of a set here: %.180s", shmchan_error_detail());
	CHECK_GE(shmchan_set_fd(set), 0);
	while (shmchan_set_arm(set) == -EAGAIN)
		CHECK_EQ(shmchan_set_ack(set), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(shmchan_spsc_send(&tx, big, sizeof(big), 0,
					   SHMCHAN_MORE, 0), 0);
	CHECK_EQ(tx.rings, 0);
	CHECK_EQ(shmchan_spsc_send_n(&tx, big, sizeof(big), 1, 0, MS),
		 -ETIMEDOUT);
	CHECK_GE(tx.rings, 1);
	shmchan_set_close(set);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST_MAIN
