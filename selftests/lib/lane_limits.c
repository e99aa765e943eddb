// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: what is too long, and what a reader makes of nonsense. */

#include "lane_fixture.h"

#define CAPACITY	4096
#define MAX_PAYLOAD	(CAPACITY / 4 - 8)

TEST(too_long_is_refused)
{
	static uint8_t buf[CAPACITY];
	struct shmchan_reservation rsv;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	int ring;

	fixture_init(&f, CAPACITY, 1, SHMCHAN_LANE_EVICT);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(shmchan_lane_send(&w, buf, MAX_PAYLOAD + 1, 0, 0), -EMSGSIZE);
	CHECK_SAYS(shmchan_error_detail(), "at most 1016");
	CHECK_EQ(shmchan_lane_send(&w, buf, SIZE_MAX, 0, 0), -EMSGSIZE);
	CHECK_EQ(shmchan_lane_send(&w, buf, 1ULL << 32, 0, 0), -EMSGSIZE);
	CHECK_EQ(shmchan_lane_reserve(&w, MAX_PAYLOAD + 1, &rsv), -EMSGSIZE);
	CHECK_EQ(shmchan_lane_reserve(&w, SIZE_MAX - 8, &rsv), -EMSGSIZE);
	CHECK_EQ(shmchan_lane_evict(&w, MAX_PAYLOAD + 1), -EMSGSIZE);
	CHECK_EQ(shmchan_lane_send_n(&w, buf, MAX_PAYLOAD + 8, 2, 0, 0, &ring),
		 -EMSGSIZE);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(send_seed(&w, MAX_PAYLOAD, 1), 0);
	CHECK_RECV(&r, MAX_PAYLOAD, 1);
}

/* A lane whose ring has an unmapped page on either side. */
static void guarded(struct fixture *f, uint32_t flags)
{
	fixture_init(f, CAPACITY, 1, flags);
	munmap(f->base, f->size);
	f->size = 5 * 4096;
	f->base = shared_alloc(f->size);
	CHECK_EQ(mprotect(f->base, 4096, PROT_NONE), 0);
	CHECK_EQ(mprotect(f->base + 4096 + CAPACITY, 4096, PROT_NONE), 0);
	f->geo.ring_offset = 4096;
	f->geo.control_offset = 3 * 4096;
	f->geo.cursors_offset = 4 * 4096;
	CHECK_EQ(shmchan_lane_attach(&f->lane, f->base, f->size, &f->geo,
				     f->slots, FIXTURE_SLOTS), 0);
}

/* A reader as it is when it has read up to pos. */
static void reader_at(struct fixture *f, struct shmchan_lane_reader *r,
		      uint64_t pos)
{
	uint32_t i;

	memset(f->lane.control, 0, sizeof(*f->lane.control));
	for (i = 0; i < SHMCHAN_LANE_CHECKPOINTS; i++)
		f->lane.control->checkpoints[i].pos = pos;
	fixture_reader(f, r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(r->pos, pos);
}

/* What the format says, written down once more. */
static int allowed(uint32_t low, uint64_t pos)
{
	uint64_t field = low >> 3, kind = low >> 1 & 3;

	if (!low)
		return 1;
	if (kind == 2)
		return !(low & 1) && field >= 8 && field <= 10;
	return field >= 8 && field <= CAPACITY / 4 &&
	       pos % CAPACITY + (field + 7) / 8 * 8 <= CAPACITY;
}

static void one_header(struct fixture *f, struct shmchan_lane_reader *r,
		       uint64_t pos, uint32_t low)
{
	static uint8_t buf[CAPACITY];
	uint64_t *word = shmchan_lane_word(&f->lane, pos);
	uint32_t meta = 0;
	size_t len = 0;
	int err;

	*word = (uint64_t)0xabcd << 32 | low;
	if (!low)
		*word = 0;
	/* The reader's state is what matters, not how it got there. */
	shmchan_lane__move(r, pos);
	r->run_left = 0;
	r->soft_end = 0;
	r->deferred = 0;
	r->end_seen = r->eos = 0;
	err = shmchan_lane_recv(r, buf, sizeof(buf), &len, &meta);
	if (low & 1 && allowed(low | 1, pos)) {
		CHECK_EQ(err, -EAGAIN);
	} else if (low & 1) {
		/* Not committed: not looked at while its writer lives. */
		CHECK_EQ(err, -EAGAIN);
	} else if (!allowed(low, pos)) {
		CHECK_EQ(err, -EBADMSG);
		CHECK_EQ(r->pos, pos);
	} else if (low && !(low & 6)) {
		CHECK_EQ(err, 0);
		CHECK_EQ(len, (low >> 3) - 8);
		CHECK_EQ(meta, 0xabcd);
	}
	CHECK_LE(len, MAX_PAYLOAD);
	*word = 0;
}

static void headers(uint32_t flags)
{
	static const uint64_t places[] = {
		0, 8, 2048, CAPACITY - 1024, CAPACITY - 1016, CAPACITY - 24,
		CAPACITY - 16, CAPACITY - 8,
	};
	struct shmchan_lane_reader r;
	uint64_t rnd = 1;
	struct fixture f;
	unsigned int i, k;
	uint32_t low;

	guarded(&f, flags);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		reader_at(&f, &r, places[i]);
		/* All lengths around what there can be, with all flags. */
		for (low = 0; low < (CAPACITY / 4 + 64) << 3; low++)
			one_header(&f, &r, places[i], low);
		for (low = CAPACITY / 2 << 3; low < (CAPACITY + 64) << 3;
		     low += 3)
			one_header(&f, &r, places[i], low);
		for (k = 0; k < 31; k++)
			for (low = 0; low < 32; low++)
				one_header(&f, &r, places[i],
					   (1U << k) - 16 + low);
		for (low = 0xffffff00; low; low++)
			one_header(&f, &r, places[i], low);
		for (k = 0; k < 5000; k++) {
			rnd = rnd * 6364136223846793005ULL + 1;
			one_header(&f, &r, places[i], (uint32_t)(rnd >> 32));
		}
	}
}

TEST_LIMIT(every_header_near_the_boundaries, 60)
{
	headers(0);
}

TEST_LIMIT(every_header_where_readers_can_be_passed, 60)
{
	headers(SHMCHAN_LANE_OVERWRITE);
}

/* The word behind the header of a run has to go with it. */
TEST(every_run_near_the_boundaries)
{
	static uint8_t buf[CAPACITY];
	struct shmchan_lane_reader r;
	uint32_t length, size, count, meta;
	struct fixture f;
	uint64_t *word;
	size_t len;
	int err;

	guarded(&f, 0);
	reader_at(&f, &r, CAPACITY - 1024);
	word = shmchan_lane_word(&f.lane, r.pos);
	for (length = 0; length <= MAX_PAYLOAD; length += 4) {
		for (size = 0; size < 200; size += 4) {
			for (count = 0; count < 40; count++) {
				int fits = size && count && size % 8 == 0 &&
					   size * count + 8 == length;

				shmchan_lane__move(&r, CAPACITY - 1024);
				r.run_left = 0;
				r.soft_end = 0;
				word[0] = shmchan_hdr(length, SHMCHAN_HDR_RUN,
						      7);
				word[1] = (uint64_t)count << 32 | size;
				err = shmchan_lane_recv(&r, buf, sizeof(buf),
							&len, &meta);
				CHECK_EQ(err, fits ? 0 : -EBADMSG);
			}
		}
	}
	/* Products that overflow 32 bits. */
	shmchan_lane__move(&r, CAPACITY - 1024);
	r.run_left = 0;
	word[0] = shmchan_hdr(8, SHMCHAN_HDR_RUN, 7);
	word[1] = 0x8000000000000000ULL | 0x80000000;
	CHECK_EQ(shmchan_lane_recv(&r, buf, sizeof(buf), &len, &meta),
		 -EBADMSG);
}

/* Padding without end: each call does a bounded part of it. */
TEST(padding_without_end)
{
	struct shmchan_lane_reader r;
	struct fixture f;
	uint64_t pos, *word;
	int i;

	guarded(&f, 0);
	reader_at(&f, &r, 0);
	for (pos = 0; pos < CAPACITY; pos += 8) {
		word = shmchan_lane_word(&f.lane, pos);
		*word = shmchan_hdr(0, SHMCHAN_HDR_PAD, 0);
	}
	for (i = 0; i < 100; i++)
		CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_LE(r.pos, 100 * 1024 * 8);
	/* And the writer, were there one, has been told. */
	CHECK_GE(r.cursor->pos + CAPACITY / 8, r.pos);
}

/* Control records without end are bounded too. */
TEST(control_without_end)
{
	struct shmchan_lane_reader r;
	uint32_t type, i;
	struct fixture f;
	uint64_t pos;

	guarded(&f, 0);
	for (type = 0; type < 4; type++) {
		reader_at(&f, &r, 0);
		for (pos = 0; pos < CAPACITY; pos += 8)
			*shmchan_lane_word(&f.lane, pos) =
				shmchan_hdr(type, SHMCHAN_HDR_CTRL, 5);
		for (i = 0; i < 100; i++) {
			uint8_t buf[64];
			uint32_t meta;
			size_t len;
			int err = shmchan_lane_recv(&r, buf, sizeof(buf), &len,
						    &meta);

			CHECK(err == -EPIPE || err == -EOWNERDEAD ||
			      err == -EAGAIN || err == -EBADMSG);
		}
	}
}

TEST_MAIN
