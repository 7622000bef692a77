// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_ext_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/scope.h"
#include "base/text.h"

static errcode_t region_io_close(io_channel channel)
{
	free(channel->name);
	free(channel);
	return 0;
}

static errcode_t region_io_set_blksize(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

static errcode_t region_io_read(io_channel channel, unsigned long long block, int count, void *data)
{
	struct used_ext_io *io = channel->private_data;
	uint64_t unit = (uint64_t)channel->block_size;
	/* libext2fs: a negative count is one of bytes. */
	uint64_t length = count < 0 ? -(uint64_t)(int64_t)count : (uint64_t)count * unit;
	int r;

	assert(io);
	if (block > UINT64_MAX / unit)
		return EXT2_ET_BAD_BLOCK_NUM;
	r = used_region_read(io->region, data, (size_t)length, block * unit, io->err);
	if (r != USED_KNOWN && io->verdict == USED_KNOWN)
		io->verdict = r;
	return r == USED_KNOWN ? 0 : EXT2_ET_SHORT_READ;
}

static errcode_t region_io_read_32(io_channel channel, unsigned long block, int count, void *data)
{
	return region_io_read(channel, block, count, data);
}

static errcode_t region_io_write(io_channel channel, unsigned long long block, int count,
				 const void *data)
{
	(void)channel;
	(void)block;
	(void)count;
	(void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t region_io_write_32(io_channel channel, unsigned long block, int count,
				    const void *data)
{
	return region_io_write(channel, block, count, data);
}

static errcode_t region_io_flush(io_channel channel)
{
	(void)channel;
	return 0;
}

static errcode_t region_io_open(const char *name, int flags, io_channel *out);

static const struct struct_io_manager region_io = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "image",
	.open = region_io_open,
	.close = region_io_close,
	.set_blksize = region_io_set_blksize,
	.read_blk = region_io_read_32,
	.write_blk = region_io_write_32,
	.flush = region_io_flush,
	.read_blk64 = region_io_read,
	.write_blk64 = region_io_write,
};

/* A name is all that ext2fs_open2() hands on, so the name is where the io lies in memory. */
static errcode_t region_io_open(const char *name, int flags, io_channel *out)
{
	io_channel channel = calloc(1, sizeof(*channel));
	void *io;

	(void)flags;
	if (!channel || sscanf(name, "%p", &io) != 1) {
		free(channel);
		return EXT2_ET_BAD_DEVICE_NAME;
	}
	channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	channel->manager = (io_manager)&region_io;
	channel->name = string_copy(name);
	channel->block_size = 1024;
	channel->refcount = 1;
	channel->private_data = io;
	*out = channel;
	return 0;
}

errcode_t used_ext_io_open(struct used_ext_io *io, ext2_filsys *out)
{
	_cleanup_free_ char *name = string_format("%p", (void *)io);
	errcode_t r = ext2fs_open2(name, NULL, EXT2_FLAG_64BITS, 0, 0, (io_manager)&region_io, out);

	/* Nothing of what the library is asked for later reads. */
	if (r == 0)
		(*out)->io->private_data = NULL;
	return r;
}
