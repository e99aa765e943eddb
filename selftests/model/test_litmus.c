// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is the explorer's memory model C11's?  First known tests with the exact set
 * of their outcomes, written by hand from the literature; then random programs
 * for which the explorer and the literal axioms must agree exactly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litmus.h"
#include "tests.h"

struct row {
	const char *name;
	const char *program;
	const char *allowed;	/* sorted; with ':' final values are asked for */
};

static const struct row table[] = {
	/* Store buffering: 00 is the weak outcome. */
	{ "SB relaxed", "x=1.rlx; r0=y.rlx | y=1.rlx; r1=x.rlx",
	  "00 01 10 11" },
	{ "SB release/acquire", "x=1.rel; r0=y.acq | y=1.rel; r1=x.acq",
	  "00 01 10 11" },
	{ "SB seq_cst", "x=1.sc; r0=y.sc | y=1.sc; r1=x.sc", "01 10 11" },
	{ "SB seq_cst, one store release",
	  "x=1.rel; r0=y.sc | y=1.sc; r1=x.sc", "00 01 10 11" },
	{ "SB seq_cst, one load acquire",
	  "x=1.sc; r0=y.acq | y=1.sc; r1=x.sc", "00 01 10 11" },
	{ "SB seq_cst fences",
	  "x=1.rlx; F.sc; r0=y.rlx | y=1.rlx; F.sc; r1=x.rlx", "01 10 11" },
	{ "SB one fence only",
	  "x=1.rlx; F.sc; r0=y.rlx | y=1.rlx; r1=x.rlx", "00 01 10 11" },
	{ "SB acq_rel fences",
	  "x=1.rlx; F.ar; r0=y.rlx | y=1.rlx; F.ar; r1=x.rlx",
	  "00 01 10 11" },
	{ "SB accesses against fence",
	  "x=1.sc; r0=y.sc | y=1.rlx; F.sc; r1=x.rlx", "01 10 11" },
	{ "SB fence against load seq_cst, store relaxed",
	  "x=1.rlx; r0=y.sc | y=1.rlx; F.sc; r1=x.rlx", "00 01 10 11" },
	{ "SB by RMW seq_cst", "r2=x<1.sc; r0=y.sc | r3=y<1.sc; r1=x.sc",
	  "0100 1000 1100" },
	{ "SB by RMW relaxed", "r2=x<1.rlx; r0=y.rlx | r3=y<1.rlx; r1=x.rlx",
	  "0000 0100 1000 1100" },

	/* Message passing: 10 is the weak outcome. */
	{ "MP relaxed", "x=1.rlx; y=1.rlx | r0=y.rlx; r1=x.rlx",
	  "00 01 10 11" },
	{ "MP release/acquire", "x=1.rlx; y=1.rel | r0=y.acq; r1=x.rlx",
	  "00 01 11" },
	{ "MP release/relaxed", "x=1.rlx; y=1.rel | r0=y.rlx; r1=x.rlx",
	  "00 01 10 11" },
	{ "MP relaxed/acquire", "x=1.rlx; y=1.rlx | r0=y.acq; r1=x.rlx",
	  "00 01 10 11" },
	{ "MP fences",
	  "x=1.rlx; F.rel; y=1.rlx | r0=y.rlx; F.acq; r1=x.rlx",
	  "00 01 11" },
	{ "MP release, acquire fence",
	  "x=1.rlx; y=1.rel | r0=y.rlx; F.acq; r1=x.rlx", "00 01 11" },
	{ "MP release fence, acquire",
	  "x=1.rlx; F.rel; y=1.rlx | r0=y.acq; r1=x.rlx", "00 01 11" },
	{ "MP fences of the wrong kind",
	  "x=1.rlx; F.acq; y=1.rlx | r0=y.rlx; F.rel; r1=x.rlx",
	  "00 01 10 11" },
	{ "MP by CAS", "x=1.rlx; y=1.rel | r0=y?1:2.acq; r1=x.rlx",
	  "00 01 11" },

	/* Load buffering: 11 is allowed by C11; the model cannot do it. */
	{ "LB (weak outcome is not modelled)",
	  "r0=x.rlx; y=1.rlx | r1=y.rlx; x=1.rlx", "00 01 10" },
	{ "LB acquire", "r0=x.acq; y=1.rel | r1=y.acq; x=1.rel", "00 01 10" },

	/* Independent reads of independent writes: 1010 is the weak outcome. */
	{ "IRIW seq_cst",
	  "x=1.sc | y=1.sc | r0=x.sc; r1=y.sc | r2=y.sc; r3=x.sc",
	  "0000 0001 0010 0011 0100 0101 0110 0111 "
	  "1000 1001 1011 1100 1101 1110 1111" },
	{ "IRIW release/acquire",
	  "x=1.rel | y=1.rel | r0=x.acq; r1=y.acq | r2=y.acq; r3=x.acq",
	  "0000 0001 0010 0011 0100 0101 0110 0111 "
	  "1000 1001 1010 1011 1100 1101 1110 1111" },
	{ "IRIW fences",
	  "x=1.rlx | y=1.rlx | r0=x.rlx; F.sc; r1=y.rlx | "
	  "r2=y.rlx; F.sc; r3=x.rlx",
	  "0000 0001 0010 0011 0100 0101 0110 0111 "
	  "1000 1001 1011 1100 1101 1110 1111" },
	{ "IRIW seq_cst loads, release stores",
	  "x=1.rel | y=1.rel | r0=x.sc; r1=y.sc | r2=y.sc; r3=x.sc",
	  "0000 0001 0010 0011 0100 0101 0110 0111 "
	  "1000 1001 1010 1011 1100 1101 1110 1111" },

	/* Coherence: one location alone is sequentially consistent. */
	{ "CoRR", "x=1.rlx; x=2.rlx | r0=x.rlx; r1=x.rlx",
	  "00 01 02 11 12 22" },
	{ "CoRR two writers agree",
	  "x=1.rlx | x=2.rlx | r0=x.rlx; r1=x.rlx | r2=x.rlx; r3=x.rlx",
	  NULL },
	{ "CoWR", "x=1.rlx; r0=x.rlx | x=2.rlx", "1:1 1:2 2:2" },
	{ "CoRW", "r0=x.rlx; x=1.rlx | x=2.rlx", "0:1 0:2 2:1" },
	{ "CoWW", "x=1.rlx; x=2.rlx | r0=x.rlx", "0:2 1:2 2:2" },

	/* Two plus two writes: 11 at the end is the weak outcome. */
	{ "2+2W relaxed", "x=1.rlx; y=2.rlx | y=1.rlx; x=2.rlx",
	  ":11 :12 :21 :22" },
	{ "2+2W release", "x=1.rel; y=2.rel | y=1.rel; x=2.rel",
	  ":11 :12 :21 :22" },
	{ "2+2W seq_cst", "x=1.sc; y=2.sc | y=1.sc; x=2.sc",
	  ":12 :21 :22" },
	{ "2+2W fences", "x=1.rlx; F.sc; y=2.rlx | y=1.rlx; F.sc; x=2.rlx",
	  ":12 :21 :22" },

	/* Write to read causality: 110 is the weak outcome. */
	{ "WRC release/acquire",
	  "x=1.rlx | r0=x.rlx; y=1.rel | r1=y.acq; r2=x.rlx",
	  "000 001 010 011 100 101 111" },
	{ "WRC relaxed", "x=1.rlx | r0=x.rlx; y=1.rlx | r1=y.rlx; r2=x.rlx",
	  "000 001 010 011 100 101 110 111" },
	{ "ISA2 release/acquire",
	  "x=1.rlx; y=1.rel | r0=y.acq; z=1.rel | r1=z.acq; r2=x.rlx",
	  "000 001 010 011 100 101 111" },
	{ "ISA2 one relaxed",
	  "x=1.rlx; y=1.rel | r0=y.rlx; z=1.rel | r1=z.acq; r2=x.rlx",
	  "000 001 010 011 100 101 110 111" },

	/* S: 1 and x ends as 2.  R: y ends as 2 and 0. */
	{ "S relaxed", "x=2.rlx; y=1.rlx | r0=y.rlx; x=1.rlx",
	  "0:11 0:21 1:11 1:21" },
	{ "S release/acquire", "x=2.rlx; y=1.rel | r0=y.acq; x=1.rlx",
	  "0:11 0:21 1:11" },
	{ "R relaxed", "x=1.rlx; y=1.rlx | y=2.rlx; r0=x.rlx",
	  "0:11 0:12 1:11 1:12" },
	{ "R seq_cst", "x=1.sc; y=1.sc | y=2.sc; r0=x.sc",
	  "0:11 1:11 1:12" },
	{ "R fences", "x=1.rlx; F.sc; y=1.rlx | y=2.rlx; F.sc; r0=x.rlx",
	  "0:11 1:11 1:12" },

	/* Read to write causality: 100 is the weak outcome. */
	{ "RWC fences",
	  "x=1.rlx | r0=x.rlx; F.sc; r1=y.rlx | y=1.rlx; F.sc; r2=x.rlx",
	  "000 001 010 011 101 110 111" },
	{ "RWC acquire, fence on one side",
	  "x=1.rlx | r0=x.acq; r1=y.acq | y=1.rlx; F.sc; r2=x.rlx",
	  "000 001 010 011 100 101 110 111" },

	/*
	 * Seqlock {x sequence, y z data}: both reads of x the same and even,
	 * data mixed, is the failure.  One writer, one change.
	 */
	{ "seqlock",
	  "x=1.rlx; F.rel; y=1.rlx; z=1.rlx; x=2.rel | "
	  "r0=x.acq; r1=y.rlx; r2=z.rlx; F.acq; r3=x.rlx", NULL },
	{ "seqlock without the acquire fence",
	  "x=1.rlx; F.rel; y=1.rlx; z=1.rlx; x=2.rel | "
	  "r0=x.acq; r1=y.rlx; r2=z.rlx; r3=x.rlx", NULL },
	{ "seqlock without the release fence",
	  "x=1.rlx; y=1.rlx; z=1.rlx; x=2.rel | "
	  "r0=x.acq; r1=y.rlx; r2=z.rlx; F.acq; r3=x.rlx", NULL },

	/* RMW: no two read the same; a failed CAS may read what is old. */
	{ "RMW fetch_add", "r0=x+1.rlx | r1=x+1.rlx", "01:2 10:2" },
	{ "RMW three", "r0=x+1.rlx | r1=x+1.rlx | r2=x+1.rlx",
	  "012:3 021:3 102:3 120:3 201:3 210:3" },
	{ "RMW exchange", "r0=x<1.rlx | r1=x<2.rlx", "01:2 20:1" },
	{ "RMW no store in between", "r0=x+1.rlx | x=5.rlx",
	  "0:5 5:6" },
	{ "CAS one wins", "r0=x?0:1.rlx | r1=x?0:2.rlx", "01:1 20:2" },
	{ "CAS failing reads old", "x=1.rlx; x=2.rlx | r0=x?2:3.rlx",
	  "0:2 1:2 2:3" },

	/* Release sequences: through RMWs of others, not through stores. */
	{ "release sequence through an RMW",
	  "x=1.rlx; y=1.rel | r0=y+1.rlx | r1=y.acq; r2=x.rlx",
	  "000 001 010 011 100 101 111 121" },
	{ "release sequence ended by a store of another",
	  "x=1.rlx; y=1.rel | y=2.rlx | r1=y.acq; r2=x.rlx",
	  "000 001 011 020 021" },
	{ "release sequence ended by our own relaxed store (C++20)",
	  "x=1.rlx; y=1.rel; y=2.rlx | r0=y.acq; r1=x.rlx",
	  "00 01 11 20 21" },

	/* Fences: from fence to fence, and over what lies between. */
	{ "fence to fence through an RMW",
	  "x=1.rlx; F.rel; y=1.rlx | r0=y+1.rlx | r1=y.rlx; F.acq; r2=x.rlx",
	  "000 001 010 011 100 101 111 121" },
	{ "fence behind the store does nothing",
	  "x=1.rlx; y=1.rlx; F.rel | r0=y.rlx; F.acq; r1=x.rlx",
	  "00 01 10 11" },
	{ "fence before the load does nothing",
	  "x=1.rlx; F.rel; y=1.rlx | F.acq; r0=y.rlx; r1=x.rlx",
	  "00 01 10 11" },

	/* Where C11 and RC11 differ: Lahav et al., section 1 and 2. */
	{ "Z6.U (RC11 and C++20 allow 1,3 and 0)",
	  "x=1.sc; y=1.rel | r0=y+1.sc; r1=y.rlx | y=3.sc; r2=x.sc", NULL },
	{ "seq_cst reads of relaxed writes may disagree",
	  "x=1.rlx; r0=y.sc | y=1.rlx; r1=x.sc", "00 01 10 11" },
	{ "seq_cst fences need no acquire in between (psc is not rf)",
	  "x=1.rlx; F.sc; y=1.rlx | r0=y.rlx; z=1.rlx | "
	  "r1=z.rlx; F.sc; r2=x.rlx",
	  "000 001 010 011 100 101 110 111" },
};

static void join(char *text, size_t size, const struct outcomes *out)
{
	size_t n = 0;
	int i;

	text[0] = 0;
	for (i = 0; i < out->nr; i++)
		n += (size_t)snprintf(text + n, n < size ? size - n : 0,
				      "%s%s", i ? " " : "", out->text[i]);
}

static struct outcomes explored, literal;
static char got[1 << 16], want[1 << 16];

static int has_cas(const char *program)
{
	return strchr(program, '?') != NULL;
}

static int contains(const struct outcomes *out, const char *text)
{
	int i;

	for (i = 0; i < out->nr; i++)
		if (!strcmp(out->text[i], text))
			return 1;
	return 0;
}

static void check_row(const struct row *row)
{
	struct litmus l;

	litmus_parse(&l, row->program,
		     row->allowed && strchr(row->allowed, ':') != NULL);
	litmus_explore(&l, &explored);
	join(got, sizeof(got), &explored);
	if (row->allowed && strcmp(got, row->allowed) != 0) {
		printf("# explored: %s\n# expected: %s\n", got, row->allowed);
		test_result(0, "litmus: %s", row->name);
		return;
	}
	if (!has_cas(row->program)) {
		litmus_axioms(&l, &literal);
		join(want, sizeof(want), &literal);
		if (strcmp(got, want) != 0) {
			printf("# explored: %s\n# axioms:   %s\n", got, want);
			test_result(0, "litmus: %s", row->name);
			return;
		}
	}
	test_result(1, "litmus: %s", row->name);
}

/* Rows too long to write down: what must and must not be among them. */
static void check_some(const char *name, const char *yes, const char *no)
{
	struct litmus l;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].name, name))
			break;
	litmus_parse(&l, table[i].program, 0);
	litmus_explore(&l, &explored);
	test_result((!yes || contains(&explored, yes)) &&
		    (!no || !contains(&explored, no)),
		    "litmus: %s: %s%s%s%s", name, yes ? "has " : "",
		    yes ? yes : "", no ? "has not " : "", no ? no : "");
}

static uint64_t seed = 88172645463325252ULL;

static unsigned int pick(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)(seed >> 33) % n;
}

static size_t random_op(char *s, size_t size, int *reg, int *stores)
{
	static const char *const load[] = { "rlx", "acq", "sc", "sc" };
	static const char *const store[] = { "rlx", "rel", "sc", "sc" };
	static const char *const fence[] = { "acq", "rel", "ar", "sc", "sc" };
	static const char *const rmw[] = { "rlx", "acq", "rel", "ar", "sc" };
	char loc = "xyz"[pick(10) ? pick(2) : 2];
	unsigned int kind = pick(10);

	if (kind < 4 && *stores < 4)
		return (size_t)snprintf(s, size, "%c=%d.%s", loc, ++*stores,
					store[pick(4)]);
	if (kind < 6)
		return (size_t)snprintf(s, size, "F.%s", fence[pick(5)]);
	if (kind == 6 && *reg < 6 && *stores < 4) {
		++*stores;
		return (size_t)snprintf(s, size, "r%d=%c<%d.%s", (*reg)++, loc,
					*stores, rmw[pick(5)]);
	}
	if (*reg < 6)
		return (size_t)snprintf(s, size, "r%d=%c.%s", (*reg)++, loc,
					load[pick(4)]);
	return (size_t)snprintf(s, size, "F.sc");
}

static void random_program(char *text, size_t size)
{
	int threads = 2 + (int)pick(3), reg = 0, stores = 0, t;
	size_t n = 0;

	text[0] = 0;
	for (t = 0; t < threads; t++) {
		int ops = 1 + (int)pick(threads == 2 ? 5 : threads == 3 ? 4 :
					3);

		for (; ops; ops--) {
			n += random_op(text + n, size - n, &reg, &stores);
			n += (size_t)snprintf(text + n, size - n, "%s",
					      ops > 1 ? "; " : "");
		}
		n += (size_t)snprintf(text + n, size - n, "%s",
				      t < threads - 1 ? " | " : "");
	}
}

static void check_random(int programs)
{
	unsigned long outcomes = 0;
	char text[512];
	struct litmus l;
	int i;

	for (i = 0; i < programs; i++) {
		random_program(text, sizeof(text));
		litmus_parse(&l, text, 1);
		litmus_explore(&l, &explored);
		litmus_axioms(&l, &literal);
		join(got, sizeof(got), &explored);
		join(want, sizeof(want), &literal);
		outcomes += (unsigned long)literal.nr;
		if (strcmp(got, want) != 0) {
			printf("# %s\n# explored: %s\n# axioms:   %s\n", text,
			       got, want);
			break;
		}
	}
	printf("# %d random programs, %lu outcomes\n", i, outcomes);
	test_result(i == programs && outcomes > (unsigned long)programs,
		    "litmus: random programs: explorer and axioms agree");
}

void test_litmus(void)
{
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		check_row(&table[i]);
	check_some("CoRR two writers agree", "1212", "1221");
	check_some("seqlock", "2112", "0010");
	check_some("seqlock", "0000", "0100");
	check_some("seqlock", "1001", "2102");
	check_some("seqlock without the acquire fence", "0010", NULL);
	check_some("seqlock without the release fence", "0010", NULL);
	check_some("Z6.U (RC11 and C++20 allow 1,3 and 0)", "130", NULL);
	check_random(explorer_deep ? 200000 : 3000);
}
