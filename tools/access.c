// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* What the subcommands about capabilities share. */

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "access.h"

static const struct {
	const char *word;
	uint32_t right;
} words[] = {
	{ "read", SHMCHAN_RIGHT_MAP_READ }, { "write", SHMCHAN_RIGHT_MAP_WRITE },
	{ "ring", SHMCHAN_RIGHT_RING }, { "wait", SHMCHAN_RIGHT_WAIT },
	{ "admin", SHMCHAN_RIGHT_ADMIN }, { "publish", SHMCHAN_RIGHT_PUBLISH },
};
#define NR_WORDS	(sizeof(words) / sizeof(words[0]))

static uint32_t letter_right(char letter)
{
	switch (letter) {
	case 'r':
		return SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT;
	case 'w':
		return SHMCHAN_RIGHT_MAP_WRITE | SHMCHAN_RIGHT_RING;
	case 'a':
		return SHMCHAN_RIGHT_ADMIN;
	case 'p':
		return SHMCHAN_RIGHT_PUBLISH;
	default:
		return 0;
	}
}

static uint32_t word_right(const char *word, size_t length)
{
	size_t i;

	for (i = 0; i < NR_WORDS; i++)
		if (strlen(words[i].word) == length &&
		    !strncmp(words[i].word, word, length))
			return words[i].right;
	return 0;
}

int parse_rights(const char *word, uint32_t *rights)
{
	uint32_t right;
	size_t length;

	*rights = 0;
	if (*word && word[strspn(word, "rwap")] == 0) {
		for (; *word; word++)
			*rights |= letter_right(*word);
		return 0;
	}
	for (;; word += length + 1) {
		length = strcspn(word, ",");
		right = word_right(word, length);
		if (!right)
			return -1;
		*rights |= right;
		if (!word[length])
			return 0;
	}
}

const char *rights_word(char *buffer, uint32_t rights)
{
	size_t i, n = 0;

	snprintf(buffer, RIGHTS_WORD, "nothing");
	for (i = 0; i < NR_WORDS; i++)
		if (rights & words[i].right)
			n += (size_t)snprintf(buffer + n, RIGHTS_WORD - n,
					      "%s%s", n ? ", " : "",
					      words[i].word);
	return buffer;
}

static int parse_number(const char *word, const char **end, uint32_t *number)
{
	unsigned long n;
	char *stop;

	if (!isdigit((unsigned char)word[0]))
		return -1;
	errno = 0;
	n = strtoul(word, &stop, 10);
	if (errno || n >= UINT32_MAX)
		return -1;
	*end = stop;
	*number = (uint32_t)n;
	return 0;
}

int parse_slot(const char *word, uint32_t *slot, uint32_t *generation)
{
	const char *end;

	*generation = 0;
	if (parse_number(word, &end, slot) || *slot >= SHMCHAN_MAX_SLOTS)
		return -1;
	if (*end == ':' && (parse_number(end + 1, &end, generation) ||
			    !*generation))
		return -1;
	return *end ? -1 : 0;
}

static int make_address(const struct command *command, const char *path,
			struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path)) {
		tool_fail(command,
			  "%s: a socket's path has %zu bytes at most; go to its folder and give a shorter one",
			  path, sizeof(address->sun_path) - 1);
		return -1;
	}
	strcpy(address->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int in_use(const struct command *command,
		  const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = connect(fd, (const struct sockaddr *)address,
			  sizeof(*address)) ? errno : 0;

	close(fd);
	if (err == ECONNREFUSED)
		tool_fail(command,
			  "%s is there, and nobody listens on it: who did was killed; remove it",
			  address->sun_path);
	else
		tool_fail(command,
			  "%s is there already: should be a path that is free",
			  address->sun_path);
	return -1;
}

int socket_listen(const struct command *command, const char *path,
		  uint32_t mode)
{
	struct sockaddr_un address;
	int fd = make_address(command, path, &address), err;
	mode_t before;

	if (fd < 0)
		return -1;
	before = umask(~mode & 0777);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	umask(before);
	if (!err && listen(fd, SOMAXCONN)) {
		err = errno;
		unlink(path);
	}
	if (!err)
		return fd;
	close(fd);
	if (err == EADDRINUSE)
		return in_use(command, &address);
	tool_fail(command, "listening at %s: %s", path, strerror(err));
	return -1;
}

static int silent_socket(const struct command *command, const char *path,
			 int *status)
{
	tool_fail(command, "who listens at %s gave nothing in time", path);
	*status = tool_status(-ETIMEDOUT);
	return -1;
}

/* For each step; negative: for ever. */
static void socket_patience(int fd, int64_t timeout_ns)
{
	struct timeval t = {
		.tv_sec = timeout_ns / 1000000000,
		.tv_usec = timeout_ns % 1000000000 / 1000,
	};

	if (timeout_ns < 0)
		return;
	/* 0 would be for ever. */
	if (!t.tv_sec && !t.tv_usec)
		t.tv_usec = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

int socket_fetch(const struct command *command, const char *path,
		 int64_t timeout_ns, int *status)
{
	struct sockaddr_un address;
	int fd = make_address(command, path, &address), err, capability;

	*status = TOOL_FAILED;
	if (fd < 0)
		return -1;
	socket_patience(fd, timeout_ns);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = errno;
		close(fd);
		if (err == EAGAIN)
			return silent_socket(command, path, status);
		*status = tool_status(-err);
		if (err == ENOENT || err == ECONNREFUSED)
			tool_fail(command,
				  "nobody listens at %s: 'shmchan grant NAME --socket %s' does",
				  path, path);
		else
			tool_fail(command, "%s: %s", path, strerror(err));
		return -1;
	}
	capability = shmchan_capability_receive(fd);
	close(fd);
	if (capability >= 0)
		return capability;
	if (capability == -EAGAIN)
		return silent_socket(command, path, status);
	*status = tool_library_error(command, capability);
	return -1;
}
