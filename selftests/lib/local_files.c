// SPDX-License-Identifier: GPL-2.0-only

/* The files of local regions: left behind, foreign, damaged, too big. */

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

#include "region_fixture.h"

static const char *dir(void)
{
	const char *env = getenv("SHMCHAN_LOCAL_DIR");

	return env ? env : "/dev/shm";
}

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/shmchan.%s", dir(), name);
	return path;
}

static int exists(const char *name)
{
	struct stat st;

	return !lstat(path_of(name), &st);
}

/* Leave a region's file behind, as a killed process does. */
static void leave_behind(const char *name)
{
	pid_t pid = child_fork();

	if (!pid) {
		fix_create(name);
		_exit(0);
	}
	CHECK_CHILD_OK(pid);
	CHECK(exists(name));
}

static int seen_it(const struct shmchan_list_entry *entry, void *arg)
{
	return !strcmp(entry->name, (const char *)arg);
}

static int listed(const char *name)
{
	return shmchan_region_list(SHMCHAN_BACKEND_LOCAL, seen_it,
				   (void *)(uintptr_t)name);
}

TEST(file_goes_with_the_last_member)
{
	const char *name = test_name("last");
	struct shmchan_region *r, *r2;

	LOCAL_ONLY("has no files");
	r = fix_create(name);
	CHECK(exists(name));
	r2 = fix_open(name, 1);
	shmchan_region_close(r);
	CHECK(exists(name));
	shmchan_region_close(r2);
	CHECK(!exists(name));
}

TEST(what_the_dead_left)
{
	const char *name = test_name("dead");
	struct shmchan_region *r;

	LOCAL_ONLY("nothing is left behind");
	leave_behind(name);
	CHECK(!listed(name));
	CHECK(exists(name));
	/* The next opener removes it, */
	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
	CHECK(!exists(name));
	/* the next creator replaces it, */
	leave_behind(name);
	r = fix_create(name);
	CHECK_EQ(r->generation, 1);
	CHECK(listed(name));
	shmchan_region_close(r);
	/* and so does cleaning, which leaves the living alone. */
	leave_behind(name);
	r = fix_create(test_name("alive"));
	CHECK_GE(shmchan_local_clean(), 1);
	CHECK(!exists(test_name("dead")));
	CHECK(exists(test_name("alive")));
	CHECK_EQ(shmchan_bell_ring(r, 1, 0), 0);
	shmchan_region_close(r);
}

TEST(stale_file_of_another_user)
{
	const char *name = test_name("sticky");
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r;
	struct stat st;
	pid_t pid;

	LOCAL_ONLY("nothing is left behind");
	NEEDS_ROOT();
	CHECK(!stat(dir(), &st));
	if (!(st.st_mode & S_ISVTX))
		SKIP("%s is not sticky", dir());
	pid = child_fork();
	if (!pid) {
		struct shmchan_region_opts o = fix_opts();

		become(FIX_UID_A);
		umask(0);
		o.mode = 0666;
		CHECK_EQ(shmchan_region_create(&r, name, &o), 0);
		_exit(0);
	}
	CHECK_CHILD_OK(pid);
	pid = child_fork();
	if (!pid) {
		struct shmchan_open_opts any = SHMCHAN_OPEN_OPTS(.any_owner = 1);

		become(FIX_UID_B);
		CHECK_EQ(shmchan_region_create(&r, name, &opts), -EEXIST);
		CHECK_SAYS(shmchan_error_detail(), "--clean");
		CHECK_EQ(shmchan_region_open(&r, name, &any), -ENOENT);
		CHECK_SAYS(shmchan_error_detail(), "--clean");
		child_done();
	}
	CHECK_CHILD_OK(pid);
	shmchan_local_clean();
	CHECK(!exists(name));
}

static int open_it(const char *name)
{
	struct shmchan_region *r;

	return shmchan_region_open(&r, name, NULL);
}

TEST(what_is_no_region)
{
	const char *name = test_name("odd");
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r;
	int fd, i;

	LOCAL_ONLY("has no files");
	CHECK(!symlink("/etc/passwd", path_of(name)));
	CHECK_EQ(open_it(name), -EPROTO);
	CHECK_EQ(shmchan_region_create(&r, name, &opts), -EEXIST);
	CHECK(!listed(name));
	CHECK(!unlink(path_of(name)));

	CHECK(!mkfifo(path_of(name), 0600));
	CHECK_EQ(open_it(name), -EPROTO);
	CHECK(!listed(name));
	CHECK(!unlink(path_of(name)));

	CHECK(!mkdir(path_of(name), 0700));
	CHECK_EQ(open_it(name), -EPROTO);
	CHECK_EQ(shmchan_region_create(&r, name, &opts), -EEXIST);
	CHECK(!rmdir(path_of(name)));

	/* An ordinary file is somebody's, and not ours to remove. */
	fd = open(path_of(name), O_CREAT | O_RDWR | O_EXCL, 0600);
	CHECK_GE(fd, 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(open_it(name), -EPROTO);
		CHECK_EQ(shmchan_region_create(&r, name, &opts), -EEXIST);
		CHECK(!listed(name));
		shmchan_local_clean();
		CHECK(exists(name));
		CHECK(!ftruncate(fd, 100000 * i));
	}
	close(fd);
	CHECK(!unlink(path_of(name)));
}

/* Bytes of a live region's last page are overwritten; nobody may crash. */
TEST(damaged_geometry)
{
	const char *name = test_name("damaged");
	struct shmchan_region *r, *r2;
	uint8_t page[4096];
	struct stat st;
	unsigned int i;
	int fd;

	LOCAL_ONLY("the kernel keeps the geometry");
	r = fix_create(name);
	fd = open(path_of(name), O_RDWR);
	CHECK_GE(fd, 0);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(pread(fd, page, sizeof(page), st.st_size - 4096), 4096);
	/* Magic, version, sizes, counts: 0 to 44; flags 12, folio 44 differ. */
	for (i = 0; i < 44; i++) {
		uint8_t bad = page[i] ^ 0x41;

		if (i >= 12 && i < 16)
			continue;
		CHECK_EQ(pwrite(fd, &bad, 1, st.st_size - 4096 + i), 1);
		CHECK_EQ(shmchan_region_open(&r2, name, NULL), -EPROTO);
		CHECK_EQ(pwrite(fd, &page[i], 1, st.st_size - 4096 + i), 1);
	}
	/* Windows that reach out of their area. */
	for (i = 0; i < 3; i++) {
		static const uint64_t bad[] = { 1, 1ULL << 40, ~0xfffULL };
		struct shmchan_window *w = NULL;
		uint64_t old, meta = r->status_offset + r->status_size;
		off_t at = (off_t)(meta + 8ULL * FIX_SLOTS + 8ULL * FIX_BELLS +
				   3 * sizeof(*w));

		CHECK_EQ(pread(fd, &old, 8, at), 8);
		CHECK_EQ(old, FIX_PAGE(0));
		CHECK_EQ(pwrite(fd, &bad[i], 8, at), 8);
		CHECK_EQ(shmchan_region_open(&r2, name, NULL), -EPROTO);
		CHECK_SAYS(shmchan_error_detail(), "windows[3]");
		CHECK_EQ(pwrite(fd, &old, 8, at), 8);
	}
	CHECK(!ftruncate(fd, st.st_size + 4096));
	CHECK_EQ(shmchan_region_open(&r2, name, NULL), -EPROTO);
	CHECK(!ftruncate(fd, st.st_size));
	shmchan_region_close(fix_open(name, 1));
	close(fd);
	shmchan_region_close(r);
}

/* A small tmpfs of our own, in a mount namespace of our own. */
static void small_tmpfs(const char *options)
{
	static char path[] = "/tmp/shmchan-test.XXXXXX";

	NEEDS_ROOT();
	CHECK(mkdtemp(path));
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", path, "tmpfs", 0, options)) {
		rmdir(path);
		SKIP("no tmpfs can be mounted: %s", strerror(errno));
	}
	setenv("SHMCHAN_LOCAL_DIR", path, 1);
}

static void drop_tmpfs(void)
{
	CHECK(!umount2(dir(), MNT_DETACH));
	CHECK(!rmdir(dir()));
}

TEST(full_tmpfs_is_an_error_now)
{
	struct shmchan_region_opts opts = fix_opts();
	const char *name = test_name("full");
	struct shmchan_region *r, *r2;
	uint64_t i;

	LOCAL_ONLY("takes no files");
	small_tmpfs("size=4m");
	opts.data_size = 8 << 20;
	CHECK_EQ(shmchan_region_create(&r, name, &opts), -ENOSPC);
	CHECK_SAYS(shmchan_error_detail(), "needs 9 MiB");
	CHECK_SAYS(shmchan_error_detail(), "4 MiB free");
	CHECK(!exists(name));
	/* Nothing was kept of it; and what fits can be touched, all of it. */
	opts.data_size = 3 << 20;
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	CHECK_EQ(shmchan_region_create(&r2, test_name("more"), &opts), -ENOSPC);
	for (i = 0; i < r->data_size; i += 4096)
		CHECK(!*(volatile uint8_t *)(r->base + i));
	r->base[0] = 1;
	/* Of 2 MiB folios, as well. */
	opts.flags = 0;
	opts.data_size = 4 << 20;
	opts.nr_windows = 0;
	CHECK_EQ(shmchan_region_create(&r2, test_name("huge"), &opts), -ENOSPC);
	shmchan_region_close(r);
	opts.data_size = 2 << 20;
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	for (i = 0; i < r->data_size; i += 4096)
		CHECK(!*(volatile uint8_t *)(r->base + i));
	shmchan_region_close(r);
	drop_tmpfs();
}

TEST(no_folder)
{
	struct shmchan_region_opts opts = fix_opts();
	char longest[PATH_MAX];
	struct shmchan_region *r;

	LOCAL_ONLY("has no files");
	setenv("SHMCHAN_LOCAL_DIR", "/nowhere/at/all", 1);
	CHECK_EQ(shmchan_region_create(&r, test_name("a"), &opts), -ENODEV);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_LOCAL_DIR");
	CHECK_EQ(open_it(test_name("a")), -ENOENT);
	CHECK(!listed(test_name("a")));
	setenv("SHMCHAN_LOCAL_DIR", "/proc", 1);
	CHECK(shmchan_region_create(&r, test_name("a"), &opts) < 0);
	CHECK_SAYS(shmchan_error_detail(), "/proc");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = 0;
	setenv("SHMCHAN_LOCAL_DIR", longest, 1);
	CHECK_EQ(shmchan_region_create(&r, test_name("a"), &opts),
		 -ENAMETOOLONG);
}

/* Who closes removes the name of its own file, and no other's. */
TEST(name_was_removed_by_hand)
{
	const char *name = test_name("hand");
	struct shmchan_region *r, *r2;

	LOCAL_ONLY("has no files");
	r = fix_create(name);
	CHECK(!unlink(path_of(name)));
	CHECK_EQ(open_it(name), -ENOENT);
	r2 = fix_create(name);
	shmchan_region_close(r);
	CHECK(exists(name));
	shmchan_region_close(fix_open(name, 1));
	shmchan_region_close(r2);
	CHECK(!exists(name));
}

/* The folder may change under a handle: close removes what create made. */
TEST(folder_is_remembered)
{
	const char *name = test_name("where");
	char *path = strdup(path_of(name));
	struct shmchan_region *r;

	LOCAL_ONLY("has no files");
	CHECK(path);
	r = fix_create(name);
	CHECK(!access(path, F_OK));
	setenv("SHMCHAN_LOCAL_DIR", "/nowhere", 1);
	shmchan_region_close(r);
	CHECK(access(path, F_OK));
	free(path);
}

static unsigned long pmd_mapped_kb(const void *addr)
{
	unsigned long start, end, kb, sum = 0;
	int inside = 0;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)addr && (uintptr_t)addr < end;
		else if (inside && (sscanf(line, "ShmemPmdMapped: %lu", &kb) == 1 ||
				    sscanf(line, "FilePmdMapped: %lu", &kb) == 1))
			sum += kb;
	}
	fclose(f);
	return sum;
}

TEST(huge_pages_are_as_told)
{
	struct shmchan_window w = {
		.offset = 2 << 20, .length = 2 << 20, .slot = 0,
	};
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.data_size = 4 << 20, .control_size = 4096, .nr_slots = 1,
		.nr_windows = 1, .windows = &w);
	struct shmchan_query q = { .size = 0 };
	struct shmchan_region *r;
	uint64_t i;

	CHECK_EQ(shmchan_region_create(&r, NULL, &opts), 0);
	CHECK_EQ(shmchan_region_query(r, &q), 0);
	for (i = 0; i < r->data_size; i += 4096)
		CHECK(!*(volatile uint8_t *)(r->base + i));
	r->base[2 << 20] = 1;
	if (q.data_folio_size == 4096) {
		CHECK_EQ(pmd_mapped_kb(r->base), 0);
		SKIP("local backend: this kernel gives tmpfs no huge pages");
	}
	CHECK_EQ(q.data_folio_size, 2 << 20);
	/* The one that is read-only and the one that is ours. */
	CHECK_EQ(pmd_mapped_kb(r->base), 2048);
	CHECK_EQ(pmd_mapped_kb(r->base + (2 << 20)), 2048);
	shmchan_region_close(r);
}

/* A stopped process that stands in the gate delays others, and no more. */
TEST_LIMIT(stopped_in_the_gate, 60)
{
	const char *name = test_name("gate");
	struct flock gate = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = (off_t)1 << 62, .l_len = 1,
	};
	struct shmchan_region *r, *r2;
	uint64_t start;
	int fd;

	LOCAL_ONLY("has no gate");
	r = fix_create(name);
	fd = open(path_of(name), O_RDWR);
	CHECK(!fcntl(fd, F_OFD_SETLK, &gate));
	start = now_ns();
	CHECK_EQ(shmchan_region_open(&r2, name, NULL), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "gate");
	CHECK_LE(now_ns() - start, 20000000000ULL);
	CHECK_GE(now_ns() - start, 1000000000ULL);
	/* Members do not need it for what they do all day. */
	CHECK_EQ(shmchan_bell_ring(r, 1, 0), 0);
	close(fd);
	shmchan_region_close(fix_open(name, 1));
	shmchan_region_close(r);
}

TEST_MAIN
