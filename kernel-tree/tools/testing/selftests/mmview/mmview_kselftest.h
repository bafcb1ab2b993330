/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few ksft_* functions that these tests use, for a build outside a kernel
 * tree. Inside one, mmview_util.h takes ../kselftest.h and not this file.
 *
 * Invariant: TAP 13 on stdout, one result line per planned case; the exit
 * status is KSFT_PASS only if every planned case passed or was skipped.
 */
#ifndef MMVIEW_KSELFTEST_H
#define MMVIEW_KSELFTEST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define KSFT_PASS	0
#define KSFT_FAIL	1
#define KSFT_SKIP	4

static unsigned int mmview_ksft_plan, mmview_ksft_done, mmview_ksft_bad;

static inline void ksft_print_header(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
}

static inline void ksft_set_plan(unsigned int plan)
{
	mmview_ksft_plan = plan;
	printf("1..%u\n", plan);
}

__attribute__((format(printf, 1, 2)))
static inline void ksft_print_msg(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
}

static inline void mmview_ksft_line(const char *verdict, const char *mark,
				    const char *format, va_list args)
{
	printf("%s %u %s", verdict, ++mmview_ksft_done, mark);
	vprintf(format, args);
	fflush(stdout);
}

#define MMVIEW_KSFT_RESULT(name, verdict, mark, bad)			\
__attribute__((format(printf, 1, 2)))					\
static inline void name(const char *format, ...)			\
{									\
	va_list args;							\
									\
	va_start(args, format);						\
	mmview_ksft_bad += bad;						\
	mmview_ksft_line(verdict, mark, format, args);			\
	va_end(args);							\
}

MMVIEW_KSFT_RESULT(ksft_test_result_pass, "ok", "", 0)
MMVIEW_KSFT_RESULT(ksft_test_result_fail, "not ok", "", 1)
MMVIEW_KSFT_RESULT(ksft_test_result_skip, "ok", "# SKIP ", 0)
#undef MMVIEW_KSFT_RESULT

__attribute__((noreturn, format(printf, 1, 2)))
static inline void ksft_exit_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("1..0 # SKIP ");
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
	exit(KSFT_SKIP);
}

__attribute__((noreturn, format(printf, 1, 2)))
static inline void ksft_exit_fail_msg(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("Bail out! ");
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
	exit(KSFT_FAIL);
}

__attribute__((noreturn))
static inline void ksft_finished(void)
{
	if (mmview_ksft_done != mmview_ksft_plan)
		printf("# planned %u cases, ran %u\n", mmview_ksft_plan, mmview_ksft_done);
	printf("# Totals: pass+skip:%u fail:%u\n",
	       mmview_ksft_done - mmview_ksft_bad, mmview_ksft_bad);
	fflush(stdout);
	exit(mmview_ksft_bad || mmview_ksft_done != mmview_ksft_plan ? KSFT_FAIL : KSFT_PASS);
}

#endif
