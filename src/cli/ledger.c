/* ledger head, prove, check-consistency, export, bundle. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/ledger_query.h"
#include "ledger/cosign.h"
#include "ledger/proof.h"
#include "ledger/tile.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4200
#define PROOF_BYTES_MAX ((size_t)256 << 10)
#define BUNDLE_FLUSH_BYTES ((size_t)1 << 20)
#define BUNDLE_BUFFER_BYTES_MAX ((size_t)4 << 20)

/* ---- output: a file that is whole or not there, or standard output ---- */

struct output {
    const char *path; /* NULL: standard output */
    char beside[PATH_BYTES_MAX + 32];
    FILE *out;
};

static result output_open(const char *path, struct output *output, struct diag *diag)
{
    *output = (struct output){.path = path, .out = stdout};
    if (path == NULL)
        return OK;
    (void)snprintf(output->beside, sizeof(output->beside), "%.*s.%ld.part", PATH_BYTES_MAX, path,
                   (long)getpid());
    output->out = fopen(output->beside, "wxe");
    return output->out != NULL ? OK : diag_errno(diag, errno, "%s", output->beside);
}

static result output_put(struct output *output, slice bytes, struct diag *diag)
{
    if (fwrite(bytes.at, 1, bytes.len, output->out) != bytes.len)
        return diag_errno(diag, errno, "%s",
                          output->path != NULL ? output->path : "standard output");
    return OK;
}

/* r: how it went so far. */
static result output_close(struct output *output, result r, struct diag *diag)
{
    if (output->path == NULL || output->out == NULL)
        return r;
    if (succeeded(r) && (fflush(output->out) != 0 || fsync(fileno(output->out)) != 0))
        r = diag_errno(diag, errno, "%s", output->path);
    if (fclose(output->out) != 0 && succeeded(r))
        r = diag_errno(diag, errno, "%s", output->path);
    if (succeeded(r) && rename(output->beside, output->path) != 0)
        r = diag_errno(diag, errno, "%s", output->path);
    if (failed(r))
        (void)unlink(output->beside);
    return r;
}

static result text_out(const char *path, slice text, struct diag *diag)
{
    struct output output;

    TRY(output_open(path, &output, diag));
    return output_close(&output, output_put(&output, text, diag), diag);
}

/* ---- head ---- */

struct head_view {
    slice text;
    struct note note;
    struct checkpoint checkpoint;
    struct cosigners cosigners;
    size_t cosigned;
};

static void head_words(const struct node *node, const struct head_view *head)
{
    (void)fwrite(head->text.at, 1, head->text.len, stdout);
    if (head->cosigners.count > 0 || node->config.ledger_cosignatures_min > 0)
        (void)fprintf(stderr, "cosigned by %zu of %zu witnesses; %zu needed\n", head->cosigned,
                      head->cosigners.count, node->config.ledger_cosignatures_min);
}

static int head_json(const struct node *node, const struct head_view *head)
{
    CLEANUP(buf_free) struct buf out = BUF((size_t)1 << 17), vkey = BUF(NOTE_KEY_TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);
    char hex[2 * SHA256_BYTES];

    hex_encode(slice_of(head->checkpoint.root.bytes, SHA256_BYTES), hex);
    note_verifier_write(&node->ledger.log_key.verifier, &vkey);
    jw_object_begin(&w);
    jw_put_string(&w, SLICE("origin"), head->checkpoint.origin);
    jw_put_u64(&w, SLICE("size"), head->checkpoint.size);
    jw_put_string(&w, SLICE("root"), slice_of(hex, sizeof(hex)));
    jw_put_string(&w, SLICE("vkey"), buf_slice(&vkey));
    jw_put_u64(&w, SLICE("cosigned"), head->cosigned);
    jw_put_u64(&w, SLICE("witnesses"), head->cosigners.count);
    jw_put_u64(&w, SLICE("needed"), node->config.ledger_cosignatures_min);
    jw_put_bool(&w, SLICE("witnessed"), head->cosigned >= node->config.ledger_cosignatures_min);
    jw_put_string(&w, SLICE("checkpoint"), head->text);
    jw_object_end(&w);
    return cli_print_json(&out);
}

/* Signs what is new and, with --cosign, asks the witnesses.  One that fails is told, not fatal. */
static int head_renew(struct cli *cli, struct node *node, struct head_view *head)
{
    struct diag diag = {0};
    int code = CLI_OK;
    bool is_new;

    if (failed(cosigners_parse(slice_text(node->config.ledger_witnesses), &head->cosigners, &diag)))
        return cli_failed(&diag);
    if (failed(ledger_head_sign(&node->ledger, &is_new, &diag)))
        return cli_failed(&diag);
    for (size_t i = 0; cli_has(cli, "cosign") && i < head->cosigners.count; i++) {
        diag_reset(&diag);
        if (failed(cosigner_ask(&node->ledger, &head->cosigners.at[i], &diag)))
            code = cli_failed(&diag);
    }
    return code;
}

int cmd_ledger_head(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    static struct head_view head; /* too large for the stack; one command a process */
    struct diag diag = {0};

    if (cli->word_count != 0)
        return cli_misused(cli, "takes options only");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    code = head_renew(cli, &node, &head);
    if (code == CLI_UNVERIFIED)
        return code;
    kv_begin_read(node.ledger.kv, &txn, &diag);
    if (!ledger_head_last(&txn, node.ledger.log, &head.text))
        return diag.code != ERR_NONE ? cli_failed(&diag)
                                     : cli_fail(CLI_NOT_FOUND, "there is no head yet");
    if (failed(ledger_head_parse(head.text, &head.note, &head.checkpoint, &diag)))
        return cli_failed(&diag);
    head.cosigned = cosigners_of(&head.note, &head.cosigners);
    if (cli->json)
        return head_json(&node, &head) != CLI_OK ? CLI_FAILED : code;
    head_words(&node, &head);
    return code;
}

/* ---- prove ---- */

static result prove(const struct ledger *ledger, uint64_t number, struct buf *out, uint64_t *size,
                    struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct checkpoint checkpoint;
    struct tree_proof proof;
    struct note note;
    slice head, entry;
    bool is_new;

    TRY(ledger_head_sign(ledger, &is_new, diag));
    kv_begin_read(ledger->kv, &txn, diag);
    if (!ledger_head_last(&txn, ledger->log, &head) ||
        !ledger_read(&txn, ledger->log, number, &entry)) {
        TRY(txn.state);
        return diag_fail(diag, ERR_MISSING, "there is no entry %llu: the log has %llu",
                         (unsigned long long)number,
                         (unsigned long long)ledger_count(&txn, ledger->log));
    }
    TRY(ledger_head_parse(head, &note, &checkpoint, diag));
    *size = checkpoint.size;
    tree_inclusion(&txn, ledger_tree_table(ledger->log), number, checkpoint.size, &proof);
    TRY(txn.state);
    /* What is handed out is checked: an entry that was altered is found here, not by its reader. */
    struct hash256 leaf = tree_leaf(entry), root;
    if (!tree_inclusion_root(number, checkpoint.size, &leaf, &proof, &root) ||
        !hash256_eq(&root, &checkpoint.root))
        return diag_fail(diag, ERR_CORRUPT, "log: entry %llu is not the one that was appended",
                         (unsigned long long)number);
    proof_write(entry, number, &proof, head, out);
    return out->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for a proof") : OK;
}

static int proof_json(const char *path, uint64_t number, uint64_t size, slice text)
{
    CLEANUP(buf_free) struct buf out = BUF(2 * PROOF_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&out);

    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("entry"), number);
    jw_put_u64(&w, SLICE("size"), size);
    if (path != NULL)
        jw_put_string(&w, SLICE("file"), slice_text(path));
    else
        jw_put_string(&w, SLICE("proof"), text);
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_ledger_prove(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(buf_free) struct buf text = BUF(PROOF_BYTES_MAX);
    const char *path = cli_value(cli, "output");
    struct diag diag = {0};
    uint64_t number, size;

    if (cli->word_count != 1 || !parse_u64(slice_text(cli->words[0]), &number))
        return cli_misused(cli, "takes an entry's number, as \"entente ledger log\" prints it");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    if (failed(prove(&node.ledger, number, &text, &size, &diag)))
        return cli_failed(&diag);
    if ((path != NULL || !cli->json) && failed(text_out(path, buf_slice(&text), &diag)))
        return cli_failed(&diag);
    if (cli->json)
        return proof_json(path, number, size, buf_slice(&text));
    if (path != NULL)
        cli_say(cli, "wrote a proof of entry %" PRIu64 " in the log of %" PRIu64 " to %s", number,
                size, path);
    return CLI_OK;
}

/* ---- check-consistency ---- */

/* A size, or a checkpoint in a file. */
struct state_named {
    const char *word;
    uint64_t size;
    struct hash256 root;
    char text[NOTE_BYTES_MAX]; /* the checkpoint; empty: a size was named */
    size_t text_bytes;
};

static result checkpoint_read(const struct ledger *ledger, struct state_named *out,
                              struct diag *diag)
{
    struct checkpoint checkpoint;
    struct note note;
    int file = open(out->word, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return diag_errno(diag, errno, "%s", out->word);
    ssize_t bytes = read(file, out->text, sizeof(out->text));
    int number = errno;
    (void)close(file);
    if (bytes < 0)
        return diag_errno(diag, number, "%s", out->word);
    out->text_bytes = (size_t)bytes;
    TRY(diag_within(diag, note_parse(slice_of(out->text, out->text_bytes), &note, diag), "%s",
                    out->word));
    TRY(diag_within(diag, checkpoint_parse(note.text, &checkpoint, diag), "%s", out->word));
    if (note_verify(&note, &ledger->log_key.verifier, NULL) != NOTE_HOLDS)
        return diag_fail(diag, ERR_CORRUPT, "%s: is not signed by this node's log key", out->word);
    out->size = checkpoint.size;
    out->root = checkpoint.root;
    return OK;
}

static result state_read(const struct ledger *ledger, struct kv_txn *txn, struct state_named *out,
                         struct diag *diag)
{
    kv_table tree = ledger_tree_table(ledger->log);
    uint64_t count = tree_count(txn, tree);
    bool is_size = parse_u64(slice_text(out->word), &out->size);

    if (!is_size)
        TRY(checkpoint_read(ledger, out, diag));
    if (out->size > count)
        return diag_fail(diag, is_size ? ERR_MISSING : ERR_CORRUPT,
                         "%s: the log has %llu entries, not %llu", out->word,
                         (unsigned long long)count, (unsigned long long)out->size);
    struct hash256 root = tree_root(txn, tree, out->size);
    TRY(txn->state);
    if (!is_size && !hash256_eq(&root, &out->root))
        return diag_fail(diag, ERR_CORRUPT,
                         "%s: is signed by this log, but its first %llu entries are others: two "
                         "histories",
                         out->word, (unsigned long long)out->size);
    out->root = root;
    return OK;
}

static result consistency_prove(const struct ledger *ledger, struct state_named *old,
                                struct state_named *new, struct tree_proof *proof, struct buf *out,
                                struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    slice head = slice_of(new->text, new->text_bytes);

    kv_begin_read(ledger->kv, &txn, diag);
    TRY(txn.state);
    TRY(state_read(ledger, &txn, old, diag));
    TRY(state_read(ledger, &txn, new, diag));
    if (old->size > new->size)
        return diag_fail(diag, ERR_INVALID, "%s is larger than %s: name the older one first",
                         old->word, new->word);
    tree_consistency(&txn, ledger_tree_table(ledger->log), old->size, new->size, proof);
    TRY(txn.state);
    if (!tree_is_consistent(old->size, &old->root, new->size, &new->root, proof))
        return diag_fail(diag, ERR_CORRUPT,
                         "the log of %llu entries does not go on from that of %llu",
                         (unsigned long long)new->size, (unsigned long long)old->size);
    head = slice_of(new->text, new->text_bytes);
    if (out != NULL && head.len == 0 && !ledger_head_at(&txn, ledger->log, new->size, &head)) {
        TRY(txn.state);
        return diag_fail(diag, ERR_MISSING, "no head of %s entries was signed: name one that was",
                         new->word);
    }
    if (out != NULL)
        consistency_write(old->size, proof, head, out);
    return OK;
}

static int consistency_say(const struct cli *cli, const struct state_named *old,
                           const struct state_named *new, const struct tree_proof *proof)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);

    if (!cli->json) {
        (void)printf("consistent: the log of %" PRIu64 " entries begins with the %" PRIu64
                     " of before\n",
                     new->size, old->size);
        return CLI_OK;
    }
    jw_object_begin(&w);
    jw_put_bool(&w, SLICE("consistent"), true);
    jw_put_u64(&w, SLICE("old"), old->size);
    jw_put_u64(&w, SLICE("new"), new->size);
    jw_put_u64(&w, SLICE("hashes"), proof->count);
    jw_object_end(&w);
    return cli_print_json(&out);
}

int cmd_ledger_check_consistency(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(buf_free) struct buf text = BUF(PROOF_BYTES_MAX);
    static struct state_named old, new; /* too large for the stack; one command a process */
    const char *path = cli_value(cli, "output");
    struct tree_proof proof;
    struct diag diag = {0};

    if (cli->word_count != 2)
        return cli_misused(cli, "takes two sizes or checkpoint files, the older first");
    old.word = cli->words[0];
    new.word = cli->words[1];
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    if (failed(consistency_prove(&node.ledger, &old, &new, &proof, path != NULL ? &text : NULL,
                                 &diag)))
        return cli_failed(&diag);
    if (path != NULL && failed(text_out(path, buf_slice(&text), &diag)))
        return cli_failed(&diag);
    return consistency_say(cli, &old, &new, &proof);
}

/* ---- export ---- */

int cmd_ledger_export(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct tile_export done;
    struct diag diag = {0};
    bool is_new;

    if (cli->word_count != 1)
        return cli_misused(cli, "takes a folder");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    if (failed(ledger_head_sign(&node.ledger, &is_new, &diag)) ||
        failed(tile_export(&node.ledger, cli->words[0], &done, &diag)))
        return cli_failed(&diag);
    if (cli->json)
        (void)printf("{\"size\":%" PRIu64 ",\"written\":%" PRIu64 ",\"kept\":%" PRIu64 "}\n",
                     done.size, done.written, done.kept);
    else
        cli_say(cli, "%" PRIu64 " entries: %" PRIu64 " files written, %" PRIu64 " were there",
                done.size, done.written, done.kept);
    return CLI_OK;
}

/* ---- bundle ---- */

struct bundler {
    struct bundle bundle;
    struct buf text; /* owned */
    struct output *output;
    struct diag *diag;
    uint64_t count;
    result state;
};

static void bundler_free(struct bundler *bundler)
{
    buf_free(&bundler->text);
}

static void bundler_flush(struct bundler *bundler, size_t least)
{
    if (bundler->text.overflowed && succeeded(bundler->state))
        bundler->state = diag_fail(bundler->diag, ERR_LIMIT, "no memory for a bundle");
    if (failed(bundler->state) || bundler->text.len < least)
        return;
    bundler->state = output_put(bundler->output, buf_slice(&bundler->text), bundler->diag);
    buf_reset(&bundler->text);
}

static bool bundler_take(void *context, const struct told_entry *told)
{
    struct bundler *bundler = context;

    bundle_entry(&bundler->bundle, told->number, told->text);
    bundler->count++;
    bundler_flush(bundler, BUNDLE_FLUSH_BYTES);
    return succeeded(bundler->state);
}

static result bundle_put(struct node *node, struct store_view *view,
                         const struct entry_filter *filter, struct output *output, uint64_t *count,
                         uint64_t *size, struct diag *diag)
{
    CLEANUP(bundler_free)
    struct bundler bundler = {
        .text = BUF(BUNDLE_BUFFER_BYTES_MAX), .output = output, .diag = diag, .state = OK};
    struct checkpoint checkpoint;
    struct note note;
    slice head;

    if (!ledger_head_last(&view->txn, node->ledger.log, &head)) {
        TRY(view->txn.state);
        return diag_fail(diag, ERR_MISSING, "there is no head yet");
    }
    TRY(ledger_head_parse(head, &note, &checkpoint, diag));
    bundler.bundle = (struct bundle){
        .txn = &view->txn, .log = node->ledger.log, .out = &bundler.text, .size = checkpoint.size};
    bundle_begin(&bundler.bundle, buf_slice(&filter->text));
    struct entry_filter within = *filter;
    if (within.end > checkpoint.size) /* appended since by another process */
        within.end = checkpoint.size;
    TRY(entries_walk(view, &within, bundler_take, &bundler, diag));
    bundle_end(&bundler.bundle, head);
    TRY(view->txn.state);
    bundler_flush(&bundler, 0);
    *count = bundler.count;
    *size = checkpoint.size;
    return bundler.state;
}

int cmd_ledger_bundle(struct cli *cli)
{
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)256 << 20);
    CLEANUP(node_close) struct node node = {0};
    CLEANUP(store_view_end) struct store_view view = {0};
    CLEANUP(entry_filter_free) struct entry_filter filter = {0};
    const char *path = cli_value(cli, "output");
    struct output output;
    struct diag diag = {0};
    uint64_t count = 0, size = 0;
    bool is_new;

    if (cli->word_count != 0)
        return cli_misused(cli, "takes options only");
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    if (failed(ledger_head_sign(&node.ledger, &is_new, &diag)))
        return cli_failed(&diag);
    store_view_begin(node.store, &view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    code = entry_filter_read(cli, &view, &arena, &filter);
    if (code != CLI_OK)
        return code;
    if (failed(output_open(path, &output, &diag)) ||
        failed(output_close(
            &output, bundle_put(&node, &view, &filter, &output, &count, &size, &diag), &diag)))
        return cli_failed(&diag);
    if (path != NULL && cli->json)
        (void)printf("{\"entries\":%" PRIu64 ",\"size\":%" PRIu64 "}\n", count, size);
    else if (path != NULL)
        cli_say(cli, "wrote %" PRIu64 " of %" PRIu64 " entries to %s", count, size, path);
    return CLI_OK;
}
