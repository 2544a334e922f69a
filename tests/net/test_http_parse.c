#include "rows.h"

#include "net/http_parse.h"

#include "base/banned.h"

#define HEAD_MAX 4096

/* Scan in one piece, then parse: the status of whichever says no first. */
static int head_status(slice bytes, struct http_head *head)
{
    struct http_scan scan = {0};
    size_t head_bytes = 0;
    int status = http_head_scan(&scan, bytes, HEAD_MAX, &head_bytes);

    if (status != HTTP_WHOLE)
        return status;
    assert_true(head_bytes <= bytes.len);
    return http_head_parse(slice_head(bytes, head_bytes), head);
}

#define HOST "Host: a\r\n"

static const struct {
    const char *name;
    slice bytes;
    int status;
} heads[] = {
    {"the least", S("GET / HTTP/1.1\r\n" HOST "\r\n"), 200},
    {"1.0 needs no host", S("GET / HTTP/1.0\r\n\r\n"), 200},
    {"a later 1.x", S("GET / HTTP/1.7\r\n" HOST "\r\n"), 200},
    {"empty lines in front", S("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 200},
    {"absolute form", S("GET http://a/b?c HTTP/1.1\r\n" HOST "\r\n"), 200},
    {"absolute form without path", S("GET https://a HTTP/1.1\r\n" HOST "\r\n"), 200},
    {"OPTIONS *", S("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 200},
    {"a method nobody knows", S("BREW /pot HTTP/1.1\r\n" HOST "\r\n"), 200},
    {"an empty value", S("GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n"), 200},
    {"bytes over 127 in a value", S("GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\n\r\n"), 200},
    {"not whole yet", S("GET / HTTP/1.1\r\nHost:"), HTTP_MORE},
    {"nothing yet", S(""), HTTP_MORE},
    {"no version", S("GET /\r\n\r\n"), 400},
    {"no target", S("GET\r\n\r\n"), 400},
    {"told at the first line already", S("GET\r\n"), 400},
    {"three spaces", S("GET / x HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"two spaces", S("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"lower-case version", S("GET / http/1.1\r\n" HOST "\r\n"), 400},
    {"version with tail", S("GET / HTTP/1.1x\r\n" HOST "\r\n"), 400},
    {"HTTP/2", S("GET / HTTP/2.0\r\n" HOST "\r\n"), 505},
    {"HTTP/2 preface", S("PRI * HTTP/2.0\r\n\r\n"), 505},
    {"method that is no token", S("G(T / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"relative target", S("GET a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"* without OPTIONS", S("GET * HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"authority form", S("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"fragment", S("GET /#x HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"NUL in the target", S("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"raw UTF-8 in the target", S("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a TLS hello", S("\x16\x03\x01\x02"), 400},
    {"bare LF", S("GET / HTTP/1.1\nHost: a\n\n"), 400},
    {"bare CR in a value", S("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"), 400},
    {"CR CR LF", S("GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n"), 400},
    {"NUL in a value", S("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), 400},
    {"NUL in a name", S("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), 400},
    {"space before the colon", S("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400},
    {"folded line", S("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), 400},
    {"no colon", S("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"), 400},
    {"empty name", S("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"), 400},
    {"no host", S("GET / HTTP/1.1\r\n\r\n"), 400},
    {"two hosts", S("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400},
    {"length", S("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n"), 200},
    {"length that is no number", S("POST / HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n"), 400},
    {"negative length", S("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"), 400},
    {"signed length", S("POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n"), 400},
    {"empty length", S("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"), 400},
    {"length list", S("POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n"), 400},
    {"length past 64 bits",
     S("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n"), 400},
    {"two lengths", S("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"),
     400},
    {"chunked", S("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"), 200},
    {"chunked and a length",
     S("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"chunked on 1.0", S("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"chunked twice",
     S("POST / HTTP/1.1\r\n" HOST
       "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
     400},
    {"another coding", S("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n"), 501},
    {"gzip, chunked", S("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
     501},
    {"expecting something else", S("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"), 417},
};

static void heads_are_taken_or_refused(void **state)
{
    (void)state;
    CHECK_ROWS(row, heads) {
        struct http_head head;

        assert_int_equal(head_status(row->bytes, &head), row->status);
    }
}

/* However the bytes fall into reads, the answer is the same. */
static void reading_byte_by_byte_changes_nothing(void **state)
{
    (void)state;
    CHECK_ROWS(row, heads) {
        struct http_scan scan = {0};
        struct http_head head;
        size_t head_bytes = 0;
        int status = HTTP_MORE;

        for (size_t i = 1; i <= row->bytes.len && status == HTTP_MORE; i++)
            status = http_head_scan(&scan, slice_head(row->bytes, i), HEAD_MAX, &head_bytes);
        if (status == HTTP_WHOLE)
            status = http_head_parse(slice_head(row->bytes, head_bytes), &head);
        assert_int_equal(status, row->status);
    }
}

static void the_parts_of_a_head_come_out(void **state)
{
    struct http_head head;

    (void)state;
    assert_int_equal(
        head_status(SLICE("POST /api/x?a=b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n"
                          "Expect: 100-Continue\r\nX-Y: \t v w \t\r\n\r\nrest"),
                    &head),
        200);
    assert_int_equal(head.method, HTTP_POST);
    assert_true(slice_eq(head.path, SLICE("/api/x")));
    assert_true(slice_eq(head.query, SLICE("a=b?c")));
    assert_int_equal(head.content_length, 7);
    assert_true(head.expects_continue && head.keep_alive && !head.is_chunked);
    assert_int_equal(head.header_count, 4);
    assert_true(slice_eq(head.headers[3].value, SLICE("v w")));
    assert_int_equal(head_status(SLICE("GET http://h:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n"), &head),
                     200);
    assert_true(slice_eq(head.path, SLICE("/p")) && slice_eq(head.query, SLICE("q")));
}

static const struct {
    const char *name;
    slice bytes;
    bool keep_alive;
} persistence[] = {
    {"1.1 stays", S("GET / HTTP/1.1\r\n" HOST "\r\n"), true},
    {"1.1 may close", S("GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n"), false},
    {"in a list", S("GET / HTTP/1.1\r\n" HOST "Connection: TE, close\r\n\r\n"), false},
    {"1.0 closes", S("GET / HTTP/1.0\r\n\r\n"), false},
    {"1.0 may stay", S("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), true},
    {"close wins", S("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), false},
};

static void a_connection_persists_as_the_version_and_the_field_say(void **state)
{
    (void)state;
    CHECK_ROWS(row, persistence) {
        struct http_head head;

        assert_int_equal(head_status(row->bytes, &head), 200);
        assert_true(head.keep_alive == row->keep_alive);
    }
}

static void a_flood_of_header_bytes_is_refused(void **state)
{
    static char text[2 * HTTP_LINE_BYTES_MAX];
    struct http_scan scan = {0};
    size_t head_bytes;
    slice head = SLICE("GET / HTTP/1.1\r\nX: ");

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, head.at, head.len);
    assert_int_equal(http_head_scan(&scan, slice_of(text, HEAD_MAX - 1), HEAD_MAX, &head_bytes),
                     HTTP_MORE);
    assert_int_equal(http_head_scan(&scan, slice_of(text, HEAD_MAX), HEAD_MAX, &head_bytes), 431);

    memset(text, 'a', sizeof text);
    scan = (struct http_scan){0};
    assert_int_equal(
        http_head_scan(&scan, slice_of(text, HTTP_LINE_BYTES_MAX), sizeof text, &head_bytes),
        HTTP_MORE);
    assert_int_equal(
        http_head_scan(&scan, slice_of(text, HTTP_LINE_BYTES_MAX + 1), sizeof text, &head_bytes),
        414);
}

static void too_many_fields_are_refused(void **state)
{
    CLEANUP(buf_free) struct buf text = BUF(HEAD_MAX);
    struct http_head head;

    (void)state;
    buf_put(&text, SLICE("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (size_t i = 1; i < HTTP_HEADERS_MAX; i++)
        buf_put(&text, SLICE("A: b\r\n"));
    size_t fits = text.len;
    buf_put(&text, SLICE("\r\n"));
    assert_int_equal(head_status(buf_slice(&text), &head), 200);
    text.len = fits;
    buf_put(&text, SLICE("A: b\r\n\r\n"));
    assert_int_equal(head_status(buf_slice(&text), &head), 431);
}

static const struct {
    const char *name;
    slice bytes;
    int status;
    slice body, rest;
} chunked[] = {
    {"one chunk", S("3\r\nabc\r\n0\r\n\r\n"), HTTP_WHOLE, S("abc"), S("")},
    {"two chunks", S("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\nGET"), HTTP_WHOLE, S("abcd"), S("GET")},
    {"none", S("0\r\n\r\n"), HTTP_WHOLE, S(""), S("")},
    {"hexadecimal, both cases", S("a\r\n0123456789\r\nB\r\n0123456789a\r\n00\r\n\r\n"), HTTP_WHOLE,
     S("01234567890123456789a"), S("")},
    {"extension", S("3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n"), HTTP_WHOLE, S("abc"), S("")},
    {"trailers", S("1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n"), HTTP_WHOLE, S("a"), S("")},
    {"cut in the size", S("3"), HTTP_MORE, S(""), S("")},
    {"cut in the content", S("3\r\nab"), HTTP_MORE, S("ab"), S("")},
    {"cut before the end", S("3\r\nabc\r\n0\r\n"), HTTP_MORE, S("abc"), S("")},
    {"no digit", S("zz\r\n"), 400, S(""), S("z\r\n")},
    {"empty size", S("\r\n"), 400, S(""), S("\n")},
    {"negative size", S("-1\r\n"), 400, S(""), S("1\r\n")},
    {"0x", S("0x1\r\n"), 400, S(""), S("1\r\n")},
    {"longer than said", S("1\r\nab\r\n"), 400, S("a"), S("\r\n")},
    {"bare LF", S("1\na"), 400, S(""), S("a")},
    {"size past 63 bits", S("ffffffffffffffff\r\n"), 400, S(""), S("\r\n")},
};

static void chunks_are_put_together_or_refused(void **state)
{
    (void)state;
    for (size_t step = 1; step < 8; step++) { /* however the bytes fall into reads */
        CHECK_ROWS(row, chunked) {
            CLEANUP(buf_free) struct buf body = BUF(1024);
            struct http_chunks chunks = {0};
            slice left = row->bytes, in = SLICE_NONE, piece;
            int status = HTTP_MORE;

            while (status == HTTP_MORE && left.len > 0) {
                in = slice_head(left, step);
                left = slice_from(left, in.len);
                while ((status = http_chunks_next(&chunks, &in, &piece)) == HTTP_PIECE)
                    buf_put(&body, piece);
            }
            assert_int_equal(status, row->status);
            assert_true(slice_eq(buf_slice(&body), row->body));
            if (status == HTTP_WHOLE)
                assert_int_equal(in.len + left.len, row->rest.len);
        }
    }
}

static void endless_extensions_trailers_and_zeros_are_refused(void **state)
{
    static const slice starts[] = {S("1;"), S("0\r\nX:"), S("0")};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct http_chunks chunks = {0};
        slice in = starts[i], piece;
        int status = http_chunks_next(&chunks, &in, &piece);

        for (size_t bytes = 0; status == HTTP_MORE && bytes < 2 * HTTP_CHUNK_LINE_BYTES_MAX;
             bytes++) {
            in = SLICE("0");
            status = http_chunks_next(&chunks, &in, &piece);
        }
        assert_int_equal(status, 431);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_taken_or_refused),
        cmocka_unit_test(reading_byte_by_byte_changes_nothing),
        cmocka_unit_test(the_parts_of_a_head_come_out),
        cmocka_unit_test(a_connection_persists_as_the_version_and_the_field_say),
        cmocka_unit_test(a_flood_of_header_bytes_is_refused),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(chunks_are_put_together_or_refused),
        cmocka_unit_test(endless_extensions_trailers_and_zeros_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
