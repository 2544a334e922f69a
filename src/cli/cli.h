/* The command line: one table of commands, one file per subcommand.
 *
 * A subcommand reads its arguments, calls one function of a lower floor, prints.  Data goes to stdout,
 * words to stderr.
 */
#pragma once

#include "base/result.h"
#include "node/node.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_MISUSED = 2,
    CLI_NOT_FOUND = 3,
    CLI_REFUSED = 4,
    CLI_UNVERIFIED = 5,
    CLI_TRY_LATER = 75,
};

/* COMMAND(name, "ARGUMENTS", "what it does") in commands.def; options in options.def:
 * OPTION(command, name, "VALUE" or NULL, "help").  Usage, man pages and completions come from both. */
#define COMMAND(name, arguments, help) int cmd_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND
