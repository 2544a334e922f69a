#include "account/change.h"

#include "base/banned.h"

void change_begin(struct accounts *accounts, struct change *change, struct diag *diag)
{
    *change = (struct change){.accounts = accounts, .body = BUF(LEDGER_ENTRY_BYTES_MAX)};
    kv_begin_write(accounts->options.kv, &change->txn, diag);
}

struct json_writer *change_entry(struct change *change, slice actor)
{
    buf_reset(&change->body);
    change->writer = JSON_WRITER(&change->body);
    jw_object_begin(&change->writer);
    jw_put_string(&change->writer, SLICE("actor"), actor);
    return &change->writer;
}

void change_append(struct change *change, slice kind)
{
    const struct account_options *options = &change->accounts->options;
    int64_t now_us = options->world->now_us(options->world->context);
    struct kv_txn *txn = &change->txn;
    uint64_t number;
    slice entry;

    jw_object_end(&change->writer);
    if (change->body.overflowed) {
        kv_fail(txn, diag_fail(txn->diag, ERR_LIMIT, "log: entry of kind %.*s is too long",
                               SLICE_ARG(kind)));
        return;
    }
    ledger_append(txn, options->log, kind, ledger_next_us(txn, options->log, now_us),
                  buf_slice(&change->body), &number);
    if (ledger_read(txn, options->log, number, &entry))
        (void)account_apply(change->accounts, txn, kind, number, entry);
}

result change_commit(struct change *change)
{
    return kv_commit(&change->txn);
}

void change_abort(struct change *change)
{
    kv_abort(&change->txn);
    if (change->body.at != NULL)
        secret_wipe(change->body.at, change->body.capacity);
    buf_free(&change->body);
}

void hash_wipe(struct password_text *hash)
{
    secret_wipe(hash, sizeof(*hash));
}
