// SPDX-License-Identifier: GPL-2.0
/*
 * Small files below /proc and /sys; knobs.h tells the idea.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knobs.h"

#define MAX_KEPT	16

static struct kept {
	char path[128];
	char text[256];
} kept[MAX_KEPT];
static int nr_kept;

bool knob_get(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *chosen, *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	chosen = strchr(text, '[');
	end = chosen ? strchr(chosen, ']') : NULL;
	if (end) {
		*end = '\0';
		memmove(text, chosen + 1, end - chosen);
	}
	return true;
}

bool knob_set(const char *path, const char *format, ...)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[512];
	va_list args;
	int n, err;

	if (fd < 0)
		return false;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	err = write(fd, text, n) == n ? 0 : errno;
	close(fd);
	errno = err;
	return !err;
}

static void put_back(void)
{
	while (nr_kept--)
		knob_set(kept[nr_kept].path, "%s\n", kept[nr_kept].text);
}

bool knob_keep(const char *path)
{
	struct kept *k = &kept[nr_kept];

	CHECK(nr_kept < MAX_KEPT && strlen(path) < sizeof(k->path));
	if (!knob_get(path, k->text, sizeof(k->text)))
		return false;
	strcpy(k->path, path);
	if (!nr_kept++)
		atexit(put_back);
	return true;
}

long long knob_field(const char *path, const char *field)
{
	FILE *file = fopen(path, "re");
	long long value = -1;
	char line[512];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			value = atoll(line + strlen(field));
	fclose(file);
	return value;
}

long long smaps_field(const void *at, const char *field)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	bool inside = false;
	long long value = -1;
	char line[512];

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)at >= start && (unsigned long)at < end;
		else if (inside && !strncmp(line, field, strlen(field)))
			value = atoll(line + strlen(field));
	}
	fclose(file);
	CHECK_MSG(value >= 0, "no %s for %p", field, at);
	return value;
}

uint64_t pagemap_entry(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &entry, 8, (uintptr_t)at / PAGE * 8), 8);
	close(fd);
	return entry;
}
