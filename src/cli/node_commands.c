/* status, rebuild, remove, config: the node as a whole. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "cli/cli.h"

#include "base/banned.h"

/* ---- status ---- */

struct health {
    bool is_checked;
    struct hash256 state;
    uint64_t broken;
};

static int check_objects(const struct cli *cli, struct store_view *view, struct health *health)
{
    struct cli_progress progress;

    cli_progress_begin(&progress, cli, "checking");
    for (uint64_t seq = 0; seq < view->seq_end; seq++) {
        struct diag diag = {0};

        cli_progress_step(&progress, seq, view->seq_end, seq);
        if (failed(store_item_check(view, seq, &diag))) {
            cli_progress_end(&progress);
            if (health->broken++ < 10)
                (void)cli_failed(&diag);
        }
    }
    cli_progress_end(&progress);
    struct diag diag = {0};
    health->is_checked = true;
    return failed(store_state_hash(view, &health->state, &diag)) ? cli_failed(&diag) : CLI_OK;
}

static int status_json(const struct cli *cli, const struct store_status *status,
                       const struct health *health)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);
    char hex[2 * SHA256_BYTES];
    const struct {
        slice name;
        uint64_t count;
    } rows[] = {
        {SLICE("format"), status->format},
        {SLICE("entries"), status->entries},
        {SLICE("additions"), status->additions},
        {SLICE("objects"), status->live},
        {SLICE("removed"), status->removed},
        {SLICE("collections"), status->collections},
        {SLICE("segment_bytes"), status->segment_bytes},
        {SLICE("index_bytes"), status->index_bytes},
    };

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("folder"), slice_text(cli->folder));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        jw_put_u64(&w, rows[i].name, rows[i].count);
    if (health->is_checked) {
        hex_encode(slice_of(health->state.bytes, SHA256_BYTES), hex);
        jw_put_string(&w, SLICE("state_sha256"), slice_of(hex, sizeof(hex)));
        jw_put_u64(&w, SLICE("broken"), health->broken);
    }
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void status_words(const struct cli *cli, const struct store_status *status,
                         const struct health *health)
{
    char hex[2 * SHA256_BYTES];

    (void)printf("node         %s  (format %" PRIu32 ")\n", cli->folder, status->format);
    (void)printf("objects      %" PRIu64 " in %" PRIu64 " collection%s, %" PRIu64 " removed\n",
                 status->live, status->collections, status->collections == 1 ? "" : "s",
                 status->removed);
    (void)printf("log          %" PRIu64 " entries\n", status->entries);
    (void)printf("on disk      %.1f MB object text, %.1f MB log and indexes\n",
                 (double)status->segment_bytes / 1e6, (double)status->index_bytes / 1e6);
    if (!health->is_checked)
        return;
    hex_encode(slice_of(health->state.bytes, SHA256_BYTES), hex);
    (void)printf("state        SHA-256 %.*s\n", (int)sizeof(hex), hex);
    (void)printf("checked      every object's checksum: %" PRIu64 " broken\n", health->broken);
}

int cmd_status(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    struct store_status status;
    struct health health = {0};
    struct diag diag = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    store_status(&view, &status);
    if (cli_has(cli, "check"))
        code = check_objects(cli, &view, &health);
    if (code != CLI_OK)
        return code;
    if (cli->json)
        code = status_json(cli, &status, &health);
    else
        status_words(cli, &status, &health);
    return health.broken > 0 ? CLI_UNVERIFIED : code;
}

/* ---- rebuild ---- */

int cmd_rebuild(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct hash256 before, after;
    struct diag diag = {0};
    char hex[2 * SHA256_BYTES];
    uint64_t start = time_mono_ns();

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open_to_mend(cli, &node);
    if (code != CLI_OK)
        return code;
    if (failed(node_rebuild(&node, &before, &after, &diag)))
        return cli_failed(&diag);
    bool is_same = hash256_eq(&before, &after);
    hex_encode(slice_of(after.bytes, SHA256_BYTES), hex);
    double seconds = (double)(time_mono_ns() - start) / 1e9;
    if (cli->json)
        (void)printf("{\"same\":%s,\"state_sha256\":\"%.*s\",\"took_ms\":%.0f}\n",
                     is_same ? "true" : "false", (int)sizeof(hex), hex, seconds * 1000);
    else
        (void)printf("rebuilt in %.2f s; state SHA-256 %.*s\n", seconds, (int)sizeof(hex), hex);
    if (is_same)
        return CLI_OK;
    return cli_fail(CLI_UNVERIFIED, "the tables were not what the log says; they are now");
}

/* ---- remove ---- */

/* The versions named by --version; none: all. */
static int versions_take(const struct cli *cli, struct arena *arena, struct store_query *query)
{
    size_t count = cli_value_count(cli, "version");
    struct timestamp *versions = arena_new(arena, struct timestamp, count + 1);

    if (versions == NULL)
        return cli_fail(CLI_FAILED, "no memory");
    for (size_t i = 0; i < count; i++) {
        const char *text = cli_value_at(cli, "version", i);

        if (!timestamp_parse(slice_text(text), &versions[i]))
            return cli_misused(
                cli, "--version = \"%s\": takes a timestamp as \"entente show\" prints it", text);
    }
    *query = (struct store_query){
        .version_all = count == 0, .versions = versions, .version_count = count};
    return CLI_OK;
}

static int remove_from(struct cli *cli, struct node *node, uint32_t collection)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 20);
    struct store_query versions;
    uint64_t total = 0;
    int code = versions_take(cli, &arena, &versions), worst = CLI_OK;

    if (code != CLI_OK)
        return code;
    for (size_t i = 0; i < cli->word_count; i++) {
        struct diag diag = {0};
        uint64_t count = 0;

        if (failed(store_remove(node->store, collection, slice_text(cli->words[i]), &versions,
                                SLICE("cli"), STORE_WAITS, &count, &diag)))
            worst = cli_failed(&diag);
        else if (count == 0)
            worst = cli_fail(CLI_NOT_FOUND, "%s: not held there", cli->words[i]);
        total += count;
    }
    cli_say(cli, "removed %" PRIu64 " version%s", total, total == 1 ? "" : "s");
    return worst;
}

int cmd_remove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct collection collection;
    struct diag diag = {0};

    if (cli->word_count == 0)
        return cli_misused(cli, "name an object's id");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    {
        CLEANUP(store_view_end) struct store_view view = {0};

        store_view_begin(node.store, &view, &diag);
        code = cli_collection(&view, cli_value(cli, "collection"), true, &collection);
    }
    return code == CLI_OK ? remove_from(cli, &node, collection.number) : code;
}

/* ---- config ---- */

static int setting_json(const struct config_item *item)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 16);
    struct json_writer w = JSON_WRITER(&out);
    const struct {
        slice name;
        const char *value;
    } rows[] = {
        {SLICE("name"), item->name},        {SLICE("value"), item->value},
        {SLICE("default"), item->fallback}, {SLICE("takes"), item->bounds},
        {SLICE("kind"), item->kind},        {SLICE("help"), item->help},
    };

    jw_object_begin(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        jw_put_string(&w, rows[i].name, slice_text(rows[i].value));
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void setting_words(const struct config_item *item)
{
    bool is_changed = !slice_eq(slice_text(item->value), slice_text(item->fallback));

    (void)printf("%-28s %s%s%s%s\n", item->name, item->value[0] != '\0' ? item->value : "\"\"",
                 is_changed ? "   (default " : "", is_changed ? item->fallback : "",
                 is_changed ? ")" : "");
    (void)printf("    %s%s%s\n", item->help, item->bounds[0] != '\0' ? "; " : "", item->bounds);
}

/* The settings file: the one named, else the node's. */
static int settings_load(struct cli *cli, struct config *config)
{
    char path[4200];
    struct diag diag = {0};

    if (cli->word_count > 0)
        (void)snprintf(path, sizeof(path), "%s", cli->words[0]);
    else if (cli->folder != NULL)
        (void)snprintf(path, sizeof(path), "%s/entente.yaml", cli->folder);
    else
        return cli_fail(CLI_MISUSED, "no folder: give --folder DIR or set ENTENTE_FOLDER");
    return failed(config_load(path, config, &diag)) ? cli_failed(&diag) : CLI_OK;
}

int cmd_config_list(struct cli *cli)
{
    struct config config;
    struct config_item item;
    int code = settings_load(cli, &config);

    if (code == CLI_NOT_FOUND && cli->word_count == 0) {
        cli_say(cli, "showing the defaults");
        config_defaults(&config);
        code = CLI_OK;
    }
    for (size_t i = 0; code == CLI_OK && config_item_at(&config, i, &item); i++) {
        if (cli->json)
            code = setting_json(&item);
        else
            setting_words(&item);
    }
    return code;
}

int cmd_config_check(struct cli *cli)
{
    struct config config;
    enum stix_mode mode;
    int code = settings_load(cli, &config);

    if (code != CLI_OK)
        return code == CLI_NOT_FOUND ? code : CLI_FAILED;
    if (!stix_mode_parse(slice_text(config.check), &mode))
        return cli_fail(CLI_FAILED, "check = \"%s\": takes strict, normal or lenient",
                        config.check);
    cli_say(cli, "the settings are good");
    return CLI_OK;
}
