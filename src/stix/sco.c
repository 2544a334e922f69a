#include "stix/check.h"
#include "json/canonical.h"

#include "base/banned.h"

#define CONTRIBUTING_MAX 8
#define NAME_BYTES_USUAL 1024
#define NAME_BYTES_MAX ((size_t)64 << 20)

/* STIX 2.1, 2.9: the name space of observables' ids. */
static const struct uuid name_space = {{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01,
                                        0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}};

/* STIX 2.1, 6: the ID contributing properties, in the order RFC 8785 sorts them. */
static const struct contributing {
    uint8_t shape; /* enum shape_id */
    slice names[CONTRIBUTING_MAX];
} contributing[] = {
    {SHAPE_ARTIFACT, {S("hashes"), S("payload_bin")}},
    {SHAPE_AUTONOMOUS_SYSTEM, {S("number")}},
    {SHAPE_DIRECTORY, {S("path")}},
    {SHAPE_DOMAIN_NAME, {S("value")}},
    {SHAPE_EMAIL_ADDR, {S("value")}},
    {SHAPE_EMAIL_MESSAGE, {S("body"), S("from_ref"), S("subject")}},
    {SHAPE_FILE, {S("extensions"), S("hashes"), S("name"), S("parent_directory_ref")}},
    {SHAPE_IPV4_ADDR, {S("value")}},
    {SHAPE_IPV6_ADDR, {S("value")}},
    {SHAPE_MAC_ADDR, {S("value")}},
    {SHAPE_MUTEX, {S("name")}},
    {SHAPE_NETWORK_TRAFFIC,
     {S("dst_port"), S("dst_ref"), S("end"), S("extensions"), S("protocols"), S("src_port"),
      S("src_ref"), S("start")}},
    {SHAPE_SOFTWARE, {S("cpe"), S("name"), S("swid"), S("vendor"), S("version")}},
    {SHAPE_URL_OBJECT, {S("value")}},
    {SHAPE_USER_ACCOUNT, {S("account_login"), S("account_type"), S("user_id")}},
    {SHAPE_REGISTRY_KEY, {S("key"), S("values")}},
    {SHAPE_X509_CERTIFICATE, {S("hashes"), S("serial_number")}},
};

static const struct contributing *contributing_of(const struct json_doc *doc,
                                                  const struct json_node *object)
{
    const struct json_node *type = json_get(doc, object, SLICE("type"));
    const struct shape *shape;

    if (type == NULL || type->kind != JSON_STRING)
        return NULL;
    schema_start();
    shape = schema_type(json_inner(doc, type));
    for (size_t i = 0; shape != NULL && i < sizeof(contributing) / sizeof(contributing[0]); i++) {
        if (contributing[i].shape == shape->id)
            return &contributing[i];
    }
    return NULL;
}

/* STIX 2.1, 6.7: of several hashes one counts, the first of these that is there; else the first
 * at all. */
static const struct json_node *hash_that_counts(const struct json_doc *doc,
                                                const struct json_node *hashes, slice *name)
{
    static const slice preferred[] = {S("MD5"), S("SHA-1"), S("SHA-256"), S("SHA-512")};
    struct json_each first = json_each(doc, hashes);

    for (size_t i = 0; i < sizeof(preferred) / sizeof(preferred[0]); i++) {
        const struct json_node *hash = json_get(doc, hashes, preferred[i]);

        *name = preferred[i];
        if (hash != NULL)
            return hash;
    }
    if (!json_next(&first))
        return NULL;
    *name = json_inner(doc, first.key);
    return first.value;
}

static bool put_value(const struct json_doc *doc, slice name, const struct json_node *value,
                      struct buf *out)
{
    slice algorithm;
    bool is_hashes = slice_eq(name, SLICE("hashes"));

    if (is_hashes) {
        if (value->kind != JSON_OBJECT ||
            (value = hash_that_counts(doc, value, &algorithm)) == NULL)
            return false;
        buf_put(out, SLICE("{\""));
        buf_put(out, algorithm);
        buf_put(out, SLICE("\":"));
    }
    if (failed(json_canonical(doc, value, out, NULL)))
        return false;
    if (is_hashes)
        buf_byte(out, '}');
    return true;
}

bool stix_sco_id(const struct json_doc *doc, const struct json_node *object, struct buf *scratch,
                 struct uuid *out)
{
    const struct contributing *from = contributing_of(doc, object);
    size_t count = 0;

    if (from == NULL)
        return false;
    buf_reset(scratch);
    for (size_t i = 0; i < CONTRIBUTING_MAX && from->names[i].len > 0; i++) {
        const struct json_node *value = json_get(doc, object, from->names[i]);

        if (value == NULL)
            continue;
        buf_put(scratch, count++ == 0 ? SLICE("{\"") : SLICE(",\""));
        buf_put(scratch, from->names[i]);
        buf_put(scratch, SLICE("\":"));
        if (!put_value(doc, from->names[i], value, scratch))
            return false;
    }
    buf_byte(scratch, '}');
    if (count == 0 || scratch->overflowed)
        return false;
    *out = uuid_v5(&name_space, buf_slice(scratch));
    return true;
}

/* Nearly all names are short; the heap is for the others. */
static bool derived_id(struct check *c, const struct json_node *object, struct uuid *out)
{
    char text[NAME_BYTES_USUAL];
    struct buf usual = {.at = text, .capacity = sizeof(text), .ceiling = sizeof(text)};
    CLEANUP(buf_free) struct buf large = BUF(NAME_BYTES_MAX);

    if (stix_sco_id(c->doc, object, &usual, out))
        return true;
    return usual.overflowed && stix_sco_id(c->doc, object, &large, out);
}

static bool has_contributing(struct check *c, const struct json_node *object)
{
    const struct contributing *from = contributing_of(c->doc, object);

    for (size_t i = 0; from != NULL && i < CONTRIBUTING_MAX && from->names[i].len > 0; i++) {
        if (json_get(c->doc, object, from->names[i]) != NULL)
            return true;
    }
    return false;
}

/* STIX 2.1, 2.9 and 3.4 */
void check_sco_id(struct check *c, const struct json_node *object)
{
    const struct stix_id *id = &c->out->id;
    char text[UUID_TEXT_BYTES];
    struct uuid derived;

    if (id->type.len == 0 || !rule_looked_at(c, RULE_SCO_ID))
        return;
    bool is_named = uuid_version(&id->uuid) == 5;
    if (is_named && !has_contributing(c, object)) {
        find(c, RULE_SCO_ID, object, SLICE("id"),
             "is of version 5, but no property is there to derive it from");
        return;
    }
    if (!derived_id(c, object, &derived))
        return;
    uuid_format(&derived, text);
    if (is_named && !uuid_eq(&derived, &id->uuid))
        find(c, RULE_SCO_ID, object, SLICE("id"), "its content gives %.*s--%.*s",
             SLICE_ARG(id->type), (int)sizeof(text), text);
    else if (!is_named)
        find(c, RULE_SCO_ID_SHOULD, object, SLICE("id"), "would better be %.*s--%.*s",
             SLICE_ARG(id->type), (int)sizeof(text), text);
}
