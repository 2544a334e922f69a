#include "ledger/proof.h"

#include <assert.h>
#include <inttypes.h>

#include "base/encode.h"

#include "base/banned.h"

#define CONSISTENCY_HASHES_MAX 63 /* C2SP tlog-witness */

static void hash_line(const struct hash256 *hash, struct buf *out)
{
    base64_encode(out, slice_of(hash->bytes, SHA256_BYTES));
    buf_byte(out, '\n');
}

static void hashes_and_head(const struct tree_proof *proof, slice head, struct buf *out)
{
    for (size_t i = 0; i < proof->count; i++)
        hash_line(&proof->hashes[i], out);
    buf_byte(out, '\n');
    buf_put(out, head);
}

void proof_write(slice entry, uint64_t number, const struct tree_proof *proof, slice head,
                 struct buf *out)
{
    buf_put(out, SLICE("c2sp.org/tlog-proof@v1\nextra "));
    base64_encode(out, entry);
    buf_printf(out, "\nindex %" PRIu64 "\n", number);
    hashes_and_head(proof, head, out);
}

void consistency_write(uint64_t old_size, const struct tree_proof *proof, slice head,
                       struct buf *out)
{
    buf_printf(out, "old %" PRIu64 "\n", old_size);
    hashes_and_head(proof, head, out);
}

/* ---- reading ---- */

static bool hash_line_parse(slice line, struct hash256 *out)
{
    CLEANUP(buf_free) struct buf bytes = BUF(64);

    if (line.len != 44 || !base64_decode(&bytes, line) || bytes.len != SHA256_BYTES)
        return false;
    memcpy(out->bytes, bytes.at, SHA256_BYTES);
    return true;
}

static bool old_parse(slice line, uint64_t *out)
{
    slice digits = slice_from(line, 4);

    return slice_starts(line, SLICE("old ")) && parse_u64(digits, out) && *out <= INT64_MAX &&
           (digits.len == 1 || digits.at[0] != '0');
}

result consistency_parse(slice bytes, struct consistency *out, struct diag *diag)
{
    slice line;

    out->proof.count = 0;
    if (!slice_cut(bytes, '\n', &line, &bytes) || !old_parse(line, &out->old_size))
        return diag_fail(diag, ERR_INVALID, "line 1 takes \"old\" and a size");
    for (;;) {
        if (!slice_cut(bytes, '\n', &line, &bytes))
            return diag_fail(diag, ERR_INVALID, "no empty line ends the proof");
        if (line.len == 0)
            break;
        if (out->proof.count == CONSISTENCY_HASHES_MAX)
            return diag_fail(diag, ERR_INVALID, "a proof is of at most %d hashes",
                             CONSISTENCY_HASHES_MAX);
        if (!hash_line_parse(line, &out->proof.hashes[out->proof.count++]))
            return diag_fail(diag, ERR_INVALID, "line %zu takes a hash", out->proof.count + 1);
    }
    TRY(note_parse(bytes, &out->note, diag));
    return checkpoint_parse(out->note.text, &out->checkpoint, diag);
}

/* ---- bundles ---- */

void bundle_begin(struct bundle *bundle, slice filter)
{
    buf_put(bundle->out, SLICE("entente-bundle@v1\n"));
    if (filter.len > 0)
        buf_printf(bundle->out, "filter %.*s\n", SLICE_ARG(filter));
}

/* The largest whole subtrees that fit between here and there. */
static void skip_to(struct bundle *bundle, uint64_t end)
{
    while (bundle->at < end && succeeded(bundle->txn->state)) {
        unsigned level =
            bundle->at == 0 ? TREE_LEVELS_MAX - 1 : (unsigned)__builtin_ctzll(bundle->at);

        while ((UINT64_C(1) << level) > end - bundle->at)
            level--;
        struct hash256 node =
            tree_node(bundle->txn, ledger_tree_table(bundle->log), level, bundle->at >> level);
        buf_printf(bundle->out, "node %u ", level);
        hash_line(&node, bundle->out);
        bundle->at += UINT64_C(1) << level;
    }
}

void bundle_entry(struct bundle *bundle, uint64_t number, slice entry)
{
    assert(number >= bundle->at && number < bundle->size);
    skip_to(bundle, number);
    /* The tree's word for it: an entry that was altered since does not have this hash. */
    struct hash256 leaf = tree_node(bundle->txn, ledger_tree_table(bundle->log), 0, number);
    buf_printf(bundle->out, "entry %" PRIu64 " ", number);
    base64_encode(bundle->out, slice_of(leaf.bytes, SHA256_BYTES));
    buf_byte(bundle->out, ' ');
    buf_put(bundle->out, entry);
    buf_byte(bundle->out, '\n');
    bundle->at = number + 1;
}

void bundle_end(struct bundle *bundle, slice head)
{
    skip_to(bundle, bundle->size);
    buf_byte(bundle->out, '\n');
    buf_put(bundle->out, head);
}
