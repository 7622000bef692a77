// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/module_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/report.h"
#include "base/scope.h"

enum {
	ANSWER_LIMIT = 32 << 20,    /* bytes of JSON */
	INDEX_LIMIT = 64 << 20,     /* one index file; a distribution's largest has 2 MiB */
	CHILD_MEMORY = 256 << 20,   /* of its own, beyond the mapped files */
	CHILD_TIMEOUT_SECONDS = 60, /* a whole machine is asked about in well under one */
};

/* What libkmod opens in the directory (libkmod 30), and whether a kernel may lack it. */
static const struct {
	const char *name;
	bool is_needed;
} index_files[] = {
	{"modules.dep.bin", true},
	{"modules.alias.bin", true},
	{"modules.symbols.bin", true},
	{"modules.builtin.bin", true},
	{"modules.builtin.alias.bin", false},
	{"modules.builtin.modinfo", false},
	{"modules.softdep", false},
	{"modules.weakdep", false},
};

/* libkmod opens them by name: a symbolic link would lead it into the rescue system, and anything
 * but a file could keep it waiting. */
static int check_files(int directory, struct error *err)
{
	for (size_t i = 0; i < array_length(index_files); i++) {
		const char *name = index_files[i].name;
		struct stat st;

		if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return error_sys(err, errno, "look at %s", name);
			if (index_files[i].is_needed)
				return error_set(err,
						 "%s is missing: depmod has not run for this "
						 "kernel",
						 name);
			continue;
		}
		if (!S_ISREG(st.st_mode))
			return error_set(err, "%s is not a regular file", name);
		if (st.st_size > INDEX_LIMIT)
			return error_set(err, "%s is larger than %d bytes", name, INDEX_LIMIT);
	}
	return 0;
}

static int open_directory(const struct guest *guest, const char *release, struct error *err)
{
	_cleanup_free_ char *path = string_format("/lib/modules/%s", release);
	_cleanup_close_ int fd = -1;

	if (!*release || *release == '.' || strchr(release, '/'))
		return error_set(err, "\"%s\" is not the name of a kernel", release);
	fd = guest_open_file(guest, path, O_DIRECTORY, err);
	if (fd < 0 || check_files(fd, err) < 0)
		return -1;
	return steal_fd(&fd);
}

/* Bytes of private memory in use: field 6 of proc(5) statm, in pages. */
static rlim_t data_in_use(void)
{
	_cleanup_free_ char *line = file_line("/proc/self/statm");
	unsigned long pages = 0;

	if (line)
		sscanf(line, "%*u %*u %*u %*u %*u %lu", &pages);
	return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void limit_child(void)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGPIPE};
	rlim_t bytes = data_in_use() + CHILD_MEMORY;
	struct rlimit memory = {bytes, bytes};
	struct rlimit seconds = {CHILD_TIMEOUT_SECONDS, CHILD_TIMEOUT_SECONDS};
	struct rlimit none = {0, 0};

	/* A crash is to end this process, and not to run what the parent has for its own. */
	for (size_t i = 0; i < array_length(crashes); i++)
		signal(crashes[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_DATA, &memory);
	setrlimit(RLIMIT_CPU, &seconds);
	setrlimit(RLIMIT_CORE, &none);
}

/* Writes the answer, or { "error": … }, and ends. */
__attribute__((noreturn)) static void run_child(const struct module_question *question, int out)
{
	_cleanup_error_ struct error err = {0};
	int null = open("/dev/null", O_WRONLY);
	json_object *document = NULL;
	const char *text;
	size_t length = 0;

	/* What a crash says is for nobody: its signal is reported. */
	dup2(null, STDERR_FILENO);
	limit_child();
	if (question->answer(question, &document, &err) < 0) {
		document = json_object_new_object();
		json_object_object_add(document, "error", json_object_new_string(error_text(&err)));
	}
	text = json_object_to_json_string_length(document, JSON_C_TO_STRING_PLAIN, &length);
	while (length > 0) {
		ssize_t n = write(out, text, length);

		if (n < 0 && errno != EINTR)
			_exit(1);
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
	_exit(0);
}

/* Reads until the child closes its end. */
static int read_answer(int fd, struct text *out, struct error *err)
{
	double end = clock_seconds() + CHILD_TIMEOUT_SECONDS;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		double left = end - clock_seconds();
		ssize_t n;

		if (left <= 0 || out->length > ANSWER_LIMIT)
			return error_set(err, "its module index has no end");
		if (poll(&poll_fd, 1, (int)(left * 1000)) <= 0)
			continue;
		n = read(fd, text_reserve(out, 65536), 65536);
		if (n < 0 && errno != EINTR)
			return error_sys(err, errno, "read from the process that reads it");
		if (n == 0)
			return 0;
		if (n > 0)
			out->data[out->length += (size_t)n] = '\0';
	}
}

static int ask_child(const struct module_question *question, struct text *out, struct error *err)
{
	_cleanup_close_ int reader = -1;
	int ends[2], status = 0, result;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_sys(err, errno, "make a pipe");
	reader = ends[0];
	child = fork();
	if (child == 0)
		run_child(question, ends[1]);
	close(ends[1]);
	if (child < 0)
		return error_sys(err, errno, "start a process");
	result = read_answer(reader, out, err);
	if (result < 0)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	if (result == 0 && WIFSIGNALED(status))
		return error_set(err, "its module index is damaged (reading it ended with %s)",
				 strsignal(WTERMSIG(status)));
	return result;
}

/* What an error of the child was turned into becomes one again. */
static int take_document(const struct text *text, json_object **out, struct error *err)
{
	json_object *document = json_tokener_parse(text_string(text)), *value = NULL;
	int result = 0;

	if (json_object_object_get_ex(document, "error", &value))
		result = error_set(err, "%s", json_object_get_string(value));
	else if (!document)
		result = error_set(err, "its module index is damaged (it gave no answer)");
	if (result < 0)
		json_object_put(document);
	else
		*out = document;
	return result;
}

int module_process_ask(const struct guest *guest, const char *release, const struct strings *names,
		       module_answer_function *answer, json_object **out, struct error *err)
{
	_cleanup_close_ int directory = open_directory(guest, release, err);
	const struct module_question question = {guest, release, directory, names, answer};
	_cleanup_text_ struct text text = {0};

	if (directory < 0 || ask_child(&question, &text, err) < 0 ||
	    take_document(&text, out, err) < 0)
		return error_in(err, "look up the modules of kernel %s", release);
	return 0;
}
