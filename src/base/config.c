#include "base/config.h"

#include <assert.h>
#include <stdio.h>

#include <yaml.h>

#include "base/source.h"

#include "base/banned.h"

enum kind { KIND_SIZE, KIND_TEXT, KIND_BOOL, KIND_WORD, KIND_ADDRESS };

static const char *const kind_names[] = {"size", "text", "bool", "word", "address"};

struct setting {
    const char *name;
    enum kind kind;
    size_t offset, room; /* in struct config */
    size_t least, most;
    const char *fallback, *unit, *words, *help;
};

#define FIELD(name) offsetof(struct config, name), sizeof(((struct config *)0)->name)

static const struct setting settings[] = {
#define SETTING_SIZE(name, least, most, fallback, unit, help)                                      \
    {#name, KIND_SIZE, FIELD(name), least, most, #fallback, unit, "", help},
#define SETTING_TEXT(name, fallback, help)                                                         \
    {#name, KIND_TEXT, FIELD(name), 0, 0, fallback, "", "", help},
#define SETTING_BOOL(name, fallback, help)                                                         \
    {#name, KIND_BOOL, FIELD(name), 0, 0, (fallback) ? "true" : "false", "", "", help},
#define SETTING_WORD(name, words, fallback, help)                                                  \
    {#name, KIND_WORD, FIELD(name), 0, 0, fallback, "", words, help},
#define SETTING_ADDRESS(name, fallback, help)                                                      \
    {#name, KIND_ADDRESS, FIELD(name), 0, 0, fallback, "", "", help},
#include "base/settings.def"
#undef SETTING_SIZE
#undef SETTING_TEXT
#undef SETTING_BOOL
#undef SETTING_WORD
#undef SETTING_ADDRESS
};

#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

static size_t setting_index(slice name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (slice_eq(name, slice_text(settings[i].name)))
            return i;
    return SIZE_MAX;
}

/* "strict normal lenient" as "strict, normal or lenient". */
static void words_say(const char *words, char *out, size_t room)
{
    slice rest = slice_text(words), word;
    size_t used = 0;

    while (rest.len > 0) {
        bool more = slice_cut(rest, ' ', &word, &rest);
        bool next_is_last = slice_find_byte(rest, ' ') == SIZE_MAX;
        int bytes = snprintf(out + used, room - used, "%.*s%s", SLICE_ARG(word),
                             !more          ? ""
                             : next_is_last ? " or "
                                            : ", ");

        assert(bytes >= 0 && used + (size_t)bytes < room);
        used += (size_t)bytes;
    }
}

/* What a setting takes, in words. */
static void bounds_say(const struct setting *setting, char *out, size_t room)
{
    switch (setting->kind) {
    case KIND_SIZE:
        (void)snprintf(out, room, "%zu to %zu %s", setting->least, setting->most, setting->unit);
        break;
    case KIND_TEXT:
        (void)snprintf(out, room, "up to %zu bytes of text on one line", setting->room - 1);
        break;
    case KIND_BOOL:
        (void)snprintf(out, room, "true or false");
        break;
    case KIND_WORD:
        words_say(setting->words, out, room);
        break;
    case KIND_ADDRESS:
        (void)snprintf(out, room, "ADDRESS:PORT, [IPV6]:PORT, :PORT or unix:/PATH");
        break;
    }
}

static result refuse(const struct setting *setting, slice value, struct diag *diag)
{
    char bounds[128];

    bounds_say(setting, bounds, sizeof(bounds));
    return diag_fail(diag, ERR_INVALID, "%s = \"%.*s\": takes %s", setting->name,
                     SLICE_ARG(slice_head(value, 200)), bounds);
}

static bool is_one_line(slice value, size_t room)
{
    if (value.len >= room || !utf8_valid(value))
        return false;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return false;
    return true;
}

static bool is_one_of(const char *words, slice value)
{
    slice rest = slice_text(words), word;

    while (rest.len > 0) {
        (void)slice_cut(rest, ' ', &word, &rest);
        if (slice_eq(word, value))
            return true;
    }
    return false;
}

/* The shape alone: whether the address is ours shows when we listen. */
static bool is_address(slice value, size_t room)
{
    uint64_t port;

    if (!is_one_line(value, room))
        return false;
    if (slice_starts(value, SLICE("unix:")))
        return value.len > 6 && value.at[5] == '/';
    const char *colon = value.len > 0 ? memrchr(value.at, ':', value.len) : NULL;
    if (colon == NULL)
        return false;
    slice host = slice_head(value, (size_t)(colon - value.at));
    bool is_bare_ipv6 = slice_find_byte(host, ':') != SIZE_MAX &&
                        !(slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]")));
    return !is_bare_ipv6 && slice_find_byte(value, ' ') == SIZE_MAX &&
           parse_u64(slice_from(value, host.len + 1), &port) && port <= 65535;
}

static void text_set(char *field, size_t room, slice value)
{
    assert(value.len < room);
    memset(field, 0, room);
    if (value.len > 0)
        memcpy(field, value.at, value.len);
}

static bool setting_set(const struct setting *setting, struct config *config, slice value)
{
    char *field = (char *)config + setting->offset;
    size_t number;
    bool truth;

    switch (setting->kind) {
    case KIND_SIZE:
        if (!parse_size(value, &number) || number < setting->least || number > setting->most)
            return false;
        memcpy(field, &number, sizeof(number));
        return true;
    case KIND_BOOL:
        truth = slice_eq(value, SLICE("true"));
        if (!truth && !slice_eq(value, SLICE("false")))
            return false;
        memcpy(field, &truth, sizeof(truth));
        return true;
    case KIND_TEXT:
        if (!is_one_line(value, setting->room))
            return false;
        break;
    case KIND_WORD:
        if (!is_one_of(setting->words, value))
            return false;
        break;
    case KIND_ADDRESS:
        if (!is_address(value, setting->room))
            return false;
        break;
    }
    text_set(field, setting->room, value);
    return true;
}

void config_defaults(struct config *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        bool is_set = setting_set(&settings[i], out, slice_text(settings[i].fallback));

        assert(is_set); /* a default outside its own bounds is our mistake */
    }
}

result config_set(struct config *config, slice name, slice value, struct diag *diag)
{
    size_t index = setting_index(name);

    if (index == SIZE_MAX)
        return diag_fail(diag, ERR_MISSING, "no setting is called \"%.*s\"",
                         SLICE_ARG(slice_head(name, 100)));
    if (!setting_set(&settings[index], config, value))
        return refuse(&settings[index], value, diag);
    return OK;
}

result config_check(const struct config *config, struct diag *diag)
{
    if (config->taxii_page_objects > config->taxii_page_objects_max)
        return diag_fail(diag, ERR_INVALID,
                         "taxii_page_objects = %zu: is more than taxii_page_objects_max = %zu",
                         config->taxii_page_objects, config->taxii_page_objects_max);
    if ((config->tls_certificate_file[0] == '\0') != (config->tls_key_file[0] == '\0'))
        return diag_fail(diag, ERR_INVALID,
                         "tls_certificate_file and tls_key_file: give both or neither");
    return OK;
}

static void value_say(const struct setting *setting, const struct config *config, char *out,
                      size_t room)
{
    const char *field = (const char *)config + setting->offset;
    size_t number;
    bool truth;

    switch (setting->kind) {
    case KIND_SIZE:
        memcpy(&number, field, sizeof(number));
        (void)snprintf(out, room, "%zu", number);
        return;
    case KIND_BOOL:
        memcpy(&truth, field, sizeof(truth));
        (void)snprintf(out, room, "%s", truth ? "true" : "false");
        return;
    case KIND_TEXT:
    case KIND_WORD:
    case KIND_ADDRESS:
        (void)snprintf(out, room, "%s", field);
        return;
    }
}

bool config_item_at(const struct config *config, size_t index, struct config_item *out)
{
    if (index >= SETTING_COUNT)
        return false;
    const struct setting *setting = &settings[index];
    *out = (struct config_item){.name = setting->name,
                                .help = setting->help,
                                .unit = setting->unit,
                                .kind = kind_names[setting->kind]};
    value_say(setting, config, out->value, sizeof(out->value));
    (void)snprintf(out->fallback, sizeof(out->fallback), "%s", setting->fallback);
    bounds_say(setting, out->bounds, sizeof(out->bounds));
    return true;
}

/* ---- the file ---- */

struct loader {
    yaml_parser_t parser; /* owned */
    const char *path;
    struct config config;
    size_t line_of[SETTING_COUNT]; /* where each was set, 0: not yet */
};

static void parser_free(struct loader *loader)
{
    yaml_parser_delete(&loader->parser);
}

static void event_free(yaml_event_t *event)
{
    yaml_event_delete(event);
}

/* "path:line:column: " in front of the words, people's counting from 1. */
static result at(const struct loader *loader, yaml_mark_t mark, result r, struct diag *diag)
{
    return diag_within(diag, r, "%s:%zu:%zu", loader->path, mark.line + 1, mark.column + 1);
}

static result next_event(struct loader *loader, yaml_event_t *event, struct diag *diag)
{
    yaml_parser_t *parser = &loader->parser;

    if (yaml_parser_parse(parser, event))
        return OK;
    result r = diag_fail(diag, ERR_INVALID, "%s",
                         parser->problem != NULL ? parser->problem : "no memory for YAML");
    /* A byte that is no UTF-8 is met before lines are counted. */
    if (parser->error == YAML_READER_ERROR)
        return diag_within(diag, r, "%s: byte %zu", loader->path, parser->problem_offset);
    return at(loader, parser->problem_mark, r, diag);
}

/* One plain value, with nothing that YAML adds to it. */
static result want_scalar(struct loader *loader, const yaml_event_t *event, const char *what,
                          slice *out, struct diag *diag)
{
    if (event->type != YAML_SCALAR_EVENT)
        return at(loader, event->start_mark,
                  diag_fail(diag, ERR_INVALID, "%s is wanted here, not a %s", what,
                            event->type == YAML_ALIAS_EVENT            ? "reference"
                            : event->type == YAML_SEQUENCE_START_EVENT ? "list"
                                                                       : "group of settings"),
                  diag);
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return at(loader, event->start_mark,
                  diag_fail(diag, ERR_INVALID, "anchors and tags have no meaning here"), diag);
    *out = slice_of(event->data.scalar.value, event->data.scalar.length);
    return OK;
}

static result read_setting(struct loader *loader, const yaml_event_t *key, struct diag *diag)
{
    CLEANUP(event_free) yaml_event_t event = {0};
    slice name, value;

    TRY(want_scalar(loader, key, "a setting's name", &name, diag));
    size_t index = setting_index(name);
    if (index == SIZE_MAX)
        return at(loader, key->start_mark,
                  diag_fail(diag, ERR_INVALID, "no setting is called \"%.*s\"",
                            SLICE_ARG(slice_head(name, 100))),
                  diag);
    if (loader->line_of[index] != 0)
        return at(loader, key->start_mark,
                  diag_fail(diag, ERR_INVALID, "%s is set twice, first on line %zu",
                            settings[index].name, loader->line_of[index]),
                  diag);
    loader->line_of[index] = key->start_mark.line + 1;

    TRY(next_event(loader, &event, diag));
    TRY(want_scalar(loader, &event, "one value", &value, diag));
    return at(loader, event.start_mark, config_set(&loader->config, name, value, diag), diag);
}

/* Stream, document, one group of settings, document, stream; an empty file is lawful. */
static result read_settings(struct loader *loader, struct diag *diag)
{
    bool is_in_group = false, was_group = false;

    for (;;) {
        CLEANUP(event_free) yaml_event_t event = {0};

        TRY(next_event(loader, &event, diag));
        switch ((int)event.type) {
        case YAML_STREAM_END_EVENT:
            return OK;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            continue;
        case YAML_DOCUMENT_START_EVENT:
            if (was_group)
                return at(loader, event.start_mark,
                          diag_fail(diag, ERR_INVALID, "a second document starts here"), diag);
            continue;
        case YAML_MAPPING_END_EVENT:
            is_in_group = false;
            continue;
        default:
            break;
        }
        if (is_in_group) {
            TRY(read_setting(loader, &event, diag));
        } else if (event.type == YAML_MAPPING_START_EVENT) {
            is_in_group = was_group = true;
        } else {
            return at(loader, event.start_mark,
                      diag_fail(diag, ERR_INVALID, "settings are written \"name: value\""), diag);
        }
    }
}

static result file_read(const char *path, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    size_t count;

    TRY(source_open(path, &source, diag));
    do {
        char *room = buf_reserve(out, 4096);

        if (room == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: over %d bytes of settings", path,
                             CONFIG_FILE_BYTES_MAX);
        TRY(diag_within(diag, source_read(source, room, 4096, &count, diag), "%s", path));
        out->len += count;
    } while (count > 0);
    return OK;
}

result config_load(const char *path, struct config *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(CONFIG_FILE_BYTES_MAX);

    TRY(file_read(path, &text, diag));

    CLEANUP(parser_free) struct loader loader = {.path = path};
    if (!yaml_parser_initialize(&loader.parser))
        return diag_fail(diag, ERR_LIMIT, "%s: no memory for YAML", path);
    yaml_parser_set_input_string(&loader.parser, (const unsigned char *)text.at, text.len);
    config_defaults(&loader.config);
    TRY(read_settings(&loader, diag));
    TRY(diag_within(diag, config_check(&loader.config, diag), "%s", path));
    *out = loader.config;
    return OK;
}
