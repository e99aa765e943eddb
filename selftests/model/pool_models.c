// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pool: who gets a buffer by pool_name() and pool_judge() has it as it was lent
 * until it drops it, whoever dies meanwhile; and what nobody living has comes back.
 * The library's own pool_words.h, in the order in which lib/pool_*.c call it.
 *
 * Buffer i is one plain word: to write it while somebody reads it is a race, which
 * fails the model.  It holds LENT as it was lent in lap 0, and OTHER afterwards.
 */
#include "lib/pool_cells.h"

#include "kernel.h"
#include "tests.h"

#define LENT	1ULL
#define OTHER	2ULL
#define OWNER	0U
#define A	1U		/* slots of holders */
#define B	2U

enum note {
	HAS_A, HAS_B, DEATHS,
};

/* What a model does wrong. */
enum flaw {
	LOOK_FIRST = 1,		/* a taker judges, and then names it */
	DROP_LATE,		/* says that it has dropped it, and then does */
};

static struct pool_view view;

static uint64_t live(uint32_t generation)
{
	return kernel_slot_value(generation, SHMCHAN_SLOT_LIVE);
}

static uint64_t died(uint32_t generation)
{
	return kernel_slot_value(generation, SHMCHAN_SLOT_DIED);
}

static uint64_t *data(uint32_t index)
{
	return (uint64_t *)(explorer_memory + (16 << 10) + 64UL * index);
}

/* Something that A and B tell each other, by release and acquire: a message. */
static uint64_t *told(unsigned int i)
{
	return (uint64_t *)(explorer_memory + (20 << 10) + 64UL * i);
}

static void put(uint32_t index, uint64_t value)
{
	shmchan_copy_in(data(index), &value, sizeof(value));
}

static uint64_t get(uint32_t index)
{
	uint64_t value;

	shmchan_copy_out(&value, data(index), sizeof(value));
	return value;
}

/* What a holder's handle knows. */
struct holding {
	struct shmchan_pool_block *block;
	uint32_t used;
	uint32_t generation;
};

static struct holding holder(uint32_t slot, uint32_t generation)
{
	return (struct holding){ pool_block(&view, slot - 1), 0, generation };
}

/* holder_take() and judge() of lib/pool_holder.c. */
static int take(struct holding *h, uint32_t cell, uint32_t index)
{
	uint64_t owner;
	int err;

	if (explorer_model->arg == LOOK_FIRST) {
		err = pool_judge(&view, index, 0);
		pool_name(h->block, cell, &h->used, h->generation, index);
		return err == -EAGAIN ? -ESTALE : err;
	}
	pool_name(h->block, cell, &h->used, h->generation, index);
	for (;;) {
		owner = shmchan_load_relaxed(kernel_slot_word(OWNER));
		err = pool_judge(&view, index, 0);
		if (err != -EAGAIN)
			return err;
		explorer_cover("the owner is looking");
		explorer_await_either(&view.words[index],
			shmchan_pool_word(0, SHMCHAN_POOL_ASKED),
			kernel_slot_word(OWNER), owner);
	}
}

/* clear(): the second store is that of shmchan_bell_publish(). */
static void drop(struct holding *h, uint32_t cell)
{
	uint64_t drops = shmchan_load_relaxed(&h->block->drops);

	if (explorer_model->arg != DROP_LATE)
		pool_unname(h->block, cell);
	shmchan_store_seq_cst(&h->block->drops, drops + 1);
	if (explorer_model->arg == DROP_LATE)
		pool_unname(h->block, cell);
}

static void take_and_drop(struct holding *h, uint32_t cell, uint32_t index,
			  enum note has)
{
	int err = take(h, cell, index);

	explorer_assert(!err || err == -ESTALE, "take says %d", err);
	if (!err) {
		explorer_note(has, 1);
		explorer_cover("taken");
		explorer_assert(get(index) == LENT,
				"taken, and used for something else");
	} else {
		explorer_cover("stale");
	}
	drop(h, cell);
	explorer_note(has, 0);
}

static void seen(void *arg, uint32_t h, uint32_t generation, uint32_t index)
{
	(void)h;
	(void)generation;
	if (!index)
		*(int *)arg = 1;
}

/* reuse() of lib/pool_owner.c, of buffer 0. */
static int reuse(void)
{
	int named = 0;

	pool_ask(&view, 0);
	pool_ask_done();
	(void)pool_look(&view, seen, &named);
	pool_settle(&view, 0, named);
	pool_settled();
	if (named)
		explorer_cover("named, and kept");
	return !named;
}

/* It may be written before it is lent: it is the owner's. */
static void use_again(uint64_t value)
{
	put(0, value);
	(void)pool_lend(&view, 0);
}

/* wait_for_any(): until it is free; A is the only holder. */
static void reuse_waiting(uint64_t value)
{
	uint64_t *drops = &pool_block(&view, A - 1)->drops;
	uint64_t before, word;

	for (;;) {
		word = shmchan_load_acquire(kernel_slot_word(A));
		before = shmchan_load_acquire(drops);
		if (reuse())
			break;
		explorer_await_either(kernel_slot_word(A), word, drops,
				      before);
	}
	use_again(value);
}

static void setup(uint32_t holders)
{
	kernel_setup();
	view = (struct pool_view){
		.words = (uint64_t *)explorer_memory,
		.blocks = explorer_memory + (4 << 10), .stride = 128,
		.slots = kernel_slot_word(OWNER), .nr_buffers = 2,
		.nr_holders = holders, .nr_cells = 2,
	};
	view.words[0] = shmchan_pool_word(0, SHMCHAN_POOL_LOANED);
	view.words[1] = shmchan_pool_word(0, SHMCHAN_POOL_LOANED);
	*data(0) = LENT;
	*data(1) = LENT;
}

static void setup_one(void)
{
	setup(1);
}

static void setup_two(void)
{
	setup(2);
}

/* A has it, the owner has dropped it. */
static void setup_held(void)
{
	struct shmchan_pool_block *block;

	setup(2);
	block = pool_block(&view, A - 1);
	block->used = 1;
	shmchan_pool_cells(block)[0] = shmchan_pool_cell(1, 0);
}

static void owner_twice(void)
{
	if (reuse() || reuse()) {
		use_again(OTHER);
		explorer_cover("used again");
	}
}

static void taker_a(void)
{
	struct holding h = holder(A, 1);

	take_and_drop(&h, 0, 0, HAS_A);
}

static void taker_b(void)
{
	struct holding h = holder(B, 1);

	take_and_drop(&h, 0, 0, HAS_B);
}

/* The same cell for one and then for another. */
static void taker_of_two(void)
{
	struct holding h = holder(A, 1);

	take_and_drop(&h, 0, 0, HAS_A);
	take_and_drop(&h, 0, 1, HAS_A);
}

static void owner_waits(void)
{
	reuse_waiting(OTHER);
	explorer_cover("used again");
}

static void will_a(void)
{
	if (explorer_notes[HAS_A])
		explorer_cover("dies with it");
	explorer_note(DEATHS, 1);
	kernel_member_ends(A, died(1));
}

static void will_owner(void)
{
	if (explorer_final(&view.words[0], 8) ==
	    shmchan_pool_word(0, SHMCHAN_POOL_ASKED))
		explorer_cover("dies while it asks");
	explorer_note(DEATHS, 1);
	kernel_member_ends(OWNER, died(1));
}

/* Either of its cells. */
static void taker_of_seat(void)
{
	struct holding h = holder(A, 1);

	take_and_drop(&h, explorer_choose(2), 0, HAS_A);
}

/* Whoever has the seat next; his predecessor's cells may be there still. */
static void next_in_seat(void)
{
	struct holding h = holder(A, 2);

	explorer_await(kernel_slot_word(A), EXPLORER_ACQ, died(1));
	shmchan_store_release(kernel_slot_word(A), live(2));
	pool_sit(h.block);
	take_and_drop(&h, explorer_choose(2), 0, HAS_B);
	explorer_cover("the next in the seat");
}

/* A is done with it when B has it. */
static void giver(void)
{
	struct holding h = holder(A, 1);

	explorer_assert(get(0) == LENT, "A: used for something else");
	shmchan_store_release(told(0), 1);
	explorer_await(told(1), EXPLORER_ACQ, 1);
	drop(&h, 0);
}

static void given(void)
{
	struct holding h = holder(B, 1);
	int err;

	explorer_await(told(0), EXPLORER_ACQ, 1);
	err = take(&h, 0, 0);
	explorer_assert(!err, "B was given it, and take says %d", err);
	shmchan_store_release(told(1), 1);
	explorer_assert(get(0) == LENT, "B: used for something else");
	explorer_cover("passed on");
	drop(&h, 0);
}

/* The next owner, once the first is dead. */
static void heir(void)
{
	explorer_await(kernel_slot_word(OWNER), EXPLORER_ACQ, died(1));
	shmchan_store_release(kernel_slot_word(OWNER), live(2));
	/* shmchan__pool_owner_attach() */
	if (pool_inherit(&view, 0)) {
		explorer_cover("the heir finds it free");
		use_again(OTHER);
		return;
	}
	reuse_waiting(OTHER);
	explorer_cover("the heir gets it back");
}

/* Does not wait: with two holders. */
static void heir_twice(void)
{
	explorer_await(kernel_slot_word(OWNER), EXPLORER_ACQ, died(1));
	shmchan_store_release(kernel_slot_word(OWNER), live(2));
	if (pool_inherit(&view, 0) || reuse()) {
		use_again(OTHER);
		explorer_cover("the heir gets it back");
	}
}

/*
 * A writable pool: buffer 0 is offered by A; B and C take it, whoever is first, and
 * write; A dies or not, and D claims it when its owner is dead.  To write in what
 * another writes in is a race.
 */
static const struct pool_member members[] = {
	{ 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 1 },
};

static void setup_owned(void)
{
	setup(3);
	view.words[0] = pool_cell_of(&members[0], 1, POOL_CELL_OWNED);
}

static void offerer(void)
{
	put(0, LENT);
	explorer_assert(!pool_offer(&view, &members[0], 0, 1, 0),
			"what is ours cannot be offered");
	shmchan_store_release(told(0), 1);
	/* It landed: if nobody has it, it is free. */
	if (!pool_release(&view, &members[0], 0, 1))
		explorer_cover("taken back");
}

static void take_offered(const struct pool_member *me)
{
	uint32_t lap = 1;

	explorer_await(told(0), EXPLORER_ACQ, 1);
	if (pool_take(&view, me, 0, &lap)) {
		explorer_cover("another has it");
		return;
	}
	explorer_assert(get(0) == LENT, "given, and used for something else");
	put(0, OTHER);
	explorer_cover("given");
	explorer_assert(!pool_release(&view, me, 0, lap),
			"what is ours cannot be given back");
}

static void receiver_b(void)
{
	take_offered(&members[1]);
}

static void receiver_c(void)
{
	take_offered(&members[2]);
}

static void claimer(void)
{
	uint32_t lap;

	if (pool_claim(&view, &members[3], 0, 1, &lap))
		return;
	put(0, OTHER);
	explorer_cover("claimed");
	explorer_assert(!pool_release(&view, &members[3], 0, lap),
			"what was claimed cannot be given back");
}

static void will_offerer(void)
{
	explorer_note(DEATHS, 1);
	kernel_member_ends(0, died(1));
}

static void will_receiver(void)
{
	explorer_note(DEATHS, 1);
	kernel_member_ends(1, died(1));
}

/* Nobody's, or of the dead. */
static void shared_final(unsigned int stuck)
{
	uint64_t word = explorer_final(&view.words[0], 8);
	uint32_t slot = shmchan_cell_slot(word);

	explorer_assert(!stuck || explorer_notes[DEATHS],
			"threads sleep for ever (mask %#x)", stuck);
	if (shmchan_cell_state(word) == POOL_CELL_FREE)
		return;
	explorer_assert(explorer_final(kernel_slot_word(slot), 8) == died(1),
			"nobody has it, and it is slot %u's", slot);
	explorer_cover("left by the dead");
}

/* The others wait for a death; if nobody died, they are as they were. */
static void death_final(unsigned int stuck)
{
	explorer_assert(!stuck || !explorer_notes[DEATHS],
			"threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!(stuck & 1), "the owner waits for ever");
}

static void heir_final(unsigned int stuck)
{
	explorer_assert(!stuck || !explorer_notes[DEATHS],
			"threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!(stuck & ~4U), "the taker waits for ever");
}

static void heir_of_two_final(unsigned int stuck)
{
	explorer_assert(!stuck || !explorer_notes[DEATHS],
			"threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!(stuck & ~8U), "somebody waits for ever");
}

static const char *const raced[] = {
	"taken", "stale", "named, and kept", "used again",
	"the owner is looking", NULL,
};
static const char *const come_back[] = {
	"taken", "named, and kept", "used again", NULL,
};
static const char *const of_dead[] = {
	"taken", "named, and kept", "used again", "dies with it", NULL,
};
static const char *const in_seat[] = {
	"taken", "used again", "dies with it", "the next in the seat", NULL,
};
static const char *const handed[] = {
	"passed on", "named, and kept", "used again", "the owner is looking",
	NULL,
};
static const char *const inherited[] = {
	"taken", "stale", "dies while it asks", "the heir gets it back",
	"the heir finds it free", NULL,
};
static const char *const offered[] = {
	"given", "another has it", "taken back", "claimed", "left by the dead",
	NULL,
};
static const char *const handed_by_heir[] = {
	"passed on", "dies while it asks", "the heir gets it back", NULL,
};

const struct explorer_model pool_models[] = {
	{ .name = "pool-take", .what = "who takes a buffer has it as it was lent",
	  .thread = { owner_twice, taker_a }, .setup = setup_one,
	  .covers = raced },
	{ .name = "pool-two", .what = "... of two who take it",
	  .thread = { owner_twice, taker_a, taker_b }, .setup = setup_two,
	  .covers = raced },
	{ .name = "pool-cell", .what = "... and its cell names another then",
	  .thread = { owner_waits, taker_of_two }, .setup = setup_one,
	  .covers = come_back },
	{ .name = "pool-dead-holder", .what = "what the dead had comes back",
	  .thread = { owner_waits, taker_a }, .will = { NULL, will_a },
	  .setup = setup_one, .max_kills = 1, .final = death_final,
	  .covers = of_dead },
	{ .name = "pool-seat", .what = "... also if their seat is taken again",
	  .thread = { owner_waits, taker_of_seat, next_in_seat },
	  .will = { NULL, will_a }, .setup = setup_one, .max_kills = 1,
	  .final = death_final, .covers = in_seat },
	{ .name = "pool-pass", .what = "what one has another can take",
	  .thread = { owner_twice, giver, given }, .setup = setup_held,
	  .covers = handed },
	{ .name = "pool-heir", .what = "an owner dies, the next goes on",
	  .thread = { owner_twice, taker_a, heir }, .will = { will_owner },
	  .setup = setup_one, .max_kills = 1, .final = heir_final,
	  .covers = inherited },
	{ .name = "pool-pass-heir", .what = "... while one passes it to another",
	  .thread = { owner_twice, giver, given, heir_twice },
	  .will = { will_owner }, .setup = setup_held, .max_kills = 1,
	  .final = heir_of_two_final, .covers = handed_by_heir },
	{ .name = "pool-shared", .what = "one of two has what is given away",
	  .thread = { offerer, receiver_b, receiver_c, claimer },
	  .will = { will_offerer, will_receiver }, .setup = setup_owned,
	  .max_kills = 1, .final = shared_final, .covers = offered },
	{ .name = "pool-look-first", .what = "named when it was looked at",
	  .thread = { owner_twice, taker_a }, .setup = setup_one,
	  .arg = LOOK_FIRST, .finds = "data race" },
	{ .name = "pool-drop-late", .what = "dropped when the owner was told",
	  .thread = { owner_waits, taker_a }, .setup = setup_one,
	  .arg = DROP_LATE, .finds = "sleep for ever" },
	{ .name = NULL },
};
