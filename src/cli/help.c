/* Usage, man pages and completions: all made from the two tables, so that they cannot drift. */
#include <stdlib.h>

#include "cli/cli.h"

#include "base/banned.h"

#define HELP_COLUMN 34

static void usage_option(FILE *out, const struct cli_option *option)
{
    char left[64];
    int used = option->letter != 0
                   ? snprintf(left, sizeof(left), "  -%c, --%s", option->letter, option->name)
                   : snprintf(left, sizeof(left), "      --%s", option->name);

    if (option->value != NULL && used > 0 && (size_t)used < sizeof(left))
        (void)snprintf(left + used, sizeof(left) - (size_t)used, " %s", option->value);
    (void)fprintf(out, "%-*s %s\n", HELP_COLUMN, left, option->help);
}

static void usage_options(FILE *out, const struct cli_command *command, bool common)
{
    for (size_t i = 0; i < cli_option_count; i++) {
        bool is_common = cli_options[i].command[0] == '*';

        if (is_common == common && cli_option_of(&cli_options[i], command))
            usage_option(out, &cli_options[i]);
    }
}

static bool has_own_options(const struct cli_command *command)
{
    for (size_t i = 0; i < cli_option_count; i++)
        if (cli_options[i].command[0] != '*' && cli_option_of(&cli_options[i], command))
            return true;
    return false;
}

static void usage_all(FILE *out)
{
    (void)fputs("usage: entente COMMAND [ARGUMENTS] [--OPTION ...]\n\n"
                "Share cyber-threat intelligence with partners, serve it, prove it.\n\ncommands:\n",
                out);
    for (size_t i = 0; i < cli_command_count; i++)
        (void)fprintf(out, "  %-25s %s\n", cli_commands[i].words, cli_commands[i].help);
    (void)fputs(
        "\n\"entente COMMAND --help\" says more.  Exit: 0 done, 1 failed, 2 misused, 3 not found,\n"
        "4 refused, 5 verification failed, 75 try later.\n",
        out);
}

/* Is it "user add" to "user"? */
static bool is_of_family(const struct cli_command *command, slice word)
{
    slice first, rest;

    return slice_cut(slice_text(command->words), ' ', &first, &rest) && slice_eq(first, word);
}

bool cli_usage_family(FILE *out, const char *word)
{
    size_t count = 0;

    for (size_t i = 0; i < cli_command_count; i++) {
        if (!is_of_family(&cli_commands[i], slice_text(word)))
            continue;
        if (out == NULL)
            return true;
        if (count++ == 0)
            (void)fprintf(out, "usage: entente %s COMMAND [ARGUMENTS] [--OPTION ...]\n\n", word);
        (void)fprintf(out, "  %-25s %s\n", cli_commands[i].words, cli_commands[i].help);
    }
    if (count > 0)
        (void)fprintf(out, "\n\"entente %s COMMAND --help\" says more.\n", word);
    return count > 0;
}

void cli_usage(FILE *out, const struct cli_command *command)
{
    if (command == NULL) {
        usage_all(out);
        return;
    }
    (void)fprintf(out, "usage: entente %s%s%s [--OPTION ...]\n\n%s\n", command->words,
                  command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
    if (has_own_options(command)) {
        (void)fputs("\noptions:\n", out);
        usage_options(out, command, false);
    }
    (void)fputs("\nfor every command:\n", out);
    usage_options(out, command, true);
}

int cmd_help(struct cli *cli)
{
    int word_count;
    const struct cli_command *command =
        cli_command_find((int)cli->word_count, cli->words, &word_count);

    if (cli->word_count == 1 && command == NULL && cli_usage_family(stdout, cli->words[0]))
        return CLI_OK;
    if (cli->word_count > 0 && command == NULL)
        return cli_fail(CLI_NOT_FOUND, "no command \"%s\"; \"entente help\" lists them",
                        cli->words[0]);
    cli_usage(stdout, command);
    return CLI_OK;
}

int cmd_version(struct cli *cli)
{
    const char *compiler = __VERSION__;

    if (cli->json)
        (void)printf("{\"version\":\"%s\",\"compiler\":\"%s\"}\n", ENTENTE_VERSION, compiler);
    else
        (void)printf("entente %s (compiler %s)\n", ENTENTE_VERSION, compiler);
    return CLI_OK;
}

/* ---- man pages, in mdoc ---- */

/* mdoc reads a line that starts with a dot or an apostrophe, and backslashes anywhere, as its own.
 */
static void man_text(slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\\')
            (void)fputs("\\e", stdout);
        else if (text.at[i] == '-')
            (void)fputs("\\-", stdout);
        else
            (void)fputc(text.at[i], stdout);
    }
}

static void man_option(const struct cli_option *option)
{
    (void)fputs(".It ", stdout);
    if (option->letter != 0)
        (void)printf("Fl %c , ", option->letter);
    (void)printf("Fl Fl %s", option->name);
    if (option->value != NULL)
        (void)printf(" Ar %s", option->value);
    (void)fputc('\n', stdout);
    man_text(slice_text(option->help));
    (void)fputc('\n', stdout);
}

/* "user add" as "entente-user-add". */
static void page_name(const struct cli_command *command, char out[64])
{
    (void)snprintf(out, 64, "entente-%s", command->words);
    for (char *at = out; *at != '\0'; at++)
        if (*at == ' ')
            *at = '-';
}

static void man_exit_codes(void)
{
    (void)fputs(".Sh EXIT STATUS\n0 done, 1 failed, 2 misused, 3 not found, 4 refused by policy or "
                "rights, 5 verification failed, 75 try later.\n",
                stdout);
}

static void man_command(const struct cli_command *command)
{
    char name[64];

    page_name(command, name);
    (void)printf(".Dd $Mdocdate$\n.Dt %s 1\n.Os Entente %s\n.Sh NAME\n.Nm %s\n.Nd %s\n", name,
                 ENTENTE_VERSION, name, command->help);
    (void)printf(".Sh SYNOPSIS\n.Nm entente %s\n.Op Ar options\n", command->words);
    if (command->arguments[0] != '\0')
        (void)printf(".Ar %s\n", command->arguments);
    (void)fputs(".Sh DESCRIPTION\n", stdout);
    man_text(slice_text(command->help));
    (void)fputs(".\n.Bl -tag -width Ds\n", stdout);
    for (size_t i = 0; i < cli_option_count; i++)
        if (cli_option_of(&cli_options[i], command))
            man_option(&cli_options[i]);
    (void)fputs(".El\n", stdout);
    man_exit_codes();
    (void)fputs(".Sh SEE ALSO\n.Xr entente 1\n", stdout);
}

static void man_overview(void)
{
    (void)printf(".Dd $Mdocdate$\n.Dt ENTENTE 1\n.Os Entente %s\n.Sh NAME\n.Nm entente\n"
                 ".Nd share threat intelligence with partners, serve it over TAXII 2.1, prove it\n"
                 ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar arguments\n.Op Ar options\n"
                 ".Sh DESCRIPTION\nThe commands:\n.Bl -tag -width Ds\n",
                 ENTENTE_VERSION);
    for (size_t i = 0; i < cli_command_count; i++) {
        (void)printf(".It Cm %s Ar %s\n", cli_commands[i].words, cli_commands[i].arguments);
        man_text(slice_text(cli_commands[i].help));
        (void)fputc('\n', stdout);
    }
    (void)fputs(".El\n.Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev ENTENTE_FOLDER\nthe node's "
                "folder\n.It Ev NO_COLOR\nno colour on a terminal\n.El\n",
                stdout);
    man_exit_codes();
}

int cmd_man(struct cli *cli)
{
    char name[64];

    if (cli->word_count == 0) {
        (void)puts("entente");
        for (size_t i = 0; i < cli_command_count; i++) {
            page_name(&cli_commands[i], name);
            (void)puts(name);
        }
        return CLI_OK;
    }
    if (slice_eq(slice_text(cli->words[0]), SLICE("entente"))) {
        man_overview();
        return CLI_OK;
    }
    for (size_t i = 0; i < cli_command_count; i++) {
        page_name(&cli_commands[i], name);
        if (slice_eq(slice_text(name), slice_text(cli->words[0]))) {
            man_command(&cli_commands[i]);
            return CLI_OK;
        }
    }
    return cli_fail(CLI_NOT_FOUND, "no page \"%s\"; \"entente man\" lists them", cli->words[0]);
}

/* ---- completions ---- */

static void complete_bash(void)
{
    (void)fputs(
        "# bash completion for entente: source it, or put it into\n"
        "# /usr/share/bash-completion/completions/entente\n_entente() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" words=\n"
        "    case \"$line \" in\n",
        stdout);
    /* Longer names first: "user add" before "user". */
    for (size_t i = 0; i < cli_command_count; i++) {
        (void)printf("    \"%s \"*) words=\"", cli_commands[i].words);
        for (size_t k = 0; k < cli_option_count; k++)
            if (cli_option_of(&cli_options[k], &cli_commands[i]))
                (void)printf("--%s ", cli_options[k].name);
        (void)fputs("\" ;;\n", stdout);
    }
    for (size_t i = 0; i < cli_command_count; i++) {
        slice first, second;

        if (slice_cut(slice_text(cli_commands[i].words), ' ', &first, &second) &&
            (i == 0 || !slice_starts(slice_text(cli_commands[i - 1].words),
                                     slice_of(first.at, first.len + 1)))) {
            (void)printf("    \"%.*s \"*) words=\"", SLICE_ARG(first));
            for (size_t k = i; k < cli_command_count; k++)
                if (slice_starts(slice_text(cli_commands[k].words),
                                 slice_of(first.at, first.len + 1)))
                    (void)printf("%s ", cli_commands[k].words + first.len + 1);
            (void)fputs("\" ;;\n", stdout);
        }
    }
    (void)fputs("    \" \") words=\"", stdout);
    for (size_t i = 0; i < cli_command_count; i++) {
        slice first, rest;

        (void)slice_cut(slice_text(cli_commands[i].words), ' ', &first, &rest);
        (void)printf("%.*s ", SLICE_ARG(first));
    }
    (void)fputs("\" ;;\n    esac\n    if [[ $cur == -* || -z $words || \"$words\" != --* ]]; then\n"
                "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n    else\n"
                "        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
                "complete -o filenames -F _entente entente\n",
                stdout);
}

static void complete_quoted(const char *text)
{
    (void)fputc('\'', stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", stdout);
        else
            (void)fputc(*text, stdout);
    }
    (void)fputc('\'', stdout);
}

static void complete_zsh(void)
{
    (void)fputs("#compdef entente\n_entente() {\n    local -a commands options\n    commands=(\n",
                stdout);
    for (size_t i = 0; i < cli_command_count; i++) {
        char line[256];

        (void)snprintf(line, sizeof(line), "%s:%s", cli_commands[i].words, cli_commands[i].help);
        (void)fputs("        ", stdout);
        complete_quoted(line);
        (void)fputc('\n', stdout);
    }
    (void)fputs("    )\n    case \"${(j: :)words[2,CURRENT-1]} \" in\n", stdout);
    for (size_t i = 0; i < cli_command_count; i++) {
        (void)printf("    '%s '*) options=(", cli_commands[i].words);
        for (size_t k = 0; k < cli_option_count; k++)
            if (cli_option_of(&cli_options[k], &cli_commands[i]))
                (void)printf("--%s ", cli_options[k].name);
        (void)fputs(");;\n", stdout);
    }
    (void)fputs("    esac\n    if (( $#options )); then compadd -a options; _files\n"
                "    else compadd -- ${${commands%%:*}[@]}; _describe command commands; fi\n}\n"
                "_entente \"$@\"\n",
                stdout);
}

static void complete_fish(void)
{
    (void)fputs("# fish completion for entente\n", stdout);
    for (size_t i = 0; i < cli_command_count; i++) {
        slice first, second;
        bool is_pair = slice_cut(slice_text(cli_commands[i].words), ' ', &first, &second);

        if (is_pair)
            (void)printf(
                "complete -c entente -f -n '__fish_seen_subcommand_from %.*s' -a '%.*s' -d ",
                SLICE_ARG(first), SLICE_ARG(second));
        else
            (void)printf("complete -c entente -n __fish_use_subcommand -a '%.*s' -d ",
                         SLICE_ARG(first));
        complete_quoted(cli_commands[i].help);
        (void)fputc('\n', stdout);
        if (is_pair)
            (void)printf("complete -c entente -f -n __fish_use_subcommand -a '%.*s'\n",
                         SLICE_ARG(first));
    }
    for (size_t k = 0; k < cli_option_count; k++) {
        slice first, rest;

        (void)slice_cut(slice_text(cli_options[k].command), ' ', &first, &rest);
        (void)printf("complete -c entente -l %s", cli_options[k].name);
        if (cli_options[k].letter != 0)
            (void)printf(" -s %c", cli_options[k].letter);
        if (cli_options[k].value != NULL)
            (void)fputs(" -r", stdout);
        if (first.at[0] != '*')
            (void)printf(" -n '__fish_seen_subcommand_from %.*s'", SLICE_ARG(first));
        (void)fputs(" -d ", stdout);
        complete_quoted(cli_options[k].help);
        (void)fputc('\n', stdout);
    }
}

int cmd_completion(struct cli *cli)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};

    if (cli->word_count != 1)
        return cli_misused(cli, "name one shell");
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (slice_eq(slice_text(shells[i].shell), slice_text(cli->words[0]))) {
            shells[i].print();
            return CLI_OK;
        }
    }
    return cli_misused(cli, "no completion for \"%s\": bash, zsh or fish", cli->words[0]);
}
