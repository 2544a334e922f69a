#include "net/http_parse.h"

#include "base/banned.h"

/* RFC 9110, 5.6.2: what methods and field names are made of. */
static bool is_token_byte(unsigned char c)
{
    static const bool others[256] = {
        ['!'] = true,  ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
        ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
        ['^'] = true,  ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
    };

    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || others[c];
}

static bool is_token(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_byte((unsigned char)s.at[i]))
            return false;
    return s.len > 0;
}

/* ---- the request line ---- */

static enum http_method method_of(slice text)
{
    static const struct {
        slice text;
        enum http_method method;
    } methods[] = {
        {S("GET"), HTTP_GET}, {S("HEAD"), HTTP_HEAD},     {S("POST"), HTTP_POST},
        {S("PUT"), HTTP_PUT}, {S("DELETE"), HTTP_DELETE}, {S("OPTIONS"), HTTP_OPTIONS},
    };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (slice_eq(text, methods[i].text))
            return methods[i].method;
    return HTTP_OTHER;
}

struct request_line {
    enum http_method method;
    slice path, query;
    bool is_http_1_0;
};

/* "HTTP/" digit "." digit.  A later minor version of 1 is answered as 1.1 (RFC 9110, 2.5). */
static int version_parse(slice text, struct request_line *out)
{
    if (text.len != 8 || !slice_starts(text, SLICE("HTTP/")) || text.at[6] != '.' ||
        text.at[5] < '0' || text.at[5] > '9' || text.at[7] < '0' || text.at[7] > '9')
        return 400;
    if (text.at[5] != '1')
        return 505;
    out->is_http_1_0 = text.at[7] == '0';
    return HTTP_WHOLE;
}

/* Origin form, absolute form (its host is not looked at: RFC 9112, 3.2.2 puts it in front of Host,
 * and we serve one site), "*" of OPTIONS. */
static int target_parse(slice target, struct request_line *out)
{
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.at[i] <= ' ' || (unsigned char)target.at[i] >= 0x7f ||
            target.at[i] == '#')
            return 400;
    if (slice_eq(target, SLICE("*")) && out->method == HTTP_OPTIONS) {
        out->path = target;
        return HTTP_WHOLE;
    }
    for (size_t skip = 0; skip < 2 && target.len > 0 && target.at[0] != '/'; skip++) {
        static const slice schemes[] = {S("http://"), S("https://")};

        if (target.len > schemes[skip].len &&
            slice_eq_nocase(slice_head(target, schemes[skip].len), schemes[skip])) {
            target = slice_from(target, schemes[skip].len);
            size_t slash = slice_find_byte(target, '/');
            target = slash == SIZE_MAX ? SLICE("/") : slice_from(target, slash);
        }
    }
    if (target.len == 0 || target.at[0] != '/')
        return 400;
    (void)slice_cut(target, '?', &out->path, &out->query);
    return HTTP_WHOLE;
}

static int request_line_parse(slice line, struct request_line *out)
{
    slice method, target, version;

    if (line.len > HTTP_LINE_BYTES_MAX)
        return 414;
    if (!slice_cut(line, ' ', &method, &target) || !slice_cut(target, ' ', &target, &version) ||
        !is_token(method))
        return 400;
    out->method = method_of(method);
    int status = version_parse(version, out);
    return status == HTTP_WHOLE ? target_parse(target, out) : status;
}

/* ---- where the head ends ---- */

/* One complete line, with its LF.  HTTP_WHOLE at the empty line behind the head. */
static int line_check(struct http_scan *scan, slice line)
{
    struct request_line ignored = {0};

    if (line.len < 2 || line.at[line.len - 2] != '\r')
        return 400;
    line.len -= 2;
    if (line.len == 0) /* empty lines in front of a request are skipped (RFC 9112, 2.2) */
        return scan->has_request_line ? HTTP_WHOLE : HTTP_MORE;
    if (scan->has_request_line)
        return HTTP_MORE;
    scan->has_request_line = true;
    int status = request_line_parse(line, &ignored);
    return status == HTTP_WHOLE ? HTTP_MORE : status;
}

int http_head_scan(struct http_scan *scan, slice in, size_t head_bytes_max, size_t *head_bytes)
{
    slice rest = slice_from(in, scan->line_at);

    for (size_t end; (end = slice_find_byte(rest, '\n')) != SIZE_MAX;) {
        int status = line_check(scan, slice_head(rest, end + 1));

        scan->line_at += end + 1;
        if (scan->line_at > head_bytes_max)
            return 431;
        if (status == HTTP_WHOLE)
            *head_bytes = scan->line_at;
        if (status != HTTP_MORE)
            return status;
        rest = slice_from(rest, end + 1);
    }
    if (!scan->has_request_line) {
        /* What starts like no method (a TLS hello, a scanner's noise) need not be waited for. */
        if (rest.len > 0 && rest.at[0] != '\r' && !is_token_byte((unsigned char)rest.at[0]))
            return 400;
        if (rest.len > HTTP_LINE_BYTES_MAX || in.len >= head_bytes_max)
            return 414;
    }
    return in.len >= head_bytes_max ? 431 : HTTP_MORE;
}

/* ---- fields ---- */

static int field_parse(slice line, struct http_head *out)
{
    struct http_header field;

    /* A space before the colon or at the line's start (folding) is refused: RFC 9112, 5.1, 5.2. */
    if (!slice_cut(line, ':', &field.name, &field.value) || !is_token(field.name))
        return 400;
    for (size_t i = 0; i < field.value.len; i++) {
        unsigned char c = (unsigned char)field.value.at[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return 400;
    }
    field.value = slice_trim(field.value);
    if (out->header_count == HTTP_HEADERS_MAX)
        return 431;
    out->headers[out->header_count++] = field;
    return HTTP_WHOLE;
}

/* Is `token` in a comma-separated list? */
static bool list_has(slice list, slice token)
{
    slice item;

    while (list.len > 0) {
        (void)slice_cut(list, ',', &item, &list);
        if (slice_eq_nocase(slice_trim(item), token))
            return true;
    }
    return false;
}

/* What the fields mean for the connection and the body, gathered before it is judged. */
struct framing {
    size_t host_count, length_count, coding_count;
    slice coding;
    bool says_close, says_keep_alive;
};

static int field_weigh(const struct http_header *field, struct framing *framing,
                       struct http_head *out)
{
    if (slice_eq_nocase(field->name, SLICE("host"))) {
        framing->host_count++;
    } else if (slice_eq_nocase(field->name, SLICE("content-length"))) {
        framing->length_count++;
        if (!parse_u64(field->value, &out->content_length))
            return 400;
    } else if (slice_eq_nocase(field->name, SLICE("transfer-encoding"))) {
        framing->coding_count++;
        framing->coding = field->value;
    } else if (slice_eq_nocase(field->name, SLICE("connection"))) {
        framing->says_close |= list_has(field->value, SLICE("close"));
        framing->says_keep_alive |= list_has(field->value, SLICE("keep-alive"));
    } else if (slice_eq_nocase(field->name, SLICE("expect"))) {
        if (!slice_eq_nocase(field->value, SLICE("100-continue")))
            return 417;
        out->expects_continue = !out->is_http_1_0;
    }
    return HTTP_WHOLE;
}

/* RFC 9112, 3.2 (Host), 6.1 and 6.3 (the body's length), 9.3 (persistence). */
static int framing_judge(const struct framing *framing, struct http_head *out)
{
    if (framing->host_count > 1 || (framing->host_count == 0 && !out->is_http_1_0) ||
        framing->length_count > 1)
        return 400;
    if (framing->coding_count > 0) {
        if (framing->coding_count > 1 || framing->length_count > 0 || out->is_http_1_0)
            return 400;
        if (!slice_eq_nocase(framing->coding, SLICE("chunked")))
            return 501;
        out->is_chunked = true;
    }
    out->keep_alive = !framing->says_close && (!out->is_http_1_0 || framing->says_keep_alive);
    return HTTP_WHOLE;
}

/* The next line without its CR LF. */
static slice line_take(slice *rest)
{
    slice line;

    (void)slice_cut(*rest, '\n', &line, rest);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

int http_head_parse(slice bytes, struct http_head *out)
{
    struct framing framing = {0};
    struct request_line first = {0};
    int status;

    *out = (struct http_head){0};
    while (slice_starts(bytes, SLICE("\r\n")))
        bytes = slice_from(bytes, 2);
    status = request_line_parse(line_take(&bytes), &first);
    out->method = first.method;
    out->path = first.path;
    out->query = first.query;
    out->is_http_1_0 = first.is_http_1_0;
    if (status != HTTP_WHOLE)
        return status;
    for (slice line; (line = line_take(&bytes)).len > 0;) {
        if ((status = field_parse(line, out)) != HTTP_WHOLE)
            return status;
        status = field_weigh(&out->headers[out->header_count - 1], &framing, out);
        if (status != HTTP_WHOLE)
            return status;
    }
    return framing_judge(&framing, out);
}

/* ---- chunks ---- */

enum chunk_state {
    CHUNK_SIZE_FIRST, /* a digit must come */
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_FIRST, /* a trailer, or the end */
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_step(struct http_chunks *chunks, char c)
{
    int digit = digit_of(c);

    if (digit >= 0) {
        if (chunks->left >> 59 != 0) /* the next digit would push one out */
            return 400;
        chunks->left = chunks->left << 4 | (uint64_t)digit;
        chunks->state = CHUNK_SIZE;
        return ++chunks->line_bytes > HTTP_CHUNK_LINE_BYTES_MAX ? 431 : HTTP_MORE; /* "000..." */
    }
    if (chunks->state == CHUNK_SIZE && c == '\r') {
        chunks->state = CHUNK_SIZE_LF;
    } else if (chunks->state == CHUNK_SIZE && (c == ';' || c == ' ' || c == '\t')) {
        chunks->state = CHUNK_EXTENSION;
    } else {
        return 400;
    }
    return HTTP_MORE;
}

/* Extensions and trailers are read past, to a limit. */
static int skip_step(struct http_chunks *chunks, char c, enum chunk_state at_cr)
{
    if (c == '\r')
        chunks->state = (int)at_cr;
    else if (c == '\n' || c == '\0')
        return 400;
    return ++chunks->line_bytes > HTTP_CHUNK_LINE_BYTES_MAX ? 431 : HTTP_MORE;
}

/* One byte between the pieces of content. */
static int chunk_step(struct http_chunks *chunks, char c)
{
    switch ((enum chunk_state)chunks->state) {
    case CHUNK_SIZE_FIRST:
    case CHUNK_SIZE:
        return size_step(chunks, c);
    case CHUNK_EXTENSION:
        return skip_step(chunks, c, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_FIRST;
        chunks->line_bytes = 0;
        return c == '\n' ? HTTP_MORE : 400;
    case CHUNK_DATA: /* taken in one go by the caller */
        return 400;
    case CHUNK_DATA_CR:
        chunks->state = CHUNK_DATA_LF;
        return c == '\r' ? HTTP_MORE : 400;
    case CHUNK_DATA_LF:
        chunks->state = CHUNK_SIZE_FIRST;
        return c == '\n' ? HTTP_MORE : 400;
    case CHUNK_TRAILER_FIRST:
        chunks->state = c == '\r' ? CHUNK_END_LF : CHUNK_TRAILER;
        return c == '\r' ? HTTP_MORE : skip_step(chunks, c, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER:
        return skip_step(chunks, c, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        chunks->state = CHUNK_TRAILER_FIRST;
        return c == '\n' ? HTTP_MORE : 400;
    case CHUNK_END_LF:
        return c == '\n' ? HTTP_WHOLE : 400;
    }
    return 400;
}

int http_chunks_next(struct http_chunks *chunks, slice *in, slice *piece)
{
    while (in->len > 0) {
        if (chunks->state == CHUNK_DATA) {
            *piece = slice_head(*in, chunks->left < in->len ? (size_t)chunks->left : in->len);
            *in = slice_from(*in, piece->len);
            chunks->left -= piece->len;
            if (chunks->left == 0)
                chunks->state = CHUNK_DATA_CR;
            return HTTP_PIECE;
        }
        int status = chunk_step(chunks, in->at[0]);

        *in = slice_from(*in, 1);
        if (status != HTTP_MORE)
            return status;
    }
    return HTTP_MORE;
}
