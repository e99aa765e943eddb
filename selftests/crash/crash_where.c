// SPDX-License-Identifier: GPL-2.0-only

/* Crash points: what function an address is in, from the symbols of its file. */

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include "crash_private.h"

/* The last function of the program's own symbols that begins at or before. */
static const char *own_symbol(const uint8_t *image, uint64_t at, uint64_t *from)
{
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)image;
	const Elf64_Shdr *shdr = (const Elf64_Shdr *)(image + ehdr->e_shoff);
	const char *name = NULL;
	const Elf64_Sym *sym;
	size_t i, n;
	int k;

	for (k = 0; k < ehdr->e_shnum; k++) {
		if (shdr[k].sh_type != SHT_SYMTAB)
			continue;
		sym = (const Elf64_Sym *)(image + shdr[k].sh_offset);
		n = shdr[k].sh_size / sizeof(*sym);
		for (i = 0; i < n; i++) {
			if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC ||
			    at < sym[i].st_value ||
			    at >= sym[i].st_value + sym[i].st_size)
				continue;
			name = (const char *)image +
			       shdr[shdr[k].sh_link].sh_offset + sym[i].st_name;
			*from = sym[i].st_value;
		}
	}
	return name;
}

static const uint8_t *own_image(void)
{
	static const uint8_t *image;
	struct stat st;
	void *p;
	int fd;

	if (image)
		return image;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return NULL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return image = p == MAP_FAILED ? NULL : p;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(uint64_t *)arg = info->dlpi_addr;
	return 1;
}

const char *crash_where(uint64_t address)
{
	static char text[256];
	const uint8_t *image = own_image();
	const char *name = NULL;
	uint64_t base = 0, from = 0;
	Dl_info info;

	dl_iterate_phdr(first_object, &base);
	if (image)
		name = own_symbol(image, address - base, &from);
	if (name)
		snprintf(text, sizeof(text), "%s+%#llx (%#llx in the program)",
			 name, (unsigned long long)(address - base - from),
			 (unsigned long long)(address - base));
	else if (dladdr((void *)(uintptr_t)address, &info) && info.dli_sname)
		snprintf(text, sizeof(text), "%s+%#llx in %s", info.dli_sname,
			 (unsigned long long)(address -
					      (uintptr_t)info.dli_saddr),
			 info.dli_fname);
	else
		snprintf(text, sizeof(text), "%#llx",
			 (unsigned long long)address);
	return text;
}
