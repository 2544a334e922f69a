/* The client against servers that say what a script tells them, quirks included. */
#include "net/server.h"
#include "rows.h"
#include "taxii/client.h"

#include <unistd.h>

#define LINES_MAX 24
#define PAUSES_MAX 32

/* One request that must come, and what is answered. */
struct line {
    const char *expect; /* "GET /path?query" */
    int status;
    const char *body;
    const char *name, *value;   /* a header field; NULL: none */
    const char *name2, *value2; /* another */
};

struct fake {
    const struct line *lines;
    size_t line_count, next; /* touched by the server's one thread while a test waits for it */
    bool is_wrong;
    char unexpected[512], authorization[256], accept[256], agent[256], sent[512];
    struct http_server *server;
    char base[128], secret_file[64];
    uint64_t pauses[PAUSES_MAX];
    size_t pause_count;
};

static bool fake_begin(void *context, const struct http_request *request, size_t announced,
                       size_t *bytes_max, struct http_response *early)
{
    (void)context;
    (void)request;
    (void)announced;
    (void)early;
    *bytes_max = 1 << 20;
    return false;
}

static void note(char out[256], const struct http_request *request, slice name)
{
    (void)snprintf(out, 256, "%.*s", SLICE_ARG(http_header_find(request, name)));
}

static void fake_handle(void *context, const struct http_request *request,
                        struct http_response *response)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    struct fake *fake = context;
    char got[512];

    (void)snprintf(got, sizeof(got), "%s %.*s%s%.*s", methods[request->method],
                   SLICE_ARG(request->path), request->query.len > 0 ? "?" : "",
                   SLICE_ARG(request->query));
    note(fake->authorization, request, SLICE("authorization"));
    note(fake->accept, request, SLICE("accept"));
    note(fake->agent, request, SLICE("user-agent"));
    (void)snprintf(fake->sent, sizeof(fake->sent), "%.*s", SLICE_ARG(request->body));
    const struct line *line = &fake->lines[fake->next];
    if (fake->next == fake->line_count || strcmp(got, line->expect) != 0) {
        if (!fake->is_wrong)
            memcpy(fake->unexpected, got, sizeof(got));
        fake->is_wrong = true;
        response->status = 418;
        return;
    }
    fake->next++;
    response->status = line->status;
    response->head = slice_text(line->body);
    http_response_header(response, SLICE("Content-Type"),
                         SLICE("application/taxii+json;version=2.1"));
    if (line->name != NULL)
        http_response_header(response, slice_text(line->name), slice_text(line->value));
    if (line->name2 != NULL)
        http_response_header(response, slice_text(line->name2), slice_text(line->value2));
}

static void fake_sleep(void *context, uint64_t ms)
{
    struct fake *fake = context;

    assert_true(fake->pause_count < PAUSES_MAX);
    fake->pauses[fake->pause_count++] = ms;
}

static int64_t fake_now_us(void *context)
{
    (void)context;
    return INT64_C(784111777000000); /* Sun, 06 Nov 1994 08:49:37 GMT */
}

static uint64_t fake_mono_ns(void *context)
{
    (void)context;
    return 1;
}

static void fake_random(void *context, void *out, size_t bytes)
{
    (void)context;
    memset(out, 0, bytes);
}

static const struct world fake_world = {fake_now_us, fake_mono_ns, fake_random, NULL};

static int fake_setup(void **state)
{
    static struct fake fake;
    struct http_server_options options = {.listen = "127.0.0.1:0",
                                          .threads = 1,
                                          .connections_max = 16,
                                          .header_bytes_max = 65536,
                                          .idle_s = 10,
                                          .begin = fake_begin,
                                          .handle = fake_handle,
                                          .context = &fake};
    struct diag diag = {0};

    fake = (struct fake){.secret_file = "/tmp/entente-secret-XXXXXX"};
    int file = mkstemp(fake.secret_file);
    assert_true(file >= 0);
    assert_int_equal(write(file, "s3cret\n", 7), 7);
    assert_int_equal(close(file), 0);
    assert_true(succeeded(crypto_start(&diag)));
    assert_true(succeeded(http_server_start(&options, &fake.server, &diag)));
    (void)snprintf(fake.base, sizeof(fake.base), "http://%s", http_server_address(fake.server));
    *state = &fake;
    return 0;
}

static int fake_teardown(void **state)
{
    struct fake *fake = *state;

    http_server_stop(&fake->server, 100);
    return unlink(fake->secret_file);
}

static void script(struct fake *fake, const struct line *lines, size_t count)
{
    fake->lines = lines;
    fake->line_count = count;
    fake->next = 0;
    fake->pause_count = 0;
}

#define SCRIPT(fake, lines) script(fake, lines, sizeof(lines) / sizeof((lines)[0]))

static struct taxii_remote *remote_of(struct fake *fake, const char *path, size_t page_objects)
{
    char url[256];
    struct taxii_remote_options options = {.url = url,
                                           .user = "analyst",
                                           .password_file = fake->secret_file,
                                           .timeout_s = 5,
                                           .retries_max = 4,
                                           .page_objects = page_objects,
                                           .page_bytes_max = 1 << 20,
                                           .world = &fake_world,
                                           .sleep = fake_sleep,
                                           .sleep_context = fake};
    struct taxii_remote *remote;
    struct diag diag = {0};

    (void)snprintf(url, sizeof(url), "%s%s", fake->base, path);
    result r = taxii_remote_open(&options, &remote, &diag);
    if (failed(r))
        print_error("# %s\n", diag.text);
    assert_true(succeeded(r));
    return remote;
}

static void done(const struct fake *fake)
{
    if (fake->is_wrong)
        print_error("# unexpected: %s\n", fake->unexpected);
    assert_false(fake->is_wrong);
    assert_int_equal(fake->next, fake->line_count);
}

/* ---- list ---- */

#define COLLECTIONS                                                                                \
    "{\"collections\":[{\"id\":\"91a7b528-80eb-42ed-a74d-c6fbd5a26116\",\"title\":\"One\","        \
    "\"can_read\":true,\"can_write\":false}]}"

struct warnings {
    size_t count;
    char last[512];
};

static void take_warning(void *context, const char *words)
{
    struct warnings *warnings = context;

    warnings->count++;
    (void)snprintf(warnings->last, sizeof(warnings->last), "%s", words);
}

static size_t list(struct fake *fake, const char *path, result *r, struct warnings *warnings,
                   const char *url_end)
{
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = remote_of(fake, path, 0);
    const struct taxii_remote_collection *collections;
    struct diag diag = {0};
    size_t count = 0;

    *warnings = (struct warnings){0};
    *r = taxii_remote_list(remote, take_warning, warnings, &collections, &count, &diag);
    assert_true(failed(*r) == (diag.text[0] != '\0'));
    if (failed(*r))
        return 0;
    for (size_t i = 0; i < count; i++)
        assert_true(slice_ends(slice_text(collections[i].url), slice_text(url_end)));
    if (count > 0) {
        assert_string_equal(collections[0].title, "One");
        assert_true(collections[0].can_read && !collections[0].can_write);
    }
    return count;
}

#define ID_PATH "/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/"

static const struct {
    const char *name, *path;
    struct line lines[3];
    size_t line_count;
} starts[] = {
    {"a bare host",
     "",
     {{"GET /taxii2/", 200, "{\"title\":\"T\",\"api_roots\":[\"/api1/\"]}", 0, 0, 0, 0},
      {"GET /api1/collections/", 200, COLLECTIONS, 0, 0, 0, 0}},
     2},
    {"discovery",
     "/taxii2/",
     {{"GET /taxii2/", 200, "{\"title\":\"T\",\"api_roots\":[\"/api1\"]}", 0, 0, 0, 0},
      {"GET /api1/collections/", 200, COLLECTIONS, 0, 0, 0, 0}},
     2},
    {"discovery without a slash",
     "/taxii2",
     {{"GET /taxii2/", 200, "{\"title\":\"T\",\"api_roots\":[\"/api1/?x=1\"]}", 0, 0, 0, 0},
      {"GET /api1/collections/", 200, COLLECTIONS, 0, 0, 0, 0}},
     2},
    {"an API root",
     "/api1/",
     {{"GET /api1/", 200, "{\"title\":\"T\",\"versions\":[],\"max_content_length\":1}", 0, 0, 0, 0},
      {"GET /api1/collections/", 200, COLLECTIONS, 0, 0, 0, 0}},
     2},
    {"the collections",
     "/api1/collections/",
     {{"GET /api1/collections/", 200, COLLECTIONS, 0, 0, 0, 0}},
     1},
    {"a collection",
     "/api1" ID_PATH,
     {{"GET /api1" ID_PATH, 200,
       "{\"id\":\"91a7b528-80eb-42ed-a74d-c6fbd5a26116\",\"title\":\"One\",\"can_read\":true}", 0,
       0, 0, 0}},
     1},
    {"its objects",
     "/api1" ID_PATH "objects/",
     {{"GET /api1" ID_PATH, 200,
       "{\"id\":\"91a7b528-80eb-42ed-a74d-c6fbd5a26116\",\"title\":\"One\",\"can_read\":true}", 0,
       0, 0, 0}},
     1},
};

static void any_url_of_a_server_leads_to_its_collections(void **state)
{
    struct fake *fake = *state;

    CHECK_ROWS(row, starts) {
        struct warnings warnings;
        result r;

        script(fake, row->lines, row->line_count);
        assert_int_equal(list(fake, row->path, &r, &warnings, "/api1" ID_PATH), 1);
        done(fake);
        assert_string_equal(fake->accept, "application/taxii+json;version=2.1");
        assert_string_equal(fake->authorization, "Basic YW5hbHlzdDpzM2NyZXQ=");
        assert_true(slice_starts(slice_text(fake->agent), SLICE("entente/")));
    }
}

static void roots_that_fail_are_warned_of_and_passed(void **state)
{
    static const struct line lines[] = {
        {"GET /taxii2/", 200,
         "{\"title\":\"T\",\"api_roots\":[\"/gone/\",\"//evil.example/\",\"/api1/\"]}", 0, 0, 0, 0},
        {"GET /gone/collections/", 404, "{\"title\":\"no such root\"}", 0, 0, 0, 0},
        {"GET /api1/collections/", 200, COLLECTIONS, 0, 0, 0, 0},
    };
    struct fake *fake = *state;
    struct warnings warnings;
    result r;

    SCRIPT(fake, lines);
    assert_int_equal(list(fake, "/taxii2/", &r, &warnings, ID_PATH), 1);
    done(fake);
    assert_int_equal(warnings.count, 2);
}

static void a_server_whose_roots_all_fail_fails(void **state)
{
    static const struct line lines[] = {
        {"GET /taxii2/", 200, "{\"title\":\"T\",\"api_roots\":[\"/gone/\"]}", 0, 0, 0, 0},
        {"GET /gone/collections/", 403, "{\"title\":\"not for you\"}", 0, 0, 0, 0},
    };
    struct fake *fake = *state;
    struct warnings warnings;
    result r;

    SCRIPT(fake, lines);
    (void)list(fake, "/taxii2/", &r, &warnings, "");
    done(fake);
    assert_int_equal(r.code, ERR_DENIED);
    assert_non_null(strstr(warnings.last, "not for you"));
}

static const struct {
    const char *name;
    int status;
    const char *body;
    enum err code;
} refusals[] = {
    {"401", 401, "{\"title\":\"who?\"}", ERR_DENIED},
    {"403", 403, "", ERR_DENIED},
    {"404", 404, "<html>", ERR_MISSING},
    {"406", 406, "{}", ERR_INVALID},
    {"no JSON", 200, "<html>", ERR_INVALID},
    {"no object", 200, "[]", ERR_INVALID},
    {"another resource", 200, "{\"a\":1}", ERR_INVALID},
    {"nothing", 200, "", ERR_INVALID},
};

static void refusals_say_who_should_act(void **state)
{
    struct fake *fake = *state;

    CHECK_ROWS(row, refusals) {
        struct line line = {"GET /taxii2/", row->status, row->body, 0, 0, 0, 0};
        struct warnings warnings;
        result r;

        script(fake, &line, 1);
        (void)list(fake, "/taxii2/", &r, &warnings, "");
        done(fake);
        assert_int_equal(r.code, row->code);
        assert_int_equal(fake->pause_count, 0);
    }
}

static void credentials_go_to_their_own_host_alone(void **state)
{
    struct fake *fake = *state, *other;
    char discovery[256];
    struct warnings warnings;
    result r;

    static struct fake second; /* another server */
    second = *fake;
    other = &second;
    struct http_server_options options = {.listen = "127.0.0.1:0",
                                          .threads = 1,
                                          .connections_max = 16,
                                          .header_bytes_max = 65536,
                                          .idle_s = 10,
                                          .begin = fake_begin,
                                          .handle = fake_handle,
                                          .context = other};
    assert_true(succeeded(http_server_start(&options, &other->server, NULL)));
    (void)snprintf(discovery, sizeof(discovery),
                   "{\"title\":\"T\",\"api_roots\":[\"http://%s/x/\"]}",
                   http_server_address(other->server));
    struct line here = {"GET /taxii2/", 200, discovery, 0, 0, 0, 0};
    struct line there = {"GET /x/collections/", 200, COLLECTIONS, 0, 0, 0, 0};
    script(fake, &here, 1);
    script(other, &there, 1);
    assert_int_equal(list(fake, "/taxii2/", &r, &warnings, ID_PATH), 1);
    done(fake);
    done(other);
    assert_string_equal(fake->authorization, "Basic YW5hbHlzdDpzM2NyZXQ=");
    assert_string_equal(other->authorization, "");
    http_server_stop(&other->server, 100);
}

/* ---- retries ---- */

static void a_busy_server_is_asked_again_when_it_says(void **state)
{
    static const struct line lines[] = {
        {"GET /taxii2/", 429, "{}", "Retry-After", "7", 0, 0},
        {"GET /taxii2/", 503, "{}", "Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT", 0, 0},
        {"GET /taxii2/", 502, "", 0, 0, 0, 0},
        {"GET /taxii2/", 200, "{\"title\":\"T\"}", 0, 0, 0, 0},
    };
    struct fake *fake = *state;
    struct warnings warnings;
    result r;

    SCRIPT(fake, lines);
    assert_int_equal(list(fake, "/taxii2/", &r, &warnings, ""), 0);
    assert_true(succeeded(r));
    done(fake);
    assert_int_equal(fake->pause_count, 3);
    assert_int_equal(fake->pauses[0], 7000);
    assert_int_equal(fake->pauses[1], 60000);
    assert_int_equal(fake->pauses[2], 2000); /* half of 4 s, with no luck */
}

static void a_server_that_stays_busy_is_given_up(void **state)
{
    static const struct line lines[] = {
        {"GET /taxii2/", 503, "{}", 0, 0, 0, 0},
        {"GET /taxii2/", 503, "{}", 0, 0, 0, 0},
        {"GET /taxii2/", 503, "{}", 0, 0, 0, 0},
        {"GET /taxii2/", 503, "{}", 0, 0, 0, 0},
        {"GET /taxii2/", 503, "{\"title\":\"still busy\"}", 0, 0, 0, 0},
    };
    static const struct line patient[] = {
        {"GET /taxii2/", 503, "{}", "Retry-After", "86400", 0, 0}};
    struct fake *fake = *state;
    struct warnings warnings;
    result r;

    SCRIPT(fake, lines);
    (void)list(fake, "/taxii2/", &r, &warnings, "");
    done(fake);
    assert_int_equal(r.code, ERR_IO);
    for (size_t i = 1; i < fake->pause_count; i++)
        assert_true(fake->pauses[i] == 2 * fake->pauses[i - 1]);
    SCRIPT(fake, patient); /* a day is not waited for */
    (void)list(fake, "/taxii2/", &r, &warnings, "");
    done(fake);
    assert_int_equal(r.code, ERR_IO);
    assert_int_equal(fake->pause_count, 0);
}

static void a_server_that_never_answered_is_not_waited_for(void **state)
{
    struct fake *fake = *state;
    struct taxii_remote_options options = {.url = "http://127.0.0.1:1/",
                                           .timeout_s = 5,
                                           .retries_max = 4,
                                           .world = &fake_world,
                                           .sleep = fake_sleep,
                                           .sleep_context = fake};
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = NULL;
    const struct taxii_remote_collection *collections;
    struct diag diag = {0};
    size_t count;

    fake->pause_count = 0;
    assert_true(succeeded(taxii_remote_open(&options, &remote, &diag)));
    result r = taxii_remote_list(remote, NULL, NULL, &collections, &count, &diag);
    assert_int_equal(r.code, ERR_IO);
    assert_true(diag.text[0] != '\0');
    assert_int_equal(fake->pause_count, 0);
}

/* ---- options ---- */

static const struct {
    const char *name, *url, *user, *password_file, *token_file;
    bool plain_http, ok;
} opens[] = {
    {"HTTPS", "https://a.example/", NULL, NULL, NULL, false, true},
    {"HTTP on this machine", "http://127.0.0.1:9/", NULL, NULL, NULL, false, true},
    {"HTTP on this machine, by name", "http://localhost/", NULL, NULL, NULL, false, true},
    {"HTTP on this machine, IPv6", "http://[::1]:9/", NULL, NULL, NULL, false, true},
    {"HTTP elsewhere", "http://a.example/", NULL, NULL, NULL, false, false},
    {"HTTP elsewhere, asked for", "http://a.example/", NULL, NULL, NULL, true, true},
    {"HTTP to a name like this machine's", "http://127.a.example/", NULL, NULL, NULL, false, false},
    {"a password in the URL", "https://u:p@a.example/", NULL, NULL, NULL, false, false},
    {"another scheme", "ftp://a.example/", NULL, NULL, NULL, false, false},
    {"no scheme", "a.example", NULL, NULL, NULL, false, false},
    {"a user without password", "https://a.example/", "u", NULL, NULL, false, false},
    {"a user with a colon", "https://a.example/", "u:v", "/dev/null", NULL, false, false},
    {"an empty password", "https://a.example/", "u", "/dev/null", NULL, false, false},
    {"no such file", "https://a.example/", NULL, NULL, "/nonexistent", false, false},
};

static void options_are_checked_before_anything_is_asked(void **state)
{
    (void)state;
    CHECK_ROWS(row, opens) {
        CLEANUP(taxii_remote_close) struct taxii_remote *remote = NULL;
        struct taxii_remote_options options = {.url = row->url,
                                               .user = row->user,
                                               .password_file = row->password_file,
                                               .token_file = row->token_file,
                                               .plain_http = row->plain_http,
                                               .timeout_s = 5};
        struct diag diag = {0};
        result r = taxii_remote_open(&options, &remote, &diag);

        assert_true(succeeded(r) == row->ok);
        assert_true((remote != NULL) == row->ok);
        assert_true(failed(r) == (diag.text[0] != '\0'));
    }
}

static void a_token_is_sent_as_bearer(void **state)
{
    static const struct line lines[] = {{"GET /taxii2/", 200, "{\"title\":\"T\"}", 0, 0, 0, 0}};
    struct fake *fake = *state;
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = NULL;
    struct taxii_remote_options options = {
        .url = fake->base, .token_file = fake->secret_file, .timeout_s = 5};
    const struct taxii_remote_collection *collections;
    struct diag diag = {0};
    size_t count;

    SCRIPT(fake, lines);
    assert_true(succeeded(taxii_remote_open(&options, &remote, &diag)));
    assert_true(succeeded(taxii_remote_list(remote, NULL, NULL, &collections, &count, &diag)));
    done(fake);
    assert_string_equal(fake->authorization, "Bearer s3cret");
}

/* ---- poll ---- */

struct taken {
    char text[1024];
    size_t fail_at, count; /* fail_at 0: never */
};

static result take(void *context, slice envelope, struct diag *diag)
{
    struct taken *taken = context;
    size_t used = strlen(taken->text);

    if (++taken->count == taken->fail_at)
        return diag_fail(diag, ERR_IO, "the disk is full");
    (void)snprintf(taken->text + used, sizeof(taken->text) - used, "%.*s;", SLICE_ARG(envelope));
    return OK;
}

static result poll(struct fake *fake, size_t page_objects, struct taxii_position *position,
                   struct taken *taken)
{
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = remote_of(fake, "/", page_objects);
    char url[256];
    struct diag diag = {0};

    (void)snprintf(url, sizeof(url), "%s/c/", fake->base);
    result r = taxii_remote_poll(remote, url, position, take, taken, &diag);
    assert_true(failed(r) == (diag.text[0] != '\0'));
    return r;
}

#define FIRST "X-TAXII-Date-Added-First"
#define LAST "X-TAXII-Date-Added-Last"
#define PAGE_1 "{\"more\":true,\"next\":\"a/b\",\"objects\":[{\"n\":1}]}"
#define PAGE_2 "{\"objects\":[{\"n\":2}]}"

static void pages_follow_next_and_move_the_position(void **state)
{
    static const struct line lines[] = {
        {"GET /c/objects/?limit=5", 200, PAGE_1, FIRST, "2020-01-01T00:00:00.000001Z", LAST,
         "2020-01-01T00:00:00.000005Z"},
        {"GET /c/objects/?limit=5&next=a%2Fb", 200, PAGE_2, FIRST, "2020-01-01T00:00:00.000006Z",
         LAST, "2020-01-01T00:00:00.000007Z"},
    };
    static const struct line again[] = {
        {"GET /c/objects/?added_after=2020-01-01T00%3A00%3A00.000007Z&limit=5", 200, "{}", 0, 0, 0,
         0},
    };
    struct fake *fake = *state;
    struct taxii_position position = {""};
    struct taken taken = {0};

    SCRIPT(fake, lines);
    assert_true(succeeded(poll(fake, 5, &position, &taken)));
    done(fake);
    assert_string_equal(taken.text, PAGE_1 ";" PAGE_2 ";");
    assert_string_equal(position.added_after, "2020-01-01T00:00:00.000007Z");
    SCRIPT(fake, again);
    assert_true(succeeded(poll(fake, 5, &position, &taken)));
    done(fake);
    assert_int_equal(taken.count, 2);
}

static void the_position_moves_only_behind_what_was_taken(void **state)
{
    static const struct line lines[] = {
        {"GET /c/objects/", 200, PAGE_1, FIRST, "2020-01-01T00:00:00.000001Z", LAST,
         "2020-01-01T00:00:00.000005Z"},
        {"GET /c/objects/?next=a%2Fb", 200, PAGE_2, LAST, "2020-01-01T00:00:00.000007Z", 0, 0},
    };
    struct fake *fake = *state;
    struct taxii_position position = {""};
    struct taken taken = {.fail_at = 2};

    SCRIPT(fake, lines);
    result r = poll(fake, 0, &position, &taken);
    done(fake);
    assert_int_equal(r.code, ERR_IO);
    /* one below the last date of the first page: what follows may bear the same */
    assert_string_equal(position.added_after, "2020-01-01T00:00:00.000004Z");
}

static void without_next_the_last_date_leads_on(void **state)
{
    static const struct line lines[] = {
        {"GET /c/objects/?added_after=2019-01-01T00%3A00%3A00Z", 200,
         "{\"more\":true,\"objects\":[{\"n\":1}]}", FIRST, "2020-01-01T00:00:00.000Z", LAST,
         "2020-01-01T00:00:00.123456789Z"},
        {"GET /c/objects/?added_after=2020-01-01T00%3A00%3A00.123456Z", 200, PAGE_2, LAST,
         "2020-01-02T00:00:00Z", 0, 0},
    };
    struct fake *fake = *state;
    struct taxii_position position = {"2019-01-01T00:00:00Z"};
    struct taken taken = {0};

    SCRIPT(fake, lines);
    assert_true(succeeded(poll(fake, 0, &position, &taken)));
    done(fake);
    assert_string_equal(position.added_after, "2020-01-02T00:00:00.000000Z");
}

static void a_server_without_dates_is_asked_from_when_this_poll_began(void **state)
{
    static const struct line lines[] = {{"GET /c/objects/", 200, PAGE_2, 0, 0, 0, 0}};
    struct fake *fake = *state;
    struct taxii_position position = {""};
    struct taken taken = {0};
    struct timestamp when;

    SCRIPT(fake, lines);
    assert_true(succeeded(poll(fake, 0, &position, &taken)));
    done(fake);
    /* the server's own Date, so the real year */
    assert_true(timestamp_parse(slice_text(position.added_after), &when));
    assert_true(when.us > INT64_C(1600000000000000) && when.us < time_now_us());
}

static const struct {
    const char *name;
    struct line lines[6];
    size_t line_count;
} circles[] = {
    {"the same next again",
     {{"GET /c/objects/", 200, PAGE_1, 0, 0, 0, 0},
      {"GET /c/objects/?next=a%2Fb", 200, PAGE_1, 0, 0, 0, 0}},
     2},
    {"more, but nothing to go by",
     {{"GET /c/objects/", 200, "{\"more\":true,\"objects\":[{}]}", 0, 0, 0, 0}},
     1},
    {"the same date again",
     {{"GET /c/objects/", 200, "{\"more\":true,\"objects\":[{}]}", LAST, "2020-01-01T00:00:00Z", 0,
       0},
      {"GET /c/objects/?added_after=2020-01-01T00%3A00%3A00.000000Z", 200,
       "{\"more\":true,\"objects\":[{}]}", LAST, "2020-01-01T00:00:00Z", 0, 0}},
     2},
    {"empty pages without end",
     {{"GET /c/objects/", 200, "{\"more\":true,\"next\":\"1\"}", 0, 0, 0, 0},
      {"GET /c/objects/?next=1", 200, "{\"more\":true,\"next\":\"2\"}", 0, 0, 0, 0},
      {"GET /c/objects/?next=2", 200, "{\"more\":true,\"next\":\"3\"}", 0, 0, 0, 0},
      {"GET /c/objects/?next=3", 200, "{\"more\":true,\"next\":\"4\"}", 0, 0, 0, 0}},
     4},
    {"no envelope", {{"GET /c/objects/", 200, "[]", 0, 0, 0, 0}}, 1},
};

static void a_server_that_leads_in_circles_is_left(void **state)
{
    struct fake *fake = *state;

    CHECK_ROWS(row, circles) {
        struct taxii_position position = {""};
        struct taken taken = {0};

        script(fake, row->lines, row->line_count);
        result r = poll(fake, 0, &position, &taken);
        done(fake);
        assert_int_equal(r.code, ERR_INVALID);
    }
}

/* ---- push ---- */

#define STATUS_PENDING "{\"id\":\"s-1\",\"status\":\"pending\",\"total_count\":1}"
#define STATUS_COMPLETE "{\"id\":\"s-1\",\"status\":\"complete\",\"total_count\":1}"

static void a_push_waits_for_its_status(void **state)
{
    static const struct line lines[] = {
        {"POST /intel/collections/c/objects/", 202, STATUS_PENDING, 0, 0, 0, 0},
        {"GET /intel/status/s-1/", 200, STATUS_PENDING, 0, 0, 0, 0},
        {"GET /intel/status/s-1/", 200, STATUS_COMPLETE, 0, 0, 0, 0},
    };
    struct fake *fake = *state;
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = remote_of(fake, "/", 0);
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    char url[256];
    struct diag diag = {0};
    slice status;

    SCRIPT(fake, lines);
    (void)snprintf(url, sizeof(url), "%s/intel/collections/c/", fake->base);
    assert_true(succeeded(
        taxii_remote_push(remote, url, SLICE("{\"objects\":[{}]}"), &arena, &status, &diag)));
    done(fake);
    assert_true(slice_eq(status, SLICE(STATUS_COMPLETE)));
    assert_int_equal(fake->pause_count, 2);
}

static void a_push_that_is_refused_says_why(void **state)
{
    static const struct line lines[] = {{"POST /intel/collections/c/objects/", 422,
                                         "{\"title\":\"no\",\"description\":\"not so\"}", 0, 0, 0,
                                         0}};
    struct fake *fake = *state;
    CLEANUP(taxii_remote_close) struct taxii_remote *remote = remote_of(fake, "/", 0);
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    char url[256];
    struct diag diag = {0};
    slice status;

    SCRIPT(fake, lines);
    (void)snprintf(url, sizeof(url), "%s/intel/collections/c/", fake->base);
    result r = taxii_remote_push(remote, url, SLICE("{\"objects\":[{}]}"), &arena, &status, &diag);
    done(fake);
    assert_int_equal(r.code, ERR_INVALID);
    assert_non_null(strstr(diag.text, "no: not so"));
    assert_string_equal(fake->sent, "{\"objects\":[{}]}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_url_of_a_server_leads_to_its_collections),
        TEST(roots_that_fail_are_warned_of_and_passed),
        TEST(a_server_whose_roots_all_fail_fails),
        TEST(refusals_say_who_should_act),
        TEST(credentials_go_to_their_own_host_alone),
        TEST(a_busy_server_is_asked_again_when_it_says),
        TEST(a_server_that_stays_busy_is_given_up),
        TEST(a_server_that_never_answered_is_not_waited_for),
        TEST(options_are_checked_before_anything_is_asked),
        TEST(a_token_is_sent_as_bearer),
        TEST(pages_follow_next_and_move_the_position),
        TEST(the_position_moves_only_behind_what_was_taken),
        TEST(without_next_the_last_date_leads_on),
        TEST(a_server_without_dates_is_asked_from_when_this_poll_began),
        TEST(a_server_that_leads_in_circles_is_left),
        TEST(a_push_waits_for_its_status),
        TEST(a_push_that_is_refused_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
