// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "restore/source_nbd.h"
#include "tests/nbd-server.h"

#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})

struct scene {
	char *directory;
	struct nbd_server server;
};

static int set_up(void **state)
{
	char name[] = "/tmp/v2p-test-XXXXXX";
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene || !mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = scene;
	scene->directory = string_copy(name);
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	const char *const argv[] = {"rm", "-rf", scene->directory, NULL};
	int r;

	nbd_server_stop(&scene->server);
	r = chdir("/") < 0 ? -1 : process_check(argv, NULL, NULL);
	free(scene->directory);
	free(scene);
	return r;
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static struct scene *start(void **state, const char *const *words)
{
	struct scene *scene = *state;

	if (!nbd_server_is_installed())
		skip();
	nbd_server_start(&scene->server, words);
	return scene;
}

static void assert_refused(const char *name, const char *format, const char *reason)
{
	const struct source_options options = {.format = format};
	_cleanup_free_ char *message = string_format("open image %s: %s", name, reason);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open(name, &options, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void uris_are_told_from_paths(void **state)
{
	(void)state;
	assert_true(source_nbd_is_name("nbd://server/x"));
	assert_true(source_nbd_is_name("nbds://server"));
	assert_true(source_nbd_is_name("nbd+unix:///x?socket=/y"));
	assert_true(source_nbd_is_name("nbds+vsock://1"));
	assert_false(source_nbd_is_name("nbd"));
	assert_false(source_nbd_is_name("nbd/a.qcow2"));
	assert_false(source_nbd_is_name("nbdkit://x"));
	assert_false(source_nbd_is_name("http://server/nbd://"));
}

static void an_export_is_a_disk(void **state)
{
	const struct scene *scene = start(state, WORDS("data", "@1048576 1", "size=16M"));
	_cleanup_source_ struct source *source = NULL;
	struct extent extent;
	uint8_t byte;
	json_object *out;

	assert_int_equal(source_open(scene->server.uri, NULL, &source, NULL), 0);
	assert_int_equal(source->size, 16 << 20);
	assert_int_equal(source_read(source, &byte, 1, 1 << 20, NULL), 0);
	assert_int_equal(byte, 1);
	assert_int_equal(source_extent(source, 0, UINT64_MAX, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_ZERO && extent.length == 1 << 20);
	out = source_describe(source);
	json_object_object_del(out, "path");
	assert_string_equal(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN),
			    "{\"format\":\"nbd\",\"size\":16777216,\"export\":\"name\","
			    "\"connections\":4}");
	json_object_put(out);
}

static void an_image_file_behind_a_server_is_not_taken_for_a_disk(void **state)
{
	const struct scene *scene =
		start(state, WORDS("data", "0x51 0x46 0x49 0xfb 0 0 0 3", "size=1M"));
	const struct source_options raw = {.format = "raw"};
	_cleanup_source_ struct source *source = NULL;

	assert_refused(scene->server.uri, NULL,
		       "the server gives out the image file of a disk, and not the disk: start "
		       "it with the format qcow2, or use --format raw to write it as it is");
	assert_int_equal(source_open(scene->server.uri, &raw, &source, NULL), 0);
}

static void other_formats_of_an_export_are_the_servers_business(void **state)
{
	(void)state;
	assert_refused("nbd://localhost", "qcow2",
		       "the server gives out the disk itself: start it with the format qcow2, and "
		       "leave --format out here");
}

static void an_empty_disk_is_refused(void **state)
{
	const struct scene *scene = start(state, WORDS("memory", "0"));

	assert_refused(scene->server.uri, NULL, "the disk in this image has a size of 0");
}

static void a_uri_reaches_neither_programs_nor_files(void **state)
{
	(void)state;
	assert_refused("nbd+vsock://2", NULL,
		       "nbd_aio_connect_uri: URI transport nbd+vsock is not permitted: Operation "
		       "not permitted");
	assert_refused("nbd+ssh://localhost/x", NULL,
		       "nbd_aio_connect_uri: unknown NBD URI scheme: nbd+ssh: Invalid argument");
	assert_refused("nbds://localhost/?tls-certificates=/tmp", NULL,
		       "nbd_aio_connect_uri: local file access (tls-certificates) is not allowed, "
		       "call nbd_set_uri_allow_local_file to enable this: Operation not permitted");
	assert_refused("nbds://localhost/?tls-psk-file=/etc/shadow", NULL,
		       "nbd_aio_connect_uri: local file access (tls-psk-file) is not allowed, "
		       "call nbd_set_uri_allow_local_file to enable this: Operation not permitted");
}

static void snapshots_are_the_servers_business(void **state)
{
	const struct source_options options = {.snapshot = "first"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(source_open("nbd://localhost", &options, &source, &err), -1);
	assert_string_equal(error_text(&err),
			    "open image nbd://localhost: snapshot 'first': snapshots are read from "
			    "qcow2 images only, and this is nbd");
}

static void run(const char *const *argv)
{
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* The server's certificate for name, which its own key has signed. */
static struct scene *start_tls(void **state, const char *name)
{
	_cleanup_free_ char *subject = string_format("subjectAltName=DNS:%s", name);
	struct scene *scene = *state;

	if (!nbd_server_is_installed() || access("/usr/bin/openssl", X_OK) < 0)
		skip();
	run(WORDS("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
		  "/CN=v2p test", "-addext", subject, "-keyout", "server-key.pem", "-out",
		  "server-cert.pem"));
	run(WORDS("cp", "server-cert.pem", "ca-cert.pem"));
	nbd_server_run(&scene->server, nbd_server_listen_tcp(&scene->server, "nbds"),
		       WORDS("--tls=require", "--tls-certificates=.", "pattern", "size=1M"));
	return scene;
}

static void a_certificate_that_is_trusted_is_accepted(void **state)
{
	const struct scene *scene = start_tls(state, "localhost");
	const struct source_options options = {.file = {.ca_file = "ca-cert.pem"}};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[512];

	if (source_open(scene->server.uri, &options, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(source_read(source, data, sizeof(data), 4096, NULL), 0);
	assert_int_equal(data[6], 0x10);
}

static void a_certificate_that_nobody_trusts_is_refused(void **state)
{
	const struct scene *scene = start_tls(state, "localhost");
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open(scene->server.uri, NULL, &source, &err), -1);
	assert_non_null(strstr(error_text(&err), "certificate"));
}

static void a_certificate_of_another_server_is_refused(void **state)
{
	const struct scene *scene = start_tls(state, "elsewhere");
	const struct source_options options = {.file = {.ca_file = "ca-cert.pem"}};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open(scene->server.uri, &options, &source, &err), -1);
	assert_non_null(strstr(error_text(&err), "certificate"));
}

static void tls_without_a_servers_name_is_refused(void **state)
{
	(void)state;
	assert_refused("nbds+unix:///?socket=/x", NULL,
		       "the certificate of a server that has no name cannot be checked: use "
		       "nbds:// or nbd+unix://");
}

static void a_certificate_file_that_is_missing_is_named(void **state)
{
	const struct source_options options = {.file = {.ca_file = "nowhere.pem"}};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(source_open("nbds://localhost", &options, &source, &err), -1);
	assert_string_equal(error_text(&err), "open image nbds://localhost: open the certificates "
					      "in nowhere.pem: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(uris_are_told_from_paths),
		test(an_export_is_a_disk),
		test(an_image_file_behind_a_server_is_not_taken_for_a_disk),
		test(other_formats_of_an_export_are_the_servers_business),
		test(an_empty_disk_is_refused),
		test(a_uri_reaches_neither_programs_nor_files),
		test(snapshots_are_the_servers_business),
		test(a_certificate_that_is_trusted_is_accepted),
		test(a_certificate_that_nobody_trusts_is_refused),
		test(a_certificate_of_another_server_is_refused),
		test(tls_without_a_servers_name_is_refused),
		test(a_certificate_file_that_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
