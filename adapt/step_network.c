// SPDX-License-Identifier: GPL-3.0-or-later
/* Step network: see adapt/network.h for the policy. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapt/network.h"
#include "base/scope.h"

const char network_step_name[] = "network";

static const struct network_stack *const stacks[] = {&network_link, &network_ifupdown,
						     &network_networkd, &network_manager};

char *network_mac(const char *string)
{
	char *mac = string_copy(string);

	for (char *c = mac; *c; c++)
		*c = *c == '-' ? ':' : (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < 17; i++) {
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i])) {
			free(mac);
			return NULL;
		}
	}
	if (mac[17]) {
		free(mac);
		return NULL;
	}
	return mac;
}

bool network_is_wired_name(const char *name)
{
	static const char *const others[] = {"lo",   "wl",     "ww",    "br",   "bond", "team",
					     "veth", "docker", "virbr", "vlan", "tun",  "tap",
					     "ppp",  "wg",     "dummy", "vnet", "lxc",  "sit",
					     "gre",  "ip6",    "vxlan"};
	size_t length = strlen(name);

	/* Dots are VLANs, colons aliases; IFNAMSIZ is 16. */
	if (!length || length > 15 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
		    length)
		return false;
	for (size_t i = 0; i < array_length(others); i++) {
		if (has_prefix(name, others[i]))
			return false;
	}
	return true;
}

struct guest_nic *network_find(const struct network *network, const char *name, const char *mac)
{
	for (size_t i = 0; name && i < network->nic_count; i++) {
		if (string_equal(network->nic[i].name, name))
			return &network->nic[i];
	}
	for (size_t i = 0; mac && i < network->nic_count; i++) {
		if (string_equal(network->nic[i].mac, mac))
			return &network->nic[i];
	}
	return NULL;
}

struct guest_nic *network_note(struct network *network, const char *name, const char *mac)
{
	struct guest_nic *nic = network_find(network, name, mac);

	network->notes++;
	if (!nic) {
		network->nic = reallocarray(network->nic, network->nic_count + 1, sizeof(*nic));
		if (!network->nic)
			abort();
		nic = &network->nic[network->nic_count++];
		*nic = (struct guest_nic){0};
	}
	if (name && !nic->name)
		nic->name = string_copy(name);
	if (mac && !nic->mac)
		nic->mac = string_copy(mac);
	return nic;
}

const struct nic *network_target(const struct network *network, const char *mac)
{
	for (size_t i = 0; mac && i < network->target_count; i++) {
		if (strcasecmp(network->target[i]->mac, mac) == 0)
			return network->target[i];
	}
	return NULL;
}

bool network_is_idle(const struct network *network, const struct nic *target)
{
	/* The first has a link if any has. */
	return !target->has_link && network->target_count && network->target[0]->has_link;
}

static int compare_targets(const void *a, const void *b)
{
	const struct nic *left = *(const struct nic *const *)a;
	const struct nic *right = *(const struct nic *const *)b;

	if (left->has_link != right->has_link)
		return left->has_link ? -1 : 1;
	/* PCI slots are of fixed width; USB and unknown ones come behind them. */
	if (!left->slot != !right->slot)
		return left->slot ? -1 : 1;
	if (left->slot && strcmp(left->slot, right->slot) != 0)
		return strcmp(left->slot, right->slot);
	return strverscmp(left->name ? left->name : "", right->name ? right->name : "");
}

static int compare_guest_nics(const void *a, const void *b)
{
	const struct guest_nic *left = a, *right = b;

	if (!left->name != !right->name)
		return left->name ? -1 : 1;
	return left->name ? strverscmp(left->name, right->name) : strcmp(left->mac, right->mac);
}

static void find_targets(struct network *network)
{
	const struct hardware *hardware = network->adaptation->hardware;

	network->target = calloc(hardware->nic_count + 1, sizeof(*network->target));
	if (!network->target)
		abort();
	for (size_t i = 0; i < hardware->nic_count; i++) {
		const struct nic *nic = &hardware->nic[i];

		if (nic->mac && !nic->is_wireless && !network_target(network, nic->mac))
			network->target[network->target_count++] = nic;
	}
	qsort(network->target, network->target_count, sizeof(*network->target), compare_targets);
}

bool network_is_taken(const struct network *network, const struct nic *target)
{
	for (size_t i = 0; i < network->nic_count; i++) {
		if (network->nic[i].target == target)
			return true;
	}
	return false;
}

static void assign_targets(struct network *network)
{
	size_t next = 0;

	if (network->nic_count)
		qsort(network->nic, network->nic_count, sizeof(*network->nic), compare_guest_nics);
	for (size_t i = 0; i < network->nic_count; i++) {
		const struct nic *same = network_target(network, network->nic[i].mac);

		if (same && !network_is_taken(network, same))
			network->nic[i].target = same;
	}
	for (size_t i = 0; i < network->nic_count; i++) {
		while (next < network->target_count &&
		       network_is_taken(network, network->target[next]))
			next++;
		if (!network->nic[i].target && next < network->target_count)
			network->nic[i].target = network->target[next];
	}
}

static const char *guest_nic_label(const struct guest_nic *nic)
{
	return nic->name ? nic->name : nic->mac;
}

static void report_mapping(const struct network *network)
{
	struct report *report = network->adaptation->report;
	json_object *map = json_object_new_object();

	for (size_t i = 0; i < network->nic_count; i++) {
		const struct guest_nic *nic = &network->nic[i];

		json_object_object_add(map, guest_nic_label(nic),
				       nic->target ? json_object_new_string(nic->target->mac)
						   : NULL);
		if (!nic->target)
			report_warning(report,
				       "this machine has no wired NIC for the VM's %s; its "
				       "settings stay, and do nothing",
				       guest_nic_label(nic));
	}
	report_fact(report, "nics", map);
}

static void warn_kept(const struct network *network)
{
	for (size_t i = 0; i < network->nic_count; i++) {
		const struct guest_nic *nic = &network->nic[i];
		bool is_here = network_target(network, nic->mac);

		for (size_t t = 0; !nic->mac && t < network->target_count; t++)
			is_here |= string_equal(network->target[t]->name, nic->name);
		if (!is_here)
			report_warning(network->adaptation->report,
				       "the network is left as it is, but %s is not among this "
				       "machine's NICs; it stays without network there, and the "
				       "boot may wait for it",
				       guest_nic_label(nic));
	}
}

/* Configuration that this version cannot rewrite. */
static const struct {
	const char *directory, *pattern, *harmless, *what;
} unsupported[] = {
	{"/etc/netplan", "*.yaml", NULL, "netplan"},
	{"/etc/sysconfig/network-scripts", "ifcfg-*", "ifcfg-lo", "ifcfg"},
	{"/etc/sysconfig/network", "ifcfg-*", "ifcfg-lo", "wicked"},
	{"/etc/conf.d", "net", NULL, "netifrc"},
	{"/etc/netctl", "*", NULL, "netctl"},
};

static int warn_unsupported(const struct network *network, struct error *err)
{
	for (size_t i = 0; i < array_length(unsupported); i++) {
		_cleanup_strings_ struct strings files = {0};

		if (guest_glob(network->adaptation->guest, unsupported[i].directory,
			       unsupported[i].pattern, &files, err))
			return -1;
		for (size_t f = 0; f < files.count; f++) {
			const char *harmless = unsupported[i].harmless;
			struct stat st;

			if ((harmless && has_suffix(files.item[f], harmless)) ||
			    guest_stat(network->adaptation->guest, files.item[f], 1, &st) ||
			    !S_ISREG(st.st_mode))
				continue;
			report_warning(network->adaptation->report,
				       "%s is left as it is: v2p does not rewrite %s "
				       "configuration yet; the NIC may stay without an address",
				       files.item[f], unsupported[i].what);
		}
	}
	return 0;
}

static int plan_cloud_init(struct network *network, struct error *err)
{
	const struct guest *guest = network->adaptation->guest;

	if (!guest_has_program(guest, "cloud-init") ||
	    guest_has(guest, "/etc/cloud/cloud-init.disabled"))
		return 0;
	report_warning(network->adaptation->report,
		       "cloud-init is installed; where it finds none of its data sources, the boot "
		       "may wait two minutes for one (touch /etc/cloud/cloud-init.disabled)");
	return changes_write(
		network->changes, guest, network_step_name,
		"/etc/cloud/cloud.cfg.d/99-v2p-network.cfg", "network: {config: disabled}\n",
		"cloud-init would write the network configuration anew at each boot", err);
}

static int plan_stale_rules(struct network *network, struct error *err)
{
	return changes_remove(network->changes, network->adaptation->guest, network_step_name,
			      "/etc/udev/rules.d/70-persistent-net.rules",
			      "it reserves names for the MAC addresses of the VM's NICs", err);
}

typedef int stack_method(struct network *network, struct error *err);

static stack_method *method_for(const struct network_stack *stack, enum network_mode mode)
{
	return mode == NETWORK_DHCP ? stack->dhcp : stack->map;
}

static int run_stacks(struct network *network, struct error *err)
{
	for (size_t i = 0; i < array_length(stacks); i++) {
		stack_method *method = method_for(stacks[i], network->adaptation->network);

		if (stacks[i]->is_used(network) && method && method(network, err))
			return error_in(err, "%s", stacks[i]->name);
	}
	return 0;
}

static int plan_changes(struct network *network, struct error *err)
{
	if (!network->target_count) {
		report_warning(network->adaptation->report,
			       "no wired NIC of the machine is known; the network is left as it is "
			       "and may not come up");
		return 0;
	}
	if (plan_stale_rules(network, err) || plan_cloud_init(network, err))
		return -1;
	assign_targets(network);
	report_mapping(network);
	return run_stacks(network, err);
}

/* The first stack that speaks of a NIC is the one that configures them; without any, the last that
 * is started: ifupdown is installed on many systems where another one does the work. */
static int collect(struct network *network, struct error *err)
{
	const struct network_stack *fallback = NULL;

	for (size_t i = 0; i < array_length(stacks); i++) {
		size_t notes = network->notes;

		if (!stacks[i]->is_used(network))
			continue;
		if (stacks[i]->collect(network, err))
			return error_in(err, "%s", stacks[i]->name);
		if (stacks[i] == &network_link)
			continue;
		fallback = stacks[i];
		if (!network->primary && network->notes > notes)
			network->primary = stacks[i];
	}
	if (!network->primary)
		network->primary = fallback;
	return 0;
}

static void network_release(struct network *network)
{
	for (size_t i = 0; i < network->nic_count; i++) {
		free(network->nic[i].name);
		free(network->nic[i].mac);
		free(network->nic[i].link);
	}
	free(network->nic);
	free(network->target);
}

static int network_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_(network_release) struct network network = {.adaptation = adaptation,
							     .changes = changes};

	find_targets(&network);
	if (warn_unsupported(&network, err) || collect(&network, err))
		return -1;
	if (adaptation->network != NETWORK_KEEP)
		return plan_changes(&network, err);
	warn_kept(&network);
	return 0;
}

const struct step_ops step_network = {
	.name = network_step_name,
	.plan = network_plan,
};
