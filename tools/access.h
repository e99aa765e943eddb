/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_ACCESS_H
#define SHMCHAN_TOOL_ACCESS_H

/*
 * What the subcommands about capabilities share: words for rights, and unix
 * sockets that capabilities are handed out on.
 */

#include <shmchan/access.h>

#include "tool.h"

/*
 * Letters as of a mode, "rwap" (r: read and wait, w: write and ring, a: admin,
 * p: publish); or words with commas between.  0, or -1.
 */
int parse_rights(const char *word, uint32_t *rights);

/* Rights in words: "read, wait"; the buffer's. */
#define RIGHTS_WORD	64
const char *rights_word(char *buffer, uint32_t rights);

/* The two of a capability without a name: "SLOT" or "SLOT:GENERATION". */
int parse_slot(const char *word, uint32_t *slot, uint32_t *generation);

/* What --rights has to be, for messages. */
#define RIGHTS_SYNTAX \
	"should be letters of r (read and wait), w (write and ring), a (admin) and p (publish), or words: read,write,ring,wait,admin,publish"

/*
 * Listen at a path, which must not be there; mode is that of the socket: who may
 * write it may connect.  The file, or -1 after a message.
 */
int socket_listen(const struct command *command, const char *path,
		  uint32_t mode);

/*
 * Fetch a capability from whoever listens at a path.  Its file, or -1 after a
 * message, with the exit status in *status.
 */
int socket_fetch(const struct command *command, const char *path,
		 int64_t timeout_ns, int *status);

#endif /* SHMCHAN_TOOL_ACCESS_H */
