/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests read and write below /proc and /sys.
 *
 * Invariant: a system-wide setting that a test changes is what it was before
 * when the program ends, if main() has asked for that with knob_keep().
 */
#ifndef MMVIEW_KNOBS_H
#define MMVIEW_KNOBS_H

#include "mmview_util.h"

/* The file's text without its newline; of "a [b] c" the "b". False: errno. */
bool knob_get(const char *path, char *text, size_t size);
/* One write. False: errno. */
bool knob_set(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* In main(): put back at exit. False: no such file. */
bool knob_keep(const char *path);
/* The number behind the last line that begins with @field; -1: none does. */
long long knob_field(const char *path, const char *field);
/* The same, of the mapping of this process that @at lies in. */
long long smaps_field(const void *at, const char *field);
/* The entry of /proc/self/pagemap for the page at @at. */
uint64_t pagemap_entry(const void *at);
#define PAGEMAP_SOFT_DIRTY	(1ULL << 55)
#define PAGEMAP_PFN(entry)	((entry) & ((1ULL << 55) - 1))

#endif
