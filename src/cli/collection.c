#include <inttypes.h>

#include "cli/cli.h"

#include "base/banned.h"

int cmd_collection_add(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    const char *id = cli_value(cli, "id"), *title = cli_value(cli, "title");
    struct collection made;
    struct uuid uuid;
    struct diag diag = {0};
    char text[UUID_TEXT_BYTES];

    if (cli->word_count != 0)
        return cli_misused(cli, "takes options only");
    if (title == NULL)
        return cli_misused(cli, "--title is needed");
    if (id != NULL && !uuid_parse(slice_text(id), &uuid))
        return cli_misused(cli, "--id = \"%s\": takes a UUID", id);
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    if (failed(store_collection_add(node.store, id != NULL ? &uuid : NULL, slice_text(title),
                                    slice_text(cli_value(cli, "alias")),
                                    slice_text(cli_value(cli, "description")), SLICE("cli"), &made,
                                    &diag)))
        return cli_failed(&diag);
    uuid_format(&made.id, text);
    if (cli->json)
        (void)printf("{\"id\":\"%.*s\"}\n", UUID_TEXT_BYTES, text);
    else
        (void)printf("%.*s\n", UUID_TEXT_BYTES, text);
    return CLI_OK;
}

/* Who may do what with a collection: "alice read, write". */
static void rights_json(struct store_view *view, const struct node *node, uint32_t collection,
                        struct json_writer *w)
{
    struct account account;

    jw_key(w, SLICE("rights"));
    jw_object_begin(w);
    for (size_t i = 0;; i++) {
        bool is_named = i > 0 && account_at(&view->txn, node->accounts, i - 1, &account);
        unsigned rights =
            account_rights(node->accounts, &view->txn, is_named ? &account : NULL, collection);

        if (i > 0 && !is_named)
            break;
        if (rights == 0)
            continue;
        jw_key(w, is_named ? slice_text(account.name) : SLICE(ACCOUNT_ANONYMOUS));
        jw_array_begin(w);
        if (rights & RIGHT_READ)
            jw_string(w, SLICE("read"));
        if (rights & RIGHT_WRITE)
            jw_string(w, SLICE("write"));
        jw_array_end(w);
    }
    jw_object_end(w);
}

static int print_json(struct store_view *view, const struct node *node,
                      const struct collection *collection)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 22);
    struct json_writer w = JSON_WRITER(&out);
    char id[UUID_TEXT_BYTES];

    uuid_format(&collection->id, id);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("id"), slice_of(id, sizeof(id)));
    jw_put_string(&w, SLICE("title"), slice_text(collection->title));
    jw_put_string(&w, SLICE("alias"), slice_text(collection->alias));
    jw_put_string(&w, SLICE("description"), slice_text(collection->description));
    jw_put_u64(&w, SLICE("objects"), store_collection_count(view, collection->number));
    rights_json(view, node, collection->number, &w);
    jw_object_end(&w);
    return cli_print_json(&out);
}

static void print_words(struct store_view *view, const struct node *node,
                        const struct collection *collection)
{
    char id[UUID_TEXT_BYTES];
    struct account account;

    uuid_format(&collection->id, id);
    (void)printf("%.*s  %" PRIu64 " objects  \"", UUID_TEXT_BYTES, id,
                 store_collection_count(view, collection->number));
    cli_print_text(stdout, slice_text(collection->title));
    (void)printf("\"%s%s\n", collection->alias[0] != '\0' ? "  alias " : "", collection->alias);
    unsigned rights = account_rights(node->accounts, &view->txn, NULL, collection->number);
    if (rights != 0)
        (void)printf("    %-24s %s%s\n", "anyone", rights & RIGHT_READ ? "read " : "",
                     rights & RIGHT_WRITE ? "write" : "");
    for (size_t i = 0; account_at(&view->txn, node->accounts, i, &account); i++) {
        rights = account_rights(node->accounts, &view->txn, &account, collection->number);
        if (rights != 0)
            (void)printf("    %-24s %s%s\n", account.name, rights & RIGHT_READ ? "read " : "",
                         rights & RIGHT_WRITE ? "write" : "");
    }
}

int cmd_collection_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    struct collection collection = {0};
    struct diag diag = {0};
    int code = cli_node_open(cli, true, &node);

    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    while (store_collection_next(&view, collection.number, &collection)) {
        if (!cli->json)
            print_words(&view, &node, &collection);
        else if (print_json(&view, &node, &collection) != CLI_OK)
            return CLI_FAILED;
    }
    return diag.code != ERR_NONE ? cli_failed(&diag) : CLI_OK;
}

int cmd_collection_remove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct collection collection;
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "name one collection");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    {
        CLEANUP(store_view_end) struct store_view view = {0};

        store_view_begin(node.store, &view, &diag);
        code = cli_collection(&view, cli->words[0], true, &collection);
    }
    if (code != CLI_OK)
        return code;
    if (failed(store_collection_remove(node.store, collection.number, SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "collection \"%s\" removed", collection.title);
    return CLI_OK;
}

/* ---- rights ---- */

struct grant {
    const char *user;
    struct collection collection;
    unsigned before; /* what the account has been granted */
};

/* USER, or COLLECTION and USER in either order, or USER with --collection. */
static int grant_names(struct cli *cli, struct store_view *view, struct grant *grant)
{
    const char *collection = cli_value(cli, "collection");

    if (collection == NULL)
        collection = cli_value(cli, "id");
    if (cli->word_count == 0 || cli->word_count > 2 || (cli->word_count == 2 && collection != NULL))
        return cli_misused(cli, "name an account and, when there are several, a collection");
    grant->user = cli->words[cli->word_count - 1];
    if (cli->word_count == 2) {
        struct collection found;

        collection = cli->words[0];
        if (!store_collection_find(view, slice_text(collection), &found) &&
            store_collection_find(view, slice_text(cli->words[1]), &found)) {
            collection = cli->words[1];
            grant->user = cli->words[0];
        }
    }
    return cli_collection(view, collection, true, &grant->collection);
}

static int grant_find(struct cli *cli, struct node *node, struct grant *grant)
{
    CLEANUP(store_view_end) struct store_view view = {0};
    struct diag diag = {0};

    store_view_begin(node->store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    int code = grant_names(cli, &view, grant);
    if (code == CLI_OK)
        grant->before = account_granted(node->accounts, &view.txn, slice_text(grant->user),
                                        grant->collection.number);
    return code;
}

static int grant_change(struct cli *cli, struct node *node, const struct grant *grant,
                        unsigned rights)
{
    struct diag diag = {0};

    if (failed(account_grant(node->accounts, slice_text(grant->user), grant->collection.number,
                             rights, SLICE("cli"), &diag)))
        return cli_failed(&diag);
    cli_say(cli, "%s: %s%s%s \"%s\"", grant->user, rights == 0 ? "no right on" : "",
            rights & RIGHT_READ ? "may read " : "",
            rights & RIGHT_WRITE ? (rights & RIGHT_READ ? "and write" : "may write") : "",
            grant->collection.title);
    return CLI_OK;
}

static unsigned rights_given(const struct cli *cli)
{
    return (cli_has(cli, "read") ? (unsigned)RIGHT_READ : 0) |
           (cli_has(cli, "write") ? (unsigned)RIGHT_WRITE : 0);
}

int cmd_collection_grant(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct grant grant = {0};
    unsigned rights = rights_given(cli);

    if (rights == 0)
        return cli_misused(cli, "--read, --write or both");
    int code = cli_node_open(cli, false, &node);
    if (code == CLI_OK)
        code = grant_find(cli, &node, &grant);
    return code == CLI_OK ? grant_change(cli, &node, &grant, grant.before | rights) : code;
}

int cmd_collection_revoke(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct grant grant = {0};
    unsigned rights = rights_given(cli);

    if (rights == 0)
        rights = RIGHT_READ | RIGHT_WRITE;
    int code = cli_node_open(cli, false, &node);
    if (code == CLI_OK)
        code = grant_find(cli, &node, &grant);
    return code == CLI_OK ? grant_change(cli, &node, &grant, grant.before & ~rights) : code;
}
