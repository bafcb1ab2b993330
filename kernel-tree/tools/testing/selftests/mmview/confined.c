// SPDX-License-Identifier: GPL-2.0
/*
 * Targets that are confined, and who may patch whom: seccomp, memory that may
 * not become executable, processes that are not dumpable, user and pid
 * namespaces.
 *
 * A view is made and entered from outside: the target calls nothing for it, so
 * no filter of its own is asked. Permission is that of ptrace, between the
 * caller's user namespace and the target's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

/* --- seccomp -------------------------------------------------------------------- */

enum { STRICT, FILTER };	/* how a target confines itself */

static struct target *whole;

/* read, write, exit and the return from signals; anything else kills. */
static void confine(int how)
{
	static struct sock_filter few_calls[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(few_calls) / sizeof(few_calls[0]), few_calls };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (how == STRICT)
		CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	else
		CHECK(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static void *blocked_and_confined(void *arg)
{
	struct member *m = arg;
	char byte;

	target_enter(m);
	confine(whole->kind);
	atomic_store(&m->inside, 1);
	atomic_store(&m->result, read(whole->pipe[0], &byte, 1));
	target_call_until_stop(whole, m);
	atomic_store(&m->left, 1);
	/* Not through the C library, which would do more than that. */
	syscall(SYS_exit, 0);
	return NULL;
}

static int confined_target(void *arg)
{
	struct target *t = whole = arg;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, blocked_and_confined, &t->member[1]));
	target_enter(&t->member[0]);
	confine(t->kind);
	atomic_store(&t->member[0].inside, 1);
	target_call_until_stop(t, &t->member[0]);
	atomic_store(&t->member[0].left, 1);
	while (!atomic_load(&t->member[1].left))
		;
	syscall(t->kind == STRICT ? SYS_exit : SYS_exit_group, 0);
	return 0;
}

static void fold_view(int view)
{
	struct pollfd complete = { .fd = view, .events = POLLIN };

	CHECK_EQ(poll(&complete, 1, SOON * 1000), 1);
	CHECK(!ioctl(view, MMVIEW_IOC_FOLD));
}

/* The whole of a patch's life, with an arena, in a target that can call next to nothing. */
static void patch_and_fold(struct target *t)
{
	struct mmview_map map = {
		.near_start = (uintptr_t)t->code,
		.near_end = (uintptr_t)t->code + PAGE,
		.code_size = PAGE,
		.data_size = PAGE,
	};
	unsigned char stub[STUB_SIZE];

	EVENTUALLY(atomic_load(&t->member[0].last) == OLD);
	CHECK(!ioctl(t->view, MMVIEW_IOC_MAP, &map));
	stub_write(stub, NEW);
	CHECK_EQ(pwrite(t->view, stub, sizeof(stub), map.code_addr), sizeof(stub));
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	CHECK_EQ(atomic_load(&t->member[1].last), 0);
	fold_view(t->view);
	CHECK_EQ(task_view(t->pid, t->pid), 0);
	EVENTUALLY(target_blocked(t, &t->member[1]));
	CHECK_EQ(write(t->pipe[1], "x", 1), 1);
	EVENTUALLY(atomic_load(&t->member[1].last) == NEW);
	CHECK_EQ(atomic_load(&t->member[1].result), 1);
}

static void patch_confined(int how)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), confined_target, how);

	target_wait_inside(t, 2);
	EVENTUALLY(target_blocked(t, &t->member[1]));
	patch_and_fold(t);
	target_end(t);
}

static int seccomp_strict(void)
{
	patch_confined(STRICT);
	return 0;
}

static int seccomp_filter(void)
{
	patch_confined(FILTER);
	return 0;
}

/* The calls themselves are a filter's business as any others: refused, nothing changes. */
static int refuse_the_calls(void *arg)
{
	static struct sock_filter no_views[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmview_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmview_migrate, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(no_views) / sizeof(no_views[0]), no_views };
	int self = sys_pidfd_open(getpid()), view = view_of(getpid());

	(void)arg;
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	CHECK_ERR(sys_mmview_clone(self, 0), EACCES);
	CHECK_ERR(sys_mmview_migrate(view, 0, 0), EACCES);
	CHECK_EQ(task_view(getpid(), getpid()), 0);
	return 0;
}

static int seccomp_against_the_calls(void)
{
	CHECK_EQ(reap(spawn(refuse_the_calls, NULL)), 0);
	return 0;
}

/* --- no memory becomes executable ------------------------------------------------ */

static void *waits(void *arg)
{
	struct member *m = arg;
	char byte;

	target_enter(m);
	atomic_store(&m->inside, 1);
	atomic_store(&m->result, read(whole->pipe[0], &byte, 1));
	target_call_until_stop(whole, m);
	return NULL;
}

static int mdwe_target(void *arg)
{
	struct target *t = whole = arg;
	pthread_t thread;
	char *page;

	target_enter(&t->member[0]);
	CHECK(!pthread_create(&thread, NULL, waits, &t->member[1]));
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)) {
		atomic_store(&t->member[0].error, errno);
		atomic_store(&t->member[0].inside, 1);
		return 0;
	}
	/* The process itself may not, before as after. */
	page = data_map_at(NULL, 1);
	CHECK_ERR(mprotect(page, PAGE, PROT_READ | PROT_EXEC), EACCES);
	atomic_store(&t->member[0].inside, 1);
	target_call_until_stop(t, &t->member[0]);
	CHECK_ERR(mprotect(page, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK_ERR(mprotect(t->code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), EACCES);
	CHECK_EQ(code_call(t->code), NEW);
	return 0;
}

static int memory_deny_write_execute(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), mdwe_target, 0);

	EVENTUALLY(atomic_load(&t->member[0].inside));
	if (atomic_load(&t->member[0].error))
		return case_skip("no PR_SET_MDWE");
	EVENTUALLY(atomic_load(&t->member[1].inside));
	patch_and_fold(t);
	target_end(t);
	return 0;
}

/* --- not dumpable ----------------------------------------------------------------- */

#define NOBODY	65534

static void become_nobody(void)
{
	CHECK(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY));
	/* Another identity is not dumpable at first. */
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

static int secretive_target(void *arg)
{
	struct target *t = arg;

	become_nobody();
	target_enter(&t->member[0]);
	atomic_store(&t->member[0].inside, 1);
	while (!atomic_load(&t->release))
		sleep_ms(1);
	CHECK(!prctl(PR_SET_DUMPABLE, 0));
	atomic_store(&t->member[0].left, 1);
	target_call_until_stop(t, &t->member[0]);
	return 0;
}

/* The target's own user may as long as the target can be dumped; it is asked each time. */
static int same_user(void *arg)
{
	struct target *t = arg;
	unsigned char stub[STUB_SIZE];
	int pidfd, view;

	become_nobody();
	pidfd = sys_pidfd_open(t->pid);
	CHECK(pidfd >= 0);
	view = sys_mmview_clone(pidfd, 0);
	CHECK(view >= 0);
	view_patch(view, t->code, NEW);
	atomic_store(&t->release, 1);
	EVENTUALLY(atomic_load(&t->member[0].left));
	stub_write(stub, NEW);
	CHECK_ERR(sys_mmview_clone(pidfd, 0), EPERM);
	CHECK_ERR(pwrite(view, stub, 1, (off_t)(uintptr_t)t->code), EPERM);
	CHECK_ERR(pread(view, stub, 1, (off_t)(uintptr_t)t->code), EPERM);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_SEAL), EPERM);
	CHECK_ERR(sys_mmview_migrate(view, t->pid, 0), EPERM);
	CHECK_ERR(sys_mmview_migrate(view, t->pid, MMVIEW_MIGRATE_ALL), EPERM);
	return 0;
}

static int not_dumpable(void)
{
	struct target *t;

	if (geteuid())
		return case_skip("not root");
	t = target_start(code_map(CODE_ANON, 1), secretive_target, 0);
	target_wait_inside(t, 1);
	CHECK_EQ(reap(spawn(same_user, t)), 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == OLD);
	/* Who has CAP_SYS_PTRACE may go on. */
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	fold_view(t->view);
	target_end(t);
	return 0;
}

/* --- user namespaces --------------------------------------------------------------- */

static int plain_target(void *arg)
{
	struct target *t = arg;

	target_enter(&t->member[0]);
	atomic_store(&t->member[0].inside, 1);
	target_call_until_stop(t, &t->member[0]);
	return 0;
}

/* Root of a new user namespace; of its parent's it is nobody now. */
static void enter_user_namespace(void)
{
	char path[64], map[64];
	int outside = geteuid(), fd;

	CHECK(!unshare(CLONE_NEWUSER));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", getpid());
	snprintf(map, sizeof(map), "0 %d 1", outside);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map));
	close(fd);
	CHECK_EQ(geteuid(), 0);
}

/* Root inside, on a process outside that even has the same user. */
static int root_inside(void *arg)
{
	struct target *t = arg;
	int pidfd = sys_pidfd_open(t->pid), inherited = t->view;
	unsigned char stub[STUB_SIZE] = {};

	enter_user_namespace();
	CHECK(pidfd >= 0);
	CHECK_ERR(sys_mmview_clone(pidfd, 0), EPERM);
	CHECK_ERR(sys_mmview_clone(pidfd, MMVIEW_CLONE_ATTACH), EPERM);
	/* A descriptor from outside gives no right either. */
	CHECK_ERR(pwrite(inherited, stub, 1, (off_t)(uintptr_t)t->code), EPERM);
	CHECK_ERR(sys_mmview_migrate(inherited, t->pid, MMVIEW_MIGRATE_ALL), EPERM);
	CHECK_ERR(ioctl(inherited, MMVIEW_IOC_FOLD), EPERM);
	return 0;
}

static int user_namespace_outwards(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), plain_target, 0);

	target_wait_inside(t, 1);
	CHECK_EQ(reap(spawn(root_inside, t)), 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == OLD);
	CHECK_EQ(task_view(t->pid, t->pid), 0);
	target_end(t);
	return 0;
}

static int target_inside(void *arg)
{
	enter_user_namespace();
	return plain_target(arg);
}

static int user_namespace_inwards(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), target_inside, 0);

	target_wait_inside(t, 1);
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	fold_view(t->view);
	target_end(t);
	return 0;
}

/* Patcher and target in the same container. */
static int both_inside(void *arg)
{
	struct target *t;

	(void)arg;
	enter_user_namespace();
	t = target_start(code_map(CODE_ANON, 1), plain_target, 0);
	target_wait_inside(t, 1);
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	fold_view(t->view);
	target_end(t);
	return 0;
}

static int user_namespace_within(void)
{
	CHECK_EQ(reap(spawn(both_inside, NULL)), 0);
	return 0;
}

/* --- pid namespaces ------------------------------------------------------------------ */

/* In the namespace that fork() has just made: its first process, and what it patches there. */
static int patcher_in_container(void *arg)
{
	struct target *outside = arg, *t;
	struct mmview_thread threads[4];
	struct mmview_state state;

	CHECK_EQ(getpid(), 1);
	t = target_start(code_map(CODE_FILE, 1), plain_target, 0);
	target_wait_inside(t, 1);
	CHECK_EQ(t->pid, 2);
	CHECK_EQ(atomic_load(&t->member[0].tid), 2);
	/* Its threads go by the numbers they have here. */
	CHECK_EQ(view_thread(t->view, 2).why, MMVIEW_WHY_NOT_ASKED);
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, 2, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(view_thread(t->view, 2).migrated);
	/* Whoever is outside has no number here, and cannot be named. */
	state = view_state(outside->view, threads, 4);
	CHECK(state.nr == 1 && threads[0].tid == 0);
	CHECK_ERR(sys_mmview_migrate(outside->view, outside->pid, 0), ESRCH);
	target_end(t);
	return 0;
}

static int numbers_inside(void)
{
	struct target *outside = target_start(code_map(CODE_ANON, 1), plain_target, 0);

	if (geteuid())
		return case_skip("not root");
	target_wait_inside(outside, 1);
	CHECK(!unshare(CLONE_NEWPID));
	CHECK_EQ(reap(spawn(patcher_in_container, outside)), 0);
	CHECK_EQ(view_thread(outside->view, outside->pid).why, MMVIEW_WHY_NOT_ASKED);
	target_end(outside);
	return 0;
}

static int numbers_outside(void)
{
	struct target *t;

	if (geteuid())
		return case_skip("not root");
	CHECK(!unshare(CLONE_NEWPID));
	t = target_start(code_map(CODE_ANON, 1), plain_target, 0);
	target_wait_inside(t, 1);
	/* The target calls itself 1; to us it is t->pid. */
	CHECK_EQ(atomic_load(&t->member[0].tid), 1);
	CHECK(t->pid > 1);
	CHECK_EQ(view_thread(t->view, t->pid).why, MMVIEW_WHY_NOT_ASKED);
	CHECK_ERR(sys_mmview_migrate(t->view, 1, 0), ESRCH);
	view_patch(t->view, t->code, NEW);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	fold_view(t->view);
	target_end(t);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "seccomp strict", seccomp_strict },
		{ "seccomp filter", seccomp_filter },
		{ "a seccomp filter refuses the calls", seccomp_against_the_calls },
		{ "no memory may become executable (MDWE)", memory_deny_write_execute },
		{ "not dumpable: its own user may not, root may", not_dumpable },
		{ "root of a user namespace on a process outside", user_namespace_outwards },
		{ "root outside on a process in a user namespace", user_namespace_inwards },
		{ "both in one user namespace", user_namespace_within },
		{ "numbers in a pid namespace", numbers_inside },
		{ "numbers seen from outside a pid namespace", numbers_outside },
	};

	MMVIEW_MAIN(cases);
}
