/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_ACCESS_PRIVATE_H
#define SHMCHAN_ACCESS_PRIVATE_H

/* What the files about capabilities share. */

#include <shmchan/access.h>

#include "backend.h"

#pragma GCC visibility push(hidden)

/* Rights in words: "read wait"; the buffer's. */
#define SHMCHAN__RIGHTS	48
const char *shmchan__rights_word(char *buffer, uint32_t rights);

/*
 * Is this file a capability that can be used?  0, with what QUERY tells, or the
 * error, with its detail.
 */
int shmchan__capability_check(int fd, struct shmchan_query *q);

/* The name that it has here, for messages. */
const char *shmchan__queried_name(const struct shmchan_query *q);

/* Has it joined, as another process than this one? */
int shmchan__joined_elsewhere(int fd, const struct shmchan_query *q);

/*
 * A call has failed with an errno that means what it means to all of them: the
 * error, with its detail.  right is what the call takes, or 0.
 */
int shmchan__capability_failed(int fd, int err, const char *call,
			       uint32_t right);

int shmchan__check_mode(uint32_t mode);

#pragma GCC visibility pop

#endif /* SHMCHAN_ACCESS_PRIVATE_H */
