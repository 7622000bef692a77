// SPDX-License-Identifier: GPL-3.0-or-later
/* The sandbox, with a program in it that tries to get out. */
#include "tests/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/qemu_nbd.h"

struct scene {
	char *directory;
	struct qemu_nbd_files files;
};

static int set_up(void **state)
{
	char name[] = "/tmp/v2p-test-XXXXXX";
	_cleanup_close_ int image = -1, other = -1;
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene || !mkdtemp(name) || chdir(name) < 0 || chmod(name, 0755) < 0)
		return -1;
	*state = scene;
	scene->directory = string_copy(name);
	image = open("image", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	other = open("other", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (image < 0 || other < 0 || write(image, "x", 1) != 1)
		return -1;
	return qemu_nbd_files_add(&scene->files, image, "image", NULL);
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	qemu_nbd_files_release(&scene->files);
	unlink("image");
	unlink("other");
	if (chdir("/") < 0 || rmdir(scene->directory) < 0)
		return -1;
	free(scene->directory);
	free(scene);
	return 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Its end shows as the end of its connections. */
static void wait_for_end(const struct qemu_nbd *program)
{
	struct pollfd fd = {.fd = program->socket[0], .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 60000), 1);
}

/* What it says within the sandbox, or why there is none. */
static char *run_probe(const struct qemu_nbd_files *files, const char *option)
{
	const char *const argv[] = {"probe", option, NULL};
	_cleanup_error_ struct error err = {0};
	struct qemu_nbd program;
	char *said;

	if (qemu_nbd_start(V2P_SANDBOX_PROBE, argv, files, &program, &err) < 0)
		return string_copy(error_text(&err));
	wait_for_end(&program);
	said = qemu_nbd_complaint(&program);
	qemu_nbd_stop(&program);
	return said;
}

static void nothing_but_the_image_is_reached(void **state)
{
	const struct scene *scene = *state;
	_cleanup_free_ char *said = run_probe(&scene->files, NULL);

	assert_true(has_prefix(said, "kept in as user "));
	if (geteuid() == 0)
		assert_string_equal(said, "kept in as user 65534");
}

static void a_user_who_is_not_root_is_as_safe(void **state)
{
	const struct scene *scene = *state;
	int status;
	pid_t child;

	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0) {
		_cleanup_free_ char *said = NULL;

		/* The change of user took it away, which a login gives back. */
		if (setresgid(1234, 1234, 1234) < 0 || setresuid(1234, 1234, 1234) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0)
			_exit(2);
		said = run_probe(&scene->files, NULL);
		if (string_equal(said, "kept in as user 1234"))
			_exit(0);
		fprintf(stderr, "%s\n", string_or_dash(said));
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* As a user, where user namespaces are used up. */
static int start_without_namespaces(const struct qemu_nbd_files *files)
{
	static const char expected[] =
		"it is read by a program that must be confined, which this user may not do: run "
		"v2p as root, or convert the image with `qemu-img convert -O qcow2`: Operation not "
		"permitted";
	static const unsigned int refused[] = {SYS_unshare};
	const char *const argv[] = {"probe", NULL};
	_cleanup_error_ struct error err = {0};
	struct qemu_nbd program;

	if (confine_capabilities(0, &err) < 0 || confine_system_calls(refused, 1, &err) < 0 ||
	    qemu_nbd_start(V2P_SANDBOX_PROBE, argv, files, &program, &err) == 0)
		return 1;
	return strcmp(error_text(&err), expected) != 0;
}

static void without_confinement_nothing_is_started(void **state)
{
	const struct scene *scene = *state;
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(start_without_namespaces(&scene->files));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void an_image_of_root_alone_is_read_without_roots_rights(void **state)
{
	struct scene *scene = *state;
	_cleanup_free_ char *said = NULL;

	scene->files.item[0].mode = S_IFREG | 0600;
	assert_int_equal(chmod("image", 0600), 0);
	said = run_probe(&scene->files, NULL);
	assert_true(has_prefix(said, "kept in as user "));
	assert_int_equal(strtoul(said + strlen("kept in as user "), NULL, 10), geteuid());
}

static void files_of_several_users_are_refused(void **state)
{
	struct scene *scene = *state;
	const char *const argv[] = {"probe", NULL};
	_cleanup_free_ char *message = NULL;
	_cleanup_close_ int other = open("other", O_RDONLY | O_CLOEXEC);
	_cleanup_error_ struct error err = {0};
	struct qemu_nbd program;

	assert_int_equal(qemu_nbd_files_add(&scene->files, other, "other", NULL), 0);
	scene->files.item[0].mode = scene->files.item[1].mode = S_IFREG | 0600;
	scene->files.item[1].owner++;
	assert_int_equal(qemu_nbd_start(V2P_SANDBOX_PROBE, argv, &scene->files, &program, &err),
			 -1);
	message = string_format("%s: the program that reads this format runs without root's "
				"rights: `chmod a+r` the image, or give all of its files to one "
				"user",
				scene->files.item[1].path);
	assert_string_equal(error_text(&err), message);
}

static void a_file_that_was_replaced_is_refused(void **state)
{
	struct scene *scene = *state;
	const char *const argv[] = {"probe", NULL};
	_cleanup_free_ char *message = string_format("%s was replaced by another file meanwhile",
						     scene->files.item[0].path);
	_cleanup_error_ struct error err = {0};
	struct qemu_nbd program;

	assert_int_equal(rename("other", "image"), 0);
	assert_int_equal(qemu_nbd_start(V2P_SANDBOX_PROBE, argv, &scene->files, &program, &err),
			 -1);
	assert_string_equal(error_text(&err), message);
}

static void the_first_line_of_a_complaint_is_kept(void **state)
{
	const struct scene *scene = *state;
	_cleanup_free_ char *said = run_probe(&scene->files, "--die");

	assert_string_equal(said, "out of sorts");
}

static void a_program_that_cannot_be_started_is_named(void **state)
{
	const struct scene *scene = *state;
	const char *const argv[] = {"image", NULL};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *message =
		string_format("start %s: Permission denied", scene->files.item[0].path);
	struct qemu_nbd program;

	assert_int_equal(
		qemu_nbd_start(scene->files.item[0].path, argv, &scene->files, &program, &err), -1);
	assert_string_equal(error_text(&err), message);
	qemu_nbd_stop(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(nothing_but_the_image_is_reached),
		test(a_user_who_is_not_root_is_as_safe),
		test(without_confinement_nothing_is_started),
		test(an_image_of_root_alone_is_read_without_roots_rights),
		test(files_of_several_users_are_refused),
		test(a_file_that_was_replaced_is_refused),
		test(the_first_line_of_a_complaint_is_kept),
		test(a_program_that_cannot_be_started_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
