/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SHMCHAN_COMPAT_H
#define _SHMCHAN_COMPAT_H

/* All that differs between the kernels we build on: 6.1, 6.12 and 7.2. */

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#if __has_include("linux/folio_batch.h")
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

/* Debian's kernels zero what is on the stack; not what is written at once. */
#if __has_attribute(__uninitialized__)
#define shmchan_uninitialized	__attribute__((__uninitialized__))
#else
#define shmchan_uninitialized
#endif

/* VMA flags are written through helpers, under a lock, since 6.3. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void shmchan_vm_flags_mod(struct vm_area_struct *vma,
					vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags |= set;
	vma->vm_flags &= ~clear;
}

/* The first argument of ->setattr and its like. */
#define shmchan_idmap	user_namespace
#else
static inline void shmchan_vm_flags_mod(struct vm_area_struct *vma,
					vm_flags_t set, vm_flags_t clear)
{
	vm_flags_mod(vma, set, clear);
}

#define shmchan_idmap	mnt_idmap
#endif

/*
 * mremap() looks once whether there is a page table to be moved, and later, under
 * the lock, believes it.  What unmap_mapping_range() takes meanwhile it installs as
 * one all the same, and the page at physical address 0 is used as that.  Mended in
 * 6.12, and in stable series that are not told apart here.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define SHMCHAN_MREMAP_RACES
#endif

/* Compaction skips such a mapping early; older kernels fail later. */
static inline void shmchan_mapping_set_inaccessible(struct address_space *m)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	mapping_set_inaccessible(m);
#endif
}

/* Flags are a word of their own type since 6.18. */
static inline unsigned long shmchan_page_flags(const struct page *page)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
	return READ_ONCE(page->flags);
#else
	return READ_ONCE(page->flags.f);
#endif
}

/* Can a page be moved, not from a list of the LRU, but by who has it: a balloon? */
#ifdef FOLIO_MAPPING_ANON
#define shmchan_page_has_mover	page_has_movable_ops
#else
#define shmchan_page_has_mover	__PageMovable
#define FOLIO_MAPPING_ANON	PAGE_MAPPING_ANON
#endif

/* The largest order of the buddy allocator; it was exclusive before 6.4. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define SHMCHAN_MAX_ORDER	(MAX_ORDER - 1)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define SHMCHAN_MAX_ORDER	MAX_ORDER
#else
#define SHMCHAN_MAX_ORDER	MAX_PAGE_ORDER
#endif

/*
 * It was the migrate type that blocks had afterwards; as a flag that one would mean
 * CMA.  Since then blocks keep the type that they had.
 */
#ifdef ACR_FLAGS_NONE
#define SHMCHAN_CONTIG_FLAGS	ACR_FLAGS_NONE
#else
#define SHMCHAN_CONTIG_FLAGS	MIGRATE_MOVABLE
#endif

#ifndef PAGEBLOCK_MIGRATETYPE_MASK	/* its name before 7.2 */
#define PAGEBLOCK_MIGRATETYPE_MASK	MIGRATETYPE_MASK
#endif

/* The type of a block, which get_pfnblock_migratetype() tells, but no module. */
static inline unsigned int shmchan_block_type(unsigned long pfn)
{
#if defined(ACR_FLAGS_NONE) && defined(CONFIG_SPARSEMEM)
	unsigned long at = (pfn & ~PAGE_SECTION_MASK) >> pageblock_order;
	const unsigned long *bitmap;

	at *= NR_PAGEBLOCK_BITS;
	bitmap = section_to_usemap(__pfn_to_section(pfn));
	return READ_ONCE(bitmap[BIT_WORD(at)]) >> (at % BITS_PER_LONG) &
	       PAGEBLOCK_MIGRATETYPE_MASK;
#else
	return MIGRATE_MOVABLE;
#endif
}

/* Of a type that can be asked for, not of a reserve. */
static inline bool shmchan_block_usual(unsigned long pfn)
{
	return shmchan_block_type(pfn) < MIGRATE_PCPTYPES;
}

/* What asks for blocks of the type of that one; @gfp did when they were claimed. */
static inline gfp_t shmchan_block_gfp(unsigned long pfn, gfp_t gfp)
{
#ifdef ACR_FLAGS_NONE
	gfp &= ~(__GFP_MOVABLE | __GFP_RECLAIMABLE);
	switch (shmchan_block_type(pfn)) {
	case MIGRATE_MOVABLE:
		return gfp | __GFP_MOVABLE;
	case MIGRATE_RECLAIMABLE:
		return gfp | __GFP_RECLAIMABLE;
	}
#endif
	return gfp;
}

/* Single pages; without CONFIG_CONTIG_ALLOC no place can be had. */
static inline int shmchan_alloc_contig(unsigned long pfn, unsigned long end)
{
#ifdef CONFIG_CONTIG_ALLOC
	return alloc_contig_range(pfn, end, SHMCHAN_CONTIG_FLAGS,
				  GFP_KERNEL | __GFP_NOWARN);
#else
	return -EBUSY;
#endif
}

/* The lowest zone there is: DMA32 on machines of 4 GiB has a policy itself. */
#ifdef CONFIG_ZONE_DMA
#define SHMCHAN_GFP_LOWEST	__GFP_DMA
#else
#define SHMCHAN_GFP_LOWEST	__GFP_DMA32
#endif

/* Is a page in a zone whose memory may be kept?  And how to ask for that one. */
static inline bool shmchan_zone_fits(const struct page *page)
{
#ifdef CONFIG_ZONE_DMA32
	if (page_zonenum(page) == ZONE_DMA32)
		return true;
#endif
	return page_zonenum(page) == ZONE_NORMAL;
}

static inline gfp_t shmchan_zone_gfp(const struct page *page)
{
#ifdef CONFIG_ZONE_DMA32
	if (page_zonenum(page) == ZONE_DMA32)
		return __GFP_DMA32;
#endif
	return 0;
}

/* The queue of works that any CPU may do; the old name still works, and warns. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define shmchan_any_cpu_wq	system_unbound_wq
#else
#define shmchan_any_cpu_wq	system_dfl_wq
#endif

/* A name space of symbols is a string since 6.13. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define SHMCHAN_IMPORT_DMA_BUF	MODULE_IMPORT_NS(DMA_BUF)
#else
#define SHMCHAN_IMPORT_DMA_BUF	MODULE_IMPORT_NS("DMA_BUF")
#endif

/* It adds 1 and nothing else since 6.8. */
static inline void shmchan_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* Let another task run, if one is to.  Kernels that preempt lazily do nothing then. */
static inline void shmchan_give_way(void)
{
#ifdef TIF_NEED_RESCHED_LAZY
	if (test_thread_flag(TIF_NEED_RESCHED_LAZY)) {
		schedule();
		return;
	}
#endif
	cond_resched();
}

static inline void
shmchan_hrtimer_setup(struct hrtimer *timer,
		      enum hrtimer_restart (*fn)(struct hrtimer *timer),
		      clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#else
	hrtimer_setup(timer, fn, clock, mode);
#endif
}

/*
 * Requests of io_uring that a file does itself.  io_uring cancels those that
 * wait since 6.7, and does what is to be done in the task under its lock on
 * all kernels that we let wait.
 */
#ifdef CONFIG_IO_URING
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring.h>
#else
#include <linux/io_uring/cmd.h>
#endif

#ifndef IORING_URING_CMD_MASK
#define IORING_URING_CMD_MASK	IORING_URING_CMD_FIXED
#endif

static inline const void *shmchan_uring_arg(const struct io_uring_cmd *cmd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return cmd->cmd;
#else
	return cmd->sqe->cmd;
#endif
}

static inline void shmchan_uring_done(struct io_uring_cmd *cmd, int ret,
				      unsigned int issue_flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
	io_uring_cmd_done(cmd, ret, 0, issue_flags);
#else
	io_uring_cmd_done(cmd, ret, issue_flags);
#endif
}

/*
 * What a request that has been done returns.  After EAGAIN io_uring would issue it
 * once more, by a thread, when what it points to may be something else.
 */
static inline int shmchan_uring_return(struct io_uring_cmd *cmd, int ret,
				       unsigned int issue_flags)
{
	bool complete = ret == -EAGAIN;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	/* All but 0 would be an error to what is linked behind it. */
	complete |= ret > 0;
#endif
	if (!complete)
		return ret;
	shmchan_uring_done(cmd, ret, issue_flags);
	return -EIOCBQUEUED;
}

/*
 * Who rings does not pay for who sleeps on the eventfd of a ring, or polls it:
 * they may be very many.  Kernels that cannot leave that to a later time get no
 * WAIT.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && \
	defined(SHMCHAN_HAVE_TWQ_IN_WAKE)
#define SHMCHAN_URING_WAIT
#define SHMCHAN_TWQ_FLAGS	(IOU_F_TWQ_LAZY_WAKE | IOU_F_TWQ_IN_WAKE)

/* Are requests of this ring completed by their submitter and nobody else? */
static inline bool shmchan_uring_deferred(struct io_uring_cmd *cmd)
{
	return cmd_to_io_kiocb(cmd)->ctx->flags & IORING_SETUP_DEFER_TASKRUN;
}
#endif

/*
 * Defines @name, to be done in the task, by fn(cmd, issue_flags, dying).  Early
 * 6.12 does not tell that the ring is dying.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define SHMCHAN_URING_WORK(name, fn)					\
static void name(struct io_uring_cmd *cmd, unsigned int flags)		\
{									\
	fn(cmd, flags,							\
	   percpu_ref_is_dying(&cmd_to_io_kiocb(cmd)->ctx->refs));	\
}
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define SHMCHAN_URING_WORK(name, fn)					\
static void name(struct io_uring_cmd *cmd, unsigned int flags)		\
{									\
	fn(cmd, flags, flags & IO_URING_F_TASK_DEAD);			\
}
#else
#define SHMCHAN_URING_WORK(name, fn)					\
static void name(struct io_tw_req tw_req, io_tw_token_t tw)		\
{									\
	fn(io_uring_cmd_from_tw(tw_req),				\
	   IO_URING_CMD_TASK_WORK_ISSUE_FLAGS, tw.cancel);		\
}
#endif
#endif /* CONFIG_IO_URING */

/* do_timens_ktime_to_host() is not exported before 7.2. */
static inline ktime_t shmchan_timens_to_host(ktime_t t)
{
#ifdef CONFIG_TIME_NS
	const struct time_namespace *ns = current->nsproxy->time_ns;

	ktime_t offset = timespec64_to_ktime(ns->offsets.monotonic);

	/* t is not negative; nor may the sum overflow. */
	if (offset < 0 && t > KTIME_MAX + offset)
		return KTIME_MAX;
	t = ktime_sub(t, offset);
	if (t < 0)
		t = 0;
#endif
	return t;
}

#endif /* _SHMCHAN_COMPAT_H */
