// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region memory: a page cache of our own.
 *
 * A region is an inode of a pseudo file system, and its memory is that
 * inode's page cache, filled at creation: 2 MiB folios for data, 4 KiB folios
 * for control and status.  So it is ordinary file memory to the rest of the
 * kernel: mapped by PMD, charged to the memory cgroup, usable by futexes and
 * by everything that pins user pages.
 *
 * It stays where it is because we hold one reference more on every folio for
 * the region's life: migration, splitting and reclaim all fail their test of
 * the count.  The other settings of the mapping only make them fail early.
 *
 * Somebody may still pin pages of a region that is gone.  What is pinned stays
 * charged to its user, until a look every now and then finds it let go.
 *
 * Who may map what is decided twice.  ->mmap decides by rights and windows.
 * ->fault decides whether the member still lives, under the folio lock, and
 * returns with it held; the core installs the entry and unlocks.  So whoever
 * marks a member dead, then locks and unlocks each folio, then unmaps, leaves
 * no mapping behind: a fault came before the lock, and is unmapped, or after
 * it, and saw the mark.
 *
 * A member that was revoked goes on to fault, and gets two pages of its own in
 * place of all others: one of zeros, and for what it could write another one.
 */

#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "shmchan.h"

#define SHMCHAN_FS_MAGIC	0x73686d63	/* "shmc" */

/* How often to look whether what outlived its region has been let go. */
#define SHMCHAN_PINNED_PERIOD	HZ

/* References to a page that stands in, after which nobody gets more. */
#define SHMCHAN_MAX_REFS	(INT_MAX / 2)

static struct vfsmount *shmchan_mnt;
static int shmchan_mnt_count;

static void shmchan_pinned_work(struct work_struct *work);

static DEFINE_MUTEX(pinned_lock);	/* pinned_regions */
static LIST_HEAD(pinned_regions);	/* struct shmchan_region by pinned_node */
static DECLARE_DELAYED_WORK(pinned_work, shmchan_pinned_work);

#ifdef SHMCHAN_TEST_HOOKS
static unsigned int fault_delay_ms;
module_param(fault_delay_ms, uint, 0644);
MODULE_PARM_DESC(fault_delay_ms, "test: sleep in ->fault with the folio locked");
#else
#define fault_delay_ms	0
#endif

/* Nothing about a region's inode can be changed from outside. */
static int shmchan_setattr(struct shmchan_idmap *idmap, struct dentry *dentry,
			   struct iattr *attr)
{
	return -EPERM;
}

/*
 * Nor watched through /proc/PID/fd: a watch would hold the inode, so that the
 * region outlived its files, and the end of the file system would wait for it.
 * Files are made with their rights, so nothing of ours asks here.
 */
static int shmchan_permission(struct shmchan_idmap *idmap, struct inode *inode,
			      int mask)
{
	return -EACCES;
}

static const struct inode_operations shmchan_inode_ops = {
	.permission	= shmchan_permission,
	.setattr	= shmchan_setattr,
};

static int shmchan_migrate_folio(struct address_space *mapping,
				 struct folio *dst, struct folio *src,
				 enum migrate_mode mode)
{
	return -EBUSY;
}

static const struct address_space_operations shmchan_aops = {
	.dirty_folio	= noop_dirty_folio,
	.migrate_folio	= shmchan_migrate_folio,
};

/*
 * Free what only we still refer to of a region that is gone: nobody can get
 * another reference to it any more.  Its folios, out of the page cache, are
 * chained by their private word.  Returns whether something is left.
 */
static bool shmchan_free_folios(struct shmchan_region *region)
{
	struct folio **link = &region->folios;
	struct folio *folio;
	u64 nr = 0;

	shmchan_offline_lock();
	while ((folio = *link)) {
		cond_resched();
		if (folio_ref_count(folio) != 1) {
			link = (struct folio **)&folio->private;
			continue;
		}
		*link = folio->private;
		folio->private = NULL;
		nr += folio_nr_pages(folio);
		shmchan_put_folio(folio);
	}
	shmchan_offline_unlock();
	if (region->folios)
		shmchan_quota_uncharge(region, nr);
	return region->folios;
}

static void shmchan_pinned_work(struct work_struct *work)
{
	struct shmchan_region *region, *next;

	mutex_lock(&pinned_lock);
	list_for_each_entry_safe(region, next, &pinned_regions, pinned_node) {
		if (shmchan_free_folios(region))
			continue;
		list_del(&region->pinned_node);
		shmchan_region_free(region);
	}
	if (!list_empty(&pinned_regions))
		schedule_delayed_work(&pinned_work, SHMCHAN_PINNED_PERIOD);
	mutex_unlock(&pinned_lock);
}

/**
 * shmchan_memory_exit - leave what is still pinned to those who pin it
 */
void shmchan_memory_exit(void)
{
	struct shmchan_region *region, *next;
	struct folio *folio;

	/* No file is left, so nothing is added any more. */
	cancel_delayed_work_sync(&pinned_work);
	list_for_each_entry_safe(region, next, &pinned_regions, pinned_node) {
		/* Memory may be taken offline, and who does that reads the chain. */
		shmchan_offline_lock();
		while ((folio = region->folios)) {
			region->folios = folio->private;
			folio->private = NULL;
			folio_put(folio);
		}
		shmchan_offline_unlock();
		list_del(&region->pinned_node);
		shmchan_region_free(region);
	}
}

static void shmchan_evict_inode(struct inode *inode)
{
	struct shmchan_region *region = inode->i_private;
	unsigned long index;
	struct folio *folio;

	shmchan_offline_lock();
	if (region)
		region->inode = NULL;
	xa_for_each(&inode->i_data.i_pages, index, folio) {
		folio->private = region->folios;
		region->folios = folio;
		cond_resched();
	}
	shmchan_offline_unlock();
	/* Drops the page cache's references; ours are left, and pins. */
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!region)
		return;
	if (!shmchan_free_folios(region)) {
		shmchan_region_free(region);
		return;
	}
	mutex_lock(&pinned_lock);
	list_add_tail(&region->pinned_node, &pinned_regions);
	schedule_delayed_work(&pinned_work, SHMCHAN_PINNED_PERIOD);
	mutex_unlock(&pinned_lock);
}

static const struct super_operations shmchan_super_ops = {
	.statfs		= simple_statfs,
	.evict_inode	= shmchan_evict_inode,
};

/* What /proc/PID/maps shows. */
static char *shmchan_dname(struct dentry *dentry, char *buffer, int buflen)
{
	const struct shmchan_region *region = d_inode(dentry)->i_private;
	char name[sizeof("/dev/shmchan:") + SHMCHAN_NAME_LEN];
	int len;

	len = scnprintf(name, sizeof(name), "/dev/shmchan:%s",
			shmchan_label(region)) + 1;
	if (len > buflen)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buffer + buflen - len, name, len);
}

static const struct dentry_operations shmchan_dentry_ops = {
	.d_dname	= shmchan_dname,
};

static int shmchan_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, SHMCHAN_FS_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &shmchan_super_ops;
	ctx->dops = &shmchan_dentry_ops;
	/* No executable mappings, not even by READ_IMPLIES_EXEC. */
	fc->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	return 0;
}

static struct file_system_type shmchan_fs_type = {
	.name		= "shmchan",
	.owner		= THIS_MODULE,
	.init_fs_context = shmchan_init_fs_context,
	.kill_sb	= kill_anon_super,
};

/**
 * shmchan_memory_pin - keep the file system that regions live in
 *
 * Whoever has a reference to a region's inode, and no file on it, needs a pin
 * that is older than that reference: an inode does not keep its super block.
 *
 * Return: 0, to be undone by shmchan_memory_unpin(), or an error.
 */
int shmchan_memory_pin(void)
{
	return simple_pin_fs(&shmchan_fs_type, &shmchan_mnt,
			     &shmchan_mnt_count);
}

/**
 * shmchan_memory_unpin - undo shmchan_memory_pin()
 */
void shmchan_memory_unpin(void)
{
	simple_release_fs(&shmchan_mnt, &shmchan_mnt_count);
}

/**
 * shmchan_memory_new - make a region that has no memory yet
 *
 * Return: a region, to be given to shmchan_memory_drop() or, once it has a
 * file, to fput(); or an ERR_PTR().
 */
struct shmchan_region *shmchan_memory_new(void)
{
	struct shmchan_region *region;
	struct inode *inode;
	int ret;

	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&region->seat_lock);
	mutex_init(&region->revoke_lock);
	mutex_init(&region->caps_lock);
	spin_lock_init(&region->list_lock);
	INIT_LIST_HEAD(&region->caps);
	INIT_LIST_HEAD(&region->grants);
	INIT_LIST_HEAD(&region->presences);
	INIT_LIST_HEAD(&region->ends);

	ret = shmchan_memory_pin();
	if (ret)
		goto err_free;
	inode = alloc_anon_inode(shmchan_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		ret = PTR_ERR(inode);
		goto err_unpin;
	}
	inode->i_op = &shmchan_inode_ops;
	/* Anonymous memory to core dumps, not a file that is there to be read. */
	clear_nlink(inode);
	inode->i_flags |= S_NOCMTIME;
	inode->i_mapping->a_ops = &shmchan_aops;
	mapping_set_unevictable(inode->i_mapping);
	mapping_set_large_folios(inode->i_mapping);
	shmchan_mapping_set_inaccessible(inode->i_mapping);
	/*
	 * The DMA bit has nothing to do with where folios come from, that is in
	 * SHMCHAN_GFP: it names a zone below all that have a policy, so that
	 * vma_migratable() says no, which keeps NUMA balancing and its hinting
	 * faults away.
	 */
	mapping_set_gfp_mask(inode->i_mapping, GFP_USER | SHMCHAN_GFP_LOWEST);
	inode->i_private = region;
	region->inode = inode;
	shmchan_offline_watch(region);
	return region;

err_unpin:
	shmchan_memory_unpin();
err_free:
	kfree(region);
	return ERR_PTR(ret);
}

/**
 * shmchan_memory_drop - give up a region that never had a file
 * @region: from shmchan_memory_new()
 */
void shmchan_memory_drop(struct shmchan_region *region)
{
	iput(region->inode);
	/* Not in evict_inode: this may end the file system under it. */
	shmchan_memory_unpin();
}

/**
 * shmchan_memory_file - make a file on a region's inode
 * @region: whose inode gets one more reference
 * @fops: of the file; ->release calls shmchan_memory_unpin()
 * @private: its private data
 * @flags: O_RDWR or O_RDONLY
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *shmchan_memory_file(struct shmchan_region *region,
				 const struct file_operations *fops,
				 void *private, int flags)
{
	struct file *file;
	int ret;

	/* Each file holds a pin; it goes in ->release, before the mount's. */
	ret = shmchan_memory_pin();
	if (ret)
		return ERR_PTR(ret);
	ihold(region->inode);
	/* alloc_file_pseudo() does not take the reference that fput() drops. */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(region->inode, shmchan_mnt, "shmchan", flags,
				 fops);
	if (IS_ERR(file)) {
		module_put(THIS_MODULE);
		iput(region->inode);
		shmchan_memory_unpin();
		return file;
	}
	file->private_data = private;
	return file;
}

/**
 * shmchan_memory_folio - the folio of a byte of a region
 * @region: the region
 * @offset: of the byte
 *
 * Return: the folio, or NULL where there is none.  No reference is taken: the
 * region holds one for as long as it lives.
 */
struct folio *shmchan_memory_folio(const struct shmchan_region *region,
				   u64 offset)
{
	return xa_load(&region->inode->i_mapping->i_pages, offset >> PAGE_SHIFT);
}

/**
 * shmchan_memory_at - where the kernel sees a byte of a region
 * @region: the region
 * @offset: of the byte; it must be in an area
 *
 * Return: a pointer that is good up to the end of that 4 KiB page, and as
 * long as the region.
 */
void *shmchan_memory_at(const struct shmchan_region *region, u64 offset)
{
	struct folio *folio = shmchan_memory_folio(region, offset);

	return page_address(folio_file_page(folio, offset >> PAGE_SHIFT)) +
	       offset_in_page(offset);
}

/**
 * shmchan_memory_area - does a range lie in one area of a region?
 * @region: the region
 * @start: region offset
 * @length: in bytes, not 0
 *
 * Return: 0 or -EINVAL.
 */
int shmchan_memory_area(const struct shmchan_region *region, u64 start,
			u64 length)
{
	const struct { u64 start, size; } areas[] = {
		{ 0, region->data_size },
		{ region->control_offset, region->control_size },
		{ region->status_offset, region->status_size },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(areas); i++)
		if (start >= areas[i].start &&
		    start - areas[i].start < areas[i].size &&
		    length <= areas[i].size - (start - areas[i].start))
			return 0;
	return -EINVAL;
}

/**
 * shmchan_memory_cgroup - which memory cgroup was charged?
 * @region: with its memory
 *
 * Return: the inode number of its directory; 0 without memory cgroups.
 */
u64 shmchan_memory_cgroup(const struct shmchan_region *region)
{
	u64 id = 0;
#ifdef CONFIG_MEMCG
	struct mem_cgroup *memcg;

	/* That of one page is good for all. */
	rcu_read_lock();
	memcg = folio_memcg(shmchan_memory_folio(region, region->status_offset));
	if (memcg)
		id = cgroup_id(memcg->css.cgroup);
	rcu_read_unlock();
#endif
	return id;
}

/**
 * shmchan_memory_unmap - take away what those who have ended still map
 * @region: the region
 * @start: region offset of what they may have mapped
 * @end: the end of that
 *
 * Their ends are marked.  Other members' mappings there go too, and come back by
 * faults.
 */
void shmchan_memory_unmap(struct shmchan_region *region, u64 start, u64 end)
{
	struct address_space *mapping = region->inode->i_mapping;
	unsigned long index = start >> PAGE_SHIFT;
	struct folio *folio;

	/* Gaps between areas have no folios, and are stepped over. */
	while (index < end >> PAGE_SHIFT &&
	       (folio = xa_find(&mapping->i_pages, &index,
				(end >> PAGE_SHIFT) - 1, XA_PRESENT))) {
		/* Pairs with the folio lock in shmchan_fault(): see above. */
		folio_lock(folio);
		folio_unlock(folio);
		index = folio_next_index(folio);
		cond_resched();
	}
	unmap_mapping_range(mapping, start, end - start, 1);
}

/* Does nobody but us and the page cache refer to it?  It is locked. */
static bool shmchan_unpinned(struct folio *folio)
{
	return folio_ref_count(folio) == 1 + folio_nr_pages(folio);
}

/*
 * Nobody maps it, but there are references.  If they are no I/O's, they may be those
 * of an address space that is just being unmapped, as an exit does after it has told
 * of its end: these go at its next flush.  Returns whether to look again.
 */
static bool shmchan_wait_unpinned(struct folio *folio, unsigned int *tries)
{
	if (folio_maybe_dma_pinned(folio) || !*tries)
		return false;
	--*tries;
	usleep_range(1000, 2000);
	return true;
}

/**
 * shmchan_memory_fence - is nobody left who could write to a window?
 * @region: the region
 * @start: region offset of the window, folio aligned
 * @length: in bytes, the same
 * @tries: how often the caller waits for references to go, in all that it fences
 *
 * Its last holder has ended, so no address space maps it writable any more;
 * but I/O may still hold pins on it.  Unmap it from all, and look whether any
 * reference to its folios is left beside ours and the page cache's.  What looks
 * like a pin and goes after a moment is none.
 *
 * Return: 0, -EBUSY if there is one, or -EINTR after a fatal signal.
 */
int shmchan_memory_fence(struct shmchan_region *region, u64 start, u64 length,
			 unsigned int *tries)
{
	struct address_space *mapping = region->inode->i_mapping;
	pgoff_t index = start >> PAGE_SHIFT;
	pgoff_t end = (start + length) >> PAGE_SHIFT;
	struct folio *folio;
	bool pinned;
	int ret = 0;

	/* All at once: each call walks every mapping of the range. */
	unmap_mapping_range(mapping, start, length, 1);
	while (index < end && !ret) {
		folio = shmchan_memory_folio(region, (u64)index << PAGE_SHIFT);
		/* Nobody maps it anew while we hold the lock. */
		folio_lock(folio);
		/* A reader may have, since: then once more, this one. */
		if (!shmchan_unpinned(folio))
			unmap_mapping_range(mapping,
					    (loff_t)index << PAGE_SHIFT,
					    folio_size(folio), 1);
		pinned = !shmchan_unpinned(folio);
		folio_unlock(folio);
		if (fatal_signal_pending(current))
			ret = -EINTR;
		else if (!pinned)
			index = folio_next_index(folio);
		else if (!shmchan_wait_unpinned(folio, tries))
			ret = -EBUSY;
		cond_resched();
	}
	return ret;
}

/* One of the pages of a revoked member, or NULL. */
static struct page *stand_in(struct page **where)
{
	struct page *page = READ_ONCE(*where), *old;

	if (page)
		return page;
	page = alloc_page(GFP_USER | __GFP_ACCOUNT | __GFP_ZERO);
	if (!page)
		return NULL;
	old = cmpxchg(where, NULL, page);
	if (!old)
		return page;
	put_page(page);
	return old;
}

/* Has it been revoked to the end? */
static bool is_gone(const struct shmchan_member *member)
{
	/* Pairs with the release in shmchan_member_finish(). */
	return smp_load_acquire(&member->gone);
}

/* No memory of the region any more. */
static vm_fault_t shmchan_fault_ended(struct vm_fault *vmf,
				      struct shmchan_member *member)
{
	struct page *page;

	if (READ_ONCE(member->state) != SHMCHAN_REVOKED ||
	    member->join_flags & SHMCHAN_JOIN_SIGBUS)
		return VM_FAULT_SIGBUS;
	/*
	 * Not while something of the region is still mapped: a member that reads
	 * zeros in one place must not find its slot word LIVE in another.
	 */
	if (wait_var_event_killable(&member->gone, is_gone(member)))
		return VM_FAULT_SIGBUS;
	/* What is read as zeros must never become writable. */
	page = stand_in(vmf->vma->vm_flags & VM_MAYWRITE ? &member->scratch :
							   &member->zeros);
	if (!page)
		return VM_FAULT_OOM;
	if (page_ref_count(page) > SHMCHAN_MAX_REFS)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static vm_fault_t shmchan_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct shmchan_member *member = vma->vm_file->private_data;
	struct folio *folio;

	/* A child by fork, or another holder of the file, is no member. */
	if (vma->vm_mm != member->mm->mn.mm)
		return VM_FAULT_SIGBUS;
	/* It stays so: then it need not be in the way of the living. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND)
		return shmchan_fault_ended(vmf, member);
	folio = shmchan_memory_folio(member->region,
				     (u64)vmf->pgoff << PAGE_SHIFT);
	if (!folio)
		return VM_FAULT_SIGBUS;

	folio_lock(folio);
	/* Pairs with the cmpxchg of its end, and the lock of its unmapping. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND) {
		folio_unlock(folio);
		return shmchan_fault_ended(vmf, member);
	}
	shmchan_test_delay(fault_delay_ms);
	/* Under the lock, so that shmchan_memory_fence() counts no visitor. */
	folio_get(folio);
	vmf->page = folio_file_page(folio, vmf->pgoff);
	return VM_FAULT_LOCKED;
}

#ifdef SHMCHAN_MREMAP_RACES
/**
 * shmchan_vma_moves - ->open of region memory, which is called before mremap() moves
 * @vma: the new mapping: a part that was split off, or what is about to move
 *
 * What is moved shall hold nothing that the end of a member could take meanwhile:
 * so it is taken now, while nobody can fault it in again, as this holds mmap_lock;
 * afterwards it is, at the new place.  (The others' mappings go with it, and come
 * back with their next faults.)  Who has this needs a ->close, too: mappings without
 * one may be merged as they move, and then ->open is not called.
 */
void shmchan_vma_moves(struct vm_area_struct *vma)
{
	mmap_assert_write_locked(vma->vm_mm);
	/* A part is where the whole has been; what moves comes to a free place. */
	if (find_vma_intersection(vma->vm_mm, vma->vm_start, vma->vm_end))
		return;
	unmap_mapping_range(vma->vm_file->f_mapping,
			    (loff_t)vma->vm_pgoff << PAGE_SHIFT,
			    vma->vm_end - vma->vm_start, 1);
}
#endif

static void shmchan_vma_open(struct vm_area_struct *vma)
{
	struct shmchan_member *member = vma->vm_file->private_data;

	atomic_inc(&member->nr_vmas);
	shmchan_vma_moves(vma);
}

static void shmchan_vma_close(struct vm_area_struct *vma)
{
	struct shmchan_member *member = vma->vm_file->private_data;

	atomic_dec(&member->nr_vmas);
}

/*
 * No ->page_mkwrite: it would forbid long-term pins.  No ->access: it would
 * be used exactly where get_user_pages() refuses.
 */
static const struct vm_operations_struct shmchan_vm_ops = {
	.open	= shmchan_vma_open,
	.close	= shmchan_vma_close,
	.fault	= shmchan_fault,
};

/**
 * shmchan_writable - does a range lie wholly inside windows of a slot?
 * @region: the region
 * @slot: the slot; shared windows count as well
 * @start: region offset
 * @end: the end of the range
 *
 * Return: whether the holder of the slot may write all of it.
 */
bool shmchan_writable(const struct shmchan_region *region, u32 slot, u64 start,
		      u64 end)
{
	u32 i;

	for (i = 0; i < region->nr_windows && start < end; i++) {
		const struct shmchan_window *w = &region->windows[i];

		if (w->offset + w->length <= start)
			continue;
		if (w->offset > start)
			return false;
		if (w->slot != slot && w->slot != SHMCHAN_SLOT_SHARED)
			return false;
		start = w->offset + w->length;
	}
	return start >= end;
}

static int map_area(struct file *file, struct vm_area_struct *vma)
{
	struct shmchan_member *member = file->private_data;
	struct shmchan_region *region = member->region;
	u64 start = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 length = vma->vm_end - vma->vm_start;
	vm_flags_t set = VM_DONTEXPAND | VM_DONTCOPY;
	vm_flags_t clear = 0;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_MAP_READ);
	if (ret)
		return ret;
	/* Not VM_SHARED: do_mmap() drops that for a read-only file. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > (U64_MAX >> PAGE_SHIFT) ||
	    shmchan_memory_area(region, start, length))
		return -EINVAL;
	if (!shmchan_terms_cover(member, start, length))
		return -EACCES;

	if (!(member->terms.rights & SHMCHAN_RIGHT_MAP_WRITE) ||
	    !shmchan_writable(region, member->slot, start, start + length)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		clear |= VM_MAYWRITE;
	}

	/*
	 * DONTEXPAND: mremap() would grow a window into its neighbour without
	 * asking us; it also forbids merging, duplicates and userfaultfd.
	 * DONTCOPY: a child is no member, and faults would say so with SIGBUS.
	 * Neither PFNMAP nor IO nor MIXEDMAP: they would break pins and rmap.
	 */
	if (!(region->flags & SHMCHAN_CREATE_DUMP))
		set |= VM_DONTDUMP;
	shmchan_vm_flags_mod(vma, set, clear);
	vma->vm_ops = &shmchan_vm_ops;

	/* All mappings of a member are made under one mmap_lock. */
	if (start < member->map_start)
		WRITE_ONCE(member->map_start, start);
	if (start + length > member->map_end)
		WRITE_ONCE(member->map_end, start + length);
	/*
	 * Pairs with member_end() and end_marked(), which set the state and
	 * then read nr_vmas: who saw no mapping has set the state that we see,
	 * and who saw ours sees the range as well.
	 */
	smp_mb__before_atomic();	/* the range, the store of nr_vmas */
	atomic_inc(&member->nr_vmas);
	smp_mb__after_atomic();	/* the store of nr_vmas, the load of state */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND) {
		atomic_dec(&member->nr_vmas);
		return -ESTALE;
	}
	return 0;
}

/**
 * shmchan_member_mmap - map a part of a region
 * @file: a member's
 * @vma: wanted
 *
 * Return: 0; -EINVAL (private, or not within one area); -EACCES (no right to
 * read, or beyond the capability's range, or not all of it is to be written);
 * -ENOTCONN, -EPERM, -ESTALE.
 */
int shmchan_member_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = map_area(file, vma);

	if (ret)
		shmchan_trace_mmap(file->private_data, vma->vm_flags, ret);
	return ret;
}
