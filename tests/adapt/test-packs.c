// SPDX-License-Identifier: GPL-3.0-or-later
/* Where packs lie, who signed them, and what comes out of them. */
#include <sys/mman.h>

#include "tests/adapt/pack-tree.h"
#include "tests/restore/http-server.h"

#include "base/process.h"

static void shell(const char *directory, const char *script)
{
	const char *const argv[] = {"sh", "-ec", script, "sh", directory, NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* pack/ with an index and one firmware file, in a directory of its own. */
static void make_pack(struct pack_tree *pack)
{
	pack_tree_init(pack);
	pack_tree_add(pack, "a", "kind = firmware\n", "firmware/a.fw", "the firmware");
	pack_tree_write(pack);
	shell(pack->root, "mkdir $1/pack; mv $1/firmware $1/v2p-pack.ini $1/pack");
}

static int open_place(const struct pack_tree *pack, const char *name, const char *key,
		      struct packs **out, struct error *err)
{
	_cleanup_free_ char *key_path = key ? string_format("%s/%s", pack->root, key) : NULL;
	const struct packs_options options = {.key = key_path};
	_cleanup_strings_ struct strings places = {0};

	if (strstr(name, "://"))
		strings_add(&places, name);
	else
		strings_addf(&places, "%s/%s", pack->root, name);
	return packs_open(&places, &options, out, err);
}

static int copy_first(const struct packs *packs, struct text *out, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("copy", MFD_CLOEXEC);
	const struct pack *pack = packs_get(packs, 0);

	if (pack_copy(pack, &pack->index.entry[0].file[0], fd, err) < 0)
		return -1;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return file_read_fd(fd, "copy", 1 << 20, out, err);
}

static void expect_whole(const struct pack_tree *tree, const char *name)
{
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text content = {0};

	if (open_place(tree, name, NULL, &packs, &err) < 0 || copy_first(packs, &content, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(text_string(&content), "the firmware");
}

/* What follows the place in the message. */
static void expect_refused(const struct pack_tree *tree, const char *name, const char *key,
			   const char *message)
{
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text content = {0};
	_cleanup_free_ char *begin = string_format("driver pack %s/%s: ", tree->root, name);

	if (open_place(tree, name, key, &packs, &err) == 0 &&
	    copy_first(packs, &content, &err) == 0)
		fail_msg("%s was taken", name);
	if (!has_prefix(error_text(&err), begin) || !strstr(error_text(&err), message))
		fail_msg("%s", error_text(&err));
}

static void a_directory_an_index_and_archives_are_read(void **state)
{
	static const char *const names[] = {"pack",      "pack/",    "pack/v2p-pack.ini",
					    "a.tar",     "b.tar.gz", "c.tar.xz",
					    "d.tar.zst", "e.tar.bz2"};
	_cleanup_pack_tree_ struct pack_tree tree = {0};

	(void)state;
	make_pack(&tree);
	shell(tree.root, "cd $1; tar cf a.tar pack; tar czf b.tar.gz -C pack .; "
			 "tar cJf c.tar.xz -C pack v2p-pack.ini firmware; "
			 "tar cf d.tar.zst --zstd pack; tar cjf e.tar.bz2 pack");
	for (size_t i = 0; i < array_length(names); i++)
		expect_whole(&tree, names[i]);
}

static enum http_server_end answer_file(struct http_server *server, int fd,
					const struct http_ask *ask)
{
	_cleanup_free_ char *path = string_format("%s%s", (const char *)server->content, ask->path);
	_cleanup_text_ struct text content = {0};

	if (file_read(path, 1 << 20, &content, NULL) < 0)
		return server_status(fd, "404 Not Found");
	server_print(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", content.length);
	server_write(fd, text_string(&content), content.length);
	return SERVER_KEEP;
}

static void a_web_server_is_read(void **state)
{
	static const char *const paths[] = {"/pack/", "/pack/v2p-pack.ini", "/a.tar.gz"};
	_cleanup_pack_tree_ struct pack_tree tree = {0};
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *missing = NULL;
	struct http_server *server = malloc(sizeof(*server));

	(void)state;
	make_pack(&tree);
	shell(tree.root, "cd $1; tar czf a.tar.gz pack");
	server_start(server, answer_file, (const uint8_t *)tree.root, 1);
	for (size_t i = 0; i < array_length(paths); i++) {
		_cleanup_free_ char *url =
			string_format("http://127.0.0.1:%u%s", server->port, paths[i]);

		expect_whole(&tree, url);
	}
	missing = string_format("http://x:secret@127.0.0.1:%u/none/", server->port);
	assert_int_equal(open_place(&tree, missing, NULL, &packs, &err), -1);
	assert_null(strstr(error_text(&err), "secret"));
	assert_non_null(strstr(error_text(&err), "404"));
	server_stop(server);
	free(server);
}

static void what_is_no_pack_is_refused(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};

	(void)state;
	make_pack(&tree);
	shell(tree.root, "cd $1; mkdir empty; tar cf none.tar -C empty .; echo hello > text; "
			 "mkfifo fifo; mkdir deep deep/er; cp -r pack deep/er/; "
			 "tar cf deep.tar deep; head -c 700 /dev/urandom > noise.tar");
	expect_refused(&tree, "nowhere", NULL, "No such file or directory");
	expect_refused(&tree, "empty", NULL, "No such file or directory");
	expect_refused(&tree, "none.tar", NULL, "it has no v2p-pack.ini");
	expect_refused(&tree, "deep.tar", NULL, "it has no v2p-pack.ini");
	expect_refused(&tree, "text", NULL, "the archive cannot be read: ");
	expect_refused(&tree, "noise.tar", NULL, "the archive cannot be read: ");
	expect_refused(&tree, "fifo", NULL, "neither a regular file nor a block device");
}

static void links_do_not_lead_out_of_a_pack(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};

	(void)state;
	make_pack(&tree);
	shell(tree.root, "cd $1; cp pack/firmware/a.fw outside; cp -r pack linked; "
			 "ln -sf ../../outside linked/firmware/a.fw; cp -r pack mounted; "
			 "rm -r mounted/firmware; ln -s ../pack/firmware mounted/firmware; "
			 "tar cf linked.tar linked");
	expect_refused(&tree, "linked", NULL, "firmware/a.fw");
	expect_refused(&tree, "mounted", NULL, "firmware/a.fw");
	expect_refused(&tree, "linked.tar", NULL,
		       "there is no linked/firmware/a.fw in the archive");
}

static void a_file_of_another_size_or_content_is_refused(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};

	(void)state;
	make_pack(&tree);
	shell(tree.root, "cd $1; for n in short long other; do cp -r pack $n; done; "
			 "printf short > short/firmware/a.fw; tar cf short.tar short; "
			 "truncate -s 1M long/firmware/a.fw; tar cf long.tar.gz -z long; "
			 "printf 'the Firmware' > other/firmware/a.fw");
	expect_refused(&tree, "short", NULL, "firmware/a.fw has 5 bytes, and its index says 12");
	expect_refused(&tree, "short.tar", NULL,
		       "firmware/a.fw has 5 bytes, and its index says 12");
	expect_refused(&tree, "long", NULL, "firmware/a.fw is larger than 12 bytes");
	expect_refused(&tree, "long.tar.gz", NULL, "firmware/a.fw is larger than 12 bytes");
	expect_refused(&tree, "other", NULL,
		       "firmware/a.fw is not what its index says: its SHA-256 is another");
}

/* A header alone can promise terabytes, and a few bytes of gzip gigabytes. */
static void an_archive_without_end_is_refused(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};

	(void)state;
	make_pack(&tree);
	shell(tree.root, "cd $1; truncate -s 1T huge; tar cf bomb.tar --sparse huge; rm huge; "
			 "tar rf bomb.tar pack; "
			 "i=0; mkdir many; tar cf one.tar --mode=755 many; "
			 "head -c 512 one.tar > block; : > many.raw; cp block many.raw; "
			 "while [ $i -lt 18 ]; do cat many.raw many.raw > x; mv x many.raw; "
			 "i=$((i+1)); done; gzip -1 < many.raw > many.tar.gz; rm many.raw");
	expect_refused(&tree, "bomb.tar", NULL, "the archive unpacks to more than 16 GiB");
	expect_refused(&tree, "many.tar.gz", NULL, "the archive has more than 200000 entries");
}

static bool has(const char *program)
{
	_cleanup_free_ char *command = string_format("command -v %s >/dev/null", program);

	return system(command) == 0;
}

#define MAKE_KEY(name) "minisign -G -W -p " name ".pub -s " name ".sec >/dev/null; "

static void a_signature_of_minisign_proves_the_index(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!has("minisign"))
		skip();
	make_pack(&tree);
	shell(tree.root,
	      "cd $1; " MAKE_KEY("key") MAKE_KEY(
		      "other") "cp -r pack unsigned; cp -r pack wrong; "
			       "minisign -S -s key.sec -m pack/v2p-pack.ini >/dev/null; "
			       "minisign -S -s other.sec -m wrong/v2p-pack.ini >/dev/null; "
			       "cp -r pack changed; echo '# more' >> changed/v2p-pack.ini; "
			       "tar cf signed.tar.gz -z pack");
	if (open_place(&tree, "pack", "key.pub", &packs, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_true(packs_get(packs, 0)->is_signed);
	packs_close(steal(&packs));
	if (open_place(&tree, "signed.tar.gz", "key.pub", &packs, &err) < 0)
		fail_msg("%s", error_text(&err));
	expect_refused(&tree, "unsigned", "key.pub",
		       "it is not signed, and a key was given: of v2p-pack.ini.minisig, "
		       "v2p-pack.ini.sig, v2p-pack.ini.gpg, v2p-pack.ini.asc none is there");
	expect_refused(&tree, "wrong", "key.pub", "was made with another key than");
	expect_refused(&tree, "changed", "key.pub",
		       "does not fit: the data is not what was signed");
}

static void a_key_may_be_on_a_web_server(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_strings_ struct strings places = {0};
	_cleanup_free_ char *key = NULL, *other = NULL;
	struct http_server *server;

	(void)state;
	if (!has("minisign"))
		skip();
	make_pack(&tree);
	shell(tree.root, "cd $1; " MAKE_KEY("key") MAKE_KEY(
				 "other") "minisign -S -s key.sec -m pack/v2p-pack.ini >/dev/null");
	server = malloc(sizeof(*server));
	server_start(server, answer_file, (const uint8_t *)tree.root, 1);
	key = string_format("http://127.0.0.1:%u/key.pub", server->port);
	other = string_format("http://127.0.0.1:%u/other.pub", server->port);
	strings_addf(&places, "%s/pack", tree.root);
	if (packs_open(&places, &(struct packs_options){.key = key}, &packs, &err) < 0)
		fail_msg("%s", error_text(&err));
	packs_close(steal(&packs));
	assert_int_equal(packs_open(&places, &(struct packs_options){.key = other}, &packs, &err),
			 -1);
	assert_non_null(strstr(error_text(&err), "was made with another key than"));
	server_stop(server);
	free(server);
}

static void a_signature_of_openpgp_proves_the_index(void **state)
{
	_cleanup_pack_tree_ struct pack_tree tree = {0};
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	if (!has("gpg") || !has("gpgv"))
		skip();
	make_pack(&tree);
	shell(tree.root,
	      "cd $1; mkdir -m 700 home; export GNUPGHOME=$1/home; "
	      "gpg --batch -q --passphrase '' --quick-gen-key a@b ed25519 sign never 2>/dev/null; "
	      "gpg --batch -q --export > key.gpg; "
	      "gpg --batch -q --passphrase '' --detach-sign pack/v2p-pack.ini; "
	      "gpgconf --kill all; cp -r pack changed; echo '# more' >> changed/v2p-pack.ini");
	if (open_place(&tree, "pack", "key.gpg", &packs, &err) < 0)
		fail_msg("%s", error_text(&err));
	expect_refused(&tree, "changed", "key.gpg", "does not prove");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_an_index_and_archives_are_read),
		cmocka_unit_test(a_web_server_is_read),
		cmocka_unit_test(what_is_no_pack_is_refused),
		cmocka_unit_test(links_do_not_lead_out_of_a_pack),
		cmocka_unit_test(a_file_of_another_size_or_content_is_refused),
		cmocka_unit_test(an_archive_without_end_is_refused),
		cmocka_unit_test(a_signature_of_minisign_proves_the_index),
		cmocka_unit_test(a_key_may_be_on_a_web_server),
		cmocka_unit_test(a_signature_of_openpgp_proves_the_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
