// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * qcow2-image: a small qcow2 image made by hand, to be damaged field by field.
 *
 * Clusters of 512 bytes: 0 header, 1 L1 table, 2 and 3 L2 tables, 4 to 15 data (all bytes of data
 * cluster n are n). The disk has 128 clusters, of which only those are allocated that a test puts
 * into the tables.
 */
#pragma once

#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/source-fd.h"

#define CLUSTER 512U
#define CLUSTERS 16U
#define AT(n) ((uint64_t)(n)*CLUSTER)
#define COPIED (1ULL << 63)
#define COMPRESSED (1ULL << 62)
/* At file offset `at`, in `extra` sectors more than the first. */
#define PACKED(at, extra) (COMPRESSED | (uint64_t)(extra) << 61 | (at))

struct qcow2_image {
	uint8_t bytes[CLUSTERS * CLUSTER];
	size_t length;
};

static inline void put32(struct qcow2_image *image, size_t offset, uint32_t value)
{
	value = htobe32(value);
	memcpy(image->bytes + offset, &value, sizeof(value));
}

static inline void put64(struct qcow2_image *image, size_t offset, uint64_t value)
{
	value = htobe64(value);
	memcpy(image->bytes + offset, &value, sizeof(value));
}

static inline void put_l1(struct qcow2_image *image, unsigned int i, uint64_t entry)
{
	put64(image, AT(1) + 8 * i, entry);
}

/* i counts the clusters of the disk. */
static inline void put_l2(struct qcow2_image *image, unsigned int i, uint64_t entry)
{
	put64(image, AT(2) + 8 * i, entry);
}

/* A sound version 3 image. */
static inline void qcow2_image_init(struct qcow2_image *image)
{
	memset(image, 0, sizeof(*image));
	image->length = sizeof(image->bytes);
	for (unsigned int i = 4; i < CLUSTERS; i++)
		memset(image->bytes + AT(i), (int)i, CLUSTER);
	memcpy(image->bytes, "QFI\xfb", 4);
	put32(image, 4, 3);              /* version */
	put32(image, 20, 9);             /* cluster_bits */
	put64(image, 24, 128 * CLUSTER); /* size */
	put32(image, 36, 2);             /* l1_size */
	put64(image, 40, AT(1));         /* l1_table_offset */
	put32(image, 96, 4);             /* refcount_order */
	put32(image, 100, 104);          /* header_length */
	put_l1(image, 0, AT(2) | COPIED);
	put_l1(image, 1, AT(3) | COPIED);
}

static inline int qcow2_image_open(const struct qcow2_image *image, struct source **out,
				   struct error *err)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write_exactly(fd, "image", image->bytes, image->length, 0, err) < 0)
		return -1;
	return source_open_fd(fd, "image", &source_qcow2_ops, out, err);
}
