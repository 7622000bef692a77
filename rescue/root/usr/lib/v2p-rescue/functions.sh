# shellcheck shell=bash
# Sourced by the scripts of the rescue system.

run=/run/v2p
# Everything that v2p-start has to say; each console shows it, at its own speed.
# shellcheck disable=SC2034
screen=$run/screen.log

# option NAME: prints the value of NAME=VALUE on the kernel command line (the last one counts);
# status 1 when it is not there. A bare NAME has an empty value.
option() {
	local word value found=1
	local words
	read -r -a words </proc/cmdline
	for word in "${words[@]}"; do
		case $word in
		"$1") value='' found=0 ;;
		"$1="*) value=${word#*=} found=0 ;;
		esac
	done
	[[ $found == 0 ]] && printf '%s\n' "$value"
	return "$found"
}

# consoles: the terminals that show what happens: the screen, the serial consoles named on the
# kernel command line that the kernel found, and the first serial port if there is one.
consoles() {
	local tty
	[[ -c /dev/tty1 ]] && echo tty1
	for tty in $(</sys/class/tty/console/active); do
		[[ $tty == tty[0-9]* ]] || echo "$tty"
	done
	[[ " $(</sys/class/tty/console/active) " == *' ttyS0 '* ]] && return
	# Type 0 is a port that the driver keeps a place for, without a chip behind it.
	[[ $(cat /sys/class/tty/ttyS0/type 2>/dev/null || echo 0) == 0 ]] && return
	# Without carrier detection off, opening a port that nobody listens to would block.
	stty -F /dev/ttyS0 115200 clocal -crtscts 2>/dev/null && echo ttyS0
}

# wait_until SECONDS COMMAND…: runs COMMAND until it succeeds, for SECONDS at most.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		udevadm settle --timeout=5
		sleep 0.2
	done
}
