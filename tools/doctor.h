/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_DOCTOR_H
#define SHMCHAN_TOOL_DOCTOR_H

/*
 * The parts of `shmchan doctor`.  Each prints what it finds; a problem is what
 * somebody has to do something about, and comes with what to do.
 */

#include <stddef.h>

#include "tool.h"

#define DOCTOR_PARAMETERS	"/sys/module/shmchan/parameters/"

struct doctor {
	enum shmchan_backend wanted;	/* by SHMCHAN_BACKEND; AUTO: nothing */
	enum shmchan_backend used;	/* what AUTO gives here */
	int kmod_works;
	int clean;
	int problems;
};

void doctor_title(const char *title);
__attribute__((format(printf, 1, 2)))
void doctor_good(const char *fmt, ...);
__attribute__((format(printf, 1, 2)))
void doctor_note(const char *fmt, ...);
__attribute__((format(printf, 2, 3)))
void doctor_problem(struct doctor *d, const char *fmt, ...);
/* What to do about the problem just told. */
__attribute__((format(printf, 1, 2)))
void doctor_advice(const char *fmt, ...);

/* The first line of a file, without its newline; NULL if it has none. */
char *doctor_line(const char *path, char *buffer, size_t size);

/* Are we in a container, as far as one can tell? */
int doctor_in_container(void);

void doctor_kmod(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_contig(struct doctor *d);
void doctor_local(struct doctor *d);

#endif /* SHMCHAN_TOOL_DOCTOR_H */
