#include "net/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/fault.h"
#include "net/tls.h"

#include "base/banned.h"

#define CONNECT_TIMEOUT_S 30
#define IDLE_TIMEOUT_S 60
#define BODY_BYTES_MAX ((size_t)64 << 20)
#define HEADER_BYTES_MAX ((size_t)256 << 10)
#define HEADER_TEXT_BYTES_MAX ((size_t)16 << 10)
#define REDIRECTS_MAX 5L

/* What one request gathers. */
struct exchange {
    struct buf body;     /* as it came */
    struct buf header;   /* lines of the last answer, each with its LF */
    const char *refusal; /* why we stopped it ourselves: static, or in `words` */
    enum err refusal_code;
    char words[256];
};

struct http_client {
    CURL *easy; /* owned */
    struct http_client_options options;
    struct hash256 pin;
    bool has_pin, has_pin_key;
    uint8_t pin_key[ED25519_PUBLIC_BYTES];
    struct exchange exchange;
    char error[CURL_ERROR_SIZE];
};

/* ---- libcurl, once ---- */

static CURLcode curl_started;

static void curl_start(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- callbacks: none may stop the request without saying why ---- */

static size_t stop(struct exchange *exchange, enum err code, const char *words)
{
    exchange->refusal = words;
    exchange->refusal_code = code;
    return 0; /* not what was offered: libcurl gives up */
}

static size_t on_body(char *at, size_t one, size_t bytes, void *context)
{
    struct exchange *exchange = context;

    (void)one;
    buf_put(&exchange->body, slice_of(at, bytes));
    if (!exchange->body.overflowed)
        return bytes;
    (void)snprintf(exchange->words, sizeof exchange->words, "the answer is over %zu bytes",
                   exchange->body.ceiling);
    return stop(exchange, ERR_LIMIT, exchange->words);
}

static size_t on_header(char *at, size_t one, size_t bytes, void *context)
{
    struct exchange *exchange = context;
    slice line = slice_of(at, bytes);

    (void)one;
    if (slice_starts(line, SLICE("HTTP/"))) { /* a new answer: behind a redirect, or a 100 */
        buf_reset(&exchange->header);
        buf_reset(&exchange->body);
        return bytes;
    }
    buf_put(&exchange->header, line);
    if (exchange->header.overflowed)
        return stop(exchange, ERR_LIMIT, "the answer's header is too long");
    return bytes;
}

static bool key_is_pinned(struct http_client *client)
{
    struct curl_tlssessioninfo *info = NULL;
    uint8_t shown[ED25519_PUBLIC_BYTES];

    if (curl_easy_getinfo(client->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info != NULL &&
        info->backend == CURLSSLBACKEND_GNUTLS && info->internals != NULL &&
        tls_peer_key(info->internals, shown) && memcmp(shown, client->pin_key, sizeof shown) == 0)
        return true;
    (void)stop(&client->exchange, ERR_DENIED, "the server shows another key than the pinned one");
    return false;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct http_client *client = context;

    (void)down_total, (void)down, (void)up_total, (void)up;
    if (!client->options.is_over(client->options.is_over_context))
        return 0;
    (void)stop(&client->exchange, ERR_IO, "the request was ended");
    return 1;
}

/* TLS stands and nothing was sent: the moment to look whom we speak to. */
static int on_connected(void *context, char *remote_address, char *local_address, int remote_port,
                        int local_port)
{
    struct http_client *client = context;
    struct exchange *exchange = &client->exchange;
    struct curl_tlssessioninfo *info = NULL;
    char hex[2 * SHA256_BYTES + 1] = "";
    struct hash256 shown;

    (void)remote_address, (void)local_address, (void)remote_port, (void)local_port;
    if (!client->has_pin && !client->has_pin_key)
        return CURL_PREREQFUNC_OK;
    if (client->has_pin_key)
        return key_is_pinned(client) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
    if (curl_easy_getinfo(client->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
        info->backend != CURLSSLBACKEND_GNUTLS || info->internals == NULL ||
        !tls_peer_fingerprint(info->internals, &shown)) {
        (void)stop(exchange, ERR_DENIED, "a certificate is pinned and the server showed none");
        return CURL_PREREQFUNC_ABORT;
    }
    if (hash256_eq(&shown, &client->pin))
        return CURL_PREREQFUNC_OK;
    hex_encode(slice_of(shown.bytes, sizeof shown.bytes), hex);
    (void)snprintf(exchange->words, sizeof exchange->words,
                   "the server's certificate is not the pinned one; its SHA-256 is %s", hex);
    (void)stop(exchange, ERR_DENIED, exchange->words);
    return CURL_PREREQFUNC_ABORT;
}

/* ---- set up ---- */

static bool pin_parse(const char *text, struct hash256 *out)
{
    char digits[2 * SHA256_BYTES];
    size_t count = 0;

    for (; *text != '\0'; text++) {
        if (*text == ':')
            continue;
        if (count == sizeof digits)
            return false;
        digits[count++] = *text;
    }
    return count == sizeof digits && hex_decode(slice_of(digits, count), out->bytes, SHA256_BYTES);
}

/* Options hold for the handle's life; each is refused only by a libcurl built without it, or for
 * want of memory. */
static CURLcode easy_set_up(struct http_client *client)
{
    const struct http_client_options *options = &client->options;
    CURL *easy = client->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                         \
    if (code == CURLE_OK)                                                                          \
        code = FAULT_HERE() ? CURLE_OUT_OF_MEMORY : curl_easy_setopt(easy, option, value);
    SET(CURLOPT_ERRORBUFFER, client->error)
    SET(CURLOPT_NOSIGNAL, 1L)
    SET(CURLOPT_PROTOCOLS_STR, "http,https")
    SET(CURLOPT_PROXY, "") /* whatever the environment says */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
    SET(CURLOPT_MAXREDIRS, REDIRECTS_MAX)
    SET(CURLOPT_CONNECTTIMEOUT, (long)options->connect_timeout_s)
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L)
    SET(CURLOPT_LOW_SPEED_TIME, (long)options->idle_timeout_s)
    SET(CURLOPT_WRITEFUNCTION, on_body)
    SET(CURLOPT_WRITEDATA, &client->exchange)
    SET(CURLOPT_HEADERFUNCTION, on_header)
    SET(CURLOPT_HEADERDATA, &client->exchange)
    SET(CURLOPT_PREREQFUNCTION, on_connected)
    SET(CURLOPT_PREREQDATA, client)
    SET(CURLOPT_USERAGENT,
        options->user_agent != NULL ? options->user_agent : "entente/" ENTENTE_VERSION)
    if (options->ca_file != NULL) {
        SET(CURLOPT_CAINFO, options->ca_file)
        SET(CURLOPT_CAPATH, NULL)
    }
    if (options->certificate_file != NULL) {
        SET(CURLOPT_SSLCERT, options->certificate_file)
        SET(CURLOPT_SSLKEY, options->key_file)
    }
    if (client->has_pin_key) {
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3)
        SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) /* each handshake shows the key */
    }
    if (options->is_over != NULL) {
        SET(CURLOPT_NOPROGRESS, 0L)
        SET(CURLOPT_XFERINFOFUNCTION, on_progress)
        SET(CURLOPT_XFERINFODATA, client)
    }
    if (client->has_pin ||
        client->has_pin_key) { /* on_connected looks instead, by the whole certificate */
        SET(CURLOPT_SSL_VERIFYPEER, 0L)
        SET(CURLOPT_SSL_VERIFYHOST, 0L)
    }
#undef SET
    return code;
}

static size_t size_or(size_t value, size_t fallback)
{
    return value != 0 ? value : fallback;
}

result http_client_new(const struct http_client_options *options, struct http_client **out,
                       struct diag *diag)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t capacity = 0;

    *out = NULL;
    (void)pthread_once(&once, curl_start);
    if (curl_started != CURLE_OK)
        return diag_fail(diag, ERR_IO, "libcurl: %s", curl_easy_strerror(curl_started));
    CLEANUP(http_client_free)
    struct http_client *client =
        FAULT_HERE() ? NULL : table_grow(NULL, &capacity, 1, 1, sizeof *client);
    if (client == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for an HTTP client");
    *client = (struct http_client){.options = *options};
    client->options.connect_timeout_s =
        (unsigned)size_or(options->connect_timeout_s, CONNECT_TIMEOUT_S);
    client->options.idle_timeout_s = (unsigned)size_or(options->idle_timeout_s, IDLE_TIMEOUT_S);
    client->options.body_bytes_max = size_or(options->body_bytes_max, BODY_BYTES_MAX);
    client->exchange.body = BUF(client->options.body_bytes_max);
    client->exchange.header = BUF(HEADER_BYTES_MAX);
    client->has_pin = options->pin_sha256_hex != NULL;
    client->has_pin_key = options->pin_key != NULL;
    if (client->has_pin_key)
        memcpy(client->pin_key, options->pin_key, sizeof client->pin_key);
    if (client->has_pin && !pin_parse(options->pin_sha256_hex, &client->pin))
        return diag_fail(diag, ERR_INVALID, "pin \"%s\": a SHA-256 is 64 hexadecimal digits",
                         options->pin_sha256_hex);
    client->easy = FAULT_HERE() ? NULL : curl_easy_init();
    CURLcode code = client->easy != NULL ? easy_set_up(client) : CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK)
        return diag_fail(diag, ERR_IO, "libcurl: %s", curl_easy_strerror(code));
    *out = client;
    client = NULL;
    return OK;
}

void http_client_free(struct http_client **client)
{
    if (*client == NULL)
        return;
    curl_easy_cleanup((*client)->easy);
    buf_free(&(*client)->exchange.body);
    buf_free(&(*client)->exchange.header);
    table_free(*client);
    *client = NULL;
}

/* ---- a request ---- */

static void list_free(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static bool list_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = FAULT_HERE() ? NULL : curl_slist_append(*list, line);

    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

/* A control character in a value would start a field of its own. */
static bool is_one_line(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' && s.at[i] != '\t')
            return false;
    return true;
}

static result list_make(const struct http_header *headers, size_t count, struct curl_slist **list,
                        struct diag *diag)
{
    CLEANUP(buf_free) struct buf line = BUF(HEADER_TEXT_BYTES_MAX);

    /* Unpacked here, where the ceiling is ours. */
    if (!list_add(list, "Accept-Encoding: zstd, gzip"))
        return diag_fail(diag, ERR_LIMIT, "no memory for a request");
    for (size_t i = 0; i < count; i++) {
        if (!is_one_line(headers[i].name) || !is_one_line(headers[i].value))
            return diag_fail(diag, ERR_INVALID, "header %.*s: a line break in it",
                             SLICE_ARG(headers[i].name));
        buf_reset(&line);
        buf_put(&line, headers[i].name);
        buf_put(&line, headers[i].value.len > 0 ? SLICE(": ") : SLICE(";")); /* libcurl: empty */
        buf_put(&line, headers[i].value);
        buf_byte(&line, '\0');
        if (line.overflowed || !list_add(list, line.at))
            return diag_fail(diag, ERR_LIMIT, "header %.*s: too long", SLICE_ARG(headers[i].name));
        secret_wipe(line.at, line.len); /* it may be an Authorization */
    }
    return OK;
}

static CURLcode method_set(CURL *easy, const char *method, const char *url, slice body,
                           struct curl_slist *list)
{
    bool is_head = strcmp(method, "HEAD") == 0, is_get = strcmp(method, "GET") == 0;
    bool is_https = slice_starts(slice_text(url), SLICE("https:"));
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                         \
    if (code == CURLE_OK)                                                                          \
        code = curl_easy_setopt(easy, option, value);
    SET(CURLOPT_POSTFIELDS, NULL)
    SET(CURLOPT_HTTPGET, 1L) /* forgets the last request's method and body */
    SET(CURLOPT_CUSTOMREQUEST, NULL)
    SET(CURLOPT_NOBODY, is_head ? 1L : 0L)
    if (body.at != NULL || strcmp(method, "POST") == 0) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len)
        SET(CURLOPT_POSTFIELDS, body.at != NULL ? body.at : "")
    }
    if (!is_head && !is_get)
        SET(CURLOPT_CUSTOMREQUEST, method)
    SET(CURLOPT_FOLLOWLOCATION, is_head || is_get ? 1L : 0L)
    SET(CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http,https")
    SET(CURLOPT_HTTPHEADER, list)
    SET(CURLOPT_URL, url)
#undef SET
    return code;
}

static result refused(const struct http_client *client, CURLcode code, const char *url,
                      struct diag *diag)
{
    const char *words = client->error[0] != '\0' ? client->error : curl_easy_strerror(code);
    enum err err = ERR_IO;

    if (client->exchange.refusal != NULL)
        return diag_fail(diag, client->exchange.refusal_code, "%s: %s", url,
                         client->exchange.refusal);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_LOGIN_DENIED || code == CURLE_TOO_MANY_REDIRECTS ||
        code == CURLE_SSL_CACERT_BADFILE || code == CURLE_WEIRD_SERVER_REPLY)
        err = ERR_INVALID;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR)
        err = ERR_DENIED;
    return diag_fail(diag, err, "%s: %s", url, words);
}

/* ---- the answer ---- */

static result headers_take(const struct http_client *client, const char *url, struct arena *arena,
                           struct http_client_response *out, struct diag *diag)
{
    slice rest = arena_copy(arena, buf_slice(&client->exchange.header)), line;
    struct http_header header;

    if (arena->overflowed)
        return diag_fail(diag, ERR_LIMIT, "%s: no room for the answer's header", url);
    while (rest.len > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (!slice_cut(line, ':', &header.name, &header.value))
            continue; /* the empty line behind them */
        if (out->header_count == HTTP_HEADERS_MAX)
            return diag_fail(diag, ERR_LIMIT, "%s: an answer of over %d header fields", url,
                             HTTP_HEADERS_MAX);
        header.value = slice_trim(header.value);
        out->headers[out->header_count++] = header;
    }
    return OK;
}

static result body_take(struct http_client *client, const char *url, struct arena *arena,
                        struct http_client_response *out, struct diag *diag)
{
    slice coding = http_client_header(out, SLICE("content-encoding"));
    slice body = buf_slice(&client->exchange.body);
    CLEANUP(buf_free) struct buf unpacked = BUF(client->options.body_bytes_max);
    enum packing packing = PACK_NONE;

    if (slice_eq_nocase(coding, SLICE("gzip")) || slice_eq_nocase(coding, SLICE("x-gzip")))
        packing = PACK_GZIP;
    else if (slice_eq_nocase(coding, SLICE("zstd")))
        packing = PACK_ZSTD;
    else if (coding.len > 0 && !slice_eq_nocase(coding, SLICE("identity")))
        return diag_fail(diag, ERR_INVALID, "%s: packed in a way nobody asked for: %.*s", url,
                         SLICE_ARG(coding));
    if (packing != PACK_NONE && body.len > 0) { /* HEAD, 204 and 304 have none */
        TRY(diag_within(diag, unpack(packing, body, &unpacked, diag), "%s", url));
        body = buf_slice(&unpacked);
    }
    out->body = body.len > 0 ? arena_copy(arena, body) : SLICE("");
    return out->body.at != NULL ? OK
                                : diag_fail(diag, ERR_LIMIT, "%s: no room for the answer", url);
}

result http_client_request(struct http_client *client, const char *method, const char *url,
                           const struct http_header *headers, size_t header_count, slice body,
                           struct arena *arena, struct http_client_response *out, struct diag *diag)
{
    CLEANUP(list_free) struct curl_slist *list = NULL;
    struct exchange *exchange = &client->exchange;
    long status = 0;

    *out = (struct http_client_response){0};
    buf_reset(&exchange->body);
    buf_reset(&exchange->header);
    exchange->refusal = NULL;
    client->error[0] = '\0';
    TRY(diag_within(diag, list_make(headers, header_count, &list, diag), "%s", url));
    CURLcode code = method_set(client->easy, method, url, body, list);
    if (code == CURLE_OK)
        code = FAULT_HERE() ? CURLE_COULDNT_CONNECT : curl_easy_perform(client->easy);
    (void)curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL); /* the list dies here */
    if (code != CURLE_OK)
        return refused(client, code, url, diag);
    if (curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
        status < 100)
        return diag_fail(diag, ERR_INVALID, "%s: no HTTP answer", url);
    out->status = (int)status;
    TRY(headers_take(client, url, arena, out, diag));
    return body_take(client, url, arena, out, diag);
}

slice http_client_header(const struct http_client_response *response, slice name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (slice_eq_nocase(response->headers[i].name, name))
            return response->headers[i].value;
    return SLICE_NONE;
}
