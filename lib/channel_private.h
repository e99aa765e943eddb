/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_CHANNEL_PRIVATE_H
#define SHMCHAN_CHANNEL_PRIVATE_H

/* What the files of channels of many share. */

#include <errno.h>

#include <shmchan/channel.h>

#include "internal.h"

#define CHANNEL		"channel"	/* begins messages */
#define BELL_DATA	1		/* receivers wait on it */
#define BELL_SPACE	2		/* senders wait on it */

#pragma GCC visibility push(hidden)

/* Where everything is: computed from what the sealed header says. */
struct channel_shape {
	struct shmchan_wire_channel wire;
	uint64_t data_size;
	uint64_t control_size;
	uint64_t control;		/* region offsets: of the control area, */
	uint64_t senders;		/* of a page of each sender, */
	uint64_t cursors;		/* of pages of each receiver */
	uint64_t cursor_stride;		/* 0: receivers have none */
};

/* How one looks at a lane. */
enum channel_view {
	VIEW_WRITER,
	VIEW_RELIABLE,		/* readers that the writer waits for */
	VIEW_CASUAL,		/* readers that it does not */
};

/* channel.c */
void channel_lay_out(struct channel_shape *shape,
		     const struct shmchan_wire_channel *wire);
int channel_check_opts(struct shmchan_channel_opts *opts,
		       const struct shmchan_channel_opts *theirs);
/* What was sealed: all of it, once. */
int channel_read_header(const struct shmchan_region *region,
			struct channel_shape *shape);
int channel_lane(const struct shmchan_region *region,
		 const struct channel_shape *shape, uint32_t sender,
		 enum channel_view view, struct shmchan_lane *lane);
enum channel_view channel_view_of(const struct channel_shape *shape,
				  uint32_t receiver);

/* channel_enter.c.  By name; or, if capability is not NULL, with that. */
int channel_open(struct shmchan_region **region, const char *name,
		 const int *capability, const struct shmchan_channel_opts *opts,
		 int receiver);
/* The first of the seats for who only looks, whoever owns it.  ENOENT, EPROTO, ... */
int channel_first_observer(const char *name, enum shmchan_backend backend,
			   uint32_t *slot);
/* All that we are in, and our seat in it. */
int channel_check(const struct shmchan_region *region,
		  const struct shmchan_channel_opts *opts, int receiver,
		  struct channel_shape *shape);

/* A place at which nothing ever changes. */
extern const uint64_t channel_nothing;

static inline const uint64_t *channel_slots(const struct shmchan_region *region)
{
	return (const uint64_t *)shmchan_region_at(region,
				shmchan_slot_offset(region, 0));
}

/* channel_wait.c: what is asked for by a call that may wait, and doing it. */
struct channel_look {
	void *buf;			/* recv: room; recv_n: the array */
	size_t size;			/* ... of it; of one element */
	size_t max;			/* recv_n: elements */
	const struct iovec *iov;	/* recvv */
	int nr_iov;
	struct shmchan_view *view;	/* peek */
	struct shmchan_msg *msg;
};

/*
 * Reads from the lane whose turn it is, and fills in msg; never waits.  0 or a
 * count, or an error of the lane's.
 */
typedef int (*channel_look_fn)(struct shmchan_receiver *rx,
			       const struct channel_look *look);

int channel_until(struct shmchan_receiver *rx, channel_look_fn fn,
		  const struct channel_look *look, int64_t timeout_ns, int err);
int channel_wait_peers(struct shmchan_region *region, uint32_t first,
		       uint32_t seats, uint32_t nr, int64_t timeout_ns);

/*
 * Of one lane, what a receiver looks at before it looks at the lane itself; by
 * themselves, for they are looked at all the time.
 */
struct shmchan__glance {
	uint64_t *word;		/* the header at our place ... */
	uint64_t seen;		/* ... as it was when there was nothing */
};

/* The rest. */
struct shmchan__inlet {
	uint64_t pos;
	uint64_t member;	/* the sender's slot word, as last looked at */
	uint16_t idle;		/* how often there was nothing */
	uint8_t hot;
	uint8_t look;		/* something happened to the sender */
	uint8_t told;		/* of the end in this epoch */
	uint32_t epochs;	/* of the lane's reader when an end was told */
	uint32_t ended;		/* generation whose end was told last */
	uint32_t bad_generation;	/* whose broken rules were told of */
	uint64_t bad_pos;	/* where that was */
	uint64_t bad;		/* the header there; 0: we are not stuck */
	uint64_t first;		/* records when we came */
	uint64_t skipped;	/* before the newest, which there was no room for */
	struct channel_held *held;
};

/* channel_turns.c: whose turn it is. */
void channel_park(struct shmchan_receiver *rx, struct shmchan_lane_reader *r);
int channel_turn(struct shmchan_receiver *rx);
int channel_judge(struct shmchan_receiver *rx, int err, struct shmchan_msg *msg);
void channel_members(struct shmchan_receiver *rx);
int channel_something(struct shmchan_receiver *rx);
void channel_publish(struct shmchan_receiver *rx);
void channel_wake(void *arg);

/* channel_receiver.c: 0, EINVAL (it is closed), EOWNERDEAD, ESTALE. */
int channel_receiver_check(const struct shmchan_receiver *rx);
/* The kernel has said it: from now on we do, too. */
int channel_receiver_told(struct shmchan_receiver *rx, int err);

/* spsc_sender.c: who has sent what was read last; *origin is all 0 before. */
int shmchan__origin(const struct shmchan_region *region,
		    const struct shmchan_lane_reader *r,
		    struct shmchan_origin *origin);

/* channel_peek.c */
void channel_forget_held(struct shmchan_receiver *rx);
void channel_drop_held(struct shmchan_receiver *rx, uint32_t i);

/* The first line of a receiver's calls that are not inlined. */
static inline int channel_receiver_enter(struct shmchan_receiver *rx)
{
	return rx ? shmchan__enter(&rx->busy, "receiver") :
		    channel_receiver_check(rx);
}

static inline uint32_t channel_index(const struct shmchan_receiver *rx,
				     const struct shmchan_lane_reader *r)
{
	return (uint32_t)(r - rx->lanes);
}

/* Is there anything to look at?  Acquire: of what led to it, all is visible. */
static inline int channel_changed(const struct shmchan__glance *g)
{
	return shmchan_load_acquire(g->word) != g->seen;
}

/* Where we may be passed, the word may be anything by then, and look as it did. */
static inline int channel_ready(const struct shmchan_receiver *rx, uint32_t i)
{
	if (channel_changed(&rx->glances[i]))
		return 1;
	return rx->passable &&
	       shmchan_load_relaxed(&rx->lanes[i].lane.control->floor) >
	       rx->inlets[i].pos;
}

#pragma GCC visibility pop

#endif /* SHMCHAN_CHANNEL_PRIVATE_H */
