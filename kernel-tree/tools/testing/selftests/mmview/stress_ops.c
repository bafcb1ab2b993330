// SPDX-License-Identifier: GPL-2.0
/*
 * The stress's operations: everything that changes mappings or page tables,
 * each followed by a look at what must have become of the data.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "stress.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_PAGEOUT
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

/* Some pages of the region: where the operation works this time. */
struct span {
	unsigned int from, nr;
};

static struct span some_pages(struct worker *w, const struct region *r, unsigned int most)
{
	struct span s = { .nr = 1 + next_random(&w->random) % most };

	if (s.nr > r->pages)
		s.nr = r->pages;
	s.from = next_random(&w->random) % (r->pages - s.nr + 1);
	return s;
}

static void *start(const struct region *r, struct span s)
{
	return r->at + s.from * PAGE;
}

/*
 * A thread of the base runs the old text for ever; one that follows the views
 * never goes back, and never runs ahead of what has been made.
 */
void check_code(struct worker *w)
{
	int newest = atomic_load(&stress.generation), at_least = w->in_view;

	for (int i = 0; i < CODES; i++) {
		int value = code_call(stress.code[i]);

		if (!w->viewer) {
			CHECK_EQ(value, OLD);
			continue;
		}
		if (value == OLD)
			value = GENERATION(0);
		CHECK_MSG(value >= GENERATION(at_least), "text %d gives %d, was in view %d", i,
			  value, at_least);
		/* It may have been moved since newest was read. */
		if (value > GENERATION(newest))
			newest = atomic_load(&stress.generation);
		CHECK_MSG(value <= GENERATION(newest), "text %d gives %d, newest view is %d", i,
			  value, newest);
		at_least = value - GENERATION(0);
	}
	w->in_view = at_least;
}

/* --- what only touches pages ---------------------------------------------- */

static void op_check(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 16);

	region_check(r, s.from, s.nr);
}

static void op_write(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 6);

	for (unsigned int i = s.from; i < s.from + s.nr; i++)
		page_write(r, i);
	region_check(r, s.from, s.nr);
}

/* The kernel writes, through the tables of the view that the caller is in. */
static void op_kernel_writes(struct worker *w, struct region *r)
{
	unsigned int page = some_pages(w, r, 1).from;
	char *at = r->at + page * PAGE;

	if (r->kind != SHARED_FILE && !madvise(at, PAGE, MADV_DONTNEED))
		region_zeroed(r, page, 1);
	if (next_random(&w->random) & 1)
		CHECK_EQ(getrandom(at, PAGE, 0), PAGE);
	r->version[page] = ++r->last_version;
	r->may_be_zero[page] = false;
	page_fill(r, page, w->buffer);
	CHECK_EQ(write(w->pipe[1], w->buffer, PAGE), PAGE);
	CHECK_EQ(read(w->pipe[0], at, PAGE), PAGE);
	page_check(r, page, at);
}

static void op_kernel_reads(struct worker *w, struct region *r)
{
	unsigned int page = some_pages(w, r, 1).from;

	if (r->may_be_zero[page])	/* could change while it is copied */
		page_write(r, page);
	CHECK_EQ(write(w->pipe[1], r->at + page * PAGE, PAGE), PAGE);
	CHECK_EQ(read(w->pipe[0], w->buffer, PAGE), PAGE);
	page_check(r, page, (const char *)w->buffer);
}

/* --- madvise -------------------------------------------------------------- */

static void op_dontneed(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 512);

	CHECK(!madvise(start(r, s), s.nr * PAGE, MADV_DONTNEED));
	if (r->kind != SHARED_FILE)
		region_zeroed(r, s.from, s.nr);
	region_check(r, s.from, s.nr < 16 ? s.nr : 16);
}

static void op_free(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 64);

	if (!region_is_anonymous(r) || madvise(start(r, s), s.nr * PAGE, MADV_FREE))
		return;
	for (unsigned int i = s.from; i < s.from + s.nr; i++)
		r->may_be_zero[i] = true;
	region_check(r, s.from, s.nr < 16 ? s.nr : 16);
}

/* What is dirty must be written, not dropped: a lost dirty bit shows here. */
static void op_page_out(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 16);

	for (unsigned int i = s.from; i < s.from + s.nr; i++)
		page_write(r, i);
	/* Not there in every kernel, nor with swap everywhere: then it is a check. */
	madvise(start(r, s), s.nr * PAGE, next_random(&w->random) % 8 ? MADV_PAGEOUT : MADV_COLD);
	region_check(r, s.from, s.nr);
}

static void op_huge(struct worker *w, struct region *r)
{
	static const int advice[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE };
	struct span all = { 0, r->pages };

	if (r->kind != ZONES)
		return;
	madvise(start(r, all), r->pages * PAGE, advice[next_random(&w->random) % 3]);
	op_write(w, r);
}

/* --- mappings -------------------------------------------------------------- */

static void op_protect(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 8);

	CHECK(!mprotect(start(r, s), s.nr * PAGE, PROT_READ));
	region_check(r, s.from, s.nr);
	/* Not even the kernel may write there now. */
	CHECK_EQ(write(w->pipe[1], w->buffer, 64), 64);
	CHECK_ERR(read(w->pipe[0], start(r, s), 64), EFAULT);
	CHECK_EQ(read(w->pipe[0], w->buffer, PAGE), 64);
	CHECK(!mprotect(start(r, s), s.nr * PAGE, PROT_NONE));
	CHECK_ERR(write(w->pipe[1], start(r, s), 64), EFAULT);
	CHECK(!mprotect(start(r, s), s.nr * PAGE, PROT_READ | PROT_WRITE));
	region_check(r, s.from, s.nr);
	page_write(r, s.from);
	region_check(r, s.from, s.nr);
}

static bool can_unmap(const struct region *r)
{
	return r->kind != BSS && r->kind != DATA && r->kind != HEAP;
}

static void op_map_anew(struct worker *w, struct region *r)
{
	if (!can_unmap(r))
		return;
	/* Left unmapped now and then: the next holder, elsewhere, maps it. */
	region_unmap(r);
	if (next_random(&w->random) % 4 && region_map(r))
		op_write(w, r);
}

/* Keep others out of a gap, unless one of them is there already. */
static bool reserve(char *at, size_t size)
{
	char *got = mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			 MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(got == at || (got == MAP_FAILED && errno == EEXIST));
	return got == at;
}

static void op_move(struct worker *w, struct region *r)
{
	size_t size = r->pages * PAGE;
	char *to = r->elsewhere;

	if (r->kind != ZONES || !to)
		return;
	if (mremap(r->at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) {
		/* Several mappings, which the kernel did not merge again. */
		CHECK(errno == EFAULT);
		op_check(w, r);
		return;
	}
	for (int i = 0; i < 8; i++) {
		unsigned int page = some_pages(w, r, 1).from;

		page_check(r, page, to + page * PAGE);
	}
	/* The place it came from is a gap now: others may have fallen in. */
	r->mapped = false;
	r->gap = true;
	if (!reserve(r->at, size)) {
		CHECK(!munmap(to, size));
		r->elsewhere = NULL;
		return;
	}
	CHECK(mremap(to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, r->at) == r->at);
	r->mapped = true;
	r->gap = false;
	if (!reserve(to, size))
		r->elsewhere = NULL;
	op_check(w, r);
}

static void op_grow_heap(struct worker *w, struct region *r)
{
	char *grown;

	if (r->kind != HEAP || r->pages + 4 > MAX_PAGES)
		return;
	if (!r->at)
		CHECK(sbrk(PAGE - (uintptr_t)sbrk(0) % PAGE) != (void *)-1);
	grown = sbrk(4 * PAGE);
	CHECK(grown != (void *)-1);
	if (!r->at)
		r->at = grown;
	CHECK(grown == r->at + r->pages * PAGE);
	region_zeroed(r, r->pages, 4);
	r->pages += 4;
	region_check(r, r->pages - 4, 4);
	op_write(w, r);
}

/* --- files and processes --------------------------------------------------- */

static void op_sync(struct worker *w, struct region *r)
{
	unsigned int page = some_pages(w, r, 1).from;

	if (r->kind != SHARED_FILE)
		return;
	page_write(r, page);
	CHECK(!msync(r->at, r->pages * PAGE, MS_SYNC));
	CHECK_EQ(pread(r->fd, w->buffer, PAGE, page * PAGE), PAGE);
	page_check(r, page, (const char *)w->buffer);
	madvise(r->at, r->pages * PAGE, MADV_PAGEOUT);
	region_check(r, 0, r->pages);
}

static void op_fork(struct worker *w, struct region *r)
{
	struct span s = some_pages(w, r, 8);
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		check_code(w);
		region_check(r, s.from, s.nr);
		if (r->kind != SHARED_FILE)
			op_write(w, r);
		check_code(w);
		_exit(0);
	}
	/* Both sides copy on write at the same time. */
	if (r->kind != SHARED_FILE)
		page_write(r, s.from);
	CHECK_EQ(reap(pid), 0);
	region_check(r, s.from, s.nr);
}

static void *short_life(void *arg)
{
	struct worker *w = arg;

	check_code(w);
	return NULL;
}

static void op_thread(struct worker *w, struct region *r)
{
	struct worker newborn = { .viewer = w->viewer, .in_view = w->in_view };
	pthread_t thread;

	(void)r;
	CHECK(!pthread_create(&thread, NULL, short_life, &newborn));
	CHECK(!pthread_join(thread, NULL));
}

static void op_text(struct worker *w, struct region *r)
{
	(void)r;
	madvise(stress.code[0], 2 * PAGE,
		next_random(&w->random) & 1 ? MADV_DONTNEED : MADV_PAGEOUT);
	madvise(stress.code[1], PAGE, MADV_PAGEOUT);
	check_code(w);
}

static void op_hot_lock(struct worker *w, struct region *r)
{
	(void)w;
	(void)r;
	for (int i = 0; i < 50; i++) {
		pthread_mutex_lock(&stress.hot);
		stress.hot_count++;
		pthread_mutex_unlock(&stress.hot);
		atomic_fetch_add(&stress.hot_expected, 1);
	}
}

/* --- choosing --------------------------------------------------------------- */

#define EACH_OP(X)							\
	X(check, 20, 10) X(write, 20, 10) X(kernel_writes, 12, 5)	\
	X(kernel_reads, 6, 3) X(dontneed, 10, 5) X(free, 4, 4)		\
	X(page_out, 6, 40) X(huge, 5, 5) X(protect, 8, 3)		\
	X(map_anew, 12, 5) X(move, 5, 2) X(grow_heap, 3, 1)		\
	X(sync, 3, 10) X(fork, 1, 1) X(thread, 2, 1) X(text, 3, 3)	\
	X(hot_lock, 4, 1)

#define NAME(op, usual, pressure) #op,
const char *const op_names[] = { EACH_OP(NAME) };
const int ops = sizeof(op_names) / sizeof(op_names[0]);
atomic_long op_count[sizeof(op_names) / sizeof(op_names[0])];

#define ENTRY(op, usual, pressure) { op_##op, { usual, pressure } },
static const struct {
	void (*run)(struct worker *w, struct region *r);
	int weight[2];
} table[] = { EACH_OP(ENTRY) };

static int choose(struct worker *w)
{
	int sum = 0, pick;

	for (int i = 0; i < ops; i++)
		sum += table[i].weight[stress.pressure];
	pick = next_random(&w->random) % sum;
	for (int i = 0; ; i++) {
		pick -= table[i].weight[stress.pressure];
		if (pick < 0)
			return i;
	}
}

/* One region, locked; a few operations; the code after each of them. */
void one_round(struct worker *w)
{
	struct region *r = &stress.region[next_random(&w->random) % stress.regions];

	pthread_mutex_lock(&r->lock);
	if (r->mapped || region_map(r)) {
		for (int i = 0; i < 3 && r->mapped; i++) {
			int op = choose(w);

			if (r->kind == HEAP && !r->pages)
				op_grow_heap(w, r);
			table[op].run(w, r);
			atomic_fetch_add(&op_count[op], 1);
			check_code(w);
		}
	}
	pthread_mutex_unlock(&r->lock);
	atomic_fetch_add(&w->rounds, 1);
}
