// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Two licences for four processes, of which one is killed with a licence in its
 * hand: it comes back.
 */

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/permits.h>

#define SLOTS		5
#define LICENCES	2

static struct shmchan_region *create(const char *name)
{
	const struct shmchan_window window = {
		.offset = SHMCHAN_CONTROL_OFFSET(0) + 4096, .length = 4096,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	const struct shmchan_doorbell bell = { .owner = SHMCHAN_SLOT_SHARED };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.control_size = 2 * 4096, .nr_slots = SLOTS,
		.nr_doorbells = 1, .doorbells = &bell,
		.nr_windows = 1, .windows = &window);
	struct shmchan_region *r;

	if (shmchan_region_create(&r, name, &opts))
		errx(1, "%s: %s", name, shmchan_error_detail());
	return r;
}

static struct shmchan_region *join(const char *name)
{
	struct shmchan_region *r;

	if (shmchan_region_open(&r, name, NULL))
		errx(1, "%s: %s", name, shmchan_error_detail());
	return r;
}

static void attach(struct shmchan_permits *p, struct shmchan_region *r)
{
	struct shmchan_place place = {
		.region = r, .offset = r->control_offset + 4096, .doorbell = 1,
	};

	if (shmchan_permits_attach(p, &place, LICENCES))
		errx(1, "%s", shmchan_error_detail());
}

static int work(const char *name, int number)
{
	struct shmchan_region *r = join(name);
	struct shmchan_permits p;
	uint32_t licence;
	int i, ret;

	attach(&p, r);
	for (i = 0; i < 20; i++) {
		ret = shmchan_permits_acquire(&p, &licence);
		if (ret < 0)
			errx(1, "%s", shmchan_error_detail());
		if (ret == 1)
			printf("process %d has licence %u of one that died\n",
			       number, licence);
		if (!number && i == 5)
			raise(SIGKILL);
		usleep(5000);
		shmchan_permits_release(&p, licence);
	}
	shmchan_region_close(r);
	return 0;
}

int main(void)
{
	struct shmchan_permits p;
	struct shmchan_region *r;
	int i, status, killed = 0;
	uint32_t licence;
	char name[64];

	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	r = create(name);
	attach(&p, r);
	for (i = 0; i < SLOTS - 1; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid)
			exit(work(name, i));
	}
	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			killed++;
		else if (status)
			return 1;
	}
	/* If nobody else has noticed the death, this does. */
	for (i = 0; i < LICENCES; i++)
		if (shmchan_permits_timedacquire(&p, &licence, 1000000000) < 0)
			break;
	printf("%d killed, %d licences of %d are here\n", killed, i, LICENCES);
	shmchan_region_close(r);
	return killed != 1 || i != LICENCES;
}
