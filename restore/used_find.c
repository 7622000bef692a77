// SPDX-License-Identifier: GPL-3.0-or-later
/* used_find: which file systems are in an image, in its partitions and in logical volumes. */
#include <assert.h>
#include <stdlib.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/used_blocks_state.h"
#include "restore/used_lvm.h"

enum { VOLUMES = 256 }; /* that are looked into; what further ones hold is in use */

static const struct used_ops *const kinds[] = {&used_btrfs_ops, &used_ext_ops,  &used_fat_ops,
					       &used_ntfs_ops,  &used_swap_ops, &used_xfs_ops};

static const struct used_ops *ops_named(const char *name)
{
	for (size_t i = 0; i < array_length(kinds); i++)
		for (const char *const *known = kinds[i]->names; *known; known++)
			if (string_equal(*known, name))
				return kinds[i];
	return NULL;
}

static struct used_filesystem *filesystem_add(struct used_blocks *used, int partition,
					      const char *name)
{
	struct used_filesystem *filesystem = calloc(1, sizeof(*filesystem));

	used->filesystem = reallocarray(used->filesystem, used->filesystems + 1,
					sizeof(struct used_filesystem *));
	if (!filesystem || !used->filesystem)
		abort();
	used->filesystem[used->filesystems++] = filesystem;
	filesystem->partition = partition;
	filesystem->name = name ? string_copy(name) : NULL;
	filesystem->region.cache = &used->cache;
	return filesystem;
}

static void add_pieces(struct used_blocks *used, struct used_filesystem *filesystem)
{
	const struct used_region *region = &filesystem->region;
	uint64_t offset = 0;

	used->piece = reallocarray(used->piece, used->pieces + region->segments,
				   sizeof(struct used_piece));
	if (!used->piece)
		abort();
	for (size_t i = 0; i < region->segments; i++) {
		used->piece[used->pieces++] = (struct used_piece){
			.start = region->segment[i].offset,
			.length = region->segment[i].length,
			.filesystem = filesystem,
			.offset = offset,
		};
		offset += region->segment[i].length;
	}
}

/* The filesystem's region is complete. */
static int filesystem_open(struct used_blocks *used, struct used_filesystem *filesystem,
			   struct error *err)
{
	const struct used_ops *ops = ops_named(filesystem->name);
	_cleanup_error_ struct error cause = {0};
	int r;

	if (!ops) {
		filesystem->why_not = string_copy(filesystem->name ? "its kind is not understood"
								   : "its content is not known");
		return 0;
	}
	r = ops->open(&filesystem->region, &filesystem->state, &cause);
	if (r == USED_FAILED) {
		error_move(err, &cause);
		return -1;
	}
	if (r == USED_DECLINED) {
		filesystem->why_not = string_copy(error_text(&cause));
		return 0;
	}
	filesystem->ops = ops;
	add_pieces(used, filesystem);
	return 0;
}

static int unallocated_window(void *state, uint64_t offset, struct used_window *window,
			      struct error *err)
{
	(void)state;
	(void)offset;
	(void)err;
	used_window_add(window, window->start, window->end);
	return USED_KNOWN;
}

/* What no logical volume lies on. */
static const struct used_ops unallocated_ops = {.window = unallocated_window, .close = free};

static int view_read(struct source *source, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	return used_region_read(source->state, data, length, offset, err) == USED_KNOWN ? 0 : -1;
}

/* What libblkid sees in a logical volume, or NULL. */
static char *identify(struct used_region *region, const char *name)
{
	static const struct source_ops view_ops = {.name = "volume", .read = view_read};
	_cleanup_free_ char *label = string_copy(name);
	struct source view = {
		.ops = &view_ops,
		.name = label,
		.size = region->length,
		.size_is_known = true,
		.granule = 512,
		.state = region,
	};
	_cleanup_layout_ struct layout layout = {0};

	if (layout_read_source(&view, &layout, NULL) < 0 || layout.table || layout.count != 1)
		return NULL;
	return steal(&layout.partition[0].filesystem);
}

static bool add_segments(struct used_region *region, const struct used_segment *segment,
			 size_t count, uint64_t start)
{
	for (size_t i = 0; i < count; i++)
		if (!used_region_add(region, start + segment[i].offset, segment[i].length))
			return false;
	return count > 0;
}

static int add_volume(struct used_blocks *used, const struct partition *partition,
		      const struct used_lvm_volume *volume, struct error *err)
{
	struct used_filesystem *filesystem = filesystem_add(used, partition->number, NULL);

	filesystem->volume = string_copy(volume->name);
	if (add_segments(&filesystem->region, volume->segment, volume->segments, partition->start))
		filesystem->name = identify(&filesystem->region, volume->name);
	if (filesystem_open(used, filesystem, err) < 0)
		return error_in(err, "find what volume %s uses", volume->name);
	return 0;
}

/* filesystem is the physical volume; its region becomes what is unallocated of it. */
static int add_volumes(struct used_blocks *used, const struct partition *partition,
		       struct used_filesystem *filesystem, struct error *err)
{
	_cleanup_used_lvm_ struct used_lvm lvm = {0};
	_cleanup_error_ struct error cause = {0};
	int r = used_lvm_read(&filesystem->region, &lvm, &cause);

	if (r == USED_DECLINED) {
		filesystem->why_not = string_copy(error_text(&cause));
		return 0;
	}
	if (r == USED_FAILED) {
		error_move(err, &cause);
		return -1;
	}
	used_region_release(&filesystem->region);
	filesystem->region.cache = &used->cache;
	if (add_segments(&filesystem->region, lvm.unallocated, lvm.unallocated_count,
			 partition->start)) {
		filesystem->ops = &unallocated_ops;
		add_pieces(used, filesystem);
	}
	for (size_t i = 0; i < lvm.volumes && i < VOLUMES; i++)
		if (add_volume(used, partition, &lvm.volume[i], err) < 0)
			return -1;
	return 0;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct used_piece *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/* Extended partitions are there to hold logical ones. */
static bool is_nested(const struct partition *one, const struct partition *other)
{
	return (one->is_extended && other->is_logical) || (other->is_extended && one->is_logical);
}

/* The same bytes cannot belong to two: neither is believed, whatever the other holds. */
static bool overlaps_another(const struct layout *layout, const struct partition *partition)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *other = &layout->partition[i];

		if (other == partition || is_nested(other, partition))
			continue;
		if (other->start <= partition->start
			    ? partition->start - other->start < other->length
			    : other->start - partition->start < partition->length)
			return true;
	}
	return false;
}

static int add_partition(struct used_blocks *used, const struct layout *layout,
			 const struct partition *partition, struct error *err)
{
	struct used_filesystem *filesystem =
		filesystem_add(used, partition->number, partition->filesystem);
	int r;

	if (!used_region_add(&filesystem->region, partition->start, partition->length)) {
		filesystem->why_not = string_copy("it does not lie within the image");
		return 0;
	}
	if (overlaps_another(layout, partition)) {
		filesystem->why_not = string_copy("it overlaps another");
		return 0;
	}
	if (string_equal(partition->filesystem, "LVM2_member"))
		r = add_volumes(used, partition, filesystem, err);
	else
		r = filesystem_open(used, filesystem, err);
	return r < 0 ? error_in(err, "find what partition %d uses", partition->number) : 0;
}

int used_blocks_find(struct source *source, const struct layout *layout, struct used_blocks **out,
		     struct error *err)
{
	struct used_blocks *used = calloc(1, sizeof(*used));

	assert(!source->is_stream);
	if (!used)
		abort();
	pthread_mutex_init(&used->lock, NULL);
	used->cache.source = source;
	used->cache.memory_left = USED_MEMORY;
	*out = NULL;
	for (size_t i = 0; i < layout->count; i++) {
		if (layout->partition[i].is_extended)
			continue;
		if (add_partition(used, layout, &layout->partition[i], err) < 0) {
			used_blocks_free(used);
			return -1;
		}
	}
	if (used->pieces > 1)
		qsort(used->piece, used->pieces, sizeof(struct used_piece), compare_pieces);
	*out = used;
	return 0;
}
