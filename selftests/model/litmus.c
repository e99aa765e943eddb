// SPDX-License-Identifier: GPL-2.0-only
/* Litmus programs: parsing them, and running them in the explorer. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litmus.h"

static const struct litmus *running;
static struct outcomes *collected;
static struct explorer_site site[EXPLORER_THREADS][LITMUS_OPS];

static void bad(const char *text)
{
	fprintf(stderr, "litmus: cannot parse '%s'\n", text);
	abort();
}

static enum explorer_order parse_order(const char *s)
{
	static const struct {
		const char *name;
		enum explorer_order order;
	} names[] = {
		{ "rlx", EXPLORER_RLX }, { "acq", EXPLORER_ACQ },
		{ "rel", EXPLORER_REL }, { "ar", EXPLORER_ACQ_REL },
		{ "sc", EXPLORER_SC },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(s, names[i].name))
			return names[i].order;
	bad(s);
	return EXPLORER_RLX;
}

static int parse_loc(char c)
{
	const char *p = strchr("xyzw", c);

	if (!p || !c)
		bad("location");
	return (int)(p - "xyzw");
}

static void parse_op(struct litmus *l, struct litmus_op *op, const char *s)
{
	const char *dot = strchr(s, '.');

	if (!dot)
		bad(s);
	op->order = parse_order(dot + 1);
	if (*s == 'F') {
		op->kind = EXPLORER_FENCE;
		return;
	}
	if (*s != 'r') {
		op->kind = EXPLORER_STORE;
		op->loc = parse_loc(*s);
		op->value = (uint64_t)(s[2] - '0');
	} else {
		op->reg = s[1] - '0';
		if (op->reg >= l->nr_regs)
			l->nr_regs = op->reg + 1;
		op->loc = parse_loc(s[3]);
		op->value = (uint64_t)(s[5] - '0');
		switch (s[4]) {
		case '.':
			op->kind = EXPLORER_LOAD;
			break;
		case '+':
			op->kind = EXPLORER_ADD;
			break;
		case '<':
			op->kind = EXPLORER_XCHG;
			break;
		case '?':
			op->kind = EXPLORER_CAS;
			op->expected = op->value;
			op->value = (uint64_t)(s[7] - '0');
			break;
		default:
			bad(s);
		}
	}
	if (op->loc >= l->nr_locs)
		l->nr_locs = op->loc + 1;
}

void litmus_parse(struct litmus *l, const char *text, int finals)
{
	char word[32];
	int t = 0;

	memset(l, 0, sizeof(*l));
	l->finals = finals;
	for (;;) {
		size_t n = 0;

		while (*text && isspace((unsigned char)*text))
			text++;
		while (*text && !strchr(";|", *text)) {
			if (!isspace((unsigned char)*text) &&
			    n < sizeof(word) - 1)
				word[n++] = *text;
			text++;
		}
		word[n] = 0;
		if (l->nr_ops[t] == LITMUS_OPS)
			bad(word);
		parse_op(l, &l->op[t][l->nr_ops[t]++], word);
		if (*text == '|' && ++t == EXPLORER_THREADS)
			bad(text);
		if (!*text++)
			break;
	}
	l->nr_threads = t + 1;
}

void outcomes_add(struct outcomes *out, const struct litmus *l,
		  const uint64_t *regs, const uint64_t *finals)
{
	char text[16];
	int i, n = 0;

	for (i = 0; i < l->nr_regs; i++)
		text[n++] = (char)('0' + regs[i]);
	if (l->finals)
		text[n++] = ':';
	for (i = 0; l->finals && i < l->nr_locs; i++)
		text[n++] = (char)('0' + finals[i]);
	text[n] = 0;
	for (i = 0; i < out->nr; i++)
		if (!strcmp(out->text[i], text))
			return;
	if (out->nr == LITMUS_OUTCOMES)
		abort();
	memcpy(out->text[out->nr++], text, sizeof(text));
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void outcomes_sort(struct outcomes *out)
{
	qsort(out->text, (size_t)out->nr, sizeof(out->text[0]), compare);
}

static uint64_t *word(int loc)
{
	return (uint64_t *)(explorer_memory + 64 * (size_t)loc);
}

static void run(int t)
{
	int i;

	for (i = 0; i < running->nr_ops[t]; i++) {
		const struct litmus_op *op = &running->op[t][i];
		struct explorer_site *s = &site[t][i];
		uint64_t *p = word(op->loc), was = op->expected;

		switch (op->kind) {
		case EXPLORER_LOAD:
			was = explorer_load(s, p, 8);
			break;
		case EXPLORER_STORE:
			explorer_store(s, p, 8, op->value);
			continue;
		case EXPLORER_ADD:
			was = explorer_add(s, p, 8, op->value);
			break;
		case EXPLORER_XCHG:
			was = explorer_xchg(s, p, 8, op->value);
			break;
		case EXPLORER_CAS:
			explorer_cas(s, p, 8, &was, op->value);
			break;
		default:
			explorer_fence(s);
			continue;
		}
		explorer_note((unsigned int)op->reg, was);
	}
}

static void thread0(void)
{
	run(0);
}

static void thread1(void)
{
	run(1);
}

static void thread2(void)
{
	run(2);
}

static void thread3(void)
{
	run(3);
}

static void collect(unsigned int stuck)
{
	uint64_t finals[LITMUS_LOCS];
	int i;

	explorer_assert(!stuck, "a litmus test cannot be stuck");
	for (i = 0; i < running->nr_locs; i++)
		finals[i] = explorer_final(word(i), 8);
	outcomes_add(collected, running, explorer_notes, finals);
}

void litmus_explore(const struct litmus *l, struct outcomes *out)
{
	static void (*const fn[])(void) = {
		thread0, thread1, thread2, thread3,
	};
	struct explorer_model model = { .name = "litmus", .final = collect };
	struct explorer_result result;
	int t, i;

	for (t = 0; t < l->nr_threads; t++) {
		model.thread[t] = fn[t];
		for (i = 0; i < l->nr_ops[t]; i++)
			site[t][i] = (struct explorer_site){
				.file = __FILE__, .func = "litmus",
				.kind = l->op[t][i].kind,
				.order = l->op[t][i].order,
				.as = l->op[t][i].order,
			};
	}
	running = l;
	collected = out;
	out->nr = 0;
	explorer_run(&model, &result, 1);
	if (result.failed || result.incomplete) {
		fprintf(stderr, "litmus: %s\n", result.why);
		abort();
	}
	outcomes_sort(out);
}
