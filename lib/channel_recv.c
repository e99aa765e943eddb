// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels of many, the receiving end: the ways to read. */

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "channel_private.h"
#include "lane_private.h"

static int look_recv(struct shmchan_receiver *rx, const struct channel_look *l)
{
	uint32_t meta = 0;
	size_t length = 0;
	int ret = shmchan_lane_recv(rx->cur, l->buf, l->size, &length, &meta);

	if (!ret)
		shmchan__received(rx, length, meta, l->msg);
	else if (ret == -EMSGSIZE && l->msg)
		l->msg->length = length;
	return ret;
}

int shmchan__recv(struct shmchan_receiver *rx, void *buf, size_t capacity,
		  struct shmchan_msg *msg, int64_t timeout_ns, int err)
{
	const struct channel_look look = {
		.buf = buf, .size = capacity, .msg = msg,
	};

	/* Once more, for its length. */
	if (err == -EMSGSIZE)
		err = look_recv(rx, &look);
	return err ? channel_until(rx, look_recv, &look, timeout_ns, err) : 0;
}

static int look_recv_n(struct shmchan_receiver *rx,
		       const struct channel_look *l)
{
	uint32_t meta = 0;
	int ret = shmchan_lane_recv_n(rx->cur, l->buf, l->size, l->max, &meta);

	if (ret <= 0)
		return ret;
	shmchan__received(rx, l->size, meta, l->msg);
	/* One of them is counted already. */
	rx->left -= (uint32_t)ret <= rx->left ? (uint32_t)ret - 1 : rx->left;
	return ret;
}

int shmchan_recv_n(struct shmchan_receiver *rx, void *buf, size_t size,
		   size_t max, struct shmchan_msg *msg, int64_t timeout_ns)
{
	const struct channel_look look = {
		.buf = buf, .size = size, .max = max, .msg = msg,
	};
	int ret = channel_receiver_enter(rx);

	if (ret)
		return ret;
	if (!max)
		ret = 0;
	else if (rx->left)
		ret = look_recv_n(rx, &look);
	else
		ret = -EAGAIN;
	if (ret < 0)
		ret = channel_until(rx, look_recv_n, &look, timeout_ns, ret);
	shmchan__leave(&rx->busy);
	return ret;
}

/* Into the pieces; there is room for all. */
static void scatter(const struct iovec *iov, const uint8_t *data, size_t length)
{
	size_t n;

	for (; length; iov++) {
		n = iov->iov_len < length ? iov->iov_len : length;
		if (n)
			memcpy(iov->iov_base, data, n);
		data += n;
		length -= n;
	}
}

/* Where the sender may pass us, it is copied as a whole first, and looked at. */
static int look_bounced(struct shmchan_receiver *rx,
			const struct channel_look *l)
{
	struct channel_look whole = *l;
	struct shmchan_msg msg;
	int ret;

	if (!rx->bounce)
		rx->bounce = (uint8_t *)malloc(rx->cur->max_payload);
	if (!rx->bounce)
		return shmchan__fail(ENOMEM,
				     CHANNEL ": no memory for a message of up to %u bytes",
				     rx->cur->max_payload);
	whole.buf = rx->bounce;
	whole.msg = &msg;
	ret = look_recv(rx, &whole);
	if (l->msg && (!ret || ret == -EMSGSIZE))
		*l->msg = msg;
	if (!ret)
		scatter(l->iov, rx->bounce, msg.length);
	return ret;
}

static int look_recvv(struct shmchan_receiver *rx, const struct channel_look *l)
{
	struct shmchan_lane_reader *r = rx->cur;
	const uint8_t *data;
	uint32_t length, meta;
	uint64_t end;
	int ret;

	if (r->passable)
		return look_bounced(rx, l);
	ret = shmchan_lane__front(r, &data, &length, &meta, &end);
	if (ret)
		return ret;
	if (length > l->size) {
		if (l->msg)
			l->msg->length = length;
		return -EMSGSIZE;
	}
	scatter(l->iov, data, length);
	if (shmchan_lane__gone(r->own_word, r->own_live))
		return shmchan_lane__stale();
	shmchan_lane__advance(r, end);
	shmchan__received(rx, length, meta, l->msg);
	return 0;
}

static int recvv(struct shmchan_receiver *rx, const struct iovec *iov, int nr,
		 struct shmchan_msg *msg, int64_t timeout_ns)
{
	struct channel_look look = {
		.iov = iov, .nr_iov = nr, .msg = msg,
	};
	int i, ret = -EAGAIN;

	for (i = 0; i < nr; i++)
		if (__builtin_add_overflow(look.size, iov[i].iov_len,
					   &look.size))
			return shmchan__fail(EINVAL,
					     CHANNEL ": lengths of pieces overflow");
	if (nr < 0)
		return shmchan__fail(EINVAL, CHANNEL ": %d pieces", nr);
	if (rx->left)
		ret = look_recvv(rx, &look);
	return ret ? channel_until(rx, look_recvv, &look, timeout_ns, ret) : 0;
}

int shmchan_recvv(struct shmchan_receiver *rx, const struct iovec *iov, int nr,
		  struct shmchan_msg *msg, int64_t timeout_ns)
{
	int ret = channel_receiver_enter(rx);

	if (ret)
		return ret;
	ret = recvv(rx, iov, nr, msg, timeout_ns);
	shmchan__leave(&rx->busy);
	return ret;
}

static int look_newest(struct shmchan_receiver *rx,
		       const struct channel_look *l)
{
	uint32_t meta = 0;
	size_t length = 0;
	uint64_t skipped = 0;
	int ret = shmchan_lane_recv_newest(rx->cur, l->buf, l->size, &length,
					   &meta, &skipped);

	if (!ret) {
		shmchan__received(rx, length, meta, l->msg);
		rx->lost += skipped;
		if (l->msg)
			l->msg->lost = skipped;
	} else if (ret == -EMSGSIZE) {
		rx->lost += skipped;
		rx->inlets[channel_index(rx, rx->cur)].skipped = skipped;
		if (l->msg)
			l->msg->length = length;
	}
	return ret;
}

int shmchan_recv_newest(struct shmchan_receiver *rx, void *buf, size_t capacity,
			struct shmchan_msg *msg, int64_t timeout_ns)
{
	const struct channel_look look = {
		.buf = buf, .size = capacity, .msg = msg,
	};
	int ret = channel_receiver_enter(rx);

	if (ret)
		return ret;
	ret = -EAGAIN;
	if (rx->region && !(rx->lanes[0].lane.flags & SHMCHAN_LANE_OVERWRITE))
		ret = shmchan__fail(ENOTSUP,
				    CHANNEL ": the newest alone is for channels with SHMCHAN_POLICY_OVERWRITE, which %s is not",
				    shmchan__name_of(rx->region));
	else if (rx->left)
		ret = look_newest(rx, &look);
	if (ret && ret != -ENOTSUP)
		ret = channel_until(rx, look_newest, &look, timeout_ns, ret);
	shmchan__leave(&rx->busy);
	return ret;
}
