/* alert send, list: what was seen, told to a SIEM.
 *
 * A position for each target says what was sent.  An alert that cannot be delivered now stops the
 * call, and the next one goes on there; one that the target refuses is kept in a list, and the rest
 * goes on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/time.h"
#include "base/uuid.h"
#include "cli/reading.h"
#include "cli/remote.h"
#include "export/values.h"
#include "formats/alert.h"
#include "net/client.h"
#include "net/syslog.h"

#include "base/banned.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define PAGE_OBJECTS 500
#define RETRIES_USUAL 3
#define RETRIES_MAX 100
#define PAUSE_MS_FIRST 500
#define PAUSE_MS_MAX 30000
#define PATH_BYTES_MAX 4400
#define REFUSED_BYTES_MAX ((size_t)64 << 20) /* of the list */
#define WHAT "alert"
#define REFUSED_FILE "refused.ndjson"

enum form { FORM_CEF, FORM_LEEF, FORM_JSON };

struct sending {
    struct cli *cli;
    struct node node;
    struct store_view view;
    struct cli_reader reader;
    struct json_parser *parser; /* owned */
    struct arena arena;         /* of one alert */
    const char *target;
    enum form form;
    size_t retries;
    struct syslog_line line;  /* owned */
    struct http_client *http; /* owned */
    char secret[CLI_PASSWORD_BYTES_MAX];
    size_t secret_bytes;
    char host[256];
    uint64_t sent, refused;
};

static void sending_close(struct sending *s)
{
    cli_reader_close(&s->reader);
    syslog_close(&s->line);
    http_client_free(&s->http);
    json_parser_free(&s->parser);
    arena_free(&s->arena);
    secret_wipe(s->secret, sizeof(s->secret));
    store_view_end(&s->view);
    node_close(&s->node);
}

static bool is_webhook(const char *target)
{
    slice text = slice_text(target);

    return slice_starts(text, SLICE("https://")) || slice_starts(text, SLICE("http://"));
}

static bool is_stdout(const char *target)
{
    return slice_eq(slice_text(target), SLICE("-"));
}

/* ---- an alert from a sighting ---- */

static slice member(const struct json_doc *doc, slice key, struct arena *arena)
{
    slice text = json_string(doc, json_get(doc, doc->nodes, key), arena);

    return text.at == NULL ? SLICE("") : arena_copy(arena, text);
}

/* What the node knows of the indicator that was seen. */
static void indicator_read(struct sending *s, struct alert *alert)
{
    const struct collection any = {0};
    struct export_values values;
    struct json_doc doc;
    int64_t confidence;
    slice text;

    if (failed(report_held(&s->view, &any, alert->indicator, &s->arena, &text, NULL)) ||
        text.len == 0 || failed(json_parse_copy(s->parser, text, &doc, NULL)))
        return;
    alert->name = member(&doc, SLICE("name"), &s->arena);
    alert->pattern = member(&doc, SLICE("pattern"), &s->arena);
    if (json_i64(&doc, json_get(&doc, doc.nodes, SLICE("confidence")), &confidence) &&
        confidence >= 0 && confidence <= 100)
        alert->confidence = (int)confidence;
    export_values_read(alert->pattern, member(&doc, SLICE("pattern_type"), &s->arena), &s->arena,
                       &values);
    if (values.is_simple && values.count == 1 && values.items[0].is_known) {
        alert->has_value = true;
        alert->kind = values.items[0].kind;
        alert->value = values.items[0].text;
    }
}

/* False: nothing was seen (a false positive's sighting counts none), or it is no sighting. */
static bool alert_read(struct sending *s, slice text, struct alert *out)
{
    struct timestamp last;
    struct json_doc doc;
    int64_t count = 1;

    *out = (struct alert){.confidence = -1, .last_us = INT64_MIN};
    if (failed(json_parse_copy(s->parser, text, &doc, NULL)))
        return false;
    const struct json_node *node = json_get(&doc, doc.nodes, SLICE("count"));
    if (node != NULL && (!json_i64(&doc, node, &count) || count <= 0))
        return false;
    const struct json_node *revoked = json_get(&doc, doc.nodes, SLICE("revoked"));
    if (revoked != NULL && revoked->kind == JSON_TRUE)
        return false;
    out->count = (uint64_t)count;
    out->id = member(&doc, SLICE("id"), &s->arena);
    out->indicator = member(&doc, SLICE("sighting_of_ref"), &s->arena);
    out->first_seen = member(&doc, SLICE("first_seen"), &s->arena);
    out->last_seen = member(&doc, SLICE("last_seen"), &s->arena);
    if (timestamp_parse(out->last_seen, &last))
        out->last_us = last.us;
    if (!slice_starts(out->indicator, SLICE("indicator--")))
        return false;
    indicator_read(s, out);
    return !s->arena.overflowed;
}

static void alert_write(const struct sending *s, const struct alert *alert, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 22);

    if (s->form == FORM_JSON)
        alert_json(alert, slice_text(s->node.identity), &text);
    else if (s->form == FORM_CEF)
        alert_cef(alert, &text);
    else
        alert_leef(alert, &text);
    if (syslog_is_target(slice_text(s->target)))
        alert_syslog(alert, slice_text(s->host), buf_slice(&text), out);
    else
        buf_put(out, buf_slice(&text));
    out->overflowed |= text.overflowed;
}

/* ---- delivery ---- */

/* The signature covers the time, so that an old message cannot be sent again later. */
static result webhook_send(struct sending *s, slice body, struct diag *diag)
{
    CLEANUP(buf_free) struct buf signed_text = BUF((size_t)1 << 22);
    CLEANUP(arena_free) struct arena arena = ARENA((size_t)1 << 22);
    struct http_header headers[3] = {{SLICE("Content-Type"), SLICE("application/json")}};
    struct http_client_response response;
    char stamp[32], hex[2 * SHA256_BYTES];
    size_t count = 1;

    int len = snprintf(stamp, sizeof(stamp), "%lld", (long long)(time_now_us() / 1000000));
    headers[count++] =
        (struct http_header){SLICE("X-Entente-Timestamp"), slice_of(stamp, (size_t)len)};
    if (s->secret_bytes > 0) {
        buf_put(&signed_text, slice_of(stamp, (size_t)len));
        buf_byte(&signed_text, '.');
        buf_put(&signed_text, body);
        struct hash256 mac =
            hmac_sha256(slice_of(s->secret, s->secret_bytes), buf_slice(&signed_text));
        hex_encode(slice_of(mac.bytes, SHA256_BYTES), hex);
        headers[count++] =
            (struct http_header){SLICE("X-Entente-Signature"),
                                 arena_printf(&arena, "sha256=%.*s", (int)sizeof(hex), hex)};
    }
    TRY(http_client_request(s->http, "POST", s->target, headers, count, body, &arena, &response,
                            diag));
    if (response.status >= 200 && response.status < 300)
        return OK;
    bool is_later = response.status >= 500 || response.status == 408 || response.status == 429;
    return diag_fail(diag, is_later ? ERR_IO : ERR_DENIED, "%s: answers %d", s->target,
                     response.status);
}

static result once_send(struct sending *s, slice text, struct diag *diag)
{
    if (is_stdout(s->target)) {
        if (printf("%.*s\n", SLICE_ARG(text)) < 0 || fflush(stdout) != 0)
            return diag_errno(diag, errno, "standard output");
        return OK;
    }
    if (is_webhook(s->target))
        return webhook_send(s, text, diag);
    if (s->line.socket < 0)
        TRY(syslog_open(slice_text(s->target), &s->line, diag));
    result r = syslog_send(&s->line, text, diag);
    if (failed(r))
        syslog_close(&s->line);
    return r;
}

static bool is_worth_a_retry(result r)
{
    return r.code == ERR_IO || r.code == ERR_MISSING; /* no socket there: the server starts later */
}

static result alert_deliver(struct sending *s, slice text, struct diag *diag)
{
    uint64_t pause_ms = PAUSE_MS_FIRST;
    result r = once_send(s, text, diag);

    for (size_t i = 0; i < s->retries && failed(r) && is_worth_a_retry(r); i++) {
        struct timespec left = {.tv_sec = (time_t)(pause_ms / 1000),
                                .tv_nsec = (long)(pause_ms % 1000) * 1000000};

        (void)nanosleep(&left, NULL);
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
        diag_reset(diag);
        r = once_send(s, text, diag);
    }
    return r;
}

/* ---- what was refused ---- */

static void refused_path(const struct node *node, char out[PATH_BYTES_MAX])
{
    (void)snprintf(out, PATH_BYTES_MAX, "%s/" WHAT "/" REFUSED_FILE, node->folder);
}

/* A line more, durable before the position moves on. */
static result refused_keep(struct sending *s, slice target, const struct alert *alert, slice why,
                           struct diag *diag)
{
    CLEANUP(buf_free) struct buf line = BUF((size_t)1 << 20);
    struct json_writer w = JSON_WRITER(&line);
    char path[PATH_BYTES_MAX], folder[PATH_BYTES_MAX], when[TIMESTAMP_TEXT_BYTES_MAX];
    struct stat about;

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("at"), slice_of(when, time_format_us(time_now_us(), when)));
    jw_put_string(&w, SLICE("target"), target);
    jw_put_string(&w, SLICE("sighting"), alert->id);
    jw_put_string(&w, SLICE("indicator"), alert->indicator);
    jw_put_string(&w, SLICE("why"), why);
    jw_object_end(&w);
    buf_byte(&line, '\n');
    (void)snprintf(folder, sizeof(folder), "%s/" WHAT, s->node.folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return diag_errno(diag, errno, "%s", folder);
    refused_path(&s->node, path);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0)
        return diag_errno(diag, errno, "%s", path);
    result r = OK;
    if (line.overflowed ||
        (fstat(file, &about) == 0 && (uint64_t)about.st_size + line.len > REFUSED_BYTES_MAX))
        r = diag_fail(diag, ERR_LIMIT, "%s: is full: --refused sends, or remove it", path);
    else if (write(file, line.at, line.len) != (ssize_t)line.len || fsync(file) != 0)
        r = diag_errno(diag, errno, "%s", path);
    (void)close(file);
    return r;
}

static result alert_take(struct sending *s, const struct alert *alert, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF((size_t)1 << 23);
    struct diag why = {0};

    alert_write(s, alert, &text);
    if (text.overflowed)
        return diag_fail(diag, ERR_LIMIT, "no memory for an alert");
    result r = alert_deliver(s, buf_slice(&text), &why);
    if (succeeded(r)) {
        s->sent++;
        return OK;
    }
    if (is_worth_a_retry(r))
        return diag_fail(diag, ERR_IO, "%s", why.text);
    s->refused++;
    return refused_keep(s, slice_text(s->target), alert, slice_text(why.text), diag);
}

/* ---- one call ---- */

static result item_take(struct sending *s, uint64_t seq, struct diag *diag)
{
    struct store_item item;
    struct alert alert;
    bool is_there;

    arena_reset(&s->arena);
    if (!store_item_at(&s->view, seq, &item))
        return s->view.txn.state;
    TRY(cli_reader_item(&s->reader, &s->view, &item, &s->arena, &is_there, diag));
    return is_there && alert_read(s, item.text, &alert) ? alert_take(s, &alert, diag) : OK;
}

static result position_save(struct sending *s, uint64_t seq, struct diag *diag)
{
    char position[32];

    (void)snprintf(position, sizeof(position), "%" PRIu64, seq);
    return is_stdout(s->target)
               ? OK
               : remote_position_save(&s->node, WHAT, s->target, 0, position, diag);
}

static result all_take(struct sending *s, uint64_t from, struct diag *diag)
{
    CLEANUP(arena_free) struct arena pages = ARENA(ARENA_BYTES_MAX);
    static const slice type = S("sighting");
    struct store_query query = {
        .types = &type, .type_count = 1, .version_last = true, .seq_from = from};
    struct store_page page = {.more = true};

    while (page.more) {
        arena_reset(&pages);
        TRY(store_find(&s->view, &query, PAGE_OBJECTS, SIZE_MAX, false, &pages, &page, diag));
        query.seq_from = page.next_seq;
        for (size_t i = 0; i < page.count; i++) {
            TRY(item_take(s, page.seqs[i], diag));
            TRY(position_save(s, page.seqs[i] + 1, diag));
        }
    }
    return position_save(s, s->view.seq_end, diag);
}

/* A line of the list: sent, or kept for its own target. */
static result refused_again(struct sending *s, slice line, struct diag *diag)
{
    const struct collection any = {0};
    struct json_doc doc;
    slice held;

    arena_reset(&s->arena);
    if (failed(json_parse_copy(s->parser, line, &doc, NULL)))
        return OK;
    slice target = member(&doc, SLICE("target"), &s->arena);
    slice why = member(&doc, SLICE("why"), &s->arena);
    struct alert alert = {.id = member(&doc, SLICE("sighting"), &s->arena),
                          .indicator = member(&doc, SLICE("indicator"), &s->arena)};
    if (!slice_eq(target, slice_text(s->target)))
        return refused_keep(s, target, &alert, why, diag);
    TRY(report_held(&s->view, &any, alert.id, &s->arena, &held, diag));
    return held.len > 0 && alert_read(s, held, &alert) ? alert_take(s, &alert, diag) : OK;
}

/* The list is taken away as a whole, and what is refused again makes a new one. */
static result refused_take(struct sending *s, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(REFUSED_BYTES_MAX + ((size_t)1 << 20));
    CLEANUP(source_close) struct source *source = NULL;
    char path[PATH_BYTES_MAX], aside[PATH_BYTES_MAX + 8];
    size_t count = 0;

    refused_path(&s->node, path);
    (void)snprintf(aside, sizeof(aside), "%s.old", path);
    /* One that is there was not finished: the target went away. */
    if (access(aside, F_OK) != 0 && rename(path, aside) != 0)
        return errno == ENOENT ? OK : diag_errno(diag, errno, "%s", path);
    TRY(source_open(aside, &source, diag));
    do {
        char *room = buf_reserve(&text, (size_t)1 << 16);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: is too long", aside);
        TRY(source_read(source, room, (size_t)1 << 16, &count, diag));
        text.len += count;
    } while (count > 0);
    for (slice rest = buf_slice(&text), line; rest.len > 0;) {
        (void)slice_cut(rest, '\n', &line, &rest);
        TRY(refused_again(s, line, diag));
    }
    return unlink(aside) == 0 ? OK : diag_errno(diag, errno, "%s", aside);
}

static int form_choose(struct sending *s)
{
    const char *word = cli_value(s->cli, "form");
    slice form = slice_text(word != NULL ? word : is_webhook(s->target) ? "json" : "cef");

    if (slice_eq(form, SLICE("cef")))
        s->form = FORM_CEF;
    else if (slice_eq(form, SLICE("leef")))
        s->form = FORM_LEEF;
    else if (slice_eq(form, SLICE("json")))
        s->form = FORM_JSON;
    else
        return cli_misused(s->cli, "--form = \"%s\": takes cef, leef or json", word);
    return CLI_OK;
}

static int sending_open(struct sending *s)
{
    struct cli *cli = s->cli;
    const char *secret = cli_value(cli, "secret-file");
    struct diag diag = {0};
    int code;

    s->target = cli->words[0];
    if (!is_stdout(s->target) && !is_webhook(s->target) && !syslog_is_target(slice_text(s->target)))
        return cli_misused(cli,
                           "\"%s\": takes udp://HOST:PORT, tcp://HOST:PORT, unix:PATH, a URL or -",
                           s->target);
    code = form_choose(s);
    if (code == CLI_OK)
        code = cli_count(cli, "retries", 0, RETRIES_MAX, RETRIES_USUAL, &s->retries);
    if (code == CLI_OK && secret != NULL)
        code = cli_secret(cli, secret, "secret: ", false, s->secret, &s->secret_bytes);
    if (code == CLI_OK)
        code = cli_node_open(cli, true, &s->node);
    if (code != CLI_OK)
        return code;
    store_view_begin(s->node.store, &s->view, &diag);
    if (diag.code != ERR_NONE)
        return cli_failed(&diag);
    if (gethostname(s->host, sizeof(s->host) - 1) != 0)
        s->host[0] = '\0';
    const struct http_client_options options = {.ca_file = cli_value(cli, "ca-file"),
                                                .pin_sha256_hex = cli_value(cli, "pin")};
    if (failed(json_parser_new(JSON_DEPTH_MAX, &s->parser, &diag)) ||
        (is_webhook(s->target) && failed(http_client_new(&options, &s->http, &diag))))
        return cli_failed(&diag);
    return cli_reader_open(cli, &s->node, &s->view, true, &s->reader);
}

static result sending_run(struct sending *s, struct diag *diag)
{
    char position[REMOTE_POSITION_BYTES_MAX] = "";
    uint64_t from = 0;

    if (cli_has(s->cli, "refused"))
        return refused_take(s, diag);
    if (!cli_has(s->cli, "from-start") && !is_stdout(s->target))
        TRY(remote_position_load(&s->node, WHAT, s->target, 0, position, diag));
    if (position[0] != '\0' && !parse_u64(slice_text(position), &from))
        return diag_fail(diag, ERR_CORRUPT,
                         "the position of %s cannot be read; --from-start makes a new one",
                         s->target);
    return all_take(s, from, diag);
}

int cmd_alert_send(struct cli *cli)
{
    CLEANUP(sending_close)
    struct sending s = {.cli = cli, .line = SYSLOG_CLOSED, .arena = ARENA(ARENA_BYTES_MAX)};
    struct diag diag = {0};

    if (cli->word_count != 1)
        return cli_misused(cli, "one target");
    int code = sending_open(&s);
    if (code != CLI_OK)
        return code;
    result r = sending_run(&s, &diag);
    cli_say(cli, "sent %" PRIu64 " alert%s, %" PRIu64 " refused", s.sent, s.sent == 1 ? "" : "s",
            s.refused);
    return failed(r) ? cli_failed(&diag) : cli_end(s.refused > 0 ? CLI_REFUSED : CLI_OK);
}

static void lines_print(const char *path)
{
    char line[4096];
    FILE *file = fopen(path, "re");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        (void)fputs(line, stdout); /* a line of JSON each, in which nothing steers a terminal */
    if (file != NULL)
        (void)fclose(file);
}

int cmd_alert_list(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    char path[PATH_BYTES_MAX], aside[PATH_BYTES_MAX + 8];

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    int code = cli_node_open(cli, true, &node);
    if (code != CLI_OK)
        return code;
    refused_path(&node, path);
    (void)snprintf(aside, sizeof(aside), "%s.old", path);
    lines_print(aside);
    lines_print(path);
    return cli_end(CLI_OK);
}
