// SPDX-License-Identifier: GPL-2.0
/*
 * The two system calls and the view's descriptor.
 */
#include <linux/anon_inodes.h>
#include <linux/cpufeature.h>
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>
#include "internal.h"

/* What a descriptor refers to: a view, and the process it was opened for. */
struct mmview_file {
	struct mmview *view;
	struct pid *pid;
};

/* ------------------------------------------------------------------------
 * Permission
 */

/* A thread of the process that runs: its main thread may have ended. */
static struct task_struct *get_thread(struct pid *pid)
{
	struct task_struct *leader, *task, *found = NULL;

	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, task) {
			if (READ_ONCE(task->mm)) {
				found = get_task_struct(task);
				break;
			}
		}
	}
	rcu_read_unlock();
	return found;
}

/* The process's mm, referenced, if the caller may attach to it. */
static struct mm_struct *get_target(struct pid *pid)
{
	struct task_struct *task = get_thread(pid);
	struct mm_struct *mm;

	if (!task)
		return ERR_PTR(-ESRCH);
	mm = mm_access(task, PTRACE_MODE_ATTACH_REALCREDS);
	put_task_struct(task);
	if (!mm)
		return ERR_PTR(-ESRCH);
	return mm == ERR_PTR(-EACCES) ? ERR_PTR(-EPERM) : mm;
}

/*
 * The same, for every operation on a view: the process may have changed its
 * credentials, executed another program (another mm: ESRCH), or died.
 */
static struct mm_struct *begin(struct mmview_file *vf)
{
	struct mm_struct *mm = get_target(vf->pid);

	if (IS_ERR(mm) || mm == vf->view->root.mm)
		return mm;
	mmput(mm);
	return ERR_PTR(-ESRCH);
}

/*
 * What a view takes is charged to the process it is for, not to the caller:
 * between charge_to() and charge_end().
 */
static struct mem_cgroup *charge_to(struct mm_struct *mm,
				    struct mem_cgroup **before)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);

	*before = set_active_memcg(memcg);
	return memcg;
}

static void charge_end(struct mem_cgroup *memcg, struct mem_cgroup *before)
{
	set_active_memcg(before);
	mem_cgroup_put(memcg);
}

/* ------------------------------------------------------------------------
 * Reading and writing through the view
 */

static ssize_t mmview_fop_read(struct file *file, char __user *buf,
			       size_t count, loff_t *ppos)
{
	struct mmview_file *vf = file->private_data;
	struct mm_struct *mm = begin(vf);
	unsigned long addr = *ppos;
	size_t done = 0, len;
	char *page;
	int err = 0;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	page = (char *)__get_free_page(GFP_KERNEL);
	if (!page)
		err = -ENOMEM;
	while (!err && done < count) {
		len = min(count - done, PAGE_SIZE - offset_in_page(addr));
		err = addr >= TASK_SIZE_MAX ? -EFAULT :
			mmview_read(vf->view, mm, addr, page, len);
		if (!err && copy_to_user(buf + done, page, len))
			err = -EFAULT;
		if (err)
			break;
		done += len;
		addr += len;
	}
	free_page((unsigned long)page);
	mmput(mm);
	*ppos += done;
	return done ?: err;
}

static int write_page(struct mmview *view, struct mm_struct *mm,
		      unsigned long addr, const char *buf, size_t len)
{
	if (addr >= TASK_SIZE_MAX)
		return -EFAULT;
	return mmview_in_arena(view, addr) ?
		mmview_arena_write(mm, addr, buf, len) :
		mmview_override_write(view, mm, addr, buf, len);
}

static ssize_t mmview_fop_write(struct file *file, const char __user *buf,
				size_t count, loff_t *ppos)
{
	struct mmview_file *vf = file->private_data;
	struct mm_struct *mm = begin(vf);
	struct mem_cgroup *memcg, *before;
	unsigned long addr = *ppos;
	size_t done = 0, len;
	char *page;
	int err;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	page = (char *)__get_free_page(GFP_KERNEL);
	err = page ? mutex_lock_killable(&vf->view->mmviews->mutex) : -ENOMEM;
	if (err)
		goto free;
	if (vf->view->sealed)
		err = -EBUSY;
	memcg = charge_to(mm, &before);
	while (!err && done < count) {
		len = min(count - done, PAGE_SIZE - offset_in_page(addr));
		err = copy_from_user(page, buf + done, len) ? -EFAULT :
			write_page(vf->view, mm, addr, page, len);
		if (err)
			break;
		done += len;
		addr += len;
	}
	charge_end(memcg, before);
	mutex_unlock(&vf->view->mmviews->mutex);
free:
	free_page((unsigned long)page);
	mmput(mm);
	*ppos += done;
	return done ?: err;
}

/* ------------------------------------------------------------------------
 * ioctls
 */

static long ioctl_map(struct mmview *view, struct mm_struct *mm,
		      struct mmview_map __user *arg)
{
	struct mmview_map map;
	long err;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	err = mmview_arena_map(view, mm, &map);
	if (err)
		return err;
	if (!copy_to_user(arg, &map, sizeof(map)))
		return 0;
	mmview_arena_undo(view, mm);
	return -EFAULT;
}

/* Takes over @ranges. */
static void set_guards(struct mmview *view, struct mmview_range *ranges,
		       unsigned int nr)
{
	unsigned int i;

	view->guard_min = ULONG_MAX;
	view->guard_max = 0;
	for (i = 0; i < nr; i++) {
		view->guard_min = min_t(u64, view->guard_min, ranges[i].start);
		view->guard_max = max_t(u64, view->guard_max, ranges[i].end);
	}
	kvfree(view->guards);
	view->guards = ranges;
	view->nr_guards = nr;
}

static long ioctl_guard(struct mmview *view, struct mmview_guard __user *arg)
{
	struct mmview_range *ranges;
	struct mmview_guard guard;
	unsigned int i;

	if (copy_from_user(&guard, arg, sizeof(guard)))
		return -EFAULT;
	if (guard.nr > MMVIEW_MAX_GUARDS || guard.reserved)
		return -EINVAL;
	ranges = kvmalloc_array(guard.nr + view->nr_inherited, sizeof(*ranges),
				MMVIEW_GFP);
	if (!ranges)
		return -ENOMEM;
	if (copy_from_user(ranges, u64_to_user_ptr(guard.ranges),
			   guard.nr * sizeof(*ranges))) {
		kvfree(ranges);
		return -EFAULT;
	}
	for (i = 0; i < guard.nr; i++) {
		if (ranges[i].start >= ranges[i].end || ranges[i].reserved ||
		    ranges[i].end > TASK_SIZE_MAX ||
		    ranges[i].kind > MMVIEW_GUARD_BODY) {
			kvfree(ranges);
			return -EINVAL;
		}
	}
	if (view->nr_inherited)
		memcpy(&ranges[guard.nr],
		       &view->guards[view->nr_guards - view->nr_inherited],
		       view->nr_inherited * sizeof(*ranges));
	set_guards(view, ranges, guard.nr + view->nr_inherited);
	return 0;
}

static long building(struct mmview *view, struct mm_struct *mm,
		     unsigned int cmd, void __user *arg)
{
	struct mem_cgroup *memcg, *before;
	long ret;

	if (view->sealed)
		return -EBUSY;
	memcg = charge_to(mm, &before);
	ret = cmd == MMVIEW_IOC_MAP ? ioctl_map(view, mm, arg) :
				      ioctl_guard(view, arg);
	charge_end(memcg, before);
	return ret;
}

/* mmviews->mutex is held. */
static void seal(struct mmview *view)
{
	if (view->sealed)
		return;
	mmview_prefill(view);
	WRITE_ONCE(view->sealed, true);
}

static long mmview_fop_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	struct mmview_file *vf = file->private_data;
	struct mmview *view = vf->view;
	void __user *uarg = (void __user *)arg;
	struct mem_cgroup *memcg, *before;
	struct mm_struct *mm;
	long ret;

	mm = begin(vf);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	ret = mutex_lock_killable(&view->mmviews->mutex);
	if (ret)
		goto put;
	switch (cmd) {
	case MMVIEW_IOC_MAP:
	case MMVIEW_IOC_GUARD:
		ret = building(view, mm, cmd, uarg);
		break;
	case MMVIEW_IOC_SEAL:
		seal(view);
		ret = 0;
		break;
	case MMVIEW_IOC_STATE:
		ret = mmview_state(view, uarg);
		break;
	case MMVIEW_IOC_FOLD:
		memcg = charge_to(mm, &before);
		ret = mmview_fold(view, mm);
		charge_end(memcg, before);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&view->mmviews->mutex);
put:
	mmput(mm);
	return ret;
}

static __poll_t mmview_fop_poll(struct file *file, poll_table *wait)
{
	struct mmview *view = ((struct mmview_file *)file->private_data)->view;

	poll_wait(file, &view->wait, wait);
	if (mmview_superseded(view))
		return EPOLLHUP;
	return READ_ONCE(view->complete) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void mmview_fop_fdinfo(struct seq_file *m, struct file *file)
{
	struct mmview_file *vf = file->private_data;
	struct mmview *view = vf->view;

	seq_printf(m, "mmview:\t%llu\nPid:\t%d\n", view->id,
		   pid_nr_ns(vf->pid, proc_pid_ns(file_inode(m->file)->i_sb)));
	seq_printf(m, "sealed:\t%d\ncomplete:\t%d\nfolded:\t%d\n",
		   READ_ONCE(view->sealed), READ_ONCE(view->complete),
		   READ_ONCE(view->folded));
	seq_printf(m, "threads:\t%d\noverrides:\t%u\nguards:\t%u\n",
		   atomic_read(&view->tasks), mmview_count_overrides(view),
		   view->nr_guards);
	seq_printf(m, "arena:\t%lx-%lx\n", view->arena_start, view->arena_end);
}

static int mmview_fop_release(struct inode *inode, struct file *file)
{
	struct mmview_file *vf = file->private_data;

	mmview_put(vf->view);
	put_pid(vf->pid);
	kfree(vf);
	return 0;
}

static const struct file_operations mmview_fops = {
	.owner		= THIS_MODULE,
	.read		= mmview_fop_read,
	.write		= mmview_fop_write,
	.unlocked_ioctl	= mmview_fop_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= mmview_fop_poll,
	.show_fdinfo	= mmview_fop_fdinfo,
	.release	= mmview_fop_release,
	.llseek		= noop_llseek,
};

/* ------------------------------------------------------------------------
 * mmview_clone
 */

/* Takes over the caller's reference to @view, whatever happens. */
static int open_view(struct mmview *view, struct pid *pid)
{
	struct mmview_file *vf = kzalloc(sizeof(*vf), GFP_KERNEL_ACCOUNT);
	struct file *file;
	int fd;

	if (!vf) {
		mmview_put(view);
		return -ENOMEM;
	}
	vf->view = view;
	vf->pid = get_pid(pid);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto free;
	file = anon_inode_getfile("[mmview]", &mmview_fops, vf,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto free;
	}
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	fd_install(fd, file);
	return fd;
free:
	mmview_put(view);
	put_pid(vf->pid);
	kfree(vf);
	return fd;
}

/* The next generation: @view, which is new, begins as a copy of @from. */
static int inherit(struct mmview *view, struct mmview *from)
{
	struct mmview_range *ranges = NULL;
	int err;

	/* @from is sealed: its guards stand still. */
	if (from->nr_guards) {
		ranges = kvmalloc_array(from->nr_guards, sizeof(*ranges),
					MMVIEW_GFP);
		if (!ranges)
			return -ENOMEM;
		memcpy(ranges, from->guards, from->nr_guards * sizeof(*ranges));
	}
	err = mmview_copy_overrides(view, from);
	if (err) {
		kvfree(ranges);
		return err;
	}
	set_guards(view, ranges, from->nr_guards);
	view->nr_inherited = from->nr_guards;
	return 0;
}

static struct mmview *new_view(struct mm_struct *mm, bool newest)
{
	struct mmview *view, *from;
	int err = 0;

	if (pgtable_l5_enabled())
		return ERR_PTR(-EOPNOTSUPP);
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	/* Under KPTI an LDT is mapped in the base's pgd alone. */
	if (boot_cpu_has(X86_FEATURE_PTI) && READ_ONCE(mm->context.ldt))
		return ERR_PTR(-EOPNOTSUPP);
#endif
	view = mmview_create(mm);
	if (!view)
		return ERR_PTR(-ENOMEM);
	mmview_publish(view);
	mutex_lock(&view->mmviews->mutex);
	mmviews_activate(view->mmviews);
	/* No fold in between: @from would be the base, and hold nothing. */
	from = newest ? mmview_find(mm) : NULL;
	if (from) {
		err = inherit(view, from);
		mmview_put(from);
	}
	mutex_unlock(&view->mmviews->mutex);
	if (!err)
		return view;
	mmview_put(view);
	return ERR_PTR(err);
}

/*
 * A new view of a process.
 *
 * @pidfd: the process. The caller needs PTRACE_MODE_ATTACH_REALCREDS.
 * @flags: 0; or MMVIEW_CLONE_ATTACH for a descriptor of the newest view that
 *	threads are in or on their way to; or MMVIEW_CLONE_NEWEST for a new view
 *	that begins as a copy of that one, if there is one.
 *
 * Nothing of the process is copied and nothing in it changes. Returns a
 * descriptor, close-on-exec, or
 *	-EBADF		@pidfd is not a descriptor of a process
 *	-EINVAL		unknown bits in @flags, or both
 *	-EMFILE, -ENFILE	no descriptor is left
 *	-ENOENT		MMVIEW_CLONE_ATTACH: there is no such view
 *	-ENOMEM
 *	-EOPNOTSUPP	five-level page tables; KPTI and the process has an LDT
 *	-EPERM		the caller may not attach to the process
 *	-ESRCH		the process is gone, or is a kernel thread
 */
SYSCALL_DEFINE2(mmview_clone, int, pidfd, unsigned int, flags)
{
	unsigned int pidfd_flags;
	struct mem_cgroup *memcg, *before;
	struct mm_struct *mm;
	struct mmview *view;
	struct pid *pid;
	int ret;

	if (flags & ~(MMVIEW_CLONE_ATTACH | MMVIEW_CLONE_NEWEST) ||
	    flags == (MMVIEW_CLONE_ATTACH | MMVIEW_CLONE_NEWEST))
		return -EINVAL;
	pid = pidfd_get_pid(pidfd, &pidfd_flags);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	mm = get_target(pid);
	ret = PTR_ERR_OR_ZERO(mm);
	if (ret)
		goto put_pid;
	memcg = charge_to(mm, &before);
	view = flags & MMVIEW_CLONE_ATTACH ?
		mmview_find(mm) ?: ERR_PTR(-ENOENT) :
		new_view(mm, flags & MMVIEW_CLONE_NEWEST);
	charge_end(memcg, before);
	ret = IS_ERR(view) ? PTR_ERR(view) : open_view(view, pid);
	mmput(mm);
put_pid:
	put_pid(pid);
	return ret;
}

/* ------------------------------------------------------------------------
 * mmview_migrate
 */

/* The first migration seals the view. Any may loosen the check, for all. */
static int seal_for_migration(struct mmview *view, unsigned int flags)
{
	int err = mutex_lock_killable(&view->mmviews->mutex);

	if (err)
		return err;
	if (view->folded)
		err = -EBUSY;
	else if (flags & MMVIEW_MIGRATE_ENTRY)
		WRITE_ONCE(view->entry, true);
	if (!err) {
		if (flags & MMVIEW_MIGRATE_ALL)
			WRITE_ONCE(view->cooperative,
				   flags & MMVIEW_MIGRATE_COOPERATIVE);
		seal(view);
		WRITE_ONCE(view->asked, true);
	}
	mutex_unlock(&view->mmviews->mutex);
	return err;
}

static int migrate(struct mmview_file *vf, pid_t tid, unsigned int flags)
{
	struct mmview *view = vf->view;
	struct task_struct *task;
	int ret;

	if (!tid && current->mm != view->root.mm)
		return -ESRCH;
	task = tid ? find_get_task_by_vpid(tid) : get_task_struct(current);
	if (!task)
		return -ESRCH;
	ret = mmview_counts(task, view->root.mm) ? 0 : -ESRCH;
	/* With ALL, @tid names the process: its main thread may have ended. */
	if (ret && (flags & MMVIEW_MIGRATE_ALL) && task_tgid(task) == vf->pid)
		ret = 0;
	if (!ret)
		ret = seal_for_migration(view, flags);
	if (ret)
		goto put;
	if (flags & MMVIEW_MIGRATE_ALL) {
		ret = mmview_migrate_all(view);
	} else if (task == current) {
		mmview_switch_self(view);
		mmview_note_migrated(current);
		ret = 1;
	} else {
		ret = mmview_migrate_one(view, task);
	}
put:
	put_task_struct(task);
	return ret;
}

/*
 * Move a thread into a view.
 *
 * @fd: the view. The caller needs PTRACE_MODE_ATTACH_REALCREDS for its process.
 * @tid: the thread; 0 for the caller, which migrates at once and unchecked.
 * @flags: MMVIEW_MIGRATE_ALL for all threads of @tid's process, newborn ones
 *	too; MMVIEW_MIGRATE_ENTRY to leave the stack out of the check, from now
 *	on for all threads that are on their way to the view;
 *	MMVIEW_MIGRATE_COOPERATIVE, with ALL, to let each move itself.
 *
 * Seals the view. Returns 1 if the thread (with ALL, every thread) runs in the
 * view, 0 if it will when it is safe; the kernel sees to that by itself. Or
 *	-EBADF		@fd is not open
 *	-EBUSY		the view has been folded; with ALL, all were asked to migrate
 *			to a newer one
 *	-EINVAL		unknown bits in @flags; ALL with tid 0; COOPERATIVE without
 *			ALL; @fd is not a view
 *	-EPERM		the caller may not attach to the process
 *	-ESRCH		no such thread, or not one of the view's process; the
 *			process is gone
 */
SYSCALL_DEFINE3(mmview_migrate, int, fd, pid_t, tid, unsigned int, flags)
{
	struct mmview_file *vf;
	struct mm_struct *mm;
	struct fd f;
	int ret;

	if (flags & ~(MMVIEW_MIGRATE_ALL | MMVIEW_MIGRATE_ENTRY |
		      MMVIEW_MIGRATE_COOPERATIVE) || tid < 0)
		return -EINVAL;
	if (flags & MMVIEW_MIGRATE_ALL ? !tid :
					 flags & MMVIEW_MIGRATE_COOPERATIVE)
		return -EINVAL;
	f = fdget(fd);
	if (!fd_file(f))
		return -EBADF;
	ret = -EINVAL;
	if (fd_file(f)->f_op != &mmview_fops)
		goto put;
	vf = fd_file(f)->private_data;
	/* The caller is there already: nothing to do, and nobody to ask. */
	ret = 1;
	if (!tid && !flags && READ_ONCE(current->mmview.view) == &vf->view->root)
		goto put;
	mm = begin(vf);
	ret = PTR_ERR_OR_ZERO(mm);
	if (ret)
		goto put;
	ret = migrate(vf, tid, flags);
	mmput(mm);
put:
	fdput(f);
	return ret;
}
