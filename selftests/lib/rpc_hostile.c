// SPDX-License-Identifier: GPL-2.0-only

/*
 * Services beside those who break the rules: one client costs nobody but itself,
 * and a server nobody but those who ask it, until another has taken over.
 */

#include "rpc_fixture.h"
#include "../../lib/rpc_private.h"

static struct shmchan_rpc_client bad, good;
static struct shmchan_rpc_server s;

static void good_one_is_served(void)
{
	struct shmchan_rpc_call call;
	uint32_t id = send_one(&good, 1, 5);

	CHECK_EQ(next_one(&s, &call), 5);
	CHECK_EQ(call.client, good.region->slot);
	reply_one(&s, &call, 6);
	CHECK_EQ(recv_one(&good, id), 6);
}

static void begin(const char *tag)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.nr_clients = 3, .request_capacity = 4096,
		.reply_capacity = 4096);

	serve_with(&s, tag, opts);
	ask_with(&bad, tag, opts);
	ask_with(&good, tag, opts);
	good_one_is_served();
}

/* Told once, of that client; the others go on, and so does its successor. */
static void bad_one_is_told_of(const char *tag)
{
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_call call;
	uint32_t id, generation = bad.region->generation;

	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, TOLD_NS), -EBADMSG);
	CHECK_SAYS(shmchan_error_detail(), "client 1");
	CHECK_EQ(call.client, 1);
	CHECK_EQ(call.generation, generation);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	good_one_is_served();
	shmchan_rpc_server_get_stats(&s, &stats);
	CHECK_EQ(stats.bad, 1);
	shmchan_rpc_client_close(&bad);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	CHECK_EQ(call.generation, generation);
	ask(&bad, tag);
	CHECK_EQ(bad.region->slot, 1);
	id = send_one(&bad, 1, 8);
	CHECK_EQ(next_one(&s, &call), 8);
	CHECK_EQ(call.client, 1);
	reply_one(&s, &call, 9);
	CHECK_EQ(recv_one(&bad, id), 9);
	good_one_is_served();
	shmchan_rpc_client_close(&bad);
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

static uint64_t *tail_of(struct shmchan_rpc_client *c)
{
	return shmchan_lane__at(&c->w, c->w.tail);
}

TEST(garbage_for_a_header)
{
	begin("garbage");
	shmchan_store_release(tail_of(&bad), 0x123456789abcdef0ULL | 6);
	bad_one_is_told_of("garbage");
}

TEST(header_that_is_too_long)
{
	begin("long");
	shmchan_store_release(tail_of(&bad),
			      shmchan_hdr(4000, SHMCHAN_HDR_DATA, 1));
	bad_one_is_told_of("long");
}

TEST(jump_to_nowhere)
{
	begin("jump");
	shmchan_store_release(tail_of(&bad),
			      shmchan_hdr(SHMCHAN_CTRL_JUMP, SHMCHAN_HDR_CTRL,
					  0));
	bad_one_is_told_of("jump");
}

TEST(request_that_is_too_short)
{
	begin("short");
	CHECK_GE(shmchan_lane_send(&bad.w, "short", 5, 1, 0), 0);
	bad_one_is_told_of("short");
}

static void send_raw(struct shmchan_rpc_client *c, uint32_t id, uint32_t flags,
		     uint32_t server, uint32_t client)
{
	struct shmchan_wire_rpc_request head = {
		.server = server, .client = client, .flags = flags,
		.deadline = SHMCHAN_FOREVER,
	};

	CHECK_GE(shmchan_lane_send(&c->w, &head, sizeof(head), id, 0), 0);
}

TEST(call_without_a_number)
{
	begin("zero");
	send_raw(&bad, 0, 0, s.region->generation, bad.region->generation);
	bad_one_is_told_of("zero");
}

TEST(flags_that_are_unknown)
{
	begin("flags");
	send_raw(&bad, 1, 4, s.region->generation, bad.region->generation);
	bad_one_is_told_of("flags");
}

TEST(number_of_a_call_that_is_open)
{
	struct shmchan_rpc_call call;

	begin("number");
	send_raw(&bad, 1, 0, s.region->generation, bad.region->generation);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), 0);
	send_raw(&bad, 1, 0, s.region->generation, bad.region->generation);
	bad_one_is_told_of("number");
}

/* Nobody can speak for another: not for a server before, not for a client before. */
TEST(other_generations_are_passed_over)
{
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_call call;

	begin("others");
	send_raw(&bad, 1, 0, s.region->generation + 1, bad.region->generation);
	send_raw(&bad, 2, 0, s.region->generation, bad.region->generation - 1);
	send_raw(&bad, 3, 0, s.region->generation, good.region->generation + 7);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	shmchan_rpc_server_get_stats(&s, &stats);
	CHECK_EQ(stats.stale, 3);
	CHECK_EQ(stats.bad, 0);
	good_one_is_served();
	shmchan_rpc_client_close(&bad);
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

TEST(cursor_that_is_nonsense)
{
	struct shmchan_rpc_call call;
	static char big[900];
	uint32_t i;
	int err = 0;

	begin("cursor");
	shmchan_store_release(&bad.own->replies.pos, 1ULL << 40);
	for (i = 0; i < 20 && !err; i++) {
		send_raw(&bad, i + 1, 0, s.region->generation,
			 bad.region->generation);
		CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), 0);
		err = shmchan_rpc_reply(&s, &call, 0, big, sizeof(big), 0);
	}
	CHECK_EQ(err, -EBADMSG);
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, big, 8, 0), -EINVAL);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EBADMSG);
	CHECK_EQ(call.client, 1);
	good_one_is_served();
	shmchan_rpc_client_close(&bad);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

/* Whatever is there: no crash, no hang, and the other is served. */
TEST_LIMIT(random_rings, 60)
{
	const int rounds = HARNESS_ROUNDS(300);
	uint64_t state = 88172645463325252ULL, *ring, word;
	struct shmchan_rpc_call call;
	int round, i, err;

	begin("random");
	for (round = 0; round < rounds; round++) {
		/* It has just come anew. */
		ring = shmchan_lane__at(&bad.w, 0);
		for (i = 0; i < 512; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			word = state;
			/* Mostly headers that could be some. */
			if (i & 1)
				word = shmchan_hdr(state >> 40 & 0x7f,
						   state & 7, (uint32_t)state);
			shmchan_store_relaxed(&ring[i], word);
		}
		for (i = 0; i < 100; i++) {
			err = shmchan_rpc_next(&s, &call, NULL, 0, 0);
			if (err == -EAGAIN)
				break;
			if (err)
				CHECK_EQ(err, -EBADMSG);
			CHECK_EQ(call.client, 1);
		}
		good_one_is_served();
		shmchan_rpc_client_close(&bad);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
		ask(&bad, "random");
	}
	shmchan_rpc_client_close(&bad);
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

/* The replies of a server that breaks the rules. */
TEST(bad_server)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t value = 0, *ring;
	uint32_t a, b;
	int err;

	begin("server");
	a = send_one(&good, 1, 1);
	b = send_one(&good, 1, 2);
	next_one(&s, &call);
	ring = shmchan_region_at(s.region, s.header.replies +
				 s.header.reply_capacity *
				 (good.region->slot - 1));
	shmchan_store_release(&ring[good.r.pos / 8 % 512],
			      0x123456789abcdef0ULL | 6);
	CHECK_EQ(shmchan_rpc_recv(&good, a, &value, 8, &reply, TOLD_NS),
		 -EBADMSG);
	CHECK_SAYS(shmchan_error_detail(), "breaks the rules");
	CHECK_EQ(shmchan_rpc_recv(&good, b, &value, 8, &reply, TOLD_NS),
		 -EBADMSG);
	CHECK_EQ(shmchan_rpc_pending(&good), 0);
	CHECK_EQ(shmchan_rpc_send(&good, 1, &value, 8, SHMCHAN_FOREVER, &a, -1),
		 -EBADMSG);
	/* Others of its clients do not notice; and the next one is well. */
	a = send_one(&bad, 1, 3);
	CHECK_EQ(next_one(&s, &call), 2);
	CHECK_EQ(next_one(&s, &call), 3);
	reply_one(&s, &call, 4);
	CHECK_EQ(recv_one(&bad, a), 4);
	shmchan_rpc_server_close(&s);
	serve(&s, "server");
	CHECK_EQ(shmchan_rpc_send(&good, 1, &value, 8, SHMCHAN_FOREVER, &a, 0),
		 -EAGAIN);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	do
		err = shmchan_rpc_send(&good, 1, &value, 8, SHMCHAN_FOREVER, &a,
				       0);
	while (err == -EAGAIN);
	CHECK_EQ(err, 0);
	CHECK_EQ(next_one(&s, &call), 0);
	reply_one(&s, &call, 1);
	CHECK_EQ(recv_one(&good, a), 1);
	shmchan_rpc_client_close(&bad);
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

/* A client that comes beside one, and finds no place to begin: the next one is well. */
TEST(bad_server_from_the_beginning)
{
	struct shmchan_lane_control *control;
	struct shmchan_rpc_client c;
	struct shmchan_rpc_call call;
	uint64_t value = 7;
	uint32_t id;
	int err;

	serve(&s, "begin");
	ask(&c, "begin");
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	control = s.seats[c.region->slot - 1].w.lane.control;
	shmchan_rpc_client_close(&c);
	memset(control->checkpoints, 0xff, sizeof(control->checkpoints));
	shmchan_store_relaxed(&control->proposed, (uint64_t)8);
	ask(&c, "begin");
	CHECK(s.seats[c.region->slot - 1].w.lane.control == control);
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1),
		 -EBADMSG);
	CHECK_SAYS(shmchan_error_detail(), "breaks the rules");
	shmchan_rpc_server_close(&s);
	serve(&s, "begin");
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	do
		err = shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id,
				       0);
	while (err == -EAGAIN);
	CHECK_EQ(err, 0);
	CHECK_EQ(next_one(&s, &call), 7);
	reply_one(&s, &call, 8);
	CHECK_EQ(recv_one(&c, id), 8);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

/*
 * Who takes the seat of a client that broke the rules is a member for a moment before
 * it says that its lanes are in order.  A server that sleeps there waits for that.
 */
TEST(successor_of_a_bad_one_is_waited_for)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = 1);
	struct shmchan_cond conds[SHMCHAN_RPC_SERVER_CONDS];
	struct shmchan_rpc_call call;
	struct shmchan_wire_rpc_client *page;
	struct shmchan_region *next;
	uint64_t start;

	begin("waited");
	CHECK_GE(shmchan_lane_send(&bad.w, "short", 5, 1, 0), 0);
	start = bad.w.tail;
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, TOLD_NS), -EBADMSG);
	shmchan_rpc_client_close(&bad);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	CHECK_EQ(shmchan_region_open(&next, test_name("waited"), &opts), 0);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), 0);
	page = rpc_client_page(next, &s.header, 1);
	shmchan_store_relaxed(&page->start, start);
	shmchan_store_seq_cst(&page->generation, (uint64_t)next->generation);
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), -EAGAIN);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	shmchan_region_close(next);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	CHECK_EQ(call.client, 1);
	good_one_is_served();
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

/* A server that leaves the place where its reply would be, for none. */
TEST(server_jumps_to_nowhere)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t value;
	uint32_t id;

	begin("nowhere");
	id = send_one(&good, 1, 1);
	next_one(&s, &call);
	shmchan_store_release(shmchan_lane__at(&s.seats[1].w,
					       s.seats[1].w.tail),
			      shmchan_hdr(SHMCHAN_CTRL_JUMP, SHMCHAN_HDR_CTRL,
					  0));
	CHECK_EQ(shmchan_rpc_recv(&good, id, &value, 8, &reply, TOLD_NS),
		 -EBADMSG);
	CHECK_EQ(shmchan_rpc_send(&good, 1, &value, 8, SHMCHAN_FOREVER, &id, 0),
		 -EBADMSG);
	shmchan_rpc_server_close(&s);
	serve(&s, "nowhere");
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	good_one_is_served();
	shmchan_rpc_client_close(&bad);
	shmchan_rpc_client_close(&good);
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
