// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* What the subcommands share: messages, statuses, words and numbers. */

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <math.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

int tool_help(const struct command *command)
{
	printf("usage: shmchan %s", command->help);
	return tool_flush(command);
}

int tool_try_help(const struct command *command)
{
	fprintf(stderr, "Try 'shmchan %s --help'.\n", command->name);
	return TOOL_USAGE;
}

int tool_usage(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "shmchan %s: ", command->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return tool_try_help(command);
}

int tool_fail(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "shmchan %s: ", command->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tool_status(int err)
{
	switch (-err) {
	case 0:
		return TOOL_OK;
	case EOWNERDEAD:
		return TOOL_DIED;
	case ETIMEDOUT:
		return TOOL_TIMEOUT;
	case ENOENT:
		return TOOL_NO_NAME;
	case EACCES:
	case EPERM:
	case ECONNREFUSED:
		return TOOL_DENIED;
	case ESTALE:
		return TOOL_REVOKED;
	case EPIPE:
		return TOOL_CLOSED;
	case EBUSY:
	case EUSERS:
	case EEXIST:
		return TOOL_BUSY;
	default:
		return TOOL_FAILED;
	}
}

int tool_library_error(const struct command *command, int err)
{
	tool_fail(command, "%s", shmchan_error_detail());
	return tool_status(err);
}

int tool_flush(const struct command *command)
{
	if (!fflush(stdout) && !ferror(stdout))
		return TOOL_OK;
	return tool_fail(command, "writing to standard output: %s",
			 strerror(errno));
}

int parse_size(const char *word, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	unsigned int shift = 0;
	uint64_t n;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return -1;
	errno = 0;
	n = strtoull(word, &end, 10);
	if (errno)
		return -1;
	suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
	if (suffix) {
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		end++;
		if (!strcmp(end, "iB"))
			end += 2;
	}
	if (*end || n > UINT64_MAX >> shift)
		return -1;
	*bytes = n << shift;
	return 0;
}

int parse_seconds(const char *word, int64_t *ns)
{
	double seconds;
	char *end;

	if (!isdigit((unsigned char)word[0]) && word[0] != '.')
		return -1;
	seconds = strtod(word, &end);
	/* A hundred years are for ever, and fit into nanoseconds. */
	if (end == word || *end || !isfinite(seconds) || seconds > 3.1e9)
		return -1;
	*ns = (int64_t)(seconds * 1e9);
	return 0;
}

int parse_mode(const char *word, uint32_t *mode)
{
	unsigned long n;
	char *end;

	if (word[0] < '0' || word[0] > '7')
		return -1;
	n = strtoul(word, &end, 8);
	if (*end || n > 0777 || n & 0111 || !n)
		return -1;
	*mode = (uint32_t)n;
	return 0;
}

int parse_backend(const char *word, enum shmchan_backend *backend)
{
	enum shmchan_backend b;

	for (b = SHMCHAN_BACKEND_AUTO; b <= SHMCHAN_BACKEND_LOCAL; b++) {
		if (!strcmp(word, shmchan_backend_name(b))) {
			*backend = b;
			return 0;
		}
	}
	return -1;
}

const char *size_word(char *buffer, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes;
	unsigned int unit = 0;

	while (n >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		n /= 1024;
		unit++;
	}
	if (n == (double)(uint64_t)n)
		snprintf(buffer, SIZE_WORD, "%" PRIu64 " %s", (uint64_t)n,
			 units[unit]);
	else
		snprintf(buffer, SIZE_WORD, "%.2f %s", n, units[unit]);
	return buffer;
}

#ifdef SHMCHAN_TOOL_STATIC
/*
 * A static program cannot ask the name service: the file has to do.  The line of
 * a name, or if that is NULL of an id: the other of the two.
 */
static int look_in(const char *path, const char *wanted, uint32_t *id,
		   char *buffer)
{
	FILE *f = fopen(path, "re");
	char line[512];
	int found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *save, *name = strtok_r(line, ":", &save);
		char *number = strtok_r(NULL, ":", &save);

		number = number ? strtok_r(NULL, ":", &save) : NULL;
		if (!number)
			continue;
		found = wanted ? !strcmp(name, wanted) :
				 strtoul(number, NULL, 10) == *id;
		if (!found)
			continue;
		if (wanted)
			*id = (uint32_t)strtoul(number, NULL, 10);
		else
			snprintf(buffer, USER_WORD, "%.*s", USER_WORD - 1,
				 name);
	}
	if (f)
		fclose(f);
	return found;
}
#endif

static int parse_id(const char *word, uint32_t *id)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return -1;
	errno = 0;
	n = strtoul(word, &end, 10);
	if (errno || *end || n >= UINT32_MAX)
		return -1;
	*id = (uint32_t)n;
	return 0;
}

int parse_user(const char *word, uint32_t *uid)
{
#ifdef SHMCHAN_TOOL_STATIC
	if (look_in("/etc/passwd", word, uid, NULL))
		return 0;
#else
	struct passwd *pw = getpwnam(word);

	if (pw) {
		*uid = pw->pw_uid;
		return 0;
	}
#endif
	return parse_id(word, uid);
}

int parse_group(const char *word, uint32_t *gid)
{
#ifdef SHMCHAN_TOOL_STATIC
	if (look_in("/etc/group", word, gid, NULL))
		return 0;
#else
	struct group *gr = getgrnam(word);

	if (gr) {
		*gid = gr->gr_gid;
		return 0;
	}
#endif
	return parse_id(word, gid);
}

const char *user_word(char *buffer, uint32_t uid)
{
#ifdef SHMCHAN_TOOL_STATIC
	if (look_in("/etc/passwd", NULL, &uid, buffer))
		return buffer;
#else
	struct passwd *pw = getpwuid(uid);

	if (pw) {
		snprintf(buffer, USER_WORD, "%.*s", USER_WORD - 1, pw->pw_name);
		return buffer;
	}
#endif
	snprintf(buffer, USER_WORD, "%" PRIu32, uid);
	return buffer;
}

const char *group_word(char *buffer, uint32_t gid)
{
#ifdef SHMCHAN_TOOL_STATIC
	if (look_in("/etc/group", NULL, &gid, buffer))
		return buffer;
#else
	struct group *gr = getgrgid(gid);

	if (gr) {
		snprintf(buffer, USER_WORD, "%.*s", USER_WORD - 1, gr->gr_name);
		return buffer;
	}
#endif
	snprintf(buffer, USER_WORD, "%" PRIu32, gid);
	return buffer;
}

void json_string(FILE *out, const char *string)
{
	const unsigned char *s = (const unsigned char *)string;

	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}
