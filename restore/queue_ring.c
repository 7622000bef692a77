// SPDX-License-Identifier: GPL-3.0-or-later
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "restore/queue_kinds.h"

struct ring {
	struct io_uring uring;
	bool is_open;
	bool is_registered; /* the memory's pages are looked up once instead of at each transfer */
};

static int ring_open(struct queue *queue, struct error *err)
{
	const struct iovec memory = {queue->memory, queue->length};
	struct ring *ring = calloc(1, sizeof(*ring));
	int r;

	if (!ring)
		return error_sys(err, ENOMEM, "open a ring");
	queue->state = ring;
	r = io_uring_queue_init((unsigned int)queue->depth, &ring->uring, 0);
	if (r < 0)
		return error_sys(err, -r, "open a ring");
	ring->is_open = true;
	/* Where the memory that may be locked is little, it is refused; it works without. */
	ring->is_registered = io_uring_register_buffers(&ring->uring, &memory, 1) == 0;
	return 0;
}

static void ring_submit(struct queue *queue, struct queue_request *request)
{
	struct ring *ring = queue->state;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	uint8_t *data = (uint8_t *)request->data + request->done;
	unsigned int length = (unsigned int)(request->length - request->done);
	uint64_t offset = request->offset + request->done;

	/* There are as many entries as requests. */
	assert(sqe);
	if (ring->is_registered && request->way == QUEUE_WRITE)
		io_uring_prep_write_fixed(sqe, request->fd, data, length, offset, 0);
	else if (ring->is_registered)
		io_uring_prep_read_fixed(sqe, request->fd, data, length, offset, 0);
	else if (request->way == QUEUE_WRITE)
		io_uring_prep_write(sqe, request->fd, data, length, offset);
	else
		io_uring_prep_read(sqe, request->fd, data, length, offset);
	io_uring_sqe_set_data(sqe, request);
	/* What could not be handed over now is handed over when waiting. */
	io_uring_submit(&ring->uring);
}

static struct queue_request *ring_wait(struct queue *queue)
{
	struct ring *ring = queue->state;
	struct queue_request *request;
	struct io_uring_cqe *cqe;
	long result;

	for (;;) {
		/* Fails for moments only: interrupted, out of memory for the moment. */
		if (io_uring_peek_cqe(&ring->uring, &cqe) < 0) {
			io_uring_submit_and_wait(&ring->uring, 1);
			continue;
		}
		request = io_uring_cqe_get_data(cqe);
		result = cqe->res;
		io_uring_cqe_seen(&ring->uring, cqe);
		if (!queue_request_goes_on(request, result))
			return request;
		ring_submit(queue, request);
	}
}

static void ring_close(struct queue *queue)
{
	struct ring *ring = queue->state;

	if (ring && ring->is_open)
		io_uring_queue_exit(&ring->uring);
	free(ring);
}

const struct queue_ops queue_ring_ops = {
	.open = ring_open,
	.submit = ring_submit,
	.wait = ring_wait,
	.close = ring_close,
};
