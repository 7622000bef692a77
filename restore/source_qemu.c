// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_qemu.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "restore/nbd_pool.h"
#include "restore/qemu_nbd.h"
#include "restore/qemu_parent.h"
#include "restore/vmdk_extents.h"

static const struct nbd_pool_options patience = {
	.endpoint = {.silence_ms = 30000},
	.connect_ms = 30000,
};

struct qemu {
	struct qemu_nbd_files files;
	struct qemu_nbd server;
	bool is_started;
	atomic_uint connections;
	struct nbd_pool *pool;
};

/* A format; ops comes first, so that source->ops leads here. */
struct kind {
	struct source_ops ops;
	const char *what; /* as people write it */
	/* Refuses what names other files. Optional. */
	int (*check)(const struct image_file *file, struct error *err);
	/* Adds the other files that the image has its data in. Optional. */
	int (*add_files)(const struct image_file *file, struct qemu_nbd_files *files,
			 struct error *err);
};

static const struct kind *kind_of(const struct source *source)
{
	return (const struct kind *)source->ops;
}

/* source.c finds these by their signatures, or by name. */
static bool never(const uint8_t *head, size_t length)
{
	(void)head;
	(void)length;
	return false;
}

static int find_program(const char *what, char **out, struct error *err)
{
	_cleanup_strings_ struct strings places = {0};
	const char *path = getenv("PATH");

	strings_split(&places, path ? path : "/usr/local/bin:/usr/bin:/bin", ":");
	for (size_t i = 0; i < places.count; i++) {
		_cleanup_free_ char *name = string_format("%s/qemu-nbd", places.item[i]);

		*out = access(name, X_OK) == 0 ? realpath(name, NULL) : NULL;
		if (*out)
			return 0;
	}
	return error_set(err,
			 "%s images are read through qemu-nbd, which is not installed: apt install "
			 "qemu-utils",
			 what);
}

static int add_sibling(const struct image_file *file, const char *name,
		       struct qemu_nbd_files *files, struct error *err)
{
	_cleanup_image_file_ struct image_file *sibling = NULL;

	if (string_equal(name, files->item[0].name))
		return error_set(err, "the image names itself as a file with its data");
	if (image_file_open_sibling(file, name, &sibling, err) < 0)
		return error_in(err, "file %s of the image", name);
	if (sibling->is_block_device)
		return error_set(err, "file %s of the image is a block device", name);
	return qemu_nbd_files_add(files, sibling->fd, sibling->name, err);
}

/* A VMDK descriptor: the file as a whole, or a part of a sparse extent. */
struct descriptor {
	uint64_t offset, length; /* length is 0 when there is none */
	bool is_embedded;
};

/* VMware, Virtual Disk Format 5.0, "Hosted Sparse Extent Header": where it is, in sectors, at 28.
 * What cannot be is QEMU's to refuse. */
static int find_descriptor(const struct image_file *file, struct descriptor *out, struct error *err)
{
	uint8_t header[44] = {0};
	size_t length = file->size < sizeof(header) ? (size_t)file->size : sizeof(header);
	uint64_t place[2];

	if (image_file_read(file, "VMDK header", header, length, 0, err) < 0)
		return -1;
	*out = (struct descriptor){.length = *header == '#' ? file->size : 0};
	if (memcmp(header, "KDMV", 4) != 0)
		return 0;
	memcpy(place, header + 28, sizeof(place));
	*out = (struct descriptor){le64toh(place[0]) << 9, le64toh(place[1]) << 9, true};
	return 0;
}

static int read_descriptor(const struct image_file *file, const struct descriptor *descriptor,
			   struct text *out, struct error *err)
{
	size_t length = (size_t)descriptor->length;

	if (descriptor->length > VMDK_DESCRIPTOR_MAX)
		return error_set(err, "the VMDK descriptor is longer than %d bytes",
				 VMDK_DESCRIPTOR_MAX);
	if (image_file_read(file, "VMDK descriptor", text_reserve(out, length), length,
			    descriptor->offset, err) < 0)
		return -1;
	out->length = length;
	text_add(out, "");
	return 0;
}

static int add_extents(const struct image_file *file, struct qemu_nbd_files *files,
		       struct error *err)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_text_ struct text text = {0};
	struct descriptor descriptor;

	if (find_descriptor(file, &descriptor, err) < 0)
		return -1;
	if (descriptor.length == 0)
		return 0;
	if (read_descriptor(file, &descriptor, &text, err) < 0 ||
	    vmdk_extents(text_string(&text), &names, err) < 0)
		return -1;
	/* The extent of a file with its own descriptor is the file. */
	for (size_t i = 0; !descriptor.is_embedded && i < names.count; i++)
		if (add_sibling(file, names.item[i], files, err) < 0)
			return -1;
	return 0;
}

static int next_connection(void *context, struct nbd_handle *handle, struct error *err)
{
	struct qemu *qemu = context;
	unsigned int i = atomic_fetch_add(&qemu->connections, 1);

	if (i >= QEMU_NBD_CONNECTIONS)
		return error_set(err, "the connection to it was lost");
	if (nbd_aio_connect_socket(handle, steal_fd(&qemu->server.socket[i])) < 0)
		return nbd_complain(err);
	return 0;
}

/* What went wrong, in its own words where it had some. */
static int complain(const struct qemu *qemu, struct error *err)
{
	_cleanup_free_ char *said = qemu_nbd_complaint(&qemu->server);

	return said ? error_in(err, "%s", said) : error_in(err, "qemu-nbd");
}

/* It ended instead of answering: then only its own words say why. */
static int refuse(const struct qemu *qemu, struct error *err)
{
	_cleanup_free_ char *said = qemu_nbd_complaint(&qemu->server);

	return said ? error_set(err, "%s", said) : error_in(err, "qemu-nbd");
}

static int start(struct source *source, struct qemu *qemu, struct error *err)
{
	const char *format = source->ops->name;
	_cleanup_free_ char *program = NULL;
	_cleanup_free_ char *format_option = string_format("--format=%s", format);
	_cleanup_free_ char *image = string_format("/image/%s", qemu->files.item[0].name);
	_cleanup_free_ char *shared = string_format("--shared=%d", QEMU_NBD_CONNECTIONS);
	const char *const argv[] = {"qemu-nbd", "--read-only", shared, format_option, image, NULL};

	if (find_program(kind_of(source)->what, &program, err) < 0)
		return -1;
	if (qemu_nbd_start(program, argv, &qemu->files, &qemu->server, err) < 0)
		return -1;
	qemu->is_started = true;
	return 0;
}

static int open_files(struct source *source, struct qemu *qemu, struct error *err)
{
	const struct kind *kind = kind_of(source);
	const struct image_file *file = source->file;

	if (file->fd < 0 || file->is_block_device)
		return error_set(err,
				 "%s images are read from regular files of this machine only: copy "
				 "it to one, or convert it with `qemu-img convert -f %s -O qcow2`",
				 kind->what, kind->ops.name);
	if (qemu_nbd_files_add(&qemu->files, file->fd, file->name, err) < 0)
		return -1;
	if (kind->check && kind->check(file, err) < 0)
		return -1;
	return kind->add_files ? kind->add_files(file, &qemu->files, err) : 0;
}

static int qemu_open(struct source *source, const struct source_options *options, struct error *err)
{
	struct nbd_pool_options how = patience;
	struct qemu *qemu;

	(void)options;
	qemu = calloc(1, sizeof(*qemu));
	if (!qemu)
		return error_sys(err, ENOMEM, "open");
	source->state = qemu;
	if (open_files(source, qemu, err) < 0 || start(source, qemu, err) < 0)
		return -1;
	how.endpoint.connect = next_connection;
	how.endpoint.context = qemu;
	if (nbd_pool_open(&how, &qemu->pool, err) < 0)
		return refuse(qemu, err);
	source->size = nbd_pool_size(qemu->pool);
	source->granule = nbd_pool_granule(qemu->pool);
	return 0;
}

static void qemu_close(struct source *source)
{
	struct qemu *qemu = source->state;

	if (!qemu)
		return;
	nbd_pool_close(qemu->pool);
	if (qemu->is_started)
		qemu_nbd_stop(&qemu->server);
	qemu_nbd_files_release(&qemu->files);
	free(qemu);
}

static int qemu_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		       struct error *err)
{
	const struct qemu *qemu = source->state;

	if (nbd_pool_extent(qemu->pool, offset, length, out, err) < 0)
		return complain(qemu, err);
	return 0;
}

static int qemu_read(struct source *source, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	const struct qemu *qemu = source->state;

	if (nbd_pool_read(qemu->pool, data, length, offset, err) < 0)
		return complain(qemu, err);
	return 0;
}

static void qemu_describe(const struct source *source, json_object *out)
{
	const struct qemu *qemu = source->state;

	json_object_object_add(out, "reader", json_object_new_string("qemu-nbd"));
	json_object_object_add(out, "files", json_object_new_uint64(qemu->files.count));
}

#define KIND(format, ...)                                                                          \
	{                                                                                          \
		{.name = format,                                                                   \
		 .probe = never,                                                                   \
		 .open = qemu_open,                                                                \
		 .close = qemu_close,                                                              \
		 .extent = qemu_extent,                                                            \
		 .read = qemu_read,                                                                \
		 .describe = qemu_describe},                                                       \
			__VA_ARGS__                                                                \
	}

static const struct kind kinds[] = {
	KIND("vmdk", "VMDK", NULL, add_extents),
	KIND("vdi", "VDI", NULL, NULL),
	KIND("vpc", "VHD", qemu_parent_check_vpc, NULL),
	KIND("vhdx", "VHDX", qemu_parent_check_vhdx, NULL),
	KIND("qed", "QED", qemu_parent_check_qed, NULL),
	KIND("parallels", "Parallels", NULL, NULL),
	KIND("dmg", "DMG", NULL, NULL),
	KIND("bochs", "Bochs", NULL, NULL),
	KIND("cloop", "cloop", NULL, NULL),
	KIND("qcow", "qcow", qemu_parent_check_qcow, NULL),
};

const struct source_ops *source_qemu_named(const char *name)
{
	for (size_t i = 0; i < array_length(kinds); i++)
		if (string_equal(kinds[i].ops.name, name))
			return &kinds[i].ops;
	return NULL;
}

void source_qemu_names(struct strings *out)
{
	for (size_t i = 0; i < array_length(kinds); i++)
		strings_add_once(out, kinds[i].ops.name);
}
