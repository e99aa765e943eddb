/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SHMCHAN_H
#define _SHMCHAN_H

/*
 * The objects of the module, who owns them, and what protects them.
 *
 * A region hangs off an inode of our own pseudo file system and lives exactly
 * as long: every capability is a file on that inode, every mapping holds its
 * file, and evict_inode frees the region.  So a pointer to a region is good
 * for whoever holds a file on it.  The name table holds none: a name is taken
 * out of it by the ->release of the last file that keeps it, or sooner.
 *
 * A capability and the member it becomes by JOIN are one structure, the
 * private_data of the file.  Members of one address space hang off a
 * shmchan_mm, whose mmu_notifier says when that address space ends.  What they
 * were made from, and by whom, is told by their grants, which outlive them:
 * revoking one revokes what came of it.  Both are in lists of the region.
 *
 * A region is present in a namespace while a member that joined there lives, or
 * one that named it there; its names there go with its presence.
 *
 * Locks, outermost first; no two of one kind are ever held together:
 *
 *  region.revoke_lock  mutex: one REVOKE at a time
 *  region.caps_lock    mutex: who may do what: see struct shmchan_region
 *  shmchan_mm.lock     mutex: the list of its members
 *  member.read_lock    mutex: readers of events, so that none is lost on EFAULT
 *  names_lock          mutex: names, and where regions are present
 *  pinned_lock         mutex: regions that pins have outlived
 *  contig_busy         not a lock of the kernel's: one who clears windows
 *  offline_sem         rwsem: memory stays there; written to inside of the lock
 *                      of memory hotplug
 *  regions_lock        mutex: regions whose memory is to stay online, and what
 *                      is left of the evicted; taken inside of the same
 *  pool_lock           mutex: what the pool has
 *  quota_lock          mutex: the table of users
 *  folio lock          a folio may be mapped: see memory.c
 *  member.lock         spinlock: its waits and subscriptions
 *  region.seat_lock    spinlock: seats and the slot words; reading the owner
 *  region.list_lock    spinlock: the lists of grants and capabilities
 *  bell.lock           spinlock: its waits, subscriptions and status lines
 *  an eventfd's lock   of the kernel's own: who sleeps on it; what is called
 *                      under it comes back to us in no way
 *
 * mmap_lock is taken outside of all of them by ->mmap and ->fault, which take
 * the folio lock only, and inside of none of them.
 */

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/shmchan.h>

/* Entries that a call which lists may ask for. */
#define SHMCHAN_LIST_MAX	1024

/* Those of a region's lists that are looked at before list_lock is let go. */
#define SHMCHAN_WALK_BATCH	256

#define SHMCHAN_HUGE_ORDER	9
#define SHMCHAN_HUGE_PAGES	BIT(SHMCHAN_HUGE_ORDER)

/* Folios that are claimed at a time: 64 MiB. */
#define SHMCHAN_CLAIM_MOST	32U

/* Enough reclaim to be fair, no OOM killer, no log line. */
#define SHMCHAN_GFP		(GFP_USER | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
/* The same for our own arrays, whose length is the caller's choice. */
#define SHMCHAN_GFP_ARRAY \
	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
/* Only what is free. */
#define SHMCHAN_GFP_LIGHT	((GFP_USER & ~__GFP_RECLAIM) | __GFP_NOWARN)

struct io_uring_cmd;
struct ns_common;
struct pid;
struct shmchan_name;
struct shmchan_presence;
struct shmchan_signals;
struct shmchan_user;

/**
 * struct shmchan_perm - whom a name lets in
 * @uid: its owner
 * @gid: its group
 * @mode: permission bits
 */
struct shmchan_perm {
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
};

/**
 * struct shmchan_terms - what a capability allows
 * @rights: SHMCHAN_RIGHT_*
 * @slot: the only one it may take, or SHMCHAN_SLOT_ANY
 * @data: how much of the data area
 * @control: how much of the control area, beside the header page
 */
struct shmchan_terms {
	u32 rights;
	u32 slot;
	struct shmchan_range data;
	struct shmchan_range control;
};

/**
 * struct shmchan_grant - where a capability comes from
 * @refs: of the capability, what it has published and exported, and the grants
 *	that come of it
 * @region: good while one of those is there: each has a file
 * @node: in region->grants; region.list_lock
 * @parent: of the capability that it was made from, a reference; NULL: it was
 *	made by right of who opened it
 * @depth: how many parents it has
 * @uid: effective user that made it
 * @joined_uid: that joined with it, if @generation is not 0
 * @slot: that it was for
 * @generation: of that holder; 0: it has not joined.  These three are written
 *	once, under region.caps_lock
 * @revoked: nothing that comes of it counts any more; written under
 *	region.caps_lock
 *
 * It is never revived, so it may be read without the lock by who looks again
 * later, or is looked for by REVOKE afterwards.
 */
struct shmchan_grant {
	refcount_t refs;
	struct shmchan_region *region;
	struct list_head node;
	struct shmchan_grant *parent;
	u32 depth;
	kuid_t uid;
	kuid_t joined_uid;
	u32 slot;
	u32 generation;
	bool revoked;
};

/**
 * struct shmchan_numa - where memory is to come from
 * @policy: enum shmchan_numa_policy
 * @nr: length of @nodes
 * @nodes: in the order of preference; each has memory and is the caller's
 */
struct shmchan_numa {
	u32 policy;
	u32 nr;
	u16 nodes[SHMCHAN_MAX_NODES];
};

/**
 * struct shmchan_nodes - goes through the nodes that a shmchan_numa allows
 * @numa: which
 * @next: index in @numa's nodes
 * @left: those that have not been given out
 */
struct shmchan_nodes {
	const struct shmchan_numa *numa;
	u32 next;
	nodemask_t left;
};

/**
 * struct shmchan_bell - a doorbell
 * @lock: protects all below and the doorbell's lines in the status area
 * @waits: struct shmchan_wait_entry of those who sleep in WAIT
 * @subs: struct shmchan_sub of those who subscribed
 * @nr_waits: length of @waits
 * @nr_armed: how many of @subs are armed
 * @owner: the slot that may wait, or SHMCHAN_SLOT_SHARED; never changes
 * @seq: rings so far
 * @status: its lines in the status area; the pointer never changes
 */
struct shmchan_bell {
	spinlock_t lock;		/* all of this */
	struct list_head waits;
	struct list_head subs;
	u32 nr_waits;
	u32 nr_armed;
	u32 owner;
	u64 seq;
	struct shmchan_doorbell_status *status;
} ____cacheline_aligned_in_smp;

/**
 * struct shmchan_holder - who holds or held a seat
 * @pid: thread group, a reference; NULL: nobody
 * @uid: effective user at JOIN
 * @gid: effective group at JOIN
 * @generation: which holder of the seat this is
 * @state: enum shmchan_slot_state
 */
struct shmchan_holder {
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	u32 generation;
	u32 state;
};

/**
 * struct shmchan_seat - a slot
 * @cur: its holder, or the last one
 * @prev: the one before
 * @was: the state of @cur before the seat was CLAIMING
 * @flags: SHMCHAN_SLOT_FLAG_*; never change
 * @uid: who alone may hold it: reserved, or with SAME_UID its first holder
 * @word: its word in the status area; the pointer never changes
 * @end_node: in region->ends; alone if nobody has ended here
 * @end_seq: region->nr_ends at the last end
 * @end_generation: who that was; 0: nobody
 * @end_state: enum shmchan_slot_state, how
 *
 * Protected by region.seat_lock.
 */
struct shmchan_seat {
	struct shmchan_holder cur;
	struct shmchan_holder prev;
	u32 was;
	u32 flags;
	kuid_t uid;
	u64 *word;
	struct list_head end_node;
	u64 end_seq;
	u32 end_generation;
	u32 end_state;
};

/**
 * struct shmchan_region - memory, doorbells, slots and windows
 * @inode: what it hangs off; its page cache is the memory; NULL once evicted
 * @data_size: bytes; the data area begins at offset 0
 * @control_offset: where the control area begins
 * @control_size: bytes
 * @status_offset: where the status area begins
 * @status_size: bytes
 * @nr_extents: physically contiguous runs that make up the data area
 * @numa_policy: enum shmchan_numa_policy that the memory was allocated by
 * @flags: SHMCHAN_CREATE_* that describe the memory
 * @label: what CREATE named it; "" if nothing
 * @label_ns: where it still has that name, to be compared only: who finds its own
 *	namespace here knows that it is that one, as the name holds it; NULL: nowhere
 * @windows: by offset
 * @nr_windows: length of @windows
 * @bells: doorbell 0 first
 * @nr_bells: length of @bells
 * @nr_seats: length of @seats
 * @seats: the slots
 * @seat_lock: protects @seats, @nr_live, @members_seq, @members_told, @nr_ends,
 *	@ends and the slot words
 * @nr_live: how many seats are held
 * @nr_asym: how many of them joined as ASYM; read without the lock
 * @members_seq: joins and ends so far
 * @members_told: how many of them doorbell 0 has been rung for
 * @nr_ends: ends so far
 * @ends: struct shmchan_seat by end_node: by their last ends, the newest last
 * @status: the head of the status area
 * @revoke_lock: protects shmchan_member.victim_node
 * @caps_lock: protects @perm, @seals, the revoking of grants, and the state and
 *	the terms of capabilities that have not joined.  Nothing is allocated,
 *	and nothing unmapped, under it
 * @list_lock: protects @caps and @grants
 * @caps: struct shmchan_member by caps_node: every capability
 * @grants: struct shmchan_grant by node: every grant
 * @perm: its owner, and whom the name that CREATE gave lets in; written
 *	under @caps_lock and @seat_lock
 * @seals: SHMCHAN_SEAL_*; they only become more
 * @nr_exports: dma-bufs
 * @presences: struct shmchan_presence by region_node; names_lock
 * @nr_names: of all of those; names_lock
 * @user: whom its memory is charged to
 * @nr_pages: how much
 * @node: in the list of those whose memory stays online
 * @folios: once the inode is evicted: what is not free yet, chained
 * @pinned_node: the same: in pinned_regions
 *
 * What is not said to be protected never changes once the region can be seen.
 */
struct shmchan_region {
	struct inode *inode;
	u64 data_size;
	u64 control_offset;
	u64 control_size;
	u64 status_offset;
	u64 status_size;
	u32 nr_extents;
	u32 numa_policy;
	u32 flags;
	char label[SHMCHAN_NAME_LEN];
	const struct ns_common *label_ns;

	struct shmchan_window *windows;
	u32 nr_windows;
	u32 nr_bells;
	struct shmchan_bell *bells;

	u32 nr_seats;
	struct shmchan_seat *seats;
	spinlock_t seat_lock;		/* seats, nr_live, nr_asym, members_seq */
	u32 nr_live;
	u32 nr_asym;
	u64 members_seq;
	u64 members_told;
	u64 nr_ends;
	struct list_head ends;
	struct shmchan_status *status;

	struct mutex revoke_lock;	/* one REVOKE at a time */
	struct mutex caps_lock;		/* perm, seals, revoking, joining */
	spinlock_t list_lock;		/* caps, grants */
	struct list_head caps;
	struct list_head grants;
	struct shmchan_perm perm;
	u32 seals;
	atomic_t nr_exports;

	struct list_head presences;
	u32 nr_names;

	struct shmchan_user *user;
	u64 nr_pages;

	struct list_head node;
	struct folio *folios;
	struct list_head pinned_node;
};

/**
 * struct shmchan_mm - an address space that has members
 * @mn: tells us when it ends; holds mm_count, never mm_users
 * @lock: protects @members
 * @members: struct shmchan_member by mm_node
 *
 * One per address space, counted by mmu_notifier_get() and _put(): each
 * member holds a count from JOIN until its file is released.
 */
struct shmchan_mm {
	struct mmu_notifier mn;
	struct mutex lock;		/* members */
	struct list_head members;
};

/* The life of a capability; it only goes forward, but for a JOIN that fails. */
enum shmchan_member_state {
	SHMCHAN_UNBOUND,
	SHMCHAN_JOINING,	/* JOIN is under way */
	SHMCHAN_BOUND,
	SHMCHAN_ENDED,		/* from here on: ESTALE */
	SHMCHAN_REVOKED,
};

#define SHMCHAN_RECENT	4

/**
 * struct shmchan_member - a capability, and the member it becomes
 * @refs: of the file, and of REVOKE while that is at it
 * @region: good while the file is
 * @caps_node: in region->caps; region.list_lock
 * @victim_node: in a list of REVOKE, which then holds a reference
 * @grant: where it comes from, a reference
 * @terms: what it allows; they change in UNBOUND only, under region.caps_lock
 * @state: enum shmchan_member_state; from BOUND on by cmpxchg, so that one
 *	caller wins; before that under region.caps_lock
 * @slot: valid from BOUND on, never changes
 * @generation: the same
 * @join_flags: the same; SHMCHAN_JOIN_*
 * @mm: the same; a reference.  Before that: the address space that keeps what
 *	the capability has named, or NULL
 * @mm_node: in mm->members; mm->lock
 * @presence: of the region, where it joined or named it; NULL if nowhere, or no
 *	longer; names_lock
 * @gone: nothing is left to be done about its end
 * @zeros: what it reads once it is REVOKED; NULL: not yet
 * @scratch: what it may write to then, the same
 * @nr_vmas: mappings of the file; see member_end()
 * @map_start: of all that was ever mapped; written under mmap_lock
 * @map_end: the same
 * @recent: pages that it may wait for words of; see word_at()
 * @lock: protects @waits, @subs, @nr_subs, @nr_shared, @nr_async and what the
 *	member has seen of its @subs
 * @waits: struct shmchan_wait_entry of its calls that sleep
 * @subs: struct shmchan_sub
 * @nr_subs: length of @subs
 * @nr_shared: conditions that its @waits have on shared doorbells
 * @nr_async: those of its @waits that are of io_uring
 * @read_lock: one reader of events at a time
 * @poll: who polls the file
 * @poll_work: wakes them, where a ring does not
 * @poll_busy: held while it does, so that nothing else takes its time
 * @poll_slow: to wake them may take long; one that rings or @poll_work says so
 * @signals: signals those who sleep on eventfds that are bound; NULL: none was
 *	ever; set once
 */
struct shmchan_member {
	refcount_t refs;
	struct shmchan_region *region;
	struct list_head caps_node;
	struct list_head victim_node;
	struct shmchan_grant *grant;
	struct shmchan_terms terms;
	u32 state;
	u32 slot;
	u32 generation;
	u32 join_flags;
	struct shmchan_mm *mm;
	struct list_head mm_node;
	struct shmchan_presence *presence;
	bool gone;
	struct page *zeros;
	struct page *scratch;
	atomic_t nr_vmas;
	u64 map_start;
	u64 map_end;

	u64 recent[SHMCHAN_RECENT];
	spinlock_t lock;		/* waits, subs */
	struct list_head waits;
	struct list_head subs;
	u32 nr_subs;
	u32 nr_shared;
	u32 nr_async;
	struct mutex read_lock;		/* one reader at a time */
	wait_queue_head_t poll;
	struct work_struct poll_work;
	spinlock_t poll_busy;		/* for the time it takes */
	bool poll_slow;
	struct shmchan_signals *signals;
};

/**
 * struct shmchan_call - an ioctl under way
 * @file: what it was called on
 * @uarg: the caller's structure
 * @usize: its size
 * @size: that of ours
 * @arg: our copy of it, zero-extended
 * @name: the name that it is about, once that has been read; else ""
 */
struct shmchan_call {
	struct file *file;
	void __user *uarg;
	u32 usize;
	u32 size;
	void *arg;
	char name[SHMCHAN_NAME_LEN];
};

/**
 * shmchan_copy_words - copy_from_user() for a few words, inline
 * @to: of whole words
 * @from: in user space
 * @size: of @to, a constant
 *
 * Return: whether it could all be read.
 */
static __always_inline bool shmchan_copy_words(void *to,
					       const void __user *from,
					       size_t size)
{
	const u64 __user *words = from;
	size_t i;

	BUILD_BUG_ON(size % sizeof(u64));
	if (!user_read_access_begin(words, size))
		return false;
#pragma GCC unroll 8
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_get_user(((u64 *)to)[i], &words[i], fault);
	user_read_access_end();
	return true;

fault:
	user_read_access_end();
	return false;
}

/* main.c */
extern const struct file_operations shmchan_member_fops;

int shmchan_respond(const struct shmchan_call *call);
int shmchan_call_read(struct shmchan_call *call, void *arg);

/* memory.c: region memory, mapping it, fencing it off */
struct shmchan_region *shmchan_memory_new(void);
void shmchan_memory_drop(struct shmchan_region *region);
struct file *shmchan_memory_file(struct shmchan_region *region,
				 const struct file_operations *fops,
				 void *private, int flags);
int shmchan_memory_pin(void);
void shmchan_memory_unpin(void);
void shmchan_memory_exit(void);
struct folio *shmchan_memory_folio(const struct shmchan_region *region,
				   u64 offset);
void *shmchan_memory_at(const struct shmchan_region *region, u64 offset);
int shmchan_memory_area(const struct shmchan_region *region, u64 start,
			u64 length);
u64 shmchan_memory_cgroup(const struct shmchan_region *region);
void shmchan_memory_unmap(struct shmchan_region *region, u64 start, u64 end);
int shmchan_memory_fence(struct shmchan_region *region, u64 start, u64 length,
			 unsigned int *tries);
bool shmchan_writable(const struct shmchan_region *region, u32 slot, u64 start,
		      u64 end);
#ifdef SHMCHAN_MREMAP_RACES
void shmchan_vma_moves(struct vm_area_struct *vma);
#else
static inline void shmchan_vma_moves(struct vm_area_struct *vma)
{
}
#endif
int shmchan_member_mmap(struct file *file, struct vm_area_struct *vma);

/* fill.c: allocating a region's memory */
int shmchan_memory_fill(struct shmchan_region *region,
			const struct shmchan_numa *numa);
void shmchan_put_folio(struct folio *folio);
void shmchan_put_folios(struct list_head *folios);

/* numa.c: from which nodes */
extern gfp_t shmchan_gfp_block;
void shmchan_zones_init(void);
int shmchan_numa_init(struct shmchan_numa *numa,
		      const struct shmchan_create *c);
struct folio *shmchan_numa_alloc(const struct shmchan_numa *numa, u64 index,
				 unsigned int order);
void shmchan_nodes_start(struct shmchan_nodes *it,
			 const struct shmchan_numa *numa);
int shmchan_nodes_next(struct shmchan_nodes *it);

/* contig.c: in one run */
int shmchan_contig_alloc(struct list_head *folios, u32 nr,
			 const struct shmchan_numa *numa);
int shmchan_contig_find(struct list_head *folios, u32 nr,
			const struct shmchan_numa *numa, ktime_t deadline);
ktime_t shmchan_contig_deadline(void);
u64 shmchan_contig_limit(void);
int shmchan_contig_lock(ktime_t deadline);
void shmchan_contig_unlock(void);

/* claim.c: at a given place */
bool shmchan_claimable(unsigned long pfn, int nid);
int shmchan_claim(unsigned long pfn, unsigned int nr, int nid,
		  struct folio **folios);
int shmchan_claim_pair(int nid, struct folio *folios[2]);
void shmchan_claim_prepare(int nid);

/* pool.c: set aside at load */
int shmchan_pool_init(void);
void shmchan_pool_exit(void);
int shmchan_pool_take(struct list_head *folios, u32 nr,
		      const struct shmchan_numa *numa);
bool shmchan_pool_return(struct folio *folio);
void shmchan_pool_lost(unsigned long pfn);
bool shmchan_pool_has(unsigned long pfn, unsigned long nr_pages);
void shmchan_pool_query(struct shmchan_query_device *query);

/* extent.c: where it lies */
u64 shmchan_extent_at(const struct shmchan_region *region, u64 start, u64 end);
u32 shmchan_extents_count(const struct shmchan_region *region, u64 start,
			  u64 end);
int shmchan_extents_ioctl(struct shmchan_call *call);

/* offline.c: keeping it online */
void shmchan_offline_hold(void);
void shmchan_offline_release(void);
void shmchan_offline_lock(void);
void shmchan_offline_unlock(void);
void shmchan_offline_watch(struct shmchan_region *region);
void shmchan_offline_forget(struct shmchan_region *region);
int shmchan_offline_init(void);
void shmchan_offline_exit(void);

/* dmabuf.c: giving it to devices */
#ifdef CONFIG_DMA_SHARED_BUFFER
int shmchan_export_dmabuf_ioctl(struct shmchan_call *call);
#else
static inline int shmchan_export_dmabuf_ioctl(struct shmchan_call *call)
{
	return -EOPNOTSUPP;
}
#endif

/* region.c: making and describing regions */
int shmchan_create_ioctl(struct shmchan_call *call);
int shmchan_query_ioctl(struct shmchan_call *call);
void shmchan_region_free(struct shmchan_region *region);

/* names.c: names, and where a region is present */

/**
 * struct shmchan_offer - what a name leads to
 * @region: with a reference to its inode
 * @published: by PUBLISH; if it is not, only @region counts
 * @perm: whom it lets in
 * @terms: the most that it gives
 * @grant: what comes of it, a reference; NULL if it is not published
 */
struct shmchan_offer {
	struct shmchan_region *region;
	bool published;
	struct shmchan_perm perm;
	struct shmchan_terms terms;
	struct shmchan_grant *grant;
};

int shmchan_name_read(struct shmchan_call *call, u64 uptr, u32 len);
int shmchan_name_free(const char *name);
int shmchan_name_find(const char *name, struct shmchan_offer *offer);
bool shmchan_name_again(const char *name, struct shmchan_offer *offer);
void shmchan_name_of(const struct shmchan_region *region, char *name);
struct shmchan_name *shmchan_name_new(const char *name);
int shmchan_name_add(struct shmchan_name *entry,
		     struct shmchan_presence *presence,
		     const struct shmchan_offer *offer);
int shmchan_name_remove(struct shmchan_region *region, const char *name,
			const struct shmchan_grant *grant);
u32 shmchan_names_drop(struct shmchan_region *region,
		       bool (*match)(const struct shmchan_grant *grant));
const char *shmchan_label(const struct shmchan_region *region);
struct shmchan_presence *shmchan_presence_get(struct shmchan_region *region);
void shmchan_presence_put(struct shmchan_presence *presence);
int shmchan_presence_test(const struct shmchan_member *member,
			  const struct shmchan_presence *presence);
void shmchan_presence_set(struct shmchan_member *member,
			  struct shmchan_presence *presence);
int shmchan_list_ioctl(struct shmchan_call *call);

/* access.c: who may open, and who may change that */
int shmchan_access_begin(struct shmchan_member *member, u32 rights);
void shmchan_access_end(struct shmchan_member *member);
int shmchan_open_ioctl(struct shmchan_call *call);
int shmchan_setattr_ioctl(struct shmchan_call *call);
int shmchan_seal_ioctl(struct shmchan_call *call);

/* grant.c: capabilities from capabilities */
struct shmchan_grant *shmchan_grant_new(struct shmchan_region *region,
					struct shmchan_grant *parent);
struct shmchan_grant *shmchan_grant_get(struct shmchan_grant *grant);
void shmchan_grant_put(struct shmchan_grant *grant);
bool shmchan_grant_revoked(const struct shmchan_grant *grant);
bool shmchan_grant_comes_of(const struct shmchan_grant *grant,
			    const struct shmchan_grant *from);
void shmchan_grants_walk(struct shmchan_region *region,
			 void (*fn)(struct shmchan_grant *grant, void *arg),
			 void *arg);
void shmchan_terms_all(const struct shmchan_region *region,
		       struct shmchan_terms *terms);
bool shmchan_terms_cover(const struct shmchan_member *member, u64 start,
			 u64 length);
int shmchan_mint_ioctl(struct shmchan_call *call);

/* publish.c: further names */
int shmchan_publish_ioctl(struct shmchan_call *call);
int shmchan_withdraw_ioctl(struct shmchan_call *call);

/* revoke.c: taking capabilities back */
int shmchan_revoke_ioctl(struct shmchan_call *call);

/* trace.c: telling who audits */
void shmchan_trace_call(const struct shmchan_call *call, unsigned int op,
			int ret);
void shmchan_trace_done(struct file *file, unsigned int op, void *arg, int ret);
void shmchan_trace_mmap(const struct shmchan_member *member,
			unsigned long flags, int ret);
void shmchan_trace_end(const struct shmchan_member *member, u32 how);

/* member.c: joining and ending */
struct shmchan_mm *shmchan_mm_get(void);
void shmchan_mm_put(struct shmchan_mm *smm);
struct file *shmchan_member_file(struct shmchan_region *region, u32 rights,
				 struct shmchan_grant *parent);
void shmchan_member_release(struct shmchan_member *member);
void shmchan_member_put(struct shmchan_member *member);
void shmchan_members_walk(struct shmchan_region *region,
			  void (*fn)(struct shmchan_member *member, void *arg),
			  void *arg);
int shmchan_member_check(const struct shmchan_member *member, u32 rights);
int shmchan_member_join(struct shmchan_member *member, u32 slot, u32 flags);
void shmchan_member_keep(struct shmchan_member *member, struct shmchan_mm *smm);
bool shmchan_member_revoke(struct shmchan_member *member);
void shmchan_member_finish(struct shmchan_member *member, u32 how);
void shmchan_members_tell(struct shmchan_region *region);
void shmchan_member_void(struct shmchan_member *member);
void shmchan_members_exit(void);
int shmchan_join_ioctl(struct shmchan_call *call);
int shmchan_leave_ioctl(struct shmchan_call *call);
int shmchan_member_info_ioctl(struct shmchan_call *call);

/* doorbell.c: sleeping and waking */
void shmchan_bell_init(struct shmchan_bell *bell, u32 owner,
		       struct shmchan_doorbell_status *status);
u32 shmchan_bell_ring(struct shmchan_bell *bell, u32 max_wake);
void shmchan_bells_end(struct shmchan_member *member);
int shmchan_wait_call(struct file *file, struct shmchan_wait *w);
int shmchan_ring_call(struct file *file, struct shmchan_ring *r);
int shmchan_ring_wait_call(struct file *file, struct shmchan_ring_wait *rw);

/* subscribe.c: for who sleeps elsewhere */
void shmchan_poll_work(struct work_struct *work);
void shmchan_poll_wake(struct shmchan_member *member);
int shmchan_arm_ioctl(struct shmchan_call *call);
int shmchan_subscribe_ioctl(struct shmchan_call *call);

/* events.c: what they are told */
__poll_t shmchan_member_poll(struct file *file, poll_table *table);
ssize_t shmchan_member_read(struct kiocb *iocb, struct iov_iter *to);

/* eventfd.c: for who can sleep on nothing else */
int shmchan_eventfd_init(void);
void shmchan_eventfd_exit(void);
void shmchan_signals_put(struct shmchan_signals *signals);
int shmchan_bind_eventfd_ioctl(struct shmchan_call *call);

/* uring.c: the same by io_uring */
int shmchan_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* quota.c: how much memory a user, and all, may hold */
int shmchan_quota_charge(struct shmchan_region *region, u64 nr_pages);
void shmchan_quota_uncharge(struct shmchan_region *region, u64 nr_pages);
void shmchan_quota_query(struct shmchan_query_device *query);
bool shmchan_quota_charged(const struct shmchan_region *region,
			   struct shmchan_query *query);
int shmchan_list_users_ioctl(struct shmchan_call *call);

/**
 * shmchan_test_delay - make a moment long enough for a test to meet it
 * @ms: a parameter of a module with test hooks; else the constant 0
 */
static inline void shmchan_test_delay(unsigned int ms)
{
	if (ms)
		msleep(ms);
}

#endif /* _SHMCHAN_H */
