// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kernel's own ways to sleep until the other side answers.
 */

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* A word to sleep on and the payload, on one line each way. */
struct sleep_line {
	uint32_t turn;
	uint32_t pad;
	uint64_t payload;
	uint64_t rest[14];
};

static long futex(uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static int futex_create(struct bench_case *c)
{
	c->priv = bench_shared(2 * sizeof(struct sleep_line));
	return 0;
}

static void futex_send(struct sleep_line *out, uint64_t i)
{
	out->payload = i;
	__atomic_store_n(&out->turn, (uint32_t)i, __ATOMIC_SEQ_CST);
	if (futex(&out->turn, FUTEX_WAKE, 1) < 0)
		bench_die("futex wake: %s", strerror(errno));
}

static uint64_t futex_recv(struct sleep_line *in, uint64_t i)
{
	uint32_t turn;

	for (;;) {
		turn = __atomic_load_n(&in->turn, __ATOMIC_SEQ_CST);
		if (turn == (uint32_t)i)
			return in->payload;
		if (futex(&in->turn, FUTEX_WAIT, turn) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			bench_die("futex wait: %s", strerror(errno));
	}
}

static uint64_t futex_run(struct bench_case *c, enum bench_side side,
			  uint64_t n)
{
	struct sleep_line *lines = c->priv;
	struct sleep_line *in = &lines[side == BENCH_A];
	struct sleep_line *out = &lines[side == BENCH_B];
	uint64_t i, sum = 0;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A)
			futex_send(out, i);
		sum += futex_recv(in, i);
		if (side == BENCH_B)
			futex_send(out, i);
	}
	bench_barrier();
	out->turn = 0;
	return sum;
}

/* File descriptors: {A reads, A writes, B reads, B writes}. */
struct sleep_files {
	int read[2];
	int write[2];
};

static int pipe_create(struct bench_case *c)
{
	static struct sleep_files files;
	int to_a[2], to_b[2];

	if (pipe(to_a) || pipe(to_b))
		return -errno;
	files = (struct sleep_files){
		.read = { to_a[0], to_b[0] },
		.write = { to_b[1], to_a[1] },
	};
	c->priv = &files;
	return 0;
}

static int eventfd_create(struct bench_case *c)
{
	static struct sleep_files files;
	int to_a = eventfd(0, EFD_CLOEXEC);
	int to_b = eventfd(0, EFD_CLOEXEC);

	if (to_a < 0 || to_b < 0)
		return -errno;
	files = (struct sleep_files){
		.read = { to_a, to_b },
		.write = { to_b, to_a },
	};
	c->priv = &files;
	return 0;
}

static uint64_t files_run(struct bench_case *c, enum bench_side side,
			  uint64_t n)
{
	const struct sleep_files *files = c->priv;
	uint64_t i, got, sum = 0;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A && write(files->write[side], &i, 8) != 8)
			bench_die("%s: write: %s", c->name, strerror(errno));
		if (read(files->read[side], &got, 8) != 8)
			bench_die("%s: read: %s", c->name, strerror(errno));
		sum += got;
		if (side == BENCH_B && write(files->write[side], &i, 8) != 8)
			bench_die("%s: write: %s", c->name, strerror(errno));
	}
	return sum;
}

struct bench_case bench_sleep_cases[] = {
	{ .name = "futex", .who = "kernel", .kind = BENCH_BLOCKING, .size = 8,
	  .batch = 1, .create = futex_create, .run = futex_run },
	{ .name = "eventfd", .who = "kernel", .kind = BENCH_BLOCKING,
	  .size = 8, .batch = 1, .create = eventfd_create,
	  .run = files_run },
	{ .name = "pipe", .who = "kernel", .kind = BENCH_BLOCKING, .size = 8,
	  .batch = 1, .create = pipe_create, .run = files_run },
	{ .name = NULL },
};
