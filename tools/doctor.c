// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan doctor: what is there, what is used, and what should be done. */

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

static const char help[] =
	"doctor [OPTION]...\n\n"
	"Looks at what shmchan needs here, says which backend programs get and why,\n"
	"and for each problem what to do.\n\n"
	"      --clean          remove what dead processes have left in the local\n"
	"                       backend's folder\n"
	"  -h, --help           this\n\n"
	"exit status: 0 all is well; 1 something should be done.\n";

static const struct option options[] = {
	{ "clean", no_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

void doctor_title(const char *title)
{
	printf("%s\n", title);
}

static void tell(const char *mark, const char *fmt, va_list ap)
{
	printf("  %-8s ", mark);
	vprintf(fmt, ap);
	putchar('\n');
}

void doctor_good(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell("ok", fmt, ap);
	va_end(ap);
}

void doctor_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell("note", fmt, ap);
	va_end(ap);
}

void doctor_problem(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	d->problems++;
	va_start(ap, fmt);
	tell("PROBLEM", fmt, ap);
	va_end(ap);
}

void doctor_advice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell("  to do:", fmt, ap);
	va_end(ap);
}

char *doctor_line(const char *path, char *buffer, size_t size)
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

int doctor_in_container(void)
{
	return !access("/.dockerenv", F_OK) ||
	       !access("/run/.containerenv", F_OK) ||
	       !access("/run/systemd/container", F_OK);
}

static void look_at_choice(struct doctor *d)
{
	const char *word = getenv("SHMCHAN_BACKEND");

	doctor_title("backend");
	d->used = shmchan_backend_default();
	if (word && word[0] && parse_backend(word, &d->wanted)) {
		doctor_problem(d, "SHMCHAN_BACKEND is '%s' in the environment: every create and open fails",
			       word);
		doctor_advice("set it to kmod, local or auto, or unset it");
	} else if (d->wanted != SHMCHAN_BACKEND_AUTO) {
		doctor_good("%s, because SHMCHAN_BACKEND says so",
			    shmchan_backend_name(d->wanted));
	} else if (d->used == SHMCHAN_BACKEND_KMOD) {
		doctor_good("kmod, because /dev/shmchan is there");
	} else {
		doctor_good("local, because there is no /dev/shmchan");
	}
}

/* What the choice means for who relies on it. */
static void look_at_protection(const struct doctor *d)
{
	const char *file = "/proc/sys/kernel/yama/ptrace_scope";
	char line[32];

	doctor_title("protection");
	if (d->used != SHMCHAN_BACKEND_KMOD || !d->kmod_works) {
		doctor_note("the local backend is for processes that trust each other: windows are not enforced, names are seen by all who see the folder, a death is noticed within %lld ms",
			    SHMCHAN_LOCAL_SLICE_NS / 1000000);
		return;
	}
	doctor_good("between users: windows are kept by the MMU");
	if (!doctor_line(file, line, sizeof(line)))
		doctor_note("between processes of one user: none, as they may ptrace each other (the kernel has no Yama)");
	else if (line[0] == '0')
		doctor_note("between processes of one user: none, as they may ptrace each other (sysctl kernel.yama.ptrace_scope=1 would stop that)");
	else
		doctor_good("between processes of one user: kernel.yama.ptrace_scope is %s, so they may not ptrace each other",
			    line);
}

static int run(int argc, char **argv)
{
	struct doctor d = { .wanted = SHMCHAN_BACKEND_AUTO };
	int letter, status;

	while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			d.clean = 1;
			break;
		case 'h':
			return tool_help(&doctor_command);
		default:
			return tool_try_help(&doctor_command);
		}
	}
	if (optind < argc)
		return tool_usage(&doctor_command, "'%s' is too many",
				  argv[optind]);
	look_at_choice(&d);
	doctor_kmod(&d);
	doctor_limits(&d);
	doctor_contig(&d);
	doctor_local(&d);
	look_at_protection(&d);
	if (d.problems)
		printf("\n%d problem%s.\n", d.problems,
		       d.problems == 1 ? "" : "s");
	else
		puts("\nAll is well.");
	status = tool_flush(&doctor_command);
	return d.problems ? TOOL_FAILED : status;
}

const struct command doctor_command = {
	"doctor", run, "see what is missing here, and what to do about it",
	help,
};
