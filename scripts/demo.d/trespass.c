// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * trespass NAME: joins a channel as its receiver, as any program would, and
 * then tries to write what is the sender's.  Each try is reported; the exit
 * status is 0 if all were refused.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <shmchan/spsc.h>

static sigjmp_buf after_fault;
static volatile sig_atomic_t fault_signal;
static int failed;

static void on_fault(int sig)
{
	fault_signal = sig;
	siglongjmp(after_fault, 1);
}

static void report(int refused, const char *what, const char *seen)
{
	printf("  %s %s: %s\n", refused ? "✓" : "✗", what, seen);
	failed |= !refused;
}

/* A second mapping of the ring, writable. */
static void try_mmap(const struct shmchan_region *r)
{
	void *p = mmap(NULL, r->data_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       shmchan_region_fd(r), 0);

	report(p == MAP_FAILED && errno == EACCES,
	       "mmap(PROT_WRITE) of the sender's ring",
	       p == MAP_FAILED ? strerror(errno) : "it worked");
	if (p != MAP_FAILED)
		munmap(p, r->data_size);
}

/* The mapping that the library has made for reading. */
static void try_mprotect(const struct shmchan_region *r)
{
	int err = mprotect(r->base, r->data_size, PROT_READ | PROT_WRITE);

	report(err && errno == EACCES, "mprotect(PROT_WRITE) of the mapping",
	       err ? strerror(errno) : "it worked");
}

/* A plain store, as a bug would do it. */
static void try_store(const struct shmchan_region *r)
{
	struct sigaction sa = { .sa_handler = on_fault };
	volatile uint8_t *byte = r->base;

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	if (!sigsetjmp(after_fault, 1))
		*byte = 0xff;
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	report(fault_signal == SIGSEGV, "a store into the ring",
	       fault_signal ? strsignal(fault_signal) : "it worked");
}

int main(int argc, char **argv)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .any_owner = 1);
	struct shmchan_spsc ch;
	const void *data;
	size_t length;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: trespass NAME\n");
		return 2;
	}
	err = shmchan_spsc_open(&ch, argv[1], &opts);
	if (!err)
		err = shmchan_spsc_peek(&ch, &data, &length, NULL,
					10000000000LL);
	if (err) {
		fprintf(stderr, "trespass: %s\n", shmchan_error_detail());
		return 2;
	}
	printf("  ✓ reading: a record of %zu bytes came\n", length);
	try_mmap(ch.region);
	try_mprotect(ch.region);
	try_store(ch.region);
	shmchan_spsc_release(&ch);
	shmchan_spsc_close(&ch);
	return failed;
}
