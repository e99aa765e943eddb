/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ACCESS_LETTERS_H
#define SHMCHAN_ACCESS_LETTERS_H

/*
 * Reading access_table.h: what its letters mean, and whether it is whole.
 */

#include "access_table.h"

/* One letter, or as many as there are, in groups. */
static inline char letter_at(const char *letters, unsigned int nr)
{
	if (!letters[1])
		return letters[0];
	for (;; letters++) {
		if (*letters == ' ')
			continue;
		if (!*letters || !nr--)
			return *letters;
	}
}

static const struct {
	char letter;
	int result;
} letters_known[] = {
	{ '+', 0 },
	{ '-', -ENODATA },	/* what the functions of access_ops.h say */
	{ '.', -EACCES },
	{ 'P', -EPERM },
	{ 'c', -ENOTCONN },
	{ 'i', -EISCONN },
	{ 's', -ESTALE },
	{ 'e', -EEXIST },
	{ 'n', -ENOENT },
	{ 'v', -EINVAL },
};

static inline bool is_result(char letter, int *result)
{
	unsigned int i;

	for (i = 0; i < COUNT(letters_known); i++) {
		if (letters_known[i].letter == letter) {
			*result = letters_known[i].result;
			return true;
		}
	}
	return false;
}

/* @got: right if it is one of those that '*' leaves open */
static inline int result_of(char letter, long got)
{
	int result = -EBADMSG;

	if (letter == '*')
		return got == -EPERM || got == -ESTALE ? got : -EACCES;
	is_result(letter, &result);
	return result;
}

/* In the order of their bits. */
static const char right_letters[] = "rwbsap";

static inline unsigned int rights_of(const char *letters)
{
	unsigned int i, rights = 0;

	if (!strcmp(letters, "all"))
		return SHMCHAN_RIGHT_ALL;
	for (i = 0; right_letters[i]; i++)
		if (strchr(letters, right_letters[i]))
			rights |= 1U << i;
	return rights;
}

#define ROWS_FOR(rows, who, where) \
	name_row_for(rows, COUNT(rows), who, where)

static inline const struct name_row *
name_row_for(const struct name_row *rows, unsigned int nr, enum subject who,
	     enum place where)
{
	const struct name_row *row;

	for (row = rows; row < rows + nr; row++)
		if (row->where & AT(where) && row->who & THE(who))
			return row;
	return NULL;
}

static inline unsigned int mode_nr(unsigned int mode)
{
	unsigned int m;

	for (m = 0; m < NR_MODES; m++)
		if (modes[m] == mode)
			break;
	return m;
}

static inline bool row_applies(const struct row *row, bool home)
{
	return row->where == EITHER || (row->where == HOME) == home;
}

static inline char expected_letter(const struct row *row, enum state state,
				   unsigned int column, enum subject who)
{
	char letter;

	if (state == A_MEMBER)
		letter = letter_at(row->member, column);
	else if (state == UNBOUND)
		letter = letter_at(row->unbound, column);
	else
		letter = row->others[state - ANOTHERS];
	return letter == '?' ? letter_at(row->who, who) : letter;
}

/* As many known letters as there are columns, or one for all. */
static inline bool fits(const char *letters, unsigned int nr)
{
	unsigned int have = 0;
	int result;

	for (; letters && *letters; letters++) {
		if (*letters == ' ')
			continue;
		if (!is_result(*letters, &result) && !strchr("*/?", *letters))
			return false;
		have++;
	}
	return have == nr || have == 1;
}

static inline unsigned int rows_for(const struct name_row *rows,
				    unsigned int nr, enum subject who,
				    enum place where)
{
	unsigned int i, found = 0;

	for (i = 0; i < nr; i++)
		found += rows[i].where & AT(where) && rows[i].who & THE(who);
	return found;
}

static inline bool good_row(const struct row *row)
{
	bool asks = strchr(row->member, '?') || strchr(row->unbound, '?') ||
		    strchr(row->others, '?');

	return fits(row->member, NR_COLUMNS) &&
	       fits(row->unbound, NR_COLUMNS) && strlen(row->others) == 3 &&
	       fits(row->others, 3) &&
	       (asks ? fits(row->who, NR_SUBJECTS) : !row->who);
}

static inline const char *first_bad_row(void)
{
	unsigned int i;

	for (i = 0; i < COUNT(capability_rows); i++)
		if (!good_row(&capability_rows[i]))
			return capability_rows[i].what;
	for (i = 0; i < COUNT(device_rows); i++)
		if (!fits(device_rows[i].who, NR_SUBJECTS))
			return device_rows[i].what;
	return "";
}

#endif /* SHMCHAN_ACCESS_LETTERS_H */
