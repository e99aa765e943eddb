// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lane whose ends die: before any store, with the stores before it in any
 * order that the compiler was free to choose.  The reader judges (what was
 * committed comes, what was not does not, then the end); the next holder of
 * the slot repairs, and goes on.
 *
 * What the dead did is in notes: bit i of COMMITTED says that the commit of
 * record i returned, of TOUCHED that it was begun.
 */
#include <string.h>

#include "lane_fixture.h"
#include "tests.h"

enum note {
	COMMITTED, TOUCHED, RECEIVED, LAST, SENT2, REDELIVERED, DEATHS,
};

static uint64_t live(uint32_t generation)
{
	return kernel_slot_value(generation, SHMCHAN_SLOT_LIVE);
}

static uint64_t died(uint32_t generation)
{
	return kernel_slot_value(generation, SHMCHAN_SLOT_DIED);
}

static void note_bit(enum note note, unsigned int i)
{
	explorer_note(note, explorer_notes[note] | 1ULL << i);
}

static void writer_will(void)
{
	kernel_member_ends(WRITER_SLOT, died(1));
}

static void reader_will(void)
{
	kernel_wait_killed(DATA_BELL, 0);
	kernel_member_ends(READER_SLOT(0), died(1));
}

/* What the program learns: a call that returns is over for the compiler too. */
static void returned(void)
{
	shmchan_crash_fence();
}

static void send_one(struct writing *s, unsigned int i)
{
	uint8_t buf[24];
	int ret;

	record_fill(i, buf);
	note_bit(TOUCHED, i);
	for (;;) {
		uint64_t *cursor = &shmchan_lane_cursor(&lane, 0)->pos;
		uint64_t pos = 0;

		if (s->w.tail + 72 > s->w.limit)
			pos = shmchan_load_relaxed(cursor);
		ret = shmchan_lane_send(&s->w, buf, record_length(i), i, 0);
		if (ret != -EAGAIN)
			break;
		writer_wait_room(&s->w, pos);
	}
	explorer_assert(ret >= 0, "send says %d", ret);
	returned();
	note_bit(COMMITTED, i);
	if (ret == 1)
		kernel_ring(DATA_BELL);
}

static void commit_one(struct writing *s, struct shmchan_reservation *rsv,
		       unsigned int i)
{
	uint8_t buf[24];
	int ret;

	record_fill(i, buf);
	shmchan_lane_fill(&s->w, rsv, 0, buf, record_length(i));
	note_bit(TOUCHED, i);
	ret = shmchan_lane_commit(&s->w, rsv, record_length(i), i, 0);
	returned();
	note_bit(COMMITTED, i);
	if (ret == 1)
		kernel_ring(DATA_BELL);
}

static void say_end(struct writing *s)
{
	int ret = shmchan_lane_close(&s->w);

	returned();
	explorer_assert(ret >= 0, "close says %d", ret);
	if (ret == 1)
		kernel_ring(DATA_BELL);
}

/* Records from s->next up to n, by those who cannot be killed meanwhile. */
static void prologue(struct writing *s, unsigned int n)
{
	uint64_t all = (1ULL << n) - (1ULL << s->next);

	explorer_syscall();
	explorer_note(TOUCHED, all);
	writer_attach(&s->w, 1);
	writer_send_all(s, n);
	explorer_note(COMMITTED, all);
	explorer_sysret();
}

/* Sends; then two reservations, committed in reverse. */
static void mortal(void)
{
	struct writing s = { .next = 0 };
	struct shmchan_reservation a, b;
	unsigned int n = (unsigned int)explorer_model->arg;

	prologue(&s, n);
	explorer_settle(&s);
	send_one(&s, n);
	if (shmchan_lane_reserve(&s.w, record_length(n + 1), &a) ||
	    shmchan_lane_reserve(&s.w, record_length(n + 2), &b))
		explorer_fail("no room to reserve");
	commit_one(&s, &b, n + 2);
	commit_one(&s, &a, n + 1);
	say_end(&s);
}

/* Only sends. */
static void mortal_sender(void)
{
	struct writing s = { .next = 0 };

	prologue(&s, 0);
	send_one(&s, 0);
	send_one(&s, 1);
	say_end(&s);
}

/* Reserves what does not fit before the end of the ring, over old records. */
static void mortal_wrapper(void)
{
	struct writing s = { .next = 0 };
	struct shmchan_reservation a;
	int err;

	prologue(&s, 4);
	explorer_settle(&s);
	while ((err = shmchan_lane_reserve(&s.w, 24, &a)) == -EAGAIN)
		writer_wait_room(&s.w, 0);
	explorer_assert(!err, "reserve says %d", err);
	commit_one(&s, &a, 4);
	say_end(&s);
}

/* Sends the record for which the limit has to be raised, mid-eighth. */
static void mortal_raiser(void)
{
	struct writing s = { .next = 0 };

	prologue(&s, 6);
	explorer_settle(&s);
	send_one(&s, 6);
}

/* Reservations committed short and aborted. */
static void mortal_trimmer(void)
{
	struct writing s = { .next = 0 };
	struct shmchan_reservation a, b;

	prologue(&s, 0);
	if (explorer_choose(2)) {
		if (shmchan_lane_reserve(&s.w, 24, &a))
			explorer_fail("no room to reserve");
		commit_one(&s, &a, 0);		/* 8 of 24, at the tail */
		send_one(&s, 1);
		return;
	}
	if (shmchan_lane_reserve(&s.w, 16, &a) ||
	    shmchan_lane_reserve(&s.w, 16, &b))
		explorer_fail("no room to reserve");
	commit_one(&s, &a, 0);			/* 8 of 16: padding behind */
	shmchan_lane_abort(&s.w, &b);
	send_one(&s, 1);
}

static void take(struct reading *s, const uint8_t *buf, size_t length,
		 uint32_t meta)
{
	(void)s;
	record_check(buf, length, meta);
	explorer_assert(!(explorer_notes[RECEIVED] >> meta),
			"record %u comes twice or out of order", meta);
	note_bit(RECEIVED, meta);
}

/* Until the writer's death is said, or its end. */
static void judge(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int err;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	while (!(err = reader_recv(&s, buf, &length, &meta)))
		take(&s, buf, length, meta);
	explorer_note(LAST, (uint64_t)-err);
	if (err == -EPIPE) {
		explorer_cover("a clean end");
		return;
	}
	explorer_assert(err == -EOWNERDEAD, "recv says %d", err);
	explorer_cover("the reader judges");
	explorer_assert(shmchan_lane_recv(&s.r, buf, 24, &length, &meta) ==
			-EOWNERDEAD, "the dead speak again");
}

static void judge_final(unsigned int stuck)
{
	uint64_t must = explorer_notes[COMMITTED];
	uint64_t may = explorer_notes[TOUCHED];
	uint64_t got = explorer_notes[RECEIVED];

	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!(must & ~got), "committed %#llx, received %#llx",
			(unsigned long long)must, (unsigned long long)got);
	explorer_assert(!(got & ~may), "received %#llx, written %#llx",
			(unsigned long long)got, (unsigned long long)may);
	if (got & ~must)
		explorer_cover("killed after the commit, before the return");
	if (got & (got + 1))
		explorer_cover("committed behind a dead reservation");
	explorer_assert(explorer_notes[LAST] != EPIPE ||
			explorer_notes[COMMITTED] == explorer_notes[RECEIVED],
			"a clean end, and something is missing");
}

/* The next holder: joins when the kernel has buried the last one. */
static void heir(void)
{
	struct writing s = { .next = 16 };

	explorer_await(kernel_slot_word(WRITER_SLOT), EXPLORER_ACQ, died(1));
	shmchan_store_release(kernel_slot_word(WRITER_SLOT), live(2));
	writer_attach(&s.w, 2);
	explorer_settle(&s);
	writer_send_all(&s, 17);
	explorer_note(SENT2, 1ULL << 16);
	explorer_assert(shmchan_lane_close(&s.w) >= 0, "cannot close");
}

static const char *const attributed[] = {
	"the reader judges", "the heir says it", "one sender for certain",
	"one of two senders", NULL,
};

/* Whose record this is, is within what the reader says, and never beside it. */
static void check_sender(const struct reading *s, uint32_t meta)
{
	uint32_t whose = meta < 16 ? 1 : 2;
	struct shmchan_lane_sender from;

	explorer_assert(!shmchan_lane_reader_sender(&s->r, &from),
			"nobody knows who wrote record %u", meta);
	explorer_assert(from.oldest <= whose && whose <= from.newest,
			"record %u of generation %u is said to be of %u to %u",
			meta, whose, from.oldest, from.newest);
	explorer_assert(!from.by_lane || from.by_lane == whose,
			"record %u is of generation %u by the lane", meta,
			from.by_lane);
	explorer_cover(from.oldest == from.newest ? "one sender for certain" :
						    "one of two senders");
}

/*
 * Reads on over the death, of which it hears once: by judging, or from the
 * heir's EPOCH.
 */
static void survivor(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int err;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	for (;;) {
		err = reader_recv(&s, buf, &length, &meta);
		if (!err) {
			take(&s, buf, length, meta);
			if (explorer_model->covers == attributed)
				check_sender(&s, meta);
			explorer_assert(meta < 16 || explorer_notes[DEATHS],
					"the heir's record without a word");
			continue;
		}
		if (err != -EOWNERDEAD)
			break;
		explorer_settle(&s);
		explorer_note(DEATHS, explorer_notes[DEATHS] + 1);
		/* Nothing more will come before the heir is there. */
		if (s.r.end_seen)
			explorer_cover("the reader judges");
		else
			explorer_cover("the heir says it");
		if (s.r.end_seen)
			explorer_await(kernel_slot_word(WRITER_SLOT),
				       EXPLORER_RLX, live(2));
	}
	explorer_assert(err == -EPIPE, "the end is %d", err);
	if (explorer_notes[RECEIVED] >> 16)
		explorer_assert(explorer_notes[DEATHS] == 1,
				"the death was said %llu times",
				(unsigned long long)explorer_notes[DEATHS]);
	else
		explorer_assert(!explorer_notes[DEATHS],
				"dead, and yet an end");
	explorer_note(LAST, explorer_notes[DEATHS] ? 2 : 1);
}

static void survivor_final(unsigned int stuck)
{
	/* Nobody died: the heir waits, and perhaps the reader. */
	if (stuck & 4)
		return;
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	/* 1: the dead one had said its last word already; 2: both were read. */
	if (explorer_notes[LAST] == 2) {
		explorer_notes[COMMITTED] |= explorer_notes[SENT2];
		explorer_notes[TOUCHED] |= explorer_notes[SENT2];
	}
	judge_final(0);
}

static void setup_bell(void)
{
	lane_setup(SHMCHAN_LANE_HOLD, 1);
}

static void setup_hold(void)
{
	lane_setup(SHMCHAN_LANE_HOLD | SHMCHAN_LANE_POLL, 1);
}

static void setup_wrap(void)
{
	setup_hold();
	record_lengths = LENGTHS_BIG;
}

static void setup_raise(void)
{
	setup_hold();
	record_lengths = LENGTHS_RAISE;
}

/* Only the writer sleeps: for room, which a live reader holds. */
static void setup_room(void)
{
	lane_setup(SHMCHAN_LANE_POLL, 1);
	record_lengths = LENGTHS_BIG;
	lane_writer_sleeps = 1;
}

/* The lane begins when the reader has joined. */
static uint64_t *joined_word(void)
{
	return (uint64_t *)(explorer_memory + (16 << 10));
}

static void sender(void)
{
	struct writing s = { .next = 0 };

	explorer_await(joined_word(), EXPLORER_ACQ, 1);
	writer_attach(&s.w, 1);
	writer_send_all(&s, (uint64_t)explorer_model->arg);
	explorer_assert(shmchan_lane_close(&s.w) >= 0, "cannot close");
}

static void sender_at_once(void)
{
	struct writing s = { .next = 0 };

	writer_attach(&s.w, 1);
	writer_send_all(&s, (uint64_t)explorer_model->arg);
	explorer_assert(shmchan_lane_close(&s.w) >= 0, "cannot close");
}

/* Joins, reads a little, and is killed somewhere on the way, or sleeps. */
static void mortal_reader(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int n;

	explorer_syscall();
	reader_join(&s.r, 0, 1, SHMCHAN_FROM_OLDEST);
	shmchan_store_release(joined_word(), 1);
	explorer_sysret();
	for (n = 0; n < 2; n++) {
		explorer_settle(&s);
		if (shmchan_lane_recv(&s.r, buf, 24, &length, &meta))
			break;
		record_check(buf, length, meta);
	}
	/* Holds the writer for ever, were it not for its death. */
	explorer_await(joined_word(), EXPLORER_RLX, 2);
}

/* Joins and leaves, while the writer may sleep for room. */
static void leaving_reader(void)
{
	struct reading s = { .next = 0 };

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_OLDEST);
	shmchan_store_release(joined_word(), 1);
	shmchan_lane_leave(&s.r);
}

/* A header that no writer writes. */
static uint64_t nonsense(void)
{
	return shmchan_hdr(4096, SHMCHAN_HDR_DATA, 0);
}

/* What the dead left in front of its heir. */
static void setup_nonsense(void)
{
	setup_hold();
	*kernel_slot_word(WRITER_SLOT) = died(1);
	*lane_ring_word(0) = shmchan_hdr(8, SHMCHAN_HDR_DATA, 0);
	*lane_ring_word(2) = nonsense();
}

/*
 * The same, where the heir's checkpoint comes to the first of the places that a reader
 * looks at: it is the slot word that has it see that, and no fence of a later place.
 */
static void setup_nonsense_first(void)
{
	setup_hold();
	*kernel_slot_word(WRITER_SLOT) = died(1);
	lane.control->floor = lane.control->proposed = 8;
	lane.control->checkpoints[0].pos = 8;
	shmchan_lane_cursor(&lane, 0)->pos = 8;
	*lane_ring_word(1) = shmchan_hdr(8, SHMCHAN_HDR_DATA, 0);
	*lane_ring_word(3) = nonsense();
}

/* Is told of the nonsense, and goes on behind it. */
static void jumper(void)
{
	struct reading s = { .next = 16 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int err, bad = 0;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	err = reader_recv(&s, buf, &length, &meta);
	explorer_assert(!err && !meta, "the record before it: %d", err);
	for (;;) {
		uint64_t pos = s.r.pos, seen;

		explorer_settle(&s);
		err = shmchan_lane_recv(&s.r, buf, 24, &length, &meta);
		if (err == -EOWNERDEAD)
			continue;
		if (err != -EBADMSG && err != -EAGAIN)
			break;
		bad |= err == -EBADMSG;
		if (pos != s.r.pos)
			continue;
		seen = shmchan_load_relaxed(lane_ring_word(
				(unsigned int)(pos / 8)));
		if (err == -EAGAIN && shmchan_hdr_committed(seen)) {
			/* At the jump: until there is somewhere to go. */
			if (shmchan_hdr_kind(seen) == SHMCHAN_HDR_CTRL)
				explorer_await(joined_word(), EXPLORER_ACQ, 1);
			continue;
		}
		if (err == -EAGAIN || seen == nonsense())
			explorer_await_not(lane_ring_word(
					(unsigned int)(pos / 8)),
					EXPLORER_RLX, seen);
	}
	explorer_assert(bad, "no word about the nonsense");
	explorer_assert(!err && meta == 16, "behind the jump: %d", err);
	record_check(buf, length, meta);
	explorer_note(RECEIVED, 1);
}

static void jump_heir(void)
{
	struct writing s = { .next = 16 };

	shmchan_store_release(kernel_slot_word(WRITER_SLOT), live(2));
	writer_attach(&s.w, 2);
	shmchan_store_release(joined_word(), 1);
	writer_send_all(&s, 17);
}

static void jump_final(unsigned int stuck)
{
	explorer_assert(!stuck && explorer_notes[RECEIVED],
			"threads sleep for ever (mask %#x)", stuck);
}

/* The same heir, who may die at each step; its will says so as its word would. */
static void mortal_jumper(void)
{
	struct writing s = { .next = 16 };

	/* The slot word must not be the explorer's first location. */
	shmchan_store_relaxed(joined_word(), 0);
	shmchan_store_release(kernel_slot_word(WRITER_SLOT), live(2));
	writer_attach(&s.w, 2);
	returned();
	shmchan_store_release(joined_word(), 1);
	send_one(&s, 16);
}

static void jumper_will(void)
{
	kernel_member_ends(WRITER_SLOT, died(2));
	shmchan_store_release(joined_word(), 1);
}

/*
 * Until the heir's end: that of who left the nonsense is another.  At a jump there is
 * soon somewhere to go, or who jumped is dead: then nothing comes any more.
 */
static void jump_judge(void)
{
	uint64_t *word = kernel_slot_word(WRITER_SLOT), pos, seen;
	struct reading s = { .next = 16 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int err;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	err = reader_recv(&s, buf, &length, &meta);
	explorer_assert(!err && !meta, "the record before it: %d", err);
	for (;;) {
		explorer_settle(&s);
		pos = s.r.pos;
		err = shmchan_lane_recv(&s.r, buf, 24, &length, &meta);
		if (!err) {
			take(&s, buf, length, meta);
			continue;
		}
		if (err == -EOWNERDEAD && s.r.whose.oldest == 3)
			break;
		if (pos != s.r.pos)
			continue;
		seen = shmchan_load_relaxed(lane_ring_word(
				(unsigned int)(pos / 8) %
				(unsigned int)(lane.capacity / 8)));
		if (err == -EBADMSG && seen == nonsense()) {
			/* Killed before it has jumped, perhaps. */
			if (shmchan_load_acquire(word) == died(2) &&
			    shmchan_load_relaxed(lane_ring_word(3)) == seen)
				return;
			explorer_await_either(lane_ring_word(3), seen, word,
					      live(2));
			continue;
		}
		if (err != -EAGAIN)
			continue;
		if (shmchan_hdr_committed(seen)) {
			explorer_cover("in front of a jump");
			explorer_await(joined_word(), EXPLORER_RLX, 1);
		} else {
			reader_wait(&s.r);
		}
	}
	seen = shmchan_load_relaxed(lane_ring_word(
			(unsigned int)(s.r.pos / 8) %
			(unsigned int)(lane.capacity / 8)));
	explorer_cover(seen ? "killed amid the repair" : "killed behind it");
	explorer_assert(shmchan_lane_recv(&s.r, buf, 24, &length, &meta) ==
			-EOWNERDEAD, "the dead speak again");
}

static void jump_judge_final(unsigned int stuck)
{
	/* Nobody died: the reader waits for more. */
	if (stuck == 2 && explorer_notes[RECEIVED])
		return;
	judge_final(stuck);
}

static void room_final(unsigned int stuck)
{
	explorer_assert(!(stuck & 1) || stuck & 2,
			"the writer waits for the dead");
	if (!(stuck & 1))
		explorer_cover("the writer goes on");
}

/* A reader dies and its successor goes on at the cursor: nothing is lost. */
static void mortal_resumer(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	while (!reader_recv(&s, buf, &length, &meta)) {
		record_check(buf, length, meta);
		explorer_assert(meta == s.next, "record %u", meta);
		s.next++;
		explorer_note(RECEIVED, s.next);
	}
}

static void resumer(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int err, first = 1;

	explorer_await(kernel_slot_word(READER_SLOT(0)), EXPLORER_ACQ,
		       died(1));
	shmchan_store_release(kernel_slot_word(READER_SLOT(0)), live(2));
	reader_join(&s.r, 0, 2, SHMCHAN_FROM_CURSOR);
	while (!(err = reader_recv(&s, buf, &length, &meta))) {
		record_check(buf, length, meta);
		if (first) {
			s.next = meta;
			explorer_note(REDELIVERED, meta + 1);
		}
		first = 0;
		explorer_assert(meta == s.next, "record %u instead of %llu",
				meta, (unsigned long long)s.next);
		s.next++;
	}
	explorer_assert(err == -EPIPE, "the end is %d", err);
	explorer_assert(first ||
			s.next == (uint64_t)explorer_model->arg,
			"the last is %llu", (unsigned long long)s.next);
}

static void resume_final(unsigned int stuck)
{
	uint64_t got = explorer_notes[RECEIVED];
	uint64_t first = explorer_notes[REDELIVERED];

	if (stuck == 4)
		return;			/* nobody died */
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!first || first - 1 <= got,
			"records %llu to %llu are lost",
			(unsigned long long)got,
			(unsigned long long)first - 2);
	if (first && first - 1 < got)
		explorer_cover("a record comes again");
	if (first && first - 1 == got)
		explorer_cover("goes on exactly");
}

static const char *const judged[] = {
	"the reader judges", "a clean end",
	"killed after the commit, before the return",
	"committed behind a dead reservation", NULL,
};
static const char *const woken[] = {
	"the reader judges", "slept and was woken",
	"killed after the commit, before the return", NULL,
};
static const char *const survived[] = {
	"the reader judges", "the heir says it", NULL,
};
static const char *const judged_jump[] = {
	"in front of a jump", "killed amid the repair", "killed behind it", NULL,
};
static const char *const roomy[] = {
	"the writer waits for room", "the writer goes on", NULL,
};
static const char *const left[] = {
	"the writer waits for room", "slept and was woken", NULL,
};
static const char *const resumed[] = {
	"goes on exactly", "a record comes again", NULL,
};

const struct explorer_model crash_models[] = {
	{ .name = "crash-judge", .what = "a writer dies, the reader judges",
	  .thread = { mortal, judge }, .will = { writer_will },
	  .setup = setup_hold, .max_kills = 1, .final = judge_final,
	  .covers = judged },
	{ .name = "crash-bell", .what = "... and is woken to judge",
	  .thread = { mortal_sender, judge }, .will = { writer_will },
	  .setup = setup_bell, .max_kills = 1, .final = judge_final,
	  .covers = woken },
	{ .name = "crash-repair", .what = "... and the next holder repairs",
	  .thread = { mortal, survivor, heir }, .will = { writer_will },
	  .setup = setup_hold, .max_kills = 1, .final = survivor_final,
	  .covers = survived },
	{ .name = "crash-sender", .what = "... and whose records were they?",
	  .thread = { mortal, survivor, heir }, .will = { writer_will },
	  .setup = setup_hold, .max_kills = 1, .final = survivor_final,
	  .covers = attributed },
	{ .name = "crash-send", .what = "the same, where it only sends",
	  .thread = { mortal_sender, survivor, heir },
	  .will = { writer_will }, .setup = setup_hold,
	  .max_kills = 1, .final = survivor_final, .covers = survived },
	{ .name = "crash-wrap", .what = "the same, at the end of the ring",
	  .thread = { mortal_wrapper, survivor, heir },
	  .will = { writer_will }, .setup = setup_wrap,
	  .max_kills = 1, .final = survivor_final, .covers = survived },
	{ .name = "crash-raise", .what = "the same, as the limit is raised",
	  .thread = { mortal_raiser, survivor, heir },
	  .will = { writer_will }, .setup = setup_raise,
	  .max_kills = 1, .final = survivor_final, .covers = survived },
	{ .name = "crash-trim", .what = "the same, with cut and aborted ones",
	  .thread = { mortal_trimmer, survivor, heir },
	  .will = { writer_will }, .setup = setup_hold, .max_kills = 1,
	  .final = survivor_final, .covers = survived },
	{ .name = "crash-reader", .what = "a reader dies, the writer goes on",
	  .thread = { sender, mortal_reader }, .will = { NULL, reader_will },
	  .setup = setup_room, .arg = 6, .max_kills = 1, .final = room_final,
	  .races = 1,
	  .covers = roomy },
	{ .name = "leave-room", .what = "a reader leaves, the writer goes on",
	  .thread = { sender, leaving_reader }, .setup = setup_room,
	  .arg = 6, .covers = left },
	{ .name = "crash-jump", .what = "nonsense of the dead is jumped over",
	  .thread = { jump_heir, jumper }, .setup = setup_nonsense,
	  .final = jump_final },
	{ .name = "crash-amid-jump", .what = "... by who dies in its turn",
	  .thread = { mortal_jumper, jump_judge }, .will = { jumper_will },
	  .setup = setup_nonsense_first, .max_kills = 1, .final = jump_judge_final,
	  .covers = judged_jump },
	{ .name = "crash-resume", .what = "a reader dies, the next goes on",
	  .thread = { sender_at_once, mortal_resumer, resumer },
	  .will = { NULL, reader_will }, .setup = setup_hold, .arg = 4,
	  .max_kills = 1, .final = resume_final, .covers = resumed },
	{ .name = NULL },
};
