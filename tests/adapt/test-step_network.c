// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/step-fixture.h"

#define MAC "52:54:00:00:d0:01"
#define MAC2 "52:54:00:00:d0:02"
#define LINK_PATH "/etc/systemd/network/10-v2p-ens3.link"
#define LINK_FILE "[Match]\nMACAddress=" MAC "\nPath=*\n\n[Link]\nName=ens3\n"

/* Golden image A's. */
static const char interfaces[] = "source /etc/network/interfaces.d/*\n\n"
				 "auto lo\niface lo inet loopback\n\n"
				 "# The primary network interface\n"
				 "auto ens3\niface ens3 inet static\n"
				 "\taddress 10.0.2.77/24\n\tgateway 10.0.2.2\n"
				 "\tdns-nameservers 10.0.2.3\n";
/* Golden image B's. */
static const char network_file[] = "[Match]\nName=enp1s0\nMACAddress=52:54:00:76:32:0b\n\n"
				   "[Network]\nDHCP=yes\n";
static const char network_path[] = "/etc/systemd/network/20-lan.network";
static const char keyfile_path[] =
	"/etc/NetworkManager/system-connections/Wired connection 1.nmconnection";

static struct fixture *open_with_nic(enum network_mode mode)
{
	struct fixture *f = fixture_open();

	fixture_nic(f, "enp0s2", MAC, "0000:00:02.0", LINK);
	f->adaptation.network = mode;
	tree_program("/usr/lib/systemd/systemd-udevd", "");
	return f;
}

static void use_ifupdown(const char *content)
{
	tree_program("/usr/sbin/ifup", "");
	tree_file("/etc/network/interfaces", content);
}

static void use_networkd(void)
{
	tree_directory("/etc/systemd/system/multi-user.target.wants");
	tree_link("/lib/systemd/system/systemd-networkd.service",
		  "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service");
}

static void use_manager(const char *keyfile)
{
	tree_program("/usr/sbin/NetworkManager", "");
	tree_file_bytes(keyfile_path, keyfile, strlen(keyfile), 0600);
}

static void ifupdown_keeps_the_name_by_a_link_file(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_ifupdown(interfaces);
	fixture_run(f, &step_network);
	assert_tree_file("/etc/network/interfaces", interfaces);
	assert_tree_file(LINK_PATH, LINK_FILE);
	assert_false(fixture_warned(f, ""));
	fixture_close(f);
}

static void ifupdown_does_not_wait_for_a_nic_that_is_gone(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_ifupdown("auto lo ens3 ens10\niface lo inet loopback\niface ens3 inet dhcp\n"
		     "iface ens10 inet dhcp\n");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/network/interfaces",
			 "auto lo ens3\nallow-hotplug ens10\niface lo inet loopback\n"
			 "iface ens3 inet dhcp\niface ens10 inet dhcp\n");
	assert_tree_file(LINK_PATH, LINK_FILE);
	assert_true(fixture_warned(f, "this machine has no wired NIC for the VM's ens10"));
	fixture_close(f);
}

static void ifupdown_goes_to_dhcp(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	use_ifupdown(interfaces);
	fixture_run(f, &step_network);
	assert_tree_file("/etc/network/interfaces",
			 "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n"
			 "# The primary network interface\n"
			 "allow-hotplug ens3\niface ens3 inet dhcp\n");
	assert_tree_file(LINK_PATH, LINK_FILE);
	fixture_close(f);
}

static void ifupdown_takes_second_addresses_away(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	use_ifupdown("auto ens3\niface ens3 inet static\n  address 1.2.3.4\n  netmask 255.0.0.0\n"
		     "  mtu 9000\n"
		     "iface ens3 inet static\n  address 1.2.3.5\n"
		     "iface ens3 inet6 static\n  address 2001:db8::1\n  netmask 64\n");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/network/interfaces",
			 "allow-hotplug ens3\niface ens3 inet dhcp\n  mtu 9000\n"
			 "iface ens3 inet6 auto\n");
	fixture_close(f);
}

static void ifupdown_gives_dhcp_to_a_bridge_and_not_its_port(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	use_ifupdown("auto br0\niface br0 inet static\n\taddress 1.2.3.4/24\n\tbridge_ports ens3\n"
		     "iface ens3 inet manual\n");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/network/interfaces",
			 "auto br0\niface br0 inet dhcp\n\tbridge_ports ens3\n"
			 "iface ens3 inet manual\n");
	assert_tree_file(LINK_PATH, LINK_FILE);
	fixture_close(f);
}

static void ifupdown_gives_dhcp_to_new_nics_that_have_a_link(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	fixture_nic(f, "eth1", MAC2, "0000:00:03.0", LINK);
	fixture_nic(f, "enp4s0", "52:54:00:00:d0:03", "0000:00:04.0", NO_LINK);
	fixture_nic(f, "wlp5s0", "52:54:00:00:d0:04", "0000:00:05.0", WIRELESS);
	use_ifupdown("auto ens3\niface ens3 inet dhcp");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/network/interfaces", "allow-hotplug ens3\niface ens3 inet dhcp\n"
						    "\nallow-hotplug lan1\niface lan1 inet dhcp\n");
	assert_tree_file("/etc/systemd/network/10-v2p-lan1.link",
			 "[Match]\nMACAddress=" MAC2 "\nPath=*\n\n[Link]\nName=lan1\n");
	assert_true(fixture_warned(f, "enp4s0 (52:54:00:00:d0:03) has no link now"));
	fixture_close(f);
}

static void nics_are_mapped_in_order_link_first(void **state)
{
	struct fixture *f = fixture_open();

	(void)state;
	fixture_nic(f, "a", "52:54:00:00:00:0a", "0000:00:02.0", NO_LINK);
	fixture_nic(f, "c", "52:54:00:00:00:0c", "0000:00:04.0", LINK);
	fixture_nic(f, "b", "52:54:00:00:00:0b", "0000:00:03.0", LINK);
	use_ifupdown("iface ens10 inet manual\niface ens3 inet manual\niface ens4 inet manual\n");
	fixture_run(f, &step_network);
	assert_tree_file(LINK_PATH,
			 "[Match]\nMACAddress=52:54:00:00:00:0b\nPath=*\n\n[Link]\nName=ens3\n");
	assert_tree_file("/etc/systemd/network/10-v2p-ens4.link",
			 "[Match]\nMACAddress=52:54:00:00:00:0c\nPath=*\n\n[Link]\nName=ens4\n");
	assert_tree_file("/etc/systemd/network/10-v2p-ens10.link",
			 "[Match]\nMACAddress=52:54:00:00:00:0a\nPath=*\n\n[Link]\nName=ens10\n");
	fixture_close(f);
}

static void the_guests_own_link_file_gets_the_new_mac(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_ifupdown("auto lan0\niface lan0 inet dhcp\n");
	tree_file("/etc/systemd/network/70-lan.link",
		  "# mine\n[Match]\nMACAddress=52:54:00:AA:AA:AA\nDriver=virtio_net\n\n"
		  "[Link]\nName=lan0\nWakeOnLan=magic\n");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/systemd/network/70-lan.link",
			 "# mine\n[Match]\nMACAddress=" MAC "\nPath=*\n\n"
			 "[Link]\nName=lan0\nWakeOnLan=magic\n");
	assert_false(tree_has("/etc/systemd/network/10-v2p-lan0.link"));
	fixture_close(f);
}

static void stale_rules_are_removed(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	tree_file("/etc/udev/rules.d/70-persistent-net.rules", "KERNEL==\"eth*\", NAME=\"eth0\"\n");
	fixture_run(f, &step_network);
	assert_false(tree_has("/etc/udev/rules.d/70-persistent-net.rules"));
	fixture_close(f);
}

static void networkd_matches_the_new_mac(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_networkd();
	tree_file(network_path, network_file);
	fixture_run(f, &step_network);
	assert_tree_file(network_path,
			 "[Match]\nMACAddress=" MAC "\nPath=*\n\n[Network]\nDHCP=yes\n");
	fixture_close(f);
}

static void networkd_keeps_patterns_that_fit_and_bridges(void **state)
{
	static const char bridge[] = "[Match]\nName=br0\n[Network]\nAddress=1.2.3.4/24\n";
	static const char loose[] = "[Match]\nName=en*\n[Network]\nDHCP=yes\n";
	static const char virtual[] = "[Match]\nName=ens3\nVirtualization=yes\n";
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_networkd();
	tree_file("/etc/systemd/network/1.network", bridge);
	tree_file("/etc/systemd/network/2.network", loose);
	tree_file("/etc/systemd/network/3.network", virtual);
	tree_file("/etc/systemd/network/4.network", "[Match]\nName=ens*\n\n[Network]\nDHCP=yes\n");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/systemd/network/1.network", bridge);
	assert_tree_file("/etc/systemd/network/2.network", loose);
	assert_tree_file("/etc/systemd/network/3.network", virtual);
	assert_tree_file("/etc/systemd/network/4.network",
			 "[Match]\nMACAddress=" MAC "\nPath=*\n\n[Network]\nDHCP=yes\n");
	fixture_close(f);
}

static void networkd_does_not_wait_for_a_nic_without_a_link(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	fixture_nic(f, "enp3s0", MAC2, "0000:00:01.0", NO_LINK);
	use_networkd();
	tree_file("/etc/systemd/network/1.network", "[Match]\nName=ens3\n[Network]\nDHCP=yes\n");
	tree_file("/etc/systemd/network/2.network", "[Match]\nName=ens4\n[Network]\nDHCP=yes\n");
	fixture_run(f, &step_network);
	assert_tree_file("/etc/systemd/network/2.network",
			 "[Match]\nMACAddress=" MAC2 "\nPath=*\n[Network]\nDHCP=yes\n"
			 "[Link]\nRequiredForOnline=no\n");
	fixture_close(f);
}

static void networkd_gets_a_dhcp_file_in_front(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	fixture_nic(f, "enp3s0", MAC2, "0000:00:01.0", NO_LINK);
	use_networkd();
	tree_file(network_path, network_file);
	tree_file("/etc/systemd/network/00-all.network", "[Match]\nName=*\n");
	fixture_run(f, &step_network);
	assert_tree_file(network_path, network_file);
	assert_tree_file("/etc/systemd/network/05-v2p.network",
			 "[Match]\nMACAddress=" MAC "\nPath=*\n\n[Network]\nDHCP=yes\n");
	assert_tree_file("/etc/systemd/network/05-v2p-idle.network",
			 "[Match]\nMACAddress=" MAC2 "\nPath=*\n\n[Link]\nRequiredForOnline=no\n\n"
			 "[Network]\nDHCP=yes\n");
	assert_true(fixture_warned(f, "/etc/systemd/network/00-all.network comes before"));
	fixture_close(f);
}

static void manager_profiles_are_bound_to_the_new_mac(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);
	_cleanup_free_ char *full = tree_path(keyfile_path);
	struct stat st;

	(void)state;
	use_manager("[connection]\nid=Wired connection 1\ntype=ethernet\n"
		    "interface-name=enp1s0\nautoconnect-priority=-999\n\n"
		    "[ethernet]\nmac-address=52:54:00:76:32:0B\n\n"
		    "[ipv4]\naddress1=1.2.3.4/24,1.2.3.1\ndns=1.1.1.1;\nmethod=manual\n");
	fixture_run(f, &step_network);
	assert_tree_file(keyfile_path,
			 "[connection]\nid=Wired connection 1\ntype=ethernet\n"
			 "autoconnect-priority=-999\n\n"
			 "[ethernet]\nmac-address=" MAC "\n\n"
			 "[ipv4]\naddress1=1.2.3.4/24,1.2.3.1\ndns=1.1.1.1;\nmethod=manual\n");
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fixture_close(f);
}

static void manager_profiles_without_a_section_get_one(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_manager("[connection]\ntype=ethernet\ninterface-name=ens3\n");
	fixture_run(f, &step_network);
	assert_tree_file(keyfile_path,
			 "[connection]\ntype=ethernet\n[ethernet]\nmac-address=" MAC "\n");
	fixture_close(f);
}

static void manager_profiles_go_to_dhcp(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	use_manager("[connection]\ntype=802-3-ethernet\n\n"
		    "[802-3-ethernet]\nmac-address=52:54:00:76:32:0B\n\n"
		    "[ipv4]\naddress1=1.2.3.4/24,1.2.3.1\nroute1=10.0.0.0/8,1.2.3.1\n"
		    "dns=1.1.1.1;\nmethod=manual\n\n[ipv6]\nmethod=ignore\n");
	fixture_run(f, &step_network);
	assert_tree_file(keyfile_path, "[connection]\ntype=802-3-ethernet\n\n"
				       "[802-3-ethernet]\nmac-address=" MAC "\n\n"
				       "[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=ignore\n");
	fixture_close(f);
}

static void manager_keeps_the_name_that_a_vlan_stands_on(void **state)
{
	static const char keyfile[] = "[connection]\ntype=ethernet\ninterface-name=ens3\n";
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_manager(keyfile);
	tree_file("/etc/NetworkManager/system-connections/vlan",
		  "[connection]\ntype=vlan\ninterface-name=ens3.7\n\n[vlan]\nid=7\nparent=ens3\n");
	fixture_run(f, &step_network);
	assert_tree_file(LINK_PATH, LINK_FILE);
	assert_tree_file(keyfile_path, keyfile);
	fixture_close(f);
}

static void profiles_for_any_nic_stay(void **state)
{
	static const char keyfile[] = "[connection]\nid=any\ntype=ethernet\n";
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_manager(keyfile);
	fixture_run(f, &step_network);
	assert_tree_file(keyfile_path, keyfile);
	fixture_close(f);
}

static void the_network_is_kept_when_asked(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_KEEP);

	(void)state;
	use_ifupdown(interfaces);
	tree_file("/etc/udev/rules.d/70-persistent-net.rules", "x\n");
	fixture_plan(f, &step_network);
	assert_int_equal(f->changes.count, 0);
	assert_true(fixture_warned(f, "ens3 is not among this machine's NICs"));
	fixture_close(f);
}

static void a_machine_without_known_nics_is_warned_about(void **state)
{
	struct fixture *f = fixture_open();

	(void)state;
	use_ifupdown(interfaces);
	fixture_plan(f, &step_network);
	assert_int_equal(f->changes.count, 0);
	assert_true(fixture_warned(f, "no wired NIC of the machine is known"));
	fixture_close(f);
}

static void configuration_that_is_not_supported_is_warned_about(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	tree_file("/etc/netplan/01-netcfg.yaml", "network:\n");
	tree_file("/etc/sysconfig/network-scripts/ifcfg-lo", "");
	tree_file("/etc/sysconfig/network/ifcfg-eth0", "");
	tree_program("/usr/bin/cloud-init", "");
	fixture_run(f, &step_network);
	assert_true(fixture_warned(f, "/etc/netplan/01-netcfg.yaml is left as it is: v2p does not "
				      "rewrite netplan configuration yet"));
	assert_true(fixture_warned(f, "/etc/sysconfig/network/ifcfg-eth0"));
	assert_false(fixture_warned(f, "ifcfg-lo"));
	assert_true(fixture_warned(f, "cloud-init is installed"));
	assert_tree_file("/etc/cloud/cloud.cfg.d/99-v2p-network.cfg",
			 "network: {config: disabled}\n");
	fixture_close(f);
}

static void names_that_are_no_names_are_ignored(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_MAP);

	(void)state;
	use_ifupdown("iface ../../../etc/x inet dhcp\niface averyverylongname0 inet dhcp\n");
	fixture_plan(f, &step_network);
	assert_int_equal(f->changes.count, 0);
	fixture_close(f);
}

static void interfaces_that_are_not_understood_are_left_alone(void **state)
{
	struct fixture *f = open_with_nic(NETWORK_DHCP);

	(void)state;
	use_ifupdown("auto ens3\niface ens3 inet\n");
	fixture_plan(f, &step_network);
	assert_true(fixture_warned(f, "/etc/network/interfaces is left as it is: line 2"));
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(ifupdown_keeps_the_name_by_a_link_file),
		step_test(ifupdown_does_not_wait_for_a_nic_that_is_gone),
		step_test(ifupdown_goes_to_dhcp),
		step_test(ifupdown_takes_second_addresses_away),
		step_test(ifupdown_gives_dhcp_to_a_bridge_and_not_its_port),
		step_test(ifupdown_gives_dhcp_to_new_nics_that_have_a_link),
		step_test(nics_are_mapped_in_order_link_first),
		step_test(the_guests_own_link_file_gets_the_new_mac),
		step_test(stale_rules_are_removed),
		step_test(networkd_matches_the_new_mac),
		step_test(networkd_keeps_patterns_that_fit_and_bridges),
		step_test(networkd_does_not_wait_for_a_nic_without_a_link),
		step_test(networkd_gets_a_dhcp_file_in_front),
		step_test(manager_profiles_are_bound_to_the_new_mac),
		step_test(manager_profiles_without_a_section_get_one),
		step_test(manager_profiles_go_to_dhcp),
		step_test(manager_keeps_the_name_that_a_vlan_stands_on),
		step_test(profiles_for_any_nic_stay),
		step_test(the_network_is_kept_when_asked),
		step_test(a_machine_without_known_nics_is_warned_about),
		step_test(configuration_that_is_not_supported_is_warned_about),
		step_test(names_that_are_no_names_are_ignored),
		step_test(interfaces_that_are_not_understood_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
