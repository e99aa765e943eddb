// SPDX-License-Identifier: GPL-2.0-only
/*
 * gdb itself, attached to a member.
 */

#include "../kselftest_harness.h"

#include "test_window.h"

/* Has gdb do it to a process; @out gets what it said.  Returns its status. */
static int gdb(pid_t pid, const char *commands, char *out, size_t size)
{
	char line[1024];
	size_t got;
	FILE *f;

	snprintf(line, sizeof(line), "gdb -nx --batch -p %d %s 2>&1", pid,
		 commands);
	f = popen(line, "re");
	if (!f)
		return -1;
	got = fread(out, 1, size - 1, f);
	out[got] = 0;
	return pclose(f);
}

/* gdb takes its time to start where each instruction is emulated. */
TEST_F_TIMEOUT(memory, gdb, 180)
{
	char commands[768], out[16384], file[64];
	long shared, own;
	char *dumped;
	FILE *f;

	if (system("command -v gdb >/dev/null 2>&1"))
		SKIP(return, "no gdb here");
	shared = peer_call(&self->peer, peer_map, 0, 0);
	ASSERT_LT(0, shared);
	own = peer_call(&self->peer, peer_where_own, 0, 0);

	snprintf(file, sizeof(file), "/tmp/%s.dump", layout.name);
	snprintf(commands, sizeof(commands),
		 "-ex 'x/4xb %#lx' -ex 'set var *(char *)%#lx = 66' "
		 "-ex 'dump binary memory %s %#lx %#lx' "
		 "-ex 'set var *(char *)%#lx = 67'",
		 own, shared + folio - 1, file, own, own + folio, own);
	EXPECT_NE(-1, gdb(self->peer.pid, commands, out, sizeof(out)));
	EXPECT_NE(NULL, strstr(out, "0x01\t0x02\t0x03\t0x04"))
		TH_LOG("%s", out);
	EXPECT_EQ(66, self->shared[folio - 1]);
	EXPECT_NE(NULL, strstr(out, "Cannot access memory"))
		TH_LOG("%s", out);
	EXPECT_TRUE(intact(self->own));

	dumped = malloc(folio);
	ASSERT_NE(NULL, dumped);
	f = fopen(file, "re");
	ASSERT_NE(NULL, f);
	EXPECT_EQ(folio, fread(dumped, 1, folio, f));
	EXPECT_TRUE(intact(dumped));
	fclose(f);
	unlink(file);
	free(dumped);
	/* Let go, the member goes on. */
	EXPECT_EQ(own, peer_call(&self->peer, peer_where_own, 0, 0));
}

TEST_HARNESS_MAIN
