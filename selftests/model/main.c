// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test program: litmus tests, then the protocol of the kernel's side, then
 * the models of the library, then those with each site weakened.  KTAP on stdout.
 *
 *	shmchan-model [litmus|protocols|models|mutants]...
 *	shmchan-model -m NAME [-w FILE:LINE:ORDER]
 *
 * The last form runs one model, with a site weakened if asked to, and prints
 * the execution that breaks it.  MODEL_DEEP=1 in the environment explores more.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_private.h"
#include "tests.h"

const struct explorer_model *models[MAX_MODELS];
int nr_models;

static int nr_results, nr_failed;

void test_result(int ok, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d ", ok ? "ok" : "not ok", ++nr_results);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	if (!ok)
		nr_failed++;
}

static void add_models(const struct explorer_model *list)
{
	for (; list->name; list++) {
		if (list->deep && !explorer_deep)
			continue;
		if (nr_models == MAX_MODELS)
			abort();
		models[nr_models++] = list;
	}
}

/* 1 if the model did what it is expected to. */
static int run_model(const struct explorer_model *model,
		     struct explorer_result *r, int trace)
{
	const char *missing;

	covers_clear();
	explorer_run(model, r, trace && !model->finds);
	printf("# %s: %lu states, %lu executions, %lu steps, %.2f s\n",
	       model->name, r->states, r->executions, r->steps, r->seconds);
	if (model->finds) {
		if (!r->failed || !strstr(r->why, model->finds)) {
			printf("# should have failed with: %s\n",
			       model->finds);
			return 0;
		}
		return 1;
	}
	missing = covers_missing(model->covers);
	if (missing)
		printf("# never seen: %s\n", missing);
	if (r->incomplete)
		printf("# not finished: too many states\n");
	return !r->failed && !r->incomplete && !missing;
}

static void test_models(double *cost, int quiet)
{
	struct explorer_result r;
	int i, ok;

	for (i = 0; i < nr_models; i++) {
		size_t s;

		for (s = 0; s < explorer_nr_sites(); s++)
			explorer_site_at(s)->hits = 0;
		ok = run_model(models[i], &r, 1);
		cost[i] = r.seconds;
		mutants_note_use(i);
		if (!quiet)
			test_result(ok, "model: %s: %s", models[i]->name,
				    models[i]->what);
	}
}

static const struct explorer_model *const protocols[] = {
	sleep_models, arm_models, asym_models, uring_models,
};

#define NR_PROTOCOLS	(sizeof(protocols) / sizeof(protocols[0]))

static void test_protocols(void)
{
	const struct explorer_model *m;
	struct explorer_result r;
	size_t p;

	for (p = 0; p < NR_PROTOCOLS; p++)
		for (m = protocols[p]; m->name; m++) {
			int ok;

			if (m->deep && !explorer_deep)
				continue;
			ok = run_model(m, &r, 1);
			test_result(ok, "protocol: %s: %s%s", m->name,
				    m->what, m->finds ? ": is caught" : "");
		}
}

static const struct explorer_model *find_model(const char *name)
{
	const struct explorer_model *m;
	size_t p;
	int i;

	for (i = 0; i < nr_models; i++)
		if (!strcmp(models[i]->name, name))
			return models[i];
	for (p = 0; p < NR_PROTOCOLS; p++)
		for (m = protocols[p]; m->name; m++)
			if (!strcmp(m->name, name))
				return m;
	return NULL;
}

static void list_models(void)
{
	const struct explorer_model *m;
	size_t p;
	int i;

	for (i = 0; i < nr_models; i++)
		printf("%s: %s\n", models[i]->name, models[i]->what);
	for (p = 0; p < NR_PROTOCOLS; p++)
		for (m = protocols[p]; m->name; m++)
			printf("%s: %s\n", m->name, m->what);
}

static int run_one(const char *name, const char *weaken)
{
	const struct explorer_model *model = find_model(name);
	struct explorer_result r;

	if (!model) {
		list_models();
		return 2;
	}
	if (weaken && !mutants_weaken(weaken)) {
		fprintf(stderr, "no such site: %s\n", weaken);
		return 2;
	}
	return run_model(model, &r, 1) ? 0 : 1;
}

static int asked(int argc, char **argv, const char *what)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], what))
			return 1;
	return argc == 1;
}

int main(int argc, char **argv)
{
	static double cost[MAX_MODELS];
	const char *deep = getenv("MODEL_DEEP");

	explorer_deep = deep && *deep && strcmp(deep, "0") != 0;
	add_models(bell_models);
	add_models(lane_models);
	add_models(crash_models);
	add_models(pass_models);
	add_models(sync_models);
	add_models(party_models);
	add_models(workq_models);
	add_models(pool_models);
	if (argc >= 3 && !strcmp(argv[1], "-m"))
		return run_one(argv[2], argc == 5 ? argv[4] : NULL);


	printf("KTAP version 1\n");
	if (asked(argc, argv, "litmus"))
		test_litmus();
	if (asked(argc, argv, "protocols"))
		test_protocols();
	if (asked(argc, argv, "models") || asked(argc, argv, "mutants"))
		test_models(cost, !asked(argc, argv, "models"));
	if (asked(argc, argv, "mutants"))
		test_mutants(cost);
	printf("1..%d\n", nr_results);
	printf("# Totals: pass:%d fail:%d skip:0\n", nr_results - nr_failed,
	       nr_failed);
	return nr_failed != 0;
}
