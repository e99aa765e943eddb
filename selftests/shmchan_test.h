/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_H
#define SHMCHAN_TEST_H

/*
 * What all tests of the shmchan module share: the calls as functions that
 * return -errno, a region layout that most of them use, and small tools.
 * test_peer.h adds other processes.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/shmchan.h>

#define DEVICE		"/dev/shmchan"
#define PARAMETERS	"/sys/module/shmchan/parameters/"

#define PAGE		((size_t)SHMCHAN_PAGE)
#define HUGE		((size_t)SHMCHAN_HUGE)
#define MSEC		1000000ULL
#define SEC		1000000000ULL

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* How long something that must happen may take on a slow, busy machine. */
#define PATIENCE_MS	10000

/* Evaluates @cond until it is true, or for PATIENCE_MS; gives what it was. */
#define eventually(cond) ({						\
	uint64_t _until = now_ns() + PATIENCE_MS * MSEC;		\
	bool _is;							\
	while (!(_is = (cond)) && now_ns() < _until)			\
		usleep(1000);						\
	_is;								\
})

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static inline uint64_t ptr(const void *p)
{
	return (uintptr_t)p;
}

/* ioctl(2) that returns what it returned, or -errno. */
static inline int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A name that no other process uses. */
static inline const char *own_name(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "test-%d", getpid());
	return name;
}

/*
 * A region to be made.  layout_default() has, in folios of the data area, and
 * the same again in pages of the control area behind the header page:
 *
 *	0 slot 0    1 slot 1    2 shared    3 slot 0    4 nobody
 *
 * Doorbells 1 to 4 belong to slots 0 to 3, doorbell 5 is shared.
 */
struct layout {
	const char *name;
	unsigned int flags;
	unsigned int mode;
	uint64_t data_size;
	uint64_t control_size;
	unsigned int nr_slots;
	unsigned int nr_windows;
	unsigned int nr_bells;
	unsigned int numa_policy;
	unsigned int nr_nodes;
	struct shmchan_window windows[16];
	struct shmchan_doorbell bells[16];
	uint32_t nodes[16];
};

#define BELL_OF(slot)	((slot) + 1)
#define BELL_SHARED	5
#define FOLIO_OWN	0	/* of slot 0 */
#define FOLIO_FOREIGN	1	/* of slot 1 */
#define FOLIO_SHARED	2
#define FOLIO_OWN2	3	/* of slot 0 */
#define FOLIO_NOBODY	4
#define NR_FOLIOS	5

static inline size_t folio_size(const struct layout *l)
{
	return l->flags & SHMCHAN_CREATE_SMALL ? PAGE : HUGE;
}

/* Where page @folio of the control area, in the numbers above, begins. */
static inline uint64_t control_at(const struct layout *l, unsigned int folio)
{
	return SHMCHAN_CONTROL_OFFSET(l->data_size) + (1 + folio) * PAGE;
}

static inline void layout_windows(struct layout *l, uint64_t start,
				  size_t granule)
{
	static const uint32_t owners[] = { 0, 1, SHMCHAN_SLOT_SHARED, 0 };
	unsigned int i;

	for (i = 0; i < COUNT(owners); i++)
		l->windows[l->nr_windows++] = (struct shmchan_window) {
			.offset = start + i * granule,
			.length = granule,
			.slot = owners[i],
		};
}

/* @flags: SHMCHAN_CREATE_*.  @data: whether there is a data area at all. */
static inline struct layout layout_default(unsigned int flags, bool data)
{
	struct layout l = {
		.flags = flags,
		.mode = 0600,
		.control_size = (1 + NR_FOLIOS) * PAGE,
		.nr_slots = 4,
		.nr_bells = 5,
	};
	unsigned int i;

	if (data) {
		l.data_size = NR_FOLIOS * folio_size(&l);
		layout_windows(&l, 0, folio_size(&l));
	}
	layout_windows(&l, control_at(&l, 0), PAGE);
	for (i = 0; i < 4; i++)
		l.bells[i].owner = i;
	l.bells[4].owner = SHMCHAN_SLOT_SHARED;
	return l;
}

static inline struct shmchan_create create_args(const struct layout *l)
{
	return (struct shmchan_create) {
		.size = sizeof(struct shmchan_create),
		.flags = l->flags,
		.name = ptr(l->name),
		.name_len = l->name ? strlen(l->name) : 0,
		.mode = l->mode,
		.data_size = l->data_size,
		.control_size = l->control_size,
		.nr_slots = l->nr_slots,
		.doorbells = ptr(l->bells),
		.nr_doorbells = l->nr_bells,
		.nr_windows = l->nr_windows,
		.windows = ptr(l->windows),
		.numa_policy = l->numa_policy,
		.numa_nodes = l->nr_nodes ? ptr(l->nodes) : 0,
		.nr_nodes = l->nr_nodes,
		.fd = -1,
	};
}

/* Returns a capability, or -errno. */
static inline int create_region(const struct layout *l)
{
	struct shmchan_create c = create_args(l);
	int dev = open_device();
	int ret;

	if (dev < 0)
		return dev;
	ret = call(dev, SHMCHAN_IOC_CREATE, &c);
	close(dev);
	return ret ? ret : c.fd;
}

/* Returns the generation, or -errno. */
static inline int join(int fd, unsigned int slot)
{
	struct shmchan_join j = { .size = sizeof(j), .slot = slot };
	int ret = call(fd, SHMCHAN_IOC_JOIN, &j);

	return ret ? ret : (int)j.generation;
}

/* Returns a member, or -errno. */
static inline int create_joined(const struct layout *l, unsigned int slot)
{
	int fd = create_region(l);
	int ret;

	if (fd < 0)
		return fd;
	ret = join(fd, slot);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

static inline struct shmchan_open open_args(const char *name,
					    unsigned int rights)
{
	return (struct shmchan_open) {
		.size = sizeof(struct shmchan_open),
		.name = ptr(name),
		.name_len = strlen(name),
		.rights = rights,
	};
}

/* Returns a capability, or -errno. */
static inline int open_region(const char *name, unsigned int rights)
{
	struct shmchan_open o = open_args(name, rights);
	int dev = open_device();
	int ret;

	if (dev < 0)
		return dev;
	ret = call(dev, SHMCHAN_IOC_OPEN, &o);
	close(dev);
	return ret ? ret : o.fd;
}

#define RIGHTS_RW	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE | \
			 SHMCHAN_RIGHT_RING | SHMCHAN_RIGHT_WAIT)

/* Returns a member, or -errno. */
static inline int open_joined(const char *name, unsigned int slot)
{
	int fd = open_region(name, RIGHTS_RW);
	int ret;

	if (fd < 0)
		return fd;
	ret = join(fd, slot);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

static inline int leave(int fd)
{
	struct shmchan_leave l = { .size = sizeof(l) };

	return call(fd, SHMCHAN_IOC_LEAVE, &l);
}

static inline int query(int fd, struct shmchan_query *q)
{
	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	return call(fd, SHMCHAN_IOC_QUERY, q);
}

static inline int query_device(struct shmchan_query_device *q)
{
	int dev = open_device();
	int ret;

	if (dev < 0)
		return dev;
	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	ret = call(dev, SHMCHAN_IOC_QUERY_DEVICE, q);
	close(dev);
	return ret;
}

static inline int member_info(int fd, unsigned int slot,
			      struct shmchan_member_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->slot = slot;
	return call(fd, SHMCHAN_IOC_MEMBER_INFO, info);
}

static inline struct shmchan_list list_args(struct shmchan_list_entry *entries,
					    unsigned int nr)
{
	return (struct shmchan_list) {
		.size = sizeof(struct shmchan_list),
		.entries = ptr(entries),
		.nr_entries = nr,
		.entry_size = sizeof(entries[0]),
	};
}

/* Returns a capability, or -errno. */
static inline int mint_args(int fd, struct shmchan_mint *m)
{
	int ret;

	m->size = sizeof(*m);
	ret = call(fd, SHMCHAN_IOC_MINT, m);
	return ret ? ret : m->fd;
}

static inline int mint(int fd, unsigned int rights)
{
	struct shmchan_mint m = { .rights = rights };

	return mint_args(fd, &m);
}

static inline int publish(int fd, const char *name, unsigned int mode,
			  unsigned int rights)
{
	struct shmchan_publish p = {
		.size = sizeof(p),
		.name = ptr(name),
		.name_len = strlen(name),
		.mode = mode,
		.rights = rights,
	};

	return call(fd, SHMCHAN_IOC_PUBLISH, &p);
}

static inline int withdraw(int fd, const char *name)
{
	struct shmchan_withdraw w = {
		.size = sizeof(w),
		.name = ptr(name),
		.name_len = strlen(name),
	};

	return call(fd, SHMCHAN_IOC_WITHDRAW, &w);
}

/* All that were published.  Returns how many, or -errno. */
static inline int withdraw_published(int fd)
{
	struct shmchan_withdraw w = {
		.size = sizeof(w),
		.flags = SHMCHAN_WITHDRAW_PUBLISHED,
	};
	int ret = call(fd, SHMCHAN_IOC_WITHDRAW, &w);

	return ret ? ret : (int)w.nr_names;
}

static inline int set_mode(int fd, unsigned int mode)
{
	struct shmchan_setattr s = {
		.size = sizeof(s),
		.flags = SHMCHAN_SETATTR_MODE,
		.mode = mode,
	};

	return call(fd, SHMCHAN_IOC_SETATTR, &s);
}

static inline int seal(int fd, unsigned int seals)
{
	struct shmchan_seal s = { .size = sizeof(s), .seals = seals };

	return call(fd, SHMCHAN_IOC_SEAL, &s);
}

/* Returns how many members ended, or -errno. */
static inline int revoke_slot(int fd, unsigned int slot,
			      unsigned int generation)
{
	struct shmchan_revoke r = {
		.size = sizeof(r),
		.flags = SHMCHAN_REVOKE_SLOT,
		.slot = slot,
		.generation = generation,
	};
	int ret = call(fd, SHMCHAN_IOC_REVOKE, &r);

	return ret ? ret : (int)r.nr_members;
}

/* Returns how many members and unjoined capabilities ended, or -errno. */
static inline int revoke_uid(int fd, unsigned int uid)
{
	struct shmchan_revoke r = {
		.size = sizeof(r),
		.flags = SHMCHAN_REVOKE_UID,
		.uid = uid,
	};
	int ret = call(fd, SHMCHAN_IOC_REVOKE, &r);

	return ret ? ret : (int)(r.nr_members + r.nr_unjoined);
}

/* Returns how many were woken, or -errno. */
static inline int ring(int fd, unsigned int doorbell, unsigned int max_wake)
{
	struct shmchan_ring r = {
		.size = sizeof(r),
		.doorbell = doorbell,
		.max_wake = max_wake,
	};
	int ret = call(fd, SHMCHAN_IOC_RING, &r);

	return ret ? ret : (int)r.woken;
}

static inline int subscribe(int fd, unsigned int doorbell, unsigned int flags)
{
	struct shmchan_subscribe s = {
		.size = sizeof(s),
		.doorbell = doorbell,
		.flags = flags,
	};

	return call(fd, SHMCHAN_IOC_SUBSCRIBE, &s);
}

/* From now on its events tell who has ended. */
static inline int subscribe_members(int fd)
{
	return subscribe(fd, SHMCHAN_DOORBELL_MEMBERS,
			 SHMCHAN_SUBSCRIBE_MEMBERS);
}

static inline int bind_eventfd(int fd, unsigned int doorbell, int efd)
{
	struct shmchan_bind_eventfd b = {
		.size = sizeof(b),
		.doorbell = doorbell,
		.fd = efd,
	};

	return call(fd, SHMCHAN_IOC_BIND_EVENTFD, &b);
}

static inline int unbind_eventfd(int fd, unsigned int doorbell)
{
	struct shmchan_bind_eventfd b = {
		.size = sizeof(b),
		.flags = SHMCHAN_BIND_END,
		.doorbell = doorbell,
		.fd = -1,
	};

	return call(fd, SHMCHAN_IOC_BIND_EVENTFD, &b);
}

static inline int arm(int fd, unsigned int doorbell,
		      const struct shmchan_wait_elem *elems, unsigned int nr,
		      unsigned int flags)
{
	struct shmchan_arm a = {
		.size = sizeof(a),
		.doorbell = doorbell,
		.elems = ptr(elems),
		.nr_elems = nr,
		.flags = flags,
	};

	return call(fd, SHMCHAN_IOC_ARM, &a);
}

/* An element for a 64-bit word. */
static inline struct shmchan_wait_elem elem64(int fd, unsigned int doorbell,
					      uint64_t offset, uint64_t value)
{
	return (struct shmchan_wait_elem) {
		.fd = fd,
		.doorbell = doorbell,
		.offset = offset,
		.value = value,
		.mask = ~0ULL,
	};
}

static inline struct shmchan_wait_elem elem32(int fd, unsigned int doorbell,
					      uint64_t offset, uint32_t value)
{
	return (struct shmchan_wait_elem) {
		.fd = fd,
		.doorbell = doorbell,
		.offset = offset,
		.value = value,
		.mask = ~0U,
		.flags = SHMCHAN_ELEM_32,
	};
}

/* Returns a dma-buf, or -errno. */
static inline int export_dmabuf(int fd, uint64_t offset, uint64_t length,
				unsigned int flags)
{
	struct shmchan_export_dmabuf x = {
		.size = sizeof(x),
		.flags = flags,
		.offset = offset,
		.length = length,
		.fd = -1,
	};
	int ret = call(fd, SHMCHAN_IOC_EXPORT_DMABUF, &x);

	return ret ? ret : x.fd;
}

/* @deadline: of CLOCK_MONOTONIC.  Returns the index, or -errno. */
static inline int wait_with(int fd, unsigned int flags,
			    const struct shmchan_wait_elem *elems,
			    unsigned int nr, uint64_t deadline)
{
	struct shmchan_wait w = {
		.size = sizeof(w),
		.flags = flags,
		.elems = ptr(elems),
		.nr_elems = nr,
		.clockid = CLOCK_MONOTONIC,
		.deadline = deadline,
	};
	int ret = call(fd, SHMCHAN_IOC_WAIT, &w);

	return ret ? ret : (int)w.index;
}

static inline int wait_until(int fd, const struct shmchan_wait_elem *elems,
			     unsigned int nr, uint64_t deadline)
{
	return wait_with(fd, 0, elems, nr, deadline);
}

static inline int wait_ms(int fd, const struct shmchan_wait_elem *elems,
			  unsigned int nr, unsigned int ms)
{
	return wait_until(fd, elems, nr, now_ns() + ms * MSEC);
}

/* Returns MAP_FAILED with errno set. */
static inline void *map(int fd, uint64_t offset, size_t length, int prot)
{
	return mmap(NULL, length, prot, MAP_SHARED, fd, offset);
}

/* The errno of a mapping that is to fail; 0 if it does not. */
static inline int map_error(int fd, uint64_t offset, size_t length, int prot,
			    int flags)
{
	void *p = mmap(NULL, length, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, length);
	return 0;
}

/* The status area, as its layout promises it. */
struct status {
	const volatile struct shmchan_status *head;
	const volatile uint64_t *slots;
	const volatile struct shmchan_doorbell_status *bells;
	uint64_t offset;
	uint64_t slots_offset;		/* region offset of slot word 0 */
	size_t size;
};

static inline int map_status(int fd, struct status *s)
{
	struct shmchan_query q;
	char *p;
	int ret;

	ret = query(fd, &q);
	if (ret)
		return ret;
	p = map(fd, q.status_offset, q.status_size, PROT_READ);
	if (p == MAP_FAILED)
		return -errno;
	s->head = (void *)p;
	s->slots = (void *)(p + s->head->slots_offset);
	s->bells = (void *)(p + s->head->doorbells_offset);
	s->offset = q.status_offset;
	s->slots_offset = q.status_offset + s->head->slots_offset;
	s->size = q.status_size;
	return 0;
}

static inline unsigned int slot_state(const struct status *s, unsigned int slot)
{
	return SHMCHAN_SLOT_WORD_STATE(s->slots[slot]);
}

static inline unsigned int slot_gen(const struct status *s, unsigned int slot)
{
	return SHMCHAN_SLOT_WORD_GEN(s->slots[slot]);
}

/* Touching memory that may not be there. */

static sigjmp_buf probe_env;
static volatile sig_atomic_t probe_signal;

static inline void probe_handler(int sig)
{
	probe_signal = sig;
	siglongjmp(probe_env, 1);
}

/* Reads or writes one byte.  Returns 0, SIGSEGV or SIGBUS. */
static inline int probe(volatile char *p, bool write)
{
	struct sigaction act = { .sa_handler = probe_handler };
	struct sigaction segv, bus;
	int sig = 0;

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	if (sigsetjmp(probe_env, 1))
		sig = probe_signal;
	else if (write)
		*p = *p + 1;
	else
		(void)*p;
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}

static inline int probe_read(const volatile void *p)
{
	return probe((volatile char *)p, false);
}

static inline int probe_write(volatile void *p)
{
	return probe(p, true);
}

/* Is all of it this byte? */
static inline bool all_bytes(const void *p, size_t size, unsigned char byte)
{
	const unsigned char *b = p;

	return !size || (b[0] == byte && !memcmp(b, b + 1, size - 1));
}

/* Small files. */

/* Returns the length, or -errno; @buf is terminated. */
static inline int read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (got < size - 1) {
		n = read(fd, buf + got, size - 1 - got);
		if (n <= 0)
			break;
		got += n;
	}
	buf[got] = 0;
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? (int)n : (int)got;
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* How many bytes the caller's uid holds, or -errno. */
static inline int64_t user_bytes(void)
{
	struct shmchan_query_device q;
	int ret = query_device(&q);

	return ret ? ret : (int64_t)q.user_bytes;
}

/* How many bytes all hold (for CAP_SYS_ADMIN), or -errno. */
static inline int64_t total_bytes(void)
{
	struct shmchan_query_device q;
	int ret = query_device(&q);

	return ret ? ret : (int64_t)q.total_bytes;
}

/* How many files the caller has open. */
static inline int count_files(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 1024; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

#endif /* SHMCHAN_TEST_H */
