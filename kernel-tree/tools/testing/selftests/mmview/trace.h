/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own trace of some events, in an instance of tracefs for this
 * process alone. The debug kernel has it.
 */
#ifndef MMVIEW_TRACE_H
#define MMVIEW_TRACE_H

#include <stdbool.h>
#include <stdio.h>

struct trace {
	char instance[64];
};

/* Whether there are events of this kind, such as "tlb/tlb_flush". */
bool trace_has(const char *event);
/* An instance that traces nothing yet, with @buffer_kb for each processor. */
struct trace trace_begin(const char *buffer_kb);
void trace_set(const struct trace *trace, const char *file, const char *value);
/* The lines of the trace so far. */
FILE *trace_open(const struct trace *trace);
void trace_end(const struct trace *trace);

#endif
