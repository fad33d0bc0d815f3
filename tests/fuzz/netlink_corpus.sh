#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: netlink_corpus.sh NETLINK_CORPUS FILE.xz: run what the file holds.
xz -dc "$2" | "$1"
