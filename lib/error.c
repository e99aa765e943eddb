// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The detail of a thread's last error, and the version. */

#include <stdarg.h>
#include <stdio.h>

#include <shmchan/version.h>

#include "internal.h"

static _Thread_local char detail[512];

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
	return -err;
}

const char *shmchan_error_detail(void)
{
	return detail;
}

unsigned int shmchan_version(void)
{
	return SHMCHAN_VERSION;
}
