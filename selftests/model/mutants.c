// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeded bugs: every atomic access of the code under test, made weaker by one
 * step, must make a model fail.  If it does not, it is either stronger than
 * need be, and allowed.c says why it is so, or the models miss something.
 *
 * Sites of the models themselves (the kernel's side, what the tests do) are
 * not the code under test: those are files of the library.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

#define MAX_SITES	512
#define WORKERS		2
#define PATIENCE	300	/* seconds of a CPU for one mutant */
#define CHEAP		0.3	/* seconds for a model on a harmless one */

/* A set of models: MAX_MODELS bits. */
__extension__ typedef unsigned __int128 model_set;

static model_set only(int model)
{
	return (model_set)1 << model;
}

/* One place in the source; the linker may have it several times. */
struct place {
	const struct explorer_site *site;
	int nth;
	model_set by;		/* models that ran it */
};

static struct place places[MAX_SITES];
static int nr_places;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int under_test(const struct explorer_site *s)
{
	return s->func && !strstr(s->file, "selftests/");
}

static int same_place(const struct explorer_site *a,
		      const struct explorer_site *b)
{
	return a->line == b->line && a->kind == b->kind &&
		a->order == b->order &&
		!strcmp(base_name(a->file), base_name(b->file));
}

static int by_line(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int d = strcmp(base_name(x->site->file), base_name(y->site->file));

	return d ? d : x->site->line - y->site->line;
}

static void number_places(void)
{
	int i, j;

	qsort(places, (size_t)nr_places, sizeof(*places), by_line);
	for (i = 0; i < nr_places; i++) {
		places[i].nth = 1;
		for (j = 0; j < i; j++)
			if (!strcmp(places[j].site->func,
				    places[i].site->func) &&
			    places[j].site->kind == places[i].site->kind)
				places[i].nth++;
	}
}

/* Called after each model, with only its hits counted. */
void mutants_note_use(int model)
{
	size_t s;
	int i;

	for (s = 0; s < explorer_nr_sites(); s++) {
		const struct explorer_site *site = explorer_site_at(s);

		if (!site->hits || !under_test(site))
			continue;
		for (i = 0; i < nr_places; i++)
			if (same_place(places[i].site, site))
				break;
		if (i == nr_places) {
			if (nr_places == MAX_SITES)
				abort();
			places[nr_places++].site = site;
		}
		if (!models[model]->finds)
			places[i].by |= only(model);
	}
}

static const char *const kinds[] = {
	"load", "store", "add", "xchg", "cas", "fence", "crash_fence",
};

static const char *const orders[] = {
	"none", "plain", "relaxed", "acquire", "release", "acq_rel", "seq_cst",
};

/* The next weaker order; NONE twice: there is none. */
static enum explorer_order weaker(enum explorer_kind kind,
				  enum explorer_order o)
{
	switch (kind) {
	case EXPLORER_LOAD:
		return o == EXPLORER_SC ? EXPLORER_ACQ :
			o == EXPLORER_ACQ ? EXPLORER_RLX : EXPLORER_NONE;
	case EXPLORER_STORE:
		return o == EXPLORER_SC ? EXPLORER_REL :
			o == EXPLORER_REL ? EXPLORER_RLX : EXPLORER_NONE;
	case EXPLORER_CRASH_FENCE:
	case EXPLORER_FENCE:
		return o == EXPLORER_SC && kind == EXPLORER_FENCE ?
			EXPLORER_ACQ_REL : EXPLORER_NONE;
	default:
		return o == EXPLORER_SC ? EXPLORER_ACQ_REL :
			o == EXPLORER_ACQ_REL ? EXPLORER_RLX : EXPLORER_NONE;
	}
}

static int can_weaken(enum explorer_kind kind, enum explorer_order o)
{
	if (kind == EXPLORER_FENCE || kind == EXPLORER_CRASH_FENCE)
		return o != EXPLORER_NONE;
	return weaker(kind, o) != EXPLORER_NONE;
}

static void weaken(const struct explorer_site *place, enum explorer_order to)
{
	size_t s;

	for (s = 0; s < explorer_nr_sites(); s++)
		if (same_place(explorer_site_at(s), place))
			explorer_site_at(s)->as = to;
}

/* "FILE:LINE:ORDER", for the command line. */
int mutants_weaken(const char *spec)
{
	char file[64], order[16];
	int line, o, seen = 0;
	size_t s;

	if (sscanf(spec, "%63[^:]:%d:%15s", file, &line, order) != 3)
		return 0;
	for (o = 0; o <= EXPLORER_SC; o++)
		if (!strcmp(orders[o], order))
			break;
	for (s = 0; s < explorer_nr_sites(); s++) {
		struct explorer_site *site = explorer_site_at(s);

		if (site->line == line &&
		    !strcmp(base_name(site->file), file)) {
			site->as = (enum explorer_order)o;
			seen = 1;
		}
	}
	return seen && o <= EXPLORER_SC;
}

struct job {
	const struct place *place;	/* NULL: a group of allowed sites */
	enum explorer_order to;
	int group;
	pid_t pid;
	int caught;		/* -1: not run */
	char by[160];
	int out;
};

static const struct place *find_place(const struct allowed *a)
{
	int i;

	for (i = 0; i < nr_places; i++)
		if (!strcmp(places[i].site->func, a->func) &&
		    places[i].site->kind == a->kind &&
		    places[i].nth == a->nth)
			return &places[i];
	return NULL;
}

/* Seed the bug; returns the models that run it. */
static model_set seed(const struct job *job)
{
	const struct allowed *a;
	model_set by = 0;

	if (job->place) {
		weaken(job->place->site, job->to);
		return job->place->by;
	}
	for (a = allowed_sites; a->func; a++)
		if (a->group == job->group && find_place(a)) {
			weaken(find_place(a)->site, a->to);
			by |= find_place(a)->by;
		}
	return by;
}

static const struct allowed *find_allowed(const struct job *job)
{
	const struct allowed *a;

	for (a = allowed_sites; a->func; a++)
		if (!strcmp(a->func, job->place->site->func) &&
		    a->kind == job->place->site->kind &&
		    a->nth == job->place->nth && job->to >= a->to)
			return a;
	return NULL;
}

/* In a child: exit status 0 caught, 1 not. */
static void try_mutant(const struct job *job, const double *cost, int out)
{
	/* Of the CPU, that others on the machine do not matter. */
	static const struct rlimit patience = { PATIENCE, RLIM_INFINITY };
	struct explorer_result r;
	model_set left = seed(job);

	setrlimit(RLIMIT_CPU, &patience);
	while (left) {
		int i, best = -1;

		for (i = 0; i < nr_models; i++)
			if (left & only(i) &&
			    (best < 0 || cost[i] < cost[best]))
				best = i;
		left &= ~only(best);
		/* What is listed as harmless, the small models must confirm. */
		if (job->place && find_allowed(job) && !explorer_deep &&
		    cost[best] > CHEAP)
			break;
		explorer_run(models[best], &r, 0);
		if (r.failed) {
			dprintf(out, "%s: %s", models[best]->name, r.why);
			_exit(0);
		}
	}
	_exit(1);
}

static void start_job(struct job *job, const double *cost)
{
	int fd[2];

	if (pipe(fd))
		abort();
	fflush(stdout);
	job->pid = fork();
	if (job->pid < 0)
		abort();
	if (!job->pid) {
		close(fd[0]);
		try_mutant(job, cost, fd[1]);
	}
	close(fd[1]);
	job->out = fd[0];
}

static void end_job(struct job *jobs, int n)
{
	int status, i;
	pid_t pid = wait(&status);
	ssize_t len;

	for (i = 0; i < n; i++)
		if (jobs[i].pid == pid)
			break;
	if (i == n)
		abort();
	len = read(jobs[i].out, jobs[i].by, sizeof(jobs[i].by) - 1);
	close(jobs[i].out);
	jobs[i].by[len > 0 ? len : 0] = 0;
	jobs[i].caught = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGXCPU) {
		jobs[i].caught = 1;
		snprintf(jobs[i].by, sizeof(jobs[i].by), "crashed (signal %d)",
			 WTERMSIG(status));
	}
}

static void report(const struct job *job, int *caught, int *allowed)
{
	const struct explorer_site *s = job->place->site;
	const struct allowed *a = find_allowed(job);
	char name[160];

	snprintf(name, sizeof(name), "%s:%s:%d:%s", s->func, kinds[s->kind],
		 job->place->nth, orders[job->to]);
	if (job->caught) {
		++*caught;
		printf("# %s:%d: %s\n", base_name(s->file), s->line, job->by);
		test_result(!a, "mutant: %s%s", name,
			    a ? " is on the list of harmless ones, but is not" :
			    " is caught");
		return;
	}
	if (a) {
		++*allowed;
		printf("# %s:%d: %s\n", base_name(s->file), s->line,
		       a->reason);
		test_result(1, "mutant: %s is harmless, as listed", name);
		return;
	}
	printf("# %s:%d (%s as written)\n", base_name(s->file), s->line,
	       orders[s->order]);
	test_result(0, "mutant: %s is caught", name);
}

/* Run one round of jobs on all CPUs that we use. */
static void run_jobs(struct job *jobs, int n, const double *cost)
{
	int next = 0, running = 0;

	while (next < n || running) {
		if (next < n && running < WORKERS) {
			start_job(&jobs[next++], cost);
			running++;
			continue;
		}
		end_job(jobs, n);
		running--;
	}
}

/* Sites that cover for each other must not all be weak. */
static void test_groups(const double *cost)
{
	struct job job = { .place = NULL };
	const struct allowed *a;

	for (a = allowed_sites; a->func; a++) {
		if (!find_place(a))
			test_result(0, "mutant: %s:%s:%d, listed, exists",
				    a->func, kinds[a->kind], a->nth);
		if (a->group <= job.group)
			continue;
		job.group = a->group;
		run_jobs(&job, 1, cost);
		printf("# %s\n", job.by);
		test_result(job.caught, "mutant: group %d, all of it: is caught",
			    job.group);
	}
}

/* Is every ordered access of the lane run by some model? */
static void test_reach(void)
{
	int missed = 0, i;
	size_t s, r;

	for (s = 0; s < explorer_nr_sites(); s++) {
		const struct explorer_site *site = explorer_site_at(s);

		if (strstr(site->file, "selftests/"))
			continue;
		for (i = 0; i < nr_places; i++)
			if (same_place(places[i].site, site))
				break;
		if (i < nr_places)
			continue;
		for (r = 0; r < s; r++)
			if (same_place(explorer_site_at(r), site))
				break;
		if (r < s)
			continue;	/* said already */
		printf("# no model runs %s:%d (%s %s)\n",
		       base_name(site->file), site->line, orders[site->order],
		       kinds[site->kind]);
		if (site->order > EXPLORER_RLX &&
		    !strncmp(base_name(site->file), "lane", 4))
			missed++;
	}
	test_result(!missed, "mutant: all ordered accesses of lanes are run");
}

void test_mutants(const double *cost)
{
	static struct job jobs[MAX_SITES];
	int n = 0, i, round, caught = 0, allowed = 0, mutants = 0;

	number_places();
	for (i = 0; i < nr_places; i++)
		if (can_weaken(places[i].site->kind, places[i].site->order))
			jobs[n++] = (struct job){
				.place = &places[i], .caught = -1,
				.to = weaker(places[i].site->kind,
					     places[i].site->order),
			};
	/* What is caught when weakened by one step is caught by two. */
	for (round = 0; n; round++) {
		int m = 0;

		run_jobs(jobs, n, cost);
		for (i = 0; i < n; i++) {
			mutants++;
			report(&jobs[i], &caught, &allowed);
		}
		for (i = 0; i < n; i++) {
			struct job next = jobs[i];

			if (next.caught || !can_weaken(next.place->site->kind,
						       next.to))
				continue;
			next.to = weaker(next.place->site->kind, next.to);
			next.caught = -1;
			jobs[m++] = next;
		}
		n = m;
	}
	test_groups(cost);
	test_reach();
	printf("# %d places, %d mutants: %d caught, %d harmless as listed\n",
	       nr_places, mutants, caught, allowed);
}
