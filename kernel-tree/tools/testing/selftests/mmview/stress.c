// SPDX-License-Identifier: GPL-2.0
/*
 * Threads in the base and in ever newer views change mappings, page tables and
 * data for a while, and check everything that they touch.
 *
 *	stress [-t SECONDS] [-n THREADS] [-d DIRECTORY] [-s SEED]
 *
 * Three cases, -t seconds each: the usual mixture, and mostly memory pressure,
 * which finds lost dirty bits, with either way of reclaim. The directory (for the files; /tmp)
 * should be on a real file system. As root, and where no swap is in use, a swap
 * file there is used for the time being, and page caches are dropped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#include "knobs.h"
#include "stress.h"

#define LRU_GEN		"/sys/kernel/mm/lru_gen/enabled"
#define SWAP_MIB	128
#define STUCK_S		90
#define PATIENCE_S	120	/* more than was asked for, until all has been tried */

struct stress stress;

static long seconds = 30, threads = 8, seed;
static const char *directory = "/tmp";
static char swap_path[256];

/* --- the threads ----------------------------------------------------------- */

/* Into the newest view; its text and no older one from here on. */
static void follow(struct worker *w)
{
	pthread_mutex_lock(&stress.view_lock);
	if (atomic_load(&stress.view) >= 0) {
		CHECK_EQ(sys_mmview_migrate(atomic_load(&stress.view), 0, 0), 1);
		w->in_view = atomic_load(&stress.generation);
		for (int i = 0; i < CODES; i++)
			CHECK_EQ(code_call(stress.code[i]), GENERATION(w->in_view));
	}
	pthread_mutex_unlock(&stress.view_lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	atomic_store(&w->tid, sys_gettid());
	for (long i = 0; !atomic_load(&stress.stop); i++) {
		if (w->moves_itself && i % 32 == 0)
			follow(w);
		one_round(w);
	}
	check_code(w);
	return NULL;
}

static void start_workers(void)
{
	for (int i = 0; i < threads; i++) {
		struct worker *w = &stress.worker[i];

		w->index = i;
		w->viewer = i % 2;
		w->moves_itself = i % 4 == 1;
		w->random = (uint64_t)seed * 0x9e3779b97f4a7c15UL + i * 7919 + stress.pressure + 1;
		CHECK(!pipe2(w->pipe, O_CLOEXEC));
	}
	for (int i = 0; i < threads; i++)
		CHECK(!pthread_create(&stress.worker[i].thread, NULL, work, &stress.worker[i]));
	for (int i = 0; i < threads; i++)
		EVENTUALLY(atomic_load(&stress.worker[i].tid));
}

/* --- the main thread, which stays in the base ------------------------------- */

static void next_generation(void)
{
	int n = atomic_load(&stress.generation) + 1, view = view_of(getpid()), old;

	for (int i = 0; i < CODES; i++)
		view_patch(view, stress.code[i], GENERATION(n));
	pthread_mutex_lock(&stress.view_lock);
	atomic_store(&stress.generation, n);
	old = atomic_exchange(&stress.view, view);
	pthread_mutex_unlock(&stress.view_lock);
	for (int i = 0; i < threads; i++)
		if (stress.worker[i].viewer && !stress.worker[i].moves_itself)
			CHECK(sys_mmview_migrate(view, atomic_load(&stress.worker[i].tid), 0) >= 0);
	if (old >= 0)
		CHECK(!close(old));
}

static void tell_kernel(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;			/* not root */
	if (write(fd, text, strlen(text)) < 0)
		CHECK(errno == EINTR || errno == EBUSY || errno == ENOMEM);
	close(fd);
}

static void watch_progress(void)
{
	static long last[MAX_THREADS];
	static long long since[MAX_THREADS];

	for (int i = 0; i < threads; i++) {
		long now = atomic_load(&stress.worker[i].rounds);

		if (now != last[i] || !since[i]) {
			last[i] = now;
			since[i] = now_ns();
		}
		CHECK_MSG(now_ns() - since[i] < STUCK_S * 1000000000LL,
			  "thread %d (tid %d) has been stuck for %d s after %ld rounds", i,
			  atomic_load(&stress.worker[i].tid), STUCK_S, now);
	}
}

static bool all_tried(void)
{
	for (int i = 0; i < ops; i++)
		if (!atomic_load(&op_count[i]))
			return false;
	return true;
}

/* On a busy machine longer, if some operation has not had its turn by then. */
static void run_for(long long ns)
{
	long long end = now_ns() + ns, limit = end + PATIENCE_S * 1000000000LL;

	for (int i = 0; now_ns() < end || (!all_tried() && now_ns() < limit); i++) {
		if (i % 3 == 0)
			next_generation();
		if (i % 8 == 7)
			tell_kernel("/proc/sys/vm/drop_caches", "3");
		if (i % 8 == 3)
			tell_kernel("/proc/sys/vm/compact_memory", "1");
		check_code(&(struct worker){ .viewer = false });
		watch_progress();
		sleep_ms(250);
	}
}

/* Everything, from the base; and the files, from their file system. */
static void check_everything(void)
{
	static uint64_t page[WORDS];

	for (int i = 0; i < stress.regions; i++) {
		struct region *r = &stress.region[i];

		if (r->mapped)
			region_check(r, 0, r->pages);
		if (r->kind != SHARED_FILE)
			continue;
		if (r->mapped)
			region_unmap(r);
		CHECK(!fsync(r->fd));
		posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
		tell_kernel("/proc/sys/vm/drop_caches", "3");
		for (unsigned int at = 0; at < r->pages; at++) {
			CHECK_EQ(pread(r->fd, page, PAGE, at * PAGE), PAGE);
			page_check(r, at, (const char *)page);
		}
	}
	CHECK_EQ(stress.hot_count, atomic_load(&stress.hot_expected));
}

static void report(void)
{
	long rounds = 0;

	for (int i = 0; i < threads; i++)
		rounds += atomic_load(&stress.worker[i].rounds);
	printf("# %ld threads, %ld rounds, %d views, seed %ld;", threads, rounds,
	       atomic_load(&stress.generation), seed);
	for (int i = 0; i < ops; i++)
		printf(" %s %ld", op_names[i], atomic_load(&op_count[i]));
	printf("\n");
	fflush(stdout);
	CHECK(rounds > threads);
	for (int i = 0; i < ops; i++)
		CHECK_MSG(atomic_load(&op_count[i]) > 0,
			  "operation %s has not been tried once", op_names[i]);
}

static int run_stress(void)
{
	/* What malloc needs is there before: the heap above it is the test's. */
	mallopt(M_TOP_PAD, 8 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	free(malloc(1));
	pthread_mutex_init(&stress.hot, NULL);
	pthread_mutex_init(&stress.view_lock, NULL);
	atomic_store(&stress.view, -1);
	make_regions(directory);
	start_workers();
	run_for(seconds * 1000000000LL);
	atomic_store(&stress.stop, 1);
	for (int i = 0; i < threads; i++)
		CHECK(!pthread_join(stress.worker[i].thread, NULL));
	check_everything();
	CHECK(!close(atomic_load(&stress.view)));
	report();
	return 0;
}

static int usual_mixture(void)
{
	return run_stress();
}

static int memory_pressure(void)
{
	stress.pressure = true;
	return run_stress();
}

/* The other way to find out which pages are in use. */
static int memory_pressure_by_generations(void)
{
	if (!knob_set(LRU_GEN, "7"))
		return case_skip("no CONFIG_LRU_GEN, or not root");
	return memory_pressure();
}

/* --- set-up ------------------------------------------------------------------ */

static void drop_swap_file(void)
{
	swapoff(swap_path);
	unlink(swap_path);
}

static bool swap_in_use(void)
{
	char text[1024] = "";
	int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	char *line = n > 0 ? strchr(text, '\n') : NULL;

	close(fd);
	return line && line[1];
}

/* The header that mkswap writes: a version, the last page, the magic. */
static bool make_swap_file(int fd)
{
	static char page[PAGE];
	uint32_t header[3] = { 1, (SWAP_MIB << 20) / PAGE - 1, 0 };

	memcpy(page + 1024, header, sizeof(header));
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	return !posix_fallocate(fd, 0, SWAP_MIB << 20) && pwrite(fd, page, PAGE, 0) == PAGE &&
	       !fsync(fd);
}

static const char *provide_swap(void)
{
	int fd;
	bool made;

	if (swap_in_use())
		return "swap is in use already";
	if (geteuid())
		return "no swap, and not root";
	snprintf(swap_path, sizeof(swap_path), "%s/mmview-swap.XXXXXX", directory);
	fd = mkostemp(swap_path, O_CLOEXEC);
	if (fd < 0)
		return "no swap, and no file for it";
	made = make_swap_file(fd);
	close(fd);
	if (!made || swapon(swap_path, 0)) {
		unlink(swap_path);
		return "no swap: the directory's file system cannot";
	}
	atexit(drop_swap_file);
	return "a swap file";
}

static void usage(void)
{
	fprintf(stderr,
		"usage: stress [-t SECONDS] [-n THREADS, 4 to %d] [-d DIRECTORY] [-s SEED]\n",
		MAX_THREADS);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "base and views, everything at once", usual_mixture },
		{ "base and views under memory pressure", memory_pressure },
		{ "base and views under memory pressure, multi-gen LRU",
		  memory_pressure_by_generations },
	};
	struct statfs fs;
	int option;

	seed = time(NULL);
	while ((option = getopt(argc, argv, "t:n:d:s:")) != -1) {
		switch (option) {
		case 't':
			seconds = atol(optarg);
			break;
		case 'n':
			threads = atol(optarg);
			break;
		case 'd':
			directory = optarg;
			break;
		case 's':
			seed = atol(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || seconds < 1 || threads < 4 || threads > MAX_THREADS ||
	    statfs(directory, &fs))
		usage();
	if (sys_mmview_clone(-1, 0) == 0 || errno != ENOSYS)
		printf("# files in %s (file system %#lx); %s\n", directory, (long)fs.f_type,
		       provide_swap());
	knob_keep(LRU_GEN);
	mmview_case_timeout_s = seconds + 300;
	MMVIEW_MAIN(cases);
}
