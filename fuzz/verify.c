/* Files of a ledger: notes, proofs, proofs of consistency, bundles, key files. */
#include <assert.h>
#include <string.h>

#include "entente/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The keys that signed the seeds. */
static const char *const vkeys[] = {
    "harbour.example/ledger+164abfd0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
    "lighthouse.example/witness+2324e082+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
};

static struct entente_key keys[2];

static void keys_make(void)
{
    struct entente_why why;

    if (keys[0].name[0] != '\0')
        return;
    assert(entente_start());
    for (size_t i = 0; i < 2; i++)
        assert(entente_key_parse(
            (struct entente_bytes){(const uint8_t *)vkeys[i], strlen(vkeys[i])}, &keys[i], &why));
}

static size_t sum(struct entente_bytes bytes)
{
    size_t total = 0;

    for (size_t i = 0; i < bytes.count; i++)
        total += bytes.at[i];
    return total;
}

/* What nobody could know who has not the keys is not proven: a seed's head is all there is. */
static void document_try(const struct entente_document *document, const struct entente_trust *trust)
{
    static uint8_t room[ENTENTE_ENTRY_BYTES_MAX];
    struct entente_why why = {0};
    struct entente_head head;
    struct entente_proof proof;
    struct entente_consistency growth;
    struct entente_bundle bundle;
    struct entente_bytes entry;
    struct entente_hash old = {{0}};
    uint64_t number, last = 0, count = 0;

    if (entente_head_check(document->bytes, trust, &head, &why))
        assert(head.key == &keys[0] && sum(head.origin) > 0);
    else
        assert(why.text[0] != '\0');
    if (entente_proof_check(document->bytes, trust, room, &proof, &why))
        assert(proof.index < proof.head.size && sum(proof.entry) > 0);
    (void)entente_consistency_file_check(document->bytes, trust, &old, &growth, &why);
    if (!entente_bundle_check(document->bytes, trust, &bundle, &why))
        return;
    (void)sum(bundle.filter);
    for (; entente_bundle_next(&bundle.lines, &number, &entry); count++) {
        (void)sum(entry);
        assert(number < bundle.head.size && (count == 0 || number > last));
        last = number;
    }
    assert(count == bundle.entry_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entente_trust trust = {.keys = keys, .key_count = 2, .quorum = 1};
    struct entente_bytes rest = {data, size};
    struct entente_document document;
    struct entente_key read[4];
    struct entente_why why;
    size_t count = 0, bytes = 0;

    keys_make();
    while (entente_document_next(&rest, &document)) {
        assert(document.bytes.count > 0);
        bytes += document.bytes.count;
        document_try(&document, &trust);
    }
    assert(bytes == size);
    (void)entente_keys_parse((struct entente_bytes){data, size}, read, 4, &count, &why);
    assert(count <= 4);
    return 0;
}
