/* Lists, a value a line: plain ones, hosts files, and what resolvers and browsers block by.
 *
 *     198.51.100.0/24 ; SBL1234         a value, then words on it
 *     0.0.0.0 a.example b.example       a hosts file
 *     ||a.example^                      a browser's rule
 *     address=/a.example/0.0.0.0        dnsmasq
 *     local-zone: "a.example" refuse    unbound
 *     a.example CNAME .                 a response policy zone
 *     198.51.100.7 - 198.51.100.9       a range, which becomes networks that cover just it
 *     sha256<TAB>...                    a type, then a value
 */
#include <arpa/inet.h>

#include "formats/in_inside.h"

#include "base/banned.h"

#define STEP_BYTES ((size_t)1 << 20) /* written at once, so that the checks get whole windows */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first word, and what is behind it. */
static slice word_cut(slice text, slice *rest)
{
    size_t end = 0;

    while (end < text.len && !is_blank(text.at[end]))
        end++;
    *rest = slice_trim(slice_from(text, end));
    return slice_head(text, end);
}

static void value_put(struct in *in, const struct in_value *value, slice shown, slice comment)
{
    struct in_draft draft = in_draft(in);

    buf_reset(&in->pattern);
    buf_byte(&in->pattern, '[');
    in_value_pattern(in, value);
    buf_byte(&in->pattern, ']');
    draft.pattern = buf_slice(&in->pattern);
    draft.name = shown.len > 0 ? shown : value->value;
    draft.description = comment;
    in_indicator(in, &draft);
}

static void left(struct in *in, slice line, const char *reason)
{
    in_note(in, true, in->lines.number, line, "%s", reason);
}

static bool text_put(struct in *in, slice type, slice text, slice comment)
{
    struct in_value value;
    slice shown = SLICE("");

    if (!in_value_read(in, type, text, &value))
        return false;
    if (value.port.len > 0)
        shown =
            arena_printf(&in->arena, "%.*s:%.*s", SLICE_ARG(value.value), SLICE_ARG(value.port));
    value_put(in, &value, shown, comment);
    return true;
}

/* ---- hosts files ---- */

static bool is_nowhere(slice word)
{
    static const slice nowhere[] = {S("0.0.0.0"),
                                    S("127.0.0.1"),
                                    S("::"),
                                    S("::1"),
                                    S("0"),
                                    S("127.0.1.1"),
                                    S("fe80::1%lo0"),
                                    S("255.255.255.255"),
                                    S("ff02::1"),
                                    S("ff02::2"),
                                    S("ff00::0"),
                                    S("ff02::3"),
                                    S("0:0:0:0:0:0:0:0")};

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        if (slice_eq(word, nowhere[i]))
            return true;
    return false;
}

/* A machine's names for itself stand in every hosts file. */
static bool is_own_name(slice name)
{
    static const slice names[] = {S("localhost"),
                                  S("localhost.localdomain"),
                                  S("local"),
                                  S("broadcasthost"),
                                  S("0.0.0.0"),
                                  S("localhost4.localdomain4"),
                                  S("localhost6.localdomain6")};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_eq_nocase(name, names[i]))
            return true;
    return slice_find_byte(name, '.') == SIZE_MAX &&
           (slice_starts(name, SLICE("ip6-")) || slice_starts(name, SLICE("localhost")));
}

static bool hosts_take(struct in *in, slice line)
{
    slice rest, names;

    if (!is_nowhere(word_cut(line, &names)) || names.len == 0 || names.at[0] == '-')
        return false;
    size_t hash = slice_find_byte(names, '#');
    slice comment = hash == SIZE_MAX ? SLICE("") : slice_trim(slice_from(names, hash + 1));
    for (rest = slice_trim(slice_head(names, hash)); rest.len > 0;) {
        slice name = word_cut(rest, &rest);

        if (!is_own_name(name) && !text_put(in, SLICE("domain"), name, comment))
            left(in, name, "no name of a host");
    }
    return true;
}

/* ---- browsers ---- */

/* Of what a page shows, in front of which a name may stand. */
static bool is_cosmetic(slice line)
{
    return slice_find(line, SLICE("##")) != SIZE_MAX ||
           slice_find(line, SLICE("#@#")) != SIZE_MAX || slice_find(line, SLICE("#?#")) != SIZE_MAX;
}

static bool browser_take(struct in *in, slice line)
{
    slice name;

    if (slice_starts(line, SLICE("@@"))) {
        left(in, line, "an exception from the list, not an indicator");
        return true;
    }
    if (!slice_starts(line, SLICE("||")))
        return false;
    name = slice_from(line, 2);
    size_t end = slice_find_byte(name, '^');
    slice behind = end == SIZE_MAX ? SLICE("") : slice_from(name, end + 1);
    name = slice_head(name, end);
    if (behind.len > 0 && behind.at[0] != '$')
        left(in, line, "a browser's rule that is no name alone");
    else if (!text_put(in, SLICE(""), name, behind))
        left(in, line, "a browser's rule that is no name alone");
    return true;
}

/* ---- resolvers ---- */

static bool resolver_take(struct in *in, slice line)
{
    static const slice heads[] = {S("address=/"), S("local=/"), S("server=/")};
    slice name = SLICE(""), rest, verb;

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        if (slice_starts(line, heads[i]) &&
            slice_cut(slice_from(line, heads[i].len), '/', &name, &rest)) {
            if (!text_put(in, SLICE("domain"), name, SLICE("")))
                left(in, line, "no name of a host");
            return true;
        }
    if (slice_starts(line, SLICE("local-zone:"))) {
        slice quoted = slice_trim(slice_from(line, 11));

        if (!slice_starts(quoted, SLICE("\"")) ||
            !slice_cut(slice_from(quoted, 1), '"', &name, &rest) ||
            !text_put(in, SLICE("domain"), name, SLICE("")))
            left(in, line, "no name of a host");
        return true;
    }
    name = word_cut(line, &rest);
    verb = word_cut(rest, &rest);
    if (!slice_eq_nocase(verb, SLICE("CNAME")) || !slice_eq(rest, SLICE(".")))
        return false;
    if (!text_put(in, SLICE("domain"), name, SLICE("")))
        left(in, line, "no name of a host");
    return true;
}

/* ---- ranges ---- */

static bool v4_read(slice text, uint32_t *out)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &address) != 1)
        return false;
    *out = ntohl(address.s_addr);
    return true;
}

static void range_put(struct in *in, uint64_t first, uint64_t last, slice comment)
{
    while (first <= last) { /* at most 62 networks cover a range, and no address more */
        unsigned bits = 0;

        while (bits < 32 && (first & ((UINT64_C(2) << bits) - 1)) == 0 &&
               first + (UINT64_C(2) << bits) - 1 <= last)
            bits++;
        slice network = arena_printf(&in->arena, "%u.%u.%u.%u/%u", (unsigned)(first >> 24 & 255),
                                     (unsigned)(first >> 16 & 255), (unsigned)(first >> 8 & 255),
                                     (unsigned)(first & 255), 32 - bits);
        if (!text_put(in, SLICE(""), network, comment))
            return; /* the arena is out, which the reader says */
        first += UINT64_C(1) << bits;
    }
}

static bool range_take(struct in *in, slice line)
{
    slice from, to, rest;
    uint32_t first, last;

    if (line.at[0] < '0' || line.at[0] > '9' || !slice_cut(line, '-', &from, &to))
        return false;
    to = word_cut(slice_trim(to), &rest);
    if (!v4_read(slice_trim(from), &first) || !v4_read(to, &last))
        return false;
    if (first > last)
        left(in, line, "a range whose end stands before its start");
    else
        range_put(in, first, last, rest);
    return true;
}

/* ---- all ---- */

static slice comment_of(slice rest)
{
    while (rest.len > 0 && (rest.at[0] == '#' || rest.at[0] == ';' || is_blank(rest.at[0])))
        rest = slice_from(rest, 1);
    return rest;
}

static bool typed_take(struct in *in, slice line)
{
    slice type, value;

    return slice_cut(line, '\t', &type, &value) && in_type_known(slice_trim(type)) &&
           text_put(in, slice_trim(type), value, SLICE(""));
}

static void pattern_take(struct in *in, slice line)
{
    struct in_draft draft = in_draft(in);

    draft.pattern = line;
    in_indicator(in, &draft);
}

static bool is_comment(slice line)
{
    if (line.at[0] == '#')
        return !slice_starts(line, SLICE("##")) || slice_find_byte(line, ' ') != SIZE_MAX ||
               line.len < 3 || line.at[2] == '#';
    return line.at[0] == ';' || line.at[0] == '!' || slice_starts(line, SLICE("//")) ||
           slice_eq_nocase(slice_head(line, 8), SLICE("[Adblock"));
}

static void line_take(struct in *in, slice line)
{
    slice rest, word;

    if (line.len == 0 || is_comment(line))
        return;
    if (line.at[0] == '[' && line.at[line.len - 1] == ']' &&
        slice_find_byte(line, '=') != SIZE_MAX) {
        pattern_take(in, line);
        return;
    }
    if (slice_find_byte(line, '#') != SIZE_MAX && is_cosmetic(line)) {
        left(in, line, "a rule for what a page shows");
        return;
    }
    word = word_cut(line, &rest);
    if (rest.len == 0 && text_put(in, SLICE(""), word, SLICE("")))
        return; /* nearly all lines */
    if (typed_take(in, line) || range_take(in, line) || hosts_take(in, line) ||
        resolver_take(in, line) || browser_take(in, line))
        return;
    while (word.len > 0 && (word.at[word.len - 1] == ';' || word.at[word.len - 1] == ','))
        word.len--;
    if (!text_put(in, SLICE(""), word, comment_of(rest)))
        left(in, line, "no address, network, name, URL, hash or mail address");
}

result in_list_step(struct in *in, struct diag *diag)
{
    slice line;
    bool is_there = true;

    while (in->out.len < STEP_BYTES) {
        TRY(in_line(in, IN_LINE_BYTES_MAX, &line, &is_there, diag));
        if (!is_there)
            break;
        arena_reset(&in->arena);
        line_take(in, slice_trim(line));
        if (in->arena.overflowed || in->out.overflowed)
            break;
    }
    in->is_at_end = !is_there;
    return OK;
}
