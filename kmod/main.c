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

#include "compat.h"
#include "shmchan.h"

/* The areas' granules are the ABI's; other base pages need other ones. */
static_assert(PAGE_SIZE == SHMCHAN_PAGE);

static_assert(sizeof(struct shmchan_status) == 128);
static_assert(sizeof(struct shmchan_doorbell_status) == 128);
static_assert(sizeof(struct shmchan_query_device) == 112);
static_assert(sizeof(struct shmchan_window) == 24);
static_assert(sizeof(struct shmchan_doorbell) == 8);
static_assert(sizeof(struct shmchan_slot) == 8);
static_assert(sizeof(struct shmchan_create) == 120);
static_assert(sizeof(struct shmchan_open) == 48);
static_assert(sizeof(struct shmchan_list_entry) == 104);
static_assert(sizeof(struct shmchan_list) == 32);
static_assert(sizeof(struct shmchan_user_entry) == 16);
static_assert(sizeof(struct shmchan_list_users) == 32);
static_assert(sizeof(struct shmchan_range) == 16);
static_assert(sizeof(struct shmchan_query) == 248);
static_assert(sizeof(struct shmchan_extent) == 32);
static_assert(sizeof(struct shmchan_extents) == 32);
static_assert(sizeof(struct shmchan_join) == 16);
static_assert(sizeof(struct shmchan_mint) == 56);
static_assert(sizeof(struct shmchan_publish) == 32);
static_assert(sizeof(struct shmchan_withdraw) == 24);
static_assert(sizeof(struct shmchan_setattr) == 24);
static_assert(sizeof(struct shmchan_seal) == 16);
static_assert(sizeof(struct shmchan_revoke) == 32);
static_assert(sizeof(struct shmchan_leave) == 8);
static_assert(sizeof(struct shmchan_identity) == 24);
static_assert(sizeof(struct shmchan_member_info) == 64);
static_assert(sizeof(struct shmchan_wait_elem) == 40);
static_assert(sizeof(struct shmchan_wait) == 40);
static_assert(sizeof(struct shmchan_ring) == 32);
static_assert(sizeof(struct shmchan_ring_wait) == 56);
static_assert(sizeof(struct shmchan_arm) == 24);
static_assert(sizeof(struct shmchan_subscribe) == 16);
static_assert(sizeof(struct shmchan_export_dmabuf) == 32);
static_assert(sizeof(struct shmchan_event) == 32);
static_assert(sizeof(struct shmchan_bind_eventfd) == 16);
static_assert(sizeof(struct shmchan_uring_ring) == 16);
static_assert(sizeof(struct shmchan_uring_wait) == 16);

/* Every structure an ioctl can bring. */
union shmchan_arg {
	struct shmchan_query_device query_device;
	struct shmchan_create create;
	struct shmchan_open open;
	struct shmchan_list list;
	struct shmchan_list_users list_users;
	struct shmchan_query query;
	struct shmchan_extents extents;
	struct shmchan_join join;
	struct shmchan_mint mint;
	struct shmchan_publish publish;
	struct shmchan_withdraw withdraw;
	struct shmchan_setattr setattr;
	struct shmchan_seal seal;
	struct shmchan_revoke revoke;
	struct shmchan_leave leave;
	struct shmchan_member_info member_info;
	struct shmchan_wait wait;
	struct shmchan_ring ring;
	struct shmchan_ring_wait ring_wait;
	struct shmchan_arm arm;
	struct shmchan_subscribe subscribe;
	struct shmchan_export_dmabuf export_dmabuf;
	struct shmchan_bind_eventfd bind_eventfd;
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
 *
 * Return: 0 or -EFAULT.
 */
int shmchan_respond(const struct shmchan_call *call)
{
	if (copy_to_user(call->uarg, call->arg, min(call->size, call->usize)))
		return -EFAULT;
	return 0;
}

static __always_inline int call_read(struct shmchan_call *call, void *arg)
{
	int ret;

	if (get_user(call->usize, (u32 __user *)call->uarg))
		return -EFAULT;
	call->name[0] = 0;
	if (call->usize < call->size)
		return -EINVAL;
	/* More than a page of zeros is nobody's structure of a later version. */
	if (call->usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(arg, call->size, call->uarg, call->usize);
	if (ret)
		return ret;
	/* It may have been changed since we read it first. */
	*(u32 *)arg = call->usize;
	call->arg = arg;
	return 0;
}

/**
 * shmchan_call_read - get the caller's structure
 * @call: the call, with uarg and size set
 * @arg: room for it
 *
 * Return: 0, -EFAULT, -EINVAL or -E2BIG.
 */
int shmchan_call_read(struct shmchan_call *call, void *arg)
{
	return call_read(call, arg);
}

static int shmchan_query_device_ioctl(struct shmchan_call *call)
{
	struct shmchan_query_device *q = call->arg;

	if (q->flags)
		return -EINVAL;
	q->abi_major = SHMCHAN_ABI_MAJOR;
	q->abi_minor = SHMCHAN_ABI_MINOR;
	q->features = SHMCHAN_FEATURE_SMALL | SHMCHAN_FEATURE_NUMA |
		      SHMCHAN_FEATURE_ACCESS | SHMCHAN_FEATURE_MEMBERS;
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		q->features |= SHMCHAN_FEATURE_HUGE | SHMCHAN_FEATURE_CONTIG;
	if (IS_ENABLED(CONFIG_DMA_SHARED_BUFFER))
		q->features |= SHMCHAN_FEATURE_DMABUF;
	if (IS_ENABLED(CONFIG_EVENTFD))
		q->features |= SHMCHAN_FEATURE_EVENTFD;
	if (IS_ENABLED(CONFIG_IO_URING))
		q->features |= SHMCHAN_FEATURE_URING_RING;
#ifdef SHMCHAN_URING_WAIT
	q->features |= SHMCHAN_FEATURE_URING_WAIT;
#endif
	q->max_slots = SHMCHAN_MAX_SLOTS;
	q->max_doorbells = SHMCHAN_MAX_DOORBELLS;
	q->max_windows = SHMCHAN_MAX_WINDOWS;
	q->max_elems = SHMCHAN_MAX_ELEMS;
	q->max_subs = SHMCHAN_MAX_SUBS;
	q->max_waiters = SHMCHAN_MAX_WAITERS;
	q->max_nodes = SHMCHAN_MAX_NODES;
	q->max_names = SHMCHAN_MAX_NAMES;
	q->contig_limit = shmchan_contig_limit();
	shmchan_pool_query(q);
	shmchan_quota_query(q);
	return shmchan_respond(call);
}

static int shmchan_wait_ioctl(struct shmchan_call *call)
{
	int ret = shmchan_wait_call(call->file, call->arg);

	return ret ? ret : shmchan_respond(call);
}

static int shmchan_ring_ioctl(struct shmchan_call *call)
{
	int ret = shmchan_ring_call(call->file, call->arg);

	return ret ? ret : shmchan_respond(call);
}

static int shmchan_ring_wait_ioctl(struct shmchan_call *call)
{
	int ret = shmchan_ring_wait_call(call->file, call->arg);

	return ret ? ret : shmchan_respond(call);
}

static const struct shmchan_ioctl shmchan_device_ioctls[] = {
	SHMCHAN_IOCTL(SHMCHAN_IOC_QUERY_DEVICE, shmchan_query_device,
		      shmchan_query_device_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_CREATE, shmchan_create, shmchan_create_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_OPEN, shmchan_open, shmchan_open_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_LIST, shmchan_list, shmchan_list_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_LIST_USERS, shmchan_list_users,
		      shmchan_list_users_ioctl),
};

static const struct shmchan_ioctl shmchan_member_ioctls[] = {
	SHMCHAN_IOCTL(SHMCHAN_IOC_WAIT, shmchan_wait, shmchan_wait_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_RING, shmchan_ring, shmchan_ring_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_RING_WAIT, shmchan_ring_wait,
		      shmchan_ring_wait_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_ARM, shmchan_arm, shmchan_arm_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_SUBSCRIBE, shmchan_subscribe,
		      shmchan_subscribe_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_QUERY, shmchan_query, shmchan_query_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_EXTENTS, shmchan_extents,
		      shmchan_extents_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_JOIN, shmchan_join, shmchan_join_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_MINT, shmchan_mint, shmchan_mint_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_PUBLISH, shmchan_publish,
		      shmchan_publish_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_WITHDRAW, shmchan_withdraw,
		      shmchan_withdraw_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_SETATTR, shmchan_setattr,
		      shmchan_setattr_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_SEAL, shmchan_seal, shmchan_seal_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_REVOKE, shmchan_revoke, shmchan_revoke_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_LEAVE, shmchan_leave, shmchan_leave_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_MEMBER_INFO, shmchan_member_info,
		      shmchan_member_info_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_EXPORT_DMABUF, shmchan_export_dmabuf,
		      shmchan_export_dmabuf_ioctl),
	SHMCHAN_IOCTL(SHMCHAN_IOC_BIND_EVENTFD, shmchan_bind_eventfd,
		      shmchan_bind_eventfd_ioctl),
};

static long shmchan_do_ioctl(struct file *file, unsigned int cmd,
			     void __user *uarg,
			     const struct shmchan_ioctl *table, unsigned int nr)
{
	union shmchan_arg arg shmchan_uninitialized;
	struct shmchan_call call shmchan_uninitialized;
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		if (table[i].cmd == cmd)
			break;
	if (i == nr)
		return -ENOTTY;

	call.file = file;
	call.uarg = uarg;
	call.size = table[i].size;
	ret = call_read(&call, &arg);
	if (ret)
		return ret;
	ret = table[i].fn(&call);
	shmchan_trace_call(&call, _IOC_NR(cmd), ret);
	return ret;
}

static long shmchan_device_ioctl(struct file *file, unsigned int cmd,
				 unsigned long uarg)
{
	return shmchan_do_ioctl(file, cmd, (void __user *)uarg,
				shmchan_device_ioctls,
				ARRAY_SIZE(shmchan_device_ioctls));
}

/* A structure of the size that it has today. */
static __always_inline bool read_whole(void *arg, const void __user *uarg,
				       u32 size)
{
	return shmchan_copy_words(arg, uarg, size) && *(u32 *)arg == size;
}

/* What has been done, without what costs where nobody audits. */
static __always_inline int told(struct file *file, void *arg, unsigned int cmd,
				int ret)
{
	if (unlikely(ret < 0))
		shmchan_trace_done(file, _IOC_NR(cmd), arg, ret);
	return ret;
}

/*
 * The calls that are made for each message come first, and are read and
 * answered here: to the compiler their sizes are constants, and so nothing has
 * to be checked about them.  Any other size goes the long way.
 */
static long shmchan_member_ioctl(struct file *file, unsigned int cmd,
				 unsigned long uarg)
{
	union {
		struct shmchan_wait wait;
		struct shmchan_ring ring;
		struct shmchan_ring_wait ring_wait;
	} arg shmchan_uninitialized;
	void __user *u = (void __user *)uarg;
	int ret;

	switch (cmd) {
	case SHMCHAN_IOC_RING_WAIT:
		if (!read_whole(&arg, u, sizeof(arg.ring_wait)))
			break;
		ret = shmchan_ring_wait_call(file, &arg.ring_wait);
		if (!ret)
			ret = put_user(arg.ring_wait.wait.index,
				       &((struct shmchan_ring_wait __user *)u)->wait.index);
		return told(file, &arg, cmd, ret);
	case SHMCHAN_IOC_WAIT:
		if (!read_whole(&arg, u, sizeof(arg.wait)))
			break;
		ret = shmchan_wait_call(file, &arg.wait);
		if (!ret)
			ret = put_user(arg.wait.index,
				       &((struct shmchan_wait __user *)u)->index);
		return told(file, &arg, cmd, ret);
	case SHMCHAN_IOC_RING:
		if (!read_whole(&arg, u, sizeof(arg.ring)))
			break;
		ret = shmchan_ring_call(file, &arg.ring);
		if (!ret)
			ret = put_user(arg.ring.woken,
				       &((struct shmchan_ring __user *)u)->woken);
		return told(file, &arg, cmd, ret);
	}
	return shmchan_do_ioctl(file, cmd, u, shmchan_member_ioctls,
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
		[SHMCHAN_REVOKED] = "revoked",
	};
	const struct shmchan_member *member = file->private_data;
	/* pairs with the release in bind() of member.c */
	u32 state = smp_load_acquire(&member->state);

	seq_printf(seq, "shmchan-name:\t%s\n", shmchan_label(member->region));
	seq_printf(seq, "shmchan-state:\t%s\n", states[state]);
	seq_printf(seq, "shmchan-rights:\t%#x\n",
		   READ_ONCE(member->terms.rights));
	seq_printf(seq, "shmchan-data:\t%llu\n", member->region->data_size);
	if (state >= SHMCHAN_BOUND && member->generation) {
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
#ifdef CONFIG_IO_URING
	.uring_cmd	= shmchan_uring_cmd,
#endif
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
	int ret;

	shmchan_zones_init();
	ret = shmchan_pool_init();
	if (ret)
		return ret;
	ret = shmchan_offline_init();
	if (ret)
		goto err_pool;
	ret = shmchan_eventfd_init();
	if (ret)
		goto err_offline;
	ret = misc_register(&shmchan_device);
	if (ret)
		goto err_eventfd;
	return 0;

err_eventfd:
	shmchan_eventfd_exit();
err_offline:
	shmchan_offline_exit();
err_pool:
	shmchan_pool_exit();
	return ret;
}

static void __exit shmchan_exit(void)
{
	misc_deregister(&shmchan_device);
	shmchan_members_exit();
	shmchan_eventfd_exit();
	shmchan_memory_exit();
	shmchan_offline_exit();
	shmchan_pool_exit();
}

module_init(shmchan_init);
module_exit(shmchan_exit);

MODULE_DESCRIPTION("Shared memory channels: regions, doorbells, access control");
MODULE_AUTHOR("The shmchan developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
