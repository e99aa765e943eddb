/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SHMCHAN_COMPAT_H
#define _SHMCHAN_COMPAT_H

/* All that differs between the kernels we build on: 6.1, 6.12 and 7.2. */

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pagemap.h>
#include <linux/time_namespace.h>
#include <linux/version.h>

/* VMA flags are written through helpers, under a lock, since 6.3. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void shmchan_vm_flags_mod(struct vm_area_struct *vma,
					vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags |= set;
	vma->vm_flags &= ~clear;
}

/* The first argument of ->setattr and its like. */
#define shmchan_idmap	user_namespace
#else
static inline void shmchan_vm_flags_mod(struct vm_area_struct *vma,
					vm_flags_t set, vm_flags_t clear)
{
	vm_flags_mod(vma, set, clear);
}

#define shmchan_idmap	mnt_idmap
#endif

/* Compaction skips such a mapping early; older kernels fail later. */
static inline void shmchan_mapping_set_inaccessible(struct address_space *m)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	mapping_set_inaccessible(m);
#endif
}

/* do_timens_ktime_to_host() is not exported before 7.2. */
static inline ktime_t shmchan_timens_to_host(ktime_t t)
{
#ifdef CONFIG_TIME_NS
	const struct time_namespace *ns = current->nsproxy->time_ns;

	ktime_t offset = timespec64_to_ktime(ns->offsets.monotonic);

	/* t is not negative; nor may the sum overflow. */
	if (offset < 0 && t > KTIME_MAX + offset)
		return KTIME_MAX;
	t = ktime_sub(t, offset);
	if (t < 0)
		t = 0;
#endif
	return t;
}

#endif /* _SHMCHAN_COMPAT_H */
