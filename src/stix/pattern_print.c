#include "stix/pattern_lex.h"

#include "base/encode.h"

#include "base/banned.h"

const char *pattern_op_name(enum pattern_op op)
{
    static const char *const names[] = {
        [PATTERN_EQ] = "=",
        [PATTERN_NE] = "!=",
        [PATTERN_LT] = "<",
        [PATTERN_LE] = "<=",
        [PATTERN_GT] = ">",
        [PATTERN_GE] = ">=",
        [PATTERN_IN] = "IN",
        [PATTERN_LIKE] = "LIKE",
        [PATTERN_MATCHES] = "MATCHES",
        [PATTERN_ISSUBSET] = "ISSUBSET",
        [PATTERN_ISSUPERSET] = "ISSUPERSET",
    };

    return names[op];
}

static void print_quoted(slice text, struct buf *out)
{
    buf_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\'' || text.at[i] == '\\')
            buf_byte(out, '\\');
        buf_byte(out, text.at[i]);
    }
    buf_byte(out, '\'');
}

static bool is_plain_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool needs_quotes(slice key)
{
    if (key.len == 0 || !is_plain_letter(key.at[0]))
        return true;
    for (size_t i = 0; i < key.len; i++)
        if (!is_plain_letter(key.at[i]) && !(key.at[i] >= '0' && key.at[i] <= '9'))
            return true;
    return pattern_is_keyword(key);
}

static void print_key(slice key, struct buf *out)
{
    if (needs_quotes(key))
        print_quoted(key, out);
    else
        buf_put(out, key);
}

void pattern_print_path(const struct pattern_path *path, struct buf *out)
{
    buf_put(out, path->type);
    for (size_t i = 0; i < path->step_count; i++) {
        const struct pattern_step *step = &path->steps[i];

        switch (step->kind) {
        case PATTERN_KEY:
            buf_byte(out, i == 0 ? ':' : '.');
            print_key(step->key, out);
            break;
        case PATTERN_INDEX:
            buf_printf(out, "[%lld]", (long long)step->index);
            break;
        case PATTERN_ANY:
            buf_put(out, SLICE("[*]"));
            break;
        }
    }
}

static void print_hex(slice bytes, struct buf *out)
{
    char *at = buf_reserve(out, bytes.len * 2);

    if (at == NULL)
        return;
    hex_encode(bytes, at);
    out->len += bytes.len * 2;
}

void pattern_print_literal(const struct pattern_literal *literal, struct buf *out)
{
    switch (literal->kind) {
    case PATTERN_STRING:
        print_quoted(literal->text, out);
        break;
    case PATTERN_INTEGER:
    case PATTERN_FLOAT:
    case PATTERN_BOOLEAN:
        buf_put(out, literal->text);
        break;
    case PATTERN_BINARY:
        buf_put(out, SLICE("b'"));
        base64_encode(out, literal->text);
        buf_byte(out, '\'');
        break;
    case PATTERN_HEX:
        buf_put(out, SLICE("h'"));
        print_hex(literal->text, out);
        buf_byte(out, '\'');
        break;
    case PATTERN_TIMESTAMP:
        buf_printf(out, "t'%.*s'", SLICE_ARG(literal->text));
        break;
    }
}

static void print_set(const struct pattern_node *node, struct buf *out)
{
    buf_byte(out, '(');
    for (size_t i = 0; i < node->literal_count; i++) {
        if (i > 0)
            buf_put(out, SLICE(", "));
        pattern_print_literal(&node->literals[i], out);
    }
    buf_byte(out, ')');
}

void pattern_print_node(const struct pattern_node *node, struct buf *out)
{
    if (node->kind == PATTERN_EXISTS) {
        buf_put(out, node->negated ? SLICE("NOT EXISTS ") : SLICE("EXISTS "));
        pattern_print_path(&node->path, out);
        return;
    }
    pattern_print_path(&node->path, out);
    buf_printf(out, "%s %s ", node->negated ? " NOT" : "", pattern_op_name(node->op));
    if (node->op == PATTERN_IN)
        print_set(node, out);
    else
        pattern_print_literal(&node->literals[0], out);
}

static void print_qualifier(const struct pattern_node *node, struct buf *out)
{
    char start[TIMESTAMP_TEXT_BYTES_MAX], stop[TIMESTAMP_TEXT_BYTES_MAX];

    if (node->kind == PATTERN_WITHIN) {
        buf_printf(out, " WITHIN %.*s SECONDS", SLICE_ARG(node->seconds));
    } else if (node->kind == PATTERN_REPEATS) {
        buf_printf(out, " REPEATS %llu TIMES", (unsigned long long)node->repeats);
    } else {
        size_t start_bytes = timestamp_format(&node->start, start);
        size_t stop_bytes = timestamp_format(&node->stop, stop);

        buf_printf(out, " START t'%.*s' STOP t'%.*s'", (int)start_bytes, start, (int)stop_bytes,
                   stop);
    }
}

/* How tightly a node binds: a child that binds less tightly than its parent asks needs parentheses.
 */
static unsigned strength(enum pattern_node_kind kind)
{
    switch (kind) {
    case PATTERN_FOLLOWEDBY:
        return 1;
    case PATTERN_OBS_OR:
    case PATTERN_OR:
        return 2;
    case PATTERN_OBS_AND:
    case PATTERN_AND:
        return 3;
    case PATTERN_WITHIN:
    case PATTERN_REPEATS:
    case PATTERN_START_STOP:
        return 4;
    case PATTERN_OBSERVATION:
    case PATTERN_COMPARE:
    case PATTERN_EXISTS:
        break;
    }
    return 5;
}

static bool is_qualifier(enum pattern_node_kind kind)
{
    return kind == PATTERN_WITHIN || kind == PATTERN_REPEATS || kind == PATTERN_START_STOP;
}

/* A qualifier behind one of its own type wants a closing parenthesis between them. */
static bool repeats_qualifier(const struct pattern *pattern, const struct pattern_node *node)
{
    const struct pattern_node *below = &pattern->nodes[node->left];

    for (; is_qualifier(below->kind); below = &pattern->nodes[below->left])
        if (below->kind == node->kind)
            return true;
    return false;
}

static slice join_word(enum pattern_node_kind kind)
{
    if (kind == PATTERN_FOLLOWEDBY)
        return SLICE(" FOLLOWEDBY ");
    return kind == PATTERN_OR || kind == PATTERN_OBS_OR ? SLICE(" OR ") : SLICE(" AND ");
}

/* A print in progress: nodes are visited with a stack of their own, each up to three times (before,
 * between and behind its children). */
struct visit {
    uint32_t node;
    uint8_t stage;
    bool in_parens;
};

struct printing {
    const struct pattern *pattern;
    struct buf *out;
    struct visit *stack; /* owned */
    size_t count, capacity;
};

static void visit_push(struct printing *printing, uint32_t node, bool in_parens)
{
    struct visit *grown =
        (struct visit *)table_grow(printing->stack, &printing->capacity, printing->count + 1,
                                   PATTERN_NODES_MAX, sizeof(*printing->stack));

    if (grown == NULL) {
        printing->out->overflowed = true;
        return;
    }
    printing->stack = grown;
    printing->stack[printing->count++] = (struct visit){.node = node, .in_parens = in_parens};
    if (in_parens)
        buf_byte(printing->out, '(');
}

static void visit_end(struct printing *printing)
{
    if (printing->stack[--printing->count].in_parens)
        buf_byte(printing->out, ')');
}

static void step_join(struct printing *printing, const struct pattern_node *node, unsigned stage)
{
    const struct pattern_node *nodes = printing->pattern->nodes;

    if (stage == 0) {
        visit_push(printing, node->left, strength(nodes[node->left].kind) < strength(node->kind));
    } else if (stage == 1) {
        buf_put(printing->out, join_word(node->kind));
        visit_push(printing, node->right,
                   strength(nodes[node->right].kind) <= strength(node->kind));
    } else {
        visit_end(printing);
    }
}

static void step_above_one(struct printing *printing, const struct pattern_node *node,
                           unsigned stage)
{
    const struct pattern_node *below = &printing->pattern->nodes[node->left];

    if (node->kind == PATTERN_OBSERVATION) {
        buf_byte(printing->out, stage == 0 ? '[' : ']');
        if (stage == 0)
            visit_push(printing, node->left, false);
    } else if (stage == 0) {
        visit_push(printing, node->left,
                   strength(below->kind) < 4 || repeats_qualifier(printing->pattern, node));
    } else {
        print_qualifier(node, printing->out);
    }
    if (stage == 1)
        visit_end(printing);
}

void pattern_print(const struct pattern *pattern, struct buf *out)
{
    struct printing printing = {.pattern = pattern, .out = out};

    visit_push(&printing, (uint32_t)pattern->node_count - 1, false);
    while (printing.count > 0 && !out->overflowed) {
        struct visit *top = &printing.stack[printing.count - 1];
        const struct pattern_node *node = &pattern->nodes[top->node];
        unsigned stage = top->stage++; /* before the stack moves */

        if (node->kind == PATTERN_COMPARE || node->kind == PATTERN_EXISTS) {
            pattern_print_node(node, out);
            visit_end(&printing);
        } else if (node->kind == PATTERN_OBSERVATION || is_qualifier(node->kind)) {
            step_above_one(&printing, node, stage);
        } else {
            step_join(&printing, node, stage);
        }
    }
    table_free(printing.stack);
}
