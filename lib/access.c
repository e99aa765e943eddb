// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Capabilities: the calls of <shmchan/access.h>.
 *
 * The kernel has one errno for several things that can be wrong.  What can be
 * checked before is checked before, with a word about what would be right; for the
 * rest, QUERY tells afterwards what the capability has.
 */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "access_private.h"
#include "backend_kmod.h"

#define MEMBER_RIGHTS \
	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE | \
	 SHMCHAN_RIGHT_RING | SHMCHAN_RIGHT_WAIT)
#define DEFAULT_MODE	0600

const char *shmchan__rights_word(char *buffer, uint32_t rights)
{
	static const char *const words[] = {
		"read", "write", "ring", "wait", "admin", "publish",
	};
	size_t i, length = 0;

	snprintf(buffer, SHMCHAN__RIGHTS, "none");
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (rights & 1U << i)
			length += (size_t)snprintf(buffer + length,
				SHMCHAN__RIGHTS - length, "%s%s",
				length ? " " : "", words[i]);
	return buffer;
}

static int query(int fd, struct shmchan_query *q)
{
	q->size = sizeof(*q);
	return ioctl(fd, SHMCHAN_IOC_QUERY, q) ? errno : 0;
}

/* Is it a capability at all?  0, or the error, with its detail. */
int shmchan__capability_check(int fd, struct shmchan_query *q)
{
	int err;

	/* What shmchan_region_fd() said. */
	if (fd == -ENOTSUP)
		return shmchan__fail(ENOTSUP,
			"the local backend has no capabilities: load the module (shmchan doctor says how)");
	if (fd < 0)
		return shmchan__fail(EBADF,
			"the capability is %d: should be a file, as shmchan_capability_open() or shmchan_region_fd() returns it",
			fd);
	memset(q, 0, sizeof(*q));
	err = query(fd, q);
	switch (err) {
	case 0:
		return 0;
	case EBADF:
		return shmchan__fail(err, "the capability is %d: no such file is open",
				     fd);
	case ENOTTY:
	case EINVAL:
	case EOPNOTSUPP:
		return shmchan__fail(EPROTO,
			"file %d is no capability of shmchan: should come from shmchan_capability_open(), _mint() or _receive()",
			fd);
	case ESTALE:
		return shmchan__fail(err,
			"the capability has been revoked: ask whoever gave it for another");
	default:
		return shmchan__fail(err, "QUERY of a capability: %s",
				     shmchan__errstr(err));
	}
}

/* The name that it has here, for messages. */
const char *shmchan__queried_name(const struct shmchan_query *q)
{
	return q->name[0] ? q->name : "(a region without a name here)";
}

/* It has joined, and not as this process. */
int shmchan__joined_elsewhere(int fd, const struct shmchan_query *q)
{
	struct shmchan_member_info info = {
		.size = sizeof(info), .slot = q->slot,
	};

	return q->slot != SHMCHAN_SLOT_NONE &&
	       ioctl(fd, SHMCHAN_IOC_MEMBER_INFO, &info) && errno == EPERM;
}

/* What any of the calls can find; right is what it takes. */
int shmchan__capability_failed(int fd, int err, const char *call, uint32_t right)
{
	char has[SHMCHAN__RIGHTS], wants[SHMCHAN__RIGHTS];
	struct shmchan_query q;
	int ret = shmchan__capability_check(fd, &q);

	if (ret)
		return ret;
	if (err == EACCES && right & ~q.rights)
		return shmchan__fail(err,
			"%s takes the right %s; this capability of %s has %s: the owner can open one that has it",
			call, shmchan__rights_word(wants, right & ~q.rights),
			shmchan__queried_name(&q), shmchan__rights_word(has, q.rights));
	if (err == EPERM && shmchan__joined_elsewhere(fd, &q))
		return shmchan__fail(err,
			"%s: the capability has joined %s, as another process: it serves that one alone; mint one for this one",
			call, shmchan__queried_name(&q));
	switch (err) {
	case ENOTTY:
		return shmchan__fail(ENOTSUP,
			"the module that is loaded is older than this library, and has no %s",
			call);
	case ESTALE:
		return shmchan__fail(err,
			"%s: the capability has been revoked, or its member has left %s",
			call, shmchan__queried_name(&q));
	case EALREADY:
		return shmchan__fail(err,
			"%s: somebody is joining %s with this capability right now: try again",
			call, shmchan__queried_name(&q));
	default:
		return shmchan__fail(err, "%s of %s: %s", call, shmchan__queried_name(&q),
				     shmchan__errstr(err));
	}
}

int shmchan_capability_query(int capability, struct shmchan_query *query_to)
{
	struct shmchan_query q;
	int err;

	if (!query_to)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	err = shmchan__capability_check(capability, &q);
	if (err)
		return err;
	/* Once more, with the caller's room for descriptors. */
	q.windows = query_to->windows;
	q.nr_windows = query_to->windows ? query_to->nr_windows : 0;
	q.doorbells = query_to->doorbells;
	q.room_doorbells = query_to->doorbells ? query_to->room_doorbells : 0;
	err = query(capability, &q);
	if (err)
		return shmchan__capability_failed(capability, err, "QUERY", 0);
	*query_to = q;
	return 0;
}

int shmchan_capability_member(int capability, uint32_t slot,
			      struct shmchan_member_info *info)
{
	struct shmchan_query q;
	int err;

	if (!info)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	err = shmchan__capability_check(capability, &q);
	if (err)
		return err;
	if (slot >= q.nr_slots)
		return shmchan__fail(EINVAL, "slot is %u: should be below %u",
				     slot, q.nr_slots);
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->slot = slot;
	if (ioctl(capability, SHMCHAN_IOC_MEMBER_INFO, info))
		return shmchan__capability_failed(capability, errno, "MEMBER_INFO",
			      SHMCHAN_RIGHT_ADMIN);
	return 0;
}

static int check_rights(uint32_t rights)
{
	char all[SHMCHAN__RIGHTS];

	if (!(rights & ~SHMCHAN_RIGHT_ALL))
		return 0;
	return shmchan__fail(EINVAL,
		"rights is %#x: only SHMCHAN_RIGHT_ bits, %#x at most (%s)",
		rights, SHMCHAN_RIGHT_ALL,
		shmchan__rights_word(all, SHMCHAN_RIGHT_ALL));
}

static int open_capability(const char *name,
			   const struct shmchan_capability_opts *o)
{
	struct shmchan_open_opts as = {
		.rights = o->rights, .slot = SHMCHAN_SLOT_ANY,
		.any_owner = o->any_owner, .owner_uid = o->owner_uid,
		.has_owner_uid = o->has_owner_uid,
	};
	struct shmchan_query_device device;
	struct shmchan_open arg;
	int fd, err;

	fd = shmchan__kmod_device(&device);
	if (fd < 0)
		return fd;
	shmchan__kmod_open_arg(&arg, name, &as);
	err = ioctl(fd, SHMCHAN_IOC_OPEN, &arg) ? errno : 0;
	close(fd);
	return err ? shmchan__kmod_open_error(name, err, &as) : arg.fd;
}

int shmchan_capability_open(const char *name,
			    const struct shmchan_capability_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_CAPABILITY_OPTS",
	};
	static const struct shmchan_capability_opts defaults = {
		.size = sizeof(defaults),
	};
	struct shmchan_capability_opts o;
	int err;

	if (!name)
		return shmchan__fail(EINVAL, "no name (NULL) to open");
	err = shmchan__take_opts(&o, &type, opts ? opts : &defaults);
	if (!err)
		err = shmchan__check_name(name);
	if (!err)
		err = check_rights(o.rights);
	if (!err && o.owner_uid && !o.has_owner_uid)
		err = shmchan__fail(EINVAL,
			"owner_uid is %u without has_owner_uid", o.owner_uid);
	if (!err)
		err = shmchan__pick_backend(&o.backend);
	if (err)
		return err;
	if (o.backend != SHMCHAN_BACKEND_KMOD)
		return shmchan__fail(ENOTSUP,
			"the local backend has no capabilities: whoever may open the file of %s can do everything; load the module (shmchan doctor says how)",
			name);
	if (!o.rights)
		o.rights = MEMBER_RIGHTS;
	return open_capability(name, &o);
}

static int range_within(const struct shmchan_range *r, uint64_t offset,
			uint64_t length)
{
	return !r->length ||
	       (r->offset >= offset && r->offset - offset <= length &&
		r->length <= length - (r->offset - offset));
}

/* One of the two ranges, from as much as there is. */
static int check_range(const char *area, const struct shmchan_range *want,
		       const struct shmchan_range *has, uint64_t offset,
		       uint64_t length)
{
	if (want->offset % SHMCHAN_PAGE || want->length % SHMCHAN_PAGE)
		return shmchan__fail(EINVAL,
			"%s is %" PRIu64 " bytes at %#" PRIx64 ": both should be multiples of 4 KiB; %" PRIu64 " at %#" PRIx64 " would do",
			area, (uint64_t)want->length, (uint64_t)want->offset,
			(uint64_t)SHMCHAN_ALIGN_UP(want->length +
				want->offset % SHMCHAN_PAGE, SHMCHAN_PAGE),
			(uint64_t)(want->offset - want->offset % SHMCHAN_PAGE));
	if (!want->length && want->offset)
		return shmchan__fail(EINVAL,
			"%s is nothing at %#" PRIx64 ": should be {0, 0}, or have a length",
			area, (uint64_t)want->offset);
	if (!range_within(want, offset, length))
		return shmchan__fail(EINVAL,
			"%s is %" PRIu64 " bytes at %#" PRIx64 ", not within that area of the region: should be within %" PRIu64 " bytes at %#" PRIx64,
			area, (uint64_t)want->length, (uint64_t)want->offset,
			length, offset);
	if (!range_within(want, has->offset, has->length))
		return shmchan__fail(EACCES,
			"%s is %" PRIu64 " bytes at %#" PRIx64 ", beyond what this capability reaches: should be within %" PRIu64 " bytes at %#" PRIx64,
			area, (uint64_t)want->length, (uint64_t)want->offset,
			(uint64_t)has->length, (uint64_t)has->offset);
	return 0;
}

/* What MINT says EINVAL and EACCES to, in words; 0: nothing of that. */
static int check_mint(const struct shmchan_mint *m,
		      const struct shmchan_query *q)
{
	char more[SHMCHAN__RIGHTS], has[SHMCHAN__RIGHTS];
	int err;

	if (!m->rights)
		return shmchan__fail(EINVAL,
			"rights is 0: at least one, of those that this capability has (%s)",
			shmchan__rights_word(has, q->rights));
	err = check_rights(m->rights);
	if (err)
		return err;
	if (m->rights & ~q->rights)
		return shmchan__fail(EACCES,
			"rights has %s, which this capability has not: it has %s, and rights only get less",
			shmchan__rights_word(more, m->rights & ~q->rights),
			shmchan__rights_word(has, q->rights));
	if (m->flags & SHMCHAN_MINT_SLOT && m->slot >= q->nr_slots)
		return shmchan__fail(EINVAL,
			"slot is %u: should be below %u, or SHMCHAN_SLOT_ANY",
			m->slot, q->nr_slots);
	if (m->flags & SHMCHAN_MINT_SLOT && q->join_slot != SHMCHAN_SLOT_ANY &&
	    q->join_slot != m->slot)
		return shmchan__fail(EACCES,
			"slot is %u: this capability is for slot %u, and so is what is made from it",
			m->slot, q->join_slot);
	if (!(m->flags & SHMCHAN_MINT_RANGE))
		return 0;
	err = check_range("data", &m->data, &q->data, 0, q->data_size);
	return err ? err : check_range("control", &m->control, &q->control,
				       q->control_offset, q->control_size);
}

static int take_mint(struct shmchan_mint *m, const struct shmchan_query *q,
		     const struct shmchan_mint_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_MINT_OPTS",
	};
	struct shmchan_mint_opts o;
	int err = shmchan__take_opts(&o, &type, opts);

	if (err)
		return err;
	memset(m, 0, sizeof(*m));
	m->size = sizeof(*m);
	m->rights = o.rights;
	if (o.slot != SHMCHAN_SLOT_ANY) {
		m->flags |= SHMCHAN_MINT_SLOT;
		m->slot = o.slot;
	}
	if (o.data || o.control) {
		m->flags |= SHMCHAN_MINT_RANGE;
		m->data = o.data ? *o.data : q->data;
		m->control = o.control ? *o.control : q->control;
	}
	return check_mint(m, q);
}

static int mint_error(int fd, int err, uint32_t right)
{
	switch (err) {
	case EMLINK:
		return shmchan__fail(err,
			"%d capabilities have been minted one from the other, which is the most: mint from an earlier one",
			SHMCHAN_MAX_DEPTH);
	case EISCONN:
		return shmchan__fail(err,
			"the capability has joined, and stays as it is: mint a narrower one, or narrow before joining");
	default:
		return shmchan__capability_failed(fd, err, right ? "MINT" : "MINT_SELF", right);
	}
}

int shmchan_capability_mint(int capability,
			    const struct shmchan_mint_opts *opts)
{
	struct shmchan_query q;
	struct shmchan_mint m;
	int err;

	err = shmchan__capability_check(capability, &q);
	if (!err && !(q.rights & SHMCHAN_RIGHT_PUBLISH))
		err = shmchan__capability_failed(capability, EACCES, "MINT",
			     SHMCHAN_RIGHT_PUBLISH);
	if (!err)
		err = take_mint(&m, &q, opts);
	if (err)
		return err;
	if (ioctl(capability, SHMCHAN_IOC_MINT, &m))
		return mint_error(capability, errno, SHMCHAN_RIGHT_PUBLISH);
	return m.fd;
}

int shmchan_capability_narrow(int capability,
			      const struct shmchan_mint_opts *opts)
{
	struct shmchan_query q;
	struct shmchan_mint m;
	int err;

	err = shmchan__capability_check(capability, &q);
	if (!err)
		err = take_mint(&m, &q, opts);
	if (err)
		return err;
	m.flags |= SHMCHAN_MINT_SELF;
	if (ioctl(capability, SHMCHAN_IOC_MINT, &m))
		return mint_error(capability, errno, 0);
	return 0;
}

int shmchan__check_mode(uint32_t mode)
{
	if (!(mode & ~0666U))
		return 0;
	return shmchan__fail(EINVAL,
		"mode is 0%o: only read and write bits, 0666 at most", mode);
}

static int publish_error(int fd, int err, const struct shmchan_publish *p,
			 const struct shmchan_query *q, const char *name)
{
	char more[SHMCHAN__RIGHTS], has[SHMCHAN__RIGHTS];

	switch (err) {
	case EEXIST:
		return shmchan__fail(err,
			"the name %s is taken in this IPC namespace (shmchan ls shows what there is)",
			name);
	case ECONNREFUSED:
		return shmchan__fail(err,
			"%s is sealed against further names (SHMCHAN_SEAL_PUBLISH): that is for good",
			shmchan__queried_name(q));
	case EMLINK:
		return shmchan__fail(err,
			"the region has %d names, which is the most, or this capability comes of %d others: withdraw one, or publish by an earlier one",
			SHMCHAN_MAX_NAMES, SHMCHAN_MAX_DEPTH);
	case EXDEV:
		return shmchan__fail(err,
			"this capability keeps names in another IPC namespace, and can be in one only: take one that was minted for this");
	case EACCES:
		if (p->rights & ~q->rights)
			return shmchan__fail(err,
				"rights has %s, which this capability has not: it has %s, and a name grants no more",
				shmchan__rights_word(more,
						     p->rights & ~q->rights),
				shmchan__rights_word(has, q->rights));
		/* Fall through. */
	default:
		return shmchan__capability_failed(fd, err, "PUBLISH", SHMCHAN_RIGHT_PUBLISH);
	}
}

int shmchan_capability_publish(int capability, const char *name,
			       const struct shmchan_publish_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_PUBLISH_OPTS",
	};
	static const struct shmchan_publish_opts defaults = {
		.size = sizeof(defaults),
	};
	struct shmchan_publish_opts o;
	struct shmchan_publish p;
	struct shmchan_query q;
	int err;

	if (!name)
		return shmchan__fail(EINVAL, "no name (NULL) to publish as");
	err = shmchan__take_opts(&o, &type, opts ? opts : &defaults);
	if (!err)
		err = shmchan__check_name(name);
	if (!err)
		err = shmchan__check_mode(o.mode);
	if (!err)
		err = check_rights(o.rights);
	if (!err)
		err = shmchan__capability_check(capability, &q);
	if (err)
		return err;
	p = (struct shmchan_publish){
		.size = sizeof(p),
		.name = (uintptr_t)name,
		.name_len = (uint32_t)strlen(name),
		.mode = o.mode ? o.mode : DEFAULT_MODE,
		.rights = o.rights ? o.rights : q.rights & MEMBER_RIGHTS,
	};
	if (ioctl(capability, SHMCHAN_IOC_PUBLISH, &p))
		return publish_error(capability, errno, &p, &q, name);
	return 0;
}

int shmchan_capability_withdraw(int capability, const char *name)
{
	struct shmchan_withdraw w = { .size = sizeof(w) };
	struct shmchan_query q;
	int err;

	if (!name)
		return shmchan__fail(EINVAL, "no name (NULL) to withdraw");
	err = shmchan__check_name(name);
	if (!err)
		err = shmchan__capability_check(capability, &q);
	if (err)
		return err;
	w.name = (uintptr_t)name;
	w.name_len = (uint32_t)strlen(name);
	if (!ioctl(capability, SHMCHAN_IOC_WITHDRAW, &w))
		return 0;
	err = errno;
	if (err == ENOENT)
		return shmchan__fail(err,
			"%s is no name of this region in this IPC namespace (shmchan ls shows what there is)",
			name);
	if (err == EACCES)
		return shmchan__fail(err,
			"%s was not published by this capability: that takes the right admin, or the capability that published it",
			name);
	return shmchan__capability_failed(capability, err, "WITHDRAW", 0);
}

int shmchan_capability_withdraw_all(int capability)
{
	struct shmchan_withdraw w = {
		.size = sizeof(w), .flags = SHMCHAN_WITHDRAW_PUBLISHED,
	};
	struct shmchan_query q;
	int err = shmchan__capability_check(capability, &q);

	if (err)
		return err;
	if (ioctl(capability, SHMCHAN_IOC_WITHDRAW, &w))
		return shmchan__capability_failed(capability, errno, "WITHDRAW of all",
			      SHMCHAN_RIGHT_ADMIN);
	return (int)w.nr_names;
}
