// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of trace.h, and what is told of a call.
 */

#include <linux/errno.h>

#include "compat.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* What a call is about, beside its flags: see trace.h. */
static u32 object_of(unsigned int op, const void *arg)
{
	const struct shmchan_revoke *revoke = arg;

	switch (op) {
	case SHMCHAN_CMD_CREATE:
		return ((const struct shmchan_create *)arg)->mode;
	case SHMCHAN_CMD_OPEN:
		return ((const struct shmchan_open *)arg)->rights;
	case SHMCHAN_CMD_JOIN:
		return ((const struct shmchan_join *)arg)->slot;
	case SHMCHAN_CMD_MINT:
		return ((const struct shmchan_mint *)arg)->rights;
	case SHMCHAN_CMD_PUBLISH:
		return ((const struct shmchan_publish *)arg)->rights;
	case SHMCHAN_CMD_SETATTR:
		return ((const struct shmchan_setattr *)arg)->mode;
	case SHMCHAN_CMD_SEAL:
		return ((const struct shmchan_seal *)arg)->seals;
	case SHMCHAN_CMD_REVOKE:
		return revoke->flags & SHMCHAN_REVOKE_UID ? revoke->uid :
							    revoke->slot;
	case SHMCHAN_CMD_RING:
		return ((const struct shmchan_ring *)arg)->doorbell;
	case SHMCHAN_CMD_RING_WAIT:
		return ((const struct shmchan_ring_wait *)arg)->doorbell;
	case SHMCHAN_CMD_ARM:
		return ((const struct shmchan_arm *)arg)->doorbell;
	case SHMCHAN_CMD_SUBSCRIBE:
		return ((const struct shmchan_subscribe *)arg)->doorbell;
	case SHMCHAN_CMD_BIND_EVENTFD:
		return ((const struct shmchan_bind_eventfd *)arg)->doorbell;
	default:
		return 0;
	}
}

/* Does a call change who may do what? */
static bool is_access(unsigned int op)
{
	switch (op) {
	case SHMCHAN_CMD_CREATE:
	case SHMCHAN_CMD_OPEN:
	case SHMCHAN_CMD_JOIN:
	case SHMCHAN_CMD_MINT:
	case SHMCHAN_CMD_PUBLISH:
	case SHMCHAN_CMD_WITHDRAW:
	case SHMCHAN_CMD_SETATTR:
	case SHMCHAN_CMD_SEAL:
	case SHMCHAN_CMD_REVOKE:
	case SHMCHAN_CMD_EXPORT_DMABUF:
		return true;
	default:
		return false;
	}
}

static bool is_refusal(int ret)
{
	return ret == -EACCES || ret == -EPERM || ret == -ECONNREFUSED ||
	       ret == -ESTALE || ret == -EDQUOT || ret == -ENOSPC;
}

/**
 * shmchan_trace_call - tell of an ioctl that has been done
 * @call: the call
 * @op: SHMCHAN_CMD_*
 * @ret: what it returns
 */
void shmchan_trace_call(const struct shmchan_call *call, unsigned int op,
			int ret)
{
	const struct shmchan_member *member = NULL;
	u32 flags;

	/* Each call comes here, and mostly nobody audits. */
	if (!trace_shmchan_refused_enabled() && !trace_shmchan_access_enabled())
		return;
	if (call->file->f_op == &shmchan_member_fops)
		member = call->file->private_data;
	/* Every structure begins with its size and its flags. */
	flags = ((const u32 *)call->arg)[1];

	if (is_refusal(ret))
		trace_shmchan_refused(member, call->name, op, flags,
				      object_of(op, call->arg), ret);
	else if (!ret && is_access(op))
		trace_shmchan_access(member, call->name, op, flags,
				     object_of(op, call->arg), ret);
}

/**
 * shmchan_trace_done - the same, of a call of which only this is known
 * @file: a member's
 * @op: SHMCHAN_CMD_*
 * @arg: its structure
 * @ret: what it returns
 */
void shmchan_trace_done(struct file *file, unsigned int op, void *arg, int ret)
{
	struct shmchan_call call shmchan_uninitialized;

	call.file = file;
	call.arg = arg;
	call.name[0] = 0;
	shmchan_trace_call(&call, op, ret);
}

/**
 * shmchan_trace_mmap - tell of a mapping that was refused
 * @member: whose
 * @flags: of the mapping
 * @ret: what mmap() returns
 */
void shmchan_trace_mmap(const struct shmchan_member *member,
			unsigned long flags, int ret)
{
	if (is_refusal(ret))
		trace_shmchan_refused(member, "", SHMCHAN_TRACE_MMAP, flags, 0,
				      ret);
}

/**
 * shmchan_trace_end - tell of a member that has ended
 * @member: which
 * @how: enum shmchan_slot_state
 */
void shmchan_trace_end(const struct shmchan_member *member, u32 how)
{
	trace_shmchan_end(member, how);
}
