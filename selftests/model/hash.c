// SPDX-License-Identifier: GPL-2.0-only
/* A set of 128-bit hashes: open addressing, doubled when half full. */
#include <stdlib.h>
#include <string.h>

#include "explore_private.h"

static uint64_t (*table)[2];
static size_t size, used;

/* The finaliser of MurmurHash3, with two sets of constants. */
void hash_mix(uint64_t h[2], uint64_t what)
{
	uint64_t a = h[0] ^ (what + 0x9e3779b97f4a7c15ULL);
	uint64_t b = h[1] + (what ^ 0xd1b54a32d192ed03ULL);

	a ^= a >> 33;
	a *= 0xff51afd7ed558ccdULL;
	a ^= a >> 33;
	b ^= b >> 30;
	b *= 0xbf58476d1ce4e5b9ULL;
	b ^= b >> 27;
	h[0] = a * 0xc4ceb9fe1a85ec53ULL + 1;
	h[1] = (b * 0x94d049bb133111ebULL) ^ (b >> 31);
}

static int insert(const uint64_t h[2])
{
	size_t i;

	for (i = h[0] & (size - 1); table[i][0] | table[i][1];
	     i = (i + 1) & (size - 1))
		if (table[i][0] == h[0] && table[i][1] == h[1])
			return 0;
	table[i][0] = h[0];
	table[i][1] = h[1];
	return 1;
}

void hash_clear(void)
{
	if (size != 1 << 12) {
		free(table);
		size = 1 << 12;
		table = malloc(size * sizeof(*table));
		if (!table)
			abort();
	}
	memset(table, 0, size * sizeof(*table));
	used = 0;
}

int hash_add(const uint64_t h[2])
{
	if (!insert(h))
		return 0;
	if (++used > size / 2) {
		uint64_t (*old)[2] = table;
		size_t i, n = size;

		size *= 2;
		table = calloc(size, sizeof(*table));
		if (!table)
			abort();
		for (i = 0; i < n; i++)
			if (old[i][0] | old[i][1])
				insert(old[i]);
		free(old);
	}
	return 1;
}
