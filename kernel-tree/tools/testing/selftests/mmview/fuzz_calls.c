// SPDX-License-Identifier: GPL-2.0
/*
 * A caller of the fuzzer: makes calls at random, and looks whether what came of
 * them is what the man pages say. It keeps descriptors of processes and of
 * views, its own, the targets' and other callers', living and dead.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define PIDFDS		6
#define VIEWS		12
#define NOBODY		65534

/* Its slots are never empty: at first they hold its own pidfd and its own views. */
struct caller {
	unsigned long random;
	bool may;			/* attach to targets */
	int pidfd[PIDFDS];
	int view[VIEWS];
	pid_t pidfd_of[PIDFDS];		/* whose they are */
	pid_t view_of[VIEWS];
	int newest;			/* index into view: perhaps unsealed */
	unsigned long arena;			/* made last, in whatever process */
};

static char data[2 * PAGE];

/* --- what calls are made of --------------------------------------------------- */

/* Always somebody's: 0 is nobody's pid. */
static pid_t some_pid(struct caller *c)
{
	struct fuzz_target *t = &ONE_OF(&c->random, fuzz->target);
	pid_t pids[] = { t->pid, t->pid, t->pid, t->tid[PICK(&c->random, FUZZ_THREADS)],
			 getpid(), getpid(), getppid(), 2, INT32_MAX, -1 };
	pid_t pid = ONE_OF(&c->random, pids);

	return pid ?: getpid();
}

static unsigned long some_address(struct caller *c)
{
	unsigned long addresses[] = {
		(uintptr_t)fuzz->scratch, (uintptr_t)fuzz->scratch + PICK(&c->random, 5 * PAGE),
		(uintptr_t)fuzz->code[0] + PAGE - 8, (uintptr_t)data, (uintptr_t)fuzz, c->arena,
		(uintptr_t)__builtin_frame_address(0), 0, PICK(&c->random, 1 << 20),
		0x00007ffffffff000UL - PICK(&c->random, 2 * PAGE), 0x0000800000000000UL,
		0x7fffffffffffffffUL - PICK(&c->random, 4), 0xffffffff81000000UL,
		fuzz_random(&c->random), fuzz_random(&c->random) >> 17,
	};

	return ONE_OF(&c->random, addresses);
}

/* Where the kernel may write: a buffer, or no memory at all. */
static void *some_buffer(struct caller *c)
{
	static unsigned long buffer[8 << 10];
	void *buffers[] = { buffer, buffer, buffer, buffer, NULL, (void *)0xffff888000000000UL,
			    (void *)0x00007ffffffff000UL, (void *)8 };

	return ONE_OF(&c->random, buffers);
}

static int some_view(struct caller *c)
{
	return ONE_OF(&c->random, c->view);
}

static int new_view(struct caller *c)
{
	return PICK(&c->random, 2) ? c->view[c->newest] : some_view(c);
}

static int some_fd(struct caller *c)
{
	int fds[] = { ONE_OF(&c->random, c->pidfd), some_view(c), STDIN_FILENO, 999, -1,
		      INT32_MIN };

	return ONE_OF(&c->random, fds);
}

/* --- what may come of them ------------------------------------------------------ */

enum op { CLONE, WRITE, READ, MAP, GUARD, SEAL, STATE, FOLD, MIGRATE, OTHER };
static const char *const op_names[FUZZ_OPS] = { "clone", "pwrite", "pread", "MAP", "GUARD", "SEAL",
					      "STATE", "FOLD", "migrate", "others" };

/* The man pages' lists, for a descriptor that is a view's; EPERM, ESRCH: any. */
static const int errnos[FUZZ_OPS][8] = {
	[CLONE] = { EBADF, EINVAL, ENOENT, ENOMEM, EMFILE, ENFILE },
	[WRITE] = { EACCES, EBUSY, EFAULT, EINVAL, ENOMEM },
	[READ] = { EFAULT, EINVAL, ENOMEM },
	[MAP] = { EBUSY, EFAULT, EINVAL, ENOMEM, ENOSPC },
	[GUARD] = { EBUSY, EFAULT, EINVAL, ENOMEM },
	[STATE] = { EFAULT, EINVAL, ENOMEM },
	[FOLD] = { EBUSY, EINVAL, ENOMEM },
	[MIGRATE] = { EBADF, EBUSY, EINVAL },
	[OTHER] = { ENOTTY },
};

static long came(struct caller *c, enum op kind, long result)
{
	int error = errno;
	bool known = result >= 0 || (error == EPERM && !c->may) || error == ESRCH;

	atomic_fetch_add(&fuzz->tried[kind], 1);
	if (result >= 0)
		atomic_fetch_add(&fuzz->done[kind], 1);
	for (int i = 0; i < 8 && !known; i++)
		known = errnos[kind][i] && errnos[kind][i] == error;
	CHECK_MSG(known, "%s gave %ld", op_names[kind], result);
	return result;
}

/* --- the calls ------------------------------------------------------------------ */

static void open_pidfd(struct caller *c)
{
	int slot = PICK(&c->random, PIDFDS), fd;
	pid_t pid = some_pid(c);

	fd = sys_pidfd_open(pid);
	if (fd < 0)
		return;
	CHECK(!close(c->pidfd[slot]));
	c->pidfd[slot] = fd;
	c->pidfd_of[slot] = pid;
}

static void call_clone(struct caller *c)
{
	unsigned int flags[] = { 0, 0, 0, 0, 1, 2, 2, 3, 4, 1u << PICK(&c->random, 32) };
	int slot = PICK(&c->random, VIEWS), from = PICK(&c->random, PIDFDS);
	int fd = PICK(&c->random, 8) ? c->pidfd[from] : some_fd(c);
	unsigned int flag = ONE_OF(&c->random, flags);
	long view = came(c, CLONE, sys_mmview_clone(fd, flag));

	CHECK_MSG(view < 0 || !(flag & ~3u), "unknown flags %#x", flag);
	if (view < 0)
		return;
	CHECK(!close(c->view[slot]));
	c->view[slot] = view;
	c->view_of[slot] = c->pidfd_of[from];
	c->newest = slot;
}

static bool inside(unsigned long at, size_t size, const void *start, size_t length)
{
	unsigned long from = (uintptr_t)start;

	return at >= from && at < from + length && size <= from + length - at;
}

/* No text is there that anybody executes. */
static bool harmless(struct caller *c, unsigned long at, size_t size)
{
	return inside(at, size, fuzz->scratch, FUZZ_SCRATCH * PAGE) ||
	       inside(at, size, data, sizeof(data)) || inside(at, size, fuzz, sizeof(*fuzz)) ||
	       at == c->arena || at >> 47 || at + size < 1 << 20;
}

/* Only whole stubs go to the pages that are executed. */
static void call_write(struct caller *c)
{
	size_t size = PICK(&c->random, 4) ? PICK(&c->random, 64) : PICK(&c->random, 3 * PAGE);
	unsigned char stub[STUB_SIZE];
	unsigned long at = some_address(c);

	if (PICK(&c->random, 2)) {
		stub_write(stub, 1 + PICK(&c->random, FUZZ_VALUES));
		came(c, WRITE, pwrite(new_view(c), stub, sizeof(stub),
				      (off_t)(uintptr_t)ONE_OF(&c->random, fuzz->code)));
		return;
	}
	if (!harmless(c, at, size))
		size = 0;
	came(c, WRITE, pwrite(new_view(c), some_buffer(c), size, at));
}

static void call_read(struct caller *c)
{
	char *buffer = some_buffer(c);

	came(c, READ, pread(some_view(c), buffer, PICK(&c->random, 5 * PAGE), some_address(c)));
}

static void call_map(struct caller *c)
{
	struct mmview_map map = {
		.near_start = some_address(c),
		.code_size = PICK(&c->random, 6) ? PICK(&c->random, 9) * PAGE : some_address(c),
		.data_size = PICK(&c->random, 6) ? PICK(&c->random, 9) * PAGE : some_address(c),
	};

	map.near_end = map.near_start + PICK(&c->random, 3 * PAGE);
	if (!came(c, MAP, ioctl(new_view(c), MMVIEW_IOC_MAP, PICK(&c->random, 8) ? &map : NULL)))
		c->arena = map.code_addr;
}

static void call_guard(struct caller *c)
{
	struct mmview_range ranges[8];
	struct mmview_guard guard = { (uintptr_t)ranges, PICK(&c->random, 9),
				      !PICK(&c->random, 9) };

	for (int i = 0; i < 8; i++) {
		ranges[i].start = some_address(c);
		ranges[i].end = ranges[i].start + PICK(&c->random, PAGE) + !!PICK(&c->random, 9);
		ranges[i].kind = PICK(&c->random, 20) ? PICK(&c->random, 2) : 7;
		ranges[i].reserved = !PICK(&c->random, 50);
	}
	if (!PICK(&c->random, 8))
		guard.ranges = some_address(c);
	if (!PICK(&c->random, 8))
		guard.nr = fuzz_random(&c->random);
	came(c, GUARD, ioctl(new_view(c), MMVIEW_IOC_GUARD, &guard));
}

static void call_seal(struct caller *c)
{
	if (PICK(&c->random, 3))
		return;
	came(c, SEAL, ioctl(some_view(c), MMVIEW_IOC_SEAL, some_address(c)));
}

static void call_state(struct caller *c)
{
	struct mmview_state state = {
		.threads = (uintptr_t)some_buffer(c),
		.nr = PICK(&c->random, 16) ? PICK(&c->random, 200) : fuzz_random(&c->random),
		.reserved = !PICK(&c->random, 16),
	};

	/* The buffer has room for a thousand, and no process here has as many. */
	came(c, STATE, ioctl(some_view(c), MMVIEW_IOC_STATE, PICK(&c->random, 9) ? &state : NULL));
}

static void call_fold(struct caller *c)
{
	came(c, FOLD, ioctl(some_view(c), MMVIEW_IOC_FOLD, 0));
}

static void call_migrate(struct caller *c)
{
	unsigned int flags[] = { 0, 0, 1, 1, 1, 2, 3, 4, 1u << PICK(&c->random, 32) };
	unsigned int flag = ONE_OF(&c->random, flags);
	int slot = PICK(&c->random, VIEWS);
	int fd = PICK(&c->random, 12) ? c->view[slot] : some_fd(c);
	pid_t tids[] = { c->view_of[slot], c->view_of[slot], c->view_of[slot], 0, some_pid(c) };
	pid_t tid = ONE_OF(&c->random, tids);
	long result = came(c, MIGRATE, sys_mmview_migrate(fd, tid, flag));

	CHECK_MSG(result < 0 || (result <= 1 && flag <= 3 && tid >= 0),
		  "tid %d flags %#x gave %ld", tid, flag, result);
}

static void call_others(struct caller *c)
{
	struct pollfd poll_one = { .fd = some_view(c), .events = POLLIN | POLLPRI };
	char path[64], text[512];
	int fd, view = some_view(c);

	came(c, OTHER, ioctl(view, fuzz_random(&c->random) | 0xff, some_buffer(c)));
	CHECK(poll(&poll_one, 1, 0) >= 0);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, view, 0) == MAP_FAILED);
	CHECK(read(view, some_buffer(c), 1) < 0);	/* at 0, where nothing is */
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", view);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) > 0 && !close(fd));
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mmview", some_pid(c), some_pid(c));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		CHECK(read(fd, text, sizeof(text)) >= 0 || errno == ESRCH || errno == EACCES);
		CHECK(!close(fd));
	}
}

static void kill_a_target(struct caller *c)
{
	struct fuzz_target *t = &ONE_OF(&c->random, fuzz->target);
	int pid;

	if (!c->may || PICK(&c->random, 6))
		return;
	pid = atomic_exchange(&t->pid, 0);
	if (!pid)
		return;
	atomic_store(&t->killed, 1);
	CHECK(!kill(pid, SIGKILL));
}

static void fork_and_leave(struct caller *c)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		for (int i = 0; i < 5; i++) {
			call_migrate(c);
			call_state(c);
		}
		_exit(0);
	}
	CHECK_EQ(reap(pid), 0);
}

static void (*const calls[])(struct caller *c) = {
	open_pidfd, open_pidfd, call_clone, call_clone, call_clone, call_clone,
	call_write, call_write, call_write, call_write, call_read, call_map, call_guard,
	call_seal, call_state, call_state, call_fold, call_fold, call_migrate, call_migrate,
	call_migrate, call_migrate, call_others, kill_a_target, fork_and_leave,
};

int fuzz_caller_main(void *arg)
{
	int index = (int)(intptr_t)arg;
	struct caller c = { .random = fuzz->seed * 64 + index, .may = index > 0 };

	CHECK(c.may || !setuid(NOBODY));
	for (int i = 0; i < PIDFDS; i++) {
		c.pidfd[i] = sys_pidfd_open(getpid());
		c.pidfd_of[i] = getpid();
	}
	for (int i = 0; i < VIEWS; i++) {
		c.view[i] = view_of(getpid());
		c.view_of[i] = getpid();
	}
	for (long i = 0; i < fuzz->steps; i++) {
		ONE_OF(&c.random, calls)(&c);
		for (int page = 0; page < FUZZ_CODES; page++) {
			int value = code_call(fuzz->code[page]);

			CHECK(value >= 1 && value <= FUZZ_VALUES);
		}
	}
	return 0;
}

void fuzz_report(void)
{
	printf("# seed %lu, %ld steps each; done of tried:", fuzz->seed,
	       fuzz->steps);
	for (int op = 0; op < FUZZ_OPS; op++)
		printf(" %s %ld/%ld", op_names[op], atomic_load(&fuzz->done[op]),
		       atomic_load(&fuzz->tried[op]));
	printf("\n");
	fflush(stdout);
	for (int op = 0; op < OTHER; op++)
		CHECK_MSG(fuzz->steps < 2000 || atomic_load(&fuzz->done[op]), "no %s succeeded",
			  op_names[op]);
}
