// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan doctor: the local backend's folder. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <shmchan/stat.h>

#include "doctor.h"

/* What docker gives, and a channel of the largest default size times eight. */
#define SMALL	(64ULL << 20)

/* A fault of what is in use is a problem, of what is not only a note. */
static int in_use(const struct doctor *d)
{
	return d->used == SHMCHAN_BACKEND_LOCAL;
}

static void unusable(struct doctor *d, const char *dir, int err)
{
	if (!in_use(d)) {
		doctor_note("%s: %s; it is not in use", dir, strerror(err));
		return;
	}
	if (err == EOPNOTSUPP || err == EISDIR)
		doctor_problem(d, "%s is on a file system without O_TMPFILE",
			       dir);
	else
		doctor_problem(d, "no file can be made in %s: %s", dir,
			       strerror(err));
	doctor_advice("mount a tmpfs there (mount -t tmpfs -o mode=1777 tmpfs %s), or name another folder with SHMCHAN_LOCAL_DIR",
		      dir);
}

static void look_at_space(struct doctor *d, const char *dir)
{
	char room[SIZE_WORD], of[SIZE_WORD];
	uint64_t available, total;
	struct statfs fs;

	if (statfs(dir, &fs))
		return;
	if (fs.f_type != TMPFS_MAGIC)
		doctor_note("%s is not a tmpfs: what is written there goes to a disk, too",
			    dir);
	total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	available = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	/* A tmpfs without a limit says 0 blocks. */
	if (!total) {
		doctor_good("%s has no limit but memory", dir);
		return;
	}
	size_word(of, total);
	size_word(room, available);
	if (available >= SMALL || !in_use(d)) {
		doctor_good("%s: %s free of %s", dir, room, of);
		return;
	}
	doctor_problem(d, "%s: %s free of %s: a channel takes 1 to 8 MiB if not told otherwise",
		       dir, room, of);
	if (total <= SMALL)
		doctor_advice("64 MiB are what docker gives: docker run --shm-size=1g, or --ipc=host; elsewhere mount -o remount,size=1g %s",
			      dir);
	else
		doctor_advice("mount -o remount,size=... %s; shmchan ls -l shows what there is",
			      dir);
}

struct staleness {
	uint64_t nr;
};

static int count_stale(const char *path, void *arg)
{
	struct staleness *s = arg;

	doctor_note("left by dead processes: %s", path);
	s->nr++;
	return 0;
}

static void look_at_stale(struct doctor *d)
{
	struct staleness left = { 0 };
	int removed;

	if (d->clean) {
		removed = shmchan_local_clean();
		if (removed < 0)
			doctor_note("%s", shmchan_error_detail());
		else
			doctor_good("removed %d file%s of dead processes",
				    removed, removed == 1 ? "" : "s");
	}
	if (shmchan_local_stale(count_stale, &left) < 0) {
		doctor_note("%s", shmchan_error_detail());
		return;
	}
	if (!left.nr) {
		doctor_good("nothing is left behind by dead processes");
		return;
	}
	doctor_problem(d, "%" PRIu64 " file%s, as listed, take%s memory for nobody",
		       left.nr, left.nr == 1 ? "" : "s",
		       left.nr == 1 ? "s" : "");
	doctor_advice(d->clean ?
		      "they are another user's: that user, or root, removes them with shmchan doctor --clean" :
		      "shmchan doctor --clean (whoever takes one of the names removes it, too)");
}

/* Who may write there, may remove our files unless the folder is sticky. */
static void look_at_mode(struct doctor *d, const char *dir)
{
	struct stat st;

	if (stat(dir, &st) || !(st.st_mode & S_IWOTH) || st.st_mode & S_ISVTX)
		return;
	if (!in_use(d)) {
		doctor_note("%s is writable for all and not sticky", dir);
		return;
	}
	doctor_problem(d, "%s is writable for all and not sticky: anybody can remove or replace names",
		       dir);
	doctor_advice("chmod +t %s", dir);
}

void doctor_local(struct doctor *d)
{
	const char *dir = shmchan_local_dir();
	int fd;

	doctor_title("local backend");
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		unusable(d, dir, errno);
		return;
	}
	close(fd);
	look_at_space(d, dir);
	look_at_mode(d, dir);
	look_at_stale(d);
}
