// SPDX-License-Identifier: GPL-2.0
/*
 * Debuggers and views: who looks at a thread sees the text that this thread
 * executes, and a breakpoint hits where the debugger meant it.
 *
 * A target has two threads, OUT in the base and IN in a view, and a page with
 * two functions: SHARED, the same everywhere, and PATCHED, overridden in the
 * view with code that differs in its first byte. The rule for a byte that a
 * debugger writes: if the view of the thread that it writes through has the
 * byte for itself, it is written there alone; otherwise in the base, and in
 * all views that have not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"

#define OUT	0
#define IN	1
#define PATCHED	0			/* offsets in the page */
#define SHARED	64
#define INT3	0xcc

static const unsigned char new_bytes[] = {
	0x31, 0xc0,			/* xor %eax, %eax */
	0xb0, NEW,			/* mov $NEW, %al */
	0xc3,				/* ret */
};

static struct target *whole;

/* --- the target ------------------------------------------------------------------ */

/* Calls what it is told to, each time that ->inside counts up. */
static void *serve(void *arg)
{
	struct member *m = arg;

	target_enter(m);
	while (!atomic_load(&whole->stop)) {
		int offset = atomic_load(&m->inside) - 1;

		if (offset < 0) {
			sleep_ms(1);
			continue;
		}
		atomic_store(&m->last, code_call(whole->code + offset));
		atomic_store(&m->inside, 0);
		atomic_fetch_add(&m->calls, 1);
	}
	return NULL;
}

static int two_threads(void *arg)
{
	struct target *t = whole = arg;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, serve, &t->member[1 - t->kind]));
	serve(&t->member[t->kind]);
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

static char *two_functions(void)
{
	char *code = code_map(CODE_ANON, 1);

	CHECK(!mprotect(code, PAGE, PROT_READ | PROT_WRITE));
	stub_write(code + SHARED, OLD);
	CHECK(!mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	return code;
}

static pid_t tid_of(struct target *t, int who)
{
	return atomic_load(&t->member[who].tid);
}

static void migrate_one(struct target *t, int view, int who)
{
	CHECK(sys_mmview_migrate(view, tid_of(t, who), 0) >= 0);
	EVENTUALLY(view_thread(view, tid_of(t, who)).migrated);
}

static void patch(int view, char *code)
{
	CHECK_EQ(pwrite(view, new_bytes, sizeof(new_bytes), (off_t)(uintptr_t)code),
		 sizeof(new_bytes));
}

/* @leader, OUT or IN, is the main thread. Nobody is in the view yet. */
static struct target *start_target(int leader)
{
	struct target *t = target_start(two_functions(), two_threads, leader);

	EVENTUALLY(tid_of(t, OUT) && tid_of(t, IN));
	return t;
}

static struct target *start_patched(int leader)
{
	struct target *t = start_target(leader);

	patch(t->view, t->code);
	migrate_one(t, t->view, IN);
	return t;
}

/* --- the debugger ------------------------------------------------------------------ */

static void expect_stop(pid_t tid, int signal)
{
	int status;

	CHECK_EQ(waitpid(tid, &status, __WALL), tid);
	CHECK_MSG(WIFSTOPPED(status) && WSTOPSIG(status) == signal, "status %#x", status);
}

static void attach(struct target *t)
{
	for (int who = OUT; who <= IN; who++) {
		CHECK(!ptrace(PTRACE_SEIZE, tid_of(t, who), 0, 0));
		CHECK(!ptrace(PTRACE_INTERRUPT, tid_of(t, who), 0, 0));
		expect_stop(tid_of(t, who), SIGTRAP);
	}
}

static void go_on(struct target *t)
{
	for (int who = OUT; who <= IN; who++)
		CHECK(!ptrace(PTRACE_CONT, tid_of(t, who), 0, 0));
}

static void interrupt(struct target *t)
{
	for (int who = OUT; who <= IN; who++) {
		CHECK(!ptrace(PTRACE_INTERRUPT, tid_of(t, who), 0, 0));
		expect_stop(tid_of(t, who), SIGTRAP);
	}
}

static void detach(struct target *t)
{
	for (int who = OUT; who <= IN; who++)
		CHECK(!ptrace(PTRACE_DETACH, tid_of(t, who), 0, 0));
}

static unsigned char peek(struct target *t, int who, int offset)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, tid_of(t, who), t->code + offset, 0);
	CHECK(word != -1 || !errno);
	return word;
}

/* One byte, as debuggers do it: in a word. */
static unsigned char poke(struct target *t, int who, int offset, unsigned char byte)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, tid_of(t, who), t->code + offset, 0);
	CHECK(word != -1 || !errno);
	CHECK(!ptrace(PTRACE_POKETEXT, tid_of(t, who), t->code + offset, (word & ~0xffL) | byte));
	CHECK_EQ(peek(t, who, offset), byte);
	return word;
}

/*
 * Thread @who calls the function at @offset. Gives how often it ran into a
 * breakpoint there; the debugger steps it over, and leaves the breakpoint in.
 * @original is what the breakpoint stands on, for this thread.
 */
static int hits(struct target *t, int who, int offset, unsigned char original, int expected_value)
{
	struct member *m = &t->member[who];
	long calls = atomic_load(&m->calls);
	struct user_regs_struct regs;
	pid_t tid = tid_of(t, who);
	int status, hit = 0;
	long long end = now_ns() + SOON * 1000000000LL;

	atomic_store(&m->inside, offset + 1);
	while (atomic_load(&m->calls) == calls) {
		CHECK_MSG(now_ns() < end, "thread %d has not come back", who);
		if (waitpid(tid, &status, __WALL | WNOHANG) != tid) {
			sleep_ms(1);
			continue;
		}
		CHECK_MSG(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "status %#x", status);
		CHECK(!ptrace(PTRACE_GETREGS, tid, 0, &regs));
		CHECK_EQ(regs.rip, (uintptr_t)t->code + offset + 1);
		CHECK_MSG(original != INT3, "thread %d ran into a stale breakpoint", who);
		hit++;
		regs.rip--;
		CHECK(!ptrace(PTRACE_SETREGS, tid, 0, &regs));
		CHECK_EQ(poke(t, who, offset, original), INT3);
		CHECK(!ptrace(PTRACE_SINGLESTEP, tid, 0, 0));
		expect_stop(tid, SIGTRAP);
		CHECK_EQ(poke(t, who, offset, INT3), original);
		CHECK(!ptrace(PTRACE_CONT, tid, 0, 0));
	}
	CHECK_EQ(atomic_load(&m->last), expected_value);
	return hit;
}

#define NO_BREAKPOINT	INT3
static void no_hits(struct target *t, int who, int offset, int expected_value)
{
	CHECK_EQ(hits(t, who, offset, NO_BREAKPOINT, expected_value), 0);
}

/* Both functions in both threads, with no breakpoint anywhere. */
static void no_hits_at_all(struct target *t)
{
	no_hits(t, OUT, PATCHED, OLD);
	no_hits(t, IN, PATCHED, NEW);
	no_hits(t, OUT, SHARED, OLD);
	no_hits(t, IN, SHARED, OLD);
}

/* --- looking ------------------------------------------------------------------------- */

static void see_with_file(struct target *t, const char *path, const unsigned char *expected)
{
	unsigned char seen[8];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK_MSG(fd >= 0, "%s", path);
	CHECK_EQ(pread(fd, seen, sizeof(seen), (off_t)(uintptr_t)t->code), sizeof(seen));
	CHECK_MSG(!memcmp(seen, expected, 5), "%s shows %02x", path, seen[0]);
	close(fd);
}

static void see_with_readv(struct target *t, int who, const unsigned char *expected)
{
	unsigned char seen[8];
	struct iovec local = { seen, sizeof(seen) }, remote = { t->code, sizeof(seen) };

	CHECK_EQ(process_vm_readv(tid_of(t, who), &local, 1, &remote, 1, 0), sizeof(seen));
	CHECK_MSG(!memcmp(seen, expected, 5), "process_vm_readv of thread %d shows %02x", who,
		  seen[0]);
}

static void see_everywhere(int leader)
{
	struct target *t = start_patched(leader);
	unsigned char old_bytes[STUB_SIZE];
	char path[64];

	stub_write(old_bytes, OLD);
	for (int who = OUT; who <= IN; who++) {
		const unsigned char *expected = who == IN ? new_bytes : old_bytes;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", t->pid, tid_of(t, who));
		see_with_file(t, path, expected);
		see_with_readv(t, who, expected);
		if (who != leader)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
		see_with_file(t, path, expected);
	}
	attach(t);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(peek(t, OUT, PATCHED + i), old_bytes[i]);
		CHECK_EQ(peek(t, IN, PATCHED + i), new_bytes[i]);
		CHECK_EQ(peek(t, IN, SHARED + i), peek(t, OUT, SHARED + i));
	}
	detach(t);
	target_end(t);
}

static int what_is_seen(void)
{
	see_everywhere(OUT);
	see_everywhere(IN);
	return 0;
}

/* A thread in the view reads itself, as a crash handler would. */
static int seen_by_itself(void)
{
	char *code = two_functions();
	int view = view_of(getpid()), fd;
	unsigned char seen[5];

	patch(view, code);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, seen, 5, (off_t)(uintptr_t)code), 5);
	CHECK(!memcmp(seen, new_bytes, 5));
	CHECK_EQ(write(fd, "", 0), 0);
	/* Data is the same for everybody, and written as ever. */
	CHECK_EQ(pwrite(fd, "x", 1, (off_t)(uintptr_t)seen), 1);
	CHECK_EQ(seen[0], 'x');
	return 0;
}

/* --- breakpoints ---------------------------------------------------------------------- */

/* In the shared function, set through @who: everybody runs into it. */
static void breakpoint_in_shared(int who)
{
	struct target *t = start_patched(OUT);
	unsigned char original;

	attach(t);
	original = poke(t, who, SHARED, INT3);
	CHECK_EQ(original, 0xb8);
	CHECK_EQ(peek(t, 1 - who, SHARED), INT3);
	go_on(t);
	CHECK_EQ(hits(t, OUT, SHARED, original, OLD), 1);
	CHECK_EQ(hits(t, IN, SHARED, original, OLD), 1);
	no_hits(t, OUT, PATCHED, OLD);
	no_hits(t, IN, PATCHED, NEW);
	interrupt(t);
	CHECK_EQ(poke(t, who, SHARED, original), INT3);
	CHECK_EQ(peek(t, 1 - who, SHARED), original);
	go_on(t);
	no_hits_at_all(t);
	interrupt(t);
	detach(t);
	target_end(t);
}

static int shared_through_the_base(void)
{
	breakpoint_in_shared(OUT);
	return 0;
}

static int shared_through_the_view(void)
{
	breakpoint_in_shared(IN);
	return 0;
}

/* In the patched function: the thread's own one, and no other. */
static void breakpoint_in_patched(int who)
{
	int other = 1 - who, value = who == IN ? NEW : OLD;
	struct target *t = start_patched(IN);
	unsigned char original;

	attach(t);
	original = poke(t, who, PATCHED, INT3);
	CHECK_EQ(original, who == IN ? 0x31 : 0xb8);
	CHECK_EQ(peek(t, other, PATCHED), who == IN ? 0xb8 : 0x31);
	go_on(t);
	CHECK_EQ(hits(t, who, PATCHED, original, value), 1);
	no_hits(t, other, PATCHED, who == IN ? OLD : NEW);
	interrupt(t);
	CHECK_EQ(poke(t, who, PATCHED, original), INT3);
	go_on(t);
	no_hits_at_all(t);
	interrupt(t);
	detach(t);
	target_end(t);
}

static int patched_through_the_view(void)
{
	breakpoint_in_patched(IN);
	return 0;
}

static int patched_through_the_base(void)
{
	breakpoint_in_patched(OUT);
	return 0;
}

/* It was there before the view was: the override's page is not a copy of it. */
static int inserted_before_the_override(void)
{
	struct target *t = start_target(OUT);

	attach(t);
	CHECK_EQ(poke(t, OUT, SHARED, INT3), 0xb8);
	CHECK_EQ(poke(t, OUT, PATCHED, INT3), 0xb8);
	patch(t->view, t->code);
	detach(t);
	migrate_one(t, t->view, IN);
	attach(t);
	CHECK_EQ(peek(t, IN, SHARED), INT3);
	CHECK_EQ(peek(t, IN, PATCHED), 0x31);
	go_on(t);
	CHECK_EQ(hits(t, IN, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, OUT, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, OUT, PATCHED, 0xb8, OLD), 1);
	no_hits(t, IN, PATCHED, NEW);
	interrupt(t);
	CHECK_EQ(poke(t, OUT, SHARED, 0xb8), INT3);
	CHECK_EQ(poke(t, OUT, PATCHED, 0xb8), INT3);
	go_on(t);
	no_hits_at_all(t);
	interrupt(t);
	detach(t);
	target_end(t);
	return 0;
}

/* A view that is made while one stands in the base, and entered after it has gone. */
static int removed_before_the_migration(void)
{
	struct target *t = start_target(OUT);

	attach(t);
	CHECK_EQ(poke(t, OUT, SHARED, INT3), 0xb8);
	patch(t->view, t->code);
	CHECK_EQ(poke(t, OUT, SHARED, 0xb8), INT3);
	detach(t);
	migrate_one(t, t->view, IN);
	attach(t);
	go_on(t);
	no_hits_at_all(t);
	interrupt(t);
	detach(t);
	target_end(t);
	return 0;
}

/* It stays through the fold, where everybody then is; and is taken out after it. */
static int inserted_during_the_fold(void)
{
	struct target *t = start_patched(OUT);

	migrate_one(t, t->view, OUT);
	attach(t);
	CHECK_EQ(poke(t, IN, SHARED, INT3), 0xb8);
	CHECK_EQ(poke(t, IN, PATCHED, INT3), 0x31);
	CHECK(!ioctl(t->view, MMVIEW_IOC_FOLD));
	go_on(t);
	CHECK_EQ(hits(t, OUT, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, IN, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, OUT, PATCHED, 0x31, NEW), 1);
	interrupt(t);
	CHECK_EQ(poke(t, OUT, SHARED, 0xb8), INT3);
	CHECK_EQ(poke(t, OUT, PATCHED, 0x31), INT3);
	go_on(t);
	for (int who = OUT; who <= IN; who++) {
		no_hits(t, who, SHARED, OLD);
		no_hits(t, who, PATCHED, NEW);
	}
	interrupt(t);
	detach(t);
	target_end(t);
	return 0;
}

/* A second view of the process, which has nothing but the data of another page for itself. */
static int in_two_views(void)
{
	struct target *t = start_patched(OUT);
	int second = view_of(t->pid);

	patch(second, t->code);
	CHECK_EQ(pwrite(second, "\x03", 1, (off_t)(uintptr_t)t->code + 3), 1);
	migrate_one(t, second, OUT);
	attach(t);
	CHECK_EQ(poke(t, IN, SHARED, INT3), 0xb8);
	CHECK_EQ(poke(t, IN, PATCHED, INT3), 0x31);
	go_on(t);
	CHECK_EQ(hits(t, OUT, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, IN, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, IN, PATCHED, 0x31, NEW), 1);
	no_hits(t, OUT, PATCHED, 3);
	interrupt(t);
	CHECK_EQ(poke(t, OUT, SHARED, 0xb8), INT3);
	CHECK_EQ(poke(t, IN, PATCHED, 0x31), INT3);
	go_on(t);
	no_hits(t, OUT, SHARED, OLD);
	no_hits(t, IN, SHARED, OLD);
	no_hits(t, OUT, PATCHED, 3);
	no_hits(t, IN, PATCHED, NEW);
	interrupt(t);
	detach(t);
	CHECK(!close(second));
	target_end(t);
	return 0;
}

/* Written with /proc/PID/task/TID/mem, as gdb does. */
static int through_the_mem_file(void)
{
	struct target *t = start_patched(OUT);
	unsigned char byte = INT3;
	char path[64];
	int fd;

	attach(t);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", t->pid, tid_of(t, IN));
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, &byte, 1, (off_t)(uintptr_t)t->code + PATCHED), 1);
	CHECK_EQ(pwrite(fd, &byte, 1, (off_t)(uintptr_t)t->code + SHARED), 1);
	CHECK_EQ(peek(t, OUT, PATCHED), 0xb8);
	CHECK_EQ(peek(t, IN, PATCHED), INT3);
	CHECK_EQ(peek(t, OUT, SHARED), INT3);
	go_on(t);
	CHECK_EQ(hits(t, IN, PATCHED, 0x31, NEW), 1);
	CHECK_EQ(hits(t, OUT, SHARED, 0xb8, OLD), 1);
	CHECK_EQ(hits(t, IN, SHARED, 0xb8, OLD), 1);
	no_hits(t, OUT, PATCHED, OLD);
	interrupt(t);
	byte = 0x31;
	CHECK_EQ(pwrite(fd, &byte, 1, (off_t)(uintptr_t)t->code + PATCHED), 1);
	byte = 0xb8;
	CHECK_EQ(pwrite(fd, &byte, 1, (off_t)(uintptr_t)t->code + SHARED), 1);
	go_on(t);
	no_hits_at_all(t);
	interrupt(t);
	detach(t);
	close(fd);
	target_end(t);
	return 0;
}

/* One step at a time through the function as it is in the view. */
static int single_steps(void)
{
	static const int lengths[] = { 2, 2, 1 };
	struct target *t = start_patched(OUT);
	struct user_regs_struct regs;
	unsigned char original;
	uintptr_t at;

	attach(t);
	original = poke(t, IN, PATCHED, INT3);
	go_on(t);
	atomic_store(&t->member[IN].inside, PATCHED + 1);
	expect_stop(tid_of(t, IN), SIGTRAP);
	poke(t, IN, PATCHED, original);
	CHECK(!ptrace(PTRACE_GETREGS, tid_of(t, IN), 0, &regs));
	at = --regs.rip;
	CHECK(!ptrace(PTRACE_SETREGS, tid_of(t, IN), 0, &regs));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(regs.rip, at);
		CHECK(!ptrace(PTRACE_SINGLESTEP, tid_of(t, IN), 0, 0));
		expect_stop(tid_of(t, IN), SIGTRAP);
		CHECK(!ptrace(PTRACE_GETREGS, tid_of(t, IN), 0, &regs));
		at += lengths[i];
	}
	CHECK(regs.rip != at);			/* returned */
	CHECK_EQ(regs.rax, NEW);
	CHECK(!ptrace(PTRACE_CONT, tid_of(t, IN), 0, 0));
	EVENTUALLY(atomic_load(&t->member[IN].last) == NEW);
	interrupt(t);
	detach(t);
	target_end(t);
	return 0;
}

/* --- the transition ---------------------------------------------------------------------- */

/* Who is traced stays where it is; the debugger knows what is there. */
static int traced_threads_wait(void)
{
	struct target *t = start_target(OUT);
	struct pollfd complete = { .fd = t->view, .events = POLLIN };

	patch(t->view, t->code);
	attach(t);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 0);
	EVENTUALLY(view_thread(t->view, tid_of(t, OUT)).why == MMVIEW_WHY_TRACED);
	EVENTUALLY(view_thread(t->view, tid_of(t, IN)).why == MMVIEW_WHY_TRACED);
	go_on(t);
	no_hits(t, OUT, PATCHED, OLD);
	no_hits(t, IN, PATCHED, OLD);
	CHECK_EQ(poll(&complete, 1, 200), 0);
	interrupt(t);
	CHECK_EQ(view_thread(t->view, tid_of(t, IN)).why, MMVIEW_WHY_TRACED);
	/* One is let go, then the other. */
	CHECK(!ptrace(PTRACE_DETACH, tid_of(t, IN), 0, 0));
	EVENTUALLY(view_thread(t->view, tid_of(t, IN)).migrated);
	CHECK(!view_thread(t->view, tid_of(t, OUT)).migrated);
	CHECK(!ptrace(PTRACE_DETACH, tid_of(t, OUT), 0, 0));
	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	target_end(t);
	return 0;
}

static int migrates_itself(void *arg)
{
	struct target *t = arg;
	int view = view_of(getpid());

	patch(view, t->code);
	CHECK(!ptrace(PTRACE_TRACEME, 0, 0, 0));
	raise(SIGSTOP);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_EQ(code_call(t->code), NEW);
	return 46;
}

/* Who asks for itself is asked nothing, traced or not. */
static int traced_thread_migrates_itself(void)
{
	struct target t = { .code = two_functions() };
	pid_t pid = spawn(migrates_itself, &t);

	expect_stop(pid, SIGSTOP);
	CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(reap(pid), 46);
	return 0;
}

/* --- gdb ------------------------------------------------------------------------------------ */

static bool run_gdb(struct target *t, const char *commands, char *output, size_t size)
{
	char line[1280];
	size_t n = 0;
	FILE *gdb;

	if (system("gdb --version >/dev/null 2>&1"))
		return false;
	snprintf(line, sizeof(line),
		 "timeout 250 gdb -nx -batch -p %d -iex 'set auto-load off' -iex 'set debuginfod enabled off' -iex 'set auto-solib-add off' %s 2>&1",
		 t->pid, commands);
	gdb = popen(line, "r");
	CHECK(gdb);
	while (n < size - 1) {
		size_t got = fread(output + n, 1, size - 1 - n, gdb);

		if (!got)
			break;
		n += got;
	}
	output[n] = '\0';
	CHECK_MSG(pclose(gdb) == 0, "gdb says\n%s", output);
	return true;
}

/* Both threads call both functions all the time: gdb waits for that, and so a child asks for it. */
static pid_t keep_calling(struct target *t)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	for (int offset = PATCHED; !pid; offset = PATCHED + SHARED - offset) {
		atomic_store(&t->member[IN].inside, offset + 1);
		atomic_store(&t->member[OUT].inside, offset + 1);
		sleep_ms(10);
	}
	return pid;
}

/*
 * A breakpoint in PATCHED, where gdb sees and stops the side that the main
 * thread is on; then one in SHARED, for one thread after the other.
 */
static int with_gdb(int leader, const char *bytes)
{
	struct target *t = start_patched(leader);
	unsigned long patched = (unsigned long)t->code, shared = patched + SHARED;
	char commands[768], output[16384], *hit, expected[32];
	pid_t caller = keep_calling(t);
	size_t size;
	bool there;

	size = snprintf(commands, sizeof(commands),
			"-ex 'x/5xb %#lx' -ex 'break *%#lx' -ex continue -ex stepi -ex stepi -ex 'p $eax' -ex 'x/5xb %#lx' -ex delete ",
			patched, patched, patched);
	for (int thread = 1; thread <= 2; thread++)
		size += snprintf(commands + size, sizeof(commands) - size,
				 "-ex 'break *%#lx thread %d' -ex continue -ex 'p $_thread' -ex delete ",
				 shared, thread);
	snprintf(commands + size, sizeof(commands) - size, "-ex detach");
	there = run_gdb(t, commands, output, sizeof(output));
	kill(caller, SIGKILL);
	reap(caller);
	if (!there)
		return case_skip("no gdb");
	CHECK_MSG(strstr(output, bytes), "gdb says\n%s", output);
	hit = strstr(output, "Breakpoint 1, ");
	CHECK_MSG(hit, "gdb says\n%s", output);
	snprintf(expected, sizeof(expected), "$1 = %d\n", leader == IN ? NEW : OLD);
	CHECK_MSG(strstr(hit, expected) && strstr(hit, bytes), "gdb says\n%s", output);
	CHECK_MSG(strstr(hit, "$2 = 1\n") && strstr(hit, "$3 = 2\n"), "gdb says\n%s", output);
	/* And without gdb all is as before. */
	EVENTUALLY(!atomic_load(&t->member[IN].inside) && !atomic_load(&t->member[OUT].inside));
	attach(t);
	go_on(t);
	no_hits_at_all(t);
	interrupt(t);
	detach(t);
	target_end(t);
	return 0;
}

static int gdb_in_the_view(void)
{
	return with_gdb(IN, "0x31\t0xc0\t0xb0\t0x02\t0xc3");
}

static int gdb_in_the_base(void)
{
	return with_gdb(OUT, "0xb8\t0x01\t0x00\t0x00\t0x00");
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "each thread is seen with its own text", what_is_seen },
		{ "a thread in the view sees itself", seen_by_itself },
		{ "a breakpoint in shared text, through the base", shared_through_the_base },
		{ "a breakpoint in shared text, through the view", shared_through_the_view },
		{ "a breakpoint in overridden text, through the view", patched_through_the_view },
		{ "a breakpoint in overridden text, through the base", patched_through_the_base },
		{ "a breakpoint from before the override", inserted_before_the_override },
		{ "a breakpoint that has gone when the view is entered",
		  removed_before_the_migration },
		{ "breakpoints stay through the fold", inserted_during_the_fold },
		{ "breakpoints with two views", in_two_views },
		{ "breakpoints through /proc/PID/task/TID/mem", through_the_mem_file },
		{ "single steps in an override", single_steps },
		{ "traced threads wait", traced_threads_wait },
		{ "a traced thread migrates itself", traced_thread_migrates_itself },
		{ "gdb, the main thread in the view", gdb_in_the_view },
		{ "gdb, the main thread in the base", gdb_in_the_base },
	};

	mmview_case_timeout_s = 300;		/* gdb takes its time */
	MMVIEW_MAIN(cases);
}
