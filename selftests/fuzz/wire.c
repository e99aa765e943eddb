// SPDX-License-Identifier: GPL-2.0-only

/*
 * Regions of which somebody else has sealed the header: whatever it says, one can
 * open it and work with it, or is told that one cannot.
 */

#include <shmchan/channel.h>
#include <shmchan/pool.h>
#include <shmchan/rpc.h>
#include <shmchan/spsc.h>
#include <shmchan/sync.h>
#include <shmchan/workq.h>

#include "kept.h"

#define KINDS	6

static struct thing {
	struct fuzz_kept kept;
	char name[64];
	struct shmchan_region *region;
} things[KINDS];

static struct shmchan_spsc spsc;
static struct shmchan_sender sender;
static struct shmchan_rpc_server server;
static struct shmchan_pool *owner;
static struct shmchan_workq workq;
static struct shmchan_sync sync_;

static void make(int kind, const char *name)
{
	struct shmchan_channel_opts channel = SHMCHAN_CHANNEL_OPTS(.create = 1,
		.nr_senders = 2, .nr_receivers = 2, .capacity = 4096);
	struct shmchan_workq_opts items = SHMCHAN_WORKQ_OPTS(.create = 1,
		.nr_items = 8, .item_size = 40);
	struct shmchan_region **r = &things[kind].region;

	switch (kind) {
	case 0:
		FUZZ_CHECK(!shmchan_spsc_open(&spsc, name, &SHMCHAN_SPSC_OPTS(
			.role = SHMCHAN_SENDER, .create = 1,
			.capacity = 4096)));
		*r = spsc.region;
		break;
	case 1:
		FUZZ_CHECK(!shmchan_sender_open(&sender, name, &channel));
		*r = sender.region;
		break;
	case 2:
		FUZZ_CHECK(!shmchan_rpc_server_open(&server, name,
			&SHMCHAN_RPC_OPTS(.create = 1, .nr_clients = 2,
				.request_capacity = 4096,
				.reply_capacity = 4096)));
		*r = server.region;
		break;
	case 3:
		FUZZ_CHECK(!shmchan_pool_open(&owner, name, &SHMCHAN_POOL_OPTS(
			.role = SHMCHAN_POOL_OWNER, .create = 1,
			.nr_holders = 2, .nr_cells = 4,
			.classes = {{ 64, 4 }, { 1000, 2 }})));
		*r = shmchan_pool_region(owner);
		break;
	case 4:
		FUZZ_CHECK(!shmchan_workq_open(&workq, name, &items));
		*r = workq.region;
		break;
	default:
		FUZZ_CHECK(!shmchan_sync_open(&sync_, name, &SHMCHAN_SYNC_OPTS(
			.create = 1, .nr_members = 3, .nr_objects = 2,
			.data_size = 100)));
		*r = sync_.region;
		break;
	}
}

static void remove_names(void)
{
	shmchan_spsc_close(&spsc);
	shmchan_sender_close(&sender);
	shmchan_rpc_server_close(&server);
	shmchan_pool_close(owner);
	shmchan_workq_close(&workq);
	shmchan_sync_close(&sync_);
}

/* Open it, and if that can be, use what the header has told of. */
static int use(int kind, const char *name)
{
	struct shmchan_channel_opts channel = SHMCHAN_CHANNEL_OPTS();
	struct shmchan_workq_opts items = SHMCHAN_WORKQ_OPTS();
	struct shmchan_pool_ref ref = { 0, 0, 0, 64 };
	struct shmchan_channel_info *info;
	uint8_t buf[2048] = { 0 };
	struct shmchan_receiver rx;
	struct shmchan_rpc_client c;
	struct shmchan_pool_buf b;
	struct shmchan_pool *pool;
	struct shmchan_workq q;
	struct shmchan_spsc ch;
	struct shmchan_sync s;
	uint32_t id;
	int err;

	switch (kind) {
	case 0:
		err = shmchan_spsc_open(&ch, name, &SHMCHAN_SPSC_OPTS(
			.role = SHMCHAN_RECEIVER));
		if (err)
			return err;
		(void)shmchan_spsc_recv(&ch, buf, sizeof(buf), NULL, NULL, 0);
		shmchan_spsc_close(&ch);
		break;
	case 1:
		err = shmchan_receiver_open(&rx, name, &channel);
		if (err)
			return err;
		(void)shmchan_recv(&rx, buf, sizeof(buf), NULL, 0);
		if (!shmchan_receiver_stat(&rx, &info))
			shmchan_channel_info_free(info);
		shmchan_receiver_close(&rx);
		break;
	case 2:
		err = shmchan_rpc_client_open(&c, name, &SHMCHAN_RPC_OPTS());
		if (err)
			return err;
		(void)shmchan_rpc_send(&c, 0, buf, 100, SHMCHAN_FOREVER, &id,
				       0);
		shmchan_rpc_client_close(&c);
		break;
	case 3:
		err = shmchan_pool_open(&pool, name, &SHMCHAN_POOL_OPTS(
			.role = SHMCHAN_POOL_HOLDER));
		if (err)
			return err;
		for (ref.index = 0; ref.index < 7; ref.index++)
			if (!shmchan_pool_take(pool, &ref, &b))
				fuzz_look(b.data, b.length);
		shmchan_pool_close(pool);
		break;
	case 4:
		err = shmchan_workq_open(&q, name, &items);
		if (err)
			return err;
		while (!shmchan_workq_put(&q, buf, 40, 0))
			;
		shmchan_workq_close(&q);
		break;
	default:
		err = shmchan_sync_open(&s, name, &SHMCHAN_SYNC_OPTS());
		if (err)
			return err;
		if (s.data_size)
			memset(s.data, 1, s.data_size);
		shmchan_sync_close(&s);
		break;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	uint8_t which = fuzz_u8(&in);
	struct thing *t;
	int i, err;

	for (i = 0; i < KINDS && !things[i].kept.all; i++) {
		t = &things[i];
		if (!i)
			atexit(remove_names);
		snprintf(t->name, sizeof(t->name), "%s", fuzz_name());
		make(i, t->name);
		fuzz_keep_named_region(&t->kept, t->region);
	}
	t = &things[which % KINDS];
	fuzz_put_back(&t->kept);
	fuzz_begin();
	fuzz_hostile(t->kept.all + t->region->control_offset, 328);
	/* An ambush is for while it is opened: the header does not change then. */
	while (fuzz_more(&in))
		fuzz_peer(&in, FUZZ_POKE);
	err = use((which & 0x80 ? which >> 4 : which) % KINDS, t->name);
	FUZZ_ERRORS(err, EPROTO, EACCES, EBUSY, EUSERS, ENOMEM);
	/* Whoever comes once it is in order finds it so. */
	fuzz_put_back(&t->kept);
	return 0;
}
