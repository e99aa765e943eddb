// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Sets: what several regions and channels wait for, <shmchan/loop.h>: their members. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_private.h"
#include "set_private.h"
#include "spsc_private.h"
#include "workq_private.h"

int shmchan__set_enter(struct shmchan_set *set)
{
	if (!set)
		return shmchan__fail(EINVAL, "the set is NULL");
	if (!shmchan__process_is(set->token))
		return shmchan__fail(EOWNERDEAD,
			"this set was made before fork, by the parent: a child makes its own");
	return shmchan__enter(&set->busy, "set");
}

int shmchan_set_create(struct shmchan_set **set)
{
	struct shmchan_set *s;

	if (!set)
		return shmchan__fail(EINVAL, "nowhere to put the set: NULL");
	*set = NULL;
	s = calloc(1, sizeof(*s));
	if (s)
		s->token = shmchan__process_token();
	if (!s || !s->token) {
		free(s);
		return shmchan__fail(ENOMEM, "no memory for a set");
	}
	s->epoll.fd = -1;
	*set = s;
	return 0;
}

void shmchan_set_close(struct shmchan_set *set)
{
	uint32_t id;

	if (!set)
		return;
	if (shmchan__process_is(set->token)) {
		for (id = 0; id < set->nr_ids && set->epoll.fd >= 0; id++)
			if (set->members[id].region)
				shmchan__set_unwatch(set, &set->members[id]);
		shmchan__set_end_file(set);
	} else if (set->poll) {
		local_poll_close(set->poll);
	}
	free(set);
}

static int add(struct shmchan_set *set, const struct set_member *m)
{
	enum shmchan_backend backend = m->region->backend;
	uint32_t id;
	int err;

	if (set->backend != SHMCHAN_BACKEND_AUTO && set->backend != backend)
		return shmchan__fail(EXDEV,
			"%s is of the %s backend, what is in the set of the %s backend: make a set for each, or open all with the same (shmchan_region_opts.backend)",
			shmchan__name_of(m->region),
			shmchan_backend_name(backend),
			shmchan_backend_name(set->backend));
	if (set->nr_conds + set_weight(m) > SET_MAX)
		return shmchan__fail(ENOSPC,
			"the set has %u conditions of %d, and this takes %u: make another set for it",
			set->nr_conds, SET_MAX, set_weight(m));
	err = shmchan__set_begin_watch(set, m);
	if (err)
		return err;
	for (id = 0; id < set->nr_ids; id++)
		if (!set->members[id].region)
			break;
	if (id == set->nr_ids)
		set->nr_ids++;
	set->members[id] = *m;
	set->nr_conds += set_weight(m);
	set->backend = backend;
	return (int)id;
}

/* Is it one that can be waited for? */
static int check_word(const struct shmchan_region *region,
		      const struct shmchan_wait_elem *elem)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (!elem)
		return shmchan__fail(EINVAL, "no word to wait for: NULL");
	if (elem->fd != -1)
		return shmchan__fail(EINVAL,
			"fd is %d: should be -1, the region says whose the word is",
			elem->fd);
	return shmchan__check_wait(shmchan__private(region), elem, 1);
}

int shmchan_set_add(struct shmchan_set *set, const struct shmchan_region *region,
		    const struct shmchan_wait_elem *elem, void *data)
{
	struct set_member m = { .region = region, .data = data };
	int ret = shmchan__set_enter(set);

	if (ret)
		return ret;
	ret = check_word(region, elem);
	if (!ret) {
		m.elem = *elem;
		ret = add(set, &m);
	}
	return set_leave(set, ret);
}

/* Each kind of object, with what all need. */

static int spsc_conds(void *object, struct shmchan_cond *conds)
{
	return shmchan__spsc_conds((struct shmchan_spsc *)object, conds);
}

static int receiver_conds(void *object, struct shmchan_cond *conds)
{
	return shmchan__receiver_conds((struct shmchan_receiver *)object, conds);
}

static int server_conds(void *object, struct shmchan_cond *conds)
{
	return shmchan__rpc_server_conds((struct shmchan_rpc_server *)object,
					 conds);
}

static int client_conds(void *object, struct shmchan_cond *conds)
{
	return shmchan__rpc_client_conds((struct shmchan_rpc_client *)object,
					 conds);
}

static int workq_conds(void *object, struct shmchan_cond *conds)
{
	return shmchan__workq_conds((struct shmchan_workq *)object, conds);
}

/* With the subscription it may not be counted among sleepers any more. */
static void receiver_unwatched(void *object)
{
	((struct shmchan_receiver *)object)->armed = 0;
}

static void server_unwatched(void *object)
{
	((struct shmchan_rpc_server *)object)->armed = 0;
}

static const struct set_kind spsc_kind = {
	SHMCHAN_SPSC_CONDS, spsc_conds, NULL,
};

static const struct set_kind receiver_kind = {
	SHMCHAN_RECEIVER_CONDS, receiver_conds, receiver_unwatched,
};

static const struct set_kind server_kind = {
	SHMCHAN_RPC_SERVER_CONDS, server_conds, server_unwatched,
};

static const struct set_kind client_kind = {
	SHMCHAN_RPC_CLIENT_CONDS, client_conds, NULL,
};

static const struct set_kind workq_kind = {
	SHMCHAN_WORKQ_CONDS, workq_conds, NULL,
};

/* A call that adds one begins, if it can be waited for. */
static int begin_object(struct shmchan_set *set, const struct set_kind *kind,
			void *object)
{
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	int ret = shmchan__set_enter(set);

	if (ret)
		return ret;
	ret = kind->conds(object, conds);
	return ret < 0 ? set_leave(set, ret) : 0;
}

/* ... and ends. */
static int add_object(struct shmchan_set *set, const struct set_kind *kind,
		      void *object, const struct shmchan_region *region,
		      uint32_t doorbell, void *data)
{
	const struct set_member m = {
		.region = region, .kind = kind, .object = object,
		.elem = shmchan_elem64(doorbell, 0, 0), .data = data,
	};

	return set_leave(set, add(set, &m));
}

int shmchan_set_add_spsc(struct shmchan_set *set, struct shmchan_spsc *ch,
			 void *data)
{
	int ret = begin_object(set, &spsc_kind, ch);

	return ret ? ret : add_object(set, &spsc_kind, ch, ch->region,
				      BELL_DATA, data);
}

int shmchan_set_add_receiver(struct shmchan_set *set,
			     struct shmchan_receiver *rx, void *data)
{
	int ret = begin_object(set, &receiver_kind, rx);

	return ret ? ret : add_object(set, &receiver_kind, rx, rx->region,
				      rx->data_doorbell, data);
}

int shmchan_set_add_rpc_server(struct shmchan_set *set,
			       struct shmchan_rpc_server *s, void *data)
{
	int ret = begin_object(set, &server_kind, s);

	return ret ? ret : add_object(set, &server_kind, s, s->region,
				      BELL_SERVER, data);
}

int shmchan_set_add_rpc_client(struct shmchan_set *set,
			       struct shmchan_rpc_client *c, void *data)
{
	int ret = begin_object(set, &client_kind, c);

	return ret ? ret : add_object(set, &client_kind, c, c->region,
				      c->bell, data);
}

int shmchan_set_add_workq(struct shmchan_set *set, struct shmchan_workq *q,
			  void *data)
{
	int ret = begin_object(set, &workq_kind, q);

	return ret ? ret : add_object(set, &workq_kind, q, q->region,
				      BELL_WORK, data);
}

static struct set_member *find(struct shmchan_set *set, int id)
{
	if (id < 0 || (uint32_t)id >= set->nr_ids ||
	    !set->members[id].region) {
		shmchan__fail(ENOENT, "the set has no number %d", id);
		return NULL;
	}
	return &set->members[id];
}

static int remove_one(struct shmchan_set *set, int id)
{
	struct set_member *m = find(set, id);

	if (!m)
		return -ENOENT;
	if (set->epoll.fd >= 0)
		shmchan__set_unwatch(set, m);
	set->nr_conds -= set_weight(m);
	memset(m, 0, sizeof(*m));
	while (set->nr_ids && !set->members[set->nr_ids - 1].region)
		set->nr_ids--;
	if (!set->nr_ids) {
		shmchan__set_end_local(set);
		set->backend = SHMCHAN_BACKEND_AUTO;
	}
	return 0;
}

int shmchan_set_remove(struct shmchan_set *set, int id)
{
	int err = shmchan__set_enter(set);

	return err ? err : set_leave(set, remove_one(set, id));
}

static int expect(struct shmchan_set *set, int id, uint64_t value)
{
	struct set_member *m = find(set, id);

	if (!m)
		return -ENOENT;
	if (!set_is_word(m))
		return shmchan__fail(EINVAL,
			"number %d is no word, but a channel or the like, which knows itself what it waits for",
			id);
	if (m->elem.flags & SHMCHAN_ELEM_32 && value >> 32)
		return shmchan__fail(EINVAL,
			"value %#llx for a word of 32 bits",
			(unsigned long long)value);
	m->elem.value = value;
	return 0;
}

int shmchan_set_expect(struct shmchan_set *set, int id, uint64_t value)
{
	int err = shmchan__set_enter(set);

	return err ? err : set_leave(set, expect(set, id, value));
}
