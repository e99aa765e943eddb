/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_COROUTINE_H
#define MODEL_COROUTINE_H

/*
 * Coroutines whose whole state can be saved and put back: a stack that stays
 * where it is, of which the used part is copied, and a jmp_buf.  No system
 * call is made in a switch.
 */

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#define CORO_STACK	(64 << 10)

struct coro {
	uint8_t *stack;		/* CORO_STACK bytes */
	uint8_t *low;		/* of the part in use */
	jmp_buf regs;
	void (*entry)(void);	/* runs next, from an empty stack, if not NULL */
	struct coro_state *newborn;	/* before it ran anything */
};

struct coro_state {
	jmp_buf regs;
	void (*entry)(void);
	uint8_t *low;
	size_t len;
	uint8_t bytes[];
};

void coro_create(struct coro *c);

/* Begin at fn when it is next resumed, whatever it was doing. */
void coro_restart(struct coro *c, void (*fn)(void));

/* Run it until it yields; returns 1 if its function returned instead. */
int coro_resume(struct coro *c);

/* Back to who resumed. */
void coro_yield(void);

/*
 * The words that are its local state: the stack in use, the registers that a
 * call preserves.  Some of them are dead, so equal states may differ in them.
 */
void coro_words(const struct coro *c, void (*fn)(void *arg, uint64_t word),
		void *arg);

size_t coro_state_size(const struct coro *c);
void coro_save(const struct coro *c, struct coro_state *state);
void coro_restore(struct coro *c, const struct coro_state *state);

#endif /* MODEL_COROUTINE_H */
