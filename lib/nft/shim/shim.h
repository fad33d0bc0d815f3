/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * libmnl's sockets for programs that shall talk to shuntd in place of the
 * kernel: the NETLINK_NETFILTER and NETLINK_ROUTE sockets that mnl_socket_open()
 * makes are unix sockets of the daemon (nft_frame.h); all others are libmnl's.
 *
 * The shim replaces symbols: preloaded into stock programs (libshunt-nft.so), or
 * linked whole into one of our own. It covers mnl_socket_*, sendmsg, select and
 * poll on such a socket; epoll works as long as the program reads until EAGAIN.
 * Programs started by execve() from a preloaded one are preloaded as well.
 * A socket belongs to one thread at a time; different ones may be used at once.
 */
#ifndef SHUNT_NFT_SHIM_H
#define SHUNT_NFT_SHIM_H

/**
 * Where the sockets that are opened from now on connect to. Without a call it is
 * $SHUNT_NFT_SOCKET or else NFT_SOCKET_DEFAULT. Before threads are started.
 * @param path copied; NULL takes a former call back
 */
void shim_set_socket(const char *path);

#endif
