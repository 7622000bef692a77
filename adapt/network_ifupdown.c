// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * network_ifupdown: /etc/network/interfaces and interfaces.d (interfaces(5)). It knows NICs by name
 * only, so the VM's names are kept by .link files.
 *
 * `auto` on a NIC that does not exist fails networking.service, and `auto` with DHCP holds up the
 * boot for as long as no server answers: both become `allow-hotplug`, which acts when the NIC is
 * there. A NIC without a link, on a machine where another one has it, is not given to DHCP: its
 * client would fail after a minute, and with it the unit.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/network.h"
#include "base/scope.h"

static const char main_path[] = "/etc/network/interfaces";
static const char consequence[] = "the VM's NICs that it names do not exist here, and networking "
				  "may fail";

static bool ifupdown_is_used(const struct network *network)
{
	return guest_has_program(network->adaptation->guest, "ifup") &&
	       guest_has(network->adaptation->guest, main_path);
}

static int list_files(const struct network *network, struct strings *files, struct error *err)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};

	strings_add(files, main_path);
	/* A main file that is not understood is warned about when it is worked on. */
	if (!config_parse(network->adaptation, network->changes, main_path, "Interfaces.lns",
			  consequence, &tree))
		return 0;
	if (!augeas_text_has(&tree, "source") && !augeas_text_has(&tree, "source-directory"))
		return 0;
	return guest_glob(network->adaptation->guest, "/etc/network/interfaces.d", "*", files, err);
}

/* The name that an alias (ens3:1) or VLAN (ens3.10) stands on: heap. */
static char *base_name(const char *name)
{
	return string_format("%.*s", (int)strcspn(name, ":."), name);
}

/* NICs that a stanza names besides its own: ports of a bridge, slaves of a bond, below a VLAN. */
static void list_ports(const struct augeas_text *tree, const char *stanza, struct strings *ports)
{
	static const char *const lists[] = {"bridge-ports", "bond-slaves"};
	static const char *const values[] = {"bridge_ports", "bond_slaves", "slaves",
					     "vlan-raw-device", "vlan_raw_device"};

	for (size_t i = 0; i < array_length(lists); i++) {
		_cleanup_strings_ struct strings paths = {0};

		augeas_text_match(tree, &paths, "%s/%s/*", stanza, lists[i]);
		for (size_t p = 0; p < paths.count; p++)
			strings_add(ports, augeas_text_get(tree, "%s", paths.item[p]));
	}
	for (size_t i = 0; i < array_length(values); i++) {
		const char *value = augeas_text_get(tree, "%s/%s", stanza, values[i]);

		if (value)
			strings_split(ports, value, " \t");
	}
}

static void add_name(struct strings *names, const char *name)
{
	static const char *const words[] = {"none", "all", "regex", "noregex"};

	for (size_t i = 0; i < array_length(words); i++) {
		if (strcmp(words[i], name) == 0)
			return;
	}
	if (network_is_wired_name(name))
		strings_add_once(names, name);
}

static void list_names(const struct augeas_text *tree, struct strings *names)
{
	_cleanup_strings_ struct strings stanzas = {0};

	augeas_text_match(tree, &stanzas, "iface");
	for (size_t i = 0; i < stanzas.count; i++) {
		_cleanup_strings_ struct strings ports = {0};
		_cleanup_free_ char *base = base_name(augeas_text_get(tree, "%s", stanzas.item[i]));

		list_ports(tree, stanzas.item[i], &ports);
		if (!ports.count)
			add_name(names, base);
		for (size_t p = 0; p < ports.count; p++)
			add_name(names, ports.item[p]);
	}
}

/* Calls edit() on each file that parses; NULL: names are listed only. */
typedef void tree_edit(struct network *network, struct augeas_text *tree,
		       const struct strings *names);

static int each_file(struct network *network, struct strings *names, tree_edit *edit,
		     const char *why, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (list_files(network, &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_augeas_text_ struct augeas_text tree = {0};

		/* The main file was parsed, and warned about, a moment ago. */
		if (!config_parse(network->adaptation, network->changes, files.item[i],
				  "Interfaces.lns", consequence, &tree))
			continue;
		if (!edit) {
			list_names(&tree, names);
			continue;
		}
		edit(network, &tree, names);
		if (config_save(network->adaptation, network->changes, network_step_name,
				files.item[i], &tree, why, consequence, err))
			return -1;
	}
	return 0;
}

static int ifupdown_collect(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	if (each_file(network, &names, NULL, NULL, err))
		return -1;
	for (size_t i = 0; i < names.count; i++)
		network_note(network, names.item[i], NULL);
	return 0;
}

/* Moves a name from `auto` lines to an `allow-hotplug` line of its own behind the first. */
static void make_hotplug(struct augeas_text *tree, const char *name)
{
	_cleanup_strings_ struct strings lines = {0};

	augeas_text_match(tree, &lines, "auto[*[. = '%s']]", name);
	for (size_t i = lines.count; i-- > 0;) {
		const char *line = lines.item[i];

		if (i == 0) {
			augeas_text_insert(tree, "allow-hotplug", "%s", line);
			augeas_text_set(tree, name, "%s/following-sibling::*[1]/1", line);
		}
		augeas_text_remove(tree, "%s/*[. = '%s']", line, name);
		if (!augeas_text_has(tree, "%s/*", line))
			augeas_text_remove(tree, "%s", line);
	}
}

static const struct nic *target_of(const struct network *network, const char *name)
{
	const struct guest_nic *nic = network_find(network, name, NULL);

	return nic ? nic->target : NULL;
}

static int pin_all(struct network *network, const struct strings *names, struct error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct nic *target = target_of(network, names->item[i]);

		if (target && network_pin(network, names->item[i], target, err))
			return -1;
	}
	return 0;
}

static void release_absent(struct network *network, struct augeas_text *tree,
			   const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!target_of(network, names->item[i]))
			make_hotplug(tree, names->item[i]);
	}
}

static int ifupdown_map(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	if (each_file(network, &names, NULL, NULL, err) || pin_all(network, &names, err))
		return -1;
	return each_file(network, &names, release_absent,
			 "this machine has no such NIC, and the boot must not wait for it", err);
}

static void clear_addresses(struct augeas_text *tree, const char *stanza)
{
	static const char *const options[] = {
		"address",        "netmask",           "broadcast", "network",
		"gateway",        "pointopoint",       "scope",     "dns-nameservers",
		"dns-nameserver", "preferred-lifetime"};

	for (size_t i = 0; i < array_length(options); i++)
		augeas_text_remove(tree, "%s/%s", stanza, options[i]);
}

/* Is this stanza's interface one that DHCP is asked on: a NIC with a target and a link, or a bridge
 * or bond of NICs, but no port of one, VLAN or alias? */
static bool is_for_dhcp(const struct network *network, const struct augeas_text *tree,
			const char *stanza, const char *name)
{
	_cleanup_strings_ struct strings ports = {0};
	const struct nic *target = target_of(network, name);

	if (target)
		return !network_is_idle(network, target);
	list_ports(tree, stanza, &ports);
	return ports.count && !augeas_text_has(tree, "%s/vlan-raw-device", stanza) &&
	       !augeas_text_has(tree, "%s/vlan_raw_device", stanza) && !strpbrk(name, ".:");
}

static void warn_commands(const struct network *network, const struct augeas_text *tree,
			  const char *stanza, const char *name)
{
	if (augeas_text_has(tree, "%s/*[label() =~ regexp('(pre-|post-)?up')]", stanza))
		report_warning(network->adaptation->report,
			       "%s of the interfaces file runs commands of its own (up, post-up), "
			       "which stay; one that asks for the VM's addresses fails",
			       name);
}

/* done: names that have a stanza of this family by now. surplus: stanzas to be removed. */
static void stanza_to_dhcp(struct network *network, struct augeas_text *tree, const char *stanza,
			   struct strings *done, struct strings *surplus)
{
	const char *name = augeas_text_get(tree, "%s", stanza);
	const char *family = augeas_text_get(tree, "%s/family", stanza);
	_cleanup_free_ char *key = string_format("%s %s", name, family);

	if (!string_equal(augeas_text_get(tree, "%s/method", stanza), "static") ||
	    !is_for_dhcp(network, tree, stanza, name))
		return;
	if (strings_has(done, key)) {
		/* A second address: two DHCP clients on one NIC would not help. */
		strings_add(surplus, stanza);
		return;
	}
	strings_add(done, key);
	warn_commands(network, tree, stanza, name);
	clear_addresses(tree, stanza);
	augeas_text_set(tree, strcmp(family, "inet6") == 0 ? "auto" : "dhcp", "%s/method", stanza);
}

static void file_to_dhcp(struct network *network, struct augeas_text *tree,
			 const struct strings *names)
{
	_cleanup_strings_ struct strings stanzas = {0}, done = {0}, surplus = {0};

	for (size_t i = 0; i < names->count; i++)
		make_hotplug(tree, names->item[i]);
	augeas_text_match(tree, &stanzas, "iface");
	for (size_t i = 0; i < stanzas.count; i++)
		stanza_to_dhcp(network, tree, stanzas.item[i], &done, &surplus);
	/* A path counts the nodes in front of it: from the end. */
	for (size_t i = surplus.count; i-- > 0;)
		augeas_text_remove(tree, "%s", surplus.item[i]);
}

static void warn_idle(const struct network *network, const struct nic *target)
{
	report_warning(network->adaptation->report,
		       "%s (%s) has no link now and is not set up for DHCP; its client would hold "
		       "up each boot without a cable",
		       target->name ? target->name : "a NIC", target->mac);
}

/* A name for a NIC that the VM did not have: what the rescue system calls it, if that is free. */
static char *free_name(const struct network *network, const struct nic *target)
{
	if (target->name && has_prefix(target->name, "en") && network_is_wired_name(target->name) &&
	    !network_find(network, target->name, NULL))
		return string_copy(target->name);
	for (int number = 1;; number++) {
		_cleanup_free_ char *name = string_format("lan%d", number);

		if (!network_find(network, name, NULL))
			return steal(&name);
	}
}

static int add_stanza(struct network *network, const struct nic *target, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_free_ char *name = free_name(network, target);

	if (network_pin(network, name, target, err) ||
	    changes_read(network->changes, network->adaptation->guest, main_path, &content, err) <
		    0)
		return -1;
	network_note(network, name, target->mac)->target = target;
	if (content.length && content.data[content.length - 1] != '\n')
		text_add(&content, "\n");
	text_addf(&content, "\nallow-hotplug %s\niface %s inet dhcp\n", name, name);
	return changes_write(network->changes, network->adaptation->guest, network_step_name,
			     main_path, text_string(&content),
			     "this machine has a wired NIC that the VM did not have", err);
}

static int add_new_nics(struct network *network, struct error *err)
{
	for (size_t i = 0; i < network->target_count; i++) {
		const struct nic *target = network->target[i];

		if (network_is_idle(network, target))
			warn_idle(network, target);
		else if (!network_is_taken(network, target) && add_stanza(network, target, err))
			return -1;
	}
	return 0;
}

static int ifupdown_dhcp(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	if (each_file(network, &names, NULL, NULL, err) || pin_all(network, &names, err) ||
	    each_file(network, &names, file_to_dhcp,
		      "the machine gets its addresses by DHCP, the VM's do not apply here", err))
		return -1;
	return network->primary == &network_ifupdown ? add_new_nics(network, err) : 0;
}

const struct network_stack network_ifupdown = {
	.name = "ifupdown",
	.is_used = ifupdown_is_used,
	.collect = ifupdown_collect,
	.map = ifupdown_map,
	.dhcp = ifupdown_dhcp,
};
