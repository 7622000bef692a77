// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "restore/queue_kinds.h"

enum { THREADS = 3, STACK = 64 << 10 };

struct list {
	struct queue_request *first, **last;
};

/* Everything is guarded by lock. */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work, ended;
	struct list todo, done;
	pthread_t thread[THREADS];
	int count;
	bool is_closing;
};

static void list_add(struct list *list, struct queue_request *request)
{
	request->next = NULL;
	*list->last = request;
	list->last = &request->next;
}

static struct queue_request *list_take(struct list *list)
{
	struct queue_request *request = list->first;

	if (request)
		list->first = request->next;
	if (!list->first)
		list->last = &list->first;
	return request;
}

static long transfer(const struct queue_request *request)
{
	uint8_t *data = (uint8_t *)request->data + request->done;
	size_t length = request->length - request->done;
	off_t offset = (off_t)(request->offset + request->done);
	ssize_t n;

	if (request->way == QUEUE_WRITE)
		n = pwrite(request->fd, data, length, offset);
	else
		n = pread(request->fd, data, length, offset);
	return n < 0 ? -errno : n;
}

static void *thread_main(void *context)
{
	struct pool *pool = context;
	struct queue_request *request;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		request = list_take(&pool->todo);
		if (!request && pool->is_closing)
			break;
		if (!request) {
			pthread_cond_wait(&pool->work, &pool->lock);
			continue;
		}
		pthread_mutex_unlock(&pool->lock);
		while (queue_request_goes_on(request, transfer(request)))
			;
		pthread_mutex_lock(&pool->lock);
		list_add(&pool->done, request);
		pthread_cond_signal(&pool->ended);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* As many as can be started; one is enough. */
static int start(struct pool *pool, struct error *err)
{
	pthread_attr_t small;
	int number = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	while (pool->count < THREADS && number == 0) {
		number = pthread_create(&pool->thread[pool->count], &small, thread_main, pool);
		pool->count += number == 0;
	}
	pthread_attr_destroy(&small);
	return pool->count ? 0 : error_sys(err, number, "start a thread");
}

static int threads_open(struct queue *queue, struct error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return error_sys(err, ENOMEM, "open a queue");
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->ended, NULL);
	pool->todo.last = &pool->todo.first;
	pool->done.last = &pool->done.first;
	queue->state = pool;
	return start(pool, err);
}

static void threads_submit(struct queue *queue, struct queue_request *request)
{
	struct pool *pool = queue->state;

	pthread_mutex_lock(&pool->lock);
	list_add(&pool->todo, request);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

static struct queue_request *threads_wait(struct queue *queue)
{
	struct pool *pool = queue->state;
	struct queue_request *request;

	pthread_mutex_lock(&pool->lock);
	while (!(request = list_take(&pool->done)))
		pthread_cond_wait(&pool->ended, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	return request;
}

static void threads_close(struct queue *queue)
{
	struct pool *pool = queue->state;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->is_closing = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->count; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_cond_destroy(&pool->ended);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

const struct queue_ops queue_threads_ops = {
	.open = threads_open,
	.submit = threads_submit,
	.wait = threads_wait,
	.close = threads_close,
};
