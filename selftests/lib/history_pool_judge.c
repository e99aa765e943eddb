// SPDX-License-Identifier: GPL-2.0-only

/* The judge of pools' histories finds what is wrong, and nothing in what is not. */

#include "history_pool.h"

/* Actor 0 is an owner that is killed, at 30, and 1 a holder, at 60; 2 and 3 live. */
static const struct history_actor cast[] = {
	{ .killed = 30, .dead = 32 }, { .killed = 60, .dead = 62, .role = 1 },
	{ .dead = 90, .role = 2 }, { .dead = 90 },
};

/* Buffers 0 and 1; the nth get of an actor has the ticket n. */
#define KEY(n, lap)	((uint64_t)(n) << 32 | (lap))
#define ALLOC(at, who, b, n, lap, has)					\
	{ at, at + 1, who, POOL_ALLOC, b, 0, KEY(n, lap), has }
#define NONE(at, who)	{ at, at + 1, who, POOL_ALLOC, 0, -EAGAIN, 0, 0 }
#define TAKE(at, who, b, n, lap, has)					\
	{ at, at + 1, who, POOL_TAKE, b, 0, KEY(n, lap), has }
#define NOT(at, who, b, lap, err)					\
	{ at, at + 1, who, POOL_TAKE, b, err, KEY(0, lap), 0 }
#define DROP(at, who, b, n, lap, has)					\
	{ at, at + 1, who, POOL_DROP, b, 0, KEY(n, lap), has }
#define ASK(at, b, nr)	{ at, at + 1, 2, POOL_ASK, b, nr, 0, 0 }
#define SEND(at, who, b, n, lap, has)					\
	{ at, at + 1, who, POOL_SEND, b, 0, KEY(n, lap), has }
#define RECV(at, who, b, n, lap, has)					\
	{ at, at + 1, who, POOL_RECV, b, 0, KEY(n, lap), has }
#define CUT(at, who, op, b, key)	{ at, 0, who, op, b, 0, key, 0 }

#define JUDGE_BY(rules, says, ...)					\
	do {								\
		const struct history_event ev[] = { __VA_ARGS__ };	\
		HISTORY_EXPECT(ev, cast, pool_checker, &rules, says);	\
	} while (0)

TEST(the_judge_of_what_is_lent)
{
	static const struct pool_rules two = { .buffers = 2, .cells = 1 };

#define JUDGE(says, ...) JUDGE_BY(two, says, __VA_ARGS__)
	/* Two may have one; it comes again when none has it. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      DROP(5, 0, 0, 1, 0, 7), DROP(7, 1, 0, 1, 0, 7),
	      ALLOC(9, 0, 0, 2, 1, 8));
	JUDGE("was actor 1's from 4 on, and actor 0's from 8 on",
	      ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      DROP(5, 0, 0, 1, 0, 7), ALLOC(7, 0, 0, 2, 1, 8));
	JUDGE("was actor 1's from 4 on", ALLOC(1, 0, 0, 1, 0, 7),
	      TAKE(3, 1, 0, 1, 0, 7), ALLOC(35, 3, 0, 1, 1, 8));
	JUDGE("was actor 0's from 2 on", ALLOC(1, 0, 0, 1, 0, 7),
	      ALLOC(3, 0, 0, 2, 1, 8));
	/* What the dead had is free, an owner's and a holder's. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      ALLOC(63, 3, 0, 1, 1, 8));
	JUDGE("changed under actor 1, from 7 to 8", ALLOC(1, 0, 0, 1, 0, 7),
	      TAKE(3, 1, 0, 1, 0, 7), DROP(5, 1, 0, 1, 0, 8));
	JUDGE("and it had 8, not 7", ALLOC(1, 0, 0, 1, 0, 7),
	      TAKE(3, 1, 0, 1, 0, 8));
	JUDGE("which was not allocated", ALLOC(1, 0, 0, 1, 0, 7),
	      DROP(3, 0, 0, 1, 0, 7), TAKE(5, 1, 0, 1, 1, 7));
	JUDGE("could not drop", ALLOC(1, 0, 0, 1, 0, 7),
	      { 3, 4, 0, POOL_DROP, 0, -EINVAL, KEY(1, 0), 7 });
	JUDGE("not its own", { 3, 4, 0, POOL_AGAIN, 0, 0, 0, 0 });
	/* Stale, while nobody had it. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), DROP(3, 0, 0, 1, 0, 7),
	      NOT(5, 1, 0, 0, -ESTALE));
	JUDGE("actor 0 had it", ALLOC(1, 0, 0, 1, 0, 7),
	      NOT(3, 1, 0, 0, -ESTALE));
	JUDGE("actor 1 had it", ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      DROP(5, 0, 0, 1, 0, 7), NOT(7, 2, 0, 0, -ESTALE));
	JUDGE("was told -22", NOT(3, 1, 0, 0, -EINVAL));
	/* A holder has one cell here. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      NOT(5, 1, 0, 0, -ENOBUFS));
	JUDGE("had 0 buffers", ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      DROP(5, 1, 0, 1, 0, 7), NOT(7, 1, 0, 0, -ENOBUFS));
	/* None, when both are out; a holder that died may not be known to have. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), ALLOC(3, 0, 1, 2, 0, 8),
	      NONE(5, 0));
	JUDGE("nobody had buffer 1", ALLOC(1, 0, 0, 1, 0, 7), NONE(5, 0));
	JUDGE("nobody had buffer 0", ALLOC(1, 0, 0, 1, 0, 7),
	      ALLOC(3, 0, 1, 2, 0, 8), DROP(5, 0, 0, 1, 0, 7), NONE(7, 0));
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      ALLOC(33, 3, 1, 1, 0, 8), NONE(70, 3));
	JUDGE("nobody had buffer 0", ALLOC(1, 0, 0, 1, 0, 7),
	      ALLOC(33, 3, 1, 1, 0, 8), NONE(70, 3));
	JUDGE("nobody had buffer 0", ALLOC(1, 0, 0, 1, 0, 7),
	      TAKE(3, 1, 0, 1, 0, 7), ALLOC(63, 3, 0, 1, 1, 8),
	      DROP(65, 3, 0, 1, 1, 8), ALLOC(67, 3, 1, 2, 0, 9), NONE(70, 3));
	/* Who only looks whether it can be taken is in the way as well. */
	JUDGE(NULL, ALLOC(1, 0, 1, 1, 0, 7),
	      { 3, 8, 2, POOL_TAKE, 0, -ESTALE, 0, 0 }, NONE(5, 0));
	JUDGE(NULL, ALLOC(1, 0, 1, 1, 0, 7), CUT(29, 1, POOL_TAKE, 0, 0),
	      ALLOC(35, 3, 1, 1, 1, 8), NONE(37, 3));
	/* Who has it. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 0, 7), TAKE(3, 1, 0, 1, 0, 7),
	      ASK(5, 0, 1), ASK(7, 1, 0));
	JUDGE("0 had buffer 0 at 5: should be 1 to 1", ALLOC(1, 0, 0, 1, 0, 7),
	      TAKE(3, 1, 0, 1, 0, 7), ASK(5, 0, 0));
	JUDGE("1 had buffer 0 at 7: should be 0 to 0", ALLOC(1, 0, 0, 1, 0, 7),
	      TAKE(3, 1, 0, 1, 0, 7), DROP(5, 1, 0, 1, 0, 7), ASK(7, 0, 1));
#undef JUDGE
}

TEST(the_judge_of_what_is_given_away)
{
	static const struct pool_rules two = { .buffers = 2, .writable = 1 };

#define JUDGE(says, ...) JUDGE_BY(two, says, __VA_ARGS__)
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 1, 7), SEND(3, 0, 0, 1, 1, 8),
	      RECV(5, 2, 0, 1, 2, 8), DROP(7, 2, 0, 1, 2, 8),
	      ALLOC(9, 0, 0, 2, 3, 9));
	JUDGE("was actor 0's from 2 on, and actor 2's from 6 on",
	      ALLOC(1, 0, 0, 1, 1, 7), ALLOC(5, 2, 0, 1, 2, 8));
	/* What was sent is the receiver's, once. */
	JUDGE("was actor 2's from 6 on, and actor 0's from 8 on",
	      ALLOC(1, 0, 0, 1, 1, 7), SEND(3, 0, 0, 1, 1, 8),
	      RECV(5, 2, 0, 1, 2, 8), ALLOC(7, 0, 0, 2, 3, 9));
	JUDGE("came to actor 2 and to actor 1", ALLOC(1, 0, 0, 1, 1, 7),
	      SEND(3, 0, 0, 1, 1, 8), RECV(5, 2, 0, 1, 2, 8),
	      DROP(7, 2, 0, 1, 2, 8), RECV(9, 1, 0, 1, 3, 8));
	JUDGE("which was not sent", ALLOC(1, 0, 0, 1, 1, 7),
	      DROP(3, 0, 0, 1, 1, 7), RECV(5, 2, 0, 1, 2, 7));
	JUDGE("which was not sent", ALLOC(1, 0, 0, 1, 1, 7),
	      SEND(3, 0, 0, 1, 1, 8), RECV(5, 2, 1, 1, 2, 8));
	JUDGE("changed under actor 2", ALLOC(1, 0, 0, 1, 1, 7),
	      SEND(3, 0, 0, 1, 1, 8), RECV(5, 2, 0, 1, 2, 8),
	      DROP(7, 2, 0, 1, 2, 9));
	/* A send that failed leaves it with us, filled in anew. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 1, 7),
	      { 3, 4, 0, POOL_SEND, 0, -ETIMEDOUT, KEY(1, 1), 8 },
	      DROP(5, 0, 0, 1, 1, 8));
	/* Cut: it may be either's, and is nobody else's before the death. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 1, 7),
	      { 29, 0, 0, POOL_SEND, 0, 0, KEY(1, 1), 8 },
	      RECV(33, 2, 0, 1, 2, 8));
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 1, 7),
	      { 29, 0, 0, POOL_SEND, 0, 0, KEY(1, 1), 8 },
	      ALLOC(33, 2, 0, 1, 2, 9));
	/* None: what is under way is out. */
	JUDGE(NULL, ALLOC(1, 0, 0, 1, 1, 7), SEND(3, 0, 0, 1, 1, 8),
	      ALLOC(5, 2, 1, 1, 1, 9), NONE(7, 2));
	JUDGE("nobody had buffer 0", ALLOC(1, 0, 0, 1, 1, 7),
	      SEND(3, 0, 0, 1, 1, 8), RECV(5, 2, 0, 1, 2, 8),
	      DROP(7, 2, 0, 1, 2, 8), ALLOC(9, 2, 1, 2, 1, 9), NONE(11, 2));
	/* Who was killed in allocating may have any. */
	JUDGE(NULL, CUT(29, 0, POOL_ALLOC, 0, 0), ALLOC(33, 2, 1, 1, 1, 8),
	      NONE(35, 2));
	JUDGE("nobody had buffer 0", ALLOC(33, 2, 1, 1, 1, 8), NONE(35, 2));
#undef JUDGE
}

TEST_MAIN
