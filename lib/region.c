// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Regions: the calls of <shmchan/region.h>, for whichever backend.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/access.h>

#include "asym.h"
#include "backend.h"

#define DEFAULT_RIGHTS \
	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE | \
	 SHMCHAN_RIGHT_RING | SHMCHAN_RIGHT_WAIT)
#define DEFAULT_MODE	0600

const char *shmchan_backend_name(enum shmchan_backend backend)
{
	switch (backend) {
	case SHMCHAN_BACKEND_KMOD:
		return "kmod";
	case SHMCHAN_BACKEND_LOCAL:
		return "local";
	case SHMCHAN_BACKEND_AUTO:
		break;
	}
	return "auto";
}

/* What the environment says; AUTO: nothing, or nothing that we know. */
static enum shmchan_backend from_environment(const char **word)
{
	/* Who runs a setuid program must not choose for it. */
	const char *env = secure_getenv("SHMCHAN_BACKEND");

	*word = env;
	if (!env || !env[0] || !strcmp(env, "auto")) {
		*word = NULL;
		return SHMCHAN_BACKEND_AUTO;
	}
	if (!strcmp(env, "kmod"))
		return SHMCHAN_BACKEND_KMOD;
	if (!strcmp(env, "local"))
		return SHMCHAN_BACKEND_LOCAL;
	return SHMCHAN_BACKEND_AUTO;
}

enum shmchan_backend shmchan_backend_default(void)
{
	const char *word;
	enum shmchan_backend backend = from_environment(&word);

	if (backend != SHMCHAN_BACKEND_AUTO)
		return backend;
	return shmchan__kmod_present() ? SHMCHAN_BACKEND_KMOD :
					 SHMCHAN_BACKEND_LOCAL;
}

static const struct shmchan__backend *ops_of(enum shmchan_backend backend)
{
	return backend == SHMCHAN_BACKEND_KMOD ? &shmchan__kmod_ops :
						 &shmchan__local_ops;
}

int shmchan__pick_backend(enum shmchan_backend *backend)
{
	const char *word;

	if (*backend != SHMCHAN_BACKEND_AUTO)
		return 0;
	if (from_environment(&word) == SHMCHAN_BACKEND_AUTO && word)
		return shmchan__fail(EINVAL,
			"SHMCHAN_BACKEND is \"%.40s\" in the environment: should be kmod, local or auto",
			word);
	*backend = shmchan_backend_default();
	return 0;
}

int shmchan__usable(const struct shmchan_region *region)
{
	if (!region)
		return shmchan__fail(EINVAL, "the region is NULL");
	if (!shmchan__process_is(shmchan__private(region)->token))
		return shmchan__fail(EOWNERDEAD,
			"this handle was opened before fork, by the parent: a child opens its own");
	return 0;
}

static struct shmchan_region_private *
new_handle(enum shmchan_backend backend, const char *name)
{
	struct shmchan_region_private *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pub.priv = p;
	p->pub.backend = backend;
	p->ops = ops_of(backend);
	p->file.fd = -1;
	p->file.is_region = 1;
	if (name)
		strncpy(p->pub.name, name, sizeof(p->pub.name) - 1);
	p->token = shmchan__process_token();
	if (!p->token) {
		free(p);
		return NULL;
	}
	return p;
}

static void free_handle(struct shmchan_region_private *p)
{
	p->ops->forget(p);
	free(p->windows);
	free(p->doorbells);
	free(p);
}

int shmchan_region__stale(const struct shmchan_region *region)
{
	return shmchan__fail(ESTALE,
		"we are no longer a member of %s: our slot was taken from us, or we left",
		shmchan__name_of(region));
}

/* The member is there: from now on its word tells whether it still is. */
static int seat(struct shmchan_region_private *p)
{
	struct shmchan_region *r = &p->pub;

	r->own_word = shmchan_region_at(r, shmchan_slot_offset(r, r->slot));
	r->own_live = shmchan_load_acquire((uint64_t *)r->own_word);
	shmchan__asym_joined(p);
	if (shmchan__word_live(r->own_live, r->generation))
		return 0;
	return shmchan_region__stale(r);
}

/* The end of every way to become one; undo is what takes it back. */
static int settle(struct shmchan_region **region,
		  struct shmchan_region_private *p, int err,
		  void (*undo)(struct shmchan_region_private *p))
{
	if (!err) {
		err = seat(p);
		if (err)
			undo(p);
	}
	if (err)
		free_handle(p);
	else
		*region = &p->pub;
	return err;
}

static int no_memory(void)
{
	return shmchan__fail(ENOMEM, "no memory for a handle");
}

int shmchan_region_create(struct shmchan_region **region, const char *name,
			  const struct shmchan_region_opts *opts)
{
	/* numa_policy is the first of what the second version added. */
	static const struct shmchan__opts_type type = {
		sizeof(*opts), offsetof(struct shmchan_region_opts, numa_policy),
		"SHMCHAN_REGION_OPTS",
	};
	struct shmchan_region_private *p;
	struct shmchan_region_opts o;
	int err;

	if (!region)
		return shmchan__fail(EINVAL, "nowhere to put the region: NULL");
	*region = NULL;
	if (name && !name[0])
		name = NULL;
	err = shmchan__take_opts(&o, &type, opts);
	if (!err && name)
		err = shmchan__check_name(name);
	if (!err)
		err = shmchan__check_create(&o);
	if (!err)
		err = shmchan__pick_backend(&o.backend);
	if (err)
		return err;
	if (!o.mode)
		o.mode = DEFAULT_MODE;
	o.join_flags = shmchan__asym_prepare(o.join_flags);
	p = new_handle(o.backend, name);
	if (!p)
		return no_memory();
	p->join_flags = o.join_flags;
	return settle(region, p, p->ops->create(p, name, &o), p->ops->close);
}

int shmchan_region_open(struct shmchan_region **region, const char *name,
			const struct shmchan_open_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), offsetof(struct shmchan_open_opts, join_flags),
		"SHMCHAN_OPEN_OPTS",
	};
	static const struct shmchan_open_opts defaults = {
		.size = sizeof(defaults), .slot = SHMCHAN_SLOT_ANY,
	};
	struct shmchan_region_private *p;
	struct shmchan_open_opts o;
	int err;

	if (!region)
		return shmchan__fail(EINVAL, "nowhere to put the region: NULL");
	*region = NULL;
	if (!name)
		return shmchan__fail(EINVAL, "no name (NULL) to open");
	err = shmchan__take_opts(&o, &type, opts ? opts : &defaults);
	if (!err)
		err = shmchan__check_name(name);
	if (!err)
		err = shmchan__check_open(&o);
	if (!err)
		err = shmchan__pick_backend(&o.backend);
	if (err)
		return err;
	if (!o.rights)
		o.rights = DEFAULT_RIGHTS;
	o.join_flags = shmchan__asym_prepare(o.join_flags);
	p = new_handle(o.backend, name);
	if (!p)
		return no_memory();
	p->join_flags = o.join_flags;
	return settle(region, p, p->ops->open(p, name, &o), p->ops->close);
}

int shmchan_region_adopt(struct shmchan_region **region, int capability,
			 const struct shmchan_adopt_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_ADOPT_OPTS",
	};
	static const struct shmchan_adopt_opts defaults = {
		.size = sizeof(defaults), .slot = SHMCHAN_SLOT_ANY,
	};
	struct shmchan_region_private *p;
	struct shmchan_adopt_opts o;
	int err;

	if (!region)
		return shmchan__fail(EINVAL, "nowhere to put the region: NULL");
	*region = NULL;
	err = shmchan__take_opts(&o, &type, opts ? opts : &defaults);
	if (!err)
		err = shmchan__check_join(o.slot, o.join_flags);
	if (err)
		return err;
	o.join_flags = shmchan__asym_prepare(o.join_flags);
	p = new_handle(SHMCHAN_BACKEND_KMOD, NULL);
	if (!p)
		return no_memory();
	p->join_flags = o.join_flags;
	err = shmchan__kmod_adopt(p, capability, o.slot, o.join_flags);
	return settle(region, p, err, shmchan__kmod_give_back);
}

void shmchan__region_give_back(struct shmchan_region *region)
{
	shmchan__kmod_give_back(shmchan__private(region));
	free_handle(shmchan__private(region));
}

void shmchan_region_close(struct shmchan_region *region)
{
	struct shmchan_region_private *p;

	if (!region)
		return;
	p = shmchan__private(region);
	/* In a forked child there is nothing but the handle's own memory. */
	if (shmchan__process_is(p->token))
		p->ops->close(p);
	free_handle(p);
}

int shmchan_region_fd(const struct shmchan_region *region)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (region->backend != SHMCHAN_BACKEND_KMOD)
		return shmchan__fail(ENOTSUP,
			"the local backend's regions have no file that polls readable: put them into a set (shmchan_set_fd() of <shmchan/loop.h>), load the module, or wait with shmchan_bell_wait()");
	return shmchan__private(region)->file.fd;
}

int shmchan_region_member(const struct shmchan_region *region, uint32_t slot,
			  struct shmchan_member_info *info)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (!info)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	if (slot >= region->nr_slots)
		return shmchan__fail(EINVAL,
			"slot is %u: should be below %u", slot,
			region->nr_slots);
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->slot = slot;
	err = shmchan__private(region)->ops->member(shmchan__private(region),
						    slot, info);
	return err ? err : shmchan_region_check(region);
}

int shmchan_region_list(enum shmchan_backend backend,
			int (*fn)(const struct shmchan_list_entry *entry,
				  void *arg), void *arg)
{
	int err;

	if (!fn)
		return shmchan__fail(EINVAL, "no function to call: NULL");
	err = shmchan__pick_backend(&backend);
	if (err)
		return err;
	return ops_of(backend)->list(fn, arg);
}

int shmchan_region_query(const struct shmchan_region *region,
			 struct shmchan_query *query)
{
	const struct shmchan_region_private *p;
	uint32_t windows, doorbells;
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (!query)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	p = shmchan__private(region);
	windows = query->windows ? query->nr_windows : 0;
	doorbells = query->doorbells ? query->room_doorbells : 0;
	if (windows > p->nr_windows)
		windows = p->nr_windows;
	if (doorbells > region->nr_doorbells)
		doorbells = region->nr_doorbells;
	if (windows)
		memcpy((void *)(uintptr_t)query->windows, p->windows,
		       windows * sizeof(p->windows[0]));
	if (doorbells)
		memcpy((void *)(uintptr_t)query->doorbells, p->doorbells,
		       doorbells * sizeof(p->doorbells[0]));
	query->size = sizeof(*query);
	query->create_flags = p->flags;
	query->data_size = region->data_size;
	query->control_offset = region->control_offset;
	query->control_size = region->control_size;
	query->status_offset = region->status_offset;
	query->status_size = region->status_size;
	query->nr_slots = region->nr_slots;
	query->nr_doorbells = region->nr_doorbells;
	query->rights = region->rights;
	query->slot = region->slot;
	query->generation = region->generation;
	query->mode = p->mode;
	query->uid = p->uid;
	query->gid = p->gid;
	query->nr_windows = p->nr_windows;
	query->data_folio_size = p->data_folio_size;
	query->nr_extents = p->nr_extents;
	query->numa_policy = p->numa_policy;
	query->charged_uid = p->charged_uid;
	query->charged_bytes = p->charged_bytes;
	query->cgroup = p->cgroup;
	query->data = p->data;
	query->control = p->control;
	query->join_slot = SHMCHAN_SLOT_ANY;
	query->seals = 0;
	query->reserved = 0;
	memcpy(query->name, region->name, sizeof(query->name));
	err = p->ops->query ? p->ops->query(p, query) : 0;
	return err ? err : shmchan_region_check(region);
}

int shmchan_region_poll_members(const struct shmchan_region *region)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	err = shmchan__private(region)->ops->poll_members(
		shmchan__private(region));
	return shmchan_region_check(region) ? -ESTALE : err;
}
