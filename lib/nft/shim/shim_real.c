/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>

#include "shim_priv.h"

/*
 * The replaced function. RTLD_NEXT doesn't find it if the library that we stand
 * before was loaded RTLD_LOCAL, as python's ctypes does.
 */
void *
shim_real(const char *name, const char *library)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	void *handle;

	if (symbol != NULL)
		return symbol;
	/* Loaded already as a rule; not if a program that links us needs no more of libmnl. */
	handle = dlopen(library, RTLD_NOW);
	return handle != NULL ? dlsym(handle, name) : NULL;
}
