#include "cli/cli.h"

#include "base/banned.h"

const struct cli_command cli_commands[] = {
#define COMMAND(function, words, arguments, help) {words, arguments, help, cmd_##function},
#include "cli/commands.def"
#undef COMMAND
};
const size_t cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);

const struct cli_option cli_options[] = {
#define OPTION(command, name, letter, value, help) {command, name, letter, value, help},
#include "cli/options.def"
#undef OPTION
};
const size_t cli_option_count = sizeof(cli_options) / sizeof(cli_options[0]);
