/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_STAT_H
#define SHMCHAN_TOOL_STAT_H

/*
 * The part of `shmchan stat` about memory: where it lies and who pays for it.
 * Text is whole lines; JSON is members of an object, each with a comma before.
 */

#include <shmchan/stat.h>

void stat_show_memory(const struct shmchan_region_info *info);
void stat_json_memory(const struct shmchan_region_info *info);

/*
 * The part about a channel of many: its lanes and who is how far.  NULL if it is none
 * or we may not look.  JSON is one member, null or an object.
 */
struct shmchan_channel_info;
struct shmchan_channel_info *
stat_look_at_channel(const struct shmchan_region_info *info);
void stat_show_channel(const struct shmchan_channel_info *channel);
void stat_json_channel(const struct shmchan_channel_info *channel);

/* Of a slot: SHMCHAN_SLOT_* in words.  stat.c. */
const char *stat_state_word(uint32_t state);

#endif /* SHMCHAN_TOOL_STAT_H */
