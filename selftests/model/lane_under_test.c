// SPDX-License-Identifier: GPL-2.0-only
/* The library's lane code, compiled for the explorer, as it is. */
#include "lib/lane.c"
#include "lib/lane_reader.c"
#include "lib/lane_repair.c"
#include "lib/lane_writer.c"
