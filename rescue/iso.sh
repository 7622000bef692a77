# shellcheck shell=bash
# Sourced by build-medium: one ISO image that starts from CD and from USB sticks, on BIOS machines
# and on UEFI machines with Secure Boot on or off.

# iso_grub_bios BASE ISO: GRUB for BIOS: a boot image for CD, and the modules it loads.
iso_grub_bios() {
	local modules=$1/loaders/i386-pc folder=$2/boot/grub/i386-pc
	mkdir -p "$folder"
	grub-mkimage --directory "$modules" --format i386-pc --prefix /boot/grub \
		--output "$work/core.img" biosdisk iso9660 part_msdos part_gpt search
	cat "$modules/cdboot.img" "$work/core.img" >"$folder/eltorito.img"
	cp "$modules"/*.mod "$modules"/*.lst "$folder/"
}

# iso_grub_efi BASE FILE ID: the EFI system partition. GRUB signed by Debian reads the configuration
# beside it, which finds the medium by a file name that no other medium has.
iso_grub_efi() {
	local image=$2
	printf '%s\n' "search --no-floppy --set=root --file /v2p-rescue/$3" \
		"set prefix=(\$root)/boot/grub" "source \$prefix/grub.cfg" >"$work/efi.cfg"
	touch -d "@$SOURCE_DATE_EPOCH" "$work/efi.cfg" "$1"/loaders/*.efi
	truncate -s 6M "$image"
	mkfs.vfat -F 12 -n V2P-EFI -i 56325052 --invariant "$image" >/dev/null
	mmd -i "$image" ::/EFI ::/EFI/BOOT ::/boot ::/boot/grub
	mcopy -m -i "$image" "$1/loaders/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
	mcopy -m -i "$image" "$1/loaders/grubx64.efi" ::/EFI/BOOT/grubx64.efi
	mcopy -m -i "$image" "$work/efi.cfg" ::/boot/grub/grub.cfg
}

# iso_make BASE OUTPUT WORK: OUTPUT/v2p-rescue.iso from OUTPUT/vmlinuz and OUTPUT/initrd.img.
iso_make() {
	local base=$1 output=$2 work=$3 tree=$3/iso id here
	here=$(dirname "${BASH_SOURCE[0]}")
	# FAT counts from 1980; mtools and xorriso both take their dates from here.
	local -x SOURCE_DATE_EPOCH=315532800
	id=$(cat "$output/vmlinuz" "$output/initrd.img" "$here/grub.cfg" | sha256sum | head -c 16)
	mkdir -p "$tree/boot/grub" "$tree/v2p-rescue"
	echo "$id" >"$tree/v2p-rescue/$id"
	cp "$here/grub.cfg" "$tree/boot/grub/"
	cp "$output/vmlinuz" "$output/initrd.img" "$tree/v2p-rescue/"
	iso_grub_bios "$base" "$tree"
	iso_grub_efi "$base" "$work/efi.img" "$id"
	find "$tree" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	# As a stick, the image has a partition table whose first partition is the ISO file system
	# (it starts at sector 64, hence the offset) and whose second is the EFI system partition.
	xorriso -report_about SORRY -as mkisofs -r -V V2P-RESCUE \
		-o "$output/v2p-rescue.iso.part" \
		--grub2-mbr "$base/loaders/i386-pc/boot_hybrid.img" \
		-partition_offset 16 --mbr-force-bootable \
		-append_partition 2 0xef "$work/efi.img" -appended_part_as_gpt \
		-c boot.catalog \
		-b boot/grub/i386-pc/eltorito.img -no-emul-boot -boot-load-size 4 \
		-boot-info-table --grub2-boot-info \
		-eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot \
		"$tree"
	mv "$output/v2p-rescue.iso.part" "$output/v2p-rescue.iso"
}
