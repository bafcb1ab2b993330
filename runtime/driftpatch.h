/* SPDX-License-Identifier: MIT */
/*
 * Safe points, for programs whose stacks nobody can judge from outside: coroutines, fibres, stacks made by hand.
 *
 *	#include <driftpatch.h>
 *
 *	for (;;) {
 *		driftpatch_safe_point();
 *		run_next_coroutine();
 *	}
 *
 * A program that includes this header is patched cooperatively: each of its threads moves to the new code in a safe point, and nowhere
 * else. A thread that comes to none keeps a patch pending. What is suspended meanwhile, a coroutine inside an old function, goes
 * on in the old function's body, which stays as it was; new calls go to the new one.
 *
 * A safe point costs one load while nothing is pending. It never waits, and leaves errno alone. With a patch under way it makes
 * five system calls, once for each thread and patch: pidfd_open, mmview_clone, mmview_migrate, close, close.
 *
 * C99 or C++11, gcc or clang, x86-64 Linux. Nothing to link with; on a kernel without views it does nothing.
 */
#ifndef DRIFTPATCH_H
#define DRIFTPATCH_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of the transition that is under way, or 0. driftpatch writes it from outside. One for each executable and library. */
__attribute__((weak, visibility("hidden"))) int driftpatch_pending_ = 0;

/* How it is found: an ELF note, "driftpatch", of type 1, with the distance from its last 8 bytes to the number. */
__asm__(".pushsection .note.driftpatch, \"aG\", @note, driftpatch_note_, comdat\n"
	"	.balign 4\n"
	"	.long 11, 8, 1\n"
	"	.asciz \"driftpatch\"\n"
	"	.balign 4\n"
	"	.quad driftpatch_pending_ - .\n"
	"	.popsection\n");

__attribute__((weak, visibility("hidden"), noinline, cold)) void driftpatch_come_along_(int number)
{
	static __thread int done;
	int saved = errno;
	int self, view;

	if (done == number)
		return;
	self = (int)syscall(434 /* pidfd_open */, getpid(), 0);
	view = self < 0 ? -1 : (int)syscall(500 /* mmview_clone */, self, 1 /* MMVIEW_CLONE_ATTACH */);
	if (view >= 0) {
		if (syscall(501 /* mmview_migrate */, view, 0, 0) == 1)
			done = number;
		close(view);
	} else if (errno == ENOENT || errno == ENOSYS) {
		/* over already; or no such kernel */
		done = number;
	}
	if (self >= 0)
		close(self);
	errno = saved;
}

static inline void driftpatch_safe_point(void)
{
	int number = __atomic_load_n(&driftpatch_pending_, __ATOMIC_RELAXED);

	if (__builtin_expect(number != 0, 0))
		driftpatch_come_along_(number);
}

#ifdef __cplusplus
}
#endif
#endif
