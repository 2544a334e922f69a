#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/time.h"
#include "cli/cli.h"

#include "base/banned.h"

#define PROGRESS_DELAY_NS 1000000000u
#define PROGRESS_STEP_NS 100000000u
#define PROGRESS_BAR_CELLS 24

static PRINTF_LIKE(1, 0) void line_print(const char *format, va_list args)
{
    char raw[4 * DIAG_TEXT_BYTES_MAX];
    int bytes = vsnprintf(raw, sizeof(raw), format, args);
    size_t used = bytes < 0 ? 0 : (size_t)bytes;

    (void)fputs("entente: ", stderr);
    cli_print_text(stderr, slice_of(raw, used < sizeof(raw) ? used : sizeof(raw) - 1));
    (void)fputc('\n', stderr);
}

int cli_fail(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line_print(format, args);
    va_end(args);
    return code;
}

int cli_misused(const struct cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line_print(format, args);
    va_end(args);
    (void)fprintf(stderr, "usage: entente %s%s%s ...   (entente %s --help)\n", cli->command->words,
                  cli->command->arguments[0] != '\0' ? " " : "", cli->command->arguments,
                  cli->command->words);
    return CLI_MISUSED;
}

void cli_say(const struct cli *cli, const char *format, ...)
{
    va_list args;

    if (cli->quiet)
        return;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

int cli_failed(const struct diag *diag)
{
    static const int codes[] = {
        [ERR_NONE] = CLI_FAILED,       [ERR_INVALID] = CLI_FAILED,     [ERR_LIMIT] = CLI_FAILED,
        [ERR_MISSING] = CLI_NOT_FOUND, [ERR_CONFLICT] = CLI_FAILED,    [ERR_DENIED] = CLI_REFUSED,
        [ERR_IO] = CLI_TRY_LATER,      [ERR_CORRUPT] = CLI_UNVERIFIED,
    };

    return cli_fail(codes[diag->code], "%s", diag->text);
}

int cli_end(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno == EPIPE) /* `| head` has what it wanted */
            return code;
        return cli_fail(CLI_FAILED, "standard output: %s", strerrordesc_np(errno));
    }
    return code;
}

void cli_print_text(FILE *out, slice text)
{
    for (size_t i = 0; i < text.len;) {
        unsigned char byte = (unsigned char)text.at[i];
        size_t step = utf8_step(slice_from(text, i));
        bool is_control = byte < 0x20 || byte == 0x7f ||
                          (byte == 0xc2 && step == 2 && (unsigned char)text.at[i + 1] < 0xa0);

        if (step == 0 || (is_control && byte != '\t')) {
            (void)fprintf(out, "\\x%02x", byte);
            i++;
            continue;
        }
        (void)fwrite(text.at + i, 1, step, out);
        i += step;
    }
}

int cli_print_json(const struct buf *json)
{
    if (json->overflowed)
        return cli_fail(CLI_FAILED, "no memory for the answer");
    (void)fwrite(json->at, 1, json->len, stdout);
    (void)fputc('\n', stdout);
    return CLI_OK;
}

const char *cli_colour(FILE *out, const char *code)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment */
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if ((no_color != NULL && no_color[0] != '\0') || !isatty(fileno(out)) ||
        (term != NULL && slice_eq(slice_text(term), SLICE("dumb"))))
        return "";
    return code;
}

void cli_progress_begin(struct cli_progress *progress, const struct cli *cli, const char *what)
{
    *progress = (struct cli_progress){.what = what, .start_mono_ns = time_mono_ns()};
    progress->is_wanted = !cli->quiet && !cli->json && isatty(STDERR_FILENO);
}

void cli_progress_step(struct cli_progress *progress, uint64_t done, uint64_t total, uint64_t count)
{
    uint64_t now = time_mono_ns();
    char bar[PROGRESS_BAR_CELLS + 1];

    if (!progress->is_wanted || now - progress->start_mono_ns < PROGRESS_DELAY_NS ||
        now - progress->last_mono_ns < PROGRESS_STEP_NS)
        return;
    progress->last_mono_ns = now;
    progress->is_shown = true;
    double share = total == 0 ? 0 : (double)done / (double)total;
    for (int i = 0; i < PROGRESS_BAR_CELLS; i++)
        bar[i] = i < (int)(share * PROGRESS_BAR_CELLS) ? '#' : '.';
    bar[PROGRESS_BAR_CELLS] = '\0';
    double seconds = (double)(now - progress->start_mono_ns) / 1e9;
    if (total == 0)
        (void)fprintf(stderr, "\r%s  %.1f MB  %llu objects  %.0f s\x1b[K", progress->what,
                      (double)done / 1e6, (unsigned long long)count, seconds);
    else
        (void)fprintf(stderr, "\r%s [%s] %3.0f %%  %llu objects  %.0f s\x1b[K", progress->what, bar,
                      share * 100, (unsigned long long)count, seconds);
    (void)fflush(stderr);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->is_shown)
        (void)fputs("\r\x1b[K", stderr);
    progress->is_shown = false;
}

static int node_failed(const struct cli *cli, const struct diag *diag)
{
    char index[4200]; /* where it is, a node was made: part of it is gone */

    (void)snprintf(index, sizeof(index), "%s/index.mdb", cli->folder);
    if (diag->code == ERR_MISSING && access(index, F_OK) != 0)
        return cli_fail(CLI_NOT_FOUND, "%s; \"entente init --folder %s\" makes a node", diag->text,
                        cli->folder);
    return cli_failed(diag);
}

int cli_node_open(struct cli *cli, bool read_only, struct node *node)
{
    struct diag diag = {0};

    if (cli->folder == NULL)
        return cli_fail(CLI_MISUSED, "no folder: give --folder DIR or set ENTENTE_FOLDER");
    return succeeded(node_open(cli->folder, read_only, node, &diag)) ? CLI_OK
                                                                     : node_failed(cli, &diag);
}

int cli_node_open_to_mend(struct cli *cli, struct node *node)
{
    struct diag diag = {0};

    if (cli->folder == NULL)
        return cli_fail(CLI_MISUSED, "no folder: give --folder DIR or set ENTENTE_FOLDER");
    return succeeded(node_open_to_mend(cli->folder, node, &diag)) ? CLI_OK
                                                                  : node_failed(cli, &diag);
}

static int collection_only(struct store_view *view, bool only, struct collection *out)
{
    struct collection second;

    if (!store_collection_at(view, 0, out))
        return cli_fail(CLI_NOT_FOUND,
                        "the node has no collection; \"entente collection add\" makes one");
    if (only && store_collection_at(view, 1, &second))
        return cli_fail(CLI_MISUSED, "which collection? \"entente collection list\" names them");
    return CLI_OK;
}

int cli_collection(struct store_view *view, const char *name, bool only, struct collection *out)
{
    if (name == NULL)
        return collection_only(view, only, out);
    if (!store_collection_find(view, slice_text(name), out))
        return cli_fail(CLI_NOT_FOUND,
                        "no collection \"%s\"; \"entente collection list\" names them", name);
    return CLI_OK;
}

/* A line without echo. */
static bool terminal_line(const char *prompt, char *out, size_t room)
{
    struct termios before, silent;

    (void)fprintf(stderr, "%s", prompt);
    (void)fflush(stderr);
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    bool is_read = fgets(out, (int)room, stdin) != NULL;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    return is_read;
}

static int secret_from_terminal(const char *prompt, bool confirm, char *out)
{
    char again[CLI_PASSWORD_BYTES_MAX];

    if (!terminal_line(prompt, out, CLI_PASSWORD_BYTES_MAX))
        return cli_fail(CLI_FAILED, "the terminal gave no line");
    if (!confirm)
        return CLI_OK;
    bool is_same = terminal_line("again: ", again, sizeof(again)) &&
                   secret_eq(slice_text(out), slice_text(again));
    secret_wipe(again, sizeof(again));
    return is_same ? CLI_OK : cli_fail(CLI_FAILED, "the two differ");
}

int cli_secret(const struct cli *cli, const char *path, const char *prompt, bool confirm,
               char out[CLI_PASSWORD_BYTES_MAX], size_t *bytes)
{
    bool is_stdin = slice_eq(slice_text(path), SLICE("-"));
    int code = CLI_OK;

    if (is_stdin && isatty(STDIN_FILENO)) {
        if (cli_has(cli, "no-input"))
            return cli_fail(CLI_MISUSED, "--no-input, and no file to read a secret from");
        code = secret_from_terminal(prompt, confirm, out);
    } else {
        FILE *file = is_stdin ? stdin : fopen(path, "re");

        if (file == NULL)
            return cli_fail(CLI_NOT_FOUND, "%s: %s", path, strerrordesc_np(errno));
        if (fgets(out, CLI_PASSWORD_BYTES_MAX, file) == NULL)
            code = cli_fail(CLI_FAILED, "%s: holds no line", path);
        if (!is_stdin)
            (void)fclose(file);
    }
    if (code != CLI_OK)
        return code;
    size_t length = strlen(out);
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\r'))
        out[--length] = '\0';
    *bytes = length;
    return length > 0 ? CLI_OK : cli_fail(CLI_FAILED, "%s: the first line is empty", path);
}

void cli_log_configure(const struct config *config)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    static const char *const forms[] = {"text", "json", "journal"};
    enum log_level level = LOG_LEVEL_INFO;
    enum log_form form = LOG_FORM_TEXT;

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (slice_eq(slice_text(config->log_level), slice_text(levels[i])))
            level = (enum log_level)i;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (slice_eq(slice_text(config->log_form), slice_text(forms[i])))
            form = (enum log_form)i;
    log_set(level, form);
}
