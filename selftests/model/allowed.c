// SPDX-License-Identifier: GPL-2.0-only
/* Sites that may be weaker than they are, with the reasons: see tests.h. */
#include "explore_private.h"
#include "tests.h"

const struct allowed allowed_sites[] = {
	{ 0 },
};
