// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * network_manager: NetworkManager's keyfiles (nm-settings-keyfile(5)). Profiles of the VM's wired
 * NICs are bound to the MAC of the NIC that takes its place. A NIC whose name another profile needs
 * (the parent of a VLAN) keeps that name by a .link file instead. Profiles bound to nothing fit any
 * NIC and stay; for a NIC without a profile NetworkManager makes one with DHCP by itself.
 *
 * The files are replaced with owner and mode kept: NetworkManager ignores one that others can read.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/network.h"
#include "base/scope.h"

static const char directory[] = "/etc/NetworkManager/system-connections";
static const char consequence[] = "the NIC that this profile is for may stay without an address";

/* What a profile is bound to. Strings are borrowed from the tree. */
struct profile {
	const char *name;    /* connection.interface-name */
	const char *section; /* path of where the MAC is kept */
	char *mac;
};

static bool manager_is_used(const struct network *network)
{
	return guest_has_program(network->adaptation->guest, "NetworkManager");
}

/* false: not a profile of a wired NIC. */
static bool profile_read(const struct augeas_text *tree, struct profile *profile)
{
	const char *type = augeas_text_get(tree, "connection/type");
	const char *mac;

	if (!type || (strcmp(type, "ethernet") != 0 && strcmp(type, "802-3-ethernet") != 0))
		return false;
	profile->section = augeas_text_has(tree, "802-3-ethernet") ? "/parsed/802-3-ethernet"
								   : "/parsed/ethernet";
	profile->name = augeas_text_get(tree, "connection/interface-name");
	mac = augeas_text_get(tree, "%s/mac-address", profile->section);
	profile->mac = mac ? network_mac(mac) : NULL;
	if (profile->name && !network_is_wired_name(profile->name))
		profile->name = NULL;
	return true;
}

typedef int profile_visit(struct network *network, const char *path, struct augeas_text *tree,
			  struct error *err);

static int each_profile(struct network *network, profile_visit *visit, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (guest_glob(network->adaptation->guest, directory, "*", &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_augeas_text_ struct augeas_text tree = {0};

		if (has_suffix(files.item[i], "~") || has_suffix(files.item[i], ".bak"))
			continue;
		if (config_parse(network->adaptation, network->changes, files.item[i],
				 "NetworkManager.lns", consequence, &tree) &&
		    visit(network, files.item[i], &tree, err))
			return -1;
	}
	return 0;
}

static int note_profile(struct network *network, const char *path, struct augeas_text *tree,
			struct error *err)
{
	struct profile profile = {0};

	(void)path, (void)err;
	if (profile_read(tree, &profile) && (profile.name || profile.mac))
		network_note(network, profile.name, profile.mac);
	free(profile.mac);
	return 0;
}

static int manager_collect(struct network *network, struct error *err)
{
	return each_profile(network, note_profile, err);
}

/* Pins the NIC whose name a VLAN or such calls its parent. */
static int pin_parent(struct network *network, const char *path, struct augeas_text *tree,
		      struct error *err)
{
	_cleanup_strings_ struct strings parents = {0};

	(void)path;
	augeas_text_match(tree, &parents, "*/parent");
	for (size_t i = 0; i < parents.count; i++) {
		const char *name = augeas_text_get(tree, "%s", parents.item[i]);
		struct guest_nic *nic = name ? network_find(network, name, NULL) : NULL;

		if (!nic || !nic->target || nic->link)
			continue;
		if (network_pin(network, name, nic->target, err))
			return -1;
		nic->link = string_copy("");
	}
	return 0;
}

static const struct guest_nic *bind_profile(const struct network *network, struct augeas_text *tree)
{
	struct profile profile = {0};
	const struct guest_nic *nic = NULL;

	if (!profile_read(tree, &profile))
		return NULL;
	if (profile.name || profile.mac)
		nic = network_find(network, profile.mac ? NULL : profile.name, profile.mac);
	if (nic && nic->target) {
		bool keeps_name = nic->link && profile.name;

		if (!keeps_name)
			augeas_text_remove(tree, "connection/interface-name");
		if (profile.mac ? strcmp(profile.mac, nic->target->mac) != 0 : !keeps_name)
			augeas_text_set(tree, nic->target->mac, "%s/mac-address", profile.section);
	}
	free(profile.mac);
	return nic;
}

static int map_profile(struct network *network, const char *path, struct augeas_text *tree,
		       struct error *err)
{
	bind_profile(network, tree);
	return config_save(network->adaptation, network->changes, network_step_name, path, tree,
			   "the profile is for the VM's NIC; this machine's is matched by its MAC",
			   consequence, err);
}

static int manager_map(struct network *network, struct error *err)
{
	if (each_profile(network, pin_parent, err))
		return -1;
	return each_profile(network, map_profile, err);
}

/* ipv4 and ipv6 of one profile: addresses and what depends on them go. */
static void section_to_dhcp(struct augeas_text *tree, const char *section)
{
	static const char *const prefixes[] = {"address", "gateway", "route", "dns"};
	_cleanup_free_ char *base = string_format("/parsed/%s", section);

	if (!string_equal(augeas_text_get(tree, "%s/method", base), "manual"))
		return;
	for (size_t i = 0; i < array_length(prefixes); i++)
		augeas_text_remove(tree, "%s/*[label() =~ regexp('%s(es|s)?[0-9]*')]", base,
				   prefixes[i]);
	augeas_text_set(tree, "auto", "%s/method", base);
}

static int profile_to_dhcp(struct network *network, const char *path, struct augeas_text *tree,
			   struct error *err)
{
	const struct guest_nic *nic = bind_profile(network, tree);
	bool is_port = augeas_text_has(tree, "connection/master") ||
		       augeas_text_has(tree, "connection/controller");

	if (nic && nic->target && !is_port) {
		section_to_dhcp(tree, "ipv4");
		section_to_dhcp(tree, "ipv6");
	}
	return config_save(network->adaptation, network->changes, network_step_name, path, tree,
			   "the machine gets its addresses by DHCP, on the NIC with this MAC",
			   consequence, err);
}

static int manager_dhcp(struct network *network, struct error *err)
{
	if (each_profile(network, pin_parent, err))
		return -1;
	return each_profile(network, profile_to_dhcp, err);
}

const struct network_stack network_manager = {
	.name = "NetworkManager",
	.is_used = manager_is_used,
	.collect = manager_collect,
	.map = manager_map,
	.dhcp = manager_dhcp,
};
