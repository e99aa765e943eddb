// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Handles and fork.
 *
 * A region belongs to the process that opened it.  A forked child has a copy
 * of the handle and must not use it: its mappings are not copied
 * (MADV_DONTFORK), its slow paths give -EOWNERDEAD.  And the child must not
 * keep the parent's files: an OFD lock lives as long as any copy of its file,
 * so that a dead parent would look alive for as long as the child lives.
 *
 * The first is told by a token in a page that the kernel wipes in a child
 * (MADV_WIPEONFORK), even in one that was made without libc knowing.  The
 * second is done by pthread_atfork(), so a raw clone() without CLONE_VM keeps
 * the files until it execs or exits; no library can see that.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"

static uint32_t *token_page;
static uint32_t last_token;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shmchan__file *files;	/* under lock */

/* No fork while the list is being changed: the child walks it. */
static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void after_fork_child(void)
{
	uint32_t *page = shmchan_load_acquire(&token_page);
	struct shmchan__file *f;

	/* For kernels that do not wipe it. */
	if (page)
		shmchan_store_relaxed(page, 0);
	for (f = files; f; f = f->next) {
		close(f->fd);
		f->fd = -1;
	}
	files = NULL;
	pthread_mutex_unlock(&lock);
}

static void register_handlers(void)
{
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static uint32_t *get_page(void)
{
	uint32_t *page = shmchan_load_acquire(&token_page), *none = NULL;

	if (page)
		return page;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	madvise(page, 4096, MADV_WIPEONFORK);
	if (!shmchan_cas(&token_page, &none, page)) {
		munmap(page, 4096);
		page = none;
	}
	return page;
}

/* This process's token, never 0; 0 if there is no memory for it. */
uint32_t shmchan__process_token(void)
{
	uint32_t *page = get_page();
	uint32_t token, zero = 0;

	if (!page)
		return 0;
	token = shmchan_load_acquire(page);
	if (token)
		return token;
	/* A child inherits the counter, so its token is a new one. */
	token = shmchan_fetch_add(&last_token, 1) + 1;
	if (!shmchan_cas(page, &zero, token))
		token = zero;
	return token;
}

int shmchan__process_is(uint32_t token)
{
	const uint32_t *page = shmchan_load_acquire(&token_page);

	return page && shmchan_load_relaxed(page) == token;
}

static void enlist(struct shmchan__file *f, int fd)
{
	f->fd = fd;
	f->next = files;
	files = f;
}

/* open(2); the descriptor or -errno. */
int shmchan__file_open(struct shmchan__file *f, const char *path, int flags,
		       mode_t mode)
{
	int fd;

	pthread_once(&once, register_handlers);
	pthread_mutex_lock(&lock);
	fd = open(path, flags | O_CLOEXEC, mode);
	if (fd >= 0)
		enlist(f, fd);
	else
		fd = -errno;
	pthread_mutex_unlock(&lock);
	return fd;
}

/* Take over a descriptor that something else opened. */
void shmchan__file_adopt(struct shmchan__file *f, int fd)
{
	pthread_once(&once, register_handlers);
	pthread_mutex_lock(&lock);
	enlist(f, fd);
	pthread_mutex_unlock(&lock);
}

static void unlist(struct shmchan__file *f)
{
	struct shmchan__file **at;

	for (at = &files; *at; at = &(*at)->next) {
		if (*at == f) {
			*at = f->next;
			break;
		}
	}
}

/* One that is not open is fine. */
void shmchan__file_close(struct shmchan__file *f)
{
	if (f->fd < 0)
		return;
	pthread_mutex_lock(&lock);
	unlist(f);
	close(f->fd);
	f->fd = -1;
	pthread_mutex_unlock(&lock);
}

struct shmchan__file *shmchan__file_find(int fd)
{
	struct shmchan__file *f;

	pthread_mutex_lock(&lock);
	for (f = files; f && f->fd != fd; f = f->next)
		;
	pthread_mutex_unlock(&lock);
	return f;
}

/* Leave a descriptor to whom it was taken over from. */
void shmchan__file_release(struct shmchan__file *f)
{
	pthread_mutex_lock(&lock);
	unlist(f);
	f->fd = -1;
	pthread_mutex_unlock(&lock);
}
