// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/profile.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <ini.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/scope.h"
#include "cli/fetch.h"
#include "restore/http.h"

struct key {
	const char *section, *name;
	size_t offset;                   /* of a char * in struct profile */
	const char *const *values;       /* NULL: any */
	int (*check)(const char *value); /* NULL: any; returns 0 when acceptable */
	const char *wants;               /* what check asks for */
};

struct parse {
	struct profile *profile;
	struct raw *raw;
	struct error *err;
};

/* Keys whose value becomes something else than a string. */
struct raw {
	char *adapt, *network;
};

static const char *const yes_no[] = {"yes", "no", NULL};
static const char *const network_modes[] = {"map", "dhcp", "keep", NULL};
static const char *const initramfs_modules[] = {"most", "list", NULL};
static const char *const after_actions[] = {"reboot", "poweroff", "shell", NULL};

/* A host name label or a fully qualified name, RFC 1123 section 2.1. */
static int check_hostname(const char *value)
{
	size_t length = strlen(value);

	if (length == 0 || length > 253 || value[0] == '-' || value[0] == '.' ||
	    value[length - 1] == '-')
		return -1;
	for (; *value; value++)
		if (!isalnum((unsigned char)*value) && *value != '-' && *value != '.')
			return -1;
	return 0;
}

static int check_rule(const char *value)
{
	return disk_rule_check(value, NULL);
}

/* Unattended, a rule with a typing error must not become the name of a file. */
static int check_disk(const char *value)
{
	return *value == '/' || *value == '.' ? 0 : check_rule(value);
}

#define FIELD(field) offsetof(struct profile, field)
#define RAW(field) (sizeof(struct profile) + offsetof(struct raw, field))

static const struct key keys[] = {
	{"Match", "vendor", FIELD(vendor), NULL, NULL, NULL},
	{"Match", "product", FIELD(product), NULL, NULL, NULL},
	{"Match", "serial", FIELD(serial), NULL, NULL, NULL},
	{"Match", "board", FIELD(board), NULL, NULL, NULL},
	{"Match", "mac", FIELD(mac), NULL, NULL, NULL},
	{"Match", "pci", FIELD(pci), NULL, NULL, NULL},
	{"Match", "disk-size", FIELD(disk_size), NULL, check_rule,
	 "a disk rule such as size>=200G"},
	{"Image", "path", FIELD(image), NULL, NULL, NULL},
	{"Image", "format", FIELD(format), NULL, NULL, NULL},
	{"Image", "checksum", FIELD(checksum), NULL, NULL, NULL},
	{"Image", "signature", FIELD(signature), NULL, NULL, NULL},
	{"Image", "key", FIELD(key), NULL, NULL, NULL},
	{"Image", "ca-file", FIELD(ca_file), NULL, NULL, NULL},
	{"Disk", "rule", FIELD(rule), NULL, check_disk,
	 "a path or a disk rule such as size>=200G,rotational=0"},
	{"Disk", "resume", FIELD(resume), yes_no, NULL, NULL},
	{"Disk", "verify", FIELD(verify), yes_no, NULL, NULL},
	{"Disk", "used-blocks", FIELD(used_blocks), yes_no, NULL, NULL},
	{"Adapt", "enabled", RAW(adapt), yes_no, NULL, NULL},
	{"Adapt", "skip", FIELD(skip), NULL, NULL, NULL},
	{"Adapt", "force-boot-verdict", FIELD(force_boot_verdict), yes_no, NULL, NULL},
	{"Adapt", "driver-pack", FIELD(driver_pack), NULL, NULL, NULL},
	{"Adapt", "driver-pack-key", FIELD(driver_pack_key), NULL, NULL, NULL},
	{"Adapt", "initramfs", FIELD(initramfs), initramfs_modules, NULL, NULL},
	{"Network", "mode", RAW(network), network_modes, NULL, NULL},
	{"Identity", "hostname", FIELD(hostname), NULL, check_hostname, "a host name"},
	{"Report", "file", FIELD(report), NULL, NULL, NULL},
	{"After", "action", FIELD(after), after_actions, NULL, NULL},
};

static char **slot(const struct parse *parse, const struct key *key)
{
	if (key->offset >= sizeof(struct profile))
		return (char **)((char *)parse->raw + (key->offset - sizeof(struct profile)));
	return (char **)((char *)parse->profile + key->offset);
}

static void list_keys(const char *section, struct text *out)
{
	const char *before = "";

	for (size_t i = 0; i < array_length(keys); i++) {
		bool is_section = strcmp(keys[i].section, section) == 0;

		if (!is_section)
			continue;
		text_addf(out, "%s%s", before, keys[i].name);
		before = ", ";
	}
}

static int complain_unknown(const char *section, const char *name, struct error *err)
{
	_cleanup_text_ struct text known = {0};

	list_keys(section, &known);
	if (!known.length)
		return error_set(
			err,
			"unknown section [%s]: the sections are Match, Image, Disk, Adapt, "
			"Network, Identity, Report and After",
			section);
	return error_set(err, "unknown key %s in [%s]: it has %s", name, section,
			 text_string(&known));
}

static int check_value(const struct key *key, const char *value, struct error *err)
{
	_cleanup_text_ struct text wanted = {0};

	if (key->check && key->check(value) < 0)
		return error_set(err, "%s = %s in [%s] is not %s", key->name, value, key->section,
				 key->wants);
	if (!key->values)
		return 0;
	for (size_t i = 0; key->values[i]; i++) {
		if (strcmp(key->values[i], value) == 0)
			return 0;
		text_addf(&wanted, "%s%s", i ? ", " : "", key->values[i]);
	}
	return error_set(err, "%s = %s in [%s]: it takes one of %s", key->name, value, key->section,
			 text_string(&wanted));
}

/* inih: 1 is success. */
static int handle(void *context, const char *section, const char *name, const char *value)
{
	struct parse *parse = context;

	for (size_t i = 0; i < array_length(keys); i++) {
		char **field;

		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		if (check_value(&keys[i], value, parse->err) < 0)
			return 0;
		field = slot(parse, &keys[i]);
		if (*field) {
			error_set(parse->err, "%s in [%s] is given twice", name, section);
			return 0;
		}
		*field = string_copy(value);
		return 1;
	}
	complain_unknown(section, name, parse->err);
	return 0;
}

/* Relative to where the profile lies, so that a medium can be mounted anywhere. */
static void resolve(const struct profile *profile, char **name)
{
	const char *slash = strrchr(profile->origin, '/');
	char *path;

	if (!*name || **name == '/' || !slash || strstr(*name, "://") ||
	    has_prefix(*name, "sha256:"))
		return;
	path = string_format("%.*s/%s", (int)(slash - profile->origin), profile->origin, *name);
	free(*name);
	*name = path;
}

static void resolve_files(struct profile *profile)
{
	char **names[] = {&profile->image, &profile->checksum, &profile->signature,
			  &profile->key,   &profile->ca_file,  &profile->driver_pack_key};
	_cleanup_strings_ struct strings packs = {0};

	for (size_t i = 0; i < array_length(names); i++)
		resolve(profile, names[i]);
	if (!profile->driver_pack)
		return;
	strings_split(&packs, profile->driver_pack, " \t");
	for (size_t i = 0; i < packs.count; i++)
		resolve(profile, &packs.item[i]);
	free(profile->driver_pack);
	profile->driver_pack = strings_join(&packs, " ");
}

static void take_raw(struct profile *profile, struct raw *raw)
{
	profile->adapt = !raw->adapt || strcmp(raw->adapt, "yes") == 0;
	if (raw->network && strcmp(raw->network, "dhcp") == 0)
		profile->network = NETWORK_DHCP;
	if (raw->network && strcmp(raw->network, "keep") == 0)
		profile->network = NETWORK_KEEP;
	free(raw->adapt);
	free(raw->network);
	*raw = (struct raw){0};
}

int profile_parse(const char *origin, const char *text, struct profile *out, struct error *err)
{
	_cleanup_profile_ struct profile profile = {.origin = string_copy(origin)};
	_cleanup_error_ struct error reason = {0};
	struct raw raw = {0};
	struct parse parse = {&profile, &raw, &reason};
	int line = ini_parse_string(text, handle, &parse);

	take_raw(&profile, &raw);
	if (line != 0 && !reason.text)
		return error_set(err, "profile %s, line %d: this is not `key = value`", origin,
				 line);
	if (line != 0)
		return error_set(err, "profile %s, line %d: %s", origin, line, error_text(&reason));
	resolve_files(&profile);
	*out = profile;
	profile = (struct profile){0};
	return 0;
}

static bool matches(const char *pattern, const char *value)
{
	return !pattern || (value && fnmatch(pattern, value, FNM_CASEFOLD) == 0);
}

static bool matches_mac(const char *pattern, const struct hardware *hardware)
{
	for (size_t i = 0; i < hardware->nic_count; i++)
		if (matches(pattern, hardware->nic[i].mac))
			return true;
	return !pattern;
}

static bool matches_pci(const char *pattern, const struct hardware *hardware)
{
	for (size_t i = 0; pattern && i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];
		char id[16];

		snprintf(id, sizeof(id), "%04x:%04x", device->vendor, device->device);
		if (strcmp(device->bus, "pci") == 0 && matches(pattern, id))
			return true;
	}
	return !pattern;
}

/* Some disk of the machine satisfies the rule; more than one is fine here. */
static bool matches_disk(const char *rule, const struct hardware *hardware)
{
	for (size_t i = 0; rule && i < hardware->disks.count; i++) {
		const struct disks one = {&hardware->disks.item[i], 1};
		struct disk disk = {0};

		if (disk_choose(&one, rule, &disk, NULL) == 0) {
			disk_release(&disk);
			return true;
		}
	}
	return !rule;
}

bool profile_matches(const struct profile *profile, const struct hardware *hardware)
{
	return matches(profile->vendor, hardware->dmi_vendor) &&
	       matches(profile->product, hardware->dmi_product) &&
	       matches(profile->serial, hardware->dmi_serial) &&
	       matches(profile->board, hardware->dmi_board) &&
	       matches_mac(profile->mac, hardware) && matches_pci(profile->pci, hardware) &&
	       matches_disk(profile->disk_size, hardware);
}

static int list_directory(const char *directory, struct strings *files, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	const struct dirent *entry;

	if (!dir)
		return error_sys(err, errno, "read profiles in %s", directory);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && has_suffix(entry->d_name, ".conf"))
			strings_addf(files, "%s/%s", directory, entry->d_name);
	return 0;
}

static int list_files(const struct strings *from, struct strings *files, struct error *err)
{
	for (size_t i = 0; i < from->count; i++) {
		struct stat st;

		if (!http_is_url(from->item[i]) && stat(from->item[i], &st) == 0 &&
		    S_ISDIR(st.st_mode)) {
			if (list_directory(from->item[i], files, err) < 0)
				return -1;
			continue;
		}
		strings_add(files, from->item[i]);
	}
	strings_sort(files);
	return 0;
}

static int profile_read(const char *origin, struct profile *out, struct error *err)
{
	_cleanup_text_ struct text text = {0};
	int r = http_is_url(origin) ? fetch_url(origin, NULL, PROFILE_LIMIT, &text, err)
				    : file_read(origin, PROFILE_LIMIT, &text, err);

	if (r < 0)
		return error_in(err, "read profile");
	if (memchr(text_string(&text), '\0', text.length))
		return error_set(err, "profile %s is not a text file", origin);
	return profile_parse(origin, text_string(&text), out, err);
}

static void describe_machine(const struct hardware *hardware, struct text *out)
{
	text_addf(out, "vendor %s, product %s, serial %s",
		  hardware->dmi_vendor ? hardware->dmi_vendor : "?",
		  hardware->dmi_product ? hardware->dmi_product : "?",
		  hardware->dmi_serial ? hardware->dmi_serial : "?");
	for (size_t i = 0; i < hardware->nic_count; i++)
		text_addf(out, ", mac %s", hardware->nic[i].mac ? hardware->nic[i].mac : "?");
}

static int complain_choice(const struct strings *files, const struct strings *matching,
			   const struct hardware *hardware, struct error *err)
{
	_cleanup_free_ char *all = strings_join(files, ", "), *some = strings_join(matching, ", ");
	_cleanup_text_ struct text machine = {0};

	describe_machine(hardware, &machine);
	if (files->count == 0)
		return error_set(err, "no profile was found (*.conf)");
	if (matching->count == 0)
		return error_set(err, "no profile matches this machine (%s); looked at %s",
				 text_string(&machine), all);
	return error_set(err,
			 "more than one profile matches this machine (%s): %s; make their [Match] "
			 "sections exclude each other",
			 text_string(&machine), some);
}

int profile_choose(const struct strings *from, const struct hardware *hardware, struct profile *out,
		   struct error *err)
{
	_cleanup_strings_ struct strings files = {0}, matching = {0};
	_cleanup_profile_ struct profile chosen = {0};

	if (list_files(from, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_profile_ struct profile profile = {0};

		if (profile_read(files.item[i], &profile, err) < 0)
			return -1;
		if (!profile_matches(&profile, hardware))
			continue;
		strings_add(&matching, files.item[i]);
		if (matching.count == 1) {
			chosen = profile;
			profile = (struct profile){0};
		}
	}
	if (matching.count != 1)
		return complain_choice(&files, &matching, hardware, err);
	*out = chosen;
	chosen = (struct profile){0};
	return 0;
}

static const char *network_name(enum network_mode mode)
{
	static const char *const names[] = {"map", "dhcp", "keep"};

	return names[mode];
}

const char *profile_get(const struct profile *profile, const char *name)
{
	for (size_t i = 0; i < array_length(keys); i++) {
		_cleanup_free_ char *full = string_format("%s.%s", keys[i].section, keys[i].name);
		const char *value;

		if (strcasecmp(full, name) != 0)
			continue;
		if (keys[i].offset == RAW(adapt))
			return profile->adapt ? "yes" : "no";
		if (keys[i].offset == RAW(network))
			return network_name(profile->network);
		value = *(char *const *)((const char *)profile + keys[i].offset);
		return value ? value : "";
	}
	return NULL;
}

void profile_render(const struct profile *profile, struct text *out)
{
	const char *section = "";

	text_addf(out, "# %s matches this machine\n", profile->origin);
	for (size_t i = 0; i < array_length(keys); i++) {
		_cleanup_free_ char *full = string_format("%s.%s", keys[i].section, keys[i].name);
		const char *value = profile_get(profile, full);

		if (!*value)
			continue;
		if (strcmp(section, keys[i].section) != 0)
			text_addf(out, "[%s]\n", keys[i].section);
		section = keys[i].section;
		text_addf(out, "%s = %s\n", keys[i].name, value);
	}
}

json_object *profile_json(const struct profile *profile)
{
	json_object *out = json_object_new_object();

	json_object_object_add(out, "origin", json_object_new_string(profile->origin));
	for (size_t i = 0; i < array_length(keys); i++) {
		_cleanup_free_ char *full = string_format("%s.%s", keys[i].section, keys[i].name);

		json_object_object_add(out, full,
				       json_object_new_string(profile_get(profile, full)));
	}
	return out;
}

void profile_release(struct profile *profile)
{
	char **fields[] = {
		&profile->origin,
		&profile->vendor,
		&profile->product,
		&profile->serial,
		&profile->board,
		&profile->mac,
		&profile->pci,
		&profile->disk_size,
		&profile->skip,
		&profile->image,
		&profile->format,
		&profile->rule,
		&profile->hostname,
		&profile->report,
		&profile->after,
		&profile->checksum,
		&profile->signature,
		&profile->key,
		&profile->ca_file,
		&profile->resume,
		&profile->verify,
		&profile->used_blocks,
		&profile->force_boot_verdict,
		&profile->initramfs,
		&profile->driver_pack,
		&profile->driver_pack_key,
	};

	for (size_t i = 0; i < array_length(fields); i++)
		free(*fields[i]);
	*profile = (struct profile){0};
}
