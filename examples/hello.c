// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <shmchan/spsc.h>

int main(int argc, char **argv)
{
	int sender = argc > 1 && !strcmp(argv[1], "send");
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = sender ? SHMCHAN_SENDER : SHMCHAN_RECEIVER,
		.create = 1);
	struct shmchan_spsc ch;
	char line[256];
	size_t length;
	int ret = shmchan_spsc_open(&ch, "hello", &opts);

	if (ret)
		errx(1, "%s", shmchan_error_detail());
	if (sender)
		while (!ret && fgets(line, sizeof(line), stdin))
			ret = shmchan_spsc_send(&ch, line, strlen(line), 0, 0, -1);
	else
		while (!(ret = shmchan_spsc_recv(&ch, line, sizeof(line), &length,
						 NULL, -1)))
			fwrite(line, 1, length, stdout);
	/* The receiver ends with -EPIPE, or with -EOWNERDEAD if the sender died. */
	shmchan_spsc_close(&ch);
	return ret && ret != -EPIPE;
}
