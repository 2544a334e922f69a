/* Tables with separators (RFC 4180): a header of known names, or columns that the caller names.
 *
 *     first_seen,type,value,confidence,tags      one value a record, its type in a column
 *     ip,domain,sha256,description               a column for each type: an indicator for each
 * value # "first_seen_utc","ioc_value", ...        a header in the last comment, as some feeds have
 * it
 *
 * Commas, semicolons, tabs and bars separate, whichever the header has.  What stands in a column
 * without a role is kept in the indicator's x_columns, under the column's name.
 */
#include "base/time.h"
#include "formats/in_inside.h"

#include "base/banned.h"

#define STEP_BYTES ((size_t)1 << 20)
#define HEAD_ARENA_BYTES ((size_t)8 << 20)
#define LOOKED_AT_LINES 200 /* of comments in front of a header */
#define HEADER_BYTES_MAX 8192

enum role {
    ROLE_NONE, /* kept as it is */
    ROLE_LEFT_OUT,
    ROLE_VALUE,
    ROLE_TYPED, /* a value whose type is the column's name */
    ROLE_TYPE,
    ROLE_NAME,
    ROLE_DESCRIPTION,
    ROLE_FROM,
    ROLE_MODIFIED,
    ROLE_UNTIL,
    ROLE_CONFIDENCE,
    ROLE_TLP,
    ROLE_LABELS,
};

struct column {
    enum role role;
    slice name;
};

struct csv {
    char separator;
    bool is_headed;  /* the columns are known */
    size_t comments; /* that were looked at */
    bool is_parted;  /* the separator is, where the caller names the columns */
    struct column columns[IN_COLUMNS_MAX];
    size_t count;
    struct arena arena; /* owned: of the names */
    struct buf record;  /* owned: one that runs over several lines */
    slice cells[IN_COLUMNS_MAX];
    size_t cell_count;
    uint64_t line; /* where the record begins */
};

static const struct {
    slice name;
    enum role role;
} roles[] = {
    {S("-"), ROLE_LEFT_OUT},
    {S("value"), ROLE_VALUE},
    {S("indicator"), ROLE_VALUE},
    {S("indicator_value"), ROLE_VALUE},
    {S("ioc"), ROLE_VALUE},
    {S("ioc_value"), ROLE_VALUE},
    {S("observable"), ROLE_VALUE},
    {S("type"), ROLE_TYPE},
    {S("indicator_type"), ROLE_TYPE},
    {S("ioc_type"), ROLE_TYPE},
    {S("name"), ROLE_NAME},
    {S("title"), ROLE_NAME},
    {S("description"), ROLE_DESCRIPTION},
    {S("comment"), ROLE_DESCRIPTION},
    {S("note"), ROLE_DESCRIPTION},
    {S("date"), ROLE_FROM},
    {S("dateadded"), ROLE_FROM},
    {S("date_added"), ROLE_FROM},
    {S("created"), ROLE_FROM},
    {S("first_seen"), ROLE_FROM},
    {S("first_seen_utc"), ROLE_FROM},
    {S("firstseen"), ROLE_FROM},
    {S("valid_from"), ROLE_FROM},
    {S("modified"), ROLE_MODIFIED},
    {S("last_seen"), ROLE_MODIFIED},
    {S("last_seen_utc"), ROLE_MODIFIED},
    {S("lastseen"), ROLE_MODIFIED},
    {S("valid_until"), ROLE_UNTIL},
    {S("expires"), ROLE_UNTIL},
    {S("expiration"), ROLE_UNTIL},
    {S("confidence"), ROLE_CONFIDENCE},
    {S("confidence_level"), ROLE_CONFIDENCE},
    {S("tlp"), ROLE_TLP},
    {S("marking"), ROLE_TLP},
    {S("tags"), ROLE_LABELS},
    {S("labels"), ROLE_LABELS},
};

static enum role role_find(slice name)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (slice_eq_nocase(name, roles[i].name))
            return roles[i].role;
    return in_type_known(name) ? ROLE_TYPED : ROLE_NONE;
}

/* ---- records ---- */

/* One cell from the front.  A quoted one is put without its quotes into the arena when it has some
 * inside.  False: its quotes do not close. */
static bool cell_cut(slice *rest, char separator, struct arena *arena, slice *cell, bool *is_last)
{
    slice text = *rest;
    size_t end = 0;

    /* A blank in front of a quote is none of the cell's. */
    while (end < text.len && text.at[end] == ' ')
        end++;
    if (end < text.len && text.at[end] == '"')
        text = slice_from(text, end);
    if (text.len == 0 || text.at[0] != '"') {
        end = slice_find_byte(text, separator);
        *is_last = end == SIZE_MAX;
        *cell = slice_head(text, end);
        *rest = *is_last ? SLICE("") : slice_from(text, end + 1);
        return true;
    }
    for (end = 1; end < text.len; end++)
        if (text.at[end] == '"') {
            if (end + 1 == text.len || text.at[end + 1] != '"')
                break;
            end++;
        }
    if (end >= text.len)
        return false;
    slice inside = slice_of(text.at + 1, end - 1);
    char *copy = arena_new(arena, char, inside.len + 1);
    size_t len = 0;
    for (size_t i = 0; copy != NULL && i < inside.len; i++) {
        copy[len++] = inside.at[i];
        i += inside.at[i] == '"';
    }
    *cell = slice_of(copy, len);
    slice behind = slice_trim(slice_from(text, end + 1));
    /* A tab that separates is no blank to be taken off. */
    if (separator == '\t')
        behind = slice_from(text, end + 1);
    *is_last = behind.len == 0;
    *rest = *is_last ? SLICE("") : slice_from(behind, 1);
    return *is_last || behind.at[0] == separator;
}

static bool cells_cut(struct csv *csv, struct arena *arena, slice record)
{
    bool is_last = false;

    for (csv->cell_count = 0; !is_last && csv->cell_count < IN_COLUMNS_MAX; csv->cell_count++) {
        slice *cell = &csv->cells[csv->cell_count];

        if (!cell_cut(&record, csv->separator, arena, cell, &is_last))
            return false;
        *cell = slice_trim(*cell);
    }
    return is_last;
}

/* Does a quoted cell stay open at the end of this line?  was_open: it began in one.  A quote inside
 * a cell without quotes (5" disk) is a byte like any other, as cell_cut has it. */
static bool is_open(const struct csv *csv, slice line, bool was_open)
{
    bool is_open = was_open, is_start = !was_open;

    for (size_t i = 0; i < line.len; i++) {
        char c = line.at[i];

        if (is_open) {
            is_open = c != '"';
        } else if (c == '"' && (is_start || (i > 0 && line.at[i - 1] == '"'))) {
            is_open = true; /* the second of two is one quote inside */
            is_start = false;
        } else {
            is_start = c == csv->separator || (is_start && c == ' ');
        }
    }
    return is_open;
}

static slice line_trim(slice line)
{
    return line.len > 0 && line.at[line.len - 1] == '\r' ? slice_head(line, line.len - 1) : line;
}

/* The next record; a line end in quotes is part of it. */
static result record_next(struct in *in, slice *out, bool *is_there, struct diag *diag)
{
    struct csv *csv = in->csv;
    slice line;

    TRY(in_line(in, IN_LINE_BYTES_MAX, &line, is_there, diag));
    csv->line = in->lines.number;
    *out = line_trim(line);
    bool is_cut = *is_there && is_open(csv, *out, false);
    if (!is_cut)
        return OK;
    buf_reset(&csv->record);
    buf_put(&csv->record, *out);
    while (is_cut) {
        bool has_more;

        TRY(in_line(in, IN_LINE_BYTES_MAX, &line, &has_more, diag));
        if (!has_more)
            return diag_fail(diag, ERR_INVALID, "line %llu: a quote is never closed",
                             (unsigned long long)csv->line);
        buf_byte(&csv->record, '\n');
        buf_put(&csv->record, line_trim(line));
        is_cut = is_open(csv, line_trim(line), true);
        if (csv->record.overflowed || csv->record.len > IN_RECORD_BYTES_MAX)
            return diag_fail(diag, ERR_LIMIT, "line %llu: a record of over %zu bytes",
                             (unsigned long long)csv->line, IN_RECORD_BYTES_MAX);
    }
    *out = buf_slice(&csv->record);
    return OK;
}

/* ---- the header ---- */

static char separator_of(slice header)
{
    static const char separators[] = {',', ';', '\t', '|'};
    size_t best = 0;
    char found = ',';

    for (size_t i = 0; i < sizeof(separators); i++) {
        size_t count = 0;

        for (size_t k = 0; k < header.len; k++)
            count += header.at[k] == separators[i];
        if (count > best) {
            best = count;
            found = separators[i];
        }
    }
    return found;
}

static bool has_values(const struct csv *csv)
{
    for (size_t i = 0; i < csv->count; i++)
        if (csv->columns[i].role == ROLE_VALUE || csv->columns[i].role == ROLE_TYPED)
            return true;
    return false;
}

/* A header names at least two columns, and one of them is for values. */
static bool header_read(struct csv *csv, slice line)
{
    csv->separator = separator_of(line);
    csv->count = 0;
    if (line.len > HEADER_BYTES_MAX || !cells_cut(csv, &csv->arena, line) || csv->cell_count < 2)
        return false;
    bool has_value = false;
    for (size_t i = 0; i < csv->cell_count; i++) {
        slice name = arena_copy(&csv->arena, csv->cells[i]);

        csv->columns[i] = (struct column){role_find(name), name};
        has_value = has_value || csv->columns[i].role == ROLE_VALUE;
    }
    csv->count = csv->cell_count;
    /* Beside a column of values, one that is named like a type is one more piece of knowledge. */
    for (size_t i = 0; has_value && i < csv->count; i++)
        if (csv->columns[i].role == ROLE_TYPED)
            csv->columns[i].role = ROLE_NONE;
    return has_values(csv);
}

static slice comment_inside(slice line)
{
    while (line.len > 0 && (line.at[0] == '#' || line.at[0] == ' '))
        line = slice_from(line, 1);
    return line;
}

bool in_csv_looks_so(slice head)
{
    struct csv csv = {.arena = ARENA(HEAD_ARENA_BYTES)};
    size_t told = 0; /* columns of a header in a comment */
    char separator = ',';
    bool is_header = false;
    slice line, rest = head;

    for (size_t i = 0; i < LOOKED_AT_LINES && rest.len > 0; i++) {
        (void)slice_cut(rest, '\n', &line, &rest);
        line = slice_trim(line);
        if (line.len == 0)
            continue;
        bool is_comment = line.at[0] == '#';
        is_header = header_read(&csv, comment_inside(line));
        if (is_header) {
            told = csv.count;
            separator = csv.separator;
        }
        if (is_comment)
            continue;
        /* Words with commas in a comment are no header; what follows must look like its records. */
        csv.separator = separator;
        is_header =
            is_header || (told > 0 && cells_cut(&csv, &csv.arena, line) && csv.cell_count == told);
        break;
    }
    arena_free(&csv.arena);
    return is_header;
}

static result columns_named(struct csv *csv, slice words, struct diag *diag)
{
    bool more = true;
    slice word;

    while (more) {
        more = slice_cut(words, ',', &word, &words);
        word = slice_trim(word);
        enum role role = role_find(word);
        if (role == ROLE_NONE)
            return diag_fail(diag, ERR_INVALID,
                             "--columns: \"%.*s\" is no role: value, type, name, description, "
                             "first_seen, last_seen, valid_until, confidence, tlp, tags, a type as "
                             "ip or sha256, or - for none",
                             (int)(word.len < 60 ? word.len : 60), word.at);
        if (csv->count == IN_COLUMNS_MAX)
            return diag_fail(diag, ERR_LIMIT, "--columns: over %d", IN_COLUMNS_MAX);
        csv->columns[csv->count++] = (struct column){role, arena_copy(&csv->arena, word)};
    }
    if (!has_values(csv))
        return diag_fail(diag, ERR_INVALID, "--columns: names no column with values");
    csv->is_headed = true;
    return OK;
}

/* ---- from a record to indicators ---- */

/* RFC 3339, "2026-01-31 12:00:00" with or without " UTC", a day, seconds since 1970. */
static bool date_read(struct in *in, slice text, int64_t *us)
{
    struct timestamp when;
    uint64_t seconds;

    if (text.len >= 9 && text.len <= 11 && parse_u64(text, &seconds)) {
        *us = (int64_t)seconds * 1000000;
        return true;
    }
    if (slice_ends(text, SLICE(" UTC")))
        text.len -= 4;
    if (text.len == 10)
        text = arena_printf(&in->arena, "%.*sT00:00:00Z", SLICE_ARG(text));
    else if (text.len >= 19 && text.at[10] == ' ')
        text = arena_printf(
            &in->arena, "%.*sT%.*s%s", SLICE_ARG(slice_head(text, 10)),
            SLICE_ARG(slice_from(text, 11)),
            slice_find_byte(text, 'Z') == SIZE_MAX && slice_find_byte(text, '+') == SIZE_MAX ? "Z"
                                                                                             : "");
    if (!timestamp_parse_rfc3339(text, &when))
        return false;
    *us = when.us;
    return true;
}

/* STIX 2.1, appendix A: none, low, medium, high. */
static bool confidence_read(slice text, int *out)
{
    static const struct {
        slice word;
        int value;
    } words[] = {
        {S("none"), 0}, {S("low"), 15}, {S("medium"), 50}, {S("med"), 50}, {S("high"), 85}};
    uint64_t number;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_nocase(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    if (slice_ends(text, SLICE("%")))
        text.len--;
    if (!parse_u64(text, &number) || number > 100)
        return false;
    *out = (int)number;
    return true;
}

static void labels_read(struct in *in, slice text, struct in_draft *draft)
{
    slice *labels = arena_new(&in->arena, slice, IN_LABELS_MAX);
    size_t count = 0;

    while (labels != NULL && text.len > 0 && count < IN_LABELS_MAX) {
        size_t end = 0;

        while (end < text.len && strchr(",;|", text.at[end]) == NULL)
            end++;
        slice label = slice_trim(slice_head(text, end));
        if (label.len > 0 && !slice_eq_nocase(label, SLICE("none")))
            labels[count++] = label;
        text = end < text.len ? slice_from(text, end + 1) : SLICE("");
    }
    draft->labels = labels;
    draft->label_count = count;
}

static void unread(struct in *in, slice cell, const char *what)
{
    in_note(in, false, in->csv->line, cell, "%s that is not understood: kept as it is", what);
}

/* A cell that says something about the whole record.  False: nobody can say what. */
static bool cell_take(struct in *in, enum role role, slice cell, struct in_draft *draft)
{
    switch (role) {
    case ROLE_NAME:
        draft->name = cell;
        return true;
    case ROLE_DESCRIPTION:
        draft->description = cell;
        return true;
    case ROLE_FROM:
        return date_read(in, cell, &draft->from_us);
    case ROLE_MODIFIED:
        return date_read(in, cell, &draft->modified_us);
    case ROLE_UNTIL:
        draft->has_until = date_read(in, cell, &draft->until_us);
        return draft->has_until;
    case ROLE_CONFIDENCE:
        return confidence_read(cell, &draft->confidence);
    case ROLE_TLP: {
        slice marking = in_tlp_id(cell);

        if (marking.len > 0)
            draft->marking = marking;
        return marking.len > 0;
    }
    case ROLE_LABELS:
        labels_read(in, cell, draft);
        return true;
    case ROLE_LEFT_OUT:
    case ROLE_VALUE:
    case ROLE_TYPED:
    case ROLE_TYPE:
        return true;
    case ROLE_NONE:
        break;
    }
    return false;
}

static void cells_take(struct in *in, struct in_draft *draft)
{
    struct csv *csv = in->csv;
    slice *names = arena_new(&in->arena, slice, IN_COLUMNS_MAX);
    slice *values = arena_new(&in->arena, slice, IN_COLUMNS_MAX);

    draft->extra_names = names;
    draft->extra_values = values;
    for (size_t i = 0; names != NULL && values != NULL && i < csv->cell_count; i++) {
        const struct column *column = &csv->columns[i];
        slice cell = csv->cells[i];

        if (cell.len == 0 || cell_take(in, column->role, cell, draft))
            continue;
        if (column->role != ROLE_NONE)
            unread(in, cell,
                   column->role == ROLE_TLP          ? "a marking"
                   : column->role == ROLE_CONFIDENCE ? "a confidence"
                                                     : "a date");
        names[draft->extra_count] = column->name;
        values[draft->extra_count++] = cell;
    }
}

static slice type_cell(const struct csv *csv)
{
    for (size_t i = 0; i < csv->cell_count; i++)
        if (csv->columns[i].role == ROLE_TYPE)
            return csv->cells[i];
    return SLICE("");
}

static void value_put(struct in *in, slice type, slice cell, const struct in_draft *record)
{
    struct in_draft draft = *record;
    struct in_value value;

    if (!in_value_read(in, type, cell, &value)) {
        in_note(in, true, in->csv->line, cell, "no value of a type that is known");
        return;
    }
    buf_reset(&in->pattern);
    buf_byte(&in->pattern, '[');
    in_value_pattern(in, &value);
    buf_byte(&in->pattern, ']');
    draft.pattern = buf_slice(&in->pattern);
    if (draft.name.len == 0)
        draft.name = value.value;
    in_indicator(in, &draft);
}

static void record_take(struct in *in)
{
    struct csv *csv = in->csv;
    struct in_draft draft = in_draft(in);
    slice type = type_cell(csv);
    size_t values = 0;

    cells_take(in, &draft);
    for (size_t i = 0; i < csv->cell_count; i++) {
        const struct column *column = &csv->columns[i];
        bool is_typed = column->role == ROLE_TYPED;

        if ((!is_typed && column->role != ROLE_VALUE) || csv->cells[i].len == 0)
            continue;
        value_put(in, is_typed ? column->name : type, csv->cells[i], &draft);
        values++;
    }
    if (values == 0)
        in_note(in, true, csv->line, csv->cell_count > 0 ? csv->cells[0] : SLICE(""),
                "a record without a value");
}

/* ---- steps ---- */

/* A header, perhaps; of several the last one counts. */
static bool header_take(struct csv *csv, slice line)
{
    struct csv before = *csv;

    if (header_read(csv, line))
        return true;
    csv->separator = before.separator;
    memcpy(csv->columns, before.columns, sizeof(csv->columns));
    csv->count = before.count;
    return false;
}

static void line_take(struct in *in, slice record)
{
    struct csv *csv = in->csv;

    if (slice_trim(record).len == 0)
        return;
    if (record.at[0] == '#') {
        if (!csv->is_headed && in->choice.columns.len == 0 && csv->comments++ < LOOKED_AT_LINES)
            (void)header_take(csv, comment_inside(record));
        return;
    }
    if (in->choice.columns.len > 0 && !csv->is_parted) {
        csv->is_parted = true;
        csv->separator = separator_of(record);
    }
    if (!csv->is_headed) {
        csv->is_headed = true;
        if (header_take(csv, record))
            return;
    }
    if (!cells_cut(csv, &in->arena, record))
        in_note(in, true, csv->line, record, "quotes that do not close, or too many columns");
    else if (csv->cell_count > csv->count)
        in_note(in, true, csv->line, record, "more columns than the header has");
    else
        record_take(in);
}

result in_csv_step(struct in *in, struct diag *diag)
{
    struct csv *csv = in->csv;
    bool is_there = true;
    slice record;

    while (in->out.len < STEP_BYTES) {
        TRY(record_next(in, &record, &is_there, diag));
        if (!is_there)
            break;
        arena_reset(&in->arena);
        line_take(in, record);
        if (csv->is_headed && !has_values(csv))
            return diag_fail(
                diag, ERR_INVALID,
                "line %llu: no header that is known, with a column of values: name the "
                "columns with --columns",
                (unsigned long long)csv->line);
        if (in->arena.overflowed || in->out.overflowed || csv->arena.overflowed)
            break;
    }
    in->is_at_end = !is_there;
    return OK;
}

result in_csv_open(struct in *in, struct diag *diag)
{
    size_t capacity = 0;
    struct csv *csv = table_grow(NULL, &capacity, 1, 1, sizeof(*csv));

    if (csv == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory to read with");
    memset(csv, 0, sizeof(*csv));
    csv->arena = ARENA(HEAD_ARENA_BYTES);
    csv->record = BUF(2 * IN_RECORD_BYTES_MAX);
    csv->separator = ',';
    in->csv = csv;
    return in->choice.columns.len > 0 ? columns_named(csv, in->choice.columns, diag) : OK;
}

void in_csv_free(struct csv **place)
{
    struct csv *csv = *place;

    if (csv == NULL)
        return;
    arena_free(&csv->arena);
    buf_free(&csv->record);
    table_free(csv);
    *place = NULL;
}
