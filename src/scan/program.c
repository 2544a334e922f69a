#include "scan/program.h"

#include "base/encode.h"
#include "match/compare.h"
#include "match/like.h"
#include "match/normal.h"
#include "stix/pattern.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define PROGRAM_BYTES_MAX ((size_t)256 << 20)
#define NUMBER_BYTES_MAX 400
#define WORD_BITS 64

/* How a value stands to a constant. */
enum standing { APART, LESS, EQUAL, GREATER };

static enum standing standing_of(int order)
{
    return order < 0 ? LESS : order > 0 ? GREATER : EQUAL;
}

result program_open(struct program *program, const struct ruleset *set, struct diag *diag)
{
    *program = (struct program){.set = set, .arena = ARENA(PROGRAM_BYTES_MAX)};
    program->regexes =
        (struct regex *)table_grow(NULL, &program->regex_capacity, set->regex_count + 1,
                                   set->regex_count + 1, sizeof(*program->regexes));
    if (program->regexes == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for %zu expressions", set->regex_count);
    memset(program->regexes, 0, (set->regex_count + 1) * sizeof(*program->regexes));
    return OK;
}

void program_close(struct program *program)
{
    for (size_t i = 0; program->regexes != NULL && i < program->set->regex_count; i++)
        regex_free(&program->regexes[i]);
    table_free(program->regexes);
    table_free(program->paths);
    table_free(program->used);
    arena_free(&program->arena);
    *program = (struct program){0};
}

bool program_begin(struct program *program, const struct telemetry_event *event)
{
    size_t need = event->count + 1;

    program->event = event;
    if (need > program->capacity) {
        uint32_t *paths = (uint32_t *)table_grow(program->paths, &program->capacity, need,
                                                 TELEMETRY_OBSERVABLES_MAX + 1, sizeof(*paths));
        program->paths = paths != NULL ? paths : program->paths;
        if (paths == NULL)
            return false;
    }
    if (need > program->used_capacity) {
        uint8_t *used = (uint8_t *)table_grow(program->used, &program->used_capacity, need,
                                              TELEMETRY_OBSERVABLES_MAX + 1, sizeof(*used));
        program->used = used != NULL ? used : program->used;
        if (used == NULL)
            return false;
    }
    return true;
}

/* ---- one value, one constant ---- */

static slice literal_slice(const struct program *program, const struct literal_record *literal)
{
    return image_slice(program->set, literal->text, literal->len);
}

static bool is_below(slice name, slice above)
{
    return name.len > above.len && slice_ends(name, above) &&
           name.at[name.len - above.len - 1] == '.';
}

static enum standing double_standing(double a, double b)
{
    return a < b ? LESS : a > b ? GREATER : a == b ? EQUAL : APART;
}

/* Without loss: past 2^53 a double would swallow the difference. */
static enum standing integer_standing(int64_t a, double b)
{
    double whole = floor(b);

    if (b >= 9223372036854775808.0)
        return LESS;
    if (b < -9223372036854775808.0)
        return GREATER;
    if (a != (int64_t)whole)
        return a < (int64_t)whole ? LESS : GREATER;
    return b > whole ? LESS : EQUAL;
}

static enum standing turned(enum standing standing)
{
    return standing == LESS ? GREATER : standing == GREATER ? LESS : standing;
}

/* A number as JSON writes it; strtod alone would take "nan", "0x1" and blanks. */
static bool number_read(slice value, double *out)
{
    char text[NUMBER_BYTES_MAX];
    char *end;

    if (value.len == 0 || value.len >= sizeof(text))
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] == '\0' || strchr("0123456789+-.eE", value.at[i]) == NULL)
            return false;
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
    *out = strtod(text, &end); /* tidy: the loop above made sure of its form */
    return *end == '\0';
}

static enum standing number_standing(slice value, const struct literal_record *literal)
{
    int64_t integer;
    double real;

    if (parse_i64(value, &integer)) {
        if (literal->is_integer)
            return integer < literal->integer ? LESS : integer > literal->integer ? GREATER : EQUAL;
        return integer_standing(integer, literal->real);
    }
    if (!number_read(value, &real))
        return APART;
    return literal->is_integer ? turned(integer_standing(literal->integer, real))
                               : double_standing(real, literal->real);
}

/* The bytes a value stands for; false when it stands for none. */
static bool value_octets(struct program *program, const struct node_record *node, slice value,
                         slice *out)
{
    slice path = image_slice(program->set, image_paths(program->set)[node->path].text,
                             image_paths(program->set)[node->path].len);
    char *room;

    if (!(node->flags & NODE_OCTET_PATH))
        return text_octets(value, &program->arena, out);
    if (slice_ends(path, SLICE("_bin"))) {
        CLEANUP(buf_free) struct buf bytes = BUF(TELEMETRY_LINE_BYTES_MAX);

        if (!base64_decode(&bytes, value) || bytes.overflowed)
            return false;
        *out = arena_copy(&program->arena, buf_slice(&bytes));
        return true;
    }
    room = arena_new(&program->arena, char, value.len / 2 + 1);
    if (room == NULL || value.len % 2 != 0 || !hex_decode(value, (uint8_t *)room, value.len / 2))
        return false;
    *out = slice_of(room, value.len / 2);
    return true;
}

static enum standing time_standing(slice value, const struct literal_record *literal)
{
    struct timestamp constant = {.us = literal->integer, .rest = literal->rest}, time;

    return timestamp_parse(value, &time) ? standing_of(timestamp_cmp(&time, &constant)) : APART;
}

static enum standing value_standing(struct program *program, const struct node_record *node,
                                    const struct literal_record *literal, slice value)
{
    slice text = literal_slice(program, literal), octets;

    if (literal->is_impossible)
        return APART;
    switch ((enum node_kind)node->kind) {
    case NODE_TEXT:
        if (literal->has_subdomains && is_below(value, text))
            return EQUAL;
        return standing_of(slice_cmp(value, text));
    case NODE_NUMBER:
        return number_standing(value, literal);
    case NODE_BOOLEAN:
        if (!slice_eq(value, SLICE("true")) && !slice_eq(value, SLICE("false")))
            return APART;
        return slice_eq(value, SLICE("true")) == literal->boolean ? EQUAL : LESS;
    case NODE_OCTETS:
        return value_octets(program, node, value, &octets) ? standing_of(slice_cmp(octets, text))
                                                           : APART;
    case NODE_TIME:
        return time_standing(value, literal);
    case NODE_AND:
    case NODE_OR:
    case NODE_EXISTS:
    case NODE_LIKE:
    case NODE_MATCHES:
    case NODE_NETWORK:
    case NODE_NEVER:
        break;
    }
    return APART;
}

/* ---- operators ---- */

static bool value_like(struct program *program, const struct node_record *node, slice value)
{
    const struct literal_record *literal = &image_literals(program->set)[node->left];
    bool is_octets = node->flags & NODE_OCTET_PATH;
    slice subject, pattern = literal_slice(program, literal);

    if (!is_octets)
        subject = text_normal(value, &program->arena);
    else if (!value_octets(program, node, value, &subject) ||
             !text_octets(pattern, &program->arena, &pattern))
        return false;
    return subject.at != NULL && like_matches(pattern, subject, is_octets);
}

/* Names and hashes have no case, so expressions on them have none either. */
static bool regex_ready(struct program *program, const struct node_record *node,
                        const struct literal_record *literal, struct regex *regex)
{
    slice expression = literal_slice(program, literal);
    bool is_octets = node->flags & NODE_OCTET_PATH;

    if (regex->code != NULL)
        return true;
    if (is_octets && node->path != NONE && !text_octets(expression, &program->arena, &expression))
        return false;
    if (node->flags & NODE_NOCASE) {
        char *text = arena_new(&program->arena, char, expression.len + 4);

        if (text == NULL)
            return false;
        memcpy(text, "(?i)", 4);
        memcpy(text + 4, expression.at, expression.len);
        expression = slice_of(text, expression.len + 4);
    }
    return succeeded(regex_compile(expression, is_octets, regex, NULL));
}

static bool value_matches(struct program *program, const struct node_record *node, slice value,
                          bool *gave_up)
{
    const struct literal_record *literal = &image_literals(program->set)[node->left];
    struct regex *regex = &program->regexes[literal->integer];
    slice subject;
    enum regex_answer answer;

    if (!regex_ready(program, node, literal, regex))
        return false;
    if (node->path == NONE)
        subject = value;
    else if (!(node->flags & NODE_OCTET_PATH))
        subject = text_normal(value, &program->arena);
    else if (!value_octets(program, node, value, &subject))
        return false;
    if (subject.at == NULL)
        return false;
    answer = regex_search(regex, subject);
    *gave_up = answer == REGEX_GAVE_UP;
    program->gave_up += *gave_up;
    return answer == REGEX_YES;
}

static bool value_contained(struct program *program, const struct node_record *node, slice value)
{
    const struct literal_record *literal = &image_literals(program->set)[node->left];
    struct network inner, constant;

    if (!network_parse(value, &inner) || !network_parse(literal_slice(program, literal), &constant))
        return false;
    return node->op == PATTERN_ISSUBSET ? network_contains(&constant, &inner)
                                        : network_contains(&inner, &constant);
}

static bool value_in(struct program *program, const struct node_record *node, slice value)
{
    for (uint32_t i = 0; i < node->right; i++)
        if (value_standing(program, node, &image_literals(program->set)[node->left + i], value) ==
            EQUAL)
            return true;
    return false;
}

/* Values that cannot be compared: false, and true for != alone (STIX 2.1, 9.6.1). */
static bool value_holds(struct program *program, const struct node_record *node, slice value,
                        bool *gave_up)
{
    enum standing standing = APART;

    if (node->op <= PATTERN_GE)
        standing = value_standing(program, node, &image_literals(program->set)[node->left], value);
    switch ((enum pattern_op)node->op) {
    case PATTERN_EQ:
        return standing == EQUAL;
    case PATTERN_NE:
        return standing != EQUAL;
    case PATTERN_LT:
        return standing == LESS;
    case PATTERN_LE:
        return standing == LESS || standing == EQUAL;
    case PATTERN_GT:
        return standing == GREATER;
    case PATTERN_GE:
        return standing == GREATER || standing == EQUAL;
    case PATTERN_IN:
        return value_in(program, node, value);
    case PATTERN_LIKE:
        return value_like(program, node, value);
    case PATTERN_MATCHES:
        return value_matches(program, node, value, gave_up);
    case PATTERN_ISSUBSET:
    case PATTERN_ISSUPERSET:
        return value_contained(program, node, value);
    }
    return false;
}

/* ---- nodes: each the set of objects it is true of ---- */

struct run {
    struct program *program;
    uint64_t *sets; /* node by word */
    size_t words;
};

static uint64_t *set_of(const struct run *run, uint32_t node)
{
    return run->sets + node * run->words;
}

static void object_add(const struct run *run, uint32_t node, uint32_t object)
{
    set_of(run, node)[object / WORD_BITS] |= (uint64_t)1 << object % WORD_BITS;
}

/* What "..._ref" leads to, by the form of its value. */
static slice reference_type(slice value)
{
    struct network network;

    if (network_parse(value, &network))
        return network.address_bits == 32 ? SLICE("ipv4-addr") : SLICE("ipv6-addr");
    return slice_find_byte(value, '@') != SIZE_MAX ? SLICE("email-addr") : SLICE("domain-name");
}

static void comparison_run(struct run *run, uint32_t position, const struct node_record *node)
{
    struct program *program = run->program;
    const struct path_record *path = &image_paths(program->set)[node->path];
    const struct telemetry_event *event = program->event;

    for (size_t i = 0; i < event->count; i++) {
        bool gave_up = false;
        slice value = event->observables[i].value;

        if (program->paths[i] != path->value_path)
            continue;
        if (path->class == PATH_REFERENCE_TYPE)
            value = reference_type(value);
        bool holds = value_holds(program, node, value, &gave_up);
        if (gave_up || holds == (bool)node->negated)
            continue;
        program->used[i] = 1;
        object_add(run, position, event->observables[i].object);
    }
}

/* Is there a value at the path, or below it?  Telemetry's paths have list steps. */
static bool leads_to(slice path, slice observed)
{
    size_t i = 0, j = 0;

    while (i < path.len && j < observed.len) {
        if (observed.at[j] == '[' && path.at[i] != '[') {
            size_t close = slice_find_byte(slice_from(observed, j), ']');

            if (close == SIZE_MAX)
                return false;
            j += close + 1;
            continue;
        }
        if (path.at[i++] != observed.at[j++])
            return false;
    }
    return i == path.len && (j >= observed.len || observed.at[j] == '.' || observed.at[j] == '[');
}

static void exists_run(struct run *run, uint32_t position, const struct node_record *node)
{
    struct program *program = run->program;
    const struct path_record *asked = &image_paths(program->set)[node->path];
    /* There is a type where there is a value. */
    const struct path_record *record = &image_paths(program->set)[asked->value_path];
    slice path = image_slice(program->set, record->text, record->len);
    slice type = slice_head(path, (size_t)record->type_len + 1); /* with ":" */
    const struct telemetry_event *event = program->event;

    for (size_t i = 0; node->negated && i < event->count; i++)
        if (slice_starts(event->observables[i].path, type))
            object_add(run, position, event->observables[i].object);
    for (size_t i = 0; i < event->count; i++) {
        uint32_t object = event->observables[i].object;

        if (!leads_to(path, event->observables[i].path))
            continue;
        if (node->negated) {
            set_of(run, position)[object / WORD_BITS] &= ~((uint64_t)1 << object % WORD_BITS);
        } else {
            object_add(run, position, object);
            program->used[i] = 1;
        }
    }
}

static void line_run(struct run *run, const struct node_record *node)
{
    bool gave_up = false;

    if (value_matches(run->program, node, run->program->event->line, &gave_up))
        object_add(run, 0, 0);
}

static void join_run(struct run *run, uint32_t position, const struct node_record *node)
{
    const uint64_t *left = set_of(run, node->left), *right = set_of(run, node->right);
    uint64_t *out = set_of(run, position);

    for (size_t i = 0; i < run->words; i++)
        out[i] = node->kind == NODE_AND ? left[i] & right[i] : left[i] | right[i];
}

static void node_run(struct run *run, uint32_t position, const struct node_record *node)
{
    switch ((enum node_kind)node->kind) {
    case NODE_AND:
    case NODE_OR:
        join_run(run, position, node);
        return;
    case NODE_EXISTS:
        exists_run(run, position, node);
        return;
    case NODE_TEXT:
    case NODE_NUMBER:
    case NODE_BOOLEAN:
    case NODE_OCTETS:
    case NODE_TIME:
    case NODE_LIKE:
    case NODE_MATCHES:
    case NODE_NETWORK:
    case NODE_NEVER:
        break;
    }
    if (node->path == NONE)
        line_run(run, node);
    else
        comparison_run(run, position, node);
}

bool program_run(struct program *program, const struct part_record *part, bool *out)
{
    const struct telemetry_event *event = program->event;
    struct run run = {.program = program};
    uint32_t objects = 0;

    arena_reset(&program->arena);
    for (size_t i = 0; i < event->count; i++)
        if (event->observables[i].object >= objects)
            objects = event->observables[i].object + 1;
    run.words = objects / WORD_BITS + 1;
    run.sets = arena_new(&program->arena, uint64_t, run.words * part->count);
    if (run.sets == NULL)
        return false;
    memset(program->used, 0, event->count);
    for (uint32_t i = 0; i < part->count; i++)
        node_run(&run, i, &image_nodes(program->set)[part->first + i]);
    *out = false;
    for (size_t i = 0; i < run.words; i++)
        *out = *out || set_of(&run, part->count - 1)[i] != 0;
    /* Only what is said of an object that all of it is true of. */
    for (size_t i = 0; i < event->count; i++) {
        uint32_t object = event->observables[i].object;

        uint64_t word = set_of(&run, part->count - 1)[object / WORD_BITS];

        program->used[i] = program->used[i] && (word >> object % WORD_BITS & 1);
    }
    return !program->arena.overflowed;
}
