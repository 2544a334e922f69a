/* What the readers share.  Nobody outside src/formats includes this. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "formats/in.h"
#include "telemetry/telemetry.h"

#define IN_BLOCK_BYTES ((size_t)256 << 10)
#define IN_OUT_BYTES_MAX ((size_t)64 << 20) /* what one step writes at most */
#define IN_ARENA_BYTES_MAX ((size_t)64 << 20)

struct csv;

/* The text, line by line. */
struct in_lines {
    struct source *source; /* borrowed */
    size_t at, len;
    uint64_t number; /* of the line given last, from 1 */
    bool has_ended;
    char block[IN_BLOCK_BYTES];
};

struct in {
    struct in_choice choice;
    struct source *made;                  /* owned: what store_import reads */
    struct telemetry_reader *text_reader; /* owned; made at first need */
    struct csv *csv;                      /* owned, of IN_CSV */
    struct buf out, pattern;
    struct arena arena; /* of one line or record */
    size_t out_at;
    bool is_at_end;
    struct in_report report;
    struct in_lines lines;
};

/* The next line without its end; false at the end.  ERR_LIMIT "line N: ..." past bytes_max. */
MUST_USE result in_line(struct in *in, size_t bytes_max, slice *line, bool *is_there,
                        struct diag *diag);

/* One piece that was not taken (lost), or not as it was.  reason names a kind, not the piece. */
void in_note(struct in *in, bool is_lost, uint64_t line, slice value, const char *reason, ...)
    PRINTF_LIKE(5, 6);

/* ---- in_value.c: what a text is by its form ---- */

struct in_value {
    slice path;      /* "domain-name:value" ... */
    slice value;     /* normalised, in the arena or borrowed */
    slice port;      /* "1.2.3.4:80": empty for none */
    bool is_network; /* of more than one address */
};

/* word: the type a list or column gives, empty when it gives none.  False: it is nothing known. */
bool in_value_read(struct in *in, slice word, slice text, struct in_value *out);
bool in_type_known(slice word);

/* Its pattern, without the brackets, behind what in->pattern holds. */
void in_value_pattern(struct in *in, const struct in_value *value);

/* ---- in_indicator.c ---- */

struct in_draft {
    slice pattern; /* with its brackets */
    slice name, description;
    int64_t from_us, modified_us;
    bool has_until;
    int64_t until_us;
    int confidence;
    slice marking;
    const slice *labels; /* besides those of the choice */
    size_t label_count;
    const slice *extra_names, *extra_values; /* kept as x_columns */
    size_t extra_count;
};

struct in_draft in_draft(const struct in *in);
void in_indicator(struct in *in, const struct in_draft *draft);

/* ---- forms: one step writes some objects, or sets is_at_end ---- */

MUST_USE result in_list_step(struct in *in, struct diag *diag);
MUST_USE result in_csv_open(struct in *in, struct diag *diag);
MUST_USE result in_csv_step(struct in *in, struct diag *diag);
void in_csv_free(struct csv **csv);
/* Does the text begin like a table with a header we know? */
bool in_csv_looks_so(slice head);
