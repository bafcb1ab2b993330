// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to move all threads of a process, which are blocked, into a
 * view: from the request until the last one is there. Beside it what a
 * debugger needs to get hold of as many: PTRACE_SEIZE and PTRACE_INTERRUPT for
 * each, then a wait for each; and to see their stacks, which the check does.
 *
 * Each thread has 4 KiB of its stack in use, which the check reads word by
 * word against 16 guards; without the stack (MMVIEW_MIGRATE_ENTRY) as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <elf.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MOST		1000
#define GUARDS		16
#define ROUNDS		3
#define FRAME		4096

struct crowd {
	int nr;
	char *code;
	pid_t pid;
	atomic_int settled;
	atomic_int never;		/* what they wait for */
	pid_t tid[MOST];
};

static void *settle(void *arg)
{
	struct crowd *crowd = arg;
	char frame[FRAME];

	memset(frame, 0, FRAME);
	bench_touch(frame);
	crowd->tid[atomic_fetch_add(&crowd->settled, 1)] = sys_gettid();
	for (;;)
		syscall(SYS_futex, &crowd->never, FUTEX_WAIT, frame[FRAME - 1], NULL, NULL, 0);
	return NULL;
}

static int crowd_main(void *arg)
{
	struct crowd *crowd = arg;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (int i = 1; i < crowd->nr; i++)
		CHECK(!pthread_create(&thread, &attr, settle, crowd));
	settle(crowd);
	return 0;
}

static char state_of(pid_t pid, pid_t tid)
{
	char path[64], text[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_MSG(fd >= 0, "%s", path);
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = '\0';
	close(fd);
	at = strrchr(text, ')');
	CHECK(at);
	return at[2];
}

static void wait_until_blocked(const struct crowd *crowd)
{
	for (int i = 0; i < crowd->nr; i++)
		EVENTUALLY(state_of(crowd->pid, crowd->tid[i]) == 'S');
}

static struct crowd *crowd_start(int nr)
{
	struct crowd *crowd = shared_alloc(sizeof(*crowd));

	crowd->nr = nr;
	/*
	 * Never unmapped: the next crowd's main thread inherits our stack, and a
	 * stale word in it that points here must not be in its guards as well.
	 */
	crowd->code = code_map(CODE_FILE, 1);
	crowd->pid = spawn(crowd_main, crowd);
	EVENTUALLY(atomic_load(&crowd->settled) == nr);
	return crowd;
}

static void crowd_end(struct crowd *crowd)
{
	kill(crowd->pid, SIGKILL);
	reap(crowd->pid);
	munmap(crowd, sizeof(*crowd));
	bench_views_gone();
}

static void set_guards(int view, const char *code)
{
	static struct mmview_range ranges[GUARDS];
	struct mmview_guard guard = { (uintptr_t)ranges, GUARDS, 0 };

	for (int i = 0; i < GUARDS; i++)
		ranges[i] = (struct mmview_range){
			.start = (uintptr_t)code + i * 128,
			.end = (uintptr_t)code + i * 128 + 64,
			.kind = i % 2 ? MMVIEW_GUARD_BODY : MMVIEW_GUARD_CHANGED,
		};
	CHECK(!ioctl(view, MMVIEW_IOC_GUARD, &guard));
}

static double migrate_us(const struct crowd *crowd, unsigned int flags)
{
	int view = view_of(crowd->pid), ret;
	struct pollfd complete = { .fd = view, .events = POLLIN };
	long long begin;
	double us;

	view_patch(view, crowd->code, NEW);
	set_guards(view, crowd->code);
	CHECK(!ioctl(view, MMVIEW_IOC_SEAL));
	wait_until_blocked(crowd);
	begin = now_ns();
	ret = sys_mmview_migrate(view, crowd->pid, MMVIEW_MIGRATE_ALL | flags);
	CHECK(ret >= 0);
	if (ret == 0)
		CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	us = (now_ns() - begin) / 1e3;
	close(view);
	return us;
}

/* Who wants to know more reads registers and stack: as much as the check does. */
static void read_stack(pid_t tid)
{
	static char stack[2 * FRAME];
	struct user_regs_struct regs;
	struct iovec to = { &regs, sizeof(regs) }, from;

	CHECK(!ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &to));
	to = (struct iovec){ stack, sizeof(stack) };
	from = (struct iovec){ (void *)(uintptr_t)regs.rsp, sizeof(stack) };
	CHECK(process_vm_readv(tid, &to, 1, &from, 1, 0) > FRAME);
}

static double ptrace_us(const struct crowd *crowd, bool and_stack)
{
	long long begin;
	double us;
	int status;

	wait_until_blocked(crowd);
	begin = now_ns();
	for (int i = 0; i < crowd->nr; i++)
		CHECK(!ptrace(PTRACE_SEIZE, crowd->tid[i], 0, 0));
	for (int i = 0; i < crowd->nr; i++)
		CHECK(!ptrace(PTRACE_INTERRUPT, crowd->tid[i], 0, 0));
	for (int i = 0; i < crowd->nr; i++)
		CHECK_EQ(waitpid(crowd->tid[i], &status, __WALL), crowd->tid[i]);
	for (int i = 0; i < crowd->nr && and_stack; i++)
		read_stack(crowd->tid[i]);
	us = (now_ns() - begin) / 1e3;
	for (int i = 0; i < crowd->nr; i++)
		CHECK(!ptrace(PTRACE_DETACH, crowd->tid[i], 0, 0));
	return us;
}

enum how { STRICT, ENTRY, PTRACE, PTRACE_STACK, HOWS };
static const char *const names[HOWS] = {
	"migrate", "migrate-entry", "ptrace", "ptrace-and-stack" };

/* All ways of one size in turns, on the same threads. */
static void measure(int nr, unsigned int run, double us[HOWS])
{
	struct crowd *crowd = crowd_start(nr);
	double tries[HOWS][ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		for (int turn = 0; turn < HOWS; turn++) {
			int how = (run + round) % 2 ? HOWS - 1 - turn : turn;

			tries[how][round] = how >= PTRACE ?
				ptrace_us(crowd, how == PTRACE_STACK) :
				migrate_us(crowd, how == ENTRY ? MMVIEW_MIGRATE_ENTRY : 0);
		}
	}
	for (int how = 0; how < HOWS; how++)
		us[how] = bench_best(tries[how], ROUNDS);
	crowd_end(crowd);
}

int main(int argc, char **argv)
{
	enum { SIZES = 3 };
	static const int sizes[SIZES] = { 1, 100, MOST };
	unsigned int runs = bench_runs(argc, argv);
	double us[SIZES][HOWS], values[SIZES][HOWS][runs], each[runs];
	char name[64], against[64];

	for (unsigned int run = 0; run < runs; run++) {
		for (int i = 0; i < SIZES; i++) {
			measure(sizes[i], run, us[i]);
			for (int how = 0; how < HOWS; how++)
				values[i][how][run] = us[i][how];
		}
	}
	for (int how = 0; how < HOWS; how++) {
		for (int i = 0; i < SIZES; i++) {
			snprintf(name, sizeof(name), "%s/%d", names[how], sizes[i]);
			snprintf(against, sizeof(against), "%s/%d", names[PTRACE], sizes[i]);
			bench_result(name, "us", values[i][how], runs,
				     how == PTRACE ? NULL : against);
			for (unsigned int run = 0; run < runs; run++)
				each[run] = values[i][how][run] / sizes[i];
			snprintf(name, sizeof(name), "%s-each/%d", names[how], sizes[i]);
			snprintf(against, sizeof(against), "%s-each/%d", names[how], sizes[0]);
			bench_result(name, "us", each, runs, i ? against : NULL);
		}
	}
	return 0;
}
