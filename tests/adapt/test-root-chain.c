// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/root_chain.h"

/* A laptop: NVMe behind VMD, a SATA controller, a stick. */
static const char laptop[] =
	"{\"hardware-version\":2,\"source\":\"laptop\",\"firmware\":{\"mode\":\"uefi\"},"
	"\"devices\":["
	"{\"bus\":\"pci\",\"slot\":\"0000:00:0e.0\",\"modalias\":\"pci:v00008086d00009A0Bsv0sd0"
	"bc01sc04i00\",\"class\":\"010400\",\"vendor\":\"8086\",\"device\":\"9a0b\"},"
	"{\"bus\":\"pci\",\"slot\":\"10000:e0:06.0\",\"modalias\":\"pci:bridge\","
	"\"class\":\"060400\",\"vendor\":\"8086\",\"device\":\"9a09\","
	"\"parent\":\"0000:00:0e.0\"},"
	"{\"bus\":\"pci\",\"slot\":\"10000:e1:00.0\",\"modalias\":\"pci:v0000144Dd0000A808sv0sd0"
	"bc01sc08i02\",\"class\":\"010802\",\"vendor\":\"144d\",\"device\":\"a808\","
	"\"parent\":\"10000:e0:06.0\"},"
	"{\"bus\":\"pci\",\"slot\":\"0000:00:17.0\",\"modalias\":\"pci:v00008086d0000A0D3sv0sd0"
	"bc01sc06i01\",\"class\":\"010601\",\"vendor\":\"8086\",\"device\":\"a0d3\"},"
	"{\"bus\":\"pci\",\"slot\":\"0000:00:14.0\",\"modalias\":\"pci:v00008086d0000A0EDsv0sd0"
	"bc0Csc03i30\",\"class\":\"0c0330\",\"vendor\":\"8086\",\"device\":\"a0ed\"}],"
	"\"network\":[],\"disks\":[";
#define NVME                                                                                       \
	"{\"path\":\"/dev/nvme0n1\",\"name\":\"nvme0n1\",\"size\":1000000000,"                     \
	"\"transport\":\"nvme\",\"removable\":false,\"hangs-on\":\"10000:e1:00.0\"}"
#define STICK                                                                                      \
	"{\"path\":\"/dev/sda\",\"name\":\"sda\",\"size\":1000000000,\"transport\":\"usb\","       \
	"\"removable\":true,\"hangs-on\":\"0000:00:14.0\"}"

struct fixture {
	struct drivers_db *db;
	struct hardware hardware;
	struct guest guest;
	struct root_chain chain;
};

static void fixture_release(struct fixture *fixture)
{
	root_chain_release(&fixture->chain);
	hardware_release(&fixture->hardware);
	drivers_db_free(fixture->db);
	close(fixture->guest.root_fd);
}

static struct fixture fixture_make(const char *disks)
{
	struct fixture fixture = {.guest = {.root_fd = open(tree, O_RDONLY | O_DIRECTORY)}};
	_cleanup_free_ char *json = string_format("%s%s]}", laptop, disks);
	_cleanup_free_ char *path = tree_path("/laptop.json");
	_cleanup_error_ struct error err = {0};

	tree_file("/laptop.json", json);
	if (hardware_read_json(path, &fixture.hardware, &err) < 0 ||
	    drivers_db_load(V2P_SOURCE_DIR "/drivers-db", &fixture.db, &err) < 0)
		fail_msg("%s", error_text(&err));
	return fixture;
}

static void find(struct fixture *fixture)
{
	_cleanup_error_ struct error err = {0};

	if (root_chain_find(fixture->db, &fixture->hardware, &fixture->guest, &fixture->chain,
			    &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* The slots in the chain, in the order of the machine. */
static void assert_slots(struct fixture *fixture, const char *wanted)
{
	_cleanup_strings_ struct strings slots = {0};
	_cleanup_free_ char *all = NULL;

	find(fixture);
	for (size_t i = 0; i < fixture->hardware.device_count; i++)
		if (fixture->chain.is_critical[i])
			strings_add(&slots, fixture->hardware.device[i].slot);
	all = strings_join(&slots, " ");
	assert_string_equal(all, wanted);
}

static const struct root_link *link_of(const struct root_chain *chain, const char *module)
{
	for (size_t i = 0; i < chain->link_count; i++)
		if (strcmp(chain->link[i].module, module) == 0)
			return &chain->link[i];
	return NULL;
}

static void assert_link(const struct fixture *fixture, const char *module, bool is_required,
			const char *why)
{
	const struct root_link *link = link_of(&fixture->chain, module);

	assert_non_null(link);
	assert_int_equal(link->is_required, is_required);
	assert_string_equal(link->why, why);
}

static void the_disk_leads_up_to_the_vmd_domain(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME "," STICK);

	(void)state;
	assert_slots(&fixture, "0000:00:0e.0 10000:e0:06.0 10000:e1:00.0");
	assert_false(fixture.chain.is_way_assumed);
	assert_link(&fixture, "nvme", true, "disks of nvme");
	/* VMD is of the RAID class, but what hangs on it is a controller. */
	assert_null(link_of(&fixture.chain, "sd_mod"));
	assert_null(link_of(&fixture.chain, "usb_storage"));
}

static void a_disk_that_was_chosen_is_the_only_one_that_counts(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME "," STICK);

	(void)state;
	assert_int_equal(
		hardware_follow_disk(&fixture.hardware, &fixture.hardware.disks.item[1], NULL), 0);
	assert_slots(&fixture, "0000:00:14.0");
	assert_link(&fixture, "usb_storage", true, "disks of usb");
	assert_link(&fixture, "uas", false, "disks of usb");
	assert_link(&fixture, "sd_mod", true, "disks of usb");
}

static void without_a_disk_every_storage_controller_counts(void **state)
{
	_cleanup_(fixture_release) struct fixture none = fixture_make("");
	_cleanup_(fixture_release) struct fixture stick = fixture_make(STICK);

	(void)state;
	assert_slots(&none, "0000:00:0e.0 10000:e0:06.0 10000:e1:00.0 0000:00:17.0");
	assert_true(none.chain.is_way_assumed);
	/* A stick is the rescue medium. */
	assert_slots(&stick, "0000:00:0e.0 10000:e0:06.0 10000:e1:00.0 0000:00:17.0");
	assert_true(stick.chain.is_way_assumed);
}

static void fstab_tells_the_file_systems_of_a_tree(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME);

	(void)state;
	tree_file("/etc/fstab", "# / xfs\nUUID=1 / ext3 defaults 0 1\n/dev/sda2 /usr btrfs ro 0 0\n"
				"UUID=3 /home xfs defaults 0 0\nproc /proc proc\n/dev/x /\n");
	find(&fixture);
	assert_link(&fixture, "ext4", true, "file system ext3 of /");
	assert_string_equal(link_of(&fixture.chain, "ext4")->names.item[0], "fs-ext3");
	assert_link(&fixture, "btrfs", true, "file system btrfs of /usr");
	assert_null(link_of(&fixture.chain, "xfs"));
	assert_null(link_of(&fixture.chain, "dm_mod"));
}

static void an_encrypted_volume_needs_dm_crypt(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME);

	(void)state;
	tree_file("/etc/fstab", "/dev/mapper/luks-root / ext4 defaults 0 1\n");
	tree_file("/etc/crypttab", "# x\nluks-root UUID=9 none luks\n");
	find(&fixture);
	assert_link(&fixture, "dm_mod", true, "volume /dev/mapper/luks-root");
	assert_link(&fixture, "dm_crypt", true, "encryption of /dev/mapper/luks-root");
}

static void a_volume_group_may_be_encrypted(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME);

	(void)state;
	tree_file("/etc/fstab", "/dev/vg/root / ext4 defaults 0 1\n");
	tree_file("/etc/crypttab", "pv UUID=9 none luks\n");
	find(&fixture);
	assert_link(&fixture, "dm_mod", true, "volume /dev/vg/root");
	assert_link(&fixture, "dm_crypt", false, "encryption (crypttab)");
}

static void a_raid_needs_the_levels_of_mdadm_conf(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME);

	(void)state;
	tree_file("/etc/fstab", "/dev/md0 / ext4 defaults 0 1\n");
	tree_file("/etc/mdadm/mdadm.conf",
		  "#ARRAY level=raid0\nARRAY /dev/md0 level=raid6 UUID=1\n");
	find(&fixture);
	assert_link(&fixture, "md_mod", true, "software RAID");
	assert_link(&fixture, "raid456", true, "software RAID, level=raid6");
	assert_null(link_of(&fixture.chain, "raid0"));
	assert_null(link_of(&fixture.chain, "dm_mod"));
}

static void mounts_count_before_fstab(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME);
	struct guest_mount mounts[] = {{.device = (char *)"/dev/loop3",
					.volume = (char *)"vg/root",
					.where = (char *)"/",
					.filesystem = (char *)"xfs"}};

	(void)state;
	fixture.guest.mount = mounts;
	fixture.guest.mount_count = 1;
	find(&fixture);
	assert_link(&fixture, "xfs", true, "file system xfs of /");
	assert_link(&fixture, "dm_mod", true, "volume vg/root");
	assert_null(link_of(&fixture.chain, "ext4"));
}

static void what_fstab_says_cannot_write_to_the_terminal(void **state)
{
	_cleanup_(fixture_release) struct fixture fixture = fixture_make(NVME);

	(void)state;
	tree_file("/etc/fstab", "/dev/mapper/\033[2J / ext4 defaults 0 1\n");
	find(&fixture);
	assert_link(&fixture, "dm_mod", true, "volume /dev/mapper/?[2J");
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(the_disk_leads_up_to_the_vmd_domain),
		tree_test(a_disk_that_was_chosen_is_the_only_one_that_counts),
		tree_test(without_a_disk_every_storage_controller_counts),
		tree_test(fstab_tells_the_file_systems_of_a_tree),
		tree_test(an_encrypted_volume_needs_dm_crypt),
		tree_test(a_volume_group_may_be_encrypted),
		tree_test(a_raid_needs_the_levels_of_mdadm_conf),
		tree_test(mounts_count_before_fstab),
		tree_test(what_fstab_says_cannot_write_to_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
