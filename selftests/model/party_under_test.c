// SPDX-License-Identifier: GPL-2.0-only
/*
 * More of the library's synchronisation objects, for the explorer.  Their waits are
 * another's than the fixture's: more than the fixture knows of lives on behind them.
 */
#define shmchan__sync_wait	party_wait
#include "lib/barrier.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/permits.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/rwlock.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/signal.c"	/* NOLINT(bugprone-suspicious-include) */
