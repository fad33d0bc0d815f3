/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The CLI: one table of commands (grammar.c) from which come execution, usage,
 * and bash completion. One thread; everything lives as long as the process.
 */
#ifndef SHUNT_APP_SHUNTCTL_H
#define SHUNT_APP_SHUNTCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** The control socket without -s. */
#define CTL_SOCKET "/run/shunt/control.sock"

/** Exit status: part of the outside contract. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1,   /**< the daemon said no, or it is not built yet */
	CTL_USAGE = 2,	   /**< no such command, or wrong arguments */
	CTL_NO_DAEMON = 3, /**< nobody serves the socket, or he went */
};

/** How and where to print. */
struct ctl {
	const char *socket; /**< path of the control socket */
	bool json;	    /**< -j */
	FILE *out;
	FILE *err;
	int width; /**< columns of the terminal; 0: no terminal, lines of any length */
};

struct ctl_command;

/** Run a command. @param argv the arguments after its words @return enum ctl_exit */
typedef int ctl_run_fn(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv);

/** An option of a command: a flag, sent as a parameter that is true. */
struct ctl_option {
	const char *name;  /**< "--why"; NULL ends the table */
	const char *param; /**< of the method */
	const char *text;
};

/** A command. */
struct ctl_command {
	const char *words; /**< "show ports" */
	const char *args;  /**< as usage prints them, "" for none */
	ctl_run_fn *run;   /**< NULL: not built yet */
	const char *method;
	const struct ctl_option *options; /**< NULL: none */
	const char *arg_param; /**< the parameter that a plain argument is; NULL: takes none */
	bool follow;	       /**< rows come as things happen: printed at once */
	const char *text;
};

/** All commands, in the order that help has; the last has NULL words. */
extern const struct ctl_command ctl_commands[];

/** Find the command that arguments begin with. @param used words of it @return NULL if none */
const struct ctl_command *ctl_find(int argc, char **argv, int *used);

/** Find and run. @return enum ctl_exit */
int ctl_run(struct ctl *ctl, int argc, char **argv);

/** Print what commands there are. */
void ctl_usage(FILE *out);

/** Say what is wrong, with the command's usage. @return CTL_USAGE */
int ctl_misuse(struct ctl *ctl, const struct ctl_command *command, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Call the command's method and print what it answers. Takes params. @return enum ctl_exit */
int ctl_call(struct ctl *ctl, const struct ctl_command *command, json_t *params);

/** Call a method for its result alone; errors are printed. Takes params. @return enum ctl_exit */
int ctl_ask(struct ctl *ctl, const char *method, json_t *params, json_t **result);

/* Commands with a file of their own. */
ctl_run_fn ctl_call_plain; /* call.c: options and one argument */
ctl_run_fn ctl_explain;	   /* explain.c */
ctl_run_fn ctl_nft;	   /* nft.c */
ctl_run_fn ctl_trace;	   /* nft.c: nft monitor trace */
ctl_run_fn ctl_conntrack;  /* exec.c */
ctl_run_fn ctl_exec;	   /* exec.c: argv[0] may be "--" */
ctl_run_fn ctl_completion; /* completion.c */
ctl_run_fn ctl_help;	   /* grammar.c */

/**
 * The path of the nft socket, as the daemon says; what is wrong is printed.
 * @param path PATH_MAX bytes
 * @return enum ctl_exit
 */
int ctl_nft_socket(const char *control_socket, char *path);

/**
 * Run nft's arguments against the daemon of a control socket, by libnftables.
 * @param argv nft's arguments, the first one included ("-f"…, not "nft")
 * @return enum ctl_exit
 */
int shuntctl_nft(const char *control_socket, int argc, char **argv);

/* explain.c */

/**
 * Read a tuple: [in PORT] PROTO SRC[:PORT] DST[:PORT], IPv6 in brackets.
 * @param why what is wrong with it, if NULL is returned
 * @return {in, proto, src, sport, dst, dport}, a new reference
 */
json_t *ctl_tuple(int argc, char **argv, char *why, size_t size);

#endif
