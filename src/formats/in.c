#include "formats/in.h"

#include <stdarg.h>
#include <stdio.h>

#include "formats/in_inside.h"

#include "base/banned.h"

const char *const in_form_names = "stix, list, hosts, blocklist or csv";

bool in_form_find(slice name, enum in_form *out)
{
    static const struct {
        slice name;
        enum in_form form;
    } forms[] = {
        {S("stix"), IN_STIX},      {S("list"), IN_LIST}, {S("hosts"), IN_LIST},
        {S("blocklist"), IN_LIST}, {S("csv"), IN_CSV},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (slice_eq(name, forms[i].name)) {
            *out = forms[i].form;
            return true;
        }
    return false;
}

bool in_is_named(slice path, enum in_form form)
{
    static const struct {
        slice end;
        enum in_form form;
    } ends[] = {
        {S(".json"), IN_STIX},  {S(".ndjson"), IN_STIX}, {S(".jsonl"), IN_STIX},
        {S(".stix"), IN_STIX},  {S(".list"), IN_LIST},   {S(".netset"), IN_LIST},
        {S(".ipset"), IN_LIST}, {S(".hosts"), IN_LIST},  {S(".csv"), IN_CSV},
        {S(".tsv"), IN_CSV},
    };

    if (slice_ends(path, SLICE(".gz")))
        path.len -= 3;
    else if (slice_ends(path, SLICE(".zst")))
        path.len -= 4;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends[i].form == form && path.len > ends[i].end.len && slice_ends(path, ends[i].end))
            return true;
    return false;
}

/* ---- recognising ---- */

/* "[" begins a JSON array, but also "[Adblock Plus 2.0]", a pattern, "[2001:db8::1]". */
static bool is_json(slice head)
{
    slice rest = slice_trim(slice_from(head, 1));

    if (head.at[0] == '{')
        return true;
    return head.at[0] == '[' &&
           (rest.len == 0 || rest.at[0] == '{' || rest.at[0] == ']' || rest.at[0] == '[');
}

/* UTF-16 has a zero in every second byte of plain text. */
static result encoding_check(slice head, struct diag *diag)
{
    if (slice_starts(head, SLICE("\xff\xfe")) || slice_starts(head, SLICE("\xfe\xff")))
        return diag_fail(diag, ERR_INVALID, "the text is UTF-16: convert it to UTF-8 first");
    if (memchr(head.at, '\0', head.len) != NULL)
        return diag_fail(diag, ERR_INVALID, "byte %zu is zero: this is no text",
                         slice_find_byte(head, '\0'));
    return OK;
}

static slice text_of(slice head)
{
    return slice_trim(slice_starts(head, SLICE("\xef\xbb\xbf")) ? slice_from(head, 3) : head);
}

static bool json_begins(slice head)
{
    slice text = text_of(head);

    return text.len > 1 && is_json(text) && slice_trim(slice_from(text, 1)).len > 0;
}

result in_recognise(struct source *source, char *peek, enum in_form *out, struct diag *diag)
{
    size_t len = 0, got = 1;

    /* JSON tells itself at once: a pipe that says more later is not waited for. */
    while (len < IN_PEEK_BYTES && got > 0 && !json_begins(slice_of(peek, len))) {
        TRY(source_read(source, peek + len, IN_PEEK_BYTES - len, &got, diag));
        len += got;
    }
    source_unread(source, slice_of(peek, len));
    slice head = slice_of(peek, len);
    if (slice_starts(head, SLICE("\xef\xbb\xbf")))
        head = slice_from(head, 3);
    slice text = text_of(head);
    *out = IN_STIX; /* what is empty is for the JSON reader to refuse */
    if (text.len == 0 || is_json(text))
        return OK;
    TRY(encoding_check(head, diag));
    *out = in_csv_looks_so(head) ? IN_CSV : IN_LIST;
    return OK;
}

/* ---- lines ---- */

static result lines_fill(struct in_lines *lines, struct diag *diag)
{
    size_t got = 0;

    memmove(lines->block, lines->block + lines->at, lines->len - lines->at);
    lines->len -= lines->at;
    lines->at = 0;
    TRY(source_read(lines->source, lines->block + lines->len, IN_BLOCK_BYTES - lines->len, &got,
                    diag));
    lines->len += got;
    lines->has_ended = got == 0;
    return OK;
}

result in_line(struct in *in, size_t bytes_max, slice *line, bool *is_there, struct diag *diag)
{
    struct in_lines *lines = &in->lines;
    const char *end = NULL;

    *line = SLICE("");
    for (;;) {
        size_t waiting = lines->len - lines->at;

        if (waiting > 0)
            end = memchr(lines->block + lines->at, '\n', waiting);
        if (end != NULL || lines->has_ended)
            break;
        if (waiting >= (bytes_max < IN_BLOCK_BYTES ? bytes_max : IN_BLOCK_BYTES))
            break;
        TRY(lines_fill(lines, diag));
    }
    size_t len = end != NULL ? (size_t)(end - (lines->block + lines->at)) : lines->len - lines->at;
    *is_there = end != NULL || len > 0;
    if (!*is_there)
        return OK;
    lines->number++;
    if (len >= bytes_max || (end == NULL && !lines->has_ended))
        return diag_fail(diag, ERR_LIMIT, "line %llu: longer than %zu bytes",
                         (unsigned long long)lines->number, bytes_max);
    *line = slice_of(lines->block + lines->at, len);
    lines->at += len + (end != NULL ? 1 : 0);
    if (lines->number == 1 && slice_starts(*line, SLICE("\xef\xbb\xbf")))
        *line = slice_from(*line, 3);
    return OK;
}

/* ---- notes ---- */

static struct in_kind *kind_of(struct in_report *report, const char *reason, bool is_lost)
{
    for (size_t i = 0; i < report->kind_count; i++)
        if (strcmp(report->kinds[i].reason, reason) == 0)
            return &report->kinds[i];
    if (report->kind_count == IN_KINDS_MAX)
        return &report->kinds[IN_KINDS_MAX - 1];
    struct in_kind *kind = &report->kinds[report->kind_count++];
    bool is_last = report->kind_count == IN_KINDS_MAX;
    (void)snprintf(kind->reason, sizeof(kind->reason), "%s",
                   is_last ? "for other reasons" : reason);
    kind->is_lost = is_lost;
    return kind;
}

void in_note(struct in *in, bool is_lost, uint64_t line, slice value, const char *reason, ...)
{
    char words[IN_REASON_BYTES_MAX];
    va_list arguments;

    va_start(arguments, reason);
    (void)vsnprintf(words, sizeof(words), reason, arguments);
    va_end(arguments);
    struct in_kind *kind = kind_of(&in->report, words, is_lost);
    kind->count++;
    in->report.lost += is_lost ? 1 : 0;
    if (kind->place_count == IN_PLACES_MAX)
        return;
    struct in_place *place = &kind->places[kind->place_count++];
    place->line = line;
    (void)printable(place->value, sizeof(place->value), value);
}

const struct in_report *in_report(const struct in *in)
{
    return &in->report;
}

/* ---- the source that is made ---- */

static result step(struct in *in, struct diag *diag)
{
    return in->choice.form == IN_CSV ? in_csv_step(in, diag) : in_list_step(in, diag);
}

/* A text in which nothing is an indicator is no list. */
static result end_check(const struct in *in, struct diag *diag)
{
    const struct in_report *report = &in->report;

    for (size_t i = 0; report->objects == 0 && i < report->kind_count; i++) {
        const struct in_kind *kind = &report->kinds[i];

        if (kind->is_lost && kind->place_count > 0)
            return diag_fail(
                diag, ERR_INVALID, "line %llu: \"%s\": %s; nothing in the text is an indicator",
                (unsigned long long)kind->places[0].line, kind->places[0].value, kind->reason);
    }
    return OK;
}

static result made_read(void *context, char *out, size_t room, size_t *count, struct diag *diag)
{
    struct in *in = context;

    *count = 0;
    while (in->out_at == in->out.len && !in->is_at_end) {
        buf_reset(&in->out);
        in->out_at = 0;
        TRY(step(in, diag));
        if (in->out.overflowed || in->pattern.overflowed || in->arena.overflowed)
            return diag_fail(diag, ERR_LIMIT, "line %llu: no memory for what stands there",
                             (unsigned long long)in->lines.number);
    }
    if (in->is_at_end)
        TRY(end_check(in, diag));
    slice rest = slice_head(slice_from(buf_slice(&in->out), in->out_at), room);
    if (rest.len > 0)
        memcpy(out, rest.at, rest.len);
    in->out_at += rest.len;
    *count = rest.len;
    return OK;
}

struct source *in_source(struct in *in)
{
    return in->made;
}

void in_close(struct in **place)
{
    struct in *in = *place;

    if (in == NULL)
        return;
    source_close(&in->made);
    telemetry_reader_free(&in->text_reader);
    in_csv_free(&in->csv);
    buf_free(&in->out);
    buf_free(&in->pattern);
    arena_free(&in->arena);
    table_free(in);
    *place = NULL;
}

result in_open(struct source *source, const struct in_choice *choice, struct in **out,
               struct diag *diag)
{
    CLEANUP(in_close) struct in *in = NULL;
    size_t capacity = 0;

    *out = NULL;
    in = table_grow(NULL, &capacity, 1, 1, sizeof(*in));
    if (in == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory to read with");
    memset(in, 0, offsetof(struct in, lines.block));
    in->choice = *choice;
    in->lines.source = source;
    in->out = BUF(IN_OUT_BYTES_MAX);
    in->pattern = BUF(IN_RECORD_BYTES_MAX);
    in->arena = ARENA(IN_ARENA_BYTES_MAX);
    const struct source_maker maker = {
        .read = made_read, .context = in, .name = source_name(source), .behind = source};
    TRY(source_of_maker(&maker, &in->made, diag));
    if (choice->form == IN_CSV)
        TRY(in_csv_open(in, diag));
    *out = in;
    in = NULL;
    return OK;
}
