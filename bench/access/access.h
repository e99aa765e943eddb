/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_ACCESS_H
#define BENCH_ACCESS_H

/*
 * What the measurements of access control share.  They run as root in a guest
 * of their own.
 *
 * With -i, in a guest whose processor counts instructions, each cost is a
 * number of instructions, the kernel's included, and repeats; else it is in
 * nanoseconds.  Nothing here is a race: operations of one process alternate
 * with those of another by a token, so each stands alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include <linux/shmchan.h>

#define PAGE	((size_t)SHMCHAN_PAGE)
#define HUGE	((size_t)SHMCHAN_HUGE)
#define MIB	((size_t)1 << 20)

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* --- counting ------------------------------------------------------------ */

extern bool instructions;

static inline uint64_t count(void)
{
	struct timespec ts;

#if defined(__x86_64__) || defined(__i386__)
	/* Under QEMU's -icount with shift=0 it counts instructions. */
	if (instructions)
		return __builtin_ia32_rdtsc();
#endif
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

#define MAX_COSTS	1024

struct costs {
	size_t nr;
	uint64_t v[MAX_COSTS];
};

static inline void costs_add(struct costs *c, uint64_t cost)
{
	if (c->nr < MAX_COSTS)
		c->v[c->nr++] = cost;
}

/* Does something, and adds what that cost. */
#define TIMED(costs, act) do {						\
	uint64_t _start = count();					\
	act;								\
	costs_add(costs, count() - _start);				\
} while (0)

struct summary {
	size_t nr;
	uint64_t min;
	uint64_t median;
	double mean;
};

/* Sorts them. */
struct summary costs_summary(struct costs *c);
uint64_t costs_median(struct costs *c);

/* --- util.c -------------------------------------------------------------- */

/* Something does not work at all, as opposed to: it costs more. */
__attribute__((format(printf, 1, 2), noreturn))
void die(const char *fmt, ...);
/* @ret if it is not negative; else it is -errno, and this is the end. */
int must(int ret, const char *what);

void raise_files(unsigned long nr);
/* What a process, or one thread of it, has used so far. */
struct usage {
	uint64_t run;		/* on a CPU, in units of count() with -i */
	uint64_t switches;	/* times that it began to sleep */
};

/* All threads but the first, which takes orders. */
struct usage usage_of(pid_t pid);
/* Page faults of the caller so far. */
long page_faults(void);
void *shared_memory(size_t size);

/* --- calls.c: the module's calls; they return -errno --------------------- */

/* Everything that a region of these measurements may be. */
struct shape {
	const char *name;
	unsigned int mode;
	unsigned int flags;
	uint64_t data_size;
	uint64_t control_size;
	unsigned int nr_slots;
	unsigned int nr_windows;
	struct shmchan_window *windows;
	unsigned int nr_bells;
	struct shmchan_doorbell *bells;
};

/* /dev/shmchan; each process has its own. */
extern int dev;

int open_device(void);
int region_create(const struct shape *s);
int region_open(const char *name, unsigned int rights);
int member_join(int fd, unsigned int slot);
int member_leave(int fd);
/* JOIN of a new capability for a slot. */
int region_join(const char *name, unsigned int slot);
int ring(int fd, unsigned int doorbell);
int wait_for(int fd, const struct shmchan_wait_elem *elems, unsigned int nr,
	     uint64_t deadline);
int publish(int fd, const char *name);
int withdraw(int fd, const char *name);
/* Names from @cursor on; gives how many, and moves the cursor. */
int list_names(uint64_t *cursor, struct shmchan_list_entry *entries,
	       unsigned int nr);
/* Gives how many members ended. */
int revoke_slot(int fd, unsigned int slot);
int revoke_uid(int fd, unsigned int uid);
int export_dmabuf(int fd, uint64_t length);
int query(int fd);
int ring_set(int fd, const uint32_t *doorbells, unsigned int nr);
int subscribe(int fd, unsigned int doorbell);
int arm(int fd, unsigned int doorbell);

#define RIGHTS_RW	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE | \
			 SHMCHAN_RIGHT_RING | SHMCHAN_RIGHT_WAIT)

/* --- peer.c: other processes, which do what they are told ---------------- */

struct peer {
	pid_t pid;
	int sock;
};

typedef long (*peer_fn)(long a, long b);

/* @uid: 0 or who it is to be.  It has the variables as they are now. */
void peer_start(struct peer *p, unsigned int uid);
void peer_send(const struct peer *p, peer_fn fn, long a, long b);
long peer_answer(const struct peer *p);
/* Ends the measurement if the answer is negative. */
long peer_call(const struct peer *p, peer_fn fn, long a, long b);
void peer_stop(struct peer *p);

#endif /* BENCH_ACCESS_H */
