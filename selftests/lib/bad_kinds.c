// SPDX-License-Identifier: GPL-2.0-only

/*
 * Names that are something else than what is asked for: an error that says both,
 * and nobody who is there notices.
 */

#include <shmchan/channel.h>
#include <shmchan/pool.h>
#include <shmchan/rpc.h>
#include <shmchan/spsc.h>
#include <shmchan/sync.h>
#include <shmchan/workq.h>

#include "harness.h"

/* How to ask: each is a field of the options of all of them. */
struct ask {
	int create;
	int exclusive;
};

union handle {
	struct shmchan_spsc spsc;
	struct shmchan_sender tx;
	struct shmchan_receiver rx;
	struct shmchan_rpc_server server;
	struct shmchan_rpc_client client;
	struct shmchan_pool *pool;
	struct shmchan_workq workq;
	struct shmchan_sync sync;
};

static int spsc_open(union handle *h, const char *name, const struct ask *a,
		     enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts o = SHMCHAN_SPSC_OPTS(
		.role = role, .create = a->create, .exclusive = a->exclusive,
		.capacity = 4096);

	return shmchan_spsc_open(&h->spsc, name, &o);
}

static int open_spsc_tx(union handle *h, const char *name, const struct ask *a)
{
	return spsc_open(h, name, a, SHMCHAN_SENDER);
}

static int open_spsc_rx(union handle *h, const char *name, const struct ask *a)
{
	return spsc_open(h, name, a, SHMCHAN_RECEIVER);
}

static struct shmchan_region *region_of_spsc(const union handle *h)
{
	return h->spsc.region;
}

static void close_spsc(union handle *h)
{
	shmchan_spsc_close(&h->spsc);
}

#define CHANNEL_OPTS(a) \
	SHMCHAN_CHANNEL_OPTS(.create = (a)->create, \
			     .exclusive = (a)->exclusive, .nr_senders = 2, \
			     .nr_receivers = 2, .capacity = 4096)

static int open_tx(union handle *h, const char *name, const struct ask *a)
{
	struct shmchan_channel_opts o = CHANNEL_OPTS(a);

	return shmchan_sender_open(&h->tx, name, &o);
}

static struct shmchan_region *region_of_tx(const union handle *h)
{
	return h->tx.region;
}

static void close_tx(union handle *h)
{
	shmchan_sender_close(&h->tx);
}

static int open_rx(union handle *h, const char *name, const struct ask *a)
{
	struct shmchan_channel_opts o = CHANNEL_OPTS(a);

	return shmchan_receiver_open(&h->rx, name, &o);
}

static struct shmchan_region *region_of_rx(const union handle *h)
{
	return h->rx.region;
}

static void close_rx(union handle *h)
{
	shmchan_receiver_close(&h->rx);
}

#define RPC_OPTS(a) \
	SHMCHAN_RPC_OPTS(.create = (a)->create, .exclusive = (a)->exclusive, \
			 .nr_clients = 3, .request_capacity = 4096, \
			 .reply_capacity = 4096)

static int open_server(union handle *h, const char *name, const struct ask *a)
{
	struct shmchan_rpc_opts o = RPC_OPTS(a);

	return shmchan_rpc_server_open(&h->server, name, &o);
}

static struct shmchan_region *region_of_server(const union handle *h)
{
	return h->server.region;
}

static void close_server(union handle *h)
{
	shmchan_rpc_server_close(&h->server);
}

static int open_client(union handle *h, const char *name, const struct ask *a)
{
	struct shmchan_rpc_opts o = RPC_OPTS(a);

	return shmchan_rpc_client_open(&h->client, name, &o);
}

static struct shmchan_region *region_of_client(const union handle *h)
{
	return h->client.region;
}

static void close_client(union handle *h)
{
	shmchan_rpc_client_close(&h->client);
}

static int pool_open(union handle *h, const char *name, const struct ask *a,
		     enum shmchan_pool_role role)
{
	struct shmchan_pool_opts o = SHMCHAN_POOL_OPTS(
		.role = role, .create = a->create, .exclusive = a->exclusive,
		.classes = {{ 64, 2 }}, .nr_holders = 2);

	return shmchan_pool_open(&h->pool, name, &o);
}

static int open_owner(union handle *h, const char *name, const struct ask *a)
{
	return pool_open(h, name, a, SHMCHAN_POOL_OWNER);
}

static int open_holder(union handle *h, const char *name, const struct ask *a)
{
	return pool_open(h, name, a, SHMCHAN_POOL_HOLDER);
}

static struct shmchan_region *region_of_pool(const union handle *h)
{
	return shmchan_pool_region(h->pool);
}

static void close_pool(union handle *h)
{
	shmchan_pool_close(h->pool);
}

static int open_workq(union handle *h, const char *name, const struct ask *a)
{
	struct shmchan_workq_opts o = SHMCHAN_WORKQ_OPTS(
		.create = a->create, .exclusive = a->exclusive,
		.item_size = 64);

	return shmchan_workq_open(&h->workq, name, &o);
}

static struct shmchan_region *region_of_workq(const union handle *h)
{
	return h->workq.region;
}

static void close_workq(union handle *h)
{
	shmchan_workq_close(&h->workq);
}

static int open_sync(union handle *h, const char *name, const struct ask *a)
{
	struct shmchan_sync_opts o = SHMCHAN_SYNC_OPTS(
		.create = a->create, .exclusive = a->exclusive,
		.nr_members = 3, .nr_objects = 4);

	return shmchan_sync_open(&h->sync, name, &o);
}

static struct shmchan_region *region_of_sync(const union handle *h)
{
	return h->sync.region;
}

static void close_sync(union handle *h)
{
	shmchan_sync_close(&h->sync);
}

/* Two of either, as below. */
#define CHANNEL_SLOTS	(4 + SHMCHAN_CHANNEL_OBSERVERS)

static const struct object {
	const char *what;
	uint32_t kind;
	uint32_t slots;
	int (*open)(union handle *h, const char *name, const struct ask *a);
	struct shmchan_region *(*region)(const union handle *h);
	void (*close)(union handle *h);
} objects[] = {
	{ "sender of one", SHMCHAN_WIRE_SPSC, 2, open_spsc_tx, region_of_spsc,
	  close_spsc },
	{ "receiver of one", SHMCHAN_WIRE_SPSC, 2, open_spsc_rx, region_of_spsc,
	  close_spsc },
	{ "sender of many", SHMCHAN_WIRE_CHANNEL, CHANNEL_SLOTS, open_tx,
	  region_of_tx, close_tx },
	{ "receiver of many", SHMCHAN_WIRE_CHANNEL, CHANNEL_SLOTS, open_rx,
	  region_of_rx, close_rx },
	{ "server", SHMCHAN_WIRE_RPC, 4, open_server, region_of_server,
	  close_server },
	{ "client", SHMCHAN_WIRE_RPC, 4, open_client, region_of_client,
	  close_client },
	{ "owner", SHMCHAN_WIRE_POOL, 3, open_owner, region_of_pool,
	  close_pool },
	{ "holder", SHMCHAN_WIRE_POOL, 3, open_holder, region_of_pool,
	  close_pool },
	{ "member of a queue", SHMCHAN_WIRE_WORKQ, 16, open_workq,
	  region_of_workq, close_workq },
	{ "member of a set", SHMCHAN_WIRE_SYNC, 3, open_sync, region_of_sync,
	  close_sync },
};

#define NR		(sizeof(objects) / sizeof(objects[0]))
#define FOR_EACH(o)	for ((o) = objects; (o) < objects + NR; (o)++)

static union handle held, tried;

/* All that a member can see of who is there. */
struct seats {
	uint64_t joins;
	uint64_t words[16];
};

static struct seats see(const struct object *o)
{
	const struct shmchan_region *r = o->region(&held);
	struct seats s = { .joins = shmchan_members_seq(r) };
	uint32_t i;

	CHECK_EQ(r->nr_slots, o->slots);
	for (i = 0; i < o->slots; i++)
		s.words[i] = shmchan_slot_word(r, i);
	return s;
}

TEST(no_seat_is_taken_of_another_kind)
{
	const struct ask make = { .create = 1 }, open = { 0 };
	const struct object *is, *as;
	struct seats before, after;
	int i;

	FOR_EACH(is) {
		CHECK_EQ(is->open(&held, test_name("kind"), &make), 0);
		before = see(is);
		FOR_EACH(as) {
			if (as->kind == is->kind)
				continue;
			/* More often than there are seats. */
			for (i = 0; i < 2 * HARNESS_ROUNDS(8); i++) {
				int err = as->open(&tried, test_name("kind"),
						   i & 1 ? &make : &open);

				if (err != -EPROTO)
					FAIL("a %s as %s: %d (%s)", is->what,
					     as->what, err,
					     shmchan_error_detail());
				CHECK_SAYS(shmchan_error_detail(),
					   shmchan_wire_kind_name(is->kind));
				CHECK_SAYS(shmchan_error_detail(),
					   shmchan_wire_kind_name(as->kind));
				CHECK_SAYS(shmchan_error_detail(),
					   test_name("kind"));
			}
			after = see(is);
			if (memcmp(&before, &after, sizeof(before)))
				FAIL("a %s has been here, of %s", as->what,
				     is->what);
		}
		is->close(&held);
	}
}

TEST(another_pattern_or_kind_of_seat)
{
	struct shmchan_channel_opts o = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .capacity = 4096, .nr_senders = 2,
		.nr_receivers = 2, .pattern = SHMCHAN_PATTERN_FANIN);
	struct shmchan_receiver rx, other;
	struct shmchan_sender tx;
	uint64_t joins;

	LOCAL_ONLY("nothing but the layout is seen without a seat");
	CHECK_EQ(shmchan_receiver_open(&rx, test_name("pattern"), &o), 0);
	joins = shmchan_members_seq(rx.region);
	o.pattern = SHMCHAN_PATTERN_LATEST;
	CHECK_EQ(shmchan_sender_open(&tx, test_name("pattern"), &o), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "latest value (3)");
	CHECK_EQ(shmchan_receiver_open(&other, test_name("pattern"), &o),
		 -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "fan-in (1)");
	o.pattern = SHMCHAN_PATTERN_FANIN;
	o.seat = SHMCHAN_SEAT_CASUAL;
	CHECK_EQ(shmchan_receiver_open(&other, test_name("pattern"), &o),
		 -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "all 2 hold the senders");
	CHECK_EQ(shmchan_members_seq(rx.region), joins);
	shmchan_receiver_close(&rx);
}

/* A region that has slots alone, of which we have the last. */
static struct shmchan_region *make_header(const void *header, uint32_t length,
					  uint32_t nr_slots)
{
	struct shmchan_region_opts ro = SHMCHAN_REGION_OPTS(
		.nr_slots = nr_slots, .slot = nr_slots - 1,
		.control_size = 4096, .header = header, .header_len = length);
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_create(&r, test_name("wire"), &ro), 0);
	return r;
}

/* With the module, who looks for seats by the layout finds that there are none. */
TEST(another_version_or_none)
{
	const struct ask open = { 0 };
	const struct object *as;
	struct shmchan_region *r;
	uint64_t joins;

	FOR_EACH(as) {
		struct shmchan_wire wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION + 1, .kind = as->kind,
		};

		r = make_header(&wire, sizeof(wire), 4);
		joins = shmchan_members_seq(r);
		CHECK_EQ(as->open(&tried, test_name("wire"), &open), -EPROTO);
		if (!on_kmod())
			CHECK_SAYS(shmchan_error_detail(),
				   "layout version 2, this program has version 1");
		/* Else nothing is known before. */
		if (!on_kmod())
			CHECK_EQ(shmchan_members_seq(r), joins);
		shmchan_region_close(r);
		wire.magic = 0x1234;
		r = make_header(&wire, sizeof(wire), 4);
		CHECK_EQ(as->open(&tried, test_name("wire"), &open), -EPROTO);
		if (!on_kmod())
			CHECK_SAYS(shmchan_error_detail(), "magic 0x1234");
		shmchan_region_close(r);
		wire.magic = SHMCHAN_WIRE_MAGIC;
		wire.version = SHMCHAN_WIRE_VERSION;
		wire.length = 9;
		r = make_header(&wire, sizeof(wire), 4);
		CHECK_EQ(as->open(&tried, test_name("wire"), &open), -EPROTO);
		if (!on_kmod())
			CHECK_SAYS(shmchan_error_detail(), "header of 9 bytes");
		shmchan_region_close(r);
	}
}

/* A header that promises seats where there are none. */
TEST(seats_that_are_not_there)
{
	const struct ask open = { 0 };
	const struct object *as;
	struct shmchan_region *r;
	union {
		struct shmchan_wire wire;
		uint8_t all[512];
	} header;
	uint64_t joins;
	int only;

	memset(&header, 0, sizeof(header));
	header.wire.magic = SHMCHAN_WIRE_MAGIC;
	header.wire.version = SHMCHAN_WIRE_VERSION;
	FOR_EACH(as) {
		header.wire.kind = as->kind;
		switch (as->kind) {
		case SHMCHAN_WIRE_CHANNEL:
			header.wire.length = sizeof(struct shmchan_wire_channel);
			break;
		case SHMCHAN_WIRE_RPC:
			header.wire.length = sizeof(struct shmchan_wire_rpc);
			break;
		case SHMCHAN_WIRE_POOL:
			header.wire.length = sizeof(struct shmchan_wire_pool);
			break;
		default:
			continue;
		}
		r = make_header(&header, header.wire.length, 1);
		joins = shmchan_members_seq(r);
		/* The server's seat, and the owner's, is the one that we have. */
		only = as->open == open_server || as->open == open_owner;
		CHECK_EQ(as->open(&tried, test_name("wire"), &open),
			 only ? -EBUSY : -EPROTO);
		CHECK_EQ(shmchan_members_seq(r), joins);
		shmchan_region_close(r);
	}
}

/* What the dead have left is no reason to refuse: there is no such name. */
TEST(left_by_the_dead)
{
	const struct ask make = { .create = 1 }, open = { 0 };
	const struct object *is, *as;
	int status;
	pid_t pid;

	FOR_EACH(is) FOR_EACH(as) {
		if (is->kind == as->kind)
			continue;
		pid = child_fork();
		if (!pid) {
			CHECK_EQ(is->open(&held, test_name("dead"), &make), 0);
			kill(getpid(), SIGKILL);
		}
		status = child_wait(pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(as->open(&tried, test_name("dead"), &open), -ENOENT);
		CHECK_EQ(as->open(&tried, test_name("dead"), &make), 0);
		as->close(&tried);
	}
}

TEST(names)
{
	const struct ask make = { .create = 1 }, open = { 0 },
			 only = { .create = 1, .exclusive = 1 },
			 odd = { .exclusive = 1 };
	const struct object *is, *as;
	char lengthy[SHMCHAN_NAME_LEN + 1];

	memset(lengthy, 'a', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = 0;
	FOR_EACH(as) {
		CHECK_EQ(as->open(&tried, NULL, &make), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "no name (NULL)");
		CHECK_EQ(as->open(&tried, NULL, &open), -EINVAL);
		CHECK_EQ(as->open(&tried, "", &open), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "empty");
		CHECK_EQ(as->open(&tried, "", &make), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "empty");
		CHECK_EQ(as->open(&tried, "a/b", &make), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "byte 0x2f at 1");
		CHECK_EQ(as->open(&tried, "a/b", &open), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "byte 0x2f at 1");
		CHECK_EQ(as->open(&tried, lengthy, &make), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "too long");
		CHECK_EQ(as->open(&tried, test_name("none"), &open), -ENOENT);
		CHECK_SAYS(shmchan_error_detail(), test_name("none"));
		CHECK_EQ(as->open(&tried, test_name("none"), &odd), -EINVAL);
		CHECK_SAYS(shmchan_error_detail(), "exclusive");
	}
	FOR_EACH(is) {
		CHECK_EQ(is->open(&held, test_name("taken"), &only), 0);
		FOR_EACH(as) {
			CHECK_EQ(as->open(&tried, test_name("taken"), &only),
				 -EEXIST);
			CHECK_SAYS(shmchan_error_detail(), test_name("taken"));
		}
		is->close(&held);
	}
}

TEST_MAIN
