// SPDX-License-Identifier: MIT
// A program whose threads know how long they were kept from going on. Each of them works in rounds; after each it looks at the clock,
// and remembers the longest time between two looks. What is patched is step(), which each of them calls once a round.
//
//   threads COUNT KIND[,KIND...] [hold=MS] [memory=MIB] [mappings=COUNT]
//
// The n-th thread does the n-th kind of work, again from the first after the last. Some run all the time:
//
//   spin     nothing but counting          compute  floating-point numbers
//   recurse  the same as spin, forty calls deep
//   nest     the same in nested(), which is patched too: it is hardly ever outside
//
// Others wait in a system call, or for a lock, a few milliseconds in each round:
//
//   sleep    clock_nanosleep        futex    for a wake-up that does not come    pipe       read() from a pipe that itself fills
//   socket   recv()                 signal   sigtimedwait()                      poll       epoll_wait()
//   select   pselect()              lock     a mutex that all of them want
//
// hold=MS: the first thread stays in step() for so long, each time. -DSIZE=N, a power of ten: so many functions more are patched, of
// which each thread calls one a round. What is told on stdin is answered on stdout, a line for a line:
//
//   phase N    from now on rounds count for phase N, from 0     ok
//   barrier    classic quiescence: no thread goes on            microseconds from the asking to the last thread's coming,
//              before all of them have come to the barrier;     and to the last one's going on
//              then the other step() is theirs
//   report     JSON: of each phase of each thread the rounds, the longest time without one, and the processor time of all of them;
//              and when each thread first ran the changed step()

#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PHASES 8

struct phase {
	uint64_t rounds;
	uint64_t longest; // nanoseconds
	uint64_t cpu; // nanoseconds; when the thread has seen the next phase
};

struct thread {
	pthread_t id;
	int number;
	enum kind kind;
	struct means means;
	uint64_t last;
	uint64_t last_cpu;
	long answer;
	uint64_t changed; // when step() first gave something else
	struct phase phases[PHASES];
} __attribute__((aligned(128)));

static struct thread *threads;
static int count;
static long hold;
static _Atomic int phase;
// What the barrier turns to instead.
__attribute__((noinline)) static long other_step(long of, long stay)
{
	if (stay)
		rest(stay);
	return (of + 1) * 7;
}

static long (*_Atomic current)(long, long) = step;

// The barrier: a thread that comes waits for all others.
static _Atomic int barrier_set, come, gone;
static _Atomic uint32_t generation;
static _Atomic uint64_t last_come, last_gone;

static __attribute__((noinline)) void stay_at_barrier(void)
{
	uint32_t mine = generation;
	if (atomic_fetch_add(&come, 1) + 1 == count) {
		last_come = now();
		current = current == step ? other_step : step;
		come = 0;
		barrier_set = 0;
		generation++;
		syscall(SYS_futex, &generation, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	} else {
		while (generation == mine)
			syscall(SYS_futex, &generation, FUTEX_WAIT_PRIVATE, mine, NULL, NULL, 0);
	}
	last_gone = now();
	gone++;
}

static void *run(void *argument)
{
	struct thread *t = argument;
	const long stay = t->number == 0 ? hold : 0;
	const long first = step(t->number, 0);
	uint64_t round = (uint64_t)t->number;
	t->last = now();
	t->last_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	// Looked at once a round, so that no change of it goes unseen.
	for (int before = phase, after;; before = after) {
		one_round(t->kind, t->number, &t->means);
		sink += (unsigned long)more[round++ % MORE](t->number);
		t->answer = current(t->number, stay);
		if (barrier_set)
			stay_at_barrier();
		after = phase;
		uint64_t at = now(), took = at - t->last;
		t->last = at;
		if (t->answer != first && !t->changed)
			t->changed = at;
		if (t->answer == first)
			t->changed = 0;
		// A time that reaches over the border of two phases belongs to both.
		t->phases[after].rounds++;
		if (took > t->phases[after].longest)
			t->phases[after].longest = took;
		if (took > t->phases[before].longest)
			t->phases[before].longest = took;
		if (after != before) {
			uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
			t->phases[before].cpu = cpu - t->last_cpu;
			t->last_cpu = cpu;
		}
	}
	return NULL;
}

static void make_memory(long mib, long mappings)
{
	if (mib > 0) {
		// Behind a page that nobody may touch: a thread's stack that ends here would become one mapping with what follows, and
		// who looks for the end of that stack would take all of it for one.
		size_t guard = 4096, size = (size_t)mib << 20;
		char *memory = mmap(NULL, guard + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE))
			abort();
		memory += guard;
		madvise(memory, size, MADV_NOHUGEPAGE);
		memset(memory, 1, size);
	}
	for (long i = 0; i < mappings; i++) {
		// Neighbours that may not be one mapping.
		int protection = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
		if (mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			abort();
	}
}

static void report(void)
{
	printf("{\"now\":%llu,\"threads\":[", (unsigned long long)now());
	for (int i = 0; i < count; i++) {
		struct thread *t = &threads[i];
		printf("%s{\"kind\":\"%s\",\"changed\":%llu,\"answer\":%ld,\"since\":%llu,\"phases\":[", i ? "," : "", names[t->kind],
		       (unsigned long long)t->changed, t->answer, (unsigned long long)(now() - t->last));
		for (int p = 0; p < PHASES; p++)
			printf("%s[%llu,%llu,%llu]", p ? "," : "", (unsigned long long)t->phases[p].rounds,
			       (unsigned long long)t->phases[p].longest, (unsigned long long)t->phases[p].cpu);
		printf("]}");
	}
	printf("]}\n");
}

static void barrier(void)
{
	uint64_t begun = now();
	gone = 0;
	barrier_set = 1;
	while (gone < count)
		rest(1000000);
	printf("%llu %llu\n", (unsigned long long)(last_come - begun) / 1000, (unsigned long long)(last_gone - begun) / 1000);
}

static long option(int argc, char **argv, const char *name)
{
	size_t length = strlen(name);
	for (int i = 3; i < argc; i++)
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			return atol(argv[i] + length + 1);
	return 0;
}

int main(int argc, char **argv)
{
	char line[64], *kinds[64];
	int kind_count = 0;
	if (argc < 3 || (count = atoi(argv[1])) < 1)
		return 2;
	for (char *word = strtok(argv[2], ","); word && kind_count < 64; word = strtok(NULL, ","))
		kinds[kind_count++] = word;
	hold = option(argc, argv, "hold") * 1000000;
	sigset_t usr1;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	make_memory(option(argc, argv, "memory"), option(argc, argv, "mappings"));

	threads = aligned_alloc(128, sizeof(*threads) * (size_t)count);
	memset(threads, 0, sizeof(*threads) * (size_t)count);
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 128 << 10);
	for (int i = 0; i < count; i++) {
		struct thread *t = &threads[i];
		t->number = i;
		t->kind = KINDS;
		for (int kind = 0; kind < KINDS; kind++)
			if (strcmp(kinds[i % kind_count], names[kind]) == 0)
				t->kind = kind;
		if (t->kind == KINDS || make_means(t->kind, &t->means) || pthread_create(&t->id, &small, run, t)) {
			fprintf(stderr, "thread %d (%s): %s\n", i, kinds[i % kind_count], strerror(errno));
			return 1;
		}
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (strncmp(line, "phase ", 6) == 0) {
			int next = atoi(line + 6) % PHASES;
			for (int i = 0; i < count; i++)
				threads[i].phases[next] = (struct phase){ 0, 0, 0 };
			phase = next;
			printf("ok\n");
		} else if (strncmp(line, "barrier", 7) == 0) {
			barrier();
		} else if (strncmp(line, "report", 6) == 0) {
			report();
		}
		fflush(stdout);
	}
	return 0;
}
