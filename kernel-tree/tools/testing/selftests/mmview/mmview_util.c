// SPDX-License-Identifier: GPL-2.0
/*
 * Shared helpers of the mmview tests; mmview_util.h tells the idea.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if __has_include("../kselftest.h")
#include "../kselftest.h"
#elif defined(MMVIEW_HAVE_KSELFTEST)
#include "kselftest.h"
#else
#include "mmview_kselftest.h"
#endif
#include "mmview_util.h"

int mmview_case_timeout_s = 300;
const char *mmview_case_name;

int sys_mmview_clone(int pidfd, unsigned int flags)
{
	return syscall(__NR_mmview_clone, pidfd, flags);
}

int sys_mmview_migrate(int view, pid_t tid, unsigned int flags)
{
	return syscall(__NR_mmview_migrate, view, tid, flags);
}

int sys_pidfd_open(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

pid_t sys_gettid(void)
{
	return syscall(SYS_gettid);
}

long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

void mmview_fail(const char *file, int line, const char *what, int err, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	/* One write: threads and processes fail at the same time. */
	n = snprintf(text, sizeof(text),
		     "# %s:%d: pid %d tid %d: not true: %s (errno %d, %s) ", file, line, getpid(),
		     sys_gettid(), what, err, strerror(err));
	n = n < (int)sizeof(text) ? n : (int)sizeof(text) - 1;
	va_start(args, format);
	n += vsnprintf(text + n, sizeof(text) - n, format, args);
	va_end(args);
	n = n < (int)sizeof(text) - 1 ? n : (int)sizeof(text) - 2;
	text[n++] = '\n';
	if (write(STDOUT_FILENO, text, n) < 0)
		_exit(KSFT_FAIL + 1);
	_exit(KSFT_FAIL);
}

int case_skip(const char *why)
{
	printf("# skipped: %s\n", why);
	fflush(stdout);
	return KSFT_SKIP;
}

void *shared_alloc(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

pid_t spawn(int (*fn)(void *), void *arg)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* In a pid namespace of its own it knows no number of its parent's. */
		if (getppid() && getppid() != parent)
			_exit(KSFT_FAIL);
		_exit(fn(arg));
	}
	return pid;
}

int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_in_child(void *arg)
{
	const struct mmview_case *c = arg;

	setpgid(0, 0);
	mmview_case_name = c->name;
	return c->run();
}

int views_alive(void)
{
	char text[32] = "";
	int fd = open("/sys/kernel/debug/mmview/views", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && !mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL))
		fd = open("/sys/kernel/debug/mmview/views", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return text[0] ? atoi(text) : -1;
}

/* Views are freed a little later than their last user goes. */
static int wait_for_views(int expected)
{
	long long end = now_ns() + 5000000000LL;
	int now = views_alive();

	while (now != expected && now_ns() < end) {
		sleep_ms(50);
		now = views_alive();
	}
	return now;
}

static void run_case(const struct mmview_case *c)
{
	int before = views_alive();
	pid_t pid = spawn(run_in_child, (void *)c);
	int pidfd = sys_pidfd_open(pid);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	int result, left;
	bool late;

	late = poll(&ended, 1, mmview_case_timeout_s * 1000) == 0;
	/* The whole group: targets that the case has forked go with it. */
	kill(-pid, SIGKILL);
	kill(pid, late ? SIGKILL : 0);
	result = reap(pid);
	close(pidfd);
	left = wait_for_views(before) - before;
	if (late)
		ksft_test_result_fail("%s: no end after %d s\n", c->name, mmview_case_timeout_s);
	else if (result >= 256)
		ksft_test_result_fail("%s: killed by signal %d\n", c->name, result - 256);
	else if (result != KSFT_PASS && result != KSFT_SKIP)
		ksft_test_result_fail("%s: status %d\n", c->name, result);
	else if (left > 0)
		ksft_test_result_fail("%s: %d views are left\n", c->name, left);
	else if (result == KSFT_SKIP)
		ksft_test_result_skip("%s\n", c->name);
	else
		ksft_test_result_pass("%s\n", c->name);
}

static void check_views_gone(int before)
{
	int now = wait_for_views(before);

	if (before < 0 || now < 0) {
		ksft_test_result_skip("no view is left: debugfs has no mmview/views (not root?)\n");
		return;
	}
	if (now == before)
		ksft_test_result_pass("no view is left\n");
	else
		ksft_test_result_fail("no view is left: %d live before, %d after\n", before, now);
}

void mmview_main(const struct mmview_case *cases, unsigned int nr)
{
	const char *wanted = getenv("MMVIEW_CASE") ?: "";
	unsigned int chosen = 0;
	int before;

	ksft_print_header();
	if (sys_mmview_clone(-1, 0) == -1 && errno == ENOSYS)
		ksft_exit_skip("this kernel has no mmview_clone (CONFIG_MMVIEW)\n");
	before = views_alive();
	for (unsigned int i = 0; i < nr; i++)
		chosen += !!strstr(cases[i].name, wanted);
	if (!chosen)
		ksft_exit_fail_msg("MMVIEW_CASE: no case has \"%s\" in its name\n", wanted);
	ksft_set_plan(chosen + 1);
	for (unsigned int i = 0; i < nr; i++)
		if (strstr(cases[i].name, wanted))
			run_case(&cases[i]);
	check_views_gone(before);
	ksft_finished();
}

void stub_write(void *to, int value)
{
	unsigned char *byte = to;

	byte[0] = 0xb8;			/* mov $value, %eax */
	memcpy(byte + 1, &value, 4);
	byte[5] = 0xc3;			/* ret */
}

int code_call(const void *code)
{
	int (*fn)(void) = (int (*)(void))(uintptr_t)code;

	__asm__ volatile("" : "+r" (fn) : : "memory");
	return fn();
}

void *code_map_at(void *address, enum code_kind kind, size_t pages)
{
	int flags = MAP_PRIVATE | (address ? MAP_FIXED : 0);
	size_t size = pages * PAGE;
	int fd = -1;
	char *at;

	if (kind == CODE_FILE) {
		fd = memfd_create("mmview-code", MFD_CLOEXEC);
		CHECK(fd >= 0 && !ftruncate(fd, size));
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	} else {
		at = mmap(address, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	}
	CHECK(at != MAP_FAILED);
	memset(at, 0xcc, size);
	for (size_t i = 0; i < pages; i++)
		stub_write(at + i * PAGE, OLD);
	if (kind == CODE_FILE) {
		CHECK(!munmap(at, size));
		at = mmap(address, size, PROT_READ | PROT_EXEC, flags, fd, 0);
		CHECK(at != MAP_FAILED);
		close(fd);
	} else {
		CHECK(!mprotect(at, size, PROT_READ | PROT_EXEC));
	}
	return at;
}

void *code_map(enum code_kind kind, size_t pages)
{
	return code_map_at(NULL, kind, pages);
}

char *zones_reserve(size_t zones)
{
	char *at = mmap(NULL, (zones + 1) * ZONE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	return (char *)(((uintptr_t)at + ZONE - 1) & ~(ZONE - 1));
}

char *data_map_at(void *address, size_t pages)
{
	char *at = mmap(address, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED : 0), -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

struct helper {
	pthread_t thread;
	sem_t call, done;
	long (*fn)(void *arg);
	void *arg;
	long result;
};

static void *help(void *arg)
{
	struct helper *helper = arg;

	for (;;) {
		while (sem_wait(&helper->call))
			CHECK(errno == EINTR);
		helper->result = helper->fn(helper->arg);
		CHECK(!sem_post(&helper->done));
	}
}

struct helper *helper_start(void)
{
	struct helper *helper = calloc(1, sizeof(*helper));

	CHECK(helper && !sem_init(&helper->call, 0, 0) && !sem_init(&helper->done, 0, 0));
	CHECK(!pthread_create(&helper->thread, NULL, help, helper));
	return helper;
}

long helper_call(struct helper *helper, long (*fn)(void *), void *arg)
{
	helper->fn = fn;
	helper->arg = arg;
	CHECK(!sem_post(&helper->call));
	while (sem_wait(&helper->done))
		CHECK(errno == EINTR);
	return helper->result;
}

int view_of(pid_t pid)
{
	int pidfd = sys_pidfd_open(pid), view;

	CHECK(pidfd >= 0);
	view = sys_mmview_clone(pidfd, 0);
	CHECK(view >= 0);
	close(pidfd);
	return view;
}

void view_patch(int view, const void *code, int value)
{
	unsigned char stub[STUB_SIZE];

	stub_write(stub, value);
	CHECK_EQ(pwrite(view, stub, sizeof(stub), (off_t)(uintptr_t)code), sizeof(stub));
}

int view_value(int view, const void *code)
{
	unsigned char stub[STUB_SIZE];
	int value;

	CHECK_EQ(pread(view, stub, sizeof(stub), (off_t)(uintptr_t)code), sizeof(stub));
	CHECK(stub[0] == 0xb8 && stub[5] == 0xc3);
	memcpy(&value, stub + 1, 4);
	return value;
}

struct mmview_state view_state(int view, struct mmview_thread *threads, unsigned int nr)
{
	struct mmview_state state = { .threads = (uintptr_t)threads, .nr = nr };

	CHECK(!ioctl(view, MMVIEW_IOC_STATE, &state));
	return state;
}

struct mmview_thread view_thread(int view, pid_t tid)
{
	struct mmview_thread threads[128];
	struct mmview_state state = view_state(view, threads, 128);

	CHECK(state.nr <= 128);
	for (unsigned int i = 0; i < state.nr; i++)
		if (threads[i].tid == (__u32)tid)
			return threads[i];
	CHECK_MSG(false, "thread %d is not in the view's state", tid);
	__builtin_unreachable();
}

long task_view(pid_t pid, pid_t tid)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/mmview", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_MSG(fd >= 0, "%s", path);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atol(text);
}

struct sides sides_make(enum code_kind kind, size_t data_pages)
{
	struct sides s = { .zone = zones_reserve(1) };

	CHECK(data_pages <= SIDES_CODE);
	s.base = helper_start();
	s.data = data_pages ? data_map_at(s.zone, data_pages) : NULL;
	s.code = code_map_at(s.zone + SIDES_CODE * PAGE, kind, 1);
	s.view = view_of(getpid());
	view_patch(s.view, s.code, NEW);
	CHECK_EQ(sys_mmview_migrate(s.view, 0, 0), 1);
	sides_check(&s);
	return s;
}

static long read_long(void *at)
{
	return *(volatile long *)at;
}

long base_read(const struct sides *s, const void *at)
{
	return helper_call(s->base, read_long, (void *)at);
}

static long write_long(void *arg)
{
	long *what = arg;

	*(volatile long *)what[0] = what[1];
	return 0;
}

void base_write(const struct sides *s, void *at, long value)
{
	long what[2] = { (long)at, value };

	helper_call(s->base, write_long, what);
}

static long call_code(void *code)
{
	return code_call(code);
}

long base_code(const struct sides *s)
{
	return helper_call(s->base, call_code, s->code);
}

void sides_check(const struct sides *s)
{
	CHECK_EQ(code_call(s->code), NEW);
	CHECK_EQ(base_code(s), OLD);
}
