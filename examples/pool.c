// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Large records by reference: frames of 1 MiB, of which 16 bytes each are sent.
 *
 *	pool [-n COUNT]
 *
 * One process owns a pool and fills its buffers; another takes each where it lies,
 * adds it up, and drops it.  If either is killed, nothing is lost of the pool.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/pool.h>

#define FRAME	(1 << 20)

static char pool_name[64], channel_name[64];
static unsigned long count = 1000;

static void check(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s (%s)", what, shmchan_error_detail(),
		     strerror(-ret));
}

static void open_both(enum shmchan_pool_role role, struct shmchan_pool **pool,
		      struct shmchan_spsc *ch)
{
	/* Whoever comes first makes them. */
	struct shmchan_pool_opts popts = SHMCHAN_POOL_OPTS(
		.role = role, .create = 1,
		.classes = {{ .size = FRAME, .nr = 8 }});
	struct shmchan_spsc_opts copts = SHMCHAN_SPSC_OPTS(
		.role = role == SHMCHAN_POOL_OWNER ? SHMCHAN_SENDER :
						     SHMCHAN_RECEIVER,
		.create = 1, .capacity = 4096);

	check(shmchan_pool_open(pool, pool_name, &popts), pool_name);
	check(shmchan_spsc_open(ch, channel_name, &copts), channel_name);
}

static int camera(void)
{
	struct shmchan_pool *pool;
	struct shmchan_pool_buf frame;
	struct shmchan_spsc ch;
	unsigned long i;

	open_both(SHMCHAN_POOL_OWNER, &pool, &ch);
	for (i = 0; i < count; i++) {
		/* Sleeps while all frames are somebody's. */
		check(shmchan_pool_alloc(pool, FRAME, &frame, -1), "alloc");
		memset(frame.data, (int)i, FRAME);
		check(shmchan_pool_send_spsc(pool, &ch, &frame, 0, 0, -1),
		      "send");
		/* It stays until it has been taken. */
		check(shmchan_pool_drop(pool, &frame), "drop");
	}
	/* What has not been taken when we leave cannot be taken any more. */
	check(shmchan_pool_flush(pool, -1), "flush");
	shmchan_spsc_close(&ch);
	shmchan_pool_close(pool);
	return 0;
}

static int viewer(void)
{
	struct shmchan_pool_stats stats;
	struct shmchan_pool_buf frame;
	struct shmchan_pool *pool;
	struct shmchan_spsc ch;
	uint64_t sum = 0;
	size_t i;
	int ret;

	open_both(SHMCHAN_POOL_HOLDER, &pool, &ch);
	while (!(ret = shmchan_pool_recv_spsc(pool, &ch, &frame, NULL, -1))) {
		const uint8_t *bytes = (const uint8_t *)frame.data;

		for (i = 0; i < frame.length; i += 64)
			sum += bytes[i];
		check(shmchan_pool_drop(pool, &frame), "drop");
	}
	/* EPIPE: the sender closed.  EOWNERDEAD: it died. */
	if (ret != -EPIPE)
		warnx("receive: %s (%s)", shmchan_error_detail(),
		      strerror(-ret));
	shmchan_pool_get_stats(pool, &stats);
	printf("%llu frames of %d bytes, none copied; their bytes add up to %llu\n",
	       (unsigned long long)stats.taken, FRAME,
	       (unsigned long long)sum);
	shmchan_spsc_close(&ch);
	shmchan_pool_close(pool);
	return ret != -EPIPE;
}

int main(int argc, char **argv)
{
	int status, ret, opt;
	pid_t pid;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n') {
			fprintf(stderr, "usage: pool [-n COUNT]\n");
			return 2;
		}
		count = strtoul(optarg, NULL, 0);
	}
	snprintf(pool_name, sizeof(pool_name), "frames.%d", (int)getpid());
	snprintf(channel_name, sizeof(channel_name), "frames.%d.lane",
		 (int)getpid());
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		exit(camera());
	ret = viewer();
	if (waitpid(pid, &status, 0) != pid || status)
		ret = 1;
	return ret;
}
