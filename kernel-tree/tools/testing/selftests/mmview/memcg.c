// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups: what a view takes is charged to its target's group, not to
 * the patcher's, and a full group means ENOMEM for the patcher and not the
 * end of the target.
 *
 * Groups below the root of the cgroup2 hierarchy are made for the test, by
 * root, where the memory controller can be had.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knobs.h"
#include "remote.h"

#define ROOT	"/sys/fs/cgroup"
#define PAGES	2048			/* overridden: 8 MiB, far more than what groups hoard */
#define MIB	(1LL << 20)

static char ours[64];			/* the group that holds the two */

static void path_of(char *path, size_t size, const char *group, const char *file)
{
	snprintf(path, size, "%s%s/%s", ours, group, file);
}

static bool group_set(const char *group, const char *file, const char *text)
{
	char path[160];

	path_of(path, sizeof(path), group, file);
	return knob_set(path, "%s", text);
}

static long long group_number(const char *group, const char *file)
{
	char path[160], text[64];

	path_of(path, sizeof(path), group, file);
	CHECK_MSG(knob_get(path, text, sizeof(text)), "%s", path);
	return atoll(text);
}

static long long group_field(const char *group, const char *file, const char *field)
{
	char path[160];

	path_of(path, sizeof(path), group, file);
	return knob_field(path, field);
}

static bool make_groups(void)
{
	char path[160];

	if (access(ROOT "/cgroup.controllers", R_OK))
		mount("cgroup2", ROOT, "cgroup2", 0, NULL);
	knob_set(ROOT "/cgroup.subtree_control", "+memory");
	snprintf(ours, sizeof(ours), ROOT "/mmview-%d", getpid());
	if (mkdir(ours, 0755))
		return false;
	if (!group_set("", "cgroup.subtree_control", "+memory"))
		return false;
	path_of(path, sizeof(path), "", "target");
	CHECK(!mkdir(path, 0755));
	path_of(path, sizeof(path), "", "patcher");
	CHECK(!mkdir(path, 0755));
	return group_number("/target", "memory.current") >= 0;
}

static void drop_groups(void)
{
	static const char *const names[] = { "target", "patcher", "" };
	char path[160];

	for (int i = 0; i < 3; i++) {
		path_of(path, sizeof(path), "", names[i]);
		rmdir(path);
	}
}

static void join_group(const char *group)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	CHECK(group_set(group, "cgroup.procs", pid));
}

static int target_in_group(void *arg)
{
	struct target *t = arg;

	join_group("/target");
	target_enter(&t->member[0]);
	/* Its text is there, so that nothing but the view costs anything later. */
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(code_call(t->code + i * PAGE), OLD);
	atomic_store(&t->member[0].inside, 1);
	do {
		atomic_store(&t->member[0].last, code_call(t->code));
		sleep_ms(1);
	} while (!atomic_load(&t->stop));
	for (int i = 0; i < PAGES; i += 64)
		CHECK_EQ(code_call(t->code + i * PAGE), atomic_load(&t->member[0].last));
	return 0;
}

static struct target *start_target(void)
{
	struct target *t = target_start(code_map(CODE_FILE, PAGES), target_in_group, 0);

	target_wait_inside(t, 1);
	return t;
}

static long long settled(const char *group)
{
	/* Statistics are gathered every two seconds at the latest; reading does it now. */
	group_field(group, "memory.stat", "anon ");
	return group_number(group, "memory.current");
}

static int charged_to_the_target(void)
{
	long long target, patcher, took;
	struct target *t = start_target();

	join_group("/patcher");
	target = settled("/target");
	patcher = settled("/patcher");
	for (int i = 0; i < PAGES; i++)
		view_patch(t->view, t->code + i * PAGE, NEW);
	took = settled("/target") - target;
	CHECK_MSG(took > PAGES * (long long)PAGE - MIB && took < 2 * PAGES * (long long)PAGE,
		  "the target's group was charged %lld kB for %lu", took / 1024,
		  PAGES * PAGE / 1024);
	took = settled("/patcher") - patcher;
	CHECK_MSG(took < MIB, "the patcher's group was charged %lld kB", took / 1024);
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	target_end(t);
	/* With the target all of it goes. */
	CHECK(!close(t->view));
	EVENTUALLY(settled("/target") < target + MIB);
	return 0;
}

/* The arena's pages too, whoever writes them. */
static int arena_is_charged_to_the_target(void)
{
	struct target *t = start_target();
	struct mmview_map map = {
		.near_start = (uintptr_t)t->code,
		.near_end = (uintptr_t)t->code + PAGE,
		.code_size = PAGES * PAGE,
	};
	long long target, patcher, took;

	join_group("/patcher");
	target = settled("/target");
	patcher = settled("/patcher");
	CHECK(!ioctl(t->view, MMVIEW_IOC_MAP, &map));
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(pwrite(t->view, "x", 1, map.code_addr + i * PAGE), 1);
	took = settled("/target") - target;
	CHECK_MSG(took > PAGES * (long long)PAGE - MIB,
		  "the target's group was charged %lld kB", took / 1024);
	took = settled("/patcher") - patcher;
	CHECK_MSG(took < MIB, "the patcher's group was charged %lld kB", took / 1024);
	target_end(t);
	return 0;
}

static bool patch_until_refused(struct target *t, int *done)
{
	unsigned char stub[STUB_SIZE];

	stub_write(stub, NEW);
	for (*done = 0; *done < PAGES; ++*done) {
		errno = 0;
		if (pwrite(t->view, stub, sizeof(stub),
			   (off_t)(uintptr_t)(t->code + *done * PAGE)) != sizeof(stub)) {
			CHECK_EQ(errno, ENOMEM);
			return true;
		}
	}
	return false;
}

static int full_group(void)
{
	struct target *t = start_target();
	char limit[32];
	int done;

	join_group("/patcher");
	snprintf(limit, sizeof(limit), "%lld", settled("/target") + 2 * MIB);
	CHECK(group_set("/target", "memory.max", limit));
	CHECK_MSG(patch_until_refused(t, &done), "no limit was felt");
	CHECK(done > 0 && done < PAGES);
	/* Not the patcher's business to kill: nobody was, and nothing has changed. */
	CHECK_EQ(group_field("/target", "memory.events", "oom_kill "), 0);
	CHECK_EQ(group_field("/patcher", "memory.events", "oom_kill "), 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == OLD);
	CHECK_EQ(view_value(t->view, t->code + (done - 1) * PAGE), NEW);
	CHECK_EQ(view_value(t->view, t->code + done * PAGE), OLD);
	CHECK_EQ(view_state(t->view, NULL, 0).overrides, done);
	/* With room again it goes on where it stopped. */
	CHECK(group_set("/target", "memory.max", "max"));
	CHECK(!patch_until_refused(t, &done));
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	target_end(t);
	return 0;
}

/* What the fold copies into the base may not fit either: then nothing is folded. */
static int full_group_at_the_fold(void)
{
	struct target *t = start_target();
	char limit[32];
	int done;

	join_group("/patcher");
	CHECK(!patch_until_refused(t, &done));
	CHECK(sys_mmview_migrate(t->view, t->pid, MMVIEW_MIGRATE_ALL) >= 0);
	EVENTUALLY(view_state(t->view, NULL, 0).flags & MMVIEW_STATE_COMPLETE);
	snprintf(limit, sizeof(limit), "%lld", settled("/target") + 2 * MIB);
	CHECK(group_set("/target", "memory.max", limit));
	CHECK_ERR(ioctl(t->view, MMVIEW_IOC_FOLD), ENOMEM);
	CHECK_EQ(group_field("/target", "memory.events", "oom_kill "), 0);
	CHECK(!(view_state(t->view, NULL, 0).flags & MMVIEW_STATE_FOLDED));
	CHECK_EQ(view_value(t->view, t->code), NEW);
	EVENTUALLY(atomic_load(&t->member[0].last) == NEW);
	CHECK(group_set("/target", "memory.max", "max"));
	CHECK(!ioctl(t->view, MMVIEW_IOC_FOLD));
	CHECK_EQ(task_view(t->pid, t->pid), 0);
	target_end(t);
	return 0;
}

static int (*inner)(void);

static int run_inner(void *arg)
{
	(void)arg;
	return inner();
}

/* The groups are made before and removed after, however the case ends. */
static int with_groups(int (*fn)(void))
{
	int result;

	if (geteuid() || !make_groups())
		return case_skip("no memory controller, or not root");
	inner = fn;
	result = reap(spawn(run_inner, NULL));
	group_set("", "cgroup.kill", "1");
	EVENTUALLY((drop_groups(), access(ours, F_OK)));
	return result;
}

#define WITH_GROUPS(fn)	static int fn##_in_groups(void) { return with_groups(fn); }
WITH_GROUPS(charged_to_the_target)
WITH_GROUPS(arena_is_charged_to_the_target)
WITH_GROUPS(full_group)
WITH_GROUPS(full_group_at_the_fold)

int main(void)
{
	static const struct mmview_case cases[] = {
		{ "overrides are charged to the target", charged_to_the_target_in_groups },
		{ "an arena is charged to the target", arena_is_charged_to_the_target_in_groups },
		{ "a full group: ENOMEM, and nobody is killed", full_group_in_groups },
		{ "a full group at the fold: nothing is folded", full_group_at_the_fold_in_groups },
	};

	MMVIEW_MAIN(cases);
}
