#include "web/ledger.h"

#include <stdio.h>

#include "base/log.h"
#include "ledger/tile.h"

#include "base/banned.h"

#define PREFIX "/ledger/"
#define SUBMIT "/witness/add-checkpoint"
#define STRAY_BODY_BYTES_MAX 4096
#define TILE_ANSWER_BYTES_MAX (TILE_WIDTH * (2 + (size_t)LEDGER_ENTRY_BYTES_MAX))
#define TEXT SLICE("text/plain; charset=utf-8")

void ledger_web_init(struct ledger_web *web, const struct ledger *ledger, struct accounts *accounts,
                     const struct config *config)
{
    *web = (struct ledger_web){.ledger = ledger, .accounts = accounts};
    (void)pthread_rwlock_init(&web->lock, NULL);
    ledger_web_configure(web, config);
}

void ledger_web_free(struct ledger_web *web)
{
    if (web->ledger != NULL)
        (void)pthread_rwlock_destroy(&web->lock);
    web->ledger = NULL;
}

void ledger_web_configure(struct ledger_web *web, const struct config *config)
{
    (void)pthread_rwlock_wrlock(&web->lock);
    (void)snprintf(web->read, sizeof(web->read), "%s", config->ledger_read);
    (void)snprintf(web->read_entries, sizeof(web->read_entries), "%s", config->ledger_read_entries);
    (void)pthread_rwlock_unlock(&web->lock);
}

bool ledger_web_is_path(slice path)
{
    return slice_starts(path, SLICE(PREFIX)) || slice_eq(path, SLICE(SUBMIT));
}

size_t ledger_web_body_bytes_max(slice path)
{
    return slice_eq(path, SLICE(SUBMIT)) ? WITNESS_BODY_BYTES_MAX : STRAY_BODY_BYTES_MAX;
}

/* ---- answers ---- */

static void answer(struct http_response *response, int status, slice type, slice cache, slice body)
{
    response->status = status;
    response->head = body;
    http_response_header(response, SLICE("Content-Type"), type);
    http_response_header(response, SLICE("Cache-Control"), cache);
}

static void answer_words(struct http_response *response, int status, slice words)
{
    answer(response, status, TEXT, SLICE("no-store"), words);
}

static void answer_failed(struct http_response *response, const struct diag *diag)
{
    log_event(LOG_LEVEL_ERROR, "ledger.answer_failed", "why=\"%s\"", diag->text);
    answer_words(response, 500, SLICE("the ledger cannot be read now\n"));
}

/* ---- who may read ---- */

static bool log_in(struct ledger_web *web, const struct http_request *request,
                   struct http_response *response, struct account *account, bool *is_known)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    unsigned wait_s = 0;

    kv_begin_read(web->ledger->kv, &txn, &diag);
    if (failed(txn.state)) {
        answer_failed(response, &diag);
        return false;
    }
    switch (account_login(web->accounts, &txn, http_header_find(request, SLICE("authorization")),
                          request->peer, account, &wait_s)) {
    case LOGIN_OK:
        *is_known = true;
        return true;
    case LOGIN_NONE:
        *is_known = false;
        return true;
    case LOGIN_WRONG:
        break;
    case LOGIN_WAIT:
        http_response_header(response, SLICE("Retry-After"),
                             arena_printf(request->arena, "%u", wait_s));
        answer_words(response, 429, SLICE("log-ins failed too often\n"));
        return false;
    }
    http_response_header(response, SLICE("WWW-Authenticate"), SLICE("Basic realm=\"Entente\""));
    answer_words(response, 401, SLICE("this needs a user and password, or a token\n"));
    return false;
}

static bool may_read(struct ledger_web *web, const struct http_request *request, bool is_entries,
                     struct http_response *response, bool *is_public)
{
    char word[CONFIG_WORD_BYTES_MAX];
    struct account account = {0};
    bool is_known = false;

    (void)pthread_rwlock_rdlock(&web->lock);
    (void)snprintf(word, sizeof(word), "%s", is_entries ? web->read_entries : web->read);
    (void)pthread_rwlock_unlock(&web->lock);
    *is_public = slice_eq(slice_text(word), SLICE("anyone"));
    if (*is_public)
        return true;
    if (!log_in(web, request, response, &account, &is_known))
        return false;
    if (!is_known) {
        http_response_header(response, SLICE("WWW-Authenticate"), SLICE("Basic realm=\"Entente\""));
        answer_words(response, 401, SLICE("this needs a user and password, or a token\n"));
        return false;
    }
    /* Entries name objects that a member below the node may not know of. */
    bool is_member = account.organisation[0] != '\0';
    if (!(is_member && is_entries) &&
        (slice_eq(slice_text(word), SLICE("accounts")) || (account.roles & ROLE_ADMIN) != 0))
        return true;
    answer_words(response, 403, SLICE("this is for administrators\n"));
    return false;
}

/* ---- reading ---- */

static void get_vkey(const struct note_verifier *verifier, const struct http_request *request,
                     struct http_response *response)
{
    CLEANUP(buf_free) struct buf text = BUF(NOTE_KEY_TEXT_BYTES_MAX + 1);

    note_verifier_write(verifier, &text);
    buf_byte(&text, '\n');
    answer(response, 200, TEXT, SLICE("max-age=60"), arena_copy(request->arena, buf_slice(&text)));
}

static void get_checkpoint(struct ledger_web *web, const struct http_request *request,
                           struct http_response *response, bool is_public)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};
    slice head;

    kv_begin_read(web->ledger->kv, &txn, &diag);
    if (ledger_head_last(&txn, web->ledger->log, &head))
        answer(response, 200, TEXT,
               is_public ? SLICE("public, max-age=2") : SLICE("private, max-age=2"),
               arena_copy(request->arena, head));
    else if (failed(txn.state))
        answer_failed(response, &diag);
    else
        answer_words(response, 404, SLICE("there is no head yet\n"));
}

/* Only what a head vouches for is there. */
static bool is_in_head(struct ledger_web *web, struct kv_txn *txn, const struct tile *tile)
{
    struct checkpoint checkpoint;
    struct note note;
    slice head;

    return ledger_head_last(txn, web->ledger->log, &head) &&
           succeeded(ledger_head_parse(head, &note, &checkpoint, txn->diag)) &&
           tile_is_in(tile, checkpoint.size);
}

static void get_tile(struct ledger_web *web, const struct http_request *request,
                     const struct tile *tile, struct http_response *response, bool is_public)
{
    CLEANUP(buf_free) struct buf bytes = BUF(TILE_ANSWER_BYTES_MAX);
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct diag diag = {0};

    kv_begin_read(web->ledger->kv, &txn, &diag);
    if (!is_in_head(web, &txn, tile)) {
        if (diag.code != ERR_NONE)
            answer_failed(response, &diag);
        else
            answer_words(response, 404, SLICE("no head has this tile\n"));
        return;
    }
    tile_write(&txn, web->ledger->log, tile, &bytes);
    slice body = arena_copy(request->arena, buf_slice(&bytes));
    if (failed(txn.state) || request->arena->overflowed) {
        answer_failed(response, &diag);
        return;
    }
    answer(response, 200, SLICE("application/octet-stream"),
           is_public ? SLICE("public, max-age=31536000, immutable")
                     : SLICE("private, max-age=31536000, immutable"),
           body);
    response->compress = tile->is_entries;
}

static void get(struct ledger_web *web, const struct http_request *request,
                struct http_response *response)
{
    slice name = slice_from(request->path, sizeof(PREFIX) - 1);
    struct tile tile = {0};
    bool is_tile = tile_path_parse(name, &tile), is_public;

    response->no_body = request->method == HTTP_HEAD;
    if (!may_read(web, request, is_tile && tile.is_entries, response, &is_public))
        return;
    if (is_tile)
        get_tile(web, request, &tile, response, is_public);
    else if (slice_eq(name, SLICE("checkpoint")))
        get_checkpoint(web, request, response, is_public);
    else if (slice_eq(name, SLICE("log.vkey")))
        get_vkey(&web->ledger->log_key.verifier, request, response);
    else if (slice_eq(name, SLICE("witness.vkey")))
        get_vkey(&web->ledger->witness_key.verifier, request, response);
    else
        answer_words(response, 404, SLICE("nothing of the ledger is at this path\n"));
}

/* ---- witnessing ---- */

/* Anyone may ask: what counts is who signed the checkpoint (C2SP tlog-witness). */
static void submit(struct ledger_web *web, const struct http_request *request,
                   struct http_response *response)
{
    CLEANUP(buf_free) struct buf body = BUF(NOTE_BYTES_MAX);
    struct witness_answer given = {.body = &body};
    struct diag diag = {0};

    if (failed(witness_add_checkpoint(web->ledger, request->body, &given, &diag))) {
        answer_failed(response, &diag);
        return;
    }
    answer(response, given.status, given.is_size ? SLICE("text/x.tlog.size") : TEXT,
           SLICE("no-store"), arena_copy(request->arena, buf_slice(&body)));
}

void ledger_web_handle(struct ledger_web *web, const struct http_request *request,
                       struct http_response *response)
{
    bool is_submit = slice_eq(request->path, SLICE(SUBMIT));

    if (is_submit && request->method == HTTP_POST) {
        submit(web, request, response);
    } else if (!is_submit && (request->method == HTTP_GET || request->method == HTTP_HEAD)) {
        get(web, request, response);
    } else {
        http_response_header(response, SLICE("Allow"),
                             is_submit ? SLICE("POST") : SLICE("GET, HEAD"));
        answer_words(response, 405, SLICE("this method is not for here\n"));
    }
}
