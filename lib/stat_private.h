/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_STAT_PRIVATE_H
#define SHMCHAN_STAT_PRIVATE_H

#include <shmchan/stat.h>

#include "backend.h"

#pragma GCC visibility push(hidden)

/* Room for the descriptors, as many as info->query says. */
int shmchan__info_room(struct shmchan_region_info *info);

/* stat_local.c: fill it in from the file of that name. */
int shmchan__local_stat(struct shmchan_region_info *info, const char *name);

#pragma GCC visibility pop

#endif /* SHMCHAN_STAT_PRIVATE_H */
