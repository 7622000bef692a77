// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * network_link: names that .link files give to NICs (systemd.link(5)), the guest's own and ours.
 *
 * Ours match MACAddress= and Path=*: VLANs and bridges carry the MAC of the NIC below them, but
 * hang on no bus and so have no path. PermanentMACAddress= and Type=ether would say it better, but
 * older versions ignore the one and never match the other.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/network.h"
#include "base/scope.h"

static const char directory[] = "/etc/systemd/network";
static const char consequence[] = "the NIC that it names may get another name";

static bool link_is_used(const struct network *network)
{
	(void)network;
	return true;
}

static const char *link_mac(const struct augeas_text *tree)
{
	const char *mac = augeas_text_get(tree, "Match/MACAddress/value");

	return mac ? mac : augeas_text_get(tree, "Match/PermanentMACAddress/value");
}

static void note_link(struct network *network, const struct augeas_text *tree, const char *path)
{
	const char *name = augeas_text_get(tree, "Link/Name/value");
	const char *value = link_mac(tree);
	_cleanup_free_ char *mac = value ? network_mac(value) : NULL;
	struct guest_nic *nic;

	/* udev takes the first file that matches. */
	if (!mac || !name || !network_is_wired_name(name) || network_find(network, name, NULL))
		return;
	nic = network_note(network, name, mac);
	if (string_equal(nic->name, name) && !nic->link)
		nic->link = string_copy(path);
}

static int link_collect(struct network *network, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (guest_glob(network->adaptation->guest, directory, "*.link", &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_augeas_text_ struct augeas_text tree = {0};

		if (config_parse(network->adaptation, network->changes, files.item[i],
				 "Systemd.lns", consequence, &tree))
			note_link(network, &tree, files.item[i]);
	}
	return 0;
}

/* A new key is put behind one that is there: at the end it would come behind the empty line. */
static void set_key(struct augeas_text *tree, const char *key, const char *value,
		    const char *neighbour)
{
	if (string_equal(augeas_text_get(tree, "Match/%s/value", key), value))
		return;
	if (!augeas_text_has(tree, "Match/%s", key) && augeas_text_has(tree, "Match/%s", neighbour))
		augeas_text_insert(tree, key, "Match/%s", neighbour);
	augeas_text_set(tree, value, "Match/%s/value", key);
}

void network_match_mac(struct augeas_text *tree, const char *mac)
{
	set_key(tree, "MACAddress", mac, "*[1]");
	set_key(tree, "Path", "*", "MACAddress");
}

static int move_link(struct network *network, const struct guest_nic *nic, struct error *err)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_free_ char *why = NULL;

	if (!config_parse(network->adaptation, network->changes, nic->link, "Systemd.lns",
			  consequence, &tree))
		return 0;
	network_match_mac(&tree, nic->target->mac);
	augeas_text_remove(&tree, "Match/*[label() !~ regexp('#comment|MACAddress|Path')]");
	why = string_format("%s is the name of the NIC that takes the place of the VM's",
			    nic->name);
	return config_save(network->adaptation, network->changes, network_step_name, nic->link,
			   &tree, why, consequence, err);
}

static int link_move(struct network *network, struct error *err)
{
	for (size_t i = 0; i < network->nic_count; i++) {
		const struct guest_nic *nic = &network->nic[i];

		if (nic->link && nic->target && !string_equal(nic->mac, nic->target->mac) &&
		    move_link(network, nic, err))
			return -1;
	}
	return 0;
}

static void warn_unreliable(const struct network *network, const char *name)
{
	struct report *report = network->adaptation->report;

	if (has_prefix(name, "eth") && network->target_count > 1)
		report_warning(report,
			       "%s is a name that the kernel gives out too, and this machine has "
			       "%zu wired NICs; they may swap names",
			       name, network->target_count);
	if (!guest_has(network->adaptation->guest, "/usr/lib/systemd/systemd-udevd") &&
	    !guest_has(network->adaptation->guest, "/lib/systemd/systemd-udevd"))
		report_warning(report,
			       "the guest has no systemd-udevd, which gives %s its name; the NIC "
			       "may be called otherwise and stay without an address",
			       name);
}

int network_pin(struct network *network, const char *name, const struct nic *target,
		struct error *err)
{
	const struct guest_nic *nic = network_find(network, name, NULL);
	_cleanup_free_ char *path = string_format("%s/10-v2p-%s.link", directory, name);
	_cleanup_free_ char *content = NULL, *why = NULL;

	if (nic && nic->link)
		return 0;
	content = string_format("[Match]\nMACAddress=%s\nPath=*\n\n[Link]\nName=%s\n", target->mac,
				name);
	why = string_format("the configuration speaks of %s: the NIC with this MAC is to have that "
			    "name",
			    name);
	warn_unreliable(network, name);
	return changes_write(network->changes, network->adaptation->guest, network_step_name, path,
			     content, why, err);
}

const struct network_stack network_link = {
	.name = "systemd.link",
	.is_used = link_is_used,
	.collect = link_collect,
	.map = link_move,
	.dhcp = link_move,
};
