// SPDX-License-Identifier: GPL-2.0
/*
 * What everybody pays: system calls, faults, mappings, processes, threads and
 * context switches in a process that knows nothing of views, through all the
 * places where the kernel was hooked. Runs on a kernel without views as well;
 * whoever compares two kernels boots both.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAGES	64

static int pipes[2][2];

static double getpid_ns(const struct bench_case *c)
{
	(void)c;
	return NS_PER_CALL(1000, syscall(SYS_getpid));
}

static double pipe_ns(const struct bench_case *c)
{
	char byte = 0;

	(void)c;
	return NS_PER_CALL(200, {
		CHECK(write(pipes[0][1], &byte, 1) == 1);
		CHECK(read(pipes[0][0], &byte, 1) == 1);
	});
}

static double open_ns(const struct bench_case *c)
{
	(void)c;
	return NS_PER_CALL(100, close(open("/dev/null", O_RDONLY | O_CLOEXEC)));
}

static void map_touch_unmap(int fd)
{
	int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
	char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(at != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		bench_touch(at + i * PAGE);
	CHECK(!munmap(at, PAGES * PAGE));
}

static double faults_ns(const struct bench_case *c)
{
	(void)c;
	return NS_PER_CALL(5, map_touch_unmap(-1)) / PAGES;
}

/* A private mapping of a file: each write copies a page. */
static double copies_ns(const struct bench_case *c)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	double ns;

	(void)c;
	CHECK(fd >= 0 && !ftruncate(fd, PAGES * PAGE));
	ns = NS_PER_CALL(5, map_touch_unmap(fd)) / PAGES;
	close(fd);
	return ns;
}

static double protect_ns(const struct bench_case *c)
{
	char *at = bench_touched(PAGES * PAGE);
	double ns;

	(void)c;
	ns = NS_PER_CALL(50, {
		CHECK(!mprotect(at, PAGES * PAGE, PROT_READ));
		CHECK(!mprotect(at, PAGES * PAGE, PROT_READ | PROT_WRITE));
	});
	munmap(at, PAGES * PAGE);
	return ns;
}

static void fork_exit(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		_exit(0);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static double fork_ns(const struct bench_case *c)
{
	(void)c;
	return NS_PER_CALL(3, fork_exit());
}

static void fork_exec(void)
{
	static const char *const self[] = { "/proc/self/exe", "nothing", "at-all", NULL };
	pid_t pid = vfork();

	CHECK(pid >= 0);
	if (!pid) {
		execv(self[0], (char *const *)self);
		_exit(1);
	}
	CHECK_EQ(reap(pid), 0);
}

static double exec_ns(const struct bench_case *c)
{
	(void)c;
	return NS_PER_CALL(2, fork_exec());
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_and_join(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, nothing, NULL));
	pthread_join(thread, NULL);
}

static double thread_ns(const struct bench_case *c)
{
	(void)c;
	return NS_PER_CALL(10, thread_and_join());
}

static void pass_on(int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
		;
}

static int other_process(void *arg)
{
	(void)arg;
	pass_on(pipes[0][0], pipes[1][1]);
	return 0;
}

/* Two of them for each call. */
static double switches_ns(const struct bench_case *c)
{
	pid_t pid = spawn(other_process, NULL);
	char byte = 0;
	double ns;

	(void)c;
	ns = NS_PER_CALL(100, {
		CHECK(write(pipes[0][1], &byte, 1) == 1);
		CHECK(read(pipes[1][0], &byte, 1) == 1);
	}) / 2;
	kill(pid, SIGKILL);
	reap(pid);
	return ns;
}

int main(int argc, char **argv)
{
	static const struct bench_case cases[] = {
		{ "getpid", "ns", NULL, getpid_ns, NULL, 0 },
		{ "pipe", "ns", NULL, pipe_ns, NULL, 0 },
		{ "open-close", "ns", NULL, open_ns, NULL, 0 },
		{ "fault-anonymous", "ns", NULL, faults_ns, NULL, 0 },
		{ "fault-copy", "ns", NULL, copies_ns, NULL, 0 },
		{ "mprotect-64-pages-twice", "ns", NULL, protect_ns, NULL, 0 },
		{ "fork-exit", "ns", NULL, fork_ns, NULL, 0 },
		{ "vfork-exec", "ns", NULL, exec_ns, NULL, 0 },
		{ "thread", "ns", NULL, thread_ns, NULL, 0 },
		{ "process-switch", "ns", NULL, switches_ns, NULL, 0 },
	};
	unsigned int runs;

	if (argc == 3)
		return 0;	/* what fork_exec() executes */
	runs = bench_runs(argc, argv);
	CHECK(!pipe(pipes[0]) && !pipe(pipes[1]));
	bench_pin(bench_last_cpu());
	BENCH_TURNS(cases, runs);
	return 0;
}
