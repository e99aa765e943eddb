// SPDX-License-Identifier: GPL-2.0-only
/* What the targets of the fuzzer share: the peer, and its moments. */

#include <shmchan/region.h>

#include "fuzz.h"

struct fuzz_state fuzz = { .budget = FUZZ_BUDGET };

void shmchan_fuzz_load(const void *p)
{
	(void)p;
	if (fuzz.countdown && !--fuzz.countdown)
		*fuzz.where = fuzz.value;
	if (++fuzz.loads > fuzz.budget) {
		fprintf(stderr, "a call that looked at %lu words: it hangs\n",
			fuzz.loads);
		abort();
	}
}

void fuzz_begin(void)
{
	fuzz.nr_ranges = 0;
	fuzz.loads = 0;
	fuzz.countdown = 0;
	fuzz.budget = FUZZ_BUDGET;
}

void fuzz_hostile(void *base, size_t size)
{
	FUZZ_CHECK(fuzz.nr_ranges < FUZZ_RANGES && size >= 8);
	fuzz.ranges[fuzz.nr_ranges].base = base;
	fuzz.ranges[fuzz.nr_ranges++].size = size;
}

void fuzz_errors(int err, const int *known, size_t nr, const char *func,
		 int line)
{
	size_t i;

	if (err >= 0)
		return;
	for (i = 0; i < nr; i++)
		if (err == -known[i])
			return;
	fprintf(stderr, "%s:%d: error %d (%s) is none that it should be: %s\n",
		func, line, -err, strerror(-err), shmchan_error_detail());
	abort();
}

void fuzz_look(const void *data, size_t size)
{
	static volatile uint8_t sink;
	const uint8_t *bytes = data;
	uint8_t sum = 0;
	size_t i;

	for (i = 0; i < size; i++)
		sum ^= bytes[i];
	sink = sum;
	(void)sink;
}

/*
 * Values that mean something where they are put come with few bytes: what is
 * there already, a little more or less, a word of another place.
 */
static uint64_t value(struct fuzz_input *in, const uint64_t *at)
{
	uint8_t how = fuzz_u8(in);

	switch (how >> 5) {
	case 0:
		return how & 31;
	case 1:
		return *at + (how & 31) * 8;
	case 2:
		return *at - (how & 31) * 8;
	case 3:
		return *at ^ 1ULL << (how & 31);
	case 4:
		return *at ^ 1ULL << (32 + (how & 31));
	case 5:
		return ~0ULL << (how & 31);
	case 6:
		return (uint64_t)fuzz_u16(in) << (how & 31);
	default:
		return fuzz_u64(in);
	}
}

int fuzz_peer(struct fuzz_input *in, uint8_t op)
{
	const struct fuzz_range *range;
	unsigned int countdown = 0;
	uint64_t *where, v;

	if (op != FUZZ_POKE && op != FUZZ_AMBUSH)
		return 0;
	if (op == FUZZ_AMBUSH)
		countdown = fuzz_u8(in) % 64 + 1;
	range = &fuzz.ranges[fuzz_u8(in) % fuzz.nr_ranges];
	where = (uint64_t *)(void *)(range->base +
				     fuzz_u16(in) * 8ULL % (range->size & ~7ULL));
	v = value(in, where);
	if (!countdown) {
		*where = v;
		return 1;
	}
	fuzz.where = where;
	fuzz.value = v;
	fuzz.countdown = countdown;
	return 1;
}
