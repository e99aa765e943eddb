// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs of a region: for devices, and for processes that are no members.
 *
 * A dma-buf goes from hand to hand, and gives its range to whoever has it.  So
 * it gives no more than its exporter had: it is writable only if every byte
 * was the exporter's to write; and then it counts as a pin, so that nobody is
 * given a window that somebody else can still write.  One that is read-only is
 * no pin: with it, any reader could keep every slot from its next holder.
 *
 * What lives as long as the last of dma-buf and mappings is a file of its own
 * on the region's inode.  It holds the region, and the folios' references.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "shmchan.h"

/* Scatterlist entries count bytes in 32 bits. */
#define SHMCHAN_MAX_SEGMENT	SZ_1G

/**
 * struct shmchan_export - a range that has been exported
 * @region: good while the file is
 * @grant: of the member that made it, a reference
 * @start: region offset of the range
 * @length: in bytes
 * @writable: may it be written?
 *
 * The private data of the export's file.  Never changes.
 */
struct shmchan_export {
	struct shmchan_region *region;
	struct shmchan_grant *grant;
	u64 start;
	u64 length;
	bool writable;
};

/**
 * struct shmchan_attachments - the private data of the dma-buf
 * @file: the export's, a reference
 * @lock: protects @list, and how its members are mapped
 * @list: struct shmchan_attachment
 */
struct shmchan_attachments {
	struct file *file;
	struct mutex lock;		/* list, shmchan_attachment.dir */
	struct list_head list;
};

/**
 * struct shmchan_attachment - a device that may use the dma-buf
 * @node: in shmchan_attachments.list
 * @dev: the device
 * @sgt: its memory, an entry for each extent
 * @dir: how @sgt is mapped for @dev now; DMA_NONE: it is not
 */
struct shmchan_attachment {
	struct list_head node;
	struct device *dev;
	struct sg_table sgt;
	enum dma_data_direction dir;
};

/* Take (or give back) a reference to each folio, if it can be written. */
static void pin_range(const struct shmchan_export *export, bool get)
{
	u64 start = export->start, end = start + export->length;
	struct folio *folio;

	if (!export->writable)
		return;
	while (start < end) {
		folio = shmchan_memory_folio(export->region, start);
		start = ((u64)folio->index << PAGE_SHIFT) + folio_size(folio);
		if (get)
			folio_get(folio);
		else
			folio_put(folio);
		cond_resched();
	}
}

static int export_release(struct inode *inode, struct file *file)
{
	struct shmchan_export *export = file->private_data;

	pin_range(export, false);
	atomic_dec(&export->region->nr_exports);
	shmchan_grant_put(export->grant);
	kfree(export);
	shmchan_memory_unpin();
	return 0;
}

/* No ->mmap: mappings are made through the dma-buf alone. */
static const struct file_operations export_fops = {
	.owner		= THIS_MODULE,
	.release	= export_release,
};

/* Whoever has the dma-buf may map it, until its maker is revoked. */
static vm_fault_t export_fault(struct vm_fault *vmf)
{
	const struct shmchan_export *export = vmf->vma->vm_file->private_data;
	struct folio *folio;

	folio = shmchan_memory_folio(export->region,
				     (u64)vmf->pgoff << PAGE_SHIFT);
	if (!folio)
		return VM_FAULT_SIGBUS;
	folio_lock(folio);
	/* Pairs with shmchan_memory_unmap() by REVOKE, as in shmchan_fault(). */
	if (shmchan_grant_revoked(export->grant)) {
		folio_unlock(folio);
		return VM_FAULT_SIGBUS;
	}
	folio_get(folio);
	vmf->page = folio_file_page(folio, vmf->pgoff);
	return VM_FAULT_LOCKED;
}

static void export_vma_close(struct vm_area_struct *vma)
{
}

static const struct vm_operations_struct export_vm_ops = {
	.open	= shmchan_vma_moves,
	.close	= export_vma_close,
	.fault	= export_fault,
};

static int export_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct shmchan_attachments *as = dmabuf->priv;
	const struct shmchan_export *export = as->file->private_data;
	vm_flags_t set = VM_DONTEXPAND, clear = VM_MAYEXEC;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	/* Only to say so early: faults look again. */
	if (shmchan_grant_revoked(export->grant))
		return -ESTALE;
	/* The file system of dma-bufs does not forbid that; ours does. */
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (!export->writable) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		/* Our file is read-only, but an importer's may not be. */
		clear |= VM_MAYWRITE;
	}
	if (!(export->region->flags & SHMCHAN_CREATE_DUMP))
		set |= VM_DONTDUMP;
	/* The core has checked it against the dma-buf's size. */
	vma->vm_pgoff += export->start >> PAGE_SHIFT;
	/* Region memory, to futexes and to whoever unmaps it. */
	vma_set_file(vma, as->file);
	shmchan_vm_flags_mod(vma, set, clear);
	vma->vm_ops = &export_vm_ops;
	return 0;
}

/* An entry for each extent, or for each GiB of one. */
static int fill_sgt(struct sg_table *sgt, const struct shmchan_export *export)
{
	const struct shmchan_region *region = export->region;
	u64 end = export->start + export->length, start, len, left = 0;
	struct scatterlist *sg;
	unsigned int nr = 0;
	int ret;

	for (start = export->start; start < end; start += len) {
		len = shmchan_extent_at(region, start, end);
		nr += DIV_ROUND_UP_ULL(len, SHMCHAN_MAX_SEGMENT);
	}
	ret = sg_alloc_table(sgt, nr, GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	start = export->start;
	for_each_sgtable_sg(sgt, sg, nr) {
		if (!left)
			left = shmchan_extent_at(region, start, end);
		len = min_t(u64, left, SHMCHAN_MAX_SEGMENT);
		left -= len;
		sg_set_page(sg, virt_to_page(shmchan_memory_at(region, start)),
			    len, 0);
		start += len;
	}
	return 0;
}

static int export_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *at)
{
	struct shmchan_attachments *as = dmabuf->priv;
	struct shmchan_attachment *a;
	int ret;

	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return -ENOMEM;
	ret = fill_sgt(&a->sgt, as->file->private_data);
	if (ret) {
		kfree(a);
		return ret;
	}
	a->dev = at->dev;
	a->dir = DMA_NONE;
	at->priv = a;
	mutex_lock(&as->lock);
	list_add(&a->node, &as->list);
	mutex_unlock(&as->lock);
	return 0;
}

static void export_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *at)
{
	struct shmchan_attachments *as = dmabuf->priv;
	struct shmchan_attachment *a = at->priv;

	mutex_lock(&as->lock);
	list_del(&a->node);
	mutex_unlock(&as->lock);
	sg_free_table(&a->sgt);
	kfree(a);
}

static struct sg_table *export_map(struct dma_buf_attachment *at,
				   enum dma_data_direction dir)
{
	struct shmchan_attachments *as = at->dmabuf->priv;
	const struct shmchan_export *export = as->file->private_data;
	struct shmchan_attachment *a = at->priv;
	int ret;

	if (shmchan_grant_revoked(export->grant))
		return ERR_PTR(-ESTALE);
	/* Without an IOMMU nothing keeps a device to that. */
	if (!export->writable && dir != DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);
	mutex_lock(&as->lock);
	ret = a->dir == DMA_NONE ? dma_map_sgtable(a->dev, &a->sgt, dir, 0) :
	      -EBUSY;
	if (!ret && shmchan_grant_revoked(export->grant)) {
		dma_unmap_sgtable(a->dev, &a->sgt, dir, 0);
		ret = -ESTALE;
	}
	if (!ret)
		a->dir = dir;
	mutex_unlock(&as->lock);
	return ret ? ERR_PTR(ret) : &a->sgt;
}

static void export_unmap(struct dma_buf_attachment *at, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct shmchan_attachments *as = at->dmabuf->priv;
	struct shmchan_attachment *a = at->priv;

	mutex_lock(&as->lock);
	dma_unmap_sgtable(a->dev, sgt, a->dir, 0);
	a->dir = DMA_NONE;
	mutex_unlock(&as->lock);
}

/*
 * The direction is the device's, not the caller's, who may say what he likes:
 * with a bounce buffer a wrong one would write over what nobody may write.
 */
static int export_begin_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct shmchan_attachments *as = dmabuf->priv;
	struct shmchan_attachment *a;

	mutex_lock(&as->lock);
	list_for_each_entry(a, &as->list, node)
		if (a->dir != DMA_NONE && a->dir != DMA_TO_DEVICE)
			dma_sync_sgtable_for_cpu(a->dev, &a->sgt, a->dir);
	mutex_unlock(&as->lock);
	return 0;
}

static int export_end_cpu_access(struct dma_buf *dmabuf,
				 enum dma_data_direction dir)
{
	struct shmchan_attachments *as = dmabuf->priv;
	struct shmchan_attachment *a;

	mutex_lock(&as->lock);
	list_for_each_entry(a, &as->list, node)
		if (a->dir != DMA_NONE)
			dma_sync_sgtable_for_device(a->dev, &a->sgt, a->dir);
	mutex_unlock(&as->lock);
	return 0;
}

static void export_drop(struct dma_buf *dmabuf)
{
	struct shmchan_attachments *as = dmabuf->priv;

	fput(as->file);
	kfree(as);
}

static const struct dma_buf_ops export_ops = {
	.attach			= export_attach,
	.detach			= export_detach,
	.map_dma_buf		= export_map,
	.unmap_dma_buf		= export_unmap,
	.begin_cpu_access	= export_begin_cpu_access,
	.end_cpu_access		= export_end_cpu_access,
	.mmap			= export_mmap,
	.release		= export_drop,
};

/* A file that holds the range; or an ERR_PTR(). */
static struct file *make_file(struct shmchan_member *member,
			     const struct shmchan_export_dmabuf *arg)
{
	struct shmchan_region *region = member->region;
	struct shmchan_export *export;
	struct file *file;

	export = kmalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return ERR_PTR(-ENOMEM);
	export->region = region;
	export->start = arg->offset;
	export->length = arg->length;
	export->writable = arg->flags & SHMCHAN_EXPORT_WRITE;
	export->grant = shmchan_grant_get(member->grant);

	atomic_inc(&region->nr_exports);
	pin_range(export, true);
	file = shmchan_memory_file(region, &export_fops, export,
				   export->writable ? O_RDWR : O_RDONLY);
	if (IS_ERR(file)) {
		pin_range(export, false);
		atomic_dec(&region->nr_exports);
		shmchan_grant_put(export->grant);
		kfree(export);
		return file;
	}
	/*
	 * Pairs with the cmpxchg that ends the member: either that comes
	 * later, and whoever fences the window for its next holder finds our
	 * pins, and REVOKE that there is an export; or we see it.
	 */
	smp_mb();
	if (READ_ONCE(member->state) != SHMCHAN_BOUND) {
		fput(file);
		return ERR_PTR(-ESTALE);
	}
	return file;
}

/* A dma-buf that owns @file; if there is none the file is the caller's still. */
static struct dma_buf *make_dmabuf(struct file *file)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	const struct shmchan_export *export = file->private_data;
	struct shmchan_attachments *as;
	struct dma_buf *dmabuf;

	as = kzalloc(sizeof(*as), GFP_KERNEL_ACCOUNT);
	if (!as)
		return ERR_PTR(-ENOMEM);
	as->file = file;
	mutex_init(&as->lock);
	INIT_LIST_HEAD(&as->list);
	info.ops = &export_ops;
	info.size = export->length;
	info.flags = export->writable ? O_RDWR : O_RDONLY;
	info.priv = as;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		kfree(as);
	return dmabuf;
}

/* May the member export this? */
static int check_export(const struct shmchan_member *member,
			const struct shmchan_export_dmabuf *arg)
{
	const struct shmchan_region *region = member->region;
	u32 rights = SHMCHAN_RIGHT_MAP_READ;
	int ret;

	if (arg->flags & SHMCHAN_EXPORT_WRITE)
		rights |= SHMCHAN_RIGHT_MAP_WRITE;
	ret = shmchan_member_check(member, rights);
	if (ret)
		return ret;
	if (arg->flags & ~SHMCHAN_EXPORT_WRITE || arg->reserved ||
	    !IS_ALIGNED(arg->offset, SHMCHAN_PAGE) ||
	    !IS_ALIGNED(arg->length, SHMCHAN_PAGE) || !arg->length)
		return -EINVAL;
	/* What the kernel writes is for members. */
	if (arg->offset >= region->status_offset ||
	    shmchan_memory_area(region, arg->offset, arg->length))
		return -EINVAL;
	if (!shmchan_terms_cover(member, arg->offset, arg->length))
		return -EACCES;
	if (arg->flags & SHMCHAN_EXPORT_WRITE &&
	    !shmchan_writable(region, member->slot, arg->offset,
			      arg->offset + arg->length))
		return -EACCES;
	return 0;
}

/**
 * shmchan_export_dmabuf_ioctl - SHMCHAN_IOC_EXPORT_DMABUF
 * @call: the call
 *
 * Return: see struct shmchan_export_dmabuf.
 */
int shmchan_export_dmabuf_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	struct shmchan_export_dmabuf *arg = call->arg;
	struct dma_buf *dmabuf;
	struct file *file;
	int ret;

	ret = check_export(member, arg);
	if (ret)
		return ret;
	arg->fd = get_unused_fd_flags(O_CLOEXEC);
	if (arg->fd < 0)
		return arg->fd;
	file = make_file(member, arg);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	dmabuf = make_dmabuf(file);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		fput(file);
		goto err_fd;
	}
	ret = shmchan_respond(call);
	if (ret) {
		dma_buf_put(dmabuf);
		goto err_fd;
	}
	fd_install(arg->fd, dmabuf->file);
	return 0;

err_fd:
	put_unused_fd(arg->fd);
	return ret;
}

SHMCHAN_IMPORT_DMA_BUF;
