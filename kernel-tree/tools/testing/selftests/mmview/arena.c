// SPDX-License-Identifier: GPL-2.0
/*
 * The arena: where it lies, what it may do, how it is filled, when it goes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "remote.h"

#define REACH	(2UL << 30)
#define GIB	(1UL << 30)

__asm__(".pushsection .text.mmview_own, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_text\n"
	"own_text: .byte 0xb8; .long 1; .byte 0xc3\n"
	".balign 4096, 0xcc\n"
	".popsection");
extern const char own_text[];

struct vma {
	uint64_t start, end;
	char permissions[8], name[64];
};

/* The mapping that holds the address; start is 0 where there is none. */
static struct vma vma_of(pid_t pid, uint64_t address)
{
	struct vma vma = { 0 };
	char path[32], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		vma = (struct vma){ 0 };
		CHECK(sscanf(line, "%lx-%lx %7s %*s %*s %*s %63[^\n]", &vma.start, &vma.end,
			     vma.permissions, vma.name) >= 3);
		if (vma.start <= address && address < vma.end)
			break;
		vma.start = 0;
	}
	fclose(maps);
	return vma;
}

static struct mmview_map arena_near(int view, const void *start, size_t size, size_t code_size,
				    size_t data_size)
{
	struct mmview_map map = {
		.near_start = (uintptr_t)start, .near_end = (uintptr_t)start + size,
		.code_size = code_size, .data_size = data_size,
	};

	CHECK(!ioctl(view, MMVIEW_IOC_MAP, &map));
	CHECK_EQ(map.data_addr, map.code_addr + code_size);
	CHECK_EQ(map.code_addr % PAGE, 0);
	return map;
}

static void expect_in_reach(const struct mmview_map *map)
{
	uint64_t end = map->data_addr + map->data_size;
	uint64_t low = map->code_addr < map->near_start ? map->code_addr : map->near_start;
	uint64_t high = end > map->near_end ? end : map->near_end;

	CHECK_MSG(high - low <= REACH, "arena %#llx, near %#llx-%#llx",
		  (unsigned long long)map->code_addr, (unsigned long long)map->near_start,
		  (unsigned long long)map->near_end);
}

static void expect_mapped(pid_t pid, const struct mmview_map *map)
{
	struct vma text = vma_of(pid, map->code_addr), data;

	CHECK_EQ(text.start, map->code_addr);
	CHECK_EQ(text.end, map->code_addr + map->code_size);
	CHECK_MSG(!strcmp(text.permissions, "r-xp"), "%s", text.permissions);
	CHECK_MSG(!strcmp(text.name, ""), "%s", text.name);	/* perf wants none */
	if (!map->data_size)
		return;
	data = vma_of(pid, map->data_addr);
	CHECK_EQ(data.start, map->data_addr);
	CHECK_EQ(data.end, map->data_addr + map->data_size);
	CHECK_MSG(!strcmp(data.permissions, "rw-p"), "%s", data.permissions);
	CHECK_MSG(!strcmp(data.name, "[anon:driftpatch]"), "%s", data.name);
}

static void expect_gone(pid_t pid, const struct mmview_map *map)
{
	EVENTUALLY(!vma_of(pid, map->code_addr).start);
	CHECK(!map->data_size || !vma_of(pid, map->data_addr).start);
}

static int where_it_lies(void)
{
	char *low = mmap((void *)0x10000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_FIXED_NOREPLACE, -1, 0);
	char *wide = mmap(NULL, GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char on_stack;
	const struct {
		const void *at;
		size_t size, code_size, data_size;
	} wishes[] = {
		{ own_text, PAGE, PAGE, 0 },
		{ own_text, 1, 16 * PAGE, 4 * PAGE },
		{ code_map(CODE_ANON, 1), PAGE, 256 * PAGE, 256 * PAGE },
		{ (const void *)(uintptr_t)mmap, 64, PAGE, PAGE },
		{ low, PAGE, 2 * PAGE, PAGE },
		{ wide, GIB, PAGE, PAGE },
		{ &on_stack, 1, PAGE, PAGE },
	};

	CHECK(low != MAP_FAILED && wide != MAP_FAILED);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		int view = view_of(getpid());
		struct mmview_map map = arena_near(view, wishes[i].at, wishes[i].size,
						   wishes[i].code_size, wishes[i].data_size);

		expect_in_reach(&map);
		expect_mapped(getpid(), &map);
		CHECK(!close(view));
		expect_gone(getpid(), &map);
	}
	return 0;
}

static int no_room(void)
{
	char *wall = mmap(NULL, 5 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			  0);
	char *middle = wall + 5 * GIB / 2;
	struct mmview_map map = { (uintptr_t)middle, (uintptr_t)middle + PAGE, PAGE, PAGE, 0, 0 };
	int view = view_of(getpid());

	CHECK(wall != MAP_FAILED);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_MAP, &map), ENOSPC);
	/* A page stays free on either side: this gap is just enough. */
	CHECK(!munmap(wall + GIB, 4 * PAGE));
	CHECK(!ioctl(view, MMVIEW_IOC_MAP, &map));
	CHECK_EQ(map.code_addr, (uintptr_t)wall + GIB + PAGE);
	expect_mapped(getpid(), &map);
	CHECK_ERR(ioctl(view, MMVIEW_IOC_MAP, &map), EBUSY);
	return 0;
}

/* Nothing is mapped where the range begins and ends, in the middle of a page. */
static int near_no_page(void)
{
	char *wall = mmap(NULL, 5 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			  0);
	char *hole = wall + 5 * GIB / 2;
	const struct {
		const char *start;
		bool below;		/* is there room below it */
	} wishes[] = {
		{ hole + 5 * PAGE + 0x173, true },
		{ hole + 0x173, false },
	};

	CHECK(wall != MAP_FAILED && !munmap(hole, 8 * PAGE));
	for (int i = 0; i < 2; i++) {
		int view = view_of(getpid());
		struct mmview_map map = arena_near(view, wishes[i].start, 5, PAGE, PAGE);

		expect_in_reach(&map);
		expect_mapped(getpid(), &map);
		CHECK_EQ(map.code_addr < (uintptr_t)wishes[i].start, wishes[i].below);
		CHECK_EQ(pwrite(view, own_text, STUB_SIZE, (off_t)map.code_addr), STUB_SIZE);
		CHECK(!close(view));
		expect_gone(getpid(), &map);
	}
	return 0;
}

static uint64_t *data;

static void *change_data_in_base(void *arg)
{
	CHECK_EQ(task_view(getpid(), sys_gettid()), 0);
	CHECK_EQ(data[0], 4);
	data[0] = 5;
	return arg;
}

/* Filled through the view; the data is everybody's, base included. */
static int write_and_run(void)
{
	int view = view_of(getpid());
	struct mmview_map map = arena_near(view, own_text, PAGE, 2 * PAGE, 2 * PAGE);
	char *text = (char *)(uintptr_t)map.code_addr;
	uint64_t value = 3;
	pthread_t thread;

	data = (uint64_t *)(uintptr_t)map.data_addr;
	view_patch(view, text + PAGE - 3, 21);
	view_patch(view, text + 100, 22);
	CHECK_EQ(pwrite(view, &value, sizeof(value), (off_t)map.data_addr), sizeof(value));
	CHECK_EQ(view_value(view, text + 100), 22);
	value = 0;
	CHECK_EQ(pread(view, &value, sizeof(value), (off_t)map.data_addr), sizeof(value));
	CHECK_EQ(value, 3);
	CHECK_EQ(data[0], 3);
	CHECK_EQ(data[PAGE / 8], 0);
	/* A thread of the base, made before the creator leaves it. */
	data[0] = 4;
	CHECK(!pthread_create(&thread, NULL, change_data_in_base, NULL));
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	CHECK_EQ(code_call(text + PAGE - 3), 21);
	CHECK_EQ(code_call(text + 100), 22);
	CHECK_EQ(data[0], 5);
	data[PAGE / 8] = 6;
	CHECK_EQ(pread(view, &value, sizeof(value), (off_t)map.data_addr + PAGE), sizeof(value));
	CHECK_EQ(value, 6);
	return 0;
}

static int change_data(void *arg)
{
	char *text = arg;

	CHECK_EQ(data[0], 7);
	data[0] = 8;
	CHECK_EQ(code_call(text), 23);
	CHECK_EQ(data[0], 8);
	return 0;
}

static int copied_at_fork(void)
{
	int view = view_of(getpid());
	struct mmview_map map = arena_near(view, own_text, PAGE, PAGE, PAGE);
	char *text = (char *)(uintptr_t)map.code_addr;

	data = (uint64_t *)(uintptr_t)map.data_addr;
	view_patch(view, text, 23);
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	data[0] = 7;
	CHECK_EQ(reap(spawn(change_data, text)), 0);
	CHECK_EQ(data[0], 7);
	CHECK(!close(view));
	CHECK_EQ(reap(spawn(change_data, text)), 0);
	CHECK_EQ(data[0], 7);
	expect_mapped(getpid(), &map);
	CHECK_EQ(code_call(text), 23);
	return 0;
}

static void *migrate_and_end(void *arg)
{
	CHECK_EQ(sys_mmview_migrate(*(int *)arg, 0, 0), 1);
	return arg;
}

/* Somebody has been in the view: the arena stays, whoever has left. */
static int stays_once_used(void)
{
	int view = view_of(getpid());
	struct mmview_map map = arena_near(view, own_text, PAGE, PAGE, PAGE);
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, migrate_and_end, &view));
	CHECK(!pthread_join(thread, NULL));
	CHECK(!close(view));
	sleep_ms(300);
	expect_mapped(getpid(), &map);
	return 0;
}

static atomic_int waiting;

static void *wait_for_byte(void *arg)
{
	char byte;

	atomic_store(&waiting, gettid());
	CHECK_EQ(read(*(int *)arg, &byte, 1), 1);
	return arg;
}

/* No thread could come, but a newer view may lead to the arena by now. */
static int stays_once_asked(void)
{
	int view = view_of(getpid());
	struct mmview_map map = arena_near(view, own_text, PAGE, PAGE, PAGE);
	pthread_t thread;
	int pipes[2];

	CHECK(!pipe(pipes));
	CHECK(!pthread_create(&thread, NULL, wait_for_byte, &pipes[0]));
	EVENTUALLY(atomic_load(&waiting));
	/* Wherever it is, it is in the guard. */
	view_guard(view, (void *)PAGE, (1UL << 47) - 2 * PAGE, MMVIEW_GUARD_CHANGED);
	CHECK_EQ(sys_mmview_migrate(view, atomic_load(&waiting), 0), 0);
	CHECK_EQ(write(pipes[1], "", 1), 1);
	CHECK(!pthread_join(thread, NULL));
	CHECK(!close(view));
	sleep_ms(300);
	expect_mapped(getpid(), &map);
	return 0;
}

static int spin(void *arg)
{
	struct target *t = arg;

	target_enter(&t->member[0]);
	atomic_store(&t->member[0].inside, 1);
	target_call_until_stop(t, &t->member[0]);
	return 0;
}

/* A detour as a patch writes it, into a process that runs meanwhile. */
static int detour_in_another_process(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), spin, 0);
	struct mmview_map map = arena_near(t->view, t->code, PAGE, PAGE, PAGE);
	unsigned char jump[5] = { 0xe9 };
	int32_t distance = map.code_addr - ((uintptr_t)t->code + sizeof(jump));

	target_wait_inside(t, 1);
	expect_in_reach(&map);
	expect_mapped(t->pid, &map);
	CHECK(!vma_of(getpid(), map.code_addr).start);
	view_patch(t->view, (void *)(uintptr_t)map.code_addr, 24);
	memcpy(jump + 1, &distance, 4);
	CHECK_EQ(pwrite(t->view, jump, sizeof(jump), (off_t)(uintptr_t)t->code), sizeof(jump));
	CHECK(sys_mmview_migrate(t->view, t->pid, 0) >= 0);
	EVENTUALLY(view_thread(t->view, t->pid).migrated);
	EVENTUALLY(atomic_load(&t->member[0].last) == 24);
	CHECK(!close(t->view));
	expect_mapped(t->pid, &map);
	target_end(t);
	return 0;
}

static int process_ends_first(void)
{
	struct target *t = target_start(code_map(CODE_FILE, 1), spin, 0);

	target_wait_inside(t, 1);
	arena_near(t->view, t->code, PAGE, PAGE, PAGE);
	target_end(t);
	CHECK(!close(t->view));
	return 0;
}

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "within 2 GiB, r-x and rw-, named; gone with an unused view", where_it_lies },
		{ "no room: ENOSPC; a gap of the very size; twice: EBUSY", no_room },
		{ "near what begins and ends within pages that are not there", near_no_page },
		{ "write through the view, run, share data", write_and_run },
		{ "data is copied at fork", copied_at_fork },
		{ "stays once a thread has been in the view", stays_once_used },
		{ "stays once a thread was asked to the view, though none came", stays_once_asked },
		{ "a detour in a running process", detour_in_another_process },
		{ "the process ends before the view is closed", process_ends_first },
	};

	MMVIEW_MAIN(cases);
}
