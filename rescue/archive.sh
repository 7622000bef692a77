# shellcheck shell=bash
# Sourced by the builders: initramfs archives with the same bytes for the same files.

# archive_make DIR: a cpio archive of DIR on stdout; owner root, sorted, time stamps of the epoch.
archive_make() {
	(cd "$1" && find . -mindepth 1 -exec touch -hd @0 {} + &&
		find . -mindepth 1 -printf '%P\0' | sort -z |
		cpio --quiet --null --create --format=newc --reproducible --owner=+0:+0)
}

# archive_compress METHOD: stdin to stdout, in a form that the kernel unpacks.
archive_compress() {
	case $1 in
	lz4) lz4 --quiet -l -9 - - ;;
	zstd) zstd --quiet -T0 -15 --stdout - ;;
	xz) xz --threads=0 --check=crc32 --stdout - ;;
	esac
}
