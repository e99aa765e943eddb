// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who audits is told: who was let in or refused, what was done to whom, where;
 * and how members ended.
 */

#include "../kselftest_harness.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include "test_peer.h"

#define TRACING	"/sys/kernel/tracing/"

static struct layout layout;

FIXTURE(audit) {
	struct peer peer;
	int fd;
	unsigned long ipc_ns;
	char text[1 << 16];
};

FIXTURE_SETUP(audit)
{
	struct stat st;

	if (geteuid())
		SKIP(return, "needs root, to trace");
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "events/shmchan", F_OK))
		SKIP(return, "a kernel without tracepoints");
	umask(0);
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	layout.mode = 0644;
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, stat("/proc/self/ns/ipc", &st));
	self->ipc_ns = st.st_ino;
	ASSERT_EQ(0, write_text(TRACING "trace", ""));
	close(open(TRACING "trace", O_WRONLY | O_TRUNC));
	ASSERT_EQ(0, write_text(TRACING "events/shmchan/enable", "1"));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(audit)
{
	write_text(TRACING "events/shmchan/enable", "0");
	if (self->peer.pid)
		peer_kill(&self->peer);
}

static long open_rights(long rights, long b)
{
	(void)b;
	return open_region(layout.name, rights);
}

static long join_any(long fd, long b)
{
	(void)b;
	return join(fd, 2);
}

/* Is there a line of this task, event and beginning that has all the words? */
static bool line_has(const char *text, pid_t pid, const char *event,
		     const char *word1, const char *word2, const char *word3)
{
	char start[64], line[512];
	const char *p;
	size_t len;

	snprintf(start, sizeof(start), "-%d ", pid);
	for (p = text; *p; p += len + !!p[len]) {
		len = strcspn(p, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, p);
		if (strstr(line, start) && strstr(line, event) &&
		    strstr(line, word1) && strstr(line, word2) &&
		    strstr(line, word3))
			return true;
	}
	return false;
}

#define expect_line(pid, event, w1, w2, w3) do {			\
	ASSERT_LT(0, read_text(TRACING "trace", self->text,		\
			       sizeof(self->text)));			\
	EXPECT_TRUE(line_has(self->text, pid, event, w1, w2, w3))	\
		TH_LOG("no \"%s ... %s ... %s\" by %d in:\n%s", event, w1, w2, \
		       pid, self->text);				\
} while (0)

TEST_F(audit, who_what_where)
{
	pid_t me = getpid(), them = self->peer.pid;
	char ns[32], name[64], mint_rights[32];
	long fd;

	snprintf(ns, sizeof(ns), "ipc_ns=%lu ", self->ipc_ns);
	snprintf(name, sizeof(name), "name=%s", layout.name);
	expect_line(me, "shmchan_access: create", "ret=0 uid=0 ", ns, name);
	expect_line(me, "shmchan_access: join", "object=0x0 ", name, "slot=0");

	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_rights,
				     SHMCHAN_RIGHT_MAP_WRITE, 0));
	expect_line(them, "shmchan_refused: open", "object=0x2 ret=-13 uid=1000 ",
		    ns, name);
	fd = peer_call(&self->peer, open_rights, SHMCHAN_RIGHT_MAP_READ, 0);
	ASSERT_LE(0, fd);
	expect_line(them, "shmchan_access: open", "object=0x1 ret=0 uid=1000 ",
		    ns, name);
	ASSERT_EQ(1, peer_call(&self->peer, join_any, fd, 0));
	expect_line(them, "shmchan_access: join", "uid=1000 ", name, "slot=2");
	EXPECT_EQ(-EACCES, peer_call(&self->peer, peer_ring, fd, BELL_SHARED));
	expect_line(them, "shmchan_refused: ring", "object=0x5 ret=-13 ",
		    "rights=0x1 ", "slot=2");

	EXPECT_EQ(EACCES, map_error(self->fd, control_at(&layout, FOLIO_FOREIGN),
				    PAGE, PROT_READ | PROT_WRITE, MAP_SHARED));
	expect_line(me, "shmchan_refused: mmap", "ret=-13 ", name, "slot=0");
	EXPECT_LE(0, mint(self->fd, SHMCHAN_RIGHT_RING));
	snprintf(mint_rights, sizeof(mint_rights), "object=%#x ",
		 SHMCHAN_RIGHT_RING);
	expect_line(me, "shmchan_access: mint", mint_rights, name, "slot=0");
	EXPECT_EQ(0, publish(self->fd, "audit-2", 0600,
			     SHMCHAN_RIGHT_MAP_READ));
	expect_line(me, "shmchan_access: publish", "object=0x1 ",
		    "name=audit-2 ", ns);
	EXPECT_EQ(0, withdraw(self->fd, "audit-2"));
	expect_line(me, "shmchan_access: withdraw", "ret=0 ", "name=audit-2 ",
		    ns);
	EXPECT_EQ(0, set_mode(self->fd, 0640));
	expect_line(me, "shmchan_access: setattr", "object=0x1a0 ", name, ns);
	EXPECT_EQ(1, revoke_slot(self->fd, 2, 0));
	expect_line(me, "shmchan_access: revoke", "object=0x2 ", name, "slot=0");
	expect_line(me, "shmchan_end: revoked", "slot=2 generation=1 ",
		    "uid=1000 ", name);
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, peer_ring, fd, BELL_SHARED));
	expect_line(them, "shmchan_refused: ring", "ret=-116 ", name, "slot=2");
	EXPECT_EQ(0, seal(self->fd, SHMCHAN_SEAL_MEMBERS));
	expect_line(me, "shmchan_access: seal", "object=0x1 ", name, ns);
	EXPECT_EQ(-ECONNREFUSED, open_joined(layout.name, 1));
	expect_line(me, "shmchan_refused: join", "ret=-111 ", name, ns);
	EXPECT_EQ(0, leave(self->fd));
	expect_line(me, "shmchan_end: left", "slot=0 generation=1 ", "uid=0 ",
		    name);
}

TEST_HARNESS_MAIN
