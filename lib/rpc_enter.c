// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services: making one, and the way in. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_private.h"

/* What the creator hands to the region, in memory of its own. */
struct descriptors {
	struct shmchan_slot *slots;
	struct shmchan_doorbell *doorbells;
	struct shmchan_window *windows;
	uint32_t nr_windows;
};

static void free_descriptors(struct descriptors *d)
{
	free(d->slots);
	free(d->doorbells);
	free(d->windows);
}

static void add_window(struct descriptors *d, uint32_t slot, uint64_t offset,
		       uint64_t length)
{
	d->windows[d->nr_windows++] = (struct shmchan_window){
		.offset = offset, .length = length, .slot = slot,
	};
}

/* In the order of their offsets. */
static int describe(struct descriptors *d, const struct shmchan_rpc_opts *opts,
		    const struct shmchan_wire_rpc *header)
{
	uint32_t n = header->nr_clients, i;

	memset(d, 0, sizeof(*d));
	d->slots = calloc(n + 1, sizeof(*d->slots));
	d->doorbells = calloc(n + 1, sizeof(*d->doorbells));
	d->windows = calloc(2 * n + 2, sizeof(*d->windows));
	if (!d->slots || !d->doorbells || !d->windows) {
		free_descriptors(d);
		return shmchan__fail(ENOMEM, "rpc: no memory to describe %u seats",
				     n);
	}
	/* Doorbell i + 1 is that of slot i. */
	for (i = 0; i <= n; i++) {
		d->slots[i].flags = opts->same_uid ?
				    SHMCHAN_SLOT_FLAG_SAME_UID : 0;
		d->doorbells[i].owner = i;
	}
	add_window(d, SLOT_SERVER, header->replies, n * header->reply_capacity);
	for (i = 0; i < n; i++)
		add_window(d, i + 1,
			   header->requests + i * header->request_capacity,
			   header->request_capacity);
	add_window(d, SLOT_SERVER, header->servers,
		   header->clients - header->servers);
	for (i = 0; i < n; i++)
		add_window(d, i + 1, header->clients + i * SHMCHAN_PAGE,
			   SHMCHAN_PAGE);
	return 0;
}

static int make(struct shmchan_region **region, const char *name,
		const struct shmchan__entry *entry)
{
	const struct shmchan_rpc_opts *opts = entry->arg;
	struct shmchan_wire_rpc header = {
		.wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION,
			.kind = SHMCHAN_WIRE_RPC,
			.length = sizeof(header),
		},
		.nr_clients = opts->nr_clients,
		.request_capacity = opts->request_capacity,
		.reply_capacity = opts->reply_capacity,
		.drop_after_ns = opts->drop_after_ns,
	};
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.backend = opts->backend, .mode = opts->mode,
		.header = &header, .header_len = sizeof(header));
	struct descriptors d;
	int err;

	shmchan__rpc_lay_out(&header, &ropts.data_size,
			     &ropts.control_size);
	err = describe(&d, opts, &header);
	if (err)
		return err;
	/* Windows are of whole folios. */
	if ((opts->request_capacity | opts->reply_capacity) % SHMCHAN_HUGE)
		ropts.flags = SHMCHAN_CREATE_SMALL;
	ropts.slot = entry->first_slot;
	ropts.nr_slots = ropts.nr_doorbells = opts->nr_clients + 1;
	ropts.nr_windows = d.nr_windows;
	ropts.slots = d.slots;
	ropts.doorbells = d.doorbells;
	ropts.windows = d.windows;
	ropts.join_flags = opts->join_flags;
	err = shmchan_region_create(region, name, &ropts);
	free_descriptors(&d);
	return err;
}

static int enter(struct shmchan_region **region, const char *name,
		 const int *capability, const struct shmchan_rpc_opts *opts,
		 int server)
{
	struct shmchan__entry entry = {
		.what = "rpc", .kind = SHMCHAN_WIRE_RPC,
		.length = sizeof(struct shmchan_wire_rpc),
		.seat = server ? "the server's" : "a client's",
		.capability = capability,
		.seats = shmchan__entry_all_but_first,
		.backend = opts->backend,
		.first_slot = server ? SLOT_SERVER : 1, .nr_slots = 1,
		.join_flags = opts->join_flags,
		.any_owner = opts->any_owner, .create = opts->create,
		.exclusive = opts->exclusive, .wait_ns = opts->wait_ns,
		.make = make, .arg = opts,
	};

	return shmchan__entry_open(region, name, &entry);
}

int shmchan__rpc_enter(struct shmchan_region **region, const char *name,
		       const int *capability,
		       const struct shmchan_rpc_opts *opts, int server,
		       struct shmchan_wire_rpc *header)
{
	int err = enter(region, name, capability, opts, server);

	if (err)
		return err;
	err = shmchan__entry_rights((*region)->rights, (*region)->name, "rpc",
				    SHMCHAN__RIGHTS_OF_MEMBERS);
	if (!err)
		err = shmchan__rpc_check_header(*region, header);
	if (!err)
		err = shmchan__rpc_check_seat(*region, header);
	/* Whatever was found, and was no part of the service. */
	if (err && shmchan_region_check(*region))
		err = -ESTALE;
	if (err) {
		shmchan__entry_undo(*region, capability);
		*region = NULL;
	}
	return err;
}
