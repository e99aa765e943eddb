/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BACKEND_KMOD_H
#define SHMCHAN_BACKEND_KMOD_H

/* What the files of the kmod backend share. */

#include "backend.h"

#pragma GCC visibility push(hidden)

/* A file of the device, of an ABI that is ours; or an error, with its detail. */
int shmchan__kmod_device(struct shmchan_query_device *q);

/* The errors that any call of a member can give. */
int shmchan__kmod_member_error(const struct shmchan_region_private *p, int err,
			       const char *what);

/* What JOIN found wrong, in whatever call; 0: not an error of JOIN alone. */
int shmchan__kmod_join_error(const char *label, int err, uint32_t slot);

/* OPEN of a name, without JOIN: its argument, and what it found wrong. */
void shmchan__kmod_open_arg(struct shmchan_open *arg, const char *name,
			    const struct shmchan_open_opts *o);
int shmchan__kmod_open_error(const char *name, int err,
			     const struct shmchan_open_opts *o);

/* Why CREATE failed; q as the device answered after that. */
int shmchan__kmod_create_error(const struct shmchan_region_private *p, int err,
			       const struct shmchan_region_opts *o,
			       const struct shmchan_query_device *q);

/* backend_kmod_loop.c */
int shmchan__kmod_wait_many(const struct shmchan_cond *conds, uint32_t nr,
			    uint64_t deadline, uint32_t *index);
int shmchan__kmod_subscribe_members(struct shmchan_region_private *p);
int shmchan__kmod_unsubscribe(struct shmchan_region_private *p,
			      uint32_t doorbell);
int shmchan__kmod_events(struct shmchan_region_private *p,
			 struct shmchan_event *events, uint32_t nr);
int shmchan__kmod_bind_eventfd(struct shmchan_region_private *p,
			       uint32_t doorbell, int fd);

/* EXTENTS of a capability, as shmchan_region_extents(); -errno, no detail. */
int shmchan__kmod_extents(int fd, uint32_t flags, uint64_t *start,
			  struct shmchan_extent *extents, uint32_t room);

/* backend_kmod_asym.c: WAIT beside producers without a fence. */

/* What WAIT is given: the caller's elements first, then perhaps some of ours. */
struct shmchan__kmod_guard {
	const struct shmchan_wait_elem *elems;
	uint32_t nr;
	uint32_t flags;			/* of WAIT */
	uint64_t slice;			/* sleep no longer at a time; 0: do */
	struct shmchan_wait_elem room[SHMCHAN_MAX_ELEMS];
};

void shmchan__kmod_guard(struct shmchan_region_private *p,
			 const struct shmchan_wait_elem *elems,
			 uint32_t nr_elems, int own, int careful,
			 struct shmchan__kmod_guard *g);

/* ARM; an errno, no detail. */
int shmchan__kmod_arm(struct shmchan_region_private *p, uint32_t doorbell,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems);

int shmchan__kmod_hand_over(struct shmchan_region_private *p,
			    uint32_t doorbell);
int shmchan__kmod_count(struct shmchan_region_private *p, uint32_t doorbell);

#pragma GCC visibility pop

#endif /* SHMCHAN_BACKEND_KMOD_H */
