// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kmod backend: why a region was not created.
 *
 * The kernel has a number for it, and does not say which of several limits it
 * was or how far away the caller is.  Here is time to look.
 */

#include <errno.h>
#include <inttypes.h>

#include <shmchan/stat.h>

#include "backend_kmod.h"
#include "host.h"

#define PARAMETERS	"/sys/module/shmchan/parameters/"

static uint64_t mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

/* What is charged, but for what the kernel keeps about it. */
static uint64_t bytes_of(const struct shmchan_region_opts *o)
{
	return o->data_size + o->control_size +
	       SHMCHAN_STATUS_SIZE(o->nr_slots, o->nr_doorbells);
}

int shmchan__kmod_join_error(const char *label, int err, uint32_t slot)
{
	switch (err) {
	case EBUSY:
		return shmchan__fail(err,
			"slot %u of %s is held, or I/O of its last holder has its memory pinned still",
			slot, label);
	case EUSERS:
		return shmchan__fail(err,
			"all slots of %s are held: it was created with too few, or somebody should leave",
			label);
	case ECONNREFUSED:
		return shmchan__fail(err,
			"%s is sealed: nobody joins it any more (SHMCHAN_SEAL_MEMBERS)",
			label);
	case EISCONN:
		return shmchan__fail(err,
			"this capability of %s has joined before: each is good for one member; mint another",
			label);
	case EALREADY:
		return shmchan__fail(err,
			"somebody is joining %s with this capability right now: each is good for one member",
			label);
	case ESTALE:
		return shmchan__fail(err,
			"the capability of %s has been revoked: ask whoever gave it for another",
			label);
	default:
		return 0;
	}
}

static int over_user_limit(const struct shmchan_region_opts *o,
			   const struct shmchan_query_device *q)
{
	return shmchan__fail(EDQUOT,
		"the region needs %" PRIu64 " MiB; your limit is %" PRIu64 " MiB, of which %" PRIu64 " are used: raise it (echo MIB > " PARAMETERS "user_mb), have CAP_IPC_LOCK, or end what uses it (shmchan doctor)",
		mib(bytes_of(o)), (uint64_t)q->user_limit >> 20,
		mib(q->user_bytes));
}

static int over_total_limit(const struct shmchan_region_opts *o,
			    const struct shmchan_query_device *q)
{
	return shmchan__fail(ENOSPC,
		"the region needs %" PRIu64 " MiB; all regions together may have %" PRIu64 " MiB, and this machine has %" PRIu64 " MiB of memory: raise the limit (echo MIB > " PARAMETERS "total_mb), or ask for less",
		mib(bytes_of(o)), (uint64_t)q->total_limit >> 20,
		shmchan__meminfo("MemTotal") >> 20);
}

/* Which of the nodes given is it? */
static int wrong_node(const struct shmchan_region_opts *o)
{
	char present[SHMCHAN__NODES], allowed[SHMCHAN__NODES];
	uint32_t i;

	shmchan__nodes_with_memory(present);
	shmchan__nodes_allowed(allowed);
	for (i = 0; i < o->nr_nodes; i++) {
		if (present[0] && !shmchan__node_in(present, o->nodes[i]))
			return shmchan__fail(ENXIO,
				"nodes[%u] is %u: there is no such memory node, or it is offline; those with memory are %s",
				i, o->nodes[i], present);
		if (allowed[0] && !shmchan__node_in(allowed, o->nodes[i]))
			return shmchan__fail(ENXIO,
				"nodes[%u] is %u: this process's cpuset allows memory of nodes %s only (cpuset.mems of its cgroup)",
				i, o->nodes[i], allowed);
	}
	return shmchan__fail(ENXIO,
		"a node of nodes[] has no memory, or the cpuset forbids it: those with memory are %s, those allowed %s",
		present, allowed);
}

static int contig_forbidden(const struct shmchan_region_opts *o,
			    const struct shmchan_query_device *q)
{
	char group[SHMCHAN__PARAMETER];

	shmchan__parameter("contig_gid", group);
	return shmchan__fail(EPERM,
		"SHMCHAN_CREATE_CONTIG of %" PRIu64 " MiB: you may ask for %" PRIu64 " MiB in one run. More takes CAP_SYS_RESOURCE in the initial user namespace, or membership in the module's contig_gid, now %s",
		mib(o->data_size), (uint64_t)q->contig_limit >> 20,
		!group[0] || group[0] == '-' ? "no group" : group);
}

/* Of the nodes given, each counted once. */
static uint64_t nodes_meminfo(const struct shmchan_region_opts *o,
			      const char *field)
{
	uint64_t sum = 0;
	uint32_t i, j;

	for (i = 0; i < o->nr_nodes; i++) {
		for (j = 0; o->nodes[j] != o->nodes[i]; j++)
			;
		if (j == i)
			sum += shmchan__node_meminfo(o->nodes[i], field);
	}
	return sum;
}

/* There may be memory enough: it is scattered. */
static int no_run(const struct shmchan_region_opts *o,
		  const struct shmchan_query_device *q)
{
	char ms[SHMCHAN__PARAMETER], migrate[SHMCHAN__PARAMETER];

	shmchan__parameter("contig_ms", ms);
	shmchan__parameter("contig_migrate", migrate);
	return shmchan__fail(ENOMEM,
		"no run of %" PRIu64 " MiB was found%s; the search may take contig_ms, %s, and the pool has %" PRIu64 " of %" PRIu64 " MiB free: %sset memory aside at load (modprobe shmchan pool_mb=%" PRIu64 "), raise contig_ms, ask for less, or leave SHMCHAN_CREATE_CONTIG out",
		mib(o->data_size), o->nr_nodes ? " on these nodes" : "",
		ms[0] ? ms : "?", (uint64_t)q->pool_free >> 20,
		(uint64_t)q->pool_bytes >> 20,
		migrate[0] == 'N' ? "contig_migrate is N, Y would find more; or " : "",
		mib(o->data_size));
}

/* The nodes given, and no others, have too little. */
static int nodes_full(const struct shmchan_region_opts *o)
{
	return shmchan__fail(ENOMEM,
		"the region needs %" PRIu64 " MiB, and the nodes given have %" PRIu64 " of their %" PRIu64 " MiB free: ask for less, or take SHMCHAN_NUMA_PREFER, which goes on to other nodes",
		mib(bytes_of(o)), nodes_meminfo(o, "MemFree") >> 20,
		nodes_meminfo(o, "MemTotal") >> 20);
}

static int no_memory(const struct shmchan_region_opts *o,
		     const struct shmchan_query_device *q)
{
	uint64_t bytes = bytes_of(o), available = shmchan__meminfo("MemAvailable");
	int bound = o->numa_policy == SHMCHAN_NUMA_BIND ||
		    o->numa_policy == SHMCHAN_NUMA_INTERLEAVE;
	struct shmchan_cgroup_limit limit;

	shmchan_cgroup_limit(&limit);
	if (limit.left < bytes)
		return shmchan__fail(ENOMEM,
			"the region needs %" PRIu64 " MiB, and the memory cgroup %.200s has %" PRIu64 " of its %" PRIu64 " MiB left: raise its memory.max, or ask for less",
			mib(bytes), limit.path, limit.left >> 20,
			limit.max >> 20);
	if (available && available < bytes)
		return shmchan__fail(ENOMEM,
			"the region needs %" PRIu64 " MiB, and this machine has %" PRIu64 " of its %" PRIu64 " MiB of memory available: ask for less",
			mib(bytes), available >> 20,
			shmchan__meminfo("MemTotal") >> 20);
	if (bound && nodes_meminfo(o, "MemFree") < bytes)
		return nodes_full(o);
	if (o->flags & SHMCHAN_CREATE_CONTIG)
		return no_run(o, q);
	return shmchan__fail(ENOMEM,
		"no memory for %" PRIu64 " MiB%s, of which %" PRIu64 " MiB are available; or the memory cgroup's limit (memory.max) is reached",
		mib(bytes), o->flags & SHMCHAN_CREATE_SMALL ? "" :
		" in 2 MiB folios (SHMCHAN_CREATE_SMALL takes 4 KiB ones)",
		available >> 20);
}

static int not_offered(const struct shmchan_region_opts *o,
		       const struct shmchan_query_device *q)
{
	if (o->flags & SHMCHAN_CREATE_CONTIG &&
	    !(q->features & SHMCHAN_FEATURE_CONTIG))
		return shmchan__fail(EOPNOTSUPP,
			"SHMCHAN_CREATE_CONTIG: the module that is loaded does not offer that (see shmchan_device_query())");
	if (o->numa_policy && !(q->features & SHMCHAN_FEATURE_NUMA))
		return shmchan__fail(EOPNOTSUPP,
			"numa_policy is %u: the module that is loaded does not place memory on nodes (see shmchan_device_query())",
			o->numa_policy);
	if (!(q->features & SHMCHAN_FEATURE_HUGE) &&
	    !(o->flags & SHMCHAN_CREATE_SMALL))
		return shmchan__fail(EOPNOTSUPP,
			"this kernel has no 2 MiB folios: take SHMCHAN_CREATE_SMALL");
	return shmchan__fail(EOPNOTSUPP,
		"the module that is loaded does not offer that (see shmchan_device_query())");
}

int shmchan__kmod_create_error(const struct shmchan_region_private *p, int err,
			       const struct shmchan_region_opts *o,
			       const struct shmchan_query_device *q)
{
	int ret = shmchan__kmod_join_error(shmchan__label(p), err, o->slot);

	if (ret)
		return ret;
	switch (err) {
	case EEXIST:
		return shmchan__fail(err,
			"the name %s is taken in this IPC namespace: open it, or choose another",
			p->pub.name);
	case EDQUOT:
		return over_user_limit(o, q);
	case ENOSPC:
		return over_total_limit(o, q);
	case ENOMEM:
		return no_memory(o, q);
	case ENXIO:
		return wrong_node(o);
	case EPERM:
		return contig_forbidden(o, q);
	case EACCES:
		return shmchan__fail(err,
			"slot %u is reserved for another user (slots[].uid)",
			o->slot);
	case EOPNOTSUPP:
		return not_offered(o, q);
	default:
		return shmchan__fail(err, "creating %s: %s", shmchan__label(p),
				     shmchan__errstr(err));
	}
}
