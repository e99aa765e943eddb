/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_FRAGMENT_H
#define SHMCHAN_TEST_FRAGMENT_H

/*
 * Physical memory in pieces.  Every other page of most of it is in use; the
 * pages can be moved, or are pinned where they are.
 */

#include <sys/uio.h>

#include "test_memory.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

struct fragments {
	char *p;
	size_t size;
	int pipes[8][2];	/* they hold the pinned pages */
	unsigned int nr_pipes;
	unsigned int nr_pinned;
};

/*
 * How much free memory the kernel tries to have: with less it looks for some,
 * and with two thirds of that and none to be found it kills.
 */
static inline int64_t wanted_free(void)
{
	char text[32];

	if (read_text("/proc/sys/vm/min_free_kbytes", text, sizeof(text)) <= 0)
		return 64 * MB;
	return atoll(text) * 1024 * 3 / 2;
}

/*
 * Leaves @spare bytes of what is available alone.  That is more than there is
 * if the kernel takes much by the way, page tables or what its processors keep
 * in their lists: so it ends where the kernel runs short, too.
 * Returns 0 or -errno.
 */
static inline int fragment_memory(struct fragments *f, int64_t spare)
{
	int64_t size = meminfo("MemAvailable:") - spare;
	int64_t least = wanted_free() + 4 * MB;
	size_t at, most;

	memset(f, 0, sizeof(*f));
	if (size < (int64_t)(64 * MB))
		return -ENOMEM;
	most = size / HUGE * HUGE;
	f->p = mmap(NULL, most, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->p == MAP_FAILED)
		return -errno;
	madvise(f->p, most, MADV_NOHUGEPAGE);
	for (; f->size < most && meminfo("MemFree:") > least; f->size += HUGE) {
		/* Sooner than fault by fault; where that is not known, so. */
		madvise(f->p + f->size, HUGE, MADV_POPULATE_WRITE);
		memset(f->p + f->size, 1, HUGE);
	}
	if (f->size < most)
		munmap(f->p + f->size, most - f->size);
	if (f->size < 64 * MB)
		return -ENOMEM;
	for (at = PAGE; at < f->size; at += 2 * PAGE)
		madvise(f->p + at, PAGE, MADV_DONTNEED);
	return 0;
}

/*
 * Pins a page in every 2 MiB of physical memory that has one of ours: a pipe
 * holds it, and no migration gets past that.  Needs root, for the addresses.
 */
static inline int pin_fragments(struct fragments *f)
{
	static bool seen[1 << 16];	/* of 128 GiB */
	unsigned int in_pipe = 0, room = 0, i;
	uint64_t phys[PAGEMAP_CHUNK];
	size_t at;

	memset(seen, 0, sizeof(seen));
	for (at = 0; at < f->size; at += PAGE) {
		struct iovec iov = { f->p + at, 1 };
		uint64_t block;
		int *pipefd;
		int size;

		/* Whole chunks: the size is a multiple of 2 MiB. */
		i = at / PAGE % PAGEMAP_CHUNK;
		if (!i && !phys_read(f->p + at, phys, PAGEMAP_CHUNK))
			return -EIO;
		block = phys[i] / HUGE;
		if (!block || block >= COUNT(seen) || seen[block])
			continue;
		if (in_pipe == room) {
			if (f->nr_pipes == COUNT(f->pipes))
				return -E2BIG;
			pipefd = f->pipes[f->nr_pipes];
			if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK))
				return -errno;
			f->nr_pipes++;
			size = fcntl(pipefd[1], F_SETPIPE_SZ, 1 << 20);
			if (size < 0)
				return -errno;
			room = size / PAGE;
			in_pipe = 0;
		}
		if (vmsplice(f->pipes[f->nr_pipes - 1][1], &iov, 1, 0) != 1)
			return -errno;
		in_pipe++;
		seen[block] = true;
		f->nr_pinned++;
	}
	return 0;
}

static inline void free_fragments(struct fragments *f)
{
	unsigned int i;

	for (i = 0; i < f->nr_pipes; i++) {
		close(f->pipes[i][0]);
		close(f->pipes[i][1]);
	}
	if (f->p && f->p != MAP_FAILED)
		munmap(f->p, f->size);
	memset(f, 0, sizeof(*f));
}

#endif /* SHMCHAN_TEST_FRAGMENT_H */
