#include "stix/pattern_lex.h"

#include <stdio.h>

#include "base/banned.h"

/* The tree is built from the bottom up with two stacks and no recursion: complete operands
 * (positions of nodes) and the operators and openings that wait for more.  A node is written when
 * its last child is known, so children always stand before their parents. */

enum pending_kind {
    OPEN_GROUP,   /* "(" around observation expressions */
    OPEN_BRACKET, /* "[" */
    OPEN_PAREN,   /* "(" around comparison expressions */
    /* from loose to tight: FOLLOWEDBY, OR, AND (STIX 2.1, 9.5.3) */
    WAIT_FOLLOWEDBY,
    WAIT_OBS_OR,
    WAIT_OBS_AND,
    WAIT_OR,
    WAIT_AND,
};

#define QUALIFIERS_NONE 0u

struct parser {
    struct pattern_lexer lexer;
    struct pattern_token token; /* the next one */
    uint32_t behind;            /* end of the token before */
    enum stix_spec spec;
    struct arena *arena;
    struct pattern_error *error;
    struct diag *diag;
    struct pattern_node *nodes;
    size_t node_count, node_capacity;
    uint32_t *operands;
    size_t operand_count, operand_capacity;
    uint8_t *pending; /* enum pending_kind */
    size_t pending_count, pending_capacity;
    unsigned depth; /* openings in pending */
    bool is_inside; /* between "[" and "]" */
    bool is_group;  /* the operand just finished ended with ")" */
    unsigned qualifiers;
    bool is_impossible;
};

/* Room for one more element: the same table, or a copy of twice the size.  Old copies stay in the
 * arena, at most as much again as the table itself. */
static void *room(struct parser *p, void *table, size_t count, size_t *capacity, size_t bytes)
{
    size_t grown = *capacity == 0 ? 2 : *capacity * 2;
    void *moved;

    if (count < *capacity)
        return table;
    moved = arena_alloc(p->arena, grown, bytes, alignof(max_align_t));
    if (moved == NULL)
        return NULL;
    if (count > 0)
        memcpy(moved, table, count * bytes);
    *capacity = grown;
    return moved;
}

static result no_room(struct parser *p)
{
    return diag_fail(p->diag, ERR_LIMIT, "pattern: takes more than %zu bytes of memory",
                     p->arena->budget_bytes);
}

/* ---- what is wrong, and where ---- */

void pattern_locate(slice text, uint32_t at, struct pattern_error *error)
{
    error->at = at;
    error->line = 1;
    error->column = 1;
    for (uint32_t i = 0; i < at && i < text.len; i++) {
        if (text.at[i] == '\n') {
            error->line++;
            error->column = 1;
        } else if (((uint8_t)text.at[i] & 0xC0) != 0x80) {
            error->column++;
        }
    }
}

static result wrong(struct parser *p, uint32_t at, slice found, const char *expected)
{
    struct pattern_error here = {0};

    pattern_locate(p->lexer.text, at, &here);
    (void)snprintf(here.expected, sizeof(here.expected), "%s", expected);
    if (p->error != NULL)
        *p->error = here;
    if (found.len == 0)
        return diag_fail(p->diag, ERR_INVALID,
                         "line %u, column %u: expected %s, found the end of the pattern", here.line,
                         here.column, expected);
    return diag_fail(p->diag, ERR_INVALID, "line %u, column %u: expected %s, found \"%.*s\"",
                     here.line, here.column, expected, SLICE_ARG(found));
}

/* At most 24 bytes of the text from `at`, not cut inside a character. */
static slice excerpt(const struct parser *p, uint32_t at, size_t len)
{
    slice rest = slice_from(p->lexer.text, at);
    size_t most = len < 24 ? len : 24;

    while (most < rest.len && most > 0 && ((uint8_t)rest.at[most] & 0xC0) == 0x80)
        most--;
    return slice_head(rest, most);
}

/* The next token is not what must stand here. */
static result unexpected(struct parser *p, const char *expected)
{
    uint32_t at = p->token.at;

    if (p->token.kind != TOKEN_BAD)
        return wrong(p, at, excerpt(p, at, p->token.len), expected);
    if (p->lexer.expected == NULL)
        return wrong(p, at, excerpt(p, at, 1), expected);
    at = p->lexer.bad_at;
    return wrong(p, at, excerpt(p, at, 24), p->lexer.expected);
}

static void advance(struct parser *p)
{
    p->behind = p->token.at + p->token.len;
    p->token = pattern_lex(&p->lexer);
}

static result expect(struct parser *p, enum pattern_token_kind kind, const char *expected)
{
    if (p->token.kind != kind)
        return unexpected(p, expected);
    advance(p);
    return OK;
}

/* ---- nodes ---- */

static result node_push(struct parser *p, const struct pattern_node *node)
{
    if (p->node_count >= PATTERN_NODES_MAX)
        return diag_fail(p->diag, ERR_LIMIT, "pattern: has more than %u parts", PATTERN_NODES_MAX);
    p->nodes = (struct pattern_node *)room(p, p->nodes, p->node_count, &p->node_capacity,
                                           sizeof(*p->nodes));
    p->operands = (uint32_t *)room(p, p->operands, p->operand_count, &p->operand_capacity,
                                   sizeof(*p->operands));
    if (p->nodes == NULL || p->operands == NULL)
        return no_room(p);
    p->nodes[p->node_count] = *node;
    p->operands[p->operand_count++] = (uint32_t)p->node_count++;
    return OK;
}

/* Takes the operand on top off; its node's position. */
static uint32_t operand_pop(struct parser *p)
{
    return p->operands[--p->operand_count];
}

static result pending_push(struct parser *p, enum pending_kind kind)
{
    p->pending =
        (uint8_t *)room(p, p->pending, p->pending_count, &p->pending_capacity, sizeof(*p->pending));
    if (p->pending == NULL)
        return no_room(p);
    p->pending[p->pending_count++] = (uint8_t)kind;
    return OK;
}

static result open_push(struct parser *p, enum pending_kind kind)
{
    if (++p->depth > PATTERN_DEPTH_MAX)
        return diag_fail(p->diag, ERR_LIMIT, "pattern: parentheses more than %d deep",
                         PATTERN_DEPTH_MAX);
    TRY(pending_push(p, kind));
    advance(p);
    return OK;
}

/* Joins operands while the operator that waits on top binds at least as tightly as `kind`. */
static result reduce(struct parser *p, enum pending_kind kind)
{
    static const enum pattern_node_kind joins[] = {
        [WAIT_FOLLOWEDBY] = PATTERN_FOLLOWEDBY,
        [WAIT_OBS_OR] = PATTERN_OBS_OR,
        [WAIT_OBS_AND] = PATTERN_OBS_AND,
        [WAIT_OR] = PATTERN_OR,
        [WAIT_AND] = PATTERN_AND,
    };

    while (p->pending_count > 0 && p->pending[p->pending_count - 1] >= kind) {
        struct pattern_node node = {.kind = joins[p->pending[--p->pending_count]]};

        node.right = operand_pop(p);
        node.left = operand_pop(p);
        node.at = p->nodes[node.left].at;
        node.len = p->nodes[node.right].at + p->nodes[node.right].len - node.at;
        TRY(node_push(p, &node));
    }
    return OK;
}

static result operator_push(struct parser *p, enum pending_kind kind)
{
    TRY(reduce(p, kind));
    TRY(pending_push(p, kind));
    advance(p);
    return OK;
}

/* Everything back to the opening `kind`, and the opening too; false when another one is open. */
static result close(struct parser *p, enum pending_kind kind, const char *expected)
{
    TRY(reduce(p, WAIT_FOLLOWEDBY));
    if (p->pending_count == 0 || p->pending[p->pending_count - 1] != kind)
        return unexpected(p, expected);
    p->pending_count--;
    p->depth--;
    advance(p);
    return OK;
}

/* ---- comparison expressions ---- */

static result literal_read(struct parser *p, struct pattern_literal *out)
{
    if (!pattern_literal_read(p->lexer.text, &p->token, p->arena, out))
        return no_room(p);
    p->is_impossible |= out->is_impossible;
    advance(p);
    return OK;
}

static bool is_literal(enum pattern_token_kind kind)
{
    return (kind >= TOKEN_INTEGER && kind <= TOKEN_TIMESTAMP) || kind == TOKEN_TRUE ||
           kind == TOKEN_FALSE;
}

/* ".key", ".'key'", "[3]", "[*]" */
static result step_read(struct parser *p, struct pattern_step *out)
{
    struct pattern_literal literal;

    *out = (struct pattern_step){.kind = PATTERN_KEY};
    if (p->token.kind == TOKEN_LBRACK) {
        advance(p);
        if (p->token.kind == TOKEN_STAR) {
            out->kind = PATTERN_ANY;
            advance(p);
        } else if (p->token.kind == TOKEN_INTEGER) {
            out->kind = PATTERN_INDEX;
            TRY(literal_read(p, &literal));
            out->index = literal.kind == PATTERN_INTEGER ? literal.integer : INT64_MAX;
        } else {
            return unexpected(p, "a list index or \"*\"");
        }
        return expect(p, TOKEN_RBRACK, "a closing \"]\" behind the list index");
    }
    advance(p); /* "." or ":" */
    if (p->token.kind == TOKEN_NAME) {
        out->key = slice_of(p->lexer.text.at + p->token.at, p->token.len);
        advance(p);
        return OK;
    }
    if (p->token.kind != TOKEN_STRING)
        return unexpected(p, p->token.kind == TOKEN_HYPHEN
                                 ? "a property name (in quotes when it has a \"-\": 'SHA-256')"
                                 : "a property name");
    TRY(literal_read(p, &literal));
    out->key = literal.text;
    return OK;
}

static result path_read(struct parser *p, struct pattern_path *out)
{
    uint32_t at = p->token.at;
    struct pattern_step *steps = NULL;
    size_t count = 0, capacity = 0;

    if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_HYPHEN)
        return unexpected(p, "an object path such as file:name");
    out->type = slice_of(p->lexer.text.at + at, p->token.len);
    advance(p);
    if (p->token.kind != TOKEN_COLON)
        return unexpected(p, "\":\" behind the object type");
    do {
        if (count >= PATTERN_STEPS_MAX)
            return diag_fail(p->diag, ERR_LIMIT, "pattern: an object path has more than %d steps",
                             PATTERN_STEPS_MAX);
        steps = (struct pattern_step *)room(p, steps, count, &capacity, sizeof(*steps));
        if (steps == NULL)
            return no_room(p);
        TRY(step_read(p, &steps[count++]));
    } while (p->token.kind == TOKEN_DOT || p->token.kind == TOKEN_LBRACK);
    out->steps = steps;
    out->step_count = count;
    out->text = slice_of(p->lexer.text.at + at, p->behind - at);
    return OK;
}

/* The values of a set are of one data type (STIX 2.1, 9.6.1); an integer and a float are two
 * spellings of a number.  Octets beside text is refused.  Numbers, booleans and strings side by
 * side are taken by the published grammar and parsers, so such a set is well-formed, and matches
 * nothing (9.4). */
enum set_kind { SET_NUMBER, SET_BOOLEAN, SET_STRING, SET_TIMESTAMP, SET_BINARY, SET_HEX };

static enum set_kind set_kind(enum pattern_literal_kind kind)
{
    static const enum set_kind kinds[] = {
        [PATTERN_STRING] = SET_STRING,       [PATTERN_INTEGER] = SET_NUMBER,
        [PATTERN_FLOAT] = SET_NUMBER,        [PATTERN_BOOLEAN] = SET_BOOLEAN,
        [PATTERN_BINARY] = SET_BINARY,       [PATTERN_HEX] = SET_HEX,
        [PATTERN_TIMESTAMP] = SET_TIMESTAMP,
    };

    return kinds[kind];
}

static result set_member_check(struct parser *p, const struct pattern_literal *literals,
                               size_t count, uint32_t at, uint32_t len)
{
    enum set_kind first = set_kind(literals[0].kind), last = set_kind(literals[count - 1].kind);

    if (first == last)
        return OK;
    if (first >= SET_TIMESTAMP || last >= SET_TIMESTAMP)
        return wrong(p, at, excerpt(p, at, len), "a value of the same type as the set's first");
    p->is_impossible = true;
    return OK;
}

static result set_read(struct parser *p, struct pattern_node *node)
{
    struct pattern_literal *literals = NULL;
    size_t count = 0, capacity = 0;

    TRY(expect(p, TOKEN_LPAREN, "\"(\" and a set of values"));
    if (p->token.kind != TOKEN_RPAREN) {
        for (;; advance(p)) {
            uint32_t at = p->token.at, len = p->token.len;

            if (!is_literal(p->token.kind))
                return unexpected(p, "a value");
            literals =
                (struct pattern_literal *)room(p, literals, count, &capacity, sizeof(*literals));
            if (literals == NULL)
                return no_room(p);
            TRY(literal_read(p, &literals[count++]));
            TRY(set_member_check(p, literals, count, at, len));
            if (p->token.kind != TOKEN_COMMA)
                break;
        }
    }
    node->literals = literals;
    node->literal_count = count;
    return expect(p, TOKEN_RPAREN, "\",\" or a closing \")\" of the set");
}

static result value_read(struct parser *p, struct pattern_node *node)
{
    struct pattern_literal *literal;

    if (node->op >= PATTERN_LIKE && p->token.kind != TOKEN_STRING)
        return unexpected(p, "a string in quotes");
    if (!is_literal(p->token.kind))
        return unexpected(p, "a value");
    if (node->op >= PATTERN_LT && node->op <= PATTERN_GE &&
        (p->token.kind == TOKEN_TRUE || p->token.kind == TOKEN_FALSE))
        return unexpected(p, "a value that has an order");
    literal = arena_new(p->arena, struct pattern_literal, 1);
    if (literal == NULL)
        return no_room(p);
    TRY(literal_read(p, literal));
    node->literals = literal;
    node->literal_count = 1;
    return OK;
}

static bool op_of(enum pattern_token_kind kind, enum pattern_op *out)
{
    static const struct {
        enum pattern_token_kind token;
        enum pattern_op op;
    } ops[] = {
        {TOKEN_EQ, PATTERN_EQ},
        {TOKEN_NE, PATTERN_NE},
        {TOKEN_IN, PATTERN_IN},
        {TOKEN_LIKE, PATTERN_LIKE},
        {TOKEN_LT, PATTERN_LT},
        {TOKEN_LE, PATTERN_LE},
        {TOKEN_GT, PATTERN_GT},
        {TOKEN_GE, PATTERN_GE},
        {TOKEN_MATCHES, PATTERN_MATCHES},
        {TOKEN_ISSUBSET, PATTERN_ISSUBSET},
        {TOKEN_ISSUPERSET, PATTERN_ISSUPERSET},
    };

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (ops[i].token == kind) {
            *out = ops[i].op;
            return true;
        }
    }
    return false;
}

static result comparison_read(struct parser *p, struct pattern_node *node)
{
    node->kind = PATTERN_COMPARE;
    TRY(path_read(p, &node->path));
    node->negated = p->token.kind == TOKEN_NOT;
    if (node->negated)
        advance(p);
    if (!op_of(p->token.kind, &node->op))
        return unexpected(p, node->negated ? "a comparison operator behind NOT"
                                           : "a comparison operator");
    advance(p);
    return node->op == PATTERN_IN ? set_read(p, node) : value_read(p, node);
}

/* EXISTS path, NOT EXISTS path, or a comparison. */
static result test_read(struct parser *p)
{
    struct pattern_node node = {.at = p->token.at};

    if (p->token.kind == TOKEN_NOT && p->spec == STIX_21) {
        advance(p);
        node.negated = true;
        if (p->token.kind != TOKEN_EXISTS)
            return unexpected(p, "EXISTS (NOT stands before the operator: file:size NOT = 1)");
    }
    if (p->token.kind == TOKEN_EXISTS) {
        if (p->spec == STIX_20)
            return unexpected(p, "an object path (EXISTS is of STIX 2.1)");
        advance(p);
        node.kind = PATTERN_EXISTS;
        TRY(path_read(p, &node.path));
    } else {
        TRY(comparison_read(p, &node));
    }
    node.len = p->behind - node.at;
    return node_push(p, &node);
}

/* ---- observation expressions ---- */

static result timestamp_read(struct parser *p, struct timestamp *out)
{
    struct pattern_literal literal;
    uint32_t at = p->token.at, len = p->token.len;
    bool is_text = p->token.kind == TOKEN_STRING && p->spec == STIX_20;

    if (p->token.kind != TOKEN_TIMESTAMP && !is_text)
        return unexpected(p, "a timestamp such as t'2014-01-13T07:03:17Z'");
    TRY(literal_read(p, &literal));
    if (is_text && !timestamp_parse(literal.text, &literal.timestamp))
        return wrong(p, at, excerpt(p, at, len), "a timestamp such as '2014-01-13T07:03:17Z'");
    *out = literal.timestamp;
    return OK;
}

static bool is_zero(slice digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (digits.at[i] != '0' && digits.at[i] != '.')
            return false;
    return true;
}

/* A number above zero: the whole of WITHIN's and REPEATS' value. */
static result positive_read(struct parser *p, bool may_be_float, slice *out)
{
    const char *expected =
        may_be_float ? "a number of seconds above zero" : "a whole number of times above zero";

    if (p->token.kind != TOKEN_INTEGER && !(may_be_float && p->token.kind == TOKEN_FLOAT))
        return unexpected(p, expected);
    *out = slice_of(p->lexer.text.at + p->token.at, p->token.len);
    if (out->at[0] == '-' || is_zero(*out))
        return unexpected(p, expected);
    advance(p);
    return OK;
}

/* One qualifier of a type is all an expression may have (STIX 2.1, 9.5.1); behind a group the
 * published validators take more.  REPEATS behind REPEATS multiplies in published patterns and
 * matchers, and is taken where nothing else depends on it: outside of parentheses. */
static bool may_repeat(const struct parser *p, enum pattern_node_kind kind)
{
    return p->spec == STIX_20 || p->is_group || (kind == PATTERN_REPEATS && p->depth == 0);
}

static result qualifier_read(struct parser *p)
{
    struct pattern_node node = {0};
    uint32_t at = p->token.at, len = p->token.len;
    unsigned bit;
    slice digits = SLICE_NONE;

    switch (p->token.kind) {
    case TOKEN_WITHIN:
        node.kind = PATTERN_WITHIN;
        advance(p);
        TRY(positive_read(p, true, &node.seconds));
        node.window = pattern_window_read(node.seconds);
        TRY(expect(p, TOKEN_SECONDS, "SECONDS"));
        break;
    case TOKEN_REPEATS:
        node.kind = PATTERN_REPEATS;
        advance(p);
        TRY(positive_read(p, false, &digits));
        if (!parse_u64(digits, &node.repeats))
            node.repeats = UINT64_MAX; /* more than there will ever be */
        TRY(expect(p, TOKEN_TIMES, "TIMES"));
        break;
    default:
        node.kind = PATTERN_START_STOP;
        advance(p);
        TRY(timestamp_read(p, &node.start));
        TRY(expect(p, TOKEN_STOP, "STOP"));
        TRY(timestamp_read(p, &node.stop));
        break;
    }
    bit = 1u << (node.kind - PATTERN_WITHIN);
    if (p->qualifiers & bit && !may_repeat(p, node.kind))
        return wrong(p, at, excerpt(p, at, len), "no second qualifier of one type");
    p->qualifiers |= bit;
    node.left = operand_pop(p);
    node.at = p->nodes[node.left].at;
    node.len = p->behind - node.at;
    return node_push(p, &node);
}

static result observation_end(struct parser *p)
{
    struct pattern_node node = {.kind = PATTERN_OBSERVATION};

    TRY(close(p, OPEN_BRACKET, "a closing \")\""));
    p->is_inside = false;
    p->is_group = false;
    p->qualifiers = QUALIFIERS_NONE;
    node.left = operand_pop(p);
    node.at = p->nodes[node.left].at;
    node.len = p->nodes[node.left].len;
    return node_push(p, &node);
}

static result group_end(struct parser *p)
{
    TRY(close(p, OPEN_GROUP, "an observation operator or the end"));
    p->is_group = true;
    p->qualifiers = QUALIFIERS_NONE;
    return OK;
}

/* ---- the whole ---- */

/* Openings, then one comparison. */
static result operand_read(struct parser *p)
{
    for (;;) {
        if (p->token.kind == TOKEN_LPAREN) {
            TRY(open_push(p, p->is_inside ? OPEN_PAREN : OPEN_GROUP));
        } else if (p->is_inside) {
            return test_read(p);
        } else if (p->token.kind == TOKEN_LBRACK) {
            TRY(open_push(p, OPEN_BRACKET));
            p->is_inside = true;
        } else {
            return unexpected(p, "\"[\" or \"(\"");
        }
    }
}

/* Behind a comparison: yields true when an operator asks for another operand. */
static result inside_read(struct parser *p, bool *more)
{
    switch (p->token.kind) {
    case TOKEN_AND:
        *more = true;
        return operator_push(p, WAIT_AND);
    case TOKEN_OR:
        *more = true;
        return operator_push(p, WAIT_OR);
    case TOKEN_RPAREN:
        return close(p, OPEN_PAREN, "AND, OR or a closing \"]\"");
    case TOKEN_RBRACK:
        return observation_end(p);
    default:
        return unexpected(p, "AND, OR or a closing \"]\"");
    }
}

static result outside_read(struct parser *p, bool *more, bool *ended)
{
    switch (p->token.kind) {
    case TOKEN_AND:
        *more = true;
        return operator_push(p, WAIT_OBS_AND);
    case TOKEN_OR:
        *more = true;
        return operator_push(p, WAIT_OBS_OR);
    case TOKEN_FOLLOWEDBY:
        *more = true;
        return operator_push(p, WAIT_FOLLOWEDBY);
    case TOKEN_WITHIN:
    case TOKEN_REPEATS:
    case TOKEN_START:
        return qualifier_read(p);
    case TOKEN_RPAREN:
        return group_end(p);
    case TOKEN_END:
        TRY(reduce(p, WAIT_FOLLOWEDBY));
        if (p->pending_count > 0)
            return unexpected(p, "a closing \")\"");
        *ended = true;
        return OK;
    default:
        return unexpected(p, "AND, OR, FOLLOWEDBY, a qualifier or the end");
    }
}

static result text_read(struct parser *p)
{
    bool ended = false;

    advance(p);
    while (!ended) {
        bool more = false;

        TRY(operand_read(p));
        while (!more && !ended) {
            if (p->is_inside)
                TRY(inside_read(p, &more));
            else
                TRY(outside_read(p, &more, &ended));
        }
    }
    return OK;
}

/* Where the first character stands that is not UTF-8. */
static uint32_t first_bad_utf8(slice text)
{
    uint32_t at = 0;

    while (at < text.len) {
        size_t bytes = 1;

        while (bytes < 4 && at + bytes < text.len && ((uint8_t)text.at[at + bytes] & 0xC0) == 0x80)
            bytes++;
        if (!utf8_valid(slice_of(text.at + at, bytes)))
            break;
        at += (uint32_t)bytes;
    }
    return at;
}

result pattern_parse(slice text, enum stix_spec spec, struct arena *arena, struct pattern *out,
                     struct pattern_error *error, struct diag *diag)
{
    struct parser p = {
        .lexer.text = text, .spec = spec, .arena = arena, .error = error, .diag = diag};

    if (text.len > PATTERN_BYTES_MAX)
        return diag_fail(diag, ERR_LIMIT, "pattern: has %zu bytes, one may have %u", text.len,
                         PATTERN_BYTES_MAX);
    if (!utf8_valid(text)) {
        uint32_t at = first_bad_utf8(text);

        return wrong(&p, at, excerpt(&p, at, 1), "UTF-8 text");
    }
    TRY(text_read(&p));
    *out = (struct pattern){.nodes = p.nodes,
                            .node_count = p.node_count,
                            .text = text,
                            .is_impossible = p.is_impossible};
    return OK;
}
