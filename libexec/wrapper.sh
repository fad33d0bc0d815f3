#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run the stock program of this script's name on shuntd: put this folder before
# others in PATH. SHUNT_NFT_SOCKET says where shuntd listens, else
# /run/shunt/nft.sock; SHUNT_NFT_LIBRARY, where the library is, if not where it was
# installed or built.
name=${0##*/}
here=$(cd "$(dirname "$0")" && pwd)

library=$SHUNT_NFT_LIBRARY
for candidate in "$here/../lib/nft/shim/libshunt-nft.so" "@LIBDIR@/libshunt-nft.so"; do
	[ -n "$library" ] || [ ! -r "$candidate" ] || library=$candidate
done
# Without it the program would change the kernel's rules.
if [ ! -r "$library" ]; then
	echo "$name: libshunt-nft.so is not there: set SHUNT_NFT_LIBRARY" >&2
	exit 127
fi

# iptables-legacy speaks another language, to the kernel alone.
case $name in
iptables | ip6tables) program=$name-nft ;;
iptables-save | iptables-restore) program=iptables-nft${name#iptables} ;;
ip6tables-save | ip6tables-restore) program=ip6tables-nft${name#ip6tables} ;;
*) program=$name ;;
esac

IFS=:
for folder in $PATH /usr/sbin /sbin; do
	[ "$(cd "$folder" 2> /dev/null && pwd)" != "$here" ] || continue
	[ -x "$folder/$program" ] || continue
	unset IFS
	LD_PRELOAD=$library${LD_PRELOAD:+:$LD_PRELOAD} exec "$folder/$program" "$@"
done
echo "$name: $program is not installed" >&2
exit 127
