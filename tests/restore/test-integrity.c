// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <sys/stat.h>

#include "base/process.h"
#include "base/text.h"
#include "restore/bmap.h"
#include "restore/integrity.h"
#include "tests/archive-image.h"
#include "tests/fake-source.h"
#include "tests/scratch-directory.h"

enum { LENGTH = (4 << 20) + 301000 };

static void shell(const char *command)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* A raw disk and the same in a compressed file, which is a stream. */
static int enter(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	if (scratch_enter(state) < 0)
		return -1;
	write_file("disk", disk, LENGTH);
	make_compressed("disk.gz", "gzip", disk, LENGTH);
	return 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter, scratch_leave)

static int read_stream(struct source *source, struct error *err)
{
	_cleanup_free_ uint8_t *data = malloc(1 << 20);
	struct extent extent = {.length = 1};

	while (extent.length > 0)
		if (source_next(source, data, 1 << 20, &extent, err) < 0)
			return -1;
	return source_finish(source, err);
}

/* All that a restore does with an image before and after it is written. */
static int prove(const char *image, const struct integrity_options *options, struct error *err)
{
	const struct source_options how = {.file.digests = integrity_digests(options)};
	_cleanup_source_ struct source *source = NULL;

	if (source_open(image, &how, &source, err) < 0 ||
	    integrity_require(source, options, err) < 0)
		return -1;
	return source->is_stream ? read_stream(source, err) : source_finish(source, err);
}

static void assert_proven(const char *image, const char *checksum, const char *signature,
			  const char *key)
{
	const struct integrity_options options = {
		.checksum = checksum, .signature = signature, .key = key};
	_cleanup_error_ struct error err = {0};

	if (prove(image, &options, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_refused(const char *image, const char *checksum, const char *signature,
			   const char *key, const char *message)
{
	const struct integrity_options options = {
		.checksum = checksum, .signature = signature, .key = key};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(prove(image, &options, &err), -1);
	if (!strstr(error_text(&err), message))
		fail_msg("%s", error_text(&err));
}

static void change_byte(const char *path, uint64_t offset)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_int_equal(read_exactly(fd, path, &byte, 1, offset, NULL), 0);
	byte ^= 1;
	assert_int_equal(write_exactly(fd, path, &byte, 1, offset, NULL), 0);
}

static char *sum_of(const char *path)
{
	const char *const argv[] = {"sha256sum", path, NULL};
	struct text out = {0};

	assert_int_equal(process_check(argv, &out, NULL), 0);
	text_truncate(&out, 64);
	return text_take(&out);
}

static void nothing_asked_is_nothing_proven(void **state)
{
	(void)state;
	assert_proven("disk", NULL, NULL, NULL);
	assert_proven("disk.gz", NULL, NULL, NULL);
}

static void a_checksum_on_the_command_line_is_compared(void **state)
{
	static const char *const images[] = {"disk", "disk.gz"};

	(void)state;
	for (size_t i = 0; i < array_length(images); i++) {
		_cleanup_free_ char *sum = sum_of(images[i]);
		_cleanup_free_ char *promise = string_format("sha256:%s", sum);
		_cleanup_free_ char *message = NULL;

		assert_proven(images[i], promise, NULL, NULL);
		promise[70] = promise[70] == '0' ? '1' : '0';
		message = string_format("check image %s: the image is not the one that was "
					"promised: its SHA-256 should be %s and is %s",
					images[i], promise + 7, sum);
		assert_refused(images[i], promise, NULL, NULL, message);
	}
}

static void bytes_behind_the_disk_in_a_stream_count(void **state)
{
	_cleanup_free_ char *promise = NULL, *sum = NULL;

	(void)state;
	shell("head -c 3000000 /dev/zero >> disk.gz");
	sum = sum_of("disk.gz");
	promise = string_format("sha256:%s", sum);
	assert_proven("disk.gz", promise, NULL, NULL);
}

static void a_malformed_checksum_is_refused(void **state)
{
	(void)state;
	assert_refused("disk", "sha256:12", NULL, NULL,
		       "sha256:12 is no SHA-256 checksum, which has 64 hexadecimal digits");
	assert_refused("disk", "md5:12", NULL, NULL,
		       "checksums (sha256:HEX or a file): open md5:12: No such file or directory");
}

static void lists_of_checksums_are_understood(void **state)
{
	static const char *const commands[] = {
		"sha256sum disk disk.gz > sums",
		"sha256sum -b disk disk.gz > sums",
		"sha256sum --tag disk disk.gz > sums",
		"sha256sum ./disk $PWD/disk.gz > sums",
		"(echo '# made by hand'; md5sum --tag disk; sha256sum --tag disk disk.gz) > sums",
		"sha256sum disk disk.gz | sed 's/$/\\r/' > sums",
		"sha256sum disk disk disk.gz > sums",
	};

	(void)state;
	for (size_t i = 0; i < array_length(commands); i++) {
		shell(commands[i]);
		assert_proven("disk", "sums", NULL, NULL);
		assert_proven("disk.gz", "sums", NULL, NULL);
	}
}

static void a_list_without_the_image_is_refused(void **state)
{
	(void)state;
	shell("sha256sum disk.gz > sums; echo 'x disk' >> sums");
	assert_refused("disk", "sums", NULL, NULL,
		       "sums has no SHA-256 checksum of a file called disk");
}

static void a_list_that_contradicts_itself_is_refused(void **state)
{
	(void)state;
	shell("sha256sum disk > sums; sha256sum disk.gz | sed s/disk.gz/disk/ >> sums");
	assert_refused("disk", "sums", NULL, NULL, "sums has two checksums of disk that differ");
}

static void a_wrong_list_refuses_a_stream_at_its_end(void **state)
{
	(void)state;
	shell("sha256sum disk | sed s/disk/disk.gz/ > sums");
	assert_refused("disk.gz", "sums", NULL, NULL,
		       "check image disk.gz: the image is not the one that was promised");
}

static void standard_input_takes_the_only_line(void **state)
{
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int fd = open("disk", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(dup2(fd, STDIN_FILENO) >= 0);
	shell("sha256sum disk > sums");
	assert_proven("-", "sums", NULL, NULL);
	shell("sha256sum disk disk.gz > sums");
	assert_refused("-", "sums", NULL, NULL,
		       "sums has checksums of several files, and the image has no name: say "
		       "--checksum sha256:HEX");
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
}

/* The blocks of the disk, but for two, in ranges. */
static void make_map(const char *path, const char *head)
{
	_cleanup_free_ char *script = string_format(
		"range() { sum=$(tail -c +$(($1 * 4096 + 1)) disk | "
		"head -c $((($2 - $1 + 1) * 4096)) | sha256sum | cut -c1-64); "
		"echo \"<Range chksum=\\\"$sum\\\"> $1-$2 </Range>\"; }\n"
		"zeroes=0000000000000000000000000000000000000000000000000000000000000000\n"
		"{ echo '%s'; echo \"<bmap version=\\\"2.0\\\"><ImageSize> %d </ImageSize>\n"
		"<BlockSize> 4096 </BlockSize><BlocksCount> 1098 </BlocksCount>\n"
		"<ChecksumType> sha256 </ChecksumType>\n"
		"<BmapFileChecksum> $zeroes </BmapFileChecksum>\n"
		"<BlockMap>\"; range 0 9; range 11 500; range 502 1097; "
		"echo '</BlockMap></bmap>'; } > %s\n"
		"sum=$(sha256sum %s | cut -c1-64); sed -i \"s/$zeroes/$sum/\" %s",
		head, LENGTH, path, path, path);

	shell(script);
}

static void a_block_map_proves_the_disk(void **state)
{
	(void)state;
	make_map("map", "<?xml version=\"1.0\" ?>");
	assert_proven("disk", "map", NULL, NULL);
	assert_proven("disk.gz", "map", NULL, NULL);
	/* Not in the map. */
	change_byte("disk", 10 * 4096 + 5);
	assert_proven("disk", "map", NULL, NULL);
	change_byte("disk", 11 * 4096);
	assert_refused("disk", "map", NULL, NULL,
		       "the image is not what its block map promises: its bytes 45056 to 2052096 "
		       "have another checksum");
	shell("gzip -c disk > disk.gz");
	assert_refused("disk.gz", "map", NULL, NULL,
		       "check image disk.gz: the image is not what its block map promises");
}

static void the_end_of_the_disk_is_in_a_block_map(void **state)
{
	(void)state;
	make_map("map", "");
	change_byte("disk", LENGTH - 1);
	assert_refused("disk", "map", NULL, NULL, "its bytes 2056192 to 4495304 have another");
	shell("head -c 1000 /dev/zero >> disk");
	assert_refused("disk", "map", NULL, NULL,
		       "the image has 4496304 bytes, and its block map is of one with 4495304");
	shell("head -c 4300000 disk | gzip -c > disk.gz");
	assert_refused("disk.gz", "map", NULL, NULL,
		       "the image has 4300000 bytes, and its block map is of one with 4495304");
}

static void a_map_of_bmaptool_is_read(void **state)
{
	(void)state;
	if (access("/usr/bin/bmaptool", X_OK) < 0)
		skip();
	shell("bmaptool create -o map disk 2>/dev/null");
	assert_proven("disk", "map", NULL, NULL);
	assert_proven("disk.gz", "map", NULL, NULL);
}

static int require(const char *checksum, struct source **out, struct error *err)
{
	const struct integrity_options options = {.checksum = checksum,
						  .moment = INTEGRITY_COMPARED};

	assert_int_equal(source_open("disk", NULL, out, NULL), 0);
	return integrity_require(*out, &options, err);
}

static void a_map_with_small_ranges_can_wait_for_the_comparison(void **state)
{
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	make_map("map", "");
	shell("sed -i '/ 11-500 /d; / 502-1097 /d' map; "
	      "sum=$(sed 's/<BmapFileChecksum> .* </<BmapFileChecksum> "
	      "0000000000000000000000000000000000000000000000000000000000000000 </' map | "
	      "sha256sum | cut -c1-64); "
	      "sed -i \"s/<BmapFileChecksum> .* </<BmapFileChecksum> $sum </\" map");
	change_byte("disk", 5);
	assert_refused("disk", "map", NULL, NULL, "its bytes 0 to 40960 have another checksum");
	assert_int_equal(require("map", &source, NULL), 0);
	assert_non_null(source->map);
	assert_int_equal(source->map->count, 1);
}

static void a_map_with_large_ranges_is_proven_at_once(void **state)
{
	_cleanup_source_ struct source *right = NULL, *wrong = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	make_map("map", "");
	assert_int_equal(require("map", &right, NULL), 0);
	assert_null(right->map);
	change_byte("disk", 5);
	assert_int_equal(require("map", &wrong, &err), -1);
	assert_non_null(strstr(error_text(&err), "its bytes 0 to 40960 have another checksum"));
}

static void a_changed_map_is_refused(void **state)
{
	(void)state;
	make_map("map", "<?xml version=\"1.0\" ?>");
	shell("sed -i 's/0-9/0-8/' map");
	assert_refused("disk", "map", NULL, NULL,
		       "block map map: it was changed: its checksum of itself is wrong");
}

static void a_hostile_map_is_refused(void **state)
{
	static const struct {
		const char *edit, *message;
	} maps[] = {
		{"s/ 0-9 / 9-0 /", "its range 9-0 lies behind the image's end or is out of order"},
		{"s/ 502-1097 / 502-1098 /", "its range 502-1098 lies behind the image's end"},
		{"s/ 502-1097 / 400-1097 /", "its range 400-1097 lies behind the image's end"},
		{"s/ 502-1097 / 502-99999999999999999999 /",
		 "its block '99999999999999999999' is no number"},
		{"s/ 502-1097 / -1097 /", "its block '' is no number"},
		{"s/<ImageSize>.*<.ImageSize>//", "it does not say how large the image is"},
		{"s/<BlockSize> 4096/<BlockSize> 0/", "it does not say how large the image is"},
		{"s/<BlockSize> 4096/<BlockSize> 99999999999/", "are larger than any"},
		{"s/ sha256 / sha1 /", "its checksums are of the kind 'sha1', and only sha256"},
		{"s/chksum=\"[^\"]*\"//", "its range 0-9 has no SHA-256 checksum"},
		{"/Range/d", "it has no range with a checksum"},
		{"s/<BmapFile.*//", "it has no SHA-256 checksum of itself"},
		{"s/<.bmap>//", "it is no well-formed XML"},
		{"s/<BlockMap>/<BlockMap>\\&x;/", "it is no well-formed XML"},
		{"s/<bmap /<!DOCTYPE b [<!ENTITY x SYSTEM \"\\/etc\\/passwd\">]><bmap /",
		 "it has a document type or entities, which no block map has"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(maps); i++) {
		_cleanup_free_ char *script = string_format(
			"sed -i '%s' map; old=$(sed -n 's/<BmapFileChecksum> \\(.*\\) <.*/\\1/p' "
			"map); new=$(sed 's/<BmapFileChecksum> .* </<BmapFileChecksum> "
			"0000000000000000000000000000000000000000000000000000000000000000 </' "
			"map | sha256sum | cut -c1-64); [ -z \"$old\" ] || sed -i s/$old/$new/ map",
			maps[i].edit);

		make_map("map", "<?xml version=\"1.0\" ?>");
		shell(script);
		assert_refused("disk", "map", NULL, NULL, maps[i].message);
	}
}

static void a_key_and_a_signature_belong_together(void **state)
{
	(void)state;
	assert_refused("disk", NULL, NULL, "key",
		       "a key was given but no signature: name it with --signature");
	assert_refused("disk", NULL, "signature", NULL,
		       "a signature was given but no key that is trusted: name it with --key");
}

#define need(program)                                                                              \
	do {                                                                                       \
		if (access("/usr/bin/" program, X_OK) < 0)                                         \
			skip();                                                                    \
	} while (0)

static void make_minisign_key(const char *name)
{
	_cleanup_free_ char *command =
		string_format("minisign -G -W -p %s.pub -s %s.sec >/dev/null", name, name);

	shell(command);
}

static void minisign_signs_a_list_of_checksums(void **state)
{
	(void)state;
	need("minisign");
	make_minisign_key("key");
	shell("sha256sum disk disk.gz > sums; minisign -S -s key.sec -m sums >/dev/null");
	assert_proven("disk", "sums", "sums.minisig", "key.pub");
	assert_proven("disk.gz", "sums", "sums.minisig", "key.pub");
	shell("minisign -S -l -s key.sec -m sums >/dev/null");
	assert_proven("disk", "sums", "sums.minisig", "key.pub");
	shell("sed -n 2p key.pub > bare.pub");
	assert_proven("disk", "sums", "sums.minisig", "bare.pub");
	shell("echo '# appended' >> sums");
	assert_refused("disk", "sums", "sums.minisig", "key.pub",
		       "checksums sums: signature sums.minisig does not fit: the data is not what "
		       "was signed");
}

static void minisign_signs_an_image(void **state)
{
	(void)state;
	need("minisign");
	make_minisign_key("key");
	shell("minisign -S -H -s key.sec -m disk >/dev/null; "
	      "minisign -S -H -s key.sec -m disk.gz >/dev/null");
	assert_proven("disk", NULL, "disk.minisig", "key.pub");
	assert_proven("disk.gz", NULL, "disk.gz.minisig", "key.pub");
	assert_refused("disk", NULL, "disk.gz.minisig", "key.pub",
		       "check image disk: signature disk.gz.minisig does not fit: the data is not "
		       "what was signed");
	assert_refused("disk.gz", NULL, "disk.minisig", "key.pub",
		       "check image disk.gz: signature disk.minisig does not fit");
	shell("minisign -S -l -s key.sec -m disk >/dev/null");
	assert_refused("disk", NULL, "disk.minisig", "key.pub",
		       "signature disk.minisig signs the image as a whole, which takes all of it "
		       "in memory");
}

static void a_signature_and_a_checksum_are_both_asked(void **state)
{
	_cleanup_free_ char *sum = sum_of("disk.gz"), *promise = string_format("sha256:%s", sum);

	(void)state;
	need("minisign");
	make_minisign_key("key");
	shell("minisign -S -H -s key.sec -m disk.gz >/dev/null");
	assert_proven("disk.gz", promise, "disk.gz.minisig", "key.pub");
	promise[70] = promise[70] == '0' ? '1' : '0';
	assert_refused("disk.gz", promise, "disk.gz.minisig", "key.pub", "its SHA-256 should be");
}

static void a_signature_of_another_key_is_refused(void **state)
{
	(void)state;
	need("minisign");
	make_minisign_key("key");
	make_minisign_key("other");
	shell("minisign -S -H -s other.sec -m disk >/dev/null");
	assert_refused("disk", NULL, "disk.minisig", "key.pub",
		       "signature disk.minisig was made with another key than key.pub");
}

static void a_changed_trusted_comment_is_refused(void **state)
{
	(void)state;
	need("minisign");
	make_minisign_key("key");
	shell("minisign -S -H -s key.sec -t 'version 1' -m disk >/dev/null; "
	      "sed -i 's/version 1/version 2/' disk.minisig");
	assert_refused("disk", NULL, "disk.minisig", "key.pub",
		       "signature disk.minisig: it is wrong: its trusted comment was changed");
}

static void malformed_keys_and_signatures_are_refused(void **state)
{
	static const struct {
		const char *command, *message;
	} cases[] = {
		{"echo untrusted comment: x > bad", "signature bad: this is no signature of"},
		{"head -n 3 disk.minisig > bad", "signature bad: this is no signature of minisign"},
		{"sed 's/^R[^ ]*/R=&/' disk.minisig > bad", "signature bad: this is no signature"},
		{": > bad", "signature bad: this is a signature neither of OpenPGP nor of"},
		{"echo -----BEGIN PGP SIGNED MESSAGE----- > bad",
		 "signature bad: this holds its text, too: a detached signature is needed"},
		{"echo -----BEGIN PGP SIGNATURE----- > bad",
		 "signature bad is of OpenPGP, and key key.pub of minisign"},
	};

	(void)state;
	need("minisign");
	make_minisign_key("key");
	shell("minisign -S -H -s key.sec -m disk >/dev/null");
	for (size_t i = 0; i < array_length(cases); i++) {
		shell(cases[i].command);
		assert_refused("disk", NULL, "bad", "key.pub", cases[i].message);
	}
	shell("echo hello > bad");
	assert_refused("disk", NULL, "disk.minisig", "bad",
		       "key bad: this is neither an OpenPGP keyring nor a public key of minisign");
	shell("echo RWhello > bad");
	assert_refused("disk", NULL, "disk.minisig", "bad",
		       "key bad: this is no public key of minisign");
	assert_refused("disk", NULL, "missing", "key.pub",
		       "open missing: No such file or directory");
}

static void make_gpg_key(const char *name)
{
	_cleanup_free_ char *command = string_format(
		"mkdir -m 700 %s.d && gpg --homedir %s.d --batch --quiet --passphrase '' "
		"--quick-generate-key %s@example.org ed25519 sign never 2>/dev/null && "
		"gpg --homedir %s.d --quiet --export > %s.gpg; gpgconf --homedir %s.d --kill all",
		name, name, name, name, name, name);

	shell(command);
}

static void openpgp_signs_lists_and_images(void **state)
{
	(void)state;
	need("gpg");
	need("gpgv");
	make_gpg_key("key");
	make_gpg_key("other");
	shell("sha256sum disk disk.gz > sums; for f in sums disk disk.gz; do gpg --homedir key.d "
	      "--quiet --detach-sign $f; gpg --homedir key.d --quiet -a --detach-sign $f; done; "
	      "gpgconf --homedir key.d --kill all");
	assert_proven("disk", "sums", "sums.sig", "key.gpg");
	assert_proven("disk", "sums", "sums.asc", "key.gpg");
	assert_proven("disk", NULL, "disk.sig", "key.gpg");
	assert_proven("disk.gz", NULL, "disk.gz.asc", "key.gpg");
	assert_proven("disk.gz", "sums", "sums.sig", "key.gpg");
	assert_refused("disk", NULL, "disk.gz.sig", "key.gpg",
		       "check image disk: signature disk.gz.sig does not prove disk: gpgv");
	assert_refused("disk", NULL, "disk.sig", "other.gpg",
		       "check image disk: signature disk.sig does not prove disk: gpgv");
	shell("echo >> sums");
	assert_refused("disk", "sums", "sums.sig", "key.gpg",
		       "checksums sums: signature sums.sig does not prove sums: gpgv");
	shell("gpg --homedir key.d -a --export > key.asc");
	assert_refused("disk", NULL, "disk.sig", "key.asc",
		       "key key.asc: this OpenPGP key is armoured, and gpgv wants a binary "
		       "keyring: make one with `gpg --dearmor`");
}

static void openpgp_does_not_prove_standard_input(void **state)
{
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int fd = open("disk", O_RDONLY | O_CLOEXEC);
	static const char keyring[16] = "\x99";
	static const char signature[16] = "\x88";

	(void)state;
	write_file("key", keyring, sizeof(keyring));
	write_file("signature", signature, sizeof(signature));
	assert_true(dup2(fd, STDIN_FILENO) >= 0);
	assert_refused("-", NULL, "signature", "key",
		       "OpenPGP signatures are checked on files of this machine: sign a list of "
		       "checksums instead of standard input, and give the list with --checksum");
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
}

static void a_disk_without_a_file_is_proven_by_a_map_only(void **state)
{
	struct fake_source fake = {.size = 1 << 20};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	const struct integrity_options options = {
		.checksum = "sha256:"
			    "0000000000000000000000000000000000000000000000000000000000000000"};

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(integrity_require(source, &options, &err), -1);
	assert_string_equal(error_text(&err), "fake gives out a disk and no file: only a block map "
					      "(.bmap) can prove it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(nothing_asked_is_nothing_proven),
		test(a_checksum_on_the_command_line_is_compared),
		test(bytes_behind_the_disk_in_a_stream_count),
		test(a_malformed_checksum_is_refused),
		test(lists_of_checksums_are_understood),
		test(a_list_without_the_image_is_refused),
		test(a_list_that_contradicts_itself_is_refused),
		test(a_wrong_list_refuses_a_stream_at_its_end),
		test(standard_input_takes_the_only_line),
		test(a_block_map_proves_the_disk),
		test(the_end_of_the_disk_is_in_a_block_map),
		test(a_map_of_bmaptool_is_read),
		test(a_map_with_small_ranges_can_wait_for_the_comparison),
		test(a_map_with_large_ranges_is_proven_at_once),
		test(a_changed_map_is_refused),
		test(a_hostile_map_is_refused),
		test(a_key_and_a_signature_belong_together),
		test(minisign_signs_a_list_of_checksums),
		test(minisign_signs_an_image),
		test(a_signature_and_a_checksum_are_both_asked),
		test(a_signature_of_another_key_is_refused),
		test(a_changed_trusted_comment_is_refused),
		test(malformed_keys_and_signatures_are_refused),
		test(openpgp_signs_lists_and_images),
		test(openpgp_does_not_prove_standard_input),
		test(a_disk_without_a_file_is_proven_by_a_map_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
