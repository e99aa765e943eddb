/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_ACCESS_H
#define SHMCHAN_ACCESS_H

/*
 * Access: letting others into a region, as far as one wants, and out again.
 *
 * Whoever may open a region's name by its owner, group and mode needs none of
 * this: shmchan_region_open() does it.  This header is for the rest: to share
 * with one process and not with all of a user, to share a part, to share with a
 * container, to change one's mind.
 *
 * A *capability* is an open file that stands for a region.  It carries rights,
 * perhaps a slot that it is for, and the part of the memory that it reaches; all
 * of these only ever get less.  Here it is a plain file descriptor, close-on-exec
 * and the caller's to close.  A capability that has not joined takes no slot and
 * maps nothing; whoever has it may use it, so it is what one hands on.  The one
 * of a region that is open is shmchan_region_fd(): a member can use the calls
 * below as well.
 *
 *  mint	makes a second capability that allows no more than the first; that
 *		takes the right PUBLISH.
 *  narrow	takes away from the one there is, before it joins or is passed on.
 *  send, receive	pass one over a unix socket, to any process of the machine,
 *		in whatever namespace.
 *  adopt	joins with it: from then on it is a region as any other, of which
 *		as much is mapped as the capability reaches.  What is in the region
 *		is opened with the call of that object, see "Into what" below.
 *  publish	gives the region a further name, in the caller's own IPC namespace:
 *		how a region gets into a container.
 *  chmod, chown, seal, revoke	by who has the right ADMIN: the owner, as a rule.
 *
 * To share read-only with a stranger:
 *
 *	struct shmchan_capability_opts how = SHMCHAN_CAPABILITY_OPTS(
 *		.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT |
 *			  SHMCHAN_RIGHT_PUBLISH);
 *	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(
 *		.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT);
 *	int all = shmchan_capability_open("prices", &how);
 *	int one = shmchan_capability_mint(all, &less);
 *	int err = shmchan_capability_send(sock, one);
 *	close(one);
 *
 * and the stranger, with the other end of the socket (it needs neither the name
 * nor /dev/shmchan):
 *
 *	struct shmchan_region *r;
 *	int one = shmchan_capability_receive(sock);
 *	int err = shmchan_region_adopt(&r, one, NULL);
 *
 * examples/share.c is that, whole.
 *
 * Into what.  Each object that can be opened by its name can be entered with a
 * capability for its region, by a process that shares no namespace with the others:
 *
 *	shmchan_spsc_adopt		<shmchan/spsc.h>
 *	shmchan_sender_adopt,		<shmchan/channel.h>: fan-in, pub/sub,
 *	shmchan_receiver_adopt		latest value, and the others of many
 *	shmchan_rpc_server_adopt,	<shmchan/rpc.h>
 *	shmchan_rpc_client_adopt
 *	shmchan_pool_adopt		<shmchan/pool.h>
 *	shmchan_workq_adopt		<shmchan/workq.h>
 *	shmchan_sync_adopt		<shmchan/sync.h>
 *
 * They take the options of the object's open call, of which create, exclusive,
 * any_owner, backend and wait_ns have to be 0: it is there, and who handed out the
 * capability is who one trusts.  What is for create alone does nothing.  A member
 * takes the rights read, write, ring and wait, and all of the region; only a
 * receiver of a blind channel, who writes nothing, does with read and wait (and so
 * cannot write even if it wants to).  A capability for a slot brings its holder into
 * that seat, and a sender's is refused to a receiver.  All of this is looked at
 * before it joins.  From 0 on the file is the object's, and closed with it.  After
 * an error it is still the caller's, and as good as before, unless what it joined
 * turned out to be something else in spite of its looks, or the seat of another
 * kind than asked for (EPROTO, EBUSY): then it has been used up.  Errors: as of
 * shmchan_region_adopt() and of the object's open call, but those about names;
 * EACCES also for a right, or a part of the region, that it lacks, and for another
 * role's slot: the detail says which, and how to mint one that does.
 *
 * What one trusts whom with:
 *
 *  - A capability without PUBLISH brings in one process, whichever that is: the
 *    holder chooses, and no kernel can keep it from passing it on.  Limit it to a
 *    slot, and that is who it becomes.
 *  - With PUBLISH its holder brings in as many as it likes, none of whom may do
 *    more than itself; with ADMIN it decides about all the others, but not about
 *    those that it comes of.
 *  - Who opens a published name trusts the publisher about what it is: its owner
 *    is the publisher, and the same is expected of it as of any name.
 *  - What came of a capability is revoked with it, who has it by now or not.
 *
 * Being revoked.  Nothing of the region is mapped any more: what was read-only
 * reads as zeros, what was writable is memory that nobody else sees.  The calls
 * of this library say ESTALE from then on, also those that only look at memory:
 * they look at our own slot word last, so zeros are never taken for a message,
 * an end or a broken rule; shmchan_region_check() is that look for programs that
 * read the region by themselves.  shmchan_lane_reserve() and shmchan_spsc_send()
 * say what a sender may have been told in that instant.  Who would rather have
 * SIGBUS at the first touch joins with SHMCHAN_JOIN_SIGBUS.
 *
 * Nobody is revoked with the local backend, and there are no capabilities: all
 * calls here say ENOTSUP there.  With the module they also give, beside what
 * each says:
 *
 *  EBADF, EPROTO	not a file; not a capability of shmchan
 *  EACCES	it has not the right that the call takes; the detail says which
 *  EPERM	it has joined, as another process
 *  ESTALE	it has been revoked, or has left
 *  EALREADY	somebody is at JOIN with it right now
 *  ENOTSUP	the module that is loaded has no such call
 *
 * All calls may be made by any thread.  None blocks for longer than the kernel
 * takes; receive waits for the other side as its socket says.
 */

#include <stdint.h>

#include <shmchan/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How to open a capability.  Begin with SHMCHAN_CAPABILITY_OPTS(). */
struct shmchan_capability_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_backend backend;
	uint32_t rights;	/* SHMCHAN_RIGHT_*; 0: read write ring wait */
	int any_owner;		/* else only a name of our own uid, or root's */
	uint32_t owner_uid;	/* ... or of this uid, if has_owner_uid */
	int has_owner_uid;
};

#define SHMCHAN_CAPABILITY_OPTS(...) \
	((struct shmchan_capability_opts){ \
		.size = sizeof(struct shmchan_capability_opts), __VA_ARGS__ })

/*
 * A capability for a region that has a name here.  It does not join: no slot is
 * taken, nothing is mapped.  Returns the file.  opts may be NULL.  Errors:
 * ENOENT, EACCES (a right that is wanted is not granted), EPERM (somebody else's
 * than expected), EINVAL, ENODEV, EMFILE, ENFILE.
 */
int shmchan_capability_open(const char *name,
			    const struct shmchan_capability_opts *opts);

/* What a capability is to allow.  Begin with SHMCHAN_MINT_OPTS(). */
struct shmchan_mint_opts {
	size_t size;
	uint32_t rights;	/* SHMCHAN_RIGHT_*, at least one */
	uint32_t slot;		/* that it may take; SHMCHAN_SLOT_ANY by default */
	/*
	 * What it may map and wait for, in multiples of 4 KiB, as region offsets;
	 * {0, 0}: nothing; NULL: as much as what it is made from.  The header
	 * page and the status area can be read with any.
	 */
	const struct shmchan_range *data;
	const struct shmchan_range *control;
};

#define SHMCHAN_MINT_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_mint_opts, __VA_ARGS__)

/*
 * Make another capability, which has not joined, and returns its file.  Takes
 * PUBLISH.  Errors: EACCES (also: more than this one has; says what), EINVAL
 * (says which option), EMLINK (SHMCHAN_MAX_DEPTH made one from the other),
 * EMFILE, ENFILE.
 */
int shmchan_capability_mint(int capability,
			    const struct shmchan_mint_opts *opts);

/* Let this one allow less.  As mint, without PUBLISH; EISCONN: it has joined. */
int shmchan_capability_narrow(int capability,
			      const struct shmchan_mint_opts *opts);

/*
 * Pass one on over a unix socket, with one byte.  It stays open here: close it.
 * EINVAL: it has joined, so it is of no use to anybody else: mint one.  Else the
 * errors of sendmsg(2): EPIPE without a signal, EAGAIN if the socket does not
 * block.
 */
int shmchan_capability_send(int sock, int capability);

/*
 * Receive one; returns its file.  Errors: EPROTO (what came is no capability, or
 * came without a file; it is closed), EPIPE (the other side closed), EMFILE (no
 * room for the file: the message is gone), and those of recvmsg(2): EAGAIN.
 */
int shmchan_capability_receive(int sock);

/* How to join with a capability.  Begin with SHMCHAN_ADOPT_OPTS(). */
struct shmchan_adopt_opts {
	size_t size;
	uint32_t slot;		/* to take; SHMCHAN_SLOT_ANY by default */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, _ASYM */
};

#define SHMCHAN_ADOPT_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_adopt_opts, __VA_ARGS__)

/*
 * Become a member by a capability and map what it reaches; needs MAP_READ.  The
 * addresses of what it does not reach are reserved, and touching them raises
 * SIGSEGV: shmchan_region_query() says what is mapped, in data and control.  From
 * 0 on the file is the region's, closed with it; after an error it is still the
 * caller's.  opts may be NULL.  Errors: EISCONN (it has joined before: each is
 * good for one member), ECONNREFUSED (sealed), EBUSY, EUSERS, EACCES (a slot
 * reserved for another user, or not the one it is for), EINVAL, ENOMEM.
 */
int shmchan_region_adopt(struct shmchan_region **region, int capability,
			 const struct shmchan_adopt_opts *opts);

/* A name of one's own.  Begin with SHMCHAN_PUBLISH_OPTS(). */
struct shmchan_publish_opts {
	size_t size;
	uint32_t mode;		/* permission bits; 0: 0600; the umask applies */
	uint32_t rights;	/* the most it grants; 0: of read, write, ring and
				   wait what the capability has */
};

#define SHMCHAN_PUBLISH_OPTS(...) \
	((struct shmchan_publish_opts){ \
		.size = sizeof(struct shmchan_publish_opts), __VA_ARGS__ })

/*
 * Give the region a further name in our IPC namespace, owned by us.  Takes
 * PUBLISH.  It goes with the last member of this namespace and this capability
 * (as long as that has not joined: with this process), or by withdraw.  opts may
 * be NULL.  Errors: EEXIST, ECONNREFUSED (sealed against it), EMLINK (the region
 * has SHMCHAN_MAX_NAMES), EXDEV (this capability keeps names in another
 * namespace), EACCES (also: more rights than it has), EINVAL.
 */
int shmchan_capability_publish(int capability, const char *name,
			       const struct shmchan_publish_opts *opts);

/*
 * Take a name in our IPC namespace away again: one that this capability has
 * published, or any of this region with ADMIN.  Who is in stays.  ENOENT: no
 * such name of this region here.
 */
int shmchan_capability_withdraw(int capability, const char *name);

/* All that were published, in whatever namespaces: how many.  Takes ADMIN. */
int shmchan_capability_withdraw_all(int capability);

/*
 * Whom the name that CREATE gave lets in from now on.  They take ADMIN.  ~0U for
 * uid or gid: as it is.  EPERM: to give it to another user takes CAP_CHOWN over
 * both; to a group, to be in it.
 */
int shmchan_capability_chmod(int capability, uint32_t mode);
int shmchan_capability_chown(int capability, uint32_t uid, uint32_t gid);

/* SHMCHAN_SEAL_*: no new members, no further names; for good.  Takes ADMIN. */
int shmchan_capability_seal(int capability, uint32_t seals);

/* What a call of revoke has ended. */
struct shmchan_revoked {
	uint32_t members;
	uint32_t unjoined;	/* capabilities that had not joined */
};

/*
 * End the member that holds a slot (generation 0: whichever it is), or all
 * members and capabilities of a user, and everything that came of them.  When it
 * returns, nothing of the region is mapped by them.  They may come in again if the
 * name lets them: change its mode or seal first.  Takes ADMIN.  revoked may be
 * NULL.  Errors: ESRCH (nobody holds the slot, or not that generation), EINVAL
 * (also our own slot: close the region), EPERM (also: this capability was minted
 * from that one's).
 */
int shmchan_capability_revoke_slot(int capability, uint32_t slot,
				   uint32_t generation,
				   struct shmchan_revoked *revoked);
int shmchan_capability_revoke_uid(int capability, uint32_t uid,
				  struct shmchan_revoked *revoked);

/*
 * As shmchan_region_query(), of a capability: query is all zero, or has room for
 * windows and doorbells.  data, control and join_slot say how far it reaches.
 */
int shmchan_capability_query(int capability, struct shmchan_query *query);

/* As shmchan_region_member(), for a capability with ADMIN that has not joined. */
int shmchan_capability_member(int capability, uint32_t slot,
			      struct shmchan_member_info *info);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_ACCESS_H */
