// SPDX-License-Identifier: GPL-2.0-only
/* The library's cells and sleep of work queues, for the explorer, as they are. */
#include "workq_fixture.h"

#include "lib/workq_cells.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/workq_wait.c"	/* NOLINT(bugprone-suspicious-include) */
