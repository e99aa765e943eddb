// SPDX-License-Identifier: GPL-2.0-only

/* Capabilities with ADMIN: whom the name lets in, seals, revoking. */

#include "access_fixture.h"
#include "region_fixture.h"

#define CHECK_REFUSED(ret, err, says)					\
	do {								\
		CHECK_EQ((ret), -(err));				\
		CHECK_SAYS(shmchan_error_detail(), (says));		\
	} while (0)

TEST(mode_and_owner)
{
	const char *name = test_name("mode");
	struct shmchan_region *r;
	struct shmchan_query q = { .size = 0 };
	int fd, weak;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = open_capability(name, SHMCHAN_RIGHT_ADMIN);
	weak = open_capability(name, RIGHTS_MEMBER);
	CHECK_EQ(shmchan_capability_chmod(fd, 0660), 0);
	/* Also as seen by who is in. */
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.mode, 0660);
	CHECK_REFUSED(shmchan_capability_chmod(fd, 0755), EINVAL,
		      "mode is 0755: only read and write bits");
	CHECK_REFUSED(shmchan_capability_chmod(weak, 0600), EACCES,
		      "takes the right admin; this capability of");
	CHECK_REFUSED(shmchan_capability_chown(fd, ~0U, ~0U), EINVAL,
		      "give one of them");
	if (!geteuid()) {
		CHECK_EQ(shmchan_capability_chown(fd, FIX_UID_A, FIX_UID_B), 0);
		CHECK_EQ(shmchan_region_query(r, &q), 0);
		CHECK_EQ(q.uid, FIX_UID_A);
		CHECK_EQ(q.gid, FIX_UID_B);
		CHECK_EQ(shmchan_capability_chown(fd, ~0U, FIX_UID_A), 0);
		CHECK_EQ(shmchan_region_query(r, &q), 0);
		CHECK_EQ(q.uid, FIX_UID_A);
		CHECK_EQ(q.gid, FIX_UID_A);
	}
	close(weak);
	close(fd);
	shmchan_region_close(r);
}

TEST(not_to_another_user)
{
	const char *name = test_name("given");
	struct shmchan_region *r;
	pid_t pid;
	int fd;

	KMOD_ONLY("no capabilities");
	NEEDS_ROOT();
	pid = child_fork();
	if (!pid) {
		become(FIX_UID_A);
		r = fix_create(name);
		fd = open_capability(name, SHMCHAN_RIGHT_ADMIN);
		CHECK_REFUSED(shmchan_capability_chown(fd, 0, ~0U), EPERM,
			      "CAP_CHOWN");
		CHECK_REFUSED(shmchan_capability_chown(fd, ~0U, 0), EPERM,
			      "is of user 1000");
		CHECK_EQ(shmchan_capability_chown(fd, FIX_UID_A, FIX_UID_A), 0);
		shmchan_region_close(r);
		child_done();
	}
	CHECK_CHILD_OK(pid);
}

TEST(sealed)
{
	const char *name = test_name("sealed");
	struct shmchan_region *r, *other;
	struct shmchan_query q = { .size = 0 };
	int fd, one;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = open_capability(name, SHMCHAN_RIGHT_ALL);
	one = open_capability(name, RIGHTS_MEMBER);
	CHECK_REFUSED(shmchan_capability_seal(fd, 0), EINVAL, "seals is 0");
	CHECK_REFUSED(shmchan_capability_seal(fd, 4), EINVAL, "or both");
	CHECK_REFUSED(shmchan_capability_seal(one, SHMCHAN_SEAL_MEMBERS),
		      EACCES, "takes the right admin");
	CHECK_EQ(shmchan_capability_seal(fd, SHMCHAN_SEAL_PUBLISH), 0);
	CHECK_REFUSED(shmchan_capability_publish(fd, "x", NULL), ECONNREFUSED,
		      "sealed against further names");
	CHECK_EQ(shmchan_capability_seal(fd, SHMCHAN_SEAL_MEMBERS), 0);
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	CHECK_EQ(q.seals, SHMCHAN_SEAL_MEMBERS | SHMCHAN_SEAL_PUBLISH);
	CHECK_REFUSED(shmchan_region_open(&other, name, NULL), ECONNREFUSED,
		      "nobody joins it any more");
	CHECK_REFUSED(shmchan_region_adopt(&other, one, NULL), ECONNREFUSED,
		      "nobody joins it any more");
	/* Who is in stays. */
	CHECK_EQ(shmchan_region_check(r), 0);
	close(one);
	close(fd);
	shmchan_region_close(r);
}

/* A member in a process of its own, until it is told ESTALE. */
static pid_t start_member(const char *name, uint32_t uid, uint32_t slot,
			  uint32_t *ready)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.any_owner = 1);
	pid_t pid = child_fork();
	struct shmchan_region *r;

	if (pid) {
		while (!shmchan_load_seq_cst(ready))
			sleep_ms(1);
		shmchan_store_seq_cst(ready, 0);
		return pid;
	}
	if (uid)
		become(uid);
	opts.slot = slot;
	CHECK_EQ(shmchan_region_open(&r, name, &opts), 0);
	shmchan_store_seq_cst(ready, 1);
	while (!shmchan_region_check(r))
		sleep_ms(1);
	CHECK_EQ(shmchan_region_check(r), -ESTALE);
	shmchan_region_close(r);
	child_done();
}

TEST(by_slot)
{
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	const char *name = test_name("slot");
	struct shmchan_member_info info;
	struct shmchan_revoked revoked;
	struct shmchan_region *r;
	pid_t pid;
	int fd;

	KMOD_ONLY("nobody can revoke");
	r = fix_create(name);
	fd = open_capability(name, SHMCHAN_RIGHT_ADMIN);
	CHECK_REFUSED(shmchan_capability_revoke_slot(fd, 2, 0, NULL), ESRCH,
		      "nobody holds slot 2");
	CHECK_REFUSED(shmchan_capability_revoke_slot(fd, 4, 0, NULL), EINVAL,
		      "should be below 4");
	pid = start_member(name, 0, 2, ready);
	CHECK_REFUSED(shmchan_capability_revoke_slot(fd, 2, 9, NULL), ESRCH,
		      "not held by generation 9: its holder now, or the last one, is generation 1");
	/* Who it is can be seen without joining. */
	CHECK_EQ(shmchan_capability_member(fd, 2, &info), 0);
	CHECK_EQ(info.current_holder.pid, pid);
	CHECK_EQ(info.current_holder.state, SHMCHAN_SLOT_LIVE);
	CHECK_EQ(shmchan_capability_revoke_slot(fd, 2, 1, &revoked), 0);
	CHECK_EQ(revoked.members, 1);
	CHECK_EQ(revoked.unjoined, 0);
	CHECK_CHILD_OK(pid);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, 2)),
		 SHMCHAN_SLOT_REVOKED);
	CHECK_EQ(shmchan_region_member(r, 2, &info), 0);
	CHECK_EQ(info.current_holder.state, SHMCHAN_SLOT_REVOKED);
	CHECK_REFUSED(shmchan_capability_revoke_slot(fd, 2, 1, NULL), ESRCH,
		      "slot 2");
	close(fd);
	/* By a member as well, but not itself. */
	CHECK_REFUSED(shmchan_capability_revoke_slot(shmchan_region_fd(r), 0, 0,
						     NULL), EINVAL,
		      "our own: close the region");
	pid = start_member(name, 0, 2, ready);
	CHECK_EQ(shmchan_capability_revoke_slot(shmchan_region_fd(r), 2, 0,
						NULL), 0);
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

TEST(by_user)
{
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	struct shmchan_region_opts opts = fix_opts();
	const char *name = test_name("uid");
	struct shmchan_revoked revoked;
	struct shmchan_region *r;
	pid_t a, b, c;
	int fd, weak;

	KMOD_ONLY("nobody can revoke");
	NEEDS_ROOT();
	umask(0);
	opts.mode = 0666;
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	fd = open_capability(name, SHMCHAN_RIGHT_ADMIN);
	weak = open_capability(name, RIGHTS_MEMBER);
	a = start_member(name, FIX_UID_A, 1, ready);
	b = start_member(name, FIX_UID_B, 2, ready);
	c = start_member(name, FIX_UID_A, 3, ready);
	CHECK_REFUSED(shmchan_capability_revoke_uid(weak, FIX_UID_A, NULL),
		      EACCES, "takes the right admin");
	CHECK_EQ(shmchan_capability_revoke_uid(fd, FIX_UID_A, &revoked), 0);
	CHECK_EQ(revoked.members, 2);
	CHECK_CHILD_OK(a);
	CHECK_CHILD_OK(c);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, 2)),
		 SHMCHAN_SLOT_LIVE);
	CHECK_EQ(shmchan_capability_revoke_uid(fd, FIX_UID_A, &revoked), 0);
	CHECK_EQ(revoked.members, 0);
	CHECK_REFUSED(shmchan_capability_revoke_uid(fd, ~0U, NULL), EINVAL,
		      "uid 4294967295");
	child_kill(b);
	close(weak);
	close(fd);
	shmchan_region_close(r);
}

/* Everything that came of it; and it cannot turn against where it comes from. */
TEST(what_came_of_it)
{
	struct shmchan_mint_opts admin = SHMCHAN_MINT_OPTS(
		.rights = SHMCHAN_RIGHT_ALL);
	const char *name = test_name("tree");
	struct shmchan_region *r, *mid, *leaf;
	struct shmchan_revoked revoked;
	struct shmchan_query q = { .size = 0 };
	int fd, one, two, three;

	KMOD_ONLY("nobody can revoke");
	r = fix_create(name);
	fd = open_capability(name, SHMCHAN_RIGHT_ALL);
	one = shmchan_capability_mint(fd, &admin);
	two = shmchan_capability_mint(one, &admin);
	three = shmchan_capability_mint(two, &admin);
	CHECK_GE(three, 0);
	CHECK_EQ(shmchan_region_adopt(&mid, one, NULL), 0);
	CHECK_EQ(shmchan_region_adopt(&leaf, two, NULL), 0);
	CHECK_REFUSED(shmchan_capability_revoke_slot(three, mid->slot, 0, NULL),
		      EPERM, "minted from that of the holder of slot 1");
	CHECK_EQ(shmchan_capability_revoke_slot(fd, mid->slot, 0, &revoked), 0);
	CHECK_EQ(revoked.members, 2);
	CHECK_EQ(revoked.unjoined, 1);
	CHECK_EQ(shmchan_region_check(mid), -ESTALE);
	CHECK_EQ(shmchan_region_check(leaf), -ESTALE);
	CHECK_EQ(shmchan_region_check(r), 0);
	CHECK_REFUSED(shmchan_capability_query(three, &q), ESTALE, "revoked");
	CHECK_REFUSED(shmchan_capability_mint(three, &admin), ESTALE,
		      "ask whoever gave it");
	CHECK_REFUSED(shmchan_region_adopt(&leaf, three, NULL), ESTALE,
		      "revoked");
	close(three);
	shmchan_region_close(mid);
	close(fd);
	shmchan_region_close(r);
}

TEST_MAIN
