// SPDX-License-Identifier: GPL-2.0
/*
 * A target of the fuzzer: threads that change their process in every way that
 * views have to follow, and look whether their text and data are what they
 * must be. They know nothing of the callers.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define DATA_PAGES	24

struct worker {
	struct fuzz_target *target;
	int index;
	unsigned long random;
	char *data;			/* DATA_PAGES, each full of fill */
	unsigned char fill;
};

static void check_code(void)
{
	for (int i = 0; i < FUZZ_CODES; i++) {
		int value = code_call(fuzz->code[i]);

		CHECK_MSG(value >= 1 && value <= FUZZ_VALUES, "text %d gives %d", i, value);
	}
}

static void check_data(const struct worker *w)
{
	for (int i = 0; i < DATA_PAGES; i++)
		for (unsigned long at = 0; at < PAGE; at += 512)
			CHECK_EQ((unsigned char)w->data[i * PAGE + at], w->fill);
}

static void run_code(struct worker *w)
{
	for (int i = 0; i < 50; i++)
		check_code();
	check_data(w);
}

static void write_data(struct worker *w)
{
	memset(w->data, ++w->fill, DATA_PAGES * PAGE);
	check_data(w);
}

static void discard_data(struct worker *w)
{
	CHECK(!madvise(w->data, DATA_PAGES * PAGE, MADV_DONTNEED));
	w->fill = 0;
	check_data(w);
}

static void protect_data(struct worker *w)
{
	CHECK(!mprotect(w->data, DATA_PAGES / 2 * PAGE, PROT_READ));
	check_data(w);
	CHECK(!mprotect(w->data, DATA_PAGES * PAGE, PROT_READ | PROT_WRITE));
	write_data(w);
}

static void map_and_unmap(struct worker *w)
{
	size_t size = (1 + PICK(&w->random, 700)) * PAGE;
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved;

	CHECK(at != MAP_FAILED);
	at[0] = 1;
	at[size - 1] = 1;
	moved = mremap(at, size, 2 * size, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED);
	CHECK(moved[0] == 1 && moved[size - 1] == 1 && !moved[2 * size - 1]);
	CHECK(!munmap(moved, 2 * size));
}

/* Not in the callers' text: the scratch pages, which overrides may be over. */
static void change_text(struct worker *w)
{
	char *at = fuzz->scratch + PICK(&w->random, FUZZ_SCRATCH) * PAGE;

	if (w->index)
		return;			/* one thread, or they would meet in between */
	if (PICK(&w->random, 2)) {
		CHECK(!mprotect(at, PAGE, PROT_READ | PROT_WRITE));
		memset(at, w->fill, PAGE);
		CHECK_EQ((unsigned char)at[77], w->fill);
		CHECK(!mprotect(at, PAGE, PROT_READ | PROT_EXEC));
		CHECK_EQ((unsigned char)at[78], w->fill);
	} else {
		CHECK(mmap(at, PAGE, PROT_READ | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
		CHECK_EQ(at[79], 0);
	}
}

static void fork_and_check(struct worker *w)
{
	pid_t parent = getpid(), pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		check_code();
		check_data(w);
		write_data(w);
		_exit(0);
	}
	CHECK_EQ(reap(pid), 0);
	check_data(w);
}

static void execute(struct worker *w)
{
	static const char *const words[] = { "fuzz", "-x", NULL };
	pid_t pid = PICK(&w->random, 2) ? fork() : vfork();

	CHECK(pid >= 0);
	if (!pid) {
		execv("/proc/self/exe", (char *const *)words);
		_exit(99);
	}
	CHECK_EQ(reap(pid), 0);
}

static void *born_later(void *arg)
{
	check_code();
	return arg;
}

static void start_a_thread(struct worker *w)
{
	pthread_t thread;
	void *result;

	CHECK(!pthread_create(&thread, NULL, born_later, w));
	CHECK(!pthread_join(thread, &result));
	CHECK(result == w);
}

static void on_signal(int number)
{
	(void)number;
	check_code();
}

static void take_a_signal(struct worker *w)
{
	(void)w;
	CHECK(!raise(SIGUSR1));
}

static void rest(struct worker *w)
{
	if (PICK(&w->random, 2))
		sched_yield();
	else
		sleep_ms(1 + PICK(&w->random, 5));
}

static void (*const actions[])(struct worker *w) = {
	run_code, write_data, discard_data, protect_data, map_and_unmap, change_text,
	fork_and_check, execute, start_a_thread, take_a_signal, rest,
};

static void *work(void *arg)
{
	struct worker *w = arg;
	stack_t stack = { .ss_size = 64 << 10 };

	stack.ss_sp = malloc(stack.ss_size);
	CHECK(stack.ss_sp && !sigaltstack(&stack, NULL));
	w->data = mmap(NULL, DATA_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(w->data != MAP_FAILED);
	atomic_store(&w->target->tid[w->index], sys_gettid());
	while (!atomic_load(&fuzz->stop)) {
		ONE_OF(&w->random, actions)(w);
		check_code();
		atomic_fetch_add(&w->target->rounds[w->index], 1);
	}
	return NULL;
}

int fuzz_target_main(void *arg)
{
	struct sigaction handler = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	static struct worker workers[FUZZ_THREADS];
	struct fuzz_target *target = arg;
	pthread_t threads[FUZZ_THREADS];

	CHECK(!sigaction(SIGUSR1, &handler, NULL));
	for (int i = 0; i < FUZZ_THREADS; i++) {
		workers[i].target = target;
		workers[i].index = i;
		workers[i].random = fuzz->seed + getpid() * 64 + i;
	}
	atomic_store(&target->pid, getpid());
	for (int i = 1; i < FUZZ_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, work, &workers[i]));
	work(&workers[0]);
	for (int i = 1; i < FUZZ_THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return 0;
}
