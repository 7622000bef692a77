// SPDX-License-Identifier: GPL-3.0-or-later
/* https, from `openssl s_server` with a certificate that nobody else signed. */
#include "tests/restore/http-open.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/process.h"

struct tls_server {
	char directory[32];
	pid_t pid;
	unsigned int port;
	char *certificate;
};

static bool has_openssl(void)
{
	static const char *const argv[] = {"openssl", "version", NULL};

	return process_check(argv, NULL, NULL) == 0;
}

static void make_certificate(const struct tls_server *server)
{
	_cleanup_free_ char *key = string_format("%s/key.pem", server->directory);
	const char *const argv[] = {"openssl",
				    "req",
				    "-x509",
				    "-newkey",
				    "ec",
				    "-pkeyopt",
				    "ec_paramgen_curve:P-256",
				    "-nodes",
				    "-keyout",
				    key,
				    "-out",
				    server->certificate,
				    "-subj",
				    "/CN=test",
				    "-addext",
				    "subjectAltName=IP:127.0.0.1",
				    "-days",
				    "2",
				    NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void put_answer(const struct tls_server *server, const char *name, const char *answer)
{
	_cleanup_free_ char *path = string_format("%s/%s", server->directory, name);
	_cleanup_free_ char *all = string_format("HTTP/1.0 %s", answer);

	assert_int_equal(file_replace(path, all, strlen(all), 0600, NULL), 0);
}

/* In the child: answers with the files of its directory. */
static void serve(const char *directory, int output)
{
	if (chdir(directory) == 0 && dup2(output, STDOUT_FILENO) >= 0)
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-key",
		       "key.pem", "-cert", "certificate.pem", "-HTTP", (char *)NULL);
	_exit(127);
}

/* It says which port it got: "ACCEPT 127.0.0.1:12345". */
static void tls_server_start(struct tls_server *server)
{
	char line[256];
	FILE *output;
	int ends[2];

	strcpy(server->directory, "test-tls-XXXXXX");
	assert_non_null(mkdtemp(server->directory));
	server->certificate = string_format("%s/certificate.pem", server->directory);
	make_certificate(server);
	put_answer(server, "a.raw", "200 OK\r\nContent-Length: 9\r\n\r\nthe image");
	put_answer(server, "b.raw", "302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
	assert_int_equal(pipe(ends), 0);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		serve(server->directory, ends[1]);
	close(ends[1]);
	output = fdopen(ends[0], "r");
	while (server->port == 0 && fgets(line, sizeof(line), output))
		if (sscanf(line, "ACCEPT 127.0.0.1:%u", &server->port) != 1)
			server->port = 0;
	fclose(output);
	assert_true(server->port > 0);
}

static void tls_server_stop(struct tls_server *server)
{
	const char *const argv[] = {"rm", "-r", server->directory, NULL};

	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	assert_int_equal(process_check(argv, NULL, NULL), 0);
	free(server->certificate);
}

static int open_tls(const struct tls_server *server, const char *name, const char *ca_file,
		    struct image_file **file, struct error *err)
{
	const struct image_file_options options = {.ca_file = ca_file, .http_timing = &patient};
	_cleanup_free_ char *url = string_format("https://127.0.0.1:%u/%s", server->port, name);

	return image_file_open(url, &options, file, err);
}

static void a_certificate_that_the_ca_file_holds_is_trusted(void **state)
{
	struct tls_server server = {0};
	_cleanup_image_file_ struct image_file *file = NULL;
	_cleanup_error_ struct error err = {0};
	char data[10] = "";
	size_t got;

	(void)state;
	if (!has_openssl())
		skip();
	tls_server_start(&server);
	if (open_tls(&server, "a.raw", server.certificate, &file, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(image_file_next(file, data, 9, &got, &err), 0);
	assert_string_equal(data, "the image");
	tls_server_stop(&server);
}

static void an_unknown_certificate_is_refused_with_advice(void **state)
{
	struct tls_server server = {0};
	_cleanup_image_file_ struct image_file *file = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!has_openssl())
		skip();
	tls_server_start(&server);
	assert_int_equal(open_tls(&server, "a.raw", NULL, &file, &err), -1);
	assert_string_equal(error_text(&err),
			    "SSL certificate problem: self-signed certificate: name the "
			    "certificate of the authority that signed the server's with --ca-file");
	tls_server_stop(&server);
}

static void a_ca_file_that_is_not_there_is_named(void **state)
{
	struct tls_server server = {0};
	_cleanup_image_file_ struct image_file *file = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!has_openssl())
		skip();
	tls_server_start(&server);
	assert_int_equal(open_tls(&server, "a.raw", "/nowhere/ca.pem", &file, &err), -1);
	assert_non_null(strstr(error_text(&err), "/nowhere/ca.pem"));
	assert_true(has_suffix(error_text(&err), ": --ca-file names a file of PEM certificates"));
	tls_server_stop(&server);
}

static void a_redirect_from_https_to_http_is_refused(void **state)
{
	struct tls_server server = {0};
	_cleanup_image_file_ struct image_file *file = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!has_openssl())
		skip();
	tls_server_start(&server);
	assert_int_equal(open_tls(&server, "b.raw", server.certificate, &file, &err), -1);
	assert_string_equal(error_text(&err),
			    "Protocol \"http\" not supported or disabled in libcurl: only http and "
			    "https are followed, and never https to http");
	tls_server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_that_the_ca_file_holds_is_trusted),
		cmocka_unit_test(an_unknown_certificate_is_refused_with_advice),
		cmocka_unit_test(a_ca_file_that_is_not_there_is_named),
		cmocka_unit_test(a_redirect_from_https_to_http_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
