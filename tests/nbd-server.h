// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * nbd-server: an nbdkit for one test, over a socket that exists before it starts, so that nothing
 * needs to wait for it:
 *
 *   struct nbd_server server = {0};
 *   nbd_server_start(&server, (const char *[]){"pattern", "1M", NULL});
 *   … server.uri …
 *   nbd_server_stop(&server);
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "tests/test.h"

struct nbd_server {
	pid_t process;
	char uri[256];
};

static inline bool nbd_server_is_installed(void)
{
	return access("/usr/bin/nbdkit", X_OK) == 0;
}

/* A socket that nobody accepts from; in the working directory. */
static inline int nbd_server_listen(struct nbd_server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "nbd-socket"};
	_cleanup_free_ char *here = realpath(".", NULL);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(address.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	snprintf(server->uri, sizeof(server->uri), "nbd+unix:///name?socket=%s/nbd-socket", here);
	return fd;
}

static inline int nbd_server_listen_tcp(struct nbd_server *server, const char *scheme)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	snprintf(server->uri, sizeof(server->uri), "%s://localhost:%d/name", scheme,
		 ntohs(address.sin_port));
	return fd;
}

/* words: what follows "nbdkit" on its command line. Takes the socket. */
static inline void nbd_server_run(struct nbd_server *server, int fd, const char *const *words)
{
	const char *argv[24] = {"nbdkit", "-f", "--exit-with-parent", "-r"};
	size_t count = 4;

	while (*words && count < 23)
		argv[count++] = *words++;
	server->process = fork();
	assert_true(server->process >= 0);
	if (server->process == 0) {
		char pid[32];

		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd != 3)
			dup2(fd, 3);
		else
			fcntl(fd, F_SETFD, 0);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fd);
}

static inline void nbd_server_start(struct nbd_server *server, const char *const *words)
{
	nbd_server_run(server, nbd_server_listen(server), words);
}

static inline void nbd_server_stop(struct nbd_server *server)
{
	if (server->process > 0) {
		kill(server->process, SIGKILL);
		waitpid(server->process, NULL, 0);
	}
	server->process = 0;
	unlink("nbd-socket");
}
