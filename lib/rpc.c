// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services: options, the layout, and what of it is checked. */

#include <errno.h>
#include <string.h>

#include "rpc_private.h"

#define DEFAULT_CLIENTS		16U
#define DEFAULT_CAPACITY	65536ULL

static int take_capacity(uint64_t *capacity, const char *which)
{
	if (*capacity > SHMCHAN_LANE_MAX_CAPACITY)
		return shmchan__fail(EINVAL,
				     "rpc: a %s of %llu bytes, at most %llu",
				     which, (unsigned long long)*capacity,
				     (unsigned long long)SHMCHAN_LANE_MAX_CAPACITY);
	*capacity = shmchan__power_of_two(*capacity ? *capacity :
						      DEFAULT_CAPACITY,
					  SHMCHAN_LANE_MIN_CAPACITY);
	return 0;
}

int shmchan__rpc_opts(struct shmchan_rpc_opts *opts,
		      const struct shmchan_rpc_opts *theirs)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_RPC_OPTS",
	};
	int err = shmchan__take_opts(opts, &type, theirs);

	if (err)
		return err;
	if (opts->nr_clients > SHMCHAN_RPC_MAX_CLIENTS)
		return shmchan__fail(EINVAL,
				     "rpc: seats for %u clients, at most %u",
				     opts->nr_clients,
				     SHMCHAN_RPC_MAX_CLIENTS);
	if (!opts->nr_clients)
		opts->nr_clients = DEFAULT_CLIENTS;
	err = take_capacity(&opts->request_capacity, "request_capacity");
	if (err)
		return err;
	return take_capacity(&opts->reply_capacity, "reply_capacity");
}

void shmchan__rpc_lay_out(struct shmchan_wire_rpc *header, uint64_t *data_size,
			  uint64_t *control_size)
{
	uint64_t n = header->nr_clients, control;

	header->replies = 0;
	header->requests = n * header->reply_capacity;
	*data_size = header->requests + n * header->request_capacity;
	control = SHMCHAN_CONTROL_OFFSET(*data_size);
	header->servers = control + SHMCHAN_PAGE;
	header->clients = header->servers +
		SHMCHAN_ALIGN_UP(n * sizeof(struct shmchan_wire_rpc_server),
				 SHMCHAN_PAGE);
	*control_size = header->clients + n * SHMCHAN_PAGE - control;
}

static int lane_at(const struct shmchan_region *region,
		   const struct shmchan_lane_geometry *geo,
		   struct shmchan_lane *lane)
{
	int err = shmchan_lane_attach(lane, region->base,
		region->control_offset + region->control_size, geo,
		(const uint64_t *)shmchan_region_at(region,
			shmchan_slot_offset(region, 0)), region->nr_slots);

	return err ? -EPROTO : 0;
}

int shmchan__rpc_request_lane(const struct shmchan_region *region,
			      const struct shmchan_wire_rpc *header,
			      uint32_t slot, struct shmchan_lane *lane)
{
	struct shmchan_wire_rpc_client *client =
		rpc_client_page(region, header, slot);
	struct shmchan_wire_rpc_server *server =
		rpc_server_page(region, header, slot);
	const struct shmchan_lane_geometry geo = {
		.ring_offset = header->requests +
			       header->request_capacity * (slot - 1ULL),
		.capacity = header->request_capacity,
		.control_offset = rpc_offset(region, &client->requests),
		.cursors_offset = rpc_offset(region, &server->requests),
		.cursor_stride = sizeof(struct shmchan_lane_cursor),
		.nr_readers = 1, .writer_slot = slot,
		.reader_slot = SLOT_SERVER, .flags = SHMCHAN_LANE_HOLD,
	};

	return lane_at(region, &geo, lane);
}

int shmchan__rpc_reply_lane(const struct shmchan_region *region,
			    const struct shmchan_wire_rpc *header,
			    uint32_t slot, struct shmchan_lane *lane)
{
	struct shmchan_wire_rpc_client *client =
		rpc_client_page(region, header, slot);
	struct shmchan_wire_rpc_server *server =
		rpc_server_page(region, header, slot);
	const struct shmchan_lane_geometry geo = {
		.ring_offset = header->replies +
			       header->reply_capacity * (slot - 1ULL),
		.capacity = header->reply_capacity,
		.control_offset = rpc_offset(region, &server->replies),
		.cursors_offset = rpc_offset(region, &client->replies),
		.cursor_stride = sizeof(struct shmchan_lane_cursor),
		.nr_readers = 1, .writer_slot = SLOT_SERVER,
		.reader_slot = slot, .flags = SHMCHAN_LANE_HOLD,
	};

	return lane_at(region, &geo, lane);
}

/* The creator's word, and what follows from it. */
int shmchan__rpc_check_header(const struct shmchan_region *region,
			      struct shmchan_wire_rpc *header)
{
	struct shmchan_wire_rpc due;
	uint64_t data_size, control_size;
	int err;

	err = shmchan__entry_header(region, "rpc", SHMCHAN_WIRE_RPC, header,
				    sizeof(*header));
	if (err)
		return err;
	due = *header;
	if (!due.nr_clients || due.nr_clients > SHMCHAN_RPC_MAX_CLIENTS ||
	    due.request_capacity > SHMCHAN_LANE_MAX_CAPACITY ||
	    due.reply_capacity > SHMCHAN_LANE_MAX_CAPACITY)
		return shmchan__fail(EPROTO,
				     "rpc: %s says %u clients, requests in %llu bytes, replies in %llu: beyond what can be",
				     shmchan__name_of(region), due.nr_clients,
				     (unsigned long long)due.request_capacity,
				     (unsigned long long)due.reply_capacity);
	shmchan__rpc_lay_out(&due, &data_size, &control_size);
	if (memcmp(&due, header, sizeof(due)) != 0 ||
	    region->nr_slots != due.nr_clients + 1 ||
	    region->nr_doorbells != due.nr_clients + 1 ||
	    region->data_size < data_size ||
	    region->control_offset != due.servers - SHMCHAN_PAGE ||
	    region->control_size < control_size)
		return shmchan__fail(EPROTO,
				     "rpc: %s is laid out in another way than a service for %u clients",
				     shmchan__name_of(region), due.nr_clients);
	return 0;
}

/* Both lanes of a seat, of which we write one. */
int shmchan__rpc_check_seat(const struct shmchan_region *region,
			    const struct shmchan_wire_rpc *header)
{
	struct shmchan_lane lane;
	uint32_t slot = region->slot ? region->slot : 1;
	int err;

	/* A name may be published by a capability that reaches less. */
	err = shmchan__entry_reach(region, "rpc", "lanes", 0,
				   region->data_size);
	if (!err)
		err = shmchan__entry_reach(region, "rpc", "pages",
			header->servers, header->clients +
			SHMCHAN_PAGE * header->nr_clients - header->servers);
	if (!err)
		err = shmchan__rpc_request_lane(region, header, slot, &lane);
	if (!err)
		err = shmchan__rpc_reply_lane(region, header, slot, &lane);
	if (!err && region->slot == SLOT_SERVER)
		err = shmchan__entry_window(region, "rpc", header->replies,
			header->nr_clients * header->reply_capacity);
	else if (!err)
		err = shmchan__entry_window(region, "rpc", header->requests +
			header->request_capacity * (slot - 1ULL),
			header->request_capacity);
	if (err)
		return err;
	if (region->slot == SLOT_SERVER)
		return shmchan__entry_window(region, "rpc", header->servers,
			header->nr_clients *
			sizeof(struct shmchan_wire_rpc_server));
	return shmchan__entry_window(region, "rpc", header->clients +
				     SHMCHAN_PAGE * (slot - 1ULL),
				     sizeof(struct shmchan_wire_rpc_client));
}

static const struct shmchan_wire_rpc *
sealed(const struct shmchan_region *region)
{
	static const struct shmchan_wire_rpc none;

	return shmchan__usable(region) ? &none :
	       shmchan_region_at(region, region->control_offset);
}

/* Who has been revoked finds 0 there. */
static size_t largest(uint64_t capacity, size_t prefix)
{
	return capacity ? capacity / 4 - 8 - prefix : 0;
}

size_t shmchan_rpc_max_request(const struct shmchan_region *region)
{
	return largest(sealed(region)->request_capacity,
		       sizeof(struct shmchan_wire_rpc_request));
}

size_t shmchan_rpc_max_reply(const struct shmchan_region *region)
{
	return largest(sealed(region)->reply_capacity,
		       sizeof(struct shmchan_wire_rpc_reply));
}
