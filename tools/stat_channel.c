// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan stat: what is in a channel of many, and who is how far. */

#include <inttypes.h>

#include <shmchan/channel.h>

#include "stat.h"
#include "tool.h"

static const char *const patterns[] = {
	[SHMCHAN_PATTERN_ANY] = "many to many", [SHMCHAN_PATTERN_FANIN] = "fan-in",
	[SHMCHAN_PATTERN_PUBSUB] = "publish and subscribe",
	[SHMCHAN_PATTERN_LATEST] = "latest value",
};

static const char *const policies[] = {
	[SHMCHAN_POLICY_BLOCK] = "block", [SHMCHAN_POLICY_FAIL] = "fail",
	[SHMCHAN_POLICY_EVICT] = "evict",
	[SHMCHAN_POLICY_OVERWRITE] = "overwrite",
};

struct shmchan_channel_info *
stat_look_at_channel(const struct shmchan_region_info *info)
{
	struct shmchan_channel_info *channel;

	/* With the module it is not known before. */
	if (info->header && (info->header->magic != SHMCHAN_WIRE_MAGIC ||
			     info->header->kind != SHMCHAN_WIRE_CHANNEL))
		return NULL;
	return shmchan_channel_stat(&channel, info->backend, info->query.name) ?
	       NULL : channel;
}

static void show_lanes(const struct shmchan_channel_info *channel)
{
	char bytes[SIZE_WORD], most[SIZE_WORD];
	uint32_t i;

	printf("senders    %" PRIu32 ", with lanes of %s\n",
	       channel->wire.nr_senders,
	       size_word(bytes, channel->wire.capacity));
	for (i = 0; i < channel->wire.nr_senders; i++) {
		const struct shmchan_lane_stat *l = &channel->lanes[i];

		if (!l->generation)
			continue;
		printf("  %-4" PRIu32 " %s, %" PRIu64 " messages sent, %s; at most %s waited\n",
		       l->slot, stat_state_word(l->state), l->records,
		       size_word(bytes, l->bytes),
		       size_word(most, l->high_water));
	}
}

static void show_receivers(const struct shmchan_channel_info *channel)
{
	uint32_t j;

	printf("receivers  %" PRIu32 ", of which senders wait for %" PRIu32 "\n",
	       channel->wire.nr_receivers, channel->wire.nr_reliable);
	for (j = 0; j < channel->wire.nr_receivers; j++) {
		const struct shmchan_receiver_stat *r = &channel->receivers[j];

		if (!r->generation)
			continue;
		printf("  %-4" PRIu32 " %s, %s", r->slot,
		       stat_state_word(r->state),
		       r->reliable ? "reliable" : "casual");
		if (channel->cursors)
			printf(", past %" PRIu64 " messages, %" PRIu64 " behind, %" PRIu64 " lost",
			       r->records, r->depth, r->lost);
		if (r->evicted)
			printf(", passed in %" PRIu32 " lanes", r->evicted);
		putchar('\n');
	}
}

void stat_show_channel(const struct shmchan_channel_info *channel)
{
	const struct shmchan_wire_channel *w = &channel->wire;

	printf("pattern    %s, policy %s after %g s%s%s\n",
	       patterns[w->pattern], policies[w->policy],
	       (double)w->hold_ns / 1e9,
	       w->flags & SHMCHAN_CHANNEL_DURABLE ? ", durable" : "",
	       w->flags & SHMCHAN_CHANNEL_BLIND ? ", blind" : "");
	show_lanes(channel);
	show_receivers(channel);
}

static const char *truth(uint32_t yes)
{
	return yes ? "true" : "false";
}

void stat_json_channel(const struct shmchan_channel_info *channel)
{
	const struct shmchan_wire_channel *w;
	uint32_t i;

	if (!channel) {
		fputs(",\"many\":null", stdout);
		return;
	}
	w = &channel->wire;
	printf(",\"many\":{\"pattern\":\"%s\",\"policy\":\"%s\",\"hold\":%.9f,\"capacity\":%" PRIu64 ",\"reliable\":%" PRIu32 ",\"durable\":%s,\"blind\":%s,\"senders\":[",
	       patterns[w->pattern], policies[w->policy],
	       (double)w->hold_ns / 1e9, w->capacity, w->nr_reliable,
	       truth(w->flags & SHMCHAN_CHANNEL_DURABLE),
	       truth(w->flags & SHMCHAN_CHANNEL_BLIND));
	for (i = 0; i < w->nr_senders; i++) {
		const struct shmchan_lane_stat *l = &channel->lanes[i];

		printf("%s{\"slot\":%" PRIu32 ",\"state\":\"%s\",\"generation\":%" PRIu32 ",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"high_water\":%" PRIu64 "}",
		       i ? "," : "", l->slot, stat_state_word(l->state),
		       l->generation, l->records, l->bytes, l->high_water);
	}
	fputs("],\"receivers\":[", stdout);
	for (i = 0; i < w->nr_receivers; i++) {
		const struct shmchan_receiver_stat *r = &channel->receivers[i];

		printf("%s{\"slot\":%" PRIu32 ",\"state\":\"%s\",\"generation\":%" PRIu32 ",\"reliable\":%s",
		       i ? "," : "", r->slot, stat_state_word(r->state),
		       r->generation, truth(r->reliable));
		if (channel->cursors)
			printf(",\"messages\":%" PRIu64 ",\"behind\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"passed_in\":%" PRIu32,
			       r->records, r->depth, r->lost, r->evicted);
		putchar('}');
	}
	fputs("]}", stdout);
}
