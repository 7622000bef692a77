// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/efi_entry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

enum {
	LOAD_OPTION_ACTIVE = 1,
	OPTION_HEADER = 6, /* attributes, length of the device path */
	NODE_HEADER = 4,
	NODE_MEDIA = 4,
	MEDIA_HARD_DRIVE = 1,
	MEDIA_FILE = 4,
	HARD_DRIVE_NODE = 42,
	SIGNATURE_MBR = 1,
	SIGNATURE_GUID = 2,
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

/* Up to the NUL or the end; what is outside the basic plane becomes '?'. */
static char *from_utf16(const uint8_t *p, size_t length)
{
	struct text out = {0};

	for (size_t i = 0; i + 1 < length && get16(p + i); i += 2) {
		unsigned int c = get16(p + i);
		const bool is_surrogate = c >= 0xd800 && c < 0xe000;
		const uint8_t two[] = {(uint8_t)(0xc0 | c >> 6), (uint8_t)(0x80 | (c & 0x3f))};
		const uint8_t three[] = {(uint8_t)(0xe0 | c >> 12),
					 (uint8_t)(0x80 | (c >> 6 & 0x3f)),
					 (uint8_t)(0x80 | (c & 0x3f))};

		if (is_surrogate || c < 0x20 || c == 0x7f)
			text_add(&out, "?");
		else if (c < 0x80)
			text_addf(&out, "%c", (int)c);
		else if (c < 0x800)
			text_add_bytes(&out, two, sizeof(two));
		else
			text_add_bytes(&out, three, sizeof(three));
	}
	text_add(&out, "");
	return text_take(&out);
}

/* As /dev/disk/by-partuuid has it. node is a whole hard drive node (UEFI 2.10 table 10.49). */
static char *node_partuuid(const uint8_t *node)
{
	const uint8_t *s = node + 24;

	if (node[41] == SIGNATURE_MBR)
		return string_format("%08x-%02x", get32(s), get32(node + 4));
	if (node[41] != SIGNATURE_GUID)
		return NULL;
	return string_format("%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", get32(s),
			     get16(s + 4), get16(s + 6), s[8], s[9], s[10], s[11], s[12], s[13],
			     s[14], s[15]);
}

/* Only the short form and its like: a path without hard drive node names no partition. */
static void parse_path(const uint8_t *p, size_t length, struct efi_entry *entry)
{
	while (length >= NODE_HEADER) {
		const size_t size = get16(p + 2);

		if (size < NODE_HEADER || size > length)
			return;
		if (p[0] == NODE_MEDIA && p[1] == MEDIA_HARD_DRIVE && size >= HARD_DRIVE_NODE &&
		    !entry->partition)
			entry->partition = node_partuuid(p);
		if (p[0] == NODE_MEDIA && p[1] == MEDIA_FILE && !entry->file)
			entry->file = from_utf16(p + NODE_HEADER, size - NODE_HEADER);
		p += size;
		length -= size;
	}
}

/* EFI_LOAD_OPTION, UEFI 2.10 section 3.1.3. */
static void parse_option(struct efi_entry *entry)
{
	const uint8_t *p = (const uint8_t *)entry->data.data;
	const size_t length = entry->data.length;
	size_t at = OPTION_HEADER, path_length;

	if (length < OPTION_HEADER) {
		entry->label = string_copy("");
		return;
	}
	entry->attributes = get32(p);
	path_length = get16(p + 4);
	entry->label = from_utf16(p + at, length - at);
	while (at + 1 < length && get16(p + at))
		at += 2;
	at += 2;
	if (at <= length && path_length <= length - at)
		parse_path(p + at, path_length, entry);
}

/* "Boot" and four upper-case hexadecimal digits. */
static bool is_entry_name(const char *name, uint16_t *number)
{
	if (!has_prefix(name, "Boot") || strlen(name) != 8)
		return false;
	for (const char *p = name + 4; *p; p++)
		if (!isdigit((unsigned char)*p) && (*p < 'A' || *p > 'F'))
			return false;
	*number = (uint16_t)strtoul(name + 4, NULL, 16);
	return true;
}

static int read_order(const struct efi_store *store, struct efi_entries *out, struct error *err)
{
	_cleanup_text_ struct text value = {0};

	if (store->ops->get(store->context, "BootOrder", &value, err) < 0)
		return -1;
	out->order = calloc(value.length / 2 + 1, sizeof(*out->order));
	if (!out->order)
		abort();
	for (size_t i = 0; i + 1 < value.length; i += 2)
		out->order[out->order_count++] = get16((const uint8_t *)value.data + i);
	return 0;
}

int efi_entries_read(const struct efi_store *store, struct efi_entries *out, struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	if (store->ops->list(store->context, &names, err) < 0 || read_order(store, out, err) < 0)
		return -1;
	out->item = calloc(names.count + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	for (size_t i = 0; i < names.count; i++) {
		struct efi_entry *entry = &out->item[out->count];

		if (!is_entry_name(names.item[i], &entry->number))
			continue;
		out->count++;
		if (store->ops->get(store->context, names.item[i], &entry->data, err) < 0)
			return -1;
		parse_option(entry);
	}
	return 0;
}

static json_object *hexadecimal(const struct text *data)
{
	_cleanup_text_ struct text out = {0};

	for (size_t i = 0; i < data->length; i++)
		text_addf(&out, "%02x", (uint8_t)data->data[i]);
	return json_object_new_string(text_string(&out));
}

static void add_string(json_object *object, const char *name, const char *value)
{
	if (value)
		json_object_object_add(object, name, json_object_new_string(value));
}

json_object *efi_entries_json(const struct efi_entries *entries)
{
	json_object *out = json_object_new_object(), *order = json_object_new_array();
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < entries->order_count; i++) {
		_cleanup_free_ char *number = string_format("%04X", entries->order[i]);

		json_object_array_add(order, json_object_new_string(number));
	}
	for (size_t i = 0; i < entries->count; i++) {
		const struct efi_entry *entry = &entries->item[i];
		_cleanup_free_ char *number = string_format("%04X", entry->number);
		json_object *item = json_object_new_object();

		add_string(item, "number", number);
		add_string(item, "label", entry->label);
		add_string(item, "partition", entry->partition);
		add_string(item, "file", entry->file);
		json_object_object_add(item, "data", hexadecimal(&entry->data));
		json_object_array_add(list, item);
	}
	json_object_object_add(out, "order", order);
	json_object_object_add(out, "entries", list);
	return out;
}

void efi_entries_release(struct efi_entries *entries)
{
	if (!entries)
		return;
	for (size_t i = 0; i < entries->count; i++) {
		free(entries->item[i].label);
		free(entries->item[i].partition);
		free(entries->item[i].file);
		text_release(&entries->item[i].data);
	}
	free(entries->item);
	free(entries->order);
	*entries = (struct efi_entries){0};
}

static bool is_in(const uint16_t *list, size_t count, uint16_t number)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

static bool has_file(const struct efi_entry *entry, const struct efi_wanted *wanted)
{
	return entry->file && strcasecmp(entry->file, wanted->file) == 0;
}

/* The entry that starts the wanted file already; the one that comes first in BootOrder of several.
 */
static const struct efi_entry *find_same(const struct efi_entries *entries,
					 const struct efi_wanted *wanted)
{
	const struct efi_entry *best = NULL;
	size_t best_rank = SIZE_MAX;

	for (size_t i = 0; i < entries->count; i++) {
		const struct efi_entry *entry = &entries->item[i];
		size_t rank = 0;

		if (!has_file(entry, wanted) || !entry->partition || !wanted->esp->partuuid ||
		    strcasecmp(entry->partition, wanted->esp->partuuid) != 0)
			continue;
		while (rank < entries->order_count && entries->order[rank] != entry->number)
			rank++;
		if (!best || rank < best_rank) {
			best = entry;
			best_rank = rank;
		}
	}
	return best;
}

static bool is_stale(const struct efi_entry *entry, const struct efi_wanted *wanted)
{
	if (!wanted->partitions || !entry->partition || !has_file(entry, wanted) ||
	    strcmp(entry->label, wanted->label) != 0)
		return false;
	return !strings_has(wanted->partitions, entry->partition);
}

static int choose_number(const struct efi_entries *entries, const struct efi_entry_plan *plan,
			 uint16_t *number, struct error *err)
{
	for (unsigned int n = 0; n <= 0xffff; n++) {
		bool is_used = is_in(entries->order, entries->order_count, (uint16_t)n) &&
			       !is_in(plan->remove, plan->remove_count, (uint16_t)n);

		for (size_t i = 0; i < entries->count && !is_used; i++)
			is_used = entries->item[i].number == n &&
				  !is_in(plan->remove, plan->remove_count, (uint16_t)n);
		if (!is_used) {
			*number = (uint16_t)n;
			return 0;
		}
	}
	return error_set(err, "every number of the firmware's boot menu is taken");
}

static void plan_order(const struct efi_entries *entries, struct efi_entry_plan *plan)
{
	plan->order[plan->order_count++] = plan->number;
	for (size_t i = 0; i < entries->order_count; i++) {
		const uint16_t number = entries->order[i];

		if (number != plan->number && !is_in(plan->remove, plan->remove_count, number))
			plan->order[plan->order_count++] = number;
	}
	plan->reorders =
		plan->order_count != entries->order_count ||
		memcmp(plan->order, entries->order, plan->order_count * sizeof(*plan->order)) != 0;
}

/* The same variable with the active bit set. */
static void activate(const struct efi_entry *entry, struct text *option)
{
	text_add_bytes(option, entry->data.data, entry->data.length);
	option->data[0] = (char)(option->data[0] | LOAD_OPTION_ACTIVE);
}

int efi_entry_plan_make(const struct efi_entries *entries, const struct efi_wanted *wanted,
			struct efi_entry_plan *out, struct error *err)
{
	const struct efi_entry *same = find_same(entries, wanted);

	out->remove = calloc(entries->count + 1, sizeof(*out->remove));
	out->order = calloc(entries->order_count + 1, sizeof(*out->order));
	if (!out->remove || !out->order)
		abort();
	for (size_t i = 0; i < entries->count; i++)
		if (&entries->item[i] != same && is_stale(&entries->item[i], wanted))
			out->remove[out->remove_count++] = entries->item[i].number;
	if (same) {
		out->number = same->number;
		if (!(same->attributes & LOAD_OPTION_ACTIVE))
			activate(same, &out->option);
	} else if (choose_number(entries, out, &out->number, err) < 0 ||
		   efi_option_make(wanted->layout, wanted->esp, wanted->label, wanted->file,
				   &out->option, err) < 0) {
		return -1;
	}
	plan_order(entries, out);
	return 0;
}

bool efi_entry_plan_is_empty(const struct efi_entry_plan *plan)
{
	return !plan->option.length && !plan->remove_count && !plan->reorders;
}

static int write_order(const struct efi_store *store, const struct efi_entry_plan *plan,
		       struct error *err)
{
	_cleanup_text_ struct text value = {0};

	for (size_t i = 0; i < plan->order_count; i++) {
		const uint8_t bytes[] = {(uint8_t)plan->order[i], (uint8_t)(plan->order[i] >> 8)};

		text_add_bytes(&value, bytes, sizeof(bytes));
	}
	return store->ops->set(store->context, "BootOrder", value.data, value.length, err);
}

int efi_entry_plan_apply(const struct efi_store *store, const struct efi_entry_plan *plan,
			 struct error *err)
{
	char name[16];

	for (size_t i = 0; i < plan->remove_count; i++) {
		snprintf(name, sizeof(name), "Boot%04X", plan->remove[i]);
		if (store->ops->remove(store->context, name, err) < 0)
			return -1;
	}
	snprintf(name, sizeof(name), "Boot%04X", plan->number);
	if (plan->option.length &&
	    store->ops->set(store->context, name, plan->option.data, plan->option.length, err) < 0)
		return -1;
	return plan->reorders ? write_order(store, plan, err) : 0;
}

void efi_entry_plan_release(struct efi_entry_plan *plan)
{
	if (!plan)
		return;
	text_release(&plan->option);
	free(plan->remove);
	free(plan->order);
	*plan = (struct efi_entry_plan){0};
}
