/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_VERSION_H
#define SHMCHAN_VERSION_H

/*
 * Which library this is.  The macros say what a program was compiled with,
 * shmchan_version() what it runs with.  Before 1.0 a minor version may change
 * structures; the soname changes with the major version.
 */

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_VERSION_MAJOR	0
#define SHMCHAN_VERSION_MINOR	1
#define SHMCHAN_VERSION_PATCH	0

/* One number that can be compared. */
#define SHMCHAN_VERSION_NUMBER(major, minor, patch) \
	(((major) << 16) | ((minor) << 8) | (patch))
#define SHMCHAN_VERSION \
	SHMCHAN_VERSION_NUMBER(SHMCHAN_VERSION_MAJOR, SHMCHAN_VERSION_MINOR, \
			       SHMCHAN_VERSION_PATCH)

/* SHMCHAN_VERSION of the library that is loaded. */
unsigned int shmchan_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_VERSION_H */
