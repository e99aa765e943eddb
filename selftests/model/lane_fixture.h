/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_LANE_FIXTURE_H
#define MODEL_LANE_FIXTURE_H

/*
 * A tiny lane for models: 128 bytes in four "eighths" of 32, lines of 8 (see
 * model.mk), with the library's own code at both ends.
 *
 * Record i is known by its meta, i; its length and bytes follow from i.
 */

#include <linux/shmchan.h>
#include <shmchan/lane.h>

#include "explorer.h"
#include "kernel.h"

#define RING_OFFSET	0
#define CAPACITY	128
#define CONTROL_OFFSET	(4 << 10)
#define CURSORS_OFFSET	(8 << 10)

#define WRITER_SLOT	0U
#define READER_SLOT(i)	(1U + (i))

#define DATA_BELL	1U	/* readers sleep on it */
#define ROOM_BELL	2U	/* the writer does */

extern struct shmchan_lane lane;

/* For lane_setup(): CAPACITY, unless a model sets it for itself. */
extern uint64_t lane_capacity;

/* In POLL lanes: the writer sleeps in the kernel all the same. */
extern int lane_writer_sleeps;

/* For setup functions: memory, slots, and the lane with these flags. */
void lane_setup(uint32_t flags, uint32_t nr_readers);

uint64_t *lane_ring_word(unsigned int i);

/*
 * Record i: its length, its bytes.  Lengths are 8, 0, 13, 24 and again; or 8
 * and then always 24, so that the ring is full soon; or always 8; or such that
 * before record 6 the limit is raised while the reader's cursor, at record 5,
 * is beyond the newest checkpoint, at record 4.
 */
enum record_lengths {
	LENGTHS_VARIED, LENGTHS_BIG, LENGTHS_SMALL, LENGTHS_RAISE,
};
extern enum record_lengths record_lengths;
size_t record_length(unsigned int i);
void record_fill(unsigned int i, uint8_t buf[24]);

/* Fails the model unless this is record meta. */
void record_check(const uint8_t *buf, size_t length, uint32_t meta);

/* All that a thread at one end knows: see explorer_settle(). */
struct writing {
	struct shmchan_lane_writer w;
	uint64_t next;			/* record to be sent */
};

struct reading {
	struct shmchan_lane_reader r;
	uint64_t next;			/* record to come */
};

/* Attach, as these slots' holders of a generation. */
void writer_attach(struct shmchan_lane_writer *w, uint32_t generation);
void reader_join(struct shmchan_lane_reader *r, uint32_t index,
		 uint32_t generation, enum shmchan_lane_from from);

/* Sends until next is end; sleeps for room, which reader 0 makes. */
void writer_send_all(struct writing *s, uint64_t end);
void writer_wait_room(struct shmchan_lane_writer *w, uint64_t pos);

/* Nothing to read: sleep until the next header, or the writer's slot, moves. */
void reader_wait(struct shmchan_lane_reader *r);

/* Blocking recv; returns what recv did, never EAGAIN. */
int reader_recv(struct reading *s, uint8_t buf[24], size_t *length,
		uint32_t *meta);

/* Reads until recv fails, and says how; all from next on must come. */
int reader_drain(struct reading *s);

#endif /* MODEL_LANE_FIXTURE_H */
