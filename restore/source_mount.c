// SPDX-License-Identifier: GPL-3.0-or-later
#define FUSE_USE_VERSION 312
#include "restore/source_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/number.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source_mount_keeper.h"
#include "restore/source_overlay.h"

enum {
	THREADS = 4,           /* reads of the kernel that are under way at once */
	READ_LIMIT = 1 << 20,  /* bytes of one read: FUSE_MAX_MAX_PAGES of 4 KiB */
	FIRST_FILE = 2,        /* inode numbers; FUSE_ROOT_ID is 1 */
	FOREVER = 365 * 86400, /* seconds that the kernel may remember names and sizes */
};

struct file {
	char *name;
	struct used_segment *segment;
	size_t segments;
	uint64_t size;
};

struct source_mount {
	struct source *source;
	struct source_overlay overlay;
	struct file *file;
	size_t count;
	/* directory holds the other two; NULL: not made. */
	char *directory, *image, *room;
	bool is_mounted;
	struct fuse_session *session;
	struct source_mount_keeper keeper;
	pthread_t thread[THREADS];
	size_t threads;
	pthread_mutex_t lock;
	struct error damage; /* under lock: why the first read that failed did */
};

static const struct file *file_of(const struct source_mount *mount, fuse_ino_t inode)
{
	return inode >= FIRST_FILE && inode - FIRST_FILE < mount->count
		       ? &mount->file[inode - FIRST_FILE]
		       : NULL;
}

static bool describe(const struct source_mount *mount, fuse_ino_t inode, struct stat *out)
{
	const struct file *file = file_of(mount, inode);

	*out = (struct stat){.st_ino = inode, .st_nlink = 1, .st_mode = S_IFDIR | 0500};
	if (inode == FUSE_ROOT_ID)
		return true;
	if (!file)
		return false;
	out->st_mode = S_IFREG | 0600;
	out->st_size = (off_t)file->size;
	return true;
}

static void op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	const struct source_mount *mount = fuse_req_userdata(request);
	struct fuse_entry_param entry = {.attr_timeout = FOREVER, .entry_timeout = FOREVER};

	for (size_t i = 0; parent == FUSE_ROOT_ID && i < mount->count; i++) {
		if (strcmp(mount->file[i].name, name) != 0)
			continue;
		entry.ino = FIRST_FILE + i;
		describe(mount, entry.ino, &entry.attr);
		fuse_reply_entry(request, &entry);
		return;
	}
	fuse_reply_err(request, ENOENT);
}

static void op_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat st;

	(void)info;
	if (describe(fuse_req_userdata(request), inode, &st))
		fuse_reply_attr(request, &st, FOREVER);
	else
		fuse_reply_err(request, ENOENT);
}

static void op_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	if (!file_of(fuse_req_userdata(request), inode)) {
		fuse_reply_err(request, EISDIR);
		return;
	}
	/* Nobody else changes it: what one loop device has read, another need not. */
	info->keep_cache = 1;
	fuse_reply_open(request, info);
}

/* Where in the image a place of the file is, and how much of length follows it there. */
static struct used_segment locate(const struct file *file, uint64_t offset, size_t length)
{
	for (size_t i = 0; i < file->segments; i++) {
		const struct used_segment *segment = &file->segment[i];

		if (offset < segment->length)
			return (struct used_segment){
				.offset = segment->offset + offset,
				.length = smaller(length, segment->length - offset),
			};
		offset -= segment->length;
	}
	return (struct used_segment){0};
}

static int read_file(struct source_mount *mount, const struct file *file, uint8_t *data,
		     size_t length, uint64_t offset, struct error *err)
{
	for (size_t done = 0; done < length;) {
		struct used_segment at = locate(file, offset + done, length - done);

		if (source_overlay_read(&mount->overlay, data + done, at.length, at.offset, err) <
		    0)
			return -1;
		done += at.length;
	}
	return 0;
}

static int write_file(struct source_mount *mount, const struct file *file, const uint8_t *data,
		      size_t length, uint64_t offset, struct error *err)
{
	for (size_t done = 0; done < length;) {
		struct used_segment at = locate(file, offset + done, length - done);

		if (source_overlay_write(&mount->overlay, data + done, at.length, at.offset, err) <
		    0)
			return -1;
		done += at.length;
	}
	return 0;
}

static void keep_first(struct source_mount *mount, struct error *damage)
{
	pthread_mutex_lock(&mount->lock);
	if (!mount->damage.text)
		error_move(&mount->damage, damage);
	pthread_mutex_unlock(&mount->lock);
}

static void op_read(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset,
		    struct fuse_file_info *info)
{
	struct source_mount *mount = fuse_req_userdata(request);
	const struct file *file = file_of(mount, inode);
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ uint8_t *data = NULL;

	(void)info;
	if (!file || offset < 0) {
		fuse_reply_err(request, EINVAL);
		return;
	}
	if ((uint64_t)offset >= file->size)
		length = 0;
	else if (length > file->size - (uint64_t)offset)
		length = file->size - (uint64_t)offset;
	if (length > READ_LIMIT)
		length = READ_LIMIT;
	data = malloc(length + 1);
	if (!data)
		abort();
	if (read_file(mount, file, data, length, (uint64_t)offset, &err) == 0) {
		fuse_reply_buf(request, (const char *)data, length);
		return;
	}
	keep_first(mount, &err);
	fuse_reply_err(request, EIO);
}

static void op_write(fuse_req_t request, fuse_ino_t inode, const char *data, size_t length,
		     off_t offset, struct fuse_file_info *info)
{
	struct source_mount *mount = fuse_req_userdata(request);
	const struct file *file = file_of(mount, inode);
	_cleanup_error_ struct error err = {0};

	(void)info;
	if (!file || offset < 0 || (uint64_t)offset > file->size ||
	    length > file->size - (uint64_t)offset) {
		fuse_reply_err(request, EFBIG);
		return;
	}
	if (write_file(mount, file, (const uint8_t *)data, length, (uint64_t)offset, &err) == 0) {
		fuse_reply_write(request, length);
		return;
	}
	keep_first(mount, &err);
	fuse_reply_err(request, EIO);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
};

/* libfuse prints to standard error; what matters comes back as a value, too. */
__attribute__((format(printf, 2, 0))) static void say_nothing(enum fuse_log_level level,
							      const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
}

/* One request: 1, 0 when the mount is gone, or -1. */
static int serve_one(struct fuse_session *session, struct fuse_buf *buffer, struct error *err)
{
	int r;

	do
		r = fuse_session_receive_buf(session, buffer);
	while (r == -EINTR);
	if (r > 0)
		fuse_session_process_buf(session, buffer);
	if (fuse_session_exited(session))
		return 0;
	return r > 0 ? 1 : error_sys(err, -r, "receive the kernel's requests");
}

/* Whoever waits for an answer must not wait for ever, whatever happens here. */
static void *serve(void *context)
{
	struct source_mount *mount = context;
	_cleanup_error_ struct error err = {0};
	struct fuse_buf buffer = {0};
	int r;

	while ((r = serve_one(mount->session, &buffer, &err)) > 0)
		;
	if (r < 0) {
		keep_first(mount, &err);
		umount2(mount->image, MNT_FORCE | MNT_DETACH);
	}
	free(buffer.mem);
	return NULL;
}

/* The first request of every mount. It is answered before there is a second thread. */
static int negotiate(struct source_mount *mount, struct error *err)
{
	struct fuse_buf buffer = {0};
	int r = serve_one(mount->session, &buffer, err);

	free(buffer.mem);
	if (r == 0)
		return error_set(err, "the kernel's FUSE and libfuse do not understand each other");
	return r < 0 ? -1 : 0;
}

/* libfuse complains on standard error of what the end of a mount by force looks like, unless it
 * looks like an ordinary end. */
static ssize_t read_request(int fd, void *buffer, size_t length, void *context)
{
	ssize_t r = read(fd, buffer, length);

	(void)context;
	if (r < 0 && errno == ECONNABORTED)
		errno = ENODEV;
	return r;
}

static ssize_t write_reply(int fd, struct iovec *part, int count, void *context)
{
	ssize_t r = writev(fd, part, count);

	(void)context;
	if (r < 0 && (errno == ECONNABORTED || errno == ENODEV))
		errno = ENOENT;
	return r;
}

/* The session takes fd. */
static int start_session(struct source_mount *mount, int *fd, struct error *err)
{
	static const struct fuse_custom_io io = {.read = read_request, .writev = write_reply};
	char name[] = "v2p", *argv[] = {name, NULL};
	struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
	int r;

	fuse_set_log_func(say_nothing);
	mount->session = fuse_session_new(&arguments, &operations, sizeof(operations), mount);
	fuse_opt_free_args(&arguments);
	if (!mount->session)
		return error_set(err, "start libfuse: out of memory");
	r = fuse_session_custom_io(mount->session, &io, *fd);
	if (r < 0)
		return error_sys(err, -r, "start libfuse");
	steal_fd(fd);
	return 0;
}

static int make_directories(struct source_mount *mount, struct error *err)
{
	char directory[] = "/run/v2p-image-XXXXXX";

	if (!mkdtemp(directory))
		return error_sys(err, errno, "make a mount point in /run");
	mount->directory = string_copy(directory);
	mount->image = string_format("%s/image", directory);
	mount->room = string_format("%s/root", directory);
	if (mkdir(mount->image, 0700) < 0 || mkdir(mount->room, 0700) < 0)
		return error_sys(err, errno, "make a mount point in %s", directory);
	return 0;
}

static int mount_fuse(struct source_mount *files, struct error *err)
{
	const unsigned long flags = MS_NODEV | MS_NOSUID | MS_NOEXEC;
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[96];

	if (fd < 0)
		return error_sys(err, errno,
				 "open /dev/fuse (reading inside an image takes the kernel's "
				 "module fuse)");
	if (make_directories(files, err) < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("v2p", files->image, "fuse.v2p", flags, options) < 0)
		return error_sys(err, errno, "mount FUSE on %s", files->image);
	files->is_mounted = true;
	if (start_session(files, &fd, err) < 0)
		return -1;
	return negotiate(files, err);
}

/* Signals are for the threads of who called. */
static int start_threads(struct source_mount *mount, struct error *err)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (r == 0 && mount->threads < THREADS) {
		r = pthread_create(&mount->thread[mount->threads], NULL, serve, mount);
		mount->threads += r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 ? 0 : error_sys(err, r, "start a thread");
}

static int start_keeper(struct source_mount *mount, struct error *err)
{
	/* What waits for the image ends when that does: it comes first. */
	const char *const places[] = {mount->image, mount->room, mount->directory, NULL};

	return source_mount_keeper_start(places, &mount->keeper, err);
}

struct source_mount *source_mount_new(struct source *source)
{
	const struct used_segment whole = {.length = source->size};
	struct source_mount *mount = calloc(1, sizeof(*mount));

	if (!mount)
		abort();
	mount->source = source;
	mount->overlay.fd = -1;
	pthread_mutex_init(&mount->lock, NULL);
	source_mount_add(mount, SOURCE_MOUNT_DISK, &whole, 1);
	return mount;
}

void source_mount_add(struct source_mount *mount, const char *name,
		      const struct used_segment *segment, size_t segments)
{
	struct file file = {.name = string_copy(name), .segments = segments};

	mount->file = reallocarray(mount->file, mount->count + 1, sizeof(*mount->file));
	file.segment = calloc(segments, sizeof(*segment));
	if (!mount->file || (!file.segment && segments))
		abort();
	for (size_t i = 0; i < segments; i++) {
		file.segment[i] = segment[i];
		file.size += segment[i].length;
	}
	mount->file[mount->count++] = file;
}

int source_mount_start(struct source_mount *mount, struct error *err)
{
	if (source_overlay_open(mount->source, &mount->overlay, err) < 0 ||
	    mount_fuse(mount, err) < 0 || start_keeper(mount, err) < 0 ||
	    start_threads(mount, err) < 0)
		return error_in(err, "show %s as a file", mount->source->name);
	return 0;
}

char *source_mount_path(const struct source_mount *mount, const char *name)
{
	return string_format("%s/%s", mount->image, name);
}

const char *source_mount_room(const struct source_mount *mount)
{
	return mount->room;
}

int source_mount_check(struct source_mount *mount, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&mount->lock);
	if (mount->damage.text)
		r = error_set(err, "%s", error_text(&mount->damage));
	pthread_mutex_unlock(&mount->lock);
	return r;
}

static void remove_directories(struct source_mount *mount)
{
	char *const places[] = {mount->image, mount->room, mount->directory};

	for (size_t i = 0; i < array_length(places); i++) {
		if (places[i])
			rmdir(places[i]);
		free(places[i]);
	}
}

/* Forced: the threads end now, whoever still has a file open. */
void source_mount_close(struct source_mount *mount)
{
	if (!mount)
		return;
	if (mount->is_mounted)
		umount2(mount->image, MNT_FORCE | MNT_DETACH);
	for (size_t i = 0; i < mount->threads; i++)
		pthread_join(mount->thread[i], NULL);
	source_mount_keeper_stop(&mount->keeper);
	if (mount->session)
		fuse_session_destroy(mount->session);
	source_overlay_close(&mount->overlay);
	remove_directories(mount);
	for (size_t i = 0; i < mount->count; i++) {
		free(mount->file[i].name);
		free(mount->file[i].segment);
	}
	free(mount->file);
	error_release(&mount->damage);
	pthread_mutex_destroy(&mount->lock);
	free(mount);
}
