// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The processes of a region that is shared across IPC namespaces, for
 * scripts/test-containers. Its first eight bytes are a word of text.
 *
 *	across write NAME	stores the words that come on standard input
 *	across read NAME	joins to read, tries to write, and prints each
 *				new word: until it is "end", or we are thrown out
 *				(exit status 9, as the command's)
 *	across take SOCKET NAME	the same with a capability from a socket, after
 *				NAME was published by it
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/access.h>

union word {
	char text[8];
	uint64_t bits;
};

static int fail(const char *what, int err)
{
	printf("%s: %s: %s\n", what, strerror(-err), shmchan_error_detail());
	return 1;
}

static int write_words(const char *name)
{
	struct shmchan_region *r;
	char line[64];
	int err;

	err = shmchan_region_open(&r, name, NULL);
	if (err)
		return fail(name, err);
	while (fgets(line, sizeof(line), stdin)) {
		union word word = { .bits = 0 };
		size_t length = strcspn(line, "\n");

		if (length >= sizeof(word.text))
			return fail(line, -EINVAL);
		memcpy(word.text, line, length);
		shmchan_store_release((uint64_t *)r->base, word.bits);
	}
	err = shmchan_region_check(r);
	if (err)
		return fail("check", err);
	shmchan_region_close(r);
	return 0;
}

/* What a reader should not get. */
static void try_to_write(const struct shmchan_region *r, const char *name)
{
	struct shmchan_region *other;
	void *p = mmap(NULL, SHMCHAN_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       shmchan_region_fd(r), 0);
	int err;

	printf("mmap to write: %s\n",
	       p == MAP_FAILED ? strerror(errno) : "it worked");
	if (mprotect(r->base, SHMCHAN_PAGE, PROT_READ | PROT_WRITE))
		printf("mprotect to write: %s\n", strerror(errno));
	else
		puts("mprotect to write: it worked");
	err = shmchan_region_open(&other, name, NULL);
	if (err) {
		fail("open to write", err);
		return;
	}
	puts("open to write: it worked");
	shmchan_region_close(other);
}

/* Calls and memory agree that we are out. */
static int thrown_out(const struct shmchan_region *r, int err)
{
	struct shmchan_query q = { .size = 0 };

	fail("out", err);
	fail("query", shmchan_region_query(r, &q));
	printf("memory: %s\n", *(volatile uint64_t *)r->base ? "theirs" : "zeros");
	return 9;
}

static int print_words(const struct shmchan_region *r)
{
	const struct timespec pause = { 0, 10 * 1000 * 1000 };
	union word word, last = { .bits = 0 };
	int err;

	for (;;) {
		word.bits = shmchan_load_acquire((uint64_t *)r->base);
		err = shmchan_region_check(r);
		if (err)
			return thrown_out(r, err);
		if (word.bits != last.bits) {
			printf("read %.8s\n", word.text);
			if (!strcmp(word.text, "end"))
				return 0;
		}
		last = word;
		nanosleep(&pause, NULL);
	}
}

static int read_words(struct shmchan_region *r, const char *name)
{
	int status;

	/* As the argument of shmchan revoke. */
	printf("slot %u:%u\n", r->slot, r->generation);
	try_to_write(r, name);
	status = print_words(r);
	shmchan_region_close(r);
	return status;
}

static int open_to_read(const char *name)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT);
	struct shmchan_region *r;
	int err = shmchan_region_open(&r, name, &opts);

	return err ? fail(name, err) : read_words(r, name);
}

static int take(const char *path, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), cap, err;
	struct shmchan_region *r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return fail(path, -errno);
	cap = shmchan_capability_receive(sock);
	close(sock);
	if (cap < 0)
		return fail(path, cap);
	err = shmchan_capability_publish(cap, name, NULL);
	if (!err)
		err = shmchan_region_adopt(&r, cap, NULL);
	return err ? fail(name, err) : read_words(r, name);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "write"))
		return write_words(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "read"))
		return open_to_read(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "take"))
		return take(argv[2], argv[3]);
	fputs("usage: across write|read NAME, across take SOCKET NAME\n", stderr);
	return 2;
}
