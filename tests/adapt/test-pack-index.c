// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_index.h"
#include "base/scope.h"
#include "tests/test.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "[Pack]\nformat = 1\nname = Lab 7\n"
#define FILE_LINE "file = " SUM " 12 "

static const char whole[] = HEAD "\n[r8125]\n"
				 "kind = modules\n"
				 "kernel = 6.1.0-*-amd64\n" FILE_LINE "modules/r8125.ko\n"
				 "wants-firmware = r8125 rtl_nic/rtl8125b-2.fw\n"
				 "modalias = pci:v000010ECd00008125sv*sd*bc*sc*i* r8125\n"
				 "\n[realtek]\n"
				 "kind = firmware\n" FILE_LINE "firmware/rtl_nic/rtl8125b-2.fw\n"
				 "\n[kernel]\n"
				 "kind = package\n"
				 "package = linux-image-6.1.0-9-amd64\n"
				 "version = 6.1.27-1\n"
				 "architecture = amd64\n"
				 "distribution = debian 12\n"
				 "brings-kernel = 6.1.0-9-amd64\n"
				 "installed-size = 4096\n"
				 "depends = kmod\n"
				 "depends = a (>= 1) | b\n"
				 "provides = linux-image\n" FILE_LINE "pool/linux.deb\n"
				 "firmware = x.fw\n"
				 "modules = ahci e1000e\n"
				 "modalias = pci:v*d*sv*sd*bc01sc06i01* ahci\n";

static void an_index_is_read_and_written_as_it_was(void **state)
{
	_cleanup_pack_index_ struct pack_index index = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text text = {0};

	(void)state;
	if (pack_index_parse("index", whole, strlen(whole), &index, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(index.name, "Lab 7");
	assert_int_equal(index.count, 3);
	assert_int_equal(index.entry[1].kind, PACK_FIRMWARE);
	assert_string_equal(index.entry[2].depends.item[1], "a (>= 1) | b");
	assert_int_equal(index.entry[2].file[0].size, 12);
	assert_int_equal(index.entry[2].file[0].sum[0], 0x01);
	if (pack_index_write(&index, &text, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(text_string(&text), whole);
}

static void a_continued_line_repeats_the_key(void **state)
{
	static const char text[] = HEAD "[a]\nkind = modules\nkernel = *\n" FILE_LINE "a.ko\n"
					"modalias = pci:a* one\n  pci:b* two\n";
	_cleanup_pack_index_ struct pack_index index = {0};

	(void)state;
	assert_int_equal(pack_index_parse("index", text, strlen(text), &index, NULL), 0);
	assert_int_equal(index.entry[0].modaliases.count, 2);
	assert_string_equal(index.entry[0].modaliases.item[1].second, "two");
}

static void every_mistake_is_refused_with_its_line_and_a_reason(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "i: it has no [Pack] with format = 1"},
		{"hello\n", "i: line 1: this is not `key = value`"},
		{"[Pack]\nformat = 2\n", "i: line 2: format = 2: this v2p reads format 1"},
		{"[Pack]\ncolour = red\n",
		 "i: line 2: unknown key colour in [Pack]: it has format, name"},
		{"[Pack]\nformat = 1\nname = a;b\n",
		 "i: line 3: the name has control characters or a \";\""},
		{"[a]\nkind = modules\n", "i: line 2: a pack begins with [Pack] and format = 1"},
		{HEAD "[a/b]\nkind = modules\n",
		 "i: line 5: [a/b] is no label of an entry: at most 48 letters, digits, spaces and "
		 "._+~:-"},
		{HEAD "[a]\nkernel = 1\n",
		 "i: line 5: an entry begins with kind = modules, package or firmware"},
		{HEAD "[a]\nkind = toys\n",
		 "i: line 5: kind = toys: it is modules, package or firmware"},
		{HEAD "[a]\nkind = firmware\n[b]\nkind = firmware\n[a]\nkind = firmware\n",
		 "i: line 9: there are two entries [a]"},
		{HEAD "[a]\nkind = firmware\nsize = 2\n", "i: line 6: unknown key size"},
		{HEAD "[a]\nkind = firmware\nversion = 2\n",
		 "i: line 6: an entry of kind firmware has no version"},
		{HEAD "[a]\nkind = firmware\nfile = abc 12 firmware/x\n",
		 "i: line 6: file wants a SHA-256, a size and a path: \"abc\" is no SHA-256, which "
		 "has 64 hexadecimal digits"},
		{HEAD "[a]\nkind = firmware\nfile = " SUM " -1 firmware/x\n",
		 "i: line 6: \"-1\" is not the size of a file in bytes"},
		{HEAD "[a]\nkind = firmware\n" FILE_LINE "../x\n",
		 "i: line 6: \"../x\" is not the path of a file in a pack: relative, without "
		 "\"..\" and hidden names, of letters, digits and ._+~%,=@-"},
		{HEAD "[a]\nkind = firmware\n" FILE_LINE "x\n",
		 "i: [a]: x: files of firmware lie in the pack as they do below /lib, beginning "
		 "with firmware/"},
		{HEAD "[a]\nkind = firmware\nfile = " SUM " 0 firmware/x\n",
		 "i: [a]: firmware/x has 0 bytes, and 1 to 67108864 are allowed"},
		{HEAD "[a]\nkind = firmware\nfile = " SUM " 67108865 firmware/x\n",
		 "i: [a]: firmware/x has 67108865 bytes, and 1 to 67108864 are allowed"},
		{HEAD "[a]\nkind = firmware\n", "i: [a]: it has no file"},
		{HEAD "[a]\nkind = modules\n" FILE_LINE "a.ko\n",
		 "i: [a]: modules need kernel = and a pattern of the releases that they were built "
		 "for"},
		{HEAD "[a]\nkind = modules\nkernel = *\n" FILE_LINE "a.txt\n",
		 "i: [a]: a.txt is no kernel module (.ko)"},
		{HEAD "[a]\nkind = modules\nkernel = ../x\n",
		 "i: line 6: \"../x\" is not a pattern of kernel releases"},
		{HEAD "[a]\nkind = modules\nmodalias = pci\n",
		 "i: line 6: modalias wants a pattern and maybe the module that drives it: "
		 "pci:v00008086d00002922sv*sd*bc*sc*i* ahci"},
		{HEAD "[a]\nkind = modules\nwants-firmware = r8125\n",
		 "i: line 6: wants-firmware wants a module and a file below /lib/firmware: r8169 "
		 "rtl_nic/rtl8168h-2.fw"},
		{HEAD "[a]\nkind = package\nfirmware = /etc/passwd\n",
		 "i: line 6: \"/etc/passwd\" is not a file below /lib/firmware"},
		{HEAD "[a]\nkind = package\nmodules = a b;c\n",
		 "i: line 6: \"b;c\" is not the name of a module"},
		{HEAD "[a]\nkind = package\npackage = --force\n",
		 "i: line 6: package = --force: that is none"},
		{HEAD "[a]\nkind = package\nversion = 1\nversion = 2\n",
		 "i: line 7: version is given twice"},
		{HEAD "[a]\nkind = package\ndistribution = $x\n",
		 "i: line 6: distribution wants the ID of /etc/os-release and maybe a pattern of "
		 "its VERSION_ID: debian 12"},
		{HEAD "[a]\nkind = package\ndepends = a; b\n",
		 "i: line 6: \"a; b\" is no relation between packages"},
		{HEAD "[a]\nkind = package\ninstalled-size = 1k\n",
		 "i: line 6: \"1k\" is not a size in bytes"},
		{HEAD "[a]\nkind = package\n" FILE_LINE "a.deb\n",
		 "i: [a]: a package needs package, version and architecture, as they stand in it; "
		 "`v2p pack build` writes them"},
		{HEAD "[a]\nkind = package\npackage = a\nversion = 1\narchitecture = "
		      "all\n" FILE_LINE "a.zip\n",
		 "i: [a]: a.zip is neither a .deb nor an .rpm"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_pack_index_ struct pack_index index = {0};
		_cleanup_error_ struct error err = {0};

		assert_int_equal(
			pack_index_parse("i", rows[i].text, strlen(rows[i].text), &index, &err),
			-1);
		assert_string_equal(error_text(&err), rows[i].message);
	}
}

static void a_line_that_is_too_long_is_refused(void **state)
{
	_cleanup_pack_index_ struct pack_index index = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text text = {0};

	(void)state;
	text_add(&text, HEAD "# ");
	for (int i = 0; i < PACK_LINE_LIMIT; i++)
		text_add(&text, "x");
	assert_int_equal(pack_index_parse("i", text_string(&text), text.length, &index, &err), -1);
	assert_string_equal(error_text(&err), "i: line 4: it is longer than 198 characters");
}

static void a_file_with_a_nul_is_no_index(void **state)
{
	_cleanup_pack_index_ struct pack_index index = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(pack_index_parse("i", "a\0b", 3, &index, &err), -1);
	assert_string_equal(error_text(&err), "i: it is not a text file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_is_read_and_written_as_it_was),
		cmocka_unit_test(a_continued_line_repeats_the_key),
		cmocka_unit_test(every_mistake_is_refused_with_its_line_and_a_reason),
		cmocka_unit_test(a_line_that_is_too_long_is_refused),
		cmocka_unit_test(a_file_with_a_nul_is_no_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
