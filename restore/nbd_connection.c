// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/nbd_connection.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scope.h"

enum {
	IN_FLIGHT = 8,          /* commands of one read at the same time */
	PIECE = 1 << 20,        /* bytes of one command */
	ALIGNMENT_MAX = 1 << 16 /* the specification's limit of the minimum block size */
};

static const uint64_t size_limit = 1ULL << 62;

int nbd_complain(struct error *err)
{
	const char *text = nbd_get_error();
	int number = nbd_get_errno();

	return error_set(err, "%s",
			 text     ? text
			 : number ? strerror(number)
				  : "the connection was lost");
}

/* Goes on when something happened. */
static int wait_for(struct nbd_handle *handle, long long limit_ms, int silence_ms,
		    struct error *err)
{
	int r = limit_ms > 0 ? nbd_poll(handle, (int)limit_ms) : 0;

	if (r > 0 || (r < 0 && nbd_get_errno() == EINTR))
		return 0;
	if (r < 0)
		return nbd_complain(err);
	return error_set(err, "the NBD server did not answer for %g s", silence_ms / 1000.0);
}

static int negotiate(struct nbd_handle *handle, int limit_ms, struct error *err)
{
	long long end = clock_ms() + limit_ms;

	while (nbd_aio_is_connecting(handle) > 0)
		if (wait_for(handle, end - clock_ms(), limit_ms, err) < 0)
			return -1;
	return nbd_aio_is_ready(handle) > 0 ? 0 : nbd_complain(err);
}

static uint32_t power_of_two(int64_t wanted, uint32_t least, uint32_t most)
{
	if (wanted < least || wanted > most || (wanted & (wanted - 1)) != 0)
		return least;
	return (uint32_t)wanted;
}

static int measure(struct nbd_connection *c, struct error *err)
{
	int64_t size = nbd_get_size(c->handle);
	int64_t longest = nbd_get_block_size(c->handle, LIBNBD_SIZE_MAXIMUM);

	if (size < 0)
		return nbd_complain(err);
	if ((uint64_t)size > size_limit)
		return error_set(err, "the NBD server says that the disk has %" PRIi64 " bytes",
				 size);
	c->size = (uint64_t)size;
	c->alignment =
		power_of_two(nbd_get_block_size(c->handle, LIBNBD_SIZE_MINIMUM), 1, ALIGNMENT_MAX);
	c->preferred = power_of_two(nbd_get_block_size(c->handle, LIBNBD_SIZE_PREFERRED),
				    c->alignment > 4096 ? c->alignment : 4096, PIECE);
	c->longest = longest < PIECE && longest > 0 ? (uint32_t)longest : PIECE;
	c->longest -= c->longest % c->alignment;
	if (c->longest == 0)
		return error_set(err, "the NBD server takes no reads: its largest block is smaller "
				      "than its smallest");
	c->has_allocation = nbd_can_meta_context(c->handle, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	c->can_share = nbd_can_multi_conn(c->handle) > 0;
	return 0;
}

int nbd_connection_open(const struct nbd_endpoint *endpoint, int limit_ms,
			struct nbd_connection *out, struct error *err)
{
	struct nbd_connection c = {.silence_ms = endpoint->silence_ms, .handle = nbd_create()};

	if (!c.handle)
		return nbd_complain(err);
	if (nbd_add_meta_context(c.handle, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0) {
		nbd_complain(err);
	} else if (endpoint->connect(endpoint->context, c.handle, err) == 0 &&
		   negotiate(c.handle, limit_ms, err) == 0 && measure(&c, err) == 0) {
		*out = c;
		return 0;
	}
	nbd_connection_close(&c);
	return -1;
}

void nbd_connection_close(struct nbd_connection *connection)
{
	if (connection->handle)
		nbd_close(connection->handle);
	connection->handle = NULL;
}

/* 1: done, 0: not yet. */
static int finish_command(struct nbd_connection *c, int64_t cookie, struct error *err)
{
	int r = nbd_aio_command_completed(c->handle, (uint64_t)cookie);

	return r < 0 ? nbd_complain(err) : r;
}

static int finish_oldest(struct nbd_connection *c, int64_t cookie, struct error *err)
{
	int r;

	while ((r = finish_command(c, cookie, err)) == 0)
		if (wait_for(c->handle, c->silence_ms, c->silence_ms, err) < 0)
			return -1;
	return r < 0 ? -1 : 0;
}

/* Commands that are still in flight after an error write into data until the handle is closed. */
static int read_aligned(struct nbd_connection *c, uint8_t *data, size_t length, uint64_t offset,
			struct error *err)
{
	int64_t cookie[IN_FLIGHT];
	unsigned int begun = 0, done = 0;

	while (length > 0 || done < begun) {
		size_t piece = length < c->longest ? length : c->longest;

		if (piece == 0 || begun - done == IN_FLIGHT) {
			if (finish_oldest(c, cookie[done++ % IN_FLIGHT], err) < 0)
				return -1;
			continue;
		}
		cookie[begun % IN_FLIGHT] =
			nbd_aio_pread(c->handle, data, piece, offset, NBD_NULL_COMPLETION, 0);
		if (cookie[begun++ % IN_FLIGHT] < 0)
			return nbd_complain(err);
		data += piece;
		offset += piece;
		length -= piece;
	}
	return 0;
}

/* The blocks around a range that begins or ends within one. */
static int read_around(struct nbd_connection *c, void *data, size_t length, uint64_t offset,
		       struct error *err)
{
	size_t before = (size_t)(offset % c->alignment);
	uint64_t whole = before + length + c->alignment - 1;
	_cleanup_free_ uint8_t *blocks = NULL;
	int r;

	whole -= whole % c->alignment;
	if (whole > c->size - (offset - before))
		whole = c->size - (offset - before);
	blocks = malloc((size_t)whole);
	if (!blocks)
		return error_sys(err, ENOMEM, "read");
	r = read_aligned(c, blocks, (size_t)whole, offset - before, err);
	if (r < 0)
		nbd_connection_close(c);
	else
		memcpy(data, blocks + before, length);
	return r;
}

int nbd_connection_read(struct nbd_connection *connection, void *data, size_t length,
			uint64_t offset, struct error *err)
{
	if ((offset | length) & (connection->alignment - 1))
		return read_around(connection, data, length, offset, err);
	if (read_aligned(connection, data, length, offset, err) == 0)
		return 0;
	nbd_connection_close(connection);
	return -1;
}

struct status_answer {
	nbd_status_fn *say;
	void *context;
	struct error *err;
};

static int on_status(void *user_data, const char *metacontext, uint64_t offset, uint32_t *entries,
		     size_t count, int *error)
{
	struct status_answer *answer = user_data;

	(void)offset;
	if (strcmp(metacontext, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	if (answer->say(answer->context, entries, count / 2, answer->err) == 0)
		return 0;
	*error = EPROTO;
	return -1;
}

int nbd_connection_status(struct nbd_connection *connection, uint64_t offset, uint32_t length,
			  nbd_status_fn *say, void *context, struct error *err)
{
	_cleanup_error_ struct error said = {0};
	struct status_answer answer = {say, context, &said};
	nbd_extent_callback callback = {.callback = on_status, .user_data = &answer};
	int64_t cookie = nbd_aio_block_status(connection->handle, length, offset, callback,
					      NBD_NULL_COMPLETION, 0);

	if (cookie >= 0 && finish_oldest(connection, cookie, err) == 0)
		return 0;
	if (cookie < 0)
		nbd_complain(err);
	if (said.text)
		error_set(err, "%s", said.text);
	if (said.text || nbd_aio_is_ready(connection->handle) <= 0)
		nbd_connection_close(connection);
	return -1;
}
