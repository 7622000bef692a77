// SPDX-License-Identifier: GPL-3.0-or-later
/* Against nbdkit, which can be slow, wrong, and gone. */
#include "tests/test.h"

#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/nbd_pool.h"
#include "tests/nbd-server.h"

#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})

struct scene {
	char *directory;
	struct nbd_server server;
	struct nbd_pool *pool;
	struct nbd_pool_options options;
};

static int connect_to(void *context, struct nbd_handle *handle, struct error *err)
{
	const struct scene *scene = context;

	return nbd_aio_connect_uri(handle, scene->server.uri) < 0 ? nbd_complain(err) : 0;
}

static int set_up(void **state)
{
	char name[] = "/tmp/v2p-test-XXXXXX";
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene || !mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = scene;
	scene->directory = string_copy(name);
	scene->options = (struct nbd_pool_options){
		.endpoint = {.connect = connect_to, .context = scene, .silence_ms = 60000},
		.connect_ms = 60000,
		.pause_ms = 1,
		.retry_ms = 60000,
	};
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	nbd_pool_close(scene->pool);
	nbd_server_stop(&scene->server);
	if (chdir("/") < 0 || rmdir(scene->directory) < 0)
		return -1;
	free(scene->directory);
	free(scene);
	return 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Ends the test as skipped where there is no nbdkit. */
static struct scene *start(void **state, const char *const *words)
{
	struct scene *scene = *state;

	if (!nbd_server_is_installed())
		skip();
	nbd_server_start(&scene->server, words);
	return scene;
}

static struct scene *start_and_open(void **state, const char *const *words)
{
	struct scene *scene = start(state, words);
	_cleanup_error_ struct error err = {0};

	if (nbd_pool_open(&scene->options, &scene->pool, &err) < 0)
		fail_msg("%s", error_text(&err));
	return scene;
}

static void assert_not_opened(struct scene *scene, const char *message)
{
	_cleanup_error_ struct error err = {0};

	assert_int_equal(nbd_pool_open(&scene->options, &scene->pool, &err), -1);
	assert_string_equal(error_text(&err), message);
	assert_null(scene->pool);
}

/* The pattern plugin: each 8 bytes are their offset, big-endian. */
static bool is_pattern(const uint8_t *data, size_t length, uint64_t offset)
{
	for (size_t i = 0; i < length; i++) {
		uint64_t word = htobe64((offset + i) & ~7ULL);

		if (data[i] != ((const uint8_t *)&word)[(offset + i) & 7])
			return false;
	}
	return true;
}

static bool reads_pattern(struct nbd_pool *pool, size_t length, uint64_t offset)
{
	_cleanup_free_ uint8_t *data = malloc(length);

	return data && nbd_pool_read(pool, data, length, offset, NULL) == 0 &&
	       is_pattern(data, length, offset);
}

static void any_range_is_read(void **state)
{
	const struct scene *scene = start_and_open(state, WORDS("pattern", "size=20000001"));

	assert_int_equal(nbd_pool_size(scene->pool), 20000001);
	assert_int_equal(nbd_pool_connections(scene->pool), NBD_POOL_CONNECTIONS);
	assert_true(reads_pattern(scene->pool, 1, 20000000));
	assert_true(reads_pattern(scene->pool, 777, 12345));
	assert_true(reads_pattern(scene->pool, 20000001, 0));
}

static void *read_much(void *context)
{
	struct nbd_pool *pool = context;

	for (uint64_t i = 0; i < 64; i++)
		if (!reads_pattern(pool, 65536 + (size_t)i, i * 100000))
			return NULL;
	return context;
}

static void many_threads_share_the_connections(void **state)
{
	const struct scene *scene = start_and_open(state, WORDS("pattern", "size=16M"));
	pthread_t threads[12];
	void *result;

	for (size_t i = 0; i < array_length(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_much, scene->pool), 0);
	for (size_t i = 0; i < array_length(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, scene->pool);
	}
}

static void a_server_for_one_client_gets_one_connection(void **state)
{
	const struct scene *scene = start_and_open(
		state, WORDS("--filter=multi-conn", "pattern", "1M", "multi-conn-mode=disable"));

	assert_int_equal(nbd_pool_connections(scene->pool), 1);
	assert_true(reads_pattern(scene->pool, 1 << 20, 0));
}

static void the_servers_block_sizes_are_kept(void **state)
{
	const struct scene *scene = start_and_open(
		state, WORDS("--filter=blocksize-policy", "pattern", "size=1M",
			     "blocksize-minimum=4096", "blocksize-preferred=8192",
			     "blocksize-maximum=65536", "blocksize-error-policy=error"));

	assert_int_equal(nbd_pool_granule(scene->pool), 8192);
	assert_true(reads_pattern(scene->pool, 1 << 20, 0));
	assert_true(reads_pattern(scene->pool, 10, 4090));
	assert_true(reads_pattern(scene->pool, 300001, 4099));
	assert_true(reads_pattern(scene->pool, 1, (1 << 20) - 1));
}

static void assert_extent(struct nbd_pool *pool, uint64_t offset, uint64_t length,
			  enum extent_kind kind)
{
	struct extent extent;

	assert_int_equal(nbd_pool_extent(pool, offset, 64 << 20, &extent, NULL), 0);
	assert_int_equal(extent.offset, offset);
	assert_int_equal(extent.length, length);
	assert_int_equal(extent.kind, kind);
}

static void zeroes_are_known_without_reading(void **state)
{
	/* The data plugin keeps pages of 32 KiB. */
	const struct scene *scene =
		start_and_open(state, WORDS("data", "@1048576 1 @4194304 1", "size=16M"));

	assert_extent(scene->pool, 0, 1 << 20, EXTENT_ZERO);
	assert_extent(scene->pool, 1 << 20, 32768, EXTENT_DATA);
	assert_extent(scene->pool, (1 << 20) + 32768, (3 << 20) - 32768, EXTENT_ZERO);
	assert_extent(scene->pool, 4 << 20, 32768, EXTENT_DATA);
	assert_extent(scene->pool, (16 << 20) - 1, 1, EXTENT_ZERO);
	assert_extent(scene->pool, 10, (1 << 20) - 10, EXTENT_ZERO);
}

static void a_server_that_does_not_say_has_data(void **state)
{
	const struct scene *scene =
		start_and_open(state, WORDS("--filter=noextents", "--no-sr", "memory", "16M"));

	assert_extent(scene->pool, 5, 64 << 20, EXTENT_DATA);
}

static void an_error_about_extents_means_data(void **state)
{
	const struct scene *scene =
		start_and_open(state, WORDS("eval", "get_size=echo 1048576", "can_extents=exit 0",
					    "pread=dd if=/dev/zero bs=1 count=$3 status=none",
					    "extents=echo EIO >&2; exit 1"));

	assert_extent(scene->pool, 4096, (1 << 20) - 4096, EXTENT_DATA);
}

static void absurd_sizes_are_refused(void **state)
{
	struct scene *scene =
		start(state, WORDS("eval", "get_size=echo 9223372036854775807",
				   "pread=dd if=/dev/zero bs=1 count=$3 status=none"));

	assert_not_opened(scene, "the NBD server says that the disk has 9223372036854775807 bytes");
}

static void a_connection_that_is_lost_is_made_again(void **state)
{
	struct scene *scene = start_and_open(state, WORDS("pattern", "size=1M"));

	assert_true(reads_pattern(scene->pool, 4096, 0));
	nbd_server_stop(&scene->server);
	nbd_server_start(&scene->server, WORDS("pattern", "size=1M"));
	for (uint64_t i = 0; i < 8; i++)
		assert_true(reads_pattern(scene->pool, 4096, i * 8192));
	assert_true(read_much(scene->pool) == NULL);
}

static void extents_survive_a_lost_connection_too(void **state)
{
	struct scene *scene = start_and_open(state, WORDS("data", "@4194304 1", "size=16M"));

	nbd_server_stop(&scene->server);
	nbd_server_start(&scene->server, WORDS("data", "@4194304 1", "size=16M"));
	assert_extent(scene->pool, 0, 4 << 20, EXTENT_ZERO);
}

static void assert_not_read(const struct scene *scene, const char *message)
{
	_cleanup_error_ struct error err = {0};
	uint8_t data[512];

	assert_int_equal(nbd_pool_read(scene->pool, data, sizeof(data), 0, &err), -1);
	if (message)
		assert_string_equal(error_text(&err), message);
	else
		assert_true(*error_text(&err));
}

static void a_disk_that_has_changed_its_size_is_refused(void **state)
{
	struct scene *scene = *state;

	scene->options.retry_ms = 200;
	start_and_open(state, WORDS("pattern", "size=1M"));
	nbd_server_stop(&scene->server);
	nbd_server_start(&scene->server, WORDS("pattern", "size=2M"));
	assert_not_read(scene, "the disk on the NBD server has changed: it had 1048576 bytes and "
			       "has 2097152 now");
}

static void a_server_that_is_gone_is_given_up(void **state)
{
	struct scene *scene = *state;

	scene->options.retry_ms = 100;
	start_and_open(state, WORDS("pattern", "size=1M"));
	nbd_server_stop(&scene->server);
	assert_not_read(scene, NULL);
}

static void errors_of_the_server_are_met_again_and_again(void **state)
{
	const struct scene *scene = start_and_open(
		state, WORDS("--filter=error", "pattern", "size=16M", "error-pread-rate=30%"));

	for (uint64_t i = 0; i < 100; i++)
		assert_true(reads_pattern(scene->pool, 4096, i * 4096));
}

/* Its answers come late, and the connection to its own source is opened anew each time. */
static void a_server_that_tries_again_itself_is_waited_for(void **state)
{
	const struct scene *scene =
		start_and_open(state, WORDS("--filter=retry", "--filter=error", "pattern",
					    "size=1M", "error-pread-rate=50%", "retries=30",
					    "retry-delay=1", "retry-exponential=no"));

	for (uint64_t i = 0; i < 4; i++)
		assert_true(reads_pattern(scene->pool, 65536, i * 65536));
}

static void an_error_that_stays_is_reported(void **state)
{
	struct scene *scene = *state;

	scene->options.retry_ms = 20;
	start_and_open(state,
		       WORDS("--filter=error", "pattern", "size=16M", "error-pread-rate=100%"));
	assert_not_read(scene, "nbd_aio_command_completed: read: command failed: Input/output "
			       "error");
}

static void a_server_that_stalls_is_given_up(void **state)
{
	struct scene *scene = *state;

	scene->options.endpoint.silence_ms = 300;
	scene->options.retry_ms = 0;
	start_and_open(state, WORDS("--filter=delay", "pattern", "size=16M", "rdelay=600"));
	assert_not_read(scene, "the NBD server did not answer for 0.3 s");
}

static void a_server_that_never_greets_is_given_up(void **state)
{
	struct scene *scene = *state;
	_cleanup_close_ int fd = nbd_server_listen(&scene->server);

	assert_true(fd >= 0);
	scene->options.connect_ms = 300;
	assert_not_opened(scene, "the NBD server did not answer for 0.3 s");
}

static void a_server_that_takes_no_second_client_is_read_over_one(void **state)
{
	const struct scene *scene;

	/* It says that it takes several, and does not. */
	scene = start_and_open(state, WORDS("--filter=multi-conn", "--filter=limit", "pattern",
					    "size=1M", "limit=1", "multi-conn-mode=unsafe"));
	assert_int_equal(nbd_pool_connections(scene->pool), 1);
	assert_true(reads_pattern(scene->pool, 1 << 20, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(any_range_is_read),
		test(many_threads_share_the_connections),
		test(a_server_for_one_client_gets_one_connection),
		test(the_servers_block_sizes_are_kept),
		test(zeroes_are_known_without_reading),
		test(a_server_that_does_not_say_has_data),
		test(an_error_about_extents_means_data),
		test(absurd_sizes_are_refused),
		test(a_connection_that_is_lost_is_made_again),
		test(extents_survive_a_lost_connection_too),
		test(a_disk_that_has_changed_its_size_is_refused),
		test(a_server_that_is_gone_is_given_up),
		test(errors_of_the_server_are_met_again_and_again),
		test(a_server_that_tries_again_itself_is_waited_for),
		test(an_error_that_stays_is_reported),
		test(a_server_that_stalls_is_given_up),
		test(a_server_that_never_greets_is_given_up),
		test(a_server_that_takes_no_second_client_is_read_over_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
