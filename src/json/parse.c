/* The parser: simdjson finds where every token begins (and checks UTF-8), one walk over these
 * places checks the grammar and makes the nodes.  Text between two places is white space or
 * belongs to the first of them, so each token's end needs no search. */
#include "json/json.h"

#include <assert.h>
#include <endian.h>

#include "base/fault.h"
#include "json/escape.h"
#include "json/keys.h"
#include "json/simdjson_shim.h"

#include "base/banned.h"

#define NODES_MAX (JSON_TEXT_BYTES_MAX / 2)

/* Up to this many members are compared each with each, by the hashes of their keys. */
#define PAIRWISE_COUNT_MAX 24

#define HASH_FACTOR 0x9E3779B97F4A7C15u

/* How far to look for the next backslash: what was read is still in the cache when walked over. */
#define BACKSLASH_AHEAD_BYTES ((size_t)16 << 10)

struct frame {
    uint32_t node;      /* of the open container */
    uint32_t first_key; /* in key_hashes, of an object */
};

struct json_parser {
    struct json_index *index; /* owned, as all below */
    struct json_node *nodes;
    size_t node_capacity;
    struct frame *frames;
    size_t frame_capacity;
    size_t depth_max;
    uint32_t *key_hashes; /* of all keys of the objects that are open, and their nodes */
    size_t key_hash_capacity;
    uint32_t *key_nodes;
    size_t key_node_capacity;
    struct json_member *members; /* twice the room: sorted into its second half and back */
    size_t member_capacity;
    struct buf copy;
    struct buf unescaped;
};

/* The first thing found wrong. */
struct blame {
    enum err code;
    size_t at;
    const char *why;
};

struct walk {
    struct json_parser *parser;
    const char *text;
    const uint32_t *place, *place_end; /* the next token; *place_end is the text's length */
    struct json_node *nodes;
    uint32_t node_count;
    uint32_t key_count; /* of all open objects */
    size_t depth;
    size_t clear_to; /* no backslash stands from the last token to here */
    struct blame *blame;
};

result json_parser_new(size_t depth_max, struct json_parser **out, struct diag *diag)
{
    size_t one = 0;
    struct json_parser *parser = table_grow(NULL, &one, 1, 1, sizeof *parser);

    if (parser == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a JSON parser");
    *parser = (struct json_parser){.depth_max = depth_max,
                                   .copy = BUF(JSON_TEXT_BYTES_MAX + JSON_PADDING),
                                   .unescaped = BUF(JSON_TEXT_BYTES_MAX)};
    parser->frames = table_grow(NULL, &parser->frame_capacity, depth_max == 0 ? 1 : depth_max,
                                SIZE_MAX, sizeof *parser->frames);
    parser->index = FAULT_HERE() ? NULL : json_index_new();
    if (parser->frames == NULL || parser->index == NULL) {
        json_parser_free(&parser);
        return diag_fail(diag, ERR_LIMIT, "no memory for a JSON parser");
    }
    *out = parser;
    return OK;
}

void json_parser_free(struct json_parser **parser)
{
    struct json_parser *gone = *parser;

    if (gone == NULL)
        return;
    json_index_free(gone->index);
    table_free(gone->nodes);
    table_free(gone->frames);
    table_free(gone->key_hashes);
    table_free(gone->key_nodes);
    table_free(gone->members);
    buf_free(&gone->copy);
    buf_free(&gone->unescaped);
    table_free(gone);
    *parser = NULL;
}

/* ---- the cold side: words for what is wrong ---- */

static __attribute__((cold, noinline)) bool wrong_as(struct blame *blame, enum err code, size_t at,
                                                     const char *why)
{
    *blame = (struct blame){code, at, why};
    return false;
}

static __attribute__((cold, noinline)) bool wrong(struct blame *blame, size_t at, const char *why)
{
    return wrong_as(blame, ERR_INVALID, at, why);
}

static result blame_fail(const struct blame *blame, struct diag *diag)
{
    return diag_fail(diag, blame->code, "byte %zu: %s", blame->at, blame->why);
}

/* Bytes of the UTF-8 character at `at`, 0 when it is none (RFC 3629). */
static size_t utf8_bytes(const char *at, size_t room)
{
    for (size_t bytes = 1; bytes <= JSON_UTF8_BYTES_MAX && bytes <= room; bytes++)
        if (utf8_valid(slice_of(at, bytes)))
            return bytes;
    return 0;
}

static bool first_bad_utf8(slice text, size_t *at)
{
    for (size_t i = 0, bytes; i < text.len; i += bytes) {
        bytes = utf8_bytes(text.at + i, text.len - i);
        if (bytes == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

/* The first control character inside a string, else the quote that opens one without end. */
static const char *first_bad_string(slice text, size_t *at)
{
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        if (in_string && (uint8_t)text.at[i] < 0x20) {
            *at = i;
            return "a control character in a string must be escaped";
        }
        if (in_string && text.at[i] == '\\')
            i++;
        else if (text.at[i] == '"') {
            in_string = !in_string;
            *at = i;
        }
    }
    return "a string that begins here never ends";
}

static result index_fail(enum json_index_state state, slice text, struct diag *diag)
{
    struct blame blame = {.code = ERR_INVALID};

    switch (state) {
    case JSON_INDEX_NO_MEMORY:
        return diag_fail(diag, ERR_LIMIT, "no memory for an index of %zu bytes of JSON", text.len);
    case JSON_INDEX_EMPTY:
        return diag_fail(diag, ERR_INVALID, "byte 0: the text is empty");
    case JSON_INDEX_BAD_UTF8:
        blame.why = "not UTF-8";
        if (first_bad_utf8(text, &blame.at))
            return blame_fail(&blame, diag);
        break;
    case JSON_INDEX_CONTROL:
    case JSON_INDEX_UNCLOSED:
        blame.why = first_bad_string(text, &blame.at);
        return blame_fail(&blame, diag);
    case JSON_INDEX_READY:
    case JSON_INDEX_BROKEN:
        break;
    }
    return diag_fail(diag, ERR_INVALID, "not JSON, for a reason unknown");
}

/* ---- tokens ---- */

static inline bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static inline bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The byte the next token begins with; 0 at the end of the text. */
static inline char token(const struct walk *w)
{
    return w->place < w->place_end ? w->text[*w->place] : 0;
}

/* White space and nothing else from `at` to the next token. */
static inline bool rest_is_space(const struct walk *w, size_t at)
{
    for (; at < *w->place; at++)
        if (!is_space(w->text[at]))
            return wrong(w->blame, at, "unexpected text behind a value");
    return true;
}

static inline struct json_node *node_push(struct walk *w, enum json_kind kind, size_t at,
                                          size_t len)
{
    struct json_node *node = &w->nodes[w->node_count++];

    *node = (struct json_node){
        .at = (uint32_t)at, .len = (uint32_t)len, .size = 1, .kind = (uint8_t)kind};
    return node;
}

static inline bool has_backslash(struct walk *w, size_t at, size_t end)
{
    while (w->clear_to < end) {
        size_t from = w->clear_to < at ? at : w->clear_to;
        size_t room = *w->place_end - from;
        const char *found;

        room = room < BACKSLASH_AHEAD_BYTES ? room : BACKSLASH_AHEAD_BYTES;
        found = memchr(w->text + from, '\\', room);
        w->clear_to = found == NULL ? from + room : (size_t)(found - w->text);
        if (found != NULL)
            return w->clear_to < end;
    }
    return false;
}

/* The string at the next token.  Its closing quote is the last byte before the token behind it
 * that is no white space. */
static inline bool string(struct walk *w)
{
    size_t at = (size_t)*w->place++ + 1, end = *w->place;

    while (end > at && is_space(w->text[end - 1]))
        end--;
    if (end <= at || w->text[end - 1] != '"')
        return wrong(w->blame, at - 1, "a string that begins here never ends");
    end--;
    struct json_node *node = node_push(w, JSON_STRING, at, end - at);
    if (!has_backslash(w, at, end))
        return true;
    size_t bad = 0;
    const char *why = json_escapes_wrong(slice_of(w->text + at, end - at), &bad);
    if (why != NULL)
        return wrong(w->blame, at + bad, why);
    node->escaped = true;
    return true;
}

static const char *digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* RFC 8259, section 6.  Returns where the number ends; where it breaks when *why is set. */
static const char *number_end(const char *at, const char *end, const char **why)
{
    const char *first = at + (*at == '-');
    const char *behind = digits(first, end);

    if (behind == first)
        *why = "expected a digit";
    else if (*first == '0' && behind > first + 1)
        *why = "a number must not begin with 0";
    if (*why != NULL)
        return behind == first ? first : at;
    if (behind < end && *behind == '.') {
        first = behind + 1;
        behind = digits(first, end);
        if (behind == first)
            *why = "expected a digit behind the decimal point";
    }
    if (*why == NULL && behind < end && (*behind | 0x20) == 'e') {
        first = behind + 1;
        first += first < end && (*first == '+' || *first == '-');
        behind = digits(first, end);
        if (behind == first)
            *why = "expected a digit in the exponent";
    }
    return behind;
}

static inline bool number(struct walk *w)
{
    size_t at = *w->place++;
    const char *why = NULL;
    const char *end = number_end(w->text + at, w->text + *w->place, &why);

    if (why != NULL)
        return wrong(w->blame, (size_t)(end - w->text), why);
    node_push(w, JSON_NUMBER, at, (size_t)(end - w->text) - at);
    return rest_is_space(w, (size_t)(end - w->text));
}

static bool word(struct walk *w, slice spelling, enum json_kind kind)
{
    size_t at = *w->place++;

    if (!slice_starts(slice_of(w->text + at, *w->place - at), spelling))
        return wrong(w->blame, at, "expected a value");
    node_push(w, kind, at, spelling.len);
    return rest_is_space(w, at + spelling.len);
}

/* ---- objects ---- */

/* The bytes behind a key are readable (JSON_PADDING; the parser's own buffer has them as well). */
static inline uint32_t key_hash(const char *at, size_t len)
{
    uint64_t word, hash = len;

    for (; len > sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * HASH_FACTOR;
        hash ^= hash >> 29;
    }
    if (len > 0) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ le64toh(word) << 8 * (sizeof word - len)) * HASH_FACTOR;
    }
    return (uint32_t)(hash >> 32);
}

/* The hash of a key with escapes is that of its value. */
static bool escaped_key_hash(struct walk *w, const struct json_node *key, uint32_t *hash)
{
    struct buf *value = &w->parser->unescaped;

    buf_reset(value);
    char *room = buf_reserve(value, (size_t)key->len + sizeof(uint64_t));
    if (room == NULL)
        return wrong_as(w->blame, ERR_LIMIT, key->at, "no memory for a key");
    size_t len = json_unescape(slice_of(w->text + key->at, key->len), room);
    memset(room + len, 0, sizeof(uint64_t));
    *hash = key_hash(room, len);
    return true;
}

static inline bool key_and_colon(struct walk *w)
{
    uint32_t index = w->node_count;

    if (token(w) != '"')
        return wrong(w->blame, *w->place, "expected a key in quotes");
    if (!string(w))
        return false;
    if (token(w) != ':')
        return wrong(w->blame, *w->place, "expected ':' behind a key");
    w->place++;
    const struct json_node *key = &w->nodes[index];
    uint32_t *hash = &w->parser->key_hashes[w->key_count];
    w->parser->key_nodes[w->key_count++] = index;
    if (key->escaped)
        return escaped_key_hash(w, key, hash);
    *hash = key_hash(w->text + key->at, key->len);
    return true;
}

static inline bool hashes_all_differ(const uint32_t *hashes, size_t count)
{
    uint32_t same = 0;

    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            same |= hashes[i] == hashes[k];
    return same == 0;
}

/* Sorted by hash and then by the keys themselves, equal keys are neighbours, the first of them
 * in the text first.  However an attacker chooses keys, this takes count * log(count). */
static __attribute__((noinline)) bool mark_repeated(struct walk *w, struct json_node *object,
                                                    size_t first, size_t count)
{
    const struct json_doc doc = {slice_of(w->text, *w->place_end), w->nodes, w->node_count};
    struct json_parser *parser = w->parser;
    struct json_member *members = table_grow(parser->members, &parser->member_capacity, 2 * count,
                                             NODES_MAX, sizeof *members);

    if (members == NULL)
        return wrong_as(w->blame, ERR_LIMIT, object->at, "no memory for the keys of an object");
    parser->members = members;
    for (size_t i = 0; i < count; i++)
        members[i] = (struct json_member){.rank = parser->key_hashes[first + i],
                                          .key = parser->key_nodes[first + i]};
    members = json_members_sort(&doc, members, members + count, count);
    for (size_t i = 1; i < count; i++) {
        if (members[i].rank != members[i - 1].rank ||
            json_key_cmp(&doc, &w->nodes[members[i - 1].key], &w->nodes[members[i].key]) != 0)
            continue;
        w->nodes[members[i].key].repeated = true;
        object->repeated = true;
    }
    return true;
}

/* ---- the walk ---- */

static inline bool container_open(struct walk *w, enum json_kind kind)
{
    if (w->depth == w->parser->depth_max)
        return wrong_as(w->blame, ERR_LIMIT, *w->place, "nested too deep");
    w->parser->frames[w->depth++] = (struct frame){w->node_count, w->key_count};
    node_push(w, kind, *w->place++, 0);
    return true;
}

static inline bool container_close(struct walk *w)
{
    struct frame frame = w->parser->frames[--w->depth];
    struct json_node *node = &w->nodes[frame.node];
    size_t keys = w->key_count - frame.first_key;

    node->size = w->node_count - frame.node;
    node->len = *w->place++ + 1 - node->at;
    w->key_count = frame.first_key;
    if (keys < 2 || (keys <= PAIRWISE_COUNT_MAX &&
                     hashes_all_differ(w->parser->key_hashes + frame.first_key, keys)))
        return true;
    return mark_repeated(w, node, frame.first_key, keys);
}

/* One value that is no container, or a container's beginning up to its first value.  *whole says
 * whether a value is complete now. */
static inline bool value(struct walk *w, bool *whole)
{
    char head = token(w);

    *whole = true;
    switch (head) {
    case '"':
        return string(w);
    case '{':
    case '[':
        if (!container_open(w, head == '{' ? JSON_OBJECT : JSON_ARRAY))
            return false;
        if (token(w) == head + 2) /* ASCII: the closing bracket of either kind */
            return container_close(w);
        *whole = false;
        return head == '[' || key_and_colon(w);
    case 't':
        return word(w, SLICE("true"), JSON_TRUE);
    case 'f':
        return word(w, SLICE("false"), JSON_FALSE);
    case 'n':
        return word(w, SLICE("null"), JSON_NULL);
    default:
        if (head == '-' || is_digit(head))
            return number(w);
        return wrong(w->blame, *w->place, "expected a value");
    }
}

/* Behind a whole value: close what ends here, up to the comma before the next value or the end. */
static inline bool behind_value(struct walk *w)
{
    while (w->depth > 0) {
        const struct frame *frame = &w->parser->frames[w->depth - 1];
        bool in_object = w->nodes[frame->node].kind == JSON_OBJECT;
        char head = token(w);

        if (head == ',') {
            w->place++;
            return !in_object || key_and_colon(w);
        }
        if (head != (in_object ? '}' : ']'))
            return wrong(w->blame, *w->place,
                         in_object ? "expected ',' or '}'" : "expected ',' or ']'");
        if (!container_close(w))
            return false;
    }
    return true;
}

static bool walk(struct walk *w)
{
    do {
        bool whole;

        if (!value(w, &whole) || (whole && !behind_value(w)))
            return false;
    } while (w->depth > 0);
    if (w->place < w->place_end)
        return wrong(w->blame, *w->place, "unexpected text behind a value");
    return true;
}

/* A node takes two tokens (itself and a comma, a colon or a closing bracket) but for those that
 * are still open and the root; a key takes two and its value one more. */
static result tables_reach(struct json_parser *parser, size_t tokens, struct diag *diag)
{
    size_t nodes = tokens / 2 + parser->depth_max + 2, keys = tokens / 2 + 1;
    struct json_node *node =
        table_grow(parser->nodes, &parser->node_capacity, nodes, SIZE_MAX, sizeof *node);
    if (node != NULL)
        parser->nodes = node;
    uint32_t *hash = table_grow(parser->key_hashes, &parser->key_hash_capacity, keys, NODES_MAX + 1,
                                sizeof *hash);
    if (hash != NULL)
        parser->key_hashes = hash;
    uint32_t *key =
        table_grow(parser->key_nodes, &parser->key_node_capacity, keys, NODES_MAX + 1, sizeof *key);
    if (key != NULL)
        parser->key_nodes = key;
    if (node == NULL || hash == NULL || key == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu tokens of JSON", tokens);
    return OK;
}

result json_parse(struct json_parser *parser, slice text, struct json_doc *out, struct diag *diag)
{
    struct blame blame = {0};
    struct walk w = {.parser = parser, .text = text.at, .blame = &blame};
    size_t tokens = 0;

    if (text.len == 0)
        return diag_fail(diag, ERR_INVALID, "byte 0: the text is empty");
    if (text.len >= JSON_TEXT_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "%zu bytes of JSON, at most %zu are read at once",
                         text.len, JSON_TEXT_BYTES_MAX - 1);
    enum json_index_state state =
        FAULT_HERE() ? JSON_INDEX_NO_MEMORY
                     : json_index_make(parser->index, text.at, text.len, &w.place, &tokens);
    if (state != JSON_INDEX_READY)
        return index_fail(state, text, diag);
    TRY(tables_reach(parser, tokens, diag));
    w.place_end = w.place + tokens;
    w.nodes = parser->nodes;
    if (!walk(&w))
        return blame_fail(&blame, diag);
    assert(w.node_count <= parser->node_capacity && w.nodes[0].size == w.node_count);
    *out = (struct json_doc){.text = text, .nodes = w.nodes, .node_count = w.node_count};
    return OK;
}

result json_parse_copy(struct json_parser *parser, slice text, struct json_doc *out,
                       struct diag *diag)
{
    if (text.len >= JSON_TEXT_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "%zu bytes of JSON, at most %zu are read at once",
                         text.len, JSON_TEXT_BYTES_MAX - 1);
    buf_reset(&parser->copy);
    char *copy = buf_reserve(&parser->copy, text.len + JSON_PADDING);
    if (copy == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu bytes of JSON", text.len);
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    memset(copy + text.len, 0, JSON_PADDING);
    return json_parse(parser, slice_of(copy, text.len), out, diag);
}
