// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Local regions: files, their names, and the locks on them.
 *
 * The rules are at the top of backend_local.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend_local.h"

/* Lock bytes: beyond any file's bytes, below the end of off_t. */
#define LOCK_GATE	((off_t)1 << 62)
#define LOCK_SLOTS	(LOCK_GATE + 1)

void local_lay_out(struct local_layout *at, uint64_t data_size,
		   uint64_t control_size, uint32_t nr_slots,
		   uint32_t nr_doorbells, uint32_t nr_windows)
{
	uint64_t next;

	at->control = SHMCHAN_CONTROL_OFFSET(data_size);
	at->status = SHMCHAN_STATUS_OFFSET(data_size, control_size);
	at->status_size = SHMCHAN_STATUS_SIZE(nr_slots, nr_doorbells);
	next = at->meta = at->status + at->status_size;
	at->slots = next;
	next += (uint64_t)nr_slots * sizeof(struct shmchan_slot);
	at->doorbells = next;
	next += (uint64_t)nr_doorbells * sizeof(struct shmchan_doorbell);
	at->windows = next;
	next += (uint64_t)nr_windows * sizeof(struct shmchan_window);
	at->holders = SHMCHAN_ALIGN_UP(next, 64);
	next = at->holders + (uint64_t)nr_slots * sizeof(struct local_holders);
	at->super = SHMCHAN_ALIGN_UP(next, SHMCHAN_PAGE);
	at->size = at->super + SHMCHAN_PAGE;
}

const char *local_dir(void)
{
	const char *dir = secure_getenv("SHMCHAN_LOCAL_DIR");

	return dir && dir[0] ? dir : LOCAL_DIR;
}

int local_path(char *path, size_t size, const char *name)
{
	int n = snprintf(path, size, "%s/" LOCAL_PREFIX "%s", local_dir(), name);

	if (n > 0 && (size_t)n < size)
		return 0;
	return shmchan__fail(ENAMETOOLONG,
		"SHMCHAN_LOCAL_DIR is too long a path: %.40s...", local_dir());
}

int local_look(const char *name)
{
	char path[PATH_MAX];
	int fd, err;

	err = local_path(path, sizeof(path), name);
	if (err)
		return err;
	fd = open(path, LOCAL_LOOK_FLAGS);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return shmchan__fail(ENOENT,
			"there is no %s: no %s (shmchan ls shows what there is)",
			name, path);
	return shmchan__fail(errno, "%s: %s", path, shmchan__errstr(errno));
}

static int set_lock(int fd, short type, off_t byte)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = byte, .l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

/* Does another file hold a lock in this range? */
static int locked(int fd, off_t start, off_t length)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = start, .l_len = length,
	};

	/* A lock that cannot be tested is taken for held: nothing is reaped. */
	if (fcntl(fd, F_OFD_GETLK, &lock))
		return 1;
	return lock.l_type != F_UNLCK;
}

/*
 * Enter the gate of a file.  Polls, because F_OFD_SETLKW knows no deadline
 * and a stopped holder would stop us too.  Timeout 0: once.
 */
int local_gate_enter(int fd, uint64_t timeout_ns)
{
	struct timespec pause = { 0, 100000 };
	uint64_t end = timeout_ns ? shmchan__now() + timeout_ns : 0;

	for (;;) {
		int err = set_lock(fd, F_WRLCK, LOCK_GATE);

		if (err != -EAGAIN && err != -EACCES)
			return err;
		if (!timeout_ns || shmchan__now() >= end)
			return -EBUSY;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 5000000)
			pause.tv_nsec *= 2;
	}
}

void local_gate_leave(int fd)
{
	set_lock(fd, F_UNLCK, LOCK_GATE);
}

/* 0, or -EBUSY: somebody holds it. */
int local_slot_lock(int fd, uint32_t slot)
{
	int err = set_lock(fd, F_WRLCK, LOCK_SLOTS + slot);

	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}

void local_slot_unlock(int fd, uint32_t slot)
{
	set_lock(fd, F_UNLCK, LOCK_SLOTS + slot);
}

/* Does another file hold this slot? */
int local_slot_held(int fd, uint32_t slot)
{
	return locked(fd, LOCK_SLOTS + slot, 1);
}

/* Does another file hold any slot? */
int local_anyone(int fd)
{
	return locked(fd, LOCK_SLOTS, SHMCHAN_MAX_SLOTS);
}

/* Is this file what the path names? */
int local_names(const char *path, int fd)
{
	struct stat by_path, by_fd;

	return !fstat(fd, &by_fd) && !lstat(path, &by_path) &&
	       by_fd.st_dev == by_path.st_dev && by_fd.st_ino == by_path.st_ino;
}

/* Was this made by a library like ours?  Then it is ours to remove. */
int local_is_region(int fd)
{
	uint64_t magic = 0;
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       st.st_size >= (off_t)SHMCHAN_PAGE &&
	       pread(fd, &magic, sizeof(magic),
		     st.st_size - (off_t)SHMCHAN_PAGE) == sizeof(magic) &&
	       magic == LOCAL_MAGIC;
}

/* What is wrong with a file that claims to be a region; NULL: nothing. */
static const char *judge_super(const struct local_super *s, uint64_t size,
			       struct local_layout *at)
{
	uint64_t granule = s->flags & SHMCHAN_CREATE_SMALL ? SHMCHAN_PAGE :
							     SHMCHAN_HUGE;

	if (s->magic != LOCAL_MAGIC)
		return "it is no region";
	if (s->version != LOCAL_VERSION)
		return "it was made by another version of the library";
	/* The size bounds the sums before they are computed. */
	if (s->data_size > size || s->control_size > size ||
	    s->data_size % granule || !s->control_size ||
	    s->control_size % SHMCHAN_PAGE ||
	    !s->nr_slots || s->nr_slots > SHMCHAN_MAX_SLOTS ||
	    s->nr_doorbells > SHMCHAN_MAX_DOORBELLS ||
	    s->nr_windows > SHMCHAN_MAX_WINDOWS)
		return "its geometry makes no sense";
	local_lay_out(at, s->data_size, s->control_size, s->nr_slots,
		      s->nr_doorbells, s->nr_windows);
	if (at->size != size)
		return "its size does not fit its geometry";
	return NULL;
}

/* The geometry of a region's file, checked; -EPROTO if it is none. */
int local_read_super(int fd, struct local_super *super,
		     struct local_layout *at)
{
	const char *wrong = "it is no region";
	struct stat st;

	if (fstat(fd, &st))
		return shmchan__fail(errno, "fstat: %s", shmchan__errstr(errno));
	if (st.st_size >= (off_t)SHMCHAN_PAGE &&
	    pread(fd, super, sizeof(*super),
		  st.st_size - (off_t)SHMCHAN_PAGE) == sizeof(*super))
		wrong = judge_super(super, (uint64_t)st.st_size, at);
	if (wrong)
		return shmchan__fail(EPROTO,
			"a file of that name is in %s, but %s", local_dir(),
			wrong);
	return 0;
}

static int taken(const char *path, const char *name)
{
	return shmchan__fail(EEXIST,
		"the name %s is taken (%s): open it, or choose another", name,
		path);
}

/* Remove a stale file's name, its gate entered; 1: look again. */
static int remove_stale(int fd, const char *path, const char *name)
{
	/* Removed by somebody else: who has the name now? */
	if (!local_names(path, fd))
		return 1;
	if (local_anyone(fd) || !local_is_region(fd))
		return taken(path, name);
	if (unlink(path) && errno != ENOENT)
		return shmchan__fail(EEXIST,
			"the name %s is taken by what a dead process of another user left, %s: it or root can remove it (shmchan doctor --clean)",
			name, path);
	return 1;
}

/* 0: there is no such file; -EEXIST; 1: look again. */
static int displace_once(const char *path, const char *name)
{
	struct shmchan__file f = { .fd = -1 };
	int fd, err;

	fd = shmchan__file_open(&f, path, O_RDWR | O_NOFOLLOW | O_NOCTTY, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd == -EMFILE || fd == -ENFILE)
		return shmchan__fail(-fd, "%s: %s", path, shmchan__errstr(-fd));
	if (fd < 0)
		return taken(path, name);
	/* Alive, as most are: no need to stand in its gate. */
	if (local_anyone(fd))
		err = taken(path, name);
	else
		err = local_gate_enter(fd, LOCAL_GATE_NS);
	if (err == -EBUSY)
		shmchan__fail(EBUSY, "somebody keeps the gate of %s locked",
			      path);
	if (!err)
		err = remove_stale(fd, path, name);
	shmchan__file_close(&f);
	return err;
}

/*
 * See to it that nothing has this name: 0, or -EEXIST (a region that lives, or
 * a file that we may not remove).
 */
int local_displace(const char *path, const char *name)
{
	unsigned int i;

	for (i = 0; i < LOCAL_TRIES; i++) {
		int err = displace_once(path, name);

		if (err <= 0)
			return err;
	}
	return taken(path, name);
}
