// SPDX-License-Identifier: GPL-2.0
/*
 * Core dumps: the dump of a thread that dies in a view holds the text that it
 * was executing, and the arena; one that dies in the base, the base's.
 *
 * As root: core_pattern is set for the time being, to a file and to a pipe
 * into this very program.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knobs.h"

#define PATTERN		"/proc/sys/kernel/core_pattern"

__asm__(".pushsection .text.mmview_own, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_text\n"
	"own_text: .byte 0xb8; .long 1; .byte 0xc3\n"
	".balign 4096, 0xcc\n"
	".popsection");
extern const char own_text[];

/* What a thread in a view dies of: ud2, with a mark behind it that nothing else has. */
static const unsigned char deadly[] = { 0x0f, 0x0b, 'v', 'i', 'e', 'w', '1' };

enum who { MAIN_THREAD, OTHER_THREAD };

/* How the victim dies; addresses are the same in both processes. */
struct death {
	char *text[3];			/* anonymous, a file's, the program's own */
	int in;				/* it dies in text[in] */
	enum who dies;
	bool in_base;			/* not in the view, where the other one is */
	pid_t child;			/* out, of_a_forked_child() */
	unsigned long arena;		/* out: address of its code part, data behind it */
};

static char directory[64];

/* --- the victim -------------------------------------------------------------------- */

static struct death *death;
static int view;
static pthread_barrier_t ready;

static void make_view(void)
{
	struct mmview_map map = { .code_size = PAGE, .data_size = PAGE };

	view = view_of(getpid());
	map.near_start = (uintptr_t)death->text[0];
	map.near_end = map.near_start + PAGE;
	CHECK(!ioctl(view, MMVIEW_IOC_MAP, &map));
	death->arena = map.code_addr;
	CHECK_EQ(pwrite(view, "arena's code", 12, map.code_addr), 12);
	CHECK_EQ(pwrite(view, "arena's data", 12, map.data_addr), 12);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pwrite(view, deadly, sizeof(deadly), (off_t)(uintptr_t)death->text[i]),
			 sizeof(deadly));
}

static void live(enum who who)
{
	bool dies = death->dies == who;

	if (dies != death->in_base)
		CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	pthread_barrier_wait(&ready);
	if (dies && death->in_base)
		raise(SIGSEGV);
	if (dies)
		code_call(death->text[death->in]);
	for (;;)
		pause();
}

static void *other_thread(void *arg)
{
	live(OTHER_THREAD);
	return arg;
}

static int victim(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	pthread_t thread;

	death = arg;
	CHECK(!setrlimit(RLIMIT_CORE, &all));
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	make_view();
	pthread_barrier_init(&ready, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, other_thread, NULL));
	live(MAIN_THREAD);
	return 0;
}

/* --- the dump ------------------------------------------------------------------------ */

static int core = -1;

/* Bytes of memory in the dump. False: they are not in it. */
static bool core_read(unsigned long addr, void *buf, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	CHECK_EQ(pread(core, &header, sizeof(header), 0), sizeof(header));
	CHECK(!memcmp(header.e_ident, ELFMAG, SELFMAG) && header.e_type == ET_CORE);
	for (int i = 0; i < header.e_phnum; i++) {
		CHECK_EQ(pread(core, &segment, sizeof(segment),
			       header.e_phoff + i * sizeof(segment)), sizeof(segment));
		if (segment.p_type != PT_LOAD || addr < segment.p_vaddr ||
		    addr + size > segment.p_vaddr + segment.p_filesz)
			continue;
		return pread(core, buf, size, segment.p_offset + addr - segment.p_vaddr) ==
		       (ssize_t)size;
	}
	return false;
}

static void expect_in_core(unsigned long addr, const void *expected, size_t size, const char *what)
{
	unsigned char found[16] = {};

	CHECK_MSG(core_read(addr, found, size), "%s is not in the dump", what);
	CHECK_MSG(!memcmp(found, expected, size), "%s begins with %02x %02x", what, found[0],
		  found[1]);
}

static void expect_arena(const struct death *d)
{
	expect_in_core(d->arena, "arena's code", 12, "the arena's code");
	expect_in_core(d->arena + PAGE, "arena's data", 12, "the arena's data");
}

/* The text of all three kinds, not only the page where it died. */
static void expect_view(const struct death *d)
{
	static const char *const kinds[] = { "anonymous text", "a file's text", "own text" };

	for (int i = 0; i < 3; i++)
		expect_in_core((uintptr_t)d->text[i], deadly, sizeof(deadly), kinds[i]);
	expect_arena(d);
}

/* What is in the dump of it is the base's; a file's text need not be there at all. */
static void expect_base(const struct death *d)
{
	unsigned char found[STUB_SIZE], stub[STUB_SIZE];

	stub_write(stub, OLD);
	expect_in_core((uintptr_t)d->text[0], stub, sizeof(stub), "anonymous text");
	for (int i = 1; i < 3; i++)
		if (core_read((uintptr_t)d->text[i], found, sizeof(found)))
			CHECK(!memcmp(found, stub, sizeof(stub)));
	expect_arena(d);
}

static void die(struct death *d, int signal)
{
	char path[128];
	pid_t pid;
	int status;

	if (core >= 0)
		close(core);
	pid = spawn(victim, d);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == signal, "status %#x", status);
	CHECK(WCOREDUMP(status));
	snprintf(path, sizeof(path), "%s/core.%d", directory, pid);
	/* From a pipe it is written a little after the process has gone. */
	EVENTUALLY(!access(path, R_OK));
	core = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(core >= 0);
}

static struct death *make_death(enum who dies, int in, bool in_base)
{
	struct death *d = shared_alloc(sizeof(*d));

	*d = (struct death){
		.text = { code_map(CODE_ANON, 1), code_map(CODE_FILE, 1), (char *)own_text },
		.dies = dies, .in = in, .in_base = in_base,
	};
	return d;
}

static bool may_dump(void)
{
	return !geteuid() && knob_set(PATTERN, "%s/core.%%p", directory);
}

/* --- the cases ------------------------------------------------------------------------ */

static int in_the_view(void)
{
	if (!may_dump())
		return case_skip("no core_pattern, or not root");
	for (int in = 0; in < 3; in++) {
		for (enum who who = MAIN_THREAD; who <= OTHER_THREAD; who++) {
			struct death *d = make_death(who, in, false);

			die(d, SIGILL);
			expect_view(d);
		}
	}
	return 0;
}

static int in_the_base(void)
{
	if (!may_dump())
		return case_skip("no core_pattern, or not root");
	for (enum who who = MAIN_THREAD; who <= OTHER_THREAD; who++) {
		struct death *d = make_death(who, 0, true);

		die(d, SIGSEGV);
		expect_base(d);
	}
	return 0;
}

static int through_a_pipe(void)
{
	struct death *d = make_death(OTHER_THREAD, 1, false);
	char program[128];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	CHECK(n > 0);
	program[n] = '\0';
	if (geteuid() || strlen(program) + strlen(directory) > 100)
		return case_skip("not root, or too long a path for core_pattern");
	CHECK(knob_set(PATTERN, "|%s --store %s/core.%%p", program, directory));
	die(d, SIGILL);
	expect_view(d);
	return 0;
}

/* Its child has a copy of the view, and dies in it. */
static int fork_and_die(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid;
	int status;

	death = arg;
	CHECK(!setrlimit(RLIMIT_CORE, &all));
	make_view();
	CHECK_EQ(sys_mmview_migrate(view, 0, 0), 1);
	pid = fork();
	if (!pid)
		_exit(code_call(death->text[death->in]));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WCOREDUMP(status));
	death->child = pid;
	return 0;
}

static int of_a_forked_child(void)
{
	struct death *d = make_death(MAIN_THREAD, 1, false);
	char path[128];

	if (!may_dump())
		return case_skip("no core_pattern, or not root");
	CHECK_EQ(reap(spawn(fork_and_die, d)), 0);
	snprintf(path, sizeof(path), "%s/core.%d", directory, d->child);
	core = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(core >= 0);
	expect_view(d);
	return 0;
}

static int seen_by_gdb(void)
{
	struct death *d = make_death(OTHER_THREAD, 1, false);
	char line[512], output[8192];
	FILE *gdb;
	size_t n;

	if (!may_dump() || system("gdb --version >/dev/null 2>&1"))
		return case_skip("no gdb, no core_pattern, or not root");
	die(d, SIGILL);
	snprintf(line, sizeof(line),
		 "timeout 250 gdb -nx -batch -iex 'set debuginfod enabled off' -c /proc/%d/fd/%d -ex 'x/2xb $pc' -ex 'p $pc == %p' 2>&1",
		 getpid(), core, d->text[1]);
	gdb = popen(line, "r");
	CHECK(gdb);
	n = fread(output, 1, sizeof(output) - 1, gdb);
	output[n] = '\0';
	CHECK_MSG(!pclose(gdb), "gdb says\n%s", output);
	CHECK_MSG(strstr(output, "0x0f\t0x0b") && strstr(output, "$1 = 1"), "gdb says\n%s", output);
	return 0;
}

/* --- as core_pattern's program ---------------------------------------------------------- */

static int store(const char *path)
{
	char part[160], block[65536];
	ssize_t n;
	int fd;

	snprintf(part, sizeof(part), "%s.part", path);
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return 1;
	while ((n = read(STDIN_FILENO, block, sizeof(block))) > 0)
		if (write(fd, block, n) != n)
			return 1;
	return n < 0 || close(fd) || rename(part, path);
}

static void drop_directory(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command))
		printf("# %s stays\n", directory);
}

int main(int argc, char **argv)
{
	static const struct mmview_case cases[] = {
		{ "a thread dies in the view", in_the_view },
		{ "a thread dies in the base, others are in the view", in_the_base },
		{ "a dump into a pipe", through_a_pipe },
		{ "a forked child dies in its copy of the view", of_a_forked_child },
		{ "gdb shows the text that was executed", seen_by_gdb },
	};

	if (argc == 3 && !strcmp(argv[1], "--store"))
		return store(argv[2]);
	strcpy(directory, "/tmp/mmview-dump.XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	atexit(drop_directory);
	knob_keep(PATTERN);
	mmview_case_timeout_s = 300;		/* gdb takes its time */
	MMVIEW_MAIN(cases);
}
