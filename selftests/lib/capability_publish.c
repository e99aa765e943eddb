// SPDX-License-Identifier: GPL-2.0-only

/* Capabilities: further names, in this IPC namespace and in another. */

#include <sched.h>

#include "access_fixture.h"
#include "region_fixture.h"

#define CHECK_REFUSED(ret, err, says)					\
	do {								\
		CHECK_EQ((ret), -(err));				\
		CHECK_SAYS(shmchan_error_detail(), (says));		\
	} while (0)

struct found {
	const char *name;
	struct shmchan_list_entry entry;
};

static int find(const struct shmchan_list_entry *entry, void *arg)
{
	struct found *f = (struct found *)arg;

	if (strcmp(entry->name, f->name) != 0)
		return 0;
	f->entry = *entry;
	return 1;
}

static int listed(const char *name, struct shmchan_list_entry *entry)
{
	struct found f = { .name = name };
	int ret = shmchan_region_list(SHMCHAN_BACKEND_AUTO, find, &f);

	CHECK_GE(ret, 0);
	if (entry)
		*entry = f.entry;
	return ret;
}

TEST(a_further_name)
{
	struct shmchan_publish_opts opts = SHMCHAN_PUBLISH_OPTS(
		.mode = 0640, .rights = RIGHTS_READ);
	struct shmchan_open_opts all = SHMCHAN_OPEN_OPTS();
	struct shmchan_open_opts ro = SHMCHAN_OPEN_OPTS(.rights = RIGHTS_READ);
	char name[64], other[64];
	struct shmchan_list_entry entry;
	struct shmchan_region *r, *reader;
	struct shmchan_query q = { .size = 0 };
	int fd;

	KMOD_ONLY("no capabilities");
	umask(0);
	strcpy(name, test_name("first"));
	strcpy(other, test_name("second"));
	r = fix_create(name);
	fd = open_capability(name, SHMCHAN_RIGHT_ALL);
	CHECK_EQ(shmchan_capability_publish(fd, other, &opts), 0);
	CHECK_EQ(listed(other, &entry), 1);
	CHECK_EQ(entry.flags, SHMCHAN_NAME_PUBLISHED);
	CHECK_EQ(entry.mode, 0640);
	CHECK_EQ(listed(name, &entry), 1);
	CHECK_EQ(entry.flags, 0);
	/* It gives what it was published with, to anybody. */
	CHECK_REFUSED(shmchan_region_open(&reader, other, &all), EACCES,
		      "published with less");
	CHECK_EQ(shmchan_region_open(&reader, other, &ro), 0);
	CHECK_EQ(reader->rights, RIGHTS_READ);
	CHECK_EQ(shmchan_region_query(reader, &q), 0);
	CHECK_STR(q.name, name);
	CHECK_EQ(shmchan_capability_withdraw(fd, other), 0);
	CHECK_EQ(listed(other, NULL), 0);
	/* Who is in stays. */
	CHECK_EQ(shmchan_region_check(reader), 0);
	CHECK_REFUSED(shmchan_capability_withdraw(fd, other), ENOENT,
		      "no name of this region");
	shmchan_region_close(reader);

	/* As it is: 0600, and what a member needs. */
	CHECK_EQ(shmchan_capability_publish(fd, other, NULL), 0);
	CHECK_EQ(listed(other, &entry), 1);
	CHECK_EQ(entry.mode, 0600);
	CHECK_EQ(shmchan_region_open(&reader, other, &all), 0);
	CHECK_EQ(reader->rights, RIGHTS_MEMBER);
	shmchan_region_close(reader);
	close(fd);
	/* It went with what published it, but for members of this namespace. */
	CHECK_EQ(listed(other, NULL), 1);
	shmchan_region_close(r);
	CHECK_EQ(listed(other, NULL), 0);
}

TEST(all_of_them)
{
	const char *name = test_name("all");
	struct shmchan_region *r;
	int fd, weak, i;
	char other[64];

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = open_capability(name, SHMCHAN_RIGHT_ALL);
	for (i = 0; i < SHMCHAN_MAX_NAMES - 1; i++) {
		snprintf(other, sizeof(other), "%.40s.%d", name, i);
		CHECK_EQ(shmchan_capability_publish(fd, other, NULL), 0);
	}
	CHECK_REFUSED(shmchan_capability_publish(fd, "one.more", NULL), EMLINK,
		      "64 names");
	weak = open_capability(name, RIGHTS_MEMBER | SHMCHAN_RIGHT_PUBLISH);
	CHECK_REFUSED(shmchan_capability_withdraw(weak, other), EACCES,
		      "takes the right admin");
	CHECK_REFUSED(shmchan_capability_withdraw_all(weak), EACCES,
		      "takes the right admin");
	CHECK_EQ(shmchan_capability_withdraw_all(fd), SHMCHAN_MAX_NAMES - 1);
	CHECK_EQ(shmchan_capability_withdraw_all(fd), 0);
	CHECK_EQ(listed(other, NULL), 0);
	CHECK_EQ(listed(name, NULL), 1);
	close(weak);
	close(fd);
	shmchan_region_close(r);
}

TEST(bad_input)
{
	struct shmchan_publish_opts execute = SHMCHAN_PUBLISH_OPTS(
		.mode = 0700);
	struct shmchan_publish_opts more = SHMCHAN_PUBLISH_OPTS(
		.rights = SHMCHAN_RIGHT_ADMIN | SHMCHAN_RIGHT_MAP_READ);
	struct shmchan_publish_opts odd = SHMCHAN_PUBLISH_OPTS(.rights = 64);
	const char *name = test_name("bad");
	struct shmchan_region *r;
	int fd, weak;

	KMOD_ONLY("no capabilities");
	r = fix_create(name);
	fd = open_capability(name, RIGHTS_MEMBER | SHMCHAN_RIGHT_PUBLISH);
	weak = open_capability(name, RIGHTS_MEMBER);
	CHECK_REFUSED(shmchan_capability_publish(weak, "other", NULL), EACCES,
		      "takes the right publish; this capability of");
	CHECK_REFUSED(shmchan_capability_publish(fd, NULL, NULL), EINVAL,
		      "no name");
	CHECK_REFUSED(shmchan_capability_publish(fd, "a b", NULL), EINVAL,
		      "A-Z");
	CHECK_REFUSED(shmchan_capability_publish(fd, "other", &execute),
		      EINVAL, "mode is 0700");
	CHECK_REFUSED(shmchan_capability_publish(fd, "other", &odd), EINVAL,
		      "rights is 0x40");
	CHECK_REFUSED(shmchan_capability_publish(fd, "other", &more), EACCES,
		      "rights has admin, which this capability has not");
	CHECK_REFUSED(shmchan_capability_publish(fd, name, NULL), EEXIST,
		      "is taken");
	CHECK_REFUSED(shmchan_capability_withdraw(fd, NULL), EINVAL, "no name");
	close(weak);
	close(fd);
	shmchan_region_close(r);
}

/* How a region gets into a container. */
TEST(in_another_namespace)
{
	struct shmchan_mint_opts lend = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_READ | SHMCHAN_RIGHT_PUBLISH);
	struct shmchan_open_opts ro = SHMCHAN_OPEN_OPTS(.rights = RIGHTS_READ);
	const char *name = test_name("here");
	struct shmchan_region *r, *there;
	uint32_t *step = (uint32_t *)shared_alloc(4096);
	int sock[2], fd;
	pid_t pid;

	KMOD_ONLY("no capabilities");
	NEEDS_ROOT();
	socket_pair(sock);
	r = fix_create(name);
	shmchan_store_seq_cst(fix_word(r, 0), 42);
	pid = child_fork();
	if (!pid) {
		CHECK(!unshare(CLONE_NEWIPC));
		CHECK_EQ(listed(name, NULL), 0);
		fd = shmchan_capability_receive(sock[1]);
		CHECK_GE(fd, 0);
		CHECK_EQ(shmchan_capability_publish(fd, "there", NULL), 0);
		CHECK_EQ(shmchan_region_open(&there, "there", &ro), 0);
		CHECK_EQ(shmchan_load_seq_cst(fix_word(there, 0)), 42);
		shmchan_store_seq_cst(step, 1);
		while (shmchan_load_seq_cst(step) == 1)
			sleep_ms(1);
		/* The owner has withdrawn it, and revoked who got in by it. */
		CHECK_EQ(listed("there", NULL), 0);
		CHECK_EQ(shmchan_region_check(there), -ESTALE);
		CHECK_REFUSED(shmchan_capability_publish(fd, "again", NULL),
			      ECONNREFUSED, "sealed against further names");
		shmchan_region_close(there);
		child_done();
	}
	fd = open_capability(name, SHMCHAN_RIGHT_ALL);
	CHECK_GE(fd, 0);
	lend.data = NULL;
	CHECK_EQ(shmchan_capability_send(sock[0],
			shmchan_capability_mint(fd, &lend)), 0);
	while (!shmchan_load_seq_cst(step))
		sleep_ms(1);
	CHECK_EQ(listed("there", NULL), 0);
	CHECK_EQ(shmchan_capability_withdraw_all(fd), 1);
	CHECK_EQ(shmchan_capability_seal(fd, SHMCHAN_SEAL_PUBLISH), 0);
	CHECK_EQ(shmchan_capability_revoke_slot(fd, 1, 0, NULL), 0);
	shmchan_store_seq_cst(step, 2);
	CHECK_CHILD_OK(pid);
	close(fd);
	shmchan_region_close(r);
}

TEST_MAIN
