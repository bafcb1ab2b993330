// SPDX-License-Identifier: GPL-2.0
/*
 * Guards: a thread migrates only while neither its pc nor its stack lies in
 * one, and STATE says which it was and where.
 *
 * The target's code is made of bytes, so that every address is known: one page
 * with the stub, one that spins, one that calls, one that makes a system call.
 * The check takes every word on a stack for a return address; so no guard here
 * holds a function's first byte, whose address lies about as a pointer, and
 * old frames are scrubbed once a thread is out.
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
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mmview_kselftest.h"
#include "remote.h"

static const unsigned char spin_bytes[] = {	/* int spin(int *flag) */
	0x90,					/* 0: nop */
	0x8b, 0x07,				/* 1: mov (%rdi), %eax */
	0x85, 0xc0,				/* 3: test %eax, %eax */
	0x74, 0xfa,				/* 5: je 1 */
	0xb8, OLD, 0, 0, 0,			/* 7: mov $OLD, %eax */
	0xc3,
};

#define SPIN_VALUE	8

static const unsigned char call_bytes[] = {	/* int call(void (*fn)(void)) */
	0x48, 0x83, 0xec, 0x08,			/* 0: sub $8, %rsp */
	0xff, 0xd7,				/* 4: call *%rdi */
	0x48, 0x83, 0xc4, 0x08,			/* 6: add $8, %rsp */
	0xb8, OLD, 0, 0, 0,			/* 10: mov $OLD, %eax */
	0xc3,
};

#define CALL_RETURN	6
#define CALL_VALUE	11

static const unsigned char read_bytes[] = {	/* long read(fd, buffer, size) */
	0x90,					/* 0: nop */
	0x31, 0xc0,				/* 1: xor %eax, %eax */
	0x0f, 0x05,				/* 3: syscall */
	0xc3,					/* 5: where the pc stands */
};

#define READ_PC		5

typedef int (*spin_fn)(atomic_int *flag);
typedef int (*call_fn)(void (*fn)(void));
typedef long (*read_fn)(int fd, char *buffer, long size);

#define SPIN(t)	((t)->code + PAGE)
#define CALL(t)	((t)->code + 2 * PAGE)
#define READ(t)	((t)->code + 3 * PAGE)

static struct target *whole;

static char *guarded_code(void)
{
	char *code = code_map(CODE_ANON, 4);

	CHECK(!mprotect(code, 4 * PAGE, PROT_READ | PROT_WRITE));
	memcpy(code + PAGE, spin_bytes, sizeof(spin_bytes));
	memcpy(code + 2 * PAGE, call_bytes, sizeof(call_bytes));
	memcpy(code + 3 * PAGE, read_bytes, sizeof(read_bytes));
	CHECK(!mprotect(code, 4 * PAGE, PROT_READ | PROT_EXEC));
	return code;
}

static void patch_everything(struct target *t)
{
	int value = NEW;

	view_patch(t->view, t->code, NEW);
	CHECK_EQ(pwrite(t->view, &value, 4, (off_t)(uintptr_t)(SPIN(t) + SPIN_VALUE)), 4);
	CHECK_EQ(pwrite(t->view, &value, 4, (off_t)(uintptr_t)(CALL(t) + CALL_VALUE)), 4);
}

/* --- what the target does inside ------------------------------------------ */

enum { IN_PC, BELOW_BLOCKED, BELOW_SPINNING, DEEP_BELOW, IN_SYSCALL };

static void wait_for_a_byte(void)
{
	char byte;

	atomic_store(&whole->member[0].inside, 1);
	CHECK_EQ(read(whole->pipe[0], &byte, 1), 1);
}

static void spin_until_release(void)
{
	atomic_store(&whole->member[0].inside, 1);
	while (!atomic_load(&whole->release))
		;
}

static int recurse(int depth)
{
	volatile char frame[512];

	frame[0] = depth;
	if (depth)
		return recurse(depth - 1) + frame[0];
	wait_for_a_byte();
	return frame[0];
}

static void go_deep(void)
{
	CHECK(recurse(64) > 0);
}

/* No return address into a guard may be left where later frames have gaps. */
__attribute__((noinline)) static void scrub(void)
{
	volatile char below[128 * 1024];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

static void out_again(struct target *t)
{
	scrub();
	atomic_store(&t->member[0].left, 1);
	target_call_until_stop(t, &t->member[0]);
}

static int stand_inside(void *arg)
{
	struct target *t = whole = arg;
	struct member *m = &t->member[0];
	spin_fn spin = (spin_fn)(uintptr_t)SPIN(t);
	call_fn call = (call_fn)(uintptr_t)CALL(t);
	read_fn call_read = (read_fn)(uintptr_t)READ(t);
	char byte;

	target_enter(m);
	if (t->kind == IN_PC || t->kind == IN_SYSCALL)
		atomic_store(&m->inside, 1);
	switch (t->kind) {
	case IN_PC:
		atomic_store(&m->returned, spin(&t->release));
		break;
	case BELOW_BLOCKED:
		atomic_store(&m->returned, call(wait_for_a_byte));
		break;
	case BELOW_SPINNING:
		atomic_store(&m->returned, call(spin_until_release));
		break;
	case DEEP_BELOW:
		atomic_store(&m->returned, call(go_deep));
		break;
	case IN_SYSCALL:
		atomic_store(&m->returned, (int)call_read(t->pipe[0], &byte, 1));
		break;
	}
	out_again(t);
	return 0;
}

static struct target *start_inside(int kind)
{
	struct target *t = target_start(guarded_code(), stand_inside, kind);

	target_wait_inside(t, 1);
	if (kind != IN_PC && kind != BELOW_SPINNING)
		EVENTUALLY(target_blocked(t, &t->member[0]));
	sleep_ms(20);
	patch_everything(t);
	return t;
}

static void let_go(struct target *t)
{
	atomic_store(&t->release, 1);
	CHECK_EQ(write(t->pipe[1], "x", 1), 1);
	EVENTUALLY(atomic_load(&t->member[0].left));
}

/* Held with this reason; still held a while later. Gives what STATE says. */
static struct mmview_thread expect_held(struct target *t, unsigned int why)
{
	struct mmview_thread thread;

	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, 0), 0);
	for (int i = 0; i < 2; i++) {
		/* RUNNING comes between: the kernel looks again and again. */
		EVENTUALLY((thread = view_thread(t->view, t->pid)).why != MMVIEW_WHY_RUNNING);
		CHECK_MSG(thread.why == why, "held by %u, expected %u, where %#llx", thread.why,
			  why, (unsigned long long)thread.where);
		CHECK_EQ(thread.migrated, 0);
		sleep_ms(300);
	}
	CHECK_EQ(task_view(t->pid, t->pid), 0);
	CHECK_EQ(atomic_load(&t->member[0].left), 0);
	return thread;
}

/* The old text up to the end of the function, the new one ever after. */
static void expect_migration(struct target *t, int returned)
{
	let_go(t);
	CHECK_EQ(atomic_load(&t->member[0].returned), returned);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	target_end(t);
}

/* --- the cases ------------------------------------------------------------ */

static int pc_in_a_guard(void)
{
	struct target *t = start_inside(IN_PC);
	struct mmview_thread thread;

	view_guard(t->view, SPIN(t) + 1, sizeof(spin_bytes) - 1, MMVIEW_GUARD_CHANGED);
	thread = expect_held(t, MMVIEW_WHY_PC);
	CHECK(thread.where > (uintptr_t)SPIN(t) && thread.where < (uintptr_t)SPIN(t) + 7);
	CHECK_EQ(thread.guard, 0);
	expect_migration(t, OLD);
	return 0;
}

static void stack_in_a_guard(int kind)
{
	struct target *t = start_inside(kind);
	struct mmview_thread thread;
	uint64_t word;
	struct iovec local = { &word, sizeof(word) }, remote = { NULL, sizeof(word) };

	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	thread = expect_held(t, MMVIEW_WHY_STACK);
	CHECK_EQ(thread.where, (uintptr_t)CALL(t) + CALL_RETURN);
	remote.iov_base = (void *)(uintptr_t)thread.slot;
	CHECK_EQ(process_vm_readv(t->pid, &local, 1, &remote, 1, 0), sizeof(word));
	CHECK_EQ(word, thread.where);
	expect_migration(t, OLD);
}

static int blocked_below(void)
{
	stack_in_a_guard(BELOW_BLOCKED);
	return 0;
}

static int spinning_below(void)
{
	stack_in_a_guard(BELOW_SPINNING);
	return 0;
}

static int deep_below(void)
{
	stack_in_a_guard(DEEP_BELOW);
	return 0;
}

/* A restarted call would run the guarded bytes again: pc - 2 counts. */
static int syscall_at_the_end_of_a_guard(void)
{
	struct target *t = start_inside(IN_SYSCALL);
	struct mmview_thread thread;

	view_guard(t->view, READ(t) + 1, READ_PC - 1, MMVIEW_GUARD_CHANGED);
	thread = expect_held(t, MMVIEW_WHY_PC);
	CHECK(thread.where == (uintptr_t)READ(t) + READ_PC ||
	      thread.where == (uintptr_t)READ(t) + READ_PC - 2);
	expect_migration(t, 1);
	return 0;
}

/* The guard's index in STATE is that of the range that held the thread. */
static int second_of_three_guards(void)
{
	struct target *t = start_inside(BELOW_BLOCKED);
	struct mmview_range range[3] = {
		{ (uintptr_t)SPIN(t) + 1,
		  (uintptr_t)SPIN(t) + sizeof(spin_bytes), MMVIEW_GUARD_CHANGED, 0 },
		{ (uintptr_t)CALL(t) + 1,
		  (uintptr_t)CALL(t) + sizeof(call_bytes), MMVIEW_GUARD_CHANGED, 0 },
		{ (uintptr_t)READ(t) + 1,
		  (uintptr_t)READ(t) + sizeof(read_bytes), MMVIEW_GUARD_BODY, 0 },
	};
	struct mmview_guard guard = { (uintptr_t)range, 3, 0 };

	view_guard(t->view, (void *)PAGE, PAGE, MMVIEW_GUARD_CHANGED);	/* is replaced */
	CHECK(!ioctl(t->view, MMVIEW_IOC_GUARD, &guard));
	CHECK_EQ(expect_held(t, MMVIEW_WHY_STACK).guard, 1);
	expect_migration(t, OLD);
	return 0;
}

/* The call before a return address may be the guard's last instruction. */
static int guard_ends_at_the_return_address(void)
{
	struct target *t = start_inside(BELOW_BLOCKED);

	view_guard(t->view, CALL(t) + 1, CALL_RETURN - 1, MMVIEW_GUARD_BODY);
	CHECK_EQ(expect_held(t, MMVIEW_WHY_STACK).where, (uintptr_t)CALL(t) + CALL_RETURN);
	expect_migration(t, OLD);
	return 0;
}

/* It ends before the call's last byte: what is left of it is not guarded. */
static int guard_beside_the_stack_word(void)
{
	struct target *t = start_inside(BELOW_BLOCKED);

	view_guard(t->view, CALL(t) + 1, CALL_RETURN - 2, MMVIEW_GUARD_BODY);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, 0), 1);
	expect_migration(t, NEW);
	return 0;
}

static int entry_leaves_the_stack_out(void)
{
	struct target *t = start_inside(BELOW_BLOCKED);

	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_CHANGED);
	expect_held(t, MMVIEW_WHY_STACK);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ENTRY), 1);
	CHECK(task_view(t->pid, t->pid) != 0);
	expect_migration(t, NEW);
	return 0;
}

static int entry_and_the_pc(void)
{
	struct target *t = start_inside(IN_PC);

	view_guard(t->view, SPIN(t) + 1, sizeof(spin_bytes) - 1, MMVIEW_GUARD_BODY);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ENTRY) >= 0);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	CHECK_EQ(atomic_load(&t->member[0].left), 0);
	expect_migration(t, NEW);

	t = start_inside(IN_PC);
	view_guard(t->view, SPIN(t) + 1, sizeof(spin_bytes) - 1, MMVIEW_GUARD_CHANGED);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ENTRY), 0);
	expect_held(t, MMVIEW_WHY_PC);
	expect_migration(t, OLD);
	return 0;
}

/* --- born while the transition goes on ------------------------------------ */

static void *newborn(void *arg)
{
	target_enter(arg);
	target_call_until_stop(whole, arg);
	return NULL;
}

static void give_birth(void)
{
	pthread_t thread;

	atomic_store(&whole->member[0].inside, 1);
	while (atomic_load(&whole->release) < 1)
		sleep_ms(1);
	for (int i = 1; i <= 3; i++)
		CHECK(!pthread_create(&thread, NULL, newborn, &whole->member[i]));
	while (atomic_load(&whole->release) < 2)
		sleep_ms(1);
}

static int parent(void *arg)
{
	struct target *t = whole = arg;
	call_fn call = (call_fn)(uintptr_t)CALL(t);

	target_enter(&t->member[0]);
	atomic_store(&t->member[0].returned, call(give_birth));
	out_again(t);
	return 0;
}

static int all_takes_the_newborn(void)
{
	struct target *t = target_start(guarded_code(), parent, 0);
	struct pollfd complete = { .fd = t->view, .events = POLLIN };

	target_wait_inside(t, 1);
	patch_everything(t);
	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 0);
	atomic_store(&t->release, 1);
	for (int i = 1; i <= 3; i++) {
		EVENTUALLY(atomic_load(&t->member[i].last) == NEW);
		CHECK(view_thread(t->view, atomic_load(&t->member[i].tid)).migrated);
	}
	CHECK_EQ(view_thread(t->view, t->pid).migrated, 0);
	CHECK_EQ(poll(&complete, 1, 0), 0);
	atomic_store(&t->release, 2);
	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	CHECK_EQ(atomic_load(&t->member[0].returned), OLD);
	CHECK_EQ(view_state(t->view, NULL, 0).migrated, 4);
	atomic_store(&t->stop, 1);
	CHECK_EQ(reap(t->pid), 0);
	return 0;
}

/* --- signal stack --------------------------------------------------------- */

static void on_signal(int signal)
{
	(void)signal;
	wait_for_a_byte();
}

static int take_a_signal(void *arg)
{
	struct target *t = whole = arg;
	stack_t stack = { .ss_sp = aligned_alloc(PAGE, 64 * PAGE), .ss_size = 64 * PAGE };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

	target_enter(&t->member[0]);
	CHECK(stack.ss_sp && !sigaltstack(&stack, NULL) && !sigaction(SIGUSR1, &action, NULL));
	CHECK(!raise(SIGUSR1));
	out_again(t);
	return 0;
}

static int signal_stack(void)
{
	struct target *t = target_start(guarded_code(), take_a_signal, 0);

	target_wait_inside(t, 1);
	EVENTUALLY(target_blocked(t, &t->member[0]));
	patch_everything(t);
	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	expect_held(t, MMVIEW_WHY_SIGNAL_STACK);
	expect_migration(t, 0);
	return 0;
}

/* --- uprobes -------------------------------------------------------------- */

#define TRACEFS		"/sys/kernel/tracing"
#define PROBE		"mmview/probed"

static bool tell(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* In a file of its own text: a probe is set at a file's offset. */
__attribute__((noinline, section("probed_text"))) static void probed(void (*fn)(void))
{
	fn();
	asm volatile("" ::: "memory");
}

static int go_when_released(void *arg)
{
	struct target *t = whole = arg;

	target_enter(&t->member[0]);
	while (!atomic_load(&t->release))
		sleep_ms(1);
	probed(wait_for_a_byte);
	out_again(t);
	return 0;
}

/* The offset of an address of this program in its file. */
static unsigned long file_offset(const void *address)
{
	unsigned long start, end, offset, found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    (uintptr_t)address >= start && (uintptr_t)address < end)
			found = (uintptr_t)address - start + offset;
	fclose(maps);
	CHECK(found);
	return found;
}

/* Its return address is the kernel's trampoline: who called is not to be seen. */
static int under_a_uretprobe(void)
{
	char self[256] = "", text[512];
	struct target *t;

	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (access(TRACEFS "/uprobe_events", W_OK))
		return case_skip("no CONFIG_UPROBE_EVENTS, or not root");
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	t = target_start(guarded_code(), go_when_released, 0);
	patch_everything(t);
	snprintf(text, sizeof(text), "r:" PROBE " %s:0x%lx\n", self,
		 file_offset((const void *)(uintptr_t)probed));
	CHECK(tell(TRACEFS "/uprobe_events", text));
	CHECK(tell(TRACEFS "/events/" PROBE "/enable", "1"));
	atomic_store(&t->release, 1);
	target_wait_inside(t, 1);
	EVENTUALLY(target_blocked(t, &t->member[0]));
	expect_held(t, MMVIEW_WHY_UPROBE);
	expect_migration(t, 0);
	CHECK(tell(TRACEFS "/events/" PROBE "/enable", "0"));
	CHECK(tell(TRACEFS "/uprobe_events", "-:" PROBE "\n"));
	return 0;
}

/* Overrides the byte at @at by itself. */
static ssize_t override(int view, uintptr_t at)
{
	return pwrite(view, (const void *)at, 1, (off_t)at);
}

/* A breakpoint would be missing in a copy of its page. Other pages have none. */
static int page_of_a_uprobe(void)
{
	volatile uintptr_t at = (uintptr_t)probed;
	char self[256] = "", text[512];
	int view = view_of(getpid());

	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (access(TRACEFS "/uprobe_events", W_OK))
		return case_skip("no CONFIG_UPROBE_EVENTS, or not root");
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(text, sizeof(text), "p:" PROBE "_page %s:0x%lx\n", self,
		 file_offset((const void *)at));
	CHECK(tell(TRACEFS "/uprobe_events", text));
	CHECK(tell(TRACEFS "/events/" PROBE "_page/enable", "1"));
	CHECK_ERR(override(view, at), EBUSY);
	CHECK_EQ(override(view, at - PAGE), 1);
	CHECK(tell(TRACEFS "/events/" PROBE "_page/enable", "0"));
	CHECK_EQ(override(view, at), 1);
	CHECK(tell(TRACEFS "/uprobe_events", "-:" PROBE "_page\n"));
	return 0;
}

/* --- it ends while it is pending ------------------------------------------ */

static int killed_while_pending(void)
{
	struct target *t = start_inside(BELOW_BLOCKED);

	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 0);
	CHECK(!kill(t->pid, SIGKILL));
	CHECK_EQ(reap(t->pid), 256 + SIGKILL);
	CHECK_ERR(sys_mmview_migrate(t->view, t->pid, 0), ESRCH);
	return 0;
}

/* Nobody holds the descriptor any more: what was asked for still happens. */
static int closed_while_pending(void)
{
	struct target *t = start_inside(BELOW_BLOCKED);

	view_guard(t->view, CALL(t) + 1, sizeof(call_bytes) - 1, MMVIEW_GUARD_BODY);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL), 0);
	CHECK(!close(t->view));
	sleep_ms(100);
	CHECK_EQ(task_view(t->pid, t->pid), 0);
	let_go(t);
	CHECK_EQ(atomic_load(&t->member[0].returned), OLD);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	target_end(t);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "pc in a guard", pc_in_a_guard },
		{ "blocked below a guarded function", blocked_below },
		{ "spinning below a guarded function", spinning_below },
		{ "blocked deep below a guarded function", deep_below },
		{ "a system call that ends a guard", syscall_at_the_end_of_a_guard },
		{ "STATE names the guard", second_of_three_guards },
		{ "a guard that ends at the return address", guard_ends_at_the_return_address },
		{ "a guard beside the stack word", guard_beside_the_stack_word },
		{ "ENTRY leaves the stack out", entry_leaves_the_stack_out },
		{ "ENTRY: CHANGED holds a pc, BODY does not", entry_and_the_pc },
		{ "ALL takes threads born meanwhile", all_takes_the_newborn },
		{ "on a signal stack", signal_stack },
		{ "killed while a migration is pending", killed_while_pending },
		{ "closed while a migration is pending", closed_while_pending },
		/* Last: who has had a probe in its text is taken to have one still. */
		{ "under a uretprobe", under_a_uretprobe },
		{ "a page with a uprobe: EBUSY, until it is gone", page_of_a_uprobe },
	};

	MMVIEW_MAIN(cases);
}
