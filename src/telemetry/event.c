#include "telemetry/event.h"

#include "base/fault.h"
#include "stix/object.h"
#include "stix/url.h"

#include "base/banned.h"

#define EVENT_ARENA_BYTES_MAX ((size_t)128 << 20) /* a line of 16 MiB, unescaped and normalised */

void event_begin(struct event_builder *builder, slice line)
{
    arena_reset(&builder->arena);
    builder->arena.budget_bytes = EVENT_ARENA_BYTES_MAX;
    builder->line = line;
    builder->count = builder->group_count = 0;
    builder->object_count = 0;
    for (size_t i = 0; i < URL_PART_COUNT; i++)
        builder->url[i] = SLICE_NONE;
    builder->has_time = builder->is_cut = builder->is_full = false;
}

void event_free(struct event_builder *builder)
{
    arena_free(&builder->arena);
    table_free(builder->observables);
    builder->observables = NULL;
}

/* ---- objects ---- */

/* One property is all there is of these; each value is an object of its own. */
static bool is_single(slice type)
{
    static const slice types[] = {S("ipv4-addr"), S("ipv6-addr"),  S("domain-name"),
                                  S("url"),       S("email-addr"), S("mac-addr")};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_eq(type, types[i]))
            return true;
    return false;
}

static uint32_t object_of(struct event_builder *builder, slice path, slice label, uint32_t element)
{
    slice type = slice_head(path, slice_find_byte(path, ':'));
    uint32_t object = builder->object_count;

    if (slice_eq(label, SLICE(".")))
        element = 0;
    if (!is_single(type)) {
        for (size_t i = 0; i < builder->group_count; i++) {
            const struct event_group *group = &builder->groups[i];

            if (group->element == element && slice_eq(group->type, type) &&
                slice_eq(group->label, label))
                return group->object;
        }
        if (builder->group_count < EVENT_GROUPS_MAX)
            builder->groups[builder->group_count++] =
                (struct event_group){type, label, element, object};
    }
    builder->object_count++;
    return object;
}

void event_put(struct event_builder *builder, slice path, slice label, slice value,
               const struct event_field *field)
{
    struct telemetry_observable *table;

    if (value.len == 0 || builder->is_full)
        return;
    if (builder->count == TELEMETRY_OBSERVABLES_MAX) {
        builder->is_cut = true;
        return;
    }
    value = stix_value_normal(path, value, &builder->arena);
    table = table_grow(builder->observables, &builder->capacity, builder->count + 1,
                       TELEMETRY_OBSERVABLES_MAX, sizeof(*table));
    builder->observables = table != NULL ? table : builder->observables;
    if (FAULT_HERE() || table == NULL || value.at == NULL) {
        builder->is_full = true;
        return;
    }
    table[builder->count++] = (struct telemetry_observable){
        .path = path,
        .value = value,
        .raw = field->raw,
        .field = field->name,
        .offset = field->raw.len > 0 ? (size_t)(field->raw.at - builder->line.at) : 0,
        .object = object_of(builder, path, label, field->element),
    };
}

/* ---- what a value is ---- */

/* An IPv4 address in its IPv6 form is both. */
static void mapped_put(struct event_builder *builder, slice value, const struct event_field *field)
{
    slice normal = stix_value_normal(SLICE("ipv6-addr:value"), value, &builder->arena);
    slice head = SLICE("::ffff:"), inner = slice_from(normal, head.len);

    if (normal.at != NULL && slice_starts(normal, head) && address_form(inner) == ADDRESS_V4 &&
        slice_find_byte(inner, '/') == SIZE_MAX)
        event_put(builder, SLICE("ipv4-addr:value"), SLICE(""), inner, field);
}

bool event_put_address(struct event_builder *builder, slice value, const struct event_field *field,
                       slice path, slice label)
{
    size_t zone = slice_find_byte(value, '%'); /* "fe80::1%eth0" */
    enum address_form form;

    if (zone != SIZE_MAX && slice_find_byte(value, ':') < zone)
        value = slice_head(value, zone);
    form = address_form(value);
    if (form == ADDRESS_NONE)
        return false;
    slice own = form == ADDRESS_V4 ? SLICE("ipv4-addr:value") : SLICE("ipv6-addr:value");
    slice normal = stix_value_normal(own, value, &builder->arena);
    event_put(builder, own, SLICE(""), normal, field);
    if (form == ADDRESS_V6)
        mapped_put(builder, value, field);
    if (path.len > 0)
        event_put(builder, path, label, normal, field);
    return true;
}

/* A name given by a field that holds names: what cannot be one (spaces, "@", "/") is left out. */
static bool name_put(struct event_builder *builder, slice value, const struct event_field *field)
{
    for (size_t i = 0; i < value.len; i++)
        if ((uint8_t)value.at[i] <= ' ' || value.at[i] == '@' || value.at[i] == '/' ||
            value.at[i] == 0x7F)
            return false;
    if (value.len > 0 && !slice_eq(value, SLICE("-")) && !slice_eq(value, SLICE(".")))
        event_put(builder, SLICE("domain-name:value"), SLICE(""), value, field);
    return true;
}

bool event_put_host(struct event_builder *builder, slice value, const struct event_field *field)
{
    slice host, port;

    if (event_put_address(builder, value, field, SLICE(""), SLICE("")))
        return true;
    if (!host_split(value, &host, &port))
        return false;
    return event_put_address(builder, host, field, SLICE(""), SLICE("")) ||
           name_put(builder, host, field);
}

void event_put_url(struct event_builder *builder, slice value, const struct event_field *field)
{
    struct url_parts parts;
    slice normal;

    if (!url_split(value, &parts))
        return;
    normal = url_normal(value, &builder->arena);
    builder->is_full = builder->is_full || normal.at == NULL;
    event_put(builder, SLICE("url:value"), SLICE(""), normal, field);
    (void)event_put_host(builder, parts.host, field); /* a host that is none is left out */
}

bool event_put_email(struct event_builder *builder, slice value, const struct event_field *field,
                     slice path, slice label)
{
    size_t at = slice_find_byte(value, '@');
    slice host = slice_from(value, at == SIZE_MAX ? value.len : at + 1);

    if (at == SIZE_MAX || at == 0 || host.len == 0 || slice_find_byte(host, '@') != SIZE_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if ((uint8_t)value.at[i] <= ' ')
            return false;
    slice normal = stix_value_normal(SLICE("email-addr:value"), value, &builder->arena);
    event_put(builder, SLICE("email-addr:value"), SLICE(""), normal, field);
    if (path.len > 0)
        event_put(builder, path, label, normal, field);
    if (domain_is_well_formed(host))
        event_put(builder, SLICE("domain-name:value"), SLICE(""), host, field);
    return true;
}

/* Without the colons that fingerprints are written with. */
static slice without_colons(struct event_builder *builder, slice value)
{
    char *text;
    size_t len = 0;

    if (slice_find_byte(value, ':') == SIZE_MAX)
        return value;
    text = arena_new(&builder->arena, char, value.len);
    builder->is_full = builder->is_full || text == NULL;
    for (size_t i = 0; text != NULL && i < value.len; i++)
        if (value.at[i] != ':')
            text[len++] = value.at[i];
    return slice_of(text, len);
}

bool event_put_hash(struct event_builder *builder, slice value, const struct event_field *field,
                    slice path, slice label)
{
    slice digits = without_colons(builder, value), algorithm = hash_algorithm(digits);

    if (algorithm.len == 0)
        return false;
    slice whole = arena_printf(&builder->arena, "%.*s.%.*s", SLICE_ARG(path), SLICE_ARG(algorithm));
    builder->is_full = builder->is_full || whole.at == NULL;
    event_put(builder, whole, label, digits, field);
    return true;
}

/* ---- kinds ---- */

static slice lower(struct event_builder *builder, slice value)
{
    slice copy = SLICE_NONE;
    char *text = arena_new(&builder->arena, char, value.len + 1);

    builder->is_full = builder->is_full || text == NULL;
    for (size_t i = 0; text != NULL && i < value.len; i++) {
        char c = value.at[i];

        text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        copy = slice_of(text, i + 1);
    }
    return copy;
}

/* One of several things with separators between; where it stands in the line when that is told by
 * the value. */
static bool part_next(const struct event_field *field, const char *separators, slice *rest,
                      struct event_field *part)
{
    size_t start = 0, end;

    while (start < rest->len && rest->at[start] != '\0' && strchr(separators, rest->at[start]))
        start++;
    *rest = slice_from(*rest, start);
    for (end = 0; end < rest->len; end++)
        if (rest->at[end] == '\0' || strchr(separators, rest->at[end]) != NULL)
            break;
    *part = *field;
    part->value = slice_head(*rest, end);
    if (field->raw.at == field->value.at)
        part->raw = part->value;
    *rest = slice_from(*rest, end + (end == 0 && rest->len > 0 ? 1 : 0));
    return part->value.len > 0 || rest->len > 0;
}

static void addresses_take(struct event_builder *builder, const struct map_rule *rule, slice path,
                           const struct event_field *field)
{
    /* A flow's ends belong to the event's one flow, as its ports do. */
    slice label =
        rule->label.len == 0 && (rule->kind == KIND_SOURCE || rule->kind == KIND_DESTINATION)
            ? SLICE(".")
            : rule->label;
    slice rest = field->value, host, port;
    struct event_field part;

    while (part_next(field, ", ;\t", &rest, &part))
        if (!event_put_address(builder, part.value, &part, path, label) &&
            host_split(part.value, &host, &port))
            (void)event_put_address(builder, host, &part, path, label); /* names are no
                                                                                 addresses */
}

/* "Bob" <bob@a.example>, <c@d.example>: what stands in the angles, else what holds an "@". */
static void emails_take(struct event_builder *builder, const struct map_rule *rule,
                        const struct event_field *field)
{
    slice rest = field->value;
    struct event_field part;

    while (part_next(field, ", ;\t<>\"()\r\n", &rest, &part)) {
        if (slice_starts(part.value, SLICE("mailto:")))
            part.value = slice_from(part.value, 7);
        /* What is not a mail address is the name in front of one. */
        (void)event_put_email(builder, part.value, &part, rule->path, rule->label);
    }
}

static void file_take(struct event_builder *builder, const struct map_rule *rule,
                      const struct event_field *field)
{
    slice value = field->value, name = value;

    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] == '/' || value.at[i] == '\\')
            name = slice_from(value, i + 1);
    event_put(builder, SLICE("file:name"), rule->label, name, field);
    if (name.len + 1 < value.len)
        event_put(builder, SLICE("file:parent_directory_ref.path"), rule->label,
                  slice_head(value, value.len - name.len - 1), field);
    if (name.len < value.len)
        event_put(builder, SLICE("file:x_path"), rule->label, value, field);
    if (rule->path.len > 0 && !slice_starts(rule->path, SLICE("file:")))
        event_put(builder, rule->path, rule->label, name, field);
}

static void hashes_take(struct event_builder *builder, const struct map_rule *rule,
                        const struct event_field *field)
{
    slice rest = field->value, name, digits;
    struct event_field part;

    while (part_next(field, ", ;", &rest, &part)) {
        if (slice_cut(part.value, '=', &name, &digits) && slice_eq_nocase(name, SLICE("IMPHASH"))) {
            event_put(builder, SLICE("file:x_imphash"), rule->label, lower(builder, digits), &part);
            continue;
        }
        /* A hash of no length we know has no name in STIX. */
        (void)event_put_hash(builder, digits.len > 0 ? digits : part.value, &part, rule->path,
                             rule->label);
    }
}

static void number_take(struct event_builder *builder, const struct map_rule *rule,
                        const struct event_field *field)
{
    uint64_t number;

    if (parse_u64(field->value, &number))
        event_put(builder, rule->path, rule->label, field->value, field);
}

/* A field of URLs also holds what is none: "a.example/b" without a scheme, CONNECT's
 * "a.example:443". */
static void url_take(struct event_builder *builder, const struct event_field *field)
{
    struct url_parts parts;

    if (url_split(field->value, &parts))
        event_put_url(builder, field->value, field);
    else
        tokens_take(builder, field);
}

static void url_part_take(struct event_builder *builder, const struct map_rule *rule,
                          const struct event_field *field)
{
    int part = (int)rule->kind - (int)KIND_URL_SCHEME + URL_PART_SCHEME;

    if (builder->url[part].len == 0)
        builder->url[part] = field->value;
    if (part == URL_PART_PATH)
        builder->url_field = field->name;
    if (part == URL_PART_HOST)
        (void)event_put_host(builder, field->value, field); /* "user@host" is no host */
    if (part == URL_PART_PATH && field->value.len > 0 && field->value.at[0] != '/')
        url_take(builder, field);
}

static void time_take(struct event_builder *builder, slice value)
{
    if (!builder->has_time)
        builder->has_time = when_parse(value, builder->now_us, &builder->time_us);
}

static void name_take(struct event_builder *builder, const struct map_rule *rule,
                      const struct event_field *field)
{
    slice host, port, none = SLICE("");
    bool is_host = host_split(field->value, &host, &port);

    if (event_put_address(builder, field->value, field, none, none))
        return;
    if (is_host && rule->kind != KIND_HOST && event_put_address(builder, host, field, none, none))
        return;
    if (rule->kind == KIND_HOST)
        (void)event_put_host(builder, field->value, field); /* what is no host is left out */
    else if (rule->kind == KIND_DOMAIN || (is_host && domain_is_well_formed(host)))
        (void)name_put(builder, is_host ? host : field->value, field); /* likewise */
}

static void rule_apply(struct event_builder *builder, const struct map_rule *rule,
                       const struct event_field *field)
{
    switch (rule->kind) {
    case KIND_TIME:
        time_take(builder, field->value);
        return;
    case KIND_SOURCE:
        addresses_take(builder, rule, SLICE("network-traffic:src_ref.value"), field);
        return;
    case KIND_DESTINATION:
        addresses_take(builder, rule, SLICE("network-traffic:dst_ref.value"), field);
        return;
    case KIND_ADDRESS:
        addresses_take(builder, rule, rule->path, field);
        return;
    case KIND_HOST:
    case KIND_DOMAIN:
    case KIND_ANSWER:
        name_take(builder, rule, field);
        return;
    case KIND_URL:
        url_take(builder, field);
        return;
    case KIND_URL_SCHEME:
    case KIND_URL_HOST:
    case KIND_URL_PORT:
    case KIND_URL_PATH:
    case KIND_URL_QUERY:
        url_part_take(builder, rule, field);
        return;
    case KIND_EMAIL:
        emails_take(builder, rule, field);
        return;
    case KIND_HASH:
        /* What has no hash's length is none. */
        (void)event_put_hash(builder, field->value, field, rule->path, rule->label);
        return;
    case KIND_HASHES:
        hashes_take(builder, rule, field);
        return;
    case KIND_FILE:
        file_take(builder, rule, field);
        return;
    case KIND_MAC:
        event_put(builder, SLICE("mac-addr:value"), SLICE(""), field->value, field);
        return;
    case KIND_TEXT:
        event_put(builder, rule->path, rule->label, field->value, field);
        return;
    case KIND_LOWER:
        event_put(builder, rule->path, rule->label, lower(builder, field->value), field);
        return;
    case KIND_SERIAL:
        event_put(builder, rule->path, rule->label,
                  lower(builder, without_colons(builder, field->value)), field);
        return;
    case KIND_NUMBER:
        number_take(builder, rule, field);
        return;
    case KIND_TOKENS:
        tokens_take(builder, field);
        return;
    case KIND_IGNORE:
        return;
    }
}

void event_take(struct event_builder *builder, const struct event_field *field)
{
    const struct map_rule *rule = map_rule_find(builder->map, field->name);
    struct event_field named = *field;

    if (field->value.len == 0)
        return;
    if (rule == NULL) {
        if (builder->map->rest == NULL)
            return;
        /* The shape's name of the field may be gone with the next one. */
        named.name = arena_copy(&builder->arena, field->name);
        rule_apply(builder, builder->map->rest, &named);
        return;
    }
    for (; rule != NULL; rule = map_rule_next(builder->map, rule, field->name)) {
        named.name = rule->field;
        rule_apply(builder, rule, &named);
    }
}

void event_take_raw(struct event_builder *builder, slice name, slice value)
{
    event_take(builder, &(struct event_field){.name = name, .value = value, .raw = value});
}

/* ---- the end ---- */

/* scheme://host[:port]path[?query] from their fields; a port that the host brings stays. */
static void url_compose(struct event_builder *builder)
{
    const slice *url = builder->url;
    struct event_field field = {.name = builder->url_field};
    slice host = url[URL_PART_HOST], path = url[URL_PART_PATH], whole;
    slice scheme = url[URL_PART_SCHEME].len > 0 ? url[URL_PART_SCHEME] : SLICE("http");
    bool is_v6 = address_form(host) == ADDRESS_V6;
    bool has_port =
        !is_v6 && slice_find_byte(host, ':') != SIZE_MAX && host.at[host.len - 1] != ']';

    if (host.len == 0 || path.len == 0 || path.at[0] != '/')
        return;
    whole = arena_printf(
        &builder->arena, "%.*s://%s%.*s%s%s%.*s%.*s%s%.*s", SLICE_ARG(scheme), is_v6 ? "[" : "",
        SLICE_ARG(host), is_v6 ? "]" : "", url[URL_PART_PORT].len > 0 && !has_port ? ":" : "",
        has_port ? 0 : (int)url[URL_PART_PORT].len, url[URL_PART_PORT].at, SLICE_ARG(path),
        url[URL_PART_QUERY].len > 0 ? "?" : "", SLICE_ARG(url[URL_PART_QUERY]));
    builder->is_full = builder->is_full || whole.at == NULL;
    if (whole.at != NULL)
        event_put(builder, SLICE("url:value"), SLICE(""), url_normal(whole, &builder->arena),
                  &field);
}

result event_end(struct event_builder *builder, struct telemetry_event *out, struct diag *diag)
{
    url_compose(builder);
    if (builder->is_full || builder->arena.overflowed)
        return diag_fail(diag, ERR_LIMIT, "the line needs more than %zu bytes to be read",
                         EVENT_ARENA_BYTES_MAX);
    *out = (struct telemetry_event){
        .line = builder->line,
        .observables = builder->observables,
        .count = builder->count,
        .time_us = builder->time_us,
        .has_time = builder->has_time,
        .is_cut = builder->is_cut,
    };
    return OK;
}
