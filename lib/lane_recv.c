// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Lanes, the reading end: reading what comes next.  Where the writer may pass us,
 * what has been copied counts only if it has not, which is looked at behind it.
 */

#include "lane_private.h"

/* What is at the front: the next of an open run, or the record behind header. */
static void reader_found(const struct shmchan_lane_reader *r, uint64_t header,
			 const uint8_t **data, uint32_t *length,
			 uint32_t *meta, uint64_t *end)
{
	if (r->run_left) {
		*data = r->run_next;
		*length = r->run_size;
		*meta = r->run_meta;
		*end = r->pos;
		return;
	}
	*length = shmchan_hdr_length(header);
	*end = r->pos + shmchan_lane_extent(*length);
	*data = (const uint8_t *)(shmchan_lane__from(r, r->pos) + 1);
	*meta = (uint32_t)(header >> 32);
}

/*
 * The payload to be read next in a lane that is not passable, at *data; *end is
 * where the reader goes on after it, pos if it is one of a run.
 */
int shmchan_lane__front(struct shmchan_lane_reader *r, const uint8_t **data,
			uint32_t *length, uint32_t *meta, uint64_t *end)
{
	uint64_t header = 0;
	int err;

	if (!r->run_left) {
		header = shmchan_lane__look(shmchan_lane__from(r, r->pos));
		*length = shmchan_lane__plain_length(header);
		if (!shmchan_lane__easy(r, *length, r->pos +
					shmchan_lane_extent(*length))) {
			err = shmchan_lane__next(r, &header);
			if (err)
				return err;
		}
	}
	reader_found(r, header, data, length, meta, end);
	return 0;
}

/* The payload that was found at the front has been read. */
void shmchan_lane__advance(struct shmchan_lane_reader *r, uint64_t end)
{
	r->records++;
	if (end != r->pos) {
		shmchan_lane__move(r, end);
		return;
	}
	r->run_next += r->run_size;
	if (!--r->run_left)
		shmchan_lane__move(r, r->run_end);
}

/*
 * The next payload in a lane where the writer may pass, found with _front's
 * rules; what is in *data may be nonsense until lane_passed() says no.
 */
static int reader_racy_front(struct shmchan_lane_reader *r,
			     const uint8_t **data, uint32_t *length,
			     uint32_t *meta, uint64_t *end)
{
	uint64_t header = 0;
	int err;

	if (!r->run_left) {
		header = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
		*length = shmchan_lane__plain_length(header);
		*end = r->pos + shmchan_lane_extent(*length);
		if (*length > r->max_payload || !r->soft_end ||
		    *end > r->room_end) {
			err = shmchan_lane__next(r, &header);
			if (err)
				return err;
		}
	}
	reader_found(r, header, data, length, meta, end);
	return 0;
}

static int reader_recv_racy(struct shmchan_lane_reader *r, void *buf,
			    size_t capacity, size_t *length, uint32_t *meta)
{
	const uint8_t *data;
	uint64_t end;
	uint32_t len;
	int err, tries;

	for (tries = 0; tries < LANE_JOIN_TRIES; tries++) {
		err = reader_racy_front(r, &data, &len, meta, &end);
		if (err)
			return err;
		if (len <= capacity)
			shmchan_lane__racy_out(buf, (const uint64_t *)data,
					       len);
		if (!lane_passed(r, r->pos)) {
			if (shmchan_lane__gone(r->own_word, r->own_live))
				return shmchan_lane__stale();
			*length = len;
			if (len > capacity)
				return -EMSGSIZE;
			shmchan_lane__advance(r, end);
			return 0;
		}
		err = shmchan_lane__resync(r);
		if (err)
			return lane_said(r, err);
	}
	return lane_said(r, -EAGAIN);
}

int shmchan_lane__recv(struct shmchan_lane_reader *r, void *buf,
		       size_t capacity, size_t *length, uint32_t *meta)
{
	const uint8_t *data;
	uint64_t end;
	uint32_t len;
	int err;

	if (r->passable)
		return reader_recv_racy(r, buf, capacity, length, meta);
	err = shmchan_lane__front(r, &data, &len, meta, &end);
	if (err)
		return err;
	*length = len;
	if (len > capacity)
		return -EMSGSIZE;
	shmchan_lane__copy_out(buf, data, len);
	if (shmchan_lane__gone(r->own_word, r->own_live))
		return shmchan_lane__stale();
	shmchan_lane__advance(r, end);
	return 0;
}

int shmchan_lane__peek(struct shmchan_lane_reader *r, const void **data,
		       size_t *length, uint32_t *meta)
{
	const uint8_t *where;
	uint64_t end, pos = r->pos;
	uint32_t len;
	int err;

	if (r->passable)
		return -ENOTSUP;
	err = shmchan_lane__front(r, &where, &len, meta, &end);
	if (err)
		return err;
	/* What was skipped on the way may be held: that errs on one side. */
	if (!r->nr_held++)
		r->held = pos;
	*data = where;
	*length = len;
	shmchan_lane__advance(r, end);
	return 0;
}

int shmchan_lane_peek_spec(struct shmchan_lane_reader *r, const void **data,
			   size_t *length, uint32_t *meta)
{
	const uint8_t *where;
	uint64_t end;
	uint32_t len;
	int err, tries;

	for (tries = 0; tries < LANE_JOIN_TRIES; tries++) {
		err = reader_racy_front(r, &where, &len, meta, &end);
		if (err)
			return err;
		if (!lane_passed(r, r->pos)) {
			if (shmchan_lane__gone(r->own_word, r->own_live))
				return shmchan_lane__stale();
			*data = where;
			*length = len;
			r->speculated = r->pos;
			shmchan_lane__advance(r, end);
			return 0;
		}
		err = shmchan_lane__resync(r);
		if (err)
			return lane_said(r, err);
	}
	return lane_said(r, -EAGAIN);
}

int shmchan_lane_still_valid(const struct shmchan_lane_reader *r)
{
	return !lane_passed(r, r->speculated) &&
	       !shmchan_lane__gone(r->own_word, r->own_live);
}

/*
 * The usual case of a batch: a run of the right size, all of it wanted, in a
 * lane that is not passable, where neither lap nor eighth ends.  Returns how
 * many payloads were read, 0 if it is another case.
 */
static inline size_t reader_whole_run(struct shmchan_lane_reader *r,
				      uint8_t *buf, size_t size, size_t max,
				      uint32_t *meta, int first)
{
	uint64_t *at = shmchan_lane__from(r, r->pos), header, end;
	uint32_t its_size, count;

	/* Pairs with the release of the header in shmchan_lane__publish(). */
	header = shmchan_load_acquire(at);
	end = r->pos + shmchan_lane_extent(shmchan_hdr_length(header));
	if ((header & (SHMCHAN_HDR_KIND | SHMCHAN_HDR_BUSY)) !=
	    SHMCHAN_HDR_RUN || r->run_left ||
	    shmchan_hdr_length(header) > r->max_payload || end > r->soft_end)
		return 0;
	if (!lane_run_sane(header, shmchan_load_relaxed(at + 1), &its_size,
			   &count) ||
	    its_size != size || count > max ||
	    (!first && *meta != (uint32_t)(header >> 32)))
		return 0;
	shmchan_lane__copy_out(buf, at + 2, (size_t)count * its_size);
	*meta = (uint32_t)(header >> 32);
	r->records += count;
	r->pos = end;
	return count;
}

/* As many payloads of one size as lie in a row, up to max. */
static int reader_span(struct shmchan_lane_reader *r, uint8_t *buf, size_t size,
		       size_t max, uint32_t *meta, int first)
{
	const uint8_t *data;
	size_t n = 1;
	uint64_t end;
	uint32_t len, its;
	int err, fits;

	err = r->passable ? reader_racy_front(r, &data, &len, &its, &end) :
			    shmchan_lane__front(r, &data, &len, &its, &end);
	if (err)
		return err;
	if (r->run_left)
		n = max < r->run_left ? max : (size_t)r->run_left;
	fits = len == size && (first || its == *meta);
	if (fits) {
		if (r->passable)
			shmchan_lane__racy_out(buf, (const uint64_t *)data,
					       n * size);
		else
			shmchan_lane__copy_out(buf, data, n * size);
	}
	if (lane_passed(r, r->pos)) {
		err = shmchan_lane__resync(r);
		return err ? err : -EAGAIN;
	}
	if (!fits)
		return -EMSGSIZE;
	*meta = its;
	if (end != r->pos) {
		shmchan_lane__advance(r, end);
		return 1;
	}
	r->records += n;
	r->run_next += n * size;
	r->run_left -= n;
	if (!r->run_left)
		shmchan_lane__move(r, r->run_end);
	return (int)n;
}

int shmchan_lane_recv_n(struct shmchan_lane_reader *r, void *buf, size_t size,
			size_t max, uint32_t *meta)
{
	uint8_t *to = buf;
	size_t got = 0;
	int n = 0;

	if (max > INT32_MAX)
		max = INT32_MAX;
	while (got < max) {
		n = 0;
		if (!r->passable)
			n = (int)reader_whole_run(r, to, size, max - got, meta,
						  !got);
		if (!n)
			n = reader_span(r, to, size, max - got, meta, !got);
		if (n > 0) {
			got += (size_t)n;
			to += (size_t)n * size;
			continue;
		}
		if (!got)
			return lane_said(r, n);
		/* What is said only once is said at the next call. */
		if (n != -EAGAIN && n != -EMSGSIZE) {
			r->deferred = n;
			r->soft_end = 0;
			r->live_word = LANE_NO_WORD;
		}
		break;
	}
	return lane_said(r, (int)got);
}
