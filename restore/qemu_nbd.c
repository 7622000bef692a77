// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/qemu_nbd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/qemu_nbd_sandbox.h"

enum {
	LISTENER = 3,   /* where socket activation wants it */
	SPARE_FDS = 16, /* above all that are given numbers */
};

/* What the child needs, and the parent until the program runs. */
struct launch {
	const char *const *argv;
	struct qemu_nbd_sandbox sandbox;
	char directory[32];
	int listener;
	int life; /* end of file when v2p has ended or does not want the program any more */
	int errors;
	int failure; /* takes the reason why exec was not reached */
};

int qemu_nbd_files_add(struct qemu_nbd_files *files, int fd, const char *path, struct error *err)
{
	_cleanup_free_ char *absolute = realpath(path, NULL);
	const char *slash = strrchr(path, '/');
	struct qemu_nbd_file *item;
	struct stat st;

	if (!absolute)
		return error_sys(err, errno, "find %s", path);
	if (fstat(fd, &st) < 0)
		return error_sys(err, errno, "stat %s", path);
	item = realloc(files->item, (files->count + 1) * sizeof(*item));
	if (!item)
		return error_sys(err, ENOMEM, "open %s", path);
	files->item = item;
	files->item[files->count++] = (struct qemu_nbd_file){
		.path = steal(&absolute),
		.name = string_copy(slash ? slash + 1 : path),
		.device = st.st_dev,
		.inode = st.st_ino,
		.mode = st.st_mode,
		.owner = st.st_uid,
	};
	return 0;
}

void qemu_nbd_files_release(struct qemu_nbd_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->item[i].path);
		free(files->item[i].name);
	}
	free(files->item);
	*files = (struct qemu_nbd_files){0};
}

static void close_fd(int *fd)
{
	scope_close(fd);
	*fd = -1;
}

static void __attribute__((noreturn)) give_up(const struct launch *launch, const struct error *err)
{
	const char *text = error_text(err);

	_exit(write(launch->failure, text, strlen(text)) < 0 ? 126 : 127);
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

/* Out of the way of the numbers that are given out below. */
static int lift(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FDS);
}

static int place_descriptors(struct launch *launch, struct error *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int listener = lift(launch->listener), errors = lift(launch->errors);

	null = lift(null);
	launch->failure = lift(launch->failure);
	if (null < 0 || listener < 0 || errors < 0 || launch->failure < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(errors, 2) < 0 || dup2(listener, LISTENER) < 0 ||
	    close_range(LISTENER + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return error_sys(err, errno, "connect the descriptors");
	return 0;
}

static void __attribute__((noreturn)) program_main(struct launch *launch)
{
	/* With as few arenas as this, threads do not use up the address space. */
	static char *const environment[] = {"LISTEN_PID=1", "LISTEN_FDS=1", "LC_ALL=C.UTF-8",
					    "MALLOC_ARENA_MAX=2", NULL};
	struct error err = {0};

	/* It holds v2p's memory still. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setsid();
	if (place_descriptors(launch, &err) < 0 ||
	    qemu_nbd_sandbox_enter(&launch->sandbox, &err) < 0)
		give_up(launch, &err);
	execve("/program", (char *const *)launch->argv, environment);
	error_sys(&err, errno, "start %s", launch->sandbox.program);
	give_up(launch, &err);
}

/* Lives as long as both v2p and the program. The program is killed when it ends. */
static void __attribute__((noreturn)) watch(int life, pid_t program)
{
	int process = (int)syscall(SYS_pidfd_open, program, 0);
	struct pollfd fds[] = {{.fd = 3, .events = POLLIN}, {.fd = 4, .events = POLLIN}};

	/* Not the sockets, and not what v2p waits for to be closed. */
	if (process < 0 || (life = lift(life)) < 0 || (process = lift(process)) < 0 ||
	    dup2(life, 3) < 0 || dup2(process, 4) < 0)
		_exit(126);
	close_range(0, 2, 0);
	close_range(5, ~0U, 0);
	while (poll(fds, array_length(fds), -1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void __attribute__((noreturn)) monitor_main(struct launch *launch)
{
	struct error err = {0};
	pid_t program;

	/* Ctrl-C is v2p's business, which ends the program when it is done. */
	setsid();
	unblock_signals();
	confine_prefer_to_be_killed();
	if (qemu_nbd_sandbox_unshare(&err) < 0)
		give_up(launch, &err);
	program = fork();
	if (program < 0) {
		error_sys(&err, errno, "start a process in the sandbox");
		give_up(launch, &err);
	}
	if (program == 0)
		program_main(launch);
	watch(launch->life, program);
}

static int connect_all(struct qemu_nbd *out, const struct sockaddr_un *address, struct error *err)
{
	for (int i = 0; i < QEMU_NBD_CONNECTIONS; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		out->socket[i] = fd;
		if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
			return error_sys(err, errno, "connect to a socket of our own");
	}
	return 0;
}

/* The connections wait at the listening socket for the program. Its name is gone before anything
 * else can connect to it. */
static int make_sockets(struct launch *launch, struct qemu_nbd *out, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", launch->directory);
	launch->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (launch->listener < 0 ||
	    bind(launch->listener, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_sys(err, errno, "make a socket in %s", launch->directory);
	r = listen(launch->listener, QEMU_NBD_CONNECTIONS) < 0
		    ? error_sys(err, errno, "listen at a socket")
		    : connect_all(out, &address, err);
	unlink(address.sun_path);
	return r;
}

static int start_monitor(struct launch *launch, struct qemu_nbd *out, struct error *err)
{
	_cleanup_text_ struct text failure = {0};
	_cleanup_close_ int reading = -1;
	int failures[2], life[2];

	if (pipe2(failures, O_CLOEXEC) < 0)
		return error_sys(err, errno, "make a pipe");
	reading = failures[0];
	launch->failure = failures[1];
	if (pipe2(life, O_CLOEXEC) < 0)
		return error_sys(err, errno, "make a pipe");
	launch->life = life[0];
	out->lifeline = life[1];
	out->monitor = fork();
	if (out->monitor == 0)
		monitor_main(launch);
	close_fd(&launch->failure);
	if (out->monitor < 0)
		return error_sys(err, errno, "start %s", launch->sandbox.program);
	if (file_read_fd(reading, "pipe", 65536, &failure, err) < 0)
		return -1;
	return failure.length ? error_set(err, "%s", text_string(&failure)) : 0;
}

static int launch_program(struct launch *launch, struct qemu_nbd *out, struct error *err)
{
	out->errors = memfd_create("errors", MFD_CLOEXEC);
	launch->errors = out->errors;
	if (out->errors < 0)
		return error_sys(err, errno, "make a file in memory");
	if (make_sockets(launch, out, err) < 0)
		return -1;
	return start_monitor(launch, out, err);
}

static void launch_release(struct launch *launch)
{
	close_fd(&launch->listener);
	close_fd(&launch->life);
	close_fd(&launch->failure);
	rmdir(launch->directory);
}

int qemu_nbd_start(const char *program, const char *const *argv, const struct qemu_nbd_files *files,
		   struct qemu_nbd *out, struct error *err)
{
	struct launch launch = {
		.argv = argv,
		.sandbox = {.program = program, .files = files},
		.directory = "/tmp/v2p-image-XXXXXX",
		.listener = -1,
		.life = -1,
		.failure = -1,
	};
	int r;

	*out = (struct qemu_nbd){.lifeline = -1, .errors = -1};
	for (int i = 0; i < QEMU_NBD_CONNECTIONS; i++)
		out->socket[i] = -1;
	if (!mkdtemp(launch.directory))
		return error_sys(err, errno, "make a directory in /tmp");
	launch.sandbox.directory = launch.directory;
	r = launch_program(&launch, out, err);
	launch_release(&launch);
	if (r < 0)
		qemu_nbd_stop(out);
	return r;
}

void qemu_nbd_stop(struct qemu_nbd *qemu)
{
	close_fd(&qemu->lifeline);
	for (int i = 0; i < QEMU_NBD_CONNECTIONS; i++)
		close_fd(&qemu->socket[i]);
	if (qemu->monitor > 0)
		while (waitpid(qemu->monitor, NULL, 0) < 0 && errno == EINTR)
			;
	qemu->monitor = 0;
	close_fd(&qemu->errors);
}

char *qemu_nbd_complaint(const struct qemu_nbd *qemu)
{
	char line[512];
	ssize_t n = pread(qemu->errors, line, sizeof(line) - 1, 0);

	if (n <= 0)
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return string_copy(line);
}
