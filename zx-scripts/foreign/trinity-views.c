// SPDX-License-Identifier: MIT
/*
 * Teaches a system call fuzzer that calls through libc's syscall() two calls
 * that it does not know: preloaded, it turns setns into mmview_clone and kcmp
 * into mmview_migrate, whose arguments are of the same kinds, and every second
 * ioctl, pread and pwrite into one on a view.
 *
 * Views are of the calling process itself: who fuzzes its own text may die of
 * it, and nobody else does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/mmview.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLONE	500
#define MIGRATE	501
#define VIEWS	8

typedef long (*syscall_fn)(long number, ...);

static const unsigned long ioctls[] = {
	MMVIEW_IOC_MAP, MMVIEW_IOC_GUARD, MMVIEW_IOC_SEAL, MMVIEW_IOC_STATE, MMVIEW_IOC_FOLD,
};

static __thread int views[VIEWS], pidfd;
static __thread pid_t owner;
static __thread unsigned long random_state;

static long pick(unsigned long n)
{
	random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
	return (long)((random_state >> 33) % n);
}

/* A forked child begins with descriptors of its own process. */
static void begin(syscall_fn real)
{
	owner = getpid();
	random_state = owner;
	pidfd = real(SYS_pidfd_open, owner, 0);
	for (int i = 0; i < VIEWS; i++)
		views[i] = real(CLONE, pidfd, 0);
}

long syscall(long number, ...)
{
	static syscall_fn real;
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		real = (syscall_fn)dlsym(RTLD_NEXT, "syscall");
	if (number != SYS_setns && number != SYS_kcmp && number != SYS_ioctl &&
	    number != SYS_pread64 && number != SYS_pwrite64)
		return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (owner != getpid())
		begin(real);
	if (number == SYS_setns) {
		long view = real(CLONE, pick(4) ? pidfd : a[0], pick(4) ? pick(4) : a[1]);
		int slot = pick(VIEWS);

		if (view >= 0 && view != views[slot]) {
			real(SYS_close, views[slot]);
			views[slot] = view;
		}
		return view;
	}
	if (number == SYS_kcmp)
		return real(MIGRATE, pick(8) ? views[pick(VIEWS)] : a[3],
			    pick(4) ? (pick(2) ? 0 : owner) : a[0], pick(4) ? pick(4) : a[2]);
	if (pick(2)) {
		a[0] = views[pick(VIEWS)];
		if (number == SYS_ioctl && pick(8))
			a[1] = ioctls[pick(5)];
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
