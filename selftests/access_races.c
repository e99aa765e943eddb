// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that changes who may do what, at once, on a few capabilities that
 * are closed and replaced meanwhile: no crash, no hang, nothing left.  For what
 * a kernel with checkers makes of it; what the results mean is in other tests.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_kmsg.h"
#include "test_peer.h"

#define ALL	SHMCHAN_RIGHT_ALL
#define THREADS	6
#define FDS	8
#define RUN_MS	4000

static struct layout layout;
static int fds[FDS];		/* numbers that are never closed for long */
static char names[4][32];
static volatile bool stop;

/* What the calls may say; anything else is a find. */
static bool expected(int ret)
{
	static const int errors[] = {
		EACCES, EALREADY, EBADF, EBUSY, ECONNREFUSED, EEXIST, EINVAL,
		EISCONN, EMLINK, ENOENT, ENOTCONN, ENOTTY, EPERM, ESRCH, ESTALE,
		EUSERS, EXDEV,
	};
	unsigned int i;

	for (i = 0; ret < 0 && i < COUNT(errors); i++)
		if (ret == -errors[i])
			return true;
	return ret >= 0;
}

/* Puts a new capability in place of another one, if it is one. */
static int replace(int fd, int by)
{
	if (by < 0)
		return by;
	dup2(by, fd);
	close(by);
	return 0;
}

static int narrow_self(int fd)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_SELF,
		.rights = ALL & ~SHMCHAN_RIGHT_WAIT,
	};
	int ret = mint_args(fd, &m);

	return ret == -1 ? 0 : ret;
}

/* By way of the kernel, which says EFAULT where a store would raise SIGBUS. */
static int touch_window(int fd, unsigned int slot)
{
	char *p = map(fd, control_at(&layout, slot), PAGE,
		      PROT_READ | PROT_WRITE);

	if (p == MAP_FAILED)
		return -errno;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p);
	munmap(p, PAGE);
	return 0;
}

static int act(unsigned int what, int fd, unsigned int other)
{
	struct shmchan_member_info info;
	struct shmchan_query q;
	struct shmchan_wait_elem elem;
	const char *name = names[other % COUNT(names)];
	int ret;

	switch (what) {
	case 0:
		return replace(fds[other], mint(fd, ALL));
	case 1:
		return replace(fds[other], open_region(layout.name, ALL));
	case 2:
		return replace(fds[other], open_region(name, ALL));
	case 3:
		return publish(fd, name, 0600, ALL);
	case 4:
		return withdraw(fd, name);
	case 5:
		return withdraw_published(fd);
	case 6:
		return join(fd, SHMCHAN_SLOT_ANY);
	case 7:
		return join(fd, other % 4);
	case 8:
		return revoke_slot(fd, other % 4, 0);
	case 9:
		return revoke_uid(fd, 4242);
	case 10:
		return set_mode(fd, other & 1 ? 0600 : 0644);
	case 11:
		return leave(fd);
	case 12:
		return query(fd, &q);
	case 13:
		return member_info(fd, other % 4, &info);
	case 14:
		return narrow_self(fd);
	case 15:
		return ring(fd, BELL_SHARED, 0);
	case 16:
		elem = elem64(-1, BELL_SHARED, control_at(&layout, FOLIO_NOBODY),
			      0);
		ret = wait_ms(fd, &elem, 1, 1);
		return ret == -ETIMEDOUT ? 0 : ret;
	case 17:
		return touch_window(fd, other % 2);
	default:
		ret = export_dmabuf(fd, control_at(&layout, FOLIO_SHARED), PAGE,
				    SHMCHAN_EXPORT_WRITE);
		if (ret >= 0)
			close(ret);
		return ret == -EOPNOTSUPP ? 0 : ret;
	}
}

struct racer {
	pthread_t thread;
	unsigned int seed;
	unsigned int calls;
	unsigned int successes;
	int unexpected;
	unsigned int what;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	unsigned int what;
	int ret;

	while (!stop) {
		/* What ends is replaced about as often as something ends. */
		what = rand_r(&r->seed) % 30;
		if (what > 18)
			what = 1;
		ret = act(what, fds[rand_r(&r->seed) % FDS],
			  rand_r(&r->seed) % FDS);
		r->calls++;
		r->successes += ret >= 0;
		if (!expected(ret)) {
			r->unexpected = ret;
			r->what = what;
		}
	}
	return NULL;
}

TEST(all_at_once)
{
	int64_t before = total_bytes();
	struct racer racers[THREADS] = {};
	int kmsg = kmsg_open(), keeper;
	unsigned int i;
	char text[512];

	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	for (i = 0; i < COUNT(names); i++)
		snprintf(names[i], sizeof(names[i]), "race-%u-%d", i, getpid());
	/* Never joined, never revoked but by uid; it keeps the region. */
	keeper = create_region(&layout);
	ASSERT_LE(0, keeper);
	for (i = 0; i < FDS; i++) {
		fds[i] = open_region(layout.name, ALL);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < THREADS; i++) {
		racers[i].seed = i + 1;
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, race,
					    &racers[i]));
	}
	usleep(RUN_MS * 1000);
	stop = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(racers[i].thread, NULL);
		EXPECT_EQ(0, racers[i].unexpected)
			TH_LOG("call %u: %s", racers[i].what,
			       strerror(-racers[i].unexpected));
		EXPECT_LT(0, racers[i].successes);
		TH_LOG("%u calls, %u of them successful", racers[i].calls,
		       racers[i].successes);
	}
	for (i = 0; i < FDS; i++)
		close(fds[i]);
	close(keeper);
	EXPECT_TRUE(eventually(total_bytes() == before));
	EXPECT_EQ(-ENOENT, open_region(layout.name, ALL));
	for (i = 0; i < COUNT(names); i++)
		EXPECT_EQ(-ENOENT, open_region(names[i], ALL));
	if (kmsg >= 0)
		EXPECT_EQ(0, kmsg_noise(kmsg, text, sizeof(text)))
			TH_LOG("the kernel said: %s", text);
}

TEST_HARNESS_MAIN
