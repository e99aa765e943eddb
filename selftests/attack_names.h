/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_NAMES_H
#define SHMCHAN_ATTACK_NAMES_H

/* Names, namespaces, users, and the device itself. */

#include <dirent.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <linux/capability.h>

#include "attack_scene.h"

#define NAMELESS	(IS(STRANGER) | IS(NSROOT) | IS(OUTSIDER))
#define WITH_OWNER	(NAMELESS | IS(SAMEUID))

/* Whom the name does not let in, or who cannot even see it. */
static int want_open(const struct attempt *a)
{
	switch (a->role) {
	case ROLE_OUTSIDER:
		return ENOENT;
	case ROLE_SAMEUID:
		return 0;
	default:
		return EACCES;
	}
}

/* Who has a name of its own with these letters. */
static int want_exists(const struct attempt *a)
{
	return a->role == ROLE_OUTSIDER ? 0 : EEXIST;
}

static long open_as(unsigned int rights, unsigned int flags, unsigned int uid)
{
	struct shmchan_open o = {
		.size = sizeof(o), .flags = flags, .name = ptr(scene->name),
		.name_len = strlen(scene->name), .rights = rights,
		.owner_uid = uid,
		.join_slot = flags & SHMCHAN_OPEN_JOIN ? SLOT_SPARE : 0,
	};
	long ret = call(me.dev, SHMCHAN_IOC_OPEN, &o);

	if (ret)
		return ret;
	close(o.fd);
	return 0;
}

static long name_open(const struct attempt *a)
{
	return open_as(a->route->arg, 0, 0);
}

static long name_open_flags(const struct attempt *a)
{
	return open_as(RIGHTS_RW, a->route->arg,
		       a->route->arg & SHMCHAN_OPEN_OWNER_UID ? UID_VICTIM : 0);
}

#define OPEN(_name, _attack, _arg)					\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = WITH_OWNER, .targets = ONLY, .wanted = want_open,	\
	  .flags = MAY_JOIN }

static const struct route open_routes[] = {
	OPEN("map-read", name_open, SHMCHAN_RIGHT_MAP_READ),
	OPEN("map-write", name_open, SHMCHAN_RIGHT_MAP_WRITE),
	OPEN("ring", name_open, SHMCHAN_RIGHT_RING),
	OPEN("wait", name_open, SHMCHAN_RIGHT_WAIT),
	OPEN("admin", name_open, SHMCHAN_RIGHT_ADMIN),
	OPEN("publish", name_open, SHMCHAN_RIGHT_PUBLISH),
	OPEN("all", name_open, SHMCHAN_RIGHT_ALL),
	OPEN("and-join", name_open_flags, SHMCHAN_OPEN_JOIN),
	OPEN("of-that-owner", name_open_flags, SHMCHAN_OPEN_OWNER_UID),
};

/* Names of its own. */

static long own_region(const char *name, unsigned int mode)
{
	struct layout l = layout_default(SHMCHAN_CREATE_SMALL, false);

	l.name = name;
	l.mode = mode;
	return create_region(&l);
}

static long name_create(const struct attempt *a)
{
	long fd = own_region(scene->name, 0666);

	(void)a;
	if (fd >= 0)
		close(fd);
	return fd;
}

static long name_publish(const struct attempt *a)
{
	long fd = own_region(NULL, 0666), ret;

	(void)a;
	if (fd < 0)
		return fd;
	ret = publish(fd, scene->name, 0666, SHMCHAN_RIGHT_ALL);
	close(fd);
	return ret;
}

static long name_withdraw(const struct attempt *a)
{
	long fd = own_region(NULL, 0666), ret;

	(void)a;
	if (fd < 0)
		return fd;
	ret = withdraw(fd, scene->name);
	close(fd);
	return ret;
}

/* A region that looks like somebody else's. */
static long name_chown(const struct attempt *a)
{
	const struct shmchan_setattr *with = (const void *)a->route->arg;
	struct shmchan_setattr s = *with;
	long fd = own_region(NULL, 0666), ret;

	if (fd < 0)
		return fd;
	s.size = sizeof(s);
	ret = call(fd, SHMCHAN_IOC_SETATTR, &s);
	close(fd);
	return ret;
}

/* The victim's user opens it, and expects it to be its own or root's. */
static long name_squat(const struct attempt *a)
{
	char name[32];
	long fd, ret;

	snprintf(name, sizeof(name), "squat-%d", getpid());
	fd = own_region(name, 0666);
	(void)a;
	if (fd < 0)
		return fd;
	strcpy((char *)scene->loot, name);
	ret = ask(OPEN_BY_NAME, 0);
	close(fd);
	return ret;
}

static const char *const bad_names[] = {
	"", "../victim", "a/b", "/dev/shm/a", "a b", "a\nb", "a\tb", "a%sb",
	"a\x01", "\xc3\xa4", "a:b", "a\\b", "a*", "~a",
	"0123456789012345678901234567890123456789012345678901234567890123",
};

static long name_bad(const struct attempt *a)
{
	const char *name = bad_names[a->route->arg];
	long fd = own_region(name, 0600);

	if (fd >= 0) {
		close(fd);
		return 1;
	}
	if (fd != -EINVAL)
		return fd;
	fd = open_region(name, SHMCHAN_RIGHT_MAP_READ);
	if (fd >= 0)
		close(fd);
	return fd;
}

static const struct shmchan_setattr to_victim = {
	.flags = SHMCHAN_SETATTR_UID, .uid = UID_VICTIM,
};
static const struct shmchan_setattr to_user_root = {
	.flags = SHMCHAN_SETATTR_UID,
};
static const struct shmchan_setattr to_group_root = {
	.flags = SHMCHAN_SETATTR_GID,
};
static const struct shmchan_setattr to_victims_group = {
	.flags = SHMCHAN_SETATTR_GID, .gid = UID_VICTIM,
};
static const struct shmchan_setattr to_nobody = {
	.flags = SHMCHAN_SETATTR_UID, .uid = ~0U,
};

#define NAME_OF(_roles, _name, _attack, _arg, _want)			\
	{ .name = (_name), .attack = (_attack), .arg = (long)(_arg),	\
	  .roles = (_roles), .targets = ONLY, .want = (_want) }
#define BAD_NAME(_name, _nr)						\
	NAME_OF(IS(STRANGER), "name-" _name, name_bad, _nr, EINVAL)

static const struct route squat_routes[] = {
	{ .name = "create", .attack = name_create, .roles = NAMELESS,
	  .targets = ONLY, .wanted = want_exists },
	{ .name = "publish", .attack = name_publish, .roles = NAMELESS,
	  .targets = ONLY, .wanted = want_exists },
	NAME_OF(NAMELESS, "withdraw", name_withdraw, 0, ENOENT),
	NAME_OF(IS(STRANGER) | IS(NSROOT), "be-opened-as-the-victim's",
		name_squat, 0, EPERM),
	NAME_OF(IS(STRANGER), "give-to-the-victim", name_chown, &to_victim,
		EPERM),
	NAME_OF(IS(NSROOT), "give-to-the-victim", name_chown, &to_victim,
		EINVAL),
	NAME_OF(IS(STRANGER) | IS(OUTSIDER), "give-to-root", name_chown,
		&to_user_root, EPERM),
	NAME_OF(IS(STRANGER) | IS(OUTSIDER), "give-to-root's-group",
		name_chown, &to_group_root, EPERM),
	NAME_OF(IS(STRANGER), "give-to-the-victim's-group", name_chown,
		&to_victims_group, EPERM),
	NAME_OF(NAMELESS, "give-to-nobody", name_chown, &to_nobody, EINVAL),
};

static const struct route bad_name_routes[] = {
	BAD_NAME("empty", 0), BAD_NAME("upwards", 1), BAD_NAME("slash", 2),
	BAD_NAME("path", 3), BAD_NAME("blank", 4), BAD_NAME("newline", 5),
	BAD_NAME("tab", 6), BAD_NAME("format", 7), BAD_NAME("control", 8),
	BAD_NAME("utf-8", 9), BAD_NAME("colon", 10),
	BAD_NAME("backslash", 11), BAD_NAME("wildcard", 12),
	BAD_NAME("tilde", 13), BAD_NAME("too-long", 14),
};

/* Other people's namespaces and names of people. */

static long ns_list(const struct attempt *a)
{
	struct shmchan_list_entry entries[64];
	struct shmchan_list l = {
		.size = sizeof(l), .cursor = a->route->arg,
		.entries = ptr(entries), .nr_entries = COUNT(entries),
		.entry_size = sizeof(entries[0]),
	};
	long ret = call(me.dev, SHMCHAN_IOC_LIST, &l);

	if (!ret)
		keep_loot(entries, l.nr_entries * sizeof(entries[0]));
	return ret;
}

static long ns_setns(const struct attempt *a)
{
	char path[48];
	long ret;
	int fd;

	if (!a->route->arg)
		return sys(SYS_setns, me.ipc, 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", scene->victim,
		 (const char *)a->route->arg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = sys(SYS_setns, fd, 0);
	close(fd);
	return ret;
}

static long ns_setns_pidfd(const struct attempt *a)
{
	int pidfd = syscall(SYS_pidfd_open, scene->victim, 0);
	long ret;

	if (pidfd < 0)
		return -errno;
	ret = sys(SYS_setns, pidfd, a->route->arg);
	close(pidfd);
	return ret;
}

/* In a namespace of its own it is root: does that open names elsewhere? */
static long ns_unshare(const struct attempt *a)
{
	long ret = peer_unshare(CLONE_NEWUSER | a->route->arg, 0);

	return ret ? ret : open_as(SHMCHAN_RIGHT_MAP_READ, 0, 0);
}

static long ns_unshare_ipc(const struct attempt *a)
{
	long ret = peer_unshare(CLONE_NEWIPC, 0);

	(void)a;
	return ret ? ret : open_as(SHMCHAN_RIGHT_MAP_READ, 0, 0);
}

enum becoming { RESUID, RESGID, GROUPS, FSUID, CAPSET, UIDMAP, GIDMAP, EUID_ROOT,
	SECUREBITS, AMBIENT };

static long ns_become(const struct attempt *a)
{
	struct __user_cap_header_struct cap = { _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct all[2] = {
		{ ~0U, ~0U, ~0U }, { 0x1ff, 0x1ff, 0x1ff },
	};
	gid_t groups[1] = { UID_VICTIM };
	char map[32];
	long ret = 0;

	switch (a->route->arg) {
	case RESUID:
		ret = sys(SYS_setresuid, UID_VICTIM, UID_VICTIM, UID_VICTIM);
		break;
	case RESGID:
		ret = sys(SYS_setresgid, UID_VICTIM, UID_VICTIM, UID_VICTIM);
		break;
	case GROUPS:
		ret = sys(SYS_setgroups, 1, groups);
		break;
	case FSUID:
		/* It never says that it was refused. */
		syscall(SYS_setfsuid, UID_VICTIM);
		break;
	case CAPSET:
		ret = sys(SYS_capset, &cap, all);
		break;
	case UIDMAP:
		snprintf(map, sizeof(map), "0 %d 1", UID_VICTIM);
		ret = write_text("/proc/self/uid_map", map);
		break;
	case GIDMAP:
		snprintf(map, sizeof(map), "0 %d 1", UID_VICTIM);
		ret = write_text("/proc/self/gid_map", map);
		break;
	case EUID_ROOT:
		ret = a->role == ROLE_NSROOT ? 0 :
		      sys(SYS_setresuid, -1, 0, -1);
		break;
	case SECUREBITS:
		ret = prctl(PR_SET_SECUREBITS, 0x2f) ? -errno : 0;
		break;
	case AMBIENT:
		ret = prctl(PR_CAP_AMBIENT, 2, 15, 0, 0) ? -errno : 0;
		break;
	}
	/* Whatever came of that: what is it good for? */
	if (!ret)
		ret = open_as(SHMCHAN_RIGHT_MAP_READ, 0, 0);
	return ret;
}

static const char ns_ipc[] = "ipc", ns_user[] = "user", ns_pid[] = "pid",
	ns_mnt[] = "mnt";

#define NS(_name, _attack, _arg, _roles)				\
	NAME_OF(_roles, _name, _attack, _arg, 0)

static const struct route namespace_routes[] = {
	NAME_OF(IS(OUTSIDER) | IS(GUEST), "list", ns_list, 0, ANYHOW),
	NAME_OF(IS(OUTSIDER) | IS(GUEST), "list-from-1", ns_list, 1, ANYHOW),
	NAME_OF(IS(OUTSIDER) | IS(GUEST), "list-from-far", ns_list, -2,
		ANYHOW),
	NS("setns", ns_setns, 0, NAMELESS | IS(GUEST)),
	NS("setns-by-proc", ns_setns, ns_ipc, NAMELESS | IS(GUEST)),
	NS("setns-user", ns_setns, ns_user, NAMELESS),
	NS("setns-pid", ns_setns, ns_pid, NAMELESS),
	NS("setns-mount", ns_setns, ns_mnt, NAMELESS),
	NS("setns-by-pidfd", ns_setns_pidfd, CLONE_NEWIPC, NAMELESS),
	NS("setns-all-by-pidfd", ns_setns_pidfd,
	   CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUSER, NAMELESS),
	{ .name = "own-user-namespace", .attack = ns_unshare,
	  .roles = IS(STRANGER), .targets = ONLY, .want = EACCES,
	  .flags = SPOILS },
	{ .name = "own-user-and-ipc-namespace", .attack = ns_unshare,
	  .arg = CLONE_NEWIPC, .roles = IS(STRANGER) | IS(SAMEUID),
	  .targets = ONLY, .want = ENOENT, .flags = SPOILS },
	{ .name = "another-ipc-namespace", .attack = ns_unshare_ipc,
	  .roles = IS(NSROOT), .targets = ONLY, .want = ENOENT,
	  .flags = SPOILS },
};

#define BECOME(_name, _arg)						\
	NS(_name, ns_become, _arg, IS(STRANGER) | IS(NSROOT))

static const struct route become_routes[] = {
	BECOME("setresuid", RESUID),
	BECOME("setresgid", RESGID),
	BECOME("setgroups", GROUPS),
	BECOME("setfsuid", FSUID),
	BECOME("capset", CAPSET),
	BECOME("uid_map", UIDMAP),
	BECOME("gid_map", GIDMAP),
	BECOME("be-root", EUID_ROOT),
	BECOME("securebits", SECUREBITS),
	BECOME("ambient-capability", AMBIENT),
};

/* The module as such. */

enum module_use { UNLOAD, PARAMETERS_WRITE, DEV_MMAP, DEV_WRITE, DEV_READ,
	DEV_MEMBER_CALLS, MKNOD, DEV_CHMOD, TRACE_ON, TRACE_READ, DEBUGFS,
	KALLSYMS, MODULE_SECTIONS, DEV_MEM, KCORE, KPAGECOUNT, IOMEM,
	SLABINFO, VMALLOCINFO };

static long try_open(const char *path, int flags)
{
	char buf[4096];
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (flags == O_RDONLY) {
		n = read(fd, buf, sizeof(buf));
		if (n > 0)
			keep_loot(buf, n);
	}
	close(fd);
	return 1;
}

static long use_parameters(void)
{
	char path[320];
	struct dirent *entry;
	DIR *dir = opendir(PARAMETERS);
	long ret = -ENOENT;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), PARAMETERS "%s", entry->d_name);
		ret = try_open(path, O_WRONLY);
		if (ret >= 0)
			break;
	}
	if (dir)
		closedir(dir);
	return ret;
}

static long module_use(const struct attempt *a)
{
	uint32_t arg[256] = { sizeof(arg) };
	unsigned int nr;
	struct stat st;
	char *p;
	long ret = -ENOTTY;

	switch (a->route->arg) {
	case UNLOAD:
		return sys(SYS_delete_module, "shmchan", O_NONBLOCK);
	case PARAMETERS_WRITE:
		return use_parameters();
	case DEV_MMAP:
		p = map(me.dev, window_at(WINDOW_VICTIM), PAGE, PROT_READ);
		return p == MAP_FAILED ? -errno : 1;
	case DEV_WRITE:
		return sys(SYS_write, me.dev, arg, 64);
	case DEV_READ:
		return sys(SYS_read, me.dev, arg, 64);
	case DEV_MEMBER_CALLS:
		for (nr = SHMCHAN_CMD_QUERY;
		     nr <= SHMCHAN_CMD_BIND_EVENTFD && ret == -ENOTTY; nr++)
			ret = sys(SYS_ioctl, me.dev, _IO(SHMCHAN_IOC_TYPE, nr),
				  arg);
		return ret;
	case MKNOD:
		if (stat(DEVICE, &st))
			return -errno;
		return sys(SYS_mknod, "/tmp/shmchan", S_IFCHR | 0666,
			   makedev(major(st.st_rdev), minor(st.st_rdev)));
	case DEV_CHMOD:
		return sys(SYS_chmod, DEVICE, 0600);
	case TRACE_ON:
		return try_open("/sys/kernel/tracing/events/shmchan/enable",
				O_WRONLY);
	case TRACE_READ:
		return try_open("/sys/kernel/tracing/trace", O_RDONLY);
	case DEBUGFS:
		return try_open("/sys/kernel/debug/dma_buf/bufinfo", O_RDONLY);
	case KALLSYMS:
		/* Readable, but the addresses are zeros. */
		return try_open("/proc/kallsyms", O_RDONLY) < 0 ? -EACCES : 1;
	case MODULE_SECTIONS:
		return try_open("/sys/module/shmchan/sections/.text", O_RDONLY);
	case DEV_MEM:
		return try_open("/dev/mem", O_RDWR);
	case KCORE:
		return try_open("/proc/kcore", O_RDONLY);
	case KPAGECOUNT:
		return try_open("/proc/kpagecount", O_RDONLY);
	case IOMEM:
		return try_open("/proc/iomem", O_RDONLY);
	case SLABINFO:
		return try_open("/proc/slabinfo", O_RDONLY);
	case VMALLOCINFO:
		return try_open("/proc/vmallocinfo", O_RDONLY);
	}
	return -ENOSYS;
}

#define MODULE(_name, _arg, _want)					\
	NAME_OF(IS(STRANGER) | IS(NSROOT), _name, module_use, _arg, _want)

static const struct route module_routes[] = {
	MODULE("unload", UNLOAD, 0),
	MODULE("parameters", PARAMETERS_WRITE, 0),
	MODULE("mmap-the-device", DEV_MMAP, ENODEV),
	MODULE("write-to-the-device", DEV_WRITE, 0),
	MODULE("read-the-device", DEV_READ, 0),
	MODULE("members'-calls-on-the-device", DEV_MEMBER_CALLS, ENOTTY),
	MODULE("another-device-node", MKNOD, 0),
	MODULE("close-the-device-to-others", DEV_CHMOD, 0),
	MODULE("tracing", TRACE_ON, 0),
	MODULE("read-the-trace", TRACE_READ, 0),
	MODULE("debugfs", DEBUGFS, 0),
	MODULE("addresses-of-the-module", MODULE_SECTIONS, 0),
	MODULE("kallsyms", KALLSYMS, ANYHOW),
	MODULE("dev-mem", DEV_MEM, 0),
	MODULE("kcore", KCORE, 0),
	MODULE("kpagecount", KPAGECOUNT, 0),
	MODULE("iomem", IOMEM, ANYHOW),
	MODULE("slabinfo", SLABINFO, 0),
	MODULE("vmallocinfo", VMALLOCINFO, 0),
};

static const struct family name_families[] = {
	FAMILY("open", open_routes,
	       "to open the name without being let in, for one right or all",
	       "owner, group and mode decide, with the credentials of the call; "
	       "CAP_IPC_OWNER counts in the user namespace that owns the IPC "
	       "namespace; elsewhere there is no such name"),
	FAMILY("squat", squat_routes,
	       "to take, replace or withdraw the name; to pass a region off as "
	       "another's",
	       "a name stands for one region, and is withdrawn by that one's "
	       "capabilities; an owner is given only as chown would; OPEN takes "
	       "the owner that is expected"),
	FAMILY("spelling", bad_name_routes,
	       "names that mean something to somebody else",
	       "a name consists of letters, digits, dot, dash, underscore"),
	FAMILY("namespaces", namespace_routes,
	       "to see or reach names of another IPC namespace",
	       "names are looked up in the caller's namespace; setns takes "
	       "CAP_SYS_ADMIN in the one that owns the other"),
	FAMILY("become", become_routes,
	       "to be another user, or to have a capability",
	       "the kernel's own checks; a user namespace maps no ids that are "
	       "not the caller's"),
	FAMILY("module", module_routes,
	       "the device, the parameters, what the kernel tells about itself",
	       "the device takes the calls of a device and nothing else; the "
	       "rest is root's"),
};

#endif /* SHMCHAN_ATTACK_NAMES_H */
