// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * insn CASE RECORDS: a case's producer and consumer by turns, in one process
 * and one thread, for insn.sh to have valgrind count the instructions.  Each
 * turn passes an eighth of a ring, which both sides can do without waiting.
 *
 * What is counted includes the writing and the adding up of the payload, in
 * the same code for all.  insn -l lists the cases.
 */

#include <stdlib.h>
#include <string.h>

#include "harness.h"

unsigned int bench_idle_pauses;

void bench_die(const char *fmt, ...)
{
	(void)fmt;
	fputs("insn: the case failed\n", stderr);
	exit(1);
}

void *bench_shared(size_t size)
{
	void *p = aligned_alloc(4096, (size + 4095) & ~4095UL);

	if (!p)
		bench_die("no memory");
	memset(p, 0, size);
	return p;
}

void bench_barrier(void)
{
}

static struct bench_case *tables[] = {
	bench_lane_cases, bench_channel_cases, bench_spsc_cases, bench_rte_cases,
};

int main(int argc, char **argv)
{
	struct bench_case *c;
	uint64_t turn, turns;
	size_t t;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (c = tables[t]; c->name; c++) {
			if (c->kind != BENCH_STREAM)
				continue;
			if (argc == 2 && !strcmp(argv[1], "-l"))
				printf("%s\n", c->name);
			if (argc == 3 && !strcmp(argv[1], c->name))
				goto found;
		}
	}
	return argc == 2 ? 0 : 2;
found:
	/* A power of two, so that it divides what insn.sh asks for. */
	for (turn = 32; 2 * turn * (c->size + 8) <= c->ring / 8; turn *= 2)
		;
	turns = strtoull(argv[2], NULL, 10) / turn;
	if (c->create(c) ||
	    (c->attach && (c->attach(c, BENCH_B) || c->attach(c, BENCH_A))))
		return 1;
	while (turns--) {
		c->run(c, BENCH_B, turn);
		if (c->run(c, BENCH_A, turn) !=
		    bench_expected(c, BENCH_A, turn))
			bench_die("wrong sum");
	}
	if (c->detach)
		c->detach(c);
	return 0;
}
