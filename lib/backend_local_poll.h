/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BACKEND_LOCAL_POLL_H
#define SHMCHAN_BACKEND_LOCAL_POLL_H

/* A file that polls readable when one of several local bells has been rung. */

#include "backend_local.h"

#pragma GCC visibility push(hidden)

struct local_poll;

int local_poll_open(struct local_poll **poll);
void local_poll_close(struct local_poll *poll);
/* What is to be polled; the same as long as it is open. */
int local_poll_fd(const struct local_poll *poll);
/* The bells are others from now on; it is not armed any more. */
void local_poll_changed(struct local_poll *poll);
/* They have been raised.  Readable at a ring since that, or at a time. */
int local_poll_arm(struct local_poll *poll, const struct local_bell *bells,
		   uint32_t nr, uint64_t until);
/* Not readable any more. */
void local_poll_ack(struct local_poll *poll);

#pragma GCC visibility pop

#endif /* SHMCHAN_BACKEND_LOCAL_POLL_H */
