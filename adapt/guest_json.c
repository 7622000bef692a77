// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest.h"
#include "base/json.h"

static json_object *kernels_json(const struct guest *guest)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < guest->kernel_count; i++) {
		const struct guest_kernel *kernel = &guest->kernel[i];
		json_object *entry = json_object_new_object();

		json_object_object_add(entry, "release", json_string_or_null(kernel->release));
		json_object_object_add(entry, "image", json_string_or_null(kernel->image));
		json_object_object_add(entry, "initramfs", json_string_or_null(kernel->initramfs));
		json_object_array_add(list, entry);
	}
	return list;
}

static json_object *mounts_json(const struct guest *guest)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < guest->mount_count; i++) {
		const struct guest_mount *mount = &guest->mount[i];
		json_object *entry = json_object_new_object();

		json_object_object_add(entry, "where", json_string_or_null(mount->where));
		json_object_object_add(entry, "device", json_string_or_null(mount->device));
		json_object_object_add(entry, "volume", json_string_or_null(mount->volume));
		json_object_object_add(entry, "filesystem", json_string_or_null(mount->filesystem));
		json_object_object_add(entry, "uuid", json_string_or_null(mount->uuid));
		json_object_object_add(entry, "partition", json_object_new_int(mount->partition));
		json_object_array_add(list, entry);
	}
	return list;
}

static json_object *sentences_json(const struct strings *sentences)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < sentences->count; i++)
		json_object_array_add(list, json_object_new_string(sentences->item[i]));
	return list;
}

json_object *guest_json(const struct guest *guest)
{
	json_object *out = json_object_new_object(), *os = json_object_new_object();

	json_object_object_add(os, "id", json_string_or_null(guest->os_id));
	json_object_object_add(os, "id-like", json_string_or_null(guest->os_id_like));
	json_object_object_add(os, "version", json_string_or_null(guest->os_version));
	json_object_object_add(os, "name", json_string_or_null(guest->os_name));
	json_object_object_add(out, "os", os);
	json_object_object_add(out, "hostname", json_string_or_null(guest->hostname));
	json_object_object_add(out, "architecture", json_string_or_null(guest->architecture));
	json_object_object_add(
		out, "initramfs",
		json_string_or_null(guest_initramfs_tool_name(guest->initramfs_tool)));
	json_object_object_add(out, "kernels", kernels_json(guest));
	json_object_object_add(out, "mounts", mounts_json(guest));
	json_object_object_add(out, "not-mounted", sentences_json(&guest->unmounted));
	return out;
}
