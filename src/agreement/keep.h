/* Agreements and partners of a node: an entry of the log for each change, one table derived.
 *
 * Every version of an agreement is kept; in force is the highest that all parties have signed with
 * keys that are known to be theirs: the node's own, and those of partners whose cards people have
 * confirmed.
 */
#pragma once

#include "agreement/document.h"
#include "base/world.h"
#include "kv/kv.h"

extern const char *const keep_tables[];

struct keep_place {
    struct kv *kv;
    kv_table log, table; /* table: handle of keep_tables[0] */
    const struct world *world;
    slice own;          /* the node's identity */
    const uint8_t *key; /* its public key; NULL: none yet */
};

/* Kinds of entries; `value` is JSON. */
#define KEEP_DOCUMENT "agreement.put"    /* a version, whole */
#define KEEP_STATE "agreement.state"     /* "active", "suspended" or "ended" */
#define KEEP_PROPOSE "agreement.propose" /* the version that shall go to the other parties */
#define KEEP_CARD "partner.add"          /* a card */
#define KEEP_CONFIRM "partner.confirm"   /* the key, in base64, that people have compared */
#define KEEP_REMOVE "partner.remove"     /* null */

/* Append one entry and derive the table from it.  ERR_LIMIT: too long for an entry. */
MUST_USE result keep_change(const struct keep_place *place, slice kind, slice id, slice value,
                            slice actor, struct diag *diag);

/* The same with why, in words; empty: not said. */
MUST_USE result keep_change_for(const struct keep_place *place, slice kind, slice id, slice value,
                                slice reason, slice actor, struct diag *diag);

bool keep_apply(const struct keep_place *place, struct kv_txn *txn, slice kind, uint64_t number,
                slice entry); /* false: not a kind of ours */
void keep_clear_derived(const struct keep_place *place, struct kv_txn *txn);

/* "active" unless it was said otherwise.  What another party said of it is kept apart, under the
 * agreement's id, "@" and the party's: each takes back its own word alone. */
slice keep_state(const struct keep_place *place, struct kv_txn *txn, slice id);
bool keep_card(const struct keep_place *place, struct kv_txn *txn, slice partner, slice *card);
bool keep_is_confirmed(const struct keep_place *place, struct kv_txn *txn, slice partner,
                       const uint8_t key[ED25519_PUBLIC_BYTES]);
/* Whose key it is, as people have confirmed; the id stands in the arena. */
bool keep_partner_of_key(const struct keep_place *place, struct kv_txn *txn,
                         const uint8_t key[ED25519_PUBLIC_BYTES], struct arena *arena, slice *id);
/* The nth agreement's or partner's id, in byte order; in the arena.  False past the last. */
bool keep_agreement_at(const struct keep_place *place, struct kv_txn *txn, size_t index,
                       struct arena *arena, slice *id);
bool keep_partner_at(const struct keep_place *place, struct kv_txn *txn, size_t index,
                     struct arena *arena, slice *id);

/* A version, read. */
struct kept {
    struct json_parser *parser; /* owned */
    struct json_doc doc;
    struct value document;
    int64_t version;
    struct hash256 hash;
    const struct signature *signatures; /* all hold */
    size_t signature_count;
    struct agreement terms; /* with state and hash set; is_signed only by known keys */
    slice state; /* of all parties' words the strictest: "active", "suspended", "ended" */
    char hash_text[80];
};
void kept_free(struct kept *kept); /* fits CLEANUP */
/* Where a party is, ISO 3166 alpha-2 as the document has it; "???" when it does not say. */
slice kept_country(const struct kept *kept, slice party, struct arena *arena);

/* version_below: 0 for the newest; else the highest version below.  False: there is none. */
MUST_USE result keep_read(const struct keep_place *place, struct kv_txn *txn, slice id,
                          int64_t version_below, struct arena *arena, struct kept *out, bool *found,
                          struct diag *diag);
/* The version in force or, where none is, the newest. */
MUST_USE result keep_read_in_force(const struct keep_place *place, struct kv_txn *txn, slice id,
                                   struct arena *arena, struct kept *out, bool *found,
                                   struct diag *diag);
