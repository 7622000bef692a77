// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/packs.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/pack_store.h"
#include "base/scope.h"
#include "restore/http.h"
#include "restore/image_file.h"
#include "restore/local_copy.h"
#include "restore/signature.h"

enum { SIGNATURE_LIMIT = 1 << 20, KEY_LIMIT = 4 << 20 };

struct packs {
	struct pack *item;
	size_t count;
};

/* Beside the index, named after it. */
static const char *const signature_suffixes[] = {".minisig", ".sig", ".gpg", ".asc"};

static int read_signature(const struct pack *pack, struct text *out, struct error *err)
{
	const char *index = pack_store_index(pack->store);
	_cleanup_free_ char *all = NULL;
	_cleanup_strings_ struct strings names = {0};
	_cleanup_error_ struct error why = {0};

	for (size_t i = 0; i < array_length(signature_suffixes); i++) {
		_cleanup_free_ char *name = string_format("%s%s", index, signature_suffixes[i]);

		text_truncate(out, 0);
		error_release(&why);
		if (pack_store_read(pack->store, name, SIGNATURE_LIMIT, out, &why) == 0)
			return 0;
		strings_add(&names, name);
	}
	all = strings_join(&names, ", ");
	return error_set(err, "it is not signed, and a key was given: of %s none is there (%s)",
			 all, error_text(&why));
}

static int verify(const struct text *content, const struct text *value, const char *key,
		  struct error *err)
{
	_cleanup_local_copy_ struct local_copy signature_copy = {0}, index_copy = {0};
	_cleanup_signature_ struct signature signature = {0};

	if (local_copy_save(&signature_copy, value, err) < 0 ||
	    signature_open(signature_copy.path, key, &signature, err) < 0)
		return -1;
	if (signature.kind == SIGNATURE_MINISIGN)
		return signature_verify_data(&signature, text_string(content), content->length,
					     err);
	if (local_copy_save(&index_copy, content, err) < 0)
		return -1;
	return signature_verify_file(&signature, index_copy.path, err);
}

/* The signature is proven before a line of the index is read. */
static int prove(struct pack *pack, const struct text *content, const char *key, struct error *err)
{
	_cleanup_text_ struct text value = {0};

	if (!key)
		return 0;
	if (read_signature(pack, &value, err) < 0 || verify(content, &value, key, err) < 0)
		return -1;
	pack->is_signed = true;
	return 0;
}

static int read_pack(struct pack *pack, const char *key, struct error *err)
{
	const char *name = pack_store_index(pack->store);
	_cleanup_text_ struct text content = {0};

	if (pack_store_read(pack->store, name, PACK_INDEX_LIMIT, &content, err) < 0 ||
	    prove(pack, &content, key, err) < 0)
		return -1;
	return pack_index_parse(name, text_string(&content), content.length, &pack->index, err);
}

static int open_pack(const char *place, const struct packs_options *options, struct pack *pack,
		     struct error *err)
{
	if (pack_store_open(place, options->ca_file, &pack->store, err) < 0)
		return -1;
	pack->place = string_copy(pack->store->label);
	if (read_pack(pack, options->key, err) < 0)
		return error_in(err, "driver pack %s", pack->place);
	return 0;
}

/* A key on a web server, as a profile from there names it, becomes a file. */
static int fetch_key(struct packs_options *options, struct local_copy *copy, struct error *err)
{
	const struct image_file_options how = {.ca_file = options->ca_file};
	_cleanup_image_file_ struct image_file *file = NULL;
	_cleanup_text_ struct text content = {0};
	size_t got = 0;

	if (!options->key || !http_is_url(options->key))
		return 0;
	if (image_file_open(options->key, &how, &file, err) < 0)
		return -1;
	do {
		char *at = text_reserve(&content, SIGNATURE_LIMIT);

		if (image_file_next(file, at, SIGNATURE_LIMIT, &got, err) < 0)
			return -1;
		content.length += got;
		if (content.length > KEY_LIMIT)
			return error_set(err, "it is larger than %d bytes", KEY_LIMIT);
	} while (got > 0);
	options->key = copy->path;
	return local_copy_save(copy, &content, err);
}

static int open_all(const struct strings *places, const struct packs_options *options,
		    struct packs **out, struct error *err)
{
	_cleanup_packs_ struct packs *packs = calloc(1, sizeof(*packs));

	if (!packs)
		abort();
	packs->item = calloc(places->count + 1, sizeof(*packs->item));
	if (!packs->item)
		abort();
	for (; packs->count < places->count; packs->count++) {
		struct pack *pack = &packs->item[packs->count];

		if (open_pack(places->item[packs->count], options, pack, err) < 0) {
			packs->count++;
			return -1;
		}
	}
	*out = steal(&packs);
	return 0;
}

int packs_open(const struct strings *places, const struct packs_options *options,
	       struct packs **out, struct error *err)
{
	_cleanup_local_copy_ struct local_copy key = {0};
	struct packs_options local = *options;

	if (fetch_key(&local, &key, err) < 0)
		return error_in(err, "key of driver packs");
	return open_all(places, &local, out, err);
}

void packs_close(struct packs *packs)
{
	if (!packs)
		return;
	for (size_t i = 0; i < packs->count; i++) {
		pack_index_release(&packs->item[i].index);
		pack_store_close(packs->item[i].store);
		free(packs->item[i].place);
	}
	free(packs->item);
	free(packs);
}

size_t packs_count(const struct packs *packs)
{
	return packs->count;
}

const struct pack *packs_get(const struct packs *packs, size_t i)
{
	return &packs->item[i];
}

int pack_copy(const struct pack *pack, const struct pack_file *file, int fd, struct error *err)
{
	return pack_store_copy(pack->store, file, fd, err);
}
