// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Waiting for words of several regions: <shmchan/loop.h>.
 */

#include <errno.h>
#include <string.h>

#include "backend.h"

/* The details of a region's own checks do not say which condition it was. */
static int check_cond(const struct shmchan_cond *cond, uint32_t i)
{
	int err = shmchan__usable(cond->region);

	if (!err && cond->elem.fd != -1)
		return shmchan__fail(EINVAL,
			"condition %u: fd is %d: should be -1, its region says whose the word is",
			i, cond->elem.fd);
	if (!err)
		err = shmchan__check_wait(shmchan__private(cond->region),
					  &cond->elem, 1);
	if (err)
		shmchan__fail(-err, "condition %u: %s", i,
			      shmchan_error_detail());
	return err;
}

static int check_conds(const struct shmchan_cond *conds, uint32_t nr)
{
	uint32_t i;
	int err;

	if (!nr || nr > SHMCHAN_MAX_ELEMS || !conds)
		return shmchan__fail(EINVAL,
			"%u conditions at %p: should be 1 to %d of them", nr,
			(const void *)conds, SHMCHAN_MAX_ELEMS);
	for (i = 0; i < nr; i++) {
		err = check_cond(&conds[i], i);
		if (err)
			return err;
		if (conds[i].region->backend != conds->region->backend)
			return shmchan__fail(EXDEV,
				"condition %u is of the %s backend, those before it of the %s backend: one call waits on one of them; open all with the same (shmchan_region_opts.backend)",
				i, shmchan_backend_name(conds[i].region->backend),
				shmchan_backend_name(conds->region->backend));
	}
	return 0;
}

uint32_t shmchan__first_stale(const struct shmchan_cond *conds, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (shmchan_region_check(conds[i].region))
			break;
	return i;
}

int shmchan_wait_many(const struct shmchan_cond *conds, uint32_t nr,
		      uint64_t deadline, uint32_t *index)
{
	uint32_t stale;
	int err = check_conds(conds, nr);

	if (err)
		return err;
	if (index)
		*index = 0;
	err = shmchan__private(conds->region)->ops->wait_many(conds, nr,
							      deadline, index);
	if (err == -ESTALE && index) {
		/* Finding it writes the detail that fits. */
		stale = shmchan__first_stale(conds, nr);
		*index = stale < nr ? stale : 0;
	}
	return err;
}
