// SPDX-License-Identifier: GPL-2.0
/*
 * The stress's memory: where the regions lie and what must stand in them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

#define PRIVATE_RW	PROT_READ | PROT_WRITE, MAP_PRIVATE

/* The program's own text, overridden, with its data beside it. */
__asm__(".pushsection .text.mmview_own, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_text\n"
	"own_text: .byte 0xb8; .long 1; .byte 0xc3\n"
	".balign 4096, 0xcc\n"
	".popsection");
extern const char own_text[];
static char own_bss[6][8 * PAGE] __attribute__((aligned(4096)));
static char own_data[2][8 * PAGE] __attribute__((aligned(4096), section(".data")));

static struct region *add(enum region_kind kind, void *at, unsigned int pages)
{
	struct region *r = &stress.region[stress.regions];

	*r = (struct region){ .kind = kind, .id = stress.regions++, .at = at, .pages = pages,
			      .fd = -1 };
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

static int new_file(const char *directory, unsigned int pages)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/mmview-stress.XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	CHECK_MSG(fd >= 0, "no file in %s; choose another directory with -d", directory);
	CHECK(!ftruncate(fd, pages * PAGE) && !unlink(path));
	return fd;
}

/*
 * An aligned GiB: overridden text in the middle of its first page table, NEAR
 * around it, ZONES behind.
 */
static void make_room(void)
{
	char *gib = mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			 0);

	CHECK(gib != MAP_FAILED);
	gib = (char *)(((uintptr_t)gib + GIB - 1) & ~(GIB - 1));
	stress.code[0] = code_map_at(gib + 256 * PAGE, CODE_FILE, 2);
	for (int i = 0; i < 16; i++)
		add(NEAR, gib + (i * 30 + (i >= 8 ? 20 : 4)) * PAGE, 8);
	for (int i = 0; i < 8; i++)
		add(ZONES, gib + (2 + 3 * i) * ZONE, 2 * ZONE / PAGE)->elsewhere =
			gib + (100 + 3 * i) * ZONE;
}

/*
 * Far from everything else: text, and regions that are alone in what one
 * entry spans at each level. Their unmapping frees tables that a view shares.
 */
static void make_lonely_room(void)
{
	char *nowhere = (char *)0x200000000000UL;

	stress.code[1] = code_map_at(nowhere, CODE_ANON, 1);
	add(LONELY, nowhere + 100 * ZONE, 2);		/* a page table */
	add(LONELY, nowhere + 5 * GIB, 2);		/* ... and the table above */
	add(LONELY, nowhere + 4096 * GIB, 2);		/* ... and the one above that */
}

void make_regions(const char *directory)
{
	make_room();
	make_lonely_room();
	stress.code[2] = (char *)own_text;
	stress.code[3] = stress.code[0] + PAGE;
	for (int i = 0; i < 4; i++)
		add(FAR, NULL, 32);
	for (int i = 0; i < 6; i++)
		add(BSS, own_bss[i], 8);
	for (int i = 0; i < 2; i++)
		add(DATA, own_data[i], 8);
	for (int i = 0; i < 4; i++)
		add(SHARED_FILE, NULL, 32)->fd = new_file(directory, 32);
	for (int i = 0; i < 4; i++)
		add(PRIVATE_FILE, NULL, 32)->fd = new_file(directory, 32);
	add(HEAP, NULL, 0);
	for (int i = 0; i < stress.regions; i++)
		region_map(&stress.region[i]);
}

static void *map_somewhere(struct region *r)
{
	int share = r->kind == SHARED_FILE ? MAP_SHARED : MAP_PRIVATE;

	return mmap(NULL, r->pages * PAGE, PROT_READ | PROT_WRITE,
		    share | (r->fd < 0 ? MAP_ANONYMOUS : 0), r->fd, 0);
}

bool region_map(struct region *r)
{
	char *got = r->at;

	switch (r->kind) {
	case NEAR:
	case ZONES:
		/* The room is ours; what was unmapped may have been taken. */
		got = mmap(r->at, r->pages * PAGE, PRIVATE_RW | MAP_ANONYMOUS |
			   (r->gap ? MAP_FIXED_NOREPLACE : MAP_FIXED), -1, 0);
		break;
	case LONELY:
		got = mmap(r->at, r->pages * PAGE, PRIVATE_RW | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1, 0);
		break;
	case FAR:
	case SHARED_FILE:
	case PRIVATE_FILE:
		got = map_somewhere(r);
		r->at = got;
		CHECK(got != MAP_FAILED);
		break;
	default:
		break;
	}
	if (got == MAP_FAILED) {
		CHECK(errno == EEXIST);
		return false;
	}
	CHECK(got == r->at);
	r->mapped = true;
	r->gap = false;
	/* A shared file keeps what was written; everything else begins anew. */
	if (r->kind != SHARED_FILE)
		region_zeroed(r, 0, r->pages);
	return true;
}

void region_unmap(struct region *r)
{
	CHECK(!munmap(r->at, r->pages * PAGE));
	r->mapped = false;
	r->gap = true;
}

bool region_is_anonymous(const struct region *r)
{
	return r->kind != SHARED_FILE && r->kind != PRIVATE_FILE && r->kind != DATA;
}

void region_zeroed(struct region *r, unsigned int from, unsigned int nr)
{
	memset(r->version + from, 0, nr * sizeof(r->version[0]));
	memset(r->may_be_zero + from, 0, nr * sizeof(r->may_be_zero[0]));
}

static uint64_t word_of(const struct region *r, unsigned int page, unsigned int word)
{
	uint64_t seed = ((uint64_t)(r->id + 1) << 52) | ((uint64_t)page << 40) |
			((uint64_t)r->version[page] << 10) | word;

	return r->version[page] ? seed * 0x9e3779b97f4a7c15UL | 1 : 0;
}

void page_fill(const struct region *r, unsigned int page, uint64_t *to)
{
	for (unsigned int i = 0; i < WORDS; i++)
		to[i] = word_of(r, page, i);
}

static bool all_zero(const volatile uint64_t *words)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (words[i])
			return false;
	return true;
}

void page_check(struct region *r, unsigned int page, const char *at)
{
	const volatile uint64_t *words = (const volatile uint64_t *)at;

	for (unsigned int i = 0; i < WORDS; i++) {
		uint64_t found = words[i], expected = word_of(r, page, i);

		/* Freed lazily, perhaps right now; then it is all zeros for good. */
		if (found != expected && r->may_be_zero[page] && all_zero(words)) {
			region_zeroed(r, page, 1);
			return;
		}
		CHECK_MSG(found == expected,
			  "region %d kind %d page %u version %u word %u at %p: %#lx, expected %#lx",
			  r->id, r->kind, page, r->version[page], i, at + i * 8, (long)found,
			  (long)expected);
	}
}

void region_check(struct region *r, unsigned int from, unsigned int nr)
{
	for (unsigned int i = from; i < from + nr; i++)
		page_check(r, i, r->at + i * PAGE);
}

void page_write(struct region *r, unsigned int page)
{
	volatile uint64_t *to = (volatile uint64_t *)(r->at + page * PAGE);

	r->version[page] = ++r->last_version;
	r->may_be_zero[page] = false;
	for (unsigned int i = 0; i < WORDS; i++)
		to[i] = word_of(r, page, i);
}
