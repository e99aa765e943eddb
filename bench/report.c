// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * From samples to a table for people and a CSV for programs.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"

/* Fewer kept samples than this are no result. */
#define MIN_SAMPLES	5

struct quartiles {
	double low, median, high;
	uint32_t nr;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* By linear interpolation; sorts values. */
static double quantile(const double *sorted, uint32_t nr, double q)
{
	double at = q * (nr - 1);
	uint32_t i = (uint32_t)at;

	if (i + 1 >= nr)
		return sorted[nr - 1];
	return sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]);
}

static struct quartiles quartiles(double *values, uint32_t nr)
{
	if (!nr)
		return (struct quartiles){ .nr = 0 };
	qsort(values, nr, sizeof(*values), compare);
	return (struct quartiles){
		.low = quantile(values, nr, 0.25),
		.median = quantile(values, nr, 0.5),
		.high = quantile(values, nr, 0.75),
		.nr = nr,
	};
}

static double raw_of(const struct bench_sample *s)
{
	return (s->raw[0] + s->raw[1]) / 2;
}

/* What is asked of each kept sample of a class. */
enum metric {
	NS,		/* per operation */
	PER_RAW,	/* ... in raw round trips */
	PER_PEER,	/* the peer's time by ours: above 1 is faster */
};

static struct quartiles collect(const struct bench_plan *plan,
				enum bench_class cls, uint32_t i,
				enum metric metric)
{
	static double values[BENCH_MAX_ROUNDS];
	const struct bench_sample *s;
	uint32_t k, nr = 0;

	for (k = 0; k < plan->nr_samples && nr < BENCH_MAX_ROUNDS; k++) {
		s = &plan->samples[k];
		if (s->verdict != BENCH_KEPT || s->cls != cls)
			continue;
		if (metric == NS)
			values[nr++] = s->ns[i];
		else if (metric == PER_RAW)
			values[nr++] = s->ns[i] / raw_of(s);
		else
			values[nr++] = s->ns[plan->peer] / s->ns[i];
	}
	return quartiles(values, nr);
}

static double raw_median(const struct bench_plan *plan, enum bench_class cls)
{
	static double values[BENCH_MAX_ROUNDS];
	uint32_t k, nr = 0;

	for (k = 0; k < plan->nr_samples && nr < BENCH_MAX_ROUNDS; k++)
		if (plan->samples[k].verdict == BENCH_KEPT &&
		    plan->samples[k].cls == cls)
			values[nr++] = raw_of(&plan->samples[k]);
	return quartiles(values, nr).median;
}

static uint32_t count(const struct bench_plan *plan,
		      enum bench_verdict verdict, int cls)
{
	uint32_t k, nr = 0;

	for (k = 0; k < plan->nr_samples; k++)
		if (plan->samples[k].verdict == verdict &&
		    (cls < 0 || plan->samples[k].cls == (enum bench_class)cls))
			nr++;
	return nr;
}

static const struct bench_target *target_of(const struct bench_block *block,
					    const char *name)
{
	uint32_t i;

	for (i = 0; i < BENCH_MAX_CASES && block->targets[i].name; i++)
		if (!strcmp(block->targets[i].name, name))
			return &block->targets[i];
	return NULL;
}

/* "<= 1.12 met", or nothing where nothing was promised. */
static void print_target(FILE *out, const struct bench_plan *plan,
			 enum bench_class cls, const char *name,
			 double per_raw, double per_peer)
{
	const struct bench_target *t = target_of(plan->block, name);

	if (!t)
		return;
	if (t->raw_ratio[cls] > 0)
		fprintf(out, "  raw x %.2f: %s", t->raw_ratio[cls],
			per_raw <= t->raw_ratio[cls] ? "met" : "MISSED");
	if (t->peer_ratio > 0 && plan->peer >= 0)
		fprintf(out, "  %.2f of %s: %s", t->peer_ratio,
			plan->cases[plan->peer]->name,
			per_peer >= t->peer_ratio ? "met" : "MISSED");
}

static void report_class(FILE *out, const struct bench_plan *plan,
			 enum bench_class cls)
{
	bool stream = plan->cases[0]->kind == BENCH_STREAM;
	uint32_t i;

	fprintf(out, "  class %c, %u rounds, raw round trip %.0f ns\n",
		bench_class_letter(cls), count(plan, BENCH_KEPT, (int)cls),
		raw_median(plan, cls));
	fprintf(out, "    %-16s %9s %9s   %-20s", "", "ns/op",
		stream ? "M/s" : "", "/ raw [quartiles]");
	if (plan->peer >= 0)
		fprintf(out, " %-20s", "rate / peer's");
	fprintf(out, "  target\n");
	for (i = 0; i < plan->nr_cases; i++) {
		const struct bench_case *c = plan->cases[i];
		struct quartiles ns = collect(plan, cls, i, NS);
		struct quartiles raw = collect(plan, cls, i, PER_RAW);
		struct quartiles peer = { .nr = 0 };

		fprintf(out, "    %-16s %9.1f ", c->name, ns.median);
		if (stream)
			fprintf(out, "%9.1f", 1e3 / ns.median);
		else
			fprintf(out, "%9s", "");
		fprintf(out, "   %6.3f [%.3f %.3f]", raw.median, raw.low,
			raw.high);
		if (plan->peer >= 0) {
			peer = collect(plan, cls, i, PER_PEER);
			fprintf(out, "  %5.2f [%.2f %.2f]  ", peer.median,
				peer.low, peer.high);
		}
		print_target(out, plan, cls, c->name, raw.median,
			     peer.median);
		fputc('\n', out);
	}
}

void bench_report(FILE *out, const struct bench_plan *plans,
		  uint32_t nr_plans, uint32_t rounds)
{
	const struct bench_plan *plan;
	uint32_t p;
	int cls, shown;

	fprintf(out, "\n%u rounds; ratios are medians of ratios within one block of one round\n",
		rounds);
	for (p = 0; p < nr_plans; p++) {
		plan = &plans[p];
		fprintf(out, "\n%s: %s\n", plan->block->name,
			plan->block->title);
		fprintf(out, "  kept %u, dropped %u (raw changed %u, CPU lost %u)\n",
			count(plan, BENCH_KEPT, -1),
			plan->nr_samples - count(plan, BENCH_KEPT, -1),
			count(plan, BENCH_MOVED, -1),
			count(plan, BENCH_DISTURBED, -1));
		for (cls = shown = 0; cls < BENCH_NR_CLASSES; cls++) {
			if (count(plan, BENCH_KEPT, cls) < MIN_SAMPLES)
				continue;
			report_class(out, plan, (enum bench_class)cls);
			shown++;
		}
		if (!shown)
			fprintf(out, "  no class has %d samples: no result\n",
				MIN_SAMPLES);
	}
}

void bench_csv(FILE *out, const struct bench_plan *plans, uint32_t nr_plans)
{
	static const char *const verdicts[BENCH_NR_VERDICTS] = {
		"kept", "moved", "disturbed",
	};
	const struct bench_sample *s;
	const struct bench_case *c;
	uint32_t p, k, i;

	fprintf(out, "round,block,class,verdict,raw_before_ns,raw_after_ns,case,who,size,batch,operations,ns_per_op\n");
	for (p = 0; p < nr_plans; p++) {
		for (k = 0; k < plans[p].nr_samples; k++) {
			s = &plans[p].samples[k];
			for (i = 0; i < plans[p].nr_cases; i++) {
				c = plans[p].cases[i];
				fprintf(out,
					"%u,%s,%c,%s,%.2f,%.2f,%s,%s,%u,%u,%llu,%.3f\n",
					k, plans[p].block->name,
					bench_class_letter(s->cls),
					verdicts[s->verdict], s->raw[0],
					s->raw[1], c->name, c->who, c->size,
					c->batch,
					(unsigned long long)s->n[i], s->ns[i]);
			}
		}
	}
}

/* The first line of a file of /sys or /proc; "?" if there is none. */
static const char *first_line(const char *path)
{
	static char line[256];
	FILE *f = fopen(path, "re");

	if (!f || !fgets(line, sizeof(line), f))
		snprintf(line, sizeof(line), "?");
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	return line;
}

static const char *model_name(void)
{
	static char line[256];
	const char *value = "?";
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		value = strchr(line, ':') ? strchr(line, ':') + 2 : line;
		break;
	}
	if (f)
		fclose(f);
	return value;
}

static void describe_caches(FILE *out, const char *prefix, int cpu)
{
	char path[128], level[256], type[256], size[256];
	int i;

	fprintf(out, "%scaches of CPU %d:", prefix, cpu);
	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/cache/index%d/level",
			 cpu, i);
		if (access(path, R_OK))
			break;
		snprintf(level, sizeof(level), "%s", first_line(path));
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/cache/index%d/type",
			 cpu, i);
		snprintf(type, sizeof(type), "%s", first_line(path));
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/cache/index%d/size",
			 cpu, i);
		snprintf(size, sizeof(size), "%s", first_line(path));
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list",
			 cpu, i);
		fprintf(out, " L%s %s %s (CPUs %s)", level, type, size,
			first_line(path));
	}
	fputc('\n', out);
}

void bench_describe(FILE *out, const char *prefix, const int cpus[2])
{
	struct utsname uts;
	double load[3] = { 0 };

	uname(&uts);
	if (getloadavg(load, 3) < 0)
		load[0] = -1;
	fprintf(out, "%sCPU: %s, %ld online; used: %d (consumer, clock) and %d\n",
		prefix, model_name(), sysconf(_SC_NPROCESSORS_ONLN), cpus[0],
		cpus[1]);
	describe_caches(out, prefix, cpus[0]);
	fprintf(out, "%skernel: %s %s %s; load average %.1f\n", prefix,
		uts.sysname, uts.release, uts.machine, load[0]);
	fprintf(out, "%scompiler: %s; pauses after a burst: %u\n", prefix, __VERSION__,
		bench_idle_pauses);
}
