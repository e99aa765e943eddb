// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Who maps a region: /proc/PID/{maps,smaps,fdinfo} of those we may look into. */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mappers.h"

/* A line of maps: where in the file, and may it be written? */
struct vma {
	uint64_t offset;
	uint64_t length;
	uint64_t inode;
	uint64_t device;
	int writable;
};

/* 0 if the line is the first of a mapping. */
static int read_vma(const char *line, struct vma *vma)
{
	unsigned int major_nr, minor_nr;
	uint64_t start, end;
	char access[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64,
		   &start, &end, access, &vma->offset, &major_nr, &minor_nr,
		   &vma->inode) != 7 || end < start)
		return -1;
	vma->length = end - start;
	vma->device = makedev(major_nr, minor_nr);
	vma->writable = access[1] == 'w';
	return 0;
}

static int is_ours(const struct shmchan_region_info *info,
		   const struct vma *vma)
{
	return vma->inode == info->inode && vma->device == info->device;
}

/* The slot whose window this mapping lies in; SHARED tells nothing. */
static uint32_t slot_of(const struct shmchan_region_info *info,
			const struct vma *vma)
{
	uint32_t i;

	for (i = 0; i < info->query.nr_windows && vma->writable; i++) {
		const struct shmchan_window *w = &info->windows[i];

		if (w->slot != SHMCHAN_SLOT_SHARED &&
		    vma->offset < w->offset + w->length &&
		    w->offset < vma->offset + vma->length)
			return w->slot;
	}
	return SHMCHAN_SLOT_NONE;
}

static FILE *open_proc(const char *pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.16s/%.32s", pid, file);
	return fopen(path, "re");
}

/* What fdinfo says of one file: is it a member of this region? */
static int read_fdinfo(const struct shmchan_region_info *info, FILE *f,
		       uint32_t *slot, uint32_t *generation)
{
	uint64_t inode = 0;
	char line[256];
	int found = 0;

	while (fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "ino: %" SCNu64, &inode);
		found += sscanf(line, "shmchan-slot: %" SCNu32, slot) == 1;
		found += sscanf(line, "shmchan-generation: %" SCNu32,
				generation) == 1;
	}
	return found == 2 && inode == info->inode;
}

/* The slot that the module says a file of this process holds. */
static void find_member(const struct shmchan_region_info *info,
			const char *pid, struct mapper *m)
{
	uint32_t slot, generation;
	struct dirent *e;
	char name[64];
	DIR *dir;
	FILE *f;

	if (info->backend != SHMCHAN_BACKEND_KMOD)
		return;
	snprintf(name, sizeof(name), "/proc/%.16s/fdinfo", pid);
	dir = opendir(name);
	while (dir && !m->generation && (e = readdir(dir))) {
		snprintf(name, sizeof(name), "fdinfo/%.16s", e->d_name);
		f = e->d_name[0] == '.' ? NULL : open_proc(pid, name);
		if (!f)
			continue;
		if (read_fdinfo(info, f, &slot, &generation)) {
			m->slot = slot;
			m->generation = generation;
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
}

static void identify(struct mapper *m, const char *pid)
{
	char path[64];
	struct stat st;
	char *at;
	FILE *f;

	m->pid = (pid_t)strtol(pid, NULL, 10);
	snprintf(path, sizeof(path), "/proc/%.16s", pid);
	if (!stat(path, &st))
		m->uid = st.st_uid;
	f = open_proc(pid, "comm");
	if (!f)
		return;
	if (fgets(m->comm, sizeof(m->comm), f))
		m->comm[strcspn(m->comm, "\n")] = 0;
	/* Anybody calls itself what it likes: nothing that a terminal obeys. */
	for (at = m->comm; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			*at = '?';
	fclose(f);
}

/* How much of the data area is mapped by huge entries. */
static void measure(const struct shmchan_region_info *info, struct mapper *m,
		    const char *pid)
{
	FILE *f = open_proc(pid, "smaps");
	char line[512];
	uint64_t kib;
	struct vma vma;
	int ours = 0;

	if (!f) {
		m->no_smaps = 1;
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!read_vma(line, &vma))
			ours = is_ours(info, &vma) &&
			       vma.offset < info->query.data_size;
		else if (ours &&
			 (sscanf(line, "FilePmdMapped: %" SCNu64, &kib) == 1 ||
			  sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1))
			m->huge += kib << 10;
	}
	fclose(f);
}

/* Does this process map it?  Then m tells. */
static int look_into(const struct shmchan_region_info *info, const char *pid,
		     struct mapper *m)
{
	FILE *f = open_proc(pid, "maps");
	char line[512];
	struct vma vma;
	uint32_t slot;
	int found = 0;

	if (!f)
		return 0;
	memset(m, 0, sizeof(*m));
	m->slot = SHMCHAN_SLOT_NONE;
	while (fgets(line, sizeof(line), f)) {
		if (read_vma(line, &vma) || !is_ours(info, &vma))
			continue;
		found = 1;
		slot = slot_of(info, &vma);
		if (slot != SHMCHAN_SLOT_NONE)
			m->slot = slot;
		if (vma.offset < info->query.data_size)
			m->data += vma.length;
	}
	fclose(f);
	if (!found)
		return 0;
	identify(m, pid);
	find_member(info, pid, m);
	measure(info, m, pid);
	return 1;
}

int mappers_find(const struct shmchan_region_info *info,
		 struct mapper **mappers)
{
	struct mapper m, *more;
	struct dirent *e;
	int nr = 0, room = 0;
	DIR *dir;

	*mappers = NULL;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (info->inode && (e = readdir(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !look_into(info, e->d_name, &m))
			continue;
		if (nr == room) {
			room = room ? 2 * room : 8;
			more = realloc(*mappers,
				       (size_t)room * sizeof(**mappers));
			if (!more)
				break;
			*mappers = more;
		}
		(*mappers)[nr++] = m;
	}
	closedir(dir);
	return nr;
}
