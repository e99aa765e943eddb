// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* In place of peer_rte.c where DPDK's headers are missing. */

#include "bench.h"

struct bench_case bench_rte_cases[] = {
	{ .name = NULL },
};
