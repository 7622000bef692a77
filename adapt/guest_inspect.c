// SPDX-License-Identifier: GPL-3.0-or-later
/* What a tree says about itself: system, kernels, architecture. Every word of it is untrusted. */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "adapt/guest_private.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	OS_RELEASE_VALUE_LIMIT = 256, /* shown to people and put into boot entries */
	KERNEL_LIMIT = 64,
};

/* Where distributions keep kernels and initramfs: %s is the release (or the package's base name,
 * for Arch). */
static const char *const image_names[] = {
	"/boot/vmlinuz-%s",
	"/boot/vmlinux-%s",
	"/boot/kernel-%s",
	"/boot/Image-%s",
	"/usr/lib/modules/%s/vmlinuz",
	"/lib/modules/%s/vmlinuz",
};
static const char *const initramfs_names[] = {
	"/boot/initrd.img-%s",
	"/boot/initramfs-%s.img",
	"/boot/initrd-%s",
	"/boot/initramfs-%s",
};

static const struct {
	const char *program;
	enum initramfs_tool tool;
	const char *name;
} initramfs_tools[] = {
	{"mkinitramfs", INITRAMFS_TOOLS, "initramfs-tools"},
	{"dracut", INITRAMFS_DRACUT, "dracut"},
	{"mkinitcpio", INITRAMFS_MKINITCPIO, "mkinitcpio"},
	/* Last: where dracut took its place, mkinitrd is a wrapper of it. */
	{"mkinitrd", INITRAMFS_MKINITRD, "mkinitrd"},
};

static const struct {
	uint16_t machine;
	const char *name; /* as uname -m */
} architectures[] = {
	{EM_X86_64, "x86_64"},   {EM_386, "i686"},
	{EM_AARCH64, "aarch64"}, {EM_ARM, "arm"},
	{EM_PPC64, "ppc64le"},   {EM_S390, "s390x"},
	{EM_RISCV, "riscv64"},   {EM_LOONGARCH, "loongarch64"},
};

/* A value may be quoted, with backslashes before special characters (os-release(5)). Control
 * characters are left out: the value is printed on terminals. */
static char *unquote(const char *value)
{
	char *out = string_copy(value), *to = out;
	char quote = *value == '"' || *value == '\'' ? *value++ : '\0';

	while (*value && *value != quote && to - out < OS_RELEASE_VALUE_LIMIT) {
		if (*value == '\\' && quote != '\'' && value[1])
			value++;
		if ((unsigned char)*value >= ' ' && *value != 0x7f)
			*to++ = *value;
		value++;
	}
	*to = '\0';
	return out;
}

static char *release_value(const struct strings *lines, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < lines->count; i++) {
		const char *line = lines->item[i];

		if (strncmp(line, name, length) == 0 && line[length] == '=')
			return unquote(line + length + 1);
	}
	return string_copy("");
}

static int read_os_release(struct guest *guest, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings lines = {0};
	int r = guest_read(guest, "/etc/os-release", &content, err);

	if (r == 0)
		r = guest_read(guest, "/usr/lib/os-release", &content, err);
	if (r < 0)
		return -1;
	strings_split(&lines, text_string(&content), "\r\n");
	guest->os_id = release_value(&lines, "ID");
	guest->os_id_like = release_value(&lines, "ID_LIKE");
	guest->os_version = release_value(&lines, "VERSION_ID");
	guest->os_name = release_value(&lines, "PRETTY_NAME");
	if (!*guest->os_name) {
		free(guest->os_name);
		guest->os_name = release_value(&lines, "NAME");
	}
	return 0;
}

static void read_hostname(struct guest *guest)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings lines = {0};

	guest->hostname = string_copy("");
	if (guest_read(guest, "/etc/hostname", &content, NULL) <= 0)
		return;
	strings_split(&lines, text_string(&content), "\r\n");
	for (size_t i = 0; i < lines.count; i++) {
		char *line = string_trim(lines.item[i]);

		if (!*line || *line == '#')
			continue;
		free(guest->hostname);
		guest->hostname = unquote(line);
		return;
	}
}

static const char *machine_name(const Elf64_Ehdr *header)
{
	uint16_t machine;

	/* e_machine lies at the same offset in 32-bit and 64-bit headers. */
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return "";
	machine = header->e_ident[EI_DATA] == ELFDATA2MSB ? be16toh(header->e_machine)
							  : le16toh(header->e_machine);
	for (size_t i = 0; i < array_length(architectures); i++)
		if (architectures[i].machine == machine)
			return architectures[i].name;
	return "";
}

static void read_architecture(struct guest *guest)
{
	_cleanup_close_ int fd = guest_open_file(guest, "/bin/sh", 0, NULL);
	Elf64_Ehdr header = {0};

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) < (ssize_t)sizeof(Elf32_Ehdr))
		memset(&header, 0, sizeof(header));
	guest->architecture = string_copy(machine_name(&header));
}

/* A release becomes part of paths and arguments: anything unusual in it is no kernel of ours. */
static bool is_release(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._+~-";

	return *name >= '0' && *name <= '9' && strspn(name, allowed) == strlen(name) &&
	       strlen(name) < 128;
}

static char *find_file(const struct guest *guest, const char *const *names, size_t count,
		       const char *release)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_text_ struct text path = {0};
		const char *mark = strstr(names[i], "%s");
		struct stat st;

		text_add_bytes(&path, names[i], (size_t)(mark - names[i]));
		text_add(&path, release);
		text_add(&path, mark + 2);
		if (guest_stat(guest, text_string(&path), 1, &st) == 0 && S_ISREG(st.st_mode))
			return text_take(&path);
	}
	return NULL;
}

/* Arch names the files in /boot after the package: "linux" for 6.9.1-arch1-1. */
static char *package_base(const struct guest *guest, const char *release)
{
	_cleanup_free_ char *path = string_format("/usr/lib/modules/%s/pkgbase", release);
	_cleanup_text_ struct text content = {0};
	const char *name;

	if (guest_read(guest, path, &content, NULL) <= 0)
		return NULL;
	name = string_trim(content.data);
	return *name && !strchr(name, '/') && strlen(name) < 128 ? string_copy(name) : NULL;
}

static void add_kernel(struct guest *guest, const char *release)
{
	_cleanup_free_ char *base = package_base(guest, release);
	struct guest_kernel kernel = {.release = string_copy(release)};

	kernel.image = find_file(guest, image_names, array_length(image_names), release);
	kernel.initramfs =
		find_file(guest, initramfs_names, array_length(initramfs_names), release);
	if (!kernel.image && base)
		kernel.image = find_file(guest, image_names, array_length(image_names), base);
	if (!kernel.initramfs && base)
		kernel.initramfs =
			find_file(guest, initramfs_names, array_length(initramfs_names), base);
	guest->kernel =
		reallocarray(guest->kernel, guest->kernel_count + 1, sizeof(*guest->kernel));
	if (!guest->kernel)
		abort();
	guest->kernel[guest->kernel_count++] = kernel;
}

static int newest_first(const void *a, const void *b)
{
	return strverscmp(*(char *const *)b, *(char *const *)a);
}

int guest_find_kernels(struct guest *guest, struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	guest_forget_kernels(guest);
	if (guest_list(guest, "/lib/modules", &names, err) < 0)
		return -1;
	if (names.count > 1)
		qsort(names.item, names.count, sizeof(*names.item), newest_first);
	for (size_t i = 0; i < names.count && guest->kernel_count < KERNEL_LIMIT; i++) {
		_cleanup_free_ char *path = string_format("/lib/modules/%s", names.item[i]);
		struct stat st;

		if (is_release(names.item[i]) && guest_stat(guest, path, 1, &st) == 0 &&
		    S_ISDIR(st.st_mode))
			add_kernel(guest, names.item[i]);
	}
	return 0;
}

static void read_initramfs_tool(struct guest *guest)
{
	for (size_t i = 0; i < array_length(initramfs_tools); i++) {
		if (guest_has_program(guest, initramfs_tools[i].program)) {
			guest->initramfs_tool = initramfs_tools[i].tool;
			return;
		}
	}
}

const char *guest_initramfs_tool_name(enum initramfs_tool tool)
{
	for (size_t i = 0; i < array_length(initramfs_tools); i++)
		if (initramfs_tools[i].tool == tool)
			return initramfs_tools[i].name;
	return "none";
}

bool guest_is_of_family(const struct guest *guest, const char *family)
{
	_cleanup_strings_ struct strings words = {0};

	strings_split(&words, guest->os_id ? guest->os_id : "", " ");
	strings_split(&words, guest->os_id_like ? guest->os_id_like : "", " ");
	return strings_has(&words, family);
}

static bool is_there(const struct guest *guest, const char *path)
{
	struct stat st;

	return guest_stat(guest, path, 0, &st) == 0;
}

/* Links are not followed: /usr may be a file system of its own that is not mounted yet. */
bool guest_is_linux(const struct guest *guest)
{
	return (is_there(guest, "/etc/os-release") || is_there(guest, "/usr/lib/os-release")) &&
	       (is_there(guest, "/etc/fstab") || is_there(guest, "/sbin/init") ||
		is_there(guest, "/usr/sbin/init") || is_there(guest, "/usr/lib/systemd/systemd"));
}

bool guest_has_program(const struct guest *guest, const char *name)
{
	static const char *const directories[] = {"/usr/sbin", "/usr/bin",        "/sbin",
						  "/bin",      "/usr/local/sbin", "/usr/local/bin"};

	for (size_t i = 0; i < array_length(directories); i++) {
		_cleanup_free_ char *path = string_format("%s/%s", directories[i], name);
		struct stat st;

		if (guest_stat(guest, path, 1, &st) == 0 && S_ISREG(st.st_mode) &&
		    (st.st_mode & 0111))
			return true;
	}
	return false;
}

int guest_inspect(struct guest *guest, struct error *err)
{
	if (!guest_is_linux(guest))
		return error_set(err, "this is not a Linux system: it has no os-release together "
				      "with an fstab or init; v2p adapts Linux only");
	if (read_os_release(guest, err) < 0)
		return -1;
	read_hostname(guest);
	read_architecture(guest);
	read_initramfs_tool(guest);
	return guest_find_kernels(guest, err);
}
