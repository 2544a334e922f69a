#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION

#include "base/supervisor.h"
#include "base/time.h"

#include "base/banned.h"

#define FIELDS_MAX 24
#define FORMAT_BYTES_MAX 1024
#define VALUE_BYTES_MAX 1024
#define NAMES_MAX 128 /* event names that repeats are counted for; the program has fewer */

static const struct {
    slice word;
    int priority; /* of syslog */
} levels[] = {
    [LOG_LEVEL_ERROR] = {S("error"), 3},
    [LOG_LEVEL_WARN] = {S("warn"), 4},
    [LOG_LEVEL_INFO] = {S("info"), 6},
    [LOG_LEVEL_DEBUG] = {S("debug"), 7},
};

static const slice forms[] = {
    [LOG_FORM_TEXT] = S("text"),
    [LOG_FORM_JSON] = S("json"),
    [LOG_FORM_JOURNAL] = S("journal"),
};

static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int line_form = LOG_FORM_TEXT;

/* One line while it is made. */
struct line {
    slice name;
    enum log_level level;
    size_t field_count;
    struct {
        slice name, value; /* borrowed from `text` */
    } fields[FIELDS_MAX];
    uint64_t repeated;
    char text[LOG_LINE_BYTES_MAX];
};

/* What was said under one name lately.  Guarded by repeats_mutex. */
struct repeat {
    const char *name; /* borrowed: a literal */
    uint64_t since_mono_ns;
    uint64_t last_hash; /* of the fields last written */
    enum log_level level;
    uint64_t waiting; /* lines counted and not written */
    unsigned written; /* lines since since_mono_ns */
};

static pthread_mutex_t repeats_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[NAMES_MAX];

void log_set(enum log_level least, enum log_form form)
{
    atomic_store(&least_level, (int)least);
    atomic_store(&line_form, (int)form);
}

bool log_level_parse(slice word, enum log_level *out)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (slice_eq(word, levels[i].word)) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_form_parse(slice word, enum log_form *out)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (slice_eq(word, forms[i])) {
            *out = (enum log_form)i;
            return true;
        }
    return false;
}

/* ---- fields ---- */

/* The mark put between fields before the values are filled in.  A value could hold the mark only by
 * guessing the address space layout of this process. */
static size_t mark_make(char mark[24])
{
    return (size_t)snprintf(mark, 24, "\x1f%llx\x1f",
                            (unsigned long long)(uintptr_t)&repeats_mutex * 0x9e3779b97f4a7c15ull);
}

/* The format with a mark in place of each gap between fields; false when it is too long. */
static bool format_mark(const char *fields, const char *mark, size_t mark_bytes,
                        char out[FORMAT_BYTES_MAX])
{
    bool is_quoted = false;
    size_t used = 0;

    for (; *fields != '\0'; fields++) {
        if (used + mark_bytes >= FORMAT_BYTES_MAX)
            return false;
        if (*fields == '"') {
            is_quoted = !is_quoted;
        } else if (*fields == ' ' && !is_quoted) {
            memcpy(out + used, mark, mark_bytes);
            used += mark_bytes;
        } else {
            out[used++] = *fields;
        }
    }
    out[used] = '\0';
    return true;
}

static void fields_split(struct line *line, slice text, slice mark)
{
    while (text.len > 0 && line->field_count < FIELDS_MAX) {
        size_t end = slice_find(text, mark);
        slice field = slice_head(text, end);
        slice name, value;

        text = end == SIZE_MAX ? SLICE_NONE : slice_from(text, end + mark.len);
        if (!slice_cut(field, '=', &name, &value) || name.len == 0)
            continue;
        line->fields[line->field_count].name = name;
        line->fields[line->field_count++].value = slice_head(value, VALUE_BYTES_MAX);
    }
}

/* ---- the three forms ---- */

/* Steps of a line that is being written: what does not fit is left out. */
struct text {
    char at[LOG_LINE_BYTES_MAX * 2];
    size_t len;
};

static void put(struct text *text, slice s)
{
    size_t room = sizeof(text->at) - 1 - text->len; /* one byte stays for the line's end */

    s = slice_head(s, room);
    if (s.len > 0)
        memcpy(text->at + text->len, s.at, s.len);
    text->len += s.len;
}

static bool needs_quotes(slice value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] <= ' ' || value.at[i] == '"' || value.at[i] == '=' ||
            value.at[i] == '\\')
            return true;
    return false;
}

static void put_text_value(struct text *out, slice value)
{
    char shown[2 * VALUE_BYTES_MAX];

    if (!needs_quotes(value)) {
        put(out, slice_of(shown, printable(shown, sizeof(shown), value)));
        return;
    }
    put(out, SLICE("\""));
    for (slice part; value.len > 0;) {
        size_t quote = slice_find_byte(value, '"');

        part = slice_head(value, quote);
        put(out, slice_of(shown, printable(shown, sizeof(shown), part)));
        if (quote != SIZE_MAX)
            put(out, SLICE("\\\""));
        value = quote == SIZE_MAX ? SLICE_NONE : slice_from(value, quote + 1);
    }
    put(out, SLICE("\""));
}

static void put_json_string(struct text *out, slice s)
{
    put(out, SLICE("\""));
    while (s.len > 0) {
        size_t step = utf8_step(s);
        unsigned char byte = (unsigned char)s.at[0];
        char escape[8];

        if (step == 0) {
            put(out, SLICE("\\ufffd"));
            step = 1;
        } else if (byte == '"' || byte == '\\' || byte < 0x20 || byte == 0x7f) {
            int bytes = snprintf(escape, sizeof(escape), "\\u%04x", byte);

            put(out, slice_of(escape, (size_t)bytes));
        } else {
            put(out, slice_head(s, step));
        }
        s = slice_from(s, step);
    }
    put(out, SLICE("\""));
}

static slice now_text(char stamp[TIMESTAMP_TEXT_BYTES_MAX])
{
    return slice_of(stamp, time_format_us(time_now_us(), stamp));
}

static void line_as_text(const struct line *line, struct text *out)
{
    char stamp[TIMESTAMP_TEXT_BYTES_MAX];

    put(out, now_text(stamp));
    put(out, SLICE(" "));
    put(out, levels[line->level].word);
    put(out, SLICE(" "));
    put(out, line->name);
    for (size_t i = 0; i < line->field_count; i++) {
        put(out, SLICE(" "));
        put(out, line->fields[i].name);
        put(out, SLICE("="));
        put_text_value(out, line->fields[i].value);
    }
}

static void line_as_json(const struct line *line, struct text *out)
{
    char stamp[TIMESTAMP_TEXT_BYTES_MAX];

    put(out, SLICE("{\"time\":"));
    put_json_string(out, now_text(stamp));
    put(out, SLICE(",\"level\":"));
    put_json_string(out, levels[line->level].word);
    put(out, SLICE(",\"event\":"));
    put_json_string(out, line->name);
    for (size_t i = 0; i < line->field_count; i++) {
        put(out, SLICE(","));
        put_json_string(out, line->fields[i].name);
        put(out, SLICE(":"));
        put_json_string(out, line->fields[i].value);
    }
    put(out, SLICE("}"));
}

/* systemd's own form: ENTENTE_FIELD=value beside a MESSAGE for people. */
static void line_to_journal(const struct line *line)
{
    static char priority[] = "PRIORITY=0", identifier[] = "SYSLOG_IDENTIFIER=entente";
    struct iovec pieces[FIELDS_MAX + 4];
    struct text message = {.len = 0}, event = {.len = 0}, all = {.len = 0};
    char level[sizeof(priority)];
    size_t count = 0;

    put(&message, SLICE("MESSAGE="));
    put(&message, line->name);
    put(&event, SLICE("ENTENTE_EVENT="));
    put(&event, line->name);
    memcpy(level, priority, sizeof(priority));
    level[sizeof(priority) - 2] = (char)('0' + levels[line->level].priority);
    for (size_t i = 0; i < line->field_count; i++) {
        size_t start = all.len;

        put(&message, SLICE(" "));
        put(&message, line->fields[i].name);
        put(&message, SLICE("="));
        put_text_value(&message, line->fields[i].value);
        put(&all, SLICE("ENTENTE_"));
        for (size_t k = 0; k < line->fields[i].name.len; k++) {
            char byte = line->fields[i].name.at[k];

            put(&all, slice_of(&(char){byte >= 'a' && byte <= 'z' ? (char)(byte - 32) : byte}, 1));
        }
        put(&all, SLICE("="));
        put(&all, line->fields[i].value);
        pieces[count++] = (struct iovec){all.at + start, all.len - start};
    }
    pieces[count++] = (struct iovec){message.at, message.len};
    pieces[count++] = (struct iovec){event.at, event.len};
    pieces[count++] = (struct iovec){level, sizeof(level) - 1};
    pieces[count++] = (struct iovec){identifier, sizeof(identifier) - 1};
    supervisor_journal(pieces, (int)count);
}

static void line_write(const struct line *line)
{
    enum log_form form = (enum log_form)atomic_load(&line_form);
    struct text out = {.len = 0};

    switch (form) {
    case LOG_FORM_TEXT:
        line_as_text(line, &out);
        break;
    case LOG_FORM_JSON:
        line_as_json(line, &out);
        break;
    case LOG_FORM_JOURNAL:
        line_to_journal(line);
        return;
    }
    out.at[out.len++] = '\n';
    /* One write, so that lines of several threads do not mix. */
    ssize_t written = write(STDERR_FILENO, out.at, out.len);
    (void)written; /* nowhere to tell that telling failed */
}

static void line_add_repeated(struct line *line, char number[24])
{
    if (line->repeated == 0 || line->field_count == FIELDS_MAX)
        return;
    int bytes = snprintf(number, 24, "%llu", (unsigned long long)line->repeated);
    line->fields[line->field_count].name = SLICE("repeated");
    line->fields[line->field_count++].value = slice_of(number, (size_t)bytes);
}

/* ---- repeats ---- */

static uint64_t hash_of(slice s)
{
    uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a: only repeats hang on it */

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.at[i]) * 0x100000001b3ull;
    return hash;
}

static struct repeat *repeat_of(const char *name)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (repeats[i].name == NULL)
            repeats[i].name = name;
        if (repeats[i].name == name || strcmp(repeats[i].name, name) == 0)
            return &repeats[i];
    }
    return NULL;
}

/* May this line be written now?  *repeated: how many of its name were only counted before. */
static bool may_write(const char *name, enum log_level level, slice fields, uint64_t *repeated)
{
    uint64_t now = time_mono_ns(), hash = hash_of(fields);
    bool is_yes = true;

    *repeated = 0;
    (void)pthread_mutex_lock(&repeats_mutex);
    struct repeat *repeat = repeat_of(name);
    if (repeat != NULL) {
        bool is_over = repeat->written == 0 ||
                       now - repeat->since_mono_ns >= LOG_REPEAT_INTERVAL_S * 1000000000ull;

        if (is_over) {
            repeat->since_mono_ns = now;
            repeat->written = 0;
            *repeated = repeat->waiting;
            repeat->waiting = 0;
        } else if (hash == repeat->last_hash || repeat->written >= LOG_NAME_LINES_MAX) {
            repeat->waiting++;
            is_yes = false;
        }
        if (is_yes) {
            repeat->written++;
            repeat->last_hash = hash;
            repeat->level = level;
        }
    }
    (void)pthread_mutex_unlock(&repeats_mutex);
    return is_yes;
}

void log_event(enum log_level level, const char *name, const char *fields, ...)
{
    char mark[24], format[FORMAT_BYTES_MAX], number[24];
    struct line line = {.name = slice_text(name), .level = level};
    va_list args;

    if ((int)level > atomic_load(&least_level))
        return;
    size_t mark_bytes = mark_make(mark);
    if (!format_mark(fields, mark, mark_bytes, format))
        return;
    va_start(args, fields);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the caller's literal, marks added */
    int bytes = vsnprintf(line.text, sizeof(line.text), format, args);
#pragma GCC diagnostic pop
    va_end(args);
    if (bytes < 0)
        return;
    slice text = slice_text(line.text);
    if (!may_write(name, level, text, &line.repeated))
        return;
    fields_split(&line, text, slice_of(mark, mark_bytes));
    line_add_repeated(&line, number);
    line_write(&line);
}

void log_flush(void)
{
    (void)pthread_mutex_lock(&repeats_mutex);
    for (size_t i = 0; i < NAMES_MAX && repeats[i].name != NULL; i++) {
        struct line line = {.name = slice_text(repeats[i].name),
                            .level = repeats[i].level,
                            .repeated = repeats[i].waiting};
        char number[24];

        repeats[i].waiting = 0;
        repeats[i].written = 0;
        if (line.repeated == 0)
            continue;
        line_add_repeated(&line, number);
        line_write(&line);
    }
    (void)pthread_mutex_unlock(&repeats_mutex);
}
