// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmchan: shared memory between processes that need not trust each other.
 *
 * This file: the module, its device, and how ioctls get in and out.
 */

#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "shmchan.h"

/* The areas' granules are the ABI's; other base pages need other ones. */
static_assert(PAGE_SIZE == SHMCHAN_PAGE);

static_assert(sizeof(struct shmchan_status) == 128);
static_assert(sizeof(struct shmchan_doorbell_status) == 128);
static_assert(sizeof(struct shmchan_query_device) == 80);
static_assert(sizeof(struct shmchan_window) == 24);
static_assert(sizeof(struct shmchan_doorbell) == 8);
static_assert(sizeof(struct shmchan_slot) == 8);
static_assert(sizeof(struct shmchan_create) == 120);
static_assert(sizeof(struct shmchan_open) == 48);
static_assert(sizeof(struct shmchan_list_entry) == 104);
static_assert(sizeof(struct shmchan_list) == 32);
static_assert(sizeof(struct shmchan_query) == 184);
static_assert(sizeof(struct shmchan_join) == 16);
static_assert(sizeof(struct shmchan_leave) == 8);
static_assert(sizeof(struct shmchan_identity) == 24);
static_assert(sizeof(struct shmchan_member_info) == 64);
static_assert(sizeof(struct shmchan_wait_elem) == 40);
static_assert(sizeof(struct shmchan_wait) == 40);
static_assert(sizeof(struct shmchan_ring) == 32);
static_assert(sizeof(struct shmchan_ring_wait) == 56);
static_assert(sizeof(struct shmchan_arm) == 24);
static_assert(sizeof(struct shmchan_subscribe) == 16);
static_assert(sizeof(struct shmchan_event) == 16);

/* Every structure an ioctl can bring. */
union shmchan_arg {
	struct shmchan_query_device query_device;
	struct shmchan_create create;
	struct shmchan_open open;
	struct shmchan_list list;
	struct shmchan_query query;
	struct shmchan_join join;
	struct shmchan_leave leave;
	struct shmchan_member_info member_info;
	struct shmchan_wait wait;
	struct shmchan_ring ring;
	struct shmchan_ring_wait ring_wait;
	struct shmchan_arm arm;
	struct shmchan_subscribe subscribe;
};

/**
 * struct shmchan_ioctl - one ioctl
 * @cmd: its number
 * @size: of its structure
 * @fn: does it; gives its answer with shmchan_respond()
 */
struct shmchan_ioctl {
	unsigned int cmd;
	unsigned int size;
	int (*fn)(struct shmchan_call *call);
};

#define SHMCHAN_IOCTL(_cmd, _struct, _fn) \
	{ .cmd = (_cmd), .size = sizeof(struct _struct), .fn = (_fn) }

/**
 * shmchan_respond - write the answer of a call back
 * @call: the call
 * @size: of our structure
 *
 * Return: 0 or -EFAULT.
 */
int shmchan_respond(const struct shmchan_call *call, size_t size)
{
	if (copy_to_user(call->uarg, call->arg, min_t(size_t, size, call->usize)))
		return -EFAULT;
	return 0;
}

static int shmchan_query_device_ioctl(struct shmchan_call *call)
{
	struct shmchan_query_device *q = call->arg;

	if (q->flags)
		return -EINVAL;
	q->abi_major = SHMCHAN_ABI_MAJOR;
	q->abi_minor = SHMCHAN_ABI_MINOR;
	q->features = SHMCHAN_FEATURE_SMALL;
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		q->features |= SHMCHAN_FEATURE_HUGE;
	q->max_slots = SHMCHAN_MAX_SLOTS;
	q->max_doorbells = SHMCHAN_MAX_DOORBELLS;
	q->max_windows = SHMCHAN_MAX_WINDOWS;
	q->max_elems = SHMCHAN_MAX_ELEMS;
	q->max_subs = SHMCHAN_MAX_SUBS;
	q->max_waiters = SHMCHAN_MAX_WAITERS;
	shmchan_quota_query(q);
	return shmchan_respond(call, sizeof(*q));
}

static const struct shmchan_ioctl shmchan_device_ioctls[] = {
	SHMCHAN_IOCTL(SHMCHAN_IOC_QUERY_DEVICE, shmchan_query_device,
		      shmchan_query_device_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_CREATE, shmchan_create, shmchan_create_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_OPEN, shmchan_open, shmchan_open_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_LIST, shmchan_list, shmchan_list_ioctl),
};

/* The ones that are called most come first. */
static const struct shmchan_ioctl shmchan_member_ioctls[] = {
	SHMCHAN_IOCTL(SHMCHAN_IOC_WAIT, shmchan_wait, shmchan_wait_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_RING, shmchan_ring, shmchan_ring_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_RING_WAIT, shmchan_ring_wait,
		      shmchan_ring_wait_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_ARM, shmchan_arm, shmchan_arm_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_SUBSCRIBE, shmchan_subscribe,
		      shmchan_subscribe_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_QUERY, shmchan_query, shmchan_query_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_JOIN, shmchan_join, shmchan_join_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_LEAVE, shmchan_leave, shmchan_leave_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_MEMBER_INFO, shmchan_member_info,
		      shmchan_member_info_ioctl),
};

static long shmchan_do_ioctl(struct file *file, unsigned int cmd,
			     void __user *uarg,
			     const struct shmchan_ioctl *table, unsigned int nr)
{
	struct shmchan_call call = { .file = file, .uarg = uarg };
	union shmchan_arg arg;
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		if (table[i].cmd == cmd)
			break;
	if (i == nr)
		return -ENOTTY;

	if (get_user(call.usize, (u32 __user *)uarg))
		return -EFAULT;
	if (call.usize < table[i].size)
		return -EINVAL;
	/* More than a page of zeros is nobody's structure of a later version. */
	if (call.usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, table[i].size, uarg, call.usize);
	if (ret)
		return ret;
	/* It may have been changed since we read it first. */
	*(u32 *)&arg = call.usize;
	call.arg = &arg;
	return table[i].fn(&call);
}

static long shmchan_device_ioctl(struct file *file, unsigned int cmd,
				 unsigned long uarg)
{
	return shmchan_do_ioctl(file, cmd, (void __user *)uarg,
				shmchan_device_ioctls,
				ARRAY_SIZE(shmchan_device_ioctls));
}

static long shmchan_member_ioctl(struct file *file, unsigned int cmd,
				 unsigned long uarg)
{
	return shmchan_do_ioctl(file, cmd, (void __user *)uarg,
				shmchan_member_ioctls,
				ARRAY_SIZE(shmchan_member_ioctls));
}

static int shmchan_member_release_file(struct inode *inode, struct file *file)
{
	shmchan_member_release(file->private_data);
	return 0;
}

static void shmchan_member_fdinfo(struct seq_file *seq, struct file *file)
{
	static const char *const states[] = {
		[SHMCHAN_UNBOUND] = "unbound",
		[SHMCHAN_JOINING] = "joining",
		[SHMCHAN_BOUND] = "bound",
		[SHMCHAN_ENDED] = "ended",
	};
	const struct shmchan_member *member = file->private_data;
	/* pairs with the release in shmchan_member_join() */
	u32 state = smp_load_acquire(&member->state);

	seq_printf(seq, "shmchan-name:\t%s\n", member->region->label);
	seq_printf(seq, "shmchan-state:\t%s\n", states[state]);
	seq_printf(seq, "shmchan-rights:\t%#x\n", member->rights);
	seq_printf(seq, "shmchan-data:\t%llu\n", member->region->data_size);
	if (state >= SHMCHAN_BOUND) {
		seq_printf(seq, "shmchan-slot:\t%u\n", member->slot);
		seq_printf(seq, "shmchan-generation:\t%u\n",
			   member->generation);
	}
}

const struct file_operations shmchan_member_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= shmchan_member_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= shmchan_member_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.poll		= shmchan_member_poll,
	.read_iter	= shmchan_member_read,
	.release	= shmchan_member_release_file,
	.show_fdinfo	= shmchan_member_fdinfo,
};

static const struct file_operations shmchan_device_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= shmchan_device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice shmchan_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "shmchan",
	.fops	= &shmchan_device_fops,
	.mode	= 0666,
};

static int __init shmchan_init(void)
{
	return misc_register(&shmchan_device);
}

static void __exit shmchan_exit(void)
{
	misc_deregister(&shmchan_device);
	shmchan_members_exit();
	shmchan_memory_exit();
}

module_init(shmchan_init);
module_exit(shmchan_exit);

MODULE_DESCRIPTION("Shared memory channels: regions, doorbells, access control");
MODULE_AUTHOR("The shmchan developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
