// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Sharing with a stranger, to be read only: what it is let into is a capability
 * that was minted for it, and not the name.  Needs the module.
 *
 *	share		both, in two processes; if it can, the second one as nobody
 *
 * The owner makes a region of prices, and passes to whoever is at the other end
 * of a socket the right to read and to wait.  When it has seen enough of it, it
 * takes that away again.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/access.h>
#include <shmchan/bell.h>

#define ROUNDS		5
#define STRANGER	65534	/* nobody */

enum { OWNER_SLOT, STRANGER_SLOT, SLOTS };

/* At the beginning of the data; the owner's to write. */
struct prices {
	uint64_t round;
	uint64_t price[7];
};

static int stranger(int sock)
{
	struct shmchan_wait_elem elem;
	struct shmchan_region *r;
	const struct prices *p;
	uint64_t round = 0;
	int capability, ret;

	/* A stranger indeed, if we are root. */
	if (!geteuid() && (setgid(STRANGER) || setuid(STRANGER)))
		err(1, "setuid");
	capability = shmchan_capability_receive(sock);
	if (capability < 0)
		errx(1, "receive: %s", shmchan_error_detail());
	if (shmchan_region_adopt(&r, capability, NULL))
		errx(1, "adopt: %s", shmchan_error_detail());
	p = (const struct prices *)shmchan_region_at(r, 0);
	printf("stranger: slot %u; may I ring? %s\n", r->slot,
	       shmchan_bell_ring(r, 1, 0) == -EACCES ? "no" : "yes");
	for (;;) {
		elem = shmchan_elem64(1, 0, round);
		ret = shmchan_bell_wait(r, &elem, 1, SHMCHAN_FOREVER, NULL);
		round = shmchan_load_acquire((uint64_t *)&p->round);
		/* Behind what was read: zeros may be no prices of anybody. */
		if (ret || shmchan_region_check(r))
			break;
		printf("stranger: round %llu, price %llu\n",
		       (unsigned long long)round,
		       (unsigned long long)p->price[0]);
	}
	printf("stranger: %s\n", shmchan_error_detail());
	ret = ret ? ret : shmchan_region_check(r);
	shmchan_region_close(r);
	return ret != -ESTALE;
}

static struct shmchan_region *make_prices(void)
{
	/* Everybody reads; the owner alone writes. */
	const struct shmchan_window window = {
		.length = 4096, .slot = OWNER_SLOT,
	};
	/* Any member may wait for the next round. */
	const struct shmchan_doorbell bell = { .owner = SHMCHAN_SLOT_SHARED };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.backend = SHMCHAN_BACKEND_KMOD,
		.flags = SHMCHAN_CREATE_SMALL, .slot = OWNER_SLOT,
		.nr_slots = SLOTS, .nr_doorbells = 1, .nr_windows = 1,
		.data_size = 4096, .control_size = 4096,
		.doorbells = &bell, .windows = &window);
	struct shmchan_region *r;

	/* Without a name: nobody gets in but by us. */
	if (shmchan_region_create(&r, NULL, &opts))
		errx(1, "create: %s", shmchan_error_detail());
	return r;
}

static void let_in(const struct shmchan_region *r, int sock)
{
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(
		.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT,
		.slot = STRANGER_SLOT);
	int capability = shmchan_capability_mint(shmchan_region_fd(r), &less);

	if (capability < 0 || shmchan_capability_send(sock, capability))
		errx(1, "%s", shmchan_error_detail());
	close(capability);
}

static void owner(const struct shmchan_region *r)
{
	struct prices *p = (struct prices *)shmchan_region_at(r, 0);
	struct shmchan_wait_elem elem;
	uint64_t round, word;

	/* Until it is there. */
	while (!SHMCHAN_SLOT_WORD_GEN(word = shmchan_slot_word(r,
							STRANGER_SLOT))) {
		elem = shmchan_elem_slot(r, STRANGER_SLOT, word);
		if (shmchan_bell_wait(r, &elem, 1, shmchan_deadline(5000000000),
				      NULL))
			errx(1, "nobody came: %s", shmchan_error_detail());
	}
	for (round = 1; round <= ROUNDS; round++) {
		p->price[0] = 100 + round;
		shmchan_store_seq_cst(&p->round, round);
		shmchan_bell_notify(r, 1);
		usleep(100000);
	}
	if (shmchan_capability_revoke_slot(shmchan_region_fd(r), STRANGER_SLOT,
					   0, NULL))
		errx(1, "revoke: %s", shmchan_error_detail());
	printf("owner: that was all for slot %d\n", STRANGER_SLOT);
}

int main(void)
{
	struct shmchan_region *r;
	int sock[2], status;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		err(1, "socketpair");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		close(sock[0]);
		return stranger(sock[1]);
	}
	close(sock[1]);
	r = make_prices();
	let_in(r, sock[0]);
	owner(r);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "the stranger ended with status %#x", status);
	shmchan_region_close(r);
	return 0;
}
