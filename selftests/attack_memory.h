/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_MEMORY_H
#define SHMCHAN_ATTACK_MEMORY_H

/* Everything that can be done to a mapping. */

#include <sys/ptrace.h>

#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>

#include "attack_scene.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY	1
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MAP_SYNC
#define MAP_SYNC		0x80000
#endif

#define MAPPERS		(IS(MEMBER) | IS(READER))
#define SEEN		(ALL_OF(VICTIM) | ALL_OF(VICTIM_CONTROL) |	\
			 ALL_OF(NOBODY) | ALL_OF(STATUS) | ALL_OF(DMABUF))

#define ON_MAPPING(_name, _attack, _arg, _want, ...)			\
	{ .name = (_name), .attack = (_attack), .arg = (long)(_arg),	\
	  .roles = MAPPERS, .targets = SEEN, .want = (_want), __VA_ARGS__ }

/* Where a write by it goes, if it goes anywhere; returns whether it did. */
static bool deface(char *p)
{
	return !probe_write(p + 64);
}

/* What becomes of a mapping that one has tried something on. */
static long test_mapping(const struct attempt *a, char *p, long ret)
{
	bool written = a->target != AT_OWN && a->target != AT_OWN_CONTROL &&
		       deface(p);

	drop(a, p);
	if (written)
		return 1;
	return ret < 0 ? ret : -EPERM;
}

/* mmap, in other ways. */

static const struct { int prot; int flags; } odd_maps[] = {
	{ PROT_READ, MAP_PRIVATE },
	{ RW, MAP_PRIVATE },
	{ PROT_READ | PROT_EXEC, MAP_SHARED },
	{ RW | PROT_EXEC, MAP_SHARED },
	{ PROT_EXEC, MAP_SHARED },
	{ RW, MAP_SHARED_VALIDATE },
	{ RW, MAP_SHARED_VALIDATE | MAP_SYNC },
	{ RW, MAP_SHARED | MAP_POPULATE },
	{ RW, MAP_SHARED | MAP_LOCKED },
	{ RW, MAP_SHARED | MAP_NORESERVE },
	{ RW, MAP_SHARED | MAP_GROWSDOWN },
	{ RW, MAP_SHARED | MAP_HUGETLB },
	{ RW, MAP_SHARED | MAP_STACK },
	{ RW, MAP_SHARED | MAP_32BIT },
};

static long attack_odd_map(const struct attempt *a)
{
	size_t size = target_size(a->target);
	char *p;

	p = mmap(NULL, size, odd_maps[a->route->arg].prot,
		 odd_maps[a->route->arg].flags, target_file(a->target),
		 target_at(a->target, a->role));
	if (p == MAP_FAILED)
		return -errno;
	deface(p);
	munmap(p, size);
	return 1;
}

/* In place of a mapping that it may write. */
static long attack_map_over_own(const struct attempt *a)
{
	size_t size = target_size(a->target);
	char *own = map(me.fd, target_at(AT_OWN, a->role), scene->folio, RW);
	long ret = 0;

	if (own == MAP_FAILED)
		return -errno;
	*(volatile char *)own;
	if (mmap(own, size, RW, MAP_SHARED | MAP_FIXED, target_file(a->target),
		 target_at(a->target, a->role)) == MAP_FAILED)
		ret = -errno;
	deface(own);
	munmap(own, scene->folio);
	return ret;
}

static long attack_personality(const struct attempt *a)
{
	char *p;
	int sig;

	syscall(SYS_personality, 0x0400000);	/* READ_IMPLIES_EXEC */
	p = fresh(a, PROT_READ);
	syscall(SYS_personality, 0);
	if (!p)
		return -errno;
	sig = mprotect(p, PAGE, PROT_READ | PROT_EXEC) ? errno : 0;
	return test_mapping(a, p, -sig);
}

static const struct route odd_map_routes[] = {
	ON_MAPPING("private", attack_odd_map, 0, EINVAL),
	ON_MAPPING("private-write", attack_odd_map, 1, EINVAL),
	ON_MAPPING("read-exec", attack_odd_map, 2, EPERM),
	ON_MAPPING("write-exec", attack_odd_map, 3, 0),
	ON_MAPPING("exec", attack_odd_map, 4, EPERM),
	ON_MAPPING("shared-validate", attack_odd_map, 5, EACCES),
	ON_MAPPING("sync", attack_odd_map, 6, 0),
	ON_MAPPING("populate", attack_odd_map, 7, EACCES),
	ON_MAPPING("locked", attack_odd_map, 8, EACCES),
	ON_MAPPING("noreserve", attack_odd_map, 9, EACCES),
	ON_MAPPING("growsdown", attack_odd_map, 10, 0),
	ON_MAPPING("hugetlb", attack_odd_map, 11, 0),
	ON_MAPPING("stack", attack_odd_map, 12, EACCES),
	ON_MAPPING("32-bit", attack_odd_map, 13, EACCES),
	{ .name = "fixed-over-own", .attack = attack_map_over_own,
	  .roles = IS(MEMBER), .targets = SEEN, .want = EACCES },
	ON_MAPPING("read-implies-exec", attack_personality, 0, 0),
};

/* Of a mapping that is read-only, more. */

static long attack_store(const struct attempt *a)
{
	return deface(view(a->target)) ? 1 : -EFAULT;
}

static long attack_mprotect(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	ret = result(mprotect(p, target_size(a->target), a->route->arg));
	return test_mapping(a, p, ret);
}

static long attack_mprotect_none(const struct attempt *a)
{
	char *p = fresh(a, PROT_NONE);
	long ret;

	if (!p)
		return -errno;
	ret = result(mprotect(p, target_size(a->target), a->route->arg));
	return test_mapping(a, p, ret);
}

static long attack_mprotect_page(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	ret = result(mprotect(p, PAGE, RW));
	return test_mapping(a, p, ret);
}

static long attack_pkey_mprotect(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	ret = sys(SYS_pkey_mprotect, p, target_size(a->target), RW, -1);
	return test_mapping(a, p, ret);
}

/* Its own, and behind that what it cannot write, in one call. */
static long attack_mprotect_across(const struct attempt *a)
{
	size_t size = target_size(a->target);
	size_t both = (scene->folio + size + PAGE - 1) & ~(PAGE - 1);
	char *p = mmap(NULL, both, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	long ret;

	if (mmap(p, scene->folio, PROT_READ, MAP_SHARED | MAP_FIXED, me.fd,
		 target_at(AT_OWN, a->role)) == MAP_FAILED ||
	    mmap(p + scene->folio, size, PROT_READ, MAP_SHARED | MAP_FIXED,
		 target_file(a->target),
		 target_at(a->target, a->role)) == MAP_FAILED)
		return -errno;
	ret = result(mprotect(p, both, RW));
	if (deface(p + scene->folio))
		ret = 1;
	munmap(p, both);
	return ret;
}

static const struct route protect_routes[] = {
	ON_MAPPING("store", attack_store, 0, EFAULT),
	ON_MAPPING("mprotect-write", attack_mprotect, RW, EACCES),
	ON_MAPPING("mprotect-write-only", attack_mprotect, PROT_WRITE, EACCES),
	ON_MAPPING("mprotect-exec", attack_mprotect, PROT_READ | PROT_EXEC,
		   EACCES),
	ON_MAPPING("mprotect-all", attack_mprotect, RW | PROT_EXEC, EACCES),
	ON_MAPPING("mprotect-growsup", attack_mprotect, RW | PROT_GROWSUP, 0),
	ON_MAPPING("mprotect-growsdown", attack_mprotect, RW | PROT_GROWSDOWN,
		   0),
	ON_MAPPING("mprotect-from-none", attack_mprotect_none, RW, EACCES),
	ON_MAPPING("mprotect-exec-from-none", attack_mprotect_none, PROT_EXEC,
		   EACCES),
	ON_MAPPING("mprotect-a-page", attack_mprotect_page, 0, EACCES),
	ON_MAPPING("pkey_mprotect", attack_pkey_mprotect, 0, EACCES),
	{ .name = "mprotect-with-own", .attack = attack_mprotect_across,
	  .roles = IS(MEMBER), .targets = SEEN, .want = EACCES },
};

/* Growing a window into its neighbour. */

enum growing {
	IN_PLACE, MAY_MOVE, TO_ADDRESS, DUPLICATE, DONTUNMAP, SHRUNK, FROM_TAIL,
	READ_ONLY, HALF, AFTER_SPLIT,
};

static long attack_grow(const struct attempt *a)
{
	bool control = a->target == AT_OWN_CONTROL;
	size_t size = control ? PAGE : scene->folio, was = size;
	char *p = fresh(a, a->route->arg == READ_ONLY ? PROT_READ : RW);
	char *to = mmap(NULL, 4 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	char *q = MAP_FAILED;
	size_t beyond = size;	/* where in q its neighbour would be */
	long ret;

	if (!p)
		return -errno;
	*(volatile char *)p;
	switch (a->route->arg) {
	case IN_PLACE:
		/* There is room. */
		munmap(to, 4 * size);
		q = mmap(to, size, RW, MAP_SHARED | MAP_FIXED, me.fd,
			 target_at(a->target, a->role));
		if (q == MAP_FAILED)
			break;
		munmap(p, size);
		p = q;
		q = mremap(p, size, 2 * size, 0);
		break;
	case MAY_MOVE:
	case READ_ONLY:
		q = mremap(p, size, 2 * size, MREMAP_MAYMOVE);
		break;
	case TO_ADDRESS:
		q = mremap(p, size, 2 * size, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to);
		break;
	case DUPLICATE:
		q = mremap(p, 0, 2 * size, MREMAP_MAYMOVE);
		break;
	case DONTUNMAP:
		q = mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
		beyond = 0;
		break;
	case SHRUNK:
		if (control)
			break;
		if (mremap(p, size, PAGE, 0) == MAP_FAILED)
			break;
		was = PAGE;
		q = mremap(p, PAGE, 2 * size, MREMAP_MAYMOVE);
		break;
	case FROM_TAIL:
		q = mremap(p + size - PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
		beyond = PAGE;
		break;
	case HALF:
		/* Not a multiple of the window. */
		q = mremap(p, size, size + PAGE, MREMAP_MAYMOVE);
		break;
	case AFTER_SPLIT:
		mprotect(p, PAGE, PROT_READ);
		mprotect(p, PAGE, RW);
		q = mremap(p, size, 2 * size, MREMAP_MAYMOVE);
		break;
	}
	ret = q == MAP_FAILED ? -errno : 1;
	if (q != MAP_FAILED) {
		mprotect(q, beyond + PAGE, RW);
		if (beyond)
			deface(q + beyond);
		munmap(q, beyond + PAGE);
	}
	munmap(p, was);
	munmap(to, 4 * size);
	return ret;
}

/* A view that is moved to where its own window was, and the other way. */
static long attack_exchange(const struct attempt *a)
{
	size_t size = scene->folio;
	char *own = map(me.fd, target_at(AT_OWN, a->role), size, RW);
	char *seen = map(me.fd, target_at(AT_VICTIM, a->role), size, PROT_READ);
	char *p;

	if (own == MAP_FAILED || seen == MAP_FAILED)
		return -errno;
	deface(own);
	*(volatile char *)seen;
	p = mremap(seen, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, own);
	if (p == MAP_FAILED)
		return -errno;
	if (deface(p)) {
		munmap(p, size);
		return 1;
	}
	munmap(p, size);
	return -EFAULT;
}

/* Its own pages, in another order: the victim's. */
static long attack_remap_file_pages(const struct attempt *a)
{
	char *p = map(me.fd, target_at(AT_OWN, a->role), scene->folio, RW);
	long ret;

	if (p == MAP_FAILED)
		return -errno;
	deface(p);
	ret = sys(SYS_remap_file_pages, p, a->route->arg ? PAGE : scene->folio,
		  0, target_at(a->target, a->role) / PAGE, 0);
	deface(p);
	munmap(p, scene->folio);
	return ret;
}

#define GROW(_name, _how)						\
	{ .name = (_name), .attack = attack_grow, .arg = (_how),	\
	  .roles = IS(MEMBER) | IS(RANGE),				\
	  .targets = ALL_OF(OWN) | ALL_OF(OWN_CONTROL) }

static const struct route grow_routes[] = {
	GROW("in-place", IN_PLACE),
	GROW("may-move", MAY_MOVE),
	GROW("to-an-address", TO_ADDRESS),
	GROW("duplicate", DUPLICATE),
	GROW("dontunmap", DONTUNMAP),
	GROW("shrink-first", SHRUNK),
	GROW("from-its-last-page", FROM_TAIL),
	GROW("while-read-only", READ_ONLY),
	GROW("by-a-page", HALF),
	GROW("after-a-split", AFTER_SPLIT),
	{ .name = "view-over-own", .attack = attack_exchange,
	  .roles = IS(MEMBER), .targets = ONLY, .want = EFAULT },
	{ .name = "remap_file_pages", .attack = attack_remap_file_pages,
	  .roles = IS(MEMBER), .targets = SEEN & ~ALL_OF(DMABUF) },
	{ .name = "remap_file_pages-of-one", .attack = attack_remap_file_pages,
	  .arg = 1, .roles = IS(MEMBER),
	  .targets = SEEN & ~ALL_OF(DMABUF) },
};

/* Advice. */

static long attack_madvise(const struct attempt *a)
{
	bool own = a->target == AT_OWN || a->target == AT_OWN_CONTROL;
	size_t size = target_size(a->target);
	char *p = fresh(a, own ? RW : PROT_READ);
	bool lost;
	long ret;

	if (!p)
		return -errno;
	*(volatile uint64_t *)p = own ? 0x1234 : *(volatile uint64_t *)p;
	ret = result(madvise(p, size, a->route->arg));
	/* Nothing is lost by it, nor anything else gained. */
	lost = own && *(volatile uint64_t *)p != 0x1234;
	ret = test_mapping(a, p, ret);
	return lost ? 2 : ret;
}

/* Without a write to the mapping before: it would fault for what it is. */
static long attack_madvise_view(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	probe_read(p);
	ret = result(madvise(p, target_size(a->target), a->route->arg));
	return test_mapping(a, p, ret);
}

static long attack_process_madvise(const struct attempt *a)
{
	struct iovec iov = { fresh(a, PROT_READ), target_size(a->target) };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	long ret;

	if (!iov.iov_base)
		return -errno;
	probe_read(iov.iov_base);
	ret = sys(SYS_process_madvise, pidfd, &iov, 1, a->route->arg, 0);
	close(pidfd);
	return test_mapping(a, iov.iov_base, ret);
}

static long attack_fadvise(const struct attempt *a)
{
	long ret = -posix_fadvise(target_file(a->target), target_at(a->target, a->role),
				  target_size(a->target), a->route->arg);

	return ret ? ret : -EPERM;
}

#define ADVICE(_name, _advice)						\
	ON_MAPPING(_name, attack_madvise_view, _advice, 0),		\
	{ .name = _name, .attack = attack_madvise, .arg = (_advice),	\
	  .roles = IS(MEMBER),						\
	  .targets = ALL_OF(OWN) | ALL_OF(OWN_CONTROL) }

static const struct route advice_routes[] = {
	ADVICE("normal", 0),
	ADVICE("random", 1),
	ADVICE("sequential", 2),
	ADVICE("willneed", 3),
	ADVICE("dontneed", 4),
	ADVICE("free", 8),
	ADVICE("remove", 9),
	ADVICE("dontfork", 10),
	ADVICE("dofork", 11),
	ADVICE("mergeable", 12),
	ADVICE("unmergeable", 13),
	ADVICE("hugepage", 14),
	ADVICE("nohugepage", 15),
	ADVICE("dontdump", 16),
	ADVICE("dodump", 17),
	ADVICE("wipeonfork", 18),
	ADVICE("keeponfork", 19),
	ADVICE("cold", 20),
	ADVICE("pageout", 21),
	ADVICE("populate-read", 22),
	ADVICE("populate-write", 23),
	ADVICE("dontneed-locked", 24),
	ADVICE("collapse", 25),
	ADVICE("hwpoison", 100),
	ADVICE("soft-offline", 101),
	ADVICE("guard-install", 102),
	ADVICE("guard-remove", 103),
	ON_MAPPING("process_madvise-cold", attack_process_madvise, 20, 0),
	ON_MAPPING("process_madvise-pageout", attack_process_madvise, 21, 0),
	ON_MAPPING("process_madvise-willneed", attack_process_madvise, 3, 0),
	ON_MAPPING("process_madvise-collapse", attack_process_madvise, 25, 0),
	ON_MAPPING("fadvise-normal", attack_fadvise, 0, 0),
	ON_MAPPING("fadvise-random", attack_fadvise, 1, 0),
	ON_MAPPING("fadvise-sequential", attack_fadvise, 2, 0),
	ON_MAPPING("fadvise-willneed", attack_fadvise, 3, 0),
	ON_MAPPING("fadvise-dontneed", attack_fadvise, 4, 0),
	ON_MAPPING("fadvise-noreuse", attack_fadvise, 5, 0),
};

/* Keeping, moving, watching. */

static long attack_mlock(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	size_t size = target_size(a->target);
	long ret;

	if (!p)
		return -errno;
	ret = a->route->arg < 0 ? sys(SYS_munlock, p, size) :
				  sys(SYS_mlock2, p, size, a->route->arg);
	return test_mapping(a, p, ret);
}

static long attack_msync(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	probe_read(p);
	ret = result(msync(p, target_size(a->target), a->route->arg));
	return test_mapping(a, p, ret);
}

static long attack_mincore(const struct attempt *a)
{
	unsigned char in[HUGE / PAGE];
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	ret = result(mincore(p, target_size(a->target), in));
	if (!ret)
		keep_loot(in, target_size(a->target) / PAGE);
	return test_mapping(a, p, ret);
}

enum moving { MBIND, MBIND_ALL, HOME_NODE, MOVE_PAGES, MIGRATE_PAGES };

static long attack_move(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	size_t size = target_size(a->target);
	unsigned long nodes = 1;
	int node = 0, status = 0;
	void *pages[1] = { p };
	long ret = -EINVAL;

	if (!p)
		return -errno;
	probe_read(p);
	switch (a->route->arg) {
	case MBIND:
		ret = sys(SYS_mbind, p, size, MPOL_BIND, &nodes, 64,
			  MPOL_MF_MOVE | MPOL_MF_STRICT);
		break;
	case MBIND_ALL:
		ret = sys(SYS_mbind, p, size, MPOL_BIND, &nodes, 64,
			  MPOL_MF_MOVE_ALL);
		break;
	case HOME_NODE:
		ret = sys(450, p, size, 0, 0);
		break;
	case MOVE_PAGES:
		ret = sys(SYS_move_pages, 0, 1, pages, &node, &status,
			  MPOL_MF_MOVE);
		break;
	case MIGRATE_PAGES:
		ret = sys(SYS_migrate_pages, 0, 64, &nodes, &nodes);
		break;
	}
	return test_mapping(a, p, ret);
}

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static long attack_uffd_register(const struct attempt *a)
{
	bool own = a->target == AT_OWN;
	char *p = fresh(a, own ? RW : PROT_READ);
	struct uffdio_register reg = {
		.range = { ptr(p), target_size(a->target) },
		.mode = a->route->arg,
	};
	int fd = open_uffd();
	long ret;

	if (!p || fd < 0)
		return p ? fd : -errno;
	ret = result(ioctl(fd, UFFDIO_REGISTER, &reg));
	close(fd);
	return test_mapping(a, p, ret);
}

enum filling { FILL_COPY, FILL_ZERO, FILL_CONTINUE, FILL_WP, FILL_POISON,
	FILL_MOVE };

static long attack_uffd_fill(const struct attempt *a)
{
	static char page[2 * PAGE];
	char *from = (char *)((ptr(page) + PAGE - 1) & ~(PAGE - 1));
	char *p = fresh(a, PROT_READ);
	int fd = open_uffd();
	struct {
		uint64_t dst, src, len, mode;
		int64_t done;
	} op = { ptr(p), ptr(from), PAGE, 0, 0 };
	static const unsigned long ops[] = {
		[FILL_COPY] = 0xc028aa03, [FILL_ZERO] = 0xc020aa04,
		[FILL_CONTINUE] = 0xc020aa07, [FILL_WP] = 0xc018aa06,
		[FILL_POISON] = 0xc020aa08, [FILL_MOVE] = 0xc028aa05,
	};
	long ret;

	if (!p || fd < 0)
		return p ? fd : -errno;
	memset(from, 0x66, PAGE);
	/* All but COPY and MOVE have {start, len, mode}. */
	if (a->route->arg != FILL_COPY && a->route->arg != FILL_MOVE) {
		op.src = PAGE;
		op.len = 0;
	}
	ret = result(ioctl(fd, ops[a->route->arg], &op));
	close(fd);
	return test_mapping(a, p, ret);
}

static long attack_clear_refs(const struct attempt *a)
{
	static const char *const what[] = { "1", "2", "3", "4", "5" };
	char *p = fresh(a, PROT_READ);
	long ret;

	if (!p)
		return -errno;
	probe_read(p);
	ret = write_text("/proc/self/clear_refs", what[a->route->arg]);
	return test_mapping(a, p, ret);
}

enum about_mm { EXE_FILE, START_DATA, NAME_VMA, NO_THP };

static long attack_prctl(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	long ret = 0;

	if (!p)
		return -errno;
	switch (a->route->arg) {
	case EXE_FILE:
		ret = prctl(35, 13, target_file(a->target), 0, 0);
		break;
	case START_DATA:
		ret = prctl(35, 3, p, 0, 0);
		break;
	case NAME_VMA:
		ret = prctl(0x53564d41, 0, p, PAGE, "shmchan");
		break;
	case NO_THP:
		ret = prctl(41, 1, 0, 0, 0);
		prctl(41, 0, 0, 0, 0);
		break;
	}
	return test_mapping(a, p, result(ret));
}

#define OWN_AND_SEEN(_name, _attack, _arg)				\
	{ .name = (_name), .attack = (_attack), .arg = (_arg),		\
	  .roles = IS(MEMBER), .targets = SEEN | ALL_OF(OWN) }

static const struct route keep_routes[] = {
	ON_MAPPING("mlock", attack_mlock, 0, 0),
	ON_MAPPING("mlock-on-fault", attack_mlock, 1, 0),
	ON_MAPPING("munlock", attack_mlock, -1, 0),
	ON_MAPPING("msync-async", attack_msync, MS_ASYNC, 0),
	ON_MAPPING("msync", attack_msync, MS_SYNC, 0),
	ON_MAPPING("msync-invalidate", attack_msync, MS_SYNC | MS_INVALIDATE,
		   0),
	ON_MAPPING("mincore", attack_mincore, 0, 0),
	ON_MAPPING("mbind-move", attack_move, MBIND, 0),
	ON_MAPPING("mbind-move-all", attack_move, MBIND_ALL, 0),
	ON_MAPPING("set_mempolicy_home_node", attack_move, HOME_NODE, 0),
	ON_MAPPING("move_pages", attack_move, MOVE_PAGES, 0),
	ON_MAPPING("migrate_pages", attack_move, MIGRATE_PAGES, 0),
	ON_MAPPING("clear_refs-all", attack_clear_refs, 0, 0),
	ON_MAPPING("clear_refs-anon", attack_clear_refs, 1, 0),
	ON_MAPPING("clear_refs-mapped", attack_clear_refs, 2, 0),
	ON_MAPPING("clear_refs-soft-dirty", attack_clear_refs, 3, 0),
	ON_MAPPING("clear_refs-peak", attack_clear_refs, 4, 0),
	ON_MAPPING("as-program-file", attack_prctl, EXE_FILE, 0),
	ON_MAPPING("as-data-segment", attack_prctl, START_DATA, 0),
	ON_MAPPING("name-of-mapping", attack_prctl, NAME_VMA, 0),
	ON_MAPPING("without-thp", attack_prctl, NO_THP, 0),
};

static const struct route uffd_routes[] = {
	OWN_AND_SEEN("register-missing", attack_uffd_register, 1),
	OWN_AND_SEEN("register-wp", attack_uffd_register, 2),
	OWN_AND_SEEN("register-minor", attack_uffd_register, 4),
	ON_MAPPING("copy", attack_uffd_fill, FILL_COPY, 0),
	ON_MAPPING("zeropage", attack_uffd_fill, FILL_ZERO, 0),
	ON_MAPPING("continue", attack_uffd_fill, FILL_CONTINUE, 0),
	ON_MAPPING("writeprotect", attack_uffd_fill, FILL_WP, 0),
	ON_MAPPING("poison", attack_uffd_fill, FILL_POISON, 0),
	ON_MAPPING("move", attack_uffd_fill, FILL_MOVE, 0),
};

/* By force: as a debugger may write even what is read-only. */

static const char forced[] = "forced!";

static long attack_proc_mem(const struct attempt *a)
{
	char path[48];
	long ret;
	int fd;

	if (a->route->arg)
		snprintf(path, sizeof(path), "/proc/self/task/%ld/mem",
			 syscall(SYS_gettid));
	else
		strcpy(path, "/proc/self/mem");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = result(pwrite(fd, forced, sizeof(forced),
			    (off_t)ptr(view(a->target) + 64)));
	close(fd);
	return ret;
}

/* By way of files that are moved without a copy. */
static long attack_proc_mem_splice(const struct attempt *a)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int from = memfd_create("from", MFD_CLOEXEC), fds[2];
	loff_t at = ptr(view(a->target) + 64);
	long ret;

	if (fd < 0 || pipe(fds) || write(fds[1], forced, 8) != 8 ||
	    write(from, forced, 8) != 8)
		return -errno;
	if (a->route->arg) {
		lseek(from, 0, SEEK_SET);
		lseek(fd, at, SEEK_SET);
		ret = sys(SYS_sendfile, fd, from, NULL, 8);
	} else {
		ret = sys(SYS_splice, fds[0], NULL, fd, &at, 8, 0);
	}
	close(fd);
	close(from);
	close(fds[0]);
	close(fds[1]);
	return ret;
}

static long attack_vm_writev(const struct attempt *a)
{
	struct iovec from = { (char *)forced, sizeof(forced) };
	struct iovec to = { view(a->target) + 64, sizeof(forced) };

	return sys(SYS_process_vm_writev, getpid(), &from, 1, &to, 1, 0);
}

enum from_child { CHILD_MEM, CHILD_VM, CHILD_POKE };

static int poke_parent(char *at)
{
	pid_t pid = getppid();
	int ret, status;

	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return errno;
	if (waitpid(pid, &status, __WALL) != pid)
		return errno;
	ret = ptrace(PTRACE_POKEDATA, pid, at, 0x6464646464646464) ? errno : 0;
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return ret;
}

/* A child of its own may trace it; by prctl, whatever Yama says. */
static long attack_from_child(const struct attempt *a)
{
	char *at = view(a->target) + 64, path[32];
	struct iovec from = { (char *)forced, sizeof(forced) };
	struct iovec to = { at, sizeof(forced) };
	pid_t parent = getpid(), pid;
	int status, fd, ret = 0;

	prctl(PR_SET_PTRACER, -1, 0, 0, 0);
	pid = fork();
	if (!pid) {
		switch (a->route->arg) {
		case CHILD_MEM:
			snprintf(path, sizeof(path), "/proc/%d/mem", parent);
			fd = open(path, O_RDWR);
			ret = fd < 0 ? errno : pwrite(fd, forced, 8,
						      (off_t)ptr(at)) < 0 ?
					       errno : 0;
			break;
		case CHILD_VM:
			ret = process_vm_writev(parent, &from, 1, &to, 1, 0) < 0 ?
			      errno : 0;
			break;
		case CHILD_POKE:
			ret = poke_parent(at);
			break;
		}
		_exit(ret);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* One drops the page, another writes to it: Dirty COW. */
static volatile bool cow_stop;

static void *cow_drop(void *p)
{
	while (!cow_stop)
		madvise(p, PAGE, MADV_DONTNEED);
	return NULL;
}

static long attack_cow_race(const struct attempt *a)
{
	char *p = fresh(a, PROT_READ);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC), i;
	pthread_t dropper;
	long ret = -EIO;

	if (!p || fd < 0)
		return -errno;
	cow_stop = false;
	if (pthread_create(&dropper, NULL, cow_drop, p))
		return -EAGAIN;
	for (i = 0; i < 300 && ret < 0; i++)
		ret = result(pwrite(fd, forced, sizeof(forced),
				    (off_t)ptr(p + 64)));
	cow_stop = true;
	pthread_join(dropper, NULL);
	close(fd);
	return test_mapping(a, p, ret);
}

static const struct route force_routes[] = {
	ON_MAPPING("mem", attack_proc_mem, 0, EIO),
	ON_MAPPING("task-mem", attack_proc_mem, 1, EIO),
	ON_MAPPING("splice-to-mem", attack_proc_mem_splice, 0, 0),
	ON_MAPPING("sendfile-to-mem", attack_proc_mem_splice, 1, 0),
	ON_MAPPING("process_vm_writev", attack_vm_writev, 0, EFAULT),
	ON_MAPPING("mem-by-its-child", attack_from_child, CHILD_MEM, EIO),
	ON_MAPPING("process_vm_writev-by-its-child", attack_from_child,
		   CHILD_VM, EFAULT),
	ON_MAPPING("poke-by-its-child", attack_from_child, CHILD_POKE, EIO),
	{ .name = "dirty-cow", .attack = attack_cow_race, .roles = MAPPERS,
	  .targets = ALL_OF(VICTIM) | ALL_OF(VICTIM_CONTROL) |
		     ALL_OF(STATUS) },
};

static const struct family memory_families[] = {
	FAMILY("mmap", odd_map_routes,
	       "mappings of another kind: private, executable, locked, huge, "
	       "over its own",
	       "->mmap takes shared mappings only, and looks at the flags that "
	       "they end up with; the file system is marked noexec"),
	FAMILY("protect", protect_routes,
	       "to store to, or make writable, a mapping that is read-only",
	       "a mapping that is not wholly inside windows loses VM_MAYWRITE "
	       "when it is made"),
	FAMILY("grow", grow_routes,
	       "to let a window grow into what lies behind it",
	       "VM_DONTEXPAND: mremap refuses to grow and to duplicate; "
	       "remap_file_pages asks ->mmap again"),
	FAMILY("advise", advice_routes,
	       "every advice there is, on what it reads and on what it owns",
	       "folios have one reference more than the page cache's, so none "
	       "is dropped, moved, merged or split; poisoning takes "
	       "CAP_SYS_ADMIN; the rest is about the mapping alone"),
	FAMILY("keep", keep_routes,
	       "to lock, move, write back, name and watch pages",
	       "pages stay where they are; and none of it makes a mapping "
	       "writable"),
	FAMILY("userfaultfd", uffd_routes,
	       "to provide the pages that others see",
	       "VM_DONTEXPAND: no userfaultfd takes such a mapping"),
	FAMILY("force", force_routes,
	       "to write as a debugger does, by itself and by its child",
	       "a shared mapping without VM_MAYWRITE refuses forced writes, and "
	       "there is no ->access that would stand in"),
};

#endif /* SHMCHAN_ATTACK_MEMORY_H */
