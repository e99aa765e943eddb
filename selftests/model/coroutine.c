// SPDX-License-Identifier: GPL-2.0-only
/* See coroutine.h.  glibc's _setjmp saves no signal mask. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "coroutine.h"

/* Below the frame of coro_yield() nothing is live. */
#define MARGIN	512

static struct coro *running;
static jmp_buf scheduler;
static int returned;

__attribute__((noinline)) void coro_yield(void)
{
	running->low = (uint8_t *)__builtin_frame_address(0) - MARGIN;
	if (!_setjmp(running->regs))
		_longjmp(scheduler, 1);
}

/* Every coroutine is born here, and comes back here to begin anew. */
static void birth(void)
{
	for (;;) {
		void (*fn)(void);

		coro_yield();
		fn = running->entry;
		running->entry = NULL;
		if (fn) {
			fn();
			returned = 1;
		}
	}
}

static ucontext_t home;
static struct coro *born;
static void first(void)
{
	running = born;
	birth();
}

void coro_create(struct coro *c)
{
	ucontext_t ctx;

	c->stack = mmap(NULL, CORO_STACK, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->stack == MAP_FAILED)
		abort();
	if (getcontext(&ctx))
		abort();
	ctx.uc_stack.ss_sp = c->stack;
	ctx.uc_stack.ss_size = CORO_STACK;
	ctx.uc_link = &home;
	makecontext(&ctx, first, 0);
	born = c;
	if (!_setjmp(scheduler))
		swapcontext(&home, &ctx);
	c->entry = NULL;
	c->newborn = malloc(coro_state_size(c));
	if (!c->newborn)
		abort();
	coro_save(c, c->newborn);
}

void coro_restart(struct coro *c, void (*fn)(void))
{
	coro_restore(c, c->newborn);
	c->entry = fn;
}

int coro_resume(struct coro *c)
{
	running = c;
	returned = 0;
	if (!_setjmp(scheduler))
		_longjmp(c->regs, 1);
	return returned;
}

void coro_words(const struct coro *c, void (*fn)(void *arg, uint64_t word),
		void *arg)
{
	const uint64_t *p = (const uint64_t *)
		(((uintptr_t)c->low + MARGIN) & ~7UL);
	const uint64_t *end = (const uint64_t *)(c->stack + CORO_STACK);
	uint64_t regs[sizeof(c->regs[0].__jmpbuf) / 8];
	size_t i;

	for (; p < end; p++)
		fn(arg, *p);
	memcpy(regs, c->regs[0].__jmpbuf, sizeof(regs));
	for (i = 0; i < sizeof(regs) / sizeof(*regs); i++)
		fn(arg, regs[i]);
}

size_t coro_state_size(const struct coro *c)
{
	return sizeof(struct coro_state) +
		(size_t)(c->stack + CORO_STACK - c->low);
}

void coro_save(const struct coro *c, struct coro_state *state)
{
	memcpy(state->regs, c->regs, sizeof(jmp_buf));
	state->entry = c->entry;
	state->low = c->low;
	state->len = (size_t)(c->stack + CORO_STACK - c->low);
	memcpy(state->bytes, c->low, state->len);
}

void coro_restore(struct coro *c, const struct coro_state *state)
{
	memcpy(c->regs, state->regs, sizeof(jmp_buf));
	c->entry = state->entry;
	c->low = state->low;
	memcpy(c->low, state->bytes, state->len);
}
