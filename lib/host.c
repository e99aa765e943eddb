// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What messages tell about this machine: memory, its nodes, the module. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

char *shmchan__first_line(const char *path, char *buffer, size_t size)
{
	FILE *f = fopen(path, "re");
	char *line;

	if (!f)
		return NULL;
	line = fgets(buffer, (int)size, f);
	fclose(f);
	if (line)
		line[strcspn(line, "\n")] = 0;
	return line;
}

/* What stands behind "FIELD:" in such a file, without blanks; or NULL. */
static char *field_of(const char *path, const char *field, char *line,
		      size_t size)
{
	size_t length = strlen(field);
	char *found = NULL;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return NULL;
	while (!found && fgets(line, (int)size, f))
		if (!strncmp(line, field, length) && line[length] == ':')
			found = line + length + 1;
	fclose(f);
	if (!found)
		return NULL;
	found += strspn(found, " \t");
	found[strcspn(found, "\n")] = 0;
	return found;
}

uint64_t shmchan__meminfo(const char *field)
{
	char line[256], *kib;

	kib = field_of("/proc/meminfo", field, line, sizeof(line));
	return kib ? strtoull(kib, NULL, 10) << 10 : 0;
}

uint64_t shmchan__node_meminfo(uint32_t node, const char *field)
{
	char path[64], name[64], line[256], *kib;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%" PRIu32 "/meminfo", node);
	snprintf(name, sizeof(name), "Node %" PRIu32 " %.32s", node, field);
	kib = field_of(path, name, line, sizeof(line));
	return kib ? strtoull(kib, NULL, 10) << 10 : 0;
}

void shmchan__nodes_with_memory(char *list)
{
	list[0] = 0;
	(void)shmchan__first_line("/sys/devices/system/node/has_memory", list,
				  SHMCHAN__NODES);
}

void shmchan__nodes_allowed(char *list)
{
	char line[SHMCHAN__NODES + 32], *found;

	list[0] = 0;
	found = field_of("/proc/thread-self/status", "Mems_allowed_list", line,
			 sizeof(line));
	if (found)
		snprintf(list, SHMCHAN__NODES, "%.*s", SHMCHAN__NODES - 1,
			 found);
}

int shmchan__node_in(const char *list, uint32_t node)
{
	unsigned long first, last;
	char *end;

	while (*list) {
		first = strtoul(list, &end, 10);
		if (end == list)
			return 0;
		last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		if (node >= first && node <= last)
			return 1;
		list = *end == ',' ? end + 1 : end;
	}
	return 0;
}

const char *shmchan__parameter(const char *name, char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/shmchan/parameters/%s", name);
	value[0] = 0;
	(void)shmchan__first_line(path, value, SHMCHAN__PARAMETER);
	return value;
}
