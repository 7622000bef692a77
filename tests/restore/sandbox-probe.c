// SPDX-License-Identifier: GPL-3.0-or-later
/* A program that tries to get out of qemu_nbd's sandbox. stderr gets what it reached; "kept in"
 * when nothing. argv: --die ends it at once, with a complaint. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int reached;

static void check(int condition, const char *what)
{
	if (!condition)
		return;
	fprintf(stderr, "reached: %s; ", what);
	reached++;
}

static void try_descriptors(void)
{
	for (int fd = 4; fd < 64; fd++)
		check(fcntl(fd, F_GETFD) >= 0, "a descriptor of v2p");
}

/* Everything but what may be there. */
static void look_around(void)
{
	static const char *const known[] = {".",   "..",  "image", "lib",    "lib64",
					    "usr", "etc", "dev",   "program"};
	DIR *root = opendir("/");
	const struct dirent *entry;

	while (root && (entry = readdir(root))) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], entry->d_name) != 0)
			i++;
		check(i == sizeof(known) / sizeof(known[0]), entry->d_name);
	}
	check(!root, "no root directory");
	if (root)
		closedir(root);
}

static void try_files(void)
{
	static const char *const hidden[] = {
		"/etc/shadow", "/etc/passwd", "/proc/self/status",
		"/sys/class",  "/dev/zero",   "/image/other",
		"/root",       "/tmp",
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		check(access(hidden[i], F_OK) == 0, hidden[i]);
	check(open("/image/image", O_RDONLY) < 0, "no image");
	check(open("/image/image", O_WRONLY) >= 0, "the image, for writing");
	check(open("/image/new", O_WRONLY | O_CREAT, 0600) >= 0, "a new file beside the image");
	check(open("/new", O_WRONLY | O_CREAT, 0600) >= 0, "a new file");
	check(mknod("/tmp-device", S_IFCHR | 0600, 0) == 0, "a device");
}

static void try_kernel(void)
{
	struct rlimit memory = {0};

	check(socket(AF_INET, SOCK_STREAM, 0) >= 0, "a socket of the Internet");
	check(socket(AF_UNIX, SOCK_STREAM, 0) >= 0, "a local socket");
	check(mount("x", "/image", "tmpfs", 0, NULL) == 0, "mount");
	check(chroot("/image") == 0, "chroot");
	check(getpid() != 1, "processes of others");
	/* v2p's own. */
	check(kill(-1, 0) == 0, "another process, by a signal");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1, "new privileges");
	check(prctl(PR_CAPBSET_READ, 21) == 1, "CAP_SYS_ADMIN");
	check(getrlimit(RLIMIT_AS, &memory) < 0 || memory.rlim_cur > 2ULL << 30, "all memory");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--die") == 0) {
		fprintf(stderr, "out of sorts\nsecond line\n");
		return 1;
	}
	check(getenv("HOME") != NULL, "the environment");
	try_descriptors();
	look_around();
	try_files();
	try_kernel();
	fprintf(stderr, "%s as user %u\n", reached ? "" : "kept in", getuid());
	return reached > 0;
}
