/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ACCESS_SUBJECT_H
#define SHMCHAN_ACCESS_SUBJECT_H

/*
 * What a subject of access_matrix is told to do.  All of this runs in a peer;
 * what it is about, and the results, are in the scene.
 */

#include "access_letters.h"

/* In place of a result: there was no capability, or it could not join. */
#define NOT_IN(err)	((err) - 10000)

static inline long act(int fd, const struct row *row)
{
	int ret;

	if (scene->state == A_MEMBER || scene->state == LEFT) {
		ret = join(fd, scene->slot);
		if (ret < 0)
			return NOT_IN(ret);
	}
	if (scene->state == LEFT && leave(fd))
		return NOT_IN(-EBADMSG);
	return row->fn(fd, row->a, row->b);
}

/* For each row of the table a capability of its own. */
static int caps[COUNT(capability_rows)];

static inline long take_caps(long a, long b)
{
	(void)a;
	(void)b;
	return recv_many(peer_sock, caps, COUNT(caps));
}

static inline long open_caps(long a, long b)
{
	struct shmchan_open o = {
		.size = sizeof(o),
		.name = ptr(scene->door),
		.name_len = strlen(scene->door),
		.rights = scene->rights,
	};
	int dev = open_device();
	unsigned int i;
	int ret;

	(void)a;
	(void)b;
	for (i = 0; i < COUNT(caps); i++) {
		ret = call(dev, SHMCHAN_IOC_OPEN, &o);
		caps[i] = ret ? ret : o.fd;
	}
	close(dev);
	return 0;
}

static inline long play(long home, long b)
{
	unsigned int i;

	(void)b;
	for (i = 0; i < COUNT(caps); i++) {
		if (!row_applies(&capability_rows[i], home))
			scene->results[i] = 0;
		else if (caps[i] < 0)
			scene->results[i] = NOT_IN(caps[i]);
		else
			scene->results[i] = act(caps[i], &capability_rows[i]);
		if (caps[i] >= 0)
			close(caps[i]);
	}
	return 0;
}

static inline long play_device(long home, long b)
{
	unsigned int i;

	(void)b;
	for (i = 0; i < COUNT(device_rows); i++) {
		const struct row *row = &device_rows[i];

		if (row_applies(row, home))
			scene->results[i] = row->fn(-1, row->a, row->b);
	}
	return 0;
}

/* Which sets of rights are granted; for others the answer has to be EACCES. */
static inline long play_open(long a, long b)
{
	struct shmchan_open o = {
		.size = sizeof(o),
		.name = ptr(scene->door),
		.name_len = strlen(scene->door),
	};
	int dev = open_device();
	long ret = 0;

	(void)a;
	(void)b;
	scene->granted = 0;
	for (o.rights = 1; o.rights <= SHMCHAN_RIGHT_ALL; o.rights++) {
		if (!(scene->sets & 1ULL << o.rights))
			continue;
		ret = call(dev, SHMCHAN_IOC_OPEN, &o);
		if (ret && ret != -EACCES)
			break;
		if (ret)
			continue;
		scene->granted |= 1ULL << o.rights;
		close(o.fd);
	}
	close(dev);
	return ret == -EACCES ? 0 : ret;
}

#endif /* SHMCHAN_ACCESS_SUBJECT_H */
