// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Eight producers and eight consumers on two processors, all of which block.
 * First each pair has a channel, with a small ring, so that both sides sleep;
 * then all share one queue, two doorbells and 64 places.
 *
 * Every message must arrive, once; of one producer's, in order.  Nobody has a
 * time limit, so a wake-up that is lost shows as a storm that stands still.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/spsc.h>

#include "doorbell.h"

#define PAIRS		8
#define STANDS_STILL	60	/* seconds */
#define CAPACITY	4096	/* of a channel */
/* Buckets of a histogram: eight for each power of two. */
#define BUCKETS		512

struct tally {
	uint64_t received;
	uint64_t sum;		/* of what they carry */
	uint64_t disorder;
	uint64_t rings;
	uint64_t waits;
	uint64_t max;
	uint64_t latency[BUCKETS];
} __attribute__((aligned(64)));

static struct storm {
	struct tally consumers[PAIRS];
	struct tally producers[PAIRS];
	uint32_t queue_ready;
} *storm;

struct message {
	uint64_t sender;
	uint64_t number;
	uint64_t stamp;
};

/* In channels it is of any length up to a quarter of the ring. */
union parcel {
	struct message message;
	char room[CAPACITY / 4 - 8];
};

static uint64_t each;		/* messages of a producer */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static unsigned int bucket(uint64_t v)
{
	unsigned int shift;

	if (v < 8)
		return (unsigned int)v;
	shift = 60U - (unsigned int)__builtin_clzll(v);
	return 8 * shift + (unsigned int)(v >> shift);
}

static uint64_t bucket_end(unsigned int b)
{
	unsigned int shift;

	if (b < 16)
		return b;
	shift = b / 8 - 1;
	return ((uint64_t)(b % 8 + 9) << shift) - 1;
}

static void note_message(struct tally *t, uint64_t *next,
			 const struct message *m)
{
	uint64_t took = now() - m->stamp;

	if (m->number < *next)
		t->disorder++;
	*next = m->number + 1;
	t->sum += m->number;
	t->latency[bucket(took)]++;
	if (took > t->max)
		t->max = took;
	__atomic_store_n(&t->received, t->received + 1, __ATOMIC_RELAXED);
}

static uint64_t draw(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random >> 16;
}

/* Now and then it lets others run, or the queue run dry. */
static void falter(uint64_t *random)
{
	draw(random);
	if (!(*random & 1023))
		usleep(50);
	else if (!(*random & 63))
		sched_yield();
}

/* --- a channel each ------------------------------------------------------ */

static void open_channel(struct shmchan_spsc *ch, unsigned int i,
			 enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = CAPACITY, .spin_ns = -1);
	char name[32];

	snprintf(name, sizeof(name), "storm%u", i);
	must(shmchan_spsc_open(ch, name, &opts), shmchan_error_detail());
}

static void keep_stats(const struct shmchan_spsc *ch, struct tally *t)
{
	struct shmchan_spsc_stats stats;

	shmchan_spsc_get_stats(ch, &stats);
	t->rings = stats.rings;
	t->waits = stats.waits;
}

static void channel_producer(unsigned int i)
{
	uint64_t random = 88172645463325252ULL + i;
	union parcel p = { .message.sender = i };
	struct message *m = &p.message;
	struct shmchan_spsc ch;
	size_t length;

	open_channel(&ch, i, SHMCHAN_SENDER);
	must(shmchan_spsc_wait_peer(&ch, -1), "wait_peer");
	for (; m->number < each; m->number++) {
		length = sizeof(*m) + draw(&random) % (sizeof(p) - sizeof(*m));
		m->stamp = now();
		must(shmchan_spsc_send(&ch, &p, length, 0, 0, -1),
		     shmchan_error_detail());
		falter(&random);
	}
	keep_stats(&ch, &storm->producers[i]);
	shmchan_spsc_close(&ch);
}

static void channel_consumer(unsigned int i)
{
	struct tally *t = &storm->consumers[i];
	struct shmchan_spsc ch;
	uint64_t next = 0;
	union parcel p;
	int err;

	open_channel(&ch, i, SHMCHAN_RECEIVER);
	while (!(err = shmchan_spsc_recv(&ch, &p, sizeof(p), NULL, NULL, -1)))
		note_message(t, &next, &p.message);
	if (err != -EPIPE)
		must(err, shmchan_error_detail());
	keep_stats(&ch, t);
	shmchan_spsc_close(&ch);
}

/* --- one queue for all: Vyukov's, with bells ----------------------------- */

#define CELLS		64U
#define BELL_DATA	1U
#define BELL_SPACE	2U
#define WORDS		(SHMCHAN_CONTROL_OFFSET(0) + PAGE)
#define WORDS_SIZE	(2 * PAGE)

struct cell {
	uint64_t turn;
	struct message message;
	uint64_t rest[4];
};

struct queue {
	uint64_t put;
	uint64_t rest1[7];
	uint64_t taken;
	uint64_t rest2[7];
	struct cell cells[CELLS];
};

_Static_assert(sizeof(struct queue) <= WORDS_SIZE, "fits");

static struct shmchan_region *open_queue(unsigned int slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = slot);
	struct shmchan_region *region;

	must(shmchan_region_open(&region, "storm", &opts),
	     shmchan_error_detail());
	return region;
}

static struct shmchan_region *make_queue(void)
{
	static const struct shmchan_window window = {
		.offset = WORDS,
		.length = WORDS_SIZE,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	static const struct shmchan_doorbell bells[] = {
		{ .owner = SHMCHAN_SLOT_SHARED }, { .owner = SHMCHAN_SLOT_SHARED },
	};
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.control_size = PAGE + WORDS_SIZE, .nr_slots = 2 * PAIRS + 1,
		.slot = 2 * PAIRS, .nr_windows = 1, .windows = &window,
		.nr_doorbells = 2, .doorbells = bells);
	struct shmchan_region *region;
	struct queue *q;
	unsigned int i;

	must(shmchan_region_create(&region, "storm", &opts),
	     shmchan_error_detail());
	q = shmchan_region_at(region, WORDS);
	for (i = 0; i < CELLS; i++)
		q->cells[i].turn = i;
	return region;
}

/*
 * Our cell: the one whose turn is @position plus @lead, taken from @counter.
 * Sleeps while there is none.
 */
static struct cell *claim(struct shmchan_region *r, uint64_t *counter,
			  uint32_t bell, uint64_t lead, struct tally *t,
			  uint64_t *position)
{
	struct queue *q = shmchan_region_at(r, WORDS);
	struct shmchan_wait_elem e;
	struct cell *cell;
	uint64_t at, turn;

	at = shmchan_load_relaxed(counter);
	for (;;) {
		cell = &q->cells[at % CELLS];
		turn = shmchan_load_acquire(&cell->turn);
		if (turn == at + lead) {
			if (__atomic_compare_exchange_n(counter, &at, at + 1,
							false, __ATOMIC_SEQ_CST,
							__ATOMIC_SEQ_CST)) {
				*position = at;
				return cell;
			}
			continue;
		}
		if ((int64_t)(turn - (at + lead)) < 0 &&
		    shmchan_load_relaxed(counter) == at) {
			e = shmchan_elem64(bell, WORDS + (uint64_t)
					   ((char *)&cell->turn - (char *)q),
					   turn);
			t->waits++;
			must(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL),
			     shmchan_error_detail());
		}
		at = shmchan_load_relaxed(counter);
	}
}

static void pass_on(struct shmchan_region *r, struct cell *cell, uint64_t turn,
		    uint32_t bell, struct tally *t)
{
	shmchan_store_seq_cst(&cell->turn, turn);
	if (!shmchan_bell_wanted(r, bell))
		return;
	t->rings++;
	must(shmchan_bell_ring(r, bell, 0), shmchan_error_detail());
}

static void queue_producer(unsigned int i)
{
	struct shmchan_region *r = open_queue(i);
	struct queue *q = shmchan_region_at(r, WORDS);
	struct tally *t = &storm->producers[i];
	uint64_t random = 88172645463325252ULL + i, at;
	struct message m = { .sender = i };
	struct cell *cell;

	for (; m.number < each; m.number++) {
		cell = claim(r, &q->put, BELL_SPACE, 0, t, &at);
		m.stamp = now();
		cell->message = m;
		pass_on(r, cell, at + 1, BELL_DATA, t);
		falter(&random);
	}
}

static void queue_consumer(unsigned int i)
{
	struct shmchan_region *r = open_queue(PAIRS + i);
	struct queue *q = shmchan_region_at(r, WORDS);
	struct tally *t = &storm->consumers[i];
	uint64_t next[PAIRS + 1] = { 0 }, at;
	struct message m = { .sender = 0 };
	struct cell *cell;

	/* A message of a sender that is none is the end, for one consumer. */
	for (;;) {
		cell = claim(r, &q->taken, BELL_DATA, 1, t, &at);
		m = cell->message;
		pass_on(r, cell, at + CELLS, BELL_SPACE, t);
		if (m.sender >= PAIRS)
			return;
		note_message(t, &next[m.sender], &m);
	}
}

static void queue_end(struct shmchan_region *r)
{
	struct queue *q = shmchan_region_at(r, WORDS);
	struct tally none = { 0 };
	struct cell *cell;
	unsigned int i;
	uint64_t at;

	for (i = 0; i < PAIRS; i++) {
		cell = claim(r, &q->put, BELL_SPACE, 0, &none, &at);
		cell->message = (struct message) { .sender = PAIRS };
		pass_on(r, cell, at + 1, BELL_DATA, &none);
	}
}

/* --- the storm ----------------------------------------------------------- */

static uint64_t received(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < PAIRS; i++)
		sum += __atomic_load_n(&storm->consumers[i].received,
				       __ATOMIC_RELAXED);
	return sum;
}

/* 0: it ended; 1: it is still on; -1: one of them failed. */
static int reap(unsigned int *left)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		--*left;
		if (status)
			return -1;
	}
	return *left ? 1 : 0;
}

static uint64_t percentile(const uint64_t *histogram, uint64_t total,
			   uint64_t max, double part)
{
	uint64_t sum = 0, wanted = (uint64_t)((double)total * part);
	unsigned int b;

	for (b = 0; b < BUCKETS; b++) {
		sum += histogram[b];
		if (sum > wanted)
			return bucket_end(b) < max ? bucket_end(b) : max;
	}
	return 0;
}

static void report(uint64_t began, bool stuck)
{
	static const struct {
		const char *name;
		double part;
	} points[] = {
		{ "latency p50, us", 0.5 },
		{ "latency p90, us", 0.9 },
		{ "latency p99, us", 0.99 },
		{ "latency p99.9, us", 0.999 },
	};
	uint64_t histogram[BUCKETS] = { 0 };
	struct tally all = { 0 };
	double total = (double)(each * PAIRS), seconds;
	uint64_t sum = each ? PAIRS * (each * (each - 1) / 2) : 0;
	unsigned int i, b;
	size_t k;

	for (i = 0; i < 2 * PAIRS; i++) {
		struct tally *t = i < PAIRS ? &storm->consumers[i] :
					      &storm->producers[i - PAIRS];

		all.received += t->received;
		all.sum += t->sum;
		all.disorder += t->disorder;
		all.rings += t->rings;
		all.waits += t->waits;
		if (t->max > all.max)
			all.max = t->max;
		for (b = 0; b < BUCKETS; b++)
			histogram[b] += t->latency[b];
	}
	seconds = (double)(now() - began) / 1e9;
	failed |= stuck || all.disorder || sum != all.sum ||
		  all.received != each * PAIRS;
	value("messages", total, 0);
	wanted_exactly("lost", total - (double)all.received, 0, 0);
	wanted_exactly("not what was sent: difference of the sums",
		       (double)(int64_t)(sum - all.sum), 0, 0);
	wanted_exactly("out of order", (double)all.disorder, 0, 0);
	wanted_exactly("stands still", stuck, 0, 0);
	value("messages a second", (double)all.received / seconds, 0);
	value("waits a message", (double)all.waits / total, 3);
	value("rings a message", (double)all.rings / total, 3);
	for (k = 0; k < COUNT(points); k++)
		value(points[k].name,
		      (double)percentile(histogram, all.received, all.max,
					 points[k].part) / 1000, 1);
	value("latency, most, us", (double)all.max / 1000, 1);
}

static void run_storm(const char *name, void (*producer)(unsigned int i),
		      void (*consumer)(unsigned int i), bool queue)
{
	unsigned int i, left = 2 * PAIRS, still = 0;
	struct shmchan_region *region = NULL;
	pid_t pids[2 * PAIRS];
	uint64_t before = 0, began;
	int state;

	heading(name);
	memset(storm, 0, sizeof(*storm));
	if (queue)
		region = make_queue();
	began = now();
	for (i = 0; i < 2 * PAIRS; i++) {
		pids[i] = start_child();
		if (pids[i])
			continue;
		/* Both kinds on both processors. */
		pin_to(i < PAIRS ? i % 2 : i / 2 % 2);
		if (i < PAIRS)
			producer(i);
		else
			consumer(i - PAIRS);
		_exit(0);
	}
	for (;;) {
		usleep(10000);
		state = reap(&left);
		if (state <= 0)
			break;
		if (queue && received() == each * PAIRS) {
			queue_end(region);
			queue = false;
		}
		if (received() != before)
			still = 0;
		else if (++still == STANDS_STILL * 100)
			break;
		before = received();
	}
	if (state)
		for (i = 0; i < 2 * PAIRS; i++)
			kill(pids[i], SIGKILL);
	report(began, state != 0);
	while (state && waitpid(-1, NULL, 0) > 0)
		;
	shmchan_region_close(region);
}

void measure_storm(void)
{
	char text[120];

	storm = shared_memory(sizeof(*storm));
	/* Half of them for each of the two. */
	each = (storm_messages + 2 * PAIRS - 1) / (2 * PAIRS);
	snprintf(text, sizeof(text),
		 "%d producers, %d consumers, a channel for each pair (%s)",
		 PAIRS, PAIRS, shmchan_backend_name(shmchan_backend_default()));
	run_storm(text, channel_producer, channel_consumer, false);
	snprintf(text, sizeof(text),
		 "%d producers, %d consumers, one queue, two shared doorbells (%s)",
		 PAIRS, PAIRS, shmchan_backend_name(shmchan_backend_default()));
	run_storm(text, queue_producer, queue_consumer, true);
}
