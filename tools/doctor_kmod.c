// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan doctor: the kernel and the module. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"

#define DEVICE	"/dev/shmchan"

/* Is the local backend what the user asked for?  Then no module is no fault. */
static int local_chosen(const struct doctor *d)
{
	return d->wanted == SHMCHAN_BACKEND_LOCAL;
}

static void look_at_kernel(struct doctor *d)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	if (uname(&u))
		return;
	if (sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major > 6 || (major == 6 && minor >= 1))) {
		doctor_good("Linux %s on %s", u.release, u.machine);
	} else if (local_chosen(d)) {
		doctor_note("Linux %s: the module wants 6.1 or later", u.release);
	} else {
		doctor_problem(d, "Linux %s: the module wants 6.1 or later",
			       u.release);
		doctor_advice("use the local backend (SHMCHAN_BACKEND=local), or a later kernel");
	}
}

/* Does the kernel's configuration have this?  -1: there is none to be read. */
static int config_has(const char *option)
{
	char path[128], line[256];
	struct utsname u;
	int has = 0;
	FILE *f;

	if (uname(&u))
		return -1;
	snprintf(path, sizeof(path), "/boot/config-%.64s", u.release);
	f = fopen(path, "re");
	if (!f) {
		snprintf(path, sizeof(path), "/lib/modules/%.64s/build/.config",
			 u.release);
		f = fopen(path, "re");
	}
	if (!f)
		return -1;
	while (!has && fgets(line, sizeof(line), f))
		has = !strncmp(line, option, strlen(option)) &&
		      line[strlen(option)] == '=';
	fclose(f);
	return has;
}

static void look_at_config(void)
{
	static const struct {
		const char *option, *without;
	} wanted[] = {
		{ "CONFIG_MODULES", "nothing can be loaded" },
		{ "CONFIG_MMU_NOTIFIER", "the module does not build" },
		{ "CONFIG_TRANSPARENT_HUGEPAGE", "memory is in 4 KiB pages" },
		{ "CONFIG_MEMCG", "memory is charged to no cgroup" },
	};
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!config_has(wanted[i].option))
			doctor_note("the kernel is without %s: %s",
				    wanted[i].option, wanted[i].without);
}

static void how_to_load(void)
{
	char path[128], line[128];
	struct utsname u;

	if (doctor_in_container()) {
		doctor_advice("load the module on the host, and give the container the device (docker run --device " DEVICE ")");
		return;
	}
	if (uname(&u))
		return;
	snprintf(path, sizeof(path), "/lib/modules/%.64s/build", u.release);
	if (access(path, F_OK))
		doctor_advice("install the kernel's headers: apt-get install linux-headers-%s",
			      u.release);
	doctor_advice("in the source folder: make kmod && sudo insmod build/kmod/%s/shmchan.ko",
		      u.release);
	if (doctor_line("/sys/module/module/parameters/sig_enforce", line,
			sizeof(line)) && line[0] == 'Y')
		doctor_advice("this kernel loads signed modules only: sign it (scripts/sign-file of the headers), with a key that it knows (mokutil --import)");
	if (doctor_line("/sys/kernel/security/lockdown", line, sizeof(line)) &&
	    !strstr(line, "[none]"))
		doctor_advice("the kernel is locked down (%s): only signed modules are loaded",
			      line);
	doctor_advice("or do without: SHMCHAN_BACKEND=local says that this is meant");
}

static void not_loaded(struct doctor *d)
{
	if (local_chosen(d)) {
		doctor_note("the module is not loaded; nothing here asks for it");
		return;
	}
	doctor_problem(d, "the module is not loaded: there is no " DEVICE);
	how_to_load();
}

static void cannot_open(struct doctor *d, int err)
{
	struct stat st;

	switch (err) {
	case ENOENT:
		if (access("/sys/module/shmchan", F_OK)) {
			not_loaded(d);
			return;
		}
		doctor_problem(d, "the module is loaded, but there is no " DEVICE " in this /dev");
		doctor_advice("%s", doctor_in_container() ?
			      "give the container the device: docker run --device " DEVICE :
			      "see whether udev or devtmpfs runs; by hand: mknod " DEVICE " c 10 $(awk '$2 == \"shmchan\" {print $1}' /proc/misc)");
		return;
	case ENXIO:
	case ENODEV:
		doctor_problem(d, DEVICE " is there, but no module behind it");
		doctor_advice("remove the node, and load the module");
		return;
	case EACCES:
		if (!stat(DEVICE, &st))
			doctor_problem(d, DEVICE " may not be opened: its mode is %04o",
				       st.st_mode & 07777);
		else
			doctor_problem(d, DEVICE " may not be opened");
		doctor_advice("chmod 0666 " DEVICE " (the module makes it so; look for a udev rule that does not). Access to regions is by their own modes");
		return;
	case EPERM:
		doctor_problem(d, DEVICE " may not be opened: the cgroup's device rules forbid it");
		doctor_advice("give the container the device: docker run --device " DEVICE);
		return;
	default:
		doctor_problem(d, DEVICE ": %s", strerror(err));
		doctor_advice("look into the kernel's log: dmesg");
	}
}

static void look_at_features(const struct shmchan_query_device *q)
{
	doctor_good("memory in pages of %s%s%s%s%s",
		    q->features & SHMCHAN_FEATURE_HUGE ? "2 MiB, " : "",
		    q->features & SHMCHAN_FEATURE_SMALL ? "4 KiB" : "",
		    q->features & SHMCHAN_FEATURE_CONTIG ?
		    ", in one contiguous run if asked for" : "",
		    q->features & SHMCHAN_FEATURE_NUMA ?
		    ", of chosen memory nodes" : "",
		    q->features & SHMCHAN_FEATURE_DMABUF ?
		    ", exported as dma-bufs" : "");
	if (q->features & SHMCHAN_FEATURE_ACCESS)
		doctor_good("regions can be shared by capabilities, published, sealed and revoked");
	else
		doctor_note("no capabilities and no revocation: the module is older than this command");
	if (!(q->features & SHMCHAN_FEATURE_HUGE))
		doctor_note("no 2 MiB pages: the kernel is without CONFIG_TRANSPARENT_HUGEPAGE");
}

void doctor_kmod(struct doctor *d)
{
	struct shmchan_query_device q;
	int fd, err;

	doctor_title("kernel and module");
	look_at_kernel(d);
	look_at_config();
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		cannot_open(d, errno);
		return;
	}
	close(fd);
	err = shmchan_device_query(&q);
	if (err) {
		doctor_problem(d, "%s", shmchan_error_detail());
		doctor_advice("build the module and the programs from one version");
		return;
	}
	d->kmod_works = 1;
	doctor_good("the module answers with ABI %u.%u; these programs are made for %d.%d",
		    q.abi_major, q.abi_minor, SHMCHAN_ABI_MAJOR,
		    SHMCHAN_ABI_MINOR);
	look_at_features(&q);
	if (local_chosen(d))
		doctor_note("it is there, and not used: SHMCHAN_BACKEND is local");
}
