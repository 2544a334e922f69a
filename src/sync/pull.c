#include "sync/pull.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "net/tls.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)160 << 20)
#define SMALL_BYTES_MAX ((size_t)1 << 20)
#define IDLE_SPARE_S 60
#define CONNECT_S 15

result sync_certificate(const struct sync_place *place, char certificate[SYNC_PATH_BYTES_MAX],
                        char key[SYNC_PATH_BYTES_MAX], struct diag *diag)
{
    (void)snprintf(certificate, SYNC_PATH_BYTES_MAX, "%s/tls", place->folder);
    if (mkdir(certificate, 0700) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", certificate);
    (void)snprintf(certificate, SYNC_PATH_BYTES_MAX, "%s/tls/partner.pem", place->folder);
    (void)snprintf(key, SYNC_PATH_BYTES_MAX, "%s/tls/partner-key.pem", place->folder);
    if (place->keep.key == NULL)
        return diag_fail(diag, ERR_MISSING, "the node has no key yet: open it once for writing");
    return tls_key_certificate(certificate, key, place->ledger->node_key.seed, diag);
}

/* ---- opening ---- */

static result partner_find(const struct sync_place *place, struct puller *puller, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    CLEANUP(arena_free) struct arena arena = ARENA(SMALL_BYTES_MAX);
    struct sync_partner partner;

    kv_begin_read(place->keep.kv, &txn, diag);
    if (!sync_partner(place, &txn, puller->partner, &arena, &partner))
        return diag_fail(diag, ERR_MISSING, "%.*s: there is no such partner",
                         SLICE_ARG(puller->partner));
    if (!partner.is_confirmed)
        return diag_fail(diag, ERR_DENIED, "%.*s: its key is not confirmed: compare the digits",
                         SLICE_ARG(puller->partner));
    if (partner.url.len == 0)
        return diag_fail(diag, ERR_MISSING, "%.*s: its card has no URL, so it cannot be asked",
                         SLICE_ARG(puller->partner));
    (void)snprintf(puller->url, sizeof(puller->url), "%.*s", SLICE_ARG(partner.url));
    memcpy(puller->key, partner.key, sizeof(puller->key));
    return txn.state;
}

result puller_open(const struct sync_place *place, slice partner, unsigned wait_s,
                   bool (*is_over)(void *context), void *context, struct puller *out,
                   struct diag *diag)
{
    char certificate[SYNC_PATH_BYTES_MAX], key[SYNC_PATH_BYTES_MAX];

    *out = (struct puller){.place = place,
                           .partner = partner,
                           .wait_s = wait_s,
                           .is_over = is_over,
                           .context = context};
    TRY(partner_find(place, out, diag));
    TRY(sync_certificate(place, certificate, key, diag));
    const struct http_client_options options = {
        .connect_timeout_s = CONNECT_S,
        .idle_timeout_s = wait_s + IDLE_SPARE_S,
        .body_bytes_max = SYNC_BATCH_BYTES_MAX,
        .certificate_file = certificate,
        .key_file = key,
        .pin_key = out->key,
        .user_agent = "entente",
        .is_over = is_over,
        .is_over_context = context,
    };
    return http_client_new(&options, &out->client, diag);
}

void puller_close(struct puller *puller)
{
    if (puller->client != NULL)
        http_client_free(&puller->client);
}

/* ---- one step ---- */

static result status_check(const struct puller *puller, const struct http_client_response *response,
                           struct diag *diag)
{
    if (response->status == 200 || response->status == 204)
        return OK;
    return diag_fail(diag, response->status == 403 ? ERR_DENIED : ERR_IO, "%s: status %d: %.*s",
                     puller->url, response->status,
                     SLICE_ARG(slice_trim(slice_head(response->body, 300))));
}

result puller_post(struct puller *puller, const char *path, slice body, struct arena *arena,
                   struct http_client_response *out, struct diag *diag)
{
    const struct http_header headers[] = {{S("Content-Type"), S("application/octet-stream")}};
    char url[700];

    (void)snprintf(url, sizeof(url), "%s%s", puller->url, path);
    TRY(http_client_request(puller->client, "POST", url, headers, 1, body, arena, out, diag));
    return status_check(puller, out, diag);
}

static result receipt_send(struct puller *puller, slice receipt, struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(SMALL_BYTES_MAX);
    struct http_client_response response;

    TRY(puller_post(puller, SYNC_RECEIPTS_PATH, receipt, &arena, &response, diag));
    puller->is_receipt_sent = true;
    return OK;
}

/* Where to go on, and the receipt that may not have arrived. */
static result cursor_find(struct puller *puller, struct arena *arena, struct sync_cursor *out,
                          slice *receipt, struct diag *diag)
{
    CLEANUP(kv_abort) struct kv_txn txn = {0};
    struct sync_row row;

    *out = (struct sync_cursor){0, 0};
    *receipt = SLICE("");
    kv_begin_read(puller->place->keep.kv, &txn, diag);
    if (sync_row(puller->place, &txn, SYNC_RECEIVED, puller->partner, arena, &row)) {
        if (!sync_cursor_parse(row.next, out))
            return diag_fail(diag, ERR_CORRUPT, "the cursor of %.*s cannot be read",
                             SLICE_ARG(puller->partner));
        *receipt = row.receipt;
    }
    return txn.state;
}

/* Headers are few, for an idle partner shall cost little. */
static result feed_ask(struct puller *puller, struct sync_cursor durable, unsigned wait_s,
                       struct arena *arena, struct http_client_response *out, struct diag *diag)
{
    char url[800], after[SYNC_CURSOR_BYTES_MAX], from[SYNC_CURSOR_BYTES_MAX];
    struct sync_cursor looked = puller->has_looked ? puller->looked : durable;

    (void)snprintf(url, sizeof(url), "%s" SYNC_FEED_PATH "?after=%.*s&looked=%.*s&wait=%u",
                   puller->url, SLICE_ARG(sync_cursor_format(durable, after)),
                   SLICE_ARG(sync_cursor_format(looked, from)), wait_s);
    TRY(http_client_request(puller->client, "GET", url, NULL, 0, SLICE_NONE, arena, out, diag));
    return status_check(puller, out, diag);
}

static result batch_take(struct puller *puller, slice body, struct arena *arena, struct taken *out,
                         struct buf *receipt, struct diag *diag)
{
    CLEANUP(json_parser_free) struct json_parser *parser = NULL;
    const struct sync_partner partner = {.id = puller->partner, .is_confirmed = true};
    struct batch batch;

    TRY(json_parser_new(SYNC_DEPTH_MAX, &parser, diag));
    TRY(batch_read(parser, body, puller->key, arena, &batch, diag));
    return sync_take(puller->place, &partner, &batch, out, receipt, diag);
}

/* What the partner did wrong is kept; what the line did is not its fault. */
static result blamed(const struct puller *puller, result r, const struct diag *diag)
{
    if (r.code == ERR_INVALID || r.code == ERR_CORRUPT || r.code == ERR_LIMIT ||
        r.code == ERR_DENIED)
        sync_note_refused(puller->place, puller->partner, diag->text);
    return r;
}

result puller_step(struct puller *puller, unsigned wait_s, struct taken *out, bool *is_any,
                   struct diag *diag)
{
    CLEANUP(arena_free) struct arena arena = ARENA(ARENA_BYTES_MAX);
    CLEANUP(buf_free) struct buf receipt = BUF(SYNC_RECEIPT_BYTES_MAX + 256);
    struct http_client_response response;
    struct sync_cursor durable, next;
    slice last;

    *is_any = false;
    *out = (struct taken){0};
    TRY(cursor_find(puller, &arena, &durable, &last, diag));
    if (last.len > 0 && !puller->is_receipt_sent)
        TRY(receipt_send(puller, last, diag));
    result r = feed_ask(puller, durable, wait_s, &arena, &response, diag);
    if (failed(r))
        return r.code == ERR_DENIED && response.status == 0 ? blamed(puller, r, diag) : r;
    if (response.status == 204) {
        puller->has_looked =
            sync_cursor_parse(http_client_header(&response, SLICE("next")), &next) &&
            sync_cursor_cmp(next, durable) >= 0;
        puller->looked = next;
        return OK;
    }
    TRY(blamed(puller, batch_take(puller, response.body, &arena, out, &receipt, diag), diag));
    *is_any = true;
    puller->has_looked = false;
    puller->is_receipt_sent = false;
    log_event(LOG_LEVEL_INFO, "sync.pulled", "partner=%.*s objects=%llu held=%llu refused=%llu",
              SLICE_ARG(puller->partner), (unsigned long long)out->objects,
              (unsigned long long)out->held, (unsigned long long)out->refused);
    return receipt_send(puller, buf_slice(&receipt), diag);
}
