// SPDX-License-Identifier: GPL-2.0
/*
 * Every errno of the man pages, and that nothing has changed after it: the
 * mappings, the open descriptors, the view's own state and what the code
 * returns are compared before and after each refused call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmview_util.h"

#define KSFT_SKIP	4
#define USER_END	0x0000800000000000UL	/* the first byte no user page can have */
#define NOBODY		65534

static char *code;			/* two pages */
static int view = -1;

static uint64_t hash_file(const char *path)
{
	static char text[1 << 16];
	uint64_t hash = 14695981039346656037UL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ (unsigned char)text[i]) * 1099511628211UL;
	close(fd);
	return hash;
}

static uint64_t fingerprint(void)
{
	struct mmview_state s = { 0 };
	uint64_t fds = 0, hash = hash_file("/proc/self/maps");

	if (view >= 0)
		s = view_state(view, NULL, 0);
	for (int fd = 0; fd < 64; fd++)
		fds |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	hash = hash * 31 + fds;
	hash = hash * 31 + s.flags;
	hash = hash * 31 + s.migrated;
	hash = hash * 31 + s.overrides;
	hash = hash * 31 + task_view(getpid(), sys_gettid());
	for (int i = 0; i < 2; i++) {
		hash = hash * 31 + code_call(code + i * PAGE);
		if (view >= 0)
			hash = hash * 31 + view_value(view, code + i * PAGE);
	}
	return hash;
}

/* The call is refused with exactly this errno, and everything is as it was. */
#define REFUSED(call, err) do {						\
	uint64_t before_ = fingerprint();				\
									\
	CHECK_ERR(call, err);						\
	CHECK_MSG(fingerprint() == before_, "%s changed something", #call); \
} while (0)

static void setup(bool with_view)
{
	code = code_map(CODE_FILE, 2);
	if (!with_view)
		return;
	view = view_of(getpid());
	view_patch(view, code, NEW);
}

static int exit_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static int sleep_for_ever(void *arg)
{
	(void)arg;
	while (pause())
		;
	return 0;
}

static int clone_errors(void)
{
	int self = sys_pidfd_open(getpid()), null = open("/dev/null", O_RDWR | O_CLOEXEC), dead;
	pid_t pid = spawn(exit_at_once, NULL);

	setup(false);
	dead = sys_pidfd_open(pid);
	CHECK(self >= 0 && null >= 0 && dead >= 0);
	REFUSED(sys_mmview_clone(self, 4), EINVAL);
	REFUSED(sys_mmview_clone(self, MMVIEW_CLONE_ATTACH | MMVIEW_CLONE_NEWEST), EINVAL);
	REFUSED(sys_mmview_clone(self, 1u << 31), EINVAL);
	REFUSED(sys_mmview_clone(self, MMVIEW_CLONE_ATTACH | 4), EINVAL);
	REFUSED(sys_mmview_clone(-1, 0), EBADF);
	REFUSED(sys_mmview_clone(1000, 0), EBADF);
	REFUSED(sys_mmview_clone(null, 0), EBADF);
	REFUSED(sys_mmview_clone(self, MMVIEW_CLONE_ATTACH), ENOENT);
	CHECK_EQ(reap(pid), 0);
	REFUSED(sys_mmview_clone(dead, 0), ESRCH);
	REFUSED(sys_mmview_clone(dead, MMVIEW_CLONE_ATTACH), ESRCH);
	return 0;
}

static int clone_of_a_zombie(void)
{
	pid_t pid = spawn(exit_at_once, NULL);
	int dead = sys_pidfd_open(pid);
	siginfo_t info;

	setup(false);
	CHECK(dead >= 0);
	CHECK(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	REFUSED(sys_mmview_clone(dead, 0), ESRCH);
	CHECK_EQ(reap(pid), 0);
	return 0;
}

static int clone_of_a_kernel_thread(void)
{
	char name[32] = "";
	int fd = open("/proc/2/comm", O_RDONLY | O_CLOEXEC), kthread;

	if (fd < 0 || read(fd, name, sizeof(name) - 1) <= 0 || strcmp(name, "kthreadd\n"))
		return KSFT_SKIP;
	close(fd);
	setup(false);
	kthread = sys_pidfd_open(2);
	CHECK(kthread >= 0);
	REFUSED(sys_mmview_clone(kthread, 0), ESRCH);
	return 0;
}

static int no_descriptor_left(void)
{
	int self = sys_pidfd_open(getpid()), proc = open("/proc/self/maps", O_RDONLY), spare;
	struct rlimit limit, tight;
	int alive = views_alive();

	/* A hole below the limit would be used: fill them all. */
	CHECK(self >= 0 && proc >= 0 && !getrlimit(RLIMIT_NOFILE, &limit));
	tight = limit;
	spare = dup(self);
	CHECK(spare >= 0);
	tight.rlim_cur = spare + 1;
	CHECK(!setrlimit(RLIMIT_NOFILE, &tight));
	CHECK_ERR(sys_mmview_clone(self, 0), EMFILE);
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	if (alive >= 0)
		EVENTUALLY(views_alive() == alive);
	return 0;
}

/* What a user without rights over the target gets: on each operation anew. */
static int other_users_calls(void *arg)
{
	struct mmview_map map = { (uintptr_t)code, (uintptr_t)code + PAGE, PAGE, 0, 0, 0 };
	struct mmview_guard guard = { 0 };
	struct mmview_state state = { 0 };
	char byte = 0;
	int target = sys_pidfd_open(getppid());

	(void)arg;
	CHECK(target >= 0 && !setresgid(NOBODY, NOBODY, NOBODY));
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY));
	CHECK_ERR(sys_mmview_clone(target, 0), EPERM);
	CHECK_ERR(sys_mmview_clone(target, MMVIEW_CLONE_ATTACH), EPERM);
	CHECK_ERR(sys_mmview_migrate(view, getppid(), 0), EPERM);
	CHECK_ERR(sys_mmview_migrate(view, getppid(), MMVIEW_MIGRATE_ALL), EPERM);
	CHECK_ERR(pread(view, &byte, 1, (off_t)(uintptr_t)code), EPERM);
	CHECK_ERR(pwrite(view, &byte, 1, (off_t)(uintptr_t)code), EPERM);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_MAP, &map), EPERM);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_GUARD, &guard), EPERM);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_SEAL), EPERM);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_STATE, &state), EPERM);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_FOLD), EPERM);
	return 0;
}

static int another_users_process(void)
{
	uint64_t before;

	if (geteuid())
		return KSFT_SKIP;
	setup(true);
	before = fingerprint();
	CHECK_EQ(reap(spawn(other_users_calls, NULL)), 0);
	CHECK(fingerprint() == before);
	return 0;
}

static int migrate_errors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), self = sys_pidfd_open(getpid());
	pid_t gone = spawn(exit_at_once, NULL), other = spawn(sleep_for_ever, NULL);

	setup(true);
	CHECK_EQ(reap(gone), 0);
	REFUSED(sys_mmview_migrate(view, 0, 4), EINVAL);
	REFUSED(sys_mmview_migrate(view, 0, 1u << 31), EINVAL);
	REFUSED(sys_mmview_migrate(null, 0, 0), EINVAL);
	REFUSED(sys_mmview_migrate(self, 0, 0), EINVAL);
	REFUSED(sys_mmview_migrate(-1, 0, 0), EBADF);
	REFUSED(sys_mmview_migrate(1000, 0, 0), EBADF);
	REFUSED(sys_mmview_migrate(view, gone, 0), ESRCH);
	REFUSED(sys_mmview_migrate(view, other, 0), ESRCH);
	REFUSED(sys_mmview_migrate(view, -1, 0), EINVAL);
	REFUSED(sys_mmview_migrate(view, 0, MMVIEW_MIGRATE_ALL), EINVAL);
	REFUSED(sys_mmview_migrate(view, other, MMVIEW_MIGRATE_ALL), ESRCH);
	kill(other, SIGKILL);
	CHECK_EQ(reap(other), 256 + SIGKILL);
	return 0;
}

static int view_of_a_process_that_is_gone(void)
{
	pid_t pid = spawn(sleep_for_ever, NULL);
	struct mmview_map map = { 0, 0, PAGE, 0, 0, 0 };
	struct mmview_state state = { 0 };
	char byte = 0;
	int theirs;

	setup(false);
	map.near_start = (uintptr_t)code;
	map.near_end = map.near_start + PAGE;
	theirs = view_of(pid);
	/* The caller is no thread of that process. */
	REFUSED(sys_mmview_migrate(theirs, 0, 0), ESRCH);
	REFUSED(sys_mmview_migrate(theirs, sys_gettid(), 0), ESRCH);
	kill(pid, SIGKILL);
	CHECK_EQ(reap(pid), 256 + SIGKILL);
	REFUSED(sys_mmview_migrate(theirs, pid, 0), ESRCH);
	REFUSED(sys_mmview_migrate(theirs, pid, MMVIEW_MIGRATE_ALL), ESRCH);
	REFUSED(pread(theirs, &byte, 1, (off_t)(uintptr_t)code), ESRCH);
	REFUSED(pwrite(theirs, &byte, 1, (off_t)(uintptr_t)code), ESRCH);
	REFUSED(ioctl(theirs, MMVIEW_IOC_MAP, &map), ESRCH);
	REFUSED(ioctl(theirs, MMVIEW_IOC_STATE, &state), ESRCH);
	return 0;
}

static int exec_when_told(void *arg)
{
	char byte;

	CHECK_EQ(read(((int *)arg)[0], &byte, 1), 1);
	execl("/proc/self/exe", "errors", "--pause", NULL);
	return 1;
}

/* Another program, another address space: the view is of the old one. */
static int view_of_a_process_that_has_executed(void)
{
	int ends[2], theirs;
	char byte = 0, name[64] = "";
	char path[32];
	pid_t pid;

	setup(false);
	CHECK(!pipe(ends));
	pid = spawn(exec_when_told, ends);
	theirs = view_of(pid);
	view_patch(theirs, code, NEW);
	CHECK_EQ(write(ends[1], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		CHECK(fd >= 0 && read(fd, name, sizeof(name)) >= 0);
		close(fd);
	} while (strcmp(name, "errors") || strcmp(name + 7, "--pause"));
	REFUSED(sys_mmview_migrate(theirs, pid, 0), ESRCH);
	REFUSED(pread(theirs, &byte, 1, (off_t)(uintptr_t)code), ESRCH);
	REFUSED(pwrite(theirs, &byte, 1, (off_t)(uintptr_t)code), ESRCH);
	REFUSED(ioctl(theirs, MMVIEW_IOC_SEAL), ESRCH);
	kill(pid, SIGKILL);
	CHECK_EQ(reap(pid), 256 + SIGKILL);
	return 0;
}

static int pread_and_pwrite_errors(void)
{
	char stub[STUB_SIZE], *writable = aligned_alloc(PAGE, PAGE);
	int memfd = memfd_create("mmview-shared", MFD_CLOEXEC);
	char *shared, *hole = code_map(CODE_ANON, 1);
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);

	setup(true);
	stub_write(stub, 99);
	CHECK(writable && memfd >= 0 && !ftruncate(memfd, PAGE));
	memset(writable, 0x55, PAGE);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, memfd, 0);
	CHECK(shared != MAP_FAILED && !munmap(hole, PAGE));

	REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)hole), EFAULT);
	REFUSED(pread(view, stub, STUB_SIZE, (off_t)(uintptr_t)hole), EFAULT);
	REFUSED(pwrite(view, stub, STUB_SIZE, 0), EFAULT);
	REFUSED(pwrite(view, stub, STUB_SIZE, USER_END), EFAULT);
	REFUSED(pread(view, stub, STUB_SIZE, USER_END), EFAULT);
	REFUSED(pread(view, stub, STUB_SIZE, INT64_MAX - 16), EFAULT);
	/* Addresses of the kernel are negative offsets: the VFS refuses them. */
	REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)0xffffffff81000000UL), EINVAL);
	REFUSED(pread(view, stub, STUB_SIZE, (off_t)0xffff888000000000UL), EINVAL);
	REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)writable), EACCES);
	CHECK_EQ(writable[0], 0x55);
	REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)shared), EACCES);
	if (vdso)
		REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)vdso), EACCES);
	REFUSED(pwrite(view, hole, STUB_SIZE, (off_t)(uintptr_t)code), EFAULT);
	REFUSED(pread(view, hole, STUB_SIZE, (off_t)(uintptr_t)code), EFAULT);
	CHECK_EQ(pwrite(view, stub, 0, (off_t)(uintptr_t)code), 0);
	CHECK_EQ(view_value(view, code), NEW);
	return 0;
}

/* Half of it can be written: a short write or none, but never more. */
static int write_into_a_hole(void)
{
	char *pages = code_map(CODE_ANON, 2), stub[STUB_SIZE], now[3];
	ssize_t n;

	setup(true);
	CHECK(!munmap(pages + PAGE, PAGE));
	stub_write(stub, 99);
	n = pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)(pages + PAGE - 3));
	CHECK_MSG(n == 3 || (n == -1 && errno == EFAULT), "gave %zd", n);
	CHECK_EQ(pread(view, now, 3, (off_t)(uintptr_t)(pages + PAGE - 3)), 3);
	CHECK(n == 3 ? !memcmp(now, stub, 3) : !memcmp(now, "\xcc\xcc\xcc", 3));
	CHECK(!memcmp(pages + PAGE - 3, "\xcc\xcc\xcc", 3));
	return 0;
}

static int sealed(void)
{
	struct mmview_range range = { 0, PAGE, MMVIEW_GUARD_CHANGED, 0 };
	struct mmview_guard guard = { (uintptr_t)&range, 1, 0 };
	struct mmview_map map = { 0, 0, PAGE, 0, 0, 0 };
	char stub[STUB_SIZE];

	setup(true);
	stub_write(stub, 99);
	map.near_start = (uintptr_t)code;
	map.near_end = map.near_start + PAGE;
	REFUSED(ioctl(view, MMVIEW_IOC_FOLD), EINVAL);
	CHECK(!ioctl(view, MMVIEW_IOC_SEAL));
	CHECK_EQ(view_state(view, NULL, 0).flags, MMVIEW_STATE_SEALED);
	CHECK(!ioctl(view, MMVIEW_IOC_SEAL));
	REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)code), EBUSY);
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EBUSY);
	REFUSED(ioctl(view, MMVIEW_IOC_MAP, &map), EBUSY);
	REFUSED(ioctl(view, MMVIEW_IOC_FOLD), EBUSY);
	return 0;
}

/* migrate seals, also when nobody called SEAL. */
static int migrate_seals(void)
{
	char stub[STUB_SIZE];

	setup(true);
	stub_write(stub, 99);
	CHECK_EQ(view_state(view, NULL, 0).flags, 0);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK(view_state(view, NULL, 0).flags & MMVIEW_STATE_SEALED);
	REFUSED(pwrite(view, stub, STUB_SIZE, (off_t)(uintptr_t)code), EBUSY);
	return 0;
}

static int ioctl_errors(void)
{
	struct mmview_range range = { (uintptr_t)code, 0, MMVIEW_GUARD_CHANGED, 0 };
	struct mmview_guard guard = { (uintptr_t)&range, 1, 0 };
	struct mmview_state state = { .reserved = 1 };

	setup(true);
	range.start = (uintptr_t)code;
	range.end = range.start + PAGE;
	CHECK(!ioctl(view, MMVIEW_IOC_GUARD, &guard));
	guard.reserved = 1;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EINVAL);
	guard.reserved = 0;
	guard.nr = MMVIEW_MAX_GUARDS + 1;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EINVAL);
	guard.nr = 1;
	range.reserved = 1;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EINVAL);
	range.reserved = 0;
	range.kind = 2;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EINVAL);
	range.kind = MMVIEW_GUARD_BODY;
	range.end = range.start;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EINVAL);
	range.end = range.start - 1;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EINVAL);
	guard.ranges = 8;
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, &guard), EFAULT);
	REFUSED(ioctl(view, MMVIEW_IOC_GUARD, (void *)8), EFAULT);
	REFUSED(ioctl(view, MMVIEW_IOC_MAP, (void *)8), EFAULT);
	REFUSED(ioctl(view, MMVIEW_IOC_STATE, (void *)8), EFAULT);
	REFUSED(ioctl(view, MMVIEW_IOC_STATE, &state), EINVAL);
	state = (struct mmview_state){ .threads = 8, .nr = 1 };
	REFUSED(ioctl(view, MMVIEW_IOC_STATE, &state), EFAULT);
	REFUSED(ioctl(view, _IO('V', 0xaf)), ENOTTY);
	return 0;
}

static int map_errors(void)
{
	uint64_t at;

	setup(true);
	at = (uintptr_t)code;
#define MAP_REFUSED(err, ...) do {					\
	struct mmview_map map = { __VA_ARGS__, 0, 0 };			\
									\
	REFUSED(ioctl(view, MMVIEW_IOC_MAP, &map), err);		\
} while (0)
	MAP_REFUSED(EINVAL, at, at + PAGE, 0, 0);
	MAP_REFUSED(EINVAL, at, at + PAGE, 0, PAGE);
	MAP_REFUSED(EINVAL, at, at + PAGE, 100, 0);
	MAP_REFUSED(EINVAL, at, at + PAGE, PAGE, 100);
	MAP_REFUSED(EINVAL, at, at, PAGE, 0);
	MAP_REFUSED(EINVAL, at + PAGE, at, PAGE, 0);
	MAP_REFUSED(EINVAL, 0xffffffff81000000UL, 0xffffffff81001000UL, PAGE, 0);
	MAP_REFUSED(EINVAL, at, USER_END + PAGE, PAGE, 0);
	MAP_REFUSED(EINVAL, at, at + PAGE, (1UL << 30) + PAGE, 0);
	MAP_REFUSED(EINVAL, at, at + PAGE, PAGE, 1UL << 63);
	/* Nothing is within reach of both ends. */
	MAP_REFUSED(ENOSPC, PAGE, USER_END - PAGE, PAGE, 0);
	return 0;
}

/* The answer cannot be written: then there is no arena, and the next one may be. */
static int map_into_read_only_memory(void)
{
	struct mmview_map *map = (void *)data_map_at(NULL, 1);

	setup(true);
	*map = (struct mmview_map){ (uintptr_t)code, (uintptr_t)code + PAGE, PAGE, PAGE, 0, 0 };
	CHECK(!mprotect(map, PAGE, PROT_READ));
	REFUSED(ioctl(view, MMVIEW_IOC_MAP, map), EFAULT);
	CHECK(!mprotect(map, PAGE, PROT_READ | PROT_WRITE));
	CHECK(!ioctl(view, MMVIEW_IOC_MAP, map));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "mmview_clone: EINVAL, EBADF, ENOENT, ESRCH", clone_errors },
		{ "mmview_clone of a zombie: ESRCH", clone_of_a_zombie },
		{ "mmview_clone of a kernel thread: ESRCH", clone_of_a_kernel_thread },
		{ "mmview_clone without a free descriptor: EMFILE", no_descriptor_left },
		{ "another user's process: EPERM, at every operation", another_users_process },
		{ "mmview_migrate: EINVAL, EBADF, ESRCH", migrate_errors },
		{ "a view of a process that is gone: ESRCH", view_of_a_process_that_is_gone },
		{ "a view of a process that has executed: ESRCH",
		  view_of_a_process_that_has_executed },
		{ "pread and pwrite: EFAULT, EINVAL, EACCES", pread_and_pwrite_errors },
		{ "pwrite that runs into a hole", write_into_a_hole },
		{ "a sealed view: EBUSY; SEAL again: 0", sealed },
		{ "mmview_migrate seals", migrate_seals },
		{ "GUARD, STATE and unknown ioctls: EINVAL, EFAULT, ENOTTY", ioctl_errors },
		{ "MAP: EINVAL, ENOSPC", map_errors },
		{ "MAP with a read-only argument: EFAULT", map_into_read_only_memory },
	};

	if (argc == 2 && !strcmp(argv[1], "--pause"))
		return sleep_for_ever(NULL);
	MMVIEW_MAIN(cases);
}
