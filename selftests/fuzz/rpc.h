/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_RPC_H
#define SHMCHAN_FUZZ_RPC_H

/* Services with two clients. */

#include <shmchan/rpc.h>

#include "kept.h"
#include "rpc_private.h"

#define CAPACITY	4096

struct fuzz_rpc {
	struct fuzz_kept kept;
	int drops;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_client c[2];		/* of slots 1 and 2 */
};

static inline void fuzz_rpc_new(struct fuzz_rpc *f, int64_t drop_after_ns)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.create = 1, .nr_clients = 2, .request_capacity = CAPACITY,
		.reply_capacity = CAPACITY, .drop_after_ns = drop_after_ns,
		.spin_ns = -1);
	struct shmchan_rpc_call call;
	const char *name = fuzz_name();
	int i;

	f->drops = drop_after_ns != 0;
	FUZZ_CHECK(!shmchan_rpc_server_open(&f->s, name, &opts));
	for (i = 0; i < 2; i++)
		FUZZ_CHECK(!shmchan_rpc_client_open(&f->c[i], name, &opts));
	/* All have seen each other. */
	FUZZ_CHECK(shmchan_rpc_next(&f->s, &call, NULL, 0, 0) == -EAGAIN);
	fuzz_keep(&f->kept, &f->s, sizeof(f->s));
	fuzz_keep_heap(&f->kept, f->s.seats);
	fuzz_keep_heap(&f->kept, f->s.live);
	for (i = 0; i < 2; i++)
		fuzz_keep(&f->kept, &f->c[i], sizeof(f->c[i]));
	fuzz_keep_region(&f->kept, f->s.region);
}

#endif /* SHMCHAN_FUZZ_RPC_H */
