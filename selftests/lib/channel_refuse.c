// SPDX-License-Identifier: GPL-2.0-only

/* Channels of many: what is refused, in words; and handles used wrongly. */

/* Two threads on one handle are caught. */
#ifndef SHMCHAN_DEBUG
#define SHMCHAN_DEBUG
#endif

#include <pthread.h>

#include "channel_fixture.h"

static void refused(int err, int want, const char *says)
{
	CHECK_EQ(err, -want);
	CHECK_SAYS(shmchan_error_detail(), says);
}

TEST(options_that_make_no_sense)
{
	struct shmchan_channel_opts o;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	const char *name = test_name("opts");

#define TRY(...) \
	(o = SHMCHAN_CHANNEL_OPTS(.create = 1, __VA_ARGS__), \
	 shmchan_sender_open(&tx, name, &o))
	refused(shmchan_sender_open(&tx, name, NULL), EINVAL,
		"SHMCHAN_CHANNEL_OPTS");
	refused(TRY(.nr_senders = 1025), EINVAL, "at most 1024");
	refused(TRY(.nr_receivers = 1025), EINVAL, "at most 1024");
	refused(TRY(.nr_receivers = 2, .nr_reliable = 3), EINVAL,
		"nr_reliable is 3");
	refused(TRY(.policy = (enum shmchan_policy)4), EINVAL, "policy 4");
	refused(TRY(.policy = SHMCHAN_POLICY_OVERWRITE, .nr_reliable = 1),
		EINVAL, "OVERWRITE");
	refused(TRY(.blind = 1), EINVAL, "blind");
	refused(TRY(.durable = 1, .policy = SHMCHAN_POLICY_EVICT), EINVAL,
		"durable");
	refused(TRY(.hold_ns = -1), EINVAL, "hold_ns is -1");
	refused(TRY(.capacity = 1ULL << 31), EINVAL, "capacity");
	refused(TRY(.slot = 1), EINVAL, "slot 1 is not a sender's seat");
#undef TRY
	o = SHMCHAN_CHANNEL_OPTS(.create = 1, .seat = SHMCHAN_SEAT_CASUAL);
	refused(shmchan_receiver_open(&rx, name, &o), EINVAL, "casual");
	o = SHMCHAN_CHANNEL_OPTS();
	refused(shmchan_receiver_open(&rx, name, &o), ENOENT, "");
	o = SHMCHAN_CHANNEL_OPTS(.wait_ns = 20 * MS);
	refused(shmchan_receiver_open(&rx, name, &o), ETIMEDOUT, "appeared");
}

TEST(seats_patterns_and_kinds)
{
	struct shmchan_channel_opts o = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 4096);
	struct shmchan_channel_opts ps = SHMCHAN_PUBSUB_OPTS();
	struct shmchan_spsc_opts so = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1, .capacity = 4096);
	struct shmchan_sender a, b, c;
	struct shmchan_receiver rx, ry;
	struct shmchan_spsc ch;

	open_tx(&a, "seats", &o);
	open_tx(&b, "seats", &o);
	refused(shmchan_sender_open(&c, test_name("seats"), &o), EBUSY,
		"all 2 seats");
	o.slot = 1;
	CHECK_EQ(shmchan_sender_open(&c, test_name("seats"), &o), -EBUSY);
	o.slot = 2;
	refused(shmchan_sender_open(&c, test_name("seats"), &o), EINVAL,
		"slot 2 is not a sender's seat");
	o.slot = SHMCHAN_SLOT_ANY;
	o.exclusive = 1;
	CHECK_EQ(shmchan_sender_open(&c, test_name("seats"), &o), -EEXIST);
	o.exclusive = 0;
	open_rx(&rx, "seats", &o);
	CHECK_EQ(shmchan_receiver_open(&ry, test_name("seats"), &o), -EBUSY);
	/* Another pattern: both are said. */
	shmchan_sender_close(&b);
	refused(shmchan_sender_open(&c, test_name("seats"), &ps), EPROTO,
		"pattern fan-in");
	CHECK_SAYS(shmchan_error_detail(), "publish and subscribe");
	/* Another kind. */
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("seats"), &so), -EPROTO);
	shmchan_sender_close(&a);
	shmchan_receiver_close(&rx);
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("kind"), &so), 0);
	refused(shmchan_sender_open(&c, test_name("kind"), &ps), EPROTO, "");
	shmchan_spsc_close(&ch);
}

/* A header that says what no channel can be, whatever a creator wrote. */
TEST(headers_of_others)
{
	struct shmchan_channel_opts o = SHMCHAN_CHANNEL_OPTS();
	const struct shmchan_wire_channel good = {
		.wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION,
			.kind = SHMCHAN_WIRE_CHANNEL,
			.length = sizeof(good),
		},
		.nr_senders = 1, .nr_receivers = 1, .nr_reliable = 1,
		.capacity = 4096, .data_doorbell = 1, .space_doorbell = 2,
	};
	const struct shmchan_doorbell bells[2] = {
		{ SHMCHAN_SLOT_SHARED, 0 }, { SHMCHAN_SLOT_SHARED, 0 },
	};
	uint64_t control = SHMCHAN_CONTROL_OFFSET(4096);
	struct shmchan_window windows[3] = {
		{ .offset = 0, .length = 4096, .slot = 0 },
		{ .offset = control + 4096, .length = 4096, .slot = 0 },
		{ .offset = control + 8192, .length = 4096, .slot = 1 },
	};
	int i;

	for (i = 0; i < 16; i++) {
		struct shmchan_wire_channel w = good;
		struct shmchan_region_opts ro = SHMCHAN_REGION_OPTS(
			.flags = SHMCHAN_CREATE_SMALL,
			.nr_slots = 2 + SHMCHAN_CHANNEL_OBSERVERS,
			.slot = 2, .nr_doorbells = 2, .doorbells = bells,
			.data_size = 4096, .control_size = 3 * 4096,
			.nr_windows = 3, .windows = windows, .header = &w,
			.header_len = sizeof(w));
		struct shmchan_region *region;
		struct shmchan_receiver rx;
		struct shmchan_sender tx;
		int err;

		switch (i) {
		case 0: w.wire.version++; break;
		case 1: w.wire.length--; break;
		case 2: w.wire.reserved = 1; break;
		case 3: w.pattern = 4; break;
		case 4: w.policy = 4; break;
		case 5: w.policy = SHMCHAN_POLICY_OVERWRITE; break;
		case 6: w.nr_reliable = 2; break;
		case 7: w.nr_reliable = 0; break;
		case 8: w.flags = 8; break;
		case 9: w.flags = SHMCHAN_CHANNEL_BLIND; break;
		case 10: w.capacity = 8192; break;
		case 11: w.capacity = 4097; break;
		case 12: w.data_doorbell = 2; break;
		case 13: w.reserved[1] = 1; break;
		case 14: w.capacity = 1ULL << 40; break;
		default:
			/* All is well, but who may write what. */
			windows[0].slot = 1;
			break;
		}
		CHECK_EQ(shmchan_region_create(&region, test_name("header"),
					       &ro), 0);
		err = shmchan_sender_open(&tx, test_name("header"), &o);
		CHECK_EQ(err, -EPROTO);
		err = shmchan_receiver_open(&rx, test_name("header"), &o);
		CHECK_EQ(err, i < 15 ? -EPROTO : 0);
		shmchan_receiver_close(&rx);
		shmchan_region_close(region);
	}
}

TEST(what_is_too_long_goes_through_a_pool)
{
	struct shmchan_channel_opts o = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 1, .capacity = 4096);
	static uint8_t big[4096];
	struct shmchan_reservation rsv;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;

	open_rx(&rx, "long", &o);
	open_tx(&tx, "long", &o);
	CHECK_EQ(shmchan_send(&tx, big, 1016, 0, 0, 0), 0);
	refused(shmchan_send(&tx, big, 1017, 0, 0, 0), EMSGSIZE, "1016");
	CHECK_SAYS(shmchan_error_detail(), "pool");
	refused(shmchan_reserve(&tx, 1017, &rsv, 0), EMSGSIZE, "pool");
	CHECK_EQ(shmchan_recv(&rx, big, sizeof(big), NULL, 0), 0);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

TEST(closed_handles_say_so)
{
	struct shmchan_channel_opts o = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 1, .capacity = 4096);
	struct shmchan_view view = { .of = NULL };
	struct shmchan_origin origin;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	uint64_t value = 0;

	open_rx(&rx, "closed", &o);
	open_tx(&tx, "closed", &o);
	refused(shmchan_receiver_origin(&rx, &origin), EINVAL, "nothing");
	CHECK_EQ(send_u64(&tx, 5, 0), 0);
	CHECK_EQ(recv_u64(&rx, &value, NULL, 0), 0);
	CHECK_EQ(shmchan_receiver_origin(&rx, &origin), 0);
	CHECK_EQ(origin.slot, 0);
	CHECK_EQ(origin.oldest, 1);
	CHECK_EQ(origin.newest, 1);
	CHECK_EQ(origin.certain, SHMCHAN_SENDER_HOLDER);
	CHECK_EQ(origin.identity.pid, getpid());
	shmchan_sender_close(&tx);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
	shmchan_receiver_close(&rx);
	refused(send_u64(&tx, 5, -1), EINVAL, "not open");
	refused(shmchan_send_n(&tx, &value, 8, 1, 0, -1), EINVAL, "not open");
	CHECK_LT(shmchan_flush(&tx), 0);
	refused(recv_u64(&rx, &value, NULL, -1), EINVAL, "not open");
	refused(shmchan_recv_n(&rx, &value, 8, 1, NULL, -1), EINVAL,
		"not open");
	refused(shmchan_peek(&rx, &view, -1), EINVAL, "not open");
	refused(shmchan_release(&rx, &view), EINVAL, "not open");
	refused(shmchan_receiver_wait_peers(&rx, 1, 0), EINVAL, "not open");
	refused(shmchan_sender_wait_peers(&tx, 1, 0), EINVAL, "not open");
}

static void *in_recv(void *arg)
{
	struct shmchan_receiver *rx = (struct shmchan_receiver *)arg;
	uint64_t value;
	int err;

	/* The other one may be in a try. */
	do
		err = recv_u64(rx, &value, NULL, -1);
	while (err == -EBUSY);
	CHECK_EQ(err, 0);
	return NULL;
}

TEST(two_threads_on_one_handle)
{
	struct shmchan_channel_opts o = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 1, .capacity = 4096);
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	uint64_t value, begin = now_ns();
	pthread_t thread;
	int err;

	open_rx(&rx, "two", &o);
	open_tx(&tx, "two", &o);
	CHECK(!pthread_create(&thread, NULL, in_recv, &rx));
	/* It sleeps in there; until it does, there is nothing. */
	while ((err = recv_u64(&rx, &value, NULL, 0)) != -EBUSY) {
		CHECK_EQ(err, -EAGAIN);
		CHECK_LT(now_ns() - begin, TOLD_NS);
	}
	CHECK_SAYS(shmchan_error_detail(), "another thread");
	CHECK_EQ(send_u64(&tx, 1, 0), 0);
	CHECK(!pthread_join(thread, NULL));
	/* And again by whoever has it then. */
	CHECK_EQ(recv_u64(&rx, &value, NULL, 0), -EAGAIN);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

/* After fork the parent's handles are of no use to the child. */
TEST(a_child_opens_its_own)
{
	struct shmchan_channel_opts o = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 4096);
	struct shmchan_receiver rx;
	uint64_t value;
	pid_t pid;

	open_rx(&rx, "fork", &o);
	pid = child_fork();
	if (!pid) {
		struct shmchan_sender tx;

		CHECK_EQ(recv_u64(&rx, &value, NULL, 0), -EOWNERDEAD);
		shmchan_receiver_close(&rx);
		open_tx(&tx, "fork", &o);
		CHECK_EQ(send_u64(&tx, 3, 0), 0);
		shmchan_sender_close(&tx);
		child_done();
	}
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), 0);
	CHECK_CHILD_OK(pid);
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), -EPIPE);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
