// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/scope.h"
#include "restore/queue_kinds.h"

bool queue_request_goes_on(struct queue_request *request, long result)
{
	if (result == -EINTR || result == -EAGAIN)
		return true;
	if (result < 0) {
		request->error = (int)-result;
		return false;
	}
	if (result == 0) {
		request->error = request->way == QUEUE_READ ? ENODATA : EIO;
		return false;
	}
	request->done += (size_t)result;
	assert(request->done <= request->length);
	return request->done < request->length;
}

static int open_kind(struct queue *queue, const struct queue_ops *ops, struct error *err)
{
	queue->ops = ops;
	if (ops->open(queue, err) == 0)
		return 0;
	ops->close(queue);
	queue->state = NULL;
	return -1;
}

int queue_open(enum queue_kind kind, void *memory, size_t length, size_t depth, struct queue **out,
	       struct error *err)
{
	_cleanup_free_ struct queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return error_sys(err, ENOMEM, "open a queue");
	*queue = (struct queue){.memory = memory, .length = length, .depth = depth};
	/* Whatever the reason why there is no ring, threads do. */
	if ((kind == QUEUE_THREADS || open_kind(queue, &queue_ring_ops, NULL) < 0) &&
	    open_kind(queue, &queue_threads_ops, err) < 0)
		return -1;
	*out = steal(&queue);
	return 0;
}

void queue_submit(struct queue *queue, struct queue_request *request)
{
	assert(queue->pending < queue->depth && request->length > 0);
	request->error = 0;
	request->done = 0;
	request->next = NULL;
	queue->pending++;
	queue->ops->submit(queue, request);
}

struct queue_request *queue_wait(struct queue *queue)
{
	if (queue->pending == 0)
		return NULL;
	queue->pending--;
	return queue->ops->wait(queue);
}

void queue_close(struct queue *queue)
{
	if (!queue)
		return;
	while (queue_wait(queue))
		;
	queue->ops->close(queue);
	free(queue);
}
