/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ACCESS_STAGE_H
#define SHMCHAN_ACCESS_STAGE_H

/*
 * Who plays in access_matrix, and where: the namespaces, the subjects in them,
 * and a region for them to act on.
 *
 * The test itself is the owner of the region, the publisher and whoever else is
 * needed beside the subject: it changes its effective ids and its IPC namespace
 * for a call and then back.
 */

#include <linux/capability.h>
#include <sys/stat.h>

#include "test_peer.h"

/* The IPC namespaces. */
enum place {
	FIRST,		/* the first one, of the first user namespace */
	CHILD,		/* made in a child user namespace, which owns it */
	FOREIGN,	/* another one of the first user namespace */
	NR_PLACES,
};

static const char *const place_name[] = {
	"the first IPC namespace", "a child's IPC namespace",
	"a foreign IPC namespace",
};

/* The subjects; the letters are the heads of columns in access_table.h. */
enum subject {
	OWNER,		/* o: of the region */
	MEMBER,		/* m: of its group */
	OTHER,		/* t: a third one */
	PUBLISHER,	/* p: who gives the region further names */
	COLLEAGUE,	/* c: of the publisher's group */
	ROOT,		/* R: with all capabilities */
	BARE_ROOT,	/* b: uid 0, and no capability */
	IPC_OWNER,	/* i: a third one with CAP_IPC_OWNER alone */
	NO_IPC_OWNER,	/* n: ... with all the others */
	CHOWN,		/* h: ... with CAP_CHOWN alone */
	SYS_ADMIN,	/* s: ... with CAP_SYS_ADMIN alone */
	MAKER,		/* M: who made the child user namespace */
	CHILD_ROOT,	/* C: root in it, all capabilities there */
	CHILD_OWNER,	/* O: the owner in it, without capabilities */
	BELOW_ROOT,	/* B: root of another user namespace, made in it */
	NR_SUBJECTS,
};

#define UID_OWNER	1000
#define UID_MEMBER	1001
#define UID_OTHER	1002
#define UID_PUBLISHER	1003
#define UID_COLLEAGUE	1004
#define UID_VICTIM	1005	/* a member that is there to be revoked */
#define UID_MAKER	1006
#define UID_NEW_OWNER	1007
#define GID_OF_OWNER	1010	/* another group that the owner is in */
#define UID_CHILD_ROOT	2000	/* in the first user namespace */

/* Everybody's group has the same number. */
static const char child_map[] =
	"0 2000 1\n1000 1000 1\n1003 1003 1\n1005 1005 1\n1007 1007 1\n"
	"1010 1010 1\n";
/* Whoever gives the region away there can name the new owner, not the old. */
static const char below_map[] = "0 0 1\n1007 1007 1\n";

#define CAPS_ALL	(~0ULL)
#define CAPS(cap)	(1ULL << (cap))

enum user_ns { IN_FIRST, IN_CHILD, IN_BELOW };

struct cast {
	const char *name;
	unsigned int id;	/* uid and gid, as they are seen there */
	unsigned int group;	/* one more group, or 0 */
	uint64_t caps;
	enum user_ns user_ns;
};

static const struct cast casts[NR_SUBJECTS] = {
	[OWNER] = { "the owner", UID_OWNER, GID_OF_OWNER },
	[MEMBER] = { "one of the group", UID_MEMBER, UID_OWNER },
	[OTHER] = { "a third one", UID_OTHER },
	[PUBLISHER] = { "the publisher", UID_PUBLISHER },
	[COLLEAGUE] = { "one of the publisher's group", UID_COLLEAGUE,
			UID_PUBLISHER },
	[ROOT] = { "root", 0, 0, CAPS_ALL },
	[BARE_ROOT] = { "root without capabilities", 0 },
	[IPC_OWNER] = { "CAP_IPC_OWNER", UID_OTHER, 0, CAPS(CAP_IPC_OWNER) },
	[NO_IPC_OWNER] = { "all but CAP_IPC_OWNER", UID_OTHER, 0,
			   CAPS_ALL & ~CAPS(CAP_IPC_OWNER) },
	[CHOWN] = { "CAP_CHOWN", UID_OTHER, 0, CAPS(CAP_CHOWN) },
	[SYS_ADMIN] = { "CAP_SYS_ADMIN", UID_OTHER, 0, CAPS(CAP_SYS_ADMIN) },
	[MAKER] = { "the maker of the user namespace", UID_MAKER },
	[CHILD_ROOT] = { "root of a user namespace", 0, 0, CAPS_ALL, IN_CHILD },
	[CHILD_OWNER] = { "the owner in a user namespace", UID_OWNER,
			  GID_OF_OWNER, 0, IN_CHILD },
	[BELOW_ROOT] = { "root of another user namespace", 0, 0, CAPS_ALL,
			 IN_BELOW },
};

/* The namespaces, as files. */
static int ipc_ns[NR_PLACES];
static int child_user_ns;

/* Returns 0 or -errno. */
static inline int write_map(pid_t pid, const char *which, const char *map)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	return write_text(path, map);
}

static inline int open_ns(pid_t pid, const char *which)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, which);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Returns 0 or -errno.  The maker need not live on: the files hold them. */
static inline int make_namespaces(void)
{
	struct peer maker;
	long ret;

	ipc_ns[FIRST] = open_ns(getpid(), "ipc");
	if (unshare(CLONE_NEWIPC))
		return -errno;
	ipc_ns[FOREIGN] = open_ns(getpid(), "ipc");
	if (setns(ipc_ns[FIRST], CLONE_NEWIPC))
		return -errno;

	ret = peer_start(&maker);
	if (ret)
		return ret;
	ret = peer_call(&maker, peer_become, UID_MAKER, UID_MAKER);
	if (!ret)
		ret = peer_call(&maker, peer_unshare,
				CLONE_NEWUSER | CLONE_NEWIPC, 0);
	if (!ret)
		ret = write_map(maker.pid, "uid_map", child_map);
	if (!ret)
		ret = write_map(maker.pid, "gid_map", child_map);
	ipc_ns[CHILD] = open_ns(maker.pid, "ipc");
	child_user_ns = open_ns(maker.pid, "user");
	peer_stop(&maker);
	return ret;
}

/* Becoming a subject: all of this in a peer. */

static inline long enter_ns(long fd, long type)
{
	long ret = setns(fd, type) ? -errno : 0;

	close(fd);
	return ret;
}

static inline int keep_caps(uint64_t caps)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {};
	uint64_t had;

	if (syscall(SYS_capget, &head, data))
		return -errno;
	had = data[0].permitted | (uint64_t)data[1].permitted << 32;
	caps &= had;
	data[0].effective = data[0].permitted = caps;
	data[1].effective = data[1].permitted = caps >> 32;
	data[0].inheritable = data[1].inheritable = 0;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Only somebody in the user namespace above can map more than one id. */
static inline int go_below(void)
{
	int go[2], status;
	char byte = 0;
	pid_t pid;

	if (pipe(go))
		return -errno;
	/* Else /proc/PID/uid_map is the first root's. */
	prctl(PR_SET_DUMPABLE, 1);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		if (read(go[0], &byte, 1) != 1 ||
		    write_map(getppid(), "uid_map", below_map) ||
		    write_map(getppid(), "gid_map", below_map))
			_exit(1);
		_exit(0);
	}
	if (unshare(CLONE_NEWUSER))
		return -errno;
	if (write(go[1], &byte, 1) != 1 || waitpid(pid, &status, 0) != pid)
		return -errno;
	close(go[0]);
	close(go[1]);
	return status ? -EPERM : 0;
}

static inline long become(long subject, long b)
{
	const struct cast *c = &casts[subject];
	gid_t group = c->group;
	int ret;

	(void)b;
	umask(0);
	if (prctl(PR_SET_KEEPCAPS, 1) ||
	    syscall(SYS_setgroups, c->group ? 1 : 0, &group) ||
	    syscall(SYS_setresgid, c->id, c->id, c->id) ||
	    syscall(SYS_setresuid, c->id, c->id, c->id))
		return -errno;
	ret = keep_caps(c->caps);
	if (!ret && c->user_ns == IN_BELOW)
		ret = go_below();
	/* All of this clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return ret;
}

/* Returns 0 or -errno. */
static inline long subject_start(struct peer *p, enum subject who,
				 enum place where)
{
	long ret = peer_start(p);
	long fd;

	if (ret)
		return ret;
	fd = peer_give(p, ipc_ns[where]);
	ret = fd < 0 ? fd : peer_call(p, enter_ns, fd, CLONE_NEWIPC);
	if (!ret && casts[who].user_ns != IN_FIRST) {
		fd = peer_give(p, child_user_ns);
		ret = fd < 0 ? fd : peer_call(p, enter_ns, fd, CLONE_NEWUSER);
	}
	return ret ? ret : peer_call(p, become, who, 0);
}

/* The test acts as somebody, somewhere. */
static inline int act_as(unsigned int id, enum place where)
{
	if (setns(ipc_ns[where], CLONE_NEWIPC) || setegid(id) || seteuid(id))
		return -errno;
	return 0;
}

static inline int act_end(void)
{
	if (seteuid(0) || setegid(0) || setns(ipc_ns[FIRST], CLONE_NEWIPC))
		return -errno;
	return 0;
}

/*
 * The region: of small folios, with windows and doorbells as in
 * layout_default(), slots 0 and 1 for the subject, two for members that can be
 * revoked, and one that is reserved for the owner.
 */
#define SLOT_VICTIM	2
#define SLOT_OF_USER	3	/* of UID_VICTIM */
#define SLOT_RESERVED	4
#define STAGE_SLOTS	5

static struct layout layout;

static inline void make_layout(void)
{
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.nr_slots = STAGE_SLOTS;
}

/* Returns a capability, or -errno. */
static inline int create_as(unsigned int id, enum place where, const char *name,
			    unsigned int mode)
{
	struct shmchan_slot slots[STAGE_SLOTS] = {
		[SLOT_RESERVED] = {
			.flags = SHMCHAN_SLOT_FLAG_UID,
			.uid = UID_OWNER,
		},
	};
	struct shmchan_create c;
	int dev = open_device();
	int ret;

	if (dev < 0)
		return dev;
	layout.name = name;
	layout.mode = mode;
	c = create_args(&layout);
	c.slots = ptr(slots);
	ret = act_as(id, where);
	if (!ret)
		ret = call(dev, SHMCHAN_IOC_CREATE, &c);
	close(dev);
	if (act_end())
		return -EBADE;
	return ret ? ret : c.fd;
}

/* The capability keeps the name.  Returns 0 or -errno. */
static inline int publish_as(unsigned int id, enum place where, int cap,
			     const char *name, unsigned int mode,
			     unsigned int rights)
{
	int ret = act_as(id, where);

	if (!ret)
		ret = publish(cap, name, mode, rights);
	if (act_end())
		return -EBADE;
	return ret;
}

/* A member of that user, made by the test.  Returns it, or -errno. */
static inline int join_as(unsigned int id, int from, unsigned int slot)
{
	int fd = mint(from, SHMCHAN_RIGHT_ALL);
	int ret = act_as(id, FIRST);

	if (!ret)
		ret = join(fd, slot);
	if (act_end())
		return -EBADE;
	return ret < 0 ? ret : fd;
}

/* Many files in one message. */
#define MANY_FDS	128

static inline int send_many(int sock, const int *fds, unsigned int nr)
{
	union {
		char buf[CMSG_SPACE(MANY_FDS * sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char byte = 'm';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Returns 0 or -errno. */
static inline int recv_many(int sock, int *fds, unsigned int nr)
{
	union {
		char buf[CMSG_SPACE(MANY_FDS * sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(nr * sizeof(int)))
		return -EBADMSG;
	memcpy(fds, CMSG_DATA(cmsg), nr * sizeof(int));
	return 0;
}

#endif /* SHMCHAN_ACCESS_STAGE_H */
