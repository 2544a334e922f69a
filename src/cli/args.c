#include <stdarg.h>

#include "cli/cli.h"

#include "base/banned.h"

/* How many of argv's words are the command's name; 0: it is another one. */
static int words_matching(const struct cli_command *command, int argc, char **argv)
{
    slice rest = slice_text(command->words), word;
    int count = 0;

    while (rest.len > 0) {
        (void)slice_cut(rest, ' ', &word, &rest);
        if (count == argc || !slice_eq(word, slice_text(argv[count])))
            return 0;
        count++;
    }
    return count;
}

const struct cli_command *cli_command_find(int argc, char **argv, int *word_count)
{
    const struct cli_command *found = NULL;

    *word_count = 0;
    for (size_t i = 0; i < cli_command_count; i++) {
        int count = words_matching(&cli_commands[i], argc, argv);

        if (count > *word_count) {
            *word_count = count;
            found = &cli_commands[i];
        }
    }
    return found;
}

bool cli_option_of(const struct cli_option *option, const struct cli_command *command)
{
    return slice_eq(slice_text(option->command), SLICE("*")) ||
           slice_eq(slice_text(option->command), slice_text(command->words));
}

static const struct cli_option *option_find(const struct cli_command *command, slice name,
                                            char letter)
{
    for (size_t i = 0; i < cli_option_count; i++) {
        const struct cli_option *option = &cli_options[i];

        if (!cli_option_of(option, command))
            continue;
        if (letter != 0 ? option->letter == letter : slice_eq(slice_text(option->name), name))
            return option;
    }
    return NULL;
}

static int option_give(struct cli *cli, const struct cli_option *option, const char *value)
{
    if (cli->given_count == CLI_GIVEN_MAX)
        return cli_misused(cli, "more than %d options", CLI_GIVEN_MAX);
    cli->given[cli->given_count].option = option;
    cli->given[cli->given_count++].value = value;
    return CLI_OK;
}

/* One argument that starts with '-'; *position moves on when it takes the next one as its value. */
static int option_parse(struct cli *cli, int argc, char **argv, int *position)
{
    const char *text = argv[*position];
    bool is_long = text[1] == '-';
    slice name, value;
    bool has_value = slice_cut(slice_text(text + 2), '=', &name, &value);
    const struct cli_option *option = is_long ? option_find(cli->command, name, 0)
                                              : option_find(cli->command, SLICE_NONE, text[1]);

    if (!is_long) {
        value = slice_text(text + 2);
        has_value = value.len > 0;
    }
    if (option == NULL)
        return cli_misused(cli, "no option \"%s\"", text);
    if (option->value == NULL)
        return has_value ? cli_misused(cli, "--%s takes no value", option->name)
                         : option_give(cli, option, NULL);
    if (has_value)
        return option_give(cli, option, value.at);
    if (*position + 1 == argc)
        return cli_misused(cli, "--%s wants %s", option->name, option->value);
    return option_give(cli, option, argv[++*position]);
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    bool options_end = false;

    cli->words = argv;
    for (int i = 0; i < argc; i++) {
        if (options_end || argv[i][0] != '-' || argv[i][1] == '\0') {
            cli->words[cli->word_count++] = argv[i]; /* never ahead of i */
            continue;
        }
        if (slice_eq(slice_text(argv[i]), SLICE("--"))) {
            options_end = true;
            continue;
        }
        int code = option_parse(cli, argc, argv, &i);
        if (code != CLI_OK)
            return code;
    }
    cli->json = cli_has(cli, "json");
    cli->quiet = cli_has(cli, "quiet");
    if (cli_value(cli, "folder") != NULL)
        cli->folder = cli_value(cli, "folder");
    return CLI_OK;
}

const char *cli_value_at(const struct cli *cli, const char *option, size_t nth)
{
    for (size_t i = 0; i < cli->given_count; i++) {
        if (!slice_eq(slice_text(cli->given[i].option->name), slice_text(option)))
            continue;
        if (nth-- == 0)
            return cli->given[i].value != NULL ? cli->given[i].value : "";
    }
    return NULL;
}

size_t cli_value_count(const struct cli *cli, const char *option)
{
    size_t count = 0;

    while (cli_value_at(cli, option, count) != NULL)
        count++;
    return count;
}

bool cli_has(const struct cli *cli, const char *option)
{
    return cli_value_at(cli, option, 0) != NULL;
}

const char *cli_value(const struct cli *cli, const char *option)
{
    size_t count = cli_value_count(cli, option);

    return count == 0 ? NULL : cli_value_at(cli, option, count - 1);
}

int cli_count(const struct cli *cli, const char *option, size_t least, size_t most, size_t fallback,
              size_t *out)
{
    const char *text = cli_value(cli, option);

    *out = fallback;
    if (text == NULL)
        return CLI_OK;
    if (!parse_size(slice_text(text), out) || *out < least || *out > most)
        return cli_misused(cli, "--%s = \"%s\": takes %zu to %zu", option, text, least, most);
    return CLI_OK;
}
