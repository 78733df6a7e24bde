// SPDX-License-Identifier: MIT
/*
 * A segment that is mapped without the right to write was never changed (nothing of ours has text
 * relocations), so its pages are those of the file and may go at any time, also while another
 * thread runs in them. What the loader writes first and protects then (RELRO) lies in segments that
 * may be written, and is left alone.
 */
#include "footprint.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

#include "base/def.h"

static bool has_text_relocations(const struct dl_phdr_info *info, const ElfW(Phdr) * dynamic)
{
	const ElfW(Dyn) *d = (const void *)(info->dlpi_addr + dynamic->p_vaddr);

	for (; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_TEXTREL ||
		    (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL)))
			return true;
	return false;
}

/* Whole pages only: what another segment might share at either end is not touched. */
static void let_go(ElfW(Addr) at, size_t size)
{
	ElfW(Addr) page = (ElfW(Addr))sysconf(_SC_PAGESIZE);
	ElfW(Addr) from = (at + page - 1) & ~(page - 1), to = (at + size) & ~(page - 1);

	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

static int each_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_DYNAMIC && has_text_relocations(info, p))
			return 0;
	}
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
			let_go(info->dlpi_addr + p->p_vaddr, p->p_memsz);
	}
	return 0;
}

void footprint_shrink(void)
{
	dl_iterate_phdr(each_object, NULL);
	malloc_trim(0);
}
