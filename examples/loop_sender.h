/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef LOOP_SENDER_H
#define LOOP_SENDER_H

/* What the examples of event loops receive: the numbers from 1 to count. */

#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include <shmchan/spsc.h>

/* In a process of its own; does not return. */
static inline void send_all(const char *name, unsigned long count)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1);
	struct shmchan_spsc ch;
	uint64_t i;

	if (shmchan_spsc_open(&ch, name, &opts))
		errx(1, "%s", shmchan_error_detail());
	for (i = 1; i <= count; i++) {
		if (shmchan_spsc_send(&ch, &i, sizeof(i), 0, 0, -1))
			errx(1, "%s", shmchan_error_detail());
		/* Now and then nothing, so that the loop sleeps. */
		if (i % 100 == 0)
			usleep(1000);
	}
	shmchan_spsc_wait_peer(&ch, 1000000000);
	shmchan_spsc_close(&ch);
	exit(0);
}

#endif /* LOOP_SENDER_H */
