#include "ledger/head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "ledger/key.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4200
#define HEAD 'h'

/* ---- files ---- */

static result file_write(int file, const char *path, slice bytes, struct diag *diag)
{
    while (bytes.len > 0) {
        ssize_t wrote = FAULT_HERE() ? -1 : write(file, bytes.at, bytes.len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return diag_errno(diag, errno, "%s", path);
        bytes = slice_from(bytes, (size_t)wrote);
    }
    return fsync(file) == 0 ? OK : diag_errno(diag, errno, "%s", path);
}

result ledger_file_put(const char *path, unsigned mode, slice bytes, struct diag *diag)
{
    char beside[PATH_BYTES_MAX + 64];
    int file;

    (void)snprintf(beside, sizeof(beside), "%s.part%ld", path, (long)getpid());
    file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0)
        return diag_errno(diag, errno, "%s", beside);
    result r = file_write(file, beside, bytes, diag);
    if (close(file) != 0 && succeeded(r))
        r = diag_errno(diag, errno, "%s", beside);
    if (succeeded(r) && rename(beside, path) != 0)
        r = diag_errno(diag, errno, "%s", path);
    if (failed(r))
        (void)unlink(beside);
    return r;
}

/* ---- open ---- */

result ledger_open(const struct ledger_options *options, struct ledger *out, struct diag *diag)
{
    *out = (struct ledger){.kv = options->kv, .log = options->log, .world = options->world};
    (void)snprintf(out->folder, sizeof(out->folder), "%s", options->folder);
    return ledger_keys_open(options, out, diag);
}

void ledger_close(struct ledger *ledger)
{
    note_signer_wipe(&ledger->log_key);
    note_signer_wipe(&ledger->witness_key);
    note_signer_wipe(&ledger->node_key);
    ledger->has_keys = false;
}

/* ---- rows ---- */

slice ledger_fact_key(char letter, uint64_t number, char out[LEDGER_FACT_KEY_BYTES])
{
    out[0] = letter;
    for (size_t i = 0; i < 8; i++)
        out[1 + i] = (char)(number >> (56 - 8 * i));
    return slice_of(out, LEDGER_FACT_KEY_BYTES);
}

static bool is_head(const struct kv_cursor *cursor)
{
    return cursor->key.len == LEDGER_FACT_KEY_BYTES && cursor->key.at[0] == HEAD;
}

bool ledger_head_last(struct kv_txn *txn, kv_table log, slice *note)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    const char behind = HEAD + 1;

    kv_cursor_open(txn, ledger_fact_table(log), &cursor);
    if (!kv_seek_last_before(&cursor, slice_of(&behind, 1)) || !is_head(&cursor))
        return false;
    *note = cursor.value;
    return true;
}

bool ledger_head_at(struct kv_txn *txn, kv_table log, uint64_t size, slice *note)
{
    char key[LEDGER_FACT_KEY_BYTES];

    return kv_get(txn, ledger_fact_table(log), ledger_fact_key(HEAD, size, key), note);
}

bool ledger_head_from(struct kv_txn *txn, kv_table log, uint64_t least_size, uint64_t *size,
                      slice *note)
{
    CLEANUP(kv_cursor_close) struct kv_cursor cursor = {0};
    char key[LEDGER_FACT_KEY_BYTES];
    struct reader reader;

    kv_cursor_open(txn, ledger_fact_table(log), &cursor);
    if (!kv_seek(&cursor, ledger_fact_key(HEAD, least_size, key)) || !is_head(&cursor))
        return false;
    reader = READER(slice_from(cursor.key, 1));
    *size = read_u64(&reader);
    *note = cursor.value;
    return true;
}

bool ledger_head_next(struct kv_txn *txn, kv_table log, uint64_t least_size, slice *note)
{
    uint64_t size;

    return ledger_head_from(txn, log, least_size, &size, note);
}

result ledger_head_parse(slice bytes, struct note *note, struct checkpoint *out, struct diag *diag)
{
    struct diag why = {0};

    if (failed(note_parse(bytes, note, &why)) || failed(checkpoint_parse(note->text, out, &why)))
        return diag_fail(diag, ERR_CORRUPT, "a head that is kept %s", why.text);
    return OK;
}

/* ---- does the log bear a head out? ---- */

static result head_is_borne_out(const struct ledger *ledger, struct kv_txn *txn, slice bytes,
                                struct checkpoint *out, struct diag *diag)
{
    uint64_t count = tree_count(txn, ledger_tree_table(ledger->log));
    struct note note;

    TRY(ledger_head_parse(bytes, &note, out, diag));
    unsigned long long size = out->size;
    if (ledger->has_keys && (!slice_eq(out->origin, slice_text(ledger->log_key.verifier.name)) ||
                             note_verify(&note, &ledger->log_key.verifier, NULL) != NOTE_HOLDS))
        return diag_fail(diag, ERR_CORRUPT,
                         "the head of %llu entries is not signed by keys/log.key", size);
    if (out->size > count)
        return diag_fail(
            diag, ERR_CORRUPT,
            "the log holds %llu entries, but a head of %llu was signed: entry %llu and "
            "those behind it are gone (cut, or an older copy was put back)",
            (unsigned long long)count, size, (unsigned long long)count);
    struct hash256 root = tree_root(txn, ledger_tree_table(ledger->log), out->size);
    TRY(txn->state);
    if (!hash256_eq(&root, &out->root))
        return diag_fail(diag, ERR_CORRUPT,
                         "the first %llu entries are not those whose head was signed", size);
    return OK;
}

/* The last entry is what the tree says of it: a log that was cut or went on by itself shows here.
 */
static result last_entry_fits(const struct ledger *ledger, struct kv_txn *txn, struct diag *diag)
{
    uint64_t count = tree_count(txn, ledger_tree_table(ledger->log));
    slice text;

    if (count == 0)
        return txn->state;
    if (ledger_read(txn, ledger->log, count - 1, &text)) {
        struct hash256 leaf = tree_leaf(text);
        struct hash256 kept = tree_node(txn, ledger_tree_table(ledger->log), 0, count - 1);

        TRY(txn->state);
        if (hash256_eq(&leaf, &kept))
            return OK;
    }
    TRY(txn->state);
    return diag_fail(diag, ERR_CORRUPT, "log: entry %llu is not the one that was appended",
                     (unsigned long long)count - 1);
}

result ledger_head_file_check(const struct ledger *ledger, struct kv_txn *txn, const char *path,
                              struct diag *diag)
{
    char bytes[NOTE_BYTES_MAX];
    struct checkpoint checkpoint;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0 && errno == ENOENT)
        return OK;
    if (file < 0)
        return diag_errno(diag, errno, "%s", path);
    ssize_t count = read(file, bytes, sizeof(bytes));
    int number = errno;
    (void)close(file);
    if (count < 0)
        return diag_errno(diag, number, "%s", path);
    return diag_within(
        diag, head_is_borne_out(ledger, txn, slice_of(bytes, (size_t)count), &checkpoint, diag),
        "%s", path);
}

result ledger_check(const struct ledger *ledger, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct checkpoint checkpoint;
    char path[PATH_BYTES_MAX];
    slice last;

    kv_begin_read(ledger->kv, &txn, diag);
    TRY(txn.state);
    if (ledger_head_last(&txn, ledger->log, &last))
        TRY(diag_within(diag, head_is_borne_out(ledger, &txn, last, &checkpoint, diag), "ledger"));
    TRY(txn.state);
    TRY(diag_within(diag, last_entry_fits(ledger, &txn, diag), "ledger"));
    /* The file outlives a database that was put back without it. */
    (void)snprintf(path, sizeof(path), "%s/ledger.head", ledger->folder);
    return ledger_head_file_check(ledger, &txn, path, diag);
}

/* ---- signing ---- */

static result head_file_put(const struct ledger *ledger, slice note, struct diag *diag)
{
    char path[PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/ledger.head", ledger->folder);
    return ledger_file_put(path, 0600, note, diag);
}

/* In the transaction that keeps it, so that no two heads of one size are signed. */
static result sign_in(const struct ledger *ledger, struct kv_txn *txn, struct buf *note,
                      bool *is_new, struct diag *diag)
{
    kv_table tree = ledger_tree_table(ledger->log);
    struct checkpoint last,
        head = {.origin = slice_text(ledger->log_key.verifier.name), .size = tree_count(txn, tree)};
    char key[LEDGER_FACT_KEY_BYTES];
    slice before;

    if (ledger_head_last(txn, ledger->log, &before)) {
        TRY(head_is_borne_out(ledger, txn, before, &last, diag));
        if (last.size == head.size)
            return OK;
    }
    TRY(last_entry_fits(ledger, txn, diag));
    head.root = tree_root(txn, tree, head.size);
    TRY(txn->state);
    checkpoint_write(&head, note);
    size_t text = note->len;
    buf_byte(note, '\n');
    note_sign(slice_head(buf_slice(note), text), &ledger->log_key, 0, note);
    if (note->overflowed || FAULT_HERE())
        return diag_fail(diag, ERR_LIMIT, "no memory for a head");
    kv_put(txn, ledger_fact_table(ledger->log), ledger_fact_key(HEAD, head.size, key),
           buf_slice(note));
    *is_new = true;
    return txn->state;
}

result ledger_head_sign(const struct ledger *ledger, bool *is_new, struct diag *diag)
{
    CLEANUP(buf_free) struct buf note = BUF(NOTE_BYTES_MAX);
    CLEANUP(kv_abort) struct kv_txn txn = {0};

    *is_new = false;
    if (!ledger->has_keys)
        return diag_fail(diag, ERR_DENIED, "ledger: there is no key to sign a head with");
    kv_begin_write(ledger->kv, &txn, diag);
    TRY(txn.state);
    TRY(diag_within(diag, sign_in(ledger, &txn, &note, is_new, diag), "ledger"));
    if (!*is_new)
        return OK;
    TRY(kv_commit(&txn));
    return head_file_put(ledger, buf_slice(&note), diag);
}

result ledger_head_cosign(const struct ledger *ledger, uint64_t size, slice lines,
                          struct diag *diag)
{
    CLEANUP(buf_free) struct buf note = BUF(NOTE_BYTES_MAX);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    char key[LEDGER_FACT_KEY_BYTES];
    slice kept;

    kv_begin_write(ledger->kv, &txn, diag);
    TRY(txn.state);
    if (!ledger_head_at(&txn, ledger->log, size, &kept)) {
        TRY(txn.state);
        return diag_fail(diag, ERR_MISSING, "ledger: there is no head of %llu entries",
                         (unsigned long long)size);
    }
    buf_put(&note, kept);
    while (lines.len > 0) {
        size_t bytes = slice_find_byte(lines, '\n');
        slice line = slice_head(lines, bytes == SIZE_MAX ? lines.len : bytes + 1);

        if (slice_find(buf_slice(&note), line) == SIZE_MAX)
            buf_put(&note, line);
        lines = slice_from(lines, line.len);
    }
    if (note.overflowed)
        return diag_fail(diag, ERR_LIMIT, "ledger: too many cosignatures for one head");
    kv_put(&txn, ledger_fact_table(ledger->log), ledger_fact_key(HEAD, size, key),
           buf_slice(&note));
    return kv_commit(&txn);
}
