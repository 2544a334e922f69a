#include <inttypes.h>

#include "cli/cli.h"
#include "cli/intake.h"
#include "cli/remote.h"

#include "base/banned.h"

struct puller {
    const struct cli *cli;
    struct node *node;
    struct taxii_remote *remote;
    struct collection into;
    enum stix_mode mode;
    struct intake intake;
    const char *url; /* of the remote collection under way */
    struct taxii_position position;
};

static void warn(void *context, const char *text)
{
    (void)context;
    (void)cli_fail(CLI_OK, "%s", text);
}

/* One page, durable before the position moves on. */
static result take_page(void *context, slice envelope, struct diag *diag)
{
    struct puller *puller = context;
    const struct config *config = &puller->node->config;
    struct import_options options = {
        .collection = puller->into.number,
        .mode = puller->mode,
        .object_bytes_max = config->object_bytes_max,
        .json_depth_max = config->json_depth_max,
        .origin = slice_text(puller->url),
        .actor = SLICE("cli"),
        .report = intake_report,
        .progress = intake_progress,
        .context = &puller->intake,
    };
    struct import_counts counts = {0};
    struct source *source;

    TRY(source_of_memory(envelope, &source, diag));
    result r = store_import(puller->node->store, source, &options, &counts, diag);
    source_close(&source);
    if (succeeded(r))
        intake_add(&puller->intake, puller->url, &counts);
    return r;
}

static int pull_collection(struct puller *puller, const struct taxii_remote_collection *remote)
{
    char before[REMOTE_POSITION_BYTES_MAX];
    struct diag diag = {0};

    puller->url = remote->url;
    puller->position = (struct taxii_position){0};
    if (!cli_has(puller->cli, "from-start")) {
        if (failed(remote_position_load(puller->node, "pull", remote->url, puller->into.number,
                                        before, &diag)))
            return cli_failed(&diag);
        (void)snprintf(puller->position.added_after, sizeof(puller->position.added_after), "%.63s",
                       before);
    }
    intake_begin(&puller->intake, remote->url);
    result r =
        taxii_remote_poll(puller->remote, remote->url, &puller->position, take_page, puller, &diag);
    intake_end(&puller->intake);
    int code = failed(r) ? cli_failed(&diag) : CLI_OK;
    diag_reset(&diag);
    /* What was taken before a failure stays taken: the position says so. */
    if (puller->position.added_after[0] != '\0' &&
        failed(remote_position_save(puller->node, "pull", remote->url, puller->into.number,
                                    puller->position.added_after, &diag)))
        return cli_failed(&diag);
    return code;
}

static int list_print(const struct cli *cli, const struct taxii_remote_collection *collection)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("%-36s  %s%s  \"", collection->id, collection->can_read ? "r" : "-",
                     collection->can_write ? "w" : "-");
        cli_print_text(stdout, slice_text(collection->title));
        (void)printf("\"  %s\n", collection->url);
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), slice_text(collection->id));
    jw_put_string(&w, SLICE("title"), slice_text(collection->title));
    jw_put_string(&w, SLICE("url"), slice_text(collection->url));
    jw_put_bool(&w, SLICE("can_read"), collection->can_read);
    jw_put_bool(&w, SLICE("can_write"), collection->can_write);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static bool is_wanted(const struct cli *cli, const struct taxii_remote_collection *collection)
{
    size_t count = cli_value_count(cli, "collection");

    for (size_t i = 0; i < count; i++) {
        slice wanted = slice_text(cli_value_at(cli, "collection", i));

        if (slice_eq_nocase(wanted, slice_text(collection->id)) ||
            slice_eq(wanted, slice_text(collection->title)))
            return true;
    }
    return count == 0;
}

static int pull_all(struct puller *puller)
{
    const struct taxii_remote_collection *collections;
    const struct cli *cli = puller->cli;
    size_t count, wanted = 0;
    struct diag diag = {0};
    int worst = CLI_OK;

    if (failed(taxii_remote_list(puller->remote, warn, NULL, &collections, &count, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(cli, &collections[i]))
            continue;
        wanted++;
        int code = cli_has(cli, "list")      ? list_print(cli, &collections[i])
                   : collections[i].can_read ? pull_collection(puller, &collections[i])
                                             : CLI_OK;
        if (code != CLI_OK)
            worst = code;
    }
    if (wanted == 0)
        return cli_fail(CLI_NOT_FOUND, "%s: no such collection among %zu", cli->words[0], count);
    if (cli_has(cli, "list"))
        return worst;
    int code = intake_summary(&puller->intake, "took", puller->into.title);
    return worst != CLI_OK ? worst : code;
}

static int pull_prepare(struct cli *cli, struct node *node, struct puller *puller)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    const char *mode = cli_value(cli, "check");
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "name one URL: discovery, an API root or a collection");
    int code = cli_node_open(cli, false, node);
    if (code != CLI_OK)
        return code;
    if (!stix_mode_parse(slice_text(mode != NULL ? mode : node->config.check), &puller->mode))
        return cli_misused(cli, "--check = \"%s\": strict, normal or lenient", mode);
    store_view_begin(node->store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    return cli_collection(&view, cli_value(cli, "into"), false, &puller->into);
}

int cmd_pull(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = NULL;
    struct puller puller = {.cli = cli, .node = &node};
    int code = pull_prepare(cli, &node, &puller);

    if (code == CLI_OK)
        code = remote_open(cli, &node, &remote);
    if (code != CLI_OK)
        return code;
    puller.remote = remote;
    intake_init(&puller.intake, cli, false);
    return pull_all(&puller);
}
