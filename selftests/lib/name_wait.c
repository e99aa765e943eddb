// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a name to appear, and what is said of one that is something else. */

#include <shmchan/spsc.h>
#include <shmchan/wire.h>

#include "harness.h"

static void name(char *to, size_t size, const char *what)
{
	snprintf(to, size, "name-wait-%s-%d", what, (int)getpid());
}

TEST(appears_later)
{
	struct shmchan_spsc_opts receiver = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .wait_ns = -1);
	struct shmchan_spsc_opts sender = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096);
	struct shmchan_spsc ch;
	char called[32];
	int ready[2];
	size_t length;
	uint64_t got;
	char byte;
	pid_t pid;

	name(called, sizeof(called), "later");
	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(write(ready[1], "x", 1), 1);
		CHECK_EQ(shmchan_spsc_open(&ch, called, &receiver), 0);
		CHECK_EQ(shmchan_spsc_recv(&ch, &got, sizeof(got), &length,
					   NULL, -1), 0);
		CHECK_EQ(got, 42);
		shmchan_spsc_close(&ch);
		child_done();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	/* Let it look in vain a few times. */
	usleep(20000);
	CHECK_EQ(shmchan_spsc_open(&ch, called, &sender), 0);
	got = 42;
	CHECK_EQ(shmchan_spsc_send(&ch, &got, sizeof(got), 0, 0, -1), 0);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&ch);
}

TEST(never_appears)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .wait_ns = 20000000);
	struct shmchan_spsc ch;
	char called[32];

	name(called, sizeof(called), "never");
	CHECK_EQ(shmchan_spsc_open(&ch, called, &opts), -ETIMEDOUT);
	CHECK(strstr(shmchan_error_detail(), called));
	CHECK(strstr(shmchan_error_detail(), "20 ms"));
	opts.wait_ns = 0;
	CHECK_EQ(shmchan_spsc_open(&ch, called, &opts), -ENOENT);
}

/* What is there and is no channel is not waited for. */
TEST(is_something_else)
{
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.slot = 0, .nr_slots = 2, .control_size = SHMCHAN_PAGE);
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .wait_ns = -1);
	struct shmchan_region *region;
	struct shmchan_spsc ch;
	char called[32];

	name(called, sizeof(called), "else");
	CHECK_EQ(shmchan_region_create(&region, called, &ropts), 0);
	CHECK_EQ(shmchan_spsc_open(&ch, called, &opts), -EPROTO);
	CHECK(strstr(shmchan_error_detail(), "magic"));
	shmchan_region_close(region);
}

/* Both versions are said, both kinds, and both lengths. */
TEST(is_of_another_version)
{
	struct shmchan_wire wire = {
		.magic = SHMCHAN_WIRE_MAGIC,
		.version = SHMCHAN_WIRE_VERSION + 6,
		.kind = SHMCHAN_WIRE_POOL, .length = sizeof(wire),
	};
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.slot = 0, .nr_slots = 2, .control_size = SHMCHAN_PAGE,
		.header = &wire, .header_len = sizeof(wire));
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER);
	struct shmchan_region *region;
	struct shmchan_spsc ch;
	char called[32], text[64];

	name(called, sizeof(called), "version");
	CHECK_EQ(shmchan_region_create(&region, called, &ropts), 0);
	CHECK_EQ(shmchan_spsc_open(&ch, called, &opts), -EPROTO);
	snprintf(text, sizeof(text), "version %u, this program has version %u",
		 SHMCHAN_WIRE_VERSION + 6, SHMCHAN_WIRE_VERSION);
	CHECK(strstr(shmchan_error_detail(), text));
	shmchan_region_close(region);

	wire.version = SHMCHAN_WIRE_VERSION;
	CHECK_EQ(shmchan_region_create(&region, called, &ropts), 0);
	CHECK_EQ(shmchan_spsc_open(&ch, called, &opts), -EPROTO);
	CHECK(strstr(shmchan_error_detail(), "pool"));
	CHECK(strstr(shmchan_error_detail(), "from one to one"));
	shmchan_region_close(region);
}

TEST_MAIN
