// SPDX-License-Identifier: GPL-2.0-only
/*
 * <shmchan/stat.h>: a region is described as it is, from outside, and nobody
 * in it is disturbed.
 */

#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <shmchan/spsc.h>
#include <shmchan/stat.h>

static char name[32];

/* One sender of a channel of 64 KiB, this process. */
static void open_sender(struct shmchan_spsc *ch)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 65536,
		.mode = 0640);

	snprintf(name, sizeof(name), "test.%d.stat", (int)getpid());
	umask(022);
	CHECK_EQ(shmchan_spsc_open(ch, name, &opts), 0);
}

TEST(describes_memory_and_descriptors)
{
	struct shmchan_region_info *info;
	struct shmchan_spsc ch;

	open_sender(&ch);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, name), 0);
	CHECK_EQ(info->backend, ch.region->backend);
	CHECK(!strcmp(info->query.name, name));
	CHECK_EQ(info->nr_live, 1);
	CHECK_EQ(info->query.nr_slots, 2);
	CHECK_EQ(info->query.slot, SHMCHAN_SLOT_NONE);
	CHECK_EQ(info->query.data_size, 65536);
	CHECK_EQ(info->query.control_offset, ch.region->control_offset);
	CHECK_EQ(info->query.status_offset, ch.region->status_offset);
	CHECK_EQ(info->query.mode, 0640);
	CHECK_EQ(info->query.uid, geteuid());
	CHECK_EQ(info->query.create_flags, SHMCHAN_CREATE_SMALL);
	CHECK_EQ(info->query.data_folio_size, 4096);
	CHECK_EQ(info->query.nr_windows, 3);
	CHECK_EQ(info->windows[0].length, 65536);
	CHECK_EQ(info->windows[0].slot, 0);
	CHECK_EQ(info->windows[2].slot, 1);
	CHECK_EQ(info->query.nr_doorbells, 2);
	CHECK_EQ(info->doorbells[0].owner, 1);
	CHECK_EQ(info->doorbells[1].owner, 0);
	CHECK(info->inode);
	shmchan_region_info_free(info);
	shmchan_spsc_close(&ch);
}

TEST(tells_what_only_the_local_backend_can)
{
	struct shmchan_region_info *info;
	struct shmchan_spsc ch;

	open_sender(&ch);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, name), 0);
	if (info->backend == SHMCHAN_BACKEND_KMOD) {
		CHECK(!info->words && !info->bells && !info->header);
		/* We are the owner. */
		CHECK(info->members);
		CHECK_EQ(info->members[0].current_holder.pid, getpid());
		CHECK_EQ(info->members[0].current_holder.uid, geteuid());
		CHECK_EQ(info->members[1].current_holder.generation, 0);
	} else {
		CHECK(!info->extents && !info->extents_phys && !info->cgroup);
		CHECK_EQ(info->query.cgroup, 0);
		CHECK_EQ(info->query.charged_bytes, 0);
		CHECK_EQ(info->members[0].current_holder.pid, getpid());
		CHECK_EQ(info->members[0].current_holder.state,
			 SHMCHAN_SLOT_LIVE);
		CHECK_EQ(info->members[1].current_holder.generation, 0);
		CHECK_EQ(info->words[0],
			 1ULL << 32 | (uint64_t)SHMCHAN_SLOT_LIVE);
		CHECK_EQ(info->bells[1].waiters, 0);
		CHECK_EQ(info->header->magic, SHMCHAN_WIRE_MAGIC);
		CHECK_EQ(info->header->kind, SHMCHAN_WIRE_SPSC);
	}
	shmchan_region_info_free(info);
	shmchan_spsc_close(&ch);
}

TEST(tells_what_only_the_module_can)
{
	struct shmchan_region_info *info;
	struct shmchan_spsc ch;
	uint64_t end = 0;
	uint32_t i;

	KMOD_ONLY("a tmpfs does not tell where its memory lies");
	open_sender(&ch);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, name), 0);
	CHECK(info->extents);
	CHECK_EQ(info->extents_phys, !geteuid());
	for (i = 0; i < info->query.nr_extents; i++) {
		CHECK_EQ(info->extents[i].offset, end);
		CHECK_EQ(!!info->extents[i].phys, info->extents_phys);
		end += info->extents[i].length;
	}
	CHECK_EQ(end, info->query.data_size);
	CHECK_EQ(info->query.charged_uid, geteuid());
	CHECK_GT(info->query.charged_bytes, info->query.data_size);
	CHECK_EQ(info->query.numa_policy, SHMCHAN_NUMA_DEFAULT);
	shmchan_region_info_free(info);
	shmchan_spsc_close(&ch);
}

/* The receiver's slot stays as it was: never held. */
TEST(takes_no_slot)
{
	struct shmchan_region_info *info;
	struct shmchan_spsc ch;
	uint64_t word;
	int i;

	open_sender(&ch);
	word = shmchan_slot_word(ch.region, 1);
	for (i = 0; i < 10; i++) {
		CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO,
					     name), 0);
		shmchan_region_info_free(info);
	}
	CHECK_EQ(shmchan_slot_word(ch.region, 1), word);
	CHECK_EQ(SHMCHAN_SLOT_WORD_GEN(word), 0);
	shmchan_spsc_close(&ch);
	/* And it keeps nothing alive. */
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, name),
		 -ENOENT);
	CHECK(!info);
}

TEST(refuses_what_is_no_region)
{
	struct shmchan_region_info *info;

	CHECK_EQ(shmchan_region_stat(NULL, SHMCHAN_BACKEND_AUTO, "x"),
		 -EINVAL);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, NULL),
		 -EINVAL);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, "a/b"),
		 -EINVAL);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO,
				     "test.no.such.name"), -ENOENT);
	CHECK(strstr(shmchan_error_detail(), "test.no.such.name"));
	shmchan_region_info_free(NULL);
}

/* A folder of our own for the local backend. */
static char *own_dir(void)
{
	static char dir[] = "/dev/shm/test.XXXXXX";

	CHECK(mkdtemp(dir));
	CHECK_EQ(setenv("SHMCHAN_LOCAL_DIR", dir, 1), 0);
	CHECK_EQ(setenv("SHMCHAN_BACKEND", "local", 1), 0);
	CHECK(!strcmp(shmchan_local_dir(), dir));
	return dir;
}

TEST(refuses_files_that_are_damaged)
{
	struct shmchan_region_info *info;
	char *dir = own_dir(), path[64];
	char junk[3 * 4096];
	int fd;

	snprintf(path, sizeof(path), "%s/shmchan.junk", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_LOCAL, "junk"),
		 -EPROTO);
	memset(junk, 0x5a, sizeof(junk));
	CHECK_EQ(write(fd, junk, sizeof(junk)), (ssize_t)sizeof(junk));
	CHECK_EQ(shmchan_region_stat(&info, SHMCHAN_BACKEND_LOCAL, "junk"),
		 -EPROTO);
	CHECK(!info);
	close(fd);
	unlink(path);
	CHECK_EQ(symlink("/etc/passwd", path), 0);
	CHECK(shmchan_region_stat(&info, SHMCHAN_BACKEND_LOCAL, "junk") < 0);
	unlink(path);
	rmdir(dir);
}

static int count(const char *path, void *arg)
{
	note("stale: %s", path);
	++*(int *)arg;
	return 0;
}

TEST(finds_what_the_dead_have_left)
{
	char *dir = own_dir();
	struct shmchan_spsc ch;
	int ready[2], nr = 0;
	pid_t pid;
	char c;

	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		open_sender(&ch);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		pause();
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	/* Alive, it is not stale. */
	CHECK_EQ(shmchan_local_stale(count, &nr), 0);
	CHECK_EQ(nr, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_EQ(shmchan_local_stale(count, &nr), 0);
	CHECK_EQ(nr, 1);
	CHECK_EQ(shmchan_local_clean(), 1);
	nr = 0;
	CHECK_EQ(shmchan_local_stale(count, &nr), 0);
	CHECK_EQ(nr, 0);
	CHECK_EQ(rmdir(dir), 0);
}

TEST_MAIN
