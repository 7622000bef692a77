// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/image.h"

#include <stdlib.h>

#include "base/scope.h"
#include "cli/fetch.h"
#include "restore/http.h"
#include "restore/local_copy.h"
#include "restore/used_blocks.h"

enum { FETCH_LIMIT = 64 << 20 }; /* a block map of a large disk has a few MiB */

/* A file that is named by path or URL. */
struct named_file {
	struct local_copy copy; /* of a URL */
	const char *name;
};

/* name may be NULL, a path, or a URL, which is fetched. */
static int find_file(const char *name, const char *ca_file, struct named_file *file,
		     struct error *err)
{
	_cleanup_text_ struct text content = {0};

	file->name = name;
	if (!name || !http_is_url(name))
		return 0;
	if (fetch_url(name, ca_file, FETCH_LIMIT, &content, err) < 0)
		return -1;
	file->name = file->copy.path;
	return local_copy_save(&file->copy, &content, err);
}

/* What image_request says about the image's integrity, with files of this machine. */
struct promise {
	struct named_file checksum, signature, key;
	struct integrity_options options;
};

static void promise_release(struct promise *promise)
{
	local_copy_release(&promise->checksum.copy);
	local_copy_release(&promise->signature.copy);
	local_copy_release(&promise->key.copy);
}

static int promise_make(const struct image_request *request, struct promise *promise,
			struct error *err)
{
	if (find_file(request->checksum, request->ca_file, &promise->checksum, err) < 0 ||
	    find_file(request->signature, request->ca_file, &promise->signature, err) < 0 ||
	    find_file(request->key, request->ca_file, &promise->key, err) < 0)
		return -1;
	promise->options.checksum = promise->checksum.name;
	promise->options.signature = promise->signature.name;
	promise->options.key = promise->key.name;
	promise->options.moment = request->moment;
	return 0;
}

struct image_request image_request_from(const struct options *options)
{
	return (struct image_request){
		.format = options->format,
		.ca_file = options->ca_file,
		.checksum = options->checksum,
		.signature = options->signature,
		.key = options->key,
	};
}

int image_open(const struct image_request *request, struct source **out, struct error *err)
{
	_cleanup_(promise_release) struct promise promise = {0};
	struct source_options options = {
		.format = request->format,
		.file = {.ca_file = request->ca_file},
	};
	_cleanup_source_ struct source *source = NULL;

	if (promise_make(request, &promise, err) < 0)
		return -1;
	options.file.digests = integrity_digests(&promise.options);
	if (source_open(request->name, &options, &source, err) < 0 ||
	    integrity_require(source, &promise.options, err) < 0)
		return -1;
	*out = steal(&source);
	return 0;
}

int image_open_used(const struct options *options, struct source **out, struct layout *layout,
		    struct error *err)
{
	struct image_request request = image_request_from(options);
	_cleanup_source_ struct source *source = NULL;

	request.name = options->arguments.item[0];
	if (image_open(&request, &source, err) < 0 || layout_read_source(source, layout, err) < 0)
		return -1;
	if (!options->no_used_blocks && !source->is_stream &&
	    used_blocks_find(source, layout, &source->used, err) < 0)
		return -1;
	*out = steal(&source);
	return 0;
}
