/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_RECORDING_H
#define SHMCHAN_TOOL_RECORDING_H

/*
 * The file that `shmchan record` writes and `shmchan replay` reads.
 *
 *	header | name, padded with zeros to 8 | entry | entry | ...
 *
 * All numbers are little-endian.  An entry is its head and length bytes behind it,
 * padded with zeros to 8.  Its checksum is CRC-32 (that of zlib) of head and bytes,
 * with the checksum's own field as 0 and without the padding.
 *
 * Entries are appended and never changed, so a recording that was cut off, by a
 * crash or a full disk, is whole up to its last entry: that one's checksum says no,
 * or it is not all there, or there is no entry END behind it.
 *
 * Version 1.  A reader refuses what has another one; what is 0 here stays 0 in it.
 */

#include <stdint.h>
#include <stdio.h>

#include "tool.h"

#define RECORDING_MAGIC		0x64726365726d6873ULL	/* "shmrecrd" */
#define RECORDING_VERSION	1U

struct recording_header {
	uint64_t magic;
	uint32_t version;
	uint32_t length;	/* of this and the name: where entries begin */
	uint64_t realtime;	/* CLOCK_REALTIME in ns at the start */
	uint64_t monotonic;	/* CLOCK_MONOTONIC in ns at the start */
	uint64_t capacity;	/* bytes of a sender's ring */
	uint32_t kind;		/* enum shmchan_wire_kind of the channel */
	uint32_t nr_senders;	/* seats */
	uint32_t name_length;	/* of the channel's name */
	uint32_t reserved[3];
};

enum recording_what {
	RECORDING_MESSAGE = 1,	/* its bytes follow */
	RECORDING_LOST = 2,	/* meta: messages that passed by unseen, 0: more */
	RECORDING_CLOSED = 3,	/* the sender in slot ended, */
	RECORDING_DIED = 4,	/* died or broke the rules */
	RECORDING_END = 5,	/* the recording was brought to its end */
};

struct recording_entry {
	uint64_t time;		/* ns of CLOCK_MONOTONIC since the start */
	uint32_t what;		/* enum recording_what */
	uint32_t length;
	uint32_t meta;
	uint32_t slot;		/* the sender's */
	uint32_t generation;	/* of its holding that; 0: not known */
	uint32_t checksum;
};

/*
 * Write.  0, or -1 with errno.  After an error of the disk nothing that follows makes
 * it whole again.
 */
int recording_begin(FILE *file, struct recording_header *header,
		    const char *name);
int recording_append(FILE *file, struct recording_entry *entry,
		     const void *data);

/* Read. */
enum recording_read {
	RECORDING_READ,		/* an entry */
	RECORDING_WHOLE,	/* the end, as it should be */
	RECORDING_CUT,		/* ... as it should not */
	RECORDING_FAILED,	/* errno */
};

/* NULL, or what is wrong with it. */
const char *recording_open(FILE *file, struct recording_header *header);

/* *data is a buffer that grows; the caller frees it. */
enum recording_read recording_next(FILE *file, struct recording_entry *entry,
				   void **data, size_t *size);

#endif /* SHMCHAN_TOOL_RECORDING_H */
