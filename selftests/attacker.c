// SPDX-License-Identifier: GPL-2.0-only
/*
 * An attacker that knows everything and tries everything: to write, ring, wait,
 * stall or learn beyond its rights.
 *
 * A route is a way to attack, and makes an attempt for each role that takes it,
 * on each target.  After each the referee looks at what counts: the victim's
 * bytes, doorbells, sleepers, names and secrets, and not only at the error.
 * docs/attacks.md has the list; `attacker --markdown` prints it from the tables
 * here, and `attacker --list` each attempt.
 */

#include "../kselftest_harness.h"

#include "attack_referee.h"

#include "attack_calls.h"
#include "attack_memory.h"
#include "attack_copies.h"
#include "attack_files.h"
#include "attack_names.h"
#include "attack_process.h"
#include "attack_ended.h"
#include "attack_io.h"
#include "attack_learn.h"
#include "attack_stall.h"
#include "attack_pins.h"

#define TOPIC(_name, _is, _families)					\
	{ .name = (_name), .is = (_is), .families = (_families),	\
	  .nr = COUNT(_families) }

/* What works. */
#define WORKS(_name, _is, _families)					\
	{ .name = (_name), .is = (_is), .families = (_families),	\
	  .nr = COUNT(_families), .works = true }

static const struct topic topics[] = {
	TOPIC("calls", "the module's own calls, by everybody, on everything",
	      call_families),
	TOPIC("memory", "all that can be done to a mapping", memory_families),
	TOPIC("copies", "the kernel writes in the attacker's stead",
	      copy_families),
	TOPIC("files", "all that can be done to a file", file_families),
	TOPIC("names", "names, namespaces, users, and the module as such",
	      name_families),
	TOPIC("process", "the victim as a process", process_families),
	TOPIC("ended", "by those who were members", ended_families),
	TOPIC("passing", "by those who have a member's file or mappings",
	      passing_families),
	TOPIC("io", "pages in other hands", io_families),
	TOPIC("learn", "what nobody has told", learn_families),
	TOPIC("stall", "holding others up", stall_families),
	WORKS("ptrace", "by the victim's user, while the victim is dumpable",
	      ptrace_families),
	WORKS("pins", "by members that may read or write a page", pin_families),
};

static void add_attempt(const struct attempt *a)
{
	if (!(a->route->roles >> a->role & 1) ||
	    !(a->route->targets >> a->target & 1))
		return;
	if (nr_attempts == MAX_ATTEMPTS) {
		fprintf(stderr, "attacker: more than %u attempts\n",
			MAX_ATTEMPTS);
		exit(1);
	}
	attempts[nr_attempts++] = *a;
}

/* All attempts, from the tables. */
static void expand_routes(void)
{
	struct attempt a;
	const struct topic *t;

	for (t = topics; t < topics + COUNT(topics); t++)
		for (a.family = t->families; a.family < t->families + t->nr;
		     a.family++)
			for (a.route = a.family->routes;
			     a.route < a.family->routes + a.family->nr;
			     a.route++)
				for (a.role = 0; a.role < NR_ROLES; a.role++)
					for (a.target = 0;
					     a.target < NR_TARGETS; a.target++) {
						a.topic = t;
						add_attempt(&a);
					}
}

struct counts {
	unsigned int attempts;
	unsigned int may;	/* what is allowed */
	unsigned int not_here;	/* what this kernel has not */
};

/* On either kind of data folios. */
FIXTURE(attack) {
	struct counts nr;
};

FIXTURE_VARIANT(attack) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(attack, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(attack, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_SETUP(attack)
{
	const char *wrong;

	if (geteuid())
		SKIP(return, "it takes root to be everybody");
	wrong = set_scene(variant->flags);
	ASSERT_EQ(NULL, wrong)
		TH_LOG("%s", wrong);
}

FIXTURE_TEARDOWN(attack)
{
	clear_arena();
}

/* Where it makes no difference. */
FIXTURE(attack_once) {
	struct counts nr;
};

FIXTURE_SETUP(attack_once)
{
	const char *wrong;

	if (geteuid())
		SKIP(return, "it takes root to be everybody");
	wrong = set_scene(SHMCHAN_CREATE_SMALL);
	ASSERT_EQ(NULL, wrong)
		TH_LOG("%s", wrong);
}

FIXTURE_TEARDOWN(attack_once)
{
	clear_arena();
}

/* What is of 2 MiB is other memory; the rest is tried once. */
static bool is_huge_too(const struct attempt *a)
{
	return (ALL_OF(OWN) | ALL_OF(VICTIM) | ALL_OF(NOBODY) |
		ALL_OF(VACANT) | ALL_OF(COMMON) | ALL_OF(DMABUF)) >>
	       a->target & 1;
}

/* Is it an attempt, or what somebody may do? */
static bool is_attempt(const struct attempt *a)
{
	return !a->topic->works && a->role != ROLE_VICTIM &&
	       wanted(a) != NOT_TRIED && !(a->route->wanted && !wanted(a));
}

#define run_topic(which) do {						\
	const struct attempt *_a;					\
	const char *_wrong;						\
	uint64_t _start = now_ns();					\
	unsigned int _i;						\
	bool _may;							\
									\
	for (_i = 0; _i < nr_attempts; _i++) {				\
		_a = &attempts[_i];					\
		if (strcmp(_a->topic->name, which) ||			\
		    wanted(_a) == NOT_TRIED ||				\
		    (!scene->flags && !is_huge_too(_a)))		\
			continue;					\
		_wrong = NULL;						\
		if (_a->route->flags & PROVEN)				\
			_wrong = prove_attempt(_i);			\
		_may = !is_attempt(_a);					\
		if (!_wrong && !not_here[_i])				\
			_wrong = run_attempt(_i, _may);			\
		EXPECT_EQ(NULL, _wrong)					\
			TH_LOG("%s %s", attempt_name(_a), _wrong);	\
		if (not_here[_i])					\
			self->nr.not_here++;				\
		else if (_may)						\
			self->nr.may++;					\
		else							\
			self->nr.attempts++;					\
	}								\
	_wrong = all_harm();						\
	EXPECT_EQ(NULL, _wrong)						\
		TH_LOG("afterwards %s", _wrong);			\
	_wrong = live_on();						\
	EXPECT_EQ(NULL, _wrong)						\
		TH_LOG("afterwards %s", _wrong);			\
	ksft_print_msg("%s: %u attempts, and %u that are allowed; %u not here; %u ms\n",\
		       which, self->nr.attempts, self->nr.may,		\
		       self->nr.not_here,				\
		       ms_since(_start));				\
} while (0)

TEST_F_TIMEOUT(attack, calls, 240)
{
	run_topic("calls");
}

TEST_F_TIMEOUT(attack, memory, 240)
{
	run_topic("memory");
}

TEST_F_TIMEOUT(attack, copies, 240)
{
	run_topic("copies");
}

TEST_F_TIMEOUT(attack_once, files, 240)
{
	run_topic("files");
}

TEST_F_TIMEOUT(attack_once, names, 240)
{
	run_topic("names");
}

TEST_F_TIMEOUT(attack_once, process, 240)
{
	run_topic("process");
}

TEST_F_TIMEOUT(attack, ended, 240)
{
	run_topic("ended");
}

TEST_F_TIMEOUT(attack, passing, 240)
{
	run_topic("passing");
}

TEST_F_TIMEOUT(attack, io, 240)
{
	run_topic("io");
}

TEST_F_TIMEOUT(attack_once, learn, 240)
{
	run_topic("learn");
}

TEST_F_TIMEOUT(attack_once, stall, 240)
{
	run_topic("stall");
}

/* The victim's window as it was, as far as the referee knows. */
static void mend_victim(void)
{
	peer_call(&arena.victim, victim_mend, 0, 0);
	remember_window(WINDOW_VICTIM);
}

/*
 * What docs/security.md says of ptrace is true: with the right to it all that
 * the victim can do can be done, and without it nothing.
 */
TEST_F_TIMEOUT(attack_once, ptrace, 240)
{
	const struct attempt *a;
	unsigned int i;
	char scope[8];
	bool written;
	long ret;

	if (read_text("/proc/sys/kernel/yama/ptrace_scope", scope,
		      sizeof(scope)) > 0 && scope[0] != '0')
		SKIP(return, "Yama forbids what is to be shown");
	ASSERT_EQ(0, peer_call(&arena.victim, victim_dumpable, 1, 0));
	for (i = 0; i < nr_attempts; i++) {
		a = &attempts[i];
		if (strcmp(a->topic->name, "ptrace"))
			continue;
		ret = only_attempt(i);
		/* Whatever it has to say: it was a debugger for a while. */
		written = window_harmed(WINDOW_VICTIM, LOOK);
		if (a->role == ROLE_STRANGER ||
		    a->family->routes == not_ptrace_routes) {
			EXPECT_GT(0, ret)
				TH_LOG("%s", attempt_name(a));
			EXPECT_FALSE(written)
				TH_LOG("%s", attempt_name(a));
			EXPECT_EQ(NULL, loot_harms(a))
				TH_LOG("%s", attempt_name(a));
		} else {
			EXPECT_LE(0, ret)
				TH_LOG("%s: %ld", attempt_name(a), ret);
			EXPECT_TRUE(a->family->routes == ptrace_write_routes ?
				    written : loot_harms(a) != NULL)
				TH_LOG("%s", attempt_name(a));
		}
		mend_victim();
	}
}

/* What docs/attacks.md says of pins is true as well. */
TEST_F_TIMEOUT(attack, pins, 240)
{
	const struct attempt *a;
	unsigned int i;
	long ret;

	for (i = 0; i < nr_attempts; i++) {
		a = &attempts[i];
		if (strcmp(a->topic->name, "pins"))
			continue;
		ret = only_attempt(i);
		/* Some kernels take no fixed buffers of files. */
		if (ret == -ENOSYS)
			continue;
		EXPECT_LT(0, ret)
			TH_LOG("%s: %ld", attempt_name(a), ret);
		if (a->family->routes == write_own_routes)
			EXPECT_NE(NULL, window_harmed(roles[a->role].window,
						      LOOK));
		/* Never more than that. */
		EXPECT_EQ(NULL, all_harm())
			TH_LOG("%s", attempt_name(a));
		stop_role(a->role);
		EXPECT_TRUE(eventually(!live_on()))
			TH_LOG("%s", attempt_name(a));
	}
}

/* The program that a member has become by execve(). */
static int execed_main(char **argv)
{
	struct peer_order order;
	long answer = 0;

	peer_sock = atoi(argv[2]);
	scene = mmap(NULL, sizeof(*scene), RW, MAP_SHARED, atoi(argv[3]), 0);
	me.role = ROLE_EXECED;
	me.fd = atoi(argv[4]);
	me.dev = atoi(argv[5]);
	me.ipc = atoi(argv[6]);
	me.disk = atoi(argv[7]);
	me.dmabuf = atoi(argv[8]);
	me.exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		if (send(peer_sock, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			break;
		if (recv(peer_sock, &order, sizeof(order), 0) != sizeof(order))
			break;
		/* Its functions may be elsewhere; it is asked for one alone. */
		answer = serve_attempt(order.a, order.b);
	} while (true);
	return 0;
}

static int list_attempts(void)
{
	unsigned int i;

	for (i = 0; i < nr_attempts; i++)
		if (is_attempt(&attempts[i]))
			printf("%s: %s\n", attempts[i].topic->name,
			       attempt_name(&attempts[i]));
	return 0;
}

static unsigned int count_attempts(const struct route *r)
{
	unsigned int i, nr = 0;

	for (i = 0; i < nr_attempts; i++)
		nr += attempts[i].route == r && is_attempt(&attempts[i]);
	return nr;
}

/* Some are in the table more than once, for other roles. */
static bool is_told(const struct family *f, const struct route *r)
{
	const struct route *before;

	for (before = f->routes; before < r; before++)
		if (!strcmp(before->name, r->name))
			return true;
	return false;
}

static void print_family(const struct family *f, bool works)
{
	const struct route *r;
	unsigned int nr = 0;

	printf("| *%s*: ", f->name);
	for (r = f->routes; r < f->routes + f->nr; r++) {
		nr += count_attempts(r);
		if (!is_told(f, r))
			printf("%s%s", r == f->routes ? "" : ", ", r->name);
	}
	printf(" | %s | %s |", f->tries, f->why);
	if (!works)
		printf(" %u |", nr);
	printf("\n");
}

static void print_topic(const struct topic *t)
{
	unsigned int i;

	printf("\n### %s: %s\n\n", t->name, t->is);
	if (t->works)
		printf("| routes | what is done | why it works |\n"
		       "|---|---|---|\n");
	else
		printf("| routes | what is tried | why it fails | attempts |\n"
		       "|---|---|---|---|\n");
	for (i = 0; i < t->nr; i++)
		print_family(&t->families[i], t->works);
}

/* The tables of docs/attacks.md. */
static int print_markdown(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < nr_attempts; i++)
		nr += is_attempt(&attempts[i]);
	printf("%u attempts.\n\n", nr);
	printf("| role | who that is |\n|---|---|\n");
	for (i = ROLE_VICTIM + 1; i < NR_ROLES; i++)
		printf("| %s | %s |\n", roles[i].name, roles[i].is);
	printf("\n## What fails\n");
	for (i = 0; i < COUNT(topics); i++)
		if (!topics[i].works)
			print_topic(&topics[i]);
	printf("\n## What works\n");
	for (i = 0; i < COUNT(topics); i++)
		if (topics[i].works)
			print_topic(&topics[i]);
	return 0;
}

/* The harness's main(), under another name. */
#define main run_tests
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	expand_routes();
	if (argc == 9 && !strcmp(argv[1], "--execed"))
		return execed_main(argv);
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_attempts();
	if (argc == 2 && !strcmp(argv[1], "--markdown"))
		return print_markdown();
	return run_tests(argc, argv);
}
