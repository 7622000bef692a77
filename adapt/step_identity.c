// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Step identity: the machine's name. /etc/hostname, and the lines of /etc/hosts that map a loopback
 * address to the old name, without which sudo and mail wait for a DNS that does not know the new
 * one. Does nothing unless a name was asked for.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/config.h"
#include "base/scope.h"

static const char step_name[] = "identity";
static const char hosts_path[] = "/etc/hosts";
static const char consequence[] = "the new host name is not known by it";

/* RFC 1123: labels of letters, digits and hyphens; Linux takes 64 characters in all. */
static bool is_host_name(const char *name)
{
	size_t label = 0;

	if (!*name || strlen(name) > 64)
		return false;
	for (const char *c = name; *c; c++) {
		bool is_edge = label == 0 || c[1] == '.' || !c[1];

		if (*c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)*c) && (*c != '-' || is_edge))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}

/* "ws1" of "ws1.example.org" */
static char *short_name(const char *name)
{
	return string_format("%.*s", (int)strcspn(name, "."), name);
}

static bool is_loopback(const char *address)
{
	return address && (has_prefix(address, "127.") || strcmp(address, "::1") == 0);
}

/* Is this the old name, alone or with a domain? */
static bool is_old_name(const char *old, const char *name)
{
	_cleanup_free_ char *old_short = short_name(old), *name_short = short_name(name);

	return *old && strcmp(old, "localhost") != 0 && strcmp(old_short, name_short) == 0;
}

/* The domain that the old name had is kept, unless the new one brings its own. */
static char *renamed(const char *old, const char *new)
{
	const char *domain = strchr(old, '.');

	if (!domain || strchr(new, '.'))
		return string_copy(new);
	return string_format("%s%s", new, domain);
}

static void rename_entry(struct augeas_text *tree, const char *entry, const char *old,
			 const char *new)
{
	_cleanup_strings_ struct strings names = {0};

	augeas_text_match(tree, &names, "%s/canonical", entry);
	augeas_text_match(tree, &names, "%s/alias", entry);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = augeas_text_get(tree, "%s", names.item[i]);
		_cleanup_free_ char *replacement = name ? renamed(name, new) : NULL;
		_cleanup_free_ char *new_short = short_name(new);

		if (!name || !is_old_name(old, name))
			continue;
		/* "ws1.example.org ws1": the second stays the short one. */
		augeas_text_set(tree, i > 0 && !strchr(name, '.') ? new_short : replacement, "%s",
				names.item[i]);
	}
}

static int plan_hosts(struct adaptation *adaptation, struct changes *changes, const char *old,
		      struct error *err)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_strings_ struct strings entries = {0};

	if (!config_parse(adaptation, changes, hosts_path, "Hosts.lns", consequence, &tree))
		return 0;
	augeas_text_match(&tree, &entries, "*[ipaddr]");
	for (size_t i = 0; i < entries.count; i++) {
		if (is_loopback(augeas_text_get(&tree, "%s/ipaddr", entries.item[i])))
			rename_entry(&tree, entries.item[i], old, adaptation->hostname);
	}
	return config_save(adaptation, changes, step_name, hosts_path, &tree,
			   "the old host name stands for this machine", consequence, err);
}

static int identity_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_free_ char *wanted = NULL, *old = NULL;
	const char *name = adaptation->hostname;

	if (!name)
		return 0;
	if (!is_host_name(name))
		return error_set(err,
				 "'%s' is not a host name: letters, digits and hyphens, with dots "
				 "between labels, 64 characters at most",
				 name);
	wanted = string_format("%s\n", name);
	if (config_read(adaptation, changes, "/etc/hostname", consequence, &content))
		old = string_copy(string_trim(content.data ? content.data : (char[]){""}));
	if (plan_hosts(adaptation, changes, old ? old : "", err))
		return -1;
	if (string_equal(old, name))
		return 0;
	return changes_write(changes, adaptation->guest, step_name, "/etc/hostname", wanted,
			     "the machine gets this name", err);
}

const struct step_ops step_identity = {
	.name = step_name,
	.plan = identity_plan,
};
