/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints for audit: who did, or was refused, what, and where.
 *
 *	echo 1 >/sys/kernel/tracing/events/shmchan/enable
 *
 * They name regions and users of all namespaces, as tracing does, and so are
 * for who may trace.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shmchan

#if !defined(_SHMCHAN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SHMCHAN_TRACE_H

#include <linux/cred.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/tracepoint.h>

#include "shmchan.h"

#define SHMCHAN_TRACE_MMAP	0x100	/* beside SHMCHAN_CMD_* */

#define show_shmchan_op(op) __print_symbolic(op, \
	{ SHMCHAN_CMD_QUERY_DEVICE, "query_device" }, \
	{ SHMCHAN_CMD_CREATE, "create" }, \
	{ SHMCHAN_CMD_OPEN, "open" }, \
	{ SHMCHAN_CMD_LIST, "list" }, \
	{ SHMCHAN_CMD_LIST_USERS, "list_users" }, \
	{ SHMCHAN_CMD_QUERY, "query" }, \
	{ SHMCHAN_CMD_JOIN, "join" }, \
	{ SHMCHAN_CMD_EXTENTS, "extents" }, \
	{ SHMCHAN_CMD_MINT, "mint" }, \
	{ SHMCHAN_CMD_PUBLISH, "publish" }, \
	{ SHMCHAN_CMD_WITHDRAW, "withdraw" }, \
	{ SHMCHAN_CMD_SETATTR, "setattr" }, \
	{ SHMCHAN_CMD_SEAL, "seal" }, \
	{ SHMCHAN_CMD_REVOKE, "revoke" }, \
	{ SHMCHAN_CMD_LEAVE, "leave" }, \
	{ SHMCHAN_CMD_MEMBER_INFO, "member_info" }, \
	{ SHMCHAN_CMD_WAIT, "wait" }, \
	{ SHMCHAN_CMD_RING, "ring" }, \
	{ SHMCHAN_CMD_RING_WAIT, "ring_wait" }, \
	{ SHMCHAN_CMD_ARM, "arm" }, \
	{ SHMCHAN_CMD_SUBSCRIBE, "subscribe" }, \
	{ SHMCHAN_CMD_EXPORT_DMABUF, "export_dmabuf" }, \
	{ SHMCHAN_CMD_BIND_EVENTFD, "bind_eventfd" }, \
	{ SHMCHAN_TRACE_MMAP, "mmap" })

#define show_shmchan_how(how) __print_symbolic(how, \
	{ SHMCHAN_SLOT_LEFT, "left" }, \
	{ SHMCHAN_SLOT_DIED, "died" }, \
	{ SHMCHAN_SLOT_REVOKED, "revoked" })

/*
 * @member: the capability that it was done with, or NULL
 * @name: the name that the call gave, or ""
 * @flags: of the call
 * @object: what it was about: the slot, the uid, the mode, the rights, the
 *	seals
 */
DECLARE_EVENT_CLASS(shmchan_call,
	TP_PROTO(const struct shmchan_member *member, const char *name,
		 unsigned int op, u32 flags, u32 object, int ret),
	TP_ARGS(member, name, op, flags, object, ret),
	TP_STRUCT__entry(
		__field(unsigned int, op)
		__field(int, ret)
		__field(u32, flags)
		__field(u32, object)
		__field(uid_t, uid)
		__field(unsigned int, ipc_ns)
		__field(unsigned long, region)
		__field(u32, rights)
		__field(u32, slot)
		__array(char, name, SHMCHAN_NAME_LEN)
	),
	TP_fast_assign(
		__entry->op = op;
		__entry->ret = ret;
		__entry->flags = flags;
		__entry->object = object;
		__entry->uid = from_kuid(&init_user_ns, current_euid());
		__entry->ipc_ns = current->nsproxy->ipc_ns->ns.inum;
		__entry->region = member ? member->region->inode->i_ino : 0;
		__entry->rights = member ? READ_ONCE(member->terms.rights) : 0;
		__entry->slot = member && member->generation ?
				member->slot : SHMCHAN_SLOT_NONE;
		strscpy(__entry->name, name[0] || !member ? name :
			member->region->label, SHMCHAN_NAME_LEN);
	),
	TP_printk("%s flags=%#x object=%#x ret=%d uid=%u ipc_ns=%u region=%lu name=%s rights=%#x slot=%d",
		  show_shmchan_op(__entry->op), __entry->flags,
		  __entry->object, __entry->ret, __entry->uid,
		  __entry->ipc_ns, __entry->region, __entry->name,
		  __entry->rights, (int)__entry->slot)
);

/* Somebody was let in, went, gave something on, or changed who may. */
DEFINE_EVENT(shmchan_call, shmchan_access,
	TP_PROTO(const struct shmchan_member *member, const char *name,
		 unsigned int op, u32 flags, u32 object, int ret),
	TP_ARGS(member, name, op, flags, object, ret));

/* Somebody wanted to and may not. */
DEFINE_EVENT(shmchan_call, shmchan_refused,
	TP_PROTO(const struct shmchan_member *member, const char *name,
		 unsigned int op, u32 flags, u32 object, int ret),
	TP_ARGS(member, name, op, flags, object, ret));

/* A member has ended, by whatever; the task is who ended it. */
TRACE_EVENT(shmchan_end,
	TP_PROTO(const struct shmchan_member *member, u32 how),
	TP_ARGS(member, how),
	TP_STRUCT__entry(
		__field(u32, how)
		__field(u32, slot)
		__field(u32, generation)
		__field(uid_t, uid)
		__field(unsigned long, region)
		__array(char, name, SHMCHAN_NAME_LEN)
	),
	TP_fast_assign(
		__entry->how = how;
		__entry->slot = member->slot;
		__entry->generation = member->generation;
		__entry->uid = from_kuid(&init_user_ns, member->grant->joined_uid);
		__entry->region = member->region->inode->i_ino;
		strscpy(__entry->name, member->region->label, SHMCHAN_NAME_LEN);
	),
	TP_printk("%s slot=%u generation=%u uid=%u region=%lu name=%s",
		  show_shmchan_how(__entry->how), __entry->slot,
		  __entry->generation, __entry->uid, __entry->region,
		  __entry->name)
);

#endif /* _SHMCHAN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
