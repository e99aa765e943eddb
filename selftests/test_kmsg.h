/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_KMSG_H
#define SHMCHAN_TEST_KMSG_H

/* What the kernel's log got since a test began. */

#include "shmchan_test.h"

/* Returns a file at the end of the log, or -errno (needs privilege). */
static inline int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/*
 * Returns how many new records are warnings or worse, or name the module; the
 * last of them is in @text.
 */
static inline int kmsg_noise(int fd, char *text, size_t size)
{
	char record[8192];
	unsigned int prio;
	ssize_t got;
	int nr = 0;

	text[0] = 0;
	for (;;) {
		got = read(fd, record, sizeof(record) - 1);
		if (got < 0 && errno == EPIPE)
			continue;	/* overwritten before we came */
		if (got <= 0)
			return nr;
		record[got] = 0;
		if (sscanf(record, "%u,", &prio) != 1)
			continue;
		if ((prio & 7) > 4 && !strstr(record, "shmchan"))
			continue;
		/* Records with a facility were written by programs. */
		if (prio >> 3)
			continue;
		/* An emulator that had to wait for its processor. */
		if (strstr(record, "hrtimer: interrupt took"))
			continue;
		snprintf(text, size, "%.500s", record);
		nr++;
	}
}

#endif /* SHMCHAN_TEST_KMSG_H */
