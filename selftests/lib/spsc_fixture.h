/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_SPSC_FIXTURE_H
#define SHMCHAN_SPSC_FIXTURE_H

/* What the tests of channels share. */

#include <shmchan/spsc.h>

#include "harness.h"

#define MS	1000000LL
/* A death is told well within this; the local backend looks every 50 ms. */
#define TOLD_NS	(3000 * MS)

static inline void open_as(struct shmchan_spsc *ch, const char *tag,
			   enum shmchan_spsc_role role, uint64_t capacity,
			   int64_t spin_ns)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = capacity,
		.spin_ns = spin_ns);
	uint64_t begin = now_ns();
	int err;

	/* The seat of somebody who has just died may take a moment. */
	do {
		err = shmchan_spsc_open(ch, test_name(tag), &opts);
		if (err == -EBUSY)
			sleep_ms(5);
	} while (err == -EBUSY && now_ns() - begin < TOLD_NS);
	CHECK_EQ(err, 0);
}

#endif /* SHMCHAN_SPSC_FIXTURE_H */
