// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 200 };

/* What changes is guarded by lock. */
struct run {
	struct workers *workers;
	pthread_mutex_t lock;
	pthread_cond_t ended; /* a thread has ended */
	int running;
	struct error error; /* the first one */
};

int workers_count(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	/* One more than can compute at once: there is always one that waits for a disk. */
	if (processors >= WORKERS_MAX)
		return WORKERS_MAX;
	return processors > 0 ? (int)processors + 1 : 2;
}

static void *thread_main(void *context)
{
	struct run *run = context;
	_cleanup_error_ struct error err = {0};
	int r = run->workers->work(run->workers->context, &err);

	pthread_mutex_lock(&run->lock);
	if (r < 0 && !atomic_exchange(&run->workers->failed, true))
		error_move(&run->error, &err);
	run->running--;
	pthread_cond_signal(&run->ended);
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

/* As many as can be started; one is enough. */
static int start(struct run *run, pthread_t *threads, struct error *err)
{
	int wanted = workers_count(), count = 0, number = 0;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&run->lock);
	while (count < wanted && number == 0) {
		number = pthread_create(&threads[count], NULL, thread_main, run);
		count += number == 0;
	}
	run->running = count;
	pthread_mutex_unlock(&run->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return count ? count : error_sys(err, number, "start a thread");
}

static void wait_for_all(struct run *run)
{
	pthread_mutex_lock(&run->lock);
	while (run->running > 0) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_cond_timedwait(&run->ended, &run->lock, &until);
		pthread_mutex_unlock(&run->lock);
		run->workers->tick(run->workers->context);
		pthread_mutex_lock(&run->lock);
	}
	pthread_mutex_unlock(&run->lock);
}

static int run_all(struct run *run, struct error *err)
{
	pthread_t threads[WORKERS_MAX];
	int count = start(run, threads, err);

	if (count < 0)
		return -1;
	wait_for_all(run);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	if (!atomic_load(&run->workers->failed))
		return 0;
	if (err)
		error_move(err, &run->error);
	return -1;
}

int workers_run(struct workers *workers, struct error *err)
{
	struct run run = {.workers = workers};
	pthread_condattr_t monotonic;
	int r;

	pthread_mutex_init(&run.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&run.ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = run_all(&run, err);
	pthread_cond_destroy(&run.ended);
	pthread_mutex_destroy(&run.lock);
	error_release(&run.error);
	return r;
}
