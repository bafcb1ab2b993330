// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mmview_util.h"
#include "trace.h"

#define TRACING	"/sys/kernel/tracing"

bool trace_has(const char *event)
{
	char path[160];

	if (access(TRACING "/instances", W_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	snprintf(path, sizeof(path), TRACING "/events/%s/enable", event);
	return !access(path, W_OK);
}

struct trace trace_begin(const char *buffer_kb)
{
	struct trace trace;

	snprintf(trace.instance, sizeof(trace.instance), TRACING "/instances/mmview-%d", getpid());
	CHECK(!mkdir(trace.instance, 0700));
	trace_set(&trace, "tracing_on", "0");
	trace_set(&trace, "buffer_size_kb", buffer_kb);
	return trace;
}

void trace_set(const struct trace *trace, const char *file, const char *value)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", trace->instance, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK_MSG(fd >= 0, "%s", path);
	CHECK_MSG(write(fd, value, strlen(value)) > 0, "%s", path);
	CHECK(!close(fd));
}

FILE *trace_open(const struct trace *trace)
{
	char path[160];
	FILE *lines;

	snprintf(path, sizeof(path), "%s/trace", trace->instance);
	lines = fopen(path, "re");
	CHECK(lines);
	return lines;
}

void trace_end(const struct trace *trace)
{
	trace_set(trace, "events/enable", "0");
	CHECK(!rmdir(trace->instance));
}
