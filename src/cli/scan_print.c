#include "cli/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

#include "base/banned.h"

#define TEXT_BYTES_MAX ((size_t)64 << 10) /* of a line in JSON; more of it is cut */
#define SHOWN_BYTES_MAX ((size_t)8 << 10) /* of a line on a terminal */

#define COLOUR_NAME "\x1b[35m"
#define COLOUR_LINE "\x1b[32m"
#define COLOUR_MATCH "\x1b[1;31m"
#define COLOUR_RULE "\x1b[36m"
#define COLOUR_END "\x1b[0m"

static void colour_put(struct scan *scan, const char *code)
{
    if (scan->has_colour)
        buf_put(&scan->out, slice_text(code));
}

/* Text from outside: controls and what is not UTF-8 as \xHH, so that it cannot steer a terminal and
 * a tab is always a column's end. */
static void text_put(struct buf *out, slice text)
{
    for (size_t i = 0; i < text.len;) {
        unsigned char byte = (unsigned char)text.at[i];
        size_t step = utf8_step(slice_from(text, i));
        bool is_control = byte < 0x20 || byte == 0x7f ||
                          (byte == 0xc2 && step == 2 && (unsigned char)text.at[i + 1] < 0xa0);

        if (step == 0 || is_control) {
            buf_printf(out, "\\x%02x", byte);
            i++;
            continue;
        }
        buf_put(out, slice_of(text.at + i, step));
        i += step;
    }
}

static bool rule_of(struct scan *scan, const struct hit *hit, struct rule *out)
{
    if (ruleset_rule(scan->set, hit->rule, &scan->arena, out))
        return true;
    *out = (struct rule){.id = SLICE("?"), .confidence = -1}; /* no memory for its words */
    return false;
}

/* ---- other lines that took part ---- */

static bool is_packed(slice head)
{
    return slice_starts(head, SLICE("\x1f\x8b")) || slice_starts(head, SLICE("\x28\xb5\x2f\xfd"));
}

/* A line of an earlier block, from its file; empty for what cannot be read twice (a pipe, packed
 * bytes, a file that has been rotated since). */
static slice line_again(struct scan *scan, const struct input_block *block, uint64_t offset)
{
    char *room = arena_new(&scan->arena, char, TEXT_BYTES_MAX);
    slice line = SLICE_NONE, rest;
    struct stat status;
    char head[4];

    if (offset >= block->offset && offset - block->offset < block->bytes.len) {
        (void)slice_cut(slice_from(block->bytes, offset - block->offset), '\n', &line, &rest);
        return line;
    }
    int fd = open(block->stream->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return SLICE_NONE;
    bool is_same = room != NULL && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   (block->place.file == 0 || block->place.inode == status.st_ino) &&
                   pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
                   !is_packed(slice_of(head, sizeof(head)));
    ssize_t count = is_same ? pread(fd, room, TEXT_BYTES_MAX, (off_t)offset) : 0;
    (void)close(fd);
    if (count > 0)
        (void)slice_cut(slice_of(room, (size_t)count), '\n', &line, &rest);
    return line;
}

/* ---- a hit a line, columns between tabs ---- */

static void fields_put(struct buf *out, const struct hit *hit, const char *between)
{
    for (size_t i = 0; i < hit->field_count; i++) {
        const struct hit_field *field = &hit->fields[i];

        buf_printf(out, "%s%.*s = ", i > 0 ? between : "", SLICE_ARG(field->path));
        text_put(out, field->value);
    }
}

static void place_put(struct buf *out, const char *name, uint64_t line, uint64_t offset)
{
    text_put(out, slice_text(name));
    buf_printf(out, ":%" PRIu64 ":%" PRIu64, line, offset);
}

static void columns_put(struct scan *scan, const struct input_block *block, const struct hit *hit)
{
    struct buf *out = &scan->out;
    struct rule rule;

    (void)rule_of(scan, hit, &rule);
    for (size_t i = 0; i <= hit->event_count; i++) {
        bool is_last = i == hit->event_count;

        place_put(out, block->stream->name, is_last ? hit->line_number : hit->events[i].line_number,
                  is_last ? hit->line_offset : hit->events[i].line_offset);
        buf_byte(out, '\t');
        text_put(out, rule.id);
        buf_byte(out, '\t');
        text_put(out, rule.name);
        buf_byte(out, '\t');
        if (is_last)
            fields_put(out, hit, "; ");
        buf_byte(out, '\t');
        text_put(out, is_last ? hit->line : line_again(scan, block, hit->events[i].line_offset));
        buf_byte(out, '\n');
    }
}

/* ---- a terminal ---- */

/* How much of the line the value takes, which was normalised: to where it must end. */
static size_t raw_len(slice line, const struct hit_field *field)
{
    slice rest = slice_from(line, field->offset);
    size_t len = 0;

    if (slice_eq_nocase(slice_head(rest, field->value.len), field->value))
        return field->value.len;
    while (len < rest.len && strchr("\"\t ,;|<>", rest.at[len]) == NULL)
        len++;
    return len;
}

static bool is_marked(const struct hit *hits, size_t count, slice line, size_t at)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < hits[i].field_count; j++) {
            const struct hit_field *field = &hits[i].fields[j];

            if (at >= field->offset && at < field->offset + raw_len(line, field))
                return true;
        }
    }
    return false;
}

static void line_put(struct scan *scan, const struct hit *hits, size_t count, slice line)
{
    slice shown = slice_head(line, SHOWN_BYTES_MAX);
    bool was_marked = false;
    size_t from = 0;

    if (shown.len > 0 && shown.at[shown.len - 1] == '\r')
        shown.len--;
    for (size_t i = 0; scan->has_colour && i < shown.len; i++) {
        bool is_now = is_marked(hits, count, line, i);

        if (is_now == was_marked)
            continue;
        text_put(&scan->out, slice_of(shown.at + from, i - from));
        colour_put(scan, is_now ? COLOUR_MATCH : COLOUR_END);
        was_marked = is_now;
        from = i;
    }
    text_put(&scan->out, slice_from(shown, from));
    if (was_marked)
        colour_put(scan, COLOUR_END);
    if (line.len > SHOWN_BYTES_MAX)
        buf_put(&scan->out, SLICE("..."));
    buf_byte(&scan->out, '\n');
}

static void head_put(struct scan *scan, const char *name, uint64_t number)
{
    colour_put(scan, COLOUR_NAME);
    text_put(&scan->out, slice_text(name));
    colour_put(scan, COLOUR_END);
    buf_byte(&scan->out, ':');
    colour_put(scan, COLOUR_LINE);
    buf_printf(&scan->out, "%" PRIu64, number);
    colour_put(scan, COLOUR_END);
    buf_byte(&scan->out, ':');
}

static void rule_put(struct scan *scan, const struct hit *hit)
{
    struct buf *out = &scan->out;
    struct rule rule;

    (void)rule_of(scan, hit, &rule);
    buf_put(out, SLICE("    "));
    colour_put(scan, COLOUR_RULE);
    text_put(out, rule.id);
    colour_put(scan, COLOUR_END);
    if (rule.name.len > 0) {
        buf_put(out, SLICE("  "));
        text_put(out, rule.name);
    }
    buf_put(out, SLICE("  ("));
    text_put(out, rule.source);
    if (rule.tlp != RULE_TLP_NONE)
        buf_printf(out, ", TLP:%s", scan_tlp_name(rule.tlp));
    if (rule.confidence >= 0)
        buf_printf(out, ", confidence %d", rule.confidence);
    buf_put(out, SLICE(")  "));
    fields_put(out, hit, ", ");
    buf_byte(out, '\n');
}

static void terminal_put(struct scan *scan, const struct input_block *block, const struct hit *hits,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < hits[i].event_count; j++) {
            head_put(scan, block->stream->name, hits[i].events[j].line_number);
            line_put(scan, NULL, 0, line_again(scan, block, hits[i].events[j].line_offset));
        }
    }
    head_put(scan, block->stream->name, hits[0].line_number);
    line_put(scan, hits, count, hits[0].line);
    for (size_t i = 0; i < count; i++)
        rule_put(scan, &hits[i]);
}

/* ---- JSON ---- */

static void time_put(struct json_writer *w, int64_t us)
{
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    jw_put_string(w, SLICE("time"), slice_of(text, time_format_us(us, text)));
}

static void rule_json(struct json_writer *w, const struct rule *rule)
{
    slice marking, rest = rule->markings;

    jw_put_string(w, SLICE("indicator"), rule->id);
    if (rule->name.len > 0)
        jw_put_string(w, SLICE("name"), rule->name);
    jw_put_string(w, SLICE("source"), rule->source);
    if (rule->creator.len > 0)
        jw_put_string(w, SLICE("creator"), rule->creator);
    jw_key(w, SLICE("markings"));
    jw_array_begin(w);
    while (rest.len > 0) {
        (void)slice_cut(rest, ',', &marking, &rest);
        jw_string(w, marking);
    }
    jw_array_end(w);
    if (rule->tlp != RULE_TLP_NONE)
        jw_put_string(w, SLICE("tlp"), slice_text(scan_tlp_name(rule->tlp)));
    if (rule->confidence >= 0)
        jw_put_u64(w, SLICE("confidence"), (uint64_t)rule->confidence);
    jw_put_string(w, SLICE("pattern"), rule->pattern);
}

static void line_json(struct json_writer *w, uint64_t number, uint64_t offset, bool has_time,
                      int64_t time_us, slice text)
{
    jw_put_u64(w, SLICE("line"), number);
    jw_put_u64(w, SLICE("offset"), offset);
    if (has_time)
        time_put(w, time_us);
    if (text.len > TEXT_BYTES_MAX)
        jw_put_bool(w, SLICE("cut"), true);
    if (text.len > 0)
        jw_put_string(w, SLICE("text"), slice_head(text, TEXT_BYTES_MAX));
}

static void hit_json(struct scan *scan, const struct input_block *block, const struct hit *hit)
{
    struct json_writer w = JSON_WRITER(&scan->out);
    struct rule rule;

    (void)rule_of(scan, hit, &rule);
    jw_object_begin(&w);
    rule_json(&w, &rule);
    jw_put_string(&w, SLICE("file"), slice_text(block->stream->name));
    line_json(&w, hit->line_number, hit->line_offset, hit->has_time, hit->time_us, hit->line);
    jw_key(&w, SLICE("fields"));
    jw_array_begin(&w);
    for (size_t i = 0; i < hit->field_count; i++) {
        jw_object_begin(&w);
        jw_put_string(&w, SLICE("path"), hit->fields[i].path);
        jw_put_string(&w, SLICE("field"), hit->fields[i].field);
        jw_put_string(&w, SLICE("value"), hit->fields[i].value);
        jw_put_u64(&w, SLICE("offset"), hit->fields[i].offset);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    if (hit->event_count > 0) {
        jw_key(&w, SLICE("earlier"));
        jw_array_begin(&w);
        for (size_t i = 0; i < hit->event_count; i++) {
            const struct hit_event *event = &hit->events[i];

            jw_object_begin(&w);
            line_json(&w, event->line_number, event->line_offset, true, event->time_us,
                      line_again(scan, block, event->line_offset));
            jw_object_end(&w);
        }
        jw_array_end(&w);
    }
    jw_object_end(&w);
    buf_byte(&scan->out, '\n');
}

/* ---- all of it ---- */

void scan_print_line(struct scan *scan, const struct input_block *block, const struct hit *hits,
                     size_t count)
{
    switch (scan->form) {
    case SCAN_TERMINAL:
        terminal_put(scan, block, hits, count);
        break;
    case SCAN_LINES:
        for (size_t i = 0; i < count; i++)
            columns_put(scan, block, &hits[i]);
        break;
    case SCAN_JSON:
        for (size_t i = 0; i < count; i++)
            hit_json(scan, block, &hits[i]);
        break;
    case SCAN_COUNT:
    case SCAN_NAMES:
    case SCAN_SILENT:
        break;
    }
    arena_reset(&scan->arena);
}

void scan_print_end(struct scan *scan, const char *name, const struct scan_stream *stream)
{
    struct json_writer w = JSON_WRITER(&scan->out);
    bool is_wanted =
        scan->form == SCAN_COUNT || (scan->form == SCAN_NAMES && stream->hit_lines > 0);

    if (!is_wanted)
        return;
    if (scan->cli->json) {
        jw_object_begin(&w);
        jw_put_string(&w, SLICE("file"), slice_text(name));
        jw_put_u64(&w, SLICE("lines"), stream->hit_lines);
        jw_put_u64(&w, SLICE("hits"), stream->hits);
        jw_object_end(&w);
    } else {
        if (scan->form == SCAN_NAMES || scan->has_names)
            text_put(&scan->out, slice_text(name));
        if (scan->form == SCAN_COUNT)
            buf_printf(&scan->out, "%s%" PRIu64, scan->has_names ? ":" : "", stream->hit_lines);
    }
    buf_byte(&scan->out, '\n');
}

bool scan_write(struct scan *scan, int *code)
{
    slice rest = buf_slice(&scan->out);
    bool is_lost = scan->out.overflowed;

    while (rest.len > 0) {
        ssize_t count = write(STDOUT_FILENO, rest.at, rest.len);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            scan->is_deaf = true;
            if (errno != EPIPE) /* `| head` has what it wanted */
                *code = cli_fail(SCAN_ERROR, "standard output: %s", strerrordesc_np(errno));
            return false;
        }
        rest = slice_from(rest, (size_t)count);
    }
    buf_reset(&scan->out);
    if (is_lost)
        *code = cli_fail(SCAN_ERROR, "hits of one block over %zu bytes", SCAN_OUT_BYTES_MAX);
    return !is_lost;
}

/* ---- the summary ---- */

static void rules_words(const struct rules_counts *counts)
{
    (void)fprintf(stderr, "rules run  %" PRIu64 " of %" PRIu64, counts->of[RULES_RUN],
                  counts->taken);
    for (int i = RULES_RUN + 1; i < RULES_REASON_COUNT; i++)
        if (counts->of[i] > 0)
            (void)fprintf(stderr, ", %" PRIu64 " %s", counts->of[i],
                          rules_reason_name((enum rules_reason)i));
    (void)fputc('\n', stderr);
}

static void summary_json(const struct scan *scan, double gb_per_s)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);
    const struct scan_totals *t = &scan->totals;
    const struct rules_counts *rules = ruleset_counts(scan->set);
    struct text_counts texts;

    ruleset_text_counts(scan->set, &texts);
    const struct {
        slice name;
        uint64_t count;
    } rows[] = {
        {SLICE("inputs"), t->inputs},
        {SLICE("lost"), t->lost},
        {SLICE("lines"), t->lines},
        {SLICE("bytes"), t->bytes},
        {SLICE("events_read"), t->read},
        {SLICE("broken"), t->broken},
        {SLICE("too_long"), t->too_long},
        {SLICE("hits"), t->hits},
        {SLICE("lines_hit"), t->hit_lines},
        {SLICE("hits_dropped"), t->dropped},
        {SLICE("gave_up"), t->gave_up},
        {SLICE("evicted"), t->evicted},
        {SLICE("load_ms"), t->load_ns / 1000000},
        {SLICE("scan_ms"), t->scan_ns / 1000000},
        {SLICE("mb_per_s"), (uint64_t)(gb_per_s * 1000)},
        {SLICE("ruleset_bytes"), ruleset_bytes(scan->set)},
        {SLICE("texts"), texts.expressions},
        {SLICE("texts_prefiltered"), texts.prefiltered},
        {SLICE("texts_slow"), texts.slow},
        {SLICE("texts_bytes"), texts.bytes},
    };

    jw_object_begin(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        jw_put_u64(&w, rows[i].name, rows[i].count);
    jw_key(&w, SLICE("rules"));
    jw_object_begin(&w);
    jw_put_u64(&w, SLICE("taken"), rules->taken);
    for (int i = 0; i < RULES_REASON_COUNT; i++)
        jw_put_u64(&w, slice_text(rules_reason_name((enum rules_reason)i)), rules->of[i]);
    jw_object_end(&w);
    jw_object_end(&w);
    (void)fprintf(stderr, "%.*s\n", SLICE_ARG(buf_slice(&out)));
}

void scan_summary(const struct scan *scan)
{
    const struct scan_totals *t = &scan->totals;
    double seconds = (double)t->scan_ns / 1e9;
    double gb_per_s = seconds > 0 ? (double)t->bytes / 1e9 / seconds : 0;

    if (scan->cli->json) {
        summary_json(scan, gb_per_s);
        return;
    }
    rules_words(ruleset_counts(scan->set));
    (void)fprintf(stderr,
                  "inputs     %" PRIu64 ", %" PRIu64 " that cannot be read\n"
                  "lines      %" PRIu64 ", %" PRIu64 " bytes; %" PRIu64 " read as events, %" PRIu64
                  " broken, %" PRIu64 " too long\n"
                  "hits       %" PRIu64 " in %" PRIu64 " lines; %" PRIu64 " dropped, %" PRIu64
                  " expressions given up\n"
                  "memory     %.1f MB of rules; %" PRIu64 " events evicted\n"
                  "time       %.3f s to load, %.3f s to scan, %.2f GB/s\n",
                  t->inputs, t->lost, t->lines, t->bytes, t->read, t->broken, t->too_long, t->hits,
                  t->hit_lines, t->dropped, t->gave_up, (double)ruleset_bytes(scan->set) / 1e6,
                  t->evicted, (double)t->load_ns / 1e9, seconds, gb_per_s);
}
