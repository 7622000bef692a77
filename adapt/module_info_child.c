// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/module_info_child.h"

#include <archive.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/module_kmod.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	MODULE_SIZE_LIMIT = 128 << 20, /* the largest of a distribution have 30 MiB */
	FIRMWARE_LIMIT = 4096,         /* names of one module; amdgpu has about 600 */
};

struct reader {
	const struct module_question *question;
	struct module_kmod kmod;
	json_object *answers;
};

static void release_info(struct kmod_list **list)
{
	kmod_module_info_free_list(*list);
}

static void release_module(struct kmod_module **module)
{
	kmod_module_unref(*module);
}

static void release_archive(struct archive **archive)
{
	archive_read_free(*archive);
}

static bool is_gzip(int fd)
{
	unsigned char magic[2] = {0};

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && magic[0] == 0x1f &&
	       magic[1] == 0x8b;
}

/* Debian's libkmod is built without zlib. The content in memory, or -1: then it is damaged. */
static int uncompressed(int fd)
{
	_cleanup_(release_archive) struct archive *archive = archive_read_new();
	_cleanup_close_ int memory = memfd_create("module", MFD_CLOEXEC);
	struct archive_entry *entry;
	char buffer[1 << 16];
	uint64_t size = 0;
	ssize_t n;

	archive_read_support_filter_gzip(archive);
	archive_read_support_format_raw(archive);
	if (memory < 0 || archive_read_open_fd(archive, fd, sizeof(buffer)) != ARCHIVE_OK ||
	    archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		return -1;
	while ((n = archive_read_data(archive, buffer, sizeof(buffer))) > 0) {
		if (size + (uint64_t)n > MODULE_SIZE_LIMIT ||
		    write_exactly(memory, "a module", buffer, (size_t)n, size, NULL) < 0)
			return -1;
		size += (uint64_t)n;
	}
	return n < 0 ? -1 : steal_fd(&memory);
}

/* The file is opened by us, below the guest's root: libkmod would follow a link out of it. */
static int open_module(const struct reader *reader, struct kmod_module *module)
{
	const char *path = kmod_module_get_path(module);
	_cleanup_free_ char *file = path ? module_kmod_file(&reader->kmod, path) : NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;

	if (!file)
		return -1;
	name = string_format("/lib/modules/%s/%s", reader->question->release, file);
	fd = guest_open_file(reader->question->guest, name, 0, NULL);
	return fd >= 0 && is_gzip(fd) ? uncompressed(fd) : steal_fd(&fd);
}

static void take_info(const struct kmod_list *list, json_object *answer)
{
	json_object *firmware = json_object_object_get(answer, "firmware");
	const struct kmod_list *entry;

	kmod_list_foreach (entry, list) {
		const char *key = kmod_module_info_get_key(entry);
		_cleanup_free_ char *value = string_printable(kmod_module_info_get_value(entry));

		if (strcmp(key, "firmware") == 0 &&
		    json_object_array_length(firmware) < FIRMWARE_LIMIT)
			json_object_array_add(firmware, json_object_new_string(value));
		/* libkmod gives no signer for every kind of signature, but always its kind. */
		else if (strcmp(key, "signer") == 0 ||
			 (strcmp(key, "sig_id") == 0 &&
			  !json_object_object_get_ex(answer, "signer", NULL)))
			json_object_object_add(answer, "signer", json_object_new_string(value));
	}
}

static int get_info(const struct reader *reader, struct kmod_module *module,
		    struct kmod_list **list)
{
	_cleanup_(release_module) struct kmod_module *opened = NULL;
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;

	if (!kmod_module_get_path(module))
		return kmod_module_get_info(module, list);
	fd = open_module(reader, module);
	path = string_format("/proc/self/fd/%d", fd);
	if (fd < 0 || kmod_module_new_from_path(reader->kmod.context, path, &opened) < 0)
		return -1;
	return kmod_module_get_info(opened, list);
}

static void read_module(struct reader *reader, const char *name)
{
	_cleanup_(release_module) struct kmod_module *module = NULL;
	_cleanup_(release_info) struct kmod_list *list = NULL;
	json_object *answer = json_object_new_object();
	int result = kmod_module_new_from_name(reader->kmod.context, name, &module);

	if (result >= 0)
		result = get_info(reader, module, &list);
	json_object_object_add(reader->answers, name, answer);
	json_object_object_add(answer, "read", json_object_new_boolean(result >= 0));
	json_object_object_add(answer, "firmware", json_object_new_array());
	take_info(list, answer);
}

int module_info_answer(const struct module_question *question, json_object **out, struct error *err)
{
	struct reader reader = {.question = question, .answers = json_object_new_object()};
	int result = module_kmod_open(question->directory, &reader.kmod, err);

	if (result == 0 && (result = kmod_load_resources(reader.kmod.context)) < 0)
		result = error_sys(err, -result, "open its module index");
	for (size_t i = 0; result == 0 && i < question->names->count; i++)
		read_module(&reader, question->names->item[i]);
	module_kmod_close(&reader.kmod);
	*out = result == 0 ? reader.answers : NULL;
	if (result < 0)
		json_object_put(reader.answers);
	return result;
}
