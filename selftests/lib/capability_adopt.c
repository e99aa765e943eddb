// SPDX-License-Identifier: GPL-2.0-only

/* Each object that has a name is entered with a capability as well. */

#include <fcntl.h>

#include <shmchan/channel.h>
#include <shmchan/mutex.h>
#include <shmchan/pool.h>
#include <shmchan/pubsub.h>
#include <shmchan/rpc.h>
#include <shmchan/spsc.h>
#include <shmchan/workq.h>

#include "access_fixture.h"
#include "region_fixture.h"

#define CHECK_REFUSED(ret, err, says)					\
	do {								\
		CHECK_EQ((ret), -(err));				\
		CHECK_SAYS(shmchan_error_detail(), (says));		\
	} while (0)

#define PATIENCE_NS	10000000000LL

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

/* What is wrong on purpose; 0: nothing. */
static int with_create;

/* One role of one object. */
struct role {
	const char *name;
	/* Its seats; sync and workq have no others. */
	uint32_t slot;
	uint32_t other_slot;
	/* Another makes it and takes another seat, keeps it and takes part. */
	void (*make)(union handle *h, const char *name);
	void (*answer)(union handle *h, int sock);
	int (*adopt)(union handle *h, int capability);
	void (*use)(union handle *h, int sock);
	void (*close)(union handle *h);
};

static void hand_over(int sock, const void *data, size_t length)
{
	CHECK_EQ(write(sock, data, length), (ssize_t)length);
}

static void take_over(int sock, void *data, size_t length)
{
	CHECK_EQ(read(sock, data, length), (ssize_t)length);
}

/* SPSC. */

static void make_spsc(union handle *h, const char *name,
		      enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = 4096);

	CHECK_EQ(shmchan_spsc_open(&h->spsc, name, &opts), 0);
}

static void make_spsc_rx(union handle *h, const char *name)
{
	make_spsc(h, name, SHMCHAN_RECEIVER);
}

static void make_spsc_tx(union handle *h, const char *name)
{
	make_spsc(h, name, SHMCHAN_SENDER);
}

static void spsc_send(union handle *h, int sock)
{
	uint64_t value = 7;

	(void)sock;
	CHECK_EQ(shmchan_spsc_send(&h->spsc, &value, 8, 0, 0, PATIENCE_NS), 0);
}

static void spsc_recv(union handle *h, int sock)
{
	uint64_t value = 0;
	size_t length;

	(void)sock;
	CHECK_EQ(shmchan_spsc_recv(&h->spsc, &value, 8, &length, NULL,
				   PATIENCE_NS), 0);
	CHECK_EQ(value, 7);
}

static int adopt_spsc(union handle *h, int capability,
		      enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = with_create);

	return shmchan_spsc_adopt(&h->spsc, capability, &opts);
}

static int adopt_spsc_tx(union handle *h, int capability)
{
	return adopt_spsc(h, capability, SHMCHAN_SENDER);
}

static int adopt_spsc_rx(union handle *h, int capability)
{
	return adopt_spsc(h, capability, SHMCHAN_RECEIVER);
}

static void close_spsc(union handle *h)
{
	shmchan_spsc_close(&h->spsc);
}

/* Channels of many: two of each, so that there is a seat to choose. */

static struct shmchan_channel_opts channel_opts(int create)
{
	return SHMCHAN_CHANNEL_OPTS(.create = create, .nr_senders = 2,
				    .nr_receivers = 2, .capacity = 4096);
}

static void make_rx(union handle *h, const char *name)
{
	struct shmchan_channel_opts opts = channel_opts(1);

	CHECK_EQ(shmchan_receiver_open(&h->rx, name, &opts), 0);
}

static void make_tx(union handle *h, const char *name)
{
	struct shmchan_channel_opts opts = channel_opts(1);

	CHECK_EQ(shmchan_sender_open(&h->tx, name, &opts), 0);
}

static void use_tx(union handle *h, int sock)
{
	uint64_t value = 7;

	(void)sock;
	CHECK_EQ(shmchan_sender_wait_peers(&h->tx, 1, PATIENCE_NS), 0);
	CHECK_EQ(shmchan_send(&h->tx, &value, 8, 0, 0, PATIENCE_NS), 0);
}

static void use_rx(union handle *h, int sock)
{
	struct shmchan_msg msg;
	uint64_t value = 0;

	(void)sock;
	CHECK_EQ(shmchan_recv(&h->rx, &value, 8, &msg, PATIENCE_NS), 0);
	CHECK_EQ(value, 7);
}

static int adopt_tx(union handle *h, int capability)
{
	struct shmchan_channel_opts opts = channel_opts(with_create);

	return shmchan_sender_adopt(&h->tx, capability, &opts);
}

static int adopt_rx(union handle *h, int capability)
{
	struct shmchan_channel_opts opts = channel_opts(with_create);

	opts.from = SHMCHAN_FROM_OLDEST;
	return shmchan_receiver_adopt(&h->rx, capability, &opts);
}

static void close_tx(union handle *h)
{
	shmchan_sender_close(&h->tx);
}

static void close_rx(union handle *h)
{
	shmchan_receiver_close(&h->rx);
}

/* Services. */

static struct shmchan_rpc_opts rpc_opts(int create)
{
	return SHMCHAN_RPC_OPTS(.create = create, .nr_clients = 2,
				.request_capacity = 4096,
				.reply_capacity = 4096);
}

static void make_server(union handle *h, const char *name)
{
	struct shmchan_rpc_opts opts = rpc_opts(1);

	CHECK_EQ(shmchan_rpc_server_open(&h->server, name, &opts), 0);
}

static void make_client(union handle *h, const char *name)
{
	struct shmchan_rpc_opts opts = rpc_opts(1);

	CHECK_EQ(shmchan_rpc_client_open(&h->client, name, &opts), 0);
}

static void use_server(union handle *h, int sock)
{
	struct shmchan_rpc_call call;
	uint64_t value = 0;

	(void)sock;
	CHECK_EQ(shmchan_rpc_next(&h->server, &call, &value, 8, PATIENCE_NS), 0);
	value++;
	CHECK_EQ(shmchan_rpc_reply(&h->server, &call, 0, &value, 8,
				   PATIENCE_NS), 0);
}

static void use_client(union handle *h, int sock)
{
	struct shmchan_rpc_reply reply;
	uint64_t value = 7;

	(void)sock;
	CHECK_EQ(shmchan_rpc_call(&h->client, 1, &value, 8, &value, 8, &reply,
				  PATIENCE_NS), 0);
	CHECK_EQ(value, 8);
}

static int adopt_server(union handle *h, int capability)
{
	struct shmchan_rpc_opts opts = rpc_opts(with_create);

	return shmchan_rpc_server_adopt(&h->server, capability, &opts);
}

static int adopt_client(union handle *h, int capability)
{
	struct shmchan_rpc_opts opts = rpc_opts(with_create);

	return shmchan_rpc_client_adopt(&h->client, capability, &opts);
}

static void close_server(union handle *h)
{
	shmchan_rpc_server_close(&h->server);
}

static void close_client(union handle *h)
{
	shmchan_rpc_client_close(&h->client);
}

/* Pools: references go over the socket. */

static struct shmchan_pool_opts pool_opts(enum shmchan_pool_role role,
					  int create)
{
	return SHMCHAN_POOL_OPTS(.role = role, .create = create,
				 .nr_holders = 2, .nr_cells = 8,
				 .classes = {{ 4096, 4 }});
}

static void make_pool(union handle *h, const char *name,
		      enum shmchan_pool_role role)
{
	struct shmchan_pool_opts opts = pool_opts(role, 1);

	CHECK_EQ(shmchan_pool_open(&h->pool, name, &opts), 0);
}

static void make_owner(union handle *h, const char *name)
{
	make_pool(h, name, SHMCHAN_POOL_OWNER);
}

static void make_holder(union handle *h, const char *name)
{
	make_pool(h, name, SHMCHAN_POOL_HOLDER);
}

static void use_owner(union handle *h, int sock)
{
	struct shmchan_pool_buf buf;
	struct shmchan_pool_ref ref;
	char done;

	CHECK_EQ(shmchan_pool_alloc(h->pool, 4096, &buf, 0), 0);
	memset(buf.data, 7, 4096);
	CHECK_EQ(shmchan_pool_ref(h->pool, &buf, &ref), 0);
	hand_over(sock, &ref, sizeof(ref));
	take_over(sock, &done, 1);
	CHECK_EQ(shmchan_pool_drop(h->pool, &buf), 0);
}

static void use_holder(union handle *h, int sock)
{
	struct shmchan_pool_buf buf;
	struct shmchan_pool_ref ref;

	take_over(sock, &ref, sizeof(ref));
	CHECK_EQ(shmchan_pool_take(h->pool, &ref, &buf), 0);
	CHECK_EQ(((unsigned char *)buf.data)[4095], 7);
	CHECK_EQ(shmchan_pool_drop(h->pool, &buf), 0);
	hand_over(sock, "", 1);
}

static int adopt_owner(union handle *h, int capability)
{
	struct shmchan_pool_opts opts = pool_opts(SHMCHAN_POOL_OWNER,
						  with_create);

	return shmchan_pool_adopt(&h->pool, capability, &opts);
}

static int adopt_holder(union handle *h, int capability)
{
	struct shmchan_pool_opts opts = pool_opts(SHMCHAN_POOL_HOLDER,
						  with_create);

	return shmchan_pool_adopt(&h->pool, capability, &opts);
}

static void close_pool(union handle *h)
{
	shmchan_pool_close(h->pool);
}

/* Work queues and locks: all seats are alike. */

static void make_workq(union handle *h, const char *name)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = 4, .nr_members = 3);

	CHECK_EQ(shmchan_workq_open(&h->workq, name, &opts), 0);
}

static void answer_workq(union handle *h, int sock)
{
	uint64_t value = 7;

	(void)sock;
	CHECK_EQ(shmchan_workq_put(&h->workq, &value, 8, PATIENCE_NS), 0);
}

static void use_workq(union handle *h, int sock)
{
	struct shmchan_workq_item item;

	(void)sock;
	CHECK_EQ(shmchan_workq_take(&h->workq, &item, PATIENCE_NS), 0);
	CHECK_EQ(item.length, 8);
	CHECK_EQ(shmchan_workq_ack(&h->workq, &item), 0);
}

static int adopt_workq(union handle *h, int capability)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = with_create);

	return shmchan_workq_adopt(&h->workq, capability, &opts);
}

static void close_workq(union handle *h)
{
	shmchan_workq_close(&h->workq);
}

static void make_sync(union handle *h, const char *name)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 3, .nr_objects = 3,
		.data_size = 8);

	CHECK_EQ(shmchan_sync_open(&h->sync, name, &opts), 0);
}

static void use_sync(union handle *h, int sock)
{
	struct shmchan_mutex mutex;

	(void)sock;
	CHECK_EQ(shmchan_mutex_at(&mutex, &h->sync, 2), 0);
	CHECK_EQ(shmchan_mutex_lock(&mutex), 0);
	*(uint64_t *)h->sync.data += 7;
	CHECK_EQ(shmchan_mutex_unlock(&mutex), 0);
}

static int adopt_sync(union handle *h, int capability)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = with_create);

	return shmchan_sync_adopt(&h->sync, capability, &opts);
}

static void close_sync(union handle *h)
{
	shmchan_sync_close(&h->sync);
}

static const struct role roles[] = {
	{ "spsc-tx", 0, 1, make_spsc_rx, spsc_recv, adopt_spsc_tx, spsc_send,
	  close_spsc },
	{ "spsc-rx", 1, 0, make_spsc_tx, spsc_send, adopt_spsc_rx, spsc_recv,
	  close_spsc },
	{ "sender", 1, 3, make_rx, use_rx, adopt_tx, use_tx, close_tx },
	{ "receiver", 3, 1, make_tx, use_tx, adopt_rx, use_rx, close_rx },
	{ "server", 0, 2, make_client, use_client, adopt_server, use_server,
	  close_server },
	{ "client", 2, 0, make_server, use_server, adopt_client, use_client,
	  close_client },
	{ "owner", 0, 2, make_holder, use_holder, adopt_owner, use_owner,
	  close_pool },
	{ "holder", 2, 0, make_owner, use_owner, adopt_holder, use_holder,
	  close_pool },
	{ "workq", 2, 2, make_workq, answer_workq, adopt_workq, use_workq,
	  close_workq },
	{ "sync", 2, 2, make_sync, use_sync, adopt_sync, use_sync,
	  close_sync },
};

#define ROLES	(sizeof(roles) / sizeof(roles[0]))

/* How whoever has made it closes it: as one of the same object, or the other role. */
static void close_maker(union handle *h, size_t i)
{
	static const uint8_t other[ROLES] = { 1, 0, 3, 2, 5, 4, 7, 6, 8, 9 };

	roles[other[i]].close(h);
}

static uint32_t slot_of(const union handle *h, size_t i)
{
	const struct shmchan_region *const regions[ROLES] = {
		h->spsc.region, h->spsc.region, h->tx.region, h->rx.region,
		h->server.region, h->client.region, NULL, NULL,
		h->workq.region, h->sync.region,
	};

	return regions[i] ? regions[i]->slot :
			    shmchan_pool_region(h->pool)->slot;
}

static int mint(int from, uint32_t rights, uint32_t slot)
{
	struct shmchan_mint_opts opts = SHMCHAN_MINT_OPTS(.rights = rights);
	int fd;

	opts.slot = slot;
	fd = shmchan_capability_mint(from, &opts);
	CHECK_GE(fd, 0);
	return fd;
}

/* Another user, without the right to open it by its name. */
TEST(by_a_stranger)
{
	union handle maker, h;
	int sock[2], fd, one;
	pid_t pid;
	size_t i;

	KMOD_ONLY("no capabilities");
	for (i = 0; i < ROLES; i++) {
		const struct role *role = &roles[i];
		const char *name = test_name(role->name);

		socket_pair(sock);
		role->make(&maker, name);
		pid = child_fork();
		if (!pid) {
			close(sock[0]);
			if (!geteuid())
				become(FIX_UID_A);
			fd = shmchan_capability_receive(sock[1]);
			CHECK_GE(fd, 0);
			CHECK_EQ(role->adopt(&h, fd), 0);
			CHECK_EQ(slot_of(&h, i), role->slot);
			role->use(&h, sock[1]);
			role->close(&h);
			child_done();
		}
		close(sock[1]);
		fd = open_capability(name, SHMCHAN_RIGHT_ALL);
		one = mint(fd, RIGHTS_MEMBER, role->slot);
		CHECK_EQ(shmchan_capability_send(sock[0], one), 0);
		close(one);
		role->answer(&maker, sock[0]);
		CHECK_CHILD_OK(pid);
		close_maker(&maker, i);
		close(fd);
		close(sock[0]);
	}
}

/* It is told what is missing, and the capability is as good as before. */
TEST(too_little)
{
	struct shmchan_range half = { 0, 4096 };
	struct shmchan_mint_opts part = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_MEMBER, .control = &half);
	union handle maker, h;
	struct shmchan_query q;
	int fd, less;
	size_t i;

	KMOD_ONLY("no capabilities");
	for (i = 0; i < ROLES; i++) {
		const struct role *role = &roles[i];

		role->make(&maker, test_name(role->name));
		fd = open_capability(test_name(role->name), SHMCHAN_RIGHT_ALL);
		less = mint(fd, RIGHTS_READ, SHMCHAN_SLOT_ANY);
		CHECK_REFUSED(role->adopt(&h, less), EACCES,
			      "write ring is missing: mint");
		CHECK_SAYS(shmchan_error_detail(), "grant --rights rw");
		close(less);
		less = mint(fd, RIGHTS_MEMBER & ~SHMCHAN_RIGHT_WAIT,
			    SHMCHAN_SLOT_ANY);
		CHECK_REFUSED(role->adopt(&h, less), EACCES,
			      "wait is missing: mint");
		close(less);
		memset(&q, 0, sizeof(q));
		CHECK_EQ(shmchan_capability_query(fd, &q), 0);
		half.offset = q.control_offset;
		less = shmchan_capability_mint(fd, &part);
		CHECK_GE(less, 0);
		CHECK_REFUSED(role->adopt(&h, less), EACCES,
			      "4096 of ");
		close(less);
		less = mint(fd, RIGHTS_MEMBER, SHMCHAN_SLOT_ANY);
		with_create = 1;
		CHECK_REFUSED(role->adopt(&h, less), EINVAL,
			      "a capability is for");
		with_create = 0;
		CHECK_EQ(role->adopt(&h, less), 0);
		role->close(&h);
		close_maker(&maker, i);
		close(fd);
	}
}

TEST(the_seat_that_it_is_for)
{
	union handle maker, h;
	int fd, one;
	size_t i;

	KMOD_ONLY("no capabilities");
	for (i = 0; i < ROLES; i++) {
		const struct role *role = &roles[i];

		role->make(&maker, test_name(role->name));
		fd = open_capability(test_name(role->name), SHMCHAN_RIGHT_ALL);
		if (role->other_slot != role->slot) {
			one = mint(fd, RIGHTS_MEMBER, role->other_slot);
			CHECK_REFUSED(role->adopt(&h, one), EACCES,
				      "none of these");
			close(one);
		}
		one = mint(fd, RIGHTS_MEMBER, role->slot);
		CHECK_EQ(role->adopt(&h, one), 0);
		CHECK_EQ(slot_of(&h, i), role->slot);
		/* Of which there is one. */
		one = mint(fd, RIGHTS_MEMBER, role->slot);
		{
			union handle second;

			CHECK_EQ(role->adopt(&second, one), -EBUSY);
		}
		role->close(&h);
		/* It was good all the time. */
		CHECK_EQ(role->adopt(&h, one), 0);
		role->close(&h);
		close_maker(&maker, i);
		close(fd);
	}
}

/* The channel's own options choose among seats; the capability's is the last word. */
TEST(the_seat_that_is_asked_for)
{
	struct shmchan_channel_opts opts = channel_opts(0);
	union handle maker, h;
	int fd, one;

	KMOD_ONLY("no capabilities");
	make_rx(&maker, test_name("seat"));
	fd = open_capability(test_name("seat"), SHMCHAN_RIGHT_ALL);
	one = mint(fd, RIGHTS_MEMBER, SHMCHAN_SLOT_ANY);
	opts.slot = 2;
	CHECK_REFUSED(shmchan_sender_adopt(&h.tx, one, &opts), EINVAL,
		      "slot 2 is not a sender's seat");
	opts.slot = 1;
	CHECK_EQ(shmchan_sender_adopt(&h.tx, one, &opts), 0);
	CHECK_EQ(h.tx.region->slot, 1);
	shmchan_sender_close(&h.tx);
	one = mint(fd, RIGHTS_MEMBER, 0);
	CHECK_REFUSED(shmchan_sender_adopt(&h.tx, one, &opts), EACCES,
		      "is for slot 0");
	opts.slot = SHMCHAN_SLOT_ANY;
	CHECK_EQ(shmchan_sender_adopt(&h.tx, one, &opts), 0);
	CHECK_EQ(h.tx.region->slot, 0);
	shmchan_sender_close(&h.tx);
	shmchan_receiver_close(&maker.rx);
	close(fd);
}

/* Of another object: seen before it joins, so nobody there notices. */
TEST(of_another_kind)
{
	union handle maker, h;
	size_t i, j;
	int fd, one;

	KMOD_ONLY("no capabilities");
	for (i = 0; i < ROLES; i++) {
		roles[i].make(&maker, test_name(roles[i].name));
		fd = open_capability(test_name(roles[i].name),
				     SHMCHAN_RIGHT_ALL);
		one = mint(fd, RIGHTS_MEMBER, SHMCHAN_SLOT_ANY);
		for (j = 0; j < ROLES; j++) {
			/* The two roles of one object are neighbours. */
			if (j / 2 == i / 2 && i < 8)
				continue;
			/* See below. */
			if (j == i || (i == 8 && j == 9))
				continue;
			CHECK_REFUSED(roles[j].adopt(&h, one), EPROTO,
				      "is not a ");
		}
		CHECK_EQ(roles[i].adopt(&h, one), 0);
		roles[i].close(&h);
		close_maker(&maker, i);
		close(fd);
	}
}

/* Where looks deceive it is found out inside; then it has been used up. */
TEST(of_another_kind_that_looks_alike)
{
	struct shmchan_sync_opts sopts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 3, .nr_objects = 2,
		.data_size = 8);
	union handle maker, h;
	int fd, one;

	KMOD_ONLY("no capabilities");
	CHECK_EQ(shmchan_sync_open(&maker.sync, test_name("alike"), &sopts),
		 0);
	fd = open_capability(test_name("alike"), SHMCHAN_RIGHT_ALL);
	one = mint(fd, RIGHTS_MEMBER, SHMCHAN_SLOT_ANY);
	CHECK_REFUSED(adopt_workq(&h, one), EPROTO, "is a ");
	/* Our file still. */
	CHECK_GE(fcntl(one, F_GETFD), 0);
	CHECK_EQ(adopt_sync(&h, one), -EISCONN);
	close(one);
	one = mint(fd, RIGHTS_MEMBER, SHMCHAN_SLOT_ANY);
	sopts = SHMCHAN_SYNC_OPTS(.nr_objects = 3);
	CHECK_REFUSED(shmchan_sync_adopt(&h.sync, one, &sopts), EPROTO,
		      "less than");
	close(one);
	shmchan_sync_close(&maker.sync);
	close(fd);
}

TEST(twice)
{
	union handle maker, h, again;
	int fd, one;
	size_t i;

	KMOD_ONLY("no capabilities");
	for (i = 0; i < ROLES; i++) {
		const struct role *role = &roles[i];

		role->make(&maker, test_name(role->name));
		fd = open_capability(test_name(role->name), SHMCHAN_RIGHT_ALL);
		one = mint(fd, RIGHTS_MEMBER, SHMCHAN_SLOT_ANY);
		CHECK_EQ(role->adopt(&h, one), 0);
		CHECK_EQ(role->adopt(&again, one), -EISCONN);
		role->close(&h);
		/* And its file with it. */
		CHECK_EQ(role->adopt(&again, one), -EBADF);
		one = mint(fd, RIGHTS_MEMBER, role->slot);
		CHECK_EQ(role->adopt(&h, one), 0);
		revoke_slot(test_name(role->name), role->slot);
		CHECK_EQ(role->adopt(&again, one), -ESTALE);
		role->close(&h);
		close_maker(&maker, i);
		close(fd);
	}
}

/* A name of one that reaches less is found out as well, before it is touched. */
TEST(by_a_name_that_reaches_less)
{
	struct shmchan_range half = { 0, 4096 };
	struct shmchan_mint_opts part = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_MEMBER | SHMCHAN_RIGHT_PUBLISH,
		.control = &half);
	struct shmchan_rpc_opts opts = rpc_opts(0);
	struct shmchan_query q;
	union handle maker, h;
	int fd, less;

	KMOD_ONLY("no capabilities");
	make_server(&maker, test_name("whole"));
	fd = open_capability(test_name("whole"), SHMCHAN_RIGHT_ALL);
	memset(&q, 0, sizeof(q));
	CHECK_EQ(shmchan_capability_query(fd, &q), 0);
	half.offset = q.control_offset;
	less = shmchan_capability_mint(fd, &part);
	CHECK_GE(less, 0);
	CHECK_EQ(shmchan_capability_publish(less, test_name("part"), NULL), 0);
	CHECK_REFUSED(shmchan_rpc_client_open(&h.client, test_name("part"),
					      &opts), EACCES,
		      "does not reach all of the pages");
	close(less);
	close(fd);
	close_server(&maker);
}

/* Who tells nobody where it is writes nothing, and needs not be able to. */
TEST(a_receiver_that_can_only_read)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096, .blind = 1,
		.policy = SHMCHAN_POLICY_OVERWRITE);
	struct shmchan_receiver rx;
	struct shmchan_sender tx, other;
	struct shmchan_msg msg;
	uint64_t value, n, lost = 0;
	int sock[2], fd, one, err;
	pid_t pid;

	KMOD_ONLY("no capabilities");
	socket_pair(sock);
	CHECK_EQ(shmchan_sender_open(&tx, test_name("blind"), &opts), 0);
	fd = open_capability(test_name("blind"), SHMCHAN_RIGHT_ALL);
	one = mint(fd, RIGHTS_READ, SHMCHAN_SLOT_ANY);
	opts.create = 0;
	CHECK_REFUSED(shmchan_sender_adopt(&other, one, &opts), EACCES,
		      "write ring is missing");
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_receiver_adopt(&rx, one, &opts), 0);
		CHECK_EQ(rx.region->rights, RIGHTS_READ);
		hand_over(sock[1], "", 1);
		for (n = 0; n < 2000; n++) {
			err = shmchan_recv(&rx, &value, 8, &msg, PATIENCE_NS);
			if (err == -EOVERFLOW) {
				lost += msg.lost;
				n += msg.lost - 1;
				continue;
			}
			CHECK_EQ(err, 0);
			CHECK_EQ(value, n);
		}
		CHECK_EQ(shmchan_recv(&rx, &value, 8, &msg, PATIENCE_NS),
			 -EPIPE);
		CHECK_LT(lost, 2000);
		shmchan_receiver_close(&rx);
		child_done();
	}
	take_over(sock[0], &value, 1);
	for (n = 0; n < 2000; n++) {
		CHECK_EQ(shmchan_send(&tx, &n, 8, 0, 0, -1), 0);
		/* It sleeps now and then, and is woken. */
		if (n % 400 == 0)
			sleep_ms(20);
	}
	shmchan_sender_close(&tx);
	CHECK_CHILD_OK(pid);
	close(fd);
}

/* What is no capability is told alike by all, and where there are none. */
TEST(no_capability)
{
	int file = open("/dev/null", O_RDWR);
	union handle h;
	size_t i;

	CHECK_GE(file, 0);
	for (i = 0; i < ROLES; i++) {
		CHECK_REFUSED(roles[i].adopt(&h, -1), EBADF,
			      "should be a file");
		CHECK_REFUSED(roles[i].adopt(&h, file), EPROTO,
			      "no capability of shmchan");
		/* As the file of a region of the local backend is. */
		CHECK_REFUSED(roles[i].adopt(&h, -ENOTSUP), ENOTSUP,
			      "load the module");
	}
	close(file);
}

TEST_MAIN
