#include "scan/report.h"

#include <stdio.h>

#include "json/json.h"
#include "json/write.h"

#include "base/banned.h"

/* What can stand alone: an object of a type with one property.  number: its value is an integer. */
static const struct {
    slice type, property;
    bool number, is_hash;
} shapes[] = {
    {S("ipv4-addr"), S("value"), false, false},
    {S("ipv6-addr"), S("value"), false, false},
    {S("mac-addr"), S("value"), false, false},
    {S("domain-name"), S("value"), false, false},
    {S("url"), S("value"), false, false},
    {S("email-addr"), S("value"), false, false},
    {S("file"), S("name"), false, false},
    {S("file"), S("hashes."), false, true},
    {S("x509-certificate"), S("hashes."), false, true},
    {S("x509-certificate"), S("serial_number"), false, false},
    {S("x509-certificate"), S("subject"), false, false},
    {S("x509-certificate"), S("issuer"), false, false},
    {S("directory"), S("path"), false, false},
    {S("mutex"), S("name"), false, false},
    {S("process"), S("command_line"), false, false},
    {S("software"), S("name"), false, false},
    {S("user-account"), S("user_id"), false, false},
    {S("user-account"), S("account_login"), false, false},
    {S("windows-registry-key"), S("key"), false, false},
    {S("autonomous-system"), S("number"), true, false},
};
#define SHAPE_COUNT (sizeof(shapes) / sizeof(shapes[0]))

static size_t shape_of(slice path)
{
    slice type, property;

    if (!slice_cut(path, ':', &type, &property))
        return SHAPE_COUNT;
    for (size_t i = 0; i < SHAPE_COUNT; i++)
        if (slice_eq(type, shapes[i].type) &&
            (shapes[i].is_hash ? slice_starts(property, shapes[i].property)
                               : slice_eq(property, shapes[i].property)))
            return i;
    return SHAPE_COUNT;
}

/* "file:hashes.'SHA-256'": SHA-256. */
static slice algorithm_of(slice path)
{
    slice name = slice_from(path, slice_find_byte(path, '.') + 1);

    if (name.len >= 2 && name.at[0] == '\'')
        name = slice_of(name.at + 1, name.len - 2);
    return stix_hash_name(name);
}

static void members_write(struct json_writer *w, size_t shape, slice path, slice value)
{
    jw_put_string(w, SLICE("type"), shapes[shape].type);
    jw_put_string(w, SLICE("spec_version"), SLICE("2.1"));
    if (shapes[shape].is_hash) {
        jw_key(w, SLICE("hashes"));
        jw_object_begin(w);
        jw_put_string(w, algorithm_of(path), value);
        jw_object_end(w);
        return;
    }
    jw_key(w, shapes[shape].property);
    if (shapes[shape].number)
        jw_raw(w, value);
    else
        jw_string(w, value);
}

bool report_observable(const struct report_identity *identity, struct json_parser *parser,
                       slice path, slice value, struct buf *json, char id[STIX_ID_BYTES_MAX + 1])
{
    CLEANUP(buf_free) struct buf bare = BUF(8 * REPORT_VALUE_BYTES_MAX);
    CLEANUP(buf_free) struct buf scratch = BUF(8 * REPORT_VALUE_BYTES_MAX);
    struct json_writer w = JSON_WRITER(&bare);
    size_t shape = shape_of(path);
    struct json_doc doc;
    struct uuid uuid;
    uint64_t number;
    char text[UUID_TEXT_BYTES];

    if (shape == SHAPE_COUNT || value.len == 0 || value.len > REPORT_VALUE_BYTES_MAX ||
        (shapes[shape].number && !parse_u64(value, &number)))
        return false;
    jw_object_begin(&w);
    members_write(&w, shape, path, value);
    jw_object_end(&w);
    if (bare.overflowed || failed(json_parse_copy(parser, buf_slice(&bare), &doc, NULL)))
        return false;
    /* A type without an id of its own kind gets one from the node. */
    if (stix_sco_id(&doc, doc.nodes, &scratch, &uuid)) {
        uuid_format(&uuid, text);
        (void)snprintf(id, STIX_ID_BYTES_MAX + 1, "%.*s--%.*s", SLICE_ARG(shapes[shape].type),
                       UUID_TEXT_BYTES, text);
    } else {
        report_id(identity, shapes[shape].type.at, buf_slice(&bare), id);
    }
    struct json_writer whole = JSON_WRITER(json);
    jw_object_begin(&whole);
    jw_put_string(&whole, SLICE("id"), slice_text(id));
    members_write(&whole, shape, path, value);
    jw_object_end(&whole);
    return !json->overflowed;
}
