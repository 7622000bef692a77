// SPDX-License-Identifier: GPL-3.0-or-later
/* Network interfaces that hang on a device. */
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/window.h"

enum { MAC_LENGTH = 6 };

/*
 * The address the card was made with: the one in sysfs may have been changed, by a bond or for
 * privacy, and the restored system will see the card before that. NULL when the driver does not
 * say.
 */
static char *read_permanent_mac(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union {
		struct ethtool_perm_addr address;
		unsigned char room[sizeof(struct ethtool_perm_addr) + 32];
	} answer = {.address = {.cmd = ETHTOOL_GPERMADDR, .size = 32}};
	const unsigned char *mac = answer.room + sizeof(struct ethtool_perm_addr);
	struct ifreq request = {.ifr_data = (char *)&answer};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0 || answer.address.size != MAC_LENGTH ||
	    is_zero(mac, MAC_LENGTH))
		return NULL;
	return string_format("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			     mac[4], mac[5]);
}

static char *read_current_mac(const char *path)
{
	_cleanup_free_ char *line = file_line("%s/address", path);

	return line && *line ? printable_copy(line) : NULL;
}

static void add_nic(const char *root, const char *name, struct hardware *hardware)
{
	_cleanup_free_ char *path = string_format("%s/sys/class/net/%s", root, name);
	_cleanup_free_ char *device = string_format("%s/device", path);
	_cleanup_free_ char *wireless = string_format("%s/phy80211", path);
	_cleanup_free_ char *carrier = NULL;
	struct nic *nic;

	/* lo, bridges, bonds and tunnels hang on no device. */
	if (access(device, F_OK) != 0)
		return;
	carrier = file_line("%s/carrier", path);
	nic = hardware_add_nic(hardware);
	nic->name = string_copy(name);
	nic->current_mac = read_current_mac(path);
	nic->permanent_mac = *root ? NULL : read_permanent_mac(name);
	nic->mac = printable_copy(nic->permanent_mac ? nic->permanent_mac : nic->current_mac);
	nic->slot = sysfs_link(path, "device");
	nic->driver = sysfs_link(device, "driver");
	nic->has_link = carrier && string_equal(carrier, "1");
	nic->is_wireless = access(wireless, F_OK) == 0;
}

void hardware_scan_nics(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *directory = string_format("%s/sys/class/net", root);
	_cleanup_strings_ struct strings names = {0};

	sysfs_list(directory, &names);
	for (size_t i = 0; i < names.count; i++)
		add_nic(root, names.item[i], hardware);
}
