/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What the files that replace symbols share.
 */
#ifndef SHUNT_NFT_SHIM_PRIV_H
#define SHUNT_NFT_SHIM_PRIV_H

#include <errno.h>
#include <stdatomic.h>

#include "shim_link.h"

#define REPLACES __attribute__((visibility("default")))

/** Connect to the daemon and be found by shim_of_fd(). @return NULL with errno */
struct shim_link *shim_take(int protocol, int flags);

/** Close it; nobody finds it any more. */
void shim_drop(struct shim_link *link);

/** The link of a descriptor, or NULL: it is none of ours. Any thread. */
struct shim_link *shim_of_fd(int fd);

/** The replaced function, or NULL. */
void *shim_real(const char *name, const char *library);

#define REAL(fn, library)                                                                          \
	({                                                                                         \
		static _Atomic(__typeof__(&(fn))) found_;                                          \
		__typeof__(&(fn)) real_ = atomic_load_explicit(&found_, memory_order_relaxed);     \
		if (real_ == NULL) {                                                               \
			real_ = (__typeof__(&(fn)))shim_real(#fn, library);                        \
			atomic_store_explicit(&found_, real_, memory_order_relaxed);               \
		}                                                                                  \
		real_;                                                                             \
	})
#define REAL_MNL(fn) REAL(fn, "libmnl.so.0")
#define REAL_C(fn)   REAL(fn, "libc.so.6")

/* Call it, or give `none` with ENOSYS if there is none. */
#define PASS(real, none, ...)                                                                      \
	({                                                                                         \
		__typeof__(real) pass_ = (real);                                                   \
		if (pass_ == NULL)                                                                 \
			errno = ENOSYS;                                                            \
		pass_ != NULL ? pass_(__VA_ARGS__) : (none);                                       \
	})

#endif
