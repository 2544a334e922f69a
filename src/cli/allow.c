/* allow add, list, remove: warning lists, whose values are not worth a hit. */
#include <inttypes.h>

#include "base/encode.h"
#include "base/source.h"
#include "base/time.h"
#include "cli/cli.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)2 << 30)

/* A file's name without folders and endings: what a plain list is called. */
static slice name_of(const char *path)
{
    static const slice endings[] = {S(".gz"),   S(".zst"),  S(".txt"),
                                    S(".list"), S(".json"), S(".csv")};
    slice name = slice_text(path);

    for (size_t at = slice_find_byte(name, '/'); at != SIZE_MAX && at + 1 < name.len;
         at = slice_find_byte(name, '/'))
        name = slice_from(name, at + 1);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (slice_ends(name, endings[i]) && name.len > endings[i].len)
            name.len -= endings[i].len;
    return slice_eq(name, SLICE("-")) ? SLICE("standard input") : name;
}

static result text_read(const char *path, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    size_t count = 0;

    TRY(source_open(path, &source, diag));
    do {
        char *room = buf_reserve(out, (size_t)1 << 16);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: has more than %zu bytes", path,
                             ALLOW_FILE_BYTES_MAX);
        TRY(diag_within(diag, source_read(source, room, (size_t)1 << 16, &count, diag), "%s",
                        source_name(source)));
        out->len += count;
    } while (count > 0);
    return OK;
}

static int print_kept(const struct cli *cli, const struct allow_kept *kept)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    struct json_writer w = JSON_WRITER(&out);
    char hex[2 * SHA256_BYTES], when[TIMESTAMP_TEXT_BYTES_MAX];

    if (!cli->json) {
        (void)printf("%10" PRIu64 "  %-9s  ", kept->value_count, allow_type_name(kept->list.type));
        cli_print_text(stdout, kept->list.name);
        if (kept->list.version.len > 0) {
            (void)printf("  version ");
            cli_print_text(stdout, kept->list.version);
        }
        (void)putchar('\n');
        return CLI_OK;
    }
    hex_encode(slice_of(kept->hash.bytes, SHA256_BYTES), hex);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("name"), kept->list.name);
    jw_put_string(&w, SLICE("version"), kept->list.version);
    jw_put_string(&w, SLICE("description"), kept->list.description);
    jw_put_string(&w, SLICE("type"), slice_text(allow_type_name(kept->list.type)));
    jw_put_u64(&w, SLICE("values"), kept->value_count);
    jw_key(&w, SLICE("matching_attributes"));
    jw_array_begin(&w);
    for (size_t i = 0; i < kept->list.attribute_count; i++)
        jw_string(&w, kept->list.attributes[i]);
    jw_array_end(&w);
    jw_put_string(&w, SLICE("added"), slice_of(when, time_format_us(kept->added_us, when)));
    jw_put_string(&w, SLICE("sha256"), slice_of(hex, sizeof(hex)));
    jw_object_end(&w);
    return cli_print_json(&out);
}

static result list_add(const struct cli *cli, const struct node *node, const char *path,
                       const struct allow_choice *choice, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(buf_free) struct buf text = BUF(ALLOW_FILE_BYTES_MAX + ((size_t)1 << 16));
    struct allow_choice named = *choice;
    struct allow_place place = node_allow(node);
    struct allow_list list;
    char shown[ALLOW_NAME_BYTES_MAX + 64];
    bool is_new;

    TRY(text_read(path, &text, diag));
    bool is_misp = slice_starts(slice_trim(buf_slice(&text)), SLICE("{"));
    if (named.name.len == 0 && !is_misp)
        named.name = name_of(path);
    TRY(diag_within(diag, allow_read(buf_slice(&text), &named, &arena, &list, diag), "%s", path));
    TRY(diag_within(diag, allow_keep(&place, &list, SLICE("cli"), &is_new, diag), "%s", path));
    (void)printable(shown, sizeof(shown), list.name);
    cli_say(cli, "\"%s\": %zu values (%s) %s", shown, list.value_count, allow_type_name(list.type),
            is_new ? "kept" : "held already");
    return OK;
}

int cmd_allow_add(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct allow_choice choice = {.name = slice_text(cli_value(cli, "name"))};
    const char *type = cli_value(cli, "type");

    if (cli->word_count == 0)
        return cli_misused(cli, "a file is needed, or - for standard input");
    if (type != NULL && !allow_type_parse(slice_text(type), &choice.type))
        return cli_misused(cli, "--type = \"%s\": takes string, substring, hostname, cidr or regex",
                           type);
    if (cli->word_count > 1 && choice.name.len > 0)
        return cli_misused(cli, "--name is for one list, and %zu are given", cli->word_count);
    choice.has_type = type != NULL;
    int code = cli_node_open(cli, false, &node);
    for (size_t i = 0; code == CLI_OK && i < cli->word_count; i++) {
        struct diag diag = {0};

        if (failed(list_add(cli, &node, cli->words[i], &choice, &diag)))
            code = cli_failed(&diag);
    }
    return code;
}

int cmd_allow_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)256 << 20);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    const struct allow_kept *lists;
    size_t count;
    struct diag diag = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    struct allow_place place = node_allow(&node);
    kv_begin_read(place.kv, &txn, &diag);
    if (failed(allow_all(&place, &txn, &arena, &lists, &count, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; code == CLI_OK && i < count; i++)
        code = print_kept(cli, &lists[i]);
    kv_abort(&txn);
    return cli_end(code);
}

int cmd_allow_remove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "one list's name, as \"allow list\" prints it");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    struct allow_place place = node_allow(&node);
    if (failed(allow_drop(&place, slice_text(cli->words[0]), SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "\"%s\" removed", cli->words[0]);
    return CLI_OK;
}
