#include "taxii/server.h"

#include "base/banned.h"

/* A walk over the bytes that knows strings and nesting and no more: it keeps a count where a
 * parser would keep a stack, so that depth costs nothing.  What is inside the objects is for the
 * import to judge, object by object. */
struct walk {
    slice text;
    size_t at;
    struct diag *diag;
};

static result broken(struct walk *walk, const char *expected)
{
    if (walk->at >= walk->text.len)
        return diag_fail(walk->diag, ERR_INVALID, "the body ends early: expected %s", expected);
    return diag_fail(walk->diag, ERR_INVALID, "byte %zu: expected %s", walk->at, expected);
}

static char peek(struct walk *walk)
{
    while (walk->at < walk->text.len) {
        char byte = walk->text.at[walk->at];

        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return byte;
        walk->at++;
    }
    return '\0';
}

static bool take(struct walk *walk, char byte)
{
    if (peek(walk) != byte)
        return false;
    walk->at++;
    return true;
}

/* From behind the opening quote to behind the closing one. */
static result string_pass(struct walk *walk, slice *inner)
{
    size_t from = walk->at;

    for (; walk->at < walk->text.len; walk->at++) {
        char byte = walk->text.at[walk->at];

        if (byte == '\\') {
            walk->at++;
        } else if (byte == '"') {
            *inner = slice_of(walk->text.at + from, walk->at - from);
            walk->at++;
            return OK;
        }
    }
    return broken(walk, "the end of a string");
}

/* A value of any kind.  A scalar is what stands before the next separator. */
static result value_pass(struct walk *walk)
{
    size_t depth = 0;
    slice inner;

    if (peek(walk) == '\0' || peek(walk) == ',' || peek(walk) == ']' || peek(walk) == '}')
        return broken(walk, "a value");
    while (walk->at < walk->text.len) {
        char byte = walk->text.at[walk->at];

        if (depth == 0 && (byte == ',' || byte == ']' || byte == '}'))
            return OK;
        walk->at++;
        if (byte == '"')
            TRY(string_pass(walk, &inner));
        else if (byte == '{' || byte == '[')
            depth++;
        else if (byte == '}' || byte == ']')
            depth--;
    }
    return depth == 0 ? OK : broken(walk, "the end of a value");
}

static result array_pass(struct walk *walk, uint64_t *count)
{
    if (!take(walk, '['))
        return broken(walk, "an array behind \"objects\"");
    if (take(walk, ']'))
        return OK;
    do {
        TRY(value_pass(walk));
        ++*count;
    } while (take(walk, ','));
    return take(walk, ']') ? OK : broken(walk, "\",\" or \"]\"");
}

static result member_pass(struct walk *walk, bool *has_objects, uint64_t *count)
{
    slice key;

    if (!take(walk, '"'))
        return broken(walk, "a key in quotes");
    TRY(string_pass(walk, &key));
    if (!take(walk, ':'))
        return broken(walk, "\":\"");
    if (!slice_eq(key, SLICE("objects")))
        return value_pass(walk);
    if (*has_objects)
        return diag_fail(walk->diag, ERR_INVALID, "the envelope holds \"objects\" twice");
    *has_objects = true;
    return array_pass(walk, count);
}

result envelope_measure(slice json, uint64_t *object_count, struct diag *diag)
{
    struct walk walk = {.text = json, .diag = diag};
    bool has_objects = false;

    *object_count = 0;
    if (peek(&walk) == '\0' && walk.at == json.len)
        return diag_fail(diag, ERR_INVALID, "the body is empty; an envelope was expected");
    if (!take(&walk, '{'))
        return broken(&walk, "a TAXII envelope, {\"objects\": [...]}");
    if (peek(&walk) != '}') {
        do
            TRY(member_pass(&walk, &has_objects, object_count));
        while (take(&walk, ','));
    }
    if (!take(&walk, '}'))
        return broken(&walk, "\",\" or \"}\"");
    if (peek(&walk) != '\0' || walk.at != json.len)
        return broken(&walk, "nothing behind the envelope");
    if (*object_count == 0)
        return diag_fail(diag, ERR_INVALID, "the envelope holds no objects");
    return OK;
}
