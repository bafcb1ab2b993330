// SPDX-License-Identifier: GPL-2.0
/*
 * What memory a view takes, besides its overridden pages: 4 KiB pages for each
 * of many views of one process. Counted twice, by two who do not know of each
 * other: the memory cgroup of the caller (what is charged), and the machine's
 * free memory (what is gone, charged or not).
 *
 * A view has the overridden page, then page tables of its own around it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define VIEWS		500
#define MOUNTED		"/tmp/mmview-bench-cgroup"
#define GROUP		MOUNTED "/bench"
#define MEMINFO		"/proc/meminfo"
#define CHARGED		GROUP "/memory.stat"

static char *code;
static int views[VIEWS];

/* The number behind a word at the beginning of a line; -1 if there is none. */
static double number(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	char line[256];
	double value = -1;

	CHECK_MSG(file, "%s", path);
	while (value < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)) && strchr(" :", line[strlen(word)]))
			value = atof(line + strlen(word) + 1);
	fclose(file);
	CHECK_MSG(value >= 0, "%s has no %s", path, word);
	return value;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK_MSG(fd >= 0, "%s", path);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static double charged_pages(void)
{
	return number(CHARGED, "kernel") / PAGE;
}

/* What each CPU keeps for later, and caches, are no part of it. */
static double used_pages(void)
{
	sync();
	put("/proc/sys/vm/drop_caches", "3\n");
	return (number(MEMINFO, "MemTotal") - number(MEMINFO, "MemFree")) * 1024 / PAGE;
}

static void make(int overrides)
{
	for (int i = 0; i < VIEWS; i++) {
		views[i] = view_of(getpid());
		for (int j = 0; j < overrides; j++)
			view_patch(views[i], code + j * PAGE, NEW);
	}
}

static void unmake(void)
{
	for (int i = 0; i < VIEWS; i++)
		close(views[i]);
	bench_views_gone();
}

/* Without the overridden pages themselves. */
static double pages(double (*count)(void), int overrides)
{
	double before = count(), after;

	make(overrides);
	after = count();
	unmake();
	return (after - before) / VIEWS - overrides;
}

static double charged(const struct bench_case *c)
{
	return pages(charged_pages, c->n);
}

static double gone(const struct bench_case *c)
{
	return pages(used_pages, c->n);
}

int main(int argc, char **argv)
{
	static const struct bench_case cases[] = {
		{ "memory/charged/no-override", "pages", NULL, charged, NULL, 0 },
		{ "memory/charged/1-override", "pages", NULL, charged, NULL, 1 },
		{ "memory/charged/8-overrides", "pages", NULL, charged, NULL, 8 },
		{ "memory/gone/1-override", "pages", "memory/charged/1-override", gone, NULL, 1 },
	};
	const struct rlimit descriptors = { VIEWS + 64, VIEWS + 64 };
	unsigned int runs = bench_runs(argc, argv);
	char pid[16];

	CHECK(!setrlimit(RLIMIT_NOFILE, &descriptors));
	CHECK(!mkdir(MOUNTED, 0700) || errno == EEXIST);
	CHECK(!mount("cgroup2", MOUNTED, "cgroup2", 0, NULL));
	put(MOUNTED "/cgroup.subtree_control", "+memory");
	CHECK(!mkdir(GROUP, 0700));
	snprintf(pid, sizeof(pid), "%d", getpid());
	put(GROUP "/cgroup.procs", pid);
	code = code_map(CODE_FILE, 8);
	make(8);			/* caches are warm */
	unmake();
	BENCH_TURNS(cases, runs);
	put(MOUNTED "/cgroup.procs", pid);
	CHECK(!rmdir(GROUP) && !umount(MOUNTED) && !rmdir(MOUNTED));
	return 0;
}
