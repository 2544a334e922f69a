#include "ledger/cosign.h"

#include <assert.h>
#include <stdio.h>

#include "base/fault.h"

#include "base/banned.h"

#define ASK_ARENA_BYTES_MAX ((size_t)1 << 20)
#define ANSWER_BYTES_MAX 65536
#define CONNECT_TIMEOUT_S 5
#define IDLE_TIMEOUT_S 10
#define ROUNDS_MAX 2 /* the second knows the size that the first was told */

static result cosigner_parse(slice text, struct cosigner *out, struct diag *diag)
{
    slice vkey, url, pin = SLICE_NONE;

    if (!slice_cut(text, ' ', &vkey, &url))
        return diag_fail(diag, ERR_INVALID, "takes VKEY URL [PIN]; ...");
    url = slice_trim(url);
    slice rest = url;
    if (slice_cut(rest, ' ', &url, &pin))
        pin = slice_trim(pin);
    TRY(note_verifier_parse(vkey, &out->verifier, diag));
    if (out->verifier.kind != NOTE_COSIGNATURE)
        return diag_fail(diag, ERR_INVALID, "%s: is no key that cosigns", out->verifier.name);
    while (url.len > 0 && url.at[url.len - 1] == '/')
        url.len--;
    if (!(slice_starts(url, SLICE("http://")) || slice_starts(url, SLICE("https://"))) ||
        url.len >= COSIGNER_URL_BYTES_MAX)
        return diag_fail(diag, ERR_INVALID, "\"%.*s\": takes a URL", SLICE_ARG(url));
    if (pin.len >= COSIGNER_PIN_BYTES_MAX)
        return diag_fail(diag, ERR_INVALID, "\"%.*s\": takes 64 hexadecimal digits",
                         SLICE_ARG(pin));
    (void)snprintf(out->url, sizeof(out->url), "%.*s", SLICE_ARG(url));
    (void)snprintf(out->pin, sizeof(out->pin), "%.*s", SLICE_ARG(pin));
    return OK;
}

result cosigners_parse(slice setting, struct cosigners *out, struct diag *diag)
{
    bool more = true;

    out->count = 0;
    while (more) {
        slice one;

        more = slice_cut(setting, ';', &one, &setting);
        one = slice_trim(one);
        if (one.len == 0)
            continue;
        if (out->count == COSIGNERS_MAX)
            return diag_fail(diag, ERR_LIMIT, "ledger_witnesses: at most %d", COSIGNERS_MAX);
        TRY(diag_within(diag, cosigner_parse(one, &out->at[out->count++], diag),
                        "ledger_witnesses"));
    }
    return OK;
}

size_t cosigners_of(const struct note *head, const struct cosigners *cosigners)
{
    size_t count = 0;

    for (size_t i = 0; i < cosigners->count; i++)
        count += note_verify(head, &cosigners->at[i].verifier, NULL) == NOTE_HOLDS ? 1 : 0;
    return count;
}

/* ---- asking ---- */

struct asking {
    const struct ledger *ledger;
    const struct cosigner *cosigner;
    struct http_client *client;
    struct arena *arena;
    slice head; /* in the arena */
    struct note note;
    struct checkpoint checkpoint;
    uint64_t old_size;
    bool is_done;
};

/* The request's body: read in one transaction, which is over before the network is asked. */
static result body_write(struct asking *asking, struct buf *body, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct tree_proof proof;

    kv_begin_read(asking->ledger->kv, &txn, diag);
    TRY(txn.state);
    tree_consistency(&txn, ledger_tree_table(asking->ledger->log), asking->old_size,
                     asking->checkpoint.size, &proof);
    consistency_write(asking->old_size, &proof, asking->head, body);
    TRY(txn.state);
    return body->overflowed ? diag_fail(diag, ERR_LIMIT, "no memory for a request") : OK;
}

static result size_take(struct asking *asking, slice body, struct diag *diag)
{
    uint64_t size;

    if (!parse_u64(slice_trim(body), &size))
        return diag_fail(diag, ERR_INVALID, "the witness answers 409 without a size");
    if (size > asking->checkpoint.size)
        return diag_fail(
            diag, ERR_CORRUPT,
            "the witness has cosigned %llu entries of this log, which has %llu: it was "
            "cut, or an older copy was put back",
            (unsigned long long)size, (unsigned long long)asking->checkpoint.size);
    asking->old_size = size;
    return OK;
}

/* Only what its key has signed is kept. */
static result lines_take(struct asking *asking, slice body, struct diag *diag)
{
    CLEANUP(buf_free) struct buf bytes = BUF(NOTE_BYTES_MAX), lines = BUF(NOTE_BYTES_MAX);
    const struct note_verifier *verifier = &asking->cosigner->verifier;
    struct note note;

    buf_put(&bytes, asking->note.text);
    buf_byte(&bytes, '\n');
    buf_put(&bytes, body);
    if (bytes.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the witness's answer is too long");
    TRY(note_parse(buf_slice(&bytes), &note, diag));
    if (note_verify(&note, verifier, NULL) != NOTE_HOLDS)
        return diag_fail(diag, ERR_INVALID, "the answer holds no signature of %s", verifier->name);
    assert(verifier != NULL);
    for (size_t i = 0; i < note.signature_count; i++)
        if (slice_eq(note.signatures[i].name, slice_text(verifier->name)) &&
            memcmp(note.signatures[i].id, verifier->id, NOTE_ID_BYTES) == 0)
            buf_put(&lines, note.signatures[i].line);
    asking->is_done = true;
    return ledger_head_cosign(asking->ledger, asking->checkpoint.size, buf_slice(&lines), diag);
}

static result answer_take(struct asking *asking, const struct http_client_response *response,
                          struct diag *diag)
{
    bool is_size = slice_starts(http_client_header(response, SLICE("content-type")),
                                SLICE("text/x.tlog.size"));

    if (response->status == 200)
        return lines_take(asking, response->body, diag);
    if (response->status == 409 && is_size)
        return size_take(asking, response->body, diag);
    if (response->status == 409 || response->status == 422)
        return diag_fail(diag, ERR_CORRUPT,
                         "the witness has seen another history of this log (HTTP %d): %.*s",
                         response->status, SLICE_ARG(slice_head(slice_trim(response->body), 200)));
    return diag_fail(diag, ERR_IO, "the witness answers HTTP %d: %.*s", response->status,
                     SLICE_ARG(slice_head(slice_trim(response->body), 200)));
}

static result round_ask(struct asking *asking, struct diag *diag)
{
    CLEANUP(buf_free) struct buf body = BUF(WITNESS_BODY_BYTES_MAX);
    const struct http_header type = {SLICE("Content-Type"), SLICE("text/plain; charset=utf-8")};
    struct http_client_response response;
    char url[COSIGNER_URL_BYTES_MAX + 32];

    TRY(body_write(asking, &body, diag));
    (void)snprintf(url, sizeof(url), "%s/add-checkpoint", asking->cosigner->url);
    TRY(http_client_request(asking->client, "POST", url, &type, 1, buf_slice(&body), asking->arena,
                            &response, diag));
    return answer_take(asking, &response, diag);
}

/* The last head, and the last one before it that this witness has cosigned: where to start. */
static result head_take(struct asking *asking, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    slice head;

    kv_begin_read(asking->ledger->kv, &txn, diag);
    asking->is_done = !ledger_head_last(&txn, asking->ledger->log, &head);
    TRY(txn.state);
    if (asking->is_done)
        return OK;
    asking->head = arena_copy(asking->arena, head);
    if (asking->arena->overflowed || FAULT_HERE())
        return diag_fail(diag, ERR_LIMIT, "no memory for a head");
    TRY(ledger_head_parse(asking->head, &asking->note, &asking->checkpoint, diag));
    asking->is_done = note_verify(&asking->note, &asking->cosigner->verifier, NULL) == NOTE_HOLDS;
    return OK;
}

result cosigner_ask(const struct ledger *ledger, const struct cosigner *cosigner, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ASK_ARENA_BYTES_MAX);
    CLEANUP(http_client_free) struct http_client *client = NULL;
    const struct http_client_options options = {
        .connect_timeout_s = CONNECT_TIMEOUT_S,
        .idle_timeout_s = IDLE_TIMEOUT_S,
        .body_bytes_max = ANSWER_BYTES_MAX,
        .pin_sha256_hex = cosigner->pin[0] != '\0' ? cosigner->pin : NULL,
    };
    struct asking asking = {.ledger = ledger, .cosigner = cosigner, .arena = &arena};

    TRY(head_take(&asking, diag));
    if (asking.is_done)
        return OK;
    TRY(http_client_new(&options, &client, diag));
    asking.client = client;
    for (int round = 0; round < ROUNDS_MAX && !asking.is_done; round++)
        TRY(diag_within(diag, round_ask(&asking, diag), "%s", cosigner->verifier.name));
    if (!asking.is_done)
        return diag_fail(diag, ERR_IO, "%s: its log moves on faster than this one asks",
                         cosigner->verifier.name);
    return OK;
}
