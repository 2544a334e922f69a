/* Whatever is altered in a file, what is still proven is true. */
#include <unistd.h>

#include "verify/altering.h"
#include "verify/building.h"

#include "base/banned.h"

#define LOG_SIZE 150
#define ALTERATIONS 10000

static struct cast cast;
static struct made_log made;

static bool head_is_true(const struct entente_head *head)
{
    struct entente_hash root;

    if (head->size > LOG_SIZE || head->cosignature_count < 1 ||
        !slice_eq(slice_of(head->origin.at, head->origin.count), slice_text(cast.log.name)))
        return false;
    tree_hash(&made, 0, head->size, root.bytes);
    return entente_hash_equal(&root, &head->root);
}

static bool entry_is_true(uint64_t number, struct entente_bytes entry)
{
    return number < LOG_SIZE &&
           slice_eq(slice_of(entry.at, entry.count), buf_slice(&made.entries[number]));
}

enum verdict { REFUSED, TRUE, FALSE };

static enum verdict proof_verdict(struct entente_bytes file)
{
    static uint8_t room[ENTENTE_ENTRY_BYTES_MAX];
    struct entente_proof proof;
    struct entente_why why = {0};

    if (!entente_proof_check(file, &cast.trust, room, &proof, &why))
        return why.text[0] != '\0' ? REFUSED : FALSE;
    return head_is_true(&proof.head) && entry_is_true(proof.index, proof.entry) ? TRUE : FALSE;
}

static enum verdict bundle_verdict(struct entente_bytes file)
{
    struct entente_bundle bundle;
    struct entente_why why = {0};
    struct entente_bytes entry;
    uint64_t number, count = 0;

    if (!entente_bundle_check(file, &cast.trust, &bundle, &why))
        return why.text[0] != '\0' ? REFUSED : FALSE;
    for (; entente_bundle_next(&bundle.lines, &number, &entry); count++)
        if (!entry_is_true(number, entry))
            return FALSE;
    return count == bundle.entry_count && head_is_true(&bundle.head) ? TRUE : FALSE;
}

static enum verdict growth_verdict(struct entente_bytes file)
{
    struct entente_consistency proof;
    struct entente_why why = {0};
    struct entente_hash root;

    if (!entente_consistency_parse(file, &cast.trust, &proof, &why) || proof.old_size > LOG_SIZE)
        return REFUSED;
    tree_hash(&made, 0, proof.old_size, root.bytes);
    if (!entente_consistency_file_check(file, &cast.trust, &root, &proof, &why))
        return why.text[0] != '\0' ? REFUSED : FALSE;
    return head_is_true(&proof.head) ? TRUE : FALSE;
}

static enum verdict head_verdict(struct entente_bytes file)
{
    struct entente_head head;
    struct entente_why why = {0};

    if (!entente_head_check(file, &cast.trust, &head, &why))
        return why.text[0] != '\0' ? REFUSED : FALSE;
    return head_is_true(&head) ? TRUE : FALSE;
}

static const struct {
    const char *name;
    enum verdict (*verdict)(struct entente_bytes file);
    size_t times;
} kinds[] = {
    {"proof", proof_verdict, 4000},
    {"bundle", bundle_verdict, 3000},
    {"consistency", growth_verdict, 2000},
    {"head", head_verdict, 1000},
};

static void file_make(size_t kind, uint64_t *state, struct buf *out)
{
    size_t size = 1 + dice_below(state, LOG_SIZE);

    switch (kind) {
    case 0:
        proof_make(out, &made, dice_below(state, size), size, cast.signers);
        break;
    case 1:
        bundle_make(out, &made, size, 1 + dice_below(state, 20), cast.signers);
        break;
    case 2:
        growth_make(out, &made, dice_below(state, size), size, cast.signers);
        break;
    default:
        head_make(out, &made, size, cast.signers);
    }
}

/* A block of memory of just that size, so that a read past the end is seen. */
static enum verdict verdict_of(size_t kind, const struct buf *file)
{
    uint8_t *copy = malloc(file->len > 0 ? file->len : 1);
    enum verdict verdict;

    assert_non_null(copy);
    memcpy(copy, file->len > 0 ? file->at : "", file->len);
    verdict = kinds[kind].verdict((struct entente_bytes){copy, file->len});
    free(copy);
    return verdict;
}

static void no_alteration_makes_a_lie_hold(void **state_unused)
{
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid();
    size_t refused = 0, total = 0;

    (void)state_unused;
    printf("# seed %llu\n", (unsigned long long)state);
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
        for (size_t i = 0; i < kinds[kind].times; i++) {
            static struct buf file, bad;

            if (i % 100 == 0) {
                buf_free(&file);
                buf_free(&bad);
                file = bad = BUF(1 << 20);
                file_make(kind, &state, &file);
                assert_int_equal(verdict_of(kind, &file), TRUE);
            }
            buf_reset(&bad);
            altered(buf_slice(&file), &state, &bad);
            enum verdict verdict = verdict_of(kind, &bad);
            if (verdict == FALSE)
                fail_msg("%s, alteration %zu: a lie holds:\n%.*s", kinds[kind].name, i,
                         SLICE_ARG(buf_slice(&bad)));
            refused += verdict == REFUSED;
            total++;
            if (kind == 3 && i + 1 == kinds[kind].times) {
                buf_free(&file);
                buf_free(&bad);
            }
        }
    assert_int_equal(total, ALTERATIONS);
    printf("# %zu of %zu refused; the others were in what proves nothing\n", refused, total);
    assert_true(refused > total / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_alteration_makes_a_lie_hold),
    };

    cast_make(&cast);
    made = log_make(LOG_SIZE);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    log_free(&made);
    return failures;
}
