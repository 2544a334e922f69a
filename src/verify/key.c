/* Public keys as text: vkeys of C2SP signed-note. */
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

#define KEY_ID_BYTES 4
#define MATERIAL_BYTES_MAX 2048 /* ML-DSA-44 has 1,313 with its type */

static bool hex_id_parse(struct entente_bytes text, uint8_t id[KEY_ID_BYTES])
{
    if (text.count != 2 * (size_t)KEY_ID_BYTES)
        return false;
    memset(id, 0, KEY_ID_BYTES);
    for (size_t i = 0; i < text.count; i++) {
        uint8_t digit = text.at[i];

        if (digit >= '0' && digit <= '9')
            digit = (uint8_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            digit = (uint8_t)(digit - 'a' + 10);
        else
            return false;
        id[i / 2] = (uint8_t)(id[i / 2] << 4 | digit);
    }
    return true;
}

/* The first bytes of SHA-256(name || "\n" || type || public key). */
static void id_of(struct entente_bytes name, struct entente_bytes material,
                  uint8_t id[KEY_ID_BYTES])
{
    const struct entente_bytes pieces[] = {name, BYTES("\n"), material};
    struct entente_hash hash = hash_pieces(pieces, 3);

    memcpy(id, hash.bytes, KEY_ID_BYTES);
}

/* Both known types hold 32 bytes of Ed25519; what others hold is not looked at. */
static bool material_take(const uint8_t *material, size_t count, struct entente_key *out)
{
    if (count < 2)
        return false;
    out->kind = material[0] == ENTENTE_KEY_LOG       ? ENTENTE_KEY_LOG
                : material[0] == ENTENTE_KEY_WITNESS ? ENTENTE_KEY_WITNESS
                                                     : ENTENTE_KEY_OTHER;
    if (out->kind == ENTENTE_KEY_OTHER)
        return true;
    if (count != 1 + sizeof(out->public_key))
        return false;
    memcpy(out->public_key, material + 1, sizeof(out->public_key));
    return true;
}

bool entente_key_parse(struct entente_bytes vkey, struct entente_key *out, struct entente_why *why)
{
    uint8_t material[MATERIAL_BYTES_MAX], id[KEY_ID_BYTES];
    struct entente_bytes rest = vkey, name, id_text;
    size_t count;

    memset(out, 0, sizeof(*out));
    if (!bytes_cut(&rest, '+', &name) || !bytes_cut(&rest, '+', &id_text))
        return refuse(why, "\"%.*s\" is no key: takes NAME+ID+BASE64", SHOWN(vkey));
    if (!name_is_plain(name) || name.count > ENTENTE_NAME_BYTES_MAX)
        return refuse(why, "key \"%.*s\": its name has a space, or none or over %d bytes",
                      SHOWN(name), ENTENTE_NAME_BYTES_MAX);
    if (!hex_id_parse(id_text, out->id))
        return refuse(why, "key %.*s: its id is not 8 hexadecimal digits", SHOWN(name));
    if (!base64_parse(rest, material, sizeof(material), &count) ||
        !material_take(material, count, out))
        return refuse(why, "key %.*s: its last part is not base64 of a type and a key",
                      SHOWN(name));
    /* Ids of other types may follow another rule (type 2 does). */
    id_of(name, (struct entente_bytes){material, count}, id);
    if (out->kind != ENTENTE_KEY_OTHER && memcmp(id, out->id, sizeof(id)) != 0)
        return refuse(why, "key %.*s: its id does not follow from its name and key: a typing error",
                      SHOWN(name));
    memcpy(out->name, name.at, name.count);
    return true;
}

bool entente_keys_parse(struct entente_bytes file, struct entente_key *keys, size_t capacity,
                        size_t *count, struct entente_why *why)
{
    struct entente_bytes line;

    for (size_t number = 1; file.count > 0; number++) {
        struct entente_key key;

        if (!line_next(&file, &line)) { /* the last line may lack its line feed */
            line = file;
            file = bytes_from(file, file.count);
        }
        if (line.count == 0 || line.at[0] == '#')
            continue;
        if (!entente_key_parse(line, &key, why))
            return refuse_within(why, "line %zu", number);
        if (key.kind == ENTENTE_KEY_OTHER)
            continue;
        if (*count >= capacity)
            return refuse(why, "line %zu: over %zu keys", number, capacity);
        keys[(*count)++] = key;
    }
    return true;
}
