/* The command line: one table of commands, one of options, one file a family of commands.
 *
 * A command reads its arguments, calls a function or two of a lower floor, prints.  Data goes to
 * stdout, words to stderr; with --json everything on stdout is JSON, one object a line.
 */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/result.h"
#include "node/node.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_MISUSED = 2,
    CLI_NOT_FOUND = 3,
    CLI_REFUSED = 4,    /* by policy or rights */
    CLI_UNVERIFIED = 5, /* a proof or a checksum does not hold */
    CLI_TRY_LATER = 75, /* busy, locked, or the network failed */
};

#define CLI_GIVEN_MAX 256
#define CLI_PASSWORD_BYTES_MAX 1024

struct cli_option {
    const char *command; /* "*": every command */
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what its value is called; NULL: it takes none */
    const char *help;
};

struct cli;

struct cli_command {
    const char *words; /* "user add" */
    const char *arguments, *help;
    int (*run)(struct cli *cli);
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;
extern const struct cli_option cli_options[];
extern const size_t cli_option_count;

/* One call of the program, parsed. */
struct cli {
    const struct cli_command *command;
    char **words; /* the arguments that are no options; borrowed from argv */
    size_t word_count;
    struct {
        const struct cli_option *option;
        const char *value;
    } given[CLI_GIVEN_MAX];
    size_t given_count;
    const char *folder;
    char folder_default[4096];
    bool json, quiet;
};

#define COMMAND(function, words, arguments, help) int cmd_##function(struct cli *cli);
#include "cli/commands.def"
#undef COMMAND

/* ---- arguments ---- */

/* Parse argv behind the command's words.  Words to stderr and CLI_MISUSED when it makes no sense.
 */
MUST_USE int cli_parse(struct cli *cli, int argc, char **argv);
const struct cli_command *cli_command_find(int argc, char **argv, int *word_count);
bool cli_has(const struct cli *cli, const char *option);
const char *cli_value(const struct cli *cli, const char *option); /* the last given, or NULL */
const char *cli_value_at(const struct cli *cli, const char *option, size_t nth);
size_t cli_value_count(const struct cli *cli, const char *option);
/* Does an option belong to a command? */
bool cli_option_of(const struct cli_option *option, const struct cli_command *command);
/* A count given by an option, within bounds; CLI_MISUSED with words when it is none. */
MUST_USE int cli_count(const struct cli *cli, const char *option, size_t least, size_t most,
                       size_t fallback, size_t *out);

/* ---- words ---- */

void cli_usage(FILE *out, const struct cli_command *command);
/* The commands that begin with a word: "user" lists "user add" and its like.  False, and nothing
 * printed, when none does.  out NULL: only asks. */
bool cli_usage_family(FILE *out, const char *word);
/* "entente: ..." on stderr; returns the code, so that a command ends with `return cli_fail(...)`.
 */
int cli_fail(int code, const char *format, ...) PRINTF_LIKE(2, 3);
/* The diag's words, and the exit code that its error asks for. */
int cli_failed(const struct diag *diag);
int cli_misused(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* On stderr unless --quiet. */
void cli_say(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* Flushes stdout and says whether all of it arrived (a full disk, a closed pipe). */
MUST_USE int cli_end(int code);
/* Text from outside for a terminal: controls shown as \xHH. */
void cli_print_text(FILE *out, slice text);
/* A run of JSON, made whole in buf, as one line on stdout. */
MUST_USE int cli_print_json(const struct buf *json);
/* ANSI colour only on a terminal and without NO_COLOR: "" otherwise. */
const char *cli_colour(FILE *out, const char *code);

/* ---- progress: a bar on stderr, on a terminal, for what takes over a second ---- */

struct cli_progress {
    const char *what;
    bool is_wanted, is_shown;
    uint64_t start_mono_ns, last_mono_ns;
};
void cli_progress_begin(struct cli_progress *progress, const struct cli *cli, const char *what);
void cli_progress_step(struct cli_progress *progress, uint64_t done, uint64_t total,
                       uint64_t count);
void cli_progress_end(struct cli_progress *progress);

/* ---- telemetry ---- */

struct telemetry_map;
/* --format names one that there is. */
MUST_USE int cli_format_check(const struct cli *cli);
/* The map of --map, owned; NULL without one. */
MUST_USE int cli_map_load(const struct cli *cli, struct telemetry_map **out);

/* ---- the node ---- */

MUST_USE int cli_node_open(struct cli *cli, bool read_only, struct node *node);
MUST_USE int cli_node_open_to_mend(struct cli *cli, struct node *node); /* for rebuild */
/* The collection an option or word names; name NULL: `only` asks for the single one there is, else
 * the first. */
MUST_USE int cli_collection(struct store_view *view, const char *name, bool only,
                            struct collection *out);
/* A secret's first line from a file; "-": asked for on a terminal without echo (twice when
 * `confirm`), else read from standard input. */
MUST_USE int cli_secret(const struct cli *cli, const char *path, const char *prompt, bool confirm,
                        char out[CLI_PASSWORD_BYTES_MAX], size_t *bytes);
/* Log settings of the node's configuration, for commands that run long. */
void cli_log_configure(const struct config *config);
