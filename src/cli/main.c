#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "cli/cli.h"

#include "base/banned.h"

/* Where the node lies when nobody says: the system's place for root, the user's for others. */
static bool folder_find(struct cli *cli)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): no thread runs yet, and none changes the environment */
    const char *named = getenv("ENTENTE_FOLDER"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    /* NOLINTEND(concurrency-mt-unsafe) */
    int bytes;

    if (named != NULL && named[0] != '\0')
        bytes = snprintf(cli->folder_default, sizeof(cli->folder_default), "%s", named);
    else if (geteuid() == 0)
        bytes = snprintf(cli->folder_default, sizeof(cli->folder_default), "/var/lib/entente");
    else if (data != NULL && data[0] == '/')
        bytes = snprintf(cli->folder_default, sizeof(cli->folder_default), "%s/entente", data);
    else if (home != NULL && home[0] == '/')
        bytes = snprintf(cli->folder_default, sizeof(cli->folder_default),
                         "%s/.local/share/entente", home);
    else
        return true;
    cli->folder = cli->folder_default;
    return bytes >= 0 && (size_t)bytes < sizeof(cli->folder_default);
}

static bool asks_for_help(const char *argument)
{
    return slice_eq(slice_text(argument), SLICE("--help")) ||
           slice_eq(slice_text(argument), SLICE("-h"));
}

static int without_command(int argc, char **argv)
{
    if (argc < 2) {
        cli_usage(stderr, NULL);
        return CLI_MISUSED;
    }
    if (asks_for_help(argv[1])) {
        cli_usage(stdout, NULL);
        return cli_end(CLI_OK);
    }
    if (argc == 3 && asks_for_help(argv[2]) && cli_usage_family(stdout, argv[1]))
        return cli_end(CLI_OK);
    if (argc == 2 && cli_usage_family(stderr, argv[1]))
        return CLI_MISUSED;
    if (argc > 2 && cli_usage_family(NULL, argv[1]))
        return cli_fail(CLI_MISUSED, "no command \"%s %s\"; \"entente help\" lists them", argv[1],
                        argv[2]);
    return cli_fail(CLI_MISUSED, "no command \"%s\"; \"entente help\" lists them", argv[1]);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct diag diag = {0};
    int word_count;

    /* A reader that goes away is an error of write(), never a silent death in the middle of a
     * change. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (argc == 2 && slice_eq(slice_text(argv[1]), SLICE("--version")))
        return cmd_version(&cli);
    cli.command = cli_command_find(argc - 1, argv + 1, &word_count);
    if (cli.command == NULL)
        return without_command(argc, argv);
    if (!folder_find(&cli))
        return cli_fail(CLI_MISUSED, "the path of the node's folder is too long");
    int code = cli_parse(&cli, argc - 1 - word_count, argv + 1 + word_count);
    if (code != CLI_OK)
        return code;
    if (cli_has(&cli, "help")) {
        cli_usage(stdout, cli.command);
        return cli_end(CLI_OK);
    }
    if (failed(crypto_start(&diag)))
        return cli_failed(&diag);
    return cli_end(cli.command->run(&cli));
}
