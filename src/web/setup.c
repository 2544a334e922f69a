#include "web/setup.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "base/log.h"

#include "base/banned.h"

#define PAGE_HEAD                                                                                  \
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "            \
    "content=\"width=device-width\"><title>Entente: set up</title><h1>Entente: set up</h1>"

static const char form_page[] = PAGE_HEAD
    "<p>Name the first administrator of this node. This link works once.</p>"
    "<form method=\"post\"><p><label>Name<br><input name=\"name\" required "
    "autocomplete=\"username\" pattern=\"[a-z0-9][a-z0-9._@\\-]*\"></label></p>"
    "<p><label>Password, 12 characters or more<br><input name=\"password\" "
    "type=\"password\" minlength=\"12\" required autocomplete=\"new-password\"></label></p>"
    "<p><button>Set up</button></p></form></html>\n";

static const char done_page[] =
    PAGE_HEAD "<p>Done. The account works now, with TAXII clients and with scripts.</p></html>\n";

static void page(struct http_response *response, int status, slice html)
{
    response->status = status;
    response->head = html;
    http_response_header(response, SLICE("Content-Type"), SLICE("text/html; charset=utf-8"));
    http_response_header(response, SLICE("Content-Security-Policy"),
                         SLICE("default-src 'none'; form-action 'self'; frame-ancestors 'none'"));
    http_response_header(response, SLICE("Cache-Control"), SLICE("no-store"));
    http_response_header(response, SLICE("Referrer-Policy"), SLICE("no-referrer"));
    http_response_header(response, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
}

/* One field of application/x-www-form-urlencoded, decoded into the arena. */
static bool form_field(const struct http_request *request, slice name, slice *value)
{
    slice rest = request->body, field, key, raw;

    while (rest.len > 0) {
        (void)slice_cut(rest, '&', &field, &rest);
        (void)slice_cut(field, '=', &key, &raw);
        if (!slice_eq(key, name))
            continue;
        CLEANUP(buf_free) struct buf decoded = BUF(SETUP_BODY_BYTES_MAX);
        slice spaced = arena_copy(request->arena, raw);
        for (size_t i = 0; i < spaced.len; i++)
            if (spaced.at[i] == '+')
                ((char *)(uintptr_t)spaced.at)[i] = ' ';
        if (!percent_decode(&decoded, spaced))
            return false;
        *value = arena_copy(request->arena, buf_slice(&decoded));
        return value->at != NULL;
    }
    return false;
}

static void escape_html(struct buf *out, slice text)
{
    static const struct {
        char byte;
        slice shown;
    } escapes[] = {{'<', S("&lt;")}, {'>', S("&gt;")}, {'&', S("&amp;")}, {'"', S("&quot;")}};

    for (size_t i = 0; i < text.len; i++) {
        slice shown = {text.at + i, 1};

        for (size_t k = 0; k < sizeof(escapes) / sizeof(escapes[0]); k++)
            if (escapes[k].byte == text.at[i])
                shown = escapes[k].shown;
        buf_put(out, shown);
    }
}

static void refusal(const struct http_request *request, struct http_response *response, int status,
                    slice words)
{
    CLEANUP(buf_free) struct buf html = BUF(1 << 14);

    buf_put(&html, SLICE(PAGE_HEAD "<p role=\"alert\">"));
    escape_html(&html, words);
    buf_put(&html, SLICE("</p></html>\n"));
    page(response, status, arena_copy(request->arena, buf_slice(&html)));
}

static void finish(struct accounts *accounts, slice secret, const struct http_request *request,
                   struct http_response *response)
{
    struct diag diag = {0};
    slice name, password;

    if (!form_field(request, SLICE("name"), &name) ||
        !form_field(request, SLICE("password"), &password)) {
        refusal(request, response, 400, SLICE("The form wants a name and a password."));
        return;
    }
    result r = account_setup_finish(accounts, secret, name, password, &diag);
    secret_wipe((char *)(uintptr_t)password.at, password.len);
    if (succeeded(r)) {
        log_event(LOG_LEVEL_INFO, "setup.done", "account=%.*s", SLICE_ARG(name));
        page(response, 200, slice_of(done_page, sizeof(done_page) - 1));
        return;
    }
    refusal(request, response, r.code == ERR_MISSING || r.code == ERR_DENIED ? 404 : 400,
            slice_text(diag.text));
}

void setup_handle(struct accounts *accounts, const struct http_request *request,
                  struct http_response *response)
{
    slice secret = slice_from(request->path, sizeof(SETUP_PATH) - 1);

    switch (request->method) {
    case HTTP_GET:
    case HTTP_HEAD:
        page(response, 200, slice_of(form_page, sizeof(form_page) - 1));
        response->no_body = request->method == HTTP_HEAD;
        return;
    case HTTP_POST:
        finish(accounts, secret, request, response);
        return;
    case HTTP_PUT:
    case HTTP_DELETE:
    case HTTP_OPTIONS:
    case HTTP_OTHER:
        break;
    }
    refusal(request, response, 405, SLICE("The set-up page takes GET and POST."));
    http_response_header(response, SLICE("Allow"), SLICE("GET, HEAD, POST"));
}
