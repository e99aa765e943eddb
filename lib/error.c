// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The detail of a thread's last error, and the version. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <shmchan/version.h>

#include "internal.h"

static _Thread_local char detail[512];
/* What is not in words yet, and comes in place of that. */
static _Thread_local struct {
	const char *fmt;
	unsigned long long a, b, c, d;
} later;

int shmchan__fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	/* The text may quote the last detail: format beside it. */
	char text[sizeof(detail)];
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < sizeof(detail); i++) {
		detail[i] = text[i];
		if (!text[i])
			break;
	}
	later.fmt = NULL;
	return -err;
}

int shmchan__fail_later(int err, const char *fmt, unsigned long long a,
			unsigned long long b, unsigned long long c,
			unsigned long long d)
{
	later.fmt = fmt;
	later.a = a;
	later.b = b;
	later.c = c;
	later.d = d;
	return -err;
}

int shmchan__fail_briefly(int err, const char *text)
{
	later.fmt = text;
	return -err;
}

/* As strerror(3), which need not be safe to call from two threads. */
const char *shmchan__errstr(int err)
{
	static _Thread_local char text[128];

#ifdef __GLIBC__
	return strerror_r(err, text, sizeof(text));
#else
	return strerror_r(err, text, sizeof(text)) ? "unknown error" : text;
#endif
}

const char *shmchan_error_detail(void)
{
	if (later.fmt) {
		snprintf(detail, sizeof(detail), later.fmt, later.a, later.b,
			 later.c, later.d);
		later.fmt = NULL;
	}
	return detail;
}

unsigned int shmchan_version(void)
{
	return SHMCHAN_VERSION;
}
