#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/export_to.h"
#include "cli/query.h"
#include "cli/reading.h"
#include "ledger/witness.h"
#include "store/merkle.h"

#include "base/banned.h"

#define EXPORT_PAGE_OBJECTS 1000
#define EXPORT_PAGE_BYTES ((size_t)16 << 20)
#define PATH_BYTES_MAX 4200
#define QUERY_BYTES_MAX 8192 /* as the entry tells it; what is over is left out */

/* Bundle ids say nothing (STIX 2.1, 8); this one is derived from what was asked of which state, so
 * that the same export of the same state is the same file. */
static void bundle_id(const struct store_view *view, const struct cli *cli,
                      char out[UUID_TEXT_BYTES])
{
    static const struct uuid name_space = {{0x6e, 0x1f, 0x0b, 0x52, 0x5d, 0x2c, 0x4b, 0x8e, 0x9b,
                                            0x63, 0x2f, 0x4a, 0x6e, 0x0a, 0x9d, 0x71}};
    CLEANUP(buf_free) struct buf name = BUF(1 << 20);

    buf_u64(&name, view->seq_end);
    for (size_t i = 0; i < cli->given_count; i++) {
        if (slice_eq(slice_text(cli->given[i].option->name), SLICE("output")))
            continue;
        buf_printf(&name, "%s=%s\n", cli->given[i].option->name,
                   cli->given[i].value != NULL ? cli->given[i].value : "");
    }
    struct uuid uuid = uuid_v5(&name_space, buf_slice(&name));
    uuid_format(&uuid, out);
}

static result export_pages(struct cli_reader *reader, struct store_view *view,
                           struct store_query *query, FILE *out, uint64_t *count, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)256 << 20);
    struct store_page page = {.more = true};

    while (page.more) {
        arena_reset(&arena);
        TRY(cli_reader_find(reader, view, query, EXPORT_PAGE_OBJECTS, EXPORT_PAGE_BYTES, true,
                            &arena, &page, diag));
        query->seq_from = page.next_seq;
        if (page.count == 0)
            continue;
        (void)fputs(*count == 0 ? ",\"objects\":[\n" : ",\n", out);
        if (fwrite(page.text.at, 1, page.text.len, out) != page.text.len)
            return diag_errno(diag, errno, "writing the bundle");
        *count += page.count;
    }
    return OK;
}

/* ---- the entry: what leaves is in the log before its first byte is out ---- */

static result leaving_sum(struct cli_reader *reader, struct store_view *view,
                          struct store_query query, uint64_t *count, struct hash256 *root,
                          struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)64 << 20);
    struct store_page page = {.more = true};
    struct merkle merkle = {0};
    struct store_item item;

    while (page.more) {
        arena_reset(&arena);
        TRY(cli_reader_find(reader, view, &query, EXPORT_PAGE_OBJECTS, SIZE_MAX, false, &arena,
                            &page, diag));
        for (size_t i = 0; i < page.count; i++) {
            if (!store_item_at(view, page.seqs[i], &item)) {
                TRY(view->txn.state);
                return diag_fail(diag, ERR_CORRUPT, "addition %llu cannot be read",
                                 (unsigned long long)page.seqs[i]);
            }
            struct hash256 leaf = tree_leaf(slice_of(item.hash.bytes, SHA256_BYTES));
            merkle_add(&merkle, &leaf);
        }
        *count += page.count;
        query.seq_from = page.next_seq;
    }
    *root = merkle_root(&merkle);
    return view->txn.state;
}

static void query_tell(const struct cli *cli, struct buf *out)
{
    for (size_t i = 0; i < cli->given_count; i++) {
        const char *name = cli->given[i].option->name;

        if (slice_eq(slice_text(name), SLICE("output")) ||
            slice_eq(slice_text(cli->given[i].option->command), SLICE("*")))
            continue;
        buf_printf(out, "%s--%s%s%.200s", out->len > 0 ? " " : "", name,
                   cli->given[i].value != NULL ? "=" : "",
                   cli->given[i].value != NULL ? cli->given[i].value : "");
    }
}

static result leaving_note(const struct cli *cli, const struct node *node,
                           struct cli_reader *reader, struct store_view *view,
                           const struct store_query *query, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(LEDGER_ENTRY_BYTES_MAX), told = BUF(QUERY_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&body);
    char hex[2 * SHA256_BYTES];
    struct hash256 root;
    uint64_t count = 0, number;

    TRY(leaving_sum(reader, view, *query, &count, &root, diag));
    if (count == 0)
        return OK;
    hex_encode(slice_of(root.bytes, SHA256_BYTES), hex);
    query_tell(cli, &told);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("actor"),
                  reader->has_account ? slice_text(reader->account.name) : SLICE("cli"));
    jw_put_u64(&w, SLICE("collection"), query->collection);
    jw_put_u64(&w, SLICE("count"), count);
    jw_put_string(&w, SLICE("query"), buf_slice(&told));
    jw_put_string(&w, SLICE("root"), slice_of(hex, sizeof(hex)));
    jw_object_end(&w);
    if (body.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for an entry of the log");
    return ledger_note(&node->ledger, SLICE("export"), buf_slice(&body), &number, diag);
}

static result export_to(const struct cli *cli, struct cli_reader *reader, struct store_view *view,
                        struct store_query *query, FILE *out, uint64_t *count, struct diag *diag)
{
    char id[UUID_TEXT_BYTES];

    bundle_id(view, cli, id);
    (void)fprintf(out, "{\"type\":\"bundle\",\"id\":\"bundle--%.*s\"", UUID_TEXT_BYTES, id);
    TRY(export_pages(reader, view, query, out, count, diag));
    (void)fputs(*count == 0 ? "}\n" : "\n]}\n", out); /* STIX 2.1, 2.9: no list is empty */
    if (fflush(out) != 0 || ferror(out))
        return diag_errno(diag, errno, "writing the bundle");
    return OK;
}

/* A device or a pipe takes the bundle as it comes. */
static result export_stream(const struct cli *cli, struct cli_reader *reader,
                            struct store_view *view, struct store_query *query, const char *path,
                            uint64_t *count, struct diag *diag)
{
    FILE *out = fopen(path, "we");

    if (out == NULL)
        return diag_errno(diag, errno, "%s", path);
    result r = export_to(cli, reader, view, query, out, count, diag);
    if (fclose(out) != 0 && succeeded(r))
        r = diag_errno(diag, errno, "%s", path);
    return diag_within(diag, r, "%s", path);
}

/* Beside the target, made durable, then renamed over it: a reader sees the old file or the new one.
 * A link stays and what it points to is replaced; what is no file is never replaced by one. */
static result export_file(const struct cli *cli, struct cli_reader *reader, struct store_view *view,
                          struct store_query *query, const char *named, uint64_t *count,
                          struct diag *diag)
{
    char beside[PATH_BYTES_MAX], real[PATH_MAX];
    const char *path = realpath(named, real) != NULL ? real : named;
    struct stat about;

    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
        return export_stream(cli, reader, view, query, named, count, diag);
    int bytes = snprintf(beside, sizeof(beside), "%s.%ld.part", path, (long)getpid());

    if (bytes < 0 || (size_t)bytes >= sizeof(beside))
        return diag_fail(diag, ERR_LIMIT, "%s: the path is too long", path);
    FILE *out = fopen(beside, "wxe");
    if (out == NULL)
        return diag_errno(diag, errno, "%s", beside);
    result r = export_to(cli, reader, view, query, out, count, diag);
    if (succeeded(r) && fsync(fileno(out)) != 0)
        r = diag_errno(diag, errno, "%s", beside);
    if (fclose(out) != 0 && succeeded(r))
        r = diag_errno(diag, errno, "%s", beside);
    if (succeeded(r) && rename(beside, path) != 0)
        r = diag_errno(diag, errno, "%s", path);
    if (failed(r))
        (void)unlink(beside);
    return r;
}

int cmd_export(struct cli *cli)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)16 << 20);
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(cli_reader_close) struct cli_reader reader = {0};
    const char *path = cli_value(cli, cli_has(cli, "out") ? "out" : "output");
    const char *format = cli_value(cli, "to");
    struct store_query query;
    struct diag diag = {0};
    uint64_t count = 0;

    if (cli->word_count != 0)
        return cli_misused(cli, "takes options only");
    if (format != NULL)
        return cli_export_to(cli, format);
    if (cli_has(cli, "only") || cli_has(cli, "use") || cli_has(cli, "min-confidence") ||
        cli_has(cli, "max-tlp") || cli_has(cli, "exact-domains") || cli_has(cli, "zone") ||
        cli_has(cli, "suricata-version"))
        return cli_misused(cli, "an option for defences' files needs --to FORMAT");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    code = cli_query(cli, &view, &arena, &query);
    if (code == CLI_OK)
        code = cli_reader_open(cli, &node, &view, false, &reader);
    if (code != CLI_OK)
        return code;
    if (failed(leaving_note(cli, &node, &reader, &view, &query, &diag)))
        return cli_failed(&diag);
    reader.withheld = 0; /* each was counted for the entry */
    result r = path == NULL ? export_to(cli, &reader, &view, &query, stdout, &count, &diag)
                            : export_file(cli, &reader, &view, &query, path, &count, &diag);
    if (failed(r))
        return cli_failed(&diag);
    cli_reader_tell(cli, &reader);
    if (path != NULL)
        cli_say(cli, "wrote %" PRIu64 " object%s to %s", count, count == 1 ? "" : "s", path);
    return CLI_OK;
}
