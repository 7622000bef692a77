// SPDX-License-Identifier: GPL-3.0-or-later
/* pack-tree: driver packs that a test makes: a directory with files, and the index that fits. */
#pragma once

#include "adapt/packs.h"
#include "tests/adapt/scratch.h"

struct pack_tree {
	char *root;
	struct text index;
};

static inline void pack_tree_init(struct pack_tree *pack)
{
	*pack = (struct pack_tree){.root = tree_make()};
	text_add(&pack->index, "[Pack]\nformat = 1\n");
}

static inline void pack_tree_release(struct pack_tree *pack)
{
	tree_remove(&pack->root);
	text_release(&pack->index);
}
#define _cleanup_pack_tree_ _cleanup_(pack_tree_release)

/* The line of a file that lies in the pack already. */
static inline void pack_tree_file(struct pack_tree *pack, const char *path)
{
	_cleanup_free_ char *full = string_format("%s/%s", pack->root, path);
	_cleanup_text_ struct text content = {0};
	uint8_t sum[SHA256_LENGTH];
	char hex[2 * SHA256_LENGTH + 1];

	assert_int_equal(file_read(full, 64 << 20, &content, NULL), 0);
	assert_int_equal(sha256_of(text_string(&content), content.length, sum, NULL), 0);
	sha256_format(sum, hex);
	text_addf(&pack->index, "file = %s %zu %s\n", hex, content.length, path);
}

/* An entry with one file; lines are all others. */
static inline void pack_tree_add(struct pack_tree *pack, const char *label, const char *lines,
				 const char *path, const char *content)
{
	text_addf(&pack->index, "[%s]\n%s", label, lines);
	tree_text(pack->root, path, content);
	pack_tree_file(pack, path);
}

static inline void pack_tree_write(struct pack_tree *pack)
{
	tree_text(pack->root, PACK_INDEX_NAME, text_string(&pack->index));
}

static inline int pack_tree_open(struct pack_tree *pack, struct packs **out, struct error *err)
{
	const struct packs_options options = {0};
	_cleanup_strings_ struct strings places = {0};

	pack_tree_write(pack);
	strings_add(&places, pack->root);
	return packs_open(&places, &options, out, err);
}
