// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * network: which NIC of this machine takes the place of which NIC of the VM, and the guest's
 * network stacks that must be told so, one file each behind one table.
 *
 * Policy. A configured NIC whose MAC is that of a wired NIC of this machine is that NIC (a restore
 * onto the same machine, a second run). The others, in the order of their names (ens3 before
 * ens10), take the wired NICs that are left: those with a link first, then in the order of PCI
 * slots. A NIC of the VM that gets none stays configured, in a way that the boot does not wait for
 * it.
 *
 * What a NIC is called in the restored system is decided by its udev, which may name it unlike the
 * rescue system does. So nothing here relies on a name that was not made certain: where a stack can
 * match by MAC (systemd-networkd, NetworkManager) its files do, and the NIC gets its natural name;
 * where it cannot (ifupdown) the VM's name is kept by /etc/systemd/network/10-v2p-NAME.link, which
 * udev obeys whether networkd is used or not. A name that the guest's own .link file gives is kept
 * by changing the MAC in that file, and then serves all stacks.
 *
 * Files in /etc/systemd/network are copied into the initramfs by udev's hook: this step comes
 * before the one that builds it.
 */
#pragma once

#include "adapt/config.h"

extern const char network_step_name[];

/* A NIC that the guest's configuration speaks of. */
struct guest_nic {
	char *name;               /* "ens3", or NULL: known by MAC only */
	char *mac;                /* lower case, or NULL: known by name only */
	char *link;               /* the .link file that gives it its name, or NULL */
	const struct nic *target; /* the NIC that takes its place, or NULL; borrowed */
};

struct network {
	struct adaptation *adaptation;
	struct changes *changes;
	struct guest_nic *nic;
	size_t nic_count;
	const struct nic **target; /* wired ones: with link first, then by slot */
	size_t target_count;
	size_t notes; /* calls of network_note() */
	/* The one that configures the NICs, and gets those that the VM did not have (NETWORK_DHCP).
	 */
	const struct network_stack *primary;
};

struct network_stack {
	const char *name;
	/* Does the guest start this stack? */
	bool (*is_used)(const struct network *network);
	/* Calls network_note() for each NIC in the stack's files. */
	int (*collect)(struct network *network, struct error *err);
	/* NETWORK_MAP: adds changes so that the files mean the targets. */
	int (*map)(struct network *network, struct error *err);
	/* NETWORK_DHCP: adds changes so that each target is configured by DHCP. */
	int (*dhcp)(struct network *network, struct error *err);
};

/* Names that .link files give; for the stacks' sake, in front of them. */
extern const struct network_stack network_link, network_ifupdown, network_networkd, network_manager;

/* Finds or adds a NIC; what is known by then is completed. name or mac may be NULL. */
struct guest_nic *network_note(struct network *network, const char *name, const char *mac);
/* The NIC of that name, or else of that MAC; NULL: none. */
struct guest_nic *network_find(const struct network *network, const char *name, const char *mac);
/* A wired NIC of this machine by MAC; NULL: none. */
const struct nic *network_target(const struct network *network, const char *mac);
/* Has this NIC no link while another one has: is it one that a boot must not wait for? */
bool network_is_idle(const struct network *network, const struct nic *target);
/* Lower case, with colons; NULL unless it is a MAC address. Heap, the caller frees. */
char *network_mac(const char *string);
/* In a .link or .network file: sets MACAddress= and Path=* of [Match]. */
void network_match_mac(struct augeas_text *tree, const char *mac);
/* Is it a name that the kernel takes, and that of a wired NIC by all that a name tells (not lo,
 * wl…, br…, a VLAN …)? */
bool network_is_wired_name(const char *name);
/* Does a NIC of the VM have this one in its place? */
bool network_is_taken(const struct network *network, const struct nic *target);
/* Gives target the name for certain: adds a .link file unless one does so already. */
int network_pin(struct network *network, const char *name, const struct nic *target,
		struct error *err);
