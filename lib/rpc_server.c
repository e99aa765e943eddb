// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the server: coming and going. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_private.h"
#include "spin.h"

static int make_seats(struct shmchan_rpc_server *s)
{
	uint32_t n = s->header.nr_clients, slot;
	struct shmchan_rpc__seat *seat;

	s->seats = calloc(n, sizeof(*s->seats));
	s->live = calloc(n, sizeof(*s->live));
	if (!s->seats || !s->live)
		return shmchan__fail(ENOMEM, "rpc: no memory for %u seats", n);
	for (slot = 1; slot <= n; slot++) {
		seat = &s->seats[slot - 1];
		seat->s = s;
		seat->region = s->region;
		seat->slot = slot;
		seat->word = shmchan_region_at(s->region,
			shmchan_slot_offset(s->region, slot));
		seat->client = rpc_client_page(s->region, &s->header, slot);
		seat->own = rpc_server_page(s->region, &s->header, slot);
		seat->ready_word = rpc_offset(s->region,
					      &seat->client->generation);
		seat->cancelled_word = rpc_offset(s->region,
						  &seat->client->cancelled);
	}
	/* No value that it has: all seats are looked at first. */
	s->members = ~0ULL;
	return 0;
}

static void free_all(struct shmchan_rpc_server *s, const int *capability)
{
	shmchan__entry_undo(s->region, capability);
	free(s->seats);
	free(s->live);
	/* With a region it would be open. */
	memset(s, 0, sizeof(*s));
}

static int enter(struct shmchan_rpc_server *s, const char *name,
		 const int *capability, const struct shmchan_rpc_opts *opts)
{
	struct shmchan_rpc_opts o;
	int err;

	if (!s)
		return shmchan__fail(EINVAL, "rpc: no handle (NULL)");
	memset(s, 0, sizeof(*s));
	err = shmchan__rpc_opts(&o, opts);
	if (!err && o.fail_fast)
		return shmchan__fail(EINVAL,
				     "rpc: fail_fast is of use to clients alone");
	if (!err)
		err = shmchan__rpc_enter(&s->region, name, capability, &o, 1,
					 &s->header);
	if (err)
		return err;
	shmchan__spin_init(&s->spin, o.spin_ns, shmchan__alone());
	err = make_seats(s);
	if (err)
		free_all(s, capability);
	return err;
}

int shmchan_rpc_server_open(struct shmchan_rpc_server *s, const char *name,
			    const struct shmchan_rpc_opts *opts)
{
	return enter(s, name, NULL, opts);
}

int shmchan_rpc_server_adopt(struct shmchan_rpc_server *s, int capability,
			     const struct shmchan_rpc_opts *opts)
{
	return enter(s, NULL, &capability, opts);
}

void shmchan_rpc_server_close(struct shmchan_rpc_server *s)
{
	struct shmchan_rpc__seat *seat;
	uint32_t i;

	if (!s || !s->region)
		return;
	/* A forked child has no part of it. */
	if (shmchan__usable(s->region)) {
		free_all(s, NULL);
		return;
	}
	for (i = 0; i < s->header.nr_clients &&
		    !shmchan_region_check(s->region); i++) {
		seat = &s->seats[i];
		/* One that we have not come to is told, too, that we close. */
		if (!seat->attached)
			(void)shmchan__rpc_seat_look(seat);
		if (!seat->attached)
			continue;
		shmchan_lane_leave(&seat->r);
		if (shmchan_lane_close(&seat->w) > 0)
			(void)shmchan_bell_ring(s->region,
						BELL_CLIENT(seat->slot), 0);
	}
	free_all(s, NULL);
}

void shmchan_rpc_server_get_stats(const struct shmchan_rpc_server *s,
				  struct shmchan_rpc_server_stats *stats)
{
	static const struct shmchan_rpc_server_stats none;

	if (stats)
		*stats = s && s->region ? s->stats : none;
}
