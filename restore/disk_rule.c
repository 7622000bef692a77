// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/disk.h"

enum pick { PICK_ONLY, PICK_SMALLEST, PICK_LARGEST };

enum comparison { EQUAL, AT_LEAST, AT_MOST };

enum key_kind { KEY_GLOB, KEY_FLAG, KEY_SIZE };

/* What a condition may ask about: one row per key, with the place of its value in struct disk. */
struct key {
	const char *name;
	enum key_kind kind;
	size_t place;
	bool names; /* who asks for this has a certain disk, or kind of disk, in mind */
};

static const struct key keys[] = {
	{"serial", KEY_GLOB, offsetof(struct disk, serial), true},
	{"wwn", KEY_GLOB, offsetof(struct disk, wwn), true},
	{"model", KEY_GLOB, offsetof(struct disk, model), true},
	{"transport", KEY_GLOB, offsetof(struct disk, transport), true},
	{"by-id", KEY_GLOB, offsetof(struct disk, by_id), true},
	{"rotational", KEY_FLAG, offsetof(struct disk, rotational), false},
	{"removable", KEY_FLAG, offsetof(struct disk, removable), true},
	{"size", KEY_SIZE, offsetof(struct disk, size), false},
};

struct condition {
	const struct key *key;
	enum comparison comparison;
	const char *value; /* borrowed from the rule's parts */
	uint64_t number;   /* of KEY_FLAG and KEY_SIZE */
};

struct rule {
	struct strings parts;
	struct condition *condition;
	size_t count;
	enum pick pick;
};

static void rule_release(struct rule *rule)
{
	strings_release(&rule->parts);
	free(rule->condition);
}

/* A pointer into the set of disks for each that is still in question. */
struct matches {
	const struct disk **disk;
	size_t count;
};

static void matches_release(struct matches *matches)
{
	free(matches->disk);
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < array_length(keys); i++)
		if (string_equal(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static int unknown_key(const char *name, struct error *err)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_free_ char *known = NULL;

	for (size_t i = 0; i < array_length(keys); i++)
		strings_add(&names, keys[i].name);
	known = strings_join(&names, ", ");
	return error_set(err, "'%s' is unknown; a rule may ask for %s, smallest or largest", name,
			 known);
}

static int parse_value(struct condition *condition, struct error *err)
{
	const char *value = condition->value;

	if (!*value)
		return error_set(err, "%s has no value", condition->key->name);
	if (condition->key->kind == KEY_SIZE) {
		if (size_parse(value, &condition->number) < 0)
			return error_set(err, "'%s' is not a size (like 200G)", value);
		return 0;
	}
	if (condition->comparison != EQUAL)
		return error_set(err, "%s can only be compared with =", condition->key->name);
	if (condition->key->kind == KEY_FLAG) {
		if (!string_equal(value, "0") && !string_equal(value, "1"))
			return error_set(err, "%s must be 0 or 1, not '%s'", condition->key->name,
					 value);
		condition->number = *value == '1';
	}
	return 0;
}

/* NAME=VALUE, NAME>=VALUE, NAME<=VALUE. part is cut in pieces. */
static int parse_condition(char *part, struct condition *out, struct error *err)
{
	char *equals = strchr(part, '=');
	char *end = equals;

	*out = (struct condition){.comparison = EQUAL};
	if (!equals)
		return unknown_key(part, err);
	if (end > part && (end[-1] == '>' || end[-1] == '<')) {
		out->comparison = end[-1] == '>' ? AT_LEAST : AT_MOST;
		end--;
	}
	*end = '\0';
	out->value = string_trim(equals + 1);
	out->key = find_key(string_trim(part));
	if (!out->key)
		return unknown_key(string_trim(part), err);
	return parse_value(out, err);
}

static bool parse_pick(const char *part, enum pick *pick)
{
	if (string_equal(part, "smallest"))
		*pick = PICK_SMALLEST;
	else if (string_equal(part, "largest"))
		*pick = PICK_LARGEST;
	else
		return false;
	return true;
}

static int rule_parse(const char *string, struct rule *out, struct error *err)
{
	strings_split(&out->parts, string, ",");
	if (out->parts.count == 0)
		return error_set(err, "it is empty");
	out->condition = calloc(out->parts.count, sizeof(*out->condition));
	if (!out->condition)
		abort();
	for (size_t i = 0; i < out->parts.count; i++) {
		char *part = string_trim(out->parts.item[i]);
		enum pick pick;

		if (parse_pick(part, &pick)) {
			if (out->pick != PICK_ONLY)
				return error_set(err, "smallest or largest may stand there once");
			out->pick = pick;
			continue;
		}
		if (parse_condition(part, &out->condition[out->count], err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

static const void *field(const struct disk *disk, const struct key *key)
{
	return (const char *)disk + key->place;
}

static bool size_holds(const struct condition *condition, uint64_t size)
{
	if (condition->comparison == AT_LEAST)
		return size >= condition->number;
	if (condition->comparison == AT_MOST)
		return size <= condition->number;
	return size == condition->number;
}

static bool condition_holds(const struct condition *condition, const struct disk *disk)
{
	const void *place = field(disk, condition->key);
	const char *string;

	switch (condition->key->kind) {
	case KEY_SIZE:
		return size_holds(condition, *(const uint64_t *)place);
	case KEY_FLAG:
		return *(const bool *)place == (condition->number != 0);
	case KEY_GLOB:
		string = *(char *const *)place;
		return string && fnmatch(condition->value, string, FNM_CASEFOLD) == 0;
	}
	return false;
}

/* The stick that somebody left in the machine is often its smallest disk. */
static bool is_plugged_in(const struct disk *disk)
{
	return disk->removable || string_equal(disk->transport, "usb") ||
	       string_equal(disk->transport, "loop");
}

static bool rule_names(const struct rule *rule)
{
	for (size_t i = 0; i < rule->count; i++)
		if (rule->condition[i].key->names)
			return true;
	return false;
}

static bool rule_holds(const struct rule *rule, const struct disk *disk)
{
	if (is_plugged_in(disk) && !rule_names(rule))
		return false;
	for (size_t i = 0; i < rule->count; i++)
		if (!condition_holds(&rule->condition[i], disk))
			return false;
	return true;
}

static void keep_extreme(struct matches *matches, enum pick pick)
{
	uint64_t best = pick == PICK_SMALLEST ? UINT64_MAX : 0;
	size_t kept = 0;

	for (size_t i = 0; i < matches->count; i++) {
		uint64_t size = matches->disk[i]->size;

		if (pick == PICK_SMALLEST ? size < best : size > best)
			best = size;
	}
	for (size_t i = 0; i < matches->count; i++)
		if (matches->disk[i]->size == best)
			matches->disk[kept++] = matches->disk[i];
	matches->count = kept;
}

static void rule_apply(const struct rule *rule, const struct disks *disks, struct matches *out)
{
	out->disk = calloc(disks->count + 1, sizeof(*out->disk));
	if (!out->disk)
		abort();
	for (size_t i = 0; i < disks->count; i++)
		if (rule_holds(rule, &disks->item[i]))
			out->disk[out->count++] = &disks->item[i];
	if (rule->pick != PICK_ONLY)
		keep_extreme(out, rule->pick);
}

static int error_none(const char *rule, bool names, const struct disks *disks, struct error *err)
{
	_cleanup_strings_ struct strings labels = {0};
	_cleanup_free_ char *list = NULL;
	bool hides = false;

	for (size_t i = 0; i < disks->count; i++) {
		_cleanup_free_ char *label = disk_label(&disks->item[i]);

		hides = hides || (!names && is_plugged_in(&disks->item[i]));
		strings_add(&labels, label);
	}
	if (labels.count == 0)
		return error_set(err, "no disk matches '%s': this machine shows no disk at all",
				 rule);
	list = strings_join(&labels, ", ");
	return error_set(err, "no disk matches '%s'; there are: %s%s", rule, list,
			 hides ? " (one that is removable, on USB or a loop device must be asked "
				 "for, as with transport=usb)"
			       : "");
}

static bool differs(const struct key *key, const struct disk *a, const struct disk *b)
{
	const void *of_a = field(a, key), *of_b = field(b, key);

	switch (key->kind) {
	case KEY_SIZE:
		return *(const uint64_t *)of_a != *(const uint64_t *)of_b;
	case KEY_FLAG:
		return *(const bool *)of_a != *(const bool *)of_b;
	case KEY_GLOB:
		return !string_equal(*(char *const *)of_a, *(char *const *)of_b);
	}
	return false;
}

/* The keys whose value is different on each of the disks. */
static char *what_tells_apart(const struct matches *matches)
{
	_cleanup_strings_ struct strings names = {0};

	for (size_t k = 0; k < array_length(keys); k++) {
		bool unique = true;

		for (size_t i = 0; i < matches->count; i++)
			for (size_t j = i + 1; j < matches->count; j++)
				unique = unique &&
					 differs(&keys[k], matches->disk[i], matches->disk[j]);
		if (unique)
			strings_add(&names, keys[k].name);
	}
	return names.count ? strings_join(&names, ", ") : NULL;
}

static int error_several(const char *rule, const struct matches *matches, struct error *err)
{
	_cleanup_strings_ struct strings labels = {0};
	_cleanup_free_ char *list = NULL, *keys_that_differ = NULL;

	for (size_t i = 0; i < matches->count; i++) {
		_cleanup_free_ char *label = disk_label(matches->disk[i]);

		strings_add(&labels, label);
	}
	list = strings_join(&labels, ", ");
	keys_that_differ = what_tells_apart(matches);
	return error_set(err, "%zu disks match '%s': %s; %s %s", matches->count, rule, list,
			 keys_that_differ ? "what tells them apart:" : "only their paths",
			 keys_that_differ ? keys_that_differ : "tell them apart");
}

bool disk_is_rule(const char *string)
{
	_cleanup_strings_ struct strings parts = {0};
	enum pick pick;

	if (!*string || *string == '/' || *string == '.')
		return false;
	if (strchr(string, '='))
		return true;
	strings_split(&parts, string, ",");
	for (size_t i = 0; i < parts.count; i++)
		if (parse_pick(string_trim(parts.item[i]), &pick))
			return true;
	return false;
}

int disk_rule_check(const char *string, struct error *err)
{
	_cleanup_(rule_release) struct rule rule = {0};

	if (rule_parse(string, &rule, err) < 0)
		return error_in(err, "disk rule '%s'", string);
	return 0;
}

int disk_choose(const struct disks *disks, const char *string, struct disk *out, struct error *err)
{
	_cleanup_(rule_release) struct rule rule = {0};
	_cleanup_(matches_release) struct matches matches = {0};

	*out = (struct disk){0};
	if (*string == '/' || *string == '.')
		return disk_describe(string, out, err);
	if (rule_parse(string, &rule, err) < 0)
		return error_in(err, "disk rule '%s'", string);
	rule_apply(&rule, disks, &matches);
	if (matches.count == 0)
		return error_none(string, rule_names(&rule), disks, err);
	if (matches.count > 1)
		return error_several(string, &matches, err);
	disk_copy(matches.disk[0], out);
	return 0;
}
