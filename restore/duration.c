// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/duration.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "restore/http.h"

enum { ANY_ROTATION = -1 };

/* What kinds of disks sustain, in MiB/s: the first row that fits. */
static const struct {
	const char *transport; /* shell pattern; "*" also for a disk that does not say */
	int rotational;
	double write, read;
	double zero; /* by the disk's own command where it has one that is fast */
	const char *what;
} disk_rates[] = {
	/* Cheap ones write so fast when the quick part of their flash is full. */
	{"nvme", ANY_ROTATION, 900, 1800, 4000, "an NVMe disk"},
	/* SATA at 6 Gb/s carries 550. */
	{"sata", 0, 350, 500, 2000, "a SATA solid state disk"},
	/* The mean of outer and inner tracks; zeroes are written like everything else. */
	{"sata", 1, 120, 130, 120, "a SATA hard disk"},
	/* A bridge or a stick behind USB 3; USB 2 carries 35. */
	{"usb", ANY_ROTATION, 80, 120, 80, "a USB disk"},
	/* eMMC; cards are slower. */
	{"mmc", ANY_ROTATION, 50, 120, 200, "eMMC or a card"},
	/* Server disks of 10000 turns, single or behind a RAID controller. */
	{"scsi", 1, 150, 150, 150, "a SCSI or SAS hard disk"},
	{"scsi", 0, 400, 600, 2000, "a SCSI or SAS solid state disk"},
	/* What most hosts give a guest, or a page cache that is written out meanwhile. */
	{"virtio", ANY_ROTATION, 400, 600, 2000, "a virtual disk"},
	{"xen", ANY_ROTATION, 400, 600, 2000, "a virtual disk"},
	{"loop", ANY_ROTATION, 400, 600, 8000, "a file behind a loop device"},
	{"file", ANY_ROTATION, 400, 600, 8000, "a file"},
	{"*", 1, 120, 120, 120, "a hard disk"},
	{"*", 0, 300, 400, 1000, "a disk of an unknown kind"},
};

/* What the image can be had at, in MiB/s of its own bytes and of the disk's. */
static const struct {
	bool is_remote, is_packed;
	double file, data;
	const char *what;
} image_rates[] = {
	/* Gigabit Ethernet carries 112; unpacking keeps two cores busy. */
	{true, true, 105, 500, "the network and unpacking"},
	{true, false, 105, 105, "the network"},
	{false, true, 400, 500, "unpacking the image"},
	/* A medium on SATA or better. */
	{false, false, 450, 450, "reading the image"},
};

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

struct pace {
	double seconds;
	const char *what;
};

static struct pace slower(struct pace a, struct pace b)
{
	return a.seconds >= b.seconds ? a : b;
}

static size_t disk_row(const struct disk *disk)
{
	for (size_t i = 0; i + 1 < array_length(disk_rates); i++) {
		int rotational = disk_rates[i].rotational;

		if (fnmatch(disk_rates[i].transport, disk->transport ? disk->transport : "", 0) ==
			    0 &&
		    (rotational == ANY_ROTATION || rotational == disk->rotational))
			return i;
	}
	return array_length(disk_rates) - 1;
}

/* Bytes of the image's own file, or 0. */
static uint64_t file_size(const struct plan *plan)
{
	json_object *size = json_object_object_get(plan->image, "file-size");

	return size ? json_object_get_uint64(size) : 0;
}

static struct pace image_pace(const struct source *source, const struct plan *plan)
{
	bool is_remote = http_is_url(source->name) || string_equal(source->ops->name, "nbd");
	uint64_t file = file_size(plan);
	/* A file that is clearly smaller than what it holds. */
	bool is_packed = file && file < plan->data_bytes / 5 * 4;
	struct pace pace = {0};

	for (size_t i = 0; i < array_length(image_rates); i++) {
		if (image_rates[i].is_remote != is_remote || image_rates[i].is_packed != is_packed)
			continue;
		pace.what = image_rates[i].what;
		pace.seconds = mib(plan->data_bytes) / image_rates[i].data;
		if (is_packed && mib(file) / image_rates[i].file > pace.seconds)
			pace.seconds = mib(file) / image_rates[i].file;
	}
	return pace;
}

/* Writing goes on while the image is read; reading back comes behind it. */
static struct pace target_pace(const struct plan *plan, const struct disk *disk, struct pace image,
			       enum write_proof proof)
{
	size_t row = disk_row(disk);
	double data = mib(plan->data_bytes);
	struct pace pace = {data / disk_rates[row].write, disk_rates[row].what};

	pace = slower(pace, image);
	pace.seconds += mib(plan->zero_bytes) / disk_rates[row].zero;
	if (proof == WRITE_READ_BACK)
		pace.seconds += data / disk_rates[row].read;
	return pace;
}

void duration_estimate(const struct source *source, const struct plan *plan, enum write_proof proof,
		       struct duration *out)
{
	struct pace image, worst = {0};

	*out = (struct duration){0};
	if (plan->is_stream || plan->target_count == 0) {
		out->limit = string_copy(plan->is_stream ? "how much data a stream holds shows at "
							   "its end"
							 : "no disk was named");
		return;
	}
	image = image_pace(source, plan);
	for (size_t i = 0; i < plan->target_count; i++)
		worst = slower(worst, target_pace(plan, &plan->target[i].disk, image, proof));
	out->seconds = worst.seconds;
	out->limit = string_copy(worst.what ? worst.what : "there is nothing to write");
}

char *duration_format(double seconds)
{
	if (seconds < 15)
		return string_copy("15 seconds");
	if (seconds < 45)
		return string_copy("half a minute");
	if (seconds < 90)
		return string_copy("a minute");
	if (seconds < 100 * 60)
		return string_format("%.0f minutes", seconds / 60);
	return string_format("%.0f hours", seconds / 3600);
}

void duration_release(struct duration *duration)
{
	free(duration->limit);
	*duration = (struct duration){0};
}
