// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	OUTPUT_LIMIT = 4 << 20, /* bytes kept of each stream */
	DEFAULT_TIMEOUT_MS = 600000,
};

struct pipes {
	int input[2], output[2], errors[2], failure[2];
};

static void close_fd(int *fd)
{
	scope_close(fd);
	*fd = -1;
}

static void pipes_close(struct pipes *p)
{
	int *all[] = {p->input, p->output, p->errors, p->failure};

	for (size_t i = 0; i < array_length(all); i++) {
		close_fd(&all[i][0]);
		close_fd(&all[i][1]);
	}
}

static int pipes_open(struct pipes *p, struct error *err)
{
	*p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(p->input, O_CLOEXEC) < 0 || pipe2(p->output, O_CLOEXEC) < 0 ||
	    pipe2(p->errors, O_CLOEXEC) < 0 || pipe2(p->failure, O_CLOEXEC) < 0) {
		error_sys(err, errno, "make a pipe");
		pipes_close(p);
		return -1;
	}
	return 0;
}

/* Tells the parent why exec was not reached. */
static void __attribute__((noreturn)) child_fail(int fd, const struct error *err)
{
	const char *text = error_text(err);

	if (write(fd, text, strlen(text)) < 0)
		_exit(126);
	_exit(127);
}

static void child_environment(const char *const *more)
{
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("HOME", "/root", 1);
	for (; more && *more; more++)
		putenv((char *)*more);
}

static void child_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static void __attribute__((noreturn)) child_main(const struct process *process, struct pipes *p)
{
	struct error err = {0};

	setpgid(0, 0);
	child_signals();
	if (dup2(p->input[0], 0) < 0 || dup2(p->output[1], 1) < 0 || dup2(p->errors[1], 2) < 0) {
		error_sys(&err, errno, "connect standard streams");
		child_fail(p->failure[1], &err);
	}
	child_environment(process->environment);
	if (process->prepare && process->prepare(process->context, &err) < 0)
		child_fail(p->failure[1], &err);
	execvp(process->argv[0], (char *const *)process->argv);
	error_sys(&err, errno, "start %s", process->argv[0]);
	child_fail(p->failure[1], &err);
}

/* Returns 1 at end of file. What exceeds the limit is read and dropped, so that the program goes
 * on. */
static int drain(int fd, struct text *out)
{
	char buffer[16384];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n < 0)
		return errno != EINTR && errno != EAGAIN;
	if (n == 0)
		return 1;
	if (out->length + (size_t)n <= OUTPUT_LIMIT)
		text_add_bytes(out, buffer, (size_t)n);
	return 0;
}

static void feed(int *fd, const char **input)
{
	ssize_t n = write(*fd, *input, strlen(*input));

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		close_fd(fd);
	if (n > 0)
		*input += n;
	if (*fd >= 0 && !**input)
		close_fd(fd);
}

/* Moves bytes until both output streams have ended. -1 when the time is over. */
static int exchange(struct pipes *p, const char *input, struct process_result *result,
		    long long deadline)
{
	while (p->output[0] >= 0 || p->errors[0] >= 0) {
		struct pollfd fds[] = {
			{.fd = p->output[0], .events = POLLIN},
			{.fd = p->errors[0], .events = POLLIN},
			{.fd = p->input[1], .events = POLLOUT},
		};
		long long left = deadline - clock_ms();

		if (left <= 0)
			return -1;
		if (poll(fds, array_length(fds), (int)left) < 0 && errno != EINTR)
			return -1;
		if (fds[0].revents && drain(p->output[0], &result->output))
			close_fd(&p->output[0]);
		if (fds[1].revents && drain(p->errors[0], &result->errors))
			close_fd(&p->errors[0]);
		if (fds[2].revents)
			feed(&p->input[1], &input);
	}
	return 0;
}

/* Waits for the child until the deadline; it may live on after closing its output. */
static int reap(pid_t pid, long long deadline, int *status)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -1;
		if (clock_ms() > deadline)
			return -1;
		nanosleep(&pause, NULL);
	}
}

static int parent_main(const struct process *process, struct pipes *p, pid_t pid,
		       struct process_result *result, struct error *err)
{
	int timeout_ms = process->timeout_ms ? process->timeout_ms : DEFAULT_TIMEOUT_MS;
	long long deadline = clock_ms() + timeout_ms;
	_cleanup_text_ struct text failure = {0};
	int status = 0;

	close_fd(&p->input[0]);
	close_fd(&p->output[1]);
	close_fd(&p->errors[1]);
	close_fd(&p->failure[1]);
	fcntl(p->input[1], F_SETFL, O_NONBLOCK);
	if (!process->input || !*process->input)
		close_fd(&p->input[1]);
	if (exchange(p, process->input, result, deadline) < 0 || reap(pid, deadline, &status) < 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return error_set(err, "%s did not end within %d s and was killed", process->argv[0],
				 timeout_ms / 1000);
	}
	if (file_read_fd(p->failure[0], "pipe", 65536, &failure, err) == 0 && failure.length)
		return error_set(err, "%s", text_string(&failure));
	result->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

int process_run(const struct process *process, struct process_result *result, struct error *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct pipes p;
	pid_t pid;
	int r;

	*result = (struct process_result){0};
	if (pipes_open(&p, err) < 0)
		return -1;
	sigaction(SIGPIPE, &ignore, &before);
	pid = fork();
	if (pid < 0) {
		r = error_sys(err, errno, "start %s", process->argv[0]);
	} else if (pid == 0) {
		child_main(process, &p);
	} else {
		setpgid(pid, pid);
		r = parent_main(process, &p, pid, result, err);
	}
	sigaction(SIGPIPE, &before, NULL);
	pipes_close(&p);
	return r;
}

/* The last few lines, on one line: what a person needs of a program's complaint. */
static void add_tail(struct text *out, const struct text *from)
{
	_cleanup_strings_ struct strings lines = {0};
	size_t first;

	strings_split(&lines, text_string(from), "\r\n");
	first = lines.count > 4 ? lines.count - 4 : 0;
	for (size_t i = first; i < lines.count; i++)
		text_addf(out, "%s%s", i > first ? " | " : "", lines.item[i]);
}

int process_complain(const char *const *argv, const struct process_result *result,
		     struct error *err)
{
	_cleanup_text_ struct text tail = {0};
	_cleanup_text_ struct text command = {0};

	for (size_t i = 0; argv[i]; i++)
		text_addf(&command, "%s%s", i ? " " : "", argv[i]);
	add_tail(&tail, result->errors.length ? &result->errors : &result->output);
	return error_set(err, "%s ended with status %d%s%s", text_string(&command), result->status,
			 tail.length ? ": " : "", text_string(&tail));
}

int process_check(const char *const *argv, struct text *out, struct error *err)
{
	_cleanup_process_result_ struct process_result result = {0};
	const struct process process = {.argv = argv};

	if (process_run(&process, &result, err) < 0)
		return -1;
	if (result.status != 0)
		return process_complain(argv, &result, err);
	if (out)
		text_add_bytes(out, text_string(&result.output), result.output.length);
	return 0;
}

void process_result_release(struct process_result *result)
{
	if (!result)
		return;
	text_release(&result->output);
	text_release(&result->errors);
}
