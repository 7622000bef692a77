// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_mount_keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

/* Interrupts ppoll(). */
static void wake(int number)
{
	(void)number;
}

/*
 * Between fork() and the end only what is safe in the child of a process with threads. A terminal's
 * or a group's signals are not for the keeper, which has to outlive who they are for.
 */
_Noreturn static void keep(const char *const *places, int fd)
{
	const struct sigaction action = {.sa_handler = wake};
	struct pollfd end = {.fd = fd, .events = POLLIN};
	sigset_t all, but_one;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	but_one = all;
	sigdelset(&but_one, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	setsid();
	if (fd > 0)
		close_range(0, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0U, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGUSR1) < 0 || send(fd, "", 1, MSG_NOSIGNAL) != 1)
		_exit(1);
	ppoll(&end, 1, NULL, &but_one);
	for (size_t i = 0; places[i]; i++)
		umount2(places[i], MNT_FORCE | MNT_DETACH);
	for (size_t i = 0; places[i]; i++)
		rmdir(places[i]);
	_exit(0);
}

int source_mount_keeper_start(const char *const *places, struct source_mount_keeper *out,
			      struct error *err)
{
	int pair[2];
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, errno, "make a socket pair");
	*out = (struct source_mount_keeper){.fd = pair[0], .pid = fork()};
	if (out->pid < 0) {
		error_sys(err, errno, "start a process that ends the mount of the image");
		close(pair[0]);
		close(pair[1]);
		*out = (struct source_mount_keeper){0};
		return -1;
	}
	if (out->pid == 0)
		keep(places, pair[1]);
	close(pair[1]);
	/* Nobody may use the mount before the keeper is there. */
	if (read(out->fd, &ready, 1) == 1)
		return 0;
	source_mount_keeper_stop(out);
	return error_set(err, "start a process that ends the mount of the image: it ended");
}

void source_mount_keeper_stop(struct source_mount_keeper *keeper)
{
	if (keeper->pid == 0)
		return;
	close(keeper->fd);
	while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*keeper = (struct source_mount_keeper){0};
}
