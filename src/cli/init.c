#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/service.h"

#include "base/banned.h"

#define SETUP_VALID_US ((int64_t)24 * 3600 * 1000000)

#define FIRST_COLLECTION_TITLE "Shared intelligence"
#define FIRST_COLLECTION_ALIAS "default"

/* A value as YAML reads it whatever is in it: double quotes, with JSON's escapes. */
static void yaml_line(struct buf *out, const char *name, const char *value)
{
    struct json_writer w = JSON_WRITER(out);

    buf_printf(out, "%s: ", name);
    jw_string(&w, slice_text(value));
    buf_byte(out, '\n');
}

static result settings_write(const struct cli *cli, const struct config *config, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(1 << 16);
    char path[4200];

    (void)snprintf(path, sizeof(path), "%s/entente.yaml", cli->folder);
    buf_put(&text,
            SLICE("# Settings of this node.  \"entente config list\" names them all;\n"
                  "# \"entente config check\" reads this file as start and reload (SIGHUP) do.\n"));
    yaml_line(&text, "title", config->title);
    yaml_line(&text, "listen", config->listen);
    if (config->ledger_origin[0] != '\0')
        yaml_line(&text, "ledger_origin", config->ledger_origin);
    if (text.overflowed)
        return diag_fail(diag, ERR_LIMIT, "%s: the settings are too long", path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return diag_errno(diag, errno, "%s", path);
    ssize_t wrote = write(file, text.at, text.len);
    bool is_whole = wrote >= 0 && (size_t)wrote == text.len && fsync(file) == 0;
    int number = errno;
    (void)close(file);
    return is_whole ? OK : diag_errno(diag, number, "%s", path);
}

struct init_done {
    struct collection collection;
    char setup[TOKEN_TEXT_BYTES_MAX];
    char fingerprint[2 * SHA256_BYTES + 1];
    char ledger_key[NOTE_KEY_TEXT_BYTES_MAX];
};

static void ledger_key_show(const struct node *node, struct init_done *done)
{
    CLEANUP(buf_free) struct buf vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);

    note_verifier_write(&node->ledger.log_key.verifier, &vkey);
    (void)snprintf(done->ledger_key, sizeof(done->ledger_key), "%.*s", SLICE_ARG(buf_slice(&vkey)));
}

static result init_node(const struct cli *cli, struct node *node, struct init_done *done,
                        struct diag *diag)
{
    struct hash256 fingerprint;

    TRY(node_create(cli->folder, node, diag));
    if (cli_value(cli, "title") != NULL)
        TRY(config_set(&node->config, SLICE("title"), slice_text(cli_value(cli, "title")), diag));
    if (cli_value(cli, "listen") != NULL)
        TRY(config_set(&node->config, SLICE("listen"), slice_text(cli_value(cli, "listen")), diag));
    if (cli_value(cli, "origin") != NULL)
        TRY(config_set(&node->config, SLICE("ledger_origin"), slice_text(cli_value(cli, "origin")),
                       diag));
    TRY(settings_write(cli, &node->config, diag));
    TRY(node_keys(node, diag));
    TRY(node_note_settings(node, "setup", diag));
    TRY(store_collection_add(
        node->store, NULL, SLICE(FIRST_COLLECTION_TITLE), SLICE(FIRST_COLLECTION_ALIAS),
        SLICE("Objects that were imported here"), SLICE("setup"), &done->collection, diag));
    ledger_key_show(node, done);
    TRY(service_certificate(node, &fingerprint, diag));
    hex_encode(slice_of(fingerprint.bytes, SHA256_BYTES), done->fingerprint);
    done->fingerprint[2 * SHA256_BYTES] = '\0';
    return account_setup_begin(node->accounts, time_now_us() + SETUP_VALID_US, done->setup, diag);
}

static int print_json(const struct cli *cli, const char *url, const struct init_done *done)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);
    struct json_writer w = JSON_WRITER(&out);
    char id[UUID_TEXT_BYTES];

    uuid_format(&done->collection.id, id);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("folder"), slice_text(cli->folder));
    jw_put_string(&w, SLICE("collection"), slice_of(id, sizeof(id)));
    jw_put_string(&w, SLICE("alias"), slice_text(done->collection.alias));
    jw_put_string(&w, SLICE("certificate_sha256"), slice_text(done->fingerprint));
    jw_put_string(&w, SLICE("ledger_key"), slice_text(done->ledger_key));
    jw_put_string(&w, SLICE("setup_token"), slice_text(done->setup));
    jw_put_string(&w, SLICE("setup_url"), slice_text(url));
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void print_words(const struct cli *cli, const char *url, const struct init_done *done)
{
    char id[UUID_TEXT_BYTES];

    uuid_format(&done->collection.id, id);
    (void)printf("node         %s\n", cli->folder);
    (void)printf("collection   %.*s  \"%s\", alias %s\n", UUID_TEXT_BYTES, id,
                 done->collection.title, done->collection.alias);
    (void)printf("certificate  SHA-256 %s\n", done->fingerprint);
    (void)printf("ledger       %s\n", done->ledger_key);
    (void)printf("first administrator, once and within 24 hours, while \"entente serve\" runs:\n"
                 "             %s\n"
                 "or here:     entente user add NAME --role admin --password-file - --folder %s\n",
                 url, cli->folder);
}

int cmd_init(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct init_done done = {0};
    struct diag diag = {0};
    char url[2048];

    if (cli->word_count > 1 || (cli->word_count == 1 && cli_has(cli, "folder")))
        return cli_misused(cli, "one folder");
    if (cli->word_count == 1)
        cli->folder = cli->words[0];
    if (cli->folder == NULL)
        return cli_fail(CLI_MISUSED, "no folder: give --folder DIR or set ENTENTE_FOLDER");
    if (failed(init_node(cli, &node, &done, &diag)))
        return cli_failed(&diag);
    (void)snprintf(url, sizeof(url), "https://%s/setup/%s", node.config.listen, done.setup);
    if (cli->json)
        return print_json(cli, url, &done);
    print_words(cli, url, &done);
    return CLI_OK;
}
