// SPDX-License-Identifier: GPL-2.0-only

/* Pools: what is asked for makes no sense; an error, with words. */

#include "pool_fixture.h"

static void refused(const struct shmchan_pool_opts *opts, const char *says)
{
	struct shmchan_pool *pool = (struct shmchan_pool *)opts;

	CHECK_EQ(shmchan_pool_open(&pool, test_name("bad"), opts), -EINVAL);
	CHECK(!pool);
	CHECK_SAYS(shmchan_error_detail(), says);
}

#define REFUSED(says, ...) \
	do { \
		struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(__VA_ARGS__); \
		refused(&opts, says); \
	} while (0)

TEST(options)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS();
	struct shmchan_pool *pool;

	REFUSED("role 7", .role = (enum shmchan_pool_role)7);
	REFUSED("no class", .create = 1);
	REFUSED("no buffers", .create = 1, .classes = {{ 64, 0 }});
	REFUSED("rising", .create = 1, .classes = {{ 64, 1 }, { 64, 1 }});
	REFUSED("ends the list", .create = 1, .classes = {{ 64, 1 }, { 0, 2 }});
	REFUSED("ends the list", .create = 1,
		.classes = {{ 64, 1 }, { 0, 0 }, { 128, 1 }});
	REFUSED("1073741824", .create = 1,
		.classes = {{ SHMCHAN_POOL_MAX_SIZE + 1, 1 }});
	REFUSED("at most", .create = 1,
		.classes = {{ 8, SHMCHAN_POOL_MAX_BUFFERS + 1 }});
	REFUSED("holders", .create = 1, .classes = {{ 8, 1 }},
		.nr_holders = SHMCHAN_POOL_MAX_HOLDERS + 1);
	REFUSED("cells", .create = 1, .classes = {{ 8, 1 }},
		.nr_cells = SHMCHAN_POOL_MAX_CELLS + 1);
	REFUSED("exclusive", .exclusive = 1);
	opts.size = 8;
	refused(&opts, "SHMCHAN_POOL_OPTS");
	CHECK_EQ(shmchan_pool_open(&pool, test_name("bad"), NULL), -EINVAL);
	opts = SHMCHAN_POOL_OPTS();
	CHECK_EQ(shmchan_pool_open(&pool, NULL, &opts), -EINVAL);
	CHECK_EQ(shmchan_pool_open(&pool, test_name("none"), &opts), -ENOENT);
	opts.wait_ns = 10 * MS;
	CHECK_EQ(shmchan_pool_open(&pool, test_name("none"), &opts),
		 -ETIMEDOUT);
}

TEST(names_and_seats)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1, .nr_holders = 2,
		.classes = {{ 64, 2 }});
	struct shmchan_pool *owner = open_pool("seats", &opts), *h[2], *more;
	struct shmchan_spsc_opts sopts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER);
	struct shmchan_spsc ch;

	CHECK_EQ(shmchan_pool_open(&more, test_name("seats"), &opts), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "has an owner");
	opts.exclusive = 1;
	CHECK_EQ(shmchan_pool_open(&more, test_name("seats"), &opts), -EEXIST);
	h[0] = open_holder("seats");
	h[1] = open_holder("seats");
	opts = SHMCHAN_POOL_OPTS(.role = SHMCHAN_POOL_HOLDER);
	CHECK_EQ(shmchan_pool_open(&more, test_name("seats"), &opts), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "2 seats");
	CHECK_SAYS(shmchan_error_detail(), "holder");
	/* A pool is no channel, and a channel is no pool. */
	shmchan_pool_close(owner);
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("seats"), &sopts), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "pool");
	open_as(&ch, "channel", SHMCHAN_SENDER, 4096, 0);
	CHECK_EQ(shmchan_pool_open(&more, test_name("channel"), &opts),
		 -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "channel");
	shmchan_spsc_close(&ch);
	shmchan_pool_close(h[0]);
	shmchan_pool_close(h[1]);
	shmchan_pool_close(NULL);
}

TEST(dropped_once_and_by_whom_it_is)
{
	struct shmchan_pool *owner = open_owner("drop", 64, 3), *one, *two;
	struct shmchan_pool_buf a, b, c, copy, none = { 0 };
	struct shmchan_pool_ref ref;

	one = open_holder("drop");
	two = open_holder("drop");
	a = alloc_buf(owner, 64);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_pool_take(one, &ref, &b), 0);
	CHECK_EQ(shmchan_pool_take(one, &ref, &c), 0);
	/* Another's. */
	CHECK_EQ(shmchan_pool_drop(two, &b), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "not ours");
	copy = a;
	CHECK_EQ(shmchan_pool_drop(two, &copy), -EINVAL);
	/* Twice: by the buffer itself, which is cleared, and by a copy. */
	copy = b;
	CHECK_EQ(shmchan_pool_drop(one, &b), 0);
	CHECK_EQ(shmchan_pool_drop(one, &b), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "dropped already");
	CHECK_EQ(shmchan_pool_drop(one, &copy), -EINVAL);
	/* The cell is in use for the same again: it is not that one. */
	CHECK_EQ(shmchan_pool_take(one, &ref, &b), 0);
	CHECK_EQ(b.cell, copy.cell);
	CHECK_EQ(shmchan_pool_drop(one, &copy), -EINVAL);
	CHECK_EQ(shmchan_pool_ref(one, &copy, &ref), -EINVAL);
	CHECK_EQ(shmchan_pool_drop(one, &b), 0);
	CHECK_EQ(shmchan_pool_drop(one, &c), 0);
	/* The same of the owner's. */
	copy = a;
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &copy), -EINVAL);
	a = alloc_buf(owner, 64);
	CHECK_EQ(shmchan_pool_drop(owner, &copy), -EINVAL);
	CHECK_EQ(shmchan_pool_drop(owner, &none), -EINVAL);
	CHECK_EQ(shmchan_pool_drop(owner, NULL), -EINVAL);
	copy = a;
	copy.cell = 100000;
	CHECK_EQ(shmchan_pool_drop(owner, &copy), -EINVAL);
	shmchan_pool_close(one);
	shmchan_pool_close(two);
	shmchan_pool_close(owner);
}

TEST(wrong_role_and_wrong_end)
{
	struct shmchan_pool *owner = open_owner("role", 64, 1), *holder;
	struct shmchan_pool_buf a, b;
	struct shmchan_spsc tx, rx;

	holder = open_holder("role");
	open_as(&tx, "ends", SHMCHAN_SENDER, 4096, 0);
	open_as(&rx, "ends", SHMCHAN_RECEIVER, 4096, 0);
	CHECK_EQ(shmchan_pool_alloc(holder, 64, &a, -1), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "owner");
	a = alloc_buf(owner, 0);
	CHECK_EQ(a.length, 0);
	CHECK_EQ(shmchan_pool_send_spsc(owner, &rx, &a, 0, 0, 0), -EINVAL);
	CHECK_EQ(shmchan_pool_recv_spsc(holder, &tx, &b, NULL, 0), -EINVAL);
	CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL, MS), -ETIMEDOUT);
	/* No bytes are a record, too. */
	CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 9, 0, 0), 0);
	CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL, 0), 0);
	CHECK_EQ(b.length, 0);
	b.length = 65;
	CHECK_EQ(shmchan_pool_send_spsc(holder, &tx, &b, 9, 0, 0), -EINVAL);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, 0), -EINVAL);
	CHECK_EQ(shmchan_pool_take(holder, NULL, &a), -EINVAL);
	CHECK_EQ(shmchan_pool_alloc(NULL, 1, &a, 0), -EINVAL);
	CHECK_EQ(shmchan_pool_drop(NULL, &b), -EINVAL);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	CHECK_EQ(shmchan_pool_sent(holder, &tx.w, &a), -EINVAL);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

TEST(not_after_fork)
{
	struct shmchan_pool *owner = open_owner("fork", 64, 1);
	struct shmchan_pool_buf a, b;
	pid_t pid;

	a = alloc_buf(owner, 64);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_pool_drop(owner, &a), -EOWNERDEAD);
		CHECK_EQ(shmchan_pool_alloc(owner, 1, &b, 0), -EOWNERDEAD);
		shmchan_pool_close(owner);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	shmchan_pool_close(owner);
}

TEST_MAIN
