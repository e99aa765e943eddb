// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* The file that record writes and replay reads. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <shmchan/lane_layout.h>

#include "recording.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "recordings are little-endian: convert them where this machine is not"
#endif

#define PADDING(n)	((8 - ((n) & 7)) & 7)

_Static_assert(sizeof(struct recording_header) == 64, "as documented");
_Static_assert(sizeof(struct recording_entry) == 32, "as documented");

static uint32_t crc32_of(uint32_t crc, const void *data, size_t length)
{
	static uint32_t table[256];
	const unsigned char *p = data;
	uint32_t i, j;

	for (i = 0; !table[255] && i < 256; i++) {
		uint32_t c = i;

		for (j = 0; j < 8; j++)
			c = c & 1 ? c >> 1 ^ 0xedb88320U : c >> 1;
		table[i] = c;
	}
	crc = ~crc;
	while (length--)
		crc = table[(crc ^ *p++) & 255] ^ crc >> 8;
	return ~crc;
}

static uint32_t checksum(const struct recording_entry *entry, const void *data)
{
	struct recording_entry copy = *entry;
	uint32_t crc;

	copy.checksum = 0;
	crc = crc32_of(0, &copy, sizeof(copy));
	return entry->length ? crc32_of(crc, data, entry->length) : crc;
}

static int put(FILE *file, const void *data, size_t length)
{
	return fwrite(data, 1, length, file) == length ? 0 : -1;
}

static int put_padded(FILE *file, const void *data, size_t length)
{
	static const char zeros[8];

	if (length && put(file, data, length))
		return -1;
	return put(file, zeros, PADDING(length));
}

int recording_begin(FILE *file, struct recording_header *header,
		    const char *name)
{
	size_t length = strlen(name);

	header->magic = RECORDING_MAGIC;
	header->version = RECORDING_VERSION;
	header->name_length = (uint32_t)length;
	header->length = (uint32_t)(sizeof(*header) + length +
				    PADDING(length));
	if (put(file, header, sizeof(*header)) ||
	    put_padded(file, name, length))
		return -1;
	return fflush(file);
}

int recording_append(FILE *file, struct recording_entry *entry,
		     const void *data)
{
	entry->checksum = checksum(entry, data);
	if (put(file, entry, sizeof(*entry)))
		return -1;
	return put_padded(file, data, entry->length);
}

const char *recording_open(FILE *file, struct recording_header *header)
{
	static char words[64];
	char skipped[256];
	size_t left;

	if (fread(header, sizeof(*header), 1, file) != 1 ||
	    header->magic != RECORDING_MAGIC)
		return "it is no recording of shmchan record";
	if (header->version != RECORDING_VERSION) {
		snprintf(words, sizeof(words),
			 "its format is of version %u, known here is %u",
			 header->version, RECORDING_VERSION);
		return words;
	}
	left = header->length - sizeof(*header);
	if (header->length < sizeof(*header) || left > sizeof(skipped) ||
	    (left && fread(skipped, left, 1, file) != 1))
		return "its header is not whole";
	return NULL;
}

enum recording_read recording_next(FILE *file, struct recording_entry *entry,
				   void **data, size_t *size)
{
	size_t wanted;
	void *bigger;

	if (fread(entry, sizeof(*entry), 1, file) != 1)
		return ferror(file) ? RECORDING_FAILED : RECORDING_CUT;
	/* No channel has longer ones: it is none. */
	if (entry->length > SHMCHAN_LANE_MAX_CAPACITY / 4)
		return RECORDING_CUT;
	wanted = entry->length + PADDING(entry->length);
	if (wanted > *size) {
		bigger = realloc(*data, wanted);
		if (!bigger)
			return RECORDING_FAILED;
		*data = bigger;
		*size = wanted;
	}
	if (wanted && fread(*data, wanted, 1, file) != 1)
		return ferror(file) ? RECORDING_FAILED : RECORDING_CUT;
	if (checksum(entry, *data) != entry->checksum)
		return RECORDING_CUT;
	return entry->what == RECORDING_END ? RECORDING_WHOLE : RECORDING_READ;
}
