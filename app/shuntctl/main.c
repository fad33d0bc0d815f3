/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shuntctl.h"

/* The terminal's width, 0 if standard output is none. */
static int
terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = {.socket = CTL_SOCKET, .out = stdout, .err = stderr};
	int option;

	setlocale(LC_ALL, "");
	ctl.width = terminal_width();
	while ((option = getopt(argc, argv, "+s:jhV")) != -1) {
		switch (option) {
		case 's': ctl.socket = optarg; break;
		case 'j': ctl.json = true; break;
		case 'h': ctl_usage(stdout); return CTL_OK;
		case 'V': printf("shuntctl %s\n", SHUNT_VERSION); return CTL_OK;
		default: ctl_usage(stderr); return CTL_USAGE;
		}
	}
	return ctl_run(&ctl, argc - optind, argv + optind);
}
