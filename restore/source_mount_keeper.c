// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_mount_keeper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Interrupts ppoll(). */
static void wake(int number)
{
	(void)number;
}

static void close_all_but(int fd)
{
	if (fd > 0)
		close_range(0, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0U, 0);
}

/*
 * The child. Between fork() and the end only what is safe in the child of a process with threads.
 * A terminal's or a group's signals are not for it: it has to outlive who they are for.
 */
_Noreturn static void keep(const char *const *places, int fd)
{
	const struct sigaction action = {.sa_handler = wake};
	struct pollfd end = {.fd = fd, .events = POLLIN};
	sigset_t but_one;

	sigfillset(&but_one);
	sigdelset(&but_one, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	setsid();
	close_all_but(fd);
	if (prctl(PR_SET_PDEATHSIG, SIGUSR1) < 0 || send(fd, "", 1, MSG_NOSIGNAL) != 1)
		_exit(1);
	ppoll(&end, 1, NULL, &but_one);
	for (size_t i = 0; places[i]; i++)
		umount2(places[i], MNT_FORCE | MNT_DETACH);
	for (size_t i = 0; places[i]; i++)
		rmdir(places[i]);
	_exit(0);
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		;
}

/* The thread whose end the child hears of. */
static void *be_watched(void *context)
{
	struct source_mount_keeper *keeper = context;

	/* A table of descriptors of its own, to be emptied. */
	if (unshare(CLONE_FILES) < 0) {
		keeper->number = errno;
		sem_post(&keeper->is_forked);
		return NULL;
	}
	keeper->pid = fork();
	if (keeper->pid == 0)
		keep(keeper->places, keeper->child_fd);
	keeper->number = keeper->pid < 0 ? errno : 0;
	close_range(0, ~0U, 0);
	sem_post(&keeper->is_forked);
	wait_for(&keeper->is_over);
	return NULL;
}

static void end_thread(struct source_mount_keeper *keeper)
{
	sem_post(&keeper->is_over);
	pthread_join(keeper->thread, NULL);
	sem_destroy(&keeper->is_forked);
	sem_destroy(&keeper->is_over);
}

/* Signals are for the threads of who called. */
static int start_thread(struct source_mount_keeper *keeper)
{
	sigset_t all, before;
	int r;

	sem_init(&keeper->is_forked, 0, 0);
	sem_init(&keeper->is_over, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&keeper->thread, NULL, be_watched, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return r;
	wait_for(&keeper->is_forked);
	if (keeper->pid > 0)
		return 0;
	end_thread(keeper);
	return keeper->number;
}

int source_mount_keeper_start(const char *const *places, struct source_mount_keeper *keeper,
			      struct error *err)
{
	int pair[2], r;
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, errno, "make a socket pair");
	*keeper =
		(struct source_mount_keeper){.fd = pair[0], .child_fd = pair[1], .places = places};
	r = start_thread(keeper);
	close(pair[1]);
	if (r != 0) {
		close(pair[0]);
		*keeper = (struct source_mount_keeper){0};
		return error_sys(err, r, "start a process that ends the mount of the image");
	}
	/* Nobody may use the mount before the keeper watches. */
	if (read(keeper->fd, &ready, 1) == 1)
		return 0;
	source_mount_keeper_stop(keeper);
	return error_set(err, "start a process that ends the mount of the image: it ended");
}

void source_mount_keeper_stop(struct source_mount_keeper *keeper)
{
	if (keeper->pid <= 0)
		return;
	close(keeper->fd);
	while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	end_thread(keeper);
	*keeper = (struct source_mount_keeper){0};
}
