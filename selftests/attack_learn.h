/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_LEARN_H
#define SHMCHAN_ATTACK_LEARN_H

/*
 * What can be learned without being told.  Here 1 is what it is if something
 * was; most goes to the loot, too, which the referee looks through.
 */

#include <sys/statfs.h>

#include "attack_scene.h"

static long learn_nothing(bool learned)
{
	return learned ? 1 : -EPERM;
}

enum about { STATUS_PADDING, DEVICE_TOTALS, OTHERS_BYTES, OTHERS_BYTES_FAR,
	WHO_IT_IS, WHO_IT_WAS, REGION_NAME, REGION_CGROUP, REGION_OWNER, MY_MAPS,
	MY_FDINFO, MY_LINK, MY_STAT, MY_STATFS, MY_FRAMES, EXTENTS_OUTSIDE,
	EXTENTS_FROM, LONG_ANSWERS, NEW_MEMORY, PHYS_AS_NSROOT, BYTES_AS_NSROOT,
	MY_SMAPS, MY_NUMA_MAPS, MY_MAP_FILES };

/* All that is not described in the header is zero. */
static bool status_tells_more(void)
{
	const char *p = view(AT_STATUS);
	struct shmchan_status head;
	char left[2 * PAGE];
	size_t at;

	memcpy(left, p, scene->status_size);
	memcpy(&head, left, sizeof(head));
	memset(left, 0, offsetof(struct shmchan_status, reserved));
	memset(left + head.slots_offset, 0, 8 * head.nr_slots);
	for (at = 0; at < head.nr_doorbells; at++) {
		struct shmchan_doorbell_status *bell = (void *)
			(left + head.doorbells_offset +
			 at * head.doorbell_stride);

		bell->waiters = 0;
		bell->seq = 0;
	}
	keep_loot(p, scene->status_size);
	return !all_bytes(left, scene->status_size, 0);
}

static bool totals_told(void)
{
	struct shmchan_query_device q = { .size = sizeof(q) };

	if (call(me.dev, SHMCHAN_IOC_QUERY_DEVICE, &q))
		return true;
	keep_loot(&q, sizeof(q));
	return q.total_bytes || q.pool_free;
}

static bool others_told(uint64_t cursor)
{
	struct shmchan_user_entry users[8] = {};
	struct shmchan_list_users u = {
		.size = sizeof(u), .cursor = cursor, .entries = ptr(users),
		.nr_entries = COUNT(users), .entry_size = sizeof(users[0]),
	};
	unsigned int i;

	if (call(me.dev, SHMCHAN_IOC_LIST_USERS, &u))
		return true;
	for (i = 0; i < u.nr_entries; i++)
		if (users[i].uid != geteuid())
			return true;
	return false;
}

/* By a member from other namespaces. */
static bool identity_told(bool before)
{
	const struct shmchan_identity *id;
	struct shmchan_member_info info;

	if (member_info(me.fd, before ? SLOT_VACANT : SLOT_VICTIM, &info))
		return true;
	keep_loot(&info, sizeof(info));
	id = &info.current_holder;
	return id->pid || id->uid != 65534 || id->gid != 65534;
}

/* A region that was made before may have had this memory. */
static bool new_memory_told(void)
{
	int fd = create_shared(2 * HUGE, 0);
	bool told = fd < 0;
	char *p;

	if (fd >= 0 && join(fd, 0) > 0) {
		p = map(fd, 0, 2 * HUGE, PROT_READ);
		told = p == MAP_FAILED || !all_bytes(p, 2 * HUGE, 0);
		if (p != MAP_FAILED)
			munmap(p, 2 * HUGE);
	}
	if (fd >= 0)
		close(fd);
	return told;
}

/* Beyond its own range; and what comes out at other places to begin. */
static bool extents_told(bool from)
{
	const uint64_t starts[] = {
		0, window_at(WINDOW_VICTIM), window_at(WINDOW_RANGE) + PAGE,
		window_at(WINDOW_VACANT), scene->data_size,
	};
	uint64_t first = window_at(me.role == ROLE_RANGE ? WINDOW_RANGE :
							   WINDOW_COMMON);
	uint64_t start;
	struct shmchan_extent e[16];
	unsigned int i;
	long nr, j;

	for (i = 0; i < (from ? COUNT(starts) : 1); i++) {
		start = starts[i];
		nr = extents_page(me.fd, &start, e, COUNT(e), 0);
		for (j = 0; j < nr; j++)
			if (e[j].offset < first || e[j].phys ||
			    e[j].offset + e[j].length > first + scene->folio)
				return true;
	}
	return false;
}

/* A longer structure than there is: what lies behind it stays as it is. */
static bool long_answers_tell(void)
{
	static const unsigned long calls[] = {
		SHMCHAN_IOC_QUERY, SHMCHAN_IOC_MEMBER_INFO, SHMCHAN_IOC_QUERY_DEVICE,
	};
	union {
		uint32_t size;
		unsigned char bytes[4096];
	} arg;
	unsigned int i;

	for (i = 0; i < COUNT(calls); i++) {
		memset(&arg, 0, sizeof(arg));
		arg.size = sizeof(arg);
		if (call(calls[i] == SHMCHAN_IOC_QUERY_DEVICE ? me.dev : me.fd,
			 calls[i], &arg))
			return true;
		keep_loot(&arg, sizeof(arg));
		if (!all_bytes(arg.bytes + 512, sizeof(arg) - 512, 0))
			return true;
	}
	return false;
}

static bool frames_told(void)
{
	uint64_t frames[1] = { 0 };
	const char *p = view(AT_VICTIM);

	probe_read(p);
	phys_read(p, frames, 1);
	return frames[0];
}

static void loot_text(const char *path)
{
	char text[16384];
	int n = read_text(path, text, sizeof(text));

	if (n > 0)
		keep_loot(text, n);
}

static long learn(const struct attempt *a)
{
	struct shmchan_query q;
	struct shmchan_extent e[4];
	char path[64], link[128];
	uint64_t start = 0;
	struct statfs fs;
	struct stat st;
	ssize_t n;

	switch (a->route->arg) {
	case STATUS_PADDING:
		return learn_nothing(status_tells_more());
	case DEVICE_TOTALS:
		return learn_nothing(totals_told());
	case OTHERS_BYTES:
		return learn_nothing(others_told(0));
	case OTHERS_BYTES_FAR:
		return learn_nothing(others_told(UID_VICTIM - 1));
	case WHO_IT_IS:
		return learn_nothing(identity_told(false));
	case WHO_IT_WAS:
		return learn_nothing(identity_told(true));
	case REGION_NAME:
		query(me.fd, &q);
		keep_loot(&q, sizeof(q));
		return learn_nothing(q.name[0]);
	case REGION_CGROUP:
		query(me.fd, &q);
		return learn_nothing(q.cgroup);
	case REGION_OWNER:
		query(me.fd, &q);
		return learn_nothing(q.uid != 65534 || q.gid != 65534 ||
				     q.charged_uid != 65534);
	case MY_MAPS:
		loot_text("/proc/self/maps");
		return learn_nothing(false);
	case MY_SMAPS:
		loot_text("/proc/self/smaps");
		return learn_nothing(false);
	case MY_NUMA_MAPS:
		loot_text("/proc/self/numa_maps");
		return learn_nothing(false);
	case MY_MAP_FILES:
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
			 (long)me.own, (long)me.own + scene->folio);
		n = readlink(path, link, sizeof(link));
		if (n > 0)
			keep_loot(link, n);
		return learn_nothing(false);
	case MY_FDINFO:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", me.fd);
		loot_text(path);
		return learn_nothing(false);
	case MY_LINK:
		snprintf(path, sizeof(path), "/proc/self/fd/%d", me.fd);
		n = readlink(path, link, sizeof(link));
		if (n > 0)
			keep_loot(link, n);
		return learn_nothing(false);
	case MY_STAT:
		if (fstat(me.fd, &st))
			return -errno;
		keep_loot(&st, sizeof(st));
		return learn_nothing(st.st_uid != 65534);
	case MY_STATFS:
		if (fstatfs(me.fd, &fs))
			return -errno;
		keep_loot(&fs, sizeof(fs));
		return learn_nothing(fs.f_blocks || fs.f_files);
	case MY_FRAMES:
		return learn_nothing(frames_told());
	case EXTENTS_OUTSIDE:
		return learn_nothing(extents_told(false));
	case EXTENTS_FROM:
		return learn_nothing(extents_told(true));
	case LONG_ANSWERS:
		return learn_nothing(long_answers_tell());
	case NEW_MEMORY:
		return learn_nothing(new_memory_told());
	case PHYS_AS_NSROOT:
		if (become_nsroot(0))
			return -ENOSYS;
		return extents_page(me.fd, &start, e, COUNT(e),
				    SHMCHAN_EXTENTS_PHYS);
	case BYTES_AS_NSROOT:
		if (become_nsroot(0))
			return -ENOSYS;
		return learn_nothing(totals_told() || others_told(0));
	}
	return -ENOSYS;
}

#define LEARN_BY(_roles, _name, _what, _want, ...)			\
	{ .name = (_name), .attack = learn, .arg = (_what),		\
	  .roles = (_roles), .targets = ONLY, .want = (_want), __VA_ARGS__ }
#define LEARN(_roles, _name, _what)	LEARN_BY(_roles, _name, _what, EPERM)
#define TELLTALES	(IS(STRANGER) | IS(NSROOT) | IS(OUTSIDER) |	\
			 IS(GUEST) | IS(MEMBER))

static const struct route told_routes[] = {
	LEARN(IS(MEMBER) | IS(READER) | IS(GUEST), "status-area",
	      STATUS_PADDING),
	LEARN(TELLTALES, "totals", DEVICE_TOTALS),
	LEARN(TELLTALES, "others'-bytes", OTHERS_BYTES),
	LEARN(TELLTALES, "others'-bytes-from-there", OTHERS_BYTES_FAR),
	LEARN(IS(MEMBER) | IS(READER) | IS(GUEST), "long-answers",
	      LONG_ANSWERS),
	LEARN(IS(MEMBER) | IS(READER) | IS(GUEST), "cgroup", REGION_CGROUP),
	LEARN_BY(IS(MEMBER), "addresses-as-root-of-a-namespace",
		 PHYS_AS_NSROOT, EPERM, .flags = SPOILS),
	LEARN_BY(IS(MEMBER), "bytes-as-root-of-a-namespace", BYTES_AS_NSROOT,
		 EPERM, .flags = SPOILS),
};

static const struct route across_routes[] = {
	LEARN(IS(GUEST), "who-is-the-victim", WHO_IT_IS),
	LEARN(IS(GUEST), "who-was-there-before", WHO_IT_WAS),
	LEARN(IS(GUEST), "name", REGION_NAME),
	LEARN(IS(GUEST), "owner", REGION_OWNER),
	LEARN(IS(GUEST), "maps", MY_MAPS),
	LEARN(IS(GUEST), "smaps", MY_SMAPS),
	LEARN(IS(GUEST), "numa_maps", MY_NUMA_MAPS),
	LEARN(IS(GUEST), "map_files", MY_MAP_FILES),
	LEARN(IS(GUEST), "fdinfo", MY_FDINFO),
	LEARN(IS(GUEST), "link-of-the-file", MY_LINK),
};

static const struct route range_routes[] = {
	LEARN(IS(RANGE) | IS(NARROW), "extents", EXTENTS_OUTSIDE),
	LEARN(IS(RANGE), "extents-from-elsewhere", EXTENTS_FROM),
};

static const struct route memory_told_routes[] = {
	LEARN(IS(MEMBER) | IS(READER), "page-frames", MY_FRAMES),
	LEARN(IS(GUEST), "stat", MY_STAT),
	LEARN(IS(MEMBER) | IS(GUEST), "statfs", MY_STATFS),
	LEARN(IS(STRANGER) | IS(OUTSIDER), "memory-of-a-new-region",
	      NEW_MEMORY),
};

static const struct family learn_families[] = {
	FAMILY("told", told_routes,
	       "more in an answer than is described, or than is the caller's "
	       "business",
	       "answers are zeroed structures; sums of all are for CAP_SYS_ADMIN "
	       "in the initial user namespace; the status area names nobody"),
	FAMILY("across", across_routes,
	       "ids, names and owners, by a member from other namespaces",
	       "ids are translated for the asker; a name is shown where it "
	       "is one"),
	FAMILY("range", range_routes,
	       "what lies outside of a capability's range",
	       "EXTENTS goes as far as the range"),
	FAMILY("memory", memory_told_routes,
	       "where memory lies, and what it was before",
	       "frames are told to CAP_SYS_ADMIN alone; all memory is zeroed"),
};

#endif /* SHMCHAN_ATTACK_LEARN_H */
