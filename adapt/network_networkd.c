// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * network_networkd: /etc/systemd/network/NAME.network (systemd.network(5)). Files that mean a NIC
 * of the VM, by its name or MAC, get the MAC of the NIC that takes its place, and Path=* so that no
 * VLAN or bridge with the same MAC is meant too. Those that match more loosely and still fit
 * (Name=en*) stay.
 *
 * systemd-networkd-wait-online waits 120 s for every NIC that has a file: one without a link, where
 * another one has it, gets RequiredForOnline=no.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/network.h"
#include "base/scope.h"

static const char directory[] = "/etc/systemd/network";
static const char consequence[] =
	"the NIC that it is for may stay without an address, and the boot "
	"may wait two minutes for it";
static const char dhcp_path[] = "/etc/systemd/network/05-v2p.network";
static const char idle_path[] = "/etc/systemd/network/05-v2p-idle.network";

static bool networkd_is_used(const struct network *network)
{
	static const char *const links[] = {
		"/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
		"/etc/systemd/system/sockets.target.wants/systemd-networkd.socket",
		"/etc/systemd/system/dbus-org.freedesktop.network1.service"};
	struct stat st;

	for (size_t i = 0; i < array_length(links); i++) {
		if (!guest_stat(network->adaptation->guest, links[i], 0, &st))
			return true;
	}
	return false;
}

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?[!") != NULL;
}

/* A pattern fits if it takes in a NIC of this machine, or all that a NIC can be called. */
static bool pattern_fits(const struct network *network, const char *pattern)
{
	if (fnmatch(pattern, "eno1", 0) == 0 && fnmatch(pattern, "enp0s31f6", 0) == 0)
		return true;
	for (size_t i = 0; i < network->target_count; i++) {
		const char *name = network->target[i]->name;

		if (name && fnmatch(pattern, name, 0) == 0)
			return true;
	}
	return false;
}

/* Does [Match] speak of something other than wired NICs? */
static bool is_for_others(const struct augeas_text *tree)
{
	const char *type = augeas_text_get(tree, "Match/Type/value");

	return augeas_text_has(tree, "Match/Kind") || augeas_text_has(tree, "Match/SSID") ||
	       augeas_text_has(tree, "Match/WLANInterfaceType") ||
	       augeas_text_has(tree, "Match/Virtualization") ||
	       (type && strcmp(type, "ether") != 0);
}

/* Values of MACAddress= and PermanentMACAddress=, as paths. */
static void list_macs(const struct augeas_text *tree, struct strings *paths)
{
	augeas_text_match(tree, paths, "Match/MACAddress/value");
	augeas_text_match(tree, paths, "Match/PermanentMACAddress/value");
}

/* The one NIC that Name= means, or NULL: none, several, a pattern that fits, a bridge … */
static const char *match_name(const struct network *network, const struct augeas_text *tree)
{
	const char *name = augeas_text_get(tree, "Match/Name/value");

	if (!name ||
	    (is_pattern(name) ? pattern_fits(network, name) : !network_is_wired_name(name)))
		return NULL;
	return name;
}

static void note_file(struct network *network, const struct augeas_text *tree)
{
	_cleanup_strings_ struct strings macs = {0};
	const char *name = match_name(network, tree);

	if (is_for_others(tree))
		return;
	list_macs(tree, &macs);
	for (size_t i = 0; i < macs.count; i++) {
		const char *value = augeas_text_get(tree, "%s", macs.item[i]);
		_cleanup_free_ char *mac = value ? network_mac(value) : NULL;

		if (mac)
			network_note(network, macs.count == 1 ? name : NULL, mac);
	}
	if (!macs.count && name)
		network_note(network, name, NULL);
}

/* The files of the guest itself, sorted as networkd reads them. */
static int list_files(const struct network *network, struct strings *own, struct error *err)
{
	_cleanup_strings_ struct strings all = {0};

	if (guest_glob(network->adaptation->guest, directory, "*.network", &all, err))
		return -1;
	for (size_t i = 0; i < all.count; i++) {
		if (strcmp(all.item[i], dhcp_path) != 0 && strcmp(all.item[i], idle_path) != 0)
			strings_add(own, all.item[i]);
	}
	return 0;
}

static int networkd_collect(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (list_files(network, &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_augeas_text_ struct augeas_text tree = {0};

		if (config_parse(network->adaptation, network->changes, files.item[i],
				 "Systemd.lns", consequence, &tree))
			note_file(network, &tree);
	}
	return 0;
}

static void match_by_mac(struct augeas_text *tree, const char *mac)
{
	/* They describe the VM's NIC, and not this machine's. */
	static const char *const stale[] = {"Name", "OriginalName", "Driver", "Property",
					    "PermanentMACAddress"};

	network_match_mac(tree, mac);
	for (size_t i = 0; i < array_length(stale); i++)
		augeas_text_remove(tree, "Match/%s", stale[i]);
}

static void do_not_wait(struct augeas_text *tree)
{
	if (!augeas_text_has(tree, "Link/RequiredForOnline"))
		augeas_text_set(tree, "no", "Link/RequiredForOnline/value");
}

static void map_mac_list(struct network *network, struct augeas_text *tree,
			 const struct strings *macs)
{
	for (size_t i = 0; i < macs->count; i++) {
		const char *value = augeas_text_get(tree, "%s", macs->item[i]);
		_cleanup_free_ char *mac = value ? network_mac(value) : NULL;
		const struct guest_nic *nic = network_find(network, NULL, mac);

		if (nic && nic->target && strcmp(nic->target->mac, mac) != 0)
			augeas_text_set(tree, nic->target->mac, "%s", macs->item[i]);
	}
}

/* Makes the file mean the target; returns it, or NULL: not a file for one NIC that has one. */
static const struct nic *map_file(struct network *network, struct augeas_text *tree)
{
	_cleanup_strings_ struct strings macs = {0};
	_cleanup_free_ char *mac = NULL;
	const struct guest_nic *nic;
	const char *name = match_name(network, tree);

	if (is_for_others(tree))
		return NULL;
	list_macs(tree, &macs);
	if (macs.count > 1) {
		map_mac_list(network, tree, &macs);
		return NULL;
	}
	if (macs.count) {
		const char *value = augeas_text_get(tree, "%s", macs.item[0]);

		mac = value ? network_mac(value) : NULL;
	}
	nic = network_find(network, mac ? NULL : name, mac);
	if (!nic || !nic->target)
		return NULL;
	if (mac || !nic->link)
		match_by_mac(tree, nic->target->mac);
	if (network_is_idle(network, nic->target))
		do_not_wait(tree);
	return nic->target;
}

static int map_path(struct network *network, const char *path, struct error *err)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};

	if (!config_parse(network->adaptation, network->changes, path, "Systemd.lns", consequence,
			  &tree))
		return 0;
	map_file(network, &tree);
	return config_save(network->adaptation, network->changes, network_step_name, path, &tree,
			   "it is for the VM's NIC; this machine's is matched by its MAC",
			   consequence, err);
}

static int networkd_map(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (list_files(network, &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		if (map_path(network, files.item[i], err))
			return -1;
	}
	return 0;
}

/* A port of a bridge or bond: DHCP on it would take it out of there. */
static bool is_port(const struct augeas_text *tree)
{
	return augeas_text_has(tree, "Network/Bridge") || augeas_text_has(tree, "Network/Bond") ||
	       augeas_text_has(tree, "Network/VRF");
}

/* Would networkd take this file for a NIC before it comes to ours? */
static bool goes_before_ours(const struct network *network, const struct augeas_text *tree,
			     const char *path)
{
	const char *name = augeas_text_get(tree, "Match/Name/value");

	if (strcmp(path, dhcp_path) > 0 || is_for_others(tree) ||
	    augeas_text_has(tree, "Match/MACAddress") ||
	    augeas_text_has(tree, "Match/PermanentMACAddress"))
		return false;
	return !name || (is_pattern(name) && pattern_fits(network, name));
}

/* Ports keep their files, mapped; *ports gets their MACs. */
static int keep_ports(struct network *network, struct strings *ports, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (list_files(network, &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_augeas_text_ struct augeas_text tree = {0};
		const struct nic *target;

		if (!config_parse(network->adaptation, network->changes, files.item[i],
				  "Systemd.lns", consequence, &tree))
			continue;
		if (goes_before_ours(network, &tree, files.item[i]))
			report_warning(network->adaptation->report,
				       "%s comes before the DHCP settings that v2p adds, and takes "
				       "precedence over them",
				       files.item[i]);
		if (!is_port(&tree))
			continue;
		target = map_file(network, &tree);
		if (target)
			strings_add(ports, target->mac);
		if (config_save(network->adaptation, network->changes, network_step_name,
				files.item[i], &tree,
				"it makes the VM's NIC a port of a bridge or bond; this machine's "
				"is matched by its MAC",
				consequence, err))
			return -1;
	}
	return 0;
}

static int write_dhcp_file(struct network *network, const char *path, const struct strings *macs,
			   const char *online, struct error *err)
{
	_cleanup_free_ char *list = strings_join(macs, " ");
	_cleanup_free_ char *content = NULL;

	if (!macs->count)
		return 0;
	content = string_format("[Match]\nMACAddress=%s\nPath=*\n\n%s[Network]\nDHCP=yes\n", list,
				online);
	return changes_write(
		network->changes, network->adaptation->guest, network_step_name, path, content,
		"the machine gets its addresses by DHCP; the VM's files stay behind it", err);
}

static int networkd_dhcp(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings ports = {0}, linked = {0}, idle = {0};

	if (network->primary != &network_networkd)
		return networkd_map(network, err);
	if (keep_ports(network, &ports, err))
		return -1;
	for (size_t i = 0; i < network->target_count; i++) {
		const struct nic *target = network->target[i];

		if (!strings_has(&ports, target->mac))
			strings_add(network_is_idle(network, target) ? &idle : &linked,
				    target->mac);
	}
	if (write_dhcp_file(network, dhcp_path, &linked, "", err))
		return -1;
	return write_dhcp_file(network, idle_path, &idle, "[Link]\nRequiredForOnline=no\n\n", err);
}

const struct network_stack network_networkd = {
	.name = "systemd-networkd",
	.is_used = networkd_is_used,
	.collect = networkd_collect,
	.map = networkd_map,
	.dhcp = networkd_dhcp,
};
