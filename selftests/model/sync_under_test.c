// SPDX-License-Identifier: GPL-2.0-only
/* The library's slow paths of synchronisation objects, for the explorer. */
#include "lib/condvar.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/mutex.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/once.c"	/* NOLINT(bugprone-suspicious-include) */
