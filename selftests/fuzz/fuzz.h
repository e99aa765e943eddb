/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_H
#define SHMCHAN_FUZZ_H

/*
 * Hostile peers, guided by coverage.
 *
 * A target is one libFuzzer program about one object: what honest users of it do
 * while somebody who may write parts of its memory writes there whatever he likes,
 * at whatever moment.  The library is compiled with ASan, UBSan and hooks before
 * its loads of shared words (fuzz_atomic.h).  The input is a program:
 *
 *	u8 op, arguments...	one call of an honest user, the target's to define
 *	FUZZ_POKE		the peer changes a word now
 *	FUZZ_AMBUSH		... right before the n-th load from now: between
 *				a check and what relies on it
 *
 * What must hold: no report of a sanitizer, no call that loads more than
 * fuzz.budget words (a hang), only errors that the call's documentation names, and
 * what the target asserts itself with FUZZ_CHECK().
 *
 *	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *	{
 *		struct fuzz_input in = { data, data + size };
 *
 *		start with a fresh object;
 *		fuzz_begin();
 *		fuzz_hostile(words, size);	what the peer can write, once or more
 *		while (fuzz_more(&in)) {
 *			uint8_t op = fuzz_u8(&in);
 *
 *			if (fuzz_peer(&in, op))
 *				continue;
 *			fuzz_call();		a call begins: budget anew
 *			switch (op % 4) { ... }
 *		}
 *		return 0;
 *	}
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_atomic.h"

#define FUZZ_POKE	0xff
#define FUZZ_AMBUSH	0xfe
#define FUZZ_RANGES	8
#define FUZZ_BUDGET	200000

struct fuzz_input {
	const uint8_t *next;
	const uint8_t *end;
};

struct fuzz_range {
	uint8_t *base;
	size_t size;
};

struct fuzz_state {
	struct fuzz_range ranges[FUZZ_RANGES];
	unsigned int nr_ranges;
	unsigned long loads;		/* of this call */
	unsigned long budget;
	/* An ambush, until countdown is 0. */
	unsigned int countdown;
	uint64_t *where;
	uint64_t value;
};

extern struct fuzz_state fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(x) do { \
	if (!(x)) { \
		fprintf(stderr, "%s:%d: FUZZ_CHECK(%s) failed\n", __FILE__, \
			__LINE__, #x); \
		abort(); \
	} } while (0)

/*
 * Only errors that the documentation of the call names:
 * FUZZ_ERRORS(err, EAGAIN, EBADMSG); 0 and counts are fine.
 */
#define FUZZ_ERRORS(err, ...) do { \
	static const int fuzz__errors[] = { __VA_ARGS__ }; \
	fuzz_errors(err, fuzz__errors, \
		    sizeof(fuzz__errors) / sizeof(int), __func__, __LINE__); \
	} while (0)

void fuzz_errors(int err, const int *known, size_t nr, const char *func,
		 int line);

static inline int fuzz_more(const struct fuzz_input *in)
{
	return in->next < in->end;
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	return fuzz_more(in) ? *in->next++ : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t low = fuzz_u8(in);

	return (uint16_t)(low | fuzz_u8(in) << 8);
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t x = 0;
	int i;

	for (i = 0; i < 64; i += 8)
		x |= (uint64_t)fuzz_u8(in) << i;
	return x;
}

/* Between executions. */
void fuzz_begin(void);
/* The peer can write this; at least a word. */
void fuzz_hostile(void *base, size_t size);
/* If op is the peer's, it is done.  Returns whether it was. */
int fuzz_peer(struct fuzz_input *in, uint8_t op);

/* All of it can be read: the sanitizer sees to that. */
void fuzz_look(const void *data, size_t size);

/* An honest user's call begins. */
static inline void fuzz_call(void)
{
	fuzz.loads = 0;
}

#endif /* SHMCHAN_FUZZ_H */
