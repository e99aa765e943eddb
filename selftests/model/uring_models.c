// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT by io_uring: no wake-up is lost, and each submission is completed once,
 * whatever of a ring, a cancellation and the end of its member comes first.
 */
#include "kmod.h"
#include "tests.h"

#define BELL	1U

static const struct k_wait by_uring = {
	.nr = 1, .elem = {{ BELL, k_data, 0 }}, .async = 1,
};
static const struct k_wait patient = {
	.member = 1, .nr = 1, .elem = {{ BELL, k_data, 0 }},
};

static void setup(void)
{
	k_setup();
	k_setup_wait(0, &by_uring);
	k_setup_wait(1, &patient);
}

static int take(void)
{
	uint64_t n = shmchan_load_acquire(k_data(0));

	return n && shmchan_cas(k_data(0), &n, n - 1);
}

static void submitter(void)
{
	uint64_t believed = 0;

	if (take())
		return;
	switch (k_async_wait(0, &believed)) {
	case K_OK:
		if (take())
			explorer_cover("takes the item");
		break;
	case K_ECANCELED:
		explorer_cover("ECANCELED");
		break;
	default:
		explorer_cover("ESTALE");
	}
}

static void consumer(void)
{
	uint64_t believed = 0;

	while (!take())
		(void)k_wait(1, &believed, NULL);
}

static void producer(void)
{
	k_produce(k_data(0), 1, BELL, 0);
}

static void putter(void)
{
	k_produce(k_data(0), 1, BELL, 1);
}

static void revoker(void)
{
	k_member_end(0);
}

static void canceller(void)
{
	k_async_cancel(0);
}

/* Who cancels waits for something to cancel, which need not come. */
static void final(unsigned int stuck)
{
	if (explorer_model->thread[3] == canceller)
		stuck &= ~8U;
	explorer_assert(!(stuck & 3) || !explorer_final(k_data(0), 8),
			"an item lies there, and somebody sleeps for ever");
	explorer_assert(!(stuck & ~3U), "others sleep for ever");
	explorer_assert(explorer_final(k_completions(0), 8) <= 1,
			"completed twice");
}

static const char *const once[] = {
	"changed as it was submitted", "completed later", "takes the item",
	NULL,
};
static const char *const cancels[] = {
	"ECANCELED", "cancelled", "hands the ring on", "takes the item", NULL,
};
static const char *const ends[] = {
	"ESTALE", "hands the ring on", "an end finds a sleeper",
	"not the one to complete it", "ended as it began", "takes the item",
	NULL,
};

#define LOST	"an item lies there"
#define ONE	.setup = setup, .final = final, \
		.thread = { submitter, producer }
#define CANCEL	.setup = setup, .final = final, \
		.thread = { submitter, consumer, putter, canceller }
#define END	.setup = setup, .final = final, \
		.thread = { submitter, consumer, putter, revoker }

const struct explorer_model uring_models[] = {
	{ .name = "uring", .what = "no wake-up is lost", ONE, .covers = once },
	{ .name = "uring-cancel", .what = "ring or cancellation, once", CANCEL,
	  .covers = cancels },
	{ .name = "uring-end", .what = "ring or end of the member, once", END,
	  .covers = ends },

	{ .name = "uring-late-compare", .what = "compares, then queues",
	  ONE, .arg = K_URING_LATE_COMPARE, .finds = LOST },
	{ .name = "uring-no-barrier", .what = "no barrier before it compares",
	  ONE, .arg = K_URING_NO_BARRIER, .finds = LOST },
	{ .name = "uring-begin-store", .what = "begins, whatever came before",
	  ONE, .arg = K_BEGIN_STORE, .finds = LOST },
	{ .name = "uring-claim", .what = "ended by a load and a store: freed twice",
	  CANCEL, .arg = K_CLAIM_LOAD, .finds = "data race" },
	{ .name = "uring-cancel-keeps",
	  .what = "cancelled, keeps the ring that chose it",
	  CANCEL, .arg = K_CANCEL_KEEPS, .finds = LOST },
	{ .name = "uring-end-keeps", .what = "ended, keeps the ring",
	  END, .arg = K_NO_HAND_ON, .finds = LOST },
	{ .name = "uring-free", .what = "freed while an end may look at it",
	  END, .arg = K_FREE_NO_LOCK, .races = 1, .finds = "data race" },
	{ .name = NULL },
};
