// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Services, the client: replies that came while another was waited for.
 *
 * A lane hands out its records in order.  Who waits for one call takes what comes
 * before its reply out of the lane and keeps it here, in memory of its own, and
 * so does who waits for room: else a server that waits for room itself and a
 * client would wait for each other.
 *
 * The oldest is at head.  What is taken out elsewhere stays as a gap, until it is
 * the oldest or there is no place at the end: then all that is left is moved down.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_private.h"

static size_t extent(uint32_t length)
{
	return sizeof(struct shmchan_rpc__kept) + (((size_t)length + 7) & ~7UL);
}

static struct shmchan_rpc__kept *at(struct shmchan_rpc__stash *stash, size_t pos)
{
	return (struct shmchan_rpc__kept *)(void *)(stash->memory + pos);
}

int shmchan__rpc_stash_init(struct shmchan_rpc__stash *stash, size_t size)
{
	memset(stash, 0, sizeof(*stash));
	stash->memory = malloc(size);
	if (!stash->memory)
		return shmchan__fail(ENOMEM,
			"rpc: no %zu bytes to keep replies that come out of turn",
			size);
	stash->size = size;
	return 0;
}

static void close_gaps(struct shmchan_rpc__stash *stash)
{
	size_t from, to = 0, n;

	for (from = stash->head; from < stash->tail; from += n) {
		n = extent(at(stash, from)->length);
		if (!at(stash, from)->id)
			continue;
		if (from != to)
			memmove(stash->memory + to, stash->memory + from, n);
		to += n;
	}
	stash->head = 0;
	stash->tail = to;
}

struct shmchan_rpc__kept *
shmchan__rpc_stash_put(struct shmchan_rpc__stash *stash, uint32_t id,
		       uint32_t length)
{
	size_t need = extent(length);
	struct shmchan_rpc__kept *kept;

	if (need > stash->size - stash->tail)
		close_gaps(stash);
	if (need > stash->size - stash->tail)
		return NULL;
	kept = at(stash, stash->tail);
	stash->tail += need;
	stash->nr++;
	kept->id = id;
	kept->length = length;
	return kept;
}

struct shmchan_rpc__kept *
shmchan__rpc_stash_find(struct shmchan_rpc__stash *stash, uint32_t id)
{
	struct shmchan_rpc__kept *kept;
	size_t pos;

	for (pos = stash->head; pos < stash->tail; pos += extent(kept->length)) {
		kept = at(stash, pos);
		if (kept->id && (id == SHMCHAN_RPC_ANY || kept->id == id))
			return kept;
	}
	return NULL;
}

void shmchan__rpc_stash_drop(struct shmchan_rpc__stash *stash,
			     struct shmchan_rpc__kept *kept)
{
	kept->id = 0;
	stash->nr--;
	while (stash->head < stash->tail && !at(stash, stash->head)->id)
		stash->head += extent(at(stash, stash->head)->length);
	if (stash->head == stash->tail)
		stash->head = stash->tail = 0;
}
