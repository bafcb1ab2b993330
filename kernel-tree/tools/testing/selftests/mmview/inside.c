// SPDX-License-Identifier: GPL-2.0
/*
 * The check never says "safe" while a thread is inside a patched function: in
 * whatever the function has called, wherever a walk over frames would lose its
 * way, in every class of system call and while it spins.
 *
 * guarded() is a compiled function in a section of its own, which is the guard.
 * A case sends a thread through it to some place, sees that the thread is held
 * there for as long as it stays, and that it migrates once it is out.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "remote.h"

/* Sections of one function each: no guard holds an entry, whose address may lie about. */
extern const char __start_guarded_text[], __stop_guarded_text[];
extern const char __start_left_text[], __stop_left_text[];

/* The patched function. Not a tail call: it has something left to do. */
__attribute__((noinline, section("guarded_text"))) static long guarded(long (*place)(void))
{
	long result = place();

	asm volatile("" : "+r"(result));
	return result;
}

static struct target *whole;		/* in the target: what it works for */
static const struct place *here;	/* in both: what the case is about */

struct place {
	const char *name;
	long (*go)(void);		/* returns when released */
	unsigned int why;		/* what STATE says; 0: PC or STACK */
	bool blocks;
	bool direct;			/* call it without guarded() */
};

static void say_inside(void)
{
	atomic_store(&whole->member[0].inside, 1);
}

static bool released(void)
{
	return atomic_load(&whole->release);
}

/* --- how a thread gets in, and the tester's part ---------------------------- */

__attribute__((noinline)) static void scrub(void)
{
	volatile char below[192 * 1024];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

static void on_release(int signal)
{
	(void)signal;
}

static void pass_through(struct target *t)
{
	struct sigaction action = { .sa_handler = on_release };	/* no SA_RESTART */
	struct member *m = &t->member[0];

	whole = t;
	target_enter(m);
	CHECK(!sigaction(SIGUSR2, &action, NULL));
	atomic_store(&m->result, here->direct ? here->go() : guarded(here->go));
	scrub();
	atomic_store(&m->left, 1);
	target_call_until_stop(t, m);
}

static int enter_on_the_main_stack(void *arg)
{
	pass_through(arg);
	return 0;
}

static void let_go(struct target *t)
{
	atomic_store(&t->release, 1);
	while (!atomic_load(&t->member[0].left)) {
		CHECK(!syscall(SYS_tgkill, t->pid, atomic_load(&t->member[0].tid), SIGUSR2));
		sleep_ms(5);
	}
}

static struct target *start_in(const struct place *place, int (*enter)(void *))
{
	struct target *t;

	here = place;
	t = target_start(code_map(CODE_FILE, 1), enter, 0);
	target_wait_inside(t, 1);
	if (place->blocks)
		EVENTUALLY(target_blocked(t, &t->member[0]));
	sleep_ms(20);
	view_patch(t->view, t->code, NEW);
	view_guard(t->view, __start_guarded_text + 1,
		   __stop_guarded_text - __start_guarded_text - 1, MMVIEW_GUARD_BODY);
	return t;
}

static void hold_in(const struct place *place, int (*enter)(void *))
{
	struct target *t = start_in(place, enter);
	pid_t tid = atomic_load(&t->member[0].tid);
	struct mmview_thread thread;

	CHECK(!sys_mmview_migrate(t->view, tid, 0));
	for (int i = 0; i < 8; i++) {
		EVENTUALLY((thread = view_thread(t->view, tid)).why != MMVIEW_WHY_RUNNING ||
			   thread.migrated);
		CHECK_MSG(!thread.migrated, "%s: it has migrated", place->name);
		if (place->why)
			CHECK_MSG(thread.why == place->why, "%s: held by %u at %#llx, expected %u",
				  place->name, thread.why, (unsigned long long)thread.where,
				  place->why);
		else
			CHECK_MSG(thread.why == MMVIEW_WHY_PC || thread.why == MMVIEW_WHY_STACK,
				  "%s: held by %u", place->name, thread.why);
		sleep_ms(25);
	}
	CHECK_MSG(!atomic_load(&t->member[0].left), "%s: it has left", place->name);
	CHECK_EQ(task_view(t->pid, tid), 0);
	let_go(t);
	for (long long end = now_ns() + SOON * 1000000000LL;
	     !(thread = view_thread(t->view, tid)).migrated; sleep_ms(1))
		CHECK_MSG(now_ns() < end, "%s: out, but held by %u at %#llx in %#llx", place->name,
			  thread.why, (unsigned long long)thread.where,
			  (unsigned long long)thread.slot);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	target_end(t);
}

static void hold_in_each(const struct place *places, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		hold_in(&places[i], enter_on_the_main_stack);
}

#define HOLD_IN_EACH(places) hold_in_each(places, sizeof(places) / sizeof((places)[0]))

/* --- system calls ----------------------------------------------------------- */

static int a_pipe(int end)
{
	int ends[2];

	CHECK(!pipe(ends));
	return ends[end];
}

static long in_read(void)
{
	char byte;

	say_inside();
	return read(a_pipe(0), &byte, 1);
}

static long in_write(void)
{
	int fd = a_pipe(1);
	static char bytes[1 << 20];

	say_inside();
	return write(fd, bytes, sizeof(bytes));
}

static long in_nanosleep(void)
{
	struct timespec time = { .tv_sec = 1000 };

	say_inside();
	return nanosleep(&time, NULL);
}

static long in_clock_nanosleep(void)
{
	struct timespec time = { .tv_sec = LONG_MAX / 4000000000L };

	say_inside();
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static long in_futex(void)
{
	static int word;

	say_inside();
	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

/* glibc, over futex; not interruptible */
static long in_mutex(void)
{
	pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct timespec time;

	pthread_mutex_lock(&mutex);
	say_inside();
	while (!released()) {
		clock_gettime(CLOCK_REALTIME, &time);
		time.tv_nsec += 50000000;
		time.tv_sec += time.tv_nsec / 1000000000;
		time.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&cond, &mutex, &time);
	}
	return 0;
}

static long in_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	CHECK(!epoll_ctl(fd, EPOLL_CTL_ADD, a_pipe(0), &event));
	say_inside();
	return epoll_wait(fd, &event, 1, -1);
}

static long in_poll(void)
{
	struct pollfd fd = { .fd = a_pipe(0), .events = POLLIN };

	say_inside();
	return poll(&fd, 1, -1);
}

static long in_ppoll(void)
{
	struct pollfd fd = { .fd = a_pipe(0), .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	say_inside();
	return ppoll(&fd, 1, NULL, &none);
}

static long in_select(void)
{
	int fd = a_pipe(0);
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(fd, &fds);
	say_inside();
	return select(fd + 1, &fds, NULL, NULL, NULL);
}

static long in_recv(void)
{
	int fds[2];
	char byte;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	say_inside();
	return recv(fds[0], &byte, 1, 0);
}

static long in_send(void)
{
	static char bytes[4 << 20];
	int fds[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	say_inside();
	return send(fds[0], bytes, sizeof(bytes), 0);
}

static long in_accept(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(!listen(fd, 1));
	say_inside();
	return accept(fd, NULL, NULL);
}

static long in_waitid(void)
{
	pid_t child = fork();
	siginfo_t info;

	if (!child) {
		while (!released())
			sleep_ms(1);
		_exit(0);
	}
	say_inside();
	while (waitid(P_PID, child, &info, WEXITED))
		;
	return 0;
}

/* the parent waits, uninterruptibly */
static long in_vfork(void)
{
	pid_t child = vfork();

	if (!child) {
		say_inside();
		while (!released())
			syscall(SYS_sched_yield);
		_exit(0);
	}
	return waitpid(child, NULL, 0);
}

static long in_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	say_inside();
	return sigtimedwait(&set, NULL, NULL);
}

static long in_pause(void)
{
	say_inside();
	return pause();
}

static long in_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	say_inside();
	return sigsuspend(&none);
}

static long in_msgrcv(void)
{
	int queue = msgget(IPC_PRIVATE, 0600);
	struct { long type; char text[8]; } message;
	long result;

	CHECK(queue >= 0);
	say_inside();
	result = msgrcv(queue, &message, 8, 0, 0);
	msgctl(queue, IPC_RMID, NULL);
	return result;
}

static long in_semop(void)
{
	int set = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf take = { .sem_op = -1 };
	long result;

	CHECK(set >= 0);
	say_inside();
	result = semop(set, &take, 1);
	semctl(set, 0, IPC_RMID);
	return result;
}

static long in_mq_receive(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t queue = mq_open("/mmview-inside", O_RDWR | O_CREAT, 0600, &attr);
	char text[8];

	CHECK(queue >= 0);
	mq_unlink("/mmview-inside");
	say_inside();
	return mq_receive(queue, text, sizeof(text), NULL);
}

static long in_io_getevents(void)
{
	aio_context_t context = 0;
	struct io_event event;

	CHECK(!syscall(SYS_io_setup, 1, &context));
	say_inside();
	return syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
}

static long in_flock(void)
{
	char path[] = "/tmp/mmview-inside-XXXXXX";
	int fd = mkstemp(path), other = open(path, O_RDWR);

	CHECK(fd >= 0 && other >= 0 && !unlink(path) && !flock(other, LOCK_EX));
	say_inside();
	return flock(fd, LOCK_EX);
}

static long in_eventfd(void)
{
	eventfd_t value;
	int fd = eventfd(0, 0);

	say_inside();
	return eventfd_read(fd, &value);
}

static long in_timerfd(void)
{
	struct itimerspec time = { .it_value.tv_sec = 1000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t value;

	CHECK(!timerfd_settime(fd, 0, &time, NULL));
	say_inside();
	return read(fd, &value, sizeof(value));
}

static long in_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	fd = signalfd(-1, &set, 0);
	say_inside();
	return read(fd, &info, sizeof(info));
}

static long in_inotify(void)
{
	int fd = inotify_init();
	char event[512];

	say_inside();
	return read(fd, event, sizeof(event));
}

static long in_splice(void)
{
	int from = a_pipe(0), to = a_pipe(1);

	say_inside();
	return splice(from, NULL, to, NULL, 4096, 0);
}

static int system_calls(void)
{
	static const struct place places[] = {
		{ "read", in_read, MMVIEW_WHY_STACK, true, false },
		{ "write", in_write, MMVIEW_WHY_STACK, true, false },
		{ "nanosleep", in_nanosleep, MMVIEW_WHY_STACK, true, false },
		{ "clock_nanosleep", in_clock_nanosleep, MMVIEW_WHY_STACK, true, false },
		{ "futex", in_futex, MMVIEW_WHY_STACK, true, false },
		{ "a condition variable", in_mutex, MMVIEW_WHY_STACK, false, false },
		{ "epoll_wait", in_epoll, MMVIEW_WHY_STACK, true, false },
		{ "poll", in_poll, MMVIEW_WHY_STACK, true, false },
		{ "ppoll", in_ppoll, MMVIEW_WHY_STACK, true, false },
		{ "select", in_select, MMVIEW_WHY_STACK, true, false },
		{ "recv", in_recv, MMVIEW_WHY_STACK, true, false },
		{ "send", in_send, MMVIEW_WHY_STACK, true, false },
		{ "accept", in_accept, MMVIEW_WHY_STACK, true, false },
		{ "waitid", in_waitid, MMVIEW_WHY_STACK, true, false },
		{ "vfork", in_vfork, MMVIEW_WHY_STACK, false, false },
		{ "sigtimedwait", in_sigtimedwait, MMVIEW_WHY_STACK, true, false },
		{ "pause", in_pause, MMVIEW_WHY_STACK, true, false },
		{ "sigsuspend", in_sigsuspend, MMVIEW_WHY_STACK, true, false },
		{ "msgrcv", in_msgrcv, MMVIEW_WHY_STACK, true, false },
		{ "semop", in_semop, MMVIEW_WHY_STACK, true, false },
		{ "mq_receive", in_mq_receive, MMVIEW_WHY_STACK, true, false },
		{ "io_getevents", in_io_getevents, MMVIEW_WHY_STACK, true, false },
		{ "flock", in_flock, MMVIEW_WHY_STACK, true, false },
		{ "eventfd", in_eventfd, MMVIEW_WHY_STACK, true, false },
		{ "timerfd", in_timerfd, MMVIEW_WHY_STACK, true, false },
		{ "signalfd", in_signalfd, MMVIEW_WHY_STACK, true, false },
		{ "inotify", in_inotify, MMVIEW_WHY_STACK, true, false },
		{ "splice", in_splice, MMVIEW_WHY_STACK, true, false },
	};

	HOLD_IN_EACH(places);
	return 0;
}

/* --- spinning --------------------------------------------------------------- */

static long spin(void)
{
	say_inside();
	while (!released())
		;
	return 0;
}

static long spin_over_system_calls(void)
{
	say_inside();
	while (!released())
		syscall(SYS_getppid);
	return 0;
}

static long spin_over_faults(void)
{
	char *page = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	CHECK(page != MAP_FAILED);
	say_inside();
	while (!released()) {
		for (int i = 0; i < 64; i++)
			page[i * PAGE] = 1;
		madvise(page, 64 * PAGE, MADV_DONTNEED);
	}
	return 0;
}

static long spin_in_the_vdso(void)
{
	struct timespec time;

	say_inside();
	while (!released())
		for (int i = 0; i < 1000; i++)
			clock_gettime(CLOCK_MONOTONIC, &time);
	return 0;
}

static int spinning(void)
{
	static const struct place places[] = {
		{ "a loop", spin, MMVIEW_WHY_STACK, false, false },
		{ "system calls in a loop", spin_over_system_calls, MMVIEW_WHY_STACK, false,
		  false },
		{ "page faults in a loop", spin_over_faults, MMVIEW_WHY_STACK, false, false },
		{ "vDSO calls in a loop", spin_in_the_vdso, MMVIEW_WHY_STACK, false, false },
	};

	HOLD_IN_EACH(places);
	return 0;
}

/* --- where a walk over frames gets lost ------------------------------------- */

/*
 * No frame pointer, no unwind information, a stack pointer that has moved by a
 * number only the code knows, and rbp that points nowhere.
 */
long assembly(void);
asm(".pushsection .text\n"
	".type assembly, @function\n"
	"assembly:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	mov $0x123456789, %rbp\n"
	"	sub $1048, %rsp\n"
	"	call in_assembly\n"
	"	add $1048, %rsp\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size assembly, . - assembly\n"
	".popsection\n");

__attribute__((used)) long in_assembly(void);
__attribute__((used)) long in_assembly(void)
{
	return in_read();
}

/* The guarded function is reached by a jump: its caller's frame is above it. */
long jump_to_guarded(void);
asm(".pushsection .text\n"
	".type jump_to_guarded, @function\n"
	"jump_to_guarded:\n"
	"	lea in_assembly(%rip), %rdi\n"
	"	jmp *jump_target(%rip)\n"
	".size jump_to_guarded, . - jump_to_guarded\n"
	".popsection\n");
__attribute__((used)) long (*jump_target)(long (*)(void)) = guarded;

static int frames(void)
{
	static const struct place places[] = {
		{ "hand-written assembly", assembly, MMVIEW_WHY_STACK, true, false },
		{ "a tail call into it", jump_to_guarded, MMVIEW_WHY_STACK, true, true },
	};

	HOLD_IN_EACH(places);
	return 0;
}

/* It was left by a jump: it is on no stack any more, and holds nobody. */
long leave_by_jump(void);
asm(".pushsection left_text, \"ax\"\n"
	".type leave_by_jump, @function\n"
	"leave_by_jump:\n"
	"	nop\n"
	"	jmp in_assembly\n"
	".size leave_by_jump, . - leave_by_jump\n"
	".popsection\n");

static int left_by_a_tail_call(void)
{
	static const struct place place = {
		"a tail call out of it", leave_by_jump, 0, true, true };
	struct target *t = start_in(&place, enter_on_the_main_stack);

	view_guard(t->view, __start_left_text + 1, __stop_left_text - __start_left_text - 1,
		   MMVIEW_GUARD_BODY);
	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, 0), 1);
	CHECK_EQ(atomic_load(&t->member[0].left), 0);
	let_go(t);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	target_end(t);
	return 0;
}

/* --- the PLT's resolver ------------------------------------------------------ */

/*
 * lazy.so calls a function by its PLT for the first time. The dynamic linker
 * looks it up and calls its IFUNC resolver, which is ours, and waits.
 */
static long in_plt_resolver(void)
{
	char self[PATH_MAX], path[PATH_MAX + 16];
	long (*call)(void (*)(void));
	void *lazy;

	CHECK(realpath("/proc/self/exe", self));
	snprintf(path, sizeof(path), "%s/lazy.so", dirname(self));
	lazy = dlopen(path, RTLD_LAZY);
	CHECK_MSG(lazy, "%s", dlerror());
	call = (long (*)(void (*)(void)))(uintptr_t)dlsym(lazy, "call_lazily");
	CHECK(call);
	return call((void (*)(void))(uintptr_t)in_read);
}

static int plt_resolver(void)
{
	static const struct place place = {
		"the PLT's resolver", in_plt_resolver, MMVIEW_WHY_STACK, true, false };

	hold_in(&place, enter_on_the_main_stack);
	return 0;
}

/* --- signals ----------------------------------------------------------------- */

static void handler_that_blocks(int signal)
{
	(void)signal;
	in_read();
}

static void handler_that_spins(int signal)
{
	(void)signal;
	spin();
}

/* It gives up its own handler while it runs, as one-shot handlers do. */
static void handler_that_resets(int signum)
{
	signal(signum, SIG_DFL);
	in_read();
}

static long take_signal(void (*handler)(int), int flags, int stack_flags)
{
	stack_t stack = { .ss_sp = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			  .ss_size = 64 * PAGE, .ss_flags = stack_flags };
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK(stack.ss_sp != MAP_FAILED);
	/* The stack is a mapping of its own, with none beside it. */
	CHECK(!munmap((char *)stack.ss_sp + 63 * PAGE, PAGE));
	stack.ss_size = 63 * PAGE;
	CHECK(!sigaltstack(&stack, NULL) && !sigaction(SIGUSR1, &action, NULL));
	return raise(SIGUSR1);
}

#ifndef SS_AUTODISARM
#define SS_AUTODISARM	(1U << 31)
#endif

static long signal_blocks(void)
{
	return take_signal(handler_that_blocks, 0, 0);
}

static long signal_spins(void)
{
	return take_signal(handler_that_spins, 0, 0);
}

static long signal_on_its_stack(void)
{
	return take_signal(handler_that_blocks, SA_ONSTACK, 0);
}

static long signal_spins_on_its_stack(void)
{
	return take_signal(handler_that_spins, SA_ONSTACK, 0);
}

static long signal_disarms(void)
{
	return take_signal(handler_that_blocks, SA_ONSTACK, SS_AUTODISARM);
}

static long signal_disarms_and_spins(void)
{
	return take_signal(handler_that_spins, SA_ONSTACK, SS_AUTODISARM);
}

static long signal_disarms_and_resets(void)
{
	return take_signal(handler_that_resets, SA_ONSTACK, SS_AUTODISARM);
}

static int signals(void)
{
	static const struct place places[] = {
		{ "a handler", signal_blocks, MMVIEW_WHY_STACK, true, false },
		{ "a handler that spins", signal_spins, MMVIEW_WHY_STACK, false, false },
		{ "a handler on its stack", signal_on_its_stack,
		  MMVIEW_WHY_SIGNAL_STACK, true, false },
		{ "a handler that spins on its stack", signal_spins_on_its_stack,
		  MMVIEW_WHY_SIGNAL_STACK, false, false },
		{ "a handler on a disarmed stack", signal_disarms,
		  MMVIEW_WHY_SIGNAL_STACK, true, false },
		{ "a handler that spins on a disarmed stack", signal_disarms_and_spins,
		  MMVIEW_WHY_SIGNAL_STACK, false, false },
		{ "a handler that gives itself up", signal_disarms_and_resets,
		  MMVIEW_WHY_SIGNAL_STACK, true, false },
	};

	HOLD_IN_EACH(places);
	return 0;
}

/* A handler that has returned left its frame on the signal stack: no matter. */
static long signal_is_over(void)
{
	CHECK(!take_signal(on_release, SA_ONSTACK, SS_AUTODISARM));
	return 0;
}

static void *takes_signal_and_sleeps(void *arg)
{
	whole = arg;
	target_enter(&whole->member[0]);
	signal_is_over();
	in_read();
	return NULL;
}

static int sleeps_after_signal(void *arg)
{
	takes_signal_and_sleeps(arg);
	return 0;
}

static int after_a_signal(void)
{
	static const struct place place = { "a handler that is over", NULL, 0, true, false };
	struct target *t = start_in(&place, sleeps_after_signal);

	CHECK_EQ(sys_mmview_migrate(t->view, t->pid, 0), 1);
	CHECK(!kill(t->pid, SIGKILL));
	CHECK_EQ(reap(t->pid), 256 + SIGKILL);
	return 0;
}

/* --- deep stacks -------------------------------------------------------------- */

static size_t depth;

__attribute__((noinline)) static long recurse(const char *top)
{
	volatile char frame[1024];

	frame[0] = 1;
	if ((size_t)(top - (const char *)frame) < depth)
		return recurse(top) + frame[0];
	return in_read();
}

static long in_recursion(void)
{
	char top = 0;

	return recurse(&top);
}

static void *on_a_large_stack(void *arg)
{
	pass_through(arg);
	return NULL;
}

static int enter_on_a_large_stack(void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	CHECK(!pthread_attr_init(&attr) && !pthread_attr_setstacksize(&attr, 64 << 20));
	CHECK(!pthread_create(&thread, &attr, on_a_large_stack, arg));
	pthread_join(thread, NULL);
	return 0;
}

static int recursion(void)
{
	static const struct place shallow = {
		"recursion of 4 MiB", in_recursion, MMVIEW_WHY_STACK, true, false };
	static const struct place deep = {
		"recursion of 16 MiB", in_recursion, MMVIEW_WHY_STACK_UNREADABLE, true, false };

	depth = 4 << 20;
	hold_in(&shallow, enter_on_a_large_stack);
	depth = 16 << 20;
	hold_in(&deep, enter_on_a_large_stack);
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "in every class of system call", system_calls },
		{ "spinning, in system calls, faults and the vDSO", spinning },
		{ "in assembly, and through a tail call", frames },
		{ "not after a tail call out of it", left_by_a_tail_call },
		{ "in the PLT's resolver", plt_resolver },
		{ "in signal handlers, on either stack", signals },
		{ "not after a signal handler", after_a_signal },
		{ "in deep recursion", recursion },
	};

	mmview_case_timeout_s = 400;
	MMVIEW_MAIN(cases);
}
