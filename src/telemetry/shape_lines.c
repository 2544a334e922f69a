/* Lines with a form of their own: syslog, DNS servers' query logs, web servers' access logs, text.
 */
#include "telemetry/reader.h"

#include "base/banned.h"

#define PRIORITY_MAX 191     /* RFC 5424, 6.2.1 */
#define SYSLOG_PAIRS_LEAST 3 /* fewer are words with "=" in a sentence */

/* The word in front, up to a blank; what is left begins behind the blanks. */
static slice next_word(slice *rest)
{
    size_t start = 0, end;

    while (start < rest->len && (rest->at[start] == ' ' || rest->at[start] == '\t'))
        start++;
    for (end = start; end < rest->len; end++)
        if (rest->at[end] == ' ' || rest->at[end] == '\t')
            break;
    slice word = slice_of(rest->at + start, end - start);
    *rest = slice_from(*rest, end);
    while (rest->len > 0 && (rest->at[0] == ' ' || rest->at[0] == '\t'))
        *rest = slice_from(*rest, 1);
    return word;
}

static void put(struct telemetry_reader *reader, const char *name, slice value)
{
    if (value.len > 0 && !slice_eq(value, SLICE("-")))
        event_take_raw(&reader->event, slice_text(name), value);
}

/* ---- syslog ---- */

static bool is_time(slice text)
{
    int64_t us;

    return when_parse(text, 0, &us);
}

/* "<34>" in front: a priority.  False when there is something like it that is none. */
static bool priority_skip(slice *line)
{
    size_t close = slice_find_byte(slice_head(*line, 5), '>');
    uint64_t priority;

    if (line->len == 0 || line->at[0] != '<')
        return true;
    if (close == SIZE_MAX || !parse_u64(slice_of(line->at + 1, close - 1), &priority) ||
        priority > PRIORITY_MAX)
        return false;
    *line = slice_from(*line, close + 1);
    return true;
}

bool syslog_split(slice line, struct syslog_line *out)
{
    slice rest = line, word;

    *out = (struct syslog_line){0};
    if (!priority_skip(&rest))
        return false;
    bool has_priority = rest.len < line.len;
    if (has_priority && slice_starts(rest, SLICE("1 "))) { /* RFC 5424: version, time, host */
        rest = slice_from(rest, 2);
        out->time = next_word(&rest);
        out->host = next_word(&rest);
        out->message = rest;
        return slice_eq(out->time, SLICE("-")) || is_time(out->time);
    }
    if (rest.len > 15 && is_time(slice_head(rest, 15))) { /* RFC 3164: "Jan  1 08:00:00" */
        out->time = slice_head(rest, 15);
        rest = slice_from(rest, 15);
        if (rest.at[0] != ' ')
            return false;
    } else {
        slice before = rest;

        word = next_word(&rest);
        if (word.len > 15 && is_time(word) && word.at[4] == '-')
            out->time = word;
        else if (!has_priority)
            return false;
        else
            rest = before;
    }
    if (out->time.len > 0)
        out->host = next_word(&rest);
    out->message = rest;
    return true;
}

result shape_syslog(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    struct syslog_line syslog;

    if (!syslog_split(line, &syslog))
        return diag_fail(diag, ERR_INVALID, "no syslog header");
    put(reader, "syslog_time", syslog.time);
    put(reader, "hostname", syslog.host);
    if (pairs_count(syslog.message) >= SYSLOG_PAIRS_LEAST)
        pairs_take(reader, syslog.message);
    else
        put(reader, "text", syslog.message);
    return OK;
}

/* ---- DNS servers ---- */

/* The time in front: "01-Jan-2026 08:00:00.123", "[1767225600]", or syslog's. */
static void dns_time(struct telemetry_reader *reader, slice line)
{
    struct syslog_line syslog;
    size_t close = slice_find_byte(slice_head(line, 24), ']');

    if (line.len > 24 && line.at[2] == '-' && line.at[6] == '-')
        put(reader, "time", slice_head(line, 24));
    else if (line.len > 0 && line.at[0] == '[' && close != SIZE_MAX)
        put(reader, "time", slice_of(line.at + 1, close - 1));
    else if (syslog_split(line, &syslog))
        put(reader, "time", syslog.time);
}

static slice behind(slice line, slice mark)
{
    size_t at = slice_find(line, mark);

    return at == SIZE_MAX ? SLICE_NONE : slice_from(line, at + mark.len);
}

/* client @0x7f81 192.0.2.1#40000 (a.example): view x: query: a.example IN A +E(0)K (192.0.2.53) */
result shape_bind(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    slice client = behind(line, SLICE("client ")), query = behind(line, SLICE("query: ")), word;
    slice address, port, last = SLICE("");

    dns_time(reader, line);
    if (client.at == NULL || query.at == NULL || query.at < client.at) {
        put(reader, "text", line); /* another of the server's messages */
        return line.len > 0 && reader->event.has_time
                   ? OK
                   : diag_fail(diag, ERR_INVALID, "no line of BIND");
    }
    word = next_word(&client);
    if (slice_starts(word, SLICE("@")))
        word = next_word(&client);
    (void)slice_cut(word, '#', &address, &port); /* without a port it is the address alone */
    put(reader, "client", address);
    put(reader, "client_port", slice_head(port, port.len - (slice_ends(port, SLICE(":")) ? 1 : 0)));
    put(reader, "query", next_word(&query));
    while (query.len > 0)
        last = next_word(&query);
    if (last.len > 2 && last.at[0] == '(' && last.at[last.len - 1] == ')')
        put(reader, "server", slice_of(last.at + 1, last.len - 2));
    return OK;
}

/* [1767225600] unbound[1:0] info: 192.0.2.1 a.example. A IN NOERROR 0.01 0 54 */
result shape_unbound(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    slice rest = behind(line, SLICE("unbound")), client;

    if (rest.at == NULL)
        return diag_fail(diag, ERR_INVALID, "no line of Unbound");
    dns_time(reader, line);
    rest = behind(rest, SLICE(": "));
    client = next_word(&rest);
    if (slice_eq(client, SLICE("query:")) || slice_eq(client, SLICE("reply:")))
        client = next_word(&rest);
    if (address_form(client) == ADDRESS_NONE) {
        put(reader, "text", line);
        return OK;
    }
    put(reader, "client", client);
    put(reader, "query", next_word(&rest));
    return OK;
}

/* dnsmasq[7]: query[A] a.example from 192.0.2.1; reply a.example is 192.0.2.9; forwarded .. to ..
 */
result shape_dnsmasq(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    static const struct {
        slice word;
        const char *field;
    } roles[] = {{S("from"), "client"}, {S("is"), "answer"}, {S("to"), "server"}};
    slice rest = behind(line, SLICE("dnsmasq")), verb, name, role, value;

    if (rest.at == NULL)
        return diag_fail(diag, ERR_INVALID, "no line of dnsmasq");
    dns_time(reader, line);
    rest = behind(rest, SLICE(": "));
    verb = next_word(&rest);
    uint64_t serial;
    if (parse_u64(verb, &serial)) { /* log-queries=extra: "12 192.0.2.1/40000 query[A] ..." */
        (void)next_word(&rest);
        verb = next_word(&rest);
    }
    name = next_word(&rest);
    role = next_word(&rest);
    value = next_word(&rest);
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (!slice_eq(role, roles[i].word))
            continue;
        put(reader, "query", name);
        put(reader, roles[i].field, value);
        return OK;
    }
    (void)verb;
    put(reader, "text", line);
    return OK;
}

/* ---- web servers ---- */

/* "..." with \" inside; without quotes a word. */
static slice quoted_next(slice *rest)
{
    size_t end = 1;

    if (rest->len == 0 || rest->at[0] != '"')
        return next_word(rest);
    while (end < rest->len && rest->at[end] != '"')
        end += rest->at[end] == '\\' && end + 1 < rest->len ? 2 : 1;
    slice inner = slice_of(rest->at + 1, (end < rest->len ? end : rest->len) - 1);
    *rest = slice_trim(slice_from(*rest, end + 1));
    return inner;
}

/* "GET /a HTTP/1.1": the middle, blanks and all. */
static void request_put(struct telemetry_reader *reader, slice request)
{
    slice method = next_word(&request);
    size_t end = request.len;

    while (end > 0 && request.at[end - 1] != ' ')
        end--;
    if (end > 1 && slice_starts(slice_from(request, end), SLICE("HTTP/")))
        request = slice_head(request, end - 1);
    put(reader, "method", method);
    put(reader, "request", request);
}

/* [vhost[:port]] client ident user [time] "request" status bytes ["referer" "user agent" ...] */
result shape_web(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    slice rest = line, client = next_word(&rest), host, port, user;
    size_t close;

    if (address_form(client) == ADDRESS_NONE) {
        slice next = rest, second = next_word(&next);

        if (address_form(second) != ADDRESS_NONE) {
            if (host_split(client, &host, &port)) {
                put(reader, "vhost", host);
                put(reader, "vhost_port", port);
            }
            client = second;
            rest = next;
        }
    }
    (void)next_word(&rest); /* RFC 1413's name: of no use */
    user = next_word(&rest);
    close = slice_find_byte(slice_head(rest, 64), ']');
    if (rest.len == 0 || rest.at[0] != '[' || close == SIZE_MAX)
        return diag_fail(diag, ERR_INVALID, "no [time] behind the client");
    put(reader, "client", client);
    put(reader, "user", user);
    put(reader, "time", slice_of(rest.at + 1, close - 1));
    rest = slice_trim(slice_from(rest, close + 1));
    if (rest.len == 0 || rest.at[0] != '"')
        return diag_fail(diag, ERR_INVALID, "no \"request\" behind the time");
    request_put(reader, quoted_next(&rest));
    (void)next_word(&rest); /* status */
    (void)next_word(&rest); /* bytes */
    put(reader, "referer", quoted_next(&rest));
    put(reader, "user_agent", quoted_next(&rest));
    put(reader, "text", rest);
    return OK;
}

result shape_text(struct telemetry_reader *reader, slice line, struct diag *diag)
{
    (void)diag;
    put(reader, "text", line);
    return OK;
}
