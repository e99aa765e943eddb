/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ATTACK_PINS_H
#define SHMCHAN_ATTACK_PINS_H

/*
 * What the kernel gives to whoever may read or write a page, and no module can
 * take back or refuse: references to it, and its use as a futex.  These work; it
 * is told what they come to.
 */

#include "attack_ended.h"
#include "attack_io.h"

/* Something that the victim stores now. */
#define NOW_STORED	0x4e6f5721

enum pinned { READ_ON, WRITE_OWN, HOLD_SLOT, TAKE_WAKE, KEEP_MEMORY };

static long pin_read_on(void)
{
	size_t in_page = (scene->folio / 2 + 64) & (PAGE - 1);
	char page[PAGE];
	int copy[2];
	long ret = -EIO;

	ask(STORE_TID, NOW_STORED);
	/* By tee() it can be done over and over. */
	if (pipe(copy) || tee(relics.pipe[0], copy[1], PAGE, 0) != PAGE)
		ret = -errno;
	else if (read(copy[0], page, PAGE) == PAGE)
		ret = *(uint32_t *)(page + in_page) == NOW_STORED ? 1 : -EPERM;
	close_both(copy);
	ask(STORE_TID, 0);
	return ret;
}

static long pin_write_own(void)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED, .fd = something(), .len = 64,
		.addr = ptr(me.own) + 64,
	};
	long ret;

	if (!relics.has_ring)
		return -ENOSYS;
	ret = uring_do(&relics.ring, &sqe);
	close(sqe.fd);
	return ret;
}

static long pin_hold_slot(void)
{
	struct iovec page = { view(AT_VACANT), PAGE };
	int fds[2];
	long ret;

	if (pipe(fds) || vmsplice(fds[1], &page, 1, 0) != PAGE)
		return -errno;
	ret = ask(LIVE_ON, 0) ? 1 : -EPERM;
	close_both(fds);
	return ret;
}

static void *wait_futex(void *arg)
{
	*(long *)arg = sys(SYS_futex, view(AT_VICTIM) + scene->folio / 2 + 64,
			   0, 0, NULL, NULL, 0);
	return NULL;
}

static long pin_take_wake(void)
{
	static long waited;
	pthread_t thread;
	long woken;

	waited = PEER_BUSY;
	view(AT_VICTIM);
	if (pthread_create(&thread, NULL, wait_futex, &waited))
		return -EAGAIN;
	(void)!eventually((woken = ask(WAKE_FUTEX, 0)) == 1);
	if (woken == 1)
		pthread_join(thread, NULL);
	return woken == 1 && !waited ? 1 : -EPERM;
}

/* A file is all that it keeps, and one that has been revoked. */
static long pin_keep_memory(void)
{
	long ret = ask(LEND, 0);
	int fd;

	if (ret)
		return ret;
	fd = recv_fd(peer_sock);
	ret = join(fd, 0);
	if (ret > 0)
		ret = ask(TAKE_BACK, 0);
	if (ret == 1 && leave(fd) != -ESTALE)
		ret = -EPERM;
	close(fd);
	if (ret == 1 && !eventually(!ask(IS_CHARGED, 0)))
		ret = -EPERM;
	return ret ? ret : -EPERM;
}

static long pinned(const struct attempt *a)
{
	switch (a->route->arg) {
	case READ_ON:
		return pin_read_on();
	case WRITE_OWN:
		return pin_write_own();
	case HOLD_SLOT:
		return pin_hold_slot();
	case KEEP_MEMORY:
		return pin_keep_memory();
	default:
		return pin_take_wake();
	}
}

#define PINNED(_roles, _name, _what)					\
	{ .name = (_name), .attack = pinned, .arg = (_what),		\
	  .roles = (_roles), .targets = ONLY, .flags = SPOILS }

static const struct route read_on_routes[] = {
	PINNED(HAS_ENDED, "read-on", READ_ON),
};

static const struct route write_own_routes[] = {
	PINNED(HAS_ENDED, "write-its-former-window", WRITE_OWN),
};

static const struct route hold_slot_routes[] = {
	PINNED(IS(MEMBER) | IS(READER), "hold-a-slot", HOLD_SLOT),
};

static const struct route futex_wake_routes[] = {
	PINNED(IS(MEMBER) | IS(READER), "take-a-futex-wake", TAKE_WAKE),
};

static const struct route keep_memory_routes[] = {
	PINNED(IS(STRANGER), "keep-the-memory", KEEP_MEMORY),
};

static const struct family pin_families[] = {
	FAMILY("read-on", read_on_routes,
	       "a member that has put references to pages into a pipe goes on "
	       "to read them after its end, also what is stored there later",
	       "the kernel gives references to whoever may read, and takes none "
	       "back.  Who revokes a reader that it no longer trusts makes a new "
	       "region for what is to be secret from then on"),
	FAMILY("write-own", write_own_routes,
	       "a member whose window is a fixed buffer of a ring goes on to "
	       "write it after its end",
	       "the same.  The window is given to nobody before it lets go"),
	FAMILY("hold", hold_slot_routes,
	       "a member that holds references to pages of a vacant slot's "
	       "window keeps its next holder out",
	       "the kernel cannot tell a reader's pin from a writer's.  Other "
	       "slots are free"),
	FAMILY("keep", keep_memory_routes,
	       "who has a capability keeps the file, also when it is revoked, and "
	       "with it all memory of the region, which counts for its creator",
	       "a region lives as long as a file of it"),
	FAMILY("futex", futex_wake_routes,
	       "a member that may read a word waits for it as a futex, and takes "
	       "a wake-up that was meant for another",
	       "waiting for a futex takes no right to write.  Doorbells have "
	       "owners"),
};

#endif /* SHMCHAN_ATTACK_PINS_H */
