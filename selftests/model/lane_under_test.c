// SPDX-License-Identifier: GPL-2.0-only
/* The library's lane code, compiled for the explorer, as it is. */
#include "lib/lane.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/lane_reader.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/lane_recv.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/lane_repair.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/lane_sender.c"	/* NOLINT(bugprone-suspicious-include) */
#include "lib/lane_writer.c"	/* NOLINT(bugprone-suspicious-include) */
